# SPDX-License-Identifier: Apache-2.0
"""Every method of the test service by every envelope, over both HTTP versions, clear and TLS, in
both codecs, compressed and not: the same answers, metadata and errors. And what is refused."""
import base64
import gzip
import json
import struct
import urllib.parse

import pytest

from harness import basic
from rpcclient import (CODES, ENVELOPES, HTTP_STATUS, EchoServer, Grpc, GrpcWebText, frame, frames)

SERVICE = "/muster.test.v1.TestService/"
LIMIT = 300000
AUTH = basic("any", "secret")
TRANSPORTS = [(1, False), (1, True), (2, False), (2, True)]


@pytest.fixture(scope="module")
def echo(tmp_path_factory, certificates):
    with EchoServer(tmp_path_factory.mktemp("echo"), certificates, "--gzip-min", 1,
                    "--message-limit", LIMIT) as server:
        yield server


def on(version, tls):
    return f"h{version}" + ("-tls" if tls else "")


def cells(fits=lambda e: True, transports=TRANSPORTS):
    return [pytest.param(e, v, t, id=f"{e.name}-{on(v, t)}")
            for e in ENVELOPES for v, t in transports if v in e.versions and fits(e)]


def everything(api):
    """A message with something in each kind of field."""
    m = api.new("Everything", a_int32=-5, a_int64=-2**63, a_uint64=2**64 - 1, a_sint64=-3,
                a_fixed64=9, a_float=0.5, a_double=-1e300, a_bool=True, a_string="h\u00e4 \U0001f600",
                a_bytes=bytes(range(256)), a_color=2, maybe_int32=0, maybe_string="",
                many_int64=[1, -1, 2**62], many_string=["", "x"], loose_sint32=[-1, 0],
                by_int32={1: "one", -1: "minus"}, by_string={"k": "v", "": "none"},
                choice_string="chosen", linux="l", field1_name2=7)
    m.a_nested.id = 1
    m.a_nested.children.add(text="deep")
    m.wkt_timestamp.FromJsonString("2024-02-29T23:59:59.123456789Z")
    m.wkt_duration.FromJsonString("-1.5s")
    m.wkt_field_mask.paths.extend(["a_int32", "a_nested.id"])
    m.wkt_struct.update({"n": 1.5, "s": "t", "l": [True, None]})
    m.wkt_any.CopyFrom(api.any(api.new("Page", size=3, token="t")))
    m.wrapped_int64.value = 0
    m.nested_by_name["n"].id = 4
    return m


def list_request(api):
    m = api.new("ListThingsRequest", parent="shelves/one", numbers=[3, -4], deep=False)
    m.filter.label.extend(["a", "b"])
    m.filter.page.size = 7
    m.since.FromJsonString("2001-02-03T04:05:06Z")
    m.at_most.value = 0
    return m


def unary_cases(api):
    """(method, request, answer)"""
    echo = dict(text="na\u00efve \"text\"", ballast=b"\0\xff" * 40, number=-2**53 - 1)
    thing = dict(name="x", title="T", labels={"b": "2", "a": "1"}, weight=0)
    report = api.new("Report", id="i", attributes={"k": "v"}, name="", enabled=False, hash="h",
                     state=2, counters=[1, 2**40])
    report.seen_at.seconds = 1
    listed = api.new("ListThingsResponse", request=list_request(api))
    listed.things.add(name="first")
    listed.things.add(name="second")
    return [
        ("Echo", api.new("EchoRequest", **echo), api.new("EchoResponse", **echo)),
        ("EchoHot", api.new("EchoRequest", **echo), api.new("EchoResponse", **echo)),
        ("EchoHot", api.new("EchoRequest"), api.new("EchoResponse")),
        ("EchoMoving", api.new("EchoRequest", **echo), api.new("EchoResponse", **echo)),
        ("EchoMoving", api.new("EchoRequest", text="straight"),
         api.new("EchoResponse", text="straight")),
        ("EchoEverything", everything(api), everything(api)),
        ("EchoReport", report, report),
        ("GetThing", api.new("GetThingRequest", name="shelves/a/things/b"),
         api.new("Thing", name="shelves/a/things/b", title="a thing")),
        ("ListThings", list_request(api), listed),
        ("CreateThing", api.new("CreateThingRequest", parent="shelves/s",
                                thing=api.new("Thing", **thing)),
         api.new("Thing", **{**thing, "name": "shelves/s/things/x"})),
        ("UpdateThing", api.new("UpdateThingRequest", thing=api.new("Thing", **thing)),
         api.new("Thing", **thing)),
        ("DeleteThing", api.new("DeleteThingRequest", key=dict(shelf="s", number=2**40)),
         api.type("google.protobuf.Empty")()),
    ]


