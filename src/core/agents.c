/* SPDX-License-Identifier: Apache-2.0 */
/* See agents.h: how agents come in and go, and how they are found. */
#include "core/agents.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/random.h"
#include "core/agents_internal.h"

#define SCRATCH_MIN     64
#define LABELS_ON_STACK 64

struct agents *agents_new(void)
{
    struct agents *a = aligned_alloc(_Alignof(struct agents), sizeof(*a));
    pthread_rwlockattr_t attr;

    assert(a);
    memset(a, 0, sizeof(*a));
    random_bytes(a->secret, sizeof(a->secret));
    pthread_mutex_init(&a->writer, NULL);
    pthread_mutex_init(&a->take, NULL);
    pthread_mutex_init(&a->order, NULL);
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&a->lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    attribute_index_init(&a->attributes);
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        struct shard *s = &a->shards[i];

        pthread_mutex_init(&s->lock, NULL);
        hash_index_init(&s->ids);
        chunks_init(&s->records, sizeof(struct record));
        s->free_record = RECORD_NONE;
    }
    return a;
}

/* Records go to the free list and stay where they are: whoever has a slot's number may still look
 * whether there is somebody. */
static void clear_records(struct agents *a, struct shard *s)
{
    for (uint32_t i = 0; i < s->end; i++) {
        struct record *r = shard_record(s, i);

        if (!r->body)
            continue;
        agents_forget_choice(a, r);
        free(r->body);
        *r = (struct record){.stamp = a->change, .id = s->free_record};
        s->free_record = i;
    }
}

static void free_shard(struct agents *a, struct shard *s)
{
    clear_records(a, s);
    free(s->dirty);
    hash_index_done(&s->ids);
    chunks_done(&s->records);
    pthread_mutex_destroy(&s->lock);
}

void agents_free(struct agents **agents)
{
    struct agents *a = *agents;

    if (!a)
        return;
    for (size_t i = 0; i < SHARD_COUNT; i++)
        free_shard(a, &a->shards[i]);
    attribute_index_done(&a->attributes);
    posting_done(&a->all);
    number_index_done(&a->numbers);
    free(a->scratch);
    pthread_rwlock_destroy(&a->lock);
    pthread_mutex_destroy(&a->writer);
    pthread_mutex_destroy(&a->take);
    pthread_mutex_destroy(&a->order);
    free(a);
    *agents = NULL;
}

/* --- finding --- */

struct id_hash agents_hash(const struct agents *a, struct str id)
{
    uint64_t hash;
    unsigned char out[crypto_shorthash_BYTES];

    _Static_assert(sizeof(out) == sizeof(hash), "a hash is 64 bits");
    crypto_shorthash(out, (const unsigned char *)(id.len ? id.p : ""), id.len, a->secret);
    memcpy(&hash, out, sizeof(hash));
    return (struct id_hash){(uint32_t)(hash >> (64 - SHARD_BITS)), (uint32_t)hash};
}

uint32_t shard_find(const struct shard *s, uint32_t hash, struct str id)
{
    uint32_t at = 0;
    uint32_t record;

    while (hash_index_next(&s->ids, hash, &at, &record)) {
        const struct record *r = shard_record(s, record);

        __builtin_prefetch(&r->choice);
        if (str_eq(record_id(r), id))
            return record;
    }
    return RECORD_NONE;
}

struct record *agents_lock(struct agents *a, struct str id, struct shard **shard, uint32_t *record)
{
    struct id_hash h = agents_hash(a, id);
    struct shard *s = &a->shards[h.shard];

    pthread_mutex_lock(&s->lock);
    *record = shard_find(s, h.hash, id);
    if (*record == RECORD_NONE) {
        pthread_mutex_unlock(&s->lock);
        return NULL;
    }
    *shard = s;
    return shard_record(s, *record);
}

struct record *agents_lock_number(struct agents *a, int64_t id, struct shard **shard,
                                  uint32_t *record)
{
    uint32_t slot;

    pthread_mutex_lock(&a->order);

    bool known = number_index_find(&a->numbers, id, &slot);

    pthread_mutex_unlock(&a->order);
    if (!known)
        return NULL;

    struct shard *s = slot_shard(a, slot);

    pthread_mutex_lock(&s->lock);

    struct record *r = slot_record(a, slot);

    if (!r->body || r->id != id) { /* it went meanwhile */
        pthread_mutex_unlock(&s->lock);
        return NULL;
    }
    *shard = s;
    *record = slot >> SHARD_BITS;
    return r;
}

