#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the vendor's own Go clients (fleet_go) against a fresh server: what an agent calls, and what
management, the Terraform provider and the synchronizing action call. No failing case is allowed, and
too few of them are an error."""
import argparse
import base64
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))


def run(program, url, authorization, cases):
    print(f"== {program.name}: the vendor's client", flush=True)
    try:
        done = subprocess.run([program, url, authorization], capture_output=True, text=True,
                              timeout=600)
    except subprocess.TimeoutExpired:
        print("not done after 600 s")
        return False
    found = re.search(r"^(\d+) passed, (\d+) failed$", done.stdout, re.M)
    passed, failed = (int(found[1]), int(found[2])) if found else (0, 0)
    fine = done.returncode == 0 and failed == 0 and passed >= cases
    print(found[0] if fine else f"{done.stdout}{done.stderr}exit code {done.returncode}, {passed} "
                                f"passed of at least {cases}, {failed} failed")
    return fine


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--programs", required=True, help="where agent and manage lie")
    parser.add_argument("--agent-cases", type=int, required=True)
    parser.add_argument("--manage-cases", type=int, required=True)
    options = parser.parse_args()
    os.environ["MUSTER_BIN"] = str(pathlib.Path(options.bin).resolve())
    from fleet.client import Fleet
    from harness import Server
    programs = pathlib.Path(options.programs)
    fine = True
    with tempfile.TemporaryDirectory() as scratch, Server(scratch) as server:
        with Fleet(server) as fleet:
            fleet.pipeline("web", "// for production\n", ["env=prod"])
            agent = "Bearer " + fleet.key("agent")
            fine &= run(programs / "agent", server.url(), agent, options.agent_cases)
        with Fleet(server) as fleet:
            basic = base64.b64encode(f"{fleet.tenant}:{fleet.token}".encode()).decode()
            fine &= run(programs / "manage", server.url(), "Basic " + basic, options.manage_cases)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
