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
    int64_t before_us;
    const struct str *ids;
    size_t count;
    size_t gone;
};

/* Memory knows of polls that are not in the store yet, and of those that came since the ids were
 * gathered. */
static bool is_silent(struct expiry *e, struct arena *a, struct str id)
{
    struct agent agent = {0};

    return agents_get(e->realm->agents, a, id, &agent) &&
           MAX(agent.row.last_seen_us, agent.row.created_us) < e->before_us;
}

static int delete_silent(struct store_tx *tx, void *arg, struct fail *f)
{
    struct expiry *e = arg;

    e->gone = 0; /* the job may run twice */
    for (size_t i = 0; i < e->count; i++) {
        if (!is_silent(e, store_tx_arena(tx), e->ids[i]))
            continue;
        if (agent_delete(tx, e->registry, NULL, e->realm->tenant, e->ids[i], f) == 0)
            e->gone++;
        else if (f->code != CODE_NOT_FOUND)
            return -1;
    }
    return 0;
}

/* One job's worth. */
static int expire_some(struct registry *r, struct realm *realm, int64_t before_us, size_t *gone,
                       struct fail *f)
{
    struct arena *a = arena_new(4096);
    struct expiry e = {.registry = r, .realm = realm, .before_us = before_us};
    struct arena *job = arena_new(4096);
    struct str *ids = NULL;
    int result = 0;

    agents_silent(realm->agents, a, before_us, EXPIRED_A_JOB, &ids, &e.count);
    e.ids = ids;
    if (e.count > 0)
        result = store_write(r->store, job, delete_silent, &e, f);
    *gone = result == 0 ? e.gone : 0;
    arena_free(&job);
    arena_free(&a);
    return result;
}

int registry_expire(struct registry *r, int64_t before_us, size_t *gone, struct fail *f)
{
    struct realm *realm = NULL;
    size_t total = 0;

    for (uint64_t after = 0; realms_next(r->realms, after, &realm); after = realm->tenant) {
        size_t some;

        do {
            if (expire_some(r, realm, before_us, &some, f) < 0)
                return -1;
            total += some;
        } while (some > 0);
    }
    *gone = total;
    return 0;
}
