# SPDX-License-Identifier: Apache-2.0
"""Measures the receiver: messages of 1 KiB that are answered once they are on disk, and their bytes
a second beside what dd gets from the same disk with as many bytes a sync. Called by bench.py, which
owns the options and the report."""
import re
import subprocess

import load
from procs import Trouble
from report import Series, Target, table

MESSAGE = b"m" * 1023 + b"\n"

# Name: connections, messages a request.
LOADS = {
    "64 connections, 1 message a request": (64, 1),
    "64 connections, 16 messages a request": (64, 16),
    "1 connection, 1 message a request": (1, 1),
}

# Name: what becomes of the data.
SINKS = {
    "no sink": ["--sink-targets", ""],
    "a file": [],
}


def door(muster):
    """The URL of a new source."""
    collector = muster.call("POST", "/api/v1/collectors",
                            {"collector": {"collectorType": "Hosted", "name": "bench"}})
    source = muster.call("POST", f"/api/v1/collectors/{collector['collector']['id']}/sources", {
        "source": {"sourceType": "HTTP", "name": "bench", "messagePerRequest": False}})
    return source["source"]["url"]


def script(folder, messages):
    path = folder / f"post{messages}.lua"
    path.write_text('wrk.method = "POST"\n'
                    f'wrk.body = string.rep(string.rep("m", 1023) .. "\\n", {messages})\n'
                    'wrk.headers["Content-Type"] = "text/plain"\n')
    return path


def disk(folder, block, seconds):
    """Bytes a second of dd, each block synced."""
    path = folder / "dd"
    count = 200
    while True:
        ended = subprocess.run(["dd", "if=/dev/zero", f"of={path}", f"bs={block}",
                                f"count={count}", "oflag=dsync"], capture_output=True, text=True,
                               env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, check=False)
        path.unlink(missing_ok=True)
        found = re.search(r"^(\d+) bytes.*, ([\d.e+-]+) s,", ended.stderr, re.MULTILINE)
        if ended.returncode or not found:
            raise Trouble(f"dd: {ended.stderr}")
        took = float(found[2])
        if took >= seconds / 2 or count >= 1 << 20:
            return int(found[1]) / took
        count = int(count * min(20, seconds / max(took, 0.001))) + 1


class Row:
    """What one load gave with one kind of sink, over the rounds."""

    def __init__(self):
        self.rate, self.cpu, self.bytes, self.disk = Series(), Series(), Series(), Series()
        self.batch, self.p99 = Series(), Series()


def one(bench, name, flags, connections, messages, metrics):
    seconds = 2 if bench.options.quick else 5
    muster = bench.muster(name, flags=["--spool-total-bytes", "64GiB", *flags])
    try:
        muster.start()
        url = door(muster)
        post = script(muster.folder, messages)
        load.wrk(url, muster.pid, 1, connections, script=post)
        before = metrics(muster)
        sample = load.wrk(url, muster.pid, seconds, connections, script=post)
        after = metrics(muster)
        commits = (after["muster_spool_commit_seconds_count"] -
                   before["muster_spool_commit_seconds_count"])
        records = after["muster_spool_records_total"] - before["muster_spool_records_total"]
        if records < sample.requests:
            raise Trouble(f"{sample.requests} requests, but {records:.0f} records")
        batch = records / commits
        block = max(512, int(batch * messages * len(MESSAGE)))
        return sample, batch, disk(muster.folder, block, 1)
    finally:
        muster.forget()


def measure(bench, metrics):
    rows = {}
    for turn in range(bench.options.rounds):
        for sink, flags in SINKS.items():
            for name, (connections, messages) in LOADS.items():
                sample, batch, dd = one(bench, f"receiver{turn}-{connections}-{messages}", flags,
                                        connections, messages, metrics)
                row = rows.setdefault((name, sink), Row())
                row.rate.add(sample.per_second * messages)
                row.cpu.add(sample.per_cpu_second * messages)
                row.bytes.add(sample.per_second * messages * len(MESSAGE))
                row.disk.add(dd)
                row.batch.add(batch)
                row.p99.add(sample.p99_ms)
        bench.say(f"receiver: round {turn + 1} of {bench.options.rounds} done")
    shown = [(name, sink, row.rate, row.cpu, f"{row.batch.median:.1f}", f"{row.p99.median:.1f}",
              f"{row.bytes.median / 1e6:,.0f}", f"{row.disk.median / 1e6:,.0f}",
              f"{row.bytes.over(row.disk):.2f}") for (name, sink), row in rows.items()]
    bench.section("Receiver", "POST of messages of 1 KiB to the URL of a source, answered when "
                  "they are on disk; server and generator share all cores. dd writes as many bytes "
                  "a sync (oflag=dsync) as the server did, to the same disk, right after.\n\n" +
                  table(("clients", "sink", "messages/s", "messages per CPU-second",
                         "requests a sync", "p99 ms", "MB/s", "dd MB/s", "ratio to dd"), shown))
    for name in list(LOADS)[:2]:
        bench.targets.append(Target(f"durable messages/s, {name}, no sink",
                                    rows[name, "no sink"].rate.median, 50000))
