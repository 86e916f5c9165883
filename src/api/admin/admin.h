/* SPDX-License-Identifier: Apache-2.0 */
/* Our own face: tenants, keys, events, backup and check, and what an operator's tools probe. JSON
 * under /admin/v1/, owner of every path that no other dialect owns. */
#ifndef API_ADMIN_ADMIN_H
#define API_ADMIN_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/audit.h"
#include "core/keyring.h"
#include "core/registry.h"
#include "core/store.h"
#include "rpc/route.h"

/* What a check of the data found. Lines live in the arena. */
struct admin_findings {
    struct audit audit;
    int schema_version;
    int64_t tenants;
    int64_t keys;
    int64_t collectors;
    int64_t sources;
    int64_t pipelines;
    int64_t events;
    int64_t tasks;
    int64_t builds;
    int64_t segments; /* of the spool */
    int64_t records;
};

/* One condition of being ready. Loop thread: memory only. -1 with a message for the operator. */
struct admin_probe {
    const char *name;
    bool advice; /* somebody should look, but requests are answered all the same */
    int (*check)(void *arg, struct fail *f);
    void *arg;
};

/* What the server lends; borrowed and immutable while requests come. Bound as the tables' app. */
struct admin_app {
    struct store *store;
    struct keyring *keyring;
    struct registry *registry;
    const struct master_key *master;
    struct clock *clock;
    struct metrics *metrics;
    const char *data_dir; /* a snapshot lies there while it is sent */
    bool metrics_open;    /* show /metrics to everybody */

    const struct admin_probe *probes;
    size_t probe_count;

    /* Concrete stores are known to the server only. Worker thread. */
    void *maintenance;
    int (*backup)(void *maintenance, const char *path, struct fail *f);
    int (*check)(void *maintenance, struct arena *a, struct admin_findings *out, struct fail *f);
};

extern const struct dialect admin_dialect;

/* The routes, bound to the app; one table for router_new(). */
struct route_table admin_table(struct admin_app *app);

/* Removes snapshots that a killed process left in the data directory. At start. */
void admin_sweep(const char *data_dir);

#endif
