/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions in common; see pipelines_conditions.h. */
#include "core/pipelines_conditions.h"

#include <stdlib.h>

#include "base/heap.h"
#include "base/map.h"

#define ARENA_BYTES 256

enum known {
    KNOWN_NOT,
    KNOWN_HOLDS,
    KNOWN_REFUSES,
};

struct conditions {
    struct map *by_text;
    struct condition **all; /* by number */
    size_t count;
    size_t capacity;
};

struct condition *condition_new(struct str text, struct fail *f)
{
    struct condition *c = heap_new_type(struct condition);

    c->arena = arena_new(ARENA_BYTES);
    if (matcher_parse(c->arena, text, &c->matcher, f) < 0)
        condition_free(&c);
    return c;
}

void condition_free(struct condition **c)
{
    if (!*c)
        return;
    arena_free(&(*c)->arena);
    free(*c);
    *c = NULL;
}

struct conditions *conditions_new(void)
{
    struct conditions *t = heap_new_type(struct conditions);

    t->by_text = map_new();
    return t;
}

void conditions_free(struct conditions **t)
{
    if (!*t)
        return;
    for (size_t i = 0; i < (*t)->count; i++)
        condition_free(&(*t)->all[i]);
    free((*t)->all);
    map_free(&(*t)->by_text);
    free(*t);
    *t = NULL;
}

/* As it was written: two ways to write the same are two conditions, and no harm is done. */
static struct str key_of(const struct condition *c)
{
    return c->matcher.text;
}

struct condition *conditions_join(struct conditions *t, struct condition *c,
                                  struct condition **spare)
{
    struct condition *known = map_get(t->by_text, key_of(c));

    *spare = known ? c : NULL;
    if (known) {
        known->refs++;
        return known;
    }
    if (t->count == t->capacity) {
        t->capacity = t->capacity ? t->capacity * 2 : 16;
        t->all = heap_realloc(t->all, t->capacity * sizeof(struct condition *));
    }
    c->refs = 1;
    c->number = t->count;
    t->all[t->count++] = c;
    IGNORE(map_put(t->by_text, key_of(c), c));
    return c;
}

struct condition *conditions_leave(struct conditions *t, struct condition *c)
{
    if (--c->refs > 0)
        return NULL;
    IGNORE(map_remove(t->by_text, key_of(c)));
    t->count--;
    t->all[c->number] = t->all[t->count];
    t->all[c->number]->number = c->number;
    return c;
}

size_t conditions_count(const struct conditions *t)
{
    return t->count;
}

void verdicts_init(struct verdicts *v, const struct conditions *t, const struct label *attributes,
                   size_t count)
{
    v->attributes = attributes;
    v->attribute_count = count;
    v->by_number = t->count <= sizeof(v->at_hand) ? v->at_hand : heap_alloc(t->count);
    memset(v->by_number, KNOWN_NOT, t->count);
}

void verdicts_done(struct verdicts *v)
{
    if (v->by_number != v->at_hand)
        free(v->by_number);
}

bool condition_holds(const struct condition *c, const struct label *attributes, size_t count)
{
    return !matchers_refusing(&c->matcher, 1, attributes, count);
}

bool verdicts_hold(struct verdicts *v, const struct condition *c)
{
    uint8_t *known = &v->by_number[c->number];

    if (*known == KNOWN_NOT)
        *known =
            condition_holds(c, v->attributes, v->attribute_count) ? KNOWN_HOLDS : KNOWN_REFUSES;
    return *known == KNOWN_HOLDS;
}
