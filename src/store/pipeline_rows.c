/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of sources, pipelines and the pipelines' revisions. Inside a transaction. */
#include "store/store_internal.h"

static void borrow_source(struct store_tx *tx, struct sql_cursor *q, struct source *out)
{
    *out = (struct source){
        .tenant = (uint64_t)tx_int(tx, q, 0),
        .collector = tx_int(tx, q, 1),
        .id = tx_int(tx, q, 2),
        .type = tx_borrow(tx, q, 3),
        .name = tx_borrow(tx, q, 4),
        .revision = tx_int(tx, q, 5),
        .created_us = tx_int(tx, q, 6),
        .updated_us = tx_int(tx, q, 7),
        .body = tx_borrow(tx, q, 8),
    };
}

static void read_source(struct store_tx *tx, struct sql_cursor *q, struct source *out)
{
    borrow_source(tx, q, out);
    out->type = arena_str(tx->arena, out->type);
    out->name = arena_str(tx->arena, out->name);
    out->body = arena_str(tx->arena, out->body);
}

int store_source_insert(struct store_tx *tx, const struct source *src, struct fail *f)
{
    const struct sql_value args[] = {
        ARG_INT(src->tenant),     ARG_INT(src->collector),  ARG_INT(src->id),
        ARG_TEXT(src->type),      ARG_TEXT(src->name),      ARG_INT(src->revision),
        ARG_INT(src->created_us), ARG_INT(src->updated_us), ARG_BYTES(src->body),
    };
    int64_t changed;

    if (tx_run(tx, SQL_SOURCE_INSERT, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    return changed ? 0 : fail_set(f, CODE_ALREADY_EXISTS, "there is such a source");
}

static int one_source(struct store_tx *tx, enum sql_id sql, const struct sql_value *args,
                      size_t count, struct source *out, struct fail *f)
{
    struct sql_cursor *q;

    if (tx_one(tx, sql, args, count, &q, f) < 0)
        return -1;
    read_source(tx, q, out);
    tx_finish(tx, q);
    return 0;
}

int store_source_get(struct store_tx *tx, uint64_t tenant, int64_t collector, int64_t id,
                     struct source *out, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(collector), ARG_INT(id)};

    return one_source(tx, SQL_SOURCE_GET, args, COUNTOF(args), out, f);
}

int store_source_get_name(struct store_tx *tx, uint64_t tenant, int64_t collector, struct str name,
                          struct source *out, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(collector), ARG_TEXT(name)};

    return one_source(tx, SQL_SOURCE_GET_NAME, args, COUNTOF(args), out, f);
}

int store_source_list(struct store_tx *tx, uint64_t tenant, int64_t collector, int64_t after,
                      size_t limit, struct source **out, size_t *count, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(collector), ARG_INT(after),
                                     ARG_INT(limit)};
    struct source *rows = NULL;
    struct sql_cursor *q;
    size_t n = 0;
    size_t room = 0;
    int got;

    if (tx_query(tx, SQL_SOURCE_LIST, args, COUNTOF(args), &q, f) < 0)
        return -1;
    while ((got = tx_step(tx, q, f)) > 0) {
        rows = tx_grow(tx, rows, n, &room, sizeof(*rows));
        read_source(tx, q, &rows[n++]);
    }
    if (got < 0)
        return -1;
    *out = rows;
    *count = n;
    return 0;
}

static int each_source(struct store_tx *tx, enum sql_id sql, const struct sql_value *args,
                       size_t count, bool (*fn)(void *arg, const struct source *src), void *arg,
                       struct fail *f)
{
    struct sql_cursor *q;
    struct source row;
    int got;

    if (tx_query(tx, sql, args, count, &q, f) < 0)
        return -1;
    while ((got = tx_step(tx, q, f)) > 0) {
        borrow_source(tx, q, &row);
        if (!fn(arg, &row)) {
            tx_finish(tx, q);
            return 0;
        }
    }
    return got;
}

int store_source_each(struct store_tx *tx, uint64_t tenant, int64_t collector,
                      bool (*fn)(void *arg, const struct source *src), void *arg, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(collector), ARG_INT(0),
                                     ARG_INT(INT64_MAX)};

    return each_source(tx, SQL_SOURCE_LIST, args, COUNTOF(args), fn, arg, f);
}

