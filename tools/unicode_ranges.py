#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/codec/unicode_ranges.h: the code points above ASCII that are letters or digits.

    tools/unicode_ranges.py > src/codec/unicode_ranges.h

By Python's own tables, so a newer Python may know newer letters."""
import sys
import unicodedata


def ranges(categories):
    found = []
    for point in range(0x80, 0x110000):
        if unicodedata.category(chr(point)) not in categories:
            continue
        if found and found[-1][1] == point - 1:
            found[-1][1] = point
        else:
            found.append([point, point])
    return found


def table(name, categories):
    print(f"static const struct range {name}[] = {{")
    line = "   "
    for low, high in ranges(categories):
        item = f" {{0x{low:x}, 0x{high:x}}},"
        if len(line) + len(item) > 100:
            print(line)
            line = "   "
        line += item
    print(line)
    print("};")


def main():
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print("/* Letters and digits above ASCII, ascending. Made by tools/unicode_ranges.py from Unicode")
    print(f" * {unicodedata.unidata_version}; part of unicode.c, not to be included elsewhere. */")
    print("#ifndef CODEC_UNICODE_RANGES_H")
    print("#define CODEC_UNICODE_RANGES_H")
    print()
    print("#include <stdint.h>")
    print()
    print("struct range {")
    print("    uint32_t low;")
    print("    uint32_t high;")
    print("};")
    print()
    print("/* clang-format off */")
    table("letters", {"Lu", "Ll", "Lt", "Lm", "Lo"})
    print()
    table("digits", {"Nd"})
    print("/* clang-format on */")
    print()
    print("#endif")


if __name__ == "__main__":
    sys.exit(main())
