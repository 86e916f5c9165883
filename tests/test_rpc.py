# SPDX-License-Identifier: Apache-2.0
"""Every method of a test service through every envelope, both versions of HTTP, both codecs,
compressed and not: the answers, the errors and what is said beside them must be the same."""
import base64
import gzip
import json
import socket

import pytest

from h2client import Reset
from harness import PATIENCE
from rpcpeer import (CODES, TEST, Bare, Connect, ConnectGet, ConnectStream, EchoServer, Error, Grpc,
                     GrpcWeb, Types, Wire, envelopes, frame)

SECRET = ("authorization", "Basic " + base64.b64encode(b"a:secret").decode())


@pytest.fixture(scope="module")
def types(tmp_path_factory):
    return Types(tmp_path_factory.mktemp("types"))


@pytest.fixture(scope="module")
def server():
    with EchoServer("--gzip-min=1", "--message-limit=200000") as started:
        yield started


def everything(types):
    made = types["muster.test.v1.Everything"](
        a_int32=-1, a_int64=-2**63, a_uint64=2**64 - 1, a_float=1.5, a_double=0.1, a_bool=True,
        a_string="\u00e9\u263a\U0001f608\0", a_bytes=b"\0\xff", a_color=2, maybe_int32=0,
        many_string=["", "x"], many_double=[float("inf"), -0.0], choice_string="")
    made.a_nested.text = "n"
    made.by_string["k"] = "v"
    made.by_int64[-5] = "five"
    made.nested_by_name["n"].id = 3
    made.wkt_timestamp.seconds = 1
    made.wkt_duration.nanos = -1
    made.wkt_field_mask.paths.append("a_b.c")
    made.wkt_struct["a"] = [1, None, {"b": True}]
    made.wkt_empty.SetInParent()
    made.wrapped_int64.value = 0
    made.wkt_any.Pack(types["google.protobuf.Int32Value"](value=7))
    return made


def unary_cases(types):
    def new(kind, /, **fields):
        return types[f"muster.test.v1.{kind}"](**fields)

    yield "Echo", new("EchoRequest", text="hello", number=-7, ballast=b"\0" * 5000)
    yield "Echo", new("EchoRequest")
    yield "EchoHot", new("EchoRequest", text="\u263a")
    yield "EchoEverything", everything(types)
    yield "EchoReport", new("Report", id="r", counters=[1, 2**40])
    yield "GetThing", new("GetThingRequest", name="shelves/s/things/t")
    yield "ListThings", new("ListThingsRequest", parent="shelves/s", numbers=[1, 2], deep=False)
    yield "CreateThing", new("CreateThingRequest", parent="shelves/s", thing=new("Thing", name="t"))
    yield "UpdateThing", new("UpdateThingRequest", thing=new("Thing", name="t", weight=0))
    yield "DeleteThing", new("DeleteThingRequest", key={"shelf": "s", "number": 3})


def test_a_unary_method_answers_the_same_in_every_envelope(server, types):
    count = 0
    for name, request in unary_cases(types):
        path = f"/{TEST}/{name}"
        wanted = Connect(types, "proto").call(Wire(server, 1), path, [request], [SECRET]).messages
        if name == "EchoEverything":
            assert wanted == [request]
        all_of_them = list(envelopes(types, streams=False))
        if types.method(path).GetOptions().idempotency_level == 1:
            all_of_them += [ConnectGet(types, c, z) for c in ("proto", "json")
                            for z in (False, True)]
        for envelope in all_of_them:
            for version in envelope.versions:
                got = envelope.call(Wire(server, version), path, [request], [SECRET]).messages
                assert got == wanted, (name, envelope, version)
                count += 1
    assert count > 200


def test_an_error_is_the_same_in_every_envelope(server, types):
    problem = types["muster.test.v1.EchoRequest"]()
    problem.problem.message = "50% of \u263a\r\n\t is gone"
    problem.problem.details.add().Pack(types["google.protobuf.Int32Value"](value=7))
    problem.problem.details.add().Pack(types["google.protobuf.StringValue"](value="x" * 300))
    for code in range(1, len(CODES)):
        problem.problem.code = code
        wanted = (CODES[code], problem.problem.message,
                  [(d.TypeName(), d.value) for d in problem.problem.details])
        for envelope in envelopes(types, streams=False):
            for version in envelope.versions:
                with pytest.raises(Error) as caught:
                    envelope.call(Wire(server, version), f"/{TEST}/Echo", [problem])
                assert caught.value.same() == wanted, (envelope, version)


