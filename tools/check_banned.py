#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Names each use of a function that we do not use, with the remedy."""
import pathlib
import re
import sys

BANNED = {
    "strcpy": "arena_cstr, or memcpy with a checked length",
    "strcat": "struct buf",
    "sprintf": "snprintf or struct buf",
    "vsprintf": "vsnprintf",
    "strtok": "str_cut",
    "atoi": "str_to_i64",
    "atol": "str_to_i64",
    "atoll": "str_to_i64",
    "gets": "fgets",
    "scanf": "str_cut and str_to_i64",
    "sscanf": "str_cut and str_to_i64",
    "fscanf": "str_cut and str_to_i64",
    "alloca": "the arena",
    "strerror": "strerrordesc_np",
    "rand": "random_u64",
    "random": "random_u64",
    "gettimeofday": "struct clock",
    "time": "struct clock",
    "localtime": "rfc3339",
    "gmtime": "rfc3339",
    "usleep": "struct clock",
    "sleep": "struct clock",
}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
LITERAL = re.compile(r'"(?:\\.|[^"\\])*"|/\*.*?\*/', re.S)


def main():
    root = pathlib.Path(__file__).resolve().parent.parent / "src"
    wrong = []
    for path in sorted(root.rglob("*.[ch]")):
        text = LITERAL.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), path.read_text())
        for number, line in enumerate(text.splitlines(), 1):
            for found in CALL.finditer(line):
                wrong.append(f"{path}:{number}: {found[1]}() is not used here: {BANNED[found[1]]}")
            if "//" in line:
                wrong.append(f"{path}:{number}: comments are written /* so */")
    print("\n".join(wrong) if wrong else "no banned function")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