void agents_forget_choice(struct agents *a, struct record *r)
{
    struct pipelines *p = slot_get(&a->pipelines);

    if (p)
        choice_reset(p, &r->choice);
}

/* --- changing; with the writer's lock --- */

static bool says(const struct attribute_index *x, const uint32_t *pairs, size_t count,
                 const struct attributes *attributes)
{
    if (count != attributes->count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct attribute_pair *p = attribute_pair_at(x, pairs[i]);

        if (!str_eq(attribute_key(x, p), attributes->items[i].key) ||
            !str_eq(attribute_value(p), attributes->items[i].value))
            return false;
    }
    return true;
}

static uint32_t *scratch(struct agents *a, size_t count)
{
    if (!a->scratch || count > a->scratch_count) {
        a->scratch_count = MAX(count, SCRATCH_MIN);
        a->scratch = heap_realloc(a->scratch, a->scratch_count * sizeof(*a->scratch));
    }
    return a->scratch;
}

static void take_pairs(struct attribute_index *x, const struct attributes *attributes,
                       enum attribute_side side, uint32_t *out)
{
    for (size_t i = 0; i < attributes->count; i++)
        out[i] = attribute_take(x, attributes->items[i].key, attributes->items[i].value, side);
}

static void drop_pairs(struct attribute_index *x, const uint32_t *pairs, size_t count,
                       enum attribute_side side)
{
    for (size_t i = 0; i < count; i++)
        attribute_drop(x, pairs[i], side);
}

static bool has_number(const uint32_t *numbers, size_t count, uint32_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] == number)
            return true;
    }
    return false;
}

static void move_postings(struct attribute_index *x, uint32_t slot, const uint32_t *before,
                          size_t before_count, const uint32_t *after, size_t after_count)
{
    for (size_t i = 0; i < before_count; i++) {
        if (!has_number(after, after_count, before[i]))
            posting_remove(&attribute_pair_at(x, before[i])->agents, slot);
    }
    for (size_t i = 0; i < after_count; i++) {
        if (!has_number(before, before_count, after[i]))
            posting_add(&attribute_pair_at(x, after[i])->agents, slot);
    }
}

/* With the shard's lock. */
static uint32_t new_record(struct shard *s)
{
    uint32_t record = s->free_record;

    if (record != RECORD_NONE) {
        s->free_record = (uint32_t)shard_record(s, record)->id;
        return record;
    }
    if (s->end == s->records.capacity) {
        size_t before = s->records.capacity / 64;

        chunks_grow(&s->records);

        size_t words = s->records.capacity / 64;

        s->dirty = heap_realloc(s->dirty, words * sizeof(*s->dirty));
        memset(s->dirty + before, 0, (words - before) * sizeof(*s->dirty));
    }
    return s->end++;
}

/* What a change of one agent is about. */
struct change {
    struct id_hash hash;
    struct shard *shard;
    uint32_t record; /* RECORD_NONE: it is new */
    const struct agent *agent;
    struct attributes local; /* the agent's, without its id */
    struct attributes remote;
};

/* The row's attributes came in sorted, and without the id. */
static struct attributes without_id(const struct attributes *attributes, struct label *room)
{
    struct attributes out = {room, 0};

    for (size_t i = 0; i < attributes->count; i++) {
        if (!str_eq(attributes->items[i].key, STR(AGENT_ID_KEY)))
            room[out.count++] = attributes->items[i];
    }
    return out;
}

/* The moment in which the change shows: puts the record in place and hands back what it was. */
static void show(struct agents *a, struct change *c, struct record_body *body, bool reselect,
                 struct record *was)
{
    struct shard *s = c->shard;
    struct record *r;

    pthread_mutex_lock(&s->lock);
    if (c->record == RECORD_NONE) {
        c->record = new_record(s);
        r = shard_record(s, c->record);
        *r = (struct record){.hash = c->hash.hash, .seen_us = c->agent->row.last_seen_us};
        *was = *r;
        record_set(r, c->agent, body, c->local.count, c->remote.count);
        hash_index_add(&s->ids, c->hash.hash, c->record);
    } else {
        r = shard_record(s, c->record);
        *was = *r;
        record_set(r, c->agent, body, c->local.count, c->remote.count);
        r->seen_us = MAX(r->seen_us, c->agent->row.last_seen_us);
    }
    if (reselect) {
        agents_forget_choice(a, r);
        r->stamp = a->change;
    }
    pthread_mutex_unlock(&s->lock);
}

