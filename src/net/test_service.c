/* SPDX-License-Identifier: Apache-2.0 */
/* The service that the server's tests talk to. */
#include "net/test_service.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/queue.h"

struct held {
    struct queue_node node;
    struct http_x *x;
};

struct test_service {
    struct http_service http;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    unsigned counts[TEST_EVENT_COUNT];
    struct held *first;
    struct held **last;
    unsigned released;
};

/* The service's state of one request: a source, among others. */
struct job {
    struct http_source source;
    struct http_x *x;
    uint64_t left;
    uint64_t pulled;
    bool pipe;
    bool breaks;
    bool waiting;
};

static struct test_service *service_of(const struct http_x *x)
{
    return x->service->ctx;
}

static void note(struct test_service *s, enum test_event e)
{
    pthread_mutex_lock(&s->mutex);
    s->counts[e]++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static void answer(struct http_x *x, int status, struct str body)
{
    x->resp.status = status;
    x->resp.body = body;
    http_resp_add(x, STR("content-type"), STR("text/plain"));
    http_answer(x);
}

static ptrdiff_t read_source(struct http_source *source, uint8_t *out, size_t cap)
{
    struct job *j = CONTAINER_OF(source, struct job, source);

    if (j->pipe) {
        ptrdiff_t n = http_read(j->x, out, cap);

        j->waiting = n == HTTP_AGAIN;
        return n;
    }
    if (j->left == 0)
        return j->breaks ? HTTP_BROKEN : 0;

    size_t n = MIN(cap, j->left);

    memset(out, 'x', n);
    j->left -= n;
    if (j->left == 0 && !j->breaks)
        http_resp_trailer(j->x, STR("count"), STR("all"));
    return (ptrdiff_t)n;
}

static const struct http_source_ops source_ops = {.read = read_source};

static struct job *job_new(struct http_x *x)
{
    struct job *j = arena_new_type(x->arena, struct job);
    uint64_t n = 0;

    IGNORE(str_to_u64(x->req.query, &n));
    j->x = x;
    j->left = n;
    j->source.ops = &source_ops;
    x->user = j;
    return j;
}

static void answer_source(struct http_x *x, int64_t length)
{
    struct job *j = job_new(x);

    j->breaks = str_eq(x->req.path, STR("/broken"));
    x->resp.status = 200;
    x->resp.source = &j->source;
    x->resp.source_length = length < 0 ? -1 : (int64_t)j->left;
    http_answer(x);
}

static void begin_pipe(struct http_x *x)
{
    struct job *j = job_new(x);

    x->body_mode = HTTP_BODY_STREAM;
    x->body_limit = SIZE_MAX;
    j->pipe = true;
    x->resp.source = &j->source;
    x->resp.source_length = -1;
    http_answer(x);
}

static void hold(struct http_x *x)
{
    struct test_service *s = service_of(x);
    struct held *h = heap_new_type(struct held);

    h->x = x;
    pthread_mutex_lock(&s->mutex);
    *s->last = h;
    s->last = (struct held **)(void *)&h->node.next;
    s->counts[TEST_HELD]++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static void on_head(struct http_x *x)
{
    struct str path = x->req.path;

    note(service_of(x), TEST_HEAD);
    if (str_eq(path, STR("/hello"))) {
        answer(x, 200, STR("hello world\n"));
    } else if (str_eq(path, STR("/small"))) {
        x->body_limit = 10;
    } else if (str_eq(path, STR("/pipe"))) {
        begin_pipe(x);
    } else if (str_eq(path, STR("/sink"))) {
        job_new(x);
        x->body_mode = HTTP_BODY_STREAM;
        x->body_limit = SIZE_MAX;
    } else if (str_eq(path, STR("/missing"))) {
        answer(x, 404, STR("no such thing\n"));
    }
}

static void answer_large(struct http_x *x)
{
    uint64_t n = 0;

    IGNORE(str_to_u64(x->req.query, &n));
    n = MIN(n, (uint64_t)64 * 1024 * 1024);

    char *p = arena_alloc_raw(x->arena, n + 1);

    memset(p, 'y', n);
    answer(x, 200, str_make(p, n));
}

static void answer_peer(struct http_x *x)
{
    const struct http_peer *p = x->req.peer;

    answer(x, 200,
           arena_printf(x->arena, "%s tls=%d admin=%d cn=%s version=%d", p->address, p->tls,
                        p->admin_socket, p->certificate_cn, x->req.version));
}

static void answer_echo(struct http_x *x)
{
    for (size_t i = 0; i < x->req.trailer_count; i++)
        http_resp_trailer(x, x->req.trailers[i].name, x->req.trailers[i].value);
    answer(x, 200, x->req.body);
}

static void answer_evil(struct http_x *x)
{
    http_resp_add(x, STR("x-split"), STR("a\r\ninjected: b"));
    http_resp_add(x, STR("content-length"), STR("3"));
    http_resp_add(x, STR("transfer-encoding"), STR("chunked"));
    http_resp_add(x, STR("bad name"), STR("c"));
    http_resp_add(x, STR("x-good"), STR("d"));
    answer(x, 200, STR("evil\n"));
}

static void on_ready(struct http_x *x)
{
    struct str path = x->req.path;

    note(service_of(x), TEST_READY);
    if (str_eq(path, STR("/echo")) || str_eq(path, STR("/small"))) {
        answer_echo(x);
    } else if (str_eq(path, STR("/bytes")) || str_eq(path, STR("/broken"))) {
        answer_source(x, -1);
    } else if (str_eq(path, STR("/sized"))) {
        answer_source(x, 0);
    } else if (str_eq(path, STR("/large"))) {
        answer_large(x);
    } else if (str_eq(path, STR("/hold"))) {
        hold(x);
    } else if (str_eq(path, STR("/close"))) {
        x->resp.close = true;
        answer(x, 200, STR("bye\n"));
    } else if (str_eq(path, STR("/none"))) {
        answer(x, 204, (struct str){0});
    } else if (str_eq(path, STR("/peer"))) {
        answer_peer(x);
    } else if (str_eq(path, STR("/evil"))) {
        answer_evil(x);
    } else {
        answer(x, 200,
               arena_printf(x->arena, "%.*s %.*s?%.*s @%.*s\n", STR_ARG(x->req.method_text),
                            STR_ARG(x->req.path), STR_ARG(x->req.query),
                            STR_ARG(x->req.authority)));
    }
}

static void drain_sink(struct http_x *x)
{
    struct job *j = x->user;
    uint8_t bytes[4096];
    ptrdiff_t n;

    while ((n = http_read(x, bytes, sizeof(bytes))) > 0)
        j->pulled += (uint64_t)n;
    if (n == 0)
        answer(x, 200, arena_printf(x->arena, "%llu", (unsigned long long)j->pulled));
    else if (n == HTTP_BROKEN)
        answer(x, 400, STR("broken\n"));
}

static void on_readable(struct http_x *x)
{
    struct job *j = x->user;

    if (!j->pipe)
        drain_sink(x);
    else if (j->waiting)
        http_resume(x);
}

static void on_refuse(struct http_x *x, enum http_refusal why, const char *message)
{
    (void)why;
    note(service_of(x), TEST_REFUSE);
    if (str_eq(x->req.path, STR("/shaped")))
        answer(x, 400, arena_printf(x->arena, "shaped: %s\n", message));
}

static void on_gone(struct http_x *x)
{
    note(service_of(x), TEST_GONE);
    if (x->body_mode == HTTP_BODY_STREAM)
        http_answer(x);
}

static void on_sent(struct http_x *x)
{
    note(service_of(x), TEST_SENT);
}

struct test_service *test_service_new(void)
{
    struct test_service *s = heap_new_type(struct test_service);

    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->last = &s->first;
    s->http = (struct http_service){
        .ctx = s,
        .head = on_head,
        .ready = on_ready,
        .refuse = on_refuse,
        .sent = on_sent,
        .readable = on_readable,
        .gone = on_gone,
    };
    return s;
}

void test_service_free(struct test_service **s)
{
    pthread_mutex_destroy(&(*s)->mutex);
    pthread_cond_destroy(&(*s)->changed);
    free(*s);
    *s = NULL;
}

const struct http_service *test_service_http(struct test_service *s)
{
    return &s->http;
}

unsigned test_service_count(struct test_service *s, enum test_event e)
{
    pthread_mutex_lock(&s->mutex);

    unsigned n = s->counts[e];

    pthread_mutex_unlock(&s->mutex);
    return n;
}

void test_service_wait(struct test_service *s, enum test_event e, unsigned count)
{
    pthread_mutex_lock(&s->mutex);
    while (s->counts[e] < count)
        pthread_cond_wait(&s->changed, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
}

static void answer_held(struct http_x *x)
{
    answer(x, 200, STR("held\n"));
}

void test_service_release(struct test_service *s)
{
    pthread_mutex_lock(&s->mutex);

    struct held *h = s->first;

    assert(h);
    s->first = (struct held *)(void *)h->node.next;
    if (!s->first)
        s->last = &s->first;
    s->released++;
    pthread_mutex_unlock(&s->mutex);

    struct http_x *x = h->x;

    free(h);
    http_post(x, answer_held);
}

unsigned test_service_released(struct test_service *s)
{
    pthread_mutex_lock(&s->mutex);

    unsigned n = s->released;

    pthread_mutex_unlock(&s->mutex);
    return n;
}
