/* SPDX-License-Identifier: Apache-2.0 */
/* One agent in memory: made of a struct agent, looked at, and copied out again. See
 * agents_internal.h. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "core/agents_internal.h"

#define LINEAR_MAX    16   /* attributes that are looked through one by one */
#define COPIED_PAIRS  4096 /* that a copier remembers: a power of two */
#define COPIED_KEYS   256  /* same */
#define LEN_BYTES     sizeof(uint32_t)
#define MATCHED_WORDS 16 /* attributes that record_says() compares: 64 in each */

static size_t hash_bytes(unsigned flags)
{
    return ((flags & RECORD_STATUS_ERROR ? 1u : 0u) + (flags & RECORD_EFFECTIVE_CONFIG ? 1u : 0u)) *
           TEXT_HASH_LEN;
}

struct str record_id(const struct record *r)
{
    return str_make(r->body->pairs + r->local_count + r->remote_count, r->id_len);
}

struct str record_name(const struct record *r)
{
    struct str id = record_id(r);

    return (struct str){id.p + id.len, r->name_len};
}

static const char *tail_at(const struct record *r)
{
    struct str name = record_name(r);

    return name.p + name.len;
}

struct record_tail record_tail(const struct record *r)
{
    struct record_tail tail;

    memcpy(&tail, tail_at(r), sizeof(tail));
    return tail;
}

/* --- what managers say --- */

#define WORD_TEXTS 4

/* Unaligned in the body; the texts that are there follow, each with its length. */
struct record_words {
    int64_t cutoff_ms;
    int32_t target_cpu;
    uint8_t sources_local;
    uint8_t texts; /* bits: which are there */
};

static bool is_managed(const struct agent *agent)
{
    return agent->target_cpu || agent->sources_local || !profile_is_empty(&agent->profile);
}

static struct str *text_at(struct profile *p, size_t i)
{
    struct str *const texts[WORD_TEXTS] = {&p->description, &p->category, &p->time_zone,
                                           &p->host_name};

    return texts[i];
}

static size_t words_bytes(const struct agent *agent)
{
    struct profile profile = agent->profile;
    size_t bytes = sizeof(struct record_words);

    if (!is_managed(agent))
        return 0;
    for (size_t i = 0; i < WORD_TEXTS; i++)
        bytes += text_at(&profile, i)->p ? LEN_BYTES + text_at(&profile, i)->len : 0;
    return bytes;
}

static unsigned flags_of(const struct agent *agent)
{
    return (agent->enabled ? RECORD_ENABLED : 0u) | (agent->registered ? RECORD_REGISTERED : 0u) |
           (agent->has_status ? RECORD_HAS_STATUS : 0u) |
           (agent->status_error.set ? RECORD_STATUS_ERROR : 0u) |
           (agent->effective_config.set ? RECORD_EFFECTIVE_CONFIG : 0u) |
           (agent->row.unique_name ? RECORD_UNIQUE_NAME : 0u) |
           (agent->ephemeral ? RECORD_EPHEMERAL : 0u) | (is_managed(agent) ? RECORD_MANAGED : 0u);
}

static char *put_bytes(char *at, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(at, bytes, len);
    return at + len;
}

static char *put_str(char *at, struct str s)
{
    uint32_t len = (uint32_t)s.len;

    return put_bytes(put_bytes(at, &len, LEN_BYTES), s.p, s.len);
}

static char *put_words(char *at, const struct agent *agent)
{
    struct profile profile = agent->profile;
    struct record_words words = {
        .cutoff_ms = profile.cutoff_ms,
        .target_cpu = agent->target_cpu,
        .sources_local = agent->sources_local,
    };

    for (size_t i = 0; i < WORD_TEXTS; i++) {
        if (text_at(&profile, i)->p)
            words.texts |= (uint8_t)(1u << i);
    }
    at = put_bytes(at, &words, sizeof(words));
    for (size_t i = 0; i < WORD_TEXTS; i++) {
        if (words.texts >> i & 1)
            at = put_str(at, *text_at(&profile, i));
    }
    return at;
}

static size_t extras_bytes(const struct agent *agent)
{
    size_t bytes = words_bytes(agent);

    for (size_t i = 0; i < agent->extra_count; i++)
        bytes += 2 * LEN_BYTES + agent->extras[i].key.len + agent->extras[i].value.len;
    return bytes;
}

