/* SPDX-License-Identifier: Apache-2.0 */
/* The real and the manual clock, and the place to wait at. Any thread; a clock outlives its
 * waiters. Locks are taken in the order clock, waiter. */
#include "base/clock.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/heap.h"

#define US_PER_S 1000000

struct clock {
    bool manual;
    _Atomic(int64_t) wall_us; /* both hands: manual clocks only */
    _Atomic(int64_t) mono_us;
    pthread_mutex_t lock; /* guards waiters */
    struct waiter *waiters;
};

struct waiter {
    struct clock *clock;
    struct waiter *next;
    struct waiter **link; /* what points here */
    pthread_mutex_t lock; /* guards woken */
    pthread_cond_t cond;
    bool woken;
};

static struct clock *clock_new(bool manual)
{
    struct clock *c = heap_new_type(struct clock);

    c->manual = manual;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

struct clock *clock_new_real(void)
{
    return clock_new(false);
}

struct clock *clock_new_manual(int64_t wall_us, int64_t mono_us)
{
    struct clock *c = clock_new(true);

    atomic_store_explicit(&c->wall_us, wall_us, memory_order_relaxed);
    atomic_store_explicit(&c->mono_us, mono_us, memory_order_relaxed);
    return c;
}

void clock_free(struct clock **c)
{
    if (!*c)
        return;
    assert(!(*c)->waiters);
    pthread_mutex_destroy(&(*c)->lock);
    free(*c);
    *c = NULL;
}

static int64_t read_us(clockid_t id)
{
    struct timespec t;

    if (clock_gettime(id, &t) != 0)
        abort();
    return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

/* Acquire, paired with the release in clock_advance(): who sees the later time also sees what was
 * done before the clock was moved. */
int64_t clock_wall_us(const struct clock *c)
{
    if (c->manual)
        return atomic_load_explicit(&c->wall_us, memory_order_acquire);
    return read_us(CLOCK_REALTIME);
}

int64_t clock_mono_us(const struct clock *c)
{
    if (c->manual)
        return atomic_load_explicit(&c->mono_us, memory_order_acquire);
    return read_us(CLOCK_MONOTONIC);
}

/* The hands move before the waiter's lock is taken, and the waiter reads them under that lock: it
 * either sees the new time or is already asleep when the signal comes. */
void clock_advance(struct clock *c, int64_t us)
{
    assert(c->manual && us >= 0);
    pthread_mutex_lock(&c->lock);
    atomic_fetch_add_explicit(&c->wall_us, us, memory_order_release);
    atomic_fetch_add_explicit(&c->mono_us, us, memory_order_release);
    for (struct waiter *w = c->waiters; w; w = w->next) {
        pthread_mutex_lock(&w->lock);
        pthread_cond_signal(&w->cond);
        pthread_mutex_unlock(&w->lock);
    }
    pthread_mutex_unlock(&c->lock);
}

struct waiter *waiter_new(struct clock *c)
{
    struct waiter *w = heap_new_type(struct waiter);
    pthread_condattr_t attr;

    w->clock = c;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->cond, &attr);
    pthread_condattr_destroy(&attr);

    pthread_mutex_lock(&c->lock);
    w->next = c->waiters;
    w->link = &c->waiters;
    if (w->next)
        w->next->link = &w->next;
    c->waiters = w;
    pthread_mutex_unlock(&c->lock);
    return w;
}

void waiter_free(struct waiter **waiter)
{
    struct waiter *w = *waiter;

    if (!w)
        return;
    pthread_mutex_lock(&w->clock->lock);
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    pthread_mutex_unlock(&w->clock->lock);
    pthread_cond_destroy(&w->cond);
    pthread_mutex_destroy(&w->lock);
    free(w);
    *waiter = NULL;
}

bool waiter_wait(struct waiter *w, int64_t until_us)
{
    pthread_mutex_lock(&w->lock);
    while (!w->woken && clock_mono_us(w->clock) < until_us) {
        if (w->clock->manual) {
            pthread_cond_wait(&w->cond, &w->lock);
        } else {
            struct timespec until = {
                .tv_sec = until_us / US_PER_S,
                .tv_nsec = until_us % US_PER_S * 1000,
            };

            pthread_cond_timedwait(&w->cond, &w->lock, &until);
        }
    }

    bool woken = w->woken;

    w->woken = false;
    pthread_mutex_unlock(&w->lock);
    return woken;
}

void waiter_wake(struct waiter *w)
{
    pthread_mutex_lock(&w->lock);
    w->woken = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}
