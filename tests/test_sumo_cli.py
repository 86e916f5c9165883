# SPDX-License-Identifier: Apache-2.0
"""`muster collectors` and `muster sources` against a running server, by its data directory and by
its address, with every way to be refused."""
import json
import re
from unittest.mock import ANY as anything

import pytest

from harness import Server, run
from test_backup import Scripted
from test_cli import table

OK, FAILURE, USAGE = 0, 1, 2
UNREACHABLE, DENIED, NOT_FOUND, CONFLICT, REFUSED = range(10, 15)

TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

HTTP_SOURCE = {"sourceType": "HTTP", "name": "in", "category": "prod/in"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("sumocli"), "--rate-sumologic-key-per-minute", "0") as started:
        yield started


@pytest.fixture(params=["admin socket", "address and key"])
def muster(request, server):
    def command(*arguments, check=None, **more):
        where = ["--data", server.data]
        if request.param != "admin socket":
            where = ["--server", server.url(), "--key", server.token()]
        return run(*arguments, *where, check=check, cwd=server.folder, **more)
    command.way = request.param.split()[0]
    return command


def as_json(done):
    return json.loads(done.stdout)


@pytest.fixture
def collector(muster, request):
    """A hosted collector of the test's own."""
    name = f"{request.node.name}"[:120]
    made = as_json(muster("collectors", "create", name, "--output", "json", check=OK))
    yield made
    muster("collectors", "delete", str(made["id"]))


def source_file(server, name, content):
    path = server.folder / f"{name}.json"
    path.write_text(json.dumps(content))
    return path


def test_a_collector_is_created_shown_changed_and_deleted(muster):
    name = f"whole life {muster.way}"
    made = as_json(muster("collectors", "create", name, "--category", "prod/web", "--field", "team=a",
                          "--field", "zone=z", "--time-zone", "Europe/Berlin", "--output", "json",
                          check=OK))
    assert (made["name"], made["category"], made["timeZone"]) == (name, "prod/web", "Europe/Berlin")
    assert made["fields"] == {"team": "a", "zone": "z"} and made["collectorType"] == "Hosted"

    rows = {row["NAME"]: row for row in table(muster("collectors", "list", check=OK).stdout)}
    assert rows[name]["ID"] == str(made["id"]) and rows[name]["TYPE"] == "Hosted"
    shown = muster("collectors", "get", name, check=OK).stdout
    assert "field team" in shown and "links" not in shown

    renamed = name + " 2"
    changed = as_json(muster("collectors", "update", str(made["id"]), "--name", renamed, "--field",
                             "team=", "--description", "of a test", "--output", "json", check=OK))
    assert (changed["id"], changed["name"], changed["description"]) == (made["id"], renamed,
                                                                        "of a test")
    assert changed["fields"] == {"zone": "z"} and changed["category"] == "prod/web"

    muster("collectors", "delete", renamed, check=OK)
    assert muster("collectors", "get", renamed).returncode == NOT_FOUND


def test_a_number_is_tried_before_a_name(muster, collector):
    named = str(collector["id"] + 1_000_000)
    muster("collectors", "create", named, check=OK)
    assert as_json(muster("collectors", "get", named, "--output", "json"))["name"] == named
    by_number = as_json(muster("collectors", "get", str(collector["id"]), "--output", "json"))
    assert by_number["name"] == collector["name"]
    muster("collectors", "delete", named, check=OK)


@pytest.mark.parametrize("arguments, code, word", [
    (["get", "nobody"], NOT_FOUND, "no collector"),
    (["get", ""], USAGE, "name"),
    (["delete", "nobody"], NOT_FOUND, "no collector"),
    (["create", "x" * 129], REFUSED, "128"),
    (["create", "x", "--field", "novalue"], USAGE, "KEY=VALUE"),
    (["list", "--filter", "asleep"], USAGE, "installed, hosted, alive or dead"),
    (["list", "--filter", "hosted&limit=1"], USAGE, "--filter"),
    (["offline", "--days", "0"], USAGE, "--days"),
    (["create"], USAGE, "usage"),
], ids=["get", "get nothing", "delete", "long name", "no field", "no filter", "odd filter", "no days",
        "no name"])
