/* SPDX-License-Identifier: Apache-2.0 */
/* A thread a sink: read, deliver until it is taken, remember how far, again. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/random.h"
#include "base/slot.h"
#include "sink/sink.h"

#define FOR_EVER     INT64_MAX
#define INTERRUPT_US 20000
#define FIRST_CHUNK  ((size_t)256 << 10)

struct sink {
    struct sinks *all;
    char name[SINK_NAME_MAX + 1];
    const struct sink_kind *kind;
    void *state;
    struct spool_cursor *cursor;
    struct waiter *pause; /* between two attempts */
    pthread_t thread;
    bool started;
    int64_t oldest_us;  /* guarded by the lock of all, as the two below; see struct sink_status */
    int64_t failing_us; /* monotonic, since when; 0: it goes well */
    char error[256];
    struct metric_counter *delivered;
    struct metric_counter *refused;
    struct metric_counter *failures;
};

struct sinks {
    struct sinks_options o;
    struct arena *arena;
    struct sink *items;
    size_t count;
    struct slot stopping;  /* set once */
    struct waiter *ending; /* woken by each thread that ends */
    pthread_mutex_t lock;  /* guards what follows, and how each sink stands */
    size_t running;
};

static bool is_stopping(struct sinks *all)
{
    return slot_get(&all->stopping) != NULL;
}

/* --- how it stands --- */

static void note_oldest(struct sink *s, int64_t received_us)
{
    pthread_mutex_lock(&s->all->lock);
    s->oldest_us = received_us;
    pthread_mutex_unlock(&s->all->lock);
}

static void note_success(struct sink *s)
{
    pthread_mutex_lock(&s->all->lock);
    s->failing_us = 0;
    pthread_mutex_unlock(&s->all->lock);
}

static void note_failure(struct sink *s, const struct fail *f)
{
    int64_t now = clock_mono_us(s->all->o.clock);

    pthread_mutex_lock(&s->all->lock);
    if (s->failing_us == 0)
        s->failing_us = MAX(now, 1);
    snprintf(s->error, sizeof(s->error), "%s", f->message);
    pthread_mutex_unlock(&s->all->lock);
}

bool sinks_status(struct sinks *all, size_t i, struct sink_status *out)
{
    if (i >= all->count)
        return false;

    struct sink *s = &all->items[i];
    int64_t now = clock_mono_us(all->o.clock);

    *out = (struct sink_status){.name = s->name, .waiting = spool_cursor_waiting(s->cursor)};
    pthread_mutex_lock(&all->lock);
    out->oldest_us = s->oldest_us;
    if (s->failing_us > 0) {
        out->failing_us = MAX(now - s->failing_us, 1);
        memcpy(out->error, s->error, sizeof(out->error));
    }
    pthread_mutex_unlock(&all->lock);
    return true;
}

/* --- delivering --- */

/* Half of it and a random part of the other half, so that sinks of one target do not march in step.
 */
static int64_t jittered(int64_t pause_us)
{
    return pause_us / 2 + (int64_t)(random_u64() % (uint64_t)(pause_us / 2 + 1));
}

/* What the target asks for counts as far as the longest pause. */
static void rest(struct sink *s, int64_t *pause_us, const struct fail *f)
{
    const struct sinks_options *o = &s->all->o;
    int64_t asked_us = MIN((int64_t)f->retry_after_ms * 1000, o->retry_max_us);

    counter_add(s->failures, 1);
    note_failure(s, f);
    log_warn(o->host.log, "a sink could not deliver; it will try again", KV_STR("sink", s->name),
             KV_STR("error", f->message), KV_STR("detail", f->detail),
             KV_INT("pause_ms", *pause_us / 1000));
    log_flush(o->host.log->out);
    IGNORE(waiter_wait(s->pause, clock_mono_us(o->clock) + MAX(jittered(*pause_us), asked_us)));
    *pause_us = *pause_us > o->retry_max_us / 2 ? o->retry_max_us : *pause_us * 2;
}

/* False: we stop before all of it was taken. */
static bool deliver(struct sink *s, const struct spool_record *records, size_t count,
                    struct arena *scratch)
{
    int64_t pause_us = s->all->o.retry_us;

    while (count > 0) {
        struct fail f = {0};
        size_t taken = 0, refused = 0;

        if (is_stopping(s->all))
            return false;
        note_oldest(s, records->received_us);

        int rc = s->kind->deliver(s->state, records, count, scratch, &taken, &refused, &f);

        assert(taken <= count && refused <= taken && (rc < 0 || taken == count));
        counter_add(s->delivered, taken - refused);
        counter_add(s->refused, refused);
        records += taken;
        count -= taken;
        if (taken > 0) {
            pause_us = s->all->o.retry_us;
            note_success(s);
        }
        if (rc < 0 && !is_stopping(s->all))
            rest(s, &pause_us, &f);
        arena_reset(scratch);
    }
    return true;
}

static void commit(struct sink *s)
{
    struct fail f = {0};
    int64_t pause_us = s->all->o.retry_us;

    while (spool_commit(s->cursor, &f) < 0 && !is_stopping(s->all))
        rest(s, &pause_us, &f);
    note_success(s);
}

/* What is unreadable was passed over and counts as read. */
static void read_and_deliver(struct sink *s, struct arena *a, struct arena *scratch)
{
    int64_t pause_us = s->all->o.retry_max_us;
    struct spool_record *records = NULL;
    size_t count = 0;
    struct fail f = {0};

    if (spool_read(s->cursor, a, s->all->o.batch_bytes, &records, &count, &f) < 0) {
        if (f.code != CODE_DATA_LOSS) {
            rest(s, &pause_us, &f);
            return;
        }
        log_error(s->all->o.host.log, "part of the spool cannot be read", KV_STR("sink", s->name),
                  KV_STR("error", f.message), KV_STR("detail", f.detail));
        commit(s);
    } else if (count == 0) {
        note_oldest(s, 0);
        spool_wait(s->cursor, FOR_EVER);
    } else if (deliver(s, records, count, scratch)) {
        commit(s);
    }
}

