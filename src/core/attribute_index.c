/* SPDX-License-Identifier: Apache-2.0 */
/* See attribute_index.h. */
#include "core/attribute_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/random.h"
#include "core/agent.h"

#define HOLE       (UINT32_C(1) << 31)
#define HOLE_NONE  (HOLE - 1)
#define PAIRS_MAX  HOLE_NONE
#define PLACES_MIN 4

void attribute_index_init(struct attribute_index *x)
{
    *x = (struct attribute_index){.free_key = ATTRIBUTE_NONE, .free_pair = ATTRIBUTE_NONE};
    random_bytes(x->secret, sizeof(x->secret));
    hash_index_init(&x->key_index);
    hash_index_init(&x->pair_index);
    chunks_init(&x->keys, sizeof(struct attribute_key));
    chunks_init(&x->pairs, sizeof(struct attribute_pair));
}

void attribute_index_done(struct attribute_index *x)
{
    for (uint32_t i = 0; i < x->pair_end; i++) {
        struct attribute_pair *p = attribute_pair_at(x, i);

        if (!attribute_is_used(p))
            continue;
        posting_done(&p->agents);
        if (p->value_len > ATTRIBUTE_INLINE_BYTES)
            free(p->value.heap);
    }
    for (uint32_t i = 0; i < x->key_end; i++) {
        free(attribute_key_at(x, i)->text);
        free(attribute_key_at(x, i)->pairs);
    }
    hash_index_done(&x->key_index);
    hash_index_done(&x->pair_index);
    chunks_done(&x->keys);
    chunks_done(&x->pairs);
}

size_t attribute_index_count(const struct attribute_index *x)
{
    return x->pair_index.count;
}

size_t attribute_index_bytes(const struct attribute_index *x)
{
    size_t bytes = x->pair_end * sizeof(struct attribute_pair) + hash_index_bytes(&x->pair_index) +
                   hash_index_bytes(&x->key_index) + x->heap_bytes;

    for (uint32_t i = 0; i < x->key_end; i++)
        bytes += sizeof(struct attribute_key) + attribute_key_at(x, i)->capacity * sizeof(uint32_t);
    return bytes;
}

static uint64_t hash_of(const struct attribute_index *x, struct str s)
{
    uint64_t hash;
    unsigned char out[crypto_shorthash_BYTES];

    _Static_assert(sizeof(out) == sizeof(hash), "a hash is 64 bits");
    crypto_shorthash(out, (const unsigned char *)(s.len ? s.p : ""), s.len, x->secret);
    memcpy(&hash, out, sizeof(hash));
    return hash;
}

/* The same value under different keys lies apart. */
static uint32_t pair_hash(const struct attribute_index *x, uint32_t key, struct str value)
{
    uint64_t hash = hash_of(x, value) + (key + 1) * UINT64_C(0x9e3779b97f4a7c15);

    return (uint32_t)(hash ^ hash >> 32);
}

static uint32_t find_key(const struct attribute_index *x, struct str key, uint32_t hash)
{
    uint32_t at = 0;
    uint32_t found;

    while (hash_index_next(&x->key_index, hash, &at, &found)) {
        const struct attribute_key *k = attribute_key_at(x, found);

        if (str_eq((struct str){k->text, k->len}, key))
            return found;
    }
    return ATTRIBUTE_NONE;
}

static uint32_t find_pair(const struct attribute_index *x, uint32_t key, struct str value,
                          uint32_t hash)
{
    uint32_t at = 0;
    uint32_t found;

    while (hash_index_next(&x->pair_index, hash, &at, &found)) {
        const struct attribute_pair *p = attribute_pair_at(x, found);

        if (p->key == key && str_eq(attribute_value(p), value))
            return found;
    }
    return ATTRIBUTE_NONE;
}

uint32_t attribute_find_key(const struct attribute_index *x, struct str key)
{
    return find_key(x, key, (uint32_t)hash_of(x, key));
}

uint32_t attribute_find(const struct attribute_index *x, struct str key, struct str value)
{
    uint32_t k = attribute_find_key(x, key);

    return k == ATTRIBUTE_NONE ? k : find_pair(x, k, value, pair_hash(x, k, value));
}

