#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs connectconformance in client or server mode against a program of ours. No failing case is
allowed, there is no list of known ones, and a configuration that selects few cases is an error."""
import argparse
import re
import subprocess
import sys


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
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace",
                              timeout=options.timeout)
    except subprocess.TimeoutExpired as late:
        print(*(b.decode(errors="replace") for b in (late.stderr, late.output) if b), sep="")
        print(f"not done after {options.timeout} s")
        return 1
    found = re.search(r"^(\d+) passed, (\d+) failed", done.stdout, re.M)
    passed, failed = (int(found[1]), int(found[2])) if found else (0, 0)
    fine = done.returncode == 0 and found and failed == 0 and passed >= options.cases
    if fine:
        for ran in re.finditer(r"^Running (\d+) tests with (\S+) for server config #\d+ "
                               r"\{(.*)\}\.\.\.$", done.stdout, re.M):
            print(f"{ran[1]:>5}  {ran[3]}, by {ran[2]}")
        print(found[0])
    else:
        print(done.stderr, done.stdout, sep="")
        print(f"exit code {done.returncode}, {passed} passed of at least {options.cases}, "
              f"{failed} failed")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
