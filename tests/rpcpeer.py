# SPDX-License-Identifier: Apache-2.0
"""The RPC engine's test server as a process, its messages by Debian's python3-protobuf, and every
envelope written a second time, from the protocols' texts: what goes out and what came back."""
import base64
import contextlib
import gzip
import http.client
import json
import pathlib
import re
import signal
import struct
import subprocess
import tempfile
import urllib.parse

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from h2client import H2
from harness import ALARMS, BUILD, PATIENCE, ROOT

GOOGLEAPIS = "/usr/share/gocode/src/github.com/gogo/googleapis"
FILES = ("muster/test/v1/test.proto", "grpc/testing/test.proto", "grpc/health/v1/health.proto",
         "grpc/reflection/v1/reflection.proto", "grpc/reflection/v1alpha/reflection.proto",
         "google/rpc/status.proto", "google/protobuf/wrappers.proto")
CODES = ("ok canceled unknown invalid_argument deadline_exceeded not_found already_exists "
         "permission_denied resource_exhausted failed_precondition aborted out_of_range "
         "unimplemented internal unavailable data_loss unauthenticated").split()
TEST = "muster.test.v1.TestService"


class Types:
    """Message classes by full name, in a pool of their own."""

    def __init__(self, folder):
        path = pathlib.Path(folder) / "types.binpb"
        subprocess.run(["protoc", f"-I{ROOT}/proto", f"-I{GOOGLEAPIS}", "-I/usr/include",
                        f"--descriptor_set_out={path}", "--include_imports", *FILES], check=True)
        listed = descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())
        self.pool = descriptor_pool.DescriptorPool()
        for file in listed.file:
            self.pool.Add(file)
        self.factory = message_factory.MessageFactory(self.pool)

    def __getitem__(self, name):
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName(name))

    def method(self, path):
        service, _, name = path.strip("/").rpartition("/")
        return self.pool.FindServiceByName(service).FindMethodByName(name)

    def output(self, path):
        return self.factory.GetPrototype(self.method(path).output_type)


class EchoServer:
    def __init__(self, *flags, listen=("127.0.0.1:0",)):
        self.said = tempfile.TemporaryFile("w+")  # a pipe would fill up
        self.process = subprocess.Popen(
            [str(BUILD / "tests/rpc_echo_server"), *(f"--listen={a}" for a in listen), *flags],
            stdout=subprocess.PIPE, stderr=self.said, text=True)
        line = self.process.stdout.readline().split()
        assert line and line[0] == "ready", self.log()
        self.ports = [int(re.search(r":(\d+)$", a)[1]) for a in line[1:]]
        self.port = self.ports[0]

    def log(self):
        self.said.seek(0)
        return self.said.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        said = self.log()
        assert self.process.returncode == 0, said
        assert not ALARMS.search(said), said


class Error(Exception):
    """code, message, details as (type, bytes)."""

    def __init__(self, code, message="", details=()):
        super().__init__(code, message, list(details))
        self.code, self.message, self.details = code, message, list(details)

    def same(self):
        return self.code, self.message, self.details


class Bare(Exception):
    """An answer outside of the protocol: status and fields."""


class Reply:
    """Messages and what was said beside them. Fields are pairs in lower case."""

    def __init__(self, messages, head=(), trail=()):
        self.messages, self.head, self.trail = messages, list(head), list(trail)


def unbase64(text):
    return base64.b64decode(text + "=" * (-len(text) % 4))


def frame(data, flags=0):
    return bytes([flags]) + struct.pack(">I", len(data)) + data


def frames(data):
    while data:
        assert len(data) >= 5, data
        length, = struct.unpack(">I", data[1:5])
        assert len(data) >= 5 + length
        yield data[0], data[5:5 + length]
        data = data[5 + length:]


