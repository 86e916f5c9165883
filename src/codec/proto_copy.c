/* SPDX-License-Identifier: Apache-2.0 */
/* Whole protobuf messages: copied, compared. As deep as the message. Pure; any thread. */
#include <stdlib.h>
#include <string.h>

#include "codec/proto_internal.h"

static const struct proto_array *unknown_of(const struct proto_message *m, const void *msg)
{
    return (const struct proto_array *)(const void *)((const char *)msg + m->unknown_offset);
}

/* --- copying --- */

static void copy_fields(struct arena *a, const struct proto_message *m, const void *from, void *to);

/* A value that was copied bit by bit gets what it points to. `in_array`: messages lie in place. */
static void own_value(struct arena *a, const struct proto_field *fd, const void *from, void *to,
                      bool in_array)
{
    if (fd->type == PROTO_STRING || fd->type == PROTO_BYTES) {
        *(struct str *)to = arena_str(a, *(const struct str *)from);
    } else if (fd->type == PROTO_MESSAGE && in_array) {
        copy_fields(a, fd->message, from, to);
    } else if (fd->type == PROTO_MESSAGE) {
        const void *original = *(const void *const *)from;

        *(void **)to = original ? proto_copy(a, fd->message, original) : NULL;
    }
}

static void copy_array(struct arena *a, const struct proto_array *from, struct proto_array *to,
                       size_t size)
{
    *to = (struct proto_array){NULL, from->count};
    if (from->count == 0)
        return;
    to->items = arena_calloc(a, proto_array_room(size, from->count), size);
    memcpy(to->items, from->items, from->count * size);
}

static void copy_repeated(struct arena *a, const struct proto_field *fd,
                          const struct proto_array *from, struct proto_array *to)
{
    size_t size = proto_value_size(fd);

    copy_array(a, from, to, size);
    for (size_t i = 0; i < from->count; i++)
        own_value(a, fd, proto_item(from, size, i), proto_item(to, size, i), true);
}

static void copy_fields(struct arena *a, const struct proto_message *m, const void *from, void *to)
{
    memcpy(to, from, m->size);
    for (size_t i = 0; i < m->field_count; i++) {
        const struct proto_field *fd = &m->fields[i];
        const void *source = proto_at_const(from, fd);

        if (fd->cardinality >= PROTO_REPEATED)
            copy_repeated(a, fd, source, proto_at(to, fd));
        else if (fd->cardinality != PROTO_ONEOF || proto_has(from, fd))
            own_value(a, fd, source, proto_at(to, fd), false);
    }
    if (m->keep_unknown) {
        const struct proto_array *source = unknown_of(m, from);
        struct proto_unknown *kept =
            (struct proto_unknown *)(void *)((char *)to + m->unknown_offset);

        copy_array(a, source, (struct proto_array *)(void *)kept, sizeof(struct str));
        for (size_t i = 0; i < kept->count; i++)
            kept->items[i] = arena_str(a, kept->items[i]);
    }
}

void *proto_copy(struct arena *a, const struct proto_message *m, const void *msg)
{
    void *to = arena_alloc_raw(a, m->size);

    copy_fields(a, m, msg, to);
    return to;
}

/* --- comparing --- */

static bool equal_values(const struct proto_field *fd, const void *x, const void *y, bool in_array)
{
    double a, b;
    float c, d;

    switch ((enum proto_type)fd->type) {
    case PROTO_DOUBLE:
        memcpy(&a, x, sizeof(a));
        memcpy(&b, y, sizeof(b));
        return a >= b && a <= b;
    case PROTO_FLOAT:
        memcpy(&c, x, sizeof(c));
        memcpy(&d, y, sizeof(d));
        return c >= d && c <= d;
    case PROTO_STRING:
    case PROTO_BYTES: return str_eq(*(const struct str *)x, *(const struct str *)y);
    case PROTO_MESSAGE: break;
    case PROTO_INT64:
    case PROTO_UINT64:
    case PROTO_INT32:
    case PROTO_FIXED64:
    case PROTO_FIXED32:
    case PROTO_BOOL:
    case PROTO_UINT32:
    case PROTO_ENUM:
    case PROTO_SFIXED32:
    case PROTO_SFIXED64:
    case PROTO_SINT32:
    case PROTO_SINT64: return memcmp(x, y, proto_value_size(fd)) == 0;
    }
    if (in_array)
        return proto_equal(fd->message, x, y);

    const void *p = *(const void *const *)x, *q = *(const void *const *)y;

    return p && q ? proto_equal(fd->message, p, q) : p == q;
}

static bool equal_maps(const struct proto_field *fd, const struct proto_array *x,
                       const struct proto_array *y)
{
    size_t size = fd->message->size;
    uint32_t *by_x = proto_map_order(fd, x, NULL, 0);
    uint32_t *by_y = proto_map_order(fd, y, NULL, 0);
    bool same = true;

    for (size_t i = 0; i < x->count && same; i++) {
        const void *p = proto_item(x, size, by_x ? by_x[i] : i);
        const void *q = proto_item(y, size, by_y ? by_y[i] : i);

        same = proto_map_compare(fd, p, q) == 0 &&
               equal_values(proto_map_value(fd), proto_at_const(p, proto_map_value(fd)),
                            proto_at_const(q, proto_map_value(fd)), false);
    }
    free(by_x);
    free(by_y);
    return same;
}

static bool equal_repeated(const struct proto_field *fd, const struct proto_array *x,
                           const struct proto_array *y)
{
    size_t size = proto_value_size(fd);

    if (x->count != y->count)
        return false;
    if (fd->cardinality == PROTO_MAP)
        return equal_maps(fd, x, y);
    for (size_t i = 0; i < x->count; i++) {
        if (!equal_values(fd, proto_item(x, size, i), proto_item(y, size, i), true))
            return false;
    }
    return true;
}

static bool equal_unknown(const struct proto_array *x, const struct proto_array *y)
{
    const struct str *p = x->items, *q = y->items;

    if (x->count != y->count)
        return false;
    for (size_t i = 0; i < x->count; i++) {
        if (!str_eq(p[i], q[i]))
            return false;
    }
    return true;
}

bool proto_equal(const struct proto_message *m, const void *x, const void *y)
{
    for (size_t i = 0; i < m->field_count; i++) {
        const struct proto_field *fd = &m->fields[i];
        const void *p = proto_at_const(x, fd), *q = proto_at_const(y, fd);

        if (fd->cardinality >= PROTO_REPEATED) {
            if (!equal_repeated(fd, p, q))
                return false;
        } else {
            bool has = proto_has(x, fd);

            if (has != proto_has(y, fd) || (has && !equal_values(fd, p, q, false)))
                return false;
        }
    }
    return !m->keep_unknown || equal_unknown(unknown_of(m, x), unknown_of(m, y));
}
