# SPDX-License-Identifier: Apache-2.0
"""Sources: what all types share, each type with what it requires, processing rules, references to
other services, secrets, downloads, and what never changes."""
import json
import sqlite3

import pytest

from fleet.client import case
from sumo.client import (COLLECTOR, DUPLICATE, INVALID, MISSING, SOURCE, SOURCE_TYPE, entity,
                         error_of)
from sumo.documents import HOSTED, INSTALLED, REQUIRED, hidden, installed, polling, third_party

COMMON = {"automaticDateParsing": True, "multilineProcessingEnabled": True,
          "useAutolineMatching": True, "forceTimeZone": False, "filters": [], "cutoffTimestamp": 0,
          "encoding": "UTF-8", "alive": True}
HTTP = {"sourceType": "HTTP", "name": "in", "messagePerRequest": False}
RULE = {"name": "r", "filterType": "Exclude", "regexp": "x"}


@pytest.fixture
def home(sumo):
    """The number of a hosted collector."""
    return sumo.create("home")["id"]


@pytest.fixture
def field(sumo):
    """The number of an installed one."""
    return sumo.register("field").id


def refused(sumo, collector, source, code=INVALID):
    return sumo.refused(400, code, "POST", f"/collectors/{collector}/sources", {"source": source})


# --- what all share


def test_the_least_that_creates_one(sumo, home):
    answer = sumo.api("POST", f"/collectors/{home}/sources",
                      {"source": {"sourceType": "HTTP", "name": "in"}})
    made = entity(answer, 201, "source")
    shown = dict(made)
    number, url = shown.pop("id"), shown.pop("url")
    token, base = shown.pop("token"), shown.pop("baseUrl")
    for member in ("fields", "messageCount", "byteCount", "lastReceived"):
        shown.pop(member, None)
    assert isinstance(number, int)
    assert base == sumo.server.url().replace("127.0.0.1", "localhost").rpartition(":")[0] + \
        "/receiver/v1/http"
    assert url == f"{base}/{token}" and len(token) >= 20
    assert shown == {"name": "in", "sourceType": "HTTP", "messagePerRequest": False, **COMMON}
    assert sumo.source(home, number) == made
    assert sumo.sources(home) == [made]


@pytest.mark.parametrize("member, value", [
    ("description", "d"), ("category", "a/b"), ("hostName", "h"), ("timeZone", "Europe/Berlin"),
    ("fields", {"k": "v"}), ("automaticDateParsing", False), ("forceTimeZone", True),
    ("defaultDateFormat", "dd/MMM/yyyy"), ("defaultDateFormats", [{"format": "epoch"}]),
    ("defaultDateFormats", [{"format": "yyyy-MM-dd", "locator": ".*(\\d+).*"}]),
    ("multilineProcessingEnabled", False), ("useAutolineMatching", False),
    ("manualPrefixRegexp", "^\\d+"), ("hashAlgorithm", "SHA-256"), ("hashAlgorithm", "MD5"),
    ("cutoffTimestamp", 4102444800000), ("encoding", "UTF-16LE"), ("messagePerRequest", True),
    ("filters", [RULE]), ("somethingNew", {"a": [1, 2.5, None, "x", True]})])
def test_a_member_is_kept_and_can_be_taken_away(sumo, home, member, value):
    made = sumo.add_source(home, **{**HTTP, member: value})
    assert made[member] == value
    assert sumo.source(home, made["id"]) == made
    cleared = sumo.change_source(home, made["id"], drop=[member])
    assert cleared.get(member) in (COMMON.get(member), {} if member == "fields" else None,
                                   False if member == "messagePerRequest" else None)
    again = sumo.change_source(home, made["id"], **{member: value})
    assert again == made


@pytest.mark.parametrize("member", [
    "description", "category", "hostName", "timeZone", "manualPrefixRegexp", "hashAlgorithm",
    "contentType", "defaultDateFormat"])