class Wire:
    """One request over one version of HTTP, by a connection of its own."""

    def __init__(self, server, version, certificates=None):
        self.port, self.version, self.certificates = server.port, version, certificates

    def __call__(self, method, path, fields, body):
        if self.version == 2:
            with H2(self.port, self.certificates) as c:
                stream = c.begin(method, path, fields, end=not body)
                if body:
                    c.send(stream, body)
                got = c.answer(stream)
            return got.status, list(got.fields.items()), got.body, list(
                (getattr(got, "trailers", None) or {}).items())
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port,
                                                           timeout=PATIENCE)) as c:
            c.putrequest(method, path, skip_accept_encoding=True)
            for name, value in fields:
                c.putheader(name, value)
            if body or method not in ("GET", "DELETE"):
                c.putheader("content-length", str(len(body)))
            c.endheaders(body)
            got = c.getresponse()
            data = got.read()
        return got.status, [(n.lower(), v) for n, v in got.getheaders()], data, []


class Envelope:
    """codec: proto or json; gzipped: both ways."""

    def __init__(self, types, codec, gzipped=False):
        self.types, self.codec, self.gzipped = types, codec, gzipped

    def __repr__(self):
        return f"{type(self).__name__}-{self.codec}{'-gzip' if self.gzipped else ''}"

    def write(self, message):
        if self.codec == "proto":
            return message.SerializeToString()
        return json_format.MessageToJson(message, descriptor_pool=self.types.pool).encode()

    def read(self, kind, data):
        made = kind()
        if self.codec == "proto":
            made.ParseFromString(data)
        else:
            json_format.Parse(data, made, descriptor_pool=self.types.pool)
        return made

    def pack(self, message):
        data = self.write(message)
        return frame(gzip.compress(data), 1) if self.gzipped else frame(data)


def code_of(status):
    return {400: "internal", 401: "unauthenticated", 403: "permission_denied",
            404: "unimplemented", 429: "unavailable"}.get(status, "unknown")


class Connect(Envelope):
    versions = (1, 2)
    streams = False

    def fields(self):
        yield "content-type", f"application/{self.codec}"
        yield "connect-protocol-version", "1"
        yield "accept-encoding", "gzip" if self.gzipped else "identity"

    def call(self, wire, path, messages, fields=()):
        sent = self.write(messages[0])
        more = list(self.fields()) + list(fields)
        if self.gzipped:
            sent = gzip.compress(sent)
            more.append(("content-encoding", "gzip"))
        return self.answer(path, *wire("POST", path, more, sent))

    def answer(self, path, status, head, body, _):
        known = dict(head)
        if status != 200:
            if known.get("content-type") != "application/json":
                raise Bare(status, known)
            said = json.loads(body)
            assert set(said) <= {"code", "message", "details"}
            raise Error(said["code"], said.get("message", ""),
                        [(d["type"], unbase64(d["value"])) for d in said.get("details", ())])
        assert known["content-type"] == f"application/{self.codec}"
        if known.get("content-encoding") == "gzip":
            assert self.gzipped
            body = gzip.decompress(body)
        return Reply([self.read(self.types.output(path), body)],
                     [(n, v) for n, v in head if not n.startswith("trailer-")],
                     [(n[8:], v) for n, v in head if n.startswith("trailer-")])


class ConnectGet(Connect):
    def call(self, wire, path, messages, fields=()):
        sent = self.write(messages[0])
        query = {"connect": "v1", "encoding": self.codec}
        if self.gzipped:
            sent = gzip.compress(sent)
            query["compression"] = "gzip"
        query["base64"] = "1"
        query["message"] = base64.urlsafe_b64encode(sent).decode().rstrip("=")
        more = [("accept-encoding", "gzip" if self.gzipped else "identity"), *fields]
        return self.answer(path, *wire("GET", f"{path}?{urllib.parse.urlencode(query)}", more, b""))


