# SPDX-License-Identifier: Apache-2.0
"""Collectors at the edges: what each method of the collector service does with what is missing,
unknown, too long, twice or not its own. Whatever is refused must leave everything as it was."""
import concurrent.futures
import itertools
import json

import pytest

from fleet.client import TIME, Fleet, case, is_comment
from harness import wait_for

ALLOY, OTEL = "COLLECTOR_TYPE_ALLOY", "COLLECTOR_TYPE_OTEL"


def attributes(count, prefix="k"):
    return {f"{prefix}{n:03}": "v" for n in range(count)}


# --- ids


@pytest.mark.parametrize("method, body", [
    case("GetConfig", "GetConfig", {}),
    case("RegisterCollector", "RegisterCollector", {"localAttributes": {"a": "b"}}),
    case("UnregisterCollector", "UnregisterCollector", {}),
    case("GetCollector", "GetCollector", {}),
    case("DeleteCollector", "DeleteCollector", {}),
    case("CreateCollector", "CreateCollector", {"collector": {"name": "n"}}),
    case("UpdateCollector", "UpdateCollector", {"collector": {"name": "n"}}),
    case("BulkUpdateCollectors", "BulkUpdateCollectors",
         {"ids": [""], "ops": [{"op": "ADD", "path": "remoteAttributes.k", "value": "v"}]}),
    case("BulkDeleteCollectors", "BulkDeleteCollectors", {"ids": [""]}),
    case("GetPipeline", "GetPipeline", {}),
    case("GetPipelineID", "GetPipelineID", {}),
    case("DeletePipeline", "DeletePipeline", {}),
    case("BulkDeletePipelines", "BulkDeletePipelines", {"ids": [""]}),
    case("ListPipelineRevisions", "ListPipelineRevisions", {}),
    case("GetPipelineRevision", "GetPipelineRevision", {}),
])
def test_an_empty_id_is_an_invalid_argument(fleet, method, body):
    fleet.create("c")
    fleet.refused("invalid_argument", method, body)


BAD_IDS = [
    case("256 characters", "x" * 256),
    case("256 characters of two bytes", "\u00e9" * 256),
    case("a line feed", "a\nb"),
    case("a NUL", "a\0b"),
    case("a tab", "\t"),
    case("a delete", "a\x7fb"),
]


@pytest.mark.parametrize("method", ["CreateCollector", "RegisterCollector", "GetConfig"])
@pytest.mark.parametrize("name", BAD_IDS)
def test_an_id_that_cannot_be_is_an_invalid_argument(fleet, method, name):
    body = {"collector": {"id": name}} if method == "CreateCollector" else {"id": name}
    fleet.refused("invalid_argument", method, body)


@pytest.mark.parametrize("name", [
    case("255 characters", "x" * 255),
    case("255 characters of four bytes", "\U0001f426" * 255),
    case("spaces and signs", " a/b?c=d&e#f%2F'\"\\ "),
    case("dots", "..")])
def test_any_other_id_goes_in_and_comes_out_as_it_is(fleet, name):
    fleet.create(name)
    assert fleet.collector(name)["id"] == name
    assert fleet.listed() == [name]
    assert fleet.call("DeleteCollector", id=name) == {}
    fleet.register(name)
    assert is_comment(fleet.content(name))
    assert fleet.listed() == [name]


def test_an_id_that_is_not_utf8_is_an_invalid_argument(fleet):
    answer = fleet.post("GetCollector", b"\x0a\x02\xff\xfe", ["Content-Type: application/proto"])
    assert (answer.status, answer.json()["code"]) == (400, "invalid_argument")


# --- CreateCollector


