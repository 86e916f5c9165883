# SPDX-License-Identifier: Apache-2.0
"""How often a key may ask, which roles may what, and what becomes of collectors whose credentials
and token are both dead. Servers of their own, as their rates are others'."""
import pytest

from fleet.client import case
from harness import Server, Wire
from sumo.client import Sumo, error_of, errors_of

JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """With the limits that are documented."""
    with Server(tmp_path_factory.mktemp("usual")) as server:
        yield server


@pytest.fixture
def sumo(usual):
    with Sumo(usual) as made:
        yield made


# --- rates


def test_E_48_the_241st_request_of_a_minute(sumo):
    statuses = [sumo.api("GET", "/collectors").status for _ in range(240)]
    assert statuses == [200] * 240
    for method, path in (("GET", "/collectors"), ("POST", "/collectors"), ("GET", "/collectors/1"),
                         ("DELETE", "/collectors/1"), ("GET", "/collectors/name/x"),
                         ("GET", "/collectors/upgrades/targets")):
        answer = sumo.api(method, path)
        assert answer.status == 429
        told = error_of(answer)
        assert told["code"] == "rate.limit.exceeded"
        assert told["message"] == "API rate limit for this user has been exceeded."
        assert 1 <= int(answer.fields["retry-after"]) <= 61
    answer = sumo.api("GET", "/tokens/0000000000000001")
    assert answer.status == 429 and errors_of(answer)["code"] == "rate.limit.exceeded"


def test_each_key_has_a_rate_of_its_own(sumo):
    while sumo.api("GET", "/collectors").status == 200:
        pass
    with sumo.other("viewer") as other:
        assert other.listed() == []


def test_many_requests_a_second_are_fine(sumo):
    """One client posts upgrades five a second: the minute counts."""
    assert [sumo.api("GET", "/collectors").status for _ in range(60)] == [200] * 60


def test_beats_and_registrations_are_not_counted(sumo):
    collector = sumo.register("c")
    while sumo.api("GET", "/collectors").status == 200:
        pass
    assert [collector.beat() for _ in range(260)] == [204] * 260
    assert collector.call("/otCollectors/metadata", {}).status in (200, 204)
    assert sumo.register("d", collector.token).beat() == 204


def test_data_is_not_counted(sumo):
    home = sumo.create("home")["id"]
    url = sumo.add_source(home, sourceType="HTTP", name="in")["url"]
    path = url[url.index("/receiver"):]
    with Wire(sumo.server.port()) as wire:
        assert [wire.request("POST", path, b"x").status for _ in range(260)] == [200] * 260


def test_who_is_nobody_is_not_counted_as_somebody(sumo):
    for _ in range(250):
        assert sumo.api("GET", "/collectors", authorization=None).status == 401
    assert sumo.listed() == []


def test_ten_requests_at_a_time(tmp_path):
    """Bodies that are still on their way hold a place each."""
    with Server(tmp_path, "--rate-sumologic-key-concurrent", "3") as server, Sumo(server) as sumo:
        body = b'{"collector":{"collectorType":"Hosted","name":"c%d"}}'
        wires = [Wire(server.port()) for _ in range(3)]
        for n, wire in enumerate(wires):
            wire.send(f"POST /api/v1/collectors HTTP/1.1\r\nHost: a\r\n{sumo.authorization()}\r\n"
                      f"{JSON}\r\nExpect: 100-continue\r\nContent-Length: {len(body % n)}\r\n\r\n"
                      .encode())
            assert wire.answer("POST", interim=True).status == 100
        told = sumo.api("GET", "/collectors")
        assert told.status == 429 and error_of(told)["code"] == "rate.limit.exceeded"
        assert int(told.fields["retry-after"]) >= 1
        with sumo.other("viewer") as other:
            assert other.listed() == []
        for n, wire in enumerate(wires):
            wire.send(body % n)
            assert wire.answer("POST").status == 201
            wire.close()
        assert len(sumo.listed()) == 3


def test_limits_can_be_switched_off(tmp_path):
    with Server(tmp_path, "--rate-sumologic-key-per-minute", "0",
                "--rate-sumologic-key-concurrent", "0") as server, Sumo(server) as sumo:
        assert [sumo.api("GET", "/collectors").status for _ in range(300)] == [200] * 300


def test_a_tenants_keys_together(tmp_path):
    with Server(tmp_path, "--rate-sumologic-tenant-per-minute", "20") as server, \
            Sumo(server) as sumo, sumo.other("viewer") as other:
        told = [s.api("GET", "/collectors").status for _ in range(15) for s in (sumo, other)]
        assert told == [200] * 20 + [429] * 10


