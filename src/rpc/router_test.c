/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rpc/route.h"

static int serve(struct call *c, struct fail *f)
{
    (void)c;
    (void)f;
    return 0;
}

static const char *const root_prefixes[] = {"/", NULL};
static const char *const sumo_prefixes[] = {"/api/v1/", "/v1/", NULL};
static const struct dialect root = {.name = "root", .prefixes = root_prefixes};
static const struct dialect clean = {
    .name = "clean",
    .prefixes = sumo_prefixes,
    .path_flags = PATH_COLLAPSE_SLASHES | PATH_IGNORE_FINAL_SLASH | PATH_LITERALS_HIDE,
};

#define ROUTE(n, p, v)                                                                             \
    {                                                                                              \
        .name = (n), .path = (p), .verbs = (v), .handler = serve                                   \
    }

static const struct route root_routes[] = {
    ROUTE("home", "/", GET_VERB),
    ROUTE("keys", "/keys", GET_VERB | VERB(HTTP_POST)),
    ROUTE("key", "/keys/{id}", GET_VERB | VERB(HTTP_DELETE)),
    ROUTE("key.me", "/keys/me", GET_VERB),
    ROUTE("key.cancel", "/keys/{id}:cancel", VERB(HTTP_POST)),
    ROUTE("keys.batch", "/keys:batch", VERB(HTTP_POST)),
    ROUTE("thing", "/things/{id:int}", GET_VERB),
    ROUTE("thing.name", "/things/{name}", GET_VERB),
    ROUTE("file", "/files/{rest:path}", GET_VERB),
    ROUTE("deep", "/a/{x}/c", GET_VERB),
    ROUTE("deeper", "/a/b/d", GET_VERB),
    ROUTE("rpc", "/pkg.v1.Service/Method", VERB(HTTP_POST)),
    ROUTE("job", "/jobs/{id}", GET_VERB),
    ROUTE("job.offline", "/jobs/offline", VERB(HTTP_DELETE)),
};

static const struct route clean_routes[] = {
    ROUTE("sumo.list", "collectors", GET_VERB),
    ROUTE("sumo.get", "collectors/{id:int}", GET_VERB | VERB(HTTP_PUT)),
    ROUTE("sumo.offline", "collectors/offline", GET_VERB),
    ROUTE("sumo.name", "collectors/name/{name:path}", GET_VERB),
    ROUTE("sumo.task", "tasks/{id}", GET_VERB | VERB(HTTP_PUT)),
    ROUTE("sumo.open", "tasks/open", GET_VERB),
    ROUTE("sumo.open.all", "tasks/open/all", GET_VERB),
};

static const struct route_table tables[] = {
    {.dialect = &root, .routes = root_routes, .count = COUNTOF(root_routes)},
    {.dialect = &clean, .routes = clean_routes, .count = COUNTOF(clean_routes)},
};

struct fixture {
    struct arena *arena;
    struct router *router;
};

static int setup(void **state)
{
    static struct fixture fx;
    struct fail f = {0};

    fx.arena = arena_new(4096);
    if (router_new(tables, COUNTOF(tables), &fx.router, &f) < 0) {
        printf("%s\n", f.message);
        return -1;
    }
    *state = &fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;

    router_free(&fx->router);
    arena_free(&fx->arena);
    return 0;
}

/* Expected: "name p1 p2", or "404", "405 <bits>", "400". */
static void check(struct fixture *fx, enum http_method m, const char *path, const char *expected)
{
    struct route_hit hit;
    struct str p = str_of(path);
    struct str got = {NULL, 0};

    switch (router_match(fx->router, fx->arena, m, p, &hit)) {
    case ROUTE_FOUND:
        got = str_of(hit.route->name);
        assert_ptr_equal(router_route_at(fx->router, hit.index), hit.route);
        for (size_t i = 0; i < hit.param_count; i++)
            got = arena_printf(fx->arena, "%.*s %.*s", STR_ARG(got), STR_ARG(hit.params[i]));
        break;
    case ROUTE_NO_PATH: got = STR("404"); break;
    case ROUTE_NO_VERB: got = arena_printf(fx->arena, "405 %u", hit.allow); break;
    case ROUTE_BAD_ENCODING: got = STR("400"); break;
    }
    if (!str_eq(got, str_of(expected)))
        fail_msg("%s: got '%.*s', expected '%s'", path, STR_ARG(got), expected);
}

