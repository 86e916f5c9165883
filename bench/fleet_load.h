/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of the load agent: HTTP/1.1 kept alive, one request in flight on each, driven by one
 * epoll. One thread; a load lives as long as its step. Trouble with the server ends the process. */
#ifndef BENCH_FLEET_LOAD_H
#define BENCH_FLEET_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define SPREAD_STEPS  32 /* of a doubling: 3 % */
#define SPREAD_COUNTS ((size_t)40 * SPREAD_STEPS)

/* How long things took, with constant memory. */
struct spread {
    uint64_t counts[SPREAD_COUNTS];
    uint64_t total;
    int64_t most_ns;
};

void spread_add(struct spread *s, int64_t ns);

/* The time that `part` (0..1) of them did not exceed, in microseconds. */
double spread_us(const struct spread *s, double part);

struct answer {
    size_t agent;
    unsigned place; /* of the request in the agent's sequence */
    int64_t due_ns;
    int64_t sent_ns;
    int64_t came_ns;
    unsigned status; /* 200 to 299 */
    struct str body;
};

struct load;

/* Called for each good answer; may put the next request of the same agent on the connection by
 * load_again(). */
typedef void load_answered(void *arg, struct load *l, const struct answer *a);

int64_t now_ns(void);

/* Until the next of many that come independently of each other. */
int64_t random_gap_ns(double mean_ns);

struct load *load_open(uint16_t port, size_t connections, load_answered *answered, void *arg);
void load_close(struct load **l);

bool load_has_idle(const struct load *l);
size_t load_in_flight(const struct load *l);

/* Needs an idle connection; the one that rested longest is taken. */
void load_send(struct load *l, size_t agent, int64_t due_ns, struct str request);
void load_again(struct load *l, struct str request);

/* Waits no longer than that, and takes what came. */
void load_turn(struct load *l, int64_t wait_ns);

#endif
