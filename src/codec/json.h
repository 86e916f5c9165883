/* SPDX-License-Identifier: Apache-2.0 */
/* JSON (RFC 8259), strict: a pull reader, numbers as exact text, and a small tree for text whose
 * members are not all known. The writer is codec/json_writer.h. Pure; any thread, one at a time.
 *
 * Refused: invalid UTF-8, lone surrogate escapes, duplicate keys (compared unescaped, also inside
 * skipped values), bytes after the value, NaN, Infinity, leading zeros and plus signs, control
 * bytes in strings, a byte order mark, and whatever exceeds the limits. \u0000 is accepted: a
 * struct str carries it. Strings without escapes are views of the input, others live in the arena;
 * so the input must live as long as what was read. */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

/* Nothing may be allowed to nest deeper than this. */
#define JSON_DEPTH_MAX 1000

/* Zero in any place: the default for it. */
struct json_limits {
    uint32_t depth; /* open objects and arrays at once; default 100 */
    uint32_t nodes; /* values and keys in all; default 1 million */
    size_t bytes;   /* of input; default 16 MiB */
};

enum json_token {
    JSON_OBJECT_BEGIN,
    JSON_OBJECT_END,
    JSON_ARRAY_BEGIN,
    JSON_ARRAY_END,
    JSON_KEY,    /* r->text */
    JSON_STRING, /* r->text */
    JSON_NUMBER, /* r->text, as written: see json_num_i64() and its siblings */
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
    JSON_END,   /* the value is complete and nothing follows it; comes again when asked again */
    JSON_ERROR, /* *fail says why and where; comes again when asked again */
};

struct json_frame;
struct json_keys;

/* Only `text` is for callers. */
struct json_reader {
    struct str text; /* of the latest KEY, STRING or NUMBER; stays when others follow */

    const char *start;
    const char *end;
    const char *at;    /* next byte to read */
    const char *token; /* where the latest token began */
    struct arena *arena;
    struct fail *fail;
    struct json_frame *frames;
    struct json_keys *keys;
    uint32_t depth;
    uint32_t frame_cap;
    uint32_t nodes;
    struct json_limits limits;
    uint8_t state;
    bool discard;    /* strings are checked but not kept */
    bool over_limit; /* what failed was a limit of size, not the text */
};

/* limits may be NULL. The first json_next() reports what is wrong with the text as a whole. *f is
 * written on error only (CODE_INVALID_ARGUMENT, "...at line 2, column 7 (byte 31)"). */
void json_reader_init(struct json_reader *r, struct arena *a, struct str text,
                      const struct json_limits *limits, struct fail *f);

enum json_token json_next(struct json_reader *r) MUST_CHECK;

/* What json_next() will say, without moving and without touching r->text. A value is told by its
 * first byte only: json_next() may still find fault with it. */
enum json_token json_peek(struct json_reader *r) MUST_CHECK;

/* Passes over the next value, checking it like any other. To be called where a value comes next:
 * at the start, after a KEY, inside an array while json_peek() is not ARRAY_END. */
int json_skip(struct json_reader *r) MUST_CHECK;

/* Passes over what is left of the innermost open object or array, with its end. */
int json_leave(struct json_reader *r) MUST_CHECK;

/* Same as json_skip(), and gives the value's text as it stands in the input. */
int json_raw(struct json_reader *r, struct str *out) MUST_CHECK;

/* 0 when nothing but blanks follows. */
int json_finish(struct json_reader *r) MUST_CHECK;

/* For decoders that do not like the latest token: fails as the reader itself does, with the place
 * added to the message; json_next() says JSON_ERROR from now on. Returns -1. */
int json_refuse(struct json_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "an object", "a string": for messages. */
const char *json_token_name(enum json_token t) RETURNS_NONNULL;

/* Numbers. -1: not a JSON number, not integral, or out of range; *out is untouched then. Exact for
 * all 64 bits, also as 10.0, 1e3 or 1234.5e1. A double that would be infinite is refused, one too
 * small becomes zero. */
int json_num_i64(struct str number, int64_t *out) MUST_CHECK;
int json_num_u64(struct str number, uint64_t *out) MUST_CHECK;
int json_num_double(struct str number, double *out) MUST_CHECK;
bool json_num_is_valid(struct str number);

/* The tree. Members and items are a list in input order, so it can also be built and changed. */
enum json_kind {
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_NUMBER,
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT,
};

struct json_value {
    enum json_kind kind;
    bool boolean;
    uint32_t count;           /* of members or items */
    struct str key;           /* when it is a member of an object */
    struct str text;          /* of a string; of a number, as written */
    struct json_value *first; /* of an object or array */
    struct json_value *last;
    struct json_value *next; /* sibling */
};

/* json_foreach(v, object) { ... v->key ... } */
#define json_foreach(item, parent)                                                                 \
    for (const struct json_value *item = (parent)->first; item; item = item->next)

/* Whole text. */
int json_parse(struct arena *a, struct str text, const struct json_limits *limits,
               struct json_value **out, struct fail *f) MUST_CHECK;

/* The reader's next value. */
int json_read_value(struct json_reader *r, struct json_value **out) MUST_CHECK;

/* The member, or NULL when there is none or `object` is NULL or no object. */
struct json_value *json_find(const struct json_value *object, struct str key);

/* Members by name. 1: there, with the right type; 0: absent or null, *out untouched; -1: of another
 * type or out of range, *f says so and names the field. */
int json_get_str(const struct json_value *object, const char *key, struct str *out, struct fail *f)
    MUST_CHECK;
int json_get_i64(const struct json_value *object, const char *key, int64_t *out, struct fail *f)
    MUST_CHECK;
int json_get_u64(const struct json_value *object, const char *key, uint64_t *out, struct fail *f)
    MUST_CHECK;
int json_get_double(const struct json_value *object, const char *key, double *out, struct fail *f)
    MUST_CHECK;
int json_get_bool(const struct json_value *object, const char *key, bool *out, struct fail *f)
    MUST_CHECK;
int json_get_array(const struct json_value *object, const char *key, const struct json_value **out,
                   struct fail *f) MUST_CHECK;
int json_get_object(const struct json_value *object, const char *key, const struct json_value **out,
                    struct fail *f) MUST_CHECK;

/* Building. Strings are borrowed: they must live as long as the tree. */
struct json_value *json_new_null(struct arena *a) RETURNS_NONNULL;
struct json_value *json_new_bool(struct arena *a, bool b) RETURNS_NONNULL;
struct json_value *json_new_i64(struct arena *a, int64_t n) RETURNS_NONNULL;
struct json_value *json_new_str(struct arena *a, struct str s) RETURNS_NONNULL;
struct json_value *json_new_array(struct arena *a) RETURNS_NONNULL;
struct json_value *json_new_object(struct arena *a) RETURNS_NONNULL;
void json_append(struct json_value *array, struct json_value *item);

/* Takes the place of the member of that name, or goes to the end. */
void json_set(struct json_value *object, struct str key, struct json_value *value);

/* Takes the member out; NULL when there is none. */
struct json_value *json_remove(struct json_value *object, struct str key);

#endif
