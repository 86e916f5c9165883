/* SPDX-License-Identifier: Apache-2.0 */
/* The service: takes an exchange from its head to its answer, by way of the lane that its route
 * names. accept.c refuses, reply.c shapes, record.c remembers. */
#include "rpc/dispatch.h"

#include <assert.h>
#include <stdlib.h>

#include "rpc/envelope.h"
#include "rpc/flight.h"
#include "rpc/stream.h"

static const struct caller nobody;

_Static_assert(CALL_MOVED == RPC_MOVED, "one answer for both kinds of handlers");

/* --- the end of every path --- */

/* Loop thread. */
static void go_home(struct http_x *x)
{
    struct flight *fl = x->user;

    if (fl->dropped && fl->dropped->ops->close)
        fl->dropped->ops->close(fl->dropped);
    fl->dropped = NULL;
    http_answer(x);
}

/* Loop thread: the answer is fl->fail. */
static void refuse_now(struct flight *fl, int status)
{
    reply_error(fl, status);
    go_home(fl->call.x);
}

/* --- handlers --- */

static bool deadline_is_over(struct flight *fl, int64_t now)
{
    if (now <= fl->call.deadline_us)
        return false;
    IGNORE(fail_reason(&fl->fail, CODE_DEADLINE_EXCEEDED, "deadline",
                       "the request's time was over before its turn came"));
    return true;
}

/* Keys are revoked while requests wait, and a client may hold its body back for long. */
static bool caller_is_gone(struct flight *fl)
{
    struct rpc_host *host = fl->d->host;

    if (!host->ops->confirm || fl->caller.key_id.len == 0 ||
        (fl->info->route->flags & ROUTE_OPEN) != 0)
        return false;
    return host->ops->confirm(host, &fl->caller, &fl->fail) < 0;
}

/* On the lane of the route, or the one that it moved to; 0, RPC_MOVED or CALL_MOVED, CALL_WAITS, or
 * -1 with *f. */
static int handler_run(struct flight *fl, struct fail *f)
{
    const struct route *route = fl->info->route;
    struct call *c = &fl->call;
    int rc;

    reply_reset(fl);
    call_forget_metadata(c);
    if (route->rpc)
        rc = envelope_run(c, f);
    else
        rc = fl->step ? fl->step(c, f) : route->handler(c, f);
    assert(rc >= 0 || f->code != CODE_OK);
    return rc;
}

int call_move(struct call *c, enum lane lane, handler_fn next)
{
    struct flight *fl = CONTAINER_OF(c, struct flight, call);

    assert((c->route->flags & ROUTE_MOVES) != 0 && !c->tx && lane != LANE_LOOP);
    fl->step = next;
    fl->next = lane;
    return CALL_MOVED;
}

static enum lane next_lane(const struct flight *fl)
{
    return fl->info->route->rpc ? fl->call.envelope->next : fl->next;
}

void flight_log_failure(const struct flight *fl)
{
    const struct fail *f = &fl->fail;

    if (f->code == CODE_INTERNAL || f->code == CODE_UNKNOWN || f->code == CODE_DATA_LOSS)
        log_error(&fl->call.log, "request failed", KV_STR("rpc_code", code_name(f->code)),
                  KV_STR("message", f->message), KV_STR("detail", f->detail));
    else if (f->detail[0] != '\0')
        log_info(&fl->call.log, "request refused", KV_STR("rpc_code", code_name(f->code)),
                 KV_STR("message", f->message), KV_STR("detail", f->detail));
}

static void shape_outcome(struct flight *fl, int result, int status, bool may_compress)
{
    if (result == 0) {
        reply_success(fl, may_compress);
        return;
    }
    flight_log_failure(fl);
    reply_error(fl, status);
}

/* --- calls that wait --- */

int call_wait(struct call *c)
{
    assert((c->route->flags & ROUTE_MOVES) != 0 && !c->tx);
    return CALL_WAITS;
}

/* Loop thread, after both the handler and call_done() are through. */
static void waited_home(struct http_x *x)
{
    struct flight *fl = x->user;

    shape_outcome(fl, fl->result, 0, false);
    go_home(x);
}

