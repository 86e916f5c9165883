/* SPDX-License-Identifier: Apache-2.0 */
/* Instants: known dates, the whole calendar day by day, offsets, digits, refusals. */
#include "codec/rfc3339.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void known_instants_parse_and_print(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
        uint32_t nanos;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"1969-12-31T23:59:59.999Z", -1, 999000000},
        {"2000-02-29T12:00:00Z", 951825600, 0},
        {"2024-02-29T23:59:59.250Z", 1709251199, 250000000},
        {"2038-01-19T03:14:08Z", INT64_C(2147483648), 0},
        {"1900-03-01T00:00:00Z", INT64_C(-2203891200), 0},
        {"0001-01-01T00:00:00Z", RFC3339_MIN_SECONDS, 0},
        {"9999-12-31T23:59:59.999999999Z", RFC3339_MAX_SECONDS, 999999999},
        {"2017-07-10T01:45:05.672880Z", 1499651105, 672880000},
    };
    char out[RFC3339_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        int64_t seconds = 0;
        uint32_t nanos = 0;
        size_t len;

        assert_int_equal(rfc3339_parse(str_of(cases[i].text), &seconds, &nanos), 0);
        assert_true(seconds == cases[i].seconds);
        assert_int_equal(nanos, cases[i].nanos);
        len = rfc3339_print(seconds, nanos, RFC3339_AUTO, out);
        assert_int_equal(len, strlen(cases[i].text));
        assert_memory_equal(out, cases[i].text, len);
    }
}

/* Walks the calendar by its rules, independently of the arithmetic under test. */
static void every_day_of_ten_thousand_years_is_right(void **state)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day = RFC3339_MIN_SECONDS / 86400;
    char expected[32], out[RFC3339_TEXT_MAX];

    (void)state;
    for (int y = 1; y <= 9999; y++) {
        bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

        for (int m = 1; m <= 12; m++) {
            int length = lengths[m - 1] + (m == 2 && leap);

            for (int d = 1; d <= length; d++, day++) {
                int64_t seconds = 0;
                uint32_t nanos;

                memcpy(expected, "0000-00-00T13:07:09Z", 20);
                for (int i = 3, v = y; i >= 0; i--, v /= 10)
                    expected[i] = (char)('0' + v % 10);
                expected[5] = (char)('0' + m / 10);
                expected[6] = (char)('0' + m % 10);
                expected[8] = (char)('0' + d / 10);
                expected[9] = (char)('0' + d % 10);
                if (rfc3339_print(day * 86400 + 47229, 0, RFC3339_AUTO, out) != 20 ||
                    memcmp(out, expected, 20) != 0)
                    fail_msg("printed %.20s for %.20s", out, expected);
                if (rfc3339_parse(str_make(expected, 20), &seconds, &nanos) < 0 ||
                    seconds != day * 86400 + 47229)
                    fail_msg("parsed %.20s wrongly", expected);
            }
        }
    }
    assert_true(day == (RFC3339_MAX_SECONDS + 1) / 86400);
}

static void offsets_move_to_utc(void **state)
{
    int64_t seconds;
    uint32_t nanos;

    (void)state;
    assert_int_equal(rfc3339_parse(STR("1970-01-01T08:00:00+08:00"), &seconds, &nanos), 0);
    assert_true(seconds == 0);
    assert_int_equal(rfc3339_parse(STR("1969-12-31T18:30:00.5-05:30"), &seconds, &nanos), 0);
    assert_true(seconds == 0);
    assert_int_equal(nanos, 500000000);
    assert_int_equal(rfc3339_parse(STR("1970-01-01T00:00:00-00:00"), &seconds, &nanos), 0);
    assert_true(seconds == 0);
}

static void an_offset_may_not_leave_the_range(void **state)
{
    int64_t seconds;
    uint32_t nanos;

    (void)state;
    assert_int_equal(rfc3339_parse(STR("0001-01-01T00:00:00+00:01"), &seconds, &nanos), -1);
    assert_int_equal(rfc3339_parse(STR("9999-12-31T23:59:59-00:01"), &seconds, &nanos), -1);
    assert_int_equal(rfc3339_parse(STR("9999-12-31T23:59:59+00:01"), &seconds, &nanos), 0);
}

