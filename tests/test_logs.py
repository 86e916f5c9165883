# SPDX-License-Identifier: Apache-2.0
"""The log: one access line a request with everything in it, and never a secret."""
import base64
import json
import re

import pytest

from h2client import H2
from harness import Server, basic, wait_for

FIELDS = {"request_id", "tenant", "key", "route", "method", "path", "code", "bytes_in", "bytes_out",
          "queue_us", "store_us", "total_us", "proto", "peer"}


def access_line(server, request_id):
    found = wait_for("the access line", lambda: [l for l in server.lines()
                                                 if l.get("request_id") == request_id and
                                                 "total_us" in l])
    assert len(found) == 1, found
    return found[0]


def test_every_line_is_json(server):
    with server.connect() as wire:
        wire.request("GET", "/admin/v1/whoami", token=server.token(),
                     headers=['X-Request-Id: one', 'User-Agent: "quoted" \\ \t\xff'])
        wire.request("GET", '/"quoted"\\', headers=["X-Request-Id: two"])
    access_line(server, "one")
    access_line(server, "two")
    for line in server.log().splitlines():
        parsed = json.loads(line)
        assert {"time", "level"} & set(parsed) or {"ts", "level"} <= set(parsed), line


@pytest.mark.parametrize("way", ["http/1.1", "h2"])
def test_a_request_leaves_one_line_with_everything(server, way):
    client = server.connect() if way == "http/1.1" else H2(server.port())
    body = {"name": "a" * 10}
    with client:
        answer = client.request("POST", "/admin/v1/tenants?", body, server.token(),
                                [f"X-Request-Id: it-{way[:2]}"])
        assert answer.status == 201
    line = access_line(server, f"it-{way[:2]}")
    assert FIELDS <= set(line), FIELDS - set(line)
    assert line["tenant"] == "default" and line["key"] == server.credentials()["id"]
    assert line["route"] == "admin.tenants.create" and line["method"] == "POST"
    assert line["path"] == "/admin/v1/tenants" and line["code"] == 201
    assert line["bytes_in"] == len(json.dumps(body)) and line["bytes_out"] == len(answer.body)
    assert line["proto"] == ("HTTP/1.1" if way == "http/1.1" else "HTTP/2")
    assert line["peer"].startswith("127.0.0.1")
    assert line["total_us"] >= line["store_us"] > 0 and line["queue_us"] >= 0


def test_refusals_leave_a_line_too(server):
    with server.connect() as wire:
        wire.request("GET", "/nope", headers=["X-Request-Id: lost"])
        wire.request("GET", "/admin/v1/keys", headers=["X-Request-Id: nobody"])
        wire.request("PUT", "/livez", headers=["X-Request-Id: verb"])
    assert access_line(server, "lost")["code"] == 404
    nobody = access_line(server, "nobody")
    assert nobody["code"] == 401 and not nobody.get("tenant") and not nobody["key"]
    assert access_line(server, "verb")["code"] == 405


def test_a_malformed_request_leaves_a_line(server):
    with server.connect() as wire:
        wire.send(b"GET /livez HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n")
        request_id = wire.answer().fields["x-request-id"]
    assert access_line(server, request_id)["code"] == 400


def test_a_client_that_left_leaves_a_line(server):
    with server.connect() as wire:
        wire.send((f"GET /admin/v1/keys HTTP/1.1\r\nHost: a\r\nX-Request-Id: gone\r\n"
                   f"Authorization: Bearer {server.token()}\r\n\r\n").encode())
    assert access_line(server, "gone")["route"] == "admin.keys.list"


def test_probes_are_quiet(server):
    for path in ("/livez", "/readyz", "/metrics", "/version"):
        server.request("GET", path, headers=["X-Request-Id: probe"])
    server.request("GET", "/nope", headers=["X-Request-Id: after"])
    access_line(server, "after")
    assert not [l for l in server.lines() if l.get("request_id") == "probe"]


def test_ids_of_requests_differ(server):
    with server.connect() as wire:
        ids = [wire.request("GET", "/nope").fields["x-request-id"] for _ in range(100)]
    assert len(set(ids)) == 100


def test_secrets_never_appear(tmp_path):
    """Every way in which a secret travels, at the most talkative level."""
    with Server(tmp_path, "--log-level", "debug") as server:
        known = server.credentials()
        secrets = [known["secret"], known["token"],
                   base64.b64encode(f"{known['id']}:{known['secret']}".encode()).decode()]
        for form in (f"Authorization: Bearer {known['token']}",
                     f"Authorization: Key {known['token']}", f"token: {known['token']}",
                     basic(known["id"], known["secret"]), basic("default", known["token"]),
                     f"Authorization: Digest {known['token']}",
                     f"Authorization: Bearer {known['token']}x",
                     f"Authorization: Basic {known['token']}",
                     f"Cookie: {known['token']}", f"X-Clarifai-Session-Token: {known['token']}"):
            server.request("GET", "/admin/v1/whoami", token=None, headers=[form])
            with H2(server.port()) as client:
                client.request("GET", "/admin/v1/whoami", headers=[form])
        with server.connect() as wire:  # in places where it should not be
            wire.request("GET", f"/admin/v1/keys?token={known['token']}", token=known["token"])
            wire.request("GET", f"/nope?secret={known['secret']}")
            wire.send(f"GET /livez HTTP/1.1\r\nAuthorization: Bearer {known['token']}\r\nX : y"
                      "\r\n\r\n".encode())
            wire.answer()
        made = server.request("POST", "/admin/v1/keys", {"label": "x"}).json()
        secrets += [made["secret"], made["token"]]
        server.request("GET", "/admin/v1/whoami", token=made["token"])
        server.cli("key", "create", "--label", "by hand")
        server.cli("backup", tmp_path / "copy")
        run_with_key = ["key", "list", "--server", server.url(), "--key", known["token"]]
        done = server.cli(*run_with_key, where=False)
        assert done.returncode == 0
        server.request("GET", "/nope", headers=["X-Request-Id: last"])
        access_line(server, "last")
    log = server.log()
    for secret in secrets:
        assert secret not in log
    assert (server.data / "master.key").read_bytes() not in log.encode()
    assert not re.search(r"mst_[0-9a-z]{20}_", log)


def test_logfmt_when_asked_for(tmp_path):
    with Server(tmp_path, "--log-format", "logfmt") as server:
        server.request("GET", "/nope", headers=["X-Request-Id: plain"])
        line = wait_for("the line", lambda: next((l for l in server.log().split("\n")[:-1]
                                                  if "request_id=plain" in l), None))
        assert "code=404" in line and "route=admin.unmatched" in line
        assert not line.startswith("{")


def test_a_line_cannot_be_forged(server):
    """What a client sends stays inside its own value."""
    with server.connect() as wire:
        wire.request("GET", "/nope%0a%7b%22level%22:%22error%22%7d",
                     headers=["X-Request-Id: forged"])
        wire.request("POST", "/admin/v1/tenants", {"name": 'x"} \n{"level":"error"'},
                     server.token(), ["X-Request-Id: body"])
    access_line(server, "forged")
    access_line(server, "body")
    assert not [l for l in server.lines() if l.get("level") == "error"]


def test_the_start_and_the_end_are_told(tmp_path):
    with Server(tmp_path) as server:
        assert str(server.port()) in server.wait_for_line(msg="listening")["url"]
        assert "first-credentials.json" in server.log()
        server.wait_for_line(msg="serving")
    assert [l["msg"] for l in server.lines()][-1] == "stopped"
