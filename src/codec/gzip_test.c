/* SPDX-License-Identifier: Apache-2.0 */
/* gzip and deflate: round trips, pieces of every size, ceilings, and damage of every kind. */
#include "codec/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NO_LIMIT ((size_t)1 << 26)

struct fixture {
    struct arena *arena;
    struct gzip_inflater *inflater;
    struct gzip_deflater *gzip;
    struct gzip_deflater *zlib;
};

static int set_up(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    if (!x)
        return -1;
    x->arena = arena_new(65536);
    x->inflater = gzip_inflater_new();
    x->gzip = gzip_deflater_new(GZIP_FORMAT_GZIP, 6);
    x->zlib = gzip_deflater_new(GZIP_FORMAT_ZLIB, 1);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    gzip_deflater_free(&x->zlib);
    gzip_deflater_free(&x->gzip);
    gzip_inflater_free(&x->inflater);
    arena_free(&x->arena);
    free(x);
    return 0;
}

/* Text that compresses, but not to nothing. */
static struct str some_text(struct fixture *x, size_t len)
{
    char *p = arena_alloc_raw(x->arena, len + 1);
    uint32_t v = 12345;

    for (size_t i = 0; i < len; i++) {
        v = v * 1664525 + 1013904223;
        p[i] = (char)('a' + (v >> 24) % 20);
    }
    return str_make(p, len);
}

static struct str pack(struct fixture *x, struct gzip_deflater *d, struct str in)
{
    struct buf out;

    buf_init_arena(&out, x->arena, NO_LIMIT);
    assert_int_equal(gzip_deflate(d, in, &out), 0);
    return buf_str(&out);
}

static struct str join(struct fixture *x, struct str a, struct str b)
{
    char *p = arena_alloc_raw(x->arena, a.len + b.len + 1);

    memcpy(p, a.p, a.len);
    memcpy(p + a.len, b.p, b.len);
    return str_make(p, a.len + b.len);
}

static int unpack(struct fixture *x, enum gzip_format format, struct str in, size_t max,
                  struct str *out, struct fail *f)
{
    struct buf b;
    int rc;

    buf_init_arena(&b, x->arena, NO_LIMIT);
    rc = gzip_inflate(x->inflater, format, in, max, &b, f);
    *out = buf_str(&b);
    return rc;
}

static void assert_refused(struct fixture *x, enum gzip_format format, struct str in)
{
    struct str out;
    struct fail f;

    assert_int_equal(unpack(x, format, in, NO_LIMIT, &out, &f), -1);
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
}

static void both_formats_read_what_they_wrote(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 1023, 1024, 1025, 65536, 1000000};
    struct fixture *x = *state;

    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        struct str in = some_text(x, sizes[i]), out;
        struct fail f;

        assert_int_equal(unpack(x, GZIP_FORMAT_GZIP, pack(x, x->gzip, in), NO_LIMIT, &out, &f), 0);
        assert_true(str_eq(in, out));
        assert_int_equal(unpack(x, GZIP_FORMAT_ZLIB, pack(x, x->zlib, in), NO_LIMIT, &out, &f), 0);
        assert_true(str_eq(in, out));
    }
}

static void deflate_is_known_with_and_without_its_frame(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 65536, 1000000};
    struct fixture *x = *state;

    for (int level = 1; level <= 9; level++) {
        struct gzip_deflater *raw = gzip_deflater_new(GZIP_FORMAT_RAW, level);
        struct gzip_deflater *zlib = gzip_deflater_new(GZIP_FORMAT_ZLIB, level);

        for (size_t i = 0; i < COUNTOF(sizes); i++) {
            struct str in = some_text(x, sizes[i]), bare = pack(x, raw, in), out;
            struct fail f;

            assert_int_equal(gzip_format_of_deflate(bare), GZIP_FORMAT_RAW);
            assert_int_equal(gzip_format_of_deflate(pack(x, zlib, in)), GZIP_FORMAT_ZLIB);
            assert_int_equal(unpack(x, GZIP_FORMAT_RAW, bare, NO_LIMIT, &out, &f), 0);
            assert_true(str_eq(in, out));
        }
        gzip_deflater_free(&raw);
        gzip_deflater_free(&zlib);
    }
    assert_int_equal(gzip_format_of_deflate(STR("")), GZIP_FORMAT_RAW);
    assert_int_equal(gzip_format_of_deflate(STR("\x78")), GZIP_FORMAT_RAW);
}

