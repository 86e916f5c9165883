# SPDX-License-Identifier: Apache-2.0
"""A disk that is full, and one whose sync fails, by way of diskfault.c preloaded into the server.
What was acknowledged is there afterwards; what was not is not there by half."""
import os
import threading

import pytest

from h2client import H2
from harness import BUILD, PATIENCE, Closed, Server, run, wait_for

SHIM = BUILD / "tests/diskfault.so"
EXIT_DISK = 7


class Disk:
    """A server on a disk that can be filled and broken."""

    def __init__(self, folder, exit_code=0):
        assert SHIM.exists(), f"{SHIM} is not built"
        self.full = folder / "disk-is-full"
        self.broken = folder / "sync-fails"
        asan = os.environ.get("ASAN_OPTIONS", "")
        self.server = Server(folder, exit_code=exit_code, env={
            "LD_PRELOAD": str(SHIM), "DISKFAULT_DIR": str(folder / "data"),
            "DISKFAULT_FULL": str(self.full), "DISKFAULT_SYNC": str(self.broken),
            # The shim has to come before the sanitizer's own library.
            "ASAN_OPTIONS": ":".join(filter(None, [asan, "verify_asan_link_order=0"]))})

    def start_again(self):
        """On a disk that works, without the shim."""
        return Server(self.server.folder)


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path)
    with made.server:
        yield made


def create(wire, token, name):
    return wire.request("POST", "/admin/v1/tenants", {"name": name}, token)


def names(server):
    """Every tenant there is."""
    found, after = set(), ""
    with server.connect() as wire:
        while True:
            page = wire.request("GET", f"/admin/v1/tenants?limit=1000{after}",
                                token=server.token()).json()
            found |= {t["name"] for t in page["tenants"]}
            if "next_page_token" not in page:
                return found
            after = f"&page_token={page['next_page_token']}"


def test_the_shim_is_in_the_way(disk):
    with disk.server.connect() as wire:
        assert create(wire, disk.server.token(), "before").status == 201
        disk.full.touch()
        assert create(wire, disk.server.token(), "during").status == 503


def test_a_full_disk_refuses_writes_and_serves_reads(disk):
    server, token = disk.server, disk.server.token()
    with server.connect() as wire:
        assert create(wire, token, "before").status == 201
        disk.full.touch()
        refused = create(wire, token, "during")
        assert refused.status == 503, refused
        assert refused.json()["error"]["code"] == "unavailable"
        assert "retry-after" in refused.fields
        assert wire.request("GET", "/admin/v1/tenants/before", token=token).status == 200
        assert wire.request("GET", "/admin/v1/tenants/during", token=token).status == 404
        assert wire.request("GET", "/admin/v1/whoami", token=token).status == 200
        assert wire.request("GET", "/livez").status == 200
        assert server.process.poll() is None


def test_readiness_names_a_full_disk_and_writes_resume_without_a_restart(disk):
    server, token = disk.server, disk.server.token()
    with server.connect() as wire:
        disk.full.touch()
        assert create(wire, token, "during").status == 503
        ready = wait_for("readiness to turn", lambda: (
            lambda a: a if a.status == 503 else None)(wire.request("GET", "/readyz?verbose")))
        assert b"[-]" in ready.body
        disk.full.unlink()
        assert create(wire, token, "after").status == 201
        assert wire.request("GET", "/readyz").status == 200
        assert create(wire, token, "during").status == 201
    assert names(server) == {"default", "during", "after"}


def test_every_way_of_writing_is_refused(disk):
    server, token = disk.server, disk.server.token()
    with H2(server.port()) as client:
        made = client.request("POST", "/admin/v1/keys", {"label": "x"}, token).json()
        disk.full.touch()
        assert client.request("POST", "/admin/v1/keys", {"label": "y"}, token).status == 503
        assert client.request("DELETE", f"/admin/v1/keys/{made['id']}", token=token).status == 503
        assert client.request("DELETE", "/admin/v1/tenants/default", token=token).status >= 400
        # The key that could not be revoked still works; the one not made does not exist.
        assert client.request("GET", "/admin/v1/whoami", token=made["token"]).status == 200
        listed = client.request("GET", "/admin/v1/keys", token=token).json()["keys"]
        assert [k["label"] for k in listed if k["label"] in ("x", "y")] == ["x"]
    done = server.cli("tenant", "create", "by-hand")
    assert done.returncode == 1 and done.stdout == "", done
    disk.full.unlink()
    server.cli("tenant", "create", "by-hand", check=0)


def test_nothing_acknowledged_is_lost_while_the_disk_fills_and_empties(tmp_path):
    disk = Disk(tmp_path)
    server = disk.server.start()
    token = server.token()
    acknowledged, refused, over = set(), set(), threading.Event()

    def write(worker):
        with server.connect() as wire:
            i = 0
            while not over.is_set():
                name = f"t{worker}-{i}"
                i += 1
                status = create(wire, token, name).status
                (acknowledged if status == 201 else refused).add(name)
                assert status in (201, 503), status

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        seen = len(acknowledged), len(refused)
        wait_for("writes to go through", lambda: len(acknowledged) > seen[0] + 20)
        disk.full.touch()
        wait_for("writes to be refused", lambda: len(refused) > seen[1] + 20)
        disk.full.unlink()
    over.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert names(server) == acknowledged | {"default"}
    server.kill()  # what was acknowledged is on the disk, not in the process
    with disk.start_again() as again:
        assert names(again) == acknowledged | {"default"}
        again.cli("check", check=0)
    run("check", tmp_path / "data/muster.db", check=0)


def test_a_failed_sync_is_never_a_success_and_stops_the_process(tmp_path):
    disk = Disk(tmp_path, exit_code=EXIT_DISK)
    server = disk.server.start()
    token = server.token()
    with server.connect() as wire:
        assert create(wire, token, "before").status == 201
        disk.broken.touch()
        try:
            assert create(wire, token, "during").status >= 500
        except Closed:
            pass
    assert server.process.wait(PATIENCE) == EXIT_DISK
    server.stop()
    assert "sync" in server.log()
    with disk.start_again() as again:
        assert "before" in names(again)
    run("check", tmp_path / "data/muster.db", check=0)


def test_a_disk_that_is_full_at_the_first_start(tmp_path):
    disk = Disk(tmp_path)
    disk.full.touch()
    server = disk.server.spawn()
    assert server.process.wait(PATIENCE) in (1, 6, EXIT_DISK)
    server.check_log()
    assert not (server.data / "first-credentials.json").exists()
    with disk.start_again() as again:  # and the next start does it all again
        assert again.request("GET", "/admin/v1/whoami").status == 200
