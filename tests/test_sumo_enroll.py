# SPDX-License-Identifier: Apache-2.0
"""How collectors get in by themselves: installation tokens, registration, heartbeats, metadata, the
newer names of collectors, and `muster token`."""
import base64
import json
import re

import pytest

from fleet.client import case
from harness import Server, basic, run, wait_for
from sumo.client import (COLLECTOR, HEX_ID, INVALID, MISSING, Registered, Sumo, decoded, errors_of,
                         still)

REGISTER = "/api/v1/collector/register"
HEARTBEAT = "/api/v1/collector/heartbeat"
METADATA = "/api/v1/otCollectors/metadata"
NOBODY = ("unauthorized", "Credential could not be verified.")


def bearer(token):
    return "Authorization: Bearer " + token


def enroll(sumo, token, body, authorization=None):
    return sumo.http("POST", REGISTER, body, authorization=authorization or bearer(token))


def is_nobody(answer):
    error = errors_of(answer)
    assert answer.status == 401 and (error["code"], error["message"]) == NOBODY, answer
    return True


@pytest.fixture
def token(sumo):
    return sumo.installation_token()["encodedTokenAndUrl"]


# --- registration


def test_a_registration_is_answered_with_a_credential(sumo, token):
    answer = enroll(sumo, token, {"collectorName": "web-01"})
    assert answer.status == 200
    assert answer.fields["cache-control"] == "no-store"
    told = answer.json()
    assert list(told) == ["collectorCredentialId", "collectorCredentialKey", "collectorId",
                          "collectorName"]
    assert re.fullmatch(r"[0-9a-z]{20}", told["collectorCredentialId"])
    assert re.fullmatch(r"[0-9a-z]{88}", told["collectorCredentialKey"])
    assert HEX_ID.fullmatch(told["collectorId"]) and told["collectorName"] == "web-01"


def test_a_registered_collector_is_installed_and_alive(sumo, token):
    told = sumo.register("web-01", token, hostname="web-01.lan", description="a web server",
                         category="prod/web", timeZone="PST", ephemeral=True, fleetId="0" * 16,
                         fields={"team": "a"})
    shown = sumo.collector(told.id)
    assert shown["collectorType"] == "Installable" and shown["alive"] is True
    assert (shown["name"], shown["hostName"], shown["description"]) == ("web-01", "web-01.lan",
                                                                       "a web server")
    assert (shown["category"], shown["timeZone"]) == ("prod/web", "PST")
    assert shown["ephemeral"] is True and shown["sourceSyncMode"] == "UI"
    assert shown["fields"] == {"team": "a"}
    assert shown["lastSeenAlive"] > 0
    assert sumo.listed("?filter=alive") == sumo.listed("?filter=installed") == ["web-01"]


def test_what_is_not_sent_is_not_invented(sumo, token):
    shown = sumo.collector(sumo.register("plain", token, description="", timeZone="").id)
    assert not set(shown) & {"description", "category", "timeZone", "hostName", "targetCpu"}
    assert shown["ephemeral"] is False and shown["fields"] == {}


@pytest.mark.parametrize("value, text", [
    ("x", "x"), ("", ""), (1, "1"), (-1.5, "-1.5"), (True, "true"), (False, "false"),
    ([1, "a"], '[1,"a"]'), ({"k": None}, '{"k":null}'), (9007199254740993, "9007199254740993")])
def test_fields_of_any_kind_become_text(sumo, token, value, text):
    told = sumo.register("any", token, fields={"f": value, "gone": None})
    assert sumo.collector(told.id)["fields"] == {"f": text}


def test_a_taken_name_gets_a_suffix_of_13_digits(sumo, token):
    first, second, third = (sumo.register("twin", token) for _ in range(3))
    assert first.name == "twin"
    for other in (second, third):
        assert re.fullmatch(r"twin-\d{13}", other.name)
    assert len({first.id, second.id, third.id}) == len({second.name, third.name, "twin"}) == 3
    assert sumo.collector(second.id)["name"] == second.name


def test_the_name_of_a_hosted_collector_is_taken_too(sumo, token):
    hosted = sumo.create("shared name")
    told = sumo.register("shared name", token)
    assert re.fullmatch(r"shared name-\d{13}", told.name)
    stays = sumo.register("shared name", token, clobber=True)
    assert re.fullmatch(r"shared name-\d{13}", stays.name)
    assert still(sumo.collector(hosted["id"])) == still(hosted)


