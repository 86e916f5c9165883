# SPDX-License-Identifier: Apache-2.0
"""The operator's commands against a running server: by its data directory and by its address."""
import json
import re
import socket
import sqlite3
import subprocess
import threading

import pytest

from harness import BINARY, Server, environment, run

OK, FAILURE, USAGE, LOCKED, NEWER, CORRUPT, NOT_WRITABLE = range(7)
UNREACHABLE, DENIED, NOT_FOUND, CONFLICT, REFUSED, PROBLEMS = 10, 11, 12, 13, 14, 15


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("cli")) as started:
        yield started


@pytest.fixture(params=["admin socket", "address and key", "environment"])
def muster(request, server):
    """Runs a command by each of the ways to find the server."""
    def call(*arguments, check=None):
        env = {}
        more = ["--data", str(server.data)]
        if request.param == "address and key":
            more = ["--server", server.url(), "--key", server.token()]
        elif request.param == "environment":
            more, env = [], {"MUSTER_SERVER": server.url(), "MUSTER_KEY": server.token()}
        return run(*arguments, *more, env=env, check=check, cwd=server.folder)
    call.way = request.param.split()[0]
    return call


def table(text):
    """Rows of a printed table as dictionaries."""
    lines = text.splitlines()
    starts = [m.start() for m in re.finditer(r"(?<!\S)\S+( \S+)*", lines[0])]
    cut = [slice(a, b) for a, b in zip(starts, [*starts[1:], None])]
    titles = [lines[0][c].strip() for c in cut]
    return [dict(zip(titles, (line[c].strip() for c in cut))) for line in lines[1:]]


# -- keys


def test_a_key_is_made_listed_used_and_revoked(muster, server):
    made = json.loads(muster("key", "create", "--label", "edge", "--role", "editor",
                             "--output", "json", check=OK).stdout)
    assert made["label"] == "edge" and made["role"] == "editor"
    assert made["token"] == f"mst_{made['id']}_{made['secret']}"
    who = server.request("GET", "/admin/v1/whoami", token=made["token"]).json()
    assert who == {"tenant": "default", "key": made["id"], "role": "editor"}

    listed = json.loads(muster("key", "list", "--output", "json", check=OK).stdout)["keys"]
    mine = next(k for k in listed if k["id"] == made["id"])
    assert mine["revoked"] is None and "secret" not in mine and "token" not in mine

    done = muster("key", "revoke", made["id"], check=OK)
    assert made["id"] in done.stdout
    assert server.request("GET", "/admin/v1/whoami", token=made["token"]).status == 401
    listed = json.loads(muster("key", "list", "--output", "json", check=OK).stdout)["keys"]
    assert next(k for k in listed if k["id"] == made["id"])["revoked"]
    muster("key", "revoke", made["id"], check=OK)  # again is fine


def test_a_key_as_a_table(muster):
    done = muster("key", "create", "--label", "on paper", check=OK)
    shown = dict(line.split(None, 1) for line in done.stdout.splitlines() if " " in line)
    assert any(v.strip().startswith("mst_") for v in shown.values()), done.stdout
    rows = table(muster("key", "list", check=OK).stdout)
    row = next(r for r in rows if r["LABEL"] == "on paper")
    assert row["ROLE"] == "viewer" and row["TENANT"] == "default" and row["REVOKED"] == "-"
    assert "mst_" not in muster("key", "list", check=OK).stdout