def may_get(api, name):
    options = api.method(SERVICE + name).GetOptions()
    return options.idempotency_level == options.NO_SIDE_EFFECTS


# --- answers


@pytest.mark.parametrize("envelope, version, tls", cells(lambda e: not e.kind == "connect-stream"))
def test_every_unary_method_answers_alike(echo, envelope, version, tls):
    done = 0
    with echo.dial(version, tls) as wire:  # one connection for all
        for name, request, expected in unary_cases(echo.api):
            if envelope.get and not may_get(echo.api, name):
                continue
            out = envelope.call(echo.api, wire, SERVICE + name, request, [AUTH])
            assert out.code == "ok", (name, out)
            assert out.messages == [expected], name
            assert out.compressed == envelope.zipped or not expected.ByteSize(), name
            done += 1
    assert done == (5 if envelope.get else 12)


@pytest.mark.parametrize("envelope, version, tls", cells(lambda e: not e.kind == "connect-stream"))
def test_a_method_of_json_alone_refuses_other_codecs(echo, envelope, version, tls):
    request = echo.api.new("EchoRequest", text="t")
    with echo.dial(version, tls) as wire:
        out = envelope.call(echo.api, wire, SERVICE + "EchoJson", request, [AUTH])
    if envelope.codec == "json":
        assert (out.code, out.messages) == ("ok", [echo.api.new("EchoResponse", text="t")])
    else:
        assert out.code == "unimplemented" and "JSON only" in out.message


@pytest.mark.parametrize("envelope, version, tls", cells(lambda e: not e.get and
                                                         e.kind != "connect-stream"))
def test_errors_and_metadata_survive_a_move(echo, envelope, version, tls):
    with echo.dial(version, tls) as wire:
        out = envelope.call(echo.api, wire, SERVICE + "EchoMoving",
                            echo.api.new("EchoRequest", problem=dict(code=10, message="no")),
                            [AUTH, "echo-text: t"])
        assert (out.code, out.message, out.headers["echo-text"]) == ("aborted", "no", "t")
        # large enough to be unpacked by a worker before it begins on the loop
        big = echo.api.new("EchoRequest", ballast=b"b" * 100000, number=7)
        out = envelope.call(echo.api, wire, SERVICE + "EchoMoving", big, [AUTH])
        assert out.code == "ok" and out.messages[0].number == 7
        assert out.messages[0].ballast == b"b" * 100000
        assert "echo-text" not in out.headers


@pytest.mark.parametrize("envelope, version, tls", cells(
    lambda e: e.kind not in ("connect", "get")))
def test_a_server_stream_gives_every_message(echo, envelope, version, tls):
    request = echo.api.new("CountRequest", **{"from": 3, "to": 40}, ballast=b"b" * 100)
    with echo.dial(version, tls) as wire:
        out = envelope.call(echo.api, wire, SERVICE + "Count", request, ["echo-text: t"])
        assert out.code == "ok", out
        assert [m.number for m in out.messages] == list(range(3, 41))
        assert all(m.ballast == b"b" * 100 for m in out.messages)
        assert out.compressed == envelope.zipped
        assert out.headers["echo-text"] == "t"
        assert out.trailers["echo-text-after"] == "t"
        # none at all, and the connection serves on
        out = envelope.call(echo.api, wire, SERVICE + "Count",
                            echo.api.new("CountRequest", **{"from": 1, "to": 0}))
        assert (out.code, out.messages) == ("ok", [])


@pytest.mark.parametrize("envelope, version, tls", cells(
    lambda e: e.kind not in ("connect", "get")))
def test_a_server_stream_ends_with_an_error_after_messages(echo, envelope, version, tls):
    request = echo.api.new("CountRequest", **{"from": 1, "to": 9}, fail_at=4)
    with echo.dial(version, tls) as wire:
        out = envelope.call(echo.api, wire, SERVICE + "Count", request)
        assert (out.code, out.message) == ("aborted", "failed at 4")
        assert [m.number for m in out.messages] == [1, 2, 3]


@pytest.mark.parametrize("envelope, version, tls", cells(lambda e: e.half, [(2, False), (2, True)]))
def test_requests_as_a_stream(echo, envelope, version, tls):
    requests = [echo.api.new("EchoRequest", text=t, number=n) for t, n in
                [("a", 1), ("", 0), ("b", 40)]]
    with echo.dial(version, tls) as wire:
        out = envelope.call(echo.api, wire, SERVICE + "Collect", requests)
        assert out.code == "ok", out
        assert [(m.text, m.number) for m in out.messages] == [("ab", 41)]
        out = envelope.call(echo.api, wire, SERVICE + "Chat", requests, ["echo-text: t"])
        assert out.code == "ok", out
        assert [(m.text, m.number) for m in out.messages] == [("a", 1), ("", 0), ("b", 40)]
        assert out.headers["echo-text"] == "t" and out.trailers["echo-text-after"] == "t"


