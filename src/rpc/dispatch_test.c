/* SPDX-License-Identifier: Apache-2.0 */
/* From a request's head to its answer: routes, credentials, scopes, bodies, refusals, limits, and
 * what the log and the metrics say of it. */
#include "rpc/dispatch_fixture.h"

/* --- handlers and dialects --- */

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

/* The way of gRPC: always 200, the error in trailers. */
static void shape_trailers(struct call *c, const struct fail *f)
{
    c->status = 200;
    c->content_type = STR("application/grpc");
    http_resp_trailer(c->x, STR("grpc-status"), arena_printf(c->arena, "%d", (int)f->code));
}

static const char *const rpc_prefixes[] = {"/rpc/", NULL};
static const char *const hidden_prefixes[] = {"/hidden/", NULL};
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
    (void)state;
    closed = 0;
    return world_serve(tables, COUNTOF(tables));
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
        TEST(limits_refuse_with_advice_and_release_when_sent),
        TEST(request_ids_are_taken_when_sound_and_made_otherwise),
        TEST(the_access_line_has_the_facts_and_no_secret),
        TEST(a_route_is_not_open_because_its_scope_was_forgotten),
        TEST(tables_that_need_what_the_host_lacks_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
