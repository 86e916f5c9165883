/* SPDX-License-Identifier: Apache-2.0 */
/* JSON into messages, straight from the pull reader. The input is hostile: the reader bounds its
 * depth, nodes and bytes; here everything that is made is charged to a budget first, and no message
 * gets deeper than the wire format can carry. Pure; any thread. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codec/proto_internal.h"
#include "codec/protojson_internal.h"
#include "codec/utf8.h"

#define BYTES_AHEAD_TIMES 2 /* an input may be read again so many times in search of "@type" */

/* Fields and oneofs that an object had so far. */
struct seen {
    uint64_t few[4];
    uint64_t *bits;
};

/* --- refusing --- */

/* Text of the input for people: one line, cut between two characters. */
static void shorten(struct str s, char *out, size_t room)
{
    size_t len = 0;

    while (s.len > 0) {
        size_t n = utf8_char_len(s);

        if (n == 0 || len + n >= room)
            break;
        memcpy(out + len, s.p, n);
        if (n == 1 && ((uint8_t)s.p[0] < 0x20 || s.p[0] == 0x7f))
            out[len] = '?';
        len += n;
        s = str_skip(s, n);
    }
    out[len] = '\0';
}

int protojson_refuse(struct protojson_decoder *d, const char *reason, const char *fmt, ...)
{
    char why[160];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    d->reason = reason;
    return json_refuse(d->r, "%s", why);
}

int protojson_mismatch(struct protojson_decoder *d, enum json_token t, const char *expected)
{
    if (t == JSON_ERROR)
        return -1;
    return protojson_refuse(d, "wrong_type", "expected %s, found %s", expected, json_token_name(t));
}

/* `expected` is what protojson_text.c says of a value that it does not like. */
static int refuse_value(struct protojson_decoder *d, const char *expected)
{
    char text[48];

    shorten(d->r->text, text, sizeof(text));
    return protojson_refuse(d, "malformed", "expected %s, found \"%s\"", expected, text);
}

int protojson_unknown(struct protojson_decoder *d, const struct proto_message *m)
{
    char name[64];

    if (d->flavor->ignore_unknown)
        return json_skip(d->r);
    shorten(d->r->text, name, sizeof(name));
    if (d->steps < COUNTOF(d->trail))
        d->trail[d->steps++] = (struct protojson_step){.key = d->r->text};
    return protojson_refuse(d, "unknown_field", "%.*s has no field \"%s\"",
                            (int)MIN(m->full_name.len, (size_t)64), m->full_name.p, name);
}

static int over_limit(struct protojson_decoder *d, const char *why)
{
    d->over_limit = true;
    return protojson_refuse(d, "malformed", "%s", why);
}

int protojson_charge(struct protojson_decoder *d, size_t size)
{
    size_t used = arena_used(d->r->arena);

    if (used <= d->memory_end && size <= d->memory_end - used)
        return 0;
    return over_limit(d, "the message takes too much memory");
}

int protojson_deeper(struct protojson_decoder *d)
{
    if (d->wire >= PROTO_MAX_DEPTH)
        return protojson_refuse(d, "malformed", "the message nests too deeply");
    d->wire++;
    return 0;
}

void *protojson_new(struct protojson_decoder *d, const struct proto_message *m)
{
    return protojson_charge(d, m->size) < 0 ? NULL : proto_new(d->r->arena, m);
}

void *protojson_append(struct protojson_decoder *d, const struct proto_field *fd,
                       struct proto_array *array)
{
    size_t size = proto_value_size(fd);
    size_t needed = proto_array_room(size, array->count + 1);

    /* The nodes of the input bound the count, so that nothing overflows here. */
    if (needed > proto_array_room(size, array->count) && protojson_charge(d, needed * size) < 0)
        return NULL;
    return proto_append(d->r->arena, fd, array);
}

/* --- scalars --- */