static void put_same_selection(struct agents *a, struct change *c)
{
    struct record *r = shard_record(c->shard, c->record);
    struct record was;
    size_t bytes;
    struct record_body *body = record_body_new(c->agent, record_local(r), r->local_count,
                                               record_remote(r), r->remote_count, &bytes);

    show(a, c, body, false, &was);
    a->body_bytes += bytes - record_body_bytes(&was);
    free(was.body);
}

/* With the lock. */
static void put_numbers(struct agents *a, uint32_t slot, const struct record *was, int64_t id)
{
    if (!was->body)
        posting_add(&a->all, slot);
    if (was->body && was->id == id)
        return;
    pthread_mutex_lock(&a->order);
    if (was->body)
        number_index_remove(&a->numbers, was->id);
    number_index_add(&a->numbers, id, slot);
    pthread_mutex_unlock(&a->order);
}

static void put_selection(struct agents *a, struct change *c)
{
    struct attribute_index *x = &a->attributes;
    struct record *old = c->record == RECORD_NONE ? NULL : shard_record(c->shard, c->record);
    size_t old_count = old ? (size_t)old->local_count + old->remote_count : 0;
    size_t count = c->local.count + c->remote.count;
    uint32_t *pairs = scratch(a, 2 * count + old_count);
    uint32_t *before = pairs + count;
    uint32_t *after = before + old_count;
    struct record was;
    size_t bytes;

    pthread_rwlock_wrlock(&a->lock);

    size_t before_count = old ? record_effective(x, old, before) : 0;

    take_pairs(x, &c->local, ATTRIBUTE_LOCAL, pairs);
    take_pairs(x, &c->remote, ATTRIBUTE_REMOTE, pairs + c->local.count);

    struct record_body *body = record_body_new(c->agent, pairs, c->local.count,
                                               pairs + c->local.count, c->remote.count, &bytes);

    a->change++;
    show(a, c, body, true, &was);

    struct record *r = shard_record(c->shard, c->record);
    uint32_t slot = slot_of(c->hash.shard, c->record);

    move_postings(x, slot, before, before_count, after, record_effective(x, r, after));
    put_numbers(a, slot, &was, c->agent->row.id);
    a->body_bytes += bytes;
    if (was.body) {
        drop_pairs(x, record_local(&was), was.local_count, ATTRIBUTE_LOCAL);
        drop_pairs(x, record_remote(&was), was.remote_count, ATTRIBUTE_REMOTE);
        a->body_bytes -= record_body_bytes(&was);
        free(was.body);
    }
    pthread_rwlock_unlock(&a->lock);
}

static bool selects_alike(const struct attribute_index *x, const struct record *r,
                          const struct change *c)
{
    return r->id == c->agent->row.id && r->type == (uint8_t)c->agent->type &&
           !(r->flags & RECORD_ENABLED) == !c->agent->enabled &&
           says(x, record_local(r), r->local_count, &c->local) &&
           says(x, record_remote(r), r->remote_count, &c->remote);
}

void agents_put(struct agents *a, const struct agent *agent)
{
    struct label room[LABELS_ON_STACK];
    size_t count = agent->local.count + agent->remote.count;
    struct label *labels = count <= LABELS_ON_STACK ? room : heap_new_array(struct label, count);
    struct change c = {.hash = agents_hash(a, agent->row.ext_id), .agent = agent};

    c.shard = &a->shards[c.hash.shard];
    c.local = without_id(&agent->local, labels);
    c.remote = without_id(&agent->remote, labels + c.local.count);
    pthread_mutex_lock(&a->writer);
    c.record = shard_find(c.shard, c.hash.hash, agent->row.ext_id);

    const struct record *r = c.record == RECORD_NONE ? NULL : shard_record(c.shard, c.record);

    if (!r || r->id != agent->row.id || r->revision <= agent->row.revision) {
        if (r && selects_alike(&a->attributes, r, &c))
            put_same_selection(a, &c);
        else
            put_selection(a, &c);
    }
    pthread_mutex_unlock(&a->writer);
    if (labels != room)
        free(labels);
}

