# SPDX-License-Identifier: Apache-2.0
"""What careless and hostile clients of the collector management interface send: paths that are
nearly others, conditions in all their forms, names that are somebody's, answers of any size. Never
a 5xx."""
import pytest

from fleet.client import Fleet
from sumo.client import COLLECTOR, DUPLICATE, INVALID, Sumo, entity, error_of, errors_of

HTTP = {"sourceType": "HTTP", "name": "in"}


@pytest.fixture
def hosted(sumo):
    return sumo.create("hosted", description="d")


# --- paths


@pytest.mark.parametrize("method, path, allow", [
    ("PUT", "/collectors/offline", "GET, HEAD, DELETE"),
    ("POST", "/collectors/offline/", "GET, HEAD, DELETE"),
    ("GET", "/collectors/upgrades", "POST"), ("DELETE", "//collectors//upgrades", "POST"),
    ("PUT", "/collectors/upgrades/targets", "GET, HEAD")])
def test_words_are_no_ids(sumo, method, path, allow):
    answer = sumo.api(method, path, {} if method in ("PUT", "POST") else None)
    error = error_of(answer)
    assert (answer.status, error["code"]) == (405, "method.unsupported")
    assert answer.fields["allow"] == allow


def test_words_are_no_ids_of_the_newer_endpoints(sumo):
    answer = sumo.api("GET", "/otCollectors/metadata")
    assert (answer.status, errors_of(answer)["code"]) == (405, "method.unsupported")
    assert answer.fields["allow"] == "POST"


# --- conditions


def test_a_change_is_answered_in_full_whatever_if_none_match_says(sumo, hosted):
    body = {"collector": {"collectorType": "Hosted", "name": "new"}}
    made = sumo.api("POST", "/collectors", body, ["If-None-Match: *"])
    assert entity(made, 201, "collector")["name"] == "new"
    path = f"/collectors/{hosted['id']}"
    put = sumo.api("PUT", path, {"collector": hosted}, ["If-Match: *", "If-None-Match: *"])
    assert entity(put, 200, "collector")["id"] == hosted["id"]


@pytest.mark.parametrize("value, status, code", [
    ('"a,b"', 412, "service.etagid.mismatch"), ('"a,b", {tag}', 200, None),
    (',, {tag} ,', 200, None), ('{tag} {tag}', 400, "service.ifthen.notquoted"),
    ('"a', 400, "service.ifthen.notquoted"), ('*, {tag}', 400, "service.ifthen.notquoted"),
    ('W/{tag}', 412, "service.etagid.mismatch"), ('"a", *', 400, "service.ifthen.notquoted")])
def test_lists_of_tags(sumo, hosted, value, status, code):
    path = f"/collectors/{hosted['id']}"
    line = "If-Match: " + value.format(tag=sumo.etag(path))
    answer = sumo.api("PUT", path, {"collector": hosted}, [line])
    assert answer.status == status
    assert code is None or error_of(answer)["code"] == code


# --- bodies


def test_a_file_of_windows_begins_with_a_mark(sumo):
    body = b'\xef\xbb\xbf{"collector":{"collectorType":"Hosted","name":"marked"}}'
    assert entity(sumo.api("POST", "/collectors", body), 201, "collector")["name"] == "marked"
    sumo.refused(400, "service.json.invalid", "POST", "/collectors", b"\xef\xbb\xbf" * 2 + b"{}")


def test_ids_of_bodies_may_be_texts(sumo, hosted):
    source = sumo.add_source(hosted["id"], **HTTP)
    for path, key, document, code in (
            (f"/collectors/{hosted['id']}", "collector", hosted,
             "collectors.collector.request.id.invalid"),
            (f"/collectors/{hosted['id']}/sources/{source['id']}", "source", source,
             "collectors.source.request.id.invalid")):
        number = document["id"]
        assert sumo.put(path, {key: {**document, "id": str(number)}}).status == 200
        for other in (f"0{number}", f"{number} ", "", "x", number + 1, True, {}, 2 ** 63):
            sumo.refused(400, code, "PUT", path, {key: {**document, "id": other}},
                         ["If-Match: *"])


def test_conditions_come_before_what_is_within_a_body(sumo, hosted):
    source = sumo.add_source(hosted["id"], **HTTP)
    for path in (f"/collectors/{hosted['id']}",
                 f"/collectors/{hosted['id']}/sources/{source['id']}"):
        for body in ({}, {"collector": None, "source": None}, {"collector": 1, "source": 1}):
            sumo.refused(403, "service.ifthen.missing", "PUT", path, body)
            sumo.refused(412, "service.etagid.mismatch", "PUT", path, body, ['If-Match: "x"'])
            answer = sumo.api("PUT", path, body, ["If-Match: *"])
            assert error_of(answer)["code"].startswith("collectors.validation.fields")


# --- names


def test_control_characters_in_names(sumo):
    token = sumo.installation_token()["encodedTokenAndUrl"]
    collector = sumo.register("x", token)
    for name in ("a\nb", "a\0b", "\x7f"):
        sumo.refused(400, INVALID, "POST", "/collectors",
                     {"collector": {"collectorType": "Hosted", "name": name}})
        answer = sumo.http("POST", "/api/v1/collector/register", {"collectorName": name},
                           authorization="Authorization: Bearer " + token)
        assert (answer.status, errors_of(answer)["code"]) == (400, INVALID)
        answer = sumo.api("PUT", f"/otCollectors?id={collector.hex}", {"name": name})
        assert (answer.status, errors_of(answer)["code"]) == (400, INVALID)
    assert sumo.listed() == ["x"]