def test_create_answers_the_collector(fleet):
    made = fleet.create("c", name="n", remoteAttributes={"a": "b"}, enabled=False,
                        collectorType=OTEL)
    assert {k: made[k] for k in ("id", "name", "remoteAttributes", "enabled", "collectorType")} == {
        "id": "c", "name": "n", "remoteAttributes": {"a": "b"}, "enabled": False,
        "collectorType": OTEL}
    assert TIME.fullmatch(made["createdAt"]) and TIME.fullmatch(made["updatedAt"])
    assert "markedInactiveAt" not in made
    assert fleet.collector("c") == made
    assert fleet.call("ListCollectors") == {"collectors": [made]}


def test_create_of_an_id_that_exists_changes_nothing(fleet):
    fleet.create("c", name="first", remoteAttributes={"a": "b"})
    fleet.refused("already_exists", "CreateCollector", collector={"id": "c", "name": "second"})
    fleet.register("r", {"a": "b"})
    fleet.refused("already_exists", "CreateCollector", collector={"id": "r"})


@pytest.mark.parametrize("method", ["CreateCollector", "UpdateCollector"])
def test_without_a_collector_it_is_an_invalid_argument(fleet, method):
    fleet.refused("invalid_argument", method)
    fleet.refused("invalid_argument", method, collector=None)


def test_create_without_a_type_makes_an_alloy(fleet):
    assert fleet.create("c")["collectorType"] == ALLOY
    assert fleet.create("d", collectorType="COLLECTOR_TYPE_UNSPECIFIED")["collectorType"] == ALLOY


def test_create_with_an_unknown_name_of_a_type_makes_an_alloy(fleet):
    assert fleet.create("c", collectorType="ALLOY")["collectorType"] == ALLOY


def test_create_with_an_unknown_number_of_a_type_is_refused(fleet):
    fleet.refused("invalid_argument", "CreateCollector", collector={"id": "c", "collectorType": 9})


def test_create_without_enabled_enables(fleet):
    assert fleet.create("c")["enabled"] is True
    assert fleet.create("d", enabled=None)["enabled"] is True
    assert fleet.create("e", enabled=False)["enabled"] is False


def test_create_ignores_what_the_server_owns(fleet):
    past = "2001-02-03T04:05:06Z"
    made = fleet.create("c", createdAt=past, updatedAt=past, markedInactiveAt=past,
                        localAttributes={"a": "b"})
    assert made["createdAt"] > "2020" and made["updatedAt"] > "2020"
    assert "markedInactiveAt" not in made
    assert made["localAttributes"] == {"collector.ID": "c"}


def test_a_collector_that_never_spoke_has_its_id_as_the_only_local_attribute(fleet):
    fleet.create("c")
    assert fleet.collector("c")["localAttributes"] == {"collector.ID": "c"}


def test_the_old_names_of_attributes_count_when_the_new_are_empty(fleet):
    assert fleet.create("c", attributeOverrides={"a": "old"})["remoteAttributes"] == {"a": "old"}
    made = fleet.create("d", attributeOverrides={"a": "old"}, remoteAttributes={"b": "new"})
    assert made["remoteAttributes"] == {"b": "new"}
    fleet.call("RegisterCollector", id="r", attributes={"a": "old"})
    fleet.call("RegisterCollector", id="s", attributes={"a": "old"}, localAttributes={"b": "new"})
    assert fleet.collector("r")["localAttributes"] == {"a": "old", "collector.ID": "r"}
    assert fleet.collector("s")["localAttributes"] == {"b": "new", "collector.ID": "s"}


def test_the_old_names_of_attributes_are_never_said(fleet):
    fleet.register("c", {"a": "b"})
    fleet.call("UpdateCollector", collector={"id": "c", "attributeOverrides": {"x": "y"}})
    for said in (fleet.collector("c"), fleet.call("ListCollectorAttributes")):
        assert not {"attributes", "attributeOverrides"} & set(said), said
    assert fleet.remote("c") == {"x": "y"}


# --- UpdateCollector


@pytest.fixture
def full(fleet):
    """A collector with everything."""
    fleet.create("c", name="n", remoteAttributes={"a": "b"}, enabled=False, collectorType=OTEL)
    fleet.register("c", {"l": "m"}, name="n")
    return fleet


