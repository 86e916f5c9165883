# SPDX-License-Identifier: Apache-2.0
"""The load generators, wrk and h2load, as functions: run one, bounded in time, and read its numbers."""
import re
import subprocess
from dataclasses import dataclass

from procs import Trouble, cpu_seconds, pinned


@dataclass
class Sample:
    """One run of a generator against one server."""

    requests: int
    seconds: float
    cpu: float  # CPU seconds that the server spent
    p99_ms: float | None = None

    @property
    def per_second(self):
        return self.requests / self.seconds

    @property
    def per_cpu_second(self):
        return self.requests / self.cpu if self.cpu else float("nan")


UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()
    return float(number) * UNITS[unit]


def _measure(command, cores, pid, limit):
    before = cpu_seconds(pid)
    try:
        ended = subprocess.run(pinned(command, cores), capture_output=True, text=True,
                               timeout=limit, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as late:
        raise Trouble(f"{command[0]} did not end within {limit} s") from late
    used = cpu_seconds(pid) - before
    if ended.returncode:
        raise Trouble(f"{' '.join(command)}: exit {ended.returncode}\n{ended.stderr}{ended.stdout}")
    return ended.stdout, used


def wrk(url, pid, seconds, connections=64, headers=(), cores=None, script=None):
    """HTTP/1.1 keep-alive, one request in flight on each connection; script: Lua, for a POST."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    for header in headers:
        command += ["-H", header]
    if script:
        command += ["-s", str(script)]
    text, used = _measure([*command, url], cores, pid, seconds + 30)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if wrong or "Socket errors" in text:
        raise Trouble(f"wrk saw failures at {url}:\n{text}")
    done = re.search(r"(\d+) requests in ([\d.]+)(m?s|m),", text)
    return Sample(int(done[1]), milliseconds(done[2] + done[3]) / 1e3, used,
                  milliseconds(re.search(r"^\s+99%\s+(\S+)", text, re.MULTILINE)[1]))


def h2load(url, pid, requests, connections, streams=1, http1=False, headers=(), body=None,
           threads=1, cores=None, limit=120):
    """HTTP/2 in clear text by prior knowledge, or HTTP/1.1 with streams as pipeline depth."""
    command = ["h2load", f"-n{requests}", f"-c{connections}", f"-m{streams}", f"-t{threads}"]
    if http1:
        command.append("--h1")
    for header in headers:
        command += ["-H", header]
    if body:
        command += ["-d", str(body)]
    text, used = _measure([*command, url], cores, pid, limit)
    took = re.search(r"finished in ([\d.]+[a-z]+),", text)
    status = re.search(r"status codes: (\d+) 2xx", text)
    done = int(status[1]) if status else 0
    if not took or done != requests:
        raise Trouble(f"h2load: {done} of {requests} requests at {url} succeeded:\n{text}")
    return Sample(done, milliseconds(took[1]) / 1e3, used)
