# SPDX-License-Identifier: Apache-2.0
"""`muster collectors` and `muster sources` against a running server, by its data directory and by
its address, with every way to be refused."""
import json

import pytest

from harness import Server, run
from test_cli import table

OK, FAILURE, USAGE = 0, 1, 2
UNREACHABLE, DENIED, NOT_FOUND, CONFLICT, REFUSED = range(10, 15)

HTTP_SOURCE = {"sourceType": "HTTP", "name": "in", "category": "prod/in"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("sumocli")) as started:
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
    (["list", "--filter", "asleep"], REFUSED, "filter"),
    (["list", "--filter", "a&b"], USAGE, "--filter"),
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
    assert done.returncode == REFUSED and "same name" in done.stderr


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
    assert run("collectors", "create", "mine", *where).returncode == DENIED
    assert run("collectors", "delete", str(collector["id"]), *where).returncode == DENIED
