/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC over HTTP/2: framed messages, the outcome in trailers. */
#include "rpc/grpc.h"

int grpc_timeout_parse(struct str text, uint64_t *us)
{
    uint64_t n;

    if (text.len < 2 || text.len > 9 || str_to_u64(str_first(text, text.len - 1), &n) < 0)
        return -1;
    switch (text.p[text.len - 1]) {
    case 'H': *us = n * 3600 * 1000000; return 0;
    case 'M': *us = n * 60 * 1000000; return 0;
    case 'S': *us = n * 1000000; return 0;
    case 'm': *us = n * 1000; return 0;
    case 'u': *us = n; return 0;
    case 'n': *us = n / 1000; return 0;
    default: return -1;
    }
}

int grpc_begin(struct envelope_call *e, struct fail *f)
{
    const struct http_req *req = &e->call->x->req;
    struct str timeout = http_req_field(req, STR("grpc-timeout"));
    uint64_t us;

    if (timeout.p) {
        if (grpc_timeout_parse(timeout, &us) < 0)
            return fail_reason(f, CODE_INVALID_ARGUMENT, "timeout",
                               "grpc-timeout must be at most eight digits and a unit");
        envelope_set_timeout(e, us);
    }
    if (envelope_take_coding(http_req_field(req, STR("grpc-encoding")), &e->request_gzip, f) < 0)
        return -1;
    e->answer_gzip =
        envelope_accepts_gzip(http_req_field(req, STR("grpc-accept-encoding")), e->request_gzip) &&
        e->gzip_min_bytes > 0;
    return 0;
}

int grpc_decode(struct envelope_call *e, struct str body, void *request, struct fail *f)
{
    struct frame frame;

    return frame_only(body, &frame, f) < 0 ? -1 : envelope_read_frame(e, &frame, request, f);
}

void grpc_head(struct envelope_call *e)
{
    struct call *c = e->call;

    c->content_type = e->content_type;
    http_resp_add(c->x, STR("grpc-accept-encoding"), STR("gzip"));
    if (e->answer_gzip)
        http_resp_add(c->x, STR("grpc-encoding"), STR("gzip"));
    envelope_put_fields(e, (struct str){NULL, 0}, &c->headers);
}

static void add_field(void *arg, struct str name, struct str value)
{
    http_resp_add(arg, name, value);
}

static void add_trailer(void *arg, struct str name, struct str value)
{
    http_resp_trailer(arg, name, value);
}

static void put_trailers(struct envelope_call *e, const struct fail *f)
{
    struct call *c = e->call;

    for (size_t i = 0; i < c->trailers.count; i++)
        http_resp_trailer(c->x, c->trailers.items[i].name, c->trailers.items[i].value);
    status_put(c->arena, c, f, add_trailer, c->x);
}

static int encode(struct envelope_call *e, const void *response, struct fail *f)
{
    static const struct fail fine;
    struct call *c = e->call;

    if (envelope_write_frame(e, e->method->m->output, response, &c->out, f) < 0)
        return -1;
    grpc_head(e);
    put_trailers(e, &fine);
    return 0;
}

bool grpc_error_in_head(struct envelope_call *e, const struct fail *f)
{
    struct call *c = e->call;

    c->status = 200;
    if (c->headers.count > 0 || c->trailers.count > 0)
        return false;
    c->content_type = e->content_type;
    http_resp_add(c->x, STR("grpc-accept-encoding"), STR("gzip"));
    status_put(c->arena, c, f, add_field, c->x);
    return true;
}

static void error(struct envelope_call *e, const struct fail *f)
{
    if (grpc_error_in_head(e, f))
        return;
    grpc_head(e);
    put_trailers(e, f);
}

int grpc_stream_message(struct envelope_call *e, const void *message, struct buf *out,
                        struct fail *f)
{
    return envelope_write_frame(e, e->method->m->output, message, out, f);
}

static void later_trailer(void *arg, struct str name, struct str value)
{
    struct envelope_call *e = arg;

    /* Room was made by stream_end(). */
    e->http_trailers.items[e->http_trailers.count++] = (struct http_field){name, value};
}

static void stream_end(struct envelope_call *e, const struct fail *f, struct buf *out)
{
    struct call *c = e->call;
    size_t room = c->trailers.count + 3;

    (void)out;
    e->http_trailers.items = arena_alloc_raw(c->arena, room * sizeof(struct http_field));
    for (size_t i = 0; i < c->trailers.count; i++)
        later_trailer(e, c->trailers.items[i].name, c->trailers.items[i].value);
    status_put(c->arena, c, f, later_trailer, e);
}

const struct envelope_ops envelope_grpc = {
    .name = "grpc",
    .begin = grpc_begin,
    .decode = grpc_decode,
    .encode = encode,
    .error = error,
    .stream_head = grpc_head,
    .stream_message = grpc_stream_message,
    .stream_end = stream_end,
};