void call_done(struct call *c, int result, const struct fail *f)
{
    struct flight *fl = CONTAINER_OF(c, struct flight, call);

    fl->fail = (struct fail){0};
    fl->result = result < 0 ? -1 : 0;
    if (result < 0) {
        fl->fail = *f;
        if (fl->fail.code == CODE_OK) /* the outcome must not look like success */
            fl->fail.code = CODE_UNAVAILABLE;
    }
    if (meet_arrive(&fl->meet))
        http_post(c->x, waited_home);
}

/* The handler is through: from here on the flight may be anybody's. */
static void wait_begins(struct flight *fl)
{
    if (meet_arrive(&fl->meet))
        http_post(fl->call.x, waited_home);
}

/* --- the worker lane --- */

static void overloaded(struct flight *fl)
{
    IGNORE(fail_reason(&fl->fail, CODE_UNAVAILABLE, "overloaded",
                       "the server has too much to do: try again"));
}

static bool has_stream_handler(const struct route *route)
{
    return route->rpc && route->rpc->handler && route->rpc->handler->stream;
}

/* An answer after the client's deadline says so: it may be half of what was asked for. */
static bool is_late(struct flight *fl)
{
    return fl->call.deadline_us != INT64_MAX &&
           deadline_is_over(fl, clock_mono_us(fl->d->host->clock));
}

static int write_submit(struct flight *fl);

/* The turn of what was queued; what a call waited for several lanes adds up. */
static void end_wait(struct flight *fl, struct metric_histogram *series, int64_t now)
{
    int64_t waited = now - fl->queued_us;

    fl->call.queue_wait_us += waited;
    histogram_observe(series, (double)waited / 1e6);
}

static void worker_run(struct work *w)
{
    struct flight *fl = CONTAINER_OF(w, struct flight, work);
    int64_t now = clock_mono_us(fl->d->host->clock);
    int status = 0, rc = -1;

    end_wait(fl, fl->d->worker_wait, now);
    if (!deadline_is_over(fl, now) && !caller_is_gone(fl) && accept_body(fl, &status) == 0) {
        if (has_stream_handler(fl->info->route)) {
            stream_run(fl, go_home);
            return;
        }
        rc = handler_run(fl, &fl->fail);
        if (rc == CALL_WAITS) {
            wait_begins(fl);
            return;
        }
        if (rc == RPC_MOVED) {
            assert(next_lane(fl) == LANE_WRITE);
            if (write_submit(fl) == 0)
                return;
            rc = -1;
        }
        if (rc == 0 && fl->info->route->rpc && is_late(fl))
            rc = -1;
    }
    shape_outcome(fl, rc, status, true);
    http_post(fl->call.x, go_home);
}

static void work_queue(struct flight *fl, void (*run)(struct work *w))
{
    fl->queued_us = clock_mono_us(fl->d->host->clock);
    fl->work.run = run;
    if (workers_submit(fl->d->host->workers, &fl->work) < 0) {
        overloaded(fl);
        refuse_now(fl, 0);
    }
}

/* --- the write lane --- */

static int write_run(struct rpc_write *w, struct store_tx *tx, struct fail *f)
{
    struct flight *fl = CONTAINER_OF(w, struct flight, write);
    int64_t now = clock_mono_us(fl->d->host->clock);

    if (fl->started_us == 0) {
        fl->started_us = now;
        end_wait(fl, fl->d->write_wait, now);
    }
    if (deadline_is_over(fl, now) || caller_is_gone(fl)) {
        *f = fl->fail;
        return -1;
    }
    fl->call.tx = tx;

    int rc = handler_run(fl, f);

    assert(rc <= 0);
    fl->call.tx = NULL;
    return rc;
}

/* Loop thread. The answer is made here so that the lane goes on to its next job. */
static void write_home(struct http_x *x)
{
    struct flight *fl = x->user;
    int rc = fl->fail.code == CODE_OK ? 0 : -1;

    if (rc == 0 && fl->info->route->rpc)
        rc = envelope_encode(&fl->call, &fl->fail);
    shape_outcome(fl, rc, 0, false);
    go_home(x);
}

static void write_done(struct rpc_write *w, int result, const struct fail *f)
{
    struct flight *fl = CONTAINER_OF(w, struct flight, write);

    if (fl->started_us != 0)
        fl->call.store_us = clock_mono_us(fl->d->host->clock) - fl->started_us;
    fl->fail = (struct fail){0};
    if (result < 0) {
        fl->fail = *f;
        if (fl->fail.code == CODE_OK) /* the outcome must not look like success */
            fl->fail.code = CODE_UNAVAILABLE;
    }
    http_post(fl->call.x, write_home);
}

