/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on the loop. A call ends in finish() or grpc_call_cancel(), never touches itself after its
 * last callback, and gives no callback from inside grpc_call_start(). */
#include <assert.h>
#include <stdlib.h>

#include "codec/base64.h"
#include "codec/gzip.h"
#include "net/target.h"
#include "rpc/frame.h"
#include "rpc/grpc_client.h"
#include "rpc/grpc_client_internal.h"

#define OUR_FIELDS  6
#define REQUEST_MAX ((size_t)INT32_MAX)
#define NEVER       INT64_MAX
#define ADOPT_BYTES ((size_t)65536)

static struct grpc_call *call_of(struct http2_request *r)
{
    return CONTAINER_OF(r, struct grpc_call, http);
}

/* -- the end ----------------------------------------------------------------------------------- */

static void leave(struct grpc_call *c)
{
    c->over = true;
    loop_timer_clear(c->loop, &c->timer);
    http2_request_cancel(&c->http);
    grpc_inbox_done(&c->inbox);
}

static void finish(struct grpc_call *c)
{
    leave(c);
    c->ops->done(c);
}

static void finish_with(struct grpc_call *c, const struct fail *f)
{
    grpc_outcome_set(&c->outcome, c->arena, f);
    finish(c);
}

/* -- time -------------------------------------------------------------------------------------- */

static bool awaits(const struct grpc_call *c)
{
    return c->wanted && !c->ended;
}

static int64_t idle_end(const struct grpc_call *c)
{
    if (c->options.idle_timeout_ms == 0 || !awaits(c))
        return NEVER;
    return c->heard_us + (int64_t)c->options.idle_timeout_ms * 1000;
}

static void set_timer(struct grpc_call *c)
{
    int64_t due = MIN(c->deadline_us, idle_end(c));

    if (due != NEVER)
        loop_timer_set(c->loop, &c->timer, due);
}

static void on_timer(struct timer *t)
{
    struct grpc_call *c = CONTAINER_OF(t, struct grpc_call, timer);
    int64_t now = loop_now_us(c->loop);
    struct fail f;

    if (c->deadline_us <= now) {
        fail_reason(&f, CODE_DEADLINE_EXCEEDED, "timeout", "the call took too long");
        finish_with(c, &f);
    } else if (idle_end(c) <= now) {
        fail_reason(&f, CODE_DEADLINE_EXCEEDED, "idle_timeout", "nothing was heard for too long");
        finish_with(c, &f);
    } else {
        set_timer(c);
    }
}

/* -- the answer -------------------------------------------------------------------------------- */

static bool is_single(const struct grpc_call *c)
{
    return !c->method->server_streaming;
}

static void finish_inbox(struct grpc_call *c, enum grpc_inbox_state state)
{
    struct fail f;

    if (state == GRPC_INBOX_TOO_LARGE)
        fail_reason(&f, CODE_RESOURCE_EXHAUSTED, "message_too_large",
                    "a message of the answer has more than %zu bytes", c->message_max);
    else
        fail_reason(&f, CODE_INTERNAL, "bad_answer", "a message of the answer has unknown flags");
    finish_with(c, &f);
}

static void finish_ended(struct grpc_call *c, enum grpc_inbox_state state)
{
    struct fail f = {.code = CODE_OK};

    if (c->outcome.code == CODE_OK && state == GRPC_INBOX_SHORT)
        fail_reason(&f, CODE_INTERNAL, "bad_answer", "the answer ends within a message");
    else if (c->outcome.code == CODE_OK && is_single(c) && c->messages == 0)
        fail_reason(&f, CODE_UNIMPLEMENTED, "no_message", "the answer has no message");
    if (f.code != CODE_OK)
        grpc_outcome_set(&c->outcome, c->arena, &f);
    finish(c);
}

static void take_all(struct grpc_call *c)
{
    http2_request_take(&c->http, c->untaken);
    c->untaken = 0;
}

/* False when the call is over. */
static bool deliver(struct grpc_call *c, const struct grpc_message *m)
{
    struct fail f;

    if (is_single(c) && c->messages > 0) {
        fail_reason(&f, CODE_UNIMPLEMENTED, "many_messages",
                    "the answer has more than one message");
        finish_with(c, &f);
        return false;
    }
    if (m->gzip && !c->outcome_gzip) {
        fail_reason(&f, CODE_INTERNAL, "bad_answer",
                    "a message is compressed in a way that was not announced or is not known");
        finish_with(c, &f);
        return false;
    }
    c->messages++;
    c->wanted = is_single(c); /* to see that there is no second one */
    c->kept = false;
    c->ops->message(c, m);
    if (c->over)
        return false;
    if (!c->kept)
        grpc_inbox_drop(&c->inbox);
    return true;
}

