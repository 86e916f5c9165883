# SPDX-License-Identifier: Apache-2.0
"""Many collectors in one request: operations on remote attributes, the ways to name an attribute,
and deletions. All or nothing: whatever is refused must leave everything as it was."""
import pytest

from fleet.client import case


def attributes(count):
    return {f"k{n:03}": "v" for n in range(count)}


# --- BulkUpdateCollectors


R = "remoteAttributes."


def step(op, path=None, value=None, source=None, old=None):
    said = {"op": op, "path": path, "value": value, "from": source, "oldValue": old}
    return {k: v for k, v in said.items() if v is not None}


@pytest.mark.parametrize("before, steps, after", [
    case("ADD sets", {}, [step("ADD", R + "k", "v")], {"k": "v"}),
    case("ADD replaces", {"k": "o"}, [step("ADD", R + "k", "v")], {"k": "v"}),
    case("ADD of an empty value", {}, [step("ADD", R + "k", "")], {"k": ""}),
    case("ADD ignores from", {"a": "b"}, [step("ADD", R + "k", "v", source=R + "nobody")],
         {"a": "b", "k": "v"}),
    case("ADD ignores oldValue", {"k": "o"}, [step("ADD", R + "k", "v", old="other")], {"k": "v"}),
    case("REMOVE removes", {"k": "v", "a": "b"}, [step("REMOVE", R + "k")], {"a": "b"}),
    case("REMOVE of what is not there", {"a": "b"}, [step("REMOVE", R + "k")], {"a": "b"}),
    case("REMOVE with its value", {"k": "v"}, [step("REMOVE", R + "k", "v")], {}),
    case("REMOVE with another value", {"k": "v"}, [step("REMOVE", R + "k", "w")], {"k": "v"}),
    case("REMOVE with an empty value", {"k": "v", "e": ""},
         [step("REMOVE", R + "k", ""), step("REMOVE", R + "e", "")], {"k": "v"}),
    case("REMOVE ignores oldValue", {"k": "v"}, [step("REMOVE", R + "k", old="w")], {}),
    case("REPLACE replaces", {"k": "o"}, [step("REPLACE", R + "k", "v")], {"k": "v"}),
    case("REPLACE does not create", {"a": "b"}, [step("REPLACE", R + "k", "v")], {"a": "b"}),
    case("REPLACE with its old value", {"k": "o"}, [step("REPLACE", R + "k", "v", old="o")],
         {"k": "v"}),
    case("REPLACE with another old value", {"k": "o"}, [step("REPLACE", R + "k", "v", old="p")],
         {"k": "o"}),
    case("REPLACE with an empty old value", {"k": "", "l": "o"},
         [step("REPLACE", R + "k", "v", old=""), step("REPLACE", R + "l", "v", old="")],
         {"k": "v", "l": "o"}),
    case("MOVE moves", {"k": "v"}, [step("MOVE", R + "l", source=R + "k")], {"l": "v"}),
    case("MOVE replaces", {"k": "v", "l": "o"}, [step("MOVE", R + "l", source=R + "k")],
         {"l": "v"}),
    case("MOVE onto itself", {"k": "v"}, [step("MOVE", R + "k", source=R + "k")], {"k": "v"}),
    case("COPY copies", {"k": "v"}, [step("COPY", R + "l", source=R + "k")], {"k": "v", "l": "v"}),
    case("COPY replaces", {"k": "v", "l": "o"}, [step("COPY", R + "l", source=R + "k")],
         {"k": "v", "l": "v"}),
    case("COPY onto itself", {"k": "v"}, [step("COPY", R + "k", source=R + "k")], {"k": "v"}),
    case("one after the other", {"a": "1"}, [
        step("COPY", R + "b", source=R + "a"), step("ADD", R + "a", "2"),
        step("MOVE", R + "c", source=R + "a"), step("REPLACE", R + "b", "3", old="1"),
        step("REMOVE", R + "nobody")], {"b": "3", "c": "2"}),
    case("over the limit on the way but not in the end", attributes(100),
         [step("REMOVE", R + "k000"), step("ADD", R + "new", "v")],
         {**attributes(100), "k000": None, "new": "v"}),
])
def test_operations(fleet, before, steps, after):
    wanted = {k: v for k, v in after.items() if v is not None}
    for name in ("c", "d", "e"):
        fleet.create(name, remoteAttributes=before, name="n")
    assert fleet.call("BulkUpdateCollectors", ids=["c", "d"], ops=steps) == {}
    for name in ("c", "d"):
        assert fleet.remote(name) == wanted
        assert fleet.collector(name)["name"] == "n"
    assert fleet.remote("e") == before


