/* SPDX-License-Identifier: Apache-2.0 */
/* See task.h. */
#include "core/task.h"

#include <assert.h>

#include "base/random.h"
#include "core/tenant.h"

#define TO(s) (1u << (s))

static const struct {
    const char *name;
    unsigned next; /* bit set of the states it may go to */
} states[] = {
    [TASK_READY] = {"ready", TO(TASK_RUNNING) | TO(TASK_FAILED) | TO(TASK_CANCELED)},
    [TASK_RUNNING] = {"running", TO(TASK_RUNNING) | TO(TASK_READY) | TO(TASK_DONE) |
                                     TO(TASK_FAILED) | TO(TASK_CANCELED)},
    [TASK_DONE] = {"done", 0},
    [TASK_FAILED] = {"failed", 0},
    [TASK_CANCELED] = {"canceled", 0},
};
_Static_assert(COUNTOF(states) == TASK_STATE_COUNT, "describe every state");

const char *task_state_name(enum task_state s)
{
    return states[s].name;
}

bool task_state_is_final(enum task_state s)
{
    return states[s].next == 0;
}

bool task_may_become(enum task_state from, enum task_state to)
{
    return (states[from].next & TO(to)) != 0;
}

static int refuse(struct fail *f, const char *reason, const char *field, const char *message)
{
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, reason, "%s", message));
    return fail_field(f, "%s", field);
}

int task_create(struct store_tx *tx, const struct task_new *want, struct task *out, struct fail *f)
{
    int64_t now = store_tx_now(tx);
    struct task t = {
        .tenant = want->tenant,
        .kind = want->kind,
        .subject = want->subject,
        .parent = want->parent,
        .state = TASK_READY,
        .max_attempts = want->max_attempts > 0 ? want->max_attempts : 1,
        .due_us = want->run_at_us > 0 ? want->run_at_us : now,
        .deadline_us = want->deadline_us,
        .payload = want->payload,
        .created_us = now,
        .updated_us = now,
    };

    if (t.kind.len == 0 || t.kind.len > TASK_KIND_MAX)
        return refuse(f, "bad_kind", "kind", "the kind is empty or too long");
    if (t.subject.len > TASK_SUBJECT_MAX)
        return refuse(f, "bad_subject", "subject", "the subject is too long");
    if (t.payload.len > TASK_PAYLOAD_MAX)
        return refuse(f, "too_large", "payload", "the task is too large");
    if (t.deadline_us < 0)
        return refuse(f, "bad_deadline", "deadline", "the deadline is negative");
    if (tenant_check_id(tx, t.tenant, f) < 0)
        return -1;
    t.id = store_next_id(tx);
    if (store_task_insert(tx, &t, f) < 0)
        return -1;
    *out = t;
    return 0;
}

static int missing(struct fail *f)
{
    if (f->code != CODE_NOT_FOUND)
        return -1;
    return fail_reason(f, CODE_NOT_FOUND, "no_such_task", "there is no such task");
}

int task_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct task *out, struct fail *f)
{
    return store_task_get(tx, tenant, id, out, f) < 0 ? missing(f) : 0;
}

int task_list(struct store_tx *tx, uint64_t tenant, const struct task_filter *filter,
              struct task **out, size_t *count, struct fail *f)
{
    return store_task_list(tx, tenant, filter, out, count, f);
}

/* The only place where a state changes. */
static int move(struct store_tx *tx, const struct task *was, struct task *t, enum task_state to,
                struct fail *f)
{
    assert(task_may_become(was->state, to));
    t->state = to;
    t->updated_us = MAX(store_tx_now(tx), was->updated_us);
    if (to != TASK_RUNNING)
        t->owner = STR("");
    if (store_task_update(tx, t, was, f) == 0)
        return 0;
    if (f->code != CODE_ABORTED)
        return -1;
    return fail_reason(f, CODE_ABORTED, "lease_lost", "the task is not held any more");
}

static int give_up(struct store_tx *tx, const struct task *was, struct str error, struct fail *f)
{
    struct task t = *was;

    t.error = error;
    return move(tx, was, &t, TASK_FAILED, f);
}

