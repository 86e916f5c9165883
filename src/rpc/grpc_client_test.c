/* SPDX-License-Identifier: Apache-2.0 */
/* The client against our own HTTP server with a service that answers by path, good gRPC and bad.
 * The client's loop runs in a thread of its own with a clock that stands still; the test's thread
 * is the worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/heap.h"
#include "codec/gzip.h"
#include "net/httpd.h"
#include "proto/grpc_testing_messages.pb.h"
#include "rpc/frame.h"
#include "rpc/grpc_client.h"

#define MESSAGE_BYTES 20000
#define WINDOW        100000

/* -- the other side ---------------------------------------------------------------------------- */

struct service {
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t wake;
    unsigned requests;
    unsigned gone;
    uint64_t endless_bytes;
    char timeout[16];    /* grpc-timeout of the last request */
    uint8_t flags;       /* of the last request's message */
    struct http_x *held; /* the server's loop only */
};

struct endless {
    struct http_source source;
    struct service *service;
    struct buf frame;
    size_t at;
    unsigned left; /* frames; then silence */
};

static void changed(struct service *s)
{
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

static void put_frame(struct buf *out, uint8_t flags, struct str payload)
{
    size_t at = frame_begin(out);

    buf_put_str(out, payload);
    frame_end(out, at, flags);
}

/* A SimpleResponse with that user name. */
static void put_response(struct buf *out, struct str name)
{
    struct grpc_testing_simple_response m = {.username = name};
    size_t at = frame_begin(out);

    if (proto_encode(&grpc_testing_simple_response_desc, &m, out) < 0)
        abort();
    frame_end(out, at, 0);
}

static void put_gzip_response(struct buf *out, struct str name)
{
    struct gzip_deflater *z = gzip_deflater_new(GZIP_FORMAT_GZIP, 6);
    struct grpc_testing_simple_response m = {.username = name};
    struct buf plain;
    size_t at = frame_begin(out);

    buf_init(&plain, 1 << 26);
    if (proto_encode(&grpc_testing_simple_response_desc, &m, &plain) < 0 ||
        gzip_deflate(z, buf_str(&plain), out) < 0)
        abort();
    frame_end(out, at, FRAME_COMPRESSED);
    buf_done(&plain);
    gzip_deflater_free(&z);
}

static ptrdiff_t endless_read(struct http_source *source, uint8_t *out, size_t cap)
{
    struct endless *e = (struct endless *)source;
    size_t n = MIN(cap, e->frame.len - e->at);

    if (e->left == 0)
        return HTTP_AGAIN;
    memcpy(out, e->frame.data + e->at, n);
    e->at += n;
    if (e->at == e->frame.len) {
        e->at = 0;
        e->left--;
    }
    pthread_mutex_lock(&e->service->lock);
    e->service->endless_bytes += n;
    changed(e->service);
    return (ptrdiff_t)n;
}

static void note_gone(struct service *s)
{
    pthread_mutex_lock(&s->lock);
    s->gone++;
    changed(s);
}

static void endless_close(struct http_source *source)
{
    note_gone(((struct endless *)source)->service);
}

static const struct http_source_ops endless_ops = {.read = endless_read, .close = endless_close};

static void answer_endless(struct http_x *x, unsigned frames)
{
    struct endless *e = arena_new_type(x->arena, struct endless);
    char *name = arena_alloc(x->arena, MESSAGE_BYTES);

    memset(name, 'n', MESSAGE_BYTES);
    e->source.ops = &endless_ops;
    e->service = x->service->ctx;
    e->left = frames;
    buf_init_arena(&e->frame, x->arena, 2 * MESSAGE_BYTES);
    put_response(&e->frame, str_make(name, MESSAGE_BYTES));
    x->resp.source = &e->source;
    x->resp.source_length = -1;
    http_answer(x);
}

static ptrdiff_t broken_read(struct http_source *source UNUSED, uint8_t *out UNUSED,
                             size_t cap UNUSED)
{
    return HTTP_BROKEN;
}

static void broken_close(struct http_source *source UNUSED)
{
}

/* The answer that is held becomes a reset. */
static void break_held(struct http_x *x)
{
    static const struct http_source_ops ops = {.read = broken_read, .close = broken_close};
    struct http_x *held = ((struct service *)x->service->ctx)->held;

    held->resp.source = arena_new_type(held->arena, struct http_source);
    held->resp.source->ops = &ops;
    held->resp.source_length = -1;
    http_answer(held);
}

static void trailer(struct http_x *x, const char *name, struct str value)
{
    http_resp_trailer(x, str_of(name), value);
}

static void put_big(struct http_x *x, struct buf *out, bool gzip)
{
    size_t len = 3000000;
    char *name = arena_alloc_raw(x->arena, len);

    memset(name, 'g', len);
    if (gzip)
        put_gzip_response(out, str_make(name, len));
    else
        put_response(out, str_make(name, len));
}

static void put_echo(struct http_x *x, struct buf *out)
{
    struct str body = x->req.body;
    struct frame frame;
    struct fail f;

    if (frame_take(&body, &frame) != FRAME_OK)
        abort();
    if (frame.flags & FRAME_COMPRESSED) {
        struct gzip_inflater *z = gzip_inflater_new();
        struct buf plain;

        buf_init_arena(&plain, x->arena, 1 << 24);
        if (gzip_inflate(z, GZIP_FORMAT_GZIP, frame.payload, 1 << 24, &plain, &f) < 0)
            abort();
        gzip_inflater_free(&z);
        frame.payload = buf_str(&plain);
    }
    /* A SimpleRequest's payload has another number than a response's; the size tells enough. */
    put_response(out, arena_printf(x->arena, "%zu", frame.payload.len));
}

/* What each path puts into the body, and whether it says that all went well. */
static bool answer_by_path(struct http_x *x, struct buf *out)
{
    struct str path = str_skip(x->req.path, 3); /* "/t/" */

    if (str_eq(path, STR("echo"))) {
        put_echo(x, out);
    } else if (str_eq(path, STR("metadata"))) {
        http_resp_add(x, STR("head"), http_req_field(&x->req, STR("word")));
        http_resp_add(x, STR("head-bin"), http_req_field(&x->req, STR("bytes-bin")));
        trailer(x, "tail", STR("end"));
        put_response(out, STR("fine"));
    } else if (str_eq(path, STR("three"))) {
        put_response(out, STR("one"));
        put_response(out, STR("two"));
        put_response(out, STR("three"));
    } else if (str_eq(path, STR("two-and-an-error"))) {
        put_response(out, STR("one"));
        put_response(out, STR("two"));
        trailer(x, "grpc-status", STR("10"));
        trailer(x, "grpc-message", STR("ERROR_X: na%C3%AFve"));
        return false;
    } else if (str_eq(path, STR("gzip"))) {
        http_resp_add(x, STR("grpc-encoding"), STR("gzip"));
        put_gzip_response(out, STR("unpacked"));
    } else if (str_eq(path, STR("gzip-unsaid"))) {
        put_gzip_response(out, STR("unpacked"));
    } else if (str_eq(path, STR("gzip-broken"))) {
        http_resp_add(x, STR("grpc-encoding"), STR("gzip"));
        put_frame(out, FRAME_COMPRESSED, STR("this is not gzip"));
    } else if (str_eq(path, STR("bomb"))) {
        http_resp_add(x, STR("grpc-encoding"), STR("gzip"));
        put_big(x, out, true);
    } else if (str_eq(path, STR("big"))) {
        put_big(x, out, false);
    } else if (str_eq(path, STR("flags"))) {
        put_frame(out, 2, STR(""));
    } else if (str_eq(path, STR("garbage"))) {
        put_frame(out, 0, STR("\xff\xff\xff\xff"));
    } else if (str_eq(path, STR("cut-off"))) {
        buf_put_str(out, str_make("\0\0\0\0\7hi", 7));
    } else if (str_eq(path, STR("no-trailers"))) {
        put_response(out, STR("fine"));
        return false;
    } else if (str_eq(path, STR("break-held"))) {
        break_held(x);
    } else if (!str_eq(path, STR("none"))) {
        abort();
    }
    return true;
}

static void head(struct http_x *x)
{
    x->body_limit = 1 << 26;
}

static void note_request(struct http_x *x)
{
    struct service *s = x->service->ctx;
    struct str timeout = http_req_field(&x->req, STR("grpc-timeout"));

    pthread_mutex_lock(&s->lock);
    s->requests++;
    snprintf(s->timeout, sizeof(s->timeout), "%.*s", (int)timeout.len, timeout.p ? timeout.p : "");
    s->flags = x->req.body.len > 0 ? (uint8_t)x->req.body.p[0] : 255;
    changed(s);
}

static void ready(struct http_x *x)
{
    struct buf out;

    note_request(x);
    x->resp.status = 200;
    if (str_eq(x->req.path, STR("/t/proxy"))) {
        x->resp.status = 503;
        http_resp_add(x, STR("content-type"), STR("text/html"));
        x->resp.body = STR("<h1>later</h1>");
        http_answer(x);
        return;
    }
    http_resp_add(x, STR("content-type"), STR("application/grpc"));
    if (str_eq(x->req.path, STR("/t/hold"))) {
        ((struct service *)x->service->ctx)->held = x;
        return;
    }
    if (str_eq(x->req.path, STR("/t/endless"))) {
        answer_endless(x, UINT32_MAX);
        return;
    }
    if (str_eq(x->req.path, STR("/t/one-and-silence"))) {
        answer_endless(x, 1);
        return;
    }
    if (str_eq(x->req.path, STR("/t/refusal"))) {
        http_resp_add(x, STR("grpc-status"), STR("7"));
        http_resp_add(x, STR("grpc-message"), STR("not%20you"));
        http_resp_add(x, STR("grpc-status-details-bin"), STR("CAcSB25vdCB5b3U"));
        http_resp_add(x, STR("why"), STR("rules"));
        http_answer(x);
        return;
    }
    buf_init_arena(&out, x->arena, 1 << 26);
    if (answer_by_path(x, &out))
        trailer(x, "grpc-status", STR("0"));
    x->resp.body = buf_str(&out);
    http_answer(x);
}

static void refuse(struct http_x *x, enum http_refusal why UNUSED, const char *message UNUSED)
{
    x->resp.status = 400;
    http_answer(x);
}

/* What is held is let go when the client leaves. */
static void gone(struct http_x *x)
{
    note_gone(x->service->ctx);
    if (str_eq(x->req.path, STR("/t/hold")))
        http_answer(x);
}

static void sent(struct http_x *x UNUSED)
{
}

/* -- the ground -------------------------------------------------------------------------------- */

struct ground {
    struct service service;
    struct http_service http;
    struct clock *clock; /* of both sides */
    struct logger *logger;
    struct log log;
    struct metrics *metrics;
    struct httpd *httpd;
    struct resolver *resolver;
    struct allow_list *allow;
    struct loop *loop;
    pthread_t turner;
    struct grpc_channel *channel;
    struct arena *arena;
    struct fail f;
};

static void *turn(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void start_server(struct ground *g)
{
    static const char *const listeners[] = {"127.0.0.1:0"};
    struct httpd_config config = {
        .service = &g->http,
        .clock = g->clock,
        .log = &g->log,
        .listeners = listeners,
        .listener_count = 1,
        .loops = 1,
    };

    g->metrics = metrics_new();
    g->logger = logger_new(2, LOGFORMAT_LOGFMT, LOGLEVEL_OFF, g->clock);
    g->log = (struct log){.out = g->logger};
    config.metrics = g->metrics;
    http_limits_default(&config.limits);
    g->http = (struct http_service){
        .ctx = &g->service,
        .head = head,
        .ready = ready,
        .refuse = refuse,
        .gone = gone,
        .sent = sent,
    };
    pthread_mutex_init(&g->service.lock, NULL);
    pthread_cond_init(&g->service.wake, NULL);
    assert_int_equal(httpd_new(&config, &g->httpd, &g->f), 0);
    assert_int_equal(httpd_start(g->httpd, &g->f), 0);
}

static struct grpc_channel *channel_to(struct ground *g, const char *target)
{
    struct grpc_channel_options o = {
        .target = str_of(target),
        .http2 = {.loop = g->loop,
                  .resolver = g->resolver,
                  .allow = g->allow,
                  .window_bytes = WINDOW},
    };
    struct grpc_channel *c = NULL;

    IGNORE(grpc_channel_new(&o, &c, &g->f));
    return c;
}

static struct ground *ground_new(void)
{
    struct ground *g = heap_new_type(struct ground);
    struct resolver_options ro = {.clock = NULL};
    char target[64];

    g->clock = clock_new_manual(1700000000000000, 1000000000);
    ro.clock = g->clock;
    g->resolver = resolver_new(&ro);
    g->allow = allow_list_new();
    g->arena = arena_new(65536);
    assert_int_equal(allow_list_add(g->allow, STR("127.0.0.1"), &g->f), 0);
    start_server(g);
    assert_int_equal(loop_new(g->clock, 0, &g->loop, &g->f), 0);
    assert_int_equal(pthread_create(&g->turner, NULL, turn, g->loop), 0);
    snprintf(target, sizeof(target), "grpc://127.0.0.1:%u", httpd_port(g->httpd, 0));
    g->channel = channel_to(g, target);
    assert_non_null(g->channel);
    return g;
}

static void ground_free(struct ground *g)
{
    grpc_channel_free(&g->channel);
    loop_stop(g->loop);
    pthread_join(g->turner, NULL);
    resolver_free(&g->resolver);
    loop_free(&g->loop);
    httpd_free(&g->httpd);
    metrics_free(&g->metrics);
    logger_free(&g->logger);
    pthread_cond_destroy(&g->service.wake);
    pthread_mutex_destroy(&g->service.lock);
    allow_list_free(&g->allow);
    clock_free(&g->clock);
    arena_free(&g->arena);
    free(g);
}

static void await_requests(struct ground *g, unsigned n)
{
    pthread_mutex_lock(&g->service.lock);
    while (g->service.requests < n)
        pthread_cond_wait(&g->service.wake, &g->service.lock);
    pthread_mutex_unlock(&g->service.lock);
}

static void await_gone(struct ground *g, unsigned n)
{
    pthread_mutex_lock(&g->service.lock);
    while (g->service.gone < n)
        pthread_cond_wait(&g->service.wake, &g->service.lock);
    pthread_mutex_unlock(&g->service.lock);
}

static unsigned gone_count(struct ground *g)
{
    unsigned n;

    pthread_mutex_lock(&g->service.lock);
    n = g->service.gone;
    pthread_mutex_unlock(&g->service.lock);
    return n;
}

static uint64_t await_endless(struct ground *g, uint64_t n)
{
    uint64_t bytes;

    pthread_mutex_lock(&g->service.lock);
    while (g->service.endless_bytes < n)
        pthread_cond_wait(&g->service.wake, &g->service.lock);
    bytes = g->service.endless_bytes;
    pthread_mutex_unlock(&g->service.lock);
    return bytes;
}

struct barrier {
    struct loop_task task;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool passed;
};

static void pass(struct loop_task *t)
{
    struct barrier *b = CONTAINER_OF(t, struct barrier, task);

    pthread_mutex_lock(&b->lock);
    b->passed = true;
    pthread_cond_signal(&b->wake);
    pthread_mutex_unlock(&b->lock);
}

/* All that was posted to the loop before has run. */
static void await_loop(struct ground *g)
{
    struct barrier b = {
        .task.fn = pass, .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

    loop_post(g->loop, &b.task);
    pthread_mutex_lock(&b.lock);
    while (!b.passed)
        pthread_cond_wait(&b.wake, &b.lock);
    pthread_mutex_unlock(&b.lock);
}

static void advance(struct ground *g, int64_t ms)
{
    clock_advance(g->clock, ms * 1000);
    loop_wake(g->loop);
}

/* A method of that path; they only have to stay while the call does. */
static const struct proto_method *method(struct ground *g, const char *name, bool streaming)
{
    struct proto_method *m = arena_new_type(g->arena, struct proto_method);

    m->path = arena_printf(g->arena, "/t/%s", name);
    m->name = str_of(name);
    m->input = &grpc_testing_simple_request_desc;
    m->output = &grpc_testing_simple_response_desc;
    m->server_streaming = streaming;
    return m;
}

static const struct grpc_testing_simple_request request = {.response_size = 7};

static int unary(struct ground *g, const char *name, const struct grpc_call_options *o,
                 struct grpc_testing_simple_response **response, struct grpc_outcome *outcome)
{
    void *message = NULL;
    int rc = grpc_call_unary(g->channel, method(g, name, false), &request, o, g->arena, &message,
                             outcome, &g->f);

    *response = message;
    return rc;
}

static void fails(struct ground *g, const char *name, enum code code, const char *reason)
{
    struct grpc_testing_simple_response *response;
    struct grpc_outcome outcome;

    assert_int_equal(unary(g, name, NULL, &response, &outcome), -1);
    assert_int_equal(g->f.code, code);
    assert_int_equal(outcome.code, code);
    assert_string_equal(outcome.reason ? outcome.reason : "(none)", reason);
}

static struct grpc_stream *open_stream(struct ground *g, const char *name,
                                       const struct grpc_call_options *o)
{
    struct grpc_stream *s;

    assert_int_equal(grpc_stream_open(g->channel, method(g, name, true), &request, o, &s, &g->f),
                     0);
    return s;
}

static struct str next_name(struct ground *g, struct grpc_stream *s)
{
    void *message;

    assert_int_equal(grpc_stream_next(s, g->arena, &message, &g->f), 1);
    return ((struct grpc_testing_simple_response *)message)->username;
}

static struct str field(const struct http_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(fields[i].name, str_of(name)))
            return fields[i].value;
    return (struct str){NULL, 0};
}

/* -- tests ------------------------------------------------------------------------------------- */

static void a_unary_call_gets_its_answer(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct grpc_testing_simple_response *response;
    struct grpc_outcome outcome;

    assert_int_equal(unary(g, "echo", NULL, &response, &outcome), 0);
    assert_true(str_eq(response->username, STR("2")));
    assert_int_equal(outcome.code, CODE_OK);
    assert_true(outcome.from_peer);
    await_requests(g, 1);
    assert_string_equal(g->service.timeout, "");
    assert_int_equal(g->service.flags, 0);
    ground_free(g);
}

static void metadata_goes_both_ways(void **state UNUSED)
{
    struct ground *g = ground_new();
    const struct http_field fields[] = {{STR("word"), STR("hello there")},
                                        {STR("bytes-bin"), STR("\0\377\1")}};
    const struct grpc_call_options o = {.metadata = fields, .metadata_count = 2};
    struct grpc_testing_simple_response *response;
    struct grpc_outcome outcome;
    struct str bytes;

    assert_int_equal(unary(g, "metadata", &o, &response, &outcome), 0);
    assert_true(str_eq(field(outcome.headers, outcome.header_count, "head"), STR("hello there")));
    assert_int_equal(
        grpc_bin(g->arena, field(outcome.headers, outcome.header_count, "head-bin"), &bytes), 0);
    assert_true(str_eq(bytes, STR("\0\377\1")));
    assert_true(str_eq(field(outcome.trailers, outcome.trailer_count, "tail"), STR("end")));
    ground_free(g);
}

static void metadata_that_the_protocol_owns_is_refused(void **state UNUSED)
{
    struct ground *g = ground_new();
    static const struct http_field bad[] = {
        {STR_INIT("grpc-timeout"), STR_INIT("1S")}, {STR_INIT("te"), STR_INIT("x")},
        {STR_INIT("Upper"), STR_INIT("x")},         {STR_INIT(""), STR_INIT("x")},
        {STR_INIT(":path"), STR_INIT("/x")},        {STR_INIT("a b"), STR_INIT("x")},
        {STR_INIT("line"), STR_INIT("a\r\nb: c")},  {STR_INIT("content-type"), STR_INIT("x")},
    };

    for (size_t i = 0; i < COUNTOF(bad); i++) {
        const struct grpc_call_options o = {.metadata = &bad[i], .metadata_count = 1};
        struct grpc_testing_simple_response *response;

        assert_int_equal(unary(g, "echo", &o, &response, NULL), -1);
        assert_int_equal(g->f.code, CODE_INVALID_ARGUMENT);
    }
    assert_int_equal(g->service.requests, 0);
    ground_free(g);
}

static void an_error_comes_with_its_text_details_and_trailers(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct grpc_testing_simple_response *response;
    struct grpc_outcome outcome;

    assert_int_equal(unary(g, "refusal", NULL, &response, &outcome), -1);
    assert_int_equal(g->f.code, CODE_PERMISSION_DENIED);
    assert_string_equal(g->f.message, "not you");
    assert_true(outcome.from_peer);
    assert_true(str_eq(outcome.details, STR("\10\7\22\7not you")));
    assert_true(str_eq(field(outcome.trailers, outcome.trailer_count, "why"), STR("rules")));
    assert_int_equal(outcome.header_count, 0);
    ground_free(g);
}

static void answers_that_break_the_protocol_have_their_codes(void **state UNUSED)
{
    struct ground *g = ground_new();

    fails(g, "proxy", CODE_UNAVAILABLE, "not_grpc");
    fails(g, "none", CODE_UNIMPLEMENTED, "no_message");
    fails(g, "three", CODE_UNIMPLEMENTED, "many_messages");
    fails(g, "no-trailers", CODE_INTERNAL, "no_trailers");
    fails(g, "flags", CODE_INTERNAL, "bad_answer");
    fails(g, "garbage", CODE_INTERNAL, "bad_answer");
    fails(g, "cut-off", CODE_INTERNAL, "bad_answer");
    fails(g, "gzip-unsaid", CODE_INTERNAL, "bad_answer");
    fails(g, "gzip-broken", CODE_INTERNAL, "bad_answer");
    ground_free(g);
}

static void gzip_is_read_and_written(void **state UNUSED)
{
    struct ground *g = ground_new();
    const struct grpc_call_options o = {.gzip = true};
    struct grpc_testing_simple_response *response;

    assert_int_equal(unary(g, "gzip", NULL, &response, NULL), 0);
    assert_true(str_eq(response->username, STR("unpacked")));
    assert_int_equal(unary(g, "echo", &o, &response, NULL), 0);
    assert_true(str_eq(response->username, STR("2")));
    await_requests(g, 2);
    assert_int_equal(g->service.flags, FRAME_COMPRESSED);
    ground_free(g);
}

static void a_message_over_the_limit_is_refused_packed_or_not(void **state UNUSED)
{
    struct ground *g = ground_new();
    const struct grpc_call_options small = {.message_max = 1000000};
    struct grpc_testing_simple_response *response;

    assert_int_equal(unary(g, "big", NULL, &response, NULL), 0);
    assert_int_equal(response->username.len, 3000000);
    assert_int_equal(unary(g, "bomb", NULL, &response, NULL), 0);
    assert_int_equal(unary(g, "big", &small, &response, NULL), -1);
    assert_int_equal(g->f.code, CODE_RESOURCE_EXHAUSTED);
    assert_int_equal(unary(g, "bomb", &small, &response, NULL), -1);
    assert_int_equal(g->f.code, CODE_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(g->f.message, "inflates")); /* stopped before it was decoded */
    ground_free(g);
}

static void a_stream_gives_its_messages_in_order(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct grpc_stream *s = open_stream(g, "three", NULL);
    void *message;

    assert_int_equal(grpc_stream_headers(s)->http_status, 200);
    assert_true(str_eq(next_name(g, s), STR("one")));
    assert_true(str_eq(next_name(g, s), STR("two")));
    assert_true(str_eq(next_name(g, s), STR("three")));
    assert_int_equal(grpc_stream_next(s, g->arena, &message, &g->f), 0);
    assert_int_equal(grpc_stream_next(s, g->arena, &message, &g->f), 0);
    assert_int_equal(grpc_stream_outcome(s)->code, CODE_OK);
    grpc_stream_close(&s);
    assert_null(s);
    ground_free(g);
}

static void an_error_after_messages_comes_after_them(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct grpc_stream *s = open_stream(g, "two-and-an-error", NULL);
    void *message;

    next_name(g, s);
    next_name(g, s);
    assert_int_equal(grpc_stream_next(s, g->arena, &message, &g->f), -1);
    assert_int_equal(g->f.code, CODE_ABORTED);
    assert_string_equal(g->f.message, "ERROR_X: na\303\257ve");
    grpc_stream_close(&s);
    ground_free(g);
}

static void a_slow_reader_stops_the_sender(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct grpc_stream *s = open_stream(g, "endless", NULL);
    struct grpc_testing_simple_response *response;
    uint64_t bytes;

    /* One message waits, its bytes are not given back, and behind it comes a window at most. */
    bytes = await_endless(g, WINDOW);
    assert_int_equal(unary(g, "echo", NULL, &response, NULL), 0); /* others are not held up */
    bytes = await_endless(g, WINDOW);
    assert_in_range(bytes, WINDOW, WINDOW + 2 * MESSAGE_BYTES);

    for (int i = 0; i < 20; i++)
        assert_int_equal(next_name(g, s).len, MESSAGE_BYTES);
    bytes = await_endless(g, 20 * MESSAGE_BYTES);
    assert_in_range(bytes, 20 * MESSAGE_BYTES, 23 * MESSAGE_BYTES + WINDOW);
    grpc_stream_close(&s);
    await_gone(g, 1);
    ground_free(g);
}

static void a_deadline_ends_the_call_and_is_told(void **state UNUSED)
{
    struct ground *g = ground_new();
    const struct grpc_call_options o = {.timeout_ms = 1500};
    struct grpc_stream *s = open_stream(g, "hold", &o);
    void *message;

    await_requests(g, 1);
    assert_string_equal(g->service.timeout, "1500000u");
    advance(g, 1600);
    assert_int_equal(grpc_stream_next(s, g->arena, &message, &g->f), -1);
    assert_int_equal(g->f.code, CODE_DEADLINE_EXCEEDED);
    assert_string_equal(g->f.reason, "timeout");
    await_gone(g, 1);
    grpc_stream_close(&s);
    ground_free(g);
}

/* A turn of the client's loop in which time passes before it looks at its connection. */
struct long_turn {
    struct loop_task task;
    struct loop_watch watch;
    struct ground *g;
};

static void ask_in_clear(struct ground *g, const char *path)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)httpd_port(g->httpd, 0)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char text[64], first;
    int len = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1 || connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1 ||
        write(fd, text, (size_t)len) != len || read(fd, &first, 1) != 1)
        abort();
    close(fd);
}

