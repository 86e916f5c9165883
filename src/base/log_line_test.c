/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: both formats, escaping, bounds. */
#include "base/log_line.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

#define STAMP "2001-02-03T04:05:06.789012Z"

static char line[LOG_LINE_MAX + 1];

static size_t print_line(enum log_format format, const struct kv *kvs, size_t count)
{
    struct log_line n;

    memset(line, 0, sizeof(line));
    log_line_begin(&n, line, format, STAMP, "info", "hello there");
    for (size_t i = 0; i < count; i++)
        log_line_put(&n, &kvs[i]);

    size_t len = (size_t)(log_line_end(&n) - line);

    assert_true(len <= LOG_LINE_MAX);
    assert_int_equal(line[len - 1], '\n');
    return len;
}

#define LOGFMT_HEAD "ts=" STAMP " level=info msg=\"hello there\""
#define JSON_HEAD   "{\"ts\":\"" STAMP "\",\"level\":\"info\",\"msg\":\"hello there\""

static void assert_value(struct kv kv, const char *logfmt, const char *json)
{
    char want[512];

    print_line(LOGFORMAT_LOGFMT, &kv, 1);
    snprintf(want, sizeof(want), LOGFMT_HEAD " k=%s\n", logfmt);
    assert_string_equal(line, want);
    print_line(LOGFORMAT_JSON, &kv, 1);
    snprintf(want, sizeof(want), JSON_HEAD ",\"k\":%s}\n", json);
    assert_string_equal(line, want);
}

static void each_type_has_its_form(void **state)
{
    (void)state;
    assert_value(KV_STR("k", "GET"), "GET", "\"GET\"");
    assert_value(KV_STR("k", NULL), "\"\"", "\"\"");
    assert_value(KV_INT("k", INT64_MIN), "-9223372036854775808", "-9223372036854775808");
    assert_value(KV_UINT("k", UINT64_MAX), "18446744073709551615", "18446744073709551615");
    assert_value(KV_BOOL("k", true), "true", "true");
    assert_value(KV_BOOL("k", false), "false", "false");
    assert_value(KV_DOUBLE("k", 0.25), "0.25", "0.25");
    assert_value(KV_DOUBLE("k", (double)NAN), "NaN", "null");
    assert_value(KV_DOUBLE("k", -(double)INFINITY), "-Inf", "null");
    assert_value(KV_SECRET("k"), "***", "\"***\"");
}

static void fields_follow_in_order(void **state)
{
    const struct kv kvs[] = {KV_STR("a", "x"), KV_INT("b", 1), KV_STR("c", "y z")};

    (void)state;
    print_line(LOGFORMAT_LOGFMT, kvs, 3);
    assert_string_equal(line, LOGFMT_HEAD " a=x b=1 c=\"y z\"\n");
    print_line(LOGFORMAT_JSON, kvs, 3);
    assert_string_equal(line, JSON_HEAD ",\"a\":\"x\",\"b\":1,\"c\":\"y z\"}\n");
}

static void logfmt_quotes_only_where_it_must(void **state)
{
    (void)state;
    assert_value(KV_STR("k", "/v1/x?y&z"), "/v1/x?y&z", "\"/v1/x?y&z\"");
    assert_value(KV_STR("k", "a=b"), "\"a=b\"", "\"a=b\"");
    assert_value(KV_STR("k", "a b"), "\"a b\"", "\"a b\"");
    assert_value(KV_STR("k", "\""), "\"\\\"\"", "\"\\\"\"");
    assert_value(KV_STR("k", "a\\b"), "\"a\\\\b\"", "\"a\\\\b\"");
}

/* Each special byte at each place of a text that is otherwise plain: the eight-byte step of the
 * copying must not jump over one. */
