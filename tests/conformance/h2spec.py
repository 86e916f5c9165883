#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs h2spec (strict) against a fresh server, in clear text and over TLS. No failing case is
allowed and there is no list of known ones."""
import argparse
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time


def wait_for(path, process, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"the server left with code {process.returncode}")
        if path.exists() and path.stat().st_size:
            return json.loads(path.read_text())
        time.sleep(0.02)
    raise SystemExit("the server did not come up")


def urls_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from urls_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from urls_of(inner)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--h2spec", required=True)
    options = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-keyout", scratch / "key.pem", "-out",
                        scratch / "cert.pem"], check=True, capture_output=True)
        server = subprocess.Popen(
            [options.bin, "serve", "--data", scratch / "data", "--listen", "127.0.0.1:0",
             "--listen", "tls://127.0.0.1:0", "--tls-cert", scratch / "cert.pem", "--tls-key",
             scratch / "key.pem"], stderr=(scratch / "log").open("wb"))
        try:
            found = list(urls_of(wait_for(scratch / "data" / "endpoints.json", server)))
            for scheme, extra in (("http", []), ("https", ["-t", "-k"])):
                port = next(m[1] for m in (re.match(scheme + r"://127\.0\.0\.1:(\d+)", u)
                                           for u in found) if m)
                print(f"== h2spec --strict over {scheme}", flush=True)
                done = subprocess.run(
                    [options.h2spec, "--strict", "-h", "127.0.0.1", "-p", port, "-P", "/metrics",
                     "-o", "5", *extra], capture_output=True, text=True, timeout=600)
                lines = done.stdout.splitlines()
                print("\n".join(lines if done.returncode else lines[-3:]))
                failures += done.returncode != 0
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