/* Delivers what is wanted and there. */
static void pump(struct grpc_call *c)
{
    enum grpc_inbox_state state = GRPC_INBOX_EMPTY;
    struct grpc_message m;

    if (c->pumping)
        return;
    c->pumping = true;
    while (c->wanted) {
        state = grpc_inbox_peek(&c->inbox, &m);
        if (state != GRPC_INBOX_WHOLE)
            break;
        if (!deliver(c, &m))
            return;
    }
    c->pumping = false;
    if (!c->wanted)
        return;
    if (state == GRPC_INBOX_TOO_LARGE || state == GRPC_INBOX_BAD_FLAGS) {
        finish_inbox(c, state);
    } else if (c->ended) {
        finish_ended(c, state);
    } else {
        take_all(c);
        set_timer(c);
    }
}

static void on_head(struct http2_request *r)
{
    struct grpc_call *c = call_of(r);
    struct grpc_outcome *o = &c->outcome;

    o->http_status = r->status;
    o->headers = r->answer_fields;
    o->header_count = r->answer_field_count;
    c->heard_us = loop_now_us(c->loop);
    if (r->headers_only && grpc_outcome_has_status(o))
        return; /* all of it in one: see on_end() */
    switch (grpc_outcome_head(o, c->arena)) {
    case GRPC_HEAD_FINE: break;
    case GRPC_HEAD_GZIP: c->outcome_gzip = true; break;
    case GRPC_HEAD_BAD: finish(c); return;
    }
    if (c->ops->headers && !r->headers_only)
        c->ops->headers(c);
}

static void on_data(struct http2_request *r, struct str bytes)
{
    struct grpc_call *c = call_of(r);
    struct fail f;

    c->heard_us = loop_now_us(c->loop);
    c->untaken += bytes.len;
    if (!grpc_inbox_put(&c->inbox, bytes)) {
        fail_reason(&f, CODE_INTERNAL, "bad_answer", "the other side sends more than it may");
        finish_with(c, &f);
        return;
    }
    pump(c);
}

static void take_failure(struct grpc_call *c, const struct http2_request *r, enum http2_end how,
                         const struct fail *why)
{
    struct fail f = *why;

    if (how == HTTP2_END_RESET)
        f.code = grpc_code_of_reset(r->reset_code);
    /* The other side keeps the same time and may have been first, within this very turn. */
    if (how == HTTP2_END_RESET && c->deadline_us <= loop_clock_us(c->loop))
        fail_reason(&f, CODE_DEADLINE_EXCEEDED, "timeout", "the call took too long");
    grpc_outcome_set(&c->outcome, c->arena, &f);
}

static void on_end(struct http2_request *r, enum http2_end how, const struct fail *why)
{
    struct grpc_call *c = call_of(r);

    c->ended = true;
    if (how == HTTP2_END_WHOLE) {
        c->outcome.trailers = r->answer_trailers;
        c->outcome.trailer_count = r->answer_trailer_count;
        grpc_outcome_end(&c->outcome, c->arena, r->answer_bytes > 0);
    } else {
        take_failure(c, r, how, why);
    }
    pump(c);
}

static const struct http2_request_ops http_ops = {
    .head = on_head,
    .data = on_data,
    .end = on_end,
};

/* -- the request ------------------------------------------------------------------------------- */

/* Names that the protocol uses itself. */
static bool is_reserved(struct str name)
{
    static const struct str names[] = {
        STR_INIT("content-type"),   STR_INIT("te"),
        STR_INIT("user-agent"),     STR_INIT("host"),
        STR_INIT("connection"),     STR_INIT("transfer-encoding"),
        STR_INIT("content-length"), STR_INIT("upgrade"),
        STR_INIT("keep-alive"),     STR_INIT("proxy-connection"),
    };

    for (size_t i = 0; i < COUNTOF(names); i++)
        if (str_eq(name, names[i]))
            return true;
    return str_starts_with(name, STR("grpc-"));
}

