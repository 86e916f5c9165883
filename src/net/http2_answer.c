/* SPDX-License-Identifier: Apache-2.0 */
/* Answers as HTTP/2 frames. nghttp2 copies names and values, so nothing here has to outlive a call.
 */
#include "net/http2.h"

#include <assert.h>

#define OUR_FIELDS 4 /* :status, server, date, content-length */

/* Secrets stay out of the compression table, and so does what no other answer repeats: it would
 * push out what does, and the encoder walks past all values of a name, at both ends. */
static bool stays_out_of_table(struct str name)
{
    return str_eq(name, STR("x-request-id")) || str_eq(name, STR("set-cookie")) ||
           str_starts_with(name, STR("ratelimit-re"));
}

static nghttp2_nv nv(struct str name, struct str value)
{
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.p,
        .value = (uint8_t *)(uintptr_t)value.p,
        .namelen = name.len,
        .valuelen = value.len,
        .flags = stays_out_of_table(name) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE,
    };
}

static size_t add_fields(nghttp2_nv *out, const struct http_field *fields, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        if (exchange_field_is_sendable(&fields[i]))
            out[n++] = nv(fields[i].name, fields[i].value);
    return n;
}

static void submit_trailers(struct http2_stream *s)
{
    const struct http_resp *r = &s->e->x.resp;
    nghttp2_nv *out = arena_alloc_raw(s->e->x.arena, r->trailer_count * sizeof(*out));
    size_t n = add_fields(out, r->trailers, r->trailer_count);

    if (nghttp2_submit_trailer(s->h->session, s->id, out, n) != 0)
        IGNORE(nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id,
                                         NGHTTP2_INTERNAL_ERROR));
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t cap,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct http2_stream *s = source->ptr;
    ptrdiff_t n = exchange_pull(s->e, out, cap);
    int64_t length = exchange_length(s->e);

    (void)session;
    (void)id;
    (void)user;
    if (n == HTTP_AGAIN) {
        s->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (n < 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;

    s->out_last_us = loop_now_us(s->h->c->host->loop);
    s->h->interval_sent += (uint64_t)n;
    if (n == 0 || (length >= 0 && s->e->pulled == (uint64_t)length)) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (s->e->x.resp.trailer_count > 0) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            submit_trailers(s);
        }
    }
    return n;
}

static void print_number(struct arena *a, int64_t v, struct str *out)
{
    char *p = arena_alloc_raw(a, 20);
    size_t n = 20;

    do {
        p[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    *out = str_make(p + n, 20 - n);
}

static void on_answer(struct exchange *e)
{
    struct http2_stream *s = e->x.impl;
    const struct http_resp *r = &e->x.resp;
    nghttp2_nv *out = arena_alloc_raw(e->x.arena, (r->field_count + OUR_FIELDS) * sizeof(*out));
    nghttp2_data_provider body = {.source.ptr = s, .read_callback = read_body};
    int64_t length = exchange_length(e);
    bool bodiless = exchange_is_bodiless(e) || (length == 0 && r->trailer_count == 0);
    size_t n = 0;
    struct str number;

    print_number(e->x.arena, r->status, &number);
    out[n++] = nv(STR(":status"), number);
    out[n++] = nv(STR("server"), STR("muster"));
    out[n++] = nv(STR("date"), loop_date(s->h->c->host->loop));
    if (length >= 0 && r->status != 204 && r->status != 304) {
        print_number(e->x.arena, length, &number);
        out[n++] = nv(STR("content-length"), number);
    }
    n += add_fields(out + n, r->fields, r->field_count);

    s->out_last_us = loop_now_us(s->h->c->host->loop);
    if (nghttp2_submit_response(s->h->session, s->id, out, n, bodiless ? NULL : &body) != 0)
        IGNORE(nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id,
                                         NGHTTP2_INTERNAL_ERROR));
    if (s->unconsumed > 0 && !exchange_wants_body(e)) {
        IGNORE(nghttp2_session_consume(s->h->session, s->id, s->unconsumed));
        s->unconsumed = 0;
    }
    if (r->close && s->h->draining == HTTP2_SERVING)
        s->h->c->proto->drain(s->h->c);
    conn_mark(s->h->c);
}

static void on_taken(struct exchange *e, size_t n)
{
    struct http2_stream *s = e->x.impl;

    assert(n <= s->unconsumed || !exchange_wants_body(e));
    n = MIN(n, s->unconsumed);
    s->unconsumed -= n;
    if (n > 0)
        IGNORE(nghttp2_session_consume(s->h->session, s->id, n));
    conn_mark(s->h->c);
}

static void on_resume(struct exchange *e)
{
    struct http2_stream *s = e->x.impl;

    if (!s->deferred)
        return;
    s->deferred = false;
    s->out_last_us = loop_now_us(s->h->c->host->loop);
    IGNORE(nghttp2_session_resume_data(s->h->session, s->id));
    conn_mark(s->h->c);
}

const struct exchange_ops http2_exchange_ops = {
    .answer = on_answer,
    .taken = on_taken,
    .resume = on_resume,
};