def test_update_of_an_unknown_id_is_not_found(fleet):
    fleet.refused("not_found", "UpdateCollector", collector={"id": "nobody"})


def test_update_without_enabled_keeps_it(full):
    assert full.call("UpdateCollector", collector={"id": "c"})["enabled"] is False
    full.call("UpdateCollector", collector={"id": "c", "enabled": True})
    assert full.call("UpdateCollector", collector={"id": "c"})["enabled"] is True


def test_update_clears_what_it_does_not_say(full):
    changed = full.call("UpdateCollector", collector={"id": "c"})
    assert "name" not in changed and "remoteAttributes" not in changed
    assert full.collector("c") == changed


def test_update_without_a_type_keeps_it(full):
    assert full.call("UpdateCollector", collector={"id": "c"})["collectorType"] == OTEL
    changed = full.call("UpdateCollector", collector={"id": "c", "collectorType": ALLOY})
    assert changed["collectorType"] == ALLOY


def test_update_ignores_local_attributes(full):
    changed = full.call("UpdateCollector", collector={"id": "c", "localAttributes": {"x": "y"}})
    assert changed["localAttributes"] == {"l": "m", "collector.ID": "c"}


def test_update_ignores_what_the_server_owns(full):
    before = full.collector("c")
    past = "2001-02-03T04:05:06Z"
    after = full.call("UpdateCollector", collector={
        "id": "c", "createdAt": past, "updatedAt": past, "markedInactiveAt": past})
    assert after["createdAt"] == before["createdAt"]
    assert after["updatedAt"] >= before["updatedAt"]
    assert "markedInactiveAt" not in after


# --- GetCollector, DeleteCollector


@pytest.mark.parametrize("method", ["GetCollector", "DeleteCollector"])
def test_an_unknown_id_is_not_found(fleet, method):
    fleet.create("c")
    for name in ("nobody", "C", "c ", "cc"):
        fleet.refused("not_found", method, id=name)


def test_delete_then_register_makes_a_new_one(full):
    assert full.call("DeleteCollector", id="c") == {}
    full.refused("not_found", "GetCollector", id="c")
    full.register("c", {"l": "m"})
    again = full.collector("c")
    assert "remoteAttributes" not in again and "name" not in again
    assert (again["enabled"], again["collectorType"]) == (True, ALLOY)


# --- RegisterCollector


def test_register_creates(fleet):
    fleet.register("c", {"collector.os": "linux", "env": "prod"}, name="n")
    made = fleet.collector("c")
    assert made["localAttributes"] == {"collector.os": "linux", "env": "prod", "collector.ID": "c"}
    assert (made["name"], made["enabled"], made["collectorType"]) == ("n", True, ALLOY)
    assert "remoteAttributes" not in made and "markedInactiveAt" not in made


def test_register_replaces_what_is_the_collectors_own(fleet):
    fleet.create("c", name="n", remoteAttributes={"a": "b"}, enabled=False)
    fleet.register("c", {"x": "1", "y": "1"}, name="o")
    fleet.register("c", {"x": "2"})
    now = fleet.collector("c")
    assert now["localAttributes"] == {"x": "2", "collector.ID": "c"}
    assert "name" not in now
    assert now["remoteAttributes"] == {"a": "b"} and now["enabled"] is False


def test_the_same_register_twice_leaves_the_time_of_the_update(fleet):
    fleet.register("c", {"x": "1"}, name="n")
    before = fleet.collector("c")
    fleet.register("c", {"x": "1"}, name="n")
    assert fleet.collector("c") == before
    for changed in ({"x": "2"}, {"x": "2", "y": "1"}, {}):
        fleet.register("c", changed, name="n")
        assert fleet.collector("c")["updatedAt"] >= before["updatedAt"]
        assert fleet.collector("c")["localAttributes"] == {**changed, "collector.ID": "c"}


def test_register_keeps_the_type(fleet):
    fleet.create("c", collectorType=OTEL)
    fleet.register("c", {"x": "1"})
    assert fleet.collector("c")["collectorType"] == OTEL


