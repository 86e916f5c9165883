# SPDX-License-Identifier: Apache-2.0
"""How collectors let themselves in and stay: installation tokens, registration, names that are
taken, credentials, heartbeats, metadata, and the newer view of an installed collector."""
import base64
import re

import pytest

from fleet.client import case
from harness import basic
from sumo.client import HEX_ID, Sumo, decoded, error_of, errors_of, still

JSON = "Content-Type: application/json"


@pytest.fixture
def token(sumo):
    return sumo.installation_token()["encodedTokenAndUrl"]


def register(sumo, token, body, headers=()):
    return sumo.http("POST", "/api/v1/collector/register", body, headers,
                     authorization=token and f"Authorization: Bearer {token}")


def refused(sumo, status, *arguments, **more):
    """Nothing may have come in. The error."""
    before = sumo.state()
    answer = register(sumo, *arguments, **more)
    assert answer.status == status, answer
    assert sumo.state() == before
    return errors_of(answer)


# --- installation tokens


def test_a_token_as_it_is_told(sumo):
    made = sumo.installation_token("web", description="of the web")
    assert set(made) >= {"id", "name", "status", "description", "type", "version",
                         "encodedTokenAndUrl"}
    assert HEX_ID.fullmatch(made["id"])
    assert (made["name"], made["status"], made["description"]) == ("web", "Active", "of the web")
    assert made["type"] == "CollectorRegistrationTokenResponse" and made["version"] == 0
    assert sumo.get(f"/tokens/{made['id']}") == made


def test_what_a_token_says_behind_its_base64(sumo):
    made = sumo.installation_token()
    text = decoded(made["encodedTokenAndUrl"])
    assert re.fullmatch(r"SUMO[0-9A-Za-z]{28}https?://[\w.:-]+", text), text


def test_a_token_lives(sumo):
    made = sumo.installation_token("a")
    path = f"/tokens/{made['id']}"
    wanted = {**made, "description": "new", "status": "Inactive", "type": "CollectorRegistration"}
    changed = sumo.api("PUT", path, wanted, ["If-Match: "])
    assert changed.status == 200
    told = changed.json()
    assert (told["version"], told["status"], told["description"]) == (1, "Inactive", "new")
    assert told["encodedTokenAndUrl"] == made["encodedTokenAndUrl"]
    stale = sumo.api("PUT", path, wanted)
    assert 400 <= stale.status < 500 and errors_of(stale)
    assert sumo.get(path)["version"] == 1
    gone = sumo.api("DELETE", path)
    assert gone.status in (200, 204) and gone.body == b""
    for method in ("GET", "DELETE", "PUT"):
        answer = sumo.api(method, path, wanted if method == "PUT" else None)
        assert answer.status == 404 and errors_of(answer)


@pytest.mark.parametrize("body", [
    case("no JSON", b"{"), case("an array", b"[]"), case("no name", {"status": "Active"}),
    case("an empty name", {"name": "", "status": "Active"}), case("a number", {"name": 5}),
    case("another status", {"name": "n", "status": "Sleeping"}),
    case("another type", {"name": "n", "status": "Active", "type": "Nonsense"})])
def test_tokens_that_are_refused(sumo, body):
    answer = sumo.api("POST", "/tokens", body, [JSON])
    assert answer.status == 400 and errors_of(answer)


def test_names_of_tokens_are_unique(sumo):
    sumo.installation_token("a")
    answer = sumo.api("POST", "/tokens", {"name": "a", "status": "Active",
                                          "type": "CollectorRegistration"})
    assert answer.status in (400, 409) and errors_of(answer)


def test_a_hundred_tokens(sumo):
    for n in range(100):
        sumo.installation_token(f"t{n}")
    answer = sumo.api("POST", "/tokens", {"name": "more", "status": "Active",
                                          "type": "CollectorRegistration"})
    assert answer.status == 400 and errors_of(answer)


@pytest.mark.parametrize("written", ["abc", "1", "0000000000000000", "FFFFFFFFFFFFFFFF",
                                     "00000000000000000001"])
def test_ids_that_are_no_tokens(sumo, written):
    answer = sumo.api("GET", f"/tokens/{written}")
    assert answer.status == 404 and errors_of(answer)


