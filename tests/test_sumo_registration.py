# SPDX-License-Identifier: Apache-2.0
"""Oddities of registrations, credentials and beats; what is usual is in test_sumo_enroll.py."""
import re

import pytest

from fleet.client import case
from harness import basic
from sumo.client import error_of, errors_of, still

JSON = "Content-Type: application/json"


@pytest.fixture
def token(sumo):
    return sumo.installation_token()["encodedTokenAndUrl"]


@pytest.mark.parametrize("members", [
    case("unknown members", {"somethingNew": {"a": 1}}), case("nulls", {
        "description": None, "category": None, "fields": None, "ephemeral": None}),
    case("empty texts", {"description": "", "category": "", "timeZone": "", "hostname": ""}),
    case("a fleet of another form", {"fleetId": "not hex"})])
def test_what_does_not_matter(sumo, token, members):
    assert sumo.register("c", token, **members).name == "c"


def test_another_media_type(sumo, token):
    answer = sumo.api("POST", "/collector/register", b"collectorName=c",
                      ["Content-Type: application/x-www-form-urlencoded"],
                      authorization=f"Authorization: Bearer {token}")
    assert answer.status == 415 and errors_of(answer)
    assert sumo.listed() == []


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


def test_a_host_name_that_was_given_stays(sumo, token):
    collector = sumo.register("c", token, hostname="given")
    collector.metadata()
    assert collector.seen()["hostName"] == "given"


def test_the_two_shapes_of_errors(sumo):
    assert errors_of(sumo.api("GET", "/otCollectors/0000000000000001"))
    assert errors_of(sumo.api("GET", "/tokens/0000000000000001"))
    assert error_of(sumo.api("GET", "/collectors/1"))
    assert errors_of(sumo.api("GET", "/tokens/0000000000000001", authorization=None))
    assert error_of(sumo.api("GET", "/collectors/1", authorization=None))
