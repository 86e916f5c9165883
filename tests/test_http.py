# SPDX-License-Identifier: Apache-2.0
"""What holds for every way to speak HTTP with the server, and what is special to each."""
import gzip
import json
import socket
import sqlite3
import subprocess

import pytest

from h2client import H2
from harness import Closed, Server, Wire, basic

WAYS = ["http/1.1", "http/1.1 over tls", "h2c", "h2 over tls"]


@pytest.fixture(params=WAYS)
def client(request, shared, certificates):
    over_tls = certificates if "tls" in request.param else None
    if request.param.startswith("h2"):
        made = H2(shared.port("https" if over_tls else "http"), over_tls)
    else:
        made = shared.connect(over_tls)
    with made:
        yield made


@pytest.fixture
def token(shared):
    return shared.token()


def is_h2(client):
    return isinstance(client, H2)


# -- every way


def test_an_answer_tells_who_called(client, shared, token):
    known = shared.credentials()
    answer = client.request("GET", "/admin/v1/whoami", token=token)
    assert answer.status == 200
    assert answer.json() == {"tenant": "default", "key": known["id"], "role": "admin"}
    assert answer.fields["content-type"] == "application/json"
    assert int(answer.fields["content-length"]) == len(answer.body)
    assert answer.fields["date"].endswith(" GMT")


def test_a_connection_serves_many_requests(client, token):
    for i in range(60):
        answer = client.request("GET", "/admin/v1/whoami" if i % 2 else "/livez", token=token)
        assert answer.status == 200
    assert client.stays_open()


def test_head_is_get_without_the_body(client):
    whole = client.request("GET", "/version")
    head = client.request("HEAD", "/version")
    assert head.status == 200 and head.body == b""
    assert head.fields["content-length"] == str(len(whole.body))
    assert head.fields["content-type"] == whole.fields["content-type"]
    assert client.stays_open()


def test_a_path_that_is_not_there(client, token):
    for path in ("/", "/nope", "/admin/v1/nope", "/livez/x"):
        answer = client.request("GET", path, token=token)
        assert answer.status == 404
        error = answer.json()["error"]
        assert error["code"] == "not_found"
        assert error["request_id"] == answer.fields["x-request-id"]
    assert client.stays_open()


def test_a_verb_that_is_not_served(client, token):
    answer = client.request("PUT", "/admin/v1/keys", {}, token)
    assert answer.status == 405
    assert {v.strip() for v in answer.fields["allow"].split(",")} == {"GET", "HEAD", "POST"}
    assert answer.json()["error"]["message"]
    assert client.stays_open()


def test_no_credential_and_a_wrong_one(client):
    for given in (None, "mst_wrong"):
        answer = client.request("GET", "/admin/v1/whoami", token=given)
        assert answer.status == 401
        assert answer.fields["www-authenticate"] == 'Basic realm="Muster"'
        assert answer.json()["error"]["code"] == "unauthenticated"
    assert client.stays_open()


def test_a_media_type_that_is_not_taken(client, token):
    answer = client.request("POST", "/admin/v1/tenants", b"name: x", token,
                            ["Content-Type: application/yaml"])
    assert answer.status == 415
    assert "application/json" in answer.json()["error"]["message"]
    assert client.stays_open()


def test_a_body_that_is_announced_too_large(client, token):
    answer = client.request("POST", "/admin/v1/tenants", b"x" * 70000, token)
    assert answer.status == 413
    assert answer.json()["error"]["code"] == "resource_exhausted"


def test_a_body_that_grows_too_large(client, token):
    fields = [("authorization", f"Bearer {token}"), ("content-type", "application/json")]
    if is_h2(client):
        stream = client.begin("POST", "/admin/v1/tenants", fields, end=False)
        client.send(stream, b"x" * 200000)
        answer = client.answer(stream)
    else:
        client.send("\r\n".join(["POST /admin/v1/tenants HTTP/1.1", "Host: a",
                                 *(f"{n}: {v}" for n, v in fields),
                                 "Transfer-Encoding: chunked", "", ""]).encode())
        for _ in range(200):
            if not client.send(b"400\r\n" + b"x" * 1024 + b"\r\n"):
                break
        client.send(b"0\r\n\r\n")
        answer = client.answer("POST")
    assert answer.status == 413


def test_a_compressed_body_is_inflated(client, token):
    answer = client.request("POST", "/admin/v1/tenants", gzip.compress(b'{"name": 1}'), token,
                            ["Content-Encoding: gzip"])
    assert answer.status == 400
    assert "name" in answer.json()["error"]["message"]


def test_a_long_answer_is_compressed_on_request(client, token):
    for _ in range(5):
        assert client.request("POST", "/admin/v1/keys", {"label": "x" * 150}, token).status == 201
    plain = client.request("GET", "/admin/v1/keys?limit=5", token=token)
    small = client.request("GET", "/admin/v1/keys?limit=5", token=token,
                           headers=["Accept-Encoding: gzip"])
    assert "content-encoding" not in plain.fields
    assert plain.fields["vary"] == small.fields["vary"] == "accept-encoding"
    assert small.fields["content-encoding"] == "gzip"
    assert len(small.body) < len(plain.body)
    assert json.loads(gzip.decompress(small.body)) == plain.json()


