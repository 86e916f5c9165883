/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rpc/grpc_inbox.h"

static const char two[] = "\0\0\0\0\5hello\1\0\0\0\2hi";

static struct str two_messages(void)
{
    return str_make(two, sizeof(two) - 1);
}

static void put(struct grpc_inbox *in, struct str bytes)
{
    assert_true(grpc_inbox_put(in, bytes));
}

static void messages_come_out_however_the_bytes_are_cut(void **state UNUSED)
{
    for (size_t piece = 1; piece < sizeof(two); piece++) {
        struct grpc_inbox in;
        struct grpc_message m;
        struct str rest = two_messages();
        unsigned count = 0;

        grpc_inbox_init(&in, 100, 100);
        while (rest.len > 0) {
            put(&in, str_first(rest, piece));
            rest = str_skip(rest, piece);
            while (grpc_inbox_peek(&in, &m) == GRPC_INBOX_WHOLE) {
                assert_true(str_eq(m.payload, count == 0 ? STR("hello") : STR("hi")));
                assert_int_equal(m.gzip, count == 1);
                count++;
                grpc_inbox_drop(&in);
            }
        }
        assert_int_equal(count, 2);
        assert_int_equal(grpc_inbox_peek(&in, &m), GRPC_INBOX_EMPTY);
        grpc_inbox_done(&in);
    }
}

static void a_message_can_be_taken_with_its_memory(void **state UNUSED)
{
    struct grpc_inbox in;
    struct grpc_message m;
    struct buf bytes;

    grpc_inbox_init(&in, 100, 100);
    put(&in, two_messages());
    grpc_inbox_take(&in, &bytes, &m);
    grpc_inbox_drop(&in);
    grpc_inbox_done(&in);
    assert_true(str_eq(m.payload, STR("hello")));
    buf_done(&bytes);
}

static void an_empty_message_is_a_message(void **state UNUSED)
{
    struct grpc_inbox in;
    struct grpc_message m;

    grpc_inbox_init(&in, 100, 100);
    put(&in, str_make("\0\0\0\0", 4));
    assert_int_equal(grpc_inbox_peek(&in, &m), GRPC_INBOX_SHORT);
    put(&in, str_make("\0", 1));
    assert_int_equal(grpc_inbox_peek(&in, &m), GRPC_INBOX_WHOLE);
    assert_int_equal(m.payload.len, 0);
    grpc_inbox_done(&in);
}

static void a_length_over_the_limit_is_told_before_the_bytes_come(void **state UNUSED)
{
    struct grpc_inbox in;
    struct grpc_message m;

    grpc_inbox_init(&in, 100, 100);
    put(&in, str_make("\0\0\0\0\144", 5));
    assert_int_equal(grpc_inbox_peek(&in, &m), GRPC_INBOX_SHORT);
    grpc_inbox_done(&in);

    grpc_inbox_init(&in, 100, 100);
    put(&in, str_make("\0\0\0\0\145", 5));
    assert_int_equal(grpc_inbox_peek(&in, &m), GRPC_INBOX_TOO_LARGE);
    grpc_inbox_done(&in);

    grpc_inbox_init(&in, 100, 100);
    put(&in, str_make("\0\377\377\377\377", 5));
    assert_int_equal(grpc_inbox_peek(&in, &m), GRPC_INBOX_TOO_LARGE);
    grpc_inbox_done(&in);
}

static void unknown_flags_are_told_from_the_first_byte(void **state UNUSED)
{
    for (unsigned flag = 2; flag < 256; flag *= 2) {
        struct grpc_inbox in;
        struct grpc_message m;
        uint8_t byte = (uint8_t)flag;

        grpc_inbox_init(&in, 100, 100);
        put(&in, str_make(&byte, 1));
        assert_int_equal(grpc_inbox_peek(&in, &m), GRPC_INBOX_BAD_FLAGS);
        grpc_inbox_done(&in);
    }
}

static void more_than_the_slack_is_refused(void **state UNUSED)
{
    struct grpc_inbox in;
    char bytes[226] = {0};

    grpc_inbox_init(&in, 100, 100);
    assert_true(grpc_inbox_put(&in, str_make(bytes, 205)));
    assert_false(grpc_inbox_put(&in, str_make(bytes, 1)));
    grpc_inbox_done(&in);
}

/* With time that grows with the square of their number this would not end. */
static void many_small_messages_are_taken_one_by_one(void **state UNUSED)
{
    size_t count = 1000000;
    char *bytes = calloc(count, 5);

    assert_non_null(bytes);
    for (unsigned take = 0; take < 2; take++) {
        struct grpc_inbox in;
        struct grpc_message m;
        size_t seen = 0;

        grpc_inbox_init(&in, 100, 5 * count);
        put(&in, str_make(bytes, 5 * count));
        while (grpc_inbox_peek(&in, &m) == GRPC_INBOX_WHOLE) {
            struct buf kept = {.data = NULL};

            if (take)
                grpc_inbox_take(&in, &kept, &m);
            else
                grpc_inbox_drop(&in);
            buf_done(&kept);
            seen++;
        }
        assert_int_equal(seen, count);
        assert_true(grpc_inbox_put(&in, str_make(bytes, 5)));
        grpc_inbox_done(&in);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_however_the_bytes_are_cut),
        cmocka_unit_test(a_message_can_be_taken_with_its_memory),
        cmocka_unit_test(an_empty_message_is_a_message),
        cmocka_unit_test(a_length_over_the_limit_is_told_before_the_bytes_come),
        cmocka_unit_test(unknown_flags_are_told_from_the_first_byte),
        cmocka_unit_test(many_small_messages_are_taken_one_by_one),
        cmocka_unit_test(more_than_the_slack_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
