/* SPDX-License-Identifier: Apache-2.0 */
/* See hash_index.h. Linear probing; a removal shifts the followers back, so there are no
 * tombstones. */
#include "core/hash_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"

#define ENTRIES_MIN 8
#define ENTRIES_MAX (UINT32_C(1) << 31)

static struct hash_entry *new_entries(uint32_t count)
{
    struct hash_entry *entries = heap_alloc((size_t)count * sizeof(*entries));

    memset(entries, 0xff, (size_t)count * sizeof(*entries));
    return entries;
}

void hash_index_init(struct hash_index *h)
{
    h->entries = new_entries(ENTRIES_MIN);
    h->mask = ENTRIES_MIN - 1;
    h->count = 0;
}

void hash_index_done(struct hash_index *h)
{
    free(h->entries);
    *h = (struct hash_index){0};
}

size_t hash_index_bytes(const struct hash_index *h)
{
    return ((size_t)h->mask + 1) * sizeof(*h->entries);
}

static void place(struct hash_index *h, struct hash_entry entry)
{
    uint32_t i = entry.hash & h->mask;

    while (h->entries[i].value != HASH_INDEX_FREE)
        i = (i + 1) & h->mask;
    h->entries[i] = entry;
}

static void grow(struct hash_index *h)
{
    struct hash_entry *old = h->entries;
    uint32_t old_count = h->mask + 1;

    assert(old_count < ENTRIES_MAX);
    h->entries = new_entries(2 * old_count);
    h->mask = 2 * old_count - 1;
    for (uint32_t i = 0; i < old_count; i++) {
        if (old[i].value != HASH_INDEX_FREE)
            place(h, old[i]);
    }
    free(old);
}

void hash_index_add(struct hash_index *h, uint32_t hash, uint32_t value)
{
    assert(value != HASH_INDEX_FREE);
    if (h->count >= h->mask / 4 * 3)
        grow(h);
    place(h, (struct hash_entry){value, hash});
    h->count++;
}

void hash_index_remove(struct hash_index *h, uint32_t hash, uint32_t value)
{
    uint32_t hole = hash & h->mask;

    while (h->entries[hole].value != value) {
        assert(h->entries[hole].value != HASH_INDEX_FREE);
        hole = (hole + 1) & h->mask;
    }
    h->count--;
    for (uint32_t i = (hole + 1) & h->mask; h->entries[i].value != HASH_INDEX_FREE;
         i = (i + 1) & h->mask) {
        uint32_t home = h->entries[i].hash & h->mask;

        /* An entry may fill the hole unless its home lies behind the hole. */
        if (((i - home) & h->mask) >= ((i - hole) & h->mask)) {
            h->entries[hole] = h->entries[i];
            hole = i;
        }
    }
    h->entries[hole].value = HASH_INDEX_FREE;
}
