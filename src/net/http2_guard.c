/* SPDX-License-Identifier: Apache-2.0 */
/* What HTTP/2 lets a client do at little cost to itself and much to us: counted per interval, and
 * streams that stand still are ended. */
#include "net/http2.h"

#include "base/heap.h"

#define INTERVAL_US ((int64_t)10 * 1000000)

/* A window update is expected for every kilobyte sent, at most. */
#define BYTES_PER_UPDATE 1024

#define RESETS_KEPT     256
#define READ_PAST_BYTES (64 * 1024)

static uint64_t ceiling(const struct http2 *h, enum close_reason kind)
{
    const struct http_limits *l = &h->c->host->limits;

    if (kind == CLOSE_H2_RESETS)
        return l->h2_resets;
    if (kind == CLOSE_H2_PINGS)
        return l->h2_pings;
    if (kind == CLOSE_H2_SETTINGS)
        return l->h2_settings;
    if (kind == CLOSE_H2_PRIORITIES)
        return l->h2_priorities;
    if (kind == CLOSE_H2_EMPTY_DATA)
        return l->h2_empty_data;
    if (kind == CLOSE_H2_CONTINUATIONS)
        return l->h2_continuations;
    if (kind == CLOSE_H2_STALLS)
        return l->h2_stalls;
    return l->h2_window_updates + h->interval_sent / BYTES_PER_UPDATE;
}

void http2_end(struct http2 *h, uint32_t error, enum close_reason why)
{
    if (h->ended)
        return;
    h->ended = true;
    h->why = why;
    h->c->linger = true;
    IGNORE(nghttp2_session_terminate_session(h->session, error));
    conn_mark(h->c);
}

void http2_count(struct http2 *h, enum close_reason kind)
{
    int64_t now = loop_now_us(h->c->host->loop);
    uint32_t *count = &h->counts[kind - CLOSE_H2_RESETS];

    if (now - h->interval_us > INTERVAL_US) {
        memset(h->counts, 0, sizeof(h->counts));
        h->interval_us = now;
        h->interval_sent = 0;
    }
    if (kind != CLOSE_H2_WINDOW_UPDATES)
        counter_add(h->c->host->metrics->glitches[kind], 1);
    if (++*count > ceiling(h, kind))
        http2_end(h, NGHTTP2_ENHANCE_YOUR_CALM, kind);
}

void http2_note_reset(struct http2 *h, int32_t id)
{
    if (!h->reset_ids)
        h->reset_ids = heap_new_array(int32_t, RESETS_KEPT);
    h->reset_ids[h->reset_count++ % RESETS_KEPT] = id;
}

void http2_check_closed(struct http2 *h, int32_t id)
{
    uint32_t kept = MIN(h->reset_count, RESETS_KEPT);

    for (uint32_t i = 0; i < kept; i++)
        if (h->reset_ids[i] == id)
            return;
    /* Once the ring went round we have forgotten some, and cannot blame the client. */
    if (h->reset_count > RESETS_KEPT || h->draining == HTTP2_LEAVING)
        return;
    http2_end(h, NGHTTP2_STREAM_CLOSED, CLOSE_H2_PROTOCOL);
}

static void stop_upload(struct http2_stream *s)
{
    IGNORE(nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR));
    conn_mark(s->h->c);
}

void http2_read_past(struct http2_stream *s)
{
    const struct http_req *req = &s->e->x.req;
    uint64_t announced = req->content_length > 0 ? (uint64_t)req->content_length : 0;

    if (MAX(announced, req->body_bytes) > READ_PAST_BYTES)
        stop_upload(s);
}

uint32_t http2_sweep_ms(const struct http2 *h)
{
    const struct http_limits *l = &h->c->host->limits;
    uint32_t ms = 5000;

    if (l->header_timeout_ms > 0)
        ms = MIN(ms, l->header_timeout_ms);
    if (l->body_timeout_ms > 0)
        ms = MIN(ms, l->body_timeout_ms);
    if (l->write_timeout_ms > 0)
        ms = MIN(ms, l->write_timeout_ms);
    return MAX(ms, 1);
}

static void sweep_one(struct http2_stream *s, int64_t now)
{
    struct http2 *h = s->h;
    const struct http_limits *l = &h->c->host->limits;

    if (!s->head_done) {
        if (l->header_timeout_ms > 0 &&
            now - s->in_since_us >= (int64_t)l->header_timeout_ms * 1000)
            http2_end(h, NGHTTP2_ENHANCE_YOUR_CALM, CLOSE_HEADER_TIMEOUT);
        return;
    }
    if (s->e->holder == EXCHANGE_ANSWERED && !s->out_whole && !s->deferred &&
        l->write_timeout_ms > 0 && now - s->out_last_us >= (int64_t)l->write_timeout_ms * 1000) {
        IGNORE(nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL));
        s->out_last_us = now;
        http2_count(h, CLOSE_H2_STALLS);
        return;
    }
    if (s->out_whole && !s->in_whole && l->body_timeout_ms > 0 &&
        now - s->out_last_us >= (int64_t)l->body_timeout_ms * 1000) {
        stop_upload(s);
        return;
    }
    if (!s->in_whole && s->e->holder != EXCHANGE_ANSWERED && s->unconsumed == 0 &&
        now >= conn_slow_us(h->c, l->body_timeout_ms, s->in_since_us, s->in_last_us,
                            s->e->x.req.body_bytes))
        exchange_refuse(s->e, HTTP_REFUSE_TIMEOUT, "the request did not arrive in time");
}

void http2_sweep(struct http2 *h)
{
    int64_t now = loop_now_us(h->c->host->loop);

    for (struct http2_stream *s = h->streams, *next; s && !h->ended; s = next) {
        next = s->next;
        sweep_one(s, now);
    }
}
