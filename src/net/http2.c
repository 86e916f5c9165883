/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/2 connection: the session's callbacks and the protocol's side of a connection. */
#include "net/http2.h"

#include <stdlib.h>

#include "base/heap.h"

#define CONNECTION_WINDOW (1024 * 1024)
#define DRAIN_NOTICE_MS   1000

static struct http2 *state_of(struct conn *c)
{
    return c->state;
}

static struct http2_stream *stream_of(struct http2 *h, int32_t id)
{
    return id > 0 ? nghttp2_session_get_stream_user_data(h->session, id) : NULL;
}

static void set_deadline(struct http2 *h)
{
    struct conn *c = h->c;

    if (h->draining == HTTP2_NOTICED)
        return;
    c->deadline_us =
        conn_after_ms(c, h->stream_count > 0 ? http2_sweep_ms(h) : c->host->limits.idle_timeout_ms);
}

/* --- streams --- */

static struct http2_stream *open_stream(struct http2 *h, int32_t id)
{
    struct conn *c = h->c;
    struct exchange *e = exchange_new(c->host, c->peer, &http2_exchange_ops, NULL);
    struct http2_stream *s = arena_new_type(e->x.arena, struct http2_stream);

    counter_add(c->host->metrics->requests[PROTO_HTTP2], 1);
    e->x.impl = s;
    e->x.req.version = 20;
    s->h = h;
    s->e = e;
    s->id = id;
    s->in_since_us = s->in_last_us = s->out_last_us = loop_now_us(c->host->loop);
    s->next = h->streams;
    s->at = &h->streams;
    if (s->next)
        s->next->at = &s->next;
    h->streams = s;
    if (h->stream_count++ == 0)
        set_deadline(h);
    return s;
}

/* The stream and its exchange's net side are gone after this. */
static void close_stream(struct http2_stream *s)
{
    struct http2 *h = s->h;
    struct exchange *e = s->e;

    *s->at = s->next;
    if (s->next)
        s->next->at = s->at;
    if (--h->stream_count == 0)
        set_deadline(h);
    if (s->out_whole)
        exchange_finish(e);
    else
        exchange_lost(e);
}

static void end_input(struct http2_stream *s)
{
    s->in_whole = true;
    exchange_body_end(s->e);
    exchange_settle_body(s->e);
}

static void end_head(struct http2_stream *s, bool whole)
{
    s->head_done = true;
    s->in_whole = whole;
    http2_check_head(s);
    if (s->refusal) {
        exchange_refuse(s->e, s->why, s->refusal);
        return;
    }
    exchange_head(s->e);
    if (whole)
        end_input(s);
}

/* --- callbacks --- */

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
    struct http2 *h = user;

    (void)session;
    if (h->ended)
        return 0;
    if (hd->type == NGHTTP2_CONTINUATION)
        http2_count(h, CLOSE_H2_CONTINUATIONS);
    if (hd->type != NGHTTP2_HEADERS)
        return 0;
    if (hd->stream_id > h->last_id)
        h->last_id = hd->stream_id;
    else if (hd->stream_id % 2 == 1 && !stream_of(h, hd->stream_id))
        http2_check_closed(h, hd->stream_id);
    return 0;
}

/* nghttp2 refuses by itself: too many streams, broken rules. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *user)
{
    (void)session;
    (void)error;
    if (frame->hd.stream_id > 0)
        http2_note_reset(user, frame->hd.stream_id);
    return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct http2 *h = user;

    if (h->ended || frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;

    struct http2_stream *s = open_stream(h, frame->hd.stream_id);

    if (nghttp2_session_set_stream_user_data(session, s->id, s) != 0) {
        close_stream(s);
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct http2 *h = user;
    struct http2_stream *s = stream_of(h, frame->hd.stream_id);

    (void)session;
    (void)flags;
    if (s && !h->ended)
        http2_take_field(s, frame->headers.cat != NGHTTP2_HCAT_REQUEST, str_make(name, name_len),
                         str_make(value, value_len));
    return 0;
}

static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_len, const uint8_t *value,
                             size_t value_len, uint8_t flags, void *user)
{
    struct http2_stream *s = stream_of(user, frame->hd.stream_id);

    (void)session;
    (void)name;
    (void)name_len;
    (void)value;
    (void)value_len;
    (void)flags;
    if (s)
        http2_refuse_head(s, HTTP_REFUSE_MALFORMED, "a header field is malformed");
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *user)
{
    struct http2 *h = user;
    struct http2_stream *s = stream_of(h, id);

    (void)flags;
    if (s && s->out_whole)
        http2_read_past(s);
    if (!s || h->ended) {
        IGNORE(nghttp2_session_consume(session, id, len));
        return 0;
    }
    s->in_last_us = loop_now_us(h->c->host->loop);

    bool held = s->e->x.body_mode == HTTP_BODY_STREAM && exchange_wants_body(s->e);

    if (held)
        s->unconsumed += len;
    exchange_body(s->e, str_make(data, len));
    if (!held)
        IGNORE(nghttp2_session_consume(session, id, len));
    exchange_settle_body(s->e);
    return 0;
}

static void on_headers_frame(struct http2_stream *s, const nghttp2_frame *frame)
{
    bool whole = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        end_head(s, whole);
    else if (s->refusal)
        exchange_refuse(s->e, s->why, s->refusal);
    else if (whole)
        end_input(s);
}

static void on_data_frame(struct http2 *h, struct http2_stream *s, const nghttp2_frame *frame)
{
    bool whole = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    /* Nothing but padding; those without even that were counted on the way in. */
    if (!whole && frame->hd.length > 0 && frame->hd.length <= frame->data.padlen)
        http2_count(h, CLOSE_H2_EMPTY_DATA);
    if (s && whole)
        end_input(s);
}

