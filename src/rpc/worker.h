/* SPDX-License-Identifier: Apache-2.0 */
/* A fixed number of threads that run what may block. Bounded queue, first in first out. Stopping
 * refuses new work and finishes what was accepted. */
#ifndef RPC_WORKER_H
#define RPC_WORKER_H

#include <stddef.h>

#include "base/log.h"
#include "base/macros.h"

/* Embedded in what is to be done; belongs to the pool from workers_submit() until run() is called.
 */
struct work {
    void (*run)(struct work *w);
    struct work *next;
};

struct workers;

/* `logger` may be NULL; when given, each thread flushes its lines whenever it runs out of work. */
struct workers *workers_new(size_t threads, size_t queue_limit, struct logger *logger)
    RETURNS_NONNULL;

/* -1 when the queue is full or the pool is stopping. Any thread, waits for nothing but a mutex. */
int workers_submit(struct workers *p, struct work *w) MUST_CHECK;

/* Accepted, not yet begun. Any thread. */
size_t workers_queued(struct workers *p);

/* Refuses new work, runs what was accepted, joins the threads. Not from a worker; idempotent. */
void workers_stop(struct workers *p);

/* Stops first; accepts NULL, clears the caller's pointer. */
void workers_free(struct workers **p);

#endif
