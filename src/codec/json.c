/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON pull reader: one pass, no recursion. What comes next is known from `state`; settle()
 * steps over blanks, commas and colons to the first byte of it, the rest reads one token. UTF-8 is
 * checked once over the whole text at the start, by words. Any thread, one at a time. */
#include "codec/json.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "codec/json_internal.h"
#include "codec/utf8.h"

#define DEPTH_DEFAULT 100
#define NODES_DEFAULT (UINT32_C(1) << 20)
#define NODES_MAX     (UINT32_C(1) << 28)
#define BYTES_DEFAULT ((size_t)16 << 20)
#define FIRST_FRAMES  16

enum state {
    AT_START,        /* nothing was looked at yet */
    AT_VALUE,        /* a value must follow */
    AT_FIRST_ITEM,   /* a value or the array's end */
    AT_FIRST_KEY,    /* a key or the object's end */
    AT_KEY,          /* a key must follow */
    AT_END_OF_ARRAY, /* settle() saw the bracket */
    AT_END_OF_OBJECT,
    AFTER_KEY,   /* a colon and a value must follow */
    AFTER_VALUE, /* a comma or an end must follow */
    AFTER_ALL,   /* nothing may follow */
    BROKEN,
};

struct json_frame {
    uint32_t first_key; /* see json_keys_open() */
    bool is_object;
};

void json_reader_init(struct json_reader *r, struct arena *a, struct str text,
                      const struct json_limits *limits, struct fail *f)
{
    static const struct json_limits defaults = {0};
    const struct json_limits *l = limits ? limits : &defaults;

    if (!text.p)
        text = STR("");

    assert(l->depth <= JSON_DEPTH_MAX);
    *r = (struct json_reader){
        .start = text.p,
        .at = text.p,
        .token = text.p,
        .end = text.p + text.len,
        .arena = a,
        .fail = f,
        .limits =
            {
                .depth = l->depth ? l->depth : DEPTH_DEFAULT,
                .nodes = l->nodes ? MIN(l->nodes, NODES_MAX) : NODES_DEFAULT,
                .bytes = l->bytes ? l->bytes : BYTES_DEFAULT,
            },
        .state = AT_START,
    };
}

/* Where a byte is, in what people count. Lines and columns begin with 1; a column is a character.
 */
struct place {
    size_t byte;
    size_t line;
    size_t column;
};

static struct place find_place(const struct json_reader *r, const char *at)
{
    struct place where = {(size_t)(at - r->start), 1, 1};
    const char *line = r->start;

    for (const char *p = r->start; p < at; p++) {
        if (*p == '\n') {
            where.line++;
            line = p + 1;
        }
    }
    where.column += utf8_count(str_make(line, (size_t)(at - line)));
    return where;
}

static int refuse_at(struct json_reader *r, const char *at, const char *why)
{
    struct place where = find_place(r, at);

    r->state = BROKEN;
    return fail_set(r->fail, CODE_INVALID_ARGUMENT, "%s at line %zu, column %zu (byte %zu)", why,
                    where.line, where.column, where.byte);
}

int json_refuse(struct json_reader *r, const char *fmt, ...)
{
    char why[160];
    va_list ap;

    if (r->state == BROKEN)
        return -1;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    return refuse_at(r, r->token, why);
}

/* "expected X, found Y", or that the text ends too early. */
static int refuse_next(struct json_reader *r, const char *expected)
{
    char why[120];

    if (r->at == r->end)
        snprintf(why, sizeof(why), "JSON ends early: expected %s", expected);
    else if ((uint8_t)*r->at > 0x20 && (uint8_t)*r->at < 0x7f)
        snprintf(why, sizeof(why), "expected %s, found '%c'", expected, *r->at);
    else
        snprintf(why, sizeof(why), "expected %s, found byte 0x%02x", expected, (uint8_t)*r->at);
    return refuse_at(r, r->at, why);
}

