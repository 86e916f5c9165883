# SPDX-License-Identifier: Apache-2.0
"""Edge cases of the collector management interface, one test each, by their number in the list of
its compatibility; upgrades (E-40 to E-42) are in test_sumo_upgrades.py, limits (E-48) in
test_sumo_limits.py, silence (E-49) in test_sumo_alive.py."""
import base64

import pytest

from sumo.client import (COLLECTOR, DUPLICATE, INVALID, MISSING, SOURCE, SOURCE_TYPE, entity,
                         error_of, errors_of, still)
from sumo.documents import HOSTED, installed

JSON = "Content-Type: application/json"
HTTP = {"sourceType": "HTTP", "name": "in", "messagePerRequest": False}


@pytest.fixture
def hosted(sumo):
    return sumo.create("hosted", description="d", category="c", fields={"team": "a"})


@pytest.fixture
def field(sumo):
    """An installed collector."""
    return sumo.register("field")


@pytest.mark.parametrize("limit", ["0", "-1", "abc"])
def test_E_01_a_bad_limit(sumo, limit):
    sumo.refused(400, "service.limit.invalid", "GET", f"/collectors?limit={limit}")


def test_E_02_an_offset_behind_the_end(sumo, hosted):
    assert sumo.get("/collectors?offset=999999") == {"collectors": []}


def test_E_03_a_filter_in_capitals(sumo, hosted, field):
    assert sumo.listed("?filter=HOSTED") == sumo.listed("?filter=Hosted") == ["hosted"]


def test_E_04_no_days(sumo):
    sumo.refused(400, INVALID, "GET", "/collectors/offline?aliveBeforeDays=0")
    sumo.refused(400, INVALID, "DELETE", "/collectors/offline?aliveBeforeDays=0")


@pytest.mark.parametrize("days", ["5000", "999999999999", "18446744073709551615"])
def test_E_05_many_days(sumo, field, days):
    assert sumo.get(f"/collectors/offline?aliveBeforeDays={days}") == {"collectors": []}


@pytest.mark.parametrize("number", ["abc", "-1", "0", "1.0", "+1", "01", "0x1", "%31%20",
                                    "9223372036854775808", "99999999999999999999999"])
def test_E_06_ids_that_are_none(sumo, number):
    for method in ("GET", "DELETE", "PUT"):
        sumo.refused(404, COLLECTOR, method, f"/collectors/{number}",
                     {"collector": {}} if method == "PUT" else None)


@pytest.mark.parametrize("name, path", [("Staging Area", "Staging%20Area"),
                                        ("Staging.Area", "Staging.Area/"),
                                        ("Staging.Area", "Staging.Area")])
def test_E_07_names_with_blanks_and_dots(sumo, name, path):
    made = sumo.create(name)
    assert sumo.get(f"/collectors/name/{path}")["collector"]["id"] == made["id"]


def test_E_08_a_name_with_a_slash(sumo):
    made = sumo.create("env/collector")
    assert sumo.get("/collectors/name/env%2Fcollector")["collector"]["id"] == made["id"]


def test_E_09_a_name_that_is_used(sumo, hosted, field):
    for name in ("hosted", "field"):
        told = sumo.refused(400, DUPLICATE, "POST", "/collectors",
                            {"collector": {"collectorType": "Hosted", "name": name}})
        assert told == "A resource with the same name already exists."


@pytest.mark.parametrize("members", [{"name": "n" * 129},
                                     {"name": "n", "description": "d" * 1025}],
                         ids=["name", "description"])
def test_E_10_texts_that_are_too_long(sumo, members):
    sumo.refused(400, INVALID, "POST", "/collectors",
                 {"collector": {"collectorType": "Hosted", **members}})


def test_E_11_no_json(sumo):
    sumo.refused(400, "service.json.invalid", "POST", "/collectors", b"{collector}", [JSON])


def test_E_12_no_collector(sumo):
    sumo.refused(400, MISSING, "POST", "/collectors", {"name": "x"})


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "",
                                   "application/jsonx", "application/json2;a=b"])
def test_E_13_another_media_type(sumo, hosted, media):
    head = [f"Content-Type: {media}"]
    one = f"/collectors/{hosted['id']}"
    for method, path in (("POST", "/collectors"), ("PUT", one), ("POST", one + "/sources")):
        sumo.refused(415, "contenttype.invalid", method, path, b"{}", head)


