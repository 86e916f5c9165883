/* SPDX-License-Identifier: Apache-2.0 */
/* Templates compiled into one tree of segments a dialect, and a table of the purely literal paths
 * in front of them. Immutable once built; matching allocates only decoded parameters, in the
 * caller's arena, and neither recurses nor visits a node twice. */
#include "rpc/route.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/macros.h"
#include "codec/url.h"
#include "codec/utf8.h"

#define MAX_SEGMENTS 64
#define MAX_PARAMS   16
#define MAX_DIALECTS 32

/* A route that ends at a node, for some verbs. */
struct leaf {
    struct leaf *next;
    const struct route_table *table;
    const struct route *route;
    size_t index;
};

struct node {
    struct node *sibling; /* the next child of the same kind */
    struct str text;      /* a literal's segment, a suffixed parameter's suffix */
    struct node *literals;
    struct node *suffixed; /* "{id}:verb", longest suffix first */
    struct node *number;   /* "{id:int}" */
    struct node *any;      /* "{id}" */
    struct node *rest;     /* "{rest:path}"; never has children */
    struct leaf *leaves;
    uint32_t verbs; /* of all leaves */
};

struct realm {
    const struct dialect *dialect;
    const struct route_table *table; /* the first of the dialect, for misses */
    struct node root;
};

struct prefix {
    struct str text;
    struct realm *realm;
};

struct exact {
    uint64_t hash;
    struct str path;
    struct realm *realm;
    const struct node *node;
};

struct router {
    struct arena *arena;
    struct realm realms[MAX_DIALECTS];
    size_t realm_count;
    struct prefix *prefixes; /* longest first */
    size_t prefix_count;
    struct exact *exact; /* open addressing */
    size_t exact_mask;
    size_t exact_count;
    const struct route **routes;
    const struct route_table **tables; /* of each route */
    size_t route_count;
};

/* Only our own paths are stored under it, so it need not resist chosen keys. */
static uint64_t path_hash(struct str s)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ s.len;

    for (; s.len >= 8; s = str_skip(s, 8)) {
        uint64_t w;

        memcpy(&w, s.p, 8);
        h = (h ^ w) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }

    uint64_t tail = 0;

    if (s.len > 0)
        memcpy(&tail, s.p, s.len);
    h = (h ^ tail) * 0xff51afd7ed558ccdu;
    return h ^ (h >> 29);
}

/* --- building --- */

enum part_kind {
    PART_LITERAL,
    PART_SUFFIXED,
    PART_NUMBER,
    PART_ANY,
    PART_REST
};

struct part {
    enum part_kind kind;
    struct str text; /* literal or suffix */
    struct str name;
};

static bool name_is_plain(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return s.len > 0;
}

static bool literal_is_plain(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= ' ' || c >= 0x7f || strchr("{}%?#/", c))
            return false;
    }
    return s.len > 0;
}

static int part_parse(const struct route *route, struct str segment, bool last, struct part *out,
                      struct fail *f)
{
    struct part p = {.kind = PART_LITERAL, .text = segment};

    if (segment.len > 0 && segment.p[0] == '{') {
        ptrdiff_t close = str_index(segment, '}');

        if (close < 0)
            return fail_set(f, CODE_INVALID_ARGUMENT, "route %s: '{' without '}'", route->name);
        p.text = str_skip(segment, (size_t)close + 1);

        struct str type = str_make(segment.p + 1, (size_t)close - 1);

        p.name = str_cut(&type, ':');
        if (!name_is_plain(p.name))
            return fail_set(f, CODE_INVALID_ARGUMENT, "route %s: bad parameter name", route->name);
        if (type.len == 0)
            p.kind = p.text.len > 0 ? PART_SUFFIXED : PART_ANY;
        else if (str_eq(type, STR("int")) && p.text.len == 0)
            p.kind = PART_NUMBER;
        else if (str_eq(type, STR("path")) && p.text.len == 0 && last)
            p.kind = PART_REST;
        else
            return fail_set(f, CODE_INVALID_ARGUMENT, "route %s: cannot use parameter type '%.*s'",
                            route->name, STR_ARG(type));
        if (p.kind == PART_SUFFIXED && (!last || p.text.p[0] != ':'))
            return fail_set(f, CODE_INVALID_ARGUMENT,
                            "route %s: what follows '}' must be ':verb' at the end", route->name);
    }
    if ((p.kind == PART_LITERAL || p.kind == PART_SUFFIXED) && !literal_is_plain(p.text))
        return fail_set(f, CODE_INVALID_ARGUMENT, "route %s: bad segment '%.*s'", route->name,
                        STR_ARG(segment));
    *out = p;
    return 0;
}

