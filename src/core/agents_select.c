/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of agents by matchers. Candidates come from postings, read in bounded steps under the
 * index's lock; then each is looked at under its shard's lock. What the postings could not say, and
 * whatever changed since they were read (a record's stamp tells), is matched there. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "core/agents_internal.h"

#define VALUES_A_STEP 1024

/* Values of a key that are matched for each agent that has to be looked at anyway. */
#define VALUES_AN_AGENT 1

struct pick {
    struct agents *a;
    const struct matcher *matchers;
    size_t count;
    uint64_t change;      /* the postings are at least as new as this */
    struct slot_set *set; /* candidates; NULL: all agents */
    struct matcher *rest; /* what the candidates still have to be asked */
    size_t rest_count;
    bool nothing;
};

static bool is_id(const struct matcher *m)
{
    return str_eq(m->name, STR(AGENT_ID_KEY));
}

/* A pair with exactly this value answers the matcher, or its opposite. */
static bool names_a_value(const struct matcher *m, enum matcher_op op)
{
    return m->op == op && m->value.len > 0 && !is_id(m);
}

/* --- candidates; with `lock` where it says so --- */

/* With the lock. NULL: no agent has the pair. */
static const struct posting *posting_of(const struct agents *a, const struct matcher *m)
{
    uint32_t pair = attribute_find(&a->attributes, m->name, m->value);

    return pair == ATTRIBUTE_NONE ? NULL : &attribute_pair_at(&a->attributes, pair)->agents;
}

/* With the lock. */
static void narrow(struct pick *k, const struct posting *p)
{
    if (!p || p->count == 0)
        k->nothing = true;
    else if (k->set)
        slot_set_keep(k->set, p);
    else
        k->set = slot_set_of(p);
}

/* With the lock. */
static void exclude(struct pick *k, const struct posting *p)
{
    if (!p)
        return;
    if (!k->set)
        k->set = slot_set_of(&k->a->all);
    slot_set_drop(k->set, p);
}

/* The smallest posting of all first, so that what follows has little to do. */
static void pick_equal(struct pick *k)
{
    const struct posting *least = NULL;
    bool any = false;

    for (size_t i = 0; i < k->count; i++) {
        if (!names_a_value(&k->matchers[i], MATCH_EQUAL))
            continue;

        const struct posting *p = posting_of(k->a, &k->matchers[i]);

        if (!any || !p || (least && p->count < least->count))
            least = p;
        any = true;
        if (!p)
            break;
    }
    if (any)
        narrow(k, least);
    for (size_t i = 0; i < k->count && !k->nothing; i++) {
        if (names_a_value(&k->matchers[i], MATCH_EQUAL))
            narrow(k, posting_of(k->a, &k->matchers[i]));
    }
}

static void pick_unequal(struct pick *k)
{
    for (size_t i = 0; i < k->count && !k->nothing; i++) {
        if (names_a_value(&k->matchers[i], MATCH_NOT_EQUAL))
            exclude(k, posting_of(k->a, &k->matchers[i]));
    }
}

/* One step over the values of the matcher's key, from *place on: gathers the agents of values that
 * it holds for (or does not, as `wanted` says). False: that was the last step. */
static bool gather(struct agents *a, const struct matcher *m, bool wanted, uint32_t *place,
                   struct slot_set *out)
{
    const struct attribute_index *x = &a->attributes;
    bool more = false;

    pthread_rwlock_rdlock(&a->lock);

    uint32_t key = attribute_find_key(x, m->name);

    if (key != ATTRIBUTE_NONE) {
        const struct attribute_key *k = attribute_key_at(x, key);
        uint32_t end = MIN(k->places, *place + VALUES_A_STEP);

        for (; *place < end; ++*place) {
            const struct attribute_pair *p = attribute_at_place(x, k, *place);

            if (p && p->agents.count > 0 && matcher_holds(m, attribute_value(p)) == wanted)
                slot_set_add(out, &p->agents);
        }
        more = end < k->places;
    }
    pthread_rwlock_unlock(&a->lock);
    return more;
}

static size_t values_of(struct agents *a, const struct matcher *m)
{
    size_t values = 0;

    pthread_rwlock_rdlock(&a->lock);

    uint32_t key = attribute_find_key(&a->attributes, m->name);

    if (key != ATTRIBUTE_NONE)
        values = attribute_key_at(&a->attributes, key)->uses;
    pthread_rwlock_unlock(&a->lock);
    return values;
}

/* A matcher that has to be tried on values. A missing attribute is an empty value: where that
 * matches, everybody does but those with a value that does not. */
static void pick_by_values(struct pick *k, const struct matcher *m)
{
    bool missing_holds = matcher_holds(m, STR(""));
    struct slot_set *gathered = slot_set_new();
    uint32_t place = 0;

    while (gather(k->a, m, !missing_holds, &place, gathered))
        continue;
    if (missing_holds) {
        if (!k->set) {
            pthread_rwlock_rdlock(&k->a->lock);
            k->set = slot_set_of(&k->a->all);
            pthread_rwlock_unlock(&k->a->lock);
        }
        slot_set_drop_set(k->set, gathered);
    } else if (k->set) {
        slot_set_keep_set(k->set, gathered);
    } else {
        k->set = gathered;
        return;
    }
    slot_set_free(&gathered);
}

static void pick_by_id(struct pick *k, struct str id)
{
    struct shard *s;
    uint32_t record;
    struct record *r = agents_lock(k->a, id, &s, &record);
    struct posting one = {0};

    if (!r) {
        k->nothing = true;
        return;
    }
    pthread_mutex_unlock(&s->lock);
    posting_add(&one, slot_of((uint32_t)(s - k->a->shards), record));
    narrow(k, &one);
}

static void pick_values(struct pick *k)
{
    for (size_t i = 0; i < k->count && !k->nothing; i++) {
        const struct matcher *m = &k->matchers[i];

        if (names_a_value(m, MATCH_EQUAL) || names_a_value(m, MATCH_NOT_EQUAL))
            continue;
        if (is_id(m) || (k->set && slot_set_count(k->set) * VALUES_AN_AGENT < values_of(k->a, m)))
            k->rest[k->rest_count++] = *m;
        else
            pick_by_values(k, m);
    }
}

static void pick_init(struct pick *k, struct agents *a, const struct matcher *m, size_t count)
{
    *k = (struct pick){
        .a = a,
        .matchers = m,
        .count = count,
        .rest = heap_new_array(struct matcher, MAX(count, 1)),
    };
    pthread_rwlock_rdlock(&a->lock);
    k->change = a->change;
    pick_equal(k);
    pick_unequal(k);
    pthread_rwlock_unlock(&a->lock);
    for (size_t i = 0; i < count && !k->nothing; i++) {
        if (is_id(&m[i]) && m[i].op == MATCH_EQUAL)
            pick_by_id(k, m[i].value);
    }
    pick_values(k);
}

static void pick_done(struct pick *k)
{
    slot_set_free(&k->set);
    free(k->rest);
}

/* --- looking at candidates --- */

/* With the shard's lock. */
static bool is_picked(const struct pick *k, const struct record *r)
{
    const struct attribute_index *x = &k->a->attributes;

    if (!r->body)
        return false;
    if (r->stamp > k->change)
        return record_matches(x, r, k->matchers, k->count);
    return record_matches(x, r, k->rest, k->rest_count);
}

typedef void (*picked_fn)(void *arg, uint32_t slot, const struct record *r);

/* Sorts the slots by shard, keeping their order within each. */
static uint32_t *by_shard(const uint32_t *slots, size_t count, size_t ends[SHARD_COUNT])
{
    uint32_t *out = heap_alloc(MAX(count, 1) * sizeof(*out));
    size_t begin = 0;

    memset(ends, 0, SHARD_COUNT * sizeof(*ends));
    for (size_t i = 0; i < count; i++)
        ends[slots[i] % SHARD_COUNT]++;
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        size_t here = ends[i];

        ends[i] = begin;
        begin += here;
    }
    for (size_t i = 0; i < count; i++)
        out[ends[slots[i] % SHARD_COUNT]++] = slots[i];
    return out;
}

