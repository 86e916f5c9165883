# SPDX-License-Identifier: Apache-2.0
"""Clients from npm against the engine, at the versions that node/package-lock.json pins. They are
installed below build/ once, and again when the lock changes."""
import fcntl
import json
import shutil
import subprocess

import pytest

from harness import ROOT, environment
from rpcclient import DESCRIPTORS, EchoServer

SOURCE = ROOT / "tests/node"
PLACE = ROOT / "build/node"
PATIENCE = 600  # seconds; of npm and of sanitizers


def installed():
    """The folder with the scripts and what they need."""
    PLACE.mkdir(parents=True, exist_ok=True)
    with open(PLACE / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of test runs side by side
        for file in SOURCE.iterdir():
            there = PLACE / file.name
            if not there.exists() or there.read_bytes() != file.read_bytes():  # one may be running
                shutil.copyfile(file, there)
        stamp = PLACE / ".installed"
        wanted = (SOURCE / "package-lock.json").read_text()
        if not stamp.exists() or stamp.read_text() != wanted:
            done = subprocess.run(["npm", "ci"], cwd=PLACE, capture_output=True, text=True,
                                  timeout=PATIENCE, stdin=subprocess.DEVNULL)
            assert done.returncode == 0, done.stdout + done.stderr
            stamp.write_text(wanted)
    return PLACE


def checked(script, checks, **more):
    """Runs a script and looks at what it tells of its checks."""
    done = subprocess.run(
        ["node", *script.split()], cwd=installed(), capture_output=True, text=True,
        timeout=PATIENCE, stdin=subprocess.DEVNULL,
        env=environment(ECHO_DESCRIPTORS=str(DESCRIPTORS), **more))
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    failed = [f"{r['name']}: {r['error']}" for r in results if r["error"]]
    assert not failed, f"{len(failed)} of {len(results)}:\n" + "\n".join(failed[:10])
    assert len(results) >= checks


@pytest.fixture(scope="module")
def echo(tmp_path_factory, certificates):
    with EchoServer(tmp_path_factory.mktemp("node"), certificates, "--gzip-min", 1) as server:
        yield server


@pytest.mark.parametrize("script, checks", [
    ("connect.mjs connect", 128), ("connect.mjs grpc", 64), ("connect.mjs grpc-web", 112),
    ("grpc.mjs", 36)])
def test_clients_from_npm(echo, script, checks):
    checked(script, checks, ECHO_PORT=str(echo.port), ECHO_TLS_PORT=str(echo.tls_port),
            ECHO_CA=str(echo.certificates.ca))


FLEET_PROTOS = ["muster/options.proto", "collector/v1/collector.proto",
                "pipeline/v1/pipeline.proto", "tenant/v1/tenant.proto"]


@pytest.fixture(scope="module")
def generated():
    """Code that protoc-gen-es makes of the fleet's .proto files, beside the scripts."""
    place = installed() / "gen"
    stamp = place / ".made"
    wanted = "".join((ROOT / "proto" / name).read_text() for name in FLEET_PROTOS)
    wanted += (SOURCE / "package-lock.json").read_text()
    with open(PLACE / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        place.mkdir(exist_ok=True)
        subprocess.run(["protoc", f"--plugin={PLACE}/node_modules/.bin/protoc-gen-es",
                        f"--es_out={place}", "--es_opt=target=js",
                        "--es_opt=import_extension=js", f"-I{ROOT}/proto", "-I/usr/include",
                        *FLEET_PROTOS], check=True)
        stamp.write_text(wanted)


@pytest.mark.parametrize("protocol, checks", [("connect", 208), ("grpc", 104), ("grpc-web", 208)])
def test_generated_code_drives_the_fleet(fleet, certificates, generated, protocol, checks):
    checked(f"fleet.mjs {protocol}", checks, ECHO_PORT=str(fleet.server.port()),
            ECHO_TLS_PORT=str(fleet.server.port("https")), ECHO_CA=str(certificates.ca),
            FLEET_TENANT=fleet.tenant, FLEET_TOKEN=fleet.token, FLEET_AGENT=fleet.key("agent"))


def test_the_lock_names_no_registry():
    lock = json.loads((SOURCE / "package-lock.json").read_text())
    assert not [n for n, p in lock["packages"].items() if "resolved" in p]
    assert all(p.get("integrity") for n, p in lock["packages"].items() if n)
    for name, version in lock["packages"][""]["dependencies"].items():
        assert version == lock["packages"]["node_modules/" + name]["version"], name
