/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the envelope, and does what all of them do. */
#include "rpc/envelope.h"

#include <assert.h>
#include <stdio.h>

#include "codec/base64.h"
#include "codec/json_writer.h"
#include "codec/utf8.h"

/* A request of this size is not unpacked on a loop. */
#define HEAVY_BYTES 65536

/* --- which one --- */

struct media {
    struct str type;
    const struct envelope_ops *ops;
    enum rpc_codec codec;
    bool text;
};

static const struct media medias[] = {
    {STR_INIT("application/proto"), &envelope_connect, RPC_PROTO, false},
    {STR_INIT("application/json"), &envelope_connect, RPC_JSON, false},
    {STR_INIT("application/json; charset=utf-8"), &envelope_connect, RPC_JSON, false},
    {STR_INIT("application/grpc"), &envelope_grpc, RPC_PROTO, false},
    {STR_INIT("application/grpc+proto"), &envelope_grpc, RPC_PROTO, false},
    {STR_INIT("application/grpc+json"), &envelope_grpc, RPC_JSON, false},
    {STR_INIT("application/grpc+json; charset=utf-8"), &envelope_grpc, RPC_JSON, false},
    {STR_INIT("application/grpc-web"), &envelope_grpc_web, RPC_PROTO, false},
    {STR_INIT("application/grpc-web+proto"), &envelope_grpc_web, RPC_PROTO, false},
    {STR_INIT("application/grpc-web+json"), &envelope_grpc_web, RPC_JSON, false},
    {STR_INIT("application/grpc-web-text"), &envelope_grpc_web, RPC_PROTO, true},
    {STR_INIT("application/grpc-web-text+proto"), &envelope_grpc_web, RPC_PROTO, true},
    {STR_INIT("application/connect+proto"), &envelope_connect_stream, RPC_PROTO, false},
    {STR_INIT("application/connect+json"), &envelope_connect_stream, RPC_JSON, false},
};

#define GRPC_TYPES                                                                                 \
    "application/grpc, application/grpc+json, application/grpc+json; charset=utf-8, "              \
    "application/grpc+proto, application/grpc-web, application/grpc-web+json, "                    \
    "application/grpc-web+proto, application/grpc-web-text, application/grpc-web-text+proto"

static const struct str accept_post_unary =
    STR_INIT(GRPC_TYPES ", application/json, application/json; charset=utf-8, application/proto");
static const struct str accept_post_stream =
    STR_INIT("application/connect+json, application/connect+proto, " GRPC_TYPES);

/* Lower case, one blank after each semicolon, the charset's value in lower case too. */
static struct str canonical(struct arena *a, struct str type)
{
    struct buf out;
    bool first = true;

