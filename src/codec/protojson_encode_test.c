/* SPDX-License-Identifier: Apache-2.0 */
/* Messages into JSON: the order, the flavors, and what has no JSON form. What each type of value
 * looks like is in protojson_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/protojson.h"
#include "proto/google_protobuf_any.pb.h"
#include "proto/google_protobuf_duration.pb.h"
#include "proto/google_protobuf_field_mask.pb.h"
#include "proto/google_protobuf_struct.pb.h"
#include "proto/google_protobuf_timestamp.pb.h"
#include "proto/google_protobuf_wrappers.pb.h"
#include "proto/muster_test_v1_test.pb.h"

typedef struct muster_test_v1_everything everything;

static const struct proto_message *const all = &muster_test_v1_everything_desc;

struct bench {
    struct arena *a;
    struct protojson_flavor flavor;
    struct fail f;
    everything *e;
};

static int set_up(void **state)
{
    const struct proto_file *file = &muster_test_v1_test_file;
    struct bench *b = calloc(1, sizeof(*b));

    b->a = arena_new(4096);
    b->flavor.pool = proto_pool_new(b->a, &file, 1);
    b->e = proto_new(b->a, all);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    arena_free(&b->a);
    free(b);
    return 0;
}

static void writes(struct bench *b, const struct proto_message *m, const void *msg,
                   const char *wanted)
{
    struct buf out;

    buf_init_arena(&out, b->a, 1 << 20);
    if (protojson_encode(&b->flavor, m, b->a, msg, &out, &b->f) < 0)
        fail_msg("%s", b->f.message);
    assert_string_equal(arena_cstr(b->a, buf_str(&out)), wanted);
}

static void refuses(struct bench *b, const struct proto_message *m, const void *msg,
                    const char *message)
{
    struct buf out;

    b->f = (struct fail){0};
    buf_init_arena(&out, b->a, 1 << 20);
    assert_int_equal(protojson_encode(&b->flavor, m, b->a, msg, &out, &b->f), -1);
    assert_int_equal(b->f.code, CODE_INTERNAL);
    if (!strstr(b->f.message, message))
        fail_msg("\"%s\" lacks \"%s\"", b->f.message, message);
}

static void fields_stand_in_the_order_of_declaration(void **state)
{
    struct bench *b = *state;

    b->e->last = 1;
    b->e->a_int32 = 2;
    b->e->field1_name2 = 3;
    b->e->has_maybe_bool = true;
    writes(b, all, b->e, "{\"aInt32\":2,\"maybeBool\":false,\"field1Name2\":3,\"last\":1}");
}

static void maps_are_ordered_by_key(void **state)
{
    struct bench *b = *state;
    struct muster_test_v1_everything_by_int32_entry numbers[] = {
        {10, STR("a")}, {-1, STR("b")}, {9, STR("c")}};
    struct muster_test_v1_everything_by_bool_entry bools[] = {{true, STR("a")}, {false, STR("b")}};
    struct muster_test_v1_everything_by_string_entry texts[40];
    struct muster_test_v1_everything_by_uint64_entry big[] = {{UINT64_MAX, STR("a")},
                                                              {1, STR("b")}};

    b->e->by_int32.items = numbers;
    b->e->by_int32.count = 3;
    b->e->by_bool.items = bools;
    b->e->by_bool.count = 2;
    b->e->by_uint64.items = big;
    b->e->by_uint64.count = 2;
    writes(b, all, b->e,
           "{\"byInt32\":{\"-1\":\"b\",\"9\":\"c\",\"10\":\"a\"},"
           "\"byUint64\":{\"1\":\"b\",\"18446744073709551615\":\"a\"},"
           "\"byBool\":{\"false\":\"b\",\"true\":\"a\"}}");

    struct buf wanted;

    memset(b->e, 0, sizeof(*b->e));
    buf_init_arena(&wanted, b->a, 4096);
    buf_put_str(&wanted, STR("{\"byString\":{"));
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        texts[i].key = arena_printf(b->a, "%02zu", (i * 7) % COUNTOF(texts));
        texts[i].value = STR("");
        buf_printf(&wanted, "%s\"%02zu\":\"\"", i ? "," : "", i);
    }
    buf_put(&wanted, "}}", 3);
    b->e->by_string.items = texts;
    b->e->by_string.count = COUNTOF(texts);
    writes(b, all, b->e, (const char *)wanted.data);
}

static void names_enums_and_integers_have_two_forms(void **state)
{
    struct bench *b = *state;
    int32_t colors[] = {2, 77};
    struct google_protobuf_u_int64_value wrapped = {.value = 9};

    b->e->a_uint64 = UINT64_MAX;
    b->e->a_sfixed64 = -1;
    b->e->many_color.items = colors;
    b->e->many_color.count = 2;
    b->e->wrapped_uint64 = &wrapped;
    b->e->choice_case = MUSTER_TEST_V1_EVERYTHING_CHOICE_CHOICE_NULL;
    writes(b, all, b->e,
           "{\"aUint64\":\"18446744073709551615\",\"aSfixed64\":\"-1\","
           "\"manyColor\":[\"COLOR_BLUE\",77],\"choiceNull\":null,\"wrappedUint64\":\"9\"}");
    b->flavor.proto_names = b->flavor.enum_numbers = b->flavor.int64_numbers = true;
    writes(b, all, b->e,
           "{\"a_uint64\":18446744073709551615,\"a_sfixed64\":-1,\"many_color\":[2,77],"
           "\"choice_null\":null,\"wrapped_uint64\":9}");
}

static void defaults_may_be_written(void **state)
{
    struct bench *b = *state;
    struct muster_test_v1_report report = {0};

    writes(b, &muster_test_v1_report_desc, &report, "{}");
    b->flavor.print_defaults = true;
    writes(b, &muster_test_v1_report_desc, &report,
           "{\"id\":\"\",\"attributes\":{},\"state\":\"STATE_UNSPECIFIED\",\"counters\":[]}");
}

static bool is_id_or_optional(const struct proto_message *m, const struct proto_field *fd)
{
    return m == &muster_test_v1_report_desc &&
           (str_eq(fd->name, STR("id")) || str_eq(fd->name, STR("counters")) ||
            str_eq(fd->name, STR("name")) || str_eq(fd->name, STR("seen_at")) ||
            str_eq(fd->name, STR("hash")));
}

static void the_default_of_one_field_may_be_written(void **state)
{
    struct bench *b = *state;
    struct muster_test_v1_report report = {0};

    b->flavor.prints_default = is_id_or_optional;
    writes(b, &muster_test_v1_report_desc, &report, "{\"id\":\"\",\"counters\":[]}");
}

static void integral_numbers_of_a_value_may_have_a_point(void **state)
{
    struct bench *b = *state;
    static const struct {
        double number;
        const char *plain;
        const char *pointed;
    } cases[] = {
        {1, "1", "1.0"},
        {-3, "-3", "-3.0"},
        {0, "0", "0.0"},
        {1.5, "1.5", "1.5"},
        {-0.0, "-0", "-0.0"},
        {1e22, "1e+22", "1e+22"},
        {100000, "100000", "100000.0"},
        {123456789012, "123456789012", "123456789012.0"},
    };

    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct google_protobuf_value v = {
            .kind_case = GOOGLE_PROTOBUF_VALUE_KIND_NUMBER_VALUE,
            .kind.number_value = cases[i].number,
        };

        b->flavor.point_doubles = false;
        writes(b, &google_protobuf_value_desc, &v, cases[i].plain);
        b->flavor.point_doubles = true;
        writes(b, &google_protobuf_value_desc, &v, cases[i].pointed);
    }
    b->e->a_double = 2;
    writes(b, all, b->e, "{\"aDouble\":2}");
}

static void what_has_no_json_form_is_refused(void **state)
{
    struct bench *b = *state;
    static const struct google_protobuf_timestamp times[] = {
        {253402300800, 0}, {-62135596801, 0}, {0, -1}, {0, 1000000000}};
    static const struct google_protobuf_duration durations[] = {
        {315576000001, 0}, {-315576000001, 0}, {1, -1}, {-1, 1}, {0, 1000000000}, {0, -1000000000}};
    static const char *const paths[] = {"", "A", "a,b", "a_", "a_1", "a__b", "_"};
    struct google_protobuf_value v = {0};

    for (size_t i = 0; i < COUNTOF(times); i++)
        refuses(b, &google_protobuf_timestamp_desc, &times[i], "out of range");
    for (size_t i = 0; i < COUNTOF(durations); i++)
        refuses(b, &google_protobuf_duration_desc, &durations[i], "out of range");
    for (size_t i = 0; i < COUNTOF(paths); i++) {
        struct str path = str_of(paths[i]);
        struct google_protobuf_field_mask mask = {.paths = {&path, 1}};

        refuses(b, &google_protobuf_field_mask_desc, &mask, "a path does not survive");
    }
    refuses(b, &google_protobuf_value_desc, &v, "no kind of value is set");
    v.kind_case = GOOGLE_PROTOBUF_VALUE_KIND_NUMBER_VALUE;
    v.kind.number_value = __builtin_nan("");
    refuses(b, &google_protobuf_value_desc, &v, "a number that JSON does not have");
}

static void an_any_is_opened_by_the_pool(void **state)
{
    struct bench *b = *state;
    struct google_protobuf_any any = {
        .type_url = STR("t/muster.test.v1.Everything.Nested"),
        .value = STR("\x08\x05"),
    };

    writes(b, &google_protobuf_any_desc, &any,
           "{\"@type\":\"t/muster.test.v1.Everything.Nested\",\"id\":5}");
    any.value = STR("\x08");
    refuses(b, &google_protobuf_any_desc, &any, "");
    any.type_url = STR("t/no.Such");
    refuses(b, &google_protobuf_any_desc, &any, "type is not known here");
    any.type_url = STR("");
    refuses(b, &google_protobuf_any_desc, &any, "type is not known here");
    any.value = STR("");
    writes(b, &google_protobuf_any_desc, &any, "{}");
    any.type_url = STR("t/muster.test.v1.Everything.Nested");
    b->flavor.pool = NULL;
    refuses(b, &google_protobuf_any_desc, &any, "type is not known here");
}

static void what_anys_hold_is_bounded_in_all(void **state)
{
    struct bench *b = *state;
    struct google_protobuf_any *anys = arena_new_array(b->a, struct google_protobuf_any, 64);
    struct buf many, out;

    /* Two bytes each become a whole message of some 100. */
    buf_init_arena(&many, b->a, 1 << 20);
    for (size_t i = 0; i < 30000; i++)
        buf_put(&many, "\x22\x00", 2);
    for (size_t i = 0; i < 64; i++) {
        anys[i].type_url = STR("t/muster.test.v1.Everything.Nested");
        anys[i].value = buf_str(&many);
    }
    b->e->many_anys.items = anys;
    b->e->many_anys.count = 64;
    buf_init_arena(&out, b->a, (size_t)1 << 30);
    assert_int_equal(protojson_encode(&b->flavor, all, b->a, b->e, &out, &b->f), -1);
    assert_int_equal(b->f.code, CODE_RESOURCE_EXHAUSTED);
    assert_true(arena_used(b->a) < ((size_t)64 << 20) + out.cap * 2 + (8u << 20));
}

