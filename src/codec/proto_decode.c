/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf's wire format into messages. The input is hostile: nothing is allocated without being
 * charged to a budget first, nesting is counted, and a map with many equal keys is not searched
 * once a key but put in order once, at the end. Pure; any thread. */
#include <string.h>

#include "codec/proto_internal.h"
#include "codec/utf8.h"

/* Maps up to this many entries are searched for each new key. */
#define SEARCHED_ENTRIES 8

#define TAG_OF_TEXT(number) ((number) << 3 | WIRE_BYTES)

struct decoder {
    struct arena *arena;
    size_t memory; /* that may still be taken */
    uint32_t max_depth;
    uint32_t depth;
    bool settle; /* a map outgrew SEARCHED_ENTRIES and may hold keys twice */
    const uint8_t *bad_at;
    const char *why;
    enum code code;
    const struct proto_field *trail[PROTO_MAX_DEPTH + 1]; /* the field at hand of each level */
};

static const uint8_t *decode_fields(struct decoder *d, const struct proto_message *m,
                                    const uint8_t *p, const uint8_t *end, void *msg);

static const uint8_t *bad(struct decoder *d, const uint8_t *at, const char *why)
{
    d->bad_at = at;
    d->why = why;
    d->code = CODE_INVALID_ARGUMENT;
    return NULL;
}

/* --- memory --- */

static bool charge(struct decoder *d, const uint8_t *at, size_t size)
{
    if (size > d->memory) {
        bad(d, at, "the message takes too much memory");
        d->code = CODE_RESOURCE_EXHAUSTED;
        return false;
    }
    d->memory -= size;
    return true;
}

/* Room for `more` elements behind those there are; the caller fills them and counts them. */
static bool make_room(struct decoder *d, const uint8_t *at, struct proto_array *array, size_t size,
                      size_t more)
{
    size_t room = proto_array_room(size, array->count);
    size_t needed = proto_array_room(size, array->count + more);
    void *moved;

    if (needed <= room)
        return true;
    if (!charge(d, at, needed > SIZE_MAX / size ? SIZE_MAX : needed * size))
        return false;
    if (array->items && arena_grow(d->arena, array->items, room * size, needed * size))
        return true;
    moved = arena_alloc_raw(d->arena, needed * size);
    if (array->items)
        memcpy(moved, array->items, array->count * size);
    array->items = moved;
    return true;
}

static void *append(struct decoder *d, const uint8_t *at, struct proto_array *array, size_t size)
{
    /* Room grows by powers of two: between them there is some. */
    if (array->count <= 4 || (array->count & (array->count - 1)) == 0) {
        if (!make_room(d, at, array, size, 1))
            return NULL;
    }
    return memset(proto_item(array, size, array->count++), 0, size);
}

/* --- bytes --- */

static const uint8_t *long_varint(const uint8_t *p, const uint8_t *end, uint64_t *out)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 70 && p < end; shift += 7) {
        uint8_t byte = *p++;

        v |= (uint64_t)(byte & 0x7f) << shift; /* what does not fit is dropped, as everywhere */
        if (byte < 0x80) {
            *out = v;
            return p;
        }
    }
    return NULL;
}

static inline const uint8_t *read_varint(struct decoder *d, const uint8_t *p, const uint8_t *end,
                                         uint64_t *out)
{
    const uint8_t *next;

    if (p < end && *p < 0x80) {
        *out = *p;
        return p + 1;
    }
    next = long_varint(p, end, out);
    return next ? next : bad(d, p, "a number is cut off or too long");
}

/* Tags and lengths: at most five bytes. */
static inline const uint8_t *read_short(struct decoder *d, const uint8_t *p, const uint8_t *end,
                                        uint64_t *out)
{
    const uint8_t *next;

    if (p < end && *p < 0x80) {
        *out = *p;
        return p + 1;
    }
    next = long_varint(p, end - p > 5 ? p + 5 : end, out);
    return next ? next : bad(d, p, "a tag or length is cut off or too long");
}

