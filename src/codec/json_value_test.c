/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON tree: reading, lookups by type, building and changing. */
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json_writer.h"

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

static struct json_value *parse(struct arena *a, const char *text)
{
    struct json_value *v = NULL;
    struct fail f;

    if (json_parse(a, str_of(text), NULL, &v, &f) < 0)
        fail_msg("%s: %s", text, f.message);
    return v;
}

static void assert_written(struct arena *a, const struct json_value *v, const char *expected)
{
    struct json_writer w;
    struct buf b;

    buf_init_arena(&b, a, 1 << 20);
    json_writer_init(&w, &b);
    json_put_value(&w, v);
    assert_true(json_is_complete(&w));
    if (!str_eq(buf_str(&b), str_of(expected)))
        fail_msg("wrote %.*s, expected %s", STR_ARG(buf_str(&b)), expected);
}

static void a_tree_is_written_as_it_was_read(void **state)
{
    static const char *const cases[] = {
        "null",
        "-12.50e3",
        "\"\\u0000\"",
        "[]",
        "{}",
        "[[],{},[[1]],2]",
        "{\"z\":1,\"a\":{\"b\":[true,false,null,{\"c\":{}}],\"d\":\"e\"},\"y\":[]}",
        "12345678901234567890123456789.000",
    };

    for (size_t i = 0; i < COUNTOF(cases); i++)
        assert_written(*state, parse(*state, cases[i]), cases[i]);
}

static void one_value_of_a_tree_is_written_without_its_siblings(void **state)
{
    struct json_value *v = parse(*state, "{\"a\":{\"b\":[1]},\"c\":2}");

    assert_written(*state, json_find(v, STR("a")), "{\"b\":[1]}");
}

static void text_that_is_wrong_gives_no_tree(void **state)
{
    static const char *const bad[] = {"", "]", "[1", "{\"a\":1,\"a\":2}", "1 2", "[1]]"};
    struct json_value untouched, *v = &untouched;
    struct fail f;

    for (size_t i = 0; i < COUNTOF(bad); i++) {
        assert_int_equal(json_parse(*state, str_of(bad[i]), NULL, &v, &f), -1);
        assert_ptr_equal(v, &untouched);
    }
}

static void the_readers_next_value_becomes_a_tree(void **state)
{
    struct json_reader r;
    struct json_value *v;
    struct fail f;

    json_reader_init(&r, *state, STR("[1,{\"a\":[2]},3]"), NULL, &f);
    assert_int_equal(json_next(&r), JSON_ARRAY_BEGIN);
    assert_int_equal(json_next(&r), JSON_NUMBER);
    assert_int_equal(json_read_value(&r, &v), 0);
    assert_written(*state, v, "{\"a\":[2]}");
    assert_int_equal(json_next(&r), JSON_NUMBER);
    assert_int_equal(json_read_value(&r, &v), -1);
    assert_non_null(strstr(f.message, "found the end of an array"));
}

#define DEPTH ((size_t)JSON_DEPTH_MAX)

static void a_deep_tree_needs_no_stack(void **state)
{
    struct json_limits limits = {.depth = JSON_DEPTH_MAX};
    char text[2 * DEPTH + 1];
    struct json_value *v;
    struct fail f;

    memset(text, '[', DEPTH);
    memset(text + DEPTH, ']', DEPTH);
    text[2 * DEPTH] = '\0';
    assert_int_equal(json_parse(*state, str_of(text), &limits, &v, &f), 0);
    assert_written(*state, v, text);
}

static void members_are_got_by_name_and_type(void **state)
{
    struct json_value *v = parse(*state,
                                 "{\"s\":\"x\",\"i\":-5,\"u\":18446744073709551615,"
                                 "\"d\":0.5,\"b\":true,\"a\":[1],\"o\":{}}");
    const struct json_value *child;
    struct fail f;
    struct str s;
    int64_t i;
    uint64_t u;
    double d;
    bool b = false;

    assert_int_equal(json_get_str(v, "s", &s, &f), 1);
    assert_true(str_eq(s, STR("x")));
    assert_int_equal(json_get_i64(v, "i", &i, &f), 1);
    assert_true(i == -5);
    assert_int_equal(json_get_u64(v, "u", &u, &f), 1);
    assert_true(u == UINT64_MAX);
    assert_int_equal(json_get_double(v, "d", &d, &f), 1);
    assert_true(d == 0.5);
    assert_int_equal(json_get_bool(v, "b", &b, &f), 1);
    assert_true(b);
    assert_int_equal(json_get_array(v, "a", &child, &f), 1);
    assert_int_equal(child->count, 1);
    assert_int_equal(json_get_object(v, "o", &child, &f), 1);
    assert_int_equal(child->kind, JSON_KIND_OBJECT);
}

