/* SPDX-License-Identifier: Apache-2.0 */
/* /admin/v1/keys. An admin of a tenant manages its keys; other tenants' keys are for an operator.
 */
#include "api/admin/admin_internal.h"

static struct str query_tenant(const struct call *c)
{
    struct str name = {NULL, 0};

    IGNORE(call_query(c, STR("tenant"), &name));
    return name;
}

/* Nobody hands out more than he has: a key that may only make keys must not make an admin. */
static int check_grant(const struct call *c, const struct key_request *want,
                       const struct tenant *tenant, struct fail *f)
{
    uint32_t scopes = want->scopes ? want->scopes : key_role_scopes(want->role, tenant->name);

    if (caller_may(c->caller, scopes))
        return 0;
    IGNORE(fail_reason(f, CODE_PERMISSION_DENIED, "scopes_exceed",
                       "a key can only grant what the key that makes it may do"));
    return fail_field(f, "%s", want->scopes ? "scopes" : "role");
}

int keys_create(struct call *c, struct fail *f)
{
    struct admin_app *app = admin_app_of(c);
    static const char *const no_names[] = {NULL};
    struct key_request want;
    struct key_secret secret;
    struct tenant tenant;
    struct key made;
    struct json_writer w;

    if (admin_query_names(c, no_names, f) < 0 ||
        key_request_read(c->arena, c->x->req.body, store_tx_now(c->tx), &want, f) < 0 ||
        admin_tenant(c, c->tx, want.tenant, &tenant, f) < 0 ||
        check_grant(c, &want, &tenant, f) < 0)
        return -1;

    const struct key_new new = {
        .tenant = tenant.id,
        .tenant_name = tenant.name,
        .role = want.role,
        .scopes = want.scopes,
        .label = want.label,
        .expires_us = want.expires_us,
    };

    if (key_create(c->tx, c->caller, app->master, &new, app->keyring, &secret, &made, f) < 0)
        return -1;
    c->status = 201;
    http_resp_add(c->x, STR("location"),
                  arena_printf(c->arena, "/admin/v1/keys/%.*s", STR_ARG(made.id)));
    http_resp_add(c->x, STR("cache-control"), STR("no-store"));
    json_writer_init(&w, &c->out);
    key_put(&w, c->arena, &made, tenant.name, &secret);
    return 0;
}

static void list_put(struct call *c, const struct tenant *tenant, const struct key *keys,
                     size_t count, size_t limit)
{
    struct json_writer w;

    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key(&w, STR("keys"));
    json_arr_begin(&w);
    for (size_t i = 0; i < count; i++)
        key_put(&w, c->arena, &keys[i], tenant->name, NULL);
    json_arr_end(&w);
    if (count == limit)
        json_key_str(&w, STR("next_page_token"), keys[count - 1].id);
    json_obj_end(&w);
}

int keys_list(struct call *c, struct fail *f)
{
    static const char *const names[] = {"tenant", "limit", "page_token", NULL};
    struct str after = {NULL, 0};
    struct store_tx *tx;
    struct tenant tenant;
    struct key *keys;
    size_t limit, count;

    if (admin_query_names(c, names, f) < 0 || admin_query_limit(c, &limit, f) < 0)
        return -1;
    if (call_query(c, STR("page_token"), &after) && after.len > KEY_ID_LEN) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_page_token",
                           "page_token is not one that a list gave out"));
        return fail_field(f, "page_token");
    }
    if (store_read_open(admin_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = admin_tenant(c, tx, query_tenant(c), &tenant, f);

    if (rc == 0)
        rc = key_list(tx, tenant.id, after, limit, &keys, &count, f);
    store_read_close(&tx);
    if (rc == 0)
        list_put(c, &tenant, keys, count, limit);
    return rc;
}

static const char *const tenant_only[] = {"tenant", NULL};

int keys_get(struct call *c, struct fail *f)
{
    struct store_tx *tx;
    struct tenant tenant;
    struct key found;

    if (admin_query_names(c, tenant_only, f) < 0 ||
        store_read_open(admin_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = admin_tenant(c, tx, query_tenant(c), &tenant, f);

    if (rc == 0)
        rc = key_get(tx, tenant.id, call_param(c, STR("id")), &found, f);
    store_read_close(&tx);
    if (rc == 0) {
        struct json_writer w;

        json_writer_init(&w, &c->out);
        key_put(&w, c->arena, &found, tenant.name, NULL);
    }
    return rc;
}

int keys_revoke(struct call *c, struct fail *f)
{
    struct tenant tenant;
    struct key gone;
    struct json_writer w;

    if (admin_query_names(c, tenant_only, f) < 0 ||
        admin_tenant(c, c->tx, query_tenant(c), &tenant, f) < 0 ||
        key_revoke(c->tx, c->caller, tenant.id, call_param(c, STR("id")), admin_app_of(c)->keyring,
                   &gone, f) < 0)
        return -1;
    json_writer_init(&w, &c->out);
    key_put(&w, c->arena, &gone, tenant.name, NULL);
    return 0;
}
