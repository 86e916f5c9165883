/* SPDX-License-Identifier: Apache-2.0 */
/* The timer wheel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "net/timers.h"

#define TICK ((int64_t)1 << TIMERS_TICK_SHIFT)

struct alarm {
    struct timer timer;
    int fired;
    struct timers *wheel;
    struct alarm *other;
};

static void on_fire(struct timer *t)
{
    CONTAINER_OF(t, struct alarm, timer)->fired++;
}

static void clear_other(struct timer *t)
{
    struct alarm *a = CONTAINER_OF(t, struct alarm, timer);

    a->fired++;
    timer_clear(a->wheel, &a->other->timer);
}

static void set_again(struct timer *t)
{
    struct alarm *a = CONTAINER_OF(t, struct alarm, timer);

    if (++a->fired < 3)
        timer_set(a->wheel, t, t->due_us);
}

static void fires_never_early_and_at_most_a_slot_late(void **state)
{
    struct timers w;

    (void)state;
    for (int64_t due = 0; due < 3 * TIMERS_SLOTS * TICK; due += 7777777) {
        struct alarm a = {.timer.fn = on_fire};

        timers_init(&w, 0);
        timer_set(&w, &a.timer, due);
        assert_true(timers_next_us(&w) <= due + TICK);
        if (due > 0)
            timers_run(&w, due - 1);
        assert_int_equal(a.fired, 0);
        timers_run(&w, due + TICK);
        assert_int_equal(a.fired, 1);
        assert_int_equal(timers_next_us(&w), INT64_MAX);
    }
}

static void waiting_for_the_next_reaches_every_timer(void **state)
{
    struct timers w;
    struct alarm a[50] = {0};
    int64_t now = 5 * TICK;
    size_t fired = 0;

    (void)state;
    timers_init(&w, now);
    for (size_t i = 0; i < COUNTOF(a); i++) {
        a[i].timer.fn = on_fire;
        timer_set(&w, &a[i].timer, now + (int64_t)(i * i) * 3 * TICK);
    }
    for (int turns = 0; turns < 10000 && timers_next_us(&w) != INT64_MAX; turns++) {
        assert_true(timers_next_us(&w) >= now);
        now = timers_next_us(&w);
        timers_run(&w, now);
    }
    for (size_t i = 0; i < COUNTOF(a); i++)
        fired += (size_t)a[i].fired;
    assert_int_equal(fired, COUNTOF(a));
}

static void moving_a_deadline_out_holds_the_timer_back(void **state)
{
    struct timers w;
    struct alarm a = {.timer.fn = on_fire};

    (void)state;
    timers_init(&w, 0);
    timer_set(&w, &a.timer, 2 * TICK);
    timer_set(&w, &a.timer, 10 * TICK);
    timers_run(&w, 9 * TICK);
    assert_int_equal(a.fired, 0);
    timers_run(&w, 10 * TICK);
    assert_int_equal(a.fired, 1);
}

static void moving_a_deadline_in_brings_the_timer_forward(void **state)
{
    struct timers w;
    struct alarm a = {.timer.fn = on_fire};

    (void)state;
    timers_init(&w, 0);
    timer_set(&w, &a.timer, 100 * TICK);
    timer_set(&w, &a.timer, 2 * TICK);
    timers_run(&w, 2 * TICK);
    assert_int_equal(a.fired, 1);
}

static void cleared_timer_stays_silent(void **state)
{
    struct timers w;
    struct alarm a = {.timer.fn = on_fire};

    (void)state;
    timers_init(&w, 0);
    timer_set(&w, &a.timer, TICK);
    timer_clear(&w, &a.timer);
    timer_clear(&w, &a.timer);
    assert_false(timer_is_set(&a.timer));
    timers_run(&w, 5 * TICK);
    assert_int_equal(a.fired, 0);
}

static void timer_may_clear_its_neighbor_in_the_same_slot(void **state)
{
    struct timers w;
    struct alarm a = {.timer.fn = clear_other};
    struct alarm b = {.timer.fn = clear_other};

    (void)state;
    timers_init(&w, 0);
    a.wheel = b.wheel = &w;
    a.other = &b;
    b.other = &a;
    timer_set(&w, &a.timer, TICK);
    timer_set(&w, &b.timer, TICK);
    timers_run(&w, TICK);
    assert_int_equal(a.fired + b.fired, 1);
}

static void timer_set_in_the_past_by_itself_fires_in_the_next_slot(void **state)
{
    struct timers w;
    struct alarm a = {.timer.fn = set_again};

    (void)state;
    timers_init(&w, 0);
    a.wheel = &w;
    timer_set(&w, &a.timer, TICK);
    timers_run(&w, TICK);
    assert_int_equal(a.fired, 1);
    timers_run(&w, 2 * TICK);
    timers_run(&w, 3 * TICK);
    assert_int_equal(a.fired, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_never_early_and_at_most_a_slot_late),
        cmocka_unit_test(waiting_for_the_next_reaches_every_timer),
        cmocka_unit_test(moving_a_deadline_out_holds_the_timer_back),
        cmocka_unit_test(moving_a_deadline_in_brings_the_timer_forward),
        cmocka_unit_test(cleared_timer_stays_silent),
        cmocka_unit_test(timer_may_clear_its_neighbor_in_the_same_slot),
        cmocka_unit_test(timer_set_in_the_past_by_itself_fires_in_the_next_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
