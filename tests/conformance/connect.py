#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs connectconformance in client or server mode against a program of ours. No failing case is
allowed, there is no list of known ones, and a configuration that selects few cases is an error."""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SANITIZERS = ("ASAN", "UBSAN", "TSAN")


def watched(directory):
    """The environment in which sanitizers write to the directory: the suite looks neither at the
    exit code of a server nor at what it says while it leaves."""
    return os.environ | {
        f"{s}_OPTIONS": ":".join(filter(None, (os.environ.get(f"{s}_OPTIONS"),
                                               f"log_path={directory}/{s.lower()}")))
        for s in SANITIZERS}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connectconformance", required=True)
    parser.add_argument("--mode", required=True, choices=["client", "server"])
    parser.add_argument("--config", required=True)
    parser.add_argument("--cases", type=int, default=1, help="at least so many must have run")
    parser.add_argument("--tests", help="run the cases of this file instead of the suite's own")
    parser.add_argument("--timeout", type=int, default=900, help="seconds for all of it")
    parser.add_argument("program", nargs="+", help="what is under test, after --")
    options = parser.parse_args()
    tests = ["--test-file", options.tests] if options.tests else []
    print(" ".join(["== connectconformance --mode", options.mode, *tests]), flush=True)
    command = [options.connectconformance, "--mode", options.mode, "--conf", options.config,
               "--verbose", *tests, "--", *options.program]
    with tempfile.TemporaryDirectory() as reports:
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace",
                                  timeout=options.timeout, env=watched(reports))
        except subprocess.TimeoutExpired as late:
            print(*(b.decode(errors="replace") for b in (late.stderr, late.output) if b), sep="")
            print(f"not done after {options.timeout} s")
            return 1
        alarms = [p.read_text(errors="replace") for p in pathlib.Path(reports).iterdir()]
    found = re.search(r"^(\d+) passed, (\d+) failed", done.stdout, re.M)
    passed, failed = (int(found[1]), int(found[2])) if found else (0, 0)
    fine = (done.returncode == 0 and found and failed == 0 and passed >= options.cases
            and not alarms)
    if fine:
        for ran in re.finditer(r"^Running (\d+) tests with (\S+) for server config #\d+ "
                               r"\{(.*)\}\.\.\.$", done.stdout, re.M):
            print(f"{ran[1]:>5}  {ran[3]}, by {ran[2]}")
        print(found[0])
    else:
        print(done.stderr, done.stdout, *alarms, sep="")
        print(f"exit code {done.returncode}, {passed} passed of at least {options.cases}, "
              f"{failed} failed, {len(alarms)} sanitizer reports")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
