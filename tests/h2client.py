# SPDX-License-Identifier: Apache-2.0
"""Two HTTP/2 clients: one that keeps the rules, by way of the h2 library, and one that sends frames
as they are given, to break them."""
import json
import socket
import ssl

import h2.config
import h2.connection
import h2.events
import hpack
from hyperframe import frame as frames

from harness import PATIENCE, Answer, Closed

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, \
    FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, \
    ENHANCE_YOUR_CALM = range(12)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Reset(Exception):
    """The server reset the stream; args[0] is the code."""


class Goaway(Exception):
    """The server ended the connection; args are the code and the last stream."""


def dial(port, certificates=None):
    made = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if certificates:
        made = certificates.client_context(("h2",)).wrap_socket(made, server_hostname="localhost")
        assert made.selected_alpn_protocol() == "h2"
    return made


class H2:
    """Keeps the rules. Windows are given back as data is read, unless hold is set."""

    def __init__(self, port, certificates=None, settings=None, hold=False):
        self.socket = dial(port, certificates)
        self.scheme = "https" if certificates else "http"
        self.hold = hold
        self.goaway = None
        self.answers = {}
        self.reset = {}
        self.ended = set()
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.connection = h2.connection.H2Connection(config)
        self.connection.initiate_connection()
        if settings:
            self.connection.update_settings(settings)
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def flush(self):
        self.socket.sendall(self.connection.data_to_send())

    def pump(self):
        """Takes what comes next. Raises Closed at the end."""
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            data = b""
        if not data:
            raise Closed("end of the connection")
        for event in self.connection.receive_data(data):
            self._take(event)
        self.flush()

    def _take(self, event):
        stream = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.ResponseReceived):
            fields = dict(event.headers)
            self.answers[stream] = Answer(int(fields.pop(":status")), fields, b"")
        elif isinstance(event, h2.events.DataReceived):
            self.answers[stream].body += event.data
            if not self.hold and event.flow_controlled_length:
                self.connection.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, h2.events.TrailersReceived):
            self.answers[stream].trailers = dict(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended.add(stream)
        elif isinstance(event, h2.events.StreamReset):
            self.reset[stream] = event.error_code
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = (event.error_code, event.last_stream_id)

    def begin(self, method, path, fields=(), end=True):
        stream = self.connection.get_next_available_stream_id()
        self.connection.send_headers(stream, [
            (":method", method), (":scheme", self.scheme), (":authority", "localhost"),
            (":path", path), *fields], end_stream=end)
        self.flush()
        return stream

    def send(self, stream, data, end=True):
        """False when the server has had enough before all was sent."""
        while data:
            if stream in self.reset or stream in self.ended:
                return False
            room = min(self.connection.local_flow_control_window(stream),
                       self.connection.max_outbound_frame_size, len(data))
            if room == 0:
                self.pump()
                continue
            self.connection.send_data(stream, data[:room])
            data = data[room:]
            self.flush()
        if end:
            self.connection.end_stream(stream)
            self.flush()
        return True

    def answer(self, stream):
        while stream not in self.ended:
            if stream in self.reset:
                raise Reset(self.reset[stream])
            if self.goaway and self.goaway[1] < stream:
                raise Goaway(*self.goaway)
            self.pump()
        return self.answers[stream]

    def request(self, method, path, body=None, token=None, headers=()):
        fields = [(n.lower(), v.strip()) for n, _, v in (h.partition(":") for h in headers)]
        if token:
            fields.append(("authorization", f"Bearer {token}"))
        payload = b""
        if body is not None:
            payload = body if isinstance(body, bytes) else json.dumps(body).encode()
            if not any(n == "content-type" for n, _ in fields):
                fields.append(("content-type", "application/json"))
            fields.append(("content-length", str(len(payload))))
        stream = self.begin(method, path, fields, end=not payload)
        if payload:
            self.send(stream, payload)
        return self.answer(stream)

    def wait_for_goaway(self):
        while not self.goaway:
            self.pump()
        return self.goaway[0]

    def stays_open(self):
        return self.request("GET", "/livez").status == 200


class Raw:
    """Breaks the rules on request."""

    def __init__(self, port, certificates=None, preface=True, settings=None):
        self.socket = dial(port, certificates)
        self.kept = b""
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        if preface:
            self.write(PREFACE + frames.SettingsFrame(0, settings=settings or {}).serialize())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def write(self, data):
        """False when the server has closed."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            return False

    def send(self, *some):
        return self.write(b"".join(f.serialize() for f in some))

    def headers(self, stream, *fields, path="/livez", method="GET", flags=("END_HEADERS",
                                                                          "END_STREAM"), raw=None):
        """A HEADERS frame; raw replaces the whole list of fields."""
        listed = raw if raw is not None else [
            (":method", method), (":scheme", "http"), (":authority", "a"), (":path", path), *fields]
        return frames.HeadersFrame(stream, data=self.encoder.encode(listed, huffman=False),
                                   flags=list(flags))

    def _exactly(self, count):
        while len(self.kept) < count:
            try:
                got = self.socket.recv(65536)
            except (ConnectionResetError, ssl.SSLError):
                got = b""
            if not got:
                raise Closed("end of the connection")
            self.kept += got
        data, self.kept = self.kept[:count], self.kept[count:]
        return data

    def frame(self):
        """The next frame; None at the end of the connection."""
        try:
            made, length = frames.Frame.parse_frame_header(memoryview(self._exactly(9)))
            made.parse_body(memoryview(self._exactly(length)))
            return made
        except Closed:
            return None

    def until(self, wanted):
        """The first frame that wanted(frame) is true for; None when the connection ended."""
        while (got := self.frame()) is not None:
            if wanted(got):
                return got
        return None

    def goaway(self):
        """The code that the connection ended with; None without GOAWAY. Reads to the end."""
        code = None
        while (got := self.frame()) is not None:
            if isinstance(got, frames.GoAwayFrame) and (code is None or got.error_code):
                code = got.error_code
        return code

    def status(self, stream):
        """The status of the answer on the stream, or ("reset", code), or ("goaway", code)."""
        while (got := self.frame()) is not None:
            if isinstance(got, frames.HeadersFrame):
                fields = dict(self.decoder.decode(got.data))
                if got.stream_id == stream:
                    return int(fields[":status"])
            elif isinstance(got, frames.RstStreamFrame) and got.stream_id == stream:
                return ("reset", got.error_code)
            elif isinstance(got, frames.GoAwayFrame) and got.error_code:
                return ("goaway", got.error_code)
        return None

    def is_alive(self):
        """A PING comes back."""
        self.send(frames.PingFrame(0, opaque_data=b"are you?"))
        return self.until(lambda f: isinstance(f, frames.PingFrame) and "ACK" in f.flags and
                          bytes(f.opaque_data) == b"are you?") is not None
