/* SPDX-License-Identifier: Apache-2.0 */
/* Templates, queries, and tables of methods as routes. */
#include "rpc/rest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/muster_test_v1_test.pb.h"
#include "rpc/method.h"

static const struct proto_service *service(void)
{
    return &muster_test_v1_test_service_desc;
}

static const struct proto_method *method(int index)
{
    return &service()->methods[index];
}

#define LIST   MUSTER_TEST_V1_TEST_SERVICE_LIST_THINGS
#define UPDATE MUSTER_TEST_V1_TEST_SERVICE_UPDATE_THING

static int set_up(void **state)
{
    *state = arena_new(4096);
    return 0;
}

static int tear_down(void **state)
{
    struct arena *a = *state;

    arena_free(&a);
    return 0;
}

/* --- templates --- */

static void templates_become_the_routers(void **state)
{
    static const struct {
        const char *path;
        const char *route;
    } cases[] = {
        {"/v1/things", "/v1/things"},
        {"/v1/things:plain", "/v1/things:plain"},
        {"/v1/{parent}/things", "/v1/{p0}/things"},
        {"/v1/{parent=shelves/*}/things", "/v1/shelves/{p0}/things"},
        {"/v1/{parent=shelves/*/rows/*}:count", "/v1/shelves/{p0}/rows/{p1}:count"},
        {"/v1/{parent=**}", "/v1/{p0:path}"},
        {"/v1/*/{filter.page.token}", "/v1/{p0}/{p1}"},
        {"/v1/{parent}/{filter.color}/{at_most}/{since}/{deep}", "/v1/{p0}/{p1}/{p2}/{p3}/{p4}"},
    };

    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct proto_http http = {.verb = STR("GET"), .path = str_of(cases[i].path)};
        struct rest_binding *b = NULL;
        struct fail f;

        assert_int_equal(rest_binding_new(*state, method(LIST), &http, &b, &f), 0);
        assert_non_null(b);
        assert_string_equal(b->route_path, cases[i].route);
        assert_int_equal(b->verb, VERB(HTTP_GET));
    }
}

static void bad_templates_are_refused(void **state)
{
    static const char *const paths[] = {
        "",
        "v1",
        "/",
        "/v1/{parent",
        "/v1/{parent}x",
        "/v1//x",
        "/v1/{none}",
        "/v1/{filter}",      /* a message */
        "/v1/{numbers}",     /* a list */
        "/v1/{filter.none}", /* no such field */
        "/v1/{parent.x}",    /* no message */
        "/v1/{=x}",
        "/v1/x*",
        "/v1/{parent=a//b}",
        "/:go",
        "/v1/a b",
        "/v1/x:",
    };

    for (size_t i = 0; i < COUNTOF(paths); i++) {
        const struct proto_http http = {.verb = STR("GET"), .path = str_of(paths[i])};
        struct rest_binding *b = NULL;
        struct fail f = {0};

        if (rest_binding_new(*state, method(LIST), &http, &b, &f) == 0)
            fail_msg("accepted: %s", paths[i]);
        assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    }
}

static void bodies_must_be_fields(void **state)
{
    const struct proto_http good = {
        .verb = STR("PUT"), .path = STR("/x"), .body = STR("thing"), .response_body = STR("title")};
    const struct proto_http bad = {.verb = STR("PUT"), .path = STR("/x"), .body = STR("none")};
    const struct proto_http bad_answer = {
        .verb = STR("PUT"), .path = STR("/x"), .response_body = STR("none")};
    struct rest_binding *b = NULL;
    struct fail f;

    assert_int_equal(rest_binding_new(*state, method(UPDATE), &good, &b, &f), 0);
    assert_true(b->body && str_eq(b->body->name, STR("thing")));
    assert_true(b->response_body && !b->whole_body);
    assert_int_equal(rest_binding_new(*state, method(UPDATE), &bad, &b, &f), -1);
    assert_int_equal(rest_binding_new(*state, method(UPDATE), &bad_answer, &b, &f), -1);
}

