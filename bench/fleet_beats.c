/* SPDX-License-Identifier: Apache-2.0 */
/* See fleet_beats.h. A number below the fleet's count is an agent's, one from there on a
 * collector's. */
#include "fleet_beats.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"

#define NS     1000000000.0
#define STRIDE 7368787 /* a prime, as for agents */
#define WAIT   100000000

static NORETURN void trouble(const char *what, unsigned status)
{
    fprintf(stderr, "fleetsim: %s: %u\n", what, status);
    exit(1);
}

/* --- registration --- */

static void enrolled(void *arg, struct load *l, const struct answer *a)
{
    struct beats *b = arg;

    (void)l;
    spread_add(&b->beats, a->came_ns - a->sent_ns);
    if (!fleet_enrolled(b->fleet, a->agent, a->body))
        trouble("a registration without a credential", a->status);
}

static void drain(struct load *l)
{
    while (load_in_flight(l) > 0)
        load_turn(l, WAIT);
}

void beats_enroll(struct beats *b)
{
    struct load *l = load_open(b->port, b->connections, enrolled, b);
    int64_t start = now_ns();

    for (size_t i = 0; i < b->fleet->collectors;) {
        for (; i < b->fleet->collectors && load_has_idle(l); i++)
            load_send(l, i, now_ns(), fleet_enroll(b->fleet, i, b->token));
        load_turn(l, WAIT);
    }
    drain(l);
    b->seconds = (double)(now_ns() - start) / NS;
    load_close(&l);
}

/* --- beats beside polls --- */

static void answered(void *arg, struct load *l, const struct answer *a)
{
    struct beats *b = arg;
    struct config_said said;

    (void)l;
    if (a->agent >= b->fleet->count) {
        spread_add(&b->beats, a->came_ns - a->due_ns);
        if (a->status != 204)
            trouble("a heartbeat was not answered 204", a->status);
        return;
    }
    spread_add(&b->polls, a->came_ns - a->due_ns);
    b->changed += !fleet_config_read(a->body, &said) || !said.not_modified;
}

/* Who comes when. */
struct turns {
    size_t collector;
    size_t agent;
    int64_t start_ns;
    uint64_t beats; /* so far */
    int64_t beat_ns;
    int64_t poll_ns;
};

static void turns_beat(struct turns *t, const struct beats *b)
{
    double gap = b->beat_interval_s / (double)b->fleet->collectors * NS;

    t->collector = (t->collector + STRIDE) % b->fleet->collectors;
    t->beats++;
    t->beat_ns = t->start_ns + (int64_t)((double)t->beats * gap);
}

static void turns_poll(struct turns *t, const struct beats *b)
{
    t->agent = (t->agent + STRIDE) % b->fleet->count;
    t->poll_ns += random_gap_ns(b->poll_interval_s / (double)b->fleet->count * NS);
}

static void send_due(struct beats *b, struct turns *t, struct load *l, int64_t stop)
{
    while (load_has_idle(l)) {
        int64_t due = MIN(t->beat_ns, t->poll_ns);

        if (due >= stop || due > now_ns())
            return;
        if (t->beat_ns <= t->poll_ns) {
            load_send(l, b->fleet->count + t->collector, due, fleet_beat(b->fleet, t->collector));
            turns_beat(t, b);
        } else {
            load_send(l, t->agent, due, fleet_request(b->fleet, t->agent, FLEET_POLL));
            turns_poll(t, b);
        }
    }
}

void beats_run(struct beats *b, double seconds)
{
    struct load *l = load_open(b->port, b->connections, answered, b);
    struct turns t = {.start_ns = now_ns()};
    int64_t stop = t.start_ns + (int64_t)(seconds * NS);

    t.beat_ns = t.poll_ns = t.start_ns;
    while (MIN(t.beat_ns, t.poll_ns) < stop) {
        send_due(b, &t, l, stop);
        load_turn(l, load_has_idle(l) ? MAX(MIN(t.beat_ns, t.poll_ns) - now_ns(), 0) : WAIT);
    }
    drain(l);
    b->seconds = (double)(now_ns() - t.start_ns) / NS;
    load_close(&l);
}
