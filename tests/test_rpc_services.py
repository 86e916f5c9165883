# SPDX-License-Identifier: Apache-2.0
"""Streams that outlive their client, and the services that come with the engine: health, reflection,
the .proto files, the OpenAPI document."""
import contextlib
import json
import socket

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from h2client import H2, CANCEL
from harness import PATIENCE
from rpcpeer import TEST, Connect, ConnectStream, EchoServer, Error, Grpc, Types, Wire, frame, frames

REFLECTION = ("v1", "v1alpha")


@pytest.fixture(scope="module")
def types(tmp_path_factory):
    return Types(tmp_path_factory.mktemp("types"))


@pytest.fixture(scope="module")
def server():
    with EchoServer("--gzip-min=0") as started:
        yield started


def endless(types, **more):
    return types["muster.test.v1.CountRequest"](**{"from": 1, "to": 2**32 - 1}, **more)


def answers_with_its_only_worker(server, types):
    request = types["muster.test.v1.EchoRequest"](text="still here")
    got = Connect(types, "proto").call(Wire(server, 1), f"/{TEST}/Echo", [request]).messages
    assert got[0].text == "still here"


def test_a_stream_ends_when_its_http1_client_leaves(types):
    with EchoServer("--workers=1") as server:
        with contextlib.closing(socket.create_connection(("127.0.0.1", server.port),
                                                         PATIENCE)) as s:
            body = frame(endless(types, ballast=b"x" * 10000).SerializeToString())
            s.sendall(f"POST /{TEST}/Count HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
                      "Content-Type: application/connect+proto\r\n\r\n".encode() + body)
            assert s.recv(100).startswith(b"HTTP/1.1 200")
        answers_with_its_only_worker(server, types)


def begin_grpc(c, path, message=None, fields=()):
    stream = c.begin("POST", path, [("content-type", "application/grpc"), ("te", "trailers"),
                                    *fields], end=False)
    if message is not None:
        c.send(stream, frame(message.SerializeToString()))
    return stream


def read_until(c, stream, count):
    """Pumps until so many whole messages are there; returns all of them."""
    def whole():
        body = c.answers[stream].body if stream in c.answers else b""
        got = []
        while len(body) >= 5 and len(body) >= 5 + int.from_bytes(body[1:5], "big"):
            cut = 5 + int.from_bytes(body[1:5], "big")
            got.append(body[5:cut])
            body = body[cut:]
        return got

    while len(whole()) < count and stream not in c.ended:
        c.pump()
    return whole()


def test_a_stream_ends_when_its_http2_client_resets_it(types):
    with EchoServer("--workers=1") as server:
        for slow in (False, True):  # one that reads, and one whose window stays shut
            with H2(server.port, hold=slow) as c:
                stream = begin_grpc(c, f"/{TEST}/Count", endless(types, ballast=b"x" * 10000))
                read_until(c, stream, 3)
                c.connection.reset_stream(stream, CANCEL)
                c.flush()
                answers_with_its_only_worker(server, types)


def test_a_stream_to_a_client_that_does_not_read_ends_at_its_deadline(types):
    with EchoServer("--workers=1") as server, H2(server.port, hold=True) as c:
        begin_grpc(c, f"/{TEST}/Count", endless(types, ballast=b"x" * 10000),
                   [("grpc-timeout", "200m")])
        answers_with_its_only_worker(server, types)


def test_a_two_way_stream_answers_each_message_as_it_comes(server, types):
    request, answer = types["muster.test.v1.EchoRequest"], types["muster.test.v1.EchoResponse"]
    with H2(server.port) as c:
        stream = begin_grpc(c, f"/{TEST}/Chat")
        for n in range(1, 20):
            sent = frame(request(number=n, ballast=b"b" * n * 1000).SerializeToString())
            for part in (sent[:3], sent[3:7], sent[7:]):
                c.send(stream, part, end=False)
            got = read_until(c, stream, n)
            assert answer.FromString(got[-1]).number == n
        c.send(stream, b"")
        assert c.answer(stream).trailers["grpc-status"] == "0"


