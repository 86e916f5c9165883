# SPDX-License-Identifier: Apache-2.0
"""The fleet's services on the wire: every method by every envelope with the same answers, what is
refused before a method is looked for, GET, bodies that are none, and credentials."""
import base64
import gzip
import json
import re
import urllib.parse

import pytest
from google.protobuf import json_format

import h2client
from fleet.client import (COLLECTORS, PIPELINES, SERVICE_OF, TENANT, Fleet, case, error_of,
                          is_comment)
from harness import Closed, Wire, basic
from rpcclient import ENVELOPES, Api, Connect, ConnectGet, Grpc, GrpcWeb

GET_CONFIG = COLLECTORS + "GetConfig"
JSON = "Content-Type: application/json"
PROTO = "Content-Type: application/proto"


@pytest.fixture(scope="module")
def api():
    return Api()


# --- every method by every envelope

# Method and request; {ID} is the pipeline's, {REVISION} the newest revision's.
SCRIPT = [
    ("CreateCollector", {"collector": {"id": "c", "remoteAttributes": {"a": "b"}, "enabled": False,
                                       "collectorType": "COLLECTOR_TYPE_OTEL"}}),
    ("CreateCollector", {"collector": {"id": "c"}}),
    ("RegisterCollector", {"id": "d", "localAttributes": {"collector.os": "linux", "\u00e9": "x"},
                           "name": "n"}),
    ("UpdateCollector", {"collector": {"id": "c", "enabled": True}}),
    ("BulkUpdateCollectors", {"ids": ["c", "d"], "ops": [
        {"op": "ADD", "path": "remoteAttributes.env", "value": "prod"}]}),
    ("BulkUpdateCollectors", {"ids": ["c", "d"]}),
    ("GetCollector", {"id": "c"}),
    ("GetCollector", {"id": "nobody"}),
    ("GetCollector", {}),
    ("ListCollectors", {"matchers": ["env=prod", "collector.os=~\"lin.*\""]}),
    ("ListCollectors", {"matchers": ["env"]}),
    ("ListCollectorAttributes", {}),
    ("CreatePipeline", {"pipeline": {"name": "p", "contents": "// text\n", "matchers": ["env=prod"],
                                     "metadata": {"n": 1.5, "l": [None, "x"]}, "source": {
                                         "type": "SOURCE_TYPE_TERRAFORM", "namespace": "ns"}}}),
    ("CreatePipeline", {"pipeline": {"name": "q", "contents": "// q\n"}, "validateOnly": True}),
    ("GetPipelineID", {"name": "p"}),
    ("GetPipeline", {"id": "{ID}"}),
    ("UpdatePipeline", {"pipeline": {"id": "{ID}", "name": "p", "contents": "// other\n",
                                     "matchers": ["env=prod"], "enabled": True}}),
    ("UpsertPipeline", {"pipeline": {"name": "q", "contents": "// q\n", "enabled": False}}),
    ("ListPipelines", {"remoteAttributes": {"env": "prod"}, "enabled": True}),
    ("ListPipelines", {}),
    ("ListPipelinesRevisions", {}),
    ("ListPipelineRevisions", {"id": "{ID}"}),
    ("GetPipelineRevision", {"revisionId": "{REVISION}"}),
    ("GetConfig", {"id": "d", "localAttributes": {"collector.os": "linux", "\u00e9": "x"},
                   "remoteConfigStatus": {"status": "RemoteConfigStatuses_APPLIED"},
                   "effectiveConfig": {"configMap": {"configMap": {"": {"body": "eA=="}}}}}),
    ("GetConfig", {"id": "d", "localAttributes": {"collector.os": "linux", "\u00e9": "x"},
                   "hash": "{HASH}"}),
    ("GetConfig", {}),
    ("SyncPipelines", {"source": {"type": "SOURCE_TYPE_GIT", "namespace": "repo"},
                       "pipelines": [{"name": "r", "contents": "// r\n"}]}),
    ("SyncPipelines", {}),
    ("CreateAlloyPipelines", {"mimirUrl": "http://localhost"}),
    ("BulkDeletePipelines", {"ids": ["{ID}", "0"]}),
    ("DeletePipeline", {"id": "{ID}"}),
    ("DeletePipeline", {"id": "{ID}"}),
    ("UnregisterCollector", {"id": "d"}),
    ("DeleteCollector", {"id": "d"}),
    ("BulkDeleteCollectors", {"ids": ["c", "nobody"]}),
    ("BulkDeleteCollectors", {"ids": ["c"]}),
    ("ListCollectors", {}),
]