def test_tokens_of_another_tenant(sumo):
    made = sumo.installation_token()
    with Sumo(sumo.server) as other:
        for method in ("GET", "DELETE"):
            assert other.api(method, f"/tokens/{made['id']}").status == 404
    sumo.register("c", made["encodedTokenAndUrl"])


# --- registration


def test_all_that_can_be_said(sumo, token):
    collector = sumo.register("web-01", token, hostname="web-01.lan", category="prod/web",
                              description="d", timeZone="PST", ephemeral=True,
                              fields={"team": "a", "n": 5, "on": True, "half": 0.5},
                              fleetId="0123456789abcdef")
    assert collector.name == "web-01"
    shown = collector.seen()
    assert collector.hex == f"{shown['id']:016X}"
    assert {k: shown[k] for k in ("name", "hostName", "category", "description", "timeZone",
                                  "ephemeral", "sourceSyncMode", "collectorType", "alive")} == {
        "name": "web-01", "hostName": "web-01.lan", "category": "prod/web", "description": "d",
        "timeZone": "PST", "ephemeral": True, "sourceSyncMode": "UI",
        "collectorType": "Installable", "alive": True}
    assert shown["fields"] == {"team": "a", "n": "5", "on": "true", "half": "0.5"}
    assert shown["lastSeenAlive"] > 1_700_000_000_000


def test_the_least_that_can_be_said(sumo, token):
    shown = sumo.register("c", token).seen()
    assert shown["ephemeral"] is False and shown["fields"] == {}
    assert not {"hostName", "category", "description", "timeZone"} & set(shown)
    assert [shown[k] for k in ("osName", "osVersion", "osArch", "collectorVersion")] == [""] * 4


@pytest.mark.parametrize("members", [
    case("unknown members", {"somethingNew": {"a": 1}}), case("nulls", {
        "description": None, "category": None, "fields": None, "ephemeral": None}),
    case("empty texts", {"description": "", "category": "", "timeZone": "", "hostname": ""}),
    case("a fleet of another form", {"fleetId": "not hex"})])
def test_what_does_not_matter(sumo, token, members):
    assert sumo.register("c", token, **members).name == "c"


@pytest.mark.parametrize("body", [
    case("no JSON", b"{"), case("no body", b""), case("an array", b"[]"), case("no name", {}),
    case("an empty name", {"collectorName": ""}), case("a number", {"collectorName": 5}),
    case("null", {"collectorName": None}),
    case("a description too long", {"collectorName": "c", "description": "d" * 1025}),
    case("fields that are no object", {"collectorName": "c", "fields": ["a"]}),
    case("a text as a boolean", {"collectorName": "c", "clobber": "yes"})])
def test_registrations_that_are_refused(sumo, token, body):
    refused(sumo, 400, token, body, [JSON])


def test_another_media_type(sumo, token):
    refused(sumo, 415, token, b"collectorName=c",
            ["Content-Type: application/x-www-form-urlencoded"])


def test_a_bare_token_is_good_too(sumo, token):
    bare = decoded(token)[:32]
    assert sumo.register("bare", bare).beat() == 204


def test_tokens_that_open_nothing(sumo, token):
    body = {"collectorName": "c"}
    bare = decoded(token)[:32]
    other = base64.b64encode((bare[:-1] + ("0" if bare[-1] != "0" else "1") +
                              "https://x").encode()).decode()
    for wrong in (None, "x", other, bare[:-1], sumo.token, "SUMO" + "x" * 28):
        refused(sumo, 401, wrong, body, [JSON])
    answer = sumo.http("POST", "/api/v1/collector/register", body, [JSON])
    assert answer.status == 401 and errors_of(answer), "access keys register nobody"


def test_tokens_that_no_longer_open(sumo):
    made = sumo.installation_token()
    collector = sumo.register("before", made["encodedTokenAndUrl"])
    path = f"/tokens/{made['id']}"
    off = sumo.api("PUT", path, {**made, "status": "Inactive", "type": "CollectorRegistration"})
    assert off.status == 200
    refused(sumo, 401, made["encodedTokenAndUrl"], {"collectorName": "c"}, [JSON])
    sumo.api("PUT", path, {**off.json(), "status": "Active", "type": "CollectorRegistration"})
    sumo.register("between", made["encodedTokenAndUrl"])
    assert sumo.api("DELETE", path).status in (200, 204)
    refused(sumo, 401, made["encodedTokenAndUrl"], {"collectorName": "c"}, [JSON])
    assert collector.beat() == 204, "who is in stays in"