def test_what_cannot_be_is_refused(muster, arguments, code, word):
    done = muster("collectors", *arguments)
    assert done.returncode == code, done.stderr
    assert word.lower() in done.stderr.lower()


def test_a_name_is_given_once(muster, collector):
    done = muster("collectors", "create", collector["name"])
    assert done.returncode == CONFLICT and "same name" in done.stderr


def test_what_is_a_number_and_a_name_is_not_guessed(muster, collector):
    """Nobody wants the other one to be deleted."""
    number = str(collector["id"])
    twin = as_json(muster("collectors", "create", number, "--output", "json", check=OK))
    for command in ("get", "update", "delete"):
        done = muster("collectors", command, number)
        assert done.returncode == USAGE
        assert collector["name"] in done.stderr and str(twin["id"]) in done.stderr, done.stderr
    assert as_json(muster("collectors", "get", str(twin["id"]), "--output", "json")) == {
        **twin, "lastSeenAlive": anything}
    muster("collectors", "delete", str(twin["id"]), check=OK)
    muster("collectors", "get", number, check=OK)


def test_a_collector_named_by_its_own_number_is_itself(muster):
    made = as_json(muster("collectors", "create", f"n {muster.way}", "--output", "json", check=OK))
    number = str(made["id"])
    muster("collectors", "update", number, "--name", number, check=OK)
    muster("collectors", "delete", number, check=OK)


@pytest.mark.parametrize("name", ["env/prod/web", "a b", "50%", "%2F", "what?", "a#b", "caf\u00e9",
                                  "..", "a.b/", "/", "x//y"])
def test_any_name_will_do(muster, name):
    made = as_json(muster("collectors", "create", name, "--output", "json", check=OK))
    got = as_json(muster("collectors", "get", name, "--output", "json", check=OK))
    assert (got["id"], got["name"]) == (made["id"], name)
    muster("collectors", "delete", name, check=OK)


def test_tables_tell_times_as_times(muster, collector):
    rows = {row["NAME"]: row for row in table(muster("collectors", "list", check=OK).stdout)}
    assert TIME.fullmatch(rows[collector["name"]]["LAST SEEN"])
    shown = muster("collectors", "get", str(collector["id"]), check=OK).stdout
    assert TIME.search(next(line for line in shown.splitlines() if "lastSeenAlive" in line))


def test_collectors_that_are_silent_are_listed_and_deleted(muster):
    assert table(muster("collectors", "offline", "--days", "1", check=OK).stdout) == []
    assert as_json(muster("collectors", "offline", "--delete", "--output", "json",
                          check=OK)) == {"collectors": []}


def test_a_source_is_created_written_and_deleted(muster, server, collector):
    which = str(collector["id"])
    path = source_file(server, "one", {"source": HTTP_SOURCE})
    assert "is created" in muster("sources", "apply", which, "-f", path, check=OK).stdout
    first = as_json(muster("sources", "get", which, "in", check=OK))
    path = source_file(server, "one", {"source": {**HTTP_SOURCE, "category": "prod/other"}})
    assert "is written" in muster("sources", "apply", which, "-f", path, check=OK).stdout
    second = as_json(muster("sources", "get", which, "in", check=OK))
    assert second == {**first, "category": "prod/other"}

    rows = table(muster("sources", "list", which, check=OK).stdout)
    assert [(r["NAME"], r["TYPE"], r["CATEGORY"]) for r in rows] == [("in", "HTTP", "prod/other")]
    muster("sources", "delete", which, "in", check=OK)
    assert muster("sources", "get", which, "in").returncode == NOT_FOUND
    assert muster("sources", "delete", which, "in").returncode == NOT_FOUND


def test_a_source_says_where_it_takes_data(muster, server, collector):
    """Also when the command came through the socket, which is no place to send data to."""
    done = muster("sources", "apply", str(collector["id"]), "-f",
                  source_file(server, "http", HTTP_SOURCE), check=OK)
    url = as_json(muster("sources", "get", str(collector["id"]), "in", check=OK))["url"]
    assert url.startswith(server.url().rstrip("/") + "/receiver/v1/http/")
    assert done.stdout == f"source in is created; it takes data at {url}\n"
    listed = ["sources", "list", str(collector["id"])]
    assert table(muster(*listed, check=OK).stdout)[0]["LAST DATA"] == "-"
    assert server.request("POST", url[len(server.url().rstrip("/")):], b"hello").status == 200
    assert TIME.fullmatch(table(muster(*listed, check=OK).stdout)[0]["LAST DATA"])


