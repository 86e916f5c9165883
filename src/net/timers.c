/* SPDX-License-Identifier: Apache-2.0 */
/* The wheel. A timer hangs in the slot of the first tick that is not before its deadline; one whose
 * deadline moved out, or lies more than a turn of the wheel ahead, is hung anew when its slot
 * comes. */
#include "net/timers.h"

#include <assert.h>
#include <string.h>

#include "base/macros.h"

#define TICK_US ((int64_t)1 << TIMERS_TICK_SHIFT)

static int64_t tick_of(int64_t due_us)
{
    if (due_us > INT64_MAX - TICK_US)
        return INT64_MAX >> TIMERS_TICK_SHIFT;
    return (due_us + TICK_US - 1) >> TIMERS_TICK_SHIFT;
}

static void hang(struct timers *w, struct timer *t)
{
    int64_t tick = MAX(tick_of(t->due_us), w->tick);
    size_t slot = (size_t)tick % TIMERS_SLOTS;

    t->tick = tick;
    t->next = w->slots[slot];
    t->at = &w->slots[slot];
    if (t->next)
        t->next->at = &t->next;
    w->slots[slot] = t;
    w->used[slot / 64] |= UINT64_C(1) << (slot % 64);
    w->count++;
}

static void take_off(struct timers *w, struct timer *t)
{
    *t->at = t->next;
    if (t->next)
        t->next->at = t->at;
    t->next = NULL;
    t->at = NULL;
    w->count--;
}

void timers_init(struct timers *w, int64_t now_us)
{
    *w = (struct timers){.tick = now_us >> TIMERS_TICK_SHIFT};
}

void timer_set(struct timers *w, struct timer *t, int64_t due_us)
{
    assert(t->fn && due_us >= 0);
    t->due_us = due_us;
    if (t->at) {
        if (tick_of(due_us) >= t->tick)
            return;
        take_off(w, t);
    }
    hang(w, t);
}

void timer_clear(struct timers *w, struct timer *t)
{
    if (t->at)
        take_off(w, t);
}

static void run_slot(struct timers *w, size_t slot, int64_t now_tick)
{
    struct timer *list = w->slots[slot];

    w->slots[slot] = NULL;
    w->used[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
    if (list)
        list->at = &list;
    while (list) {
        struct timer *t = list;

        take_off(w, t);
        if (tick_of(t->due_us) > now_tick)
            hang(w, t);
        else
            t->fn(t);
    }
}

void timers_run(struct timers *w, int64_t now_us)
{
    int64_t now_tick = now_us >> TIMERS_TICK_SHIFT;
    int64_t first = w->tick;

    if (now_tick < first)
        return;
    w->tick = now_tick + 1;

    int64_t n = MIN(now_tick - first + 1, TIMERS_SLOTS);

    for (int64_t i = 0; i < n; i++) {
        size_t slot = (size_t)(first + i) % TIMERS_SLOTS;

        if (w->used[slot / 64] & (UINT64_C(1) << (slot % 64)))
            run_slot(w, slot, now_tick);
    }
}

int64_t timers_next_us(const struct timers *w)
{
    if (w->count == 0)
        return INT64_MAX;

    size_t start = (size_t)w->tick % TIMERS_SLOTS;

    for (size_t i = 0; i < TIMERS_SLOTS;) {
        size_t slot = (start + i) % TIMERS_SLOTS;
        uint64_t word = w->used[slot / 64] >> (slot % 64);

        if (word != 0)
            return (w->tick + (int64_t)i + __builtin_ctzll(word)) * TICK_US;
        i += 64 - slot % 64;
    }
    /* Only the start of the first word is left, seen from behind. */
    return (w->tick + TIMERS_SLOTS - 1) * TICK_US;
}
