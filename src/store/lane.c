/* SPDX-License-Identifier: Apache-2.0 */
/* The write lane: one thread that takes whatever jobs are waiting, runs each in a savepoint of one
 * transaction, commits, and tells them afterwards. While a commit waits for the disk, the next
 * batch gathers; so the more there is to do, the less each job pays for the sync. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/store_internal.h"

#define BUSY_TRIES 5
#define EXIT_IO    74 /* as sysexits.h names it */
#define PROBE_US   INT64_C(1000000)

static const double us_in_s = 1e6;

static void set_state(struct store *s, enum store_state state, const char *message)
{
    pthread_mutex_lock(&s->lock);

    bool changed = s->state != state;

    s->state = state;
    snprintf(s->message, sizeof(s->message), "%s", message);
    if (changed)
        s->since_us = clock_wall_us(s->o.clock);
    pthread_mutex_unlock(&s->lock);

    gauge_set(s->m.state, state);
    if (!changed || !s->o.log)
        return;
    if (state == STORE_OK)
        log_info(s->o.log, "store writes again", KV_STR("driver", s->driver->name));
    else
        log_error(s->o.log, "store cannot write", KV_STR("driver", s->driver->name),
                  KV_STR("why", message));
}

/* Nobody knows what is on the disk after a failed sync: asking again may say "fine" although pages
 * were dropped. So nothing is answered any more and the process ends; what was acknowledged is in
 * the log and comes back at the next start. */
static void fatal(struct store *s, const char *message)
{
    set_state(s, STORE_FAILED, message);
    if (s->o.fatal) {
        s->o.fatal(s->o.fatal_arg, message);
        return;
    }
    if (s->o.log)
        log_flush(s->o.log->out);
    _exit(EXIT_IO);
}

static bool ends_batch(enum sql_class c)
{
    return c == SQL_CLASS_BUSY || c == SQL_CLASS_FULL || c == SQL_CLASS_FATAL ||
           c == SQL_CLASS_CORRUPT;
}

static enum sql_class run_job(struct store *s, struct store_tx *tx, struct lane_slot *slot)
{
    struct store_job *job = slot->job;

    tx->arena = job->arena;
    tx->worst = SQL_CLASS_OK;
    tx->hooks = NULL;
    tx->last_hook = NULL;
    job->fail = (struct fail){0};
    job->started_us = clock_mono_us(s->o.clock);

    if (s->driver->savepoint(tx->conn) < 0)
        return tx->conn->error;
    job->result = job->run(tx, job, &job->fail);
    if (ends_batch(tx->worst))
        return tx->worst;
    slot->hooks = job->result == 0 ? tx->hooks : NULL;

    int r = job->result == 0 ? s->driver->release(tx->conn) : s->driver->rollback_to(tx->conn);

    /* A savepoint that cannot be left says that the transaction is not what we think it is. */
    if (r == 0)
        return SQL_CLASS_OK;
    return ends_batch(tx->conn->error) ? tx->conn->error : SQL_CLASS_BUSY;
}

static int put_counters(struct store_tx *tx, struct fail *f)
{
    struct store *s = tx->store;
    const struct sql_value id[] = {ARG_TEXT(STR("id")), ARG_INT(s->last_id)};
    const struct sql_value event[] = {ARG_TEXT(STR("event")), ARG_INT(s->last_event)};

    if (tx_run(tx, SQL_COUNTER_PUT, id, COUNTOF(id), NULL, f) < 0)
        return -1;
    return tx_run(tx, SQL_COUNTER_PUT, event, COUNTOF(event), NULL, f);
}

static int commit(struct store *s, struct store_tx *tx)
{
    struct fail f;

    if (s->counters_dirty && put_counters(tx, &f) < 0)
        return -1;

    int64_t start = clock_mono_us(s->o.clock);
    int r = s->driver->commit(tx->conn);

    histogram_observe(s->m.commit, (double)(clock_mono_us(s->o.clock) - start) / us_in_s);
    return r;
}

/* One attempt. Whatever is returned but OK: nothing of it is in the database. */
static enum sql_class try_batch(struct store *s, size_t count)
{
    struct store_tx tx = {
        .store = s,
        .conn = s->lane,
        .now_us = clock_wall_us(s->o.clock),
        .writes = true,
    };
    enum sql_class class = SQL_CLASS_OK;

