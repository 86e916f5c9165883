# SPDX-License-Identifier: Apache-2.0
"""Good documents with something odd in them, by a seeded choice: each is either taken or refused
with a 400 that says why, never a 500, and what was taken can be read, written back and deleted."""
import copy
import random

import pytest

from sumo.client import INVALID, MISSING, SOURCE_TYPE, error_of
from sumo.documents import HOSTED, INSTALLED, installed

ODD = [None, True, False, 0, -1, 1, 65536, 1 << 31, 1 << 53, -(1 << 63), 1 << 64, 1e308, 0.5, "",
       " ", "x", "********", "\u0000", "\u202e", "\ud7ff", "x" * 300, "x" * 70_000, "(", "(a",
       "(?<n>a)", "\\", "-1h", "UTC", [], [None], [[]], ["a", 1], {}, {"": ""}, {"a": {"b": []}},
       {"type": "NoAuthentication"}, {"resources": []}, [{"filterType": "Mask", "regexp": "(a)"}]]
DUPLICATE = "collectors.validation.name.duplicate"
MUTANTS = 25  # of each document


def places(value, at=()):
    """Every member and element, as a path."""
    items = value.items() if isinstance(value, dict) else \
        enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from places(inner, (*at, key))


def mutate(rng, document):
    made = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = list(places(made))
        if not found:
            break
        *way, last = rng.choice(found)
        holder = made
        for key in way:
            holder = holder[key]
        what = rng.random()
        if what < 0.25:
            del holder[last]
        elif what < 0.35 and isinstance(holder, dict):
            holder[str(last) + rng.choice(("", "x", "X"))] = copy.deepcopy(rng.choice(ODD))
        elif what < 0.45 and isinstance(holder, list):
            holder *= rng.choice((2, 50))
        else:
            holder[last] = copy.deepcopy(rng.choice(ODD))
    return made


def refused(answer):
    told = error_of(answer)
    if told["status"] == 413:
        return
    assert told["status"] == 400, answer
    assert told["code"] in (INVALID, MISSING, SOURCE_TYPE, DUPLICATE), told


def live(sumo, path, key, document):
    """Creates it, and goes through the rest of its life when it was taken."""
    answer = sumo.api("POST", path, {key: document})
    if answer.status != 201:
        refused(answer)
        return 0
    made = answer.json()[key]
    one = f"{path}/{made['id']}"
    shown = sumo.api("GET", one)
    assert shown.json()[key].keys() == made.keys()
    again = sumo.put(one, shown.json(), shown.fields["etag"])
    assert again.status == 200, (document, again)
    assert again.fields["etag"] == shown.fields["etag"], document
    sumo.delete(one)
    return 1


@pytest.mark.parametrize("kind", [*INSTALLED, *HOSTED])
def test_sources_with_something_odd(sumo, kind):
    rng = random.Random(kind)
    good = installed(kind) if kind in INSTALLED else HOSTED[kind]
    home = (sumo.register("c").id if kind in INSTALLED else sumo.create("c")["id"])
    path = f"/collectors/{home}/sources"
    taken = sum(live(sumo, path, "source", mutate(rng, good)) for _ in range(MUTANTS))
    assert taken < MUTANTS
    assert sumo.sources(home) == [] and live(sumo, path, "source", good) == 1


def test_collectors_with_something_odd(sumo):
    rng = random.Random("collectors")
    good = {"collectorType": "Hosted", "name": "c", "description": "d", "category": "c",
            "timeZone": "Europe/Berlin", "hostName": "h", "cutoffTimestamp": 5,
            "fields": {"a": "b", "_budget": "x"}}
    for _ in range(200):
        document = mutate(rng, good)
        answer = sumo.api("POST", "/collectors", {"collector": document})
        if answer.status != 201:
            told = error_of(answer)
            assert told["status"] == 400, (document, told)
            assert told["code"].startswith("collectors."), (document, told)
            continue
        path = f"/collectors/{answer.json()['collector']['id']}"
        again = sumo.put(path, sumo.get(path))
        assert again.status == 200, (document, again)
        assert again.fields["etag"] == answer.fields["etag"], document
        sumo.delete(path)
    assert sumo.listed() == []


def test_registrations_with_something_odd(sumo):
    rng = random.Random("registrations")
    token = sumo.installation_token()["encodedTokenAndUrl"]
    good = {"collectorName": "c", "ephemeral": False, "description": "d", "hostname": "h",
            "category": "c", "timeZone": "UTC", "clobber": True, "fields": {"a": "b", "n": 5},
            "fleetId": "0123456789abcdef"}
    for _ in range(200):
        answer = sumo.api("POST", "/collector/register", mutate(rng, good),
                          authorization=f"Authorization: Bearer {token}")
        assert answer.status in (200, 400), answer
    for collector in sumo.get("/collectors")["collectors"]:
        path = f"/collectors/{collector['id']}"
        again = sumo.put(path, sumo.get(path))
        assert again.status == 200, (collector, again)
