/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol's side of a link: nghttp2's callbacks, PINGs, goodbyes. A stream's user data is its
 * request, NULL once that was canceled; the body is found by that too, since nghttp2 may ask for
 * more of it after a cancel. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "net/http2_link.h"

#define OUR_FIELDS 4

static struct loop *loop_of(const struct http2_link *l)
{
    return http2_client_options_of(l->client)->loop;
}

static int64_t now_us(const struct http2_link *l)
{
    return loop_now_us(loop_of(l));
}

static struct http2_request *request_of(struct http2_link *l, int32_t id)
{
    return id > 0 ? nghttp2_session_get_stream_user_data(l->session, id) : NULL;
}

/* Takes it off the link. */
static void detach(struct http2_link *l, struct http2_request *r)
{
    nghttp2_session_set_stream_user_data(l->session, r->id, NULL);
    http2_list_remove(r);
    r->link = NULL;
    if (l->streams.count == 0) {
        l->idle_us = now_us(l);
        http2_link_set_timer(l);
    }
}

static void end(struct http2_link *l, struct http2_request *r, enum http2_end how,
                const struct fail *why)
{
    (void)l;
    r->client = NULL;
    r->ops->end(r, how, why);
}

/* -- heads ------------------------------------------------------------------------------------- */

static void add_field(struct http2_request *r, struct str name, struct str value)
{
    struct http_field **fields = r->head_done ? &r->answer_trailers : &r->answer_fields;
    size_t *count = r->head_done ? &r->answer_trailer_count : &r->answer_field_count;

    /* The room doubles whenever it was a power of two that is full. */
    if ((*count & (*count - 1)) == 0) {
        size_t room = *count == 0 ? 1 : 2 * *count;
        struct http_field *grown = arena_new_array(r->arena, struct http_field, room);

        if (*count > 0)
            memcpy(grown, *fields, *count * sizeof(*grown));
        *fields = grown;
    }
    (*fields)[(*count)++] =
        (struct http_field){arena_str(r->arena, name), arena_str(r->arena, value)};
}

