/* SPDX-License-Identifier: Apache-2.0 */
/* Path templates and queries of REST bindings. Input: a template, a line end, a query. A template
 * that is accepted must be one that the router takes, and a path made of it must match it. */
#include <stdint.h>
#include <stdlib.h>

#include "proto/muster_test_v1_test.pb.h"
#include "rpc/rest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static int serve(struct call *c, struct fail *f)
{
    (void)c;
    (void)f;
    return 0;
}

static void shape_error(struct call *c, const struct fail *f)
{
    (void)c;
    (void)f;
}

static const char *const prefixes[] = {"/", NULL};
static const struct dialect dialect = {.name = "fuzz", .prefixes = prefixes, .error = shape_error};
static const struct protojson_flavor flavor = {.ignore_unknown = true};

/* A path that fits the router's template: "x" for each parameter. */
static struct str path_of(struct arena *a, const char *route_path)
{
    struct buf path;
    struct str rest = str_of(route_path);

    buf_init_arena(&path, a, rest.len + 1);
    while (rest.len > 0) {
        ptrdiff_t open = str_index(rest, '{');

        if (open < 0) {
            buf_put_str(&path, rest);
            break;
        }
        buf_put_str(&path, str_first(rest, (size_t)open));
        buf_put_byte(&path, 'x');
        rest = str_skip(rest, (size_t)str_index(rest, '}') + 1);
    }
    return buf_str(&path);
}

/* The router may still refuse what no path can hold (blanks, '%'), but must not match less. */
static void check_route(struct arena *a, const struct rest_binding *b)
{
    const struct route route = {
        .name = "fuzz", .path = b->route_path, .verbs = b->verb, .handler = serve};
    const struct route_table table = {.dialect = &dialect, .routes = &route, .count = 1};
    struct router *router;
    struct route_hit hit;
    struct fail f;
    size_t params = 0;

    if (router_new(&table, 1, &router, &f) < 0)
        return;
    for (size_t i = 0; i < b->variable_count; i++)
        for (size_t k = 0; k < b->variables[i].piece_count; k++)
            params =
                MAX(params,
                    b->variables[i].pieces[k].is_param ? b->variables[i].pieces[k].param + 1 : 0);
    expect(router_match(router, a, HTTP_GET, path_of(a, b->route_path), &hit) == ROUTE_FOUND);
    expect(hit.param_count >= params);
    router_free(&router);
}

static void check_query(struct arena *a, const struct proto_method *m, const struct rest_binding *b,
                        struct str query, bool strict)
{
    void *msg = proto_new(a, m->input);
    struct fail f = {0};
    struct buf out;

    if (rest_query(b, &flavor, m->input, a, query, strict, msg, &f) < 0) {
        expect(f.code == CODE_INVALID_ARGUMENT || f.code == CODE_RESOURCE_EXHAUSTED);
        return;
    }
    buf_init_arena(&out, a, (size_t)1 << 24);
    expect(proto_encode(m->input, msg, &out) == 0); /* asserts that it is whole */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int methods[] = {MUSTER_TEST_V1_TEST_SERVICE_LIST_THINGS,
                                  MUSTER_TEST_V1_TEST_SERVICE_ECHO_EVERYTHING};
    static const struct proto_http plain = {.verb = STR_INIT("GET"), .path = STR_INIT("/x")};
    struct arena *a = arena_new(65536);
    struct str query = arena_str(a, str_make(data, size));
    struct str template = str_cut(&query, '\n');

    for (size_t i = 0; i < COUNTOF(methods); i++) {
        const struct proto_method *m = &muster_test_v1_test_service_desc.methods[methods[i]];
        const struct proto_http http = {.verb = STR("GET"), .path = template};
        struct rest_binding *b = NULL;
        struct fail f;

        if (rest_binding_new(a, m, &http, &b, &f) == 0)
            check_route(a, b);
        else
            expect(rest_binding_new(a, m, &plain, &b, &f) == 0);
        check_query(a, m, b, query, i == 0);
    }
    arena_free(&a);
    return 0;
}
