# SPDX-License-Identifier: Apache-2.0
"""What an operator is told of received data and upgrades: metrics, and the advice of /readyz."""
import re

from harness import ROOT, Server, wait_for
from sumo.client import Sumo
from sumo.extension import Extension
from test_disk import Disk
from test_metrics import check_with_promtool, scrape, total
from test_sumo_receiver import Door
from test_sumo_upgrades import Upgrading, add

STUCK = ("--sink-targets", "archive=http://127.0.0.1:1/nobody")  # an address that is not allowed


def of_sink(server, name):
    return total(scrape(server), f"muster_sink_{name}", sink="archive")


def test_received_data_is_counted(tmp_path):
    with Server(tmp_path) as server, Sumo(server) as sumo:
        before = scrape(server)
        assert total(before, "muster_spool_limit_bytes") == 4 << 30
        door = Door(sumo)
        for _ in range(5):
            door.give(b"x" * 1000)
        door.wait(5)
        wait_for("all to be delivered", lambda: total(
            scrape(server), "muster_sink_waiting_records", sink="received") == 0)
        after = scrape(server)
        check_with_promtool(after)
        assert total(after, "muster_spool_records_total") == 5
        assert 5000 < total(after, "muster_spool_written_bytes_total") < 10000
        assert total(after, "muster_sink_records_total", sink="received") == 5
        assert total(after, "muster_http_requests_total", route="receiver.data", code="200") == 5
        assert total(after, "muster_sink_failing_seconds", sink="received") == 0


def test_a_sink_that_delivers_nothing_shows(tmp_path):
    with Server(tmp_path, *STUCK) as server, Sumo(server) as sumo:
        door = Door(sumo)
        for _ in range(3):
            door.give(b"x" * 1000)
        assert of_sink(server, "waiting_records") == 3
        wait_for("a failure", lambda: of_sink(server, "failures_total") > 0)
        assert of_sink(server, "records_total") == 0
        assert server.request("GET", "/readyz", token=None).body == b"ok\n"  # it is new


def test_a_spool_that_is_nearly_full_is_told_but_stops_nothing_else(tmp_path):
    with Server(tmp_path, *STUCK, "--spool-total-bytes", "1MiB") as server, Sumo(server) as sumo:
        door = Door(sumo)
        while door.send(b"x" * 50000).status == 200:
            pass
        answer = server.request("GET", "/readyz", token=None)
        assert answer.status == 200
        assert b"[!] spool: received data takes up " in answer.body and answer.body.endswith(b"ok\n")
        assert total(scrape(server), "muster_spool_refused_total") >= 1
        assert sumo.create("still here")["id"] > 0


def test_a_disk_without_room_for_received_data_is_told(tmp_path):
    disk = Disk(tmp_path)
    with disk.server as server, Sumo(server) as sumo:
        door = Door(sumo)
        door.give(b"before")
        disk.full.touch()
        assert door.send(b"during").status == 503
        assert b"[!] spool: the disk has no room for received data" in \
            server.request("GET", "/readyz", token=None).body
        assert total(scrape(server), "muster_spool_failed_total") == 1
        disk.full.unlink()
        door.give(b"after")
        assert b"spool" not in server.request("GET", "/readyz", token=None).body
        assert [r["data"] for r in door.wait(2)] == ["before", "after"]


def test_readyz_lists_what_it_looked_at(server):
    lines = server.request("GET", "/readyz?verbose", token=None).body.decode().splitlines()
    assert lines == ["[+] store: ok", "[+] running: ok", "[+] spool: ok", "[+] sinks: ok", "ok"]


def test_open_upgrades_are_counted(tmp_path):
    with Server(tmp_path) as server:
        add(server, "v2", "linux/amd64")
        assert total(scrape(server), "muster_upgrades_open") == 0
        with Sumo(server) as sumo:
            Upgrading(sumo, "v1").request("v2")
    with Server(tmp_path) as again:  # a start counts, and from then on every 15 s
        assert total(scrape(again), "muster_upgrades_open") == 1


def test_heartbeats_are_counted(server, tmp_path):
    def beats():
        return total(scrape(server), "muster_http_requests_total", route="sumologic.heartbeat",
                     code="204")
    with Sumo(server) as sumo:
        token = sumo.installation_token()["encodedTokenAndUrl"]
        agent = Extension(server, tmp_path / "agent", token, "web").start()
        before = beats()
        for _ in range(3):
            agent.beat()
        assert beats() - before == 3
        assert total(scrape(server), "muster_agents") == 1
        assert total(scrape(server), "muster_agents_active") == 1
        agent.stop()


def test_every_metric_of_the_page_is_there(server):
    page = (ROOT / "docs/operations.md").read_text()
    named = set(re.findall(r"\bmuster_[a-z_]+", page))
    assert len(named) > 20
    server.request("POST", "/collector.v1.CollectorService/ListCollectors", {})
    shown = set(re.findall(r"^# TYPE (\S+)", scrape(server), re.M))
    assert named <= shown, named - shown