static void more_than_a_hundred_levels_are_refused(void **state)
{
    struct bench *b = *state;
    struct buf out;
    everything *inner = b->e;

    for (size_t i = 1; i < 100; i++)
        inner = inner->an_everything = proto_new(b->a, all);
    buf_init_arena(&out, b->a, 1 << 20);
    assert_int_equal(protojson_encode(&b->flavor, all, b->a, b->e, &out, &b->f), 0);
    inner->an_everything = proto_new(b->a, all);
    refuses(b, all, b->e, "nests too deeply");
}

static void the_ceiling_of_the_buffer_is_respected(void **state)
{
    struct bench *b = *state;
    struct buf out;

    b->e->a_string = STR("0123456789");
    buf_init_arena(&out, b->a, 16);
    assert_int_equal(protojson_encode(&b->flavor, all, b->a, b->e, &out, &b->f), -1);
    assert_int_equal(b->f.code, CODE_RESOURCE_EXHAUSTED);
    assert_true(out.len <= 16);
}

static void one_field_may_be_the_whole_text(void **state)
{
    struct bench *b = *state;
    static const char *const cases[][2] = {
        {"a_int64", "\"0\""},  {"a_string", "\"\""},    {"a_color", "\"COLOR_UNSPECIFIED\""},
        {"many_int32", "[]"},  {"by_string", "{}"},     {"a_nested", "null"},
        {"choice_int32", "0"}, {"maybe_bool", "false"}, {"choice_string", "\"set\""},
        {"maybe_int32", "0"},  {"wkt_value", "null"},   {"an_everything", "{}"},
    };

    b->e->choice_case = MUSTER_TEST_V1_EVERYTHING_CHOICE_CHOICE_STRING;
    b->e->choice.choice_string = STR("set");
    b->e->an_everything = proto_new(b->a, all);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct proto_field *fd = proto_field_by_name(all, str_of(cases[i][0]));
        struct buf out;

        buf_init_arena(&out, b->a, 1 << 20);
        assert_int_equal(protojson_encode_field(&b->flavor, fd, b->a, b->e, &out, &b->f), 0);
        assert_string_equal(arena_cstr(b->a, buf_str(&out)), cases[i][1]);
    }
}

