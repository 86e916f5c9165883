/* SPDX-License-Identifier: Apache-2.0 */
/* Matchers: the grammar case by case, refusals with their columns, bounds, what holds for which
 * attributes. */
#include "core/matcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
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

static const char *const ops[] = {
    [MATCH_EQUAL] = "=",
    [MATCH_NOT_EQUAL] = "!=",
    [MATCH_PATTERN] = "=~",
    [MATCH_NOT_PATTERN] = "!~",
};

struct good {
    struct str text;
    struct str name;
    enum matcher_op op;
    struct str value;
};

#define GOOD(text, name, op, value)                                                                \
    {                                                                                              \
        STR_INIT(text), STR_INIT(name), op, STR_INIT(value)                                        \
    }

static const struct good good[] = {
    /* operators */
    GOOD("foo=bar", "foo", MATCH_EQUAL, "bar"),
    GOOD("foo!=bar", "foo", MATCH_NOT_EQUAL, "bar"),
    GOOD("foo=~bar", "foo", MATCH_PATTERN, "bar"),
    GOOD("foo!~bar", "foo", MATCH_NOT_PATTERN, "bar"),
    GOOD("foo=~\"a|b\"", "foo", MATCH_PATTERN, "a|b"),
    GOOD("foo=~a|b", "foo", MATCH_PATTERN, "a|b"),
    GOOD("foo=~.*", "foo", MATCH_PATTERN, ".*"),
    GOOD("foo!~[a-z]+", "foo", MATCH_NOT_PATTERN, "[a-z]+"),
    /* braces and the comma */
    GOOD("{foo=bar}", "foo", MATCH_EQUAL, "bar"),
    GOOD("{foo=bar,}", "foo", MATCH_EQUAL, "bar"),
    GOOD("foo=bar,", "foo", MATCH_EQUAL, "bar"),
    GOOD(" { foo = bar , } ", "foo", MATCH_EQUAL, "bar"),
    GOOD("foo=bar , ", "foo", MATCH_EQUAL, "bar"),
    GOOD("{\"foo\"=\"bar\"}", "foo", MATCH_EQUAL, "bar"),
    GOOD("{foo=\"}\"}", "foo", MATCH_EQUAL, "}"),
    /* white space */
    GOOD("foo = bar", "foo", MATCH_EQUAL, "bar"),
    GOOD("  foo  !~  bar  ", "foo", MATCH_NOT_PATTERN, "bar"),
    GOOD("\tfoo\n=\r\nbar\v\f", "foo", MATCH_EQUAL, "bar"),
    GOOD("foo\xc2\xa0=\xe2\x80\x83"
         "bar\xe3\x80\x80",
         "foo", MATCH_EQUAL, "bar"),
    GOOD("foo\xe2\x80\xa8=\xc2\x85"
         "bar",
         "foo", MATCH_EQUAL, "bar"),
    GOOD("foo=\" bar \"", "foo", MATCH_EQUAL, " bar "),
    GOOD("\" foo \"=bar", " foo ", MATCH_EQUAL, "bar"),
    /* names without quotes */
    GOOD("collector.os=linux", "collector.os", MATCH_EQUAL, "linux"),
    GOOD("collector.ID=~\"alloy-.+\"", "collector.ID", MATCH_PATTERN, "alloy-.+"),
    GOOD("0=1", "0", MATCH_EQUAL, "1"),
    GOOD("a-b/c:d@e#f=g$h%i", "a-b/c:d@e#f", MATCH_EQUAL, "g$h%i"),
    GOOD("a.b[0](x)=<y>;z?", "a.b[0](x)", MATCH_EQUAL, "<y>;z?"),
    GOOD("^a|b&c*+=_", "^a|b&c*+", MATCH_EQUAL, "_"),
    GOOD("\xf0\x9f\x99\x82=\xf0\x9f\x98\x80", "\xf0\x9f\x99\x82", MATCH_EQUAL, "\xf0\x9f\x98\x80"),
    GOOD("\xce\xa3=\xe4\xb8\xad\xe6\x96\x87", "\xce\xa3", MATCH_EQUAL, "\xe4\xb8\xad\xe6\x96\x87"),
    GOOD("a\xe2\x80\x8b=b", "a\xe2\x80\x8b", MATCH_EQUAL, "b"), /* zero width is no white space */
    GOOD("\xef\xbf\xbd=x", "\xef\xbf\xbd", MATCH_EQUAL, "x"),
    GOOD("foo=\x01", "foo", MATCH_EQUAL, "\x01"),
    /* quotes */
    GOOD("\"foo\"=\"bar\"", "foo", MATCH_EQUAL, "bar"),
    GOOD("foo=\"\"", "foo", MATCH_EQUAL, ""),
    GOOD("foo!=\"\"", "foo", MATCH_NOT_EQUAL, ""),
    GOOD("foo=~\"\"", "foo", MATCH_PATTERN, ""),
    GOOD("\"foo bar\"=\"a=b,c\"", "foo bar", MATCH_EQUAL, "a=b,c"),
    GOOD("foo=\"it's `so`\"", "foo", MATCH_EQUAL, "it's `so`"),
    GOOD("\"=\"=\"!~\"", "=", MATCH_EQUAL, "!~"),
    GOOD("foo=\"a\tb\"", "foo", MATCH_EQUAL, "a\tb"),
    /* escape sequences */
    GOOD("foo=\"\\\"bar\\\"\"", "foo", MATCH_EQUAL, "\"bar\""),
    GOOD("foo=\"a\\\\b\"", "foo", MATCH_EQUAL, "a\\b"),
    GOOD("foo=\"\\a\\b\\f\\n\\r\\t\\v\"", "foo", MATCH_EQUAL, "\a\b\f\n\r\t\v"),
    GOOD("foo=\"\\x41\\x2a\\x2A\"", "foo", MATCH_EQUAL, "A**"),
    GOOD("foo=\"\\101\\000\\177\"", "foo", MATCH_EQUAL, "A\0\177"),
    GOOD("foo=\"\\u00e4\\u4E2D\"", "foo", MATCH_EQUAL, "\xc3\xa4\xe4\xb8\xad"),
    GOOD("foo=\"\\U0001F642!\"", "foo", MATCH_EQUAL, "\xf0\x9f\x99\x82!"),
    GOOD("foo=\"\\xf0\\x9f\\x99\\x82\"", "foo", MATCH_EQUAL, "\xf0\x9f\x99\x82"),
    GOOD("foo=\"\\303\\244\"", "foo", MATCH_EQUAL, "\xc3\xa4"),
    GOOD("\"\\u0066oo\\x2e\"=x", "foo.", MATCH_EQUAL, "x"),
    GOOD("foo=~\"\\\\d+\"", "foo", MATCH_PATTERN, "\\d+"),
    GOOD("foo=~\"\\\\\\\\\"", "foo", MATCH_PATTERN, "\\\\"),
    GOOD("foo=\"pre\\u0020post\"", "foo", MATCH_EQUAL, "pre post"),
};

