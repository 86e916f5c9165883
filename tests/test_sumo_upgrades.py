# SPDX-License-Identifier: Apache-2.0
"""Upgrades of installed collectors: the catalogue of builds, the endpoints of the interface, and
whole upgrades with a test double in the place of an agent that takes packages."""
import concurrent.futures
import hashlib
import itertools
import json
import os
import subprocess

import pytest

from fleet.client import Fleet
from h2client import H2
from harness import BINARY, BUILD, PATIENCE, Closed, Server, environment, run, wait_for
from sumo.client import Sumo
from sumo.upgrade_agent import UpgradeAgent
from test_cli import table

UPGRADES = "/collectors/upgrades"
NOT_STARTED, PENDING, SUCCEEDED, FAILED, PROGRESSING = 0, 1, 2, 3, 6
OK, FAILURE, USAGE, DENIED, NOT_FOUND, CONFLICT, REFUSED = 0, 1, 2, 11, 12, 13, 14

# 1.2 only from 1.1 on; the files are as long as is needed to come in several reads.
BUILDS = (("v1.0", "linux/amd64", None), ("v1.1", "linux/amd64", None),
          ("v1.2", "linux/amd64", "v1.1"), ("v1.2", "windows/amd64", None))
SHIM = BUILD / "tests/diskfault.so"
_numbers = itertools.count(1)


def content(version, platform):
    return hashlib.sha256(f"{version} {platform}".encode()).digest() * 10000


def add(server, version, platform, since=None, check=OK, data=None):
    file = server.folder / f"build-{next(_numbers)}"
    file.write_bytes(content(version, platform) if data is None else data)
    more = ["--from-version", since] if since else []
    return server.cli("builds", "add", file, "--version", version, "--platform", platform, *more,
                      check=check)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A catalogue is the whole server's, so it has one of its own."""
    with Server(tmp_path_factory.mktemp("upgrades"),
                "--rate-sumologic-key-per-minute", "0") as started:
        for build in BUILDS:
            add(started, *build)
        yield started


@pytest.fixture
def sumo(server):
    with Sumo(server) as made:
        yield made


class Upgrading:
    """An agent of the fleet, which is an installed collector to this interface, and its double."""

    def __init__(self, sumo, version, name=None):
        self.sumo = sumo
        self.name = name or f"agent-{next(_numbers)}"
        with Fleet(sumo.server, sumo.tenant, sumo.token) as fleet:
            fleet.call("RegisterCollector", id=self.name, localAttributes={
                "collector.os": "linux", "collector.arch": "amd64", "collector.version": version})
            key = fleet.key("agent")
        self.id = sumo.get(f"/collectors/name/{self.name}")["collector"]["id"]
        self.double = UpgradeAgent(sumo.server, f"Authorization: Bearer {key}", version,
                                   agent_id=self.name)

    def request(self, to=None):
        """The task's number."""
        body = {"collectorId": self.id, **({"toVersion": to} if to else {})}
        answer = self.sumo.api("POST", UPGRADES, body)
        assert answer.status == 202, answer
        return int(answer.json()["id"])

    def refused(self, code, **members):
        return self.sumo.refused(400, code, "POST", UPGRADES, {"collectorId": self.id, **members})

    def task(self, number):
        return self.sumo.get(f"{UPGRADES}/{number}")["upgrade"]

    def status(self, number):
        return self.task(number)["status"]

    def version(self):
        return self.sumo.collector(self.id)["collectorVersion"]


@pytest.fixture
def agent(sumo):
    return Upgrading(sumo, "v1.0")


# --- whole upgrades


def test_a_whole_upgrade(agent):
    number = agent.request("v1.1")
    assert agent.status(number) == PENDING
    package = agent.double.next()
    assert package["version"] == "v1.1" and agent.status(number) == PROGRESSING
    agent.double.take(package)
    assert agent.task(number)["message"] == "installing"
    assert agent.double.next() is None
    task = agent.task(number)
    assert (task["status"], task["message"]) == (SUCCEEDED, "")
    assert agent.version() == "v1.1"


def test_a_step_wise_upgrade(agent):
    number = agent.request("v1.2")
    agent.double.settle()
    assert agent.double.taken == ["v1.1", "v1.2"]
    assert agent.status(number) == SUCCEEDED and agent.version() == "v1.2"


def test_a_downgrade(sumo):
    agent = Upgrading(sumo, "v1.2")
    number = agent.request("v1.0")
    agent.double.settle()
    assert agent.double.taken == ["v1.0"] and agent.status(number) == SUCCEEDED


