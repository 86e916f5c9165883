/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf: messages as a whole, and what the tables made from .proto files say. */
#include "codec/proto.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/google_protobuf_wrappers.pb.h"
#include "proto/muster_test_v1_test.pb.h"

typedef struct muster_test_v1_everything everything;

static struct arena *a;
static struct fail f;

static int set_up(void **state)
{
    (void)state;
    a = arena_new(4096);
    f = (struct fail){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&a);
    return 0;
}

static everything *read_ok(struct str in)
{
    everything *e = proto_new(a, &muster_test_v1_everything_desc);

    if (proto_decode(&muster_test_v1_everything_desc, a, in, NULL, e, &f) < 0)
        fail_msg("%s", f.message);
    return e;
}

/* --- whole messages --- */

static void a_copy_does_not_depend_on_the_input(void **state)
{
    uint8_t bytes[] = {0x72, 1,    'a', 0xe2, 0x05, 6,   0x0a, 1,    'k', 0x12, 1, 'v',
                       0xca, 0x03, 3,   0x12, 1,    't', 0xaa, 0x07, 3,   0x12, 1, 'x'};
    everything *e, *copy;

    (void)state;
    e = read_ok(str_make(bytes, sizeof(bytes)));
    copy = proto_copy(a, &muster_test_v1_everything_desc, e);
    assert_true(proto_equal(&muster_test_v1_everything_desc, e, copy));
    memset(bytes, '!', sizeof(bytes));
    assert_true(str_eq(copy->a_string, STR("a")));
    assert_true(str_eq(copy->by_string.items[0].key, STR("k")));
    assert_true(str_eq(copy->many_nested.items[0].text, STR("t")));
    assert_true(str_eq(copy->choice.choice_nested->text, STR("x")));
    assert_false(proto_equal(&muster_test_v1_everything_desc, e, copy));
}

static void messages_are_equal_whatever_the_order_of_their_map_entries(void **state)
{
    struct muster_test_v1_everything_by_int32_entry one[] = {{.key = 1}, {.key = 2}};
    struct muster_test_v1_everything_by_int32_entry two[] = {{.key = 2}, {.key = 1}};
    everything x = {.by_int32 = {one, 2}}, y = {.by_int32 = {two, 2}};

    (void)state;
    assert_true(proto_equal(&muster_test_v1_everything_desc, &x, &y));
    two[0].value = STR("other");
    assert_false(proto_equal(&muster_test_v1_everything_desc, &x, &y));
    x = (everything){.a_double = (double)NAN};
    assert_false(proto_equal(&muster_test_v1_everything_desc, &x, &x));
}

/* --- tables --- */

static void fields_are_found_by_number_and_by_both_names(void **state)
{
    const struct proto_message *m = &muster_test_v1_everything_desc;

    (void)state;
    for (size_t i = 0; i < m->field_count; i++) {
        assert_ptr_equal(proto_field_by_number(m, m->fields[i].number), &m->fields[i]);
        assert_ptr_equal(proto_field_by_name(m, m->fields[i].name), &m->fields[i]);
        assert_ptr_equal(proto_field_by_name(m, m->fields[i].json_name), &m->fields[i]);
    }
    assert_null(proto_field_by_number(m, 0));
    assert_null(proto_field_by_number(m, 20));
    assert_null(proto_field_by_number(m, 1000));
    assert_null(proto_field_by_name(m, STR("a_int3")));
    assert_string_equal(proto_field_by_name(m, STR("@under"))->name.p, "_under__scored_");
    assert_int_equal(proto_field_by_name(m, STR("last"))->number, 536870911);
    assert_true(proto_field_by_name(m, STR("deprecatedText"))->deprecated);
}

static void enum_values_are_found_by_name_and_number(void **state)
{
    const struct proto_enum *e = &muster_test_v1_color_desc;
    int32_t number = 0;

    (void)state;
    assert_true(str_eq(proto_enum_name(e, 1), STR("COLOR_RED")));
    assert_true(str_eq(proto_enum_name(e, INT32_MIN), STR("COLOR_FAR_BELOW")));
    assert_int_equal(proto_enum_name(e, 3).len, 0);
    assert_int_equal(proto_enum_number(e, STR("COLOR_CRIMSON"), &number), 0);
    assert_int_equal(number, 1);
    assert_int_equal(proto_enum_number(e, STR("COLOR"), &number), -1);
}

static void methods_say_what_their_options_say(void **state)
{
    const struct proto_method *methods = muster_test_v1_test_service_desc.methods;
    const struct proto_method *m = &methods[MUSTER_TEST_V1_TEST_SERVICE_UPDATE_THING];

    (void)state;
    assert_string_equal(m->path.p, "/muster.test.v1.TestService/UpdateThing");
    assert_ptr_equal(m->input, &muster_test_v1_update_thing_request_desc);
    assert_int_equal(m->idempotency, PROTO_IDEMPOTENT);
    assert_int_equal(m->access, PROTO_ACCESS_OPEN);
    assert_int_equal(m->http_count, 2);
    assert_string_equal(m->http[0].verb.p, "PATCH");
    assert_string_equal(m->http[0].body.p, "thing");
    assert_string_equal(m->http[1].path.p, "/test/v1/{thing.name=shelves/*/things/*}");

    m = &methods[MUSTER_TEST_V1_TEST_SERVICE_CREATE_THING];
    assert_int_equal(m->access, PROTO_ACCESS_SCOPED);
    assert_int_equal(m->lane, PROTO_LANE_WRITE);
    assert_int_equal(m->scope_count, 1);
    assert_string_equal(m->scopes[0].p, "collectors:write");

    m = &methods[MUSTER_TEST_V1_TEST_SERVICE_COUNT];
    assert_true(m->server_streaming && !m->client_streaming);
    assert_string_equal(methods[MUSTER_TEST_V1_TEST_SERVICE_DELETE_THING].http[1].verb.p, "PURGE");
    assert_string_equal(methods[MUSTER_TEST_V1_TEST_SERVICE_LIST_THINGS].http[1].response_body.p,
                        "things");
}

