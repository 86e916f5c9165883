# SPDX-License-Identifier: Apache-2.0
"""Measures the RPC engine: unary echo of 100 bytes through three envelopes, against nginx's static
answer of the same size to the same requests, and beside an echo server by connect-go when there is
Go to build it. Called by bench.py, which owns the options and the report."""
import http.client
import json
import os
import pathlib
import shutil
import subprocess

import load
from procs import Echo, Nginx, Trouble
from report import Series, Target, table

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TEXT = ("an echo of one hundred bytes: what agents send is about as long as this line, "
        "which says nothing new")
assert len(TEXT) == 100
MESSAGE = b"\x0a" + bytes([len(TEXT)]) + TEXT.encode()  # a string in field 1

# What clients' libraries send, without asking for compression: connect-go would compress even this.
CONNECT = ("Connect-Protocol-Version: 1",)
GRPC = ("Content-Type: application/grpc", "TE: trailers")

MUSTER_PATH = "/muster.test.v1.TestService/EchoHot"
GO_PATH = "/muster.bench.v1.Echo/Echo"
MUSTER, NGINX, GO = "muster", "nginx", "connect-go"


class Envelope:
    """One way to call: the bytes of a request, how to load, and what is to be reached."""

    def __init__(self, name, headers, body, target, loads):
        self.name = name
        self.headers = headers
        self.body = body  # by the server's name
        self.target = target
        self.loads = loads


def _json(field):
    return json.dumps({field: TEXT}, separators=(",", ":")).encode()


def _same(body):
    return {MUSTER: body, NGINX: body, GO: body}


ENVELOPES = (
    Envelope("Connect proto", ("Content-Type: application/proto", *CONNECT), _same(MESSAGE), 1.0,
             {"HTTP/1.1, 64 connections": None}),
    Envelope("Connect JSON", ("Content-Type: application/json", *CONNECT),
             {MUSTER: _json("text"), NGINX: _json("text"), GO: _json("fileName")}, 0.8,
             {"HTTP/1.1, 64 connections": None}),
    Envelope("gRPC", GRPC, _same(b"\x00" + len(MESSAGE).to_bytes(4, "big") + MESSAGE), 1.2,
             {"h2c, 16 connections x 32 streams": (16, 32),
              "h2c, 64 connections x 1 stream": (64, 1)}),
)


def lua(body):
    """A script for wrk that posts the body; nothing of it runs during the load."""
    text = "".join(f"\\{byte:03d}" for byte in body)
    return f'wrk.method = "POST"\nwrk.body = "{text}"\n'


def ninja(build, target):
    """Builds a target of the build directory a program lies in, if it is one."""
    if not (build / "build.ninja").exists() or not shutil.which("ninja"):
        return
    made = subprocess.run(["ninja", "-C", build, target], capture_output=True, text=True,
                          check=False)
    if made.returncode:
        raise Trouble(made.stdout)


def build_go():
    """The path of connect-go's echo server, or None and why there is none."""
    if not shutil.which("go"):
        return None, "Go is not there"
    program = ROOT / "build/tools/go_echo"
    program.parent.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(["go", "build", "-trimpath", "-buildvcs=false", "-o", program, "."],
                          cwd=HERE / "go", capture_output=True, text=True, check=False)
    return (program, "") if made.returncode == 0 else (None, f"it did not build: {made.stderr}")


