# SPDX-License-Identifier: Apache-2.0
"""Pipelines: what is refused when they are written, names and ids, replacing, validating without
storing, revisions, and synchronizing a source. Whatever is refused must leave everything as it
was."""
import pytest

from fleet.client import TIME, Fleet, case

TERRAFORM = {"type": "SOURCE_TYPE_TERRAFORM", "namespace": "default"}
GIT = {"type": "SOURCE_TYPE_GIT", "namespace": "repo"}
WRITES = ["CreatePipeline", "UpdatePipeline", "UpsertPipeline"]


def pipeline(name="p", contents="// x\n", **members):
    return {"name": name, "contents": contents, **members}


def refused_everywhere(fleet, draft, code="invalid_argument"):
    """By each method that writes pipelines; "p" is there to be updated."""
    made = fleet.pipeline("p")
    told = [fleet.refused(code, "CreatePipeline", pipeline=draft)]
    told.append(fleet.refused(code, "CreatePipeline", pipeline=draft, validateOnly=True))
    told.append(fleet.refused(code, "UpdatePipeline", pipeline={**draft, "id": made}))
    told.append(fleet.refused(code, "UpsertPipeline", pipeline=draft))
    told.append(fleet.refused(code, "SyncPipelines", source=GIT,
                              pipelines=[pipeline("good"), draft]))
    return told


# --- what is refused


@pytest.mark.parametrize("draft", [
    case("no name", {"contents": "// x\n"}),
    case("an empty name", pipeline("")),
    case("a name of 251", pipeline("n" * 251)),
    case("a name with a line feed", pipeline("a\nb")),
    case("no contents", {"name": "n"}),
    case("empty contents", pipeline("n", "")),
    case("contents over a mebibyte", pipeline("n", "//" + "x" * (1 << 20))),
    case("a matcher that is none", pipeline("n", matchers=["a=b", "a"])),
    case("a matcher of 201", pipeline("n", matchers=["a=" + "x" * 199])),
    case("101 matchers", pipeline("n", matchers=["a=b"] * 101)),
    case("an unknown number of a type", pipeline("n", configType=3)),
])
def test_a_draft_that_cannot_be(fleet, draft):
    refused_everywhere(fleet, draft)


@pytest.mark.parametrize("draft", [
    case("a name of 250", pipeline("n" * 250)),
    case("a name of 250 of three bytes", pipeline("\u20ac" * 250)),
    case("contents of a mebibyte", pipeline("n", "//" + "x" * ((1 << 20) - 2))),
    case("a matcher of 200", pipeline("n", matchers=["a=" + "x" * 198])),
    case("100 matchers", pipeline("n", matchers=["a=b"] * 100)),
    case("a comment alone", pipeline("n", "/* nothing */")),
    case("spaces alone", pipeline("n", " \n")),
    case("letters of any alphabet", pipeline("n", "// \u0434\u0430 \U0001f426\n")),
    case("line feeds of another kind",
         pipeline("n", '// a\r\nlocal.file "f" {\r\n\tfilename = "x"\r\n}')),
])
def test_a_draft_that_just_fits(fleet, draft):
    made = fleet.call("CreatePipeline", pipeline=draft)
    again = fleet.call("GetPipeline", id=made["id"])
    assert {k: again.get(k) for k in draft} == draft


@pytest.mark.parametrize("method", WRITES)
def test_without_a_pipeline_it_is_an_invalid_argument(fleet, method):
    fleet.refused("invalid_argument", method)
    fleet.refused("invalid_argument", method, validateOnly=True)


