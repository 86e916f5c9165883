# SPDX-License-Identifier: Apache-2.0
"""The life of a simulated Alloy of each version against the real server: start, polls, a text that
cannot be loaded, a server that refuses, a reload that keeps the hash, the end. See fleet/alloy.py
for what is simulated."""
import base64

import pytest

from fleet.alloy import APPLIED, FAILED, RELEASES, UNSET, Alloy, CallFailed, Exited, fnv1
from fleet.client import Fleet, is_comment
from fleet.language import load
from harness import Server, basic

EVERY = pytest.mark.parametrize("version", RELEASES)
STATUS = pytest.mark.parametrize("version", [v for v, r in RELEASES.items() if r.status])
SCRAPE = 'prometheus.exporter.self "x" {\n}\n'
BROKEN = 'broken.thing "x" {\n}\n'
LINUX = ["collector.os=linux"]


@pytest.fixture
def make(fleet, tmp_path):
    """Alloys of the test's tenant; each speaks with a key of an agent."""
    token = fleet.key("agent")
    made = []

    def one(version, name="alloy", **attributes):
        alloy = Alloy(version, fleet.server.port(), basic(fleet.tenant, token), tmp_path, name,
                      attributes, display="display name")
        made.append(alloy)
        return alloy

    yield one
    for alloy in made:
        alloy.hang_up()


def called(alloy):
    """What was said since the last time."""
    said, alloy.said = alloy.said, []
    return said


def reported(fleet, name="alloy"):
    told = fleet.agent(name)
    files = [f.get("body", "") for f in told.get("effectiveConfig", [])]
    return told["agent"].get("status", "").removeprefix("AGENT_STATUS_"), \
        told.get("statusError", ""), files


def base64_of(data):
    return base64.b64encode(data).decode()


def test_the_hash_of_alloy():
    assert fnv1(b"") == "811c9dc5"
    assert fnv1(b"a") == "50c5d7e"  # no leading zero


@EVERY
def test_a_start_with_nothing_to_run(fleet, make, version):
    alloy = make(version, env="prod")
    alloy.begin()
    assert alloy.loads == 1 and alloy.running.declared == []
    made = fleet.collector("alloy")
    assert made["localAttributes"] == {"collector.os": "linux", "collector.ID": "alloy",
                                       "collector.version": f"v{version}.0", "env": "prod"}
    assert made["name"] == "display name" and made["enabled"] is True
    assert "markedInactiveAt" not in made


@EVERY
def test_the_calls_of_a_start(fleet, make, version):
    fleet.pipeline("web", SCRAPE, LINUX)
    alloy = make(version)
    alloy.begin()
    assert alloy.running.declared == ["web"]
    if alloy.release.status:
        assert called(alloy) == [
            ("RegisterCollector", set()), ("GetConfig", {"UNSET"}),
            ("GetConfig", {"hash", "APPLIED", "effective"}), ("RegisterCollector", set())]
        status, error, files = reported(fleet)
        assert (status, error) == ("APPLIED", "")
        assert files == [base64_of(alloy.effective)] and b"web" in alloy.effective
    else:
        assert called(alloy) == [("RegisterCollector", set()), ("GetConfig", set()),
                                 ("RegisterCollector", set())]
        assert reported(fleet)[2] == []


@EVERY
def test_ticks(fleet, make, version):
    """Nothing is loaded again until there is something new; then once."""
    alloy = make(version, env="prod")
    alloy.begin()
    called(alloy)
    for _ in range(3):
        alloy.tick()
    assert alloy.loads == 1
    assert called(alloy) == 3 * [("GetConfig", {"hash"} if alloy.release.hashes else set())]
    made = fleet.pipeline("web", SCRAPE, ["env=prod"])
    for _ in range(3):
        alloy.tick()
    assert alloy.loads == 2 and alloy.running.declared == ["web"]
    assert len(called(alloy)) == (4 if alloy.release.status else 3)
    fleet.pipeline("other", SCRAPE, ["env=dev"])
    alloy.tick()
    fleet.call("DeletePipeline", id=made)
    for _ in range(2):
        alloy.tick()
    assert alloy.loads == 3 and alloy.running.declared == []


