/* SPDX-License-Identifier: Apache-2.0 */
/* The dialect, its table of routes and its shape of errors. */
#include "api/admin/admin.h"

#include "api/admin/admin_internal.h"
#include "codec/url.h"

#define LIST_DEFAULT 100
#define LIST_MAX     1000

struct admin_app *admin_app_of(const struct call *c)
{
    return c->app;
}

int admin_operator(const struct call *c, struct fail *f)
{
    if (c->caller->role == ROLE_ADMIN && str_eq(c->caller->tenant_name, STR(TENANT_DEFAULT)))
        return 0;
    return fail_reason(f, CODE_PERMISSION_DENIED, "not_operator",
                       "only an admin of the tenant \"default\" may do this");
}

int admin_tenant(const struct call *c, struct store_tx *tx, struct str name, struct tenant *out,
                 struct fail *f)
{
    if (name.len == 0 || str_eq(name, c->caller->tenant_name)) {
        *out = (struct tenant){.id = c->caller->tenant, .name = c->caller->tenant_name};
        return 0;
    }
    if (!caller_may(c->caller, SCOPE_TENANTS))
        return fail_reason(f, CODE_PERMISSION_DENIED, "scope_missing",
                           "the key does not grant access to other tenants");
    if (admin_operator(c, f) < 0)
        return -1;
    return tenant_get(tx, name, out, f);
}

static bool name_listed(struct str name, const char *const *names, size_t *index)
{
    for (*index = 0; names[*index]; (*index)++)
        if (str_eq(name, str_of(names[*index])))
            return true;
    return false;
}

int admin_query_names(const struct call *c, const char *const *names, struct fail *f)
{
    struct url_query q = {c->x->req.query};
    struct str name, value;
    uint32_t seen = 0;
    int rc;

    while ((rc = url_query_next(&q, c->arena, &name, &value, f)) == 1) {
        size_t i;

        if (!name_listed(name, names, &i)) {
            IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "unknown_parameter",
                               "unknown query parameter \"%.*s\"", STR_ARG(str_first(name, 64))));
            return fail_field(f, "%.*s", STR_ARG(str_first(name, 32)));
        }
        if (seen & (1u << i)) {
            IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "repeated_parameter",
                               "query parameter \"%s\" is given twice", names[i]));
            return fail_field(f, "%s", names[i]);
        }
        seen |= 1u << i;
    }
    return rc;
}

int admin_query_limit(const struct call *c, size_t *out, struct fail *f)
{
    struct str text;
    uint64_t n = LIST_DEFAULT;

    if (call_query(c, STR("limit"), &text) && (str_to_u64(text, &n) < 0 || n < 1 || n > LIST_MAX)) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_limit",
                           "limit must be a number from 1 to %d", LIST_MAX));
        return fail_field(f, "limit");
    }
    *out = (size_t)n;
    return 0;
}

/* Tiny and from memory: also the yardstick for the cost of an authenticated call. */
static int whoami(struct call *c, struct fail *f)
{
    struct json_writer w;

    (void)f;
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key_str(&w, STR("tenant"), c->caller->tenant_name);
    json_key_str(&w, STR("key"), c->caller->key_id);
    json_key_str(&w, STR("role"), str_of(role_name(c->caller->role)));
    json_obj_end(&w);
    return 0;
}

/* {"error":{"code":"not_found","reason":"no_such_key","message":"...","request_id":"..."}} */
static void admin_error(struct call *c, const struct fail *f)
{
    struct json_writer w;

    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key(&w, STR("error"));
    json_obj_begin(&w);
    json_key_str(&w, STR("code"), str_of(code_name(f->code)));
    if (f->reason)
        json_key_str(&w, STR("reason"), str_of(f->reason));
    json_key_str(&w, STR("message"), str_of(f->message));
    if (f->field[0] != '\0')
        json_key_str(&w, STR("field"), str_of(f->field));
    json_key_str(&w, STR("request_id"), c->request_id);
    json_obj_end(&w);
    json_obj_end(&w);
}

static const char *const prefixes[] = {"/", NULL};

const struct dialect admin_dialect = {
    .name = "admin",
    .prefixes = prefixes,
    .content_type = STR_INIT("application/json"),
    .error = admin_error,
    .realm = "Muster",
};

static const char *const json_only[] = {"application/json", NULL};

#define PROBE (ROUTE_OPEN | ROUTE_NO_LIMIT | ROUTE_NO_ACCESS)