static void let_time_pass(struct loop_watch *w, uint32_t events UNUSED)
{
    struct long_turn *t = CONTAINER_OF(w, struct long_turn, watch);

    clock_advance(t->g->clock, 1600000);
    loop_unwatch(t->g->loop, w);
    close(w->fd);
}

/* What the server had to send until now, the client's loop has read. The answer in clear comes from
 * a later turn of the server; the first barrier may stand in a turn that began before that answer,
 * the second one cannot. */
static void await_quiet(struct ground *g)
{
    ask_in_clear(g, "/t/none");
    await_loop(g);
    await_loop(g);
}

/* The next turn has two events: first the one that lets time pass, then the reset. That order holds
 * only when the connection is quiet now: else epoll has it in front already. The second answer
 * tells that the server's turn with the reset is over. */
static void make_long_turn(struct loop_task *task)
{
    struct long_turn *t = CONTAINER_OF(task, struct long_turn, task);

    t->watch = (struct loop_watch){.fn = let_time_pass, .fd = eventfd(1, EFD_CLOEXEC)};
    if (loop_watch(t->g->loop, &t->watch, EPOLLIN) < 0)
        abort();
    ask_in_clear(t->g, "/t/break-held");
    ask_in_clear(t->g, "/t/none");
}

static void a_reset_at_the_deadline_is_the_deadline_even_in_a_long_turn(void **state UNUSED)
{
    struct ground *g = ground_new();
    const struct grpc_call_options o = {.timeout_ms = 1500};
    struct grpc_stream *s = open_stream(g, "hold", &o);
    struct long_turn turn_of = {.task.fn = make_long_turn, .g = g};
    void *message;

    await_requests(g, 1);
    await_quiet(g);
    loop_post(g->loop, &turn_of.task);
    assert_int_equal(grpc_stream_next(s, g->arena, &message, &g->f), -1);
    assert_int_equal(g->f.code, CODE_DEADLINE_EXCEEDED);
    assert_string_equal(g->f.reason, "timeout");
    grpc_stream_close(&s);
    ground_free(g);
}