static struct slot_set *candidates(struct pick *k)
{
    struct slot_set *set = k->set;

    if (k->nothing)
        return slot_set_new();
    k->set = NULL;
    if (set)
        return set;
    pthread_rwlock_rdlock(&k->a->lock);
    set = slot_set_of(&k->a->all);
    pthread_rwlock_unlock(&k->a->lock);
    return set;
}

static void look_at_shard(const struct pick *k, const uint32_t *slots, size_t count, picked_fn fn,
                          void *arg)
{
    struct shard *s = slot_shard(k->a, slots[0]);

    for (size_t done = 0; done < count;) {
        size_t end = MIN(count, done + RECORDS_A_STEP);

        pthread_mutex_lock(&s->lock);
        for (; done < end; done++) {
            const struct record *r = shard_record(s, slots[done] >> SHARD_BITS);

            if (is_picked(k, r))
                fn(arg, slots[done], r);
        }
        pthread_mutex_unlock(&s->lock);
    }
}

/* fn is called with the shard's lock, in no order that means anything. */
static void each_picked(struct pick *k, picked_fn fn, void *arg)
{
    struct slot_set *set = candidates(k);
    size_t count = slot_set_count(set);
    uint32_t *slots = heap_alloc(MAX(count, 1) * sizeof(*slots));
    size_t ends[SHARD_COUNT];

    slot_set_list(set, slots);
    slot_set_free(&set);

    uint32_t *sorted = by_shard(slots, count, ends);

    free(slots);
    for (size_t i = 0, begin = 0; i < SHARD_COUNT; begin = ends[i], i++) {
        if (ends[i] > begin)
            look_at_shard(k, sorted + begin, ends[i] - begin, fn, arg);
    }
    free(sorted);
}

