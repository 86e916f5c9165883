/* SPDX-License-Identifier: Apache-2.0 */
/* The doors for data: POST and GET to the code of a source, with what OTLP appends to it, and
 * agents with a credential of their own. A request becomes one record of the spool and is answered
 * when that is on disk. Where a source has no rules nothing here looks at the data: the loop hands
 * it over by itself. */
#include "api/sumologic/internal.h"
#include "api/sumologic/received.h"

/* One request on its way to the disk; lives in its arena. */
struct intake {
    struct spool_append append;
    struct call *call;
    struct inlet_ref *inlet; /* NULL: an agent's own data */
    uint64_t messages;
};

/* --- to the spool --- */

/* The writer's thread. */
static void stored(struct spool_append *append, int result, const struct fail *f)
{
    struct intake *in = CONTAINER_OF(append, struct intake, append);

    if (result == 0 && in->inlet)
        inlet_count(in->inlet, in->messages, append->record.data.len, append->record.received_us);
    call_done(in->call, result, f); /* and it may be gone */
}

static int store(struct intake *in, struct fail *f)
{
    const struct spool_record *r = &in->append.record;

    /* Nothing came, or nothing is left of it. */
    if (r->data.len == 0) {
        if (in->inlet)
            inlet_count(in->inlet, 0, 0, r->received_us);
        return 0;
    }
    in->append.done = stored;
    if (spool_submit(sumo_app(in->call)->spool, &in->append, f) < 0)
        return -1;
    return call_wait(in->call);
}

/* --- what came --- */

static struct str signal_of(const struct route *route)
{
    static const struct str signals[] = {STR_INIT("logs"), STR_INIT("metrics"), STR_INIT("traces")};

    for (size_t i = 0; i < COUNTOF(signals); i++)
        if (str_ends_with(str_of(route->name), signals[i]))
            return signals[i];
    return STR("");
}

static struct intake *intake_new(struct call *c, struct received_defaults defaults)
{
    const struct http_req *req = &c->x->req;
    struct intake *in = arena_new_type(c->arena, struct intake);
    bool in_query = req->method == HTTP_GET;

    in->call = c;
    in->append.record = (struct spool_record){
        .received_us = sumo_now_us(c),
        .type = received_type(req),
        .metadata = received_metadata(c->arena, req, defaults, signal_of(c->route)),
        .data = in_query ? received_query(c->arena, req->query) : req->body,
    };
    return in;
}

static int check_spool(const struct call *c, struct fail *f)
{
    if (sumo_app(c)->spool)
        return 0;
    return fail_reason(f, CODE_UNAVAILABLE, "no_spool", "this server takes no data");
}

/* --- sources --- */

static void let_go(void *arg)
{
    struct inlet_ref *r = arg;

    inlet_unref(&r);
}

/* Before the body comes: whoever knows no code makes us keep nothing. */
static int begin(struct call *c, struct fail *f)
{
    struct str code = c->param_count > 0 ? call_param(c, STR("code"))
                                         : http_req_field(&c->x->req, STR("x-sumo-token"));
    struct inlet_ref *r = code.len > 0 ? inlets_find(sumo_app(c)->inlets, code) : NULL;

    if (!r)
        return fail_reason(f, CODE_NOT_FOUND, "no_such_inlet", "no source takes data by this code");
    arena_on_free(c->arena, let_go, r);
    c->carry = r;
    return check_spool(c, f) < 0 ? -1 : room_take(sumo_app(c)->room, c, f);
}

/* Worker. */
static int filter_and_store(struct call *c, struct fail *f)
{
    struct intake *in = c->carry;
    const struct rules *rules = inlet_rules(in->inlet);
    const struct boundary *by = inlet_boundary(in->inlet);
    struct spool_record *r = &in->append.record;

    if (rules_are_idle(rules))
        in->messages = received_count(by, r->type, r->data);
    else if (received_filter(c->arena, rules, by, r->type, r->data, c->route->body_limit * 2,
                             &r->data, &in->messages, f) < 0)
        return -1;
    return store(in, f);
}