    /* Jobs that change nothing commit on a full disk, too, and would pass for a recovery. */
    if (s->state != STORE_OK)
        s->counters_dirty = true;
    if (s->driver->begin(s->lane) < 0)
        return s->lane->error;
    for (; tx.jobs_done < count && class == SQL_CLASS_OK; tx.jobs_done++)
        class = run_job(s, &tx, &s->slots[tx.jobs_done]);
    if (class == SQL_CLASS_OK && commit(s, &tx) == 0) {
        s->counters_dirty = false;
        return SQL_CLASS_OK;
    }
    if (class == SQL_CLASS_OK)
        class = s->lane->error == SQL_CLASS_OK ? SQL_CLASS_OTHER : s->lane->error;
    s->driver->rollback(s->lane);
    return class;
}

/* From here on the job belongs to whoever submitted it. */
static void settle(struct store *s, size_t count, const struct fail *lost)
{
    for (size_t i = 0; i < count; i++) {
        struct store_job *job = s->slots[i].job;

        if (lost) {
            job->result = -1;
            job->fail = *lost;
        }
        counter_add(lost ? s->m.lost : job->result == 0 ? s->m.done : s->m.refused, 1);
        if (!lost)
            histogram_observe(s->m.wait, (double)(job->started_us - job->queued_us) / us_in_s);
        for (struct hook *h = job->result == 0 ? s->slots[i].hooks : NULL; h;) {
            struct hook *next = h->next;

            h->fn(h->arg);
            h = next;
        }
        job->done(job, job->result, &job->fail);
    }
}

static bool is_failed(struct store *s)
{
    pthread_mutex_lock(&s->lock);

    bool failed = s->state == STORE_FAILED;

    pthread_mutex_unlock(&s->lock);
    return failed;
}

static void run_batch(struct store *s, size_t count)
{
    enum sql_class class;
    struct fail lost = {0};

    if (is_failed(s)) {
        IGNORE(fail_reason(&lost, CODE_UNAVAILABLE, "store_failed", "the store takes no writes"));
        settle(s, count, &lost);
        return;
    }
    if (count > 0)
        histogram_observe(s->m.batch, (double)count);
    for (int tries = 1;; tries++) {
        class = try_batch(s, count);
        if (class != SQL_CLASS_BUSY || tries >= BUSY_TRIES)
            break;
    }
    if (class == SQL_CLASS_OK) {
        if (s->state != STORE_OK)
            set_state(s, STORE_OK, "");
        settle(s, count, NULL);
        return;
    }
    s->lane->error = class;
    IGNORE(sql_fail(s->lane, &lost));
    if (class == SQL_CLASS_FATAL)
        fatal(s, s->lane->message);
    else
        set_state(s, class == SQL_CLASS_CORRUPT ? STORE_FAILED : STORE_DEGRADED, s->lane->message);
    settle(s, count, &lost);
}

static void checkpoint(struct store *s)
{
    size_t pages = s->driver->log_pages(s->lane);

    gauge_set(s->m.pages, (int64_t)pages);
    if (pages < s->o.checkpoint_pages)
        s->next_checkpoint = s->o.checkpoint_pages;
    if (pages < s->next_checkpoint || is_failed(s))
        return;

    int64_t start = clock_mono_us(s->o.clock);
    int r = s->driver->checkpoint(s->lane, pages >= s->o.truncate_pages);

    histogram_observe(s->m.checkpoint, (double)(clock_mono_us(s->o.clock) - start) / us_in_s);
    gauge_set(s->m.bytes, s->driver->size_bytes(s->lane));

    /* A reader may hold pages back: then not with every batch again. */
    s->next_checkpoint = pages + s->o.checkpoint_pages;
    if (r == 0)
        return;
    if (s->lane->error == SQL_CLASS_FATAL)
        fatal(s, s->lane->message);
    else if (s->lane->error != SQL_CLASS_BUSY)
        set_state(s, s->lane->error == SQL_CLASS_CORRUPT ? STORE_FAILED : STORE_DEGRADED,
                  s->lane->message);
}

/* Moves jobs from the list to the slots; returns how many there are now. */
static size_t fill(struct store *s, struct queue_node **list, size_t count)
{
    while (*list && count < s->o.batch_limit) {
        struct queue_node *n = *list;

        *list = n->next;
        s->slots[count++] = (struct lane_slot){.job = CONTAINER_OF(n, struct store_job, node)};
    }
    return count;
}

static size_t linger(struct store *s, struct queue_node **list, size_t count)
{
    int64_t until = clock_mono_us(s->o.clock) + s->o.linger_us;

    while (count < s->o.batch_limit && waiter_wait(s->wake, until)) {
        *list = queue_take(&s->queue);
        count = fill(s, list, count);
    }
    return count;
}

static bool is_over(struct store *s)
{
    pthread_mutex_lock(&s->lock);

    bool over = s->closing && s->queued == 0;

    pthread_mutex_unlock(&s->lock);
    return over;
}

