/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tasks. Inside a transaction. */
#include "store/store_internal.h"

int store_task_insert(struct store_tx *tx, const struct task *t, struct fail *f)
{
    const struct sql_value args[] = {
        ARG_INT(t->tenant),      ARG_INT(t->id),           ARG_TEXT(t->kind),
        ARG_TEXT(t->subject),    ARG_INT(t->parent),       ARG_INT(t->state),
        ARG_INT(t->attempts),    ARG_INT(t->max_attempts), ARG_INT(t->due_us),
        ARG_INT(t->deadline_us), ARG_TEXT(t->owner),       ARG_BYTES(t->payload),
        ARG_BYTES(t->result),    ARG_TEXT(t->error),       ARG_INT(t->created_us),
        ARG_INT(t->updated_us),
    };

    return tx_run(tx, SQL_TASK_INSERT, args, COUNTOF(args), NULL, f);
}

static void borrow(struct store_tx *tx, struct sql_cursor *q, struct task *out)
{
    *out = (struct task){
        .tenant = (uint64_t)tx_int(tx, q, 0),
        .id = tx_int(tx, q, 1),
        .kind = tx_borrow(tx, q, 2),
        .subject = tx_borrow(tx, q, 3),
        .parent = tx_int(tx, q, 4),
        .state = (enum task_state)tx_int(tx, q, 5),
        .attempts = tx_int(tx, q, 6),
        .max_attempts = tx_int(tx, q, 7),
        .due_us = tx_int(tx, q, 8),
        .deadline_us = tx_int(tx, q, 9),
        .owner = tx_borrow(tx, q, 10),
        .payload = tx_borrow(tx, q, 11),
        .result = tx_borrow(tx, q, 12),
        .error = tx_borrow(tx, q, 13),
        .created_us = tx_int(tx, q, 14),
        .updated_us = tx_int(tx, q, 15),
    };
}

static void keep(struct arena *a, struct task *t)
{
    t->kind = arena_str(a, t->kind);
    t->subject = arena_str(a, t->subject);
    t->owner = arena_str(a, t->owner);
    t->payload = arena_str(a, t->payload);
    t->result = arena_str(a, t->result);
    t->error = arena_str(a, t->error);
}

int store_task_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct task *out,
                   struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(id)};
    struct sql_cursor *q;

    if (tx_one(tx, SQL_TASK_GET, args, COUNTOF(args), &q, f) < 0)
        return -1;
    borrow(tx, q, out);
    keep(tx->arena, out);
    tx_finish(tx, q);
    return 0;
}

struct task_rows {
    bool (*wanted)(const struct task *t, const void *what);
    const void *what;
    size_t limit;
};

static int list(struct store_tx *tx, enum sql_id sql, const struct sql_value *args,
                size_t arg_count, const struct task_rows *want, struct task **out, size_t *count,
                struct fail *f)
{
    struct task *rows = NULL;
    struct sql_cursor *q;
    struct task t;
    size_t n = 0;
    size_t room = 0;
    int got = 1;

    if (tx_query(tx, sql, args, arg_count, &q, f) < 0)
        return -1;
    while (n < want->limit && (got = tx_step(tx, q, f)) > 0) {
        borrow(tx, q, &t);
        if (!want->wanted(&t, want->what))
            continue;
        keep(tx->arena, &t);
        rows = tx_grow(tx, rows, n, &room, sizeof(*rows));
        rows[n++] = t;
    }
    if (got < 0)
        return -1;
    if (got > 0)
        tx_finish(tx, q);
    *out = rows;
    *count = n;
    return 0;
}

static bool passes(const struct task *t, const void *what)
{
    const struct task_filter *w = what;

    return (!w->kind || str_eq(t->kind, *w->kind)) &&
           (!w->subject || str_eq(t->subject, *w->subject)) &&
           (!w->parent || t->parent == w->parent) && (!w->states || (w->states & (1u << t->state)));
}

