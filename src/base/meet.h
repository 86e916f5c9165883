/* SPDX-License-Identifier: Apache-2.0 */
/* Two threads that share something, either of which may be through with it first: the second one
 * goes on alone, and sees all that the first one wrote. Zeroed: nobody came yet. */
#ifndef BASE_MEET_H
#define BASE_MEET_H

#include <stdatomic.h>
#include <stdbool.h>

struct meet {
    atomic_uint arrived;
};

/* Each of the two once. True: the other one is through. False: what is shared is the other's now.
 */
static inline bool meet_arrive(struct meet *m)
{
    return atomic_fetch_add_explicit(&m->arrived, 1, memory_order_acq_rel) > 0;
}

#endif
