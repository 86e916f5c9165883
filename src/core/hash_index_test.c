/* SPDX-License-Identifier: Apache-2.0 */
/* The index finds what a plain list holds, also where many hashes collide; and chunks keep their
 * items in place. */
#include "core/pipelines_fixture.h"

#include "core/chunks.h"
#include "core/hash_index.h"

#define VALUES 3000
#define STEPS  40000
#define ITEMS  5000

static bool is_found(const struct hash_index *h, uint32_t hash, uint32_t value)
{
    uint32_t at = 0;
    uint32_t got;
    bool found = false;

    while (hash_index_next(h, hash, &at, &got)) {
        assert_false(found && got == value); /* once only */
        found |= got == value;
    }
    return found;
}

static void index_finds_what_was_added_and_not_removed(void **state)
{
    struct dice d = {3};

    (void)state;
    for (uint32_t kinds = 7; kinds < 100000; kinds *= 30) { /* of hashes */
        bool *has = heap_new_array(bool, VALUES);
        struct hash_index h;
        uint32_t count = 0;

        hash_index_init(&h);
        for (int i = 0; i < STEPS; i++) {
            uint32_t value = (uint32_t)dice_roll(&d, kinds < 1000 ? 150 : VALUES);
            uint32_t hash = value * 2654435761u % kinds * 0x01000193u;

            assert_int_equal(is_found(&h, hash, value), has[value]);
            if (has[value])
                hash_index_remove(&h, hash, value);
            else
                hash_index_add(&h, hash, value);
            has[value] = !has[value];
            count += has[value] ? 1u : UINT32_MAX;
            assert_int_equal(h.count, count);
        }
        for (uint32_t value = 0; value < VALUES; value++)
            assert_int_equal(is_found(&h, value * 2654435761u % kinds * 0x01000193u, value),
                             has[value]);
        hash_index_done(&h);
        free(has);
    }
}

struct item {
    uint64_t number[3];
};

static void items_begin_as_zeroes_and_stay_where_they_are(void **state)
{
    struct chunks c;
    struct item **at = heap_new_array(struct item *, ITEMS);

    (void)state;
    chunks_init(&c, sizeof(struct item));
    for (uint32_t i = 0; i < ITEMS; i++) {
        if (i == c.capacity)
            chunks_grow(&c);
        at[i] = chunks_at(&c, i);
        assert_int_equal(at[i]->number[0], 0);
        assert_int_equal(at[i]->number[2], 0);
        at[i]->number[0] = i;
        at[i]->number[2] = ~(uint64_t)i;
    }
    assert_true(c.capacity < 2 * ITEMS);
    for (uint32_t i = 0; i < ITEMS; i++) {
        assert_ptr_equal(chunks_at(&c, i), at[i]);
        assert_int_equal(at[i]->number[0], i);
        assert_int_equal(at[i]->number[2], ~(uint64_t)i);
    }
    assert_int_equal((uintptr_t)chunks_at(&c, 0) % 64, 0);
    chunks_done(&c);
    free(at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_finds_what_was_added_and_not_removed),
        cmocka_unit_test(items_begin_as_zeroes_and_stay_where_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
