/* SPDX-License-Identifier: Apache-2.0 */
/* Checks and facts of a pipeline's text, both from its tree, so that a word in a comment or within
 * a string is no mention. Agents load the text as the body of a custom component: what may stand in
 * a file's body but not there is refused here. Refused is only what no agent of any version would
 * take; names of components, their arguments and types are left to the agent. */
#include "core/alloy_pipeline.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "codec/alloy.h"

static const struct str services[] = {
    STR_INIT("cluster"), STR_INIT("http"),      STR_INIT("labelstore"), STR_INIT("livedebugging"),
    STR_INIT("otel"),    STR_INIT("remotecfg"), STR_INIT("ui"),
};

static bool is_service(struct str name)
{
    for (size_t i = 0; i < COUNTOF(services); i++) {
        if (str_eq(name, services[i]))
            return true;
    }
    return false;
}

static int refuse(struct fail *f, struct alloy_pos pos, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int refuse(struct fail *f, struct alloy_pos pos, const char *fmt, ...)
{
    char why[200];
    va_list args;

    va_start(args, fmt);
    IGNORE(vsnprintf(why, sizeof(why), fmt, args));
    va_end(args);
    return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_contents", "line %u, column %u: %s", pos.line,
                       pos.column, why);
}

/* --- what would be refused --- */

static bool needs_label(struct str name)
{
    return str_eq(name, STR("declare")) || str_eq(name, STR("argument")) ||
           str_eq(name, STR("export")) || str_eq(name, STR("foreach")) ||
           str_starts_with(name, STR("import."));
}

static int check_block(const struct alloy_statement *s, struct fail *f)
{
    if (str_eq(s->name, STR("logging")) || str_eq(s->name, STR("tracing")))
        return refuse(f, s->pos, "a \"%.*s\" block is not allowed in a pipeline", STR_ARG(s->name));
    if (is_service(s->name) && !s->has_label) /* with a label it is a custom component */
        return refuse(f, s->pos,
                      "a \"%.*s\" block configures a service of the agent and is not allowed in a "
                      "pipeline",
                      STR_ARG(s->name));
    if (needs_label(s->name) && !s->has_label)
        return refuse(f, s->pos, "a \"%.*s\" block needs a label", STR_ARG(s->name));
    if (str_eq(s->name, STR("declare")) && str_eq(s->label, STR("declare")))
        return refuse(f, s->label_pos, "\"declare\" cannot be declared");
    return 0;
}

/* The name under which a scope knows a block: two that differ only in where the dot comes from are
 * the same to the agent. */
static struct str block_id(struct arena *a, const struct alloy_statement *s)
{
    if (!s->has_label)
        return s->name;
    return arena_printf(a, "%.*s.%.*s", STR_ARG(s->name), STR_ARG(s->label));
}

/* One body whose blocks are components: the text's own, that of a declare, a loop's template. */
static int check_scope(struct arena *a, struct alloy_body *body, struct fail *f)
{
    CLEANUP(map_free) struct map *seen = map_new();

    for (size_t i = 0; i < body->count; i++) {
        struct alloy_statement *s = body->items[i];
        struct alloy_statement *before;

        if (!s->is_block)
            return refuse(f, s->pos, "the attribute \"%.*s\" must stand within a block",
                          STR_ARG(str_first(s->name, 80)));
        if (check_block(s, f) < 0)
            return -1;
        before = map_put(seen, block_id(a, s), s);
        if (before)
            return refuse(f, s->pos, "\"%.*s\" is already declared in line %u",
                          STR_ARG(str_first(block_id(a, s), 120)), before->pos.line);
        if (str_eq(s->name, STR("declare")) && check_scope(a, s->body, f) < 0)
            return -1;
        if (!str_eq(s->name, STR("foreach")))
            continue;
        for (size_t j = 0; j < s->body->count; j++) {
            struct alloy_statement *inner = s->body->items[j];

            if (inner->is_block && str_eq(inner->name, STR("template")) &&
                check_scope(a, inner->body, f) < 0)
                return -1;
        }
    }
    return 0;
}

/* A default alone does not make an argument optional: agents look at it only when "optional" is
 * true. */
static bool may_be_left_out(const struct alloy_statement *argument)
{
    for (size_t i = 0; i < argument->body->count; i++) {
        const struct alloy_statement *s = argument->body->items[i];

        if (!s->is_block && str_eq(s->name, STR("optional")))
            return s->value->kind != ALLOY_BOOL || str_eq(s->value->text, STR("true"));
    }
    return false;
}

/* The arguments of the text itself: nobody but us hands it any. */
static int check_arguments(const struct alloy_body *body, struct alloy_facts *facts, struct fail *f)
{
    for (size_t i = 0; i < body->count; i++) {
        const struct alloy_statement *s = body->items[i];

        if (!str_eq(s->name, STR("argument")))
            continue;
        if (str_eq(s->label, STR("attributes")))
            facts->declares_attributes = true;
        else if (str_eq(s->label, STR("pipeline_exports")))
            facts->declares_exports_argument = true;
        else if (!may_be_left_out(s))
            return refuse(f, s->pos,
                          "nothing sets the argument \"%.*s\" of a pipeline; give it \"optional = "
                          "true\"",
                          STR_ARG(str_first(s->label, 80)));
    }
    return 0;
}

/* --- facts --- */

/* How one argument is used. */
struct use {
    enum attribute_use kind;
    struct str *keys;
    size_t count;
    size_t cap;
};

struct reading {
    struct arena *arena;
    struct use attributes;
    struct use exports;
};