static void a_deadline_that_has_passed_sends_nothing(void **state UNUSED)
{
    struct ground *g = ground_new();
    const struct grpc_call_options o = {.deadline_us = 1000000000};
    struct grpc_testing_simple_response *response;

    assert_int_equal(unary(g, "echo", &o, &response, NULL), -1);
    assert_int_equal(g->f.code, CODE_DEADLINE_EXCEEDED);
    assert_int_equal(g->service.requests, 0);
    ground_free(g);
}

static void silence_ends_a_stream_but_only_while_it_is_listened_to(void **state UNUSED)
{
    struct ground *g = ground_new();
    const struct grpc_call_options o = {.idle_timeout_ms = 1000};
    struct grpc_stream *s = open_stream(g, "one-and-silence", &o);
    struct grpc_testing_simple_response *response;
    void *message;

    grpc_stream_headers(s);
    await_endless(g, MESSAGE_BYTES);
    advance(g, 5000); /* a message waits: the reader is slow, not the other side */
    await_loop(g);
    assert_int_equal(unary(g, "echo", NULL, &response, NULL), 0); /* behind a reset, if any */
    assert_int_equal(gone_count(g), 0);
    next_name(g, s);
    await_loop(g);
    advance(g, 1100);
    assert_int_equal(grpc_stream_next(s, g->arena, &message, &g->f), -1);
    assert_int_equal(g->f.code, CODE_DEADLINE_EXCEEDED);
    assert_string_equal(g->f.reason, "idle_timeout");
    grpc_stream_close(&s);
    ground_free(g);
}