@pytest.mark.parametrize("flags, begin", [
    (["--insecure"], "http://localhost:"), (["--sumologic-public-url", "https://m.example"],
                                            "https://m.example/")], ids=["any", "told"])
def test_an_address_that_stands_for_all_is_not_told(tmp_path, flags, begin):
    listen = "0.0.0.0:0" if flags == ["--insecure"] else "127.0.0.1:0"
    with Server(tmp_path, *flags, listen=(listen,)) as server:
        here = ["--data", server.data]
        run("collectors", "create", "c", *here, check=OK)
        path = source_file(server, "http", HTTP_SOURCE)
        told = run("sources", "apply", "c", "-f", path, *here, check=OK).stdout
        assert f" takes data at {begin}" in told, told


def test_one_command_lists_all_collectors_with_their_sources(muster, server, collector):
    muster("sources", "apply", str(collector["id"]), "-f",
           source_file(server, "http", HTTP_SOURCE), check=OK)
    empty = as_json(muster("collectors", "create", f"none {muster.way}", "--output", "json"))
    told = {c["name"]: [s["name"] for s in c["sources"]]
            for c in as_json(muster("sources", "list", "--output", "json", check=OK))["collectors"]}
    assert told[collector["name"]] == ["in"] and told[empty["name"]] == []
    rows = table(muster("sources", "list", check=OK).stdout)
    assert [(r["COLLECTOR"], r["NAME"]) for r in rows] == [(collector["name"], "in")]
    muster("collectors", "delete", empty["name"], check=OK)


def test_what_is_refused_names_its_source(muster, server, collector):
    many = {"sources": [HTTP_SOURCE, {**HTTP_SOURCE, "name": "bad one", "encoding": 7}]}
    done = muster("sources", "apply", str(collector["id"]), "-f",
                  source_file(server, "many", many))
    assert done.returncode == REFUSED and "source in is created" in done.stdout
    assert done.stderr.startswith("muster sources apply: source bad one: "), done.stderr


def test_what_is_exported_can_be_applied_elsewhere(muster, server, collector):
    which = str(collector["id"])
    many = {"sources": [{**HTTP_SOURCE, "name": f"s{i}"} for i in range(3)]}
    muster("sources", "apply", which, "-f", source_file(server, "many", many), check=OK)
    exported = as_json(muster("sources", "export", which, check=OK))
    assert [s["name"] for s in exported["sources"]] == ["s0", "s1", "s2"]
    assert not any("id" in s or "token" in s for s in exported["sources"])

    other = as_json(muster("collectors", "create", f"copy of {which}", "--output", "json"))["id"]
    muster("sources", "apply", str(other), "-f", source_file(server, "copy", exported), check=OK)
    assert as_json(muster("sources", "export", str(other), check=OK)) == exported
    muster("collectors", "delete", str(other), check=OK)


def test_a_source_on_standard_input(muster, collector):
    done = muster("sources", "apply", str(collector["id"]), "-f", "-",
                  typed=json.dumps(HTTP_SOURCE))
    assert done.returncode == OK, done.stderr


@pytest.mark.parametrize("content, word", [
    ("nonsense", "JSON"), ("[]", "JSON object"), ('{"sources":[1]}', "no source"),
    ('{"source":{"sourceType":"Syslog","name":"s","protocol":"TCP","port":1}}', "source type"),
    ('{"source":{"name":"s"}}', "source type"),
], ids=["text", "array", "numbers", "other kind", "no type"])
def test_a_bad_document_changes_nothing(muster, server, collector, content, word):
    path = server.folder / "bad.json"
    path.write_text(content)
    done = muster("sources", "apply", str(collector["id"]), "-f", path)
    assert done.returncode == REFUSED and word.lower() in done.stderr.lower(), done.stderr
    assert table(muster("sources", "list", str(collector["id"]), check=OK).stdout) == []


