/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC-Web over any HTTP: as gRPC, with the trailers in a last frame of the body; in the text form
 * all of the body is base64. */
#include "rpc/grpc_web.h"
#include "codec/base64.h"
#include "rpc/grpc.h"

int grpc_web_text_decode(struct arena *a, struct str text, struct str *out)
{
    struct buf bytes;

    buf_init_arena(&bytes, a, text.len + 3);
    while (text.len > 0) {
        /* Clients encode piece by piece: padding may come in the middle. */
        ptrdiff_t pad = str_index(text, '=');
        size_t len = pad < 0 ? text.len : (size_t)pad;
        struct str piece;

        while (len < text.len && text.p[len] == '=')
            len++;
        if (len % 4 != 0 || base64_decode(a, BASE64_STD, str_first(text, len), &piece) < 0)
            return -1;
        buf_put_str(&bytes, piece);
        text = str_skip(text, len);
    }
    *out = buf_str(&bytes);
    return 0;
}

static int decode(struct envelope_call *e, struct str body, void *request, struct fail *f)
{
    if (e->text && grpc_web_text_decode(e->call->arena, body, &body) < 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "base64", "the request is not base64");
    return grpc_decode(e, body, request, f);
}

static void put_line(void *arg, struct str name, struct str value)
{
    struct buf *out = arg;

    buf_put_str(out, name);
    buf_put_str(out, STR(": "));
    /* A field's value may hold any byte; here a line end would begin another field. */
    for (size_t i = 0; i < value.len; i++)
        if (value.p[i] != '\r' && value.p[i] != '\n')
            buf_put_byte(out, (uint8_t)value.p[i]);
    buf_put_str(out, STR("\r\n"));
}

static void put_trailer_frame(struct envelope_call *e, const struct fail *f, struct buf *out)
{
    struct call *c = e->call;
    size_t at = frame_begin(out);

    for (size_t i = 0; i < c->trailers.count; i++)
        put_line(out, c->trailers.items[i].name, c->trailers.items[i].value);
    status_put(c->arena, c, f, put_line, out);
    frame_end(out, at, FRAME_WEB_TRAILER);
}

/* Replaces what was written since `from` by its text form. */
static void to_text(struct envelope_call *e, struct buf *out, size_t from)
{
    struct str text;

    if (!e->text || out->overflow)
        return;
    text = base64_encode(e->scratch, BASE64_STD, str_make(out->data + from, out->len - from));
    out->len = from;
    buf_put_str(out, text);
}

static int encode(struct envelope_call *e, const void *response, struct fail *f)
{
    static const struct fail fine;
    struct call *c = e->call;

    if (envelope_write_frame(e, e->method->m->output, response, &c->out, f) < 0)
        return -1;
    grpc_head(e);
    put_trailer_frame(e, &fine, &c->out);
    to_text(e, &c->out, 0);
    return 0;
}

static void error(struct envelope_call *e, const struct fail *f)
{
    struct call *c = e->call;

    if (grpc_error_in_head(e, f))
        return;
    grpc_head(e);
    put_trailer_frame(e, f, &c->out);
    to_text(e, &c->out, 0);
}

static int stream_message(struct envelope_call *e, const void *message, struct buf *out,
                          struct fail *f)
{
    size_t from = out->len;

    if (grpc_stream_message(e, message, out, f) < 0)
        return -1;
    to_text(e, out, from);
    return 0;
}

static void stream_end(struct envelope_call *e, const struct fail *f, struct buf *out)
{
    size_t from = out->len;

    put_trailer_frame(e, f, out);
    to_text(e, out, from);
}

const struct envelope_ops envelope_grpc_web = {
    .name = "grpc_web",
    .begin = grpc_begin,
    .decode = decode,
    .encode = encode,
    .error = error,
    .stream_head = grpc_head,
    .stream_message = stream_message,
    .stream_end = stream_end,
};
