/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines for Alloy: what is refused when they are written, and what their trees say about
 * attributes and exports. */
#include "core/alloy_pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static int make_arena(void **state)
{
    *state = arena_new(1 << 16);
    return 0;
}

static int drop_arena(void **state)
{
    struct arena *a = *state;

    arena_free(&a);
    return 0;
}

static struct alloy_facts facts_of(struct arena *a, const char *text)
{
    struct alloy_facts facts = {0};
    struct fail f = {0};

    if (alloy_pipeline_read(a, str_of(text), &facts, &f) < 0)
        fail_msg("%s\nin: %s", f.message, text);
    return facts;
}

/* --- refusals --- */

static void what_agents_refuse_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } bad[] = {
        {"a {",
         "line 1, column 4: expected the name of an attribute or a block, found the end of "
         "the text"},
        {"\n x = 1", "line 2, column 2: the attribute \"x\" must stand within a block"},
        {"logging { }", "line 1, column 1: a \"logging\" block is not allowed in a pipeline"},
        {"tracing \"x\" { }", "line 1, column 1: a \"tracing\" block is not allowed in a pipeline"},
        {"http { }",
         "line 1, column 1: a \"http\" block configures a service of the agent and is "
         "not allowed in a pipeline"},
        {"a {}\nremotecfg { }",
         "line 2, column 1: a \"remotecfg\" block configures a service of "
         "the agent and is not allowed in a pipeline"},
        {"declare { }", "line 1, column 1: a \"declare\" block needs a label"},
        {"declare \"\" { }", "line 1, column 1: a \"declare\" block needs a label"},
        {"argument { }", "line 1, column 1: a \"argument\" block needs a label"},
        {"export { }", "line 1, column 1: a \"export\" block needs a label"},
        {"foreach { }", "line 1, column 1: a \"foreach\" block needs a label"},
        {"import.git { }", "line 1, column 1: a \"import.git\" block needs a label"},
        {"declare \"declare\" { }", "line 1, column 9: \"declare\" cannot be declared"},
        {"a \"b\" {}\n\n a \"b\" {}", "line 3, column 2: \"a.b\" is already declared in line 1"},
        {"a.b {}\na \"b\" {}", "line 2, column 1: \"a.b\" is already declared in line 1"},
        {"a {}\na {}", "line 2, column 1: \"a\" is already declared in line 1"},
        {"declare \"x\" {}\ndeclare \"x\" {}",
         "line 2, column 1: \"declare.x\" is already "
         "declared in line 1"},
        {"argument \"x\" { }",
         "line 1, column 1: nothing sets the argument \"x\" of a pipeline; "
         "give it \"optional = true\""},
        {"argument \"x\" { default = 1 }",
         "line 1, column 1: nothing sets the argument \"x\" of a "
         "pipeline; give it \"optional = true\""},
        {"argument \"x\" { optional = false }",
         "line 1, column 1: nothing sets the argument \"x\" "
         "of a pipeline; give it \"optional = true\""},
        /* the same rules in scopes within */
        {"declare \"x\" { logging { } }",
         "line 1, column 15: a \"logging\" block is not allowed "
         "in a pipeline"},
        {"declare \"x\" { y = 1 }",
         "line 1, column 15: the attribute \"y\" must stand within a "
         "block"},
        {"declare \"x\" {\n a \"b\" {}\n a \"b\" {}\n}",
         "line 3, column 2: \"a.b\" is already "
         "declared in line 2"},
        {"foreach \"x\" {\n template {\n  http {}\n }\n}",
         "line 3, column 3: a \"http\" block configures a service of the agent and is not allowed "
         "in a pipeline"},
    };

    for (size_t i = 0; i < COUNTOF(bad); i++) {
        struct alloy_facts facts = {.export_count = 77};
        struct fail f = {0};

        if (alloy_pipeline_read(*state, str_of(bad[i].text), &facts, &f) == 0)
            fail_msg("was accepted: %s", bad[i].text);
        assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
        assert_string_equal(f.reason, "bad_contents");
        assert_string_equal(f.message, bad[i].message);
        assert_int_equal(facts.export_count, 77);
    }
}