BAD_ALLOY = [
    case("an open block", 'local.file "f" {\n\tfilename = "x"\n'),
    case("a brace too much", 'local.file "f" {\n}\n}\n'),
    case("an open string", 'local.file "f" {\n\tfilename = "x\n}\n'),
    case("an open raw string", 'local.file "f" {\n\tfilename = `x\n}\n'),
    case("an open comment", "/* x\n"),
    case("an escape that is none", 'local.file "f" {\n\tfilename = "\\q"\n}\n'),
    case("no expression", 'local.file "f" {\n\tfilename =\n}\n'),
    case("half an expression", 'local.file "f" {\n\tfilename = 1 +\n}\n'),
    case("an open list", 'local.file "f" {\n\tfilename = [1, 2\n}\n'),
    case("a token that is none", 'local.file "f" {\n\tfilename = @x\n}\n'),
    case("two statements on a line", 'local.file "f" { } local.file "g" { }\n'),
    case("an attribute at the top", 'x = 1\n'),
    case("a label with a hyphen", 'local.file "a-b" {\n\tfilename = "x"\n}\n'),
    case("a label with a leading digit", 'local.file "1a" {\n\tfilename = "x"\n}\n'),
    case("the same block twice", 'local.file "f" {\n}\nlocal.file "f" {\n}\n'),
    case("the same declaration twice", 'declare "d" {\n}\ndeclare "d" {\n}\n'),
    case("declare of declare", 'declare "declare" {\n}\n'),
    case("logging", 'logging {\n\tlevel = "debug"\n}\n'),
    case("tracing", "tracing {\n}\n"),
    *(case(f"service {name}", f"{name} {{\n}}\n") for name in
      ("http", "remotecfg", "livedebugging", "cluster", "ui", "otel", "labelstore")),
    case("too deep", "declare \"a\" " + "{\n x " * 70 + "}\n" * 71),
    case("too deep in brackets",
         'local.file "f" {\n\tfilename = ' + "[" * 500 + "]" * 500 + "\n}\n"),
    case("a NUL", "// x\0\n\0"),
    case("a byte order mark inside", 'local.file "f" {\ufeff}\n'),
]


@pytest.mark.parametrize("contents", BAD_ALLOY)
def test_contents_that_no_alloy_would_load(fleet, contents):
    told = refused_everywhere(fleet, pipeline("n", contents, configType="CONFIG_TYPE_ALLOY"))
    assert any("line" in message for message in told), told


def test_the_place_of_a_mistake_is_told(fleet):
    message = fleet.refused("invalid_argument", "CreatePipeline",
                            pipeline=pipeline("n", 'a.b "c" {\n\tx = 1\n\t y = @\n}\n'))
    assert "line 3" in message and "column 7" in message


def test_a_required_argument_that_nobody_passes(fleet):
    refused_everywhere(fleet, pipeline("n", 'argument "needed" {\n}\n'))
    fleet.pipeline("ok", 'argument "free" {\n\toptional = true\n}\n')


BAD_YAML = [
    case("an open list", "receivers: [a, b\n"), case("a tab", "a:\n\tb: 1\n"),
    case("an open quote", 'a: "b\n'), case("a bad indent", "a:\n  b: 1\n c: 2\n"),
    case("Alloy", 'local.file "f" {\n\tfilename = "x"\n}\n'),
]


@pytest.mark.parametrize("contents", BAD_YAML)
def test_contents_that_are_no_yaml(fleet, contents):
    refused_everywhere(fleet, pipeline("n", contents, configType="CONFIG_TYPE_OTEL"))


def test_yaml_is_for_otel_and_alloy_for_alloy(fleet):
    yaml = "receivers:\n  otlp: {protocols: {grpc: }}\nservice: {pipelines: {}}\n"
    fleet.refused("invalid_argument", "CreatePipeline", pipeline=pipeline("n", yaml))
    made = fleet.pipeline("n", yaml, configType="CONFIG_TYPE_OTEL")
    again = fleet.call("GetPipeline", id=made)
    assert (again["contents"], again["configType"]) == (yaml, "CONFIG_TYPE_OTEL")


# --- names and ids


def test_create_answers_the_pipeline(fleet):
    draft = pipeline("web", "// x\n\n\n", matchers=["a=b", '"c" = "d"'], enabled=False,
                     configType="CONFIG_TYPE_ALLOY", source=TERRAFORM,
                     metadata={"n": 1.5, "deep": {"l": [None, True, "x", {}]}, "e": ""})
    made = fleet.call("CreatePipeline", pipeline=draft)
    assert made["id"].isdigit() and str(int(made["id"])) == made["id"]
    assert TIME.fullmatch(made["createdAt"]) and made["updatedAt"] == made["createdAt"]
    assert {k: made[k] for k in draft} == draft
    assert fleet.call("GetPipeline", id=made["id"]) == made
    assert fleet.call("GetPipelineID", name="web") == {"id": made["id"]}
    assert fleet.call("ListPipelines") == {"pipelines": [made]}


