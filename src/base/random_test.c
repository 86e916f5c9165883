/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes: the pool never repeats, bounds and alphabet hold. */
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void numbers_do_not_repeat(void **state)
{
    static uint64_t seen[10000];

    (void)state;
    for (size_t i = 0; i < COUNTOF(seen); i++)
        seen[i] = random_u64();
    qsort(seen, COUNTOF(seen), sizeof(seen[0]), by_value);
    for (size_t i = 1; i < COUNTOF(seen); i++)
        assert_true(seen[i] != seen[i - 1]);
}

static void every_length_is_filled_to_its_end_and_not_beyond(void **state)
{
    (void)state;
    for (size_t len = 0; len < 1200; len += 7) {
        unsigned char any[1201] = {0};
        unsigned char last = 0;

        for (int round = 0; round < 16; round++) {
            random_bytes(any, len);
            last |= len > 0 ? any[len - 1] : 0xff;
            assert_int_equal(any[len], 0);
        }
        /* Sixteen zero bytes in a row have a chance of 2^-128. */
        assert_true(last != 0);
    }
}

static void below_stays_below_and_reaches_all(void **state)
{
    unsigned seen[10] = {0};

    (void)state;
    for (int i = 0; i < 10000; i++)
        seen[random_below(10)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(seen[i], 600, 1400);
    assert_int_equal(random_below(1), 0);
    for (int i = 0; i < 100; i++)
        assert_true(random_below(UINT64_MAX / 2 + 2) <= UINT64_MAX / 2 + 1);
}

static void text_uses_all_of_32_symbols_without_look_alikes(void **state)
{
    static char text[20000];
    unsigned seen[256] = {0};
    unsigned kinds = 0;

    (void)state;
    random_text(text, sizeof(text));
    for (size_t i = 0; i < sizeof(text); i++)
        seen[(unsigned char)text[i]]++;
    for (int c = 0; c < 256; c++)
        kinds += seen[c] > 0;
    assert_int_equal(kinds, 32);
    for (const char *c = "ilouILOU"; *c; c++)
        assert_int_equal(seen[(unsigned char)*c], 0);
}

static void text_of_any_length_ends_there(void **state)
{
    (void)state;
    for (size_t len = 0; len < 200; len++) {
        char text[201] = {0};

        random_text(text, len);
        assert_int_equal(strlen(text), len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_do_not_repeat),
        cmocka_unit_test(every_length_is_filled_to_its_end_and_not_beyond),
        cmocka_unit_test(below_stays_below_and_reaches_all),
        cmocka_unit_test(text_uses_all_of_32_symbols_without_look_alikes),
        cmocka_unit_test(text_of_any_length_ends_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