    buf_init_arena(&out, a, 256);
    while (type.len > 0) {
        struct str part = str_trim(str_cut(&type, ';'));
        bool lower = first;

        if (!first)
            buf_put_str(&out, STR("; "));
        if (str_eq_nocase(str_first(part, 8), STR("charset=")))
            lower = true;
        for (size_t i = 0; i < part.len; i++) {
            char c = part.p[i];

            buf_put_byte(&out, (uint8_t)(lower && c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
        }
        first = false;
    }
    return out.overflow ? (struct str){NULL, 0} : buf_str(&out);
}

static const struct media *media_exact(struct str type)
{
    for (size_t i = 0; i < COUNTOF(medias); i++)
        if (str_eq(medias[i].type, type))
            return &medias[i];
    return NULL;
}

static const struct media *media_find(struct arena *a, struct str type)
{
    const struct media *m = media_exact(type);

    return m || type.len == 0 ? m : media_exact(canonical(a, type));
}

static bool media_fits(const struct media *m, const struct rpc_method *method)
{
    if (m->ops == &envelope_connect)
        return !rpc_method_is_stream(method);
    if (m->ops == &envelope_connect_stream)
        return rpc_method_is_stream(method);
    /* Clients of the text form send one message; pieces of it cannot be told apart as they come. */
    return !m->text || !method->m->client_streaming;
}

static bool takes_get(const struct rpc_method *m)
{
    return m->m->idempotency == PROTO_NO_SIDE_EFFECTS && !rpc_method_is_stream(m);
}

static int refuse_media(int *status, struct fail *f)
{
    *status = 415;
    return fail_reason(f, CODE_UNKNOWN, "media_type", "the method has no such media type");
}

/* In the protocol's own shape: clients of a binary codec shall read why. */
static int check_codec(const struct envelope_call *e, struct fail *f)
{
    const struct proto_method *m = e->method->m;

    if (!m->json_only || e->codec == RPC_JSON)
        return 0;
    return fail_reason(f, CODE_UNIMPLEMENTED, "json_only",
                       "%.*s is served in JSON only: its messages have no published binary form",
                       STR_ARG(m->full_name));
}

static int begin_get(struct envelope_call *e, int *status, struct fail *f)
{
    struct call *c = e->call;

    if (c->x->req.content_length > 0)
        return refuse_media(status, f);
    if (envelope_connect_get.begin(e, f) == 0)
        return check_codec(e, f);
    return e->ops ? -1 : refuse_media(status, f);
}

static int begin_post(struct envelope_call *e, int *status, struct fail *f)
{
    struct call *c = e->call;
    const struct http_req *req = &c->x->req;
    const struct media *m = http_req_field_count(req, STR("content-type")) == 1
                                ? media_find(c->arena, http_req_field(req, STR("content-type")))
                                : NULL;

    if (!m || !media_fits(m, e->method))
        return refuse_media(status, f);
    e->codec = m->codec;
    e->text = m->text;
    e->content_type = m->type;
    /* gRPC needs trailers, and both ways at once need streams: HTTP/2 has them. */
    if (req->version != 20 && (m->ops == &envelope_grpc || e->method->m->client_streaming)) {
        *status = 505;
        return fail_reason(f, CODE_UNIMPLEMENTED, "version", "this needs HTTP/2");
    }
    e->ops = m->ops;
    return e->ops->begin(e, f) < 0 ? -1 : check_codec(e, f);
}

static struct envelope_call *make(struct call *c, const struct rpc_method *m)
{
    struct envelope_call *e = arena_new_type(c->arena, struct envelope_call);

    e->method = m;
    e->call = c;
    e->memory = c->arena;
    e->scratch = c->arena;
    c->envelope = e;
    return e;
}

int envelope_begin(struct call *c, const struct rpc_method *m, struct coders *coders,
                   size_t gzip_min_bytes, int *status, struct fail *f)
{
    struct envelope_call *e = make(c, m);

    e->coders = coders;
    e->gzip_min_bytes = gzip_min_bytes;
    if (m->rest) {
        e->ops = &envelope_rest;
        e->codec = RPC_JSON;
        return 0;
    }
    if (c->x->req.method == HTTP_HEAD) { /* comes with GET, but means nothing here */
        *status = 405;
        return fail_reason(f, CODE_UNKNOWN, "no_such_verb", "the method is not called by HEAD");
    }
    return c->x->req.method == HTTP_GET ? begin_get(e, status, f) : begin_post(e, status, f);
}

uint32_t envelope_no_verb(struct call *c, const struct rpc_method *m)
{
    if (!c->envelope)
        make(c, m);
    return VERB(HTTP_POST) | (takes_get(m) ? VERB(HTTP_GET) : 0);
}

bool envelope_reads_head(const struct call *c)
{
    return c->envelope && c->envelope->ops != &envelope_rest;
}

bool envelope_is_heavy(const struct call *c)
{
    const struct envelope_call *e = c->envelope;
    size_t len = c->x->req.body.len;

    return e && (len > HEAVY_BYTES || (e->request_gzip && (len > 0 || e->get_message.len > 0)));
}

/* --- messages --- */

static int too_large(size_t limit, struct fail *f)
{
    return fail_reason(f, CODE_RESOURCE_EXHAUSTED, "message_too_large",
                       "a message may have at most %zu bytes", limit);
}

int envelope_read(struct envelope_call *e, struct str bytes, bool gzipped, void *message,
                  struct fail *f)
{
    struct arena *a = e->memory;
    size_t limit = e->method->request_limit;
    struct buf plain;

    if (gzipped && bytes.len > 0) {
        buf_init_arena(&plain, a, limit);
        if (coders_inflate(e->coders, GZIP_FORMAT_GZIP, bytes, limit, &plain, f) < 0)
            return f->code == CODE_RESOURCE_EXHAUSTED ? too_large(limit, f) : -1;
        bytes = buf_str(&plain);
    }
    if (bytes.len > limit)
        return too_large(limit, f);
    if (e->codec == RPC_PROTO) {
        const struct proto_limits limits = {.bytes = limit};

        return proto_decode(e->method->m->input, a, bytes, &limits, message, f);
    }

    const struct protojson_limits limits = {.bytes = limit};

    return protojson_decode(e->method->json, e->method->m->input, a, bytes, &limits, message, f);
}

static int write_plain(struct envelope_call *e, const struct proto_message *m, const void *message,
                       struct buf *out, struct fail *f)
{
    size_t limit = e->method->response_limit, before = out->len;

    if (e->codec == RPC_PROTO) {
        if (proto_encode(m, message, out) < 0)
            return too_large(limit, f);
    } else if (protojson_encode(e->method->json, m, e->scratch, message, out, f) < 0) {
        return -1;
    }
    if (out->overflow || out->len - before > limit)
        return too_large(limit, f);
    return 0;
}

int envelope_write(struct envelope_call *e, const struct proto_message *m, const void *message,
                   struct buf *out, bool *gzipped, struct fail *f)
{
    size_t before = out->len;
    struct buf small;

    *gzipped = false;
    if (write_plain(e, m, message, out, f) < 0)
        return -1;

    size_t len = out->len - before;

    if (!e->answer_gzip || e->gzip_min_bytes == 0 || len < e->gzip_min_bytes)
        return 0;
    buf_init(&small, len + 1024); /* a test's few bytes grow */
    if (coders_deflate(e->coders, str_make(out->data + before, len), &small) == 0) {
        out->len = before;
        buf_put_str(out, buf_str(&small));
        *gzipped = true;
    }
    buf_done(&small);
    return out->overflow ? too_large(e->method->response_limit, f) : 0;
}

int envelope_write_frame(struct envelope_call *e, const struct proto_message *m,
                         const void *message, struct buf *out, struct fail *f)
{
    size_t at = frame_begin(out);
    bool gzipped;

    if (envelope_write(e, m, message, out, &gzipped, f) < 0)
        return -1;
    frame_end(out, at, gzipped ? FRAME_COMPRESSED : 0);
    return 0;
}

int envelope_read_frame(struct envelope_call *e, const struct frame *frame, void *message,
                        struct fail *f)
{
    bool gzipped = (frame->flags & FRAME_COMPRESSED) != 0;

    if (frame->flags & ~(unsigned)FRAME_COMPRESSED)
        return fail_reason(f, CODE_INTERNAL, "frame_flags", "a message has unknown flags: 0x%02x",
                           frame->flags);
    if (gzipped && !e->request_gzip)
        return fail_reason(f, CODE_INTERNAL, "frame_flags",
                           "a message is compressed, but the request names no compression");
    return envelope_read(e, frame->payload, gzipped, message, f);
}

/* --- the call --- */

int envelope_decode(struct call *c, struct fail *f)
{
    struct envelope_call *e = c->envelope;
    const struct proto_message *input = e->method->m->input;
    void *request = proto_new(c->arena, input);

    if (e->ops->decode(e, c->x->req.body, request, f) < 0)
        return -1;
    e->request = request;
    return 0;
}

int envelope_run(struct call *c, struct fail *f)
{
    struct envelope_call *e = c->envelope;
    const struct rpc_method *m = e->method;

    if (!m->handler)
        return fail_reason(f, CODE_UNIMPLEMENTED, "not_built", "%.*s is not implemented",
                           STR_ARG(m->m->full_name));
    if (!e->request && envelope_decode(c, f) < 0)
        return -1;
    e->response = proto_new(c->arena, m->m->output);

    int rc = (e->step ? e->step : m->handler->unary)(c, e->request, e->response, f);

    if (rc != 0)
        return rc;
    return c->tx ? 0 : envelope_encode(c, f);
}

int rpc_move(struct call *c, enum lane lane, rpc_unary_fn next)
{
    struct envelope_call *e = c->envelope;

    assert((e->method->handler->moves & MOVES_TO(lane)) != 0 && !c->tx);
    e->step = next;
    e->next = lane;
    return RPC_MOVED;
}

int envelope_encode(struct call *c, struct fail *f)
{
    return c->envelope->ops->encode(c->envelope, c->envelope->response, f);
}

/* --- errors --- */

static void add_field(void *arg, struct str name, struct str value)
{
    http_resp_add(arg, name, value);
}

/* A client that speaks gRPC asks for a path that nobody knows. */
static bool error_unmatched(struct call *c, const struct fail *f)
{
    struct str type = http_req_field(&c->x->req, STR("content-type"));
    struct fail shown = *f;

    if (!str_starts_with(type, STR("application/grpc")) || c->route)
        return false;
    if (f->code == CODE_NOT_FOUND)
        shown.code = CODE_UNIMPLEMENTED;
    c->content_type = media_exact(type) ? type : STR("application/grpc");
    status_put(c->arena, c, &shown, add_field, c->x);
    return true;
}

/* Errors of RPC protocols are a code and a text: the input at fault is named there, unless the text
 * does it already. */
static void name_field(const struct fail *f, struct fail *out)
{
    *out = *f;
    if (f->field[0] == '\0' || strstr(f->message, f->field))
        return;
    snprintf(out->message, sizeof(out->message), "%.63s: %.190s", f->field, f->message);
    out->message[utf8_valid_len(str_of(out->message))] = '\0';
}

bool envelope_error(struct call *c, const struct fail *f)
{
    struct envelope_call *e = c->envelope;
    struct fail shown;

    if (!e)
        return error_unmatched(c, f);
    if (!e->ops) {
        if (c->status == 415)
            http_resp_add(c->x, STR("accept-post"),
                          rpc_method_is_stream(e->method) ? accept_post_stream : accept_post_unary);
        if (c->status == 505) { /* not what a client of gRPC expects: a person will look */
            c->content_type = STR("text/plain; charset=utf-8");
            buf_put_str(&c->out, str_of(f->message));
            buf_put_byte(&c->out, '\n');
        }
        return true;
    }
    if (!e->ops->error)
        return false;
    c->status = code_http_status(f->code);
    name_field(f, &shown);
    e->ops->error(e, &shown);
    return true;
}

void envelope_write_error(struct envelope_call *e, const struct fail *f, struct json_writer *w)
{
    const struct call *c = e->call;

    json_obj_begin(w);
    json_key_str(w, STR("code"), str_of(code_name(f->code)));
    if (f->message[0] != '\0')
        json_key_str(w, STR("message"), str_of(f->message));
    if (c->detail_count > 0) {
        json_key(w, STR("details"));
        json_arr_begin(w);
        for (size_t i = 0; i < c->detail_count; i++) {
            const struct call_detail *d = &c->details[i];

            json_obj_begin(w);
            json_key_str(w, STR("type"), d->type);
            json_key_str(w, STR("value"), base64_encode(c->arena, BASE64_STD_BARE, d->bytes));
            json_obj_end(w);
        }
        json_arr_end(w);
    }
    json_obj_end(w);
}

/* --- heads --- */

int envelope_take_coding(struct str coding, bool *gzip, struct fail *f)
{
    coding = str_trim(coding);
    *gzip = str_eq(coding, STR("gzip"));
    if (*gzip || coding.len == 0 || str_eq(coding, STR("identity")))
        return 0;
    return fail_reason(f, CODE_UNIMPLEMENTED, "compression",
                       "unknown compression \"%.*s\": supported encodings are gzip, identity",
                       STR_ARG(str_first(coding, 32)));
}

bool envelope_accepts_gzip(struct str accept, bool request_gzip)
{
    if (!accept.p)
        return request_gzip;
    while (accept.len > 0) {
        struct str item = str_cut(&accept, ',');
        struct str name = str_trim(str_cut(&item, ';'));

        if (str_eq(name, STR("gzip")))
            return true;
        if (str_eq(name, STR("identity")))
            return false;
    }
    return false;
}

void envelope_put_fields(struct envelope_call *e, struct str prefix,
                         const struct call_fields *fields)
{
    struct call *c = e->call;

    for (size_t i = 0; i < fields->count; i++) {
        struct str name = fields->items[i].name;

        if (prefix.len > 0)
            name = arena_printf(c->arena, "%.*s%.*s", STR_ARG(prefix), STR_ARG(name));
        http_resp_add(c->x, name, fields->items[i].value);
    }
}

void envelope_set_timeout(struct envelope_call *e, uint64_t timeout_us)
{
    struct call *c = e->call;
    int64_t until;

    if (timeout_us > INT64_MAX ||
        __builtin_add_overflow(c->x->req.started_us, (int64_t)timeout_us, &until))
        return;
    c->deadline_us = MIN(c->deadline_us, until);
}