def test_register_takes_local_attributes_with_the_reserved_prefix(fleet):
    fleet.register("c", {"collector.foo": "bar"})
    assert fleet.collector("c")["localAttributes"]["collector.foo"] == "bar"
    assert fleet.listed("collector.foo=bar") == ["c"]


def test_register_ignores_an_id_among_the_attributes(fleet):
    fleet.register("c", {"collector.ID": "other"})
    assert fleet.collector("c")["localAttributes"] == {"collector.ID": "c"}
    assert fleet.listed("collector.ID=other") == []
    assert fleet.listed("collector.ID=c") == ["c"]
    before = fleet.collector("c")
    fleet.register("c", {"collector.ID": "another"})
    assert fleet.collector("c") == before


# --- UnregisterCollector


def test_unregister_marks_and_keeps(fleet):
    fleet.register("c", {"x": "1"}, name="n")
    fleet.call("UpdateCollector", collector={
        "id": "c", "name": "n", "remoteAttributes": {"a": "b"}})
    before = fleet.collector("c")
    assert fleet.call("UnregisterCollector", id="c") == {}
    after = fleet.collector("c")
    assert TIME.fullmatch(after.pop("markedInactiveAt"))
    assert after["remoteAttributes"] == {"a": "b"} and after["localAttributes"]["x"] == "1"
    assert {**after, "updatedAt": ""} == {**before, "updatedAt": ""}


def test_unregister_twice_is_as_once(fleet):
    fleet.register("c")
    fleet.call("UnregisterCollector", id="c")
    before = fleet.collector("c")
    assert fleet.call("UnregisterCollector", id="c") == {}
    assert fleet.collector("c") == before


def test_unregister_of_an_unknown_id_is_fine(fleet):
    assert fleet.call("UnregisterCollector", id="nobody") == {}
    assert fleet.listed() == []


def test_register_brings_it_back(fleet):
    fleet.register("c", {"x": "1"})
    fleet.call("UnregisterCollector", id="c")
    fleet.register("c", {"x": "1"})
    assert "markedInactiveAt" not in fleet.collector("c")


# --- GetConfig


@pytest.fixture
def matched(fleet):
    """A pipeline for env=prod."""
    fleet.pipeline("web", "// for production\n", ["env=prod"])
    return fleet


def test_config_of_an_unknown_id_comes_from_its_attributes_and_registers_it(matched):
    assert "// for production" in matched.content("new", {"env": "prod"})
    made = matched.collector("new")
    assert made["localAttributes"] == {"env": "prod", "collector.ID": "new"}
    assert (made["enabled"], made["collectorType"]) == (True, ALLOY)
    assert is_comment(matched.content("other", {"env": "dev"}))


def test_config_by_other_attributes_than_the_registered_ones(matched):
    matched.register("c", {"env": "dev"})
    assert "// for production" in matched.content("c", {"env": "prod"})
    assert matched.collector("c")["localAttributes"]["env"] == "dev"
    assert matched.listed("env=prod") == []
    assert is_comment(matched.content("c", {"env": "dev"}))
    assert "// for production" in matched.content("c", {"env": "prod"})
    matched.register("c", {"env": "prod"})
    assert matched.listed("env=prod") == ["c"]
    assert is_comment(matched.content("c", {}))


def test_config_takes_the_old_attributes_only_when_the_new_are_empty(matched):
    def content(**members):
        return matched.config("c", **members)["content"]

    prod, dev = {"env": "prod"}, {"env": "dev"}
    assert "// for production" in content(local={}, attributes=prod)
    assert is_comment(content(local=dev, attributes=prod))
    assert "// for production" in content(local=prod, attributes=dev)


def test_config_with_an_empty_hash_is_never_unmodified(matched):
    first = matched.config("c", {"env": "prod"})
    assert matched.config("c", {"env": "prod"}) == first
    assert matched.config("c", {"env": "prod"}, hash="") == first
    assert matched.config("c", {"env": "prod"}, hash="811c9dc5") == first


