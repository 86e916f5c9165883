/* SPDX-License-Identifier: Apache-2.0 */
/* Durable background work: a row with a state, a lease and a deadline. At least once: a worker that
 * dies leaves its lease to run out, and another one claims the task again; finishing needs the
 * lease, so a result counts once. Runs inside a transaction; rows live in its arena. */
#ifndef CORE_TASK_H
#define CORE_TASK_H

#include "core/store.h"

#define TASK_KIND_MAX    64
#define TASK_SUBJECT_MAX 255
#define TASK_PAYLOAD_MAX (4u << 20)

/* "ready", "running", "done", "failed", "canceled". */
const char *task_state_name(enum task_state s) RETURNS_NONNULL;
bool task_state_is_final(enum task_state s);
bool task_may_become(enum task_state from, enum task_state to);

struct task_new {
    uint64_t tenant;
    struct str kind;
    struct str subject;
    int64_t parent;       /* 0: none */
    int64_t run_at_us;    /* 0: at once */
    int64_t deadline_us;  /* 0: none */
    int64_t max_attempts; /* 0: 1 */
    struct str payload;
};

int task_create(struct store_tx *tx, const struct task_new *want, struct task *out, struct fail *f)
    MUST_CHECK;

/* NOT_FOUND, reason "no_such_task". */
int task_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct task *out, struct fail *f)
    MUST_CHECK;
int task_list(struct store_tx *tx, uint64_t tenant, const struct task_filter *filter,
              struct task **out, size_t *count, struct fail *f) MUST_CHECK;

/* Takes up to `limit` due tasks of those kinds (all tenants): ready ones whose time has come, and
 * running ones whose lease ran out. Claiming counts an attempt; a task that has none left fails. */
int task_claim(struct store_tx *tx, const struct str *kinds, size_t kind_count, struct str owner,
               int64_t lease_us, size_t limit, struct task **out, size_t *count, struct fail *f)
    MUST_CHECK;

/* A ready task whose work is done elsewhere, due or not: *t runs for `owner` until then, unless its
 * deadline comes first. For kinds that no scheduler handles. */
int task_begin(struct store_tx *tx, struct task *t, struct str owner, int64_t until_us,
               struct fail *f) MUST_CHECK;

/* These need the lease: t as claimed. ABORTED, reason "lease_lost". */
int task_renew(struct store_tx *tx, const struct task *t, int64_t lease_us, struct fail *f)
    MUST_CHECK;

/* What is known so far, in the place of the result; it stays when the task fails. */
int task_note(struct store_tx *tx, struct task *t, struct str so_far, struct fail *f) MUST_CHECK;
int task_finish(struct store_tx *tx, const struct task *t, struct str result, struct fail *f)
    MUST_CHECK;

struct task_backoff {
    int64_t first_us;
    int64_t max_us;
};

/* Back to ready after a growing, jittered pause, or failed when no attempt is left. */
int task_retry(struct store_tx *tx, const struct task *t, struct str error,
               const struct task_backoff *backoff, struct fail *f) MUST_CHECK;

/* Fails for good, whatever attempts are left. */
int task_fail(struct store_tx *tx, const struct task *t, struct str error, struct fail *f)
    MUST_CHECK;

/* Whoever runs it learns by "lease_lost". FAILED_PRECONDITION "task_is_final" when it is over. */
int task_cancel(struct store_tx *tx, uint64_t tenant, int64_t id, struct fail *f) MUST_CHECK;

/* Told of a task that ran out of time, as it was until then, inside the transaction that ends it.
 */
typedef int (*task_late_fn)(struct store_tx *tx, const struct task *t, struct fail *f);

/* Fails open tasks whose deadline has passed, with error "deadline_exceeded"; at most `limit`.
 * late: NULL, nobody is told. */
int task_sweep(struct store_tx *tx, size_t limit, task_late_fn late, size_t *failed, struct fail *f)
    MUST_CHECK;

/* When the next task of any kind is due or its deadline passes; INT64_MAX when none is open. */
int task_next_due(struct store_tx *tx, int64_t *wall_us, struct fail *f) MUST_CHECK;

/* The pause before attempt n + 1: first * 2^(n - 1), bounded, half of it random. */
int64_t task_backoff_us(const struct task_backoff *b, int64_t attempts, uint64_t random);

#endif