def test_the_latest_is_meant_when_no_version_is_given(agent):
    number = agent.request()
    assert agent.task(number)["toVersion"] == "v1.2"
    agent.double.settle()
    assert agent.status(number) == SUCCEEDED


def test_a_failing_upgrade(agent):
    number = agent.request("v1.1")
    package = agent.double.next()
    agent.double.report(package, "FAILED", "the disk is full: \u00fcber 9000\n")
    task = agent.task(number)
    assert (task["status"], task["message"]) == (FAILED, "the disk is full: \u00fcber 9000\n")
    assert agent.double.next() is None
    assert agent.request("v1.1") > number


def test_an_upgrade_of_a_registered_collector_by_its_own_credential(sumo):
    collector = sumo.register("host-1")
    collector.metadata(collectorDetails={"runningVersion": "v1.0"})
    double = UpgradeAgent(sumo.server, collector.authorization, "v1.0")
    made = sumo.api("POST", UPGRADES, {"collectorId": collector.id, "toVersion": "v1.2"})
    assert made.status == 202, made
    package = double.next()
    double.take(package, pieces=3)
    collector.metadata(collectorDetails={"runningVersion": "v1.1"})
    assert double.next()["version"] == "v1.2"
    double.take(double.next())
    collector.metadata(collectorDetails={"runningVersion": "v1.2"})
    assert sumo.get(f"{UPGRADES}/{made.json()['id']}")["upgrade"]["status"] == SUCCEEDED
    assert sumo.collector(collector.id)["collectorVersion"] == "v1.2"


def test_an_agent_that_runs_the_version_already_is_done(agent):
    number = agent.request("v1.1")
    agent.double.version = "v1.1"
    assert agent.double.next() is None
    assert agent.status(number) == SUCCEEDED


def test_a_version_that_another_face_hears_ends_the_upgrade(agent):
    number = agent.request("v1.1")
    with Fleet(agent.sumo.server, agent.sumo.tenant, agent.sumo.token) as fleet:
        fleet.call("RegisterCollector", id=agent.name, localAttributes={
            "collector.os": "linux", "collector.arch": "amd64", "collector.version": "v1.1"})
    assert agent.status(number) == SUCCEEDED


def events(server, tenant, agent):
    """What is told of an agent's upgrades."""
    told = server.request("GET", f"/admin/v1/events?tenant={tenant}&limit=1000").json()["events"]
    return [(e["kind"], e["data"]) for e in told
            if e["kind"].startswith("upgrade.") and e["subject"] == str(agent.id)]


def test_time_ends_an_upgrade(tmp_path):
    with Server(tmp_path, "--sumologic-upgrade-timeout", "1s", "--tasks-poll", "100ms") as server:
        add(server, "v1.1", "linux/amd64")
        with Sumo(server) as sumo:
            agent = Upgrading(sumo, "v1.0")
            number = agent.request("v1.1")
            wait_for("the end of the upgrade", lambda: agent.status(number) == FAILED)
            assert agent.task(number)["message"] == "The upgrade was not completed in time."
            wait_for("its event", lambda: events(server, sumo.tenant, agent) == [
                ("upgrade.requested", {"to_version": "v1.1"}),
                ("upgrade.failed", {"message": "The upgrade was not completed in time."})])
            assert agent.double.next() is None
            assert agent.request("v1.1")


def test_deletion_ends_an_upgrade(agent):
    number = agent.request("v1.1")
    agent.sumo.delete(f"/collectors/{agent.id}")
    task = agent.task(number)
    assert (task["status"], task["message"]) == (FAILED, "The collector was deleted.")


def test_an_upgrade_survives_a_killed_server(tmp_path):
    server = Server(tmp_path).start()
    add(server, "v1.1", "linux/amd64")
    with Sumo(server) as sumo:
        agent = Upgrading(sumo, "v1.0")
        number = agent.request("v1.1")
        assert agent.double.next()["version"] == "v1.1"
    server.kill()
    server.start()
    assert agent.status(number) == PROGRESSING
    agent.double.settle()
    assert agent.status(number) == SUCCEEDED
    sumo.hang_up()
    server.stop()


def test_one_of_many_requests_wins(agent):
    def ask(_):
        with Sumo(agent.sumo.server, agent.sumo.tenant, agent.sumo.token) as other:
            return other.api("POST", UPGRADES, {"collectorId": agent.id, "toVersion": "v1.1"})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert sorted(a.status for a in answers) == [202] + [400] * 7
    assert {a.json()["code"] for a in answers if a.status == 400} == {"collector.in.upgrading"}


# --- endpoints


