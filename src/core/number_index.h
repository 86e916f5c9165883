/* SPDX-License-Identifier: Apache-2.0 */
/* From positive numbers to small values, in order of the numbers: for ids that grow, so that most
 * come at the end, and for walks that begin anywhere. Sorted blocks behind a sorted list of them,
 * twelve bytes an entry. One thread at a time, or any number that only read. */
#ifndef CORE_NUMBER_INDEX_H
#define CORE_NUMBER_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBER_BLOCK 512 /* entries, at most */

struct number_block;

/* None of them empty. */
struct number_place {
    int64_t first; /* at most the block's first number, and above all of the block before */
    struct number_block *block;
};

/* Zeroed: empty. */
struct number_index {
    struct number_place *blocks;
    size_t count;
    size_t room;
};

void number_index_done(struct number_index *x);

/* The number is not in there yet. */
void number_index_add(struct number_index *x, int64_t number, uint32_t value);

/* Removing what is not in there does nothing. */
void number_index_remove(struct number_index *x, int64_t number);

bool number_index_find(const struct number_index *x, int64_t number, uint32_t *value);

struct number_entry {
    int64_t number;
    uint32_t value;
};

/* The first entries above `after`, in order, at most `limit`. */
size_t number_index_above(const struct number_index *x, int64_t after, struct number_entry *out,
                          size_t limit);

/* What it takes beyond the struct. */
size_t number_index_bytes(const struct number_index *x);

#endif
