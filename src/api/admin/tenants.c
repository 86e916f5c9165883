/* SPDX-License-Identifier: Apache-2.0 */
/* /admin/v1/tenants: for an admin of the tenant "default". */
#include "api/admin/admin_internal.h"

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

int tenants_delete(struct call *c, struct fail *f)
{
    const struct admin_app *app = admin_app_of(c);
    struct str name = call_param(c, STR("name"));
    struct tenant t;

    if (admin_operator(c, f) < 0 || admin_query_names(c, no_names, f) < 0 ||
        tenant_get(c->tx, name, &t, f) < 0 ||
        tenant_delete(c->tx, c->caller, name, app->keyring, f) < 0)
        return -1;
    registry_tenant_deleted(app->registry, c->tx, t.id);
    c->status = 204;
    return 0;
}
