/* SPDX-License-Identifier: Apache-2.0 */
/* What the server does for itself now and then: writes down when keys were used and agents seen,
 * forgets old events, ended tasks and agents that are long gone. Runs on the scheduler's thread. */
#ifndef SERVER_HOUSEKEEPING_H
#define SERVER_HOUSEKEEPING_H

#include <stdint.h>

#include "base/clock.h"
#include "core/keyring.h"
#include "core/registry.h"
#include "core/scheduler.h"
#include "core/store.h"

struct housekeeping;

struct housekeeping *housekeeping_new(struct store *store, struct keyring *ring,
                                      struct registry *registry, const struct clock *clock)
    RETURNS_NONNULL;

/* After the scheduler was stopped. Accepts NULL. */
void housekeeping_free(struct housekeeping **h);

/* How long what has happened is kept, from the next run on. Any thread. */
void housekeeping_keep(struct housekeeping *h, int64_t events_us, int64_t tasks_us);

/* After which silence agents are forgotten, from the next run on; 0: never. Any thread. */
void housekeeping_expire(struct housekeeping *h, int64_t agents_us);

/* Same, of ephemeral ones. */
void housekeeping_expire_ephemeral(struct housekeeping *h, int64_t agents_us);

/* How often to write down what is only in memory: when keys were used, when agents were seen.
 * Before scheduler_start(). */
void housekeeping_register(struct housekeeping *h, struct scheduler *s, int64_t last_used_us,
                           int64_t seen_us);

#endif