def test_targets_have_one_latest(sumo):
    assert sumo.get(f"{UPGRADES}/targets") == {"targets": [
        {"version": "v1.2", "latest": True}, {"version": "v1.1", "latest": False},
        {"version": "v1.0", "latest": False}]}


def test_a_request_with_a_slash_at_its_end(agent):
    answer = agent.sumo.api("POST", f"{UPGRADES}/", {"collectorId": agent.id, "toVersion": "v1.1"})
    assert answer.status == 202
    told = answer.json()
    assert isinstance(told["id"], str) and told["link"] == {
        "rel": "self", "href": f"/v1/collectors/upgrades/{told['id']}"}
    task = agent.task(told["id"])
    assert task["id"] == int(told["id"]) and task["collectorId"] == agent.id
    assert task["requestTime"] == task["requestedTime"] > 1_600_000_000_000
    assert agent.sumo.http("GET", told["link"]["href"]).json()["upgrade"] == task


def test_upgradable_collectors(sumo):
    names = [Upgrading(sumo, version).name for version in ("v1.0", "v1.1", "v1.2", "v9")]
    sumo.create("hosted")

    def listed(query=""):
        return [c["name"] for c in sumo.get(f"{UPGRADES}/collectors{query}")["collectors"]]
    assert listed() == [names[0], names[1], names[3]]
    assert listed("?toVersion=v1.1") == [names[0], names[2], names[3]]
    assert listed("?limit=2") == names[:2]
    assert listed("?limit=2&offset=2") == [names[3]]
    assert listed("?offset=3") == []
    busy = sumo.get(f"/collectors/name/{names[0]}")["collector"]
    assert sumo.get(f"{UPGRADES}/collectors")["collectors"][0] == busy
    assert sumo.api("POST", UPGRADES, {"collectorId": busy["id"]}).status == 202
    assert listed() == [names[1], names[3]]


def test_fifty_are_listed_when_no_limit_is_given(sumo):
    for _ in range(51):
        Upgrading(sumo, "v1.0")
    assert len(sumo.get(f"{UPGRADES}/collectors")["collectors"]) == 50
    assert len(sumo.get(f"{UPGRADES}/collectors?limit=1000")["collectors"]) == 51


@pytest.mark.parametrize("query,code", [
    ("?limit=0", "service.limit.invalid"), ("?limit=x", "service.limit.invalid"),
    ("?offset=-1", "service.offset.invalid"), ("?toVersion=nope", "collector.version.invalid"),
    ("?toVersion=", "collector.version.invalid")])
def test_bad_questions_for_upgradable_collectors(sumo, query, code):
    sumo.refused(400, code, "GET", f"{UPGRADES}/collectors{query}")


# --- E-40 to E-42


def test_an_upgrade_while_there_is_one(agent):
    agent.request("v1.1")
    agent.refused("collector.in.upgrading", toVersion="v1.1")
    agent.double.next()
    agent.refused("collector.in.upgrading", toVersion="v1.2")


def test_an_upgrade_of_what_cannot_be_upgraded(sumo, agent):
    hosted = sumo.create("hosted")["id"]
    sumo.refused(400, "collector.type.invalid", "POST", UPGRADES, {"collectorId": hosted})
    for wrong in (hosted + 100000, 0, -1, "x", None, 1.5, [], 2 ** 63):
        sumo.refused(400, "collector.invalid", "POST", UPGRADES, {"collectorId": wrong})
    sumo.refused(400, "collector.invalid", "POST", UPGRADES, {"toVersion": "v1.1"})
    with Fleet(sumo.server, sumo.tenant, sumo.token) as fleet:
        fleet.call("CreateCollector", collector={"id": "never-seen"})
        fleet.call("UnregisterCollector", id=agent.name)
    made = sumo.get("/collectors/name/never-seen")["collector"]["id"]
    sumo.refused(400, "collector.not.alive", "POST", UPGRADES, {"collectorId": made})
    agent.refused("collector.not.alive", toVersion="v1.1")


@pytest.mark.parametrize("version", ["", "v9.9", "v1.0", "latest", 5, [], "x" * 1000])
def test_an_upgrade_to_what_cannot_be(agent, version):
    agent.refused("collector.version.invalid", toVersion=version)


@pytest.mark.parametrize("number", ["999999999", "abc", "0", "-1", "1.5", "9" * 30])
def test_an_upgrade_that_is_not_there(sumo, number):
    sumo.refused(404, "notfound", "GET", f"{UPGRADES}/{number}")


