/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tenants, settings, keys and events. Inside a transaction. */
#include <inttypes.h>

#include "store/store_internal.h"

static void read_tenant(struct store_tx *tx, struct sql_cursor *q, struct tenant *out)
{
    out->id = (uint64_t)tx_int(tx, q, 0);
    out->name = tx_text(tx, q, 1);
    out->created_us = tx_int(tx, q, 2);
}

int store_tenant_insert(struct store_tx *tx, const struct tenant *t, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(t->id), ARG_TEXT(t->name), ARG_INT(t->created_us)};
    int64_t changed;

    if (tx_run(tx, SQL_TENANT_INSERT, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    return changed ? 0 : fail_set(f, CODE_ALREADY_EXISTS, "there is such a tenant");
}

static int one_tenant(struct store_tx *tx, enum sql_id sql, struct sql_value arg,
                      struct tenant *out, struct fail *f)
{
    struct sql_cursor *q;

    if (tx_one(tx, sql, &arg, 1, &q, f) < 0)
        return -1;
    read_tenant(tx, q, out);
    tx_finish(tx, q);
    return 0;
}

int store_tenant_get(struct store_tx *tx, uint64_t id, struct tenant *out, struct fail *f)
{
    return one_tenant(tx, SQL_TENANT_GET, (struct sql_value)ARG_INT(id), out, f);
}

int store_tenant_find(struct store_tx *tx, struct str name, struct tenant *out, struct fail *f)
{
    return one_tenant(tx, SQL_TENANT_FIND, (struct sql_value)ARG_TEXT(name), out, f);
}

int store_tenant_list(struct store_tx *tx, uint64_t after, size_t limit, struct tenant **out,
                      size_t *count, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(after), ARG_INT(limit)};
    struct tenant *rows = NULL;
    struct sql_cursor *q;
    size_t n = 0;
    size_t room = 0;
    int got;

    if (tx_query(tx, SQL_TENANT_LIST, args, COUNTOF(args), &q, f) < 0)
        return -1;
    while ((got = tx_step(tx, q, f)) > 0) {
        rows = tx_grow(tx, rows, n, &room, sizeof(*rows));
        read_tenant(tx, q, &rows[n++]);
    }
    if (got < 0)
        return -1;
    *out = rows;
    *count = n;
    return 0;
}

/* The name is free from now on; no other can begin with such a character. */
int store_tenant_close(struct store_tx *tx, uint64_t id, struct fail *f)
{
    struct str name = arena_printf(tx->arena, "#%" PRIu64, id);
    const struct sql_value args[] = {ARG_TEXT(name), ARG_INT(store_tx_now(tx)), ARG_INT(id)};
    int64_t changed;

    if (tx_run(tx, SQL_TENANT_CLOSE, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    return changed ? 0 : fail_set(f, CODE_NOT_FOUND, "there is no such tenant");
}

int store_tenant_closed(struct store_tx *tx, uint64_t *id, struct fail *f)
{
    struct sql_cursor *q;

    if (tx_one(tx, SQL_TENANT_CLOSED, NULL, 0, &q, f) < 0)
        return -1;
    *id = (uint64_t)tx_int(tx, q, 0);
    tx_finish(tx, q);
    return 0;
}

/* What refers to others goes before them: sources before collectors, pipelines before revisions. */
int store_tenant_purge(struct store_tx *tx, uint64_t id, size_t limit, size_t *gone, struct fail *f)
{
    const struct sql_value tenant[] = {ARG_INT(id)};
    int64_t changed;

    *gone = 0;
    for (enum sql_id sql = SQL_TENANT_PURGE_FIRST; sql < SQL_TENANT_DELETE; sql++) {
        const struct sql_value args[] = {ARG_INT(id), ARG_INT(limit - *gone)};

        if (tx_run(tx, sql, args, COUNTOF(args), &changed, f) < 0)
            return -1;
        *gone += (size_t)changed;
        if (*gone >= limit)
            return 0;
    }
    if (tx_run(tx, SQL_TENANT_DELETE, tenant, COUNTOF(tenant), &changed, f) < 0)
        return -1;
    *gone += (size_t)changed;
    return 0;
}

int store_setting_get(struct store_tx *tx, uint64_t tenant, struct str name, struct str *value,
                      struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_TEXT(name)};
    struct sql_cursor *q;

    if (tx_one(tx, SQL_SETTING_GET, args, COUNTOF(args), &q, f) < 0)
        return -1;
    *value = tx_text(tx, q, 0);
    tx_finish(tx, q);
    return 0;
}

int store_setting_put(struct store_tx *tx, uint64_t tenant, struct str name, struct str value,
                      struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_TEXT(name), ARG_BYTES(value)};

    return tx_run(tx, SQL_SETTING_PUT, args, COUNTOF(args), NULL, f);
}

