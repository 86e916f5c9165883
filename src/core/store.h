/* SPDX-License-Identifier: Apache-2.0 */
/* What the domain needs of durable storage, in the domain's words. src/store implements it once in
 * SQL over a driver seam, so there is no table of operations here: the linker joins the two. Every
 * function takes the tenant: no row of another tenant can be reached.
 *
 * Reading: a transaction on a connection of the calling thread, a stable snapshot until closed.
 * Writing: a job is queued to a write lane; the lane runs it inside a savepoint of a shared
 * transaction, commits many jobs with one fsync, and only then calls done(). A job that fails is
 * rolled back alone and hurts no neighbour. */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/caller.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/queue.h"
#include "base/str.h"

struct store;
struct store_tx;

struct store_job {
    /* Runs on the lane inside a savepoint. -1 rolls the job back, with f filled in. May run a
     * second time when the lane has to retry the transaction (PostgreSQL 40001): no effects but on
     * tx and the job's own results, and those are written anew each time. */
    int (*run)(struct store_tx *tx, struct store_job *job, struct fail *f);

    /* On the lane, after the commit (or the failure): result 0 means durable. In commit order. */
    void (*done)(struct store_job *job, int result, const struct fail *f);

    struct arena *arena; /* for rows that run() reads; owned by the job meanwhile */
    int64_t queued_us;   /* set by store_submit */
    int64_t started_us;  /* set by the lane */
    struct queue_node node;
    struct fail fail;
    int result;
};

/* Queues a job. -1 (and done() is not called) when the queue is full or the store is closing:
 * CODE_UNAVAILABLE. Any thread, never waits. */
int store_submit(struct store *s, struct store_job *job, struct fail *f) MUST_CHECK;

/* Same, and waits for the outcome. Not from a loop or a lane. */
int store_write(struct store *s, struct arena *a,
                int (*run)(struct store_tx *tx, void *arg, struct fail *f), void *arg,
                struct fail *f) MUST_CHECK;

/* A read snapshot. Close it on the same thread; rows live in the arena. */
int store_read_open(struct store *s, struct arena *a, struct store_tx **out, struct fail *f)
    MUST_CHECK;
void store_read_close(struct store_tx **tx);

/* Calls fn(arg) on the lane when the transaction is durable, in commit order; forgotten when the
 * job is rolled back. arg lives in the job's arena. This is how memory follows the store. */
void store_on_commit(struct store_tx *tx, void (*fn)(void *arg), void *arg);

/* The arg of the present job's newest hook when that is fn, else NULL: what a job does in several
 * steps can take effect at one moment. */
void *store_last_on_commit(const struct store_tx *tx, void (*fn)(void *arg));

/* Calls fn(arg, hook_arg) for each such hook that takes effect if the transaction is committed as
 * it is now: those of the jobs before this one, too, oldest first. For what memory does not count
 * yet. */
void store_each_on_commit(const struct store_tx *tx, void (*hook)(void *arg),
                          void (*fn)(void *arg, const void *hook_arg), void *arg);

struct arena *store_tx_arena(struct store_tx *tx) RETURNS_NONNULL;

/* The time of the transaction: one value for all its rows. Wall, microseconds. */
int64_t store_tx_now(const struct store_tx *tx);

/* ---- Rows. Text and bytes live in the transaction's arena, or are borrowed where it says so. ----
 *
 * Functions below are what core/tenant.h, key.h, ... stand on; call those instead: they check,
 * number, stamp and write the events. All return -1 with f filled in; NOT_FOUND (no reason) for a
 * row that is not there, ALREADY_EXISTS (no reason) for a row that would be there twice. */

/* One numbering for collectors, sources, pipelines, tasks and tenants: grows, never used again,
 * with gaps. Write transactions only. */
int64_t store_next_id(struct store_tx *tx);

struct tenant {
    uint64_t id;
    struct str name;
    int64_t created_us;
};

int store_tenant_insert(struct store_tx *tx, const struct tenant *t, struct fail *f) MUST_CHECK;
int store_tenant_get(struct store_tx *tx, uint64_t id, struct tenant *out, struct fail *f)
    MUST_CHECK;
int store_tenant_find(struct store_tx *tx, struct str name, struct tenant *out, struct fail *f)
    MUST_CHECK;
int store_tenant_list(struct store_tx *tx, uint64_t after, size_t limit, struct tenant **out,
                      size_t *count, struct fail *f) MUST_CHECK;

/* From then on none of the functions above knows of it; rows that carry it are still there. */
int store_tenant_close(struct store_tx *tx, uint64_t id, struct fail *f) MUST_CHECK;

/* One that is closed; NOT_FOUND when there is none. */
int store_tenant_closed(struct store_tx *tx, uint64_t *id, struct fail *f) MUST_CHECK;