@pytest.mark.parametrize("code, bad", [
    case("UNKNOWN", "invalid_argument", step("UNKNOWN", R + "k", "v")),
    case("no op", "invalid_argument", {"path": R + "k", "value": "v"}),
    case("an unknown name of an op", "invalid_argument", step("INCREMENT", R + "k", "v")),
    case("an unknown number of an op", "invalid_argument", step(17, R + "k", "v")),
    case("ADD without a value", "invalid_argument", step("ADD", R + "k")),
    case("REPLACE without a value", "invalid_argument", step("REPLACE", R + "k")),
    case("MOVE without from", "invalid_argument", step("MOVE", R + "l")),
    case("COPY without from", "invalid_argument", step("COPY", R + "l")),
    case("MOVE from what is not there", "failed_precondition",
         step("MOVE", R + "l", source=R + "nobody")),
    case("COPY from what is not there", "failed_precondition",
         step("COPY", R + "l", source=R + "nobody")),
    case("MOVE from another field", "invalid_argument", step("MOVE", R + "l", source="name")),
    case("no path", "invalid_argument", step("ADD", None, "v")),
    case("the path of the name", "invalid_argument", step("ADD", "name", "v")),
    case("the path of enabled", "invalid_argument", step("REPLACE", "enabled", "false")),
    case("the path of a local attribute", "invalid_argument",
         step("ADD", "localAttributes.k", "v")),
    case("the path of all attributes", "invalid_argument", step("REMOVE", "remoteAttributes")),
    case("an empty key", "invalid_argument", step("ADD", "remoteAttributes.", "v")),
    case("an empty key in brackets", "invalid_argument", step("ADD", 'remoteAttributes[""]', "v")),
    case("an empty key of a pointer", "invalid_argument", step("ADD", "/remoteAttributes/", "v")),
    case("an open bracket", "invalid_argument", step("ADD", "remoteAttributes[\"k\"", "v")),
    case("a bracket without quotes", "invalid_argument", step("ADD", "remoteAttributes[k]", "v")),
    case("something after the bracket", "invalid_argument",
         step("ADD", "remoteAttributes[\"k\"].l", "v")),
    case("a pointer with a bad escape", "invalid_argument",
         step("ADD", "/remoteAttributes/a~2b", "v")),
    case("a pointer too deep", "invalid_argument", step("ADD", "/remoteAttributes/a/b", "v")),
    case("a pointer to another field", "invalid_argument", step("ADD", "/name", "v")),
    case("a key of 101", "invalid_argument", step("ADD", R + "k" * 101, "v")),
    case("a value of 151", "invalid_argument", step("ADD", R + "k", "v" * 151)),
])
def test_a_bad_operation_rolls_everything_back(fleet, code, bad):
    for name in ("c", "d"):
        fleet.create(name, remoteAttributes={"k": "v"})
    good = step("ADD", R + "good", "v")
    for steps in ([bad], [good, bad], [bad, good]):
        fleet.refused(code, "BulkUpdateCollectors", ids=["c", "d"], ops=steps)


def test_operations_fail_for_all_when_they_fail_for_one(fleet):
    fleet.create("c", remoteAttributes={"k": "v"})
    fleet.create("d")
    fleet.refused("failed_precondition", "BulkUpdateCollectors", ids=["c", "d"],
                  ops=[step("MOVE", R + "l", source=R + "k")])
    fleet.create("full", remoteAttributes=attributes(100))
    fleet.refused("invalid_argument", "BulkUpdateCollectors", ids=["c", "full"],
                  ops=[step("ADD", R + "one.more", "v")])