static void *cancel_it(void *arg)
{
    grpc_stream_cancel(arg);
    return NULL;
}

static void another_thread_may_cancel(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct grpc_stream *s = open_stream(g, "hold", NULL);
    pthread_t other;
    void *message;

    await_requests(g, 1);
    assert_int_equal(pthread_create(&other, NULL, cancel_it, s), 0);
    assert_int_equal(grpc_stream_next(s, g->arena, &message, &g->f), -1);
    assert_int_equal(g->f.code, CODE_CANCELED);
    pthread_join(other, NULL);
    await_gone(g, 1);
    grpc_stream_cancel(s);
    grpc_stream_close(&s);
    ground_free(g);
}

static void closing_early_tells_the_other_side(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct grpc_stream *s = open_stream(g, "hold", NULL);

    await_requests(g, 1);
    grpc_stream_close(&s);
    await_gone(g, 1);
    ground_free(g);
}

static void freeing_the_channel_ends_its_calls(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct grpc_stream *s = open_stream(g, "hold", NULL);
    void *message;

    await_requests(g, 1);
    grpc_channel_free(&g->channel);
    assert_int_equal(grpc_stream_next(s, g->arena, &message, &g->f), -1);
    assert_int_equal(g->f.code, CODE_CANCELED);
    assert_string_equal(g->f.reason, "closing");
    grpc_stream_close(&s);
    ground_free(g);
}