@pytest.mark.parametrize("value", ["absent", "empty", "null"])
def test_no_text_is_invented(sumo, home, member, value):
    sent = {"absent": {}, "empty": {member: ""}, "null": {member: None}}[value]
    assert member not in sumo.add_source(home, **HTTP, **sent)


@pytest.mark.parametrize("members", [
    case("a name too long", {"name": "n" * 129}), case("a number as name", {"name": 7}),
    case("a description too long", {"description": "d" * 1025}),
    case("a host name too long", {"hostName": "h" * 129}),
    case("a text as a number", {"cutoffTimestamp": "0"}),
    case("a text as a boolean", {"automaticDateParsing": "true"}),
    case("a number as a boolean", {"forceTimeZone": 1}),
    case("a text as an array", {"filters": "none"}),
    case("an array as an object", {"fields": ["k"]}),
    case("eleven fields", {"fields": {f"k{n}": "v" for n in range(11)}}),
    case("a field's value too long", {"fields": {"k": "v" * 201}}),
    case("a format that is no object", {"defaultDateFormats": ["epoch"]}),
    case("an empty locator", {"defaultDateFormats": [{"format": "epoch", "locator": ""}]}),
    case("a locator without a group", {"defaultDateFormats": [{"format": "x", "locator": "a"}]}),
    case("a locator with two groups", {"defaultDateFormats": [{"format": "x",
                                                               "locator": "(a)(b)"}]}),
    case("another hash", {"hashAlgorithm": "CRC"}),
    case("a relative cutoff that is none", {"cutoffRelativeTime": "yesterday"})])
def test_members_that_create_nothing(sumo, home, members):
    refused(sumo, home, {**HTTP, **members})


def test_a_format_needs_its_text(sumo, home):
    told = error_of(sumo.api("POST", f"/collectors/{home}/sources",
                             {"source": {**HTTP, "defaultDateFormats": [{"locator": "(a)"}]}}))
    assert told["status"] == 400 and told["code"] in (INVALID, MISSING)


def test_the_message_about_a_locator(sumo, home):
    told = refused(sumo, home, {**HTTP, "defaultDateFormats": [{"format": "x", "locator": ""}]})
    assert told == "Timestamp locator regex does not contain a single unnamed capture group: ''."


@pytest.mark.parametrize("code, body", [
    case("no body", "service.json.invalid", b""), case("an array", "service.json.invalid", b"[]"),
    case("an empty object", MISSING, b"{}"),
    case("several sources", MISSING, b'{"sources":[{"sourceType":"HTTP","name":"a"}]}'),
    case("null", MISSING, b'{"source":null}'), case("a text", INVALID, b'{"source":"HTTP"}'),
    case("no type", SOURCE_TYPE, b'{"source":{"name":"a"}}'),
    case("an empty type", SOURCE_TYPE, b'{"source":{"name":"a","sourceType":""}}'),
    case("no name", MISSING, b'{"source":{"sourceType":"HTTP"}}')])
def test_bodies_that_create_nothing(sumo, home, code, body):
    sumo.refused(400, code, "POST", f"/collectors/{home}/sources", body,
                 ["Content-Type: application/json"])


def test_names_are_unique_within_a_collector(sumo, home):
    first = sumo.add_source(home, **HTTP)
    second = sumo.add_source(home, **{**HTTP, "name": "other"})
    refused(sumo, home, {**HTTP}, DUPLICATE)
    path = f"/collectors/{home}/sources/{second['id']}"
    sumo.refused(400, DUPLICATE, "PUT", path, {"source": {**second, "name": "in"}},
                 [f"If-Match: {sumo.etag(path)}"])
    sumo.change_source(home, first["id"], name="renamed")
    sumo.change_source(home, second["id"], name="in")


