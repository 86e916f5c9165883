/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON reader: tokens, what is refused and where, duplicate keys, limits, skipping. */
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
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

/* Reads all of it; 0 when it is accepted. */
static int read_all(struct arena *a, struct str text, const struct json_limits *limits,
                    struct fail *f)
{
    struct json_reader r;
    enum json_token t;

    json_reader_init(&r, a, text, limits, f);
    do {
        t = json_next(&r);
    } while (t != JSON_END && t != JSON_ERROR);
    return t == JSON_END ? 0 : -1;
}

/* The same by skipping. */
static int skip_all(struct arena *a, struct str text, struct fail *f)
{
    struct json_reader r;

    json_reader_init(&r, a, text, NULL, f);
    return json_skip(&r) < 0 || json_finish(&r) < 0 ? -1 : 0;
}

static void accept(struct arena *a, struct str text)
{
    struct fail f;

    if (read_all(a, text, NULL, &f) < 0 || skip_all(a, text, &f) < 0)
        fail_msg("%.*s: %s", (int)MIN(text.len, (size_t)60), text.p, f.message);
}

static void refuse(struct arena *a, struct str text, const char *why)
{
    struct fail f = {0}, g = {0};

    if (read_all(a, text, NULL, &f) == 0 || skip_all(a, text, &g) == 0)
        fail_msg("accepted: %.*s", (int)MIN(text.len, (size_t)60), text.p);
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    if (!strstr(f.message, why))
        fail_msg("%.*s: said \"%s\" instead of \"%s\"", (int)MIN(text.len, (size_t)60), text.p,
                 f.message, why);
    assert_string_equal(f.message, g.message);
}

static void tokens_come_in_the_order_of_the_text(void **state)
{
    static const struct {
        enum json_token token;
        const char *text;
    } expected[] = {
        {JSON_OBJECT_BEGIN, NULL}, {JSON_KEY, "a"},         {JSON_ARRAY_BEGIN, NULL},
        {JSON_NUMBER, "1"},        {JSON_STRING, "x\ny"},   {JSON_TRUE, NULL},
        {JSON_FALSE, NULL},        {JSON_NULL, NULL},       {JSON_OBJECT_BEGIN, NULL},
        {JSON_OBJECT_END, NULL},   {JSON_ARRAY_END, NULL},  {JSON_KEY, "b"},
        {JSON_NUMBER, "-0.5e+10"}, {JSON_OBJECT_END, NULL}, {JSON_END, NULL},
        {JSON_END, NULL},
    };
    struct json_reader r;
    struct fail f;

    json_reader_init(&r, *state,
                     STR(" {\"a\" : [1,\"x\\ny\",true,\tfalse,null,{ } ],\r\n\"b\":-0.5e+10} "),
                     NULL, &f);
    for (size_t i = 0; i < COUNTOF(expected); i++) {
        assert_int_equal(json_peek(&r), expected[i].token);
        assert_int_equal(json_next(&r), expected[i].token);
        if (expected[i].text)
            assert_true(str_eq(r.text, str_of(expected[i].text)));
    }
}

static void any_value_may_stand_alone(void **state)
{
    static const struct str good[] = {
        STR_INIT("0"),    STR_INIT("-0"),   STR_INIT("12.50"), STR_INIT("1e3"),
        STR_INIT("true"), STR_INIT("null"), STR_INIT("\"\""),  STR_INIT("[]"),
        STR_INIT("{}"),   STR_INIT(" 1 "),  STR_INIT("[[]]"),  STR_INIT("[1,[2],{\"a\":{}}]"),
    };

    for (size_t i = 0; i < COUNTOF(good); i++)
        accept(*state, good[i]);
}