static void anything_else_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2024",
        "2024-01-01",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00z",
        "2024-01-01t00:00:00Z",
        "2024-01-01 00:00:00Z",
        "2024-01-01T00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-01-00T00:00:00Z",
        "2024-01-32T00:00:00Z",
        "2024-04-31T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:60Z",
        "2016-12-31T23:59:60Z",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00,5Z",
        "2024-01-01T00:00:00.1234567890Z",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+00:60",
        "2024-01-01T00:00:00+0000",
        "2024-01-01T00:00:00+00",
        "2024-01-01T00:00:00Z ",
        " 2024-01-01T00:00:00Z",
        "2024-01-01T00:00:00ZZ",
        "2024-1-01T00:00:00Z",
        "+024-01-01T00:00:00Z",
        "2024-01-01T-1:00:00Z",
    };
    int64_t seconds = 77;
    uint32_t nanos = 88;

    (void)state;
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        if (rfc3339_parse(str_of(bad[i]), &seconds, &nanos) == 0)
            fail_msg("%s was accepted", bad[i]);
    }
    assert_true(seconds == 77 && nanos == 88);
    assert_int_equal(rfc3339_parse(STR("2024-01-01T00:00:00Z\0"), &seconds, &nanos), -1);
}

static void the_number_of_digits_can_be_chosen(void **state)
{
    static const struct {
        enum rfc3339_digits digits;
        const char *expected;
    } cases[] = {
        {RFC3339_SECONDS, "1970-01-01T00:00:01Z"},
        {RFC3339_MILLIS, "1970-01-01T00:00:01.123Z"},
        {RFC3339_MICROS, "1970-01-01T00:00:01.123456Z"},
        {RFC3339_NANOS, "1970-01-01T00:00:01.123456789Z"},
        {RFC3339_AUTO, "1970-01-01T00:00:01.123456789Z"},
    };
    char out[RFC3339_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        size_t len = rfc3339_print(1, 123456789, cases[i].digits, out);

        assert_int_equal(len, strlen(cases[i].expected));
        assert_memory_equal(out, cases[i].expected, len);
    }
}

static void microseconds_round_down_on_both_sides_of_the_epoch(void **state)
{
    char out[RFC3339_TEXT_MAX];
    int64_t us;

    (void)state;
    assert_int_equal(rfc3339_parse_us(STR("1970-01-01T00:00:00.0000019Z"), &us), 0);
    assert_true(us == 1);
    assert_int_equal(rfc3339_parse_us(STR("1969-12-31T23:59:59.9999999Z"), &us), 0);
    assert_true(us == -1);
    assert_int_equal(rfc3339_print_us(-1, RFC3339_AUTO, out), 27);
    assert_memory_equal(out, "1969-12-31T23:59:59.999999Z", 27);
    assert_int_equal(rfc3339_print_us(-1, RFC3339_MILLIS, out), 24);
    assert_memory_equal(out, "1969-12-31T23:59:59.999Z", 24);
}

static void an_instant_out_of_range_prints_nothing(void **state)
{
    struct arena *a = arena_new(256);
    char out[RFC3339_TEXT_MAX];

    (void)state;
    assert_int_equal(rfc3339_print(RFC3339_MIN_SECONDS - 1, 0, RFC3339_AUTO, out), 0);
    assert_int_equal(rfc3339_print(RFC3339_MAX_SECONDS + 1, 0, RFC3339_AUTO, out), 0);
    assert_int_equal(rfc3339_print(0, 1000000000, RFC3339_AUTO, out), 0);
    assert_int_equal(rfc3339_print_us(INT64_MAX, RFC3339_AUTO, out), 0);
    assert_int_equal(rfc3339_print_us(INT64_MIN, RFC3339_AUTO, out), 0);
    assert_int_equal(rfc3339_us(a, INT64_MIN, RFC3339_AUTO).len, 0);
    assert_true(str_eq(rfc3339_us(a, 1500000, RFC3339_AUTO), STR("1970-01-01T00:00:01.500Z")));
    arena_free(&a);
}

static void the_date_header_has_weekday_and_month(void **state)
{
    static const struct {
        int64_t seconds;
        const char *expected;
    } cases[] = {
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"}, {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {-1, "Wed, 31 Dec 1969 23:59:59 GMT"},        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {INT64_MIN, "Mon, 01 Jan 0001 00:00:00 GMT"}, {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    char out[HTTP_DATE_LEN];

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        rfc3339_http_date(cases[i].seconds, out);
        assert_memory_equal(out, cases[i].expected, HTTP_DATE_LEN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_instants_parse_and_print),
        cmocka_unit_test(every_day_of_ten_thousand_years_is_right),
        cmocka_unit_test(offsets_move_to_utc),
        cmocka_unit_test(an_offset_may_not_leave_the_range),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(the_number_of_digits_can_be_chosen),
        cmocka_unit_test(microseconds_round_down_on_both_sides_of_the_epoch),
        cmocka_unit_test(an_instant_out_of_range_prints_nothing),
        cmocka_unit_test(the_date_header_has_weekday_and_month),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
