/* SPDX-License-Identifier: Apache-2.0 */
/* See chunks.h. */
#include "core/chunks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"

#define CACHE_LINE 64

void chunks_init(struct chunks *c, size_t item_size)
{
    *c = (struct chunks){.item_size = item_size};
}

void chunks_done(struct chunks *c)
{
    for (size_t i = 0; i < CHUNKS_MAX; i++)
        free(c->memory[i]);
    *c = (struct chunks){0};
}

/* heap_calloc() leaves big pieces untouched until they are used, which an aligned allocation that
 * is cleared afterwards would not. */
void chunks_grow(struct chunks *c)
{
    size_t n = 0;

    while (n < CHUNKS_MAX && c->chunk[n])
        n++;
    assert(n < CHUNKS_MAX);

    size_t count = n ? (size_t)1 << (CHUNKS_FIRST_BITS + n - 1) : (size_t)1 << CHUNKS_FIRST_BITS;

    assert(c->capacity + count <= UINT32_MAX);

    char *memory = heap_calloc(1, count * c->item_size + CACHE_LINE);

    c->memory[n] = memory;
    c->chunk[n] = memory + (CACHE_LINE - (uintptr_t)memory % CACHE_LINE);
    c->capacity += (uint32_t)count;
}