/* --- what is asked --- */

struct found {
    struct str id;
    uint64_t prefix; /* of the id: most comparisons end here */
    uint32_t slot;
};

struct finding {
    struct arena *arena;
    struct found *found; /* heap */
    size_t count;
    size_t capacity;
};

static uint64_t prefix_of(struct str id)
{
    unsigned char first[sizeof(uint64_t)] = {0};
    uint64_t prefix;

    if (id.len > 0)
        memcpy(first, id.p, MIN(id.len, sizeof(first)));
    memcpy(&prefix, first, sizeof(prefix));
    return __builtin_bswap64(prefix);
}

static void add_found(void *arg, uint32_t slot, const struct record *r)
{
    struct finding *f = arg;

    if (f->count == f->capacity) {
        f->capacity = MAX(64, f->capacity * 2);
        f->found = heap_realloc(f->found, f->capacity * sizeof(*f->found));
    }
    f->found[f->count++] = (struct found){
        .id = arena_str(f->arena, record_id(r)),
        .prefix = prefix_of(record_id(r)),
        .slot = slot,
    };
}

static int by_id(const void *a, const void *b)
{
    const struct found *x = a;
    const struct found *y = b;

    if (x->prefix != y->prefix)
        return x->prefix < y->prefix ? -1 : 1;
    return str_cmp(x->id, y->id);
}

/* Sorted by id, each once: an agent that was deleted and made again meanwhile can be met twice. */
static void find_all(struct pick *k, struct finding *f)
{
    size_t n = 0;

    each_picked(k, add_found, f);
    if (f->count > 0)
        qsort(f->found, f->count, sizeof(*f->found), by_id);
    for (size_t i = 0; i < f->count; i++) {
        if (n == 0 || !str_eq(f->found[n - 1].id, f->found[i].id))
            f->found[n++] = f->found[i];
    }
    f->count = n;
}

void agents_select(struct agents *a, struct arena *arena, const struct matcher *m, size_t count,
                   struct str **ids, size_t *id_count)
{
    struct finding f = {.arena = arena};
    struct pick k;

    pick_init(&k, a, m, count);
    find_all(&k, &f);
    pick_done(&k);
    *ids = arena_new_array(arena, struct str, f.count);
    for (size_t i = 0; i < f.count; i++)
        (*ids)[i] = f.found[i].id;
    *id_count = f.count;
    free(f.found);
}

static void count_found(void *arg, uint32_t slot, const struct record *r)
{
    size_t *count = arg;

    (void)slot;
    (void)r;
    ++*count;
}

size_t agents_select_count(struct agents *a, const struct matcher *m, size_t count)
{
    size_t found = 0;
    struct pick k;

    pick_init(&k, a, m, count);
    each_picked(&k, count_found, &found);
    pick_done(&k);
    return found;
}

/* False: it has gone, or changed so that it is none of them any more. */
static bool copy_found(const struct pick *k, const struct found *f, struct arena *arena,
                       struct pair_copier *copier, struct agent *out)
{
    struct shard *s = slot_shard(k->a, f->slot);
    bool picked;

    pthread_mutex_lock(&s->lock);

    const struct record *r = slot_record(k->a, f->slot);

    picked = is_picked(k, r) && str_eq(record_id(r), f->id);
    if (picked)
        record_copy(&k->a->attributes, r, arena, copier, out);
    pthread_mutex_unlock(&s->lock);
    return picked;
}

void agents_each(struct agents *a, struct arena *arena, const struct matcher *m, size_t count,
                 bool (*fn)(void *arg, const struct agent *agent), void *arg)
{
    struct finding f = {.arena = arena};
    struct pair_copier *copier = pair_copier_new(arena);
    struct pick k;
    bool more = true;

    pick_init(&k, a, m, count);
    find_all(&k, &f);
    for (size_t i = 0; i < f.count && more; i++) {
        struct agent agent = {0};

        if (copy_found(&k, &f.found[i], arena, copier, &agent))
            more = fn(arg, &agent);
    }
    pick_done(&k);
    free(f.found);
}

