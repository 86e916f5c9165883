/* SPDX-License-Identifier: Apache-2.0 */
/* ListAgents, GetAgent, ExplainAgent. */
#include "api/native/native_internal.h"
#include "codec/base64.h"
#include "proto/collector_v1_collector.pb.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     1000

#define LIST_(name) MUSTER_V1_AGENT_STATUS_##name

/* --- ListAgents --- */

struct listing {
    uint32_t statuses; /* bits 1 << MUSTER_V1_AGENT_STATUS_...; 0: any */
    bool has_active;
    bool active;
    int64_t now_us;
    int64_t inactive_after_us;
    struct str after;
    struct first_ids ids;
};

/* With a lock of the agents. */
static void list_one(void *arg, const struct agent *agent)
{
    struct listing *l = arg;
    uint32_t status = agent->has_status ? (uint32_t)agent->status + LIST_(UNSET) : 0;

    if (l->statuses != 0 && (l->statuses & (1u << status)) == 0)
        return;
    if (l->has_active &&
        l->active != (agent_inactive_at(agent, l->now_us, l->inactive_after_us) == 0))
        return;
    if (str_cmp(agent->row.ext_id, l->after) > 0)
        first_ids_put(&l->ids, agent->row.ext_id);
}

static int read_statuses(const struct muster_v1_list_agents_request *in, uint32_t *out,
                         struct fail *f)
{
    for (size_t i = 0; i < in->statuses.count; i++) {
        int32_t status = in->statuses.items[i];

        if (status < LIST_(UNSPECIFIED) || status > LIST_(FAILED)) {
            IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_status", "there is no status %d",
                               status));
            return fail_field(f, "statuses");
        }
        *out |= 1u << status;
    }
    return 0;
}

/* The token is the last id of the page before. */
static int read_token(struct arena *a, struct str token, struct str *after, struct fail *f)
{
    *after = STR("");
    if (token.len == 0 || base64_decode(a, BASE64_URL_BARE, token, after) == 0)
        return 0;
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_page_token",
                       "page_token is not one that a list gave out"));
    return fail_field(f, "page_token");
}

static void put_page(struct call *c, const struct first_ids *ids,
                     struct muster_v1_list_agents_response *out)
{
    struct agents *agents = native_realm(c)->agents;

    out->agents.items = arena_new_array(c->arena, struct muster_v1_agent, ids->count);
    for (size_t i = 0; i < ids->count; i++) {
        struct agent agent = {0};

        if (agents_get(agents, c->arena, ids->items[i], &agent)) /* else it has just gone */
            native_agent(native_of(c), c->arena, &agent, &out->agents.items[out->agents.count++]);
    }
    if (ids->total > ids->count)
        out->next_page_token = base64_encode(c->arena, BASE64_URL_BARE, ids->items[ids->count - 1]);
}

int native_list(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_v1_list_agents_request *in = request;
    const struct native *n = native_of(c);
    size_t size = in->page_size == 0 ? PAGE_DEFAULT : MIN(in->page_size, PAGE_MAX);
    struct matcher *matchers = NULL;
    struct listing l = {
        .has_active = in->has_active,
        .active = in->active,
        .now_us = clock_wall_us(n->o.clock),
        .inactive_after_us = agent_settings_get(n->o.settings)->inactive_after_us,
    };

    if (native_matchers(c->arena, in->matchers.items, in->matchers.count, &matchers, f) < 0 ||
        read_statuses(in, &l.statuses, f) < 0 ||
        read_token(c->arena, in->page_token, &l.after, f) < 0)
        return -1;
    first_ids_init(&l.ids, c->arena, size);
    agents_scan(native_realm(c)->agents, matchers, in->matchers.count, list_one, &l);
    first_ids_sort(&l.ids);
    put_page(c, &l.ids, response);
    return 0;
}

/* --- GetAgent --- */

