/* SPDX-License-Identifier: Apache-2.0 */
/* Data on its way through: what agents and applications send is appended here, acknowledged once it
 * is on disk, and read by sinks in the same order. Append-only segment files, rotated by size,
 * dropped when every sink has passed them, bounded in all; full means that senders are told to come
 * back later. src/spool implements it.
 *
 * Appending: any thread, never waits; one thread writes and syncs for all that wait (group commit).
 * Reading: one cursor a sink, on the sink's thread; the position is durable, a crash repeats at
 * most what was read since spool_commit(). */
#ifndef CORE_SPOOL_H
#define CORE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/queue.h"
#include "base/str.h"

struct spool;

struct spool_options {
    const char *data_dir; /* segments lie in DATA/spool */
    struct clock *clock;
    const struct log *log;
    struct metrics *metrics;
    int64_t segment_bytes;
    int64_t total_bytes;                           /* of all segments; more is refused */
    size_t queue_bytes;                            /* waiting to be written; more is refused */
    bool sync;                                     /* only a benchmark says false */
    void (*fatal)(void *arg, const char *message); /* the disk failed */
    void *fatal_arg;
};

/* Recovers: a torn tail is cut off at the last whole record, which was never acknowledged. */
int spool_open(const struct spool_options *o, struct spool **out, struct fail *f) MUST_CHECK;
void spool_close(struct spool **s);

struct spool_record {
    uint64_t tenant;
    int64_t collector;
    int64_t source;
    int64_t received_us;
    struct str type;     /* media type of the data */
    struct str metadata; /* "name=value" lines: host, name, category, fields */
    struct str data;
    uint64_t seq; /* when read: grows by one */
};

struct spool_append {
    struct spool_record record; /* borrowed until done() */
    void (*done)(struct spool_append *a, int result, const struct fail *f); /* writer's thread */
    struct queue_node node;
};

/* -1 (done() is not called): RESOURCE_EXHAUSTED "spool_full" or UNAVAILABLE "spool_busy". */
int spool_submit(struct spool *s, struct spool_append *a, struct fail *f) MUST_CHECK;

struct spool_cursor;

/* By name; a new one begins at the oldest record there is. */
int spool_cursor_open(struct spool *s, const char *name, struct spool_cursor **out, struct fail *f)
    MUST_CHECK;
void spool_cursor_close(struct spool_cursor **c);

/* The next records, at least one, up to about max_bytes, in the arena; 0 when there is none now.
 * -1: DATA_LOSS, with what is unreadable passed over and logged; anything else: not now, and
 * nothing was passed over. */
int spool_read(struct spool_cursor *c, struct arena *a, size_t max_bytes, struct spool_record **out,
               size_t *count, struct fail *f) MUST_CHECK;

/* Everything that was read so far has been delivered, and may go. Durable when it returns 0. */
int spool_commit(struct spool_cursor *c, struct fail *f) MUST_CHECK;

/* Records that it has not passed yet. Any thread. */
uint64_t spool_cursor_waiting(struct spool_cursor *c);

/* Waits until there is something to read, the time has come or spool_wake() was called. */
void spool_wait(struct spool_cursor *c, int64_t until_us);
void spool_wake(struct spool *s);

/* Cursors of sinks that are configured no more are forgotten, so that they hold nothing back. Where
 * that leaves none, nobody waits for the data: it goes with its segment. */
int spool_forget_others(struct spool *s, const char *const *names, size_t count, struct fail *f)
    MUST_CHECK;

struct spool_stats {
    int64_t bytes;
    int64_t total_bytes; /* the most that it may become */
    bool disk_full;      /* the latest batch found no room on the disk */
    uint64_t segments;
    uint64_t appended; /* records */
    uint64_t oldest_seq;
    uint64_t next_seq;
};

void spool_stats(struct spool *s, struct spool_stats *out);

#endif
