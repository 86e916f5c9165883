# SPDX-License-Identifier: Apache-2.0
"""The vendor's own Python SDK, at the version that python/requirements.txt pins. It is installed
below build/ once, and again when that changes."""
import fcntl
import shutil
import subprocess
import sys

from harness import ROOT, environment

SOURCE = ROOT / "tests/python"
PLACE = ROOT / "build/python"
PATIENCE = 600  # seconds; of pip and of sanitizers


def installed():
    """The folder to import from."""
    PLACE.mkdir(parents=True, exist_ok=True)
    with open(PLACE / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of test runs side by side
        wanted, stamp = (SOURCE / "requirements.txt").read_text(), PLACE / ".installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(PLACE / "site", ignore_errors=True)
            done = subprocess.run(
                [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps",
                 "--require-hashes", "--disable-pip-version-check", "--target", PLACE / "site",
                 "-r", SOURCE / "requirements.txt"],
                capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
            assert done.returncode == 0, done.stdout + done.stderr
            stamp.write_text(wanted)
    return PLACE / "site"


def test_the_vendors_sdk(sumo, tmp_path):
    # The URL of a source is what the client called, and this one calls by number.
    done = subprocess.run(
        [sys.executable, "-B", SOURCE / "sdk.py"], cwd=tmp_path, capture_output=True, text=True,
        timeout=PATIENCE, stdin=subprocess.DEVNULL,
        env=environment(PYTHONPATH=str(installed()), SUMO_ID=sumo.access_id,
                        SUMO_KEY=sumo.access_key, SUMO_URL=sumo.server.url() + "/api"))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 35