static void what_the_grammar_allows_is_read(void **state)
{
    for (size_t i = 0; i < COUNTOF(good); i++) {
        const struct good *g = &good[i];
        struct matcher m = {0};
        struct fail f = {0};

        if (matcher_parse(*state, g->text, &m, &f) < 0)
            fail_msg("%.*s is refused: %s", STR_ARG(g->text), f.message);
        if (!str_eq(m.name, g->name) || m.op != g->op || !str_eq(m.value, g->value))
            fail_msg("%.*s is read as [%.*s] %s [%.*s]", STR_ARG(g->text), STR_ARG(m.name),
                     ops[m.op], STR_ARG(m.value));
        assert_true(str_eq(m.text, g->text));
        assert_true(m.text.p != g->text.p);
    }
}

struct bad {
    struct str text;
    const char *message; /* how it begins */
};

#define BAD(text, message)                                                                         \
    {                                                                                              \
        STR_INIT(text), message                                                                    \
    }

static const struct bad bad[] = {
    /* nothing */
    BAD("", "column 1: expected a name, found the end"),
    BAD("   ", "column 4: expected a name, found the end"),
    BAD("{}", "column 2: expected a name, found }"),
    BAD("{", "column 2: expected a name, found the end"),
    BAD("}", "column 1: expected a name, found }"),
    BAD("{,}", "column 2: expected a name, found ,"),
    BAD(",", "column 1: expected a name, found ,"),
    /* names */
    BAD("=bar", "column 1: expected a name, found ="),
    BAD("!=bar", "column 1: expected a name, found !"),
    BAD("~bar", "column 1: expected a name, found ~"),
    BAD("\"\"=bar", "column 1: the name is empty"),
    BAD("{ \"\"=bar}", "column 3: the name is empty"),
    BAD("'foo'=bar", "column 1: expected a name, found '"),
    BAD("`foo`=bar", "column 1: expected a name, found `"),
    BAD("\\foo=bar", "column 1: expected a name, found \\"),
    BAD("{{foo=bar}}", "column 2: expected a name, found {"),
    /* operators */
    BAD("foo", "column 4: expected one of = != =~ !~ after the name, found the end"),
    BAD("\"foo\"", "column 6: expected one of = != =~ !~ after the name, found the end"),
    BAD("{foo}", "column 5: expected one of = != =~ !~ after the name, found }"),
    BAD("foo~=x", "column 4: expected one of = != =~ !~ after the name, found ~"),
    BAD("collector.os~=x", "column 13: expected one of = != =~ !~ after the name, found ~"),
    BAD("foo bar", "column 5: expected one of = != =~ !~ after the name, found b"),
    BAD("fo\"o\"=x", "column 3: expected one of = != =~ !~ after the name, found \""),
    BAD("\"fo\"o=x", "column 5: expected one of = != =~ !~ after the name, found o"),
    BAD("foo\\=bar", "column 4: expected one of = != =~ !~ after the name, found \\"),
    BAD("foo!bar", "column 5: expected = or ~ after !, found b"),
    BAD("foo!", "column 5: expected = or ~ after !, found the end"),
    BAD("foo! =bar", "column 5: expected = or ~ after !, found white space"),
    BAD("foo!!=bar", "column 5: expected = or ~ after !, found !"),
    BAD("foo\x01!\x01", "column 6: expected = or ~ after !, found U+0001"),
    /* values */
    BAD("foo=", "column 5: expected a value"),
    BAD("foo= ", "column 6: expected a value"),
    BAD("{foo=}", "column 6: expected a value (\"\" for an empty one), found }"),
    BAD("foo=,", "column 5: expected a value (\"\" for an empty one), found ,"),
    BAD("foo==bar", "column 5: expected a value (\"\" for an empty one), found ="),
    BAD("foo= ~bar", "column 6: expected a value (\"\" for an empty one), found ~"),
    BAD("foo=~=bar", "column 6: expected a value (\"\" for an empty one), found ="),
    BAD("foo=~~bar", "column 6: expected a value (\"\" for an empty one), found ~"),
    BAD("foo=!bar", "column 5: expected a value (\"\" for an empty one), found !"),
    BAD("foo='bar'", "column 5: expected a value (\"\" for an empty one), found '"),
    BAD("foo=`bar`", "column 5: expected a value (\"\" for an empty one), found `"),
    BAD("foo={bar}", "column 5: expected a value (\"\" for an empty one), found {"),
    BAD("foo=\\d", "column 5: expected a value (\"\" for an empty one), found \\"),
    BAD("foo={}", "column 5: expected a value (\"\" for an empty one), found {"),
    /* the end */
    BAD("a=b=c", "column 4: expected the end of the matcher, found ="),
    BAD("a=b!=c", "column 4: expected the end of the matcher, found !"),
    BAD("a=b c", "column 5: expected the end of the matcher, found c"),
    BAD("a=b\"c\"", "column 4: expected the end of the matcher, found \""),
    BAD("a=\"b\"c", "column 6: expected the end of the matcher, found c"),
    BAD("a=\"b\"\"c\"", "column 6: expected the end of the matcher, found \""),
    BAD("a=b,,", "column 5: expected the end of the matcher, found ,"),
    BAD("a=b{", "column 4: expected the end of the matcher, found {"),
    BAD("a=b'", "column 4: expected the end of the matcher, found '"),
    BAD("a=b}", "column 4: there is no { to this }"),
    BAD("a=b,}", "column 5: there is no { to this }"),
    BAD("{a=b", "column 5: expected a comma or }, found the end"),
    BAD("{a=b,", "column 6: expected }, found the end"),
    BAD("{a=b,,}", "column 6: expected }, found ,"),
    BAD("{a=b c}", "column 6: expected a comma or }, found c"),
    BAD("{a=b}}", "column 6: expected the end after }, found }"),
    BAD("{a=b},", "column 6: expected the end after }, found ,"),
    BAD("{a=b} x", "column 7: expected the end after }, found x"),
    /* several */
    BAD("a=b,c=d", "column 5: there is a second matcher"),
    BAD("{a=b, c=d}", "column 7: there is a second matcher"),
    BAD("{a=b,\"c\"=d}", "column 6: there is a second matcher"),
    /* quotes and escape sequences */
    BAD("foo=\"", "column 5: the quoted text has no end"),
    BAD("foo=\"bar", "column 5: the quoted text has no end"),
    BAD("foo=\"bar\\\"", "column 5: the quoted text has no end"),
    BAD("\"foo=bar", "column 1: the quoted text has no end"),
    BAD("foo=\"a\nb\"", "column 7: a line break in quoted text is written \\n"),
    BAD("foo=\"\\d+\"", "column 6: unknown escape sequence"),
    BAD("foo=\"\\", "column 6: unknown escape sequence"),
    BAD("foo=\"\\'\"", "column 6: unknown escape sequence"),
    BAD("foo=\"\\/\"", "column 6: unknown escape sequence"),
    BAD("foo=\"\\\0\"", "column 6: unknown escape sequence"),
    BAD("foo=\"\\\xc3\xa4\"", "column 6: unknown escape sequence"),
    BAD("foo=\"\\x4\"", "column 8: expected 2 hexadecimal digits"),
    BAD("foo=\"\\xg0\"", "column 8: expected 2 hexadecimal digits"),
    BAD("foo=\"\\u12\"", "column 8: expected 4 hexadecimal digits"),
    BAD("foo=\"\\U0001F64", "column 8: expected 8 hexadecimal digits"),
    BAD("foo=\"\\12\"", "column 9: expected 3 octal digits"),
    BAD("foo=\"\\18\"", "column 8: expected 3 octal digits"),
    BAD("foo=\"\\8\"", "column 6: unknown escape sequence"),
    BAD("foo=\"\\400\"", "column 6: the octal escape sequence is above \\377"),
    BAD("foo=\"\\ud800\"", "column 6: the escape sequence stands for no Unicode character"),
    BAD("foo=\"\\uDFFF\"", "column 6: the escape sequence stands for no Unicode character"),
    BAD("foo=\"\\U00110000\"", "column 6: the escape sequence stands for no Unicode character"),
    BAD("foo=\"\\UFFFFFFFF\"", "column 6: the escape sequence stands for no Unicode character"),
    BAD("foo=\"\\xff\"", "column 5: the escape sequences of the quoted text make invalid UTF-8"),
    BAD("foo=\"\\303\"", "column 5: the escape sequences of the quoted text make invalid UTF-8"),
    BAD("\"\\xed\\xa0\\x80\"=x",
        "column 1: the escape sequences of the quoted text make invalid UTF-8"),
    BAD("foo=\"\\xc3\xc3\xa4\"", "column 5: the escape sequences"),
    /* bytes that are no text; columns count characters */
    BAD("foo=\xff", "column 5: invalid UTF-8"),
    BAD("\xf0\x9f\x99\x82=\"\xf0\x9f\x99\"", "column 4: invalid UTF-8"),
    BAD("\xc0\xaf=x", "column 1: invalid UTF-8"),
    BAD("\xf0\x9f\x99\x82\xc3\xa4 = b = c", "column 8: expected the end of the matcher, found ="),
    BAD("a=b\xf0\x9f\x99\x82 \xf0\x9f\x99\x82",
        "column 6: expected the end of the matcher, found "
        "\xf0\x9f\x99\x82"),
    /* patterns */
    BAD("foo=~\"(\"", "column 6: invalid pattern: missing ): ("),
    BAD("foo!~ [", "column 7: invalid pattern: missing ]: ["),
    BAD("foo=~*", "column 6: invalid pattern: no argument for repetition operator: *"),
    BAD("foo=~\"(?=a)\"", "column 6: invalid pattern: invalid perl operator: (?="),
    BAD("foo=~a)|(b", "column 6: invalid pattern: unexpected )"),
    BAD("foo=~\"(\\\\pL{100}){9}\"", "column 6: invalid pattern: "),
};

