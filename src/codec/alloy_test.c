/* SPDX-License-Identifier: Apache-2.0 */
/* The Alloy configuration language: what is taken and what tree it makes, what is refused with
 * which words, identifiers, quoting. */
#include "codec/alloy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static int make_arena(void **state)
{
    *state = arena_new(1 << 16);
    return 0;
}

static int drop_arena(void **state)
{
    struct arena *a = *state;

    arena_free(&a);
    return 0;
}

static struct alloy_body *parse(struct arena *a, struct str text)
{
    struct alloy_body *body = NULL;
    struct fail f = {0};

    if (alloy_parse(a, text, &body, &f) < 0)
        fail_msg("%s\nin: %.*s", f.message, STR_ARG(str_first(text, 400)));
    return body;
}

static void assert_refused(struct arena *a, struct str text, const char *message)
{
    struct alloy_body *body = NULL;
    struct fail f = {0};

    if (alloy_parse(a, text, &body, &f) == 0)
        fail_msg("was accepted: %.*s", STR_ARG(text));
    assert_null(body);
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    assert_string_equal(f.reason, "bad_alloy");
    assert_string_equal(f.message, message);
}

/* --- trees as text --- */

static void show(struct buf *b, const struct alloy_expr *e);

static void show_items(struct buf *b, const struct alloy_expr *e)
{
    for (size_t i = 0; i < e->count; i++) {
        buf_put_byte(b, ' ');
        if (e->kind == ALLOY_OBJECT) {
            alloy_quote(b, e->keys[i]);
            buf_put_byte(b, ':');
        }
        show(b, e->items[i]);
    }
    buf_put_byte(b, ')');
}

static void show_pair(struct buf *b, const char *name, const struct alloy_expr *e)
{
    buf_printf(b, "(%s", name);
    if (e->kind == ALLOY_BINARY || e->kind == ALLOY_UNARY || e->kind == ALLOY_ACCESS)
        buf_put_str(b, e->text);
    buf_put_byte(b, ' ');
    show(b, e->left);
    if (e->right) {
        buf_put_byte(b, ' ');
        show(b, e->right);
    }
    buf_put_byte(b, ')');
}

static void show(struct buf *b, const struct alloy_expr *e)
{
    switch (e->kind) {
    case ALLOY_NULL:
    case ALLOY_BOOL:
    case ALLOY_NUMBER:
    case ALLOY_IDENT: buf_put_str(b, e->text); break;
    case ALLOY_STRING: alloy_quote(b, e->text); break;
    case ALLOY_ARRAY:
        buf_put_str(b, STR("(array"));
        show_items(b, e);
        break;
    case ALLOY_OBJECT:
        buf_put_str(b, STR("(object"));
        show_items(b, e);
        break;
    case ALLOY_CALL:
        buf_put_str(b, STR("(call "));
        show(b, e->left);
        show_items(b, e);
        break;
    case ALLOY_ACCESS: show_pair(b, ".", e); break;
    case ALLOY_INDEX: show_pair(b, "index", e); break;
    case ALLOY_UNARY:
    case ALLOY_BINARY: show_pair(b, "", e); break;
    case ALLOY_PAREN: show_pair(b, "paren", e); break;
    }
}

static void assert_expr(struct arena *a, const char *text, const char *expected)
{
    struct alloy_body *body = parse(a, arena_printf(a, "x = %s", text));
    struct buf b;

    buf_init_arena(&b, a, 1 << 20);
    show(&b, body->items[0]->value);
    buf_put_byte(&b, '\0');
    assert_string_equal((const char *)b.data, expected);
}

