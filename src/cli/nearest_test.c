/* SPDX-License-Identifier: Apache-2.0 */
/* Which mistypings are recognized, and which are not worth a guess. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/nearest.h"

static const char *const names[] = {"listen", "limits.headers", "limits.header_count", "data"};

static size_t distance(const char *a, const char *b)
{
    return nearest_distance(str_of(a), str_of(b));
}

static const char *find(const char *given)
{
    return nearest_find(str_of(given), names, COUNTOF(names));
}

static void distance_counts_single_changes(void **state)
{
    (void)state;
    assert_int_equal(distance("", ""), 0);
    assert_int_equal(distance("abc", "abc"), 0);
    assert_int_equal(distance("", "abc"), 3);
    assert_int_equal(distance("abc", ""), 3);
    assert_int_equal(distance("kitten", "sitting"), 3);
    assert_int_equal(distance("listen", "lisetn"), 1);
    assert_int_equal(distance("ab", "ba"), 1);
}

static void distance_is_the_same_both_ways(void **state)
{
    static const char *const words[] = {"listen", "silent", "data", "date", "", "x", "ababab"};

    (void)state;
    for (size_t i = 0; i < COUNTOF(words); i++) {
        for (size_t j = 0; j < COUNTOF(words); j++)
            assert_int_equal(distance(words[i], words[j]), distance(words[j], words[i]));
    }
}

static void small_slips_are_recognized(void **state)
{
    (void)state;
    assert_string_equal(find("lsiten"), "listen");
    assert_string_equal(find("limits.header"), "limits.headers");
    assert_string_equal(find("limit.headers"), "limits.headers");
    assert_string_equal(find("dat"), "data");
}

static void strangers_are_not_guessed_at(void **state)
{
    (void)state;
    assert_null(find("color"));
    assert_null(find(""));
    assert_null(find("q"));
    assert_null(
        find("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance_counts_single_changes),
        cmocka_unit_test(distance_is_the_same_both_ways),
        cmocka_unit_test(small_slips_are_recognized),
        cmocka_unit_test(strangers_are_not_guessed_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
