/* SPDX-License-Identifier: Apache-2.0 */
#include "api/sumologic/source_rules.h"

#include "codec/json_fixture.h"

static void groups_are_counted_as_java_counts_them(void **state)
{
    static const struct {
        const char *pattern;
        size_t groups, unnamed;
    } rows[] = {
        {"", 0, 0},
        {"a(b)c", 1, 1},
        {"(a)(b(c))", 3, 3},
        {"(?:a)(?i)b(?=c)(?!d)(?<=e)(?<!f)(?>g)", 0, 0},
        {"(?<name>a)(b)", 2, 1},
        {"\\(a\\)", 0, 0},
        {"[()](a)", 1, 1},
        {"[](](a)", 1, 1},
        {"[^](](a)", 1, 1},
        {"[a[b]()](c)", 1, 1},
        {"[[](a)", 1, 1},
        {"[\\]()](a)", 1, 1},
        {"\\Q((\\E(a)", 1, 1},
        {"\\Q((", 0, 0},
        {"[\\Q])\\E](a)", 1, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct pattern_shape shape = {0};

        if (!pattern_shape(str_of(rows[i].pattern), &shape))
            fail_msg("refused: %s", rows[i].pattern);
        assert_int_equal(shape.groups, rows[i].groups);
        assert_int_equal(shape.unnamed, rows[i].unnamed);
    }
}

static void brackets_that_do_not_match_are_refused(void **state)
{
    static const char *const patterns[] = {"(",      ")",  "a)(b", "((a)", "[a",
                                           "(a]|[)", "\\", "a\\",  "[a\\", "(\\)"};

    (void)state;
    for (size_t i = 0; i < COUNTOF(patterns); i++) {
        struct pattern_shape shape = {0};

        if (pattern_shape(str_of(patterns[i]), &shape))
            fail_msg("taken: %s", patterns[i]);
    }
}

static void a_locator_has_one_group_without_a_name(void **state)
{
    static const struct {
        const char *pattern;
        bool good;
    } rows[] = {{"t=(.*)", true},  {"(?:t)=(.*)", true}, {"", false},  {"t=.*", false},
                {"(a)(b)", false}, {"(?<t>.*)", false},  {"(", false}, {"(?<t>a)(b)", false}};

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct fail f = {0};
        int rc = source_check_locator(*state, json_new_str(*state, str_of(rows[i].pattern)), &f);

        assert_int_equal(rc, rows[i].good ? 0 : -1);
    }
}

static void an_empty_locator_is_refused_in_the_documented_words(void **state)
{
    struct fail f = {0};

    assert_int_equal(source_check_locator(*state, json_new_str(*state, STR("")), &f), -1);
    assert_string_equal(f.reason, "fields_invalid");
    assert_string_equal(f.message,
                        "Timestamp locator regex does not contain a single unnamed capture group: "
                        "''.");
}

/* As members of a source, then what belongs to the kind. */
static int take(struct arena *a, const char *rules, bool compiles, struct json_value **out,
                struct fail *f)
{
    static const struct member items[] = {
        {.name = "filters", .type = MEMBER_OBJECTS, .sub = &source_rule_table}};
    static const struct member_table table = {.name = "source", .items = items, .count = 1};
    struct json_value *request =
        json_fixture_parse(a, arena_printf(a, "{\"filters\":[%s]}", rules));
    struct json_value *taken = NULL;

    *f = (struct fail){0};
    if (members_take(a, &table, request, NULL, &taken, f) < 0)
        return -1;
    *out = json_find(taken, STR("filters"));
    return source_rules_check(a, *out, compiles, f);
}

static void each_kind_of_rule_needs_what_it_uses(void **state)
{
    static const struct {
        const char *rule;
        const char *missing; /* NULL: it is taken */
    } rows[] = {
        {"{\"name\":\"n\",\"filterType\":\"Exclude\",\"regexp\":\"a\"}", NULL},
        {"{\"name\":\"n\",\"filterType\":\"Include\",\"regexp\":\"a\"}", NULL},
        {"{\"name\":\"n\",\"filterType\":\"Hash\",\"regexp\":\"(a)\"}", NULL},
        {"{\"name\":\"n\",\"filterType\":\"Mask\",\"regexp\":\"(a)\",\"mask\":\"x\"}", NULL},
        {"{\"name\":\"n\",\"filterType\":\"Mask\",\"regexp\":\"(a)\",\"mask\":\"\"}", NULL},
        {"{\"name\":\"n\",\"filterType\":\"Forward\",\"regexp\":\"a\",\"sinkId\":5}", NULL},
        {"{\"name\":\"n\",\"filterType\":\"Mask\",\"regexp\":\"(a)\"}", "mask"},
        {"{\"name\":\"n\",\"filterType\":\"Forward\",\"regexp\":\"a\"}", "sinkId"},
        {"{\"filterType\":\"Exclude\",\"regexp\":\"a\"}", "name"},
        {"{\"name\":\"n\",\"regexp\":\"a\"}", "filterType"},
        {"{\"name\":\"n\",\"filterType\":\"Exclude\"}", "regexp"},
        {"{\"name\":\"n\",\"filterType\":\"Exclude\",\"regexp\":\"\"}", "regexp"},
    };

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct json_value *rules = NULL;
        struct fail f;
        int rc = take(*state, rows[i].rule, true, &rules, &f);

        assert_int_equal(rc, rows[i].missing ? -1 : 0);
        if (!rows[i].missing)
            continue;
        assert_string_equal(f.reason, "fields_missing");
        assert_non_null(strstr(f.message, rows[i].missing));
        assert_true(str_starts_with(str_of(f.field), STR("filters[0].")));
    }
}

