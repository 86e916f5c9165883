/* SPDX-License-Identifier: Apache-2.0 */
/* Methods become routes. Start-up. */
#include "rpc/method.h"

#include "rpc/envelope.h"
#include "rpc/rest.h"

/* A client that does not know a field sends it all the same. */
static const struct protojson_flavor default_json = {.ignore_unknown = true};

struct builder {
    const struct rpc_table *table;
    struct arena *arena;
    struct route *routes;
    size_t count;
    struct fail *fail;
};

static const struct rpc_handler *handler_find(const struct rpc_service *s, struct str name)
{
    for (size_t i = 0; i < s->handler_count; i++)
        if (str_eq(str_of(s->handlers[i].method), name))
            return &s->handlers[i];
    return NULL;
}

static int service_check(const struct rpc_service *s, struct fail *f)
{
    for (size_t i = 0; i < s->handler_count; i++) {
        bool found = false;

        for (size_t k = 0; k < s->service->method_count; k++)
            found |= str_eq(s->service->methods[k].name, str_of(s->handlers[i].method));
        if (!found)
            return fail_set(f, CODE_INVALID_ARGUMENT, "%.*s has no method %s",
                            STR_ARG(s->service->full_name), s->handlers[i].method);
    }
    return 0;
}

static int handler_check(const struct proto_method *m, const struct rpc_handler *h, struct fail *f)
{
    int kinds = (h->unary != NULL) + (h->stream != NULL) + (h->live != NULL);
    bool stream = m->client_streaming || m->server_streaming;

    if (kinds != 1 || (h->unary != NULL) == stream || (h->stream && m->client_streaming))
        return fail_set(f, CODE_INVALID_ARGUMENT, "%.*s has a handler of the wrong kind",
                        STR_ARG(m->full_name));
    if (h->moves != 0 && (!h->unary || (h->moves & MOVES_TO(LANE_LOOP)) != 0))
        return fail_set(f, CODE_INVALID_ARGUMENT, "%.*s moves where it cannot",
                        STR_ARG(m->full_name));
    if (h->live && (!h->live->message || !h->live->half_close))
        return fail_set(f, CODE_INVALID_ARGUMENT, "%.*s: message() or half_close() is missing",
                        STR_ARG(m->full_name));
    return 0;
}

static int route_access(const struct proto_method *m, struct route *r, struct fail *f)
{
    switch ((enum proto_access)m->access) {
    case PROTO_ACCESS_SCOPED: break;
    case PROTO_ACCESS_KNOWN: r->flags |= ROUTE_KNOWN; return 0;
    case PROTO_ACCESS_OPEN: r->flags |= ROUTE_OPEN; return 0;
    }
    for (size_t i = 0; i < m->scope_count; i++) {
        uint32_t scope;

        if (scope_parse(m->scopes[i], &scope) < 0)
            return fail_set(f, CODE_INVALID_ARGUMENT, "%.*s: there is no scope %.*s",
                            STR_ARG(m->full_name), STR_ARG(m->scopes[i]));
        r->scope |= scope;
    }
    if (r->scope == SCOPE_NONE)
        return fail_set(f, CODE_INVALID_ARGUMENT, "%.*s needs a scope or another access",
                        STR_ARG(m->full_name));
    return 0;
}

static enum lane route_lane(const struct proto_method *m, const struct rpc_handler *h)
{
    if (!h || h->live)
        return LANE_LOOP;
    if (h->stream)
        return LANE_WORKER;
    switch ((enum proto_lane)m->lane) {
    case PROTO_LANE_WORKER: return LANE_WORKER;
    case PROTO_LANE_LOOP: return LANE_LOOP;
    case PROTO_LANE_WRITE: return LANE_WRITE;
    }
    return LANE_WORKER;
}

static size_t limit_of(uint32_t own, size_t style)
{
    return own ? own : style ? style : MESSAGE_LIMIT_DEFAULT;
}

static struct rpc_method *route_add(struct builder *b, const struct rpc_service *s,
                                    const struct proto_method *m, const struct rpc_handler *h)
{
    const struct rpc_style *style = &b->table->style;
    struct rpc_method *method = arena_new_type(b->arena, struct rpc_method);
    struct route *r = &b->routes[b->count];

    *method = (struct rpc_method){
        .m = m,
        .table = b->table,
        .handler = h,
        .app = s->app ? s->app : b->table->app,
        .json = style->json ? style->json : &default_json,
        .request_limit = limit_of(m->request_limit, style->request_limit),
        .response_limit = limit_of(m->response_limit, style->response_limit),
    };
    *r = (struct route){
        .name = arena_cstr(b->arena, m->full_name),
        .path = arena_cstr(b->arena, m->path),
        .verbs = VERB(HTTP_POST),
        .lane = route_lane(m, h),
        .flags = ROUTE_LIMIT_CLASS(m->limit_class),
        /* Base64 and framing make a body larger than its message. */
        .body_limit = method->request_limit + method->request_limit / 2 + ENVELOPE_SLACK,
        .answer_limit = method->response_limit + method->response_limit / 2 + ENVELOPE_SLACK,
        .rpc = method,
    };
    if (m->idempotency == PROTO_NO_SIDE_EFFECTS && !rpc_method_is_stream(method))
        r->verbs |= VERB(HTTP_GET);
    if (route_access(m, r, b->fail) < 0)
        return NULL;
    b->count++;
    return method;
}

static int method_add(struct builder *b, const struct rpc_service *s, const struct proto_method *m)
{
    const struct rpc_handler *h = handler_find(s, m->name);
    const struct rpc_style *style = &b->table->style;

    if (h && handler_check(m, h, b->fail) < 0)
        return -1;
    if (!route_add(b, s, m, h))
        return -1;
    if (!style->rest_json || m->client_streaming || m->server_streaming)
        return 0;
    for (size_t i = 0; i < m->http_count; i++) {
        struct rest_binding *rest;

        if (rest_binding_new(b->arena, m, &m->http[i], &rest, b->fail) < 0)
            return -1;
        if (!rest)
            continue;

        struct rpc_method *method = route_add(b, s, m, h);

        if (!method)
            return -1;

        struct route *r = &b->routes[b->count - 1];

        method->rest = rest;
        method->json = style->rest_json;
        r->path = rest->route_path;
        r->verbs = rest->verb;
        r->media = style->rest_media;
    }
    return 0;
}

int rpc_table_new(const struct rpc_table *t, struct arena *a, struct route_table *out,
                  struct fail *f)
{
    struct builder b = {.table = t, .arena = a, .fail = f};
    size_t total = 0;

    for (size_t i = 0; i < t->service_count; i++)
        for (size_t k = 0; k < t->services[i].service->method_count; k++)
            total += 1 + (size_t)t->services[i].service->methods[k].http_count;
    b.routes = arena_new_array(a, struct route, total + 1);
    for (size_t i = 0; i < t->service_count; i++) {
        const struct rpc_service *s = &t->services[i];

        if (service_check(s, f) < 0)
            return -1;
        for (size_t k = 0; k < s->service->method_count; k++)
            if (method_add(&b, s, &s->service->methods[k]) < 0)
                return -1;
    }
    *out = (struct route_table){
        .dialect = t->dialect, .routes = b.routes, .count = b.count, .app = t->app};
    return 0;
}