def test_what_create_is_not_told(fleet):
    made = fleet.call("CreatePipeline", pipeline=pipeline(
        configType="CONFIG_TYPE_UNSPECIFIED", createdAt="2001-01-01T00:00:00Z", id="99999"))
    assert (made["enabled"], made["configType"]) == (True, "CONFIG_TYPE_ALLOY")
    assert made["createdAt"] > "2020" and made["id"] != "99999"
    assert not {"matchers", "metadata", "source"} & set(made)


def test_a_name_that_is_taken(fleet):
    fleet.pipeline("p", "// first\n")
    other = fleet.pipeline("q")
    fleet.refused("already_exists", "CreatePipeline", pipeline=pipeline("p"))
    fleet.refused("already_exists", "CreatePipeline", pipeline=pipeline("p"), validateOnly=True)
    fleet.refused("already_exists", "UpdatePipeline", pipeline=pipeline("p", id=other))
    assert fleet.pipelines() == ["p", "q"]
    with Fleet(fleet.server) as elsewhere:
        elsewhere.pipeline("p")


def test_a_name_is_free_again_after_a_deletion(fleet):
    first = fleet.pipeline("p")
    fleet.call("DeletePipeline", id=first)
    assert fleet.pipeline("p") != first


@pytest.mark.parametrize("name", ["0", "9223372036854775807", "9223372036854775808", "-1", "1.0",
                                  "abc", " 1", "99999999999999999999"])
def test_an_unknown_pipeline_is_not_found(fleet, name):
    made = fleet.pipeline("p")
    for method, body in (("GetPipeline", {"id": name}), ("GetPipelineID", {"name": name}),
                         ("DeletePipeline", {"id": name}),
                         ("BulkDeletePipelines", {"ids": [made, name]}),
                         ("UpdatePipeline", {"pipeline": pipeline(id=name)}),
                         ("GetPipelineRevision", {"revisionId": name})):
        fleet.refused("not_found", method, body)


def test_an_id_is_of_one_tenant(fleet):
    made = fleet.pipeline("p")
    with Fleet(fleet.server) as elsewhere:
        for method in ("GetPipeline", "DeletePipeline"):
            elsewhere.refused("not_found", method, id=made)
        elsewhere.refused("not_found", "UpdatePipeline", pipeline=pipeline(id=made))
        elsewhere.refused("not_found", "ListPipelineRevisions", id=made)
    assert fleet.pipelines() == ["p"]


# --- replacing


def full(fleet):
    return fleet.pipeline("p", "// old\n", ["a=b"], enabled=False, source=TERRAFORM,
                          metadata={"k": "v"})


@pytest.mark.parametrize("way", ["update by id", "update by name", "upsert by name",
                                 "upsert by id"])
def test_a_write_replaces_everything(fleet, way):
    made = full(fleet)
    before = fleet.call("GetPipeline", id=made)
    draft = pipeline("p", "// new\n", **({"id": made} if "id" in way else {}))
    method = "UpdatePipeline" if "update" in way else "UpsertPipeline"
    after = fleet.call(method, pipeline=draft)
    assert after["id"] == made and after["createdAt"] == before["createdAt"]
    assert after["updatedAt"] >= before["updatedAt"]
    assert after["contents"] == "// new\n" and after["enabled"] is True
    assert not {"matchers", "metadata", "source"} & set(after)
    assert fleet.call("GetPipeline", id=made) == after


def test_an_update_may_rename(fleet):
    made = fleet.pipeline("p")
    after = fleet.call("UpdatePipeline", pipeline=pipeline("q", id=made))
    assert (after["id"], after["name"]) == (made, "q")
    assert fleet.call("GetPipelineID", name="q") == {"id": made}
    fleet.refused("not_found", "GetPipelineID", name="p")


def test_an_update_of_an_unknown_name_is_not_found(fleet):
    fleet.refused("not_found", "UpdatePipeline", pipeline=pipeline("nobody"))