static void what_it_does_not_is_refused_with_the_column(void **state)
{
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        struct matcher m = {.name = STR("untouched")};
        struct fail f = {0};

        if (matcher_parse(*state, bad[i].text, &m, &f) == 0)
            fail_msg("%.*s is accepted", STR_ARG(bad[i].text));
        assert_true(str_eq(m.name, STR("untouched")));
        assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
        assert_string_equal(f.reason, "bad_matcher");
        if (strncmp(f.message, bad[i].message, strlen(bad[i].message)) != 0)
            fail_msg("%.*s: %s", STR_ARG(bad[i].text), f.message);
    }
}

/* a="xxx...": `count` characters, each written as `one`. */
static struct str long_text(struct arena *a, struct str one, size_t count)
{
    struct buf b;

    buf_init_arena(&b, a, 1 << 20);
    buf_put_str(&b, STR("a="));
    for (size_t i = 2; i < count; i++)
        buf_put_str(&b, one);
    return buf_str(&b);
}

static void the_limit_counts_characters(void **state)
{
    static const struct str one[] = {STR_INIT("x"), STR_INIT("\xc3\xa4"),
                                     STR_INIT("\xf0\x9f\x99\x82")};
    struct matcher m = {0};
    struct fail f = {0};

    for (size_t i = 0; i < COUNTOF(one); i++) {
        assert_int_equal(matcher_parse(*state, long_text(*state, one[i], 200), &m, &f), 0);
        assert_int_equal(matcher_parse(*state, long_text(*state, one[i], 201), &m, &f), -1);
        assert_string_equal(f.reason, "too_large");
        assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
        assert_int_equal(matcher_parse(*state, long_text(*state, one[i], 100000), &m, &f), -1);
        assert_string_equal(f.reason, "too_large");
    }
}

