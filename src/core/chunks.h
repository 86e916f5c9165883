/* SPDX-License-Identifier: Apache-2.0 */
/* An array that grows without moving: items lie in chunks, each as big as all before it together,
 * so that a pointer to an item stays good and reading an item needs no lock but the item's own.
 * Zeroed. Grown by one thread at a time. */
#ifndef CORE_CHUNKS_H
#define CORE_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

#define CHUNKS_FIRST_BITS 6 /* items in the first chunk */
#define CHUNKS_MAX        (33 - CHUNKS_FIRST_BITS)

struct chunks {
    char *chunk[CHUNKS_MAX]; /* at a cache line inside of memory */
    void *memory[CHUNKS_MAX];
    size_t item_size;
    uint32_t capacity;
};

/* item_size a multiple of what the items' alignment asks for; chunks begin at a cache line. */
void chunks_init(struct chunks *c, size_t item_size);
void chunks_done(struct chunks *c);

/* Makes room for one more chunk of items. */
void chunks_grow(struct chunks *c);

/* `index` is below the capacity. */
static inline void *chunks_at(const struct chunks *c, uint32_t index)
{
    uint32_t row = index >> CHUNKS_FIRST_BITS;
    unsigned chunk = row ? 32u - (unsigned)__builtin_clz(row) : 0;
    uint32_t first = chunk ? UINT32_C(1) << (CHUNKS_FIRST_BITS + chunk - 1) : 0;

    return c->chunk[chunk] + (size_t)(index - first) * c->item_size;
}

#endif
