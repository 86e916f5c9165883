/* SPDX-License-Identifier: Apache-2.0 */
/* Coarse timers for many connections: a wheel of 1024 slots of about 66 ms. Setting, moving and
 * clearing cost O(1); pushing a deadline further out, the common case, only stores it and leaves
 * the timer where it hangs. A timer fires up to one slot late, never early. Owned by one thread;
 * the timers are embedded in whatever they watch and must be cleared before that dies. */
#ifndef NET_TIMERS_H
#define NET_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMERS_TICK_SHIFT 16 /* one slot: 65536 us */
#define TIMERS_SLOTS      1024

/* Zeroed is idle. fn runs once and may set the timer anew. */
struct timer {
    struct timer *next;
    struct timer **at; /* what points here; NULL when idle */
    int64_t due_us;
    int64_t tick; /* the slot it hangs in, unwrapped */
    void (*fn)(struct timer *t);
};

struct timers {
    struct timer *slots[TIMERS_SLOTS];
    uint64_t used[TIMERS_SLOTS / 64]; /* one bit a slot: may hold something */
    int64_t tick;                     /* every slot before this one was run */
    size_t count;
};

void timers_init(struct timers *w, int64_t now_us);
void timer_set(struct timers *w, struct timer *t, int64_t due_us);
void timer_clear(struct timers *w, struct timer *t);

static inline bool timer_is_set(const struct timer *t)
{
    return t->at != NULL;
}

/* Runs what is due. */
void timers_run(struct timers *w, int64_t now_us);

/* When to call timers_run() next; INT64_MAX when nothing is set. May be too early, never too late
 * by more than a slot. */
int64_t timers_next_us(const struct timers *w);

#endif