static struct node *child_add(struct arena *a, struct node **list, struct str text)
{
    struct node **at = list;

    for (struct node *n = *list; n; n = n->sibling)
        if (str_eq(n->text, text))
            return n;
    while (*at && (*at)->text.len >= text.len) /* longest first: matters for suffixes */
        at = &(*at)->sibling;

    struct node *made = arena_new_type(a, struct node);

    made->text = text;
    made->sibling = *at;
    *at = made;
    return made;
}

static struct node **part_list(struct node *n, enum part_kind kind)
{
    switch (kind) {
    case PART_LITERAL: return &n->literals;
    case PART_SUFFIXED: return &n->suffixed;
    case PART_NUMBER: return &n->number;
    case PART_ANY: return &n->any;
    case PART_REST: return &n->rest;
    }
    abort();
}

/* Walks a template down the tree, adding what is missing. *literal: it has no parameter. */
static int template_add(struct router *r, struct node *root, const struct route *route,
                        struct str path, struct node **end, bool *literal, struct fail *f)
{
    struct str names[MAX_PARAMS];
    size_t name_count = 0, segments = 0;
    struct str rest = str_skip(path, 1);
    struct node *n = root;

    *literal = true;
    while (rest.len > 0) {
        bool last = str_index(rest, '/') < 0;
        struct str segment = str_cut(&rest, '/');
        struct part p = {.kind = PART_LITERAL};

        if (!last && rest.len == 0)
            return fail_set(f, CODE_INVALID_ARGUMENT, "route %s: ends in a slash", route->name);
        if (++segments > MAX_SEGMENTS)
            return fail_set(f, CODE_INVALID_ARGUMENT, "route %s: more than %d segments",
                            route->name, MAX_SEGMENTS);
        if (part_parse(route, segment, last, &p, f) < 0)
            return -1;
        if (p.kind != PART_LITERAL) {
            *literal = false;
            for (size_t i = 0; i < name_count; i++)
                if (str_eq(names[i], p.name))
                    return fail_set(f, CODE_INVALID_ARGUMENT, "route %s: two parameters '%.*s'",
                                    route->name, STR_ARG(p.name));
            if (name_count == MAX_PARAMS)
                return fail_set(f, CODE_INVALID_ARGUMENT, "route %s: more than %d parameters",
                                route->name, MAX_PARAMS);
            names[name_count++] = p.name;
        }
        n = child_add(r->arena, part_list(n, p.kind), p.text);
    }
    *end = n;
    return 0;
}

static uint32_t verbs_served(uint32_t verbs)
{
    return verbs & VERB(HTTP_GET) ? verbs | VERB(HTTP_HEAD) : verbs;
}

static int leaf_add(struct router *r, struct node *n, const struct route_table *table, size_t index,
                    struct fail *f)
{
    const struct route *route = r->routes[index];

    for (const struct leaf *l = n->leaves; l; l = l->next)
        if (verbs_served(l->route->verbs) & verbs_served(route->verbs))
            return fail_set(f, CODE_INVALID_ARGUMENT, "routes %s and %s answer the same request",
                            l->route->name, route->name);

