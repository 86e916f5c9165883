# SPDX-License-Identifier: Apache-2.0
"""`muster agents` and `muster pipelines` against a running server: by its data directory and by its
address, as tables and as JSON, with every way to be refused."""
import json
import re
import select
import subprocess

import pytest

from harness import BINARY, PATIENCE, Server, environment, run, wait_for
from test_cli import table

OK, FAILURE, USAGE = 0, 1, 2
UNREACHABLE, DENIED, NOT_FOUND, CONFLICT, REFUSED, PROBLEMS, DIFFERS = range(10, 17)

WEB_1 = {"role": "web", "rack": "1"}
SCRAPE = 'prometheus.scrape "%s" {\n  targets    = []\n  forward_to = []\n}\n'


def call(server, method, message, token=True):
    answer = server.request("POST", f"/{method}", message, token=token)
    assert answer.status == 200, answer
    return answer.json()


def register(server, name, token=True, **attributes):
    call(server, "collector.v1.CollectorService/RegisterCollector",
         {"id": name, "localAttributes": attributes}, token)


def poll(server, name, attributes=None, **more):
    return call(server, "collector.v1.CollectorService/GetConfig",
                {"id": name, "localAttributes": attributes or {}, **more})


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Its agents: web-1 to web-3 and db-1; tests that add others use other attributes."""
    with Server(tmp_path_factory.mktemp("fleetcli")) as started:
        for i in (1, 2, 3):
            register(started, f"web-{i}", role="web", rack=str(i))
        register(started, "db-1", role="db", rack="1")
        yield started


@pytest.fixture(params=["admin socket", "address and key"])
def muster(request, server):
    def command(*arguments, check=None):
        more = ["--data", server.data]
        if request.param != "admin socket":
            more = ["--server", server.url(), "--key", server.token()]
        return run(*arguments, *more, check=check, cwd=server.folder)
    command.way = request.param.split()[0]
    return command


def as_json(done):
    return json.loads(done.stdout)


def outcome(done):
    return {p["name"]: p["outcome"] for p in as_json(done)["pipelines"]}


# -- agents


def test_agents_are_listed_by_id(muster):
    rows = table(muster("agents", "list", "--matcher", 'role=~"web|db"', check=OK).stdout)
    assert [r["ID"] for r in rows] == ["db-1", "web-1", "web-2", "web-3"]
    assert {r["STATE"] for r in rows} == {"active"} and {r["ENABLED"] for r in rows} == {"true"}
    assert {r["TYPE"] for r in rows} == {"alloy"} and {r["STATUS"] for r in rows} == {"-"}
    listed = as_json(muster("agents", "list", "--matcher", "role=web", "--matcher", "rack!=2",
                            "--output", "json", check=OK))
    assert [a["id"] for a in listed["agents"]] == ["web-1", "web-3"]
    assert listed["agents"][0]["localAttributes"] == {"role": "web", "rack": "1"}
    assert as_json(muster("agents", "list", "--matcher", "role=none", "--output", "json",
                          check=OK)) == {"agents": []}


def test_agents_by_their_state(muster, server):
    for name, status in (("s-1", "APPLIED"), ("s-2", "FAILED"), ("s-3", None), ("s-4", "APPLIED")):
        register(server, name, role="state")
        if status:
            poll(server, name, {"role": "state"}, remoteConfigStatus={
                "status": f"RemoteConfigStatuses_{status}", "errorMessage": "no\nway"})
    call(server, "collector.v1.CollectorService/UnregisterCollector", {"id": "s-4"})

    def ids(*flags):
        done = muster("agents", "list", "--matcher", "role=state", "--output", "json", *flags,
                      check=OK)
        return [a["id"] for a in as_json(done)["agents"]]
    assert ids("--status", "applied") == ["s-1", "s-4"]
    assert ids("--status", "applied", "--active") == ["s-1"]
    assert ids("--inactive") == ["s-4"]
    assert ids("--status", "none", "--status", "failed") == ["s-2", "s-3"]
    rows = table(muster("agents", "list", "--matcher", "role=state", check=OK).stdout)
    assert [(r["STATE"], r["STATUS"]) for r in rows] == [
        ("active", "applied"), ("active", "failed"), ("active", "-"), ("inactive", "applied")]


def test_a_long_list_comes_whole(server):
    """More than two pages, of ids that are not in the order of their numbers."""
    with server.connect() as wire:
        for i in range(2100):
            done = wire.request("POST", "/collector.v1.CollectorService/RegisterCollector",
                                {"id": f"many-{i * 7919 % 2100:04}",
                                 "localAttributes": {"role": "many"}}, server.token())
            assert done.status == 200
    listed = as_json(server.cli("agents", "list", "--matcher", "role=many", "--output", "json",
                                check=OK))["agents"]
    assert [a["id"] for a in listed] == [f"many-{i:04}" for i in range(2100)]


def test_pages_are_exact_and_their_tokens_checked(server):
    first = call(server, "muster.v1.FleetService/ListAgents",
                 {"matchers": ["role=web"], "pageSize": 2})
    assert [a["id"] for a in first["agents"]] == ["web-1", "web-2"]
    second = call(server, "muster.v1.FleetService/ListAgents",
                  {"matchers": ["role=web"], "pageSize": 2, "pageToken": first["nextPageToken"]})
    assert [a["id"] for a in second["agents"]] == ["web-3"] and second["nextPageToken"] == ""
    full = call(server, "muster.v1.FleetService/ListAgents",
                {"matchers": ["role=web"], "pageSize": 3})
    assert len(full["agents"]) == 3 and full["nextPageToken"] == ""
    for bad in ({"pageToken": "!"}, {"statuses": [99]}, {"matchers": ["no matcher"]},
                {"matchers": ["a=b"] * 101}):
        answer = server.request("POST", "/muster.v1.FleetService/ListAgents", bad)
        assert answer.status == 400 and answer.json()["code"] == "invalid_argument", answer


def test_one_agent_with_what_it_says(muster, server):
    register(server, "told", role="told")
    poll(server, "told", {"role": "told"},
         remoteConfigStatus={"status": "RemoteConfigStatuses_FAILED",
                             "errorMessage": "line 1\nline\u001b[31m 2"},
         effectiveConfig={"configMap": {"configMap": {
             "": {"body": "bG9nZ2luZyB7fQo=", "contentType": "text/plain"}}}})
    call(server, "collector.v1.CollectorService/UpdateCollector",
         {"collector": {"id": "told", "name": "T", "remoteAttributes": {"team": "a"}}})
    shown = muster("agents", "get", "told", check=OK).stdout
    fields = dict(re.findall(r"(?m)^(\S+(?: \S+)*?)\s{2,}(.*)$", shown))
    assert fields["id"] == "told" and fields["name"] == "T" and fields["status"] == "failed"
    assert fields["local role"] == "told" and fields["remote team"] == "a"
    assert "line 1\nline?[31m 2\n" in shown and "logging {}" not in shown
    assert "\nlogging {}\n" in muster("agents", "get", "told", "--config", check=OK).stdout
    told = as_json(muster("agents", "get", "told", "--output", "json", check=OK))
    assert told["statusError"] == "line 1\nline\x1b[31m 2"
    assert told["effectiveConfig"] == [
        {"name": "", "body": "bG9nZ2luZyB7fQo=", "contentType": "text/plain"}]
    assert told["agent"]["remoteAttributes"] == {"team": "a"}


def test_a_time_that_is_only_in_memory_is_shown(server):
    register(server, "fresh", role="fresh")
    before = as_json(server.cli("agents", "get", "fresh", "--output", "json", check=OK))
    poll(server, "fresh", {"role": "fresh"})
    after = as_json(server.cli("agents", "get", "fresh", "--output", "json", check=OK))
    assert after["agent"]["lastSeenAt"] > before["agent"]["lastSeenAt"]


@pytest.mark.parametrize("arguments, code", [
    (["agents", "get", "nobody"], NOT_FOUND), (["agents", "explain", "nobody"], NOT_FOUND),
    (["agents", "get"], USAGE), (["agents", "get", ""], USAGE), (["agents", "get", "a", "b"], USAGE),
    (["agents", "list", "--status", "fine"], USAGE), (["agents", "list", "x"], USAGE),
    (["agents", "list", "--active", "--inactive"], USAGE),
    (["agents", "list", "--matcher", "="], REFUSED),
    (["agents", "watch", "--matcher", "a=~("], REFUSED),
    (["agents", "watch", "--count", "0"], USAGE), (["agents", "watch", "--count", "x"], USAGE),
    (["agents", "list", "--output", "xml"], USAGE), (["agents"], USAGE), (["agents", "kill"], USAGE),
    (["agents", "list", "--tenant", "nowhere"], NOT_FOUND),
    (["pipelines", "get", "none"], NOT_FOUND), (["pipelines", "delete", "none"], NOT_FOUND),
    (["pipelines", "revisions", "none"], NOT_FOUND), (["pipelines", "delete"], USAGE),
    (["pipelines", "apply"], USAGE), (["pipelines", "apply", "-f"], USAGE),
    (["pipelines", "apply", "-f", "/no/such/file.json"], NOT_FOUND),
    (["pipelines", "diff", "-f", "/dev/null"], USAGE), (["pipelines", "list", "-x"], USAGE),
    (["pipelines", "list", "--matching", "a"], USAGE),
    (["pipelines", "list", "--matching", "=b"], USAGE),
])
def test_mistakes(muster, arguments, code):
    if len(arguments) > 1:
        done = muster(*arguments, check=code)
    else:
        done = run(*arguments, check=code)
    assert done.stdout == "" and done.stderr


# -- watch


class Watch:
    """`muster agents watch` in the background; lines as they come."""

    def __init__(self, server, *flags, way=None):
        self.process = subprocess.Popen(
            [BINARY, "agents", "watch", *flags, *(way or ["--data", str(server.data)])],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def end(self):
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


def change_until_it_ends(server, watch, name, **attributes):
    """A watch begins some time after its process does: changes an agent until it saw enough."""
    turn = 0

    def ended():
        nonlocal turn
        turn += 1
        register(server, name, turn=str(turn), **attributes)
        return watch.process.poll() is not None
    wait_for("the watch to end", ended)
    return watch.end()


def change_until_it_is_seen(server, watch, name, **attributes):
    turn = 0

    def seen():
        nonlocal turn
        turn += 1
        register(server, name, turn=str(turn), **attributes)
        return bool(select.select([watch.process.stdout], [], [], 0.01)[0])
    wait_for("the first change", seen)


def test_changes_are_seen_as_they_happen(muster, server):
    way = ["--data", str(server.data)] if muster.way == "admin" else \
        ["--server", server.url(), "--key", server.token()]
    with Watch(server, "--count", "2", "--matcher", "role=seen", way=way) as watch:
        register(server, "unseen", role="other")
        code, out, err = change_until_it_ends(server, watch, "seen-1", role="seen")
    assert code == OK and err == ""
    assert out == "changed  seen-1  -  active\n" * 2
    assert server.request("GET", "/readyz", token=None).status == 200


def test_changes_as_lines_of_json(server):
    with Watch(server, "--count", "1", "--output", "json", "--matcher", "role=json") as watch:
        code, out, _ = change_until_it_ends(server, watch, "json-1", role="json")
    change = json.loads(out)
    assert code == OK and len(out.splitlines()) == 1
    assert change["kind"] == "KIND_CHANGED" and change["agent"]["localAttributes"]["role"] == "json"


def test_a_deletion_is_told(server):
    with Watch(server, "--matcher", "role=gone") as watch:
        lines = iter(watch.process.stdout.readline, "")
        change_until_it_is_seen(server, watch, "gone-1", role="gone")
        call(server, "collector.v1.CollectorService/DeleteCollector", {"id": "gone-1"})
        assert next(line for line in lines if not line.startswith("changed")) == "deleted  gone-1\n"


def test_a_watch_ends_when_the_server_does(tmp_path):
    with Server(tmp_path) as server:
        with Watch(server) as watch:
            change_until_it_is_seen(server, watch, "x")
            server.stop()
            code, _, err = watch.end()
    assert code == UNREACHABLE and "stopping" in err


def test_a_watch_ends_with_its_key(server):
    made = as_json(server.cli("key", "create", "--role", "viewer", "--output", "json", check=OK))
    way = ["--server", server.url(), "--key", made["token"]]
    with Watch(server, "--matcher", "role=keyed", way=way) as watch:
        change_until_it_is_seen(server, watch, "keyed", role="keyed")
        server.cli("key", "revoke", made["id"], check=OK)
        register(server, "keyed", role="keyed", turn="last")
        code, out, err = watch.end()
    assert code == DENIED and "credential" in err and "last" not in out


def test_a_key_that_may_not_look(server):
    made = as_json(server.cli("key", "create", "--role", "agent", "--output", "json", check=OK))
    way = ["--server", server.url(), "--key", made["token"]]
    for arguments in (["agents", "list"], ["agents", "get", "web-1"], ["agents", "watch"],
                      ["agents", "explain", "web-1"], ["pipelines", "list"],
                      ["pipelines", "get", "x"]):
        assert run(*arguments, *way, check=DENIED).stderr
    assert run("agents", "watch", "--server", server.url(), "--key", "mst_x_y",
               check=DENIED).stderr


# -- pipelines


@pytest.fixture
def files(tmp_path):
    def write(name, contents):
        path = tmp_path / name
        path.write_text(contents if isinstance(contents, str) else json.dumps(contents))
        return path
    return write


def test_a_file_of_contents_is_applied_compared_and_deleted(muster, files):
    name = f"site-{muster.way}"
    path = files(f"{name}.alloy", SCRAPE % "one")
    assert outcome(muster("pipelines", "apply", "-f", path, "--matcher", "role=web", "--matcher",
                          "rack=1", "--dry-run", "--output", "json", check=OK)) == {name: "created"}
    muster("pipelines", "get", name, check=NOT_FOUND)
    done = muster("pipelines", "diff", "-f", path, check=DIFFERS)
    assert done.stdout.startswith(f"--- /dev/null\n+++ {path}\n@@ -0,0 ")

    done = muster("pipelines", "apply", "-f", path, "--matcher", "role=web", "--matcher", "rack=1",
                  check=OK)
    assert done.stdout == f"pipeline {name} is created\n"
    # Without --matcher, those that are stored stay.
    assert muster("pipelines", "diff", "-f", path, check=OK).stdout == ""
    assert outcome(muster("pipelines", "apply", "-f", path, "--output", "json",
                          check=OK)) == {name: "unchanged"}
    assert muster("pipelines", "get", name, "--contents", check=OK).stdout == SCRAPE % "one"
    got = as_json(muster("pipelines", "get", name, "--output", "json", check=OK))
    assert got["matchers"] == ["role=web", "rack=1"] and got["enabled"] is True

    path.write_text(SCRAPE % "two")
    shown = muster("pipelines", "diff", "-f", path, "--matcher", "role=db", check=DIFFERS).stdout
    assert '-prometheus.scrape "one" {\n+prometheus.scrape "two" {\n' in shown
    assert "-matcher: role=web\n-matcher: rack=1\n+matcher: role=db\n" in shown
    assert muster("pipelines", "apply", "-f", path, check=OK).stdout == \
        f"pipeline {name} is updated\n"
    rows = table(muster("pipelines", "revisions", name, check=OK).stdout)
    assert [r["OPERATION"] for r in rows] == ["update", "insert"]
    assert {r["MATCHERS"] for r in rows} == {"role=web,rack=1"}

    muster("pipelines", "delete", name, "none-such", check=NOT_FOUND)
    muster("pipelines", "get", name, check=OK)  # all or none
    assert muster("pipelines", "delete", name, check=OK).stdout == f"pipeline {name} is deleted\n"
    muster("pipelines", "get", name, check=NOT_FOUND)
    every = as_json(muster("pipelines", "revisions", "--output", "json", check=OK))
    assert any(r["operation"] == "DELETE" and r["snapshot"]["name"] == name
               for r in every["pipelineRevisions"])


def test_pipelines_in_json(muster, files):
    """What get prints can be applied again."""
    names = [f"j-{muster.way}-{i}" for i in (1, 2)]
    path = files("all.json", {"pipelines": [
        {"name": names[0], "contents": SCRAPE % "a", "matchers": ["role=web"],
         "metadata": {"team": "x"}},
        {"name": names[1], "contents": "receivers: {}\n", "config_type": "CONFIG_TYPE_OTEL",
         "enabled": False}]})
    assert outcome(muster("pipelines", "apply", "-f", path, "--output", "json",
                          check=OK)) == dict.fromkeys(names, "created")
    muster("pipelines", "diff", "-f", path, check=OK)
    rows = {r["NAME"]: r for r in table(muster("pipelines", "list", check=OK).stdout)}
    assert rows[names[0]]["TYPE"] == "alloy" and rows[names[0]]["MATCHERS"] == "role=web"
    assert rows[names[1]]["TYPE"] == "otel" and rows[names[1]]["ENABLED"] == "false"

    got = muster("pipelines", "get", names[0], "--output", "json", check=OK).stdout
    again = files("again.json", got)
    muster("pipelines", "diff", "-f", again, check=OK)
    changed = json.loads(got)
    changed["metadata"] = {"team": "y"}
    changed["enabled"] = False
    again.write_text(json.dumps(changed))
    shown = muster("pipelines", "diff", "-f", again, check=DIFFERS).stdout
    assert "-enabled: true\n+enabled: false\n" in shown
    assert '-metadata: {"team":"x"}\n+metadata: {"team":"y"}\n' in shown
    muster("pipelines", "apply", "-f", again, path, check=USAGE)  # one of them twice
    assert outcome(muster("pipelines", "apply", "-f", again, "--output", "json",
                          check=OK)) == {names[0]: "updated"}
    muster("pipelines", "delete", *names, check=OK)


def test_pipelines_by_attributes(muster, files):
    name = f"m-{muster.way}"
    path = files(f"{name}.alloy", SCRAPE % "m")
    muster("pipelines", "apply", "-f", path, "--matcher", "color=red", "--matcher", "size=big",
           check=OK)

    def matching(*flags):
        listed = as_json(muster("pipelines", "list", *flags, "--output", "json", check=OK))
        return name in {p["name"] for p in listed["pipelines"]}
    assert matching() and matching("--matching", "color=red,size=big")
    assert matching("--matching", "color=red", "--matching", "size=big")
    assert not matching("--matching", "color=red") and not matching("--matching", "color=a=b")
    muster("pipelines", "delete", name, check=OK)


def test_one_bad_file_keeps_all_from_being_written(server, files):
    good, bad = files("good.alloy", SCRAPE % "g"), files("bad.alloy", "this is {")
    done = server.cli("pipelines", "apply", "-f", good, "-f", bad, check=REFUSED)
    assert "line 1" in done.stderr and "bad.alloy" in done.stderr and done.stdout == ""
    server.cli("pipelines", "get", "good", check=NOT_FOUND)


@pytest.mark.parametrize("name, contents, flags", [
    ("a.json", "{", []), ("a.json", "[]", []), ("a.json", '{"pipelines":1}', []),
    ("a.json", '{"pipelines":[]}', []), ("a.json", '{"contents":""}', []),
    ("a.json", '{"name":"x","matcher":["a=b"]}', []), ("a.txt", "x", []),
    ("a.json", '{"name":"x"}', ["--name", "y"]), ("a.json", '{"name":"x"}', ["--matcher", "a=b"]),
])
def test_files_that_are_none(server, files, name, contents, flags):
    path = files(name, contents)
    for command in ("apply", "diff", "preview"):
        done = server.cli("pipelines", command, "-f", path, *flags, check=USAGE)
        assert done.stdout == "" and done.stderr


def test_standard_input_is_a_file(server):
    done = subprocess.run([BINARY, "pipelines", "diff", "-f", "-", "--data", str(server.data)],
                          input=json.dumps({"name": "piped", "contents": ""}), text=True,
                          capture_output=True, env=environment(), timeout=PATIENCE)
    assert done.returncode == DIFFERS and "+name: piped\n" in done.stdout


# -- why, and what if


def test_an_agent_is_explained(muster, server, files):
    prefix = f"e-{muster.way}"
    for name, matchers, more in ((f"{prefix}-yes", ["role=web"], {}),
                                 (f"{prefix}-no", ["role=web", "rack=3"], {}),
                                 (f"{prefix}-off", ["role=web"], {"enabled": False}),
                                 (f"{prefix}-none", [], {})):
        server.cli("pipelines", "apply", "-f", files("x.json", {
            "name": name, "contents": SCRAPE % "x", "matchers": matchers, **more}), check=OK)
    done = muster("agents", "explain", "web-1", "--content", check=OK)
    head, _, content = done.stdout.partition("\n\n")
    rows = {r["PIPELINE"]: r for r in table(head + "\n")}
    assert (rows[f"{prefix}-yes"]["SELECTED"], rows[f"{prefix}-yes"]["WHY"]) == ("yes", "matches")
    assert (rows[f"{prefix}-no"]["WHY"], rows[f"{prefix}-no"]["MATCHER"]) == ("matcher", "rack=3")
    assert rows[f"{prefix}-off"]["WHY"] == "disabled"
    assert rows[f"{prefix}-none"]["WHY"] == "no matchers"
    given = poll(server, "web-1", WEB_1)
    assert content == given["content"]
    told = as_json(muster("agents", "explain", "web-1", "--output", "json", check=OK))
    assert told["hash"] == given["hash"]
    assert told["effectiveAttributes"] == {"collector.ID": "web-1", "role": "web", "rack": "1"}
    muster("pipelines", "delete", *(f"{prefix}-{n}" for n in ("yes", "no", "off", "none")),
           check=OK)


def test_a_preview_counts_and_stores_nothing(muster, server, files):
    name = f"p-{muster.way}"
    path = files(f"{name}.alloy", SCRAPE % "p")

    def preview(*flags):
        told = as_json(muster("pipelines", "preview", "-f", path, *flags, "--output", "json",
                              check=OK))
        for part in ("matched", "gained", "lost"):
            assert int(told[f"{part}Count"]) == len(told[part])
        return told["matched"], told["gained"], told["lost"]
    webs = ["web-1", "web-2", "web-3"]
    assert preview("--matcher", "role=web") == (webs, webs, [])
    muster("pipelines", "get", name, check=NOT_FOUND)
    muster("pipelines", "apply", "-f", path, "--matcher", "role=web", check=OK)
    assert preview() == (webs, [], [])
    assert preview("--matcher", "rack=1", "--matcher", "role=~web|db") == \
        (["db-1", "web-1"], ["db-1"], ["web-2", "web-3"])
    off = files("off.json", {"name": name, "contents": SCRAPE % "p", "enabled": False})
    done = muster("pipelines", "preview", "-f", off, check=OK)
    assert done.stdout == "matched  0\ngained   0\nlost     3: web-1, web-2, web-3\n"
    otel = files("otel.json", {"name": name, "contents": "receivers: {}\n",
                               "configType": "CONFIG_TYPE_OTEL", "matchers": ["role=web"]})
    assert as_json(muster("pipelines", "preview", "-f", otel, "--output", "json",
                          check=OK))["matched"] == []

    path.write_text(SCRAPE % "q")
    text = muster("pipelines", "preview", "-f", path, "--agent", "web-1", check=OK).stdout
    assert 'prometheus.scrape "q"' in text and 'prometheus.scrape "p"' not in text
    assert 'prometheus.scrape "p"' in poll(server, "web-1", WEB_1)["content"]
    muster("pipelines", "preview", "-f", path, "--agent", "nobody", check=NOT_FOUND)
    path.write_text("nonsense {")
    muster("pipelines", "preview", "-f", path, check=REFUSED)
    both = files("both.json", {"pipelines": [{"name": "a"}, {"name": "b"}]})
    muster("pipelines", "preview", "-f", both, check=USAGE)
    muster("pipelines", "delete", name, check=OK)


def test_a_preview_shows_some_and_counts_all(server, files):
    with server.connect() as wire:
        for i in range(30):
            wire.request("POST", "/collector.v1.CollectorService/RegisterCollector",
                         {"id": f"crowd-{i:02}", "localAttributes": {"role": "crowd"}},
                         server.token())
    path = files("crowd.alloy", SCRAPE % "c")
    done = server.cli("pipelines", "preview", "-f", path, "--matcher", "role=crowd", check=OK)
    first = done.stdout.splitlines()[0]
    assert first.startswith("matched  30: crowd-00, crowd-01,") and first.endswith("and 10 more")


def test_an_agent_that_is_disabled_is_reached_by_nothing(server, files):
    register(server, "off-1", role="off")
    register(server, "off-2", role="off")
    call(server, "collector.v1.CollectorService/UpdateCollector",
         {"collector": {"id": "off-1", "enabled": False}})
    path = files("off.alloy", SCRAPE % "o")
    told = as_json(server.cli("pipelines", "preview", "-f", path, "--matcher", "role=off",
                              "--output", "json", check=OK))
    assert told["matched"] == ["off-2"]


# -- tenants


def test_another_tenant_is_for_operators(muster, server, files):
    name = f"far-{muster.way}"
    muster("tenant", "create", name, check=OK)
    key = as_json(muster("key", "create", "--tenant", name, "--role", "admin", "--output", "json",
                         check=OK))
    register(server, "over-there", token=key["token"], role="far")
    listed = as_json(muster("agents", "list", "--tenant", name, "--output", "json", check=OK))
    assert [a["id"] for a in listed["agents"]] == ["over-there"]
    muster("agents", "get", "over-there", check=NOT_FOUND)
    muster("pipelines", "apply", "-f", files("far.alloy", SCRAPE % "f"), "--tenant", name,
           "--matcher", "role=far", check=OK)
    muster("pipelines", "get", "far", check=NOT_FOUND)
    rows = table(muster("agents", "explain", "over-there", "--tenant", name, check=OK).stdout)
    assert [(r["PIPELINE"], r["SELECTED"]) for r in rows] == [("far", "yes")]

    theirs = ["--server", server.url(), "--key", key["token"]]
    assert run("agents", "list", *theirs, check=OK).stdout.count("over-there") == 1
    run("agents", "list", "--tenant", "default", *theirs, check=DENIED)
    for token, number, status in ((key["token"], "1", 403), (server.token(), "x", 400),
                                  (server.token(), "0", 400), (server.token(), "-1", 400),
                                  (server.token(), "999999", 404)):
        answer = server.request("POST", "/muster.v1.FleetService/ListAgents", {}, token=token,
                                headers=[f"Muster-Tenant: {number}"])
        assert answer.status == status, answer
    # Not for what has ways of its own to name a tenant; and a tenant that is none takes nothing.
    tenant = next(t for t in server.request("GET", "/admin/v1/tenants").json()["tenants"]
                  if t["name"] == name)
    assert server.request("GET", "/admin/v1/tenants",
                          headers=[f"Muster-Tenant: {tenant['id']}"]).status == 400
    answer = server.request("POST", "/collector.v1.CollectorService/RegisterCollector",
                            {"id": "x"}, headers=["Muster-Tenant: 999999"])
    assert answer.status == 404, answer
    muster("tenant", "delete", name, check=OK)


# -- help


@pytest.mark.parametrize("arguments", [
    ["agents"], ["agents", "list"], ["agents", "get"], ["agents", "watch"], ["agents", "explain"],
    ["pipelines"], ["pipelines", "list"], ["pipelines", "get"], ["pipelines", "apply"],
    ["pipelines", "delete"], ["pipelines", "diff"], ["pipelines", "revisions"],
    ["pipelines", "preview"],
])
def test_help_is_on_standard_output(arguments):
    done = run(*arguments, "--help", check=OK)
    assert done.stdout.startswith("usage: muster ") and done.stderr == ""
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


def test_help_tells_the_exit_code_of_a_difference():
    assert re.search(r"(?m)^\s*16\s+\S", run("--help", check=OK).stdout)
