/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of methods that go from lane to lane. */
#include "rpc/dispatch_fixture.h"

#include "codec/base64.h"
#include "proto/muster_test_v1_test.pb.h"
#include "rpc/method.h"

/* --- a method that moves; the request's text says how --- */

struct trail {
    int steps;
};

static int on_lane(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_test_v1_echo_request *in = request;
    struct muster_test_v1_echo_response *out = response;
    struct trail *t = c->carry;

    (void)f;
    assert_non_null(c->tx);
    assert_int_equal(out->ballast.len, 0);
    out->ballast = STR("lane");
    out->text = in->text;
    out->number = t->steps;
    call_header(c, STR("x-lane"), STR("write"));
    return 0;
}

static int on_worker(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_test_v1_echo_request *in = request;
    struct muster_test_v1_echo_response *out = response;
    struct trail *t = c->carry;

    assert_null(c->tx);
    assert_int_equal(out->number, 0);
    assert_false(pthread_equal(pthread_self(), world.loop));
    clock_advance(world.clock, world.work_us);
    t->steps++;
    out->number = t->steps;
    if (str_eq(in->text, STR("work")))
        return 0;
    if (str_eq(in->text, STR("work fails")))
        return fail_set(f, CODE_ABORTED, "no");
    call_header(c, STR("x-worker"), STR("forgotten"));
    return rpc_move(c, LANE_WRITE, on_lane);
}

static int on_loop(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_test_v1_echo_request *in = request;
    struct muster_test_v1_echo_response *out = response;
    struct trail *t = arena_new_type(c->arena, struct trail);

    (void)f;
    assert_null(c->carry);
    world.began_on_loop = pthread_equal(pthread_self(), world.loop);
    if (str_eq(in->text, STR("stay")) || in->text.len > 100) {
        out->number = (int64_t)in->text.len;
        return 0;
    }
    c->carry = t;
    t->steps = 1;
    out->number = 99;
    call_header(c, STR("x-loop"), STR("forgotten"));
    return str_eq(in->text, STR("straight")) ? rpc_move(c, LANE_WRITE, on_lane)
                                             : rpc_move(c, LANE_WORKER, on_worker);
}

#define MOVES_ALL (MOVES_TO(LANE_WORKER) | MOVES_TO(LANE_WRITE))

static const struct rpc_handler handlers[] = {
    {.method = "EchoMoving", .unary = on_loop, .moves = MOVES_ALL},
    {.method = "EchoHot", .unary = on_loop, .moves = MOVES_ALL},
};
static const struct rpc_service service = {
    .service = &muster_test_v1_test_service_desc,
    .handlers = handlers,
    .handler_count = COUNTOF(handlers),
};

static int build(const struct rpc_service *s, struct fail *f)
{
    const struct rpc_table table = {.dialect = &main_dialect, .services = s, .service_count = 1};
    struct rpc_table *kept = arena_new_type(world.arena, struct rpc_table);
    struct route_table routes;

    *kept = table;
    if (rpc_table_new(kept, world.arena, &routes, f) < 0 ||
        router_new(&routes, 1, &world.router, f) < 0)
        return -1;
    return dispatch_new(&world.host, world.router, &world.dispatch, f);
}

static int setup(void **state)
{
    struct fail f = {0};

    (void)state;
    world_open();
    return build(&service, &f);
}

static struct request *moving(void)
{
    struct request *r = request(HTTP_POST, "/muster.test.v1.TestService/EchoMoving");

    field(r, "content-type", "application/json");
    credential(r);
    return r;
}

/* A call of EchoMoving with that text, up to its first wait. */
static struct request *call(const char *text)
{
    struct request *r = moving();

    field(r, "connect-timeout-ms", "1000");
    run_bytes(r, arena_printf(r->x.arena, "{\"text\":\"%s\"}", text));
    return r;
}

static void assert_answer_has(const struct request *r, int status, const char *part)
{
    assert_int_equal(r->answers, 1);
    assert_int_equal(r->x.resp.status, status);
    if (!memmem(r->x.resp.body.p, r->x.resp.body.len, part, strlen(part)))
        fail_msg("no '%s' in '%.*s'", part, STR_ARG(r->x.resp.body));
}

/* --- tests --- */

static void a_call_goes_from_loop_to_worker_to_lane(void **state)
{
    struct request *r = call("all");

    (void)state;
    lane_turn(1, 0);
    assert_answer_has(r, 200, "{\"text\":\"all\",\"ballast\":\"bGFuZQ==\",\"number\":\"2\"}");
    finish(r);
}

static void a_call_may_end_on_any_lane(void **state)
{
    struct request *r = call("stay");

    (void)state;
    assert_answer_has(r, 200, "{\"number\":\"4\"}");
    finish(r);

    r = call("work");
    loop_turn();
    assert_answer_has(r, 200, "{\"number\":\"2\"}");
    finish(r);

    r = call("straight");
    lane_turn(1, 0);
    assert_answer_has(r, 200, "\"number\":\"1\"");
    finish(r);

    r = call("work fails");
    loop_turn();
    assert_answer_has(r, 409, "aborted");
    finish(r);
}

static void a_retry_on_the_lane_runs_the_last_part_alone(void **state)
{
    struct request *r = call("all");

    (void)state;
    lane_turn(3, 0);
    assert_answer_has(r, 200, "\"number\":\"2\"");
    assert_string_equal(arena_cstr(r->x.arena, answer_field(r, "x-lane")), "write");
    finish(r);
}

static void what_earlier_parts_said_is_forgotten(void **state)
{
    struct request *r = call("all");

    (void)state;
    lane_turn(1, 0);
    assert_null(answer_field(r, "x-loop").p);
    assert_null(answer_field(r, "x-worker").p);
    finish(r);
}

