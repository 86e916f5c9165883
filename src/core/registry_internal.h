/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind registry.h share. */
#ifndef CORE_REGISTRY_INTERNAL_H
#define CORE_REGISTRY_INTERNAL_H

#include <pthread.h>

#include "base/word.h"
#include "core/number_index.h"
#include "core/realms.h"
#include "core/registry.h"

struct registry_metrics {
    struct metric_gauge *agents;
    struct metric_gauge *active;
    struct metric_gauge *memory;
    struct metric_gauge *pipelines;
    struct metric_counter *polls_unchanged;
    struct metric_counter *polls_slow;
};

struct registry {
    struct store *store;
    struct clock *clock;
    const struct log *log;
    struct word inactive_after_us;
    struct realms *realms;
    struct registry_metrics metrics;
    registry_drop_fn drop; /* NULL: nothing hangs on agents */
    registry_drop_all_fn drop_all;
    void *drop_arg;

    pthread_mutex_t tenants_lock; /* guards the numbers of all tenants */
    struct number_index tenants;

    pthread_mutex_t watch_lock; /* guards the watchers, also while they are told */
    struct registry_watcher *watchers;
};

void registry_add_tenant(struct registry *r, uint64_t tenant);

/* Tells the watchers. */
void registry_tell(struct registry *r, uint64_t tenant, struct str id, bool deleted);

/* Logs that a pipeline does not compile. */
void registry_warn(struct registry *r, const struct pipeline *row, const struct fail *f);

#endif