static struct matcher parse(void **state, const char *text)
{
    struct matcher m = {0};
    struct fail f = {0};

    if (matcher_parse(*state, str_of(text), &m, &f) < 0)
        fail_msg("%s is refused: %s", text, f.message);
    return m;
}

static void a_value_is_compared_as_the_operator_says(void **state)
{
    static const struct {
        const char *matcher;
        const char *value;
        bool holds;
    } all[] = {
        {"a=x", "x", true},
        {"a=x", "xx", false},
        {"a=x", "", false},
        {"a=\"\"", "", true},
        {"a=\"\"", "x", false},
        {"a!=x", "x", false},
        {"a!=x", "y", true},
        {"a!=x", "", true},
        {"a!=\"\"", "", false},
        {"a!=\"\"", "x", true},
        {"a=~x", "x", true},
        {"a=~x", "xx", false},
        {"a=~\".*\"", "", true},
        {"a=~\".+\"", "", false},
        {"a=~\".+\"", "x", true},
        {"a=~\"x|\"", "", true},
        {"a=~\"x|y\"", "y", true},
        {"a=~\"x|y\"", "xy", false},
        {"a!~x", "x", false},
        {"a!~x", "", true},
        {"a!~\".+\"", "", true},
        {"a!~\".*\"", "", false},
        {"a!~\"x.*\"", "xyz", false},
        {"a!~\"x.*\"", "yxz", true},
        {"a=~\"\\\\d+\"", "123", true},
        {"a=~\"\\\\d+\"", "12x", false},
        {"a=~\"x.y\"", "x\ny", false},
        {"a=~\"x.y\"", "x\xf0\x9f\x99\x82y", true},
        {"a=\"x\\ny\"", "x\ny", true},
        {"a=X", "x", false},
    };

    for (size_t i = 0; i < COUNTOF(all); i++) {
        struct matcher m = parse(state, all[i].matcher);

        if (matcher_holds(&m, str_of(all[i].value)) != all[i].holds)
            fail_msg("%s and %s", all[i].matcher, all[i].value);
    }
}

