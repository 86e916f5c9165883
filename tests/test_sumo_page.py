# SPDX-License-Identifier: Apache-2.0
"""The commands of the vendor's page on its collector management API, as they stand there, by
curl(1), with the files that it prints. Only the URL, the credentials, and the numbers that the
server gave are others."""
import json
import re
import subprocess

import pytest

from harness import PATIENCE, Server, environment
from sumo.client import ERROR_ID, Sumo, still

HOSTED_COLLECTOR = """{
  "collector":{
    "collectorType":"Hosted",
    "name":"My Hosted Collector",
    "description":"An example Hosted Collector",
    "category":"HTTP Collection",
    "fields": {
        "_budget":"test_budget"
    }
  }
}
"""
UPDATED_COLLECTOR = """{
 "collector":{
    "id":15,
    "name":"dev-host-1",
    "timeZone":"UTC",
    "ephemeral":true,
    "sourceSyncMode":"Json",
    "collectorType":"Installable",
    "collectorVersion":"19.162",
    "osVersion":"3.13.0-92-generic",
    "osName":"Linux",
    "osArch":"amd64",
    "lastSeenAlive":1471553974526,
    "alive":true
  }
}
"""
HOST_METRICS = """{
  "source":{
    "sourceType":"SystemStats",
    "name":"Host_Metrics",
    "interval":60000,
    "hostName":"my_host",
    "metrics":[
      "CPU_User",
      "CPU_Sys"
    ]
  }
}
"""
UPDATED_HOST_METRICS = r"""{
   "source": {
      "id": 101833059,
      "name": "Host_Metrics",
      "hostName": "my_host",
      "automaticDateParsing": true,
      "multilineProcessingEnabled": true,
      "useAutolineMatching": true,
      "contentType": "HostMetrics",
      "forceTimeZone": false,
      "filters": [
         {
            "filterType": "Exclude",
            "name": "Filter keyword",
            "regexp": "(?s).*EventCode = (?:700|701).*Logfile = \"Directory Service\".*(?s)"
         }
      ],
      "cutoffTimestamp": 0,
      "encoding": "UTF-8",
      "interval": 15000,
      "metrics": [
         "CPU_User",
         "CPU_Sys"
      ],
      "sourceType": "SystemStats",
      "alive": true
   }
}
"""

USER = "<accessId>:<accessKey>"
LIST = f"curl -u '{USER}' -X GET https://api.sumologic.com/api/v1/collectors?limit=10"
OFFLINE = f"""curl -u '{USER}' -X GET \
https://api.sumologic.com/api/v1/collectors/offline?aliveBeforeDays=10"""
GET = f"curl -u '{USER}' -X GET https://api.sumologic.com/api/v1/collectors/25"
GET_NAME = f"curl -u '{USER}' -X GET https://api.sumologic.com/api/v1/collectors/name/test"
CREATE = f"""curl -u '{USER}' -X POST -H "Content-Type: application/json" \
-T hosted_collector.json https://api.sumologic.com/api/v1/collectors"""
GET_V = f"curl -v -u '{USER}' -X GET https://api.sumologic.com/api/v1/collectors/15"
PUT = f"""curl -u '{USER}' -X PUT -H "Content-Type: application/json" \
-H "If-Match: \\"f58d12c6986f80d6ca25ed8a3943daa9\\"" \
-T updated_collector.json https://api.sumologic.net/api/v1/collectors/15"""
DELETE = f"curl -u '{USER}' -X DELETE https://api.sumologic.com/api/v1/collectors/15"
DELETE_OFFLINE = f"""curl -u '{USER}' -X DELETE \
https://api.sumologic.com/api/v1/collectors/offline?aliveBeforeDays=10"""
SOURCES = f"curl -u '{USER}' -X GET https://api.sumologic.com/api/v1/collectors/25/sources"
SOURCES_DOWNLOAD = SOURCES + "?download=true"
SOURCE = SOURCES + "/101792472"
SOURCE_DOWNLOAD = SOURCE + "?download=true"
CREATE_SOURCE = f"""curl -u '{USER}' -X POST -H "Content-Type: application/json" \
-T host_metrics.json https://api.sumologic.com/api/v1/collectors/10/sources"""
SOURCE_V = f"""curl -v -u '{USER}' -X GET \
https://api.sumologic.com/api/v1/collectors/15/sources/101833059"""
PUT_SOURCE = f"""curl -u '{USER}' -X PUT -H "Content-Type: application/json" \
-H "If-Match: \\"5f6bbe49f8b5a19dd43c806411225a5f\\"" \
-T updated_host_metrics.json https://api.sumologic.com/api/v1/collectors/15/sources/101833059"""
DELETE_SOURCE = f"""curl -u '{USER}' -X DELETE \
https://api.sumologic.com/api/v1/collectors/15/sources/101833059"""
UPGRADABLE = f"""curl -i -u "{USER}" -X GET \
https://api.sumologic.com/api/v1/collectors/upgrades/collectors"""
TARGETS = f"""curl -i -u "{USER}" -X GET \
https://api.sumologic.com/api/v1/collectors/upgrades/targets"""
UPGRADE = f"""curl -i -u "{USER}" -H "Content-Type: application/json" -X POST \
-d '{{"collectorId":100000000,"toVersion":"19.152-1"}}'
https://api.sumologic.com/api/v1/collectors/upgrades"""
TASK = f"""curl -i -u "{USER}" -X GET \
https://api.sumologic.com/api/v1/collectors/upgrades/12345"""