def test_a_two_way_stream_stops_reading_when_its_answers_are_not_read(server, types):
    request = types["muster.test.v1.EchoRequest"](ballast=b"x" * 100_000)
    total = 50
    with H2(server.port, hold=True, settings={4: 2**24}) as c:
        # The answers have room for little more than the connection's first window.
        stream = begin_grpc(c, f"/{TEST}/Chat")
        sent = 0
        body = frame(request.SerializeToString()) * total
        while sent < len(body):
            room = min(c.connection.local_flow_control_window(stream),
                       c.connection.max_outbound_frame_size, len(body) - sent)
            if room == 0:
                # Only a window update helps now, and it may not come: give the answers back.
                got = len(c.answers[stream].body) if stream in c.answers else 0
                if got:
                    break
                c.pump()
                continue
            c.connection.send_data(stream, body[sent:sent + room])
            c.flush()
            sent += room
        assert sent < len(body)
        held = len(c.answers[stream].body)
        c.connection.acknowledge_received_data(held, stream)
        c.hold = False
        c.flush()
        c.send(stream, body[sent:])
        answer = c.answer(stream)
        assert answer.trailers["grpc-status"] == "0"
        assert sum(1 for _ in frames(answer.body)) == total


@pytest.mark.parametrize("data, code", [
    (frame(b"\xff"), "3"), (frame(b"")[:3], "3"), (frame(b"abc")[:-1], "3"),
    (b"\0\xff\xff\xff\xff", "8"), (frame(b"", 4), "13")])
def test_a_bad_message_ends_a_two_way_stream(server, data, code):
    with H2(server.port) as c:
        stream = begin_grpc(c, f"/{TEST}/Chat")
        c.send(stream, data)
        assert c.answer(stream).trailers["grpc-status"] == code


def test_a_two_way_stream_ends_at_its_deadline(server):
    with H2(server.port) as c:
        stream = begin_grpc(c, f"/{TEST}/Chat", fields=[("grpc-timeout", "50m")])
        assert c.answer(stream).trailers["grpc-status"] == "4"


# --- health ---

HEALTH = "/grpc.health.v1.Health"


def test_health_knows_the_server_and_its_services(server, types):
    request = types["grpc.health.v1.HealthCheckRequest"]
    for name in ("", TEST):
        for envelope in (Grpc(types, "proto"), Connect(types, "json")):
            got = envelope.call(Wire(server, 2), f"{HEALTH}/Check", [request(service=name)])
            assert got.messages[0].status == 1
    with pytest.raises(Error) as caught:
        Grpc(types, "proto").call(Wire(server, 2), f"{HEALTH}/Check", [request(service="none")])
    assert caught.value.code == "not_found"


def test_a_watch_says_at_once_how_things_are_and_that_the_server_goes(types):
    request = types["grpc.health.v1.HealthCheckRequest"]
    answer = types["grpc.health.v1.HealthCheckResponse"]
    with EchoServer() as server, H2(server.port) as c:
        first = begin_grpc(c, f"{HEALTH}/Watch", request())
        second = begin_grpc(c, f"{HEALTH}/Watch", request(service="none"))
        assert answer.FromString(read_until(c, first, 1)[0]).status == 1
        assert answer.FromString(read_until(c, second, 1)[0]).status == 3
        c.connection.reset_stream(second, CANCEL)
        c.flush()
    # Leaving the server's context checks that it ended well with a watch open.


# --- reflection ---

def ask(types, server, version, **question):
    package = f"grpc.reflection.{version}"
    request = types[f"{package}.ServerReflectionRequest"](host="h", **question)
    got = Grpc(types, "proto").call(
        Wire(server, 2), f"/{package}.ServerReflection/ServerReflectionInfo", [request]).messages
    assert len(got) == 1 and got[0].original_request == request
    return got[0]


