/* SPDX-License-Identifier: Apache-2.0 */
/* The attributes of a tenant's agents, each distinct pair of key and value kept once, and for each
 * pair the agents that effectively have it. Pairs are counted by who says them: agents (local) and
 * operators (remote).
 *
 * Guarded by its owner's lock, with one exception: key and value of a pair that is in use stand
 * still where they are, so whoever keeps a pair in use may read them without the lock. */
#ifndef CORE_ATTRIBUTE_INDEX_H
#define CORE_ATTRIBUTE_INDEX_H

#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "core/chunks.h"
#include "core/hash_index.h"
#include "core/posting.h"

#define ATTRIBUTE_NONE UINT32_MAX

enum attribute_side {
    ATTRIBUTE_LOCAL,
    ATTRIBUTE_REMOTE,
};

#define ATTRIBUTE_SIDES        2
#define ATTRIBUTE_INLINE_BYTES 24

struct attribute_pair {
    uint32_t key;
    uint32_t place; /* among the values of the key; of a free pair: the next free one */
    uint32_t uses[ATTRIBUTE_SIDES];
    struct posting agents;
    uint32_t hash;
    uint32_t value_len;
    union {
        char bytes[ATTRIBUTE_INLINE_BYTES];
        char *heap; /* longer values */
    } value;
};
_Static_assert(sizeof(struct attribute_pair) == 64, "a pair is read for each attribute of a poll");

struct attribute_key {
    char *text;
    uint32_t len;
    uint32_t hash;
    bool is_reserved; /* the agent's own word counts, whatever the operator says */
    uint32_t uses;    /* pairs */
    uint32_t *pairs;  /* by place; a hole has its top bit set and names the next one */
    uint32_t places;
    uint32_t capacity;
    uint32_t hole;
};

struct attribute_index {
    unsigned char secret[crypto_shorthash_KEYBYTES];
    struct hash_index key_index;
    struct hash_index pair_index;
    struct chunks keys;
    struct chunks pairs;
    uint32_t key_end; /* numbers below were given out at some time */
    uint32_t pair_end;
    uint32_t free_key;
    uint32_t free_pair;
    size_t heap_bytes; /* long values */
};

void attribute_index_init(struct attribute_index *x);
void attribute_index_done(struct attribute_index *x);

/* Distinct pairs. */
size_t attribute_index_count(const struct attribute_index *x);
size_t attribute_index_bytes(const struct attribute_index *x);

/* The number of the pair, which is in use once more on that side. */
uint32_t attribute_take(struct attribute_index *x, struct str key, struct str value,
                        enum attribute_side side);

/* Undoes one attribute_take(). The last one of all forgets the pair; nobody has it then. */
void attribute_drop(struct attribute_index *x, uint32_t pair, enum attribute_side side);

/* ATTRIBUTE_NONE when no agent has it. */
uint32_t attribute_find_key(const struct attribute_index *x, struct str key);
uint32_t attribute_find(const struct attribute_index *x, struct str key, struct str value);

static inline struct attribute_pair *attribute_pair_at(const struct attribute_index *x,
                                                       uint32_t pair)
{
    return chunks_at(&x->pairs, pair);
}

static inline struct attribute_key *attribute_key_at(const struct attribute_index *x, uint32_t key)
{
    return chunks_at(&x->keys, key);
}

static inline struct str attribute_value(const struct attribute_pair *p)
{
    return (struct str){
        p->value_len <= ATTRIBUTE_INLINE_BYTES ? p->value.bytes : p->value.heap,
        p->value_len,
    };
}

static inline struct str attribute_key(const struct attribute_index *x,
                                       const struct attribute_pair *p)
{
    const struct attribute_key *key = attribute_key_at(x, p->key);

    return (struct str){key->text, key->len};
}

/* The pair at a place of a key's values, NULL where there is none. Places of pairs that stay in use
 * do not change. */
static inline struct attribute_pair *attribute_at_place(const struct attribute_index *x,
                                                        const struct attribute_key *key,
                                                        uint32_t place)
{
    uint32_t pair = key->pairs[place];

    return pair >> 31 ? NULL : attribute_pair_at(x, pair);
}

static inline bool attribute_is_used(const struct attribute_pair *p)
{
    return p->uses[ATTRIBUTE_LOCAL] + p->uses[ATTRIBUTE_REMOTE] > 0;
}

#endif