static void a_server_that_is_not_there_is_unavailable(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct grpc_testing_simple_response *response;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(to);
    int closed = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char target[64];

    /* A port that is taken and not listened at: nobody else can be there. */
    assert_int_equal(bind(closed, (struct sockaddr *)&to, len), 0);
    assert_int_equal(getsockname(closed, (struct sockaddr *)&to, &len), 0);
    snprintf(target, sizeof(target), "127.0.0.1:%u", ntohs(to.sin_port));
    grpc_channel_free(&g->channel);
    g->channel = channel_to(g, target);
    assert_int_equal(unary(g, "echo", NULL, &response, NULL), -1);
    assert_int_equal(g->f.code, CODE_UNAVAILABLE);
    assert_string_equal(g->f.reason, "connect");
    close(closed);
    ground_free(g);
}

static void an_address_off_the_list_is_denied(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct grpc_testing_simple_response *response;

    grpc_channel_free(&g->channel);
    g->channel = channel_to(g, "192.0.2.1:50051");
    assert_int_equal(unary(g, "echo", NULL, &response, NULL), -1);
    assert_int_equal(g->f.code, CODE_PERMISSION_DENIED);
    ground_free(g);
}

static void targets_are_read_strictly(void **state UNUSED)
{
    struct ground *g = ground_new();
    static const char *const good[] = {"host:1", "grpc://host.example:65535", "grpc://[::1]:50051",
                                       "[2001:db8::1]:443", "127.0.0.1:80"};
    static const char *const bad[] = {
        "",        "host",       "host:",          "host:0",          "host:65536",
        ":1",      "http://h:1", "grpc://",        "grpc://host",     "grpc://host:1/path",
        "[::1]",   "[::1:1",     "grpc://a b:1",   "grpc://u@host:1", "grpc+ssl://host:443",
        "host:1x", "::1:50051",  "grpc://host:-1", "grpc://[]:1",
    };

    for (size_t i = 0; i < COUNTOF(good); i++) {
        struct grpc_channel *c = channel_to(g, good[i]);

        assert_non_null(c);
        grpc_channel_free(&c);
    }
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        assert_null(channel_to(g, bad[i]));
        assert_int_equal(g->f.code, CODE_INVALID_ARGUMENT);
        assert_string_equal(g->f.reason, "bad_target");
    }
    ground_free(g);
}

