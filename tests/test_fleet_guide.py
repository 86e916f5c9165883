# SPDX-License-Identifier: Apache-2.0
"""The commands of docs/fleet.md, in their order, in one shell: what a newcomer types has to
work."""
import re
import subprocess

import pytest

from harness import BINARY, PATIENCE, ROOT, Server, environment

GUIDE = (ROOT / "docs/fleet.md").read_text()


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the shell prints; the server's address and the program's place are others."""
    blocks = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.S | re.M)
    assert len(blocks) >= 4
    folder = tmp_path_factory.mktemp("guide")
    with Server(folder) as server:
        script = "set -e\nshopt -s expand_aliases\n" + "\n".join(blocks)
        for theirs, ours in (("http://127.0.0.1:8080", server.url()),
                             ("build/release/muster", str(BINARY))):
            assert theirs in script
            script = script.replace(theirs, ours)
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=folder,
                              timeout=PATIENCE, env=environment(MUSTER_DATA=str(server.data)))
        assert done.returncode == 0, done.stdout + done.stderr
        yield done.stdout


def test_every_command_works(said):
    assert "pipeline uptime is created" in said
    assert r'declare \"uptime\" {' in said and '"hash":"' in said
    assert said.count("\nweb-01 ") == 2


def test_the_text_in_the_guide_is_the_one_that_comes(said):
    shown = re.search(r"^```alloy\n(// muster.*?)^```", GUIDE, re.S | re.M)[1]
    for line in shown.splitlines():
        if line.strip() and "..." not in line:
            assert line.strip().replace('"', '\\"') in said, line
