/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind agents.h share.
 *
 * Locks, in the order in which they are taken: `writer` (one change at a time), `lock` (attributes,
 * postings), a shard's `lock` (its agents). Polls take only the last one, lists take the second for
 * a bounded step and then the last. A change holds all three for the moment in which it shows.
 * `order` (numbers) comes behind `lock` and nothing is taken under it: who looks for a number lets
 * go of it, takes the shard's lock, and sees there whether the record still has that number. */
#ifndef CORE_AGENTS_INTERNAL_H
#define CORE_AGENTS_INTERNAL_H

#include <pthread.h>
#include <sodium.h>

#include "base/slot.h"
#include "core/agents.h"
#include "core/attribute_index.h"
#include "core/number_index.h"

#define SHARD_BITS  6
#define SHARD_COUNT (1u << SHARD_BITS)
#define RECORD_NONE UINT32_MAX

/* Walks over all agents hold a shard's lock for no more of them than this. */
#define RECORDS_A_STEP 128

enum record_flag {
    RECORD_ENABLED = 1 << 0,
    RECORD_REGISTERED = 1 << 1,
    RECORD_HAS_STATUS = 1 << 2,
    RECORD_STATUS_ERROR = 1 << 3,
    RECORD_EFFECTIVE_CONFIG = 1 << 4,
    RECORD_UNIQUE_NAME = 1 << 5,
    RECORD_EPHEMERAL = 1 << 6,
    RECORD_MANAGED = 1 << 7, /* has a profile, or another word of a manager */
};

/* What of a record has no fixed size: numbers of the pairs (local, then remote; each sorted by
 * key), id, name, a record_tail, hashes of the texts that are set, space, extras, and of a managed
 * one a record_words with its texts. A poll looks at the first two of them only, and they come
 * first so that it reads few cache lines. */
struct record_body {
    uint32_t extra_bytes; /* of all behind space */
    uint16_t extra_count;
    uint16_t space_len;
    uint32_t pairs[];
};

/* Unaligned in the body. */
struct record_tail {
    uint64_t tenant;
    int64_t created_us;
    int64_t updated_us;
    int64_t status_us;
};

/* Two cache lines. */
struct record {
    struct record_body *body; /* NULL: free */
    uint64_t stamp;           /* number of the change that last touched its selection */
    int64_t seen_us;
    int64_t inactive_us;
    uint32_t hash; /* of the id */
    uint16_t id_len;
    uint16_t name_len;
    uint16_t local_count;
    uint16_t remote_count;
    uint8_t type;
    uint8_t status;
    uint8_t flags;
    struct choice choice;
    int64_t id; /* numeric; of a free record: the next free one */
    int64_t revision;
};
_Static_assert(sizeof(struct record) <= 128, "a million of them are kept");

struct shard {
    pthread_mutex_t lock;
    struct hash_index ids; /* by the hash of the id */
    struct chunks records;
    uint64_t *dirty; /* a bit for each record: seen since it was last taken */
    uint32_t dirty_count;
    uint32_t end; /* records below were in use at some time */
    uint32_t free_record;
    uint64_t polls[2]; /* by outcome */
} __attribute__((aligned(64)));

struct agents {
    unsigned char secret[crypto_shorthash_KEYBYTES];
    struct slot pipelines; /* that choices come from; NULL as long as there are none */

    pthread_mutex_t writer; /* guards scratch and body_bytes; only who holds it changes anything but
                               liveness and choices */
    uint32_t *scratch;
    size_t scratch_count;
    size_t body_bytes;

    pthread_rwlock_t lock; /* guards what follows, but for the shards */
    struct attribute_index attributes;
    struct posting all; /* slots of all agents */
    uint64_t change;    /* grows with each change of a selection */

    pthread_mutex_t order;       /* guards numbers */
    struct number_index numbers; /* slots by numeric id */

    pthread_mutex_t take; /* guards take_from */
    uint32_t take_from;   /* word of the dirty bits where the next take begins */

    struct shard shards[SHARD_COUNT];
};

