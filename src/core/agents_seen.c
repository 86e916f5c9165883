/* SPDX-License-Identifier: Apache-2.0 */
/* Who is alive: marks that wait to be written behind, silence, and the sums. See agents.h. */
#include <stdlib.h>
#include <string.h>

#include "core/agents_internal.h"

#define WORD_BITS 64u

/* Takes the marks of one word of a shard; stops when there is no more room. */
static size_t take_word(struct shard *s, uint32_t word, struct agent_seen *out, size_t limit)
{
    size_t n = 0;

    while (n < limit && s->dirty[word]) {
        unsigned bit = (unsigned)__builtin_ctzll(s->dirty[word]);
        const struct record *r = shard_record(s, word * WORD_BITS + bit);

        s->dirty[word] &= s->dirty[word] - 1;
        s->dirty_count--;
        out[n++] = (struct agent_seen){r->id, r->seen_us};
    }
    return n;
}

/* The same word of all shards. Agents were mostly given their slots in order of their numbers, so
 * that those of a row are neighbours in the store. */
static size_t take_row(struct agents *a, uint32_t word, struct agent_seen *out, size_t limit,
                       uint32_t *words)
{
    size_t n = 0;

    for (size_t i = 0; i < SHARD_COUNT; i++) {
        struct shard *s = &a->shards[i];

        pthread_mutex_lock(&s->lock);
        *words = MAX(*words, (s->end + WORD_BITS - 1) / WORD_BITS);
        if (s->dirty_count > 0 && word * WORD_BITS < s->end)
            n += take_word(s, word, out + n, limit - n);
        pthread_mutex_unlock(&s->lock);
    }
    return n;
}

static int by_number(const void *a, const void *b)
{
    const struct agent_seen *x = a;
    const struct agent_seen *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

/* Goes round once at most, from where the last call stopped. */
size_t agents_take_seen(struct agents *a, struct agent_seen *out, size_t limit)
{
    uint32_t words = 0;
    uint32_t rows = 0;
    size_t n = 0;

    pthread_mutex_lock(&a->take);

    uint32_t word = a->take_from;

    do {
        n += take_row(a, word, out + n, limit - n, &words);
        rows++;
        if (n < limit)
            word = word + 1 < words ? word + 1 : 0;
    } while (n < limit && rows <= words);
    a->take_from = word;
    pthread_mutex_unlock(&a->take);
    if (n > 0)
        qsort(out, n, sizeof(*out), by_number);
    return n;
}

void agents_give_back_seen(struct agents *a, const struct agent_seen *seen, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct shard *s;
        uint32_t record;

        if (agents_lock_number(a, seen[i].id, &s, &record)) {
            shard_mark(s, record);
            pthread_mutex_unlock(&s->lock);
        }
    }
}

int64_t record_inactive_at(int64_t inactive_us, int64_t seen_us, int64_t now_us, int64_t after_us)
{
    if (inactive_us)
        return inactive_us;
    if (seen_us == 0 || after_us <= 0 || now_us - seen_us <= after_us)
        return 0;
    return seen_us + after_us;
}

int64_t agent_inactive_at(const struct agent *agent, int64_t now_us, int64_t after_us)
{
    return record_inactive_at(agent->inactive_us, agent->row.last_seen_us, now_us, after_us);
}

/* Calls fn for each record of a shard that is in use, with the shard's lock, which is let go of
 * after each step. fn returns false to end the walk. */
static bool each_record(struct shard *s, bool (*fn)(void *arg, const struct record *r), void *arg)
{
    bool more = true;

    for (uint32_t i = 0, end = 1; more && i < end;) {
        pthread_mutex_lock(&s->lock);
        end = s->end;
        for (uint32_t last = MIN(end, i + RECORDS_A_STEP); more && i < last; i++) {
            const struct record *r = shard_record(s, i);

            if (r->body)
                more = fn(arg, r);
        }
        pthread_mutex_unlock(&s->lock);
    }
    return more;
}

