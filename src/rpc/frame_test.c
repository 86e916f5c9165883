/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rpc/frame.h"

static void frames_are_taken_one_by_one(void **state)
{
    struct str rest = str_make("\0\0\0\0\3abc\1\0\0\0\0", 13);
    struct frame f;

    (void)state;
    assert_int_equal(frame_take(&rest, &f), FRAME_OK);
    assert_int_equal(f.flags, 0);
    assert_true(str_eq(f.payload, STR("abc")));
    assert_int_equal(frame_take(&rest, &f), FRAME_OK);
    assert_int_equal(f.flags, FRAME_COMPRESSED);
    assert_int_equal(f.payload.len, 0);
    assert_int_equal(frame_take(&rest, &f), FRAME_NONE);
}

static void a_frame_that_is_cut_off_anywhere_is_short_and_stays(void **state)
{
    (void)state;
    for (size_t len = 1; len < 8; len++) {
        struct str rest = str_make("\0\0\0\0\3abc", len);
        struct frame f;

        assert_int_equal(frame_take(&rest, &f), FRAME_SHORT);
        assert_int_equal(rest.len, len);
    }
}

static void a_length_has_four_bytes_most_significant_first(void **state)
{
    size_t length = 0;

    (void)state;
    assert_true(frame_length(str_make("\0\x01\x02\x03\x04", 5), &length));
    assert_int_equal(length, 0x01020304);
    assert_true(frame_length(str_make("\0\xff\xff\xff\xff", 5), &length));
    assert_int_equal(length, UINT32_MAX);
    assert_false(frame_length(str_make("\0\0\0\0", 4), &length));
}

static void what_is_written_can_be_taken(void **state)
{
    struct buf out;
    struct frame f;

    (void)state;
    buf_init(&out, 1000);
    buf_put_str(&out, STR("before"));

    size_t at = frame_begin(&out);

    for (int i = 0; i < 300; i++)
        buf_put_byte(&out, 'x');
    frame_end(&out, at, FRAME_END_STREAM);

    struct str rest = str_skip(buf_str(&out), 6);

    assert_int_equal(frame_take(&rest, &f), FRAME_OK);
    assert_int_equal(f.flags, FRAME_END_STREAM);
    assert_int_equal(f.payload.len, 300);
    assert_int_equal(rest.len, 0);
    buf_done(&out);
}

static void a_full_buffer_is_left_alone(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 3);

    size_t at = frame_begin(&out);

    assert_true(out.overflow);
    frame_end(&out, at, 0);
    assert_int_equal(out.len, 0);
    buf_done(&out);
}

static void a_unary_request_is_one_frame_and_no_more(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum code code; /* CODE_OK: fine */
    } cases[] = {
        {"\0\0\0\0\1x", 6, CODE_OK},
        {"", 0, CODE_UNIMPLEMENTED},
        {"\0\0\0\0\1x\0\0\0\0\0", 11, CODE_UNIMPLEMENTED},
        {"\0\0\0\0\1", 5, CODE_INVALID_ARGUMENT},
        {"\0\0\0\0\1x\0", 7, CODE_INVALID_ARGUMENT},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct frame frame;
        struct fail f = {0};
        int rc = frame_only(str_make(cases[i].bytes, cases[i].len), &frame, &f);

        assert_int_equal(rc, cases[i].code == CODE_OK ? 0 : -1);
        assert_int_equal(f.code, cases[i].code);
        if (rc == 0)
            assert_true(str_eq(frame.payload, STR("x")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_taken_one_by_one),
        cmocka_unit_test(a_frame_that_is_cut_off_anywhere_is_short_and_stays),
        cmocka_unit_test(a_length_has_four_bytes_most_significant_first),
        cmocka_unit_test(what_is_written_can_be_taken),
        cmocka_unit_test(a_full_buffer_is_left_alone),
        cmocka_unit_test(a_unary_request_is_one_frame_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
