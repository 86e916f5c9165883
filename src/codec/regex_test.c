/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns: what matches with and without anchors, refusals with their reasons, bounds, threads. */
#include "codec/regex.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct example {
    const char *pattern;
    const char *text;
    bool matches;
};

static void check(const struct example *e, unsigned flags)
{
    struct regex *r = NULL;
    struct fail f = {0};

    if (regex_compile(str_of(e->pattern), flags, &r, &f) < 0)
        fail_msg("%s is refused: %s", e->pattern, f.message);
    if (regex_matches(r, str_of(e->text)) != e->matches)
        fail_msg("%s %s %s", e->pattern, e->matches ? "does not match" : "matches", e->text);
    regex_free(&r);
    assert_null(r);
}

static void an_anchored_pattern_matches_the_whole_text(void **state)
{
    static const struct example all[] = {
        {"prod", "prod", true},
        {"prod", "production", false},
        {"prod", "a prod", false},
        {"prod.*", "production", true},
        {".*", "", true},
        {".+", "", false},
        {".+", "x", true},
        {"", "", true},
        {"", "x", false},
        {"^a$", "a", true},
        {"a|ab", "ab", true}, /* not the first alternative that fits, but one that fits all */
        {"(a|ab)(c|bcd)", "abcd", true},
        {"v1\\.2", "v1x2", false},
        {"\\d+", "2024", true},
        {"(?i)prod", "PROD", true},
        {"(?i)prod", "prodx", false},
        {"[^a]", "\xf0\x9f\x8c\x8d", true},
        {"..", "\xc3\xa4\xc3\xb6", true},
        {"\\p{Lu}\\p{Ll}+", "\xc3\x84hre", true},
        {"(?m)^a$", "b\na", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(all); i++)
        check(&all[i], REGEX_ANCHORED);
}

static void plain_alternatives_match_as_patterns_do(void **state)
{
    static const struct example all[] = {
        {"linux|windows", "linux", true},
        {"linux|windows", "windows", true},
        {"linux|windows", "darwin", false},
        {"linux|windows", "linux|windows", false},
        {"linux|windows", "linu", false},
        {"linux|windows", "linuxw", false},
        {"linux|windows", "", false},
        {"a|", "", true},
        {"|a", "", true},
        {"|a", "a", true},
        {"a||b", "", true},
        {"a||b", "b", true},
        {"|", "", true},
        {"|", "|", false},
        {"us-east-1|eu/west:2", "eu/west:2", true},
    };
    char group[64];

    (void)state;
    for (size_t i = 0; i < COUNTOF(all); i++) {
        struct example same = {group, all[i].text, all[i].matches};

        check(&all[i], REGEX_ANCHORED);
        snprintf(group, sizeof(group), "(?:%s)", all[i].pattern); /* takes the other way */
        check(&same, REGEX_ANCHORED);
    }
}

static void a_pattern_without_anchors_matches_anywhere(void **state)
{
    static const struct example all[] = {
        {"prod", "a production", true}, {"prod", "pro", false}, {"^prod", "a prod", false},
        {"a|b", "xbx", true},           {"", "x", true},        {"d$", "prod", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(all); i++)
        check(&all[i], 0);
    check(&(struct example){"PROD", "a production", true}, REGEX_NO_CASE);
    check(&(struct example){"PROD", "production", false}, REGEX_NO_CASE | REGEX_ANCHORED);
    check(&(struct example){"PROD", "prod", true}, REGEX_NO_CASE | REGEX_ANCHORED);
}

static void a_dot_does_not_match_a_line_break(void **state)
{
    (void)state;
    check(&(struct example){".*", "a\nb", false}, REGEX_ANCHORED);
    check(&(struct example){"(?s).*", "a\nb", true}, REGEX_ANCHORED);
    check(&(struct example){"a[^x]b", "a\nb", true}, REGEX_ANCHORED);
}

static void a_nul_is_a_character_like_others(void **state)
{
    struct regex *r = NULL;
    struct fail f;

    (void)state;
    assert_int_equal(regex_compile(STR("a\0.*"), REGEX_ANCHORED, &r, &f), 0);
    assert_true(regex_matches(r, STR("a\0b")));
    assert_false(regex_matches(r, STR("a")));
    regex_free(&r);
    assert_int_equal(regex_compile(STR("a.b"), REGEX_ANCHORED, &r, &f), 0);
    assert_true(regex_matches(r, STR("a\0b")));
    regex_free(&r);
    regex_free(&r);
}

static void no_bytes_at_all_are_an_empty_text(void **state)
{
    struct str nothing = {0};
    struct regex *r = NULL;
    struct fail f;

    (void)state;
    assert_int_equal(regex_compile(nothing, REGEX_ANCHORED, &r, &f), 0);
    assert_true(regex_matches(r, nothing));
    assert_false(regex_matches(r, STR("a")));
    regex_free(&r);
    assert_int_equal(regex_compile(STR("x*"), REGEX_ANCHORED, &r, &f), 0);
    assert_true(regex_matches(r, nothing));
    regex_free(&r);
}

static void a_bad_pattern_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *pattern;
        const char *reason;
    } all[] = {
        {"(a", "missing ): (a"},
        {"a)", "unexpected ): a)"},
        {"a)|(b", "unexpected )"},
        {"[a", "missing ]"},
        {"*", "no argument for repetition operator: *"},
        {"a**", "bad repetition operator: **"},
        {"a{1001}", "invalid repetition size: {1001}"},
        {"(?=a)", "invalid perl operator: (?="},
        {"(a)\\1", "invalid escape sequence: \\1"},
        {"\\", "trailing \\"},
        {"\xff+", "invalid UTF-8"},
        {"[z-a]", "invalid character class range: z-a"},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(all); i++) {
        struct regex *r = NULL;
        struct fail f = {0};

        if (regex_compile(str_of(all[i].pattern), REGEX_ANCHORED, &r, &f) == 0)
            fail_msg("%s is accepted", all[i].pattern);
        assert_null(r);
        assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
        assert_string_equal(f.reason, "bad_pattern");
        if (!strstr(f.message, all[i].reason))
            fail_msg("%s: %s", all[i].pattern, f.message);
    }
}