def test_an_upsert_creates(fleet):
    made = fleet.call("UpsertPipeline", pipeline=pipeline("p", id="424242"))
    assert made["id"] != "424242"
    assert fleet.pipelines() == ["p"]
    assert fleet.call("UpsertPipeline", pipeline=pipeline("q"))["id"] != made["id"]


# --- validate_only


@pytest.mark.parametrize("method", WRITES)
def test_validating_answers_as_the_write_would_and_stores_nothing(fleet, method):
    made = full(fleet)
    before = fleet.state()
    name = "new" if method == "CreatePipeline" else "p"
    draft = pipeline(name, "// new\n", matchers=["x=y"], enabled=False, source=GIT)
    seen = fleet.call(method, pipeline=draft, validateOnly=True)
    assert fleet.state() == before
    told = fleet.call(method, pipeline=draft)
    for answer in (seen, told):
        answer.pop("createdAt", None)
        answer.pop("updatedAt", None)
    if method == "CreatePipeline":
        assert "id" not in seen
        told.pop("id")
    else:
        assert seen["id"] == made
    assert seen == told


def test_validating_an_upsert_that_would_create_gives_no_id(fleet):
    seen = fleet.call("UpsertPipeline", pipeline=pipeline("p"), validateOnly=True)
    assert "id" not in seen and fleet.pipelines() == []


# --- lists


def test_lists_are_filtered(fleet):
    for name, members in {
            "prod": {"matchers": ["env=prod"]}, "any": {"matchers": ["env=~.+"]},
            "off": {"matchers": ["env=prod"], "enabled": False}, "none": {},
            "web": {"matchers": ["env=prod", "role=web"]},
            "otel": {"matchers": ["env=prod"], "configType": "CONFIG_TYPE_OTEL",
                     "contents": "a: b\n"}}.items():
        fleet.pipeline(name, **members)
    everything = ["any", "none", "off", "otel", "prod", "web"]
    assert fleet.pipelines() == everything
    assert fleet.pipelines(localAttributes={}, remoteAttributes={}) == everything
    assert fleet.pipelines(enabled=True) == ["any", "none", "otel", "prod", "web"]
    assert fleet.pipelines(enabled=False) == ["off"]
    assert fleet.pipelines(configType="CONFIG_TYPE_OTEL") == ["otel"]
    assert fleet.pipelines(configType="CONFIG_TYPE_ALLOY", enabled=False) == ["off"]
    prod, web = {"env": "prod"}, {"role": "web"}
    assert fleet.pipelines(localAttributes=prod) == ["any", "off", "otel", "prod"]
    assert fleet.pipelines(remoteAttributes=prod) == ["any", "off", "otel", "prod"]
    assert fleet.pipelines(localAttributes=prod, remoteAttributes=web) == [
        "any", "off", "otel", "prod", "web"]
    assert fleet.pipelines(localAttributes={"env": "dev"}, remoteAttributes={**prod, **web},
                           enabled=True) == ["any", "otel", "prod", "web"]
    assert fleet.pipelines(localAttributes={"env": "dev"}) == ["any"]
    assert fleet.pipelines(localAttributes={"nothing": "at all"}) == []


# --- deleting


def test_a_bulk_delete_needs_ids(fleet):
    fleet.pipeline("p")
    fleet.refused("invalid_argument", "BulkDeletePipelines")
    fleet.refused("invalid_argument", "BulkDeletePipelines", ids=[])


def test_a_bulk_delete_is_all_or_nothing(fleet):
    one, two = fleet.pipeline("one"), fleet.pipeline("two")
    gone = fleet.pipeline("gone")
    fleet.call("DeletePipeline", id=gone)
    for ids in ([one, two, gone], [gone, one], [one, "424242", two]):
        fleet.refused("not_found", "BulkDeletePipelines", ids=ids)
    assert fleet.call("BulkDeletePipelines", ids=[one, two, one]) == {}
    assert fleet.pipelines() == []


def test_a_deletion_of_what_is_gone_is_not_found(fleet):
    made = fleet.pipeline("p")
    assert fleet.call("DeletePipeline", id=made) == {}
    fleet.refused("not_found", "DeletePipeline", id=made)


# --- revisions