@pytest.mark.parametrize("envelope, version, tls", cells(
    lambda e: e.kind not in ("get", "connect-stream")))
def test_metadata_comes_back_as_header_and_trailer(echo, envelope, version, tls):
    bare = base64.b64encode(b"\0\xff\x80b").decode().rstrip("=")
    padded = base64.b64encode(b"\0\xff\x80b").decode()
    for problem in (None, echo.api.new("muster.test.v1.EchoRequest.Problem", code=9, message="no")):
        for sent in (bare, padded):
            with echo.dial(version, tls) as wire:
                out = envelope.call(echo.api, wire, SERVICE + "Echo",
                                    echo.api.new("EchoRequest", problem=problem),
                                    ["echo-text: some text", f"Echo-Bin: {sent}"])
            assert out.code == ("failed_precondition" if problem else "ok")
            assert out.headers["echo-text"] == "some text"
            assert out.trailers["echo-text-after"] == "some text"
            assert out.headers["echo-bin"] == bare
            assert out.trailers["echo-after-bin"] == bare


@pytest.mark.parametrize("envelope, version, tls", cells(lambda e: e.kind != "connect-stream"))
def test_every_code_comes_back_with_message_and_details(echo, envelope, version, tls):
    name = "EchoHot" if envelope.get else "Echo"
    page = echo.api.new("Page", size=1, token="\u00e9")
    detail = echo.api.any(page)
    with echo.dial(version, tls) as wire:
        for number, code in list(enumerate(CODES))[1:]:
            text = f"100% {code} \u00fc"
            request = echo.api.new("EchoRequest", problem=dict(
                code=number, message=text, details=[detail, echo.api.any(echo.api.new("Page"))]))
            out = envelope.call(echo.api, wire, SERVICE + name, request)
            assert (out.code, out.message) == (code, text)
            assert out.details == [("muster.test.v1.Page", page.SerializeToString()),
                                   ("muster.test.v1.Page", b"")]
            if envelope.kind in ("connect", "get"):
                assert out.answer.status == HTTP_STATUS[code]


@pytest.mark.parametrize("envelope, version, tls", cells(
    lambda e: not e.zipped and e.kind not in ("get", "connect-stream"), [(1, False), (2, True)]))
def test_a_deadline_ends_a_unary_call(echo, envelope, version, tls):
    with echo.dial(version, tls) as wire:
        out = envelope.call(echo.api, wire, SERVICE + "Echo",
                            echo.api.new("EchoRequest", delay_ms=600000), timeout_ms=20)
        assert out.code == "deadline_exceeded", out
        out = envelope.call(echo.api, wire, SERVICE + "Echo",
                            echo.api.new("EchoRequest", text="t"), timeout_ms=60000000)
        assert out.code == "ok", out


@pytest.mark.parametrize("envelope, version, tls", cells(
    lambda e: not e.zipped and e.kind not in ("get", "connect"), [(1, False), (2, True)]))
def test_a_deadline_ends_a_stream(echo, envelope, version, tls):
    request = echo.api.new("CountRequest", **{"from": 1, "to": 2}, delay_ms=600000)
    with echo.dial(version, tls) as wire:
        out = envelope.call(echo.api, wire, SERVICE + "Count", request, timeout_ms=20)
        assert (out.code, out.messages) == ("deadline_exceeded", [])


@pytest.mark.parametrize("envelope, version, tls", cells(
    lambda e: not e.get and e.kind != "connect-stream", [(1, False), (2, False)]))
def test_credentials_and_what_is_not_built_are_refused_in_the_callers_protocol(
        echo, envelope, version, tls):
    with echo.dial(version, tls) as wire:
        create = echo.api.new("CreateThingRequest", parent="p")
        out = envelope.call(echo.api, wire, SERVICE + "CreateThing", create)
        assert out.code == "unauthenticated", out
        if envelope.kind == "connect":
            assert out.answer.status == 401
            assert out.answer.fields["www-authenticate"].startswith("Basic realm=")
        out = envelope.call(echo.api, wire, SERVICE + "CreateThing", create,
                            [basic("any", "wrong")])
        assert out.code == "unauthenticated", out
        out = envelope.call(echo.api, wire, "/grpc.testing.TestService/UnimplementedCall",
                            echo.api.type("grpc.testing.Empty")())
        assert out.code == "unimplemented", out
        if envelope.kind == "connect":
            assert out.answer.status == 501


# --- REST