static void operators_bind_as_documented(void **state)
{
    assert_expr(*state, "1 + 2 * 3", "(+ 1 (* 2 3))");
    assert_expr(*state, "1 - 2 - 3", "(- (- 1 2) 3)");
    assert_expr(*state, "8 / 4 % 3 * 2", "(* (% (/ 8 4) 3) 2)");
    assert_expr(*state, "2 ^ 3 ^ 2", "(^ 2 (^ 3 2))");
    assert_expr(*state, "2 * 3 ^ 2 + 1", "(+ (* 2 (^ 3 2)) 1)");
    assert_expr(*state, "a || b && c == d + 1", "(|| a (&& b (== c (+ d 1))))");
    assert_expr(*state, "a < b != c >= d", "(>= (!= (< a b) c) d)");
    assert_expr(*state, "a <= b > c", "(> (<= a b) c)");
    assert_expr(*state, "!a && -b == !!c", "(&& (! a) (== (- b) (! (! c))))");
    assert_expr(*state, "-2 ^ 2", "(^ (- 2) 2)");
    assert_expr(*state, "(1 + 2) * 3", "(* (paren (+ 1 2)) 3)");
    assert_expr(*state, "1 +\n 2", "(+ 1 2)");
}

static void suffixes_follow_one_another(void **state)
{
    assert_expr(*state, "a.b.c", "(.c (.b a))");
    assert_expr(*state, "a[0][\"k\"].d", "(.d (index (index a 0) \"k\"))");
    assert_expr(*state, "sys.env(\"X\")", "(call (.env sys) \"X\")");
    assert_expr(*state, "f()(1, 2,)[x]", "(index (call (call f) 1 2) x)");
    assert_expr(*state, "-a.b(c)", "(- (call (.b a) c))");
    assert_expr(*state, "[1][0]", "(index (array 1) 0)");
    assert_expr(*state, "{a = 1}.a", "(.a (object \"a\":1))");
    assert_expr(*state, "argument.attributes.value[\"env\"]",
                "(index (.value (.attributes argument)) \"env\")");
    assert_expr(*state, "a /* here */ . /* and\n there */ b", "(.b a)");
}

static void literals_keep_their_text_and_strings_their_value(void **state)
{
    assert_expr(*state, "null", "null");
    assert_expr(*state, "[true, false,]", "(array true false)");
    assert_expr(*state, "[0, 1., .5, 1.5e3, 2E-7, 3e+2, 99999999999999999999]",
                "(array 0 1. .5 1.5e3 2E-7 3e+2 99999999999999999999)");
    assert_expr(*state, "\"\"", "\"\"");
    assert_expr(*state, "\"a\\tb\\\"c\\\\d\\n\"", "\"a\\tb\\\"c\\\\d\\n\"");
    assert_expr(*state, "\"\\x41\\101\\u0041\\U00000041\"", "\"AAAA\"");
    assert_expr(*state, "\"\\a\\b\\f\\r\\v\"", "\"\\a\\b\\f\\r\\v\"");
    assert_expr(*state, "\"\\u00e4\\U0001F600\"", "\"\xc3\xa4\xf0\x9f\x98\x80\"");
    assert_expr(*state, "\"\\xff\\000\"", "\"\\xff\\u0000\"");
    assert_expr(*state, "`a\\n\"b\"\n c`", "\"a\\\\n\\\"b\\\"\\n c\"");
    assert_expr(*state, "``", "\"\"");
    assert_expr(*state, "trueish", "trueish");
}

static void objects_take_names_and_strings_as_keys(void **state)
{
    assert_expr(*state, "{}", "(object)");
    assert_expr(*state, "{\n}", "(object)");
    assert_expr(*state, "{ a = 1, \"b c\" = 2, `d` = [3] }",
                "(object \"a\":1 \"b c\":2 \"d\":(array 3))");
    assert_expr(*state, "{\n  a = 1, // one\n  \"collector.ID\" = {},\n}",
                "(object \"a\":1 \"collector.ID\":(object))");
    assert_expr(*state, "{ \"\\u0061\" = 1, a = 2 }", "(object \"a\":1 \"a\":2)");
}

static void names_may_be_of_any_script(void **state)
{
    struct alloy_body *body =
        parse(*state, STR("gr\xc3\xbc\xc3\x9f \"\xe6\x97\xa5\xe6\x9c\xac_\xd9\xa1\" {}\n"));

    assert_true(str_eq(body->items[0]->name, STR("gr\xc3\xbc\xc3\x9f")));
    assert_true(str_eq(body->items[0]->label, STR("\xe6\x97\xa5\xe6\x9c\xac_\xd9\xa1")));
}

