/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#define RULE(k, p)    ((struct rule_spec){.kind = (k), .pattern = STR(p)})
#define TEXT_MAX      ((size_t)1 << 20)
#define MASK(p, text) ((struct rule_spec){.kind = RULE_MASK, .pattern = STR(p), .mask = STR(text)})

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

static struct rules *compile(struct arena *a, const struct rule_spec *specs, size_t count)
{
    struct rules *r = NULL;
    struct fail f = {0};

    if (rules_compile(a, specs, count, RULE_MD5, &r, &f) < 0)
        fail_msg("%s", f.message);
    return r;
}

/* What rules make of a message; "-" when it is dropped, "+" when it is too much. */
static struct str apply(struct arena *a, const struct rules *r, struct str message)
{
    struct rules_work w;
    struct str out = STR("");

    rules_work_init(&w, TEXT_MAX, INT64_MAX / 2);

    enum rules_verdict v = rules_apply(r, &w, message, &out);

    out = arena_str(a, out);
    rules_work_done(&w);
    return v == RULES_PASSED ? out : v == RULES_DROPPED ? STR("-") : STR("+");
}

/* What one rule makes of it. */
static void expect(struct arena *a, struct rule_spec spec, const char *message, const char *wanted)
{
    struct rules *r = compile(a, &spec, 1);
    struct str out = apply(a, r, str_of(message));

    if (!str_eq(out, str_of(wanted)))
        fail_msg("/%.*s/ made \"%.*s\" of \"%s\", not \"%s\"", STR_ARG(spec.pattern), STR_ARG(out),
                 message, wanted);
}

static void exclude_drops_what_matches_as_a_whole(void **state)
{
    expect(*state, RULE(RULE_EXCLUDE, ".*debug.*"), "a debug line", "-");
    expect(*state, RULE(RULE_EXCLUDE, "debug"), "a debug line", "a debug line");
    expect(*state, RULE(RULE_EXCLUDE, "a|b"), "b", "-");
    expect(*state, RULE(RULE_EXCLUDE, "a|b"), "ab", "ab");
    expect(*state, RULE(RULE_EXCLUDE, ".*"), "two\nlines", "two\nlines");
    expect(*state, RULE(RULE_EXCLUDE, "(?s).*"), "two\nlines", "-");
}

static void include_keeps_only_what_one_of_them_matches(void **state)
{
    const struct rule_spec specs[] = {RULE(RULE_INCLUDE, ".*error.*"),
                                      RULE(RULE_INCLUDE, ".*fatal.*"),
                                      RULE(RULE_EXCLUDE, ".*harmless.*")};
    struct rules *r = compile(*state, specs, COUNTOF(specs));

    assert_true(str_eq(apply(*state, r, STR("an error")), STR("an error")));
    assert_true(str_eq(apply(*state, r, STR("how fatal")), STR("how fatal")));
    assert_true(str_eq(apply(*state, r, STR("all is well")), STR("-")));
    assert_true(str_eq(apply(*state, r, STR("a harmless error")), STR("-")));
}

static void mask_replaces_each_group_of_each_match(void **state)
{
    expect(*state, MASK("password=(\\S+)", "***"), "password=one x password=two",
           "password=*** x password=***");
    expect(*state, MASK("(\\d)-(\\d)", "#"), "1-2 and 3-4", "#-# and #-#");
    expect(*state, MASK("(\\d+)", ""), "a1b22c", "abc");
    expect(*state, MASK("nothing(x)", "#"), "as it was", "as it was");
    expect(*state, MASK("a(b)?c", "#"), "ac abc", "ac a#c");
    expect(*state, MASK("(secret)", "$1\\1"), "a secret", "a $1\\1");
}

static void groups_within_groups_are_hidden_once(void **state)
{
    expect(*state, MASK("((a)b)c", "#"), "abc", "#c");
    expect(*state, MASK("(?:(a)|(b))*", "#"), "ab", "##");
    expect(*state, MASK("(?:(x)|(y)-)+", "#"), "y-x", "#-#");
}

static void empty_matches_come_to_an_end(void **state)
{
    expect(*state, MASK("(x*)", "#"), "axxb", "a#b");
    expect(*state, MASK("()", "#"), "abc", "abc");
    expect(*state, MASK("(x?)", "#"), "\xc3\xa4x", "\xc3\xa4#");
    expect(*state, MASK("^(a)", "#"), "aaa", "#aa");
}

