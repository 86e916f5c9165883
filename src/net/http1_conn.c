/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP/1.1 connection: requests one after the other, each answered before the next is read.
 * The request side (head, body, trailers) and the answer's side advance on their own, since a
 * streamed answer may begin before the request ends; the next request begins when both are through.
 */
#include <assert.h>

#include "base/heap.h"
#include "net/conn.h"
#include "net/exchange.h"
#include "net/http1.h"
#include "net/http1_answer.h"

#define DRAIN_BYTES (64 * 1024) /* of an unwanted body; more than that closes the connection */

enum side_in {
    IN_HEAD,
    IN_BODY,
    IN_TRAILERS,
    IN_WHOLE,
};

enum side_out {
    OUT_NONE,
    OUT_SENDING,
    OUT_STALLED, /* the source has nothing yet */
    OUT_SENT,
};

struct http1 {
    struct conn *c;
    struct exchange *e; /* NULL between requests, and while an unwanted body is drained */
    struct http1_scan scan;
    struct http1_chunks chunks;
    struct http1_framing framing;
    uint64_t body_left;
    int64_t body_since_us;
    uint64_t body_bytes;
    uint32_t drained_bytes;
    enum side_in in;
    enum side_out out;
    bool keep;         /* decided with the answer's head */
    bool continue_due; /* the client waits for a 100 */
    bool fresh;        /* nothing was understood on this connection yet */
    bool chunked_out;
};

static struct http1 *state_of(struct conn *c)
{
    return c->state;
}

/* --- the answer --- */

/* Whether what is left of the request can be read past at a bearable cost. */
static bool can_read_past(const struct http1 *h)
{
    if (h->in == IN_WHOLE)
        return true;
    if (h->continue_due)
        return false; /* whether a body follows is the client's guess and ours */
    if (exchange_wants_body(h->e))
        return true;
    return h->framing.chunked || h->body_left <= DRAIN_BYTES;
}

static void on_answer(struct exchange *e)
{
    struct http1 *h = e->x.impl;
    struct conn *c = h->c;
    const struct http_req *req = &e->x.req;
    const struct http_resp *resp = &e->x.resp;
    bool bodiless = exchange_is_bodiless(e);
    int64_t length = exchange_length(e);

    assert(h->out == OUT_NONE);
    h->out = OUT_SENDING;
    h->chunked_out = !bodiless && req->version == 11 && (length < 0 || resp->trailer_count > 0);
    h->keep = h->framing.keep_alive && !resp->close && !c->host->draining && can_read_past(h) &&
              (length >= 0 || h->chunked_out || bodiless);
    http1_answer_head(c, e, h->keep, h->chunked_out);
    h->continue_due = false;
    if (bodiless)
        h->out = OUT_SENT;
    conn_mark(c);
}

static void on_taken(struct exchange *e, size_t n)
{
    struct http1 *h = e->x.impl;

    (void)n;
    conn_mark(h->c);
}

static void on_resume(struct exchange *e)
{
    struct http1 *h = e->x.impl;

    if (h->out == OUT_STALLED)
        h->out = OUT_SENDING;
    conn_mark(h->c);
}

static const struct exchange_ops exchange_ops = {
    .answer = on_answer,
    .taken = on_taken,
    .resume = on_resume,
};

static void fill_answer(struct http1 *h)
{
    struct conn *c = h->c;

    while (h->out == OUT_SENDING && conn_has_room(c)) {
        switch (http1_answer_body(c, h->e, h->chunked_out)) {
        case HTTP1_ANSWER_MORE: break;
        case HTTP1_ANSWER_END: h->out = OUT_SENT; break;
        case HTTP1_ANSWER_STALLED:
            h->out = OUT_STALLED;
            if (c->eof)
                conn_close(c, CLOSE_BY_CLIENT);
            break;
        case HTTP1_ANSWER_BROKEN:
            c->reset = true;
            conn_close(c, CLOSE_BROKEN_SOURCE);
            break;
        }
        if (c->stage == CONN_CLOSED)
            return;
    }
}

/* --- the request --- */

