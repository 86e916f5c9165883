/* SPDX-License-Identifier: Apache-2.0 */
/* Map: against a plain array as the model, and its edges. */
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/random.h"

static void put_get_and_remove_return_what_was_there(void **state)
{
    struct map *m = map_new();
    int one = 1, two = 2;

    (void)state;
    assert_null(map_get(m, STR("a")));
    assert_null(map_put(m, STR("a"), &one));
    assert_ptr_equal(map_get(m, STR("a")), &one);
    assert_ptr_equal(map_put(m, STR("a"), &two), &one);
    assert_int_equal(map_count(m), 1);
    assert_ptr_equal(map_remove(m, STR("a")), &two);
    assert_null(map_remove(m, STR("a")));
    assert_int_equal(map_count(m), 0);
    map_free(&m);
    assert_null(m);
}

static void keys_are_copied_and_may_hold_any_byte(void **state)
{
    struct map *m = map_new();
    char key[] = "a\0b";
    int one = 1, two = 2;

    (void)state;
    map_put(m, (struct str){key, 3}, &one);
    map_put(m, (struct str){NULL, 0}, &two);
    key[0] = 'x';
    assert_ptr_equal(map_get(m, STR("a\0b")), &one);
    assert_null(map_get(m, STR("a")));
    assert_ptr_equal(map_get(m, STR("")), &two);
    map_free(&m);
}

#define KEYS 700

/* Random puts and removals with few enough keys that probing runs collide and wrap around. */
static void behaves_like_a_plain_array(void **state)
{
    static int values[KEYS];
    int *model[KEYS] = {NULL};
    struct map *m = map_new();
    size_t count = 0;

    (void)state;
    for (int step = 0; step < 50000; step++) {
        size_t i = random_below(KEYS);
        char name[16];
        struct str key = {name, (size_t)snprintf(name, sizeof(name), "key-%zu", i)};

        if (random_below(2) == 0) {
            assert_ptr_equal(map_put(m, key, &values[i]), model[i]);
            count += model[i] == NULL;
            model[i] = &values[i];
        } else {
            assert_ptr_equal(map_remove(m, key), model[i]);
            count -= model[i] != NULL;
            model[i] = NULL;
        }
        assert_int_equal(map_count(m), count);
    }
    for (size_t i = 0; i < KEYS; i++) {
        char name[16];
        struct str key = {name, (size_t)snprintf(name, sizeof(name), "key-%zu", i)};

        assert_ptr_equal(map_get(m, key), model[i]);
    }
    map_free(&m);
}

static void walk_meets_each_entry_once(void **state)
{
    static int values[1000];
    struct map *m = map_new();
    size_t at = 0, met = 0;
    struct str key;
    void *value;

    (void)state;
    assert_false(map_next(m, &at, &key, &value));
    for (size_t i = 0; i < COUNTOF(values); i++)
        map_put(m, str_make(&i, sizeof(i)), &values[i]);
    for (at = 0; map_next(m, &at, &key, &value); met++) {
        size_t i;

        assert_int_equal(key.len, sizeof(i));
        memcpy(&i, key.p, sizeof(i));
        assert_ptr_equal(value, &values[i]);
        assert_int_equal(values[i]++, 0);
    }
    assert_int_equal(met, COUNTOF(values));
    map_free(&m);
}

static void freeing_nothing_is_fine(void **state)
{
    struct map *m = NULL;

    (void)state;
    map_free(&m);
    assert_null(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_get_and_remove_return_what_was_there),
        cmocka_unit_test(keys_are_copied_and_may_hold_any_byte),
        cmocka_unit_test(behaves_like_a_plain_array),
        cmocka_unit_test(walk_meets_each_entry_once),
        cmocka_unit_test(freeing_nothing_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