static inline const uint8_t *read_bytes(struct decoder *d, const uint8_t *p, const uint8_t *end,
                                        struct str *out)
{
    uint64_t len;
    const uint8_t *start = read_short(d, p, end, &len);

    if (!start)
        return NULL;
    if (len > (uint64_t)(end - start))
        return bad(d, p, "a length goes past the end");
    *out = str_make(start, (size_t)len);
    return start + len;
}

/* --- unknown fields --- */

/* Past the groups that begin with `number`; levels are counted, not recursed into. */
static const uint8_t *skip_group(struct decoder *d, const uint8_t *p, const uint8_t *end,
                                 uint32_t number);

/* Past the value that follows its tag. */
static const uint8_t *skip_value(struct decoder *d, const uint8_t *p, const uint8_t *end,
                                 uint32_t tag)
{
    uint64_t number;
    struct str bytes;

    if (tag >> 3 == 0)
        return bad(d, p, "a field has the number 0");
    switch (tag & 7) {
    case WIRE_VARINT: return read_varint(d, p, end, &number);
    case WIRE_FIXED64: return end - p < 8 ? bad(d, p, "a number is cut off") : p + 8;
    case WIRE_BYTES: return read_bytes(d, p, end, &bytes);
    case WIRE_GROUP: return skip_group(d, p, end, tag >> 3);
    case WIRE_GROUP_END: return bad(d, p, "a group ends that did not begin");
    case WIRE_FIXED32: return end - p < 4 ? bad(d, p, "a number is cut off") : p + 4;
    default: return bad(d, p, "there is no such wire type");
    }
}

static const uint8_t *skip_group(struct decoder *d, const uint8_t *p, const uint8_t *end,
                                 uint32_t number)
{
    uint32_t open[PROTO_MAX_DEPTH];
    uint32_t count = 0;

    if (d->depth >= d->max_depth)
        return bad(d, p, "nested too deeply");
    open[count++] = number;
    while (count > 0) {
        const uint8_t *start = p;
        uint64_t tag;

        p = read_short(d, p, end, &tag);
        if (!p)
            return NULL;
        number = (uint32_t)tag >> 3;
        if ((tag & 7) == WIRE_GROUP && number > 0) {
            if (d->depth + count >= d->max_depth)
                return bad(d, start, "nested too deeply");
            open[count++] = number;
        } else if ((tag & 7) == WIRE_GROUP_END) {
            if (open[--count] != number)
                return bad(d, start, "a group ends that did not begin");
        } else {
            p = skip_value(d, p, end, (uint32_t)tag);
            if (!p)
                return NULL;
        }
    }
    return p;
}

static const uint8_t *unknown_field(struct decoder *d, const struct proto_message *m,
                                    const uint8_t *start, const uint8_t *p, const uint8_t *end,
                                    uint32_t tag, void *msg)
{
    p = skip_value(d, p, end, tag);
    if (!p || !m->keep_unknown)
        return p;

    struct proto_array *kept = (struct proto_array *)(void *)((char *)msg + m->unknown_offset);
    struct str *span = append(d, start, kept, sizeof(*span));

    if (!span)
        return NULL;
    *span = str_make(start, (size_t)(p - start));
    return p;
}

/* --- values --- */

static inline int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (~(v & 1) + 1));
}

/* One value of a type that is a varint. */
static inline const uint8_t *read_number(struct decoder *d, uint8_t type, const uint8_t *p,
                                         const uint8_t *end, void *out)
{
    uint64_t v;

    p = read_varint(d, p, end, &v);
    if (!p)
        return NULL;
    if (type == PROTO_BOOL) {
        *(bool *)out = v != 0;
    } else if (type == PROTO_INT64 || type == PROTO_UINT64) {
        memcpy(out, &v, 8);
    } else if (type == PROTO_SINT64) {
        *(int64_t *)out = unzigzag(v);
    } else if (type == PROTO_SINT32) {
        *(int32_t *)out = (int32_t)unzigzag((uint32_t)v);
    } else {
        uint32_t low = (uint32_t)v;

        memcpy(out, &low, 4);
    }
    return p;
}

