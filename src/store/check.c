/* SPDX-License-Identifier: Apache-2.0 */
/* Backup and verification, on connections of their own. Workers and the command line; block. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/heap.h"
#include "core/build.h"
#include "core/datafile.h"
#include "store/store_internal.h"

#define FINDINGS_MAX 100
#define PATH_SIZE    4096

static void free_text(char **text)
{
    free(*text);
}

static int sync_file(const char *path, struct fail *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return datafile_fail(f, errno, "open", path);

    int error = fsync(fd) < 0 ? errno : 0;

    close(fd);
    return error ? datafile_fail(f, error, "sync", path) : 0;
}

/* A fresh file of our mode that the engine then fills. */
static int make_target(const char *path, struct fail *f)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return datafile_fail(f, errno, "replace", path);

    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return datafile_fail(f, errno, "make", path);
    close(fd);
    return 0;
}

static bool is_data_file(const struct store *s, const char *path)
{
    char own[PATH_SIZE];
    struct stat a;
    struct stat b;

    snprintf(own, sizeof(own), "%s/%s", s->data_dir, STORE_FILE);
    return stat(own, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static int copy_to(struct store *s, const char *path, struct fail *f)
{
    struct sql_open o = {.data_dir = s->data_dir, .newest_schema = store_schema_version()};
    struct sql_conn *c;

    if (s->driver->open_reader(s->driver, &o, &c, f) < 0)
        return -1;

    int r = s->driver->begin_read(c);

    if (r == 0) {
        r = s->driver->backup(c, path);
        if (r < 0)
            IGNORE(sql_fail(c, f));
        s->driver->rollback(c);
    } else {
        IGNORE(sql_fail(c, f));
    }
    s->driver->close(&c);
    return r;
}

int store_backup(struct store *s, const char *path, struct fail *f)
{
    size_t size = strlen(path) + sizeof(".partial");
    CLEANUP(free_text) char *partial = heap_alloc(size);
    CLEANUP(free_text) char *dir = heap_cstr(str_of(path));

    if (is_data_file(s, path))
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_path",
                           "%s is the data file itself: choose another name", path);
    snprintf(partial, size, "%s.partial", path);
    if (make_target(partial, f) < 0)
        return -1;
    if (copy_to(s, partial, f) < 0 || sync_file(partial, f) < 0) {
        IGNORE(unlink(partial));
        return -1;
    }
    if (rename(partial, path) < 0) {
        IGNORE(datafile_fail(f, errno, "rename to", path));
        IGNORE(unlink(partial));
        return -1;
    }
    return datafile_sync_dir(dirname(dir), f);
}

struct report {
    struct arena *arena;
    struct store_findings *out;
};

static void add_line(void *arg, const char *text)
{
    struct report *r = arg;

    if (r->out->count < FINDINGS_MAX)
        r->out->lines[r->out->count++] = arena_cstr(r->arena, str_of(text));
}

/* Each row that an invariant's query selects is a finding. */
static int check_invariant(const struct sql_driver *d, struct sql_conn *c, enum sql_id id,
                           struct report *r)
{
    struct sql_cursor *q;
    enum sql_step step;

    if (d->query(c, id, NULL, 0, &q) < 0)
        return -1;
    while ((step = d->step(q)) == SQL_ROW) {
        struct str row =
            arena_printf(r->arena, "%s: tenant %lld, id %lld", sql_check_meaning(id),
                         (long long)d->column_int(q, 0), (long long)d->column_int(q, 1));

        add_line(r, arena_cstr(r->arena, row));
    }
    d->finish(q);
    return step == SQL_DONE ? 0 : -1;
}

static int read_totals(const struct sql_driver *d, struct sql_conn *c, struct store_findings *out)
{
    int64_t *const totals[] = {&out->tenants,   &out->keys,   &out->collectors, &out->sources,
                               &out->pipelines, &out->events, &out->tasks,      &out->texts};
    struct sql_cursor *q;

    if (d->query(c, SQL_TOTALS, NULL, 0, &q) < 0)
        return -1;

    enum sql_step step = d->step(q);

    for (unsigned i = 0; step == SQL_ROW && i < COUNTOF(totals); i++)
        *totals[i] = d->column_int(q, i);
    d->finish(q);
    return step == SQL_ERROR ? -1 : 0;
}

/* As the domain reads it. */
static void read_builds(const struct sql_driver *d, struct sql_conn *c, struct report *r)
{
    struct store s = {.driver = d};
    struct store_tx tx = {.store = &s, .conn = c, .arena = r->arena};
    struct build *rows = NULL;
    struct fail f = {0};

    r->out->builds_known = build_list(&tx, &rows, &r->out->build_count, &f) == 0;
    r->out->builds = rows;
    if (!r->out->builds_known)
        add_line(r, f.message);
}

/* Damage is a finding, not a failure: the check could be made. */
static int settle(struct sql_conn *c, int result, struct report *r, struct fail *f)
{
    if (result == 0)
        return 0;
    if (c->error != SQL_CLASS_CORRUPT)
        return sql_fail(c, f);
    add_line(r, c->message);
    return 0;
}

static int check_rows(const struct sql_driver *d, struct sql_conn *c, struct report *r)
{
    if (d->integrity(c, add_line, r) < 0)
        return -1;
    if (r->out->count > 0 || r->out->schema_version != store_schema_version())
        return 0;
    for (enum sql_id id = SQL_CHECK_FIRST; id < SQL_CHECK_END; id++) {
        if (check_invariant(d, c, id, r) < 0)
            return -1;
    }
    if (text_check(d, c, add_line, r) < 0)
        return -1;
    read_builds(d, c, r);
    return read_totals(d, c, r->out);
}

static int check(const struct sql_driver *d, struct sql_conn *c, struct arena *a,
                 struct store_findings *out, struct fail *f)
{
    struct store_findings found = {.lines = arena_new_array(a, char *, FINDINGS_MAX)};
    struct report r = {a, &found};
    int result = d->schema_version(c, &found.schema_version);

    if (result == 0)
        result = check_rows(d, c, &r);
    if (settle(c, result, &r, f) < 0)
        return -1;
    *out = found;
    return 0;
}

int store_check(struct store *s, struct arena *a, struct store_findings *out, struct fail *f)
{
    struct sql_open o = {.data_dir = s->data_dir, .newest_schema = store_schema_version()};
    struct sql_conn *c;
    int r = -1;

    if (s->driver->open_reader(s->driver, &o, &c, f) < 0)
        return -1;
    if (s->driver->begin_read(c) == 0) {
        r = check(s->driver, c, a, out, f);
        s->driver->rollback(c);
    } else {
        IGNORE(sql_fail(c, f));
    }
    s->driver->close(&c);
    return r;
}

static bool is_there(const char *path, const char *suffix)
{
    char name[PATH_SIZE];
    struct stat st;

    snprintf(name, sizeof(name), "%s%s", path, suffix);
    return stat(name, &st) == 0 && st.st_size > 0;
}

/* A server that runs on this very file holds the lock beside it. */
static bool is_in_use(const char *path)
{
    CLEANUP(free_text) char *dir = heap_cstr(str_of(path));
    CLEANUP(free_text) char *name = heap_cstr(str_of(path));
    char lock[PATH_SIZE];

    if (strcmp(basename(name), STORE_FILE) != 0)
        return false;
    snprintf(lock, sizeof(lock), "%s/lock", dirname(dir));

    int fd = open(lock, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;

    bool held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;

    close(fd);
    return held;
}

static int write_all(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

static int copy_file(const char *from, const char *to, struct fail *f)
{
    char *block = heap_alloc(1 << 16);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int r = in < 0 ? datafile_fail(f, errno, "open", from)
                   : (out < 0 ? datafile_fail(f, errno, "make", to) : 0);

    while (r == 0) {
        ssize_t n = read(in, block, 1 << 16);

        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            r = datafile_fail(f, errno, "read", from);
        else if (n > 0 && write_all(out, block, (size_t)n) < 0)
            r = datafile_fail(f, errno, "write", to);
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    free(block);
    return r;
}

static int check_path(const char *path, bool immutable, struct arena *a, struct store_findings *out,
                      struct fail *f)
{
    const struct sql_driver *d = &sqlite_driver;
    struct sql_open o = {
        .path = path, .newest_schema = store_schema_version(), .immutable = immutable};
    struct sql_conn *c;

    if (d->open_reader(d, &o, &c, f) < 0)
        return -1;

    int r = check(d, c, a, out, f);

    d->close(&c);
    return r;
}

/* A file with a log beside it can only be read together with it, and reading would write: so both
 * are copied, and the copy is read. */
static int check_copy(const char *path, struct arena *a, struct store_findings *out, struct fail *f)
{
    static const char *const suffixes[] = {"", "-wal", "-journal"};
    const char *tmp = getenv("TMPDIR");
    char dir[PATH_SIZE];
    char from[PATH_SIZE + 16];
    char to[COUNTOF(suffixes)][PATH_SIZE + 16];
    int r = 0;

    snprintf(dir, sizeof(dir), "%s/muster-check-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir))
        return datafile_fail(f, errno, "make", dir);
    for (size_t i = 0; i < COUNTOF(suffixes); i++) {
        snprintf(from, sizeof(from), "%s%s", path, suffixes[i]);
        snprintf(to[i], sizeof(to[i]), "%s/copy%s", dir, suffixes[i]);
        if (r == 0 && is_there(path, suffixes[i]))
            r = copy_file(from, to[i], f);
    }
    if (r == 0)
        r = check_path(to[0], false, a, out, f);
    for (size_t i = 0; i < COUNTOF(to); i++)
        IGNORE(unlink(to[i]));
    snprintf(from, sizeof(from), "%s/copy-shm", dir);
    IGNORE(unlink(from));
    IGNORE(rmdir(dir));
    return r;
}

int store_check_file(const char *path, struct arena *a, struct store_findings *out, struct fail *f)
{
    if (strlen(path) > PATH_SIZE - 64)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_path", "the path is too long");
    if (is_in_use(path))
        return fail_reason(f, CODE_FAILED_PRECONDITION, "locked",
                           "%s is in use: ask the server that runs on it", path);
    if (is_there(path, "-wal") || is_there(path, "-journal"))
        return check_copy(path, a, out, f);
    return check_path(path, true, a, out, f);
}
