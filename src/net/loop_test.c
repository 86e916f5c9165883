/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop, mostly one turn at a time on the test's own thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"

struct fixture {
    struct clock *clock;
    struct loop *loop;
};

static int set_up(void **state)
{
    struct fixture *x = malloc(sizeof(*x));
    struct fail f;

    x->clock = clock_new_manual(INT64_C(1700000000000000), 1000000);
    if (loop_new(x->clock, 3, &x->loop, &f) < 0)
        return -1;
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    loop_free(&x->loop);
    clock_free(&x->clock);
    free(x);
    return 0;
}

struct job {
    struct loop_task task;
    int *order;
    int number;
};

static void append(struct loop_task *t)
{
    struct job *j = CONTAINER_OF(t, struct job, task);

    *j->order = *j->order * 10 + j->number;
}

static void posted_tasks_run_in_order(void **state)
{
    struct fixture *x = *state;
    int order = 0;
    struct job jobs[3];

    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct job){.task.fn = append, .order = &order, .number = i + 1};
        loop_post(x->loop, &jobs[i].task);
    }
    assert_int_equal(order, 0);
    loop_turn(x->loop, -1);
    assert_int_equal(order, 123);
}

static void *run(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void what_was_posted_before_the_stop_still_runs(void **state)
{
    struct fixture *x = *state;
    int order = 0;
    struct job jobs[2];
    pthread_t thread;

    pthread_create(&thread, NULL, run, x->loop);
    for (int i = 0; i < 2; i++) {
        jobs[i] = (struct job){.task.fn = append, .order = &order, .number = i + 1};
        loop_post(x->loop, &jobs[i].task);
    }
    loop_stop(x->loop);
    pthread_join(thread, NULL);
    assert_int_equal(order, 12);
}

struct watcher {
    struct loop_watch watch;
    struct loop *loop;
    struct watcher *other;
    int calls;
};

static void silence_other(struct loop_watch *w, uint32_t events)
{
    struct watcher *x = CONTAINER_OF(w, struct watcher, watch);

    (void)events;
    x->calls++;
    loop_unwatch(x->loop, &x->other->watch);
}

static void unwatched_descriptor_is_silent_in_the_same_turn(void **state)
{
    struct fixture *x = *state;
    struct watcher a = {.loop = x->loop}, b = {.loop = x->loop, .other = &a};
    int fds[2], more[2];

    a.other = &b;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, more), 0);
    a.watch = (struct loop_watch){.fn = silence_other, .fd = fds[0]};
    b.watch = (struct loop_watch){.fn = silence_other, .fd = more[0]};
    assert_int_equal(loop_watch(x->loop, &a.watch, EPOLLIN), 0);
    assert_int_equal(loop_watch(x->loop, &b.watch, EPOLLIN), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(write(more[1], "x", 1), 1);
    loop_turn(x->loop, -1);
    assert_int_equal(a.calls + b.calls, 1);
    loop_unwatch(x->loop, &a.watch);
    loop_unwatch(x->loop, &b.watch);
    close(fds[0]);
    close(fds[1]);
    close(more[0]);
    close(more[1]);
}

struct alarm {
    struct timer timer;
    int fired;
};

static void on_alarm(struct timer *t)
{
    CONTAINER_OF(t, struct alarm, timer)->fired++;
}

static void timers_follow_the_clock(void **state)
{
    struct fixture *x = *state;
    struct alarm a = {.timer.fn = on_alarm};

    loop_timer_set(x->loop, &a.timer, loop_now_us(x->loop) + 5000000);
    clock_advance(x->clock, 4000000);
    loop_turn(x->loop, 0);
    assert_int_equal(a.fired, 0);
    clock_advance(x->clock, 1100000);
    loop_turn(x->loop, 0);
    assert_int_equal(a.fired, 1);
}

static void date_is_that_of_the_turn(void **state)
{
    struct fixture *x = *state;

    assert_true(str_eq(loop_date(x->loop), STR("Tue, 14 Nov 2023 22:13:20 GMT")));
    clock_advance(x->clock, 61000000);
    assert_true(str_eq(loop_date(x->loop), STR("Tue, 14 Nov 2023 22:13:20 GMT")));
    loop_turn(x->loop, 0);
    assert_true(str_eq(loop_date(x->loop), STR("Tue, 14 Nov 2023 22:14:21 GMT")));
}

struct counter {
    struct loop_hook hook;
    int calls;
};

static void count(struct loop_hook *h)
{
    CONTAINER_OF(h, struct counter, hook)->calls++;
}

static void hooks_run_once_a_turn(void **state)
{
    struct fixture *x = *state;
    struct counter c = {.hook.fn = count};

    loop_on_turn(x->loop, &c.hook);
    loop_wake(x->loop);
    loop_turn(x->loop, -1);
    assert_int_equal(c.calls, 1);
    loop_turn(x->loop, 0);
    assert_int_equal(c.calls, 2);
    assert_int_equal(loop_index(x->loop), 3);
}

static void hurried_turn_does_not_wait(void **state)
{
    struct fixture *x = *state;

    loop_hurry(x->loop);
    loop_turn(x->loop, -1); /* hangs if it waits */
    assert_false(loop_was_busy(x->loop));
    loop_wake(x->loop);
    loop_turn(x->loop, -1);
    assert_true(loop_was_busy(x->loop));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(posted_tasks_run_in_order),
        TEST(what_was_posted_before_the_stop_still_runs),
        TEST(unwatched_descriptor_is_silent_in_the_same_turn),
        TEST(timers_follow_the_clock),
        TEST(date_is_that_of_the_turn),
        TEST(hooks_run_once_a_turn),
        TEST(hurried_turn_does_not_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
