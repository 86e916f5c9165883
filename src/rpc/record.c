/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of an exchange once it is over: a count, a duration, a line. Series by route and
 * status are made when first needed and found by index afterwards: no lock and no text. */
#include "base/slot.h"
#include "rpc/flight.h"

static const uint16_t statuses[] = {
    0,   200, 201, 202, 204, 206, 207, 301, 304, 307, 400, 401, 403, 404, 405, 406,
    408, 409, 412, 413, 414, 415, 421, 422, 429, 431, 499, 500, 501, 503, 504, 505,
};
_Static_assert(COUNTOF(statuses) == STATUS_SERIES, "one series a status");

static size_t status_index(int status)
{
    for (size_t i = 1; i < COUNTOF(statuses); i++)
        if (statuses[i] == status)
            return i;
    return 0;
}

static struct metric_counter *requests_series(struct flight *fl, int status)
{
    size_t i = status_index(status);
    struct metric_counter *c = slot_get(&fl->info->requests[i]);

    if (c)
        return c;

    struct str code = i > 0 ? arena_printf(fl->call.arena, "%d", status) : STR("other");
    struct str labels = arena_printf(fl->call.arena, "route=\"%.*s\",code=\"%.*s\"",
                                     STR_ARG(fl->info->label), STR_ARG(code));

    /* Two loops may come here together: both get the same series. */
    c = metrics_counter(fl->d->host->metrics, "muster_http_requests_total",
                        "Answers by route and status.", arena_cstr(fl->call.arena, labels));
    slot_set(&fl->info->requests[i], c);
    return c;
}

static struct metric_counter *calls_series(struct flight *fl)
{
    struct metric_counter *c = slot_get(&fl->info->calls[fl->code]);

    if (c)
        return c;

    struct str labels = arena_printf(fl->call.arena, "method=\"%.*s\",code=\"%s\"",
                                     STR_ARG(fl->info->label), code_name(fl->code));

    c = metrics_counter(fl->d->host->metrics, "muster_rpc_calls_total",
                        "Calls by method and outcome.", arena_cstr(fl->call.arena, labels));
    slot_set(&fl->info->calls[fl->code], c);
    return c;
}

static const char *proto_name(uint8_t version)
{
    return version == 20 ? "HTTP/2" : version == 11 ? "HTTP/1.1" : "HTTP/1.0";
}

static struct str shown_path(const struct flight *fl)
{
    const struct route *route = fl->info->route;
    const struct call *c = &fl->call;

    if (route && (route->flags & ROUTE_SECRET_PATH) != 0)
        return arena_printf(c->arena, "%s%s", fl->info->dialect->prefixes[0], route->path);
    return str_first(c->x->req.path, 512);
}

/* Times are whole microseconds. The path comes without its query: there may be secrets in it. */
static void access_line(const struct flight *fl, int64_t total_us)
{
    const struct call *c = &fl->call;
    const struct http_x *x = c->x;
    bool quiet = fl->info->route && (fl->info->route->flags & ROUTE_NO_ACCESS) != 0;
    enum log_level level = quiet ? LOGLEVEL_DEBUG : LOGLEVEL_INFO;

    LOG_AT(&c->log, level, "request", KV_STR("peer", x->req.peer->address),
           KV_SLICE("key", fl->caller.key_id),
           KV_SLICE("method", str_first(x->req.method_text, 32)), KV_SLICE("path", shown_path(fl)),
           KV_INT("code", x->resp.status), KV_STR("rpc_code", code_name(fl->code)),
           KV_UINT("bytes_in", x->req.body_bytes), KV_UINT("bytes_out", x->bytes_out),
           KV_INT("queue_us", c->queue_wait_us), KV_INT("store_us", c->store_us),
           KV_INT("total_us", total_us), KV_STR("proto", proto_name(x->req.version)));
}

void record_sent(struct flight *fl)
{
    int64_t total_us = clock_mono_us(fl->d->host->clock) - fl->call.x->req.started_us;

    if (fl->call.x->resp.status == 0) { /* cut before there was an answer: nothing went well */
        fl->call.x->resp.status = 499;
        fl->code = CODE_CANCELED;
    }
    counter_add(requests_series(fl, fl->call.x->resp.status), 1);
    if (fl->info->route && fl->info->route->rpc)
        counter_add(calls_series(fl), 1);
    histogram_observe(fl->info->seconds, (double)total_us / 1e6);
    gauge_add(fl->d->in_flight, -1);
    access_line(fl, total_us);
}
