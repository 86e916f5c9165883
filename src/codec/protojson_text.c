/* SPDX-License-Identifier: Apache-2.0 */
/* Values of messages as bare text: what stands in a JSON string or literal, a map's key, a path or
 * a query. Pure; any thread. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "codec/base64.h"
#include "codec/proto_internal.h"
#include "codec/protojson_internal.h"
#include "codec/rfc3339.h"
#include "codec/utf8.h"

const struct proto_field *protojson_known_field(const struct proto_message *m, uint32_t number)
{
    const struct proto_field *fd = proto_field_by_number(m, number);

    assert(fd);
    return fd;
}

bool protojson_is_null_value(const struct proto_field *fd)
{
    return fd->type == PROTO_ENUM &&
           str_eq(fd->enumeration->full_name, STR("google.protobuf.NullValue"));
}

const struct proto_message *protojson_any_type(const struct proto_pool *pool, struct str url)
{
    size_t at = url.len;

    while (at > 0 && url.p[at - 1] != '/')
        at--;
    if (at == 0 || !pool)
        return NULL;
    return proto_pool_message(pool, str_skip(url, at));
}

/* --- numbers --- */

static const char *integer_32(struct str text, union protojson_scalar *out)
{
    int64_t v;

    if (json_num_i64(text, &v) < 0 || v < INT32_MIN || v > INT32_MAX)
        return "a 32-bit integer";
    out->i32 = (int32_t)v;
    return NULL;
}

static const char *unsigned_32(struct str text, union protojson_scalar *out)
{
    uint64_t v;

    if (json_num_u64(text, &v) < 0 || v > UINT32_MAX)
        return "an unsigned 32-bit integer";
    out->u32 = (uint32_t)v;
    return NULL;
}

const char *protojson_integer(enum proto_type type, struct str text, union protojson_scalar *out)
{
    switch (type) {
    case PROTO_INT32:
    case PROTO_SINT32:
    case PROTO_SFIXED32:
    case PROTO_ENUM: return integer_32(text, out);
    case PROTO_UINT32:
    case PROTO_FIXED32: return unsigned_32(text, out);
    case PROTO_INT64:
    case PROTO_SINT64:
    case PROTO_SFIXED64: return json_num_i64(text, &out->i64) < 0 ? "a 64-bit integer" : NULL;
    case PROTO_UINT64:
    case PROTO_FIXED64:
        return json_num_u64(text, &out->u64) < 0 ? "an unsigned 64-bit integer" : NULL;
    case PROTO_DOUBLE:
    case PROTO_FLOAT:
    case PROTO_BOOL:
    case PROTO_STRING:
    case PROTO_MESSAGE:
    case PROTO_BYTES: break;
    }
    return "an integer";
}

/* The three values that JSON's numbers lack. */
static bool special(struct str text, double *out)
{
    if (str_eq(text, STR("NaN")))
        *out = NAN;
    else if (str_eq(text, STR("Infinity")))
        *out = HUGE_VAL;
    else if (str_eq(text, STR("-Infinity")))
        *out = -HUGE_VAL;
    else
        return false;
    return true;
}

const char *protojson_number(enum proto_type type, struct str text, bool quoted,
                             union protojson_scalar *out)
{
    bool is_special;
    double v;

    is_special = quoted && special(text, &v);
    if (!is_special && json_num_double(text, &v) < 0)
        return "a number in the range of a double";
    if (type == PROTO_DOUBLE) {
        out->d = v;
        return NULL;
    }
    out->f = (float)v;
    return isinf(out->f) && !is_special ? "a number in the range of a float" : NULL;
}

/* Decimal digits without a sign or a zero in front that say nothing. */
static bool is_shortest(struct str text)
{
    if (text.len > 1 && text.p[0] == '-')
        return text.p[1] >= '1' && text.p[1] <= '9';
    return text.len == 1 || (text.len > 1 && text.p[0] != '0');
}

const char *protojson_key(enum proto_type type, struct str text, union protojson_scalar *out)
{
    int64_t i;
    uint64_t u;

    if (type == PROTO_STRING) {
        out->text = text;
        return NULL;
    }
    if (type == PROTO_BOOL) {
        out->b = str_eq(text, STR("true"));
        return out->b || str_eq(text, STR("false")) ? NULL : "true or false as a key";
    }
    if (!is_shortest(text) || (str_to_i64(text, &i) < 0 && str_to_u64(text, &u) < 0))
        return "an integer as a key";
    return protojson_integer(type, text, out);
}

const char *protojson_bytes(struct arena *a, struct str text, union protojson_scalar *out)
{
    return base64_decode_lenient(a, text, &out->text) < 0 ? "bytes in base64" : NULL;
}

/* --- Timestamp and Duration: 1 seconds, 2 nanos --- */

static void set_time(const struct proto_message *m, void *msg, int64_t seconds, int32_t nanos)
{
    *(int64_t *)proto_at(msg, protojson_known_field(m, 1)) = seconds;
    *(int32_t *)proto_at(msg, protojson_known_field(m, 2)) = nanos;
}

