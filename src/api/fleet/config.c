/* SPDX-License-Identifier: Apache-2.0 */
/* What agents do. A poll begins on the loop and, while nothing changes, ends there; otherwise a
 * worker finds out what is new and makes the answer, and what must be kept goes to the write lane
 * before it is answered. A registration that says nothing new costs no write either. */
#include "api/fleet/fleet_internal.h"
#include "api/fleet/messages.h"
#include "base/id.h"
#include "codec/utf8.h"

MAP_IS_LABELS(collector_v1_get_config_request_attributes_entry);
MAP_IS_LABELS(collector_v1_get_config_request_local_attributes_entry);
MAP_IS_LABELS(collector_v1_register_collector_request_attributes_entry);
MAP_IS_LABELS(collector_v1_register_collector_request_local_attributes_entry);

#define ERROR_TEXT_MAX 65536
#define HASH_TEXT_LEN  ((size_t)2 * TEXT_HASH_LEN)

/* Older agents send the deprecated field alone. */
#define SPOKEN_LABELS(in)                                                                          \
    ((in)->local_attributes.count > 0 ? MAP_LABELS((in)->local_attributes)                         \
                                      : MAP_LABELS((in)->attributes))
#define SPOKEN_COUNT(in)                                                                           \
    ((in)->local_attributes.count > 0 ? (in)->local_attributes.count : (in)->attributes.count)

static int64_t now_us(const struct call *c)
{
    return clock_wall_us(fleet_app_of(c)->clock);
}

/* --- GetConfig --- */

/* From the worker to the lane. */
struct polled {
    struct agent_report report;
    struct rendered config;
    bool not_modified;
};

/* A status that we do not know says nothing. */
static bool status_read(const struct collector_v1_remote_config_status *in, enum agent_status *out)
{
    if (!in)
        return false;
    switch (in->status) {
    case COLLECTOR_V1_REMOTE_CONFIG_STATUSES_UNSET: *out = AGENT_STATUS_UNSET; return true;
    case COLLECTOR_V1_REMOTE_CONFIG_STATUSES_APPLIED: *out = AGENT_STATUS_APPLIED; return true;
    case COLLECTOR_V1_REMOTE_CONFIG_STATUSES_APPLYING: *out = AGENT_STATUS_APPLYING; return true;
    case COLLECTOR_V1_REMOTE_CONFIG_STATUSES_FAILED: *out = AGENT_STATUS_FAILED; return true;
    default: return false;
    }
}

/* Nothing but the map is kept of it: the wrapper around it says nothing. What is too large to be
 * kept is as good as none: no poll fails for what it tells. */
static struct str effective_bytes(struct arena *a, const struct collector_v1_effective_config *in)
{
    struct buf bytes;

    buf_init_arena(&bytes, a, AGENT_TEXT_MAX);
    if (!in->config_map ||
        proto_encode(&collector_v1_agent_config_map_desc, in->config_map, &bytes) < 0)
        return STR("");
    return buf_str(&bytes);
}

/* Same for the text of a failure, whose beginning says most. */
static struct str error_text(struct str message)
{
    message = str_first(message, ERROR_TEXT_MAX);
    message.len = utf8_valid_len(message);
    return message;
}

/* Only what is new goes into the report; *news says whether anything is. */
static void report_make(struct call *c, const struct collector_v1_get_config_request *in,
                        const struct attributes *local, struct agent_report *r, bool *news)
{
    struct realm *realm = fleet_realm(c);
    const struct agent_settings *settings = fleet_settings(c);
    struct agent agent = {0};
    bool known = agents_get(realm->agents, c->arena, in->id, &agent);
    struct fail full = {0};

    *r = (struct agent_report){
        .id = in->id,
        .local = *local,
        .has_local = true,
        .local_if_new = true, /* it may be registered or deleted before this comes to the lane */
        .local_max = settings->local_max,
        .agents_max = settings->collectors_max,
        .returns = !known || !agent.registered || agent.inactive_us != 0,
    };
    if (status_read(in->remote_config_status, &r->status)) {
        r->status_error = error_text(in->remote_config_status->error_message);
        r->status_error_ref = text_ref_of(r->status_error);
        r->has_status = !known || !agent.has_status || agent.status != r->status ||
                        !text_ref_equal(&agent.status_error, &r->status_error_ref);
    }
    if (in->effective_config) {
        r->effective_config = effective_bytes(c->arena, in->effective_config);
        r->effective_config_ref = text_ref_of(r->effective_config);
        r->has_effective_config =
            !known || !text_ref_equal(&agent.effective_config, &r->effective_config_ref);
    }
    *news = r->returns || r->has_status || r->has_effective_config;
    /* Whoever is one too many is served all the same. */
    if (!known && agent_check_room(NULL, fleet_app_of(c)->registry, c->caller->tenant,
                                   settings->collectors_max, &full) < 0)
        *news = false;
}

static void config_answer(struct call *c, const struct polled *p,
                          struct collector_v1_get_config_response *out)
{
    char *hex = arena_alloc_raw(c->arena, HASH_TEXT_LEN);

