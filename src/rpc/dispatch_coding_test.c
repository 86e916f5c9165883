/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed bodies and answers of plain routes. */
#include "rpc/dispatch_fixture.h"

static const char *const json_media[] = {"application/json", NULL};

static const struct route main_routes[] = {
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
    {.name = "write",
     .path = "/write",
     .verbs = VERB(HTTP_POST),
     .lane = LANE_WRITE,
     .flags = ROUTE_OPEN,
     .handler = write_twice,
     .body_limit = 1000},
};

static const struct route_table tables[] = {
    {.dialect = &main_dialect, .routes = main_routes, .count = COUNTOF(main_routes)},
};

static int setup(void **state)
{
    (void)state;
    return world_serve(tables, COUNTOF(tables));
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

/* --- tests --- */

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

static void compressed_bodies_are_unpacked_within_the_limit(void **state)
{
    struct request *r = request(HTTP_POST, "/echo");
    char big[1001];

    (void)state;
    memset(big, 'x', sizeof(big));
    run_coded(r, "gzip", packed(r->x.arena, GZIP_FORMAT_GZIP, STR("{\"a\":1}")));
    loop_turn(); /* unpacked by a worker */
    assert_answer(r, 200, "{\"a\":1}");
    finish(r);

    r = request(HTTP_POST, "/echo");
    run_coded(r, "gzip", packed(r->x.arena, GZIP_FORMAT_GZIP, str_make(big, 1000)));
    loop_turn();
    assert_int_equal(r->x.resp.status, 200);
    finish(r);

    r = request(HTTP_POST, "/echo");
    run_coded(r, "gzip", packed(r->x.arena, GZIP_FORMAT_GZIP, str_make(big, 1001)));
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
    run_coded(r, "gzip", packed(r->x.arena, GZIP_FORMAT_GZIP, STR("{}")));
    assert_answer(r, 415, "unimplemented|content_encoding|415");
    finish(r);

    r = request(HTTP_POST, "/write"); /* by way of a worker, then the lane */
    run_coded(r, "gzip", packed(r->x.arena, GZIP_FORMAT_GZIP, STR("{\"a\":1}")));
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(large_answers_are_compressed_for_those_who_ask),
        TEST(compressed_bodies_are_unpacked_within_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
