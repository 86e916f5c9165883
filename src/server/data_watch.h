/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator wants to be told of received data and upgrades before somebody complains: how
 * much waits and for how long, which sink fails and why, how many upgrades are open. As metrics,
 * read whenever they are shown, and as advice of /readyz. Made and freed by the main thread; probes
 * on loops, from memory. */
#ifndef SERVER_DATA_WATCH_H
#define SERVER_DATA_WATCH_H

#include "core/scheduler.h"
#include "core/spool.h"
#include "core/store.h"
#include "sink/sink.h"

struct data_watch;

struct data_watch_options {
    struct metrics *metrics;
    struct clock *clock;
    struct store *store;
    struct spool *spool;
    struct sinks *sinks;
};

/* Borrows all of them. Outlived by the registry's last rendering only. */
struct data_watch *data_watch_new(const struct data_watch_options *o) RETURNS_NONNULL;
void data_watch_free(struct data_watch **w);

/* Counts open upgrades now and then. Before scheduler_start(). */
void data_watch_register(struct data_watch *w, struct scheduler *s);

/* -1 says what is wrong: no room for received data, or hardly any; a sink that has failed for a
 * minute. */
int data_watch_spool(void *watch, struct fail *f);
int data_watch_sinks(void *watch, struct fail *f);

#endif
