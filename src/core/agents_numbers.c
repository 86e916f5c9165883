/* SPDX-License-Identifier: Apache-2.0 */
/* Agents by number: pages in the order in which they came, and beats. See agents.h. */
#include <string.h>

#include "core/agents_internal.h"

#define ENTRIES_A_STEP 1024

/* What is asked of each agent. */
struct asking {
    enum agents_liveness liveness;
    int64_t now_us;
    int64_t alive_us;
};

/* With the shard's lock. */
static bool answers(const struct asking *q, const struct record *r)
{
    bool alive =
        r->seen_us && !record_inactive_at(r->inactive_us, r->seen_us, q->now_us, q->alive_us);

    switch (q->liveness) {
    case AGENTS_ALL: return true;
    case AGENTS_ALIVE: return alive;
    case AGENTS_SILENT: return !alive;
    }
    return false;
}

/* Places of the entries, sorted by shard. */
static void by_shard(const struct number_entry *entries, size_t count, uint16_t *places,
                     size_t ends[SHARD_COUNT])
{
    size_t begin = 0;

    memset(ends, 0, SHARD_COUNT * sizeof(*ends));
    for (size_t i = 0; i < count; i++)
        ends[entries[i].value % SHARD_COUNT]++;
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        size_t here = ends[i];

        ends[i] = begin;
        begin += here;
    }
    for (size_t i = 0; i < count; i++)
        places[ends[entries[i].value % SHARD_COUNT]++] = (uint16_t)i;
}

/* Takes each shard's lock once for all entries that lie there. Numbers of those that do not answer,
 * or went meanwhile, become 0. */
static void ask(struct agents *a, const struct asking *q, struct number_entry *entries,
                size_t count)
{
    uint16_t places[ENTRIES_A_STEP];
    size_t ends[SHARD_COUNT];

    by_shard(entries, count, places, ends);
    for (size_t i = 0, at = 0; i < SHARD_COUNT; at = ends[i], i++) {
        struct shard *s = &a->shards[i];

        if (at == ends[i])
            continue;
        pthread_mutex_lock(&s->lock);
        for (size_t j = at; j < ends[i]; j++)
            __builtin_prefetch(slot_record(a, entries[places[j]].value));
        for (; at < ends[i]; at++) {
            struct number_entry *e = &entries[places[at]];
            const struct record *r = slot_record(a, e->value);

            if (!r->body || r->id != e->number || !answers(q, r))
                e->number = 0;
        }
        pthread_mutex_unlock(&s->lock);
    }
}

size_t agents_numbers(struct agents *a, int64_t after, enum agents_liveness liveness,
                      int64_t now_us, int64_t alive_us, int64_t *out, size_t limit)
{
    const struct asking q = {liveness, now_us, alive_us};
    struct number_entry entries[ENTRIES_A_STEP];
    size_t n = 0;
    size_t count;

    do {
        size_t wanted = liveness == AGENTS_ALL ? MIN(limit - n, ENTRIES_A_STEP) : ENTRIES_A_STEP;

        pthread_mutex_lock(&a->order);
        count = number_index_above(&a->numbers, after, entries, wanted);
        pthread_mutex_unlock(&a->order);
        if (count > 0)
            after = entries[count - 1].number;
        if (liveness != AGENTS_ALL)
            ask(a, &q, entries, count);
        for (size_t i = 0; i < count && n < limit; i++) {
            if (entries[i].number)
                out[n++] = entries[i].number;
        }
    } while (count > 0 && n < limit);
    return n;
}

bool agents_beat(struct agents *a, int64_t number, int64_t now_us)
{
    struct shard *s;
    uint32_t record;
    struct record *r = agents_lock_number(a, number, &s, &record);

    if (!r)
        return false;

    bool beats = r->inactive_us == 0;

    if (beats)
        record_seen(s, record, r, now_us);
    pthread_mutex_unlock(&s->lock);
    return beats;
}