def test_lists_page_by_page(sumo, home):
    made = [sumo.add_source(home, **{**HTTP, "name": f"s{n}"})["name"] for n in range(5)]
    def names(query):
        return [s["name"] for s in sumo.sources(home, query)]
    assert names("") == made
    assert [names(f"?limit=2&offset={o}") for o in (0, 2, 4, 6)] == [
        made[:2], made[2:4], made[4:], []]
    assert names("?offset=3") == made[3:]
    sumo.refused(400, "service.limit.invalid", "GET", f"/collectors/{home}/sources?limit=0")
    sumo.refused(400, "service.offset.invalid", "GET", f"/collectors/{home}/sources?offset=-1")


def test_where_a_source_is_not(sumo, home):
    made = sumo.add_source(home, **HTTP)["id"]
    other = sumo.create("other")["id"]
    for collector, source, code in ((other, made, SOURCE), (home, made + 10_000, SOURCE),
                                    (home, "abc", SOURCE), (home, 0, SOURCE), (home, -1, SOURCE),
                                    (home + 10_000, made, COLLECTOR), ("abc", made, COLLECTOR),
                                    (0, made, COLLECTOR)):
        path = f"/collectors/{collector}/sources/{source}"
        sumo.refused(404, code, "GET", path)
        sumo.refused(404, code, "DELETE", path)
        sumo.refused(404, code, "PUT", path, {"source": {}}, ['If-Match: "x"'])
    sumo.refused(404, COLLECTOR, "POST", f"/collectors/{home + 10_000}/sources", {"source": HTTP})
    sumo.refused(404, COLLECTOR, "GET", f"/collectors/{home + 10_000}/sources")


def test_a_deletion(sumo, home):
    made = sumo.add_source(home, **HTTP)["id"]
    answer = sumo.api("DELETE", f"/collectors/{home}/sources/{made}")
    assert answer.status == 200 and answer.body == b""
    assert answer.fields["content-length"] == "0"
    assert sumo.sources(home) == []
    sumo.refused(404, SOURCE, "DELETE", f"/collectors/{home}/sources/{made}")


@pytest.mark.parametrize("value, status, code", [
    case("the tag", "{}", 200, None), case("a star", "*", 200, None),
    case("another", '"00000000000000000000000000000000"', 412, "service.etagid.mismatch"),
    case("no quotes", "0000", 400, "service.ifthen.notquoted"),
    case("nothing", "", 403, "service.ifthen.missing")])
def test_a_conditional_put(sumo, home, value, status, code):
    made = sumo.add_source(home, **HTTP)
    path = f"/collectors/{home}/sources/{made['id']}"
    answer = sumo.api("PUT", path, {"source": {**made, "description": "new"}},
                      [f"If-Match: {value.format(sumo.etag(path))}"])
    assert answer.status == status
    assert code is None or error_of(answer)["code"] == code
    assert ("description" in sumo.source(home, made["id"])) == (status == 200)
    if status == 200:
        assert answer.fields["etag"] == sumo.etag(path)


def test_a_conditional_get(sumo, home):
    path = f"/collectors/{home}/sources/{sumo.add_source(home, **HTTP)['id']}"
    answer = sumo.api("GET", path, None, [f"If-None-Match: {sumo.etag(path)}"])
    assert answer.status == 304 and answer.body == b""


def test_the_order_of_checks(sumo, home):
    made = sumo.add_source(home, **HTTP)
    path = f"/collectors/{home}/sources/{made['id']}"
    for body, headers, status in (
            (b"{", ["Content-Type: text/plain"], 415), (b"{", [], 400),
            (b'{"source":{}}', [], 403)):
        assert error_of(sumo.api("PUT", path, body, headers))["status"] == status
    assert error_of(sumo.api("PUT", path + "99999", b"{", []))["status"] == 404


def test_a_body_without_its_id(sumo, home):
    made = sumo.add_source(home, **HTTP)
    path = f"/collectors/{home}/sources/{made['id']}"
    told = error_of(sumo.put(path, {"source": HTTP}))
    assert told["status"] == 400
    assert told["code"] in (MISSING, "collectors.source.request.id.invalid")
    assert sumo.source(home, made["id"]) == made


# --- types


