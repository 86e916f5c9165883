/* SPDX-License-Identifier: Apache-2.0 */
/* Hand-over: order, the wake-up answer, nothing lost between threads. */
#include "base/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/clock.h"

struct item {
    struct queue_node node;
    unsigned thread;
    unsigned number;
};

static void all_are_taken_oldest_first(void **state)
{
    struct item items[5];
    struct queue q;
    struct queue_node *n;

    (void)state;
    queue_init(&q);
    assert_null(queue_take(&q));
    for (unsigned i = 0; i < 5; i++) {
        items[i].number = i;
        assert_int_equal(queue_push(&q, &items[i].node), i == 0);
    }
    n = queue_take(&q);
    for (unsigned i = 0; i < 5; i++, n = n->next)
        assert_int_equal(((struct item *)(void *)n)->number, i);
    assert_null(n);
    assert_null(queue_take(&q));
    assert_true(queue_push(&q, &items[0].node));
    assert_ptr_equal(queue_take(&q), &items[0].node);
}

#define THREADS    4
#define PER_THREAD 20000

struct pusher {
    struct queue *q;
    struct waiter *consumer;
    struct item *items;
    unsigned thread;
};

static void *push_all(void *arg)
{
    struct pusher *p = arg;

    for (unsigned i = 0; i < PER_THREAD; i++) {
        p->items[i].thread = p->thread;
        p->items[i].number = i;
        if (queue_push(p->q, &p->items[i].node))
            waiter_wake(p->consumer);
    }
    return NULL;
}

/* The consumer only looks when it was woken: a wrong answer of queue_push() would hang it. */
static void nothing_is_lost_between_threads(void **state)
{
    static struct item items[THREADS][PER_THREAD];
    struct pusher pushers[THREADS];
    pthread_t threads[THREADS];
    unsigned next[THREADS] = {0};
    unsigned taken = 0;
    struct clock *c = clock_new_real();
    struct waiter *w = waiter_new(c);
    struct queue q;

    (void)state;
    queue_init(&q);
    for (unsigned i = 0; i < THREADS; i++) {
        pushers[i] = (struct pusher){&q, w, items[i], i};
        assert_int_equal(pthread_create(&threads[i], NULL, push_all, &pushers[i]), 0);
    }
    while (taken < THREADS * PER_THREAD) {
        struct queue_node *n = queue_take(&q);

        if (!n)
            assert_true(waiter_wait(w, INT64_MAX));
        for (; n; n = n->next, taken++) {
            struct item *item = CONTAINER_OF(n, struct item, node);

            assert_int_equal(item->number, next[item->thread]);
            next[item->thread]++;
        }
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_null(queue_take(&q));
    waiter_free(&w);
    clock_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_taken_oldest_first),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
