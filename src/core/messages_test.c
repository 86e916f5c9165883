/* SPDX-License-Identifier: Apache-2.0 */
#include "core/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

/* The messages of a body, with "|" between them. */
static void expect(struct arena *a, enum boundary_kind kind, const char *prefix, const char *body,
                   const char *wanted)
{
    struct boundary by = {0};
    struct messages m;
    struct str message, got = STR("");
    struct fail f = {0};

    assert_int_equal(boundary_compile(a, kind, str_of(prefix), &by, &f), 0);
    messages_begin(&m, &by, str_of(body));
    while (messages_next(&m, &message))
        got = arena_printf(a, "%.*s%s%.*s", STR_ARG(got), got.len > 0 ? "|" : "", STR_ARG(message));
    if (!str_eq(got, str_of(wanted)))
        fail_msg("\"%s\" became \"%.*s\", not \"%s\"", body, STR_ARG(got), wanted);
}

static void each_line_is_a_message(void **state)
{
    expect(*state, BOUNDARY_LINE, "", "", "");
    expect(*state, BOUNDARY_LINE, "", "a", "a");
    expect(*state, BOUNDARY_LINE, "", "a\n b\r\n\r\n\nc\n", "a| b|c");
    expect(*state, BOUNDARY_LINE, "", "\n\r\n", "");
    expect(*state, BOUNDARY_LINE, "", "a\rb\n", "a\rb");
    expect(*state, BOUNDARY_LINE, "", "\r\r\na\r\r\nb\r", "a|b");
}

static void a_request_is_a_message(void **state)
{
    expect(*state, BOUNDARY_BODY, "", "", "");
    expect(*state, BOUNDARY_BODY, "", "a\n\nb\n", "a\n\nb\n");
}

static void a_line_that_is_set_in_goes_on(void **state)
{
    expect(*state, BOUNDARY_INFER, "", "a\nb\n", "a|b");
    expect(*state, BOUNDARY_INFER, "", "a\n  b\n\tc\nd\n", "a\n  b\n\tc|d");
    expect(*state, BOUNDARY_INFER, "", "  a\nb", "  a|b");
    expect(*state, BOUNDARY_INFER, "", "a\r\n\r\n b\r\n\r\nc\r\n", "a\r\n\r\n b|c");
    expect(*state, BOUNDARY_INFER, "", "{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}|{\"a\":2}");
}

/* Where the first line begins with a time, nothing but a time begins another message. */
static void a_time_begins_a_message(void **state)
{
    expect(*state, BOUNDARY_INFER, "",
           "2026-11-21 12:00:00 boom\njava.lang.Error: x\n\tat y\nCaused by: z\n"
           "2026-11-21 12:00:01 fine\n",
           "2026-11-21 12:00:00 boom\njava.lang.Error: x\n\tat y\nCaused by: z|"
           "2026-11-21 12:00:01 fine");
    expect(*state, BOUNDARY_INFER, "", "2026-11-21 {\n  \"a\": 1\n}\n2026-11-22 x",
           "2026-11-21 {\n  \"a\": 1\n}|2026-11-22 x");
    expect(*state, BOUNDARY_INFER, "", "first\n2026-11-21 x\nlast", "first|2026-11-21 x|last");
}

static void times_are_known_by_their_looks(void **state)
{
    static const char *const times[] = {
        "2026-11-21T12:00:00Z",
        "2026/11/21 12:00",
        "2026.11.21",
        "20261121T120000",
        "21/Nov/2026:12:00:00",
        "21-Nov-2026",
        "21 Nov 2026",
        "11/21/2026 12:00",
        "1-2-26",
        "12:00:00.123",
        "9:00:00 x",
        "1795262400",
        "1795262400.123",
        "1795262400123 x",
        "[2026-11-21]",
        "(12:00:00)",
        "Nov 21 12:00:00",
        "Nov  1 12:00:00",
        "Sat Nov 21",
        "Sat, 21 Nov 2026",
        "<13>Nov 21 12:00:00",
        "<34>1 2026-11-21",
        "[21/Nov/2026:12",
        "NOV 21",
    };
    static const char *const others[] = {
        "10.0.0.1 - - [21/Nov/2026]",
        "1 message",
        "42",
        "12:00",
        "2026",
        "20261121",
        "1-2",
        "1/2",
        "5 marbles",
        "1795262400abc",
        "12345678901234567890",
        "Nov",
        "November",
        "Saturn",
        "<x>12:00:00",
        "a 2026-11-21",
        "-",
        "[",
        "<13>",
        "Sat",
    };

    for (size_t i = 0; i < COUNTOF(times); i++) {
        struct str body = arena_printf(*state, "%s\nx\n", times[i]);
        struct str wanted = arena_printf(*state, "%s\nx", times[i]);

        expect(*state, BOUNDARY_INFER, "", arena_cstr(*state, body), arena_cstr(*state, wanted));
    }
    for (size_t i = 0; i < COUNTOF(others); i++) {
        struct str body = arena_printf(*state, "%s\nx\n", others[i]);
        struct str wanted = arena_printf(*state, "%s|x", others[i]);

        expect(*state, BOUNDARY_INFER, "", arena_cstr(*state, body), arena_cstr(*state, wanted));
    }
}

static void a_match_at_the_begin_of_a_line_begins_a_message(void **state)
{
    expect(*state, BOUNDARY_PREFIX, "\\[\\d+\\]", "[1] a\nb [2]\n[2] c\n", "[1] a\nb [2]|[2] c");
    expect(*state, BOUNDARY_PREFIX, "^\\d+ .*$", "x\n1 a\n b\n2 c\nd", "x|1 a\n b|2 c\nd");
    expect(*state, BOUNDARY_PREFIX, "a|b", "a\nxb\nb", "a\nxb|b");
    expect(*state, BOUNDARY_PREFIX, "(?i)START", "start\nx\nStart", "start\nx|Start");
    expect(*state, BOUNDARY_PREFIX, "(?<n>\\u0041)", "A1\nB\nA2", "A1\nB|A2");
    expect(*state, BOUNDARY_PREFIX, "", "a\nb", "a|b");
    expect(*state, BOUNDARY_PREFIX, "(?m)^b", "a\nb", "a|b");
}

static void a_pattern_that_cannot_be_used_is_refused(void **state)
{
    static const char *const patterns[] = {"(", "a)", "a)|(b", "(?=a)", "[a&&b]"};
    struct boundary by;

    for (size_t i = 0; i < COUNTOF(patterns); i++) {
        struct fail f = {0};

        assert_int_equal(boundary_compile(*state, BOUNDARY_PREFIX, str_of(patterns[i]), &by, &f),
                         -1);
        assert_string_equal(f.reason, "bad_pattern");
        assert_int_equal(boundary_compile(*state, BOUNDARY_INFER, str_of(patterns[i]), &by, &f), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_line_is_a_message),
        TEST(a_request_is_a_message),
        TEST(a_line_that_is_set_in_goes_on),
        TEST(a_time_begins_a_message),
        TEST(times_are_known_by_their_looks),
        TEST(a_match_at_the_begin_of_a_line_begins_a_message),
        TEST(a_pattern_that_cannot_be_used_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
