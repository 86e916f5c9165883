/* SPDX-License-Identifier: Apache-2.0 */
/* Finds duplicate keys while reading: a stack of the keys of all open objects. The keys of a small
 * object are compared one by one; those of a larger one are also entered into a hash table that all
 * open objects share (SipHash under a random key, so that no input can make it slow). An object's
 * keys are dropped from the top of the stack when it ends, and since a chain begins with its newest
 * entry, taking one out of the table is one store. Memory follows the keys that are open at once.
 * Lives in the reader's arena. */
#include <sodium.h>
#include <string.h>

#include "base/random.h"
#include "codec/json_internal.h"

#define FEW_KEYS   8 /* as many are compared one by one */
#define FIRST_KEYS 32
#define NO_ENTRY   UINT32_MAX

struct entry {
    struct str key;
    uint32_t hash;  /* this and the next: when it is in the table */
    uint32_t below; /* next in the chain */
    bool in_table;
};

struct json_keys {
    struct arena *arena;
    struct entry *stack;
    uint32_t count;
    uint32_t cap;     /* a power of two */
    uint32_t *chains; /* cap of them; NULL until there is a larger object */
    uint8_t seed[crypto_shorthash_KEYBYTES];
};

struct json_keys *json_keys_new(struct arena *a)
{
    struct json_keys *k = arena_new_type(a, struct json_keys);

    k->arena = a;
    k->cap = FIRST_KEYS;
    k->stack = arena_alloc_raw(a, sizeof(struct entry) * k->cap);
    return k;
}

uint32_t json_keys_open(const struct json_keys *k)
{
    return k->count;
}

static uint32_t hash_of(const struct json_keys *k, uint32_t base, struct str key)
{
    uint32_t h[crypto_shorthash_BYTES / sizeof(uint32_t)];

    crypto_shorthash((uint8_t *)h, (const uint8_t *)key.p, key.len, k->seed);
    /* The same key in two open objects never has the same hash: the object is told by `base`, where
     * its keys begin on the stack, and an odd factor loses no bit. */
    return h[0] ^ (h[1] + base) * UINT32_C(0x9e3779b1);
}

static void enter(struct json_keys *k, uint32_t i)
{
    struct entry *e = &k->stack[i];
    uint32_t *chain = &k->chains[e->hash & (k->cap - 1)];

    e->in_table = true;
    e->below = *chain;
    *chain = i;
}

static void new_chains(struct json_keys *k)
{
    size_t size = sizeof(uint32_t) * k->cap;

    k->chains = arena_alloc_raw(k->arena, size);
    memset(k->chains, 0xff, size);
}

static void grow(struct json_keys *k)
{
    struct entry *moved = arena_alloc_raw(k->arena, sizeof(struct entry) * k->cap * 2);

    memcpy(moved, k->stack, sizeof(struct entry) * k->count);
    k->stack = moved;
    k->cap *= 2;
    if (!k->chains)
        return;
    new_chains(k);
    for (uint32_t i = 0; i < k->count; i++) {
        if (k->stack[i].in_table)
            enter(k, i);
    }
}

/* The object has outgrown comparing one by one. */
static void enter_all(struct json_keys *k, uint32_t base)
{
    if (!k->chains) {
        random_bytes(k->seed, sizeof(k->seed));
        new_chains(k);
    }
    for (uint32_t i = base; i < k->count; i++) {
        k->stack[i].hash = hash_of(k, base, k->stack[i].key);
        enter(k, i);
    }
}

static bool is_among(const struct json_keys *k, uint32_t base, struct str key)
{
    for (uint32_t i = base; i < k->count; i++) {
        if (str_eq(k->stack[i].key, key))
            return true;
    }
    return false;
}

static bool is_in_table(const struct json_keys *k, uint32_t hash, struct str key)
{
    uint32_t i = k->chains[hash & (k->cap - 1)];

    for (; i != NO_ENTRY; i = k->stack[i].below) {
        const struct entry *e = &k->stack[i];

        if (e->hash == hash && str_eq(e->key, key))
            return true;
    }
    return false;
}

bool json_keys_add(struct json_keys *k, uint32_t base, struct str key)
{
    bool few = k->count - base < FEW_KEYS;
    uint32_t hash = 0;

    if (k->count == k->cap)
        grow(k);
    if (few) {
        if (is_among(k, base, key))
            return false;
    } else {
        if (k->count - base == FEW_KEYS)
            enter_all(k, base);
        hash = hash_of(k, base, key);
        if (is_in_table(k, hash, key))
            return false;
    }
    k->stack[k->count] = (struct entry){.key = key, .hash = hash};
    if (!few)
        enter(k, k->count);
    k->count++;
    return true;
}

void json_keys_close(struct json_keys *k, uint32_t base)
{
    while (k->count > base) {
        const struct entry *e = &k->stack[--k->count];

        if (e->in_table)
            k->chains[e->hash & (k->cap - 1)] = e->below;
    }
}