static void a_binding_to_an_unknown_http_method_is_none(void **state)
{
    const struct proto_http http = {.verb = STR("PURGE"), .path = STR("/x")};
    struct rest_binding *b;
    struct fail f;

    assert_int_equal(rest_binding_new(*state, method(LIST), &http, &b, &f), 0);
    assert_null(b);
}

/* --- queries --- */

static const struct protojson_flavor flavor;

static struct muster_test_v1_list_things_request *query(void **state, const char *text, bool strict,
                                                        struct fail *f)
{
    const struct proto_http http = {.verb = STR("GET"), .path = STR("/{parent}/x")};
    struct rest_binding *b = NULL;
    struct muster_test_v1_list_things_request *request =
        arena_new_type(*state, struct muster_test_v1_list_things_request);

    *f = (struct fail){0};
    assert_int_equal(rest_binding_new(*state, method(LIST), &http, &b, f), 0);
    if (rest_query(b, &flavor, method(LIST)->input, *state, str_of(text), strict, request, f) < 0)
        return NULL;
    return request;
}

static void query_parameters_reach_nested_and_repeated_fields(void **state)
{
    struct fail f;
    const struct muster_test_v1_list_things_request *r =
        query(state,
              "filter.label=a&filter.label=b%26c&filter.page.size=3&numbers=-1&numbers=2&deep=false"
              "&at_most=0&filter.color=COLOR_BLUE&&filter.page.token",
              true, &f);

    assert_non_null(r);
    assert_int_equal(r->filter->label.count, 2);
    assert_true(str_eq(r->filter->label.items[1], STR("b&c")));
    assert_int_equal(r->filter->page->size, 3);
    assert_int_equal(r->filter->color, 2);
    assert_int_equal(r->numbers.count, 2);
    assert_int_equal(r->numbers.items[0], -1);
    assert_true(r->has_deep && !r->deep);
    assert_true(r->at_most && r->at_most->value == 0);
}

static void what_the_path_binds_is_not_taken_from_the_query(void **state)
{
    struct fail f;
    const struct muster_test_v1_list_things_request *r = query(state, "parent=x", true, &f);

    assert_non_null(r);
    assert_int_equal(r->parent.len, 0);
}

static void unknown_parameters_are_passed_over_or_named(void **state)
{
    struct fail f;

    assert_non_null(query(state, "none=1&filter.none=2&numbers=3", false, &f));
    assert_null(query(state, "none=1", true, &f));
    assert_string_equal(f.field, "none");
    assert_string_equal(f.reason, "unknown_field");
}

static void what_json_writes_as_one_value_has_no_parts(void **state)
{
    struct fail f;
    const struct muster_test_v1_list_things_request *r =
        query(state, "since.seconds=999999999999999&at_most.value=3", false, &f);

    assert_non_null(r);
    assert_null(r->since);
    assert_true(r->at_most && r->at_most->value == 3);
    assert_null(query(state, "since.seconds=1", true, &f));
    assert_string_equal(f.field, "since.seconds");
}

static void bad_values_name_their_parameter(void **state)
{
    static const struct {
        const char *query;
        const char *field;
    } cases[] = {
        {"numbers=1&numbers=x", "numbers"}, {"filter.page.size=99999999999", "filter.page.size"},
        {"filter.page=1", "filter.page"},   {"filter.color=NONE", "filter.color"},
        {"since=yesterday", "since"},       {"deep=maybe", "deep"},
    };

    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct fail f;

        assert_null(query(state, cases[i].query, false, &f));
        assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
        assert_string_equal(f.field, cases[i].field);
    }
}

/* --- tables --- */

static void shape_error(struct call *c, const struct fail *f)
{
    (void)c;
    (void)f;
}

static const char *const prefixes[] = {"/", NULL};
static const struct dialect dialect = {.name = "test", .prefixes = prefixes, .error = shape_error};

static int unary(struct call *c, const void *request, void *response, struct fail *f)
{
    (void)c;
    (void)request;
    (void)response;
    (void)f;
    return 0;
}

static int table(void **state, const struct rpc_handler *handler, bool rest,
                 struct route_table *out, struct fail *f)
{
    struct rpc_service *s = arena_new_type(*state, struct rpc_service);
    struct rpc_table *t = arena_new_type(*state, struct rpc_table);

