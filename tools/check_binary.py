#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The release binary is hardened and small: PIE, full RELRO, no executable stack, stack protector,
fortified calls, under 3 MiB without symbols."""
import os
import subprocess
import sys
import tempfile

LIMIT = 3 * 1024 * 1024


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    binary = sys.argv[1]
    headers = run("readelf", "-hlW", binary)
    dynamic = run("readelf", "-dW", binary)
    symbols = run("readelf", "--dyn-syms", "-W", binary)
    with tempfile.TemporaryDirectory() as scratch:
        stripped = os.path.join(scratch, "muster")
        run("strip", "-o", stripped, binary)
        size = os.path.getsize(stripped)
    stack = next(line for line in headers.splitlines() if "GNU_STACK" in line)
    checks = {
        "position independent": "DYN (" in headers and "(PIE)" in dynamic + headers
                                or "Flags: NOW PIE" in dynamic or "PIE" in dynamic,
        "relocations read-only": "GNU_RELRO" in headers,
        "bound at start": "NOW" in dynamic,
        "stack not executable": "RWE" not in stack,
        "stack protector": "__stack_chk_fail" in symbols,
        "fortified": "_chk@" in symbols,
        f"under 3 MiB stripped ({size / 1024:.0f} KiB)": size < LIMIT,
    }
    for name, good in checks.items():
        print(f"{'ok  ' if good else 'FAIL'} {name}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
