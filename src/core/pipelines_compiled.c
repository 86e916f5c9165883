/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled pipelines; see pipelines_compiled.h. */
#include "core/pipelines_compiled.h"

#include <stdlib.h>

#include "base/heap.h"
#include "codec/yaml.h"

#define ARENA_BYTES 1024

static bool is_pattern(const struct condition *c)
{
    return c->matcher.op == MATCH_PATTERN || c->matcher.op == MATCH_NOT_PATTERN;
}

/* Comparing is cheaper than searching, and refuses most agents. */
static void order_cheapest(struct compiled *c)
{
    size_t n = 0;

    for (int patterns = 0; patterns < 2; patterns++) {
        for (size_t i = 0; i < c->condition_count; i++) {
            if (is_pattern(c->conditions[i]) == (patterns == 1))
                c->cheapest[n++] = c->conditions[i];
        }
    }
}

static int read_matchers(struct compiled *c, const struct str *texts, size_t count, struct fail *f)
{
    if (count > MATCHERS_MAX)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "too_many_matchers",
                           "there are more than %d matchers", MATCHERS_MAX);
    c->conditions = arena_new_array(c->arena, struct condition *, count);
    c->cheapest = arena_new_array(c->arena, struct condition *, count);
    c->owns_conditions = true;
    for (size_t i = 0; i < count; i++) {
        c->conditions[i] = condition_new(texts[i], f);
        if (!c->conditions[i])
            return fail_field(f, "matchers[%zu]", i);
        c->condition_count++;
    }
    order_cheapest(c);
    return 0;
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
        facts.exporters = copy_strings(c->arena, facts.exporters, facts.exporter_count);
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
    if (read_matchers(c, spec.matchers, spec.matcher_count, f) < 0)
        return -1;
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
    f->code = CODE_OK;
    c->broken = compile(c, row->body, f) < 0;
    return c;
}

void compiled_free(struct compiled **c)
{
    if (!*c)
        return;
    for (size_t i = 0; (*c)->owns_conditions && i < (*c)->condition_count; i++)
        condition_free(&(*c)->conditions[i]);
    arena_free(&(*c)->arena);
    free(*c);
    *c = NULL;
}

void compiled_join(struct compiled *c, struct conditions *t)
{
    struct condition *spare;

    for (size_t i = 0; i < c->condition_count; i++) {
        c->conditions[i] = conditions_join(t, c->conditions[i], &spare);
        condition_free(&spare);
    }
    c->owns_conditions = false;
    order_cheapest(c);
}

void compiled_leave(struct compiled *c, struct conditions *t)
{
    size_t n = 0;

    for (size_t i = 0; i < c->condition_count; i++) {
        struct condition *mine = conditions_leave(t, c->conditions[i]);

        if (mine)
            c->conditions[n++] = mine;
    }
    c->condition_count = n;
    c->owns_conditions = true;
}

bool compiled_is_chosen_alike(const struct compiled *a, const struct compiled *b)
{
    if (a->enabled != b->enabled || a->broken != b->broken || a->type != b->type ||
        a->condition_count != b->condition_count)
        return false;
    for (size_t i = 0; i < a->condition_count; i++) {
        if (!str_eq(a->conditions[i]->matcher.text, b->conditions[i]->matcher.text))
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
                      const struct label *attributes, size_t count, struct verdicts *known)
{
    if (c->broken)
        return false;
    if (c->condition_count == 0)
        return o->empty_matches_all;
    for (size_t i = 0; i < c->condition_count; i++) {
        if (known ? !verdicts_hold(known, c->cheapest[i])
                  : !condition_holds(c->cheapest[i], attributes, count))
            return false;
    }
    return true;
}

enum verdict compiled_judge(const struct compiled *c, const struct pipelines_options *o,
                            const struct agent_view *v, struct verdicts *known)
{
    if (c->broken)
        return VERDICT_BROKEN;
    if (!c->enabled)
        return VERDICT_DISABLED;
    if (c->type != v->type)
        return VERDICT_TYPE;
    if (compiled_matches(c, o, v->attributes, v->attribute_count, known))
        return VERDICT_SELECTED;
    return c->condition_count == 0 ? VERDICT_NO_MATCHERS : VERDICT_MATCHER;
}
