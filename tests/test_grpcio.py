# SPDX-License-Identifier: Apache-2.0
"""Python's gRPC client against the engine: the interoperability cases by their names, health, and
reflection as clients without compiled stubs use it."""
import queue

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from harness import PATIENCE
from rpcclient import Api, EchoServer

TEST = "/grpc.testing.TestService/"
WORDS = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
SIZES = (31415, 9, 2653, 58979)
REQUEST_SIZES = (27182, 8, 1828, 45904)


@pytest.fixture(scope="module")
def echo(tmp_path_factory, certificates):
    with EchoServer(tmp_path_factory.mktemp("grpcio"), certificates, "--gzip-min", 1) as server:
        yield server


OPTIONS = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]


@pytest.fixture(scope="module", params=["clear", "tls", "gzip"])
def peer(request, echo):
    if request.param == "tls":
        trust = grpc.ssl_channel_credentials(echo.certificates.ca.read_bytes())
        channel = grpc.secure_channel(f"localhost:{echo.tls_port}", trust, OPTIONS)
    else:
        squeeze = grpc.Compression.Gzip if request.param == "gzip" else None
        channel = grpc.insecure_channel(f"127.0.0.1:{echo.port}", OPTIONS, squeeze)
    with channel:
        yield Peer(channel, echo.api)


class Peer:
    """Calls by path; the kind comes from the descriptors."""

    def __init__(self, channel, api):
        self.channel = channel
        self.api = api

    def new(self, name, **fields):
        return self.api.new("grpc.testing." + name, **fields)

    def method(self, path):
        found = self.api.method(path)
        kind = ("stream" if found.client_streaming else "unary") + "_" + \
               ("stream" if found.server_streaming else "unary")
        answer = self.api.answer_type(path)
        return getattr(self.channel, kind)(
            path, request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=answer.FromString)

    def call(self, path, request, timeout=PATIENCE, **more):
        return self.method(path)(request, timeout=timeout, **more)

    def payload(self, size):
        return self.new("Payload", body=bytes(size))

    def output_request(self, *sizes, **more):
        return self.new("StreamingOutputCallRequest", response_parameters=[
            self.new("ResponseParameters", size=s) for s in sizes], **more)


