/* SPDX-License-Identifier: Apache-2.0 */
/* Interned sets of pipelines; see pipelines_sets.h. */
#include "core/pipelines_sets.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/map.h"

#define IDLE_MAX 256

struct sets {
    struct texts *texts;
    struct map *by_ids; /* under a keyed hash */
    uint64_t last_serial;
    struct pipeline_set *idle_newest;
    struct pipeline_set *idle_oldest;
    size_t idle_count;
};

struct sets *sets_new(struct texts *texts)
{
    struct sets *s = heap_new_type(struct sets);

    s->texts = texts;
    s->by_ids = map_new();
    return s;
}

static void set_free(struct pipeline_set *set)
{
    arena_free(&set->arena);
    free(set);
}

void sets_free(struct sets **sets)
{
    struct sets *s = *sets;

    if (!s)
        return;

    struct str key;
    size_t at = 0;
    void *set;

    while (map_next(s->by_ids, &at, &key, &set))
        set_free(set);
    map_free(&s->by_ids);
    free(s);
    *sets = NULL;
}

static struct str ids_str(const int64_t *ids, size_t count)
{
    return str_make(ids, count * sizeof(*ids));
}

static void leave_idle(struct sets *s, struct pipeline_set *set)
{
    *(set->idle_prev ? &set->idle_prev->idle_next : &s->idle_newest) = set->idle_next;
    *(set->idle_next ? &set->idle_next->idle_prev : &s->idle_oldest) = set->idle_prev;
    set->idle_next = NULL;
    set->idle_prev = NULL;
    s->idle_count--;
}

static void join_idle(struct sets *s, struct pipeline_set *set)
{
    set->idle_next = s->idle_newest;
    *(s->idle_newest ? &s->idle_newest->idle_prev : &s->idle_oldest) = set;
    s->idle_newest = set;
    s->idle_count++;
}

static struct pipeline_set *set_new(struct sets *s, const int64_t *ids, size_t count)
{
    struct pipeline_set *set = heap_calloc(1, sizeof(*set) + count * sizeof(*ids));
    int64_t *copy = (int64_t *)(set + 1);

    if (count > 0)
        memcpy(copy, ids, count * sizeof(*ids));
    set->ids = copy;
    set->count = count;
    set->serial = ++s->last_serial;
    IGNORE(map_put(s->by_ids, ids_str(ids, count), set));
    return set;
}

struct pipeline_set *sets_intern(struct sets *s, const int64_t *ids, size_t count)
{
    struct pipeline_set *set = map_get(s->by_ids, ids_str(ids, count));

    if (set) {
        sets_ref(s, set);
        return set;
    }
    set = set_new(s, ids, count);
    set->refs = 1;
    return set;
}

void sets_ref(struct sets *s, struct pipeline_set *set)
{
    if (set->refs++ == 0)
        leave_idle(s, set);
}

void sets_unref(struct sets *s, struct pipeline_set **set)
{
    struct pipeline_set *gone = *set;

    *set = NULL;
    if (!gone || --gone->refs > 0)
        return;
    join_idle(s, gone);
    if (s->idle_count <= IDLE_MAX)
        return;

    struct pipeline_set *oldest = s->idle_oldest;

    leave_idle(s, oldest);
    IGNORE(map_remove(s->by_ids, ids_str(oldest->ids, oldest->count)));
    texts_forget(s->texts, &oldest->texts);
    set_free(oldest);
}

size_t sets_count(const struct sets *s)
{
    return map_count(s->by_ids);
}

bool set_has(const struct pipeline_set *set, int64_t id)
{
    size_t low = 0;
    size_t high = set->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (set->ids[mid] < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < set->count && set->ids[low] == id;
}

size_t set_pick(const struct pipeline_set *set, const struct label *attributes, size_t count,
                struct label *out)
{
    size_t n = 0;
    size_t k = 0;

    for (size_t i = 0; i < count; i++) {
        switch (set->use) {
        case ATTRIBUTES_UNUSED: return 0;
        case ATTRIBUTES_ALL: out[n++] = attributes[i]; continue;
        case ATTRIBUTES_BY_KEY: break;
        }
        while (k < set->key_count && str_cmp(set->keys[k], attributes[i].key) < 0)
            k++;
        if (k == set->key_count)
            break;
        if (str_eq(set->keys[k], attributes[i].key))
            out[n++] = attributes[i];
    }
    return n;
}

static void feed(crypto_generichash_state *h, struct str s)
{
    uint64_t len = s.len;

    crypto_generichash_update(h, (const unsigned char *)&len, sizeof(len));
    if (s.len > 0)
        crypto_generichash_update(h, (const unsigned char *)s.p, s.len);
}

struct text_key set_text_key(const struct pipeline_set *set, const struct label *attributes,
                             size_t count)
{
    struct text_key key = {0};
    uint64_t which[2] = {set->serial, set->version};

    if (set->use == ATTRIBUTES_UNUSED) {
        memcpy(key.bytes, which, sizeof(which));
        return key;
    }

    crypto_generichash_state h;
    size_t k = 0;

    crypto_generichash_init(&h, NULL, 0, sizeof(key.bytes));
    crypto_generichash_update(&h, (const unsigned char *)which, sizeof(which));
    for (size_t i = 0; i < count; i++) {
        if (set->use == ATTRIBUTES_BY_KEY) {
            while (k < set->key_count && str_cmp(set->keys[k], attributes[i].key) < 0)
                k++;
            if (k == set->key_count)
                break;
            if (!str_eq(set->keys[k], attributes[i].key))
                continue;
        }
        feed(&h, attributes[i].key);
        feed(&h, attributes[i].value);
    }
    crypto_generichash_final(&h, key.bytes, sizeof(key.bytes));
    return key;
}
