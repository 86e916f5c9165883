/* SPDX-License-Identifier: Apache-2.0 */
/* See fault.h. Each connection wraps one of the inner driver and knows its fault through the driver
 * table, which lies inside the fault itself. */
#include "store/fault.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"

enum what {
    CALL_ANY,
    CALL_WRITE,
    CALL_COMMIT
};

enum mode {
    MODE_OFF,
    MODE_ANY,
    MODE_COMMIT,
    MODE_ALWAYS
};

struct fault {
    struct sql_driver driver; /* first: a connection's driver is its fault */
    const struct sql_driver *inner;
    pthread_mutex_t lock; /* guards what follows */
    enum mode mode;
    size_t left;
    enum sql_class class;
    bool hit;
    size_t handles;
};

struct fault_conn {
    struct sql_conn base;
    struct fault *fault;
    struct sql_conn *inner;
    bool writes;
};

struct fault_cursor {
    struct fault_conn *conn;
    struct sql_cursor *inner;
};

static struct fault *of_driver(const struct sql_driver *d)
{
    /* The table was handed out as constant, the fault around it never was. */
    union {
        const struct sql_driver *constant;
        struct fault *fault;
    } same = {d};

    return same.fault;
}

static struct fault_conn *of(struct sql_conn *c)
{
    return CONTAINER_OF(c, struct fault_conn, base);
}

static bool strikes(struct fault *f, enum what what, bool writes, enum sql_class *class)
{
    bool strike = false;

    pthread_mutex_lock(&f->lock);
    switch (f->mode) {
    case MODE_OFF: break;
    case MODE_ANY:
    case MODE_COMMIT:
        if (f->mode == MODE_ANY || what == CALL_COMMIT)
            strike = f->left > 0 && --f->left == 0;
        break;
    case MODE_ALWAYS: strike = writes && what != CALL_ANY; break;
    }
    if (strike)
        f->hit = true;
    *class = f->class;
    pthread_mutex_unlock(&f->lock);
    return strike;
}

static bool fails(struct fault_conn *c, enum what what, const char *call)
{
    enum sql_class class;

    if (!strikes(c->fault, what, c->writes, &class))
        return false;
    c->base.error = class;
    snprintf(c->base.message, sizeof(c->base.message), "injected into %s", call);
    return true;
}

static int pass(struct fault_conn *c, int result)
{
    c->base.error = c->inner->error;
    memcpy(c->base.message, c->inner->message, sizeof(c->base.message));
    return result;
}

static void count_handle(struct fault *f, bool more)
{
    pthread_mutex_lock(&f->lock);
    f->handles += more ? 1 : (size_t)-1;
    pthread_mutex_unlock(&f->lock);
}

static int open_conn(struct fault *f, bool writes, const struct sql_open *o, struct sql_conn **out,
                     struct fail *fail)
{
    const struct sql_driver *inner = f->inner;
    struct fault_conn *c = heap_new_type(struct fault_conn);

    c->base.driver = &f->driver;
    c->fault = f;
    c->writes = writes;
    if (fails(c, CALL_ANY, "open")) {
        IGNORE(sql_fail(&c->base, fail));
        free(c);
        return -1;
    }

    int r = writes ? inner->open_lane(inner, o, &c->inner, fail)
                   : inner->open_reader(inner, o, &c->inner, fail);

    if (r < 0) {
        free(c);
        return -1;
    }
    count_handle(f, true);
    *out = &c->base;
    return 0;
}

static int open_lane(const struct sql_driver *d, const struct sql_open *o, struct sql_conn **out,
                     struct fail *f)
{
    return open_conn(of_driver(d), true, o, out, f);
}

static int open_reader(const struct sql_driver *d, const struct sql_open *o, struct sql_conn **out,
                       struct fail *f)
{
    return open_conn(of_driver(d), false, o, out, f);
}

static void close_conn(struct sql_conn **conn)
{
    if (!*conn)
        return;

    struct fault_conn *c = of(*conn);

    count_handle(c->fault, false);
    c->fault->inner->close(&c->inner);
    free(c);
    *conn = NULL;
}

static int lock_dir(const struct sql_driver *d, const char *data_dir, void **lock, struct fail *f)
{
    struct fault *fault = of_driver(d);

    if (fault->inner->lock(fault->inner, data_dir, lock, f) < 0)
        return -1;
    count_handle(fault, true);
    return 0;
}

static void unlock_dir(const struct sql_driver *d, void **lock)
{
    struct fault *fault = of_driver(d);

    if (!*lock)
        return;
    count_handle(fault, false);
    fault->inner->unlock(fault->inner, lock);
}

static int begin(struct sql_conn *conn)
{
    struct fault_conn *c = of(conn);

    return fails(c, CALL_WRITE, "begin") ? -1 : pass(c, c->fault->inner->begin(c->inner));
}

static int begin_read(struct sql_conn *conn)
{
    struct fault_conn *c = of(conn);

    return fails(c, CALL_ANY, "begin_read") ? -1 : pass(c, c->fault->inner->begin_read(c->inner));
}

static int savepoint(struct sql_conn *conn)
{
    struct fault_conn *c = of(conn);

    return fails(c, CALL_ANY, "savepoint") ? -1 : pass(c, c->fault->inner->savepoint(c->inner));
}

static int release(struct sql_conn *conn)
{
    struct fault_conn *c = of(conn);

    return fails(c, CALL_ANY, "release") ? -1 : pass(c, c->fault->inner->release(c->inner));
}

static int rollback_to(struct sql_conn *conn)
{
    struct fault_conn *c = of(conn);

    return fails(c, CALL_ANY, "rollback_to") ? -1 : pass(c, c->fault->inner->rollback_to(c->inner));
}

