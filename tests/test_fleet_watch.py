# SPDX-License-Identifier: Apache-2.0
"""WatchAgents with clients that read slowly, leave at any moment, or come in crowds."""
import json
import socket
import struct
import threading

import pytest

from harness import Server, Wire

PATH = "/muster.v1.FleetService/WatchAgents"


class Watcher:
    """One stream by Connect's framing over HTTP/1.1, read only as far as it is asked to."""

    def __init__(self, server, matchers=(), token=None):
        self.wire = Wire(server.port())
        message = json.dumps({"matchers": list(matchers)}).encode()
        body = struct.pack(">BI", 0, len(message)) + message
        self.wire.send((f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/connect+json"
                        f"\r\nAuthorization: Bearer {token or server.token()}\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n").encode() + body)
        self.kept = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def head(self):
        """Once it is there, every change is seen."""
        status, fields = self.wire.head()
        assert fields["transfer-encoding"] == "chunked"
        return status

    def _need(self, count):
        while len(self.kept) < count:
            size = int(self.wire.read_until(b"\r\n"), 16)
            assert size > 0, "the stream ended"
            self.kept += self.wire.read_exactly(size)
            assert self.wire.read_exactly(2) == b"\r\n"

    def frame(self):
        self._need(5)
        flags, length = struct.unpack(">BI", self.kept[:5])
        self._need(5 + length)
        message, self.kept = json.loads(self.kept[5:5 + length]), self.kept[5 + length:]
        return flags, message

    def change(self):
        flags, message = self.frame()
        assert flags == 0, message
        return message


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path) as started:
        yield started


def registrar(server, token=None):
    """Registers over one connection."""
    wire = server.connect()

    def register(name, **attributes):
        done = wire.request("POST", "/collector.v1.CollectorService/RegisterCollector",
                            {"id": name, "localAttributes": attributes}, token or server.token())
        assert done.status == 200, done
    return register


def test_each_change_is_told_once_in_order(server):
    register = registrar(server)
    with Watcher(server, ["kind=mine"]) as watcher:
        assert watcher.head() == 200
        register("other", kind="other")
        for i in range(20):
            register(f"a{i}", kind="mine")
        register("a3", kind="mine", more="x")
        register("a3", kind="mine", more="x")  # the same again is no change
        register("last", kind="mine")
        told = [watcher.change() for _ in range(22)]
    assert [c["id"] for c in told] == [f"a{i}" for i in range(20)] + ["a3", "last"]
    assert {c["kind"] for c in told} == {"KIND_CHANGED"}
    assert told[20]["agent"]["localAttributes"] == {"kind": "mine", "more": "x"}


def test_a_tenant_sees_only_its_own(server):
    made = json.loads(server.cli("tenant", "create", "lab", "--output", "json", check=0).stdout)
    key = json.loads(server.cli("key", "create", "--tenant", "lab", "--role", "editor", "--output",
                                "json", check=0).stdout)["token"]
    agent = json.loads(server.cli("key", "create", "--tenant", "lab", "--role", "agent", "--output",
                                  "json", check=0).stdout)["token"]
    assert made["id"] > 0
    with Watcher(server, token=key) as watcher:
        watcher.head()
        registrar(server)("ours")
        registrar(server, agent)("theirs")
        assert watcher.change()["id"] == "theirs"


def test_who_reads_too_slowly_is_told_that_he_missed_something(server):
    """What waits for him is bounded, nobody else waits, and it goes on afterwards."""
    register = registrar(server)
    heavy = {f"k{i:02}": "v" * 140 for i in range(21)}
    with Watcher(server) as slow, Watcher(server) as quick:
        slow.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.head()
        quick.head()
        count = 3500
        for i in range(count):
            register(f"{i:05}-" + "x" * 240, turn=str(i), **heavy)
            assert int(quick.change()["id"][:5]) == i
        kinds, ids = [], []
        while not kinds or kinds[-1] != "KIND_LOST":
            change = slow.change()
            kinds.append(change["kind"])
            ids.append(change["id"])
        assert set(kinds[:-1]) == {"KIND_CHANGED"} and ids[-1] == ""
        assert [int(i[:5]) for i in ids[:-1]] == list(range(len(ids) - 1)) and len(ids) < count
        register("after")
        while change["id"] != "after":
            change = slow.change()
        assert change["kind"] == "KIND_CHANGED"


def test_clients_that_leave_at_any_moment(server):
    failures = []

    def come_and_go(n):
        try:
            for _ in range(100):
                with Watcher(server, [f"n=~\"[0-{n}]\""]) as watcher:
                    if n % 3:
                        watcher.head()
                    if n % 3 == 2:
                        watcher.change()
        except (AssertionError, OSError) as failure:
            failures.append(failure)
    threads = [threading.Thread(target=come_and_go, args=(n,), daemon=True) for n in range(6)]
    for thread in threads:
        thread.start()
    register = registrar(server)
    turn = 0
    while any(thread.is_alive() for thread in threads):
        register(f"a{turn % 50}", n=str(turn % 6), turn=str(turn))
        turn += 1
    assert not failures and turn > 0


def test_there_is_a_bound_to_their_number(server):
    """Which one tenant alone cannot reach."""
    server.cli("tenant", "create", "lab", check=0)
    key = json.loads(server.cli("key", "create", "--tenant", "lab", "--role", "viewer", "--output",
                                "json", check=0).stdout)["token"]
    watchers = []
    try:
        for token in (server.token(), key):
            for _ in range(128):
                watchers.append(Watcher(server, token=token))
                assert watchers[-1].head() == 200
            with Watcher(server, token=token) as one_more:
                one_more.head()
                flags, end = one_more.frame()
                assert flags == 2 and end["error"]["code"] == "resource_exhausted"
        registrar(server)("seen")
        assert watchers[0].change()["id"] == "seen"
    finally:
        for watcher in watchers:
            watcher.wire.close()


def test_changes_over_grpc(server):
    import grpc  # slow to load
    with grpc.insecure_channel(f"127.0.0.1:{server.port()}") as channel:
        watch = channel.unary_stream(PATH, request_serializer=bytes, response_deserializer=bytes)
        stream = watch(b"", metadata=[("authorization", f"Bearer {server.token()}")])
        stream.initial_metadata()  # from now on it sees
        registrar(server)("over-grpc")
        first = next(iter(stream))
        assert first.startswith(b"\x08\x01\x12\x09over-grpc")  # KIND_CHANGED and its id
        stream.cancel()


def test_the_time_of_a_request_does_not_end_a_watch(tmp_path):
    """The client's own deadline does. A request's time is enough for one on a slow machine."""
    with Server(tmp_path, "--timeouts-request", "1s") as server:
        register = registrar(server)
        with Watcher(server) as watcher, Watcher(server) as timed:
            watcher.head()
            timed.wire.close()
            timed.wire = Wire(server.port())
            message = b"{}"
            body = struct.pack(">BI", 0, len(message)) + message
            timed.wire.send(
                f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/connect+json\r\n"
                f"Authorization: Bearer {server.token()}\r\nConnect-Timeout-Ms: 3000\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            timed.head()
            flags, end = timed.frame()
            assert flags == 2 and end["error"]["code"] == "deadline_exceeded"
            register("late")  # 3 s are over, thrice the time of a request
            assert watcher.change()["id"] == "late"