@pytest.mark.parametrize("name", ["n" * 128, "n" * 129, "n" * 1000, "\u00fc" * 200, "\U0001f600" * 130])
def test_long_names_are_cut_at_their_end(sumo, token, name):
    first, second = sumo.register(name, token), sumo.register(name, token)
    assert first.name == name[:128]
    assert second.name[:114] == name[:114] and re.fullmatch(r"-\d{13}", second.name[114:])


def test_clobber_takes_the_place_of_the_old_collector(sumo, token):
    old = sumo.register("one", token)
    assert old.beat() == 204
    new = sumo.register("one", token, clobber=True)
    assert new.name == "one" and new.id > old.id
    assert old.beat() == 401 and new.beat() == 204
    assert sumo.listed() == ["one"]
    sumo.refused(404, COLLECTOR, "GET", f"/collectors/{old.id}")


def test_clobber_of_a_live_collector_is_logged(sumo, token):
    sumo.register("fought over", token)
    sumo.register("fought over", token, clobber=True)
    wait_for("the warning", lambda: [line for line in sumo.server.lines()
                                     if line.get("name") == "fought over"
                                     and line.get("level") == "warn"])


def test_clobber_where_nothing_is_to_take(sumo, token):
    assert sumo.register("free", token, clobber=True).name == "free"


@pytest.mark.parametrize("body, code", [
    case("no name", {}, MISSING),
    case("an empty name", {"collectorName": ""}, MISSING),
    case("null for a name", {"collectorName": None}, MISSING),
    case("a number for a name", {"collectorName": 5}, INVALID),
    case("text for a switch", {"collectorName": "x", "clobber": "true"}, INVALID),
    case("a number for text", {"collectorName": "x", "category": 5}, INVALID),
    case("a long description", {"collectorName": "x", "description": "d" * 1025}, INVALID),
    case("fields in a list", {"collectorName": "x", "fields": []}, INVALID),
    case("a long field", {"collectorName": "x", "fields": {"k": "v" * 201}}, INVALID),
    case("a field without a name", {"collectorName": "x", "fields": {"": "v"}}, INVALID),
    case("no object", [], "service.json.invalid"),
    case("no JSON", b"{", "service.json.invalid"),
    case("nothing", b"", "service.json.invalid")])
def test_bad_registrations(sumo, token, body, code):
    answer = sumo.http("POST", REGISTER, body, ["Content-Type: application/json"],
                       authorization=bearer(token)) \
        if isinstance(body, bytes) else enroll(sumo, token, body)
    assert (answer.status, errors_of(answer)["code"]) == (400, code), answer
    assert sumo.listed() == []


def test_the_bare_token_registers_too(sumo):
    told = sumo.installation_token()
    assert sumo.register("bare", told["token"]).beat() == 204
    assert decoded(told["encodedTokenAndUrl"]).startswith(told["token"] + "http")


def test_a_token_with_another_url_registers_too(sumo):
    told = sumo.installation_token()
    other = base64.b64encode((told["token"] + "https://collectors.example").encode()).decode()
    assert sumo.register("elsewhere", other).beat() == 204


@pytest.mark.parametrize("authorization", [
    case("a token that nobody has", bearer("SUMO" + "0" * 28)),
    case("an encoded one", bearer(base64.b64encode(b"SUMO" + b"0" * 28 + b"https://x").decode())),
    case("any text", bearer("hello")),
    case("no credential", False)])
def test_registrations_of_nobody(sumo, authorization):
    assert is_nobody(sumo.http("POST", REGISTER, {"collectorName": "x"},
                               authorization=authorization))
    assert sumo.listed() == []


def test_only_installation_tokens_register(sumo, token):
    collector = sumo.register("x", token)
    for other in (True, bearer(sumo.token), collector.authorization):
        assert is_nobody(sumo.http("POST", REGISTER, {"collectorName": "y"}, authorization=other))
    assert sumo.listed() == ["x"]