/* Deletes at most `limit` rows of one that is closed, its own last. */
int store_tenant_purge(struct store_tx *tx, uint64_t id, size_t limit, size_t *gone, struct fail *f)
    MUST_CHECK;

#define KEY_HASH_LEN 32

struct key {
    uint64_t tenant;
    struct str id;
    uint8_t hash[KEY_HASH_LEN];
    enum role role;
    uint32_t scopes; /* 0: those of the role */
    struct str label;
    int64_t created_us;
    int64_t expires_us;   /* 0: never */
    int64_t last_used_us; /* 0: never; written behind */
    int64_t revoked_us;   /* 0: live */
};

int store_key_insert(struct store_tx *tx, const struct key *k, struct fail *f) MUST_CHECK;
int store_key_get(struct store_tx *tx, uint64_t tenant, struct str id, struct key *out,
                  struct fail *f) MUST_CHECK;
int store_key_list(struct store_tx *tx, uint64_t tenant, struct str after, size_t limit,
                   struct key **out, size_t *count, struct fail *f) MUST_CHECK;
int store_key_set_revoked(struct store_tx *tx, uint64_t tenant, struct str id, int64_t at_us,
                          struct fail *f) MUST_CHECK;

/* Keeps the later of the two times; a key that is gone is passed over. */
int store_key_set_used(struct store_tx *tx, uint64_t tenant, struct str id, int64_t at_us,
                       struct fail *f) MUST_CHECK;

/* Every key that is not revoked, of all tenants; borrowed rows. fn returns false to end the walk.
 */
int store_key_each(struct store_tx *tx,
                   bool (*fn)(void *arg, const struct key *k, struct str tenant_name), void *arg,
                   struct fail *f) MUST_CHECK;

/* Every key whose id begins so, which is no more than a key of enroll.h needs: others are revoked
 * and stay for the record. */
int store_key_delete(struct store_tx *tx, uint64_t tenant, struct str prefix, struct fail *f)
    MUST_CHECK;

enum collector_kind {
    COLLECTOR_AGENT,
    COLLECTOR_HOSTED,
    COLLECTOR_PLUGIN,
    COLLECTOR_CAPTURE,
};

#define COLLECTOR_KIND_COUNT 4

struct label {
    struct str key;
    struct str value;
};

struct collector {
    uint64_t tenant;
    enum collector_kind kind;
    int64_t id;        /* numeric, unique in the store */
    struct str space;  /* a scope inside the tenant (workspace, app); may be empty */
    struct str ext_id; /* unique in tenant, kind and space */
    struct str name;   /* may be empty */
    bool unique_name;  /* no other of the tenant and the kind may have it */
    struct str labels; /* labels_encode() */
    int64_t revision;  /* from 1 */
    int64_t created_us;
    int64_t updated_us;
    int64_t last_seen_us; /* 0: never; written behind */
    struct str body;
};

enum collector_order {
    COLLECTOR_BY_ID,      /* that is, by creation */
    COLLECTOR_BY_ID_DESC, /* newest first */
    COLLECTOR_BY_NAME,    /* then by id */
};

/* Zero-initialised: everything, by id, up to 1000 rows. */
struct collector_filter {
    uint32_t kinds;          /* bits 1 << kind; 0: all */
    const struct str *space; /* NULL: any */
    const struct str *name;  /* NULL: any */
    struct str name_prefix;
    const struct label *labels; /* all of these */
    size_t label_count;
    int64_t seen_since_us;  /* 0: any; else last seen at or after */
    int64_t seen_before_us; /* 0: any; else last seen before, or never */

    enum collector_order order;
    int64_t after_id;      /* keyset: rows beyond this one in the order; 0: from the start */
    struct str after_name; /* with COLLECTOR_BY_NAME */
    size_t offset;
    size_t limit; /* 0: 1000 */
};

int store_collector_insert(struct store_tx *tx, const struct collector *c, struct fail *f)
    MUST_CHECK;
int store_collector_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct collector *out,
                        struct fail *f) MUST_CHECK;
int store_collector_get_ext(struct store_tx *tx, uint64_t tenant, enum collector_kind kind,
                            struct str space, struct str ext_id, struct collector *out,
                            struct fail *f) MUST_CHECK;
int store_collector_get_name(struct store_tx *tx, uint64_t tenant, enum collector_kind kind,
                             struct str name, struct collector *out, struct fail *f) MUST_CHECK;

/* Rows that match, in order, borrowed until fn returns; offset and limit as the filter says. fn
 * returns false to end the walk. Memory stays constant. *total (may be NULL) goes on counting. */
int store_collector_each(struct store_tx *tx, uint64_t tenant,
                         const struct collector_filter *filter,
                         bool (*fn)(void *arg, const struct collector *c), void *arg,
                         int64_t *total, struct fail *f) MUST_CHECK;

