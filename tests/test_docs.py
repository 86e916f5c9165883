# SPDX-License-Identifier: Apache-2.0
"""Every command that README and docs show is run as it stands, but for the URL and the binary."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ["README.md", "docs/operations.md", "docs/sumologic.md", "docs/upgrades.md"]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.S | re.M)
FILE = re.compile(r"^```conf\n(.*?)^```", re.S | re.M)
# The server takes every MUSTER_ variable for configuration; these are the tests' own.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("MUSTER_")}
BINARY = os.environ.get("MUSTER_BIN", str(ROOT / "build/release/muster"))


def blocks(page):
    return BLOCK.findall((ROOT / page).read_text())


def urls(value):
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from urls(inner)


@pytest.fixture
def started(tmp_path):
    """The server as `./dev run` starts it; under a sanitizer, the same command without the build."""
    command = [str(ROOT / "dev"), "run"] if "build/release" in BINARY else [BINARY, "serve"]
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen([*command, "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0"],
                               stdout=log, stderr=log, env=ENVIRONMENT)
    endpoints = tmp_path / "data/endpoints.json"
    deadline = time.monotonic() + 120
    while not (endpoints.exists() and endpoints.stat().st_size):
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < deadline, "the server did not come up"
        time.sleep(0.02)
    found = [u for u in urls(json.loads(endpoints.read_text())) if u.startswith("http://")]
    yield tmp_path, found[0].rstrip("/")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


@pytest.mark.parametrize("page", PAGES)
def test_every_command_shown_works(page, started):
    folder, url = started
    script = "".join(b for b in blocks(page) if not b.startswith("./dev run"))
    assert script, f"{page} shows no command"
    script = script.replace("http://127.0.0.1:8080", url).replace("build/release/muster", BINARY)
    done = subprocess.run(["bash", "-c", "set -euo pipefail\nshopt -s expand_aliases\n" + script],
                          cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{script}\n--\n{done.stdout}\n--\n{done.stderr}"


@pytest.mark.parametrize("text", [pytest.param(text, id=f"{page} {n}")
                                  for page in sorted(p.relative_to(ROOT) for p in ROOT.glob("docs/*.md"))
                                  for n, text in enumerate(FILE.findall((ROOT / page).read_text()))])
def test_every_configuration_shown_is_accepted(text, tmp_path):
    (tmp_path / "muster.conf").write_text(text)
    done = subprocess.run([BINARY, "config", "check", "--config", "muster.conf"], cwd=tmp_path,
                          env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_readme_begins_with_the_one_command():
    assert blocks("README.md")[0].strip() == "./dev run"


def headings(page):
    """As web pages name them: small letters, dashes for blanks, nothing else but words."""
    return [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.*)$", page.read_text(), re.M)]


def test_links_between_pages_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target, heading in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
            leads_to = page.parent / target if target else page
            assert leads_to.exists(), f"{page.name} links to {target}"
            assert not heading or heading in headings(leads_to), f"{page.name}: no #{heading}"
