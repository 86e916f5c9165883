/* SPDX-License-Identifier: Apache-2.0 */
#include "api/sumologic/room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct world {
    struct metrics *metrics;
    struct room *room;
};

static int setup(void **state)
{
    static struct world w;

    w.metrics = metrics_new();
    w.room = room_new(1000, w.metrics);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    room_free(&w->room);
    metrics_free(&w->metrics);
    return 0;
}

/* NULL: it was refused. Freeing the arena ends the request. */
static struct arena *take_packed(struct room *r, int64_t length, size_t unpacked)
{
    static struct http_field packed = {STR_INIT("content-encoding"), STR_INIT("gzip")};
    static const struct route route = {.body_limit = 5000};
    struct arena *a = arena_new(1024);
    struct http_x *x = arena_new_type(a, struct http_x);
    struct call *c = arena_new_type(a, struct call);
    struct fail f = {0};

    x->req.method = HTTP_POST;
    x->req.content_length = length;
    x->req.fields = &packed;
    x->req.field_count = unpacked > 0 ? 1 : 0;
    c->x = x;
    c->arena = a;
    c->route = &route;
    if (room_take(r, c, &f) == 0) {
        x->req.body.len = unpacked;
        if (room_take_unpacked(r, c, &f) == 0)
            return a;
    }
    assert_int_equal(f.code, CODE_UNAVAILABLE);
    assert_true(f.retry_after_ms > 0);
    arena_free(&a);
    return NULL;
}

static struct arena *take(struct room *r, int64_t length)
{
    return take_packed(r, length, 0);
}

static void bodies_share_the_room(void **state)
{
    const struct world *w = *state;
    struct arena *first = take(w->room, 600), *second = take(w->room, 400);

    assert_non_null(first);
    assert_non_null(second);
    assert_null(take(w->room, 1));
    arena_free(&first);
    assert_null(take(w->room, 601));
    first = take(w->room, 600);
    assert_non_null(first);
    arena_free(&first);
    arena_free(&second);
}

static void a_body_that_is_alone_always_fits(void **state)
{
    const struct world *w = *state;
    struct arena *large = take(w->room, 5000);

    assert_non_null(large);
    assert_null(take(w->room, 1));
    arena_free(&large);
    large = take(w->room, -1);
    assert_non_null(large);
    assert_null(take(w->room, 1));
    arena_free(&large);
}

static void a_body_takes_what_it_has_become(void **state)
{
    const struct world *w = *state;
    struct arena *small = take_packed(w->room, 10, 100), *large;

    assert_non_null(small);
    assert_null(take_packed(w->room, 10, 841));
    large = take_packed(w->room, 10, 840);
    assert_non_null(large);
    assert_null(take(w->room, 1));
    arena_free(&small);
    arena_free(&large);

    /* And all of it when it is alone. */
    large = take_packed(w->room, 10, 5000);
    assert_non_null(large);
    assert_null(take(w->room, 1));
    arena_free(&large);
    large = take(w->room, 1000);
    assert_non_null(large);
    arena_free(&large);
}

static void a_request_is_expected_to_be_as_large_as_it_may_become(void **state)
{
    struct http_field packed = {STR_INIT("content-encoding"), STR_INIT("gzip")};
    struct http_req req = {.method = HTTP_POST, .content_length = 10};

    (void)state;
    assert_int_equal(room_estimate(&req, 1600), 10);
    req.content_length = -1;
    assert_int_equal(room_estimate(&req, 1600), 1600);
    req.fields = &packed;
    req.field_count = 1;
    assert_int_equal(room_estimate(&req, 1600), 1600);
    req.content_length = 10;
    assert_int_equal(room_estimate(&req, 1600), 160);
    req.content_length = 1000;
    assert_int_equal(room_estimate(&req, 1600), 1600);
    req.content_length = INT64_MAX;
    assert_int_equal(room_estimate(&req, 1600), 1600);
    req.method = HTTP_GET;
    assert_int_equal(room_estimate(&req, 1600), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bodies_share_the_room, setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_that_is_alone_always_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_takes_what_it_has_become, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_is_expected_to_be_as_large_as_it_may_become,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
