/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rpc/limit.h"

#define MS INT64_C(1000)

struct fixture {
    struct clock *clock;
    struct limits *limits;
    size_t slot;
};

static int setup(void **state)
{
    static struct fixture fx;
    struct fail f;

    fx.clock = clock_new_manual(0, 12345678);
    fx.limits = limits_new(fx.clock, 1000);
    if (limits_slot(fx.limits, "test", 0, &fx.slot, &f) < 0)
        return -1;
    *state = &fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;

    limits_free(&fx->limits);
    clock_free(&fx->clock);
    return 0;
}

static void set(struct fixture *fx, const struct limit_policy *p)
{
    struct fail f;

    assert_int_equal(limits_set(fx->limits, fx->slot, p, &f), 0);
}

/* 0: admitted; else the milliseconds to wait. The lease is given back at once. */
static uint32_t knock(struct fixture *fx, uint64_t tenant, const char *key)
{
    struct limit_lease lease = {NULL, NULL};
    struct limit_state state;
    struct fail f = {0};

    if (limits_take(fx->limits, fx->slot, tenant, str_of(key), &lease, &state, &f) == 0) {
        limits_release(fx->limits, &lease);
        return 0;
    }
    assert_int_equal(f.code, CODE_RESOURCE_EXHAUSTED);
    assert_true(f.retry_after_ms > 0);
    return f.retry_after_ms;
}

static void nothing_is_limited_without_a_policy(void **state)
{
    struct fixture *fx = *state;

    for (int i = 0; i < 10000; i++)
        assert_int_equal(knock(fx, 1, "k"), 0);
    assert_int_equal(limits_count(fx->limits), 0);
}

static const struct limit_policy bucket = {
    .key = {.shape = LIMIT_BUCKET, .amount = 10, .period_ms = 1000, .burst = 3},
    .headers = true,
};

static void a_bucket_gives_its_burst_and_then_its_rate(void **state)
{
    struct fixture *fx = *state;

    set(fx, &bucket);
    for (int i = 0; i < 3; i++)
        assert_int_equal(knock(fx, 1, "k"), 0);
    assert_int_equal(knock(fx, 1, "k"), 100 + 1);
    clock_advance(fx->clock, 99 * MS);
    assert_in_range(knock(fx, 1, "k"), 1, 2);
    clock_advance(fx->clock, 1 * MS + 1);
    assert_int_equal(knock(fx, 1, "k"), 0);
    assert_true(knock(fx, 1, "k") > 0);
    clock_advance(fx->clock, 3600000 * MS); /* fills up to the burst, not beyond */
    for (int i = 0; i < 3; i++)
        assert_int_equal(knock(fx, 1, "k"), 0);
    assert_true(knock(fx, 1, "k") > 0);
}

static void keys_and_tenants_do_not_share_a_bucket(void **state)
{
    struct fixture *fx = *state;

    set(fx, &bucket);
    for (int i = 0; i < 3; i++)
        assert_int_equal(knock(fx, 1, "k"), 0);
    assert_true(knock(fx, 1, "k") > 0);
    assert_int_equal(knock(fx, 1, "other"), 0);
    assert_int_equal(knock(fx, 2, "k"), 0);
}

static void a_tenants_rule_counts_all_its_keys(void **state)
{
    struct fixture *fx = *state;
    const struct limit_policy p = {
        .tenant = {.shape = LIMIT_BUCKET, .amount = 2, .period_ms = 1000}};

    set(fx, &p);
    assert_int_equal(knock(fx, 1, "a"), 0);
    assert_int_equal(knock(fx, 1, "b"), 0);
    assert_true(knock(fx, 1, "c") > 0);
    assert_true(knock(fx, 1, "") > 0);
    assert_int_equal(knock(fx, 2, "a"), 0);
}

static void a_window_never_admits_more_than_its_amount_in_any_period(void **state)
{
    struct fixture *fx = *state;
    const struct limit_policy p = {
        .key = {.shape = LIMIT_WINDOW, .amount = 240, .period_ms = 60000}};
    int64_t admitted[8000];
    size_t count = 0, first = 0;
    int64_t now = 0;

    set(fx, &p);
    for (int step = 0; step < 8000; step++) {
        if (knock(fx, 1, "k") == 0) {
            admitted[count++] = now;
            while (admitted[first] <= now - 60000 * MS)
                first++;
            assert_true(count - first <= 240);
        }
        clock_advance(fx->clock, 37 * MS);
        now += 37 * MS;
    }
    assert_true(count > 960); /* 296 s: not much less than it may */
}