int store_source_load(struct store_tx *tx, bool (*fn)(void *arg, const struct source *src),
                      void *arg, struct fail *f)
{
    return each_source(tx, SQL_SOURCE_LOAD, NULL, 0, fn, arg, f);
}

int store_source_count(struct store_tx *tx, uint64_t tenant, int64_t collector, int64_t *out,
                       int64_t *bytes, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(collector)};
    struct sql_cursor *q;

    if (tx_one(tx, SQL_SOURCE_COUNT, args, COUNTOF(args), &q, f) < 0)
        return -1;
    *out = tx_int(tx, q, 0);
    *bytes = tx_int(tx, q, 1);
    tx_finish(tx, q);
    return 0;
}

int store_source_update(struct store_tx *tx, const struct source *src, int64_t from, struct fail *f)
{
    const struct sql_value args[] = {
        ARG_TEXT(src->type),      ARG_TEXT(src->name),  ARG_INT(src->revision),
        ARG_INT(src->updated_us), ARG_BYTES(src->body), ARG_INT(src->tenant),
        ARG_INT(src->collector),  ARG_INT(src->id),     ARG_INT(from),
    };
    int64_t changed;

    if (tx_run(tx, SQL_SOURCE_UPDATE, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    return changed ? 0 : fail_set(f, CODE_ABORTED, "the source was changed meanwhile");
}

int store_source_delete(struct store_tx *tx, uint64_t tenant, int64_t collector, int64_t id,
                        struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(collector), ARG_INT(id)};
    int64_t changed;

    if (tx_run(tx, SQL_SOURCE_DELETE, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    return changed ? 0 : fail_set(f, CODE_NOT_FOUND, "there is no such source");
}

static void read_pipeline(struct store_tx *tx, struct sql_cursor *q, unsigned at,
                          struct pipeline *out)
{
    *out = (struct pipeline){
        .tenant = (uint64_t)tx_int(tx, q, at),
        .id = tx_int(tx, q, at + 1),
        .name = tx_text(tx, q, at + 2),
        .enabled = tx_int(tx, q, at + 3) != 0,
        .revision = tx_int(tx, q, at + 4),
        .created_us = tx_int(tx, q, at + 5),
        .updated_us = tx_int(tx, q, at + 6),
        .body = tx_text(tx, q, at + 7),
    };
}

int store_pipeline_insert(struct store_tx *tx, const struct pipeline *p, struct fail *f)
{
    const struct sql_value args[] = {
        ARG_INT(p->tenant),   ARG_INT(p->id),         ARG_TEXT(p->name),      ARG_INT(p->enabled),
        ARG_INT(p->revision), ARG_INT(p->created_us), ARG_INT(p->updated_us), ARG_BYTES(p->body),
    };
    int64_t changed;

    if (tx_run(tx, SQL_PIPELINE_INSERT, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    return changed ? 0 : fail_set(f, CODE_ALREADY_EXISTS, "there is such a pipeline");
}

static int one_pipeline(struct store_tx *tx, enum sql_id sql, const struct sql_value *args,
                        size_t count, struct pipeline *out, struct fail *f)
{
    struct sql_cursor *q;

    if (tx_one(tx, sql, args, count, &q, f) < 0)
        return -1;
    read_pipeline(tx, q, 0, out);
    tx_finish(tx, q);
    return 0;
}

int store_pipeline_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct pipeline *out,
                       struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(id)};

    return one_pipeline(tx, SQL_PIPELINE_GET, args, COUNTOF(args), out, f);
}

int store_pipeline_get_name(struct store_tx *tx, uint64_t tenant, struct str name,
                            struct pipeline *out, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_TEXT(name)};

    return one_pipeline(tx, SQL_PIPELINE_GET_NAME, args, COUNTOF(args), out, f);
}

int store_pipeline_list(struct store_tx *tx, uint64_t tenant, int64_t after, size_t limit,
                        struct pipeline **out, size_t *count, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(after), ARG_INT(limit)};
    struct pipeline *rows = NULL;
    struct sql_cursor *q;
    size_t n = 0;
    size_t room = 0;
    int got;

    if (tx_query(tx, SQL_PIPELINE_LIST, args, COUNTOF(args), &q, f) < 0)
        return -1;
    while ((got = tx_step(tx, q, f)) > 0) {
        rows = tx_grow(tx, rows, n, &room, sizeof(*rows));
        read_pipeline(tx, q, 0, &rows[n++]);
    }
    if (got < 0)
        return -1;
    *out = rows;
    *count = n;
    return 0;
}

int store_pipeline_update(struct store_tx *tx, const struct pipeline *p, int64_t from,
                          struct fail *f)
{
    const struct sql_value args[] = {
        ARG_TEXT(p->name),  ARG_INT(p->enabled), ARG_INT(p->revision), ARG_INT(p->updated_us),
        ARG_BYTES(p->body), ARG_INT(p->tenant),  ARG_INT(p->id),       ARG_INT(from),
    };
    int64_t changed;

    if (tx_run(tx, SQL_PIPELINE_UPDATE, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    return changed ? 0 : fail_set(f, CODE_ABORTED, "the pipeline was changed meanwhile");
}

int store_pipeline_delete(struct store_tx *tx, uint64_t tenant, int64_t id, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(id)};
    int64_t changed;

    if (tx_run(tx, SQL_PIPELINE_DELETE, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    return changed ? 0 : fail_set(f, CODE_NOT_FOUND, "there is no such pipeline");
}

int store_revision_insert(struct store_tx *tx, const struct pipeline_revision *r, struct fail *f)
{
    const struct pipeline *p = &r->snapshot;
    const struct sql_value args[] = {
        ARG_INT(r->id),       ARG_INT(r->change),     ARG_INT(r->at_us),      ARG_TEXT(r->actor),
        ARG_INT(p->tenant),   ARG_INT(p->id),         ARG_TEXT(p->name),      ARG_INT(p->enabled),
        ARG_INT(p->revision), ARG_INT(p->created_us), ARG_INT(p->updated_us), ARG_BYTES(p->body),
    };

    return tx_run(tx, SQL_REVISION_INSERT, args, COUNTOF(args), NULL, f);
}

static void read_revision(struct store_tx *tx, struct sql_cursor *q, struct pipeline_revision *out)
{
    out->id = tx_int(tx, q, 0);
    out->change = (enum pipeline_change)tx_int(tx, q, 1);
    out->at_us = tx_int(tx, q, 2);
    out->actor = tx_text(tx, q, 3);
    read_pipeline(tx, q, 4, &out->snapshot);
}

int store_revision_get(struct store_tx *tx, uint64_t tenant, int64_t id,
                       struct pipeline_revision *out, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(id)};
    struct sql_cursor *q;

    if (tx_one(tx, SQL_REVISION_GET, args, COUNTOF(args), &q, f) < 0)
        return -1;
    read_revision(tx, q, out);
    tx_finish(tx, q);
    return 0;
}

int store_revision_list(struct store_tx *tx, uint64_t tenant, int64_t pipeline, int64_t before,
                        size_t limit, struct pipeline_revision **out, size_t *count, struct fail *f)
{
    struct sql_value args[4] = {ARG_INT(tenant)};
    struct pipeline_revision *rows = NULL;
    struct sql_cursor *q;
    size_t arg_count = 1;
    size_t n = 0;
    size_t room = 0;
    int got;

    if (pipeline)
        args[arg_count++] = (struct sql_value)ARG_INT(pipeline);
    args[arg_count++] = (struct sql_value)ARG_INT(before ? before : INT64_MAX);
    args[arg_count++] = (struct sql_value)ARG_INT(limit);
    if (tx_query(tx, pipeline ? SQL_REVISION_LIST : SQL_REVISION_LIST_ALL, args, arg_count, &q, f) <
        0)
        return -1;
    while ((got = tx_step(tx, q, f)) > 0) {
        rows = tx_grow(tx, rows, n, &room, sizeof(*rows));
        read_revision(tx, q, &rows[n++]);
    }
    if (got < 0)
        return -1;
    *out = rows;
    *count = n;
    return 0;
}
