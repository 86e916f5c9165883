/* SPDX-License-Identifier: Apache-2.0 */
/* The client against a peer that speaks nghttp2's server side in the same thread: both are pumped
 * in turns until something is so, and time stands still until a test moves it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/heap.h"
#include "net/http2_client.h"

#define TURNS_MAX 20000
#define ANSWER    "a piece of the answer"

/* -- the other side ---------------------------------------------------------------------------- */

/* What it does with a request, by path. */
enum behavior {
    HOLD,         /* says nothing */
    ECHO,         /* 200 and the body, then trailers */
    ENDLESS,      /* 200 and bytes for ever */
    HEADERS_ONLY, /* one frame */
    REFUSE_ONCE,  /* the first such request is refused, the next ones are echoed */
    BROKEN,       /* a reset in the middle */
    HUGE_HEAD,
    INFORMED, /* 103 before 200 */
    HINTS,    /* 103 without end */
    EARLY,    /* a whole answer as soon as the head is there */
};

static const char *const behaviors[] = {
    [HOLD] = "/hold",
    [ECHO] = "/echo",
    [ENDLESS] = "/endless",
    [HEADERS_ONLY] = "/headers-only",
    [REFUSE_ONCE] = "/refuse-once",
    [BROKEN] = "/broken",
    [HUGE_HEAD] = "/huge-head",
    [INFORMED] = "/informed",
    [HINTS] = "/hints",
    [EARLY] = "/early",
};

struct peer_stream {
    struct peer_stream *next;
    int32_t id;
    enum behavior behavior;
    struct buf body;
    size_t sent;
    bool token_was_literal;
};

struct peer {
    int listener;
    uint16_t port;
    int fd; /* -1: nobody is connected */
    struct buf out;
    nghttp2_session *session;
    struct peer_stream *streams;
    unsigned accepted;
    unsigned requests;
    unsigned resets;
    unsigned pings;
    uint32_t last_reset;
    uint64_t endless_bytes;
    bool refused_once;
    bool rude; /* hangs up on whoever comes */
    bool mute; /* takes connections and bytes, says nothing */
    char authority[64];
};

