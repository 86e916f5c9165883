# SPDX-License-Identifier: Apache-2.0
"""Which pipelines a collector gets, and the text that is made of them: matchers in the
Alertmanager's grammar, effective attributes, wrapping, labels, attributes and exports that are
handed in, order and hash. The text is read back by the lexer of the simulated Alloy, not by the
server's."""
import hashlib

import pytest

from fleet.client import COLLECTORS, Fleet, case, is_comment, wires
from fleet.language import Loaded, Refused, load, tokens


# --- matchers

FLEET = {  # id -> local attributes
    "none": {},
    "prod": {"env": "prod", "collector.os": "linux"},
    "dev": {"env": "dev", "collector.os": "windows"},
    "odd": {"env": "a\"b\\c", "n": "42", "two words": "x y"},
    "lines": {"env": "one\ntwo"},
    "empty": {"env": "", "\u00e9t\u00e9": "\u0434\u0430"},
}


@pytest.fixture(scope="module")
def zoo(shared):
    with Fleet(shared) as made:
        for name, local in FLEET.items():
            made.register(name, local)
        yield made


ALL = set(FLEET)


@pytest.mark.parametrize("matcher, ids", [
    case("equal", "env=prod", {"prod"}),
    case("equal quoted", 'env="prod"', {"prod"}),
    case("name quoted", '"env"="prod"', {"prod"}),
    case("not equal", "env!=prod", ALL - {"prod"}),
    case("dotted name", "collector.os=linux", {"prod"}),
    case("the id", "collector.ID=dev", {"dev"}),
    case("the id by pattern", 'collector.ID=~"d.*|o.+"', {"dev", "odd"}),
    case("not the id", "collector.ID!=dev", ALL - {"dev"}),
    case("missing is empty", 'env=""', {"none", "empty"}),
    case("missing is not a value", 'n!="42"', ALL - {"odd"}),
    case("missing fits an empty pattern", 'env=~".*"', ALL - {"lines"}),
    case("missing fits a negative pattern", 'n!~"4."', ALL - {"odd"}),
    case("missing is not something", 'n=~".+"', {"odd"}),
    case("something", 'collector.os=~".+"', {"prod", "dev"}),
    case("or", 'env=~"prod|dev"', {"prod", "dev"}),
    case("or without quotes", "env=~prod|dev", {"prod", "dev"}),
    case("anchored at both ends", "env=~ro", set()),
    case("an alternation is anchored as a whole", "env=~prod|de", {"prod"}),
    case("a point is no line feed", 'env=~"one.two"', set()),
    case("unless told so", 'env=~"(?s)one.two"', {"lines"}),
    case("a line feed by escape", 'env="one\\ntwo"', {"lines"}),
    case("case matters", "env=Prod", set()),
    case("unless told so to a pattern", "env=~(?i)PROD", {"prod"}),
    case("a digit class", 'n=~"\\\\d+"', {"odd"}),
    case("escapes of Go", r'env="a\"b\\c"', {"odd"}),
    case("escapes by number", r'env="\x70\u0072\157\U00000064"', {"prod"}),
    case("a quoted name with a space", '"two words"="x y"', {"odd"}),
    case("names and values of any letters", "\u00e9t\u00e9=\u0434\u0430", {"empty"}),
    case("spaces around", "  env  =  prod  ", {"prod"}),
    case("braces", "{env=prod}", {"prod"}),
    case("braces and spaces", " { env = prod } ", {"prod"}),
    case("a trailing comma", "env=prod,", {"prod"}),
    case("braces and a trailing comma", "{env=prod,}", {"prod"}),
])
def test_matchers(zoo, matcher, ids):
    assert set(zoo.listed(matcher)) == ids


def test_all_matchers_have_to_hold(zoo):
    assert zoo.listed("env=prod", "collector.os=linux") == ["prod"]
    assert zoo.listed("env=prod", "collector.os=windows") == []
    assert zoo.listed("env!=prod", "env!=dev", 'env!=""') == ["lines", "odd"]