static void every_service_is_known(void **state)
{
    static const char *const services[] = {"http", "remotecfg", "livedebugging", "cluster",
                                           "ui",   "otel",      "labelstore"};

    for (size_t i = 0; i < COUNTOF(services); i++) {
        struct str text = arena_printf(*state, "%s {}", services[i]);
        struct alloy_facts facts;
        struct fail f = {0};

        assert_int_equal(alloy_pipeline_read(*state, text, &facts, &f), -1);
    }
}

static void what_agents_take_is_accepted(void **state)
{
    static const char *const good[] = {
        "",
        "// nothing yet",
        "a \"b\" {}\na \"c\" {}\nb \"b\" {}",
        /* names of services are common within components */
        "otelcol.receiver.otlp \"in\" { http {}\n grpc {}\n http {} }",
        "x.y \"z\" { logging {}\n tracing {}\n cluster {}\n otel {} }",
        /* the same label in another scope */
        "declare \"x\" { a \"b\" {} }\na \"b\" {}\ndeclare \"y\" { a \"b\" {} }",
        "declare \"x\" { declare \"x\" {} }",
        "declare \"x\" { argument \"needed\" {} }",
        "declare \"http\" {}\nhttp \"x\" {}",
        "argument \"x\" { optional = true }",
        "argument \"x\" {\n optional = !false\n default = 3\n}",
        "argument \"attributes\" {}\nargument \"pipeline_exports\" {}",
        "foreach \"x\" {\n collection = []\n var = \"y\"\n template { a \"b\" {} }\n}\na \"b\" {}",
        "import.file \"x\" {}\nimport.git \"x\" {}",
    };

    for (size_t i = 0; i < COUNTOF(good); i++)
        IGNORE(facts_of(*state, good[i]).export_count);
}

/* --- facts --- */

static void assert_use(struct arena *a, const char *value, enum attribute_use attributes,
                       enum attribute_use exports)
{
    struct str text = arena_printf(a, "a \"b\" {\n c {\n  d = %s\n }\n}\n", value);
    struct alloy_facts facts = facts_of(a, arena_cstr(a, text));

    if (facts.attributes != attributes || facts.exports_use != exports)
        fail_msg("%s: %d and %d", value, facts.attributes, facts.exports_use);
    assert_int_equal(facts.uses_exports, exports != ATTRIBUTES_UNUSED);
    assert_false(facts.declares_attributes || facts.declares_exports_argument);
    assert_int_equal(facts.key_count > 0, attributes == ATTRIBUTES_BY_KEY);
    assert_int_equal(facts.exporter_count > 0, exports == ATTRIBUTES_BY_KEY);
}