static void a_message_may_stand_inside_other_json(void **state)
{
    struct bench *b = *state;
    struct json_writer w;
    struct buf out;

    b->e->a_bytes = STR("\xff\xfe");
    buf_init_arena(&out, b->a, 1 << 20);
    json_writer_init(&w, &out);
    json_arr_begin(&w);
    for (int i = 0; i < 2; i++)
        assert_int_equal(protojson_write(&b->flavor, all, b->a, b->e, &w, &b->f), 0);
    json_arr_end(&w);
    assert_string_equal(arena_cstr(b->a, buf_str(&out)),
                        "[{\"aBytes\":\"//4=\"},{\"aBytes\":\"//4=\"}]");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fields_stand_in_the_order_of_declaration),
        TEST(maps_are_ordered_by_key),
        TEST(names_enums_and_integers_have_two_forms),
        TEST(defaults_may_be_written),
        TEST(the_default_of_one_field_may_be_written),
        TEST(integral_numbers_of_a_value_may_have_a_point),
        TEST(what_has_no_json_form_is_refused),
        TEST(an_any_is_opened_by_the_pool),
        TEST(what_anys_hold_is_bounded_in_all),
        TEST(more_than_a_hundred_levels_are_refused),
        TEST(the_ceiling_of_the_buffer_is_respected),
        TEST(one_field_may_be_the_whole_text),
        TEST(a_message_may_stand_inside_other_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