/* Takes one due task; *taken is false when it could only be ended. */
static int claim_one(struct store_tx *tx, struct task *t, struct str owner, int64_t lease_us,
                     bool *taken, struct fail *f)
{
    int64_t now = store_tx_now(tx);
    const struct task was = *t;

    *taken = false;
    if (t->deadline_us && t->deadline_us < now)
        return give_up(tx, &was, STR("deadline_exceeded"), f);
    if (t->attempts >= t->max_attempts)
        return give_up(tx, &was, STR("lease_expired"), f);
    t->attempts++;
    t->owner = owner;
    t->due_us = now + lease_us;
    *taken = true;
    return move(tx, &was, t, TASK_RUNNING, f);
}

int task_claim(struct store_tx *tx, const struct str *kinds, size_t kind_count, struct str owner,
               int64_t lease_us, size_t limit, struct task **out, size_t *count, struct fail *f)
{
    struct task *due;
    size_t found;
    size_t n = 0;

    if (store_task_due(tx, store_tx_now(tx), kinds, kind_count, limit, &due, &found, f) < 0)
        return -1;
    for (size_t i = 0; i < found; i++) {
        bool taken;

        if (claim_one(tx, &due[i], owner, lease_us, &taken, f) < 0)
            return -1;
        if (taken)
            due[n++] = due[i];
    }
    *out = due;
    *count = n;
    return 0;
}

int task_begin(struct store_tx *tx, struct task *t, struct str owner, int64_t until_us,
               struct fail *f)
{
    const struct task was = *t;

    t->attempts++;
    t->owner = owner;
    t->due_us = until_us;
    return move(tx, &was, t, TASK_RUNNING, f);
}

int task_note(struct store_tx *tx, struct task *t, struct str so_far, struct fail *f)
{
    const struct task was = *t;

    t->result = so_far;
    return move(tx, &was, t, TASK_RUNNING, f);
}

int task_renew(struct store_tx *tx, const struct task *t, int64_t lease_us, struct fail *f)
{
    struct task next = *t;

    next.due_us = store_tx_now(tx) + lease_us;
    return move(tx, t, &next, TASK_RUNNING, f);
}

int task_finish(struct store_tx *tx, const struct task *t, struct str result, struct fail *f)
{
    struct task next = *t;

    next.result = result;
    next.error = STR("");
    return move(tx, t, &next, TASK_DONE, f);
}

int64_t task_backoff_us(const struct task_backoff *b, int64_t attempts, uint64_t random)
{
    int64_t pause = b->first_us;

    for (int64_t i = 1; i < attempts && pause < b->max_us; i++)
        pause = pause > b->max_us / 2 ? b->max_us : pause * 2;
    pause = MIN(pause, b->max_us);
    if (pause < 2)
        return pause;
    return pause / 2 + (int64_t)(random % (uint64_t)(pause - pause / 2 + 1));
}

int task_retry(struct store_tx *tx, const struct task *t, struct str error,
               const struct task_backoff *backoff, struct fail *f)
{
    struct task next = *t;

    if (t->attempts >= t->max_attempts)
        return task_fail(tx, t, error, f);
    next.error = error;
    next.due_us = store_tx_now(tx) + task_backoff_us(backoff, t->attempts, random_u64());
    return move(tx, t, &next, TASK_READY, f);
}

int task_fail(struct store_tx *tx, const struct task *t, struct str error, struct fail *f)
{
    return give_up(tx, t, error, f);
}

int task_cancel(struct store_tx *tx, uint64_t tenant, int64_t id, struct fail *f)
{
    struct task was;

    if (task_get(tx, tenant, id, &was, f) < 0)
        return -1;
    if (task_state_is_final(was.state))
        return fail_reason(f, CODE_FAILED_PRECONDITION, "task_is_final", "the task is %s already",
                           task_state_name(was.state));

    struct task t = was;

    return move(tx, &was, &t, TASK_CANCELED, f);
}

int task_sweep(struct store_tx *tx, size_t limit, task_late_fn late, size_t *failed, struct fail *f)
{
    struct task *tasks;
    size_t count;

    if (store_task_late(tx, store_tx_now(tx), limit, &tasks, &count, f) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (give_up(tx, &tasks[i], STR("deadline_exceeded"), f) < 0 ||
            (late && late(tx, &tasks[i], f) < 0))
            return -1;
    }
    *failed = count;
    return 0;
}

int task_next_due(struct store_tx *tx, int64_t *wall_us, struct fail *f)
{
    return store_task_next_due(tx, wall_us, f);
}
