/* SPDX-License-Identifier: Apache-2.0 */
/* All pipelines of a tenant; see pipelines.h. A change swaps one pointer and writes one entry of
 * the log; all that follows from it is found out by those who ask, each for itself: which set an
 * agent has by the entries since its choice was made, what the text of a set is by those since the
 * set was last looked at. */
#include "core/pipelines.h"

#include <assert.h>
#include <stdlib.h>

#include "base/heap.h"
#include "codec/sha256.h"
#include "core/pipelines_internal.h"

#define VARIANT_BYTES_DEFAULT ((size_t)64 << 20)
#define IDS_AT_HAND           512

struct str pipelines_none(const struct pipelines *p)
{
    return p->options.disabled_is_empty ? STR("") : alloy_config_none();
}

static void init_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attr;

    /* Polls never cease; a change shall not wait for that. Nobody takes it twice. */
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &attr);
    pthread_rwlockattr_destroy(&attr);
}

struct pipelines *pipelines_new(const struct pipelines_options *o)
{
    struct pipelines *p = heap_new_type(struct pipelines);

    p->options = *o;
    p->texts = texts_new(o->variant_bytes > 0 ? o->variant_bytes : VARIANT_BYTES_DEFAULT);
    p->sets = sets_new(p->texts);
    p->conditions = conditions_new();
    init_lock(&p->lock);
    pthread_mutex_init(&p->sets_lock, NULL);
    word_set(&p->number, 1);
    sha256(pipelines_none(p), p->none_hash);
    return p;
}

void pipelines_free(struct pipelines **pipelines)
{
    struct pipelines *p = *pipelines;

    if (!p)
        return;
    for (size_t i = 0; i < word_get(&p->count); i++)
        compiled_free(&p->all[i]);
    free(p->all);
    conditions_free(&p->conditions);
    sets_free(&p->sets);
    texts_free(&p->texts);
    pthread_mutex_destroy(&p->sets_lock);
    pthread_rwlock_destroy(&p->lock);
    free(p);
    *pipelines = NULL;
}

