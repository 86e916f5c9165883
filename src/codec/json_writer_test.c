/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer: punctuation, escapes, broken UTF-8, doubles, ceilings. */
#include "codec/json_writer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "codec/json.h"
#include "codec/utf8.h"

struct fixture {
    struct arena *arena;
    struct buf out;
    struct json_writer w;
};

static struct fixture begin(void)
{
    struct fixture x = {.arena = arena_new(4096)};

    buf_init(&x.out, 1 << 20);
    return x;
}

static void end(struct fixture *x)
{
    buf_done(&x->out);
    arena_free(&x->arena);
}

static void assert_out(const struct fixture *x, const char *expected)
{
    if (!str_eq(buf_str(&x->out), str_of(expected)))
        fail_msg("wrote %.*s, expected %s", STR_ARG(buf_str(&x->out)), expected);
}

static void write_sample(struct json_writer *w)
{
    json_obj_begin(w);
    json_key_str(w, STR("name"), STR("x"));
    json_key(w, STR("list"));
    json_arr_begin(w);
    json_i64(w, INT64_MIN);
    json_u64(w, UINT64_MAX);
    json_bool(w, true);
    json_null(w);
    json_arr_begin(w);
    json_arr_end(w);
    json_obj_begin(w);
    json_obj_end(w);
    json_arr_end(w);
    json_key_bool(w, STR("b"), false);
    json_key_i64(w, STR("i"), -1);
    json_key_u64(w, STR("u"), 1);
    json_key(w, STR("raw"));
    json_put_raw(w, STR("[1, 2]"));
    json_obj_end(w);
}

static void punctuation_is_the_writers_business(void **state)
{
    struct fixture x = begin();

    (void)state;
    json_writer_init(&x.w, &x.out);
    assert_false(json_is_complete(&x.w));
    write_sample(&x.w);
    assert_true(json_is_complete(&x.w));
    assert_out(&x,
               "{\"name\":\"x\",\"list\":[-9223372036854775808,18446744073709551615,true,null,"
               "[],{}],\"b\":false,\"i\":-1,\"u\":1,\"raw\":[1, 2]}");
    end(&x);
}

static void people_get_one_member_a_line(void **state)
{
    struct fixture x = begin();

    (void)state;
    json_writer_init_indented(&x.w, &x.out, 2);
    write_sample(&x.w);
    assert_out(&x,
               "{\n  \"name\": \"x\",\n  \"list\": [\n    -9223372036854775808,\n"
               "    18446744073709551615,\n    true,\n    null,\n    [],\n    {}\n  ],\n"
               "  \"b\": false,\n  \"i\": -1,\n  \"u\": 1,\n  \"raw\": [1, 2]\n}");
    end(&x);
}

static void an_array_may_follow_an_object(void **state)
{
    struct fixture x = begin();

    (void)state;
    json_writer_init(&x.w, &x.out);
    json_arr_begin(&x.w);
    json_obj_begin(&x.w);
    json_obj_end(&x.w);
    json_arr_begin(&x.w);
    json_null(&x.w);
    json_arr_end(&x.w);
    json_arr_end(&x.w);
    assert_out(&x, "[{},[null]]");
    end(&x);
}

static void text_before_is_kept(void **state)
{
    struct fixture x = begin();

    (void)state;
    buf_put_str(&x.out, STR("data: "));
    json_writer_init(&x.w, &x.out);
    json_i64(&x.w, 1);
    assert_out(&x, "data: 1");
    end(&x);
}

static void assert_string(struct str in, const char *expected)
{
    struct fixture x = begin();

    json_writer_init(&x.w, &x.out);
    json_str(&x.w, in);
    assert_out(&x, expected);
    end(&x);
}