VENDOR = re.compile(r"https://api\.sumologic\.(com|net)")


class Page:
    """A shell in a folder for the page's files. `numbers` says what takes the place of a number
    that the page has."""

    def __init__(self, sumo, folder):
        self.sumo = sumo
        self.folder = folder
        self.numbers = {}
        self.user = f"{sumo.access_id}:{sumo.access_key}"

    def translate(self, text):
        for theirs, ours in self.numbers.items():
            text = re.sub(rf"\b{theirs}\b", str(ours), text)
        return text

    def file(self, name, text):
        (self.folder / name).write_text(self.translate(text))

    def run(self, command, status="200"):
        """Standard output. The page breaks one of its commands before the URL."""
        assert len(VENDOR.findall(command)) == 1 and command.count(USER) == 1
        command = self.translate(command.replace("\n", " "))
        command = VENDOR.sub(self.sumo.server.url(), command).replace(USER, self.user)
        done = subprocess.run(
            ["bash", "-c", command + " -sS -w '%{stderr}\n%{http_code} %{content_type}'"],
            cwd=self.folder, capture_output=True, text=True, timeout=PATIENCE, env=environment())
        assert done.returncode == 0, done.stderr
        self.said = done.stderr
        self.status, _, self.media = done.stderr.splitlines()[-1].partition(" ")
        assert self.status == status, done.stdout
        return done.stdout

    def json(self, command, status="200"):
        said = self.run(command, status)
        assert self.media == "application/json;charset=UTF-8"
        return json.loads(said[said.index("{"):])

    def etag(self):
        """What curl -v shows of it."""
        return re.search(r'^< ETag: ("[0-9a-f]{32}")\r?$', self.said, re.M | re.I)[1]


@pytest.fixture
def page(sumo, tmp_path):
    return Page(sumo, tmp_path)


@pytest.fixture
def installed(sumo):
    """A collector as the page shows it."""
    collector = sumo.register("dev-host-1", timeZone="UTC")
    collector.metadata(hostDetails={"name": "dev-host-1", "osName": "Linux",
                                    "osVersion": "3.13.0-92-generic"},
                       collectorDetails={"runningVersion": "19.162"})
    return collector


def test_create_hosted_collector(page):
    page.file("hosted_collector.json", HOSTED_COLLECTOR)
    made = page.json(CREATE, "201")["collector"]
    seen = made.pop("lastSeenAlive")
    assert seen > 1_700_000_000_000
    number = made.pop("id")
    assert made == {
        "name": "My Hosted Collector", "description": "An example Hosted Collector",
        "category": "HTTP Collection", "timeZone": "UTC", "fields": {"_budget": "test_budget"},
        "links": [{"rel": "sources", "href": f"/v1/collectors/{number}/sources"}],
        "collectorType": "Hosted", "collectorVersion": "", "alive": True}
    # As the page prints it, a member behind the other.
    assert list(page.sumo.collector(number)) == [
        "id", "name", "description", "category", "timeZone", "fields", "links", "collectorType",
        "collectorVersion", "lastSeenAlive", "alive"]
    assert page.json(CREATE, "400")["code"] == "collectors.validation.name.duplicate"


def test_list_collectors(page):
    assert page.json(LIST) == {"collectors": []}
    for n in range(12):
        page.sumo.create(f"c{n}")
    listed = page.json(LIST)["collectors"]
    assert [c["name"] for c in listed] == [f"c{n}" for n in range(10)]
    for c in listed:
        assert c["links"] == [{"rel": "sources", "href": f"/v1/collectors/{c['id']}/sources"}]


def test_list_and_delete_offline_collectors(page, installed):
    assert page.json(OFFLINE) == {"collectors": []}
    assert page.run(DELETE_OFFLINE) == ""
    assert installed.seen()["name"] == "dev-host-1"


