/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict on YAML. */
#include "codec/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static int make_arena(void **state)
{
    *state = arena_new(4096);
    return 0;
}

static int drop_arena(void **state)
{
    struct arena *a = *state;

    arena_free(&a);
    return 0;
}

static void assert_good(struct arena *a, struct str text)
{
    struct fail f = {0};

    if (yaml_check(a, text, &f) < 0)
        fail_msg("%s\nin: %.*s", f.message, STR_ARG(str_first(text, 400)));
}

static void assert_refused(struct arena *a, struct str text, const char *message)
{
    struct fail f = {0};

    if (yaml_check(a, text, &f) == 0)
        fail_msg("was accepted: %.*s", STR_ARG(text));
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    assert_string_equal(f.reason, "bad_yaml");
    assert_string_equal(f.message, message);
}

static void configurations_are_accepted(void **state)
{
    static const char *const good[] = {
        "a: 1",
        "{}",
        "{a: 1, b: [2, 3]}",
        "---\na: 1\n...\n",
        "# first\na: 1\n",
        "%YAML 1.2\n---\na: 1\n",
        "\xef\xbb\xbf"
        "a: 1",
        "a:\nb: ~\nc: null\n",
        "a: {b: 1}\nc: {b: 1}\n",
        "a: {x: 1}\nx: 1\n",
        "a: |\n  text: with\n  text: twice\n",
        "a: !custom 1",
        "gr\xc3\xbc\xc3\x9f: \"\\u00e4\"\n",
        "receivers:\n"
        "  otlp:\n"
        "    protocols:\n"
        "      grpc: {endpoint: 0.0.0.0:4317}\n"
        "      http:\n"
        "processors:\n"
        "  batch:\n"
        "    timeout: 10s\n"
        "exporters:\n"
        "  otlphttp:\n"
        "    endpoint: https://example.org\n"
        "    headers:\n"
        "      authorization: ${env:TOKEN}\n"
        "service:\n"
        "  pipelines:\n"
        "    traces:\n"
        "      receivers: [otlp]\n"
        "      processors: [batch]\n"
        "      exporters: [otlphttp]\n",
    };

    for (size_t i = 0; i < COUNTOF(good); i++)
        assert_good(*state, str_of(good[i]));
}

static void aliases_may_refer_to_what_came_before(void **state)
{
    assert_good(*state, STR("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n"));
    assert_good(*state, STR("a: &x 1\nb: &x 2\nc: *x\n"));
    assert_good(*state, STR("a: &x [&x 1, *x]\n"));
    assert_refused(*state, STR("a: *x\nb: &x 1\n"),
                   "line 1, column 4: this alias has no anchor before it");
    assert_refused(*state, STR("a: &x\n  b: *x\n"),
                   "line 2, column 6: this alias stands within what it refers to");
    assert_refused(*state, STR("a: &x [[{b: *x}]]\n"),
                   "line 1, column 13: this alias stands within what it refers to");
}

static void aliases_of_aliases_are_not_expanded(void **state)
{
    struct buf b;

    buf_init_arena(&b, *state, 1 << 20);
    buf_put_str(&b, STR("a0: &a0 [x, x, x, x, x, x, x, x]\n"));
    for (int i = 1; i < 50; i++) {
        buf_printf(&b, "a%d: &a%d [", i, i);
        for (int j = 0; j < 8; j++)
            buf_printf(&b, "%s*a%d", j ? ", " : "", i - 1);
        buf_put_str(&b, STR("]\n"));
    }
    assert_good(*state, buf_str(&b));
}

static void what_is_refused_says_where_and_why(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } bad[] = {
        {"", "line 1, column 1: the text is empty"},
        {"# only a comment\n", "line 2, column 1: the text is empty"},
        {"---\n...\n", "line 2, column 1: the text is empty"},
        {"text", "line 1, column 1: the text must be a mapping (\"key: value\" lines)"},
        {"~", "line 1, column 1: the text must be a mapping (\"key: value\" lines)"},
        {"- a\n- b\n", "line 1, column 1: the text must be a mapping (\"key: value\" lines)"},
        {"a: 1\n---\nb: 2\n", "line 2, column 1: a second document begins; only one is allowed"},
        {"a: 1\nb: 2\na: 3\n", "line 3, column 1: the key \"a\" stands twice in this mapping"},
        {"a: 1\n\"a\": 2\n", "line 2, column 1: the key \"a\" stands twice in this mapping"},
        {"x: {a: 1, b: {a: 1}, 'a': 2}\n",
         "line 1, column 22: the key \"a\" stands twice in this mapping"},
        {"? [a]\n: b\n", "line 1, column 3: the key of a mapping must be text"},
        {"? {a: 1}\n: b\n", "line 1, column 3: the key of a mapping must be text"},
        {"a: &x 1\n*x : 2\n", "line 2, column 1: the key of a mapping must be text"},
        {"\xc3\xa4: 1\nb: \xff\n", "line 2, column 4: this is not valid UTF-8"},
    };

    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_refused(*state, str_of(bad[i].text), bad[i].message);
    assert_refused(*state, STR("a: \0\n"), "line 1, column 4: control characters are not allowed");
    assert_refused(*state,
                   STR("\xff\xfe"
                       "a\0"),
                   "line 1, column 1: this is not valid UTF-8");
}

