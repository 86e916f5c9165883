# SPDX-License-Identifier: Apache-2.0
"""Many at once: requests in a row on one connection, clients that leave before the answer, threads
that change the same fleet, and tenants that come and go under their agents."""
import concurrent.futures
import json
import random

from fleet.client import COLLECTORS, Fleet, error_of, is_comment
from h2client import H2
from harness import Wire
from rpcclient import Api, Grpc

USES = '// %d\nlocal.file "f" {\n\tfilename = argument.attributes.value["%s"]\n}\n'
THREADS = 6
TURNS = 60


def head(fleet, method, body):
    payload = json.dumps(body).encode()
    return (f"POST {COLLECTORS}{method} HTTP/1.1\r\nHost: a\r\n{fleet.authorization()}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
            ).encode() + payload


def test_requests_in_a_row_are_answered_in_their_order(fleet):
    """Some from memory, some after a write: whoever is faster waits."""
    known = fleet.config("known")["hash"]
    wanted, sent = [], b""
    for n in range(40):
        fast = {"id": "known", "hash": known}
        slow = {"id": f"new-{n}", "localAttributes": {"n": str(n)}}
        sent += head(fleet, "GetConfig", fast) + head(fleet, "GetConfig", slow)
        sent += head(fleet, "GetCollector", {"id": f"new-{n}"})
        wanted += ["notModified", "content", f"new-{n}"]
    with fleet.server.connect() as wire:
        wire.send(sent)
        for n, want in enumerate(wanted):
            told = wire.answer("POST").json()
            assert want in told or told.get("id") == want, (n, told)


def test_whoever_leaves_before_the_answer_leaves_nothing_behind(fleet):
    """The write happens or it does not; the server and everybody else are as before."""
    for n in range(60):
        wire = fleet.server.connect()
        sent = head(fleet, "CreateCollector", {"collector": {"id": f"c{n}"}})
        wire.send(sent[:len(sent) - n % 3] if n % 3 else sent)
        wire.close()
    fleet.create("last")
    there = fleet.listed()
    assert "last" in there and set(there) <= {f"c{n}" for n in range(60)} | {"last"}
    for name in there:
        assert fleet.collector(name)["id"] == name


def test_streams_of_one_connection_do_not_wait_for_each_other(fleet):
    api, grpc = Api(), Grpc("proto")
    fields = [(n.lower(), v.strip()) for n, _, v in (
        line.partition(":") for line in [*grpc.head(), fleet.authorization()])]
    with H2(fleet.server.port()) as wire:
        streams = {}
        for n in range(60):
            request = api.new("collector.v1.GetConfigRequest", id=f"c{n}")
            streams[n] = wire.begin("POST", COLLECTORS + "GetConfig", fields, end=False)
            wire.send(streams[n], grpc.body(api, [request]))
        for n in reversed(range(60)):
            got = grpc.read(api, COLLECTORS + "GetConfig", wire.answer(streams[n]))
            assert got.code == "ok" and is_comment(got.messages[0].content)
    assert len(fleet.listed()) == 60


class Worker:
    """One client that does anything to a fleet of five; nothing it is told may be out of place."""

    def __init__(self, fleet, seed):
        self.fleet, self.draw = fleet, random.Random(seed)

    def name(self):
        return f"agent-{self.draw.randrange(5)}"

    def attributes(self):
        return {key: self.draw.choice(["1", "2"]) for key in "xyz" if self.draw.random() < 0.6}

    def step(self, own):
        name = self.name()
        kind = self.draw.randrange(10)
        pipeline = {"name": f"p{self.draw.randrange(4)}",
                    "matchers": [f'{self.draw.choice("xyz")}=1'],
                    "contents": USES % (self.draw.randrange(99), self.draw.choice("xy"))}
        method, body = [
            ("RegisterCollector", {"id": name, "localAttributes": self.attributes()}),
            ("UpdateCollector", {"collector": {"id": name, "remoteAttributes": self.attributes()}}),
            ("BulkUpdateCollectors", {"ids": [name, self.name()], "ops": [
                {"op": "ADD", "path": "remoteAttributes.x", "value": "1"}]}),
            ("DeleteCollector", {"id": name}), ("UnregisterCollector", {"id": name}),
            ("UpsertPipeline", {"pipeline": pipeline}),
            ("SyncPipelines", {"source": {"type": "SOURCE_TYPE_GIT", "namespace": "n"},
                               "pipelines": [pipeline]}),
            ("ListCollectors", {"matchers": ["x=1"]}), ("ListCollectorAttributes", {}),
            ("ListPipelinesRevisions", {}),
        ][kind]
        answer = own.post(method, body)
        assert answer.status in (200, 404), (method, answer)
        if answer.status == 404:
            error_of(answer)
        for _ in range(3):
            own.config(self.name(), self.attributes())

    def run(self):
        with Fleet(self.fleet.server, self.fleet.tenant, self.fleet.token) as own:
            for _ in range(TURNS):
                self.step(own)


def test_a_fleet_that_many_change_at_once(fleet):
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda seed: Worker(fleet, seed).run(), range(THREADS)))
    # Now that it is quiet, whatever is remembered has to be what is made from scratch.
    for name in fleet.listed():
        local = {k: v for k, v in fleet.collector(name)["localAttributes"].items()
                 if k != "collector.ID"}
        told = fleet.config(name, local)
        assert fleet.config(name, local, hash=told["hash"]).get("notModified")
        assert fleet.call("ExplainAgent", id=name)["hash"] == told["hash"]
    names = fleet.listed()
    state = fleet.state()
    counted = [len(fleet.listed(f"x={v}")) for v in ("1", "2")] + [len(fleet.listed("x=\"\""))]
    assert sum(counted) == len(names) and fleet.state() == state


def test_a_tenant_that_goes_takes_its_fleet_along(shared):
    with Fleet(shared, "comes-and-goes") as first:
        first.register("c", {"a": "b"})
        first.pipeline("web", "// web\n", ["a=b"])
        known = first.config("c", {"a": "b"})["hash"]
        gone = shared.request("DELETE", "/admin/v1/tenants/comes-and-goes")
        assert gone.status in (200, 204), gone
        for method, body in (("GetConfig", {"id": "c", "hash": known}), ("ListCollectors", {}),
                             ("RegisterCollector", {"id": "c"})):
            assert error_of(first.post(method, body))["code"] == "unauthenticated"
    with Fleet(shared, "comes-and-goes") as second:
        assert second.state() == {m: {} for m in second.state()}
        told = second.config("c", {"a": "b"}, hash=known)
        assert is_comment(told["content"])
        assert second.listed() == ["c"]
    assert shared.request("DELETE", "/admin/v1/tenants/comes-and-goes").status in (200, 204)


def test_a_long_line_of_wires(shared):
    """Each with a poll of its own in flight."""
    with Fleet(shared) as fleet:
        opened = [Wire(shared.port()) for _ in range(100)]
        for n, wire in enumerate(opened):
            wire.send(head(fleet, "GetConfig", {"id": f"c{n % 7}",
                                                "localAttributes": {"n": str(n)}}))
        for wire in opened:
            assert is_comment(wire.answer("POST").json()["content"])
            wire.close()
        assert fleet.listed() == [f"c{n}" for n in range(7)]
