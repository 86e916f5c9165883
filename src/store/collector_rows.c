/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of collectors. Inside a transaction. Filters that no index serves are applied here while the
 * rows stream by, so that memory stays constant. */
#include <assert.h>

#include "core/collector.h"
#include "store/store_internal.h"

/* Agents and hosted collectors are seen side by side by a vendor whose names are unique over both.
 */
static int64_t name_group(enum collector_kind kind)
{
    switch (kind) {
    case COLLECTOR_AGENT:
    case COLLECTOR_HOSTED: return 0;
    case COLLECTOR_PLUGIN: return 1;
    case COLLECTOR_CAPTURE: return 2;
    }
    return -1;
}

static struct sql_value name_key(const struct collector *c)
{
    if (c->unique_name && c->name.len > 0)
        return (struct sql_value)ARG_TEXT(c->name);
    return (struct sql_value)ARG_NULL;
}

int store_collector_insert(struct store_tx *tx, const struct collector *c, struct fail *f)
{
    const struct sql_value args[] = {
        ARG_INT(c->tenant),
        ARG_INT(c->id),
        ARG_INT(c->kind),
        ARG_TEXT(c->space),
        ARG_TEXT(c->ext_id),
        ARG_TEXT(c->name),
        ARG_INT(name_group(c->kind)),
        name_key(c),
        ARG_BYTES(c->labels),
        ARG_INT(c->revision),
        ARG_INT(c->created_us),
        ARG_INT(c->updated_us),
        ARG_INT(c->last_seen_us),
        ARG_BYTES(c->body),
    };
    int64_t changed;

    if (tx_run(tx, SQL_COLLECTOR_INSERT, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    return changed ? 0 : fail_set(f, CODE_ALREADY_EXISTS, "there is such a collector");
}

static void borrow(struct store_tx *tx, struct sql_cursor *q, struct collector *out)
{
    *out = (struct collector){
        .tenant = (uint64_t)tx_int(tx, q, 0),
        .id = tx_int(tx, q, 1),
        .kind = (enum collector_kind)tx_int(tx, q, 2),
        .space = tx_borrow(tx, q, 3),
        .ext_id = tx_borrow(tx, q, 4),
        .name = tx_borrow(tx, q, 5),
        .unique_name = tx_int(tx, q, 6) != 0,
        .labels = tx_borrow(tx, q, 7),
        .revision = tx_int(tx, q, 8),
        .created_us = tx_int(tx, q, 9),
        .updated_us = tx_int(tx, q, 10),
        .last_seen_us = tx_int(tx, q, 11),
        .body = tx_borrow(tx, q, 12),
    };
}

static int one(struct store_tx *tx, enum sql_id sql, const struct sql_value *args, size_t count,
               struct collector *out, struct fail *f)
{
    struct arena *a = tx->arena;
    struct sql_cursor *q;

    if (tx_one(tx, sql, args, count, &q, f) < 0)
        return -1;
    borrow(tx, q, out);
    out->space = arena_str(a, out->space);
    out->ext_id = arena_str(a, out->ext_id);
    out->name = arena_str(a, out->name);
    out->labels = arena_str(a, out->labels);
    out->body = arena_str(a, out->body);
    tx_finish(tx, q);
    return 0;
}

int store_collector_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct collector *out,
                        struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(id)};

    return one(tx, SQL_COLLECTOR_GET, args, COUNTOF(args), out, f);
}

int store_collector_get_ext(struct store_tx *tx, uint64_t tenant, enum collector_kind kind,
                            struct str space, struct str ext_id, struct collector *out,
                            struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(kind), ARG_TEXT(space),
                                     ARG_TEXT(ext_id)};

    return one(tx, SQL_COLLECTOR_GET_EXT, args, COUNTOF(args), out, f);
}

int store_collector_get_name(struct store_tx *tx, uint64_t tenant, enum collector_kind kind,
                             struct str name, struct collector *out, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(name_group(kind)), ARG_TEXT(name)};

    return one(tx, SQL_COLLECTOR_GET_NAME, args, COUNTOF(args), out, f);
}

static bool matches(const struct collector *c, const struct collector_filter *w)
{
    if (w->kinds && !(w->kinds & (1u << c->kind)))
        return false;
    if (w->space && !str_eq(c->space, *w->space))
        return false;
    if (w->name && !str_eq(c->name, *w->name))
        return false;
    if (!str_starts_with(c->name, w->name_prefix))
        return false;
    if (w->seen_since_us && c->last_seen_us < w->seen_since_us)
        return false;
    if (w->seen_before_us && c->last_seen_us >= w->seen_before_us)
        return false;
    for (size_t i = 0; i < w->label_count; i++) {
        struct str value;

        if (!labels_find(c->labels, w->labels[i].key, &value) || !str_eq(value, w->labels[i].value))
            return false;
    }
    return true;
}