def rest(echo, wire, verb, path, body=None, fields=()):
    fields = [AUTH, *fields]
    return wire.request(verb, path, body, None, fields)


def rest_cases():
    """(verb, path, body, JSON answer)"""
    echoed = {"text": "t", "number": "5"}
    first_second = [{"name": "first"}, {"name": "second"}]
    thing = {"name": "n", "title": "T", "labels": {"a": "1"}, "weight": 0}
    listed = ("filter.label=a&filter.label=b&filter.color=COLOR_BLUE&filter.page.size=7&numbers=1"
              "&numbers=-2&deep=false&since=2001-02-03T04:05:06Z&at_most=0&nobody=knows")
    understood = {"parent": "shelves/s", "numbers": ["1", "-2"], "deep": False, "at_most": 0,
                  "filter": {"label": ["a", "b"], "color": "COLOR_BLUE", "page": {"size": 7}},
                  "since": "2001-02-03T04:05:06Z"}
    return [
        ("POST", "/test/v1/echo", {"text": "t", "number": "5"}, echoed),
        ("POST", "/test/v1/echo", {"text": "t", "number": 5, "unknown": [1]}, echoed),
        ("POST", "/test/v1/echo/5", {"text": "t", "number": 6}, echoed),  # the path wins
        ("GET", "/test/v1/echo/a%20b%2Fc?number=-1&ballast=AP8", None,
         {"text": "a b/c", "number": "-1", "ballast": "AP8="}),
        ("POST", "/test/v1/everything", {"a_bool": True, "aInt64": "7", "by_bool": {"true": "x"}},
         {"a_bool": True, "a_int64": "7", "by_bool": {"true": "x"}}),
        ("GET", "/test/v1/everything?a_double=0.5&many_string=x&many_string=y&a_nested.id=3"
         "&aColor=1&maybe_bool=false", None,
         {"a_double": 0.5, "many_string": ["x", "y"], "a_nested": {"id": 3}, "a_color": "COLOR_RED",
          "maybe_bool": False}),
        ("GET", "/test/v1/shelves/a/things/b", None,
         {"name": "shelves/a/things/b", "title": "a thing"}),
        ("GET", "/test/v1/shelves/s/things?" + listed, None,
         {"things": first_second, "request": understood}),
        ("GET", "/test/v1/shelves/s/things:plain", None, first_second),
        ("GET", "/test/v1/pages/tok/things?filter.page.size=2", None,
         {"things": first_second, "request": {"filter": {"page": {"token": "tok", "size": 2}}}}),
        ("POST", "/test/v1/shelves/s/things?dry_run=true", thing,
         {**thing, "name": "shelves/s/things/n"}),
        ("PATCH", "/test/v1/shelves/s/things/n?update_mask=title", thing,
         {**thing, "name": "shelves/s/things/n"}),
        ("PUT", "/test/v1/shelves/s/things/n", {"thing": thing, "update_mask": "title"},
         {**thing, "name": "shelves/s/things/n"}),
        ("DELETE", "/test/v1/shelves/s/numbers/12", None, {}),
    ]


@pytest.mark.parametrize("version, tls", TRANSPORTS)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_rest_binding_answers(echo, version, tls, zipped):
    with echo.dial(version, tls) as wire:
        for verb, path, body, expected in rest_cases():
            fields = ["Accept-Encoding: gzip" if zipped else "Accept-Encoding: identity"]
            if body is not None:
                fields.append("Content-Type: application/json")
                body = json.dumps(body).encode()
                if zipped:
                    body = gzip.compress(body)
                    fields.append("Content-Encoding: gzip")
            answer = rest(echo, wire, verb, path, body, fields)
            assert answer.status == 200, (verb, path, answer)
            assert answer.fields["content-type"].startswith("application/json")
            data = answer.body
            if answer.fields.get("content-encoding") == "gzip":
                data = gzip.decompress(data)
            assert json.loads(data) == expected, (verb, path)


