# SPDX-License-Identifier: Apache-2.0
"""Signals: SIGHUP changes everything that may change, or nothing; SIGTERM lets what has begun end."""
import os
import shutil
import signal
import socket
import ssl
import threading

import pytest
from hyperframe.frame import DataFrame, GoAwayFrame

from h2client import H2, Raw
from harness import PATIENCE, Closed, Server, Wire, wait_for


def reload(server):
    """SIGHUP; returns whether the server took the configuration over."""
    def outcomes():
        return [l for l in server.lines() if l["msg"] in ("configuration reloaded",
                                                          "configuration not reloaded")]
    before = len(outcomes())
    server.hang_up()
    return wait_for("the outcome of the reload",
                    lambda: outcomes()[before:])[0]["msg"] == "configuration reloaded"


@pytest.fixture
def configured(tmp_path):
    file = tmp_path / "muster.conf"
    file.write_text("limits.request_line = 32KiB\nlimits.header_count = 100\n")
    with Server(tmp_path, "--config", file) as server:
        server.file = file
        yield server


def accepts(server, fields):
    with server.connect() as wire:
        return wire.request("GET", "/livez", headers=[f"X-{i}: y" for i in range(fields)]).status


def test_a_new_value_counts_for_requests_from_then_on(configured):
    assert accepts(configured, 50) == 200
    configured.file.write_text("limits.header_count = 20\n")
    assert reload(configured)
    assert accepts(configured, 50) == 431
    assert accepts(configured, 5) == 200


def test_anything_wrong_and_nothing_changes(configured):
    configured.file.write_text("limits.header_count = 20\nlimits.request_line = lots\n")
    assert not reload(configured)
    told = [l for l in configured.lines() if "limits.request_line" in str(l)]
    assert told and str(configured.file) in str(told[-1])
    assert accepts(configured, 50) == 200
    configured.file.write_text("limits.header_count = 20\nlimits.no_such_key = 1\n")
    assert not reload(configured)
    assert accepts(configured, 50) == 200
    configured.file.unlink()
    assert not reload(configured)
    assert accepts(configured, 50) == 200
    configured.file.write_text("limits.header_count = 20\n")
    assert reload(configured)
    assert accepts(configured, 50) == 431


def test_a_key_that_needs_a_restart_is_named(configured):
    configured.file.write_text("limits.header_count = 20\nworkers = 7\n")
    reload(configured)
    assert wait_for("a line about workers", lambda: [l for l in configured.lines()
                                                     if "workers" in str(l) and
                                                     "restart" in str(l)])


def test_the_log_level_changes(configured):
    def quiet():
        configured.request("GET", "/admin/v1/whoami")
        return len([l for l in configured.lines() if l.get("route") == "admin.whoami"])
    assert wait_for("an access line", quiet)
    configured.file.write_text("log.level = warn\n")
    configured.hang_up()
    def silent():
        before = quiet()
        return quiet() == before
    wait_for("silence", silent)
    configured.file.write_text("log.level = info\n")
    configured.hang_up()
    before = quiet()
    wait_for("an access line", lambda: quiet() > before)