class Rpc:
    """The servers, their samples, and the files that the generators read."""

    def __init__(self, bench, server_core, load_core):
        self.bench = bench
        self.pin = os.cpu_count() > 1
        self.server_core = server_core if self.pin else None
        self.load_core = load_core if self.pin else None
        self.servers = {}
        self.nginx = {}
        self.results = {}
        self.counts = {}
        self.why_no_go = ""

    def open(self):
        build = pathlib.Path(self.bench.options.bin).resolve().parent
        server = build / "tests/rpc_echo_server"
        ninja(build, "tests/rpc_echo_server")
        if not os.access(server, os.X_OK):
            raise Trouble(f"{server} is not built")
        go, self.why_no_go = build_go()
        self.servers[MUSTER] = Echo([server, "--loops", "1"], self.bench.scratch / "echo",
                                    self.server_core)
        if go:
            self.servers[GO] = Echo([go], self.bench.scratch / "go", self.server_core)
        for server in self.servers.values():
            server.start()
        for envelope in ENVELOPES:
            size = len(envelope.body[NGINX])
            nginx = Nginx(self.bench.scratch / f"nginx-{size}", "x" * size, self.server_core)
            self.nginx[envelope.name] = nginx
            nginx.start()

    def close(self):
        for server in (*self.servers.values(), *self.nginx.values()):
            server.stop()

    def names(self):
        return (NGINX, *self.servers)

    def target_of(self, envelope, name):
        """The process whose time counts, and the URL to load."""
        if name == NGINX:
            nginx = self.nginx[envelope.name]
            return nginx.pid, nginx.url("quiet2" if envelope.headers is GRPC else "quiet")
        server = self.servers[name]
        return server.pid, f"http://{server.address}{MUSTER_PATH if name == MUSTER else GO_PATH}"

    def file(self, envelope, name, kind):
        path = self.bench.scratch / f"{envelope.name}-{name}.{kind}".replace(" ", "-")
        if not path.exists():
            body = envelope.body[name]
            path.write_bytes(lua(body).encode() if kind == "lua" else body)
        return path

    def check(self):
        """Generators see statuses only, so what is answered is looked at before."""
        for envelope in ENVELOPES:
            for name in self.servers:
                url = self.target_of(envelope, name)[1]
                answer = (self._ask_h2(envelope, name, url) if envelope.headers is GRPC
                          else self._ask(envelope, name, url))
                if answer != envelope.body[name]:
                    raise Trouble(f"{name} answered {envelope.name} with {answer!r}")

    def _ask(self, envelope, name, url):
        _, _, address, path = url.split("/", 3)
        connection = http.client.HTTPConnection(address, timeout=10)
        try:
            connection.request("POST", "/" + path, envelope.body[name],
                               dict(header.split(": ", 1) for header in envelope.headers))
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise Trouble(f"{url} answered {answer.status}: {body!r}")
        return body

    def _ask_h2(self, envelope, name, url):
        command = ["nghttp", "-d", self.file(envelope, name, "body"), "--no-dep"]
        for header in envelope.headers:
            command += ["-H", header]
        ended = subprocess.run([*command, url], capture_output=True, timeout=10, check=False)
        if ended.returncode:
            raise Trouble(f"nghttp {url}: {ended.stderr.decode()}")
        return ended.stdout

    def run(self, envelope, how, name, key, warming):
        pid, url = self.target_of(envelope, name)
        seconds = 1 if warming or self.bench.options.quick else 2
        if how is None:
            return load.wrk(url, pid, seconds, 64, envelope.headers, self.load_core,
                            self.file(envelope, name, "lua"))
        connections, streams = how
        sample = load.h2load(url, pid, self.counts.get(key, 10000), connections, streams,
                             headers=envelope.headers, body=self.file(envelope, name, "body"),
                             cores=self.load_core)
        if warming:
            step = connections * 100
            self.counts[key] = max(step, int(sample.per_second * seconds * 2) // step * step)
        return sample

    def measure(self):
        rounds = self.bench.options.rounds
        for turn in range(-1, rounds):  # the first turn warms up
            for envelope in ENVELOPES:
                for load_name, how in envelope.loads.items():
                    for name in self.names():
                        key = envelope.name, load_name, name
                        sample = self.run(envelope, how, name, key, turn < 0)
                        if turn >= 0:
                            rate, cpu = self.results.setdefault(key, (Series(), Series()))
                            rate.add(sample.per_second)
                            cpu.add(sample.per_cpu_second)
            print(f"rpc: round {turn + 1} of {rounds} done", flush=True)

    def report(self):
        rows = []
        for envelope in ENVELOPES:
            for load_name in envelope.loads:
                series = {name: self.results[envelope.name, load_name, name]
                          for name in self.names()}
                for name, (rate, cpu) in series.items():
                    rows.append((envelope.name, load_name, name, rate, cpu,
                                 f"{cpu.over(series[NGINX][1]):.2f}",
                                 f"{cpu.over(series[GO][1]):.2f}" if GO in series else "-"))
                self._targets(envelope, load_name, series)
        note = f"\n\nconnect-go is left out: {self.why_no_go}." if self.why_no_go else ""
        self.bench.section(
            "RPC echo", f"A text of {len(TEXT)} bytes there and back, one worker, loop or "
            f"processor (Go) pinned to core {self.server_core}; nginx answers the same POST with "
            "as many bytes and looks at none.\n\n" +
            table(("envelope", "load", "server", "requests/s", "requests per CPU-second",
                   "ratio to nginx", "to connect-go"), rows) + note)

    def _targets(self, envelope, load_name, series):
        mine = series[MUSTER][1]
        for name, limit in ((NGINX, envelope.target), (GO, 3.0)):
            if name in series:
                what = f"{envelope.name} echo against {name}: {load_name}"
                self.bench.targets.append(Target(what, mine.over(series[name][1]), limit))


def measure(bench, server_core, load_core):
    rpc = Rpc(bench, server_core, load_core)
    try:
        rpc.open()
        rpc.check()
        rpc.measure()
        rpc.report()
    finally:
        rpc.close()
