/* SPDX-License-Identifier: Apache-2.0 */
/* A dispatch whose net and write lane are the test: http_answer() and http_post() are replaced at
 * link time, and what is posted or queued waits until the test gives it its turn. One test file is
 * one process, so its world is static. */
#ifndef RPC_DISPATCH_FIXTURE_H
#define RPC_DISPATCH_FIXTURE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/gzip.h"
#include "rpc/dispatch.h"

void __wrap_http_answer(struct http_x *x);
void __wrap_http_post(struct http_x *x, void (*fn)(struct http_x *x));

struct world {
    struct rpc_host host;
    struct clock *clock;
    struct arena *arena; /* of tables made by a test */
    struct router *router;
    struct dispatch *dispatch;
    struct http_peer peer;
    FILE *log_file;
    struct logger *logger;
    pthread_t loop;

    pthread_mutex_t lock; /* guards the three below */
    pthread_cond_t moved;
    struct http_x *posted;
    struct rpc_write *queued;

    bool lane_full;
    bool keys_gone; /* every key was revoked */
    bool began_on_loop;
    int64_t work_us; /* that the worker's part takes */
};

static struct world world;

struct request {
    struct http_x x;
    struct http_field fields[16];
    int answers;
};

/* --- net and the lane --- */

void __wrap_http_answer(struct http_x *x)
{
    CONTAINER_OF(x, struct request, x)->answers++;
}

void __wrap_http_post(struct http_x *x, void (*fn)(struct http_x *x))
{
    pthread_mutex_lock(&world.lock);
    x->on_posted = fn;
    world.posted = x;
    pthread_cond_signal(&world.moved);
    pthread_mutex_unlock(&world.lock);
}

/* The loop's turn: runs what a lane posted, waiting for it when need be. */
static void loop_turn(void)
{
    pthread_mutex_lock(&world.lock);
    while (!world.posted)
        pthread_cond_wait(&world.moved, &world.lock);

    struct http_x *x = world.posted;

    world.posted = NULL;
    pthread_mutex_unlock(&world.lock);
    x->on_posted(x);
}

static inline struct rpc_write *lane_take(void)
{
    pthread_mutex_lock(&world.lock);
    while (!world.queued)
        pthread_cond_wait(&world.moved, &world.lock);

    struct rpc_write *w = world.queued;

    world.queued = NULL;
    pthread_mutex_unlock(&world.lock);
    return w;
}

/* One job on the lane, `times` in all as after rollbacks; then its answer. */
static inline void lane_turn(int times, int64_t takes_us)
{
    struct rpc_write *w = lane_take();
    struct fail f = {0};
    int rc = -1;

    for (int i = 0; i < times; i++)
        rc = w->run(w, (struct store_tx *)&world, &f);
    clock_advance(world.clock, takes_us);
    w->done(w, rc, &f);
    loop_turn();
}

static int fake_authenticate(struct rpc_host *host, const struct credential *cr, struct arena *a,
                             struct caller *out, struct fail *f)
{
    (void)host;
    (void)a;
    if (cr->kind == CREDENTIAL_ADMIN_SOCKET) {
        *out = (struct caller){.tenant = 1,
                               .tenant_name = STR("default"),
                               .role = ROLE_ADMIN,
                               .scopes = role_scopes(ROLE_ADMIN)};
        return 0;
    }
    if (cr->kind == CREDENTIAL_BASIC && str_eq(cr->secret, STR("secret"))) {
        *out = (struct caller){.tenant = 7,
                               .tenant_name = STR("acme"),
                               .key_id = STR("key1"),
                               .role = ROLE_VIEWER,
                               .scopes = role_scopes(ROLE_VIEWER)};
        return 0;
    }
    if (cr->kind == CREDENTIAL_CERTIFICATE && str_eq(cr->id, STR("robot"))) {
        *out = (struct caller){.tenant = 7,
                               .tenant_name = STR("acme"),
                               .key_id = STR("key2"),
                               .role = ROLE_VIEWER,
                               .scopes = role_scopes(ROLE_VIEWER)};
        return 0;
    }
    return fail_reason(f, CODE_UNAUTHENTICATED, "credential_unknown", "unknown");
}

