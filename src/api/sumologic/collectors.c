/* SPDX-License-Identifier: Apache-2.0 */
/* Collectors one by one: reading from memory and the store on workers, changing on the write lane.
 * Lists are in collector_list.c. */
#include "api/sumologic/installable.h"
#include "api/sumologic/internal.h"
#include "core/belongings.h"

/* --- finding --- */

static int no_such_collector(struct fail *f)
{
    return fail_reason(f, CODE_NOT_FOUND, "no_such_collector",
                       "The specified collector ID is invalid.");
}

static void take_agent(const struct agent *agent, struct sumo_collector *out)
{
    *out = (struct sumo_collector){
        .id = agent->row.id,
        .name = sumo_installable_name(agent),
        .agent = *agent,
    };
}

static void take_hosted(const struct hosted *hosted, struct sumo_collector *out)
{
    *out = (struct sumo_collector){
        .is_hosted = true,
        .id = hosted->row.id,
        .name = hosted->row.name,
        .hosted = *hosted,
    };
}

/* Liveness is newer in memory than in the row. */
static void take_seen(const struct call *c, struct agent *agent)
{
    struct agent known = {0};

    if (!agents_get_numbered(sumo_realm(c)->agents, c->arena, agent->row.id, &known))
        return;
    agent->row.last_seen_us = MAX(agent->row.last_seen_us, known.row.last_seen_us);
}

static int take_row(const struct call *c, const struct collector *row, struct sumo_collector *out,
                    struct fail *f)
{
    struct agent agent = {0};
    struct hosted hosted = {0};

    switch (row->kind) {
    case COLLECTOR_AGENT:
        if (agent_decode(c->arena, row, &agent, f) < 0)
            return -1;
        take_seen(c, &agent);
        take_agent(&agent, out);
        return 0;
    case COLLECTOR_HOSTED:
        if (hosted_decode(c->arena, row, &hosted, f) < 0)
            return -1;
        take_hosted(&hosted, out);
        return 0;
    case COLLECTOR_PLUGIN:
    case COLLECTOR_CAPTURE: break;
    }
    return no_such_collector(f);
}