static int on_header(nghttp2_session *session UNUSED, const nghttp2_frame *frame,
                     const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len,
                     uint8_t flags UNUSED, void *user)
{
    struct http2_link *l = user;
    struct http2_request *r = request_of(l, frame->hd.stream_id);
    struct str n = str_make(name, name_len);
    uint64_t status;

    if (!r)
        return 0;
    r->head_bytes += name_len + value_len + 32;
    if (r->head_bytes > http2_client_options_of(l->client)->head_max) {
        r->too_large = true;
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (!str_eq(n, STR(":status")))
        add_field(r, n, str_make(value, value_len));
    else if (str_to_u64(str_make(value, value_len), &status) == 0 && status < 1000)
        r->status = (int)status;
    return 0;
}

/* There is nothing more to hear, so what is left of the request is not worth sending. */
static void note_whole(struct http2_link *l, struct http2_request *r)
{
    r->whole = true;
    if (r->body_sent < r->body.len)
        IGNORE(nghttp2_submit_rst_stream(l->session, NGHTTP2_FLAG_NONE, r->id, NGHTTP2_CANCEL));
}

static void on_headers_frame(struct http2_link *l, struct http2_request *r, bool whole)
{
    /* Early hints count with the head that they come before, so there is an end to them. */
    if (!r->head_done && r->status / 100 == 1) {
        r->status = 0;
        r->answer_fields = NULL;
        r->answer_field_count = 0;
        return;
    }
    r->head_bytes = 0;
    if (whole)
        note_whole(l, r);
    if (r->head_done)
        return;
    r->head_done = true;
    r->headers_only = whole;
    r->ops->head(r);
}

/* -- frames ------------------------------------------------------------------------------------ */

static int on_data_chunk(nghttp2_session *session, uint8_t flags UNUSED, int32_t id,
                         const uint8_t *data, size_t len, void *user)
{
    struct http2_request *r = request_of(user, id);

    /* A slow reader holds back its own stream, not the others. */
    IGNORE(nghttp2_session_consume_connection(session, len));
    if (!r) {
        IGNORE(nghttp2_session_consume_stream(session, id, len));
        return 0;
    }
    r->answer_bytes += len;
    r->ops->data(r, str_make(data, len));
    return 0;
}

static void on_settings(struct http2_link *l)
{
    if (l->state != HTTP2_LINK_GREETING)
        return;
    l->state = HTTP2_LINK_OPEN;
    l->idle_us = now_us(l);
    http2_link_set_timer(l);
    http2_client_link_open(l->client, l);
}

static void on_goaway(struct http2_link *l, const nghttp2_goaway *frame)
{
    if (frame->error_code == NGHTTP2_ENHANCE_YOUR_CALM)
        http2_client_calm_down(l->client);
    if (l->state != HTTP2_LINK_OPEN)
        return;
    l->state = HTTP2_LINK_LEAVING;
    http2_client_link_leaving(l->client, l);
}

static int on_frame(nghttp2_session *session UNUSED, const nghttp2_frame *frame, void *user)
{
    struct http2_link *l = user;
    struct http2_request *r = request_of(l, frame->hd.stream_id);

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (r)
            on_headers_frame(l, r, (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
        break;
    case NGHTTP2_DATA:
        if (r && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
            note_whole(l, r);
        break;
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
            on_settings(l);
        break;
    case NGHTTP2_GOAWAY: on_goaway(l, &frame->goaway); break;
    default: break;
    }
    return 0;
}

static int on_frame_sent(nghttp2_session *session UNUSED, const nghttp2_frame *frame, void *user)
{
    struct http2_request *r =
        frame->hd.type == NGHTTP2_HEADERS ? request_of(user, frame->hd.stream_id) : NULL;

    if (r)
        r->head_sent = true;
    return 0;
}

static void not_looked_at(struct http2_link *l, struct http2_request *r)
{
    struct fail f;

    fail_reason(&f, CODE_UNAVAILABLE, "refused", "%.120s refused the request",
                http2_client_authority(l->client).p);
    http2_client_again(l->client, r, &f);
}

/* The head never went out: the other side left, or there are no more stream ids. There is no stream
 * yet, so it has no user data. */
static int on_frame_not_sent(nghttp2_session *session UNUSED, const nghttp2_frame *frame,
                             int error UNUSED, void *user)
{
    struct http2_link *l = user;

    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    for (struct http2_request *r = l->streams.first; r; r = r->next) {
        if (r->id != frame->hd.stream_id)
            continue;
        detach(l, r);
        not_looked_at(l, r);
        break;
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session UNUSED, int32_t id, uint32_t error, void *user)
{
    struct http2_link *l = user;
    struct http2_request *r = request_of(l, id);
    struct fail f;

    if (!r)
        return 0;
    detach(l, r);
    r->reset_code = error;
    if (r->whole) {
        end(l, r, HTTP2_END_WHOLE, NULL);
    } else if (r->too_large) {
        fail_reason(&f, CODE_RESOURCE_EXHAUSTED, "head_too_large",
                    "the answer's fields are too large");
        end(l, r, HTTP2_END_TOO_LARGE, &f);
    } else if (error == NGHTTP2_REFUSED_STREAM && r->status == 0) {
        not_looked_at(l, r);
    } else {
        fail_reason(&f, CODE_UNAVAILABLE, "reset", "the stream ended early: %s",
                    nghttp2_http2_strerror(error));
        end(l, r, HTTP2_END_RESET, &f);
    }
    return 0;
}

/* -- requests ---------------------------------------------------------------------------------- */

static ssize_t read_body(nghttp2_session *session UNUSED, int32_t id, uint8_t *out, size_t cap,
                         uint32_t *flags, nghttp2_data_source *source, void *user UNUSED)
{
    struct http2_request *r = request_of(source->ptr, id);
    size_t n;

    if (!r)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    n = MIN(cap, r->body.len - r->body_sent);
    memcpy(out, r->body.p + r->body_sent, n);
    r->body_sent += n;
    if (r->body_sent == r->body.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

/* Secrets and what changes with each request stay out of the compression table. */
static bool stays_out_of_table(struct str name)
{
    return str_eq(name, STR("authorization")) || str_eq(name, STR("token")) ||
           str_eq(name, STR("cookie")) || str_eq(name, STR("grpc-timeout")) ||
           str_ends_with(name, STR("-key")) || str_ends_with(name, STR("-bin"));
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

int http2_link_submit(struct http2_link *l, struct http2_request *r)
{
    nghttp2_data_provider body = {.source.ptr = l, .read_callback = read_body};
    nghttp2_nv *fields;
    size_t n = 0;
    int32_t id;

    if (l->state != HTTP2_LINK_OPEN)
        return -1;
    fields = arena_alloc_raw(r->arena, (r->field_count + OUR_FIELDS) * sizeof(*fields));
    fields[n++] = nv(STR(":method"), r->method.len > 0 ? r->method : STR("POST"));
    fields[n++] = nv(STR(":scheme"), l->ssl ? STR("https") : STR("http"));
    fields[n++] = nv(STR(":authority"), http2_client_authority(l->client));
    fields[n++] = nv(STR(":path"), r->path);
    for (size_t i = 0; i < r->field_count; i++)
        fields[n++] = nv(r->fields[i].name, r->fields[i].value);
    id = nghttp2_submit_request(l->session, NULL, fields, n, r->body.len > 0 ? &body : NULL, r);
    if (id < 0)
        return -1;
    r->id = id;
    r->link = l;
    http2_list_add(&l->streams, r);
    if (l->streams.count == 1)
        http2_link_set_timer(l);
    http2_link_poke(l);
    return 0;
}

void http2_link_cancel(struct http2_link *l, struct http2_request *r)
{
    int32_t id = r->id;

    if (!l->session) { /* the link died and is about to say so */
        http2_list_remove(r);
        return;
    }
    detach(l, r);
    IGNORE(nghttp2_submit_rst_stream(l->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL));
    http2_link_poke(l);
}

void http2_link_take(struct http2_link *l, const struct http2_request *r, size_t n)
{
    if (!l->session)
        return;
    IGNORE(nghttp2_session_consume_stream(l->session, r->id, n));
    http2_link_poke(l);
}

/* -- watching ---------------------------------------------------------------------------------- */

static int64_t next_check_us(const struct http2_link *l)
{
    const struct http2_client_options *o = http2_client_options_of(l->client);

    if (l->ping_us > 0)
        return l->ping_us;
    if (l->streams.count == 0)
        return l->idle_us + (int64_t)o->idle_ms * 1000;
    return l->heard_us + (int64_t)o->keepalive_ms * 1000;
}

void http2_link_set_timer(struct http2_link *l)
{
    loop_timer_set(loop_of(l), &l->timer, next_check_us(l));
}

static void on_timer(struct timer *t)
{
    struct http2_link *l = CONTAINER_OF(t, struct http2_link, timer);
    const struct http2_client_options *o = http2_client_options_of(l->client);

    if (next_check_us(l) > now_us(l)) {
        http2_link_set_timer(l);
        return;
    }
    if (l->ping_us > 0) {
        struct fail f;

        fail_reason(&f, CODE_UNAVAILABLE, "keepalive", "%.120s went silent",
                    http2_client_authority(l->client).p);
        http2_link_kill(l, &f);
        return;
    }
    if (l->streams.count == 0) {
        http2_link_leave(l);
        return;
    }
    IGNORE(nghttp2_submit_ping(l->session, NGHTTP2_FLAG_NONE, NULL));
    l->ping_us = now_us(l) + (int64_t)o->keepalive_timeout_ms * 1000;
    http2_link_set_timer(l);
    http2_link_poke(l);
}

/* Without streams nghttp2 has nothing more to say after this, and the link closes. */
void http2_link_leave(struct http2_link *l)
{
    if (l->state != HTTP2_LINK_OPEN)
        return;
    l->state = HTTP2_LINK_LEAVING;
    http2_client_link_leaving(l->client, l);
    IGNORE(nghttp2_submit_goaway(l->session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0));
    http2_link_poke(l);
}

static nghttp2_session *new_session(struct http2_link *l)
{
    nghttp2_session_callbacks *cb;
    nghttp2_option *opt;
    nghttp2_session *session;

    if (nghttp2_session_callbacks_new(&cb) != 0 || nghttp2_option_new(&opt) != 0)
        abort();
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_frame_not_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_option_set_no_auto_window_update(opt, 1);
    nghttp2_option_set_no_closed_streams(opt, 1);
    if (nghttp2_session_client_new2(&session, cb, l, opt) != 0)
        abort();
    nghttp2_option_del(opt);
    nghttp2_session_callbacks_del(cb);
    return session;
}

void http2_link_greet(struct http2_link *l)
{
    const struct http2_client_options *o = http2_client_options_of(l->client);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, o->window_bytes},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, o->head_max},
    };

    l->session = new_session(l);
    l->timer.fn = on_timer;
    l->heard_us = now_us(l);
    if (nghttp2_submit_settings(l->session, NGHTTP2_FLAG_NONE, settings, COUNTOF(settings)) != 0 ||
        nghttp2_session_set_local_window_size(l->session, NGHTTP2_FLAG_NONE, 0,
                                              (int32_t)(4 * o->window_bytes)) != 0)
        abort();
}
