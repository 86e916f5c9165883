/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled pipelines; see pipelines_compiled.h. */
#include "core/pipelines_compiled.h"

#include <stdlib.h>

#include "base/heap.h"
#include "codec/yaml.h"

#define ARENA_BYTES 1024

static bool is_pattern(const struct matcher *m)
{
    return m->op == MATCH_PATTERN || m->op == MATCH_NOT_PATTERN;
}

/* Comparing is cheaper than searching, and refuses most agents. */
static struct matcher *cheapest_first(struct arena *a, const struct matcher *m, size_t count)
{
    struct matcher *sorted = arena_new_array(a, struct matcher, count);
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        if (!is_pattern(&m[i]))
            sorted[n++] = m[i];
    }
    for (size_t i = 0; i < count; i++) {
        if (is_pattern(&m[i]))
            sorted[n++] = m[i];
    }
    return sorted;
}

static struct str *copy_strings(struct arena *a, const struct str *from, size_t count)
{
    struct str *to = arena_new_array(a, struct str, count);

    for (size_t i = 0; i < count; i++)
        to[i] = arena_str(a, from[i]);
    return to;
}

/* The tree that the facts are read from is not kept. */
static int read_contents(struct compiled *c, struct fail *f)
{
    struct arena *scratch = arena_new(ARENA_BYTES);
    struct alloy_facts facts = {0};
    int result = c->type == AGENT_OTEL ? yaml_check(scratch, c->contents, f)
                                       : alloy_pipeline_read(scratch, c->contents, &facts, f);

    if (result == 0) {
        facts.keys = copy_strings(c->arena, facts.keys, facts.key_count);
        facts.exports = copy_strings(c->arena, facts.exports, facts.export_count);
        c->facts = facts;
    }
    arena_free(&scratch);
    return result;
}

static int compile(struct compiled *c, struct str body, struct fail *f)
{
    struct pipeline_spec spec = {0};

    if (pipeline_spec_decode(c->arena, arena_str(c->arena, body), &spec, f) < 0)
        return -1;
    c->type = spec.type;
    c->contents = spec.contents;
    if (matchers_parse(c->arena, spec.matchers, spec.matcher_count, &c->matchers, f) < 0)
        return -1;
    c->matcher_count = spec.matcher_count;
    c->cheapest = cheapest_first(c->arena, c->matchers, c->matcher_count);
    return read_contents(c, f);
}

struct compiled *compiled_new(const struct pipeline *row, struct fail *f)
{
    struct compiled *c = heap_new_type(struct compiled);

    c->refs = 1;
    c->arena = arena_new(ARENA_BYTES);
    c->id = row->id;
    c->name = arena_str(c->arena, row->name);
    c->enabled = row->enabled;
    c->broken = compile(c, row->body, f) < 0;
    return c;
}

void compiled_free(struct compiled **c)
{
    if (!*c)
        return;
    arena_free(&(*c)->arena);
    free(*c);
    *c = NULL;
}

bool compiled_is_chosen_alike(const struct compiled *a, const struct compiled *b)
{
    if (a->enabled != b->enabled || a->broken != b->broken || a->type != b->type ||
        a->matcher_count != b->matcher_count)
        return false;
    for (size_t i = 0; i < a->matcher_count; i++) {
        if (!str_eq(a->matchers[i].text, b->matchers[i].text))
            return false;
    }
    return true;
}

bool compiled_reads_alike(const struct compiled *a, const struct compiled *b)
{
    return a->broken == b->broken && a->type == b->type && str_eq(a->name, b->name) &&
           str_eq(a->contents, b->contents);
}

bool compiled_matches(const struct compiled *c, const struct pipelines_options *o,
                      const struct label *attributes, size_t count)
{
    if (c->broken)
        return false;
    if (c->matcher_count == 0)
        return o->empty_matches_all;
    return !matchers_refusing(c->cheapest, c->matcher_count, attributes, count);
}

enum verdict compiled_judge(const struct compiled *c, const struct pipelines_options *o,
                            const struct agent_view *v)
{
    if (c->broken)
        return VERDICT_BROKEN;
    if (!c->enabled)
        return VERDICT_DISABLED;
    if (c->type != v->type)
        return VERDICT_TYPE;
    if (compiled_matches(c, o, v->attributes, v->attribute_count))
        return VERDICT_SELECTED;
    return c->matcher_count == 0 ? VERDICT_NO_MATCHERS : VERDICT_MATCHER;
}
