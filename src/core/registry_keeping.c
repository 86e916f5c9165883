/* SPDX-License-Identifier: Apache-2.0 */
/* What the registry does from time to time: write liveness behind, delete agents long gone. See
 * registry.h. */
#include <stdlib.h>

#include "base/heap.h"
#include "core/registry_internal.h"

#define SEEN_A_TAKE   65536
#define SEEN_A_JOB    2000
#define EXPIRED_A_JOB 500

/* --- liveness --- */

struct seen_job {
    uint64_t tenant;
    const struct agent_seen *seen;
    size_t count;
};

static int write_seen(struct store_tx *tx, void *arg, struct fail *f)
{
    const struct seen_job *job = arg;

    for (size_t i = 0; i < job->count; i++) {
        if (store_collector_set_seen(tx, job->tenant, job->seen[i].id, job->seen[i].seen_us, f) < 0)
            return -1;
    }
    return 0;
}

/* What could not be written stays marked. */
static int write_taken(struct registry *r, struct realm *realm, const struct agent_seen *seen,
                       size_t count, struct fail *f)
{
    struct arena *a = arena_new(4096);
    int result = 0;

    for (size_t done = 0; done < count && result == 0; done += SEEN_A_JOB) {
        struct seen_job job = {realm->tenant, seen + done, MIN(SEEN_A_JOB, count - done)};

        arena_reset(a);
        result = store_write(r->store, a, write_seen, &job, f);
        if (result < 0)
            agents_give_back_seen(realm->agents, seen + done, count - done);
    }
    arena_free(&a);
    return result;
}

static int flush_realm(struct registry *r, struct realm *realm, struct agent_seen *seen,
                       struct fail *f)
{
    size_t left = agents_count(realm->agents); /* who polls meanwhile may wait for the next time */
    size_t count;

    do {
        count = agents_take_seen(realm->agents, seen, SEEN_A_TAKE);
        if (write_taken(r, realm, seen, count, f) < 0)
            return -1;
        left -= MIN(left, count);
    } while (count == SEEN_A_TAKE && left > 0);
    return 0;
}

int registry_flush_seen(struct registry *r, struct fail *f)
{
    struct agent_seen *seen = heap_new_array(struct agent_seen, SEEN_A_TAKE);
    struct realm *realm = NULL;
    int result = 0;

    for (uint64_t after = 0; result == 0 && realms_next(r->realms, after, &realm);
         after = realm->tenant)
        result = flush_realm(r, realm, seen, f);
    free(seen);
    return result;
}

/* --- expiry --- */

struct expiry {
    struct registry *registry;
    struct realm *realm;
    bool ephemeral; /* only those */
    int64_t before_us;
    struct str *ids;
    size_t count;
    size_t gone;
};

/* Memory knows of polls that are not in the store yet, and of those that came since the ids were
 * gathered. */
static bool is_due(const struct expiry *e, struct arena *a, struct str id)
{
    struct agent agent = {0};

    if (!agents_get(e->realm->agents, a, id, &agent))
        return false;
    if (e->ephemeral && !agent.ephemeral)
        return false;
    return MAX(agent.row.last_seen_us, agent.row.created_us) < e->before_us;
}

static int delete_due(struct store_tx *tx, void *arg, struct fail *f)
{
    struct expiry *e = arg;

    e->gone = 0; /* the job may run twice */
    for (size_t i = 0; i < e->count; i++) {
        if (!is_due(e, store_tx_arena(tx), e->ids[i]))
            continue;
        if (agent_delete(tx, e->registry, NULL, e->realm->tenant, e->ids[i], f) < 0) {
            if (f->code != CODE_NOT_FOUND)
                return -1;
            /* Without a row it has no business in memory, where it would be found again. */
            registry_agent_deleted(e->registry, tx, e->realm->tenant, e->ids[i]);
        }
        e->gone++;
    }
    return 0;
}

static void gather_ephemeral(struct expiry *e, struct arena *a)
{
    int64_t numbers[EXPIRED_A_JOB];
    size_t count = agents_expired(e->realm->agents, e->before_us, numbers, COUNTOF(numbers));

    e->ids = arena_new_array(a, struct str, count);
    for (size_t i = 0; i < count; i++) {
        struct agent agent = {0};

        if (agents_get_numbered(e->realm->agents, a, numbers[i], &agent))
            e->ids[e->count++] = agent.row.ext_id;
    }
}

/* One job's worth. */
static int expire_some(struct expiry *e, struct fail *f)
{
    struct arena *a = arena_new(4096);
    struct arena *job = arena_new(4096);
    int result = 0;

    e->count = 0;
    e->gone = 0;
    if (e->ephemeral)
        gather_ephemeral(e, a);
    else
        agents_silent(e->realm->agents, a, e->before_us, EXPIRED_A_JOB, &e->ids, &e->count);
    if (e->count > 0)
        result = store_write(e->registry->store, job, delete_due, e, f);
    arena_free(&job);
    arena_free(&a);
    return result;
}

static int expire_all(struct registry *r, bool ephemeral, int64_t before_us, size_t *gone,
                      struct fail *f)
{
    struct realm *realm = NULL;
    size_t total = 0;

    for (uint64_t after = 0; realms_next(r->realms, after, &realm); after = realm->tenant) {
        struct expiry e = {r, realm, ephemeral, before_us, .gone = 0};

        do {
            if (expire_some(&e, f) < 0)
                return -1;
            total += e.gone;
        } while (e.gone > 0);
    }
    *gone = total;
    return 0;
}

int registry_expire(struct registry *r, int64_t before_us, size_t *gone, struct fail *f)
{
    return expire_all(r, false, before_us, gone, f);
}

int registry_expire_ephemeral(struct registry *r, int64_t before_us, size_t *gone, struct fail *f)
{
    return expire_all(r, true, before_us, gone, f);
}