const char *protojson_timestamp(const struct proto_message *m, struct str text, void *msg)
{
    int64_t seconds;
    uint32_t nanos;

    if (rfc3339_parse(text, &seconds, &nanos) < 0)
        return "a time like \"2006-01-02T15:04:05Z\"";
    set_time(m, msg, seconds, (int32_t)nanos);
    return NULL;
}

/* 1 to 9 digits after the point. */
static int parse_fraction(struct str digits, int32_t *nanos)
{
    uint64_t v;

    if (digits.len > 9 || str_to_u64(digits, &v) < 0)
        return -1;
    for (size_t i = digits.len; i < 9; i++)
        v *= 10;
    *nanos = (int32_t)v;
    return 0;
}

const char *protojson_duration(const struct proto_message *m, struct str text, void *msg)
{
    static const char expected[] = "a duration like \"1.5s\", at most 315576000000s";
    bool negative = text.len > 0 && text.p[0] == '-', has_point;
    struct str fraction, whole;
    uint64_t seconds;
    int32_t nanos = 0;

    if (text.len == 0 || text.p[text.len - 1] != 's')
        return expected;
    fraction = str_skip(str_first(text, text.len - 1), negative);
    has_point = str_index(fraction, '.') >= 0;
    whole = str_cut(&fraction, '.');
    if (str_to_u64(whole, &seconds) < 0 || seconds > (uint64_t)DURATION_MAX_SECONDS)
        return expected;
    if (has_point && parse_fraction(fraction, &nanos) < 0)
        return expected;
    set_time(m, msg, negative ? -(int64_t)seconds : (int64_t)seconds, negative ? -nanos : nanos);
    return NULL;
}

size_t protojson_print_duration(int64_t seconds, int32_t nanos, char out[DURATION_TEXT_MAX])
{
    bool negative = seconds < 0 || nanos < 0;
    uint32_t fraction;
    size_t len = 0, digits = 9;

    if (seconds < -DURATION_MAX_SECONDS || seconds > DURATION_MAX_SECONDS)
        return 0;
    if (nanos <= -NANOS_PER_SECOND || nanos >= NANOS_PER_SECOND)
        return 0;
    if (negative && (seconds > 0 || nanos > 0))
        return 0;
    fraction = (uint32_t)(nanos < 0 ? -nanos : nanos);
    if (negative)
        out[len++] = '-';
    len += number_print_i64(seconds < 0 ? -seconds : seconds, out + len);
    if (fraction > 0) {
        for (; fraction % 1000 == 0; fraction /= 1000)
            digits -= 3;
        out[len] = '.';
        for (size_t i = digits; i > 0; i--, fraction /= 10)
            out[len + i] = (char)('0' + fraction % 10);
        len += digits + 1;
    }
    out[len++] = 's';
    return len;
}

/* --- FieldMask: 1 paths --- */

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* "fooBar.baz" is foo_bar.baz. `to` has room for twice the bytes. */
static size_t to_snake(struct str path, char *to)
{
    size_t len = 0;

    for (size_t i = 0; i < path.len; i++) {
        if (is_upper(path.p[i])) {
            to[len++] = '_';
            to[len++] = (char)(path.p[i] - 'A' + 'a');
        } else {
            to[len++] = path.p[i];
        }
    }
    return len;
}

const char *protojson_field_mask(const struct proto_message *m, struct arena *a, struct str text,
                                 bool (*more)(void *arg, size_t len), void *arg, void *msg)
{
    const struct proto_field *fd = protojson_known_field(m, 1);

    while (text.len > 0) {
        struct str path = text, *slot;
        ptrdiff_t comma = str_index(text, ',');
        char *to;

        if (comma >= 0)
            path = str_first(text, (size_t)comma);
        text = str_skip(text, path.len + 1);
        if (path.len == 0 || str_index(path, '_') >= 0 || (comma >= 0 && text.len == 0))
            return "paths in lowerCamelCase, separated by commas";
        if (!more(arg, 2 * path.len))
            return "fewer paths";
        to = arena_alloc_raw(a, 2 * path.len);
        slot = proto_append(a, fd, proto_at(msg, fd));
        *slot = str_make(to, to_snake(path, to));
    }
    return NULL;
}

bool protojson_path_survives(struct str path)
{
    for (size_t i = 0; i < path.len; i++) {
        char c = path.p[i];

        if (is_upper(c) || c == ',')
            return false;
        if (c == '_' && (++i == path.len || path.p[i] < 'a' || path.p[i] > 'z'))
            return false;
    }
    return path.len > 0;
}

/* --- bare text --- */

static bool any_number_of(void *arg, size_t len)
{
    (void)arg;
    (void)len;
    return true;
}

