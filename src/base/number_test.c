/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text: edges and reading back. */
#include "base/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "base/macros.h"
#include "base/random.h"

static void assert_double(double v, const char *want)
{
    char text[NUMBER_TEXT_MAX + 1];

    text[number_print_double(v, text)] = '\0';
    assert_string_equal(text, want);
}

static void integers_equal_those_of_printf(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        uint64_t v = random_u64() >> (i % 64);
        char text[NUMBER_TEXT_MAX + 1], want[NUMBER_TEXT_MAX + 1];

        text[number_print_u64(v, text)] = '\0';
        snprintf(want, sizeof(want), "%llu", (unsigned long long)v);
        assert_string_equal(text, want);
        text[number_print_i64((int64_t)v, text)] = '\0';
        snprintf(want, sizeof(want), "%lld", (long long)v);
        assert_string_equal(text, want);
    }
}

static void doubles_are_short_where_they_can_be(void **state)
{
    (void)state;
    assert_double(0, "0");
    assert_double(0.1, "0.1");
    assert_double(0.00005, "5e-05");
    assert_double(1048576, "1048576");
    assert_double(-2.5, "-2.5");
    assert_double(1.0 / 3, "0.3333333333333333");
    assert_double((double)NAN, "NaN");
    assert_double((double)INFINITY, "+Inf");
    assert_double(-(double)INFINITY, "-Inf");
}

static void doubles_read_back_as_themselves(void **state)
{
    static const double edges[] = {DBL_MAX, -DBL_MAX, DBL_MIN, DBL_TRUE_MIN, DBL_EPSILON, 0.3};

    (void)state;
    for (size_t i = 0; i < 2000; i++) {
        char text[NUMBER_TEXT_MAX + 1];
        uint64_t bits = random_u64();
        double v;

        memcpy(&v, &bits, sizeof(v));
        if (i < COUNTOF(edges))
            v = edges[i];
        if (!isfinite(v))
            continue;

        size_t len = number_print_double(v, text);

        assert_true(len <= NUMBER_TEXT_MAX);
        text[len] = '\0';
        assert_true(strtod(text, NULL) == v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_equal_those_of_printf),
        cmocka_unit_test(doubles_are_short_where_they_can_be),
        cmocka_unit_test(doubles_read_back_as_themselves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
