/* SPDX-License-Identifier: Apache-2.0 */
/* See data_watch.h. */
#include "server/data_watch.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"
#include "core/upgrade.h"

#define COUNT_PERIOD_US INT64_C(15000000)
#define FAILING_US      INT64_C(60000000)
#define SECOND_US       INT64_C(1000000)
#define NEARLY_FULL     90 /* percent */

struct sink_series {
    struct metric_gauge *waiting;
    struct metric_gauge *oldest;
    struct metric_gauge *failing;
};

struct data_watch {
    struct data_watch_options o;
    struct sink_series *sinks;
    struct metric_gauge *upgrades;
};

/* --- metrics --- */

static int64_t age_s(const struct data_watch *w, int64_t wall_us)
{
    return wall_us > 0 ? MAX(clock_wall_us(w->o.clock) - wall_us, 0) / SECOND_US : 0;
}

static void on_render(void *arg)
{
    struct data_watch *w = arg;
    struct sink_status st;

    for (size_t i = 0; sinks_status(w->o.sinks, i, &st); i++) {
        gauge_set(w->sinks[i].waiting, (int64_t)st.waiting);
        gauge_set(w->sinks[i].oldest, age_s(w, st.oldest_us));
        gauge_set(w->sinks[i].failing, st.failing_us / SECOND_US);
    }
}

static void make_sink_series(struct data_watch *w)
{
    struct metrics *m = w->o.metrics;
    struct sink_status st;
    char label[SINK_NAME_MAX + 16];
    size_t count = 0;

    while (sinks_status(w->o.sinks, count, &st))
        count++;
    w->sinks = heap_new_array(struct sink_series, count + 1);
    for (size_t i = 0; sinks_status(w->o.sinks, i, &st); i++) {
        snprintf(label, sizeof(label), "sink=\"%s\"", st.name);
        w->sinks[i] = (struct sink_series){
            .waiting = metrics_gauge(m, "muster_sink_waiting_records",
                                     "Records that a sink has yet to deliver.", label),
            .oldest =
                metrics_gauge(m, "muster_sink_oldest_seconds",
                              "Age of the oldest record that a sink has yet to deliver.", label),
            .failing = metrics_gauge(m, "muster_sink_failing_seconds",
                                     "For how long a sink's deliveries have failed; 0: they do "
                                     "not.",
                                     label),
        };
    }
}

static int count_upgrades(void *arg, struct fail *f)
{
    struct data_watch *w = arg;
    struct arena *a = arena_new(1024);
    struct store_tx *tx = NULL;
    int64_t count = 0;
    int result = store_read_open(w->o.store, a, &tx, f);

    if (result == 0) {
        result = store_task_count_open(tx, STR(UPGRADE_TASK), &count, f);
        store_read_close(&tx);
    }
    if (result == 0)
        gauge_set(w->upgrades, count);
    arena_free(&a);
    return result;
}

void data_watch_register(struct data_watch *w, struct scheduler *s)
{
    scheduler_every(s, "upgrades.count", COUNT_PERIOD_US, count_upgrades, w);
}

/* --- advice --- */

int data_watch_spool(void *watch, struct fail *f)
{
    const struct data_watch *w = watch;
    struct spool_stats st;

    spool_stats(w->o.spool, &st);
    if (st.disk_full)
        return fail_set(f, CODE_UNAVAILABLE, "the disk has no room for received data");
    if (st.bytes / NEARLY_FULL < st.total_bytes / 100)
        return 0;
    return fail_set(f, CODE_UNAVAILABLE,
                    "received data takes up %lld of the %lld bytes that it may (spool.total_bytes)",
                    (long long)st.bytes, (long long)st.total_bytes);
}

int data_watch_sinks(void *watch, struct fail *f)
{
    const struct data_watch *w = watch;
    struct sink_status st;

    for (size_t i = 0; sinks_status(w->o.sinks, i, &st); i++) {
        if (st.failing_us < FAILING_US)
            continue;
        return fail_set(f, CODE_UNAVAILABLE, "%s has failed for %lld s, and %llu records wait: %s",
                        st.name, (long long)(st.failing_us / SECOND_US),
                        (unsigned long long)st.waiting, st.error);
    }
    return 0;
}

/* --- life --- */

struct data_watch *data_watch_new(const struct data_watch_options *o)
{
    struct data_watch *w = heap_new_type(struct data_watch);
    struct spool_stats st;
    struct fail ignored = {0};

    w->o = *o;
    spool_stats(o->spool, &st);
    gauge_set(metrics_gauge(o->metrics, "muster_spool_limit_bytes",
                            "What received data may take up in all (spool.total_bytes).", ""),
              st.total_bytes);
    w->upgrades = metrics_gauge(o->metrics, "muster_upgrades_open",
                                "Upgrades of collectors that are not over.", "");
    make_sink_series(w);
    IGNORE(count_upgrades(w, &ignored)); /* it comes again */
    metrics_on_render(o->metrics, on_render, w);
    return w;
}

void data_watch_free(struct data_watch **w)
{
    if (!*w)
        return;
    free((*w)->sinks);
    free(*w);
    *w = NULL;
}
