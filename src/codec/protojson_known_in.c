/* SPDX-License-Identifier: Apache-2.0 */
/* JSON into the messages that have a form of their own there. Pure; any thread. */
#include <string.h>

#include "codec/proto_internal.h"
#include "codec/protojson_internal.h"

/* Numbers of the fields of google.protobuf.Value. */
enum {
    VALUE_NULL = 1,
    VALUE_NUMBER = 2,
    VALUE_STRING = 3,
    VALUE_BOOL = 4,
    VALUE_STRUCT = 5,
    VALUE_LIST = 6,
};

static int read_value(struct protojson_decoder *d, const struct proto_message *m, void *msg);

/* --- the kinds that are one string --- */

static bool may_add_path(void *arg, size_t len)
{
    /* The array doubles as it grows. */
    return protojson_charge(arg, len + 256) == 0;
}

static int read_text(struct protojson_decoder *d, const struct proto_message *m, void *msg)
{
    enum json_token t = json_next(d->r);
    const char *why;

    if (t != JSON_STRING)
        return protojson_mismatch(d, t, "a string");
    if (m->kind == PROTO_KIND_TIMESTAMP)
        why = protojson_timestamp(m, d->r->text, msg);
    else if (m->kind == PROTO_KIND_DURATION)
        why = protojson_duration(m, d->r->text, msg);
    else
        why = protojson_field_mask(m, d->r->arena, d->r->text, may_add_path, d, msg);
    if (!why)
        return 0;
    return d->over_limit ? -1 : protojson_refuse(d, "malformed", "expected %s", why);
}

static int read_wrapper(struct protojson_decoder *d, const struct proto_message *m, void *msg)
{
    const struct proto_field *fd = protojson_known_field(m, 1);
    union protojson_scalar v = {0};
    bool skipped;

    if (protojson_read_scalar(d, fd, &v, &skipped) < 0)
        return -1;
    memcpy(proto_at(msg, fd), &v, proto_value_size(fd));
    return 0;
}

/* --- Struct, Value and ListValue --- */

static int read_struct(struct protojson_decoder *d, const struct proto_message *m, void *msg)
{
    const struct proto_field *fields = protojson_known_field(m, 1);
    const struct proto_field *value = proto_map_value(fields);
    enum json_token t = json_next(d->r);

    if (t != JSON_OBJECT_BEGIN)
        return protojson_mismatch(d, t, "an object");
    if (protojson_deeper(d) < 0 || protojson_deeper(d) < 0) /* the entries and their values */
        return -1;
    while ((t = json_next(d->r)) == JSON_KEY) {
        struct str key = d->r->text;
        void *entry = protojson_append(d, fields, proto_at(msg, fields));
        void *made = entry ? protojson_new(d, value->message) : NULL;

        if (!made)
            return -1;
        *(struct str *)proto_at(entry, proto_map_key(fields)) = key;
        *(void **)proto_at(entry, value) = made;
        if (read_value(d, value->message, made) < 0)
            return -1;
    }
    d->wire -= 2;
    return t == JSON_OBJECT_END ? 0 : -1;
}

static int read_list(struct protojson_decoder *d, const struct proto_message *m, void *msg)
{
    const struct proto_field *values = protojson_known_field(m, 1);
    enum json_token t = json_next(d->r);

    if (t != JSON_ARRAY_BEGIN)
        return protojson_mismatch(d, t, "a list");
    if (protojson_deeper(d) < 0)
        return -1;
    while (json_peek(d->r) != JSON_ARRAY_END) {
        void *item = protojson_append(d, values, proto_at(msg, values));

        if (!item || read_value(d, values->message, item) < 0)
            return -1;
    }
    d->wire--;
    return json_next(d->r) == JSON_ARRAY_END ? 0 : -1;
}

static void *member(const struct proto_message *m, uint32_t number, void *msg)
{
    const struct proto_field *fd = protojson_known_field(m, number);

    proto_mark(msg, fd);
    return proto_at(msg, fd);
}