def test_get_collector_by_id(page, installed):
    page.numbers = {25: installed.id}
    shown = page.json(GET)["collector"]
    assert shown["id"] == installed.id
    assert {k: shown[k] for k in ("name", "timeZone", "ephemeral", "collectorType",
                                  "collectorVersion", "osName", "osVersion", "alive")} == {
        "name": "dev-host-1", "timeZone": "UTC", "ephemeral": False,
        "collectorType": "Installable", "collectorVersion": "19.162", "osName": "Linux",
        "osVersion": "3.13.0-92-generic", "alive": True}
    page.numbers = {25: installed.id + 1_000_000}
    told = page.json(GET, "404")
    assert ERROR_ID.fullmatch(told.pop("id"))
    assert told == {"status": 404, "code": "collectors.collector.invalid",
                    "message": "The specified collector ID is invalid."}


def test_get_collector_by_name(page):
    made = page.sumo.create("test")
    assert still(page.json(GET_NAME)["collector"]) == still(made)
    area = page.sumo.create("Staging Area")
    dotted = page.sumo.create("Staging.Area")
    for name, wanted in (("Staging%20Area", area), ("Staging.Area/", dotted)):
        command = GET_NAME.replace("/test", "/" + name)
        assert page.json(command)["collector"]["id"] == wanted["id"]


def test_update_a_collector(page, installed):
    """The dance with the tag: GET -v, change, PUT, GET."""
    page.numbers = {15: installed.id}
    shown = page.json(GET_V)["collector"]
    tag = page.etag()
    assert shown["ephemeral"] is False
    document = UPDATED_COLLECTOR.replace('"osArch":"amd64"', f'"osArch":"{shown["osArch"]}"')
    page.file("updated_collector.json", document)
    stale = page.json(PUT, "412")
    assert stale["code"] == "service.etagid.mismatch"

    command = PUT.replace('\\"f58d12c6986f80d6ca25ed8a3943daa9\\"',
                          tag.replace('"', '\\"'))
    changed = page.json(command)["collector"]
    assert changed["ephemeral"] is True and changed["sourceSyncMode"] == "Json"
    assert changed["lastSeenAlive"] > 1471553974526, "what is the server's is not taken"
    assert still(page.json(GET_V)["collector"]) == still(changed)
    assert page.json(command, "412")["status"] == 412, "the tag was used up"


def test_delete_collector_by_id(page):
    page.numbers = {15: page.sumo.create("c")["id"]}
    assert page.run(DELETE) == ""
    assert page.sumo.listed() == []
    assert page.json(DELETE, "404")["code"] == "collectors.collector.invalid"


@pytest.fixture
def logs(page, installed):
    """The page's two sources of files."""
    for name, file in (("collector_logs", "/usr/logs/collector/collector.log*"),
                       ("collector_gc", "/usr/sumo/logs/collector/collector.gc.log*")):
        made = page.sumo.add_source(installed.id, sourceType="LocalFile", name=name, category=name,
                                    hostName="dev-host-1", pathExpression=file)
    page.numbers = {25: installed.id, 101792472: made["id"]}
    return made


def test_list_sources(page, logs):
    first, second = page.json(SOURCES)["sources"]
    number = first.pop("id")
    assert isinstance(number, int) and number != second["id"] == logs["id"]
    first.pop("fields", None)  # the page's samples were taken before there were any
    assert first == {
        "name": "collector_logs", "category": "collector_logs", "hostName": "dev-host-1",
        "automaticDateParsing": True, "multilineProcessingEnabled": True,
        "useAutolineMatching": True, "forceTimeZone": False, "filters": [], "cutoffTimestamp": 0,
        "encoding": "UTF-8", "pathExpression": "/usr/logs/collector/collector.log*",
        "denylist": [], "sourceType": "LocalFile", "alive": True}


def test_download_sources(page, logs):
    document = page.json(SOURCES_DOWNLOAD)
    assert list(document) == ["api.version", "sources"] and document["api.version"] == "v1"
    assert [s["name"] for s in document["sources"]] == ["collector_logs", "collector_gc"]
    for source in document["sources"]:
        assert not {"id", "alive", "status"} & set(source)
        assert source["sourceType"] == "LocalFile" and source["denylist"] == []


def test_get_source_by_id(page, logs):
    assert page.json(SOURCE)["source"] == logs
    page.numbers[101792472] += 1_000_000
    assert page.json(SOURCE, "404")["code"] == "collectors.source.invalid"


def test_download_source(page, logs):
    document = page.json(SOURCE_DOWNLOAD)
    assert list(document) == ["api.version", "source"] and document["api.version"] == "v1"
    assert document["source"] == {k: v for k, v in logs.items() if k not in ("id", "alive")}