static void await_request(struct http1 *h)
{
    struct conn *c = h->c;

    h->scan = (struct http1_scan){0};
    h->chunks = (struct http1_chunks){0};
    h->in = IN_HEAD;
    h->out = OUT_NONE;
    c->deadline_us = conn_after_ms(c, c->host->limits.idle_timeout_ms);
}

/* The answer is out: the exchange ends. The request may have to be read past. */
static void end_answer(struct http1 *h)
{
    struct conn *c = h->c;
    struct exchange *e = h->e;

    h->e = NULL;
    exchange_finish(e);
    if (!h->keep) {
        c->linger = h->in != IN_WHOLE || c->in_len > 0;
        conn_finish(c, c->host->draining ? CLOSE_DRAIN : c->reason);
    } else if (h->in == IN_WHOLE) {
        await_request(h);
    }
}

/* Something is wrong with the request: the service shapes the answer, then the connection ends. */
static void refuse_request(struct http1 *h, enum http_refusal why, const char *message)
{
    h->framing.keep_alive = false;
    h->in = IN_WHOLE;
    h->c->reason = CLOSE_REFUSED;
    h->c->deadline_us = INT64_MAX;
    exchange_refuse(h->e, why, message);
    h->c->linger = true;
}

static struct exchange *new_exchange(struct http1 *h)
{
    counter_add(h->c->host->metrics->requests[PROTO_HTTP1], 1);
    h->framing = (struct http1_framing){0};
    h->continue_due = false;
    h->drained_bytes = 0;
    h->e = exchange_new(h->c->host, h->c->peer, &exchange_ops, h);
    return h->e;
}

/* True when the peer was told so in the only words it may know. */
static bool refuse_foreign(struct http1 *h, const uint8_t *data)
{
    if (!h->fresh || !http1_is_foreign(&h->scan, data))
        return false;
    http2_refuse_preface(h->c);
    return true;
}

static void refuse_head(struct http1 *h, const uint8_t *data, const struct http1_refusal *r)
{
    if (refuse_foreign(h, data))
        return;

    struct exchange *e = new_exchange(h);

    http1_salvage(e->x.arena, &h->scan, data, &e->x.req);
    refuse_request(h, r->why, r->message);
}

static void end_request(struct http1 *h)
{
    h->in = IN_WHOLE;
    h->c->deadline_us = INT64_MAX;
    if (h->e)
        exchange_body_end(h->e);
}

static void begin_body(struct http1 *h, bool bytes_follow)
{
    struct conn *c = h->c;

    h->in = IN_BODY;
    h->body_since_us = loop_now_us(c->host->loop);
    h->body_bytes = 0;
    c->deadline_us = conn_after_ms(c, c->host->limits.body_timeout_ms);
    h->continue_due = h->framing.expects_continue && !bytes_follow;
}

