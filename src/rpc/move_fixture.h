/* SPDX-License-Identifier: Apache-2.0 */
/* A dispatch whose net and write lane are the test: what is posted or queued waits until the test
 * gives it its turn. One test file is one process, so its world is static. */
#ifndef RPC_MOVE_FIXTURE_H
#define RPC_MOVE_FIXTURE_H

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
    struct arena *arena;
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
    bool keys_gone;
    int answers;
    bool began_on_loop;
    int64_t work_us; /* that the worker's part takes */
};

static struct world world;

/* --- net and the lane --- */

void __wrap_http_answer(struct http_x *x)
{
    (void)x;
    world.answers++;
}

void __wrap_http_post(struct http_x *x, void (*fn)(struct http_x *x))
{
    pthread_mutex_lock(&world.lock);
    x->on_posted = fn;
    world.posted = x;
    pthread_cond_signal(&world.moved);
    pthread_mutex_unlock(&world.lock);
}

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

static struct rpc_write *lane_take(void)
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
static void lane_turn(int times, int64_t takes_us)
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
    (void)cr;
    (void)a;
    (void)f;
    *out = (struct caller){.tenant = 7, .tenant_name = STR("acme"), .key_id = STR("key")};
    return 0;
}

static int fake_submit(struct rpc_host *host, struct rpc_write *w, struct fail *f)
{
    (void)host;
    if (world.lane_full)
        return fail_set(f, CODE_UNAVAILABLE, "full");
    pthread_mutex_lock(&world.lock);
    world.queued = w;
    pthread_cond_signal(&world.moved);
    pthread_mutex_unlock(&world.lock);
    return 0;
}

static int fake_confirm(struct rpc_host *host, const struct caller *caller, struct fail *f)
{
    (void)host;
    (void)caller;
    return world.keys_gone ? fail_set(f, CODE_UNAUTHENTICATED, "gone") : 0;
}

static const struct rpc_host_ops host_ops = {
    .authenticate = fake_authenticate,
    .submit_write = fake_submit,
    .confirm = fake_confirm,
};

/* --- the world --- */

static void shape_error(struct call *c, const struct fail *f)
{
    buf_put_str(&c->out, str_of(f->message));
}

static const char *const prefixes[] = {"/", NULL};
static const struct dialect dialect = {
    .name = "test",
    .prefixes = prefixes,
    .content_type = STR_INIT("text/plain"),
    .error = shape_error,
};

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
        .workers = workers_new(1, 1, NULL),
    };
}

static void world_close(void)
{
    workers_free(&world.host.workers);
    dispatch_free(&world.dispatch);
    router_free(&world.router);
    metrics_free(&world.host.metrics);
    logger_free(&world.logger);
    arena_free(&world.arena);
    clock_free(&world.clock);
    fclose(world.log_file);
    pthread_cond_destroy(&world.moved);
    pthread_mutex_destroy(&world.lock);
}

/* --- requests --- */

struct request {
    struct http_x x;
    struct http_field fields[8];
};

static struct request *request(enum http_method method, const char *path)
{
    struct request *r = test_calloc(1, sizeof(*r));

    r->x.arena = arena_new(4096);
    r->x.service = dispatch_service(world.dispatch);
    r->x.req = (struct http_req){
        .method = method,
        .method_text = str_of(http_method_name(method)),
        .path = str_of(path),
        .version = 11,
        .fields = r->fields,
        .content_length = -1,
        .started_us = clock_mono_us(world.clock),
        .peer = &world.peer,
    };
    return r;
}

static void field(struct request *r, const char *name, const char *value)
{
    assert_true(r->x.req.field_count < COUNTOF(r->fields));
    r->fields[r->x.req.field_count++] = (struct http_field){str_of(name), str_of(value)};
}

static void run(struct request *r, struct str body)
{
    world.answers = 0;
    r->x.req.content_length = (int64_t)body.len;
    r->x.service->head(&r->x);
    if (world.answers > 0)
        return;
    r->x.req.body = body;
    r->x.service->ready(&r->x);
}

static struct str answer_field(const struct request *r, const char *name)
{
    for (size_t i = 0; i < r->x.resp.field_count; i++)
        if (str_eq(r->x.resp.fields[i].name, str_of(name)))
            return r->x.resp.fields[i].value;
    return (struct str){NULL, 0};
}

static void assert_answer(const struct request *r, int status, const char *part)
{
    assert_int_equal(world.answers, 1);
    assert_int_equal(r->x.resp.status, status);
    if (part[0] != '\0' && !memmem(r->x.resp.body.p, r->x.resp.body.len, part, strlen(part)))
        fail_msg("no '%s' in '%.*s'", part, STR_ARG(r->x.resp.body));
}

static void finish(struct request *r)
{
    r->x.service->sent(&r->x);
    arena_free(&r->x.arena);
    test_free(r);
}

static struct str packed(struct arena *a, enum gzip_format format, struct str text)
{
    struct gzip_deflater *g = gzip_deflater_new(format, 6);
    struct buf out;

    buf_init_arena(&out, a, text.len + 1024);
    assert_int_equal(gzip_deflate(g, text, &out), 0);
    gzip_deflater_free(&g);
    return buf_str(&out);
}

#endif
