# SPDX-License-Identifier: Apache-2.0
"""Collectors of both kinds: what every request and answer has in common, each member with its
default, bounds and access, full replacement, entity tags, lists and paging, what is alive."""
import http.client
import json

import pytest

from fleet.client import case
from harness import basic
from sumo.client import (COLLECTOR, DUPLICATE, ERROR_ID, INVALID, MISSING, Sumo, compact, entity,
                         error_of, still)

JSON = "Content-Type: application/json"


@pytest.fixture
def hosted(sumo):
    return sumo.create("hosted", description="d", category="c", fields={"team": "a"})


@pytest.fixture
def installed(sumo):
    collector = sumo.register("installed")
    collector.metadata()
    return collector


# --- what all requests have in common


@pytest.mark.parametrize("path", ["/api/v1/collectors", "/v1/collectors", "/api/v1/collectors/",
                                  "/api//v1//collectors", "//v1/collectors", "/v1/collectors//"])
def test_paths_of_one_list(sumo, hosted, path):
    answer = sumo.http("GET", path)
    assert answer.status == 200
    assert [c["id"] for c in answer.json()["collectors"]] == [hosted["id"]]


@pytest.mark.parametrize("path", ["/api/v1/collectors/{id}", "/v1/collectors/{id}/",
                                  "/api/v1//collectors//{id}"])
def test_paths_of_one_collector(sumo, hosted, path):
    shown = entity(sumo.http("GET", path.format(id=hosted["id"])), 200, "collector")
    assert still(shown) == still(hosted)


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/html", "image/png;q=0"])
def test_nothing_is_not_acceptable(sumo, accept):
    answer = sumo.api("GET", "/collectors", None, [f"Accept: {accept}"] if accept else [])
    assert answer.status == 200
    assert answer.fields["content-type"] == "application/json;charset=UTF-8"


@pytest.mark.parametrize("headers, body", [
    case("without a content type", [], None),
    case("with a content type and no body", [JSON], None),
    case("with a body", [JSON], b'{"collector": {}}'),
    case("with a body that is no JSON", ["Content-Type: text/plain"], b"hello")])
def test_a_get(sumo, hosted, headers, body):
    for path in ("/collectors", f"/collectors/{hosted['id']}", "/collectors/name/hosted",
                 f"/collectors/{hosted['id']}/sources", "/collectors/offline"):
        assert sumo.api("GET", path, body, headers).status == 200, path


def test_unknown_parameters_are_ignored(sumo, hosted):
    assert sumo.listed("?nonsense=1&x&=&filter=hosted") == ["hosted"]


@pytest.mark.parametrize("media", ["application/json;charset=UTF-8", "application/json ;charset=x",
                                   "Application/JSON", "application/json; a=b; c=d"])
def test_media_types_that_are_json(sumo, media):
    answer = sumo.api("POST", "/collectors",
                      {"collector": {"collectorType": "Hosted", "name": "c"}},
                      [f"Content-Type: {media}"])
    assert answer.status == 201


@pytest.mark.parametrize("path", ["/collectors", "/collectors/{id}", "/collectors/name/hosted",
                                  "/collectors/offline", "/collectors/{id}/sources"])
def test_head_is_get_without_a_body(sumo, hosted, path):
    path = path.format(id=hosted["id"])
    head, get = sumo.api("HEAD", path), sumo.api("GET", path)
    assert head.status == get.status == 200 and head.body == b""
    assert head.fields["content-type"] == get.fields["content-type"]
    assert head.fields.get("etag") == get.fields.get("etag")


def test_a_wrong_method_names_the_right_ones(sumo, hosted):
    for method, path, allowed in (
            ("PATCH", "/collectors", {"GET", "POST"}), ("DELETE", "/collectors", {"GET", "POST"}),
            ("POST", f"/collectors/{hosted['id']}", {"GET", "PUT", "DELETE"}),
            ("POST", "/collectors/name/hosted", {"GET"})):
        answer = sumo.api(method, path)
        assert error_of(answer)["code"] == "method.unsupported"
        assert answer.status == 405
        assert allowed <= set(answer.fields["allow"].replace(" ", "").split(","))


