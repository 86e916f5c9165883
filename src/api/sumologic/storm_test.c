/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/sumologic/storm.h"

struct fixture {
    struct clock *clock;
    struct storm *storm;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    const struct storm_options o = {.failures = 3, .period_ms = 60000, .max_peers = 100};
    struct fail f = {0};

    assert_non_null(x);
    x->clock = clock_new_manual(0, 1000000);
    x->storm = storm_new(x->clock, &o, &f);
    assert_non_null(x->storm);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    storm_free(&x->storm);
    storm_free(&x->storm);
    clock_free(&x->clock);
    free(x);
    return 0;
}

static struct fail count(struct fixture *x, const char *peer)
{
    struct fail f;

    IGNORE(fail_reason(&f, CODE_UNAUTHENTICATED, "credential_missing", "no token"));
    storm_count(x->storm, str_of(peer), &f);
    return f;
}

static void failures_stay_what_they_are_until_there_are_too_many(void **state)
{
    for (int i = 0; i < 3; i++) {
        struct fail f = count(*state, "10.0.0.1");

        assert_int_equal(f.code, CODE_UNAUTHENTICATED);
        assert_string_equal(f.reason, "credential_missing");
    }

    struct fail f = count(*state, "10.0.0.1");

    assert_int_equal(f.code, CODE_RESOURCE_EXHAUSTED);
    assert_in_range(f.retry_after_ms, 1, 60000);
    assert_non_null(strstr(f.message, "no token"));
}

static void addresses_are_counted_apart(void **state)
{
    for (int i = 0; i < 5; i++)
        count(*state, "10.0.0.1");
    assert_int_equal(count(*state, "10.0.0.2").code, CODE_UNAUTHENTICATED);
    assert_int_equal(count(*state, "10.0.0.1").code, CODE_RESOURCE_EXHAUSTED);
}

static void time_makes_room_again(void **state)
{
    struct fixture *x = *state;
    struct fail f = {0};

    for (int i = 0; i < 4; i++)
        f = count(x, "10.0.0.1");
    clock_advance(x->clock, (int64_t)f.retry_after_ms * 1000);
    assert_int_equal(count(x, "10.0.0.1").code, CODE_UNAUTHENTICATED);
    assert_int_equal(count(x, "10.0.0.1").code, CODE_RESOURCE_EXHAUSTED);
}

static void none_and_zero_count_nothing(void **state)
{
    struct fixture *x = *state;
    const struct storm_options o = {.failures = 0, .period_ms = 60000, .max_peers = 100};
    struct fixture off = {.clock = x->clock};
    struct fail f = {0};

    for (int i = 0; i < 10; i++)
        assert_int_equal(count(&off, "10.0.0.1").code, CODE_UNAUTHENTICATED);
    off.storm = storm_new(x->clock, &o, &f);
    for (int i = 0; i < 10; i++)
        assert_int_equal(count(&off, "10.0.0.1").code, CODE_UNAUTHENTICATED);
    storm_free(&off.storm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(failures_stay_what_they_are_until_there_are_too_many, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(addresses_are_counted_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(time_makes_room_again, setup, teardown),
        cmocka_unit_test_setup_teardown(none_and_zero_count_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
