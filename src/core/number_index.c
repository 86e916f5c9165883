/* SPDX-License-Identifier: Apache-2.0 */
/* See number_index.h. */
#include "core/number_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/macros.h"

#define ROOM_MIN 16

/* Numbers apart from values: a search reads numbers alone. */
struct number_block {
    uint32_t count;
    uint32_t values[NUMBER_BLOCK];
    int64_t numbers[NUMBER_BLOCK];
};

void number_index_done(struct number_index *x)
{
    for (size_t i = 0; i < x->count; i++)
        free(x->blocks[i].block);
    free(x->blocks);
    *x = (struct number_index){0};
}

/* The block that the number belongs to: the last that begins at or below it, or the first. */
static size_t find_block(const struct number_index *x, int64_t number)
{
    size_t low = 0;
    size_t high = x->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (x->blocks[middle].first <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : 0;
}

/* Where the first number that is not below this one is, or the block's end. */
static uint32_t find_place(const struct number_block *b, int64_t number)
{
    uint32_t low = 0;
    uint32_t high = b->count;

    if (high > 0 && b->numbers[high - 1] < number)
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (b->numbers[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* An empty block in front of the one that is there. */
static struct number_block *insert_block(struct number_index *x, size_t at, int64_t first)
{
    if (x->count == x->room) {
        x->room = x->room ? x->room * 2 : ROOM_MIN;
        x->blocks = heap_realloc(x->blocks, x->room * sizeof(*x->blocks));
    }
    memmove(x->blocks + at + 1, x->blocks + at, (x->count - at) * sizeof(*x->blocks));
    x->blocks[at] = (struct number_place){first, heap_new_type(struct number_block)};
    x->count++;
    return x->blocks[at].block;
}

static void remove_block(struct number_index *x, size_t at)
{
    free(x->blocks[at].block);
    x->count--;
    memmove(x->blocks + at, x->blocks + at + 1, (x->count - at) * sizeof(*x->blocks));
}

/* The last entries of one block become the first of another one. */
static void move_entries(struct number_block *from, uint32_t first, struct number_block *to)
{
    uint32_t count = from->count - first;

    memcpy(to->numbers + to->count, from->numbers + first, count * sizeof(to->numbers[0]));
    memcpy(to->values + to->count, from->values + first, count * sizeof(to->values[0]));
    to->count += count;
    from->count = first;
}

/* A full block makes room. Numbers that come in order leave full blocks behind. */
static size_t split(struct number_index *x, size_t at, int64_t number)
{
    struct number_block *b = x->blocks[at].block;
    int64_t middle = b->numbers[NUMBER_BLOCK / 2];

    if (number > b->numbers[NUMBER_BLOCK - 1]) {
        insert_block(x, at + 1, number);
        return at + 1;
    }
    move_entries(b, NUMBER_BLOCK / 2, insert_block(x, at + 1, middle));
    return number < middle ? at : at + 1;
}

void number_index_add(struct number_index *x, int64_t number, uint32_t value)
{
    size_t at = find_block(x, number);

    if (x->count == 0)
        insert_block(x, 0, number);
    else if (x->blocks[at].block->count == NUMBER_BLOCK)
        at = split(x, at, number);

    struct number_block *b = x->blocks[at].block;
    uint32_t place = find_place(b, number);
    uint32_t behind = b->count - place;

    memmove(b->numbers + place + 1, b->numbers + place, behind * sizeof(b->numbers[0]));
    memmove(b->values + place + 1, b->values + place, behind * sizeof(b->values[0]));
    b->numbers[place] = number;
    b->values[place] = value;
    b->count++;
    x->blocks[at].first = MIN(x->blocks[at].first, number);
}

static bool locate(const struct number_index *x, int64_t number, size_t *at, uint32_t *place)
{
    if (x->count == 0)
        return false;
    *at = find_block(x, number);

    const struct number_block *b = x->blocks[*at].block;

    *place = find_place(b, number);
    return *place < b->count && b->numbers[*place] == number;
}

/* A block and the one behind it become one when that is half full at most. */
static void join(struct number_index *x, size_t at)
{
    if (at + 1 >= x->count)
        return;

    struct number_block *b = x->blocks[at].block;
    struct number_block *next = x->blocks[at + 1].block;

    if (b->count + next->count > NUMBER_BLOCK / 2)
        return;
    move_entries(next, 0, b);
    remove_block(x, at + 1);
}

void number_index_remove(struct number_index *x, int64_t number)
{
    size_t at;
    uint32_t place;

    if (!locate(x, number, &at, &place))
        return;

    struct number_block *b = x->blocks[at].block;
    uint32_t behind = --b->count - place;

    memmove(b->numbers + place, b->numbers + place + 1, behind * sizeof(b->numbers[0]));
    memmove(b->values + place, b->values + place + 1, behind * sizeof(b->values[0]));
    if (b->count == 0) {
        remove_block(x, at);
        return;
    }
    join(x, at);
    if (at > 0)
        join(x, at - 1);
}

bool number_index_find(const struct number_index *x, int64_t number, uint32_t *value)
{
    size_t at;
    uint32_t place;

    if (!locate(x, number, &at, &place))
        return false;
    *value = x->blocks[at].block->values[place];
    return true;
}

size_t number_index_above(const struct number_index *x, int64_t after, struct number_entry *out,
                          size_t limit)
{
    size_t n = 0;

    if (x->count == 0 || after == INT64_MAX)
        return 0;

    size_t at = find_block(x, after);
    uint32_t place = find_place(x->blocks[at].block, after + 1);

    for (; n < limit && at < x->count; at++, place = 0) {
        const struct number_block *b = x->blocks[at].block;

        for (; n < limit && place < b->count; place++)
            out[n++] = (struct number_entry){b->numbers[place], b->values[place]};
    }
    return n;
}

size_t number_index_bytes(const struct number_index *x)
{
    return x->room * sizeof(*x->blocks) + x->count * sizeof(struct number_block);
}