    struct leaf *l = arena_new_type(r->arena, struct leaf);

    *l = (struct leaf){.next = n->leaves, .table = table, .route = route, .index = index};
    n->leaves = l;
    n->verbs |= verbs_served(route->verbs);
    return 0;
}

static bool has_double_slash(struct str path)
{
    return path.len > 1 && memmem(path.p, path.len, "//", 2) != NULL;
}

/* As str_starts_with(), runs of slashes counting as one; the prefix's last slash may be missing. */
static bool starts_with_collapsed(struct str path, struct str prefix)
{
    size_t at = 0;

    for (size_t i = 0; i < path.len && at < prefix.len; i++) {
        if (i > 0 && path.p[i] == '/' && path.p[i - 1] == '/')
            continue;
        if (path.p[i] != prefix.p[at++])
            return false;
    }
    return at + 1 >= prefix.len;
}

static struct realm *owner_find(const struct router *r, struct str path)
{
    bool doubled = has_double_slash(path);

    for (size_t i = 0; i < r->prefix_count; i++) {
        struct str p = r->prefixes[i].text;
        struct realm *realm = r->prefixes[i].realm;

        /* "/api/v1" belongs to "/api/v1/" too. */
        if (str_starts_with(path, p) || (path.len + 1 == p.len && str_starts_with(p, path)))
            return realm;
        if (doubled && (realm->dialect->path_flags & PATH_COLLAPSE_SLASHES) != 0 &&
            starts_with_collapsed(path, p))
            return realm;
    }
    return NULL;
}

static struct exact *exact_place(const struct router *r, struct str path, uint64_t hash)
{
    size_t i = (size_t)hash & r->exact_mask;

    while (r->exact[i].node && (r->exact[i].hash != hash || !str_eq(r->exact[i].path, path)))
        i = (i + 1) & r->exact_mask;
    return &r->exact[i];
}

static int path_add(struct router *r, struct realm *realm, const struct route_table *table,
                    size_t index, struct str path, struct fail *f)
{
    const struct route *route = r->routes[index];
    struct node *end = &realm->root;
    bool literal = false;

    if (owner_find(r, path) != realm)
        return fail_set(f, CODE_INVALID_ARGUMENT, "route %s: '%.*s' is outside its dialect",
                        route->name, STR_ARG(path));
    if (template_add(r, &realm->root, route, path, &end, &literal, f) < 0 ||
        leaf_add(r, end, table, index, f) < 0)
        return -1;
    if (literal) {
        uint64_t hash = path_hash(path);
        struct exact *e = exact_place(r, path, hash);

        if (!e->node)
            r->exact_count++;
        *e = (struct exact){.hash = hash, .path = path, .realm = realm, .node = end};
    }
    return 0;
}

static int route_check(const struct route *route, struct fail *f)
{
    if (!route->name || !route->path || (!route->handler && !route->rpc))
        return fail_set(f, CODE_INVALID_ARGUMENT, "route %s: name, path or handler is missing",
                        route->name ? route->name : "(unnamed)");
    if (route->verbs == 0 || (route->verbs & ~(VERB(HTTP_OTHER) - 1u)) != 0)
        return fail_set(f, CODE_INVALID_ARGUMENT, "route %s: bad set of verbs", route->name);
    return 0;
}

static int route_add(struct router *r, struct realm *realm, const struct route_table *table,
                     size_t index, struct fail *f)
{
    const struct route *route = r->routes[index];

    if (route_check(route, f) < 0)
        return -1;
    if (route->path[0] == '/')
        return path_add(r, realm, table, index, str_of(route->path), f);
    for (const char *const *p = realm->dialect->prefixes; *p; p++) {
        struct str path = arena_printf(r->arena, "%s%s", *p, route->path);

        if (path_add(r, realm, table, index, path, f) < 0)
            return -1;
    }
    return 0;
}

