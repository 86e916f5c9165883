# SPDX-License-Identifier: Apache-2.0
"""Requests of every method with something changed at random, in bytes and in JSON: each is
answered, by success or by an error that says whose fault it is, which is never the server's."""
import json
import random

import pytest
from google.protobuf import json_format

from fleet.client import SERVICE_OF
from rpcclient import Api
from test_fleet_protocols import SCRIPT

MUTANTS = 500
FINE = {200, 400, 404, 409, 429, 501}
PIECES = [b"", b"\0", b"\xff", b'"', b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"-1",
          b"1e999", b"99999999999999999999", b"\\u0000", b"\\ud800", b"\xc3\x28",
          b"\xf0\x9f\x90\xa6", b"remoteAttributes.", b"collector.ID", b"a=~\"(\"", b"(((((",
          b"x" * 300, b"declare \"d\" {", b"}\n", b"/*", b"\x22\x04\x0a\x01k",
          b"\x80" * 9 + b"\x01", b"\x0b\x0c", b"\x08\x96\x01"]


def mutated(draw, data, others):
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data) + 1)
        end = min(len(data), at + draw.choice([0, 1, 1, 4, 16]))
        kind = draw.randrange(6)
        if kind == 0:
            data = data[:at] + draw.choice(PIECES) + data[end:]
        elif kind == 1:
            data = data[:at] + bytes([draw.randrange(256)]) + data[at + 1:]
        elif kind == 2:
            data = data[:at] + data[end:]
        elif kind == 3:
            data = data[:at] + data[at:end] * draw.choice([2, 3, 50]) + data[end:]
        elif kind == 4:
            other = draw.choice(others)
            data = data[:at] + other[draw.randrange(len(other) + 1):]
        else:
            data = data[:at]
    return data


def requests(api, codec):
    """[(method, bytes)] of the script."""
    made = []
    for method, body in SCRIPT:
        kind = api.type(api.method(SERVICE_OF[method] + method).input_type.full_name)
        message = json_format.ParseDict(body, kind(), descriptor_pool=api.pool)
        made.append((method, message.SerializeToString() if codec == "proto"
                     else json.dumps(body).encode()))
    return made


@pytest.mark.parametrize("codec", ["proto", "json"])
@pytest.mark.parametrize("seed", range(3))
def test_mutants(fleet, codec, seed):
    draw = random.Random(f"{codec} {seed}")
    originals = requests(Api(), codec)
    pool = [data for _, data in originals]
    fleet.create("c")
    fleet.register("d", {"a": "b"})
    told = {}
    for n in range(MUTANTS):
        method, data = draw.choice(originals)
        data = mutated(draw, data, pool)
        answer = fleet.post(method, data, [f"Content-Type: application/{codec}"])
        assert answer.status in FINE, (n, method, data, answer)
        told[answer.status] = told.get(answer.status, 0) + 1
        if answer.status != 200:
            assert answer.json()["code"] not in ("internal", "unknown", "data_loss"), (data, answer)
    assert told[200] > MUTANTS / 50 and told[400] > MUTANTS / 10, told
    # Whatever has come of it can be told, by every method that lists.
    state = fleet.state()
    for listed in state["ListCollectors"].get("collectors", []):
        assert fleet.collector(listed["id"]) == listed
        assert fleet.config(listed["id"])["content"]