def test_upgrades_of_other_tenants_are_not_there(agent):
    number = agent.request("v1.1")
    with Sumo(agent.sumo.server) as other:
        other.refused(404, "notfound", "GET", f"{UPGRADES}/{number}")
        other.refused(400, "collector.invalid", "POST", UPGRADES, {"collectorId": agent.id})


def test_the_media_type_of_a_request(agent):
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        agent.sumo.refused(415, "contenttype.invalid", "POST", UPGRADES, b"{}",
                           [f"Content-Type: {kind}"])
    agent.sumo.refused(400, "service.json.invalid", "POST", UPGRADES, b"{",
                       ["Content-Type: application/json"])
    for path in ("/targets", "/collectors"):
        assert agent.sumo.api("GET", UPGRADES + path, None, ["Content-Type: text/x"]).status == 200


def test_upgrades_need_rights(agent):
    viewer = agent.sumo.other("viewer")
    number = agent.request("v1.1")
    assert viewer.get(f"{UPGRADES}/{number}")["upgrade"]["status"] == PENDING
    assert viewer.get(f"{UPGRADES}/targets")["targets"]
    answer = viewer.api("POST", UPGRADES, {"collectorId": agent.id})
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")
    viewer.hang_up()


# --- what agents ask


@pytest.fixture
def package(agent):
    agent.request("v1.1")
    return agent.double.next()


def test_a_package_is_what_was_added(agent, package):
    wanted = content("v1.1", "linux/amd64")
    digest = hashlib.sha256(wanted).hexdigest()
    assert package == {"version": "v1.1", "sha256": digest, "size": str(len(wanted)),
                       "path": f"/muster/v1/builds/{digest}"}
    assert agent.double.fetch(package) == wanted
    assert agent.double.fetch(package, pieces=7) == wanted


def test_a_file_as_a_whole(agent, package):
    wanted = content("v1.1", "linux/amd64")
    answer = agent.double.get(package["path"])
    assert answer.status == 200 and answer.body == wanted
    assert answer.fields["etag"] == f'"{package["sha256"]}"'
    assert answer.fields["accept-ranges"] == "bytes"
    assert answer.fields["content-type"] == "application/octet-stream"
    head = agent.double.get(package["path"], method="HEAD")
    assert head.status == 200 and head.fields["content-length"] == str(len(wanted))
    again = agent.double.get(package["path"], f'If-None-Match: "{package["sha256"]}"')
    assert again.status == 304


@pytest.mark.parametrize("range_,status,first,last", [
    ("bytes=0-0", 206, 0, 0), ("bytes=5-", 206, 5, -1), ("bytes=-5", 206, -5, -1),
    ("bytes=0-99999999999", 206, 0, -1), ("bytes=-99999999", 206, 0, -1),
    ("bytes=320000-", 416, 0, 0), ("bytes=-0", 416, 0, 0),
    ("bytes=9-5", 200, 0, -1), ("bytes=a-b", 200, 0, -1), ("lines=0-1", 200, 0, -1),
    ("bytes=0-1,4-5", 200, 0, -1), ("bytes=", 200, 0, -1)])
def test_ranges_of_a_file(agent, package, range_, status, first, last):
    wanted = content("v1.1", "linux/amd64")
    size = len(wanted)
    assert size == 320000
    answer = agent.double.get(package["path"], f"Range: {range_}")
    assert answer.status == status, answer
    if status == 416:
        assert answer.fields["content-range"] == f"bytes */{size}" and answer.body == b""
        return
    first, last = first % size, last % size
    assert answer.body == wanted[first:last + 1]
    if status == 206:
        assert answer.fields["content-range"] == f"bytes {first}-{last}/{size}"


def test_a_range_of_what_the_file_was_before_is_the_whole(agent, package):
    answer = agent.double.get(package["path"], "Range: bytes=0-1", 'If-Range: "other"')
    assert answer.status == 200 and len(answer.body) == int(package["size"])


def test_files_that_are_not_there(agent):
    for name in ("0" * 64, "abc", "..%2fmuster.db", "%00" * 32):
        assert agent.double.get(f"/muster/v1/builds/{name}").status in (400, 404)
    assert agent.sumo.server.request("GET", f"/muster/v1/builds/{'0' * 64}",
                                     token=False).status == 401


def test_an_agent_is_offered_nothing_without_an_upgrade(agent):
    before = agent.sumo.state()
    agent.double.version = "v1.1"
    assert agent.double.next() is None
    assert agent.sumo.state() == before


@pytest.mark.parametrize("members,code", [
    ({"platform": "linux"}, "invalid_argument"), ({"platform": ""}, "invalid_argument"),
    ({"platform": "a/b/c"}, "invalid_argument"), ({"runningVersion": "x" * 65}, "invalid_argument"),
    ({"agentId": "nobody"}, "not_found")])
