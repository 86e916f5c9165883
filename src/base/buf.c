/* SPDX-License-Identifier: Apache-2.0 */
/* Growable bytes with a ceiling given at birth. Owned by one thread. After an overflow `cap` is
 * lowered to `len`, so that the inline fast path of buf_put_byte() adds nothing either: what is in
 * the buffer stays a clean beginning of what was meant. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/number.h"

#define CAP_MIN_BYTES 128

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_init_arena(struct buf *b, struct arena *a, size_t max)
{
    *b = (struct buf){.max = max, .arena = a};
}

void buf_done(struct buf *b)
{
    if (!b->arena)
        free(b->data);
    *b = (struct buf){.max = b->max, .arena = b->arena};
}

static void overflow(struct buf *b)
{
    b->overflow = true;
    b->cap = b->len;
}

static void grow(struct buf *b, size_t need)
{
    size_t twice = b->cap <= b->max / 2 ? 2 * b->cap : b->max;
    size_t cap = MAX(need, MIN(MAX(twice, CAP_MIN_BYTES), b->max));

    if (!b->arena) {
        b->data = heap_realloc(b->data, cap);
    } else if (!b->data || !arena_grow(b->arena, b->data, b->cap, cap)) {
        uint8_t *moved = arena_alloc_raw(b->arena, cap);

        if (b->data)
            memcpy(moved, b->data, b->len);
        b->data = moved;
    }
    b->cap = cap;
}

uint8_t *buf_reserve(struct buf *b, size_t len)
{
    if (b->overflow)
        return NULL;
    if (len > b->max || b->len > b->max - len) {
        overflow(b);
        return NULL;
    }
    /* Also when nothing is asked for: the answer for "no room" is NULL. */
    if (!b->data || b->len + len > b->cap)
        grow(b, b->len + len);
    return b->data + b->len;
}

void buf_put(struct buf *b, const void *data, size_t len)
{
    if (len == 0)
        return;

    uint8_t *room = buf_reserve(b, len);

    if (!room)
        return;
    memcpy(room, data, len);
    b->len += len;
}

void buf_put_str(struct buf *b, struct str s)
{
    buf_put(b, s.p, s.len);
}

void buf_put_u64(struct buf *b, uint64_t v)
{
    char text[NUMBER_TEXT_MAX];

    buf_put(b, text, number_print_u64(v, text));
}

void buf_put_i64(struct buf *b, int64_t v)
{
    char text[NUMBER_TEXT_MAX];

    buf_put(b, text, number_print_i64(v, text));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (len < 0)
        abort();
    if ((size_t)len < sizeof(text)) {
        buf_put(b, text, (size_t)len);
        return;
    }

    /* One byte more than is kept, for the NUL. */
    char *longer = heap_alloc((size_t)len + 1);

    va_start(args, fmt);
    len = vsnprintf(longer, (size_t)len + 1, fmt, args);
    va_end(args);
    buf_put(b, longer, (size_t)len);
    free(longer);
}

void buf_consume(struct buf *b, size_t len)
{
    len = MIN(len, b->len);
    b->len -= len;
    if (b->len > 0 && len > 0)
        memmove(b->data, b->data + len, b->len);
    if (b->overflow)
        b->cap = b->len;
}
