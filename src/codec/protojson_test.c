/* SPDX-License-Identifier: Apache-2.0 */
/* JSON into messages: each rule by examples. What was read is looked at by what is written for it;
 * tests/protojson_differential.py compares both with another implementation. */
#include "codec/protojson.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/google_protobuf_wrappers.pb.h"
#include "proto/muster_test_v1_test.pb.h"

typedef struct muster_test_v1_everything everything;

static const struct proto_message *const all = &muster_test_v1_everything_desc;

struct bench {
    struct arena *a;
    struct protojson_flavor flavor;
    struct fail f;
};

static int set_up(void **state)
{
    const struct proto_file *file = &muster_test_v1_test_file;
    struct bench *b = calloc(1, sizeof(*b));

    b->a = arena_new(4096);
    b->flavor.pool = proto_pool_new(b->a, &file, 1);
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

static const char *written(struct bench *b, const struct proto_message *m, const void *msg)
{
    static const struct protojson_flavor plain;
    struct protojson_flavor flavor = plain;
    struct buf out;

    flavor.pool = b->flavor.pool;
    buf_init_arena(&out, b->a, 1 << 20);
    if (protojson_encode(&flavor, m, b->a, msg, &out, &b->f) < 0)
        fail_msg("cannot be written: %s", b->f.message);
    return arena_cstr(b->a, buf_str(&out));
}

static void reads_as(struct bench *b, const char *text, const char *wanted)
{
    everything *e = proto_new(b->a, all);

    if (protojson_decode(&b->flavor, all, b->a, str_of(text), NULL, e, &b->f) < 0)
        fail_msg("%s: %s", text, b->f.message);
    assert_string_equal(written(b, all, e), wanted);
}

static void same(struct bench *b, const char *text)
{
    reads_as(b, text, text);
}

static void refused(struct bench *b, const char *text, const char *reason, const char *field,
                    const char *message)
{
    everything *e = proto_new(b->a, all);

    b->f = (struct fail){0};
    if (protojson_decode(&b->flavor, all, b->a, str_of(text), NULL, e, &b->f) == 0)
        fail_msg("%s was read as %s", text, written(b, all, e));
    if (!strstr(b->f.message, message))
        fail_msg("%s: \"%s\" lacks \"%s\"", text, b->f.message, message);
    assert_string_equal(b->f.reason, reason);
    assert_string_equal(b->f.field, field);
    assert_int_equal(b->f.code, CODE_INVALID_ARGUMENT);
}

/* {"<field>":<value>} for each of them. */
static void refused_values(struct bench *b, const char *json_name, const char *name,
                           const char *const *values, const char *reason)
{
    for (; *values; values++) {
        struct str text = arena_printf(b->a, "{\"%s\":%s}", json_name, *values);

        refused(b, arena_cstr(b->a, text), reason, name, "");
    }
}

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* --- members --- */

static void a_field_is_known_by_both_of_its_names(void **state)
{
    reads_as(*state, " {\"a_int32\" :1,\n\t\"aInt64\": 2}\r\n", "{\"aInt32\":1,\"aInt64\":\"2\"}");
    reads_as(*state, "{\"_under__scored_\":\"x\"}", "{\"@under\":\"x\"}");
    same(*state, "{\"@under\":\"x\",\"field1Name2\":3}");
    same(*state, "{}");
}

static void a_field_that_comes_twice_is_refused(void **state)
{
    refused(*state, "{\"aInt32\":1,\"aInt32\":1}", "malformed", "", "duplicate key");
    refused(*state, "{\"aInt32\":1,\"a_int32\":1}", "malformed", "", "field a_int32 comes twice");
    refused(*state, "{\"aInt32\":null,\"a_int32\":1}", "malformed", "", "comes twice");
    refused(*state, "{\"a_nested\":{},\"aNested\":null}", "malformed", "", "comes twice");
    refused(*state, "{\"aNested\":{\"id\":1,\"\\u0069d\":1}}", "malformed", "a_nested",
            "duplicate key");
}

static void a_oneof_has_one_member(void **state)
{
    same(*state, "{\"choiceInt32\":0}");
    same(*state, "{\"choiceString\":\"\"}");
    same(*state, "{\"choiceNested\":{}}");
    reads_as(*state, "{\"choiceInt32\":null,\"choiceBool\":false,\"choiceBytes\":null}",
             "{\"choiceBool\":false}");
    same(*state, "{\"choiceNull\":null}");
    same(*state, "{\"choiceBool\":true,\"int\":\"x\"}");
    refused(*state, "{\"choiceBool\":true,\"choiceString\":\"\"}", "malformed", "",
            "a second member of oneof choice");
    refused(*state, "{\"choiceBool\":true,\"choiceNull\":null}", "malformed", "", "second member");
}

static void null_is_absent(void **state)
{
    reads_as(*state,
             "{\"aInt32\":null,\"aString\":null,\"aColor\":null,\"aNested\":null,"
             "\"manyInt32\":null,\"manyNested\":null,\"byString\":null,\"maybeInt32\":null,"
             "\"wktTimestamp\":null,\"wktStruct\":null,\"wktListValue\":null,\"wktAny\":null,"
             "\"wktEmpty\":null,\"wrappedInt32\":null,\"manyValues\":null,\"valueByName\":null}",
             "{}");
    same(*state, "{\"wktValue\":null}");
    reads_as(*state, "{\"wktNull\":null}", "{}"); /* its default */
}

static void null_is_no_item_and_no_value_of_a_map(void **state)
{
    refused(*state, "{\"manyInt32\":[1,null]}", "wrong_type", "many_int32[1]", "found null");
    refused(*state, "{\"manyNested\":[null]}", "wrong_type", "many_nested[0]", "found null");
    refused(*state, "{\"manyWrappedInt64s\":[null]}", "wrong_type", "many_wrapped_int64s[0]", "");
    refused(*state, "{\"byString\":{\"a\":null}}", "wrong_type", "by_string[\"a\"]", "found null");
    refused(*state, "{\"wrappedByName\":{\"a\":null}}", "wrong_type", "wrapped_by_name[\"a\"]", "");
    same(*state, "{\"manyValues\":[null,1],\"valueByName\":{\"a\":null}}");
}

static void an_unknown_member_is_refused_by_name(void **state)
{
    refused(*state, "{\"bogus\":1}", "unknown_field", "bogus",
            "muster.test.v1.Everything has no field \"bogus\" at line 1, column 2");
    refused(*state, "{\"aNested\":{\"children\":[{},{\"a\\nb\":1}]}}", "unknown_field",
            "a_nested.children[1].a?b", "has no field \"a?b\"");
    refused(*state, "{\"nestedByName\":{\"k\":{\"x\":1}}}", "unknown_field",
            "nested_by_name[\"k\"].x", "");
    refused(*state, "{\"AInt32\":1}", "unknown_field", "AInt32", "");
    refused(*state, "{\"@type\":1}", "unknown_field", "@type", "");
    refused(*state, "{\"wktEmpty\":{\"a\":1}}", "unknown_field", "wkt_empty.a", "");
}

static void unknown_members_may_be_ignored(void **state)
{
    struct bench *b = *state;

    b->flavor.ignore_unknown = true;
    reads_as(b, "{\"bogus\":{\"x\":[1,{}]},\"aInt32\":1,\"wktEmpty\":{\"y\":2}}",
             "{\"aInt32\":1,\"wktEmpty\":{}}");
    reads_as(b, "{\"aColor\":\"PLAID\",\"aInt32\":1}", "{\"aInt32\":1}");
    reads_as(b, "{\"maybeColor\":\"PLAID\"}", "{}");
    reads_as(b, "{\"choiceColor\":\"PLAID\"}", "{}");
    reads_as(b, "{\"manyColor\":[\"COLOR_RED\",\"PLAID\",2]}",
             "{\"manyColor\":[\"COLOR_RED\",\"COLOR_BLUE\"]}");
    reads_as(b, "{\"colorByName\":{\"a\":\"PLAID\",\"b\":1}}",
             "{\"colorByName\":{\"b\":\"COLOR_RED\"}}");
    refused(b, "{\"bogus\":{\"x\":1,\"x\":2}}", "malformed", "", "duplicate key");
    refused(b, "{\"bogus\":[1,]}", "malformed", "", "expected a value");
    refused(b, "{\"aColor\":true}", "wrong_type", "a_color", "");
    refused(b, "{\"aInt32\":\"x\"}", "malformed", "a_int32", "");
}

static void what_follows_the_value_is_refused(void **state)
{
    refused(*state, "{} {}", "malformed", "", "expected the end of the text");
    refused(*state, "{}x", "malformed", "", "expected the end of the text");
    refused(*state, "", "malformed", "", "JSON ends early");
    refused(*state, "{\"aInt32\":1", "malformed", "", "JSON ends early");
    refused(*state, "{\"aInt32\":1,}", "malformed", "", "expected a key");
}

static void a_message_is_an_object(void **state)
{
    refused(*state, "null", "wrong_type", "", "expected an object, found null");
    refused(*state, "[]", "wrong_type", "", "expected an object, found an array");
    refused(*state, "{\"aNested\":\"x\"}", "wrong_type", "a_nested", "found a string");
    refused(*state, "{\"manyNested\":{}}", "wrong_type", "many_nested", "expected a list");
    refused(*state, "{\"manyNested\":[[]]}", "wrong_type", "many_nested[0]", "expected an object");
    refused(*state, "{\"byString\":[]}", "wrong_type", "by_string", "expected an object");
    refused(*state, "{\"manyInt32\":1}", "wrong_type", "many_int32", "expected a list");
}

/* --- scalars --- */

static void integers_are_numbers_or_strings(void **state)
{
    reads_as(*state, "{\"manyInt32\":[0,-0,1.0,1e3,\"7\",\"-7\",\"1e3\",12.50e2,100e-2]}",
             "{\"manyInt32\":[0,0,1,1000,7,-7,1000,1250,1]}");
    same(*state, "{\"manyInt32\":[-2147483648,2147483647],\"manyUint32\":[0,4294967295]}");
    same(*state,
         "{\"manyInt64\":[\"-9223372036854775808\",\"9223372036854775807\"],"
         "\"manyUint64\":[\"0\",\"18446744073709551615\"],"
         "\"manySint32\":[-2147483648],\"manySint64\":[\"-9223372036854775808\"],"
         "\"manyFixed32\":[4294967295],\"manyFixed64\":[\"18446744073709551615\"],"
         "\"manySfixed32\":[-2147483648],\"manySfixed64\":[\"9223372036854775807\"]}");
    reads_as(*state, "{\"aInt64\":9223372036854775807,\"aUint64\":18446744073709551615}",
             "{\"aInt64\":\"9223372036854775807\",\"aUint64\":\"18446744073709551615\"}");
    reads_as(*state, "{\"aInt64\":9007199254740993.0}", "{\"aInt64\":\"9007199254740993\"}");
}

static void integers_out_of_range_or_with_a_fraction_are_refused(void **state)
{
    refused_values(*state, "aInt32", "a_int32",
                   VALUES("2147483648", "-2147483649", "1.5", "\"1.5\"", "1e10", "1e-1", "\"\"",
                          "\" 1\"", "\"1 \"", "\"+1\"", "\"0x1\"", "\"1_0\"", "\"01\"", "\"NaN\""),
                   "malformed");
    refused_values(*state, "aInt32", "a_int32", VALUES("true", "{}", "[]", "[1]"), "wrong_type");
    refused_values(*state, "aUint32", "a_uint32", VALUES("-1", "4294967296"), "malformed");
    refused_values(*state, "aInt64", "a_int64",
                   VALUES("9223372036854775808", "\"-9223372036854775809\"", "1e19"), "malformed");
    refused_values(*state, "aUint64", "a_uint64",
                   VALUES("18446744073709551616", "-1", "\"-1\"", "1e20"), "malformed");
    refused_values(*state, "aSfixed32", "a_sfixed32", VALUES("2147483648"), "malformed");
    refused_values(*state, "aFixed32", "a_fixed32", VALUES("-1"), "malformed");
    refused(*state, "{\"aInt32\":01}", "malformed", "a_int32", "leading zero");
}

static void floats_are_numbers_or_strings(void **state)
{
    same(*state,
         "{\"manyFloat\":[0.1,1.5,-0,16777215,16777216,1e+10,3.4028235e+38,1e-45],"
         "\"manyDouble\":[0.1,9007199254740991,1e+22,5e-324,1.7976931348623157e+308]}");
    same(*state,
         "{\"manyFloat\":[\"NaN\",\"Infinity\",\"-Infinity\"],"
         "\"manyDouble\":[\"NaN\",\"Infinity\",\"-Infinity\"]}");
    reads_as(*state, "{\"manyDouble\":[\"1.5\",\"-1e3\",1e-400]}",
             "{\"manyDouble\":[1.5,-1000,0]}");
    reads_as(*state, "{\"aFloat\":1e-60,\"aDouble\":0.0}", "{}");
    refused_values(*state, "aDouble", "a_double",
                   VALUES("1e309", "-1e309", "\"1e309\"", "\"nan\"", "\"inf\"", "\"infinity\"",
                          "\"+Infinity\"", "\"\"", "\" 1\"", "\"1f\"", "\"0x1p3\""),
                   "malformed");
    refused_values(*state, "aFloat", "a_float", VALUES("3.5e38", "-3.5e38", "\"1e39\"", "\"x\""),
                   "malformed");
    refused_values(*state, "aDouble", "a_double", VALUES("true", "{}", "[]"), "wrong_type");
    refused(*state, "{\"aDouble\":NaN}", "malformed", "a_double", "expected a value");
}

static void bools_are_true_and_false(void **state)
{
    same(*state, "{\"aBool\":true,\"maybeBool\":false,\"manyBool\":[true,false]}");
    refused_values(*state, "aBool", "a_bool", VALUES("1", "0", "\"true\"", "\"\"", "[]"),
                   "wrong_type");
}

static void strings_are_only_strings(void **state)
{
    same(*state, "{\"aString\":\"\\\"caf\xc3\xa9\\n\"}");
    reads_as(*state, "{\"aString\":\"\\u0041\\uD83D\\ude00\\u0000\\/\"}",
             "{\"aString\":\"A\xf0\x9f\x98\x80\\u0000/\"}");
    refused_values(*state, "aString", "a_string", VALUES("1", "true", "[]", "{}"), "wrong_type");
    refused(*state, "{\"aString\":\"\\ud800\"}", "malformed", "a_string", "surrogate");
    refused(*state, "{\"aString\":\"\xff\"}", "malformed", "", "not valid UTF-8");
    refused(*state, "{\"aString\":\"\x01\"}", "malformed", "a_string", "control character");
}

static void bytes_are_base64_of_either_alphabet(void **state)
{
    reads_as(*state, "{\"manyBytes\":[\"\",\"AQ==\",\"AQ\",\"AQI=\",\"AQI\",\"AQID\"]}",
             "{\"manyBytes\":[\"\",\"AQ==\",\"AQ==\",\"AQI=\",\"AQI=\",\"AQID\"]}");
    reads_as(*state, "{\"manyBytes\":[\"-_8\",\"-_8=\",\"+/8=\",\"+_8\"]}",
             "{\"manyBytes\":[\"+/8=\",\"+/8=\",\"+/8=\",\"+/8=\"]}");
    refused_values(*state, "aBytes", "a_bytes",
                   VALUES("\"A\"", "\"AQ=\"", "\"AQ===\"", "\"A Q=\"", "\"****\"", "\"AQ\\n==\""),
                   "malformed");
    refused_values(*state, "aBytes", "a_bytes", VALUES("1", "[1]"), "wrong_type");
}

static void enums_are_names_or_numbers(void **state)
{
    reads_as(*state, "{\"manyColor\":[\"COLOR_CRIMSON\",2,2.0,77,-1,2147483647,-5,0]}",
             "{\"manyColor\":[\"COLOR_RED\",\"COLOR_BLUE\",\"COLOR_BLUE\",77,\"COLOR_BELOW\","
             "\"COLOR_FAR\",-5,\"COLOR_UNSPECIFIED\"]}");
    refused_values(*state, "aColor", "a_color",
                   VALUES("\"PLAID\"", "\"color_red\"", "\"1\"", "\"\"", "1.5", "2147483648"),
                   "malformed");
    refused_values(*state, "aColor", "a_color", VALUES("true", "{}", "[]"), "wrong_type");
}

static void keys_of_maps_are_strings(void **state)
{
    same(*state,
         "{\"byInt32\":{\"-2147483648\":\"a\",\"0\":\"b\",\"2147483647\":\"c\"},"
         "\"byInt64\":{\"-9223372036854775808\":\"a\",\"9223372036854775807\":\"\"},"
         "\"byUint32\":{\"4294967295\":\"a\"},"
         "\"byUint64\":{\"18446744073709551615\":\"a\"},"
         "\"bySint32\":{\"-1\":\"a\"},\"bySint64\":{\"-1\":\"a\"},"
         "\"byFixed32\":{\"1\":\"a\"},\"byFixed64\":{\"1\":\"a\"},"
         "\"bySfixed32\":{\"-1\":\"a\"},\"bySfixed64\":{\"-1\":\"a\"},"
         "\"byBool\":{\"false\":\"a\",\"true\":\"b\"},\"byString\":{\"\":\"a\"}}");
    refused(*state, "{\"byInt32\":{\"1\":\"a\",\"1\":\"b\"}}", "malformed", "by_int32",
            "duplicate key");
    for (const char *const *key =
             VALUES("01", "+1", "-0", "-01", "1.0", "1e3", " 1", "", "-", "x", "2147483648");
         *key; key++) {
        struct bench *b = *state;
        struct str text = arena_printf(b->a, "{\"byInt32\":{\"%s\":\"a\"}}", *key);
        struct str field = arena_printf(b->a, "by_int32[\"%s\"]", *key);

        refused(b, arena_cstr(b->a, text), "malformed", arena_cstr(b->a, field), "expected a");
    }
    refused(*state, "{\"byUint32\":{\"-1\":\"a\"}}", "malformed", "by_uint32[\"-1\"]", "");
    refused(*state, "{\"byBool\":{\"TRUE\":\"a\"}}", "malformed", "by_bool[\"TRUE\"]", "");
    refused(*state, "{\"byBool\":{\"1\":\"a\"}}", "malformed", "by_bool[\"1\"]", "");
}

static void a_set_optional_field_stays_set(void **state)
{
    same(*state,
         "{\"maybeInt32\":0,\"maybeInt64\":\"0\",\"maybeFloat\":0,\"maybeBool\":false,"
         "\"maybeString\":\"\",\"maybeBytes\":\"\",\"maybeColor\":\"COLOR_UNSPECIFIED\","
         "\"maybeNested\":{}}");
    reads_as(*state, "{\"aInt32\":0,\"aString\":\"\",\"manyInt32\":[],\"byString\":{}}", "{}");
}

static void what_was_read_lies_in_the_struct(void **state)
{
    struct bench *b = *state;
    everything *e = proto_new(b->a, all);
    struct str text =
        STR("{\"aString\":\"view\",\"choiceFloat\":0.5,\"byInt64\":{\"-3\":\"x\"},"
            "\"manyNested\":[{\"id\":4}],\"wktTimestamp\":\"1970-01-01T00:00:01Z\"}");

    assert_int_equal(protojson_decode(&b->flavor, all, b->a, text, NULL, e, &b->f), 0);
    assert_ptr_equal(e->a_string.p, text.p + 12);
    assert_int_equal(e->a_string.len, 4);
    assert_int_equal(e->choice_case, MUSTER_TEST_V1_EVERYTHING_CHOICE_CHOICE_FLOAT);
    assert_true(e->choice.choice_float == 0.5F);
    assert_int_equal(e->by_int64.count, 1);
    assert_int_equal(e->by_int64.items[0].key, -3);
    assert_true(str_eq(e->by_int64.items[0].value, STR("x")));
    assert_int_equal(e->many_nested.items[0].id, 4);
    assert_int_equal(e->wkt_timestamp->seconds, 1);
    assert_false(e->has_maybe_int32);
}

/* --- kinds with a form of their own --- */

static void a_timestamp_is_rfc_3339(void **state)
{
    reads_as(*state,
             "{\"manyTimestamps\":[\"1970-01-01T00:00:00Z\",\"2024-02-29T23:59:59.5+08:00\","
             "\"0001-01-01T00:00:00Z\",\"9999-12-31T23:59:59.999999999Z\","
             "\"1969-12-31T23:59:59.000001Z\",\"2000-01-01T00:00:00.120000-23:59\"]}",
             "{\"manyTimestamps\":[\"1970-01-01T00:00:00Z\",\"2024-02-29T15:59:59.500Z\","
             "\"0001-01-01T00:00:00Z\",\"9999-12-31T23:59:59.999999999Z\","
             "\"1969-12-31T23:59:59.000001Z\",\"2000-01-01T23:59:00.120Z\"]}");
    refused_values(*state, "wktTimestamp", "wkt_timestamp",
                   VALUES("\"\"", "\"2024-01-01\"", "\"2024-01-01T00:00:00\"",
                          "\"2024-01-01t00:00:00Z\"", "\"2024-01-01T00:00:00z\"",
                          "\"2023-02-29T00:00:00Z\"", "\"0000-01-01T00:00:00Z\"",
                          "\"0001-01-01T00:00:00+00:01\"", "\"9999-12-31T23:59:59-00:01\"",
                          "\"2024-01-01T00:00:00.Z\"", "\"2024-01-01T00:00:00.1234567890Z\""),
                   "malformed");
    refused_values(*state, "wktTimestamp", "wkt_timestamp", VALUES("0", "{}", "true"),
                   "wrong_type");
}

static void a_duration_is_seconds(void **state)
{
    reads_as(*state, "{\"wktDuration\":\"315576000000s\"}", "{\"wktDuration\":\"315576000000s\"}");
    reads_as(*state, "{\"wktDuration\":\"-315576000000s\"}",
             "{\"wktDuration\":\"-315576000000s\"}");
    reads_as(*state, "{\"wktDuration\":\"1.5s\"}", "{\"wktDuration\":\"1.500s\"}");
    reads_as(*state, "{\"wktDuration\":\"-0.5s\"}", "{\"wktDuration\":\"-0.500s\"}");
    reads_as(*state, "{\"wktDuration\":\"-0.000000001s\"}", "{\"wktDuration\":\"-0.000000001s\"}");
    reads_as(*state, "{\"wktDuration\":\"0.00001s\"}", "{\"wktDuration\":\"0.000010s\"}");
    reads_as(*state, "{\"wktDuration\":\"-0s\"}", "{\"wktDuration\":\"0s\"}");
    refused_values(*state, "wktDuration", "wkt_duration",
                   VALUES("\"\"", "\"s\"", "\"1\"", "\"1m\"", "\"1.s\"", "\".5s\"", "\"+1s\"",
                          "\"--1s\"", "\"1.-5s\"", "\" 1s\"", "\"1 s\"", "\"1.0000000000s\"",
                          "\"315576000001s\"", "\"-315576000001s\"", "\"1e3s\"", "\"1.2.3s\"",
                          "\"99999999999999999999s\""),
                   "malformed");
    refused_values(*state, "wktDuration", "wkt_duration", VALUES("1", "{}"), "wrong_type");
}

static void a_field_mask_is_one_string_of_paths(void **state)
{
    struct bench *b = *state;
    everything *e = proto_new(b->a, all);

    same(b, "{\"wktFieldMask\":\"aB.cD,e,\xc3\xa9\"}");
    same(b, "{\"wktFieldMask\":\"\"}");
    assert_int_equal(protojson_decode(&b->flavor, all, b->a,
                                      STR("{\"wktFieldMask\":\"fooBar.bazQux,Ab\"}"), NULL, e,
                                      &b->f),
                     0);
    assert_int_equal(e->wkt_field_mask->paths.count, 2);
    assert_true(str_eq(e->wkt_field_mask->paths.items[0], STR("foo_bar.baz_qux")));
    assert_true(str_eq(e->wkt_field_mask->paths.items[1], STR("_ab")));
    refused_values(b, "wktFieldMask", "wkt_field_mask",
                   VALUES("\"foo_bar\"", "\"a,,b\"", "\",\"", "\"a,\"", "\",a\""), "malformed");
    refused_values(b, "wktFieldMask", "wkt_field_mask", VALUES("[]", "{}", "1"), "wrong_type");
}

static void struct_value_and_list_are_plain_json(void **state)
{
    same(*state,
         "{\"wktStruct\":{\"a\":null,\"b\":1.5,\"c\":\"x\",\"d\":true,"
         "\"e\":{\"f\":[]},\"g\":[1,[2],{}]}}");
    same(*state, "{\"wktValue\":\"x\",\"wktListValue\":[null,false]}");
    same(*state, "{\"wktStruct\":{},\"wktValue\":{},\"wktListValue\":[]}");
    same(*state, "{\"manyValues\":[1,\"NaN\",[],{},null,true]}");
    refused(*state, "{\"wktStruct\":[]}", "wrong_type", "wkt_struct", "expected an object");
    refused(*state, "{\"wktListValue\":{}}", "wrong_type", "wkt_list_value", "expected a list");
    refused(*state, "{\"wktValue\":1e400}", "malformed", "wkt_value", "range of a double");
    refused(*state, "{\"wktStruct\":{\"a\":1,\"a\":2}}", "malformed", "wkt_struct", "duplicate");
    refused(*state, "{\"wktNull\":true}", "wrong_type", "wkt_null", "");
    reads_as(*state, "{\"choiceNull\":\"NULL_VALUE\"}", "{\"choiceNull\":null}");
    reads_as(*state, "{\"choiceNull\":0}", "{\"choiceNull\":null}");
}

static void a_wrapper_is_its_value(void **state)
{
    same(*state,
         "{\"wrappedDouble\":0,\"wrappedFloat\":\"NaN\",\"wrappedInt64\":\"0\","
         "\"wrappedUint64\":\"18446744073709551615\",\"wrappedInt32\":-1,"
         "\"wrappedUint32\":0,\"wrappedBool\":false,\"wrappedString\":\"\","
         "\"wrappedBytes\":\"AQ==\",\"manyWrappedInt64s\":[\"1\"],"
         "\"wrappedByName\":{\"a\":1}}");
    refused(*state, "{\"wrappedInt32\":{\"value\":1}}", "wrong_type", "wrapped_int32", "");
    refused(*state, "{\"wrappedBool\":\"true\"}", "wrong_type", "wrapped_bool", "");
    refused(*state, "{\"wrappedInt32\":2147483648}", "malformed", "wrapped_int32", "");
}

#define NESTED    "\"@type\":\"t.co/muster.test.v1.Everything.Nested\""
#define ANY(type) "\"@type\":\"t.co/google.protobuf." type "\""

static void an_any_is_the_message_and_its_type(void **state)
{
    same(*state, "{\"wktAny\":{}}");
    same(*state, "{\"wktAny\":{" NESTED ",\"id\":1,\"children\":[{\"text\":\"x\"}]}}");
    reads_as(*state, "{\"wktAny\":{\"id\":1,\"text\":\"x\"," NESTED ",\"children\":[]}}",
             "{\"wktAny\":{" NESTED ",\"id\":1,\"text\":\"x\"}}");
    same(*state, "{\"wktAny\":{" ANY("Duration") ",\"value\":\"1s\"}}");
    reads_as(*state, "{\"wktAny\":{\"value\":\"1s\"," ANY("Duration") "}}",
             "{\"wktAny\":{" ANY("Duration") ",\"value\":\"1s\"}}");
    same(*state, "{\"wktAny\":{" ANY("Int64Value") ",\"value\":\"5\"}}");
    same(*state, "{\"wktAny\":{" ANY("Value") ",\"value\":null}}");
    same(*state, "{\"wktAny\":{" ANY("Struct") ",\"value\":{\"@type\":1}}}");
    same(*state, "{\"wktAny\":{" ANY("Any") ",\"value\":{" NESTED ",\"id\":3}}}");
    same(*state, "{\"wktAny\":{" ANY("Empty") ",\"value\":{}}}");
    reads_as(*state, "{\"wktAny\":{" ANY("Empty") "}}",
             "{\"wktAny\":{" ANY("Empty") ",\"value\":{}}}");
    reads_as(*state,
             "{\"manyAnys\":[{\"value\":{\"value\":\"1s\"," ANY("Duration") "}," ANY("Any") "}]}",
             "{\"manyAnys\":[{" ANY("Any") ",\"value\":{" ANY("Duration") ",\"value\":\"1s\"}}]}");
}

static void an_any_that_cannot_be_understood_is_refused(void **state)
{
    struct bench *b = *state;

    refused(b, "{\"wktAny\":{\"id\":1}}", "malformed", "wkt_any", "without \"@type\"");
    refused(b, "{\"wktAny\":{\"@type\":1}}", "wrong_type", "wkt_any", "");
    refused(b, "{\"wktAny\":{\"id\":1,\"@type\":null}}", "wrong_type", "wkt_any", "");
    refused(b, "{\"wktAny\":{\"@type\":\"\"}}", "malformed", "wkt_any", "not known here");
    refused(b, "{\"wktAny\":{\"@type\":\"google.protobuf.Duration\",\"value\":\"1s\"}}",
            "malformed", "wkt_any", "not known here");
    refused(b, "{\"wktAny\":{\"@type\":\"t.co/no.Such\"}}", "malformed", "wkt_any", "");
    refused(b, "{\"wktAny\":{" NESTED ",\"bogus\":1}}", "unknown_field", "wkt_any.bogus", "");
    refused(b, "{\"wktAny\":{" NESTED ",\"id\":\"x\"}}", "malformed", "wkt_any.id", "");
    refused(b, "{\"wktAny\":{\"id\":1," NESTED ",\"id\":2}}", "malformed", "wkt_any", "duplicate");
    refused(b, "{\"wktAny\":{" ANY("Duration") "}}", "malformed", "wkt_any", "needs a \"value\"");
    refused(b, "{\"wktAny\":{" ANY("Duration") ",\"value\":\"1s\",\"x\":1}}", "unknown_field",
            "wkt_any.x", "");
    refused(b, "{\"wktAny\":{" ANY("Int32Value") ",\"value\":null}}", "wrong_type", "wkt_any", "");
    refused(b, "{\"wktAny\":[]}", "wrong_type", "wkt_any", "expected an object");
    b->flavor.pool = NULL;
    refused(b, "{\"wktAny\":{" NESTED "}}", "malformed", "wkt_any", "not known here");
}

/* --- flavors, limits, other ways in --- */

static void preset_ids(const struct proto_message *m, void *msg)
{
    if (m == &muster_test_v1_everything_nested_desc)
        ((struct muster_test_v1_everything_nested *)msg)->id = 7;
}

static void preset_values_come_before_the_members(void **state)
{
    struct bench *b = *state;

    b->flavor.preset = preset_ids;
    reads_as(
        b, "{\"aNested\":{},\"manyNested\":[{\"id\":1},{\"text\":\"x\"}],\"wktAny\":{" NESTED "}}",
        "{\"aNested\":{\"id\":7},\"manyNested\":[{\"id\":1},{\"id\":7,\"text\":\"x\"}],"
        "\"wktAny\":{" NESTED ",\"id\":7}}");
    reads_as(b, "{\"aNested\":null}", "{}");
    reads_as(b, "{\"aNested\":{\"id\":0}}", "{\"aNested\":{}}");
}

static struct str repeated(struct bench *b, const char *before, const char *part, size_t times,
                           const char *middle, const char *after)
{
    struct buf out;

    buf_init_arena(&out, b->a, SIZE_MAX / 4);
    buf_put_str(&out, str_of(before));
    for (size_t i = 0; i < times; i++)
        buf_put_str(&out, str_of(part));
    buf_put_str(&out, str_of(middle));
    for (size_t i = 0; i < times; i++)
        buf_put_str(&out, str_of(after));
    return buf_str(&out);
}

static int decode(struct bench *b, struct str text, const struct protojson_limits *limits)
{
    b->f = (struct fail){0};
    return protojson_decode(&b->flavor, all, b->a, text, limits, proto_new(b->a, all), &b->f);
}

static void assert_exhausted(struct bench *b, struct str text,
                             const struct protojson_limits *limits)
{
    assert_int_equal(decode(b, text, limits), -1);
    assert_int_equal(b->f.code, CODE_RESOURCE_EXHAUSTED);
    assert_string_equal(b->f.reason, "malformed");
}

/* No client does better with the same message later. */
static void assert_too_deep(struct bench *b, struct str text, const struct protojson_limits *limits)
{
    assert_int_equal(decode(b, text, limits), -1);
    assert_int_equal(b->f.code, CODE_INVALID_ARGUMENT);
    assert_string_equal(b->f.reason, "malformed");
    assert_non_null(strstr(b->f.message, "nests too deeply"));
}

static void depth_is_limited(void **state)
{
    struct bench *b = *state;
    static const struct protojson_limits two = {.depth = 2}, many = {.depth = 1000};

    assert_int_equal(decode(b, repeated(b, "", "{\"anEverything\":", 99, "{}", "}"), NULL), 0);
    assert_too_deep(b, repeated(b, "", "{\"anEverything\":", 100, "{}", "}"), NULL);
    assert_too_deep(b, repeated(b, "", "{\"anEverything\":", 100, "{}", "}"), &many);
    assert_int_equal(decode(b, STR("{\"aNested\":{}}"), &two), 0);
    assert_too_deep(b, STR("{\"aNested\":{\"children\":[]}}"), &two);
    b->flavor.ignore_unknown = true;
    assert_too_deep(b, repeated(b, "{\"bogus\":", "[", 100, "", "]"), NULL);
}

static struct str nested_values(struct bench *b, size_t levels)
{
    struct str text = repeated(b, "{\"wktValue\":", "{\"\":", levels, "1", "}");

    return arena_printf(b->a, "%.*s}", STR_ARG(text));
}

static void nothing_nests_deeper_than_the_wire_format_allows(void **state)
{
    struct bench *b = *state;
    everything *e = proto_new(b->a, all), *again = proto_new(b->a, all);
    struct buf bytes;

    /* A Value, its Struct and an entry: three levels each. */
    assert_int_equal(protojson_decode(&b->flavor, all, b->a, nested_values(b, 33), NULL, e, &b->f),
                     0);
    assert_too_deep(b, nested_values(b, 34), NULL);
    assert_too_deep(b, arena_printf(b->a, "{\"anEverything\":%.*s}", STR_ARG(nested_values(b, 33))),
                    NULL);
    buf_init_arena(&bytes, b->a, 1 << 20);
    assert_int_equal(proto_encode(all, e, &bytes), 0);
    assert_int_equal(proto_decode(all, b->a, buf_str(&bytes), NULL, again, &b->f), 0);
}

static void nodes_bytes_and_memory_are_limited(void **state)
{
    struct bench *b = *state;
    static const struct protojson_limits nodes = {.nodes = 4}, bytes = {.bytes = 12};
    static const struct protojson_limits memory = {.memory = 20000};

    assert_int_equal(decode(b, STR("{\"manyInt32\":[1]}"), &nodes), 0);
    assert_exhausted(b, STR("{\"manyInt32\":[1,2]}"), &nodes);
    assert_int_equal(decode(b, STR("{\"aInt32\":1}"), &bytes), 0);
    assert_exhausted(b, STR("{\"aInt32\":10}"), &bytes);
    assert_int_equal(decode(b, STR("{\"manyNested\":[{},{}]}"), &memory), 0);
    assert_exhausted(b, repeated(b, "{\"manyNested\":[{}", ",{}", 400, "", ""), &memory);
    assert_exhausted(b, repeated(b, "{\"manyInt32\":[1", ",1", 4000, "", ""), &memory);
    assert_exhausted(b, repeated(b, "{\"wktFieldMask\":\"a", ",a", 4000, "\"}", ""), &memory);
    assert_exhausted(b, repeated(b, "{\"wktListValue\":[1", ",1", 4000, "", ""), &memory);
    assert_exhausted(b, repeated(b, "{\"aBytes\":\"", "AAAA", 10000, "\"}", ""), &memory);
    assert_exhausted(b, repeated(b, "{\"anEverything\":", "{\"anEverything\":", 20, "{}", "}"),
                     &memory);
}

static void a_type_that_comes_late_is_not_searched_for_ever(void **state)
{
    struct bench *b = *state;
    const char *late = "{\"value\":", *end = "," ANY("Any") "}";
    struct str few = repeated(b, "{\"wktAny\":", late, 20, "{}", end);
    static const struct protojson_limits small = {.bytes = 2000};

    few = arena_printf(b->a, "%.*s}", STR_ARG(few));
    assert_int_equal(decode(b, few, NULL), 0);
    assert_exhausted(b, few, &small);
}

static void one_field_may_be_the_whole_text(void **state)
{
    struct bench *b = *state;
    everything *e = proto_new(b->a, all);
    static const struct {
        const char *field;
        const char *text;
    } cases[] = {
        {"a_int32", "5"},
        {"many_string", "[\"x\",\"y\"]"},
        {"by_bool", "{\"true\":\"x\"}"},
        {"a_nested", "{\"id\":1}"},
        {"wkt_value", "null"},
        {"maybe_int32", "null"},
        {"many_int32", "null"},
    };

    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct proto_field *fd = proto_field_by_name(all, str_of(cases[i].field));

        assert_int_equal(
            protojson_decode_field(&b->flavor, fd, b->a, str_of(cases[i].text), NULL, e, &b->f), 0);
    }
    assert_string_equal(written(b, all, e),
                        "{\"aInt32\":5,\"aNested\":{\"id\":1},\"manyString\":[\"x\",\"y\"],"
                        "\"byBool\":{\"true\":\"x\"},\"wktValue\":null}");

    const struct proto_field *fd = proto_field_by_name(all, STR("a_nested"));

    assert_int_equal(
        protojson_decode_field(&b->flavor, fd, b->a, STR("{\"id\":[]}"), NULL, e, &b->f), -1);
    assert_string_equal(b->f.field, "a_nested.id");
    assert_int_equal(protojson_decode_field(&b->flavor, fd, b->a, STR("{} 1"), NULL, e, &b->f), -1);
}

