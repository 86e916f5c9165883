/* SPDX-License-Identifier: Apache-2.0 */
/* Which pipelines an agent gets, when it is told so without a rendering, and how to look at it. */
#include "core/pipelines_fixture.h"

#include <sodium.h>

#include "core/pipelines_internal.h"

static void agent_gets_the_enabled_pipelines_of_its_type_whose_matchers_all_hold(void **state)
{
    struct fixture x;

    (void)state;
    set_up(&x);
    draft_put(x.p,
              &(struct draft){1, "yes", .contents = PLAIN, .matchers = {"env=prod", "os=~l.*"}});
    draft_put(x.p, &(struct draft){2, "half", .contents = PLAIN, .matchers = {"env=prod", "os=w"}});
    draft_put(x.p, &(struct draft){3, "off", true, .contents = PLAIN, .matchers = {"env=prod"}});
    draft_put(x.p, &(struct draft){4, "otel", .type = AGENT_OTEL, .contents = "a: b\n",
                                   .matchers = {"env=prod"}});
    draft_put(x.p, &(struct draft){5, "absent", .contents = PLAIN, .matchers = {"team=\"\""}});

    struct agent_view v = VIEW(x.a, "c1", "env=prod", "os=linux");
    struct str text = text_for(&x, &v);

    assert_true(mentions(text, "yes"));
    assert_true(mentions(text, "absent"));
    assert_false(mentions(text, "half"));
    assert_false(mentions(text, "off"));
    assert_false(mentions(text, "otel"));
    tear_down(&x);
}

static void pipeline_without_matchers_is_for_nobody_unless_it_is_for_all(void **state)
{
    (void)state;
    for (int all = 0; all < 2; all++) {
        struct pipelines_options o = {.empty_matches_all = all};
        struct fixture x;

        set_up_with(&x, &o);
        draft_put(x.p, &(struct draft){1, "bare", .contents = PLAIN});

        struct agent_view v = VIEW(x.a, "c1", "env=prod");

        assert_int_equal(mentions(text_for(&x, &v), "bare"), all);
        tear_down(&x);
    }
}

static void assert_gets(struct fixture *x, const struct agent_view *v, struct str wanted)
{
    struct choice c = {0};
    struct rendered r = {0};
    uint8_t hash[32];

    crypto_hash_sha256(hash, (const unsigned char *)wanted.p, wanted.len);
    assert_true(pipelines_refresh(x->p, v, &c)); /* there is nothing to render */
    assert_memory_equal(c.hash, hash, sizeof(hash));
    pipelines_render(x->p, v, x->a, &c, &r);
    assert_true(str_eq(r.content, wanted));
    assert_memory_equal(r.hash, hash, sizeof(hash));
    choice_reset(x->p, &c);
}

static void agent_without_pipelines_gets_a_comment_or_nothing_at_all(void **state)
{
    (void)state;
    for (int empty = 0; empty < 2; empty++) {
        struct pipelines_options o = {.disabled_is_empty = empty};
        struct str wanted = empty ? STR("") : alloy_config_none();
        struct fixture x;

        set_up_with(&x, &o);
        draft_put(x.p, &(struct draft){1, "one", .contents = PLAIN, .matchers = {"env=prod"}});
        draft_put(x.p, &(struct draft){2, "two", .type = AGENT_OTEL, .contents = "a: b\n",
                                       .matchers = {"env=prod"}});

        struct agent_view none = VIEW(x.a, "c1", "env=dev");
        struct agent_view disabled = VIEW(x.a, "c2", "env=prod");
        struct agent_view otel = VIEW(x.a, "c3", "env=prod");

        disabled.enabled = false;
        otel.type = AGENT_OTEL;
        assert_gets(&x, &none, wanted);
        assert_gets(&x, &disabled, wanted);
        assert_gets(&x, &otel, wanted);
        tear_down(&x);
    }
}

static void hash_is_the_sha256_of_the_content(void **state)
{
    struct rendered r = {0};
    uint8_t hash[32];
    struct fixture x;

    (void)state;
    set_up(&x);
    draft_put(x.p, &(struct draft){1, "one", .contents = PLAIN, .matchers = {"env=prod"}});

    struct agent_view v = VIEW(x.a, "c1", "env=prod");

    pipelines_render(x.p, &v, x.a, NULL, &r);
    crypto_hash_sha256(hash, (const unsigned char *)r.content.p, r.content.len);
    assert_memory_equal(r.hash, hash, sizeof(hash));
    tear_down(&x);
}

