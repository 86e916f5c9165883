/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing a store: lock, file, schema, lane, readers. Start-up thread; health from any
 * thread. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/heap.h"
#include "store/store_internal.h"

static const double batch_bounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000};

static void make_metrics(struct store *s)
{
    struct metrics *m = s->o.metrics;

    if (!m)
        m = s->m.own = metrics_new();
    s->m.commit = metrics_histogram(m, "muster_store_commit_seconds",
                                    "Time a commit took, with its sync to disk.", "", NULL, 0);
    s->m.batch = metrics_histogram(m, "muster_store_batch_jobs", "Jobs in one transaction.", "",
                                   batch_bounds, COUNTOF(batch_bounds));
    s->m.wait = metrics_histogram(m, "muster_store_queue_wait_seconds",
                                  "Time a job waited for the write lane.", "", NULL, 0);
    s->m.checkpoint = metrics_histogram(m, "muster_store_checkpoint_seconds",
                                        "Time a checkpoint took.", "", NULL, 0);
    s->m.done =
        metrics_counter(m, "muster_store_jobs_total", "Write jobs by outcome.", "result=\"done\"");
    s->m.refused = metrics_counter(m, "muster_store_jobs_total", "", "result=\"refused\"");
    s->m.lost = metrics_counter(m, "muster_store_jobs_total", "", "result=\"lost\"");
    s->m.pages = metrics_gauge(m, "muster_store_log_pages",
                               "Log pages not yet folded into the data file.", "");
    s->m.bytes =
        metrics_gauge(m, "muster_store_size_bytes", "Size of the data file and its log.", "");
    s->m.state = metrics_gauge(m, "muster_store_state",
                               "0: writes; 1: cannot write at present; 2: failed.", "");
    s->m.queued = metrics_gauge(m, "muster_store_queue_jobs", "Jobs that wait for the lane.", "");
}

int store_schema_version(void)
{
    return (int)migration_count;
}

static int migrate_step(struct store *s, int version, struct fail *f)
{
    const struct sql_driver *d = s->driver;

    if (d->begin(s->lane) < 0)
        return sql_fail(s->lane, f);
    if (d->execute(s->lane, migrations[version].script) == 0 &&
        d->set_schema_version(s->lane, version + 1) == 0 && d->commit(s->lane) == 0)
        return 0;
    d->rollback(s->lane);
    return sql_fail(s->lane, f);
}

static int migrate(struct store *s, struct fail *f)
{
    int version;

    if (s->driver->schema_version(s->lane, &version) < 0)
        return sql_fail(s->lane, f);
    assert(version <= store_schema_version());
    for (; version < store_schema_version(); version++) {
        if (migrate_step(s, version, f) < 0)
            return fail_detail(f, "step %d (%s): %s", version + 1, migrations[version].name,
                               s->lane->message);
        if (s->o.log)
            log_info(s->o.log, "schema migrated", KV_INT("version", version + 1),
                     KV_STR("step", migrations[version].name));
    }
    return 0;
}

static void set_defaults(struct store *s, const struct store_options *o)
{
    s->o = *o;
    s->driver = o->driver ? o->driver : &sqlite_driver;
    s->data_dir = heap_cstr(str_of(o->data_dir));
    s->o.data_dir = s->data_dir;
    s->o.queue_limit = o->queue_limit ? o->queue_limit : 10000;
    s->o.batch_limit = o->batch_limit ? o->batch_limit : 1000;
    s->o.readers = o->readers ? o->readers : 8;
    s->o.checkpoint_pages = o->checkpoint_pages ? o->checkpoint_pages : 4000;
    s->o.truncate_pages = o->truncate_pages ? o->truncate_pages : 32000;
    s->next_checkpoint = s->o.checkpoint_pages;
    s->slots = heap_new_array(struct lane_slot, s->o.batch_limit);
    s->idle = heap_new_array(struct sql_conn *, s->o.readers);
    s->since_us = clock_wall_us(o->clock);
    s->wake = waiter_new(o->clock);
    queue_init(&s->queue);
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->readers_lock, NULL);
    pthread_cond_init(&s->reader_back, NULL);
}

int store_open(const struct store_options *o, struct store **out, struct fail *f)
{
    struct store *s = heap_new_type(struct store);
    int error;

    set_defaults(s, o);
    make_metrics(s);

    struct sql_open open = {.data_dir = s->data_dir, .newest_schema = store_schema_version()};

    if (s->driver->lock(s->driver, s->data_dir, &s->dir_lock, f) < 0 ||
        s->driver->open_lane(s->driver, &open, &s->lane, f) < 0 || migrate(s, f) < 0 ||
        lane_load_counters(s, f) < 0) {
        store_close(&s);
        return -1;
    }
    gauge_set(s->m.bytes, s->driver->size_bytes(s->lane));
    error = pthread_create(&s->thread, NULL, lane_main, s);
    if (error) {
        IGNORE(fail_set(f, CODE_INTERNAL, "cannot start the write lane: errno %d", error));
        store_close(&s);
        return -1;
    }
    s->started = true;
    *out = s;
    return 0;
}

void store_close(struct store **store)
{
    struct store *s = *store;

    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_mutex_unlock(&s->lock);
    if (s->started) {
        waiter_wake(s->wake);
        pthread_join(s->thread, NULL);
    }

    assert(s->idle_count == s->open_count); /* every snapshot is closed */
    while (s->idle_count > 0)
        s->driver->close(&s->idle[--s->idle_count]);
    if (s->started && s->state != STORE_FAILED)
        IGNORE(s->driver->checkpoint(s->lane, true));
    s->driver->close(&s->lane);
    s->driver->unlock(s->driver, &s->dir_lock);
    waiter_free(&s->wake);
    metrics_free(&s->m.own);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->readers_lock);
    pthread_cond_destroy(&s->reader_back);
    free(s->slots);
    free(s->idle);
    free(s->data_dir);
    free(s);
    *store = NULL;
}

void store_health(struct store *s, struct store_health *out)
{
    pthread_mutex_lock(&s->lock);
    out->state = s->state;
    memcpy(out->message, s->message, sizeof(out->message));
    out->since_us = s->since_us;
    out->queued = s->queued;
    pthread_mutex_unlock(&s->lock);
    out->schema_version = store_schema_version();
}
