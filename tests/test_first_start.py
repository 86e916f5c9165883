# SPDX-License-Identifier: Apache-2.0
"""Starting: the first time, the second time, and every way in which it has to be refused."""
import hashlib
import json
import shutil
import socket
import sqlite3
import stat
import time

import pytest

from harness import PATIENCE, Server, basic, run, wait_for

OK, FAILURE, USAGE, LOCKED, NEWER, CORRUPT, NOT_WRITABLE, DISK, LISTEN = range(9)


def refused_start(folder, *flags, data=None, listen=("127.0.0.1:0",), env=None):
    """Starts a server that has to end by itself; returns its exit code and what it said."""
    server = Server(folder, *flags, data=data, listen=listen, env=env).spawn()
    try:
        code = server.process.wait(PATIENCE)
    finally:
        if server.process.poll() is None:
            server.kill()
    server.check_log()
    return code, server.log()


def fingerprint(folder):
    """Every file with its bytes, mode and time of change; sockets and what a look may make apart."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[path.name] = (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mode,
                                path.stat().st_mtime_ns)
    return found


@pytest.fixture
def stopped(tmp_path):
    """A data directory that a server has used and left."""
    with Server(tmp_path) as server:
        server.request("POST", "/admin/v1/tenants", {"name": "kept"})
    return server


# -- the first and the second time


def test_the_first_start_makes_everything(tmp_path):
    before = time.time()
    with Server(tmp_path) as server:
        known = server.credentials()
        assert set(known) == {"tenant", "id", "secret", "token"}
        assert known["tenant"] == "default"
        assert known["token"] == f"mst_{known['id']}_{known['secret']}"
        assert len(known["secret"]) >= 43  # 256 bits, whatever the alphabet
        for name in ("first-credentials.json", "master.key", "muster.db", "endpoints.json"):
            assert stat.S_IMODE((server.data / name).stat().st_mode) == 0o600, name
        assert stat.S_IMODE((server.data / "admin.sock").stat().st_mode) == 0o600
        assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
        keys = server.request("GET", "/admin/v1/keys").json()["keys"]
        assert [k["id"] for k in keys] == [known["id"]] and keys[0]["role"] == "admin"
        tenants = server.request("GET", "/admin/v1/tenants").json()["tenants"]
        assert [t["name"] for t in tenants] == ["default"]
        assert server.url().startswith("http://127.0.0.1:")
    assert time.time() - before < PATIENCE


def test_two_servers_have_nothing_in_common(tmp_path):
    with Server(tmp_path / "a") as a, Server(tmp_path / "b") as b:
        assert a.credentials()["secret"] != b.credentials()["secret"]
        assert a.request("GET", "/admin/v1/whoami", token=b.token()).status == 401


def test_the_credentials_work_in_every_form(server):
    known = server.credentials()
    for header in (basic(known["id"], known["secret"]), basic("anything", known["token"]),
                   basic(known["tenant"], known["token"]), f"Authorization: Bearer {known['token']}",
                   f"Authorization: Key {known['token']}", f"token: {known['token']}"):
        answer = server.request("GET", "/admin/v1/whoami", token=None, headers=[header])
        assert answer.status == 200 and answer.json()["key"] == known["id"], header


def test_no_secret_is_in_the_database(server):
    known = server.credentials()
    made = server.request("POST", "/admin/v1/keys", {"label": "x"}).json()
    stored = b"".join(p.read_bytes() for p in server.data.glob("muster.db*"))
    for secret in (known["secret"], made["secret"]):
        assert secret.encode() not in stored
    assert known["id"].encode() in stored


def test_the_second_start_keeps_everything(stopped):
    before = (stopped.data / "first-credentials.json").read_bytes()
    master = (stopped.data / "master.key").read_bytes()
    with Server(stopped.folder) as again:
        assert (again.data / "first-credentials.json").read_bytes() == before
        assert (again.data / "master.key").read_bytes() == master
        assert again.request("GET", "/admin/v1/tenants/kept").status == 200
        again.request("GET", "/admin/v1/whoami").status == 200


def test_the_credentials_file_is_not_made_again(stopped):
    token = stopped.token()
    (stopped.data / "first-credentials.json").unlink()
    with Server(stopped.folder) as again:
        assert not (again.data / "first-credentials.json").exists()
        assert again.request("GET", "/admin/v1/whoami", token=token).status == 200


def test_a_stopped_server_leaves_no_traces_of_running(stopped):
    assert not (stopped.data / "admin.sock").exists()
    assert not (stopped.data / "endpoints.json").exists()


def test_a_killed_server_starts_again(tmp_path):
    server = Server(tmp_path).start()
    assert server.request("POST", "/admin/v1/tenants", {"name": "kept"}).status == 201
    server.kill()
    with Server(tmp_path) as again:
        assert again.request("GET", "/admin/v1/tenants/kept").status == 200


def test_the_data_directory_may_be_made_before(tmp_path):
    (tmp_path / "data").mkdir()
    with Server(tmp_path) as server:
        assert server.request("GET", "/admin/v1/whoami").status == 200


# -- where it listens


def test_the_default_is_loopback(tmp_path):
    done = run("config", "explain", "listen", check=OK, cwd=tmp_path)
    assert "127.0.0.1:8080" in done.stdout


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"])
def test_clear_text_for_other_machines_is_refused(tmp_path, address):
    code, said = refused_start(tmp_path, listen=(address,))
    assert code in (USAGE, LISTEN)
    assert "insecure" in said and "tls://" in said
    assert not (tmp_path / "data/muster.db").exists()


def test_insecure_permits_it(tmp_path):
    with Server(tmp_path, "--insecure", listen=("0.0.0.0:0",)) as server:
        assert server.request("GET", "/livez").status == 200


def test_tls_permits_it(tmp_path, certificates):
    cert, key = certificates.server
    with Server(tmp_path, "--tls-cert", cert, "--tls-key", key,
                listen=("tls://0.0.0.0:0",)) as server:
        assert server.request("GET", "/livez", certificates=certificates).status == 200


def test_several_listeners(tmp_path, certificates):
    cert, key = certificates.server
    with Server(tmp_path, "--tls-cert", cert, "--tls-key", key,
                listen=("127.0.0.1:0", "127.0.0.1:0", "[::1]:0", "tls://127.0.0.1:0")) as server:
        assert len([u for u in server.endpoints if u.startswith("http")]) == 4
        for url in server.endpoints:
            host, port = url.rstrip("/").partition("://")[2].rsplit(":", 1)
            socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()


def test_tls_without_a_certificate_is_refused(tmp_path):
    code, said = refused_start(tmp_path, listen=("tls://127.0.0.1:0",))
    assert code == USAGE and "tls.cert" in said


def test_a_certificate_that_cannot_be_read_is_refused(tmp_path, certificates):
    _, key = certificates.server
    for cert in (tmp_path / "none.pem", key):
        code, said = refused_start(tmp_path, "--tls-cert", cert, "--tls-key", key,
                                   listen=("tls://127.0.0.1:0",))
        assert code == USAGE and str(cert) in said


def test_a_key_that_does_not_fit_is_refused(tmp_path, certificates):
    cert, _ = certificates.server
    _, other = certificates.sign("other")
    code, said = refused_start(tmp_path, "--tls-cert", cert, "--tls-key", other,
                               listen=("tls://127.0.0.1:0",))
    assert code == USAGE and str(other) in said


def test_a_port_in_use_is_refused(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = refused_start(tmp_path, listen=(address,))
    assert code == LISTEN and address in said


@pytest.mark.parametrize("address", ["", "nonsense", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000",
                                     "example.com:80", "[::1:80", "ftp://127.0.0.1:1", ":8080"])
def test_an_address_that_is_none_is_refused(tmp_path, address):
    code, said = refused_start(tmp_path, listen=(address,))
    assert code == USAGE and "listen" in said
    assert not (tmp_path / "data").exists()


# -- configuration


def test_an_unknown_key_is_refused_with_the_nearest(tmp_path):
    file = tmp_path / "muster.conf"
    file.write_text("# a comment\nlog.levle = debug\n")
    code, said = refused_start(tmp_path, "--config", file)
    assert code == USAGE
    assert str(file) in said and ":2" in said and "log.levle" in said and "log.level" in said


def test_an_unknown_flag_is_refused_with_the_nearest(tmp_path):
    code, said = refused_start(tmp_path, "--log-levle", "debug")
    assert code == USAGE and "--log-level" in said


def test_an_unknown_variable_is_refused_with_the_nearest(tmp_path):
    code, said = refused_start(tmp_path, env={"MUSTER_LOG_LEVLE": "debug"})
    assert code == USAGE and "MUSTER_LOG_LEVEL" in said


@pytest.mark.parametrize("line, word", [
    ("workers = many", "workers"), ("workers = -1", "workers"), ("workers = 99999999999999999999",
                                                                 "workers"),
    ("log.level = loud", "log.level"), ("drain_timeout = 10 parsecs", "drain_timeout"),
    ("limits.headers = 1", "limits.headers"), ("insecure = maybe", "insecure"),
    ("store.queue = 3", "store.queue"), ("outbound.allow = 10.1.2.3/8", "outbound.allow"),
    ("workers", "key = value"), ("= 3", ""), ("workers = 3\nworkers = 4", "workers"),
])
def test_a_value_that_makes_no_sense_is_refused(tmp_path, line, word):
    file = tmp_path / "muster.conf"
    file.write_text(line + "\n")
    code, said = refused_start(tmp_path, "--config", file)
    assert code == USAGE and str(file) in said and word in said
    assert not (tmp_path / "data").exists()


def test_a_configuration_file_that_is_not_there_is_refused(tmp_path):
    code, said = refused_start(tmp_path, "--config", tmp_path / "none.conf")
    assert code == USAGE and "none.conf" in said


def test_a_flag_wins_over_the_environment_over_the_file(tmp_path):
    file = tmp_path / "muster.conf"
    file.write_text("workers = 3\nworkers_queue = 33\nloops = 1\n")
    env = {"MUSTER_WORKERS": "4", "MUSTER_WORKERS_QUEUE": "44"}
    done = run("config", "show", "--config", file, "--workers", "5", "--origin", env=env, check=OK)
    found = {line.split()[0]: line for line in done.stdout.splitlines() if line.split()}
    assert " 5" in found["workers"] and "--workers" in found["workers"]
    assert " 44" in found["workers_queue"] and "MUSTER_WORKERS_QUEUE" in found["workers_queue"]
    assert " 1" in found["loops"] and str(file) in found["loops"]


def test_config_check_finds_what_a_start_would_refuse(tmp_path):
    file = tmp_path / "muster.conf"
    file.write_text("workers = 3\n")
    run("config", "check", "--config", file, check=OK)
    file.write_text("wrokers = 3\n")
    done = run("config", "check", "--config", file, check=USAGE)
    assert "workers" in done.stderr


# -- the data directory


def test_a_data_directory_in_use_is_refused(server):
    before = server.request("GET", "/admin/v1/whoami").json()
    code, said = refused_start(server.folder / "second", data=server.data)
    assert code == LOCKED and str(server.data) in said
    assert server.request("GET", "/admin/v1/whoami").json() == before
    assert (server.data / "admin.sock").exists() and (server.data / "endpoints.json").exists()


def test_a_newer_schema_is_refused_and_left_untouched(stopped):
    database = sqlite3.connect(stopped.data / "muster.db")
    version = database.execute("pragma user_version").fetchone()[0]
    tables = {row[0] for row in database.execute("select name from sqlite_master")}
    if version:
        database.execute(f"pragma user_version = {version + 1}")
    if "migrations" in tables:
        columns = [row[1] for row in database.execute("pragma table_info(migrations)")]
        key = "version" if "version" in columns else columns[0]
        last = dict(zip(columns, database.execute(
            f"select * from migrations order by {key} desc limit 1").fetchone()))
        last[key] += 1
        database.execute(f"insert into migrations({','.join(last)}) values "
                         f"({','.join('?' * len(last))})", list(last.values()))
    database.commit()
    database.close()
    before = fingerprint(stopped.data)
    code, said = refused_start(stopped.folder)
    assert code == NEWER and "newer" in said
    assert fingerprint(stopped.data) == before


@pytest.mark.parametrize("damage", ["not a database", "the first page", "cut off", "empty header"])
def test_a_corrupt_file_is_refused_and_left_untouched(stopped, damage):
    file = stopped.data / "muster.db"
    data = bytearray(file.read_bytes())
    if damage == "not a database":
        data = bytearray(b"this is not a database at all\n" * 500)
    elif damage == "the first page":
        data[100:2000] = b"\xff" * 1900  # no kind of page begins so; random bytes might
    elif damage == "cut off":
        data = data[:len(data) // 2]
    else:
        data[:16] = bytes(16)
    file.write_bytes(data)
    before = fingerprint(stopped.data)
    code, said = refused_start(stopped.folder)
    assert code == CORRUPT, said
    assert "muster.db" in said
    assert fingerprint(stopped.data) == before


def test_a_file_where_the_data_directory_should_be(tmp_path):
    (tmp_path / "data").write_text("I am a file\n")
    code, said = refused_start(tmp_path)
    assert code == NOT_WRITABLE and str(tmp_path / "data") in said
    assert (tmp_path / "data").read_text() == "I am a file\n"


def test_a_file_on_the_way_to_the_data_directory(tmp_path):
    (tmp_path / "file").write_text("I am a file\n")
    code, said = refused_start(tmp_path, data=tmp_path / "file/data")
    assert code == NOT_WRITABLE and "file" in said


def test_a_directory_where_the_database_should_be(tmp_path):
    (tmp_path / "data/muster.db").mkdir(parents=True)
    code, said = refused_start(tmp_path)
    assert code in (CORRUPT, NOT_WRITABLE) and "muster.db" in said


def test_a_database_without_its_master_key_is_refused(stopped):
    (stopped.data / "master.key").unlink()
    before = fingerprint(stopped.data)
    code, said = refused_start(stopped.folder)
    assert code == 9 and "master.key" in said
    assert {n: v for n, v in fingerprint(stopped.data).items() if n in before} == before
    assert not (stopped.data / "master.key").exists()


def test_a_database_with_another_master_key_is_refused(stopped, tmp_path):
    with Server(tmp_path / "other") as other:
        pass
    shutil.copy(other.data / "master.key", stopped.data / "master.key")
    code, said = refused_start(stopped.folder)
    assert code == 9 and "master.key" in said


def test_a_backup_can_be_started_from(stopped, tmp_path):
    with Server(stopped.folder) as server:
        server.cli("backup", tmp_path / "copy", check=OK)
    restored = tmp_path / "restored/data"
    shutil.copytree(tmp_path / "copy", restored)
    shutil.copy(stopped.data / "master.key", restored / "master.key")
    with Server(tmp_path / "restored") as again:
        assert again.request("GET", "/admin/v1/tenants/kept", token=stopped.token()).status == 200


def test_the_process_list_shows_no_secret(server):
    command = (f"/proc/{server.process.pid}/cmdline")
    with open(command, "rb") as file:
        shown = file.read().decode()
    assert server.credentials()["secret"] not in shown


def test_endpoints_are_written_when_requests_are_answered(tmp_path):
    """Whoever waits for the file may ask at once, however often the server is started."""
    for _ in range(5):
        with Server(tmp_path) as server:
            assert json.loads((server.data / "endpoints.json").read_text())
            assert server.request("GET", "/readyz").status == 200
            wait_for("the admin socket", (server.data / "admin.sock").exists)
