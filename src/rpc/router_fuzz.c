/* SPDX-License-Identifier: Apache-2.0 */
/* The router against a plain reading of its rules: try every template, segment by segment, and keep
 * the one whose kinds of segments come first. Input: a byte for the method, then the path. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/url.h"
#include "codec/utf8.h"
#include "rpc/route.h"

static int serve(struct call *c, struct fail *f)
{
    (void)c;
    (void)f;
    return 0;
}

#define ROUTE(p, v)                                                                                \
    {                                                                                              \
        .name = (p), .path = (p), .verbs = (v), .handler = serve                                   \
    }

static const struct route routes[] = {
    ROUTE("/", GET_VERB),
    ROUTE("/a", GET_VERB | VERB(HTTP_POST)),
    ROUTE("/a/b", VERB(HTTP_DELETE)),
    ROUTE("/a/{x}", GET_VERB),
    ROUTE("/a/{x:int}", GET_VERB | VERB(HTTP_PUT)),
    ROUTE("/a/{x}:go", VERB(HTTP_POST)),
    ROUTE("/a/{x}:to:go", VERB(HTTP_POST)),
    ROUTE("/a/b/c", GET_VERB),
    ROUTE("/a/{x}/c", GET_VERB | VERB(HTTP_PATCH)),
    ROUTE("/a/{x}/{y}/d", GET_VERB),
    ROUTE("/a/{x:int}/{y}", GET_VERB),
    ROUTE("/b/{rest:path}", GET_VERB | VERB(HTTP_POST)),
    ROUTE("/b/c/{x}", GET_VERB),
    ROUTE("/{x}/{rest:path}", VERB(HTTP_OPTIONS)),
};

static const char *const prefixes[] = {"/", NULL};
static const struct dialect dialect = {.name = "fuzz", .prefixes = prefixes};

/* How a template's segment takes a path's; the lower, the better. 9: not at all. */
static int rank_segment(struct str t, struct str s)
{
    uint64_t n;

    if (t.len == 0 || t.p[0] != '{')
        return str_eq(t, s) ? 0 : 9;
    if (str_ends_with(t, STR(":int}")))
        return s.len > 0 && s.p[0] != '0' && str_to_u64(s, &n) == 0 && n <= INT64_MAX ? 3 : 9;

    struct str suffix = str_skip(t, (size_t)str_index(t, '}') + 1);

    if (suffix.len > 0) /* the longer one first */
        return s.len > suffix.len && str_ends_with(s, suffix) ? (suffix.len > 3 ? 1 : 2) : 9;
    return s.len > 0 ? 4 : 9;
}

/* The ranks as decimal digits, one a segment; -1 when the template does not fit. */
static int64_t rank_path(struct str t, struct str path)
{
    struct str rest = str_skip(path, 1), pattern = str_skip(t, 1);
    int64_t rank = 0;
    int count = 0;

    if (rest.len == 0 || pattern.len == 0)
        return rest.len == 0 && pattern.len == 0 ? 0 : -1;
    for (;;) {
        bool more = str_index(rest, '/') >= 0, more_pattern = str_index(pattern, '/') >= 0;

        if (str_eq(pattern, STR("{rest:path}"))) {
            rank = rest.len > 0 ? rank * 10 + 5 : -1;
            count++;
            break;
        }

        int r = rank_segment(str_cut(&pattern, '/'), str_cut(&rest, '/'));

        if (r == 9 || more != more_pattern)
            return -1;
        rank = rank * 10 + r;
        count++;
        if (!more)
            break;
    }
    for (; rank >= 0 && count < 6; count++)
        rank *= 10;
    return rank;
}

static bool serves(const struct route *r, enum http_method m)
{
    return (r->verbs & VERB(m)) != 0 || (m == HTTP_HEAD && (r->verbs & GET_VERB) != 0);
}

static const struct route *reference(enum http_method m, struct str path, bool *known)
{
    const struct route *best = NULL;
    int64_t best_rank = INT64_MAX;

    *known = false;
    for (size_t i = 0; i < COUNTOF(routes); i++) {
        int64_t rank = rank_path(str_of(routes[i].path), path);

        if (rank < 0)
            continue;
        *known = true;
        if (serves(&routes[i], m) && rank < best_rank) {
            best = &routes[i];
            best_rank = rank;
        }
    }
    return best;
}

static void check_params(const struct route_hit *hit)
{
    size_t braces = 0;

    for (const char *p = hit->route->path; *p; p++)
        braces += *p == '{';
    if (braces != hit->param_count)
        abort();
    for (size_t i = 0; i < hit->param_count; i++)
        if (hit->params[i].len == 0 || !utf8_is_valid(hit->params[i]) ||
            memchr(hit->params[i].p, 0, hit->params[i].len))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct route_table table = {
        .dialect = &dialect, .routes = routes, .count = COUNTOF(routes)};
    static struct router *router; /* for all inputs: building one costs more than a match */
    struct arena *a;
    struct route_hit hit;
    struct fail f;
    bool known;

    if (!router && router_new(&table, 1, &router, &f) < 0)
        abort();
    if (size < 2 || data[1] != '/')
        return 0;

    struct str path = str_make(data + 1, size - 1);
    enum http_method m = (enum http_method)(data[0] % HTTP_METHOD_COUNT);
    size_t slashes = 0;

    for (size_t i = 0; i < path.len; i++)
        slashes += path.p[i] == '/';
    a = arena_new(1024);

    enum route_match match = router_match(router, a, m, path, &hit);
    const struct route *expected = reference(m, path, &known);

    if (slashes > 64) {
        if (match != ROUTE_NO_PATH)
            abort();
    } else if (match == ROUTE_FOUND || match == ROUTE_BAD_ENCODING) {
        if (!expected || (match == ROUTE_FOUND && hit.route != expected))
            abort();
        if (match == ROUTE_FOUND)
            check_params(&hit);
    } else if (expected || known != (match == ROUTE_NO_VERB)) {
        abort();
    }
    arena_free(&a);
    return 0;
}