static void choice_is_current_until_something_changes(void **state)
{
    struct choice c = {0};
    struct rendered r = {0};
    struct fixture x;

    (void)state;
    set_up(&x);
    draft_put(x.p, &(struct draft){1, "one", .contents = PLAIN, .matchers = {"env=prod"}});

    struct agent_view v = VIEW(x.a, "c1", "env=prod");

    assert_false(pipelines_is_current(x.p, &c));
    assert_false(pipelines_refresh(x.p, &v, &c)); /* the set is known, its text was never made */
    assert_false(pipelines_is_current(x.p, &c));
    pipelines_render(x.p, &v, x.a, &c, &r);
    assert_true(pipelines_is_current(x.p, &c));

    draft_put(x.p, &(struct draft){2, "two", .contents = PLAIN, .matchers = {"env=dev"}});
    assert_false(pipelines_is_current(x.p, &c));
    assert_true(pipelines_refresh(x.p, &v, &c)); /* it is none of the agent's business */
    assert_true(pipelines_is_current(x.p, &c));
    assert_memory_equal(c.hash, r.hash, sizeof(c.hash));
    choice_reset(x.p, &c);
    assert_false(pipelines_is_current(x.p, &c));
    tear_down(&x);
}

static void storing_what_is_there_already_changes_nothing(void **state)
{
    struct draft d = {1, "one", .contents = PLAIN, .matchers = {"env=prod"}};
    struct pipelines_stats before, after;
    struct fixture x;

    (void)state;
    set_up(&x);
    draft_put(x.p, &d);
    pipelines_stats(x.p, &before);
    draft_put(x.p, &d);
    pipelines_stats(x.p, &after);
    assert_int_equal(after.changes, before.changes);
    assert_int_equal(after.pipelines, 1);
    tear_down(&x);
}

static void one_rendering_is_enough_for_all_agents_of_a_set(void **state)
{
    struct choice first = {0}, second = {0};
    struct rendered r = {0};
    struct fixture x;

    (void)state;
    set_up(&x);
    draft_put(x.p, &(struct draft){1, "one", .contents = PLAIN, .matchers = {"env=prod"}});

    struct agent_view v = VIEW(x.a, "c1", "env=prod");
    struct agent_view w = VIEW(x.a, "c2", "env=prod", "os=linux");

    pipelines_render(x.p, &v, x.a, &first, &r);
    assert_true(pipelines_refresh(x.p, &w, &second));
    assert_ptr_equal(first.set, second.set);
    assert_memory_equal(second.hash, r.hash, sizeof(r.hash));

    draft_put(x.p, &(struct draft){1, "one", .contents = OTHER, .matchers = {"env=prod"}});
    assert_false(pipelines_refresh(x.p, &w, &second));
    assert_ptr_equal(first.set, second.set);
    pipelines_render(x.p, &w, x.a, &second, &r);
    assert_true(mentions(r.content, "exporter.unix"));
    assert_true(pipelines_refresh(x.p, &v, &first));
    assert_memory_equal(first.hash, r.hash, sizeof(r.hash));
    choice_reset(x.p, &first);
    choice_reset(x.p, &second);
    tear_down(&x);
}

static void new_name_makes_a_new_text_of_the_same_set(void **state)
{
    struct choice c = {0};
    struct rendered r = {0};
    struct fixture x;

    (void)state;
    set_up(&x);
    draft_put(x.p, &(struct draft){1, "one", .contents = PLAIN, .matchers = {"env=prod"}});

    struct agent_view v = VIEW(x.a, "c1", "env=prod");

    pipelines_render(x.p, &v, x.a, &c, &r);

    struct pipeline_set *before = c.set;

    draft_put(x.p, &(struct draft){1, "renamed", .contents = PLAIN, .matchers = {"env=prod"}});
    assert_false(pipelines_refresh(x.p, &v, &c));
    assert_ptr_equal(c.set, before);
    assert_true(mentions(text_for(&x, &v), "renamed"));
    choice_reset(x.p, &c);
    tear_down(&x);
}

