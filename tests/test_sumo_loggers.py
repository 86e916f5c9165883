# SPDX-License-Identifier: Apache-2.0
"""Loggers that others publish for the URL of a source, at the versions that node/package-lock.json and
python/requirements.txt pin: what they send is what sinks get."""
import json
import subprocess
import sys

import pytest

from harness import environment
from test_node_clients import checked
from test_sumo_receiver import Door
from test_sumo_sdk import PATIENCE, SOURCE, installed


def address(door, scheme):
    return door.sumo.server.url(scheme) + door.path


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_vendors_logger_for_javascript(sumo, certificates, scheme):
    door = Door(sumo)
    checked("sumo.mjs", 7, ECHO_CA=str(certificates.ca), SUMO_DOOR=address(door, scheme),
            NODE_EXTRA_CA_CERTS=str(certificates.ca))
    text, thing, raw, batch, graphite, carbon2 = door.wait(6)
    told = json.loads(text["data"])
    assert (told["msg"], told["sessionId"], told["url"]) == ("hello \u00e9", "s", "http://page/")
    assert text["type"] == "application/json"
    assert text["metadata"] == {"host": "h", "name": "n", "category": "prod/c",
                                "client": "sumo-javascript-sdk"}
    assert json.loads(thing["data"])["nested"] == {"n": 1}
    assert raw["data"] == "as it is" and batch["data"] == "one\ntwo\nthree"
    assert (graphite["type"], graphite["data"]) == (
        "application/vnd.sumologic.graphite", "a.b 1 1700000000")
    assert carbon2["type"] == "application/vnd.sumologic.carbon2"
    assert carbon2["data"].startswith("a=b  c=d 2 ")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_handler_for_pythons_logging(sumo, certificates, tmp_path, scheme):
    door = Door(sumo)
    done = subprocess.run(
        [sys.executable, "-B", SOURCE / "logger.py"], cwd=tmp_path, capture_output=True, text=True,
        timeout=PATIENCE, stdin=subprocess.DEVNULL,
        env=environment(PYTHONPATH=str(installed()), SUMO_DOOR=address(door, scheme),
                        REQUESTS_CA_BUNDLE=str(certificates.ca)))
    assert (done.returncode, done.stdout) == (0, ""), "it complains on its standard output"
    lines = [json.loads(r["data"]) for r in door.wait(3)]
    assert [(line["level"], line["message"]) for line in lines] == [
        ("INFO", "first"), ("WARNING", "second \u00e9"), ("ERROR", "third")]
    assert {line["logger"] for line in lines} == {"app"}
