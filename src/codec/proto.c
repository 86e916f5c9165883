/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf: values in messages by their tables, and names looked up. Pure; any thread. */
#include "codec/proto.h"

#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "codec/proto_internal.h"

const uint8_t proto_wire_of[PROTO_TYPES] = {
    [PROTO_DOUBLE] = WIRE_FIXED64,   [PROTO_FLOAT] = WIRE_FIXED32,
    [PROTO_INT64] = WIRE_VARINT,     [PROTO_UINT64] = WIRE_VARINT,
    [PROTO_INT32] = WIRE_VARINT,     [PROTO_FIXED64] = WIRE_FIXED64,
    [PROTO_FIXED32] = WIRE_FIXED32,  [PROTO_BOOL] = WIRE_VARINT,
    [PROTO_STRING] = WIRE_BYTES,     [PROTO_MESSAGE] = WIRE_BYTES,
    [PROTO_BYTES] = WIRE_BYTES,      [PROTO_UINT32] = WIRE_VARINT,
    [PROTO_ENUM] = WIRE_VARINT,      [PROTO_SFIXED32] = WIRE_FIXED32,
    [PROTO_SFIXED64] = WIRE_FIXED64, [PROTO_SINT32] = WIRE_VARINT,
    [PROTO_SINT64] = WIRE_VARINT,
};

static const uint8_t scalar_size[PROTO_TYPES] = {
    [PROTO_DOUBLE] = 8,
    [PROTO_FLOAT] = 4,
    [PROTO_INT64] = 8,
    [PROTO_UINT64] = 8,
    [PROTO_INT32] = 4,
    [PROTO_FIXED64] = 8,
    [PROTO_FIXED32] = 4,
    [PROTO_BOOL] = 1,
    [PROTO_STRING] = sizeof(struct str),
    [PROTO_MESSAGE] = sizeof(void *),
    [PROTO_BYTES] = sizeof(struct str),
    [PROTO_UINT32] = 4,
    [PROTO_ENUM] = 4,
    [PROTO_SFIXED32] = 4,
    [PROTO_SFIXED64] = 8,
    [PROTO_SINT32] = 4,
    [PROTO_SINT64] = 8,
};

size_t proto_value_size(const struct proto_field *fd)
{
    if (fd->type == PROTO_MESSAGE && fd->cardinality >= PROTO_REPEATED)
        return fd->message->size;
    return scalar_size[fd->type];
}

bool proto_is_zero(const struct proto_field *fd, const void *value)
{
    static const char zeros[8];

    if (fd->type == PROTO_STRING || fd->type == PROTO_BYTES)
        return ((const struct str *)value)->len == 0;
    return memcmp(value, zeros, scalar_size[fd->type]) == 0;
}

static uint32_t case_of(const void *msg, const struct proto_field *fd)
{
    uint32_t number;

    memcpy(&number, (const char *)msg + fd->presence, sizeof(number));
    return number;
}

bool proto_has(const void *msg, const struct proto_field *fd)
{
    const void *at = proto_at_const(msg, fd);

    switch ((enum proto_cardinality)fd->cardinality) {
    case PROTO_SINGULAR: return !proto_is_zero(fd, at);
    case PROTO_OPTIONAL: return *((const bool *)msg + fd->presence);
    case PROTO_ONEOF: return case_of(msg, fd) == fd->number;
    case PROTO_REPEATED:
    case PROTO_MAP: return ((const struct proto_array *)at)->count > 0;
    }
    return false;
}

void proto_mark(void *msg, const struct proto_field *fd)
{
    if (fd->cardinality == PROTO_OPTIONAL) {
        *((bool *)msg + fd->presence) = true;
    } else if (fd->cardinality == PROTO_ONEOF && case_of(msg, fd) != fd->number) {
        memcpy((char *)msg + fd->presence, &fd->number, sizeof(fd->number));
        memset(proto_at(msg, fd), 0, scalar_size[fd->type]);
    }
}

void *proto_new(struct arena *a, const struct proto_message *m)
{
    return arena_alloc(a, m->size);
}

void *proto_append(struct arena *a, const struct proto_field *fd, struct proto_array *array)
{
    size_t size = proto_value_size(fd);
    size_t room = proto_array_room(size, array->count);
    size_t needed = proto_array_room(size, array->count + 1);

    if (needed > room &&
        (!array->items || !arena_grow(a, array->items, room * size, needed * size))) {
        void *moved = arena_calloc(a, needed, size);

        if (array->items)
            memcpy(moved, array->items, array->count * size);
        array->items = moved;
    }
    return memset(proto_item(array, size, array->count++), 0, size);
}

/* --- maps --- */

static int compare_u64(uint64_t x, uint64_t y)
{
    return (x > y) - (x < y);
}

static int compare_i64(int64_t x, int64_t y)
{
    return (x > y) - (x < y);
}

