/* SPDX-License-Identifier: Apache-2.0 */
/* Messages into protobuf's wire format, from the last byte to the first: a length is known by the
 * time it is written, so nothing is measured beforehand. Pure; any thread. */
#include <stdlib.h>
#include <string.h>

#include "codec/proto_internal.h"

#define FIRST_ROOM 256
#define FEW        16 /* map entries that are put in order without heap memory */

/* Written so far: at..end, in the spare room of `out`. */
struct encoder {
    struct buf *out;
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool full;
};

static void encode_fields(struct encoder *e, const struct proto_message *m, const void *msg);

/* --- room --- */

/* Moves what is written to the end of a larger room. */
static bool grow(struct encoder *e, size_t n)
{
    struct buf *out = e->out;
    size_t used = (size_t)(e->end - e->at), most = out->max - out->len;
    const uint8_t *old = out->data;
    size_t offset = used > 0 ? (size_t)(e->at - out->data) : 0;
    uint8_t *room;

    if (e->full || n > most || used > most - n) {
        e->full = true;
        return false;
    }
    room = buf_reserve(out, MIN(most, MAX(2 * used + n, FIRST_ROOM)));
    if (!room) {
        e->full = true;
        return false;
    }
    /* In an arena the old room still stands; on the heap it moved with its offsets. */
    if (!out->arena)
        old = out->data;
    e->start = room;
    e->end = room + (out->cap - out->len);
    e->at = e->end - used;
    if (used > 0)
        memmove(e->at, old + offset, used);
    return true;
}

static inline bool make_room(struct encoder *e, size_t n)
{
    return (size_t)(e->at - e->start) >= n || grow(e, n);
}

/* --- bytes --- */

static inline size_t varint_size(uint64_t v)
{
    return (size_t)(63 - __builtin_clzll(v | 1)) / 7 + 1;
}

static inline void put_varint(struct encoder *e, uint64_t v)
{
    size_t n = varint_size(v);
    uint8_t *p;

    if (!make_room(e, n))
        return;
    p = e->at -= n;
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p = (uint8_t)v;
}

static inline void put_raw(struct encoder *e, const void *data, size_t n)
{
    if (n == 0 || !make_room(e, n))
        return;
    e->at -= n;
    memcpy(e->at, data, n);
}

static inline void put_tag(struct encoder *e, uint32_t number, uint32_t wire)
{
    put_varint(e, number << 3 | wire);
}

static inline size_t written(const struct encoder *e)
{
    return (size_t)(e->end - e->at);
}

/* --- values --- */

/* What a varint type puts on the wire. */
static inline uint64_t number_of(uint8_t type, const void *value)
{
    int64_t wide;
    int32_t narrow;
    uint32_t plain;

    if (type == PROTO_BOOL)
        return *(const bool *)value;
    if (type == PROTO_INT64 || type == PROTO_UINT64 || type == PROTO_SINT64) {
        memcpy(&wide, value, sizeof(wide));
        return type == PROTO_SINT64 ? (uint64_t)wide << 1 ^ (wide < 0 ? UINT64_MAX : 0)
                                    : (uint64_t)wide;
    }
    if (type == PROTO_UINT32) {
        memcpy(&plain, value, sizeof(plain));
        return plain;
    }
    memcpy(&narrow, value, sizeof(narrow));
    if (type == PROTO_SINT32)
        return (uint32_t)narrow << 1 ^ (narrow < 0 ? UINT32_MAX : 0);
    return (uint64_t)(int64_t)narrow;
}

static void put_message(struct encoder *e, const struct proto_message *m, const void *msg)
{
    size_t before = written(e);

    if (msg)
        encode_fields(e, m, msg);
    put_varint(e, written(e) - before);
}

static inline void put_scalar(struct encoder *e, uint8_t type, const void *value)
{
    switch (proto_wire_of[type]) {
    case WIRE_VARINT: put_varint(e, number_of(type, value)); break;
    case WIRE_FIXED64: put_raw(e, value, 8); break;
    case WIRE_FIXED32: put_raw(e, value, 4); break;
    default:
        put_raw(e, ((const struct str *)value)->p, ((const struct str *)value)->len);
        put_varint(e, ((const struct str *)value)->len);
        break;
    }
}

static void put_single(struct encoder *e, const struct proto_field *fd, const void *msg)
{
    const void *at = proto_at_const(msg, fd);

    if (fd->type == PROTO_MESSAGE)
        put_message(e, fd->message, *(const void *const *)at);
    else
        put_scalar(e, fd->type, at);
    put_tag(e, fd->number, proto_wire_of[fd->type]);
}

static void put_packed(struct encoder *e, const struct proto_field *fd,
                       const struct proto_array *array)
{
    size_t size = proto_value_size(fd), before = written(e);

    if (proto_wire_of[fd->type] != WIRE_VARINT) {
        put_raw(e, array->items, array->count * size);
    } else {
        for (size_t i = array->count; i-- > 0;)
            put_varint(e, number_of(fd->type, proto_item(array, size, i)));
    }
    put_varint(e, written(e) - before);
    put_tag(e, fd->number, WIRE_BYTES);
}