static int read_nested(struct protojson_decoder *d, const struct proto_message *m, uint32_t number,
                       void *msg)
{
    const struct proto_message *inner = protojson_known_field(m, number)->message;
    void *made = protojson_new(d, inner);

    if (!made || protojson_deeper(d) < 0)
        return -1;
    *(void **)member(m, number, msg) = made;
    if ((number == VALUE_STRUCT ? read_struct : read_list)(d, inner, made) < 0)
        return -1;
    d->wire--;
    return 0;
}

static int read_value(struct protojson_decoder *d, const struct proto_message *m, void *msg)
{
    enum json_token t = json_peek(d->r);
    double number;

    if (t == JSON_OBJECT_BEGIN)
        return read_nested(d, m, VALUE_STRUCT, msg);
    if (t == JSON_ARRAY_BEGIN)
        return read_nested(d, m, VALUE_LIST, msg);
    t = json_next(d->r);
    switch (t) {
    case JSON_NULL: *(int32_t *)member(m, VALUE_NULL, msg) = 0; return 0;
    case JSON_TRUE:
    case JSON_FALSE: *(bool *)member(m, VALUE_BOOL, msg) = t == JSON_TRUE; return 0;
    case JSON_STRING: *(struct str *)member(m, VALUE_STRING, msg) = d->r->text; return 0;
    case JSON_NUMBER:
        if (json_num_double(d->r->text, &number) < 0)
            return protojson_refuse(d, "malformed", "expected a number in the range of a double");
        *(double *)member(m, VALUE_NUMBER, msg) = number;
        return 0;
    case JSON_OBJECT_BEGIN:
    case JSON_OBJECT_END:
    case JSON_ARRAY_BEGIN:
    case JSON_ARRAY_END:
    case JSON_KEY:
    case JSON_END:
    case JSON_ERROR: break;
    }
    return protojson_mismatch(d, t, "a value");
}

/* --- Any --- */

/* Reads the object that begins here in search of "@type" and comes back to its first key. The keys
 * that the reader holds are the same again once the object was left. */
static int find_type(struct protojson_decoder *d, const struct json_reader *before, struct str *url)
{
    struct json_reader *r = d->r;
    enum json_token t = JSON_KEY;
    bool found;

    while (t == JSON_KEY && !str_eq(r->text, STR("@type"))) {
        if (json_skip(r) < 0)
            return -1;
        t = json_next(r);
    }
    found = t == JSON_KEY;
    if (t != JSON_KEY && t != JSON_OBJECT_END)
        return -1;
    if (found) {
        t = json_next(r);
        if (t != JSON_STRING)
            return protojson_mismatch(d, t, "a string as \"@type\"");
        *url = r->text;
        if (json_leave(r) < 0)
            return -1;
    }
    if (!found)
        return protojson_refuse(d, "malformed", "an Any without \"@type\"");
    if ((size_t)(r->at - before->at) > d->ahead) {
        d->over_limit = true;
        return protojson_refuse(d, "malformed", "\"@type\" comes too late too often");
    }
    d->ahead -= (size_t)(r->at - before->at);
    *r = *before;
    if (protojson_charge(d, 0) < 0)
        return -1;
    return json_next(r) == JSON_OBJECT_BEGIN ? 0 : -1;
}

/* {"@type": ..., "value": ...} */
static int read_any_value(struct protojson_decoder *d, const struct proto_message *m, void *msg)
{
    bool found = m->kind == PROTO_KIND_EMPTY; /* many leave it out */
    enum json_token t;

    while ((t = json_next(d->r)) == JSON_KEY) {
        int result;

        if (str_eq(d->r->text, STR("@type"))) {
            result = json_skip(d->r);
        } else if (str_eq(d->r->text, STR("value"))) {
            found = true;
            result = protojson_read_message(d, m, msg);
        } else {
            result = protojson_unknown(d, m);
        }
        if (result < 0)
            return -1;
    }
    if (t != JSON_OBJECT_END)
        return -1;
    return found ? 0 : protojson_refuse(d, "malformed", "an Any of this type needs a \"value\"");
}

