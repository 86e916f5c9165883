/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer. Any thread, one at a time. */
#include "codec/json_writer.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "codec/json.h"
#include "codec/json_internal.h"
#include "codec/utf8.h"

#define EXACT_INTEGER_MAX 9007199254740992.0 /* 2^53 */

enum state {
    EMPTY,     /* nothing was written yet */
    FIRST,     /* in an object or array without members so far */
    AFTER_KEY, /* the key's value must follow */
    MORE,      /* a comma goes before what follows */
    COMPLETE,
};

void json_writer_init(struct json_writer *w, struct buf *out)
{
    w->out = out;
    w->depth = 0;
    w->state = EMPTY;
    w->indent = 0;
}

void json_writer_init_indented(struct json_writer *w, struct buf *out, unsigned indent)
{
    assert(indent >= 1 && indent <= 8);
    json_writer_init(w, out);
    w->indent = (uint8_t)indent;
}

static bool in_object(const struct json_writer *w)
{
    uint32_t level = w->depth - 1;

    return w->depth > 0 && (w->objects[level / 64] >> (level % 64) & 1);
}

static void new_line(struct json_writer *w)
{
    if (!w->indent)
        return;
    buf_put_byte(w->out, '\n');
    for (uint32_t i = 0; i < w->depth * w->indent; i++)
        buf_put_byte(w->out, ' ');
}

static void separate(struct json_writer *w)
{
    if (w->state == MORE)
        buf_put_byte(w->out, ',');
    new_line(w);
}

static void begin_value(struct json_writer *w)
{
    if (w->depth == 0) {
        assert(w->state == EMPTY);
    } else if (in_object(w)) {
        assert(w->state == AFTER_KEY);
    } else {
        separate(w);
    }
}

static void end_value(struct json_writer *w)
{
    w->state = w->depth > 0 ? MORE : COMPLETE;
}

static void begin(struct json_writer *w, bool object)
{
    uint64_t bit = UINT64_C(1) << (w->depth % 64);

    assert(w->depth < JSON_WRITER_DEPTH_MAX);
    begin_value(w);
    buf_put_byte(w->out, object ? '{' : '[');
    if (object)
        w->objects[w->depth / 64] |= bit;
    else
        w->objects[w->depth / 64] &= ~bit;
    w->depth++;
    w->state = FIRST;
}

static void end(struct json_writer *w, bool object)
{
    assert(w->depth > 0 && in_object(w) == object && w->state != AFTER_KEY);
    w->depth--;
    if (w->state == MORE)
        new_line(w);
    buf_put_byte(w->out, object ? '}' : ']');
    end_value(w);
}

void json_obj_begin(struct json_writer *w)
{
    begin(w, true);
}

void json_obj_end(struct json_writer *w)
{
    end(w, true);
}

void json_arr_begin(struct json_writer *w)
{
    begin(w, false);
}

void json_arr_end(struct json_writer *w)
{
    end(w, false);
}

/* '"', '\\' or a control byte. */
static void put_escape(struct buf *out, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "btn fr"; /* for 8 to 13; 11 has none */
    uint8_t text[6] = {'\\', c};

    if (c >= 0x20) {
        buf_put(out, text, 2);
    } else if (c >= 8 && c <= 13 && c != 11) {
        text[1] = (uint8_t)letters[c - 8];
        buf_put(out, text, 2);
    } else {
        memcpy(text + 1, "u00", 3);
        text[4] = (uint8_t)hex[c >> 4];
        text[5] = (uint8_t)hex[c & 15];
        buf_put(out, text, 6);
    }
}

static void put_valid(struct buf *out, struct str s)
{
    const char *p = s.p, *end = s.p + s.len;

    while (p < end) {
        const char *plain = json_plain_end(p, end);

        buf_put(out, p, (size_t)(plain - p));
        if (plain == end)
            return;
        put_escape(out, (uint8_t)*plain);
        p = plain + 1;
    }
}