static int read_enum(struct protojson_decoder *d, const struct proto_field *fd, enum json_token t,
                     union protojson_scalar *out, bool *skipped)
{
    const char *why;

    if (t == JSON_NULL && protojson_is_null_value(fd)) {
        out->i32 = 0;
        return 0;
    }
    if (t == JSON_STRING) {
        if (proto_enum_number(fd->enumeration, d->r->text, &out->i32) == 0)
            return 0;
        *skipped = d->flavor->ignore_unknown;
        return *skipped ? 0 : refuse_value(d, "a value of the enum");
    }
    if (t != JSON_NUMBER)
        return protojson_mismatch(d, t, "the name or number of an enum's value");
    why = protojson_integer(PROTO_ENUM, d->r->text, out);
    return why ? refuse_value(d, why) : 0;
}

static int read_number(struct protojson_decoder *d, enum proto_type type, enum json_token t,
                       union protojson_scalar *out)
{
    bool is_real = type == PROTO_DOUBLE || type == PROTO_FLOAT;
    const char *why;

    if (t != JSON_NUMBER && t != JSON_STRING)
        return protojson_mismatch(d, t, is_real ? "a number" : "an integer");
    why = is_real ? protojson_number(type, d->r->text, t == JSON_STRING, out)
                  : protojson_integer(type, d->r->text, out);
    return why ? refuse_value(d, why) : 0;
}

static int read_bytes(struct protojson_decoder *d, union protojson_scalar *out)
{
    const char *why;

    if (protojson_charge(d, d->r->text.len) < 0)
        return -1;
    why = protojson_bytes(d->r->arena, d->r->text, out);
    return why ? refuse_value(d, why) : 0;
}

int protojson_read_scalar(struct protojson_decoder *d, const struct proto_field *fd,
                          union protojson_scalar *out, bool *skipped)
{
    enum json_token t = json_next(d->r);

    switch ((enum proto_type)fd->type) {
    case PROTO_STRING:
        if (t != JSON_STRING)
            return protojson_mismatch(d, t, "a string");
        out->text = d->r->text;
        return 0;
    case PROTO_BYTES:
        return t == JSON_STRING ? read_bytes(d, out)
                                : protojson_mismatch(d, t, "a string with base64");
    case PROTO_BOOL:
        if (t != JSON_TRUE && t != JSON_FALSE)
            return protojson_mismatch(d, t, "true or false");
        out->b = t == JSON_TRUE;
        return 0;
    case PROTO_ENUM: return read_enum(d, fd, t, out, skipped);
    case PROTO_DOUBLE:
    case PROTO_FLOAT:
    case PROTO_INT64:
    case PROTO_UINT64:
    case PROTO_INT32:
    case PROTO_FIXED64:
    case PROTO_FIXED32:
    case PROTO_UINT32:
    case PROTO_SFIXED32:
    case PROTO_SFIXED64:
    case PROTO_SINT32:
    case PROTO_SINT64: return read_number(d, (enum proto_type)fd->type, t, out);
    case PROTO_MESSAGE: break;
    }
    return protojson_mismatch(d, t, "no message"); /* the callers see to messages */
}

/* --- fields --- */

/* Whether null is a value, not the lack of one. In lists and maps, where it cannot be the lack of
 * one, the value's own reader refuses it. */
static bool takes_null(const struct proto_field *fd)
{
    if (fd->type == PROTO_MESSAGE)
        return fd->message->kind == PROTO_KIND_VALUE;
    return protojson_is_null_value(fd);
}

static int read_submessage(struct protojson_decoder *d, const struct proto_message *m, void *msg)
{
    if (protojson_deeper(d) < 0 || protojson_read_message(d, m, msg) < 0)
        return -1;
    d->wire--;
    return 0;
}

