# SPDX-License-Identifier: Apache-2.0
"""Calls of RPC methods as bytes, in every envelope that the engine serves, and the test server that
answers them. A caller sees the same Outcome whatever the envelope."""
import atexit
import base64
import gzip
import json
import pathlib
import signal
import struct
import subprocess
import urllib.parse

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

import h2client
from harness import ALARMS, BUILD, PATIENCE, Wire, environment, kill_what_is_left

SERVER = BUILD / "tests/rpc_echo_server"
DESCRIPTORS = BUILD / "proto/testing.binpb"

CODES = ["ok", "canceled", "unknown", "invalid_argument", "deadline_exceeded", "not_found",
         "already_exists", "permission_denied", "resource_exhausted", "failed_precondition",
         "aborted", "out_of_range", "unimplemented", "internal", "unavailable", "data_loss",
         "unauthenticated"]
HTTP_STATUS = dict(zip(CODES, [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500,
                               503, 500, 401]))


class Api:
    """Messages and methods out of the descriptor set of the build."""

    def __init__(self):
        self.pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file:
            self.pool.Add(file)
        self.factory = message_factory.MessageFactory(self.pool)

    def type(self, name):
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName(name))

    def new(self, name, /, **fields):
        """A message; short names are muster.test.v1's."""
        full = name if "." in name else "muster.test.v1." + name
        return self.type(full)(**fields)

    def any(self, message):
        found = self.type("google.protobuf.Any")()
        found.type_url = "type.googleapis.com/" + message.DESCRIPTOR.full_name
        found.value = message.SerializeToString()
        return found

    def method(self, path):
        service, _, name = path.strip("/").partition("/")
        found = self.pool.FindServiceByName(service).FindMethodByName(name)
        assert found is not None, path
        return found

    def answer_type(self, path):
        return self.factory.GetPrototype(self.method(path).output_type)

    def parse(self, text, into):
        return json_format.Parse(text, into, descriptor_pool=self.pool)

    def to_json(self, message):
        return json_format.MessageToJson(message, descriptor_pool=self.pool).encode()


class EchoServer:
    """rpc_echo_server with a clear-text and a TLS listener; leaving checks how it ended."""

    def __init__(self, folder, certificates, *flags):
        self.folder = pathlib.Path(folder)
        self.certificates = certificates
        self.flags = [str(f) for f in flags]
        self.log_path = self.folder / "echo.log"
        self.api = Api()
        self.process = None

    def __enter__(self):
        cert, key = self.certificates.server
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [SERVER, "--listen", "127.0.0.1:0", "--listen", "tls://127.0.0.1:0",
                 "--cert", cert, "--key", key, *self.flags],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
                env=environment())
        atexit.register(kill_what_is_left, self.process)
        words = self.process.stdout.readline().split()
        assert words[:1] == ["ready"], self.log()
        self.port, self.tls_port = (int(w.rpartition(":")[2]) for w in words[1:3])
        return self

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        if kind is None:
            assert not ALARMS.search(self.log()), self.log()[-6000:]
            assert code == 0, f"exit code {code}:\n{self.log()[-3000:]}"

    def log(self):
        return self.log_path.read_text(errors="replace")

    def dial(self, version, tls=False):
        certificates = self.certificates if tls else None
        port = self.tls_port if tls else self.port
        return h2client.H2(port, certificates) if version == 2 else Wire(port, certificates)


class Outcome:
    def __init__(self, code, messages=(), message="", details=(), headers=None, trailers=None,
                 answer=None):
        self.code = code
        self.messages = list(messages)
        self.message = message
        self.details = list(details)  # (type, bytes)
        self.headers = headers or {}
        self.trailers = trailers or {}
        self.answer = answer
        self.compressed = False

    def __repr__(self):
        return f"{self.code} {self.message!r} {self.messages} {self.details} {self.answer}"


def frame(payload, flags=0):
    return struct.pack(">BI", flags, len(payload)) + payload


def frames(body):
    """[(flags, payload)]; every byte has to belong to one."""
    found = []
    while body:
        flags, length = struct.unpack(">BI", body[:5])
        assert len(body) >= 5 + length, "the last frame is cut off"
        found.append((flags, body[5:5 + length]))
        body = body[5 + length:]
    return found