def test_an_unknown_path(sumo):
    for path in ("/nothing", "/collectors/1/nothing", "/collectors/1/sources/2/x"):
        sumo.refused(404, "notfound", "GET", path)


def test_cookies_and_admin_mode_are_ignored(sumo, hosted):
    answer = sumo.api("GET", "/collectors", None, ["Cookie: AWSALB=x; JSESSIONID=y",
                                                   "isAdminMode: true"])
    assert answer.status == 200 and "set-cookie" not in answer.fields


def test_ids_of_errors_differ(sumo):
    told = [error_of(sumo.api("GET", "/collectors/1"))["id"] for _ in range(50)]
    assert len(set(told)) == 50 and all(map(ERROR_ID.fullmatch, told))


def test_an_error_can_be_found_in_the_log(sumo):
    told = error_of(sumo.api("GET", "/collectors/1"))
    line = sumo.server.wait_for_line(error_id=told["id"])
    assert line["code"] == COLLECTOR


def test_errors_are_flat_text(sumo):
    """One client decodes them as a map of texts."""
    answer = sumo.api("POST", "/collectors", b"[", [JSON])
    assert all(isinstance(v, (str, int)) for v in answer.json().values())


@pytest.mark.parametrize("credentials", [
    case("none", None), case("of nobody", basic("suABC", "secret")),
    case("an empty password", basic("suABC", "")), case("no colon", "Authorization: Basic c3U="),
    case("no base64", "Authorization: Basic !!!"), case("Bearer nonsense",
                                                        "Authorization: Bearer nonsense")])
def test_without_good_credentials(sumo, hosted, credentials):
    for method, path in (("GET", "/collectors"), ("POST", "/collectors"), ("GET", "/collectors/1"),
                         ("PUT", f"/collectors/{hosted['id']}"), ("GET", "/collectors/name/x"),
                         ("DELETE", f"/collectors/{hosted['id']}"),
                         ("DELETE", "/collectors/offline")):
        answer = sumo.api(method, path, authorization=credentials)
        assert (answer.status, error_of(answer)["code"]) == (401, "unauthorized")
        assert answer.fields["www-authenticate"].startswith('Basic realm="Sumo Logic"')
    assert sumo.api("HEAD", "/collectors", authorization=credentials).status == 401


def test_one_tenants_collectors_are_not_anothers(sumo, hosted):
    with Sumo(sumo.server) as other:
        assert other.listed() == []
        for method, path in (("GET", "/collectors/{}"), ("PUT", "/collectors/{}"),
                             ("DELETE", "/collectors/{}"), ("GET", "/collectors/{}/sources")):
            told = other.api(method, path.format(hosted["id"]))
            assert (told.status, error_of(told)["code"]) == (404, COLLECTOR)
        other.create("hosted")
    assert sumo.listed() == ["hosted"]


# --- creating


def test_the_least_that_creates_one(sumo):
    answer = sumo.api("POST", "/collectors",
                      {"collector": {"collectorType": "Hosted", "name": "least"}})
    made = entity(answer, 201, "collector")
    number = made["id"]
    assert answer.fields["location"].endswith(f"/v1/collectors/{number}")
    assert still(made) == {
        "id": number, "name": "least", "timeZone": "UTC", "fields": {},
        "links": [{"rel": "sources", "href": f"/v1/collectors/{number}/sources"}],
        "collectorType": "Hosted", "collectorVersion": ""}
    assert made["alive"] is True and made["lastSeenAlive"] > 1_700_000_000_000
    followed = entity(sumo.http("GET", answer.fields["location"][
        answer.fields["location"].index("/api/"):]), 200, "collector")
    assert still(followed) == still(made)


def test_numbers_only_grow(sumo):
    first = sumo.create("a")["id"]
    second = sumo.create("b")["id"]
    assert second > first
    sumo.delete(f"/collectors/{second}")
    assert sumo.create("b")["id"] > second