static void a_block_has_its_name_label_and_body(void **state)
{
    struct alloy_body *body =
        parse(*state, STR("a . b.c \"l\" {\n\tx = 1\n\ty {}; z = 2\n}\nd {}"));
    struct alloy_statement *s = body->items[0];

    assert_int_equal(body->count, 2);
    assert_true(s->is_block && s->has_label && str_eq(s->name, STR("a.b.c")));
    assert_true(str_eq(s->label, STR("l")));
    assert_int_equal(s->body->count, 3);
    assert_false(s->body->items[0]->is_block);
    assert_true(s->body->items[1]->is_block);
    assert_true(str_eq(s->body->items[2]->name, STR("z")));
    assert_false(body->items[1]->has_label);
}

static void an_empty_label_is_none(void **state)
{
    struct alloy_body *body = parse(*state, STR("a \"\" {}\nb `x` {}"));

    assert_false(body->items[0]->has_label);
    assert_true(body->items[1]->has_label);
}

static void everything_knows_where_it_stands(void **state)
{
    struct alloy_body *body =
        parse(*state, STR("/* a\n */ b \"l\" {\n  \xc3\xa4 = `\n` + [1,\n 2]\n}\r\nc = d"));
    struct alloy_statement *b = body->items[0], *inner = b->body->items[0];
    struct alloy_expr *sum = inner->value;

    assert_int_equal(b->pos.line, 2);
    assert_int_equal(b->pos.column, 5);
    assert_int_equal(b->label_pos.column, 7);
    assert_int_equal(inner->pos.line, 3);
    assert_int_equal(inner->pos.column, 3);
    assert_int_equal(sum->left->pos.column, 7);
    assert_int_equal(sum->right->pos.line, 4);
    assert_int_equal(sum->right->pos.column, 5);
    assert_int_equal(sum->right->items[1]->pos.line, 5);
    assert_int_equal(sum->right->items[1]->pos.column, 2);
    assert_int_equal(body->items[1]->pos.line, 7);
    assert_int_equal(body->items[1]->value->pos.column, 5);
}

static void texts_of_little_are_accepted(void **state)
{
    static const char *const good[] = {
        "",
        "\n\n",
        "// nothing",
        "// nothing\n",
        "/* nothing */",
        "/**/",
        "a = 1",
        "a = 1;",
        "a = 1; b = 2\n",
        "a {}",
        "a{b{c{}}}",
        "a { b = 1 }",
        "a { b = 1; c = 2; }",
        "a = 1 // why",
        "a = 1 /* why */\nb = 2",
        "a = 1 /* a line\n ends here */ b = 2",
        "a =\n1",
        "a.b \"c\"\t{\r\n\td = 1\r\n}\r\n",
        "a = [\n1,\n2,\n]",
        "a = [1,\n2]",
        "a = f(\n1,\n2,\n)",
        "a = (\n1 +\n2)",
        "a = b[\n1]",
        "a = {\nb = 1,\nc = 2,\n}",
        "a = {b = {c = [{d = null}]}}",
        "_ = _",
        "a1 = b2",
        "nullable = true_or_false",
    };

    for (size_t i = 0; i < COUNTOF(good); i++)
        parse(*state, str_of(good[i]));
}