/* For the next job. While nothing can be written, tries by itself now and then: whoever goes by our
 * health may send no job until it is good again. */
static void wait_for_jobs(struct store *s)
{
    if (s->state != STORE_DEGRADED)
        IGNORE(waiter_wait(s->wake, INT64_MAX));
    else if (!waiter_wait(s->wake, clock_mono_us(s->o.clock) + PROBE_US))
        run_batch(s, 0);
}

void *lane_main(void *store)
{
    struct store *s = store;
    struct queue_node *list = NULL;

    while (true) {
        if (!list)
            list = queue_take(&s->queue);
        if (!list) {
            if (is_over(s))
                break;
            wait_for_jobs(s);
            continue;
        }

        size_t count = fill(s, &list, 0);

        if (!list && s->o.linger_us > 0)
            count = linger(s, &list, count);

        pthread_mutex_lock(&s->lock);
        s->queued -= count;
        gauge_set(s->m.queued, (int64_t)s->queued);
        pthread_mutex_unlock(&s->lock);

        run_batch(s, count);
        checkpoint(s);
    }
    return NULL;
}

static int load_counter(struct store_tx *tx, struct str name, int64_t *out, struct fail *f)
{
    const struct sql_value args[] = {ARG_TEXT(name)};
    struct sql_cursor *q;

    *out = 0;
    if (tx_one(tx, SQL_COUNTER_GET, args, COUNTOF(args), &q, f) < 0)
        return f->code == CODE_NOT_FOUND ? 0 : -1;
    *out = tx_int(tx, q, 0);
    tx_finish(tx, q);
    return 0;
}

int lane_load_counters(struct store *s, struct fail *f)
{
    struct store_tx tx = {.store = s, .conn = s->lane};

    if (load_counter(&tx, STR("id"), &s->last_id, f) < 0)
        return -1;
    return load_counter(&tx, STR("event"), &s->last_event, f);
}

int store_submit(struct store *s, struct store_job *job, struct fail *f)
{
    enum {
        TAKEN,
        FULL,
        CLOSING,
        FAILED
    } verdict = TAKEN;

    assert(job->arena && job->run && job->done);
    job->queued_us = clock_mono_us(s->o.clock);
    pthread_mutex_lock(&s->lock);
    if (s->closing)
        verdict = CLOSING;
    else if (s->state == STORE_FAILED)
        verdict = FAILED;
    else if (s->queued >= s->o.queue_limit)
        verdict = FULL;
    else
        s->queued++;
    pthread_mutex_unlock(&s->lock);

    switch (verdict) {
    case TAKEN:
        if (queue_push(&s->queue, &job->node))
            waiter_wake(s->wake);
        return 0;
    case FULL:
        IGNORE(fail_reason(f, CODE_UNAVAILABLE, "queue_full", "too many changes are waiting"));
        f->retry_after_ms = 1000;
        return -1;
    case CLOSING: return fail_reason(f, CODE_UNAVAILABLE, "closing", "the server is going down");
    case FAILED: break;
    }
    return fail_reason(f, CODE_UNAVAILABLE, "store_failed", "the store takes no writes");
}

struct waiting_job {
    struct store_job job;
    int (*run)(struct store_tx *tx, void *arg, struct fail *f);
    void *arg;
    pthread_mutex_t lock; /* guards over */
    pthread_cond_t cond;
    bool over;
};

static int run_waiting(struct store_tx *tx, struct store_job *job, struct fail *f)
{
    struct waiting_job *w = CONTAINER_OF(job, struct waiting_job, job);

    return w->run(tx, w->arg, f);
}

static void done_waiting(struct store_job *job, int result, const struct fail *f)
{
    struct waiting_job *w = CONTAINER_OF(job, struct waiting_job, job);

    (void)result;
    (void)f;
    pthread_mutex_lock(&w->lock);
    w->over = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

int store_write(struct store *s, struct arena *a,
                int (*run)(struct store_tx *tx, void *arg, struct fail *f), void *arg,
                struct fail *f)
{
    struct waiting_job w = {
        .job = {.run = run_waiting, .done = done_waiting, .arena = a},
        .run = run,
        .arg = arg,
    };

    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.cond, NULL);

    int r = store_submit(s, &w.job, f);

    if (r == 0) {
        pthread_mutex_lock(&w.lock);
        while (!w.over)
            pthread_cond_wait(&w.cond, &w.lock);
        pthread_mutex_unlock(&w.lock);
        r = w.job.result;
        if (r < 0)
            *f = w.job.fail;
    }
    pthread_cond_destroy(&w.cond);
    pthread_mutex_destroy(&w.lock);
    return r;
}
