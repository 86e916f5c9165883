/* SPDX-License-Identifier: Apache-2.0 */
/* See storm.h: a limit whose only class counts failures. */
#include "api/sumologic/storm.h"

#include <stdlib.h>

#include "base/heap.h"
#include "rpc/limit.h"

struct storm {
    struct limits *limits;
    size_t slot;
};

struct storm_options storm_defaults(void)
{
    return (struct storm_options){.failures = 10, .period_ms = 60000, .max_peers = 10000};
}

struct storm *storm_new(const struct clock *clock, const struct storm_options *o, struct fail *f)
{
    struct storm *s = heap_new_type(struct storm);

    s->limits = limits_new(clock, o->max_peers);
    if (limits_slot(s->limits, "registration", 0, &s->slot, f) < 0 || storm_set(s, o, f) < 0)
        storm_free(&s);
    return s;
}

void storm_free(struct storm **s)
{
    if (!*s)
        return;
    limits_free(&(*s)->limits);
    free(*s);
    *s = NULL;
}

int storm_set(struct storm *s, const struct storm_options *o, struct fail *f)
{
    const struct limit_policy policy = {
        .key = {.shape = LIMIT_BUCKET, .amount = o->failures, .period_ms = o->period_ms},
    };

    return limits_set(s->limits, s->slot, o->failures ? &policy : NULL, f);
}

void storm_count(struct storm *s, struct str peer, struct fail *f)
{
    struct limit_lease lease = {0};
    struct limit_state state = {0};
    struct fail over;

    if (!s)
        return;
    if (limits_take(s->limits, s->slot, 0, peer, &lease, &state, &over) == 0) {
        limits_release(s->limits, &lease);
        return;
    }

    uint32_t wait_ms = over.retry_after_ms;

    IGNORE(fail_reason(f, CODE_RESOURCE_EXHAUSTED, "registration_storm",
                       "Too many registrations from this address have failed: %.180s", f->message));
    f->retry_after_ms = wait_ms;
}