static void *run(void *arg)
{
    struct sink *s = arg;
    struct sinks *all = s->all;
    struct arena *a = arena_new(FIRST_CHUNK);
    struct arena *scratch = arena_new(FIRST_CHUNK);

    while (!is_stopping(all)) {
        read_and_deliver(s, a, scratch);
        arena_reset(a);
        log_flush(all->o.host.log->out);
    }
    arena_free(&scratch);
    arena_free(&a);
    pthread_mutex_lock(&all->lock);
    all->running--;
    pthread_mutex_unlock(&all->lock);
    waiter_wake(all->ending);
    return NULL;
}

/* --- start and stop --- */

static int sink_open(struct sinks *all, struct sink *s, const struct sink_spec *spec,
                     struct fail *f)
{
    struct str labels = arena_printf(all->arena, "sink=\"%.*s\"", STR_ARG(spec->name));
    const char *label = arena_cstr(all->arena, labels);
    struct metrics *m = all->o.metrics;

    s->all = all;
    s->kind = spec->kind;
    memcpy(s->name, spec->name.p, spec->name.len);
    s->pause = waiter_new(all->o.clock);
    s->delivered =
        metrics_counter(m, "muster_sink_records_total", "Records that a sink delivered.", label);
    s->refused = metrics_counter(m, "muster_sink_refused_total",
                                 "Records that a sink's target did not want.", label);
    s->failures = metrics_counter(m, "muster_sink_failures_total",
                                  "Deliveries that had to be tried again.", label);
    if (spec->kind->open(&all->o.host, spec->target, &s->state, f) < 0)
        return -1;
    return spool_cursor_open(all->o.spool, s->name, &s->cursor, f);
}

static int sinks_open(struct sinks *all, struct fail *f)
{
    const struct sinks_options *o = &all->o;
    const char **names = arena_new_array(all->arena, const char *, o->count + 1);

    for (size_t i = 0; i < o->count; i++) {
        for (size_t j = 0; j < i; j++)
            if (str_eq(o->specs[i].name, o->specs[j].name))
                return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_sink",
                                   "two sinks are called \"%.*s\"", STR_ARG(o->specs[i].name));
        all->count = i + 1;
        if (sink_open(all, &all->items[i], &o->specs[i], f) < 0)
            return -1;
        names[i] = all->items[i].name;
    }
    return spool_forget_others(o->spool, names, o->count, f);
}

static int sinks_run(struct sinks *all, struct fail *f)
{
    for (size_t i = 0; i < all->count; i++) {
        struct sink *s = &all->items[i];

        pthread_mutex_lock(&all->lock);
        all->running++;
        pthread_mutex_unlock(&all->lock);

        int error = pthread_create(&s->thread, NULL, run, s);

        if (error) {
            pthread_mutex_lock(&all->lock);
            all->running--;
            pthread_mutex_unlock(&all->lock);
            IGNORE(fail_set(f, CODE_RESOURCE_EXHAUSTED, "no thread for the sink \"%s\"", s->name));
            return fail_detail(f, "pthread_create: %s", strerrordesc_np(error));
        }
        s->started = true;
    }
    return 0;
}

int sinks_start(const struct sinks_options *o, struct sinks **out, struct fail *f)
{
    struct sinks *all = heap_new_type(struct sinks);

    all->o = *o;
    all->arena = arena_new(4096);
    all->items = heap_new_array(struct sink, o->count + 1);
    all->ending = waiter_new(o->clock);
    pthread_mutex_init(&all->lock, NULL);
    if (sinks_open(all, f) < 0 || sinks_run(all, f) < 0) {
        sinks_stop(&all, 0);
        return -1;
    }
    *out = all;
    return 0;
}

static bool all_ended(struct sinks *all)
{
    pthread_mutex_lock(&all->lock);

    bool ended = all->running == 0;

    pthread_mutex_unlock(&all->lock);
    return ended;
}

static void wake_all(struct sinks *all)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].pause)
            waiter_wake(all->items[i].pause);
    spool_wake(all->o.spool);
}

static void interrupt_all(struct sinks *all)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].started && all->items[i].kind->interrupt)
            all->items[i].kind->interrupt(all->items[i].state);
}

static void sink_close(struct sink *s)
{
    if (s->started)
        pthread_join(s->thread, NULL);
    if (s->cursor)
        spool_cursor_close(&s->cursor);
    if (s->state)
        s->kind->close(s->state);
    waiter_free(&s->pause);
}

void sinks_stop(struct sinks **s, int64_t until_us)
{
    struct sinks *all = *s;

    if (!all)
        return;
    slot_set(&all->stopping, all);
    wake_all(all);
    while (!all_ended(all)) {
        if (waiter_wait(all->ending, until_us))
            continue;
        /* Again and again: a thread may have been about to begin a delivery. */
        interrupt_all(all);
        until_us = clock_mono_us(all->o.clock) + INTERRUPT_US;
    }
    for (size_t i = 0; i < all->count; i++)
        sink_close(&all->items[i]);
    waiter_free(&all->ending);
    pthread_mutex_destroy(&all->lock);
    arena_free(&all->arena);
    free(all->items);
    free(all);
    *s = NULL;
}