static inline const uint8_t *read_fixed(struct decoder *d, size_t size, const uint8_t *p,
                                        const uint8_t *end, void *out)
{
    if ((size_t)(end - p) < size)
        return bad(d, p, "a number is cut off");
    memcpy(out, p, size); /* the wire is little-endian, as are the machines we build for */
    return p + size;
}

/* One scalar in the form that goes with its type. */
static inline const uint8_t *read_scalar(struct decoder *d, uint8_t type, const uint8_t *p,
                                         const uint8_t *end, void *out)
{
    switch (proto_wire_of[type]) {
    case WIRE_VARINT: return read_number(d, type, p, end, out);
    case WIRE_FIXED64: return read_fixed(d, 8, p, end, out);
    case WIRE_FIXED32: return read_fixed(d, 4, p, end, out);
    default: break;
    }

    struct str *s = out;
    const uint8_t *start = p;

    p = read_bytes(d, p, end, s);
    if (p && type == PROTO_STRING && !utf8_is_valid(*s))
        return bad(d, start, "text is not UTF-8");
    return p;
}

/* The message in the next bytes, merged into what is there. */
static const uint8_t *read_message(struct decoder *d, const struct proto_message *m,
                                   const uint8_t *p, const uint8_t *end, void *msg)
{
    struct str body;
    const uint8_t *start = p;

    p = read_bytes(d, p, end, &body);
    if (!p)
        return NULL;
    if (d->depth >= d->max_depth)
        return bad(d, start, "nested too deeply");
    d->depth++;
    if (!decode_fields(d, m, (const uint8_t *)body.p, p, msg))
        return NULL;
    d->depth--;
    return p;
}

static void *new_message(struct decoder *d, const uint8_t *at, const struct proto_message *m)
{
    return charge(d, at, m->size) ? arena_alloc(d->arena, m->size) : NULL;
}

static inline const uint8_t *read_single(struct decoder *d, const struct proto_field *fd,
                                         const uint8_t *p, const uint8_t *end, void *msg)
{
    if (fd->cardinality != PROTO_SINGULAR)
        proto_mark(msg, fd);
    if (fd->type != PROTO_MESSAGE)
        return read_scalar(d, fd->type, p, end, proto_at(msg, fd));

    void **slot = proto_at(msg, fd);

    if (!*slot)
        *slot = new_message(d, p, fd->message);
    return *slot ? read_message(d, fd->message, p, end, *slot) : NULL;
}

/* --- repeated fields --- */

static size_t count_varints(struct str packed)
{
    size_t count = 0;

    for (size_t i = 0; i < packed.len; i++)
        count += (uint8_t)packed.p[i] < 0x80;
    return count;
}

static const uint8_t *read_packed(struct decoder *d, const struct proto_field *fd, const uint8_t *p,
                                  const uint8_t *end, struct proto_array *array)
{
    size_t size = proto_value_size(fd), count;
    const uint8_t *start = p, *at;
    struct str packed;

    p = read_bytes(d, p, end, &packed);
    if (!p)
        return NULL;
    at = (const uint8_t *)packed.p;
    if (proto_wire_of[fd->type] == WIRE_VARINT) {
        if (packed.len > 0 && p[-1] >= 0x80)
            return bad(d, p - 1, "a number is cut off or too long");
        count = count_varints(packed);
        if (!make_room(d, start, array, size, count))
            return NULL;
        while (at < p) {
            at = read_number(d, fd->type, at, p, proto_item(array, size, array->count));
            if (!at)
                return NULL;
            array->count++;
        }
        return p;
    }
    count = packed.len / size;
    if (packed.len % size != 0)
        return bad(d, start, "packed numbers are cut off");
    if (!make_room(d, start, array, size, count))
        return NULL;
    if (count > 0)
        memcpy(proto_item(array, size, array->count), at, packed.len);
    array->count += count;
    return p;
}