static struct realm *realm_get(struct router *r, const struct route_table *table)
{
    for (size_t i = 0; i < r->realm_count; i++)
        if (r->realms[i].dialect == table->dialect)
            return &r->realms[i];
    if (r->realm_count == MAX_DIALECTS)
        return NULL;

    struct realm *made = &r->realms[r->realm_count++];

    made->dialect = table->dialect;
    made->table = table;
    return made;
}

static int prefix_add(struct router *r, struct realm *realm, const char *text, struct fail *f)
{
    struct str s = str_of(text);
    size_t at = r->prefix_count;

    if (s.len == 0 || s.p[0] != '/' || s.p[s.len - 1] != '/')
        return fail_set(f, CODE_INVALID_ARGUMENT, "dialect %s: prefix '%s' must begin and end in /",
                        realm->dialect->name, text);
    for (size_t i = 0; i < at; i++)
        if (str_eq(r->prefixes[i].text, s))
            return fail_set(f, CODE_INVALID_ARGUMENT, "dialects %s and %s both own '%s'",
                            r->prefixes[i].realm->dialect->name, realm->dialect->name, text);
    for (; at > 0 && r->prefixes[at - 1].text.len < s.len; at--)
        r->prefixes[at] = r->prefixes[at - 1];
    r->prefixes[at] = (struct prefix){.text = s, .realm = realm};
    r->prefix_count++;
    return 0;
}

static int prefixes_add(struct router *r, const struct route_table *tables, size_t count,
                        struct fail *f)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
        for (const char *const *p = tables[i].dialect->prefixes; *p; p++)
            total++;
    r->prefixes = arena_new_array(r->arena, struct prefix, total ? total : 1);
    for (size_t i = 0; i < count; i++) {
        size_t before = r->realm_count;

        if (tables[i].count == 0)
            return fail_set(f, CODE_INVALID_ARGUMENT, "dialect %s: a table without routes",
                            tables[i].dialect->name);

        struct realm *realm = realm_get(r, &tables[i]);

        if (!realm)
            return fail_set(f, CODE_INVALID_ARGUMENT, "more than %d dialects", MAX_DIALECTS);
        if (r->realm_count == before)
            continue; /* another table of a dialect we know */
        for (const char *const *p = realm->dialect->prefixes; *p; p++)
            if (prefix_add(r, realm, *p, f) < 0)
                return -1;
    }
    return 0;
}

static int tables_add(struct router *r, const struct route_table *tables, size_t count,
                      struct fail *f)
{
    size_t total = 0, index = 0, slots = 16;

    for (size_t i = 0; i < count; i++)
        total += tables[i].count;
    if (prefixes_add(r, tables, count, f) < 0)
        return -1;
    r->routes = arena_new_array(r->arena, const struct route *, total ? total : 1);
    r->tables = arena_new_array(r->arena, const struct route_table *, total ? total : 1);
    r->route_count = total;
    while (slots < total * (r->prefix_count + 1) * 2)
        slots *= 2;
    r->exact = arena_new_array(r->arena, struct exact, slots);
    r->exact_mask = slots - 1;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < tables[i].count; k++) {
            r->routes[index] = &tables[i].routes[k];
            r->tables[index] = &tables[i];
            if (route_add(r, realm_get(r, &tables[i]), &tables[i], index, f) < 0)
                return -1;
            index++;
        }
    return 0;
}

int router_new(const struct route_table *tables, size_t count, struct router **out, struct fail *f)
{
    struct arena *a = arena_new(16384);
    struct router *r = arena_new_type(a, struct router);
    struct route_table *copy = arena_new_array(a, struct route_table, count ? count : 1);

    if (count > 0)
        memcpy(copy, tables, count * sizeof(*tables));
    r->arena = a;
    if (tables_add(r, copy, count, f) < 0) {
        router_free(&r);
        return -1;
    }
    *out = r;
    return 0;
}