int sumo_receive(struct call *c, struct fail *f)
{
    struct inlet_ref *ref = c->carry;
    const struct inlet *inlet = inlet_of(ref);
    const struct rules *rules = inlet_rules(ref);

    if (!rules)
        return fail_reason(f, CODE_UNAVAILABLE, "broken_rules",
                           "a processing rule of this source does not compile: nothing is taken");
    if (c->x->req.method == HTTP_HEAD)
        return 0;

    struct intake *in =
        intake_new(c, (struct received_defaults){inlet->metadata, inlet_inherited(ref, c->arena)});

    in->inlet = ref;
    in->append.record.tenant = inlet->tenant;
    in->append.record.collector = inlet->collector;
    in->append.record.source = inlet->source;
    if (inlet->boundary == BOUNDARY_BODY) /* sinks must not put it together with others */
        in->append.record.metadata =
            arena_printf(c->arena, "%.*swhole=true\n", STR_ARG(in->append.record.metadata));
    if (rules_are_idle(rules) && inlet->boundary != BOUNDARY_PREFIX) {
        in->messages =
            received_count(inlet_boundary(ref), in->append.record.type, in->append.record.data);
        return store(in, f);
    }
    if (room_take_unpacked(sumo_app(c)->room, c, f) < 0)
        return -1;
    c->carry = in;
    return call_move(c, LANE_WORKER, filter_and_store);
}

/* --- agents --- */

int sumo_begin(struct call *c, struct fail *f)
{
    return c->route->handler == sumo_receive_agent ? room_take(sumo_app(c)->room, c, f) : 0;
}

int sumo_receive_agent(struct call *c, struct fail *f)
{
    int64_t collector = 0;

    if (!enroll_credential_collector(c->caller->key_id, &collector))
        return fail_reason(f, CODE_UNAUTHENTICATED, "credential_missing",
                           "only a collector's own credential sends data here");
    if (check_spool(c, f) < 0)
        return -1;

    struct received_defaults defaults = {0};
    struct agent agent = {0};

    if (agents_get_numbered(sumo_realm(c)->agents, c->arena, collector, &agent))
        defaults.collector = sumo_collector_metadata(c->arena, &agent.profile, &agent.remote);

    struct intake *in = intake_new(c, defaults);

    in->append.record.tenant = c->caller->tenant;
    in->append.record.collector = collector;
    return store(in, f);
}

/* --- routes --- */

#define DOOR(n, p, v)                                                                              \
    {                                                                                              \
        .name = (n), .path = (p), .verbs = (v), .lane = LANE_LOOP, .handler = sumo_receive,        \
        .flags = ROUTE_OPEN | ROUTE_NO_LIMIT | ROUTE_MOVES | ROUTE_DEFLATE | ROUTE_SECRET_PATH |   \
                 ROUTE_NO_ACCESS | ROUTE_ZSTD,                                                     \
    }

static const struct route doors[SUMOLOGIC_RECEIVER_ROUTES] = {
    DOOR("receiver.data", "http/{code}", VERB(HTTP_POST) | GET_VERB),
    DOOR("receiver.data.logs", "http/{code}/v1/logs", VERB(HTTP_POST)),
    DOOR("receiver.data.metrics", "http/{code}/v1/metrics", VERB(HTTP_POST)),
    DOOR("receiver.data.traces", "http/{code}/v1/traces", VERB(HTTP_POST)),
    DOOR("receiver.token", "http", VERB(HTTP_POST) | GET_VERB),
    DOOR("receiver.token.logs", "http/v1/logs", VERB(HTTP_POST)),
    DOOR("receiver.token.metrics", "http/v1/metrics", VERB(HTTP_POST)),
    DOOR("receiver.token.traces", "http/v1/traces", VERB(HTTP_POST)),
};

static const char *const prefixes[] = {"/receiver/v1/", NULL};

static const struct dialect dialect = {
    .name = "receiver",
    .prefixes = prefixes,
    .content_type = STR_INIT("text/plain; charset=utf-8"),
    .path_flags = PATH_COLLAPSE_SLASHES | PATH_IGNORE_FINAL_SLASH | PATH_QUERY_IS_BYTES,
    .error = error_plain,
    .begin = begin,
};

void sumo_receiver_table(struct sumologic_app *app, struct route_table *out)
{
    for (size_t i = 0; i < COUNTOF(doors); i++) {
        app->receiver_routes[i] = doors[i];
        app->receiver_routes[i].body_limit = app->settings.receiver_body;
    }
    *out = (struct route_table){
        .dialect = &dialect,
        .routes = app->receiver_routes,
        .count = COUNTOF(doors),
        .app = app,
    };
}
