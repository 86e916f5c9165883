/* SPDX-License-Identifier: Apache-2.0 */
/* Connect streams: framed messages, the outcome as JSON in a last frame; HTTP always says 200. */
#include "codec/json_writer.h"
#include "rpc/connect.h"

static int begin(struct envelope_call *e, struct fail *f)
{
    const struct http_req *req = &e->call->x->req;

    if (envelope_take_coding(http_req_field(req, STR("connect-content-encoding")), &e->request_gzip,
                             f) < 0)
        return -1;
    e->answer_gzip = envelope_accepts_gzip(http_req_field(req, STR("connect-accept-encoding")),
                                           e->request_gzip) &&
                     e->gzip_min_bytes > 0;
    return connect_begin(e, f);
}

static int decode(struct envelope_call *e, struct str body, void *request, struct fail *f)
{
    struct frame frame;

    return frame_only(body, &frame, f) < 0 ? -1 : envelope_read_frame(e, &frame, request, f);
}

static void stream_head(struct envelope_call *e)
{
    struct call *c = e->call;

    c->content_type = e->content_type;
    http_resp_add(c->x, STR("connect-accept-encoding"), STR("gzip"));
    if (e->answer_gzip)
        http_resp_add(c->x, STR("connect-content-encoding"), STR("gzip"));
    envelope_put_fields(e, (struct str){NULL, 0}, &c->headers);
}

static int stream_message(struct envelope_call *e, const void *message, struct buf *out,
                          struct fail *f)
{
    return envelope_write_frame(e, e->method->m->output, message, out, f);
}

static bool came_before(const struct call_fields *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(fields->items[i].name, fields->items[n].name))
            return true;
    return false;
}

/* {"name":["value",...]} */
static void write_metadata(const struct call_fields *fields, struct json_writer *w)
{
    json_obj_begin(w);
    for (size_t i = 0; i < fields->count; i++) {
        if (came_before(fields, i))
            continue;
        json_key(w, fields->items[i].name);
        json_arr_begin(w);
        for (size_t k = i; k < fields->count; k++)
            if (str_eq(fields->items[k].name, fields->items[i].name))
                json_str(w, fields->items[k].value);
        json_arr_end(w);
    }
    json_obj_end(w);
}

static void stream_end(struct envelope_call *e, const struct fail *f, struct buf *out)
{
    size_t at = frame_begin(out);
    struct json_writer w;

    json_writer_init(&w, out);
    json_obj_begin(&w);
    if (f->code != CODE_OK) {
        json_key(&w, STR("error"));
        envelope_write_error(e, f, &w);
    }
    if (e->call->trailers.count > 0) {
        json_key(&w, STR("metadata"));
        write_metadata(&e->call->trailers, &w);
    }
    json_obj_end(&w);
    frame_end(out, at, FRAME_END_STREAM);
}

static void error(struct envelope_call *e, const struct fail *f)
{
    e->call->status = 200;
    stream_head(e);
    stream_end(e, f, &e->call->out);
}

const struct envelope_ops envelope_connect_stream = {
    .name = "connect",
    .begin = begin,
    .decode = decode,
    .error = error,
    .stream_head = stream_head,
    .stream_message = stream_message,
    .stream_end = stream_end,
};