static bool is_lower(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.p[i] >= 'A' && name.p[i] <= 'Z')
            return false;
    return true;
}

static int add_metadata(struct grpc_call *c, struct http_field *out, struct fail *f)
{
    for (size_t i = 0; i < c->options.metadata_count; i++) {
        struct str name = c->options.metadata[i].name;
        struct str value = c->options.metadata[i].value;

        if (!token_is_valid(name) || !is_lower(name) || is_reserved(name))
            return fail_reason(f, CODE_INVALID_ARGUMENT, "metadata",
                               "'%.*s' cannot be the name of metadata", (int)MIN(name.len, 100u),
                               name.p ? name.p : "");
        if (str_ends_with(name, STR("-bin")))
            value = base64_encode(c->arena, BASE64_STD_BARE, value);
        else if (value.len > 0 && !str_is_within(value, ' ', '~'))
            return fail_reason(f, CODE_INVALID_ARGUMENT, "metadata",
                               "the value of metadata '%.*s' is not printable ASCII",
                               (int)MIN(name.len, 100u), name.p);
        out[i] = (struct http_field){name, value};
    }
    return 0;
}

/* At most eight digits. */
static struct str timeout_text(struct arena *a, int64_t us)
{
    us = MAX(us, 1);
    if (us < 100000000)
        return arena_printf(a, "%lldu", (long long)us);
    if (us / 1000 < 100000000)
        return arena_printf(a, "%lldm", (long long)(us / 1000));
    if (us / 1000000 < 100000000)
        return arena_printf(a, "%lldS", (long long)(us / 1000000));
    return STR("99999999S");
}

static int set_fields(struct grpc_call *c, struct fail *f)
{
    size_t room = c->options.metadata_count + OUR_FIELDS;
    struct http_field *fields = arena_new_array(c->arena, struct http_field, room);
    size_t n = 0;

    fields[n++] = (struct http_field){STR("te"), STR("trailers")};
    fields[n++] = (struct http_field){STR("content-type"), STR("application/grpc+proto")};
    fields[n++] = (struct http_field){STR("user-agent"), STR("grpc-c-muster/" MUSTER_VERSION)};
    fields[n++] = (struct http_field){STR("grpc-accept-encoding"), STR("gzip")};
    if (c->options.gzip)
        fields[n++] = (struct http_field){STR("grpc-encoding"), STR("gzip")};
    if (c->deadline_us != NEVER)
        fields[n++] = (struct http_field){
            STR("grpc-timeout"),
            timeout_text(c->arena, c->deadline_us - loop_now_us(c->loop)),
        };
    if (add_metadata(c, fields + n, f) < 0)
        return -1;
    c->http.fields = fields;
    c->http.field_count = n + c->options.metadata_count;
    return 0;
}

static int too_large(struct fail *f)
{
    return fail_reason(f, CODE_RESOURCE_EXHAUSTED, "message_too_large", "the request is too large");
}

static int put_gzipped(struct str plain, struct buf *out, struct fail *f)
{
    /* Rarely asked for, so the 270 KB of working memory are not kept. */
    struct gzip_deflater *z = gzip_deflater_new(GZIP_FORMAT_GZIP, 6);
    int rc = gzip_deflate(z, plain, out);

    gzip_deflater_free(&z);
    return rc < 0 ? too_large(f) : 0;
}

int grpc_call_prepare(struct grpc_call *c, const void *request, struct fail *f)
{
    struct buf plain, out;
    size_t at;

    buf_init_arena(&out, c->arena, REQUEST_MAX);
    at = frame_begin(&out);
    if (!c->options.gzip) {
        if (proto_encode(c->method->input, request, &out) < 0)
            return too_large(f);
    } else {
        buf_init_arena(&plain, c->arena, REQUEST_MAX);
        if (proto_encode(c->method->input, request, &plain) < 0)
            return too_large(f);
        if (put_gzipped(buf_str(&plain), &out, f) < 0)
            return -1;
    }
    frame_end(&out, at, c->options.gzip ? FRAME_COMPRESSED : 0);
    c->http.body = buf_str(&out);
    c->prepared = true;
    return 0;
}

static int64_t deadline_of(const struct grpc_call *c)
{
    int64_t deadline = c->options.deadline_us > 0 ? c->options.deadline_us : NEVER;

    if (c->options.timeout_ms > 0)
        deadline = MIN(deadline, loop_now_us(c->loop) + (int64_t)c->options.timeout_ms * 1000);
    return deadline;
}