def test_E_13_no_media_type(sumo):
    sumo.hang_up()
    wire = sumo.server.connect()
    wire.send(f"POST /api/v1/collectors HTTP/1.1\r\nHost: a\r\n{sumo.authorization()}\r\n"
              "Content-Length: 2\r\n\r\n{}".encode())
    assert error_of(wire.answer("POST"))["code"] == "contenttype.invalid"
    wire.close()


def test_E_14_an_installed_collector_cannot_be_created(sumo):
    for kind in ("Installable", "installable", "Other", 5):
        sumo.refused(400, "collectors.collector.type.invalid", "POST", "/collectors",
                     {"collector": {"collectorType": kind, "name": "x"}})


@pytest.mark.parametrize("headers", [[], ["If-Match: "], ["If-Match:"]],
                         ids=["none", "empty", "nothing"])
def test_E_15_no_if_match(sumo, hosted, headers):
    sumo.refused(403, "service.ifthen.missing", "PUT", f"/collectors/{hosted['id']}",
                 {"collector": hosted}, headers)


def test_E_16_a_stale_tag(sumo, hosted):
    path = f"/collectors/{hosted['id']}"
    stale = sumo.etag(path)
    sumo.change(hosted["id"], description="new")
    sumo.refused(412, "service.etagid.mismatch", "PUT", path, {"collector": hosted},
                 [f"If-Match: {stale}"])


def test_E_17_a_tag_without_quotes(sumo, hosted):
    path = f"/collectors/{hosted['id']}"
    bare = sumo.etag(path).strip('"')
    sumo.refused(400, "service.ifthen.notquoted", "PUT", path, {"collector": hosted},
                 [f"If-Match: {bare}"])


def test_E_18_another_id_in_the_body(sumo, hosted):
    path = f"/collectors/{hosted['id']}"
    tag = f"If-Match: {sumo.etag(path)}"
    other = sumo.create("other")["id"]
    for number in (other, 5, -1, "x", 1.5, True, {}):
        sumo.refused(400, "collectors.collector.request.id.invalid", "PUT", path,
                     {"collector": {**hosted, "id": number}}, [tag])
    made = sumo.add_source(hosted["id"], **HTTP)
    path += f"/sources/{made['id']}"
    tag = f"If-Match: {sumo.etag(path)}"
    for number in (made["id"] + 1, "x"):
        sumo.refused(400, "collectors.source.request.id.invalid", "PUT", path,
                     {"source": {**made, "id": number}}, [tag])


def test_E_19_an_unchanged_document(sumo, hosted):
    path = f"/collectors/{hosted['id']}"
    tag = sumo.etag(path)
    answer = sumo.put(path, sumo.get(path))
    assert answer.status == 200 and answer.fields["etag"] == tag == sumo.etag(path)
    made = sumo.add_source(hosted["id"], **HTTP)
    path += f"/sources/{made['id']}"
    tag = sumo.etag(path)
    assert sumo.put(path, sumo.get(path)).fields["etag"] == tag == sumo.etag(path)


def test_E_20_members_that_are_stale_by_nature(sumo, field):
    field.metadata()
    path = f"/collectors/{field.id}"
    document = field.seen()
    answer = sumo.put(path, {"collector": {**document, "alive": False, "lastSeenAlive": 1,
                                           "collectorVersion": "0", "links": []}})
    changed = entity(answer, 200, "collector")
    assert still(changed) == still(document)
    assert changed["alive"] is True and changed["lastSeenAlive"] > 1


def test_E_21_a_deleted_collector(sumo, hosted):
    path = f"/collectors/{hosted['id']}"
    tag = sumo.etag(path)
    sumo.delete(path)
    for headers in ([], [f"If-Match: {tag}"], ["If-Match: x"]):
        sumo.refused(404, COLLECTOR, "PUT", path, {"collector": hosted}, headers)


def test_E_22_a_deletion_of_all_that_are_offline(sumo, hosted, field):
    answer = sumo.api("DELETE", "/collectors/offline?aliveBeforeDays=1")
    assert answer.status == 200 and answer.body == b""
    assert sumo.listed() == ["hosted", "field"]