def test_a_viewer_sees_and_does_not_touch(server, collector):
    viewer = as_json(run("key", "create", "--label", "v", "--role", "viewer", "--output", "json",
                         "--data", server.data))["token"]
    where = ["--server", server.url(), "--key", viewer]
    assert run("collectors", "list", *where).returncode == OK
    refused = run("collectors", "create", "mine", *where)
    assert refused.returncode == DENIED and "collectors:write" in refused.stderr
    assert "keys:write" in run("token", "list", *where, check=DENIED).stderr
    assert run("collectors", "delete", str(collector["id"]), *where).returncode == DENIED


def test_an_operator_works_for_another_tenant(muster, server):
    name = f"far-{muster.way}"
    muster("tenant", "create", name, check=OK)
    key = as_json(muster("key", "create", "--tenant", name, "--role", "admin", "--output", "json",
                         check=OK))["token"]
    there = ["--tenant", name]
    muster("collectors", "create", "web", *there, check=OK)
    muster("sources", "apply", "web", "-f", source_file(server, "http", HTTP_SOURCE), *there,
           check=OK)
    muster("token", "create", "fleet", *there, check=OK)
    assert muster("collectors", "get", "web").returncode == NOT_FOUND
    assert muster("token", "show", "fleet").returncode == NOT_FOUND

    theirs = ["--server", server.url(), "--key", key]
    assert [r["NAME"] for r in table(run("sources", "list", "web", *theirs, check=OK).stdout)] == [
        "in"]
    assert [r["NAME"] for r in table(run("token", "list", *theirs, check=OK).stdout)] == ["fleet"]
    run("collectors", "list", "--tenant", "default", *theirs, check=DENIED)
    answer = server.request("GET", "/api/v1/collectors", token=key, headers=["Muster-Tenant: 1"])
    assert answer.status == 403
    muster("collectors", "list", "--tenant", "nowhere", check=NOT_FOUND)
    muster("tenant", "delete", name, check=OK)


@pytest.mark.parametrize("path, body", [
    ("/api/v1/collectors", {"collector": {"collectorType": "Hosted", "name": "c"}}),
    ("/api/v1/tokens", {"name": "t"}),
], ids=["collector", "token"])
def test_a_tenant_that_is_none_takes_nothing(server, path, body):
    answer = server.request("POST", path, body, headers=["Muster-Tenant: 999999"])
    assert answer.status in (403, 404), answer


def test_whoever_asks_too_often_is_told_when_to_come_back(tmp_path):
    with Server(tmp_path, "--rate-sumologic-key-per-minute", "1") as server:
        where = ["--server", server.url(), "--key", server.token()]
        run("collectors", "list", *where, check=OK)
        done = run("collectors", "list", *where, check=FAILURE)
        assert re.search(r"\(try again in \d+ s\)$", done.stderr.strip()), done.stderr
        run("collectors", "list", "--data", server.data, check=OK)


def test_a_collector_that_goes_away_meanwhile_is_left_out():
    def listed(**members):
        return [json.dumps(members).encode()]
    root, page = "/api/v1/collectors", "?limit=1000&offset=0"
    with Scripted() as other:
        other.bodies = {
            root + page: listed(collectors=[{"id": n, "name": f"c{n}"} for n in (1, 2, 3)]),
            f"{root}/1/sources{page}": listed(sources=[{"id": 11, "name": "in"}]),
            f"{root}/2/sources{page}": [None],
            f"{root}/3/sources{page}": listed(sources=[{"id": 31, "name": "in"}])}
        where = ("--server", other.url(), "--key", "x")
        rows = table(run("sources", "list", *where, check=OK).stdout)
        assert [(r["COLLECTOR"], r["ID"]) for r in rows] == [("c1", "11"), ("c3", "31")]
        told = as_json(run("sources", "list", "--output", "json", *where, check=OK))
        assert [c["id"] for c in told["collectors"]] == [1, 3]
        other.bodies[root + page] = [None]
        run("sources", "list", *where, check=NOT_FOUND)