def test_config_with_its_hash_is_unmodified_and_empty(matched):
    known = matched.config("c", {"env": "prod"})["hash"]
    for _ in range(3):
        again = matched.config("c", {"env": "prod"}, hash=known)
        assert again == {"hash": known, "notModified": True}


def test_the_hash_is_of_the_content_alone(matched):
    """Of another collector, and of one without a pipeline: nobody's hash means anything else."""
    prod = matched.config("c", {"env": "prod"})["hash"]
    assert matched.config("d", {"env": "prod"}, hash=prod) == {"hash": prod, "notModified": True}
    none = matched.config("e", {"env": "dev"}, hash=prod)
    assert none["hash"] != prod and is_comment(none["content"])
    with Fleet(matched.server) as elsewhere:
        assert elsewhere.config("x")["hash"] == none["hash"]
        elsewhere.pipeline("web", "// for production\n", ["env=prod"])
        assert elsewhere.config("c", {"env": "prod"}, hash=prod).get("notModified")


def test_config_of_a_disabled_collector_is_a_comment(matched):
    matched.create("c", enabled=False)
    matched.register("c", {"env": "prod"})
    off = matched.config("c", {"env": "prod"})
    assert is_comment(off["content"])
    matched.call("UpdateCollector", collector={"id": "c", "enabled": True})
    on = matched.config("c", {"env": "prod"}, hash=off["hash"])
    assert "// for production" in on["content"]
    matched.call("UpdateCollector", collector={"id": "c", "enabled": False})
    assert matched.config("c", {"env": "prod"}, hash=on["hash"]) == off


def test_config_without_a_pipeline_is_a_comment(fleet):
    told = fleet.config("c")
    assert is_comment(told["content"])
    assert fleet.config("c", hash=told["hash"]) == {"hash": told["hash"], "notModified": True}


def test_config_of_an_otel_collector_is_a_comment(matched):
    matched.pipeline("otel", "receivers: {}\n", ["env=prod"], configType="CONFIG_TYPE_OTEL")
    matched.create("c", collectorType=OTEL)
    matched.register("c", {"env": "prod"})
    assert is_comment(matched.content("c", {"env": "prod"}))
    matched.register("d", {"env": "prod"})
    assert "receivers" not in matched.content("d", {"env": "prod"})


STATUSES = ["UNSET", "APPLIED", "APPLYING", "FAILED"]


def reported(fleet, name="c"):
    told = fleet.agent(name)
    files = [(f.get("name", ""), f.get("body", ""), f.get("contentType", ""))
             for f in told.get("effectiveConfig", [])]
    return told["agent"].get("status", ""), told.get("statusError", ""), files


def test_a_status_is_kept_until_the_next(fleet):
    fleet.register("c")
    assert reported(fleet)[0] in ("", "AGENT_STATUS_UNSPECIFIED")
    for status in STATUSES:
        fleet.config("c", remoteConfigStatus={"status": "RemoteConfigStatuses_" + status})
        for _ in range(2):
            assert reported(fleet)[0] == "AGENT_STATUS_" + status
            fleet.config("c", remoteConfigStatus=None)
    fleet.config("c", remoteConfigStatus={"status": 3, "errorMessage": "line 1: no such thing"})
    fleet.config("c")
    assert reported(fleet)[:2] == ("AGENT_STATUS_FAILED", "line 1: no such thing")
    fleet.config("c", remoteConfigStatus={})  # present, so it says "unset"
    assert reported(fleet)[:2] == ("AGENT_STATUS_UNSET", "")


def test_a_status_with_a_known_hash_is_stored_all_the_same(fleet):
    known = fleet.config("c")["hash"]
    told = fleet.config("c", hash=known, remoteConfigStatus={"status": "APPLIED"})
    assert told == {"hash": known, "notModified": True}
    assert reported(fleet)[0] == "AGENT_STATUS_APPLIED"


