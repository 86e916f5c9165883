# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 frame by frame: what breaks a rule ends the stream or the connection with the right code,
floods are counted and ended, and everybody else is served on."""
import re
import signal
import struct

import pytest
from hyperframe.frame import (ContinuationFrame, DataFrame, GoAwayFrame, HeadersFrame, PingFrame,
                              PriorityFrame, RstStreamFrame, SettingsFrame,
                              WindowUpdateFrame)

from h2client import (CANCEL, COMPRESSION_ERROR, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR,
                      FRAME_SIZE_ERROR, H2, NO_ERROR, PREFACE, PROTOCOL_ERROR, REFUSED_STREAM,
                      STREAM_CLOSED, Raw)
from harness import Server, wait_for


@pytest.fixture(params=["h2c", "h2 over tls"])
def raw(request, shared, certificates):
    """A connection to break, beside one that must not notice."""
    over_tls = certificates if "tls" in request.param else None
    port = shared.port("https" if over_tls else "http")
    with H2(port, over_tls) as bystander, Raw(port, over_tls) as made:
        assert bystander.stays_open()
        yield made
        assert bystander.stays_open()
        assert shared.request("GET", "/livez").status == 200


def frame(kind, flags, stream, body):
    """Any frame, also one that no library would build."""
    return struct.pack(">I", len(body))[1:] + struct.pack(">BBI", kind, flags, stream) + body


def post(raw, stream, length=None):
    """HEADERS of a request whose body is still to come, on a path that takes one."""
    fields = [("content-type", "application/json")]
    if length is not None:
        fields.append(("content-length", str(length)))
    return raw.headers(stream, *fields, ("authorization", f"Bearer {raw.token}"),
                       method="POST", path="/admin/v1/tenants", flags=["END_HEADERS"])


# -- frames that end the connection

UNKNOWN_SETTING = struct.pack(">HI", 0xfafa, 1)

ENDINGS = {
    "DATA on stream 0": (frame(0, 1, 0, b"x"), PROTOCOL_ERROR),
    "HEADERS on stream 0": (frame(1, 5, 0, b"\x82"), PROTOCOL_ERROR),
    "HEADERS on an even stream": (frame(1, 5, 2, b"\x82\x86\x84\x41\x01a"), PROTOCOL_ERROR),
    "DATA on a stream that was never opened": (frame(0, 1, 1, b"x"), PROTOCOL_ERROR),
    "RST_STREAM on stream 0": (frame(3, 0, 0, b"\0\0\0\x08"), PROTOCOL_ERROR),
    "RST_STREAM on a stream that was never opened": (frame(3, 0, 1, b"\0\0\0\x08"), PROTOCOL_ERROR),
    "RST_STREAM of the wrong length": (frame(3, 0, 1, b"\0\0\0"), FRAME_SIZE_ERROR),
    "PRIORITY on stream 0": (frame(2, 0, 0, b"\0\0\0\1\0"), PROTOCOL_ERROR),
    "SETTINGS on a stream": (frame(4, 0, 1, b""), PROTOCOL_ERROR),
    "SETTINGS of the wrong length": (frame(4, 0, 0, b"\0\0\0"), FRAME_SIZE_ERROR),
    "an acknowledgment of SETTINGS with a body": (frame(4, 1, 0, UNKNOWN_SETTING),
                                                  FRAME_SIZE_ERROR),
    "ENABLE_PUSH that is neither 0 nor 1": (frame(4, 0, 0, struct.pack(">HI", 2, 2)),
                                            PROTOCOL_ERROR),
    "INITIAL_WINDOW_SIZE over 2^31-1": (frame(4, 0, 0, struct.pack(">HI", 4, 1 << 31)),
                                        FLOW_CONTROL_ERROR),
    "MAX_FRAME_SIZE below 16384": (frame(4, 0, 0, struct.pack(">HI", 5, 16383)), PROTOCOL_ERROR),
    "MAX_FRAME_SIZE over 2^24-1": (frame(4, 0, 0, struct.pack(">HI", 5, 1 << 24)), PROTOCOL_ERROR),
    "PUSH_PROMISE from a client": (frame(5, 4, 1, b"\0\0\0\2\x82"), PROTOCOL_ERROR),
    "PING on a stream": (frame(6, 0, 1, b"12345678"), PROTOCOL_ERROR),
    "PING of the wrong length": (frame(6, 0, 0, b"1234567"), FRAME_SIZE_ERROR),
    "GOAWAY on a stream": (frame(7, 0, 1, b"\0" * 8), PROTOCOL_ERROR),
    "GOAWAY of the wrong length": (frame(7, 0, 0, b"\0" * 7), FRAME_SIZE_ERROR),
    "WINDOW_UPDATE of 0 on the connection": (frame(8, 0, 0, b"\0\0\0\0"), PROTOCOL_ERROR),
    "WINDOW_UPDATE of the wrong length": (frame(8, 0, 0, b"\0\0\0"), FRAME_SIZE_ERROR),
    "WINDOW_UPDATE on a stream that was never opened": (frame(8, 0, 1, b"\0\0\0\1"),
                                                        PROTOCOL_ERROR),
    "a window over 2^31-1": (frame(8, 0, 0, b"\x7f\xff\xff\xff") * 2, FLOW_CONTROL_ERROR),
    "CONTINUATION without HEADERS": (frame(9, 4, 1, b"\x82"), PROTOCOL_ERROR),
    "a frame within a block of headers": (frame(1, 1, 1, b"\x82") + frame(6, 0, 0, b"12345678"),
                                          PROTOCOL_ERROR),
    "CONTINUATION of another stream": (frame(1, 1, 1, b"\x82") + frame(9, 4, 3, b"\x84"),
                                       PROTOCOL_ERROR),
    "a frame longer than allowed": (frame(0, 1, 1, b"x" * 16385), FRAME_SIZE_ERROR),
    "HEADERS longer than allowed": (frame(1, 5, 1, b"x" * 16385), FRAME_SIZE_ERROR),
    "padding longer than the frame": (frame(1, 0x0d, 1, b"\xff\x82"), PROTOCOL_ERROR),
    "a block that is not HPACK": (frame(1, 5, 1, b"\xff\xff\xff\xff\xff\xff\xff"),
                                  COMPRESSION_ERROR),
    "an index outside the table": (frame(1, 5, 1, b"\xbe\x86\x84"), COMPRESSION_ERROR),
    "a table size over the limit": (frame(1, 5, 1, b"\x3f\xff\xff\x7f\x82\x86\x84"),
                                    COMPRESSION_ERROR),
    "a literal that ends early": (frame(1, 5, 1, b"\x82\x86\x84\x41\x7fa"), COMPRESSION_ERROR),
    "Huffman code with a wrong end": (frame(1, 5, 1, b"\x82\x86\x84\x41\x82\x00\x00"),
                                      COMPRESSION_ERROR),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_broken_rule_ends_the_connection(raw, name):
    data, code = ENDINGS[name]
    raw.write(data)
    assert raw.goaway() == code


def test_streams_must_count_upwards(raw):
    raw.send(raw.headers(5))
    assert raw.status(5) == 200
    raw.send(raw.headers(3))
    assert raw.goaway() in (PROTOCOL_ERROR, STREAM_CLOSED)


def test_the_preface_comes_before_all(shared):
    with Raw(shared.port(), preface=False) as raw:
        raw.write(PREFACE)
        raw.send(PingFrame(0, opaque_data=b"12345678"))
        assert raw.goaway() == PROTOCOL_ERROR


def test_a_preface_in_pieces(shared):
    with Raw(shared.port(), preface=False) as raw:
        for byte in PREFACE + SettingsFrame(0).serialize():
            raw.write(bytes([byte]))
        raw.send(raw.headers(1))
        assert raw.status(1) == 200


def test_frames_byte_by_byte(raw):
    for byte in raw.headers(1).serialize() + PingFrame(0, opaque_data=b"12345678").serialize():
        raw.write(bytes([byte]))
    assert raw.status(1) == 200
    assert raw.is_alive()


# -- what the connection survives


def test_what_is_unknown_is_ignored(raw):
    raw.write(frame(0x42, 0xff, 0, b"whatever") + frame(0x42, 0, 1, b"") +
              frame(4, 0, 0, UNKNOWN_SETTING))
    raw.send(raw.headers(1))
    assert raw.status(1) == 200
    assert raw.is_alive()


def test_a_ping_comes_back(raw):
    assert raw.is_alive()


def test_settings_are_acknowledged(raw):
    raw.send(SettingsFrame(0, settings={4: 100000}))
    assert raw.until(lambda f: isinstance(f, SettingsFrame) and "ACK" in f.flags)


def test_data_after_the_end_of_a_stream(raw, token):
    raw.token = token
    raw.send(raw.headers(1), DataFrame(1, data=b"more", flags=["END_STREAM"]))
    ended = raw.until(lambda f: isinstance(f, (RstStreamFrame, GoAwayFrame)) and f.error_code)
    assert ended.error_code in (STREAM_CLOSED, PROTOCOL_ERROR)


def test_window_update_of_0_on_a_stream(raw, token):
    raw.token = token
    raw.send(post(raw, 1))
    raw.write(frame(8, 0, 1, b"\0\0\0\0"))
    ended = raw.until(lambda f: isinstance(f, (RstStreamFrame, GoAwayFrame)) and f.error_code)
    assert ended.error_code == PROTOCOL_ERROR


@pytest.fixture
def token(shared):
    return shared.token()


BASE = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/livez")]
BAD_HEADERS = {
    "no method": BASE[1:],
    "no scheme": [BASE[0], *BASE[2:]],
    "no path": BASE[:3],
    "an empty path": [*BASE[:3], (":path", "")],
    "a path without a slash": [*BASE[:3], (":path", "livez")],
    "two methods": [BASE[0], *BASE],
    "two paths": [*BASE, BASE[3]],
    "an unknown pseudo-field": [*BASE, (":color", "red")],
    "a pseudo-field of answers": [*BASE, (":status", "200")],
    "a pseudo-field behind the fields": [*BASE[:3], ("a", "b"), BASE[3]],
    "capitals in a name": [*BASE, ("Accept", "x")],
    "an empty name": [*BASE, ("", "x")],
    "a blank in a name": [*BASE, ("a b", "x")],
    "a colon in a name": [*BASE, ("a:b", "x")],
    "a NUL in a value": [*BASE, ("a", "x\0y")],
    "a line break in a value": [*BASE, ("a", "x\r\ny: z")],
    "a bare line feed in a value": [*BASE, ("a", "x\ny")],
    "Connection": [*BASE, ("connection", "close")],
    "Keep-Alive": [*BASE, ("keep-alive", "1")],
    "Proxy-Connection": [*BASE, ("proxy-connection", "close")],
    "Transfer-Encoding": [*BASE, ("transfer-encoding", "chunked")],
    "Upgrade": [*BASE, ("upgrade", "h2c")],
    "TE with anything but trailers": [*BASE, ("te", "gzip")],
    "two equal lengths": [*BASE, ("content-length", "0"), ("content-length", "0")],
    "a negative length": [*BASE, ("content-length", "-1")],
    "a length that is none": [*BASE, ("content-length", "abc")],
    "a length where there is no body": [*BASE, ("content-length", "5")],
    "a blank in the path": [*BASE[:3], (":path", "/li vez")],
    "a fragment in the path": [*BASE[:3], (":path", "/livez#x")],
    "a control byte in the path": [*BASE[:3], (":path", "/livez\x01")],
    "an authority with a blank": [*BASE[:2], (":authority", "a b"), BASE[3]],
    "a user in the authority": [*BASE[:2], (":authority", "u@a"), BASE[3]],
    "a Host unlike the authority": [*BASE, ("host", "b")],
    "a method that is no token": [(":method", "G T"), *BASE[1:]],
    "CONNECT": [(":method", "CONNECT"), (":authority", "a:80")],
    "a foreign scheme": [BASE[0], (":scheme", "ftp"), *BASE[2:]],
}


@pytest.mark.parametrize("name", BAD_HEADERS)
def test_a_malformed_request_ends_its_stream_only(raw, name):
    raw.send(raw.headers(1, raw=BAD_HEADERS[name]))
    assert raw.status(1) in (400, 421, ("reset", PROTOCOL_ERROR)), name
    raw.send(raw.headers(3))
    assert raw.status(3) == 200


def test_te_trailers_is_fine(raw):
    raw.send(raw.headers(1, ("te", "trailers")))
    assert raw.status(1) == 200


def test_a_body_shorter_than_announced(raw, token):
    raw.token = token
    raw.send(post(raw, 1, length=10), DataFrame(1, data=b"{}", flags=["END_STREAM"]))
    assert raw.status(1) in (400, ("reset", PROTOCOL_ERROR))
    assert raw.is_alive()


def test_a_body_longer_than_announced(raw, token):
    raw.token = token
    raw.send(post(raw, 1, length=1), DataFrame(1, data=b"{}", flags=["END_STREAM"]))
    assert raw.status(1) in (400, ("reset", PROTOCOL_ERROR))
    assert raw.is_alive()


def test_a_body_that_ends_after_its_early_answer(raw):
    """The answer came with the head; what is left of the request is read past."""
    for stream, rest in ((1, [b""]), (3, [b"{}", b""]), (5, [b"{}"])):
        raw.send(raw.headers(stream, method="PUT", flags=["END_HEADERS"]))
        assert raw.status(stream) == 405
        for i, data in enumerate(rest):
            raw.send(DataFrame(stream, data=data,
                               flags=["END_STREAM"] if i + 1 == len(rest) else []))
        assert raw.is_alive()


def test_request_trailers_are_taken(raw, token):
    raw.token = token
    raw.send(post(raw, 1), DataFrame(1, data=b"{}"),
             raw.headers(1, raw=[("x-sum", "1")]))
    assert raw.status(1) == 400  # by the handler: the body was whole
    assert raw.is_alive()


def test_a_pseudo_field_in_trailers(raw, token):
    raw.token = token
    raw.send(post(raw, 1), DataFrame(1, data=b"{}"), raw.headers(1, raw=[(":path", "/x")]))
    assert raw.status(1) in (400, ("reset", PROTOCOL_ERROR))
    assert raw.is_alive()


def test_too_many_header_fields(raw):
    raw.send(raw.headers(1, *[("x", "y")] * 200))
    assert raw.status(1) in (431, ("reset", PROTOCOL_ERROR), ("reset", ENHANCE_YOUR_CALM),
                             ("reset", REFUSED_STREAM), ("reset", CANCEL))
    raw.send(raw.headers(3))
    assert raw.status(3) == 200


def test_small_frames_that_inflate(raw):
    """One entry of the table, named again and again: few bytes in, many out."""
    raw.send(HeadersFrame(1, data=raw.encoder.encode([*BASE, ("x", "y" * 4000)], huffman=False),
                          flags=["END_HEADERS", "END_STREAM"]))
    assert raw.status(1) == 200
    block = b"\x82\x86\x84" + b"\x41\x01a" + b"\xbf" * 500
    raw.write(frame(1, 5, 3, block))
    got = raw.status(3)
    assert got == 431 or got[0] in ("reset", "goaway"), got


def test_more_streams_than_allowed_are_refused(tmp_path):
    with Server(tmp_path, "--limits-streams", "4") as server, Raw(server.port()) as raw:
        raw.token = server.token()
        told = raw.until(lambda f: isinstance(f, SettingsFrame) and "ACK" not in f.flags)
        assert told.settings[SettingsFrame.MAX_CONCURRENT_STREAMS] == 4
        for i in range(6):
            raw.send(post(raw, 2 * i + 1))
        refused = raw.until(lambda f: isinstance(f, (RstStreamFrame, GoAwayFrame)))
        assert refused.error_code in (REFUSED_STREAM, PROTOCOL_ERROR)
        assert refused.stream_id in (9, 11, 0)
        assert server.request("GET", "/livez").status == 200


def test_flow_control_holds_a_long_answer(shared, certificates, token):
    """Nothing beyond the window comes; the rest does once it is opened."""
    with H2(shared.port(), settings={4: 1000}, hold=True) as client:
        stream = client.begin("GET", "/admin/v1/backup", [("authorization", f"Bearer {token}")])
        while stream not in client.answers or len(client.answers[stream].body) < 1000:
            client.pump()
        assert client.stays_open()
        assert len(client.answers[stream].body) == 1000
        client.hold = False
        client.connection.increment_flow_control_window(10_000_000)
        client.connection.increment_flow_control_window(10_000_000, stream)
        client.flush()
        answer = client.answer(stream)
        assert len(answer.body) == int(answer.fields["content-length"])


# -- floods


def flood(raw, data, times, batch=50):
    """Until the server has had enough or all was sent; the code that it ended with."""
    for _ in range(0, times, batch):
        if not raw.write(data * batch):
            break
    return raw.goaway()


def test_a_flood_of_pings(raw):
    assert flood(raw, PingFrame(0, opaque_data=b"12345678").serialize(), 2000) == ENHANCE_YOUR_CALM


def test_a_flood_of_settings(raw):
    assert flood(raw, SettingsFrame(0, settings={4: 70000}).serialize(), 2000) == ENHANCE_YOUR_CALM


def test_a_flood_of_priorities(raw):
    one = PriorityFrame(1, depends_on=0, stream_weight=1).serialize()
    assert flood(raw, one, 10000) == ENHANCE_YOUR_CALM


def test_a_flood_of_empty_data(raw, token):
    raw.token = token
    raw.send(post(raw, 1))
    assert flood(raw, DataFrame(1).serialize(), 5000) == ENHANCE_YOUR_CALM


def test_a_flood_of_window_updates(raw):
    one = WindowUpdateFrame(0, window_increment=1).serialize()
    assert flood(raw, one, 60000, batch=500) == ENHANCE_YOUR_CALM


def test_rapid_reset(raw):
    """CVE-2023-44487: requests that are taken back as soon as they were made."""
    for i in range(2000):
        stream = 2 * i + 1
        if not raw.send(raw.headers(stream), RstStreamFrame(stream, error_code=CANCEL)):
            break
    assert raw.goaway() == ENHANCE_YOUR_CALM


def test_rapid_reset_by_the_servers_own_hand(raw):
    """The same, but the client breaks a rule so that the server resets (CVE-2025-8671)."""
    for i in range(2000):
        stream = 2 * i + 1
        if not raw.write(raw.headers(stream, flags=["END_HEADERS"]).serialize() +
                         frame(8, 0, stream, b"\0\0\0\0")):
            break
    assert raw.goaway() in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR)


def test_a_flood_of_continuations(raw):
    """CVE-2024-27316: a block of headers that never ends."""
    raw.send(raw.headers(1, flags=["END_STREAM"]))
    code = flood(raw, ContinuationFrame(1, data=b"\x00\x01a\x01b").serialize(), 5000)
    assert code in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR, None)


def test_a_flood_of_empty_continuations(raw):
    raw.send(raw.headers(1, flags=["END_STREAM"]))
    code = flood(raw, ContinuationFrame(1).serialize(), 5000)
    assert code in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR, None)


def test_windows_that_stay_shut(tmp_path):
    """Requests whose answers the client never takes; neither memory nor streams are held."""
    with Server(tmp_path, "--timeouts-write", "300ms", "--h2-stalls", "4") as server:
        with Raw(server.port(), settings={4: 0}) as raw:
            for i in range(20):
                raw.send(raw.headers(2 * i + 1, path="/version"))
            codes = []
            while (got := raw.frame()) is not None:
                if isinstance(got, (RstStreamFrame, GoAwayFrame)):
                    codes.append((type(got).__name__, got.error_code))
            assert ("GoAwayFrame", ENHANCE_YOUR_CALM) in codes, codes
        assert server.request("GET", "/livez").status == 200


def test_a_connection_window_that_stays_shut(tmp_path):
    with Server(tmp_path, "--timeouts-write", "300ms", "--limits-min-rate", "0") as server:
        with Raw(server.port()) as raw:  # 64 KiB, and never more
            raw.send(raw.headers(1, ("authorization", f"Bearer {server.token()}"),
                                 path="/admin/v1/backup"))
            ended = raw.until(lambda f: isinstance(f, (RstStreamFrame, GoAwayFrame)) or
                              "END_STREAM" in f.flags)
            assert ended is None or "END_STREAM" not in ended.flags
        assert server.request("GET", "/livez").status == 200


def test_a_broken_preface_is_answered_in_frames(shared):
    with Raw(shared.port(), preface=False) as raw:
        raw.write(b"INVALID CONNECTION PREFACE\r\n\r\n")
        assert raw.goaway() == PROTOCOL_ERROR


def test_many_small_tls_records_at_once_are_all_read(shared, certificates):
    """Decrypted bytes raise no event: the server has to remember that it holds some."""
    no_window = {SettingsFrame.INITIAL_WINDOW_SIZE: 0}  # so that no answer is ever whole
    with Raw(shared.port("https"), certificates, settings=no_window) as raw:
        assert raw.frame()
        shared.process.send_signal(signal.SIGSTOP)
        for i in range(257):  # one over the limit, each in a record of its own
            raw.send(raw.headers(2 * i + 1))
        shared.process.send_signal(signal.SIGCONT)
        refused = raw.until(lambda f: isinstance(f, RstStreamFrame))
        assert refused.error_code == REFUSED_STREAM
        assert refused.stream_id == 2 * 256 + 1


def test_the_reasons_are_counted(shared):
    """After the floods above; the order of tests does not matter, one flood is enough."""
    with Raw(shared.port()) as raw:
        assert flood(raw, PingFrame(0, opaque_data=b"12345678").serialize(),
                     2000) == ENHANCE_YOUR_CALM

    def counted():
        text = shared.request("GET", "/metrics").body.decode()
        return re.search(r'closed_total\{reason="h2_pings"\} [1-9]', text)

    wait_for("the connection's end to be counted", counted)


def test_goaway_from_the_client_lets_open_streams_finish(raw, token):
    raw.token = token
    raw.send(post(raw, 1), GoAwayFrame(0, last_stream_id=0, error_code=NO_ERROR))
    raw.send(DataFrame(1, data=b"{}", flags=["END_STREAM"]))
    assert raw.status(1) == 400
