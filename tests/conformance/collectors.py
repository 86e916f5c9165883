#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs Go clients of the collector management interface and of its receiver (sumo_go) against a fresh
server, by HTTP/1.1 and by TLS. No failing case is allowed, and too few of them are an error."""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

PATIENCE = 600


def run(program, environment, cases):
    """One test binary of Go; a case is what has no cases below it."""
    try:
        done = subprocess.run([program, "-test.v"], capture_output=True, text=True, timeout=PATIENCE,
                              env=environment, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        print(f"not done after {PATIENCE} s")
        return False
    ended = re.findall(r"^ *--- (\w+): (\S+)", done.stdout, re.M)
    whole = {name.rpartition("/")[0] for _, name in ended}
    count = {how: sum(h == how and n not in whole for h, n in ended) for how in ("PASS", "FAIL", "SKIP")}
    fine = done.returncode == 0 and count["PASS"] == cases and not count["FAIL"] + count["SKIP"]
    if not fine:
        print(f"{done.stdout}{done.stderr}exit code {done.returncode}, of {cases} cases")
    print(f"{count['PASS']} passed, {count['FAIL']} failed")
    return fine


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--programs", required=True, help="where the test binaries lie")
    parser.add_argument("--cases", required=True, nargs="+", metavar="PROGRAM=COUNT")
    options = parser.parse_args()
    os.environ["MUSTER_BIN"] = str(pathlib.Path(options.bin).resolve())
    from harness import Certificates, Server, environment
    from sumo.client import Sumo
    fine = True
    with tempfile.TemporaryDirectory() as scratch:
        certificates = Certificates(pathlib.Path(scratch) / "tls")
        cert, key = certificates.sign("server")
        for scheme, listen in (("http", "127.0.0.1:0"), ("https", "tls://127.0.0.1:0")):
            with Server(pathlib.Path(scratch) / scheme, "--tls-cert", cert, "--tls-key", key,
                        "--rate-sumologic-key-per-minute", "0",
                        listen=("127.0.0.1:0", listen)) as server, Sumo(server) as sumo:
                for program, _, cases in (c.partition("=") for c in options.cases):
                    print(f"== {program}: clients in Go, by {scheme}", flush=True)
                    fine &= run(pathlib.Path(options.programs) / f"{program}.test", environment(
                        SUMO_URL=server.url(scheme), SUMO_ID=sumo.access_id,
                        SUMO_KEY=sumo.access_key, SSL_CERT_FILE=str(certificates.ca),
                        SUMO_RECEIVED=str(server.data / "received.ndjson")), int(cases))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
