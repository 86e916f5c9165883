/* SPDX-License-Identifier: Apache-2.0 */
/* /admin/v1/tenants: for an admin of the tenant "default". */
#include "api/admin/admin_internal.h"

#define EVENTS_A_STEP ((size_t)2000)

static const char *const no_names[] = {NULL};

static void tenant_put(struct json_writer *w, struct arena *a, const struct tenant *t)
{
    json_obj_begin(w);
    json_key_str(w, STR("name"), t->name);
    json_key_u64(w, STR("id"), t->id);
    admin_put_time(w, a, STR("created"), t->created_us);
    json_obj_end(w);
}

int tenants_create(struct call *c, struct fail *f)
{
    struct json_writer w;
    struct tenant made;
    struct str name;

    if (admin_operator(c, f) < 0 || admin_query_names(c, no_names, f) < 0 ||
        tenant_request_read(c->arena, c->x->req.body, &name, f) < 0 ||
        tenant_create(c->tx, c->caller, name, &made, f) < 0)
        return -1;
    registry_tenant_created(admin_app_of(c)->registry, c->tx, made.id);
    c->status = 201;
    http_resp_add(c->x, STR("location"),
                  arena_printf(c->arena, "/admin/v1/tenants/%.*s", STR_ARG(made.name)));
    json_writer_init(&w, &c->out);
    tenant_put(&w, c->arena, &made);
    return 0;
}

int tenants_list(struct call *c, struct fail *f)
{
    static const char *const names[] = {"limit", "page_token", NULL};
    struct json_writer w;
    struct store_tx *tx;
    struct tenant *rows;
    struct str token;
    uint64_t after = 0;
    size_t limit, count;

    if (admin_operator(c, f) < 0 || admin_query_names(c, names, f) < 0 ||
        admin_query_limit(c, &limit, f) < 0)
        return -1;
    if (call_query(c, STR("page_token"), &token) &&
        (str_to_u64(token, &after) < 0 || after > INT64_MAX)) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_page_token",
                           "page_token is not one that a list gave out"));
        return fail_field(f, "page_token");
    }
    if (store_read_open(admin_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = tenant_list(tx, after, limit, &rows, &count, f);

    store_read_close(&tx);
    if (rc < 0)
        return -1;
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key(&w, STR("tenants"));
    json_arr_begin(&w);
    for (size_t i = 0; i < count; i++)
        tenant_put(&w, c->arena, &rows[i]);
    json_arr_end(&w);
    if (count == limit) {
        json_key_str(&w, STR("next_page_token"),
                     arena_printf(c->arena, "%llu", (unsigned long long)rows[count - 1].id));
    }
    json_obj_end(&w);
    return 0;
}

int tenants_get(struct call *c, struct fail *f)
{
    struct json_writer w;
    struct store_tx *tx;
    struct tenant found;

    if (admin_operator(c, f) < 0 || admin_query_names(c, no_names, f) < 0 ||
        store_read_open(admin_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = tenant_get(tx, call_param(c, STR("name")), &found, f);

    store_read_close(&tx);
    if (rc < 0)
        return -1;
    json_writer_init(&w, &c->out);
    tenant_put(&w, c->arena, &found);
    return 0;
}

struct deletion {
    const struct admin_app *app;
    const struct caller *by;
    struct str name;
    uint64_t tenant;
    size_t events; /* that went with the last step */
};

static int close_step(struct store_tx *tx, void *arg, struct fail *f)
{
    struct deletion *d = arg;
    struct tenant t;

    if (tenant_close(tx, d->name, d->app->keyring, &t, f) < 0)
        return -1;
    d->tenant = t.id;
    return 0;
}

static int events_step(struct store_tx *tx, void *arg, struct fail *f)
{
    struct deletion *d = arg;

    return store_event_purge(tx, d->tenant, EVENTS_A_STEP, &d->events, f);
}

static int last_step(struct store_tx *tx, void *arg, struct fail *f)
{
    struct deletion *d = arg;

    if (tenant_delete(tx, d->by, d->name, d->app->keyring, f) < 0)
        return -1;
    registry_tenant_deleted(d->app->registry, tx, d->tenant);
    return 0;
}

static int step(struct deletion *d, int (*run)(struct store_tx *tx, void *arg, struct fail *f),
                struct fail *f)
{
    struct arena *a = arena_new(4096);
    int rc = store_write(d->app->store, a, run, d, f);

    arena_free(&a);
    return rc;
}

/* Worker. What may be much goes before the tenant, in steps between which others write. When the
 * server stops in the middle the tenant is still there, without keys, and is deleted again. */
int tenants_delete(struct call *c, struct fail *f)
{
    struct deletion d = {
        .app = admin_app_of(c), .by = c->caller, .name = call_param(c, STR("name"))};

    if (admin_operator(c, f) < 0 || admin_query_names(c, no_names, f) < 0 ||
        step(&d, close_step, f) < 0 || registry_empty(d.app->registry, d.tenant, f) < 0)
        return -1;
    do {
        if (step(&d, events_step, f) < 0)
            return -1;
    } while (d.events == EVENTS_A_STEP);
    if (step(&d, last_step, f) < 0)
        return -1;
    c->status = 204;
    return 0;
}