def test_a_token_opens_nothing_else(sumo, token):
    for method, path in (("GET", "/collectors"), ("GET", "/tokens"), ("POST", "/collectors"),
                         ("POST", "/collector/heartbeat"), ("POST", "/otCollectors/metadata")):
        answer = sumo.api(method, path, {} if method == "POST" else None,
                          authorization=f"Authorization: Bearer {token}")
        assert answer.status == 401, path


# --- names


def test_a_name_that_is_taken(sumo, token):
    first = sumo.register("web", token)
    second = sumo.register("web", token)
    third = sumo.register("web", token)
    for one in (second, third):
        assert re.fullmatch(r"web-\d{13}", one.name)
    assert len({first.name, second.name, third.name}) == 3
    assert [c.beat() for c in (first, second, third)] == [204] * 3


def test_a_name_that_a_hosted_one_has(sumo, token):
    hosted = sumo.create("web")
    assert re.fullmatch(r"web-\d{13}", sumo.register("web", token).name)
    again = sumo.register("web", token, clobber=True)
    assert again.name.startswith("web-") and still(sumo.collector(hosted["id"])) == still(hosted)


def test_clobber(sumo, token):
    first = sumo.register("web", token)
    sumo.add_source(first.id, sourceType="LocalFile", name="s", pathExpression="/x")
    second = sumo.register("web", token, clobber=True)
    assert second.name == "web" and second.id > first.id
    assert first.beat() == 401 and second.beat() == 204
    assert sumo.listed() == ["web"] and sumo.sources(second.id) == []
    assert sumo.register("free", token, clobber=True).name == "free"


@pytest.mark.parametrize("letter", ["n", "\u4e2d"])
def test_a_long_name_that_is_taken(sumo, token, letter):
    name = letter * 128
    sumo.register(name, token)
    second = sumo.register(name, token)
    assert re.fullmatch(letter + r"{114}-\d{13}", second.name)


# --- credentials


def test_a_credential_opens_its_own_doors_only(sumo, token):
    collector = sumo.register("c", token)
    for method, path in (("GET", "/collectors"), ("GET", f"/collectors/{collector.id}"),
                         ("DELETE", f"/collectors/{collector.id}"), ("POST", "/collectors"),
                         ("GET", "/tokens"), ("GET", f"/otCollectors/{collector.hex}"),
                         ("POST", "/collector/register")):
        answer = sumo.api(method, path, {} if method == "POST" else None,
                          authorization=collector.authorization)
        assert answer.status == 401, path
    assert sumo.listed() == ["c"]


@pytest.mark.parametrize("role", ["viewer", "editor", "admin", "agent"])
def test_access_keys_do_not_beat(sumo, role):
    with sumo.other(role) as other:
        for path in ("/collector/heartbeat", "/otCollectors/metadata"):
            answer = other.api("POST", path, {} if "meta" in path else None, [JSON])
            assert answer.status == 401 and errors_of(answer)


def test_credentials_that_are_wrong(sumo, token):
    collector = sumo.register("c", token)
    told = collector.told
    user, key = told["collectorCredentialId"], told["collectorCredentialKey"]
    other = sumo.register("other", token).told
    for wrong in (basic(user, key[:-1] + ("0" if key[-1] != "0" else "1")), basic(user, key[:-1]),
                  basic(user[:-1] + ("0" if user[-1] != "0" else "1"), key),
                  basic(user, other["collectorCredentialKey"]), basic("", key), None):
        answer = sumo.api("POST", "/collector/heartbeat", None, [JSON], authorization=wrong)
        assert answer.status == 401 and errors_of(answer)
    assert collector.beat() == 204


# --- heartbeats


def test_a_beat_is_204_and_empty(sumo, token):
    collector = sumo.register("c", token)
    answer = collector.call("/collector/heartbeat")
    assert answer.status == 204 and answer.body == b""


def test_what_a_beat_changes(sumo, token):
    collector = sumo.register("c", token)
    tag = sumo.etag(f"/collectors/{collector.id}")
    before = collector.seen()
    assert collector.beat() == 204
    after = collector.seen()
    assert after["lastSeenAlive"] >= before["lastSeenAlive"] and after["alive"] is True
    assert still(after) == still(before) and sumo.etag(f"/collectors/{collector.id}") == tag