BAD_MATCHERS = [
    case("no value", "env="), case("no name", "=prod"), case("no operator", "env"),
    case("nothing", ""), case("spaces", "  "), case("empty braces", "{}"),
    case("two", "env=prod,n=42"), case("two in braces", "{env=prod,n=42}"),
    case("a swapped operator", 'collector.os~="x"'), case("a doubled operator", "env==prod"),
    case("an open brace", "{env=prod"), case("a closing brace", "env=prod}"),
    case("an open quote", 'env="prod'), case("a quote inside", 'env=pr"od'),
    case("a single quote", "env='prod'"), case("a backtick", "env=`prod`"),
    case("a backslash", "env=pr\\od"), case("an escape that is none", 'env=~"\\d+"'),
    case("bytes that are not UTF-8", r'env="\xff"'),
    case("a pattern that is none", 'env=~"("'), case("a repeat of nothing", 'env=~"*"'),
    case("a look-ahead", 'env=~"(?=x)"'), case("a back reference", r'env=~"(a)\\1"'),
    case("two commas", "env=prod,,"), case("a comma before", ",env=prod"),
    case("a word behind", "env=prod dev"),
]


@pytest.mark.parametrize("matcher", BAD_MATCHERS)
def test_bad_matchers(fleet, matcher):
    fleet.refused("invalid_argument", "ListCollectors", matchers=[matcher])
    for method in ("CreatePipeline", "UpsertPipeline"):
        fleet.refused("invalid_argument", method, pipeline={
            "name": "p", "contents": "// x\n", "matchers": ["env=prod", matcher]})


def test_matchers_are_kept_as_they_were_written(fleet):
    written = ['  env = "prod" ', "{b=~x|y}", 'a!="\\u00e9"', "z!~.+,", "b=~x|y"]
    made = fleet.pipeline("p", matchers=written)
    assert fleet.call("GetPipeline", id=made)["matchers"] == written


def test_a_pattern_takes_linear_time(fleet):
    fleet.create("c", remoteAttributes={"a": "a" * 150})
    assert fleet.listed('a=~"(a*)*b"') == []
    assert fleet.listed('a=~"(a|a|aa)+$"') == ["c"]


# --- effective attributes and selection


def names_of(content):
    """Labels of the pipelines in a text, in their order."""
    return load(content).declared if not is_comment(content) else []


def test_remote_attributes_win(fleet):
    fleet.pipeline("prod", matchers=["env=prod"])
    fleet.pipeline("dev", matchers=["env=dev"])
    fleet.create("c", remoteAttributes={"env": "prod"})
    assert names_of(fleet.content("c", {"env": "dev"})) == ["prod"]
    fleet.register("c", {"env": "dev"})
    assert (fleet.listed("env=prod"), fleet.listed("env=dev")) == (["c"], [])
    fleet.call("UpdateCollector", collector={"id": "c"})
    assert names_of(fleet.content("c", {"env": "dev"})) == ["dev"]
    assert (fleet.listed("env=prod"), fleet.listed("env=dev")) == ([], ["c"])
    fleet.call("UpdateCollector", collector={"id": "c", "remoteAttributes": {"env": ""}})
    assert is_comment(fleet.content("c", {"env": "dev"}))


def test_an_id_selects_a_pipeline(fleet):
    fleet.pipeline("mine", matchers=["collector.ID=c"])
    fleet.pipeline("reserved", matchers=["collector.os=linux"])
    assert names_of(fleet.content("c", {"collector.os": "linux"})) == ["mine", "reserved"]
    assert names_of(fleet.content("d", {"collector.ID": "c"})) == []


def test_a_pipeline_without_matchers_is_nobodys(fleet):
    fleet.pipeline("all")
    fleet.register("c", {"a": "b"})
    assert is_comment(fleet.content("c", {"a": "b"}))