static int check_whole(struct json_reader *r)
{
    struct str text = str_make(r->start, (size_t)(r->end - r->start));
    size_t valid;

    if (text.len > r->limits.bytes) {
        r->state = BROKEN;
        r->over_limit = true;
        return fail_set(r->fail, CODE_INVALID_ARGUMENT, "JSON is larger than %zu bytes",
                        r->limits.bytes);
    }
    if (str_starts_with(text, STR("\xef\xbb\xbf")))
        return refuse_at(r, r->start, "JSON begins with a byte order mark");
    valid = utf8_valid_len(text);
    if (valid < text.len)
        return refuse_at(r, r->start + valid, "JSON is not valid UTF-8");
    r->state = AT_VALUE;
    return 0;
}

static void skip_blanks(struct json_reader *r)
{
    const char *p = r->at;

    while (p < r->end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    r->at = p;
}

static bool next_is(const struct json_reader *r, char c)
{
    return r->at < r->end && *r->at == c;
}

static const struct json_frame *top(const struct json_reader *r)
{
    return &r->frames[r->depth - 1];
}

/* After a complete value inside an object or array: its comma or its end. */
static int settle_after_value(struct json_reader *r)
{
    bool in_object = top(r)->is_object;

    if (next_is(r, ',')) {
        r->at++;
        skip_blanks(r);
        r->state = in_object ? AT_KEY : AT_VALUE;
    } else if (next_is(r, in_object ? '}' : ']')) {
        r->state = in_object ? AT_END_OF_OBJECT : AT_END_OF_ARRAY;
    } else {
        return refuse_next(r, in_object ? "',' or '}'" : "',' or ']'");
    }
    return 0;
}

/* Moves to the first byte of the next token. Doing it twice changes nothing. */
static int settle(struct json_reader *r)
{
    skip_blanks(r);
    switch ((enum state)r->state) {
    case AT_START:
        if (check_whole(r) < 0)
            return -1;
        skip_blanks(r);
        return 0;
    case AFTER_KEY:
        if (!next_is(r, ':'))
            return refuse_next(r, "':' after the key");
        r->at++;
        skip_blanks(r);
        r->state = AT_VALUE;
        return 0;
    case AFTER_VALUE: return settle_after_value(r);
    case AFTER_ALL:
        if (r->at < r->end)
            return refuse_next(r, "the end of the text");
        return 0;
    case AT_FIRST_ITEM:
        if (next_is(r, ']'))
            r->state = AT_END_OF_ARRAY;
        return 0;
    case AT_FIRST_KEY:
        if (next_is(r, '}'))
            r->state = AT_END_OF_OBJECT;
        return 0;
    case AT_VALUE:
    case AT_KEY:
    case AT_END_OF_ARRAY:
    case AT_END_OF_OBJECT: return 0;
    case BROKEN: return -1;
    }
    return -1;
}

static void value_done(struct json_reader *r)
{
    r->state = r->depth > 0 ? AFTER_VALUE : AFTER_ALL;
}

static int count_node(struct json_reader *r)
{
    if (++r->nodes <= r->limits.nodes)
        return 0;
    r->over_limit = true;
    return refuse_at(r, r->at, "JSON holds too many values");
}

/* The text of a string whose opening quote is at r->at; moves past the closing one. */
static int read_string(struct json_reader *r, bool keep, struct str *out)
{
    const char *first = r->at + 1;
    const char *p = json_plain_end(first, r->end);
    bool escaped = false;
    struct str raw;

    while (p < r->end && *p == '\\') {
        escaped = true;
        p = json_plain_end(r->end - p > 1 ? p + 2 : r->end, r->end);
    }
    if (p == r->end)
        return refuse_at(r, r->at, "string without an end");
    if (*p != '"')
        return refuse_at(r, p, "control character in a string");
    raw = str_make(first, (size_t)(p - first));
    if (escaped) {
        char *to = keep ? arena_alloc_raw(r->arena, raw.len) : NULL;
        const char *bad, *why = json_unescape(raw, to, &raw.len, &bad);

        if (why)
            return refuse_at(r, bad, why);
        raw.p = to;
    }
    r->at = p + 1;
    if (keep)
        *out = raw;
    return 0;
}

static enum json_token read_key(struct json_reader *r)
{
    const char *at = r->at;

    if (!next_is(r, '"')) {
        refuse_next(r, r->state == AT_FIRST_KEY ? "a key or '}'" : "a key");
        return JSON_ERROR;
    }
    r->token = at;
    if (count_node(r) < 0 || read_string(r, true, &r->text) < 0)
        return JSON_ERROR;
    if (!json_keys_add(r->keys, top(r)->first_key, r->text)) {
        refuse_at(r, at, "duplicate key");
        return JSON_ERROR;
    }
    r->state = AFTER_KEY;
    return JSON_KEY;
}

static int push(struct json_reader *r, bool is_object)
{
    if (r->depth == r->limits.depth)
        return refuse_at(r, r->at, "JSON nests too deeply");
    if (r->depth == r->frame_cap) {
        uint32_t cap = r->frame_cap ? r->frame_cap * 2 : FIRST_FRAMES;
        struct json_frame *moved = arena_new_array(r->arena, struct json_frame, cap);

        for (uint32_t i = 0; i < r->depth; i++)
            moved[i] = r->frames[i];
        r->frames = moved;
        r->frame_cap = cap;
    }

    struct json_frame *frame = &r->frames[r->depth++];

    frame->is_object = is_object;
    if (is_object) {
        if (!r->keys)
            r->keys = json_keys_new(r->arena);
        frame->first_key = json_keys_open(r->keys);
    }
    r->at++;
    r->state = is_object ? AT_FIRST_KEY : AT_FIRST_ITEM;
    return 0;
}

static void pop(struct json_reader *r)
{
    const struct json_frame *frame = top(r);

    if (frame->is_object)
        json_keys_close(r->keys, frame->first_key);
    r->token = r->at++;
    r->depth--;
    value_done(r);
}

static bool is_digit_at(const char *p, const char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

static const char *skip_digits(const char *p, const char *end)
{
    while (is_digit_at(p, end))
        p++;
    return p;
}

static enum json_token refuse_number(struct json_reader *r, const char *at, const char *why)
{
    refuse_at(r, at, why);
    return JSON_ERROR;
}

static enum json_token read_number(struct json_reader *r)
{
    const char *p = r->at, *end = r->end;

    if (*p == '-')
        p++;
    if (!is_digit_at(p, end))
        return refuse_number(r, r->at, "number without digits");
    if (*p == '0') {
        p++;
        if (is_digit_at(p, end))
            return refuse_number(r, r->at, "number with a leading zero");
    } else {
        p = skip_digits(p, end);
    }
    if (p < end && *p == '.') {
        if (!is_digit_at(++p, end))
            return refuse_number(r, r->at, "number without digits after its point");
        p = skip_digits(p, end);
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '-' || *p == '+'))
            p++;
        if (!is_digit_at(p, end))
            return refuse_number(r, r->at, "number without digits in its exponent");
        p = skip_digits(p, end);
    }
    r->text = str_make(r->at, (size_t)(p - r->at));
    r->at = p;
    value_done(r);
    return JSON_NUMBER;
}

