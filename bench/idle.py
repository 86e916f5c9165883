# SPDX-License-Identifier: Apache-2.0
"""Many idle connections to one server: each has made one request and then says nothing. Opened one
after the other, so no backlog overflows; client addresses vary so that ports do not run short."""
import errno
import socket
import struct
import time

from procs import Trouble

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GOAWAY = 0, 1, 4, 6, 7
ACK = END_STREAM = 1
END_HEADERS = 4
PER_ADDRESS = 8000


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    """One header field in HPACK: never indexed, no Huffman code; both under 127 bytes."""
    assert len(name) < 127 and len(value) < 127
    return b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value


def receive(sock, size):
    got = b""
    while len(got) < size:
        more = sock.recv(size - len(got))
        if not more:
            raise Trouble("the server closed a connection that was to stay idle")
        got += more
    return got


def ask_http1(sock, path):
    sock.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: bench\r\n\r\n")
    head = b""
    while b"\r\n\r\n" not in head:
        more = sock.recv(4096)
        if not more:
            raise Trouble("the server closed a connection before it answered")
        head += more
    head, _, body = head.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise Trouble(f"unexpected answer: {head[:200]!r}")
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            receive(sock, int(value) - len(body))


def ask_http2(sock, path):
    block = literal(b":method", b"GET") + literal(b":scheme", b"http") \
        + literal(b":path", path) + literal(b":authority", b"bench")
    sock.sendall(PREFACE + frame(SETTINGS, 0, 0)
                 + frame(HEADERS, END_HEADERS | END_STREAM, 1, block))
    answered = acknowledged = False
    while not (answered and acknowledged):
        head = receive(sock, 9)
        kind, flags = head[3], head[4]
        payload = receive(sock, int.from_bytes(head[:3], "big"))
        if kind == SETTINGS and flags & ACK:
            acknowledged = True
        elif kind == SETTINGS:
            sock.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            sock.sendall(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            raise Trouble(f"the server said GOAWAY: {payload!r}")
        elif kind in (HEADERS, DATA) and flags & END_STREAM:
            answered = True


def hold(port, count, http2, path=b"/livez"):
    """Opens the connections and returns them; the caller closes them."""
    ask = ask_http2 if http2 else ask_http1
    held = []
    try:
        for i in range(count):
            sock = socket.socket()
            held.append(sock)
            sock.settimeout(10)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.bind((f"127.0.0.{2 + i // PER_ADDRESS}", 0))
            sock.connect(("127.0.0.1", port))
            ask(sock, path)
    except OSError as failed:
        reached = len(held)
        close(held)
        name = errno.errorcode.get(failed.errno or 0, str(failed))
        raise Trouble(f"connection {reached} of {count}: {name}") from failed
    except Trouble:
        close(held)
        raise
    return held


def alive(held):
    """How many of the connections the server has not closed."""
    count = 0
    for sock in held:
        sock.setblocking(False)
        try:
            if sock.recv(1, socket.MSG_PEEK):
                count += 1
        except BlockingIOError:
            count += 1
        except OSError:
            pass
    return count


def close(held):
    for sock in held:
        sock.close()
    held.clear()


def settle(read, seconds=2.0):
    """Reads a number until two readings in a row agree within a permille, at most that long."""
    deadline = time.monotonic() + seconds
    last = read()
    while time.monotonic() < deadline:
        time.sleep(0.1)
        now = read()
        if abs(now - last) <= last / 1000:
            return now
        last = now
    return last