def test_a_request_id_is_kept_when_it_is_sound(client):
    given = client.request("GET", "/livez", headers=["X-Request-Id: abc-123.DEF_4"])
    assert given.fields["x-request-id"] == "abc-123.DEF_4"
    for bad in ("a b", "a" * 65, "x{y}"):
        made = client.request("GET", "/livez", headers=[f"X-Request-Id: {bad}"])
        assert made.fields["x-request-id"] not in ("", bad)


def test_every_form_of_credential(client, shared):
    known = shared.credentials()
    forms = [f"Authorization: Bearer {known['token']}", f"Authorization: Key {known['token']}",
             f"token: {known['token']}", basic(known["id"], known["secret"]),
             basic("default", known["token"]), basic("", known["token"])]
    for form in forms:
        answer = client.request("GET", "/admin/v1/whoami", headers=[form])
        assert answer.status == 200, form
        assert answer.json()["key"] == known["id"]


def test_a_backup_is_streamed_whole(client, token, tmp_path):
    answer = client.request("GET", "/admin/v1/backup", token=token)
    assert answer.status == 200
    file = tmp_path / "copy.db"
    file.write_bytes(answer.body)
    database = sqlite3.connect(file)
    assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    assert database.execute("select count(*) from tenants where name = 'default'").fetchone() == (1,)
    database.close()


def test_a_change_and_its_undoing(client, token):
    name = "done-and-undone"
    made = client.request("POST", "/admin/v1/tenants", {"name": name}, token)
    assert made.status == 201, made
    assert made.fields["location"] == f"/admin/v1/tenants/{name}"
    again = client.request("POST", "/admin/v1/tenants", {"name": name}, token)
    assert again.status == 409 and again.json()["error"]["reason"] == "name_taken"
    assert client.request("GET", made.fields["location"], token=token).json() == made.json()
    gone = client.request("DELETE", made.fields["location"], token=token)
    assert gone.status == 204 and gone.body == b""
    assert client.request("GET", made.fields["location"], token=token).status == 404


# -- HTTP/1.1


def post_head(token, *more):
    return "\r\n".join(["POST /admin/v1/tenants HTTP/1.1", "Host: a",
                        f"Authorization: Bearer {token}", "Content-Type: application/json",
                        *more, "", ""]).encode()


def test_pipelined_requests_are_answered_in_order(shared, token):
    with shared.connect() as wire:
        paths = ["/livez", "/nope", "/admin/v1/keys", "/version", "/admin/v1/tenants"] * 20
        wire.send(b"".join(f"GET {p} HTTP/1.1\r\nHost: a\r\nX-Request-Id: n{i}\r\n"
                           f"Authorization: Bearer {token}\r\n\r\n".encode()
                           for i, p in enumerate(paths)))
        for i, path in enumerate(paths):
            answer = wire.answer()
            assert answer.fields["x-request-id"] == f"n{i}"
            assert answer.status == (404 if path == "/nope" else 200)
        assert wire.stays_open()


def test_a_chunked_body_arrives(shared, token):
    with shared.connect() as wire:
        wire.request("DELETE", "/admin/v1/tenants/in-chunks", token=token)
        wire.send(post_head(token, "Transfer-Encoding: chunked"))
        for piece in (b'{"na', b"me", b'":"in-', b'chunks"}'):
            wire.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        wire.send(b"0\r\nX-Sum: 1\r\n\r\n")
        answer = wire.answer("POST")
        assert answer.status == 201 and answer.json()["name"] == "in-chunks"
        assert wire.stays_open()


def test_a_client_that_waits_for_100_gets_it(shared, token):
    with shared.connect() as wire:
        wire.send(post_head(token, "Expect: 100-continue", "Content-Length: 2"))
        assert wire.answer(interim=True).status == 100
        wire.send(b"{}")
        assert wire.answer("POST").status == 400
        assert wire.stays_open()


@pytest.mark.parametrize("lines, status", [
    (["Expect: 100-continue", "Content-Length: 70000"], 413),
    (["Expect: 200-ok", "Content-Length: 2"], 417),
])
def test_a_refused_body_is_not_asked_for(shared, token, lines, status):
    with shared.connect() as wire:
        wire.send(post_head(token, *lines))
        assert wire.answer("POST", interim=True).status == status


def test_a_body_without_a_credential_is_not_asked_for(shared):
    with shared.connect() as wire:
        wire.send(post_head("mst_wrong", "Expect: 100-continue", "Content-Length: 2"))
        assert wire.answer("POST", interim=True).status == 401


def test_half_a_head_and_the_end(shared):
    with shared.connect() as wire:
        wire.send(b"GET /livez HTTP/1.1\r\nHo")
        wire.socket.shutdown(socket.SHUT_WR)
        try:
            assert wire.answer().status in (400, 408)
        except Closed:
            pass
        assert wire.is_closed_by_server()