static void a_deadline_counts_over_all_lanes(void **state)
{
    struct request *r = call("straight");

    (void)state;
    clock_advance(world.clock, 1000001);
    lane_turn(1, 0);
    assert_answer_has(r, 504, "deadline_exceeded");
    finish(r);

    world.work_us = 1000001; /* too long on the worker: the lane does nothing any more */
    r = call("all");
    lane_turn(1, 0);
    assert_answer_has(r, 504, "deadline_exceeded");
    finish(r);
}

static void a_key_that_went_meanwhile_ends_the_call(void **state)
{
    struct request *r = call("straight");

    (void)state;
    world.keys_gone = true;
    lane_turn(1, 0);
    assert_answer_has(r, 401, "unauthenticated");
    finish(r);

    r = call("work"); /* the loop does not ask, the worker does */
    loop_turn();
    assert_answer_has(r, 401, "unauthenticated");
    finish(r);
}

static void a_lane_without_room_refuses(void **state)
{
    struct request *r;

    (void)state;
    world.lane_full = true;
    r = call("straight");
    assert_answer_has(r, 503, "unavailable");
    finish(r);

    r = call("all");
    loop_turn();
    assert_answer_has(r, 503, "unavailable");
    finish(r);

    workers_stop(world.host.workers);
    r = call("work");
    assert_answer_has(r, 503, "unavailable");
    finish(r);
}

static void waits_add_up_in_the_access_line(void **state)
{
    struct request *r;

    (void)state;
    world.work_us = 20;
    r = call("all");

    struct rpc_write *w = lane_take();
    struct fail f = {0};

    clock_advance(world.clock, 300);
    assert_int_equal(w->run(w, (struct store_tx *)&world, &f), 0);
    clock_advance(world.clock, 4000);
    w->done(w, 0, &f);
    loop_turn();
    finish(r);
    assert_non_null(strstr(log_text(), "\"queue_us\":300,\"store_us\":4000,\"total_us\":4320"));
}

static void a_large_body_is_unpacked_by_a_worker_and_begins_on_the_loop(void **state)
{
    struct request *r = moving();
    char big[70000];

    (void)state;
    memset(big, 'b', sizeof(big));
    run_bytes(r, arena_printf(r->x.arena, "{\"text\":\"%.*s\"}", (int)sizeof(big), big));
    assert_int_equal(r->answers, 0);
    loop_turn();
    assert_true(world.began_on_loop);
    assert_answer_has(r, 200, "{\"number\":\"70000\"}");
    finish(r);
}

static void a_compressed_body_is_unpacked_by_a_worker(void **state)
{
    struct request *r = moving();

    (void)state;
    field(r, "content-encoding", "gzip");
    run_bytes(r, packed(r->x.arena, GZIP_FORMAT_GZIP, STR("{\"text\":\"stay\"}")));
    assert_int_equal(r->answers, 0);
    loop_turn();
    assert_true(world.began_on_loop);
    assert_answer_has(r, 200, "{\"number\":\"4\"}");
    finish(r);

    r = moving();
    field(r, "content-encoding", "gzip");
    run_bytes(r, STR("no gzip"));
    loop_turn();
    assert_answer_has(r, 400, "invalid_argument");
    finish(r);
}

static void a_compressed_query_is_unpacked_by_a_worker(void **state)
{
    struct request *r = request(HTTP_GET, "/muster.test.v1.TestService/EchoHot");
    struct str text = packed(r->x.arena, GZIP_FORMAT_GZIP, STR("{\"text\":\"stay\"}"));

    (void)state;
    r->x.req.query =
        arena_printf(r->x.arena, "encoding=json&compression=gzip&base64=1&message=%.*s",
                     STR_ARG(base64_encode(r->x.arena, BASE64_URL_BARE, text)));
    run_bytes(r, (struct str){NULL, 0});
    assert_int_equal(r->answers, 0);
    loop_turn();
    assert_answer_has(r, 200, "{\"number\":\"4\"}");
    finish(r);
}

static void moves_must_be_possible(void **state)
{
    static const struct rpc_handler to_loop[] = {
        {.method = "EchoMoving", .unary = on_loop, .moves = MOVES_TO(LANE_LOOP)},
    };
    static const struct rpc_host_ops no_lane = {.authenticate = fake_authenticate};
    struct rpc_service s = {
        .service = &muster_test_v1_test_service_desc, .handlers = to_loop, .handler_count = 1};
    struct workers *workers = world.host.workers;
    struct fail f = {0};

    (void)state;
    dispatch_free(&world.dispatch);
    router_free(&world.router);
    assert_int_equal(build(&s, &f), -1);
    assert_non_null(strstr(f.message, "EchoMoving"));

    world.host.workers = NULL;
    assert_int_equal(build(&service, &f), -1);
    assert_non_null(strstr(f.message, "workers"));
    router_free(&world.router);
    world.host.workers = workers;
    world.host.ops = &no_lane;
    assert_int_equal(build(&service, &f), -1);
    assert_non_null(strstr(f.message, "write lane"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_goes_from_loop_to_worker_to_lane),
        TEST(a_call_may_end_on_any_lane),
        TEST(a_retry_on_the_lane_runs_the_last_part_alone),
        TEST(what_earlier_parts_said_is_forgotten),
        TEST(a_deadline_counts_over_all_lanes),
        TEST(a_key_that_went_meanwhile_ends_the_call),
        TEST(a_lane_without_room_refuses),
        TEST(waits_add_up_in_the_access_line),
        TEST(a_large_body_is_unpacked_by_a_worker_and_begins_on_the_loop),
        TEST(a_compressed_body_is_unpacked_by_a_worker),
        TEST(a_compressed_query_is_unpacked_by_a_worker),
        TEST(moves_must_be_possible),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
