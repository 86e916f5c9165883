/* SPDX-License-Identifier: Apache-2.0 */
/* Pruning goes in small steps, so that requests on the write lane never wait for a large one. */
#include "server/housekeeping.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/heap.h"
#include "core/event.h"
#include "core/tenant.h"

#define PRUNE_PERIOD_US INT64_C(600000000)
#define PRUNE_STEP      ((size_t)500)
#define SWEEP_PERIOD_US INT64_C(5000000)
#define SWEEP_JOBS      ((size_t)25) /* of one period: others on this thread have their turn */

struct housekeeping {
    struct store *store;
    struct keyring *ring;
    struct registry *registry;
    const struct clock *clock;

    pthread_mutex_t lock; /* guards the four below: the main thread sets, the scheduler reads */
    int64_t events_us;
    int64_t tasks_us;
    int64_t agents_us;
    int64_t ephemeral_us;
};

typedef int (*prune_fn)(struct store_tx *tx, int64_t before_us, size_t limit, size_t *gone,
                        struct fail *f);

struct step {
    prune_fn prune;
    int64_t before_us;
    size_t gone;
};

struct housekeeping *housekeeping_new(struct store *store, struct keyring *ring,
                                      struct registry *registry, const struct clock *clock)
{
    struct housekeeping *h = heap_new_type(struct housekeeping);

    h->store = store;
    h->ring = ring;
    h->registry = registry;
    h->clock = clock;
    pthread_mutex_init(&h->lock, NULL);
    return h;
}

void housekeeping_free(struct housekeeping **h)
{
    if (!*h)
        return;
    pthread_mutex_destroy(&(*h)->lock);
    free(*h);
    *h = NULL;
}

void housekeeping_keep(struct housekeeping *h, int64_t events_us, int64_t tasks_us)
{
    pthread_mutex_lock(&h->lock);
    h->events_us = events_us;
    h->tasks_us = tasks_us;
    pthread_mutex_unlock(&h->lock);
}

void housekeeping_expire(struct housekeeping *h, int64_t agents_us)
{
    pthread_mutex_lock(&h->lock);
    h->agents_us = agents_us;
    pthread_mutex_unlock(&h->lock);
}

void housekeeping_expire_ephemeral(struct housekeeping *h, int64_t agents_us)
{
    pthread_mutex_lock(&h->lock);
    h->ephemeral_us = agents_us;
    pthread_mutex_unlock(&h->lock);
}

static int run_step(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;

    return s->prune(tx, s->before_us, PRUNE_STEP, &s->gone, f);
}

static int prune(struct housekeeping *h, prune_fn fn, int64_t keep_us, struct fail *f)
{
    struct step s = {.prune = fn, .before_us = clock_wall_us(h->clock) - keep_us};
    int result;

    do {
        struct arena *a = arena_new(4096);

        s.gone = 0;
        result = store_write(h->store, a, run_step, &s, f);
        arena_free(&a);
    } while (result == 0 && s.gone == PRUNE_STEP);
    return result;
}

static int flush_keys(void *arg, struct fail *f)
{
    struct housekeeping *h = arg;

    return keyring_flush(h->ring, h->store, f);
}

static int prune_events(void *arg, struct fail *f)
{
    struct housekeeping *h = arg;

    pthread_mutex_lock(&h->lock);
    int64_t keep_us = h->events_us;
    pthread_mutex_unlock(&h->lock);
    return prune(h, event_prune, keep_us, f);
}

static int prune_tasks(void *arg, struct fail *f)
{
    struct housekeeping *h = arg;

    pthread_mutex_lock(&h->lock);
    int64_t keep_us = h->tasks_us;
    pthread_mutex_unlock(&h->lock);
    return prune(h, store_task_prune, keep_us, f);
}

static int flush_agents(void *arg, struct fail *f)
{
    struct housekeeping *h = arg;

    return registry_flush_seen(h->registry, f);
}

static int expire_agents(void *arg, struct fail *f)
{
    struct housekeeping *h = arg;
    size_t gone;

    pthread_mutex_lock(&h->lock);
    int64_t after_us = h->agents_us;
    pthread_mutex_unlock(&h->lock);
    if (after_us == 0)
        return 0;
    return registry_expire(h->registry, clock_wall_us(h->clock) - after_us, &gone, f);
}

static int expire_ephemeral(void *arg, struct fail *f)
{
    struct housekeeping *h = arg;
    size_t gone;

    pthread_mutex_lock(&h->lock);
    int64_t after_us = h->ephemeral_us;
    pthread_mutex_unlock(&h->lock);
    if (after_us == 0)
        return 0;
    return registry_expire_ephemeral(h->registry, clock_wall_us(h->clock) - after_us, &gone, f);
}

static int sweep_tenants(void *arg, struct fail *f)
{
    struct housekeeping *h = arg;

    return tenant_sweep(h->store, SWEEP_JOBS, f);
}

void housekeeping_register(struct housekeeping *h, struct scheduler *s, int64_t last_used_us,
                           int64_t seen_us)
{
    scheduler_every(s, "agents.seen", seen_us, flush_agents, h);
    scheduler_every(s, "agents.expire", seen_us, expire_agents, h);
    scheduler_every(s, "agents.ephemeral", seen_us, expire_ephemeral, h);
    scheduler_every(s, "keys.last_used", last_used_us, flush_keys, h);
    scheduler_every(s, "events.prune", PRUNE_PERIOD_US, prune_events, h);
    scheduler_every(s, "tasks.prune", PRUNE_PERIOD_US, prune_tasks, h);
    scheduler_every(s, "tenants.sweep", SWEEP_PERIOD_US, sweep_tenants, h);
}
