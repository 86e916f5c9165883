/* SPDX-License-Identifier: Apache-2.0 */
/* Where received data goes: each configured sink is a thread with a cursor in the spool, which it
 * moves only after its target has taken the records. At least once, in the spool's order. A kind of
 * sink is a table of functions: a file, an HTTP endpoint; others come later. */
#ifndef SINK_SINK_H
#define SINK_SINK_H

#include "base/metric.h"
#include "core/spool.h"

struct http_client;

/* What a kind may use of the server. */
struct sink_host {
    const char *data_dir; /* file targets that are no absolute path lie in it */
    struct http_client *client;
    const struct log *log;
};

struct sink_kind {
    const char *scheme; /* "file", "http", "https" */

    /* -1 says what is wrong with the target. Nothing is contacted yet. */
    int (*open)(const struct sink_host *host, struct str target, void **state, struct fail *f);

    /* From the first record on; *taken is how many need not come again, also when the result is -1,
     * and *refused how many of those the target did not want. The rest comes again after a pause.
     */
    int (*deliver)(void *state, const struct spool_record *records, size_t count, struct arena *a,
                   size_t *taken, size_t *refused, struct fail *f);

    /* Optional; any thread, more than once: what deliver() waits for is given up, now and from now
     * on. */
    void (*interrupt)(void *state);
    void (*close)(void *state);
};

extern const struct sink_kind file_sink;
extern const struct sink_kind http_sink;
extern const struct sink_kind https_sink;

/* NULL: no such kind. */
const struct sink_kind *sink_kind_find(struct str scheme);

struct sink_spec {
    struct str name;
    struct str target; /* "file:received.ndjson", "https://collect.example/in" */
    const struct sink_kind *kind;
};

#define SINK_NAME_MAX 64

/* "NAME=TARGET"; INVALID_ARGUMENT "bad_sink". Pure. */
int sink_spec_parse(struct arena *a, struct str text, struct sink_spec *out, struct fail *f)
    MUST_CHECK;

struct sinks_options {
    struct spool *spool;
    struct sink_host host;
    struct clock *clock;
    struct metrics *metrics;
    const struct sink_spec *specs;
    size_t count;
    int64_t retry_us; /* the first pause; doubles up to the other */
    int64_t retry_max_us;
    size_t batch_bytes; /* read at once */
};

struct sinks;

/* Positions of sinks that are not among them are forgotten. INVALID_ARGUMENT: two of one name, or a
 * bad target. */
int sinks_start(const struct sinks_options *o, struct sinks **out, struct fail *f) MUST_CHECK;

struct sink_status {
    const char *name;   /* lives as long as the sinks */
    uint64_t waiting;   /* records that are not delivered */
    int64_t oldest_us;  /* wall, when the first of them was received; 0: none is known to wait */
    int64_t failing_us; /* for how long every delivery has failed; 0: it goes well */
    char error[256];    /* then: why */
};

/* The i-th of them; false: there are fewer. Any thread. */
bool sinks_status(struct sinks *s, size_t i, struct sink_status *out);

/* Lets the delivery that runs finish until then (monotonic), gives it up afterwards; what was not
 * delivered stays in the spool. Before the spool is closed and the client freed. */
void sinks_stop(struct sinks **s, int64_t until_us);

#endif
