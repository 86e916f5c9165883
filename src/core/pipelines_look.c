/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at pipelines without remembering anything: why an agent gets one or not, what it would
 * get; and some pipelines held together, in whichever order they were found. See pipelines.h. */
#include <stdlib.h>

#include "codec/sha256.h"
#include "core/pipelines_internal.h"

/* --- parts --- */

void parts_release(struct pipelines *p, struct parts *parts)
{
    size_t gone = 0;

    pthread_mutex_lock(&p->sets_lock);
    for (size_t i = 0; i < parts->count; i++) {
        if (--parts->items[i]->refs == 0)
            parts->items[gone++] = parts->items[i];
    }
    pthread_mutex_unlock(&p->sets_lock);
    for (size_t i = 0; i < gone; i++)
        compiled_free(&parts->items[i]);
    *parts = (struct parts){0};
}

static int by_name(const void *a, const void *b)
{
    const struct alloy_part *x = a;
    const struct alloy_part *y = b;
    int order = str_cmp(x->name, y->name);

    return order ? order : (x->id > y->id) - (x->id < y->id);
}

struct str parts_render(const struct parts *parts, struct arena *a, const struct label *attributes,
                        size_t count)
{
    struct alloy_part *sorted = arena_new_array(a, struct alloy_part, parts->count);

    for (size_t i = 0; i < parts->count; i++) {
        const struct compiled *c = parts->items[i];

        sorted[i] = (struct alloy_part){c->id, c->name, c->contents, &c->facts};
    }
    qsort(sorted, parts->count, sizeof(*sorted), by_name);
    return alloy_config_render(a, sorted, parts->count, attributes, count);
}

/* --- why --- */

static const char *verdict_name(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_SELECTED: return "matches";
    case VERDICT_BROKEN: return "broken";
    case VERDICT_DISABLED: return "disabled";
    case VERDICT_TYPE: return "type";
    case VERDICT_NO_MATCHERS: return "no matchers";
    case VERDICT_MATCHER: return "matcher";
    }
    abort();
}

/* The first one, as they were written. */
static struct str refusing(const struct compiled *c, const struct agent_view *v)
{
    size_t i = 0;

    while (condition_holds(c->conditions[i], v->attributes, v->attribute_count))
        i++;
    return c->conditions[i]->matcher.text;
}

static struct pipeline_verdict explain(const struct pipelines *p, struct arena *a,
                                       const struct compiled *c, const struct agent_view *v)
{
    enum verdict verdict = compiled_judge(c, &p->options, v, NULL);
    struct pipeline_verdict out = {
        .id = c->id,
        .name = arena_str(a, c->name),
        .selected = verdict == VERDICT_SELECTED && v->enabled,
        .why = verdict_name(verdict),
    };

    if (verdict == VERDICT_SELECTED && !v->enabled)
        out.why = "agent disabled";
    if (verdict == VERDICT_MATCHER)
        out.matcher = arena_str(a, refusing(c, v));
    return out;
}

static int by_verdict_name(const void *a, const void *b)
{
    const struct pipeline_verdict *x = a;
    const struct pipeline_verdict *y = b;

    return str_cmp(x->name, y->name);
}

void pipelines_explain(struct pipelines *p, struct arena *a, const struct agent_view *v,
                       struct pipeline_verdict **out, size_t *count)
{
    pthread_rwlock_rdlock(&p->lock);
    *count = word_get(&p->count);
    *out = arena_new_array(a, struct pipeline_verdict, *count);
    for (size_t i = 0; i < *count; i++)
        (*out)[i] = explain(p, a, p->all[i], v);
    pthread_rwlock_unlock(&p->lock);
    qsort(*out, *count, sizeof(**out), by_verdict_name);
}

void pipelines_matching(struct pipelines *p, struct arena *a, const struct label *attributes,
                        size_t count, int64_t **ids, size_t *id_count)
{
    pthread_rwlock_rdlock(&p->lock);

    size_t all = word_get(&p->count);

    *ids = arena_new_array(a, int64_t, all);
    *id_count = 0;
    for (size_t i = 0; i < all; i++) {
        if (compiled_matches(p->all[i], &p->options, attributes, count, NULL))
            (*ids)[(*id_count)++] = p->all[i]->id;
    }
    pthread_rwlock_unlock(&p->lock);
}

/* --- what if --- */

/* The selection with `c` in the place of the one with its id. A draft without an id takes nobody's
 * place. */
static void select_with(struct pipelines *p, struct arena *a, struct compiled *c,
                        const struct agent_view *v, struct parts *out)
{
    pthread_rwlock_rdlock(&p->lock);

    size_t all = word_get(&p->count);

    out->items = arena_new_array(a, struct compiled *, all + 1);
    for (size_t i = 0; i < all; i++) {
        if ((c->id == 0 || p->all[i]->id != c->id) &&
            compiled_judge(p->all[i], &p->options, v, NULL) == VERDICT_SELECTED)
            out->items[out->count++] = p->all[i];
    }
    if (compiled_judge(c, &p->options, v, NULL) == VERDICT_SELECTED)
        out->items[out->count++] = c;
    pthread_mutex_lock(&p->sets_lock);
    for (size_t i = 0; i < out->count; i++)
        out->items[i]->refs++;
    pthread_mutex_unlock(&p->sets_lock);
    pthread_rwlock_unlock(&p->lock);
}

int pipelines_preview(struct pipelines *p, struct arena *a, const struct pipeline *row,
                      const struct agent_view *v, struct rendered *out, struct fail *f)
{
    struct compiled *c = compiled_new(row, f);
    struct parts parts = {0};
    struct str content = pipelines_none(p);

    if (c->broken) {
        compiled_free(&c);
        return -1;
    }
    if (v->enabled && v->type == AGENT_ALLOY)
        select_with(p, a, c, v, &parts);
    if (parts.count > 0)
        content = parts_render(&parts, a, v->attributes, v->attribute_count);
    out->content = content;
    sha256(out->content, out->hash);
    parts_release(p, &parts);
    compiled_free(&c);
    return 0;
}

void pipelines_stats(struct pipelines *p, struct pipelines_stats *out)
{
    *out = (struct pipelines_stats){
        .pipelines = word_get(&p->count),
        .changes = word_get(&p->number) - 1,
    };
    pthread_mutex_lock(&p->sets_lock);
    out->sets = sets_count(p->sets);
    pthread_mutex_unlock(&p->sets_lock);
    texts_stats(p->texts, &out->texts, &out->text_bytes);
}
