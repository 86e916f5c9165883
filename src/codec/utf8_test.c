/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8: what is accepted, what is not, at each length and place. */
#include "codec/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void every_code_point_but_surrogates_is_valid(void **state)
{
    char bytes[4];

    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        struct str s = str_make(bytes, utf8_encode(c, bytes));
        bool surrogate = c >= 0xd800 && c <= 0xdfff;

        if (utf8_is_valid(s) == surrogate)
            fail_msg("U+%04X", c);
        if (!surrogate && utf8_char_len(s) != s.len)
            fail_msg("length of U+%04X", c);
        if (!surrogate && utf8_decode(s, s.len) != c)
            fail_msg("value of U+%04X", c);
    }
}

static void ill_formed_sequences_are_refused(void **state)
{
    static const struct str bad[] = {
        STR_INIT("\x80"),             /* continuation alone */
        STR_INIT("\xc0\x80"),         /* overlong NUL */
        STR_INIT("\xc1\xbf"),         /* overlong, 2 bytes */
        STR_INIT("\xe0\x9f\xbf"),     /* overlong, 3 bytes */
        STR_INIT("\xf0\x8f\xbf\xbf"), /* overlong, 4 bytes */
        STR_INIT("\xed\xa0\x80"),     /* first surrogate */
        STR_INIT("\xed\xbf\xbf"),     /* last surrogate */
        STR_INIT("\xf4\x90\x80\x80"), /* U+110000 */
        STR_INIT("\xf5\x80\x80\x80"),
        STR_INIT("\xff"),
        STR_INIT("\xc3"), /* cut off */
        STR_INIT("\xe2\x82"),
        STR_INIT("\xf0\x9f\x98"),
        STR_INIT("\xe2(\xa1"), /* wrong continuation */
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        if (utf8_is_valid(bad[i]) || utf8_char_len(bad[i]) != 0)
            fail_msg("case %zu was accepted", i);
    }
}

static void the_first_bad_byte_is_found_at_every_place(void **state)
{
    char text[100];

    (void)state;
    for (size_t len = 1; len < sizeof(text); len++) {
        for (size_t bad = 0; bad < len; bad++) {
            memset(text, 'a', len);
            text[bad] = (char)0x80;
            assert_int_equal(utf8_valid_len(str_make(text, len)), bad);
        }
    }
}

static void a_cut_character_is_not_counted_as_valid(void **state)
{
    (void)state;
    assert_int_equal(utf8_valid_len(STR("ab\xe2\x82")), 2);
    assert_int_equal(utf8_valid_len(STR("\xe2\x82\xac\xe2\x82")), 3);
}

static void one_replacement_stands_for_the_longest_bad_prefix(void **state)
{
    (void)state;
    assert_int_equal(utf8_bad_len(STR("\xf0\x9f\x98z")), 3);
    assert_int_equal(utf8_bad_len(STR("\xe0\x80\x80")), 1);
    assert_int_equal(utf8_bad_len(STR("\xed\xa0\x80")), 1);
    assert_int_equal(utf8_bad_len(STR("\xff\xff")), 1);
}

static void characters_are_counted_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(utf8_count(STR("")), 0);
    assert_int_equal(utf8_count(STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")), 4);
}

static void control_characters_are_seen_in_one_and_two_bytes(void **state)
{
    (void)state;
    assert_false(utf8_has_control(STR("")));
    assert_false(utf8_has_control(STR("a b~\xc2\xa0\xc3\x80\xe2\x82\xac")));
    assert_true(utf8_has_control(STR("a\x1f")));
    assert_true(utf8_has_control(STR("a\0")));
    assert_true(utf8_has_control(STR("\x7f")));
    assert_true(utf8_has_control(STR("\xc2\x80")));
    assert_true(utf8_has_control(STR("\xc2\x9f")));
}

static void nothing_is_valid(void **state)
{
    (void)state;
    assert_true(utf8_is_valid((struct str){0}));
    assert_int_equal(utf8_char_len((struct str){0}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_but_surrogates_is_valid),
        cmocka_unit_test(ill_formed_sequences_are_refused),
        cmocka_unit_test(the_first_bad_byte_is_found_at_every_place),
        cmocka_unit_test(a_cut_character_is_not_counted_as_valid),
        cmocka_unit_test(one_replacement_stands_for_the_longest_bad_prefix),
        cmocka_unit_test(characters_are_counted_not_bytes),
        cmocka_unit_test(control_characters_are_seen_in_one_and_two_bytes),
        cmocka_unit_test(nothing_is_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