def test_every_change_is_seen_by_the_next_poll(fleet):
    def seen(known=None):
        told = fleet.config("c", {"env": "prod"}, hash=known or "")
        return "unchanged" if told.get("notModified") else names_of(told["content"])

    def known():
        return fleet.config("c", {"env": "prod"})["hash"]

    fleet.register("c", {"env": "prod"})
    before = known()
    one = fleet.pipeline("one", matchers=["env=prod"])
    assert seen(before) == ["one"]
    before = known()
    two = fleet.pipeline("two", matchers=["env=dev"])
    assert seen(before) == "unchanged"
    fleet.call("UpdatePipeline", pipeline={"id": two, "name": "two", "contents": "// x\n",
                                           "matchers": ["env=~prod|dev"]})
    assert seen(before) == ["one", "two"]
    before = known()
    fleet.call("UpdatePipeline", pipeline={"id": one, "name": "one", "contents": "// other\n",
                                           "matchers": ["env=prod"]})
    assert "// other" in fleet.config("c", {"env": "prod"}, hash=before)["content"]
    before = known()
    fleet.call("UpdatePipeline", pipeline={"id": one, "name": "one", "contents": "// other\n",
                                           "matchers": ["env=prod"], "enabled": False})
    assert seen(before) == ["two"]
    before = known()
    fleet.call("DeletePipeline", id=one)
    assert seen(before) == "unchanged"
    fleet.call("DeletePipeline", id=two)
    assert seen(before) == []
    before = known()
    fleet.call("SyncPipelines", source={"type": "SOURCE_TYPE_GIT", "namespace": "n"}, pipelines=[
        {"name": "three", "contents": "// x\n", "matchers": ["env=prod"]}])
    assert seen(before) == ["three"]


def test_a_change_of_the_collector_is_seen_by_the_next_poll(fleet):
    fleet.pipeline("web", matchers=["role=web"])
    fleet.register("c", {"env": "prod"})
    known = fleet.config("c", {"env": "prod"})["hash"]
    fleet.call("BulkUpdateCollectors", ids=["c"], ops=[
        {"op": "ADD", "path": "remoteAttributes.role", "value": "web"}])
    told = fleet.config("c", {"env": "prod"}, hash=known)
    assert names_of(told["content"]) == ["web"]
    fleet.call("DeleteCollector", id="c")
    assert fleet.config("c", {"env": "prod"}, hash=told["hash"])["hash"] == known


def test_a_change_is_seen_on_every_connection(fleet):
    """Connections are spread over threads; what is acknowledged on one is true on all."""
    fleet.register("c", {"env": "prod"})
    request = {"id": "c", "localAttributes": {"env": "prod"}}
    made = fleet.pipeline("web", "// 0\n", ["env=prod"])
    with wires(fleet.server, 12) as opened:
        for n in range(1, 12):
            known = fleet.config("c", {"env": "prod"})["hash"]
            fleet.call("UpdatePipeline", pipeline={
                "id": made, "name": "web", "contents": f"// {n}\n", "matchers": ["env=prod"]})
            for wire in opened[n:] + opened[:n]:
                answer = wire.request("POST", COLLECTORS + "GetConfig", {**request, "hash": known},
                                      None, [fleet.authorization()]).json()
                assert f"// {n}\n" in answer.get("content", "")


# --- the text


def load_one(fleet, contents, name="web", local=None):
    """The pipeline's own declaration and instance, and the text, for collector "c"."""
    fleet.pipeline(name, contents, ["env=prod"])
    content = fleet.content("c", {"env": "prod", **(local or {})})
    return load(content), content


SCRAPE = '''prometheus.scrape "node" {
\ttargets    = [{"__address__" = "localhost:9100", "a" = "}\\"{"}] // } {
\tforward_to = [prometheus.remote_write.out.receiver]
}

/* } */
prometheus.remote_write "out" {
\tendpoint {
\t\turl = `http://localhost/}{"`
\t}
}
'''


def test_a_pipeline_is_wrapped_as_a_component_with_one_instance(fleet):
    loaded, content = load_one(fleet, SCRAPE)
    assert loaded.declared == ["web"]
    assert loaded.instances == [("web", "default")]
    assert SCRAPE in content  # byte for byte
    assert content.startswith("// ")
    assert content.endswith("}\n") and "\r" not in content


