/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON into a buffer: commas and quotes are its business, the order is the caller's, the
 * same calls give the same bytes. Misuse (a value without a key in an object, an unbalanced end) is
 * our own mistake and asserts. What is written is always valid UTF-8: ill-formed input bytes come
 * out as U+FFFD. Whether the buffer's ceiling cut the text is told by buf->overflow at the end. Any
 * thread, one at a time. */
#ifndef CODEC_JSON_WRITER_H
#define CODEC_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct json_value;

#define JSON_WRITER_DEPTH_MAX 1088

/* Private; embed it and call json_writer_init(). */
struct json_writer {
    struct buf *out;
    uint32_t depth;
    uint8_t state;
    uint8_t indent;
    uint64_t
        objects[JSON_WRITER_DEPTH_MAX / 64]; /* a bit per open level: an object, not an array */
};

/* Compact. The buffer may hold something already; the text is appended. */
void json_writer_init(struct json_writer *w, struct buf *out);

/* One member or item a line, `indent` blanks a level (1 to 8): for people. */
void json_writer_init_indented(struct json_writer *w, struct buf *out, unsigned indent);

void json_obj_begin(struct json_writer *w);
void json_obj_end(struct json_writer *w);
void json_arr_begin(struct json_writer *w);
void json_arr_end(struct json_writer *w);
void json_key(struct json_writer *w, struct str key);

void json_str(struct json_writer *w, struct str s);
void json_i64(struct json_writer *w, int64_t v);
void json_u64(struct json_writer *w, uint64_t v);

/* Shortest text that reads back as the same double; integral ones below 2^53 without a point. JSON
 * has no NaN and no infinity: null stands for them. */
void json_double(struct json_writer *w, double v);
void json_bool(struct json_writer *w, bool v);
void json_null(struct json_writer *w);

/* One value that is JSON already; not checked. */
void json_put_raw(struct json_writer *w, struct str value);

void json_put_value(struct json_writer *w, const struct json_value *v);

/* Key and value in one call. */
void json_key_str(struct json_writer *w, struct str key, struct str s);
void json_key_i64(struct json_writer *w, struct str key, int64_t v);
void json_key_u64(struct json_writer *w, struct str key, uint64_t v);
void json_key_bool(struct json_writer *w, struct str key, bool v);

/* True when exactly one whole value was written. */
bool json_is_complete(const struct json_writer *w);

#endif