def test_half_a_body_changes_nothing(shared, token):
    with shared.connect() as wire:
        wire.send(post_head(token, "Content-Length: 16") + b'{"name":"halfwa')
        wire.socket.shutdown(socket.SHUT_WR)
        try:
            assert wire.answer("POST").status in (400, 408)
        except Closed:
            pass
        assert wire.is_closed_by_server()
    assert shared.request("GET", "/admin/v1/tenants/halfwa").status == 404


def test_a_half_close_after_a_whole_request_is_answered(shared, token):
    with shared.connect() as wire:
        wire.send(f"GET /admin/v1/keys HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}"
                  "\r\n\r\n".encode())
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.answer().status == 200


def test_clients_that_leave_at_once_do_no_harm(shared, token):
    request = (f"GET /admin/v1/keys HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}"
               "\r\n\r\n").encode()
    for _ in range(50):
        wire = shared.connect()
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        wire.send(request * 3)
        wire.close()  # with a reset
    assert shared.request("GET", "/livez").status == 200


def test_both_versions_share_a_port(shared):
    with shared.connect() as one, H2(shared.port()) as two:
        assert one.stays_open() and two.stays_open()
        assert one.stays_open() and two.stays_open()


@pytest.mark.parametrize("flags, scheme, version", [
    (["--http1.1"], "http", "1.1"),
    (["--http1.0"], "http", "1.1"),  # our status line says what we speak
    (["--http2-prior-knowledge"], "http", "2"),
    (["--http1.1"], "https", "1.1"),
    (["--http2"], "https", "2"),
    (["--tlsv1.2", "--tls-max", "1.2"], "https", "2"),
    (["--tlsv1.3"], "https", "2"),
])
def test_curl_speaks_it(shared, certificates, token, flags, scheme, version):
    done = subprocess.run(
        ["curl", "-sS", *flags, "--cacert", str(certificates.ca), "-u", f"default:{token}",
         "-w", "\n%{http_version}", f"{scheme}://localhost:{shared.port(scheme)}/admin/v1/whoami"],
        capture_output=True, text=True, timeout=60, check=True)
    body, _, spoken = done.stdout.rpartition("\n")
    assert json.loads(body)["tenant"] == "default"
    assert spoken == version


def test_old_tls_is_refused(shared, certificates):
    done = subprocess.run(
        ["curl", "-sS", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", "--cacert",
         str(certificates.ca), f"https://localhost:{shared.port('https')}/livez"],
        capture_output=True, text=True, timeout=60)
    assert done.returncode != 0


def test_clear_text_on_the_tls_port_ends(shared):
    with Wire(shared.port("https")) as wire:
        wire.send(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            assert wire.answer().status == 400
        except Closed:
            pass
        assert shared.request("GET", "/livez").status == 200


# -- limits of time and number


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("impatient"), "--timeouts-header", "300ms",
                "--timeouts-body", "300ms", "--timeouts-idle", "600ms",
                "--limits-min-rate", "0") as started:
        yield started


def test_a_slow_head_is_ended(impatient):
    with impatient.connect() as wire:
        wire.send(b"GET /livez HTTP/1.1\r\nHost: ")
        try:
            assert wire.answer().status == 408
        except Closed:
            pass
        assert wire.is_closed_by_server()


def test_a_slow_body_is_ended(impatient):
    with impatient.connect() as wire:
        wire.send(post_head(impatient.token(), "Content-Length: 100") + b'{"name"')
        assert wire.answer("POST").status == 408
        assert wire.is_closed_by_server()


def test_a_quiet_connection_is_ended(impatient):
    with impatient.connect() as wire:
        assert wire.request("GET", "/livez").status == 200
        assert wire.is_closed_by_server()
    with H2(impatient.port()) as wire:
        assert wire.request("GET", "/livez").status == 200
        assert wire.wait_for_goaway() == 0
    with impatient.connect() as wire:
        assert wire.is_closed_by_server()


def test_more_connections_than_allowed_are_closed_at_once(tmp_path):
    with Server(tmp_path, "--limits-connections", "3") as server:
        kept = [server.connect() for _ in range(3)]
        assert all(wire.stays_open() for wire in kept)
        with server.connect() as one_too_many:
            assert one_too_many.is_closed_by_server()
        assert all(wire.stays_open() for wire in kept)
        for wire in kept:
            wire.close()


def test_a_client_certificate_is_asked_for(tmp_path, certificates):
    cert, key = certificates.server
    own, own_key = certificates.sign("client", common_name="someone")
    with Server(tmp_path, "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", certificates.ca,
                "--tls-client-auth", "required", listen=("tls://127.0.0.1:0",)) as server:
        url = f"https://localhost:{server.port('https')}/livez"
        call = ["curl", "-sS", "--cacert", str(certificates.ca), url]
        assert subprocess.run(call, capture_output=True, timeout=60).returncode != 0
        done = subprocess.run([*call, "--cert", str(own), "--key", str(own_key)],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and done.stdout == "ok\n", done.stderr
