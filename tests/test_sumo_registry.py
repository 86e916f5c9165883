# SPDX-License-Identifier: Apache-2.0
"""One agent under two dialects: what is said in one of them holds in the other."""
import pytest

from fleet.client import Fleet
from sumo.client import Sumo


@pytest.fixture
def both(server):
    with Sumo(server) as sumo, Fleet(server, sumo.tenant, sumo.token) as fleet:
        yield sumo, fleet


def test_a_beat_brings_back_who_was_unregistered(both):
    sumo, fleet = both
    collector = sumo.register("web")
    name = str(collector.id)
    assert collector.beat() == 204
    fleet.call("UnregisterCollector", id=name)
    assert "markedInactiveAt" in fleet.call("GetCollector", id=name)
    assert sumo.listed("?filter=dead") == ["web"] and sumo.listed("?filter=alive") == []
    assert collector.beat() == 204
    assert collector.seen()["alive"] is True
    assert "markedInactiveAt" not in fleet.call("GetCollector", id=name)
    assert collector.beat() == 204


def test_a_name_given_here_stays_whatever_the_agent_calls_itself(both):
    sumo, fleet = both
    fleet.call("RegisterCollector", id="a1", name="said")
    number = sumo.get("/collectors/name/said")["collector"]["id"]
    sumo.create("taken")
    sumo.change(number, name="given")
    fleet.call("RegisterCollector", id="a1", name="said", localAttributes={"env": "prod"})
    shown = fleet.call("GetCollector", id="a1")
    assert shown["name"] == "given" and shown["localAttributes"]["env"] == "prod"
    sumo.refused(400, "collectors.validation.name.duplicate", "POST", "/collectors",
                 {"collector": {"collectorType": "Hosted", "name": "given"}})


def test_a_number_is_no_obstacle_for_who_registers(both):
    """An agent of the other dialect may have chosen the next numbers as its ids."""
    sumo, fleet = both
    first = sumo.register("first").id
    for number in range(first + 1, first + 31):  # these take numbers themselves
        fleet.call("CreateCollector", collector={"id": str(number + 30)})
    later = [sumo.register(f"later-{n}") for n in range(3)]
    assert all(collector.beat() == 204 for collector in later)
    for collector in later:
        assert first + 30 < collector.id <= first + 60, "it is one that was taken as an id"
        shown = [row["id"] for row in fleet.call("ListCollectors")["collectors"]
                 if row.get("name", "").startswith("later") and
                 row["id"].startswith(f"{collector.id}-")]
        assert len(shown) == 1


def test_fields_of_this_dialect_may_be_longer(both):
    sumo, fleet = both
    collector = sumo.register("web", fields={"k" * 200: "v" * 200})
    shown = fleet.call("GetCollector", id=str(collector.id))
    assert shown["remoteAttributes"] == {"k" * 200: "v" * 200}
    fleet.call("BulkUpdateCollectors", ids=[str(collector.id)],
               ops=[{"op": "ADD", "path": "remoteAttributes.team", "value": "a"}])
    assert collector.seen()["fields"]["team"] == "a"
    fleet.refused("invalid_argument", "CreateCollector",
                  collector={"id": "a1", "remoteAttributes": {"k" * 200: "v"}})