def test_E_23_a_deletion_twice(sumo, hosted):
    made = sumo.add_source(hosted["id"], **HTTP)
    for path, code in ((f"/collectors/{hosted['id']}/sources/{made['id']}", SOURCE),
                       (f"/collectors/{hosted['id']}", COLLECTOR)):
        sumo.delete(path)
        sumo.refused(404, code, "DELETE", path)


def test_E_24_a_double_slash(sumo):
    answer = sumo.http("DELETE", "/api/v1//collectors/offline?aliveBeforeDays=3")
    assert answer.status == 200 and answer.body == b""


def test_E_25_a_source_where_a_file_rules(sumo, field):
    sumo.change(field.id, sourceSyncMode="Json")
    sumo.refused(403, "collectors.source.forbidden", "POST", f"/collectors/{field.id}/sources",
                 {"source": installed("LocalFile")})


def test_E_26_no_type_or_a_wrong_one(sumo, field):
    path = f"/collectors/{field.id}/sources"
    told = sumo.refused(400, SOURCE_TYPE, "POST", path,
                        {"source": {"name": "x", "pathExpression": "/x"}})
    assert told in ("Please specify a source type", "Need to specify a source type.")
    told = sumo.refused(400, SOURCE_TYPE, "POST", path,
                        {"source": {"sourceType": "localfile", "name": "x"}})
    assert told.startswith("Invalid source type: 'localfile'")


def test_E_27_a_required_member(sumo, field):
    told = sumo.refused(400, MISSING, "POST", f"/collectors/{field.id}/sources",
                        {"source": {"sourceType": "Syslog", "name": "x", "protocol": "UDP"}})
    assert told == "Missing required field: 'port'"


def test_E_28_the_same_name_elsewhere(sumo, hosted):
    sumo.add_source(hosted["id"], **HTTP)
    sumo.add_source(sumo.create("other")["id"], **HTTP)


def test_E_29_the_1001st_source(sumo, hosted):
    for n in range(1000):
        sumo.add_source(hosted["id"], **{**HTTP, "name": f"s{n}"})
    told = error_of(sumo.api("POST", f"/collectors/{hosted['id']}/sources",
                             {"source": {**HTTP, "name": "more"}}))
    assert (told["status"], told["code"]) == (400, INVALID)
    assert len(sumo.sources(hosted["id"])) == 1000
    assert len(sumo.sources(hosted["id"], "?limit=50&offset=980")) == 20
    sumo.delete(f"/collectors/{hosted['id']}")


def test_E_30_metrics_of_a_host_without_filters(sumo, field):
    made = sumo.add_source(field.id, sourceType="SystemStats", name="m", interval=60000)
    assert made["filters"] == [] and made["contentType"] == "HostMetrics"
    assert "metrics" not in made


def test_E_31_a_relative_cutoff(sumo, field):
    before = sumo.create("clock")["lastSeenAlive"]
    made = sumo.add_source(field.id, **installed("LocalFile", cutoffRelativeTime="-1h"))
    after = sumo.create("clock again")["lastSeenAlive"]
    assert before - 3_600_000 <= made["cutoffTimestamp"] <= after - 3_600_000
    assert "cutoffRelativeTime" not in made


def test_E_32_both_cutoffs(sumo, field):
    made = sumo.add_source(field.id, **installed("LocalFile", cutoffRelativeTime="-1h",
                                                 cutoffTimestamp=77))
    assert made["cutoffTimestamp"] > 1_700_000_000_000
    for text in ("-1h", ""):
        changed = sumo.change_source(field.id, made["id"], cutoffRelativeTime=text)
        assert changed == made


def test_E_33_a_change_without_filters(sumo, hosted):
    made = sumo.add_source(hosted["id"], **HTTP, filters=[
        {"name": "r", "filterType": "Exclude", "regexp": "x"}])
    assert sumo.change_source(hosted["id"], made["id"], drop=["filters"])["filters"] == []


def test_E_34_a_change_of_the_type(sumo, hosted):
    for kind, members in (("HTTP", {"sourceType": "Cloudsyslog"}),
                          ("HTTP Zipkin", {"contentType": "Otlp"}),
                          ("AwsS3Bucket", {"contentType": "AwsElbBucket"})):
        made = sumo.add_source(hosted["id"], **HOSTED[kind])
        path = f"/collectors/{hosted['id']}/sources/{made['id']}"
        sumo.refused(400, INVALID, "PUT", path, {"source": {**made, **members}},
                     [f"If-Match: {sumo.etag(path)}"])


