# SPDX-License-Identifier: Apache-2.0
"""The commands of the vendor's page on its collector API, as they stand there, by curl(1). Only the
URL and the credentials are others. What the page prints for create, update and list is an empty
object; what it declares in its tables is the collector, and that is what has to come."""
import json
import re
import shlex
import subprocess

import pytest

from fleet.client import TIME, Fleet
from harness import PATIENCE, environment

PAYLOADS = {
    "create-collector.json": """{
    "collector": {
        "id": "karasu",
        "remote_attributes": {"myremoteattr": "myremoteval"},
        "name": "raven",
        "enabled": true,
        "collector_type": "COLLECTOR_TYPE_ALLOY"
    }
}
""",
    "update-collector.json": """{
    "collector": {
        "id": "karasu",
        "remote_attributes": {"myremoteattr": "mynewremoteval"},
        "enabled": true
    }
}
""",
    "get-collector.json": """{
    "id": "karasu"
}
""",
    "delete-collector.json": """{
    "id": "karasu"
}
""",
}

COMMAND = r"""curl -q \
    -d %s \
    -u "user:pass" \
    --header "Content-Type: application/json" \
    -X POST https://fleet-management-prod-001.grafana.net/collector.v1.CollectorService/%s
"""
CREATE = COMMAND % ("@create-collector.json", "CreateCollector")
UPDATE = COMMAND % ("@update-collector.json", "UpdateCollector")
GET = COMMAND % ("@get-collector.json", "GetCollector")
DELETE = COMMAND % ("@delete-collector.json", "DeleteCollector")
LIST = COMMAND % ("'{}'", "ListCollectors")
LIST_LINUX = COMMAND % ("""'{"matchers": ["collector.os=linux"]}'""", "ListCollectors")

VENDOR = "https://fleet-management-prod-001.grafana.net"


class Page:
    """A shell in the folder with the payloads."""

    def __init__(self, fleet, folder, user):
        self.fleet = fleet
        self.folder = folder
        self.user = user
        for name, text in PAYLOADS.items():
            (folder / name).write_text(text)

    def run(self, command):
        """Standard output; the status is the last line of standard error."""
        assert command.count(VENDOR) == 1 and command.count("user:pass") == 1
        command = command.replace(VENDOR, self.fleet.server.url())
        command = command.replace("user:pass", f"{self.user}:{self.fleet.token}").rstrip()
        done = subprocess.run(
            ["bash", "-c", command + " -sS -w '%{stderr}%{http_code} %{content_type}'"],
            cwd=self.folder, capture_output=True, text=True, timeout=PATIENCE,
            env=environment())
        assert done.returncode == 0, done.stderr
        self.status, _, self.media = done.stderr.partition(" ")
        return done.stdout

    def json(self, command, status="200"):
        said = self.run(command)
        assert (self.status, self.media) == (status, "application/json"), said
        return json.loads(said)


@pytest.fixture(params=["the tenant's name", "any user"])
def page(request, fleet, tmp_path):
    return Page(fleet, tmp_path, fleet.tenant if request.param == "the tenant's name" else "123456")


def test_the_commands_are_what_a_shell_makes_of_the_page():
    words = shlex.split(CREATE.replace("\\\n", " "))
    assert words[:6] == ["curl", "-q", "-d", "@create-collector.json", "-u", "user:pass"]
    assert words[6:] == ["--header", "Content-Type: application/json", "-X", "POST",
                         VENDOR + "/collector.v1.CollectorService/CreateCollector"]


