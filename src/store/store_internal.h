/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the store share: the store itself, its lane, and the running of statements. */
#ifndef STORE_STORE_INTERNAL_H
#define STORE_STORE_INTERNAL_H

#include <pthread.h>

#include "store/driver.h"
#include "store/sql.h"
#include "store/store_open.h"

struct hook {
    void (*fn)(void *arg);
    void *arg;
    struct hook *next;
};

struct store_tx {
    struct store *store;
    struct sql_conn *conn;
    struct arena *arena;
    int64_t now_us;
    bool writes;
    enum sql_class worst; /* lane: the worst that a statement of the present job met */
    size_t jobs_done;     /* lane: slots whose jobs have run before the present one */
    struct hook *hooks;   /* lane: of the present job, oldest first */
    struct hook *last_hook;
};

struct lane_slot {
    struct store_job *job;
    struct hook *hooks;
};

struct store_metrics {
    struct metrics *own; /* when the server counts nothing */
    struct metric_histogram *commit;
    struct metric_histogram *batch;
    struct metric_histogram *wait;
    struct metric_histogram *checkpoint;
    struct metric_counter *done;
    struct metric_counter *refused;
    struct metric_counter *lost;
    struct metric_gauge *pages;
    struct metric_gauge *bytes;
    struct metric_gauge *state;
    struct metric_gauge *queued;
};

struct store {
    struct store_options o;
    const struct sql_driver *driver;
    struct store_metrics m;
    void *dir_lock;
    char *data_dir;

    /* The lane's own. */
    struct sql_conn *lane;
    pthread_t thread;
    bool started;
    struct lane_slot *slots;
    size_t next_checkpoint;
    int64_t last_id;
    int64_t last_event;
    bool counters_dirty;

    struct queue queue;
    struct waiter *wake;

    pthread_mutex_t lock; /* guards what follows, up to the next lock */
    size_t queued;
    bool closing;
    enum store_state state;
    char message[256];
    int64_t since_us;

    pthread_mutex_t readers_lock; /* guards the pool */
    pthread_cond_t reader_back;
    struct sql_conn **idle;
    size_t idle_count;
    size_t open_count;
};

/* Lane thread. */
void *lane_main(void *store);
int lane_load_counters(struct store *s, struct fail *f) MUST_CHECK;

/* On a reader, inside a snapshot. Calls line() for each text or agent that is not in order. */
int text_check(const struct sql_driver *d, struct sql_conn *c,
               void (*line)(void *arg, const char *text), void *arg) MUST_CHECK;

/* Statements on a transaction. Every failure goes through tx_fail(), so that the lane sees it. */
int tx_fail(struct store_tx *tx, struct fail *f);
int tx_query(struct store_tx *tx, enum sql_id sql, const struct sql_value *args, size_t count,
             struct sql_cursor **out, struct fail *f) MUST_CHECK;

/* 1: a row; 0: no more; -1: failed. The cursor is finished with 0 and -1. */
int tx_step(struct store_tx *tx, struct sql_cursor *q, struct fail *f) MUST_CHECK;
void tx_finish(struct store_tx *tx, struct sql_cursor *q);

/* A statement without rows; *changed (may be NULL) counts those it touched. */
int tx_run(struct store_tx *tx, enum sql_id sql, const struct sql_value *args, size_t count,
           int64_t *changed, struct fail *f) MUST_CHECK;

/* The one row of a query; NOT_FOUND when there is none. The caller finishes the cursor. */
int tx_one(struct store_tx *tx, enum sql_id sql, const struct sql_value *args, size_t count,
           struct sql_cursor **out, struct fail *f) MUST_CHECK;

/* A column's text, copied to the arena unless it is borrowed. */
struct str tx_text(struct store_tx *tx, struct sql_cursor *q, unsigned column);

static inline int64_t tx_int(struct store_tx *tx, struct sql_cursor *q, unsigned column)
{
    return tx->store->driver->column_int(q, column);
}

static inline struct str tx_borrow(struct store_tx *tx, struct sql_cursor *q, unsigned column)
{
    return tx->store->driver->column_str(q, column);
}

#define ARG_INT(n)                                                                                 \
    {                                                                                              \
        .type = SQL_INT, .i = (int64_t)(n)                                                         \
    }
#define ARG_TEXT(t)                                                                                \
    {                                                                                              \
        .type = SQL_TEXT, .s = (t)                                                                 \
    }
#define ARG_BYTES(t)                                                                               \
    {                                                                                              \
        .type = SQL_BLOB, .s = (t)                                                                 \
    }
#define ARG_NULL                                                                                   \
    {                                                                                              \
        .type = SQL_NULL                                                                           \
    }

/* Reads rows into a growing array of the arena. */
#define TX_LIST_START 16
void *tx_grow(struct store_tx *tx, void *rows, size_t count, size_t *room, size_t size);

#endif