/* Loop or worker; -1: refused, fl->fail says why. */
static int write_submit(struct flight *fl)
{
    struct rpc_host *host = fl->d->host;

    fl->queued_us = clock_mono_us(host->clock);
    fl->write = (struct rpc_write){.run = write_run, .done = write_done, .arena = fl->call.arena};
    return host->ops->submit_write(host, &fl->write, &fl->fail);
}

/* What the lane, or the loop, need not do itself. */
static int unpack(struct flight *fl, int *status)
{
    const struct rpc_method *m = fl->info->route->rpc;

    if (accept_body(fl, status) < 0)
        return -1;
    return m && m->handler ? envelope_decode(&fl->call, &fl->fail) : 0;
}

/* A compressed body is unpacked by a worker: neither the loop nor the lane has time for it. */
static void inflate_then_write(struct work *w)
{
    struct flight *fl = CONTAINER_OF(w, struct flight, work);
    int status = 0;

    end_wait(fl, fl->d->worker_wait, clock_mono_us(fl->d->host->clock));
    if (unpack(fl, &status) == 0 && write_submit(fl) == 0)
        return;
    reply_error(fl, status);
    http_post(fl->call.x, go_home);
}

static void run_on_lane(struct flight *fl)
{
    int status = 0;

    if ((fl->gzipped || envelope_is_heavy(&fl->call)) && fl->d->host->workers) {
        work_queue(fl, inflate_then_write);
        return;
    }
    if (unpack(fl, &status) < 0 || write_submit(fl) < 0)
        refuse_now(fl, status);
}

/* --- the loop's own lane --- */

static void run_on_loop(struct flight *fl)
{
    int64_t now = fl->info->route->rpc ? clock_mono_us(fl->d->host->clock) : 0;
    int rc = deadline_is_over(fl, now) ? -1 : handler_run(fl, &fl->fail);

    if (rc == CALL_WAITS) {
        wait_begins(fl);
        return;
    }
    if (rc == RPC_MOVED) {
        assert(next_lane(fl) != LANE_LOOP);
        if (next_lane(fl) == LANE_WORKER) {
            work_queue(fl, worker_run);
            return;
        }
        if (write_submit(fl) == 0)
            return;
        rc = -1;
    }
    shape_outcome(fl, rc, 0, true);
    go_home(fl->call.x);
}

/* Loop thread: the request was unpacked elsewhere. */
static void back_on_loop(struct http_x *x)
{
    run_on_loop(x->user);
}

/* A large or compressed body is unpacked by a worker, so that others on the loop need not wait. */
static void unpack_for_loop(struct work *w)
{
    struct flight *fl = CONTAINER_OF(w, struct flight, work);
    int64_t now = clock_mono_us(fl->d->host->clock);
    int status = 0;

    end_wait(fl, fl->d->worker_wait, now);
    if (!deadline_is_over(fl, now) && !caller_is_gone(fl) && unpack(fl, &status) == 0) {
        http_post(fl->call.x, back_on_loop);
        return;
    }
    reply_error(fl, status);
    http_post(fl->call.x, go_home);
}

static void begin_on_loop(struct flight *fl)
{
    int status = 0;

    if ((fl->gzipped || envelope_is_heavy(&fl->call)) && fl->d->host->workers)
        work_queue(fl, unpack_for_loop);
    else if (accept_body(fl, &status) < 0)
        refuse_now(fl, status);
    else
        run_on_loop(fl);
}

/* --- the service --- */

static struct route_info *miss_of(struct dispatch *d, const struct dialect *dialect)
{
    for (size_t i = 0; i < d->miss_count; i++)
        if (d->misses[i].dialect == dialect)
            return &d->misses[i];
    abort(); /* dispatch_new() made one for each */
}

/* The first steps, also when net refuses a request before its head came to us. */
static struct flight *flight_begin(struct http_x *x, const struct route_table *table)
{
    struct dispatch *d = x->service->ctx;
    struct flight *fl = arena_new_type(x->arena, struct flight);
    struct call *c = &fl->call;