static void peer_hang_up(struct peer *p)
{
    struct peer_stream *s;

    while ((s = p->streams)) {
        p->streams = s->next;
        buf_done(&s->body);
        free(s);
    }
    nghttp2_session_del(p->session);
    p->session = NULL;
    buf_done(&p->out);
    if (p->fd != -1)
        close(p->fd);
    p->fd = -1;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static ssize_t peer_read(nghttp2_session *session, int32_t id, uint8_t *out, size_t cap,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct peer_stream *s = source->ptr;
    struct peer *p = user;
    nghttp2_nv trailer = field("sum", "7");
    size_t n;

    if (s->behavior == ENDLESS) {
        memset(out, 'x', cap);
        p->endless_bytes += cap;
        return (ssize_t)cap;
    }
    if (s->behavior == BROKEN) {
        if (s->sent > 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        memcpy(out, ANSWER, strlen(ANSWER));
        s->sent = strlen(ANSWER);
        return (ssize_t)s->sent;
    }
    n = MIN(cap, s->body.len - s->sent);
    if (n > 0)
        memcpy(out, s->body.data + s->sent, n);
    s->sent += n;
    if (s->sent == s->body.len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_submit_trailer(session, id, &trailer, 1);
    }
    return (ssize_t)n;
}

static void peer_answer(struct peer *p, struct peer_stream *s)
{
    nghttp2_data_provider body = {.source.ptr = s, .read_callback = peer_read};
    nghttp2_nv head[5] = {field(":status", "200"), field("kind", "test"), field("kind", "again")};
    char huge[9000];

    switch (s->behavior) {
    case HOLD: break;
    case REFUSE_ONCE:
        if (!p->refused_once) {
            p->refused_once = true;
            nghttp2_submit_rst_stream(p->session, 0, s->id, NGHTTP2_REFUSED_STREAM);
            break;
        }
        nghttp2_submit_response(p->session, s->id, head, 3, &body);
        break;
    case INFORMED: {
        nghttp2_nv early[2] = {field(":status", "103"), field("link", "x")};

        nghttp2_submit_headers(p->session, NGHTTP2_FLAG_NONE, s->id, NULL, early, 2, NULL);
        nghttp2_submit_response(p->session, s->id, head, 3, &body);
        break;
    }
    case HINTS:
        head[0] = field(":status", "103");
        for (int i = 0; i < 1000; i++)
            nghttp2_submit_headers(p->session, NGHTTP2_FLAG_NONE, s->id, NULL, head, 3, NULL);
        break;
    case HEADERS_ONLY: nghttp2_submit_response(p->session, s->id, head, 3, NULL); break;
    case HUGE_HEAD:
        memset(huge, 'h', sizeof(huge) - 1);
        huge[sizeof(huge) - 1] = '\0';
        head[1] = field("huge", huge);
        nghttp2_submit_response(p->session, s->id, head, 2, NULL);
        break;
    case EARLY: nghttp2_submit_response(p->session, s->id, head, 3, NULL); break;
    case ECHO:
    case ENDLESS:
    case BROKEN: nghttp2_submit_response(p->session, s->id, head, 3, &body); break;
    }
}

static int peer_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct peer *p = user;
    struct peer_stream *s = heap_new_type(struct peer_stream);

    s->id = frame->hd.stream_id;
    buf_init(&s->body, 1 << 22);
    s->next = p->streams;
    p->streams = s;
    p->requests++;
    return nghttp2_session_set_stream_user_data(session, s->id, s);
}

static int peer_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                       size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                       void *user)
{
    struct peer *p = user;
    struct peer_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    struct str n = str_make(name, name_len);
    struct str v = str_make(value, value_len);

    if (str_eq(n, STR("token")))
        s->token_was_literal = (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0;
    if (str_eq(n, STR(":authority")) && v.len < sizeof(p->authority)) {
        memcpy(p->authority, v.p, v.len);
        p->authority[v.len] = '\0';
    }
    for (size_t i = 0; i < COUNTOF(behaviors); i++)
        if (str_eq(n, STR(":path")) && str_eq(v, str_of(behaviors[i])))
            s->behavior = (enum behavior)i;
    return 0;
}

static int peer_chunk(nghttp2_session *session, uint8_t flags UNUSED, int32_t id,
                      const uint8_t *data, size_t len, void *user UNUSED)
{
    struct peer_stream *s = nghttp2_session_get_stream_user_data(session, id);

    if (s->behavior == EARLY)
        return 0; /* not consumed: the window closes */
    buf_put(&s->body, data, len);
    return nghttp2_session_consume(session, id, len);
}

static int peer_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct peer *p = user;
    struct peer_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        p->resets++;
        p->last_reset = frame->rst_stream.error_code;
    }
    if (frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
        p->pings++;
    if (s && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM || s->behavior == EARLY) &&
        (frame->hd.type == NGHTTP2_HEADERS ||
         (frame->hd.type == NGHTTP2_DATA && s->behavior != EARLY)))
        peer_answer(p, s);
    return 0;
}

static void peer_greet(struct peer *p)
{
    nghttp2_session_callbacks *cb;
    nghttp2_option *opt;

    nghttp2_session_callbacks_new(&cb);
    nghttp2_option_new(&opt);
    nghttp2_option_set_no_auto_window_update(opt, 1);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, peer_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, peer_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, peer_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, peer_frame);
    assert_int_equal(nghttp2_session_server_new2(&p->session, cb, p, opt), 0);
    assert_int_equal(nghttp2_submit_settings(p->session, 0, NULL, 0), 0);
    nghttp2_option_del(opt);
    nghttp2_session_callbacks_del(cb);
}

static void peer_send(struct peer *p)
{
    const uint8_t *data;
    ssize_t n;

    while (p->session) {
        while (p->out.len < 65536 && (n = nghttp2_session_mem_send(p->session, &data)) > 0)
            buf_put(&p->out, data, (size_t)n);
        if (p->out.len == 0)
            return;
        n = send(p->fd, p->out.data, p->out.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            peer_hang_up(p);
        else
            buf_consume(&p->out, (size_t)n);
    }
}

static void peer_pump(struct peer *p)
{
    uint8_t data[16384];
    ssize_t n;

    if (p->fd == -1) {
        int on = 1;

        p->fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (p->fd == -1)
            return;
        setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        p->accepted++;
        if (!p->mute)
            peer_greet(p);
        if (p->rude) {
            peer_hang_up(p);
            return;
        }
    }
    if (p->fd == -1)
        return;
    while (p->fd != -1 && (n = recv(p->fd, data, sizeof(data), 0)) >= 0) {
        if (n == 0) {
            peer_hang_up(p);
            return;
        }
        if (!p->mute && p->session)
            assert_int_equal(nghttp2_session_mem_recv(p->session, data, (size_t)n), n);
    }
    if (!p->mute)
        peer_send(p);
}

/* Until it listens, nobody can connect, and nobody else can take the port. */
static void peer_bind(struct peer *p)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);

    *p = (struct peer){.fd = -1};
    buf_init(&p->out, 1 << 20);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&a, &len), 0);
    p->port = ntohs(a.sin_port);
}