static void a_pattern_too_large_is_refused(void **state)
{
    static char text[REGEX_PATTERN_MAX + 1];
    struct regex *r = NULL;
    struct fail f = {0};

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(regex_compile(str_make(text, sizeof(text)), REGEX_ANCHORED, &r, &f), -1);
    assert_int_equal(regex_compile(str_make(text, REGEX_PATTERN_MAX), REGEX_ANCHORED, &r, &f), 0);
    regex_free(&r);
    assert_int_equal(regex_compile(STR("((a{100}){100}){100}"), REGEX_ANCHORED, &r, &f), -1);
    assert_int_equal(regex_compile(STR("(\\pL{100}){9}"), REGEX_ANCHORED, &r, &f), -1);
    assert_string_equal(f.reason, "bad_pattern");
    assert_int_equal(regex_compile(STR("\\pL{10}"), REGEX_ANCHORED, &r, &f), -1);
    assert_non_null(strstr(f.message, "repetitions"));
    assert_int_equal(regex_compile(STR("\\pL{5}|(ab?){900}"), REGEX_ANCHORED, &r, &f), -1);
    assert_int_equal(regex_compile(STR("\\pL{5}|(ab?){100}"), REGEX_ANCHORED, &r, &f), 0);
    regex_free(&r);
}

/* Exponential time would be noticed as a test that never ends. */
static void nested_repetitions_take_linear_time(void **state)
{
    static char text[100000];

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    check(&(struct example){"(a*)*b", text, false}, REGEX_ANCHORED);
    check(&(struct example){"(a|aa)+c", text, false}, 0);
}

static void *match_often(void *arg)
{
    const struct regex *r = arg;

    for (size_t i = 0; i < 2000; i++) {
        if (!regex_matches(r, STR("node-17.example")) || regex_matches(r, STR("node-x.example")))
            return arg;
    }
    return NULL;
}

static void threads_share_a_pattern(void **state)
{
    struct regex *r = NULL;
    pthread_t threads[4];
    struct fail f;

    (void)state;
    assert_int_equal(regex_compile(STR("node-\\d+\\.[a-z]+"), REGEX_ANCHORED, &r, &f), 0);
    for (size_t i = 0; i < COUNTOF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, match_often, r), 0);
    for (size_t i = 0; i < COUNTOF(threads); i++) {
        void *wrong = r;

        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    regex_free(&r);
}

static struct regex *search_pattern(const char *pattern)
{
    struct regex *r = NULL;
    struct fail f;

    assert_int_equal(regex_compile(str_of(pattern), 0, &r, &f), 0);
    return r;
}

static void a_search_tells_where_groups_are(void **state)
{
    struct regex *r = search_pattern("k=(\\w)(x)?");
    struct str text = STR("k=a k=bx");
    struct str groups[3];

    (void)state;
    assert_int_equal(regex_group_count(r), 2);
    assert_true(regex_search(r, text, 0, groups, 3));
    assert_true(str_eq(groups[0], STR("k=a")) && groups[0].p == text.p);
    assert_true(groups[1].p == text.p + 2 && groups[1].len == 1);
    assert_null(groups[2].p);
    assert_true(regex_search(r, text, 3, groups, 3));
    assert_true(groups[2].p == text.p + 7);
    assert_false(regex_search(r, text, 5, groups, 1));
    assert_false(regex_search(r, text, text.len + 1, groups, 1));
    regex_free(&r);
}

static void a_search_sees_what_stands_before_it(void **state)
{
    struct regex *start = search_pattern("^a"), *word = search_pattern("\\bb");
    struct str groups[1];

    (void)state;
    assert_true(regex_search(start, STR("aa"), 0, groups, 1));
    assert_false(regex_search(start, STR("aa"), 1, groups, 1));
    assert_false(regex_search(word, STR("ab"), 1, groups, 1));
    assert_true(regex_search(word, STR(" b"), 1, groups, 1));
    regex_free(&start);
    regex_free(&word);
}

static void an_empty_text_can_be_searched(void **state)
{
    struct regex *r = search_pattern("()");
    struct str groups[2];

    (void)state;
    assert_true(regex_search(r, (struct str){0}, 0, groups, 2));
    assert_int_equal(groups[1].len, 0);
    regex_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_anchored_pattern_matches_the_whole_text),
        cmocka_unit_test(plain_alternatives_match_as_patterns_do),
        cmocka_unit_test(a_pattern_without_anchors_matches_anywhere),
        cmocka_unit_test(a_dot_does_not_match_a_line_break),
        cmocka_unit_test(a_nul_is_a_character_like_others),
        cmocka_unit_test(no_bytes_at_all_are_an_empty_text),
        cmocka_unit_test(a_bad_pattern_is_refused_with_the_reason),
        cmocka_unit_test(a_pattern_too_large_is_refused),
        cmocka_unit_test(nested_repetitions_take_linear_time),
        cmocka_unit_test(threads_share_a_pattern),
        cmocka_unit_test(a_search_tells_where_groups_are),
        cmocka_unit_test(a_search_sees_what_stands_before_it),
        cmocka_unit_test(an_empty_text_can_be_searched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
