/* SPDX-License-Identifier: Apache-2.0 */
/* The messages that have a form of their own in JSON. Pure; any thread. */
#include <math.h>

#include "base/number.h"
#include "codec/proto_internal.h"
#include "codec/protojson_internal.h"
#include "codec/rfc3339.h"

#define EXACT_INTEGER_MAX 9007199254740992.0 /* 2^53: beyond it every digit would be a claim */

static int put_value(struct protojson_encoder *e, const struct proto_message *m, const void *msg);

static int no_form(struct protojson_encoder *e, const struct proto_message *m, const char *why)
{
    return fail_set(e->fail, CODE_INTERNAL, "%.*s has no JSON form: %s", STR_ARG(m->full_name),
                    why);
}

/* --- the kinds that are one string --- */

static int put_time(struct protojson_encoder *e, const struct proto_message *m, const void *msg)
{
    char text[MAX(DURATION_TEXT_MAX, RFC3339_TEXT_MAX)];
    int64_t seconds = *(const int64_t *)proto_at_const(msg, protojson_known_field(m, 1));
    int32_t nanos = *(const int32_t *)proto_at_const(msg, protojson_known_field(m, 2));
    size_t len;

    if (m->kind == PROTO_KIND_DURATION)
        len = protojson_print_duration(seconds, nanos, text);
    else /* negative nanoseconds become too large ones */
        len = rfc3339_print(seconds, (uint32_t)nanos, RFC3339_AUTO, text);
    if (len == 0)
        return no_form(e, m, "out of range");
    json_str(e->w, str_make(text, len));
    return 0;
}

/* foo_bar.baz as fooBar.baz; the path survives that. */
static void put_path(struct buf *out, struct str path)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.p[i] == '_')
            buf_put_byte(out, (uint8_t)(path.p[++i] - 'a' + 'A'));
        else
            buf_put_byte(out, (uint8_t)path.p[i]);
    }
}

static int put_field_mask(struct protojson_encoder *e, const struct proto_message *m,
                          const void *msg)
{
    struct proto_array paths = proto_array_of(msg, protojson_known_field(m, 1));
    struct buf text;

    buf_init_arena(&text, e->scratch, PROTOJSON_MEMORY);
    for (size_t i = 0; i < paths.count; i++) {
        struct str path = ((const struct str *)paths.items)[i];

        if (!protojson_path_survives(path))
            return no_form(e, m, "a path does not survive the change of case");
        if (i > 0)
            buf_put_byte(&text, ',');
        put_path(&text, path);
    }
    if (text.overflow)
        return no_form(e, m, "too many paths");
    json_str(e->w, buf_str(&text));
    return 0;
}

/* --- Struct, Value and ListValue --- */

/* "1.0", "-0.0"; v is integral and a long can hold it. */
static void put_pointed(struct json_writer *w, double v)
{
    char text[NUMBER_TEXT_MAX + 2];
    size_t len = 0;

    if (signbit(v))
        text[len++] = '-';
    len += number_print_i64((int64_t)fabs(v), text + len);
    text[len++] = '.';
    text[len++] = '0';
    json_put_raw(w, str_make(text, len));
}

static int put_number(struct protojson_encoder *e, const struct proto_message *m, double v)
{
    if (!isfinite(v))
        return no_form(e, m, "a number that JSON does not have");
    if (e->flavor->point_doubles && fabs(v) < EXACT_INTEGER_MAX && trunc(v) == v)
        put_pointed(e->w, v);
    else
        json_double(e->w, v);
    return 0;
}

static int put_struct(struct protojson_encoder *e, const struct proto_message *m, const void *msg)
{
    const struct proto_field *fields = protojson_known_field(m, 1);
    const struct proto_field *key = proto_map_key(fields), *value = proto_map_value(fields);
    struct protojson_map map;
    int result = 0;

    if (protojson_descend(e) < 0)
        return -1;
    protojson_map_init(&map, msg, fields);
    json_obj_begin(e->w);
    for (size_t i = 0; i < map.entries.count && result == 0; i++) {
        const void *entry = protojson_map_entry(&map, i);

        json_key(e->w, *(const struct str *)proto_at_const(entry, key));
        result = put_value(e, value->message, *(const void *const *)proto_at_const(entry, value));
    }
    protojson_map_done(&map);
    if (result < 0)
        return -1;
    json_obj_end(e->w);
    e->depth--;
    return 0;
}

