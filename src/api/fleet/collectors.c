/* SPDX-License-Identifier: Apache-2.0 */
/* The management of collectors: reads from memory on a worker, writes in a transaction. */
#include "api/fleet/fleet_internal.h"
#include "api/fleet/messages.h"
#include "api/fleet/operations.h"

#define BULK_STEPS_MAX ((size_t)1000000) /* operations times agents, of one request */
#define LIST_FIRST     64
#define LIST_RETRY_MS  5000

static void answer(struct call *c, const struct agent *agent, struct collector_v1_collector *out)
{
    message_collector(c->arena, agent, clock_wall_us(fleet_app_of(c)->clock),
                      fleet_settings(c)->inactive_after_us, out);
}

/* --- reads --- */

int fleet_get_collector(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct collector_v1_get_collector_request *in = request;
    struct agent agent = {0};

    if (fleet_needs(in->id, "id", f) < 0)
        return -1;
    if (!agents_get(fleet_realm(c)->agents, c->arena, in->id, &agent)) {
        f->code = CODE_NOT_FOUND;
        return fleet_no_collector(in->id, f);
    }
    answer(c, &agent, response);
    return 0;
}

struct listing {
    struct arena *arena;
    int64_t now_us;
    int64_t inactive_after_us;
    struct collector_v1_collector *items;
    size_t count;
    size_t room;
};

static bool list_one(void *arg, const struct agent *agent)
{
    struct listing *l = arg;

    if (l->count == l->room) {
        size_t room = l->room > 0 ? 2 * l->room : LIST_FIRST;
        struct collector_v1_collector *items =
            arena_alloc_raw(l->arena, room * sizeof(l->items[0]));

        if (l->count > 0)
            memcpy(items, l->items, l->count * sizeof(l->items[0]));
        l->items = items;
        l->room = room;
    }
    message_collector(l->arena, agent, l->now_us, l->inactive_after_us, &l->items[l->count++]);
    return true;
}

static void give_turn(void *arg)
{
    turn_give(arg);
}

/* The vendor's call has no pages, so the answer is made as a whole. One large one at a time is what
 * memory is planned for. */
static int list_take_turn(struct call *c, const struct matcher *matchers, size_t count,
                          struct fail *f)
{
    struct fleet_app *app = fleet_app_of(c);
    struct agents *agents = fleet_realm(c)->agents;

    if (app->list_large == 0 || agents_count(agents) < app->list_large ||
        agents_select_count(agents, matchers, count) < app->list_large)
        return 0;
    if (!turn_take(&app->list_turn)) {
        IGNORE(fail_reason(f, CODE_UNAVAILABLE, "busy",
                           "another list of %zu collectors or more is on its way: try again later, "
                           "or ask for fewer by matchers",
                           app->list_large));
        f->retry_after_ms = LIST_RETRY_MS;
        return -1;
    }
    arena_on_free(c->arena, give_turn, &app->list_turn);
    return 0;
}

int fleet_list_collectors(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct collector_v1_list_collectors_request *in = request;
    struct collector_v1_collectors *out = response;
    struct matcher *matchers = NULL;
    struct listing l = {
        .arena = c->arena,
        .now_us = clock_wall_us(fleet_app_of(c)->clock),
        .inactive_after_us = fleet_settings(c)->inactive_after_us,
    };

    if (matchers_parse(c->arena, in->matchers.items, in->matchers.count, &matchers, f) < 0 ||
        list_take_turn(c, matchers, in->matchers.count, f) < 0)
        return -1;
    agents_each(fleet_realm(c)->agents, c->arena, matchers, in->matchers.count, list_one, &l);
    out->collectors.items = l.items;
    out->collectors.count = l.count;
    return 0;
}

static struct collector_v1_attributes *values_message(struct arena *a,
                                                      const struct attribute_values *v)
{
    struct collector_v1_attributes *out = arena_new_type(a, struct collector_v1_attributes);

    out->values.items = arena_new_array(a, struct collector_v1_value, v->count);
    out->values.count = v->count;
    for (size_t i = 0; i < v->count; i++)
        out->values.items[i].value = v->values[i];
    return out;
}

int fleet_list_attributes(struct call *c, const void *request, void *response, struct fail *f)
{
    struct str nothing = STR("");
    const struct attribute_values virtual_id = {STR(AGENT_ID_KEY), &nothing, 1};
    struct collector_v1_list_collector_attributes_response *out = response;
    struct agents *agents = fleet_realm(c)->agents;
    struct attribute_values *local, *remote;
    size_t locals, remotes;

    (void)request;
    (void)f;
    agents_local_values(agents, c->arena, &local, &locals);
    agents_remote_values(agents, c->arena, &remote, &remotes);
    out->local_attributes.items = arena_new_array(
        c->arena, struct collector_v1_list_collector_attributes_response_local_attributes_entry,
        locals + 1);
    out->remote_attributes.items = arena_new_array(
        c->arena, struct collector_v1_list_collector_attributes_response_remote_attributes_entry,
        remotes + 1);
    for (size_t i = 0; i < locals; i++) {
        out->local_attributes.items[i].key = local[i].key;
        out->local_attributes.items[i].value = values_message(c->arena, &local[i]);
    }
    for (size_t i = 0; i < remotes; i++) {
        out->remote_attributes.items[i].key = remote[i].key;
        out->remote_attributes.items[i].value = values_message(c->arena, &remote[i]);
    }
    /* The id is everybody's attribute; its values would be the list of all collectors. */
    if (agents_count(agents) > 0) {
        out->local_attributes.items[locals].key = virtual_id.key;
        out->local_attributes.items[locals].value = values_message(c->arena, &virtual_id);
        locals++;
    }
    out->local_attributes.count = locals;
    out->remote_attributes.count = remotes;
    return 0;
}