def test_the_text_is_the_same_each_time_and_everywhere(fleet):
    local = {"env": "prod", **{f"k{n}": "v" for n in range(9)}}
    for name in ("b", "a", "c"):
        fleet.pipeline(name, f"// {name}\n", ["env=prod"])
    first = fleet.config("x", local)
    assert fleet.config("y", dict(reversed(local.items()))) == first
    assert load(first["content"]).declared == ["a", "b", "c"]
    assert first["hash"] == hashlib.sha256(first["content"].encode()).hexdigest()
    with Fleet(fleet.server) as other:
        for name in ("c", "b", "a"):
            other.pipeline(name, f"// {name}\n", ["env=prod"])
        assert other.config("z", {"env": "prod"}) == first


def test_pipelines_come_by_name_in_the_order_of_bytes(fleet):
    names = ["b", "a", "B", "a1", "\u00e9", "z", "_"]
    for name in names:
        fleet.pipeline(name, "// x\n", ["env=prod"])
    assert names_of(fleet.content("c", {"env": "prod"})) == sorted(names, key=str.encode)


BUILT_IN = ("beyla database_observability discovery faro local loki mimir otelcol prometheus "
            "pyroscope remote").split()
CONFIG = "declare argument export import logging tracing foreach".split()
SERVICES = "http remotecfg livedebugging cluster ui otel labelstore".split()


@pytest.mark.parametrize("name", [*BUILT_IN, *CONFIG, *SERVICES])
def test_a_name_that_would_shadow_is_told_apart(fleet, name):
    made = fleet.pipeline(name, SCRAPE, ["env=prod"])
    loaded = load(fleet.content("c", {"env": "prod"}))
    assert loaded.declared == [f"{name}_{made}"]
    assert loaded.instances == [(f"{name}_{made}", "default")]


@pytest.mark.parametrize("name, label", [
    case("a hyphen", "my-pipeline", "my_pipeline"), case("a space", "my pipeline", "my_pipeline"),
    case("a dot", "a.b", "a_b"), case("a leading digit", "2nd", "_2nd"),
    case("a slash and quotes", "a/b\"c", "a_b_c"),
    case("letters of another alphabet", "\u0434\u0430", "\u0434\u0430"),
    case("an identifier", "_x9", "_x9"), case("braces", "a{} b", "a___b"),
])
def test_a_name_becomes_a_label(fleet, name, label):
    fleet.pipeline(name, "// x\n", ["env=prod"])
    loaded = load(fleet.content("c", {"env": "prod"}))
    assert (loaded.declared, loaded.instances) == ([label], [(label, "default")])


def test_names_that_become_the_same_label_are_told_apart(fleet):
    ids = {name: fleet.pipeline(name, "// x\n", ["env=prod"])
           for name in ("a-b", "a.b", "a_b", "x")}
    declared = names_of(fleet.content("c", {"env": "prod"}))
    assert len(set(declared)) == 4 and declared[-1] == "x"
    for label in declared[:3]:
        assert label == "a_b" or label in {f"a_b_{i}" for i in ids.values()}
    assert sum(label == "a_b" for label in declared) <= 1


def test_a_name_that_a_pipeline_uses_is_no_matter_of_another(fleet):
    """A declaration inside of one pipeline is not seen by the next."""
    inner = 'declare "helper" {\n\t// x\n}\n\nhelper "h" {\n}\n'
    fleet.pipeline("one", inner, ["env=prod"])
    fleet.pipeline("two", inner, ["env=prod"])
    assert names_of(fleet.content("c", {"env": "prod"})) == ["one", "two"]


USES = 'local.file "f" {\n\tfilename = argument.attributes.value["%s"]\n}\n'


def handed(loaded, label="web"):
    return loaded.values[label].get("attributes", {})


@pytest.mark.parametrize("key, value", [
    case("a local attribute", "env", "prod"), case("the id", "collector.ID", "c"),
    case("a reserved one", "collector.os", "linux"), case("quotes", "quoted", 'a"b\\c'),
    case("a line feed and a tab", "lines", "a\n\tb"),
    case("letters", "letters", "\u0434\u0430 \u2603"),
    case("a comment that is none", "comment", "// x /* y */ `z` ${w}"),
])
def test_attributes_are_handed_to_those_who_use_them(fleet, key, value):
    local = {} if key == "collector.ID" else {key: value}
    loaded, _ = load_one(fleet, USES % key, local=local)
    assert handed(loaded)[key] == value
    assert "attributes" in loaded.arguments["web"]