static void absent_and_null_members_are_the_same(void **state)
{
    struct json_value *v = parse(*state, "{\"n\":null}");
    struct str s = STR("untouched");
    struct fail f;

    assert_int_equal(json_get_str(v, "n", &s, &f), 0);
    assert_int_equal(json_get_str(v, "x", &s, &f), 0);
    assert_int_equal(json_get_str(NULL, "x", &s, &f), 0);
    assert_int_equal(json_get_str(parse(*state, "[1]"), "x", &s, &f), 0);
    assert_true(str_eq(s, STR("untouched")));
}

static void a_member_of_the_wrong_type_is_named(void **state)
{
    struct json_value *v = parse(*state, "{\"s\":\"x\",\"f\":1.5,\"n\":-1,\"big\":1e400}");
    const struct json_value *child;
    struct fail f;
    struct str s;
    int64_t i;
    uint64_t u;
    double d;
    bool b;

    assert_int_equal(json_get_i64(v, "s", &i, &f), -1);
    assert_string_equal(f.message, "s must be a number, not a string");
    assert_string_equal(f.field, "s");
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    assert_int_equal(json_get_str(v, "f", &s, &f), -1);
    assert_int_equal(json_get_bool(v, "f", &b, &f), -1);
    assert_int_equal(json_get_array(v, "f", &child, &f), -1);
    assert_int_equal(json_get_object(v, "f", &child, &f), -1);
    assert_int_equal(json_get_i64(v, "f", &i, &f), -1);
    assert_string_equal(f.message, "f must be a 64-bit integer, not 1.5");
    assert_int_equal(json_get_u64(v, "n", &u, &f), -1);
    assert_int_equal(json_get_double(v, "big", &d, &f), -1);
    assert_string_equal(f.field, "big");
}

static void a_tree_can_be_built(void **state)
{
    struct json_value *o = json_new_object(*state), *list = json_new_array(*state);

    json_append(list, json_new_i64(*state, INT64_MIN));
    json_append(list, json_new_bool(*state, true));
    json_append(list, json_new_null(*state));
    json_set(o, STR("list"), list);
    json_set(o, STR("name"), json_new_str(*state, STR("x")));
    assert_written(*state, o, "{\"list\":[-9223372036854775808,true,null],\"name\":\"x\"}");
    assert_int_equal(list->count, 3);
}

static void setting_a_member_keeps_its_place(void **state)
{
    struct json_value *o = parse(*state, "{\"a\":1,\"b\":2,\"c\":3}");

    json_set(o, STR("a"), json_new_str(*state, STR("x")));
    assert_written(*state, o, "{\"a\":\"x\",\"b\":2,\"c\":3}");
    json_set(o, STR("c"), json_new_null(*state));
    json_set(o, STR("d"), json_new_bool(*state, false));
    assert_written(*state, o, "{\"a\":\"x\",\"b\":2,\"c\":null,\"d\":false}");
    assert_int_equal(o->count, 4);
}

static void members_can_be_removed_from_every_place(void **state)
{
    struct json_value *o = parse(*state, "{\"a\":1,\"b\":2,\"c\":3}");

    assert_null(json_remove(o, STR("x")));
    assert_non_null(json_remove(o, STR("b")));
    assert_written(*state, o, "{\"a\":1,\"c\":3}");
    assert_non_null(json_remove(o, STR("c")));
    json_set(o, STR("d"), json_new_null(*state));
    assert_written(*state, o, "{\"a\":1,\"d\":null}");
    assert_non_null(json_remove(o, STR("a")));
    assert_non_null(json_remove(o, STR("d")));
    assert_written(*state, o, "{}");
    json_set(o, STR("e"), json_new_null(*state));
    assert_written(*state, o, "{\"e\":null}");
    assert_int_equal(o->count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_is_written_as_it_was_read),
        cmocka_unit_test(one_value_of_a_tree_is_written_without_its_siblings),
        cmocka_unit_test(text_that_is_wrong_gives_no_tree),
        cmocka_unit_test(the_readers_next_value_becomes_a_tree),
        cmocka_unit_test(a_deep_tree_needs_no_stack),
        cmocka_unit_test(members_are_got_by_name_and_type),
        cmocka_unit_test(absent_and_null_members_are_the_same),
        cmocka_unit_test(a_member_of_the_wrong_type_is_named),
        cmocka_unit_test(a_tree_can_be_built),
        cmocka_unit_test(setting_a_member_keeps_its_place),
        cmocka_unit_test(members_can_be_removed_from_every_place),
    };

    return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