struct record_body *record_body_new(const struct agent *agent, const uint32_t *local,
                                    size_t local_count, const uint32_t *remote, size_t remote_count,
                                    size_t *bytes)
{
    const struct collector *row = &agent->row;
    size_t extra_bytes = extras_bytes(agent);
    struct record_body *body;

    struct record_tail tail = {row->tenant, row->created_us, row->updated_us, agent->status_us};

    assert(row->ext_id.len <= UINT16_MAX && row->name.len <= UINT16_MAX &&
           row->space.len <= UINT16_MAX && local_count <= UINT16_MAX &&
           remote_count <= UINT16_MAX && agent->extra_count <= UINT16_MAX);
    *bytes = sizeof(*body) + (local_count + remote_count) * sizeof(body->pairs[0]) +
             row->ext_id.len + row->name.len + sizeof(tail) + hash_bytes(flags_of(agent)) +
             row->space.len + extra_bytes;
    body = heap_alloc(*bytes);
    *body = (struct record_body){
        .extra_bytes = (uint32_t)extra_bytes,
        .extra_count = (uint16_t)agent->extra_count,
        .space_len = (uint16_t)row->space.len,
    };

    char *at = (char *)body->pairs;

    at = put_bytes(at, local, local_count * sizeof(*local));
    at = put_bytes(at, remote, remote_count * sizeof(*remote));
    at = put_bytes(at, row->ext_id.p, row->ext_id.len);
    at = put_bytes(at, row->name.p, row->name.len);
    at = put_bytes(at, &tail, sizeof(tail));
    if (agent->status_error.set)
        at = put_bytes(at, agent->status_error.hash, TEXT_HASH_LEN);
    if (agent->effective_config.set)
        at = put_bytes(at, agent->effective_config.hash, TEXT_HASH_LEN);
    at = put_bytes(at, row->space.p, row->space.len);
    for (size_t i = 0; i < agent->extra_count; i++)
        at = put_str(put_str(at, agent->extras[i].key), agent->extras[i].value);
    if (is_managed(agent))
        at = put_words(at, agent);
    assert((size_t)(at - (char *)body) == *bytes);
    return body;
}

size_t record_body_bytes(const struct record *r)
{
    const struct record_body *body = r->body;

    return sizeof(*body) + (size_t)(r->local_count + r->remote_count) * sizeof(body->pairs[0]) +
           r->id_len + r->name_len + sizeof(struct record_tail) + hash_bytes(r->flags) +
           body->space_len + body->extra_bytes;
}

void record_set(struct record *r, const struct agent *agent, struct record_body *body,
                size_t local_count, size_t remote_count)
{
    r->body = body;
    r->inactive_us = agent->inactive_us;
    r->id_len = (uint16_t)agent->row.ext_id.len;
    r->name_len = (uint16_t)agent->row.name.len;
    r->local_count = (uint16_t)local_count;
    r->remote_count = (uint16_t)remote_count;
    r->type = (uint8_t)agent->type;
    r->status = (uint8_t)agent->status;
    r->flags = (uint8_t)flags_of(agent);
    r->id = agent->row.id;
    r->revision = agent->row.revision;
}

/* --- attributes --- */

static int compare_keys(const struct attribute_index *x, const struct attribute_pair *p,
                        const struct attribute_pair *q)
{
    return p->key == q->key ? 0 : str_cmp(attribute_key(x, p), attribute_key(x, q));
}

static bool is_reserved(const struct attribute_index *x, const struct attribute_pair *p)
{
    return attribute_key_at(x, p->key)->is_reserved;
}

size_t record_effective(const struct attribute_index *x, const struct record *r, uint32_t *out)
{
    const uint32_t *local = record_local(r);
    const uint32_t *remote = record_remote(r);
    size_t l = 0;
    size_t m = 0;
    size_t n = 0;

    while (l < r->local_count || m < r->remote_count) {
        const struct attribute_pair *q =
            m < r->remote_count ? attribute_pair_at(x, remote[m]) : NULL;

        if (q && is_reserved(x, q)) {
            m++;
            continue;
        }

        int order = !q                    ? -1
                    : l == r->local_count ? 1
                                          : compare_keys(x, attribute_pair_at(x, local[l]), q);

        out[n++] = order < 0 ? local[l] : remote[m];
        l += order <= 0;
        m += order >= 0;
    }
    return n;
}

static const struct attribute_pair *find_pair(const struct attribute_index *x,
                                              const uint32_t *pairs, size_t count, struct str key)
{
    for (size_t i = 0; i < count; i++) {
        const struct attribute_pair *p = attribute_pair_at(x, pairs[i]);

        if (str_eq(attribute_key(x, p), key))
            return p;
    }
    return NULL;
}

