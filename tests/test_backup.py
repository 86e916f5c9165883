# SPDX-License-Identifier: Apache-2.0
"""Backups and checks of all that a server keeps: a copy that is taken while everything changes can
be started from, and each kind of damage, to rows, builds or received data, is told."""
import fcntl
import hashlib
import http.server
import json
import os
import shutil
import sqlite3
import threading

import pytest

from harness import Server, run, wait_for
from listener import Listener
from sumo.client import Sumo
from test_sumo_receiver import Door
from test_sumo_upgrades import add, content

OK, LOCKED, CORRUPT, NOT_WRITABLE, UNREACHABLE, NOT_FOUND, PROBLEMS = 0, 3, 5, 6, 10, 12, 15
STUCK = "received=http://127.0.0.1:1/nobody"  # a sink that delivers nothing: all of it waits
SMALL = ("--spool-segment-bytes", "65536")


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def restore(backup, master_key, folder):
    """As docs/operations.md has it."""
    shutil.copytree(backup, folder / "data")
    shutil.copy(master_key, folder / "data/master.key")
    return folder


def once_more(server, *flags):
    """A new process on the same directory."""
    return Server(server.folder, *(flags or server.flags))


def fetch(server, digest):
    return server.request("GET", f"/muster/v1/builds/{digest}")


def findings(*arguments):
    """What a check tells of data that has problems, both ways of output."""
    told = run("check", *arguments, check=PROBLEMS)
    assert "problems" in told.stderr
    found = json.loads(run("check", *arguments, "--output", "json", check=PROBLEMS).stdout)
    assert found["clean"] is False
    assert [l for l in told.stdout.splitlines() if not l.startswith("note: ")] == found["findings"]
    return found["findings"]


def notes(*arguments):
    found = json.loads(run("check", *arguments, "--output", "json", check=OK).stdout)
    assert found["clean"] is True and found["findings"] == []
    return found["notes"]


@pytest.fixture
def kept(tmp_path):
    """A stopped server's directory with two builds and several segments that wait for a sink."""
    with Server(tmp_path / "kept", "--sink-targets", STUCK, *SMALL) as server:
        add(server, "v1.0", "linux/amd64")
        add(server, "v2.0", "linux/amd64")
        with Sumo(server) as sumo:
            door = Door(sumo)
            for i in range(10):
                door.give(b"%d " % i + b"x" * 20000)
        server.cli("check", check=OK)
    run("check", server.data, check=OK)
    return server


# --- a backup


def test_a_backup_has_what_was_there(server, tmp_path):
    add(server, "v1.0", "linux/amd64")
    digest = sha256(content("v1.0", "linux/amd64"))
    copy = tmp_path / "nightly"
    done = server.cli("backup", copy, check=OK)
    assert str(copy) in done.stdout and "1 builds" in done.stdout
    assert names(copy) == ["builds", f"builds/{digest}", "muster.db"]
    assert copy.stat().st_mode & 0o777 == 0o700
    assert all(p.stat().st_mode & 0o077 == 0 for p in copy.rglob("*"))
    assert sha256((copy / "builds" / digest).read_bytes()) == digest
    assert "fine" in run("check", copy, check=OK).stdout
    assert "fine" in run("check", copy / "muster.db", check=OK).stdout


def test_a_second_backup_fetches_what_is_new_and_drops_what_is_gone(server, tmp_path):
    copy = tmp_path / "nightly"
    add(server, "v1.0", "linux/amd64")
    add(server, "v2.0", "linux/amd64")
    server.cli("backup", copy, check=OK)
    before = files(copy)
    stays = copy / "builds" / sha256(content("v1.0", "linux/amd64"))
    node = stays.stat().st_ino

    assert "--force" in server.cli("backup", copy, check=NOT_WRITABLE).stderr
    assert files(copy) == before
    server.cli("builds", "remove", "v2.0", "--platform", "linux/amd64", check=OK)
    add(server, "v3.0", "linux/amd64")
    server.cli("backup", "--force", copy, check=OK)
    assert stays.stat().st_ino == node  # it was not sent again
    assert names(copy) == sorted(["builds", "muster.db"] + [
        "builds/" + sha256(content(v, "linux/amd64")) for v in ("v1.0", "v3.0")])
    assert notes(copy) == []


