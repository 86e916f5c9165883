# SPDX-License-Identifier: Apache-2.0
"""Silence: who is alive, who is listed as offline and deleted for it, and what becomes of those
that registered as ephemeral. Periods are short here, or the past is written into the database of
a server that does not run."""
import sqlite3

import pytest

from harness import Server, wait_for
from sumo.client import Sumo

DAY = 86_400_000_000


@pytest.fixture
def quick(tmp_path):
    with Server(tmp_path, "--sumologic-alive-after", "1s", "--agents-seen-interval", "100ms",
                "--rate-sumologic-key-per-minute", "0") as server, Sumo(server) as sumo:
        yield sumo


def test_alive_follows_the_beats(quick):
    collector = quick.register("c")
    quick.create("hosted")
    source = quick.add_source(collector.id, sourceType="LocalFile", name="s", pathExpression="/x")

    def lives():
        """A machine may be so slow that a beat's second is over before the answer."""
        assert collector.beat() == 204
        return collector.seen()["alive"] and quick.source(collector.id, source["id"])["alive"]

    wait_for("life", lives)
    wait_for("silence to count", lambda: not collector.seen()["alive"])
    assert quick.listed("?filter=dead") == ["c"]
    assert quick.listed("?filter=alive") == ["hosted"], "hosted ones always live"
    assert quick.listed("?filter=installed") == ["c"]
    assert quick.source(collector.id, source["id"])["alive"] is False
    tag = quick.etag(f"/collectors/{collector.id}")
    before = collector.seen()["lastSeenAlive"]
    wait_for("life again", lives)
    assert collector.seen()["lastSeenAlive"] > before
    assert quick.etag(f"/collectors/{collector.id}") == tag


def test_management_and_data_are_no_beats(quick):
    collector = quick.register("c")
    wait_for("silence to count", lambda: not collector.seen()["alive"])
    quick.change(collector.id, description="new")
    collector.call("/collector/logs", b"data", ["Content-Type: text/plain"])
    shown = collector.seen()
    assert shown["alive"] is False


def test_E_49_an_ephemeral_collector_goes(tmp_path):
    # Long enough that one that beats as often as it can is never late, however slow the machine.
    with Server(tmp_path, "--sumologic-ephemeral-after", "4s", "--agents-seen-interval", "100ms",
                "--rate-sumologic-key-per-minute", "0") as server, Sumo(server) as sumo:
        token = sumo.installation_token()["encodedTokenAndUrl"]
        stays = sumo.register("stays", token)
        goes = sumo.register("goes", token, ephemeral=True)
        later = sumo.register("later", token)
        beats = sumo.register("beats", token, ephemeral=True)
        sumo.change(later.id, ephemeral=True)

        def gone():
            assert beats.beat() == 204
            return sumo.listed() == ["stays", "beats"]

        wait_for("silent ones to go", gone)
        for collector in (goes, later):
            assert sumo.api("GET", f"/collectors/{collector.id}").status == 404
            assert collector.beat() == 401, "so it registers again"
        assert stays.beat() == 204


def test_what_was_seen_survives_the_server(tmp_path):
    server = Server(tmp_path, "--agents-seen-interval", "100ms").start()
    with Sumo(server) as sumo:
        collector = sumo.register("c")
        assert collector.beat() == 204
        before = collector.seen()["lastSeenAlive"]
        server.stop()
        sumo.hang_up()
        server.start()
        assert collector.seen()["lastSeenAlive"] == before
        assert collector.seen()["alive"] is True
        assert collector.beat() == 204
    server.stop()


def age(server, sumo, days):
    """Writes into the past when each collector was last seen."""
    server.stop()
    sumo.hang_up()
    database, = server.data.glob("*.db")
    db = sqlite3.connect(database)
    with db:
        for number, ago in days.items():
            for table, column in (("collectors", "last_seen_us"), ("collector_seen", "seen_us")):
                db.execute(f"UPDATE {table} SET {column} = {column} - ? "
                           f"WHERE id = ? AND {column} > 0", (ago * DAY, number))
    db.close()
    server.start()


def test_offline_lists_and_deletions(tmp_path):
    server = Server(tmp_path).start()
    with Sumo(server) as sumo:
        token = sumo.installation_token()["encodedTokenAndUrl"]
        sumo.create("hosted")
        made = {name: sumo.register(name, token)
                for name in ("now", "d2", "d9", "d11", "d99", "d150", "back")}
        sumo.add_source(made["d11"].id, sourceType="LocalFile", name="s", pathExpression="/x")
        age(server, sumo, {made["back"].id: 150} | {
            c.id: int(name[1:]) for name, c in made.items() if name[0] == "d"})
        assert made["back"].beat() == 204

        def offline(query=""):
            return [c["name"] for c in sumo.get("/collectors/offline" + query)["collectors"]]

        assert offline() == ["d150"], "a hundred days when nothing is said"
        assert offline("?aliveBeforeDays=1") == ["d2", "d9", "d11", "d99", "d150"]
        assert offline("?aliveBeforeDays=10") == ["d11", "d99", "d150"]
        assert offline("?aliveBeforeDays=10&limit=1") == ["d11"]
        assert offline("?aliveBeforeDays=10&limit=1&offset=1") == ["d99"]
        assert offline("?aliveBeforeDays=10&offset=3") == []
        assert offline("?aliveBeforeDays=5000") == []
        shown = sumo.get("/collectors/offline")["collectors"][0]
        assert shown["alive"] is False and shown["collectorType"] == "Installable"

        answer = sumo.http("DELETE", "/api/v1//collectors/offline?aliveBeforeDays=10")
        assert answer.status == 200 and answer.body == b""
        assert sumo.listed() == ["hosted", "now", "d2", "d9", "back"], "done before it is answered"
        assert made["d11"].beat() == 401
        assert sumo.api("DELETE", "/collectors/offline").status == 200
        assert sumo.listed() == ["hosted", "now", "d2", "d9", "back"]
    server.stop()
