/* SPDX-License-Identifier: Apache-2.0 */
/* The seam under the SQL: what a database must do for the store. A connection is used by one thread
 * at a time. Statements are named by number (store/sql.h) and prepared once a connection. A call
 * that fails returns -1 and leaves class and message on the connection; the transaction then is in
 * the state that the class says. */
#ifndef STORE_DRIVER_H
#define STORE_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

enum sql_class {
    SQL_CLASS_OK,
    SQL_CLASS_UNIQUE,  /* a row would be there twice; the statement alone is undone */
    SQL_CLASS_OTHER,   /* our mistake or a limit; the statement alone is undone */
    SQL_CLASS_BUSY,    /* undo the transaction and run it again */
    SQL_CLASS_FULL,    /* no space; undo the transaction, later ones may pass */
    SQL_CLASS_FATAL,   /* a write or sync failed: what is on disk is unknown */
    SQL_CLASS_CORRUPT, /* the file is damaged */
};

#define SQL_CLASS_COUNT 7

struct sql_driver;

struct sql_conn {
    const struct sql_driver *driver;
    enum sql_class error;
    char message[200];
};

struct sql_cursor; /* a statement between query() and finish() */

enum sql_type {
    SQL_NULL,
    SQL_INT,
    SQL_TEXT,
    SQL_BLOB
};

struct sql_value {
    enum sql_type type;
    int64_t i;
    struct str s; /* borrowed until finish() */
};

enum sql_step {
    SQL_ERROR = -1,
    SQL_DONE,
    SQL_ROW,
};

struct sql_open {
    const char *data_dir;
    int newest_schema; /* refuse a file of a newer one, untouched */
    bool immutable;    /* readers: nobody else has the file open or will change it */
    const char *path;  /* readers: this file instead of the data directory's; NULL: that */
};

struct sql_driver {
    const char *name;

    /* Keeps other processes out of the data directory until unlock(); "locked", "not_writable". */
    int (*lock)(const struct sql_driver *d, const char *data_dir, void **lock, struct fail *f);
    void (*unlock)(const struct sql_driver *d, void **lock);

    /* The one connection that writes. Checks before it changes anything; reasons as store_open().
     */
    int (*open_lane)(const struct sql_driver *d, const struct sql_open *o, struct sql_conn **out,
                     struct fail *f);
    int (*open_reader)(const struct sql_driver *d, const struct sql_open *o, struct sql_conn **out,
                       struct fail *f);
    void (*close)(struct sql_conn **c); /* accepts NULL */

    int (*begin)(struct sql_conn *c);      /* to write */
    int (*begin_read)(struct sql_conn *c); /* a snapshot, taken now */
    int (*savepoint)(struct sql_conn *c);
    int (*release)(struct sql_conn *c);
    int (*rollback_to)(struct sql_conn *c); /* and leaves the savepoint */
    int (*commit)(struct sql_conn *c);      /* durable when it returns 0 */
    void (*rollback)(struct sql_conn *c);   /* also fine outside a transaction */

    /* Binds $1..$n and starts; the cursor is never NULL on 0. */
    int (*query)(struct sql_conn *c, unsigned sql, const struct sql_value *args, size_t count,
                 struct sql_cursor **out);
    enum sql_step (*step)(struct sql_cursor *q);
    int64_t (*column_int)(struct sql_cursor *q, unsigned column);
    struct str (*column_str)(struct sql_cursor *q, unsigned column); /* until the next step */
    int64_t (*changes)(struct sql_conn *c);                          /* of the last statement */
    void (*finish)(struct sql_cursor *q);

    /* Schema work: statements of a migration, with type tokens; the number in the same
     * transaction. */
    int (*execute)(struct sql_conn *c, const char *script);
    int (*schema_version)(struct sql_conn *c, int *out);
    int (*set_schema_version)(struct sql_conn *c, int version);

    /* Housekeeping, outside transactions. Log pages not yet folded into the file; 0 when the engine
     * has no such thing. */
    size_t (*log_pages)(struct sql_conn *c);
    int (*checkpoint)(struct sql_conn *c, bool truncate);
    int64_t (*size_bytes)(struct sql_conn *c);

    /* On a reader. A consistent copy to a new file, not yet synced. */
    int (*backup)(struct sql_conn *c, const char *path);

    /* Calls line() for each damage that the engine finds. */
    int (*integrity)(struct sql_conn *c, void (*line)(void *arg, const char *text), void *arg);
};

/* WAL file in the data directory. */
extern const struct sql_driver sqlite_driver;

/* The message and class of a failed call in the domain's words: UNAVAILABLE "busy" or "disk_full",
 * INTERNAL "io_error", DATA_LOSS "corrupt", ALREADY_EXISTS, INTERNAL "store". Returns -1. */
int sql_fail(const struct sql_conn *c, struct fail *f);

#endif