static void texts_differ_only_where_used_attributes_do(void **state)
{
    struct choice c = {0};
    struct rendered r = {0};
    struct fixture x;

    (void)state;
    set_up(&x);
    draft_put(x.p, &(struct draft){1, "one", .contents = BY_ENV, .matchers = {"os=linux"}});

    struct agent_view prod = VIEW(x.a, "c1", "env=prod", "os=linux");
    struct agent_view same = VIEW(x.a, "c2", "env=prod", "os=linux", "team=a");
    struct agent_view dev = VIEW(x.a, "c3", "env=dev", "os=linux");

    pipelines_render(x.p, &prod, x.a, NULL, &r);
    assert_true(pipelines_refresh(x.p, &same, &c));
    assert_memory_equal(c.hash, r.hash, sizeof(r.hash));
    choice_reset(x.p, &c);
    assert_false(pipelines_refresh(x.p, &dev, &c));
    pipelines_render(x.p, &dev, x.a, &c, &r);
    assert_true(mentions(r.content, "\"dev\""));
    choice_reset(x.p, &c);

    draft_put(x.p, &(struct draft){2, "two", .contents = BY_ALL, .matchers = {"os=linux"}});
    pipelines_render(x.p, &prod, x.a, NULL, &r);
    assert_false(pipelines_refresh(x.p, &same, &c));
    choice_reset(x.p, &c);
    tear_down(&x);
}

/* Not one attribute with the value of another, nor one that is empty with one that is not there. */
static void attribute_values_are_not_mixed_up(void **state)
{
    struct choice c = {0};
    struct rendered r = {0};
    struct fixture x;

    (void)state;
    set_up(&x);
    draft_put(x.p, &(struct draft){1, "one", .contents = BY_ALL, .matchers = {"os=linux"}});

    struct agent_view v = VIEW(x.a, "c", "ab=c", "os=linux");
    struct agent_view w = VIEW(x.a, "c", "a=bc", "os=linux");
    struct agent_view e = VIEW(x.a, "c", "ab=c", "os=linux", "z=");

    pipelines_render(x.p, &v, x.a, NULL, &r);
    assert_false(pipelines_refresh(x.p, &w, &c));
    choice_reset(x.p, &c);
    assert_false(pipelines_refresh(x.p, &e, &c));
    choice_reset(x.p, &c);
    tear_down(&x);
}

/* Or a text that was begun before a change would be taken for that after it. */
static void texts_of_two_versions_of_a_set_have_two_keys(void **state)
{
    const struct label l = {STR("env"), STR("prod")};

    (void)state;
    for (int use = ATTRIBUTES_UNUSED; use <= ATTRIBUTES_ALL; use += ATTRIBUTES_ALL) {
        struct pipeline_set s = {.serial = 1, .version = 1, .use = (enum attribute_use)use};
        struct text_key before = set_text_key(&s, &l, 1);

        s.version = 2;

        struct text_key after = set_text_key(&s, &l, 1);

        assert_memory_not_equal(&before, &after, sizeof(before));
    }
}

static void kept_texts_stay_within_their_bytes(void **state)
{
    struct pipelines_options o = {.variant_bytes = 16384};
    struct pipelines_stats s;
    struct fixture x;
    char id[16];

    (void)state;
    set_up_with(&x, &o);
    draft_put(x.p, &(struct draft){1, "one", .contents = BY_ALL, .matchers = {"os=linux"}});
    for (int i = 0; i < 300; i++) {
        snprintf(id, sizeof(id), "c%d", i);

        struct agent_view v = VIEW(x.a, id, "os=linux");

        assert_true(mentions(text_for(&x, &v), id));
    }
    pipelines_stats(x.p, &s);
    assert_in_range(s.text_bytes, 1, 16384 + 16384 / 8);
    assert_in_range(s.texts, 1, 100);
    tear_down(&x);
}

static void broken_pipelines_are_kept_and_are_for_nobody(void **state)
{
    const struct draft broken[] = {
        {1, "one", .contents = PLAIN, .matchers = {"env=~("}},
        {1, "one", .contents = "prometheus.exporter.self \"me\" {", .matchers = {"env=prod"}},
        {1, "one", .type = AGENT_OTEL, .contents = "a: [", .matchers = {"env=prod"}},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(broken); i++) {
        struct pipeline_verdict *why;
        size_t count = 0;
        struct fail f = {0};
        struct fixture x;

        set_up(&x);
        assert_int_equal(draft_try(x.p, &broken[i], &f), -1);
        assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
        assert_int_equal(pipelines_count(x.p), 1);

        struct agent_view v = VIEW(x.a, "c1", "env=prod");

        assert_gets(&x, &v, alloy_config_none());
        pipelines_explain(x.p, x.a, &v, &why, &count);
        assert_int_equal(count, 1);
        assert_string_equal(why[0].why, "broken");

        draft_put(x.p, &(struct draft){1, "one", .contents = PLAIN, .matchers = {"env=prod"}});
        assert_true(mentions(text_for(&x, &v), "one"));
        tear_down(&x);
    }
}