static void what_is_refused_says_where_and_why(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } bad[] = {
        {"a",
         "line 1, column 2: expected \"=\", or \"{\" with or without a label before it, "
         "found the end of the line"},
        {"a =", "line 1, column 4: expected a value, found the end of the text"},
        {"a = \n\n}", "line 3, column 1: expected a value, found \"}\""},
        {"a = 1 b = 2", "line 1, column 7: expected the end of the line, found \"b\""},
        {"a { b = 1 c = 2 }",
         "line 1, column 11: expected the end of the line or \"}\", "
         "found \"c\""},
        {"a {",
         "line 1, column 4: expected the name of an attribute or a block, "
         "found the end of the text"},
        {"a { b = 1",
         "line 1, column 10: expected the name of an attribute or a block, "
         "found the end of the text"},
        {"}", "line 1, column 1: expected the name of an attribute or a block, found \"}\""},
        {"a {}\n}", "line 2, column 1: expected the name of an attribute or a block, found \"}\""},
        {";", "line 1, column 1: expected the name of an attribute or a block, found \";\""},
        {"a = 1;;",
         "line 1, column 7: expected the name of an attribute or a block, "
         "found \";\""},
        {"a\n{}",
         "line 1, column 2: expected \"=\", or \"{\" with or without a label before it, "
         "found the end of the line"},
        {"a \"b\"\n{}", "line 1, column 6: expected \"{\", found the end of the line"},
        {"a b {}",
         "line 1, column 3: expected \"=\", \"{\" or a label in double quotes, "
         "found \"b\""},
        {"a \"b-c\" {}",
         "line 1, column 3: the label of a block must be an identifier (letters, "
         "digits and \"_\", no digit first), found \"b-c\""},
        {"a \"1\" {}",
         "line 1, column 3: the label of a block must be an identifier (letters, "
         "digits and \"_\", no digit first), found \"1\""},
        {"a \"\\u0061\" {}",
         "line 1, column 3: the label of a block must be an identifier "
         "(letters, digits and \"_\", no digit first), found \"\\u0061\""},
        {"a \"null\" {}",
         "line 1, column 3: the label of a block must be an identifier (letters, "
         "digits and \"_\", no digit first), found \"null\""},
        {"a.b = 1", "line 1, column 1: the name of an attribute has no dots"},
        {"a \"b\" = 1", "line 1, column 1: the name of an attribute has no label"},
        {"a. = 1", "line 1, column 4: expected a name after \".\", found \"=\""},
        {"a.true {}", "line 1, column 3: expected a name after \".\", found \"true\""},
        {"null = 1",
         "line 1, column 1: expected the name of an attribute or a block, "
         "found \"null\""},
        {"\"a\" = 1",
         "line 1, column 1: expected the name of an attribute or a block, "
         "found a string"},
        {"a = [1\n]", "line 1, column 7: expected \",\" or \"]\" before the end of the line"},
        {"a = [1 2]", "line 1, column 8: expected \",\" or \"]\", found \"2\""},
        {"a = [,]", "line 1, column 6: expected a value, found \",\""},
        {"a = [1,,]", "line 1, column 8: expected a value, found \",\""},
        {"a = [1", "line 1, column 7: expected \",\" or \"]\", found the end of the line"},
        {"a = {b = 1\n}", "line 1, column 11: expected \",\" or \"}\" before the end of the line"},
        {"a = {b: 1}", "line 1, column 7: unexpected \":\""},
        {"a = {b 1}", "line 1, column 8: expected \"=\" after the name of a field, found \"1\""},
        {"a = {1 = 1}", "line 1, column 6: expected the name of a field or \"}\", found \"1\""},
        {"a = {true = 1}",
         "line 1, column 6: expected the name of a field or \"}\", "
         "found \"true\""},
        {"a = f(1\n)", "line 1, column 8: expected \",\" or \")\" before the end of the line"},
        {"a = (1", "line 1, column 7: expected \")\", found the end of the line"},
        {"a = ()", "line 1, column 6: expected a value, found \")\""},
        {"a = b[]", "line 1, column 7: expected a value, found \"]\""},
        {"a = b[1", "line 1, column 8: expected \"]\", found the end of the line"},
        {"a = b.", "line 1, column 7: expected a name after \".\", found the end of the text"},
        {"a = b.1", "line 1, column 6: expected the end of the line, found \".1\""},
        {"a = 1 +", "line 1, column 8: expected a value, found the end of the text"},
        {"a = * 1", "line 1, column 5: expected a value, found \"*\""},
        {"a = +1", "line 1, column 5: expected a value, found \"+\""},
        {"a = 0x10", "line 1, column 6: expected the end of the line, found \"x10\""},
        {"a = 1e", "line 1, column 5: the exponent of this number has no digits"},
        {"a = 1e+x", "line 1, column 5: the exponent of this number has no digits"},
        {"a = b {}",
         "line 1, column 5: expected a value, found what looks like a block; a block "
         "has no \"=\" and cannot be a value"},
        {"a = b \"c\" {}",
         "line 1, column 5: expected a value, found what looks like a block; a "
         "block has no \"=\" and cannot be a value"},
        {"# no", "line 1, column 1: unexpected \"#\"; comments begin with //"},
        {"a = 'b'", "line 1, column 5: strings are written in double quotes"},
        {"a = b & c", "line 1, column 7: unexpected \"&\"; did you mean \"&&\"?"},
        {"a = b | c", "line 1, column 7: unexpected \"|\"; did you mean \"||\"?"},
        {"a = b ? c", "line 1, column 7: unexpected \"?\""},
        {"a = \xe2\x82\xac", "line 1, column 5: unexpected \"\xe2\x82\xac\""},
        {"a = \001", "line 1, column 5: unexpected control character"},
        {"a = \"b", "line 1, column 5: this string is not closed on its line"},
        {"a = \"b\nc\"", "line 1, column 5: this string is not closed on its line"},
        {"a = \"b\\", "line 1, column 7: this string is not closed on its line"},
        {"a = \"b\\\n\"", "line 1, column 7: this string is not closed on its line"},
        {"\n  a = `b\n\n", "line 2, column 7: this raw string is never closed"},
        {"a = \"\\d+\"", "line 1, column 6: unknown escape; a backslash itself is written \\\\"},
        {"a = \"\\'\"", "line 1, column 6: unknown escape; a backslash itself is written \\\\"},
        {"a = \"\\x4\"", "line 1, column 6: this escape has too few digits"},
        {"a = \"\\08\"", "line 1, column 6: this escape has too few digits"},
        {"a = \"\\400\"", "line 1, column 6: this escape is above \\377"},
        {"a = \"\\ud800\"", "line 1, column 6: this escape is no Unicode character"},
        {"a = \"\\U00110000\"", "line 1, column 6: this escape is no Unicode character"},
        {"a = 1 /* b", "line 1, column 7: this comment is never closed"},
        {"a = 1 /*/", "line 1, column 7: this comment is never closed"},
        {"a = 1\nb = \xff", "line 2, column 5: this is not valid UTF-8"},
        {"// \xc3\xa4 \xc3\n", "line 1, column 6: this is not valid UTF-8"},
        {"\xef\xbb\xbf"
         "a = 1",
         "line 1, column 1: unexpected byte order mark; save the text without one"},
    };

    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_refused(*state, str_of(bad[i].text), bad[i].message);
    assert_refused(*state, STR("a = \"\0\""), "line 1, column 6: unexpected NUL character");
}

