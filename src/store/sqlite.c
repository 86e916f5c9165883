/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded driver: one WAL file, synchronous=FULL. The lane's connection alone writes and
 * checkpoints; readers are read-only. A connection belongs to one thread at a time. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/heap.h"
#include "store/sqlite_internal.h"

static const char *const own_texts[SQLITE_OWN_COUNT - SQL_STATEMENT_COUNT] = {
    [SQLITE_OWN_BEGIN - SQL_STATEMENT_COUNT] = "BEGIN IMMEDIATE",
    [SQLITE_OWN_BEGIN_READ - SQL_STATEMENT_COUNT] = "BEGIN",
    [SQLITE_OWN_SNAPSHOT - SQL_STATEMENT_COUNT] = "SELECT 1 FROM counters LIMIT 1",
    [SQLITE_OWN_SAVEPOINT - SQL_STATEMENT_COUNT] = "SAVEPOINT job",
    [SQLITE_OWN_RELEASE - SQL_STATEMENT_COUNT] = "RELEASE job",
    [SQLITE_OWN_ROLLBACK_TO - SQL_STATEMENT_COUNT] = "ROLLBACK TO job",
    [SQLITE_OWN_COMMIT - SQL_STATEMENT_COUNT] = "COMMIT",
    [SQLITE_OWN_ROLLBACK - SQL_STATEMENT_COUNT] = "ROLLBACK",
};

static struct sqlite_conn *of(struct sql_conn *c)
{
    return CONTAINER_OF(c, struct sqlite_conn, base);
}

static bool no_space(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

static int last_errno(sqlite3_file *file)
{
    int error = 0;

    if (file && file->pMethods)
        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error);
    return error;
}

/* The engine tells "no space" by itself for ENOSPC only; for a quota or a size limit each open file
 * remembers the cause, while the connection may not. */
static bool files_lack_space(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    sqlite3_file *log = NULL;

    sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    return no_space(last_errno(file)) || no_space(last_errno(log)) ||
           no_space(sqlite3_system_errno(db));
}

/* A sync that fails with "no space" is fatal all the same: pages that the kernel had taken are
 * gone, and nobody can say which. */
static enum sql_class classify_io(const struct sqlite_conn *c, int rc)
{
    if (rc == SQLITE_IOERR_NOMEM)
        return SQL_CLASS_OTHER;
    if (rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC)
        return SQL_CLASS_FATAL;
    return files_lack_space(c->db) ? SQL_CLASS_FULL : SQL_CLASS_FATAL;
}

static enum sql_class classify(const struct sqlite_conn *c, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_CONSTRAINT:
        if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ||
            rc == SQLITE_CONSTRAINT_ROWID)
            return SQL_CLASS_UNIQUE;
        return SQL_CLASS_OTHER;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return SQL_CLASS_BUSY;
    case SQLITE_FULL: return SQL_CLASS_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return SQL_CLASS_CORRUPT;
    case SQLITE_IOERR: return classify_io(c, rc);
    case SQLITE_CANTOPEN:
        return no_space(sqlite3_system_errno(c->db)) ? SQL_CLASS_FULL : SQL_CLASS_OTHER;
    default: return SQL_CLASS_OTHER;
    }
}

/* Some errors make the engine roll the whole transaction back by itself; the savepoint that the
 * caller counts on is gone then, so the transaction has to be run again. */
int sqlite_note(struct sqlite_conn *c, int rc)
{
    rc = sqlite3_extended_errcode(c->db) ? sqlite3_extended_errcode(c->db) : rc;
    c->base.error = classify(c, rc);
    snprintf(c->base.message, sizeof(c->base.message), "%s (%d, errno %d)", sqlite3_errmsg(c->db),
             rc, sqlite3_system_errno(c->db));
    if (c->in_write && sqlite3_get_autocommit(c->db) &&
        (c->base.error == SQL_CLASS_OTHER || c->base.error == SQL_CLASS_UNIQUE))
        c->base.error = SQL_CLASS_BUSY;
    return -1;
}

static int prepare(struct sqlite_conn *c, unsigned sql)
{
    struct sql_cursor *q = &c->cursors[sql];
    const char *text =
        sql < SQL_STATEMENT_COUNT ? sql_texts[sql] : own_texts[sql - SQL_STATEMENT_COUNT];

    q->conn = c;
    if (q->stmt)
        return 0;
    assert(text);

    int rc = sqlite3_prepare_v3(c->db, text, -1, SQLITE_PREPARE_PERSISTENT, &q->stmt, NULL);

    return rc == SQLITE_OK ? 0 : sqlite_note(c, rc);
}

/* A statement without arguments and without rows that matter. */
static int run_own(struct sqlite_conn *c, unsigned sql)
{
    if (prepare(c, sql) < 0)
        return -1;

    int rc = sqlite3_step(c->cursors[sql].stmt);
    int noted = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : sqlite_note(c, rc);

    sqlite3_reset(c->cursors[sql].stmt);
    return noted;
}