def masked(text):
    """Without what differs from one run to the next."""
    text = re.sub(r'"\d{4}-\d\d-\d\dT[^"]*Z"', '"TIME"', text)
    return re.sub(r'("(?:id|revisionId)": )"\d+"', r'\1"NUMBER"', text)


def play(fleet, api, envelope, version):
    """The script in a tenant; what came back, line by line."""
    told, known = [], {}
    authorization = fleet.authorization()
    wire = h2client.H2(fleet.server.port()) if version == 2 else Wire(fleet.server.port())
    with wire:
        for method, body in SCRIPT:
            text = json.dumps(body)
            for name, value in known.items():
                text = text.replace("{" + name + "}", value)
            path = SERVICE_OF[method] + method
            request = json_format.Parse(text, api.type(api.method(path).input_type.full_name)(),
                                        descriptor_pool=api.pool)
            by = envelope
            if envelope.get and method != "GetConfig":
                by = Connect(envelope.codec, envelope.zipped)
            got = by.call(api, wire, path, request, [authorization])
            if got.code != "ok":
                assert got.message
                told.append((method, got.code, re.sub(r"\d+", "NUMBER", got.message)))
                continue
            answer, = got.messages
            said = json_format.MessageToJson(answer, descriptor_pool=api.pool, sort_keys=True)
            if method == "GetPipelineID":
                known["ID"] = answer.id
            elif method == "GetConfig" and answer.content:
                known["HASH"] = answer.hash
            elif method == "ListPipelineRevisions":
                known["REVISION"] = answer.pipeline_revisions[0].revision_id
            told.append((method, "ok", masked(said)))
    return told


@pytest.fixture(scope="module")
def expected(shared, api):
    with Fleet(shared) as own:
        return play(own, api, Connect("json"), 1)


def test_the_script_has_every_method(expected, api):
    for service in ("collector.v1.CollectorService", "pipeline.v1.PipelineService"):
        methods = {m.name for m in api.pool.FindServiceByName(service).methods}
        assert methods <= {method for method, _ in SCRIPT}
    codes = [(method, code) for method, code, _ in expected if code != "ok"]
    assert codes == [
        ("CreateCollector", "already_exists"), ("BulkUpdateCollectors", "invalid_argument"),
        ("GetCollector", "not_found"), ("GetCollector", "invalid_argument"),
        ("ListCollectors", "invalid_argument"), ("GetConfig", "invalid_argument"),
        ("SyncPipelines", "invalid_argument"), ("CreateAlloyPipelines", "unimplemented"),
        ("BulkDeletePipelines", "not_found"), ("DeletePipeline", "not_found"),
        ("BulkDeleteCollectors", "not_found")]


UNARY = [e for e in ENVELOPES if e.kind != "connect-stream"]


@pytest.mark.parametrize("envelope, version", [
    pytest.param(e, v, id=f"{e.name}-h{v}") for e in UNARY for v in e.versions])
def test_every_method_says_the_same_by_every_envelope(fleet, api, expected, envelope, version):
    assert play(fleet, api, envelope, version) == expected


# --- what is refused before a method is called


def raw(shared, method, path, body=None, head=()):
    """Without a credential; it is not looked at so early."""
    with shared.connect() as wire:
        return wire.request(method, path, body, None, head)