static int pack(struct protojson_decoder *d, const struct proto_message *m, const void *msg,
                struct str *out)
{
    size_t size = proto_size(m, msg);
    struct buf bytes;

    if (protojson_charge(d, size) < 0)
        return -1;
    if (size == 0)
        return 0;
    buf_init_arena(&bytes, d->r->arena, size);
    if (!buf_reserve(&bytes, size) || proto_encode(m, msg, &bytes) < 0)
        return protojson_refuse(d, "malformed", "an Any that is too large");
    *out = buf_str(&bytes);
    return 0;
}

/* Behind the brace and, when `url` stood first, behind it. */
static int read_any_content(struct protojson_decoder *d, struct str url, struct str *out)
{
    const struct proto_message *m = protojson_any_type(d->flavor->pool, url);
    uint32_t wire = d->wire;
    void *made;

    if (!m)
        return protojson_refuse(d, "malformed", "an Any of a type that is not known here");
    made = protojson_new(d, m);
    if (!made)
        return -1;
    d->wire = 0; /* it is bytes in the message around it */
    if (m->kind == PROTO_KIND_PLAIN ? protojson_read_members(d, m, made, true) < 0
                                    : read_any_value(d, m, made) < 0)
        return -1;
    d->wire = wire;
    return pack(d, m, made, out);
}

static int read_any(struct protojson_decoder *d, const struct proto_message *m, void *msg)
{
    IGNORE(
        json_peek(d->r)); /* settles the reader before the value: it may have to come back here */

    struct json_reader before = *d->r;
    struct str url = {0}, bytes = {0};
    enum json_token t = json_next(d->r);

    if (t != JSON_OBJECT_BEGIN)
        return protojson_mismatch(d, t, "an object");
    t = json_next(d->r);
    if (t == JSON_OBJECT_END)
        return 0;
    if (t != JSON_KEY)
        return -1;
    if (str_eq(d->r->text, STR("@type"))) {
        t = json_next(d->r);
        if (t != JSON_STRING)
            return protojson_mismatch(d, t, "a string as \"@type\"");
        url = d->r->text;
    } else if (find_type(d, &before, &url) < 0) {
        return -1;
    }
    if (read_any_content(d, url, &bytes) < 0)
        return -1;
    *(struct str *)proto_at(msg, protojson_known_field(m, 1)) = url;
    *(struct str *)proto_at(msg, protojson_known_field(m, 2)) = bytes;
    return 0;
}

static int read_empty(struct protojson_decoder *d, const struct proto_message *m)
{
    enum json_token t = json_next(d->r);

    if (t != JSON_OBJECT_BEGIN)
        return protojson_mismatch(d, t, "an object");
    while ((t = json_next(d->r)) == JSON_KEY) {
        if (protojson_unknown(d, m) < 0)
            return -1;
    }
    return t == JSON_OBJECT_END ? 0 : -1;
}

int protojson_read_known(struct protojson_decoder *d, const struct proto_message *m, void *msg)
{
    switch ((enum proto_kind)m->kind) {
    case PROTO_KIND_TIMESTAMP:
    case PROTO_KIND_DURATION:
    case PROTO_KIND_FIELD_MASK: return read_text(d, m, msg);
    case PROTO_KIND_WRAPPER: return read_wrapper(d, m, msg);
    case PROTO_KIND_STRUCT: return read_struct(d, m, msg);
    case PROTO_KIND_VALUE: return read_value(d, m, msg);
    case PROTO_KIND_LIST_VALUE: return read_list(d, m, msg);
    case PROTO_KIND_ANY: return read_any(d, m, msg);
    case PROTO_KIND_EMPTY: return read_empty(d, m);
    case PROTO_KIND_PLAIN: break;
    }
    return protojson_refuse(d, "malformed", "expected a message of another kind");
}