static void a_pool_knows_its_files_and_all_that_they_import(void **state)
{
    static const struct proto_file *const files[] = {&muster_test_v1_test_file};
    struct proto_pool *p = proto_pool_new(a, files, 1);
    const struct proto_file *const *all;
    size_t count, seen = 0;

    (void)state;
    all = proto_pool_files(p, &count);
    assert_int_equal(count, 12);
    assert_ptr_equal(all[count - 1], files[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < all[i]->dep_count; k++) {
            for (size_t j = 0; j < i; j++)
                seen += all[j] == all[i]->deps[k];
            seen--; /* each is among those before, once */
        }
        assert_int_equal(seen, 0);
        assert_ptr_equal(proto_pool_file(p, all[i]->name), all[i]);
        assert_true(all[i]->descriptor.len > 0);
    }
    assert_true(str_starts_with(files[0]->source, STR("// SPDX")));
    assert_ptr_equal(proto_pool_message(p, STR("google.protobuf.Int32Value")),
                     &google_protobuf_int32_value_desc);
    assert_ptr_equal(proto_pool_message(p, STR("muster.test.v1.Everything.Nested")),
                     &muster_test_v1_everything_nested_desc);
    assert_null(proto_pool_message(p, STR("muster.test.v1.TestService")));
    assert_ptr_equal(proto_pool_enum(p, STR("muster.test.v1.Color")), &muster_test_v1_color_desc);
    assert_ptr_equal(proto_pool_service(p, STR("muster.test.v1.TestService")),
                     &muster_test_v1_test_service_desc);
    assert_string_equal(proto_pool_method(p, STR("/muster.test.v1.TestService/Chat"))->name.p,
                        "Chat");
    assert_null(proto_pool_method(p, STR("/muster.test.v1.TestService/")));
}

static void a_pool_finds_the_file_of_a_symbol(void **state)
{
    static const struct proto_file *const files[] = {&muster_test_v1_test_file};
    static const char *const symbols[] = {
        "muster.test.v1.Everything",           "muster.test.v1.Everything.Nested.id",
        "muster.test.v1.Everything.choice",    "muster.test.v1.COLOR_RED",
        "muster.test.v1.Everything.INNER_ONE", "muster.test.v1.TestService",
        "muster.test.v1.TestService.Echo"};
    struct proto_pool *p = proto_pool_new(a, files, 1);

    (void)state;
    for (size_t i = 0; i < COUNTOF(symbols); i++)
        assert_ptr_equal(proto_pool_symbol(p, str_of(symbols[i])), files[0]);
    assert_string_equal(proto_pool_symbol(p, STR("google.protobuf.FieldOptions"))->name.p,
                        "google/protobuf/descriptor.proto");
    assert_string_equal(
        proto_pool_extension(p, STR("google.protobuf.MethodOptions"), 72295728)->name.p,
        "google/api/annotations.proto");
    assert_null(proto_pool_extension(p, STR("google.protobuf.MethodOptions"), 1));
    assert_null(proto_pool_symbol(p, STR("muster.test.v1")));
}

static void well_known_messages_are_marked(void **state)
{
    const struct proto_message *m = &muster_test_v1_everything_desc;
    static const struct {
        const char *name;
        enum proto_kind kind;
    } cases[] = {
        {"wkt_timestamp", PROTO_KIND_TIMESTAMP},
        {"wkt_duration", PROTO_KIND_DURATION},
        {"wkt_field_mask", PROTO_KIND_FIELD_MASK},
        {"wkt_struct", PROTO_KIND_STRUCT},
        {"wkt_value", PROTO_KIND_VALUE},
        {"wkt_list_value", PROTO_KIND_LIST_VALUE},
        {"wkt_any", PROTO_KIND_ANY},
        {"wkt_empty", PROTO_KIND_EMPTY},
        {"wrapped_bytes", PROTO_KIND_WRAPPER},
        {"a_nested", PROTO_KIND_PLAIN},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++)
        assert_int_equal(proto_field_by_name(m, str_of(cases[i].name))->message->kind,
                         cases[i].kind);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_copy_does_not_depend_on_the_input),
        CASE(messages_are_equal_whatever_the_order_of_their_map_entries),
        CASE(fields_are_found_by_number_and_by_both_names),
        CASE(enum_values_are_found_by_name_and_number),
        CASE(methods_say_what_their_options_say),
        CASE(a_pool_knows_its_files_and_all_that_they_import),
        CASE(a_pool_finds_the_file_of_a_symbol),
        CASE(well_known_messages_are_marked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
