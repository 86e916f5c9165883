/* SPDX-License-Identifier: Apache-2.0 */
/* Against a small server on the loopback that answers by path, in one thread of its own. Nothing
 * here depends on timing: a path either answers at once or never. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/heap.h"
#include "net/http_client.h"

#define CONNS      32
#define BOMB_BYTES (8u << 20)

/* -- the server -------------------------------------------------------------------------------- */

struct conn {
    int fd;
    size_t len;
    char in[16384];
};

struct server {
    pthread_t thread;
    int listener;
    int stop;
    uint16_t port;
    unsigned accepted; /* server's thread until it was joined */
    unsigned requests;
    struct conn conns[CONNS];
};

/* False when the peer is gone. */
static bool send_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool send_text(int fd, const char *text)
{
    return send_all(fd, text, strlen(text));
}

static bool send_gzip(int fd, size_t zeros)
{
    size_t room = zeros / 100 + 4096;
    uint8_t *in = heap_calloc(1, zeros);
    uint8_t *out = heap_alloc(room);
    z_stream z = {.next_in = in, .avail_in = (uInt)zeros, .next_out = out, .avail_out = (uInt)room};
    char head[128];
    bool sent;

    if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK ||
        deflate(&z, Z_FINISH) != Z_STREAM_END)
        abort();
    deflateEnd(&z);
    snprintf(head, sizeof(head),
             "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %lu\r\n\r\n",
             z.total_out);
    sent = send_text(fd, head) && send_all(fd, out, z.total_out);
    free(in);
    free(out);
    return sent;
}

static bool send_endless(int fd)
{
    static const char chunk[] = "400\r\n";
    char block[1024 + 2];

    memset(block, 'x', 1024);
    block[1024] = '\r';
    block[1025] = '\n';
    send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (send_text(fd, chunk) && send_all(fd, block, sizeof(block)))
        continue;
    return false;
}

static bool send_long_head(int fd)
{
    send_text(fd, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 2000; i++)
        if (!send_text(fd, "X-Padding: 0123456789012345678901234567890123456789\r\n"))
            return false;
    return send_text(fd, "Content-Length: 0\r\n\r\n");
}

static bool send_echo(int fd, const char *in, size_t len)
{
    char head[128];

    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    return send_text(fd, head) && send_all(fd, in, len);
}

