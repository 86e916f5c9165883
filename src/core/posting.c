/* SPDX-License-Identifier: Apache-2.0 */
/* See posting.h. The array form exists because a bitmap spends tens of bytes on each run of 65536
 * numbers that it has a member in. */
#include "core/posting.h"

#include <assert.h>
#include <roaring/roaring.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"

#define ARRAY_FIRST 6
#define ARRAY_MAX   512
#define ARRAY_BACK  384 /* a bitmap becomes an array again: not at once, lest it goes to and fro */

struct slot_array {
    uint32_t capacity;
    uint32_t slots[];
};

static roaring_bitmap_t *bits_of(struct slot_set *s)
{
    return (roaring_bitmap_t *)(void *)s;
}

static const roaring_bitmap_t *const_bits_of(const struct slot_set *s)
{
    return (const roaring_bitmap_t *)(const void *)s;
}

struct slot_set *slot_set_new(void)
{
    roaring_bitmap_t *bits = roaring_bitmap_create();

    assert(bits);
    return (struct slot_set *)(void *)bits;
}

void slot_set_free(struct slot_set **s)
{
    if (*s)
        roaring_bitmap_free(bits_of(*s));
    *s = NULL;
}

/* The members that are not in a bitmap, sorted. */
static const uint32_t *members(const struct posting *p)
{
    return p->form == POSTING_ARRAY ? p->as.array->slots : p->as.slots;
}

