/* SPDX-License-Identifier: Apache-2.0 */
#include "core/inlets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

static int setup(void **state)
{
    *state = inlets_new();
    return 0;
}

static int teardown(void **state)
{
    inlets_free((struct inlets **)state);
    return 0;
}

static void put(struct inlets *i, uint64_t tenant, int64_t collector, int64_t source,
                const char *code)
{
    inlets_put(i, &(struct inlet){.tenant = tenant,
                                  .collector = collector,
                                  .source = source,
                                  .code = str_of(code),
                                  .metadata = STR("host=h\n")});
}

static bool has(struct inlets *i, const char *code)
{
    struct inlet_ref *r = inlets_find(i, str_of(code));
    bool found = r != NULL;

    inlet_unref(&r);
    return found;
}

static void an_inlet_is_found_by_its_code_alone(void **state)
{
    struct inlet_ref *r;

    put(*state, 1, 10, 100, "first");
    put(*state, 1, 10, 101, "second");
    assert_null(inlets_find(*state, STR("")));
    assert_null(inlets_find(*state, STR("firs")));
    r = inlets_find(*state, STR("second"));
    assert_non_null(r);
    assert_int_equal(inlet_of(r)->source, 101);
    assert_true(str_eq(inlet_of(r)->metadata, STR("host=h\n")));
    assert_true(rules_are_idle(inlet_rules(r)));
    inlet_unref(&r);
    assert_null(r);
}

static void a_source_has_one_code_at_a_time(void **state)
{
    put(*state, 1, 10, 100, "old");
    put(*state, 1, 10, 100, "new");
    assert_false(has(*state, "old"));
    assert_true(has(*state, "new"));
    put(*state, 1, 10, 100, "new");
    assert_true(has(*state, "new"));
}

static void expect_inherited(struct inlets *i, const char *code, const char *wanted)
{
    struct inlet_ref *r = inlets_find(i, str_of(code));
    struct arena *a = arena_new(256);

    assert_non_null(r);
    assert_true(str_eq(inlet_inherited(r, a), str_of(wanted)));
    inlet_unref(&r);
    arena_free(&a);
}

static void sources_inherit_what_their_collector_says_whichever_was_first(void **state)
{
    put(*state, 1, 10, 100, "before");
    expect_inherited(*state, "before", "");
    inlets_put_collector(*state, 1, 10, STR("category=c\n"));
    put(*state, 1, 10, 101, "behind");
    put(*state, 1, 11, 102, "of another collector");
    put(*state, 2, 10, 103, "of another tenant");
    expect_inherited(*state, "before", "category=c\n");
    expect_inherited(*state, "behind", "category=c\n");
    expect_inherited(*state, "of another collector", "");
    expect_inherited(*state, "of another tenant", "");
    inlets_put_collector(*state, 1, 10, STR(""));
    expect_inherited(*state, "before", "");
}

static void nothing_is_inherited_from_a_collector_that_was_removed(void **state)
{
    struct inlet_ref *held;
    struct arena *a = arena_new(256);

    inlets_put_collector(*state, 1, 10, STR("category=c\n"));
    inlets_put_collector(*state, 1, 11, STR("category=d\n"));
    inlets_put_collector(*state, 2, 10, STR("category=e\n"));
    put(*state, 1, 10, 100, "ten");
    held = inlets_find(*state, STR("ten"));
    inlets_remove_collector(*state, 1, 10);
    assert_true(str_eq(inlet_inherited(held, a), STR("category=c\n"))); /* data on its way */
    inlet_unref(&held);
    put(*state, 1, 10, 100, "ten again");
    expect_inherited(*state, "ten again", "");
    inlets_remove_tenant(*state, 1);
    put(*state, 1, 11, 101, "eleven");
    put(*state, 2, 10, 102, "kept");
    expect_inherited(*state, "eleven", "");
    expect_inherited(*state, "kept", "category=e\n");
    arena_free(&a);
}

static void a_boundary_that_cannot_be_used_is_the_end_of_a_line(void **state)
{
    struct inlet in = {.tenant = 1,
                       .source = 100,
                       .code = STR("a"),
                       .boundary = BOUNDARY_PREFIX,
                       .prefix = STR("\\d+")};
    struct inlet_ref *r;

    inlets_put(*state, &in);
    r = inlets_find(*state, STR("a"));
    assert_int_equal(inlet_boundary(r)->kind, BOUNDARY_PREFIX);
    inlet_unref(&r);
    in.prefix = STR("(?=a)");
    inlets_put(*state, &in);
    r = inlets_find(*state, STR("a"));
    assert_int_equal(inlet_boundary(r)->kind, BOUNDARY_LINE);
    inlet_unref(&r);
}