@EVERY
def test_whatever_is_taken_away_is_unloaded(fleet, make, version):
    """An empty text would leave everything running: there must never be one."""
    fleet.pipeline("web", SCRAPE, LINUX)
    alloy = make(version)
    alloy.begin()
    before = fleet.collector("alloy")
    for change in ({"enabled": False}, {"enabled": True}):
        fleet.call("UpdateCollector", collector={"id": "alloy", **change})
        alloy.tick()
        assert alloy.running.declared == ([] if change == {"enabled": False} else ["web"])
        assert alloy.loaded != fnv1(b"")
    assert fleet.collector("alloy")["localAttributes"] == before["localAttributes"]


@STATUS
def test_a_text_that_cannot_be_loaded(fleet, make, version):
    good = fleet.pipeline("good", SCRAPE, LINUX)
    alloy = make(version)
    alloy.begin()
    loaded = alloy.effective
    called(alloy)
    bad = fleet.pipeline("bad", BROKEN, LINUX)
    alloy.tick()
    # First with what it knew, then at once with what went wrong.
    assert called(alloy) == [("GetConfig", {"hash"}), ("GetConfig", {"hash", "FAILED"})]
    assert alloy.running.declared == ["good"]
    assert reported(fleet) == ("FAILED", "broken.thing: evaluation failed", [base64_of(loaded)])
    # The bad text is not tried again, and the status not told again.
    alloy.tick()
    assert called(alloy) == [("GetConfig", {"hash"})] and alloy.loads == 2
    assert reported(fleet)[0] == "FAILED"
    # Mended: back to the text before, which is still loaded and only has to be told of.
    fleet.call("DeletePipeline", id=bad)
    alloy.tick()
    assert called(alloy) == [("GetConfig", {"hash"}), ("GetConfig", {"hash", "APPLIED"})]
    assert alloy.loads == 2 and reported(fleet)[:2] == ("APPLIED", "")
    fleet.call("UpdatePipeline", pipeline={"id": good, "name": "good", "contents": SCRAPE + "//\n",
                                           "matchers": LINUX})
    alloy.tick()
    assert called(alloy)[1] == ("GetConfig", {"hash", "effective"})
    assert alloy.loads == 3 and reported(fleet)[2] == [base64_of(alloy.effective)]
    assert alloy.effective != loaded


@STATUS
def test_the_first_text_cannot_be_loaded(fleet, make, version):
    fleet.pipeline("bad", BROKEN, LINUX)
    alloy = make(version)
    alloy.begin()
    assert [c for c in called(alloy) if c[0] == "GetConfig"] == [
        ("GetConfig", {"UNSET"}), ("GetConfig", {"hash", "FAILED"})]
    assert alloy.running is None
    assert reported(fleet) == ("FAILED", "broken.thing: evaluation failed", [])


def refuse(fleet, token):
    """Revokes the key that the token is of."""
    keys = fleet.server.request("GET", f"/admin/v1/keys?tenant={fleet.tenant}").json()["keys"]
    mine, = [k["id"] for k in keys if k["id"] in token]
    gone = fleet.server.request("DELETE", f"/admin/v1/keys/{mine}?tenant={fleet.tenant}")
    assert gone.status == 200


@EVERY
def test_a_server_that_refuses(fleet, make, version):
    """It keeps what it runs, asks twice the more, and tells of it once it may speak again."""
    fleet.pipeline("web", SCRAPE, LINUX)
    alloy = make(version)
    token = fleet.key("agent")
    alloy.authorization = basic(fleet.tenant, token)
    alloy.begin()
    called(alloy)
    refuse(fleet, token)
    alloy.tick()
    assert alloy.running.declared == ["web"] and alloy.status[0] == FAILED
    assert alloy.status[1].startswith("unauthenticated: ")
    assert len(called(alloy)) == (2 if alloy.release.status else 1)
    alloy.authorization = basic(fleet.tenant, fleet.key("agent"))
    alloy.tick()
    assert alloy.status == (APPLIED, "") or not alloy.release.hashes
    if alloy.release.status:
        assert called(alloy) == [("GetConfig", {"hash", "FAILED"}),
                                 ("GetConfig", {"hash", "APPLIED"})]
        assert reported(fleet)[:2] == ("APPLIED", "")
    assert alloy.loads == 1


@EVERY
def test_a_start_at_a_server_that_refuses(fleet, make, version):
    alloy = make(version)
    alloy.authorization = basic("nobody", "nothing")
    if alloy.release.strict:
        with pytest.raises(Exited, match="unauthenticated"):
            alloy.begin()
    else:
        alloy.begin()
        assert alloy.running is None
    assert fleet.listed() == []


