/* SPDX-License-Identifier: Apache-2.0 */
/* Entries live in shards: a map by name and a list by last use, oldest first. An entry with
 * requests in flight is never evicted. Which policy applies is read without a lock. */
#include "rpc/limit.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/map.h"
#include "base/slot.h"

#define SHARDS       64
#define MAX_DIALECTS 16
#define MAX_SLOTS    ((size_t)MAX_DIALECTS * LIMIT_CLASSES)
#define SLICES       61  /* 60 make a window's period; one more so that none leaves too early */
#define SUBJECT_MAX  128 /* longest id of a key */
#define EVICT_TRIES  8
#define MAX_PERIOD   (24u * 3600 * 1000)
#define MAX_AMOUNT   1000000000u

enum subject {
    SUBJECT_KEY,
    SUBJECT_TENANT
};

struct entry {
    struct entry *older;
    struct entry *newer;
    struct str name; /* in the same allocation */
    unsigned shard;
    uint32_t in_flight;

    /* LIMIT_BUCKET: what is left, in millionths of a request, as of then. */
    int64_t level;
    int64_t level_us;
    bool started;

    /* LIMIT_WINDOW: requests by slice of the period. */
    int64_t slice; /* number of the newest slice since the clock's start */
    uint32_t counts[SLICES];
};

struct shard {
    pthread_mutex_t lock; /* guards the shard and its entries */
    struct map *by_name;
    struct entry *oldest;
    struct entry *newest;
    size_t count;
};

/* Policies that were replaced stay: a loop may be reading one. Reloads are rare. */
struct kept_policy {
    struct limit_policy policy;
    struct kept_policy *next;
};

struct limits {
    const struct clock *clock;
    size_t shard_max;
    struct shard shards[SHARDS];
    struct slot policies[MAX_SLOTS]; /* struct limit_policy */

    pthread_mutex_t lock; /* guards what follows */
    struct kept_policy *kept;
    const char *dialects[MAX_DIALECTS];
    size_t dialect_count;
};

struct limits *limits_new(const struct clock *clock, size_t max_entries)
{
    struct limits *l = heap_new_type(struct limits);

    l->clock = clock;
    l->shard_max = max_entries / SHARDS + 1;
    pthread_mutex_init(&l->lock, NULL);
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&l->shards[i].lock, NULL);
        l->shards[i].by_name = map_new();
    }
    return l;
}

void limits_free(struct limits **l)
{
    if (*l) {
        for (size_t i = 0; i < SHARDS; i++) {
            struct shard *s = &(*l)->shards[i];

            while (s->oldest) {
                struct entry *e = s->oldest;

                s->oldest = e->newer;
                free(e);
            }
            map_free(&s->by_name);
            pthread_mutex_destroy(&s->lock);
        }
        while ((*l)->kept) {
            struct kept_policy *k = (*l)->kept;

            (*l)->kept = k->next;
            free(k);
        }
        pthread_mutex_destroy(&(*l)->lock);
        free(*l);
    }
    *l = NULL;
}

int limits_slot(struct limits *l, const char *dialect, unsigned class, size_t *out, struct fail *f)
{
    size_t i = 0;

    if (class >= LIMIT_CLASSES)
        return fail_set(f, CODE_INVALID_ARGUMENT, "dialect %s: limit class %u is above %d", dialect,
                        class, LIMIT_CLASSES - 1);
    pthread_mutex_lock(&l->lock);
    while (i < l->dialect_count && strcmp(l->dialects[i], dialect) != 0)
        i++;
    if (i == l->dialect_count && i < MAX_DIALECTS)
        l->dialects[l->dialect_count++] = dialect;
    pthread_mutex_unlock(&l->lock);
    if (i == MAX_DIALECTS)
        return fail_set(f, CODE_INVALID_ARGUMENT, "more than %d dialects have limits",
                        MAX_DIALECTS);
    *out = i * LIMIT_CLASSES + class;
    return 0;
}

