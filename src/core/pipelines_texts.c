/* SPDX-License-Identifier: Apache-2.0 */
/* Rendered texts; see pipelines_texts.h. A text is being made by one thread, or warm (its bytes are
 * here), or cold (only its hash is). Warm and cold ones each stand in a list by their last use. */
#include "core/pipelines_texts.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/map.h"
#include "codec/sha256.h"

_Static_assert(sizeof(((struct rendered *)0)->hash) == SHA256_LEN, "it is SHA-256");

/* Bytes that outlive their text while somebody copies them. */
struct blob {
    size_t refs;
    size_t len;
    char bytes[];
};

enum text_state {
    TEXT_MAKING,
    TEXT_WARM,
    TEXT_COLD,
};

struct text {
    struct text_key key;
    enum text_state state;
    bool is_forgotten; /* while it was being made: nobody finds it any more */
    uint8_t hash[SHA256_LEN];
    struct blob *blob; /* warm only */
    struct text *newer;
    struct text *older;
    struct text_group *group;
    struct text *group_next;
    struct text *group_prev;
};

struct use_list {
    struct text *newest;
    struct text *oldest;
    size_t count;
    size_t bytes;
    size_t bytes_max;
};

struct texts {
    pthread_mutex_t lock; /* guards everything below, and the groups */
    pthread_cond_t made;
    struct map *by_key;
    struct use_list warm;
    struct use_list cold;
};

#define TEXT_BYTES (sizeof(struct text) + 96) /* with its place in the map */

struct texts *texts_new(size_t bytes_max)
{
    struct texts *t = heap_new_type(struct texts);

    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->made, NULL);
    t->by_key = map_new();
    t->warm.bytes_max = bytes_max;
    t->cold.bytes_max = bytes_max / 8;
    return t;
}

void texts_free(struct texts **texts)
{
    struct texts *t = *texts;

    if (!t)
        return;

    struct str key;
    size_t at = 0;
    void *value;

    while (map_next(t->by_key, &at, &key, &value)) {
        free(((struct text *)value)->blob);
        free(value);
    }
    map_free(&t->by_key);
    pthread_cond_destroy(&t->made);
    pthread_mutex_destroy(&t->lock);
    free(t);
    *texts = NULL;
}

static struct str key_str(const struct text_key *k)
{
    return str_make(k->bytes, sizeof(k->bytes));
}

static void blob_unref(struct blob *b)
{
    if (b && --b->refs == 0)
        free(b);
}

static size_t bytes_of(const struct text *x)
{
    return TEXT_BYTES + (x->blob ? x->blob->len : 0);
}

static struct use_list *list_of(struct texts *t, const struct text *x)
{
    return x->state == TEXT_WARM ? &t->warm : &t->cold;
}

static void leave_list(struct texts *t, struct text *x)
{
    struct use_list *l = list_of(t, x);

    *(x->newer ? &x->newer->older : &l->newest) = x->older;
    *(x->older ? &x->older->newer : &l->oldest) = x->newer;
    x->newer = NULL;
    x->older = NULL;
    l->count--;
    l->bytes -= bytes_of(x);
}

static void join_list(struct texts *t, struct text *x)
{
    struct use_list *l = list_of(t, x);

    x->older = l->newest;
    *(l->newest ? &l->newest->newer : &l->oldest) = x;
    l->newest = x;
    l->count++;
    l->bytes += bytes_of(x);
}

static void touch(struct texts *t, struct text *x)
{
    if (list_of(t, x)->newest == x)
        return;
    leave_list(t, x);
    join_list(t, x);
}

static struct text *add(struct texts *t, struct text_group *g, const struct text_key *k)
{
    struct text *x = heap_new_type(struct text);

    x->key = *k;
    x->group = g;
    x->group_next = g->first;
    if (g->first)
        g->first->group_prev = x;
    g->first = x;
    IGNORE(map_put(t->by_key, key_str(k), x));
    return x;
}