@pytest.mark.parametrize("media, accepted", [
    case("json", "application/json", True),
    case("json with charset", "application/json; charset=utf-8", True),
    case("json with charset close", "application/json;charset=UTF-8", True),
    case("json in capitals", "Application/JSON", True),
    case("proto", "application/proto", True),
    case("json with another parameter", "application/json; version=1", False),
    case("json in another charset", "application/json; charset=latin1", False),
    case("x-protobuf", "application/x-protobuf", False),
    case("text", "text/plain", False),
    case("a form", "application/x-www-form-urlencoded", False),
    case("a stream of Connect", "application/connect+proto", False),
    case("a stream of Connect in json", "application/connect+json", False),
    case("nonsense", "application", False),
])
@pytest.mark.parametrize("path", [GET_CONFIG, PIPELINES + "ListPipelines"])
def test_media_types(fleet, path, media, accepted):
    body = b'{"id":"c"}' if "son" in media.lower() else b"\x0a\x01c"[:3 * (path == GET_CONFIG)]
    answer = fleet.http("POST", path, body, [f"Content-Type: {media}"])
    if accepted:
        assert answer.status == 200, answer
        assert answer.fields["content-type"].lower().startswith(media.lower()[:15])
        return
    assert (answer.status, answer.body) == (415, b"")
    offered = [m.strip() for m in answer.fields["accept-post"].split(",")]
    assert {"application/json", "application/proto"} <= set(offered) and offered == sorted(offered)


def test_no_media_type_is_none_of_them(fleet):
    answer = fleet.http("POST", GET_CONFIG, None)
    assert (answer.status, answer.body) == (415, b"")


@pytest.mark.parametrize("path", [
    case("no method", "/collector.v1.CollectorService/"),
    case("an unknown method", "/collector.v1.CollectorService/NoSuch"),
    case("an unknown service", "/collector.v1.NoService/GetConfig"),
    case("a trailing slash", GET_CONFIG + "/"),
    case("a double slash", "/" + GET_CONFIG),
    case("a double slash inside", GET_CONFIG.replace("/GetConfig", "//GetConfig")),
    case("another case", GET_CONFIG.lower()),
    case("another case of the method", COLLECTORS + "getConfig"),
    case("a prefix", "/api" + GET_CONFIG),
    case("instrumentation", "/instrumentation.v1.InstrumentationService/GetConfig"),
    case("discovery", "/discovery.v1.DiscoveryService/List"),
    case("tunnel", "/tunnel.v1.TunnelService/Open"),
    case("opamp", "/v1/opamp"),
])
def test_a_path_that_is_no_method_is_404(shared, path):
    answer = raw(shared, "POST", path, b"{}", [JSON])
    assert answer.status == 404, answer
    # Not an error of Connect (another face may own the path and word its own): its clients take the
    # status for "unimplemented".
    said = answer.json().get("code") if answer.body.startswith(b"{") else None
    assert said in (None, "notfound"), answer


@pytest.mark.parametrize("method", sorted(m for m, path in SERVICE_OF.items()
                                          if not path.startswith("/muster")))
def test_only_config_can_be_got(shared, method):
    answer = raw(shared, "GET", SERVICE_OF[method] + method + "?encoding=json&message=%7B%7D")
    if method == "GetConfig":
        assert answer.status == 401, answer
    else:
        assert (answer.status, answer.fields["allow"]) == (405, "POST")
        assert answer.body == b""