static void a_message_may_stand_inside_other_json(void **state)
{
    struct bench *b = *state;
    struct str text = STR("[{\"aInt32\":1},{\"aInt32\":\"x\"}]");
    everything *e = proto_new(b->a, all);
    struct json_reader r;

    json_reader_init(&r, b->a, text, NULL, &b->f);
    assert_int_equal(json_next(&r), JSON_ARRAY_BEGIN);
    assert_int_equal(protojson_read(&b->flavor, all, &r, e), 0);
    assert_int_equal(e->a_int32, 1);
    assert_int_equal(protojson_read(&b->flavor, all, &r, proto_new(b->a, all)), -1);
    assert_string_equal(b->f.field, "a_int32");
    assert_int_equal(json_next(&r), JSON_ERROR);
}

static void a_reader_that_may_go_deeper_is_stopped_in_nested_anys(void **state)
{
    struct bench *b = *state;
    struct json_limits limits = {.depth = JSON_DEPTH_MAX};
    struct json_reader r;
    struct str text =
        repeated(b, "", "{\"@type\":\"t/muster.test.v1.Everything\",\"wktAny\":", 200, "{}", "}");

    json_reader_init(&r, b->a, text, &limits, &b->f);
    assert_int_equal(protojson_read(&b->flavor,
                                    proto_pool_message(b->flavor.pool, STR("google.protobuf.Any")),
                                    &r, arena_alloc(b->a, 256)),
                     -1);
    assert_int_equal(b->f.code, CODE_INVALID_ARGUMENT);
}

