/* SPDX-License-Identifier: Apache-2.0 */
/* The text that an Alloy gets: its bytes in simple cases, and its tree in all of them: random
 * pipelines are put together, read again and compared with a second, plain description. */
#include "core/alloy_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "codec/alloy.h"

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

static struct alloy_part part_of(struct arena *a, int64_t id, const char *name, struct str contents)
{
    struct alloy_facts *facts = arena_new_type(a, struct alloy_facts);
    struct fail f = {0};

    if (alloy_pipeline_read(a, contents, facts, &f) < 0)
        fail_msg("%s\nin: %.*s", f.message, STR_ARG(contents));
    return (struct alloy_part){id, str_of(name), contents, facts};
}

static void assert_text(struct str got, const char *expected)
{
    if (!str_eq(got, str_of(expected)))
        fail_msg("got:\n%.*s\nexpected:\n%s", STR_ARG(got), expected);
}

static struct alloy_body *parse(struct arena *a, struct str text)
{
    struct alloy_body *body = NULL;
    struct fail f = {0};

    if (alloy_parse(a, text, &body, &f) < 0)
        fail_msg("%s\nin:\n%.*s", f.message, STR_ARG(text));
    return body;
}

static const struct label attributes[] = {
    {STR_INIT("collector.ID"), STR_INIT("c1")},
    {STR_INIT("env"), STR_INIT("prod")},
    {STR_INIT("quote"), STR_INIT("a\"b\\c\n")},
};

/* --- bytes --- */

static void one_pipeline_is_wrapped_as_a_component(void **state)
{
    struct alloy_part part = part_of(*state, 7, "web", STR("a \"b\" { }\n"));

    assert_text(alloy_config_render(*state, &part, 1, attributes, COUNTOF(attributes)),
                "// muster: 1 pipeline\n"
                "declare \"web\" {\n"
                "a \"b\" { }\n"
                "}\n"
                "web \"default\" {}\n");
}

static void attributes_are_handed_over_where_they_are_used(void **state)
{
    struct alloy_part parts[] = {
        part_of(*state, 1, "all", STR("a \"b\" { x = argument.attributes.value }")),
        part_of(*state, 2, "keyed",
                STR("a \"b\" { x = [argument.attributes.value[\"env\"], "
                    "argument.attributes.value[\"none\"]] }")),
        part_of(
            *state, 3, "own",
            STR("argument \"attributes\" {}\na \"b\" { x = argument.attributes.value[\"q\"] }")),
        part_of(*state, 4, "unused", STR("argument \"attributes\" {}")),
    };

    assert_text(
        alloy_config_render(*state, parts, COUNTOF(parts), attributes, COUNTOF(attributes)),
        "// muster: 4 pipelines\n"
        "declare \"all\" {\n"
        "\targument \"attributes\" {\n\t\toptional = true\n\t\tdefault  = {}\n\t}\n"
        "a \"b\" { x = argument.attributes.value }\n"
        "}\n"
        "all \"default\" {\n"
        "\tattributes = { \"collector.ID\" = \"c1\", \"env\" = \"prod\", \"quote\" = "
        "\"a\\\"b\\\\c\\n\" }\n"
        "}\n"
        "declare \"keyed\" {\n"
        "\targument \"attributes\" {\n\t\toptional = true\n\t\tdefault  = {}\n\t}\n"
        "a \"b\" { x = [argument.attributes.value[\"env\"], argument.attributes.value[\"none\"]] "
        "}\n"
        "}\n"
        "keyed \"default\" {\n"
        "\tattributes = { \"env\" = \"prod\" }\n"
        "}\n"
        "declare \"own\" {\n"
        "argument \"attributes\" {}\na \"b\" { x = argument.attributes.value[\"q\"] }\n"
        "}\n"
        "own \"default\" {\n"
        "\tattributes = {}\n"
        "}\n"
        "declare \"unused\" {\n"
        "argument \"attributes\" {}\n"
        "}\n"
        "unused \"default\" {\n"
        "\tattributes = {}\n"
        "}\n");
}

