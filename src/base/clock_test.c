/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks and waiters; the threads meet by the waiters themselves, never by waiting a while. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void manual_clock_moves_only_by_hand(void **state)
{
    struct clock *c = clock_new_manual(1000, 5);

    (void)state;
    assert_int_equal(clock_wall_us(c), 1000);
    assert_int_equal(clock_mono_us(c), 5);
    clock_advance(c, 7);
    assert_int_equal(clock_wall_us(c), 1007);
    assert_int_equal(clock_mono_us(c), 12);
    clock_free(&c);
    assert_null(c);
}

static void real_clock_never_steps_back(void **state)
{
    struct clock *c = clock_new_real();
    int64_t last = clock_mono_us(c);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_mono_us(c);

        assert_true(now >= last);
        last = now;
    }
    /* After 2020. */
    assert_true(clock_wall_us(c) > INT64_C(1577836800) * 1000000);
    clock_free(&c);
}

static void wake_up_that_comes_first_is_kept_once(void **state)
{
    struct clock *c = clock_new_manual(0, 100);
    struct waiter *w = waiter_new(c);

    (void)state;
    waiter_wake(w);
    waiter_wake(w);
    assert_true(waiter_wait(w, INT64_MAX));
    assert_false(waiter_wait(w, 100));
    waiter_free(&w);
    assert_null(w);
    clock_free(&c);
}

static void time_that_is_past_does_not_wait(void **state)
{
    struct clock *real = clock_new_real();
    struct waiter *w = waiter_new(real);

    (void)state;
    assert_false(waiter_wait(w, 0));
    assert_false(waiter_wait(w, clock_mono_us(real)));
    waiter_free(&w);
    clock_free(&real);
}

static void real_waiter_returns_when_the_time_is_reached(void **state)
{
    struct clock *c = clock_new_real();
    struct waiter *w = waiter_new(c);
    int64_t until = clock_mono_us(c) + 2000;

    (void)state;
    assert_false(waiter_wait(w, until));
    assert_true(clock_mono_us(c) >= until);
    waiter_free(&w);
    clock_free(&c);
}

struct sleeper {
    struct waiter *mine;
    struct waiter *done;
    int64_t until_us;
    bool woken;
};

static void *sleep_there(void *arg)
{
    struct sleeper *s = arg;

    s->woken = waiter_wait(s->mine, s->until_us);
    waiter_wake(s->done);
    return NULL;
}

static void advancing_wakes_who_waits_for_that_time(void **state)
{
    struct clock *c = clock_new_manual(0, 0);
    struct clock *real = clock_new_real();
    struct waiter *done = waiter_new(real);
    struct sleeper sleepers[2] = {
        {.mine = waiter_new(c), .done = done, .until_us = 50},
        {.mine = waiter_new(c), .done = done, .until_us = 100},
    };
    pthread_t threads[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sleep_there, &sleepers[i]), 0);
    clock_advance(c, 60);
    assert_true(waiter_wait(done, INT64_MAX));
    pthread_join(threads[0], NULL);
    assert_false(sleepers[0].woken);
    clock_advance(c, 40);
    assert_true(waiter_wait(done, INT64_MAX));
    pthread_join(threads[1], NULL);
    assert_false(sleepers[1].woken);
    for (int i = 0; i < 2; i++)
        waiter_free(&sleepers[i].mine);
    waiter_free(&done);
    clock_free(&real);
    clock_free(&c);
}

static void other_thread_can_wake(void **state)
{
    struct clock *clocks[] = {clock_new_real(), clock_new_manual(0, 0)};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct waiter *done = waiter_new(clocks[i]);
        struct sleeper s = {.mine = waiter_new(clocks[i]), .done = done, .until_us = INT64_MAX};
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, sleep_there, &s), 0);
        waiter_wake(s.mine);
        assert_true(waiter_wait(done, INT64_MAX));
        pthread_join(thread, NULL);
        assert_true(s.woken);
        waiter_free(&s.mine);
        waiter_free(&done);
        clock_free(&clocks[i]);
    }
}

static void waiters_can_be_freed_in_any_order(void **state)
{
    struct clock *c = clock_new_manual(0, 0);
    struct waiter *w[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        w[i] = waiter_new(c);
    waiter_free(&w[1]);
    waiter_free(&w[3]);
    waiter_free(&w[0]);
    clock_advance(c, 1);
    assert_false(waiter_wait(w[2], 1));
    waiter_free(&w[2]);
    clock_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manual_clock_moves_only_by_hand),
        cmocka_unit_test(real_clock_never_steps_back),
        cmocka_unit_test(wake_up_that_comes_first_is_kept_once),
        cmocka_unit_test(time_that_is_past_does_not_wait),
        cmocka_unit_test(real_waiter_returns_when_the_time_is_reached),
        cmocka_unit_test(advancing_wakes_who_waits_for_that_time),
        cmocka_unit_test(other_thread_can_wake),
        cmocka_unit_test(waiters_can_be_freed_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