@pytest.mark.parametrize("kind", INSTALLED)
def test_a_source_of_an_installed_collector(sumo, field, home, kind):
    wanted = installed(kind)
    made = sumo.add_source(field, **wanted)
    assert {k: made[k] for k in wanted} == hidden(wanted)
    assert {k: made[k] for k in COMMON} == COMMON
    assert sumo.source(field, made["id"]) == made == sumo.sources(field)[0]
    assert sumo.change_source(field, made["id"]) == made, "written back as it was shown"
    refused(sumo, home, wanted, SOURCE_TYPE)


@pytest.mark.parametrize("kind, member", [(k, m) for k, members in REQUIRED.items()
                                          for m in members])
def test_a_required_member(sumo, field, kind, member):
    wanted = installed(kind)
    del wanted[member]
    told = refused(sumo, field, wanted, MISSING)
    assert told == f"Missing required field: '{member}'"


@pytest.mark.parametrize("kind", HOSTED)
def test_a_source_of_a_hosted_collector(sumo, home, field, kind):
    wanted = HOSTED[kind]
    made = sumo.add_source(home, **wanted)
    assert {k: made[k] for k in wanted} == hidden(wanted)
    if wanted["sourceType"] != "Universal":  # whose settings are all in its config
        assert {k: made[k] for k in COMMON} == COMMON
    if wanted["sourceType"] == "HTTP":
        assert made["url"] == made["baseUrl"] + "/" + made["token"]
    if wanted["sourceType"] == "Cloudsyslog":
        assert made["token"]
    if wanted["sourceType"] == "Universal":
        assert made["name"] == "okta" and isinstance(made.get("state", ""), (str, dict))
    # What cannot be changed there has to come back to the letter, with its members in their order.
    for member in ("thirdPartyRef", "config", "schemaRef"):
        if member in wanted:
            assert json.dumps(made[member]) == json.dumps(hidden(wanted[member]))
    assert sumo.source(home, made["id"]) == made
    assert sumo.change_source(home, made["id"]) == made, "written back as it was shown"
    refused(sumo, field, wanted, SOURCE_TYPE)


@pytest.mark.parametrize("kind", ["localfile", "Localfile", "http", "RemoteFile", "Alert",
                                  "AmazonS3", "Nonsense"])
def test_types_that_do_not_exist(sumo, home, field, kind):
    for collector in (home, field):
        told = refused(sumo, collector, {"sourceType": kind, "name": "x"}, SOURCE_TYPE)
        assert kind in told


@pytest.mark.parametrize("kind, members", [
    case("a text as port", "Syslog", {"port": "514"}), case("port 0", "Syslog", {"port": 0}),
    case("port 65536", "Syslog", {"port": 65536}), case("half a port", "Syslog", {"port": 1.5}),
    case("a protocol in small letters", "Syslog", {"protocol": "udp"}),
    case("another protocol", "Syslog", {"protocol": "SCTP"}),
    case("a number as a path", "LocalFile", {"pathExpression": 5}),
    case("numbers in a list of texts", "LocalFile", {"denylist": [5]}),
    case("another authentication", "RemoteFileV2", {"authMethod": "magic"}),
    case("another event format", "LocalWindowsEventLog", {"eventFormat": 2}),
    case("another event message", "LocalWindowsEventLog", {"eventMessage": 3}),
    case("a text as log names", "LocalWindowsEventLog", {"logNames": "Security"}),
    case("events that must be collected", "DockerLog", {"collectEvents": False}),
    case("polling too often", "DockerStats", {"pollInterval": 999}),
    case("another metrics format", "StreamingMetrics", {"contentType": "Nagios"}),
    case("a query without its text", "LocalWindowsPerfMon", {"wmiQueries": [{"name": "q"}]})])
def test_members_of_a_type_that_are_refused(sumo, field, kind, members):
    told = error_of(sumo.api("POST", f"/collectors/{field}/sources",
                             {"source": installed(kind, **members)}))
    assert told["status"] == 400
    assert told["code"] == (MISSING if kind == "LocalWindowsPerfMon" else INVALID)
    assert sumo.sources(field) == []