static void hash_takes_md5_or_sha256_in_hex(void **state)
{
    const struct rule_spec spec = RULE(RULE_HASH, "user=(\\w+)");
    struct rules *r = NULL;
    struct fail f;

    expect(*state, spec, "user=abc!", "user=900150983cd24fb0d6963f7d28e17f72!");
    assert_int_equal(rules_compile(*state, &spec, 1, RULE_SHA256, &r, &f), 0);
    assert_true(str_eq(apply(*state, r, STR("user=abc!")),
                       STR("user=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f2001"
                           "5ad!")));
}

static void filters_see_the_text_as_it_came(void **state)
{
    const struct rule_spec specs[] = {MASK("(secret)", "#"), MASK("(#)", "+"),
                                      RULE(RULE_INCLUDE, ".*secret.*")};
    struct rules *r = compile(*state, specs, COUNTOF(specs));

    assert_true(str_eq(apply(*state, r, STR("a secret")), STR("a +")));
}

/* Bytes that are no UTF-8 do not end what a rule hides. */
static void broken_text_is_hidden_too(void **state)
{
    expect(*state, MASK("key=(.*)", "#"), "key=ab\xff\xfe_cd", "key=#");
    expect(*state, RULE(RULE_EXCLUDE, ".*debug.*"), "\xff debug", "-");
}

static void patterns_are_read_as_java_reads_them(void **state)
{
    expect(*state, MASK("(?<name>\\d+)", "#"), "a1", "a#");
    expect(*state, MASK("(\\u0041+)", "#"), "xAAx", "x#x");
    expect(*state, MASK("(\\Q[[\\E)", "#"), "a[[b", "a#b");
    expect(*state, MASK("([\\[\\]&])", "#"), "a[b", "a#b");
    expect(*state, MASK("(?i)(SECRET)", "#"), "Secret", "#");
}

static void what_would_be_read_otherwise_is_refused(void **state)
{
    static const char *const patterns[] = {"(a)(?=b)",
                                           "(a)(?!b)",
                                           "(?<=a)(b)",
                                           "(?<!a)(b)",
                                           "(a)\\1",
                                           "(?<x>a)\\k<x>",
                                           "(a)++",
                                           "(?>a)(b)",
                                           "([a-z&&b])",
                                           "([a-z&&[^b]])",
                                           "([a[bc]])",
                                           "([]a])",
                                           "([^]a])",
                                           "(?U)(a)",
                                           "(?iU:(a))",
                                           "(\\v)",
                                           "(a)\\C",
                                           "(\\h)",
                                           "(a)\\Z",
                                           "(a",
                                           "a)",
                                           "*(a)",
                                           "(a){2000}",
                                           "([[:alpha:]])",
                                           "(\\p{javaLowerCase})",
                                           "(a)\\"};
    struct rules *r;

    for (size_t i = 0; i < COUNTOF(patterns); i++) {
        struct rule_spec specs[2] = {MASK("(a)", "#"),
                                     {.kind = RULE_MASK, .pattern = str_of(patterns[i])}};
        struct fail f = {0};

        if (rules_compile(*state, specs, 2, RULE_MD5, &r, &f) == 0)
            fail_msg("%s was taken", patterns[i]);
        assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
        assert_string_equal(f.reason, "bad_pattern");
        assert_string_equal(f.field, "filters[1].regexp");
    }
}

static void hiding_needs_a_group_and_not_too_many(void **state)
{
    struct rule_spec spec = MASK("secret", "#");
    char many[33 * 3 + 1] = "";
    struct rules *r;
    struct fail f = {0};

    assert_int_equal(rules_compile(*state, &spec, 1, RULE_MD5, &r, &f), -1);
    assert_string_equal(f.reason, "bad_pattern");
    for (size_t i = 0; i < 33; i++)
        memcpy(many + i * 3, "(a)", 4);
    spec.pattern = str_of(many);
    assert_int_equal(rules_compile(*state, &spec, 1, RULE_MD5, &r, &f), -1);
    spec.kind = RULE_EXCLUDE;
    assert_int_equal(rules_compile(*state, &spec, 1, RULE_MD5, &r, &f), 0);
}

static void forward_does_nothing_here(void **state)
{
    const struct rule_spec spec = RULE(RULE_FORWARD, "x");

    assert_true(rules_are_idle(compile(*state, NULL, 0)));
    assert_true(rules_are_idle(compile(*state, &spec, 1)));
    expect(*state, spec, "abc", "abc");
}