# --- registrations that fail


def test_a_storm_of_dead_collectors_is_told_to_wait(sumo):
    token = sumo.installation_token()["encodedTokenAndUrl"]

    def enroll(authorization, body=None):
        return sumo.http("POST", "/api/v1/collector/register", body or {"collectorName": "c"},
                         authorization="Authorization: Bearer " + authorization)

    for _ in range(10):
        assert enroll("dead").status == 401
    answer = enroll("dead")
    assert answer.status == 429 and errors_of(answer)["code"] == "rate.limit.exceeded"
    assert int(answer.fields["retry-after"]) >= 1
    assert enroll(token).status == 200, "who has a good token gets in from there"
    with Sumo(sumo.server) as elsewhere:
        answer = elsewhere.http("POST", "/api/v1/collector/register", {"collectorName": "c"},
                                authorization="Authorization: Bearer dead")
        assert answer.status == 401, "another address is another matter"


# --- roles

READS = [("GET", "/collectors"), ("GET", "/collectors/{id}"), ("GET", "/collectors/name/c"),
         ("GET", "/collectors/{id}/sources"), ("GET", "/collectors/{id}/sources/{source}"),
         ("GET", "/collectors/offline"), ("GET", "/collectors/upgrades/targets"),
         ("GET", "/collectors/upgrades/collectors"), ("HEAD", "/collectors")]
WRITES = [("POST", "/collectors"), ("PUT", "/collectors/{id}"), ("DELETE", "/collectors/{id}"),
          ("DELETE", "/collectors/offline"), ("POST", "/collectors/{id}/sources"),
          ("PUT", "/collectors/{id}/sources/{source}"),
          ("DELETE", "/collectors/{id}/sources/{source}"), ("POST", "/collectors/upgrades")]


@pytest.fixture
def place(sumo):
    home = sumo.create("c")["id"]
    return {"id": home, "source": sumo.add_source(home, sourceType="HTTP", name="in")["id"]}


@pytest.mark.parametrize("role, reads, writes", [
    ("viewer", True, False), ("editor", True, True), ("admin", True, True),
    ("agent", False, False)])
def test_roles(sumo, place, role, reads, writes):
    with sumo.other(role) as other:
        for method, path in READS:
            answer = other.api(method, path.format(**place))
            if reads:
                assert answer.status == 200, (path, answer)
            elif method != "HEAD":
                assert answer.status in (401, 403)
                assert error_of(answer)["code"] in ("forbidden", "unauthorized")
        for method, path in WRITES:
            if writes and method == "DELETE":
                continue  # tried at the end
            answer = other.api(method, path.format(**place), {} if method != "DELETE" else None)
            if writes:
                assert answer.status in (400, 403, 415), (method, path, answer)
                assert error_of(answer)["code"] != "forbidden", (method, path)
            else:
                assert answer.status in (401, 403), (method, path, answer)
                assert error_of(answer)["code"] in ("forbidden", "unauthorized")
        if writes:
            for path in ("/collectors/{id}/sources/{source}", "/collectors/{id}"):
                assert other.api("DELETE", path.format(**place)).status == 200
    assert sumo.listed() == ([] if writes else ["c"])


@pytest.mark.parametrize("scopes, reads, writes", [
    case("to view", ["collectors:read"], True, False),
    case("to manage", ["collectors:read", "collectors:write"], True, True),
    case("for something else", ["pipelines:read"], False, False)])
def test_scopes(sumo, place, scopes, reads, writes):
    with sumo.other("admin", *scopes) as other:
        answer = other.api("GET", "/collectors")
        assert (answer.status == 200) == reads
        if not reads:
            assert (answer.status, error_of(answer)["code"]) == (403, "forbidden")
        answer = other.api("POST", "/collectors",
                           {"collector": {"collectorType": "Hosted", "name": "new"}})
        assert (answer.status == 201) == writes
        if not writes:
            assert (answer.status, error_of(answer)["code"]) == (403, "forbidden")


def test_a_revoked_key(sumo):
    made = sumo.key("viewer")
    with Sumo(sumo.server, sumo.tenant, made["token"]) as other:
        assert other.listed() == []
        gone = sumo.server.request("DELETE", f"/admin/v1/keys/{made['id']}?tenant={sumo.tenant}")
        assert gone.status in (200, 204), gone
        assert other.api("GET", "/collectors").status == 401