static void paths_find_their_routes(void **state)
{
    static const struct {
        enum http_method method;
        const char *path;
        const char *expected;
    } rows[] = {
        {HTTP_GET, "/", "home"},
        {HTTP_GET, "/keys", "keys"},
        {HTTP_HEAD, "/keys", "keys"},
        {HTTP_POST, "/keys", "keys"},
        {HTTP_GET, "/keys/k1", "key k1"},
        {HTTP_HEAD, "/keys/k1", "key k1"},
        {HTTP_GET, "/keys/me", "key.me"},
        {HTTP_DELETE, "/keys/me", "key me"},
        {HTTP_POST, "/keys/k1:cancel", "key.cancel k1"},
        {HTTP_POST, "/keys/a:b:cancel", "key.cancel a:b"},
        {HTTP_GET, "/keys/k1:cancel", "key k1:cancel"},
        {HTTP_POST, "/keys:batch", "keys.batch"},
        {HTTP_GET, "/things/17", "thing 17"},
        {HTTP_GET, "/things/9223372036854775807", "thing 9223372036854775807"},
        {HTTP_GET, "/things/9223372036854775808", "thing.name 9223372036854775808"},
        {HTTP_GET, "/things/0", "thing.name 0"},
        {HTTP_GET, "/things/017", "thing.name 017"},
        {HTTP_GET, "/things/-1", "thing.name -1"},
        {HTTP_GET, "/things/%31", "thing.name 1"},
        {HTTP_GET, "/files/a/b//c/", "file a/b//c/"},
        {HTTP_GET, "/a/b/c", "deep b"},
        {HTTP_GET, "/a/b/d", "deeper"},
        {HTTP_POST, "/pkg.v1.Service/Method", "rpc"},
        {HTTP_GET, "/jobs/offline", "job offline"},
        {HTTP_DELETE, "/jobs/offline", "job.offline"},
    };

    for (size_t i = 0; i < COUNTOF(rows); i++)
        check(*state, rows[i].method, rows[i].path, rows[i].expected);
}

static void unknown_paths_are_not_found(void **state)
{
    static const char *const paths[] = {
        "/nothing", "/keys/",  "/keys/a/b", "//keys", "/keys//a",
        "/files/",  "/files",  "*",         "",       "/a",
        "/KEYS",    "/%6beys", "/a/b",      "keys",   "/pkg.v1.Service/method",
        "/jobs",
    };

    for (size_t i = 0; i < COUNTOF(paths); i++)
        check(*state, HTTP_GET, paths[i], "404");
}

static void a_known_path_with_another_verb_lists_all_verbs_of_that_path(void **state)
{
    char expected[64];

    snprintf(expected, sizeof(expected), "405 %u",
             VERB(HTTP_GET) | VERB(HTTP_HEAD) | VERB(HTTP_POST));
    check(*state, HTTP_PUT, "/keys", expected);
    check(*state, HTTP_OTHER, "/keys", expected);

    /* /jobs/offline is served for DELETE, and for GET as /jobs/{id}. */
    snprintf(expected, sizeof(expected), "405 %u",
             VERB(HTTP_GET) | VERB(HTTP_HEAD) | VERB(HTTP_DELETE));
    check(*state, HTTP_PATCH, "/jobs/offline", expected);
}

static void where_literals_hide_a_parameter_never_has_their_path(void **state)
{
    char expected[64];

    snprintf(expected, sizeof(expected), "405 %u", VERB(HTTP_GET) | VERB(HTTP_HEAD));
    check(*state, HTTP_GET, "/v1/tasks/open", "sumo.open");
    check(*state, HTTP_PUT, "/v1/tasks/open", expected);
    check(*state, HTTP_PUT, "//v1//tasks/open/", expected);
    check(*state, HTTP_PUT, "/v1/tasks/opened", "sumo.task opened");
    check(*state, HTTP_PUT, "/v1/tasks/open/al", "404");
}

