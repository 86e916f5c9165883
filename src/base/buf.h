/* SPDX-License-Identifier: Apache-2.0 */
/* Growable bytes with a ceiling given at birth. Appending never fails loudly: past the ceiling the
 * bytes are dropped and `overflow` stays set, to be checked once at the end. Owned by one thread.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"

struct buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max;
    struct arena *arena; /* NULL: heap memory, given back by buf_done() */
    bool overflow;
};

void buf_init(struct buf *b, size_t max);

/* Grows inside the arena; needs no buf_done(). */
void buf_init_arena(struct buf *b, struct arena *a, size_t max);

/* Gives the memory back; the buffer may be used again. */
void buf_done(struct buf *b);

void buf_put(struct buf *b, const void *data, size_t len);
void buf_put_str(struct buf *b, struct str s);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_i64(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

static inline void buf_put_byte(struct buf *b, uint8_t c)
{
    if (b->len < b->cap)
        b->data[b->len++] = c;
    else
        buf_put(b, &c, 1);
}

/* Room for `len` more bytes at b->data + b->len, to be claimed by adding to b->len. NULL (and
 * overflow set) when the ceiling is in the way. */
uint8_t *buf_reserve(struct buf *b, size_t len) MUST_CHECK;

/* Drops the first `len` bytes, moving the rest to the front. */
void buf_consume(struct buf *b, size_t len);

static inline void buf_clear(struct buf *b)
{
    b->len = 0;
    b->overflow = false;
}

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){(const char *)b->data, b->len};
}

#endif