/* -- this side --------------------------------------------------------------------------------- */

struct ground {
    struct clock *clock;
    struct loop *loop;
    struct resolver *resolver;
    struct allow_list *allow;
    struct http2_client *client;
    struct arena *arena;
    struct peer peer;
    struct fail f;
};

struct tried {
    struct http2_request r;
    struct ground *g;
    struct buf body;
    unsigned heads;
    unsigned ends;
    enum http2_end how;
    struct fail why;
    bool keep;          /* takes no bytes back */
    struct tried *then; /* started in end() */
    bool cancel_in_data;
};

static void start(struct tried *t, const char *path, const char *body);

static void on_head(struct http2_request *r)
{
    CONTAINER_OF(r, struct tried, r)->heads++;
}

static void on_data(struct http2_request *r, struct str bytes)
{
    struct tried *t = CONTAINER_OF(r, struct tried, r);

    buf_put(&t->body, bytes.p, bytes.len);
    if (t->cancel_in_data)
        http2_request_cancel(r);
    else if (!t->keep)
        http2_request_take(r, bytes.len);
}

static void on_end(struct http2_request *r, enum http2_end how, const struct fail *why)
{
    struct tried *t = CONTAINER_OF(r, struct tried, r);

    t->ends++;
    t->how = how;
    if (why)
        t->why = *why;
    if (t->then)
        start(t->then, "/echo", "after");
}

static const struct http2_request_ops ops = {on_head, on_data, on_end};

/* Every name is this machine. */
static int look_up(const char *name UNUSED, const struct addrinfo *hints, struct addrinfo **out)
{
    struct addrinfo numeric = *hints;

    numeric.ai_flags = AI_NUMERICHOST;
    return getaddrinfo("127.0.0.1", NULL, &numeric, out);
}

static struct ground *ground_that_refuses(struct http2_client_options o)
{
    struct ground *g = heap_new_type(struct ground);
    struct resolver_options ro = {.look_up = look_up};

    g->clock = clock_new_manual(1700000000000000, 1000000000);
    ro.clock = g->clock;
    g->resolver = resolver_new(&ro);
    assert_int_equal(loop_new(g->clock, 0, &g->loop, &g->f), 0);
    g->allow = allow_list_new();
    assert_int_equal(allow_list_add(g->allow, STR("127.0.0.0/8"), &g->f), 0);
    g->arena = arena_new(4096);
    peer_bind(&g->peer);
    o.loop = g->loop;
    o.resolver = g->resolver;
    o.allow = g->allow;
    if (o.host.len == 0)
        o.host = STR("127.0.0.1");
    o.port = g->peer.port;
    g->client = http2_client_new(&o);
    return g;
}

static struct ground *ground_with(struct http2_client_options o)
{
    struct ground *g = ground_that_refuses(o);

    assert_int_equal(listen(g->peer.listener, 8), 0);
    return g;
}

static struct ground *ground_new(void)
{
    return ground_with((struct http2_client_options){.window_bytes = 0});
}

static void ground_free(struct ground *g)
{
    http2_client_free(&g->client);
    loop_turn(g->loop, 0);
    resolver_free(&g->resolver);
    loop_free(&g->loop);
    peer_hang_up(&g->peer);
    close(g->peer.listener);
    allow_list_free(&g->allow);
    arena_free(&g->arena);
    clock_free(&g->clock);
    free(g);
}

static void step(struct ground *g, int wait_ms)
{
    loop_turn(g->loop, wait_ms);
    peer_pump(&g->peer);
}