/* The first index whose member is not below the slot. */
static uint32_t position(const uint32_t *slots, uint32_t count, uint32_t slot)
{
    uint32_t low = 0;

    if (count > 0 && slots[count - 1] < slot) /* numbers are given out upwards */
        return count;
    while (low < count) {
        uint32_t middle = low + (count - low) / 2;

        if (slots[middle] < slot)
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}

void posting_done(struct posting *p)
{
    if (p->form == POSTING_ARRAY)
        free(p->as.array);
    else if (p->form == POSTING_BITMAP)
        slot_set_free(&p->as.bitmap);
    *p = (struct posting){0};
}

static void become_array(struct posting *p)
{
    uint32_t count = p->count;
    uint32_t capacity = MAX(count, ARRAY_FIRST);
    struct slot_array *array =
        heap_alloc(sizeof(*array) + (size_t)capacity * sizeof(array->slots[0]));

    array->capacity = capacity;
    if (p->form == POSTING_BITMAP)
        slot_set_list(p->as.bitmap, array->slots);
    else
        memcpy(array->slots, p->as.slots, count * sizeof(array->slots[0]));
    posting_done(p);
    *p = (struct posting){.as.array = array, .count = count, .form = POSTING_ARRAY};
}

static void become_bitmap(struct posting *p)
{
    struct slot_set *bitmap = slot_set_of(p);
    uint32_t count = p->count;

    posting_done(p);
    *p = (struct posting){.as.bitmap = bitmap, .count = count, .form = POSTING_BITMAP};
}

static void become_slots(struct posting *p)
{
    struct posting small = {.count = p->count};

    memcpy(small.as.slots, p->as.array->slots, p->count * sizeof(small.as.slots[0]));
    posting_done(p);
    *p = small;
}

/* Room for one more in the array. */
static void widen(struct posting *p)
{
    struct slot_array *array = p->as.array;

    if (p->count < array->capacity)
        return;
    array->capacity += array->capacity / 2;
    p->as.array =
        heap_realloc(array, sizeof(*array) + (size_t)array->capacity * sizeof(array->slots[0]));
}

static void insert(struct posting *p, uint32_t at, uint32_t slot)
{
    uint32_t *slots;

    if (p->form == POSTING_SLOTS && p->count == POSTING_INLINE)
        become_array(p);
    if (p->form == POSTING_ARRAY)
        widen(p);
    slots = p->form == POSTING_ARRAY ? p->as.array->slots : p->as.slots;
    memmove(slots + at + 1, slots + at, (p->count - at) * sizeof(*slots));
    slots[at] = slot;
    p->count++;
}

void posting_add(struct posting *p, uint32_t slot)
{
    if (p->form != POSTING_BITMAP) {
        uint32_t at = position(members(p), p->count, slot);

        if (at < p->count && members(p)[at] == slot)
            return;
        if (p->count < ARRAY_MAX) {
            insert(p, at, slot);
            return;
        }
        become_bitmap(p);
    }
    if (roaring_bitmap_add_checked(bits_of(p->as.bitmap), slot))
        p->count++;
}

void posting_remove(struct posting *p, uint32_t slot)
{
    if (p->form == POSTING_BITMAP) {
        if (!roaring_bitmap_remove_checked(bits_of(p->as.bitmap), slot))
            return;
        if (--p->count <= ARRAY_BACK)
            become_array(p);
        return;
    }

    uint32_t *slots = p->form == POSTING_ARRAY ? p->as.array->slots : p->as.slots;
    uint32_t at = position(slots, p->count, slot);

    if (at == p->count || slots[at] != slot)
        return;
    memmove(slots + at, slots + at + 1, (p->count - at - 1) * sizeof(*slots));
    p->count--;
    if (p->form == POSTING_ARRAY && p->count <= POSTING_INLINE)
        become_slots(p);
}

bool posting_has(const struct posting *p, uint32_t slot)
{
    if (p->form == POSTING_BITMAP)
        return roaring_bitmap_contains(const_bits_of(p->as.bitmap), slot);

    uint32_t at = position(members(p), p->count, slot);

    return at < p->count && members(p)[at] == slot;
}

size_t posting_bytes(const struct posting *p)
{
    switch (p->form) {
    case POSTING_SLOTS: return 0;
    case POSTING_ARRAY:
        return sizeof(*p->as.array) + (size_t)p->as.array->capacity * sizeof(uint32_t);
    case POSTING_BITMAP:
        return sizeof(roaring_bitmap_t) + roaring_bitmap_size_in_bytes(const_bits_of(p->as.bitmap));
    }
    return 0;
}

struct slot_set *slot_set_of(const struct posting *p)
{
    roaring_bitmap_t *bits = p->form == POSTING_BITMAP
                                 ? roaring_bitmap_copy(const_bits_of(p->as.bitmap))
                                 : roaring_bitmap_of_ptr(p->count, members(p));

    assert(bits);
    return (struct slot_set *)(void *)bits;
}

size_t slot_set_count(const struct slot_set *s)
{
    return (size_t)roaring_bitmap_get_cardinality(const_bits_of(s));
}

void slot_set_add(struct slot_set *s, const struct posting *p)
{
    if (p->form == POSTING_BITMAP)
        roaring_bitmap_or_inplace(bits_of(s), const_bits_of(p->as.bitmap));
    else
        roaring_bitmap_add_many(bits_of(s), p->count, members(p));
}

void slot_set_keep_set(struct slot_set *s, const struct slot_set *other)
{
    roaring_bitmap_and_inplace(bits_of(s), const_bits_of(other));
}

void slot_set_drop_set(struct slot_set *s, const struct slot_set *other)
{
    roaring_bitmap_andnot_inplace(bits_of(s), const_bits_of(other));
}

void slot_set_keep(struct slot_set *s, const struct posting *p)
{
    if (p->form == POSTING_BITMAP) {
        slot_set_keep_set(s, p->as.bitmap);
        return;
    }

    struct slot_set *other = slot_set_of(p);

    slot_set_keep_set(s, other);
    slot_set_free(&other);
}

void slot_set_drop(struct slot_set *s, const struct posting *p)
{
    if (p->form == POSTING_BITMAP) {
        slot_set_drop_set(s, p->as.bitmap);
        return;
    }
    for (uint32_t i = 0; i < p->count; i++)
        roaring_bitmap_remove(bits_of(s), members(p)[i]);
}

void slot_set_list(const struct slot_set *s, uint32_t *out)
{
    roaring_bitmap_to_uint32_array(const_bits_of(s), out);
}