static int set_text(struct bench *b, everything *e, const char *field, const char *text)
{
    return protojson_set_text(&b->flavor, proto_field_by_name(all, str_of(field)), b->a,
                              str_of(text), e, &b->f);
}

static void bare_text_sets_a_field(void **state)
{
    struct bench *b = *state;
    everything *e = proto_new(b->a, all);
    static const char *const cases[][2] = {
        {"a_int32", "-5"},
        {"a_uint64", "18446744073709551615"},
        {"a_float", "NaN"},
        {"a_double", "1e3"},
        {"a_bool", "True"},
        {"maybe_bool", "0"},
        {"a_string", "true"},
        {"a_bytes", "-_8"},
        {"a_color", "COLOR_RED"},
        {"maybe_color", "77"},
        {"many_int32", "1"},
        {"many_int32", "2"},
        {"many_bool", "1"},
        {"choice_string", ""},
        {"choice_int64", "7"},
        {"wkt_timestamp", "1970-01-01T00:00:00Z"},
        {"wkt_duration", "1.5s"},
        {"wkt_field_mask", "aB,c"},
        {"wrapped_int32", "3"},
        {"wrapped_bool", "false"},
        {"many_wrapped_int64s", "4"},
    };

    for (size_t i = 0; i < COUNTOF(cases); i++)
        assert_int_equal(set_text(b, e, cases[i][0], cases[i][1]), 0);
    assert_string_equal(
        written(b, all, e),
        "{\"aInt32\":-5,\"aUint64\":\"18446744073709551615\",\"aFloat\":\"NaN\",\"aDouble\":1000,"
        "\"aBool\":true,\"aString\":\"true\",\"aBytes\":\"+/8=\",\"aColor\":\"COLOR_RED\","
        "\"maybeBool\":false,\"maybeColor\":77,\"manyInt32\":[1,2],\"manyBool\":[true],"
        "\"choiceInt64\":\"7\",\"wktTimestamp\":\"1970-01-01T00:00:00Z\",\"wktDuration\":\"1."
        "500s\","
        "\"wktFieldMask\":\"aB,c\",\"wrappedInt32\":3,\"wrappedBool\":false,"
        "\"manyWrappedInt64s\":[\"4\"]}");
}