def history(fleet, made=None):
    """(operation, contents) of each, as listed."""
    told = fleet.call("ListPipelineRevisions", id=made) if made \
        else fleet.call("ListPipelinesRevisions")
    return [(r["operation"], r["snapshot"]["name"], r["snapshot"]["contents"])
            for r in told.get("pipelineRevisions", [])]


def test_every_change_leaves_a_revision(fleet):
    assert history(fleet) == []
    made = fleet.pipeline("p", "// 1\n")
    fleet.call("UpdatePipeline", pipeline=pipeline("p", "// 2\n"))
    fleet.call("UpsertPipeline", pipeline=pipeline("p", "// 3\n", matchers=["a=b"]))
    other = fleet.pipeline("q", "// q\n")
    fleet.call("DeletePipeline", id=made)
    mine = [("DELETE", "p", "// 3\n"), ("UPDATE", "p", "// 3\n"), ("UPDATE", "p", "// 2\n"),
            ("INSERT", "p", "// 1\n")]
    assert history(fleet, made) == mine
    assert history(fleet, other) == [("INSERT", "q", "// q\n")]
    assert history(fleet) == [mine[0], ("INSERT", "q", "// q\n"), *mine[1:]]


def test_a_revision_is_a_snapshot(fleet):
    made = fleet.pipeline("p", "// 1\n", ["a=b"], metadata={"k": "v"}, source=GIT, enabled=False)
    before = fleet.call("GetPipeline", id=made)
    fleet.call("UpdatePipeline", pipeline=pipeline("p", "// 2\n"))
    newest, oldest = fleet.call("ListPipelineRevisions", id=made)["pipelineRevisions"]
    assert oldest["snapshot"] == before
    assert newest["snapshot"] == fleet.call("GetPipeline", id=made)
    for listed in (newest, oldest):
        assert fleet.call("GetPipelineRevision", revisionId=listed["revisionId"]) == listed
        assert TIME.fullmatch(listed["createdAt"])
    assert newest["revisionId"] != oldest["revisionId"]


def test_revisions_outlive_their_pipeline(fleet):
    made = fleet.pipeline("p")
    fleet.call("BulkDeletePipelines", ids=[made])
    assert [r[0] for r in history(fleet, made)] == ["DELETE", "INSERT"]
    again = fleet.pipeline("p")
    assert [r[0] for r in history(fleet, again)] == ["INSERT"]


def test_an_unknown_revision_is_not_found(fleet):
    fleet.refused("not_found", "GetPipelineRevision", revisionId="424242")


def test_revisions_of_an_unknown_pipeline(fleet):
    fleet.pipeline("p")
    fleet.refused("not_found", "ListPipelineRevisions", id="424242")


# --- SyncPipelines


def sync(fleet, *drafts, source=None):
    assert fleet.call("SyncPipelines", source=source or GIT, pipelines=list(drafts)) == {}


def sources(fleet):
    return {p["name"]: p.get("source") for p in fleet.call("ListPipelines").get("pipelines", [])}


def test_sync_makes_a_source_what_is_listed(fleet):
    other = {"type": "SOURCE_TYPE_GIT", "namespace": "other"}
    fleet.pipeline("hand")
    fleet.pipeline("terraform", source={"type": "SOURCE_TYPE_TERRAFORM", "namespace": "repo"})
    sync(fleet, pipeline("elsewhere"), source=other)
    sync(fleet, pipeline("a"), pipeline("b", matchers=["x=y"], enabled=False))
    before = fleet.call("GetPipelineID", name="b")
    sync(fleet, pipeline("b", "// new\n"), pipeline("c"))
    assert sources(fleet) == {
        "hand": None, "terraform": {"type": "SOURCE_TYPE_TERRAFORM", "namespace": "repo"},
        "elsewhere": other, "b": GIT, "c": GIT}
    assert fleet.call("GetPipelineID", name="b") == before
    replaced = fleet.call("GetPipeline", before)
    assert (replaced["contents"], replaced["enabled"]) == ("// new\n", True)
    assert "matchers" not in replaced