/* What each path says; a NULL answer ends the connection. */
static const struct {
    const char *path;
    const char *answer;
    bool close;
} answers[] = {
    {"/ok", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Word:  Yes \r\nx-word: no\r\n\r\nhello",
     false},
    {"/not-found", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope", false},
    {"/early", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\nA: b\r\n\r\n",
     false},
    {"/announced", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", false},
    {"/redirect", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 2\r\n\r\nno", false},
    {"/around", "HTTP/1.1 302 Found\r\nLocation: /around\r\nContent-Length: 0\r\n\r\n", false},
    {"/away", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:1/\r\nContent-Length: 0\r\n\r\n",
     false},
    {"/trailers",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nStatus: 7\r\n\r\n",
     false},
    {"/folded", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n", false},
    {"/half", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", true},
    {"/garbage", "SSH-2.0-muster\r\n", true},
    {"/drop", "", true},
    {"/head", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", false},
    {"/never", NULL, false},
};

/* False: the connection is to be closed. */
static bool respond(const struct conn *c, size_t request_len)
{
    char path[128] = "";
    const char *from = memchr(c->in, ' ', request_len);
    const char *to = from ? strpbrk(from + 1, " ?") : NULL;

    if (!to || (size_t)(to - from) > sizeof(path))
        return false;
    memcpy(path, from + 1, (size_t)(to - from - 1));
    for (size_t i = 0; i < COUNTOF(answers); i++) {
        if (strcmp(answers[i].path, path) != 0)
            continue;
        if (!answers[i].answer)
            return true;
        return send_text(c->fd, answers[i].answer) && !answers[i].close;
    }
    if (strcmp(path, "/gzip") == 0)
        return send_gzip(c->fd, 1000);
    if (strcmp(path, "/bomb") == 0)
        return send_gzip(c->fd, BOMB_BYTES);
    if (strcmp(path, "/endless") == 0)
        return send_endless(c->fd);
    if (strcmp(path, "/long-head") == 0)
        return send_long_head(c->fd);
    return send_echo(c->fd, c->in, request_len);
}

static void conn_close(struct conn *c)
{
    close(c->fd);
    c->fd = -1;
    c->len = 0;
}

/* Length of the first complete request in the buffer; 0 when there is none. */
static size_t request_length(struct conn *c)
{
    const char *end;
    const char *announced;
    size_t len;

    c->in[c->len] = '\0';
    end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return 0;
    len = (size_t)(end - c->in) + 4;
    announced = strcasestr(c->in, "\r\ncontent-length: ");
    if (announced && announced < end)
        len += strtoul(announced + 18, NULL, 10);
    return len <= c->len ? len : 0;
}

static void conn_read(struct server *s, struct conn *c)
{
    ssize_t n = recv(c->fd, c->in + c->len, sizeof(c->in) - 1 - c->len, 0);
    size_t len;

    if (n <= 0) {
        conn_close(c);
        return;
    }
    c->len += (size_t)n;
    while (c->fd >= 0 && (len = request_length(c)) > 0) {
        s->requests++;
        if (!respond(c, len)) {
            conn_close(c);
            return;
        }
        memmove(c->in, c->in + len, c->len - len);
        c->len -= len;
    }
}

static void server_accept(struct server *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);

    for (int i = 0; fd >= 0 && i < CONNS; i++) {
        if (s->conns[i].fd < 0) {
            s->conns[i].fd = fd;
            s->accepted++;
            return;
        }
    }
    if (fd >= 0)
        close(fd);
}

static void *server_run(void *arg)
{
    struct server *s = arg;
    struct pollfd fds[CONNS + 2];

    for (;;) {
        fds[0] = (struct pollfd){.fd = s->stop, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = s->listener, .events = POLLIN};
        for (int i = 0; i < CONNS; i++)
            fds[i + 2] = (struct pollfd){.fd = s->conns[i].fd, .events = POLLIN};
        if (poll(fds, CONNS + 2, -1) < 0)
            continue;
        if (fds[0].revents)
            break;
        for (int i = 0; i < CONNS; i++)
            if (fds[i + 2].revents)
                conn_read(s, &s->conns[i]);
        if (fds[1].revents)
            server_accept(s);
    }
    for (int i = 0; i < CONNS; i++)
        if (s->conns[i].fd >= 0)
            conn_close(&s->conns[i]);
    return NULL;
}

/* Nobody listens there yet, and nobody else can. */
static int bind_to_loopback(uint16_t *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)(void *)&in, sizeof(in)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&in, &len), 0);
    *port = ntohs(in.sin_port);
    return fd;
}

/* -- the tests' ground ------------------------------------------------------------------------- */

struct ground {
    struct server server;
    bool server_stopped;
    struct clock *clock;
    struct metrics *metrics;
    struct http_client *client;
    struct arena *arena;
};

static void server_stop(struct ground *g)
{
    uint64_t one = 1;

    if (g->server_stopped)
        return;
    g->server_stopped = true;
    assert_int_equal(write(g->server.stop, &one, sizeof(one)), sizeof(one));
    pthread_join(g->server.thread, NULL);
    close(g->server.listener);
    close(g->server.stop);
}

static struct allow_list *allow(const char *entry)
{
    struct allow_list *l = allow_list_new();
    struct fail f;

    if (entry)
        assert_int_equal(allow_list_add(l, str_of(entry), &f), 0);
    return l;
}

static int ground_set_up(void **state)
{
    struct ground *g = heap_new_type(struct ground);
    struct http_client_options o = {.pending_max = 8};
    struct allow_list *l = allow("127.0.0.0/8");
    struct fail f;

    g->server.listener = bind_to_loopback(&g->server.port);
    assert_int_equal(listen(g->server.listener, 64), 0);
    g->server.stop = eventfd(0, EFD_CLOEXEC);
    for (int i = 0; i < CONNS; i++)
        g->server.conns[i].fd = -1;
    assert_int_equal(pthread_create(&g->server.thread, NULL, server_run, &g->server), 0);
    g->clock = clock_new_real();
    g->metrics = metrics_new();
    g->arena = arena_new(4096);
    o.clock = g->clock;
    o.metrics = g->metrics;
    assert_int_equal(http_client_new(&o, &l, &g->client, &f), 0);
    assert_null(l);
    *state = g;
    return 0;
}

static int ground_tear_down(void **state)
{
    struct ground *g = *state;

    http_client_free(&g->client);
    server_stop(g);
    arena_free(&g->arena);
    metrics_free(&g->metrics);
    clock_free(&g->clock);
    free(g);
    return 0;
}

static struct http_fetch fetch_of(struct ground *g, const char *path)
{
    struct str url = arena_printf(g->arena, "http://127.0.0.1:%u%s", g->server.port, path);

    return (struct http_fetch){.arena = g->arena, .url = url};
}

static void fetch_ok(struct ground *g, struct http_fetch *x)
{
    struct fail f;

    if (http_client_fetch(g->client, x, &f) < 0)
        fail_msg("%s: %s (%s)", f.reason, f.message, f.detail);
}

static void fetch_fails(struct ground *g, struct http_fetch *x, enum code code, const char *reason)
{
    struct fail f;

    if (http_client_fetch(g->client, x, &f) == 0)
        fail_msg("%.*s answered %d", STR_ARG(x->url), x->status);
    if (f.code != code || strcmp(f.reason, reason) != 0)
        fail_msg("%.*s: %s, %s: %s", STR_ARG(x->url), code_name(f.code), f.reason, f.detail);
}

static void assert_str(struct str s, const char *expected)
{
    if (!str_eq(s, str_of(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), expected);
}

static bool holds(struct str s, const char *part)
{
    return memmem(s.p, s.len, part, strlen(part)) != NULL;
}

/* One thread waits for what the client's thread gives back. */
struct basket {
    pthread_mutex_t lock; /* guards count */
    pthread_cond_t changed;
    unsigned count;
};

#define BASKET_INIT                                                                                \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0                                     \
    }

static void into_basket(struct http_fetch *x)
{
    struct basket *b = x->user;

    pthread_mutex_lock(&b->lock);
    b->count++;
    pthread_cond_signal(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

static void basket_wait(struct basket *b, unsigned count)
{
    pthread_mutex_lock(&b->lock);
    while (b->count < count)
        pthread_cond_wait(&b->changed, &b->lock);
    pthread_mutex_unlock(&b->lock);
}

/* -- answers ----------------------------------------------------------------------------------- */

static void an_answer_comes_with_status_fields_and_body(void **state)
{
    struct ground *g = *state;
    struct http_fetch x = fetch_of(g, "/ok");

    fetch_ok(g, &x);
    assert_int_equal(x.status, 200);
    assert_str(x.answer, "hello");
    assert_int_equal(x.answer_field_count, 3);
    assert_str(x.answer_fields[0].name, "content-length");
    assert_str(x.answer_fields[1].name, "x-word");
    assert_str(x.answer_fields[1].value, "Yes");
    assert_str(x.answer_fields[2].value, "no");
    assert_true(x.took_us > 0);
}

static void an_error_status_is_an_answer(void **state)
{
    struct ground *g = *state;
    struct http_fetch x = fetch_of(g, "/not-found");

    fetch_ok(g, &x);
    assert_int_equal(x.status, 404);
    assert_str(x.answer, "nope");
}

static void an_interim_answer_leaves_no_trace(void **state)
{
    struct ground *g = *state;
    struct http_fetch x = fetch_of(g, "/early");

    fetch_ok(g, &x);
    assert_int_equal(x.status, 204);
    assert_int_equal(x.answer_field_count, 1);
    assert_str(x.answer_fields[0].name, "a");
}

static void trailers_are_kept_apart(void **state)
{
    struct ground *g = *state;
    struct http_fetch x = fetch_of(g, "/trailers");

    fetch_ok(g, &x);
    assert_str(x.answer, "ok");
    assert_int_equal(x.answer_field_count, 1);
    assert_int_equal(x.answer_trailer_count, 1);
    assert_str(x.answer_trailers[0].name, "status");
    assert_str(x.answer_trailers[0].value, "7");
}

static void the_request_is_sent_as_it_was_given(void **state)
{
    struct ground *g = *state;
    const struct http_field fields[] = {
        {STR("content-type"), STR("application/json")},
        {STR("x-empty"), STR("")},
        {STR("authorization"), STR("Bearer t")},
    };
    struct http_fetch x = fetch_of(g, "/echo?a=b%20c");

    x.method = HTTP_PUT;
    x.fields = fields;
    x.field_count = COUNTOF(fields);
    x.body = str_make("a\0b", 3);
    fetch_ok(g, &x);
    assert_true(str_starts_with(x.answer, STR("PUT /echo?a=b%20c HTTP/1.1\r\n")));
    assert_true(holds(x.answer, "\r\ncontent-type: application/json\r\n"));
    assert_true(holds(x.answer, "\r\nx-empty:\r\n"));
    assert_true(holds(x.answer, "\r\nauthorization: Bearer t\r\n"));
    assert_true(holds(x.answer, "\r\nContent-Length: 3\r\n"));
    assert_true(holds(x.answer, "\r\nAccept-Encoding: gzip\r\n"));
    assert_true(holds(x.answer, "\r\nUser-Agent: muster/"));
    assert_false(holds(x.answer, "Expect"));
    assert_true(str_ends_with(x.answer, str_make("\r\n\r\na\0b", 7)));
}

static void each_method_is_sent_with_and_without_a_body(void **state)
{
    struct ground *g = *state;
    static const struct {
        enum http_method method;
        const char *body;
        const char *line;
        bool announced;
    } cases[] = {
        {HTTP_GET, "", "GET /echo ", false},       {HTTP_POST, "", "POST /echo ", true},
        {HTTP_POST, "x", "POST /echo ", true},     {HTTP_PUT, "", "PUT /echo ", true},
        {HTTP_PATCH, "x", "PATCH /echo ", true},   {HTTP_DELETE, "", "DELETE /echo ", false},
        {HTTP_DELETE, "x", "DELETE /echo ", true}, {HTTP_OPTIONS, "", "OPTIONS /echo ", false},
    };

    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct http_fetch x = fetch_of(g, "/echo");

        x.method = cases[i].method;
        x.body = str_of(cases[i].body);
        fetch_ok(g, &x);
        assert_true(str_starts_with(x.answer, str_of(cases[i].line)));
        assert_true(holds(x.answer, "Content-Length: ") == cases[i].announced);
        assert_false(holds(x.answer, "x-www-form-urlencoded"));
        assert_true(str_ends_with(x.answer, arena_printf(g->arena, "\r\n\r\n%s", cases[i].body)));
    }
}

static void head_takes_no_body_however_long_it_would_be(void **state)
{
    struct ground *g = *state;
    struct http_fetch x = fetch_of(g, "/head");

    x.method = HTTP_HEAD;
    fetch_ok(g, &x);
    assert_int_equal(x.status, 200);
    assert_int_equal(x.answer.len, 0);
}

static void a_connection_is_used_again(void **state)
{
    struct ground *g = *state;

    for (int i = 0; i < 5; i++) {
        struct http_fetch x = fetch_of(g, "/ok");

        fetch_ok(g, &x);
    }
    server_stop(g);
    assert_int_equal(g->server.requests, 5);
    assert_int_equal(g->server.accepted, 1);
}

static void gzip_is_inflated(void **state)
{
    struct ground *g = *state;
    struct http_fetch x = fetch_of(g, "/gzip");

    fetch_ok(g, &x);
    assert_int_equal(x.answer.len, 1000);
    assert_int_equal(x.answer.p[999], 0);
}

/* -- bounds ------------------------------------------------------------------------------------ */

static void an_answer_over_the_ceiling_fails(void **state)
{
    struct ground *g = *state;
    static const char *const paths[] = {"/announced", "/endless", "/bomb"};

    for (size_t i = 0; i < COUNTOF(paths); i++) {
        struct http_fetch x = fetch_of(g, paths[i]);

        x.answer_max = 100000;
        fetch_fails(g, &x, CODE_RESOURCE_EXHAUSTED, "answer_too_large");
        assert_int_equal(x.answer.len, 0);
    }
}

static void an_answer_as_long_as_the_ceiling_is_taken(void **state)
{
    struct ground *g = *state;
    struct http_fetch x = fetch_of(g, "/ok");

    x.answer_max = 5;
    fetch_ok(g, &x);
    assert_str(x.answer, "hello");
    x = fetch_of(g, "/ok");
    x.answer_max = 4;
    fetch_fails(g, &x, CODE_RESOURCE_EXHAUSTED, "answer_too_large");
}

static void a_long_head_fails(void **state)
{
    struct ground *g = *state;
    struct http_fetch x = fetch_of(g, "/long-head");

    fetch_fails(g, &x, CODE_RESOURCE_EXHAUSTED, "head_too_large");
}

static void more_fetches_than_allowed_are_refused_at_once(void **state)
{
    struct ground *g = *state;
    struct basket b = BASKET_INIT;
    struct http_fetch x[9];
    struct fail f;

    for (unsigned i = 0; i < 9; i++) {
        x[i] = fetch_of(g, "/never");
        x[i].done = into_basket;
        x[i].user = &b;
        if (i < 8)
            assert_int_equal(http_client_submit(g->client, &x[i], &f), 0);
    }
    assert_int_equal(http_client_submit(g->client, &x[8], &f), -1);
    assert_int_equal(f.code, CODE_RESOURCE_EXHAUSTED);
    assert_string_equal(f.reason, "too_many_fetches");
    for (unsigned i = 0; i < 8; i++)
        http_client_cancel(g->client, &x[i]);
    basket_wait(&b, 8);
    assert_int_equal(http_client_submit(g->client, &x[8], &f), 0);
    http_client_cancel(g->client, &x[8]);
    basket_wait(&b, 9);
}

/* -- failures ---------------------------------------------------------------------------------- */

static void a_server_that_never_answers_times_out(void **state)
{
    struct ground *g = *state;
    struct http_fetch x = fetch_of(g, "/never");

    x.timeout_ms = 20;
    fetch_fails(g, &x, CODE_DEADLINE_EXCEEDED, "timeout");
    x = fetch_of(g, "/never");
    x.deadline_us = clock_mono_us(g->clock) + 20000;
    fetch_fails(g, &x, CODE_DEADLINE_EXCEEDED, "timeout");
}

static void a_deadline_in_the_past_never_reaches_the_server(void **state)
{
    struct ground *g = *state;
    struct http_fetch x = fetch_of(g, "/ok");

    x.deadline_us = 1;
    fetch_fails(g, &x, CODE_DEADLINE_EXCEEDED, "timeout");
    server_stop(g);
    assert_int_equal(g->server.requests, 0);
}

static void a_closed_port_is_unavailable(void **state)
{
    struct ground *g = *state;
    uint16_t port;
    int closed = bind_to_loopback(&port);
    struct http_fetch x = {.arena = g->arena};

    x.url = arena_printf(g->arena, "http://127.0.0.1:%u/ok", port);
    fetch_fails(g, &x, CODE_UNAVAILABLE, "connect");
    close(closed);
}

static void a_broken_answer_is_unavailable(void **state)
{
    struct ground *g = *state;
    static const struct {
        const char *path;
        const char *reason;
    } cases[] = {
        {"/half", "broken"},
        {"/drop", "broken"},
        {"/garbage", "bad_answer"},
        {"/folded", "bad_answer"},
    };

    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct http_fetch x = fetch_of(g, cases[i].path);

        fetch_fails(g, &x, CODE_UNAVAILABLE, cases[i].reason);
    }
}

static void a_request_that_cannot_be_made_is_refused(void **state)
{
    struct ground *g = *state;
    static const char *const urls[] = {
        "",
        "127.0.0.1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://",
        "http:///x",
        "http://user:secret@127.0.0.1/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1:x/",
        "http://[fe80::1%25eth0]/",
        "http://ex%61mple.com/",
        "http://ex\xc3\xa4mple.com/",
        "http://a b/",
        "http://a/\r\nX: y",
        "http://a\\@b/",
    };

    for (size_t i = 0; i < COUNTOF(urls); i++) {
        struct http_fetch x = {.arena = g->arena, .url = str_of(urls[i])};

        fetch_fails(g, &x, CODE_INVALID_ARGUMENT, "bad_url");
    }
}

static void a_field_that_could_smuggle_is_refused(void **state)
{
    struct ground *g = *state;
    static const struct http_field fields[] = {
        {STR_INIT("a\r\nb"), STR_INIT("c")}, {STR_INIT("a"), STR_INIT("b\r\nc: d")},
        {STR_INIT("a"), STR_INIT("b\nc")},   {STR_INIT("a"), STR_INIT("b\0c")},
        {STR_INIT(""), STR_INIT("c")},       {STR_INIT("a b"), STR_INIT("c")},
        {STR_INIT("Host"), STR_INIT("x")},   {STR_INIT("content-length"), STR_INIT("1")},
        {STR_INIT("te"), STR_INIT("x")},     {STR_INIT("Transfer-Encoding"), STR_INIT("chunked")},
    };

    for (size_t i = 0; i < COUNTOF(fields); i++) {
        struct http_fetch x = fetch_of(g, "/ok");

        x.fields = &fields[i];
        x.field_count = 1;
        fetch_fails(g, &x, CODE_INVALID_ARGUMENT, "bad_request");
    }

    struct http_fetch with_body = fetch_of(g, "/ok");

    with_body.body = STR("x");
    fetch_fails(g, &with_body, CODE_INVALID_ARGUMENT, "bad_request");
}

/* -- redirects --------------------------------------------------------------------------------- */

static void a_redirect_is_an_answer_unless_asked_for(void **state)
{
    struct ground *g = *state;
    struct http_fetch x = fetch_of(g, "/redirect");

    fetch_ok(g, &x);
    assert_int_equal(x.status, 302);
    assert_str(x.answer, "no");
    x = fetch_of(g, "/redirect");
    x.redirects_max = 1;
    fetch_ok(g, &x);
    assert_int_equal(x.status, 200);
    assert_str(x.answer, "hello");
    assert_int_equal(x.answer_field_count, 3);
}

static void redirects_are_counted(void **state)
{
    struct ground *g = *state;
    struct http_fetch x = fetch_of(g, "/around");

    x.redirects_max = 3;
    fetch_ok(g, &x);
    assert_int_equal(x.status, 302);
    server_stop(g);
    assert_int_equal(g->server.requests, 4);
}

static void a_redirect_never_leaves_the_origin_or_follows_a_write(void **state)
{
    struct ground *g = *state;
    struct http_fetch x = fetch_of(g, "/away");

    x.redirects_max = 3;
    fetch_ok(g, &x);
    assert_int_equal(x.status, 302);
    x = fetch_of(g, "/redirect");
    x.method = HTTP_POST;
    x.redirects_max = 3;
    fetch_ok(g, &x);
    assert_int_equal(x.status, 302);
}

/* -- the allow-list ---------------------------------------------------------------------------- */

static void an_address_that_is_not_listed_is_never_connected_to(void **state)
{
    struct ground *g = *state;
    struct allow_list *l = allow("10.0.0.0/8");
    struct http_fetch x = fetch_of(g, "/ok");

    http_client_set_allow(g->client, &l);
    assert_null(l);
    fetch_fails(g, &x, CODE_PERMISSION_DENIED, "address_not_allowed");

    /* A name that may resolve into the list, but does not. */
    x.url = arena_printf(g->arena, "http://localhost:%u/ok", g->server.port);
    fetch_fails(g, &x, CODE_PERMISSION_DENIED, "address_not_allowed");

    /* Numbers that libcurl reads as an address. */
    x.url = arena_printf(g->arena, "http://2130706433:%u/ok", g->server.port);
    fetch_fails(g, &x, CODE_PERMISSION_DENIED, "address_not_allowed");
    server_stop(g);
    assert_int_equal(g->server.accepted, 0);
}

static void a_listed_name_is_connected_to(void **state)
{
    struct ground *g = *state;
    struct allow_list *l = allow("localhost");
    struct http_fetch x = fetch_of(g, "/ok");

    http_client_set_allow(g->client, &l);
    fetch_fails(g, &x, CODE_PERMISSION_DENIED, "address_not_allowed");
    x.url = arena_printf(g->arena, "http://localhost:%u/ok", g->server.port);
    fetch_ok(g, &x);
    assert_str(x.answer, "hello");
}

static void a_kept_connection_is_held_against_the_new_list(void **state)
{
    struct ground *g = *state;
    struct allow_list *l = allow("127.0.0.0/8");
    struct http_fetch x;

    x = (struct http_fetch){.arena = g->arena};
    x.url = arena_printf(g->arena, "http://localhost:%u/ok", g->server.port);
    fetch_ok(g, &x);

    /* Not ruled out early: the name might resolve into the new list. */
    allow_list_free(&l);
    l = allow("127.0.0.2");
    http_client_set_allow(g->client, &l);
    x.url = arena_printf(g->arena, "http://localhost:%u/ok", g->server.port);
    fetch_fails(g, &x, CODE_PERMISSION_DENIED, "address_not_allowed");
    server_stop(g);
    assert_int_equal(g->server.requests, 1);
}

/* -- threads ----------------------------------------------------------------------------------- */

static void a_cancel_ends_a_fetch_that_would_never_end(void **state)
{
    struct ground *g = *state;
    struct basket b = BASKET_INIT;
    struct http_fetch x = fetch_of(g, "/never");
    struct fail f;

    x.done = into_basket;
    x.user = &b;
    assert_int_equal(http_client_submit(g->client, &x, &f), 0);
    http_client_cancel(g->client, &x);
    basket_wait(&b, 1);
    assert_int_equal(x.result, -1);
    assert_int_equal(x.fail.code, CODE_CANCELED);
    assert_string_equal(x.fail.reason, "canceled");
    http_client_cancel(g->client, &x); /* too late: nothing happens */
    assert_int_equal(b.count, 1);
}

static void closing_the_client_gives_every_fetch_back(void **state)
{
    struct ground *g = *state;
    struct basket b = BASKET_INIT;
    struct http_fetch x[4];
    struct fail f;

    for (unsigned i = 0; i < COUNTOF(x); i++) {
        x[i] = fetch_of(g, "/never");
        x[i].done = into_basket;
        x[i].user = &b;
        assert_int_equal(http_client_submit(g->client, &x[i], &f), 0);
    }
    http_client_free(&g->client);
    assert_int_equal(b.count, COUNTOF(x));
    for (unsigned i = 0; i < COUNTOF(x); i++)
        assert_string_equal(x[i].fail.reason, "closing");
}

static void stop_the_loop(struct http_fetch *x)
{
    assert_true(loop_is_here(x->loop));
    loop_stop(x->loop);
}

static void an_answer_comes_home_to_a_loop(void **state)
{
    struct ground *g = *state;
    struct http_fetch x = fetch_of(g, "/ok");
    struct fail f;

    assert_int_equal(loop_new(g->clock, 0, &x.loop, &f), 0);
    x.done = stop_the_loop;
    assert_int_equal(http_client_submit(g->client, &x, &f), 0);
    loop_run(x.loop);
    assert_int_equal(x.result, 0);
    assert_str(x.answer, "hello");
    loop_free(&x.loop);
}

static void *fetch_many(void *arg)
{
    struct ground *g = arg;
    struct arena *a = arena_new(4096);
    uintptr_t good = 0;

    for (int i = 0; i < 50; i++) {
        struct http_fetch x = {.arena = a};
        struct fail f;

        x.url = arena_printf(a, "http://127.0.0.1:%u/ok", g->server.port);
        good += http_client_fetch(g->client, &x, &f) == 0 && str_eq(x.answer, STR("hello"));
        arena_reset(a);
    }
    arena_free(&a);
    return (void *)good;
}

static void threads_fetch_side_by_side(void **state)
{
    struct ground *g = *state;
    pthread_t threads[4];

    for (unsigned i = 0; i < COUNTOF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fetch_many, g), 0);
    for (unsigned i = 0; i < COUNTOF(threads); i++) {
        void *good;

        pthread_join(threads[i], &good);
        assert_int_equal((uintptr_t)good, 50);
    }
}

static void outcomes_are_counted(void **state)
{
    struct ground *g = *state;
    struct http_fetch x = fetch_of(g, "/ok");
    struct buf out;

    fetch_ok(g, &x);
    x = fetch_of(g, "/never");
    x.timeout_ms = 1;
    fetch_fails(g, &x, CODE_DEADLINE_EXCEEDED, "timeout");
    buf_init(&out, 1 << 20);
    metrics_render(g->metrics, &out);
    assert_true(holds(buf_str(&out), "muster_outbound_requests_total{result=\"answered\"} 1\n"));
    assert_true(holds(buf_str(&out), "muster_outbound_requests_total{result=\"timeout\"} 1\n"));
    assert_true(holds(buf_str(&out), "muster_outbound_seconds_count 2\n"));
    assert_true(holds(buf_str(&out), "muster_outbound_in_flight 0\n"));
    buf_done(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ground_set_up, ground_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_comes_with_status_fields_and_body),
        TEST(an_error_status_is_an_answer),
        TEST(an_interim_answer_leaves_no_trace),
        TEST(trailers_are_kept_apart),
        TEST(the_request_is_sent_as_it_was_given),
        TEST(each_method_is_sent_with_and_without_a_body),
        TEST(head_takes_no_body_however_long_it_would_be),
        TEST(a_connection_is_used_again),
        TEST(gzip_is_inflated),
        TEST(an_answer_over_the_ceiling_fails),
        TEST(an_answer_as_long_as_the_ceiling_is_taken),
        TEST(a_long_head_fails),
        TEST(more_fetches_than_allowed_are_refused_at_once),
        TEST(a_server_that_never_answers_times_out),
        TEST(a_deadline_in_the_past_never_reaches_the_server),
        TEST(a_closed_port_is_unavailable),
        TEST(a_broken_answer_is_unavailable),
        TEST(a_request_that_cannot_be_made_is_refused),
        TEST(a_field_that_could_smuggle_is_refused),
        TEST(a_redirect_is_an_answer_unless_asked_for),
        TEST(redirects_are_counted),
        TEST(a_redirect_never_leaves_the_origin_or_follows_a_write),
        TEST(an_address_that_is_not_listed_is_never_connected_to),
        TEST(a_listed_name_is_connected_to),
        TEST(a_kept_connection_is_held_against_the_new_list),
        TEST(a_cancel_ends_a_fetch_that_would_never_end),
        TEST(closing_the_client_gives_every_fetch_back),
        TEST(an_answer_comes_home_to_a_loop),
        TEST(threads_fetch_side_by_side),
        TEST(outcomes_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
