# SPDX-License-Identifier: Apache-2.0
"""Which ingest budget a collector counts for: the old interface to the field "_budget"."""
import pytest

from sumo.client import COLLECTOR, INVALID


@pytest.fixture(params=["hosted", "installed"])
def number(request, sumo):
    return sumo.create("c")["id"] if request.param == "hosted" else sumo.register("c").id


def path(budget, number):
    return f"/ingestBudgets/{budget}/collectors/{number}"


def assign(sumo, budget, number):
    answer = sumo.api("PUT", path(budget, number), None)
    assert answer.status == 200, answer
    return answer.json()


def test_a_budget_is_a_field(sumo, number):
    sumo.change(number, fields={"team": "a"})
    shown = assign(sumo, "Dev_20GB", number)
    assert shown == {"id": "Dev_20GB", "fieldValue": "Dev_20GB", "collectorId": number}
    assert sumo.get(path("Dev_20GB", number)) == shown
    assert sumo.collector(number)["fields"] == {"team": "a", "_budget": "Dev_20GB"}
    etag = sumo.etag(f"/collectors/{number}")
    assign(sumo, "Dev_20GB", number)
    assert sumo.etag(f"/collectors/{number}") == etag
    assign(sumo, "other%20one", number)
    assert sumo.collector(number)["fields"] == {"team": "a", "_budget": "other one"}
    assert sumo.etag(f"/collectors/{number}") != etag


def test_a_budget_is_taken_away(sumo, number):
    sumo.change(number, fields={"team": "a"})
    assign(sumo, "b", number)
    sumo.refused(404, "notfound", "DELETE", path("other", number))
    answer = sumo.api("DELETE", path("b", number))
    assert (answer.status, answer.body) == (200, b"")
    assert sumo.collector(number)["fields"] == {"team": "a"}
    sumo.refused(404, "notfound", "DELETE", path("b", number))
    sumo.refused(404, "notfound", "GET", path("b", number))


def test_budgets_that_cannot_be_assigned(sumo, number):
    sumo.change(number, fields={f"k{n}": "v" for n in range(10)})
    sumo.refused(400, INVALID, "PUT", path("b", number))
    sumo.change(number, fields={f"k{n}": "v" for n in range(9)})
    sumo.refused(400, INVALID, "PUT", path("b" * 201, number))
    assign(sumo, "b" * 200, number)
    assign(sumo, "c", number)
    for other in ("0", "x", str(number + 1)):
        for method in ("GET", "PUT", "DELETE"):
            sumo.refused(404, COLLECTOR, method, path("b", other))
    viewer = sumo.other("viewer")
    assert viewer.get(path("c", number))["id"] == "c"
    viewer.refused(403, "forbidden", "PUT", path("b", number))
    viewer.refused(403, "forbidden", "DELETE", path("c", number))
