#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Muster against its targets, side by side with nginx in the same run, and writes
bench/results.md. Bounded in count and time; starts and stops everything it needs on loopback."""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import beats
import fleet
import idle
import load
import receiver
import report
import rpc
from procs import Muster, Nginx, Trouble, memory_kib, raise_file_limit
from report import Series, Target, table

ROOT = pathlib.Path(__file__).resolve().parent.parent
SERVER_CORE, LOAD_CORE = "0", "1"

# The loads: name, and what a generator is told. wrk and h2load --h1 both, for neither is neutral.
LOADS = {
    "HTTP/1.1, wrk, 64 connections": {"tool": "wrk", "connections": 64},
    "HTTP/1.1, h2load, 64 connections": {"tool": "h2load", "connections": 64, "http1": True},
    "h2c, 16 connections x 32 streams": {"tool": "h2load", "connections": 16, "streams": 32},
    "h2c, 64 connections x 1 stream": {"tool": "h2load", "connections": 64},
}


def say(text):
    print(text, flush=True)


class Bench:
    """What the measurements share: options, scratch folder, the report in the making."""

    def __init__(self, options, scratch):
        self.options = options
        self.scratch = pathlib.Path(scratch)
        self.sections = []
        self.targets = []

    def muster(self, name, cores=None, flags=()):
        return Muster(self.options.bin, self.scratch / name, cores, flags)

    def section(self, title, text):
        self.sections.append((title, text))
        say(f"\n## {title}\n\n{text}")

    # --- static routes -------------------------------------------------------------------------

    def routes(self):
        """Requests/s and requests per CPU-second of small answers, against nginx's static 200."""
        pin = os.cpu_count() > 1
        muster = self.muster("routes", SERVER_CORE if pin else None,
                             ["--loops", "1"])
        nginx = None
        try:
            muster.start()
            token = muster.credentials()["token"]
            status, body, _ = muster.get("/admin/v1/whoami", token)
            if status != 200:
                raise Trouble(f"/admin/v1/whoami answered {status}: {body!r}")
            nginx = Nginx(self.scratch / "nginx", body.decode(), SERVER_CORE if pin else None)
            nginx.start()
            self._routes(muster, nginx, [f"Authorization: Bearer {token}"],
                         LOAD_CORE if pin else None, len(body))
        finally:
            muster.stop()
            if nginx:
                nginx.stop()

    def _routes(self, muster, nginx, auth, core, size):
        def servers(http2):
            two = "2" if http2 else ""
            return {
                "nginx, access log off": (nginx.pid, nginx.url("quiet" + two), ()),
                "nginx, access log on": (nginx.pid, nginx.url("logged" + two), ()),
                "muster /livez": (muster.pid, muster.url("/livez"), ()),
                "muster /admin/v1/whoami": (muster.pid, muster.url("/admin/v1/whoami"), auth),
            }

        results = {}
        counts = {}
        for turn in range(-1, self.options.rounds):  # the first turn warms up
            for name, how in LOADS.items():
                http2 = how["tool"] == "h2load" and not how.get("http1")
                for server, (pid, url, headers) in servers(http2).items():
                    sample = self._run(how, pid, url, headers, core, turn < 0,
                                       counts, (name, server))
                    if turn >= 0:
                        rate, cpu = results.setdefault((name, server), (Series(), Series()))
                        rate.add(sample.per_second)
                        cpu.add(sample.per_cpu_second)
            say(f"routes: round {turn + 1} of {self.options.rounds} done")
        self._report_routes(results, size)

    def _run(self, how, pid, url, headers, core, warming, counts, key):
        seconds = 1 if warming or self.options.quick else 2
        if how["tool"] == "wrk":
            return load.wrk(url, pid, seconds, how["connections"], headers, core)
        sample = load.h2load(url, pid, counts.get(key, 20000), how["connections"],
                             how.get("streams", 1), how.get("http1", False), headers, cores=core)
        if warming:
            step = how["connections"] * 100
            counts[key] = max(step, int(sample.per_second * seconds * 2) // step * step)
        return sample

    def _report_routes(self, results, size):
        rows = []
        for name in LOADS:
            quiet = results[name, "nginx, access log off"][1]
            logged = results[name, "nginx, access log on"][1]
            for (which, server), (rate, cpu) in results.items():
                if which == name:
                    rows.append((name, server, rate, cpu, f"{cpu.over(quiet):.2f}",
                                 f"{cpu.over(logged):.2f}"))
        self.section("Small answers", f"{size} byte bodies, one worker or loop pinned to core "
                     f"{SERVER_CORE}, the generator to core {LOAD_CORE}; whoami is authenticated "
                     "and logged, /livez neither.\n\n" +
                     table(("load", "server", "requests/s", "requests per CPU-second",
                            "ratio to nginx", "to nginx logged"), rows))
        for name in LOADS:
            quiet = results[name, "nginx, access log off"][1]
            mine = results[name, "muster /admin/v1/whoami"][1]
            self.targets.append(Target(f"whoami against nginx, access log off: {name}",
                                       mine.over(quiet), 1.0 if name.startswith("HTTP/1.1") else 1.2))

    # --- durable creates -----------------------------------------------------------------------

    def creates(self):
        """Durable creates a second, with 256 clients and with one; the disk's fdatasync beside."""
        body = self.scratch / "create.json"
        body.write_text(json.dumps({"label": "bench", "role": "viewer"}))
        total = 25600 if self.options.quick else 102400
        rows = {}
        for turn in range(self.options.rounds):
            for name, connections, count in (("256 connections", 256, total),
                                             ("16 connections", 16, total // 8),
                                             ("1 connection", 1, 500)):
                sample, batch, commit = self._create(f"create{turn}-{connections}", body,
                                                    connections, count)
                for series, value in zip(rows.setdefault(name, [Series() for _ in range(4)]),
                                         (sample.per_second, sample.per_cpu_second, batch, commit)):
                    series.add(value)
            rows.setdefault("disk", [Series()])[0].add(self._disk())
            say(f"creates: round {turn + 1} of {self.options.rounds} done")
        disk = rows.pop("disk")[0]
        shown = [(name, rate, cpu, f"{batch.median:.1f}", f"{commit.median:.3f}")
                 for name, (rate, cpu, batch, commit) in rows.items()]
        self.section("Durable creates", "`POST /admin/v1/keys` over HTTP/1.1, each answered after "
                     f"the commit; server and generator share {os.cpu_count()} cores. The disk "
                     f"alone (append 4 KiB, fdatasync): {disk} a second.\n\n" +
                     table(("clients", "creates/s", "creates per CPU-second",
                            "creates in a commit", "commit with its fsync, mean ms"), shown))
        self.targets.append(Target("durable creates/s, 256 connections",
                                   rows["256 connections"][0].median, 20000))

    def _create(self, name, body, connections, count):
        muster = self.muster(name)
        try:
            muster.start()
            headers = [f"Authorization: Bearer {muster.credentials()['token']}",
                       "Content-Type: application/json"]
            url = muster.url("/admin/v1/keys")
            load.h2load(url, muster.pid, connections * 4, connections, http1=True,
                        headers=headers, body=body)
            before = metrics(muster)
            sample = load.h2load(url, muster.pid, count, connections, http1=True,
                                 headers=headers, body=body, limit=300)
            after = metrics(muster)
        finally:
            muster.forget()
        return (sample, mean(before, after, "batch"), 1e3 * mean(before, after, "commit_seconds"))

    def _disk(self):
        path = self.scratch / "disk"
        block = os.urandom(4096)
        with open(path, "wb", buffering=0) as file:
            count = 0
            began = time.monotonic()
            while time.monotonic() - began < 1:
                file.write(block)
                os.fdatasync(file.fileno())
                count += 1
            took = time.monotonic() - began
        path.unlink()
        return count / took

    # --- idle connections ----------------------------------------------------------------------

    def idle(self):
        """Process memory of connections that are open and silent."""
        count = 3000 if self.options.quick else 15000
        rows = []
        for name, http2, limit in (("HTTP/1.1", False, 1024), ("HTTP/2", True, 16384)):
            rss, pss, kept = self._idle(name, http2, count)
            rows.append((name, f"{count:,}", f"{kept:,}", f"{rss:,.0f}", f"{pss:,.0f}"))
            self.targets.append(Target(f"idle {name} connection", pss, limit, "bytes", True))
        self.section("Idle connections", "Each has had one answer. Growth of the process, without "
                     "the kernel's sockets.\n\n" +
                     table(("protocol", "opened", "still open", "bytes each, Rss",
                            "bytes each, Pss"), rows))

    def _idle(self, name, http2, count):
        raise_file_limit(count + 1000)  # ours; the server inherits it
        muster = self.muster(f"idle-{int(http2)}", flags=["--timeouts-idle", "1h"])
        held = []
        try:
            muster.start()
            warm = idle.hold(muster.port, 200, http2)
            idle.close(warm)
            before = memory_kib(muster.pid)
            idle.settle(lambda: memory_kib(muster.pid)["Rss"])
            before = memory_kib(muster.pid)
            held = idle.hold(muster.port, count, http2)
            idle.settle(lambda: memory_kib(muster.pid)["Rss"])
            after = memory_kib(muster.pid)
            kept = idle.alive(held)
        finally:
            idle.close(held)
            muster.forget()
        if kept < count:
            raise Trouble(f"{count - kept} of {count} idle {name} connections were closed")
        return ((after["Rss"] - before["Rss"]) * 1024 / count,
                (after["Pss"] - before["Pss"]) * 1024 / count, kept)

    # --- start-up and size ---------------------------------------------------------------------

    def startup(self):
        """Time from exec to the first good answer, memory at rest, size of the binary."""
        times = Series()
        muster = self.muster("startup")
        try:
            first = muster.start()
            muster.stop()
            for _ in range(5 if self.options.quick else 20):
                times.add(muster.start() * 1e3)
                rest = memory_kib(muster.pid)
                muster.stop()
        finally:
            muster.forget()
        stripped = self.scratch / "muster.stripped"
        ended = subprocess.run(["strip", "-o", stripped, self.options.bin], capture_output=True,
                               text=True, check=False)
        if ended.returncode:
            raise Trouble(ended.stderr.strip())
        size = stripped.stat().st_size
        self.section("Start-up and size", table(
            ("what", "value"),
            [("first start (creates the database), ms", f"{first * 1e3:.0f}"),
             ("later starts, median ms", f"{times.median:.1f}"),
             ("later starts, slowest ms", f"{max(times.values):.1f}"),
             ("memory at rest, Pss KiB", f"{rest['Pss']:,}"),
             ("binary, stripped, bytes", f"{size:,}")]))
        self.targets.append(Target("start-up", times.median, 1000, "ms", True))
        self.targets.append(Target("stripped binary", size / 2**20, 3, "MiB", True))

    # --- RPC -----------------------------------------------------------------------------------

    def rpc(self):
        """Unary echo by Connect and gRPC, against nginx and, when Go is there, connect-go."""
        rpc.measure(self, SERVER_CORE, LOAD_CORE)

    # --- the receiver --------------------------------------------------------------------------

    say = staticmethod(say)

    def receiver(self):
        """Messages a second that sources take durably, and their bytes beside dd's."""
        receiver.measure(self, metrics)

    # --- fleet ---------------------------------------------------------------------------------

    def fleet(self):
        """A million virtual Alloys: registration, polls, an edit, lists, memory (5 minutes)."""
        fleet.measure(self, SERVER_CORE, LOAD_CORE)

    # --- heartbeats ---------------------------------------------------------------------------

    def beats(self):
        """50,000 installed collectors that beat beside polls; lists while they fall silent."""
        beats.measure(self, metrics)

    # --- small programs ------------------------------------------------------------------------

    def micro(self):
        """The small benchmark programs (target names end in _bench) of the same build."""
        build = pathlib.Path(self.options.bin).resolve().parent
        rpc.ninja(build, "benches")
        programs = sorted(p for p in build.rglob("*_bench")
                          if p.is_file() and os.access(p, os.X_OK))
        if not programs:
            say("micro: no *_bench program is built beside the binary")
            return
        text = []
        for program in programs:
            try:
                ended = subprocess.run([program, "5000" if self.options.quick else "40000"],
                                       capture_output=True, text=True, timeout=300,
                                       cwd=self.scratch, check=False)
            except subprocess.TimeoutExpired as late:
                raise Trouble(f"{program.name} did not end") from late
            said = (ended.stdout + ended.stderr).strip()
            text.append(f"{program.name}" + (f" (exit {ended.returncode})" if ended.returncode
                                             else "") + f"\n\n```\n{said}\n```")
        self.section("Small programs", "\n\n".join(text))


def metrics(muster):
    """{"name": value} of /metrics, summed over labels."""
    status, body, _ = muster.get("/metrics")
    if status != 200:
        status, body, _ = muster.get("/metrics", muster.credentials()["token"])
    if status != 200:
        raise Trouble(f"/metrics answered {status}")
    found = {}
    for line in body.decode().splitlines():
        match = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{.*\})? (\S+)(?: \d+)?", line)
        if match:
            found[match[1]] = found.get(match[1], 0.0) + float(match[2])
    return found


def mean(before, after, word):
    """The mean that a histogram whose name has the word took on between two readings."""
    for name in after:
        if word in name and name.endswith("_count") and name[:-6] + "_sum" in after:
            total = name[:-6] + "_sum"
            count = after[name] - before.get(name, 0)
            return (after[total] - before.get(total, 0)) / count if count else float("nan")
    return float("nan")


NAMES = {"routes": Bench.routes, "creates": Bench.creates, "idle": Bench.idle,
         "startup": Bench.startup, "rpc": Bench.rpc,
         "fleet": Bench.fleet, "beats": Bench.beats, "receiver": Bench.receiver, "micro": Bench.micro}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="measurements:\n" + "".join(f"  {name:9}{run.__doc__}\n"
                                           for name, run in NAMES.items()))
    parser.add_argument("--only", action="append", choices=NAMES, metavar="NAME",
                        help="run only this measurement (may be repeated)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, shorter loads")
    parser.add_argument("--rounds", type=int, help="rounds to take medians of (5; quick: 2)")
    parser.add_argument("--bin", default=os.environ.get("MUSTER_BIN",
                                                        str(ROOT / "build/release/muster")),
                        help="the server (MUSTER_BIN, else build/release/muster)")
    parser.add_argument("--out", default=str(ROOT / "bench/results.md"),
                        help="where the results go (bench/results.md)")
    parser.add_argument("--scratch", help="folder for data files, on the disk to be measured "
                        "(a temporary one under build/)")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    if not 1 <= options.rounds <= 100:
        parser.error("--rounds is 1 to 100")
    return options