def test_the_examples_in_their_order(page):
    assert page.run(LIST) == "{}"
    assert page.status == "200"

    made = page.json(CREATE)
    assert made["id"] == "karasu" and made["name"] == "raven"
    assert made["remoteAttributes"] == {"myremoteattr": "myremoteval"}
    assert made["enabled"] is True and made["collectorType"] == "COLLECTOR_TYPE_ALLOY"

    changed = page.json(UPDATE)
    assert changed["remoteAttributes"] == {"myremoteattr": "mynewremoteval"}
    assert "name" not in changed  # what an update leaves out is removed

    said = page.run(GET)
    assert page.status == "200"
    # What the page prints, member by member in its order; times are others. The id among the
    # local attributes is what the vendor's Terraform provider expects and the page's sample lacks.
    time = f'"{TIME.pattern}"'
    assert re.fullmatch(
        r'\{"id":"karasu","remoteAttributes":\{"myremoteattr":"mynewremoteval"\},'
        rf'"createdAt":{time},"updatedAt":{time},'
        r'"localAttributes":\{"collector\.ID":"karasu"\},'
        r'"enabled":true,"collectorType":"COLLECTOR_TYPE_ALLOY"\}', said), said

    assert page.json(LIST)["collectors"] == [page.json(GET)]
    assert page.run(LIST_LINUX) == "{}"
    page.fleet.register("karasu", {"collector.os": "linux"})
    linux, = page.json(LIST_LINUX)["collectors"]
    assert linux["localAttributes"] == {"collector.ID": "karasu", "collector.os": "linux"}

    assert page.run(DELETE) == "{}"
    assert page.status == "200"
    assert page.json(GET, "404")["code"] == "not_found"
    assert page.json(DELETE, "404")["code"] == "not_found"
    assert page.run(LIST) == "{}"


def test_the_same_example_twice(page):
    page.json(CREATE)
    assert page.json(CREATE, "409")["code"] == "already_exists"
    assert page.fleet.remote("karasu") == {"myremoteattr": "myremoteval"}


def test_an_update_of_nobody(page):
    assert page.json(UPDATE, "404")["code"] == "not_found"
    assert page.run(LIST) == "{}"


def test_wrong_credentials(page):
    page.fleet.token = "pass"
    for command in (CREATE, UPDATE, GET, DELETE, LIST, LIST_LINUX):
        assert page.json(command, "401")["code"] == "unauthenticated"


def test_without_the_header_it_is_a_form(page):
    """What happens to those who leave out a line of the example."""
    assert page.run(CREATE.replace('--header "Content-Type: application/json"', "")) == ""
    assert page.status == "415"


# Two rows of the page's tables that its protocol buffers contradict.


def test_the_page_calls_the_list_of_a_bulk_delete_id(fleet):
    fleet.create("a")
    fleet.create("b")
    assert fleet.call("BulkDeleteCollectors", id=["a"]) == {}
    assert fleet.listed() == ["b"]
    assert fleet.call("BulkDeleteCollectors", ids=["b"]) == {}


@pytest.mark.parametrize("name", ["UNSET", "APPLIED", "APPLYING", "FAILED"])
def test_the_page_leaves_out_the_prefix_of_a_status(fleet, name):
    fleet.register("c")
    for spelled in (name, "RemoteConfigStatuses_" + name):
        fleet.config("c", remoteConfigStatus={"status": spelled})
        assert fleet.agent("c")["agent"]["status"] == "AGENT_STATUS_" + name


def test_every_field_comes_in_both_spellings(fleet):
    fleet.call("CreateCollector", collector={"id": "snake", "remote_attributes": {"k": "v"},
                                             "collector_type": "COLLECTOR_TYPE_OTEL"})
    fleet.call("CreateCollector", collector={"id": "camel", "remoteAttributes": {"k": "v"},
                                             "collectorType": "COLLECTOR_TYPE_OTEL"})
    one, two = (dict(fleet.collector(name), id="", localAttributes={}, createdAt="", updatedAt="")
                for name in ("snake", "camel"))
    assert one == two


def test_one_tenants_collectors_are_not_anothers(fleet, page):
    page.json(CREATE)
    with Fleet(fleet.server) as other:
        assert other.call("ListCollectors") == {}
        other.refused("not_found", "GetCollector", id="karasu")
        other.refused("not_found", "DeleteCollector", id="karasu")
        other.create("karasu")
        assert other.remote("karasu") == {}