static void a_full_window_says_how_long_to_wait(void **state)
{
    struct fixture *fx = *state;
    const struct limit_policy p = {.key = {.shape = LIMIT_WINDOW, .amount = 2, .period_ms = 60000}};

    set(fx, &p);
    assert_int_equal(knock(fx, 1, "k"), 0);
    clock_advance(fx->clock, 10000 * MS);
    assert_int_equal(knock(fx, 1, "k"), 0);

    uint32_t wait = knock(fx, 1, "k");

    assert_in_range(wait, 50000, 51000);
    clock_advance(fx->clock, (int64_t)wait * MS - MS);
    assert_true(knock(fx, 1, "k") > 0);
    clock_advance(fx->clock, MS);
    assert_int_equal(knock(fx, 1, "k"), 0);
    assert_true(knock(fx, 1, "k") > 0);
}

static void concurrency_is_capped_until_a_lease_comes_back(void **state)
{
    struct fixture *fx = *state;
    const struct limit_policy p = {.key_concurrent = 2, .tenant_concurrent = 3};
    struct limit_lease leases[4] = {{NULL, NULL}};
    struct limit_state st;
    struct fail f;

    set(fx, &p);
    assert_int_equal(limits_take(fx->limits, fx->slot, 1, STR("k"), &leases[0], &st, &f), 0);
    assert_int_equal(limits_take(fx->limits, fx->slot, 1, STR("k"), &leases[1], &st, &f), 0);
    assert_int_equal(limits_take(fx->limits, fx->slot, 1, STR("k"), &leases[3], &st, &f), -1);
    assert_string_equal(f.reason, "concurrency_limit");
    assert_null(leases[3].key);
    assert_int_equal(limits_take(fx->limits, fx->slot, 1, STR("m"), &leases[2], &st, &f), 0);
    assert_int_equal(limits_take(fx->limits, fx->slot, 1, STR("n"), &leases[3], &st, &f), -1);
    limits_release(fx->limits, &leases[0]);
    assert_int_equal(limits_take(fx->limits, fx->slot, 1, STR("k"), &leases[3], &st, &f), 0);
    for (size_t i = 1; i < COUNTOF(leases); i++)
        limits_release(fx->limits, &leases[i]);

    /* A refused tenant must not keep the key's place: two fit again. */
    assert_int_equal(limits_take(fx->limits, fx->slot, 1, STR("n"), &leases[0], &st, &f), 0);
    assert_int_equal(limits_take(fx->limits, fx->slot, 1, STR("n"), &leases[1], &st, &f), 0);
    limits_release(fx->limits, &leases[0]);
    limits_release(fx->limits, &leases[1]);
}

static void the_tighter_rule_is_told(void **state)
{
    struct fixture *fx = *state;
    const struct limit_policy p = {
        .key = {.shape = LIMIT_BUCKET, .amount = 10, .period_ms = 1000},
        .tenant = {.shape = LIMIT_BUCKET, .amount = 4, .period_ms = 1000},
        .headers = true,
    };
    struct limit_lease lease;
    struct limit_state st;
    struct fail f;

    set(fx, &p);
    assert_int_equal(limits_take(fx->limits, fx->slot, 1, STR("k"), &lease, &st, &f), 0);
    assert_true(st.headers);
    assert_int_equal(st.limit, 4);
    assert_int_equal(st.remaining, 3);
    assert_int_equal(st.reset_ms, 250);
    assert_int_equal(limits_take(fx->limits, fx->slot, 1, STR("k"), &lease, &st, &f), 0);
    assert_int_equal(st.remaining, 2);
    assert_int_equal(st.reset_ms, 500);
}