class ConnectStream(Envelope):
    versions = (1, 2)
    streams = True

    def call(self, wire, path, messages, fields=()):
        coding = "gzip" if self.gzipped else "identity"
        more = [("content-type", f"application/connect+{self.codec}"),
                ("connect-content-encoding", coding), ("connect-accept-encoding", coding), *fields]
        status, head, body, _ = wire("POST", path, more, b"".join(map(self.pack, messages)))
        if status != 200:
            raise Bare(status, dict(head))
        assert dict(head)["content-type"] == f"application/connect+{self.codec}"
        got, end = [], None
        for flags, data in frames(body):
            assert end is None
            if flags & 1:
                assert self.gzipped
                data = gzip.decompress(data)
            if flags & 2:
                end = json.loads(data)
            else:
                got.append(self.read(self.types.output(path), data))
        trail = [(n, v) for n, values in end.get("metadata", {}).items() for v in values]
        if "error" in end:
            said = end["error"]
            error = Error(said["code"], said.get("message", ""),
                          [(d["type"], unbase64(d["value"])) for d in said.get("details", ())])
            error.messages = got
            raise error
        return Reply(got, head, trail)


class Grpc(Envelope):
    versions = (2,)
    streams = True
    subtype = "grpc"

    def fields(self):
        coding = "gzip" if self.gzipped else "identity"
        yield "content-type", f"application/{self.subtype}+{self.codec}"
        yield "te", "trailers"
        yield "grpc-encoding", coding
        yield "grpc-accept-encoding", coding

    def outcome(self, trail, got):
        known = dict(trail)
        code = int(known["grpc-status"])
        if code == 0:
            return
        details = []
        if "grpc-status-details-bin" in known:
            status = self.types["google.rpc.Status"].FromString(
                unbase64(known["grpc-status-details-bin"]))
            assert status.code == code
            assert status.message == urllib.parse.unquote(known.get("grpc-message", ""))
            details = [(d.type_url.rpartition("/")[2], d.value) for d in status.details]
        error = Error(CODES[code], urllib.parse.unquote(known.get("grpc-message", "")), details)
        error.messages = got
        raise error

    def unpack(self, path, data):
        got = []
        for flags, body in frames(data):
            assert flags in (0, 1)
            if flags:
                assert self.gzipped
                body = gzip.decompress(body)
            got.append(self.read(self.types.output(path), body))
        return got

    def call(self, wire, path, messages, fields=()):
        status, head, body, trail = wire("POST", path, [*self.fields(), *fields],
                                         b"".join(map(self.pack, messages)))
        known = dict(head)
        if status != 200:
            raise Bare(status, known)
        assert known["content-type"] == f"application/{self.subtype}+{self.codec}"
        got = self.unpack(path, body)
        self.outcome(trail or head, got)
        return Reply(got, head, trail)


class GrpcWeb(Grpc):
    versions = (1, 2)
    subtype = "grpc-web"

    def coded(self, body):
        return body

    def uncoded(self, body):
        return body

    def call(self, wire, path, messages, fields=()):
        status, head, body, trail = wire("POST", path, [*self.fields(), *fields],
                                         self.coded(b"".join(map(self.pack, messages))))
        known = dict(head)
        if status != 200:
            raise Bare(status, known)
        assert not trail
        assert known["content-type"] == f"application/{self.subtype}+{self.codec}"
        body = self.uncoded(body)
        cut = 0
        for flags, data in frames(body):
            if flags & 0x80:
                break
            cut += 5 + len(data)
        got = self.unpack(path, body[:cut])
        if cut < len(body):
            (_, data), = frames(body[cut:])
            assert data.endswith(b"\r\n") and not data.endswith(b"\r\n\r\n")
            trail = [tuple(line.split(": ", 1)) for line in data.decode().split("\r\n")[:-1]]
        self.outcome(trail or head, got)
        return Reply(got, head, trail)


class GrpcWebText(GrpcWeb):
    subtype = "grpc-web-text"

    def coded(self, body):
        cut = len(body) // 2  # two pieces, padding in the middle
        return base64.b64encode(body[:cut]) + base64.b64encode(body[cut:])

    def uncoded(self, body):
        return b"".join(base64.b64decode(part) for part in re.findall(rb"[^=]+=*", body))


def envelopes(types, streams):
    for codec in ("proto", "json"):
        for gzipped in (False, True):
            for kind in (Connect, ConnectStream, Grpc, GrpcWeb, GrpcWebText):
                if kind is GrpcWebText and codec == "json":
                    continue
                if (kind is Connect and streams) or (kind is ConnectStream and not streams):
                    continue
                yield kind(types, codec, gzipped)