/* In a transaction or, with tx NULL, a snapshot that fn sees alone. */
static int with_store(const struct call *c, struct store_tx *tx,
                      int (*fn)(const struct call *c, struct store_tx *tx, void *arg,
                                struct fail *f),
                      void *arg, struct fail *f)
{
    if (tx)
        return fn(c, tx, arg, f);
    if (store_read_open(sumo_app(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = fn(c, tx, arg, f);

    store_read_close(&tx);
    return rc;
}

struct wanted {
    int64_t id;
    struct str name;
    struct sumo_collector *out;
};

static int find_numbered(const struct call *c, struct store_tx *tx, void *arg, struct fail *f)
{
    const struct wanted *w = arg;
    struct collector row = {0};

    if (collector_get(tx, c->caller->tenant, w->id, &row, f) < 0)
        return f->code == CODE_NOT_FOUND ? no_such_collector(f) : -1;
    return take_row(c, &row, w->out, f);
}

int sumo_collector_get(const struct call *c, struct store_tx *tx, int64_t id,
                       struct sumo_collector *out, struct fail *f)
{
    struct wanted w = {.id = id, .out = out};
    struct agent agent = {0};

    if (!tx && agents_get_numbered(sumo_realm(c)->agents, c->arena, id, &agent)) {
        take_agent(&agent, out);
        return 0;
    }
    return with_store(c, tx, find_numbered, &w, f);
}

int sumo_collector_at(const struct call *c, struct store_tx *tx, const char *param,
                      struct sumo_collector *out, struct fail *f)
{
    int64_t id = 0;

    if (!sumo_id(call_param(c, str_of(param)), &id))
        return no_such_collector(f);
    return sumo_collector_get(c, tx, id, out, f);
}

static int find_unique(const struct call *c, struct store_tx *tx, void *arg, struct fail *f)
{
    const struct wanted *w = arg;
    struct collector row = {0};

    if (collector_get_name(tx, c->caller->tenant, COLLECTOR_AGENT, w->name, &row, f) < 0)
        return f->code == CODE_NOT_FOUND ? no_such_collector(f) : -1;
    return take_row(c, &row, w->out, f);
}

static void meet_namesake(void *arg, const struct agent *agent)
{
    struct wanted *w = arg;

    if (str_eq(agent->row.name, w->name) && (w->id == 0 || agent->row.id < w->id))
        w->id = agent->row.id;
}

/* Agents of other dialects have names that others may have too, so that no index knows them, or
 * only their id. Of namesakes the oldest is meant. */
static bool find_agent(const struct call *c, struct wanted *w)
{
    struct agents *agents = sumo_realm(c)->agents;
    struct agent agent = {0};

    agents_scan(agents, NULL, 0, meet_namesake, w);

    bool found = (w->id > 0 && agents_get_numbered(agents, c->arena, w->id, &agent)) ||
                 (agents_get(agents, c->arena, w->name, &agent) && agent.row.name.len == 0);

    if (found)
        take_agent(&agent, w->out);
    return found;
}

/* --- answers --- */

static void put_answer(struct call *c, const struct sumo_collector *col)
{
    struct json_writer w;

    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key(&w, STR("collector"));
    sumo_collector_put(&w, c->arena, sumo_app(c), col, sumo_now_us(c));
    json_obj_end(&w);
}

static void answer_get(struct call *c, const struct sumo_collector *col)
{
    if (!sumo_etag_is_known(c, sumo_collector_etag(c->arena, col)))
        put_answer(c, col);
}

/* If-None-Match means nothing to a change. */
static void answer_change(struct call *c, const struct sumo_collector *col)
{
    sumo_etag(c, sumo_collector_etag(c->arena, col));
    put_answer(c, col);
}

int sumo_collectors_get(struct call *c, struct fail *f)
{
    struct sumo_collector col = {0};

    if (sumo_collector_at(c, NULL, "id", &col, f) < 0)
        return -1;
    answer_get(c, &col);
    return 0;
}

int sumo_collectors_get_name(struct call *c, struct fail *f)
{
    struct sumo_collector col = {0};
    struct wanted w = {.name = call_param(c, STR("name")), .out = &col};

    if (with_store(c, NULL, find_unique, &w, f) < 0 &&
        !(f->code == CODE_NOT_FOUND && find_agent(c, &w)))
        return -1;
    answer_get(c, &col);
    return 0;
}

/* --- creating --- */

static int check_type(const struct json_value *body, struct fail *f)
{
    struct str type = {NULL, 0};
    struct fail why;

    switch (json_get_str(body, "collectorType", &type, &why)) {
    case 0:
        return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_missing",
                           "Missing required field: 'collectorType'");
    case 1:
        if (str_eq(type, STR("Hosted")))
            return 0;
        break;
    default: break;
    }
    return fail_reason(f, CODE_INVALID_ARGUMENT, "collector_type",
                       "Only collectors of type Hosted can be created; installed ones register "
                       "themselves.");
}

static int create(struct call *c, struct fail *f)
{
    struct sumo_collector col = *(const struct sumo_collector *)c->carry;

    if (hosted_create(c->tx, c->caller, &col.hosted, f) < 0)
        return -1;
    take_hosted(&col.hosted, &col);
    answer_change(c, &col);
    http_resp_add(c->x, STR("location"),
                  arena_printf(c->arena, "/api/v1/collectors/%lld", (long long)col.id));
    c->status = 201;
    return 0;
}

int sumo_collectors_create(struct call *c, struct fail *f)
{
    struct sumo_collector *col = arena_new_type(c->arena, struct sumo_collector);
    const struct json_value *body = NULL;
    struct json_value *taken = NULL;
    struct str relative = {NULL, 0};

    if (sumo_body(c, "collector", &body, f) < 0 || check_type(body, f) < 0 ||
        members_take(c->arena, sumo_collector_table(true), body, NULL, &taken, f) < 0)
        return -1;
    *col = (struct sumo_collector){.is_hosted = true};
    col->hosted.row.tenant = c->caller->tenant;
    if (sumo_collector_apply(c->arena, taken, col, f) < 0)
        return -1;
    if (json_get_str(body, "cutoffRelativeTime", &relative, f) == 1 && relative.len > 0 &&
        sumo_cutoff(relative, sumo_now_us(c), &col->hosted.profile.cutoff_ms, f) < 0)
        return -1;
    c->carry = col;
    return call_move(c, LANE_WRITE, create);
}

/* --- changing --- */

int sumo_collector_save(const struct call *c, struct sumo_collector *col, struct fail *f)
{
    if (!col->is_hosted)
        return agent_update(c->tx, sumo_app(c)->registry, c->caller, &col->agent, f);
    if (hosted_update(c->tx, c->caller, &col->hosted, f) < 0)
        return -1;
    sumo_inlets_follow(c, &col->hosted);
    return 0;
}

struct change {
    const struct json_value *body;
};

static int update(struct call *c, struct fail *f)
{
    const struct change *change = c->carry;
    const struct json_value *body = NULL;
    struct sumo_collector col = {0};
    struct json_value *taken = NULL;

    if (sumo_collector_at(c, c->tx, "id", &col, f) < 0 ||
        sumo_if_match(c, sumo_collector_etag(c->arena, &col), f) < 0 ||
        sumo_member(change->body, "collector", &body, f) < 0 ||
        sumo_body_id(body, col.id, "collector_body_id", f) < 0)
        return -1;

    struct json_value *stored = sumo_collector_tree(c->arena, sumo_app(c), &col, sumo_now_us(c));

    if (members_take(c->arena, sumo_collector_table(col.is_hosted), body, stored, &taken, f) < 0 ||
        sumo_collector_apply(c->arena, taken, &col, f) < 0)
        return -1;
    if (sumo_collector_save(c, &col, f) < 0)
        return -1;
    answer_change(c, &col);
    return 0;
}

int sumo_collectors_update(struct call *c, struct fail *f)
{
    struct change *change = arena_new_type(c->arena, struct change);
    struct sumo_collector col = {0};

    if (sumo_collector_at(c, NULL, "id", &col, f) < 0 || sumo_body(c, NULL, &change->body, f) < 0)
        return -1;
    c->carry = change;
    return call_move(c, LANE_WRITE, update);
}

/* --- deleting --- */

/* What hangs on an agent goes by the registry's hook, whoever deletes it. */
int sumo_collector_drop(struct sumologic_app *app, struct store_tx *tx, const struct caller *by,
                        uint64_t tenant, const struct sumo_collector *col, struct fail *f)
{
    struct belongings b = {.keyring = app->keyring, .inlets = app->inlets};

    if (!col->is_hosted)
        return agent_delete(tx, app->registry, by, tenant, col->agent.row.ext_id, f);
    if (belongings_drop(&b, tx, tenant, col->id, f) < 0)
        return -1;
    return collector_delete(tx, by, tenant, col->id, 0, f);
}

int sumo_collectors_delete(struct call *c, struct fail *f)
{
    struct sumo_collector col = {0};

    if (sumo_collector_at(c, c->tx, "id", &col, f) < 0)
        return -1;
    return sumo_collector_drop(sumo_app(c), c->tx, c->caller, c->caller->tenant, &col, f);
}
