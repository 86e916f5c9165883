/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/zstd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <zstd.h>

static int setup(void **state)
{
    *state = arena_new(4096);
    return 0;
}

static int teardown(void **state)
{
    arena_free((struct arena **)state);
    return 0;
}

static struct str pack(struct arena *a, struct str plain)
{
    size_t cap = ZSTD_compressBound(plain.len);
    char *out = arena_alloc(a, cap);
    size_t n = ZSTD_compress(out, cap, plain.p, plain.len, 3);

    assert_false(ZSTD_isError(n));
    return str_make(out, n);
}

static struct str join(struct arena *a, struct str one, struct str two)
{
    char *p = arena_alloc(a, one.len + two.len);

    memcpy(p, one.p, one.len);
    memcpy(p + one.len, two.p, two.len);
    return str_make(p, one.len + two.len);
}

static struct str repeated(struct arena *a, size_t len)
{
    char *p = arena_alloc(a, len + 1);

    for (size_t i = 0; i < len; i++)
        p[i] = (char)('a' + i % 7 + i / 1000 % 11);
    return str_make(p, len);
}

static int unpack(struct arena *a, struct str packed, size_t max, struct buf *out, struct fail *f)
{
    buf_init_arena(out, a, 64 << 20);
    return zstd_inflate(packed, max, out, f);
}

static void what_was_packed_comes_out(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 4096, 4097, 300000, 3000000};
    struct buf out;
    struct fail f;

    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        struct str plain = repeated(*state, sizes[i]);

        assert_int_equal(unpack(*state, pack(*state, plain), sizes[i], &out, &f), 0);
        assert_true(str_eq(buf_str(&out), plain));
    }
}

static void frames_in_a_row_are_one_text(void **state)
{
    struct str both = join(*state, pack(*state, STR("one ")), pack(*state, STR("two")));
    struct buf out;
    struct fail f;

    assert_int_equal(unpack(*state, both, 100, &out, &f), 0);
    assert_true(str_eq(buf_str(&out), STR("one two")));
}

static void what_is_cut_off_is_refused_at_every_length(void **state)
{
    struct str packed = pack(*state, repeated(*state, 5000));
    struct buf out;
    struct fail f;

    for (size_t len = 0; len < packed.len; len++) {
        assert_int_equal(unpack(*state, str_first(packed, len), 10000, &out, &f), -1);
        assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    }
}

static void more_than_is_allowed_is_refused(void **state)
{
    struct str packed = pack(*state, repeated(*state, 1000000));
    struct buf out;
    struct fail f;

    for (size_t max = 0; max < 1000000; max += 99999) {
        assert_int_equal(unpack(*state, packed, max, &out, &f), -1);
        assert_int_equal(f.code, CODE_RESOURCE_EXHAUSTED);
        assert_true(out.len <= max);
    }
    assert_int_equal(unpack(*state, packed, 1000000, &out, &f), 0);
    buf_init_arena(&out, *state, 5000);
    assert_int_equal(zstd_inflate(packed, 1000000, &out, &f), -1);
    assert_int_equal(f.code, CODE_RESOURCE_EXHAUSTED);
}

static void garbage_is_refused(void **state)
{
    struct str packed = pack(*state, STR("text"));
    struct buf out;
    struct fail f;

    assert_int_equal(unpack(*state, STR("plain text"), 100, &out, &f), -1);
    assert_int_equal(
        unpack(*state, arena_printf(*state, "%.*sgarbage", STR_ARG(packed)), 100, &out, &f), -1);
}

/* A frame of a few bytes must not make us set 128 MiB aside. */
static void a_huge_window_is_refused(void **state)
{
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x01, 0x00, 0x00};
    struct buf out;
    struct fail f;

    assert_int_equal(unpack(*state, str_make(frame, sizeof(frame)), 100, &out, &f), -1);
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_packed_comes_out, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_in_a_row_are_one_text, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_cut_off_is_refused_at_every_length, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(more_than_is_allowed_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(garbage_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_huge_window_is_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