def test_authentication_by_key_or_password(sumo, field):
    key = installed("RemoteFileV2", authMethod="key", keyPath="/k", name="by key")
    del key["remotePassword"]
    sumo.add_source(field, **key)
    without = installed("RemoteFileV2")
    del without["remotePassword"]
    refused(sumo, field, without, MISSING)
    del key["keyPath"]
    refused(sumo, field, {**key, "name": "no path"}, MISSING)


def test_the_old_word_for_a_denylist(sumo, field):
    wanted = installed("LocalFile")
    wanted["blacklist"] = wanted.pop("denylist")
    made = sumo.add_source(field, **wanted)
    assert made["denylist"] == ["/var/log/x"] and "blacklist" not in made


@pytest.mark.parametrize("value", [["a", "b"], "a,b"], ids=["an array", "one text"])
@pytest.mark.parametrize("member", ["allowlist", "denylist"])
def test_windows_lists_come_in_two_forms(sumo, field, member, value):
    made = sumo.add_source(field, **installed("LocalWindowsEventLog", **{member: value}))
    assert made[member] in (value, "a,b")
    without = sumo.change_source(field, made["id"], drop=[member])
    assert member not in without, "one client cannot read an empty array"


def test_event_format_0_needs_no_message(sumo, field):
    wanted = installed("LocalWindowsEventLog", eventFormat=0)
    del wanted["eventMessage"]
    assert sumo.add_source(field, **wanted)["eventFormat"] == 0


@pytest.mark.parametrize("kind", ["Syslog", "StreamingMetrics"])
def test_a_port_is_taken_once(sumo, field, kind):
    first = sumo.add_source(field, **installed(kind))
    told = refused(sumo, field, installed(kind, name="again"))
    assert told.startswith("Error validating source.")
    second = sumo.add_source(field, **installed(kind, name="beside", port=9999))
    path = f"/collectors/{field}/sources/{second['id']}"
    sumo.refused(400, INVALID, "PUT", path, {"source": {**second, "port": first["port"]}},
                 [f"If-Match: {sumo.etag(path)}"])
    sumo.change_source(field, first["id"], description="its own port stays its own")


def test_a_port_of_another_protocol(sumo, field):
    sumo.add_source(field, **installed("Syslog"))
    sumo.add_source(field, **installed("Syslog", name="tcp", protocol="TCP"))


# --- references


@pytest.mark.parametrize("reference, code", [
    case("none", None, MISSING), case("no resources", {}, MISSING),
    case("resources that are no array", {"resources": {}}, INVALID),
    case("a resource that is no object", {"resources": ["x"]}, INVALID),
    case("no path", {"resources": [{"serviceType": "AwsS3Bucket"}]}, MISSING)])
def test_references_that_create_nothing(sumo, home, reference, code):
    wanted = polling("AwsS3Bucket", {})
    wanted["thirdPartyRef"] = reference
    if reference is None:
        del wanted["thirdPartyRef"]
    refused(sumo, home, wanted, code)


def test_the_message_about_resources(sumo, home):
    wanted = {**polling("AwsS3Bucket", {}), "thirdPartyRef": {}}
    assert refused(sumo, home, wanted, MISSING) == "Missing required field: 'resources'"


@pytest.mark.parametrize("kind, part, member", [
    ("AwsS3Bucket", "path", "bucketName"), ("AwsS3Bucket", "path", "pathExpression"),
    ("AwsS3Bucket", "authentication", "roleARN"),
    ("AwsS3Bucket by keys", "authentication", "awsId"),
    ("AwsS3Bucket by keys", "authentication", "awsKey"),
    ("GcpMetrics", "authentication", "project_id"), ("GcpMetrics", "authentication", "private_key"),
    ("GcpMetrics", "authentication", "client_email"),
    ("AzureEventHubLog", "path", "namespace"), ("AzureEventHubLog", "path", "eventHubName"),
    ("AzureEventHubLog", "authentication", "sharedAccessPolicyKey"),
    ("AzureMetrics", "path", "environment"), ("AzureMetrics", "authentication", "clientSecret"),
    ("Rum", "path", "serviceName"), ("O365AuditNotification", "path", "workload"),
    ("O365AuditNotification", "path", "region"),
    ("O365AuditNotification", "authentication", "tenantId")])
