# SPDX-License-Identifier: Apache-2.0
"""Each row of badinput.tsv, in one piece, byte by byte, and over TLS: the answer, its shape, and
whether the connection is still good afterwards. Splitting the input must not change anything."""
import base64
import csv
import gzip
import pathlib
import re

import pytest

from fleet.client import error_of
from sumo.client import error_of as flat_error_of
from sumo.client import errors_of

CONNECT = (b" /collector.v1.CollectorService/", b" /muster.v1.PackageService/")
SUMO = (b" /api/v1/", b" /v1/")
NEWER = (b"/tokens", b"/otCollectors", b"/collector/register", b"/collector/heartbeat")
PLAIN = (b" /receiver/v1/", b" /muster/v1/builds/")
TABLE = pathlib.Path(__file__).with_name("badinput.tsv")
ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
SPLIT_BYTES = 700  # longer rows are sent in one piece only


def rows():
    with open(TABLE, encoding="ascii", newline="") as file:
        lines = [line for line in file if not line.startswith("#")]
    return list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def end_of_macro(text, start):
    depth, at = 0, start
    while at < len(text):
        if text.startswith("<<", at):
            depth, at = depth + 1, at + 2
        elif text.startswith(">>", at):
            depth, at = depth - 1, at + 2
            if depth == 0:
                return at
        else:
            at += 1
    raise ValueError(f"<< without >>: {text[start:start + 60]}")


def expand_macro(inside, facts):
    if inside in facts:
        return facts[inside].encode()
    if match := re.match(r"(\d+)\*", inside):
        return expand(inside[match.end():], facts) * int(match[1])
    word, _, rest = inside.partition(" ")
    data = expand(rest, facts)
    if word == "BASE64":
        return base64.b64encode(data)
    if word == "GZIP":
        return gzip.compress(data)
    if word == "BODY":
        return b"Content-Length: %d\r\n\r\n" % len(data) + data
    raise ValueError(f"no macro {word}")


def expand(text, facts):
    out, at = b"", 0
    while at < len(text):
        if text.startswith("<<", at):
            end = end_of_macro(text, at)
            out += expand_macro(text[at + 2:end - 2], facts)
            at = end
        elif text[at] != "\\":
            out += text[at].encode("ascii")
            at += 1
        elif text[at + 1] == "x":
            out += bytes.fromhex(text[at + 2:at + 4])
            at += 4
        else:
            out += ESCAPES[text[at + 1]]
            at += 2
    return out


def facts_of(server):
    known = server.credentials()
    return {"TOKEN": known["token"], "ID": known["id"], "SECRET": known["secret"],
            "AUTH": f"Authorization: Bearer {known['token']}\r\n"}


def check_shape(answer, method, line):
    """Errors come as JSON that names what happened; never empty, never a page of HTML. `line`: the
    beginning of the first request."""
    assert "date" in answer.fields
    if answer.status < 400 or method == "HEAD":
        return
    if answer.status != 414:
        if any(service in line for service in CONNECT):
            check_connect(answer)
            return
        if any(prefix in line for prefix in SUMO):
            check_sumo(answer, any(path in line for path in NEWER))
            return
        if any(prefix in line for prefix in PLAIN):
            assert answer.fields["content-type"].startswith("text/plain") and answer.body, answer
            return
    assert answer.fields.get("content-type", "").startswith("application/json"), answer
    error = answer.json()["error"]
    assert error["code"] and error["message"] and error["request_id"], answer
    if answer.status == 405:
        assert answer.fields.get("allow"), answer
    if answer.status == 401:
        assert answer.fields.get("www-authenticate", "").startswith("Basic "), answer


def check_connect(answer):
    """An error of Connect; where no method was chosen what its clients do not take for one."""
    if answer.status in (405, 415):
        assert answer.body == b"" and {"allow", "accept-post"} & set(answer.fields), answer
    elif answer.fields.get("content-type", "").startswith("text/plain"):
        assert answer.status in (404, 505) and answer.body, answer
    else:
        assert error_of(answer), answer


def check_sumo(answer, newer):
    """Of collectors and sources, or of the endpoints that came later; nothing before the face knows
    the route."""
    if "error" in answer.json():
        assert answer.status in (400, 413, 417, 431), answer
        return
    assert errors_of(answer) if newer else flat_error_of(answer)
    if answer.status == 401:
        assert answer.fields.get("www-authenticate", "").startswith("Basic "), answer


def drive(wire, raw, statuses, end, bytewise=False):
    method = raw.split(b" ")[0].decode("latin-1")
    if bytewise:
        wire.send_bytewise(raw)
    else:
        wire.send(raw)
    for wanted in statuses.split(","):
        answer = wire.answer(method)
        assert str(answer.status) in wanted.split("/"), answer
        check_shape(answer, method, raw[:99])
    if end == "close":
        assert wire.is_closed_by_server(), "more came instead of the end"
    elif end == "stay":
        assert wire.stays_open(), "the connection is no longer good"
    else:
        assert end == "any"


ROWS = rows()
NAMED = [pytest.param(*row[1:], id=row[0]) for row in ROWS]


def test_the_table_is_sound():
    assert len(ROWS) >= 150
    assert all(len(row) == 4 for row in ROWS)
    names = [row[0] for row in ROWS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("text, statuses, end", NAMED)
def test_in_one_piece(shared, text, statuses, end):
    with shared.connect() as wire:
        drive(wire, expand(text, facts_of(shared)), statuses, end)


@pytest.mark.parametrize("text, statuses, end", NAMED)
def test_over_tls(shared, certificates, text, statuses, end):
    with shared.connect(certificates) as wire:
        drive(wire, expand(text, facts_of(shared)), statuses, end)


@pytest.mark.parametrize("text, statuses, end", [row for row in NAMED
                                                 if len(row.values[0]) < SPLIT_BYTES
                                                 and "*" not in row.values[0]])
def test_byte_by_byte(shared, text, statuses, end):
    with shared.connect() as wire:
        drive(wire, expand(text, facts_of(shared)), statuses, end, bytewise=True)
