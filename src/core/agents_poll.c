/* SPDX-License-Identifier: Apache-2.0 */
/* What agents ask, most often that nothing has changed. See agents.h. */
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/id.h"
#include "core/agents_internal.h"

#define HASH_HEX_LEN  64
#define VIEW_ON_STACK 48 /* effective attributes that need no heap */

/* The selection's look at a record. */
struct record_view {
    struct agent_view view;
    struct label on_stack[VIEW_ON_STACK];
    uint32_t pairs_on_stack[VIEW_ON_STACK];
    void *heap; /* to be given back; NULL when the stack was enough */
};

/* The id's pair goes where its key belongs. */
static size_t put_labels(const struct attribute_index *x, struct str id, const uint32_t *pairs,
                         size_t count, struct label *out)
{
    const struct label id_label = {STR(AGENT_ID_KEY), id};
    bool id_is_in = false;
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        const struct attribute_pair *p = attribute_pair_at(x, pairs[i]);
        struct label label = {attribute_key(x, p), attribute_value(p)};

        if (!id_is_in && str_cmp(id_label.key, label.key) < 0) {
            out[n++] = id_label;
            id_is_in = true;
        }
        out[n++] = label;
    }
    if (!id_is_in)
        out[n++] = id_label;
    return n;
}

/* With the shard's lock, under which alone it is good. */
static void view_init(struct record_view *v, const struct attribute_index *x,
                      const struct record *r)
{
    size_t most = (size_t)r->local_count + r->remote_count;
    struct label *labels = v->on_stack;
    uint32_t *pairs = v->pairs_on_stack;

    v->heap = NULL;
    if (most + 1 > VIEW_ON_STACK) {
        labels = v->heap = heap_alloc((most + 1) * (sizeof(*labels) + sizeof(*pairs)));
        pairs = (uint32_t *)(void *)(labels + most + 1);
    }

    size_t count = record_effective(x, r, pairs);

    v->view = (struct agent_view){
        .id = record_id(r),
        .type = (enum agent_type)r->type,
        .enabled = r->flags & RECORD_ENABLED,
        .attributes = labels,
        .attribute_count = put_labels(x, record_id(r), pairs, count, labels),
    };
}

static void view_done(struct record_view *v)
{
    free(v->heap);
}

/* With the shard's lock. */
static bool has_current_hash(struct agents *a, struct pipelines *p, struct record *r)
{
    if (r->choice.has_hash && pipelines_is_current(p, &r->choice))
        return true;

    struct record_view v = {0};

    view_init(&v, &a->attributes, r);

    bool known = pipelines_refresh(p, &v.view, &r->choice);

    view_done(&v);
    return known && r->choice.has_hash;
}

/* Whether the report says what is known of its status already. */
static bool status_is_known(const struct record *r, const struct poll *poll)
{
    if (poll->has_status_error || poll->has_effective_config)
        return false;
    if (!poll->has_status)
        return true;
    return (r->flags & RECORD_HAS_STATUS) && !(r->flags & RECORD_STATUS_ERROR) &&
           r->status == (uint8_t)poll->status;
}

static bool is_active(const struct record *r)
{
    return (r->flags & RECORD_REGISTERED) && r->inactive_us == 0;
}

/* With the shard's lock. */
static enum poll_outcome answer(struct agents *a, struct pipelines *p, struct record *r,
                                const struct poll *poll, char hash_hex[64])
{
    if (poll->hash.len != HASH_HEX_LEN || !is_active(r) || !status_is_known(r, poll))
        return POLL_SLOW;
    if (!record_says(&a->attributes, r, poll->local, poll->local_count))
        return POLL_SLOW;
    if (!has_current_hash(a, p, r))
        return POLL_SLOW;
    hex_print(r->choice.hash, sizeof(r->choice.hash), hash_hex);
    return memcmp(hash_hex, poll->hash.p, HASH_HEX_LEN) == 0 ? POLL_UNCHANGED : POLL_SLOW;
}

enum poll_outcome agents_poll(struct agents *a, struct pipelines *p, const struct poll *poll,
                              char hash_hex[64])
{
    struct id_hash h = agents_hash(a, poll->id);
    struct shard *s = &a->shards[h.shard];
    enum poll_outcome outcome = POLL_SLOW;

    agents_bind(a, p);
    pthread_mutex_lock(&s->lock);

    uint32_t record = shard_find(s, h.hash, poll->id);

    if (record != RECORD_NONE) {
        struct record *r = shard_record(s, record);

        record_seen(s, record, r, poll->now_us);
        outcome = answer(a, p, r, poll, hash_hex);
    }
    s->polls[outcome]++;
    pthread_mutex_unlock(&s->lock);
    return outcome;
}

bool agents_is_registered(struct agents *a, struct str id, struct str name,
                          const struct label *local, size_t local_count, int64_t now_us)
{
    struct shard *s;
    uint32_t record;
    struct record *r = agents_lock(a, id, &s, &record);

    if (!r)
        return false;

    bool same = is_active(r) && str_eq(record_name(r), name) &&
                record_says(&a->attributes, r, local, local_count);

    if (same)
        record_seen(s, record, r, now_us);
    pthread_mutex_unlock(&s->lock);
    return same;
}

bool agents_touch(struct agents *a, struct str id, int64_t now_us)
{
    struct shard *s;
    uint32_t record;
    struct record *r = agents_lock(a, id, &s, &record);

    if (!r)
        return false;
    record_seen(s, record, r, now_us);
    pthread_mutex_unlock(&s->lock);
    return true;
}

/* Which record a choice was made for: stamps are never given twice. */
struct origin {
    uint64_t stamp;
    bool keeps; /* the attributes are those that it is registered with */
};

static struct origin read_record(struct agents *a, struct arena *arena, struct str id,
                                 const struct attributes *local, struct agent *out)
{
    struct origin origin = {0};
    struct shard *s;
    uint32_t record;
    const struct record *r = agents_lock(a, id, &s, &record);

    if (!r) {
        *out = (struct agent){.type = AGENT_ALLOY, .enabled = true};
        return origin;
    }
    record_copy(&a->attributes, r, arena, NULL, out);
    origin.stamp = r->stamp;
    origin.keeps = record_says(&a->attributes, r, local->items, local->count);
    pthread_mutex_unlock(&s->lock);
    return origin;
}

/* Swaps the choice in, unless the agent has changed meanwhile; *c is what has to be given back. */
static void keep_choice(struct agents *a, struct str id, const struct origin *origin,
                        struct choice *c)
{
    struct shard *s;
    uint32_t record;
    struct record *r = agents_lock(a, id, &s, &record);

    if (!r)
        return;
    if (r->stamp == origin->stamp && r->choice.number <= c->number) {
        struct choice before = r->choice;

        r->choice = *c;
        *c = before;
    }
    pthread_mutex_unlock(&s->lock);
}

void agents_config(struct agents *a, struct pipelines *p, struct arena *arena, struct str id,
                   const struct attributes *local, struct rendered *out)
{
    struct attributes said = attributes_sorted(arena, local);
    struct agent agent;
    struct choice choice = {0};

    agents_bind(a, p);

    struct origin origin = read_record(a, arena, id, &said, &agent);
    struct attributes effective = attributes_overlay(arena, id, &said, &agent.remote);
    struct agent_view view = {
        .id = id,
        .type = agent.type,
        .enabled = agent.enabled,
        .attributes = effective.items,
        .attribute_count = effective.count,
    };

    pipelines_render(p, &view, arena, &choice, out);
    if (origin.keeps)
        keep_choice(a, id, &origin, &choice);
    choice_reset(p, &choice);
}
