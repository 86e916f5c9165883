/* SPDX-License-Identifier: Apache-2.0 */
/* See keyring.h. Entries lie in shards by their id; a shard's mutex is held for a look-up in its
 * map and the copy of a few words, never while hashing. */
#include "core/keyring.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/map.h"
#include "base/random.h"
#include "core/credentials.h"
#include "core/enroll_internal.h"
#include "core/tenant.h"

#define SHARD_COUNT  64
#define TAG_WORDS    2
#define USED_STEP_US 1000000 /* uses closer together are one */

/* A secret's keyed hash of 128 bits under a key that only this process knows: made when the secret
 * was found right by the stored hash, and several times cheaper to compare with. */
struct tag {
    uint64_t word[TAG_WORDS];
};
_Static_assert(sizeof(struct tag) == crypto_shorthash_siphashx24_BYTES, "it is copied as a whole");

struct entry {
    char id[KEY_ID_LEN];
    size_t id_len;
    uint8_t hash[KEY_HASH_LEN];
    struct tag tag;
    bool has_tag;
    uint64_t tenant;
    enum role role;
    uint32_t scopes;
    int64_t expires_us;
    int64_t used_us; /* last use that is not in the store yet; 0: none */
    size_t name_len;
    char name[TENANT_NAME_MAX];
};

struct shard {
    pthread_mutex_t lock; /* guards the map and its entries */
    struct map *entries;
};

struct keyring {
    const struct clock *clock;
    struct master_key master;
    uint8_t tag_key[crypto_shorthash_siphashx24_KEYBYTES];
    struct shard shards[SHARD_COUNT];
    struct credentials *credentials;
};

struct keyring *keyring_new(const struct clock *c, const struct master_key *m)
{
    struct keyring *r = heap_new_type(struct keyring);

    r->clock = c;
    r->master = *m;
    r->credentials = credentials_new();
    random_bytes(r->tag_key, sizeof(r->tag_key));
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        pthread_mutex_init(&r->shards[i].lock, NULL);
        r->shards[i].entries = map_new();
    }
    return r;
}

void keyring_free(struct keyring **ring)
{
    struct keyring *r = *ring;

    if (!r)
        return;
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        struct shard *s = &r->shards[i];
        struct str id;
        size_t at = 0;
        void *e;

        while (map_next(s->entries, &at, &id, &e))
            free(e);
        map_free(&s->entries);
        pthread_mutex_destroy(&s->lock);
    }
    credentials_free(&r->credentials);
    sodium_memzero(&r->master, sizeof(r->master));
    sodium_memzero(r->tag_key, sizeof(r->tag_key));
    free(r);
    *ring = NULL;
}

static bool is_id_len(size_t len)
{
    return len == KEY_ID_LEN || len == ENROLL_KEY_ID_LEN;
}

static struct str entry_id(const struct entry *e)
{
    return str_make(e->id, e->id_len);
}

/* The end of an id is random. */
static struct shard *shard_of(struct keyring *r, struct str id)
{
    const uint8_t *last = (const uint8_t *)id.p + id.len - 2;

    return &r->shards[(last[0] * 31u + last[1]) % SHARD_COUNT];
}

void keyring_put(struct keyring *r, const struct key *k, struct str tenant_name)
{
    int64_t agent;
    uint32_t nonce;

    if (!is_id_len(k->id.len) || tenant_name.len > TENANT_NAME_MAX)
        return;
    if (enroll_credential_split(k->id, &agent, &nonce)) {
        credentials_put(r->credentials, agent, nonce, k->hash, k->tenant, tenant_name);
        return;
    }

    struct entry *e = heap_new_type(struct entry);
    struct shard *s = shard_of(r, k->id);

    memcpy(e->id, k->id.p, k->id.len);
    e->id_len = k->id.len;
    memcpy(e->hash, k->hash, KEY_HASH_LEN);
    e->tenant = k->tenant;
    e->role = k->role;
    e->scopes = key_effective_scopes(k, tenant_name);
    e->expires_us = k->expires_us;
    e->name_len = tenant_name.len;
    memcpy(e->name, tenant_name.p, tenant_name.len);

    pthread_mutex_lock(&s->lock);
    free(map_put(s->entries, entry_id(e), e));
    pthread_mutex_unlock(&s->lock);
}

