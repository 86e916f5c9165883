# SPDX-License-Identifier: Apache-2.0
"""Our gRPC client against grpcio's server: the interop cases that apply to unary calls and streams
of answers, TLS, and a server that comes and goes."""
import concurrent.futures
import contextlib
import subprocess
import tempfile
import threading

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from harness import ALARMS, BUILD, PATIENCE, ROOT, own_port, wait_for

TEST = "grpc.testing.TestService"
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"


class Types:
    """Message classes by name, of the text in proto/."""

    def __init__(self, folder):
        subprocess.run(["protoc", f"-I{ROOT}/proto", "-I/usr/include", "--include_imports",
                        f"--descriptor_set_out={folder}/types", "grpc/testing/messages.proto",
                        "grpc/testing/empty.proto"], check=True)
        self.pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(
                (folder / "types").read_bytes()).file:
            self.pool.Add(file)
        self.factory = message_factory.MessageFactory(self.pool)

    def __getitem__(self, name):
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName(name))


@pytest.fixture(scope="module")
def types(tmp_path_factory):
    return Types(tmp_path_factory.mktemp("types"))


class Client:
    """tests/rpc/client.c as a process."""

    def __init__(self, *arguments):
        self.said = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [BUILD / "tests/rpc_client", *map(str, arguments)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.said, text=True)

    def ask(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline().split()
        assert line, f"the client ended: {self.log()}"
        return line

    def open(self, method, request=b"", *words):
        return self.ask("open", f"{TEST}.{method}" if "." not in method else method,
                        request.hex() or "-", *words)

    def next(self):
        """A message's bytes, or (code, reason, text)."""
        kind, *rest = self.ask("next")
        if kind == "message":
            return data(rest[0])
        return int(rest[0]), rest[1], data(rest[2]).decode()

    def size(self):
        kind, *rest = self.ask("size")
        assert kind == "message", rest
        return int(rest[0])

    def fields(self, which):
        return [tuple(data(part) for part in word.split("=")) for word in self.ask(which)[1:]]

    def call(self, method, request=b"", *words):
        """A unary call: the message, or (code, reason, text)."""
        self.open(method, request, *words)
        got = self.next()
        if isinstance(got, bytes):
            end = self.next()
            return got if end[0] == 0 else end
        return got

    def log(self):
        self.said.seek(0)
        return self.said.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        code = self.process.wait(PATIENCE)
        log = self.log()
        assert code == 0 and not ALARMS.search(log), log
        self.process.stdout.close()
        self.said.close()


def data(text):
    return b"" if text == "-" else bytes.fromhex(text)


class Service(grpc.GenericRpcHandler):
    def __init__(self, types):
        self.types = types
        self.produced = 0
        self.ended = threading.Event()
        self.peers = set()
        self.metadata = None
        self.remaining = None

    def service(self, details):
        service, _, name = details.method.strip("/").rpartition("/")
        known = {"EmptyCall": (grpc.unary_unary_rpc_method_handler, self.empty),
                 "UnaryCall": (grpc.unary_unary_rpc_method_handler, self.unary),
                 "CacheableUnaryCall": (grpc.unary_unary_rpc_method_handler, self.sleep),
                 "StreamingOutputCall": (grpc.unary_stream_rpc_method_handler, self.stream)}
        if service != TEST or name not in known:
            return None
        self.metadata = details.invocation_metadata
        make, function = known[name]
        return make(function,
                    request_deserializer=self.types[f"grpc.testing.{INPUTS[name]}"].FromString,
                    response_serializer=lambda message: message.SerializeToString())

    def begin(self, context):
        self.peers.add(context.peer())
        self.remaining = context.time_remaining()
        given = dict(context.invocation_metadata())
        if INITIAL in given:
            context.send_initial_metadata([(INITIAL, given[INITIAL])])
        if TRAILING in given:
            context.set_trailing_metadata([(TRAILING, given[TRAILING])])

    def empty(self, request, context):
        self.begin(context)
        return request

    def unary(self, request, context):
        self.begin(context)
        if request.response_status.code:
            context.set_code(list(grpc.StatusCode)[request.response_status.code])
            context.set_details(request.response_status.message)
        answer = self.types["grpc.testing.SimpleResponse"]()
        answer.payload.body = bytes(request.response_size)
        answer.username = str(len(request.payload.body))
        return answer

    def sleep(self, request, context):
        self.begin(context)
        context.add_callback(self.ended.set)
        self.ended.wait(PATIENCE)
        return self.types["grpc.testing.SimpleResponse"]()

    def stream(self, request, context):
        self.begin(context)
        context.add_callback(self.ended.set)
        for wanted in request.response_parameters:
            answer = self.types["grpc.testing.StreamingOutputCallResponse"]()
            answer.payload.body = bytes(wanted.size)
            self.produced += 1
            yield answer
        if request.response_status.code:
            context.set_code(list(grpc.StatusCode)[request.response_status.code])
            context.set_details(request.response_status.message)


INPUTS = {"EmptyCall": "Empty", "UnaryCall": "SimpleRequest",
          "CacheableUnaryCall": "SimpleRequest", "StreamingOutputCall": "StreamingOutputCallRequest"}


@contextlib.contextmanager
def grpcio(types, port=0, credentials=None, compression=None, options=()):
    service = Service(types)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), handlers=[service],
                         compression=compression,
                         options=[("grpc.max_receive_message_length", -1),
                                  ("grpc.max_send_message_length", -1),
                                  ("grpc.so_reuseport", 0), *options])
    if credentials:
        service.port = server.add_secure_port(f"127.0.0.1:{port}", credentials)
    else:
        service.port = server.add_insecure_port(f"127.0.0.1:{port}")
    assert service.port
    server.start()
    try:
        yield service
    finally:
        service.ended.set()
        server.stop(None).wait()