struct scan {
    void (*fn)(void *arg, const struct agent *agent);
    void *arg;
};

static void scan_one(void *arg, uint32_t slot, const struct record *r)
{
    const struct scan *scan = arg;
    const struct agent agent = {
        .row = {.id = r->id,
                .ext_id = record_id(r),
                .name = record_name(r),
                .last_seen_us = r->seen_us},
        .type = (enum agent_type)r->type,
        .enabled = (r->flags & RECORD_ENABLED) != 0,
        .inactive_us = r->inactive_us,
        .has_status = (r->flags & RECORD_HAS_STATUS) != 0,
        .status = (enum agent_status)r->status,
    };

    (void)slot;
    scan->fn(scan->arg, &agent);
}

void agents_scan(struct agents *a, const struct matcher *m, size_t count,
                 void (*fn)(void *arg, const struct agent *agent), void *arg)
{
    struct scan scan = {fn, arg};
    struct pick k;

    pick_init(&k, a, m, count);
    each_picked(&k, scan_one, &scan);
    pick_done(&k);
}

/* --- values in use --- */

struct used {
    struct label *labels; /* heap */
    size_t count;
    size_t capacity;
    struct pair_copier *copier;
};

/* One step over all pairs; numbers do not change as long as a pair is in use. */
static bool gather_used(struct agents *a, enum attribute_side side, uint32_t *number,
                        struct used *u)
{
    const struct attribute_index *x = &a->attributes;

    pthread_rwlock_rdlock(&a->lock);

    uint32_t end = MIN(x->pair_end, *number + VALUES_A_STEP);
    bool more = end < x->pair_end;

    if (u->capacity - u->count < VALUES_A_STEP) {
        u->capacity = u->capacity * 2 + VALUES_A_STEP;
        u->labels = heap_realloc(u->labels, u->capacity * sizeof(*u->labels));
    }
    for (; *number < end; ++*number) {
        if (attribute_pair_at(x, *number)->uses[side] > 0)
            u->labels[u->count++] = pair_copy(x, *number, u->copier);
    }
    pthread_rwlock_unlock(&a->lock);
    return more;
}

static int by_key_and_value(const void *a, const void *b)
{
    const struct label *x = a;
    const struct label *y = b;
    int order = x->key.p == y->key.p ? 0 : str_cmp(x->key, y->key);

    return order ? order : str_cmp(x->value, y->value);
}

/* A pair that was forgotten and made again meanwhile can be met twice. */
static size_t without_doubles(struct label *labels, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        if (n == 0 || by_key_and_value(&labels[n - 1], &labels[i]) != 0)
            labels[n++] = labels[i];
    }
    return n;
}

static bool begins_a_key(const struct label *labels, size_t i)
{
    return i == 0 || !str_eq(labels[i - 1].key, labels[i].key);
}

/* From sorted pairs to keys with their values. */
static void group(struct arena *arena, const struct label *labels, size_t count,
                  struct attribute_values **out, size_t *key_count)
{
    struct str *values = arena_new_array(arena, struct str, count);
    size_t keys = 0;

    for (size_t i = 0; i < count; i++)
        keys += begins_a_key(labels, i);
    *out = arena_new_array(arena, struct attribute_values, keys);
    *key_count = keys;

    struct attribute_values *at = *out;

    for (size_t i = 0; i < count; i++) {
        if (begins_a_key(labels, i)) {
            at = i == 0 ? at : at + 1;
            at->key = labels[i].key;
            at->values = values + i;
        }
        at->values[at->count++] = labels[i].value;
    }
}

static void used_values(struct agents *a, struct arena *arena, enum attribute_side side,
                        struct attribute_values **out, size_t *count)
{
    struct used u = {.copier = pair_copier_new(arena)};
    uint32_t number = 0;

    while (gather_used(a, side, &number, &u))
        continue;
    qsort(u.labels, u.count, sizeof(*u.labels), by_key_and_value);
    u.count = without_doubles(u.labels, u.count);
    group(arena, u.labels, u.count, out, count);
    free(u.labels);
}

void agents_local_values(struct agents *a, struct arena *arena, struct attribute_values **out,
                         size_t *count)
{
    used_values(a, arena, ATTRIBUTE_LOCAL, out, count);
}

void agents_remote_values(struct agents *a, struct arena *arena, struct attribute_values **out,
                          size_t *count)
{
    used_values(a, arena, ATTRIBUTE_REMOTE, out, count);
}