def test_attributes_that_nobody_reads_make_no_difference(fleet):
    fleet.pipeline("web", SCRAPE, ["env=prod"])
    fleet.pipeline("role", USES % "role", ["env=prod"])
    first = fleet.config("c", {"env": "prod", "role": "web"})
    other = fleet.config("c", {"env": "prod", "role": "db"})
    assert other["hash"] != first["hash"]
    assert handed(load(other["content"]), "role")["role"] == "db"


def test_remote_attributes_are_handed_in_over_local_ones(fleet):
    fleet.pipeline("web", USES % "role", ["env=prod"])
    fleet.create("c", remoteAttributes={"role": "remote"})
    known = fleet.config("c", {"env": "prod", "role": "local"})
    assert handed(load(known["content"]))["role"] == "remote"
    fleet.call("UpdateCollector", collector={"id": "c"})
    told = fleet.config("c", {"env": "prod", "role": "local"}, hash=known["hash"])
    assert handed(load(told["content"]))["role"] == "local"


def test_all_attributes_are_handed_to_those_who_use_them_otherwise(fleet):
    contents = 'local.file "f" {\n\tfilename = encoding.to_json(argument.attributes.value)\n}\n'
    loaded, content = load_one(fleet, contents, local={"b": "2", "a": "1", "collector.os": "linux"})
    assert handed(loaded) == {"a": "1", "b": "2", "collector.ID": "c", "collector.os": "linux",
                              "env": "prod"}
    assert list(handed(loaded)) == sorted(handed(loaded))


def test_an_argument_that_is_declared_is_not_declared_again(fleet):
    own = 'argument "attributes" {\n\toptional = true\n\tdefault  = {"env" = "none"}\n}\n\n'
    loaded, content = load_one(fleet, own + USES % "env")
    assert content.count('argument "attributes"') == 1
    assert handed(loaded)["env"] == "prod"


EXPORTS = 'export "sink" {\n\tvalue = prometheus.remote_write.out.receiver\n}\n' + SCRAPE
IMPORTS = ('prometheus.scrape "s" {\n\ttargets    = []\n'
           '\tforward_to = [argument.pipeline_exports.value["my-sink"]["sink"]]\n}\n')


def test_exports_are_handed_to_those_who_use_them(fleet):
    fleet.pipeline("my-sink", EXPORTS, ["env=prod"])
    fleet.pipeline("user", IMPORTS, ["env=prod"])
    content = fleet.content("c", {"env": "prod"})
    loaded = load(content)
    assert loaded.declared == ["my_sink", "user"]
    assert "pipeline_exports" in loaded.arguments["user"]
    assert "pipeline_exports" not in loaded.arguments["my_sink"]
    given = loaded.values["user"]["pipeline_exports"]
    assert given["my-sink"]["sink"] == "my_sink.default.sink"
    assert "pipeline_exports" not in loaded.values["my_sink"]


def test_whoever_does_not_ask_for_exports_gets_none(fleet):
    fleet.pipeline("my-sink", EXPORTS, ["env=prod"])
    fleet.pipeline("web", SCRAPE, ["env=prod"])
    assert "pipeline_exports" not in fleet.content("c", {"env": "prod"})


# --- the lexer of the tests itself


@pytest.mark.parametrize("text", ["declare \"a\" {", "}", 'a "b" { x = "', "a = 1",
                                  'web "default" {\n}\n', "x \"y\" z {}",
                                  'declare "a" {\n}\ndeclare "a" {\n}\n'])
def test_the_simulated_alloy_refuses_what_cannot_be_loaded(text):
    with pytest.raises(Refused):
        load(text)


def test_the_simulated_alloy_sees_what_is_shadowed():
    inner = 'declare "prometheus" {\n\tprometheus.scrape "x" {\n\t}\n}\nprometheus "default" {\n}\n'
    with pytest.raises(Refused, match="prometheus.scrape"):
        load(inner)
    assert isinstance(load("// nothing\n"), Loaded)
    assert [t for _, t in tokens('a "b\\"}" {} // }\n')][:4] == ["a", '"b\\"}"', "{", "}"]
