/* SPDX-License-Identifier: Apache-2.0 */
#include "api/sumologic/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

static void assert_str(struct str got, const char *wanted)
{
    if (!str_eq(got, str_of(wanted)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(got), wanted);
}

static const struct boundary by_line = {.kind = BOUNDARY_LINE};
static const struct boundary by_body = {.kind = BOUNDARY_BODY};
static const struct boundary inferred = {.kind = BOUNDARY_INFER};

static void messages_are_lines_that_are_not_empty(void **state)
{
    static const struct {
        const char *body;
        uint64_t count;
    } rows[] = {{"", 0},     {"a", 1},     {"a\n", 1},   {"a\nb", 2},
                {"\n\n", 0}, {"a\r\n", 1}, {"\r\na", 1}, {"a\n\nb\n\n", 2}};

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_int_equal(received_count(&by_line, STR(""), str_of(rows[i].body)), rows[i].count);
    assert_int_equal(received_count(&by_body, STR(""), STR("a\nb\n")), 1);
    assert_int_equal(received_count(&by_body, STR(""), STR("")), 0);
    assert_int_equal(received_count(&by_line, STR("application/x-protobuf"), STR("a\nb\n")), 1);
    assert_int_equal(received_count(&inferred, STR("text/plain"), STR("a\n b\nc\n")), 2);
}

/* --- metadata --- */

#define FIELD(n, v)                                                                                \
    {                                                                                              \
        STR_INIT(n), STR_INIT(v)                                                                   \
    }

static struct str metadata(struct arena *a, struct http_field *fields, size_t count,
                           const char *query, const char *defaults, const char *signal)
{
    const struct http_req req = {.fields = fields, .field_count = count, .query = str_of(query)};

    return received_metadata(a, &req, (struct received_defaults){.source = str_of(defaults)},
                             str_of(signal));
}

static void header_fields_go_before_the_query_and_that_before_defaults(void **state)
{
    struct http_field fields[] = {FIELD("x-sumo-host", "web1"), FIELD("x-sumo-name", "")};

    assert_str(metadata(*state, fields, 2, "x&X-Sumo-Host=no&x-sumo-name=a+b%2Fc",
                        "host=d\nname=d\ncategory=kept\n", ""),
               "host=web1\nname=a b/c\ncategory=kept\n");
    assert_str(metadata(*state, NULL, 0, "", "", ""), "");
    assert_str(metadata(*state, NULL, 0, "", "name=s", "logs"), "name=s\nsignal=logs\n");
}

static void fields_add_up(void **state)
{
    struct http_field fields[] = {FIELD("x-sumo-fields", "a=b, c=d")};

    assert_str(metadata(*state, fields, 1, "", "fields=e=f\n", ""), "fields=a=b, c=d, e=f\n");
    assert_str(metadata(*state, fields, 1, "", "", ""), "fields=a=b, c=d\n");
    assert_str(metadata(*state, NULL, 0, "", "fields=e=f", ""), "fields=e=f\n");
}

static void what_the_collector_says_goes_last(void **state)
{
    struct http_field fields[] = {FIELD("x-sumo-fields", "a=b")};
    const struct http_req req = {.fields = fields, .field_count = 1, .query = STR("x")};
    const struct received_defaults both = {
        .source = STR("category=source\nfields=c=d\n"),
        .collector = STR("category=collector\nfields=e=f\n"),
    };
    const struct received_defaults alone = {.collector = both.collector};

    assert_str(received_metadata(*state, &req, both, STR("")),
               "category=source\nfields=a=b, c=d, e=f\n");
    assert_str(received_metadata(*state, &req, alone, STR("logs")),
               "category=collector\nfields=a=b, e=f\nsignal=logs\n");
}

/* One value, one line, however it was sent. */
static void no_value_begins_a_line_of_its_own(void **state)
{
    assert_str(metadata(*state, NULL, 0, "x-sumo-host=a%0Acategory%3Db%0d%00c", "", ""),
               "host=a category=b  c\n");
}

static void long_values_are_cut(void **state)
{
    char *value = arena_alloc(*state, 100000);
    struct http_field fields[] = {{STR_INIT("x-sumo-fields"), {value, 100000}}};
    const struct http_req req = {.fields = fields, .field_count = 1};

    memset(value, 'v', 100000);
    assert_true(received_metadata(*state, &req, (struct received_defaults){0}, STR("")).len < 8192);
}

static void a_query_is_a_message_without_its_metadata(void **state)
{
    static const struct {
        const char *query, *message;
    } rows[] = {
        {"", ""},
        {"hello+world%21", "hello world!"},
        {"a=1&b=2", "a=1&b=2"},
        {"X-Sumo-Name=n&a=1&x-sumo-fields=k%3Dv&b", "a=1&b"},
        {"&&a", "a"},
        {"100%", "100%"},
        {"%zz&a%20b", "%zz&a b"},
    };

    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_str(received_query(*state, str_of(rows[i].query)), rows[i].message);
}

/* --- rules --- */

static struct rules *two_rules(struct arena *a)
{
    const struct rule_spec specs[] = {
        {.kind = RULE_EXCLUDE, .pattern = STR(".*debug.*")},
        {.kind = RULE_MASK, .pattern = STR("key=(\\w+)"), .mask = STR("#")}};
    struct rules *r;
    struct fail f;

    assert_int_equal(rules_compile(a, specs, 2, RULE_MD5, &r, &f), 0);
    return r;
}

static void each_line_goes_through_the_rules_by_itself(void **state)
{
    struct rules *r = two_rules(*state);
    struct str out;
    uint64_t messages;
    struct fail f;

    assert_int_equal(received_filter(*state, r, &by_line, STR("text/plain"),
                                     STR("one key=abc\r\n\na debug line\nlast\n"), 1000, &out,
                                     &messages, &f),
                     0);
    assert_str(out, "one key=#\nlast");
    assert_int_equal(messages, 2);
    assert_int_equal(
        received_filter(*state, r, &by_line, STR(""), STR("debug\n"), 1000, &out, &messages, &f),
        0);
    assert_str(out, "");
    assert_int_equal(messages, 0);
}

static void one_message_is_all_of_the_body(void **state)
{
    struct rules *r = two_rules(*state);
    struct str out;
    uint64_t messages;
    struct fail f;

    assert_int_equal(received_filter(*state, r, &by_body, STR("text/plain"),
                                     STR("a debug\nkey=a\nkey=b\n"), 1000, &out, &messages, &f),
                     0);
    assert_str(out, "a debug\nkey=#\nkey=#\n");
    assert_int_equal(messages, 1);
}

static void rules_see_messages_of_several_lines(void **state)
{
    const struct rule_spec spec = {.kind = RULE_EXCLUDE, .pattern = STR("(?s).*debug.*")};
    struct rules *r;
    struct str out;
    uint64_t messages;
    struct fail f;

    assert_int_equal(rules_compile(*state, &spec, 1, RULE_MD5, &r, &f), 0);
    assert_int_equal(received_filter(*state, r, &inferred, STR("text/plain"),
                                     STR("one\n\tdebug\r\ntwo\r\n\tmore\r\n\r\nthree\n"), 1000,
                                     &out, &messages, &f),
                     0);
    assert_str(out, "two\r\n\tmore\nthree");
    assert_int_equal(messages, 2);
}

static void what_rules_cannot_read_is_refused(void **state)
{
    static const char *const types[] = {"application/x-protobuf", "application/Protobuf",
                                        "application/octet-stream"};
    struct rules *r = two_rules(*state);
    struct str out;
    uint64_t messages;
    struct fail f;

    for (size_t i = 0; i < COUNTOF(types); i++) {
        assert_int_equal(received_filter(*state, r, &by_line, str_of(types[i]), STR("x"), 1000,
                                         &out, &messages, &f),
                         -1);
        assert_string_equal(f.reason, "rules_need_text");
    }
}

static void what_grows_too_much_is_refused(void **state)
{
    struct rules *r = two_rules(*state);
    struct str out;
    uint64_t messages;
    struct fail f;

    assert_int_equal(received_filter(*state, r, &by_line, STR(""), STR("aaaa\nbbbb\ncccc"), 9, &out,
                                     &messages, &f),
                     -1);
    assert_string_equal(f.reason, "body_too_large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_are_lines_that_are_not_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(header_fields_go_before_the_query_and_that_before_defaults,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(fields_add_up, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_collector_says_goes_last, setup, teardown),
        cmocka_unit_test_setup_teardown(no_value_begins_a_line_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(long_values_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(a_query_is_a_message_without_its_metadata, setup, teardown),
        cmocka_unit_test_setup_teardown(each_line_goes_through_the_rules_by_itself, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_message_is_all_of_the_body, setup, teardown),
        cmocka_unit_test_setup_teardown(rules_see_messages_of_several_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(what_rules_cannot_read_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_grows_too_much_is_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