def failure(call):
    """The error that a call ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        answer = call()
        for _ in answer if hasattr(answer, "__iter__") else ():
            pass
    return caught.value


# --- the interoperability cases


def test_empty_unary(peer):
    assert peer.call(TEST + "EmptyCall", peer.new("Empty")) == peer.new("Empty")


def test_large_unary(peer):
    request = peer.new("SimpleRequest", response_size=314159, payload=peer.payload(271828))
    for method in ("UnaryCall", "CacheableUnaryCall"):
        answer = peer.call(TEST + method, request)
        assert answer.payload.body == bytes(314159)


def test_server_streaming(peer):
    answers = list(peer.call(TEST + "StreamingOutputCall", peer.output_request(*SIZES)))
    assert [len(a.payload.body) for a in answers] == list(SIZES)


def test_client_streaming(peer):
    requests = [peer.new("StreamingInputCallRequest", payload=peer.payload(s))
                for s in REQUEST_SIZES]
    answer = peer.call(TEST + "StreamingInputCall", iter(requests))
    assert answer.aggregated_payload_size == sum(REQUEST_SIZES)


def test_ping_pong(peer):
    """Each request is sent when the answer to the one before has come."""
    requests = queue.Queue()
    stream = peer.call(TEST + "FullDuplexCall", iter(requests.get, None))
    for wanted, sent in zip(SIZES, REQUEST_SIZES):
        requests.put(peer.output_request(wanted, payload=peer.payload(sent)))
        assert len(next(stream).payload.body) == wanted
    requests.put(None)
    assert list(stream) == []


def test_empty_stream(peer):
    assert list(peer.call(TEST + "FullDuplexCall", iter(()))) == []


def test_cancel_after_begin(peer):
    requests = queue.Queue()
    call = peer.method(TEST + "StreamingInputCall").future(iter(requests.get, None),
                                                           timeout=PATIENCE)
    assert call.cancel()
    assert call.cancelled() and call.code() is grpc.StatusCode.CANCELLED
    requests.put(None)


def test_cancel_after_first_response(peer):
    requests = queue.Queue()
    requests.put(peer.output_request(SIZES[0], payload=peer.payload(REQUEST_SIZES[0])))
    stream = peer.call(TEST + "FullDuplexCall", iter(requests.get, None))
    assert len(next(stream).payload.body) == SIZES[0]
    stream.cancel()
    assert failure(lambda: stream).code() is grpc.StatusCode.CANCELLED
    requests.put(None)


def test_timeout_on_sleeping_server(peer):
    requests = queue.Queue()
    requests.put(peer.new("StreamingOutputCallRequest", payload=peer.payload(27182)))
    error = failure(lambda: peer.call(TEST + "FullDuplexCall", iter(requests.get, None),
                                      timeout=0.001))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    requests.put(None)
    slow = peer.output_request(1)
    slow.response_parameters[0].interval_us = 600000000
    error = failure(lambda: peer.call(TEST + "StreamingOutputCall", slow, timeout=0.02))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_special_status_message(peer):
    status = peer.new("EchoStatus", code=2, message=WORDS)
    error = failure(lambda: peer.call(TEST + "UnaryCall",
                                      peer.new("SimpleRequest", response_status=status)))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNKNOWN, WORDS)


def test_status_code_and_message(peer):
    status = peer.new("EchoStatus", code=2, message="test status message")
    for call in (
            lambda: peer.call(TEST + "UnaryCall", peer.new("SimpleRequest",
                                                           response_status=status)),
            lambda: peer.call(TEST + "FullDuplexCall", iter(
                [peer.new("StreamingOutputCallRequest", response_status=status)])),
            lambda: peer.call(TEST + "StreamingOutputCall",
                              peer.output_request(10, response_status=status))):
        error = failure(call)
        assert error.code() is grpc.StatusCode.UNKNOWN
        assert error.details() == "test status message"


def test_unimplemented_method(peer):
    error = failure(lambda: peer.call(TEST + "UnimplementedCall", peer.new("Empty")))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_unimplemented_service(peer):
    error = failure(lambda: peer.call("/grpc.testing.UnimplementedService/UnimplementedCall",
                                      peer.new("Empty")))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_custom_metadata(peer):
    initial = ("x-grpc-test-echo-initial", "test_initial_metadata_value")
    trailing = ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab")
    request = peer.new("SimpleRequest", response_size=314159, payload=peer.payload(271828))
    _, call = peer.method(TEST + "UnaryCall").with_call(request, timeout=PATIENCE,
                                                        metadata=(initial, trailing))
    assert initial in [tuple(m) for m in call.initial_metadata()]
    assert trailing in [tuple(m) for m in call.trailing_metadata()]
    stream = peer.call(TEST + "FullDuplexCall", iter([peer.output_request(314159)]),
                       metadata=(initial, trailing))
    assert [len(a.payload.body) for a in stream] == [314159]
    assert initial in [tuple(m) for m in stream.initial_metadata()]
    assert trailing in [tuple(m) for m in stream.trailing_metadata()]


# --- beyond them


def test_many_calls_share_a_connection(peer):
    """More at once than there are workers, answered in any order."""
    calls = [peer.method(TEST + "UnaryCall").future(peer.new("SimpleRequest", response_size=n),
                                                    timeout=PATIENCE) for n in range(200)]
    assert [len(c.result().payload.body) for c in calls] == list(range(200))


def test_a_stream_of_more_than_any_window_holds(peer):
    stream = peer.call(TEST + "StreamingOutputCall", peer.output_request(*[1 << 20] * 8))
    assert sum(len(a.payload.body) for a in stream) == 8 << 20


def test_error_details(peer):
    page = peer.api.new("Page", token="t")
    problem = dict(code=3, message="no", details=[peer.api.any(page)])
    error = failure(lambda: peer.call("/muster.test.v1.TestService/Echo",
                                      peer.api.new("EchoRequest", problem=problem)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    told = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status = peer.api.new("google.rpc.Status").FromString(told)
    assert (status.code, status.message) == (3, "no")
    assert peer.api.new("Page").FromString(status.details[0].value) == page


def test_a_message_over_the_limit(peer):
    request = peer.new("SimpleRequest", payload=peer.payload((16 << 20) + 1))
    assert failure(lambda: peer.call(TEST + "UnaryCall", request)).code() is \
        grpc.StatusCode.RESOURCE_EXHAUSTED
    assert peer.call(TEST + "EmptyCall", peer.new("Empty")) == peer.new("Empty")


# --- health


HEALTH = "/grpc.health.v1.Health/"


def test_health(peer):
    new = peer.api.new
    for service in ("", "muster.test.v1.TestService", "grpc.health.v1.Health"):
        answer = peer.call(HEALTH + "Check",
                           new("grpc.health.v1.HealthCheckRequest", service=service))
        assert answer.status == 1, service  # SERVING
    error = failure(lambda: peer.call(HEALTH + "Check", new("grpc.health.v1.HealthCheckRequest",
                                                            service="no.Service")))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    stream = peer.call(HEALTH + "Watch", new("grpc.health.v1.HealthCheckRequest"))
    assert next(stream).status == 1
    stream.cancel()
    stream = peer.call(HEALTH + "Watch",
                       new("grpc.health.v1.HealthCheckRequest", service="no.Service"))
    assert next(stream).status == 3  # SERVICE_UNKNOWN, and goes on
    stream.cancel()


# --- reflection


class Reflection:
    """What a client does that knows nothing but an address."""

    def __init__(self, peer, version):
        self.peer = peer
        self.package = f"grpc.reflection.{version}."
        self.path = f"/{self.package}ServerReflection/ServerReflectionInfo"
        self.pool = descriptor_pool.DescriptorPool()
        self.added = set()

    def ask(self, *questions):
        """One stream; the answers in order."""
        requests = [self.peer.api.new(self.package + "ServerReflectionRequest", **q)
                    for q in questions]
        answers = list(self.peer.call(self.path, iter(requests)))
        assert [a.original_request for a in answers] == requests
        return answers

    def services(self):
        answer, = self.ask({"list_services": ""})
        return [s.name for s in answer.list_services_response.service]

    def files(self, **question):
        answer, = self.ask(question)
        kind = answer.WhichOneof("message_response")
        assert kind == "file_descriptor_response", (question, answer)
        return [descriptor_pb2.FileDescriptorProto.FromString(b)
                for b in answer.file_descriptor_response.file_descriptor_proto]

    def add(self, file):
        """With everything that it imports, asked for by name."""
        if file.name in self.added:
            return
        self.added.add(file.name)
        for name in file.dependency:
            if name not in self.added:
                for found in self.files(file_by_filename=name):
                    self.add(found)
        self.pool.Add(file)


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_a_client_without_stubs_learns_every_service(peer, version):
    client = Reflection(peer, version)
    names = client.services()
    assert "muster.test.v1.TestService" in names and "grpc.health.v1.Health" in names
    assert not any("reflection" in n for n in names)
    for name in names:
        for file in client.files(file_containing_symbol=name):
            client.add(file)
        assert client.pool.FindServiceByName(name).methods
    # and now calls what it has learned
    method = client.pool.FindServiceByName("muster.test.v1.TestService").methods_by_name["Echo"]
    factory = message_factory.MessageFactory(client.pool)
    request, answer = (factory.GetPrototype(t) for t in (method.input_type, method.output_type))
    got = peer.channel.unary_unary(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=request.SerializeToString,
        response_deserializer=answer.FromString)(request(text="learned"), timeout=PATIENCE)
    assert got.text == "learned"


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_answers_every_question_on_one_stream(peer, version):
    client = Reflection(peer, version)
    answers = client.ask({"file_containing_symbol": "muster.test.v1.Everything.Nested"},
                         {"file_by_filename": "no/such.proto"},
                         {"file_containing_symbol": "no.Such"},
                         {"file_containing_symbol": "muster.test.v1.TestService.Echo"},
                         {"list_services": "*"})
    kinds = [a.WhichOneof("message_response") for a in answers]
    assert kinds == ["file_descriptor_response", "error_response", "error_response",
                     "file_descriptor_response", "list_services_response"]
    assert [a.error_response.error_code for a in answers[1:3]] == [5, 5]


def test_the_descriptor_set_and_the_listed_files_agree(peer):
    """What reflection gives is what the build was made of."""
    client = Reflection(peer, "v1")
    file = client.files(file_by_filename="muster/test/v1/test.proto")[0]
    expected = descriptor_pb2.FileDescriptorProto()
    Api().pool.FindFileByName("muster/test/v1/test.proto").CopyToProto(expected)
    assert [m.name for m in file.message_type] == [m.name for m in expected.message_type]
    assert [m.name for s in file.service for m in s.method] == \
        [m.name for s in expected.service for m in s.method]