    *s = (struct rpc_service){.service = service(), .handlers = handler, .handler_count = 1};
    *t = (struct rpc_table){.dialect = &dialect,
                            .services = s,
                            .service_count = 1,
                            .style = {.rest_json = rest ? &flavor : NULL}};
    return rpc_table_new(t, *state, out, f);
}

/* All zero when there is none. */
static const struct route *route_find(const struct route_table *t, const char *path, uint32_t verb)
{
    static const struct route none;

    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->routes[i].path, path) == 0 && (t->routes[i].verbs & verb))
            return &t->routes[i];
    return &none;
}

static void every_method_and_binding_becomes_a_route(void **state)
{
    static const struct rpc_handler handler = {.method = "CreateThing", .unary = unary};
    struct route_table t;
    struct router *router;
    struct fail f;
    const struct route *r;

    assert_int_equal(table(state, &handler, true, &t, &f), 0);
    assert_int_equal(router_new(&t, 1, &router, &f), 0);
    router_free(&router);

    r = route_find(&t, "/muster.test.v1.TestService/CreateThing", VERB(HTTP_POST));
    assert_int_equal(r->scope, SCOPE_COLLECTORS_WRITE);
    assert_int_equal(r->lane, LANE_WRITE);
    assert_int_equal(r->verbs, VERB(HTTP_POST));
    assert_string_equal(r->name, "muster.test.v1.TestService.CreateThing");

    r = route_find(&t, "/muster.test.v1.TestService/GetThing", VERB(HTTP_POST));
    assert_int_equal(r->verbs, VERB(HTTP_POST) | VERB(HTTP_GET));
    assert_int_equal(r->flags & ROUTE_OPEN, ROUTE_OPEN);

    r = route_find(&t, "/test/v1/shelves/{p0}/things", VERB(HTTP_POST));
    assert_int_equal(r->scope, SCOPE_COLLECTORS_WRITE);
    r = route_find(&t, "/test/v1/shelves/{p0}/things/{p1}", VERB(HTTP_PATCH));
    assert_int_equal(r->verbs, VERB(HTTP_PATCH));
    r = route_find(&t, "/test/v1/shelves/{p0}/things/{p1}", VERB(HTTP_PUT));
    assert_int_equal(r->verbs, VERB(HTTP_PUT));
    r = route_find(&t, "/test/v1/count/{p0}/{p1}", UINT32_MAX);
    assert_int_equal(r->verbs, 0); /* streams have no REST */
}

static void without_a_rest_flavor_there_are_no_rest_routes(void **state)
{
    static const struct rpc_handler handler = {.method = "Echo", .unary = unary};
    struct route_table t;
    struct fail f;

    assert_int_equal(table(state, &handler, false, &t, &f), 0);
    assert_int_equal(t.count, MUSTER_TEST_V1_TEST_SERVICE_METHOD_COUNT);
}

static void handlers_that_do_not_fit_are_refused(void **state)
{
    static const struct rpc_handler handlers[] = {
        {.method = "NoSuch", .unary = unary},
        {.method = "Count", .unary = unary}, /* is a stream */
        {.method = "Chat", .unary = unary},
        {.method = "Echo"},
    };

    for (size_t i = 0; i < COUNTOF(handlers); i++) {
        struct route_table t;
        struct fail f = {0};

        assert_int_equal(table(state, &handlers[i], true, &t, &f), -1);
        assert_non_null(strstr(f.message, handlers[i].method));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(templates_become_the_routers),
        TEST(bad_templates_are_refused),
        TEST(bodies_must_be_fields),
        TEST(a_binding_to_an_unknown_http_method_is_none),
        TEST(query_parameters_reach_nested_and_repeated_fields),
        TEST(what_the_path_binds_is_not_taken_from_the_query),
        TEST(unknown_parameters_are_passed_over_or_named),
        TEST(what_json_writes_as_one_value_has_no_parts),
        TEST(bad_values_name_their_parameter),
        TEST(every_method_and_binding_becomes_a_route),
        TEST(without_a_rest_flavor_there_are_no_rest_routes),
        TEST(handlers_that_do_not_fit_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