static const struct label attributes[] = {
    {STR_INIT("_"), STR_INIT("under")},
    {STR_INIT("collector.ID"), STR_INIT("alloy-1")},
    {STR_INIT("collector.os"), STR_INIT("linux")},
    {STR_INIT("empty"), STR_INIT("")},
    {STR_INIT("env"), STR_INIT("prod")},
    {STR_INIT("zone"), STR_INIT("eu-1")},
    {STR_INIT("zone.id"), STR_INIT("7")},
};

/* Which of the two, -1 when none does. */
static ptrdiff_t refusing(void **state, const char *first, const char *second)
{
    struct str texts[] = {str_of(first), str_of(second)};
    const struct matcher *found;
    struct matcher *m = NULL;
    struct fail f = {0};

    assert_int_equal(matchers_parse(*state, texts, 2, &m, &f), 0);
    found = matchers_refusing(m, 2, attributes, COUNTOF(attributes));
    return found ? found - m : -1;
}

static void each_attribute_is_found_by_its_name(void **state)
{
    for (size_t i = 0; i < COUNTOF(attributes); i++) {
        struct matcher m = {
            .op = MATCH_EQUAL, .name = attributes[i].key, .value = attributes[i].value};

        assert_null(matchers_refusing(&m, 1, attributes, COUNTOF(attributes)));
        m.value = STR("other");
        assert_ptr_equal(matchers_refusing(&m, 1, attributes, COUNTOF(attributes)), &m);
    }
    (void)state;
}