/* Every collector of those kinds (0: all) of all tenants, by tenant and id: for the load at start.
 */
int store_collector_load(struct store_tx *tx, uint32_t kinds,
                         bool (*fn)(void *arg, const struct collector *c), void *arg,
                         struct fail *f) MUST_CHECK;

/* Writes name, labels, revision, updated_us, last_seen_us, body where the revision is still `from`.
 * ABORTED when it is not. */
int store_collector_update(struct store_tx *tx, const struct collector *c, int64_t from,
                           struct fail *f) MUST_CHECK;
int store_collector_delete(struct store_tx *tx, uint64_t tenant, int64_t id, struct fail *f)
    MUST_CHECK;

/* Liveness, written behind: keeps the later time, changes no revision, writes no event. */
int store_collector_set_seen(struct store_tx *tx, uint64_t tenant, int64_t id, int64_t at_us,
                             struct fail *f) MUST_CHECK;

struct source {
    uint64_t tenant;
    int64_t collector;
    int64_t id;
    struct str type;
    struct str name; /* unique in the collector */
    int64_t revision;
    int64_t created_us;
    int64_t updated_us;
    struct str body;
};

int store_source_insert(struct store_tx *tx, const struct source *src, struct fail *f) MUST_CHECK;
int store_source_get(struct store_tx *tx, uint64_t tenant, int64_t collector, int64_t id,
                     struct source *out, struct fail *f) MUST_CHECK;
int store_source_get_name(struct store_tx *tx, uint64_t tenant, int64_t collector, struct str name,
                          struct source *out, struct fail *f) MUST_CHECK;
int store_source_list(struct store_tx *tx, uint64_t tenant, int64_t collector, int64_t after,
                      size_t limit, struct source **out, size_t *count, struct fail *f) MUST_CHECK;

/* Borrowed rows in order of id; fn returns false to end the walk. */
int store_source_each(struct store_tx *tx, uint64_t tenant, int64_t collector,
                      bool (*fn)(void *arg, const struct source *src), void *arg, struct fail *f)
    MUST_CHECK;
int store_source_count(struct store_tx *tx, uint64_t tenant, int64_t collector, int64_t *out,
                       int64_t *bytes, struct fail *f) MUST_CHECK;

/* Of all tenants, by tenant, collector and id: for the load at start. */
int store_source_load(struct store_tx *tx, bool (*fn)(void *arg, const struct source *src),
                      void *arg, struct fail *f) MUST_CHECK;

int store_source_update(struct store_tx *tx, const struct source *src, int64_t from, struct fail *f)
    MUST_CHECK;
int store_source_delete(struct store_tx *tx, uint64_t tenant, int64_t collector, int64_t id,
                        struct fail *f) MUST_CHECK;

struct pipeline {
    uint64_t tenant;
    int64_t id;
    struct str name; /* unique in the tenant */
    bool enabled;
    int64_t revision;
    int64_t created_us;
    int64_t updated_us;
    struct str body;
};

enum pipeline_change {
    PIPELINE_CREATED,
    PIPELINE_UPDATED,
    PIPELINE_DELETED,
};

struct pipeline_revision {
    int64_t id; /* numeric, unique in the store */
    enum pipeline_change change;
    struct pipeline snapshot; /* after the change; before it for a deletion */
    int64_t at_us;
    struct str actor; /* key id; empty: the server */
};

int store_pipeline_insert(struct store_tx *tx, const struct pipeline *p, struct fail *f) MUST_CHECK;
int store_pipeline_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct pipeline *out,
                       struct fail *f) MUST_CHECK;
int store_pipeline_get_name(struct store_tx *tx, uint64_t tenant, struct str name,
                            struct pipeline *out, struct fail *f) MUST_CHECK;
int store_pipeline_list(struct store_tx *tx, uint64_t tenant, int64_t after, size_t limit,
                        struct pipeline **out, size_t *count, struct fail *f) MUST_CHECK;
int store_pipeline_update(struct store_tx *tx, const struct pipeline *p, int64_t from,
                          struct fail *f) MUST_CHECK;
int store_pipeline_delete(struct store_tx *tx, uint64_t tenant, int64_t id, struct fail *f)
    MUST_CHECK;
int store_revision_insert(struct store_tx *tx, const struct pipeline_revision *r, struct fail *f)
    MUST_CHECK;
int store_revision_get(struct store_tx *tx, uint64_t tenant, int64_t id,
                       struct pipeline_revision *out, struct fail *f) MUST_CHECK;
int store_revision_list(struct store_tx *tx, uint64_t tenant, int64_t pipeline, int64_t before,
                        size_t limit, struct pipeline_revision **out, size_t *count, struct fail *f)
    MUST_CHECK;

