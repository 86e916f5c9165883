/* SPDX-License-Identifier: Apache-2.0 */
/* See tenant.h. */
#include "core/tenant.h"

#include "core/event.h"
#include "core/keyring.h"

#define ROWS_A_JOB ((size_t)2000) /* few, so that requests never wait for long */

int tenant_check_name(struct str name, struct fail *f)
{
    bool good = name.len >= 1 && name.len <= TENANT_NAME_MAX && name.p[0] != '-' &&
                name.p[name.len - 1] != '-';

    for (size_t i = 0; good && i < name.len; i++) {
        char c = name.p[i];

        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    if (good)
        return 0;
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_name",
                       "a tenant's name is 1 to %d of a-z, 0-9 and '-', with no '-' at its ends",
                       TENANT_NAME_MAX));
    return fail_field(f, "name");
}

static int missing(struct fail *f)
{
    if (f->code != CODE_NOT_FOUND)
        return -1;
    return fail_reason(f, CODE_NOT_FOUND, "no_such_tenant", "there is no such tenant");
}

/* Where the events about tenants go: to whoever manages them, since a tenant's own events vanish
 * with it. Only the very first tenant has nobody else. */
static int home(struct store_tx *tx, const struct caller *by, uint64_t otherwise, uint64_t *out,
                struct fail *f)
{
    struct tenant t;

    if (by && by->tenant) {
        *out = by->tenant;
        return 0;
    }
    *out = otherwise;
    if (store_tenant_find(tx, STR(TENANT_DEFAULT), &t, f) == 0)
        *out = t.id;
    else if (f->code != CODE_NOT_FOUND)
        return -1;
    return 0;
}

int tenant_create(struct store_tx *tx, const struct caller *by, struct str name, struct tenant *out,
                  struct fail *f)
{
    struct tenant t = {.name = name, .created_us = store_tx_now(tx)};
    uint64_t told;

    if (tenant_check_name(name, f) < 0)
        return -1;
    t.id = (uint64_t)store_next_id(tx);
    if (store_tenant_insert(tx, &t, f) < 0) {
        if (f->code != CODE_ALREADY_EXISTS)
            return -1;
        IGNORE(fail_reason(f, CODE_ALREADY_EXISTS, "name_taken",
                           "there is a tenant of that name already"));
        return fail_field(f, "name");
    }
    if (home(tx, by, t.id, &told, f) < 0 ||
        event_append(tx, told, by, "tenant.created", name, STR("{}"), f) < 0)
        return -1;
    *out = t;
    return 0;
}

int tenant_get(struct store_tx *tx, struct str name, struct tenant *out, struct fail *f)
{
    return store_tenant_find(tx, name, out, f) < 0 ? missing(f) : 0;
}

int tenant_get_id(struct store_tx *tx, uint64_t id, struct tenant *out, struct fail *f)
{
    return store_tenant_get(tx, id, out, f) < 0 ? missing(f) : 0;
}

int tenant_check_id(struct store_tx *tx, uint64_t id, struct fail *f)
{
    struct tenant t;

    return tenant_get_id(tx, id, &t, f);
}

int tenant_list(struct store_tx *tx, uint64_t after, size_t limit, struct tenant **out,
                size_t *count, struct fail *f)
{
    return store_tenant_list(tx, after, limit, out, count, f);
}

struct forget {
    struct keyring *ring;
    uint64_t tenant;
};

static void forget_keys(void *arg)
{
    struct forget *g = arg;

    keyring_remove_tenant(g->ring, g->tenant);
}

int tenant_delete(struct store_tx *tx, const struct caller *by, struct str name,
                  struct keyring *ring, struct fail *f)
{
    struct tenant t;
    uint64_t told;

    if (str_eq(name, STR(TENANT_DEFAULT)))
        return fail_reason(f, CODE_FAILED_PRECONDITION, "default_tenant",
                           "the tenant \"" TENANT_DEFAULT "\" operates the server and stays");
    if (tenant_get(tx, name, &t, f) < 0 || store_tenant_close(tx, t.id, f) < 0 ||
        home(tx, by && by->tenant != t.id ? by : NULL, 0, &told, f) < 0 ||
        event_append(tx, told, by, "tenant.deleted", name, STR("{}"), f) < 0)
        return -1;
    if (ring) {
        struct forget *g = arena_new_type(store_tx_arena(tx), struct forget);

        g->ring = ring;
        g->tenant = t.id;
        store_on_commit(tx, forget_keys, g);
    }
    return 0;
}

static int leaves_rows(struct store *s, struct arena *a, bool *out, struct fail *f)
{
    struct store_tx *tx;
    uint64_t id;

    if (store_read_open(s, a, &tx, f) < 0)
        return -1;

    int result = store_tenant_closed(tx, &id, f);

    store_read_close(&tx);
    *out = result == 0;
    return *out || f->code == CODE_NOT_FOUND ? 0 : -1;
}

/* A job: some rows, of more than one tenant if need be. */
static int purge(struct store_tx *tx, void *arg, struct fail *f)
{
    size_t *gone = arg;
    uint64_t id;

    *gone = 0; /* the job may run twice */
    while (*gone < ROWS_A_JOB) {
        size_t more;

        if (store_tenant_closed(tx, &id, f) < 0)
            return f->code == CODE_NOT_FOUND ? 0 : -1;
        if (store_tenant_purge(tx, id, ROWS_A_JOB - *gone, &more, f) < 0)
            return -1;
        *gone += more;
    }
    return 0;
}

int tenant_sweep(struct store *s, size_t jobs, struct fail *f)
{
    struct arena *a = arena_new(4096);
    bool left = false;
    int result = leaves_rows(s, a, &left, f);

    arena_free(&a);
    while (result == 0 && left && jobs-- > 0) {
        size_t gone = 0;

        a = arena_new(4096);
        result = store_write(s, a, purge, &gone, f);
        arena_free(&a);
        left = gone == ROWS_A_JOB;
    }
    return result;
}