static void a_parameter_is_decoded_once_after_the_path_was_split(void **state)
{
    check(*state, HTTP_GET, "/keys/a%2Fb", "key a/b");
    check(*state, HTTP_GET, "/keys/a%252Fb", "key a%2Fb");
    check(*state, HTTP_GET, "/keys/a+b", "key a+b");
    check(*state, HTTP_GET, "/keys/%2e%2e", "key ..");
    check(*state, HTTP_GET, "/files/a%2Fb/%20", "file a/b/ ");
    check(*state, HTTP_POST, "/keys/a%3Acancel", "405 35");
}

static void broken_encodings_are_refused(void **state)
{
    check(*state, HTTP_GET, "/keys/%", "400");
    check(*state, HTTP_GET, "/keys/%zz", "400");
    check(*state, HTTP_GET, "/keys/a%0", "400");
    check(*state, HTTP_GET, "/keys/a%00b", "400");
    check(*state, HTTP_GET, "/keys/%ff", "400");
    check(*state, HTTP_GET, "/keys/%c3%28", "400");
}

static void a_lenient_dialect_ignores_empty_segments_and_one_final_slash(void **state)
{
    check(*state, HTTP_GET, "/api/v1/collectors/", "sumo.list");
    check(*state, HTTP_GET, "/api/v1//collectors", "sumo.list");
    check(*state, HTTP_GET, "/api/v1//collectors//offline/", "sumo.offline");
    check(*state, HTTP_GET, "/api//v1/collectors", "sumo.list");
    check(*state, HTTP_GET, "//v1///collectors//7//", "sumo.get 7");
    check(*state, HTTP_GET, "//keys", "404");
    check(*state, HTTP_GET, "/api/v1/collectors/name/a.b/", "sumo.name a.b");
    check(*state, HTTP_GET, "/api/v1/collectors/name/env/x%2Fy", "sumo.name env/x/y");
    check(*state, HTTP_GET, "/api/v1/collectors/x", "404");
}

static void a_relative_template_is_served_under_each_prefix(void **state)
{
    check(*state, HTTP_GET, "/api/v1/collectors", "sumo.list");
    check(*state, HTTP_GET, "/v1/collectors/7", "sumo.get 7");
}

static void a_miss_belongs_to_the_dialect_with_the_longest_prefix(void **state)
{
    struct fixture *fx = *state;
    struct route_hit hit;

    assert_int_equal(router_match(fx->router, fx->arena, HTTP_GET, STR("/api/v1/nothing"), &hit),
                     ROUTE_NO_PATH);
    assert_ptr_equal(hit.table->dialect, &clean);
    assert_int_equal(router_match(fx->router, fx->arena, HTTP_GET, STR("/api/v1"), &hit),
                     ROUTE_NO_PATH);
    assert_ptr_equal(hit.table->dialect, &clean);
    assert_int_equal(router_match(fx->router, fx->arena, HTTP_GET, STR("/api/v2"), &hit),
                     ROUTE_NO_PATH);
    assert_ptr_equal(hit.table->dialect, &root);
    assert_ptr_equal(router_owner(fx->router, STR("/v1/"))->dialect, &clean);
    assert_null(router_owner(fx->router, STR("*")));
    assert_ptr_equal(router_table_at(fx->router, COUNTOF(root_routes))->dialect, &clean);
}