static void memory_is_bounded_and_the_busy_stay(void **state)
{
    struct fixture *fx = *state;
    struct limit_policy p = bucket;
    struct limit_lease held;
    struct limit_state st;
    struct fail f;

    p.key_concurrent = 1;
    set(fx, &p);
    assert_int_equal(limits_take(fx->limits, fx->slot, 1, STR("busy"), &held, &st, &f), 0);
    for (int i = 0; i < 20000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "k%d", i);
        assert_int_equal(knock(fx, 1, name), 0);
    }
    assert_true(limits_count(fx->limits) <= 1100);
    assert_true(knock(fx, 1, "busy") > 0); /* still remembered as busy */
    limits_release(fx->limits, &held);
}

static void a_policy_can_be_changed_and_taken_away(void **state)
{
    struct fixture *fx = *state;
    struct limit_policy p = bucket;

    set(fx, &p);
    while (knock(fx, 1, "k") == 0)
        ;
    p.key = (struct limit_rule){.shape = LIMIT_WINDOW, .amount = 5, .period_ms = 60000};
    set(fx, &p);
    for (int i = 0; i < 5; i++)
        assert_int_equal(knock(fx, 1, "k"), 0);
    assert_true(knock(fx, 1, "k") > 0);
    p.key.period_ms = 600000; /* another width of slices */
    set(fx, &p);
    assert_int_equal(knock(fx, 1, "k"), 0);
    set(fx, NULL);
    for (int i = 0; i < 100; i++)
        assert_int_equal(knock(fx, 1, "k"), 0);
}

static void senseless_policies_and_classes_are_refused(void **state)
{
    struct fixture *fx = *state;
    const struct limit_policy none = {.key = {.shape = LIMIT_BUCKET, .period_ms = 1000}};
    const struct limit_policy never = {.key = {.shape = LIMIT_WINDOW, .amount = 1}};
    size_t slot, again;
    char names[20][16];
    struct fail f;
    int taken = 0;

    assert_int_equal(limits_set(fx->limits, fx->slot, &none, &f), -1);
    assert_int_equal(limits_set(fx->limits, fx->slot, &never, &f), -1);
    assert_int_equal(limits_slot(fx->limits, "test", LIMIT_CLASSES, &slot, &f), -1);
    assert_int_equal(limits_slot(fx->limits, "test", 1, &slot, &f), 0);
    assert_int_equal(limits_slot(fx->limits, "test", 1, &again, &f), 0);
    assert_int_equal(slot, again);
    assert_int_not_equal(slot, fx->slot);
    for (int i = 0; i < 20; i++) {
        snprintf(names[i], sizeof(names[i]), "d%d", i);
        taken += limits_slot(fx->limits, names[i], 0, &slot, &f) == 0;
    }
    assert_int_equal(taken, 15);
}

struct crowd {
    struct fixture *fx;
    int admitted;
};

static void *crowd_main(void *arg)
{
    struct crowd *c = arg;

    for (int i = 0; i < 2000; i++)
        c->admitted += knock(c->fx, 1, "k") == 0;
    return NULL;
}

static void threads_together_get_no_more_than_the_limit(void **state)
{
    struct fixture *fx = *state;
    const struct limit_policy p = {
        .key = {.shape = LIMIT_BUCKET, .amount = 3000, .period_ms = 1000},
        .key_concurrent = 100,
    };
    struct crowd crowds[4] = {{fx, 0}, {fx, 0}, {fx, 0}, {fx, 0}};
    pthread_t threads[4];
    int total = 0;

    set(fx, &p);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_main, &crowds[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        total += crowds[i].admitted;
    }
    assert_int_equal(total, 3000); /* the clock stood still */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_limited_without_a_policy),
        TEST(a_bucket_gives_its_burst_and_then_its_rate),
        TEST(keys_and_tenants_do_not_share_a_bucket),
        TEST(a_tenants_rule_counts_all_its_keys),
        TEST(a_window_never_admits_more_than_its_amount_in_any_period),
        TEST(a_full_window_says_how_long_to_wait),
        TEST(concurrency_is_capped_until_a_lease_comes_back),
        TEST(the_tighter_rule_is_told),
        TEST(memory_is_bounded_and_the_busy_stay),
        TEST(a_policy_can_be_changed_and_taken_away),
        TEST(senseless_policies_and_classes_are_refused),
        TEST(threads_together_get_no_more_than_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