def test_required_members_of_a_reference(sumo, home, kind, part, member):
    """A wrong one must be a 400: clients try ten times what is a 500."""
    wanted = json.loads(json.dumps(HOSTED[kind]))
    del wanted["thirdPartyRef"]["resources"][0][part][member]
    told = refused(sumo, home, wanted, MISSING)
    assert f"'{member}'" in told


@pytest.mark.parametrize("kind, part, members", [
    case("a number as a bucket", "AwsS3Bucket", "path", {"bucketName": 5}),
    case("another path", "AwsS3Bucket", "path", {"type": "Nonsense"}),
    case("another authentication", "AwsS3Bucket", "authentication", {"type": "Nonsense"}),
    case("a text as regions", "AwsCloudWatch", "path", {"limitToRegions": "us-west-2"}),
    case("a workload that is none", "O365AuditNotification", "path", {"workload": "Mail"}),
    case("a region that is none", "O365AuditNotification", "path", {"region": "Mars"}),
    case("a rate over 1", "Rum", "path", {"samplingRate": 1.5})])
def test_references_that_are_refused(sumo, home, kind, part, members):
    wanted = json.loads(json.dumps(HOSTED[kind]))
    wanted["thirdPartyRef"]["resources"][0][part].update(members)
    refused(sumo, home, wanted)


def test_empty_members_of_authentication_count_as_absent(sumo, home):
    """One client sends all that it knows."""
    keys = {"type": "AWSRoleBasedAuthentication", "roleARN": "arn:x", "awsId": "", "awsKey": "",
            "region": "", "project_id": "", "private_key": "", "clientSecret": "",
            "sharedAccessPolicyKey": "", "tenantId": ""}
    path = {"type": "S3BucketPathExpression", "bucketName": "b", "pathExpression": "*",
            "snsTopicOrSubscriptionArn": {"isSuccess": False, "arn": ""}}
    made = sumo.add_source(home, **polling("AwsS3Bucket", path, keys, url=""))
    resource, = made["thirdPartyRef"]["resources"]
    told = resource["authentication"]
    assert {k: v for k, v in told.items() if v != ""} == {
        "type": "AWSRoleBasedAuthentication", "roleARN": "arn:x"}
    assert resource["path"]["bucketName"] == "b"


@pytest.mark.parametrize("interval, status", [(-1, 201), (1000, 201), (999, 400), (0, 400),
                                              (300000, 201)])
def test_scan_intervals(sumo, home, interval, status):
    wanted = {**HOSTED["AwsS3Bucket"], "scanInterval": interval}
    assert sumo.api("POST", f"/collectors/{home}/sources", {"source": wanted}).status == status


def test_a_universal_source_is_named_by_its_config(sumo, home):
    made = sumo.add_source(home, **HOSTED["Universal"])
    path = f"/collectors/{home}/sources/{made['id']}"
    document = {"source": {**made, "config": {**made["config"], "name": "other"}}}
    document["source"].pop("name")
    assert entity(sumo.put(path, document), 200, "source")["name"] == "other"
    sumo.add_source(home, **HOSTED["Universal"])
    refused(sumo, home, HOSTED["Universal"], DUPLICATE)
    for member in ("config", "schemaRef"):
        wanted = {k: v for k, v in HOSTED["Universal"].items() if k != member}
        refused(sumo, home, wanted, MISSING)


# --- rules