static int rule_check(const struct limit_rule *r, struct fail *f)
{
    if (r->shape == LIMIT_NONE)
        return 0;
    if (r->amount == 0 || r->amount > MAX_AMOUNT || r->burst > MAX_AMOUNT)
        return fail_set(f, CODE_INVALID_ARGUMENT, "a rate must be from 1 to %u", MAX_AMOUNT);
    if (r->period_ms == 0 || r->period_ms > MAX_PERIOD)
        return fail_set(f, CODE_INVALID_ARGUMENT, "a rate's period must be from 1 ms to 24 h");
    return 0;
}

int limits_set(struct limits *l, size_t slot, const struct limit_policy *p, struct fail *f)
{
    assert(slot < MAX_SLOTS);
    if (!p) {
        slot_set(&l->policies[slot], NULL);
        return 0;
    }
    if (rule_check(&p->key, f) < 0 || rule_check(&p->tenant, f) < 0)
        return -1;

    struct kept_policy *k = heap_new_type(struct kept_policy);

    k->policy = *p;
    pthread_mutex_lock(&l->lock);
    k->next = l->kept;
    l->kept = k;
    pthread_mutex_unlock(&l->lock);
    slot_set(&l->policies[slot], &k->policy);
    return 0;
}

/* --- entries; the shard is locked --- */

static void entry_unlink(struct shard *s, struct entry *e)
{
    *(e->older ? &e->older->newer : &s->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &s->newest) = e->older;
}

static void entry_append(struct shard *s, struct entry *e)
{
    e->older = s->newest;
    e->newer = NULL;
    *(s->newest ? &s->newest->newer : &s->oldest) = e;
    s->newest = e;
}

/* Drops the entry that was idle longest. False when the oldest few are all busy. */
static bool shard_evict(struct shard *s)
{
    struct entry *e = s->oldest;

    for (int i = 0; e && i < EVICT_TRIES; i++, e = e->newer) {
        if (e->in_flight > 0)
            continue;
        IGNORE(map_remove(s->by_name, e->name));
        entry_unlink(s, e);
        free(e);
        s->count--;
        return true;
    }
    return false;
}

static struct entry *entry_get(struct limits *l, unsigned shard, struct str name)
{
    struct shard *s = &l->shards[shard];
    struct entry *e = map_get(s->by_name, name);

    if (e) {
        if (s->newest != e) {
            entry_unlink(s, e);
            entry_append(s, e);
        }
        return e;
    }
    if (s->count >= l->shard_max && !shard_evict(s))
        return NULL;
    e = heap_calloc(1, sizeof(*e) + name.len);
    memcpy(e + 1, name.p, name.len);
    e->name = str_make(e + 1, name.len);
    e->shard = shard;
    IGNORE(map_put(s->by_name, e->name, e));
    entry_append(s, e);
    s->count++;
    return e;
}

/* Any even spread will do: entries belong to keys that we issued. */
static unsigned shard_of(struct str name)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (unsigned char)name.p[i]) * 1099511628211u;
    return (unsigned)((h ^ (h >> 32)) % SHARDS);
}

/* --- rules; the shard is locked --- */

struct verdict {
    uint32_t limit;
    uint32_t remaining;
    int64_t reset_us;
    int64_t wait_us; /* 0: there is room */
};

#define MICRO 1000000

static void bucket_look(struct entry *e, const struct limit_rule *r, int64_t now, struct verdict *v)
{
    uint32_t burst = r->burst ? r->burst : r->amount;
    int64_t full = (int64_t)burst * MICRO;
    int64_t period_us = (int64_t)r->period_ms * 1000;

    if (!e->started) {
        e->started = true;
        e->level = full;
    } else {
        /* Longer than it takes to fill up is as good as full; keeps the product in 64 bits. */
        int64_t passed = now - e->level_us;
        double gained = (double)passed * (double)r->amount / (double)period_us * MICRO;

        e->level = gained >= (double)(full - e->level) ? full : e->level + (int64_t)gained;
    }
    e->level_us = now;

    double us_per_one = (double)period_us / (double)r->amount;

    v->limit = burst;
    v->remaining = (uint32_t)(e->level / MICRO);
    v->reset_us = (int64_t)((double)(full - e->level) / MICRO * us_per_one);
    v->wait_us =
        e->level >= MICRO ? 0 : (int64_t)((double)(MICRO - e->level) / MICRO * us_per_one) + 1;
}

