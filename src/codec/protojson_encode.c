/* SPDX-License-Identifier: Apache-2.0 */
/* Messages into JSON, field by field into the writer. Pure; any thread. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "codec/base64.h"
#include "codec/json_internal.h"
#include "codec/proto_internal.h"
#include "codec/protojson_internal.h"

/* Below it each integer is a float of its own, printed without a point or an exponent. */
#define PLAIN_FLOAT_MAX 16777216.0F /* 2^24 */

int protojson_descend(struct protojson_encoder *e)
{
    if (e->depth == PROTOJSON_DEPTH || e->w->depth == JSON_WRITER_DEPTH_MAX)
        return fail_set(e->fail, CODE_INTERNAL, "a message nests too deeply for JSON");
    e->depth++;
    return 0;
}

/* --- scalars --- */

static void put_quoted_i64(struct json_writer *w, int64_t v)
{
    char text[NUMBER_TEXT_MAX];

    json_str(w, str_make(text, number_print_i64(v, text)));
}

static void put_quoted_u64(struct json_writer *w, uint64_t v)
{
    char text[NUMBER_TEXT_MAX];

    json_str(w, str_make(text, number_print_u64(v, text)));
}

/* True when it was one of the values that JSON's numbers lack. */
static bool put_special(struct json_writer *w, double v)
{
    if (isfinite(v))
        return false;
    if (isnan(v))
        json_str(w, STR("NaN"));
    else
        json_str(w, v > 0 ? STR("Infinity") : STR("-Infinity"));
    return true;
}

static void put_double(struct json_writer *w, double v)
{
    if (!put_special(w, v))
        json_double(w, v);
}

static void put_float(struct json_writer *w, float v)
{
    char text[JSON_DOUBLE_TEXT_MAX];

    if (put_special(w, (double)v))
        return;
    if (fabsf(v) < PLAIN_FLOAT_MAX && (float)(int32_t)v == v && !(v == 0 && signbit(v)))
        json_i64(w, (int32_t)v);
    else
        json_put_raw(w, str_make(text, json_float_print(v, text)));
}

static void put_bytes(struct json_writer *w, struct str bytes)
{
    /* Base64 needs no escapes: only its quotes are ours. */
    json_put_raw(w, STR("\""));
    base64_put(w->out, BASE64_STD, bytes);
    buf_put_byte(w->out, '"');
}

static void put_enum(struct protojson_encoder *e, const struct proto_field *fd, int32_t number)
{
    struct str name = {0};

    if (protojson_is_null_value(fd)) {
        json_null(e->w);
        return;
    }
    if (!e->flavor->enum_numbers)
        name = proto_enum_name(fd->enumeration, number);
    if (name.len > 0)
        json_str(e->w, name);
    else
        json_i64(e->w, number);
}

int protojson_put_scalar(struct protojson_encoder *e, const struct proto_field *fd,
                         const void *value)
{
    struct json_writer *w = e->w;
    bool bare = e->flavor->int64_numbers;

    switch ((enum proto_type)fd->type) {
    case PROTO_DOUBLE: put_double(w, *(const double *)value); break;
    case PROTO_FLOAT: put_float(w, *(const float *)value); break;
    case PROTO_INT64:
    case PROTO_SINT64:
    case PROTO_SFIXED64: (bare ? json_i64 : put_quoted_i64)(w, *(const int64_t *)value); break;
    case PROTO_UINT64:
    case PROTO_FIXED64: (bare ? json_u64 : put_quoted_u64)(w, *(const uint64_t *)value); break;
    case PROTO_INT32:
    case PROTO_SINT32:
    case PROTO_SFIXED32: json_i64(w, *(const int32_t *)value); break;
    case PROTO_UINT32:
    case PROTO_FIXED32: json_u64(w, *(const uint32_t *)value); break;
    case PROTO_BOOL: json_bool(w, *(const bool *)value); break;
    case PROTO_STRING: json_str(w, *(const struct str *)value); break;
    case PROTO_BYTES: put_bytes(w, *(const struct str *)value); break;
    case PROTO_ENUM: put_enum(e, fd, *(const int32_t *)value); break;
    case PROTO_MESSAGE: assert(fd->type != PROTO_MESSAGE); break;
    }
    return 0;
}