def test_metadata_goes_both_ways_in_every_envelope(server, types):
    raw = b"\0\xff\x10"
    fields = [("echo-text", "some text"), ("echo-bin", base64.b64encode(raw).decode())]
    request = types["muster.test.v1.EchoRequest"](text="x")
    counted = types["muster.test.v1.CountRequest"](**{"from": 1, "to": 2})
    for path, message, streams in (("Echo", request, False), ("Count", counted, True)):
        for envelope in envelopes(types, streams):
            for version in envelope.versions:
                got = envelope.call(Wire(server, version), f"/{TEST}/{path}", [message], fields)
                head, trail = dict(got.head), dict(got.trail)
                assert head["echo-text"] == trail["echo-text-after"] == "some text", envelope
                for value in head["echo-bin"], trail["echo-after-bin"]:
                    assert base64.b64decode(value + "=" * (-len(value) % 4)) == raw


def test_a_server_stream_is_the_same_in_every_envelope(server, types):
    request = types["muster.test.v1.CountRequest"](**{"from": 5, "to": 8, "ballast": b"\0" * 40000})
    for envelope in envelopes(types, streams=True):
        for version in envelope.versions:
            got = envelope.call(Wire(server, version), f"/{TEST}/Count", [request]).messages
            assert [m.number for m in got] == [5, 6, 7, 8], (envelope, version)
            assert all(m.ballast == request.ballast for m in got)


def test_a_stream_that_fails_keeps_what_it_had_sent(server, types):
    request = types["muster.test.v1.CountRequest"](**{"from": 1, "to": 9, "fail_at": 3})
    for envelope in envelopes(types, streams=True):
        for version in envelope.versions:
            with pytest.raises(Error) as caught:
                envelope.call(Wire(server, version), f"/{TEST}/Count", [request])
            assert caught.value.same() == ("aborted", "failed at 3", [])
            assert [m.number for m in caught.value.messages] == [1, 2]


def test_streams_of_requests_are_taken_over_http2(server, types):
    some = [types["muster.test.v1.EchoRequest"](number=n, text=str(n)) for n in range(100)]
    for envelope in envelopes(types, streams=True):
        if repr(envelope).startswith("GrpcWebText"):
            continue  # refused: clients of it do not stream
        got = envelope.call(Wire(server, 2), f"/{TEST}/Collect", some).messages
        assert [m.number for m in got] == [4950]
        got = envelope.call(Wire(server, 2), f"/{TEST}/Chat", some).messages
        assert [m.text for m in got] == [m.text for m in some], envelope


def test_a_stream_larger_than_every_buffer_arrives_whole(server, types):
    request = types["muster.test.v1.CountRequest"](
        **{"from": 1, "to": 40, "ballast": bytes(range(256)) * 400})
    got = Grpc(types, "proto").call(Wire(server, 2), f"/{TEST}/Count", [request]).messages
    assert [m.number for m in got] == list(range(1, 41))
    assert all(m.ballast == request.ballast for m in got)


# --- what is refused before there is a handler ---

def error_of(envelope, wire, path, messages, fields=()):
    with pytest.raises(Error) as caught:
        envelope.call(wire, path, messages, fields)
    return caught.value


def test_a_missing_credential_has_the_envelopes_own_shape(server, types):
    request = types["muster.test.v1.CreateThingRequest"]()
    for envelope in envelopes(types, streams=False):
        for version in envelope.versions:
            wire = Wire(server, version)
            assert error_of(envelope, wire, f"/{TEST}/CreateThing", [request]).code == \
                "unauthenticated"


def test_a_message_over_the_limit_is_resource_exhausted_even_as_a_bomb(server, types):
    bomb = types["muster.test.v1.EchoRequest"](ballast=b"\0" * 3_000_000)
    fits = types["muster.test.v1.EchoRequest"](text="x" * (200_000 - 4))
    assert fits.ByteSize() == 200_000
    over = types["muster.test.v1.EchoRequest"](text="x" * (200_000 - 3))
    for envelope in envelopes(types, streams=False):
        for version in envelope.versions:
            wire = Wire(server, version)
            if envelope.gzipped:
                assert error_of(envelope, wire, f"/{TEST}/Echo", [bomb]).code == \
                    "resource_exhausted", envelope
            if envelope.codec == "proto":
                assert error_of(envelope, wire, f"/{TEST}/Echo", [over]).code == \
                    "resource_exhausted", envelope
                assert envelope.call(wire, f"/{TEST}/Echo", [fits]).messages


