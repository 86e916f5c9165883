/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, closing and looking after a store: what the server wires up. The store owns one thread,
 * the write lane, and a pool of read-only connections. */
#ifndef STORE_STORE_OPEN_H
#define STORE_STORE_OPEN_H

#include "core/store.h"
#include "store/driver.h"

#define STORE_FILE "muster.db"

struct store_options {
    const struct sql_driver *driver; /* NULL: the embedded one */
    const char *data_dir;            /* made when missing; borrowed until the store is closed */
    struct clock *clock;
    const struct log *log;   /* borrowed; NULL: silent */
    struct metrics *metrics; /* NULL: not counted */

    size_t queue_limit;      /* jobs waiting; 0: 10000 */
    size_t batch_limit;      /* jobs in one transaction; 0: 1000 */
    int64_t linger_us;       /* waits so long for company; 0: not at all */
    size_t readers;          /* read-only connections; 0: 8 */
    size_t checkpoint_pages; /* log pages that trigger a checkpoint; 0: 4000 */
    size_t truncate_pages;   /* log pages from which readers are waited for; 0: 32000 */

    /* The disk failed to make a write last: what is on it is unknown, so the process has to stop.
     * Called on the lane; if it returns, the store refuses all writes. NULL: logs and _exit(74). */
    void (*fatal)(void *arg, const char *message);
    void *fatal_arg;
};

/* Locks the directory, checks the file, migrates it, starts the lane. -1 with one of the reasons
 * "not_writable", "locked", "corrupt", "schema_newer", "disk_full", "io_error"; a file that is
 * refused is untouched. */
int store_open(const struct store_options *o, struct store **out, struct fail *f) MUST_CHECK;

/* Refuses new jobs, finishes those queued, checkpoints, gives everything back. Accepts NULL. */
void store_close(struct store **s);

enum store_state {
    STORE_OK,
    STORE_DEGRADED, /* the last batch could not be written (disk full); reads go on */
    STORE_FAILED,   /* a sync failed or the file is corrupt: no write is taken any more */
};

struct store_health {
    enum store_state state;
    char message[256]; /* empty when all is well */
    int64_t since_us;  /* wall, of the present state */
    size_t queued;
    int schema_version;
};

/* Any thread. */
void store_health(struct store *s, struct store_health *out);

/* The newest schema that this binary knows. */
int store_schema_version(void);

/* A consistent copy in a file of its own while writing goes on: written beside it under another
 * name, synced, renamed. Replaces `path`. Blocks. Any thread but loops and the lane. */
int store_backup(struct store *s, const char *path, struct fail *f) MUST_CHECK;

struct store_findings {
    char **lines;
    size_t count;
    int schema_version;
    int64_t tenants, keys, collectors, sources, pipelines, events, tasks, texts;

    /* The catalogue, to hold files against; known false: the schema is an older one, or damaged. */
    bool builds_known;
    const struct build *builds;
    size_t build_count;
};

/* Looks for damage: the engine's own check, foreign keys, and our invariants. 0 with no line:
 * clean; lines in the arena name what is wrong, at most 100. */
int store_check(struct store *s, struct arena *a, struct store_findings *out, struct fail *f)
    MUST_CHECK;

/* Same for a file that no server uses (a backup, a stopped data file); changes nothing. Reasons as
 * store_open(), and "no_such_file". */
int store_check_file(const char *path, struct arena *a, struct store_findings *out, struct fail *f)
    MUST_CHECK;

#endif
