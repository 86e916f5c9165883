/* SPDX-License-Identifier: Apache-2.0 */
/* See credentials.h. A shard holds whole agents, so that all credentials of one are found under one
 * hash. */
#include "core/credentials.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/map.h"
#include "core/chunks.h"
#include "core/hash_index.h"

#define SHARD_BITS  6
#define SHARD_COUNT (1u << SHARD_BITS)
#define ENTRY_NONE  UINT32_MAX

struct entry {
    struct agent_credential is; /* is.owner NULL: free, and is.nonce is the next free one */
};
_Static_assert(sizeof(struct entry) <= 56, "a million of them are kept");

struct shard {
    pthread_mutex_t lock; /* guards what follows */
    struct hash_index index;
    struct chunks entries;
    uint32_t end; /* entries below were in use at some time */
    uint32_t free;
};

struct credentials {
    struct shard shards[SHARD_COUNT];
    pthread_mutex_t lock; /* guards owners, not what they point at */
    struct map *owners;   /* by the bytes of the tenant's number */
};

struct credentials *credentials_new(void)
{
    struct credentials *c = heap_new_type(struct credentials);

    for (size_t i = 0; i < SHARD_COUNT; i++) {
        struct shard *s = &c->shards[i];

        pthread_mutex_init(&s->lock, NULL);
        hash_index_init(&s->index);
        chunks_init(&s->entries, sizeof(struct entry));
        s->free = ENTRY_NONE;
    }
    pthread_mutex_init(&c->lock, NULL);
    c->owners = map_new();
    return c;
}

void credentials_free(struct credentials **credentials)
{
    struct credentials *c = *credentials;
    struct str key;
    void *owner;
    size_t at = 0;

    if (!c)
        return;
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        hash_index_done(&c->shards[i].index);
        chunks_done(&c->shards[i].entries);
        pthread_mutex_destroy(&c->shards[i].lock);
    }
    while (map_next(c->owners, &at, &key, &owner))
        free(owner);
    map_free(&c->owners);
    pthread_mutex_destroy(&c->lock);
    free(c);
    *credentials = NULL;
}

/* Numbers are the server's own and nobody chooses them: mixing is enough. */
static uint64_t mix(int64_t agent)
{
    uint64_t h = (uint64_t)agent * UINT64_C(0x9e3779b97f4a7c15);

    return h ^ h >> 29;
}

static struct shard *shard_of(struct credentials *c, int64_t agent)
{
    return &c->shards[mix(agent) >> (64 - SHARD_BITS)];
}

static struct entry *entry_at(const struct shard *s, uint32_t i)
{
    return chunks_at(&s->entries, i);
}

/* With the shard's lock. */
static uint32_t look(const struct shard *s, int64_t agent, uint32_t nonce)
{
    uint32_t at = 0, i;

    while (hash_index_next(&s->index, (uint32_t)mix(agent), &at, &i)) {
        const struct agent_credential *is = &entry_at(s, i)->is;

        if (is->agent == agent && is->nonce == nonce)
            return i;
    }
    return ENTRY_NONE;
}

/* With the shard's lock. */
static uint32_t take_free(struct shard *s)
{
    uint32_t i = s->free;

    if (i != ENTRY_NONE) {
        s->free = entry_at(s, i)->is.nonce;
        return i;
    }
    if (s->end == s->entries.capacity)
        chunks_grow(&s->entries);
    return s->end++;
}

/* With the shard's lock. */
static void give_back(struct shard *s, uint32_t i)
{
    struct entry *e = entry_at(s, i);

    hash_index_remove(&s->index, (uint32_t)mix(e->is.agent), i);
    memset(e, 0, sizeof(*e));
    e->is.nonce = s->free;
    s->free = i;
}

static const struct credential_owner *owner_of(struct credentials *c, uint64_t tenant,
                                               struct str name)
{
    struct str key = str_make(&tenant, sizeof(tenant));

    pthread_mutex_lock(&c->lock);

    struct credential_owner *owner = map_get(c->owners, key);