def test_an_effective_configuration_is_kept_until_the_next(fleet):
    def effective(**files):
        return {"configMap": {"configMap": files}}

    fleet.config("c", effectiveConfig=effective(**{"": {"body": "eA==",
                                                        "contentType": "text/plain"}}))
    for _ in range(2):
        assert reported(fleet)[2] == [("", "eA==", "text/plain")]
        fleet.config("c", remoteConfigStatus={"status": "APPLIED"})
    fleet.config("c", effectiveConfig=effective(b={"body": "eQ=="}, a={}))
    assert sorted(reported(fleet)[2]) == [("a", "", ""), ("b", "eQ==", "")]
    fleet.register("c", {"x": "y"})
    assert sorted(reported(fleet)[2]) == [("a", "", ""), ("b", "eQ==", "")]


def test_a_large_effective_configuration(fleet):
    """It may be as large as what it is made of."""
    body = "eHh4" * (5 << 18)
    fleet.config("c", effectiveConfig={"configMap": {"configMap": {"": {"body": body}}}})
    assert reported(fleet)[2] == [("", body, "")]


def test_config_says_nothing_about_who_changed_what(fleet):
    """Neither a poll nor a report of a status is a change of the collector."""
    fleet.register("c", {"x": "y"})
    before = fleet.collector("c")
    known = fleet.config("c", {"x": "y"})["hash"]
    fleet.config("c", {"x": "y"}, hash=known)
    fleet.config("c", {"x": "z"}, hash=known)
    fleet.config("c", {"x": "y"}, hash=known, remoteConfigStatus={"status": "APPLIED"})
    assert fleet.collector("c") == before


# --- ListCollectors, ListCollectorAttributes


@pytest.mark.parametrize("matcher", [
    case("a regular expression that is none", "a=~\"(\""),
    case("a swapped operator", "collector.os~=linux"),
    case("nothing", ""),
    case("201 characters", "a=" + "x" * 199),
    case("201 characters of two bytes", "a=" + "\u00e9" * 199),
])
def test_a_bad_matcher_is_an_invalid_argument(fleet, matcher):
    fleet.create("c")
    fleet.refused("invalid_argument", "ListCollectors", matchers=["a=b", matcher])


def test_200_characters_are_no_bad_matcher(fleet):
    fleet.create("c", remoteAttributes={"a": "\u00e9" * 150})
    assert fleet.listed("a=" + "x" * 198) == []
    assert fleet.listed("a=~" + "\u00e9" * 150 + "x?" * 23 + "y") == []
    assert fleet.listed("a=~" + "\u00e9" * 150 + "x?" * 23) == ["c"]


def test_a_list_of_nobody_is_empty(fleet):
    assert fleet.call("ListCollectors") == {}
    fleet.create("c")
    assert fleet.call("ListCollectors", matchers=["env=prod"]) == {}


def test_a_list_goes_by_id_and_has_all(fleet):
    names = ["b", "a", "B", "a1", "a-1", "\u00e9", "z", "10", "9"] + [f"n{n}" for n in range(120)]
    for name in names:
        fleet.register(name)
    assert fleet.listed() == sorted(names, key=str.encode)


def test_the_attributes_of_nobody_are_empty(fleet):
    assert fleet.call("ListCollectorAttributes") == {}


def values(fleet, kind):
    """key -> values; the id's empty value may be said or left to be the default."""
    told = fleet.call("ListCollectorAttributes").get(kind, {})
    return {k: [v.get("value", "") for v in a.get("values", [])] for k, a in told.items()}


