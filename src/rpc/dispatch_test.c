/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the service as net would, with exchanges made by hand: http_answer() and http_post() are
 * replaced at link time, so a posted exchange waits in a list until the test is its loop. */
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

/* --- the world around dispatch --- */

struct world {
    struct rpc_host host;
    struct clock *clock;
    struct metrics *metrics;
    struct router *router;
    struct dispatch *dispatch;
    FILE *log_file;
    struct logger *logger;

    pthread_mutex_t lock; /* guards `posted` */
    pthread_cond_t arrived;
    struct http_x *posted;

    /* What the fake lane does with the next job. */
    struct rpc_write *queued;
    bool lane_full;
    bool keys_gone; /* every key was revoked */

    struct http_peer peer;
};

static struct world world; /* one a test; handlers have no other way to reach it */

struct request {
    struct http_x x;
    struct http_field fields[16];
    int answers;
};

void __wrap_http_answer(struct http_x *x)
{
    CONTAINER_OF(x, struct request, x)->answers++;
}

void __wrap_http_post(struct http_x *x, void (*fn)(struct http_x *x))
{
    pthread_mutex_lock(&world.lock);
    x->on_posted = fn;
    world.posted = x;
    pthread_cond_signal(&world.arrived);
    pthread_mutex_unlock(&world.lock);
}

/* The loop's turn: runs what a lane posted, waiting for it when need be. */
static void loop_turn(void)
{
    pthread_mutex_lock(&world.lock);
    while (!world.posted)
        pthread_cond_wait(&world.arrived, &world.lock);

    struct http_x *x = world.posted;

    world.posted = NULL;
    pthread_mutex_unlock(&world.lock);
    x->on_posted(x);
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
    world.queued = w;
    return 0;
}

static int fake_confirm(struct rpc_host *host, const struct caller *caller, struct fail *f)
{
    (void)host;
    assert_int_equal(caller->tenant, 7);
    return world.keys_gone ? fail_reason(f, CODE_UNAUTHENTICATED, "credential_unknown", "gone") : 0;
}

static const struct rpc_host_ops fake_ops = {
    .authenticate = fake_authenticate,
    .submit_write = fake_submit,
    .confirm = fake_confirm,
};

/* --- a dialect --- */

static int say_hello(struct call *c, struct fail *f)
{
    struct str name = STR("world");

    (void)f;
    IGNORE(call_query(c, STR("name"), &name));
    buf_printf(&c->out, "{\"hello\":\"%.*s\",\"tenant\":\"%.*s\"}", STR_ARG(name),
               STR_ARG(c->caller->tenant_name));
    return 0;
}

static int echo(struct call *c, struct fail *f)
{
    (void)f;
    c->content_type = STR("text/plain");
    buf_put_str(&c->out, c->x->req.body);
    return 0;
}

static int repeat(struct call *c, struct fail *f)
{
    uint64_t n;

    if (str_to_u64(call_param(c, STR("n")), &n) < 0)
        return fail_set(f, CODE_INVALID_ARGUMENT, "n is a number");
    for (uint64_t i = 0; i < n; i++)
        buf_put_byte(&c->out, 'x');
    return 0;
}

static int fail_by_name(struct call *c, struct fail *f)
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

static int write_twice(struct call *c, struct fail *f)
{
    (void)f;
    assert_non_null(c->tx);
    c->status = 201;
    http_resp_add(c->x, STR("x-tag"), STR("1"));
    buf_put_str(&c->out, STR("{\"written\":true}"));
    return 0;
}

static int closed;

static void source_close(struct http_source *s)
{
    (void)s;
    closed++;
}

static ptrdiff_t source_read(struct http_source *s, uint8_t *out, size_t cap)
{
    (void)s;
    (void)out;
    (void)cap;
    return 0;
}

static const struct http_source_ops source_ops = {source_read, source_close};
static struct http_source source = {&source_ops};

static int stream(struct call *c, struct fail *f)
{
    c->x->resp.source = &source;
    c->x->resp.source_length = 10;
    if (c->x->req.query.len > 0)
        return fail_set(f, CODE_INTERNAL, "broke after opening");
    return 0;
}

static void shape_error(struct call *c, const struct fail *f)
{
    buf_printf(&c->out, "%s|%s|%d", code_name(f->code), f->reason ? f->reason : "", c->status);
}

