/* SPDX-License-Identifier: Apache-2.0 */
/* All agents of one tenant, in memory: found by id, by numeric id and by attributes. Sharded by id;
 * attributes are interned; posting lists by attribute value answer matchers without a walk over all
 * agents. It follows the store: only committed changes come in (agents_put, agents_remove, on the
 * write lane), only liveness goes out (agents_take_seen).
 *
 * Any thread. Locks are held for one agent or one short batch at a time, so a loop never waits for
 * a list. */
#ifndef CORE_AGENTS_H
#define CORE_AGENTS_H

#include "core/agent.h"
#include "core/matcher.h"
#include "core/pipelines.h"

struct agents;

struct agents *agents_new(void) RETURNS_NONNULL;

/* Before the pipelines that its polls were given. */
void agents_free(struct agents **a);

/* Copies. A row of an older revision than the one that is known is passed over. */
void agents_put(struct agents *a, const struct agent *agent);
void agents_remove(struct agents *a, struct str id);

/* Removes all of them, shard after shard: much quicker than one by one. */
void agents_clear(struct agents *a);
size_t agents_count(const struct agents *a);

/* --- polls: loop or worker --- */

struct poll {
    struct str id;
    const struct label *local; /* as the request said it, any order */
    size_t local_count;
    struct str hash; /* of the configuration that the agent has: hex, or empty */
    bool has_status;
    enum agent_status status;
    bool has_status_error; /* not empty: only the slow way can compare it */
    bool has_effective_config;
    int64_t now_us; /* wall */
};

enum poll_outcome {
    POLL_UNCHANGED, /* the agent is up to date: answer "not modified" */
    POLL_SLOW,      /* new, changed, or its text has to be made: the slow way finds out */
};

/* The whole hot path: knows the agent, sees that it says nothing new, that its selection of
 * pipelines is current (or makes it so, in proportion to what changed), and that its hash is that
 * of its configuration. Marks it as seen. On POLL_UNCHANGED hash_hex has 64 characters. */
enum poll_outcome agents_poll(struct agents *a, struct pipelines *p, const struct poll *poll,
                              char hash_hex[64]);

/* True when a registration of these would change nothing: the agent is known, active, and has this
 * name and these local attributes. Marks it as seen then. */
bool agents_is_registered(struct agents *a, struct str id, struct str name,
                          const struct label *local, size_t local_count, int64_t now_us);

/* A worker's way: the configuration for an agent with these local attributes (those of the request,
 * which need not be the registered ones; agents need not be known). Remembers the choice where the
 * attributes are the registered ones. content lives in the arena. */
void agents_config(struct agents *a, struct pipelines *p, struct arena *arena, struct str id,
                   const struct attributes *local, struct rendered *out);

/* Marks as seen, nothing else. False: unknown. */
bool agents_touch(struct agents *a, struct str id, int64_t now_us);

/* --- reading; everything is copied to the arena --- */

/* False: unknown. */
bool agents_get(struct agents *a, struct arena *arena, struct str id, struct agent *out);
bool agents_get_numbered(struct agents *a, struct arena *arena, int64_t id, struct agent *out);

/* Ids of all agents that every matcher holds for, sorted; a posting list where one helps. */
void agents_select(struct agents *a, struct arena *arena, const struct matcher *m, size_t count,
                   struct str **ids, size_t *id_count);
size_t agents_select_count(struct agents *a, const struct matcher *m, size_t count);

/* Those agents, in order of id; strings that agents share are copied once. fn returns false to end
 * the walk. Agents that go meanwhile are passed over. All live in `arena`. */
void agents_each(struct agents *a, struct arena *arena, const struct matcher *m, size_t count,
                 bool (*fn)(void *arg, const struct agent *agent), void *arg);

/* The same agents in no order, quickly and without copies: fn is called with a lock, so it does
 * little and calls nothing of this header. Of the agent only row.id, row.ext_id, row.name,
 * row.last_seen_us, type, enabled, inactive_us, has_status and status are there, until fn returns.
 */
void agents_scan(struct agents *a, const struct matcher *m, size_t count,
                 void (*fn)(void *arg, const struct agent *agent), void *arg);

struct attribute_values {
    struct str key;
    struct str *values; /* distinct, sorted */
    size_t count;
};

/* Keys and values in use, sorted; AGENT_ID_KEY is not among them. */
void agents_local_values(struct agents *a, struct arena *arena, struct attribute_values **out,
                         size_t *count);
void agents_remote_values(struct agents *a, struct arena *arena, struct attribute_values **out,
                          size_t *count);

/* --- by number: the order in which they came --- */

enum agents_liveness {
    AGENTS_ALL,
    AGENTS_ALIVE,
    AGENTS_SILENT,
};

/* Numeric ids in ascending order, from the first above `after`, at most `limit`; `liveness` by
 * agent_inactive_at() (never seen counts as silent). */
size_t agents_numbers(struct agents *a, int64_t after, enum agents_liveness liveness,
                      int64_t now_us, int64_t alive_us, int64_t *out, size_t limit);

/* A beat: marks the agent of that number as seen, so that it is alive. Loop: a search and a store,
 * no allocation. False: unknown, or it said good-bye, which only the store can undo: the slow way
 * is agent_return(), which tells one from the other. */
bool agents_beat(struct agents *a, int64_t number, int64_t now_us);

/* Numbers of ephemeral agents that were last seen (or made, when never seen) before then, in no
 * order, at most `limit`. */
size_t agents_expired(struct agents *a, int64_t before_us, int64_t *out, size_t limit);

/* --- liveness --- */

struct agent_seen {
    int64_t id; /* numeric */
    int64_t seen_us;
};

/* Agents seen since they were last taken, at most `limit`, sorted by numeric id; marks them taken.
 */
size_t agents_take_seen(struct agents *a, struct agent_seen *out, size_t limit);

/* For those that could not be written: they are taken again with the next ones. */
void agents_give_back_seen(struct agents *a, const struct agent_seen *seen, size_t count);

/* When an agent became inactive: it said so, or was last seen more than after_us ago (0: silence
 * does not count). 0: it is active, or was never seen (nothing that was only ever created is
 * inactive). Pure. */
int64_t agent_inactive_at(const struct agent *agent, int64_t now_us, int64_t after_us);

/* Ids of agents that were last seen before then (registered ones only), at most `limit`. */
void agents_silent(struct agents *a, struct arena *arena, int64_t before_us, size_t limit,
                   struct str **ids, size_t *count);

struct agents_stats {
    size_t agents;
    size_t active;
    size_t by_status[4];
    size_t strings;      /* distinct attribute pairs */
    size_t memory_bytes; /* about */
    uint64_t polls_unchanged;
    uint64_t polls_slow;
};

void agents_stats(struct agents *a, int64_t now_us, int64_t after_us, struct agents_stats *out);

#endif