def test_scopes_and_expiry(muster, server):
    made = json.loads(muster("key", "create", "--role", "editor", "--scope", "keys:read",
                             "--scope", "collectors:read", "--expires", "90d", "--output", "json",
                             ).stdout or "{}")
    if not made:  # an editor may not read keys: then the narrowing is refused as a whole
        made = json.loads(muster("key", "create", "--role", "admin", "--scope", "keys:read",
                                 "--scope", "collectors:read", "--expires", "90d",
                                 "--output", "json", check=OK).stdout)
    assert sorted(made["scopes"]) == ["collectors:read", "keys:read"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", made["expires"])
    assert server.request("GET", "/admin/v1/keys", token=made["token"]).status == 200
    assert server.request("POST", "/admin/v1/keys", {}, token=made["token"]).status == 403
    assert server.request("GET", "/admin/v1/tenants", token=made["token"]).status == 403


@pytest.mark.parametrize("arguments", [
    ["key", "create", "--role", "root"], ["key", "create", "--expires", "soon"],
    ["key", "create", "--expires", "2001-01-01T00:00:00Z"], ["key", "create", "extra"],
    ["key", "create", "--color", "red"], ["key", "create", "--output", "xml"],
    ["key", "revoke"], ["key", "revoke", "a", "b"], ["key", "revoke", ""], ["key"], ["key", "burn"],
    ["tenant"], ["tenant", "create"], ["tenant", "create", "a", "b"], ["backup"], ["nonsense"], [],
])
def test_a_mistake_is_told_before_anything_happens(server, arguments):
    more = ["--data", str(server.data)] if len(arguments) > 1 else []
    done = run(*arguments, *more, check=USAGE)
    assert done.stdout == "" and done.stderr


def test_an_unknown_flag_names_the_nearest(server):
    done = server.cli("key", "create", "--lable", "x", check=USAGE)
    assert "--label" in done.stderr


def test_a_scope_that_is_none_is_refused(muster):
    done = muster("key", "create", "--scope", "fly")
    assert done.returncode in (USAGE, REFUSED) and "fly" in done.stderr and done.stdout == ""


def test_a_key_that_is_not_there(muster):
    done = muster("key", "revoke", "nope", check=NOT_FOUND)
    assert "key" in done.stderr


# -- tenants


def test_a_tenant_is_made_listed_and_deleted(muster, server):
    name = f"lab-{muster.way}"
    made = json.loads(muster("tenant", "create", name, "--output", "json", check=OK).stdout)
    assert made["name"] == name and made["id"] > 0
    assert "already" in muster("tenant", "create", name, check=CONFLICT).stderr
    assert name in {r["NAME"] for r in table(muster("tenant", "list", check=OK).stdout)}

    key = json.loads(muster("key", "create", "--tenant", name, "--role", "admin",
                            "--output", "json", check=OK).stdout)
    assert key["tenant"] == name
    assert server.request("GET", "/admin/v1/whoami", token=key["token"]).json()["tenant"] == name
    listed = json.loads(muster("key", "list", "--tenant", name, "--output", "json",
                               check=OK).stdout)["keys"]
    assert [k["id"] for k in listed] == [key["id"]]

    muster("tenant", "delete", name, check=OK)
    assert server.request("GET", "/admin/v1/whoami", token=key["token"]).status == 401
    muster("tenant", "delete", name, check=NOT_FOUND)
    muster("key", "list", "--tenant", name, check=NOT_FOUND)


@pytest.mark.parametrize("name", ["ABC", "a b", "a/b", "-a", "x" * 64, "\u00e4", "../x"])
def test_a_name_that_is_none(muster, name):
    done = muster("tenant", "create", "--", name)
    assert done.returncode in (REFUSED, USAGE) and done.stderr and done.stdout == ""


def test_the_default_tenant_stays(muster):
    done = muster("tenant", "delete", "default")
    assert done.returncode in (CONFLICT, REFUSED) and "default" in done.stderr


def test_a_long_list_comes_whole(server):
    """More than one page."""
    with server.connect() as wire:
        for _ in range(230):
            assert wire.request("POST", "/admin/v1/keys", {"label": "many"},
                                server.token()).status == 201
    listed = json.loads(server.cli("key", "list", "--output", "json", check=OK).stdout)["keys"]
    ids = [k["id"] for k in listed]
    assert sum(k["label"] == "many" for k in listed) == 230
    assert len(ids) == len(set(ids))


# -- check of databases alone; all else is in test_backup.py


def test_the_running_server_checks_itself(muster):
    assert "fine" in muster("check", check=OK).stdout
    found = json.loads(muster("check", "--output", "json", check=OK).stdout)
    assert found["clean"] is True and found["rows"]["tenants"] >= 1


def test_check_of_a_file_in_use_says_how_to_ask(server):
    done = run("check", server.data / "muster.db")
    assert done.returncode == 3 and "--data" in done.stderr


def test_check_of_what_is_no_data_file(tmp_path):
    done = run("check", tmp_path / "none.db")
    assert done.returncode not in (OK, PROBLEMS) and "none.db" in done.stderr
    (tmp_path / "text.db").write_text("not a database\n" * 100)
    run("check", tmp_path / "text.db", check=CORRUPT)
    (tmp_path / "empty.db").write_bytes(b"")
    assert run("check", tmp_path / "empty.db").returncode != OK
    assert (tmp_path / "empty.db").stat().st_size == 0


def test_check_finds_rows_that_do_not_fit(server, tmp_path):
    server.cli("backup", tmp_path / "copy", check=OK)
    file = tmp_path / "copy/muster.db"
    database = sqlite3.connect(file)
    database.execute("pragma foreign_keys = off")
    database.execute("delete from tenants")
    database.commit()
    database.close()
    before = file.read_bytes()
    done = run("check", file, check=PROBLEMS)
    assert done.stdout and "problems" in done.stderr
    found = run("check", file, "--output", "json", check=PROBLEMS)
    assert json.loads(found.stdout)["clean"] is False
    assert file.read_bytes() == before


# -- finding the server


def test_no_server_on_the_data_directory(tmp_path):
    done = run("key", "list", "--data", tmp_path, check=UNREACHABLE)
    assert "muster serve" in done.stderr


def test_no_server_at_the_address():
    done = run("key", "list", "--server", "http://127.0.0.1:1", "--key", "x", check=UNREACHABLE)
    assert "127.0.0.1:1" in done.stderr


@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize("command", [["key", "create"], ["tenant", "create", "x"]], ids=" ".join)
def test_an_answer_that_tells_nothing_is_a_failure(command, output):
    """From a proxy, say, that swallows bodies."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def answer():
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n"
                             b"Connection: close\r\n\r\n")
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        done = run(*command, "--output", output, "--server", address, "--key", "x", check=FAILURE)
        thread.join()
    assert "Muster server" in done.stderr


def test_a_wrong_key(server):
    done = run("key", "list", "--server", server.url(), "--key", "mst_wrong", check=DENIED)
    assert "mst_wrong" not in done.stderr


def test_a_key_without_the_right(server):
    made = server.request("POST", "/admin/v1/keys", {"role": "viewer"}).json()
    run("key", "create", "--server", server.url(), "--key", made["token"], check=DENIED)
    run("tenant", "list", "--server", server.url(), "--key", made["token"], check=DENIED)


def test_an_address_needs_a_key(server):
    assert "--key" in run("key", "list", "--server", server.url(), check=USAGE).stderr


def test_one_way_at_a_time(server):
    run("key", "list", "--server", server.url(), "--data", server.data, "--key", "x", check=USAGE)
    run("key", "list", "--data", server.data, "--key", "x", check=USAGE)
    run("key", "list", "--server", "ftp://x", "--key", "x", check=USAGE)
    run("key", "list", "--server", "http://muster.example.com", "--key", "x", check=USAGE)


def test_over_tls(tmp_path, certificates):
    cert, key = certificates.server
    with Server(tmp_path, "--tls-cert", cert, "--tls-key", key,
                listen=("tls://127.0.0.1:0",)) as server:
        url = f"https://localhost:{server.port('https')}"
        run("key", "list", "--server", url, "--key", server.token(), "--ca", certificates.ca,
            check=OK)
        done = run("key", "list", "--server", url, "--key", server.token(), check=UNREACHABLE)
        assert "certificate" in done.stderr.lower()


def test_the_socket_is_for_its_owner_only(server):
    assert ((server.data / "admin.sock").stat().st_mode & 0o777) == 0o600


# -- help


@pytest.mark.parametrize("arguments", [
    [], ["serve"], ["key"], ["key", "create"], ["key", "list"], ["key", "revoke"], ["tenant"],
    ["tenant", "create"], ["tenant", "list"], ["tenant", "delete"], ["backup"], ["check"],
    ["config"], ["config", "check"], ["config", "show"], ["config", "explain"],
])
def test_help_is_on_standard_output(arguments):
    done = run(*arguments, "--help", check=OK)
    assert done.stdout.startswith(("usage", "Usage", "muster")) or "usage" in done.stdout.lower()
    assert done.stderr == ""
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


def test_help_lists_the_exit_codes():
    text = run("--help", check=OK).stdout
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15):
        assert re.search(rf"(?m)^\s*{code}\s+\S", text), code


def test_version():
    assert re.fullmatch(r"muster \d+\.\d+\.\d+\S*\n", run("--version", check=OK).stdout)


def test_output_that_cannot_be_written_is_a_failure(server):
    with open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, "key", "list", "--data", str(server.data)], stdout=full,
                              stderr=subprocess.PIPE, text=True, env=environment(), timeout=60)
    assert done.returncode == FAILURE and done.stderr