static enum json_token read_word(struct json_reader *r, struct str word, enum json_token token)
{
    if (!str_starts_with(str_make(r->at, (size_t)(r->end - r->at)), word)) {
        refuse_next(r, "a value");
        return JSON_ERROR;
    }
    r->at += word.len;
    value_done(r);
    return token;
}

/* What a value is by its first byte; JSON_ERROR when no value begins so. */
static enum json_token value_token(const struct json_reader *r)
{
    if (r->at == r->end)
        return JSON_ERROR;
    switch (*r->at) {
    case '{': return JSON_OBJECT_BEGIN;
    case '[': return JSON_ARRAY_BEGIN;
    case '"': return JSON_STRING;
    case 't': return JSON_TRUE;
    case 'f': return JSON_FALSE;
    case 'n': return JSON_NULL;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return JSON_NUMBER;
    default: return JSON_ERROR;
    }
}

static enum json_token read_value(struct json_reader *r)
{
    enum json_token token = value_token(r);

    if (count_node(r) < 0)
        return JSON_ERROR;
    r->token = r->at;
    switch (token) {
    case JSON_OBJECT_BEGIN:
    case JSON_ARRAY_BEGIN: return push(r, token == JSON_OBJECT_BEGIN) < 0 ? JSON_ERROR : token;
    case JSON_STRING:
        if (read_string(r, !r->discard, &r->text) < 0)
            return JSON_ERROR;
        value_done(r);
        return token;
    case JSON_NUMBER: return read_number(r);
    case JSON_TRUE: return read_word(r, STR("true"), token);
    case JSON_FALSE: return read_word(r, STR("false"), token);
    case JSON_NULL: return read_word(r, STR("null"), token);
    case JSON_OBJECT_END:
    case JSON_ARRAY_END:
    case JSON_KEY:
    case JSON_END:
    case JSON_ERROR: break;
    }
    refuse_next(r, r->state == AT_FIRST_ITEM ? "a value or ']'" : "a value");
    return JSON_ERROR;
}