static void long_words_are_cut_in_messages(void **state)
{
    struct fail f = {0};
    struct alloy_body *body = NULL;
    struct buf b;

    buf_init_arena(&b, *state, 1 << 20);
    buf_put_str(&b, STR("a = 1 x"));
    for (int i = 0; i < 5000; i++)
        buf_put_str(&b, STR("\xc3\xa4"));
    assert_int_equal(alloy_parse(*state, buf_str(&b), &body, &f), -1);
    assert_true(strlen(f.message) < 120);
    assert_non_null(strstr(f.message, "\xc3\xa4...\""));
}

/* --- bounds --- */

static struct str repeat(struct arena *a, const char *open, const char *middle, const char *close,
                         size_t n)
{
    struct buf b;

    buf_init_arena(&b, a, 64 << 20);
    buf_put_str(&b, STR("a = "));
    for (size_t i = 0; i < n; i++)
        buf_put_str(&b, str_of(open));
    buf_put_str(&b, str_of(middle));
    for (size_t i = 0; i < n; i++)
        buf_put_str(&b, str_of(close));
    return buf_str(&b);
}

static void nesting_has_an_end(void **state)
{
    static const char *const nests[][3] = {
        {"[", "", "]"},   {"(", "1", ")"},   {"{b = ", "1", "}"}, {"f(", "", ")"},
        {"a[", "1", "]"}, {"!", "true", ""}, {"-", "1", ""},      {"2 ^ ", "2", ""},
    };
    struct alloy_body *body = NULL;

    for (size_t i = 0; i < COUNTOF(nests); i++) {
        struct fail f = {0};

        parse(*state, repeat(*state, nests[i][0], nests[i][1], nests[i][2], 60));
        if (alloy_parse(*state, repeat(*state, nests[i][0], nests[i][1], nests[i][2], 100000),
                        &body, &f) == 0)
            fail_msg("any number of %s", nests[i][0]);
        assert_non_null(strstr(f.message, "this nests deeper than 64 levels"));
    }
}