@pytest.mark.parametrize("rule", [
    case("exclude", {"filterType": "Exclude", "regexp": "(?s).*secret.*(?s)"}),
    case("include", {"filterType": "Include", "regexp": ".*a.*"}),
    case("hash", {"filterType": "Hash", "regexp": "id=(\\d+)"}),
    case("mask", {"filterType": "Mask", "regexp": "id=(\\d+)", "mask": "###"}),
    case("a named group", {"filterType": "Mask", "regexp": "id=(?<id>\\d+)", "mask": "#"}),
    case("forward", {"filterType": "Forward", "regexp": ".*", "sinkId": 5,
                     "transparentForwarding": True}),
    case("the longest name", {"name": "n" * 32, "filterType": "Exclude", "regexp": "x"})])
def test_rules(sumo, home, rule):
    wanted = {"name": "r", **rule}
    assert sumo.add_source(home, **HTTP, filters=[wanted])["filters"] == [wanted]


def test_an_empty_mask_of_other_rules_is_dropped(sumo, home):
    made = sumo.add_source(home, **HTTP, filters=[{**RULE, "mask": ""}])
    assert made["filters"] == [RULE]


@pytest.mark.parametrize("rule, code", [
    case("no name", {"name": None}, MISSING), case("no type", {"filterType": None}, MISSING),
    case("no pattern", {"regexp": None}, MISSING),
    case("a name too long", {"name": "n" * 33}, INVALID),
    case("another type", {"filterType": "Drop"}, INVALID),
    case("a type in small letters", {"filterType": "exclude"}, INVALID),
    case("a pattern that does not close", {"regexp": "(a"}, INVALID),
    case("a class that does not close", {"regexp": "[a"}, INVALID),
    case("a mask without a group", {"filterType": "Mask", "regexp": "a", "mask": "#"}, INVALID),
    case("a hash without a group", {"filterType": "Hash", "regexp": "a"}, INVALID),
    case("a mask without its text", {"filterType": "Mask", "regexp": "(a)"}, MISSING),
    case("forward to nowhere", {"filterType": "Forward", "regexp": "a"}, MISSING)])
def test_rules_that_are_refused(sumo, home, rule, code):
    wanted = {k: v for k, v in {**RULE, **rule}.items() if v is not None}
    refused(sumo, home, {**HTTP, "filters": [wanted]}, code)


# --- secrets


@pytest.mark.parametrize("kind, secret", [
    ("AwsS3Bucket by keys", "s3cr3t-key"), ("GcpMetrics", "s3cr3t-pem"),
    ("AzureEventHubLog", "s3cr3t-sas"), ("AzureMetrics", "s3cr3t-azure"),
    ("O365AuditNotification", "s3cr3t-azure")])
def test_secrets_are_shown_to_nobody(sumo, home, kind, secret):
    made = sumo.add_source(home, **HOSTED[kind])
    path = f"/collectors/{home}/sources"
    for shown in (path, path + "?download=true", f"{path}/{made['id']}",
                  f"{path}/{made['id']}?download=true"):
        body = sumo.api("GET", shown).body.decode()
        assert secret not in body and "********" in body
    assert secret not in sumo.server.log()


@pytest.mark.parametrize("kind, member, secret", [
    ("RemoteFileV2", "remotePassword", "s3cr3t-ssh"),
    ("RemoteWindowsEventLog", "password", "s3cr3t-win"),
    ("RemoteWindowsPerfMon", "remotePassword", "s3cr3t-perf")])
def test_passwords_are_shown_to_nobody_and_sealed(sumo, field, kind, member, secret):
    made = sumo.add_source(field, **installed(kind))
    assert made[member] == "********"
    path = f"/collectors/{field}/sources/{made['id']}"
    tag = sumo.etag(path)
    assert sumo.change_source(field, made["id"]) == made, "eight stars keep what is there"
    assert sumo.etag(path) == tag
    sumo.change_source(field, made["id"], **{member: "an0ther"})
    assert sumo.etag(path) != tag, "another password is another configuration"
    database, = sumo.server.data.glob("*.db")
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        dump = "".join(str(row) for table, in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for row in db.execute(f'SELECT * FROM "{table}"'))
    assert secret not in dump and "an0ther" not in dump