/* 33 characters. */
#define LONG_NAME                                                                                  \
    "{\"name\":\"123456789012345678901234567890123\",\"filterType\":\"Exclude\","                  \
    "\"regexp\":\"a\"}"

static void bad_rules_are_refused(void **state)
{
    static const char *const rules[] = {
        "{\"name\":\"n\",\"filterType\":\"exclude\",\"regexp\":\"a\"}",
        "{\"name\":\"n\",\"filterType\":\"Drop\",\"regexp\":\"a\"}",
        "{\"name\":\"n\",\"filterType\":\"Exclude\",\"regexp\":\"(a\"}",
        "{\"name\":\"n\",\"filterType\":\"Hash\",\"regexp\":\"a\"}",
        "{\"name\":\"n\",\"filterType\":\"Mask\",\"regexp\":\"(?:a)\",\"mask\":\"x\"}",
        "{\"name\":\"n\",\"filterType\":\"Forward\",\"regexp\":\"a\",\"sinkId\":\"5\"}",
        LONG_NAME,
    };

    for (size_t i = 0; i < COUNTOF(rules); i++) {
        struct json_value *out = NULL;
        struct fail f;

        if (take(*state, rules[i], false, &out, &f) == 0)
            fail_msg("taken: %s", rules[i]);
        assert_string_equal(f.reason, "fields_invalid");
    }
}

static void patterns_of_java_alone_are_refused_only_where_we_apply_them(void **state)
{
    const char *rule = "{\"name\":\"n\",\"filterType\":\"Exclude\",\"regexp\":\"a(?=b)\"}";
    struct json_value *out = NULL;
    struct fail f;

    assert_int_equal(take(*state, rule, false, &out, &f), 0);
    assert_int_equal(take(*state, rule, true, &out, &f), -1);
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    assert_string_equal(f.reason, "fields_invalid");
    assert_string_equal(f.field, "filters[0].regexp");
}

static void an_empty_mask_is_left_out_where_none_belongs(void **state)
{
    struct json_value *out = NULL;
    struct fail f;

    assert_int_equal(
        take(*state, "{\"name\":\"n\",\"filterType\":\"Exclude\",\"regexp\":\"a\",\"mask\":\"\"}",
             true, &out, &f),
        0);
    assert_null(json_find(out->first, STR("mask")));
    assert_int_equal(
        take(*state, "{\"name\":\"n\",\"filterType\":\"Mask\",\"regexp\":\"(a)\",\"mask\":\"\"}",
             true, &out, &f),
        0);
    assert_non_null(json_find(out->first, STR("mask")));
}

static void rules_reach_the_receiver_in_their_order(void **state)
{
    struct json_value *out = NULL;
    struct rule_spec *specs;
    struct fail f;
    size_t n = 0;

    assert_int_equal(
        take(*state,
             "{\"name\":\"one\",\"filterType\":\"Mask\",\"regexp\":\"(a)\",\"mask\":\"x\"},"
             "{\"name\":\"two\",\"filterType\":\"Include\",\"regexp\":\"b\"}",
             true, &out, &f),
        0);
    specs = source_rules_of(*state, out, &n);
    assert_int_equal(n, 2);
    assert_int_equal(specs[0].kind, RULE_MASK);
    assert_true(str_eq(specs[0].pattern, STR("(a)")));
    assert_true(str_eq(specs[0].mask, STR("x")));
    assert_int_equal(specs[1].kind, RULE_INCLUDE);
    assert_true(str_eq(specs[1].name, STR("two")));
    source_rules_of(*state, NULL, &n);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_counted_as_java_counts_them),
        cmocka_unit_test(brackets_that_do_not_match_are_refused),
        cmocka_unit_test(a_locator_has_one_group_without_a_name),
        cmocka_unit_test(an_empty_locator_is_refused_in_the_documented_words),
        cmocka_unit_test(each_kind_of_rule_needs_what_it_uses),
        cmocka_unit_test(bad_rules_are_refused),
        cmocka_unit_test(patterns_of_java_alone_are_refused_only_where_we_apply_them),
        cmocka_unit_test(an_empty_mask_is_left_out_where_none_belongs),
        cmocka_unit_test(rules_reach_the_receiver_in_their_order),
    };

    return cmocka_run_group_tests(tests, arena_fixture_setup, arena_fixture_teardown);
}
