/* SPDX-License-Identifier: Apache-2.0 */
/* JSON numbers: every edge of 64 bits, integral forms with point and exponent, doubles. */
#include "codec/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"

static void integers_are_exact_in_every_form(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {
        {"0", 0},
        {"-0", 0},
        {"7", 7},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"9007199254740993", INT64_C(9007199254740993)},
        {"1e3", 1000},
        {"1E+3", 1000},
        {"10.0", 10},
        {"1.5e1", 15},
        {"1234.5e1", 12345},
        {"100e-2", 1},
        {"-25000E-3", -25},
        {"0.0", 0},
        {"0e999999999999999999999", 0},
        {"0.000e-99999999999999999999", 0},
        {"0.00000000000000000001e20", 1},
        {"9223372036854775807.000", INT64_MAX},
        {"922337203685477580.7e1", INT64_MAX},
        {"9.223372036854775807e18", INT64_MAX},
        {"-92233720368547758080e-1", INT64_MIN},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        int64_t v = 77;

        if (json_num_i64(str_of(cases[i].text), &v) < 0 || v != cases[i].value)
            fail_msg("%s gave %lld", cases[i].text, (long long)v);
    }
}

static void what_is_no_64_bit_integer_is_refused(void **state)
{
    static const char *const bad[] = {"9223372036854775808",
                                      "-9223372036854775809",
                                      "18446744073709551616",
                                      "99999999999999999999999999",
                                      "1e19",
                                      "1e400",
                                      "1e99999999999999999999",
                                      "0.5",
                                      "1.0000000000000000000001",
                                      "1e-1",
                                      "-1e-99999999999999999999",
                                      "15e-1"};
    int64_t v = 77;

    (void)state;
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        if (json_num_i64(str_of(bad[i]), &v) == 0)
            fail_msg("%s was accepted", bad[i]);
    }
    assert_true(v == 77);
}

static void unsigned_integers_reach_their_own_edge(void **state)
{
    uint64_t v = 77;

    (void)state;
    assert_int_equal(json_num_u64(STR("18446744073709551615"), &v), 0);
    assert_true(v == UINT64_MAX);
    assert_int_equal(json_num_u64(STR("1.8446744073709551615e19"), &v), 0);
    assert_true(v == UINT64_MAX);
    assert_int_equal(json_num_u64(STR("-0.0"), &v), 0);
    assert_true(v == 0);
    assert_int_equal(json_num_u64(STR("18446744073709551616"), &v), -1);
    assert_int_equal(json_num_u64(STR("-1"), &v), -1);
    assert_int_equal(json_num_u64(STR("2e19"), &v), -1);
    assert_true(v == 0);
}

static void text_that_is_no_json_number_is_refused(void **state)
{
    static const struct str bad[] = {
        STR_INIT(""),    STR_INIT("-"),     STR_INIT("+1"),  STR_INIT("01"),  STR_INIT("1."),
        STR_INIT(".1"),  STR_INIT("1e"),    STR_INIT("1e+"), STR_INIT(" 1"),  STR_INIT("1 "),
        STR_INIT("0x1"), STR_INIT("NaN"),   STR_INIT("nan"), STR_INIT("inf"), STR_INIT("Infinity"),
        STR_INIT("--1"), STR_INIT("1e+-1"), STR_INIT("1\0"), STR_INIT("1,5"),
    };
    int64_t i;
    uint64_t u;
    double d;

    (void)state;
    for (size_t n = 0; n < COUNTOF(bad); n++) {
        assert_false(json_num_is_valid(bad[n]));
        if (json_num_i64(bad[n], &i) == 0 || json_num_u64(bad[n], &u) == 0 ||
            json_num_double(bad[n], &d) == 0)
            fail_msg("\"%.*s\" was accepted", STR_ARG(bad[n]));
    }
    assert_int_equal(json_num_i64((struct str){0}, &i), -1);
}

static uint64_t bits_of(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static void doubles_are_rounded_correctly(void **state)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"0.1", 0.1},
        {"-2.5e-3", -2.5e-3},
        {"1.7976931348623157e308", 1.7976931348623157e308},
        {"4.9e-324", 4.9e-324},
        {"2.2250738585072011e-308", 2.2250738585072011e-308},
        {"9007199254740993", 9007199254740992.0},
        {"18446744073709551615", 18446744073709551616.0},
        {"1e-400", 0.0},
        {"0.00000001e-320", 0.0},
        {"0e400", 0.0},
        {"0.0e99999999999999999999999", 0.0},
        {"123e-99999999999999999999999", 0.0},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        double v = 77;

        if (json_num_double(str_of(cases[i].text), &v) < 0 || bits_of(v) != bits_of(cases[i].value))
            fail_msg("%s gave %.17g", cases[i].text, v);
    }
}

