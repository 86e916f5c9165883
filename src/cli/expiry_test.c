/* SPDX-License-Identifier: Apache-2.0 */
/* Instants and periods, seen from a fixed moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/expiry.h"

#define NOW_US INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */

static void assert_expiry(const char *text, const char *expected)
{
    struct arena *a = arena_new(256);
    struct str out;
    struct fail f;

    assert_int_equal(expiry_parse(a, str_of(text), NOW_US, &out, &f), 0);
    assert_string_equal(arena_cstr(a, out), expected);
    arena_free(&a);
}

static void assert_refused(const char *text, const char *message)
{
    struct arena *a = arena_new(256);
    struct str out;
    struct fail f;

    assert_int_equal(expiry_parse(a, str_of(text), NOW_US, &out, &f), -1);
    assert_string_equal(f.message, message);
    arena_free(&a);
}

static void periods_count_from_now(void **state)
{
    (void)state;
    assert_expiry("1s", "2026-01-01T00:00:01Z");
    assert_expiry("90m", "2026-01-01T01:30:00Z");
    assert_expiry("12h", "2026-01-01T12:00:00Z");
    assert_expiry("90d", "2026-04-01T00:00:00Z");
}

static void instants_are_taken_as_they_are(void **state)
{
    (void)state;
    assert_expiry("2027-01-31T00:00:00Z", "2027-01-31T00:00:00Z");
    assert_expiry("2027-01-31T02:00:00+02:00", "2027-01-31T00:00:00Z");
}

static void what_is_neither_is_refused(void **state)
{
    static const char *const rows[] = {"",    "d", "90",       "90x", "1.5d",
                                       "+1d", "-", "tomorrow", "2027"};

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct arena *a = arena_new(256);
        struct str out;
        struct fail f;

        if (expiry_parse(a, str_of(rows[i]), NOW_US, &out, &f) == 0)
            fail_msg("%s", rows[i]);
        arena_free(&a);
    }
    assert_refused("soon",
                   "\"soon\" is no time; write one such as 2027-01-31T00:00:00Z, or a "
                   "period such as 90d or 12h");
}

static void the_past_is_refused(void **state)
{
    (void)state;
    assert_refused("2026-01-01T00:00:00Z", "\"2026-01-01T00:00:00Z\" is in the past");
    assert_refused("0d", "\"0d\" is in the past");
    assert_refused("-1d", "\"-1d\" is in the past");
}

static void what_no_calendar_holds_is_refused(void **state)
{
    (void)state;
    assert_refused("106000000d", "\"106000000d\" is too far away");
    assert_refused("9000000000000000000d",
                   "\"9000000000000000000d\" is no time; write one such as 2027-01-31T00:00:00Z, "
                   "or a period such as 90d or 12h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(periods_count_from_now),
        cmocka_unit_test(instants_are_taken_as_they_are),
        cmocka_unit_test(what_is_neither_is_refused),
        cmocka_unit_test(the_past_is_refused),
        cmocka_unit_test(what_no_calendar_holds_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