def test_sync_takes_over_what_has_the_name(fleet):
    made = fleet.pipeline("p", source=TERRAFORM)
    hand = fleet.pipeline("q")
    sync(fleet, pipeline("p"), pipeline("q"))
    assert sources(fleet) == {"p": GIT, "q": GIT}
    assert fleet.call("GetPipelineID", name="p") == {"id": made}
    sync(fleet, pipeline("q"))
    assert sources(fleet) == {"q": GIT}
    assert fleet.call("GetPipelineID", name="q") == {"id": hand}


def test_sync_goes_by_name_only(fleet):
    made = fleet.pipeline("p")
    sync(fleet, pipeline("q", id=made, source=TERRAFORM))
    assert sources(fleet) == {"p": None, "q": GIT}


def test_sync_of_nothing_deletes_the_source(fleet):
    fleet.pipeline("hand")
    sync(fleet, pipeline("a"), pipeline("b"))
    sync(fleet)
    assert sources(fleet) == {"hand": None}
    sync(fleet)
    assert fleet.call("SyncPipelines", source=GIT) == {}


def test_sync_leaves_revisions_of_what_changes(fleet):
    sync(fleet, pipeline("a"), pipeline("b"))
    sync(fleet, pipeline("a"), pipeline("c", "// new\n"))
    assert sorted(r[:2] for r in history(fleet)) == [
        ("DELETE", "b"), ("INSERT", "a"), ("INSERT", "b"), ("INSERT", "c")]
    before = fleet.state()
    sync(fleet, pipeline("c", "// new\n"), pipeline("a"))
    assert fleet.state() == before


@pytest.mark.parametrize("source", [
    case("none", None), case("nothing in it", {}),
    case("no type", {"namespace": "repo"}),
    case("an unspecified type", {"type": "SOURCE_TYPE_UNSPECIFIED", "namespace": "repo"}),
    case("no namespace", {"type": "SOURCE_TYPE_GIT"}),
    case("an empty namespace", {"type": "SOURCE_TYPE_GIT", "namespace": ""}),
])
def test_sync_needs_a_source(fleet, source):
    sync(fleet, pipeline("a"))
    fleet.refused("invalid_argument", "SyncPipelines", source=source, pipelines=[pipeline("b")])
    fleet.refused("invalid_argument", "SyncPipelines", source=source, pipelines=[])


def test_sync_with_a_name_twice_changes_nothing(fleet):
    sync(fleet, pipeline("a"), pipeline("b"))
    fleet.refused("invalid_argument", "SyncPipelines", source=GIT,
                  pipelines=[pipeline("c"), pipeline("d"), pipeline("c", "// other\n")])


def test_sync_with_one_bad_pipeline_changes_nothing(fleet):
    sync(fleet, pipeline("a"), pipeline("b"))
    for bad in (pipeline("bad", "}"), pipeline(""), pipeline("bad", matchers=["("])):
        for drafts in ([bad, pipeline("c")], [pipeline("c"), pipeline("a", "// n\n"), bad]):
            fleet.refused("invalid_argument", "SyncPipelines", source=GIT, pipelines=drafts)


def test_sync_of_much_at_once(fleet):
    """More than other requests may have."""
    drafts = [pipeline(f"p{n}", "//" + "x" * 900_000) for n in range(8)]
    sync(fleet, *drafts)
    assert len(fleet.pipelines()) == 8
    assert fleet.call("SyncPipelines", source=GIT) == {}


def test_sync_of_patterns_that_are_large_all_together_changes_nothing(fleet):
    """Each alone is small enough; together they would take the server's memory."""
    drafts = [pipeline(f"p{n}", matchers=[f'a{n}_{k}=~".{{150}}"' for k in range(100)])
              for n in range(9)]
    fleet.call("CreatePipeline", pipeline=drafts[0])
    message = fleet.refused("invalid_argument", "SyncPipelines", source=GIT, pipelines=drafts)
    assert "all together" in message
    drafts = [pipeline(f"q{n}", matchers=[f"a{n}_{k}=~prod-.*" for k in range(100)])
              for n in range(9)]
    sync(fleet, *drafts)


# --- what is not served


def test_the_vendors_own_onboarding_is_unimplemented(fleet):
    message = fleet.refused("unimplemented", "CreateAlloyPipelines", mimirUrl="http://localhost")
    assert message