def test_many_signals_while_requests_are_served(configured):
    over, wrong = threading.Event(), []

    def ask():
        with configured.connect() as wire:
            while not over.is_set():
                if wire.request("GET", "/admin/v1/whoami", token=configured.token()).status != 200:
                    wrong.append(1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(30):
        configured.file.write_text(f"limits.header_count = {50 + i}\n")
        configured.hang_up()
        configured.request("GET", "/livez")
    over.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert not wrong


# -- certificates


def subject(server, certificates):
    with server.connect(certificates) as wire:
        return dict(pair[0] for pair in wire.socket.getpeercert()["subject"])["commonName"]


@pytest.fixture
def over_tls(tmp_path, certificates):
    cert, key = certificates.sign("first-" + tmp_path.name, common_name="first")
    shutil.copy(cert, tmp_path / "cert.pem")
    shutil.copy(key, tmp_path / "key.pem")
    with Server(tmp_path, "--tls-cert", tmp_path / "cert.pem", "--tls-key", tmp_path / "key.pem",
                listen=("127.0.0.1:0", "tls://127.0.0.1:0")) as server:
        yield server


def replace(source, target):
    shutil.copy(source, str(target) + ".new")
    os.replace(str(target) + ".new", target)


def test_a_new_certificate_is_shown_to_new_connections(over_tls, certificates):
    assert subject(over_tls, certificates) == "first"
    with over_tls.connect(certificates) as kept:
        assert kept.stays_open()
        cert, key = certificates.sign("second-" + over_tls.folder.name, common_name="second")
        replace(cert, over_tls.folder / "cert.pem")
        replace(key, over_tls.folder / "key.pem")
        assert subject(over_tls, certificates) == "first"  # nothing by itself
        over_tls.hang_up()
        wait_for("the new certificate", lambda: subject(over_tls, certificates) == "second")
        assert kept.stays_open()


def test_a_broken_certificate_changes_nothing(over_tls, certificates):
    cert, _ = certificates.sign("third-" + over_tls.folder.name, common_name="third")
    replace(cert, over_tls.folder / "cert.pem")  # without its key
    assert not reload(over_tls)
    assert subject(over_tls, certificates) == "first"
    (over_tls.folder / "cert.pem").write_text("not a certificate\n")
    assert not reload(over_tls)
    assert subject(over_tls, certificates) == "first"


# -- the end


def slow_upload(wire, token, length=20):
    """A request that has begun and is not whole."""
    wire.send(("POST /admin/v1/tenants HTTP/1.1\r\nHost: a\r\n"
               f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
               f"Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n").encode())
    assert wire.answer(interim=True).status == 100


def not_ready(server):
    """Whether new connections are refused."""
    try:
        with Wire(server.port()) as wire:
            return wire.request("GET", "/readyz").status == 503
    except (OSError, Closed):
        return True


def test_a_request_in_flight_finishes(tmp_path):
    server = Server(tmp_path).start()
    token = server.token()
    with server.connect() as wire, server.connect() as idle:
        assert idle.stays_open()
        slow_upload(wire, token)
        server.terminate()
        wait_for("the drain to begin", lambda: not_ready(server))
        assert idle.is_closed_by_server()
        assert server.process.poll() is None
        wire.send(b'{"name": "the-last"}')
        answer = wire.answer("POST")
        assert answer.status == 201
        assert answer.fields.get("connection") == "close"
        assert wire.is_closed_by_server()
    server.stop()
    with Server(tmp_path) as again:
        assert again.request("GET", "/admin/v1/tenants/the-last").status == 200


def test_http2_is_told_to_go_away(tmp_path):
    """And what it had begun is finished; by frames, since the library stops at GOAWAY."""
    server = Server(tmp_path).start()
    with Raw(server.port()) as client:
        client.send(client.headers(
            1, ("authorization", f"Bearer {server.token()}"), ("content-type", "application/json"),
            method="POST", path="/admin/v1/tenants", flags=["END_HEADERS"]))
        assert client.is_alive()
        server.terminate()
        told = client.until(lambda f: isinstance(f, GoAwayFrame))
        assert told.error_code == 0
        client.send(DataFrame(1, data=b'{"name": "the-last"}', flags=["END_STREAM"]))
        assert client.status(1) == 201
        assert client.goaway() in (0, None)  # and then the end
    server.stop()
    with Server(tmp_path) as again:
        assert again.request("GET", "/admin/v1/tenants/the-last").status == 200


def test_idle_http2_connections_are_told_too(tmp_path):
    server = Server(tmp_path).start()
    with H2(server.port()) as client:
        assert client.stays_open()
        server.terminate()
        assert client.wait_for_goaway() == 0
    server.stop()


def test_the_drain_has_an_end(tmp_path):
    server = Server(tmp_path, "--drain-timeout", "300ms").start()
    with server.connect() as wire:
        slow_upload(wire, server.token())
        server.terminate()
        assert server.process.wait(PATIENCE) == 0
        server.stop()
        cut = [line for line in server.lines() if line.get("method") == "POST"]
        assert [(line["code"], line["rpc_code"]) for line in cut] == [(499, "canceled")]


def test_a_second_signal_ends_at_once(tmp_path):
    server = Server(tmp_path, "--drain-timeout", "1h").start()
    with server.connect() as wire:
        slow_upload(wire, server.token())
        server.terminate()
        wait_for("the drain to begin", lambda: not_ready(server))
        assert server.process.poll() is None
        server.terminate()
        server.process.wait(PATIENCE)


def test_interrupt_ends_it_too(tmp_path):
    server = Server(tmp_path).start()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(PATIENCE) == 0
    server.stop()


def test_a_broken_pipe_means_nothing(server):
    server.process.send_signal(signal.SIGPIPE)
    assert server.request("GET", "/livez").status == 200


def test_writes_under_way_are_whole_or_not_there(tmp_path):
    """SIGTERM in the middle of a stream of writes: what was acknowledged is there, nothing else
    that was refused is."""
    server = Server(tmp_path).start()
    token = server.token()
    acknowledged, unknown = set(), set()

    def write(worker):
        try:
            with server.connect() as wire:
                for i in range(100000):
                    name = f"t{worker}-{i}"
                    unknown.add(name)
                    answer = wire.request("POST", "/admin/v1/tenants", {"name": name}, token)
                    if answer.status == 201:
                        acknowledged.add(name)
        except (Closed, OSError):
            pass

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    wait_for("some writes", lambda: len(acknowledged) > 100)
    server.terminate()
    for thread in threads:
        thread.join(PATIENCE)
    server.stop()
    with Server(tmp_path) as again, again.connect() as wire:
        for name in acknowledged:
            assert wire.request("GET", f"/admin/v1/tenants/{name}", token=token).status == 200, name


def test_tls_says_goodbye(tmp_path, certificates):
    """With close_notify, so that nobody takes a cut connection for a whole answer."""
    cert, key = certificates.server
    server = Server(tmp_path, "--tls-cert", cert, "--tls-key", key,
                    listen=("tls://127.0.0.1:0",)).start()
    with server.connect(certificates) as wire:
        assert wire.stays_open()
        server.terminate()
        wire.socket.suppress_ragged_eofs = False
        try:
            assert wire.socket.recv(1) == b""
        except ssl.SSLZeroReturnError:
            pass
    server.stop()


def test_systemd_is_told(tmp_path):
    """READY=1 when it serves, STOPPING=1 when it ends."""
    place = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(place))
        listener.settimeout(PATIENCE)
        server = Server(tmp_path / "s", env={"NOTIFY_SOCKET": str(place)}).start()
        said = listener.recv(4096).decode()
        while "READY=1" not in said:
            said += listener.recv(4096).decode()
        server.terminate()
        while "STOPPING=1" not in said:
            said += listener.recv(4096).decode()
        server.stop()


def test_a_stopped_server_leaves_only_its_data(tmp_path):
    server = Server(tmp_path).start()
    server.stop()
    left = {p.name for p in server.data.iterdir()}
    assert left <= {"muster.db", "master.key", "first-credentials.json", "lock", "spool"}, left