static void the_same_input_packs_to_the_same_bytes(void **state)
{
    struct fixture *x = *state;
    struct str in = some_text(x, 5000);
    struct str once = pack(x, x->gzip, in);

    IGNORE(pack(x, x->gzip, some_text(x, 77)).len);
    assert_true(str_eq(once, pack(x, x->gzip, in)));
}

static void several_members_are_one_text(void **state)
{
    struct fixture *x = *state;
    struct str one = pack(x, x->gzip, STR("one ")), empty = pack(x, x->gzip, STR(""));
    struct str in = join(x, join(x, one, empty), pack(x, x->gzip, STR("two"))), out;
    struct fail f;

    assert_int_equal(unpack(x, GZIP_FORMAT_GZIP, in, NO_LIMIT, &out, &f), 0);
    assert_true(str_eq(out, STR("one two")));
}

static void anything_behind_the_end_is_refused(void **state)
{
    struct fixture *x = *state;
    struct str gz = pack(x, x->gzip, STR("hello")), z = pack(x, x->zlib, STR("hello"));

    assert_refused(x, GZIP_FORMAT_GZIP, join(x, gz, STR("x")));
    assert_refused(x, GZIP_FORMAT_GZIP, join(x, gz, STR("\0")));
    assert_refused(x, GZIP_FORMAT_GZIP, join(x, gz, z));
    assert_refused(x, GZIP_FORMAT_ZLIB, join(x, z, STR("x")));
    assert_refused(x, GZIP_FORMAT_ZLIB, join(x, z, z));
}

static void text_cut_anywhere_is_refused(void **state)
{
    struct fixture *x = *state;
    struct str gz = pack(x, x->gzip, some_text(x, 200)), z = pack(x, x->zlib, some_text(x, 200));

    for (size_t len = 0; len < gz.len; len++)
        assert_refused(x, GZIP_FORMAT_GZIP, str_first(gz, len));
    for (size_t len = 0; len < z.len; len++)
        assert_refused(x, GZIP_FORMAT_ZLIB, str_first(z, len));
    assert_refused(x, GZIP_FORMAT_GZIP, (struct str){0});
}

static void the_wrong_format_is_refused(void **state)
{
    struct fixture *x = *state;

    assert_refused(x, GZIP_FORMAT_ZLIB, pack(x, x->gzip, STR("hello")));
    assert_refused(x, GZIP_FORMAT_GZIP, pack(x, x->zlib, STR("hello")));
    assert_refused(x, GZIP_FORMAT_GZIP, STR("plain text, not compressed at all"));
}

static void a_wrong_checksum_or_length_is_refused(void **state)
{
    struct fixture *x = *state;
    struct str gz = pack(x, x->gzip, STR("hello, hello"));

    for (size_t i = gz.len - 8; i < gz.len; i++) {
        char *copy = arena_cstr(x->arena, gz);

        copy[i] = (char)(copy[i] ^ 1);
        assert_refused(x, GZIP_FORMAT_GZIP, str_make(copy, gz.len));
    }
}

static void output_up_to_the_limit_passes_and_one_byte_more_does_not(void **state)
{
    static const size_t sizes[] = {1, 1000, 1024, 4096, 100000};
    struct fixture *x = *state;

    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        struct str gz = pack(x, x->gzip, some_text(x, sizes[i])), out;
        struct fail f;

        assert_int_equal(unpack(x, GZIP_FORMAT_GZIP, gz, sizes[i], &out, &f), 0);
        assert_int_equal(out.len, sizes[i]);
        assert_int_equal(unpack(x, GZIP_FORMAT_GZIP, gz, sizes[i] - 1, &out, &f), -1);
        assert_int_equal(f.code, CODE_RESOURCE_EXHAUSTED);
        assert_true(out.len < sizes[i]);
    }
}

static void a_bomb_stops_at_the_limit(void **state)
{
    struct fixture *x = *state;
    size_t len = 50 << 20;
    char *zeros = calloc(1, len);
    struct buf b;
    struct str gz;
    struct fail f;

    assert_non_null(zeros);
    gz = pack(x, x->gzip, str_make(zeros, len));
    free(zeros);
    buf_init(&b, NO_LIMIT);
    assert_int_equal(gzip_inflate(x->inflater, GZIP_FORMAT_GZIP, gz, 1 << 20, &b, &f), -1);
    assert_int_equal(f.code, CODE_RESOURCE_EXHAUSTED);
    assert_true(b.cap <= 2 << 20);
    buf_done(&b);
}

