/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the embedded driver share: running statements (sqlite.c), and files
 * (sqlite_file.c). */
#ifndef STORE_SQLITE_INTERNAL_H
#define STORE_SQLITE_INTERNAL_H

#include <sqlite3.h>

#include "store/driver.h"
#include "store/sql.h"

/* Statements of the driver itself, behind those of the store. */
enum {
    SQLITE_OWN_BEGIN = SQL_STATEMENT_COUNT,
    SQLITE_OWN_BEGIN_READ,
    SQLITE_OWN_SNAPSHOT,
    SQLITE_OWN_SAVEPOINT,
    SQLITE_OWN_RELEASE,
    SQLITE_OWN_ROLLBACK_TO,
    SQLITE_OWN_COMMIT,
    SQLITE_OWN_ROLLBACK,
    SQLITE_OWN_COUNT,
};

struct sqlite_conn;

struct sql_cursor {
    struct sqlite_conn *conn;
    sqlite3_stmt *stmt;
    bool open;
};

struct sqlite_conn {
    struct sql_conn base;
    sqlite3 *db;
    char *path;
    bool in_write; /* between begin() and commit() or rollback() */
    size_t log_pages;
    struct sql_cursor cursors[SQLITE_OWN_COUNT];
};

#define SQLITE_BUSY_MS 10000

/* Notes what went wrong on the connection; returns -1. */
int sqlite_note(struct sqlite_conn *c, int rc);

int sqlite_lock(const struct sql_driver *d, const char *data_dir, void **lock, struct fail *f);
void sqlite_unlock(const struct sql_driver *d, void **lock);
int sqlite_open_lane(const struct sql_driver *d, const struct sql_open *o, struct sql_conn **out,
                     struct fail *f);
int sqlite_open_reader(const struct sql_driver *d, const struct sql_open *o, struct sql_conn **out,
                       struct fail *f);
void sqlite_close(struct sql_conn **c);
int sqlite_backup(struct sql_conn *conn, const char *path);

#endif