int store_key_insert(struct store_tx *tx, const struct key *k, struct fail *f)
{
    const struct sql_value args[] = {
        ARG_INT(k->tenant),
        ARG_TEXT(k->id),
        ARG_BYTES(str_make(k->hash, sizeof(k->hash))),
        ARG_INT(k->role),
        ARG_INT(k->scopes),
        ARG_TEXT(k->label),
        ARG_INT(k->created_us),
        ARG_INT(k->expires_us),
        ARG_INT(k->last_used_us),
        ARG_INT(k->revoked_us),
    };
    int64_t changed;

    if (tx_run(tx, SQL_KEY_INSERT, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    return changed ? 0 : fail_set(f, CODE_ALREADY_EXISTS, "there is such a key");
}

/* Borrowed: only valid until the next step. A hash of a wrong length matches no secret. */
static void borrow_key(struct store_tx *tx, struct sql_cursor *q, struct key *out)
{
    struct str hash = tx_borrow(tx, q, 2);

    *out = (struct key){
        .tenant = (uint64_t)tx_int(tx, q, 0),
        .id = tx_borrow(tx, q, 1),
        .role = (enum role)tx_int(tx, q, 3),
        .scopes = (uint32_t)tx_int(tx, q, 4),
        .label = tx_borrow(tx, q, 5),
        .created_us = tx_int(tx, q, 6),
        .expires_us = tx_int(tx, q, 7),
        .last_used_us = tx_int(tx, q, 8),
        .revoked_us = tx_int(tx, q, 9),
    };
    if (hash.len == sizeof(out->hash))
        memcpy(out->hash, hash.p, hash.len);
}

static void read_key(struct store_tx *tx, struct sql_cursor *q, struct key *out)
{
    borrow_key(tx, q, out);
    out->id = arena_str(tx->arena, out->id);
    out->label = arena_str(tx->arena, out->label);
}

int store_key_get(struct store_tx *tx, uint64_t tenant, struct str id, struct key *out,
                  struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_TEXT(id)};
    struct sql_cursor *q;

    if (tx_one(tx, SQL_KEY_GET, args, COUNTOF(args), &q, f) < 0)
        return -1;
    read_key(tx, q, out);
    tx_finish(tx, q);
    return 0;
}

int store_key_list(struct store_tx *tx, uint64_t tenant, struct str after, size_t limit,
                   struct key **out, size_t *count, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_TEXT(after), ARG_INT(limit)};
    struct key *rows = NULL;
    struct sql_cursor *q;
    size_t n = 0;
    size_t room = 0;
    int got;

    if (tx_query(tx, SQL_KEY_LIST, args, COUNTOF(args), &q, f) < 0)
        return -1;
    while ((got = tx_step(tx, q, f)) > 0) {
        rows = tx_grow(tx, rows, n, &room, sizeof(*rows));
        read_key(tx, q, &rows[n++]);
    }
    if (got < 0)
        return -1;
    *out = rows;
    *count = n;
    return 0;
}

