/* SPDX-License-Identifier: Apache-2.0 */
/* Postings and slot sets hold what a plain table of flags holds, in each of their forms. */
#include "core/pipelines_fixture.h"

#include "core/posting.h"

#define UNIVERSE 300000
#define STEPS    20000

struct model {
    struct posting posting;
    bool *has; /* UNIVERSE of them */
    size_t count;
};

static void model_init(struct model *m)
{
    *m = (struct model){.has = heap_new_array(bool, UNIVERSE)};
}

static void model_done(struct model *m)
{
    posting_done(&m->posting);
    free(m->has);
}

static void put(struct model *m, uint32_t slot)
{
    posting_add(&m->posting, slot);
    m->count += !m->has[slot];
    m->has[slot] = true;
}

static void drop(struct model *m, uint32_t slot)
{
    posting_remove(&m->posting, slot);
    m->count -= m->has[slot];
    m->has[slot] = false;
}

static void assert_lists(const struct slot_set *s, const bool *has)
{
    size_t count = slot_set_count(s);
    uint32_t *slots = heap_new_array(uint32_t, count + 1);
    size_t n = 0;

    slot_set_list(s, slots);
    for (uint32_t i = 0; i < UNIVERSE; i++) {
        if (!has[i])
            continue;
        assert_true(n < count);
        assert_int_equal(slots[n], i);
        n++;
    }
    assert_int_equal(n, count);
    free(slots);
}

static void assert_same(const struct model *m)
{
    struct slot_set *s = slot_set_of(&m->posting);

    assert_int_equal(m->posting.count, m->count);
    assert_lists(s, m->has);
    slot_set_free(&s);
    for (uint32_t i = 0; i < UNIVERSE; i += 97)
        assert_int_equal(posting_has(&m->posting, i), m->has[i]);
}

/* Up to `most` members at random places, and some taken away again. */
static void fill(struct model *m, struct dice *d, size_t most)
{
    while (m->count < most) {
        put(m, (uint32_t)dice_roll(d, UNIVERSE));
        if (dice_roll(d, 4) == 0)
            drop(m, (uint32_t)dice_roll(d, UNIVERSE));
    }
}

static void posting_holds_what_was_added_and_not_removed(void **state)
{
    struct dice d = {7};
    struct model m;
    bool seen[3] = {false};

    (void)state;
    model_init(&m);
    for (size_t i = 0; i < STEPS; i++) {
        bool shrinks = i / 2500 % 2 == 1; /* through all forms and back */
        uint32_t slot = (uint32_t)dice_roll(&d, 2000) * 150;

        if (dice_roll(&d, 10) < (shrinks ? 1u : 9u))
            put(&m, slot);
        else
            drop(&m, slot);
        seen[m.posting.form] = true;
        assert_int_equal(m.posting.count, m.count);
        assert_int_equal(posting_has(&m.posting, slot), m.has[slot]);
        if (i % 1000 == 0 || m.count < 4)
            assert_int_equal(posting_has(&m.posting, 150), m.has[150]);
        if (i % 2500 == 0)
            assert_same(&m);
    }
    assert_true(seen[POSTING_SLOTS] && seen[POSTING_ARRAY] && seen[POSTING_BITMAP]);
    for (uint32_t i = 0; i < UNIVERSE; i++)
        drop(&m, i);
    assert_same(&m);
    assert_int_equal(m.posting.form, POSTING_SLOTS);
    model_done(&m);
}

static void members_come_back_in_order_whatever_the_order_of_adding(void **state)
{
    struct model m;

    (void)state;
    model_init(&m);
    for (uint32_t i = 2000; i-- > 0;)
        put(&m, i * 7 % 1999 * 13);
    assert_same(&m);
    model_done(&m);
}

static void sets_join_meet_and_part_as_flags_do(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 3, 100, 512, 513, 5000, 80000};
    struct dice d = {11};

    (void)state;
    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        for (size_t j = 0; j < COUNTOF(sizes); j++) {
            struct model a;
            struct model b;
            bool *want = heap_new_array(bool, UNIVERSE);
            int what = (int)dice_roll(&d, 3);

            model_init(&a);
            model_init(&b);
            fill(&a, &d, sizes[i]);
            fill(&b, &d, sizes[j]);
            for (uint32_t n = 0; n < UNIVERSE; n += 1000) { /* or they hardly meet */
                put(&a, n);
                if (sizes[j] > 2)
                    put(&b, n);
            }
            for (uint32_t n = 0; n < UNIVERSE; n++)
                want[n] = what == 0   ? a.has[n] || b.has[n]
                          : what == 1 ? a.has[n] && b.has[n]
                                      : a.has[n] && !b.has[n];

            struct slot_set *by_posting = slot_set_of(&a.posting);
            struct slot_set *by_set = slot_set_of(&a.posting);
            struct slot_set *other = slot_set_of(&b.posting);

            switch (what) {
            case 0: slot_set_add(by_posting, &b.posting); break;
            case 1:
                slot_set_keep(by_posting, &b.posting);
                slot_set_keep_set(by_set, other);
                break;
            default:
                slot_set_drop(by_posting, &b.posting);
                slot_set_drop_set(by_set, other);
                break;
            }
            assert_lists(by_posting, want);
            if (what != 0)
                assert_lists(by_set, want);
            slot_set_free(&by_posting);
            slot_set_free(&by_set);
            slot_set_free(&other);
            free(want);
            model_done(&a);
            model_done(&b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posting_holds_what_was_added_and_not_removed),
        cmocka_unit_test(members_come_back_in_order_whatever_the_order_of_adding),
        cmocka_unit_test(sets_join_meet_and_part_as_flags_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