def main():
    options = arguments()
    if not os.access(options.bin, os.X_OK):
        say(f"bench: {options.bin} is not there: run `./dev build` first")
        return 2
    missing = [tool for tool in ("nginx", "wrk", "h2load", "nghttp", "taskset", "strip")
               if not shutil.which(tool)]
    if missing:
        say("bench: missing: " + ", ".join(missing) + " (apt-get install nginx-light wrk "
            "nghttp2-client util-linux binutils)")
        return 2
    started = os.getloadavg()[0]
    base = options.scratch or ROOT / "build"
    pathlib.Path(base).mkdir(parents=True, exist_ok=True)
    failed = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=base) as scratch:
        bench = Bench(options, scratch)
        for name in options.only or NAMES:
            try:
                NAMES[name](bench)
            except Trouble as trouble:
                failed.append(name)
                bench.section(f"{name}: not measured", f"```\n{trouble}\n```")
        shown = f"{options.rounds} rounds" + (", quick" if options.quick else "") + \
            (", only " + ", ".join(options.only) if options.only else "")
        report.write(options.out, ROOT, shown, bench.sections, bench.targets, (started,))
    say("\n" + table(("what", "target", "measured", ""), [t.row() for t in bench.targets]))
    missed = sum(not target.met for target in bench.targets)
    say(f"\nbench: {len(bench.targets)} targets, {missed} missed, {len(failed)} not measured; "
        f"written to {options.out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