@pytest.mark.parametrize("members", [
    case("description", {"description": "words \u00e9\u4e2d"}),
    case("category", {"category": "a/b"}),
    case("time zone", {"timeZone": "Europe/Berlin"}), case("Etc/UTC", {"timeZone": "Etc/UTC"}),
    case("fields", {"fields": {"_budget": "Dev_20GB", "team": "a b=c,d"}}),
    case("host name", {"hostName": "web-01.lan"}),
    case("cutoff", {"cutoffTimestamp": 1536618284387}),
    case("a cutoff of more than 32 bits", {"cutoffTimestamp": 4102444800000}),
    case("the longest name", {"name": "n" * 128}),
    case("the longest name of other letters", {"name": "\u4e2d" * 128}),
    case("the longest description", {"description": "d" * 1024}),
    case("the longest host name", {"hostName": "h" * 128}),
    case("ten fields", {"fields": {f"k{n}": "v" for n in range(10)}}),
    case("long fields", {"fields": {"k" * 255: "v" * 200}})])
def test_what_is_given_comes_back(sumo, members):
    made = sumo.create(members.get("name", "c"), **members)
    assert {k: made[k] for k in members} == members
    assert still(sumo.collector(made["id"])) == still(made)


@pytest.mark.parametrize("name", ["description", "category", "hostName"])
def test_no_text_is_invented(sumo, name):
    assert name not in sumo.create("absent")
    assert name not in sumo.create("empty", **{name: ""})
    assert name not in sumo.create("null", **{name: None})


def test_what_the_server_gives_is_not_taken(sumo):
    made = sumo.create("c", id=1 << 60, alive=False, lastSeenAlive=5, collectorVersion="99",
                       links=[{"rel": "x", "href": "y"}], ephemeral=True, status="x")
    assert made["id"] != 1 << 60 and made["alive"] is True and made["lastSeenAlive"] > 5
    assert made["collectorVersion"] == ""
    assert made["links"] == [{"rel": "sources", "href": f"/v1/collectors/{made['id']}/sources"}]


