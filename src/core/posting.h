/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of slot numbers. A posting is small where its set is: one or two members lie inside of it,
 * some hundreds in a sorted array, more in a compressed bitmap. A slot_set is the bitmap alone, for
 * computing. One thread at a time, or any number that only read. */
#ifndef CORE_POSTING_H
#define CORE_POSTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct slot_set; /* CRoaring's bitmap */

#define POSTING_INLINE 2

enum posting_form {
    POSTING_SLOTS, /* also when it is empty */
    POSTING_ARRAY,
    POSTING_BITMAP,
};

/* Zeroed: empty. */
struct posting {
    union {
        uint32_t slots[POSTING_INLINE];
        struct slot_array *array;
        struct slot_set *bitmap;
    } as;
    uint32_t count;
    enum posting_form form;
};

void posting_done(struct posting *p);

/* Adding what is in there, and removing what is not, does nothing. */
void posting_add(struct posting *p, uint32_t slot);
void posting_remove(struct posting *p, uint32_t slot);
bool posting_has(const struct posting *p, uint32_t slot);

/* What it takes beyond the struct, about. */
size_t posting_bytes(const struct posting *p);

struct slot_set *slot_set_new(void) RETURNS_NONNULL;
struct slot_set *slot_set_of(const struct posting *p) RETURNS_NONNULL;
void slot_set_free(struct slot_set **s);
size_t slot_set_count(const struct slot_set *s);

void slot_set_add(struct slot_set *s, const struct posting *p);
void slot_set_keep(struct slot_set *s, const struct posting *p);
void slot_set_keep_set(struct slot_set *s, const struct slot_set *other);
void slot_set_drop(struct slot_set *s, const struct posting *p);
void slot_set_drop_set(struct slot_set *s, const struct slot_set *other);

/* Ascending; room for slot_set_count() of them. */
void slot_set_list(const struct slot_set *s, uint32_t *out);

#endif