static void blocks_nest_only_so_deep(void **state)
{
    struct buf b;
    struct fail f = {0};
    struct alloy_body *body = NULL;

    buf_init_arena(&b, *state, 1 << 20);
    for (int i = 0; i < 64; i++)
        buf_put_str(&b, STR("a {\n"));
    for (int i = 0; i < 64; i++)
        buf_put_str(&b, STR("}\n"));
    parse(*state, buf_str(&b));
    buf_clear(&b);
    for (int i = 0; i < 100000; i++)
        buf_put_str(&b, STR("a {\n"));
    assert_int_equal(alloy_parse(*state, buf_str(&b), &body, &f), -1);
    assert_string_equal(f.message, "line 65, column 3: this nests deeper than 64 levels");
}

static void nesting_that_has_ended_does_not_count(void **state)
{
    parse(*state, repeat(*state, "", "1", "\nb = [[-1 + (!2 ^ 3)], {c = f(a[0])}]", 100));
    parse(*state, repeat(*state, "", "1", "\nb { c { d = -1 } }", 100));
}

static void long_chains_need_no_depth(void **state)
{
    parse(*state, repeat(*state, "", "1", " + 1", 50000));
    parse(*state, repeat(*state, "", "a", ".b", 50000));
    parse(*state, repeat(*state, "", "a", "[0]", 50000));
    parse(*state, repeat(*state, "", "a", "()", 50000));
    parse(*state, repeat(*state, "", "a", "; a = 1", 50000));
}

static void the_number_of_values_has_an_end(void **state)
{
    struct str many = repeat(*state, "", "[1", ",1", ALLOY_MAX_NODES);
    struct alloy_body *body = NULL;
    struct fail f = {0};

    assert_int_equal(alloy_parse(*state, many, &body, &f), -1);
    assert_non_null(strstr(f.message, "the text has more than 200000 values and blocks"));
}

static void the_text_has_a_longest_length(void **state)
{
    struct alloy_body *body = NULL;
    struct fail f = {0};
    char byte = ' ';

    /* Refused before a single byte is read. */
    assert_int_equal(alloy_parse(*state, str_make(&byte, ALLOY_MAX_BYTES + 1), &body, &f), -1);
    assert_string_equal(f.message, "line 1, column 1: the text is longer than 67108864 bytes");
}

/* --- identifiers and quoting --- */

static void identifiers_are_told_from_other_words(void **state)
{
    static const char *const good[] = {
        "a", "_", "_1", "a_b", "A9", "\xc3\xa4", "\xe6\x97\xa5", "a\xd9\xa1", "nulls", "True"};
    static const char *const bad[] = {"",      "1a",       "a-b",          "a b",       "a.b",
                                      "null",  "true",     "false",        "a\n",       "\xff",
                                      "a\xff", "\xd9\xa1", "\xe2\x82\xac", "a\xcc\x81", "\"a\""};

    (void)state;
    for (size_t i = 0; i < COUNTOF(good); i++)
        assert_true(alloy_is_identifier(str_of(good[i])));
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        if (alloy_is_identifier(str_of(bad[i])))
            fail_msg("%s was taken for an identifier", bad[i]);
    }
}