def test_a_token_that_is_inactive_or_deleted_registers_nobody(sumo):
    told = sumo.installation_token()
    path, token = f"/tokens/{told['id']}", told["encodedTokenAndUrl"]
    collector = sumo.register("before", token)
    told = sumo.api("PUT", path, {**told, "status": "Inactive"}).json()
    assert is_nobody(enroll(sumo, token, {"collectorName": "x"}))
    told = sumo.api("PUT", path, {**told, "status": "Active"}).json()
    assert sumo.register("between", token).beat() == 204
    assert sumo.api("DELETE", path).status == 204
    assert is_nobody(enroll(sumo, token, {"collectorName": "x"}))
    assert collector.beat() == 204


def test_the_log_says_whose_token_is_refused(sumo):
    """The collector is told as little as anybody; the operator has to find it."""
    told = sumo.installation_token(status="Inactive")
    key, secret = told["token"][:14], told["token"][14:]
    assert is_nobody(enroll(sumo, told["encodedTokenAndUrl"], {"collectorName": "x"}))
    assert is_nobody(enroll(sumo, None, {"collectorName": "x"}, authorization=sumo.authorization()))
    assert is_nobody(enroll(sumo, "junk", {"collectorName": "x"}))
    for why, of in (("inactive", key), ("not an installation token", sumo.access_id),
                    ("no installation token", None)):
        wait_for(why, lambda why=why, of=of: [
            line for line in sumo.server.lines() if why in line.get("why", "")
            and line["msg"] == "a registration was refused" and line.get("key") == of])
    assert not any(secret in str(line) for line in sumo.server.lines())
    listed = run("token", "list", "--tenant", sumo.tenant, "--data", sumo.server.data, check=0).stdout
    assert key in listed and secret not in listed


def test_a_token_opens_registration_alone(sumo, token):
    collector = sumo.register("x", token)
    for method, path in (("GET", "/api/v1/collectors"), ("GET", "/api/v1/tokens"),
                         ("POST", HEARTBEAT), ("POST", METADATA),
                         ("DELETE", f"/api/v1/collectors/{collector.id}")):
        assert sumo.http(method, path, {} if method == "POST" else None,
                         authorization=bearer(token)).status == 401
    assert sumo.listed() == ["x"]


# --- storms


def test_failing_registrations_are_slowed_and_good_ones_are_not(tmp_path):
    with Server(tmp_path, "--sumologic-failed-registrations-per-minute", "3") as server:
        sumo = Sumo(server)
        token = sumo.installation_token()["encodedTokenAndUrl"]
        wrong = bearer("SUMO" + "1" * 28)
        answers = [sumo.http("POST", REGISTER, {"collectorName": "x"}, authorization=wrong)
                   for _ in range(6)]
        assert [a.status for a in answers] == [401] * 3 + [429] * 3
        assert all(1 <= int(a.fields["retry-after"]) <= 60 for a in answers[3:])
        assert errors_of(answers[5])["code"] == "rate.limit.exceeded"
        collector = sumo.register("good", token)
        assert collector.beat() == 204
        assert enroll(sumo, token, {}).status == 429, "one that fails for another reason"
        sumo.hang_up()


def test_a_tenant_has_as_many_collectors_as_it_may_have(tmp_path):
    with Server(tmp_path, "--fleet-collectors-max", "2") as server:
        sumo = Sumo(server)
        token = sumo.installation_token()["encodedTokenAndUrl"]
        sumo.register("a", token)
        sumo.register("b", token)
        answer = enroll(sumo, token, {"collectorName": "c"})
        assert answer.status == 429 and errors_of(answer), "later there may be room"
        assert sumo.register("b", token, clobber=True).beat() == 204
        assert sumo.listed() == ["a", "b"]
        sumo.hang_up()


# --- heartbeats


def test_a_heartbeat_is_answered_with_204_and_nothing(sumo, token):
    collector = sumo.register("x", token)
    answer = collector.call("/collector/heartbeat")
    assert answer.status == 204 and answer.body == b""
    assert "content-type" not in answer.fields


def test_a_heartbeat_changes_when_it_was_seen_and_nothing_else(sumo, token):
    collector = sumo.register("x", token)
    path = f"/collectors/{collector.id}"
    before, etag = sumo.collector(collector.id), sumo.etag(path)

    def seen_later():
        assert collector.beat() == 204
        return sumo.collector(collector.id)["lastSeenAlive"] > before["lastSeenAlive"]
    wait_for("a later time", seen_later)
    assert still(sumo.collector(collector.id)) == still(before)
    assert sumo.etag(path) == etag