static int begin(struct sql_conn *conn)
{
    struct sqlite_conn *c = of(conn);

    if (run_own(c, SQLITE_OWN_BEGIN) < 0)
        return -1;
    c->in_write = true;
    return 0;
}

static int begin_read(struct sql_conn *conn)
{
    struct sqlite_conn *c = of(conn);

    if (run_own(c, SQLITE_OWN_BEGIN_READ) < 0)
        return -1;
    if (run_own(c, SQLITE_OWN_SNAPSHOT) == 0)
        return 0;
    IGNORE(run_own(c, SQLITE_OWN_ROLLBACK));
    return -1;
}

static int savepoint(struct sql_conn *c)
{
    return run_own(of(c), SQLITE_OWN_SAVEPOINT);
}

static int release(struct sql_conn *c)
{
    return run_own(of(c), SQLITE_OWN_RELEASE);
}

static int rollback_to(struct sql_conn *c)
{
    if (run_own(of(c), SQLITE_OWN_ROLLBACK_TO) < 0)
        return -1;
    return run_own(of(c), SQLITE_OWN_RELEASE);
}

static int commit(struct sql_conn *conn)
{
    struct sqlite_conn *c = of(conn);

    if (run_own(c, SQLITE_OWN_COMMIT) < 0)
        return -1;
    c->in_write = false;
    return 0;
}

static void rollback(struct sql_conn *conn)
{
    struct sqlite_conn *c = of(conn);
    enum sql_class error = c->base.error;

    c->in_write = false;
    if (!sqlite3_get_autocommit(c->db))
        IGNORE(run_own(c, SQLITE_OWN_ROLLBACK));
    c->base.error = error;
}