static void the_sign_of_zero_is_kept(void **state)
{
    double v = 77;

    (void)state;
    assert_int_equal(json_num_double(STR("-0"), &v), 0);
    assert_true(signbit(v));
    assert_int_equal(json_num_double(STR("-1e-500"), &v), 0);
    assert_true(signbit(v));
}

static void a_double_that_would_be_infinite_is_refused(void **state)
{
    static const char *const bad[] = {"1e400", "-1e400",    "1.7976931348623159e308",
                                      "1e309", "0.001e350", "1e99999999999999999999999"};
    double v = 77;

    (void)state;
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        if (json_num_double(str_of(bad[i]), &v) == 0)
            fail_msg("%s gave %g", bad[i], v);
    }
    assert_true(v == 77);
}

static void many_digits_are_no_problem(void **state)
{
    char text[2002];
    double d;
    int64_t i;

    (void)state;
    memset(text, '1', sizeof(text));
    assert_int_equal(json_num_double(str_make(text, 400), &d), -1);
    assert_int_equal(json_num_double(str_make(text, 300), &d), 0);
    memset(text, '0', sizeof(text));
    text[1] = '.';
    text[2001] = '5';
    assert_int_equal(json_num_double(str_make(text, sizeof(text)), &d), 0);
    assert_true(d == 0);
    assert_int_equal(json_num_i64(str_make(text, sizeof(text)), &i), -1);
    assert_int_equal(json_num_i64(str_make(text, sizeof(text) - 1), &i), 0);
    assert_true(i == 0);
}

/* 0.000...7 with `zeros` zeros behind the point, times ten to the power of `exponent`. */
static struct str far_digit(struct arena *a, size_t zeros, int exponent)
{
    struct buf b;

    buf_init_arena(&b, a, zeros + 32);
    buf_put_str(&b, STR("0."));
    for (size_t i = 0; i < zeros; i++)
        buf_put_byte(&b, '0');
    buf_printf(&b, "7e%d", exponent);
    return buf_str(&b);
}

static void long_zeros_and_exponents_cancel_out(void **state)
{
    struct arena *a = arena_new(4096);
    double d = 0;

    (void)state;
    assert_int_equal(json_num_double(far_digit(a, 1000, 1003), &d), 0);
    assert_true(d == 700);
    assert_int_equal(json_num_double(far_digit(a, 2000000, 1999998), &d), 0);
    assert_true(d == 0.007);
    assert_int_equal(json_num_double(far_digit(a, 1000, 3000), &d), -1);
    assert_int_equal(json_num_double(far_digit(a, 1000, 10), &d), 0);
    assert_true(d == 0);
    arena_free(&a);
}

/* 1 + 2^-53 lies between two doubles; it goes to the even one unless any digit follows. */
static void a_tie_is_decided_by_the_last_of_many_digits(void **state)
{
    static const char tie[] = "1.00000000000000011102230246251565404236316680908203125";
    char text[3000];
    double d = 0;

    (void)state;
    memset(text, '0', sizeof(text));
    memcpy(text, tie, sizeof(tie) - 1);
    assert_int_equal(json_num_double(str_make(text, sizeof(text)), &d), 0);
    assert_true(d == 1.0);
    text[sizeof(text) - 1] = '1';
    assert_int_equal(json_num_double(str_make(text, sizeof(text)), &d), 0);
    assert_true(d > 1.0);
    text[sizeof(text) - 1] = '0';
    text[sizeof(tie) - 2] = '4';
    assert_int_equal(json_num_double(str_make(text, sizeof(text)), &d), 0);
    assert_true(d == 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_exact_in_every_form),
        cmocka_unit_test(what_is_no_64_bit_integer_is_refused),
        cmocka_unit_test(unsigned_integers_reach_their_own_edge),
        cmocka_unit_test(text_that_is_no_json_number_is_refused),
        cmocka_unit_test(doubles_are_rounded_correctly),
        cmocka_unit_test(the_sign_of_zero_is_kept),
        cmocka_unit_test(a_double_that_would_be_infinite_is_refused),
        cmocka_unit_test(many_digits_are_no_problem),
        cmocka_unit_test(long_zeros_and_exponents_cancel_out),
        cmocka_unit_test(a_tie_is_decided_by_the_last_of_many_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
