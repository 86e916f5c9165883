/* SPDX-License-Identifier: Apache-2.0 */
/* The append-only record of changes, written in the transaction of the change: audit log, change
 * feed, and the wake-up of other nodes. */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "core/store.h"

/* `kind` is a static text like "key.created"; `subject` names the row; `data` is JSON text or
 * empty. `by` NULL: the server itself. */
int event_append(struct store_tx *tx, uint64_t tenant, const struct caller *by, const char *kind,
                 struct str subject, struct str data, struct fail *f) MUST_CHECK;

/* {"name":"..."}: what most events say. In the arena. */
struct str event_data(struct arena *a, const char *key, struct str value);

/* Oldest first, from the first above after_seq. */
int event_list(struct store_tx *tx, uint64_t tenant, int64_t after_seq, size_t limit,
               struct event **out, size_t *count, struct fail *f) MUST_CHECK;

/* Forgets what is older, at most `limit` rows of all tenants; *gone says how many went. */
int event_prune(struct store_tx *tx, int64_t before_us, size_t limit, size_t *gone, struct fail *f)
    MUST_CHECK;

#endif
