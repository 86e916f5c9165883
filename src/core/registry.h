/* SPDX-License-Identifier: Apache-2.0 */
/* The agents and pipelines of all tenants, in memory: loaded at start, kept in step with the store
 * by what commits, and the source of the liveness that is written behind. One per server. */
#ifndef CORE_REGISTRY_H
#define CORE_REGISTRY_H

#include "core/agents.h"
#include "core/pipelines.h"
#include "core/store.h"

struct registry;

struct registry_options {
    struct store *store;
    struct clock *clock;
    const struct log *log;
    struct metrics *metrics;
    struct pipelines_options pipelines;
};

/* The memory of one tenant. Lives as long as the registry: what is left of a deleted tenant is
 * empty. */
struct realm {
    uint64_t tenant;
    struct agents *agents;
    struct pipelines *pipelines;
};

struct registry *registry_new(const struct registry_options *o) RETURNS_NONNULL;
void registry_free(struct registry **r);

/* From which silence on the metrics count an agent as inactive; 0, as at first: from none. Any
 * thread. */
void registry_inactive_after(struct registry *r, int64_t after_us);

/* Everything that is in the store. Start-up, before the first request. */
int registry_load(struct registry *r, struct fail *f) MUST_CHECK;

/* Made when it is first asked for, so not for tenants that may not exist. Any thread, no lock that
 * is held for long. */
struct realm *registry_realm(struct registry *r, uint64_t tenant) RETURNS_NONNULL;

/* Whether there is such a tenant. Any thread; makes no realm. */
bool registry_has_tenant(struct registry *r, uint64_t tenant);

/* Every realm there is, in order of tenant. */
bool registry_next(struct registry *r, uint64_t after, struct realm **out);

/* --- how memory follows a transaction: called inside it, takes effect after its commit --- */

void registry_agent_changed(struct registry *r, struct store_tx *tx, const struct agent *agent);
void registry_agent_deleted(struct registry *r, struct store_tx *tx, uint64_t tenant,
                            struct str id);
void registry_pipeline_changed(struct registry *r, struct store_tx *tx, const struct pipeline *p);
void registry_pipeline_deleted(struct registry *r, struct store_tx *tx, uint64_t tenant,
                               int64_t id);
void registry_tenant_created(struct registry *r, struct store_tx *tx, uint64_t tenant);
void registry_tenant_deleted(struct registry *r, struct store_tx *tx, uint64_t tenant);

/* How many the tenant has once the transaction is committed as it is now, with the jobs before this
 * one. tx NULL: how many memory knows. */
size_t registry_agents(struct registry *r, const struct store_tx *tx, uint64_t tenant);
size_t registry_pipelines(struct registry *r, const struct store_tx *tx, uint64_t tenant);

/* What hangs on an agent and is not part of its row (credentials, upgrades, inlets) goes with it:
 * fn is called inside of each transaction that deletes one, whoever does it, and `all` inside of
 * one that deletes a tenant. One pair at most; before the first request. */
typedef int (*registry_drop_fn)(void *arg, struct store_tx *tx, uint64_t tenant, int64_t number,
                                struct fail *f);
typedef void (*registry_drop_all_fn)(void *arg, struct store_tx *tx, uint64_t tenant);
void registry_on_delete(struct registry *r, registry_drop_fn fn, registry_drop_all_fn all,
                        void *arg);

/* For agent_delete(). r NULL: nothing hangs on anything. */
int registry_drop(struct registry *r, struct store_tx *tx, uint64_t tenant, int64_t number,
                  struct fail *f) MUST_CHECK;

/* Told of every agent that was changed or deleted, on the write lane, after the commit: must not
 * block. An empty id: all agents of the tenant are gone. */
struct registry_watcher {
    void (*fn)(struct registry_watcher *w, uint64_t tenant, struct str id, bool deleted);
    struct registry_watcher *next; /* the registry's */
    struct registry_watcher **prev;
};

void registry_watch(struct registry *r, struct registry_watcher *w);

/* Afterwards fn is not called any more. Not from within fn. */
void registry_unwatch(struct registry *r, struct registry_watcher *w);

/* --- housekeeping --- */

/* Writes behind who was seen since the last time, sorted, in jobs of bounded size; waits for them.
 * A worker or the housekeeping thread; also the last thing at a stop. */
int registry_flush_seen(struct registry *r, struct fail *f) MUST_CHECK;

/* Deletes agents that were last seen before then; how many in *gone. */
int registry_expire(struct registry *r, int64_t before_us, size_t *gone, struct fail *f) MUST_CHECK;

/* Same, of those that are ephemeral; one that was never seen counts from when it was made. */
int registry_expire_ephemeral(struct registry *r, int64_t before_us, size_t *gone, struct fail *f)
    MUST_CHECK;

#endif
