/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at pipelines: why an agent gets one or not, and what it would get. */
#include "core/pipelines_fixture.h"

static const struct pipeline_verdict *verdict_on(const struct pipeline_verdict *why, size_t count,
                                                 const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(why[i].name, str_of(name)))
            return &why[i];
    }
    fail_msg("nothing is said of %s", name);
    return NULL;
}

static void explanation_names_what_decided(void **state)
{
    struct pipeline_verdict *why;
    size_t count = 0;
    struct fixture x;

    (void)state;
    set_up(&x);
    draft_put(x.p, &(struct draft){9, "a", .contents = PLAIN, .matchers = {"env=prod"}});
    draft_put(x.p, &(struct draft){8, "b", true, .contents = PLAIN, .matchers = {"env=prod"}});
    draft_put(x.p, &(struct draft){7, "c", .contents = PLAIN,
                                   .matchers = {"env=prod", "os=~w.*", "env!=prod"}});
    draft_put(x.p, &(struct draft){6, "d", .contents = PLAIN});
    draft_put(x.p, &(struct draft){5, "e", .type = AGENT_OTEL, .contents = "a: b\n",
                                   .matchers = {"env=prod"}});

    struct agent_view v = VIEW(x.a, "c1", "env=prod", "os=linux");

    pipelines_explain(x.p, x.a, &v, &why, &count);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(why[i].name.p[0], 'a' + (int)i);
    assert_true(why[0].selected);
    assert_int_equal(why[0].id, 9);
    assert_string_equal(why[0].why, "matches");
    assert_false(why[1].selected);
    assert_string_equal(why[1].why, "disabled");
    assert_string_equal(why[2].why, "matcher");
    assert_true(str_eq(why[2].matcher, STR("os=~w.*")));
    assert_string_equal(why[3].why, "no matchers");
    assert_string_equal(why[4].why, "type");

    v.enabled = false;
    pipelines_explain(x.p, x.a, &v, &why, &count);
    assert_string_equal(verdict_on(why, count, "a")->why, "agent disabled");
    assert_false(verdict_on(why, count, "a")->selected);
    assert_string_equal(verdict_on(why, count, "b")->why, "disabled");
    tear_down(&x);
}

static void preview_shows_the_draft_in_its_place_and_leaves_no_trace(void **state)
{
    struct draft changed = {1, "one", .contents = OTHER, .matchers = {"env=prod"}};
    struct draft fresh = {0, "two", .contents = OTHER, .matchers = {"env=prod"}};
    struct draft narrow = {1, "one", .contents = OTHER, .matchers = {"env=dev"}};
    struct draft bad = {1, "one", .contents = OTHER, .matchers = {"env"}};
    struct rendered before = {0}, preview = {0}, after = {0};
    struct fail f = {0};
    struct fixture x;

    (void)state;
    set_up(&x);
    draft_put(x.p, &(struct draft){1, "one", .contents = PLAIN, .matchers = {"env=prod"}});

    struct agent_view v = VIEW(x.a, "c1", "env=prod");
    struct pipeline row = draft_row(x.a, &changed);

    pipelines_render(x.p, &v, x.a, NULL, &before);
    assert_int_equal(pipelines_preview(x.p, x.a, &row, &v, &preview, &f), 0);
    assert_true(mentions(preview.content, "exporter.unix"));
    assert_false(mentions(preview.content, "exporter.self"));

    row = draft_row(x.a, &fresh);
    assert_int_equal(pipelines_preview(x.p, x.a, &row, &v, &preview, &f), 0);
    assert_true(mentions(preview.content, "exporter.unix"));
    assert_true(mentions(preview.content, "exporter.self"));

    row = draft_row(x.a, &narrow);
    assert_int_equal(pipelines_preview(x.p, x.a, &row, &v, &preview, &f), 0);
    assert_true(str_eq(preview.content, alloy_config_none()));

    row = draft_row(x.a, &bad);
    assert_int_equal(pipelines_preview(x.p, x.a, &row, &v, &preview, &f), -1);
    assert_string_equal(f.reason, "bad_matcher");

    pipelines_render(x.p, &v, x.a, NULL, &after);
    assert_true(str_eq(after.content, before.content));

    draft_put(x.p, &changed);
    row = draft_row(x.a, &changed);
    pipelines_render(x.p, &v, x.a, NULL, &after);
    assert_int_equal(pipelines_preview(x.p, x.a, &row, &v, &preview, &f), 0);
    assert_memory_equal(preview.hash, after.hash, sizeof(after.hash));
    tear_down(&x);
}

static void matching_asks_only_the_matchers(void **state)
{
    int64_t *ids;
    size_t count = 0;
    struct fixture x;

    (void)state;
    set_up(&x);
    draft_put(x.p, &(struct draft){5, "a", .contents = PLAIN, .matchers = {"env=prod"}});
    draft_put(x.p, &(struct draft){2, "b", true, .contents = PLAIN, .matchers = {"env=~p.*"}});
    draft_put(x.p, &(struct draft){3, "c", .contents = PLAIN, .matchers = {"env!=prod"}});
    draft_put(x.p, &(struct draft){4, "d", .contents = PLAIN});
    draft_put(x.p, &(struct draft){1, "e", .type = AGENT_OTEL, .contents = "a: b\n",
                                   .matchers = {"env=prod"}});

    struct agent_view v = VIEW(x.a, "c1", "env=prod");

    pipelines_matching(x.p, x.a, v.attributes, v.attribute_count, &ids, &count);
    assert_int_equal(count, 3);
    assert_int_equal(ids[0], 1);
    assert_int_equal(ids[1], 2);
    assert_int_equal(ids[2], 5);
    tear_down(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explanation_names_what_decided),
        cmocka_unit_test(preview_shows_the_draft_in_its_place_and_leaves_no_trace),
        cmocka_unit_test(matching_asks_only_the_matchers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
