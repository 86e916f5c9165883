/* SPDX-License-Identifier: Apache-2.0 */
/* One thread's event loop: file descriptors (epoll, level-triggered unless EPOLLET is
 * asked for), coarse timers, work posted by
 * other threads, the time of the turn. Everything here belongs to the loop's thread, except
 * loop_post(), loop_post_node(), loop_wake() and loop_stop(), which any thread may call. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/queue.h"
#include "base/str.h"
#include "net/timers.h"

struct loop;

/* Embedded in the object that owns the descriptor. After loop_unwatch() no more calls come in the
 * same turn, but the object must stay in memory until the turn ends. */
struct loop_watch {
    void (*fn)(struct loop_watch *w, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLHUP, ... */
    int fd;
    uint32_t events; /* asked for; 0 with fn set: only errors and hang-up */
};

/* Embedded in the object that is handed over; one owner at a time. */
struct loop_task {
    struct queue_node node;
    void (*fn)(struct loop_task *t);
};

/* Called at the end of each turn, in the order of registration. */
struct loop_hook {
    struct loop_hook *next;
    void (*fn)(struct loop_hook *h);
};

/* `index` numbers the loops of a server, for state that is kept by loop. */
int loop_new(const struct clock *clock, unsigned index, struct loop **out, struct fail *f)
    MUST_CHECK;
void loop_free(struct loop **l);

/* Turns until loop_stop(); then runs what was posted once more. */
void loop_run(struct loop *l);

/* One turn; waits at most max_wait_ms for something to happen (-1: as long as it takes). */
void loop_turn(struct loop *l, int max_wait_ms);

void loop_stop(struct loop *l); /* any thread */

/* The turn's time, monotonic; and the Date header's value in it, 29 characters. */
int64_t loop_now_us(const struct loop *l);
struct str loop_date(const struct loop *l);
/* Asks the clock: a long turn's time is behind it. */
int64_t loop_clock_us(const struct loop *l);

unsigned loop_index(const struct loop *l);
bool loop_is_here(const struct loop *l);

/* -1 only when the kernel refuses (memory, the user's watch limit). */
int loop_watch(struct loop *l, struct loop_watch *w, uint32_t events) MUST_CHECK;
/* No system call when nothing changes. */
void loop_rewatch(struct loop *l, struct loop_watch *w, uint32_t events);
void loop_unwatch(struct loop *l, struct loop_watch *w);

void loop_timer_set(struct loop *l, struct timer *t, int64_t due_us);
void loop_timer_clear(struct loop *l, struct timer *t);

void loop_on_turn(struct loop *l, struct loop_hook *h);

/* Runs t->fn(t) on the loop. Any thread. */
void loop_post(struct loop *l, struct loop_task *t);

/* Same for objects with their own callback: fn of loop_on_node() gets each node. Any thread. */
void loop_post_node(struct loop *l, struct queue_node *n);
void loop_on_node(struct loop *l, void (*fn)(struct queue_node *n));

/* The next turn does not wait. The loop's thread. */
void loop_hurry(struct loop *l);

/* Whether this turn had descriptors or posted work to look after. */
bool loop_was_busy(const struct loop *l);

/* Makes the loop look at the clock again: for tests that moved a manual clock. Any thread. */
void loop_wake(struct loop *l);

#endif