@pytest.mark.parametrize("version", [1, 2])
def test_rest_has_metadata_and_errors_in_the_dialects_shape(echo, version):
    with echo.dial(version) as wire:
        answer = rest(echo, wire, "POST", "/test/v1/echo", {}, ["Echo-Text: t"])
        assert answer.fields["echo-text"] == "t"
        assert answer.fields["trailer-echo-text-after"] == "t"
        for number, code in list(enumerate(CODES))[1:]:
            answer = rest(echo, wire, "POST", "/test/v1/echo",
                          {"problem": {"code": number, "message": "m"}})
            assert answer.status == HTTP_STATUS[code]
            assert answer.json() == {"error": code, "message": "m"}
        assert rest(echo, wire, "GET", "/test/v1/shelves/a/things/none").status == 404
        for verb, path, body, field in [
                ("POST", "/test/v1/echo/abc", {}, "number"),
                ("POST", "/test/v1/echo", b"{", None),
                ("POST", "/test/v1/echo", b"", None),
                ("POST", "/test/v1/echo", {"number": "1.5"}, None),
                ("GET", "/test/v1/everything?a_int32=99999999999", None, "a_int32"),
                ("GET", "/test/v1/everything?a_bool=yes", None, "a_bool"),
                ("GET", "/test/v1/everything?a_bytes=*", None, "a_bytes"),
                ("DELETE", "/test/v1/shelves/s/numbers/x", None, "key.number")]:
            answer = rest(echo, wire, verb, path, body)
            assert answer.status == 400, (verb, path, answer)
            assert answer.json()["error"] == "invalid_argument"
            if field:
                assert answer.json()["field"] == field
        answer = rest(echo, wire, "PUT", "/test/v1/echo", {})
        assert answer.status == 405 and answer.fields["allow"] == "POST"
        answer = rest(echo, wire, "DELETE", "/test/v1/shelves/s/things/x")
        assert answer.status == 405 and "GET" in answer.fields["allow"], answer
        answer = rest(echo, wire, "POST", "/test/v1/echo",
                      gzip.compress(b'{"text":"' + b"a" * (4 * LIMIT) + b'"}'),
                      ["Content-Encoding: gzip"])
        assert answer.status == 413, answer
        answer = rest(echo, wire, "POST", "/test/v1/echo", {}, ["Content-Encoding: br"])
        assert answer.status == 415, answer


# --- bad input


@pytest.mark.parametrize("version", [1, 2])
def test_unknown_paths_are_404_and_unimplemented_for_grpc(echo, version):
    with echo.dial(version) as wire:
        for path in ["/muster.test.v1.TestService/Nothing", "/no.Service/Echo", SERVICE + "Echo/",
                     "/" + SERVICE + "Echo", SERVICE.lower() + "echo", "/"]:
            for media in ("application/proto", "application/json", "application/grpc+proto",
                          "application/grpc-web+proto"):
                answer = wire.request("POST", path, b"", None, [f"Content-Type: {media}"])
                assert answer.status == 404, (path, answer)
                if "grpc" in media:
                    assert answer.fields["grpc-status"] == "12", answer
                else:
                    assert answer.fields.get("content-type") != "application/json"


@pytest.mark.parametrize("version, tls", TRANSPORTS)
def test_other_verbs_are_405_and_told_which_would_do(echo, version, tls):
    with echo.dial(version, tls) as wire:
        for name, allow in [("Echo", "POST"), ("EchoHot", "GET, POST"), ("Count", "POST"),
                            ("GetThing", "GET, POST"), ("Collect", "POST")]:
            for verb in ("PUT", "DELETE", "PATCH", "HEAD", "OPTIONS") + \
                    (("GET",) if allow == "POST" else ()):
                answer = wire.request(verb, SERVICE + name, None, None,
                                      ["Content-Type: application/proto"])
                assert answer.status == 405, (verb, name, answer)
                assert sorted(answer.fields["allow"].split(", ")) == allow.split(", "), (verb, name)
                assert not answer.body


MEDIA = ["application/grpc", "application/grpc+json", "application/grpc+json; charset=utf-8",
         "application/grpc+proto", "application/grpc-web", "application/grpc-web+json",
         "application/grpc-web+proto", "application/grpc-web-text",
         "application/grpc-web-text+proto"]
UNARY_MEDIA = [*MEDIA, "application/json", "application/json; charset=utf-8", "application/proto"]
STREAM_MEDIA = ["application/connect+json", "application/connect+proto", *MEDIA]


@pytest.mark.parametrize("version, tls", TRANSPORTS)
def test_other_media_types_are_415_and_told_which_would_do(echo, version, tls):
    wrong = ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1",
             "application/json; a=b", "application/grpc+thrift", "application/protobuf", "", "*/*"]
    with echo.dial(version, tls) as wire:
        for name, own, foreign in [("Echo", UNARY_MEDIA, "application/connect+proto"),
                                   ("Count", STREAM_MEDIA, "application/proto"),
                                   ("Count", STREAM_MEDIA, "application/json")]:
            for media in [*wrong, foreign]:
                answer = wire.request("POST", SERVICE + name, b"{}", None,
                                      [f"Content-Type: {media}"])
                assert answer.status == 415, (name, media, answer)
                assert answer.fields["accept-post"] == ", ".join(own)
                assert not answer.body
        for line in ["Content-Type: application/JSON;charset=UTF-8",
                     "Content-Type: Application/json;  charset=utf-8"]:
            answer = wire.request("POST", SERVICE + "Echo", b"{}", None, [line])
            assert answer.status == 200, line
            assert answer.fields["content-type"] == "application/json; charset=utf-8"
        for query in ("", "message={}", "encoding=xml&message={}"):
            answer = wire.request("GET", SERVICE + "EchoHot?" + query)
            assert answer.status == 415 and "accept-post" in answer.fields, (query, answer)