static const char *bare_bool(struct str text, union protojson_scalar *out)
{
    static const struct {
        struct str text;
        bool value;
    } words[] = {
        {STR_INIT("true"), true},   {STR_INIT("True"), true},   {STR_INIT("1"), true},
        {STR_INIT("false"), false}, {STR_INIT("False"), false}, {STR_INIT("0"), false},
    };

    for (size_t i = 0; i < COUNTOF(words); i++) {
        if (str_eq(words[i].text, text)) {
            out->b = words[i].value;
            return NULL;
        }
    }
    return "true or false";
}

/* *skipped when it is an enum's name that nobody knows and the flavor does not mind. */
static const char *bare_enum(const struct protojson_flavor *flavor, const struct proto_field *fd,
                             struct str text, union protojson_scalar *out, bool *skipped)
{
    if (proto_enum_number(fd->enumeration, text, &out->i32) == 0)
        return NULL;
    if (protojson_is_null_value(fd) && str_eq(text, STR("null"))) {
        out->i32 = 0;
        return NULL;
    }
    if (json_num_is_valid(text))
        return protojson_integer(PROTO_ENUM, text, out);
    *skipped = flavor->ignore_unknown;
    return *skipped ? NULL : "a value of the enum";
}

static const char *bare_scalar(const struct protojson_flavor *flavor, const struct proto_field *fd,
                               struct arena *a, struct str text, union protojson_scalar *out,
                               bool *skipped)
{
    switch ((enum proto_type)fd->type) {
    case PROTO_STRING: out->text = text; return utf8_is_valid(text) ? NULL : "valid UTF-8";
    case PROTO_BYTES: return protojson_bytes(a, text, out);
    case PROTO_BOOL: return bare_bool(text, out);
    case PROTO_ENUM: return bare_enum(flavor, fd, text, out, skipped);
    case PROTO_DOUBLE:
    case PROTO_FLOAT: return protojson_number((enum proto_type)fd->type, text, true, out);
    case PROTO_INT64:
    case PROTO_UINT64:
    case PROTO_INT32:
    case PROTO_FIXED64:
    case PROTO_FIXED32:
    case PROTO_UINT32:
    case PROTO_SFIXED32:
    case PROTO_SFIXED64:
    case PROTO_SINT32:
    case PROTO_SINT64: return protojson_integer((enum proto_type)fd->type, text, out);
    case PROTO_MESSAGE: break;
    }
    return "no message here";
}

/* Where the value of the field goes: its place, or a new element. */
static void *take_place(const struct proto_field *fd, struct arena *a, void *msg)
{
    if (fd->cardinality == PROTO_REPEATED)
        return proto_append(a, fd, proto_at(msg, fd));
    proto_mark(msg, fd);
    return proto_at(msg, fd);
}

static const char *bare_message(const struct protojson_flavor *flavor, const struct proto_field *fd,
                                struct arena *a, struct str text, void *msg)
{
    const struct proto_message *m = fd->message;
    void *made = proto_new(a, m), *place;
    const char *why = "no message here";
    union protojson_scalar v = {0};
    bool skipped = false;

    switch ((enum proto_kind)m->kind) {
    case PROTO_KIND_TIMESTAMP: why = protojson_timestamp(m, text, made); break;
    case PROTO_KIND_DURATION: why = protojson_duration(m, text, made); break;
    case PROTO_KIND_FIELD_MASK:
        why = utf8_is_valid(text) ? protojson_field_mask(m, a, text, any_number_of, NULL, made)
                                  : "valid UTF-8";
        break;
    case PROTO_KIND_WRAPPER:
        why = bare_scalar(flavor, &m->fields[0], a, text, &v, &skipped);
        memcpy(proto_at(made, &m->fields[0]), &v, proto_value_size(&m->fields[0]));
        break;
    case PROTO_KIND_PLAIN:
    case PROTO_KIND_ANY:
    case PROTO_KIND_STRUCT:
    case PROTO_KIND_VALUE:
    case PROTO_KIND_LIST_VALUE:
    case PROTO_KIND_EMPTY: break;
    }
    if (why)
        return why;
    place = take_place(fd, a, msg);
    if (fd->cardinality == PROTO_REPEATED)
        memcpy(place, made, m->size);
    else
        *(void **)place = made;
    return NULL;
}

int protojson_set_text(const struct protojson_flavor *flavor, const struct proto_field *fd,
                       struct arena *a, struct str text, void *msg, struct fail *f)
{
    union protojson_scalar v = {0};
    bool skipped = false;
    const char *why;

    if (fd->cardinality == PROTO_MAP) {
        why = "no map here";
    } else if (fd->type == PROTO_MESSAGE) {
        why = bare_message(flavor, fd, a, text, msg);
    } else {
        why = bare_scalar(flavor, fd, a, text, &v, &skipped);
        if (!why && !skipped)
            memcpy(take_place(fd, a, msg), &v, proto_value_size(fd));
    }
    if (!why)
        return 0;
    fail_reason(f, CODE_INVALID_ARGUMENT, "malformed", "%.*s: expected %s", STR_ARG(fd->name), why);
    return fail_field(f, "%.*s", STR_ARG(fd->name));
}
