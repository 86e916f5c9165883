/* SPDX-License-Identifier: Apache-2.0 */
/* Installed collectors at work: they enroll, then beat at their interval while agents poll at
 * theirs. One thread; results live as long as their owner. */
#ifndef BENCH_FLEET_BEATS_H
#define BENCH_FLEET_BEATS_H

#include <stddef.h>
#include <stdint.h>

#include "fleet_agent.h"
#include "fleet_load.h"

struct beats {
    struct fleet *fleet;
    uint16_t port;
    size_t connections;
    const char *token;      /* for installations */
    double beat_interval_s; /* of one collector */
    double poll_interval_s; /* of one agent */

    struct spread beats; /* or registrations */
    struct spread polls;
    uint64_t changed; /* polls that got something new */
    double seconds;
};

/* All collectors that were hired, as fast as it goes. */
void beats_enroll(struct beats *b);

/* Every collector has its own moment of the interval and keeps to it; polls come at random. */
void beats_run(struct beats *b, double seconds);

#endif