static const uint8_t *read_element(struct decoder *d, const struct proto_field *fd,
                                   const uint8_t *p, const uint8_t *end, struct proto_array *array)
{
    void *item = append(d, p, array, proto_value_size(fd));

    if (!item)
        return NULL;
    if (fd->type == PROTO_MESSAGE)
        return read_message(d, fd->message, p, end, item);
    return read_scalar(d, fd->type, p, end, item);
}

/* A text of less than 128 bytes behind a tag of one byte. NULL when it is anything else. */
static inline const uint8_t *read_short_text(const uint8_t *p, const uint8_t *end, uint8_t tag,
                                             struct str *out)
{
    if (end - p < 2 || p[0] != tag || p[1] >= 0x80 || p[1] > end - p - 2)
        return NULL;
    *out = str_make(p + 2, p[1]);
    return utf8_is_valid(*out) ? p + 2 + p[1] : NULL;
}

/* The entry that most are: two short texts, the key first. NULL, and perhaps a key in the entry,
 * when it is to be read like any other message. */
static const uint8_t *read_text_entry(const struct decoder *d, const struct proto_field *fd,
                                      const uint8_t *p, const uint8_t *end, void *entry)
{
    const struct proto_field *key = proto_map_key(fd), *value = proto_map_value(fd);

    if (key->type != PROTO_STRING || value->type != PROTO_STRING || d->depth >= d->max_depth ||
        p >= end || p[0] >= 0x80 || p[0] >= end - p)
        return NULL;
    end = p + 1 + p[0];
    p = read_short_text(p + 1, end, TAG_OF_TEXT(1), proto_at(entry, key));
    p = p ? read_short_text(p, end, TAG_OF_TEXT(2), proto_at(entry, value)) : NULL;
    return p == end ? p : NULL;
}

static const uint8_t *read_entry(struct decoder *d, const struct proto_field *fd, const uint8_t *p,
                                 const uint8_t *end, struct proto_array *map)
{
    _Alignas(max_align_t) char entry[PROTO_ENTRY_MAX];
    const struct proto_field *value = proto_map_value(fd);
    size_t size = fd->message->size;
    const uint8_t *start = p;
    void *slot = NULL;

    p = read_text_entry(d, fd, start, end, entry);
    if (!p)
        p = read_message(d, fd->message, start, end, memset(entry, 0, sizeof(entry)));
    if (!p)
        return NULL;
    if (value->type == PROTO_MESSAGE) {
        void **at = proto_at(entry, value);

        if (!*at)
            *at = new_message(d, start, value->message);
        if (!*at)
            return NULL;
    }
    if (map->count <= SEARCHED_ENTRIES)
        slot = proto_map_find(fd, map, entry);
    else
        d->settle = true;
    if (!slot)
        slot = append(d, start, map, size);
    if (!slot)
        return NULL;
    memcpy(slot, entry, size);
    return p;
}

/* --- messages --- */

static const uint8_t *decode_field(struct decoder *d, const struct proto_message *m,
                                   const struct proto_field *fd, uint32_t tag, const uint8_t *start,
                                   const uint8_t *p, const uint8_t *end, void *msg)
{
    uint8_t expected = proto_wire_of[fd->type];

    if ((tag & 7) == expected) {
        if (fd->cardinality < PROTO_REPEATED)
            return read_single(d, fd, p, end, msg);
        if (fd->cardinality == PROTO_MAP)
            return read_entry(d, fd, p, end, proto_at(msg, fd));
        return read_element(d, fd, p, end, proto_at(msg, fd));
    }
    if ((tag & 7) == WIRE_BYTES && fd->cardinality == PROTO_REPEATED)
        return read_packed(d, fd, p, end, proto_at(msg, fd));
    return unknown_field(d, m, start, p, end, tag, msg);
}

