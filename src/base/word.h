/* SPDX-License-Identifier: Apache-2.0 */
/* A number that any thread may read while one writes it: what was written before it is seen by who
 * reads it. */
#ifndef BASE_WORD_H
#define BASE_WORD_H

#include <stdatomic.h>
#include <stdint.h>

struct word {
    _Atomic uint64_t value;
};

static inline uint64_t word_get(const struct word *w)
{
    return atomic_load_explicit(&w->value, memory_order_acquire);
}

/* One writer at a time. */
static inline void word_set(struct word *w, uint64_t value)
{
    atomic_store_explicit(&w->value, value, memory_order_release);
}

#endif
