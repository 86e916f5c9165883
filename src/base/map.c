/* SPDX-License-Identifier: Apache-2.0 */
/* Hash map with linear probing; a removal shifts the followers back, so there are no tombstones.
 * One thread at a time, or any number that only read. Each entry is one allocation. */
#include "base/map.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/random.h"

#define SLOTS_MIN 8

struct entry {
    void *value;
    size_t key_len;
    char key[];
};

struct slot {
    uint64_t hash;
    struct entry *entry; /* NULL: free */
};

struct map {
    struct slot *slots; /* a power of two of them, at most three quarters in use */
    size_t mask;
    size_t count;
    unsigned char hash_key[crypto_shorthash_KEYBYTES];
};

struct map *map_new(void)
{
    struct map *m = heap_new_type(struct map);

    random_bytes(m->hash_key, sizeof(m->hash_key));
    m->slots = heap_new_array(struct slot, SLOTS_MIN);
    m->mask = SLOTS_MIN - 1;
    return m;
}

void map_free(struct map **m)
{
    if (!*m)
        return;
    for (size_t i = 0; i <= (*m)->mask; i++)
        free((*m)->slots[i].entry);
    free((*m)->slots);
    free(*m);
    *m = NULL;
}

size_t map_count(const struct map *m)
{
    return m->count;
}

static uint64_t hash_of(const struct map *m, struct str key)
{
    uint64_t hash;
    unsigned char out[crypto_shorthash_BYTES];

    _Static_assert(sizeof(out) == sizeof(hash), "a hash is 64 bits");
    crypto_shorthash(out, (const unsigned char *)(key.len ? key.p : ""), key.len, m->hash_key);
    memcpy(&hash, out, sizeof(hash));
    return hash;
}

/* The slot of the key, or the free one where it would go. */
static size_t find(const struct map *m, struct str key, uint64_t hash)
{
    size_t i = hash & m->mask;

    for (;; i = (i + 1) & m->mask) {
        const struct entry *e = m->slots[i].entry;

        if (!e)
            return i;
        if (m->slots[i].hash == hash && str_eq(key, (struct str){e->key, e->key_len}))
            return i;
    }
}

static void grow(struct map *m)
{
    struct slot *old = m->slots;
    size_t old_count = m->mask + 1;

    m->slots = heap_new_array(struct slot, 2 * old_count);
    m->mask = 2 * old_count - 1;
    for (size_t i = 0; i < old_count; i++) {
        if (!old[i].entry)
            continue;

        size_t at = old[i].hash & m->mask;

        while (m->slots[at].entry)
            at = (at + 1) & m->mask;
        m->slots[at] = old[i];
    }
    free(old);
}

void *map_get(const struct map *m, struct str key)
{
    const struct entry *e = m->slots[find(m, key, hash_of(m, key))].entry;

    return e ? e->value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
    assert(value);

    uint64_t hash = hash_of(m, key);
    size_t at = find(m, key, hash);
    struct entry *e = m->slots[at].entry;

    if (e) {
        void *before = e->value;

        e->value = value;
        return before;
    }
    if (m->count + 1 > (m->mask + 1) / 4 * 3) {
        grow(m);
        at = find(m, key, hash);
    }
    e = heap_alloc(sizeof(*e) + key.len);
    e->value = value;
    e->key_len = key.len;
    if (key.len > 0)
        memcpy(e->key, key.p, key.len);
    m->slots[at] = (struct slot){hash, e};
    m->count++;
    return NULL;
}

void *map_remove(struct map *m, struct str key)
{
    size_t hole = find(m, key, hash_of(m, key));
    struct entry *e = m->slots[hole].entry;

    if (!e)
        return NULL;

    void *value = e->value;

    free(e);
    m->count--;
    for (size_t i = (hole + 1) & m->mask; m->slots[i].entry; i = (i + 1) & m->mask) {
        size_t home = m->slots[i].hash & m->mask;

        /* An entry may fill the hole unless its home lies behind the hole. */
        if (((i - home) & m->mask) >= ((i - hole) & m->mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].entry = NULL;
    return value;
}

bool map_next(const struct map *m, size_t *at, struct str *key, void **value)
{
    for (; *at <= m->mask; (*at)++) {
        const struct entry *e = m->slots[*at].entry;

        if (!e)
            continue;
        *key = (struct str){e->key, e->key_len};
        *value = e->value;
        (*at)++;
        return true;
    }
    return false;
}