@pytest.mark.parametrize("body", [None, b"", b"{}"])
def test_bodies_of_heartbeats(sumo, token, body):
    collector = sumo.register("x", token)
    assert collector.call("/collector/heartbeat", body).status == 204


@pytest.mark.parametrize("path", ["/collector/heartbeat/", "/collector/heartbeat?a=b"])
def test_paths_of_heartbeats(sumo, token, path):
    assert sumo.register("x", token).call(path).status == 204


def test_a_deleted_collector_hears_401(sumo, token):
    by_api, by_newer = sumo.register("a", token), sumo.register("b", token)
    assert sumo.api("DELETE", f"/collectors/{by_api.id}").status == 200
    assert sumo.api("DELETE", f"/otCollectors/{by_newer.hex}").status == 204
    for gone in (by_api, by_newer):
        assert is_nobody(gone.call("/collector/heartbeat"))
        assert is_nobody(gone.call("/otCollectors/metadata", {}))


def test_a_collector_that_was_deleted_as_an_agent_hears_401(sumo, token):
    collector = sumo.register("a", token)
    answer = sumo.http("POST", "/collector.v1.CollectorService/DeleteCollector",
                       {"id": str(collector.id)})
    assert answer.status == 200, answer
    assert is_nobody(collector.call("/collector/heartbeat"))
    assert sumo.listed() == []


def test_only_collectors_beat(sumo, token):
    collector = sumo.register("x", token)
    told = collector.told
    key = told["collectorCredentialKey"]
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    for other in (True, bearer(sumo.token), bearer(token), False,
                  basic(told["collectorCredentialId"], wrong),
                  basic(told["collectorCredentialId"], sumo.access_key),
                  basic(sumo.access_id, told["collectorCredentialKey"])):
        for path in (HEARTBEAT, METADATA):
            assert is_nobody(sumo.http("POST", path, {}, authorization=other)), (path, other)


def test_a_collectors_credential_manages_nothing(sumo, token):
    collector = sumo.register("x", token)
    for method, path in (("GET", "/collectors"), ("GET", f"/collectors/{collector.id}"),
                         ("POST", "/collectors"), ("DELETE", f"/collectors/{collector.id}"),
                         ("GET", "/tokens"), ("GET", f"/otCollectors/{collector.hex}"),
                         ("GET", "/../../admin/v1/keys")):
        answer = sumo.api(method, path, {} if method == "POST" else None,
                          authorization=collector.authorization)
        assert answer.status in (401, 404), (method, path, answer)
    for path in ("/admin/v1/keys", "/admin/v1/tenants"):
        assert sumo.http("GET", path, authorization=collector.authorization).status in (401, 403)
    answer = sumo.http("POST", "/collector.v1.CollectorService/ListCollectors", {},
                       authorization=collector.authorization)
    assert answer.status in (401, 403)
    assert sumo.listed() == ["x"]


def test_credentials_and_tokens_outlive_the_server(tmp_path):
    server = Server(tmp_path).start()
    sumo = Sumo(server)
    token = sumo.installation_token()["encodedTokenAndUrl"]
    kept, gone = sumo.register("kept", token), sumo.register("gone", token)
    assert sumo.api("DELETE", f"/collectors/{gone.id}").status == 200
    sumo.hang_up()
    server.kill()
    with Server(tmp_path) as again:
        sumo.server = again
        assert (kept.beat(), gone.beat()) == (204, 401)
        assert sumo.register("kept", token).name != "kept"
        sumo.hang_up()


# --- metadata


def test_metadata_become_what_the_collector_is_shown_with(sumo, token):
    collector = sumo.register("x", token)
    collector.metadata()
    shown = sumo.collector(collector.id)
    assert (shown["osName"], shown["osVersion"], shown["osArch"]) == ("linux", "12", "")
    assert shown["collectorVersion"] == "v0.155.0-sumo-0"
    assert shown["hostName"] == "web-01.lan"