/* A slot is a record's place in all shards together; neighbours in a row lie in different shards.
 */
static inline uint32_t slot_of(uint32_t shard, uint32_t record)
{
    return record << SHARD_BITS | shard;
}

static inline struct shard *slot_shard(struct agents *a, uint32_t slot)
{
    return &a->shards[slot & (SHARD_COUNT - 1)];
}

/* With the shard's lock, or as the writer. */
static inline struct record *slot_record(struct agents *a, uint32_t slot)
{
    return chunks_at(&slot_shard(a, slot)->records, slot >> SHARD_BITS);
}

static inline struct record *shard_record(const struct shard *s, uint32_t record)
{
    return chunks_at(&s->records, record);
}

struct id_hash {
    uint32_t shard;
    uint32_t hash;
};

struct id_hash agents_hash(const struct agents *a, struct str id);

/* RECORD_NONE when it is unknown. With the shard's lock, or as the writer. */
uint32_t shard_find(const struct shard *s, uint32_t hash, struct str id);

/* Locks the id's shard and returns the record, or NULL with nothing locked. */
struct record *agents_lock(struct agents *a, struct str id, struct shard **shard, uint32_t *record);

/* Same, by numeric id. */
struct record *agents_lock_number(struct agents *a, int64_t id, struct shard **shard,
                                  uint32_t *record);

/* --- records; with the shard's lock, or as the writer --- */

struct str record_id(const struct record *r);
struct str record_name(const struct record *r);
struct record_tail record_tail(const struct record *r);

static inline const uint32_t *record_local(const struct record *r)
{
    return r->body->pairs;
}

static inline const uint32_t *record_remote(const struct record *r)
{
    return r->body->pairs + r->local_count;
}

/* A body for this agent, whose pairs have these numbers. *bytes is its size. */
struct record_body *record_body_new(const struct agent *agent, const uint32_t *local,
                                    size_t local_count, const uint32_t *remote, size_t remote_count,
                                    size_t *bytes) RETURNS_NONNULL;
size_t record_body_bytes(const struct record *r);

/* Takes over everything but liveness, choice and stamp; the body becomes the record's. */
void record_set(struct record *r, const struct agent *agent, struct record_body *body,
                size_t local_count, size_t remote_count);

/* Numbers of the effective pairs, sorted by key; room for all local and remote ones. */
size_t record_effective(const struct attribute_index *x, const struct record *r, uint32_t *out);

/* The value of an effective attribute, empty when there is none. */
struct str record_value(const struct attribute_index *x, const struct record *r, struct str key);

bool record_matches(const struct attribute_index *x, const struct record *r,
                    const struct matcher *m, size_t count);

/* Whether the agent says exactly these of itself, in whatever order. */
bool record_says(const struct attribute_index *x, const struct record *r, const struct label *local,
                 size_t count);

/* See agent_inactive_at(). */
int64_t record_inactive_at(int64_t inactive_us, int64_t seen_us, int64_t now_us, int64_t after_us);

/* Its liveness is to be written behind. */
void shard_mark(struct shard *s, uint32_t record);

/* Marks as seen. */
void record_seen(struct shard *s, uint32_t record, struct record *r, int64_t now_us);

/* How strings of pairs get to an arena: each distinct one once, as far as it is remembered. */
struct pair_copier;
struct pair_copier *pair_copier_new(struct arena *arena) RETURNS_NONNULL;

/* Of a pair that is in use. With `lock`, or by whoever keeps it in use. */
struct label pair_copy(const struct attribute_index *x, uint32_t number, struct pair_copier *c);

/* copier may be NULL. */
void record_copy(const struct attribute_index *x, const struct record *r, struct arena *arena,
                 struct pair_copier *copier, struct agent *out);

/* The pipelines that choices come from are those, from now on. */
static inline void agents_bind(struct agents *a, struct pipelines *p)
{
    if (slot_get(&a->pipelines) != p)
        slot_set(&a->pipelines, p);
}

/* With the shard's lock. */
void agents_forget_choice(struct agents *a, struct record *r);

#endif