static int bind(sqlite3_stmt *stmt, int at, const struct sql_value *v)
{
    /* A NULL pointer would bind NULL, and an empty text is none. */
    const char *p = v->s.p ? v->s.p : "";

    switch (v->type) {
    case SQL_NULL: return sqlite3_bind_null(stmt, at);
    case SQL_INT: return sqlite3_bind_int64(stmt, at, v->i);
    case SQL_TEXT: return sqlite3_bind_text64(stmt, at, p, v->s.len, SQLITE_STATIC, SQLITE_UTF8);
    case SQL_BLOB: return sqlite3_bind_blob64(stmt, at, p, v->s.len, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

static int query(struct sql_conn *conn, unsigned sql, const struct sql_value *args, size_t count,
                 struct sql_cursor **out)
{
    struct sqlite_conn *c = of(conn);

    assert(sql < SQL_STATEMENT_COUNT);
    if (prepare(c, sql) < 0)
        return -1;

    struct sql_cursor *q = &c->cursors[sql];

    assert(!q->open);
    assert((size_t)sqlite3_bind_parameter_count(q->stmt) == count);
    for (size_t i = 0; i < count; i++) {
        int rc = bind(q->stmt, (int)i + 1, &args[i]);

        if (rc != SQLITE_OK)
            return sqlite_note(c, rc);
    }
    q->open = true;
    *out = q;
    return 0;
}

static enum sql_step step(struct sql_cursor *q)
{
    int rc = sqlite3_step(q->stmt);

    if (rc == SQLITE_ROW)
        return SQL_ROW;
    if (rc == SQLITE_DONE)
        return SQL_DONE;
    IGNORE(sqlite_note(q->conn, rc));
    return SQL_ERROR;
}

static int64_t column_int(struct sql_cursor *q, unsigned column)
{
    return sqlite3_column_int64(q->stmt, (int)column);
}

static struct str column_str(struct sql_cursor *q, unsigned column)
{
    const void *p = sqlite3_column_blob(q->stmt, (int)column);

    return (struct str){p, (size_t)sqlite3_column_bytes(q->stmt, (int)column)};
}

static int64_t changes(struct sql_conn *c)
{
    return sqlite3_changes64(of(c)->db);
}

static void finish(struct sql_cursor *q)
{
    sqlite3_reset(q->stmt);
    q->open = false;
}

static const struct {
    const char *token;
    const char *text;
} tokens[] = {
    {"{int}", "INTEGER"},
    {"{text}", "TEXT"},
    {"{blob}", "BLOB"},
    {"{table}", " STRICT"},
    {"{clustered}", " STRICT, WITHOUT ROWID"},
};

static void expand(struct buf *out, const char *script)
{
    for (const char *p = script; *p;) {
        size_t i = 0;

        while (i < COUNTOF(tokens) && strncmp(p, tokens[i].token, strlen(tokens[i].token)) != 0)
            i++;
        if (i < COUNTOF(tokens)) {
            buf_put_str(out, str_of(tokens[i].text));
            p += strlen(tokens[i].token);
        } else {
            buf_put_byte(out, (uint8_t)*p++);
        }
    }
    buf_put_byte(out, 0);
}

static int execute(struct sql_conn *conn, const char *script)
{
    struct sqlite_conn *c = of(conn);
    struct buf text;

    buf_init(&text, 1 << 20);
    expand(&text, script);
    assert(!text.overflow);

    int rc = sqlite3_exec(c->db, (const char *)text.data, NULL, NULL, NULL);

    buf_done(&text);
    return rc == SQLITE_OK ? 0 : sqlite_note(c, rc);
}

static int schema_version(struct sql_conn *conn, int *out)
{
    struct sqlite_conn *c = of(conn);
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(c->db, "PRAGMA user_version", -1, &stmt, NULL);

    if (rc != SQLITE_OK)
        return sqlite_note(c, rc);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int(stmt, 0);

    int noted = rc == SQLITE_ROW ? 0 : sqlite_note(c, rc);

    sqlite3_finalize(stmt);
    return noted;
}

/* Pragmas take no arguments; both numbers become part of the running transaction. */
static int set_schema_version(struct sql_conn *c, int version)
{
    char text[64];

    snprintf(text, sizeof(text), "PRAGMA user_version = %d", version);
    return execute(c, text);
}

static size_t log_pages(struct sql_conn *c)
{
    return of(c)->log_pages;
}

static int checkpoint(struct sql_conn *conn, bool truncate)
{
    struct sqlite_conn *c = of(conn);
    int left = 0;
    int moved = 0;

    /* Waiting for readers is bounded: a slow one must not stop all writing for long. */
    sqlite3_busy_timeout(c->db, 200);

    int rc = sqlite3_wal_checkpoint_v2(
        c->db, NULL, truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, &left,
        &moved);

    sqlite3_busy_timeout(c->db, SQLITE_BUSY_MS);
    if (rc == SQLITE_BUSY)
        return 0;
    if (rc != SQLITE_OK)
        return sqlite_note(c, rc);
    c->log_pages = left == moved ? 0 : (size_t)left;
    return 0;
}

static int64_t size_bytes(struct sql_conn *conn)
{
    struct sqlite_conn *c = of(conn);
    struct stat st;
    char wal[4096];
    int64_t total = 0;

    if (stat(c->path, &st) == 0)
        total += st.st_size;
    snprintf(wal, sizeof(wal), "%s-wal", c->path);
    if (stat(wal, &st) == 0)
        total += st.st_size;
    return total;
}

/* Calls line() with the row's text for each row but "ok". */
static int findings(struct sqlite_conn *c, const char *pragma,
                    void (*line)(void *arg, const char *text), void *arg)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(c->db, pragma, -1, &stmt, NULL);

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(stmt);
        if (rc != SQLITE_ROW)
            break;

        const char *text = (const char *)sqlite3_column_text(stmt, 0);

        if (!text || strcmp(text, "ok") != 0)
            line(arg, text ? text : "foreign key without its row");
    }

    int noted = rc == SQLITE_DONE ? 0 : sqlite_note(c, rc);

    sqlite3_finalize(stmt);
    return noted;
}

static void broken_reference(void *arg, const char *table)
{
    struct buf *out = arg;

    buf_printf(out, "row of %s refers to a row that does not exist\n", table);
}

static int integrity(struct sql_conn *conn, void (*line)(void *arg, const char *text), void *arg)
{
    struct sqlite_conn *c = of(conn);
    struct buf text;

    if (findings(c, "PRAGMA integrity_check(100)", line, arg) < 0)
        return -1;
    buf_init(&text, 64 << 10);

    int r = findings(c, "PRAGMA foreign_key_check", broken_reference, &text);
    struct str rest = buf_str(&text);

    while (r == 0 && rest.len > 0) {
        struct str one = str_cut(&rest, '\n');
        char *owned = heap_cstr(one);

        line(arg, owned);
        free(owned);
    }
    buf_done(&text);
    return r;
}

const struct sql_driver sqlite_driver = {
    .name = "sqlite",
    .lock = sqlite_lock,
    .unlock = sqlite_unlock,
    .open_lane = sqlite_open_lane,
    .open_reader = sqlite_open_reader,
    .close = sqlite_close,
    .begin = begin,
    .begin_read = begin_read,
    .savepoint = savepoint,
    .release = release,
    .rollback_to = rollback_to,
    .commit = commit,
    .rollback = rollback,
    .query = query,
    .step = step,
    .column_int = column_int,
    .column_str = column_str,
    .changes = changes,
    .finish = finish,
    .execute = execute,
    .schema_version = schema_version,
    .set_schema_version = set_schema_version,
    .log_pages = log_pages,
    .checkpoint = checkpoint,
    .size_bytes = size_bytes,
    .backup = sqlite_backup,
    .integrity = integrity,
};