enum json_token json_next(struct json_reader *r)
{
    if (settle(r) < 0)
        return JSON_ERROR;
    switch ((enum state)r->state) {
    case AT_VALUE:
    case AT_FIRST_ITEM: return read_value(r);
    case AT_FIRST_KEY:
    case AT_KEY: return read_key(r);
    case AT_END_OF_ARRAY: pop(r); return JSON_ARRAY_END;
    case AT_END_OF_OBJECT: pop(r); return JSON_OBJECT_END;
    case AFTER_ALL: return JSON_END;
    case AT_START:
    case AFTER_KEY:
    case AFTER_VALUE:
    case BROKEN: break;
    }
    return JSON_ERROR;
}

enum json_token json_peek(struct json_reader *r)
{
    if (settle(r) < 0)
        return JSON_ERROR;
    switch ((enum state)r->state) {
    case AT_VALUE:
    case AT_FIRST_ITEM: return value_token(r);
    case AT_FIRST_KEY:
    case AT_KEY: return next_is(r, '"') ? JSON_KEY : JSON_ERROR;
    case AT_END_OF_ARRAY: return JSON_ARRAY_END;
    case AT_END_OF_OBJECT: return JSON_OBJECT_END;
    case AFTER_ALL: return JSON_END;
    case AT_START:
    case AFTER_KEY:
    case AFTER_VALUE:
    case BROKEN: break;
    }
    return JSON_ERROR;
}

/* Reads on until no more than `depth` objects and arrays are open. */
static int discard_to(struct json_reader *r, uint32_t depth)
{
    struct str text = r->text;
    enum json_token token;

    r->discard = true;
    do {
        token = json_next(r);
    } while (token != JSON_ERROR && r->depth > depth);
    r->discard = false;
    r->text = text;
    return token == JSON_ERROR ? -1 : 0;
}

int json_skip(struct json_reader *r)
{
    if (settle(r) < 0)
        return -1;
    if (r->state != AT_VALUE && r->state != AT_FIRST_ITEM)
        return refuse_next(r, "a value");

    return discard_to(r, r->depth);
}

int json_leave(struct json_reader *r)
{
    if (r->state == BROKEN)
        return -1;
    assert(r->depth > 0);
    return discard_to(r, r->depth - 1);
}

int json_raw(struct json_reader *r, struct str *out)
{
    const char *first;

    if (settle(r) < 0)
        return -1;
    first = r->at;
    if (json_skip(r) < 0)
        return -1;
    *out = str_make(first, (size_t)(r->at - first));
    return 0;
}

int json_finish(struct json_reader *r)
{
    return json_next(r) == JSON_END ? 0 : json_refuse(r, "JSON goes on where it should end");
}

const char *json_token_name(enum json_token t)
{
    switch (t) {
    case JSON_OBJECT_BEGIN: return "an object";
    case JSON_OBJECT_END: return "the end of an object";
    case JSON_ARRAY_BEGIN: return "an array";
    case JSON_ARRAY_END: return "the end of an array";
    case JSON_KEY: return "a key";
    case JSON_STRING: return "a string";
    case JSON_NUMBER: return "a number";
    case JSON_TRUE: return "true";
    case JSON_FALSE: return "false";
    case JSON_NULL: return "null";
    case JSON_END: return "the end of the text";
    case JSON_ERROR: break;
    }
    return "an error";
}