static void paths_with_too_many_segments_are_not_found(void **state)
{
    char path[8192] = "/files";

    for (size_t i = 0; i < 70; i++)
        memcpy(path + 6 + 2 * i, "/a", 3);
    check(*state, HTTP_GET, path, "404");
    memset(path, '/', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    check(*state, HTTP_GET, path, "404");
    memcpy(path, "/api/v1/", 8);
    memcpy(path + sizeof(path) - 12, "/collectors", 12);
    check(*state, HTTP_GET, path, "sumo.list");
}

static void refused(const struct route *routes, size_t count, const struct dialect *d,
                    const char *message)
{
    const struct route_table table = {.dialect = d, .routes = routes, .count = count};
    struct router *r = NULL;
    struct fail f = {0};

    assert_int_equal(router_new(&table, 1, &r, &f), -1);
    assert_null(r);
    assert_string_equal(f.message, message);
}

static void wrong_tables_are_refused_at_start(void **state)
{
    static const struct route twice[] = {ROUTE("one", "/x/{a}", GET_VERB),
                                         ROUTE("two", "/x/{b}", VERB(HTTP_HEAD))};
    static const struct route rows[] = {
        ROUTE("r", "/x/", GET_VERB),
        ROUTE("r", "/x/{a", GET_VERB),
        ROUTE("r", "/x/{a}b", GET_VERB),
        ROUTE("r", "/x/{a:uuid}", GET_VERB),
        ROUTE("r", "/x/{a:path}/b", GET_VERB),
        ROUTE("r", "/{a}/{a}", GET_VERB),
        ROUTE("r", "/x//y", GET_VERB),
        ROUTE("r", "/x y", GET_VERB),
        ROUTE("r", "/{a}:b/c", GET_VERB),
        ROUTE("r", "/x/{A}", GET_VERB),
        ROUTE("r", "/x", 0),
        ROUTE("r", "/x", VERB(HTTP_OTHER)),
        ROUTE(NULL, "/x", GET_VERB),
    };
    static const char *const messages[] = {
        "route r: ends in a slash",
        "route r: '{' without '}'",
        "route r: what follows '}' must be ':verb' at the end",
        "route r: cannot use parameter type 'uuid'",
        "route r: cannot use parameter type 'path'",
        "route r: two parameters 'a'",
        "route r: bad segment ''",
        "route r: bad segment 'x y'",
        "route r: what follows '}' must be ':verb' at the end",
        "route r: bad parameter name",
        "route r: bad set of verbs",
        "route r: bad set of verbs",
        "route (unnamed): name, path or handler is missing",
    };
    static const struct route outside[] = {ROUTE("r", "/x", GET_VERB)};

    (void)state;
    _Static_assert(COUNTOF(rows) == COUNTOF(messages), "a message for each row");
    for (size_t i = 0; i < COUNTOF(rows); i++)
        refused(&rows[i], 1, &root, messages[i]);
    refused(twice, 2, &root, "routes one and two answer the same request");
    refused(outside, 1, &clean, "route r: '/x' is outside its dialect");
    refused(outside, 0, &root, "dialect root: a table without routes");
}

static void two_dialects_cannot_own_the_same_prefix(void **state)
{
    static const struct dialect other = {.name = "other", .prefixes = root_prefixes};
    static const struct route routes[] = {ROUTE("r", "/x", GET_VERB)};
    const struct route_table both[] = {{.dialect = &root, .routes = routes, .count = 1},
                                       {.dialect = &other, .routes = routes, .count = 1}};
    struct router *r = NULL;
    struct fail f = {0};

    (void)state;
    assert_int_equal(router_new(both, 2, &r, &f), -1);
    assert_string_equal(f.message, "dialects root and other both own '/'");
}

static void a_literal_match_costs_no_memory(void **state)
{
    struct fixture *fx = *state;
    struct route_hit hit;
    size_t before = arena_used(fx->arena);

    assert_int_equal(router_match(fx->router, fx->arena, HTTP_GET, STR("/keys"), &hit),
                     ROUTE_FOUND);
    assert_int_equal(arena_used(fx->arena), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_find_their_routes),
        cmocka_unit_test(unknown_paths_are_not_found),
        cmocka_unit_test(a_known_path_with_another_verb_lists_all_verbs_of_that_path),
        cmocka_unit_test(where_literals_hide_a_parameter_never_has_their_path),
        cmocka_unit_test(a_parameter_is_decoded_once_after_the_path_was_split),
        cmocka_unit_test(broken_encodings_are_refused),
        cmocka_unit_test(a_lenient_dialect_ignores_empty_segments_and_one_final_slash),
        cmocka_unit_test(a_relative_template_is_served_under_each_prefix),
        cmocka_unit_test(a_miss_belongs_to_the_dialect_with_the_longest_prefix),
        cmocka_unit_test(paths_with_too_many_segments_are_not_found),
        cmocka_unit_test(wrong_tables_are_refused_at_start),
        cmocka_unit_test(two_dialects_cannot_own_the_same_prefix),
        cmocka_unit_test(a_literal_match_costs_no_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