void router_free(struct router **r)
{
    if (*r) {
        struct arena *a = (*r)->arena;

        arena_free(&a);
    }
    *r = NULL;
}

size_t router_route_count(const struct router *r)
{
    return r->route_count;
}

const struct route_table *router_table_at(const struct router *r, size_t index)
{
    assert(index < r->route_count);
    return r->tables[index];
}

const struct route_table *router_owner(const struct router *r, struct str path)
{
    const struct realm *realm = owner_find(r, path);

    return realm ? realm->table : NULL;
}

const struct route *router_route_at(const struct router *r, size_t index)
{
    assert(index < r->route_count);
    return r->routes[index];
}

/* --- matching --- */

struct split {
    struct str segments[MAX_SEGMENTS];
    size_t count;
    const char *end; /* of the path, without an ignored final slash */
};

/* -1: more segments than any template has. */
static int path_split(struct str path, uint32_t flags, struct split *s)
{
    const char *p = path.p + 1, *end = path.p + path.len;

    s->count = 0;
    if (flags & PATH_IGNORE_FINAL_SLASH && end > p && end[-1] == '/')
        end--;
    s->end = end;
    if (p >= end)
        return 0;
    for (;;) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        const char *stop = slash ? slash : end;

        if (stop > p || !(flags & PATH_COLLAPSE_SLASHES)) {
            if (s->count == MAX_SEGMENTS)
                return -1;
            s->segments[s->count++] = str_make(p, (size_t)(stop - p));
        }
        if (!slash)
            return 0;
        p = slash + 1;
    }
}

static bool segment_is_number(struct str s)
{
    uint64_t n;

    return s.len > 0 && s.p[0] != '0' && str_to_u64(s, &n) == 0 && n <= INT64_MAX;
}

static const struct leaf *leaf_find(const struct node *n, enum http_method method)
{
    uint32_t verb = VERB(method);

    if (!(n->verbs & verb))
        return NULL;
    for (const struct leaf *l = n->leaves; l; l = l->next)
        if (verbs_served(l->route->verbs) & verb)
            return l;
    return NULL;
}

enum stage {
    STAGE_LITERAL,
    STAGE_SUFFIXED,
    STAGE_NUMBER,
    STAGE_ANY,
    STAGE_REST,
    STAGE_DONE
};

struct frame {
    const struct node *node;
    const struct node *suffix; /* the next one to try */
    enum stage stage;
    size_t params; /* bound on the way here */
};

struct walk {
    struct split split;
    struct str params[MAX_PARAMS];
    bool literals_hide; /* see PATH_LITERALS_HIDE */
    uint32_t allow;
    struct frame stack[MAX_SEGMENTS + 1];
};

/* The child to try next, with the parameter that it binds (p NULL: none). NULL: none is left. */
static const struct node *frame_next(struct frame *fr, struct str segment, struct str *param)
{
    const struct node *n = fr->node;

    *param = (struct str){NULL, 0};
    if (fr->stage == STAGE_LITERAL) {
        fr->stage = STAGE_SUFFIXED;
        fr->suffix = n->suffixed;
        for (const struct node *l = n->literals; l; l = l->sibling)
            if (str_eq(l->text, segment))
                return l;
    }
    while (fr->stage == STAGE_SUFFIXED) {
        const struct node *s = fr->suffix;

        if (!s) {
            fr->stage = STAGE_NUMBER;
            break;
        }
        fr->suffix = s->sibling;
        if (segment.len > s->text.len && str_ends_with(segment, s->text)) {
            *param = str_first(segment, segment.len - s->text.len);
            return s;
        }
    }
    *param = segment;
    if (fr->stage == STAGE_NUMBER) {
        fr->stage = STAGE_ANY;
        if (n->number && segment_is_number(segment))
            return n->number;
    }
    if (fr->stage == STAGE_ANY) {
        fr->stage = STAGE_REST;
        if (n->any && segment.len > 0)
            return n->any;
    }
    return NULL;
}