def test_attributes_are_told_with_their_values_each_once_and_sorted(fleet):
    for name, env, zone in (("a", "prod", "z2"), ("b", "dev", "z1"), ("c", "prod", "z10")):
        fleet.create(name, remoteAttributes={"zone": zone, "env": "remote"})
        fleet.register(name, {"env": env})
    assert values(fleet, "localAttributes") == {"collector.ID": [""], "env": ["dev", "prod"]}
    assert values(fleet, "remoteAttributes") == {"env": ["remote"], "zone": ["z1", "z10", "z2"]}
    fleet.call("BulkDeleteCollectors", ids=["b", "c"])
    assert values(fleet, "localAttributes") == {"collector.ID": [""], "env": ["prod"]}
    assert values(fleet, "remoteAttributes") == {"env": ["remote"], "zone": ["z2"]}


def test_the_id_is_told_with_an_empty_value_while_there_is_a_collector(fleet):
    fleet.create("c")
    assert fleet.call("ListCollectorAttributes")["localAttributes"] == {
        "collector.ID": {"values": [{"value": ""}]}}
    # The same in bytes: one entry, whose only value is the empty one.
    assert fleet.proto("ListCollectorAttributes", b"") in (
        b"\x1a\x12\x0a\x0ccollector.ID\x12\x02\x0a\x00",
        b"\x1a\x14\x0a\x0ccollector.ID\x12\x04\x0a\x02\x0a\x00")


# --- attributes


@pytest.mark.parametrize("key", ["collector.os", "collector.ID", "collector.", "collector.new"])
def test_reserved_remote_attributes_are_refused(fleet, key):
    fleet.create("c")
    fleet.refused("invalid_argument", "CreateCollector",
                  collector={"id": "d", "remoteAttributes": {key: "v"}})
    fleet.refused("invalid_argument", "UpdateCollector",
                  collector={"id": "c", "remoteAttributes": {key: "v"}})
    for op in ("ADD", "REPLACE"):
        fleet.refused("invalid_argument", "BulkUpdateCollectors", ids=["c"], ops=[
            {"op": op, "path": "remoteAttributes." + key, "value": "v"}])
    fleet.call("UpdateCollector", collector={"id": "c", "remoteAttributes": {"a": "b"}})
    for op in ("MOVE", "COPY"):
        fleet.refused("invalid_argument", "BulkUpdateCollectors", ids=["c"], ops=[
            {"op": op, "path": "remoteAttributes." + key, "from": "remoteAttributes.a"}])


FITS = [
    case("a key of 100", {"k" * 100: "v"}),
    case("a key of 100 of two bytes", {"\u00e9" * 100: "v"}),
    case("a value of 150", {"k": "v" * 150}),
    case("a value of 150 of four bytes", {"k": "\U0001f426" * 150}),
    case("an empty value", {"k": ""}),
    case("keys like no other", {"a.b": "1", "a/b": "2", "a b": "3", "collectorx": "4", ".": "5"}),
]
TOO_LONG = [
    case("a key of 101", {"k" * 101: "v"}),
    case("a key of 101 of two bytes", {"\u00e9" * 101: "v"}),
    case("a value of 151", {"k": "v" * 151}),
    case("no key", {"": "v"}),
]


@pytest.mark.parametrize("given", [*FITS, case("100 of them", attributes(100))])
def test_remote_attributes_that_fit(fleet, given):
    fleet.create("c", remoteAttributes=given)
    assert fleet.remote("c") == given
    fleet.create("d")
    fleet.call("UpdateCollector", collector={"id": "d", "remoteAttributes": given})
    assert fleet.remote("d") == given


@pytest.mark.parametrize("given", [*TOO_LONG, case("101 of them", attributes(101))])
def test_remote_attributes_that_do_not_fit(fleet, given):
    fleet.create("c", remoteAttributes={"a": "b"})
    fleet.refused("invalid_argument", "CreateCollector",
                  collector={"id": "d", "remoteAttributes": given})
    fleet.refused("invalid_argument", "UpdateCollector",
                  collector={"id": "c", "remoteAttributes": given})


MANY_LOCAL = {**attributes(22), "collector.os": "linux", "collector.version": "v1.18.0",
              "collector.ID": "c"}


