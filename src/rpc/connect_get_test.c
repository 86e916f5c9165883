/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/connect_get.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int set_up(void **state)
{
    *state = arena_new(4096);
    return 0;
}

static int tear_down(void **state)
{
    struct arena *a = *state;

    arena_free(&a);
    return 0;
}

static void parameters_come_in_any_order_and_others_are_passed_over(void **state)
{
    struct connect_query q;
    struct fail f;

    assert_int_equal(connect_query_read(*state,
                                        STR("x=1&base64=1&message=YWI&&encoding=json&compression="
                                            "gzip&connect=v1&y"),
                                        &q, &f),
                     0);
    assert_true(str_eq(q.encoding, STR("json")));
    assert_true(str_eq(q.message, STR("YWI")));
    assert_true(str_eq(q.base64, STR("1")));
    assert_true(str_eq(q.compression, STR("gzip")));
    assert_true(str_eq(q.version, STR("v1")));
}

static void an_empty_message_is_one_and_a_missing_one_is_not(void **state)
{
    struct connect_query q;
    struct fail f;
    struct str message = STR("untouched");

    assert_int_equal(connect_query_read(*state, STR("message=&encoding=proto"), &q, &f), 0);
    assert_int_equal(connect_query_message(*state, &q, &message, &f), 0);
    assert_int_equal(message.len, 0);
    assert_int_equal(connect_query_read(*state, STR("message"), &q, &f), 0);
    assert_int_equal(connect_query_message(*state, &q, &message, &f), 0);
    assert_int_equal(connect_query_read(*state, STR("encoding=proto"), &q, &f), 0);
    assert_int_equal(connect_query_message(*state, &q, &message, &f), -1);
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
}

static void a_message_is_percent_decoded_and_then_base64_when_it_says_so(void **state)
{
    static const struct {
        const char *query;
        const char *bytes; /* NULL: refused */
        size_t len;
    } cases[] = {
        {"message=%7B+%7D", "{ }", 3},
        {"message=%00%ff", "\0\xff", 2},
        {"message=AP-_&base64=1", "\0\xff\xbf", 3},
        {"message=AA%3D%3D&base64=1", "\0", 1},
        {"message=AA&base64=1", "\0", 1},
        {"message=A&base64=1", NULL, 0},
        {"message=%7B%7D&base64=1", NULL, 0},
        {"message=YWI&base64=true", "YWI", 3},
    };

    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct connect_query q;
        struct fail f;
        struct str message;

        assert_int_equal(connect_query_read(*state, str_of(cases[i].query), &q, &f), 0);

        int rc = connect_query_message(*state, &q, &message, &f);

        assert_int_equal(rc, cases[i].bytes ? 0 : -1);
        if (rc == 0)
            assert_true(str_eq(message, str_make(cases[i].bytes, cases[i].len)));
        else
            assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    }
}

static void a_broken_percent_sequence_is_refused(void **state)
{
    static const char *const queries[] = {"message=%", "message=%4", "encoding=%zz", "%=1"};

    for (size_t i = 0; i < COUNTOF(queries); i++) {
        struct connect_query q;
        struct fail f;

        assert_int_equal(connect_query_read(*state, str_of(queries[i]), &q, &f), -1);
        assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    }
}

static void the_first_of_two_counts(void **state)
{
    struct connect_query q;
    struct fail f;

    assert_int_equal(connect_query_read(*state, STR("encoding=json&encoding=proto"), &q, &f), 0);
    assert_true(str_eq(q.encoding, STR("json")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parameters_come_in_any_order_and_others_are_passed_over),
        TEST(an_empty_message_is_one_and_a_missing_one_is_not),
        TEST(a_message_is_percent_decoded_and_then_base64_when_it_says_so),
        TEST(a_broken_percent_sequence_is_refused),
        TEST(the_first_of_two_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