def test_bad_questions_of_agents(agent, members, code):
    answer = agent.double.post("NextPackage", **{"runningVersion": "v1.0",
                                                 "platform": "linux/amd64", **members})
    assert answer.json()["code"] == code


def test_a_report_of_what_was_not_offered(agent, package):
    for version, state in (("v1.2", "FAILED"), ("", "FAILED"), ("v1.0", "DOWNLOADING")):
        answer = agent.double.post("ReportPackage", version=version,
                                   state=f"PACKAGE_STATE_{state}")
        assert answer.json()["code"] == "failed_precondition"
    answer = agent.double.post("ReportPackage", version="v1.1")
    assert answer.json()["code"] == "invalid_argument"
    assert agent.double.next() == package


def test_a_viewer_takes_no_packages(agent):
    key = agent.sumo.key("viewer")["token"]
    agent.double.authorization = f"Authorization: Bearer {key}"
    answer = agent.double.post("NextPackage", runningVersion="v1.0", platform="linux/amd64")
    assert answer.json()["code"] == "permission_denied"


def test_a_credential_speaks_for_its_own_collector_alone(sumo, agent):
    collector = sumo.register("host-2")
    double = UpgradeAgent(sumo.server, collector.authorization, "v1.0", agent_id=agent.name)
    answer = double.post("NextPackage", runningVersion="v1.0", platform="linux/amd64")
    assert answer.json()["code"] == "permission_denied"


def test_agents_of_other_tenants_are_not_there(agent, package):
    with Sumo(agent.sumo.server) as other:
        double = UpgradeAgent(other.server, f"Authorization: Bearer {other.key('agent')['token']}",
                              "v1.0", agent_id=agent.name)
        for method, members in (
                ("NextPackage", {"runningVersion": "v1.1", "platform": "linux/amd64"}),
                ("ReportPackage", {"version": "v1.1", "state": "PACKAGE_STATE_FAILED"})):
            answer = double.post(method, **members)
            assert answer.json()["code"] == "not_found", answer
    assert agent.double.next() == package


# --- the operator's commands


def test_the_catalogue_by_command(tmp_path):
    with Server(tmp_path) as server:
        told = add(server, "v1.0", "any", data=b"one")
        assert hashlib.sha256(b"one").hexdigest() in told.stdout
        add(server, "v1.0", "any", check=CONFLICT)
        add(server, "v1.10", "linux/amd64", "v1.0")
        rows = json.loads(server.cli("builds", "list", "--output", "json", check=OK).stdout)
        assert [(b["version"], b["platform"], b["from_version"], b["bytes"])
                for b in rows["builds"]] == [("v1.10", "linux/amd64", "v1.0", 320000),
                                             ("v1.0", "any", "", 3)]
        assert len(table(server.cli("builds", "list", check=OK).stdout)) == 2
        assert server.cli("builds", "remove", "v1.0", check=USAGE)
        server.cli("builds", "remove", "v1.0", "--platform", "linux", check=NOT_FOUND)
        server.cli("builds", "remove", "v1.0", "--platform", "any", check=OK)
        files = [f.name for f in (server.data / "builds").iterdir()]
        assert files == [hashlib.sha256(content("v1.10", "linux/amd64")).hexdigest()]


@pytest.mark.parametrize("version,platform,since", [
    ("", "any", None), ("latest", "any", None), ("../x", "any", None), ("v1", "Linux", None),
    ("v1", "a/b/c", None), ("v1", "any", "v2")])
def test_builds_that_are_refused(server, version, platform, since):
    add(server, version, platform, since, check=REFUSED)
    assert not [f for f in (server.data / "builds").iterdir() if f.name.startswith("upload-")]


def test_files_that_are_no_builds(server, tmp_path):
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    for file in (empty, tmp_path, tmp_path / "nothing"):
        server.cli("builds", "add", file, "--version", "v5", "--platform", "any", check=USAGE)
    server.cli("builds", "add", empty, check=USAGE)


def test_a_large_build_in_parts(tmp_path):
    data = bytes(range(256)) * 40000  # 10 MB: three parts
    with Server(tmp_path) as server:
        add(server, "v1", "any", data=data)
        digest = hashlib.sha256(data).hexdigest()
        assert server.request("GET", f"/muster/v1/builds/{digest}").body == data