static void the_ceiling_of_the_buffer_counts_too(void **state)
{
    struct fixture *x = *state;
    struct str gz = pack(x, x->gzip, some_text(x, 3000));
    struct buf b;
    struct fail f;

    buf_init_arena(&b, x->arena, 3005);
    buf_put_str(&b, STR("12345"));
    assert_int_equal(gzip_inflate(x->inflater, GZIP_FORMAT_GZIP, gz, NO_LIMIT, &b, &f), 0);
    assert_int_equal(b.len, 3005);
    assert_int_equal(gzip_inflate(x->inflater, GZIP_FORMAT_GZIP, gz, NO_LIMIT, &b, &f), -1);
    assert_int_equal(f.code, CODE_RESOURCE_EXHAUSTED);
}

static void packing_into_too_small_a_buffer_fails_and_leaves_it_alone(void **state)
{
    struct fixture *x = *state;
    struct buf b;

    buf_init_arena(&b, x->arena, 50);
    buf_put_str(&b, STR("abc"));
    assert_int_equal(gzip_deflate(x->gzip, some_text(x, 1000), &b), -1);
    assert_true(str_eq(buf_str(&b), STR("abc")));
    assert_int_equal(gzip_deflate(x->gzip, STR("small"), &b), 0);
}

/* Feeds `in` in pieces and takes the output in pieces. */
static enum gzip_status stream(struct fixture *x, struct str in, size_t piece, size_t cap,
                               struct buf *out, uint64_t max)
{
    uint8_t room[64];

    gzip_inflate_begin(x->inflater, GZIP_FORMAT_GZIP, max);
    while (in.len > 0) {
        struct str now = str_first(in, piece);
        size_t used, made;

        in = str_skip(in, now.len);
        do {
            enum gzip_status status = gzip_inflate_step(x->inflater, now, &used, room, cap, &made);

            if (status != GZIP_OK)
                return status;
            buf_put(out, room, made);
            now = str_skip(now, used);
        } while (now.len > 0 || made == cap);
    }
    return gzip_inflate_end(x->inflater);
}

static void pieces_of_any_size_give_the_same_result(void **state)
{
    struct fixture *x = *state;
    struct str text = some_text(x, 900), gz = pack(x, x->gzip, text);
    struct str in = join(x, gz, gz), twice = join(x, text, text);

    for (size_t piece = 1; piece < 40; piece += 3) {
        for (size_t cap = 1; cap <= 64; cap += 9) {
            struct buf out;

            buf_init_arena(&out, x->arena, 4096);
            assert_int_equal(stream(x, in, piece, cap, &out, twice.len), GZIP_OK);
            assert_true(str_eq(buf_str(&out), twice));
            buf_clear(&out);
            assert_int_equal(stream(x, in, piece, cap, &out, twice.len - 1), GZIP_TOO_LARGE);
            buf_clear(&out);
            assert_int_equal(stream(x, str_first(in, in.len - 1), piece, cap, &out, 4096),
                             GZIP_BAD);
        }
    }
}

static void an_inflater_works_again_after_a_refusal(void **state)
{
    struct fixture *x = *state;
    struct str out;
    struct fail f;

    assert_refused(x, GZIP_FORMAT_GZIP, STR("\x1f\x8b\x08garbage garbage garbage"));
    assert_int_equal(unpack(x, GZIP_FORMAT_GZIP, pack(x, x->gzip, STR("fine")), NO_LIMIT, &out, &f),
                     0);
    assert_true(str_eq(out, STR("fine")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_read_what_they_wrote),
        cmocka_unit_test(deflate_is_known_with_and_without_its_frame),
        cmocka_unit_test(the_same_input_packs_to_the_same_bytes),
        cmocka_unit_test(several_members_are_one_text),
        cmocka_unit_test(anything_behind_the_end_is_refused),
        cmocka_unit_test(text_cut_anywhere_is_refused),
        cmocka_unit_test(the_wrong_format_is_refused),
        cmocka_unit_test(a_wrong_checksum_or_length_is_refused),
        cmocka_unit_test(output_up_to_the_limit_passes_and_one_byte_more_does_not),
        cmocka_unit_test(a_bomb_stops_at_the_limit),
        cmocka_unit_test(the_ceiling_of_the_buffer_counts_too),
        cmocka_unit_test(packing_into_too_small_a_buffer_fails_and_leaves_it_alone),
        cmocka_unit_test(pieces_of_any_size_give_the_same_result),
        cmocka_unit_test(an_inflater_works_again_after_a_refusal),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