@pytest.mark.parametrize("code, body", [
    case("no body", "service.json.invalid", b""),
    case("half an object", "service.json.invalid", b'{"collector":'),
    case("an array", "service.json.invalid", b"[]"),
    case("a text", "service.json.invalid", b'"collector"'),
    case("something behind it", "service.json.invalid", b'{"collector":{}} x'),
    case("a wrong UTF-8", "service.json.invalid", b'{"collector":{"name":"\xff"}}'),
    case("very deep", "service.json.invalid", b'{"collector":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    case("an empty object", MISSING, b"{}"),
    case("no collector", MISSING, b'{"source":{}}'),
    case("null", MISSING, b'{"collector":null}'),
    case("an array as the collector", INVALID, b'{"collector":[]}'),
    case("no type", MISSING, b'{"collector":{"name":"c"}}'),
    case("no name", MISSING, b'{"collector":{"collectorType":"Hosted"}}')])
def test_bodies_that_create_nothing(sumo, code, body):
    sumo.refused(400, code, "POST", "/collectors", body, [JSON])


@pytest.mark.parametrize("members", [
    case("an empty name", {"name": ""}), case("a number as name", {"name": 5}),
    case("a name too long", {"name": "n" * 129}),
    case("a name too long in other letters", {"name": "\u4e2d" * 129}),
    case("a description too long", {"description": "d" * 1025}),
    case("a number as description", {"description": 1}),
    case("a host name too long", {"hostName": "h" * 129}),
    case("eleven fields", {"fields": {f"k{n}": "v" for n in range(11)}}),
    case("a field's key too long", {"fields": {"k" * 256: "v"}}),
    case("a field's value too long", {"fields": {"k": "v" * 201}}),
    case("an array as fields", {"fields": []}), case("a text as fields", {"fields": "a=b"}),
    case("an object as a field", {"fields": {"k": {}}}),
    case("a negative cutoff", {"cutoffTimestamp": -1}),
    case("half a millisecond", {"cutoffTimestamp": 1.5}),
    case("a text as cutoff", {"cutoffTimestamp": "soon"}),
    case("a cutoff of more than 64 bits", {"cutoffTimestamp": 1 << 70}),
    case("a relative cutoff without a unit", {"cutoffRelativeTime": "-1"}),
    case("a relative cutoff of another unit", {"cutoffRelativeTime": "-1y"}),
    case("a relative cutoff in the future", {"cutoffRelativeTime": "1h"}),
    case("a relative cutoff of many digits", {"cutoffRelativeTime": "-99999999999999999999w"}),
    case("an array as time zone", {"timeZone": ["UTC"]})])
def test_members_that_create_nothing(sumo, members):
    sumo.refused(400, INVALID, "POST", "/collectors",
                 {"collector": {"collectorType": "Hosted", "name": "c", **members}})


@pytest.mark.parametrize("text, message", [
    case("the longest name", {"name": "n" * 129}, "Maximum name length is 128 characters."),
    case("the longest description", {"description": "d" * 1025},
         "Maximum description length is 1024 characters.")])
def test_the_page_has_words_for_lengths(sumo, text, message):
    told = sumo.refused(400, INVALID, "POST", "/collectors",
                        {"collector": {"collectorType": "Hosted", "name": "c", **text}})
    assert told == message


def test_a_missing_field_is_named(sumo):
    told = sumo.refused(400, MISSING, "POST", "/collectors",
                        {"collector": {"collectorType": "Hosted"}})
    assert told == "Missing required field: 'name'"


@pytest.mark.parametrize("text, ago", [("-1h", 3600), ("-2d", 172800), ("-1w", 604800),
                                       ("-30m", 1800), ("-1M", 2592000), ("0m", 0)])
def test_a_relative_cutoff_becomes_a_time(sumo, text, ago):
    before = sumo.create("before")["lastSeenAlive"]
    made = sumo.create("c", cutoffRelativeTime=text)
    after = sumo.create("after")["lastSeenAlive"]
    assert "cutoffRelativeTime" not in made
    months = 3 * 86400 if text.endswith("M") else 0  # of the calendar
    assert before - ago * 1000 - months * 1000 <= made["cutoffTimestamp"] <= \
        after - ago * 1000 + months * 1000
    assert sumo.collector(made["id"])["cutoffTimestamp"] == made["cutoffTimestamp"]


# --- changing


def test_a_change_is_a_full_replacement(sumo, hosted):
    answer = sumo.put(f"/collectors/{hosted['id']}", {"collector": {
        "id": hosted["id"], "name": "hosted", "collectorType": "Hosted", "ephemeral": False}})
    changed = entity(answer, 200, "collector")
    assert not {"description", "category"} & set(changed)
    assert changed["fields"] == {} and changed["timeZone"] == "UTC"
    assert still(sumo.collector(hosted["id"])) == still(changed)


def test_a_whole_document_with_one_change(sumo, hosted):
    changed = sumo.change(hosted["id"], name="renamed")
    assert still(changed) == {**still(hosted), "name": "renamed"}
    assert sumo.listed() == ["renamed"]
    assert error_of(sumo.api("GET", "/collectors/name/hosted"))["code"] == COLLECTOR


@pytest.mark.parametrize("member, value", [
    ("description", "other"), ("category", "other"), ("hostName", "other"),
    ("timeZone", "Asia/Tokyo"), ("cutoffTimestamp", 1536618284387), ("fields", {"other": "1"})])
def test_modifiable_members_of_both_kinds(sumo, hosted, installed, member, value):
    for number in (hosted["id"], installed.id):
        assert sumo.change(number, **{member: value})[member] == value
        changed = sumo.change(number, drop=[member])
        assert changed.get(member) in {"timeZone": ("UTC", None), "fields": ({}, None),
                                       "hostName": ("web-01.lan", None),
                                       "cutoffTimestamp": (0, None)}.get(member, (None,))


@pytest.mark.parametrize("member, value, absent", [
    ("ephemeral", True, False), ("targetCpu", 20, None), ("sourceSyncMode", "Json", "UI")])
def test_modifiable_members_of_installed_collectors(sumo, installed, member, value, absent):
    assert sumo.change(installed.id, **{member: value})[member] == value
    assert installed.seen()[member] == value
    assert sumo.change(installed.id, drop=[member]).get(member) == absent


@pytest.mark.parametrize("mode, shown", [("json", "Json"), ("JSON", "Json"), ("Json", "Json"),
                                         ("UI", "UI"), ("ui", "UI")])
def test_spellings_of_the_sync_mode(sumo, installed, mode, shown):
    assert sumo.change(installed.id, sourceSyncMode=mode)["sourceSyncMode"] == shown


@pytest.mark.parametrize("members", [
    case("another type", {"collectorType": "Installable"}),
    case("an empty name", {"name": ""}), case("a name too long", {"name": "n" * 129}),
    case("a description too long", {"description": "d" * 1025}),
    case("eleven fields", {"fields": {f"k{n}": "v" for n in range(11)}})])
def test_changes_that_are_refused(sumo, hosted, members):
    path = f"/collectors/{hosted['id']}"
    tag = sumo.etag(path)
    told = error_of(sumo.api("PUT", path, {"collector": {**hosted, **members}},
                             [f"If-Match: {tag}"]))
    assert told["status"] == 400 and told["code"] in (INVALID, MISSING)
    assert sumo.etag(path) == tag and still(sumo.collector(hosted["id"])) == still(hosted)


@pytest.mark.parametrize("member, value", [
    ("osName", "Windows"), ("osVersion", "3"), ("osArch", "vax"), ("collectorType", "Hosted"),
    ("targetCpu", 101), ("targetCpu", -2), ("targetCpu", 0), ("sourceSyncMode", "Both"),
    ("ephemeral", "yes")])
def test_changes_of_installed_ones_that_are_refused(sumo, installed, member, value):
    path = f"/collectors/{installed.id}"
    sumo.refused(400, INVALID, "PUT", path, {"collector": {**installed.seen(), member: value}},
                 [f"If-Match: {sumo.etag(path)}"])


def test_unset_cpu_is_minus_one(sumo, installed):
    sumo.change(installed.id, targetCpu=50)
    assert sumo.change(installed.id, targetCpu=-1).get("targetCpu", -1) == -1


def test_a_name_may_stay_but_not_be_anothers(sumo, hosted):
    other = sumo.create("other")
    sumo.change(other["id"], name="other")
    sumo.refused(400, DUPLICATE, "PUT", f"/collectors/{other['id']}",
                 {"collector": {**other, "name": "hosted"}},
                 [f"If-Match: {sumo.etag('/collectors/name/other')}"])


def test_an_id_is_required_in_a_change(sumo, hosted):
    path = f"/collectors/{hosted['id']}"
    sumo.refused(400, MISSING, "PUT", path, {"collector": {"name": "hosted"}},
                 [f"If-Match: {sumo.etag(path)}"])


# --- entity tags


def test_where_tags_are(sumo, hosted):
    path = f"/collectors/{hosted['id']}"
    tag = sumo.etag(path)
    assert sumo.etag("/collectors/name/hosted") == tag
    for listing in ("/collectors", "/collectors/offline", path + "/sources"):
        assert "etag" not in sumo.api("GET", listing).fields
    created = sumo.api("POST", "/collectors",
                       {"collector": {"collectorType": "Hosted", "name": "x"}})
    assert created.fields["etag"] == sumo.etag(f"/collectors/{created.json()['collector']['id']}")
    changed = sumo.put(path, {"collector": {**hosted, "description": "new"}})
    assert changed.fields["etag"] == sumo.etag(path) != tag


def test_a_tag_stands_while_a_collector_beats(sumo, installed):
    path = f"/collectors/{installed.id}"
    tag = sumo.etag(path)
    before = installed.seen()
    assert installed.beat() == 204
    assert sumo.etag(path) == tag
    assert still(installed.seen()) == still(before)
    assert sumo.put(path, {"collector": before}, tag).status == 200


def test_a_tag_follows_the_configuration(sumo, hosted):
    path = f"/collectors/{hosted['id']}"
    first = sumo.etag(path)
    sumo.change(hosted["id"], description="other")
    second = sumo.etag(path)
    sumo.change(hosted["id"], description="d")
    assert sumo.etag(path) == first != second


@pytest.mark.parametrize("value, status", [
    case("the tag", "{}", 304), case("a star", "*", 304), case("a list", '"x", {}', 304),
    case("a weak one", "W/{}", 304), case("another", '"00000000000000000000000000000000"', 200)])
def test_a_conditional_get(sumo, hosted, value, status):
    path = f"/collectors/{hosted['id']}"
    tag = sumo.etag(path)
    answer = sumo.api("GET", path, None, [f"If-None-Match: {value.format(tag)}"])
    assert answer.status == status and answer.fields["etag"] == tag
    assert (answer.body == b"") == (status == 304)


@pytest.mark.parametrize("value, status, code", [
    case("the tag", "{}", 200, None), case("a star", "*", 200, None),
    case("a list with it", '"aa", {}', 200, None),
    case("a list without it", '"aa", "bb"', 412, "service.etagid.mismatch"),
    case("a weak one", "W/{}", 412, "service.etagid.mismatch"),
    case("another", '"f58d12c6986f80d6ca25ed8a3943daa9"', 412, "service.etagid.mismatch"),
    case("no quotes", "f58d12c6986f80d6ca25ed8a3943daa9", 400, "service.ifthen.notquoted"),
    case("one quote", '"f58d12c6986f80d6ca25ed8a3943daa9', 400, "service.ifthen.notquoted"),
    case("nothing", "", 403, "service.ifthen.missing"),
    case("blanks", "   ", 403, "service.ifthen.missing")])
def test_a_conditional_put(sumo, hosted, value, status, code):
    path = f"/collectors/{hosted['id']}"
    answer = sumo.api("PUT", path, {"collector": {**hosted, "description": "new"}},
                      [f"If-Match: {value.format(sumo.etag(path))}"])
    assert answer.status == status, answer
    if code:
        assert error_of(answer)["code"] == code
        assert still(sumo.collector(hosted["id"])) == still(hosted)


def test_a_tag_of_another_object(sumo, hosted):
    other = sumo.etag(f"/collectors/{sumo.create('other')['id']}")
    sumo.refused(412, "service.etagid.mismatch", "PUT", f"/collectors/{hosted['id']}",
                 {"collector": hosted}, [f"If-Match: {other}"])


@pytest.mark.parametrize("wrong, status, code", [
    case("credentials before everything", {"authorization"}, 401, "unauthorized"),
    case("the object before its body", {"missing", "media", "json", "tag"}, 404, COLLECTOR),
    case("the media type before the text", {"media", "json", "tag"}, 415, "contenttype.invalid"),
    case("the text before the tag", {"json", "tag"}, 400, "service.json.invalid"),
    case("the tag before the members", {"tag", "members"}, 403, "service.ifthen.missing"),
    case("the members at last", {"members"}, 400, INVALID)])
def test_what_is_looked_at_first(sumo, hosted, wrong, status, code):
    path = f"/collectors/{hosted['id']}"
    headers = [] if "tag" in wrong else [f"If-Match: {sumo.etag(path)}"]
    headers.append("Content-Type: text/plain" if "media" in wrong else JSON)
    body = {"collector": {**hosted, **({"description": 7} if "members" in wrong else {})}}
    raw = b"{" if "json" in wrong else compact(body)
    told = error_of(sumo.api("PUT", path + ("99999" if "missing" in wrong else ""), raw, headers,
                             authorization="authorization" not in wrong))
    assert (told["status"], told["code"]) == (status, code)


# --- deleting


def test_a_deletion_is_200_and_empty(sumo, hosted):
    sumo.add_source(hosted["id"], sourceType="HTTP", name="s")
    answer = sumo.api("DELETE", f"/collectors/{hosted['id']}")
    assert answer.status == 200 and answer.body == b""
    assert answer.fields["content-length"] == "0"
    assert sumo.listed() == []
    sumo.refused(404, COLLECTOR, "GET", f"/collectors/{hosted['id']}/sources")


def test_a_deletion_needs_no_tag(sumo, hosted):
    answer = sumo.api("DELETE", f"/collectors/{hosted['id']}", None, ['If-Match: "x"'])
    assert answer.status == 200


def test_the_credentials_of_a_deleted_collector_are_dead(sumo, installed):
    assert installed.beat() == 204
    sumo.delete(f"/collectors/{installed.id}")
    assert installed.beat() == 401
    assert installed.call("/otCollectors/metadata", {}).status == 401


# --- lists


def test_filters(sumo, hosted, installed):
    assert sumo.listed() == ["hosted", "installed"]
    assert sumo.listed("?filter=installed") == ["installed"]
    assert sumo.listed("?filter=hosted") == ["hosted"]
    assert sumo.listed("?filter=alive") == ["hosted", "installed"]
    assert sumo.listed("?filter=dead") == []
    sumo.refused(400, INVALID, "GET", "/collectors?filter=sleeping")


def test_pages_are_stable(sumo):
    for n in range(7):
        sumo.create(f"c{n}")
    assert [sumo.listed(f"?limit=3&offset={o}") for o in (0, 3, 6, 9)] == [
        ["c0", "c1", "c2"], ["c3", "c4", "c5"], ["c6"], []]
    assert sumo.listed("?offset=5") == ["c5", "c6"]
    assert sumo.listed("?limit=5000") == sumo.listed()


def test_both_kinds_are_in_the_order_of_their_ids(sumo):
    token = sumo.installation_token()["encodedTokenAndUrl"]
    for n in range(3):
        sumo.create(f"h{n}")
        sumo.register(f"i{n}", token)
    listed = sumo.get("/collectors")["collectors"]
    assert [c["name"] for c in listed] == ["h0", "i0", "h1", "i1", "h2", "i2"]
    assert [c["id"] for c in listed] == sorted(c["id"] for c in listed)
    assert [sumo.listed(f"?limit=1&offset={n}") for n in range(6)] == [[c["name"]] for c in listed]


@pytest.mark.parametrize("query, code", [
    ("limit=0", "service.limit.invalid"), ("limit=-5", "service.limit.invalid"),
    ("limit=", "service.limit.invalid"), ("limit=1.5", "service.limit.invalid"),
    ("limit=99999999999999999999", "service.limit.invalid"),
    ("offset=-1", "service.offset.invalid"), ("offset=x", "service.offset.invalid"),
    ("offset=99999999999999999999", "service.offset.invalid")])
@pytest.mark.parametrize("path", ["/collectors", "/collectors/offline"])
def test_pages_that_are_none(sumo, path, query, code):
    sumo.refused(400, code, "GET", f"{path}?{query}")


def test_what_each_listed_collector_has(sumo, hosted, installed):
    for c in sumo.get("/collectors")["collectors"]:
        assert {"name", "id", "collectorVersion", "alive", "collectorType", "links"} <= set(c)
        assert isinstance(c["id"], int) and isinstance(c["alive"], bool)
        assert None not in c.values()
        shown = sumo.collector(c["id"])
        assert still(c) == still(shown)


def test_numbers_are_plain(sumo, hosted):
    body = sumo.api("GET", "/collectors").body
    assert b'"id":%d,' % hosted["id"] in body and b"E+" not in body and b".0" not in body
    json.loads(body, parse_float=pytest.fail)


# --- names


@pytest.mark.parametrize("name, written", [
    case("plain", "test", "test"), case("a blank", "Staging Area", "Staging%20Area"),
    case("a dot", "Staging.Area", "Staging.Area"), case("a dot and a slash", "a.b", "a.b/"),
    case("a raw slash", "env/collector", "env/collector"),
    case("a slash", "env/collector", "env%2Fcollector"),
    case("a percent sign", "100%", "100%25"), case("a semicolon", "a;b", "a;b"),
    case("a backslash", "a\\b", "a%5Cb"), case("a question mark", "a?b", "a%3Fb"),
    case("other letters", "\u4e2d\u00e9", "%E4%B8%AD%C3%A9"), case("a plus", "a+b", "a+b"),
    case("a number", "25", "25"), case("the word offline", "offline", "offline")])
def test_names_in_paths(sumo, name, written):
    made = sumo.create(name)
    found = entity(sumo.api("GET", "/collectors/name/" + written), 200, "collector")
    assert found["id"] == made["id"] and found["name"] == name


@pytest.mark.parametrize("written", ["Test", "tes", "test%20", "test/x", "%FF", "t%C3", ""])
def test_names_that_are_nobodys(sumo, written):
    sumo.create("test")
    answer = sumo.api("GET", "/collectors/name/" + written)
    assert answer.status in (404, 400 if written in ("%FF", "t%C3") else 404), answer


def test_installed_ones_are_found_by_name(sumo, installed):
    assert sumo.get("/collectors/name/installed")["collector"]["id"] == installed.id


def test_of_agents_with_one_name_the_oldest_is_found(sumo, fleet):
    with Sumo(fleet.server, fleet.tenant, fleet.token) as seen:
        for id in ("z", "y", "x"):
            fleet.call("RegisterCollector", id=id, name="" if id == "x" else "twin")
        ids = [c["id"] for c in seen.get("/collectors")["collectors"]]
        assert seen.get("/collectors/name/twin")["collector"]["id"] == ids[0]
        assert seen.get("/collectors/name/x")["collector"]["id"] == ids[2]
        for nobodys in ("y", ""):
            assert error_of(seen.api("GET", f"/collectors/name/{nobodys}"))["status"] == 404
        seen.delete(f"/collectors/{ids[0]}")
        assert seen.get("/collectors/name/twin")["collector"]["id"] == ids[1]
        hosted = seen.create("twin")
        assert seen.get("/collectors/name/twin")["collector"]["id"] == hosted["id"]


# --- the one registry


def test_an_agent_of_the_fleet_is_an_installed_collector(sumo, fleet):
    with Sumo(fleet.server, fleet.tenant, fleet.token) as seen:
        fleet.register("alloy-1", {"collector.os": "linux", "collector.version": "v1.9.0",
                                   "hostname": "web-7"})
        shown, = seen.get("/collectors?filter=installed")["collectors"]
        assert shown["name"] == "alloy-1" and shown["collectorType"] == "Installable"
        assert (shown["osName"], shown["collectorVersion"]) == ("linux", "v1.9.0")
        assert shown["hostName"] == "web-7"
        assert seen.get("/collectors/name/alloy-1")["collector"]["id"] == shown["id"]
        seen.change(shown["id"], fields={"team": "a"})
        assert fleet.remote("alloy-1") == {"team": "a"}
        fleet.call("UpdateCollector", collector={"id": "alloy-1", "enabled": True,
                                                 "remoteAttributes": {"team": "b"}})
        assert seen.collector(shown["id"])["fields"] == {"team": "b"}
        seen.delete(f"/collectors/{shown['id']}")
        assert fleet.listed() == []


def test_a_registered_collector_is_an_agent_of_the_fleet(sumo, fleet):
    with Sumo(fleet.server, fleet.tenant, fleet.token) as seen:
        collector = seen.register("web", fields={"team": "a"})
        collector.metadata()
        shown, = fleet.call("ListCollectors")["collectors"]
        assert shown["name"] == "web" and shown["id"] == str(collector.id)
        assert shown["remoteAttributes"] == {"team": "a"}
        assert shown["collectorType"] == "COLLECTOR_TYPE_OTEL"
        assert shown["localAttributes"]["collector.os"] == "linux"
        assert shown["localAttributes"]["collector.version"] == "v0.155.0-sumo-0"
        fleet.call("DeleteCollector", id=shown["id"])
        assert seen.listed() == [] and collector.beat() == 401


def test_a_beat_brings_back_who_said_good_bye_elsewhere(fleet):
    with Sumo(fleet.server, fleet.tenant, fleet.token) as seen:
        collector = seen.register("web")
        fleet.call("UnregisterCollector", id=str(collector.id))
        assert collector.seen()["alive"] is False and seen.listed("?filter=dead") == ["web"]
        assert collector.beat() == 204
        assert collector.seen()["alive"] is True and seen.listed("?filter=alive") == ["web"]


# --- what a client that pools no connection sees


def test_a_connection_for_each_call(sumo, hosted):
    for _ in range(3):
        line = http.client.HTTPConnection("127.0.0.1", sumo.server.port(), timeout=60)
        line.request("GET", f"/api/v1/collectors/{hosted['id']}",
                     headers={"Authorization": sumo.authorization().partition(": ")[2],
                              "Connection": "close"})
        answer = line.getresponse()
        assert answer.status == 200 and answer.getheader("ETag")
        assert json.loads(answer.read())["collector"]["id"] == hosted["id"]
        line.close()