def test_a_build_that_is_removed_is_read_to_its_end(tmp_path):
    data = os.urandom(12 << 20)  # more than waits in sockets
    with Server(tmp_path) as server:
        add(server, "v1", "any", data=data)
        with server.connect() as slow:
            slow.send(f"GET /muster/v1/builds/{hashlib.sha256(data).hexdigest()} HTTP/1.1\r\n"
                      f"Host: a\r\nAuthorization: Bearer {server.token()}\r\n\r\n".encode())
            status, fields = slow.head()
            assert status == 200
            server.cli("builds", "remove", "v1", "--platform", "any", check=OK)
            assert not list((server.data / "builds").iterdir())
            got = bytearray(slow.kept)
            while len(got) < int(fields["content-length"]):
                part = slow.socket.recv(1 << 20)
                assert part, "the server ended the connection"
                got += part
            assert got == data


def test_many_add_the_same_build(tmp_path):
    with Server(tmp_path) as server, concurrent.futures.ThreadPoolExecutor(8) as pool:
        same = list(pool.map(lambda _: add(server, "v1", "any", data=b"same", check=None), range(8)))
        assert [done.returncode for done in same] == [OK] * 8
        others = list(pool.map(lambda n: add(server, "v2", "any", data=b"%d" % n, check=None),
                               range(8)))
        assert sorted(done.returncode for done in others) == [OK] + [CONFLICT] * 7
        rows = server.request("GET", "/admin/v1/builds").json()["builds"]
        assert [b["version"] for b in rows] == ["v2", "v1"]
        for row in rows:
            file = server.request("GET", f"/muster/v1/builds/{row['sha256']}").body
            assert hashlib.sha256(file).hexdigest() == row["sha256"]
        assert {f.name for f in (server.data / "builds").iterdir()} == {b["sha256"] for b in rows}


def test_a_build_whose_file_is_lost_is_added_again(tmp_path):
    with Server(tmp_path) as server:
        add(server, "v1", "any", data=b"one")
        path = f"/muster/v1/builds/{hashlib.sha256(b'one').hexdigest()}"
        (server.data / "builds" / hashlib.sha256(b"one").hexdigest()).unlink()
        assert server.request("GET", path).status == 404
        add(server, "v1", "any", data=b"one")
        assert server.request("GET", path).body == b"one"
        add(server, "v1", "any", data=b"two", check=CONFLICT)


def test_a_restart_sweeps_uploads_but_no_builds(tmp_path):
    server = Server(tmp_path).start()
    add(server, "v1", "any", data=b"kept")
    begun = server.request("POST", "/admin/v1/builds/uploads")
    assert begun.status == 201
    path = f"/admin/v1/builds/uploads/{begun.json()['upload']}"
    assert server.request("PUT", path + "?offset=0", b"half").json() == {"bytes": 4}
    assert server.request("PUT", path + "?offset=9", b"half").status == 409
    server.kill()
    server.start()
    assert server.request("PUT", path + "?offset=4", b"half").status == 404
    digest = hashlib.sha256(b"kept").hexdigest()
    assert server.request("GET", f"/muster/v1/builds/{digest}").body == b"kept"
    assert [f.name for f in (server.data / "builds").iterdir()] == [digest]
    server.stop()


def test_only_who_operates_the_server_changes_the_catalogue(sumo):
    def ask(method, path, body=None):
        return sumo.server.request(method, path, body, token=sumo.token).status
    assert ask("GET", "/admin/v1/builds") == 200
    assert ask("POST", "/admin/v1/builds/uploads") == 403
    assert ask("DELETE", "/admin/v1/builds?version=v1.0&platform=linux/amd64") == 403
    assert ask("POST", "/admin/v1/builds", {"upload": "x"}) == 403


def test_upgrades_by_command(server):
    with Sumo(server, "default", server.token()) as sumo:
        first, second = Upgrading(sumo, "v1.0"), Upgrading(sumo, "v1.1")
        done = server.cli("upgrades", "start", "--collector", first.name, "--collector",
                          second.id, "--to", "latest", "--output", "json", check=OK)
        made = json.loads(done.stdout)["upgrades"]
        assert [(u["agent"], u["to_version"], u["step_version"], u["state"]) for u in made] == [
            (first.name, "v1.2", "v1.1", "pending"), (second.name, "v1.2", "v1.2", "pending")]
        server.cli("upgrades", "start", "--collector", first.name, "--to", "v1.1", check=REFUSED)
        server.cli("upgrades", "start", "--collector", "nobody", "--to", "v1.1", check=NOT_FOUND)
        server.cli("upgrades", "start", "--to", "v1.1", check=USAGE)
        listed = json.loads(server.cli("upgrades", "list", "--open", "--output", "json",
                                       check=OK).stdout)["upgrades"]
        assert [u["id"] for u in made] == [u["id"] for u in listed if u["agent"] in
                                           (first.name, second.name)]
        first.double.settle()
        told = server.cli("upgrades", "get", made[0]["id"], check=OK).stdout
        assert "succeeded" in told and first.name in told
        server.cli("upgrades", "get", "999999", check=NOT_FOUND)
        second.double.report(second.double.next(), "FAILED", "no")