int grpc_call_start(struct grpc_call *c, const void *request, struct fail *f)
{
    const struct http2_client_options *h;

    assert(c->channel && c->method && c->arena && c->ops && !c->method->client_streaming);
    c->loop = grpc_channel_loop(c->channel);
    c->deadline_us = deadline_of(c);
    c->heard_us = loop_now_us(c->loop);
    if (c->deadline_us <= loop_now_us(c->loop))
        return fail_reason(f, CODE_DEADLINE_EXCEEDED, "timeout", "the call took too long");
    if (!c->prepared && grpc_call_prepare(c, request, f) < 0)
        return -1;
    if (set_fields(c, f) < 0)
        return -1;
    h = grpc_channel_http2_options(c->channel);
    c->message_max =
        c->options.message_max > 0 ? c->options.message_max : grpc_channel_message_max(c->channel);
    c->http.path = c->method->path;
    c->http.wait = c->options.wait_for_ready;
    c->http.arena = c->arena;
    c->http.ops = &http_ops;
    if (http2_client_start(grpc_channel_http2(c->channel), &c->http, f) < 0)
        return -1;
    grpc_inbox_init(&c->inbox, c->message_max, 2 * (size_t)h->window_bytes);
    c->timer.fn = on_timer;
    c->wanted = true;
    set_timer(c);
    return 0;
}

void grpc_call_next(struct grpc_call *c)
{
    if (c->over || c->wanted)
        return;
    c->wanted = true;
    c->heard_us = loop_now_us(c->loop);
    pump(c);
}

void grpc_call_keep(struct grpc_call *c, struct buf *out, struct grpc_message *m)
{
    assert(c->pumping && !c->kept);
    c->kept = true;
    grpc_inbox_take(&c->inbox, out, m);
}

void grpc_call_cancel(struct grpc_call *c)
{
    struct fail f;

    if (c->over || !c->loop)
        return;
    fail_reason(&f, CODE_CANCELED, "canceled", "the call was canceled");
    grpc_outcome_set(&c->outcome, c->arena, &f);
    leave(c);
}

/* -- messages ---------------------------------------------------------------------------------- */

static int inflate(struct arena *a, struct str in, size_t max, struct str *out, struct fail *f)
{
    struct gzip_inflater *z = gzip_inflater_new();
    struct buf b;
    int rc;

    buf_init_arena(&b, a, max);
    rc = gzip_inflate(z, GZIP_FORMAT_GZIP, in, max, &b, f);
    gzip_inflater_free(&z);
    if (rc < 0 && f->code == CODE_RESOURCE_EXHAUSTED)
        return fail_reason(f, CODE_RESOURCE_EXHAUSTED, "message_too_large",
                           "a message of the answer inflates to more than %zu bytes", max);
    if (rc < 0)
        return fail_reason(f, CODE_INTERNAL, "bad_answer", "a message of the answer is not gzip");
    *out = buf_str(&b);
    return 0;
}

/* Small messages are copied: that costs less than a hook. */
static struct str settle_in(struct arena *a, struct str payload, struct buf *bytes)
{
    if (!bytes || payload.len < ADOPT_BYTES)
        return arena_str(a, payload);
    arena_on_free(a, free, bytes->data);
    *bytes = (struct buf){.data = NULL};
    return payload;
}

int grpc_message_read(const struct proto_message *type, struct arena *a,
                      const struct grpc_message *m, struct buf *bytes, size_t message_max,
                      void **out, struct fail *f)
{
    const struct proto_limits limits = {
        .bytes = message_max,
        .memory = MAX(PROTO_MAX_MEMORY, 4 * message_max),
    };
    struct str plain = {NULL, 0};
    void *message;

    if (!m->gzip)
        plain = settle_in(a, m->payload, bytes);
    else if (inflate(a, m->payload, message_max, &plain, f) < 0)
        return -1;
    message = proto_new(a, type);
    if (proto_decode(type, a, plain, &limits, message, f) < 0) {
        if (f->code == CODE_INVALID_ARGUMENT)
            f->code = CODE_INTERNAL; /* it is not our caller's fault */
        f->reason = "bad_answer";
        return -1;
    }
    *out = message;
    return 0;
}
