/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of pipelines: rows and agents in few words, and numbers that are random but the
 * same each time. */
#ifndef CORE_PIPELINES_FIXTURE_H
#define CORE_PIPELINES_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/heap.h"
#include "core/alloy_config.h"
#include "core/pipelines.h"

#define FIXTURE_MATCHERS_MAX 4

/* A pipeline as a test writes it; type 0: for Alloy. */
struct draft {
    int64_t id;
    const char *name;
    bool disabled;
    enum agent_type type;
    const char *contents;
    const char *matchers[FIXTURE_MATCHERS_MAX]; /* up to the first NULL */
};

/* Row and its strings live in the arena. */
static inline struct pipeline draft_row(struct arena *a, const struct draft *d)
{
    struct pipeline_spec spec = {.type = d->type ? d->type : AGENT_ALLOY};
    struct pipeline row = {.id = d->id, .enabled = !d->disabled, .revision = 1};
    struct fail f = {0};

    row.name = arena_str(a, str_of(d->name));
    spec.contents = str_of(d->contents);
    spec.matchers = arena_new_array(a, struct str, FIXTURE_MATCHERS_MAX);
    while (spec.matcher_count < FIXTURE_MATCHERS_MAX && d->matchers[spec.matcher_count]) {
        spec.matchers[spec.matcher_count] = str_of(d->matchers[spec.matcher_count]);
        spec.matcher_count++;
    }
    assert_int_equal(pipeline_spec_encode(a, &spec, &row.body, &f), 0);
    return row;
}

static inline int draft_try(struct pipelines *p, const struct draft *d, struct fail *f)
{
    struct arena *a = arena_new(1024);
    struct pipeline row = draft_row(a, d);
    int result = pipelines_put(p, &row, f);

    arena_free(&a);
    return result;
}

static inline void draft_put(struct pipelines *p, const struct draft *d)
{
    struct fail f = {0};

    if (draft_try(p, d, &f) < 0)
        fail_msg("%s: %s", d->name, f.message);
}

static inline int by_label_key(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

/* "env=prod", ...: keys and values beside the id. Enabled, Alloy. */
static inline struct agent_view view_of(struct arena *a, const char *id, const char *const *pairs,
                                        size_t count)
{
    struct label *l = arena_new_array(a, struct label, count + 1);
    struct str name = arena_str(a, str_of(id));

    for (size_t i = 0; i < count; i++) {
        l[i].value = arena_str(a, str_of(pairs[i]));
        l[i].key = str_cut(&l[i].value, '=');
    }
    l[count] = (struct label){STR(AGENT_ID_KEY), name};
    qsort(l, count + 1, sizeof(*l), by_label_key);
    return (struct agent_view){
        .id = name,
        .type = AGENT_ALLOY,
        .enabled = true,
        .attributes = l,
        .attribute_count = count + 1,
    };
}

#define VIEW(a, id, ...)                                                                           \
    view_of((a), (id), (const char *const[]){__VA_ARGS__},                                         \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* The same sequence for the same seed. */
struct dice {
    uint64_t state;
};

static inline uint64_t dice_roll(struct dice *d, uint64_t sides)
{
    uint64_t z = (d->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % sides;
}

#define PLAIN  "prometheus.exporter.self \"me\" { }\n"
#define OTHER  "prometheus.exporter.unix \"me\" { }\n"
#define BY_ENV "discovery.http \"d\" {\n  url = argument.attributes.value[\"env\"]\n}\n"
#define BY_ALL "discovery.http \"d\" {\n  url = to_json(argument.attributes.value)\n}\n"

struct fixture {
    struct pipelines *p;
    struct arena *a;
};

static inline void set_up_with(struct fixture *x, const struct pipelines_options *o)
{
    x->p = pipelines_new(o);
    x->a = arena_new(4096);
}

static inline void set_up(struct fixture *x)
{
    set_up_with(x, &(struct pipelines_options){0});
}

static inline void tear_down(struct fixture *x)
{
    pipelines_free(&x->p);
    assert_null(x->p);
    arena_free(&x->a);
}

static inline struct str text_for(struct fixture *x, const struct agent_view *v)
{
    struct rendered r = {0};

    pipelines_render(x->p, v, x->a, NULL, &r);
    return r.content;
}

static inline bool mentions(struct str text, const char *word)
{
    return memmem(text.p, text.len, word, strlen(word)) != NULL;
}

#endif