def test_upgrades_of_another_tenant_by_command(sumo):
    server, tenant = sumo.server, ("--tenant", sumo.tenant)
    agent = Upgrading(sumo, "v1.0")

    def rows(*more):
        told = server.cli("upgrades", "list", "--output", "json", *more, check=OK)
        return [u["agent"] for u in json.loads(told.stdout)["upgrades"]]
    start = ("upgrades", "start", "--collector", agent.name, "--to", "v1.1")
    server.cli(*start, check=NOT_FOUND)
    made = table(server.cli(*start, *tenant, check=OK).stdout)[0]
    assert made["AGENT"] == agent.name and made["STATE"] == "pending"
    assert agent.name in rows("--open", *tenant) and agent.name in rows(*tenant)
    assert agent.name not in rows()
    server.cli("upgrades", "get", made["ID"], check=NOT_FOUND)
    assert agent.name in server.cli("upgrades", "get", made["ID"], *tenant, check=OK).stdout
    server.cli("upgrades", "list", "--tenant", "nobody's", check=NOT_FOUND)
    theirs = ("--server", server.url(), "--key", sumo.token)
    run("upgrades", "list", "--tenant", "default", *theirs, check=DENIED)
    assert agent.name in run("upgrades", "list", *theirs, check=OK).stdout
    with waiting(server, "--collector", agent.name, "--to", "v1.2", *tenant) as command:
        assert "already" in command.communicate(timeout=PATIENCE)[1]


def waiting(server, *arguments):
    return subprocess.Popen([BINARY, "upgrades", "start", *map(str, arguments), "--wait",
                             "--data", str(server.data)], stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.PIPE, env=environment())


def test_waiting_for_an_upgrade_shows_how_it_goes(server):
    with Sumo(server, "default", server.token()) as sumo:
        agent = Upgrading(sumo, "v1.0")
        with waiting(server, "--collector", agent.name, "--to", "v1.2") as command:
            assert command.stderr.readline() == f"{agent.name}: pending, v1.1 on the way to v1.2\n"
            package = agent.double.next()
            assert command.stderr.readline() == \
                f"{agent.name}: progressing, v1.1 on the way to v1.2\n"
            agent.double.report(package, "DOWNLOADING", "half\x1b[2J\u009b2J \u00fc")
            assert command.stderr.readline() == \
                f"{agent.name}: progressing, v1.1 on the way to v1.2 (half?[2J?2J \u00fc)\n"
            agent.double.settle()
            out, err = command.communicate(timeout=PATIENCE)
            assert command.returncode == OK
            assert err.endswith(f"{agent.name}: succeeded, v1.2\n")
            assert table(out)[0]["STATE"] == "succeeded"


def test_waiting_for_an_upgrade_that_fails(server):
    with Sumo(server, "default", server.token()) as sumo:
        agent = Upgrading(sumo, "v1.0")
        with waiting(server, "--collector", agent.name, "--to", "v1.1") as command:
            assert "pending" in command.stderr.readline()
            agent.double.report(agent.double.next(), "FAILED", "no room")
            out, err = command.communicate(timeout=PATIENCE)
            assert command.returncode == FAILURE
            assert err.endswith(f"{agent.name}: failed, v1.1 (no room)\n")
            assert table(out)[0]["MESSAGE"] == "no room"


# --- a disk that waits, or is full


class Disk:
    """A server whose reads of builds wait while a file is there, and whose writes fail while
    another is. It has one loop, so that whoever holds it up holds up everybody."""

    def __init__(self, folder, *flags):
        assert SHIM.exists(), f"{SHIM} is not built"
        self.stall, self.full = folder / "reads-stall", folder / "disk-is-full"
        asan = os.environ.get("ASAN_OPTIONS", "")
        self.server = Server(folder, "--loops", "1", *flags, env={
            "LD_PRELOAD": str(SHIM), "DISKFAULT_DIR": str(folder / "data/builds"),
            "DISKFAULT_STALL": str(self.stall), "DISKFAULT_FULL": str(self.full),
            # The shim has to come before the sanitizer's own library.
            "ASAN_OPTIONS": ":".join(filter(None, [asan, "verify_asan_link_order=0"]))})

    def fetch(self, wire, digest):
        """The head of the answer; the body is yet to come."""
        wire.send(f"GET /muster/v1/builds/{digest} HTTP/1.1\r\nHost: a\r\n"
                  f"Authorization: Bearer {self.server.token()}\r\n\r\n".encode())
        status, fields = wire.head()
        assert status == 200
        return int(fields["content-length"])


