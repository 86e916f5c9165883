# SPDX-License-Identifier: Apache-2.0
"""The simulated OpenTelemetry extension (sumo/extension.py) against the server: first start,
restart, deletion, tokens that end, servers that are away, names that two want, and its exporter."""
import concurrent.futures
import gzip
import json

import pytest

from harness import Server, own_port, wait_for
from sumo.client import Sumo
from sumo.extension import LONGEST_PAUSE, Extension, StartFailed


@pytest.fixture
def make(sumo, tmp_path):
    """Extensions of one tenant, each with a folder unless it is told to share one."""
    token = sumo.installation_token()["encodedTokenAndUrl"]
    made = []

    def build(name="web", folder=None, token=token, **settings):
        one = Extension(sumo.server, tmp_path / (folder or f"e{len(made)}"), token, name,
                        sumo.address, **settings)
        made.append(one)
        return one

    yield build
    for one in made:
        one.stop()


def test_the_first_start(sumo, make):
    one = make(description="d", category="c", timeZone="PST", fields={"team": "a"})
    one.start()
    assert one.sent == [("register", 200), ("metadata", 200), ("heartbeat", 204)]
    one.run(60)
    assert one.sent[3:] == [("heartbeat", 204)] * 4 and one.pauses == []
    shown = sumo.collector(one.number())
    assert (shown["name"], shown["alive"], shown["collectorVersion"]) == (
        "web", True, "v0.155.0-sumo-0")
    assert (shown["hostName"], shown["fields"]) == ("web.lan", {"team": "a"})
    assert sumo.listed("?filter=alive") == ["web"]


def test_a_restart(sumo, make):
    first = make(folder="same").start()
    again = make(folder="same", version="v0.156.0-sumo-0").start()
    assert again.sent == [("heartbeat", 204), ("metadata", 200), ("heartbeat", 204)]
    assert again.number() == first.number() and sumo.listed() == ["web"]
    assert sumo.collector(first.number())["collectorVersion"] == "v0.156.0-sumo-0"


def test_other_settings_are_another_collector(sumo, make):
    make(folder="same").start()
    make(folder="same", name="other").start()
    other = sumo.installation_token("another")["encodedTokenAndUrl"]
    make(folder="same", token=other).start()
    names = sumo.listed()
    assert names[:2] == ["web", "other"] and names[2].startswith("web-")


def test_forced_registration(sumo, make):
    make(folder="same").start()
    make(folder="same", force_registration=True).start()
    assert len(sumo.listed()) == 2
    last = make(folder="same", force_registration=True, clobber=True).start()
    assert len(sumo.listed()) == 2 and sumo.collector(last.number())["name"] == "web"


def test_deleted_while_it_runs(sumo, make):
    one = make().start()
    old = one.number()
    sumo.delete(f"/collectors/{old}")
    one.run(30)
    assert one.sent[3:] == [("heartbeat", 401), ("register", 200), ("heartbeat", 204)]
    assert one.number() != old and sumo.listed() == ["web"]
    assert json.loads(one.file().read_text())["collectorId"] == f"{one.number():016X}"


def test_deleted_while_it_was_stopped(sumo, make):
    old = make(folder="same").start().number()
    sumo.delete(f"/collectors/{old}")
    again = make(folder="same").start()
    assert again.sent == [("heartbeat", 401), ("register", 200), ("metadata", 200),
                          ("heartbeat", 204)]
    assert again.number() != old


def test_a_token_that_ended_stops_a_first_start_at_once(sumo, make):
    token = sumo.installation_token("ended")
    assert sumo.api("DELETE", f"/tokens/{token['id']}").status in (200, 204)
    one = make(token=token["encodedTokenAndUrl"])
    with pytest.raises(StartFailed):
        one.start()
    assert one.sent == [("register", 401)] and one.pauses == []


def test_a_token_that_ended_hurts_nobody_who_is_in(sumo, make):
    token = sumo.installation_token("ended")
    one = make(folder="same", token=token["encodedTokenAndUrl"]).start()
    sumo.api("DELETE", f"/tokens/{token['id']}")
    one.run(45)
    again = make(folder="same", token=token["encodedTokenAndUrl"]).start()
    assert again.number() == one.number() and again.pauses == []


def test_a_registration_that_is_refused_for_its_content(make):
    one = make(description="d" * 1025)
    with pytest.raises(StartFailed) as refused:
        one.start()
    assert refused.value.args[0].status == 400
    assert one.sent == [("register", 400)]


def test_two_that_fight_for_a_name(sumo, make):
    first = make(clobber=True).start()
    second = make(clobber=True).start()
    for _ in range(3):
        first.run(15)
        second.run(15)
    assert first.sent.count(("heartbeat", 401)) == 3, "each beat finds its credential dead"
    assert second.sent.count(("heartbeat", 401)) == 3
    assert sumo.listed() == ["web"]
    assert sumo.server.wait_for_line(level="warn", name="web")


def test_many_of_one_name_at_once(sumo, make):
    all_ = [make() for _ in range(30)]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        list(pool.map(Extension.start, all_))
    names = sumo.listed()
    assert len(set(names)) == 30 and "web" in names
    assert {one.credentials["collectorName"] for one in all_} == set(names)
    assert all(one.pauses == [] for one in all_)


# --- the exporter


