/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the smallest ids of a walk in no order, in memory for those alone. */
#include <stdlib.h>

#include "api/native/native_internal.h"

void first_ids_init(struct first_ids *ids, struct arena *a, size_t cap)
{
    *ids = (struct first_ids){
        .arena = a, .items = arena_new_array(a, struct str, MAX(cap, 1)), .cap = cap};
}

static void rise(struct str *items, size_t at)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        struct str moved = items[at];

        if (str_cmp(items[parent], moved) >= 0)
            return;
        items[at] = items[parent];
        items[parent] = moved;
        at = parent;
    }
}

static void sink(struct str *items, size_t count)
{
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;
        struct str moved = items[at];

        if (child >= count)
            return;
        if (child + 1 < count && str_cmp(items[child], items[child + 1]) < 0)
            child++;
        if (str_cmp(moved, items[child]) >= 0)
            return;
        items[at] = items[child];
        items[child] = moved;
        at = child;
    }
}

void first_ids_put(struct first_ids *ids, struct str id)
{
    ids->total++;
    if (ids->count < ids->cap) {
        ids->items[ids->count] = arena_str(ids->arena, id);
        rise(ids->items, ids->count++);
    } else if (ids->cap > 0 && str_cmp(id, ids->items[0]) < 0) {
        ids->items[0] = arena_str(ids->arena, id);
        sink(ids->items, ids->count);
    }
}

static int by_text(const void *a, const void *b)
{
    const struct str *x = a;
    const struct str *y = b;

    return str_cmp(*x, *y);
}

void first_ids_sort(struct first_ids *ids)
{
    size_t n = 0;

    qsort(ids->items, ids->count, sizeof(*ids->items), by_text);
    for (size_t i = 0; i < ids->count; i++)
        if (n == 0 || !str_eq(ids->items[n - 1], ids->items[i]))
            ids->items[n++] = ids->items[i];
    ids->total -= ids->count - n;
    ids->count = n;
}