static void window_look(struct entry *e, const struct limit_rule *r, int64_t now, struct verdict *v)
{
    int64_t width = MAX((int64_t)r->period_ms * 1000 / (SLICES - 1), 1);
    int64_t slice = now / width;
    uint64_t used = 0;

    /* A slice in the future was counted under a policy with another period. */
    if (!e->started || slice - e->slice >= SLICES || e->slice > slice) {
        memset(e->counts, 0, sizeof(e->counts));
        e->started = true;
        e->slice = slice;
    }
    for (; e->slice < slice; e->slice++)
        e->counts[(e->slice + 1) % SLICES] = 0;
    for (size_t i = 0; i < SLICES; i++)
        used += e->counts[i];
    v->limit = r->amount;
    v->remaining = used >= r->amount ? 0 : (uint32_t)(r->amount - used);
    v->reset_us = 0;
    v->wait_us = 0;

    /* Slices leave the window oldest first. */
    uint64_t left = used;

    for (int64_t n = e->slice - SLICES + 1; n <= e->slice; n++) {
        uint32_t here = e->counts[(n % SLICES + SLICES) % SLICES];

        if (here == 0)
            continue;
        left -= here;
        v->reset_us = (n + SLICES) * width - now;
        if (v->wait_us == 0 && used >= r->amount && left < r->amount)
            v->wait_us = v->reset_us;
    }
}

static void rule_look(struct entry *e, const struct limit_rule *r, int64_t now, struct verdict *v)
{
    *v = (struct verdict){0};
    switch (r->shape) {
    case LIMIT_NONE: break;
    case LIMIT_BUCKET: bucket_look(e, r, now, v); break;
    case LIMIT_WINDOW: window_look(e, r, now, v); break;
    }
}

static void rule_count(struct entry *e, const struct limit_rule *r)
{
    switch (r->shape) {
    case LIMIT_NONE: break;
    case LIMIT_BUCKET: e->level -= MICRO; break;
    case LIMIT_WINDOW: e->counts[e->slice % SLICES]++; break;
    }
}

/* Keeps the rule of which least is left. */
static void state_tighten(struct limit_state *s, const struct verdict *v)
{
    if (v->limit == 0 || (s->limit != 0 && s->remaining <= v->remaining))
        return;
    s->limit = v->limit;
    s->remaining = v->remaining;
    s->reset_ms = (uint32_t)((v->reset_us + 999) / 1000);
}

static int refuse_rate(const struct verdict *v, enum subject subject, struct fail *f)
{
    IGNORE(fail_reason(f, CODE_RESOURCE_EXHAUSTED, "rate_limit",
                       "too many requests of this %s: the limit is %u",
                       subject == SUBJECT_KEY ? "key" : "tenant", v->limit));
    f->retry_after_ms = (uint32_t)MIN((v->wait_us + 999) / 1000, (int64_t)MAX_PERIOD);
    return -1;
}

static int refuse_concurrent(uint32_t limit, enum subject subject, struct fail *f)
{
    IGNORE(fail_reason(f, CODE_RESOURCE_EXHAUSTED, "concurrency_limit",
                       "too many requests of this %s at a time: the limit is %u",
                       subject == SUBJECT_KEY ? "key" : "tenant", limit));
    f->retry_after_ms = 1000;
    return -1;
}