static void put_string(struct buf *out, struct str s)
{
    if (str_is_plain(s)) {
        uint8_t *room = buf_reserve(out, s.len + 2);

        if (!room)
            return;
        room[0] = '"';
        if (s.len > 0)
            memcpy(room + 1, s.p, s.len);
        room[s.len + 1] = '"';
        out->len += s.len + 2;
        return;
    }
    buf_put_byte(out, '"');
    while (s.len > 0) {
        size_t valid = utf8_valid_len(s);

        put_valid(out, str_first(s, valid));
        s = str_skip(s, valid);
        if (s.len > 0) {
            buf_put_str(out, STR("\xef\xbf\xbd"));
            s = str_skip(s, utf8_bad_len(s));
        }
    }
    buf_put_byte(out, '"');
}

void json_key(struct json_writer *w, struct str key)
{
    assert(in_object(w) && w->state != AFTER_KEY);
    separate(w);
    put_string(w->out, key);
    buf_put_byte(w->out, ':');
    if (w->indent)
        buf_put_byte(w->out, ' ');
    w->state = AFTER_KEY;
}

void json_str(struct json_writer *w, struct str s)
{
    begin_value(w);
    put_string(w->out, s);
    end_value(w);
}

void json_i64(struct json_writer *w, int64_t v)
{
    begin_value(w);
    buf_put_i64(w->out, v);
    end_value(w);
}

void json_u64(struct json_writer *w, uint64_t v)
{
    begin_value(w);
    buf_put_u64(w->out, v);
    end_value(w);
}

void json_double(struct json_writer *w, double v)
{
    char text[JSON_DOUBLE_TEXT_MAX];

    if (!isfinite(v)) {
        json_null(w);
        return;
    }
    begin_value(w);
    if (fabs(v) < EXACT_INTEGER_MAX && (double)(int64_t)v == v && !(v == 0 && signbit(v)))
        buf_put_i64(w->out, (int64_t)v);
    else
        buf_put(w->out, text, json_double_print(v, text));
    end_value(w);
}

void json_bool(struct json_writer *w, bool v)
{
    json_put_raw(w, v ? STR("true") : STR("false"));
}

void json_null(struct json_writer *w)
{
    json_put_raw(w, STR("null"));
}

void json_put_raw(struct json_writer *w, struct str value)
{
    assert(value.len > 0);
    begin_value(w);
    buf_put_str(w->out, value);
    end_value(w);
}

/* One value without what is in it. True when there is something in it, which was begun. */
static bool put_shallow(struct json_writer *w, const struct json_value *v)
{
    switch (v->kind) {
    case JSON_KIND_NULL: json_null(w); return false;
    case JSON_KIND_BOOL: json_bool(w, v->boolean); return false;
    case JSON_KIND_NUMBER: json_put_raw(w, v->text); return false;
    case JSON_KIND_STRING: json_str(w, v->text); return false;
    case JSON_KIND_ARRAY:
    case JSON_KIND_OBJECT: break;
    }
    begin(w, v->kind == JSON_KIND_OBJECT);
    if (v->first)
        return true;
    end(w, v->kind == JSON_KIND_OBJECT);
    return false;
}

void json_put_value(struct json_writer *w, const struct json_value *v)
{
    const struct json_value *open[JSON_WRITER_DEPTH_MAX]; /* begin() watches over the depth */
    uint32_t depth = 0;

    for (;;) {
        if (put_shallow(w, v)) {
            open[depth++] = v;
            v = v->first;
        } else {
            while (depth > 0 && !v->next) {
                v = open[--depth];
                end(w, v->kind == JSON_KIND_OBJECT);
            }
            if (depth == 0)
                return;
            v = v->next;
        }
        if (in_object(w))
            json_key(w, v->key);
    }
}

void json_key_str(struct json_writer *w, struct str key, struct str s)
{
    json_key(w, key);
    json_str(w, s);
}

void json_key_i64(struct json_writer *w, struct str key, int64_t v)
{
    json_key(w, key);
    json_i64(w, v);
}

void json_key_u64(struct json_writer *w, struct str key, uint64_t v)
{
    json_key(w, key);
    json_u64(w, v);
}

void json_key_bool(struct json_writer *w, struct str key, bool v)
{
    json_key(w, key);
    json_bool(w, v);
}

bool json_is_complete(const struct json_writer *w)
{
    return w->state == COMPLETE;
}
