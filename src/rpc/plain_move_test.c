/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of plain routes that go from lane to lane, or wait for somebody else. */
#include "rpc/dispatch_fixture.h"

/* --- a route that moves and waits; the request's body says how --- */

struct trail {
    int steps;
};

/* Guarded by world.lock. */
static struct call *waiting;

static bool says(const struct call *c, const char *text)
{
    return str_eq(c->x->req.body, str_of(text));
}

static int plain_write(struct call *c, struct fail *f)
{
    struct trail *t = c->carry;

    (void)f;
    assert_non_null(c->tx);
    assert_int_equal(c->out.len, 0);
    buf_printf(&c->out, "lane after %d", t->steps);
    http_resp_add(c->x, STR("x-lane"), STR("write"));
    return 0;
}

static int begin_wait(struct call *c)
{
    if (says(c, "work wait early")) {
        buf_put_str(&c->out, STR("early"));
        call_done(c, 0, NULL); /* as another thread may that is quicker than we */
        return call_wait(c);
    }
    pthread_mutex_lock(&world.lock);
    waiting = c;
    pthread_cond_signal(&world.moved);
    pthread_mutex_unlock(&world.lock);
    return call_wait(c);
}

static int plain_worker(struct call *c, struct fail *f)
{
    struct trail *t = c->carry;

    assert_null(c->tx);
    assert_int_equal(c->out.len, 0);
    assert_false(pthread_equal(pthread_self(), world.loop));
    clock_advance(world.clock, world.work_us);
    t->steps++;
    if (says(c, "work fails"))
        return fail_set(f, CODE_ABORTED, "no");
    if (says(c, "work wait") || says(c, "work wait early"))
        return begin_wait(c);
    buf_put_str(&c->out, STR("worker"));
    http_resp_add(c->x, STR("x-worker"), STR("forgotten"));
    return says(c, "work") ? 0 : call_move(c, LANE_WRITE, plain_write);
}

static int plain_loop(struct call *c, struct fail *f)
{
    struct trail *t = arena_new_type(c->arena, struct trail);

    (void)f;
    assert_true(pthread_equal(pthread_self(), world.loop));
    world.began_on_loop = true;
    if (says(c, "stay") || c->x->req.body.len > 100) {
        buf_printf(&c->out, "%zu bytes", c->x->req.body.len);
        return 0;
    }
    if (says(c, "wait"))
        return begin_wait(c);
    c->carry = t;
    t->steps = 1;
    buf_put_str(&c->out, STR("forgotten"));
    return says(c, "straight") ? call_move(c, LANE_WRITE, plain_write)
                               : call_move(c, LANE_WORKER, plain_worker);
}

static const struct route plain_routes[] = {
    {.name = "plain",
     .path = "/plain",
     .verbs = VERB(HTTP_POST),
     .lane = LANE_LOOP,
     .handler = plain_loop,
     .flags = ROUTE_OPEN | ROUTE_MOVES | ROUTE_DEFLATE,
     .body_limit = 1u << 20},
};

static int setup(void **state)
{
    const struct route_table table = {
        .dialect = &main_dialect, .routes = plain_routes, .count = COUNTOF(plain_routes)};

    (void)state;
    waiting = NULL;
    return world_serve(&table, 1);
}

/* --- requests --- */

static struct request *plain(const char *text)
{
    struct request *r = request(HTTP_POST, "/plain");

    run_bytes(r, arena_str(r->x.arena, str_of(text)));
    return r;
}

/* The call that waits, once it does. */
static struct call *waiting_take(void)
{
    pthread_mutex_lock(&world.lock);
    while (!waiting)
        pthread_cond_wait(&world.moved, &world.lock);

    struct call *c = waiting;

    waiting = NULL;
    pthread_mutex_unlock(&world.lock);
    return c;
}

static void a_plain_call_goes_from_loop_to_worker_to_lane(void **state)
{
    struct request *r = plain("all");

    (void)state;
    lane_turn(3, 0);
    assert_answer(r, 200, "lane after 2");
    assert_null(answer_field(r, "x-worker").p);
    assert_string_equal(arena_cstr(r->x.arena, answer_field(r, "x-lane")), "write");
    finish(r);
}

static void a_plain_call_may_end_on_any_lane(void **state)
{
    struct request *r = plain("stay");

    (void)state;
    assert_answer(r, 200, "4 bytes");
    finish(r);

    r = plain("work");
    loop_turn();
    assert_answer(r, 200, "worker");
    finish(r);

    r = plain("straight");
    lane_turn(1, 0);
    assert_answer(r, 200, "lane after 1");
    finish(r);

    r = plain("work fails");
    loop_turn();
    assert_answer(r, 409, "aborted||409");
    finish(r);
}

static void a_plain_call_that_finds_no_room_is_refused(void **state)
{
    struct request *r;

    (void)state;
    world.lane_full = true;
    r = plain("straight");
    assert_answer(r, 503, "unavailable|queue_full|503");
    finish(r);

    r = plain("all");
    loop_turn();
    assert_answer(r, 503, "unavailable|queue_full|503");
    finish(r);

    workers_stop(world.host.workers);
    r = plain("work");
    assert_answer(r, 503, "unavailable|overloaded|503");
    finish(r);
}

