/* SPDX-License-Identifier: Apache-2.0 */
/* A pointer that any thread may read while another publishes it: what it points at is complete
 * before the pointer can be seen. What was there before is the writer's to keep or give back. */
#ifndef BASE_SLOT_H
#define BASE_SLOT_H

#include <stdatomic.h>

struct slot {
    _Atomic(void *) value;
};

/* NULL as long as nothing was published. */
static inline void *slot_get(struct slot *s)
{
    return atomic_load_explicit(&s->value, memory_order_acquire);
}

static inline void slot_set(struct slot *s, void *value)
{
    atomic_store_explicit(&s->value, value, memory_order_release);
}

#endif