static int fake_submit(struct rpc_host *host, struct rpc_write *w, struct fail *f)
{
    (void)host;
    if (world.lane_full)
        return fail_reason(f, CODE_UNAVAILABLE, "queue_full", "full");
    pthread_mutex_lock(&world.lock);
    world.queued = w;
    pthread_cond_signal(&world.moved);
    pthread_mutex_unlock(&world.lock);
    return 0;
}

static int fake_confirm(struct rpc_host *host, const struct caller *caller, struct fail *f)
{
    (void)host;
    assert_int_equal(caller->tenant, 7);
    return world.keys_gone ? fail_reason(f, CODE_UNAUTHENTICATED, "credential_unknown", "gone") : 0;
}

static const struct rpc_host_ops host_ops = {
    .authenticate = fake_authenticate,
    .submit_write = fake_submit,
    .confirm = fake_confirm,
};

/* --- a dialect with every path --- */

static void shape_error(struct call *c, const struct fail *f)
{
    buf_printf(&c->out, "%s|%s|%d", code_name(f->code), f->reason ? f->reason : "", c->status);
}

static int begin(struct call *c, struct fail *f)
{
    struct str timeout = http_req_field(&c->x->req, STR("timeout-ms"));
    int64_t ms;

    if (timeout.len == 0)
        return 0;
    if (str_to_i64(timeout, &ms) < 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_timeout", "bad timeout");
    c->deadline_us = c->x->req.started_us + ms * 1000;
    return 0;
}

static const char *const main_prefixes[] = {"/", NULL};
static const struct dialect main_dialect = {
    .name = "main",
    .prefixes = main_prefixes,
    .content_type = STR_INIT("application/json"),
    .error = shape_error,
    .realm = "Test",
    .begin = begin,
};

/* --- the world --- */

static void world_open(void)
{
    memset(&world, 0, sizeof(world));
    pthread_mutex_init(&world.lock, NULL);
    pthread_cond_init(&world.moved, NULL);
    world.loop = pthread_self();
    world.clock = clock_new_manual(INT64_C(1700000000000000), 1000000);
    world.arena = arena_new(4096);
    world.log_file = tmpfile();
    assert_non_null(world.log_file);
    world.logger = logger_new(fileno(world.log_file), LOGFORMAT_JSON, LOGLEVEL_INFO, world.clock);
    world.host = (struct rpc_host){
        .ops = &host_ops,
        .clock = world.clock,
        .log = {.out = world.logger},
        .metrics = metrics_new(),
        .limits = limits_new(world.clock, 1000),
        .workers = workers_new(1, 2, NULL),
        .gzip_min_bytes = 1024,
    };
    snprintf(world.peer.address, sizeof(world.peer.address), "192.0.2.1");
}

static void world_close(void)
{
    workers_free(&world.host.workers);
    dispatch_free(&world.dispatch);
    router_free(&world.router);
    limits_free(&world.host.limits);
    metrics_free(&world.host.metrics);
    logger_free(&world.logger);
    arena_free(&world.arena);
    clock_free(&world.clock);
    fclose(world.log_file);
    pthread_cond_destroy(&world.moved);
    pthread_mutex_destroy(&world.lock);
}

static int teardown(void **state)
{
    (void)state;
    world_close();
    return 0;
}

/* What most setups do: a dispatch of these tables. */
static inline int world_serve(const struct route_table *tables, size_t count)
{
    struct fail f = {0};

    world_open();
    if (router_new(tables, count, &world.router, &f) < 0 ||
        dispatch_new(&world.host, world.router, &world.dispatch, &f) < 0) {
        printf("%s\n", f.message);
        return -1;
    }
    return 0;
}

/* --- handlers of plain routes --- */

static inline int say_hello(struct call *c, struct fail *f)
{
    struct str name = STR("world");

    (void)f;
    IGNORE(call_query(c, STR("name"), &name));
    buf_printf(&c->out, "{\"hello\":\"%.*s\",\"tenant\":\"%.*s\"}", STR_ARG(name),
               STR_ARG(c->caller->tenant_name));
    return 0;
}

static inline int echo(struct call *c, struct fail *f)
{
    (void)f;
    c->content_type = STR("text/plain");
    buf_put_str(&c->out, c->x->req.body);
    return 0;
}

static inline int repeat(struct call *c, struct fail *f)
{
    uint64_t n;

    if (str_to_u64(call_param(c, STR("n")), &n) < 0)
        return fail_set(f, CODE_INVALID_ARGUMENT, "n is a number");
    for (uint64_t i = 0; i < n; i++)
        buf_put_byte(&c->out, 'x');
    return 0;
}

static inline int fail_by_name(struct call *c, struct fail *f)
{
    struct str code = call_param(c, STR("code"));

    buf_put_str(&c->out, STR("left over"));
    http_resp_add(c->x, STR("x-left"), STR("over"));
    http_resp_trailer(c->x, STR("x-left"), STR("over"));
    c->status = 299;
    for (int i = 1; i < CODE_COUNT; i++)
        if (str_eq(code, str_of(code_name((enum code)i))))
            return fail_set(f, (enum code)i, "asked for");
    return 0;
}

static inline int write_twice(struct call *c, struct fail *f)
{
    (void)f;
    assert_non_null(c->tx);
    c->status = 201;
    http_resp_add(c->x, STR("x-tag"), STR("1"));
    buf_put_str(&c->out, STR("{\"written\":true}"));
    return 0;
}

/* --- requests --- */

static struct request *request(enum http_method method, const char *target)
{
    struct request *r = test_calloc(1, sizeof(*r));
    struct str rest = str_of(target);

    r->x.arena = arena_new(4096);
    r->x.service = dispatch_service(world.dispatch);
    r->x.req.method = method;
    r->x.req.method_text = str_of(http_method_name(method));
    r->x.req.target = rest;
    r->x.req.path = str_cut(&rest, '?');
    r->x.req.query = rest;
    r->x.req.version = 11;
    r->x.req.fields = r->fields;
    r->x.req.content_length = -1;
    r->x.req.started_us = clock_mono_us(world.clock);
    r->x.req.peer = &world.peer;
    return r;
}

static void field(struct request *r, const char *name, const char *value)
{
    assert_true(r->x.req.field_count < COUNTOF(r->fields));
    r->fields[r->x.req.field_count++] = (struct http_field){str_of(name), str_of(value)};
}

/* The one that fake_authenticate() knows. */
static inline void credential(struct request *r)
{
    field(r, "authorization", "Basic aWQ6c2VjcmV0");
}

/* Head, and the body when head() did not answer. A body without bytes' address is none. */
static void run_bytes(struct request *r, struct str body)
{
    if (body.p) {
        r->x.req.content_length = (int64_t)body.len;
        r->x.req.body_bytes = body.len;
    }
    r->x.service->head(&r->x);
    if (r->answers > 0)
        return;
    r->x.req.body = body;
    r->x.service->ready(&r->x);
}

static inline void run(struct request *r, const char *body)
{
    run_bytes(r, str_of(body));
}

static struct str answer_field(const struct request *r, const char *name)
{
    for (size_t i = 0; i < r->x.resp.field_count; i++)
        if (str_eq(r->x.resp.fields[i].name, str_of(name)))
            return r->x.resp.fields[i].value;
    return (struct str){NULL, 0};
}

static void assert_str(struct str got, const char *expected)
{
    if (!str_eq(got, str_of(expected)))
        fail_msg("got '%.*s', expected '%s'", STR_ARG(got), expected);
}

static inline void assert_answer(const struct request *r, int status, const char *body)
{
    assert_int_equal(r->answers, 1);
    assert_int_equal(r->x.resp.status, status);
    assert_str(r->x.resp.body, body);
}

static void finish(struct request *r)
{
    r->x.service->sent(&r->x);
    arena_free(&r->x.arena);
    test_free(r);
}

/* The lines logged so far. */
static inline const char *log_text(void)
{
    static char text[65536];

    log_flush(world.logger);

    ssize_t n = pread(fileno(world.log_file), text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static inline void assert_metric(const char *line)
{
    struct buf out;

    buf_init(&out, 1u << 20);
    metrics_render(world.host.metrics, &out);
    buf_put_byte(&out, 0);
    if (!strstr((const char *)out.data, line))
        fail_msg("no '%s' in the metrics:\n%s", line, (const char *)out.data);
    buf_done(&out);
}

static inline struct str packed(struct arena *a, enum gzip_format format, struct str text)
{
    struct gzip_deflater *g = gzip_deflater_new(format, 6);
    struct buf out;

    buf_init_arena(&out, a, text.len + 1024);
    assert_int_equal(gzip_deflate(g, text, &out), 0);
    gzip_deflater_free(&g);
    return buf_str(&out);
}

#endif