static int read_singular(struct protojson_decoder *d, const struct proto_field *fd, void *msg)
{
    union protojson_scalar v = {0};
    bool skipped = false;

    if (fd->type == PROTO_MESSAGE) {
        void *made = protojson_new(d, fd->message);

        if (!made)
            return -1;
        proto_mark(msg, fd);
        *(void **)proto_at(msg, fd) = made;
        return read_submessage(d, fd->message, made);
    }
    if (protojson_read_scalar(d, fd, &v, &skipped) < 0)
        return -1;
    if (!skipped) {
        proto_mark(msg, fd);
        memcpy(proto_at(msg, fd), &v, proto_value_size(fd));
    }
    return 0;
}

static int read_item(struct protojson_decoder *d, const struct proto_field *fd,
                     struct proto_array *array)
{
    union protojson_scalar v = {0};
    bool skipped = false;
    void *item;

    if (fd->type == PROTO_MESSAGE) {
        item = protojson_append(d, fd, array);
        return item ? read_submessage(d, fd->message, item) : -1;
    }
    if (protojson_read_scalar(d, fd, &v, &skipped) < 0)
        return -1;
    if (skipped)
        return 0;
    item = protojson_append(d, fd, array);
    if (!item)
        return -1;
    memcpy(item, &v, proto_value_size(fd));
    return 0;
}

static int read_list(struct protojson_decoder *d, const struct proto_field *fd, void *msg,
                     struct protojson_step *step)
{
    enum json_token t = json_next(d->r);

    if (t != JSON_ARRAY_BEGIN)
        return protojson_mismatch(d, t, "a list");
    step->part = STEP_INDEX;
    for (step->index = 0; json_peek(d->r) != JSON_ARRAY_END; step->index++) {
        if (read_item(d, fd, proto_at(msg, fd)) < 0)
            return -1;
    }
    step->part = STEP_WHOLE;
    return json_next(d->r) == JSON_ARRAY_END ? 0 : -1;
}

/* What follows the key of a map. */
static int read_entry(struct protojson_decoder *d, const struct proto_field *map,
                      struct proto_array *array)
{
    const struct proto_field *key = proto_map_key(map), *value = proto_map_value(map);
    union protojson_scalar k = {0};
    size_t before = array->count;
    void *entry = protojson_append(d, map, array);
    const char *why = entry ? protojson_key((enum proto_type)key->type, d->r->text, &k) : NULL;

    if (!entry)
        return -1;
    if (why)
        return refuse_value(d, why);
    memcpy(proto_at(entry, key), &k, proto_value_size(key));
    if (value->type == PROTO_MESSAGE)
        return read_singular(d, value, entry);

    union protojson_scalar v = {0};
    bool skipped = false;

    if (protojson_read_scalar(d, value, &v, &skipped) < 0)
        return -1;
    if (skipped)
        array->count = before;
    else
        memcpy(proto_at(entry, value), &v, proto_value_size(value));
    return 0;
}

static int read_map(struct protojson_decoder *d, const struct proto_field *fd, void *msg,
                    struct protojson_step *step)
{
    enum json_token t = json_next(d->r);

    if (t != JSON_OBJECT_BEGIN)
        return protojson_mismatch(d, t, "an object");
    if (protojson_deeper(d) < 0)
        return -1;
    step->part = STEP_KEY;
    while ((t = json_next(d->r)) == JSON_KEY) {
        step->key = d->r->text;
        if (read_entry(d, fd, proto_at(msg, fd)) < 0)
            return -1;
    }
    step->part = STEP_WHOLE;
    d->wire--;
    return t == JSON_OBJECT_END ? 0 : -1;
}

static int read_field(struct protojson_decoder *d, const struct proto_field *fd, void *msg)
{
    struct protojson_step *step;
    int result = -1;

    if (d->steps == COUNTOF(d->trail)) /* a reader that is allowed more, and one Any in another */
        return protojson_refuse(d, "malformed", "the message nests too deeply");
    step = &d->trail[d->steps++];
    *step = (struct protojson_step){.fd = fd};
    switch ((enum proto_cardinality)fd->cardinality) {
    case PROTO_SINGULAR:
    case PROTO_OPTIONAL:
    case PROTO_ONEOF: result = read_singular(d, fd, msg); break;
    case PROTO_REPEATED: result = read_list(d, fd, msg, step); break;
    case PROTO_MAP: result = read_map(d, fd, msg, step); break;
    }
    if (result == 0) /* else it stays: it is the place of the fault */
        d->steps--;
    return result;
}