@pytest.mark.parametrize("body, headers", [
    case("no content type", None, []), case("a body", b"{}", [JSON]),
    case("another content type", b"x", ["Content-Type: text/plain"])])
def test_forms_of_a_beat(sumo, token, body, headers):
    collector = sumo.register("c", token)
    assert collector.call("/collector/heartbeat", body, headers).status == 204


def test_a_beat_by_get(sumo, token):
    collector = sumo.register("c", token)
    answer = sumo.api("GET", "/collector/heartbeat", authorization=collector.authorization)
    assert answer.status == 405


# --- metadata


def test_what_metadata_tells(sumo, token):
    collector = sumo.register("c", token, hostname="", fields={"team": "a"})
    tag = sumo.etag(f"/collectors/{collector.id}")
    collector.metadata(tagDetails={"sumo.disco.enabled": "true", "sumo.disco.nginx": 1})
    shown = collector.seen()
    assert (shown["osName"], shown["osVersion"]) == ("linux", "12")
    assert shown["collectorVersion"] == "v0.155.0-sumo-0"
    assert shown["hostName"] == "web-01.lan"
    assert shown["fields"] == {"team": "a"}, "tags are not fields"
    collector.metadata()
    assert sumo.etag(f"/collectors/{collector.id}") != "" and tag


@pytest.mark.parametrize("body", [
    case("an empty object", {}), case("other shapes", {"hostDetails": 5, "tagDetails": "x"}),
    case("nulls", {"hostDetails": None, "collectorDetails": None}),
    case("too much", {"hostDetails": {"name": "h" * 5000, "osName": "o" * 5000}}),
    case("control characters", {"hostDetails": {"name": "a\u0000b\n", "osName": "\u0007"}})])
def test_metadata_that_means_nothing(sumo, token, body):
    """A refusal would keep the collector from starting."""
    collector = sumo.register("c", token)
    assert collector.call("/otCollectors/metadata", body).status in (200, 204)


def test_a_host_name_that_was_given_stays(sumo, token):
    collector = sumo.register("c", token, hostname="given")
    collector.metadata()
    assert collector.seen()["hostName"] == "given"


# --- the newer view


def test_the_newer_view(sumo, token):
    collector = sumo.register("c", token, category="cat", fields={"team": "a"}, timeZone="UTC")
    path = f"/otCollectors/{collector.hex}"
    shown = sumo.get(path)
    assert {k: shown[k] for k in ("id", "name", "category", "timezone", "alive", "ephemeral",
                                  "tags")} == {
        "id": collector.hex, "name": "c", "category": "cat", "timezone": "UTC", "alive": True,
        "ephemeral": False, "tags": {"team": "a"}}
    assert isinstance(shown["isRemotelyManaged"], bool)
    assert shown["createdAt"] and shown["modifiedAt"]

    answer = sumo.api("PUT", f"/otCollectors?id={collector.hex}",
                      {"name": "new", "timezone": "Europe/Berlin", "tags": {"team": "b"}})
    assert answer.status == 200 and answer.json() == {"id": collector.hex, "errors": []}
    shown = collector.seen()
    assert (shown["name"], shown["timeZone"], shown["fields"], shown["category"]) == (
        "new", "Europe/Berlin", {"team": "b"}, "cat")

    assert sumo.api("DELETE", path).status in (200, 204)
    assert sumo.listed() == [] and collector.beat() == 401
    for method in ("GET", "DELETE"):
        answer = sumo.api(method, path)
        assert answer.status == 404 and errors_of(answer)


def test_the_newer_view_has_no_hosted_ones(sumo):
    made = sumo.create("hosted")
    answer = sumo.api("GET", f"/otCollectors/{made['id']:016X}")
    assert answer.status == 404 and errors_of(answer)


def test_the_two_shapes_of_errors(sumo):
    assert errors_of(sumo.api("GET", "/otCollectors/0000000000000001"))
    assert errors_of(sumo.api("GET", "/tokens/0000000000000001"))
    assert error_of(sumo.api("GET", "/collectors/1"))
    assert errors_of(sumo.api("GET", "/tokens/0000000000000001", authorization=None))
    assert error_of(sumo.api("GET", "/collectors/1", authorization=None))
