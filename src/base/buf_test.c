/* SPDX-License-Identifier: Apache-2.0 */
/* Buffer: growth, ceiling, sticky overflow. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_holds(const struct buf *b, const char *text)
{
    assert_int_equal(b->len, strlen(text));
    assert_memory_equal(b->data, text, b->len);
}

static void bytes_come_out_as_they_went_in(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    for (int i = 0; i < 10000; i++)
        buf_put_byte(&b, (uint8_t)i);
    assert_int_equal(b.len, 10000);
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(b.data[i], (uint8_t)i);
    assert_false(b.overflow);
    buf_done(&b);
    assert_int_equal(b.len, 0);
}

static void exactly_the_ceiling_fits(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5);
    buf_put(&b, "hello", 5);
    assert_false(b.overflow);
    assert_holds(&b, "hello");
    buf_put(&b, "", 0);
    assert_false(b.overflow);
    buf_put_byte(&b, '!');
    assert_true(b.overflow);
    assert_holds(&b, "hello");
    buf_done(&b);
}

static void after_an_overflow_nothing_is_added(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 8);
    buf_put_str(&b, STR("abc"));
    buf_put_str(&b, STR("too long"));
    assert_true(b.overflow);
    buf_put_byte(&b, 'd');
    buf_put_u64(&b, 7);
    buf_printf(&b, "%d", 7);
    assert_null(buf_reserve(&b, 1));
    assert_holds(&b, "abc");
    buf_consume(&b, 1);
    buf_put_byte(&b, 'd');
    assert_holds(&b, "bc");
    buf_done(&b);
}

static void clearing_takes_the_overflow_away(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 4);
    buf_put_str(&b, STR("12345"));
    assert_true(b.overflow);
    buf_clear(&b);
    buf_put_str(&b, STR("1234"));
    assert_false(b.overflow);
    assert_holds(&b, "1234");
    buf_done(&b);
}

static void arena_buffer_grows_in_the_arena(void **state)
{
    struct arena *a = arena_new(64);
    struct buf b;

    (void)state;
    buf_init_arena(&b, a, 100000);
    for (int i = 0; i < 20000; i++)
        buf_put_str(&b, STR("abcde"));
    assert_false(b.overflow);
    assert_int_equal(b.len, 100000);
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(b.data[i], "abcde"[i % 5]);
    buf_put_byte(&b, 'x');
    assert_true(b.overflow);
    assert_true(arena_used(a) < 400000);
    arena_free(&a);
}

static void arena_buffer_moves_when_another_piece_follows(void **state)
{
    struct arena *a = arena_new(4096);
    struct buf one, two;

    (void)state;
    buf_init_arena(&one, a, 10000);
    buf_init_arena(&two, a, 10000);
    for (int i = 0; i < 10000; i++) {
        buf_put_byte(&one, (uint8_t)i);
        buf_put_byte(&two, (uint8_t)(i * 3));
    }
    for (size_t i = 0; i < 10000; i++) {
        assert_int_equal(one.data[i], (uint8_t)i);
        assert_int_equal(two.data[i], (uint8_t)(i * 3));
    }
    arena_free(&a);
}

static void numbers_print_over_their_whole_range(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    buf_put_u64(&b, 0);
    buf_put_byte(&b, ' ');
    buf_put_u64(&b, UINT64_MAX);
    buf_put_byte(&b, ' ');
    buf_put_i64(&b, INT64_MIN);
    buf_put_byte(&b, ' ');
    buf_put_i64(&b, -7);
    assert_holds(&b, "0 18446744073709551615 -9223372036854775808 -7");
    buf_done(&b);
}

static void printf_keeps_long_text_whole(void **state)
{
    char wide[2000];
    struct buf b;

    (void)state;
    memset(wide, 'w', sizeof(wide) - 1);
    wide[sizeof(wide) - 1] = '\0';
    buf_init(&b, 2001);
    buf_printf(&b, "%s%d", wide, 42);
    assert_false(b.overflow);
    assert_int_equal(b.len, 2001);
    assert_memory_equal(b.data + 1998, "w42", 3);
    buf_done(&b);
}

static void consuming_moves_the_rest_to_the_front(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    buf_put_str(&b, STR("headtail"));
    buf_consume(&b, 4);
    assert_holds(&b, "tail");
    buf_consume(&b, 100);
    assert_int_equal(b.len, 0);
    buf_done(&b);
}

static void reserved_room_is_claimed_by_the_caller(void **state)
{
    struct buf b;
    uint8_t *room;

    (void)state;
    buf_init(&b, 300);
    room = buf_reserve(&b, 300);
    assert_non_null(room);
    memset(room, 'r', 300);
    assert_int_equal(b.len, 0);
    b.len += 300;
    assert_non_null(buf_reserve(&b, 0));
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_true(b.overflow);
    buf_done(&b);
}

static void done_buffer_can_be_used_again(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    buf_put_str(&b, STR("one"));
    buf_done(&b);
    buf_put_str(&b, STR("two"));
    assert_holds(&b, "two");
    assert_true(str_eq(buf_str(&b), STR("two")));
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_as_they_went_in),
        cmocka_unit_test(exactly_the_ceiling_fits),
        cmocka_unit_test(after_an_overflow_nothing_is_added),
        cmocka_unit_test(clearing_takes_the_overflow_away),
        cmocka_unit_test(arena_buffer_grows_in_the_arena),
        cmocka_unit_test(arena_buffer_moves_when_another_piece_follows),
        cmocka_unit_test(numbers_print_over_their_whole_range),
        cmocka_unit_test(printf_keeps_long_text_whole),
        cmocka_unit_test(consuming_moves_the_rest_to_the_front),
        cmocka_unit_test(reserved_room_is_claimed_by_the_caller),
        cmocka_unit_test(done_buffer_can_be_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