/* Starts the query that yields the rows in order, from the cursor on. */
static int start(struct store_tx *tx, uint64_t tenant, const struct collector_filter *w,
                 struct sql_cursor **out, struct fail *f)
{
    /* Agents have no index by name: there are many, and they are registered often. */
    bool sorts_agents = w->order == COLLECTOR_BY_NAME && w->kinds == 1u << COLLECTOR_AGENT;
    bool one_kind = w->kinds && (w->kinds & (w->kinds - 1)) == 0 && !sorts_agents;
    int64_t after = w->after_id;
    struct sql_value args[4] = {ARG_INT(tenant)};
    enum sql_id sql = SQL_COLLECTOR_BY_ID;
    size_t n = 1;

    if (one_kind)
        args[n++] = (struct sql_value)ARG_INT(__builtin_ctz(w->kinds));
    switch (w->order) {
    case COLLECTOR_BY_ID: sql = one_kind ? SQL_COLLECTOR_KIND_BY_ID : SQL_COLLECTOR_BY_ID; break;
    case COLLECTOR_BY_ID_DESC:
        sql = one_kind ? SQL_COLLECTOR_KIND_BY_ID_DESC : SQL_COLLECTOR_BY_ID_DESC;
        after = after ? after : INT64_MAX;
        break;
    case COLLECTOR_BY_NAME:
        sql = one_kind ? SQL_COLLECTOR_KIND_BY_NAME : SQL_COLLECTOR_BY_NAME;
        args[n++] = (struct sql_value)ARG_TEXT(w->after_name);
        break;
    }
    args[n++] = (struct sql_value)ARG_INT(after);
    return tx_query(tx, sql, args, n, out, f);
}

int store_collector_each(struct store_tx *tx, uint64_t tenant, const struct collector_filter *w,
                         bool (*fn)(void *arg, const struct collector *c), void *arg,
                         int64_t *total, struct fail *f)
{
    size_t limit = w->limit ? w->limit : 1000;
    struct collector c;
    struct sql_cursor *q;
    int64_t seen = 0;
    size_t given = 0;
    bool more = fn != NULL;
    int got;

    if (start(tx, tenant, w, &q, f) < 0)
        return -1;
    while ((got = tx_step(tx, q, f)) > 0) {
        borrow(tx, q, &c);
        if (!matches(&c, w))
            continue;
        if (more && given < limit && (size_t)seen >= w->offset) {
            given++;
            more = fn(arg, &c);
        }
        seen++;
        if (!total && (!more || given == limit)) {
            tx_finish(tx, q);
            return 0;
        }
    }
    if (got == 0 && total)
        *total = seen;
    return got;
}

int store_collector_load(struct store_tx *tx, uint32_t kinds,
                         bool (*fn)(void *arg, const struct collector *c), void *arg,
                         struct fail *f)
{
    struct collector c;
    struct sql_cursor *q;
    int got;

    if (tx_query(tx, SQL_COLLECTOR_LOAD, NULL, 0, &q, f) < 0)
        return -1;
    while ((got = tx_step(tx, q, f)) > 0) {
        borrow(tx, q, &c);
        if (kinds && !(kinds & (1u << c.kind)))
            continue;
        if (!fn(arg, &c)) {
            tx_finish(tx, q);
            return 0;
        }
    }
    return got;
}

int store_collector_update(struct store_tx *tx, const struct collector *c, int64_t from,
                           struct fail *f)
{
    const struct sql_value args[] = {
        ARG_TEXT(c->name),      name_key(c),
        ARG_BYTES(c->labels),   ARG_INT(c->revision),
        ARG_INT(c->updated_us), ARG_INT(c->last_seen_us),
        ARG_BYTES(c->body),     ARG_INT(c->tenant),
        ARG_INT(c->id),         ARG_INT(from),
    };
    int64_t changed;

    if (tx_run(tx, SQL_COLLECTOR_UPDATE, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    return changed ? 0 : fail_set(f, CODE_ABORTED, "the collector was changed meanwhile");
}

int store_collector_delete(struct store_tx *tx, uint64_t tenant, int64_t id, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(id)};
    int64_t changed;

    if (tx_run(tx, SQL_COLLECTOR_DELETE_SOURCES, args, COUNTOF(args), NULL, f) < 0 ||
        tx_run(tx, SQL_COLLECTOR_DELETE_SEEN, args, COUNTOF(args), NULL, f) < 0 ||
        tx_run(tx, SQL_COLLECTOR_DELETE, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    return changed ? 0 : fail_set(f, CODE_NOT_FOUND, "there is no such collector");
}

/* The first time of a collector reads its wide row, to know that it is there and was not seen later
 * than that; afterwards only the narrow row is touched. */
int store_collector_set_seen(struct store_tx *tx, uint64_t tenant, int64_t id, int64_t at_us,
                             struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(at_us), ARG_INT(tenant), ARG_INT(id), ARG_INT(at_us)};
    int64_t changed;

    if (tx_run(tx, SQL_COLLECTOR_SEEN_UPDATE, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    if (changed)
        return 0;
    return tx_run(tx, SQL_COLLECTOR_SEEN_INSERT, args, COUNTOF(args), NULL, f);
}
