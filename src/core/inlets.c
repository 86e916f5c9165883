/* SPDX-License-Identifier: Apache-2.0 */
/* See inlets.h. The map from codes is split by code, so that loops that look for different doors do
 * not wait for each other; the map from sources is for those who change and list them. Locks are
 * taken in the order sources, shard, tally or owner. */
#include "core/inlets.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/map.h"

#define SHARDS 16

/* What several inlets have together. */
struct shared {
    pthread_mutex_t lock; /* guards refs, and what else the structure says */
    size_t refs;
};

/* What came through the door of one source, whatever its settings were at the time. */
struct tally {
    struct shared shared; /* guards all */
    struct inlet_stats stats;
};

/* A collector, as far as its sources need it. */
struct owner {
    struct shared shared; /* guards metadata */
    char *metadata;       /* heap */
    struct owner_key {
        uint64_t tenant;
        int64_t collector;
    } key;
    struct owner *next_gone; /* of whoever removes several */
};

struct shard {
    pthread_mutex_t lock; /* guards all, and the refs of what is or was in it */
    struct map *by_code;
};

struct inlets {
    pthread_mutex_t lock; /* guards both maps */
    struct map *by_source;
    struct map *by_collector;
    struct shard shards[SHARDS];
};

struct inlet_ref {
    struct arena *arena; /* of all that follows, and of itself */
    struct inlet inlet;
    struct rules *rules; /* NULL: broken */
    struct boundary boundary;
    struct tally *tally;
    struct owner *owner;
    struct shard *shard;
    size_t refs;
    struct inlet_ref *next_gone; /* of whoever removes several */
};

/* --- tallies and owners --- */

static void shared_init(struct shared *s)
{
    pthread_mutex_init(&s->lock, NULL);
    s->refs = 1;
}

static void shared_ref(struct shared *s)
{
    pthread_mutex_lock(&s->lock);
    s->refs++;
    pthread_mutex_unlock(&s->lock);
}

/* True: that was the last one, the rest is to be freed. */
static bool shared_unref(struct shared *s)
{
    pthread_mutex_lock(&s->lock);

    bool last = --s->refs == 0;

    pthread_mutex_unlock(&s->lock);
    if (last)
        pthread_mutex_destroy(&s->lock);
    return last;
}

static struct tally *tally_new(void)
{
    struct tally *t = heap_new_type(struct tally);

    shared_init(&t->shared);
    return t;
}

static void owner_unref(struct owner *o)
{
    if (!shared_unref(&o->shared))
        return;
    free(o->metadata);
    free(o);
}

static struct str owner_key(const struct owner *o)
{
    return str_make(&o->key, sizeof(o->key));
}

/* The map's own; i->lock is held. */
static struct owner *owner_of(struct inlets *i, uint64_t tenant, int64_t collector)
{
    const struct owner_key key = {tenant, collector};
    struct owner *o = map_get(i->by_collector, str_make(&key, sizeof(key)));

    if (o)
        return o;
    o = heap_new_type(struct owner);
    shared_init(&o->shared);
    o->metadata = heap_cstr(STR(""));
    o->key = key;
    map_put(i->by_collector, owner_key(o), o);
    return o;
}

/* --- references --- */

static void ref_free(struct inlet_ref *r)
{
    struct arena *a = r->arena;

    if (shared_unref(&r->tally->shared))
        free(r->tally);
    owner_unref(r->owner);
    arena_free(&a);
}

void inlet_unref(struct inlet_ref **ref)
{
    struct inlet_ref *r = *ref;

    if (!r)
        return;
    *ref = NULL;
    pthread_mutex_lock(&r->shard->lock);

    bool last = --r->refs == 0;

    pthread_mutex_unlock(&r->shard->lock);
    if (last)
        ref_free(r);
}

static struct rule_spec *copy_rules(struct arena *a, const struct inlet *in)
{
    struct rule_spec *out = arena_new_array(a, struct rule_spec, in->rule_count);

    for (size_t i = 0; i < in->rule_count; i++)
        out[i] = (struct rule_spec){
            .kind = in->rules[i].kind,
            .name = arena_str(a, in->rules[i].name),
            .pattern = arena_str(a, in->rules[i].pattern),
            .mask = arena_str(a, in->rules[i].mask),
        };
    return out;
}

static struct inlet_ref *ref_new(const struct inlet *in)
{
    struct arena *a = arena_new(1024);
    struct inlet_ref *r = arena_new_type(a, struct inlet_ref);
    struct fail f;