def test_create_and_update_source(page, installed):
    page.numbers = {10: installed.id, 15: installed.id}
    page.file("host_metrics.json", HOST_METRICS)
    made = page.json(CREATE_SOURCE, "201")["source"]
    assert made["filters"] == [], "what the page prints there was never sent"
    assert made["contentType"] == "HostMetrics"
    assert made["interval"] == 60000 and made["metrics"] == ["CPU_User", "CPU_Sys"]

    page.numbers[101833059] = made["id"]
    assert page.json(SOURCE_V)["source"] == made
    tag = page.etag()
    page.file("updated_host_metrics.json", UPDATED_HOST_METRICS)
    assert page.json(PUT_SOURCE, "412")["code"] == "service.etagid.mismatch"
    command = PUT_SOURCE.replace('\\"5f6bbe49f8b5a19dd43c806411225a5f\\"',
                                 tag.replace('"', '\\"'))
    changed = page.json(command)["source"]
    wanted = json.loads(page.translate(UPDATED_HOST_METRICS))["source"]
    assert {k: v for k, v in changed.items() if k != "fields"} == wanted
    assert page.json(SOURCE_V)["source"] == changed
    assert page.etag() != tag

    assert page.run(DELETE_SOURCE) == ""
    assert page.json(DELETE_SOURCE, "404")["code"] == "collectors.source.invalid"


def test_wrong_credentials(page):
    page.user = "accessId:accessKey"
    page.file("hosted_collector.json", HOSTED_COLLECTOR)
    for command in (LIST, OFFLINE, GET, GET_NAME, CREATE, DELETE, DELETE_OFFLINE, SOURCES,
                    DELETE_SOURCE, UPGRADABLE, TARGETS):
        told = page.json(command, "401")
        assert ERROR_ID.fullmatch(told.pop("id"))
        assert told == {"status": 401, "code": "unauthorized",
                        "message": "Credential could not be verified."}


@pytest.mark.parametrize("user", ["the id and the secret", "any user and the token"])
def test_a_key_is_written_in_two_ways(page, user):
    if user == "any user and the token":
        page.user = f"whoever:{page.sumo.token}"
    assert page.json(LIST) == {"collectors": []}


def test_a_body_that_is_piped(page):
    """-T - sends chunks."""
    page.file("hosted_collector.json", HOSTED_COLLECTOR)
    page.json("cat hosted_collector.json | " +
              CREATE.replace("hosted_collector.json", "-"), "201")
    assert page.sumo.listed() == ["My Hosted Collector"]


def test_a_large_body_waits_for_100_continue(page):
    """curl asks first from a MiB on."""
    document = json.loads(HOST_METRICS)
    document["source"]["description"] = "d" * 1024
    page.numbers = {10: page.sumo.create("c")["id"]}
    page.file("host_metrics.json", json.dumps(document) + " " * (1 << 20))
    page.json(CREATE_SOURCE.replace("-X POST", "-v -X POST"), "413")
    assert "> Expect: 100-continue" in page.said


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """A server with a catalogue of its own: builds belong to the whole server."""
    with Server(tmp_path_factory.mktemp("builds"),
                "--rate-sumologic-key-per-minute", "0") as server:
        yield server


def test_upgrades(builds, tmp_path):
    for n, version in enumerate(("19.115-37", "19.152-1", "20.1-2749")):
        file = tmp_path / version
        file.write_bytes(b"build %d" % n)
        builds.cli("builds", "add", file, "--version", version, "--platform", "any", check=0)
    with Sumo(builds) as sumo:
        page = Page(sumo, tmp_path)
        assert sorted(page.json(TARGETS)["targets"], key=lambda t: t["version"]) == [
            {"version": "19.115-37", "latest": False}, {"version": "19.152-1", "latest": False},
            {"version": "20.1-2749", "latest": True}]
        assert page.json(UPGRADABLE) == {"collectors": []}
        collector = sumo.register("SumoCollector_Local")
        collector.metadata(collectorDetails={"runningVersion": "19.115-37"})
        listed, = page.json(UPGRADABLE)["collectors"]
        assert listed["id"] == collector.id and listed["collectorVersion"] == "19.115-37"

        page.numbers = {100000000: collector.id}
        made = page.json(UPGRADE, "202")
        assert isinstance(made["id"], str)
        assert made["link"] == {"rel": "self", "href": f"/v1/collectors/upgrades/{made['id']}"}
        page.numbers[12345] = made["id"]
        task = page.json(TASK)["upgrade"]
        assert task.pop("requestTime") == task.pop("requestedTime") > 1_700_000_000_000
        assert task.pop("status") in (0, 1, 6)
        assert task == {"id": int(made["id"]), "collectorId": collector.id,
                        "toVersion": "19.152-1", "message": task["message"]}
        assert page.json(UPGRADE, "400")["code"] == "collector.in.upgrading"

        collector.metadata(collectorDetails={"runningVersion": "19.152-1"})
        assert page.json(TASK)["upgrade"]["status"] == 2