int proto_map_compare(const struct proto_field *map, const void *x, const void *y)
{
    const struct proto_field *key = proto_map_key(map);
    const void *p = proto_at_const(x, key), *q = proto_at_const(y, key);

    switch ((enum proto_type)key->type) {
    case PROTO_STRING: return str_cmp(*(const struct str *)p, *(const struct str *)q);
    case PROTO_BOOL: return *(const bool *)p - *(const bool *)q;
    case PROTO_INT32:
    case PROTO_SINT32:
    case PROTO_SFIXED32: return compare_i64(*(const int32_t *)p, *(const int32_t *)q);
    case PROTO_INT64:
    case PROTO_SINT64:
    case PROTO_SFIXED64: return compare_i64(*(const int64_t *)p, *(const int64_t *)q);
    case PROTO_UINT32:
    case PROTO_FIXED32: return compare_u64(*(const uint32_t *)p, *(const uint32_t *)q);
    case PROTO_UINT64:
    case PROTO_FIXED64: return compare_u64(*(const uint64_t *)p, *(const uint64_t *)q);
    case PROTO_DOUBLE: /* these are never keys */
    case PROTO_FLOAT:
    case PROTO_MESSAGE:
    case PROTO_BYTES:
    case PROTO_ENUM: break;
    }
    return 0;
}

struct map_view {
    const struct proto_field *map;
    const struct proto_array *entries;
};

static int compare_at(const struct map_view *view, uint32_t x, uint32_t y)
{
    size_t size = view->map->message->size;

    return proto_map_compare(view->map, proto_item(view->entries, size, x),
                             proto_item(view->entries, size, y));
}

static int compare_indices(const void *x, const void *y, void *view)
{
    uint32_t i = *(const uint32_t *)x, j = *(const uint32_t *)y;
    int order = compare_at(view, i, j);

    return order ? order : compare_u64(i, j);
}

uint32_t *proto_map_order(const struct proto_field *map, const struct proto_array *entries,
                          uint32_t *few, size_t few_count)
{
    struct map_view view = {map, entries};
    uint32_t count = (uint32_t)entries->count, i;

    for (i = 1; i < count && compare_at(&view, i - 1, i) <= 0; i++)
        ;
    if (i >= count)
        return NULL;

    uint32_t *order = count <= few_count ? few : heap_alloc(count * sizeof(*order));

    for (i = 0; i < count; i++)
        order[i] = i;
    if (count > few_count) {
        qsort_r(order, count, sizeof(*order), compare_indices, &view);
        return order;
    }
    for (i = 1; i < count; i++) {
        uint32_t at = i;

        while (at > 0 && compare_at(&view, order[at - 1], i) > 0) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
    return order;
}

/* Texts of different lengths are not looked at. */
static void *find_text(const struct proto_array *map, size_t size, const struct proto_field *key,
                       const void *entry)
{
    struct str wanted = *(const struct str *)proto_at_const(entry, key);

    for (size_t i = 0; i < map->count; i++) {
        void *other = proto_item(map, size, i);

        if (str_eq(*(const struct str *)proto_at_const(other, key), wanted))
            return other;
    }
    return NULL;
}

void *proto_map_find(const struct proto_field *fd, const struct proto_array *map, const void *entry)
{
    const struct proto_field *key = proto_map_key(fd);
    size_t size = fd->message->size;

    if ((enum proto_type)key->type == PROTO_STRING)
        return find_text(map, size, key, entry);
    for (size_t i = 0; i < map->count; i++) {
        void *other = proto_item(map, size, i);

        if (proto_map_compare(fd, other, entry) == 0)
            return other;
    }
    return NULL;
}

void proto_map_last_wins(const struct proto_field *fd, struct proto_array *map)
{
    struct map_view view = {fd, map};
    size_t size = fd->message->size, kept = 0;
    uint32_t count = (uint32_t)map->count;
    uint32_t few[16];
    uint32_t *order = proto_map_order(fd, map, few, COUNTOF(few));
    bool *lost = heap_calloc(count + 1, sizeof(*lost));

    for (uint32_t i = 1; i < count; i++) {
        uint32_t before = order ? order[i - 1] : i - 1;

        if (compare_at(&view, before, order ? order[i] : i) == 0)
            lost[before] = true;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (lost[i])
            continue;
        if (kept != i)
            memcpy(proto_item(map, size, kept), proto_item(map, size, i), size);
        kept++;
    }
    map->count = kept;
    free(lost);
    if (order != few)
        free(order);
}

/* --- names and numbers --- */

const struct proto_field *proto_field_by_number(const struct proto_message *m, uint32_t number)
{
    if (number - 1 < m->dense) /* 0 is never below */
        return &m->fields[m->by_number[number - 1]];

    size_t low = m->dense, high = m->field_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct proto_field *fd = &m->fields[m->by_number[middle]];

        if (fd->number == number)
            return fd;
        if (fd->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct proto_field *proto_field_by_name(const struct proto_message *m, struct str name)
{
    size_t low = 0, high = m->name_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(m->names[middle].name, name);

        if (order == 0)
            return &m->fields[m->names[middle].index];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

struct str proto_enum_name(const struct proto_enum *e, int32_t number)
{
    size_t low = 0, high = e->number_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct proto_enum_value *value = &e->values[e->by_number[middle]];

        if (value->number == number)
            return value->name;
        if (value->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return (struct str){NULL, 0};
}

int proto_enum_number(const struct proto_enum *e, struct str name, int32_t *out)
{
    size_t low = 0, high = e->value_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct proto_enum_value *value = &e->values[e->by_name[middle]];
        int order = str_cmp(value->name, name);

        if (order == 0) {
            *out = value->number;
            return 0;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}