@EVERY
def test_a_restart_with_the_text_in_its_cache(fleet, make, version):
    fleet.pipeline("web", SCRAPE, LINUX)
    make(version).begin()
    again = make(version)
    good, again.authorization = again.authorization, basic("nobody", "nothing")
    again.fetch(may_use_cache=True)  # as a start of a version that does not mind
    assert again.running.declared == ["web"] and again.status[0] == FAILED
    again.authorization = good
    again.tick()
    assert again.loads == 1 and again.running.declared == ["web"]
    if again.release.status:
        assert reported(fleet)[0] == "APPLIED"


@EVERY
def test_a_reload_with_other_attributes_and_the_hash_of_before(fleet, make, version):
    """What it remembers is of other arguments; only a hash of the content alone tells right."""
    for env in ("dev", "prod"):
        fleet.pipeline(env, SCRAPE, [f"env={env}"])
    alloy = make(version, env="prod")
    alloy.begin()
    assert alloy.running.declared == ["prod"]
    called(alloy)
    alloy.reload(env="dev")
    assert alloy.running.declared == ["dev"]
    assert fleet.collector("alloy")["localAttributes"]["env"] == "dev"
    alloy.reload(env="dev", other="attribute")
    assert alloy.running.declared == ["dev"] and alloy.loads == 2
    alloy.id = "renamed"
    alloy.reload(env="prod")
    assert alloy.running.declared == ["prod"]
    alloy.reload(env="prod", more="attributes")
    assert alloy.loads == 3
    assert fleet.listed() == ["alloy", "renamed"]


@EVERY
def test_an_end(fleet, make, version):
    fleet.pipeline("web", SCRAPE, LINUX)
    alloy = make(version)
    alloy.begin()
    alloy.end()
    after = fleet.collector("alloy")
    assert ("markedInactiveAt" in after) == alloy.release.leaves
    assert after["localAttributes"]["collector.os"] == "linux"
    again = make(version)
    again.begin()
    assert "markedInactiveAt" not in fleet.collector("alloy")
    assert again.running.declared == ["web"]


def test_versions_side_by_side(fleet, make):
    fleet.pipeline("web", SCRAPE, ['collector.version=~"v1\\\\.1[0-9]*\\\\..+"'])
    fleet.pipeline("id", 'local.file "f" {\n'
                   '\tfilename = argument.attributes.value["collector.ID"]\n}\n', LINUX)
    for version in RELEASES:
        alloy = make(version, version)
        alloy.begin()
        new = int(version.partition(".")[2]) >= 10
        assert alloy.running.declared == (["id", "web"] if new else ["id"])
        assert alloy.running.values["id"]["attributes"]["collector.ID"] == version
    assert fleet.listed() == sorted(RELEASES)
    inner = {v["value"] for v in fleet.call("ListCollectorAttributes")["localAttributes"][
        "collector.version"]["values"]}
    assert inner == {f"v{version}.0" for version in RELEASES}


def test_the_server_dies_and_comes_back(tmp_path):
    """Nothing is loaded again: the hash is of the content, whoever computes it."""
    with Server(tmp_path / "server") as server:
        with Fleet(server) as fleet:
            fleet.pipeline("web", SCRAPE, LINUX)
            fleet.create("off", enabled=False, remoteAttributes={"a": "b"})
            alloy = Alloy("1.18", server.port(), fleet.authorization(), tmp_path)
            old = Alloy("1.4", server.port(), fleet.authorization(), tmp_path, "old")
            for one in (alloy, old):
                one.begin()
            before = fleet.state(), reported(fleet)
            known = alloy.hash
            fleet.hang_up()
            server.kill()
            for one in (alloy, old):
                one.hang_up()
                one.tick()
                assert one.status[0] == FAILED and one.running.declared == ["web"]
            server.start()
            assert (fleet.state(), reported(fleet)) == before
            for one in (alloy, old):
                one.port = server.port()
                one.tick()
                assert one.loads == 1 and one.hash == known
            assert reported(fleet)[0] == "APPLIED"
            for one in (alloy, old):
                one.end()


def test_what_the_simulation_takes_for_granted(fleet, make):
    """That an empty text stops nothing; the server must not count on it."""
    alloy = make("1.18")
    alloy.run(b'declare "web" {\n}\nweb "default" {\n}\n')
    alloy.run(b"")
    assert alloy.running.declared == ["web"] and alloy.status == (UNSET, "")
    content = fleet.content("alloy")
    assert is_comment(content) and load(content).declared == []
    with pytest.raises(CallFailed, match="unauthenticated"):
        alloy.authorization = "X-Nothing: 1"
        alloy.get_config()