static void row_that_cannot_be_read_is_broken_as_well(void **state)
{
    struct pipeline row = {.id = 1, .name = STR("one"), .enabled = true, .body = STR("\xff\xff")};
    struct fail f = {0};
    struct fixture x;

    (void)state;
    set_up(&x);
    assert_int_equal(pipelines_put(x.p, &row, &f), -1);
    assert_int_equal(f.code, CODE_DATA_LOSS);
    assert_int_equal(pipelines_count(x.p), 1);
    tear_down(&x);
}

static void choice_older_than_the_log_is_made_anew(void **state)
{
    struct choice c = {0};
    struct rendered r = {0};
    struct fixture x;

    (void)state;
    set_up(&x);
    draft_put(x.p, &(struct draft){1, "one", .contents = PLAIN, .matchers = {"env=prod"}});
    draft_put(x.p, &(struct draft){2, "two", .contents = PLAIN, .matchers = {"env=prod"}});

    struct agent_view v = VIEW(x.a, "c1", "env=prod");

    pipelines_render(x.p, &v, x.a, &c, &r);
    pipelines_remove(x.p, 2);
    for (int i = 0; i < 3000; i++)
        draft_put(x.p, &(struct draft){3, "three", i % 2, .contents = PLAIN, .matchers = {"a=b"}});
    assert_false(pipelines_refresh(x.p, &v, &c));
    pipelines_render(x.p, &v, x.a, &c, &r);
    assert_true(mentions(r.content, "one"));
    assert_false(mentions(r.content, "two"));
    choice_reset(x.p, &c);
    tear_down(&x);
}

/* One change that matters, followed by as many others as the log just holds, or just does not. */
static void changes_are_not_lost_at_the_end_of_the_log(void **state)
{
    (void)state;
    for (int others = 1021; others <= 1026; others++) {
        struct choice chosen = {0}, fresh = {0};
        struct rendered r = {0};
        struct fixture x;

        set_up(&x);
        draft_put(x.p, &(struct draft){1, "one", .contents = PLAIN, .matchers = {"env=prod"}});

        struct agent_view v = VIEW(x.a, "c1", "env=prod");
        struct agent_view w = VIEW(x.a, "c1", "env=dev");

        pipelines_render(x.p, &v, x.a, &fresh, &r);
        choice_reset(x.p, &fresh);
        assert_true(pipelines_refresh(x.p, &w, &chosen));
        draft_put(x.p, &(struct draft){1, "one", .contents = OTHER, .matchers = {"env=~.*"}});
        for (int i = 0; i < others; i++)
            draft_put(x.p,
                      &(struct draft){3, "three", i % 2, .contents = PLAIN, .matchers = {"a=b"}});
        assert_false(pipelines_refresh(x.p, &w, &chosen));
        assert_false(pipelines_refresh(x.p, &v, &fresh));
        assert_ptr_equal(chosen.set, fresh.set);
        tear_down(&x);
    }
}

static void pipeline_that_was_removed_is_nobodys(void **state)
{
    struct choice c = {0};
    struct rendered r = {0};
    struct fixture x;

    (void)state;
    set_up(&x);
    draft_put(x.p, &(struct draft){1, "one", .contents = PLAIN, .matchers = {"env=prod"}});

    struct agent_view v = VIEW(x.a, "c1", "env=prod");

    pipelines_render(x.p, &v, x.a, &c, &r);
    pipelines_remove(x.p, 1);
    pipelines_remove(x.p, 1); /* it is gone already */
    assert_int_equal(pipelines_count(x.p), 0);
    assert_true(pipelines_refresh(x.p, &v, &c));
    assert_gets(&x, &v, alloy_config_none());
    choice_reset(x.p, &c);
    tear_down(&x);
}

static void edits_of_one_moment_come_in_their_order(void **state)
{
    struct fail why[3] = {0};
    struct rendered r = {0};
    struct fixture x;

    (void)state;
    set_up(&x);
    draft_put(x.p, &(struct draft){1, "one", .contents = PLAIN, .matchers = {"env=prod"}});

    struct draft two = {2, "two", .contents = OTHER, .matchers = {"env=prod"}};
    struct draft bad = {3, "three", .contents = OTHER, .matchers = {"env"}};
    struct draft back = {1, "back", .contents = OTHER, .matchers = {"env=prod"}};
    struct pipeline rows[] = {draft_row(x.a, &two), draft_row(x.a, &bad), draft_row(x.a, &back)};
    const struct pipelines_edit edits[] = {
        {.row = &rows[0], .fail = &why[0]},
        {.row = &rows[1], .fail = &why[1]},
        {.gone = 1},
        {.gone = 77}, /* was never there */
        {.row = &rows[2], .fail = &why[2]},
    };
    struct agent_view v = VIEW(x.a, "c1", "env=prod");

    pipelines_apply(x.p, edits, COUNTOF(edits));
    assert_int_equal(why[0].code, CODE_OK);
    assert_string_equal(why[1].reason, "bad_matcher");
    assert_int_equal(why[2].code, CODE_OK);
    assert_int_equal(pipelines_count(x.p), 3);
    pipelines_render(x.p, &v, x.a, NULL, &r);
    assert_true(mentions(r.content, "declare \"back\""));
    assert_true(mentions(r.content, "declare \"two\""));
    assert_false(mentions(r.content, "declare \"one\""));
    tear_down(&x);
}