@pytest.fixture
def peer(types):
    with grpcio(types) as service:
        yield service


@pytest.fixture
def client(peer):
    with Client(f"grpc://127.0.0.1:{peer.port}") as started:
        yield started


def simple(types, size=0, **more):
    request = types["grpc.testing.SimpleRequest"](response_size=size, **more)
    return request


def test_empty_unary(client):
    assert client.call("EmptyCall") == b""


def test_large_unary(types, client):
    request = simple(types, 314159)
    request.payload.body = bytes(271828)
    answer = types["grpc.testing.SimpleResponse"].FromString(
        client.call("UnaryCall", request.SerializeToString()))
    assert len(answer.payload.body) == 314159 and answer.username == "271828"


def test_a_connection_carries_many_calls(types, peer, client):
    for _ in range(20):
        assert client.call("EmptyCall") == b""
    assert len(peer.peers) == 1


def test_server_streaming(types, client):
    sizes = [31415, 9, 2653, 58979, 0, 4000000]
    request = types["grpc.testing.StreamingOutputCallRequest"]()
    for size in sizes:
        request.response_parameters.add(size=size)
    client.open("StreamingOutputCall", request.SerializeToString())
    for size in sizes:
        got = types["grpc.testing.StreamingOutputCallResponse"].FromString(client.next())
        assert len(got.payload.body) == size
    assert client.next()[0] == 0


def test_an_error_ends_a_stream_after_its_messages(types, client):
    request = types["grpc.testing.StreamingOutputCallRequest"]()
    request.response_parameters.add(size=10)
    request.response_status.code = 10
    request.response_status.message = "ERROR_UNKNOWN: it broke"
    client.open("StreamingOutputCall", request.SerializeToString())
    assert isinstance(client.next(), bytes)
    assert client.next() == (10, "-", "ERROR_UNKNOWN: it broke")


def test_status_code_and_message(types, client):
    request = simple(types)
    request.response_status.code = 2
    request.response_status.message = "test status message"
    assert client.call("UnaryCall", request.SerializeToString()) == (2, "-", "test status message")


def test_special_status_message(types, client):
    request = simple(types)
    request.response_status.code = 2
    request.response_status.message = SPECIAL
    assert client.call("UnaryCall", request.SerializeToString()) == (2, "-", SPECIAL)


def test_unimplemented_method_and_service(client):
    assert client.call("UnimplementedCall")[0] == 12
    assert client.call("grpc.testing.UnimplementedService.UnimplementedCall")[0] == 12


def test_custom_metadata(types, peer, client):
    client.open("UnaryCall", b"", f"{INITIAL}={b'test_initial_metadata_value'.hex()}",
                f"{TRAILING}=ababab")
    assert (INITIAL.encode(), b"test_initial_metadata_value") in client.fields("headers")
    client.next(), client.next()
    assert (TRAILING.encode(), b"q6ur") in client.fields("trailers")
    assert (TRAILING, b"\xab\xab\xab") in list(peer.metadata)


def connected(client):
    """So that all of a call's time is for the call: it has to reach the server within that."""
    assert client.call("EmptyCall") == b""


def test_timeout_on_sleeping_server(peer, client):
    connected(client)
    client.open("CacheableUnaryCall", b"", "timeout=1000")
    assert client.next()[0] == 4
    assert peer.ended.wait(PATIENCE)
    assert 0 < peer.remaining <= 1
    client.open("EmptyCall")
    assert client.next() == b""


def test_silence_ends_a_call(peer, client):
    connected(client)
    client.open("CacheableUnaryCall", b"", "idle=1000")
    assert client.next()[:2] == (4, "idle_timeout")
    assert peer.ended.wait(PATIENCE)


def test_cancel_after_begin(peer, client):
    client.open("CacheableUnaryCall")
    wait_for("the call", lambda: peer.peers)
    client.ask("cancel")
    assert client.next()[0] == 1
    assert peer.ended.wait(PATIENCE)


def test_closing_a_stream_stops_the_server(types, peer, client):
    request = types["grpc.testing.StreamingOutputCallRequest"]()
    for _ in range(5000):
        request.response_parameters.add(size=100000)
    client.open("StreamingOutputCall", request.SerializeToString())
    client.next()
    client.ask("close")
    assert peer.ended.wait(PATIENCE)


