/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions as the domain holds them: read snapshots from the pool of readers, commit hooks, and
 * the running of statements for the row files. */
#include <assert.h>

#include "base/heap.h"
#include "store/store_internal.h"

/* A connection of the pool, opened when all others are out and the pool may grow. */
static int take_reader(struct store *s, struct sql_conn **out, struct fail *f)
{
    pthread_mutex_lock(&s->readers_lock);
    while (s->idle_count == 0 && s->open_count >= s->o.readers)
        pthread_cond_wait(&s->reader_back, &s->readers_lock);
    if (s->idle_count > 0) {
        *out = s->idle[--s->idle_count];
        pthread_mutex_unlock(&s->readers_lock);
        return 0;
    }
    s->open_count++;
    pthread_mutex_unlock(&s->readers_lock);

    struct sql_open o = {.data_dir = s->data_dir, .newest_schema = store_schema_version()};

    if (s->driver->open_reader(s->driver, &o, out, f) == 0)
        return 0;
    pthread_mutex_lock(&s->readers_lock);
    s->open_count--;
    pthread_cond_signal(&s->reader_back);
    pthread_mutex_unlock(&s->readers_lock);
    return -1;
}

static void give_reader(struct store *s, struct sql_conn *c)
{
    pthread_mutex_lock(&s->readers_lock);
    s->idle[s->idle_count++] = c;
    pthread_cond_signal(&s->reader_back);
    pthread_mutex_unlock(&s->readers_lock);
}

int store_read_open(struct store *s, struct arena *a, struct store_tx **out, struct fail *f)
{
    struct sql_conn *c;

    if (take_reader(s, &c, f) < 0)
        return -1;
    if (s->driver->begin_read(c) < 0) {
        IGNORE(sql_fail(c, f));
        give_reader(s, c);
        return -1;
    }

    struct store_tx *tx = arena_new_type(a, struct store_tx);

    tx->store = s;
    tx->conn = c;
    tx->arena = a;
    tx->now_us = clock_wall_us(s->o.clock);
    *out = tx;
    return 0;
}

void store_read_close(struct store_tx **tx)
{
    if (!*tx)
        return;

    struct store *s = (*tx)->store;

    assert(!(*tx)->writes);
    s->driver->rollback((*tx)->conn);
    give_reader(s, (*tx)->conn);
    *tx = NULL;
}

void store_on_commit(struct store_tx *tx, void (*fn)(void *arg), void *arg)
{
    struct hook *h = arena_new_type(tx->arena, struct hook);

    assert(tx->writes);
    h->fn = fn;
    h->arg = arg;
    if (tx->last_hook)
        tx->last_hook->next = h;
    else
        tx->hooks = h;
    tx->last_hook = h;
}

void *store_last_on_commit(const struct store_tx *tx, void (*fn)(void *arg))
{
    return tx->last_hook && tx->last_hook->fn == fn ? tx->last_hook->arg : NULL;
}

static void each_hook(const struct hook *h, void (*hook)(void *arg),
                      void (*fn)(void *arg, const void *hook_arg), void *arg)
{
    for (; h; h = h->next) {
        if (h->fn == hook)
            fn(arg, h->arg);
    }
}

void store_each_on_commit(const struct store_tx *tx, void (*hook)(void *arg),
                          void (*fn)(void *arg, const void *hook_arg), void *arg)
{
    for (size_t i = 0; i < tx->jobs_done; i++)
        each_hook(tx->store->slots[i].hooks, hook, fn, arg);
    each_hook(tx->hooks, hook, fn, arg);
}

struct arena *store_tx_arena(struct store_tx *tx)
{
    return tx->arena;
}

int64_t store_tx_now(const struct store_tx *tx)
{
    return tx->now_us;
}

int64_t store_next_id(struct store_tx *tx)
{
    assert(tx->writes);
    tx->store->counters_dirty = true;
    return ++tx->store->last_id;
}

int tx_fail(struct store_tx *tx, struct fail *f)
{
    if (tx->conn->error > tx->worst)
        tx->worst = tx->conn->error;
    return sql_fail(tx->conn, f);
}

int tx_query(struct store_tx *tx, enum sql_id sql, const struct sql_value *args, size_t count,
             struct sql_cursor **out, struct fail *f)
{
    if (tx->store->driver->query(tx->conn, sql, args, count, out) < 0)
        return tx_fail(tx, f);
    return 0;
}

int tx_step(struct store_tx *tx, struct sql_cursor *q, struct fail *f)
{
    enum sql_step step = tx->store->driver->step(q);

    if (step == SQL_ROW)
        return 1;
    if (step == SQL_ERROR)
        IGNORE(tx_fail(tx, f));
    tx->store->driver->finish(q);
    return step == SQL_DONE ? 0 : -1;
}

void tx_finish(struct store_tx *tx, struct sql_cursor *q)
{
    tx->store->driver->finish(q);
}

int tx_run(struct store_tx *tx, enum sql_id sql, const struct sql_value *args, size_t count,
           int64_t *changed, struct fail *f)
{
    struct sql_cursor *q;
    int got;

    assert(tx->writes);
    if (tx_query(tx, sql, args, count, &q, f) < 0)
        return -1;
    do {
        got = tx_step(tx, q, f);
    } while (got > 0);
    if (got < 0)
        return -1;
    if (changed)
        *changed = tx->store->driver->changes(tx->conn);
    return 0;
}

int tx_one(struct store_tx *tx, enum sql_id sql, const struct sql_value *args, size_t count,
           struct sql_cursor **out, struct fail *f)
{
    struct sql_cursor *q;

    if (tx_query(tx, sql, args, count, &q, f) < 0)
        return -1;

    int got = tx_step(tx, q, f);

    if (got < 0)
        return -1;
    if (got == 0)
        return fail_set(f, CODE_NOT_FOUND, "there is no such row");
    *out = q;
    return 0;
}

struct str tx_text(struct store_tx *tx, struct sql_cursor *q, unsigned column)
{
    return arena_str(tx->arena, tx_borrow(tx, q, column));
}

/* Doubles the array; what was copied stays in the arena until it goes. */
void *tx_grow(struct store_tx *tx, void *rows, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return rows;

    size_t more = *room ? *room * 2 : TX_LIST_START;
    void *bigger = arena_calloc(tx->arena, more, size);

    if (count > 0)
        memcpy(bigger, rows, count * size);
    *room = more;
    return bigger;
}
