/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/pipeline_message.h"
#include "codec/protojson.h"

static const struct protojson_flavor canonical;

static int set_up(void **state)
{
    *state = arena_new(4096);
    return 0;
}

static int tear_down(void **state)
{
    struct arena *a = *state;

    arena_free(&a);
    return 0;
}

/* What a client writes as JSON, as it would be stored. */
static int stored(struct arena *a, const char *text, struct pipeline *row, struct fail *f)
{
    struct pipeline_v1_pipeline *in = proto_new(a, &pipeline_v1_pipeline_desc);
    struct pipeline_spec spec;

    assert_int_equal(
        protojson_decode(&canonical, &pipeline_v1_pipeline_desc, a, str_of(text), NULL, in, f), 0);
    *row = (struct pipeline){.id = 7, .name = in->name};
    if (pipeline_message_read(a, in, &spec, &row->enabled, f) < 0)
        return -1;
    return pipeline_spec_encode(a, &spec, &row->body, f);
}

static void assert_comes_back(struct arena *a, const char *in, const char *expected)
{
    struct pipeline_v1_pipeline out;
    struct pipeline row;
    struct buf text;
    struct fail f = {0};

    assert_int_equal(stored(a, in, &row, &f), 0);
    row.created_us = INT64_C(1767225600000001);
    row.updated_us = INT64_C(1767225601999999);
    assert_int_equal(pipeline_message_write(a, &row, &out, &f), 0);
    buf_init_arena(&text, a, 65536);
    assert_int_equal(protojson_encode(&canonical, &pipeline_v1_pipeline_desc, a, &out, &text, &f),
                     0);
    assert_string_equal(arena_cstr(a, buf_str(&text)), expected);
}

#define TIMES "\"createdAt\":\"2026-01-01T00:00:00Z\",\"updatedAt\":\"2026-01-01T00:00:01Z\","

static void what_is_left_out_gets_its_default(void **state)
{
    assert_comes_back(*state, "{\"name\":\"web\",\"contents\":\"x\"}",
                      "{\"name\":\"web\",\"contents\":\"x\"," TIMES
                      "\"enabled\":true,\"id\":\"7\",\"configType\":\"CONFIG_TYPE_ALLOY\"}");
}

static void everything_comes_back_as_it_was_written(void **state)
{
    assert_comes_back(
        *state,
        "{\"name\":\"web\",\"contents\":\"a: 1\\n\\n\",\"matchers\":[\"z = \\\"1\\\"\",\"a!~b\"],"
        "\"enabled\":false,\"metadata\":{\"a\":[1,null,{\"b\":\"c\"}]},"
        "\"source\":{\"type\":\"SOURCE_TYPE_GIT\",\"namespace\":\"n\"},"
        "\"configType\":\"CONFIG_TYPE_OTEL\",\"id\":\"999\",\"createdAt\":\"2001-01-01T00:00:"
        "00Z\"}",
        "{\"name\":\"web\",\"contents\":\"a: 1\\n\\n\",\"matchers\":[\"z = "
        "\\\"1\\\"\",\"a!~b\"]," TIMES
        "\"enabled\":false,\"id\":\"7\",\"metadata\":{\"a\":[1,null,{\"b\":\"c\"}]},"
        "\"source\":{\"type\":\"SOURCE_TYPE_GIT\",\"namespace\":\"n\"},"
        "\"configType\":\"CONFIG_TYPE_OTEL\"}");
}

static void what_is_set_but_empty_is_told_from_what_is_not(void **state)
{
    assert_comes_back(*state, "{\"name\":\"w\",\"contents\":\"x\",\"metadata\":{},\"source\":{}}",
                      "{\"name\":\"w\",\"contents\":\"x\"," TIMES
                      "\"enabled\":true,\"id\":\"7\",\"metadata\":{},\"source\":{},"
                      "\"configType\":\"CONFIG_TYPE_ALLOY\"}");
}

static void a_pipeline_that_is_not_stored_has_no_id_and_no_times(void **state)
{
    struct pipeline_v1_pipeline out;
    struct pipeline row;
    struct fail f = {0};

    assert_int_equal(stored(*state, "{\"name\":\"web\",\"contents\":\"x\"}", &row, &f), 0);
    row.id = 0;
    assert_int_equal(pipeline_message_write(*state, &row, &out, &f), 0);
    assert_false(out.has_id);
    assert_null(out.created_at);
    assert_null(out.updated_at);
}

static void an_unknown_type_is_refused(void **state)
{
    struct pipeline row;
    struct fail f = {0};

    assert_int_equal(stored(*state, "{\"name\":\"web\",\"configType\":3}", &row, &f), -1);
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    assert_string_equal(f.field, "config_type");
}

static void a_body_that_is_none_is_data_loss(void **state)
{
    const struct pipeline row = {.id = 1, .name = STR("x"), .body = STR("\xff\xff")};
    struct pipeline_v1_pipeline out;
    struct fail f = {0};

    assert_int_equal(pipeline_message_write(*state, &row, &out, &f), -1);
    assert_int_equal(f.code, CODE_DATA_LOSS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_left_out_gets_its_default),
        TEST(everything_comes_back_as_it_was_written),
        TEST(what_is_set_but_empty_is_told_from_what_is_not),
        TEST(a_pipeline_that_is_not_stored_has_no_id_and_no_times),
        TEST(an_unknown_type_is_refused),
        TEST(a_body_that_is_none_is_data_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