static const uint8_t *decode_fields(struct decoder *d, const struct proto_message *m,
                                    const uint8_t *p, const uint8_t *end, void *msg)
{
    while (p < end) {
        const uint8_t *start = p;
        const struct proto_field *fd;
        uint64_t tag;

        d->trail[d->depth] = NULL;
        p = read_short(d, p, end, &tag);
        if (!p)
            return NULL;
        fd = proto_field_by_number(m, (uint32_t)tag >> 3);
        d->trail[d->depth] = fd;
        p = fd ? decode_field(d, m, fd, (uint32_t)tag, start, p, end, msg)
               : unknown_field(d, m, start, p, end, (uint32_t)tag, msg);
        if (!p)
            return NULL;
    }
    return p;
}

/* --- large maps --- */

static void settle(const struct proto_message *m, void *msg);

static void settle_field(const struct proto_field *fd, void *msg)
{
    struct proto_array *array = proto_at(msg, fd);

    if (fd->cardinality == PROTO_MAP) {
        const struct proto_field *value = proto_map_value(fd);

        if (array->count > SEARCHED_ENTRIES)
            proto_map_last_wins(fd, array);
        if (value->type != PROTO_MESSAGE)
            return;
        for (size_t i = 0; i < array->count; i++) {
            void *entry = proto_item(array, fd->message->size, i);

            settle(value->message, *(void **)proto_at(entry, value));
        }
    } else if (fd->type == PROTO_MESSAGE && fd->cardinality == PROTO_REPEATED) {
        for (size_t i = 0; i < array->count; i++)
            settle(fd->message, proto_item(array, fd->message->size, i));
    } else if (fd->type == PROTO_MESSAGE && proto_has(msg, fd)) {
        settle(fd->message, *(void **)proto_at(msg, fd));
    }
}

/* Removes keys that are there twice; as deep as the message, which is bounded. */
static void settle(const struct proto_message *m, void *msg)
{
    for (size_t i = 0; i < m->field_count; i++)
        settle_field(&m->fields[i], msg);
}

/* --- the whole --- */

static int tell(const struct decoder *d, struct str in, struct fail *f)
{
    char path[200];
    struct buf b = {.data = (uint8_t *)path, .cap = sizeof(path) - 1, .max = sizeof(path) - 1};
    unsigned long long at = (unsigned long long)(d->bad_at - (const uint8_t *)in.p);

    for (uint32_t i = 0; i <= d->depth && d->trail[i]; i++) {
        struct str name = d->trail[i]->name;

        if (b.len + name.len + 1 > b.cap)
            break;
        if (i > 0)
            buf_put_byte(&b, '.');
        buf_put_str(&b, name);
    }
    path[b.len] = '\0';
    fail_set(f, d->code, "%s%s%s at byte %llu", path, b.len > 0 ? ": " : "", d->why, at);
    return b.len > 0 ? fail_field(f, "%s", path) : -1;
}

int proto_decode(const struct proto_message *m, struct arena *a, struct str in,
                 const struct proto_limits *limits, void *out, struct fail *f)
{
    static const struct proto_limits defaults;
    const struct proto_limits *l = limits ? limits : &defaults;
    size_t bytes = l->bytes ? l->bytes : PROTO_MAX_BYTES;
    struct decoder d;

    if (in.len > bytes)
        return fail_set(f, CODE_RESOURCE_EXHAUSTED, "the message has %zu bytes, more than %zu",
                        in.len, bytes);
    if (in.len == 0)
        return 0;
    d.arena = a;
    d.memory = l->memory ? l->memory : PROTO_MAX_MEMORY;
    d.max_depth = l->depth > 0 && l->depth < PROTO_MAX_DEPTH ? l->depth : PROTO_MAX_DEPTH;
    d.depth = 0;
    d.settle = false;
    bad(&d, (const uint8_t *)in.p, "it cannot be read"); /* whoever refuses says more */
    if (!decode_fields(&d, m, (const uint8_t *)in.p, (const uint8_t *)in.p + in.len, out))
        return tell(&d, in, f);
    if (d.settle)
        settle(m, out);
    return 0;
}