/* -- on the loop ------------------------------------------------------------------------------- */

struct tried {
    struct grpc_call call;
    struct loop_task task;
    struct ground *g;
    struct barrier *done;
    struct arena *arena;
    unsigned headers;
    unsigned messages;
    unsigned stop_after; /* cancels inside the message; 0: never */
};

static void tried_headers(struct grpc_call *c)
{
    CONTAINER_OF(c, struct tried, call)->headers++;
}

static void tried_message(struct grpc_call *c, const struct grpc_message *m)
{
    struct tried *t = CONTAINER_OF(c, struct tried, call);
    struct fail f;
    void *message;

    t->messages++;
    if (grpc_message_read(c->method->output, t->arena, m, NULL, GRPC_MESSAGE_MAX, &message, &f) < 0)
        abort();
    if (t->messages != t->stop_after) {
        grpc_call_next(c);
        return;
    }
    grpc_call_cancel(c);
    pass(&t->done->task);
}

static void tried_done(struct grpc_call *c)
{
    pass(&CONTAINER_OF(c, struct tried, call)->done->task);
}

static void tried_start(struct loop_task *task)
{
    static const struct grpc_call_ops ops = {tried_headers, tried_message, tried_done};
    struct tried *t = CONTAINER_OF(task, struct tried, task);
    struct fail f;

    t->call.ops = &ops;
    t->call.channel = t->g->channel;
    t->call.arena = t->arena;
    if (grpc_call_start(&t->call, &request, &f) < 0)
        abort();
}