def test_a_slow_reader_stops_the_sender(types, peer, client):
    request = types["grpc.testing.StreamingOutputCallRequest"]()
    for _ in range(600):
        request.response_parameters.add(size=100000)
    client.open("StreamingOutputCall", request.SerializeToString())
    for _ in range(3):
        assert client.size() > 100000
    with Client(f"grpc://127.0.0.1:{peer.port}") as other:  # the server is alive meanwhile
        for _ in range(50):
            assert other.call("EmptyCall") == b""
    assert peer.produced < 200  # of 600; windows and buffers hold a few megabytes
    for _ in range(597):
        assert client.size() > 100000
    assert client.next()[0] == 0


@pytest.mark.parametrize("words", [(), ("gzip",)])
@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_gzip_both_ways(types, words, compression):
    with grpcio(types, compression=compression) as service, \
            Client(f"127.0.0.1:{service.port}") as client:
        request = simple(types, 100000)
        request.payload.body = bytes(50000)
        answer = types["grpc.testing.SimpleResponse"].FromString(
            client.call("UnaryCall", request.SerializeToString(), *words))
        assert len(answer.payload.body) == 100000 and answer.username == "50000"


def test_messages_beyond_the_limit(types, peer):
    request = simple(types, 40000000).SerializeToString()
    with Client(f"grpc://127.0.0.1:{peer.port}") as client:
        assert client.call("UnaryCall", request)[:2] == (8, "message_too_large")
    with Client("--message-max=50000000", f"grpc://127.0.0.1:{peer.port}") as client:
        client.open("UnaryCall", request)
        assert client.size() > 40000000


def test_a_server_that_comes_back(types):
    port = own_port()
    with grpcio(types, port=port):
        client = Client(f"grpc://127.0.0.1:{port}")
        assert client.call("EmptyCall") == b""
        client.open("CacheableUnaryCall")
    with client:
        assert client.next()[0] != 0
        client.open("EmptyCall", b"", "wait", "timeout=60000")
        with grpcio(types, port=port):
            assert client.next() == b""
            assert client.next()[0] == 0


def test_nobody_listens():
    with Client(f"grpc://127.0.0.1:{own_port()}") as client:
        assert client.call("EmptyCall")[:2] == (14, "connect")


def test_a_name_is_resolved(peer):
    with Client(f"grpc://localhost:{peer.port}") as client:
        assert client.call("EmptyCall") == b""


def server_credentials(certificates, name="server", client_ca=None, **how):
    cert, key = certificates.sign(name, **how)
    return grpc.ssl_server_credentials([(key.read_bytes(), cert.read_bytes())],
                                       client_ca and client_ca.read_bytes(), bool(client_ca))


def test_tls_is_verified(types, certificates, tmp_path):
    other = type(certificates)(tmp_path / "other")
    with grpcio(types, credentials=server_credentials(certificates, "good")) as service:
        for host in ("127.0.0.1", "localhost"):
            with Client("--ca", certificates.ca, f"grpc+ssl://{host}:{service.port}") as client:
                assert client.call("EmptyCall") == b""
        with Client("--ca", other.ca, f"grpc+ssl://127.0.0.1:{service.port}") as client:
            assert client.call("EmptyCall")[:2] == (14, "tls")
        with Client(f"grpc+ssl://127.0.0.1:{service.port}") as client:  # the system's authorities
            assert client.call("EmptyCall")[:2] == (14, "tls")
        with Client(f"grpc://127.0.0.1:{service.port}") as client:
            assert client.call("EmptyCall")[0] == 14


def test_a_certificate_for_another_name_is_refused(types, certificates):
    credentials = server_credentials(certificates, "foreign", names="DNS:elsewhere.test")
    with grpcio(types, credentials=credentials) as service:
        for host in ("127.0.0.1", "localhost"):
            with Client("--ca", certificates.ca, f"grpc+ssl://{host}:{service.port}") as client:
                assert client.call("EmptyCall")[:2] == (14, "tls")


def test_a_server_without_tls_is_refused(peer, certificates):
    with Client("--ca", certificates.ca, f"grpc+ssl://127.0.0.1:{peer.port}") as client:
        assert client.call("EmptyCall")[:2] == (14, "tls")


def test_our_certificate_is_shown(types, certificates):
    cert, key = certificates.sign("caller", common_name="caller")
    credentials = server_credentials(certificates, "strict", client_ca=certificates.ca)
    with grpcio(types, credentials=credentials) as service:
        target = f"grpc+ssl://127.0.0.1:{service.port}"
        with Client("--ca", certificates.ca, "--cert", cert, "--key", key, target) as client:
            assert client.call("EmptyCall") == b""
        with Client("--ca", certificates.ca, target) as client:
            assert client.call("EmptyCall")[0] == 14


def test_pings_that_the_server_finds_too_many_do_not_break_calls(types):
    """grpcio says GOAWAY "too_many_pings" after some; calls go on, with fewer PINGs."""
    with grpcio(types) as service, \
            Client("--keepalive-ms=100", f"grpc://127.0.0.1:{service.port}") as client:
        client.open("CacheableUnaryCall", b"", "timeout=1500")
        assert client.next()[0] in (4, 14)
        service.ended.set()
        assert client.call("EmptyCall") == b""
