/* SPDX-License-Identifier: Apache-2.0 */
/* Where received data goes: each configured sink is a thread with a cursor in the spool, which it
 * moves only after its target has taken the records. At least once, in the spool's order. A kind of
 * sink is a table of functions: a file, an HTTP endpoint; others come later. */
#ifndef SINK_SINK_H
#define SINK_SINK_H

#include "core/spool.h"

struct http_client;

struct sink_kind {
    const char *scheme; /* "file", "http", "https" */

    /* -1 says what is wrong with the target. */
    int (*open)(const struct sink_kind *kind, struct str target, void *host, void **state,
                struct fail *f);

    /* All of them, or -1 and they come again: UNAVAILABLE and the like are tried for ever with a
     * growing pause, INVALID_ARGUMENT (the target refuses these bytes) drops them with a line in
     * the log and a count. */
    int (*deliver)(void *state, const struct spool_record *records, size_t count, struct arena *a,
                   struct fail *f);
    void (*close)(void *state);
};

struct sinks;

struct sink_spec {
    struct str name;
    struct str target; /* "file:/var/log/muster/data.ndjson", "https://collect.example/in" */
};

struct sinks_options {
    struct spool *spool;
    struct http_client *client; /* http and https sinks; only allowed targets */
    struct clock *clock;
    const struct log *log;
    struct metrics *metrics;
    const struct sink_spec *specs;
    size_t count;
    int64_t retry_us; /* first pause */
    int64_t retry_max_us;
    size_t batch_bytes;
};

/* "NAME=TARGET"; INVALID_ARGUMENT. Pure. */
int sink_spec_parse(struct arena *a, struct str text, struct sink_spec *out, struct fail *f)
    MUST_CHECK;

int sinks_start(const struct sinks_options *o, struct sinks **out, struct fail *f) MUST_CHECK;

/* Finishes the delivery that runs, within the time given; the rest waits in the spool. */
void sinks_stop(struct sinks **s, int64_t until_us);

#endif