void keyring_remove(struct keyring *r, struct str id)
{
    int64_t agent;
    uint32_t nonce;

    if (!is_id_len(id.len))
        return;
    if (enroll_credential_split(id, &agent, &nonce)) {
        credentials_remove(r->credentials, agent, nonce);
        return;
    }

    struct shard *s = shard_of(r, id);

    pthread_mutex_lock(&s->lock);
    free(map_remove(s->entries, id));
    pthread_mutex_unlock(&s->lock);
}

/* One at a time, since a map may not change while it is walked; tenants go rarely. */
static bool remove_one(struct shard *s, uint64_t tenant)
{
    struct str id;
    size_t at = 0;
    void *value;

    while (map_next(s->entries, &at, &id, &value)) {
        struct entry *e = value;

        if (e->tenant == tenant) {
            IGNORE(map_remove(s->entries, entry_id(e)));
            free(e);
            return true;
        }
    }
    return false;
}

void keyring_remove_tenant(struct keyring *r, uint64_t tenant)
{
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        struct shard *s = &r->shards[i];

        pthread_mutex_lock(&s->lock);
        while (remove_one(s, tenant))
            continue;
        pthread_mutex_unlock(&s->lock);
    }
    credentials_remove_tenant(r->credentials, tenant);
}

void keyring_remove_agent(struct keyring *r, int64_t agent)
{
    credentials_remove_agent(r->credentials, agent);
}

size_t keyring_agent_bytes(struct keyring *r)
{
    return credentials_bytes(r->credentials);
}

struct change {
    struct keyring *ring;
    struct key key;
    struct str tenant_name;
    int64_t agent;
};

static void change_put(void *arg)
{
    struct change *c = arg;

    keyring_put(c->ring, &c->key, c->tenant_name);
}

static void change_remove(void *arg)
{
    struct change *c = arg;

    keyring_remove(c->ring, c->key.id);
}

static void change_remove_agent(void *arg)
{
    struct change *c = arg;

    keyring_remove_agent(c->ring, c->agent);
}

static void follow(struct store_tx *tx, void (*fn)(void *arg), const struct change *change)
{
    if (!change->ring)
        return;

    struct change *c = arena_new_type(store_tx_arena(tx), struct change);

    *c = *change;
    store_on_commit(tx, fn, c);
}

void keyring_follow_put(struct keyring *r, struct store_tx *tx, const struct key *k,
                        struct str tenant_name)
{
    follow(tx, change_put, &(struct change){.ring = r, .key = *k, .tenant_name = tenant_name});
}

void keyring_follow_remove(struct keyring *r, struct store_tx *tx, struct str id)
{
    follow(tx, change_remove, &(struct change){.ring = r, .key.id = id});
}

void keyring_follow_remove_agent(struct keyring *r, struct store_tx *tx, int64_t agent)
{
    follow(tx, change_remove_agent, &(struct change){.ring = r, .agent = agent});
}

static bool load_one(void *arg, const struct key *k, struct str tenant_name)
{
    keyring_put(arg, k, tenant_name);
    return true;
}

int keyring_load(struct keyring *r, struct store *s, struct fail *f)
{
    struct arena *a = arena_new(1024);
    struct store_tx *tx;
    int result = store_read_open(s, a, &tx, f);

    if (result == 0) {
        result = store_key_each(tx, load_one, r, f);
        store_read_close(&tx);
    }
    arena_free(&a);
    return result;
}

size_t keyring_count(struct keyring *r)
{
    size_t n = credentials_count(r->credentials);

    for (size_t i = 0; i < SHARD_COUNT; i++) {
        pthread_mutex_lock(&r->shards[i].lock);
        n += map_count(r->shards[i].entries);
        pthread_mutex_unlock(&r->shards[i].lock);
    }
    return n;
}

