/* SPDX-License-Identifier: Apache-2.0 */
/* Requests between net and the service. */
#include "net/exchange.h"

#include <assert.h>

#include "net/host.h"
#include "net/loop.h"
#include "net/peer.h"
#include "net/target.h"

#define BODY_LIMIT_DEFAULT ((size_t)1024 * 1024)

static struct exchange *exchange_of(struct http_x *x)
{
    return CONTAINER_OF(x, struct exchange, x);
}

struct exchange *exchange_new(struct host *host, struct peer *peer, const struct exchange_ops *ops,
                              void *impl)
{
    struct arena *a = host_take_arena(host);
    struct exchange *e = arena_new_type(a, struct exchange);

    e->ops = ops;
    e->host = host;
    e->peer = peer_ref(peer);
    e->x.arena = a;
    e->x.loop = host->loop;
    e->x.service = host->service;
    e->x.impl = impl;
    e->x.body_limit = BODY_LIMIT_DEFAULT;
    e->x.req.peer = &peer->info;
    e->x.req.content_length = -1;
    e->x.req.version = 11;
    e->x.req.method = HTTP_OTHER;
    e->x.req.started_us = loop_now_us(host->loop);

    e->next = host->exchanges;
    e->at = &host->exchanges;
    if (e->next)
        e->next->at = &e->next;
    host->exchanges = e;
    return e;
}

void exchange_head(struct exchange *e)
{
    struct http_x *x = &e->x;

    e->head_seen = e->known = true;
    x->req.started_us = loop_now_us(e->host->loop);
    x->service->head(x);
    if (e->holder == EXCHANGE_ANSWERED)
        return;
    if (x->body_mode == HTTP_BODY_STREAM)
        e->holder = EXCHANGE_WITH_SERVICE;
    if (x->req.content_length > 0 && (uint64_t)x->req.content_length > x->body_limit)
        exchange_refuse(e, HTTP_REFUSE_BODY_TOO_LARGE, "the body is too large");
}

/* A streamed answer may go on reading the request: both directions at once. */
bool exchange_wants_body(const struct exchange *e)
{
    return e->holder != EXCHANGE_ANSWERED ||
           (e->x.body_mode == HTTP_BODY_STREAM && e->x.resp.source);
}

static void free_body(void *arg)
{
    struct buf *b = arg;

    buf_done(b);
}

static void gather(struct exchange *e, struct str bytes)
{
    struct http_req *req = &e->x.req;

    /* All of it at once, the usual case: a copy in the arena. */
    if (e->x.body_mode == HTTP_BODY_BUFFER && e->body.max == 0 && req->content_length >= 0 &&
        bytes.len == (uint64_t)req->content_length) {
        req->body = arena_str(e->x.arena, bytes);
        return;
    }
    if (e->body.max == 0) {
        buf_init(&e->body, MAX(e->x.body_limit, 1));
        arena_on_free(e->x.arena, free_body, &e->body);
    }
    buf_put(&e->body, bytes.p, bytes.len);
}

size_t exchange_room(const struct exchange *e)
{
    if (e->x.body_mode == HTTP_BODY_BUFFER || !exchange_wants_body(e))
        return SIZE_MAX;

    size_t waiting = e->body.len - e->body_at;

    return waiting < EXCHANGE_STREAM_BYTES ? EXCHANGE_STREAM_BYTES - waiting : 0;
}

void exchange_body(struct exchange *e, struct str bytes)
{
    e->x.req.body_bytes += bytes.len;
    if (!exchange_wants_body(e) || bytes.len == 0)
        return;
    if (e->x.req.body_bytes > e->x.body_limit) {
        e->body_broken = true;
        exchange_refuse(e, HTTP_REFUSE_BODY_TOO_LARGE, "the body is too large");
        return;
    }
    if (e->body_at > 0) {
        buf_consume(&e->body, e->body_at);
        e->body_at = 0;
    }
    gather(e, bytes);
    e->unread = true;
}

void exchange_body_end(struct exchange *e)
{
    e->body_done = true;
    if (!exchange_wants_body(e))
        return;
    if (e->x.body_mode == HTTP_BODY_STREAM) {
        e->unread = true;
        return;
    }
    if (e->body.len > 0)
        e->x.req.body = buf_str(&e->body);
    e->holder = EXCHANGE_WITH_SERVICE;
    e->x.service->ready(&e->x);
}

void exchange_settle_body(struct exchange *e)
{
    if (!e->unread)
        return;
    e->unread = false;
    if (e->x.body_mode == HTTP_BODY_STREAM && exchange_wants_body(e) && e->x.service->readable)
        e->x.service->readable(&e->x);
}

static int refusal_status(enum http_refusal why)
{
    switch (why) {
    case HTTP_REFUSE_MALFORMED: return 400;
    case HTTP_REFUSE_URI_TOO_LONG: return 414;
    case HTTP_REFUSE_FIELDS_TOO_LARGE: return 431;
    case HTTP_REFUSE_BODY_TOO_LARGE: return 413;
    case HTTP_REFUSE_TIMEOUT: return 408;
    case HTTP_REFUSE_VERSION: return 505;
    case HTTP_REFUSE_EXPECTATION: return 417;
    case HTTP_REFUSE_NOT_IMPLEMENTED: return 501;
    case HTTP_REFUSE_MISDIRECTED: return 421;
    }
    return 400;
}

void exchange_refuse(struct exchange *e, enum http_refusal why, const char *message)
{
    struct http_x *x = &e->x;

    if (e->holder == EXCHANGE_ANSWERED)
        return;
    e->body_broken = true;
    e->known = true;
    x->service->refuse(x, why, message);
    if (e->holder == EXCHANGE_ANSWERED)
        return;
    x->resp = (struct http_resp){.status = refusal_status(why),
                                 .body = arena_printf(x->arena, "%s\n", message)};
    http_resp_add(x, STR("content-type"), STR("text/plain; charset=utf-8"));
    http_answer(x);
}