static int subject_take(struct limits *l, struct str name, enum subject subject,
                        const struct limit_rule *rule, uint32_t concurrent, struct entry **held,
                        struct limit_state *state, struct fail *f)
{
    unsigned shard = shard_of(name);
    struct shard *s = &l->shards[shard];
    int64_t now = clock_mono_us(l->clock);
    struct verdict v;
    int rc = 0;

    pthread_mutex_lock(&s->lock);

    struct entry *e = entry_get(l, shard, name);

    if (!e) {
        rc = refuse_concurrent((uint32_t)l->shard_max, subject, f);
        goto out;
    }
    rule_look(e, rule, now, &v);
    if (v.wait_us > 0) {
        state_tighten(state, &v);
        rc = refuse_rate(&v, subject, f);
    } else if (concurrent > 0 && e->in_flight >= concurrent) {
        state_tighten(state, &v);
        rc = refuse_concurrent(concurrent, subject, f);
    } else {
        rule_count(e, rule);
        if (state->headers) { /* what is left after this one */
            rule_look(e, rule, now, &v);
            state_tighten(state, &v);
        }
        if (concurrent > 0) {
            e->in_flight++;
            *held = e;
        }
    }
out:
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static struct str subject_name(char *out, size_t slot, enum subject subject, uint64_t tenant,
                               struct str key)
{
    size_t n = 0;

    assert(key.len <= SUBJECT_MAX);
    out[n++] = (char)slot;
    out[n++] = (char)subject;
    memcpy(out + n, &tenant, sizeof(tenant));
    n += sizeof(tenant);
    if (key.len > 0)
        memcpy(out + n, key.p, key.len);
    return str_make(out, n + key.len);
}

int limits_take(struct limits *l, size_t slot, uint64_t tenant, struct str key,
                struct limit_lease *lease, struct limit_state *state, struct fail *f)
{
    assert(slot < MAX_SLOTS);

    const struct limit_policy *p = slot_get(&l->policies[slot]);
    char name[2 + sizeof(tenant) + SUBJECT_MAX];
    struct limit_lease made = {NULL, NULL};

    *state = (struct limit_state){0};
    if (!p)
        return 0;
    state->headers = p->headers;
    if (key.len > 0 && (p->key.shape != LIMIT_NONE || p->key_concurrent > 0)) {
        struct entry *held = NULL;
        struct str who = subject_name(name, slot, SUBJECT_KEY, tenant, str_first(key, SUBJECT_MAX));

        /* Counted even when the tenant's rule refuses below: knocking costs. */
        if (subject_take(l, who, SUBJECT_KEY, &p->key, p->key_concurrent, &held, state, f) < 0)
            return -1;
        made.key = held;
    }
    if (p->tenant.shape != LIMIT_NONE || p->tenant_concurrent > 0) {
        struct entry *held = NULL;
        struct str who = subject_name(name, slot, SUBJECT_TENANT, tenant, (struct str){NULL, 0});

        if (subject_take(l, who, SUBJECT_TENANT, &p->tenant, p->tenant_concurrent, &held, state,
                         f) < 0) {
            limits_release(l, &made);
            return -1;
        }
        made.tenant = held;
    }
    *lease = made;
    return 0;
}

static void entry_release(struct limits *l, struct entry *e)
{
    if (!e)
        return;

    struct shard *s = &l->shards[e->shard];

    pthread_mutex_lock(&s->lock);
    assert(e->in_flight > 0);
    e->in_flight--;
    pthread_mutex_unlock(&s->lock);
}

void limits_release(struct limits *l, struct limit_lease *lease)
{
    entry_release(l, lease->key);
    entry_release(l, lease->tenant);
    *lease = (struct limit_lease){NULL, NULL};
}

size_t limits_count(struct limits *l)
{
    size_t total = 0;

    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&l->shards[i].lock);
        total += l->shards[i].count;
        pthread_mutex_unlock(&l->shards[i].lock);
    }
    return total;
}