    r->arena = a;
    r->inlet = *in;
    r->inlet.code = arena_str(a, in->code);
    r->inlet.metadata = arena_str(a, in->metadata);
    r->inlet.prefix = arena_str(a, in->prefix);
    r->inlet.rules = copy_rules(a, in);
    r->refs = 1;
    if (rules_compile(a, r->inlet.rules, in->rule_count, in->hash, &r->rules, &f) < 0)
        r->rules = NULL;
    if (boundary_compile(a, in->boundary, in->prefix, &r->boundary, &f) < 0)
        r->boundary = (struct boundary){.kind = BOUNDARY_LINE};
    return r;
}

/* --- maps --- */

struct source_key {
    uint64_t tenant;
    int64_t source;
};

static struct str key_bytes(const struct source_key *k)
{
    return str_make(k, sizeof(*k));
}

/* Codes are chosen by us and have no pattern; asking for others fills no shard. */
static struct shard *shard_of(struct inlets *i, struct str code)
{
    unsigned sum = 0;

    for (size_t n = 0; n < code.len; n++)
        sum = sum * 31 + (unsigned char)code.p[n];
    return &i->shards[sum % SHARDS];
}

struct inlets *inlets_new(void)
{
    struct inlets *i = heap_new_type(struct inlets);

    pthread_mutex_init(&i->lock, NULL);
    i->by_source = map_new();
    i->by_collector = map_new();
    for (size_t n = 0; n < SHARDS; n++) {
        pthread_mutex_init(&i->shards[n].lock, NULL);
        i->shards[n].by_code = map_new();
    }
    return i;
}

void inlets_free(struct inlets **inlets)
{
    struct inlets *i = *inlets;
    struct str key;
    size_t at = 0;
    void *value;

    if (!i)
        return;
    while (map_next(i->by_source, &at, &key, &value)) {
        struct inlet_ref *r = value;

        assert(r->refs == 1);
        ref_free(r);
    }
    map_free(&i->by_source);
    at = 0;
    while (map_next(i->by_collector, &at, &key, &value))
        owner_unref(value);
    map_free(&i->by_collector);
    for (size_t n = 0; n < SHARDS; n++) {
        map_free(&i->shards[n].by_code);
        pthread_mutex_destroy(&i->shards[n].lock);
    }
    pthread_mutex_destroy(&i->lock);
    free(i);
    *inlets = NULL;
}

/* Takes it out of its shard, if it is still what its code leads to. i->lock is held. */
static void hide_code(struct inlet_ref *r)
{
    pthread_mutex_lock(&r->shard->lock);
    if (map_get(r->shard->by_code, r->inlet.code) == r)
        map_remove(r->shard->by_code, r->inlet.code);
    pthread_mutex_unlock(&r->shard->lock);
}

void inlets_put(struct inlets *i, const struct inlet *in)
{
    const struct source_key key = {in->tenant, in->source};
    struct inlet_ref *r = ref_new(in);

    r->shard = shard_of(i, in->code);
    pthread_mutex_lock(&i->lock);

    struct inlet_ref *before = map_put(i->by_source, key_bytes(&key), r);

    r->tally = before ? before->tally : tally_new();
    if (before)
        shared_ref(&r->tally->shared);
    r->owner = owner_of(i, in->tenant, in->collector);
    shared_ref(&r->owner->shared);
    if (before)
        hide_code(before);
    pthread_mutex_lock(&r->shard->lock);
    map_put(r->shard->by_code, r->inlet.code, r);
    pthread_mutex_unlock(&r->shard->lock);
    pthread_mutex_unlock(&i->lock);
    inlet_unref(&before);
}

void inlets_remove(struct inlets *i, uint64_t tenant, int64_t source)
{
    const struct source_key key = {tenant, source};

    pthread_mutex_lock(&i->lock);

    struct inlet_ref *r = map_remove(i->by_source, key_bytes(&key));

    if (r)
        hide_code(r);
    pthread_mutex_unlock(&i->lock);
    inlet_unref(&r);
}

void inlets_put_collector(struct inlets *i, uint64_t tenant, int64_t collector, struct str metadata)
{
    char *copy = heap_cstr(metadata);

    pthread_mutex_lock(&i->lock);

    struct owner *o = owner_of(i, tenant, collector);

    pthread_mutex_lock(&o->shared.lock);
    free(o->metadata);
    o->metadata = copy;
    pthread_mutex_unlock(&o->shared.lock);
    pthread_mutex_unlock(&i->lock);
}

