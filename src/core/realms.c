/* SPDX-License-Identifier: Apache-2.0 */
/* See realms.h. Readers probe a table of slots that are only ever filled; a full table is replaced
 * by a bigger one and kept until the end, since somebody may still be reading it. */
#include "core/realms.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/slot.h"

#define SLOTS_MIN 16

struct realm_table {
    struct realm_table *before; /* the smaller one that this replaced */
    size_t mask;
    struct slot slots[];
};

struct realms {
    struct pipelines_options pipelines;
    struct slot table;
    pthread_mutex_t lock;  /* guards what follows, and filling the table */
    struct realm **sorted; /* by tenant */
    size_t count;
};

static struct realm_table *new_table(size_t slots, struct realm_table *before)
{
    struct realm_table *t = heap_calloc(1, sizeof(*t) + slots * sizeof(t->slots[0]));

    t->before = before;
    t->mask = slots - 1;
    return t;
}

struct realms *realms_new(const struct pipelines_options *o)
{
    struct realms *r = heap_new_type(struct realms);

    r->pipelines = *o;
    pthread_mutex_init(&r->lock, NULL);
    slot_set(&r->table, new_table(SLOTS_MIN, NULL));
    return r;
}

void realms_free(struct realms **realms)
{
    struct realms *r = *realms;
    struct realm_table *t;

    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++) {
        agents_free(&r->sorted[i]->agents);
        pipelines_free(&r->sorted[i]->pipelines);
        free(r->sorted[i]);
    }
    free(r->sorted);
    t = slot_get(&r->table);
    while (t) {
        struct realm_table *before = t->before;

        free(t);
        t = before;
    }
    pthread_mutex_destroy(&r->lock);
    free(r);
    *realms = NULL;
}

static size_t home(const struct realm_table *t, uint64_t tenant)
{
    return (size_t)(tenant * UINT64_C(0x9e3779b97f4a7c15) >> 32) & t->mask;
}

static struct realm *find(struct realm_table *t, uint64_t tenant)
{
    for (size_t i = home(t, tenant);; i = (i + 1) & t->mask) {
        struct realm *realm = slot_get(&t->slots[i]);

        if (!realm || realm->tenant == tenant)
            return realm;
    }
}

/* With the lock. */
static void fill(struct realm_table *t, struct realm *realm)
{
    size_t i = home(t, realm->tenant);

    while (slot_get(&t->slots[i]))
        i = (i + 1) & t->mask;
    slot_set(&t->slots[i], realm);
}

/* With the lock. Half of a table stays free. */
static void make_room(struct realms *r)
{
    struct realm_table *t = slot_get(&r->table);

    if (r->count < t->mask / 2)
        return;

    struct realm_table *bigger = new_table(2 * (t->mask + 1), t);

    for (size_t i = 0; i < r->count; i++)
        fill(bigger, r->sorted[i]);
    slot_set(&r->table, bigger);
}

/* With the lock: where a realm of this tenant is or would be. */
static size_t position(const struct realms *r, uint64_t tenant)
{
    size_t low = 0;
    size_t high = r->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (r->sorted[middle]->tenant < tenant)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* With the lock. */
static struct realm *add(struct realms *r, uint64_t tenant)
{
    struct realm *realm = heap_new_type(struct realm);
    size_t at = position(r, tenant);

    realm->tenant = tenant;
    realm->agents = agents_new();
    realm->pipelines = pipelines_new(&r->pipelines);
    make_room(r);
    r->sorted = heap_realloc(r->sorted, (r->count + 1) * sizeof(struct realm *));
    memmove(r->sorted + at + 1, r->sorted + at, (r->count - at) * sizeof(struct realm *));
    r->sorted[at] = realm;
    r->count++;
    fill(slot_get(&r->table), realm);
    return realm;
}

struct realm *realms_get(struct realms *r, uint64_t tenant)
{
    struct realm *realm = find(slot_get(&r->table), tenant);

    if (realm)
        return realm;
    pthread_mutex_lock(&r->lock);
    realm = find(slot_get(&r->table), tenant);
    if (!realm)
        realm = add(r, tenant);
    pthread_mutex_unlock(&r->lock);
    return realm;
}

bool realms_next(struct realms *r, uint64_t after, struct realm **out)
{
    bool found;

    if (after == UINT64_MAX)
        return false;
    pthread_mutex_lock(&r->lock);

    size_t at = position(r, after + 1);

    found = at < r->count;
    if (found)
        *out = r->sorted[at];
    pthread_mutex_unlock(&r->lock);
    return found;
}