int store_key_set_revoked(struct store_tx *tx, uint64_t tenant, struct str id, int64_t at_us,
                          struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(at_us), ARG_INT(tenant), ARG_TEXT(id)};
    int64_t changed;

    if (tx_run(tx, SQL_KEY_REVOKE, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    return changed ? 0 : fail_set(f, CODE_NOT_FOUND, "there is no such key");
}

int store_key_set_used(struct store_tx *tx, uint64_t tenant, struct str id, int64_t at_us,
                       struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(at_us), ARG_INT(tenant), ARG_TEXT(id), ARG_INT(at_us)};

    return tx_run(tx, SQL_KEY_USED, args, COUNTOF(args), NULL, f);
}

int store_key_each(struct store_tx *tx,
                   bool (*fn)(void *arg, const struct key *k, struct str tenant_name), void *arg,
                   struct fail *f)
{
    struct sql_cursor *q;
    int got;

    if (tx_query(tx, SQL_KEY_EACH, NULL, 0, &q, f) < 0)
        return -1;
    while ((got = tx_step(tx, q, f)) > 0) {
        struct key k;

        borrow_key(tx, q, &k);
        if (!fn(arg, &k, tx_borrow(tx, q, 10))) {
            tx_finish(tx, q);
            return 0;
        }
    }
    return got;
}

/* Ids are letters and digits, which all come before '~'. */
int store_key_delete(struct store_tx *tx, uint64_t tenant, struct str prefix, struct fail *f)
{
    struct str end = arena_printf(tx->arena, "%.*s~", STR_ARG(prefix));
    const struct sql_value args[] = {ARG_INT(tenant), ARG_TEXT(prefix), ARG_TEXT(end)};

    return tx_run(tx, SQL_KEY_DELETE, args, COUNTOF(args), NULL, f);
}

int store_event_insert(struct store_tx *tx, const struct event *e, struct fail *f)
{
    tx->store->counters_dirty = true;

    const struct sql_value args[] = {
        ARG_INT(++tx->store->last_event),
        ARG_INT(e->tenant),
        ARG_TEXT(e->kind),
        ARG_TEXT(e->subject),
        ARG_TEXT(e->actor),
        ARG_INT(e->at_us),
        ARG_TEXT(e->data),
    };

    return tx_run(tx, SQL_EVENT_INSERT, args, COUNTOF(args), NULL, f);
}

static int list_events(struct store_tx *tx, enum sql_id sql, const struct sql_value *args,
                       size_t arg_count, struct event **out, size_t *count, struct fail *f)
{
    struct event *rows = NULL;
    struct sql_cursor *q;
    size_t n = 0;
    size_t room = 0;
    int got;

    if (tx_query(tx, sql, args, arg_count, &q, f) < 0)
        return -1;
    while ((got = tx_step(tx, q, f)) > 0) {
        rows = tx_grow(tx, rows, n, &room, sizeof(*rows));
        rows[n++] = (struct event){
            .seq = tx_int(tx, q, 0),
            .tenant = (uint64_t)tx_int(tx, q, 1),
            .kind = tx_text(tx, q, 2),
            .subject = tx_text(tx, q, 3),
            .actor = tx_text(tx, q, 4),
            .at_us = tx_int(tx, q, 5),
            .data = tx_text(tx, q, 6),
        };
    }
    if (got < 0)
        return -1;
    *out = rows;
    *count = n;
    return 0;
}

int store_event_list(struct store_tx *tx, uint64_t tenant, int64_t after_seq, size_t limit,
                     struct event **out, size_t *count, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_INT(after_seq), ARG_INT(limit)};

    return list_events(tx, SQL_EVENT_LIST, args, COUNTOF(args), out, count, f);
}

int store_event_follow(struct store_tx *tx, int64_t after_seq, size_t limit, struct event **out,
                       size_t *count, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(after_seq), ARG_INT(limit)};

    return list_events(tx, SQL_EVENT_FOLLOW, args, COUNTOF(args), out, count, f);
}

int store_event_prune(struct store_tx *tx, int64_t before_us, size_t limit, size_t *gone,
                      struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(limit), ARG_INT(before_us)};
    int64_t changed;

    if (tx_run(tx, SQL_EVENT_PRUNE, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    *gone = (size_t)changed;
    return 0;
}