static void what_is_no_json_is_refused(void **state)
{
    static const struct {
        struct str text;
        const char *why;
    } bad[] = {
        {STR_INIT(""), "ends early"},
        {STR_INIT("  "), "ends early"},
        {STR_INIT("["), "ends early"},
        {STR_INIT("[1"), "ends early"},
        {STR_INIT("[1,"), "ends early"},
        {STR_INIT("{"), "ends early"},
        {STR_INIT("{\"a\""), "':' after the key"},
        {STR_INIT("{\"a\":"), "ends early"},
        {STR_INIT("{\"a\":1"), "ends early"},
        {STR_INIT("{\"a\":1,"), "expected a key"},
        {STR_INIT("[1,]"), "expected a value, found ']'"},
        {STR_INIT("[,1]"), "expected a value"},
        {STR_INIT("[1 2]"), "expected ',' or ']', found '2'"},
        {STR_INIT("[1}"), "expected ',' or ']'"},
        {STR_INIT("{\"a\":1]"), "expected ',' or '}'"},
        {STR_INIT("{\"a\":1,}"), "expected a key, found '}'"},
        {STR_INIT("{,}"), "expected a key"},
        {STR_INIT("{a:1}"), "expected a key"},
        {STR_INIT("{'a':1}"), "expected a key"},
        {STR_INIT("{1:1}"), "expected a key"},
        {STR_INIT("{\"a\" 1}"), "':' after the key, found '1'"},
        {STR_INIT("{\"a\":}"), "expected a value"},
        {STR_INIT("1 2"), "the end of the text, found '2'"},
        {STR_INIT("{}{}"), "the end of the text"},
        {STR_INIT("{}]"), "the end of the text"},
        {STR_INIT("null\0"), "the end of the text"},
        {STR_INIT("}"), "expected a value"},
        {STR_INIT("]"), "expected a value"},
        {STR_INIT(","), "expected a value"},
        {STR_INIT("nul"), "expected a value"},
        {STR_INIT("nulll"), "the end of the text"},
        {STR_INIT("True"), "expected a value"},
        {STR_INIT("NaN"), "expected a value"},
        {STR_INIT("Infinity"), "expected a value"},
        {STR_INIT("-Infinity"), "number without digits"},
        {STR_INIT("+1"), "expected a value"},
        {STR_INIT("-"), "number without digits"},
        {STR_INIT("01"), "leading zero"},
        {STR_INIT("-01"), "leading zero"},
        {STR_INIT("1."), "digits after its point"},
        {STR_INIT(".5"), "expected a value"},
        {STR_INIT("1e"), "exponent"},
        {STR_INIT("1e+"), "exponent"},
        {STR_INIT("0x10"), "the end of the text"},
        {STR_INIT("1_000"), "the end of the text"},
        {STR_INIT("// c\n1"), "expected a value"},
        {STR_INIT("/* c */1"), "expected a value"},
        {STR_INIT("\v1"), "found byte 0x0b"},
        {STR_INIT("\f1"), "expected a value"},
        {STR_INIT("\xef\xbb\xbf{}"), "byte order mark"},
        {STR_INIT("\xfe\xff"), "UTF-8"},
        {STR_INIT("[1]\xc2\xa0"), "the end of the text, found byte 0xc2"},
    };

    for (size_t i = 0; i < COUNTOF(bad); i++)
        refuse(*state, bad[i].text, bad[i].why);
}