def unpadded(text):
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def status_of(fields, api):
    """(code, message, details) out of grpc-status and its companions."""
    code = CODES[int(fields["grpc-status"])]
    message = urllib.parse.unquote(fields.get("grpc-message", ""))
    details = []
    if "grpc-status-details-bin" in fields:
        raw = unpadded(fields["grpc-status-details-bin"])
        status = api.type("google.rpc.Status").FromString(raw)
        assert CODES[status.code] == code and status.message == message
        details = [(d.type_url.rpartition("/")[2], d.value) for d in status.details]
    return code, message, details


class Envelope:
    """How one call is put on the wire and taken off it. codec: proto or json."""

    get = False
    streams = True   # server streaming
    half = False     # requests as a stream
    versions = (1, 2)

    def __init__(self, codec="proto", zipped=False):
        self.codec = codec
        self.zipped = zipped

    @property
    def name(self):
        return f"{self.kind}-{self.codec}" + ("-gzip" if self.zipped else "")

    def pack(self, api, message):
        data = message.SerializeToString() if self.codec == "proto" else api.to_json(message)
        return gzip.compress(data) if self.zipped else data

    def unpack(self, api, path, data):
        made = api.answer_type(path)()
        if self.codec == "proto":
            made.ParseFromString(data)
        else:
            api.parse(data.decode(), made)
        return made

    def call(self, api, wire, path, requests, fields=(), timeout_ms=None):
        """Sends and reads. `fields`: more lines of the head."""
        head = self.head(timeout_ms) + list(fields)
        if not isinstance(requests, (list, tuple)):
            requests = [requests]
        body = self.body(api, requests)
        return self.read(api, path, wire.request("POST", path, body, None, head))


class Connect(Envelope):
    kind = "connect"
    streams = False

    def head(self, timeout_ms=None):
        lines = [f"Content-Type: application/{self.codec}", "Connect-Protocol-Version: 1"]
        if timeout_ms is not None:
            lines.append(f"Connect-Timeout-Ms: {timeout_ms}")
        if self.zipped:
            lines.append("Content-Encoding: gzip")
        lines.append("Accept-Encoding: " + ("gzip" if self.zipped else "identity"))
        return lines

    def body(self, api, requests):
        return self.pack(api, requests[0])

    def read(self, api, path, answer):
        headers = {k: v for k, v in answer.fields.items() if not k.startswith("trailer-")}
        trailers = {k[8:]: v for k, v in answer.fields.items() if k.startswith("trailer-")}
        data = answer.body
        zipped = answer.fields.get("content-encoding") == "gzip"
        if zipped:
            data = gzip.decompress(data)
        if answer.status == 200:
            assert answer.fields["content-type"] == f"application/{self.codec}", answer
            out = Outcome("ok", [self.unpack(api, path, data)], headers=headers, trailers=trailers,
                          answer=answer)
            out.compressed = zipped
            return out
        assert answer.fields.get("content-type") == "application/json", answer
        return connect_error(json.loads(data), answer, headers, trailers)


def connect_error(told, answer, headers, trailers):
    assert set(told) <= {"code", "message", "details"}, told
    assert told["code"] in CODES[1:], told
    details = [(d["type"], unpadded(d["value"])) for d in told.get("details", ())]
    return Outcome(told["code"], (), told.get("message", ""), details, headers, trailers, answer)


class ConnectGet(Connect):
    kind = "get"
    get = True

    def call(self, api, wire, path, requests, fields=(), timeout_ms=None):
        request = requests[0] if isinstance(requests, (list, tuple)) else requests
        data = self.pack(api, request)
        query = {"connect": "v1", "encoding": self.codec}
        if self.zipped:
            query["compression"] = "gzip"
        if self.codec == "proto" or self.zipped:
            query["base64"] = "1"
            query["message"] = base64.urlsafe_b64encode(data).decode().rstrip("=")
        else:
            query["message"] = data.decode()
        head = [line for line in self.head(timeout_ms)
                if not line.startswith(("Content-", "Connect-Protocol"))]
        target = path + "?" + urllib.parse.urlencode(query)
        return self.read(api, path, wire.request("GET", target, None, None, head + list(fields)))