static void exports_of_others_are_handed_over(void **state)
{
    struct alloy_part parts[] = {
        part_of(*state, 1, "any", STR("a \"b\" { x = argument.pipeline_exports.value }")),
        part_of(*state, 2, "my-out", STR("export \"E\" { value = 1 }\nexport \"F\" { value = 2 }")),
        part_of(*state, 3, "named",
                STR("export \"G\" { value = argument.pipeline_exports.value[\"my-out\"][\"E\"] }")),
        part_of(*state, 4, "plain", STR("")),
    };

    assert_text(alloy_config_render(*state, parts, COUNTOF(parts), NULL, 0),
                "// muster: 4 pipelines\n"
                "declare \"any\" {\n"
                "\targument \"pipeline_exports\" {\n\t\toptional = true\n\t\tdefault  = {}\n\t}\n"
                "a \"b\" { x = argument.pipeline_exports.value }\n"
                "}\n"
                "any \"default\" {\n"
                "\tpipeline_exports = { \"my-out\" = { \"E\" = my_out.default.E, \"F\" = "
                "my_out.default.F }, \"named\" = { \"G\" = named.default.G } }\n"
                "}\n"
                "declare \"my_out\" {\n"
                "export \"E\" { value = 1 }\nexport \"F\" { value = 2 }\n"
                "}\n"
                "my_out \"default\" {}\n"
                "declare \"named\" {\n"
                "\targument \"pipeline_exports\" {\n\t\toptional = true\n\t\tdefault  = {}\n\t}\n"
                "export \"G\" { value = argument.pipeline_exports.value[\"my-out\"][\"E\"] }\n"
                "}\n"
                "named \"default\" {\n"
                "\tpipeline_exports = { \"my-out\" = { \"E\" = my_out.default.E, \"F\" = "
                "my_out.default.F } }\n"
                "}\n"
                "declare \"plain\" {\n\n}\n"
                "plain \"default\" {}\n");
}

static void a_pipeline_is_never_handed_its_own_exports(void **state)
{
    struct alloy_part part = part_of(
        *state, 1, "me", STR("export \"E\" { value = argument.pipeline_exports.value[\"me\"] }"));
    struct str text = alloy_config_render(*state, &part, 1, NULL, 0);

    assert_true(str_ends_with(text, STR("me \"default\" {\n\tpipeline_exports = {}\n}\n")));
}

static void two_users_of_a_third_make_no_circle(void **state)
{
    struct str use = STR("export \"E\" { value = argument.pipeline_exports.value[\"c\"][\"E\"] }");
    struct alloy_part parts[] = {
        part_of(*state, 1, "a", use),
        part_of(*state, 2, "b", use),
        part_of(*state, 3, "c", STR("export \"E\" { value = 1 }")),
    };
    struct str text = alloy_config_render(*state, parts, COUNTOF(parts), NULL, 0);

    assert_null(memmem(text.p, text.len, "a.default", 9));
    assert_null(memmem(text.p, text.len, "b.default", 9));
    assert_non_null(memmem(text.p, text.len, "c.default", 9));
}

static void no_pipeline_is_a_comment(void **state)
{
    assert_text(alloy_config_none(), "// muster: 0 pipelines\n");
    assert_text(alloy_config_render(*state, NULL, 0, attributes, 1), "// muster: 0 pipelines\n");
    assert_int_equal(parse(*state, alloy_config_none())->count, 0);
}

static void contents_that_end_in_a_comment_are_closed(void **state)
{
    static const char *const ends[] = {"a \"b\" {} // }", "/* } */",    "a \"b\" {}\r", "// x\r\n",
                                       "a \"b\" {};",     "a \"b\" {}", "// {"};

    for (size_t i = 0; i < COUNTOF(ends); i++) {
        struct alloy_part part = part_of(*state, 1, "web", str_of(ends[i]));
        struct alloy_body *body = parse(*state, alloy_config_render(*state, &part, 1, NULL, 0));

        assert_int_equal(body->count, 2);
    }
}

static void contents_stay_as_they_are(void **state)
{
    struct str contents = STR("  a \"b\" {\r\n\tx = `one\n  two\n\tthree`\n}\n\n\n");
    struct alloy_part part = part_of(*state, 1, "web", contents);
    struct str text = alloy_config_render(*state, &part, 1, NULL, 0);

    assert_non_null(memmem(text.p, text.len, contents.p, contents.len));
}

/* --- labels --- */

static void assert_label(struct arena *a, const char *name, const char *label)
{
    struct alloy_part part = part_of(a, 12, name, (struct str){0});
    struct alloy_body *body = parse(a, alloy_config_render(a, &part, 1, NULL, 0));

    if (!str_eq(body->items[0]->label, str_of(label)))
        fail_msg("%s became %.*s", name, STR_ARG(body->items[0]->label));
}

