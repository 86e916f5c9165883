/* SPDX-License-Identifier: Apache-2.0 */
/* From a 32-bit hash to small numbers whose keys lie elsewhere: eight bytes an entry, open
 * addressing. The caller compares the keys and hashes them under a secret, so that they cannot be
 * chosen to collide. One thread at a time, or any number that only read. */
#ifndef CORE_HASH_INDEX_H
#define CORE_HASH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct hash_entry {
    uint32_t value; /* HASH_INDEX_FREE: none */
    uint32_t hash;
};

#define HASH_INDEX_FREE UINT32_MAX

struct hash_index {
    struct hash_entry *entries; /* a power of two of them, at most three quarters in use */
    uint32_t mask;
    uint32_t count;
};

void hash_index_init(struct hash_index *h);
void hash_index_done(struct hash_index *h);
size_t hash_index_bytes(const struct hash_index *h);

/* The values that were added under this hash, one a call; *at starts at 0. */
static inline bool hash_index_next(const struct hash_index *h, uint32_t hash, uint32_t *at,
                                   uint32_t *value)
{
    for (;;) {
        const struct hash_entry *e = &h->entries[(hash + *at) & h->mask];

        ++*at;
        if (e->value == HASH_INDEX_FREE)
            return false;
        if (e->hash == hash) {
            *value = e->value;
            return true;
        }
    }
}

/* The value is not in there yet under this hash. */
void hash_index_add(struct hash_index *h, uint32_t hash, uint32_t value);

/* It is in there. */
void hash_index_remove(struct hash_index *h, uint32_t hash, uint32_t value);

#endif