@pytest.mark.parametrize("version", REFLECTION)
def test_every_listed_service_resolves_from_reflection_alone(server, types, version):
    pool, known = descriptor_pool.DescriptorPool(), {}
    names = [s.name for s in ask(types, server, version,
                                 list_services="*").list_services_response.service]

    def take(answer):
        for data in answer.file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            known.setdefault(file.name, file)

    def add(name, added):
        if name in added:
            return
        added.add(name)
        if name not in known:
            take(ask(types, server, version, file_by_filename=name))
        for needed in known[name].dependency:
            add(needed, added)
        pool.Add(known[name])

    added = set()
    assert TEST in names and "grpc.health.v1.Health" in names
    for name in names:
        answer = ask(types, server, version, file_containing_symbol=name)
        first = descriptor_pb2.FileDescriptorProto.FromString(
            answer.file_descriptor_response.file_descriptor_proto[0])
        take(answer)
        add(first.name, added)
        assert pool.FindServiceByName(name).methods


@pytest.mark.parametrize("version", REFLECTION)
def test_reflection_finds_symbols_of_every_kind_and_says_when_there_is_none(server, types, version):
    for symbol in (f"{TEST}.Echo", "muster.test.v1.EchoRequest.text", "muster.test.v1.COLOR_RED",
                   "muster.test.v1.Everything.Inner", "google.protobuf.Timestamp",
                   "google.api.http"):
        assert ask(types, server, version, file_containing_symbol=symbol).HasField(
            "file_descriptor_response"), symbol
    for question in ({"file_containing_symbol": "none"}, {"file_by_filename": "none.proto"},
                     {"all_extension_numbers_of_type": "none"},
                     {"file_containing_extension": {"containing_type": "google.protobuf.MethodOptions",
                                                    "extension_number": 1}}):
        assert ask(types, server, version, **question).error_response.error_code == 5
    numbers = ask(types, server, version,
                  all_extension_numbers_of_type="google.protobuf.MethodOptions")
    assert 72295728 in numbers.all_extension_numbers_response.extension_number
    assert ask(types, server, version, file_containing_extension={
        "containing_type": "google.protobuf.MethodOptions",
        "extension_number": 72295728}).HasField("file_descriptor_response")


# --- documents ---

def get(server, path):
    status, head, body, _ = Wire(server, 1)("GET", path, [], b"")
    return status, dict(head).get("content-type"), body


def test_the_proto_files_are_served_as_text(server):
    status, kind, body = get(server, "/protos")
    assert (status, kind) == (200, "text/plain; charset=utf-8")
    names = body.decode().split()
    assert "muster/test/v1/test.proto" in names and not any(n.startswith("google/") for n in names)
    for name in names:
        status, kind, body = get(server, f"/protos/{name}")
        assert (status, kind) == (200, "text/plain; charset=utf-8") and b'syntax = "proto3"' in body
    assert get(server, "/protos/google/protobuf/any.proto")[0] == 404
    assert get(server, "/protos/../secret")[0] in (400, 404)


def test_the_openapi_document_tells_what_is_served(server):
    status, kind, body = get(server, "/openapi.json")
    assert (status, kind) == (200, "application/json")
    document = json.loads(body)
    assert document["openapi"] == "3.0.3"
    update = document["paths"]["/test/v1/{thing.name}"]
    assert set(update) == {"patch", "put"}
    assert [p["name"] for p in update["patch"]["parameters"] if p["in"] == "path"] == ["thing.name"]
    listed = document["paths"]["/test/v1/{parent}/things"]["get"]["parameters"]
    assert {"filter.page.size", "numbers", "at_most"} <= {p["name"] for p in listed}

    references, stack = set(), [document]
    while stack:
        at = stack.pop()
        if isinstance(at, dict):
            references |= {at["$ref"]} if "$ref" in at else set()
            stack += at.values()
        elif isinstance(at, list):
            stack += at
    schemas = document["components"]["schemas"]
    assert references == {f"#/components/schemas/{name}" for name in schemas}
    for path, verbs in document["paths"].items():
        for operation in verbs.values():
            told = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert told == {part.partition("}")[0] for part in path.split("{")[1:]}


def test_connect_streams_of_the_services_work_too(server, types):
    request = types["grpc.reflection.v1.ServerReflectionRequest"](list_services="")
    got = ConnectStream(types, "json").call(
        Wire(server, 2), "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        [request, request]).messages
    assert len(got) == 2 and got[0] == got[1]