static void only_what_must_be_escaped_is(void **state)
{
    (void)state;
    assert_string(STR(""), "\"\"");
    assert_string((struct str){0}, "\"\"");
    assert_string(STR("\"\\/<>&'\x7f"), "\"\\\"\\\\/<>&'\x7f\"");
    assert_string(STR("\b\t\n\v\f\r"), "\"\\b\\t\\n\\u000b\\f\\r\"");
    assert_string(STR("\0\x01\x1f\x1b"), "\"\\u0000\\u0001\\u001f\\u001b\"");
    assert_string(STR("a long plain text, then \"quoted\"\n"),
                  "\"a long plain text, then \\\"quoted\\\"\\n\"");
    assert_string(STR("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
                  "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static void broken_utf8_never_leaves(void **state)
{
    (void)state;
    assert_string(STR("a\x80z"), "\"a\xef\xbf\xbdz\"");
    assert_string(STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string(STR("\xf0\x9f\x98\"\n"), "\"\xef\xbf\xbd\\\"\\n\"");
    assert_string(STR("\xc3\xa4\xe2\x82"), "\"\xc3\xa4\xef\xbf\xbd\"");
    assert_string(STR("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void every_byte_comes_back_from_the_reader(void **state)
{
    struct fixture x = begin();
    char all[128];
    struct json_value *v;
    struct fail f;

    (void)state;
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (char)i;
    for (size_t from = 0; from < sizeof(all); from++) {
        struct str in = str_make(all + from, sizeof(all) - from);

        buf_clear(&x.out);
        json_writer_init(&x.w, &x.out);
        json_obj_begin(&x.w);
        json_key_str(&x.w, in, in);
        json_obj_end(&x.w);
        assert_int_equal(json_parse(x.arena, buf_str(&x.out), NULL, &v, &f), 0);
        assert_true(str_eq(v->first->key, in) && str_eq(v->first->text, in));
    }
    end(&x);
}

static void assert_double(double v, const char *expected)
{
    struct fixture x = begin();

    json_writer_init(&x.w, &x.out);
    json_double(&x.w, v);
    assert_out(&x, expected);
    end(&x);
}

static void doubles_are_as_short_as_can_be(void **state)
{
    (void)state;
    assert_double(0.0, "0");
    assert_double(-0.0, "-0");
    assert_double(1.0, "1");
    assert_double(-3.0, "-3");
    assert_double(0.1, "0.1");
    assert_double(1.5, "1.5");
    assert_double(1.0 / 3, "0.3333333333333333");
    assert_double(1e15, "1000000000000000");
    assert_double(9007199254740991.0, "9007199254740991");
    assert_double(1e18, "1e+18");
    assert_double(1e300, "1e+300");
    assert_double(5e-324, "5e-324");
    assert_double(1.7976931348623157e308, "1.7976931348623157e+308");
}

static void json_has_no_name_for_nan_and_infinity(void **state)
{
    (void)state;
    assert_double((double)NAN, "null");
    assert_double((double)INFINITY, "null");
    assert_double(-(double)INFINITY, "null");
}

static uint64_t bits_of(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static void every_double_reads_back_the_same(void **state)
{
    struct fixture x = begin();

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = random_u64();
        double v, back = 0;

        memcpy(&v, &bits, sizeof(v));
        if (!isfinite(v))
            continue;
        buf_clear(&x.out);
        json_writer_init(&x.w, &x.out);
        json_double(&x.w, v);
        if (json_num_double(buf_str(&x.out), &back) < 0 || bits_of(v) != bits_of(back))
            fail_msg("%.17g was written as %.*s", v, STR_ARG(buf_str(&x.out)));
    }
    end(&x);
}

static void the_ceiling_of_the_buffer_shows_at_the_end(void **state)
{
    struct fixture x = begin();

    (void)state;
    x.out.max = 10;
    json_writer_init(&x.w, &x.out);
    json_arr_begin(&x.w);
    for (int i = 0; i < 100; i++)
        json_str(&x.w, STR("text"));
    json_arr_end(&x.w);
    assert_true(x.out.overflow);
    assert_true(x.out.len <= 10);
    end(&x);
}

static void deep_levels_keep_their_kind(void **state)
{
    struct fixture x = begin();

    (void)state;
    json_writer_init(&x.w, &x.out);
    for (uint32_t i = 0; i < JSON_WRITER_DEPTH_MAX; i++) {
        if (i % 3 == 2) {
            json_obj_begin(&x.w);
            json_key(&x.w, STR("k"));
        } else {
            json_arr_begin(&x.w);
        }
    }
    for (uint32_t i = JSON_WRITER_DEPTH_MAX; i-- > 0;) {
        if (i % 3 == 2)
            json_obj_end(&x.w);
        else
            json_arr_end(&x.w);
    }
    assert_true(json_is_complete(&x.w));
    end(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(punctuation_is_the_writers_business),
        cmocka_unit_test(people_get_one_member_a_line),
        cmocka_unit_test(an_array_may_follow_an_object),
        cmocka_unit_test(text_before_is_kept),
        cmocka_unit_test(only_what_must_be_escaped_is),
        cmocka_unit_test(broken_utf8_never_leaves),
        cmocka_unit_test(every_byte_comes_back_from_the_reader),
        cmocka_unit_test(doubles_are_as_short_as_can_be),
        cmocka_unit_test(json_has_no_name_for_nan_and_infinity),
        cmocka_unit_test(every_double_reads_back_the_same),
        cmocka_unit_test(the_ceiling_of_the_buffer_shows_at_the_end),
        cmocka_unit_test(deep_levels_keep_their_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