def test_the_newer_name_of_an_agent_of_another_dialect_is_its_own(server):
    with Sumo(server) as sumo, Fleet(server, sumo.tenant, sumo.token) as fleet:
        fleet.call("RegisterCollector", id="a1", name="said")
        number = sumo.get("/collectors/name/said")["collector"]["id"]
        sumo.create("taken")
        answer = sumo.api("PUT", f"/otCollectors?id={number:016X}", {"name": "taken"})
        assert (answer.status, errors_of(answer)["code"]) == (400, DUPLICATE)
        assert sumo.api("PUT", f"/otCollectors?id={number:016X}", {"name": "given"}).status == 200
        sumo.refused(400, DUPLICATE, "POST", "/collectors",
                     {"collector": {"collectorType": "Hosted", "name": "given"}})
        fleet.call("RegisterCollector", id="a1", name="said")
        assert sumo.collector(number)["name"] == "given"


def test_a_token_takes_no_name_from_what_did_not_register_with_one(server):
    with Sumo(server) as sumo, Fleet(server, sumo.tenant, sumo.token) as fleet:
        fleet.call("RegisterCollector", id="a1", name="alloy")
        number = sumo.get("/collectors/name/alloy")["collector"]["id"]
        sumo.change(number, name="edge")
        token = sumo.installation_token()["encodedTokenAndUrl"]
        assert sumo.register("edge", token, clobber=True).name.startswith("edge-")
        assert sumo.collector(number)["name"] == "edge"
        own = sumo.register("own", token)
        assert sumo.register("own", token, clobber=True).name == "own"
        assert own.beat() == 401


def test_tags_that_are_no_texts(sumo):
    collector = sumo.register("x")
    answer = sumo.api("PUT", f"/otCollectors?id={collector.hex}",
                      {"tags": {"flag": True, "n": 1.5, "none": None}})
    assert answer.status == 200
    assert sumo.collector(collector.id)["fields"] == {"flag": "true", "n": "1.5"}


# --- answers


def test_a_list_that_is_too_large_is_refused_and_a_shorter_one_is_not(sumo):
    fields = {f"{n}" + "\x01" * 250: "\x01" * 200 for n in range(10)}
    for n in range(640):
        sumo.create(f"c{n}", fields=fields)
    message = sumo.refused(400, "service.limit.invalid", "GET", "/collectors")
    assert "limit" in message
    assert len(sumo.listed("?limit=100&offset=540")) == 100


def test_the_sources_of_a_collector_have_room_together_and_go_in_one_answer(sumo):
    home, other = sumo.create("home")["id"], sumo.create("other")["id"]
    pad = "y" * 1000000
    for n in range(14):
        last = sumo.add_source(home, sourceType="HTTP", name=f"s{n}", pad=pad)
    path = f"/collectors/{home}/sources"
    message = sumo.refused(400, INVALID, "POST", path,
                           {"source": {"sourceType": "HTTP", "name": "s14", "pad": pad}})
    assert "bytes" in message
    sumo.add_source(home, sourceType="HTTP", name="small")
    small = next(s for s in sumo.sources(home) if s["name"] == "small")
    sumo.refused(400, INVALID, "PUT", f"{path}/{small['id']}", {"source": {**small, "pad": pad}},
                 ["If-Match: *"])
    sumo.change_source(home, last["id"], pad="z" * 1000000)
    sumo.change_source(home, last["id"], pad="z")
    sumo.change_source(home, small["id"], pad=pad)
    sumo.add_source(other, sourceType="HTTP", name="s", pad=pad)
    assert len(sumo.sources(home)) == 15


def test_a_collector_of_another_tenant_is_not_there(sumo, shared, hosted):
    source = sumo.add_source(hosted["id"], **HTTP)
    collector = sumo.register("x")
    with Sumo(shared) as other:
        own = other.create("own")["id"]
        for number in (hosted["id"], collector.id):
            path = f"/collectors/{number}"
            for method, where, body in (
                    ("GET", path, None), ("PUT", path, {"collector": {**hosted, "id": number}}),
                    ("DELETE", path, None), ("GET", path + "/sources", None),
                    ("POST", path + "/sources", {"source": HTTP})):
                other.refused(404, COLLECTOR, method, where, body, ["If-Match: *"])
        for method in ("GET", "PUT", "DELETE"):
            other.refused(404, "collectors.source.invalid", method,
                          f"/collectors/{own}/sources/{source['id']}",
                          {"source": source} if method == "PUT" else None, ["If-Match: *"])
        other.refused(404, COLLECTOR, "GET", "/collectors/name/hosted")
    assert sumo.source(hosted["id"], source["id"])["token"] == source["token"]
    assert collector.beat() == 204


def test_a_deleted_tenant_leaves_no_door_open(server):
    with Sumo(server) as sumo:
        source = sumo.add_source(sumo.create("home")["id"], **HTTP)
        collector = sumo.register("x")
        path = "/receiver/v1/http/" + source["token"]
        assert server.request("POST", path, b"data", token=False).status == 200
        assert server.request("DELETE", f"/admin/v1/tenants/{sumo.tenant}").status == 204
        assert server.request("POST", path, b"data", token=False).status == 404
        assert collector.beat() == 401
        assert sumo.http("GET", "/api/v1/collectors").status == 401