def test_metadata_do_not_change_what_was_registered(sumo, token):
    collector = sumo.register("x", token, hostname="first.lan", fields={"team": "a"})
    before = sumo.etag(f"/collectors/{collector.id}")
    collector.metadata(tagDetails={"team": "b", "sumo.disco.enabled": "true",
                                   "sumo.disco.nginx": 1})
    shown = sumo.collector(collector.id)
    assert shown["hostName"] == "first.lan" and shown["fields"] == {"team": "a"}
    newer = sumo.get(f"/otCollectors/{collector.hex}")
    assert newer["tags"] == {"team": "a"}
    assert newer["reportedTags"] == {"team": "b", "sumo.disco.enabled": "true",
                                     "sumo.disco.nginx": 1}
    tag = sumo.etag(f"/collectors/{collector.id}")
    collector.metadata(collectorDetails={"runningVersion": "v0.156.0-sumo-0"})
    assert sumo.collector(collector.id)["collectorVersion"] == "v0.156.0-sumo-0"
    assert sumo.etag(f"/collectors/{collector.id}") == tag, "a version is no configuration"
    assert before


@pytest.mark.parametrize("body", [
    {}, {"hostDetails": None}, {"hostDetails": []}, {"hostDetails": {"osName": 5}},
    {"hostDetails": {"osName": "x" * 1000}}, {"collectorDetails": "v1"}, {"tagDetails": "none"},
    {"tagDetails": {"k" * 100: "v" * 60000}}, {"unknown": {"deep": [[]]}}])
def test_metadata_that_do_not_fit_are_passed_over(sumo, token, body):
    collector = sumo.register("x", token)
    before = sumo.collector(collector.id)
    assert collector.call("/otCollectors/metadata", body).status in (200, 204)
    assert still(sumo.collector(collector.id)) == still(before)


# --- tokens


TOKEN = {"name", "status", "description", "type", "version", "encodedTokenAndUrl", "id"}


def test_a_token_is_made_shown_changed_and_deleted(sumo):
    made = sumo.installation_token("laptops", description="all of them")
    assert set(made) >= TOKEN and all(made[k] != "" for k in TOKEN)
    assert HEX_ID.fullmatch(made["id"])
    assert made["type"] == "CollectorRegistrationTokenResponse"
    assert (made["name"], made["status"], made["version"]) == ("laptops", "Active", 0)
    assert re.fullmatch(r"SUMO[0-9a-z]{28}", made["token"])
    assert made["createdBy"] == made["modifiedBy"] == sumo.access_id

    path = f"/tokens/{made['id']}"
    assert sumo.get(path) == made
    assert sumo.get("/tokens") == {"data": [made]}
    assert sumo.http("GET", "/v1" + path).json()["id"] == made["id"]
    changed = sumo.api("PUT", path, {**made, "name": "phones"}, ["If-Match: "])
    assert changed.status == 200
    changed = changed.json()
    assert (changed["name"], changed["version"]) == ("phones", 1)
    assert changed["encodedTokenAndUrl"] == made["encodedTokenAndUrl"]
    answer = sumo.api("DELETE", path)
    assert answer.status == 204 and answer.body == b""
    for method in ("GET", "DELETE"):
        gone = sumo.api(method, path)
        assert (gone.status, errors_of(gone)["code"]) == (404, "notfound")
    assert sumo.get("/tokens") == {"data": []}


def test_an_update_with_an_old_version_is_refused(sumo):
    made = sumo.installation_token()
    path = f"/tokens/{made['id']}"
    assert sumo.api("PUT", path, made).json()["version"] == 1
    answer = sumo.api("PUT", path, {**made, "name": "late"})
    assert answer.status == 412 and errors_of(answer)
    assert sumo.get(path)["name"] == made["name"]


def test_an_update_without_a_version_or_status_is_about_what_there_is(sumo):
    made = sumo.installation_token(status="Inactive")
    changed = sumo.api("PUT", f"/tokens/{made['id']}", {"name": "other"}).json()
    assert (changed["name"], changed["status"], changed["version"]) == ("other", "Inactive", 1)
    assert changed["description"] == ""


def test_names_of_tokens_are_unique(sumo):
    sumo.installation_token("a")
    other = sumo.installation_token("b")
    answer = sumo.api("POST", "/tokens", {"name": "a"})
    assert answer.status == 400 and errors_of(answer)["detail"] == "name"
    assert sumo.api("PUT", f"/tokens/{other['id']}", {**other, "name": "a"}).status == 400


@pytest.mark.parametrize("body, code", [
    case("no name", {"description": "d"}, MISSING),
    case("an empty name", {"name": ""}, MISSING),
    case("a number", {"name": 7}, INVALID),
    case("a long name", {"name": "n" * 129}, INVALID),
    case("a long description", {"name": "n", "description": "d" * 1025}, INVALID),
    case("another status", {"name": "n", "status": "Paused"}, INVALID),
    case("another type", {"name": "n", "type": "Other"}, INVALID)])