    x->user = fl;
    fl->d = d;
    fl->info = miss_of(d, table->dialect);
    fl->caller = nobody;
    c->arena = x->arena;
    c->x = x;
    c->caller = &fl->caller;
    c->app = table->app;
    c->deadline_us =
        d->host->deadline_ms > 0 ? x->req.started_us + d->host->deadline_ms * 1000 : INT64_MAX;
    c->request_id = request_id_take(fl);
    fl->context[0] = KV_SLICE("request_id", c->request_id);
    fl->context[1] = KV_SLICE("route", fl->info->label);
    c->log = (struct log){
        .out = d->host->log.out, .parent = &d->host->log, .kvs = fl->context, .count = 2};
    gauge_add(d->in_flight, 1);
    return fl;
}

static void flight_route(struct flight *fl, const struct route_hit *hit)
{
    struct call *c = &fl->call;

    fl->info = &fl->d->routes[hit->index];
    fl->context[1] = KV_SLICE("route", fl->info->label);
    c->route = hit->route;
    c->app = hit->route->rpc ? hit->route->rpc->app : fl->info->app;
    c->params = hit->params;
    c->param_count = hit->param_count;
}

static void refuse_match(struct flight *fl, enum route_match match, const struct route_hit *hit)
{
    switch (match) {
    case ROUTE_FOUND: abort();
    case ROUTE_NO_PATH:
        IGNORE(fail_reason(&fl->fail, CODE_NOT_FOUND, "no_such_path", "there is no such path"));
        refuse_now(fl, 404);
        return;
    case ROUTE_NO_VERB:
        fl->allow = hit->allow;
        if (hit->near && hit->near->rpc && !hit->near->rpc->rest)
            fl->allow = envelope_no_verb(&fl->call, hit->near->rpc);
        IGNORE(fail_reason(&fl->fail, CODE_UNIMPLEMENTED, "no_such_verb",
                           "this path does not serve that method"));
        refuse_now(fl, 405);
        return;
    case ROUTE_BAD_ENCODING:
        IGNORE(fail_reason(&fl->fail, CODE_INVALID_ARGUMENT, "bad_path",
                           "the path is not percent-encoded UTF-8 text"));
        refuse_now(fl, 400);
        return;
    }
}

static bool has_live_handler(const struct route *route)
{
    return route->rpc && route->rpc->handler && route->rpc->handler->live;
}

static int begin_envelope(struct flight *fl, int *status)
{
    const struct rpc_method *m = fl->info->route->rpc;

    /* Who watches something means to stay, unless he says otherwise himself. */
    if (has_live_handler(fl->info->route) && !m->m->client_streaming)
        fl->call.deadline_us = INT64_MAX;
    if (envelope_begin(&fl->call, m, fl->d->coders, fl->d->host->gzip_min_bytes, status,
                       &fl->fail) == 0)
        return 0;
    if (*status == 405)
        fl->allow = envelope_no_verb(&fl->call, m);
    return -1;
}

/* Everything that the head alone decides, cheapest for the honest client first. */
static int head_check(struct flight *fl, int *status)
{
    const struct dialect *dialect = fl->info->dialect;

    if (dialect->begin && dialect->begin(&fl->call, &fl->fail) < 0)
        return -1;
    if (fl->info->route->rpc && begin_envelope(fl, status) < 0)
        return -1;
    if (envelope_reads_head(&fl->call)) {
        if (accept_caller(fl) < 0 || accept_length(fl, status) < 0 || accept_rate(fl) < 0)
            return -1;
        return 0;
    }
    if (accept_query(fl) < 0 || accept_caller(fl) < 0 || accept_media(fl, status) < 0 ||
        accept_coding(fl, status) < 0 || accept_length(fl, status) < 0 || accept_rate(fl) < 0)
        return -1;
    return 0;
}

/* A stream of requests is taken as it comes, each message with a limit of its own. */
static void begin_requests(struct flight *fl)
{
    struct http_x *x = fl->call.x;

    x->body_mode = HTTP_BODY_STREAM;
    x->body_limit = SIZE_MAX;
    if (live_begin(fl) < 0) {
        x->body_mode = HTTP_BODY_BUFFER;
        refuse_now(fl, 0);
    }
}