    hex_print(p->config.hash, TEXT_HASH_LEN, hex);
    out->hash = str_make(hex, HASH_TEXT_LEN);
    out->not_modified = p->not_modified;
    if (!p->not_modified)
        out->content = p->config.content;
}

/* Others came first since the worker looked: it is served all the same. Nothing was written. */
static bool is_one_too_many(const struct fail *f)
{
    return f->reason && strcmp(f->reason, "too_many_agents") == 0;
}

/* Write lane. */
static int config_report(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct polled *p = c->carry;

    (void)request;
    (void)agents_touch(fleet_realm(c)->agents, p->report.id, now_us(c));
    if (agent_report(c->tx, fleet_app_of(c)->registry, c->caller, c->caller->tenant, &p->report,
                     NULL, f) < 0 &&
        !is_one_too_many(f))
        return -1;
    config_answer(c, p, response);
    return 0;
}

static struct attributes sorted(struct arena *a, const struct attributes *local)
{
    struct attributes out = {arena_new_array(a, struct label, local->count + 1), local->count};

    if (local->count > 0)
        memcpy(out.items, local->items, local->count * sizeof(*out.items));
    attributes_sort(&out);
    return out;
}

/* Worker. */
static int config_make(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct collector_v1_get_config_request *in = request;
    struct realm *realm = fleet_realm(c);
    struct polled *p = arena_new_type(c->arena, struct polled);
    char hex[HASH_TEXT_LEN];
    struct attributes local = message_attributes(SPOKEN_LABELS(in), SPOKEN_COUNT(in));
    bool news = false;

    if (agent_check_id(in->id, f) < 0 ||
        agent_check_local(&local, fleet_settings(c)->local_max, f) < 0)
        return -1;
    local = sorted(c->arena, &local);
    report_make(c, in, &local, &p->report, &news);
    agents_config(realm->agents, realm->pipelines, c->arena, in->id, &local, &p->config);
    hex_print(p->config.hash, TEXT_HASH_LEN, hex);
    p->not_modified = in->hash.len > 0 && str_eq(in->hash, str_make(hex, sizeof(hex)));
    if (news) {
        c->carry = p;
        return rpc_move(c, LANE_WRITE, config_report);
    }
    (void)agents_touch(realm->agents, in->id, now_us(c));
    config_answer(c, p, response);
    return 0;
}

int fleet_get_config(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct collector_v1_get_config_request *in = request;
    struct collector_v1_get_config_response *out = response;
    struct realm *realm = fleet_realm(c);
    char *hash;

    if (fleet_needs(in->id, "id", f) < 0)
        return -1;

    struct poll poll = {
        .id = in->id,
        .local = SPOKEN_LABELS(in),
        .local_count = SPOKEN_COUNT(in),
        .hash = in->hash,
        .has_status_error =
            in->remote_config_status && in->remote_config_status->error_message.len > 0,
        .has_effective_config = in->effective_config != NULL,
        .now_us = now_us(c),
    };

    poll.has_status = status_read(in->remote_config_status, &poll.status);
    hash = arena_alloc_raw(c->arena, HASH_TEXT_LEN);
    if (agents_poll(realm->agents, realm->pipelines, &poll, hash) == POLL_SLOW)
        return rpc_move(c, LANE_WORKER, config_make);
    out->hash = str_make(hash, HASH_TEXT_LEN);
    out->not_modified = true;
    return 0;
}

/* --- registration --- */

/* Write lane. */
static int register_report(struct call *c, const void *request, void *response, struct fail *f)
{
    (void)request;
    (void)response;
    return agent_report(c->tx, fleet_app_of(c)->registry, c->caller, c->caller->tenant, c->carry,
                        NULL, f);
}

int fleet_register(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct collector_v1_register_collector_request *in = request;
    const struct agent_settings *settings = fleet_settings(c);
    struct realm *realm = fleet_realm(c);
    struct attributes local = message_attributes(SPOKEN_LABELS(in), SPOKEN_COUNT(in));

    (void)response;
    if (fleet_needs(in->id, "id", f) < 0)
        return -1;
    if (agents_is_registered(realm->agents, in->id, in->name, local.items, local.count, now_us(c)))
        return 0;
    if (agent_check_id(in->id, f) < 0 || agent_check_local(&local, settings->local_max, f) < 0)
        return -1;

    struct agent_report *r = arena_new_type(c->arena, struct agent_report);

    *r = (struct agent_report){
        .id = in->id,
        .has_local = true,
        .local = local,
        .has_name = true,
        .name = in->name,
        .returns = true,
        .local_max = settings->local_max,
        .agents_max = settings->collectors_max,
    };
    c->carry = r;
    return rpc_move(c, LANE_WRITE, register_report);
}

int fleet_unregister(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct collector_v1_unregister_collector_request *in = request;

    (void)response;
    if (fleet_needs(in->id, "id", f) < 0)
        return -1;
    return agent_leave(c->tx, fleet_app_of(c)->registry, c->caller, c->caller->tenant, in->id, f);
}