static void bad_strings_are_refused(void **state)
{
    static const struct {
        struct str text;
        const char *why;
    } bad[] = {
        {STR_INIT("\""), "without an end"},
        {STR_INIT("\"abc"), "without an end"},
        {STR_INIT("\"abc\\"), "without an end"},
        {STR_INIT("\"abc\\\""), "without an end"},
        {STR_INIT("\"a\nb\""), "control character"},
        {STR_INIT("\"a\tb\""), "control character"},
        {STR_INIT("\"a\0b\""), "control character"},
        {STR_INIT("\"0123456\x1f\""), "control character"},
        {STR_INIT("\"\\x41\""), "unknown escape"},
        {STR_INIT("\"\\'\""), "unknown escape"},
        {STR_INIT("\"\\\0\""), "unknown escape"},
        {STR_INIT("\"\\u12\""), "four hex digits"},
        {STR_INIT("\"\\u12g4\""), "four hex digits"},
        {STR_INIT("\"\\u\""), "four hex digits"},
        {STR_INIT("\"\\u+123\""), "four hex digits"},
        {STR_INIT("\"\\ud800\""), "lone surrogate"},
        {STR_INIT("\"\\ud800x\""), "lone surrogate"},
        {STR_INIT("\"\\ud800\\n\""), "lone surrogate"},
        {STR_INIT("\"\\ud800\\ud800\""), "lone surrogate"},
        {STR_INIT("\"\\ud800\\u0041\""), "lone surrogate"},
        {STR_INIT("\"\\udc00\""), "lone surrogate"},
        {STR_INIT("\"\\udc00\\ud800\""), "lone surrogate"},
        {STR_INIT("\"\x80\""), "UTF-8"},
        {STR_INIT("\"\xc0\x80\""), "UTF-8"},
        {STR_INIT("\"\xed\xa0\x80\""), "UTF-8"},
        {STR_INIT("\"\xf4\x90\x80\x80\""), "UTF-8"},
        {STR_INIT("\"\xe2\x82\""), "UTF-8"},
    };

    for (size_t i = 0; i < COUNTOF(bad); i++) {
        struct str key = arena_printf(*state, "{");
        struct buf b;

        refuse(*state, bad[i].text, bad[i].why);
        buf_init_arena(&b, *state, 200);
        buf_put_str(&b, key);
        buf_put_str(&b, bad[i].text);
        buf_put_str(&b, STR(":1}"));
        refuse(*state, buf_str(&b), ""); /* as a key, too */
    }
}

static void escapes_become_what_they_stand_for(void **state)
{
    static const struct {
        const char *json;
        struct str text;
    } cases[] = {
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", STR_INIT("\"\\/\b\f\n\r\t")},
        {"\"\\u0041\\u00e4\\u20AC\"", STR_INIT("A\xc3\xa4\xe2\x82\xac")},
        {"\"\\ud83d\\uDE00!\"", STR_INIT("\xf0\x9f\x98\x80!")},
        {"\"\\udbff\\udfff\"", STR_INIT("\xf4\x8f\xbf\xbf")},
        {"\"a\\u0000b\"", STR_INIT("a\0b")},
        {"\"\\uffff\"", STR_INIT("\xef\xbf\xbf")},
        {"\"\xf0\x9f\x98\x80\\\\\"", STR_INIT("\xf0\x9f\x98\x80\\")},
        {"\"\\\\u0041\"", STR_INIT("\\u0041")},
    };

    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_reader r;
        struct fail f;

        json_reader_init(&r, *state, str_of(cases[i].json), NULL, &f);
        assert_int_equal(json_next(&r), JSON_STRING);
        if (!str_eq(r.text, cases[i].text))
            fail_msg("case %zu gave \"%.*s\"", i, STR_ARG(r.text));
    }
}

static void plain_strings_are_views_of_the_input(void **state)
{
    struct str text = STR("{\"key\":\"\xc3\xa4 value\"}");
    struct json_reader r;
    struct fail f;

    json_reader_init(&r, *state, text, NULL, &f);
    assert_int_equal(json_next(&r), JSON_OBJECT_BEGIN);
    assert_int_equal(json_next(&r), JSON_KEY);
    assert_ptr_equal(r.text.p, text.p + 2);
    assert_int_equal(json_next(&r), JSON_STRING);
    assert_ptr_equal(r.text.p, text.p + 8);
}