def test_what_the_exporter_sends(sumo, make):
    one = make().start()
    assert one.export("logs", b"line one\nline two",
                      fields=["X-Sumo-Fields: a=b, c=d", "X-Sumo-Host: h",
                              "X-Sumo-Category: c", "X-Sumo-Name: n"])
    assert one.export("metrics", b"metric 1", "application/vnd.sumologic.prometheus")
    assert one.export("traces", b"\x0a\x01x", "application/x-protobuf")
    assert one.sent[3:] == [("logs", 200), ("metrics", 200), ("traces", 200)]
    file = sumo.server.data / "received.ndjson"

    def mine():
        lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
        return [r for r in map(json.loads, lines) if r["collector"] == one.number()]

    wait_for("the records", lambda: len(mine()) >= 3)
    log, metric, _ = mine()
    assert log["data"] == "line one\nline two" and log["metadata"]["signal"] == "logs"
    assert (log["metadata"]["host"], log["metadata"]["category"], log["metadata"]["name"]) == (
        "h", "c", "n")
    assert metric["type"] == "application/vnd.sumologic.prometheus"


def test_the_exporter_follows_new_credentials(sumo, make):
    one = make().start()
    sumo.delete(f"/collectors/{one.number()}")
    assert one.export("logs", b"line")
    assert one.sent[3:] == [("logs", 401), ("heartbeat", 401), ("register", 200), ("logs", 200)]


def test_a_batch_that_nobody_can_unpack_is_dropped(make):
    one = make().start()
    answer = one.post("logs", "/api/v1/collector/logs", gzip.compress(b"x" * 500)[:-7],
                      one.authorization(), "text/plain", ["Content-Encoding: gzip"])
    assert answer.status == 400


# --- a server of its own, that comes and goes


@pytest.fixture
def away(tmp_path):
    """A server that was stopped again, and an extension that was in."""
    # The port has to be the same the next time.
    server = Server(tmp_path / "server", "--rate-sumologic-key-per-minute", "0",
                    listen=(f"127.0.0.1:{own_port()}",)).start()
    with Sumo(server) as sumo:
        token = sumo.installation_token()["encodedTokenAndUrl"]
    return server, token


def comes_back(server, one, after):
    def start(pauses):
        if pauses == after:
            server.start()
    one.on_pause = start


def test_a_server_that_is_away_at_the_first_start(away, tmp_path):
    server, token = away
    one = Extension(server, tmp_path / "e", token, "web")
    server.kill()
    comes_back(server, one, 5)
    one.start()
    assert one.sent == [("register", None)] * 5 + [("register", 200), ("metadata", 200),
                                                   ("heartbeat", 204)]
    assert one.pauses == [0.5, 0.75, 1.125, 1.6875, 2.53125]
    one.stop()
    server.stop()


def test_nobody_waits_longer_than_15_minutes(away, tmp_path):
    server, token = away
    one = Extension(server, tmp_path / "e", token, "web")
    server.kill()
    with pytest.raises(StartFailed):
        one.start()
    assert 14 * 60 < one.now <= 15 * 60 and max(one.pauses) == LONGEST_PAUSE


def test_a_server_that_is_away_while_it_runs(away, tmp_path):
    server, token = away
    one = Extension(server, tmp_path / "e", token, "web").start()
    number = one.number()
    server.kill()
    one.run(60)
    assert one.sent[3:] == [("heartbeat", None)] * 4, "it only says so and goes on"
    server.start()
    one.run(15)
    assert one.sent[-1] == ("heartbeat", 204) and one.number() == number
    one.stop()
    server.stop()


def test_a_server_that_is_killed_right_after_a_registration(away, tmp_path):
    server, token = away
    for n in range(3):
        one = Extension(server, tmp_path / f"e{n}", token, f"web{n}")
        one.register()
        server.kill()
        one.hang_up()
        server.start()
        one.beat()
        assert one.sent == [("register", 200), ("heartbeat", 204)], "what was answered is kept"
        one.stop()
    server.stop()


def test_a_restart_while_the_server_is_away(away, tmp_path):
    server, token = away
    one = Extension(server, tmp_path / "e", token, "web").start()
    one.stop()
    server.kill()
    again = Extension(server, tmp_path / "e", token, "web")
    comes_back(server, again, 3)
    again.start()
    assert again.sent == [("heartbeat", None)] * 3 + [("heartbeat", 204), ("metadata", 200),
                                                      ("heartbeat", 204)]
    assert again.number() == one.number()
    again.stop()
    server.stop()


def test_a_dead_credential_and_a_dead_token_end_in_patience(tmp_path):
    """Without a 429 this loop would not pause. Few failures are allowed: the next one is so only
    after half a minute, which is longer than a slow machine needs for all of this."""
    with Server(tmp_path / "server", "--sumologic-failed-registrations-per-minute",
                "2") as server, Sumo(server) as sumo:
        token = sumo.installation_token()
        one = Extension(server, tmp_path / "e", token["encodedTokenAndUrl"], "web").start()
        sumo.api("DELETE", f"/tokens/{token['id']}")
        sumo.delete(f"/collectors/{one.number()}")
        one.sent.clear()
        one.run(15)
        told = [status for what, status in one.sent if what == "register"]
        assert told[:2] == [401] * 2 and set(told[2:]) == {429}
        assert len(one.sent) < 60 and max(one.pauses) == LONGEST_PAUSE
        one.stop()
