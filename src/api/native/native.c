/* SPDX-License-Identifier: Apache-2.0 */
/* The dialect, its table, and what its handlers share. */
#include <stdlib.h>

#include "api/native/native_internal.h"
#include "base/heap.h"
#include "base/id.h"

struct native *native_of(const struct call *c)
{
    return c->app;
}

struct realm *native_realm(const struct call *c)
{
    return registry_realm(native_of(c)->o.registry, c->caller->tenant);
}

int native_no_such_agent(struct fail *f)
{
    return fail_reason(f, CODE_NOT_FOUND, "no_such_agent", "there is no such agent");
}

int native_matchers(struct arena *a, const struct str *texts, size_t count, struct matcher **out,
                    struct fail *f)
{
    if (count <= PIPELINE_MATCHERS_MAX)
        return matchers_parse(a, texts, count, out, f);
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "too_large", "there may be at most %d matchers",
                       PIPELINE_MATCHERS_MAX));
    return fail_field(f, "matchers");
}

/* --- agents as messages --- */

static struct google_protobuf_timestamp *timestamp(struct arena *a, int64_t us)
{
    struct google_protobuf_timestamp *out;

    if (us == 0)
        return NULL;
    out = arena_new_type(a, struct google_protobuf_timestamp);
    out->seconds = us / 1000000 - (us % 1000000 < 0);
    out->nanos = (int32_t)((us - out->seconds * 1000000) * 1000);
    return out;
}

static int32_t status_of(const struct agent *agent)
{
    if (!agent->has_status)
        return MUSTER_V1_AGENT_STATUS_UNSPECIFIED;
    switch (agent->status) {
    case AGENT_STATUS_UNSET: return MUSTER_V1_AGENT_STATUS_UNSET;
    case AGENT_STATUS_APPLIED: return MUSTER_V1_AGENT_STATUS_APPLIED;
    case AGENT_STATUS_APPLYING: return MUSTER_V1_AGENT_STATUS_APPLYING;
    case AGENT_STATUS_FAILED: return MUSTER_V1_AGENT_STATUS_FAILED;
    }
    return MUSTER_V1_AGENT_STATUS_UNSPECIFIED;
}

static void put_locals(struct arena *a, const struct attributes *from, struct muster_v1_agent *out)
{
    out->local_attributes.items =
        arena_new_array(a, struct muster_v1_agent_local_attributes_entry, from->count);
    out->local_attributes.count = from->count;
    for (size_t i = 0; i < from->count; i++)
        out->local_attributes.items[i] = (struct muster_v1_agent_local_attributes_entry){
            from->items[i].key, from->items[i].value};
}

static void put_remotes(struct arena *a, const struct attributes *from, struct muster_v1_agent *out)
{
    out->remote_attributes.items =
        arena_new_array(a, struct muster_v1_agent_remote_attributes_entry, from->count);
    out->remote_attributes.count = from->count;
    for (size_t i = 0; i < from->count; i++)
        out->remote_attributes.items[i] = (struct muster_v1_agent_remote_attributes_entry){
            from->items[i].key, from->items[i].value};
}

void native_agent(const struct native *n, struct arena *a, const struct agent *agent,
                  struct muster_v1_agent *out)
{
    int64_t now_us = clock_wall_us(n->o.clock);
    int64_t after_us = agent_settings_get(n->o.settings)->inactive_after_us;

    *out = (struct muster_v1_agent){
        .id = agent->row.ext_id,
        .number = agent->row.id,
        .name = agent->row.name,
        .type = agent->type == AGENT_OTEL ? MUSTER_V1_AGENT_TYPE_OTEL : MUSTER_V1_AGENT_TYPE_ALLOY,
        .enabled = agent->enabled,
        .created_at = timestamp(a, agent->row.created_us),
        .updated_at = timestamp(a, agent->row.updated_us),
        .last_seen_at = timestamp(a, agent->row.last_seen_us),
        .inactive_since = timestamp(a, agent_inactive_at(agent, now_us, after_us)),
        .status = status_of(agent),
        .status_at = timestamp(a, agent->has_status ? agent->status_us : 0),
        .revision = agent->row.revision,
    };
    put_locals(a, &agent->local, out);
    put_remotes(a, &agent->remote, out);
}

struct agent_view native_view(struct arena *a, const struct agent *agent)
{
    struct attributes effective =
        attributes_overlay(a, agent->row.ext_id, &agent->local, &agent->remote);

    return (struct agent_view){
        .id = agent->row.ext_id,
        .type = agent->type,
        .enabled = agent->enabled,
        .attributes = effective.items,
        .attribute_count = effective.count,
    };
}

struct str native_hash(struct arena *a, const uint8_t hash[TEXT_HASH_LEN])
{
    char *text = arena_alloc_raw(a, 2 * (size_t)TEXT_HASH_LEN);

    hex_print(hash, TEXT_HASH_LEN, text);
    return str_make(text, 2 * (size_t)TEXT_HASH_LEN);
}

/* --- the dialect --- */

/* Errors of methods are shaped by their protocol; this is for paths that are none. */
static void native_error(struct call *c, const struct fail *f)
{
    c->content_type = STR("text/plain; charset=utf-8");
    buf_put_str(&c->out, str_of(f->message));
    buf_put_byte(&c->out, '\n');
}

static const char *const prefixes[] = {"/muster.v1.FleetService/", NULL};

const struct dialect native_dialect = {
    .name = "native",
    .prefixes = prefixes,
    .content_type = STR_INIT("text/plain; charset=utf-8"),
    .error = native_error,
    .realm = "Muster",
};

/* For shells and scripts: a member is there also when it is false or empty. */
static const struct protojson_flavor json = {.print_defaults = true, .ignore_unknown = true};

static const struct rpc_handler handlers[] = {
    {.method = "ListAgents", .unary = native_list},
    {.method = "GetAgent", .unary = native_get},
    {.method = "WatchAgents", .live = &native_watch_ops},
    {.method = "ExplainAgent", .unary = native_explain},
    {.method = "PreviewPipeline", .unary = native_preview},
};

struct native *native_new(const struct native_options *o)
{
    struct native *n = heap_new_type(struct native);

    n->o = *o;
    n->watches = watches_new(o->registry);
    n->service = (struct rpc_service){
        .service = &muster_v1_fleet_service_desc,
        .handlers = handlers,
        .handler_count = COUNTOF(handlers),
    };
    n->table = (struct rpc_table){
        .dialect = &native_dialect,
        .services = &n->service,
        .service_count = 1,
        .style = {.json = &json},
        .app = n,
    };
    return n;
}

void native_leave(struct native *n)
{
    watches_leave(n->watches);
}

void native_free(struct native **native)
{
    struct native *n = *native;

    if (n) {
        watches_free(&n->watches);
        free(n);
    }
    *native = NULL;
}

const struct rpc_table *native_table(const struct native *n)
{
    return &n->table;
}
