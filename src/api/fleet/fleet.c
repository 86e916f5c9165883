/* SPDX-License-Identifier: Apache-2.0 */
/* The dialect, its services, and what their handlers share. */
#include "api/fleet/fleet.h"

#include <stdio.h>

#include "api/fleet/fleet_internal.h"
#include "base/map.h"
#include "codec/utf8.h"
#include "proto/collector_v1_collector.pb.h"
#include "proto/pipeline_v1_pipeline.pb.h"
#include "proto/tenant_v1_tenant.pb.h"
#include "rpc/credential.h"

#define SHOWN_BYTES 60

struct fleet_app *fleet_app_of(const struct call *c)
{
    return c->app;
}

const struct agent_settings *fleet_settings(const struct call *c)
{
    return agent_settings_get(fleet_app_of(c)->settings);
}

struct realm *fleet_realm(const struct call *c)
{
    return registry_realm(fleet_app_of(c)->registry, c->caller->tenant);
}

/* As much of a client's text as an error may show. */
static struct str shown(struct str text)
{
    text = str_first(text, SHOWN_BYTES);
    text.len = utf8_valid_len(text);
    return text;
}

int fleet_needs(struct str value, const char *what, struct fail *f)
{
    if (value.len > 0)
        return 0;
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "missing", "%s is empty", what));
    return fail_field(f, "%s", what);
}

int fleet_ids_once(struct arena *a, const struct str *ids, size_t count, struct fleet_ids *out,
                   struct fail *f)
{
    struct map *seen;
    size_t n = 0;
    int rc = 0;

    if (count == 0 || count > FLEET_IDS_MAX) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, count == 0 ? "missing" : "too_many",
                           "there must be 1 to %d ids", FLEET_IDS_MAX));
        return fail_field(f, "ids");
    }

    struct str *once = arena_new_array(a, struct str, count);

    seen = map_new();
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = fleet_needs(ids[i], "ids", f);
        if (rc == 0 && !map_put(seen, ids[i], once))
            once[n++] = ids[i];
    }
    map_free(&seen);
    *out = (struct fleet_ids){once, n};
    return rc;
}

int fleet_name_item(struct str name, struct fail *f)
{
    char why[sizeof(f->message)];

    memcpy(why, f->message, sizeof(why));
    snprintf(f->message, sizeof(f->message), "%.*s: %.190s", STR_ARG(shown(name)), why);
    f->message[utf8_valid_len(str_of(f->message))] = '\0';
    f->field[0] = '\0';
    return -1;
}

int fleet_no_collector(struct str id, struct fail *f)
{
    if (f->code != CODE_NOT_FOUND)
        return -1;
    return fail_reason(f, CODE_NOT_FOUND, "no_such_agent", "there is no collector \"%.*s\"",
                       STR_ARG(shown(id)));
}

int fleet_no_pipeline(struct str which, struct fail *f)
{
    if (f->code != CODE_NOT_FOUND)
        return -1;
    return fail_reason(f, CODE_NOT_FOUND, "no_such_pipeline", "there is no pipeline \"%.*s\"",
                       STR_ARG(shown(which)));
}

int64_t fleet_number(struct str id)
{
    int64_t n;

    return str_to_i64(id, &n) == 0 && n > 0 ? n : 0;
}

/* --- the dialect --- */

/* Errors of methods are shaped by their protocol. What is left has no method: text that no client
 * mistakes for an error of its protocol. */
static void fleet_error(struct call *c, const struct fail *f)
{
    c->content_type = STR("text/plain; charset=utf-8");
    buf_put_str(&c->out, str_of(f->message));
    buf_put_byte(&c->out, '\n');
}

static const char *const prefixes[] = {
    "/collector.v1.CollectorService/",
    "/pipeline.v1.PipelineService/",
    "/tenant.v1.TenantService/",
    NULL,
};

