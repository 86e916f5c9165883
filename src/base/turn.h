/* SPDX-License-Identifier: Apache-2.0 */
/* Something that one may have at a time, and nobody waits for. Zeroed: free. Any thread may take
 * it, and another one give it back. */
#ifndef BASE_TURN_H
#define BASE_TURN_H

#include <stdatomic.h>
#include <stdbool.h>

struct turn {
    atomic_bool taken;
};

/* False: somebody has it. */
static inline bool turn_take(struct turn *t)
{
    return !atomic_exchange_explicit(&t->taken, true, memory_order_acquire);
}

static inline void turn_give(struct turn *t)
{
    atomic_store_explicit(&t->taken, false, memory_order_release);
}

#endif