static void the_first_matcher_that_does_not_hold_is_named(void **state)
{
    assert_int_equal(refusing(state, "env=prod", "collector.os=~\"linux|windows\""), -1);
    assert_int_equal(refusing(state, "env=test", "zone=us"), 0);
    assert_int_equal(refusing(state, "zone=~\"eu-.*\"", "env!=prod"), 1);
}

static void a_missing_attribute_is_an_empty_value(void **state)
{
    struct matcher absent = parse(state, "a=\"\"");

    assert_int_equal(refusing(state, "missing=\"\"", "empty=\"\""), -1);
    assert_int_equal(refusing(state, "missing!=x", "missing=~\".*\""), -1);
    assert_int_equal(refusing(state, "missing!~x", "zzz!~\".+\""), -1);
    assert_int_equal(refusing(state, "env=prod", "missing=~\".+\""), 1);
    assert_int_equal(refusing(state, "0=x", "env=prod"), 0);
    assert_null(matchers_refusing(&absent, 1, NULL, 0));
}

static void no_matchers_refuse_nobody(void **state)
{
    struct matcher *m = NULL;
    struct fail f = {0};

    assert_int_equal(matchers_parse(*state, NULL, 0, &m, &f), 0);
    assert_null(matchers_refusing(m, 0, attributes, COUNTOF(attributes)));
}

static void a_bad_matcher_in_a_list_is_named_by_its_index(void **state)
{
    struct str texts[] = {STR("a=b"), STR("c=d"), STR("e=~("), STR("")};
    struct matcher *m = NULL;
    struct fail f = {0};

    assert_int_equal(matchers_parse(*state, texts, COUNTOF(texts), &m, &f), -1);
    assert_string_equal(f.field, "matchers[2]");
    assert_string_equal(f.reason, "bad_matcher");
    assert_null(m);
}

static void a_list_too_long_is_refused(void **state)
{
    struct str texts[MATCHERS_MAX + 1];
    struct matcher *m = NULL;
    struct fail f = {0};

    for (size_t i = 0; i < COUNTOF(texts); i++)
        texts[i] = STR("a=b");
    assert_int_equal(matchers_parse(*state, texts, MATCHERS_MAX, &m, &f), 0);
    assert_int_equal(matchers_parse(*state, texts, MATCHERS_MAX + 1, &m, &f), -1);
    assert_string_equal(f.reason, "too_many_matchers");
    assert_string_equal(f.field, "matchers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_the_grammar_allows_is_read, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(what_it_does_not_is_refused_with_the_column, make_arena,
                                        drop_arena),
        cmocka_unit_test_setup_teardown(the_limit_counts_characters, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_value_is_compared_as_the_operator_says, make_arena,
                                        drop_arena),
        cmocka_unit_test_setup_teardown(each_attribute_is_found_by_its_name, make_arena,
                                        drop_arena),
        cmocka_unit_test_setup_teardown(the_first_matcher_that_does_not_hold_is_named, make_arena,
                                        drop_arena),
        cmocka_unit_test_setup_teardown(a_missing_attribute_is_an_empty_value, make_arena,
                                        drop_arena),
        cmocka_unit_test_setup_teardown(no_matchers_refuse_nobody, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(a_bad_matcher_in_a_list_is_named_by_its_index, make_arena,
                                        drop_arena),
        cmocka_unit_test_setup_teardown(a_list_too_long_is_refused, make_arena, drop_arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
