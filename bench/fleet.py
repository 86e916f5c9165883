# SPDX-License-Identifier: Apache-2.0
"""Measures the fleet: virtual Alloys by fleetsim against one server, and nginx's static answer of the
same size to the same requests. Called by bench.py, which owns the options and the report."""
import json
import os
import pathlib
import subprocess
import time

from procs import Nginx, Trouble, memory_kib, pinned
from report import Series, Target, table
from rpc import ninja

ANSWER_SIZE = 68  # of an unchanged poll: a hash and a flag


def say(text):
    print(text, flush=True)


class Step:
    """What fleetsim says of one step."""

    def __init__(self, line):
        self.__dict__.update(json.loads(line))

    @property
    def per_second(self):
        return self.requests / self.seconds

    @property
    def per_cpu_second(self):
        return self.requests / self.cpu_s

    def row(self, what):
        return (what, self.connections, f"{self.requests:,}", f"{self.per_second:,.0f}",
                f"{self.per_cpu_second:,.0f}", f"{100 * self.cpu_s / self.seconds:.1f} %",
                *(f"{us / 1e3:,.3f}" for us in (self.p50_us, self.p99_us, self.p999_us, self.max_us)))


HEAD = ("what", "connections", "requests", "a second", "per CPU-second", "CPU of one core",
        "p50 ms", "p99 ms", "p99.9 ms", "slowest ms")


