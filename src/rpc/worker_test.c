/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rpc/worker.h"

/* A piece of work that can be held up until the test says go. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    int running;
    int done;
    int order[64];
};

struct piece {
    struct work work;
    struct gate *gate;
    int number;
};

static void gate_init(struct gate *g, bool open)
{
    *g = (struct gate){.open = open};
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->changed, NULL);
}

static void gate_done(struct gate *g)
{
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->lock);
}

static void piece_run(struct work *w)
{
    struct piece *p = CONTAINER_OF(w, struct piece, work);
    struct gate *g = p->gate;

    pthread_mutex_lock(&g->lock);
    g->running++;
    pthread_cond_broadcast(&g->changed);
    while (!g->open)
        pthread_cond_wait(&g->changed, &g->lock);
    g->order[g->done++] = p->number;
    pthread_mutex_unlock(&g->lock);
}

static void gate_open(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void gate_wait_running(struct gate *g, int n)
{
    pthread_mutex_lock(&g->lock);
    while (g->running < n)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void pieces_make(struct piece *pieces, int count, struct gate *g)
{
    for (int i = 0; i < count; i++)
        pieces[i] = (struct piece){.work.run = piece_run, .gate = g, .number = i};
}

static void one_thread_works_in_order(void **state)
{
    struct workers *w = workers_new(1, 100, NULL);
    struct piece pieces[64];
    struct gate g;

    (void)state;
    gate_init(&g, true);
    pieces_make(pieces, 64, &g);
    for (int i = 0; i < 64; i++)
        assert_int_equal(workers_submit(w, &pieces[i].work), 0);
    workers_free(&w);
    assert_null(w);
    assert_int_equal(g.done, 64);
    for (int i = 0; i < 64; i++)
        assert_int_equal(g.order[i], i);
    gate_done(&g);
}

static void a_full_queue_refuses(void **state)
{
    struct workers *w = workers_new(2, 3, NULL);
    struct piece pieces[6];
    struct gate g;

    (void)state;
    gate_init(&g, false);
    pieces_make(pieces, 6, &g);
    assert_int_equal(workers_submit(w, &pieces[0].work), 0);
    assert_int_equal(workers_submit(w, &pieces[1].work), 0);
    gate_wait_running(&g, 2);
    assert_int_equal(workers_queued(w), 0);
    for (int i = 2; i < 5; i++)
        assert_int_equal(workers_submit(w, &pieces[i].work), 0);
    assert_int_equal(workers_queued(w), 3);
    assert_int_equal(workers_submit(w, &pieces[5].work), -1);
    gate_open(&g);
    workers_free(&w);
    assert_int_equal(g.done, 5);
    gate_done(&g);
}

static void a_stopped_pool_has_finished_what_it_took_and_takes_no_more(void **state)
{
    struct workers *w = workers_new(3, 100, NULL);
    struct piece pieces[33];
    struct gate g;

    (void)state;
    gate_init(&g, true);
    pieces_make(pieces, 33, &g);
    for (int i = 0; i < 32; i++)
        assert_int_equal(workers_submit(w, &pieces[i].work), 0);
    workers_stop(w);
    assert_int_equal(g.done, 32);
    assert_int_equal(workers_submit(w, &pieces[32].work), -1);
    workers_stop(w);
    workers_free(&w);
    workers_free(&w);
    gate_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_works_in_order),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(a_stopped_pool_has_finished_what_it_took_and_takes_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