struct str record_value(const struct attribute_index *x, const struct record *r, struct str key)
{
    const struct attribute_pair *p = NULL;

    if (str_eq(key, STR(AGENT_ID_KEY)))
        return record_id(r);
    if (!str_starts_with(key, STR(AGENT_RESERVED_PREFIX)))
        p = find_pair(x, record_remote(r), r->remote_count, key);
    if (!p)
        p = find_pair(x, record_local(r), r->local_count, key);
    return p ? attribute_value(p) : STR("");
}

bool record_matches(const struct attribute_index *x, const struct record *r,
                    const struct matcher *m, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!matcher_holds(&m[i], record_value(x, r, m[i].name)))
            return false;
    }
    return true;
}

/* A pair with its key, looked up once. */
struct known {
    const struct attribute_pair *pair;
    struct str key;
};

static struct known known_at(const struct attribute_index *x, uint32_t pair)
{
    const struct attribute_pair *p = attribute_pair_at(x, pair);

    return (struct known){p, attribute_key(x, p)};
}

/* Where this key is among a few, or their count. Most say things in the same order: `guess` is
 * where it would be then, and what was said before is looked at last. */
static size_t find_few(const struct known *few, size_t count, struct str key, size_t guess)
{
    for (size_t i = guess; i < count; i++) {
        if (str_eq(few[i].key, key))
            return i;
    }
    for (size_t i = 0; i < MIN(guess, count); i++) {
        if (str_eq(few[i].key, key))
            return i;
    }
    return count;
}

/* Same, among the sorted pairs of a record that has many. */
static size_t find_sorted(const struct attribute_index *x, const uint32_t *pairs, size_t count,
                          struct str key)
{
    size_t low = 0;
    size_t high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(known_at(x, pairs[middle]).key, key);

        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return count;
}

bool record_says(const struct attribute_index *x, const struct record *r, const struct label *local,
                 size_t count)
{
    const uint32_t *pairs = record_local(r);
    uint64_t matched[MATCHED_WORDS] = {0}; /* a key that comes twice must not count twice */
    struct known few[LINEAR_MAX];
    bool is_few = r->local_count <= LINEAR_MAX;
    size_t found = 0;

    if (count < r->local_count || r->local_count > MATCHED_WORDS * 64u)
        return false;
    for (size_t i = 0; i < r->local_count; i++) /* most likely one of them is nobody else's */
        __builtin_prefetch(attribute_pair_at(x, pairs[i]));
    for (size_t i = 0; is_few && i < r->local_count; i++)
        few[i] = known_at(x, pairs[i]);
    for (size_t i = 0; i < count; i++) {
        if (str_eq(local[i].key, STR(AGENT_ID_KEY)))
            continue;

        size_t at = is_few ? find_few(few, r->local_count, local[i].key, found)
                           : find_sorted(x, pairs, r->local_count, local[i].key);

        if (at == r->local_count || (matched[at / 64] >> at % 64 & 1))
            return false;

        const struct attribute_pair *p = is_few ? few[at].pair : attribute_pair_at(x, pairs[at]);

        if (!str_eq(attribute_value(p), local[i].value))
            return false;
        matched[at / 64] |= UINT64_C(1) << at % 64;
        found++;
    }
    return found == r->local_count;
}

void shard_mark(struct shard *s, uint32_t record)
{
    uint64_t bit = UINT64_C(1) << record % 64;

    if (!(s->dirty[record / 64] & bit)) {
        s->dirty[record / 64] |= bit;
        s->dirty_count++;
    }
}

void record_seen(struct shard *s, uint32_t record, struct record *r, int64_t now_us)
{
    if (now_us <= r->seen_us)
        return;
    r->seen_us = now_us;
    shard_mark(s, record);
}

/* --- copies --- */

struct copied {
    uint32_t number;
    struct label label; /* of a key: without a value */
};

struct pair_copier {
    struct arena *arena;
    struct copied pairs[COPIED_PAIRS];
    struct copied keys[COPIED_KEYS];
};

struct pair_copier *pair_copier_new(struct arena *arena)
{
    struct pair_copier *c = arena_new_type(arena, struct pair_copier);

    c->arena = arena;
    return c;
}

/* Numbers are given out again, so what is remembered is compared. */
static struct str copy_key(struct pair_copier *c, uint32_t number, struct str key)
{
    struct copied *k = &c->keys[number % COPIED_KEYS];

    if (k->number != number || !str_eq(k->label.key, key))
        *k = (struct copied){number, {.key = arena_str(c->arena, key)}};
    return k->label.key;
}