def test_a_deadline_that_passes_is_said_in_every_envelope(server, types):
    slow = types["muster.test.v1.EchoRequest"](delay_ms=10_000)
    slow_stream = types["muster.test.v1.CountRequest"](**{"from": 1, "to": 2, "delay_ms": 10_000})
    for envelope, path, request in (
            (Connect(types, "proto"), "Echo", slow), (Grpc(types, "json"), "Echo", slow),
            (GrpcWeb(types, "proto"), "Echo", slow),
            (ConnectStream(types, "json"), "Count", slow_stream),
            (Grpc(types, "proto"), "Count", slow_stream)):
        field = ("connect-timeout-ms", "20") if "Connect" in repr(envelope) else \
            ("grpc-timeout", "20m")
        error = error_of(envelope, Wire(server, 2), f"/{TEST}/{path}", [request], [field])
        assert error.code == "deadline_exceeded", envelope


def test_a_body_that_comes_after_the_deadline_is_late_on_the_loop_too(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as s:
        s.sendall(f"POST /{TEST}/EchoHot HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                  "Connect-Timeout-Ms: 0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
                  .encode())
        assert s.recv(1000).startswith(b"HTTP/1.1 100 ")  # time has passed
        s.sendall(b"{}")
        assert s.recv(1000).startswith(b"HTTP/1.1 504 ")


@pytest.mark.parametrize("value", ["", "x", "-1", "12345678901", "1.5"])
def test_a_malformed_connect_timeout_is_an_invalid_argument(server, types, value):
    request = types["muster.test.v1.EchoRequest"]()
    error = error_of(Connect(types, "proto"), Wire(server, 1), f"/{TEST}/Echo", [request],
                     [("connect-timeout-ms", value)])
    assert error.code == "invalid_argument"


@pytest.mark.parametrize("value", ["", "1", "S", "123456789S", "1s", "-1S", "1 S"])
def test_a_malformed_grpc_timeout_is_an_invalid_argument(server, types, value):
    request = types["muster.test.v1.EchoRequest"]()
    error = error_of(Grpc(types, "proto"), Wire(server, 2), f"/{TEST}/Echo", [request],
                     [("grpc-timeout", value)])
    assert error.code == "invalid_argument"


GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
CONNECT = [("content-type", "application/json")]


@pytest.mark.parametrize("body, fields, code", [
    (b"", [], 12),
    (frame(b"") + frame(b""), [], 12),
    (frame(b"")[:4], [], 3),
    (frame(b"abc")[:-1], [], 3),
    (frame(b"", 1), [], 13),
    (frame(b"", 2), [], 13),
    (frame(gzip.compress(b"", mtime=0)[:-2], 1), [("grpc-encoding", "gzip")], 3),
    (frame(b""), [("grpc-encoding", "br")], 12),
    (frame(b"\xff"), [], 3),
])
def test_bad_grpc_frames_have_their_code(server, body, fields, code):
    status, head, _, trail = Wire(server, 2)("POST", f"/{TEST}/Echo", GRPC + fields, body)
    known = dict(trail or head)
    assert (status, known["grpc-status"]) == (200, str(code)), known
    if fields == [("grpc-encoding", "br")]:
        assert dict(head)["grpc-accept-encoding"] == "gzip"


@pytest.mark.parametrize("body, fields, code", [
    (b"", [], "invalid_argument"),
    (b"[]", [], "invalid_argument"),
    (b'{"text":1}', [], "invalid_argument"),
    (b'{"text":"a","text":"b"}', [], "invalid_argument"),
    (b"{} x", [], "invalid_argument"),
    (b"{}", [("content-encoding", "br")], "unimplemented"),
    (b"{}", [("content-encoding", "gzip")], "invalid_argument"),
    (b"{}", [("connect-protocol-version", "2")], "invalid_argument"),
])
def test_a_bad_connect_request_has_its_code(server, body, fields, code):
    for version in (1, 2):
        status, head, said, _ = Wire(server, version)("POST", f"/{TEST}/Echo", CONNECT + fields,
                                                      body)
        assert json.loads(said)["code"] == code
        assert status == {"invalid_argument": 400, "unimplemented": 501}[code]
        assert dict(head)["content-type"] == "application/json"


def test_an_empty_proto_body_is_an_empty_message(server, types):
    status, _, body, _ = Wire(server, 1)("POST", f"/{TEST}/Echo",
                                         [("content-type", "application/proto")], b"")
    assert (status, body) == (200, b"")


@pytest.mark.parametrize("method, path, fields, status, field", [
    ("POST", "/no.such.Service/Method", CONNECT, 404, None),
    ("POST", f"/{TEST}/NoSuch", CONNECT, 404, None),
    ("GET", f"/{TEST}/Echo", [], 405, ("allow", "POST")),
    ("HEAD", f"/{TEST}/EchoHot", [], 405, ("allow", "POST, GET")),
    ("PUT", f"/{TEST}/EchoHot", CONNECT, 405, ("allow", "GET, POST")),
    ("POST", f"/{TEST}/Echo", [("content-type", "text/plain")], 415, "accept-post"),
    ("POST", f"/{TEST}/Echo", [], 415, "accept-post"),
    ("POST", f"/{TEST}/Echo", [("content-type", "application/connect+json")], 415, "accept-post"),
    ("POST", f"/{TEST}/Count", CONNECT, 415, "accept-post"),
    ("POST", f"/{TEST}/Echo", [("content-type", "application/json; charset=latin-1")], 415, None),
    ("POST", f"/{TEST}/Echo", [("content-type", "Application/JSON;Charset=UTF-8")], 200, None),
    ("GET", f"/{TEST}/EchoHot?message=%7B%7D", [], 415, "accept-post"),
    ("GET", f"/{TEST}/EchoHot?encoding=xml&message=%7B%7D", [], 415, "accept-post"),
    ("GET", f"/{TEST}/EchoHot?encoding=json", [], 400, None),
    ("GET", f"/{TEST}/EchoHot?encoding=proto&message=", [], 200, None),
    ("GET", f"/{TEST}/EchoHot?encoding=json&message=%7B%7D&connect=v2", [], 400, None),
    ("GET", f"/{TEST}/EchoHot?encoding=json&message=%zz", [], 400, None),
    ("GET", f"/{TEST}/EchoHot?encoding=json&message=%7B%7D&base64=1", [], 400, None),
    ("GET", f"/{TEST}/EchoHot?x=y&message=%7B%7D&base64=0&encoding=json", [], 200, None),
])
def test_http_says_what_no_envelope_can(server, method, path, fields, status, field):
    for version in (1, 2):
        body = b"{}" if method in ("POST", "PUT") else b""
        got, head, said, _ = Wire(server, version)(method, path, fields, body)
        assert got == status, said
        if status in (405, 415):
            assert said == b""
        if isinstance(field, str):
            assert field in dict(head)
        elif field:
            assert set(dict(head)[field[0]].split(", ")) == set(field[1].split(", "))


def test_an_unknown_path_is_404_and_unimplemented_for_grpc(server):
    status, head, _, _ = Wire(server, 2)("POST", "/no.such.Service/Method", GRPC, frame(b""))
    assert (status, dict(head)["grpc-status"]) == (404, "12")


def test_grpc_needs_http2(server, types):
    with pytest.raises(Bare) as caught:
        Grpc(types, "proto").call(Wire(server, 1), f"/{TEST}/Echo",
                                  [types["muster.test.v1.EchoRequest"]()])
    assert caught.value.args[0] == 505
    _, _, said, _ = Wire(server, 1)("POST", f"/{TEST}/Echo", [("content-type", "application/grpc")],
                                    b"")
    assert said == b"this needs HTTP/2\n"


def test_an_answer_whose_head_http2_cannot_carry_resets_its_stream(server, types):
    fields = [("echo-text", "x" * 30000), ("echo-bin", base64.b64encode(b"y" * 30000).decode())]
    with pytest.raises(Reset):
        Grpc(types, "proto").call(Wire(server, 2), f"/{TEST}/Echo",
                                  [types["muster.test.v1.EchoRequest"]()], fields)


def test_details_too_large_for_trailers_do_not_keep_the_error_back(server, types):
    problem = types["muster.test.v1.EchoRequest"]()
    problem.problem.code = 5
    problem.problem.details.add().Pack(types["google.protobuf.StringValue"](value="x" * 55000))
    with pytest.raises(Error) as caught:
        Grpc(types, "proto").call(Wire(server, 2), f"/{TEST}/Echo", [problem])
    assert caught.value.same() == ("not_found", "", [])


# --- REST ---

def rest(server, method, path, body=b"", fields=(), version=1):
    status, _, said, _ = Wire(server, version)(method, path, list(fields), body)
    return status, json.loads(said) if said else None


def test_rest_puts_path_query_and_body_into_one_message(server):
    for version in (1, 2):
        assert rest(server, "POST", "/test/v1/echo/77", b'{"text":"x","number":"5"}',
                    version=version) == (200, {"text": "x", "number": "77"})
        assert rest(server, "GET", "/test/v1/echo/a%2Fb%20c", version=version) == \
            (200, {"text": "a/b c"})
        assert rest(server, "GET", "/test/v1/shelves/s/things/t", version=version)[1]["name"] == \
            "shelves/s/things/t"
        assert rest(server, "POST", "/test/v1/shelves/s/things?dry_run=true", b'{"name":"n"}',
                    [SECRET], version=version) == (200, {"name": "shelves/s/things/n"})
        assert rest(server, "PATCH", "/test/v1/shelves/s/things/t", b'{"title":"new"}',
                    version=version) == (200, {"name": "shelves/s/things/t", "title": "new"})
        assert rest(server, "DELETE", "/test/v1/shelves/s/numbers/5", version=version) == (200, {})


def test_rest_reads_nested_and_repeated_query_parameters(server):
    path = ("/test/v1/shelves/s/things?filter.label=a&filter.label=b&filter.page.size=3"
            "&filter.color=COLOR_BLUE&numbers=1&numbers=-2&deep=True&since=2020-01-01T00:00:00Z"
            "&atMost=4&parent=other&unknown=1")
    status, said = rest(server, "GET", path)
    assert status == 200
    assert said["request"] == {
        "parent": "shelves/s", "numbers": ["1", "-2"], "deep": True, "at_most": 4,
        "since": "2020-01-01T00:00:00Z",
        "filter": {"label": ["a", "b"], "color": "COLOR_BLUE", "page": {"size": 3}}}


@pytest.mark.parametrize("query", [
    "wkt_timestamp.seconds=999999999999999", "wkt_duration.seconds=5&wkt_duration.nanos=-5",
    "wkt_field_mask.paths=Foo_B", "wkt_value.number_value=NaN", "wkt_any.type_url=bogus",
])
def test_rest_takes_no_parts_of_what_json_writes_as_one_value(server, query):
    assert rest(server, "GET", "/test/v1/everything?" + query) == (200, {})


def test_rest_keeps_a_slash_inside_a_segment_apart(server):
    assert rest(server, "GET", "/test/v1/shelves/a%2Fthings%2Fb/things/c")[1]["name"] == \
        "shelves/a%2Fthings%2Fb/things/c"


def test_rest_answers_with_one_field_when_the_binding_says_so(server):
    assert rest(server, "GET", "/test/v1/shelves/s/things:plain") == \
        (200, [{"name": "first"}, {"name": "second"}])


def test_rest_binds_variables_deep_in_the_message(server):
    status, said = rest(server, "GET", "/test/v1/pages/tok/things?filter.page.size=2")
    assert said["request"]["filter"] == {"page": {"size": 2, "token": "tok"}}


@pytest.mark.parametrize("method, path, body, field", [
    ("GET", "/test/v1/shelves/s/things?numbers=x", b"", "numbers"),
    ("GET", "/test/v1/shelves/s/things?filter.page.size=1.5", b"", "filter.page.size"),
    ("GET", "/test/v1/shelves/s/things?filter.page=1", b"", "filter.page"),
    ("DELETE", "/test/v1/shelves/s/numbers/x", b"", "key.number"),
    ("POST", "/test/v1/echo", b'{"number":"x"}', "number"),
])
def test_rest_names_the_field_at_fault(server, method, path, body, field):
    status, said = rest(server, method, path, body)
    assert (status, said["error"], said["field"]) == (400, "invalid_argument", field)
