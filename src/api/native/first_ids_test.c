/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest ids of many are kept, in order, whatever order they come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/native/native_internal.h"

static void put_number(struct first_ids *ids, unsigned n)
{
    char text[16];

    snprintf(text, sizeof(text), "%06u", n);
    first_ids_put(ids, str_of(text));
}

static void the_smallest_stay_in_order(void **state)
{
    struct arena *a = arena_new(4096);
    unsigned numbers[500], seed = 3;

    (void)state;
    for (size_t cap = 1; cap <= 512; cap *= 2) {
        struct first_ids ids;

        for (unsigned i = 0; i < COUNTOF(numbers); i++)
            numbers[i] = i;
        for (size_t i = COUNTOF(numbers) - 1; i > 0; i--) {
            size_t k = (size_t)rand_r(&seed) % (i + 1);
            unsigned n = numbers[i];

            numbers[i] = numbers[k];
            numbers[k] = n;
        }
        first_ids_init(&ids, a, cap);
        for (size_t i = 0; i < COUNTOF(numbers); i++)
            put_number(&ids, numbers[i]);
        first_ids_sort(&ids);
        assert_int_equal(ids.total, COUNTOF(numbers));
        assert_int_equal(ids.count, MIN(cap, COUNTOF(numbers)));
        for (size_t i = 0; i < ids.count; i++) {
            int64_t n = -1;

            assert_int_equal(str_to_i64(ids.items[i], &n), 0);
            assert_int_equal(n, i);
        }
    }
    arena_free(&a);
}

static void an_id_that_comes_twice_counts_once(void **state)
{
    struct arena *a = arena_new(4096);
    struct first_ids ids;

    (void)state;
    first_ids_init(&ids, a, 10);
    put_number(&ids, 7);
    put_number(&ids, 3);
    put_number(&ids, 7);
    first_ids_sort(&ids);
    assert_int_equal(ids.count, 2);
    assert_int_equal(ids.total, 2);
    assert_true(str_eq(ids.items[0], STR("000003")));
    arena_free(&a);
}

static void none_may_be_wanted(void **state)
{
    struct arena *a = arena_new(4096);
    struct first_ids ids;

    (void)state;
    first_ids_init(&ids, a, 0);
    put_number(&ids, 7);
    first_ids_sort(&ids);
    assert_int_equal(ids.count, 0);
    assert_int_equal(ids.total, 1);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_stay_in_order),
        cmocka_unit_test(an_id_that_comes_twice_counts_once),
        cmocka_unit_test(none_may_be_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
