# SPDX-License-Identifier: Apache-2.0
"""Measures heartbeats: installed collectors by fleetsim that beat beside polls of a fleet, what the
server does with its disk meanwhile, and who the lists of alive and dead ones name while the collectors
fall silent. Called by bench.py, which owns the options and the report."""
import base64
import http.client
import json
import pathlib
import subprocess
import time

from fleet import Step
from procs import Trouble
from report import Target, table
from rpc import ninja

PAGE = 1000         # collectors that a list answers at once
TIMES_A_JOB = 2000  # rows that the write-behind batch puts into one transaction at most


class Plan:
    """How many, and how often; a quick one has the same rates with all times a fifth as long."""

    def __init__(self, quick):
        part = 5 if quick else 1
        self.collectors = 50000 // part
        self.agents = 100000 // part
        self.beat = 15 // part
        self.poll = 60 // part
        self.seen = 30 // part     # between the batches of times
        self.seconds = 60 // part  # of beats
        self.silence = 30 // part  # until a collector is dead

    @property
    def commits(self):
        """As many as the batches of times may take meanwhile; one more of them may begin."""
        jobs = -(-(self.collectors + self.agents) // TIMES_A_JOB)
        return (self.seconds // self.seen + 1) * jobs

    @property
    def flags(self):
        return ["--sumologic-alive-after", f"{self.silence}s", "--agents-seen-interval",
                f"{self.seen}s", "--rate-sumologic-key-per-minute", "0"]


def list_pages(muster, kind, total):
    """Pages of the list of alive or dead ones with the times before and after each. While nobody comes
    back the one list only shrinks, the other only grows: from its end, and from its start, no page
    misses anybody."""
    offsets = range(0, total, PAGE)
    key = muster.credentials()
    user = base64.b64encode(f"{key['id']}:{key['secret']}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", muster.port, timeout=30)
    try:
        for offset in reversed(offsets) if kind == "alive" else offsets:
            before = time.time() * 1e3
            connection.request("GET", f"/api/v1/collectors?filter={kind}&limit={PAGE}&offset={offset}",
                               headers={"Authorization": f"Basic {user}"})
            answer = connection.getresponse()
            text = answer.read()
            after = time.time() * 1e3
            if answer.status != 200:
                raise Trouble(f"the list of {kind} collectors answered {answer.status}: {text!r}")
            yield before, after, json.loads(text)["collectors"]
    finally:
        connection.close()


class Lists:
    """Both lists of a server to which nobody speaks any more, and whether they are right: against the
    time, in ms, at which each collector was last seen. One more each way, for it is cut to that."""

    def __init__(self, muster, plan):
        self.limit = plan.silence * 1e3
        self.seen = {"alive": {}, "dead": {}}
        self.wrong = 0
        self.began = time.time() * 1e3
        total = plan.collectors + plan.agents
        for kind, of_kind in self.seen.items():
            for before, after, found in list_pages(muster, kind, total):
                for c in found:
                    of_kind[c["id"]] = c["lastSeenAlive"]
                    ends = c["lastSeenAlive"] + self.limit
                    self.wrong += c["alive"] != (kind == "alive") or \
                        (ends + 1 < before if kind == "alive" else ends - 1 > after)
        self.ended = time.time() * 1e3

    def missing(self, last):
        """Those that had to be listed the whole time; last: when each was seen."""
        return sum(number not in self.seen["alive"] for number, seen in last.items()
                   if seen + self.limit - 1 > self.ended) + \
            sum(number not in self.seen["dead"] for number, seen in last.items()
                if seen + self.limit + 1 < self.began)

    def __str__(self):
        return f"{len(self.seen['alive']):,} alive and {len(self.seen['dead']):,} dead"


def until(steps, metrics, muster):
    """The steps as they end, with the commits and the bytes of log until then."""
    for line in steps:
        if line.startswith("{"):
            yield (Step(line), metrics(muster)["muster_store_commit_seconds_count"],
                   (muster.folder / "log").stat().st_size)


def simulate(bench, plan, muster, metrics):
    """The steps by name."""
    token = muster.call("POST", "/api/v1/tokens",
                        {"name": "bench", "status": "Active", "description": "",
                         "type": "CollectorRegistration"})["encodedTokenAndUrl"]
    manager = muster.credentials()["token"]
    agents = muster.agents_token()
    command = [pathlib.Path(bench.options.bin).resolve().parent / "bench/fleetsim", "--port",
               muster.port, "--pid", muster.pid, "--token", agents, "--manager", manager,
               "--installer", token, "--agents", plan.agents, "--interval", plan.poll,
               "--beat-interval", plan.beat, "pipelines=200", "register@256", "settle",
               f"enroll={plan.collectors}@256", f"poll={plan.seconds / 4}@256",
               f"beat={plan.seconds}@256"]
    with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE) as process:
        try:
            told = {step.step: (step, commits, logged)
                    for step, commits, logged in until(process.stdout, metrics, muster)}
            trouble = process.stderr.read()
        finally:
            process.kill()
    if "beat" not in told:
        raise Trouble(f"fleetsim did not end well: {trouble}")
    return told


def measure(bench, metrics):
    ninja(pathlib.Path(bench.options.bin).resolve().parent, "bench/fleetsim")
    plan = Plan(bench.options.quick)
    muster = bench.muster("beats", flags=plan.flags)
    try:
        muster.start()
        told = simulate(bench, plan, muster, metrics)
        full = Lists(muster, plan)
        time.sleep(plan.silence - plan.beat / 2)  # about half of them are dead then
        half = Lists(muster, plan)
        time.sleep(plan.beat)
        none = Lists(muster, plan)
    finally:
        muster.forget()
    report(bench, plan, told, (full, half, none))


def report(bench, plan, told, lists):
    enroll, (poll, commits, logged), (beat, commits_then, logged_then) = \
        told["enroll"][0], told["poll"], told["beat"]
    commits, logged = commits_then - commits, logged_then - logged
    last = lists[-1].seen["dead"]
    cpu = 100 * beat.cpu_s / beat.seconds
    wrong = sum(each.wrong + each.missing(last) for each in lists) + \
        abs(len(last) - plan.collectors - plan.agents)
    rows = [(name, f"{step.requests:,}", f"{step.per_second:,.0f}", f"{step.per_cpu_second:,.0f}",
             f"{100 * step.cpu_s / step.seconds:.1f} %", f"{step.p50_us / 1e3:,.3f}",
             f"{step.p99_us / 1e3:,.3f}", f"{step.max_us / 1e3:,.1f}")
            for name, step in ((f"{plan.collectors:,} register, durable", enroll),
                               (f"polls of {plan.agents:,} agents alone", poll),
                               ("heartbeats beside these polls (latency: of beats)", beat))]
    facts = [
        ("heartbeats/s; polls/s beside them",
         f"{beat.beats / beat.seconds:,.0f}; {beat.polls / beat.seconds:,.0f}"),
        ("p50 and p99 of the polls beside them, ms",
         f"{beat.poll_p50_us / 1e3:.3f}, {beat.poll_p99_us / 1e3:.3f}"),
        ("written to disks meanwhile, bytes a heartbeat", f"{beat.written_bytes / beat.beats:,.0f}"),
        ("lines of the log among them, bytes a heartbeat", f"{logged / beat.beats:,.0f}"),
        (f"commits of the database meanwhile; batches of times every {plan.seen} s take at most",
         f"{commits:.0f}; {plan.commits}"),
        ("listed, agents too: right after the beats; while they fall silent; after that",
         "; ".join(map(str, lists))),
        ("of these wrong or missing", f"{wrong:,}"),
        ("resident, MiB", f"{beat.rss_mib:,.0f}"),
    ]
    bench.section(
        "Heartbeats", f"{plan.collectors:,} installed collectors beat every {plan.beat} s, each at its "
        f"own moment, while {plan.agents:,} Alloys poll every {plan.poll} s; a collector is dead after "
        f"{plan.silence} s of silence. Server and fleetsim share all cores.\n\n" +
        table(("what", "requests", "a second", "per CPU-second", "CPU of one core", "p50 ms", "p99 ms",
               "slowest ms"), rows) + "\n\n" + table(("what", "value"), facts))
    bench.targets += [
        Target("heartbeats/s beside polls", beat.beats / beat.seconds, 3300),
        Target("heartbeats and polls: part of one core", cpu, 25.0, "%", True),
        Target(f"commits during {beat.beats:,} heartbeats: no more than the batches of times",
               commits, plan.commits, "", True),
        Target("collectors listed wrongly as alive or dead", wrong, 0.0, "", True)]
