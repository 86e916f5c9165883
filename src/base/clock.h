/* SPDX-License-Identifier: Apache-2.0 */
/* The only way to learn the time and to wait for it: monotonic for periods, wall for records. The
 * manual clock stands still until a test moves it. Any thread. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct clock;

struct clock *clock_new_real(void) RETURNS_NONNULL;

/* Both hands start at the given instants. */
struct clock *clock_new_manual(int64_t wall_us, int64_t mono_us) RETURNS_NONNULL;
void clock_free(struct clock **c);

/* Microseconds since the epoch. */
int64_t clock_wall_us(const struct clock *c);

/* Microseconds since some start; never steps back. */
int64_t clock_mono_us(const struct clock *c);

/* Manual clocks only: moves both hands and wakes those who wait. */
void clock_advance(struct clock *c, int64_t us);

/* A waiting place bound to a clock: one thread sleeps in waiter_wait() until the clock's monotonic
 * hand reaches until_us, or somebody calls waiter_wake(); a wake-up that comes first is kept. */
struct waiter;
struct waiter *waiter_new(struct clock *c) RETURNS_NONNULL;
void waiter_free(struct waiter **w);
bool waiter_wait(struct waiter *w, int64_t until_us); /* true: woken; false: time reached */
void waiter_wake(struct waiter *w);                   /* any thread */

#endif
