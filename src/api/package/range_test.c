/* SPDX-License-Identifier: Apache-2.0 */
/* The field Range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/package/package_internal.h"

#define SIZE 100

static void ranges_are_cut_to_the_file(void **state)
{
    static const struct {
        const char *field;
        int64_t first;
        int64_t count;
    } rows[] = {
        {"bytes=0-0", 0, 1},
        {"bytes=0-99", 0, 100},
        {"bytes=0-100", 0, 100},
        {"bytes=99-", 99, 1},
        {"bytes=-1", 99, 1},
        {"bytes=-100", 0, 100},
        {"bytes=-101", 0, 100},
        {" bytes= 5 - 9 ", 5, 5},
        {"bytes=007-8", 7, 2},
        {"bytes=-99999999999999999999999", 0, 100},
        {"bytes=1-99999999999999999999999", 1, 99},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct byte_range r = {0};

        if (range_parse(str_of(rows[i].field), SIZE, &r) != RANGE_GOOD ||
            r.first != rows[i].first || r.count != rows[i].count)
            fail_msg("%s: %lld, %lld", rows[i].field, (long long)r.first, (long long)r.count);
    }
}

static void ranges_behind_the_end_are_outside(void **state)
{
    static const char *const fields[] = {"bytes=100-", "bytes=100-200", "bytes=-0",
                                         "bytes=99999999999999999999999-"};
    struct byte_range r = {0};

    (void)state;
    for (size_t i = 0; i < COUNTOF(fields); i++)
        if (range_parse(str_of(fields[i]), SIZE, &r) != RANGE_OUTSIDE)
            fail_msg("%s", fields[i]);
    assert_int_equal(range_parse(STR("bytes=0-"), 0, &r), RANGE_OUTSIDE);
}

static void what_is_no_single_range_means_nothing(void **state)
{
    static const char *const fields[] = {
        "",          "bytes",     "bytes=",     "bytes=-",     "bytes=5",       "bytes=9-5",
        "bytes=a-b", "bytes=1-x", "bytes=+1-2", "bytes=1--2",  "bytes=0-1,4-5", "items=0-1",
        "Bytes=0-1", "bytes=--1", "bytes 0-1",  "bytes=0x1-2",
    };
    struct byte_range r = {0};

    (void)state;
    for (size_t i = 0; i < COUNTOF(fields); i++)
        if (range_parse(str_of(fields[i]), SIZE, &r) != RANGE_NONE)
            fail_msg("%s", fields[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_cut_to_the_file),
        cmocka_unit_test(ranges_behind_the_end_are_outside),
        cmocka_unit_test(what_is_no_single_range_means_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