/* With the writer's lock and `lock`: takes the record out of its shard. */
static void hide(struct agents *a, struct shard *s, uint32_t record, struct record *was)
{
    struct record *r = shard_record(s, record);
    uint64_t bit = UINT64_C(1) << record % 64;

    pthread_mutex_lock(&s->lock);
    agents_forget_choice(a, r);
    *was = *r;
    hash_index_remove(&s->ids, r->hash, record);
    if (s->dirty[record / 64] & bit) {
        s->dirty[record / 64] &= ~bit;
        s->dirty_count--;
    }
    *r = (struct record){.stamp = a->change, .id = s->free_record};
    s->free_record = record;
    pthread_mutex_unlock(&s->lock);
}

static void remove_record(struct agents *a, uint32_t shard, uint32_t record)
{
    struct attribute_index *x = &a->attributes;
    struct shard *s = &a->shards[shard];
    struct record *r = shard_record(s, record);
    uint32_t slot = slot_of(shard, record);
    uint32_t *effective = scratch(a, (size_t)r->local_count + r->remote_count);
    struct record was;

    pthread_rwlock_wrlock(&a->lock);

    size_t count = record_effective(x, r, effective);

    a->change++;
    hide(a, s, record, &was);
    move_postings(x, slot, effective, count, NULL, 0);
    posting_remove(&a->all, slot);
    pthread_mutex_lock(&a->order);
    number_index_remove(&a->numbers, was.id);
    pthread_mutex_unlock(&a->order);
    drop_pairs(x, record_local(&was), was.local_count, ATTRIBUTE_LOCAL);
    drop_pairs(x, record_remote(&was), was.remote_count, ATTRIBUTE_REMOTE);
    a->body_bytes -= record_body_bytes(&was);
    pthread_rwlock_unlock(&a->lock);
    free(was.body);
}

void agents_remove(struct agents *a, struct str id)
{
    struct id_hash h = agents_hash(a, id);

    pthread_mutex_lock(&a->writer);

    uint32_t record = shard_find(&a->shards[h.shard], h.hash, id);

    if (record != RECORD_NONE)
        remove_record(a, h.shard, record);
    pthread_mutex_unlock(&a->writer);
}

static void clear_shard(struct agents *a, struct shard *s)
{
    pthread_mutex_lock(&s->lock);
    clear_records(a, s);
    hash_index_done(&s->ids);
    hash_index_init(&s->ids);
    if (s->end > 0)
        memset(s->dirty, 0, s->records.capacity / 64 * sizeof(*s->dirty));
    s->dirty_count = 0;
    pthread_mutex_unlock(&s->lock);
}

void agents_clear(struct agents *a)
{
    pthread_mutex_lock(&a->writer);
    pthread_rwlock_wrlock(&a->lock);
    a->change++;
    pthread_mutex_lock(&a->order);
    number_index_done(&a->numbers);
    a->numbers = (struct number_index){0};
    pthread_mutex_unlock(&a->order);
    for (size_t i = 0; i < SHARD_COUNT; i++)
        clear_shard(a, &a->shards[i]);
    /* No record refers to them any more. */
    posting_done(&a->all);
    attribute_index_done(&a->attributes);
    attribute_index_init(&a->attributes);
    a->body_bytes = 0;
    pthread_rwlock_unlock(&a->lock);
    pthread_mutex_unlock(&a->writer);
}

/* --- asking --- */

size_t agents_count(const struct agents *agents)
{
    /* A lock is no part of the value. */
    struct agents *a = (struct agents *)(uintptr_t)agents;

    pthread_rwlock_rdlock(&a->lock);

    size_t count = a->all.count;

    pthread_rwlock_unlock(&a->lock);
    return count;
}

bool agents_get(struct agents *a, struct arena *arena, struct str id, struct agent *out)
{
    struct shard *s;
    uint32_t record;
    const struct record *r = agents_lock(a, id, &s, &record);

    if (!r)
        return false;
    record_copy(&a->attributes, r, arena, NULL, out);
    pthread_mutex_unlock(&s->lock);
    return true;
}

bool agents_get_numbered(struct agents *a, struct arena *arena, int64_t id, struct agent *out)
{
    struct shard *s;
    uint32_t record;
    const struct record *r = agents_lock_number(a, id, &s, &record);

    if (!r)
        return false;
    record_copy(&a->attributes, r, arena, NULL, out);
    pthread_mutex_unlock(&s->lock);
    return true;
}
