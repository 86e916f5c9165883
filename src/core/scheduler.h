/* SPDX-License-Identifier: Apache-2.0 */
/* One thread that runs what is due: claims tasks and hands them to the function of their kind,
 * fails those whose deadline passed, and runs periodic jobs. Waits only through struct clock.
 * Handlers run on this thread, or where `dispatch` carries them; those keep their lease, renewed
 * from here, for as long as they run. */
#ifndef CORE_SCHEDULER_H
#define CORE_SCHEDULER_H

#include "base/log.h"
#include "core/store.h"
#include "core/task.h"

struct scheduler;

struct scheduler_options {
    struct store *store;
    struct clock *clock;
    const struct log *log; /* borrowed */
    struct metrics *metrics;
    struct str owner; /* of leases: unique for this process */
    int64_t poll_us;  /* at least this often, also without a wake-up */
    int64_t lease_us;
    size_t claim_limit; /* tasks claimed at once */
    struct task_backoff backoff;
    task_late_fn late; /* for task_sweep() */

    /* Runs fn(job) on another thread, once; NULL: on the scheduler's. */
    void (*dispatch)(void *arg, void (*fn)(void *job), void *job);
    void *dispatch_arg;
};

/* Does the work of one task. 0: done with *result (in the arena). -1: failed; CODE_UNAVAILABLE,
 * DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED and UNKNOWN are tried again while attempts are
 * left, other codes end the task. */
typedef int (*task_run_fn)(void *arg, const struct task *t, struct arena *a, struct str *result,
                           struct fail *f);

struct scheduler *scheduler_new(const struct scheduler_options *o) RETURNS_NONNULL;

/* Before scheduler_start(). The kind and the name are static. */
void scheduler_handle(struct scheduler *s, const char *kind, task_run_fn run, void *arg);
void scheduler_every(struct scheduler *s, const char *name, int64_t period_us,
                     int (*fn)(void *arg, struct fail *f), void *arg);

int scheduler_start(struct scheduler *s, struct fail *f) MUST_CHECK;

/* Something may be due: a task was committed. Any thread. */
void scheduler_wake(struct scheduler *s);

/* Waits for handlers that run; leases of tasks claimed but not begun run out by themselves. */
void scheduler_stop(struct scheduler *s);
void scheduler_free(struct scheduler **s);

#endif