class Fleet:
    """One server with its agents, over the whole measurement."""

    def __init__(self, bench, server_core, load_core):
        self.bench = bench
        self.quick = bench.options.quick
        pin = os.cpu_count() > 1
        self.server_core = server_core if pin else None
        self.load_core = load_core if pin else None
        self.small, self.large = (20000, 100000) if self.quick else (100000, 1000000)
        self.rows = []
        self.facts = []

    def target(self, *args):
        self.bench.targets.append(Target(*args))

    def sim(self, where, agents, steps, cores=None, interval=60, blind=False):
        """The steps that fleetsim ran; where: port, pid, token, manager."""
        port, pid, token, manager = where
        command = [self.program, "--port", port, "--pid", pid, "--token", token, "--manager", manager,
                   "--agents", agents, "--interval", interval, *(["--blind"] if blind else []), *steps]
        try:
            ended = subprocess.run(pinned([str(word) for word in command], cores), text=True,
                                   capture_output=True, timeout=900, check=False)
        except subprocess.TimeoutExpired as late:
            raise Trouble("fleetsim did not end") from late
        if ended.returncode:
            raise Trouble(f"fleetsim {' '.join(steps)}: exit {ended.returncode}\n{ended.stderr}")
        return [Step(line) for line in ended.stdout.splitlines() if line.startswith("{")]

    def open(self, name, cores, flags):
        """A server with a key for agents; where it is."""
        muster = self.bench.muster(name, cores, flags)
        muster.start()
        manager = muster.credentials()["token"]
        return muster, (muster.port, muster.pid, muster.agents_token(), manager)

    def again(self, muster, where):
        """Starts it anew over the same data; the seconds it took, and where it is now."""
        muster.stop()
        seconds = muster.start()
        return seconds, (muster.port, muster.pid, where[2], where[3])

    # --- measurements ---

    def unchanged(self):
        """Unchanged polls of a known fleet, one loop, against nginx."""
        muster, where = self.open("fleet-hot", self.server_core, ["--loops", "1"])
        nginx = Nginx(self.bench.scratch / "nginx-fleet", "x" * ANSWER_SIZE, self.server_core)
        seconds = 1 if self.quick else 3
        mine, other, logged, last = Series(), Series(), Series(), None
        try:
            nginx.start()
            self.sim(where, self.small, ["pipelines=200", "register@256", "settle"])
            for _ in range(self.bench.options.rounds):
                steps = [f"unchanged={seconds}"]
                for name, series in (("quiet", other), ("logged", logged)):
                    static = (nginx.ports[name], nginx.pid, where[2], where[3])
                    yours, = self.sim(static, self.small, steps, self.load_core, blind=True)
                    series.add(yours.per_cpu_second)
                # Agents that start without a hash learn it first, all of them.
                last = self.sim(where, self.small, ["learn", *steps], self.load_core)[1]
                if last.changed:
                    raise Trouble(f"{last.changed} polls were not unchanged")
                mine.add(last.per_cpu_second)
            poll, = self.sim(where, self.small, ["learn", f"poll={10 if self.quick else 30}@256"],
                             self.load_core, interval=60 * self.small / 100000)[1:]
        finally:
            muster.forget()
            nginx.stop()
        self.rows += [last.row(f"unchanged polls of {self.small:,}, as fast as they go"),
                      poll.row("polls as of 100,000 agents every 60 s")]
        self.facts += [("unchanged polls per CPU-second", mine), ("nginx, access log off", other),
                       ("ratio", f"{mine.over(other):.2f}"), ("nginx, access log on", logged),
                       ("ratio to it", f"{mine.over(logged):.2f}")]
        self.target("unchanged GetConfig against nginx, access log off: HTTP/1.1, 64 connections",
                    mine.over(other), 1.0)
        self.target("100,000 agents at 60 s: part of one core", 100 * poll.cpu_s / poll.seconds, 15.0,
                    "%", True)
        self.target("100,000 agents at 60 s: p99", poll.p99_us / 1e3, 5.0, "ms", True)

    def large_fleet(self):
        """Registration, memory, start-up, an edit and lists of the whole fleet."""
        n = self.large
        muster, where = self.open("fleet-large", None, [])
        try:
            made, first = self.sim(where, n, ["pipelines=200", "register@256"])
            self.rows.append(first.row(f"first registration of {n:,}, durable"))
            say(f"fleet: {n} registered")
            ready, where = self.again(muster, where)
            time.sleep(1)
            fresh = memory_kib(muster.pid)["Rss"] / 2**10
            settle, edit, lists = self.sim(where, n, ["settle", "edit=10", "list=20"])
            say("fleet: edited and listed")
            used = memory_kib(muster.pid)["Rss"] / 2**10
            herd = self.sim(where, self.small, ["herd@1000"])[0]
            disk = sum(f.stat().st_size for f in muster.data.iterdir() if f.is_file()) / 2**20
        finally:
            muster.forget()
        self.rows += [settle.row("first poll and report of each"),
                      edit.row("polls at 60 s and an edit, then all catch up"),
                      lists.row(f"ListCollectors, {lists.hits:,} hits"),
                      herd.row(f"{self.small:,} restart at once: four calls each")]
        self.facts += [
            (f"start-up with {n:,} agents, s", f"{ready:.2f}"),
            ("resident after start-up, MiB", f"{fresh:,.0f}"),
            ("resident after all have polled, reported and polled an edit, MiB", f"{used:,.0f}"),
            ("data directory, MiB", f"{disk:,.0f}"),
            ("edit of the pipeline that all match: its call, ms", f"{edit.edit_ms:.1f}"),
            ("slowest poll from the edit until a second after, ms", f"{edit.worst_poll_ms:.1f}"),
            ("old configurations given after the edit was acknowledged", f"{edit.stale}"),
            ("all agents fetch what is new, s", f"{edit.catch_up_s:.1f}"),
            ("agents without what is new at the end", f"{edit.outdated}"),
            ("memory of fleetsim, MiB", f"{edit.own_mib:.0f}"),
        ]
        size = f"{n:,} agents"
        if not self.quick:  # what a server takes without agents would weigh too much
            self.target(f"{size}, 200 pipelines: resident after start-up", fresh, 1228.8, "MiB", True)
            self.target(f"{size}: resident after all have polled", used, 1228.8, "MiB", True)
        self.target(f"{size}: start-up", ready, 10.0 * n / 1e6, "s", True)
        self.target("first registrations/s, 256 connections", first.per_second, 20000)
        self.target(f"edit that {size} match: the call with its evaluation", edit.edit_ms, 1000.0, "ms",
                    True)
        self.target(f"edit that {size} match: slowest poll meanwhile", edit.worst_poll_ms, 20.0, "ms",
                    True)
        self.target(f"edit that {size} match: polls that did not see it", edit.stale + edit.outdated,
                    0.0, "", True)
        self.target(f"ListCollectors of {lists.hits:,} among {size}, p99", lists.p99_us / 1e3, 100.0,
                    "ms", True)

    def run(self):
        build = pathlib.Path(self.bench.options.bin).resolve().parent
        ninja(build, "bench/fleetsim")
        self.program = build / "bench/fleetsim"
        if not os.access(self.program, os.X_OK):
            raise Trouble(f"{self.program} is not built")
        self.unchanged()
        self.large_fleet()
        self.bench.section(
            "Fleet", "Virtual Alloys by fleetsim, Connect proto over HTTP/1.1, eight attributes each, "
            "200 pipelines. Unchanged polls: one loop pinned to a core, the generator to the other; "
            "the rest share all cores.\n\n" + table(HEAD, self.rows) + "\n\n" +
            table(("what", "value"), self.facts))


def measure(bench, server_core, load_core):
    Fleet(bench, server_core, load_core).run()