static void control_bytes_cannot_forge_lines(void **state)
{
    static const struct {
        char byte;
        const char *want;
    } cases[] = {
        {'\n', "\\n"},
        {'\r', "\\r"},
        {'\t', "\\t"},
        {'\0', "\\u0000"},
        {'\x1b', "\\u001b"},
        {'\x7f', "\\u007f"},
        {'"', "\\\""},
        {'\\', "\\\\"},
        {'\x1f', "\\u001f"},
        {'\xff', "\xef\xbf\xbd"},
        {'\x80', "\xef\xbf\xbd"},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        for (size_t at = 0; at < 20; at++) {
            char text[20], want[64];

            memset(text, 'a' + (int)at, sizeof(text));
            text[at] = cases[i].byte;
            snprintf(want, sizeof(want), "\"%.*s%s%.*s\"", (int)at, text, cases[i].want,
                     (int)(sizeof(text) - at - 1), text + at + 1);
            assert_value(KV_SLICE("k", str_make(text, sizeof(text))), want, want);
        }
    }
}

static void utf8_passes_and_what_is_none_is_replaced(void **state)
{
#define BAD "\xef\xbf\xbd"
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {"\xc3\xa9", "\xc3\xa9"},                      /* two bytes */
        {"\xe2\x82\xac", "\xe2\x82\xac"},              /* three */
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},      /* four */
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},      /* U+10FFFF */
        {"\xf4\x90\x80\x80", BAD BAD BAD BAD},         /* above it */
        {"\xed\xa0\x80", BAD BAD BAD},                 /* surrogate */
        {"\xc0\xaf", BAD BAD},                         /* overlong slash */
        {"\xe0\x80\xaf", BAD BAD BAD},                 /* the same in three */
        {"\xf0\x80\x80\xaf", BAD BAD BAD BAD},         /* and in four */
        {"\xe2\x82", BAD BAD},                         /* ends too early */
        {"\xe2\x82z", BAD BAD "z"},                    /* is interrupted */
        {"\xf8\x88\x80\x80\x80", BAD BAD BAD BAD BAD}, /* five bytes */
        {"\xc2\x9b"
         "2J",
         "\\u009b2J"},            /* the one-byte escape of terminals */
        {"\xc2\xa0", "\xc2\xa0"}, /* the first that steers nothing */
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        char want[64];

        snprintf(want, sizeof(want), "\"%s\"", cases[i].want);
        assert_value(KV_STR("k", cases[i].text), want, want);
    }
#undef BAD
}

static void long_value_is_cut_between_characters(void **state)
{
    static char text[3 * LOG_VALUE_MAX];
    struct kv kv = KV_SLICE("k", str_make(text, sizeof(text)));

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = "\xe2\x82\xac"[i % 3];
    print_line(LOGFORMAT_JSON, &kv, 1);
    assert_null(strstr(line, "\xef\xbf\xbd"));
    assert_non_null(strstr(line, "\xe2\x82\xac...\",\"cut\":true}\n"));
}

static void line_stays_within_its_bound_whatever_comes(void **state)
{
    static char text[LOG_VALUE_MAX * 2];
    static char key[LOG_LINE_MAX + 100];
    struct kv kvs[200];

    (void)state;
    memset(text, 1, sizeof(text));
    memset(key, 'k', sizeof(key) - 1);
    for (size_t i = 0; i < COUNTOF(kvs); i++)
        kvs[i] = KV_SLICE(i == 50 ? key : "key", str_make(text, random_below(sizeof(text))));
    for (int format = 0; format < 2; format++) {
        size_t len = print_line((enum log_format)format, kvs, COUNTOF(kvs));

        assert_true(len > LOG_LINE_MAX - 200);
        assert_non_null(
            strstr(line, format == LOGFORMAT_JSON ? ",\"cut\":true}\n" : " cut=true\n"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_has_its_form),
        cmocka_unit_test(fields_follow_in_order),
        cmocka_unit_test(logfmt_quotes_only_where_it_must),
        cmocka_unit_test(control_bytes_cannot_forge_lines),
        cmocka_unit_test(utf8_passes_and_what_is_none_is_replaced),
        cmocka_unit_test(long_value_is_cut_between_characters),
        cmocka_unit_test(line_stays_within_its_bound_whatever_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
