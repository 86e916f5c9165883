/* SPDX-License-Identifier: Apache-2.0 */
/* The index holds what a plain table holds, in order, whatever comes and goes. */
#include "core/pipelines_fixture.h"

#include "core/number_index.h"

#define NUMBERS 6000
#define STEPS   60000
#define SEEDS   3

struct model {
    struct number_index x;
    uint32_t values[NUMBERS]; /* by number; 0: it is not in there */
    struct dice dice;
};

static void put(struct model *m, int64_t number, uint32_t value)
{
    number_index_add(&m->x, number, value);
    m->values[number] = value;
}

static void drop(struct model *m, int64_t number)
{
    number_index_remove(&m->x, number);
    m->values[number] = 0;
}

static void check_found(struct model *m, int64_t number)
{
    uint32_t value = 0;

    assert_int_equal(number_index_find(&m->x, number, &value), m->values[number] != 0);
    assert_int_equal(value, m->values[number]);
}

static void check_above(struct model *m, int64_t after, size_t limit)
{
    struct number_entry *got = heap_new_array(struct number_entry, limit + 1);
    size_t count = number_index_above(&m->x, after, got, limit);
    size_t n = 0;

    for (int64_t i = MAX(after + 1, 0); i < NUMBERS && n < limit; i++) {
        if (!m->values[i])
            continue;
        assert_true(n < count);
        assert_int_equal(got[n].number, i);
        assert_int_equal(got[n].value, m->values[i]);
        n++;
    }
    assert_int_equal(n, count);
    free(got);
}

static void check_all(struct model *m)
{
    for (int64_t i = 0; i < NUMBERS; i++)
        check_found(m, i);
    check_above(m, -5, NUMBERS);
}

static void index_holds_what_a_plain_table_holds(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct model *m = heap_new_type(struct model);

        m->dice.state = seed;
        for (int step = 0; step < STEPS; step++) {
            int64_t number = (int64_t)dice_roll(&m->dice, NUMBERS);
            bool grows = step / 15000 % 2 == 0; /* now a growing crowd, now a shrinking one */

            check_found(m, number);
            if (m->values[number] && (!grows || dice_roll(&m->dice, 3) == 0))
                drop(m, number);
            else if (!m->values[number] && (grows || dice_roll(&m->dice, 8) == 0))
                put(m, number, 1 + (uint32_t)step);
            if (step % 97 == 0)
                check_above(m, (int64_t)dice_roll(&m->dice, NUMBERS + 10) - 5,
                            dice_roll(&m->dice, 1500));
        }
        check_all(m);
        for (int64_t i = 0; i < NUMBERS; i++)
            drop(m, i);
        check_all(m);
        assert_int_equal(m->x.count, 0);
        number_index_done(&m->x);
        free(m);
    }
}

/* Ids grow: that must not leave blocks half empty. */
static void numbers_in_order_fill_the_blocks(void **state)
{
    struct number_index x = {0};

    (void)state;
    for (int64_t i = 1; i <= INT64_C(10) * NUMBER_BLOCK; i++)
        number_index_add(&x, i, 1);
    assert_int_equal(x.count, 10);
    number_index_done(&x);
}

static void what_is_mostly_gone_gives_its_blocks_back(void **state)
{
    struct number_index x = {0};

    (void)state;
    for (int64_t i = 0; i < INT64_C(100) * NUMBER_BLOCK; i++)
        number_index_add(&x, i, 1);
    for (int64_t i = 0; i < INT64_C(100) * NUMBER_BLOCK; i++) {
        if (i % 100 != 0)
            number_index_remove(&x, i);
    }
    assert_true(x.count <= 5);
    number_index_done(&x);
}

static void an_empty_index_has_nothing(void **state)
{
    struct number_index x = {0};
    struct number_entry got;
    uint32_t value;

    (void)state;
    assert_false(number_index_find(&x, 1, &value));
    assert_int_equal(number_index_above(&x, 0, &got, 1), 0);
    number_index_remove(&x, 1);
    number_index_add(&x, INT64_MAX, 7);
    assert_int_equal(number_index_above(&x, INT64_MAX, &got, 1), 0);
    assert_int_equal(number_index_above(&x, INT64_MAX - 1, &got, 1), 1);
    assert_int_equal(got.value, 7);
    assert_int_equal(number_index_above(&x, 0, &got, 0), 0);
    number_index_done(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_holds_what_a_plain_table_holds),
        cmocka_unit_test(numbers_in_order_fill_the_blocks),
        cmocka_unit_test(what_is_mostly_gone_gives_its_blocks_back),
        cmocka_unit_test(an_empty_index_has_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