size_t pipelines_index(const struct pipelines *p, int64_t id)
{
    size_t low = 0;
    size_t high = word_get(&p->count);

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (p->all[mid]->id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct compiled *pipelines_find(const struct pipelines *p, int64_t id)
{
    size_t i = pipelines_index(p, id);

    return i < word_get(&p->count) && p->all[i]->id == id ? p->all[i] : NULL;
}

/* --- changes --- */

static void insert(struct pipelines *p, size_t at, struct compiled *c)
{
    size_t count = word_get(&p->count);

    if (count == p->capacity) {
        p->capacity = p->capacity ? p->capacity * 2 : 16;
        p->all = heap_realloc(p->all, p->capacity * sizeof(*p->all));
    }
    memmove(&p->all[at + 1], &p->all[at], (count - at) * sizeof(*p->all));
    p->all[at] = c;
    word_set(&p->count, count + 1);
}

static void record(struct pipelines *p, int64_t id, bool choice, bool text)
{
    uint64_t number = word_get(&p->number) + 1;

    p->log[number % LOG_ENTRIES] = (struct change){number, id, choice, text};
    word_set(&p->number, number);
}

/* Returns what is not needed any more: the version before, or the new one when nothing differs. */
static struct compiled *publish(struct pipelines *p, struct compiled *c)
{
    uint64_t number = word_get(&p->number) + 1;
    struct compiled *old = pipelines_find(p, c->id);
    bool choice = !old || !compiled_is_chosen_alike(old, c);
    bool text = !old || !compiled_reads_alike(old, c);

    if (!choice && !text)
        return c;
    compiled_join(c, p->conditions);
    c->choice_number = number;
    c->text_number = number;
    if (old) {
        compiled_leave(old, p->conditions);
        if (!choice)
            c->choice_number = old->choice_number;
        if (!text)
            c->text_number = old->text_number;
        p->all[pipelines_index(p, c->id)] = c;
    } else {
        insert(p, pipelines_index(p, c->id), c);
    }
    record(p, c->id, choice, text);
    return old;
}

static void release(struct pipelines *p, struct compiled *c)
{
    if (!c)
        return;

    pthread_mutex_lock(&p->sets_lock);

    bool last = --c->refs == 0;

    pthread_mutex_unlock(&p->sets_lock);
    if (last)
        compiled_free(&c);
}

/* Returns what is not needed any more. */
static struct compiled *withdraw(struct pipelines *p, int64_t id)
{
    struct compiled *c = pipelines_find(p, id);

    if (!c)
        return NULL;

    size_t at = pipelines_index(p, id);
    size_t count = word_get(&p->count) - 1;

    memmove(&p->all[at], &p->all[at + 1], (count - at) * sizeof(*p->all));
    word_set(&p->count, count);
    compiled_leave(c, p->conditions);
    record(p, id, true, true);
    return c;
}

void pipelines_apply(struct pipelines *p, const struct pipelines_edit *edits, size_t count)
{
    struct compiled **all = heap_new_array(struct compiled *, count);

    for (size_t i = 0; i < count; i++) {
        if (edits[i].row)
            all[i] = compiled_new(edits[i].row, edits[i].fail);
    }
    pthread_rwlock_wrlock(&p->lock);
    for (size_t i = 0; i < count; i++)
        all[i] = all[i] ? publish(p, all[i]) : withdraw(p, edits[i].gone);
    pthread_rwlock_unlock(&p->lock);
    for (size_t i = 0; i < count; i++)
        release(p, all[i]);
    free(all);
}

int pipelines_put(struct pipelines *p, const struct pipeline *row, struct fail *f)
{
    struct fail why = {0};

    pipelines_apply(p, &(struct pipelines_edit){.row = row, .fail = &why}, 1);
    if (why.code == CODE_OK)
        return 0;
    *f = why;
    return -1;
}

void pipelines_remove(struct pipelines *p, int64_t id)
{
    pipelines_apply(p, &(struct pipelines_edit){.gone = id}, 1);
}

size_t pipelines_count(const struct pipelines *p)
{
    return word_get(&p->count);
}

static bool log_reaches(const struct pipelines *p, uint64_t number)
{
    return number > 0 && word_get(&p->number) - number <= LOG_ENTRIES;
}

static const struct change *change_at(const struct pipelines *p, uint64_t number)
{
    return &p->log[number % LOG_ENTRIES];
}

/* --- what a set's text is made of --- */

static int by_str(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static size_t drop_repeats(struct str *sorted, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        if (n == 0 || !str_eq(sorted[n - 1], sorted[i]))
            sorted[n++] = sorted[i];
    }
    return n;
}

/* The keys' strings are copied: the members that they come from may be replaced. */
static void collect_keys(const struct pipelines *p, struct pipeline_set *s, size_t bound)
{
    if (!s->arena)
        s->arena = arena_new(bound * sizeof(struct str));
    arena_reset(s->arena);
    s->keys = arena_new_array(s->arena, struct str, bound);
    s->key_count = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct compiled *c = pipelines_find(p, s->ids[i]);

        for (size_t k = 0; c && k < c->facts.key_count; k++)
            s->keys[s->key_count++] = c->facts.keys[k];
    }
    qsort(s->keys, s->key_count, sizeof(*s->keys), by_str);
    s->key_count = drop_repeats(s->keys, s->key_count);
    for (size_t k = 0; k < s->key_count; k++)
        s->keys[k] = arena_str(s->arena, s->keys[k]);
}

static void read_members(const struct pipelines *p, struct pipeline_set *s)
{
    size_t keys = 0;

    s->version = 0;
    s->use = ATTRIBUTES_UNUSED;
    for (size_t i = 0; i < s->count; i++) {
        const struct compiled *c = pipelines_find(p, s->ids[i]);

        if (!c)
            continue;
        s->version = MAX(s->version, c->text_number);
        s->use = MAX(s->use, c->facts.attributes);
        keys += c->facts.key_count;
    }
    s->key_count = 0;
    if (s->use == ATTRIBUTES_BY_KEY)
        collect_keys(p, s, keys);
}

static bool text_changed_since(const struct pipelines *p, const struct pipeline_set *s,
                               uint64_t number)
{
    for (uint64_t n = number + 1; n <= word_get(&p->number); n++) {
        const struct change *e = change_at(p, n);

        if (e->text && set_has(s, e->pipeline))
            return true;
    }
    return false;
}

/* Under both locks. A set that lost a member is nobody's at its next look, so what is said of it
 * then does not matter. */
static void follow_members(const struct pipelines *p, struct pipeline_set *s)
{
    uint64_t now = word_get(&p->number);

    if (s->checked == now)
        return;
    if (!log_reaches(p, s->checked) || text_changed_since(p, s, s->checked)) {
        uint64_t before = s->version;

        read_members(p, s);
        if (s->version != before)
            texts_forget(p->texts, &s->texts);
    }
    s->checked = now;
}

/* --- which set an agent has --- */

/* Room for the ids of a selection. */
struct ids {
    int64_t *at;
    size_t count;
    int64_t at_hand[IDS_AT_HAND];
};

static void ids_init(struct ids *ids, size_t most)
{
    ids->count = 0;
    ids->at = most <= IDS_AT_HAND ? ids->at_hand : heap_alloc(most * sizeof(*ids->at));
}

static void ids_done(struct ids *ids)
{
    if (ids->at != ids->at_hand)
        free(ids->at);
}

static bool gets_nothing(const struct agent_view *v)
{
    return !v->enabled || v->type != AGENT_ALLOY;
}

static void select_all(const struct pipelines *p, const struct agent_view *v, struct ids *out)
{
    if (gets_nothing(v))
        return;

    struct verdicts known;

    verdicts_init(&known, p->conditions, v->attributes, v->attribute_count);
    for (size_t i = 0; i < word_get(&p->count); i++) {
        if (compiled_judge(p->all[i], &p->options, v, &known) == VERDICT_SELECTED)
            out->at[out->count++] = p->all[i]->id;
    }
    verdicts_done(&known);
}

static bool ids_set(struct ids *ids, int64_t id, bool wanted)
{
    size_t i = 0;

    while (i < ids->count && ids->at[i] < id)
        i++;

    bool is_there = i < ids->count && ids->at[i] == id;

    if (is_there == wanted)
        return false;
    if (wanted) {
        memmove(&ids->at[i + 1], &ids->at[i], (ids->count - i) * sizeof(*ids->at));
        ids->at[i] = id;
        ids->count++;
    } else {
        ids->count--;
        memmove(&ids->at[i], &ids->at[i + 1], (ids->count - i) * sizeof(*ids->at));
    }
    return true;
}

/* Whether the change decides about the pipeline as it is now: later ones of the same have their own
 * entries. */
static bool is_last_word(const struct change *e, const struct compiled *c)
{
    return e->choice && (!c || c->choice_number == e->number);
}

/* Looks at what changed since the choice was made: true when another set follows from it. */
static bool select_changed(const struct pipelines *p, const struct agent_view *v,
                           const struct choice *c, struct ids *out)
{
    bool differs = false;

    memcpy(out->at, c->set->ids, c->set->count * sizeof(*out->at));
    out->count = c->set->count;
    for (uint64_t n = c->number + 1; n <= word_get(&p->number); n++) {
        const struct change *e = change_at(p, n);
        const struct compiled *one = pipelines_find(p, e->pipeline);

        if (!is_last_word(e, one))
            continue;
        differs |= ids_set(out, e->pipeline,
                           one && compiled_judge(one, &p->options, v, NULL) == VERDICT_SELECTED);
    }
    return differs;
}

/* Whether any change since the choice could make a difference to its set or its text. */
static bool is_untouched(const struct pipelines *p, const struct choice *c)
{
    for (uint64_t n = c->number + 1; n <= word_get(&p->number); n++) {
        const struct change *e = change_at(p, n);

        if (e->choice || (e->text && set_has(c->set, e->pipeline)))
            return false;
    }
    return true;
}

/* The hash of the text that the set has now for these attributes, where it is known. */
static bool find_hash(const struct pipelines *p, struct pipeline_set *s, const struct agent_view *v,
                      uint8_t hash[32])
{
    if (s->count == 0) {
        memcpy(hash, p->none_hash, sizeof(p->none_hash));
        return true;
    }
    if (s->hash_version == s->version) {
        memcpy(hash, s->hash, sizeof(s->hash));
        return true;
    }

    struct text_key key = set_text_key(s, v->attributes, v->attribute_count);

    return texts_hash(p->texts, &key, hash);
}

/* Under both locks. ids NULL: the choice keeps its set. */
static void settle(struct pipelines *p, const struct agent_view *v, struct choice *c,
                   const struct ids *ids)
{
    if (ids) {
        struct pipeline_set *s = sets_intern(p->sets, ids->at, ids->count);

        c->has_hash = c->has_hash && c->set && s == c->set;
        sets_unref(p->sets, &c->set);
        c->set = s;
    }
    follow_members(p, c->set);
    if (!c->has_hash || c->set->version > c->number)
        c->has_hash = find_hash(p, c->set, v, c->hash);
    c->number = word_get(&p->number);
}

bool pipelines_is_current(const struct pipelines *p, const struct choice *c)
{
    return c->has_hash && c->number == word_get(&p->number);
}

static bool refresh(struct pipelines *p, const struct agent_view *v, struct choice *c)
{
    bool can_follow = c->set && log_reaches(p, c->number) && !gets_nothing(v);

    if (can_follow && c->has_hash && is_untouched(p, c)) {
        c->number = word_get(&p->number);
        return true;
    }

    struct ids ids;
    bool differs = true;

    ids_init(&ids,
             can_follow ? c->set->count + (word_get(&p->number) - c->number) : word_get(&p->count));
    if (can_follow)
        differs = select_changed(p, v, c, &ids);
    else
        select_all(p, v, &ids);
    pthread_mutex_lock(&p->sets_lock);
    settle(p, v, c, differs ? &ids : NULL);
    pthread_mutex_unlock(&p->sets_lock);
    ids_done(&ids);
    return c->has_hash;
}

bool pipelines_refresh(struct pipelines *p, const struct agent_view *v, struct choice *c)
{
    pthread_rwlock_rdlock(&p->lock);

    bool known = refresh(p, v, c);

    pthread_rwlock_unlock(&p->lock);
    return known;
}

/* What a text is rendered from, held after the locks are let go. */
struct recipe {
    struct pipeline_set *set;
    uint64_t version;
    bool is_shared; /* the same for whatever attributes */
    struct text_key key;
    struct parts parts;
    struct label *attributes;
    size_t attribute_count;
};

static void hold_parts(const struct pipelines *p, struct arena *a, const struct ids *ids,
                       struct parts *out)
{
    out->items = arena_new_array(a, struct compiled *, ids->count);
    for (size_t i = 0; i < ids->count; i++) {
        struct compiled *c = pipelines_find(p, ids->at[i]);

        assert(c);
        c->refs++;
        out->items[out->count++] = c;
    }
}

/* Under both locks; ids say what was selected just now. */
static void take_recipe(struct pipelines *p, const struct agent_view *v, struct arena *a,
                        const struct ids *ids, struct recipe *out)
{
    out->set = sets_intern(p->sets, ids->at, ids->count);
    if (ids->count == 0)
        return;
    follow_members(p, out->set);
    out->version = out->set->version;
    out->is_shared = out->set->use == ATTRIBUTES_UNUSED;
    out->key = set_text_key(out->set, v->attributes, v->attribute_count);
    out->attributes = arena_new_array(a, struct label, v->attribute_count);
    out->attribute_count = set_pick(out->set, v->attributes, v->attribute_count, out->attributes);
    hold_parts(p, a, ids, &out->parts);
}

static void choose(struct pipelines *p, struct choice *c, const struct recipe *r)
{
    sets_unref(p->sets, &c->set);
    sets_ref(p->sets, r->set);
    c->set = r->set;
    c->has_hash = false;
    c->number = word_get(&p->number);
}

static struct str make_text(void *arg, struct arena *a)
{
    const struct recipe *r = arg;

    return parts_render(&r->parts, a, r->attributes, r->attribute_count);
}

/* A hash that no attribute has a part in is remembered with the set as well. */
static void give_back(struct pipelines *p, struct recipe *r, const uint8_t hash[32])
{
    parts_release(p, &r->parts);
    pthread_mutex_lock(&p->sets_lock);
    if (r->is_shared && r->version == r->set->version) {
        memcpy(r->set->hash, hash, sizeof(r->set->hash));
        r->set->hash_version = r->version;
    }
    sets_unref(p->sets, &r->set);
    pthread_mutex_unlock(&p->sets_lock);
}

static void select_for(struct pipelines *p, const struct agent_view *v, struct arena *a,
                       struct choice *c, struct recipe *out)
{
    struct ids ids;

    pthread_rwlock_rdlock(&p->lock);
    ids_init(&ids, word_get(&p->count));
    select_all(p, v, &ids);
    pthread_mutex_lock(&p->sets_lock);
    take_recipe(p, v, a, &ids, out);
    if (c)
        choose(p, c, out);
    pthread_mutex_unlock(&p->sets_lock);
    pthread_rwlock_unlock(&p->lock);
    ids_done(&ids);
}

void pipelines_render(struct pipelines *p, const struct agent_view *v, struct arena *a,
                      struct choice *c, struct rendered *out)
{
    struct recipe r = {0};

    select_for(p, v, a, c, &r);
    if (r.set->count == 0) {
        out->content = pipelines_none(p);
        memcpy(out->hash, p->none_hash, sizeof(out->hash));
    } else {
        texts_get(p->texts, &r.set->texts, &r.key, a, make_text, &r, out);
    }
    give_back(p, &r, out->hash);
    if (c) {
        memcpy(c->hash, out->hash, sizeof(c->hash));
        c->has_hash = true;
    }
}

void choice_reset(struct pipelines *p, struct choice *c)
{
    if (c->set) {
        pthread_mutex_lock(&p->sets_lock);
        sets_unref(p->sets, &c->set);
        pthread_mutex_unlock(&p->sets_lock);
    }
    *c = (struct choice){0};
}