/* What an agent of another dialect reports is one file without a name. */
static void put_config(struct arena *a, struct str text, struct muster_v1_get_agent_response *out)
{
    struct collector_v1_agent_config_map map = {0};
    struct fail f;

    if (text.len == 0)
        return;
    if (proto_decode(&collector_v1_agent_config_map_desc, a, text, NULL, &map, &f) < 0) {
        out->effective_config.items = arena_new_array(a, struct muster_v1_config_file, 1);
        out->effective_config.items[0].body = text;
        out->effective_config.count = 1;
        return;
    }
    out->effective_config.items =
        arena_new_array(a, struct muster_v1_config_file, map.config_map.count);
    out->effective_config.count = map.config_map.count;
    for (size_t i = 0; i < map.config_map.count; i++)
        out->effective_config.items[i] = (struct muster_v1_config_file){
            .name = map.config_map.items[i].key,
            .body = map.config_map.items[i].value->body,
            .content_type = map.config_map.items[i].value->content_type,
        };
}

/* From one snapshot, so that the texts are those that the row refers to. */
static int read_agent(struct call *c, struct store_tx *tx, struct str id, struct agent *agent,
                      struct muster_v1_get_agent_response *out, struct fail *f)
{
    uint64_t tenant = c->caller->tenant;
    struct str config = {0};

    if (agent_get(tx, tenant, id, agent, f) < 0 ||
        agent_text(tx, tenant, &agent->status_error, &out->status_error, f) < 0 ||
        agent_text(tx, tenant, &agent->effective_config, &config, f) < 0)
        return -1;
    put_config(c->arena, config, out);
    return 0;
}

int native_get(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_v1_get_agent_request *in = request;
    struct muster_v1_get_agent_response *out = response;
    struct agent agent = {0}, known = {0};
    struct store_tx *tx;

    if (store_read_open(native_of(c)->o.store, c->arena, &tx, f) < 0)
        return -1;

    int rc = read_agent(c, tx, in->id, &agent, out, f);

    store_read_close(&tx);
    if (rc < 0)
        return -1;
    /* Liveness is written behind: memory knows better. */
    if (agents_get(native_realm(c)->agents, c->arena, in->id, &known))
        agent.row.last_seen_us = MAX(agent.row.last_seen_us, known.row.last_seen_us);
    out->agent = arena_new_type(c->arena, struct muster_v1_agent);
    native_agent(native_of(c), c->arena, &agent, out->agent);
    return 0;
}

/* --- ExplainAgent --- */

static void put_effective(struct arena *a, const struct agent_view *v,
                          struct muster_v1_explain_agent_response *out)
{
    out->effective_attributes.items = arena_new_array(
        a, struct muster_v1_explain_agent_response_effective_attributes_entry, v->attribute_count);
    out->effective_attributes.count = v->attribute_count;
    for (size_t i = 0; i < v->attribute_count; i++) {
        out->effective_attributes.items[i].key = v->attributes[i].key;
        out->effective_attributes.items[i].value = v->attributes[i].value;
    }
}

static void put_verdicts(struct arena *a, struct pipelines *p, const struct agent_view *v,
                         struct muster_v1_explain_agent_response *out)
{
    struct pipeline_verdict *verdicts;
    size_t count;

    pipelines_explain(p, a, v, &verdicts, &count);
    out->verdicts.items = arena_new_array(a, struct muster_v1_verdict, count);
    out->verdicts.count = count;
    for (size_t i = 0; i < count; i++)
        out->verdicts.items[i] = (struct muster_v1_verdict){
            .pipeline_id = arena_printf(a, "%lld", (long long)verdicts[i].id),
            .name = verdicts[i].name,
            .selected = verdicts[i].selected,
            .why = str_of(verdicts[i].why),
            .matcher = verdicts[i].matcher,
        };
}

int native_explain(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_v1_explain_agent_request *in = request;
    struct muster_v1_explain_agent_response *out = response;
    struct realm *realm = native_realm(c);
    struct agent agent = {0};
    struct rendered text = {0};

    if (!agents_get(realm->agents, c->arena, in->id, &agent))
        return native_no_such_agent(f);

    struct agent_view view = native_view(c->arena, &agent);

    out->agent = arena_new_type(c->arena, struct muster_v1_agent);
    native_agent(native_of(c), c->arena, &agent, out->agent);
    put_effective(c->arena, &view, out);
    put_verdicts(c->arena, realm->pipelines, &view, out);
    pipelines_render(realm->pipelines, &view, c->arena, NULL, &text);
    out->content = text.content;
    out->hash = native_hash(c->arena, text.hash);
    return 0;
}