bool exchange_is_bodiless(const struct exchange *e)
{
    return e->x.req.method == HTTP_HEAD || e->x.resp.status == 204 || e->x.resp.status == 304;
}

int64_t exchange_length(const struct exchange *e)
{
    const struct http_resp *r = &e->x.resp;

    return r->source ? r->source_length : (int64_t)r->body.len;
}

static ptrdiff_t pull_source(struct exchange *e, uint8_t *out, size_t cap)
{
    struct http_resp *r = &e->x.resp;

    if (r->source_length < 0)
        return r->source->ops->read(r->source, out, cap);

    uint64_t left = (uint64_t)r->source_length - e->pulled;

    if (left == 0)
        return 0;

    ptrdiff_t n = r->source->ops->read(r->source, out, MIN(cap, left));

    /* Less than was announced: the client must not take it for the whole. */
    return n == 0 ? HTTP_BROKEN : n;
}

ptrdiff_t exchange_pull(struct exchange *e, uint8_t *out, size_t cap)
{
    struct http_resp *r = &e->x.resp;
    ptrdiff_t n;

    if (r->source) {
        n = pull_source(e, out, cap);
    } else {
        n = (ptrdiff_t)MIN(cap, r->body.len - e->pulled);
        if (n > 0)
            memcpy(out, r->body.p + e->pulled, (size_t)n);
    }
    if (n > 0) {
        assert((size_t)n <= cap);
        e->pulled += (uint64_t)n;
        e->x.bytes_out += (uint64_t)n;
    }
    return n;
}

static bool is_ours(struct str name)
{
    switch (name.len) {
    case 4: return str_eq(name, STR("date"));
    case 6: return str_eq(name, STR("server"));
    case 7: return str_eq(name, STR("upgrade"));
    case 10: return str_eq(name, STR("connection")) || str_eq(name, STR("keep-alive"));
    case 14: return str_eq(name, STR("content-length"));
    case 17: return str_eq(name, STR("transfer-encoding"));
    default: return false;
    }
}

bool exchange_field_is_sendable(const struct http_field *f)
{
    if (!token_is_valid(f->name) || is_ours(f->name))
        return false;
    if (str_is_within(f->value, ' ', '~'))
        return true;
    for (size_t i = 0; i < f->value.len; i++) {
        unsigned char c = (unsigned char)f->value.p[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

void exchange_finish(struct exchange *e)
{
    struct http_x *x = &e->x;
    struct host *host = e->host;

    x->impl = NULL;
    if (x->resp.source && x->resp.source->ops->close && !e->source_closed) {
        e->source_closed = true;
        x->resp.source->ops->close(x->resp.source);
    }
    if (x->held) {
        e->over = true;
        return;
    }
    if (e->known)
        x->service->sent(x);

    *e->at = e->next;
    if (e->next)
        e->next->at = e->at;
    peer_unref(&e->peer);
    host_give_arena(host, x->arena);
}

void exchange_lost(struct exchange *e)
{
    struct http_x *x = &e->x;
    enum exchange_holder holder = e->holder;

    x->impl = NULL;
    x->gone = true;
    if (holder == EXCHANGE_ANSWERED) {
        exchange_finish(e);
        return;
    }
    if (holder == EXCHANGE_WITH_SERVICE) {
        if (x->service->gone)
            x->service->gone(x);
        else if (x->body_mode == HTTP_BODY_STREAM && x->service->readable)
            x->service->readable(x);
        return; /* it may be gone by now */
    }
    if (e->head_seen && x->service->gone)
        x->service->gone(x);
    exchange_finish(e);
}

void exchange_on_posted(struct queue_node *n)
{
    struct http_x *x = CONTAINER_OF(n, struct http_x, posted);

    x->on_posted(x);
}

void http_answer(struct http_x *x)
{
    struct exchange *e = exchange_of(x);
    enum exchange_holder before = e->holder;

    assert(loop_is_here(x->loop) && before != EXCHANGE_ANSWERED);
    if (x->resp.status < 200 || x->resp.status > 599)
        x->resp.status = x->resp.status == 0 ? 200 : 500;
    e->holder = EXCHANGE_ANSWERED;
    if (x->impl)
        e->ops->answer(e);
    else if (before == EXCHANGE_WITH_SERVICE)
        exchange_finish(e);
}

ptrdiff_t http_read(struct http_x *x, uint8_t *out, size_t cap)
{
    struct exchange *e = exchange_of(x);
    size_t n = MIN(cap, e->body.len - e->body_at);

    if (!x->impl || e->body_broken)
        return HTTP_BROKEN;
    if (n == 0)
        return e->body_done ? 0 : HTTP_AGAIN;
    memcpy(out, e->body.data + e->body_at, n);
    e->body_at += n;
    if (e->body_at == e->body.len) {
        buf_clear(&e->body);
        e->body_at = 0;
    }
    e->ops->taken(e, n);
    return (ptrdiff_t)n;
}

void http_post(struct http_x *x, void (*fn)(struct http_x *x))
{
    x->on_posted = fn;
    loop_post_node(x->loop, &x->posted);
}

void http_release(struct http_x *x)
{
    struct exchange *e = exchange_of(x);

    x->held = false;
    if (e->over)
        exchange_finish(e);
}

void http_resume(struct http_x *x)
{
    struct exchange *e = exchange_of(x);

    if (x->impl)
        e->ops->resume(e);
}