/* A rule that finds nothing to hide leaves the text to the next one. */
static void rules_work_on_what_the_one_before_has_left(void **state)
{
    const struct rule_spec specs[] = {MASK("(a)", "bb"), MASK("()", "#"),      MASK("(x*)c", "#"),
                                      MASK("(b)", "c"),  MASK("none(x)", "#"), MASK("(c)", "")};
    struct rules *r = compile(*state, specs, COUNTOF(specs));

    assert_true(str_eq(apply(*state, r, STR("1a2\xff")), STR("12\xef\xbf\xbd")));
    assert_true(str_eq(apply(*state, r, STR("a")), STR("")));
}

/* Room is used again: what was done to one message does not show in the next. */
static void messages_do_not_see_each_other(void **state)
{
    const struct rule_spec specs[] = {MASK("(a+)", "xyz"), MASK("(z)", "!")};
    struct rules *r = compile(*state, specs, COUNTOF(specs));
    struct rules_work w;
    struct str out;

    rules_work_init(&w, TEXT_MAX, INT64_MAX / 2);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(rules_apply(r, &w, STR("aa-aa-aa"), &out), RULES_PASSED);
        assert_true(str_eq(out, STR("xy!-xy!-xy!")));
        assert_int_equal(rules_apply(r, &w, STR("b"), &out), RULES_PASSED);
        assert_true(str_eq(out, STR("b")));
    }
    rules_work_done(&w);
}

/* However much there is to hide: all of it or nothing passes. */
static void a_message_is_never_cut(void **state)
{
    const struct rule_spec spec = RULE(RULE_HASH, "(\\d)");
    struct rules *r = compile(*state, &spec, 1);
    size_t len = 20000;
    char *digits = arena_alloc(*state, len);
    struct str out;

    memset(digits, '7', len);
    out = apply(*state, r, str_make(digits, len));
    assert_int_equal(out.len, len * 32);
    for (size_t i = 0; i + 32 <= out.len; i += 32)
        assert_memory_equal(out.p + i, "8f14e45fceea167a5a36dedd4bea2543", 32);
    len = TEXT_MAX / 32 + 1;
    digits = arena_alloc(*state, len);
    memset(digits, '7', len);
    assert_true(str_eq(apply(*state, r, str_make(digits, len)), STR("+")));
    len = TEXT_MAX / 3 + 1; /* each byte that is no UTF-8 becomes three */
    memset(digits = arena_alloc(*state, len), '\xff', len);
    assert_true(str_eq(apply(*state, r, str_make(digits, len)), STR("+")));
}

static void time_is_bounded(void **state)
{
    const struct rule_spec spec = MASK("(a)(?:.*z)?", "#");
    struct rules *r = compile(*state, &spec, 1);
    size_t len = 1 << 20;
    char *text = arena_alloc(*state, len);
    struct rules_work w;
    struct str out;

    /* Each match looks at all that follows. */
    memset(text, 'a', len);
    rules_work_init(&w, TEXT_MAX, 20000);
    assert_int_equal(rules_apply(r, &w, str_make(text, len), &out), RULES_TOO_MUCH);
    assert_int_equal(rules_apply(r, &w, STR("a"), &out), RULES_TOO_MUCH);
    assert_true(w.over_time);
    rules_work_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exclude_drops_what_matches_as_a_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(include_keeps_only_what_one_of_them_matches, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(mask_replaces_each_group_of_each_match, setup, teardown),
        cmocka_unit_test_setup_teardown(groups_within_groups_are_hidden_once, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_matches_come_to_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(hash_takes_md5_or_sha256_in_hex, setup, teardown),
        cmocka_unit_test_setup_teardown(filters_see_the_text_as_it_came, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_text_is_hidden_too, setup, teardown),
        cmocka_unit_test_setup_teardown(patterns_are_read_as_java_reads_them, setup, teardown),
        cmocka_unit_test_setup_teardown(what_would_be_read_otherwise_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(hiding_needs_a_group_and_not_too_many, setup, teardown),
        cmocka_unit_test_setup_teardown(forward_does_nothing_here, setup, teardown),
        cmocka_unit_test_setup_teardown(rules_work_on_what_the_one_before_has_left, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(messages_do_not_see_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_is_never_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(time_is_bounded, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