static const struct route routes[] = {
    {.name = "live",
     .path = "/livez",
     .verbs = GET_VERB,
     .lane = LANE_LOOP,
     .handler = health_live,
     .flags = PROBE},
    {.name = "ready",
     .path = "/readyz",
     .verbs = GET_VERB,
     .lane = LANE_LOOP,
     .handler = health_ready,
     .flags = PROBE},
    {.name = "metrics",
     .path = "/metrics",
     .verbs = GET_VERB,
     .lane = LANE_LOOP,
     .handler = health_metrics,
     .answer_limit = 64u << 20,
     .flags = PROBE},
    {.name = "version",
     .path = "/version",
     .verbs = GET_VERB,
     .lane = LANE_LOOP,
     .handler = health_version,
     .flags = PROBE},
    {.name = "admin.whoami",
     .path = "/admin/v1/whoami",
     .verbs = GET_VERB,
     .lane = LANE_LOOP,
     .handler = whoami,
     .flags = ROUTE_KNOWN},
    {.name = "admin.tenants.create",
     .path = "/admin/v1/tenants",
     .verbs = VERB(HTTP_POST),
     .scope = SCOPE_TENANTS,
     .lane = LANE_WRITE,
     .handler = tenants_create,
     .body_limit = ADMIN_BODY_BYTES,
     .media = json_only},
    {.name = "admin.tenants.list",
     .path = "/admin/v1/tenants",
     .verbs = GET_VERB,
     .scope = SCOPE_TENANTS,
     .lane = LANE_WORKER,
     .handler = tenants_list},
    {.name = "admin.tenants.get",
     .path = "/admin/v1/tenants/{name}",
     .verbs = GET_VERB,
     .scope = SCOPE_TENANTS,
     .lane = LANE_WORKER,
     .handler = tenants_get},
    {.name = "admin.tenants.delete",
     .path = "/admin/v1/tenants/{name}",
     .verbs = VERB(HTTP_DELETE),
     .scope = SCOPE_TENANTS,
     .lane = LANE_WRITE,
     .handler = tenants_delete},
    {.name = "admin.keys.create",
     .path = "/admin/v1/keys",
     .verbs = VERB(HTTP_POST),
     .scope = SCOPE_KEYS_WRITE,
     .lane = LANE_WRITE,
     .handler = keys_create,
     .body_limit = ADMIN_BODY_BYTES,
     .media = json_only},
    {.name = "admin.keys.list",
     .path = "/admin/v1/keys",
     .verbs = GET_VERB,
     .scope = SCOPE_KEYS_READ,
     .lane = LANE_WORKER,
     .handler = keys_list,
     .answer_limit = 4u << 20},
    {.name = "admin.keys.get",
     .path = "/admin/v1/keys/{id}",
     .verbs = GET_VERB,
     .scope = SCOPE_KEYS_READ,
     .lane = LANE_WORKER,
     .handler = keys_get},
    {.name = "admin.keys.revoke",
     .path = "/admin/v1/keys/{id}",
     .verbs = VERB(HTTP_DELETE),
     .scope = SCOPE_KEYS_WRITE,
     .lane = LANE_WRITE,
     .handler = keys_revoke},
    {.name = "admin.events.list",
     .path = "/admin/v1/events",
     .verbs = GET_VERB,
     .scope = SCOPE_DATA_READ,
     .lane = LANE_WORKER,
     .handler = events_list,
     .answer_limit = 16u << 20},
    {.name = "admin.builds.list",
     .path = "/admin/v1/builds",
     .verbs = GET_VERB,
     .scope = SCOPE_COLLECTORS_READ,
     .lane = LANE_WORKER,
     .handler = builds_list,
     .answer_limit = 4u << 20},
    {.name = "admin.builds.add",
     .path = "/admin/v1/builds",
     .verbs = VERB(HTTP_POST),
     .scope = SCOPE_SERVER,
     .lane = LANE_WORKER,
     .handler = builds_add,
     .body_limit = ADMIN_BODY_BYTES,
     .media = json_only},
    {.name = "admin.builds.remove",
     .path = "/admin/v1/builds",
     .verbs = VERB(HTTP_DELETE),
     .scope = SCOPE_SERVER,
     .lane = LANE_WORKER,
     .handler = builds_remove},
    {.name = "admin.uploads.begin",
     .path = "/admin/v1/builds/uploads",
     .verbs = VERB(HTTP_POST),
     .scope = SCOPE_SERVER,
     .lane = LANE_WORKER,
     .handler = uploads_begin},
    {.name = "admin.uploads.write",
     .path = "/admin/v1/builds/uploads/{upload}",
     .verbs = VERB(HTTP_PUT),
     .scope = SCOPE_SERVER,
     .lane = LANE_WORKER,
     .handler = uploads_write,
     .body_limit = ADMIN_PART_BYTES},
    {.name = "admin.uploads.drop",
     .path = "/admin/v1/builds/uploads/{upload}",
     .verbs = VERB(HTTP_DELETE),
     .scope = SCOPE_SERVER,
     .lane = LANE_WORKER,
     .handler = uploads_drop},
    {.name = "admin.upgrades.list",
     .path = "/admin/v1/upgrades",
     .verbs = GET_VERB,
     .scope = SCOPE_COLLECTORS_READ,
     .lane = LANE_WORKER,
     .handler = upgrades_list,
     .answer_limit = 4u << 20},
    {.name = "admin.upgrades.get",
     .path = "/admin/v1/upgrades/{id}",
     .verbs = GET_VERB,
     .scope = SCOPE_COLLECTORS_READ,
     .lane = LANE_WORKER,
     .handler = upgrades_get},
    {.name = "admin.backup",
     .path = "/admin/v1/backup",
     .verbs = GET_VERB,
     .scope = SCOPE_SERVER,
     .lane = LANE_WORKER,
     .handler = server_backup,
     .flags = ROUTE_NO_GZIP},
    {.name = "admin.check",
     .path = "/admin/v1/check",
     .verbs = VERB(HTTP_POST),
     .scope = SCOPE_SERVER,
     .lane = LANE_WORKER,
     .handler = server_check},
};

struct route_table admin_table(struct admin_app *app)
{
    return (struct route_table){
        .dialect = &admin_dialect, .routes = routes, .count = COUNTOF(routes), .app = app};
}
