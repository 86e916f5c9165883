/* SPDX-License-Identifier: Apache-2.0 */
/* Registrations that fail, counted by peer address: a collector whose credential and token are both
 * dead asks again without a pause until it is told 429, which is what makes it wait. Registrations
 * that succeed are not counted, so that the others behind one address are not hurt. Memory is
 * bounded: the address that was idle longest makes room. Any thread. */
#ifndef API_SUMOLOGIC_STORM_H
#define API_SUMOLOGIC_STORM_H

#include "base/clock.h"
#include "base/fail.h"
#include "base/str.h"

struct storm;

struct storm_options {
    uint32_t failures; /* of one address in a period; 0: any number */
    uint32_t period_ms;
    size_t max_peers;
};

/* 10 a minute, 10 000 addresses. */
struct storm_options storm_defaults(void);

struct storm *storm_new(const struct clock *clock, const struct storm_options *o, struct fail *f);
void storm_free(struct storm **s);

/* For the next failure. -1 when the numbers make no sense. */
int storm_set(struct storm *s, const struct storm_options *o, struct fail *f) MUST_CHECK;

/* One more failure, of which *f tells: it stays, or, when there were too many, becomes
 * RESOURCE_EXHAUSTED with advice when to come again. `s` NULL: it stays. */
void storm_count(struct storm *s, struct str peer, struct fail *f);

#endif