/* The way of gRPC: always 200, the error in trailers. */
static void shape_trailers(struct call *c, const struct fail *f)
{
    c->status = 200;
    c->content_type = STR("application/grpc");
    http_resp_trailer(c->x, STR("grpc-status"), arena_printf(c->arena, "%d", (int)f->code));
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
static const char *const rpc_prefixes[] = {"/rpc/", NULL};
static const char *const hidden_prefixes[] = {"/hidden/", NULL};
static const struct dialect main_dialect = {
    .name = "main",
    .prefixes = main_prefixes,
    .content_type = STR_INIT("application/json"),
    .error = shape_error,
    .realm = "Test",
    .begin = begin,
};
static const struct dialect rpc_dialect = {
    .name = "rpc",
    .prefixes = rpc_prefixes,
    .content_type = STR_INIT("application/grpc"),
    .error = shape_trailers,
    .realm = "Test",
};

static const struct dialect hidden_dialect = {
    .name = "hidden",
    .prefixes = hidden_prefixes,
    .content_type = STR_INIT("application/json"),
    .error = shape_error,
    .realm = "Hidden",
    .flags = DIALECT_SCOPE_IS_401,
};

static const char *const json_media[] = {"application/json", NULL};

static const struct route main_routes[] = {
    {.name = "open", .path = "/open", .verbs = GET_VERB, .flags = ROUTE_OPEN, .handler = say_hello},
    {.name = "known",
     .path = "/known",
     .verbs = GET_VERB,
     .handler = say_hello,
     .flags = ROUTE_KNOWN},
    {.name = "hello",
     .path = "/hello",
     .verbs = GET_VERB,
     .scope = SCOPE_TASKS_READ,
     .handler = say_hello},
    {.name = "secret",
     .path = "/secret",
     .verbs = GET_VERB,
     .scope = SCOPE_SERVER,
     .handler = say_hello},
    {.name = "echo",
     .path = "/echo",
     .verbs = VERB(HTTP_POST) | VERB(HTTP_DELETE),
     .flags = ROUTE_OPEN,
     .handler = echo,
     .body_limit = 1000,
     .media = json_media},
    {.name = "repeat",
     .path = "/repeat/{n:int}",
     .verbs = GET_VERB,
     .flags = ROUTE_OPEN,
     .handler = repeat,
     .answer_limit = 5000},
    {.name = "fail",
     .path = "/fail/{code}",
     .verbs = GET_VERB,
     .flags = ROUTE_OPEN,
     .handler = fail_by_name},
    {.name = "work",
     .path = "/work",
     .verbs = GET_VERB | VERB(HTTP_POST),
     .lane = LANE_WORKER,
     .flags = ROUTE_OPEN,
     .handler = echo,
     .body_limit = 1000},
    {.name = "write",
     .path = "/write",
     .verbs = VERB(HTTP_POST),
     .lane = LANE_WRITE,
     .flags = ROUTE_OPEN,
     .handler = write_twice,
     .body_limit = 1000},
    {.name = "write.fail",
     .path = "/write/{code}",
     .verbs = VERB(HTTP_POST),
     .lane = LANE_WRITE,
     .flags = ROUTE_OPEN,
     .handler = fail_by_name},
    {.name = "own.work",
     .path = "/own/work",
     .verbs = GET_VERB,
     .scope = SCOPE_TASKS_READ,
     .lane = LANE_WORKER,
     .handler = say_hello},
    {.name = "own.write",
     .path = "/own/write",
     .verbs = VERB(HTTP_POST),
     .scope = SCOPE_TASKS_READ,
     .lane = LANE_WRITE,
     .handler = write_twice},
    {.name = "stream",
     .path = "/stream",
     .verbs = GET_VERB,
     .flags = ROUTE_OPEN,
     .handler = stream},
    {.name = "free",
     .path = "/free",
     .verbs = GET_VERB,
     .handler = say_hello,
     .flags = ROUTE_KNOWN | ROUTE_NO_LIMIT | ROUTE_NO_ACCESS},
};

static const struct route rpc_routes[] = {
    {.name = "rpc.call",
     .path = "/rpc/call",
     .verbs = VERB(HTTP_POST),
     .scope = SCOPE_TASKS_READ,
     .handler = say_hello},
};

static const struct route hidden_routes[] = {
    {.name = "hidden.secret",
     .path = "/hidden/secret",
     .verbs = GET_VERB,
     .scope = SCOPE_SERVER,
     .handler = say_hello},
};

static const struct route_table tables[] = {
    {.dialect = &main_dialect, .routes = main_routes, .count = COUNTOF(main_routes)},
    {.dialect = &rpc_dialect, .routes = rpc_routes, .count = COUNTOF(rpc_routes)},
    {.dialect = &hidden_dialect, .routes = hidden_routes, .count = COUNTOF(hidden_routes)},
};

static int setup(void **state)
{
    struct fail f = {0};

    (void)state;
    memset(&world, 0, sizeof(world));
    closed = 0;
    pthread_mutex_init(&world.lock, NULL);
    pthread_cond_init(&world.arrived, NULL);
    world.clock = clock_new_manual(INT64_C(1700000000000000), 1000000);
    world.metrics = metrics_new();
    world.log_file = tmpfile();
    if (!world.log_file)
        return -1;
    world.logger = logger_new(fileno(world.log_file), LOGFORMAT_JSON, LOGLEVEL_INFO, world.clock);
    world.host = (struct rpc_host){
        .ops = &fake_ops,
        .clock = world.clock,
        .log = {.out = world.logger},
        .metrics = world.metrics,
        .limits = limits_new(world.clock, 1000),
        .workers = workers_new(1, 2, NULL),
        .gzip_min_bytes = 1024,
    };
    if (router_new(tables, COUNTOF(tables), &world.router, &f) < 0 ||
        dispatch_new(&world.host, world.router, &world.dispatch, &f) < 0) {
        printf("%s\n", f.message);
        return -1;
    }
    snprintf(world.peer.address, sizeof(world.peer.address), "192.0.2.1");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    workers_free(&world.host.workers);
    dispatch_free(&world.dispatch);
    router_free(&world.router);
    limits_free(&world.host.limits);
    metrics_free(&world.metrics);
    logger_free(&world.logger);
    clock_free(&world.clock);
    fclose(world.log_file);
    return 0;
}

/* --- requests --- */

static struct request *request(enum http_method method, const char *target)
{
    struct request *r = calloc(1, sizeof(*r));

    assert_non_null(r);

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

static void credential(struct request *r)
{
    field(r, "authorization", "Basic aWQ6c2VjcmV0");
}

/* Head, and the body when head() did not answer. */
static void run(struct request *r, const char *body)
{
    if (body) {
        r->x.req.content_length = (int64_t)strlen(body);
        r->x.req.body_bytes = strlen(body);
    }
    r->x.service->head(&r->x);
    if (r->answers == 0) {
        r->x.req.body = str_of(body);
        r->x.service->ready(&r->x);
    }
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

static void assert_answer(const struct request *r, int status, const char *body)
{
    assert_int_equal(r->answers, 1);
    assert_int_equal(r->x.resp.status, status);
    assert_str(r->x.resp.body, body);
}

static void finish(struct request *r)
{
    r->x.service->sent(&r->x);
    arena_free(&r->x.arena);
    free(r);
}

/* The lines logged so far. */
static const char *log_text(void)
{
    static char text[65536];

    log_flush(world.logger);

    ssize_t n = pread(fileno(world.log_file), text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void assert_metric(const char *line)
{
    struct buf out;

    buf_init(&out, 1u << 20);
    metrics_render(world.metrics, &out);
    buf_put_byte(&out, 0);
    if (!strstr((const char *)out.data, line))
        fail_msg("no '%s' in the metrics:\n%s", line, (const char *)out.data);
    buf_done(&out);
}

/* --- tests --- */

static void a_loop_route_answers_at_once(void **state)
{
    struct request *r = request(HTTP_GET, "/hello?name=a%20b+c");

    (void)state;
    credential(r);
    run(r, NULL);
    assert_answer(r, 200, "{\"hello\":\"a b c\",\"tenant\":\"acme\"}");
    assert_str(answer_field(r, "content-type"), "application/json");
    finish(r);
}

static void unknown_paths_and_verbs_are_answered_in_the_owners_shape(void **state)
{
    struct request *r = request(HTTP_GET, "/nothing");

    (void)state;
    run(r, NULL);
    assert_answer(r, 404, "not_found|no_such_path|404");
    finish(r);

    r = request(HTTP_PUT, "/hello");
    run(r, NULL);
    assert_answer(r, 405, "unimplemented|no_such_verb|405");
    assert_str(answer_field(r, "allow"), "GET, HEAD");
    finish(r);

    r = request(HTTP_GET, "/rpc/nothing");
    run(r, NULL);
    assert_answer(r, 200, "");
    assert_str(r->x.resp.trailers[0].value, "5");
    finish(r);

    r = request(HTTP_GET, "/fail/%zz");
    run(r, NULL);
    assert_answer(r, 400, "invalid_argument|bad_path|400");
    finish(r);
    assert_metric("muster_http_requests_total{route=\"main.unmatched\",code=\"404\"} 1");
    assert_metric("muster_http_requests_total{route=\"rpc.unmatched\",code=\"200\"} 1");
}

static void a_credential_is_needed_and_must_be_good(void **state)
{
    struct request *r = request(HTTP_GET, "/hello");

    (void)state;
    run(r, NULL);
    assert_answer(r, 401, "unauthenticated|credential_missing|401");
    assert_str(answer_field(r, "www-authenticate"), "Basic realm=\"Test\"");
    finish(r);

    r = request(HTTP_GET, "/hello");
    field(r, "authorization", "Basic aWQ6d3Jvbmc=");
    run(r, NULL);
    assert_answer(r, 401, "unauthenticated|credential_unknown|401");
    finish(r);

    r = request(HTTP_GET, "/hello");
    field(r, "authorization", "Basic %%%");
    run(r, NULL);
    assert_answer(r, 401, "unauthenticated|credential_malformed|401");
    finish(r);

    r = request(HTTP_GET, "/known");
    run(r, NULL);
    assert_answer(r, 401, "unauthenticated|credential_missing|401");
    finish(r);

    /* No such field when the shape of the dialect is no 401. */
    r = request(HTTP_POST, "/rpc/call");
    run(r, NULL);
    assert_answer(r, 200, "");
    assert_str(r->x.resp.trailers[0].value, "16");
    assert_null(answer_field(r, "www-authenticate").p);
    finish(r);
}

static void scopes_are_denied_unless_granted(void **state)
{
    struct request *r = request(HTTP_GET, "/secret");

    (void)state;
    credential(r);
    run(r, NULL);
    assert_answer(r, 403, "permission_denied|scope_missing|403");
    finish(r);

    /* As the dialect says it. */
    r = request(HTTP_GET, "/hidden/secret");
    credential(r);
    run(r, NULL);
    assert_answer(r, 401, "unauthenticated|scope_missing|401");
    assert_str(answer_field(r, "www-authenticate"), "Basic realm=\"Hidden\"");
    finish(r);
}

static void an_open_route_serves_nobody_and_the_badly_authenticated(void **state)
{
    struct request *r = request(HTTP_GET, "/open");

    (void)state;
    run(r, NULL);
    assert_answer(r, 200, "{\"hello\":\"world\",\"tenant\":\"\"}");
    finish(r);

    r = request(HTTP_GET, "/open");
    field(r, "authorization", "Basic %%%");
    run(r, NULL);
    assert_answer(r, 200, "{\"hello\":\"world\",\"tenant\":\"\"}");
    finish(r);
}

static void socket_and_certificate_stand_in_for_a_credential(void **state)
{
    struct request *r;

    (void)state;
    world.peer.admin_socket = true;
    r = request(HTTP_GET, "/secret");
    run(r, NULL);
    assert_answer(r, 200, "{\"hello\":\"world\",\"tenant\":\"default\"}");
    finish(r);

    r = request(HTTP_GET, "/secret"); /* what was sent counts */
    credential(r);
    run(r, NULL);
    assert_int_equal(r->x.resp.status, 403);
    finish(r);

    world.peer.admin_socket = false;
    snprintf(world.peer.certificate_cn, sizeof(world.peer.certificate_cn), "robot");
    r = request(HTTP_GET, "/hello");
    run(r, NULL);
    assert_answer(r, 200, "{\"hello\":\"world\",\"tenant\":\"acme\"}");
    finish(r);
}

static void media_types_are_checked_where_a_body_counts(void **state)
{
    static const struct {
        enum http_method method;
        const char *type, *body;
        int status;
    } rows[] = {
        {HTTP_POST, "application/json", "{}", 200},
        {HTTP_POST, "Application/JSON ; charset=UTF-8", "{}", 200},
        {HTTP_POST, "application/x-www-form-urlencoded", "{}", 415},
        {HTTP_POST, NULL, "{}", 415},
        {HTTP_POST, NULL, NULL, 415},
        {HTTP_POST, "application/json2", "{}", 415},
        {HTTP_DELETE, "text/plain", "{}", 415},
        {HTTP_DELETE, "text/plain", NULL, 200},
        {HTTP_DELETE, NULL, NULL, 200},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct request *r = request(rows[i].method, "/echo");

        if (rows[i].type)
            field(r, "content-type", rows[i].type);
        run(r, rows[i].body);
        assert_int_equal(r->answers, 1);
        if (r->x.resp.status != rows[i].status)
            fail_msg("row %zu: %d", i, r->x.resp.status);
        finish(r);
    }

    struct request *r = request(HTTP_GET, "/open");

    field(r, "content-type", "text/html");
    run(r, NULL);
    assert_int_equal(r->x.resp.status, 200);
    finish(r);
}

static void bodies_over_the_limit_are_refused_before_they_are_read(void **state)
{
    struct request *r = request(HTTP_POST, "/echo");

    (void)state;
    field(r, "content-type", "application/json");
    r->x.req.content_length = 1001;
    r->x.service->head(&r->x);
    assert_answer(r, 413, "resource_exhausted|body_too_large|413");
    finish(r);

    r = request(HTTP_GET, "/open"); /* takes none at all */
    r->x.req.content_length = 1;
    r->x.service->head(&r->x);
    assert_answer(r, 413, "resource_exhausted|body_too_large|413");
    finish(r);

    r = request(HTTP_POST, "/echo");
    field(r, "content-type", "application/json");
    r->x.service->head(&r->x);
    assert_int_equal(r->answers, 0);
    assert_int_equal(r->x.body_limit, 1000);
    r->x.service->refuse(&r->x, HTTP_REFUSE_BODY_TOO_LARGE, "too large");
    assert_answer(r, 413, "resource_exhausted|body_too_large|413");
    finish(r);
}

static void broken_queries_are_refused(void **state)
{
    static const char *const targets[] = {"/open?a=%", "/open?%zz=1", "/open?a=%00", "/open?a=%ff"};

    (void)state;
    for (size_t i = 0; i < COUNTOF(targets); i++) {
        struct request *r = request(HTTP_GET, targets[i]);

        run(r, NULL);
        assert_answer(r, 400, "invalid_argument|bad_query|400");
        finish(r);
    }
}

static void what_net_refuses_is_shaped_by_the_owner_of_the_path(void **state)
{
    struct request *r = request(HTTP_OTHER, "");

    (void)state;
    r->x.req.path = (struct str){NULL, 0};
    r->x.service->refuse(&r->x, HTTP_REFUSE_MALFORMED, "no");
    assert_answer(r, 400, "invalid_argument|malformed|400");
    finish(r);

    r = request(HTTP_POST, "/rpc/call");
    r->x.service->refuse(&r->x, HTTP_REFUSE_TIMEOUT, "late");
    assert_answer(r, 200, "");
    assert_str(r->x.resp.trailers[0].value, "4");
    finish(r);
}

static void a_failed_handler_leaves_nothing_in_the_answer(void **state)
{
    struct request *r = request(HTTP_GET, "/fail/aborted");

    (void)state;
    run(r, NULL);
    assert_answer(r, 409, "aborted||409");
    assert_null(answer_field(r, "x-left").p);
    assert_int_equal(r->x.resp.trailer_count, 0);
    finish(r);

    r = request(HTTP_GET, "/stream?x");
    run(r, NULL);
    assert_answer(r, 500, "internal||500");
    assert_null(r->x.resp.source);
    assert_int_equal(closed, 1);
    finish(r);

    r = request(HTTP_GET, "/stream");
    run(r, NULL);
    assert_int_equal(r->x.resp.status, 200);
    assert_ptr_equal(r->x.resp.source, &source);
    assert_int_equal(r->x.resp.source_length, 10);
    assert_str(answer_field(r, "content-type"), "application/json");
    assert_int_equal(closed, 1); /* net's business */
    finish(r);
}

static void an_answer_over_its_limit_is_an_error_of_ours(void **state)
{
    struct request *r = request(HTTP_GET, "/repeat/5001");

    (void)state;
    run(r, NULL);
    assert_answer(r, 500, "internal||500");
    finish(r);
    assert_non_null(strstr(log_text(), "answer too large"));
}

static void a_worker_answers_through_the_loop(void **state)
{
    struct request *r = request(HTTP_POST, "/work");

    (void)state;
    run(r, "body");
    loop_turn();
    assert_answer(r, 200, "body");
    finish(r);
    assert_metric("muster_queue_wait_seconds_count{lane=\"worker\"} 1");
}

struct holder {
    struct work work;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool running, release;
};

static void hold(struct work *w)
{
    struct holder *h = CONTAINER_OF(w, struct holder, work);

    pthread_mutex_lock(&h->lock);
    h->running = true;
    pthread_cond_broadcast(&h->changed);
    while (!h->release)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

static void holder_start(struct holder *h)
{
    *h = (struct holder){.work.run = hold};
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
    assert_int_equal(workers_submit(world.host.workers, &h->work), 0);
    pthread_mutex_lock(&h->lock);
    while (!h->running)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

static void holder_release(struct holder *h)
{
    pthread_mutex_lock(&h->lock);
    h->release = true;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static void a_full_worker_queue_says_so_at_once(void **state)
{
    struct holder h;
    struct request *a, *b, *c;

    (void)state;
    holder_start(&h);
    a = request(HTTP_GET, "/work");
    b = request(HTTP_GET, "/work");
    c = request(HTTP_GET, "/work");
    run(a, NULL);
    run(b, NULL);
    run(c, NULL);
    assert_answer(c, 503, "unavailable|overloaded|503");
    assert_str(answer_field(c, "retry-after"), "1");
    assert_int_equal(a->answers, 0);
    holder_release(&h);
    workers_stop(world.host.workers);
    finish(c);

    /* Both posted; the list of the test holds one, so run the other's by hand. */
    a->x.on_posted(&a->x);
    b->x.on_posted(&b->x);
    assert_int_equal(a->x.resp.status, 200);
    assert_int_equal(b->x.resp.status, 200);
    finish(a);
    finish(b);
}

static void a_request_whose_time_is_over_is_not_begun(void **state)
{
    struct holder h;
    struct request *r;

    (void)state;
    holder_start(&h);
    r = request(HTTP_POST, "/work");
    field(r, "timeout-ms", "50");
    run(r, "body");
    clock_advance(world.clock, 51000);
    holder_release(&h);
    loop_turn();
    assert_answer(r, 504, "deadline_exceeded|deadline|504");
    finish(r);

    r = request(HTTP_POST, "/write");
    field(r, "timeout-ms", "50");
    run(r, "");
    clock_advance(world.clock, 51000);

    struct fail f = {0};

    assert_int_equal(world.queued->run(world.queued, (struct store_tx *)&world, &f), -1);
    world.queued->done(world.queued, -1, &f);
    loop_turn();
    assert_answer(r, 504, "deadline_exceeded|deadline|504");
    finish(r);

    r = request(HTTP_POST, "/work");
    field(r, "timeout-ms", "soon");
    run(r, "body");
    assert_answer(r, 400, "invalid_argument|bad_timeout|400");
    finish(r);
}

static void a_key_that_is_revoked_while_its_request_waits_does_nothing(void **state)
{
    struct request *r = request(HTTP_POST, "/own/write");
    struct fail f = {0};

    (void)state;
    credential(r);
    run(r, "");
    world.keys_gone = true;
    assert_int_equal(world.queued->run(world.queued, (struct store_tx *)&world, &f), -1);
    world.queued->done(world.queued, -1, &f);
    loop_turn();
    assert_answer(r, 401, "unauthenticated|credential_unknown|401");
    finish(r);

    r = request(HTTP_GET, "/own/work");
    credential(r);
    run(r, NULL);
    loop_turn();
    assert_answer(r, 401, "unauthenticated|credential_unknown|401");
    finish(r);

    r = request(HTTP_GET, "/work"); /* open: nobody's key counts */
    credential(r);
    run(r, NULL);
    loop_turn();
    assert_int_equal(r->x.resp.status, 200);
    finish(r);
}

static void a_write_is_answered_after_its_commit_and_counts_once_when_retried(void **state)
{
    struct request *r = request(HTTP_POST, "/write");
    struct fail f = {0};

    (void)state;
    run(r, "");
    assert_int_equal(r->answers, 0);
    clock_advance(world.clock, 300);
    assert_int_equal(world.queued->run(world.queued, (struct store_tx *)&world, &f), 0);
    assert_int_equal(world.queued->run(world.queued, (struct store_tx *)&world, &f), 0);
    assert_int_equal(r->answers, 0);
    clock_advance(world.clock, 700);
    world.queued->done(world.queued, 0, NULL);
    assert_int_equal(r->answers, 0); /* on the loop only */
    loop_turn();
    assert_answer(r, 201, "{\"written\":true}");

    size_t tags = 0;

    for (size_t i = 0; i < r->x.resp.field_count; i++)
        tags += str_eq(r->x.resp.fields[i].name, STR("x-tag"));
    assert_int_equal(tags, 1);
    finish(r);
    assert_non_null(strstr(log_text(), "\"queue_us\":300"));
    assert_non_null(strstr(log_text(), "\"store_us\":700"));
}

static void a_failed_commit_is_never_told_as_success(void **state)
{
    struct request *r = request(HTTP_POST, "/write");
    struct fail f = {0};

    (void)state;
    run(r, "");
    assert_int_equal(world.queued->run(world.queued, (struct store_tx *)&world, &f), 0);
    IGNORE(fail_reason(&f, CODE_UNAVAILABLE, "disk_full", "no space"));
    world.queued->done(world.queued, -1, &f);
    loop_turn();
    assert_answer(r, 503, "unavailable|disk_full|503");
    assert_null(answer_field(r, "x-tag").p);
    assert_str(answer_field(r, "retry-after"), "1");
    finish(r);

    r = request(HTTP_POST, "/write"); /* even when the lane forgot to say why */
    run(r, "");
    f = (struct fail){0};
    world.queued->done(world.queued, -1, &f);
    loop_turn();
    assert_int_equal(r->x.resp.status, 503);
    finish(r);

    r = request(HTTP_POST, "/write/not_found");
    run(r, NULL);
    assert_int_equal(world.queued->run(world.queued, (struct store_tx *)&world, &f), -1);
    world.queued->done(world.queued, -1, &f);
    loop_turn();
    assert_answer(r, 404, "not_found||404");
    finish(r);

    r = request(HTTP_POST, "/write");
    world.lane_full = true;
    run(r, "");
    assert_answer(r, 503, "unavailable|queue_full|503");
    finish(r);
}

static void limits_refuse_with_advice_and_release_when_sent(void **state)
{
    const struct limit_policy p = {
        .key = {.shape = LIMIT_BUCKET, .amount = 2, .period_ms = 4000},
        .key_concurrent = 5,
        .headers = true,
    };
    struct request *r;
    struct fail f;
    size_t slot;

    (void)state;
    assert_int_equal(limits_slot(world.host.limits, "main", 0, &slot, &f), 0);
    assert_int_equal(limits_set(world.host.limits, slot, &p, &f), 0);
    for (int i = 0; i < 2; i++) {
        r = request(HTTP_GET, "/known");
        credential(r);
        run(r, NULL);
        assert_int_equal(r->x.resp.status, 200);
        assert_str(answer_field(r, "ratelimit-limit"), "2");
        assert_str(answer_field(r, "ratelimit-remaining"), i == 0 ? "1" : "0");
        finish(r);
    }
    r = request(HTTP_GET, "/known");
    credential(r);
    run(r, NULL);
    assert_answer(r, 429, "resource_exhausted|rate_limit|429");
    assert_str(answer_field(r, "retry-after"), "3"); /* 2 s and a little */
    assert_str(answer_field(r, "ratelimit-remaining"), "0");
    assert_str(answer_field(r, "ratelimit-reset"), "4");
    finish(r);

    r = request(HTTP_GET, "/free");
    credential(r);
    run(r, NULL);
    assert_int_equal(r->x.resp.status, 200);
    assert_null(answer_field(r, "ratelimit-limit").p);
    finish(r);

    /* Leases came back: five at a time still fit. */
    clock_advance(world.clock, 10000000);

    struct request *two[2];

    for (int i = 0; i < 2; i++) {
        two[i] = request(HTTP_GET, "/known");
        credential(two[i]);
        run(two[i], NULL);
        assert_int_equal(two[i]->x.resp.status, 200);
    }
    finish(two[0]);
    finish(two[1]);
}

static void request_ids_are_taken_when_sound_and_made_otherwise(void **state)
{
    char too_long[66] = "";
    const char *const bad[] = {"", "a b", "a\"b", too_long};
    struct request *r = request(HTTP_GET, "/open");

    (void)state;
    memset(too_long, 'a', sizeof(too_long) - 1);
    field(r, "x-request-id", "A-z_0.9");
    run(r, NULL);
    assert_str(answer_field(r, "x-request-id"), "A-z_0.9");
    finish(r);
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        r = request(HTTP_GET, "/nothing");
        field(r, "x-request-id", bad[i]);
        run(r, NULL);
        assert_int_equal(answer_field(r, "x-request-id").len, 20);
        finish(r);
    }
}

static struct str inflated(struct arena *a, struct str in)
{
    struct gzip_inflater *z = gzip_inflater_new();
    struct buf out;
    struct fail f;

    buf_init_arena(&out, a, 1u << 20);
    assert_int_equal(gzip_inflate(z, GZIP_FORMAT_GZIP, in, 1u << 20, &out, &f), 0);
    gzip_inflater_free(&z);
    return buf_str(&out);
}

static void large_answers_are_compressed_for_those_who_ask(void **state)
{
    static const struct {
        const char *target, *accept;
        bool compressed;
    } rows[] = {
        {"/repeat/2000", "gzip", true},      {"/repeat/2000", "br, GZIP;q=0.5", true},
        {"/repeat/2000", "*", true},         {"/repeat/2000", "identity", false},
        {"/repeat/2000", "gzip;q=0", false}, {"/repeat/2000", "gzip;q=0.000, *", false},
        {"/repeat/2000", "", false},         {"/repeat/1024", "gzip", true},
        {"/repeat/1023", "gzip", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct request *r = request(HTTP_GET, rows[i].target);

        field(r, "accept-encoding", rows[i].accept);
        run(r, NULL);
        assert_int_equal(r->x.resp.status, 200);
        if ((answer_field(r, "content-encoding").len > 0) != rows[i].compressed)
            fail_msg("row %zu", i);
        if (rows[i].compressed) {
            assert_str(answer_field(r, "vary"), "accept-encoding");
            assert_true(r->x.resp.body.len < 200);
            assert_true(inflated(r->x.arena, r->x.resp.body).len >= 1024);
        }
        finish(r);
    }
}

static struct str deflated(struct arena *a, struct str in)
{
    struct gzip_deflater *z = gzip_deflater_new(GZIP_FORMAT_GZIP, 6);
    struct buf out;

    buf_init_arena(&out, a, 1u << 20);
    assert_int_equal(gzip_deflate(z, in, &out), 0);
    gzip_deflater_free(&z);
    return buf_str(&out);
}

static void run_coded(struct request *r, const char *coding, struct str body)
{
    field(r, "content-type", "application/json");
    field(r, "content-encoding", coding);
    r->x.req.content_length = (int64_t)body.len;
    r->x.service->head(&r->x);
    if (r->answers > 0)
        return;
    r->x.req.body = body;
    r->x.service->ready(&r->x);
}

static void compressed_bodies_are_unpacked_within_the_limit(void **state)
{
    struct request *r = request(HTTP_POST, "/echo");
    char big[1001];

    (void)state;
    memset(big, 'x', sizeof(big));
    run_coded(r, "gzip", deflated(r->x.arena, STR("{\"a\":1}")));
    loop_turn(); /* unpacked by a worker */
    assert_answer(r, 200, "{\"a\":1}");
    finish(r);

    r = request(HTTP_POST, "/echo");
    run_coded(r, "gzip", deflated(r->x.arena, str_make(big, 1000)));
    loop_turn();
    assert_int_equal(r->x.resp.status, 200);
    finish(r);

    r = request(HTTP_POST, "/echo");
    run_coded(r, "gzip", deflated(r->x.arena, str_make(big, 1001)));
    loop_turn();
    assert_answer(r, 413, "resource_exhausted|body_too_large|413");
    finish(r);

    r = request(HTTP_POST, "/echo");
    run_coded(r, "gzip", STR("not gzip"));
    loop_turn();
    assert_int_equal(r->x.resp.status, 400);
    finish(r);

    r = request(HTTP_POST, "/echo");
    run_coded(r, "br", STR("{}"));
    assert_answer(r, 415, "unimplemented|content_encoding|415");
    finish(r);

    r = request(HTTP_POST, "/echo"); /* a chain, though in two fields */
    field(r, "content-encoding", "gzip");
    run_coded(r, "gzip", deflated(r->x.arena, STR("{}")));
    assert_answer(r, 415, "unimplemented|content_encoding|415");
    finish(r);

    r = request(HTTP_POST, "/write"); /* by way of a worker, then the lane */
    run_coded(r, "gzip", deflated(r->x.arena, STR("{\"a\":1}")));
    workers_stop(world.host.workers);
    assert_non_null(world.queued);
    assert_str(r->x.req.body, "{\"a\":1}");

    struct fail f = {0};

    assert_int_equal(world.queued->run(world.queued, (struct store_tx *)&world, &f), 0);
    world.queued->done(world.queued, 0, NULL);
    loop_turn();
    assert_int_equal(r->x.resp.status, 201);
    finish(r);
}

static void the_access_line_has_the_facts_and_no_secret(void **state)
{
    struct request *r = request(HTTP_GET, "/hello?token=hush");

    (void)state;
    credential(r);
    field(r, "x-request-id", "rid-1");
    run(r, NULL);
    r->x.bytes_out = 42;
    finish(r);
    r = request(HTTP_GET, "/free"); /* only at debug level */
    credential(r);
    run(r, NULL);
    finish(r);

    const char *text = log_text();

    assert_non_null(strstr(text, "\"request_id\":\"rid-1\""));
    assert_non_null(strstr(text, "\"tenant\":\"acme\""));
    assert_non_null(strstr(text, "\"key\":\"key1\""));
    assert_non_null(strstr(text, "\"route\":\"hello\""));
    assert_non_null(strstr(text, "\"path\":\"/hello\""));
    assert_non_null(strstr(text, "\"code\":200"));
    assert_non_null(strstr(text, "\"bytes_out\":42"));
    assert_null(strstr(text, "secret"));
    assert_null(strstr(text, "hush"));
    assert_null(strstr(text, "\"free\""));
    assert_metric("muster_http_requests_total{route=\"hello\",code=\"200\"} 1");
    assert_metric("muster_http_in_flight 0");
}

static void a_route_is_not_open_because_its_scope_was_forgotten(void **state)
{
    static const uint32_t wrong[][2] = {{SCOPE_NONE, 0},
                                        {SCOPE_NONE, ROUTE_OPEN | ROUTE_KNOWN},
                                        {SCOPE_AGENT, ROUTE_OPEN},
                                        {SCOPE_AGENT, ROUTE_KNOWN}};

    (void)state;
    for (size_t i = 0; i < COUNTOF(wrong); i++) {
        const struct route route = {.name = "r",
                                    .path = "/r",
                                    .verbs = GET_VERB,
                                    .scope = wrong[i][0],
                                    .flags = wrong[i][1],
                                    .handler = say_hello};
        const struct route_table table = {.dialect = &main_dialect, .routes = &route, .count = 1};
        struct router *router;
        struct dispatch *d = NULL;
        struct fail f;

        assert_int_equal(router_new(&table, 1, &router, &f), 0);
        assert_int_equal(dispatch_new(&world.host, router, &d, &f), -1);
        assert_string_equal(f.message,
                            "route r: needs a scope, or one of ROUTE_KNOWN and ROUTE_OPEN");
        router_free(&router);
    }
}

static void tables_that_need_what_the_host_lacks_are_refused(void **state)
{
    struct rpc_host host = world.host;
    struct dispatch *d = NULL;
    struct fail f;

    (void)state;
    host.workers = NULL;
    assert_int_equal(dispatch_new(&host, world.router, &d, &f), -1);
    assert_string_equal(f.message, "route work: there are no workers");
    assert_null(d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_loop_route_answers_at_once),
        TEST(unknown_paths_and_verbs_are_answered_in_the_owners_shape),
        TEST(a_credential_is_needed_and_must_be_good),
        TEST(scopes_are_denied_unless_granted),
        TEST(an_open_route_serves_nobody_and_the_badly_authenticated),
        TEST(socket_and_certificate_stand_in_for_a_credential),
        TEST(media_types_are_checked_where_a_body_counts),
        TEST(bodies_over_the_limit_are_refused_before_they_are_read),
        TEST(broken_queries_are_refused),
        TEST(what_net_refuses_is_shaped_by_the_owner_of_the_path),
        TEST(a_failed_handler_leaves_nothing_in_the_answer),
        TEST(an_answer_over_its_limit_is_an_error_of_ours),
        TEST(a_worker_answers_through_the_loop),
        TEST(a_full_worker_queue_says_so_at_once),
        TEST(a_request_whose_time_is_over_is_not_begun),
        TEST(a_key_that_is_revoked_while_its_request_waits_does_nothing),
        TEST(a_write_is_answered_after_its_commit_and_counts_once_when_retried),
        TEST(a_failed_commit_is_never_told_as_success),
        TEST(limits_refuse_with_advice_and_release_when_sent),
        TEST(request_ids_are_taken_when_sound_and_made_otherwise),
        TEST(large_answers_are_compressed_for_those_who_ask),
        TEST(compressed_bodies_are_unpacked_within_the_limit),
        TEST(the_access_line_has_the_facts_and_no_secret),
        TEST(a_route_is_not_open_because_its_scope_was_forgotten),
        TEST(tables_that_need_what_the_host_lacks_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