@pytest.mark.parametrize("envelope, version, tls", cells(
    lambda e: not e.zipped and e.codec == "proto", [(1, False), (2, False)]))
def test_an_unknown_compression_is_unimplemented(echo, envelope, version, tls):
    with echo.dial(version, tls) as wire:
        name = "Count" if envelope.kind == "connect-stream" else "EchoHot"
        if envelope.get:
            answer = wire.request("GET", SERVICE + name +
                                  "?encoding=proto&message=&compression=br&connect=v1")
            out = envelope.read(echo.api, SERVICE + name, answer)
        else:
            field = {"connect": "content-encoding", "connect-stream": "connect-content-encoding"} \
                .get(envelope.kind, "grpc-encoding")
            out = envelope.call(echo.api, wire, SERVICE + name,
                                echo.api.new("EchoRequest"), [f"{field}: br"])
        assert out.code == "unimplemented"
        assert "gzip" in out.message, "the supported list is missing"


FRAMED = [e for e in ENVELOPES if e.codec == "proto" and not e.zipped
          and e.kind not in ("connect", "get")]
FRAMED_CELLS = [pytest.param(e, v, id=f"{e.name}-h{v}") for e in FRAMED for v in e.versions]


def send_frames(echo, envelope, wire, name, body, fields=()):
    """The body as it is, but for the text form's base64."""
    if envelope.kind == "grpc-web-text":
        body = base64.b64encode(body)
    answer = wire.request("POST", SERVICE + name, body, None, envelope.head() + list(fields))
    return envelope.read(echo.api, SERVICE + name, answer)


@pytest.mark.parametrize("envelope, version", FRAMED_CELLS)
def test_broken_frames_are_refused(echo, envelope, version):
    message = echo.api.new("EchoRequest", text="t").SerializeToString()
    head = "connect-content-encoding" if envelope.kind == "connect-stream" else "grpc-encoding"
    with echo.dial(version) as wire:
        for name in ("Count",) if envelope.kind == "connect-stream" else ("Count", "Echo"):
            whole = frame(echo.api.new("CountRequest", **{"from": 1, "to": 1}).SerializeToString()
                          if name == "Count" else message)
            for body, code, fields in [
                    (b"\0", "invalid_argument", ()),
                    (b"\0\0\0\0", "invalid_argument", ()),
                    (whole[:-1], "invalid_argument", ()),
                    (frame(b"")[:4] + b"\xff", "invalid_argument", ()),
                    (struct.pack(">BI", 0, 2**32 - 1), "invalid_argument", ()),
                    (whole + b"\0\0", "invalid_argument", ()),
                    (frame(b"\xff\xff"), "invalid_argument", ()),
                    (b"", "unimplemented", ()),
                    (whole + whole, "unimplemented", ()),
                    (frame(gzip.compress(message), 1), "internal", ()),
                    (frame(gzip.compress(message), 1), "internal", (f"{head}: identity",)),
                    (frame(message, 4), "internal", ()),
                    (frame(b"no gzip", 1), "invalid_argument", (f"{head}: gzip",)),
                    (frame(gzip.compress(message)[:-9], 1), "invalid_argument", (f"{head}: gzip",))]:
                out = send_frames(echo, envelope, wire, name, body, fields)
                assert (out.code, out.messages) == (code, []), (name, body, out)
            # An uncompressed message is fine whatever the request announces; so is an empty one.
            out = send_frames(echo, envelope, wire, name, whole, (f"{head}: gzip",))
            assert out.code == "ok", out
            out = send_frames(echo, envelope, wire, name, frame(b"", 1), (f"{head}: gzip",))
            assert out.code == "ok", out


@pytest.mark.parametrize("envelope, version, tls", cells(lambda e: not e.get,
                                                        [(1, False), (2, False)]))