def test_bad_tokens(sumo, body, code):
    answer = sumo.api("POST", "/tokens", body)
    assert (answer.status, errors_of(answer)["code"]) == (400, code), answer
    assert sumo.get("/tokens") == {"data": []}


def test_a_tenant_has_a_hundred_tokens(sumo):
    for i in range(100):
        sumo.installation_token(f"t{i}")
    answer = sumo.api("POST", "/tokens", {"name": "one more"})
    assert answer.status == 400 and errors_of(answer)
    assert len(sumo.get("/tokens")["data"]) == 100


@pytest.mark.parametrize("name", ["0", "1", "zz", "0" * 16, "F" * 16, "00000000000000001"])
def test_tokens_that_are_none(sumo, name):
    for method, body in (("GET", None), ("PUT", {"name": "n"}), ("DELETE", None)):
        answer = sumo.api(method, f"/tokens/{name}", body)
        assert (answer.status, errors_of(answer)["code"]) == (404, "notfound")


def test_tokens_need_the_right_to_write_keys(sumo):
    made = sumo.installation_token()
    editor, writer = sumo.other("editor"), sumo.other("admin", "keys:write")
    reader = sumo.other("admin", "keys:read", "collectors:write")
    for other in (editor, reader):
        for method, path in (("GET", "/tokens"), ("POST", "/tokens"),
                             ("GET", f"/tokens/{made['id']}"), ("DELETE", f"/tokens/{made['id']}")):
            answer = other.api(method, path, {"name": "n"} if method == "POST" else None)
            assert (answer.status, errors_of(answer)["code"]) == (403, "forbidden")
        other.hang_up()
    assert writer.get("/tokens") == {"data": [made]}
    writer.hang_up()


def test_tokens_of_another_tenant_are_not_there(sumo, shared):
    made = sumo.installation_token()
    with Sumo(shared) as other:
        assert other.api("GET", f"/tokens/{made['id']}").status == 404
        assert other.api("DELETE", f"/tokens/{made['id']}").status == 404
        assert other.get("/tokens") == {"data": []}
        theirs = other.register("x", made["encodedTokenAndUrl"])
        assert other.listed() == [] and sumo.listed() == ["x"], "the token says whose it is"
        assert theirs.beat() == 204


def test_keys_of_enrollment_are_in_no_list_of_keys(sumo, token):
    collector = sumo.register("x", token)
    keys = sumo.server.request("GET", f"/admin/v1/keys?tenant={sumo.tenant}").json()["keys"]
    assert [k["id"] for k in keys] == [sumo.access_id]
    answer = sumo.server.request(
        "DELETE", f"/admin/v1/keys/{collector.told['collectorCredentialId']}?tenant={sumo.tenant}")
    assert answer.status == 404 and collector.beat() == 204


# --- the newer names of collectors


OT = {"id", "name", "alive", "isRemotelyManaged", "ephemeral", "tags", "createdAt", "createdBy",
      "modifiedAt"}


def test_a_collector_by_its_newer_name(sumo, token):
    collector = sumo.register("x", token, category="c", timeZone="Etc/UTC", fields={"team": "a"})
    shown = sumo.get(f"/otCollectors/{collector.hex}")
    assert set(shown) >= OT
    assert (shown["id"], shown["name"]) == (collector.hex, "x")
    assert (shown["category"], shown["timezone"], shown["tags"]) == ("c", "Etc/UTC", {"team": "a"})
    assert shown["alive"] is True and shown["isRemotelyManaged"] is False
    assert sumo.http("GET", f"/v1/otCollectors/{collector.hex.lower()}").json() == shown


def test_a_change_by_the_newer_name_changes_what_it_names(sumo, token):
    collector = sumo.register("x", token, category="c", fields={"team": "a"})
    answer = sumo.api("PUT", f"/otCollectors?id={collector.hex}",
                      {"name": "y", "timezone": "Etc/UTC", "tags": {"team": "b", "n": "1"}})
    assert answer.status == 200 and answer.json() == {"id": collector.hex, "errors": []}
    shown = sumo.collector(collector.id)
    assert (shown["name"], shown["category"], shown["timeZone"]) == ("y", "c", "Etc/UTC")
    assert shown["fields"] == {"team": "b", "n": "1"}
    assert collector.beat() == 204