static struct tried try_on_loop(struct ground *g, const char *name, unsigned stop_after)
{
    struct barrier b = {
        .task.fn = pass, .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    struct tried t = {.task.fn = tried_start, .g = g, .done = &b, .stop_after = stop_after};

    t.call.method = method(g, name, true);
    t.arena = g->arena;
    loop_post(g->loop, &t.task);
    pthread_mutex_lock(&b.lock);
    while (!b.passed)
        pthread_cond_wait(&b.wake, &b.lock);
    pthread_mutex_unlock(&b.lock);
    await_loop(g);
    return t;
}

static void a_call_on_the_loop_pulls_its_messages(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct tried t = try_on_loop(g, "three", 0);

    assert_int_equal(t.headers, 1);
    assert_int_equal(t.messages, 3);
    assert_int_equal(t.call.outcome.code, CODE_OK);
    t = try_on_loop(g, "two-and-an-error", 0);
    assert_int_equal(t.messages, 2);
    assert_int_equal(t.call.outcome.code, CODE_ABORTED);
    t = try_on_loop(g, "refusal", 0);
    assert_int_equal(t.headers, 0);
    assert_int_equal(t.call.outcome.code, CODE_PERMISSION_DENIED);
    ground_free(g);
}

static void a_call_may_be_canceled_inside_its_message(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct tried t = try_on_loop(g, "endless", 3);

    assert_int_equal(t.messages, 3);
    assert_int_equal(t.call.outcome.code, CODE_CANCELED);
    await_gone(g, 1);
    ground_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unary_call_gets_its_answer),
        cmocka_unit_test(metadata_goes_both_ways),
        cmocka_unit_test(metadata_that_the_protocol_owns_is_refused),
        cmocka_unit_test(an_error_comes_with_its_text_details_and_trailers),
        cmocka_unit_test(answers_that_break_the_protocol_have_their_codes),
        cmocka_unit_test(gzip_is_read_and_written),
        cmocka_unit_test(a_message_over_the_limit_is_refused_packed_or_not),
        cmocka_unit_test(a_stream_gives_its_messages_in_order),
        cmocka_unit_test(an_error_after_messages_comes_after_them),
        cmocka_unit_test(a_slow_reader_stops_the_sender),
        cmocka_unit_test(a_deadline_ends_the_call_and_is_told),
        cmocka_unit_test(a_reset_at_the_deadline_is_the_deadline_even_in_a_long_turn),
        cmocka_unit_test(a_deadline_that_has_passed_sends_nothing),
        cmocka_unit_test(silence_ends_a_stream_but_only_while_it_is_listened_to),
        cmocka_unit_test(another_thread_may_cancel),
        cmocka_unit_test(closing_early_tells_the_other_side),
        cmocka_unit_test(freeing_the_channel_ends_its_calls),
        cmocka_unit_test(a_server_that_is_not_there_is_unavailable),
        cmocka_unit_test(an_address_off_the_list_is_denied),
        cmocka_unit_test(targets_are_read_strictly),
        cmocka_unit_test(a_call_on_the_loop_pulls_its_messages),
        cmocka_unit_test(a_call_may_be_canceled_inside_its_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