def is_open(server, name):
    folder = f"/proc/{server.process.pid}/fd"
    for fd in os.listdir(folder):
        try:
            if name in os.readlink(f"{folder}/{fd}"):
                return True
        except FileNotFoundError:
            pass  # closed meanwhile
    return False


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path)
    with made.server:
        yield made


def test_a_disk_that_lets_wait_holds_up_nobody_else(disk):
    data = os.urandom(300000)
    digest = hashlib.sha256(data).hexdigest()
    add(disk.server, "v1", "any", data=data)
    disk.stall.touch()
    with disk.server.connect() as slow, disk.server.connect() as other:
        size = disk.fetch(slow, digest)
        for _ in range(3):
            assert other.request("GET", "/livez").status == 200
        disk.stall.unlink()
        assert slow.read_exactly(size) == data
        assert slow.stays_open()


def test_files_that_are_fetched_at_a_time_may_be_few(tmp_path):
    disk = Disk(tmp_path, "--rate-package-downloads", "2")
    data = os.urandom(300000)
    path = f"/muster/v1/builds/{hashlib.sha256(data).hexdigest()}"
    with disk.server as server:
        add(server, "v1", "any", data=data)
        disk.stall.touch()
        with server.connect() as one, server.connect() as two:
            sizes = [disk.fetch(wire, path[-64:]) for wire in (one, two)]
            refused = server.request("GET", path)
            assert refused.status == 429 and int(refused.fields["retry-after"]) > 0
            asked = server.request("POST", "/muster.v1.PackageService/NextPackage",
                                   {"agentId": "x", "platform": "linux/amd64"})
            assert asked.json()["code"] == "not_found"
            disk.stall.unlink()
            assert one.read_exactly(sizes[0]) == data and two.read_exactly(sizes[1]) == data
        assert server.request("GET", path).body == data


def test_who_leaves_while_the_disk_lets_wait_leaves_nothing_behind(disk):
    data = os.urandom(300000)
    digest = hashlib.sha256(data).hexdigest()
    add(disk.server, "v1", "any", data=data)
    disk.stall.touch()
    for _ in range(3):
        with disk.server.connect() as slow:
            disk.fetch(slow, digest)
    with H2(disk.server.port()) as slow:
        slow.begin("GET", f"/muster/v1/builds/{digest}",
                   [("authorization", f"Bearer {disk.server.token()}")])
    assert disk.server.request("GET", "/livez").status == 200
    disk.stall.unlink()
    wait_for("the file to be closed", lambda: not is_open(disk.server, digest))
    assert disk.server.request("GET", f"/muster/v1/builds/{digest}").body == data


def test_a_server_that_stops_waits_for_what_it_reads(disk):
    data = os.urandom(300000)
    digest = hashlib.sha256(data).hexdigest()
    add(disk.server, "v1", "any", data=data)
    disk.stall.touch()
    with disk.server.connect() as slow, disk.server.connect() as gone:
        size = disk.fetch(slow, digest)
        disk.fetch(gone, digest)
        gone.close()
        disk.server.terminate()
        disk.stall.unlink()
        assert slow.read_exactly(size) == data


def test_a_file_that_became_shorter_breaks_the_answer_off(disk):
    data = os.urandom(300000)
    digest = hashlib.sha256(data).hexdigest()
    add(disk.server, "v1", "any", data=data)
    os.truncate(disk.server.data / "builds" / digest, 100000)
    with disk.server.connect() as wire:
        size = disk.fetch(wire, digest)
        with pytest.raises(Closed):
            wire.read_exactly(size)


def test_a_full_disk_takes_no_part_of_a_build_and_goes_on_later(disk):
    server = disk.server
    begun = server.request("POST", "/admin/v1/builds/uploads").json()
    path = f"/admin/v1/builds/uploads/{begun['upload']}"
    disk.full.touch()
    refused = server.request("PUT", path + "?offset=0", b"half")
    assert refused.status == 503 and refused.json()["error"]["reason"] == "disk_full"
    disk.full.unlink()
    assert server.request("PUT", path + "?offset=0", b"half").json() == {"bytes": 4}