static void the_place_of_a_fault_is_named(void **state)
{
    struct fail f;

    assert_int_equal(read_all(*state, STR("{\n  \"\xc3\xa4\": 1,\n  \"b\": x\n}"), NULL, &f), -1);
    assert_non_null(strstr(f.message, "at line 3, column 8 (byte 20)"));
    assert_int_equal(read_all(*state, STR("[\"\xc3\xa4\", x]"), NULL, &f), -1);
    assert_non_null(strstr(f.message, "at line 1, column 7 (byte 7)"));
    assert_int_equal(read_all(*state, STR("[\"ab\\qc\"]"), NULL, &f), -1);
    assert_non_null(strstr(f.message, "at line 1, column 5 (byte 4)"));
}

static void an_error_comes_again_and_keeps_its_message(void **state)
{
    struct json_reader r;
    struct fail f;
    struct str raw;

    json_reader_init(&r, *state, STR("[x, 1]"), NULL, &f);
    assert_int_equal(json_next(&r), JSON_ARRAY_BEGIN);
    assert_int_equal(json_next(&r), JSON_ERROR);
    assert_non_null(strstr(f.message, "found 'x'"));
    assert_int_equal(json_next(&r), JSON_ERROR);
    assert_int_equal(json_peek(&r), JSON_ERROR);
    assert_int_equal(json_skip(&r), -1);
    assert_int_equal(json_leave(&r), -1);
    assert_int_equal(json_raw(&r, &raw), -1);
    assert_int_equal(json_finish(&r), -1);
    assert_int_equal(json_refuse(&r, "something else"), -1);
    assert_non_null(strstr(f.message, "found 'x'"));
}

static void duplicate_keys_are_refused_at_every_depth(void **state)
{
    refuse(*state, STR("{\"a\":1,\"a\":2}"), "duplicate key at line 1, column 8");
    refuse(*state, STR("{\"x\":[{\"a\":1,\"b\":2,\"a\":3}]}"), "duplicate key");
    refuse(*state, STR("{\"a\":{\"a\":1},\"b\":{},\"a\":2}"), "duplicate key");
    refuse(*state, STR("{\"\":1,\"\":2}"), "duplicate key");
    accept(*state, STR("{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}]}"));
    accept(*state, STR("{\"a\":1,\"A\":2,\"\":3,\"a\\u0000\":4}"));
}

static void keys_are_compared_unescaped(void **state)
{
    refuse(*state, STR("{\"a\":1,\"\\u0061\":2}"), "duplicate key");
    refuse(*state, STR("{\"\\u0000\":1,\"\\u0000\":2}"), "duplicate key");
}

/* An object with `count` keys, each of which holds an object with the first `inner` of them; with
 * `again`, that key comes a second time at the end. */
static struct str many_keys(struct arena *a, int count, int inner, int again)
{
    struct buf b;

    buf_init_arena(&b, a, (size_t)1 << 26);
    buf_put_byte(&b, '{');
    for (int i = 0; i < count; i++) {
        buf_printf(&b, "%s\"key %d\":{", i ? "," : "", i);
        for (int j = 0; j < inner; j++)
            buf_printf(&b, "%s\"key %d\":0", j ? "," : "", j);
        buf_put_byte(&b, '}');
    }
    if (again >= 0)
        buf_printf(&b, ",\"key %d\":0", again);
    buf_put_byte(&b, '}');
    return buf_str(&b);
}

static void duplicates_are_found_in_objects_of_every_size(void **state)
{
    for (int count = 1; count <= 80; count++) {
        accept(*state, many_keys(*state, count, count / 2, -1));
        for (int again = 0; again < count; again++)
            refuse(*state, many_keys(*state, count, again % 12, again), "duplicate key");
    }
}

static void many_keys_stay_cheap_and_their_memory_is_bounded(void **state)
{
    struct str text = many_keys(*state, 200000, 0, -1);
    struct arena *a = arena_new(4096);
    struct fail f;

    assert_int_equal(read_all(a, text, NULL, &f), 0);
    assert_true(arena_used(a) < (size_t)64 << 20);
    arena_reset(a);
    /* Many small objects after each other need no more than one of them. */
    text = many_keys(*state, 20, 1000, -1);
    assert_int_equal(read_all(a, text, NULL, &f), 0);
    assert_true(arena_used(a) < (size_t)200 * 1024);
    arena_free(&a);
}