static void names_become_labels(void **state)
{
    assert_label(*state, "web", "web");
    assert_label(*state, "NodeExporter", "NodeExporter");
    assert_label(*state, "my-pipeline", "my_pipeline");
    assert_label(*state, "a.b c/d", "a_b_c_d");
    assert_label(*state, "1st", "_1st");
    assert_label(*state, "\xd9\xa1st", "_\xd9\xa1st");
    assert_label(*state, "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
    assert_label(*state, "\xe2\x82\xac", "_");
    assert_label(*state, "---", "___");
    assert_label(*state, "a\xff", "a_");
    assert_label(*state, "a\"} b", "a___b");
}

static void labels_that_would_shadow_get_the_id(void **state)
{
    static const char *const taken[] = {
        "beyla",
        "database_observability",
        "discovery",
        "faro",
        "local",
        "loki",
        "mimir",
        "otelcol",
        "prometheus",
        "pyroscope",
        "remote",
        "declare",
        "argument",
        "export",
        "import",
        "logging",
        "tracing",
        "foreach",
        "http",
        "remotecfg",
        "livedebugging",
        "cluster",
        "ui",
        "otel",
        "labelstore",
        "true",
        "null",
        "sys",
        "coalesce",
    };

    for (size_t i = 0; i < COUNTOF(taken); i++)
        assert_label(*state, taken[i], arena_cstr(*state, arena_printf(*state, "%s_12", taken[i])));
    assert_label(*state, "Prometheus", "Prometheus");
    assert_label(*state, "prometheus2", "prometheus2");
    assert_label(*state, "database-observability", "database_observability_12");
}

static void assert_labels(struct arena *a, const struct alloy_part *parts, size_t count,
                          const char *const *labels)
{
    struct alloy_body *body = parse(a, alloy_config_render(a, parts, count, NULL, 0));

    assert_int_equal(body->count, 2 * count);
    for (size_t i = 0; i < count; i++) {
        if (!str_eq(body->items[2 * i]->label, str_of(labels[i])))
            fail_msg("%.*s instead of %s", STR_ARG(body->items[2 * i]->label), labels[i]);
        assert_true(str_eq(body->items[2 * i + 1]->name, str_of(labels[i])));
    }
}

static void labels_that_collide_get_their_ids(void **state)
{
    struct alloy_part parts[] = {
        part_of(*state, 5, "a-b", STR("")),
        part_of(*state, 6, "a.b", STR("")),
        part_of(*state, 7, "a_b", STR("")),
        part_of(*state, 8, "c", STR("")),
    };
    static const char *const labels[] = {"a_b_5", "a_b_6", "a_b_7", "c"};

    assert_labels(*state, parts, COUNTOF(parts), labels);
}

static void a_label_with_its_id_may_collide_again(void **state)
{
    struct alloy_part parts[] = {
        part_of(*state, 5, "a-b", STR("")),   part_of(*state, 6, "a_b", STR("")),
        part_of(*state, 9, "a_b_5", STR("")), part_of(*state, 10, "a_b_5_9", STR("")),
        part_of(*state, 11, "loki", STR("")), part_of(*state, 12, "loki_11", STR("")),
    };
    static const char *const labels[] = {"a_b_5",      "a_b_6",   "a_b_5_9",
                                         "a_b_5_9_10", "loki_11", "loki_11_12"};

    assert_labels(*state, parts, COUNTOF(parts), labels);
}

static void keys_with_quotes_go_between_backticks(void **state)
{
    static const struct label odd[] = {
        {STR_INIT("a\"b"), STR_INIT("1")},
        {STR_INIT("a`b"), STR_INIT("2")},
        {STR_INIT("a`\"b"), STR_INIT("3")},
        {STR_INIT("a\\b\nc"), STR_INIT("4")},
        {STR_INIT("\xc3\xa4"), STR_INIT("\xc3\xa4")},
        {STR_INIT("\xef\xbb\xbf"), STR_INIT("a mark")},
        {STR_INIT("\"\xff"), STR_INIT("\xff")},
        {STR_INIT("\"\r"), STR_INIT("\r")},
    };
    struct alloy_part part =
        part_of(*state, 1, "w", STR("a \"b\" { x = argument.attributes.value }"));
    struct str text = alloy_config_render(*state, &part, 1, odd, COUNTOF(odd));
    struct alloy_body *body = parse(*state, text);
    struct alloy_expr *object = body->items[1]->body->items[0]->value;

    assert_int_equal(object->count, COUNTOF(odd));
    for (size_t i = 0; i < COUNTOF(odd); i++) {
        assert_true(str_eq(object->keys[i], odd[i].key));
        assert_true(str_eq(object->items[i]->text, odd[i].value));
    }
    assert_non_null(memmem(text.p, text.len, "`a\"b` = \"1\"", 11));
    assert_non_null(memmem(text.p, text.len, "\"\xc3\xa4\" = ", 7));
}

/* --- any pipelines --- */

struct dice {
    uint64_t state;
};

static unsigned roll(struct dice *d, unsigned sides)
{
    d->state = d->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(d->state >> 33) % sides;
}

static const char *const names[] = {"a",   "a-b",  "a.b",        "a_b",   "a_b_1", "a_b_2",
                                    "web", "loki", "prometheus", "1",     "_1",    "\xc3\xa4 x",
                                    "ui",  "sys",  "a b",        "loki_7"};

static const char *const pieces[] = {
    "a \"one\" { x = 1 }\n",
    "b \"one\" {\n  y = `raw\n}\n\"declare`\n}\n",
    "c \"one\" { y = argument.attributes.value[\"env\"] } // }\n",
    "d \"one\" { y = argument.attributes.value[\"absent\"] }\n",
    "e \"one\" { y = argument.attributes.value }\n",
    "f \"one\" { y = argument.pipeline_exports.value[\"a-b\"][\"E\"] }\n",
    "g \"one\" { y = argument.pipeline_exports.value }\n",
    "export \"E\" { value = 1 }\n",
    "export \"F\" { value = 2 }\n",
    "argument \"attributes\" { optional = true }\n",
    "argument \"pipeline_exports\" { }\n",
    "declare \"inner\" { argument \"attributes\" { } }\n",
    "// argument.attributes.value",
};

#define PIECES 13
_Static_assert(COUNTOF(pieces) == PIECES, "one bit each");

/* A pipeline by the pieces that are in it, which is all that the second description needs. */
struct model {
    const char *name;
    unsigned pieces;
};

#define HAS(m, i) (((m)->pieces >> (i)) & 1)

static struct alloy_part part_of_model(struct arena *a, const struct model *m, int64_t id)
{
    struct buf b;

    buf_init_arena(&b, a, 1 << 16);
    for (unsigned i = 0; i < PIECES; i++) {
        if (HAS(m, i))
            buf_put_str(&b, str_of(pieces[i]));
    }
    return part_of(a, id, m->name, buf_str(&b));
}

static const struct alloy_expr *argument_of(const struct alloy_statement *instance,
                                            const char *name)
{
    for (size_t i = 0; i < instance->body->count; i++) {
        if (str_eq(instance->body->items[i]->name, str_of(name)))
            return instance->body->items[i]->value;
    }
    return NULL;
}

static unsigned declared(const struct alloy_statement *declare, const char *argument)
{
    unsigned times = 0;

    for (size_t i = 0; i < declare->body->count; i++) {
        const struct alloy_statement *s = declare->body->items[i];

        times += str_eq(s->name, STR("argument")) && str_eq(s->label, str_of(argument));
    }
    return times;
}

static const struct alloy_expr *field(const struct alloy_expr *object, const char *key)
{
    for (size_t i = 0; i < object->count; i++) {
        if (str_eq(object->keys[i], str_of(key)))
            return object->items[i];
    }
    return NULL;
}

static void check_attributes(const struct model *m, const struct alloy_statement *declare,
                             const struct alloy_statement *instance)
{
    bool all = HAS(m, 4), env = all || HAS(m, 2), used = env || HAS(m, 3);
    bool own = HAS(m, 9);
    const struct alloy_expr *object = argument_of(instance, "attributes");

    assert_int_equal(declared(declare, "attributes"), used || own);
    assert_int_equal(object != NULL, used || own);
    if (!object)
        return;
    assert_int_equal(object->count, all ? COUNTOF(attributes) : env);
    if (env)
        assert_true(str_eq(field(object, "env")->text, STR("prod")));
    if (all)
        assert_true(str_eq(field(object, "quote")->text, STR("a\"b\\c\n")));
}

static void check_exporter(const struct model *m, const struct alloy_statement *declare,
                           const struct alloy_expr *object, bool expected)
{
    const struct alloy_expr *exports = field(object, m->name);
    unsigned count = HAS(m, 7) + HAS(m, 8);

    assert_int_equal(exports != NULL, expected && count > 0);
    if (!exports)
        return;
    assert_int_equal(exports->count, count);
    for (unsigned i = 0; i < count; i++) {
        const struct alloy_expr *e = exports->items[i];

        assert_true(str_eq(e->text, exports->keys[i]));
        assert_true(str_eq(e->left->text, STR("default")));
        assert_true(str_eq(e->left->left->text, declare->label));
    }
}

static void check_exports(const struct model *models, size_t count, size_t i,
                          struct alloy_statement **items)
{
    const struct model *m = &models[i];
    bool all = HAS(m, 6), named = HAS(m, 5), own = HAS(m, 10);
    const struct alloy_expr *object = argument_of(items[2 * i + 1], "pipeline_exports");

    assert_int_equal(declared(items[2 * i], "pipeline_exports"), all || named || own);
    assert_int_equal(object != NULL, all || named || own);
    for (size_t j = 0; object && j < count; j++) {
        bool expected = j != i && (all || (named && strcmp(models[j].name, "a-b") == 0));

        check_exporter(&models[j], items[2 * j], object, expected);
    }
}

static int by_name(const void *x, const void *y)
{
    return strcmp(((const struct model *)x)->name, ((const struct model *)y)->name);
}

static void check_text(struct arena *a, const struct model *models, size_t count, struct str text)
{
    struct alloy_body *body = parse(a, text);

    assert_int_equal(body->count, 2 * count);
    for (size_t i = 0; i < count; i++) {
        struct alloy_statement *declare = body->items[2 * i], *instance = body->items[2 * i + 1];
        struct str own = part_of_model(a, &models[i], 1).contents;

        assert_true(str_eq(declare->name, STR("declare")));
        assert_true(str_eq(instance->name, declare->label));
        assert_true(str_eq(instance->label, STR("default")));
        for (size_t j = 0; j < i; j++)
            assert_false(str_eq(body->items[2 * j]->label, declare->label));
        assert_true(own.len == 0 || memmem(text.p, text.len, own.p, own.len));
        check_attributes(&models[i], declare, instance);
        check_exports(models, count, i, body->items);
    }
}

static void any_pipelines_make_a_text_that_says_what_they_need(void **state)
{
    struct dice d = {20240607};

    for (int round = 0; round < 3000; round++) {
        struct arena *a = *state;
        struct model models[COUNTOF(names)];
        struct alloy_part parts[COUNTOF(names)];
        size_t count = 0;
        struct str text;

        arena_reset(a);
        for (size_t i = 0; i < COUNTOF(names); i++) {
            if (roll(&d, 2) == 0)
                models[count++] = (struct model){names[i], roll(&d, 1u << PIECES)};
        }
        qsort(models, count, sizeof(*models), by_name);
        for (size_t i = 0; i < count; i++)
            parts[i] = part_of_model(a, &models[i], (int64_t)roll(&d, 2) + 1 + 2 * (int64_t)i);
        text = alloy_config_render(a, parts, count, attributes, COUNTOF(attributes));
        check_text(a, models, count, text);
        assert_true(
            str_eq(text, alloy_config_render(a, parts, count, attributes, COUNTOF(attributes))));
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_arena, drop_arena)
    const struct CMUnitTest tests[] = {
        CASE(one_pipeline_is_wrapped_as_a_component),
        CASE(attributes_are_handed_over_where_they_are_used),
        CASE(exports_of_others_are_handed_over),
        CASE(a_pipeline_is_never_handed_its_own_exports),
        CASE(two_users_of_a_third_make_no_circle),
        CASE(no_pipeline_is_a_comment),
        CASE(contents_that_end_in_a_comment_are_closed),
        CASE(contents_stay_as_they_are),
        CASE(names_become_labels),
        CASE(labels_that_would_shadow_get_the_id),
        CASE(labels_that_collide_get_their_ids),
        CASE(a_label_with_its_id_may_collide_again),
        CASE(keys_with_quotes_go_between_backticks),
        CASE(any_pipelines_make_a_text_that_says_what_they_need),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
