/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the protobuf runtime share. */
#ifndef CODEC_PROTO_INTERNAL_H
#define CODEC_PROTO_INTERNAL_H

#include "codec/proto.h"

enum proto_wire {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_GROUP = 3,
    WIRE_GROUP_END = 4,
    WIRE_FIXED32 = 5,
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "numbers of fixed size are copied as they lie in memory");

#define PROTO_TYPES 19 /* one above the highest enum proto_type */

extern const uint8_t proto_wire_of[PROTO_TYPES];

/* Key and value of an entry are at most a struct str each. */
#define PROTO_ENTRY_MAX 32

/* How many elements of this size an array of `count` has memory for; see proto_append(). */
static inline size_t proto_array_room(size_t size, size_t count)
{
    size_t least = size <= 16 ? 4 : 1;

    if (count == 0)
        return 0;
    return count <= least ? least : (size_t)1 << (64 - __builtin_clzll(count - 1));
}

static inline void *proto_item(const struct proto_array *array, size_t size, size_t index)
{
    return (char *)array->items + index * size;
}

static inline struct proto_array proto_array_of(const void *msg, const struct proto_field *fd)
{
    return *(const struct proto_array *)proto_at_const(msg, fd);
}

static inline const struct proto_field *proto_map_key(const struct proto_field *map)
{
    return &map->message->fields[0];
}

static inline const struct proto_field *proto_map_value(const struct proto_field *map)
{
    return &map->message->fields[1];
}

/* The keys of two entries, numbers by value and text by bytes: negative, 0, positive. */
int proto_map_compare(const struct proto_field *map, const void *x, const void *y);

/* Indices of the entries by ascending key, equal keys in the order they have; NULL when they are
 * so already. `few` has room for `few_count`; beyond it the result is heap memory, to be freed by
 * the caller when it is not `few`. */
uint32_t *proto_map_order(const struct proto_field *map, const struct proto_array *entries,
                          uint32_t *few, size_t few_count);

#endif