struct silence {
    struct arena *arena;
    int64_t before_us;
    struct str *ids;
    size_t count;
    size_t limit;
};

static bool add_silent(void *arg, const struct record *r)
{
    struct silence *q = arg;
    int64_t seen_us = r->seen_us ? r->seen_us : record_tail(r).created_us;

    if ((r->flags & RECORD_REGISTERED) && seen_us < q->before_us)
        q->ids[q->count++] = arena_str(q->arena, record_id(r));
    return q->count < q->limit;
}

void agents_silent(struct agents *a, struct arena *arena, int64_t before_us, size_t limit,
                   struct str **ids, size_t *count)
{
    struct silence q = {
        .arena = arena,
        .before_us = before_us,
        .ids = arena_new_array(arena, struct str, limit),
        .limit = limit,
    };

    for (size_t i = 0; limit > 0 && i < SHARD_COUNT; i++) {
        if (!each_record(&a->shards[i], add_silent, &q))
            break;
    }
    *ids = q.ids;
    *count = q.count;
}

struct expired {
    int64_t before_us;
    int64_t *numbers;
    size_t count;
    size_t limit;
};

static bool add_expired(void *arg, const struct record *r)
{
    struct expired *q = arg;

    if (!(r->flags & RECORD_EPHEMERAL))
        return true;
    if ((r->seen_us ? r->seen_us : record_tail(r).created_us) < q->before_us)
        q->numbers[q->count++] = r->id;
    return q->count < q->limit;
}

size_t agents_expired(struct agents *a, int64_t before_us, int64_t *out, size_t limit)
{
    struct expired q = {.before_us = before_us, .numbers = out, .limit = limit};

    for (size_t i = 0; limit > 0 && i < SHARD_COUNT; i++) {
        if (!each_record(&a->shards[i], add_expired, &q))
            break;
    }
    return q.count;
}

struct summing {
    struct agents_stats *out;
    int64_t now_us;
    int64_t after_us;
};

static bool add_sums(void *arg, const struct record *r)
{
    struct summing *sum = arg;

    sum->out->agents++;
    if (r->seen_us && !record_inactive_at(r->inactive_us, r->seen_us, sum->now_us, sum->after_us))
        sum->out->active++;
    sum->out->by_status[r->status % COUNTOF(sum->out->by_status)]++;
    return true;
}

static void add_shard(struct shard *s, struct agents_stats *out)
{
    pthread_mutex_lock(&s->lock);
    out->polls_unchanged += s->polls[POLL_UNCHANGED];
    out->polls_slow += s->polls[POLL_SLOW];
    out->memory_bytes += hash_index_bytes(&s->ids) + s->end * sizeof(struct record);
    pthread_mutex_unlock(&s->lock);
}

/* Long bodies are few, and postings are small beside what they list: the sum is about right
 * without a look at each. */
static void add_index(struct agents *a, struct agents_stats *out)
{
    pthread_rwlock_rdlock(&a->lock);
    out->strings = attribute_index_count(&a->attributes);
    out->memory_bytes += attribute_index_bytes(&a->attributes) + posting_bytes(&a->all);
    pthread_rwlock_unlock(&a->lock);
    pthread_mutex_lock(&a->order);
    out->memory_bytes += number_index_bytes(&a->numbers);
    pthread_mutex_unlock(&a->order);
    pthread_mutex_lock(&a->writer);
    out->memory_bytes += a->body_bytes;
    pthread_mutex_unlock(&a->writer);
}

void agents_stats(struct agents *a, int64_t now_us, int64_t after_us, struct agents_stats *out)
{
    struct summing sum = {out, now_us, after_us};

    *out = (struct agents_stats){.memory_bytes = sizeof(*a)};
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        each_record(&a->shards[i], add_sums, &sum);
        add_shard(&a->shards[i], out);
    }
    add_index(a, out);
}