static struct str nested(struct arena *a, char c, size_t depth, bool closed)
{
    struct buf b;

    buf_init_arena(&b, a, (size_t)1 << 22);
    for (size_t i = 0; i < depth; i++)
        buf_put_str(&b, c == '[' ? STR("[") : STR("{\"k\":"));
    if (closed) {
        buf_put_str(&b, STR("0"));
        for (size_t i = 0; i < depth; i++)
            buf_put_byte(&b, c == '[' ? ']' : '}');
    }
    return buf_str(&b);
}

static void nesting_ends_at_the_limit(void **state)
{
    struct json_limits three = {.depth = 3};
    struct fail f;

    accept(*state, nested(*state, '[', 100, true));
    refuse(*state, nested(*state, '[', 101, true), "nests too deeply");
    accept(*state, nested(*state, '{', 100, true));
    refuse(*state, nested(*state, '{', 101, true), "nests too deeply");
    refuse(*state, nested(*state, '[', 100000, false), "nests too deeply");
    assert_int_equal(read_all(*state, STR("[[[]],[[]]]"), &three, &f), 0);
    assert_int_equal(read_all(*state, STR("[[[[]]]]"), &three, &f), -1);
}

static void values_and_bytes_are_counted(void **state)
{
    struct json_limits nodes = {.nodes = 4}, bytes = {.bytes = 5};
    struct fail f;

    assert_int_equal(read_all(*state, STR("[1,2,3]"), &nodes, &f), 0);
    assert_int_equal(read_all(*state, STR("[1,2,3,4]"), &nodes, &f), -1);
    assert_non_null(strstr(f.message, "too many values"));
    assert_int_equal(read_all(*state, STR("{\"a\":[0]}"), &nodes, &f), 0);
    assert_int_equal(read_all(*state, STR("{\"a\":1,\"b\":2}"), &nodes, &f), -1);
    assert_int_equal(read_all(*state, STR("12345"), &bytes, &f), 0);
    assert_int_equal(read_all(*state, STR("12345 "), &bytes, &f), -1);
    assert_non_null(strstr(f.message, "larger than 5 bytes"));
}

static void skipping_passes_one_value(void **state)
{
    struct json_reader r;
    struct fail f;

    json_reader_init(&r, *state, STR("{\"skip\":{\"x\":[1,{\"y\":\"\\n\"}]},\"take\":7}"), NULL,
                     &f);
    assert_int_equal(json_next(&r), JSON_OBJECT_BEGIN);
    assert_int_equal(json_next(&r), JSON_KEY);
    assert_int_equal(json_skip(&r), 0);
    assert_true(str_eq(r.text, STR("skip")));
    assert_int_equal(json_next(&r), JSON_KEY);
    assert_true(str_eq(r.text, STR("take")));
    assert_int_equal(json_skip(&r), 0);
    assert_int_equal(json_next(&r), JSON_OBJECT_END);
    assert_int_equal(json_finish(&r), 0);
}

static void skipping_where_no_value_is_fails(void **state)
{
    struct json_reader r;
    struct fail f;

    json_reader_init(&r, *state, STR("[]"), NULL, &f);
    assert_int_equal(json_next(&r), JSON_ARRAY_BEGIN);
    assert_int_equal(json_skip(&r), -1);
    json_reader_init(&r, *state, STR("1"), NULL, &f);
    assert_int_equal(json_skip(&r), 0);
    assert_int_equal(json_skip(&r), -1);
}