/* Depth first, best kind of child first. A node's depth is its place in the path, so none is
 * visited twice and the work is bounded by the size of the tree. */
static const struct leaf *tree_walk(struct walk *w, const struct node *root,
                                    enum http_method method, size_t *param_count)
{
    size_t depth = 0;

    w->stack[0] = (struct frame){.node = root};
    for (;;) {
        struct frame *fr = &w->stack[depth];
        bool complete = depth == w->split.count;

        if (complete || fr->stage == STAGE_REST) {
            const struct node *n = complete ? fr->node : fr->node->rest;

            *param_count = fr->params;
            if (n && !complete) {
                const char *from = w->split.segments[depth].p;

                w->params[(*param_count)++] = str_make(from, (size_t)(w->split.end - from));
                if (from == w->split.end)
                    n = NULL;
            }

            const struct leaf *l = n ? leaf_find(n, method) : NULL;

            if (l)
                return l;
            w->allow |= n ? n->verbs : 0;
            if (depth-- == 0 || (w->literals_hide && *param_count == 0 && w->allow != 0))
                return NULL;
            continue;
        }

        struct str param;
        const struct node *child = frame_next(fr, w->split.segments[depth], &param);

        if (!child)
            continue; /* the stage is STAGE_REST now */
        if (param.p)
            w->params[fr->params] = param;
        w->stack[++depth] = (struct frame){
            .node = child,
            .params = fr->params + (param.p ? 1 : 0),
        };
    }
}

static int params_decode(struct arena *a, const struct str *raw, size_t count, struct str **out)
{
    struct str *decoded = arena_alloc_raw(a, count * sizeof(*decoded));

    for (size_t i = 0; i < count; i++)
        if (url_decode(a, URL_PATH, raw[i], &decoded[i]) != URL_OK || !utf8_is_valid(decoded[i]))
            return -1;
    *out = decoded;
    return 0;
}

static enum route_match hit_leaf(struct route_hit *hit, const struct leaf *l)
{
    hit->table = l->table;
    hit->route = l->route;
    hit->index = l->index;
    return ROUTE_FOUND;
}

static enum route_match tree_match(struct realm *realm, struct arena *a, enum http_method method,
                                   struct str path, struct route_hit *hit)
{
    struct walk w; /* not zeroed: 4 KB, of which a few hundred bytes are used */
    size_t count = 0;

    w.allow = 0;
    w.literals_hide = (realm->dialect->path_flags & PATH_LITERALS_HIDE) != 0;
    if (path_split(path, realm->dialect->path_flags, &w.split) < 0)
        return ROUTE_NO_PATH;

    const struct leaf *l = tree_walk(&w, &realm->root, method, &count);

    if (!l) {
        hit->allow = w.allow;
        return w.allow ? ROUTE_NO_VERB : ROUTE_NO_PATH;
    }
    if (count > 0 && params_decode(a, w.params, count, &hit->params) < 0)
        return ROUTE_BAD_ENCODING;
    hit->param_count = count;
    return hit_leaf(hit, l);
}

enum route_match router_match(const struct router *r, struct arena *a, enum http_method method,
                              struct str path, struct route_hit *hit)
{
    *hit = (struct route_hit){0};

    const struct exact *e = exact_place(r, path, path_hash(path));

    if (e->node) {
        const struct leaf *l = leaf_find(e->node, method);

        if (l)
            return hit_leaf(hit, l);
        hit->near = e->node->leaves->route;
    }

    struct realm *realm = owner_find(r, path);

    if (!realm)
        return ROUTE_NO_PATH;
    hit->table = realm->table;
    if (path.len == 0 || path.p[0] != '/')
        return ROUTE_NO_PATH;
    return tree_match(realm, a, method, path, hit);
}
