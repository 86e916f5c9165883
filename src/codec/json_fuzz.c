/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: any bytes against jansson, and what was accepted must survive writing and reading again.
 *
 * Where jansson is known to decide otherwise, or cannot say:
 * - it nests to 2048, we to 1000 at most: texts that we refuse for it are not compared;
 * - it refuses integers outside 64 bits and reals outside a double, we keep numbers as text: a text
 *   of ours with such a number is not compared (reals may underflow in both);
 * - it takes a NUL byte between tokens for the end of the text; we accept no text with a NUL byte;
 * - it refuses a NUL in a key even with JSON_ALLOW_NUL, we accept it: not compared. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "codec/json_fuzz_reference.h"
#include "codec/json_writer.h"
#include "codec/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* False when there is a number or a key in it that jansson cannot hold. */
static bool fits_reference(const struct json_value *v)
{
    int64_t i;
    double d;

    if (v->kind == JSON_KIND_NUMBER) {
        bool real = false;

        for (size_t n = 0; n < v->text.len; n++)
            real = real || strchr(".eE", v->text.p[n]);
        return real ? json_num_double(v->text, &d) == 0 : json_num_i64(v->text, &i) == 0;
    }
    for (const struct json_value *child = v->first; child; child = child->next) {
        if (child->key.len > 0 && memchr(child->key.p, '\0', child->key.len))
            return false;
        if (!fits_reference(child))
            return false;
    }
    return true;
}

static void assert_same(const struct json_value *v, const struct reference *r);

static void assert_same_number(struct str text, const struct reference *r)
{
    int64_t i;
    double d;

    if (reference_kind(r) == REFERENCE_INTEGER) {
        if (json_num_i64(text, &i) < 0)
            abort();
        assert(i == reference_integer(r));
    } else {
        assert(reference_kind(r) == REFERENCE_REAL);
        if (json_num_double(text, &d) < 0)
            abort();
        assert(d == reference_real(r));
    }
}

static void assert_same_children(const struct json_value *v, const struct reference *r)
{
    size_t n = 0;

    assert(reference_count(r) == v->count);
    for (const struct json_value *child = v->first; child; child = child->next, n++) {
        const struct reference *other = v->kind == JSON_KIND_ARRAY
                                            ? reference_item(r, n)
                                            : reference_member(r, child->key.p, child->key.len);

        assert(other);
        assert_same(child, other);
    }
}

static void assert_same(const struct json_value *v, const struct reference *r)
{
    enum reference_kind kind = reference_kind(r);
    struct str text;

    switch (v->kind) {
    case JSON_KIND_NULL: assert(kind == REFERENCE_NULL); break;
    case JSON_KIND_BOOL: assert(kind == (v->boolean ? REFERENCE_TRUE : REFERENCE_FALSE)); break;
    case JSON_KIND_NUMBER: assert_same_number(v->text, r); break;
    case JSON_KIND_STRING:
        assert(kind == REFERENCE_STRING);
        text.p = reference_string(r, &text.len);
        assert(str_eq(v->text, text));
        break;
    case JSON_KIND_ARRAY:
        assert(kind == REFERENCE_ARRAY);
        assert_same_children(v, r);
        break;
    case JSON_KIND_OBJECT:
        assert(kind == REFERENCE_OBJECT);
        assert_same_children(v, r);
        break;
    }
}

static void write_value(struct buf *out, const struct json_value *v)
{
    struct json_writer w;

    buf_clear(out);
    json_writer_init(&w, out);
    json_put_value(&w, v);
    assert(json_is_complete(&w) && !out->overflow);
    assert(utf8_is_valid(buf_str(out)));
}

static void assert_round_trip(struct arena *a, const struct json_value *v,
                              const struct json_limits *limits)
{
    struct json_value *again;
    struct buf first, second;
    struct fail f;

    buf_init(&first, SIZE_MAX / 2);
    buf_init(&second, SIZE_MAX / 2);
    write_value(&first, v);
    if (json_parse(a, buf_str(&first), limits, &again, &f) < 0)
        abort();
    write_value(&second, again);
    assert(str_eq(buf_str(&first), buf_str(&second)));
    buf_done(&first);
    buf_done(&second);
}

/* Skipping decides as reading does. */
static void assert_skip_agrees(struct arena *a, struct str text, const struct json_limits *limits,
                               bool accepted)
{
    struct json_reader r;
    struct fail f;
    struct str raw;

    json_reader_init(&r, a, text, limits, &f);
    assert((json_raw(&r, &raw) == 0 && json_finish(&r) == 0) == accepted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct json_limits limits = {.depth = JSON_DEPTH_MAX};
    struct str text = str_make(data, size);
    struct arena *a = arena_new(65536);
    struct json_value *v;
    struct fail f = {0};
    struct reference *r = reference_load(data, size);
    bool has_nul = size > 0 && memchr(data, '\0', size);

    if (json_parse(a, text, &limits, &v, &f) == 0) {
        assert(!has_nul);
        if (fits_reference(v)) {
            assert(r);
            assert_same(v, r);
        } else {
            assert(!r);
        }
        assert_round_trip(a, v, &limits);
        assert_skip_agrees(a, text, &limits, true);
    } else {
        assert(!r || has_nul || strstr(f.message, "too deeply") || strstr(f.message, "too many"));
        assert(f.code == CODE_INVALID_ARGUMENT && utf8_is_valid(str_of(f.message)));
        assert_skip_agrees(a, text, &limits, false);
    }
    reference_free(r);
    arena_free(&a);
    return 0;
}
