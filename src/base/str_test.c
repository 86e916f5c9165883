/* SPDX-License-Identifier: Apache-2.0 */
/* Slices: comparing, cutting, reading numbers. */
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct str nothing = {NULL, 0};

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static void order_is_by_bytes_then_by_length(void **state)
{
    (void)state;
    assert_int_equal(str_cmp(STR("abc"), STR("abc")), 0);
    assert_int_equal(sign(str_cmp(STR("abc"), STR("abd"))), -1);
    assert_int_equal(sign(str_cmp(STR("ab"), STR("abc"))), -1);
    assert_int_equal(sign(str_cmp(STR("b"), STR("abc"))), 1);
    assert_int_equal(sign(str_cmp(STR("\xff"), STR("a"))), 1);
    assert_int_equal(str_cmp(nothing, STR("")), 0);
    assert_int_equal(sign(str_cmp(STR("a"), nothing)), 1);
}

static void case_is_ignored_for_ascii_letters_only(void **state)
{
    (void)state;
    assert_true(str_eq_nocase(STR("Content-Type"), STR("cONTENT-tYPE")));
    assert_false(str_eq_nocase(STR("a"), STR("ab")));
    assert_false(str_eq_nocase(STR("@"), STR("`")));
    assert_false(str_eq_nocase(STR("["), STR("{")));
    assert_false(str_eq_nocase(STR("\xc4"), STR("\xe4")));
    assert_true(str_eq_nocase(nothing, STR("")));
}

static void index_finds_the_first(void **state)
{
    (void)state;
    assert_int_equal(str_index(STR("a=b=c"), '='), 1);
    assert_int_equal(str_index(STR("a"), '='), -1);
    assert_int_equal(str_index(nothing, '='), -1);
}

static void trim_takes_blanks_from_both_ends(void **state)
{
    (void)state;
    assert_true(str_eq(str_trim(STR(" \t a b\t ")), STR("a b")));
    assert_true(str_eq(str_trim(STR(" \t")), STR("")));
    assert_true(str_eq(str_trim(STR("\ra\n")), STR("\ra\n")));
    assert_int_equal(str_trim(nothing).len, 0);
}

static void cut_walks_through_the_pieces(void **state)
{
    struct str rest = STR("a,,bc");

    (void)state;
    assert_true(str_eq(str_cut(&rest, ','), STR("a")));
    assert_true(str_eq(str_cut(&rest, ','), STR("")));
    assert_true(str_eq(rest, STR("bc")));
    assert_true(str_eq(str_cut(&rest, ','), STR("bc")));
    assert_int_equal(rest.len, 0);
    assert_int_equal(str_cut(&rest, ',').len, 0);
}

static void prefixes_suffixes_and_parts(void **state)
{
    (void)state;
    assert_true(str_starts_with(STR("abc"), STR("ab")));
    assert_false(str_starts_with(STR("a"), STR("ab")));
    assert_true(str_starts_with(nothing, nothing));
    assert_true(str_ends_with(STR("abc"), STR("bc")));
    assert_false(str_ends_with(STR("c"), STR("bc")));
    assert_true(str_eq(str_skip(STR("abc"), 1), STR("bc")));
    assert_int_equal(str_skip(STR("abc"), 9).len, 0);
    assert_true(str_eq(str_first(STR("abc"), 2), STR("ab")));
    assert_true(str_eq(str_first(STR("abc"), 9), STR("abc")));
}

static void unsigned_numbers_are_exact_or_refused(void **state)
{
    static const char *const bad[] = {"",    "+1",
                                      "-1",  " 1",
                                      "1 ",  "1a",
                                      "0x1", "18446744073709551616",
                                      "1e3", "99999999999999999999999"};
    uint64_t v = 77;

    (void)state;
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_int_equal(str_to_u64(str_of(bad[i]), &v), -1);
    assert_int_equal(str_to_u64(nothing, &v), -1);
    assert_int_equal(v, 77);
    assert_int_equal(str_to_u64(STR("18446744073709551615"), &v), 0);
    assert_true(v == UINT64_MAX);
    assert_int_equal(str_to_u64(STR("007"), &v), 0);
    assert_int_equal(v, 7);
}

static void signed_numbers_are_exact_or_refused(void **state)
{
    static const char *const bad[] = {
        "", "-", "--1", "+1", "9223372036854775808", "-9223372036854775809", "- 1",
    };
    int64_t v = 77;

    (void)state;
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_int_equal(str_to_i64(str_of(bad[i]), &v), -1);
    assert_int_equal(v, 77);
    assert_int_equal(str_to_i64(STR("-9223372036854775808"), &v), 0);
    assert_true(v == INT64_MIN);
    assert_int_equal(str_to_i64(STR("9223372036854775807"), &v), 0);
    assert_true(v == INT64_MAX);
    assert_int_equal(str_to_i64(STR("-0"), &v), 0);
    assert_int_equal(v, 0);
}

/* Every byte value in every place of every short length, against the plain rule. */
static void classes_are_exact_in_every_place(void **state)
{
    char text[20];

    (void)state;
    for (size_t len = 1; len <= sizeof(text); len++) {
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                bool printable = c >= 0x20 && c <= 0x7e;

                memset(text, 'k', sizeof(text));
                text[at] = (char)c;
                assert_int_equal(str_is_within(str_make(text, len), '!', '~'),
                                 printable && c != ' ');
                assert_int_equal(str_is_within(str_make(text, len), 1, 'z'), c >= 1 && c <= 'z');
                assert_int_equal(str_is_plain(str_make(text, len)),
                                 printable && c != '"' && c != '\\');
            }
        }
    }
    assert_true(str_is_within(STR(""), '!', '~'));
    assert_true(str_is_plain(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_by_bytes_then_by_length),
        cmocka_unit_test(case_is_ignored_for_ascii_letters_only),
        cmocka_unit_test(index_finds_the_first),
        cmocka_unit_test(trim_takes_blanks_from_both_ends),
        cmocka_unit_test(cut_walks_through_the_pieces),
        cmocka_unit_test(prefixes_suffixes_and_parts),
        cmocka_unit_test(classes_are_exact_in_every_place),
        cmocka_unit_test(unsigned_numbers_are_exact_or_refused),
        cmocka_unit_test(signed_numbers_are_exact_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
