#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House rules for files: a license line on top, ASCII, no tabs in C, no trailing blanks, no comment
that promises work without naming an issue."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = {".c", ".h", ".cc", ".py", ".sh"}


def tracked():
    out = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                         cwd=ROOT, check=True, capture_output=True).stdout
    for name in out.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file() and not name.startswith("fuzz/corpus/"):
            yield name, path


def main():
    wrong = []
    for name, path in tracked():
        if path.suffix not in SOURCES and name not in ("dev", ".ci/run"):
            continue
        text = path.read_text(errors="replace")
        lines = text.splitlines()
        if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(lines[:2]):
            wrong.append(f"{name}:1: no SPDX line")
        for number, line in enumerate(lines, 1):
            if line != line.rstrip():
                wrong.append(f"{name}:{number}: blanks at the end")
            if path.suffix in (".c", ".h") and "\t" in line:
                wrong.append(f"{name}:{number}: tab")
            if path.suffix in (".c", ".h") and not line.isascii():
                wrong.append(f"{name}:{number}: not ASCII")
            if re.search(r"\b(TODO|FIXME|XXX)\b(?!.*#\d)", line) and name != "tools/check_tree.py":
                wrong.append(f"{name}:{number}: unfinished work without an issue number")
    print("\n".join(wrong) if wrong else "files are tidy")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