static void service_head(struct http_x *x)
{
    struct dispatch *d = x->service->ctx;
    struct route_hit hit;
    enum route_match match = router_match(d->router, x->arena, x->req.method, x->req.path, &hit);
    struct flight *fl = flight_begin(x, hit.table ? hit.table : d->fallback);
    int status = 0;

    if (match != ROUTE_FOUND) {
        refuse_match(fl, match, &hit);
        return;
    }
    flight_route(fl, &hit);
    if (head_check(fl, &status) < 0) {
        refuse_now(fl, status);
        return;
    }
    x->body_mode = HTTP_BODY_BUFFER;
    x->body_limit = fl->info->route->body_limit;
    if (has_live_handler(fl->info->route) && fl->info->route->rpc->m->client_streaming)
        begin_requests(fl);
}

static void service_readable(struct http_x *x)
{
    if (x->user)
        live_readable(x->user);
}

static void service_ready(struct http_x *x)
{
    struct flight *fl = x->user;

    if (has_live_handler(fl->info->route)) {
        if (live_begin(fl) < 0)
            refuse_now(fl, 0);
        return;
    }
    switch (fl->info->route->lane) {
    case LANE_LOOP: begin_on_loop(fl); return;
    case LANE_WORKER: work_queue(fl, worker_run); return;
    case LANE_WRITE: run_on_lane(fl); return;
    }
}

static const struct {
    enum http_refusal why;
    int status;
    enum code code;
    const char *reason;
} refusals[] = {
    {HTTP_REFUSE_MALFORMED, 400, CODE_INVALID_ARGUMENT, "malformed"},
    {HTTP_REFUSE_URI_TOO_LONG, 414, CODE_INVALID_ARGUMENT, "uri_too_long"},
    {HTTP_REFUSE_FIELDS_TOO_LARGE, 431, CODE_INVALID_ARGUMENT, "fields_too_large"},
    {HTTP_REFUSE_BODY_TOO_LARGE, 413, CODE_RESOURCE_EXHAUSTED, "body_too_large"},
    {HTTP_REFUSE_TIMEOUT, 408, CODE_DEADLINE_EXCEEDED, "timeout"},
    {HTTP_REFUSE_VERSION, 505, CODE_UNIMPLEMENTED, "version"},
    {HTTP_REFUSE_EXPECTATION, 417, CODE_INVALID_ARGUMENT, "expectation"},
    {HTTP_REFUSE_NOT_IMPLEMENTED, 501, CODE_UNIMPLEMENTED, "not_implemented"},
    {HTTP_REFUSE_MISDIRECTED, 421, CODE_INVALID_ARGUMENT, "misdirected"},
};

static void service_refuse(struct http_x *x, enum http_refusal why, const char *message)
{
    struct dispatch *d = x->service->ctx;
    struct flight *fl = x->user;

    if (!fl) {
        const struct route_table *owner = router_owner(d->router, x->req.path);

        fl = flight_begin(x, owner ? owner : d->fallback);
    }
    for (size_t i = 0; i < COUNTOF(refusals); i++) {
        if (refusals[i].why != why)
            continue;
        IGNORE(fail_reason(&fl->fail, refusals[i].code, refusals[i].reason, "%s", message));
        refuse_now(fl, refusals[i].status);
        return;
    }
    abort(); /* the table has them all */
}

static void service_sent(struct http_x *x)
{
    struct flight *fl = x->user;

    if (!fl)
        return;
    if (fl->d->host->limits)
        limits_release(fl->d->host->limits, &fl->lease);
    record_sent(fl);
}

/* --- start-up --- */

static int host_check(const struct rpc_host *host, const struct route *route, struct fail *f)
{
    bool known = (route->flags & ROUTE_KNOWN) != 0, open = (route->flags & ROUTE_OPEN) != 0;
    uint32_t lanes = MOVES_TO(route->lane);

    if (route->rpc && route->rpc->handler)
        lanes |= route->rpc->handler->moves;
    if ((route->flags & ROUTE_MOVES) != 0) {
        if (route->rpc || route->lane == LANE_WRITE)
            return fail_set(f, CODE_INVALID_ARGUMENT, "route %s: it cannot move", route->name);
        lanes |= MOVES_TO(LANE_WORKER) | MOVES_TO(LANE_WRITE);
    }
    if ((route->scope == SCOPE_NONE) != (known || open) || (known && open))
        return fail_set(f, CODE_INVALID_ARGUMENT,
                        "route %s: needs a scope, or one of ROUTE_KNOWN and ROUTE_OPEN",
                        route->name);
    if ((lanes & MOVES_TO(LANE_WORKER)) != 0 && !host->workers)
        return fail_set(f, CODE_INVALID_ARGUMENT, "route %s: there are no workers", route->name);
    if ((lanes & MOVES_TO(LANE_WRITE)) != 0 && !host->ops->submit_write)
        return fail_set(f, CODE_INVALID_ARGUMENT, "route %s: there is no write lane", route->name);
    if (route->media && !route->media[0])
        return fail_set(f, CODE_INVALID_ARGUMENT, "route %s: no media type is accepted",
                        route->name);
    return 0;
}