@pytest.mark.parametrize("body", [{"name": ""}, {"name": 5}, {"name": "n" * 129}, {"tags": []},
                                  {"tags": {"k": {}}}, {"tags": {"k": "v" * 201}}])
def test_bad_changes_by_the_newer_name(sumo, token, body):
    collector = sumo.register("x", token)
    answer = sumo.api("PUT", f"/otCollectors?id={collector.hex}", body)
    assert (answer.status, errors_of(answer)["code"]) == (400, INVALID)


def test_a_name_that_is_taken_is_refused_by_the_newer_name(sumo, token):
    sumo.register("x", token)
    other = sumo.register("y", token)
    answer = sumo.api("PUT", f"/otCollectors?id={other.hex}", {"name": "x"})
    assert answer.status == 400 and errors_of(answer)["code"].endswith("duplicate")


def test_collectors_that_have_no_newer_name(sumo):
    hosted = sumo.create("hosted")
    for name in (f"{hosted['id']:016X}", "0" * 16, "x", str(hosted["id"])):
        for method, path in (("GET", f"/otCollectors/{name}"), ("PUT", f"/otCollectors?id={name}"),
                             ("DELETE", f"/otCollectors/{name}")):
            answer = sumo.api(method, path, {"name": "n"} if method == "PUT" else None)
            assert (answer.status, errors_of(answer)["code"]) == (404, COLLECTOR)
    assert sumo.listed() == ["hosted"]


# --- muster token


@pytest.fixture(params=["admin socket", "address and key"])
def muster(request, server):
    def command(*arguments, check=0):
        where = ["--data", server.data]
        if request.param != "admin socket":
            where = ["--server", server.url(), "--key", server.token()]
        return run("token", *arguments, *where, check=check, cwd=server.folder).stdout
    return command


def test_the_command_makes_a_token_that_registers(muster, server):
    made = json.loads(muster("create", "laptops", "--description", "d", "--output", "json"))
    assert (made["name"], made["description"], made["status"]) == ("laptops", "d", "Active")
    shown = dict(line.split(None, 1) for line in muster("show", "laptops").splitlines())
    assert shown["installation_token"] == made["encodedTokenAndUrl"]
    assert (shown["token"], shown["name"], shown["created_by"].strip() in ("-", made["createdBy"])) \
        == (made["token"], "laptops", True)
    assert decoded(made["encodedTokenAndUrl"]) == made["token"] + server.url().rstrip("/")
    sumo = Sumo(server, "default", server.token())
    assert sumo.register("x", made["encodedTokenAndUrl"]).beat() == 204
    sumo.hang_up()
    listed = muster("list")
    assert "laptops" in listed and made["token"] not in listed
    assert json.loads(muster("list", "--output", "json"))["tokens"] == [made]


def test_the_command_ends_and_revives_a_token(muster, server):
    made = json.loads(muster("create", "laptops", "--output", "json"))
    sumo = Sumo(server, "default", server.token())
    token = made["encodedTokenAndUrl"]
    assert "inactive" in muster("deactivate", "laptops")
    assert is_nobody(enroll(sumo, token, {"collectorName": "x"}))
    assert "active" in muster("activate", made["id"])
    assert isinstance(sumo.register("x", token), Registered)
    assert "deleted" in muster("delete", "laptops")
    assert is_nobody(enroll(sumo, token, {"collectorName": "x"}))
    sumo.hang_up()
    for command in ("show", "delete", "activate", "deactivate"):
        muster(command, "laptops", check=12)
    assert json.loads(muster("list", "--output", "json"))["tokens"] == []


def test_the_command_writes_another_url_into_a_token(muster):
    made = json.loads(muster("create", "a", "--inactive", "--url", "https://muster.example:8443",
                             "--output", "json"))
    assert made["status"] == "Inactive"
    assert decoded(made["encodedTokenAndUrl"]) == made["token"] + "https://muster.example:8443"


def test_the_command_says_what_is_wrong(muster):
    muster("create", "a")
    muster("create", "a", check=13)
    muster("create", "b", "--url", "muster.lan", check=2)
    muster("show", "a", "--url", "", check=2)
    muster("create", check=2)
    muster("create", "", check=2)
    muster("show", check=2)