static uint32_t new_key(struct attribute_index *x, struct str key, uint32_t hash)
{
    uint32_t number = x->free_key;

    if (number != ATTRIBUTE_NONE) {
        x->free_key = attribute_key_at(x, number)->hole;
    } else {
        if (x->key_end == x->keys.capacity)
            chunks_grow(&x->keys);
        number = x->key_end++;
    }
    *attribute_key_at(x, number) = (struct attribute_key){
        .text = heap_cstr(key),
        .len = (uint32_t)key.len,
        .hash = hash,
        .is_reserved = str_starts_with(key, STR(AGENT_RESERVED_PREFIX)),
        .hole = HOLE_NONE,
    };
    hash_index_add(&x->key_index, hash, number);
    return number;
}

static void free_key(struct attribute_index *x, uint32_t number)
{
    struct attribute_key *k = attribute_key_at(x, number);

    hash_index_remove(&x->key_index, k->hash, number);
    free(k->text);
    free(k->pairs);
    *k = (struct attribute_key){.hole = x->free_key};
    x->free_key = number;
}

static uint32_t give_place(struct attribute_key *k, uint32_t pair)
{
    uint32_t place = k->hole;

    if (place != HOLE_NONE) {
        k->hole = k->pairs[place] & ~HOLE;
    } else {
        if (k->places == k->capacity) {
            k->capacity = MAX(PLACES_MIN, k->capacity + k->capacity / 2);
            k->pairs = heap_realloc(k->pairs, k->capacity * sizeof(*k->pairs));
        }
        place = k->places++;
    }
    k->pairs[place] = pair;
    return place;
}

static void set_value(struct attribute_index *x, struct attribute_pair *p, struct str value)
{
    p->value_len = (uint32_t)value.len;
    if (value.len > ATTRIBUTE_INLINE_BYTES) {
        p->value.heap = heap_cstr(value);
        x->heap_bytes += value.len + 1;
    } else if (value.len > 0) {
        memcpy(p->value.bytes, value.p, value.len);
    }
}

static uint32_t new_pair(struct attribute_index *x, uint32_t key, struct str value, uint32_t hash)
{
    uint32_t number = x->free_pair;
    struct attribute_key *k = attribute_key_at(x, key);

    if (number != ATTRIBUTE_NONE) {
        x->free_pair = attribute_pair_at(x, number)->place;
    } else {
        assert(x->pair_end < PAIRS_MAX);
        if (x->pair_end == x->pairs.capacity)
            chunks_grow(&x->pairs);
        number = x->pair_end++;
    }

    struct attribute_pair *p = attribute_pair_at(x, number);

    *p = (struct attribute_pair){.key = key, .place = give_place(k, number), .hash = hash};
    set_value(x, p, value);
    k->uses++;
    hash_index_add(&x->pair_index, hash, number);
    return number;
}

static void free_pair(struct attribute_index *x, uint32_t number)
{
    struct attribute_pair *p = attribute_pair_at(x, number);
    struct attribute_key *k = attribute_key_at(x, p->key);
    uint32_t key = p->key;

    assert(p->agents.count == 0);
    hash_index_remove(&x->pair_index, p->hash, number);
    posting_done(&p->agents);
    if (p->value_len > ATTRIBUTE_INLINE_BYTES) {
        free(p->value.heap);
        x->heap_bytes -= p->value_len + 1;
    }
    k->pairs[p->place] = HOLE | k->hole;
    k->hole = p->place;
    *p = (struct attribute_pair){.place = x->free_pair};
    x->free_pair = number;
    if (--k->uses == 0)
        free_key(x, key);
}

uint32_t attribute_take(struct attribute_index *x, struct str key, struct str value,
                        enum attribute_side side)
{
    uint32_t key_hash = (uint32_t)hash_of(x, key);
    uint32_t k = find_key(x, key, key_hash);

    if (k == ATTRIBUTE_NONE)
        k = new_key(x, key, key_hash);

    uint32_t hash = pair_hash(x, k, value);
    uint32_t pair = find_pair(x, k, value, hash);

    if (pair == ATTRIBUTE_NONE)
        pair = new_pair(x, k, value, hash);
    attribute_pair_at(x, pair)->uses[side]++;
    return pair;
}

void attribute_drop(struct attribute_index *x, uint32_t pair, enum attribute_side side)
{
    struct attribute_pair *p = attribute_pair_at(x, pair);

    assert(p->uses[side] > 0);
    p->uses[side]--;
    if (!attribute_is_used(p))
        free_pair(x, pair);
}