/* Whose arguments a mention is about. A declare has arguments of its own, but only those that it
 * declares are known to be meant. */
struct shade {
    bool attributes;
    bool exports;
};

static void use_key(struct arena *a, struct use *u, struct str key)
{
    if (u->kind == ATTRIBUTES_ALL)
        return;
    u->kind = ATTRIBUTES_BY_KEY;
    if (u->count == u->cap) {
        size_t cap = u->cap ? 2 * u->cap : 8;
        struct str *keys = arena_new_array(a, struct str, cap);

        if (u->count)
            memcpy(keys, u->keys, u->count * sizeof(*keys));
        u->keys = keys;
        u->cap = cap;
    }
    u->keys[u->count++] = arena_str(a, key);
}

static struct use *use_of(struct reading *r, const struct shade *shade, struct str argument)
{
    if (str_eq(argument, STR("attributes")) && !shade->attributes)
        return &r->attributes;
    if (str_eq(argument, STR("pipeline_exports")) && !shade->exports)
        return &r->exports;
    return NULL;
}

static bool is_argument(const struct alloy_expr *e)
{
    return e->kind == ALLOY_IDENT && str_eq(e->text, STR("argument"));
}

/* argument.NAME.value["KEY"] */
static bool is_keyed(const struct alloy_expr *e)
{
    return e->kind == ALLOY_INDEX && e->right->kind == ALLOY_STRING &&
           e->left->kind == ALLOY_ACCESS && str_eq(e->left->text, STR("value")) &&
           e->left->left->kind == ALLOY_ACCESS && is_argument(e->left->left->left);
}

/* Notes what one node says. True when nothing is to be looked for below it. */
static bool read_mention(struct reading *r, const struct shade *shade, const struct alloy_expr *e)
{
    struct use *u;

    if (is_keyed(e)) {
        u = use_of(r, shade, e->left->left->text);
        if (u)
            use_key(r->arena, u, e->right->text);
        return true;
    }
    if (e->kind == ALLOY_ACCESS && is_argument(e->left)) {
        u = use_of(r, shade, e->text);
        if (u)
            u->kind = ATTRIBUTES_ALL;
        return true;
    }
    if (!is_argument(e))
        return false;
    if (!shade->attributes)
        r->attributes.kind = ATTRIBUTES_ALL;
    if (!shade->exports)
        r->exports.kind = ATTRIBUTES_ALL;
    return true;
}

static void read_expr(struct reading *r, const struct shade *shade, const struct alloy_expr *e)
{
    for (; e && !read_mention(r, shade, e); e = e->left) {
        if (e->right)
            read_expr(r, shade, e->right);
        for (size_t i = 0; i < e->count; i++)
            read_expr(r, shade, e->items[i]);
    }
}

static struct shade shade_of(const struct alloy_body *declare, struct shade shade)
{
    for (size_t i = 0; i < declare->count; i++) {
        const struct alloy_statement *s = declare->items[i];

        if (!s->is_block || !str_eq(s->name, STR("argument")))
            continue;
        shade.attributes = shade.attributes || str_eq(s->label, STR("attributes"));
        shade.exports = shade.exports || str_eq(s->label, STR("pipeline_exports"));
    }
    return shade;
}

static void read_body(struct reading *r, const struct shade *shade, const struct alloy_body *body)
{
    for (size_t i = 0; i < body->count; i++) {
        const struct alloy_statement *s = body->items[i];
        struct shade inner = *shade;

        if (!s->is_block) {
            read_expr(r, shade, s->value);
            continue;
        }
        if (str_eq(s->name, STR("declare")))
            inner = shade_of(s->body, inner);
        read_body(r, &inner, s->body);
    }
}

static int compare_keys(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

/* Sorted, each once; none unless all uses are by key. */
static size_t settle(struct use *u)
{
    size_t kept = 0;

    if (u->kind != ATTRIBUTES_BY_KEY)
        return 0;
    qsort(u->keys, u->count, sizeof(*u->keys), compare_keys);
    for (size_t i = 0; i < u->count; i++) {
        if (kept == 0 || !str_eq(u->keys[kept - 1], u->keys[i]))
            u->keys[kept++] = u->keys[i];
    }
    return kept;
}

static void read_exports(struct arena *a, const struct alloy_body *body, struct alloy_facts *facts)
{
    facts->exports = arena_new_array(a, struct str, body->count);
    for (size_t i = 0; i < body->count; i++) {
        if (str_eq(body->items[i]->name, STR("export")))
            facts->exports[facts->export_count++] = arena_str(a, body->items[i]->label);
    }
}

int alloy_pipeline_read(struct arena *a, struct str contents, struct alloy_facts *out,
                        struct fail *f)
{
    struct alloy_body *body = NULL;
    struct alloy_facts facts = {0};
    struct reading r = {.arena = a};
    struct shade none = {0};

    if (alloy_parse(a, contents, &body, f) < 0) {
        f->reason = "bad_contents";
        return -1;
    }
    if (check_scope(a, body, f) < 0 || check_arguments(body, &facts, f) < 0)
        return -1;
    read_body(&r, &none, body);
    read_exports(a, body, &facts);
    facts.attributes = r.attributes.kind;
    facts.key_count = settle(&r.attributes);
    facts.keys = facts.key_count ? r.attributes.keys : NULL;
    facts.exports_use = r.exports.kind;
    facts.exporter_count = settle(&r.exports);
    facts.exporters = facts.exporter_count ? r.exports.keys : NULL;
    facts.uses_exports = r.exports.kind != ATTRIBUTES_UNUSED;
    *out = facts;
    return 0;
}