@pytest.mark.parametrize("verb", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_other_verbs_are_405(shared, verb):
    answer = raw(shared, verb, GET_CONFIG)
    assert answer.status == 405, answer
    assert sorted(answer.fields["allow"].split(", ")) == ["GET", "POST"]
    answer = raw(shared, verb, COLLECTORS + "ListCollectors")
    assert (answer.status, answer.fields["allow"]) == (405, "POST")


# --- Connect


def test_connect_version(fleet):
    assert fleet.post("ListCollectors", {}, ["Connect-Protocol-Version: 1"]).status == 200
    assert fleet.post("ListCollectors", {}).status == 200
    for version in ("2", "v1", "0"):
        told = error_of(fleet.post("ListCollectors", {}, [f"Connect-Protocol-Version: {version}"]))
        assert told["code"] == "invalid_argument"


@pytest.mark.parametrize("text, fine", [
    case("10 digits", "9999999999", True), case("one digit", "9000", True),
    case("11 digits", "99999999999", False), case("a sign", "+1000", False),
    case("a unit", "1000m", False), case("nothing but a point", ".", False)])
def test_connect_timeout(fleet, text, fine):
    answer = fleet.post("ListCollectors", {}, [f"Connect-Timeout-Ms: {text}"])
    if fine:
        assert answer.status == 200
    else:
        assert error_of(answer)["code"] == "invalid_argument"


def test_compression(fleet):
    fleet.create("c", remoteAttributes={f"key{n}": "v" * 100 for n in range(50)})
    packed = gzip.compress(b'{"id":"c"}')
    answer = fleet.post("GetCollector", packed, ["Content-Encoding: gzip"])
    assert answer.status == 200 and answer.fields["accept-encoding"] == "gzip"
    if answer.fields.get("content-encoding") == "gzip":
        assert json.loads(gzip.decompress(answer.body))["id"] == "c"
    answer = fleet.post("GetCollector", {"id": "c"}, ["Accept-Encoding: br, gzip"])
    assert answer.fields["content-encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(answer.body))["remoteAttributes"]) == 50
    answer = fleet.post("GetCollector", {"id": "c"}, ["Accept-Encoding: br"])
    assert "content-encoding" not in answer.fields and answer.json()["id"] == "c"


def test_compression_that_is_none(fleet):
    told = error_of(fleet.post("GetCollector", b"x", ["Content-Encoding: zstd"]))
    assert told["code"] == "unimplemented" and "gzip" in told["message"]
    told = error_of(fleet.post("GetCollector", b"not gzip", ["Content-Encoding: gzip"]))
    assert told["code"] == "invalid_argument"
    told = error_of(fleet.post("GetCollector", gzip.compress(b'{"id":"c"}')[:-9],
                               ["Content-Encoding: gzip"]))
    assert told["code"] == "invalid_argument"


@pytest.mark.parametrize("body", [
    case("empty", b""), case("an array", b"[]"), case("a string", b'"c"'), case("null", b"null"),
    case("a number", b"1"), case("half", b'{"id":'), case("text behind", b'{"id":"c"} {}'),
    case("a word behind", b'{"id":"c"}x'), case("a comma", b'{"id":"c",}'),
    case("twice", b'{"id":"c","id":"c"}'),
    case("bad UTF-8", b'{"id":"\xff"}'), case("half a surrogate", b'{"id":"\\ud800"}'),
    case("a number for a string", b'{"id":1}'), case("a list for a string", b'{"id":["c"]}'),
    case("too deep", b'{"id":' + b"[" * 200 + b"]" * 200 + b"}"),
])
def test_json_that_is_none(fleet, body):
    fleet.create("c")
    fleet.refused("invalid_argument", "GetCollector", body)


@pytest.mark.parametrize("body", [
    case("both spellings", b'{"collector":{"id":"d","collectorType":1,"collector_type":1}}'),
    case("both spellings of a map", b'{"collector":{"id":"d","remoteAttributes":{"a":"b"},'
                                    b'"remote_attributes":{"a":"b"}}}'),
    case("a key twice", b'{"collector":{"id":"d","remoteAttributes":{"a":"b","a":"c"}}}'),
    case("null in a map", b'{"collector":{"id":"d","remoteAttributes":{"a":null}}}'),
    case("a text for a bool", b'{"collector":{"id":"d","enabled":"true"}}'),
    case("a number for a bool", b'{"collector":{"id":"d","enabled":1}}'),
    case("a bad time", b'{"collector":{"id":"d","createdAt":"yesterday"}}'),
    case("a list for a message", b'{"collector":[]}'),
])
def test_members_that_are_none(fleet, body):
    fleet.refused("invalid_argument", "CreateCollector", body)


def test_json_that_others_would_not_write(fleet):
    body = b'\r\n\t {"nobody": {"knows": [1, null]}, "id" : "\\u0063", "name": null} \n'
    fleet.create("c")
    answer = fleet.post("GetCollector", body)
    assert answer.status == 200 and answer.json()["id"] == "c"


def test_an_empty_body_in_bytes_is_a_message_of_defaults(fleet):
    answer = fleet.post("ListCollectors", b"", [PROTO])
    assert (answer.status, answer.body) == (200, b"")
    assert error_of(fleet.post("GetCollector", b"", [PROTO]))["code"] == "invalid_argument"
    assert fleet.http("POST", COLLECTORS + "ListCollectors", b"", [PROTO]).status == 200


@pytest.mark.parametrize("body", [
    case("a cut field", b"\x0a\x05c"), case("a bad tag", b"\x00"),
    case("a wrong type", b"\x08\x01\x0a"),
    case("a varint without end", b"\xff" * 11), case("bad UTF-8", b"\x0a\x01\xff")])
def test_bytes_that_are_no_message(fleet, body):
    told = error_of(fleet.post("GetCollector", body, [PROTO]))
    assert told["code"] == "invalid_argument"


def test_a_body_over_the_limit(fleet):
    for head, body in (
            ([JSON], b'{"id":"' + b"c" * (4 << 20) + b'"}'),
            ([PROTO, "Content-Encoding: gzip"], gzip.compress(bytes(1) * (8 << 20)))):
        try:
            answer = fleet.http("POST", COLLECTORS + "GetCollector", body, head)
        except Closed:
            pytest.fail("the connection was closed without an answer")
        assert (answer.status, answer.json()["code"]) == (429, "resource_exhausted")
        fleet.hang_up()


# --- GET


def get(fleet, headers=(), **query):
    return fleet.http("GET", GET_CONFIG + "?" + urllib.parse.urlencode(query), headers=headers)


MESSAGE = b"\x0a\x02c1\x22\x0b\x0a\x03env\x12\x04prod"


def test_get_as_alloy_does(fleet):
    fleet.pipeline("web", "// web\n", ["env=prod"])
    message = base64.urlsafe_b64encode(MESSAGE).decode()
    assert message == "CgJjMSILCgNlbnYSBHByb2Q="
    first = get(fleet, base64="1", connect="v1", encoding="proto", message=message.rstrip("="))
    assert first.status == 200 and first.fields["content-type"] == "application/proto"
    assert first.fields["cache-control"] == "no-store"
    assert "accept-encoding" in first.fields["vary"].lower()
    padded = get(fleet, base64="1", encoding="proto", message=message, nobody="knows")
    assert padded.body == first.body
    hashed = re.search(rb"\x12\x40([0-9a-f]{64})$", first.body)[1]
    again = base64.urlsafe_b64encode(MESSAGE + b"\x1a\x40" + hashed).decode().rstrip("=")
    answer = get(fleet, message=again, encoding="proto", base64="1")
    assert answer.body == b"\x12\x40" + hashed + b"\x18\x01"


def test_get_in_json(fleet):
    message = '{"id":"c 1+","localAttributes":{"\u00e9":"&=%"}}'
    answer = get(fleet, encoding="json", message=message)
    assert answer.status == 200 and answer.fields["content-type"] == "application/json"
    assert is_comment(answer.json()["content"])
    assert fleet.collector("c 1+")["localAttributes"]["\u00e9"] == "&=%"
    packed = base64.urlsafe_b64encode(gzip.compress(message.encode())).decode()
    answer = get(fleet, encoding="json", message=packed, base64="1", compression="gzip")
    assert answer.status == 200


def test_get_without_base64_takes_the_bytes_as_they_are(fleet):
    for other in ("0", "true", ""):
        answer = get(fleet, encoding="proto", message=MESSAGE, base64=other)
        assert answer.status == 200, answer
    assert fleet.collector("c1")["localAttributes"]["env"] == "prod"


@pytest.mark.parametrize("status, query", [
    case("no encoding", 415, {"message": "{}"}),
    case("an unknown encoding", 415, {"encoding": "xml", "message": "{}"}),
    case("no message", 400, {"encoding": "json"}),
    case("an empty message in bytes", 400, {"encoding": "proto", "message": ""}),
    case("an empty message in json", 400, {"encoding": "json", "message": ""}),
    case("another version", 400, {"encoding": "json", "message": '{"id":"c"}', "connect": "v2"}),
    case("bad base64", 400, {"encoding": "proto", "message": "!!!", "base64": "1"}),
    case("unknown compression", 501, {"encoding": "json", "message": "x", "compression": "br"}),
    case("no message at all", 400, {"encoding": "proto", "message": "\x07"}),
])
def test_get_that_is_refused(fleet, status, query):
    answer = get(fleet, **query)
    assert answer.status == status, answer
    if status == 415:
        assert answer.body == b""
    else:
        assert error_of(answer)["code"] == {400: "invalid_argument", 501: "unimplemented"}[status]
    assert fleet.listed() == []


def test_get_with_a_body_is_refused(fleet):
    answer = fleet.http("GET", GET_CONFIG + "?encoding=json&message=%7B%22id%22%3A%22c%22%7D",
                        b"{}", [JSON])
    assert answer.status == 415, answer
    assert fleet.listed() == []


def test_get_with_a_long_line(fleet):
    """Attributes as long as they may be: the line has more than 16 KiB."""
    local = {f"{n:02}" + "\u20ac" * 98: "\u20ac" * 150 for n in range(20)}
    text = json.dumps({"id": "c", "localAttributes": local}, ensure_ascii=False).encode()
    message = base64.urlsafe_b64encode(text).decode().rstrip("=")
    assert len(message) > 16 << 10
    assert get(fleet, encoding="json", base64="1", message=message).status == 200
    assert len(fleet.collector("c")["localAttributes"]) == 21


# --- TenantService: only JSON


@pytest.mark.parametrize("method", ["GetLimits", "GetSummary"])
def test_tenants_speak_json_alone(fleet, api, method):
    assert fleet.call(method) == {}
    path, request = TENANT + method, api.new(f"tenant.v1.{method}Request")
    for envelope in (Connect("proto"), Grpc("proto"), GrpcWeb("proto")):
        wire = h2client.H2(fleet.server.port()) if envelope.kind == "grpc" \
            else Wire(fleet.server.port())
        with wire:
            got = envelope.call(api, wire, path, request, [fleet.authorization()])
        assert got.code == "unimplemented", got
    with h2client.H2(fleet.server.port()) as wire:
        got = Grpc("json").call(api, wire, path, request, [fleet.authorization()])
    assert got.code == "ok", got


# --- credentials


def test_forms_of_a_credential(fleet):
    token, name = fleet.token, fleet.tenant
    for line in (basic(name, token), basic("12345", token), basic("", token),
                 f"Authorization: Bearer {token}", f"authorization: bearer {token}",
                 f"Authorization: Bearer {name}:{token}", f"Authorization: Bearer 12345:{token}"):
        answer = fleet.http("POST", COLLECTORS + "ListCollectors", {}, [line], authorization=False)
        assert answer.status == 200, line


BAD = [
    case("none", []),
    case("an unknown token", ["Authorization: Bearer mst_nobody_nothing"]),
    case("an empty Basic", ["Authorization: Basic "]),
    case("Basic that is no base64", ["Authorization: Basic ???"]),
    case("Basic without a colon", ["Authorization: Basic " + base64.b64encode(b"user").decode()]),
    case("the page's own", [basic("user", "pass")]),
    case("another scheme", ["Authorization: Digest username=\"user\""]),
]


@pytest.mark.parametrize("envelope", [Connect("json"), Connect("proto"), ConnectGet("proto"),
                                      Grpc("proto"), Grpc("json"), GrpcWeb("proto")],
                         ids=lambda e: e.name)
@pytest.mark.parametrize("lines", BAD)
def test_without_a_good_credential(fleet, api, envelope, lines):
    """In the shape of who asks; with HTTP 200 where the status is in the trailers."""
    request = api.new("collector.v1.GetConfigRequest", id="c")
    wire = h2client.H2(fleet.server.port()) if 1 not in envelope.versions \
        else Wire(fleet.server.port())
    with wire:
        got = envelope.call(api, wire, GET_CONFIG, request, lines)
    assert got.code == "unauthenticated" and got.message, got
    if envelope.kind in ("connect", "get"):
        assert got.answer.status == 401
        assert got.answer.fields["www-authenticate"] == 'Basic realm="fleet"'
    else:
        assert got.answer.status == 200
    assert fleet.listed() == []


SCOPES = {
    "agent": {"GetConfig", "RegisterCollector", "UnregisterCollector"},
    "collectors:read": {"GetCollector", "ListCollectors", "ListCollectorAttributes", "GetLimits",
                        "GetSummary"},
    "collectors:write": {"CreateCollector", "UpdateCollector", "BulkUpdateCollectors",
                         "DeleteCollector", "BulkDeleteCollectors"},
    "pipelines:read": {"GetPipeline", "GetPipelineID", "ListPipelines", "ListPipelinesRevisions",
                       "ListPipelineRevisions", "GetPipelineRevision"},
    "pipelines:write": {"CreatePipeline", "UpdatePipeline", "UpsertPipeline", "DeletePipeline",
                        "BulkDeletePipelines", "SyncPipelines", "CreateAlloyPipelines"},
}


@pytest.mark.parametrize("scope", sorted(SCOPES))
def test_a_scope_opens_its_methods_and_no_other(fleet, scope):
    with Fleet(fleet.server, fleet.tenant, fleet.key("admin", scope)) as narrow:
        for other, methods in SCOPES.items():
            for method in sorted(methods):
                answer = narrow.post(method, {})
                if other == scope:
                    assert answer.status != 401, (method, answer)
                else:
                    told = error_of(answer)
                    assert told["code"] == "unauthenticated", (method, told)
                    assert "scope" in told["message"]
    assert fleet.listed() == [] and fleet.pipelines() == []


@pytest.mark.parametrize("envelope", [Connect("proto"), ConnectGet("proto"), Grpc("proto"),
                                      GrpcWeb("proto"), GrpcWeb("json")], ids=lambda e: e.name)
def test_a_missing_scope_in_the_shape_of_who_asks(fleet, api, envelope):
    """As the vendor: not "permission denied"."""
    line = basic(fleet.tenant, fleet.key("viewer"))
    wire = h2client.H2(fleet.server.port()) if 1 not in envelope.versions \
        else Wire(fleet.server.port())
    with wire:
        got = envelope.call(api, wire, GET_CONFIG, api.new("collector.v1.GetConfigRequest", id="c"),
                            [line])
    assert got.code == "unauthenticated" and "scope" in got.message
    assert got.answer.status == (401 if envelope.kind in ("connect", "get") else 200)


def test_a_wrong_url_is_told_before_a_wrong_credential(shared):
    assert raw(shared, "POST", COLLECTORS + "NoSuch", b"{}", [JSON]).status == 404
    assert raw(shared, "GET", COLLECTORS + "ListCollectors").status == 405
    assert raw(shared, "POST", GET_CONFIG, b"{}").status == 401
    assert raw(shared, "POST", GET_CONFIG, b"a=b",
               ["Content-Type: application/x-www-form-urlencoded"]).status == 415


def test_a_revoked_key_opens_nothing(fleet):
    token = fleet.key("agent")
    with Fleet(fleet.server, fleet.tenant, token) as agent:
        agent.register("c")
        keys = fleet.server.request("GET", f"/admin/v1/keys?tenant={fleet.tenant}").json()["keys"]
        mine, = [k["id"] for k in keys if k["id"] in token]
        gone = fleet.server.request("DELETE", f"/admin/v1/keys/{mine}?tenant={fleet.tenant}")
        assert gone.status == 200, gone
        told = error_of(agent.post("RegisterCollector", {"id": "d"}))
        assert told["code"] == "unauthenticated"
    assert fleet.listed() == ["c"]