/* --- writes; on the lane, many at once after a worker has read what is asked --- */

static int needs_collector(const struct collector_v1_collector *in, struct fail *f)
{
    if (in)
        return fleet_needs(in->id, "collector.id", f);
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "missing", "collector is missing"));
    return fail_field(f, "collector");
}

int fleet_create_collector(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct collector_v1_collector *in =
        ((const struct collector_v1_create_collector_request *)request)->collector;
    struct registry *registry = fleet_app_of(c)->registry;

    if (needs_collector(in, f) < 0)
        return -1;

    struct agent agent = {
        .row = {.tenant = c->caller->tenant, .ext_id = in->id, .name = in->name},
        .enabled = in->has_enabled ? in->enabled : true,
        .remote = message_remote(in),
    };

    if (message_type(in->collector_type, &agent.type, f) < 0 ||
        agent_check_remote(&agent.remote, f) < 0 ||
        agent_check_room(c->tx, registry, c->caller->tenant, fleet_settings(c)->collectors_max, f) <
            0 ||
        agent_create(c->tx, registry, c->caller, &agent, f) < 0)
        return -1;
    answer(c, &agent, response);
    return 0;
}

/* Name and remote attributes are replaced; what the agent says of itself is not ours to change. */
int fleet_update_collector(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct collector_v1_collector *in =
        ((const struct collector_v1_update_collector_request *)request)->collector;
    struct agent agent = {0};
    enum agent_type type;

    if (needs_collector(in, f) < 0 || message_type(in->collector_type, &type, f) < 0)
        return -1;
    if (agent_get(c->tx, c->caller->tenant, in->id, &agent, f) < 0)
        return fleet_no_collector(in->id, f);
    agent.row.name = in->name;
    agent.remote = message_remote(in);
    if (agent_check_remote(&agent.remote, f) < 0)
        return -1;
    if (in->has_enabled)
        agent.enabled = in->enabled;
    if (type)
        agent.type = type;
    if (agent_update(c->tx, fleet_app_of(c)->registry, c->caller, &agent, f) < 0)
        return -1;
    answer(c, &agent, response);
    return 0;
}

static int update_one(struct call *c, struct str id, const struct operations *ops, struct fail *f)
{
    struct agent agent = {0};
    struct attributes remote;
    bool changed;

    if (agent_get(c->tx, c->caller->tenant, id, &agent, f) < 0)
        return fleet_no_collector(id, f);
    if (operations_apply(c->arena, ops, &agent.remote, &remote, &changed, f) < 0)
        return fleet_name_item(id, f);
    if (!changed)
        return 0;
    agent.remote = remote;
    return agent_update(c->tx, fleet_app_of(c)->registry, c->caller, &agent, f) < 0
               ? fleet_name_item(id, f)
               : 0;
}

struct bulk {
    struct fleet_ids ids;
    struct operations ops;
};

/* Write lane: all or nothing. */
static int update_all(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct bulk *b = c->carry;

    (void)request;
    (void)response;
    for (size_t i = 0; i < b->ids.count; i++)
        if (update_one(c, b->ids.items[i], &b->ops, f) < 0)
            return -1;
    return 0;
}

int fleet_bulk_update(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct collector_v1_bulk_update_collectors_request *in = request;
    struct bulk *b = arena_new_type(c->arena, struct bulk);

    (void)response;
    if (fleet_ids_once(c->arena, in->ids.items, in->ids.count, &b->ids, f) < 0 ||
        operations_parse(c->arena, in->ops.items, in->ops.count, &b->ops, f) < 0)
        return -1;
    if (b->ids.count * b->ops.count > BULK_STEPS_MAX)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "too_many",
                           "%zu operations on %zu collectors are too many for one request",
                           b->ops.count, b->ids.count);
    c->carry = b;
    return rpc_move(c, LANE_WRITE, update_all);
}

static int delete_one(struct call *c, struct str id, struct fail *f)
{
    if (agent_delete(c->tx, fleet_app_of(c)->registry, c->caller, c->caller->tenant, id, f) < 0)
        return fleet_no_collector(id, f);
    return 0;
}

int fleet_delete_collector(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct collector_v1_delete_collector_request *in = request;

    (void)response;
    return fleet_needs(in->id, "id", f) < 0 ? -1 : delete_one(c, in->id, f);
}

/* Write lane: all or nothing. */
static int delete_all(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct fleet_ids *ids = c->carry;

    (void)request;
    (void)response;
    for (size_t i = 0; i < ids->count; i++)
        if (delete_one(c, ids->items[i], f) < 0)
            return -1;
    return 0;
}

int fleet_bulk_delete(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct collector_v1_bulk_delete_collectors_request *in = request;
    struct fleet_ids *ids = arena_new_type(c->arena, struct fleet_ids);
    bool alias = in->ids.count == 0;

    (void)response;
    if (fleet_ids_once(c->arena, alias ? in->id.items : in->ids.items,
                       alias ? in->id.count : in->ids.count, ids, f) < 0)
        return -1;
    c->carry = ids;
    return rpc_move(c, LANE_WRITE, delete_all);
}