@pytest.mark.parametrize("path, key", [
    case("dotted", "remoteAttributes.env", "env"),
    case("dotted key", "remoteAttributes.a.b.c", "a.b.c"),
    case("proto name", "remote_attributes.env", "env"),
    case("proto name dotted key", "remote_attributes.a.b", "a.b"),
    case("root", "$.remoteAttributes.env", "env"),
    case("root and proto name", "$.remote_attributes.env", "env"),
    case("brackets", 'remoteAttributes["env"]', "env"),
    case("brackets single quotes", "remoteAttributes['env']", "env"),
    case("brackets with dots", 'remoteAttributes["a.b"]', "a.b"),
    case("brackets and proto name", "remote_attributes['a/b']", "a/b"),
    case("root and brackets", '$.remoteAttributes["env"]', "env"),
    case("pointer", "/remoteAttributes/env", "env"),
    case("pointer proto name", "/remote_attributes/env", "env"),
    case("pointer escapes", "/remote_attributes/a~1b~0c~01", "a/b~c~1"),
    case("pointer with dots", "/remoteAttributes/a.b", "a.b"),
    case("a key of 100", R + "k" * 100, "k" * 100),
    case("a slash in a dotted key", R + "a/b", "a/b"),
])
def test_paths(fleet, path, key):
    fleet.create("c")
    fleet.call("BulkUpdateCollectors", ids=["c"], ops=[step("ADD", path, "v")])
    assert fleet.remote("c") == {key: "v"}
    fleet.call("BulkUpdateCollectors", ids=["c"],
               ops=[step("COPY", R + "copy", source=path), step("REMOVE", path)])
    assert fleet.remote("c") == {"copy": "v"}


ADD_K = [{"op": "ADD", "path": "remoteAttributes.k", "value": "v"}]


@pytest.mark.parametrize("body", [
    case("nothing", {}),
    case("no ids", {"ops": ADD_K}),
    case("empty ids", {"ids": [], "ops": ADD_K}),
    case("no ops", {"ids": ["c"]}),
    case("empty ops", {"ids": ["c"], "ops": []}),
])
def test_a_bulk_update_needs_ids_and_operations(fleet, body):
    fleet.create("c")
    fleet.refused("invalid_argument", "BulkUpdateCollectors", body)


def test_a_bulk_update_with_one_unknown_id_changes_nobody(fleet):
    fleet.create("c")
    fleet.create("d")
    for ids in (["c", "nobody", "d"], ["nobody", "c"], ["c", "d", "nobody"], ["nobody"]):
        assert "nobody" in fleet.refused("not_found", "BulkUpdateCollectors", ids=ids, ops=ADD_K)


def test_a_bulk_update_takes_an_id_that_comes_twice_once(fleet):
    fleet.create("c", remoteAttributes={"a": "1"})
    fleet.call("BulkUpdateCollectors", ids=["c", "c", "c"],
               ops=[step("MOVE", R + "b", source=R + "a")])
    assert fleet.remote("c") == {"b": "1"}


def test_the_proto_name_of_the_old_value_is_as_written(fleet):
    """`oldValue` is its name in the .proto, too: `old_value` is an unknown member."""
    fleet.create("c", remoteAttributes={"k": "o"})
    fleet.call("BulkUpdateCollectors", ids=["c"], ops=[
        {"op": "REPLACE", "path": R + "k", "value": "v", "old_value": "other"}])
    assert fleet.remote("c") == {"k": "v"}


# --- BulkDeleteCollectors


@pytest.mark.parametrize("body", [case("nothing", {}), case("an empty list", {"ids": []}),
                                  case("the page's list empty", {"id": []})])
def test_a_bulk_delete_needs_ids(fleet, body):
    fleet.create("c")
    fleet.refused("invalid_argument", "BulkDeleteCollectors", body)


def test_a_bulk_delete_with_one_unknown_id_deletes_nobody(fleet):
    fleet.create("c")
    fleet.create("d")
    for ids in (["c", "nobody"], ["nobody", "c"], ["c", "nobody", "d"]):
        assert "nobody" in fleet.refused("not_found", "BulkDeleteCollectors", ids=ids)


def test_a_bulk_delete_takes_an_id_that_comes_twice_once(fleet):
    for name in "cde":
        fleet.create(name)
    assert fleet.call("BulkDeleteCollectors", ids=["c", "d", "c"]) == {}
    assert fleet.listed() == ["e"]
