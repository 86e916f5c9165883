# SPDX-License-Identifier: Apache-2.0
"""Who may do what: roles, scopes, tenants, expiry, revocation, and how much of it."""
import pytest

from fleet.client import Fleet
from h2client import H2
from harness import Server, run, wait_for

DOORS = {  # method and path -> what opens it
    ("GET", "/admin/v1/whoami"): {"admin", "editor", "viewer", "agent", "operator"},
    ("GET", "/admin/v1/keys"): {"admin", "operator"},
    ("POST", "/admin/v1/keys"): {"admin", "operator"},
    ("DELETE", "/admin/v1/keys/nope"): {"admin", "operator"},
    ("GET", "/admin/v1/events"): {"admin", "editor", "viewer", "operator"},
    ("GET", "/admin/v1/tenants"): {"operator"},
    ("POST", "/admin/v1/tenants"): {"operator"},
    ("DELETE", "/admin/v1/tenants/nope"): {"operator"},
    ("POST", "/admin/v1/check"): {"operator"},
    ("GET", "/admin/v1/backup"): {"operator"},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A server with a tenant "lab" and a key of every role in it."""
    with Server(tmp_path_factory.mktemp("access")) as server:
        assert server.request("POST", "/admin/v1/tenants", {"name": "lab"}).status == 201
        server.keys = {"operator": server.token()}
        for role in ("admin", "editor", "viewer", "agent"):
            made = server.request("POST", "/admin/v1/keys", {"tenant": "lab", "role": role})
            assert made.status == 201, made
            server.keys[role] = made.json()["token"]
        yield server


@pytest.mark.parametrize("method, path", DOORS, ids=lambda v: v)
@pytest.mark.parametrize("who", ["operator", "admin", "editor", "viewer", "agent"])
def test_a_door_opens_for_those_it_is_meant_for(world, method, path, who):
    body = {"bad": 1} if method == "POST" and "check" not in path else None
    answer = world.request(method, path, body, world.keys[who])
    if who in DOORS[method, path]:
        assert answer.status not in (401, 403), answer
    else:
        assert answer.status == 403, answer
        assert answer.json()["error"]["code"] == "permission_denied"


def test_no_door_opens_without_a_key(world):
    for method, path in DOORS:
        assert world.request(method, path, token=None).status == 401, path


def test_a_tenant_does_not_see_another(world):
    own = world.request("GET", "/admin/v1/keys", token=world.keys["admin"]).json()["keys"]
    assert {k["tenant"] for k in own} == {"lab"}
    theirs = world.request("GET", "/admin/v1/keys").json()["keys"]
    assert {k["tenant"] for k in theirs} == {"default"}
    foreign = theirs[0]["id"]
    for method in ("GET", "DELETE"):
        answer = world.request(method, f"/admin/v1/keys/{foreign}", token=world.keys["admin"])
        assert answer.status == 404, answer
    for query in ("keys?tenant=default", "events?tenant=default", "keys?tenant=nope"):
        answer = world.request("GET", f"/admin/v1/{query}", token=world.keys["admin"])
        assert answer.status == 403, answer  # also for what is not there: nothing is given away
    answer = world.request("POST", "/admin/v1/keys", {"tenant": "default"}, world.keys["admin"])
    assert answer.status == 403
    seen = world.request("GET", "/admin/v1/events", token=world.keys["admin"]).json()["events"]
    assert foreign not in {e["subject"] for e in seen}  # it is the actor: that is no secret


def test_an_admin_of_a_tenant_is_no_operator(world):
    """Not by the scope either: "tenants" in another tenant's key opens nothing."""
    answer = world.request("POST", "/admin/v1/keys", {"role": "admin", "scopes": ["tenants"]},
                           world.keys["admin"])
    if answer.status == 201:
        token = answer.json()["token"]
        assert world.request("GET", "/admin/v1/tenants", token=token).status == 403
    else:
        assert answer.status in (400, 403)


def test_nobody_hands_out_more_than_they_have(world):
    narrow = world.request("POST", "/admin/v1/keys", {
        "tenant": "lab", "role": "admin", "scopes": ["keys:read", "keys:write"]}).json()["token"]
    assert world.request("POST", "/admin/v1/keys", {"role": "admin"}, narrow).status == 403
    assert world.request("POST", "/admin/v1/keys", {"role": "viewer"}, narrow).status == 403
    same = world.request("POST", "/admin/v1/keys", {"role": "admin", "scopes": ["keys:read"]},
                         narrow)
    assert same.status == 201, same


def test_a_scope_that_the_role_does_not_have_is_refused(world):
    answer = world.request("POST", "/admin/v1/keys", {"role": "viewer", "scopes": ["keys:write"]})
    assert answer.status == 400 and answer.json()["error"]["field"] == "scopes"


def test_a_key_ends_when_it_expires(world):
    made = world.request("POST", "/admin/v1/keys", {"role": "viewer", "expires": "3s"}).json()
    assert world.request("GET", "/admin/v1/whoami", token=made["token"]).status == 200
    wait_for("the key to expire", lambda: world.request(
        "GET", "/admin/v1/whoami", token=made["token"]).status == 401)


def test_a_revoked_key_ends_on_open_connections_too(world):
    made = world.request("POST", "/admin/v1/keys", {"role": "viewer"}).json()
    with world.connect() as one, H2(world.port()) as two:
        for wire in (one, two):
            assert wire.request("GET", "/admin/v1/whoami", token=made["token"]).status == 200
        assert world.request("DELETE", f"/admin/v1/keys/{made['id']}").status == 200
        for wire in (one, two):
            assert wire.request("GET", "/admin/v1/whoami", token=made["token"]).status == 401


def test_keys_of_a_deleted_tenant_end_with_it(world):
    world.request("POST", "/admin/v1/tenants", {"name": "short-lived"})
    made = world.request("POST", "/admin/v1/keys", {"tenant": "short-lived"}).json()
    assert world.request("GET", "/admin/v1/whoami", token=made["token"]).status == 200
    assert world.request("DELETE", "/admin/v1/tenants/short-lived").status == 204
    assert world.request("GET", "/admin/v1/whoami", token=made["token"]).status == 401
    assert world.request("POST", "/admin/v1/tenants", {"name": "short-lived"}).status == 201
    assert world.request("GET", "/admin/v1/whoami", token=made["token"]).status == 401


def test_a_deleted_tenant_stays_deleted_whatever_is_left_of_it(tmp_path):
    server = Server(tmp_path).start()
    with Fleet(server, "lab") as lab:
        for i in range(50):
            lab.register(f"agent-{i}", {"a": "b"})
        lab.pipeline("web", "// web\n", ["a=b"])
        assert server.request("DELETE", "/admin/v1/tenants/lab").status == 204
    server.kill()  # its rows may be there, in part or all of them
    run("check", server.data, check=0)
    with Server(tmp_path) as again:
        assert again.request("GET", "/admin/v1/tenants/lab").status == 404
        found = again.request("POST", "/admin/v1/check").json()["rows"]
        assert (found["tenants"], found["collectors"], found["pipelines"]) == (1, 0, 0), found
        with Fleet(again, "lab") as lab:
            assert lab.listed() == []


def test_changes_are_on_the_record(world):
    made = world.request("POST", "/admin/v1/keys", {"tenant": "lab", "label": "noted"}).json()
    world.request("DELETE", f"/admin/v1/keys/{made['id']}?tenant=lab")
    events = world.request("GET", "/admin/v1/events?tenant=lab&limit=1000").json()["events"]
    mine = [e for e in events if made["id"] in (e["subject"], str(e["data"]))
            or made["id"] in str(e)]
    assert len(mine) == 2, events
    assert [e["seq"] for e in events] == sorted(e["seq"] for e in events)
    assert made["secret"] not in str(events)
    assert all(e["actor"] for e in mine)


# -- how much

MANY = 60  # requests in a row: more than some seconds give back, however slow the machine


def test_more_than_the_rate_is_refused_for_a_while(tmp_path):
    with Server(tmp_path, "--rate-admin-key-per-second", "5", "--rate-admin-key-burst",
                "5") as server, server.connect() as wire:
        token = server.token()
        answers = [wire.request("GET", "/admin/v1/whoami", token=token) for _ in range(MANY)]
        assert answers[0].status == 200
        refused = [a for a in answers if a.status == 429]
        assert refused
        for answer in refused:
            assert int(answer.fields["retry-after"]) >= 1
            assert answer.json()["error"]["code"] == "resource_exhausted"
            assert answer.fields["ratelimit-limit"] == "5"
            assert answer.fields["ratelimit-remaining"] == "0"
        left = [int(a.fields["ratelimit-remaining"]) for a in answers if a.status == 200]
        assert left[0] == 4
        assert wire.request("GET", "/livez").status == 200  # probes are not counted
        wait_for("the bucket to fill", lambda: wire.request(
            "GET", "/admin/v1/whoami", token=token).status == 200)


def test_one_key_does_not_use_up_anothers_rate(tmp_path):
    with Server(tmp_path, "--rate-admin-key-per-second", "2") as server, server.connect() as wire:
        other = wire.request("POST", "/admin/v1/keys", {"role": "viewer"}, server.token()).json()
        for _ in range(6):
            wire.request("GET", "/admin/v1/whoami", token=server.token())
        assert wire.request("GET", "/admin/v1/whoami", token=other["token"]).status == 200


def test_the_rate_of_a_tenant_is_that_of_its_keys_together(tmp_path):
    with Server(tmp_path, "--rate-admin-tenant-per-second", "3") as server:
        with server.connect() as wire:
            other = wire.request("POST", "/admin/v1/keys", {"role": "viewer"},
                                 server.token()).json()
            seen = [wire.request("GET", "/admin/v1/whoami", token=t).status
                    for t in [server.token(), other["token"]] * (MANY // 2)]
        assert 429 in seen


def test_a_body_held_back_does_not_outlive_its_key(world):
    """The head was good when it came; the key was revoked before the last byte did."""
    made = world.request("POST", "/admin/v1/keys", {"role": "admin"}).json()
    body = b'{"role":"admin","label":"too late"}'
    with world.connect() as wire:
        wire.send(b"POST /admin/v1/keys HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                  b"Content-Type: application/json\r\nContent-Length: %d\r\n"
                  b"Authorization: Bearer %s\r\n\r\n" % (len(body), made["token"].encode()))
        assert wire.answer("POST", interim=True).status == 100  # the key was looked at
        wire.send(body[:-1])
        assert world.request("DELETE", f"/admin/v1/keys/{made['id']}").status == 200
        wire.send(body[-1:])
        assert wire.answer("POST").status == 401
    keys = world.request("GET", "/admin/v1/keys").json()["keys"]
    assert "too late" not in [k["label"] for k in keys]


def test_an_admin_of_a_tenant_makes_another(world):
    made = world.request("POST", "/admin/v1/keys", {"role": "admin"}, world.keys["admin"])
    assert made.status == 201, made
    assert not {"tenants", "server"} & set(made.json()["scopes"])
    again = world.request("POST", "/admin/v1/keys", {"role": "admin"}, made.json()["token"])
    assert again.status == 201, again