/* The client knows that we are leaving: now say how far we came. */
static void leave(struct http2 *h)
{
    if (h->draining == HTTP2_LEAVING)
        return;
    h->draining = HTTP2_LEAVING;
    IGNORE(nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
                                 nghttp2_session_get_last_proc_stream_id(h->session),
                                 NGHTTP2_NO_ERROR, NULL, 0));
    set_deadline(h);
    conn_mark(h->c);
}

static void on_ping(struct http2 *h, bool ack)
{
    if (!ack)
        http2_count(h, CLOSE_H2_PINGS);
    else if (h->draining == HTTP2_NOTICED)
        leave(h);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct http2 *h = user;
    bool ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    struct http2_stream *s = stream_of(h, frame->hd.stream_id);

    (void)session;
    if (h->ended)
        return 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (s)
            on_headers_frame(s, frame);
        break;
    case NGHTTP2_DATA: on_data_frame(h, s, frame); break;
    case NGHTTP2_RST_STREAM: http2_count(h, CLOSE_H2_RESETS); break;
    case NGHTTP2_PING: on_ping(h, ack); break;
    case NGHTTP2_SETTINGS:
        if (!ack)
            http2_count(h, CLOSE_H2_SETTINGS);
        break;
    case NGHTTP2_PRIORITY: http2_count(h, CLOSE_H2_PRIORITIES); break;
    case NGHTTP2_WINDOW_UPDATE: http2_count(h, CLOSE_H2_WINDOW_UPDATES); break;
    default: break;
    }
    return 0;
}

static int on_frame_sent(nghttp2_session *session UNUSED, const nghttp2_frame *frame, void *user)
{
    struct http2 *h = user;
    struct http2_stream *s = stream_of(h, frame->hd.stream_id);

    if (frame->hd.type == NGHTTP2_RST_STREAM)
        http2_note_reset(h, frame->hd.stream_id);
    /* A client can also make us reset: by breaking rules on streams it opened. */
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
        !h->ended)
        http2_count(h, CLOSE_H2_RESETS);
    if (!s || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
        (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS))
        return 0;
    s->out_whole = true;
    if (!s->in_whole)
        http2_read_past(s);
    return 0;
}

/* nghttp2 sends no head and no trailers of more than 64 KiB, and leaves it at that: end the stream,
 * or its client waits for ever. */
static int on_frame_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error,
                             void *user)
{
    if (frame->hd.type == NGHTTP2_HEADERS && error == NGHTTP2_ERR_FRAME_SIZE_ERROR &&
        stream_of(user, frame->hd.stream_id))
        IGNORE(nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                         NGHTTP2_INTERNAL_ERROR));
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
    struct http2_stream *s = stream_of(user, id);

    (void)error;
    if (!s)
        return 0;
    if (s->unconsumed > 0)
        IGNORE(nghttp2_session_consume_connection(session, s->unconsumed));
    close_stream(s);
    return 0;
}

/* --- the connection --- */

static nghttp2_session *new_session(struct http2 *h)
{
    nghttp2_session_callbacks *cb;
    nghttp2_option *opt;
    nghttp2_session *session;
    const struct http_limits *l = &h->c->host->limits;

    if (nghttp2_session_callbacks_new(&cb) != 0 || nghttp2_option_new(&opt) != 0)
        abort();
    nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(cb, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_frame_not_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);

    nghttp2_option_set_no_auto_window_update(opt, 1);
    nghttp2_option_set_no_closed_streams(opt, 1);
    /* Ours comes first, with a better word to the client. */
    nghttp2_option_set_stream_reset_rate_limit(opt, 2 * (uint64_t)l->h2_resets, l->h2_resets);
    if (nghttp2_session_server_new2(&session, cb, h, opt) != 0)
        abort();
    nghttp2_option_del(opt);
    nghttp2_session_callbacks_del(cb);
    return session;
}

static void feed_session(struct http2 *h, const uint8_t *data, size_t len)
{
    if (h->ended || len == 0)
        return;

    ssize_t n = nghttp2_session_mem_recv(h->session, data, len);

    if (n == NGHTTP2_ERR_FLOODED)
        http2_end(h, NGHTTP2_ENHANCE_YOUR_CALM, CLOSE_H2_PINGS);
    else if (n < 0)
        http2_end(h, NGHTTP2_PROTOCOL_ERROR, CLOSE_H2_PROTOCOL);
}