static int put_list(struct protojson_encoder *e, const struct proto_message *m, const void *msg)
{
    const struct proto_field *values = protojson_known_field(m, 1);
    struct proto_array array = proto_array_of(msg, values);

    if (protojson_descend(e) < 0)
        return -1;
    json_arr_begin(e->w);
    for (size_t i = 0; i < array.count; i++) {
        if (put_value(e, values->message, proto_item(&array, values->message->size, i)) < 0)
            return -1;
    }
    json_arr_end(e->w);
    e->depth--;
    return 0;
}

static int put_value(struct protojson_encoder *e, const struct proto_message *m, const void *msg)
{
    for (size_t i = 0; i < m->field_count; i++) {
        const struct proto_field *fd = &m->fields[i];
        const void *at = proto_at_const(msg, fd);

        if (!proto_has(msg, fd))
            continue;
        if (fd->type == PROTO_DOUBLE)
            return put_number(e, m, *(const double *)at);
        if (fd->type != PROTO_MESSAGE)
            return protojson_put_scalar(e, fd, at);
        return (fd->message->kind == PROTO_KIND_STRUCT ? put_struct : put_list)(
            e, fd->message, *(const void *const *)at);
    }
    return no_form(e, m, "no kind of value is set");
}

/* --- Any --- */

static void *unpack(struct protojson_encoder *e, const struct proto_message *m, struct str bytes)
{
    size_t used = arena_used(e->scratch);
    struct proto_limits limits = {.memory = e->memory_end - used};
    void *msg;

    if (used >= e->memory_end || m->size > e->memory_end - used) {
        fail_set(e->fail, CODE_RESOURCE_EXHAUSTED, "a message holds too much in an Any");
        return NULL;
    }
    limits.memory -= m->size;
    msg = proto_new(e->scratch, m);
    if (limits.memory == 0)
        limits.memory = 1;
    if (proto_decode(m, e->scratch, bytes, &limits, msg, e->fail) == 0)
        return msg;
    if (e->fail->code != CODE_RESOURCE_EXHAUSTED)
        e->fail->code = CODE_INTERNAL;
    return NULL;
}

static int put_any(struct protojson_encoder *e, const struct proto_message *any, const void *msg)
{
    struct str url = *(const struct str *)proto_at_const(msg, protojson_known_field(any, 1));
    struct str bytes = *(const struct str *)proto_at_const(msg, protojson_known_field(any, 2));
    const struct proto_message *m = protojson_any_type(e->flavor->pool, url);
    bool is_empty = url.len == 0 && bytes.len == 0;
    const void *held = NULL;

    if (!m && !is_empty)
        return no_form(e, any, "its type is not known here");
    if (m && !(held = unpack(e, m, bytes)))
        return -1;
    if (protojson_descend(e) < 0)
        return -1;
    json_obj_begin(e->w);
    if (held) {
        json_key_str(e->w, STR("@type"), url);
        if (m->kind == PROTO_KIND_PLAIN) {
            if (protojson_put_members(e, m, held) < 0)
                return -1;
        } else {
            json_key(e->w, STR("value"));
            if (protojson_put_message(e, m, held) < 0)
                return -1;
        }
    }
    json_obj_end(e->w);
    e->depth--;
    return 0;
}

static int put_empty(struct protojson_encoder *e)
{
    if (protojson_descend(e) < 0)
        return -1;
    json_obj_begin(e->w);
    json_obj_end(e->w);
    e->depth--;
    return 0;
}

int protojson_put_known(struct protojson_encoder *e, const struct proto_message *m, const void *msg)
{
    switch ((enum proto_kind)m->kind) {
    case PROTO_KIND_TIMESTAMP:
    case PROTO_KIND_DURATION: return put_time(e, m, msg);
    case PROTO_KIND_FIELD_MASK: return put_field_mask(e, m, msg);
    case PROTO_KIND_WRAPPER:
        return protojson_put_scalar(e, protojson_known_field(m, 1),
                                    proto_at_const(msg, protojson_known_field(m, 1)));
    case PROTO_KIND_STRUCT: return put_struct(e, m, msg);
    case PROTO_KIND_VALUE: return put_value(e, m, msg);
    case PROTO_KIND_LIST_VALUE: return put_list(e, m, msg);
    case PROTO_KIND_ANY: return put_any(e, m, msg);
    case PROTO_KIND_EMPTY: return put_empty(e);
    case PROTO_KIND_PLAIN: break;
    }
    return no_form(e, m, "a kind of its own was expected");
}