#define until(g, condition)                                                                        \
    do {                                                                                           \
        unsigned turns = 0;                                                                        \
        while (!(condition)) {                                                                     \
            step(g, 1);                                                                            \
            if (++turns == TURNS_MAX)                                                              \
                fail_msg("never so: %s", #condition);                                              \
        }                                                                                          \
    } while (0)

/* As long as anything moves: enough turns that nothing is left to happen. */
static void settle(struct ground *g)
{
    for (int i = 0; i < 200; i++)
        step(g, 0);
}

static void advance(struct ground *g, int64_t ms)
{
    clock_advance(g->clock, ms * 1000);
    settle(g);
}

static void prepare(struct tried *t, struct ground *g)
{
    *t = (struct tried){.g = g};
    buf_init_arena(&t->body, g->arena, 16 << 20);
}

static void start(struct tried *t, const char *path, const char *body)
{
    static const struct http_field fields[] = {{STR_INIT("token"), STR_INIT("secret")}};

    t->r.path = str_of(path);
    t->r.body = str_of(body);
    t->r.fields = fields;
    t->r.field_count = 1;
    t->r.arena = t->g->arena;
    t->r.ops = &ops;
    assert_int_equal(http2_client_start(t->g->client, &t->r, &t->g->f), 0);
}

static struct tried try_it(struct ground *g, const char *path, const char *body)
{
    struct tried *t = heap_new_type(struct tried);
    struct tried copy;

    prepare(t, g);
    start(t, path, body);
    until(g, t->ends > 0);
    copy = *t;
    free(t);
    return copy;
}

/* -- tests ------------------------------------------------------------------------------------- */

static void a_request_gets_its_answer_and_trailers(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct tried t = try_it(g, "/echo", "hello");

    assert_int_equal(t.how, HTTP2_END_WHOLE);
    assert_int_equal(t.r.status, 200);
    assert_true(str_eq(buf_str(&t.body), STR("hello")));
    assert_int_equal(t.r.answer_field_count, 2);
    assert_true(str_eq(t.r.answer_fields[1].value, STR("again")));
    assert_int_equal(t.r.answer_trailer_count, 1);
    assert_true(str_eq(t.r.answer_trailers[0].name, STR("sum")));
    assert_false(t.r.headers_only);
    assert_true(g->peer.streams->token_was_literal);
    ground_free(g);
}

static void the_connection_is_used_again(void **state UNUSED)
{
    struct ground *g = ground_new();
    char authority[64];

    for (int i = 0; i < 3; i++)
        assert_int_equal(try_it(g, "/echo", "x").how, HTTP2_END_WHOLE);
    assert_int_equal(g->peer.accepted, 1);
    assert_int_equal(http2_client_connections(g->client), 1);
    snprintf(authority, sizeof(authority), "127.0.0.1:%u", g->peer.port);
    assert_string_equal(g->peer.authority, authority);
    ground_free(g);
}

static void an_answer_of_headers_only_says_so(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct tried t = try_it(g, "/headers-only", "x");

    assert_int_equal(t.how, HTTP2_END_WHOLE);
    assert_true(t.r.headers_only);
    assert_int_equal(t.heads, 1);
    ground_free(g);
}

static void an_early_hint_is_not_the_answer(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct tried t = try_it(g, "/informed", "x");

    assert_int_equal(t.how, HTTP2_END_WHOLE);
    assert_int_equal(t.r.status, 200);
    assert_int_equal(t.heads, 1);
    assert_int_equal(t.r.answer_field_count, 2);
    assert_int_equal(t.r.answer_trailer_count, 1);
    ground_free(g);
}

static void a_slow_reader_stops_the_sender(void **state UNUSED)
{
    struct ground *g = ground_with((struct http2_client_options){.window_bytes = 100000});
    struct tried slow, fast;
    uint64_t before;

    prepare(&slow, g);
    slow.keep = true;
    start(&slow, "/endless", "");
    until(g, slow.body.len == 100000);
    settle(g);
    assert_int_equal(g->peer.endless_bytes, 100000);

    /* It holds back its own stream alone. */
    prepare(&fast, g);
    start(&fast, "/echo", "still here");
    until(g, fast.ends == 1);
    assert_int_equal(fast.how, HTTP2_END_WHOLE);

    before = g->peer.endless_bytes;
    http2_request_take(&slow.r, 60000);
    until(g, slow.body.len == 160000);
    settle(g);
    assert_int_equal(g->peer.endless_bytes, before + 60000);
    http2_request_cancel(&slow.r);
    ground_free(g);
}

static void a_large_body_passes_flow_control(void **state UNUSED)
{
    struct ground *g = ground_with((struct http2_client_options){.window_bytes = 100000});
    size_t len = 3000000;
    char *body = heap_alloc(len + 1);
    struct tried t;

    memset(body, 'b', len);
    body[len] = '\0';
    t = try_it(g, "/echo", body);
    assert_int_equal(t.how, HTTP2_END_WHOLE);
    assert_int_equal(t.body.len, len);
    free(body);
    ground_free(g);
}

static void a_whole_answer_ends_a_request_that_is_not_all_sent(void **state UNUSED)
{
    struct ground *g = ground_new();
    size_t len = 200000;
    char *body = heap_alloc(len + 1);
    struct tried t;

    memset(body, 'b', len);
    body[len] = '\0';
    t = try_it(g, "/early", body);
    assert_int_equal(t.how, HTTP2_END_WHOLE);
    assert_int_equal(t.r.status, 200);
    free(body);
    ground_free(g);
}

static void a_cancel_resets_the_stream_and_nothing_is_called_after(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct tried t;

    prepare(&t, g);
    start(&t, "/hold", "x");
    until(g, g->peer.requests == 1);
    http2_request_cancel(&t.r);
    until(g, g->peer.resets == 1);
    assert_int_equal(g->peer.last_reset, NGHTTP2_CANCEL);
    http2_request_cancel(&t.r);
    settle(g);
    assert_int_equal(t.ends, 0);
    ground_free(g);
}

static void a_cancel_before_the_connection_sends_nothing(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct tried a, b;

    prepare(&a, g);
    prepare(&b, g);
    start(&a, "/echo", "x");
    start(&b, "/echo", "y");
    http2_request_cancel(&a.r);
    until(g, b.ends == 1);
    assert_int_equal(g->peer.requests, 1);
    assert_int_equal(a.ends, 0);
    ground_free(g);
}

static void a_cancel_among_its_own_bytes_is_fine(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct tried t;

    prepare(&t, g);
    t.cancel_in_data = true;
    start(&t, "/endless", "x");
    until(g, g->peer.resets == 1);
    assert_int_equal(t.ends, 0);
    assert_int_equal(try_it(g, "/echo", "z").how, HTTP2_END_WHOLE);
    ground_free(g);
}

static void a_refused_stream_is_sent_once_more(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct tried t = try_it(g, "/refuse-once", "again");

    assert_int_equal(t.how, HTTP2_END_WHOLE);
    assert_true(str_eq(buf_str(&t.body), STR("again")));
    assert_int_equal(g->peer.requests, 2);
    ground_free(g);
}

static void a_reset_tells_its_code(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct tried t = try_it(g, "/broken", "x");

    assert_int_equal(t.how, HTTP2_END_RESET);
    assert_int_equal(t.r.reset_code, NGHTTP2_INTERNAL_ERROR);
    assert_true(str_eq(buf_str(&t.body), STR(ANSWER)));
    ground_free(g);
}

static void a_head_over_the_limit_is_refused(void **state UNUSED)
{
    struct ground *g = ground_with((struct http2_client_options){.head_max = 8000});
    struct tried t = try_it(g, "/huge-head", "x");

    assert_int_equal(t.how, HTTP2_END_TOO_LARGE);
    assert_int_equal(t.why.code, CODE_RESOURCE_EXHAUSTED);
    assert_int_equal(try_it(g, "/echo", "z").how, HTTP2_END_WHOLE);
    ground_free(g);
}

static void early_hints_do_not_come_without_end(void **state UNUSED)
{
    struct ground *g = ground_with((struct http2_client_options){.head_max = 8000});

    assert_int_equal(try_it(g, "/hints", "x").how, HTTP2_END_TOO_LARGE);
    assert_int_equal(try_it(g, "/echo", "z").how, HTTP2_END_WHOLE);
    ground_free(g);
}

static void a_lost_connection_ends_what_was_sent_and_a_new_one_is_made(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct tried t, after;

    prepare(&t, g);
    prepare(&after, g);
    t.then = &after;
    start(&t, "/hold", "x");
    until(g, g->peer.requests == 1);
    peer_hang_up(&g->peer);
    until(g, t.ends == 1);
    assert_int_equal(t.how, HTTP2_END_LOST);
    assert_int_equal(t.why.code, CODE_UNAVAILABLE);
    until(g, after.ends == 1);
    assert_int_equal(after.how, HTTP2_END_WHOLE);
    assert_int_equal(g->peer.accepted, 2);
    ground_free(g);
}

static void a_goodbye_lets_streams_end_and_moves_on(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct tried old, unseen;

    prepare(&old, g);
    prepare(&unseen, g);
    start(&old, "/hold", "x");
    until(g, g->peer.requests == 1);
    start(&unseen, "/hold", "y");
    until(g, g->peer.requests == 2);

    /* The second one counts as not looked at, so it goes to a new connection. */
    nghttp2_submit_goaway(g->peer.session, 0, old.r.id, NGHTTP2_NO_ERROR, NULL, 0);
    peer_pump(&g->peer);
    loop_turn(g->loop, 0);
    assert_int_equal(old.ends, 0);
    assert_int_equal(unseen.ends, 0);
    peer_hang_up(&g->peer);
    until(g, g->peer.accepted == 2 && g->peer.requests == 3);
    assert_int_equal(old.how, HTTP2_END_LOST);
    assert_int_equal(unseen.ends, 0);
    http2_request_cancel(&unseen.r);
    ground_free(g);
}

static void silence_is_asked_and_then_given_up(void **state UNUSED)
{
    struct ground *g = ground_with(
        (struct http2_client_options){.keepalive_ms = 1000, .keepalive_timeout_ms = 500});
    struct tried t;

    prepare(&t, g);
    start(&t, "/hold", "x");
    until(g, g->peer.requests == 1);
    settle(g);
    advance(g, 900);
    assert_int_equal(g->peer.pings, 0);
    advance(g, 200);
    until(g, g->peer.pings == 1);
    settle(g);
    advance(g, 900); /* it was answered, so it all begins anew */
    assert_int_equal(t.ends, 0);
    g->peer.mute = true;
    advance(g, 300);
    advance(g, 400);
    assert_int_equal(t.ends, 0);
    advance(g, 300);
    until(g, t.ends == 1);
    assert_int_equal(t.how, HTTP2_END_LOST);
    assert_string_equal(t.why.reason, "keepalive");
    ground_free(g);
}

static void no_ping_without_requests_and_an_idle_connection_is_closed(void **state UNUSED)
{
    struct ground *g =
        ground_with((struct http2_client_options){.keepalive_ms = 1000, .idle_ms = 5000});

    assert_int_equal(try_it(g, "/echo", "x").how, HTTP2_END_WHOLE);
    advance(g, 3000);
    advance(g, 1500);
    assert_int_equal(g->peer.pings, 0);
    assert_int_not_equal(g->peer.fd, -1);
    advance(g, 1000);
    until(g, g->peer.fd == -1);
    assert_int_equal(try_it(g, "/echo", "x").how, HTTP2_END_WHOLE);
    assert_int_equal(g->peer.accepted, 2);
    ground_free(g);
}

static void a_refused_connection_fails_and_is_tried_again_after_a_pause(void **state UNUSED)
{
    struct ground *g = ground_that_refuses((struct http2_client_options){.backoff_first_ms = 1000});
    struct tried t = try_it(g, "/echo", "x");
    struct tried patient;

    assert_int_equal(t.how, HTTP2_END_UNSENT);
    assert_string_equal(t.why.reason, "connect");

    /* During the pause there is no attempt. */
    prepare(&t, g);
    t.r = (struct http2_request){.path = STR("/echo"), .arena = g->arena, .ops = &ops};
    assert_int_equal(http2_client_start(g->client, &t.r, &g->f), -1);
    assert_int_equal(g->f.code, CODE_UNAVAILABLE);

    assert_int_equal(listen(g->peer.listener, 8), 0);
    prepare(&patient, g);
    patient.r.wait = true;
    start(&patient, "/echo", "patient");
    advance(g, 700);
    assert_int_equal(g->peer.accepted, 0);
    advance(g, 600);
    until(g, patient.ends == 1);
    assert_int_equal(patient.how, HTTP2_END_WHOLE);
    ground_free(g);
}

/* The pauses are 1, 1.6, 2.56 s and then 2.6 s, each within a fifth; a timer is up to 66 ms late.
 */
static void pauses_between_attempts_grow_up_to_a_limit(void **state UNUSED)
{
    static const int pauses_ms[] = {1000, 1600, 2560, 2600, 2600};
    struct ground *g = ground_with(
        (struct http2_client_options){.backoff_first_ms = 1000, .backoff_max_ms = 2600});
    struct tried patient;

    g->peer.rude = true;
    prepare(&patient, g);
    patient.r.wait = true;
    start(&patient, "/echo", "patient");
    for (unsigned i = 0; i < COUNTOF(pauses_ms); i++) {
        until(g, g->peer.accepted == i + 1 && g->peer.fd == -1);
        settle(g);
        advance(g, pauses_ms[i] * 8 / 10 - 5);
        assert_int_equal(g->peer.accepted, i + 1);
        advance(g, pauses_ms[i] * 4 / 10 + 80);
    }
    g->peer.rude = false;
    until(g, g->peer.accepted == COUNTOF(pauses_ms) + 1);
    settle(g);
    advance(g, 4000);
    until(g, patient.ends == 1);
    assert_int_equal(patient.how, HTTP2_END_WHOLE);
    ground_free(g);
}

static void a_mute_peer_is_given_up_in_time(void **state UNUSED)
{
    struct ground *g = ground_with((struct http2_client_options){.connect_timeout_ms = 2000});
    struct tried t;

    g->peer.mute = true;
    prepare(&t, g);
    start(&t, "/echo", "x");
    settle(g);
    advance(g, 1900);
    assert_int_equal(t.ends, 0);
    advance(g, 200);
    until(g, t.ends == 1);
    assert_int_equal(t.how, HTTP2_END_UNSENT);
    assert_string_equal(t.why.reason, "connect_timeout");
    ground_free(g);
}

static void an_http1_server_is_no_peer(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct tried t;
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";

    g->peer.mute = true;
    prepare(&t, g);
    start(&t, "/echo", "x");
    until(g, g->peer.fd != -1);
    assert_int_equal(send(g->peer.fd, answer, sizeof(answer) - 1, 0), sizeof(answer) - 1);
    until(g, t.ends == 1);
    assert_int_equal(t.how, HTTP2_END_UNSENT);
    assert_string_equal(t.why.reason, "bad_answer");
    ground_free(g);
}

static void an_address_off_the_list_is_not_connected_to(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct allow_list *other = allow_list_new();
    struct allow_list *none = allow_list_new();
    struct tried t, cut;

    assert_int_equal(try_it(g, "/echo", "x").how, HTTP2_END_WHOLE);
    prepare(&cut, g);
    start(&cut, "/hold", "x");
    until(g, g->peer.requests == 2);

    /* A kept connection does not outlive its permission. */
    assert_int_equal(allow_list_add(other, STR("10.0.0.0/8"), &g->f), 0);
    http2_client_set_allow(g->client, other);
    until(g, cut.ends == 1);
    assert_int_equal(cut.why.code, CODE_PERMISSION_DENIED);

    http2_client_set_allow(g->client, none);
    prepare(&t, g);
    t.r = (struct http2_request){.path = STR("/echo"), .arena = g->arena, .ops = &ops};
    assert_int_equal(http2_client_start(g->client, &t.r, &g->f), -1);
    assert_int_equal(g->f.code, CODE_PERMISSION_DENIED);
    assert_int_equal(g->peer.accepted, 1);
    http2_client_free(&g->client);
    allow_list_free(&other);
    allow_list_free(&none);
    ground_free(g);
}

static void a_name_is_connected_to_but_only_at_addresses_on_the_list(void **state UNUSED)
{
    struct ground *g = ground_with((struct http2_client_options){.host = STR("inside.test")});
    struct allow_list *other = allow_list_new();
    struct tried t;

    assert_int_equal(allow_list_add(other, STR("10.0.0.0/8"), &g->f), 0);
    assert_int_equal(try_it(g, "/echo", "x").how, HTTP2_END_WHOLE);
    http2_client_set_allow(g->client, other);
    settle(g);
    t = try_it(g, "/echo", "x");
    assert_int_equal(t.how, HTTP2_END_UNSENT);
    assert_int_equal(t.why.code, CODE_PERMISSION_DENIED);
    assert_int_equal(g->peer.accepted, 1);
    http2_client_free(&g->client);
    allow_list_free(&other);
    ground_free(g);
}

static void freeing_the_client_ends_its_requests(void **state UNUSED)
{
    struct ground *g = ground_new();
    struct tried sent, pending;

    prepare(&sent, g);
    prepare(&pending, g);
    start(&sent, "/hold", "x");
    until(g, g->peer.requests == 1);
    start(&pending, "/hold", "y");
    http2_client_free(&g->client);
    assert_int_equal(sent.ends, 1);
    assert_int_equal(sent.how, HTTP2_END_CLOSING);
    assert_int_equal(pending.ends, 1);
    assert_int_equal(pending.how, HTTP2_END_CLOSING);
    ground_free(g);
}

static void more_requests_than_streams_take_turns(void **state UNUSED)
{
    struct ground *g = ground_new();
    const nghttp2_settings_entry one[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1}};
    struct tried t[4];
    struct tried held;

    assert_int_equal(try_it(g, "/echo", "x").how, HTTP2_END_WHOLE);
    nghttp2_submit_settings(g->peer.session, 0, one, 1);
    settle(g);
    prepare(&held, g);
    start(&held, "/hold", "x");
    for (size_t i = 0; i < COUNTOF(t); i++) {
        prepare(&t[i], g);
        start(&t[i], "/echo", "queued");
    }
    settle(g);
    assert_int_equal(g->peer.requests, 2);
    http2_request_cancel(&t[0].r); /* was never sent */
    http2_request_cancel(&held.r);
    until(g, t[1].ends + t[2].ends + t[3].ends == 3);
    for (size_t i = 1; i < COUNTOF(t); i++)
        assert_int_equal(t[i].how, HTTP2_END_WHOLE);
    assert_int_equal(g->peer.requests, 5);
    assert_int_equal(t[0].ends, 0);
    ground_free(g);
}