static void a_mention_counts_by_its_form(void **state)
{
    static const struct {
        const char *value;
        enum attribute_use attributes;
    } cases[] = {
        {"1", ATTRIBUTES_UNUSED},
        {"argument.attributes.value[\"k\"]", ATTRIBUTES_BY_KEY},
        {"argument.attributes.value[`k`]", ATTRIBUTES_BY_KEY},
        {"argument.attributes.value[\"k\"].x[0](1)", ATTRIBUTES_BY_KEY},
        {"[{x = f(-(1 + argument.attributes.value[\"k\"]))}]", ATTRIBUTES_BY_KEY},
        {"x[argument.attributes.value[\"k\"]]", ATTRIBUTES_BY_KEY},
        {"argument.attributes.value[\"k\" + \"l\"]", ATTRIBUTES_ALL},
        {"argument.attributes.value[x.y]", ATTRIBUTES_ALL},
        {"argument.attributes.value[(\"k\")]", ATTRIBUTES_ALL},
        {"argument.attributes.value.k", ATTRIBUTES_ALL},
        {"argument.attributes.value", ATTRIBUTES_ALL},
        {"argument.attributes.values[\"k\"]", ATTRIBUTES_ALL},
        {"argument.attributes", ATTRIBUTES_ALL},
        {"(argument.attributes.value)[\"k\"]", ATTRIBUTES_ALL},
        {"argument.attributes[\"value\"][\"k\"]", ATTRIBUTES_ALL},
        {"encoding.to_json(argument.attributes.value)", ATTRIBUTES_ALL},
        {"[argument.attributes.value[\"k\"], argument.attributes.value]", ATTRIBUTES_ALL},
        {"[argument.attributes.value, argument.attributes.value[\"k\"]]", ATTRIBUTES_ALL},
        {"argument.other.value[\"k\"]", ATTRIBUTES_UNUSED},
        {"argument.other.attributes.value[\"k\"]", ATTRIBUTES_UNUSED},
        {"x.argument.attributes.value[\"k\"]", ATTRIBUTES_UNUSED},
        {"{argument = 1}.attributes", ATTRIBUTES_UNUSED},
        {"{argument = {attributes = 1}}", ATTRIBUTES_UNUSED},
        {"\"argument.attributes.value\"", ATTRIBUTES_UNUSED},
        {"`argument.attributes.value`", ATTRIBUTES_UNUSED},
        {"1 // argument.attributes.value", ATTRIBUTES_UNUSED},
        {"/* argument.attributes.value */ 1", ATTRIBUTES_UNUSED},
    };

    for (size_t i = 0; i < COUNTOF(cases); i++)
        assert_use(*state, cases[i].value, cases[i].attributes, ATTRIBUTES_UNUSED);
}

static void a_bare_argument_may_be_either(void **state)
{
    assert_use(*state, "argument", ATTRIBUTES_ALL, ATTRIBUTES_ALL);
    assert_use(*state, "argument[\"attributes\"]", ATTRIBUTES_ALL, ATTRIBUTES_ALL);
    assert_use(*state, "(argument).attributes", ATTRIBUTES_ALL, ATTRIBUTES_ALL);
}

static void exports_are_read_like_attributes(void **state)
{
    struct alloy_facts facts;

    assert_use(*state, "argument.pipeline_exports.value[\"P\"][\"E\"]", ATTRIBUTES_UNUSED,
               ATTRIBUTES_BY_KEY);
    assert_use(*state, "argument.pipeline_exports.value[\"P\"].E", ATTRIBUTES_UNUSED,
               ATTRIBUTES_BY_KEY);
    assert_use(*state, "argument.pipeline_exports.value", ATTRIBUTES_UNUSED, ATTRIBUTES_ALL);
    facts = facts_of(*state,
                     "a \"b\" {\n"
                     " x = argument.pipeline_exports.value[\"two\"][\"E\"]\n"
                     " y = argument.pipeline_exports.value[\"one\"][\"F\"]\n"
                     " z = argument.pipeline_exports.value[\"two\"][\"G\"]\n"
                     "}");
    assert_int_equal(facts.exporter_count, 2);
    assert_true(str_eq(facts.exporters[0], STR("one")));
    assert_true(str_eq(facts.exporters[1], STR("two")));
}

static void keys_are_sorted_and_stand_once(void **state)
{
    struct alloy_facts facts = facts_of(*state,
                                        "a \"b\" {\n"
                                        " x = argument.attributes.value[\"env\"]\n"
                                        " y = argument.attributes.value[\"collector.ID\"]\n"
                                        " z = [argument.attributes.value[\"env\"], "
                                        "argument.attributes.value[\"\\u0061\"]]\n"
                                        "}");

    assert_int_equal(facts.attributes, ATTRIBUTES_BY_KEY);
    assert_int_equal(facts.key_count, 3);
    assert_true(str_eq(facts.keys[0], STR("a")));
    assert_true(str_eq(facts.keys[1], STR("collector.ID")));
    assert_true(str_eq(facts.keys[2], STR("env")));
}

