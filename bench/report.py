# SPDX-License-Identifier: Apache-2.0
"""Turns measurements into bench/results.md: medians, spread, ratios, and whether a target is met."""
import datetime
import os
import pathlib
import platform
import statistics
import subprocess


class Series:
    """The values of one number over the rounds."""

    def __init__(self):
        self.values = []

    def add(self, value):
        self.values.append(value)

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def spread(self):
        """Distance from the smallest to the largest value, in percent of the median."""
        return 100 * (max(self.values) - min(self.values)) / self.median if self.median else 0.0

    def over(self, base):
        """The median of the rounds' ratios to another series: what slowed a round hits both."""
        return statistics.median(mine / other for mine, other in zip(self.values, base.values))

    def __str__(self):
        return f"{self.median:,.0f} (±{self.spread / 2:.0f} %)"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


class Target:
    """A number that is to be reached: at_least or at_most a limit."""

    def __init__(self, name, value, limit, unit="", at_most=False):
        self.name = name
        self.value = value
        self.limit = limit
        self.unit = unit
        self.at_most = at_most

    @property
    def met(self):
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def row(self):
        number = "{:,.0f}" if self.limit >= 1000 else "{:.2f}"
        sign = "≤" if self.at_most else "≥"
        verdict = "met"
        if not self.met:
            off = f" by {abs(self.value / self.limit - 1) * 100:.0f} %" if self.limit else ""
            verdict = f"**missed{off}**"
        return (self.name, f"{sign} {number.format(self.limit)} {self.unit}".strip(),
                f"{number.format(self.value)} {self.unit}".strip(), verdict)


def _output(*command, cwd=None):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd,
                              timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def machine():
    model = memory = "?"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal"):
            memory = f"{int(line.split()[1]) / 2**20:.0f} GiB"
    return f"{os.cpu_count()} x {model}, {memory}, Linux {platform.release()}"


def commit(root):
    name = _output("git", "rev-parse", "--short=12", "HEAD", cwd=root) or "unknown"
    changed = _output("git", "status", "--porcelain", "--untracked-files=no", "--", "src",
                      "meson.build", cwd=root)
    return name + (" with local changes" if changed else "")


def versions():
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True, timeout=10).stderr
    return ", ".join(filter(None, [nginx.partition("nginx/")[2].strip() and
                                   "nginx " + nginx.partition("nginx/")[2].strip(),
                                   _output("h2load", "--version").replace("h2load ", "")]))


def write(path, root, options, sections, targets, load):
    now = datetime.datetime.now(datetime.timezone.utc)
    parts = ["# Benchmark results", "",
             "Written by `./dev bench`; how to read it: [README.md](README.md).", "",
             f"- date: {now:%Y-%m-%d %H:%M} UTC", f"- commit: {commit(root)}",
             f"- machine: {machine()}",
             f"- against: {versions()}",
             f"- options: {options}",
             f"- load average when started and at the end: {load[0]:.2f}, {os.getloadavg()[0]:.2f}",
             ""]
    if targets:
        parts += ["## Targets", "",
                  table(("what", "target", "measured", ""), [t.row() for t in targets]), ""]
    for title, text in sections:
        parts += [f"## {title}", "", text, ""]
    pathlib.Path(path).write_text("\n".join(parts))