/* --- messages --- */

static bool see(struct seen *seen, size_t bit)
{
    uint64_t mask = UINT64_C(1) << bit % 64;
    bool before = seen->bits[bit / 64] & mask;

    seen->bits[bit / 64] |= mask;
    return !before;
}

static int seen_init(struct protojson_decoder *d, const struct proto_message *m, struct seen *seen)
{
    size_t words = ((size_t)m->field_count + m->oneof_count + 63) / 64;

    if (words <= COUNTOF(seen->few)) {
        *seen = (struct seen){.bits = seen->few};
        return 0;
    }
    if (protojson_charge(d, words * sizeof(uint64_t)) < 0)
        return -1;
    seen->bits = arena_new_array(d->r->arena, uint64_t, words);
    return 0;
}

/* What follows the key of a field. */
static int read_member(struct protojson_decoder *d, const struct proto_message *m,
                       const struct proto_field *fd, void *msg, struct seen *seen)
{
    bool is_singular = fd->cardinality < PROTO_REPEATED;

    if (!see(seen, (size_t)(fd - m->fields)))
        return protojson_refuse(d, "malformed", "field %.*s comes twice", STR_ARG(fd->name));
    if (json_peek(d->r) == JSON_NULL && !(is_singular && takes_null(fd)))
        return json_next(d->r) == JSON_NULL ? 0 : -1;
    if (fd->cardinality == PROTO_ONEOF &&
        !see(seen, (size_t)m->field_count + (size_t)(fd->oneof - m->oneofs)))
        return protojson_refuse(d, "malformed", "a second member of oneof %.*s",
                                STR_ARG(fd->oneof->name));
    return read_field(d, fd, msg);
}

int protojson_read_members(struct protojson_decoder *d, const struct proto_message *m, void *msg,
                           bool in_any)
{
    size_t expected = 0;
    enum json_token t;
    struct seen seen;

    if (seen_init(d, m, &seen) < 0)
        return -1;
    if (d->flavor->preset)
        d->flavor->preset(m, msg);
    while ((t = json_next(d->r)) == JSON_KEY) {
        struct str name = d->r->text;
        const struct proto_field *fd;
        int result;

        /* Most writers keep the order of declaration. */
        if (expected < m->field_count && str_eq(m->fields[expected].json_name, name))
            fd = &m->fields[expected];
        else
            fd = proto_field_by_name(m, name);
        if (in_any && str_eq(name, STR("@type")))
            result = json_skip(d->r);
        else if (!fd)
            result = protojson_unknown(d, m);
        else
            result = read_member(d, m, fd, msg, &seen);
        if (result < 0)
            return -1;
        if (fd)
            expected = (size_t)(fd - m->fields) + 1;
    }
    return t == JSON_OBJECT_END ? 0 : -1;
}

int protojson_read_message(struct protojson_decoder *d, const struct proto_message *m, void *msg)
{
    enum json_token t;

    if (m->kind != PROTO_KIND_PLAIN)
        return protojson_read_known(d, m, msg);
    t = json_next(d->r);
    if (t != JSON_OBJECT_BEGIN)
        return protojson_mismatch(d, t, "an object");
    return protojson_read_members(d, m, msg, false);
}

/* --- from outside --- */

static void put_text(struct buf *out, struct str s)
{
    char text[64];

    shorten(s, text, sizeof(text));
    buf_put_str(out, str_of(text));
}