const struct dialect fleet_dialect = {
    .name = "fleet",
    .prefixes = prefixes,
    .content_type = STR_INIT("text/plain; charset=utf-8"),
    .error = fleet_error,
    .realm = "fleet",
    .credential_forms = CREDENTIAL_FORM_BASIC | CREDENTIAL_FORM_BEARER,
    .flags = DIALECT_SCOPE_IS_401,
};

#define WRITES MOVES_TO(LANE_WRITE)

static const struct rpc_handler collector_handlers[] = {
    {.method = "GetConfig", .unary = fleet_get_config, .moves = MOVES_TO(LANE_WORKER) | WRITES},
    {.method = "RegisterCollector", .unary = fleet_register, .moves = WRITES},
    {.method = "UnregisterCollector", .unary = fleet_unregister},
    {.method = "GetCollector", .unary = fleet_get_collector},
    {.method = "ListCollectors", .unary = fleet_list_collectors},
    {.method = "CreateCollector", .unary = fleet_create_collector},
    {.method = "UpdateCollector", .unary = fleet_update_collector},
    {.method = "BulkUpdateCollectors", .unary = fleet_bulk_update, .moves = WRITES},
    {.method = "DeleteCollector", .unary = fleet_delete_collector},
    {.method = "BulkDeleteCollectors", .unary = fleet_bulk_delete, .moves = WRITES},
    {.method = "ListCollectorAttributes", .unary = fleet_list_attributes},
};

/* Without CreateAlloyPipelines, which is the vendor's own onboarding. */
static const struct rpc_handler pipeline_handlers[] = {
    {.method = "GetPipeline", .unary = fleet_get_pipeline},
    {.method = "GetPipelineID", .unary = fleet_get_pipeline_id},
    {.method = "ListPipelines", .unary = fleet_list_pipelines},
    {.method = "CreatePipeline", .unary = fleet_create_pipeline, .moves = WRITES},
    {.method = "UpdatePipeline", .unary = fleet_update_pipeline, .moves = WRITES},
    {.method = "UpsertPipeline", .unary = fleet_upsert_pipeline, .moves = WRITES},
    {.method = "DeletePipeline", .unary = fleet_delete_pipeline},
    {.method = "BulkDeletePipelines", .unary = fleet_delete_pipelines, .moves = WRITES},
    {.method = "ListPipelinesRevisions", .unary = fleet_list_all_revisions},
    {.method = "ListPipelineRevisions", .unary = fleet_list_revisions},
    {.method = "GetPipelineRevision", .unary = fleet_get_revision},
    {.method = "SyncPipelines", .unary = fleet_sync_pipelines, .moves = WRITES},
};

static const struct rpc_handler tenant_handlers[] = {
    {.method = "GetLimits", .unary = fleet_get_limits},
    {.method = "GetSummary", .unary = fleet_get_summary},
};

static const struct rpc_service services[] = {
    {.service = &collector_v1_collector_service_desc,
     .handlers = collector_handlers,
     .handler_count = COUNTOF(collector_handlers)},
    {.service = &pipeline_v1_pipeline_service_desc,
     .handlers = pipeline_handlers,
     .handler_count = COUNTOF(pipeline_handlers)},
    {.service = &tenant_v1_tenant_service_desc,
     .handlers = tenant_handlers,
     .handler_count = COUNTOF(tenant_handlers)},
};

/* The one value of the virtual id is shown, though it is empty. */
static bool shows_default(const struct proto_message *m, const struct proto_field *fd)
{
    (void)fd;
    return m == &collector_v1_value_desc;
}

static const struct protojson_flavor json = {
    .ignore_unknown = true,
    .prints_default = shows_default,
};

const struct rpc_table *fleet_table(struct arena *a, struct fleet_app *app)
{
    struct rpc_table *t = arena_new_type(a, struct rpc_table);

    *t = (struct rpc_table){
        .dialect = &fleet_dialect,
        .services = services,
        .service_count = COUNTOF(services),
        .style = {.json = &json},
        .app = app,
    };
    return t;
}