static void bare_text_that_fits_no_field_is_refused(void **state)
{
    struct bench *b = *state;
    everything *e = proto_new(b->a, all);
    static const char *const cases[][2] = {
        {"a_int32", ""},          {"a_int32", "1.5"},     {"a_int32", "2147483648"},
        {"a_bool", "yes"},        {"a_bool", "TRUE"},     {"a_bool", ""},
        {"a_string", "\xff"},     {"a_bytes", "*"},       {"a_color", "PLAID"},
        {"a_double", "inf"},      {"by_string", "a"},     {"a_nested", "{}"},
        {"wkt_struct", "{}"},     {"wkt_any", "{}"},      {"wkt_empty", "{}"},
        {"many_nested", "{}"},    {"wkt_duration", "1"},  {"wkt_value", "1"},
        {"wkt_timestamp", "now"}, {"wrapped_int32", "x"}, {"wkt_field_mask", "\xff"},
    };

    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (set_text(b, e, cases[i][0], cases[i][1]) == 0)
            fail_msg("%s took \"%s\"", cases[i][0], cases[i][1]);
        assert_string_equal(b->f.field, cases[i][0]);
        assert_string_equal(b->f.reason, "malformed");
        assert_int_equal(b->f.code, CODE_INVALID_ARGUMENT);
    }
    assert_string_equal(written(b, all, e), "{}");
    b->flavor.ignore_unknown = true;
    assert_int_equal(set_text(b, e, "maybe_color", "PLAID"), 0);
    assert_false(e->has_maybe_color);
}