/* nghttp2 drops DATA for a closed stream without a word to us, so frame headers are looked at
 * before it gets them. Everything up to the frame must have been fed when the check is made, and
 * not the last byte of its header: an empty frame that ends a stream would have ended it by then.
 */
static size_t http2_input(struct conn *c, const uint8_t *data, size_t len)
{
    struct http2 *h = state_of(c);
    size_t fed = 0, at = 0;

    while (at < len && !h->ended) {
        size_t n = MIN(len - at, h->skip);

        h->skip -= (uint32_t)n;
        at += n;
        if (at == len)
            break;
        h->head[h->head_len++] = data[at++];
        if (h->head_len < sizeof(h->head))
            continue;
        h->head_len = 0;
        h->skip = (uint32_t)h->head[0] << 16 | (uint32_t)h->head[1] << 8 | h->head[2];
        if (h->head[3] != NGHTTP2_DATA)
            continue;

        int32_t id = (int32_t)(((uint32_t)h->head[5] & 0x7f) << 24 | (uint32_t)h->head[6] << 16 |
                               (uint32_t)h->head[7] << 8 | h->head[8]);

        feed_session(h, data + fed, at - 1 - fed);
        fed = at - 1;
        if (h->skip == 0 && !(h->head[4] & NGHTTP2_FLAG_END_STREAM))
            http2_count(h, CLOSE_H2_EMPTY_DATA);
        if (!h->ended && id <= h->last_id && id % 2 == 1 && !stream_of(h, id))
            http2_check_closed(h, id);
    }
    feed_session(h, data + fed, len - fed);
    return len;
}

static bool http2_fill(struct conn *c)
{
    struct http2 *h = state_of(c);

    while (conn_has_room(c)) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(h->session, &data);

        if (n < 0) {
            conn_close(c, CLOSE_H2_PROTOCOL);
            return false;
        }
        if (n == 0) {
            if (h->draining != HTTP2_NOTICED && !nghttp2_session_want_read(h->session) &&
                !nghttp2_session_want_write(h->session))
                conn_finish(c, h->why);
            return false;
        }
        conn_write(c, data, (size_t)n);
    }
    return true;
}

static void http2_timeout(struct conn *c)
{
    struct http2 *h = state_of(c);

    if (h->draining == HTTP2_NOTICED) {
        leave(h);
    } else if (h->stream_count == 0) {
        http2_end(h, NGHTTP2_NO_ERROR, CLOSE_IDLE);
    } else {
        http2_sweep(h);
        set_deadline(h);
    }
}

static void http2_eof(struct conn *c)
{
    conn_close(c, CLOSE_BY_CLIENT);
}

static void http2_drain(struct conn *c)
{
    struct http2 *h = state_of(c);

    if (h->draining != HTTP2_SERVING || h->ended)
        return;
    h->draining = HTTP2_NOTICED;
    h->why = c->host->draining ? CLOSE_DRAIN : CLOSE_ANSWERED;
    c->deadline_us = conn_after_ms(c, DRAIN_NOTICE_MS);
    IGNORE(nghttp2_submit_shutdown_notice(h->session));
    IGNORE(nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL));
    conn_mark(c);
}

static void http2_lost(struct conn *c)
{
    struct http2 *h = state_of(c);

    while (h->streams) {
        struct http2_stream *s = h->streams;

        nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
        close_stream(s);
    }
    nghttp2_session_del(h->session);
    free(h->reset_ids);
    free(h);
}

static const struct proto_ops proto_http2 = {
    .proto = PROTO_HTTP2,
    .input = http2_input,
    .fill = http2_fill,
    .timeout = http2_timeout,
    .eof = http2_eof,
    .drain = http2_drain,
    .lost = http2_lost,
};

void http2_start(struct conn *c)
{
    struct http2 *h = heap_new_type(struct http2);
    const struct http_limits *l = &c->host->limits;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, l->h2_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, EXCHANGE_STREAM_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)MIN(l->header_bytes, UINT32_MAX)},
    };

    h->c = c;
    h->skip = 24; /* the preface */
    h->why = CLOSE_BY_CLIENT;
    h->interval_us = loop_now_us(c->host->loop);
    h->session = new_session(h);
    conn_set_proto(c, &proto_http2, h);
    if (nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, COUNTOF(settings)) != 0 ||
        nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                              CONNECTION_WINDOW) != 0)
        abort();
    set_deadline(h);
    if (c->host->draining)
        http2_drain(c);
}

void http2_refuse_preface(struct conn *c)
{
    static const char why[] = "expected an HTTP/1.1 request or the HTTP/2 preface";
    /* An empty SETTINGS frame, then GOAWAY: last stream 0, PROTOCOL_ERROR, and why. */
    static const uint8_t frames[] = {
        0,
        0,
        0,
        4,
        0,
        0,
        0,
        0,
        0, /* nothing set */
        0,
        0,
        8 + sizeof(why) - 1,
        7,
        0,
        0,
        0,
        0,
        0, /* on the connection */
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        NGHTTP2_PROTOCOL_ERROR,
    };

    conn_write(c, frames, sizeof(frames));
    conn_write(c, why, sizeof(why) - 1);
    c->linger = true;
    conn_finish(c, CLOSE_H2_PROTOCOL);
}