struct event {
    int64_t seq; /* grows over all tenants, with gaps */
    uint64_t tenant;
    struct str kind;
    struct str subject;
    struct str actor; /* key id; empty: the server */
    int64_t at_us;
    struct str data;
};

/* Numbers the event. */
int store_event_insert(struct store_tx *tx, const struct event *e, struct fail *f) MUST_CHECK;
int store_event_list(struct store_tx *tx, uint64_t tenant, int64_t after_seq, size_t limit,
                     struct event **out, size_t *count, struct fail *f) MUST_CHECK;

/* Of all tenants: what another node follows. */
int store_event_follow(struct store_tx *tx, int64_t after_seq, size_t limit, struct event **out,
                       size_t *count, struct fail *f) MUST_CHECK;
int store_event_prune(struct store_tx *tx, int64_t before_us, size_t limit, size_t *gone,
                      struct fail *f) MUST_CHECK;

enum task_state {
    TASK_READY,
    TASK_RUNNING,
    TASK_DONE,
    TASK_FAILED,
    TASK_CANCELED,
};

#define TASK_STATE_COUNT 5

struct task {
    uint64_t tenant;
    int64_t id;
    struct str kind;
    struct str subject;
    int64_t parent; /* 0: none */
    enum task_state state;
    int64_t attempts; /* begun so far; with the owner it names the lease */
    int64_t max_attempts;
    int64_t due_us;      /* ready: when to run; running: when the lease ends */
    int64_t deadline_us; /* 0: none */
    struct str owner;
    struct str payload;
    struct str result;
    struct str error;
    int64_t created_us;
    int64_t updated_us;
};

struct task_filter {
    const struct str *kind;    /* NULL: any */
    const struct str *subject; /* NULL: any */
    int64_t parent;            /* 0: any */
    uint32_t states;           /* bits 1 << state; 0: any */
    int64_t after_id;
    size_t limit; /* 0: 1000 */
};

int store_task_insert(struct store_tx *tx, const struct task *t, struct fail *f) MUST_CHECK;
int store_task_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct task *out,
                   struct fail *f) MUST_CHECK;
int store_task_list(struct store_tx *tx, uint64_t tenant, const struct task_filter *filter,
                    struct task **out, size_t *count, struct fail *f) MUST_CHECK;

/* Open tasks of all tenants that were due at `now`, longest due first. */
int store_task_due(struct store_tx *tx, int64_t now_us, const struct str *kinds, size_t kind_count,
                   size_t limit, struct task **out, size_t *count, struct fail *f) MUST_CHECK;

/* Open tasks of all tenants whose deadline was before `now`. */
int store_task_late(struct store_tx *tx, int64_t now_us, size_t limit, struct task **out,
                    size_t *count, struct fail *f) MUST_CHECK;

/* Writes state, attempts, due, owner, result, error, updated where state, attempts and owner are
 * still those of `was`. ABORTED when they are not. */
int store_task_update(struct store_tx *tx, const struct task *t, const struct task *was,
                      struct fail *f) MUST_CHECK;
int store_task_next_due(struct store_tx *tx, int64_t *wall_us, struct fail *f) MUST_CHECK;

/* How many of that kind are open, of all tenants. */
int store_task_count_open(struct store_tx *tx, struct str kind, int64_t *count, struct fail *f)
    MUST_CHECK;

/* Finished tasks that were last changed before then; at most `limit` of all tenants. */
int store_task_prune(struct store_tx *tx, int64_t before_us, size_t limit, size_t *gone,
                     struct fail *f) MUST_CHECK;

#define TEXT_HASH_LEN 32

/* Large texts, each kept once a tenant however many rows refer to it. hold() inserts or counts one
 * more reference, drop() one less and deletes the last; DATA_LOSS when there is none to drop. */
int store_text_hold(struct store_tx *tx, uint64_t tenant, const uint8_t hash[TEXT_HASH_LEN],
                    struct str text, struct fail *f) MUST_CHECK;
int store_text_drop(struct store_tx *tx, uint64_t tenant, const uint8_t hash[TEXT_HASH_LEN],
                    struct fail *f) MUST_CHECK;
int store_text_get(struct store_tx *tx, uint64_t tenant, const uint8_t hash[TEXT_HASH_LEN],
                   struct str *out, struct fail *f) MUST_CHECK;

/* Small values of a tenant by name; tenant 0 is the server's own. Puts replace. */
int store_setting_get(struct store_tx *tx, uint64_t tenant, struct str name, struct str *value,
                      struct fail *f) MUST_CHECK;
int store_setting_put(struct store_tx *tx, uint64_t tenant, struct str name, struct str value,
                      struct fail *f) MUST_CHECK;

#endif