/* False: there was none, so no inlet either. i->lock is held. */
static bool remove_owner(struct inlets *i, uint64_t tenant, int64_t collector)
{
    const struct owner_key key = {tenant, collector};
    struct owner *o = map_remove(i->by_collector, str_make(&key, sizeof(key)));

    if (!o)
        return false;
    owner_unref(o);
    return true;
}

/* i->lock is held. */
static void remove_owners(struct inlets *i, uint64_t tenant)
{
    struct owner *gone = NULL;
    struct str key;
    size_t at = 0;
    void *value;

    while (map_next(i->by_collector, &at, &key, &value)) {
        struct owner *o = value;

        if (o->key.tenant != tenant)
            continue;
        o->next_gone = gone;
        gone = o;
    }
    while (gone) {
        struct owner *o = gone;

        gone = o->next_gone;
        remove_owner(i, tenant, o->key.collector);
    }
}

/* collector 0: all. i->lock is held. Returns them, linked; they are in no map any more. */
static struct inlet_ref *remove_refs(struct inlets *i, uint64_t tenant, int64_t collector)
{
    struct inlet_ref *gone = NULL;
    struct str key;
    size_t at = 0;
    void *value;

    while (map_next(i->by_source, &at, &key, &value)) {
        struct inlet_ref *r = value;

        if (r->inlet.tenant != tenant || (collector != 0 && r->inlet.collector != collector))
            continue;
        r->next_gone = gone;
        gone = r;
    }
    for (struct inlet_ref *r = gone; r; r = r->next_gone) {
        const struct source_key k = {r->inlet.tenant, r->inlet.source};

        map_remove(i->by_source, key_bytes(&k));
        hide_code(r);
    }
    return gone;
}

static void unref_all(struct inlet_ref *gone)
{
    while (gone) {
        struct inlet_ref *r = gone;

        gone = r->next_gone;
        inlet_unref(&r);
    }
}

void inlets_remove_collector(struct inlets *i, uint64_t tenant, int64_t collector)
{
    struct inlet_ref *gone = NULL;

    pthread_mutex_lock(&i->lock);
    if (remove_owner(i, tenant, collector)) /* few have one, and many may go at once */
        gone = remove_refs(i, tenant, collector);
    pthread_mutex_unlock(&i->lock);
    unref_all(gone);
}

void inlets_remove_tenant(struct inlets *i, uint64_t tenant)
{
    struct inlet_ref *gone;

    pthread_mutex_lock(&i->lock);
    remove_owners(i, tenant);
    gone = remove_refs(i, tenant, 0);
    pthread_mutex_unlock(&i->lock);
    unref_all(gone);
}

struct inlet_ref *inlets_find(struct inlets *i, struct str code)
{
    struct shard *s = shard_of(i, code);

    pthread_mutex_lock(&s->lock);

    struct inlet_ref *r = map_get(s->by_code, code);

    if (r)
        r->refs++;
    pthread_mutex_unlock(&s->lock);
    return r;
}

/* --- what is in one --- */

const struct inlet *inlet_of(const struct inlet_ref *r)
{
    return &r->inlet;
}

const struct rules *inlet_rules(const struct inlet_ref *r)
{
    return r->rules;
}

const struct boundary *inlet_boundary(const struct inlet_ref *r)
{
    return &r->boundary;
}

struct str inlet_inherited(struct inlet_ref *r, struct arena *a)
{
    struct owner *o = r->owner;

    pthread_mutex_lock(&o->shared.lock);

    struct str copy = arena_str(a, str_of(o->metadata));

    pthread_mutex_unlock(&o->shared.lock);
    return copy;
}

void inlet_count(struct inlet_ref *r, uint64_t messages, uint64_t bytes, int64_t now_us)
{
    struct tally *t = r->tally;

    pthread_mutex_lock(&t->shared.lock);
    t->stats.requests++;
    t->stats.messages += messages;
    t->stats.bytes += bytes;
    t->stats.last_us = MAX(t->stats.last_us, now_us);
    pthread_mutex_unlock(&t->shared.lock);
}

void inlets_stats(struct inlets *i, uint64_t tenant, int64_t source, struct inlet_stats *out)
{
    const struct source_key key = {tenant, source};

    *out = (struct inlet_stats){0};
    pthread_mutex_lock(&i->lock);

    struct inlet_ref *r = map_get(i->by_source, key_bytes(&key));

    if (r) {
        pthread_mutex_lock(&r->tally->shared.lock);
        *out = r->tally->stats;
        pthread_mutex_unlock(&r->tally->shared.lock);
    }
    pthread_mutex_unlock(&i->lock);
}