/* Each is compiled and looked at once, as long as any pipeline names it. */
static void matchers_in_common_are_kept_once_and_no_longer_than_needed(void **state)
{
    struct fixture x;

    (void)state;
    set_up(&x);
    draft_put(x.p, &(struct draft){1, "a", .contents = PLAIN, .matchers = {"k=~a.*", "os=b"}});
    draft_put(x.p, &(struct draft){2, "b", .contents = PLAIN, .matchers = {"k=~a.*", "os=c"}});
    draft_put(x.p, &(struct draft){3, "c", .contents = PLAIN, .matchers = {"k=~a.*", "k=~a.*"}});
    assert_int_equal(conditions_count(x.p->conditions), 3);
    draft_put(x.p, &(struct draft){1, "a", .contents = PLAIN, .matchers = {"os=b", "os=d"}});
    assert_int_equal(conditions_count(x.p->conditions), 4);
    draft_put(x.p, &(struct draft){2, "b", .contents = PLAIN, .matchers = {"os=b"}});
    pipelines_remove(x.p, 3);
    assert_int_equal(conditions_count(x.p->conditions), 2);

    struct agent_view v = VIEW(x.a, "c1", "os=b");

    assert_true(mentions(text_for(&x, &v), "declare \"b\""));
    pipelines_remove(x.p, 1);
    pipelines_remove(x.p, 2);
    assert_int_equal(conditions_count(x.p->conditions), 0);
    tear_down(&x);
}

/* Many sets that nobody has any more do not pile up. */
static void sets_that_nobody_has_are_few(void **state)
{
    struct pipelines_stats s;
    struct fixture x;
    char name[16], matcher[16];

    (void)state;
    set_up(&x);
    for (int i = 0; i < 600; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        snprintf(matcher, sizeof(matcher), "k=%d", i);
        draft_put(x.p, &(struct draft){i + 1, name, .contents = PLAIN, .matchers = {matcher}});

        struct agent_view v = VIEW(x.a, "c1", matcher);

        assert_true(mentions(text_for(&x, &v), name));
    }
    pipelines_stats(x.p, &s);
    assert_in_range(s.sets, 1, 300);
    assert_in_range(s.texts, 1, 300);
    tear_down(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agent_gets_the_enabled_pipelines_of_its_type_whose_matchers_all_hold),
        cmocka_unit_test(pipeline_without_matchers_is_for_nobody_unless_it_is_for_all),
        cmocka_unit_test(agent_without_pipelines_gets_a_comment_or_nothing_at_all),
        cmocka_unit_test(hash_is_the_sha256_of_the_content),
        cmocka_unit_test(choice_is_current_until_something_changes),
        cmocka_unit_test(storing_what_is_there_already_changes_nothing),
        cmocka_unit_test(one_rendering_is_enough_for_all_agents_of_a_set),
        cmocka_unit_test(new_name_makes_a_new_text_of_the_same_set),
        cmocka_unit_test(texts_differ_only_where_used_attributes_do),
        cmocka_unit_test(attribute_values_are_not_mixed_up),
        cmocka_unit_test(texts_of_two_versions_of_a_set_have_two_keys),
        cmocka_unit_test(kept_texts_stay_within_their_bytes),
        cmocka_unit_test(broken_pipelines_are_kept_and_are_for_nobody),
        cmocka_unit_test(row_that_cannot_be_read_is_broken_as_well),
        cmocka_unit_test(choice_older_than_the_log_is_made_anew),
        cmocka_unit_test(changes_are_not_lost_at_the_end_of_the_log),
        cmocka_unit_test(pipeline_that_was_removed_is_nobodys),
        cmocka_unit_test(edits_of_one_moment_come_in_their_order),
        cmocka_unit_test(matchers_in_common_are_kept_once_and_no_longer_than_needed),
        cmocka_unit_test(sets_that_nobody_has_are_few),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