    if (!owner) {
        owner = heap_alloc(sizeof(*owner) + name.len);
        if (name.len > 0)
            memcpy(owner + 1, name.p, name.len);
        *owner = (struct credential_owner){tenant, str_make(owner + 1, name.len)};
        IGNORE(map_put(c->owners, key, owner));
    }
    pthread_mutex_unlock(&c->lock);
    return owner;
}

void credentials_put(struct credentials *c, int64_t agent, uint32_t nonce,
                     const uint8_t hash[KEY_HASH_LEN], uint64_t tenant, struct str tenant_name)
{
    const struct credential_owner *owner = owner_of(c, tenant, tenant_name);
    struct shard *s = shard_of(c, agent);

    pthread_mutex_lock(&s->lock);

    uint32_t i = look(s, agent, nonce);
    bool is_new = i == ENTRY_NONE;

    if (is_new)
        i = take_free(s);

    struct agent_credential *is = &entry_at(s, i)->is;

    *is = (struct agent_credential){.owner = owner, .agent = agent, .nonce = nonce};
    memcpy(is->hash, hash, sizeof(is->hash));
    if (is_new)
        hash_index_add(&s->index, (uint32_t)mix(agent), i);
    pthread_mutex_unlock(&s->lock);
}

bool credentials_find(struct credentials *c, int64_t agent, uint32_t nonce,
                      struct agent_credential *out)
{
    struct shard *s = shard_of(c, agent);

    pthread_mutex_lock(&s->lock);

    uint32_t i = look(s, agent, nonce);

    if (i != ENTRY_NONE)
        *out = entry_at(s, i)->is;
    pthread_mutex_unlock(&s->lock);
    return i != ENTRY_NONE;
}

void credentials_remove(struct credentials *c, int64_t agent, uint32_t nonce)
{
    struct shard *s = shard_of(c, agent);

    pthread_mutex_lock(&s->lock);

    uint32_t i = look(s, agent, nonce);

    if (i != ENTRY_NONE)
        give_back(s, i);
    pthread_mutex_unlock(&s->lock);
}

/* With the shard's lock. An index that changes is looked through anew. */
static bool remove_one(struct shard *s, int64_t agent)
{
    uint32_t at = 0, i;

    while (hash_index_next(&s->index, (uint32_t)mix(agent), &at, &i)) {
        if (entry_at(s, i)->is.agent == agent) {
            give_back(s, i);
            return true;
        }
    }
    return false;
}

void credentials_remove_agent(struct credentials *c, int64_t agent)
{
    struct shard *s = shard_of(c, agent);

    pthread_mutex_lock(&s->lock);
    while (remove_one(s, agent))
        continue;
    pthread_mutex_unlock(&s->lock);
}

void credentials_remove_tenant(struct credentials *c, uint64_t tenant)
{
    for (size_t k = 0; k < SHARD_COUNT; k++) {
        struct shard *s = &c->shards[k];

        pthread_mutex_lock(&s->lock);
        for (uint32_t i = 0; i < s->end; i++) {
            const struct credential_owner *owner = entry_at(s, i)->is.owner;

            if (owner && owner->tenant == tenant)
                give_back(s, i);
        }
        pthread_mutex_unlock(&s->lock);
    }
}

size_t credentials_count(struct credentials *c)
{
    size_t n = 0;

    for (size_t i = 0; i < SHARD_COUNT; i++) {
        pthread_mutex_lock(&c->shards[i].lock);
        n += c->shards[i].index.count;
        pthread_mutex_unlock(&c->shards[i].lock);
    }
    return n;
}

size_t credentials_bytes(struct credentials *c)
{
    size_t n = sizeof(*c);

    for (size_t i = 0; i < SHARD_COUNT; i++) {
        struct shard *s = &c->shards[i];

        pthread_mutex_lock(&s->lock);
        n += hash_index_bytes(&s->index) + (size_t)s->end * sizeof(struct entry);
        pthread_mutex_unlock(&s->lock);
    }
    return n;
}