static void quoted_text_reads_back_as_it_was(void **state)
{
    char all[256 + 16];
    size_t n = 0;
    struct buf b;
    struct alloy_body *body;

    for (int i = 0; i < 256; i++)
        all[n++] = (char)i;
    memcpy(all + n, "\xc3\xa4\xef\xbb\xbf\xf0\x9f\x98\x80\xe2\x80\xa8", 12);
    n += 12;
    buf_init_arena(&b, *state, 1 << 20);
    buf_put_str(&b, STR("a = "));
    alloy_quote(&b, str_make(all, n));
    body = parse(*state, buf_str(&b));
    assert_true(str_eq(body->items[0]->value->text, str_make(all, n)));
    assert_true(str_index(buf_str(&b), '\n') < 0);
}

static void quoting_escapes_what_must_be_and_no_more(void **state)
{
    struct buf b;

    buf_init_arena(&b, *state, 1 << 10);
    alloy_quote(&b, STR("a\"b\\c\nd\te\x01\x7f\xc3\xa4$`'\xfe"));
    buf_put_byte(&b, '\0');
    assert_string_equal((const char *)b.data,
                        "\"a\\\"b\\\\c\\nd\\te\\u0001\\u007f\xc3\xa4$`'\\xfe\"");
}

/* --- as people write it --- */