static void put_step(struct buf *out, const struct protojson_step *step)
{
    if (out->len > 0)
        buf_put_byte(out, '.');
    put_text(out, step->fd ? step->fd->name : step->key);
    if (!step->fd)
        return;
    if (step->part == STEP_INDEX)
        buf_printf(out, "[%zu]", step->index);
    if (step->part == STEP_KEY) {
        buf_put_str(out, STR("[\""));
        put_text(out, step->key);
        buf_put_str(out, STR("\"]"));
    }
}

/* What the reader reported, in our terms. */
static int failed(struct protojson_decoder *d)
{
    struct fail *f = d->r->fail;
    char path[sizeof(f->field)];
    struct buf out;

    buf_init_arena(&out, d->r->arena, SIZE_MAX / 2);
    for (uint32_t i = 0; i < d->steps && out.len < sizeof(path); i++)
        put_step(&out, &d->trail[i]);
    shorten(buf_str(&out), path, sizeof(path));
    fail_field(f, "%s", path);
    f->reason = d->reason ? d->reason : "malformed";
    if (d->over_limit || d->r->over_limit)
        f->code = CODE_RESOURCE_EXHAUSTED;
    return -1;
}

static void decoder_init(struct protojson_decoder *d, const struct protojson_flavor *flavor,
                         struct json_reader *r, size_t memory)
{
    size_t used = arena_used(r->arena);

    d->flavor = flavor;
    d->r = r;
    d->memory_end = memory < SIZE_MAX - used ? used + memory : SIZE_MAX;
    d->ahead = r->limits.bytes < SIZE_MAX / BYTES_AHEAD_TIMES ? BYTES_AHEAD_TIMES * r->limits.bytes
                                                              : SIZE_MAX;
    d->wire = 0;
    d->steps = 0;
    d->reason = NULL;
    d->over_limit = false;
}

/* For a whole text. */
static void begin(struct protojson_decoder *d, struct json_reader *r,
                  const struct protojson_flavor *flavor, struct arena *a, struct str text,
                  const struct protojson_limits *limits, struct fail *f)
{
    static const struct protojson_limits defaults = {0};
    const struct protojson_limits *l = limits ? limits : &defaults;
    struct json_limits json = {
        .depth = l->depth ? MIN(l->depth, (uint32_t)PROTOJSON_DEPTH) : PROTOJSON_DEPTH,
        .nodes = l->nodes,
        .bytes = l->bytes,
    };

    json_reader_init(r, a, text, &json, f);
    decoder_init(d, flavor, r, l->memory ? l->memory : PROTOJSON_MEMORY);
}

int protojson_decode(const struct protojson_flavor *flavor, const struct proto_message *m,
                     struct arena *a, struct str text, const struct protojson_limits *limits,
                     void *msg, struct fail *f)
{
    struct protojson_decoder d;
    struct json_reader r;

    begin(&d, &r, flavor, a, text, limits, f);
    if (protojson_read_message(&d, m, msg) < 0 || json_finish(&r) < 0)
        return failed(&d);
    return 0;
}

int protojson_decode_field(const struct protojson_flavor *flavor, const struct proto_field *fd,
                           struct arena *a, struct str text, const struct protojson_limits *limits,
                           void *msg, struct fail *f)
{
    struct protojson_decoder d;
    struct json_reader r;
    int result;

    begin(&d, &r, flavor, a, text, limits, f);
    if (json_peek(&r) == JSON_NULL && !(fd->cardinality < PROTO_REPEATED && takes_null(fd)))
        result = json_next(&r) == JSON_NULL ? 0 : -1;
    else
        result = read_field(&d, fd, msg);
    return result < 0 || json_finish(&r) < 0 ? failed(&d) : 0;
}

int protojson_read(const struct protojson_flavor *flavor, const struct proto_message *m,
                   struct json_reader *r, void *msg)
{
    struct protojson_decoder d;

    decoder_init(&d, flavor, r, PROTOJSON_MEMORY);
    return protojson_read_message(&d, m, msg) < 0 ? failed(&d) : 0;
}
