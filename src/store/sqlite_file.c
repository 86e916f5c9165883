/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded driver's files: the lock that keeps other processes out, the look at a file before
 * anything is changed, opening, backup. Start-up and worker threads. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/heap.h"
#include "core/datafile.h"
#include "store/sqlite_internal.h"
#include "store/store_open.h"

#define LOCK_FILE      "lock"
#define EARLY_FILE     STORE_FILE ".new"
#define APPLICATION_ID 0x4d737472 /* "Mstr" in the file's header */
#define HEADER_LEN     100

struct lock {
    int fd;
};

static char *path_of(const char *dir, const char *name)
{
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = heap_alloc(size);

    snprintf(path, size, "%s/%s", dir, name);
    return path;
}

static void free_path(char **path)
{
    free(*path);
}

/* Makes the directory, and lasts: its entry in the parent is synced by whoever made the parent. */
static int make_dir(const char *dir, struct fail *f)
{
    struct stat st;

    if (mkdir(dir, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return datafile_fail(f, errno, "make the data directory", dir);
    if (stat(dir, &st) < 0)
        return datafile_fail(f, errno, "look at the data directory", dir);
    if (!S_ISDIR(st.st_mode))
        return fail_reason(f, CODE_FAILED_PRECONDITION, "not_writable", "%s is not a directory",
                           dir);
    return 0;
}

int sqlite_lock(const struct sql_driver *d, const char *data_dir, void **lock, struct fail *f)
{
    CLEANUP(free_path) char *path = path_of(data_dir, LOCK_FILE);

    (void)d;
    if (make_dir(data_dir, f) < 0)
        return -1;

    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return datafile_fail(f, errno, "open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int error = errno;

        close(fd);
        if (error != EWOULDBLOCK)
            return datafile_fail(f, error, "lock", path);
        return fail_reason(f, CODE_FAILED_PRECONDITION, "locked", "%s is in use by another process",
                           data_dir);
    }

    struct lock *l = heap_new_type(struct lock);

    l->fd = fd;
    *lock = l;
    return 0;
}

void sqlite_unlock(const struct sql_driver *d, void **lock)
{
    struct lock *l = *lock;

    (void)d;
    if (!l)
        return;
    close(l->fd);
    free(l);
    *lock = NULL;
}

static int corrupt(struct fail *f, const char *path, const char *why)
{
    return fail_reason(f, CODE_DATA_LOSS, "corrupt", "%s %s", path, why);
}

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool has_bytes(const char *path, const char *suffix)
{
    char name[4096];
    struct stat st;

    snprintf(name, sizeof(name), "%s%s", path, suffix);
    return stat(name, &st) == 0 && st.st_size > 0;
}

/* We keep a write-ahead log; a rollback journal is somebody else's. */
static bool has_log(const char *path)
{
    return has_bytes(path, "-wal") || has_bytes(path, "-journal");
}

static int refuse_newer(const char *path, int version, int newest, struct fail *f)
{
    return fail_reason(f, CODE_FAILED_PRECONDITION, "schema_newer",
                       "%s has schema %d; this program knows up to %d: use a newer one", path,
                       version, newest);
}

/* What the header alone tells, read without the engine, which might recover or create files. The
 * size is only trusted when no log is waiting to be folded in: a kill in mid-checkpoint leaves the
 * header ahead of the file. *fresh: there is nothing to protect yet. */
static int look_at_header(const char *path, int newest, bool *fresh, struct fail *f)
{
    uint8_t h[HEADER_LEN];
    struct stat st = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *fresh = false;
    if (fd < 0 && errno == ENOENT) {
        *fresh = !has_log(path);
        return *fresh ? 0 : corrupt(f, path, "is missing but has a log");
    }
    if (fd < 0)
        return datafile_fail(f, errno, "open", path);

    ssize_t got = pread(fd, h, sizeof(h), 0);
    int error = got < 0 || fstat(fd, &st) < 0 ? errno : 0;

    close(fd);
    if (error)
        return datafile_fail(f, error, "read", path);
    if (!S_ISREG(st.st_mode))
        return corrupt(f, path, "is not a regular file");
    if (st.st_size == 0) {
        *fresh = !has_log(path);
        return *fresh ? 0 : corrupt(f, path, "is empty but has a log");
    }
    if (got != sizeof(h) || memcmp(h, "SQLite format 3", 16) != 0)
        return corrupt(f, path, "is not a database");

    uint32_t page = (uint32_t)h[16] << 8 | h[17];
    int64_t size = (int64_t)(page == 1 ? 65536 : page) * big_endian(h + 28);
    uint32_t id = big_endian(h + 68);

    if (id != APPLICATION_ID)
        return corrupt(f, path, "is a database of another program");
    if (big_endian(h + 60) > (uint32_t)newest)
        return refuse_newer(path, (int)big_endian(h + 60), newest, f);
    if (!has_log(path) && st.st_size < size)
        return corrupt(f, path, "is shorter than its header says");
    return 0;
}

static int fail_open(struct sqlite_conn *c, struct sql_conn *base, int rc, struct fail *f)
{
    if (c->db) {
        IGNORE(sqlite_note(c, rc));
        IGNORE(sql_fail(base, f));
        if (base->error == SQL_CLASS_CORRUPT) {
            IGNORE(corrupt(f, c->path, "is damaged"));
            IGNORE(fail_detail(f, "%s: %s", base->driver->name, base->message));
        }
    } else {
        IGNORE(fail_set(f, CODE_INTERNAL, "no memory for a database connection"));
    }
    sqlite_close(&base);
    return -1;
}

static int note_log_pages(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct sqlite_conn *c = arg;

    (void)db;
    (void)name;
    c->log_pages = (size_t)pages;
    return SQLITE_OK;
}

static const char lane_setup[] =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = FULL;"
    "PRAGMA foreign_keys = ON;"
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA cache_size = -65536;"
    "PRAGMA journal_size_limit = 67108864;";

static const char reader_setup[] =
    "PRAGMA query_only = ON;"
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA wal_autocheckpoint = 0;"
    "PRAGMA mmap_size = 134217728;"
    "PRAGMA cache_size = -8192;";

static int open_file(const char *name, const char *path, int flags, struct sql_conn **out,
                     struct fail *f)
{
    struct sqlite_conn *c = heap_new_type(struct sqlite_conn);

    c->base.driver = &sqlite_driver;
    c->path = heap_cstr(str_of(path));

    int rc =
        sqlite3_open_v2(name, &c->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

    if (rc != SQLITE_OK)
        return fail_open(c, &c->base, rc, f);
    sqlite3_busy_timeout(c->db, SQLITE_BUSY_MS);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    *out = &c->base;
    return 0;
}

static int setup(struct sql_conn *conn, const char *text, struct fail *f)
{
    struct sqlite_conn *c = CONTAINER_OF(conn, struct sqlite_conn, base);
    int rc = sqlite3_exec(c->db, text, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : fail_open(c, conn, rc, f);
}

/* '?', '#' and '%' mean something in a file URI. */
static char *immutable_uri(const char *path)
{
    struct buf b;

    buf_init(&b, 64 << 10);
    buf_put_str(&b, STR("file:"));
    for (const char *p = path; *p; p++) {
        if (*p == '?' || *p == '#' || *p == '%')
            buf_printf(&b, "%%%02X", (unsigned)(unsigned char)*p);
        else
            buf_put_byte(&b, (uint8_t)*p);
    }
    buf_put_str(&b, STR("?immutable=1"));

    char *uri = heap_cstr(buf_str(&b));

    buf_done(&b);
    return uri;
}

/* The number that counts may still be in the log: read it through a connection that can change
 * nothing. Without a log the engine is told that nobody writes, so that it makes none. Also finds a
 * schema that cannot be parsed. */
static int look_inside(const char *path, int newest, struct fail *f)
{
    CLEANUP(free_path) char *uri = has_log(path) ? NULL : immutable_uri(path);
    struct sql_conn *conn;
    int version = 0;

    if (open_file(uri ? uri : path, path, SQLITE_OPEN_READONLY | (uri ? SQLITE_OPEN_URI : 0), &conn,
                  f) < 0)
        return -1;
    if (setup(conn, "PRAGMA query_only = ON; SELECT count(*) FROM sqlite_schema;", f) < 0)
        return -1;
    if (sqlite_driver.schema_version(conn, &version) < 0) {
        IGNORE(sql_fail(conn, f));
        sqlite_close(&conn);
        return -1;
    }
    sqlite_close(&conn);
    return version > newest ? refuse_newer(path, version, newest, f) : 0;
}

/* An empty file of our mode: the engine gives the same mode to its log. */
static int make_empty(const char *path, struct fail *f)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return datafile_fail(f, errno, "make", path);
    close(fd);
    return 0;
}

/* A database appears whole: with our mark and already keeping a write-ahead log. The engine would
 * take both steps under a rollback journal, and a kill in between would leave one that the look
 * inside can neither read past nor undo. The directory is locked, so the other name is ours. */
static int make_file(const char *dir, const char *path, struct fail *f)
{
    static const char *const left[] = {EARLY_FILE, EARLY_FILE "-journal", EARLY_FILE "-wal",
                                       EARLY_FILE "-shm"};
    CLEANUP(free_path) char *early = path_of(dir, EARLY_FILE);
    struct sql_conn *conn;
    char text[128];

    for (size_t i = 0; i < COUNTOF(left); i++) {
        CLEANUP(free_path) char *name = path_of(dir, left[i]);

        if (unlink(name) < 0 && errno != ENOENT)
            return datafile_fail(f, errno, "remove", name);
    }
    snprintf(text, sizeof(text), "PRAGMA application_id = %d; PRAGMA journal_mode = WAL;",
             APPLICATION_ID);
    if (make_empty(early, f) < 0 || open_file(early, early, SQLITE_OPEN_READWRITE, &conn, f) < 0 ||
        setup(conn, text, f) < 0)
        return -1;
    sqlite_close(&conn);
    if (rename(early, path) < 0)
        return datafile_fail(f, errno, "make", path);
    return datafile_sync_dir(dir, f);
}

int sqlite_open_lane(const struct sql_driver *d, const struct sql_open *o, struct sql_conn **out,
                     struct fail *f)
{
    CLEANUP(free_path) char *path = path_of(o->data_dir, STORE_FILE);
    struct sql_conn *conn;
    bool fresh;

    (void)d;
    /* Saves a process-wide mutex on every allocation; refused without harm once the engine runs. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (look_at_header(path, o->newest_schema, &fresh, f) < 0)
        return -1;
    if (!fresh && look_inside(path, o->newest_schema, f) < 0)
        return -1;
    if (access(path, F_OK) == 0 && access(path, W_OK) < 0)
        return datafile_fail(f, errno, "write", path);
    if (fresh && make_file(o->data_dir, path, f) < 0)
        return -1;
    if (open_file(path, path, SQLITE_OPEN_READWRITE, &conn, f) < 0)
        return -1;

    struct sqlite_conn *c = CONTAINER_OF(conn, struct sqlite_conn, base);

    if (setup(conn, lane_setup, f) < 0)
        return -1;
    sqlite3_wal_hook(c->db, note_log_pages, c);
    *out = conn;
    return 0;
}

int sqlite_open_reader(const struct sql_driver *d, const struct sql_open *o, struct sql_conn **out,
                       struct fail *f)
{
    CLEANUP(free_path)
    char *path = o->path ? heap_cstr(str_of(o->path)) : path_of(o->data_dir, STORE_FILE);
    CLEANUP(free_path) char *uri = o->immutable ? immutable_uri(path) : NULL;
    struct sql_conn *conn;
    bool fresh;

    (void)d;
    if (o->path) {
        if (look_at_header(path, o->newest_schema, &fresh, f) < 0)
            return -1;
        if (fresh)
            return fail_reason(f, CODE_NOT_FOUND, "no_such_file", "%s does not exist or is empty",
                               path);
    }
    if (open_file(uri ? uri : path, path, SQLITE_OPEN_READONLY | (uri ? SQLITE_OPEN_URI : 0), &conn,
                  f) < 0)
        return -1;
    if (setup(conn, reader_setup, f) < 0)
        return -1;
    *out = conn;
    return 0;
}

void sqlite_close(struct sql_conn **conn)
{
    if (!*conn)
        return;

    struct sqlite_conn *c = CONTAINER_OF(*conn, struct sqlite_conn, base);

    for (size_t i = 0; i < COUNTOF(c->cursors); i++)
        sqlite3_finalize(c->cursors[i].stmt);
    sqlite3_close(c->db);
    free(c->path);
    free(c);
    *conn = NULL;
}

/* All pages of one snapshot: the open read transaction keeps writers from starting the copy over.
 * The copy is one file without a log. */
int sqlite_backup(struct sql_conn *conn, const char *path)
{
    struct sqlite_conn *c = CONTAINER_OF(conn, struct sqlite_conn, base);
    sqlite3 *to = NULL;
    int rc = sqlite3_open_v2(
        path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    sqlite3_backup *copy = rc == SQLITE_OK ? sqlite3_backup_init(to, "main", c->db, "main") : NULL;

    if (copy) {
        do {
            rc = sqlite3_backup_step(copy, 4096);
        } while (rc == SQLITE_OK);
        rc = sqlite3_backup_finish(copy);
    } else if (rc == SQLITE_OK) {
        rc = sqlite3_extended_errcode(to);
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);

    int error = sqlite3_system_errno(to);

    if (rc != SQLITE_OK) {
        snprintf(c->base.message, sizeof(c->base.message), "backup: %s (%d, errno %d)",
                 sqlite3_errmsg(to), rc, error);
        c->base.error = (rc & 0xff) == SQLITE_FULL || error == ENOSPC || error == EDQUOT
                            ? SQL_CLASS_FULL
                            : SQL_CLASS_OTHER;
    }
    sqlite3_close(to);
    return rc == SQLITE_OK ? 0 : -1;
}