static struct label copy_pair(const struct attribute_index *x, uint32_t number, struct arena *arena,
                              struct pair_copier *c)
{
    const struct attribute_pair *p = attribute_pair_at(x, number);
    struct str key = attribute_key(x, p);
    struct str value = attribute_value(p);

    if (!c)
        return (struct label){arena_str(arena, key), arena_str(arena, value)};

    struct copied *known = &c->pairs[number % COPIED_PAIRS];

    if (known->number != number || !str_eq(known->label.key, key) ||
        !str_eq(known->label.value, value))
        *known = (struct copied){number, {copy_key(c, p->key, key), arena_str(c->arena, value)}};
    return known->label;
}

struct label pair_copy(const struct attribute_index *x, uint32_t number, struct pair_copier *c)
{
    return copy_pair(x, number, c->arena, c);
}

static struct attributes copy_pairs(const struct attribute_index *x, const uint32_t *pairs,
                                    size_t count, struct arena *arena, struct pair_copier *c)
{
    struct attributes out = {arena_new_array(arena, struct label, count), count};

    for (size_t i = 0; i < count; i++)
        out.items[i] = copy_pair(x, pairs[i], arena, c);
    return out;
}

static const char *take_str(const char *at, struct arena *arena, struct str *out)
{
    uint32_t len;

    memcpy(&len, at, LEN_BYTES);
    *out = arena_str(arena, str_make(at + LEN_BYTES, len));
    return at + LEN_BYTES + len;
}

static const char *copy_extras(const struct record *r, const char *at, struct arena *arena,
                               struct agent *out)
{
    out->extra_count = r->body->extra_count;
    out->extras = arena_new_array(arena, struct label, out->extra_count);
    for (size_t i = 0; i < out->extra_count; i++) {
        at = take_str(at, arena, &out->extras[i].key);
        at = take_str(at, arena, &out->extras[i].value);
    }
    return at;
}

static void copy_words(const char *at, struct arena *arena, struct agent *out)
{
    struct record_words words;

    memcpy(&words, at, sizeof(words));
    at += sizeof(words);
    out->profile.cutoff_ms = words.cutoff_ms;
    out->target_cpu = words.target_cpu;
    out->sources_local = words.sources_local;
    for (size_t i = 0; i < WORD_TEXTS; i++) {
        if (words.texts >> i & 1)
            at = take_str(at, arena, text_at(&out->profile, i));
    }
}

static const char *copy_hash(const char *at, struct text_ref *out)
{
    out->set = true;
    memcpy(out->hash, at, TEXT_HASH_LEN);
    return at + TEXT_HASH_LEN;
}

/* What comes behind the tail. */
static void copy_rest(const struct record *r, struct arena *arena, struct agent *out)
{
    const char *at = tail_at(r) + sizeof(struct record_tail);

    if (r->flags & RECORD_STATUS_ERROR)
        at = copy_hash(at, &out->status_error);
    if (r->flags & RECORD_EFFECTIVE_CONFIG)
        at = copy_hash(at, &out->effective_config);
    out->row.space = arena_str(arena, str_make(at, r->body->space_len));
    at = copy_extras(r, at + r->body->space_len, arena, out);
    if (r->flags & RECORD_MANAGED)
        copy_words(at, arena, out);
}

void record_copy(const struct attribute_index *x, const struct record *r, struct arena *arena,
                 struct pair_copier *copier, struct agent *out)
{
    struct record_tail tail = record_tail(r);

    *out = (struct agent){
        .row =
            {
                .tenant = tail.tenant,
                .kind = COLLECTOR_AGENT,
                .id = r->id,
                .ext_id = arena_str(arena, record_id(r)),
                .name = arena_str(arena, record_name(r)),
                .unique_name = r->flags & RECORD_UNIQUE_NAME,
                .revision = r->revision,
                .created_us = tail.created_us,
                .updated_us = tail.updated_us,
                .last_seen_us = r->seen_us,
            },
        .type = (enum agent_type)r->type,
        .enabled = r->flags & RECORD_ENABLED,
        .inactive_us = r->inactive_us,
        .local = copy_pairs(x, record_local(r), r->local_count, arena, copier),
        .remote = copy_pairs(x, record_remote(r), r->remote_count, arena, copier),
        .registered = r->flags & RECORD_REGISTERED,
        .has_status = r->flags & RECORD_HAS_STATUS,
        .status = (enum agent_status)r->status,
        .status_us = tail.status_us,
        .ephemeral = r->flags & RECORD_EPHEMERAL,
    };
    copy_rest(r, arena, out);
}
