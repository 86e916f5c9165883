/* SPDX-License-Identifier: Apache-2.0 */
/* See belongings.h. */
#include "core/belongings.h"

#include "core/enroll.h"
#include "core/upgrade.h"

struct gone {
    struct inlets *inlets;
    uint64_t tenant;
    int64_t collector; /* 0: all of the tenant's */
};

static void close_inlets(void *arg)
{
    const struct gone *g = arg;

    if (g->collector == 0)
        inlets_remove_tenant(g->inlets, g->tenant);
    else
        inlets_remove_collector(g->inlets, g->tenant, g->collector);
}

static void inlets_follow(const struct belongings *b, struct store_tx *tx, uint64_t tenant,
                          int64_t collector)
{
    struct gone *g;

    if (!b->inlets)
        return;
    g = arena_new_type(store_tx_arena(tx), struct gone);
    *g = (struct gone){b->inlets, tenant, collector};
    store_on_commit(tx, close_inlets, g);
}

int belongings_drop(void *belongings, struct store_tx *tx, uint64_t tenant, int64_t collector,
                    struct fail *f)
{
    const struct belongings *b = belongings;

    if (upgrade_forget(tx, tenant, collector, f) < 0 ||
        enroll_credentials_drop(tx, b->keyring, tenant, collector, f) < 0)
        return -1;
    inlets_follow(b, tx, tenant, collector);
    return 0;
}

void belongings_drop_all(void *belongings, struct store_tx *tx, uint64_t tenant)
{
    inlets_follow(belongings, tx, tenant, 0);
}