static void a_call_waits_until_it_is_told_done(void **state)
{
    struct request *r = plain("wait");
    struct call *c = waiting_take();

    (void)state;
    assert_null(world.posted);
    clock_advance(world.clock, INT64_C(3600) * 1000000); /* a deadline does not end the wait */
    buf_put_str(&c->out, STR("at last"));
    c->status = 201;
    call_done(c, 0, NULL);
    assert_int_equal(r->answers, 0); /* the answer is the loop's */
    loop_turn();
    assert_answer(r, 201, "at last");
    finish(r);
}

static void a_call_that_waited_may_fail(void **state)
{
    struct fail f = {0}, empty = {0};
    struct request *r = plain("wait");

    (void)state;
    IGNORE(fail_reason(&f, CODE_RESOURCE_EXHAUSTED, "full", "the disk is full"));
    call_done(waiting_take(), -1, &f);
    loop_turn();
    assert_answer(r, 429, "resource_exhausted|full|429");
    finish(r);

    r = plain("wait");
    call_done(waiting_take(), -1, &empty); /* never looks like success */
    loop_turn();
    assert_answer(r, 503, "unavailable||503");
    finish(r);
}

static void a_worker_may_wait_too(void **state)
{
    struct request *r = plain("work wait");
    struct call *c = waiting_take();

    (void)state;
    buf_put_str(&c->out, STR("worked"));
    call_done(c, 0, NULL);
    loop_turn();
    assert_answer(r, 200, "worked");
    finish(r);
}

static void done_may_come_before_the_handler_has_returned(void **state)
{
    struct request *r = plain("work wait early");

    (void)state;
    loop_turn();
    assert_answer(r, 200, "early");
    finish(r);
}

/* Whoever of the two comes second brings the call home; nobody touches it afterwards. */
static void done_and_the_handler_race_for_the_call(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        struct request *r = plain("work wait");

        call_done(waiting_take(), 0, NULL);
        loop_turn();
        assert_answer(r, 200, "");
        finish(r);
    }
}

static void a_plain_body_is_unpacked_by_a_worker_and_begins_on_the_loop(void **state)
{
    struct request *r = request(HTTP_POST, "/plain");

    (void)state;
    field(r, "content-encoding", "gzip");
    run_bytes(r, packed(r->x.arena, GZIP_FORMAT_GZIP, STR("stay")));
    assert_int_equal(r->answers, 0);
    assert_false(world.began_on_loop);
    loop_turn();
    assert_true(world.began_on_loop);
    assert_answer(r, 200, "4 bytes");
    finish(r);

    r = request(HTTP_POST, "/plain");
    field(r, "content-encoding", "deflate");
    run_bytes(r, packed(r->x.arena, GZIP_FORMAT_ZLIB, STR("straight")));
    loop_turn();
    lane_turn(1, 0);
    assert_answer(r, 200, "lane after 1");
    finish(r);
}

static void plain_moves_must_be_possible(void **state)
{
    static const struct route wrong = {.name = "wrong",
                                       .path = "/wrong",
                                       .verbs = GET_VERB,
                                       .lane = LANE_WRITE,
                                       .handler = plain_loop,
                                       .flags = ROUTE_OPEN | ROUTE_MOVES};
    const struct route_table table = {.dialect = &main_dialect, .routes = &wrong, .count = 1};
    struct workers *workers = world.host.workers;
    struct route lent = plain_routes[0];
    const struct route_table moving_table = {.dialect = &main_dialect, .routes = &lent, .count = 1};
    struct fail f = {0};

    (void)state;
    dispatch_free(&world.dispatch);
    router_free(&world.router);
    assert_int_equal(router_new(&table, 1, &world.router, &f), 0);
    assert_int_equal(dispatch_new(&world.host, world.router, &world.dispatch, &f), -1);
    assert_non_null(strstr(f.message, "wrong"));
    router_free(&world.router);

    world.host.workers = NULL;
    assert_int_equal(router_new(&moving_table, 1, &world.router, &f), 0);
    assert_int_equal(dispatch_new(&world.host, world.router, &world.dispatch, &f), -1);
    assert_non_null(strstr(f.message, "workers"));
    world.host.workers = workers;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_call_goes_from_loop_to_worker_to_lane),
        TEST(a_plain_call_may_end_on_any_lane),
        TEST(a_plain_call_that_finds_no_room_is_refused),
        TEST(a_call_waits_until_it_is_told_done),
        TEST(a_call_that_waited_may_fail),
        TEST(a_worker_may_wait_too),
        TEST(done_may_come_before_the_handler_has_returned),
        TEST(done_and_the_handler_race_for_the_call),
        TEST(a_plain_body_is_unpacked_by_a_worker_and_begins_on_the_loop),
        TEST(plain_moves_must_be_possible),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