@pytest.mark.parametrize("given", [*FITS, case("22 and the reserved", MANY_LOCAL)])
def test_local_attributes_that_fit(fleet, given):
    fleet.register("c", given)
    assert fleet.collector("c")["localAttributes"] == {**given, "collector.ID": "c"}
    assert is_comment(fleet.content("c", given))


@pytest.mark.parametrize("given", [*TOO_LONG, case("23 of them", attributes(23))])
def test_local_attributes_that_do_not_fit(fleet, given):
    fleet.register("c", {"a": "b"})
    fleet.refused("invalid_argument", "RegisterCollector", id="c", localAttributes=given)
    fleet.refused("invalid_argument", "RegisterCollector", id="d", localAttributes=given)
    fleet.refused("invalid_argument", "GetConfig", id="c", localAttributes=given)
    fleet.refused("invalid_argument", "GetConfig", id="d", localAttributes=given)


# --- updated_at


def test_the_time_of_the_update_moves_with_management_and_registration_alone(fleet):
    """Times are told in seconds: what is to move them is done when the next second has come."""
    made = ["by update", "by bulk", "by register", "not"]
    for name in made:
        fleet.create(name)
        fleet.register(name, {"a": "b"})
    before = {name: fleet.collector(name) for name in made}

    def updated(name):
        return fleet.collector(name)["updatedAt"]

    def touch(name):
        fleet.register(name, {"a": "b"})
        fleet.config(name, {"a": "b"})
        fleet.config(name, {"a": "c"}, remoteConfigStatus={"status": 3, "errorMessage": "m"})
        fleet.config(name, effectiveConfig={"configMap": {"configMap": {"": {}}}})
        fleet.call("UnregisterCollector", id=name)
        fleet.register(name, {"a": "b"})

    latest = max(c["updatedAt"] for c in before.values())
    names = map(str, itertools.count())
    wait_for("the next second", lambda: fleet.call("UpdateCollector", collector={
        "id": "by update", "name": next(names)})["updatedAt"] > latest)
    for name in made[1:]:
        touch(name)
    assert [fleet.collector(name) for name in made[1:]] == [before[name] for name in made[1:]]
    fleet.call("UpdateCollector", collector={"id": "by update", "name": "m"})
    fleet.call("BulkUpdateCollectors", ids=["by bulk"], ops=[
        {"op": "ADD", "path": "remoteAttributes.k", "value": "v"}])
    fleet.register("by register", {"a": "c"})
    for name in made[:3]:
        assert updated(name) > latest, name
        assert fleet.collector(name)["createdAt"] == before[name]["createdAt"]
    # A request that changes nothing is none: of an update as of a registration.
    assert updated("not") == before["not"]["updatedAt"]


# --- at the same time


def test_writes_at_the_same_time_are_one_after_the_other(fleet):
    """Each adds an attribute of its own; a lost update would lose one."""
    for name in ("c", "d"):
        fleet.create(name)

    def add(n):
        with Fleet(fleet.server, fleet.tenant, fleet.token) as own:
            own.call("BulkUpdateCollectors", ids=["c", "d"], ops=[{
                "op": "ADD", "path": f"remoteAttributes.k{n:03}", "value": "v"}])

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert fleet.remote("c") == fleet.remote("d") == attributes(40)


def test_only_one_of_many_creates_succeeds(fleet):
    def create(n):
        with Fleet(fleet.server, fleet.tenant, fleet.token) as own:
            answer = own.post("CreateCollector", {"collector": {"id": "c", "name": str(n)}})
            return answer.status, json.loads(answer.body).get("name")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        told = list(pool.map(create, range(8)))
    won = [name for status, name in told if status == 200]
    assert len(won) == 1 and fleet.collector("c")["name"] == won[0]
    assert sorted({status for status, _ in told}) == [200, 409]


def test_many_registrations_of_one_collector_all_succeed(fleet):
    def register(n):
        with Fleet(fleet.server, fleet.tenant, fleet.token) as own:
            own.register("c", {"n": str(n % 2)})

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(register, range(32)))
    assert fleet.listed() == ["c"]