static void own_arguments_and_exports_are_noted(void **state)
{
    struct alloy_facts facts = facts_of(*state,
                                        "export \"z\" { value = 1 }\n"
                                        "argument \"attributes\" { optional = true }\n"
                                        "export \"a\" { value = 2 }\n"
                                        "argument \"pipeline_exports\" {}\n"
                                        "declare \"d\" { export \"inner\" { value = 3 } }\n");

    assert_true(facts.declares_attributes && facts.declares_exports_argument);
    assert_int_equal(facts.attributes, ATTRIBUTES_UNUSED);
    assert_false(facts.uses_exports);
    assert_int_equal(facts.export_count, 2);
    assert_true(str_eq(facts.exports[0], STR("z")));
    assert_true(str_eq(facts.exports[1], STR("a")));
}

static void a_declare_that_has_the_argument_means_its_own(void **state)
{
    struct alloy_facts facts =
        facts_of(*state,
                 "declare \"d\" {\n"
                 " argument \"attributes\" {}\n"
                 " a \"b\" { x = argument.attributes.value }\n"
                 " declare \"e\" { a \"b\" { x = argument.attributes.value } }\n"
                 "}\n"
                 "d \"i\" { attributes = 1 }\n");

    assert_int_equal(facts.attributes, ATTRIBUTES_UNUSED);
    assert_false(facts.declares_attributes);
    facts = facts_of(*state,
                     "declare \"d\" {\n"
                     " argument \"other\" {}\n"
                     " a \"b\" { x = argument.attributes.value }\n"
                     "}\n");
    assert_int_equal(facts.attributes, ATTRIBUTES_ALL);
    facts = facts_of(*state,
                     "declare \"d\" {\n"
                     " argument \"attributes\" {}\n"
                     " a \"b\" { x = argument.pipeline_exports.value }\n"
                     "}\n"
                     "a \"b\" { x = argument.attributes.value[\"k\"] }\n");
    assert_int_equal(facts.attributes, ATTRIBUTES_BY_KEY);
    assert_int_equal(facts.exports_use, ATTRIBUTES_ALL);
}

static void facts_outlive_the_text(void **state)
{
    char text[] = "export \"e\" { value = argument.attributes.value[\"k\"] }";
    struct alloy_facts facts = {0};
    struct fail f = {0};

    assert_int_equal(alloy_pipeline_read(*state, str_of(text), &facts, &f), 0);
    memset(text, 'x', sizeof(text));
    assert_true(str_eq(facts.keys[0], STR("k")));
    assert_true(str_eq(facts.exports[0], STR("e")));
}

static void a_long_chain_is_read_without_recursion(void **state)
{
    struct alloy_facts facts = {0};
    struct fail f = {0};
    struct buf b;

    buf_init_arena(&b, *state, 4 << 20);
    buf_put_str(&b, STR("a \"b\" { x = argument.attributes.value[\"k\"]"));
    for (int i = 0; i < 90000; i++)
        buf_put_str(&b, STR(" + 1"));
    buf_put_str(&b, STR(" }"));
    assert_int_equal(alloy_pipeline_read(*state, buf_str(&b), &facts, &f), 0);
    assert_int_equal(facts.attributes, ATTRIBUTES_BY_KEY);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_arena, drop_arena)
    const struct CMUnitTest tests[] = {
        CASE(what_agents_refuse_is_refused_with_its_place),
        CASE(every_service_is_known),
        CASE(what_agents_take_is_accepted),
        CASE(a_mention_counts_by_its_form),
        CASE(a_bare_argument_may_be_either),
        CASE(exports_are_read_like_attributes),
        CASE(keys_are_sorted_and_stand_once),
        CASE(own_arguments_and_exports_are_noted),
        CASE(a_declare_that_has_the_argument_means_its_own),
        CASE(facts_outlive_the_text),
        CASE(a_long_chain_is_read_without_recursion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