/* A copy, so that hashing needs no lock. Zeroes for an unknown id: they match no hash in practice,
 * and the found flag decides anyway. */
static bool find(struct keyring *r, struct str id, struct entry *out)
{
    struct shard *s = shard_of(r, id);

    pthread_mutex_lock(&s->lock);

    const struct entry *e = map_get(s->entries, id);

    if (e)
        *out = *e;
    pthread_mutex_unlock(&s->lock);
    return e != NULL;
}

static bool is_expired(const struct entry *e, int64_t now_us)
{
    return e->expires_us && now_us >= e->expires_us;
}

bool keyring_is_live(struct keyring *r, struct str id)
{
    struct agent_credential known;
    struct entry e;
    int64_t agent;
    uint32_t nonce;

    if (enroll_credential_split(id, &agent, &nonce))
        return credentials_find(r->credentials, agent, nonce, &known);
    return is_id_len(id.len) && find(r, id, &e) && !is_expired(&e, clock_wall_us(r->clock));
}

static void mark_used(struct keyring *r, struct str id, int64_t now_us)
{
    struct shard *s = shard_of(r, id);

    pthread_mutex_lock(&s->lock);

    struct entry *e = map_get(s->entries, id);

    if (e && e->used_us < now_us)
        e->used_us = now_us;
    pthread_mutex_unlock(&s->lock);
}

static struct tag tag_of(const struct keyring *r, struct str secret)
{
    struct tag t;
    int rc = crypto_shorthash_siphashx24((unsigned char *)&t, (const unsigned char *)secret.p,
                                         secret.len, r->tag_key);

    assert(rc == 0);
    return t;
}

/* Takes the same time whatever the words are. */
static bool tag_matches(const struct entry *e, const struct tag *t)
{
    uint64_t differ = (e->tag.word[0] ^ t->word[0]) | (e->tag.word[1] ^ t->word[1]);

    return e->has_tag && differ == 0;
}

/* The entry may have been replaced meanwhile: the tag belongs to the hash it was made for. */
static void keep_tag(struct keyring *r, const struct entry *seen, const struct tag *t)
{
    struct str id = entry_id(seen);
    struct shard *s = shard_of(r, id);

    pthread_mutex_lock(&s->lock);

    struct entry *e = map_get(s->entries, id);

    if (e && memcmp(e->hash, seen->hash, sizeof(e->hash)) == 0) {
        e->tag = *t;
        e->has_tag = true;
    }
    pthread_mutex_unlock(&s->lock);
}

/* A wrong secret and an unknown id take the same path. */
static bool secret_is_right(struct keyring *r, struct str id, struct str secret, bool found,
                            const struct entry *e)
{
    struct tag t = tag_of(r, secret);
    uint8_t hash[KEY_HASH_LEN];

    if (tag_matches(e, &t))
        return found;
    key_hash(&r->master, id, secret, hash);
    if (sodium_memcmp(hash, e->hash, sizeof(hash)) != 0 || !found)
        return false;
    keep_tag(r, e, &t);
    return true;
}

/* Hashed each time: the tag that would save it weighs too much for a million. */
static bool resolve_credential(struct keyring *r, struct arena *a, struct str id, struct str secret,
                               int64_t agent, uint32_t nonce, struct caller *out)
{
    struct agent_credential known = {.owner = NULL};
    uint8_t hash[KEY_HASH_LEN];

    if (secret.len != CREDENTIAL_KEY_LEN)
        return false;

    bool found = credentials_find(r->credentials, agent, nonce, &known);

    key_hash(&r->master, id, secret, hash);
    if (sodium_memcmp(hash, known.hash, sizeof(hash)) != 0 || !found)
        return false;
    *out = (struct caller){
        .tenant = known.owner->tenant,
        .tenant_name = arena_str(a, known.owner->name),
        .key_id = arena_str(a, id),
        .role = ROLE_AGENT,
        .scopes = SCOPE_BEAT,
    };
    return true;
}