# --- downloads


def test_a_download_and_its_return(sumo, home, field):
    for kind in ("HTTP", "AwsS3Bucket", "Universal", "Rum"):
        sumo.add_source(home, **HOSTED[kind])
    document = sumo.get(f"/collectors/{home}/sources?download=true")
    assert list(document) == ["api.version", "sources"] and document["api.version"] == "v1"
    other = sumo.create("other")["id"]
    for source in document["sources"]:
        assert not {"id", "alive", "status", "url", "token", "baseUrl"} & set(source), source
        answer = sumo.api("POST", f"/collectors/{other}/sources",
                          {"api.version": "v1", "source": source})
        assert answer.status == 201
    again = sumo.get(f"/collectors/{other}/sources?download=true")
    assert again == document
    assert sumo.get(f"/collectors/{field}/sources?download=true") == {
        "api.version": "v1", "sources": []}


@pytest.mark.parametrize("word, download", [("true", True), ("TRUE", True), ("false", False)])
def test_words_for_download(sumo, home, word, download):
    made = sumo.add_source(home, **HTTP)["id"]
    for path in (f"/collectors/{home}/sources", f"/collectors/{home}/sources/{made}"):
        assert ("api.version" in sumo.get(f"{path}?download={word}")) == download
    sumo.refused(400, INVALID, "GET", f"/collectors/{home}/sources?download=maybe")


# --- what never changes


def test_the_url_stays(sumo, home):
    made = sumo.add_source(home, **HTTP, url="http://x/y", token="z", baseUrl="http://x")
    assert made["token"] != "z"
    for members in ({"url": ""}, {"url": "http://x/"}, {"token": "t"}, {"name": "new"},
                    {"baseUrl": None}):
        changed = sumo.change_source(home, made["id"], **members)
        assert [changed[k] for k in ("url", "token", "baseUrl")] == [
            made[k] for k in ("url", "token", "baseUrl")]
    changed = sumo.change_source(home, made["id"], drop=["url", "token", "baseUrl"])
    assert changed["url"] == made["url"]


def test_urls_differ(sumo, home):
    urls = {sumo.add_source(home, **{**HTTP, "name": f"s{n}"})["url"] for n in range(20)}
    assert len(urls) == 20


@pytest.mark.parametrize("members", [
    case("another type", {"sourceType": "Cloudsyslog"}),
    case("a content type where none was", {"contentType": "Zipkin"})])
def test_what_a_change_may_not_touch(sumo, home, members):
    made = sumo.add_source(home, **HTTP)
    path = f"/collectors/{home}/sources/{made['id']}"
    sumo.refused(400, INVALID, "PUT", path, {"source": {**made, **members}},
                 [f"If-Match: {sumo.etag(path)}"])


def test_sources_of_a_collector_in_json_mode(sumo, field):
    made = sumo.add_source(field, **installed("LocalFile"))
    sumo.change(field, sourceSyncMode="Json")
    path = f"/collectors/{field}/sources"
    one = f"{path}/{made['id']}"
    code = "collectors.source.forbidden"
    assert sumo.get(one)["source"] == made and sumo.sources(field) == [made]
    sumo.refused(403, code, "POST", path, {"source": installed("Syslog")})
    sumo.refused(403, code, "PUT", one, {"source": made}, [f"If-Match: {sumo.etag(one)}"])
    sumo.refused(403, code, "DELETE", one)
    sumo.change(field, sourceSyncMode="UI")
    sumo.delete(one)


def test_a_source_lives_as_its_collector_does(sumo):
    """More of this where silence is short: test_sumo_alive.py."""
    collector = sumo.register("alive")
    made = sumo.add_source(collector.id, **installed("LocalFile"))
    assert made["alive"] is collector.seen()["alive"] is True


def test_a_reference_of_the_wrong_kind(sumo, home):
    wanted = {**HTTP, "contentType": "Rum", "thirdPartyRef": third_party("Rum", "x")}
    refused(sumo, home, wanted)