class ConnectStream(Envelope):
    kind = "connect-stream"
    half = True

    def head(self, timeout_ms=None):
        lines = [f"Content-Type: application/connect+{self.codec}", "Connect-Protocol-Version: 1"]
        if timeout_ms is not None:
            lines.append(f"Connect-Timeout-Ms: {timeout_ms}")
        if self.zipped:
            lines += ["Connect-Content-Encoding: gzip", "Connect-Accept-Encoding: gzip"]
        return lines

    def body(self, api, requests):
        return b"".join(frame(self.pack(api, r), 1 if self.zipped else 0) for r in requests)

    def read(self, api, path, answer):
        assert answer.status == 200, answer
        assert answer.fields["content-type"] == f"application/connect+{self.codec}", answer
        *data, (flags, end) = frames(answer.body)
        assert flags & 2, "no end of the stream"
        messages, zipped = take_messages(self, api, path, data)
        told = json.loads(gzip.decompress(end) if flags & 1 else end)
        assert set(told) <= {"error", "metadata"}, told
        trailers = {k: ",".join(v) for k, v in told.get("metadata", {}).items()}
        if "error" in told:
            out = connect_error(told["error"], answer, answer.fields, trailers)
            out.messages = messages
        else:
            out = Outcome("ok", messages, headers=answer.fields, trailers=trailers, answer=answer)
        out.compressed = zipped
        return out


def take_messages(envelope, api, path, data):
    messages, zipped = [], False
    for flags, payload in data:
        assert flags in (0, 1), flags
        if flags:
            zipped = True
            payload = gzip.decompress(payload)
        messages.append(envelope.unpack(api, path, payload))
    return messages, zipped


class Grpc(Envelope):
    kind = "grpc"
    media = "application/grpc"
    half = True
    versions = (2,)

    def head(self, timeout_ms=None):
        lines = [f"Content-Type: {self.media}+{self.codec}", "TE: trailers"]
        if timeout_ms is not None:
            lines.append(f"grpc-timeout: {timeout_ms}m")
        if self.zipped:
            lines.append("grpc-encoding: gzip")
        lines.append("grpc-accept-encoding: " + ("gzip" if self.zipped else "identity"))
        return lines

    def body(self, api, requests):
        return b"".join(frame(self.pack(api, r), 1 if self.zipped else 0) for r in requests)

    def head_is_fine(self, answer):
        assert answer.status == 200, answer
        assert answer.fields["content-type"] == f"{self.media}+{self.codec}", answer
        assert answer.fields["grpc-accept-encoding"] == "gzip"

    def outcome(self, api, path, answer, data, ending):
        code, message, details = status_of(ending, api)
        messages, zipped = take_messages(self, api, path, data)
        trailers = {k: v for k, v in ending.items() if not k.startswith("grpc-")}
        out = Outcome(code, messages, message, details, answer.fields, trailers, answer)
        out.compressed = zipped
        return out

    def read(self, api, path, answer):
        self.head_is_fine(answer)
        if "grpc-status" in answer.fields:  # trailers only
            assert not answer.body and not answer.trailers, answer
            return self.outcome(api, path, answer, [], answer.fields)
        return self.outcome(api, path, answer, frames(answer.body), answer.trailers)


class GrpcWeb(Grpc):
    kind = "grpc-web"
    media = "application/grpc-web"
    half = False
    versions = (1, 2)

    def read(self, api, path, answer):
        self.head_is_fine(answer)
        if "grpc-status" in answer.fields:
            assert not answer.body, answer
            return self.outcome(api, path, answer, [], answer.fields)
        *data, (flags, end) = frames(self.plain(answer.body))
        assert flags == 0x80, "no trailers"
        assert end.endswith(b"\r\n") and not end.endswith(b"\r\n\r\n")
        ending = dict(line.split(": ", 1) for line in end.decode().split("\r\n")[:-1])
        return self.outcome(api, path, answer, data, ending)

    def plain(self, body):
        return body


class GrpcWebText(GrpcWeb):
    """Base64 of the whole body; what is flushed piece by piece is padded piece by piece."""
    kind = "grpc-web-text"
    media = "application/grpc-web-text"

    def body(self, api, requests):
        return base64.b64encode(super().body(api, requests))

    def plain(self, body):
        text, out = body.decode(), b""
        assert len(text) % 4 == 0
        for i in range(0, len(text), 4):
            out += base64.b64decode(text[i:i + 4], validate=True)
        return out


def both(kind):
    return [kind(codec, zipped) for codec in ("proto", "json") for zipped in (False, True)]


ENVELOPES = [*both(Connect), *both(ConnectGet), *both(ConnectStream), *both(Grpc), *both(GrpcWeb),
             GrpcWebText("proto"), GrpcWebText("proto", True)]