static void what_was_not_sent_yet_outlives_its_connection(void **state UNUSED)
{
    struct ground *g = ground_new();
    const nghttp2_settings_entry one[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1}};
    struct tried held, queued;

    assert_int_equal(try_it(g, "/echo", "x").how, HTTP2_END_WHOLE);
    nghttp2_submit_settings(g->peer.session, 0, one, 1);
    settle(g);
    prepare(&held, g);
    start(&held, "/hold", "x");
    prepare(&queued, g);
    start(&queued, "/echo", "queued");
    settle(g);
    assert_int_equal(g->peer.requests, 2);
    peer_hang_up(&g->peer);
    until(g, queued.ends == 1);
    assert_int_equal(queued.how, HTTP2_END_WHOLE);
    assert_true(str_eq(buf_str(&queued.body), STR("queued")));
    assert_int_equal(held.how, HTTP2_END_LOST);
    assert_int_equal(g->peer.accepted, 2);
    ground_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_gets_its_answer_and_trailers),
        cmocka_unit_test(the_connection_is_used_again),
        cmocka_unit_test(an_answer_of_headers_only_says_so),
        cmocka_unit_test(an_early_hint_is_not_the_answer),
        cmocka_unit_test(a_slow_reader_stops_the_sender),
        cmocka_unit_test(a_large_body_passes_flow_control),
        cmocka_unit_test(a_whole_answer_ends_a_request_that_is_not_all_sent),
        cmocka_unit_test(a_cancel_resets_the_stream_and_nothing_is_called_after),
        cmocka_unit_test(a_cancel_before_the_connection_sends_nothing),
        cmocka_unit_test(a_cancel_among_its_own_bytes_is_fine),
        cmocka_unit_test(a_refused_stream_is_sent_once_more),
        cmocka_unit_test(a_reset_tells_its_code),
        cmocka_unit_test(a_head_over_the_limit_is_refused),
        cmocka_unit_test(early_hints_do_not_come_without_end),
        cmocka_unit_test(a_lost_connection_ends_what_was_sent_and_a_new_one_is_made),
        cmocka_unit_test(a_goodbye_lets_streams_end_and_moves_on),
        cmocka_unit_test(silence_is_asked_and_then_given_up),
        cmocka_unit_test(no_ping_without_requests_and_an_idle_connection_is_closed),
        cmocka_unit_test(a_refused_connection_fails_and_is_tried_again_after_a_pause),
        cmocka_unit_test(pauses_between_attempts_grow_up_to_a_limit),
        cmocka_unit_test(a_mute_peer_is_given_up_in_time),
        cmocka_unit_test(an_http1_server_is_no_peer),
        cmocka_unit_test(an_address_off_the_list_is_not_connected_to),
        cmocka_unit_test(a_name_is_connected_to_but_only_at_addresses_on_the_list),
        cmocka_unit_test(freeing_the_client_ends_its_requests),
        cmocka_unit_test(more_requests_than_streams_take_turns),
        cmocka_unit_test(what_was_not_sent_yet_outlives_its_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
