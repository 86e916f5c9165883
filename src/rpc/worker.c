/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/heap.h"

struct workers {
    pthread_mutex_t lock; /* guards what follows, down to `stopping` */
    pthread_cond_t more;
    struct work *first;
    struct work *last;
    size_t queued;
    bool stopping;

    size_t queue_limit;
    struct logger *logger;
    pthread_t *threads;
    size_t thread_count; /* 0 once joined; only the one who stops touches it */
};

/* Waits for the next piece of work; NULL when there will be none. */
static struct work *work_take(struct workers *p)
{
    pthread_mutex_lock(&p->lock);
    if (!p->first && p->logger) {
        /* About to wait: now is the time to write out what was logged. */
        pthread_mutex_unlock(&p->lock);
        log_flush(p->logger);
        pthread_mutex_lock(&p->lock);
    }
    while (!p->first && !p->stopping)
        pthread_cond_wait(&p->more, &p->lock);

    struct work *w = p->first;

    if (w) {
        p->first = w->next;
        if (!p->first)
            p->last = NULL;
        p->queued--;
        w->next = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    return w;
}

static void *worker_main(void *arg)
{
    struct workers *p = arg;
    struct work *w;

    while ((w = work_take(p)) != NULL)
        w->run(w);
    if (p->logger)
        log_flush(p->logger);
    return NULL;
}

struct workers *workers_new(size_t threads, size_t queue_limit, struct logger *logger)
{
    struct workers *p = heap_new_type(struct workers);
    sigset_t all, before;

    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    p->queue_limit = queue_limit;
    p->logger = logger;
    p->threads = heap_new_array(pthread_t, threads);

    /* Signals are for the main thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    for (size_t i = 0; i < threads; i++)
        if (pthread_create(&p->threads[i], NULL, worker_main, p) != 0)
            abort(); /* start-up without threads leads nowhere */
        else
            p->thread_count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return p;
}

int workers_submit(struct workers *p, struct work *w)
{
    bool taken = false;

    w->next = NULL;
    pthread_mutex_lock(&p->lock);
    if (!p->stopping && p->queued < p->queue_limit) {
        if (p->last)
            p->last->next = w;
        else
            p->first = w;
        p->last = w;
        p->queued++;
        taken = true;
    }
    pthread_mutex_unlock(&p->lock);
    if (taken)
        pthread_cond_signal(&p->more);
    return taken ? 0 : -1;
}

size_t workers_queued(struct workers *p)
{
    pthread_mutex_lock(&p->lock);

    size_t n = p->queued;

    pthread_mutex_unlock(&p->lock);
    return n;
}

void workers_stop(struct workers *p)
{
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_mutex_unlock(&p->lock);
    pthread_cond_broadcast(&p->more);
    for (size_t i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i], NULL);
    p->thread_count = 0;
}

void workers_free(struct workers **p)
{
    if (*p) {
        workers_stop(*p);
        pthread_cond_destroy(&(*p)->more);
        pthread_mutex_destroy(&(*p)->lock);
        free((*p)->threads);
        free(*p);
    }
    *p = NULL;
}