static void leaving_passes_the_rest_of_the_innermost(void **state)
{
    struct json_reader r;
    struct fail f;

    json_reader_init(&r, *state, STR("[[1,[2,3],{\"a\":4}],5]"), NULL, &f);
    assert_int_equal(json_next(&r), JSON_ARRAY_BEGIN);
    assert_int_equal(json_next(&r), JSON_ARRAY_BEGIN);
    assert_int_equal(json_next(&r), JSON_NUMBER);
    assert_int_equal(json_leave(&r), 0);
    assert_int_equal(json_next(&r), JSON_NUMBER);
    assert_true(str_eq(r.text, STR("5")));
    assert_int_equal(json_leave(&r), 0);
    assert_int_equal(json_next(&r), JSON_END);
}

static void the_raw_text_of_a_value_is_exact(void **state)
{
    struct json_reader r;
    struct fail f;
    struct str raw;

    json_reader_init(&r, *state, STR("{\"a\" :  { \"x\" : [ 1 ] } , \"b\":1.50}"), NULL, &f);
    assert_int_equal(json_next(&r), JSON_OBJECT_BEGIN);
    assert_int_equal(json_next(&r), JSON_KEY);
    assert_int_equal(json_raw(&r, &raw), 0);
    assert_true(str_eq(raw, STR("{ \"x\" : [ 1 ] }")));
    assert_int_equal(json_next(&r), JSON_KEY);
    assert_int_equal(json_raw(&r, &raw), 0);
    assert_true(str_eq(raw, STR("1.50")));
    assert_int_equal(json_next(&r), JSON_OBJECT_END);
}

static void peeking_keeps_the_key(void **state)
{
    struct json_reader r;
    struct fail f;

    json_reader_init(&r, *state, STR("{\"key\":\"value\"}"), NULL, &f);
    assert_int_equal(json_next(&r), JSON_OBJECT_BEGIN);
    assert_int_equal(json_next(&r), JSON_KEY);
    assert_int_equal(json_peek(&r), JSON_STRING);
    assert_true(str_eq(r.text, STR("key")));
}

static void a_decoder_can_refuse_with_the_place(void **state)
{
    struct json_reader r;
    struct fail f;

    json_reader_init(&r, *state, STR("{\n\"port\": \"x\"}"), NULL, &f);
    assert_int_equal(json_next(&r), JSON_OBJECT_BEGIN);
    assert_int_equal(json_next(&r), JSON_KEY);
    assert_int_equal(json_next(&r), JSON_STRING);
    assert_int_equal(json_refuse(&r, "%s must be a number", "port"), -1);
    assert_string_equal(f.message, "port must be a number at line 2, column 9 (byte 10)");
    assert_int_equal(json_next(&r), JSON_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_come_in_the_order_of_the_text),
        cmocka_unit_test(any_value_may_stand_alone),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(bad_strings_are_refused),
        cmocka_unit_test(escapes_become_what_they_stand_for),
        cmocka_unit_test(plain_strings_are_views_of_the_input),
        cmocka_unit_test(the_place_of_a_fault_is_named),
        cmocka_unit_test(an_error_comes_again_and_keeps_its_message),
        cmocka_unit_test(duplicate_keys_are_refused_at_every_depth),
        cmocka_unit_test(keys_are_compared_unescaped),
        cmocka_unit_test(duplicates_are_found_in_objects_of_every_size),
        cmocka_unit_test(many_keys_stay_cheap_and_their_memory_is_bounded),
        cmocka_unit_test(nesting_ends_at_the_limit),
        cmocka_unit_test(values_and_bytes_are_counted),
        cmocka_unit_test(skipping_passes_one_value),
        cmocka_unit_test(skipping_where_no_value_is_fails),
        cmocka_unit_test(leaving_passes_the_rest_of_the_innermost),
        cmocka_unit_test(the_raw_text_of_a_value_is_exact),
        cmocka_unit_test(peeking_keeps_the_key),
        cmocka_unit_test(a_decoder_can_refuse_with_the_place),
    };

    return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