int store_task_list(struct store_tx *tx, uint64_t tenant, const struct task_filter *filter,
                    struct task **out, size_t *count, struct fail *f)
{
    const struct sql_value by_subject[] = {ARG_INT(tenant),
                                           ARG_TEXT(filter->subject ? *filter->subject : STR("")),
                                           ARG_INT(filter->after_id)};
    const struct sql_value all[] = {ARG_INT(tenant), ARG_INT(filter->after_id)};
    const struct task_rows want = {passes, filter, filter->limit ? filter->limit : 1000};

    if (filter->subject)
        return list(tx, SQL_TASK_LIST_SUBJECT, by_subject, COUNTOF(by_subject), &want, out, count,
                    f);
    return list(tx, SQL_TASK_LIST, all, COUNTOF(all), &want, out, count, f);
}

struct kinds {
    const struct str *at;
    size_t count;
};

static bool is_of_kind(const struct task *t, const void *what)
{
    const struct kinds *k = what;

    for (size_t i = 0; i < k->count; i++) {
        if (str_eq(t->kind, k->at[i]))
            return true;
    }
    return false;
}

int store_task_due(struct store_tx *tx, int64_t now_us, const struct str *kinds, size_t kind_count,
                   size_t limit, struct task **out, size_t *count, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(now_us)};
    const struct kinds k = {kinds, kind_count};
    const struct task_rows want = {is_of_kind, &k, limit};

    return list(tx, SQL_TASK_DUE, args, COUNTOF(args), &want, out, count, f);
}

static bool any(const struct task *t, const void *what)
{
    (void)t;
    (void)what;
    return true;
}

int store_task_late(struct store_tx *tx, int64_t now_us, size_t limit, struct task **out,
                    size_t *count, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(now_us), ARG_INT(limit)};
    const struct task_rows want = {any, NULL, limit};

    return list(tx, SQL_TASK_LATE, args, COUNTOF(args), &want, out, count, f);
}

int store_task_update(struct store_tx *tx, const struct task *t, const struct task *was,
                      struct fail *f)
{
    const struct sql_value args[] = {
        ARG_INT(t->state),    ARG_INT(t->attempts), ARG_INT(t->due_us),     ARG_TEXT(t->owner),
        ARG_BYTES(t->result), ARG_TEXT(t->error),   ARG_INT(t->updated_us), ARG_INT(t->tenant),
        ARG_INT(t->id),       ARG_INT(was->state),  ARG_INT(was->attempts), ARG_TEXT(was->owner),
    };
    int64_t changed;

    if (tx_run(tx, SQL_TASK_UPDATE, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    return changed ? 0 : fail_set(f, CODE_ABORTED, "the task was changed meanwhile");
}

/* A query without a row for "none" would need two statements; MIN gives NULL, which reads as 0. */
int store_task_next_due(struct store_tx *tx, int64_t *wall_us, struct fail *f)
{
    struct sql_cursor *q;

    if (tx_one(tx, SQL_TASK_NEXT_DUE, NULL, 0, &q, f) < 0)
        return -1;

    int64_t due = tx_int(tx, q, 0);
    int64_t deadline = tx_int(tx, q, 1);

    tx_finish(tx, q);
    due = due > 0 ? due : INT64_MAX;
    deadline = deadline > 0 ? deadline : INT64_MAX;
    *wall_us = MIN(due, deadline);
    return 0;
}

int store_task_count_open(struct store_tx *tx, struct str kind, int64_t *count, struct fail *f)
{
    const struct sql_value args[] = {ARG_TEXT(kind)};
    struct sql_cursor *q;

    if (tx_one(tx, SQL_TASK_COUNT_OPEN, args, COUNTOF(args), &q, f) < 0)
        return -1;
    *count = tx_int(tx, q, 0);
    tx_finish(tx, q);
    return 0;
}

int store_task_prune(struct store_tx *tx, int64_t before_us, size_t limit, size_t *gone,
                     struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(before_us), ARG_INT(limit)};
    int64_t changed;

    if (tx_run(tx, SQL_TASK_PRUNE, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    *gone = (size_t)changed;
    return 0;
}