static void put_repeated(struct encoder *e, const struct proto_field *fd,
                         const struct proto_array *array)
{
    size_t size = proto_value_size(fd);

    for (size_t i = array->count; i-- > 0 && !e->full;) {
        const void *item = proto_item(array, size, i);

        if (fd->type == PROTO_MESSAGE)
            put_message(e, fd->message, item);
        else
            put_scalar(e, fd->type, item);
        put_tag(e, fd->number, proto_wire_of[fd->type]);
    }
}

static void put_map(struct encoder *e, const struct proto_field *fd, const struct proto_array *map)
{
    uint32_t few[FEW];
    uint32_t *order = proto_map_order(fd, map, few, FEW);

    for (size_t i = map->count; i-- > 0 && !e->full;) {
        const void *entry = proto_item(map, fd->message->size, order ? order[i] : i);
        size_t before = written(e);

        put_single(e, proto_map_value(fd), entry); /* both, also at their defaults */
        put_single(e, proto_map_key(fd), entry);
        put_varint(e, written(e) - before);
        put_tag(e, fd->number, WIRE_BYTES);
    }
    if (order != few)
        free(order);
}

static void encode_fields(struct encoder *e, const struct proto_message *m, const void *msg)
{
    if (m->keep_unknown) {
        const struct proto_unknown *kept =
            (const struct proto_unknown *)(const void *)((const char *)msg + m->unknown_offset);

        for (size_t i = kept->count; i-- > 0;)
            put_raw(e, kept->items[i].p, kept->items[i].len);
    }
    for (size_t i = m->field_count; i-- > 0 && !e->full;) {
        const struct proto_field *fd = &m->fields[m->by_number[i]];

        if (!proto_has(msg, fd))
            continue;
        if (fd->cardinality < PROTO_REPEATED)
            put_single(e, fd, msg);
        else if (fd->cardinality == PROTO_MAP)
            put_map(e, fd, proto_at_const(msg, fd));
        else if (fd->packed)
            put_packed(e, fd, proto_at_const(msg, fd));
        else
            put_repeated(e, fd, proto_at_const(msg, fd));
    }
}

int proto_encode(const struct proto_message *m, const void *msg, struct buf *out)
{
    uint8_t none[1]; /* stands for the room of a buffer that has none yet */
    struct encoder e = {.out = out, .start = none, .at = none, .end = none};
    size_t used;

    if (out->overflow)
        return -1;
    if (out->data) {
        e.start = out->data + out->len;
        e.at = e.end = out->data + out->cap;
    }
    encode_fields(&e, m, msg);
    used = written(&e);
    if (e.full || used > INT32_MAX) {
        IGNORE(buf_reserve(out, SIZE_MAX)); /* says overflow, whatever the ceiling is */
        return -1;
    }
    if (used > 0) {
        memmove(e.start, e.at, used);
        out->len += used;
    }
    return 0;
}

/* --- sizes --- */

static size_t scalar_size(uint8_t type, const void *value)
{
    switch (proto_wire_of[type]) {
    case WIRE_VARINT: return varint_size(number_of(type, value));
    case WIRE_FIXED64: return 8;
    case WIRE_FIXED32: return 4;
    default:
        return varint_size(((const struct str *)value)->len) + ((const struct str *)value)->len;
    }
}

static size_t message_size(const struct proto_message *m, const void *msg)
{
    size_t size = msg ? proto_size(m, msg) : 0;

    return varint_size(size) + size;
}

static size_t single_size(const struct proto_field *fd, const void *msg)
{
    const void *at = proto_at_const(msg, fd);
    size_t tag = varint_size(fd->number << 3);

    if (fd->type == PROTO_MESSAGE)
        return tag + message_size(fd->message, *(const void *const *)at);
    return tag + scalar_size(fd->type, at);
}

static size_t repeated_size(const struct proto_field *fd, const struct proto_array *array)
{
    size_t item_size = proto_value_size(fd), total = 0, tag = varint_size(fd->number << 3);

    for (size_t i = 0; i < array->count; i++) {
        const void *item = proto_item(array, item_size, i);

        if (fd->cardinality == PROTO_MAP) {
            size_t entry =
                single_size(proto_map_key(fd), item) + single_size(proto_map_value(fd), item);

            total += varint_size(entry) + entry;
        } else if (fd->type == PROTO_MESSAGE) {
            total += message_size(fd->message, item);
        } else {
            total += scalar_size(fd->type, item);
        }
    }
    return total + (fd->packed ? tag + varint_size(total) : tag * array->count);
}

size_t proto_size(const struct proto_message *m, const void *msg)
{
    size_t size = 0;

    for (size_t i = 0; i < m->field_count; i++) {
        const struct proto_field *fd = &m->fields[i];

        if (proto_has(msg, fd))
            size += fd->cardinality < PROTO_REPEATED ? single_size(fd, msg)
                                                     : repeated_size(fd, proto_at_const(msg, fd));
    }
    if (m->keep_unknown) {
        const struct proto_unknown *kept =
            (const struct proto_unknown *)(const void *)((const char *)msg + m->unknown_offset);

        for (size_t i = 0; i < kept->count; i++)
            size += kept->items[i].len;
    }
    return size;
}