static bool resolve_entry(struct keyring *r, struct arena *a, struct str id, struct str secret,
                          struct caller *out)
{
    struct entry e = {0};
    bool found = find(r, id, &e);
    bool right = secret_is_right(r, id, secret, found, &e);
    int64_t now_us = clock_wall_us(r->clock);

    if (!right || is_expired(&e, now_us))
        return false;
    if (now_us - e.used_us >= USED_STEP_US)
        mark_used(r, id, now_us);
    *out = (struct caller){
        .tenant = e.tenant,
        .tenant_name = arena_str(a, str_make(e.name, e.name_len)),
        .key_id = arena_str(a, id),
        .role = e.role,
        .scopes = e.scopes,
    };
    return true;
}

bool keyring_resolve(struct keyring *r, struct arena *a, struct str id, struct str secret,
                     struct caller *out)
{
    int64_t agent;
    uint32_t nonce;

    if (enroll_credential_split(id, &agent, &nonce))
        return resolve_credential(r, a, id, secret, agent, nonce, out);
    return id.len == KEY_ID_LEN && secret.len == KEY_SECRET_LEN &&
           resolve_entry(r, a, id, secret, out);
}

bool keyring_resolve_token(struct keyring *r, struct arena *a, struct str token, struct caller *out)
{
    struct str bare, id, secret;

    if (key_parse_token(token, &id, &secret))
        return keyring_resolve(r, a, id, secret, out);
    return enroll_token_bare(a, token, &bare) && enroll_token_split(bare, &id, &secret) &&
           resolve_entry(r, a, id, secret, out);
}

bool keyring_resolve_basic(struct keyring *r, struct arena *a, struct str user, struct str password,
                           struct caller *out)
{
    if (password.len == KEY_TOKEN_LEN)
        return keyring_resolve_token(r, a, password, out);
    return keyring_resolve(r, a, user, password, out);
}

struct mark {
    uint64_t tenant;
    struct str id;
    int64_t used_us;
};

struct marks {
    struct mark *at;
    size_t count;
};

static int by_key(const void *a, const void *b)
{
    const struct mark *x = a;
    const struct mark *y = b;

    if (x->tenant != y->tenant)
        return x->tenant < y->tenant ? -1 : 1;
    return str_cmp(x->id, y->id);
}

/* Takes the marks off the entries. */
static void collect(struct shard *s, struct arena *a, struct mark *marks, size_t *count)
{
    struct str id;
    size_t at = 0;
    void *value;

    while (map_next(s->entries, &at, &id, &value)) {
        struct entry *e = value;

        if (!e->used_us)
            continue;
        marks[(*count)++] = (struct mark){e->tenant, arena_str(a, id), e->used_us};
        e->used_us = 0;
    }
}

static int write_marks(struct store_tx *tx, void *arg, struct fail *f)
{
    const struct marks *m = arg;

    for (size_t i = 0; i < m->count; i++) {
        const struct mark *k = &m->at[i];

        if (store_key_set_used(tx, k->tenant, k->id, k->used_us, f) < 0)
            return -1;
    }
    return 0;
}

int keyring_flush(struct keyring *r, struct store *s, struct fail *f)
{
    struct arena *a = arena_new(4096);
    struct marks m = {0};
    int result = 0;

    for (size_t i = 0; i < SHARD_COUNT; i++) {
        struct shard *one = &r->shards[i];

        pthread_mutex_lock(&one->lock);

        struct mark *more = arena_new_array(a, struct mark, m.count + map_count(one->entries) + 1);

        if (m.count > 0)
            memcpy(more, m.at, m.count * sizeof(*more));
        m.at = more;
        collect(one, a, m.at, &m.count);
        pthread_mutex_unlock(&one->lock);
    }
    if (m.count > 0) {
        qsort(m.at, m.count, sizeof(*m.at), by_key);
        result = store_write(s, a, write_marks, &m, f);
    }
    for (size_t i = 0; result < 0 && i < m.count; i++)
        mark_used(r, m.at[i].id, m.at[i].used_us);
    arena_free(&a);
    return result;
}