def test_E_35_the_url_of_an_http_source(sumo, hosted):
    made = sumo.add_source(hosted["id"], **HTTP)
    for change in ({"drop": ["url"]}, {"url": "http://elsewhere/x"}):
        assert sumo.change_source(hosted["id"], made["id"], **change)["url"] == made["url"]


def test_E_36_a_get_with_a_body(sumo, hosted):
    made = sumo.add_source(hosted["id"], **HTTP)
    path = f"/collectors/{hosted['id']}/sources/{made['id']}"
    for body in (b'{"source": {"name": "other"}}', b"not json"):
        answer = sumo.api("GET", path, body, [JSON])
        assert entity(answer, 200, "source") == made


def test_E_37_a_secret_in_a_download(sumo, hosted):
    sumo.add_source(hosted["id"], **HOSTED["AwsS3Bucket by keys"])
    source, = sumo.get(f"/collectors/{hosted['id']}/sources?download=true")["sources"]
    resource, = source["thirdPartyRef"]["resources"]
    assert resource["authentication"]["awsKey"] == "********"
    assert resource["authentication"]["awsId"] == "AKIA"


def test_E_38_a_download_posted_elsewhere(sumo, hosted):
    made = sumo.add_source(hosted["id"], **HTTP)
    document = sumo.get(f"/collectors/{hosted['id']}/sources/{made['id']}?download=true")
    other = sumo.create("other")["id"]
    answer = sumo.api("POST", f"/collectors/{other}/sources", document)
    assert entity(answer, 201, "source")["url"] != made["url"]


def test_E_39_source_0(sumo, hosted):
    sumo.refused(404, SOURCE, "GET", f"/collectors/{hosted['id']}/sources/0")


def test_E_43_a_beat_of_a_deleted_collector(sumo, field):
    sumo.delete(f"/collectors/{field.id}")
    answer = field.call("/collector/heartbeat")
    assert answer.status == 401 and errors_of(answer)


def test_E_44_a_beat_with_an_access_key(sumo, field):
    answer = sumo.api("POST", "/collector/heartbeat", None, [JSON])
    assert answer.status == 401 and errors_of(answer)


def test_E_45_two_that_fight_for_a_name(sumo, field):
    other = sumo.register("field", field.token, clobber=True)
    assert field.beat() == 401 and other.beat() == 204
    again = sumo.register("field", field.token, clobber=True)
    assert other.beat() == 401 and again.beat() == 204
    assert sumo.listed() == ["field"]
    assert sumo.server.wait_for_line(level="warn", collector=other.id)


def test_E_46_a_registration_without_a_name(sumo):
    token = sumo.installation_token()["encodedTokenAndUrl"]
    answer = sumo.api("POST", "/collector/register", {"hostname": "h"},
                      authorization=f"Authorization: Bearer {token}")
    assert answer.status == 400 and errors_of(answer)
    assert sumo.listed() == []


def test_E_47_management_by_a_collectors_credential(sumo, field):
    answer = sumo.api("GET", "/collectors", authorization=field.authorization)
    assert answer.status == 401 and error_of(answer)["code"] == "unauthorized"


def test_E_50_head(sumo, hosted):
    answer = sumo.api("HEAD", "/collectors")
    assert answer.status == 200 and answer.body == b"" and "location" not in answer.fields
    nobody = sumo.api("HEAD", "/collectors", authorization=None)
    assert nobody.status == 401 and nobody.body == b"" and "location" not in nobody.fields


@pytest.mark.parametrize("name", [" x", "x ", "  x  ", "\tx"])
def test_E_51_blanks_around_a_name(sumo, name):
    assert sumo.create(name)["name"] == name
    quoted = "".join(f"%{b:02X}" for b in name.encode())
    assert sumo.get(f"/collectors/name/{quoted}")["collector"]["name"] == name


def test_E_52_fields_that_are_no_texts(sumo):
    made = sumo.create("c", fields={"n": 5, "b": True, "f": 1.5})
    assert made["fields"] == {"n": "5", "b": "true", "f": "1.5"}


def test_the_credentials_of_no_scheme(sumo):
    text = base64.b64encode(f"{sumo.access_id}:{sumo.access_key}".encode()).decode()
    answer = sumo.api("GET", "/collectors", authorization=f"Authorization: basic {text}")
    assert answer.status == 200, "schemes have no case"