static void what_is_removed_is_not_found(void **state)
{
    put(*state, 1, 10, 100, "a");
    put(*state, 1, 10, 101, "b");
    put(*state, 1, 11, 102, "c");
    put(*state, 2, 10, 100, "d");
    inlets_remove(*state, 1, 999);
    inlets_remove(*state, 1, 100);
    assert_false(has(*state, "a"));
    assert_true(has(*state, "d"));
    inlets_remove_collector(*state, 1, 10);
    assert_false(has(*state, "b"));
    assert_true(has(*state, "c"));
    assert_true(has(*state, "d"));
    inlets_remove_tenant(*state, 1);
    assert_false(has(*state, "c"));
    assert_true(has(*state, "d"));
}

static void a_reference_outlives_its_inlet(void **state)
{
    struct inlet_ref *r;

    put(*state, 1, 10, 100, "a");
    r = inlets_find(*state, STR("a"));
    inlets_remove(*state, 1, 100);
    assert_true(str_eq(inlet_of(r)->code, STR("a")));
    inlet_count(r, 1, 2, 3);
    inlet_unref(&r);
}

static void counts_outlive_a_change_of_settings(void **state)
{
    struct inlet_stats stats;
    struct inlet_ref *r;

    put(*state, 1, 10, 100, "a");
    r = inlets_find(*state, STR("a"));
    inlet_count(r, 5, 500, 1000);
    put(*state, 1, 10, 100, "b");
    inlet_count(r, 1, 10, 900);
    inlet_unref(&r);
    inlets_stats(*state, 1, 100, &stats);
    assert_int_equal(stats.requests, 2);
    assert_int_equal(stats.messages, 6);
    assert_int_equal(stats.bytes, 510);
    assert_int_equal(stats.last_us, 1000);

    inlets_remove(*state, 1, 100);
    put(*state, 1, 10, 100, "a");
    inlets_stats(*state, 1, 100, &stats);
    assert_int_equal(stats.requests, 0);
    inlets_stats(*state, 1, 555, &stats);
    assert_int_equal(stats.requests, 0);
}

static void rules_are_compiled_and_broken_ones_are_known(void **state)
{
    struct rule_spec rule = {.kind = RULE_MASK, .pattern = STR("(x)"), .mask = STR("#")};
    struct inlet in = {
        .tenant = 1, .source = 100, .code = STR("a"), .rules = &rule, .rule_count = 1};
    struct inlet_ref *r;

    inlets_put(*state, &in);
    r = inlets_find(*state, STR("a"));
    assert_false(rules_are_idle(inlet_rules(r)));
    inlet_unref(&r);

    rule.pattern = STR("(x");
    inlets_put(*state, &in);
    r = inlets_find(*state, STR("a"));
    assert_null(inlet_rules(r));
    inlet_unref(&r);
}

/* --- many threads --- */

#define THREADS 4
#define ROUNDS  2000
#define SOURCES 8

struct user {
    struct inlets *inlets;
    pthread_t thread;
    uint64_t found;
};

static void *use(void *arg)
{
    struct user *u = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        char code[16];

        snprintf(code, sizeof(code), "code%u", i % SOURCES);

        struct inlet_ref *r = inlets_find(u->inlets, str_of(code));

        if (r) {
            inlet_count(r, 1, 10, i);
            u->found++;
        }
        inlet_unref(&r);
    }
    return NULL;
}

static void *change(void *arg)
{
    struct user *u = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct inlet_stats stats;
        char code[16];

        snprintf(code, sizeof(code), "code%u", i % SOURCES);
        put(u->inlets, 1, 1 + i % 2, 1 + i % SOURCES, code);
        inlets_stats(u->inlets, 1, 1 + i % SOURCES, &stats);
        if (i % 97 == 0)
            inlets_remove_collector(u->inlets, 1, 1);
    }
    return NULL;
}

static void finding_goes_on_while_sources_change(void **state)
{
    struct user users[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        users[i] = (struct user){.inlets = *state};
        assert_int_equal(pthread_create(&users[i].thread, NULL, i == 0 ? change : use, &users[i]),
                         0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(users[i].thread, NULL), 0);
    put(*state, 1, 1, 1, "code0");
    assert_true(has(*state, "code0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_inlet_is_found_by_its_code_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_has_one_code_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(
            sources_inherit_what_their_collector_says_whichever_was_first, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_inherited_from_a_collector_that_was_removed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_boundary_that_cannot_be_used_is_the_end_of_a_line, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_removed_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reference_outlives_its_inlet, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_outlive_a_change_of_settings, setup, teardown),
        cmocka_unit_test_setup_teardown(rules_are_compiled_and_broken_ones_are_known, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(finding_goes_on_while_sources_change, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
