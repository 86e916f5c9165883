/* SPDX-License-Identifier: Apache-2.0 */
/* Letters and digits: ASCII against the C locale, and what is known of some others. */
#include "codec/unicode.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/macros.h"

static void ascii_is_as_everybody_knows_it(void **state)
{
    (void)state;
    for (int c = 0; c < 0x80; c++) {
        assert_int_equal(unicode_is_letter((uint32_t)c), isalpha(c) != 0);
        assert_int_equal(unicode_is_digit((uint32_t)c), isdigit(c) != 0);
    }
}

static void letters_of_other_scripts_are_letters(void **state)
{
    /* The first and the last of all, the ends of ranges, one alone, and some in between. */
    static const uint32_t yes[] = {0xaa,   0xb5,   0xc0,   0xd6,   0xd8,    0x2c1,   0x3b1,
                                   0x416,  0x5d0,  0x627,  0x905,  0x3042,  0x4e00,  0x9fff,
                                   0xac00, 0xd7a3, 0x2c60, 0xff21, 0x10000, 0x20000, 0x3134a};
    static const uint32_t no[] = {0x80,   0xa9,    0xab,    0xd7,     0xf7,     0x2c2,
                                  0x300,  0x660,   0x20ac,  0x2028,   0x2160,   0xd800,
                                  0xfeff, 0x1f600, 0x3134b, 0x10ffff, 0x110000, 0xffffffff};

    (void)state;
    for (size_t i = 0; i < COUNTOF(yes); i++) {
        if (!unicode_is_letter(yes[i]))
            fail_msg("U+%04X is a letter", yes[i]);
        assert_false(unicode_is_digit(yes[i]));
    }
    for (size_t i = 0; i < COUNTOF(no); i++) {
        if (unicode_is_letter(no[i]))
            fail_msg("U+%04X is no letter", no[i]);
    }
}

static void decimal_digits_of_other_scripts_are_digits(void **state)
{
    static const uint32_t yes[] = {0x660, 0x669, 0x6f0, 0x966, 0xff10, 0xff19, 0x1d7ce, 0x1fbf9};
    static const uint32_t no[] = {0x65f, 0x66a, 0xb2, 0xbd, 0x2160, 0x2460, 0x4e00, 0x1fbfa};

    (void)state;
    for (size_t i = 0; i < COUNTOF(yes); i++) {
        if (!unicode_is_digit(yes[i]))
            fail_msg("U+%04X is a digit", yes[i]);
    }
    for (size_t i = 0; i < COUNTOF(no); i++) {
        if (unicode_is_digit(no[i]))
            fail_msg("U+%04X is no digit", no[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ascii_is_as_everybody_knows_it),
        cmocka_unit_test(letters_of_other_scripts_are_letters),
        cmocka_unit_test(decimal_digits_of_other_scripts_are_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