static void info_series(struct dispatch *d, struct route_info *info)
{
    struct str labels = arena_printf(d->arena, "route=\"%.*s\"", STR_ARG(info->label));

    info->seconds = metrics_histogram(d->host->metrics, "muster_http_request_seconds",
                                      "From the complete head to the last byte of the answer.",
                                      arena_cstr(d->arena, labels), NULL, 0);
}

static void miss_add(struct dispatch *d, const struct dialect *dialect)
{
    for (size_t i = 0; i < d->miss_count; i++)
        if (d->misses[i].dialect == dialect)
            return;

    struct route_info *info = &d->misses[d->miss_count++];

    info->dialect = dialect;
    info->label = arena_printf(d->arena, "%s.unmatched", dialect->name);
    info_series(d, info);
}

static int infos_make(struct dispatch *d, struct fail *f)
{
    d->route_count = router_route_count(d->router);
    d->routes = arena_new_array(d->arena, struct route_info, d->route_count + 1);
    d->misses = arena_new_array(d->arena, struct route_info, d->route_count + 1);
    for (size_t i = 0; i < d->route_count; i++) {
        const struct route *route = router_route_at(d->router, i);
        struct route_info *info = &d->routes[i];

        info->dialect = router_table_at(d->router, i)->dialect;
        info->route = route;
        info->app = router_table_at(d->router, i)->app;
        info->label = str_of(route->name);
        if (host_check(d->host, route, f) < 0)
            return -1;
        if (d->host->limits && limits_slot(d->host->limits, info->dialect->name,
                                           (route->flags >> 8) & 0xff, &info->limit_slot, f) < 0)
            return -1;
        info_series(d, info);
        miss_add(d, info->dialect);
    }
    miss_add(d, d->fallback->dialect);
    return 0;
}

static void lanes_series(struct dispatch *d)
{
    struct metrics *m = d->host->metrics;
    static const char name[] = "muster_queue_wait_seconds";
    static const char help[] = "From being queued for a lane to its turn.";

    d->in_flight = metrics_gauge(m, "muster_http_in_flight", "Requests being answered.", "");
    d->worker_wait = metrics_histogram(m, name, help, "lane=\"worker\"", NULL, 0);
    d->write_wait = metrics_histogram(m, name, help, "lane=\"write\"", NULL, 0);
}

int dispatch_new(struct rpc_host *host, const struct router *router, struct dispatch **out,
                 struct fail *f)
{
    struct arena *a = arena_new(65536);
    struct dispatch *d = arena_new_type(a, struct dispatch);

    d->arena = a;
    d->host = host;
    d->router = router;
    d->fallback = router_owner(router, STR("/"));
    if (!d->fallback) {
        IGNORE(fail_set(f, CODE_INVALID_ARGUMENT, "no dialect owns the prefix /"));
        arena_free(&a);
        return -1;
    }
    if (infos_make(d, f) < 0) {
        arena_free(&a);
        return -1;
    }
    lanes_series(d);
    d->coders = coders_new();
    d->service = (struct http_service){
        .ctx = d,
        .head = service_head,
        .ready = service_ready,
        .refuse = service_refuse,
        .sent = service_sent,
        .readable = service_readable,
    };
    *out = d;
    return 0;
}

void dispatch_free(struct dispatch **d)
{
    if (*d) {
        struct arena *a = (*d)->arena;

        coders_free(&(*d)->coders);
        arena_free(&a);
    }
    *d = NULL;
}

const struct http_service *dispatch_service(struct dispatch *d)
{
    return &d->service;
}
