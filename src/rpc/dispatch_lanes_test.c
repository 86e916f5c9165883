/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of the worker and of the write lane: their answers, their waits, what may end them. */
#include "rpc/dispatch_fixture.h"

static const struct route main_routes[] = {
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
};

static const struct route_table tables[] = {
    {.dialect = &main_dialect, .routes = main_routes, .count = COUNTOF(main_routes)},
};

static int setup(void **state)
{
    (void)state;
    return world_serve(tables, COUNTOF(tables));
}

/* --- tests --- */

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_worker_answers_through_the_loop),
        TEST(a_full_worker_queue_says_so_at_once),
        TEST(a_request_whose_time_is_over_is_not_begun),
        TEST(a_key_that_is_revoked_while_its_request_waits_does_nothing),
        TEST(a_write_is_answered_after_its_commit_and_counts_once_when_retried),
        TEST(a_failed_commit_is_never_told_as_success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