static void a_long_path_is_cut_between_characters(void **state)
{
    struct bench *b = *state;
    struct str text = repeated(b, "{\"byString\":{\"", "\xe2\x82\xac", 40, "\":1}}", "");

    assert_int_equal(decode(b, text, NULL), -1);
    assert_int_equal(strlen(b->f.field), strlen("by_string[\"") + 51);
    assert_memory_equal(b->f.field, "by_string[\"\xe2\x82\xac", 14);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_field_is_known_by_both_of_its_names),
        TEST(a_field_that_comes_twice_is_refused),
        TEST(a_oneof_has_one_member),
        TEST(null_is_absent),
        TEST(null_is_no_item_and_no_value_of_a_map),
        TEST(an_unknown_member_is_refused_by_name),
        TEST(unknown_members_may_be_ignored),
        TEST(what_follows_the_value_is_refused),
        TEST(a_message_is_an_object),
        TEST(integers_are_numbers_or_strings),
        TEST(integers_out_of_range_or_with_a_fraction_are_refused),
        TEST(floats_are_numbers_or_strings),
        TEST(bools_are_true_and_false),
        TEST(strings_are_only_strings),
        TEST(bytes_are_base64_of_either_alphabet),
        TEST(enums_are_names_or_numbers),
        TEST(keys_of_maps_are_strings),
        TEST(a_set_optional_field_stays_set),
        TEST(what_was_read_lies_in_the_struct),
        TEST(a_timestamp_is_rfc_3339),
        TEST(a_duration_is_seconds),
        TEST(a_field_mask_is_one_string_of_paths),
        TEST(struct_value_and_list_are_plain_json),
        TEST(a_wrapper_is_its_value),
        TEST(an_any_is_the_message_and_its_type),
        TEST(an_any_that_cannot_be_understood_is_refused),
        TEST(preset_values_come_before_the_members),
        TEST(depth_is_limited),
        TEST(nothing_nests_deeper_than_the_wire_format_allows),
        TEST(nodes_bytes_and_memory_are_limited),
        TEST(a_type_that_comes_late_is_not_searched_for_ever),
        TEST(one_field_may_be_the_whole_text),
        TEST(a_message_may_stand_inside_other_json),
        TEST(a_reader_that_may_go_deeper_is_stopped_in_nested_anys),
        TEST(bare_text_sets_a_field),
        TEST(bare_text_that_fits_no_field_is_refused),
        TEST(a_long_path_is_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