/* --- fields --- */

void protojson_map_init(struct protojson_map *map, const void *msg, const struct proto_field *fd)
{
    map->fd = fd;
    map->entries = proto_array_of(msg, fd);
    map->order = proto_map_order(fd, &map->entries, map->few, COUNTOF(map->few));
}

const void *protojson_map_entry(const struct protojson_map *map, size_t i)
{
    return proto_item(&map->entries, map->fd->message->size, map->order ? map->order[i] : i);
}

void protojson_map_done(struct protojson_map *map)
{
    if (map->order != map->few)
        free(map->order);
}

static void put_map_key(struct json_writer *w, const struct proto_field *key, const void *value)
{
    char text[NUMBER_TEXT_MAX];
    size_t len = 0;

    switch ((enum proto_type)key->type) {
    case PROTO_STRING: json_key(w, *(const struct str *)value); return;
    case PROTO_BOOL: json_key(w, *(const bool *)value ? STR("true") : STR("false")); return;
    case PROTO_INT64:
    case PROTO_SINT64:
    case PROTO_SFIXED64: len = number_print_i64(*(const int64_t *)value, text); break;
    case PROTO_UINT64:
    case PROTO_FIXED64: len = number_print_u64(*(const uint64_t *)value, text); break;
    case PROTO_INT32:
    case PROTO_SINT32:
    case PROTO_SFIXED32: len = number_print_i64(*(const int32_t *)value, text); break;
    case PROTO_UINT32:
    case PROTO_FIXED32: len = number_print_u64(*(const uint32_t *)value, text); break;
    case PROTO_DOUBLE: /* these are never keys */
    case PROTO_FLOAT:
    case PROTO_MESSAGE:
    case PROTO_BYTES:
    case PROTO_ENUM: break;
    }
    json_key(w, str_make(text, len));
}

/* A value as it lies in a message or entry; `item` when it lies in an array. */
static int put_value(struct protojson_encoder *e, const struct proto_field *fd, const void *at,
                     bool item)
{
    if (fd->type != PROTO_MESSAGE)
        return protojson_put_scalar(e, fd, at);
    return protojson_put_message(e, fd->message, item ? at : *(const void *const *)at);
}

static int put_list(struct protojson_encoder *e, const struct proto_field *fd, const void *msg)
{
    struct proto_array array = proto_array_of(msg, fd);
    size_t size = proto_value_size(fd);

    if (protojson_descend(e) < 0)
        return -1;
    json_arr_begin(e->w);
    for (size_t i = 0; i < array.count; i++) {
        if (put_value(e, fd, proto_item(&array, size, i), true) < 0)
            return -1;
    }
    json_arr_end(e->w);
    e->depth--;
    return 0;
}

static int put_map(struct protojson_encoder *e, const struct proto_field *fd, const void *msg)
{
    const struct proto_field *key = proto_map_key(fd), *value = proto_map_value(fd);
    struct protojson_map map;
    int result = 0;

    if (protojson_descend(e) < 0)
        return -1;
    protojson_map_init(&map, msg, fd);
    json_obj_begin(e->w);
    for (size_t i = 0; i < map.entries.count && result == 0; i++) {
        const void *entry = protojson_map_entry(&map, i);

        put_map_key(e->w, key, proto_at_const(entry, key));
        result = put_value(e, value, proto_at_const(entry, value), false);
    }
    protojson_map_done(&map);
    if (result < 0)
        return -1;
    json_obj_end(e->w);
    e->depth--;
    return 0;
}

