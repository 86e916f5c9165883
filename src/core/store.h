/* SPDX-License-Identifier: Apache-2.0 */
/* What the domain needs of durable storage, in the domain's words. src/store implements it once in
 * SQL over a driver seam, so there is no table of operations here: the linker joins the two. Every
 * function takes the tenant: no row of another tenant can be reached.
 *
 * Reading: a transaction on a connection of the calling thread, a stable snapshot until closed.
 * Writing: a job is queued to a write lane; the lane runs it inside a savepoint of a shared
 * transaction, commits many jobs with one fsync, and only then calls done(). A job that fails is
 * rolled back alone and hurts no neighbour. */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/queue.h"
#include "base/str.h"

struct store;
struct store_tx;

struct store_job {
    /* Runs on the lane inside a savepoint. -1 rolls the job back, with f filled in. May run a second
     * time when the lane has to retry the transaction (PostgreSQL 40001): no effects but on tx and
     * the job's own results, and those are written anew each time. */
    int (*run)(struct store_tx *tx, struct store_job *job, struct fail *f);

    /* On the lane, after the commit (or the failure): result 0 means durable. In commit order. */
    void (*done)(struct store_job *job, int result, const struct fail *f);

    struct arena *arena; /* for rows that run() reads; owned by the job meanwhile */
    int64_t queued_us;   /* set by store_submit */
    int64_t started_us;  /* set by the lane */
    struct queue_node node;
    struct fail fail;
    int result;
};

/* Queues a job. -1 (and done() is not called) when the queue is full or the store is closing:
 * CODE_UNAVAILABLE. Any thread, never waits. */
int store_submit(struct store *s, struct store_job *job, struct fail *f) MUST_CHECK;

/* Same, and waits for the outcome. Not from a loop or a lane. */
int store_write(struct store *s, struct arena *a,
                int (*run)(struct store_tx *tx, void *arg, struct fail *f), void *arg,
                struct fail *f) MUST_CHECK;

/* A read snapshot. Close it on the same thread; rows live in the arena. */
int store_read_open(struct store *s, struct arena *a, struct store_tx **out,
                    struct fail *f) MUST_CHECK;
void store_read_close(struct store_tx **tx);

/* Calls fn(arg) on the lane when the transaction is durable, in commit order; forgotten when the
 * job is rolled back. arg lives in the job's arena. This is how memory follows the store. */
void store_on_commit(struct store_tx *tx, void (*fn)(void *arg), void *arg);

struct arena *store_tx_arena(struct store_tx *tx) RETURNS_NONNULL;

/* The time of the transaction: one value for all its rows. Wall, microseconds. */
int64_t store_tx_now(const struct store_tx *tx);

#endif