static int commit(struct sql_conn *conn)
{
    struct fault_conn *c = of(conn);

    return fails(c, CALL_COMMIT, "commit") ? -1 : pass(c, c->fault->inner->commit(c->inner));
}

static void rollback(struct sql_conn *conn)
{
    struct fault_conn *c = of(conn);

    c->fault->inner->rollback(c->inner);
}

static struct fault_cursor *of_cursor(struct sql_cursor *q)
{
    return (void *)q;
}

static int query(struct sql_conn *conn, unsigned sql, const struct sql_value *args, size_t count,
                 struct sql_cursor **out)
{
    struct fault_conn *c = of(conn);
    struct sql_cursor *inner;

    if (fails(c, CALL_ANY, "query"))
        return -1;
    if (pass(c, c->fault->inner->query(c->inner, sql, args, count, &inner)) < 0)
        return -1;

    struct fault_cursor *q = heap_new_type(struct fault_cursor);

    q->conn = c;
    q->inner = inner;
    *out = (void *)q;
    return 0;
}

static enum sql_step step(struct sql_cursor *cursor)
{
    struct fault_cursor *q = of_cursor(cursor);

    if (fails(q->conn, CALL_WRITE, "step"))
        return SQL_ERROR;

    enum sql_step s = q->conn->fault->inner->step(q->inner);

    IGNORE(pass(q->conn, 0));
    return s;
}

static int64_t column_int(struct sql_cursor *q, unsigned column)
{
    return of_cursor(q)->conn->fault->inner->column_int(of_cursor(q)->inner, column);
}

static struct str column_str(struct sql_cursor *q, unsigned column)
{
    return of_cursor(q)->conn->fault->inner->column_str(of_cursor(q)->inner, column);
}

static int64_t changes(struct sql_conn *c)
{
    return of(c)->fault->inner->changes(of(c)->inner);
}

static void finish(struct sql_cursor *q)
{
    of_cursor(q)->conn->fault->inner->finish(of_cursor(q)->inner);
    free(q);
}

static int execute(struct sql_conn *conn, const char *script)
{
    struct fault_conn *c = of(conn);

    return fails(c, CALL_WRITE, "execute") ? -1
                                           : pass(c, c->fault->inner->execute(c->inner, script));
}

static int schema_version(struct sql_conn *conn, int *out)
{
    struct fault_conn *c = of(conn);

    return fails(c, CALL_ANY, "schema_version")
               ? -1
               : pass(c, c->fault->inner->schema_version(c->inner, out));
}

static int set_schema_version(struct sql_conn *conn, int version)
{
    struct fault_conn *c = of(conn);

    return fails(c, CALL_WRITE, "set_schema_version")
               ? -1
               : pass(c, c->fault->inner->set_schema_version(c->inner, version));
}

static size_t log_pages(struct sql_conn *c)
{
    return of(c)->fault->inner->log_pages(of(c)->inner);
}

static int checkpoint(struct sql_conn *conn, bool truncate)
{
    struct fault_conn *c = of(conn);

    return fails(c, CALL_ANY, "checkpoint")
               ? -1
               : pass(c, c->fault->inner->checkpoint(c->inner, truncate));
}

static int64_t size_bytes(struct sql_conn *c)
{
    return of(c)->fault->inner->size_bytes(of(c)->inner);
}

static int backup(struct sql_conn *conn, const char *path)
{
    struct fault_conn *c = of(conn);

    return fails(c, CALL_ANY, "backup") ? -1 : pass(c, c->fault->inner->backup(c->inner, path));
}

static int integrity(struct sql_conn *conn, void (*line)(void *arg, const char *text), void *arg)
{
    struct fault_conn *c = of(conn);

    return fails(c, CALL_ANY, "integrity")
               ? -1
               : pass(c, c->fault->inner->integrity(c->inner, line, arg));
}

static const struct sql_driver table = {
    .name = "fault",
    .lock = lock_dir,
    .unlock = unlock_dir,
    .open_lane = open_lane,
    .open_reader = open_reader,
    .close = close_conn,
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
    .backup = backup,
    .integrity = integrity,
};

struct fault *fault_new(const struct sql_driver *inner)
{
    struct fault *f = heap_new_type(struct fault);

    f->driver = table;
    f->inner = inner;
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void fault_free(struct fault **f)
{
    if (!*f)
        return;
    pthread_mutex_destroy(&(*f)->lock);
    free(*f);
    *f = NULL;
}

const struct sql_driver *fault_driver(struct fault *f)
{
    return &f->driver;
}

static void set(struct fault *f, enum mode mode, size_t at, enum sql_class class)
{
    pthread_mutex_lock(&f->lock);
    f->mode = mode;
    f->left = at;
    f->class = class;
    f->hit = false;
    pthread_mutex_unlock(&f->lock);
}

void fault_set(struct fault *f, size_t at, enum sql_class class)
{
    set(f, at ? MODE_ANY : MODE_OFF, at, class);
}

void fault_set_commit(struct fault *f, size_t at, enum sql_class class)
{
    set(f, MODE_COMMIT, at, class);
}

void fault_set_always(struct fault *f, enum sql_class class)
{
    set(f, MODE_ALWAYS, 0, class);
}

bool fault_hit(struct fault *f)
{
    pthread_mutex_lock(&f->lock);

    bool hit = f->hit;

    pthread_mutex_unlock(&f->lock);
    return hit;
}

size_t fault_open_handles(struct fault *f)
{
    pthread_mutex_lock(&f->lock);

    size_t n = f->handles;

    pthread_mutex_unlock(&f->lock);
    return n;
}