/* The head stands at data[scan.start .. scan.at). */
static void take_head(struct http1 *h, const uint8_t *data, bool bytes_follow)
{
    if (refuse_foreign(h, data))
        return;

    struct exchange *e = new_exchange(h);
    struct http_req *req = &e->x.req;
    struct http1_refusal r;

    if (http1_parse(e->x.arena, &h->scan, data, req, &h->framing, &r) < 0) {
        refuse_request(h, r.why, r.message);
        return;
    }
    h->fresh = false;
    h->body_left = req->content_length > 0 ? (uint64_t)req->content_length : 0;
    if (h->framing.chunked || h->body_left > 0)
        begin_body(h, bytes_follow);
    else
        h->in = IN_WHOLE;

    bool whole = h->in == IN_WHOLE;

    exchange_head(e);
    if (whole) {
        end_request(h);
    } else if (h->continue_due && h->out == OUT_NONE) {
        conn_write(h->c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        h->continue_due = false;
    }
}

static void note_body(struct http1 *h, size_t n)
{
    struct conn *c = h->c;
    int64_t now = loop_now_us(c->host->loop);

    h->body_bytes += n;
    c->deadline_us =
        conn_slow_us(c, c->host->limits.body_timeout_ms, h->body_since_us, now, h->body_bytes);
}

static void deliver(struct http1 *h, struct str bytes)
{
    struct conn *c = h->c;

    note_body(h, bytes.len);
    if (h->e) {
        bool wanted = exchange_wants_body(h->e);

        exchange_body(h->e, bytes);
        if (wanted)
            return;
    }
    h->drained_bytes += (uint32_t)bytes.len;
    if (h->drained_bytes > 2 * DRAIN_BYTES) {
        h->keep = false;
        if (!h->e) {
            c->linger = true;
            conn_finish(c, CLOSE_ANSWERED);
        }
    }
}

static size_t room(const struct http1 *h)
{
    return h->e ? exchange_room(h->e) : SIZE_MAX;
}

/* A body that cannot be understood. */
static void break_body(struct http1 *h, const struct http1_refusal *r)
{
    if (h->e && h->out == OUT_NONE) {
        refuse_request(h, r->why, r->message);
        return;
    }
    h->c->linger = true;
    conn_finish(h->c, CLOSE_REFUSED);
}

/* Returns the bytes taken; 0 when there is nothing to do but wait. */
static size_t take_plain_body(struct http1 *h, const uint8_t *data, size_t len)
{
    size_t n = MIN(len, room(h));

    n = h->body_left < n ? (size_t)h->body_left : n;
    if (n == 0)
        return 0;
    h->body_left -= n;
    deliver(h, str_make(data, n));
    if (h->body_left == 0 && h->in == IN_BODY)
        end_request(h);
    return n;
}

static size_t take_chunked_body(struct http1 *h, const uint8_t *data, size_t len)
{
    struct http1_refusal r;
    struct str body = {0};
    size_t used = 0;

    len = MIN(len, room(h));
    if (len == 0)
        return 0;
    switch (http1_chunks_feed(&h->chunks, data, len, &used, &body, &r)) {
    case HTTP1_CHUNK_MORE: break;
    case HTTP1_CHUNK_DATA: deliver(h, body); break;
    case HTTP1_CHUNK_LAST:
        h->in = IN_TRAILERS;
        h->scan = (struct http1_scan){.trailers = true};
        break;
    case HTTP1_CHUNK_REFUSED: break_body(h, &r); return len;
    }
    return used;
}

static size_t take_trailers(struct http1 *h, const uint8_t *data, size_t len)
{
    struct http1_refusal r;
    struct http_req scratch = {0};

    switch (http1_scan(&h->scan, data, len, &h->c->host->limits, &r)) {
    case HTTP1_MORE: h->c->hungry = true; return 0;
    case HTTP1_REFUSED: break_body(h, &r); return len;
    case HTTP1_DONE: break;
    }
    if (h->e && http1_parse_trailers(h->e->x.arena, &h->scan, data,
                                     h->out == OUT_NONE ? &h->e->x.req : &scratch, &r) < 0) {
        break_body(h, &r);
        return len;
    }
    end_request(h);
    return h->scan.at;
}

/* 0: not whole yet. */
static size_t look_for_head(struct http1 *h, const uint8_t *data, size_t len)
{
    struct conn *c = h->c;
    struct http1_refusal r;
    bool fresh = h->scan.at == 0;

    switch (http1_scan(&h->scan, data, len, &c->host->limits, &r)) {
    case HTTP1_MORE:
        c->hungry = true;
        if (fresh)
            c->deadline_us = conn_after_ms(c, c->host->limits.header_timeout_ms);
        return 0;
    case HTTP1_REFUSED: refuse_head(h, data, &r); return len;
    case HTTP1_DONE: break;
    }

    size_t used = h->scan.at;

    take_head(h, data, len > used);
    return used;
}

/* One step of the request's side; 0 when it can go no further for now. */
static size_t step(struct http1 *h, const uint8_t *data, size_t len)
{
    switch (h->in) {
    case IN_HEAD: return conn_has_room(h->c) ? look_for_head(h, data, len) : 0;
    case IN_BODY:
        return h->framing.chunked ? take_chunked_body(h, data, len) : take_plain_body(h, data, len);
    case IN_TRAILERS: return take_trailers(h, data, len);
    case IN_WHOLE: return 0;
    }
    return 0;
}

/* Both sides through: on to the next request, if there is one. */
static bool next_request(struct http1 *h)
{
    fill_answer(h);
    if (h->c->stage != CONN_OPEN)
        return false;
    if (h->out == OUT_SENT && h->e)
        end_answer(h);
    else if (h->out == OUT_SENT && h->in == IN_WHOLE)
        await_request(h);
    else
        return false;
    return h->c->stage == CONN_OPEN;
}

static size_t http1_input(struct conn *c, const uint8_t *data, size_t len)
{
    struct http1 *h = state_of(c);
    size_t used = 0;

    while (c->stage == CONN_OPEN) {
        size_t n = used < len ? step(h, data + used, len - used) : 0;

        used += n;
        if (h->e)
            exchange_settle_body(h->e);
        if (!next_request(h) && n == 0)
            break;
    }
    if (c->stage == CONN_OPEN && used == len)
        c->hungry = true;
    if (c->stage >= CONN_FLUSHING && used < len)
        c->linger = true;
    return used;
}

/* --- the connection --- */

/* The client will send no more, and what it sent is not a request, or not the whole of one. */
static void end_at_eof(struct http1 *h)
{
    struct conn *c = h->c;

    if (h->out == OUT_SENT || (h->in == IN_HEAD && c->in_len == 0))
        conn_finish(c, CLOSE_BY_CLIENT);
    else
        conn_close(c, CLOSE_BY_CLIENT);
}

static bool http1_fill(struct conn *c)
{
    struct http1 *h = state_of(c);

    next_request(h);
    if (c->stage != CONN_OPEN)
        return false;
    if (c->eof && h->in != IN_WHOLE && (c->in_len == 0 || c->hungry)) {
        end_at_eof(h);
        return false;
    }
    return h->out == OUT_SENDING ||
           (h->in != IN_WHOLE && c->in_len > 0 && !c->hungry && room(h) > 0);
}

static void http1_timeout(struct conn *c)
{
    struct http1 *h = state_of(c);
    struct http1_refusal r = {HTTP_REFUSE_TIMEOUT, "the request did not arrive in time"};

    switch (h->in) {
    case IN_HEAD:
        if (h->scan.at == 0) {
            conn_close(c, CLOSE_IDLE);
            return;
        }
        refuse_head(h, c->in + c->in_at, &r);
        c->reason = CLOSE_HEADER_TIMEOUT;
        break;
    case IN_BODY:
    case IN_TRAILERS:
        if (!h->e || h->out != OUT_NONE) {
            conn_close(c, CLOSE_BODY_TIMEOUT);
            return;
        }
        refuse_request(h, r.why, r.message);
        c->reason = CLOSE_BODY_TIMEOUT;
        break;
    case IN_WHOLE: break;
    }
}

/* A client may close its sending side and still wait for the answer to what it asked; but one that
 * is followed by silence, for as long as the source has nothing, has most likely left. */
static void http1_eof(struct conn *c)
{
    if (state_of(c)->out == OUT_STALLED)
        conn_close(c, CLOSE_BY_CLIENT);
}

static void http1_drain(struct conn *c)
{
    struct http1 *h = state_of(c);

    if (h->in == IN_HEAD && h->scan.at == 0 && !h->e)
        conn_finish(c, CLOSE_DRAIN);
}

static void http1_lost(struct conn *c)
{
    struct http1 *h = state_of(c);
    struct exchange *e = h->e;

    h->e = NULL;
    if (e)
        exchange_lost(e);
    free(h);
}

static const struct proto_ops proto_http1 = {
    .proto = PROTO_HTTP1,
    .input = http1_input,
    .fill = http1_fill,
    .timeout = http1_timeout,
    .eof = http1_eof,
    .drain = http1_drain,
    .lost = http1_lost,
};

void http1_start(struct conn *c)
{
    struct http1 *h = heap_new_type(struct http1);

    h->c = c;
    h->fresh = true;
    c->reason = CLOSE_ANSWERED;
    conn_set_proto(c, &proto_http1, h);
    await_request(h);
}