static void what_the_grammar_refuses_says_where(void **state)
{
    static const struct {
        const char *text;
        const char *where;
    } bad[] = {
        {"a: [1, 2\n", "line 2, column 1: "},
        {"a:\n  - b\n c: 1\n", "line 3, column 2: "},
        {"a: b: c\n", "line 1, column 5: "},
        {"a:\n\t- b\n", "line 2, column 1: "},
        {"a: \"b\n", "line 2, column 1: "},
        {"a: \"\\d\"\n", "line 1, column 5: "},
        {"a: }\n", "line 1, column 4: "},
        {"a: 1\n\001: 1\n", "line 2, column 1: "},
        {"%YAML 3.0\n---\na: 1\n", "line 1, column 1: "},
    };

    for (size_t i = 0; i < COUNTOF(bad); i++) {
        struct fail f = {0};

        if (yaml_check(*state, str_of(bad[i].text), &f) == 0)
            fail_msg("was accepted: %s", bad[i].text);
        assert_string_equal(f.reason, "bad_yaml");
        if (!str_starts_with(str_of(f.message), str_of(bad[i].where)))
            fail_msg("%s is not %s", f.message, bad[i].where);
    }
}

/* --- bounds --- */

static struct str repeat(struct arena *a, const char *front, const char *open, const char *close,
                         size_t n)
{
    struct buf b;

    buf_init_arena(&b, a, 64 << 20);
    buf_put_str(&b, str_of(front));
    for (size_t i = 0; i < n; i++)
        buf_put_str(&b, str_of(open));
    for (size_t i = 0; i < n; i++)
        buf_put_str(&b, str_of(close));
    return buf_str(&b);
}

static void nesting_has_an_end(void **state)
{
    struct fail f = {0};

    assert_good(*state, repeat(*state, "a: ", "[", "]", YAML_MAX_DEPTH - 1));
    assert_refused(*state, repeat(*state, "a: ", "[", "]", YAML_MAX_DEPTH),
                   "line 1, column 67: this nests too deep");
    assert_int_equal(yaml_check(*state, repeat(*state, "a: ", "[", "", 500000), &f), -1);
    assert_int_equal(yaml_check(*state, repeat(*state, "a: ", "{a: ", "", 500000), &f), -1);
    assert_int_equal(yaml_check(*state, repeat(*state, "a:\n ", "- ", "x", 500000), &f), -1);
    assert_int_equal(yaml_check(*state, repeat(*state, "", "? ", "x", 500000), &f), -1);
}

static void the_number_of_values_has_an_end(void **state)
{
    struct fail f = {0};

    assert_good(*state, repeat(*state, "a:\n", "- 1\n", "", 190000));
    assert_int_equal(yaml_check(*state, repeat(*state, "a: [", "1,", "", YAML_MAX_NODES), &f), -1);
    assert_non_null(strstr(f.message, "the text has too many values"));
}

static void directives_are_few(void **state)
{
    struct buf b;

    buf_init_arena(&b, *state, 1 << 20);
    for (int i = 0; i < 65; i++) {
        if (i == 64)
            assert_good(*state, arena_printf(*state, "%.*s---\na: 1\n", STR_ARG(buf_str(&b))));
        buf_printf(&b, "%%TAG !%x! x\n", (unsigned)i);
    }
    buf_put_str(&b, STR("---\na: 1\n"));
    assert_refused(*state, buf_str(&b), "line 65, column 1: the text has too many %TAG directives");
}

static void the_text_has_a_longest_length(void **state)
{
    char byte = ' ';

    /* Refused before a single byte is read. */
    assert_refused(*state, str_make(&byte, YAML_MAX_BYTES + 1),
                   "line 1, column 1: the text is too long");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_arena, drop_arena)
    const struct CMUnitTest tests[] = {
        CASE(configurations_are_accepted),         CASE(aliases_may_refer_to_what_came_before),
        CASE(aliases_of_aliases_are_not_expanded), CASE(what_is_refused_says_where_and_why),
        CASE(what_the_grammar_refuses_says_where), CASE(nesting_has_an_end),
        CASE(the_number_of_values_has_an_end),     CASE(directives_are_few),
        CASE(the_text_has_a_longest_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
