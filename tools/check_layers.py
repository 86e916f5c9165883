#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Includes point down only: names each line under src/ that includes a folder it may not."""
import pathlib
import re
import sys

MAY_USE = {
    "base": "",
    "codec": "base",
    "net": "base codec",
    "rpc": "base codec net",
    "core": "base codec",
    "store": "base codec core",
    "spool": "base codec core",
    "sink": "base codec net core",
    "api": "base codec net rpc core",
    "cli": "base codec",
    "server": "base codec net rpc core store spool sink api cli",
}
# Generated messages (proto/ of the build directory) need only codec/proto.h.
MAY_USE_MESSAGES = {"core", "rpc", "api", "server"}
INCLUDE = re.compile(r'\s*#\s*include\s+"([^"/]+)/(?:([^"/]+)/)?')


def wrong_lines(root):
    for path in sorted(root.rglob("*.[ch]")):
        parts = path.relative_to(root).parts
        here = parts[0]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            there = found[1]
            if there == "proto" and (here in MAY_USE_MESSAGES or
                                     path.stem.endswith(("_test", "_fuzz"))):
                continue
            if there != here and there not in MAY_USE[here].split():
                yield f"{path}:{number}: {here}/ may not include {there}/"
            if here == there == "api" and len(parts) > 2 and found[2] not in (None, parts[1]):
                yield f"{path}:{number}: dialect {parts[1]} may not include dialect {found[2]}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                        pathlib.Path(__file__).resolve().parent.parent / "src")
    wrong = list(wrong_lines(root))
    print("\n".join(wrong) if wrong else "includes point down")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