static void drop(struct texts *t, struct text *x)
{
    IGNORE(map_remove(t->by_key, key_str(&x->key)));
    *(x->group_prev ? &x->group_prev->group_next : &x->group->first) = x->group_next;
    if (x->group_next)
        x->group_next->group_prev = x->group_prev;
    if (x->state == TEXT_MAKING) {
        x->is_forgotten = true;
        return;
    }
    leave_list(t, x);
    blob_unref(x->blob);
    free(x);
}

static void trim(struct texts *t)
{
    while (t->warm.bytes > t->warm.bytes_max) {
        struct text *x = t->warm.oldest;

        leave_list(t, x);
        blob_unref(x->blob);
        x->blob = NULL;
        x->state = TEXT_COLD;
        join_list(t, x);
    }
    while (t->cold.bytes > t->cold.bytes_max)
        drop(t, t->cold.oldest);
}

bool texts_hash(struct texts *t, const struct text_key *k, uint8_t hash[32])
{
    pthread_mutex_lock(&t->lock);

    struct text *x = map_get(t->by_key, key_str(k));
    bool known = x && x->state != TEXT_MAKING;

    if (known) {
        touch(t, x);
        memcpy(hash, x->hash, sizeof(x->hash));
    }
    pthread_mutex_unlock(&t->lock);
    return known;
}

/* Takes the bytes of a warm text, or NULL: then *mine is there and to be made. */
static struct blob *take_or_begin(struct texts *t, struct text_group *g, const struct text_key *k,
                                  struct text **mine, uint8_t hash[32])
{
    struct blob *b = NULL;
    struct text *x;

    pthread_mutex_lock(&t->lock);
    while ((x = map_get(t->by_key, key_str(k))) && x->state == TEXT_MAKING)
        pthread_cond_wait(&t->made, &t->lock);
    if (x && x->state == TEXT_WARM) {
        touch(t, x);
        memcpy(hash, x->hash, sizeof(x->hash));
        b = x->blob;
        b->refs++;
    } else if (x) {
        leave_list(t, x);
        x->state = TEXT_MAKING;
        *mine = x;
    } else {
        *mine = add(t, g, k);
    }
    pthread_mutex_unlock(&t->lock);
    return b;
}

static void finish(struct texts *t, struct text *x, const struct rendered *r)
{
    struct blob *b = heap_alloc(sizeof(*b) + r->content.len);

    b->refs = 1;
    b->len = r->content.len;
    if (b->len > 0)
        memcpy(b->bytes, r->content.p, b->len);

    pthread_mutex_lock(&t->lock);
    if (x->is_forgotten) {
        free(b);
        free(x);
    } else {
        memcpy(x->hash, r->hash, sizeof(x->hash));
        x->blob = b;
        x->state = TEXT_WARM;
        join_list(t, x);
        trim(t);
    }
    pthread_cond_broadcast(&t->made);
    pthread_mutex_unlock(&t->lock);
}

void texts_get(struct texts *t, struct text_group *g, const struct text_key *k, struct arena *a,
               struct str (*make)(void *arg, struct arena *a), void *arg, struct rendered *out)
{
    struct text *mine = NULL;
    struct blob *b = take_or_begin(t, g, k, &mine, out->hash);

    if (!b) {
        out->content = make(arg, a);
        sha256(out->content, out->hash);
        finish(t, mine, out);
        return;
    }
    out->content = arena_str(a, str_make(b->bytes, b->len));
    pthread_mutex_lock(&t->lock);
    blob_unref(b);
    pthread_mutex_unlock(&t->lock);
}

void texts_forget(struct texts *t, struct text_group *g)
{
    pthread_mutex_lock(&t->lock);
    for (struct text *x = g->first, *next; x; x = next) {
        next = x->group_next;
        drop(t, x);
    }
    pthread_mutex_unlock(&t->lock);
}

void texts_stats(struct texts *t, size_t *count, size_t *bytes)
{
    pthread_mutex_lock(&t->lock);
    *count = t->warm.count;
    *bytes = t->warm.bytes + t->cold.bytes;
    pthread_mutex_unlock(&t->lock);
}