static int put_field(struct protojson_encoder *e, const struct proto_field *fd, const void *msg)
{
    if (fd->cardinality == PROTO_MAP)
        return put_map(e, fd, msg);
    if (fd->cardinality == PROTO_REPEATED)
        return put_list(e, fd, msg);
    return put_value(e, fd, proto_at_const(msg, fd), false);
}

/* Whether a field that is at its default is written all the same. */
static bool prints_default(const struct protojson_encoder *e, const struct proto_message *m,
                           const struct proto_field *fd)
{
    const struct protojson_flavor *flavor = e->flavor;

    switch ((enum proto_cardinality)fd->cardinality) {
    case PROTO_SINGULAR:
        if (fd->type == PROTO_MESSAGE)
            return false;
        break;
    case PROTO_OPTIONAL:
    case PROTO_ONEOF: return false;
    case PROTO_REPEATED:
    case PROTO_MAP: break;
    }
    return flavor->print_defaults || (flavor->prints_default && flavor->prints_default(m, fd));
}

int protojson_put_members(struct protojson_encoder *e, const struct proto_message *m,
                          const void *msg)
{
    for (size_t i = 0; i < m->field_count; i++) {
        const struct proto_field *fd = &m->fields[i];

        if (!proto_has(msg, fd) && !prints_default(e, m, fd))
            continue;
        json_key(e->w, e->flavor->proto_names ? fd->name : fd->json_name);
        if (put_field(e, fd, msg) < 0)
            return -1;
    }
    return 0;
}

int protojson_put_message(struct protojson_encoder *e, const struct proto_message *m,
                          const void *msg)
{
    if (m->kind != PROTO_KIND_PLAIN)
        return protojson_put_known(e, m, msg);
    if (protojson_descend(e) < 0)
        return -1;
    json_obj_begin(e->w);
    if (protojson_put_members(e, m, msg) < 0)
        return -1;
    json_obj_end(e->w);
    e->depth--;
    return 0;
}

/* --- from outside --- */

static void encoder_init(struct protojson_encoder *e, const struct protojson_flavor *flavor,
                         struct json_writer *w, struct arena *scratch, struct fail *f)
{
    *e = (struct protojson_encoder){
        .flavor = flavor,
        .w = w,
        .scratch = scratch,
        .fail = f,
        .memory_end = arena_used(scratch) + PROTOJSON_MEMORY,
    };
}

static int check_room(const struct buf *out, struct fail *f)
{
    if (!out->overflow)
        return 0;
    return fail_set(f, CODE_RESOURCE_EXHAUSTED, "a message is larger than %zu bytes as JSON",
                    out->max);
}

int protojson_encode(const struct protojson_flavor *flavor, const struct proto_message *m,
                     struct arena *scratch, const void *msg, struct buf *out, struct fail *f)
{
    struct json_writer w;

    json_writer_init(&w, out);
    if (protojson_write(flavor, m, scratch, msg, &w, f) < 0)
        return -1;
    return check_room(out, f);
}

int protojson_encode_field(const struct protojson_flavor *flavor, const struct proto_field *fd,
                           struct arena *scratch, const void *msg, struct buf *out, struct fail *f)
{
    static const union protojson_scalar zero;
    struct protojson_encoder e;
    struct json_writer w;
    int result = 0;

    json_writer_init(&w, out);
    encoder_init(&e, flavor, &w, scratch, f);
    if (fd->cardinality >= PROTO_REPEATED || proto_has(msg, fd))
        result = put_field(&e, fd, msg);
    else if (fd->type == PROTO_MESSAGE)
        json_null(&w);
    else
        result = protojson_put_scalar(&e, fd, &zero);
    return result < 0 ? -1 : check_room(out, f);
}

int protojson_write(const struct protojson_flavor *flavor, const struct proto_message *m,
                    struct arena *scratch, const void *msg, struct json_writer *w, struct fail *f)
{
    struct protojson_encoder e;

    encoder_init(&e, flavor, w, scratch, f);
    return protojson_put_message(&e, m, msg);
}