def test_a_message_over_the_limit_is_exhausting_and_one_at_it_is_not(echo, envelope, version, tls):
    api, stream = echo.api, envelope.kind == "connect-stream"
    path = SERVICE + ("Count" if stream else "Echo")
    make = (lambda n: api.new("CountRequest", **{"from": 1}, ballast=b"a" * n)) if stream else \
        (lambda n: api.new("EchoRequest", ballast=b"a" * n))

    def size(n):
        made = make(n)
        return len(api.to_json(made)) if envelope.codec == "json" else made.ByteSize()

    step = 3 if envelope.codec == "json" else 1  # of base64
    fits = next(n for n in range(LIMIT * 3 // 4 if step == 3 else LIMIT, 0, -step)
                if size(n // step * step) <= LIMIT) // step * step
    with echo.dial(version, tls) as wire:
        assert LIMIT - 4 < size(fits) <= LIMIT < size(fits + step)
        out = envelope.call(api, wire, path, make(fits))
        assert out.code == "ok", out
    with echo.dial(version, tls) as wire:
        out = envelope.call(api, wire, path, make(fits + step))
        assert out.code == "resource_exhausted", out


@pytest.mark.parametrize("envelope, version, tls", cells(lambda e: e.zipped,
                                                        [(1, False), (2, False)]))
def test_a_gzip_bomb_stops_at_the_limit(echo, envelope, version, tls):
    # A query is part of the head, and a field of HTTP/2's head has at most 64 KiB.
    blob = gzip.compress(b"\0" * ((8 if envelope.get else 64) << 20))
    stream = envelope.kind == "connect-stream"
    path = SERVICE + ("Count" if stream else "EchoHot")

    class Bomb(type(envelope)):
        def pack(self, api, message):
            return blob

    with echo.dial(version, tls) as wire:
        out = Bomb(envelope.codec, True).call(echo.api, wire, path, echo.api.new("EchoRequest"))
        assert out.code == "resource_exhausted", out


@pytest.mark.parametrize("envelope, version, tls", cells(lambda e: not e.zipped,
                                                        [(1, False), (2, False)]))
def test_malformed_timeouts_are_invalid(echo, envelope, version, tls):
    connect = ["", "a", "-1", "1.5", "12345678901", " 1 2", "0x10", "1s"]
    grpc = ["", "1", "m", "1x", "-1m", "123456789m", "1.5S", "1 m", "10mm"]
    stream = envelope.kind == "connect-stream"
    path = SERVICE + ("Count" if stream else "EchoHot")
    is_connect = envelope.kind in ("connect", "get", "connect-stream")
    field = "Connect-Timeout-Ms" if is_connect else "grpc-timeout"
    with echo.dial(version, tls) as wire:
        for value in connect if is_connect else grpc:
            out = envelope.call(echo.api, wire, path, echo.api.new("EchoRequest"),
                                [f"{field}: {value}"])
            assert out.code == "invalid_argument", (value, out)
        for value in ("9999999999", "0060000") if is_connect else ("99999999H", "60S", "60000000u"):
            out = envelope.call(echo.api, wire, path, echo.api.new("EchoRequest"),
                                [f"{field}: {value}"])
            assert out.code == "ok", (value, out)


@pytest.mark.parametrize("version", [1, 2])
def test_connects_own_rules(echo, version):
    with echo.dial(version) as wire:
        def post(body, *fields, media="json", name="Echo"):
            answer = wire.request("POST", SERVICE + name, body, None,
                                  [f"Content-Type: application/{media}", *fields])
            return answer.status, answer

        assert post(b"{}")[0] == 200
        status, answer = post(b"{}", "Connect-Protocol-Version: 2")
        assert status == 400 and answer.json()["code"] == "invalid_argument"
        assert post(b"")[0] == 400
        status, answer = post(b"", media="proto")
        assert status == 200 and answer.body == b""
        assert post(b"", "Content-Encoding: gzip", media="proto")[0] == 200
        for body in (b"[]", b"1", b'{"text":1}', b'{"text":"a","text":"b"}', b"{} {}",
                     b'{"text":"\xff"}',
                     b'{"number":9223372036854775808}', b'{"number":"x"}', b'{"ballast":"*"}',
                     b"{" * 1000, b'{"text":"\\ud800"}', b"\0"):
            status, answer = post(body)
            assert status == 400 and answer.json()["code"] == "invalid_argument", (body, answer)
        for body in (b"\x0a\x05a", b"\x0a\x01\xff", b"\xff" * 12, b"\x0b", b"\x07"):
            status, answer = post(body, media="proto")
            assert status == 400 and answer.json()["code"] == "invalid_argument", (body, answer)
        status, answer = post(b"not gzip", "Content-Encoding: gzip")
        assert status == 400 and answer.json()["code"] == "invalid_argument"
        # Without Accept-Encoding the answer comes as the request came.
        status, answer = post(gzip.compress(b'{"text":"abcabc"}'), "Content-Encoding: gzip")
        assert answer.fields["content-encoding"] == "gzip"
        assert json.loads(gzip.decompress(answer.body)) == {"text": "abcabc"}
        assert answer.fields["accept-encoding"] == "gzip"

        def get(query, name="EchoHot", fields=()):
            answer = wire.request("GET", SERVICE + name + "?" + query, None, None, list(fields))
            return answer.status, answer

        status, answer = get("encoding=json&message=%7B%22text%22%3A%22a+b%22%7D&other=1")
        assert status == 200 and answer.json() == {"text": "a b"}
        assert answer.fields["content-type"] == "application/json"
        assert answer.fields["vary"].lower() == "accept-encoding"
        assert get("encoding=proto&message=")[1].body == b""
        padded = urllib.parse.quote(base64.urlsafe_b64encode(b"\x0a\x01a").decode())
        assert get(f"encoding=proto&base64=1&message={padded}")[1].body == b"\x0a\x01a"
        for query in ("encoding=json", "encoding=proto&message=AA*&base64=1",
                      "encoding=json&message={}&connect=v2", "encoding=json&message=%zz",
                      "encoding=json&message={", "encoding=proto&message=AA&base64=1&compression=gzip"):
            status, answer = get(query)
            assert status == 400 and answer.json()["code"] == "invalid_argument", (query, answer)


def test_a_get_with_a_body_is_no_call(echo):
    with echo.dial(1) as wire:
        answer = wire.request("GET", SERVICE + "EchoHot?encoding=json&message={}", b"{}")
        assert answer.status == 415


def test_grpc_wants_http2(echo):
    with echo.dial(1) as wire:
        answer = wire.request("POST", SERVICE + "Echo", frame(b""), None,
                              ["Content-Type: application/grpc", "TE: trailers"])
        assert answer.status == 505
    with echo.dial(1) as wire:
        answer = wire.request("POST", SERVICE + "Chat", frame(b""), None,
                              ["Content-Type: application/connect+proto"])
        assert answer.status == 505


@pytest.mark.parametrize("form", [base64.b64encode, lambda b: b"".join(
    base64.b64encode(b[i:i + 2]) for i in range(0, len(b), 2))])
def test_grpc_web_text_may_be_padded_in_the_middle(echo, form):
    envelope = GrpcWebText("proto")
    message = echo.api.new("EchoRequest", text="some text")
    with echo.dial(1) as wire:
        answer = wire.request("POST", SERVICE + "Echo", form(frame(message.SerializeToString())),
                              None, envelope.head())
        assert envelope.read(echo.api, SERVICE + "Echo", answer).messages[0].text == "some text"
        for body in (b"A", b"AAA", b"####", b"AAAAA=AA"):
            answer = wire.request("POST", SERVICE + "Echo", body, None, envelope.head())
            assert envelope.read(echo.api, SERVICE + "Echo", answer).code == "invalid_argument"


def test_a_half_sent_stream_of_requests_is_answered_before_it_ends(echo):
    """Both ways at once: an answer comes while the request is open."""
    envelope = Grpc("proto")
    with echo.dial(2) as wire:
        fields = [(n.lower(), v.strip()) for n, _, v in (h.partition(":") for h in envelope.head())]
        stream = wire.begin("POST", SERVICE + "Chat", fields, end=False)
        for text in ("one", "two"):
            before = len(wire.answers[stream].body) if stream in wire.answers else 0
            wire.send(stream, envelope.body(echo.api, [echo.api.new("EchoRequest", text=text)]),
                      end=False)
            while stream not in wire.answers or len(wire.answers[stream].body) == before:
                wire.pump()
            got = frames(wire.answers[stream].body[before:])
            assert envelope.unpack(echo.api, SERVICE + "Chat", got[0][1]).text == text
        wire.send(stream, frame(b"")[:3])  # and then it breaks off
        out = envelope.read(echo.api, SERVICE + "Chat", wire.answer(stream))
        assert out.code == "invalid_argument", out


def test_the_server_is_well_after_a_caller_went_away(echo):
    """Resets in the middle of a stream and of a sleeping call; others are served on."""
    envelope = Grpc("proto")
    for name, request in [
            ("Count", echo.api.new("CountRequest", **{"from": 0, "to": 2**31}, ballast=b"b" * 900)),
            ("Echo", echo.api.new("EchoRequest", delay_ms=200))]:
        wire = echo.dial(2)
        fields = [(n.lower(), v.strip()) for n, _, v in (h.partition(":") for h in envelope.head())]
        stream = wire.begin("POST", SERVICE + name, fields, end=False)
        wire.send(stream, envelope.body(echo.api, [request]))
        if name == "Count":
            while stream not in wire.answers or len(wire.answers[stream].body) < 100000:
                wire.pump()
        wire.connection.reset_stream(stream, error_code=8)
        wire.flush()
        out = envelope.call(echo.api, wire, SERVICE + "EchoHot", echo.api.new("EchoRequest", text="x"))
        assert out.code == "ok"
        wire.close()