def test_a_damaged_build_in_a_backup_is_fetched_again(server, tmp_path):
    copy = tmp_path / "nightly"
    add(server, "v1.0", "linux/amd64")
    server.cli("backup", copy, check=OK)
    file, = (copy / "builds").iterdir()
    file.write_bytes(b"rot")
    assert "bytes instead of" in findings(copy)[0]
    server.cli("backup", "--force", copy, check=OK)
    assert file.read_bytes() == content("v1.0", "linux/amd64")
    assert notes(copy) == []


def test_a_build_that_is_damaged_on_the_server_does_not_stop_a_backup(server, tmp_path):
    add(server, "v1.0", "linux/amd64")
    add(server, "v2.0", "linux/amd64")
    good, bad = (sha256(content(v, "linux/amd64")) for v in ("v1.0", "v2.0"))
    (server.data / "builds" / bad).unlink()
    done = server.cli("backup", tmp_path / "copy", check=PROBLEMS)
    assert f"build v2.0 for linux/amd64: its file builds/{bad} is missing" in done.stdout
    assert names(tmp_path / "copy") == ["builds", f"builds/{good}", "muster.db"]
    assert bad in findings(tmp_path / "copy")[0]


def test_a_backup_goes_where_nothing_else_is(server, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letter.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    server.cli("backup", "--force", tmp_path / "home", check=NOT_WRITABLE)
    server.cli("backup", "--force", tmp_path / "file", check=NOT_WRITABLE)
    server.cli("backup", tmp_path / "no/such/folder", check=NOT_WRITABLE)
    assert names(tmp_path / "home") == ["letter.txt"]
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    server.cli("backup", tmp_path / "empty", check=OK)
    assert names(tmp_path / "empty") == ["muster.db"]


@pytest.mark.parametrize("made", [False, True], ids=["a-new-one", "one-that-is-there"])
def test_builds_that_lie_elsewhere_are_not_touched(server, tmp_path, made):
    """What belongs to no build is removed from a backup: not from where a link leads."""
    copy, others = tmp_path / "copy", tmp_path / "others"
    copy.mkdir()
    others.mkdir()
    (others / ("0" * 64)).write_text("mine")
    add(server, "v1.0", "linux/amd64")
    if made:
        server.cli("backup", copy, check=OK)
        shutil.rmtree(copy / "builds")
    (copy / "builds").symlink_to(others)
    before = names(copy)
    done = server.cli("backup", "--force", copy, check=NOT_WRITABLE)
    assert "builds" in done.stderr
    assert names(others) == ["0" * 64] and names(copy) == before


def test_a_data_directory_is_never_overwritten(server, kept):
    before = names(server.data)
    done = server.cli("backup", "--force", server.data, check=LOCKED)
    assert "somewhere else" in done.stderr
    assert names(server.data) == before
    before = files(kept.data)
    done = server.cli("backup", "--force", kept.data, check=NOT_WRITABLE)
    assert "data directory" in done.stderr
    assert files(kept.data) == before


def test_a_restored_directory_is_no_backup_any_more(server, tmp_path):
    server.cli("backup", tmp_path / "copy", check=OK)
    shutil.copy(server.data / "master.key", tmp_path / "copy")
    server.cli("backup", "--force", tmp_path / "copy", check=NOT_WRITABLE)


def test_a_backup_over_the_network(server, tmp_path):
    add(server, "v1.0", "linux/amd64")
    where = ("--server", server.url())
    key = server.request("POST", "/admin/v1/keys", {
        "role": "admin", "scopes": ["server", "collectors:read"]}).json()["token"]
    run("backup", tmp_path / "copy", *where, env={"MUSTER_KEY": key}, check=OK)
    assert notes(tmp_path / "copy") == []
    viewer = server.request("POST", "/admin/v1/keys", {"role": "viewer"}).json()["token"]
    run("backup", tmp_path / "other", *where, env={"MUSTER_KEY": viewer}, check=11)
    assert not (tmp_path / "other").exists()


def test_two_backups_do_not_share_a_directory(server, tmp_path):
    (tmp_path / "copy").mkdir()
    held = os.open(tmp_path / "copy", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    assert "another backup" in server.cli("backup", tmp_path / "copy", check=LOCKED).stderr
    os.close(held)
    server.cli("backup", tmp_path / "copy", check=OK)


class Scripted(Listener):
    """In the place of a server: answers each path with the bodies it is given, in their order, the
    last one again and again. None: there is no such thing. A pair: breaks off after these bytes of
    so many."""

    def __init__(self):
        self.bodies = {}
        self.asked = []

    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def handler(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                bodies = outer.bodies[self.path]
                body = bodies.pop(0) if len(bodies) > 1 else bodies[0]
                data, length = body if isinstance(body, tuple) else (body or b"", None)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(length or len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_GET

        return Handler

    def backup(self, folder, check, *more):
        return run("backup", folder, "--server", self.url(), "--key", "x", *more, check=check)


@pytest.fixture
def snapshots(server, tmp_path):
    """Databases with no build, with one, and with another one."""
    def taken(name):
        server.cli("backup", tmp_path / name, check=OK)
        return (tmp_path / name / "muster.db").read_bytes()
    none = taken("none")
    add(server, "v1.0", "linux/amd64")
    one = taken("one")
    server.cli("builds", "remove", "v1.0", "--platform", "linux/amd64", check=OK)
    add(server, "v2.0", "linux/amd64")
    return none, one, taken("other")


def url_of(version):
    return "/muster/v1/builds/" + sha256(content(version, "linux/amd64"))


def test_a_build_that_goes_away_meanwhile_is_not_missed(snapshots, tmp_path):
    none, one, _ = snapshots
    with Scripted() as server:
        server.bodies = {"/admin/v1/backup": [one, none], url_of("v1.0"): [None]}
        server.backup(tmp_path / "copy", OK)
        assert server.asked == ["/admin/v1/backup", url_of("v1.0"), "/admin/v1/backup"]
    assert (tmp_path / "copy/muster.db").read_bytes() == none
    assert notes(tmp_path / "copy") == []


def test_builds_that_go_away_again_and_again_are_not_missed(snapshots, tmp_path):
    none, one, other = snapshots
    with Scripted() as server:
        server.bodies = {"/admin/v1/backup": [one, other, one, other, none],
                         url_of("v1.0"): [None], url_of("v2.0"): [None]}
        server.backup(tmp_path / "copy", OK)
    assert (tmp_path / "copy/muster.db").read_bytes() == none


def test_a_build_without_its_file_is_not_waited_for(snapshots, tmp_path):
    _, one, _ = snapshots
    with Scripted() as server:
        server.bodies = {"/admin/v1/backup": [one], url_of("v1.0"): [None]}
        assert "is missing" in server.backup(tmp_path / "copy", PROBLEMS).stdout
        assert server.asked.count("/admin/v1/backup") == 2


@pytest.mark.parametrize("what", ["database", "build"])
def test_a_backup_that_breaks_off_leaves_the_old_one(snapshots, tmp_path, what):
    _, one, other = snapshots
    with Scripted() as server:
        server.bodies = {"/admin/v1/backup": [one],
                         url_of("v1.0"): [content("v1.0", "linux/amd64")],
                         url_of("v2.0"): [(b"half", 320000)]}
        server.backup(tmp_path / "copy", OK)
        before = files(tmp_path / "copy")
        server.bodies["/admin/v1/backup"] = \
            [(other[:5000], len(other))] if what == "database" else [other]
        server.backup(tmp_path / "copy", UNREACHABLE, "--force")
        assert files(tmp_path / "copy") == before
        assert notes(tmp_path / "copy") == []
        server.backup(tmp_path / "new", UNREACHABLE)
        assert not (tmp_path / "new").exists()


def test_what_is_no_database_is_no_backup(snapshots, tmp_path):
    with Scripted() as server:
        server.bodies = {"/admin/v1/backup": [b"something else " * 1000]}
        server.backup(tmp_path / "copy", CORRUPT)
        assert not (tmp_path / "copy").exists()
        server.bodies = {"/admin/v1/backup": [None]}
        assert "is it a Muster server" in server.backup(tmp_path / "copy", NOT_FOUND).stderr


def test_a_build_that_comes_damaged_is_told(snapshots, tmp_path):
    _, one, _ = snapshots
    with Scripted() as server:
        server.bodies = {"/admin/v1/backup": [one], url_of("v1.0"): [b"rot"]}
        done = server.backup(tmp_path / "copy", PROBLEMS)
        assert "has 3 bytes instead of 320000" in done.stdout


# --- under load, and restored


def test_a_backup_under_load_can_be_started_from(tmp_path):
    """Sources, data and builds come while the copies are made. Whatever was acknowledged before a
    backup began is in it."""
    with Server(tmp_path / "first", *SMALL, "--rate-sumologic-key-per-minute", "0") as server:
        add(server, "v1.0", "linux/amd64")
        stop = threading.Event()

        def data(door):
            while not stop.is_set():
                door.give(b"x" * 2000)

        def builds(n=0):
            while not stop.is_set():
                add(server, f"v2.{n}", "linux/amd64")
                server.cli("builds", "remove", f"v2.{n}", "--platform", "linux/amd64", check=OK)
                n += 1

        with Sumo(server) as sumo, Sumo(server) as other:
            kept = sumo.create("kept before")
            work = [threading.Thread(target=data, args=(Door(other),)),
                    threading.Thread(target=builds)]
            for thread in work:
                thread.start()
            try:
                for i in range(3):
                    sumo.create(f"before {i}")
                    server.cli("backup", "--force", tmp_path / "nightly", check=OK)
                    server.cli("check", check=OK)
            finally:
                stop.set()
                for thread in work:
                    thread.join()
        run("check", tmp_path / "nightly", check=OK)
        digest = sha256(content("v1.0", "linux/amd64"))
        restored = restore(tmp_path / "nightly", server.data / "master.key", tmp_path / "second")
        token, sumo_token, tenant = server.token(), sumo.token, sumo.tenant

    with Server(restored) as again:
        again.token = lambda: token
        answer = fetch(again, digest)
        assert answer.status == 200 and sha256(answer.body) == digest
        with Sumo(again, tenant, sumo_token) as sumo:
            found = sumo.get(f"/collectors/{kept['id']}")["collector"]
            assert found["name"] == "kept before"
            assert sumo.get("/collectors/name/before%202")
            door = Door(sumo)  # with a spool that begins again
            door.give(b"after the restore")
            assert door.one()["data"] == "after the restore"
        again.cli("check", check=OK)
    assert notes(again.data) == []


# --- restored beside what is there


def test_data_that_waits_outlives_its_source(kept, tmp_path):
    """An older database beside a newer spool: what was acknowledged is delivered all the same."""
    (kept.data / "muster.db").unlink()
    with once_more(kept, *SMALL):
        file = kept.data / "received.ndjson"
        wait_for("records", lambda: file.exists() and file.read_bytes().count(b"\n") == 10)
        assert [json.loads(l)["data"][0] for l in file.read_text().splitlines()] == \
            list("0123456789")
    assert notes(kept.data) == []


def test_sources_go_on_with_an_empty_spool(tmp_path):
    with Server(tmp_path) as server:
        with Sumo(server) as sumo:
            door = Door(sumo)
            door.give(b"first")
            door.wait()
    shutil.rmtree(server.data / "spool")
    with once_more(server) as again:
        with Sumo(again, sumo.tenant, sumo.token) as sumo:
            door.sumo = sumo
            door.give(b"second")
            assert [r["data"] for r in door.wait(2)] == ["first", "second"]
        again.cli("check", check=OK)


# --- damage


def segments(server):
    found = sorted((server.data / "spool").glob("*.seg"))
    assert len(found) > 2
    return found


def flip(file, at):
    with file.open("r+b") as data:  # in its place: a server that reads on never sees a short file
        data.seek(at)
        byte = data.read(1)[0]
        data.seek(at)
        data.write(bytes([byte ^ 1]))


def in_the_spool(server):
    first = segments(server)[0]
    flip(first, 1000)
    return f"spool/{first.name} is damaged at byte"


def cut_in_the_spool(server):
    first = segments(server)[0]
    with first.open("r+b") as file:
        file.truncate(1000)
    return f"spool/{first.name}"


def segment_gone(server):
    second = segments(server)[1]
    second.unlink()
    return "what was between is missing"


def cursor_broken(server):
    flip(server.data / "spool/received.cursor", 15)
    return "spool/received.cursor is damaged"


def build_of(server, version):
    return server.data / "builds" / sha256(content(version, "linux/amd64"))


def build_gone(server):
    build_of(server, "v1.0").unlink()
    return "build v1.0 for linux/amd64: its file"


def build_cut(server):
    file = build_of(server, "v1.0")
    file.write_bytes(file.read_bytes()[:-1])
    return "has 319999 bytes instead of 320000"


def build_changed(server):
    flip(build_of(server, "v2.0"), 7)
    return "build v2.0 for linux/amd64: its file"


def row_gone(server):
    database = sqlite3.connect(server.data / "muster.db")
    database.execute("pragma foreign_keys = off")
    database.execute("delete from tenants where name = 'default'")
    database.commit()
    database.close()
    return "tenant"


DAMAGE = [in_the_spool, cut_in_the_spool, segment_gone, cursor_broken, build_gone, build_cut,
          build_changed, row_gone]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda d: d.__name__)
def test_damage_is_told(kept, damage):
    told = damage(kept)
    assert any(told in line for line in findings(kept.data)), findings(kept.data)


def deliveries_that_failed(server):
    return sum(line["msg"] == "a sink could not deliver; it will try again"
               for line in server.lines())


@pytest.mark.parametrize("damage", [in_the_spool, cut_in_the_spool, build_gone, build_changed],
                         ids=lambda d: d.__name__)
def test_a_running_server_tells_damage(kept, damage):
    before = deliveries_that_failed(kept)  # the log is that of both processes
    with once_more(kept) as server:
        # From then on the sink has what it would read next: it gives up no file that is damaged.
        wait_for("a delivery to fail", lambda: deliveries_that_failed(server) > before)
        told = damage(server)
        assert any(told in line for line in findings("--data", server.data))
        assert server.request("GET", "/livez").status == 200


def test_a_check_changes_nothing(kept):
    in_the_spool(kept)
    build_gone(kept)
    before = files(kept.data)
    findings(kept.data)
    assert files(kept.data) == before


def test_files_that_belong_to_no_build_are_noted(kept):
    orphan = kept.data / "builds" / ("0" * 64)
    orphan.write_bytes(b"left")
    assert notes(kept.data) == [
        f"builds/{'0' * 64} belongs to no build; the next start removes it"]
    assert "note: builds/0000" in run("check", kept.data, check=OK).stdout
    with once_more(kept):
        assert not orphan.exists()


def test_after_a_kill_the_data_is_fine(tmp_path):
    with Server(tmp_path, "--sink-targets", STUCK) as server:
        add(server, "v1.0", "linux/amd64")
        with Sumo(server) as sumo:
            door = Door(sumo)
            for _ in range(20):
                door.give(b"x" * 100)
            server.kill()
            assert notes(server.data) == []
            server.start()


def test_a_torn_end_is_a_note(kept):
    last = segments(kept)[-1]
    with last.open("ab") as file:
        file.write(b"half a record")
    assert ["torn" in n for n in notes(kept.data)] == [True]


def test_what_a_check_tells_does_not_speak_to_the_terminal():
    lines = ["\x1b]0;ours\x07 is damaged", "fine\x7f"]
    with Scripted() as other:
        other.bodies["/admin/v1/check"] = [json.dumps({
            "clean": False, "findings": lines[:1], "notes": lines[1:]}).encode()]
        told = run("check", "--server", other.url(), "--key", "x", check=PROBLEMS)
    assert told.stdout == "?]0;ours? is damaged\nnote: fine?\n"


def test_check_of_a_directory_in_use_says_how_to_ask(server):
    done = run("check", server.data, check=LOCKED)
    assert "--data" in done.stderr


def test_check_of_a_directory_that_is_none_of_ours(tmp_path):
    done = run("check", tmp_path, check=NOT_FOUND)
    assert "muster.db" in done.stderr