static void pipelines_from_the_field_are_accepted(void **state)
{
    static const char *const good[] = {
        "prometheus.scrape \"default\" {\n"
        "  targets = array.concat(\n"
        "    discovery.kubernetes.pods.targets,\n"
        "    [{\"__address__\" = \"localhost:9090\", \"job\" = \"self\"}],\n"
        "  )\n"
        "  forward_to      = [prometheus.remote_write.out.receiver]\n"
        "  scrape_interval = \"15s\"\n"
        "  enable_protobuf_negotiation = true\n"
        "}\n"
        "prometheus.remote_write \"out\" {\n"
        "  endpoint {\n"
        "    url = sys.env(\"PROM_URL\")\n"
        "    basic_auth {\n"
        "      username = coalesce(sys.env(\"USER\"), \"none\")\n"
        "      password = local.file.token.content\n"
        "    }\n"
        "    write_relabel_config {\n"
        "      source_labels = [\"__name__\"]\n"
        "      regex         = \"go_.*\"\n"
        "      action        = \"drop\"\n"
        "    }\n"
        "  }\n"
        "  external_labels = {\n"
        "    cluster = argument.attributes.value[\"cluster\"],\n"
        "    \"collector.id\" = argument.attributes.value[\"collector.ID\"],\n"
        "  }\n"
        "}\n",

        "local.file_match \"logs\" {\n"
        "  path_targets = [{__path__ = \"/var/log/**/*.log\", __path_exclude__ = \"\"}]\n"
        "}\n"
        "loki.source.file \"f\" {\n"
        "  targets    = local.file_match.logs.targets\n"
        "  forward_to = [loki.process.p.receiver]\n"
        "}\n"
        "loki.process \"p\" {\n"
        "  stage.json {\n"
        "    expressions = {level = \"\", ts = \"time\"}\n"
        "  }\n"
        "  stage.multiline {\n"
        "    firstline = `^\\d{4}-\\d{2}-\\d{2}`\n"
        "  }\n"
        "  stage.match {\n"
        "    selector = `{app=\"x\"} |= \"err\"`\n"
        "    stage.labels { values = {level = null} }\n"
        "    stage.drop {\n"
        "      older_than          = \"24h\"\n"
        "      drop_counter_reason = \"too old\"\n"
        "    }\n"
        "  }\n"
        "  stage.template {\n"
        "    source   = \"new\"\n"
        "    template = `{{ if eq .level \"warn\" }}\n"
        "WARN {{ .msg }}\n"
        "{{ end }}`\n"
        "  }\n"
        "  forward_to = []\n"
        "}\n",

        "otelcol.receiver.otlp \"in\" {\n"
        "\tgrpc { endpoint = \"0.0.0.0:4317\" }\n"
        "\thttp { }\n"
        "\toutput {\n"
        "\t\tmetrics = [otelcol.processor.batch.b.input]\n"
        "\t\ttraces  = [\n"
        "\t\t\totelcol.processor.batch.b.input, // the only one\n"
        "\t\t]\n"
        "\t}\n"
        "}\n"
        "otelcol.processor.transform \"t\" {\n"
        "\terror_mode = \"ignore\"\n"
        "\ttrace_statements {\n"
        "\t\tcontext = \"resource\"\n"
        "\t\tstatements = [\n"
        "\t\t\t`replace_pattern(attributes[\"process.command_line\"], \"password=[^\\\\s]*\", "
        "\"x\")`,\n"
        "\t\t\t\"limit(attributes, 100, [])\",\n"
        "\t\t]\n"
        "\t}\n"
        "\toutput {}\n"
        "}\n"
        "otelcol.auth.headers \"h\" {\n"
        "\theader {\n"
        "\t\tkey   = \"X-Scope-OrgID\"\n"
        "\t\tvalue = convert.nonsensitive(remote.vault.v.data.tenant)\n"
        "\t}\n"
        "}\n",

        "discovery.relabel \"pods\" {\n"
        "  targets = discovery.kubernetes.k.targets\n"
        "  rule {\n"
        "    action = \"labelmap\"\n"
        "    regex  = \"__meta_kubernetes_pod_label_(.+)\"\n"
        "  }\n"
        "  rule {\n"
        "    source_labels = [\"__meta_kubernetes_namespace\", \"__meta_kubernetes_pod_name\"]\n"
        "    separator     = \"/\"\n"
        "    target_label  = \"job\"\n"
        "    replacement   = \"$1\"\n"
        "  }\n"
        "}",

        "import.git \"modules\" {\n"
        "  repository     = \"https://example.org/modules.git\"\n"
        "  revision       = \"main\"\n"
        "  path           = \"modules/\"\n"
        "  pull_frequency = \"15m\"\n"
        "}\n"
        "import.string \"inline\" {\n"
        "  content = `declare \"x\" { argument \"a\" { optional = true } }`\n"
        "}\n"
        "modules.self_monitor \"s\" {\n"
        "  arg = encoding.from_json(local.file.j.content)[\"k\"][0]\n"
        "}\n"
        "declare \"add\" {\n"
        "  argument \"a\" {\n"
        "    optional = true\n"
        "    default  = 1\n"
        "    comment  = \"left\"\n"
        "  }\n"
        "  argument \"b\" { }\n"
        "  export \"sum\" {\n"
        "    value = argument.a.value + argument.b.value\n"
        "  }\n"
        "}\n"
        "add \"one\" { b = 41 % 2 ^ 3 / (1 - -1) }\n"
        "foreach \"each\" {\n"
        "  collection = [1, 2, 3]\n"
        "  var        = \"item\"\n"
        "  template {\n"
        "    add \"in\" { b = item }\n"
        "  }\n"
        "}\n"
        "export \"out\" {\n"
        "  value = add.one.sum >= 1 && !(add.one.sum == 2) || string.format(\"%d\", 1) != \"\"\n"
        "}\n",
    };

    for (size_t i = 0; i < COUNTOF(good); i++)
        parse(*state, str_of(good[i]));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_arena, drop_arena)
    const struct CMUnitTest tests[] = {
        CASE(operators_bind_as_documented),
        CASE(suffixes_follow_one_another),
        CASE(literals_keep_their_text_and_strings_their_value),
        CASE(objects_take_names_and_strings_as_keys),
        CASE(names_may_be_of_any_script),
        CASE(a_block_has_its_name_label_and_body),
        CASE(an_empty_label_is_none),
        CASE(everything_knows_where_it_stands),
        CASE(texts_of_little_are_accepted),
        CASE(what_is_refused_says_where_and_why),
        CASE(long_words_are_cut_in_messages),
        CASE(nesting_has_an_end),
        CASE(blocks_nest_only_so_deep),
        CASE(nesting_that_has_ended_does_not_count),
        CASE(long_chains_need_no_depth),
        CASE(the_number_of_values_has_an_end),
        CASE(the_text_has_a_longest_length),
        CASE(identifiers_are_told_from_other_words),
        CASE(quoted_text_reads_back_as_it_was),
        CASE(quoting_escapes_what_must_be_and_no_more),
        CASE(pipelines_from_the_field_are_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
