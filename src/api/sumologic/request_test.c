/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/sumologic/internal.h"

#define NOW_US INT64_C(1700000000000000)
#define TAG    STR("0123456789abcdef0123456789abcdef")

struct world {
    struct arena *a;
    struct sumologic_app app;
    struct http_field fields[4];
    struct http_peer peer;
    struct http_x x;
    struct call call;
    struct fail f;
};

static struct world w;

static int set_up(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    w.a = arena_new(4096);
    w.x.arena = w.a;
    w.x.req.fields = w.fields;
    w.x.req.peer = &w.peer;
    w.call = (struct call){.arena = w.a, .x = &w.x, .app = &w.app};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&w.a);
    return 0;
}

static void set_field(const char *name, const char *value)
{
    w.fields[0] = (struct http_field){str_of(name), str_of(value)};
    w.x.req.field_count = value ? 1 : 0;
}

/* --- numbers --- */

static void an_id_is_a_positive_decimal_number(void **state)
{
    static const char *const bad[] = {
        "", "0", "-1", "abc", "01", "+1", "1 ", "1.0", "9223372036854775808"};
    int64_t id = 0;

    (void)state;
    assert_true(sumo_id(STR("1"), &id));
    assert_true(sumo_id(STR("9223372036854775807"), &id));
    assert_true(id == INT64_MAX);
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_false(sumo_id(str_of(bad[i]), &id));
}

static void a_hex_id_has_16_digits(void **state)
{
    static const char *const bad[] = {"",
                                      "0000000000000000",
                                      "00005AF3107D123",
                                      "00005AF3107D12334",
                                      "00005AF3107D123G",
                                      "8000000000000000"};
    int64_t id = 0;

    (void)state;
    assert_true(str_eq(sumo_hex(w.a, 19079740), STR("000000000123223C")));
    assert_true(sumo_hex_id(STR("00005af3107D1233"), &id));
    assert_true(str_eq(sumo_hex(w.a, id), STR("00005AF3107D1233")));
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_false(sumo_hex_id(str_of(bad[i]), &id));
}

static void a_cutoff_is_so_long_ago(void **state)
{
    static const struct {
        const char *text;
        int64_t ago_ms;
    } rows[] = {
        {"-1h", 3600000},    {"-90m", 5400000}, {"-2d", 172800000}, {"-1w", 604800000},
        {"-1M", 2592000000}, {"0m", 0},         {"-0m", 0},
    };
    static const char *const bad[] = {"",   "-",   "h",    "-h",    "1h",
                                      "-1", "-1x", "- 1h", "-1.5h", "-99999999999999999999h"};
    int64_t ms = 0;

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        assert_int_equal(sumo_cutoff(str_of(rows[i].text), NOW_US, &ms, &w.f), 0);
        assert_int_equal(ms, NOW_US / 1000 - rows[i].ago_ms);
    }
    for (size_t i = 0; i < COUNTOF(bad); i++)
        if (sumo_cutoff(str_of(bad[i]), NOW_US, &ms, &w.f) == 0)
            fail_msg("%s was taken", bad[i]);
    assert_int_equal(sumo_cutoff(STR("-100000000d"), NOW_US, &ms, &w.f), 0);
    assert_int_equal(ms, 0);
}

/* --- queries --- */

static int page_of(const char *query, struct sumo_page *page)
{
    w.x.req.query = str_of(query);
    return sumo_page(&w.call, 50, page, &w.f);
}

static void pages_have_bounds(void **state)
{
    struct sumo_page page = {0};

    (void)state;
    assert_int_equal(page_of("", &page), 0);
    assert_int_equal(page.limit, 50);
    assert_int_equal(page.offset, 0);
    assert_int_equal(page_of("limit=99999&offset=7", &page), 0);
    assert_int_equal(page.limit, SUMO_PAGE_MAX);
    assert_int_equal(page.offset, 7);
    for (const char *const *bad =
             (const char *const[]){"limit=0", "limit=-1", "limit=abc", "limit=", "limit=1.0", NULL};
         *bad; bad++) {
        assert_int_equal(page_of(*bad, &page), -1);
        assert_string_equal(w.f.reason, "bad_limit");
    }
    for (const char *const *bad =
             (const char *const[]){"offset=-1", "offset=x", "offset=18446744073709551615", NULL};
         *bad; bad++) {
        assert_int_equal(page_of(*bad, &page), -1);
        assert_string_equal(w.f.reason, "bad_offset");
    }
}

static void a_flag_is_true_or_false(void **state)
{
    bool on = true;

    (void)state;
    assert_int_equal(sumo_query_bool(&w.call, "download", &on, &w.f), 0);
    assert_false(on);
    w.x.req.query = STR("download=True");
    assert_int_equal(sumo_query_bool(&w.call, "download", &on, &w.f), 0);
    assert_true(on);
    w.x.req.query = STR("download=1");
    assert_int_equal(sumo_query_bool(&w.call, "download", &on, &w.f), -1);
    assert_string_equal(w.f.reason, "fields_invalid");
}

/* --- bodies --- */

static int body_of(const char *media, const char *text)
{
    const struct json_value *v = NULL;

    set_field("content-type", media);
    w.x.req.body = str_of(text);
    return sumo_body(&w.call, "collector", &v, &w.f);
}

static void a_body_is_looked_at_in_order(void **state)
{
    (void)state;
    assert_int_equal(body_of("application/json", "{\"collector\":{},\"api.version\":\"v1\"}"), 0);
    assert_int_equal(body_of("Application/JSON;charset=UTF-8", "{\"collector\":{}}"), 0);
    assert_int_equal(body_of("text/plain", "{"), -1);
    assert_string_equal(w.f.reason, "media_type");
    assert_int_equal(body_of(NULL, "{\"collector\":{}}"), -1);
    assert_string_equal(w.f.reason, "media_type");
    assert_int_equal(body_of("application/json", "{"), -1);
    assert_string_equal(w.f.reason, "bad_json");
    assert_int_equal(body_of("application/json", ""), -1);
    assert_string_equal(w.f.reason, "bad_json");
    assert_int_equal(body_of("application/json", "[]"), -1);
    assert_string_equal(w.f.reason, "bad_json");
    assert_int_equal(body_of("application/json", "{\"source\":{}}"), -1);
    assert_string_equal(w.f.reason, "fields_missing");
    assert_int_equal(body_of("application/json", "{\"collector\":[]}"), -1);
    assert_string_equal(w.f.reason, "fields_invalid");
}

/* --- conditions --- */

static const char *if_match(const char *value)
{
    set_field("if-match", value);
    return sumo_if_match(&w.call, TAG, &w.f) == 0 ? "" : w.f.reason;
}

static void if_match_must_be_there_quoted_and_right(void **state)
{
    (void)state;
    assert_string_equal(if_match("\"0123456789abcdef0123456789abcdef\""), "");
    assert_string_equal(if_match("\"x\", \"0123456789abcdef0123456789abcdef\""), "");
    assert_string_equal(if_match("*"), "");
    assert_string_equal(if_match(NULL), "if_match_missing");
    assert_string_equal(if_match(""), "if_match_missing");
    assert_string_equal(if_match("  "), "if_match_missing");
    assert_string_equal(if_match("\"\""), "etag_mismatch");
    assert_string_equal(if_match("W/\"0123456789abcdef0123456789abcdef\""), "etag_mismatch");
    assert_string_equal(if_match("0123456789abcdef0123456789abcdef"), "if_match_unquoted");
    assert_string_equal(if_match("\""), "if_match_unquoted");
    assert_string_equal(if_match("\"x\" \"y\""), "if_match_unquoted");
    assert_string_equal(if_match("*, \"x\""), "if_match_unquoted");
}

static void a_comma_may_be_part_of_a_tag(void **state)
{
    (void)state;
    assert_string_equal(if_match("\"a,b\""), "etag_mismatch");
    assert_string_equal(if_match("\"a,b\",, \"0123456789abcdef0123456789abcdef\" ,"), "");
    assert_string_equal(if_match("\"0123456789abcdef0123456789abcdef,\""), "etag_mismatch");
}

static void if_none_match_spares_the_body(void **state)
{
    static const struct {
        const char *value;
        bool same;
    } rows[] = {
        {"\"0123456789abcdef0123456789abcdef\"", true},
        {"W/\"0123456789abcdef0123456789abcdef\"", true},
        {"*", true},
        {"\"x\"", false},
        {"0123456789abcdef0123456789abcdef", false},
        {NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        w.call.status = 0;
        w.x.resp = (struct http_resp){0};
        set_field("if-none-match", rows[i].value);
        assert_int_equal(sumo_etag_is_known(&w.call, TAG), rows[i].same);
        assert_int_equal(w.call.status, rows[i].same ? 304 : 0);
        assert_int_equal(w.x.resp.field_count, 1);
        assert_true(str_eq(w.x.resp.fields[0].value, STR("\"0123456789abcdef0123456789abcdef\"")));
    }
}

/* --- addresses --- */

static void the_address_is_the_configured_or_the_requests(void **state)
{
    (void)state;
    set_field("host", "muster.lan:8080");
    assert_true(str_eq(sumo_base_url(&w.call), STR("http://muster.lan:8080")));
    w.peer.tls = true;
    assert_true(str_eq(sumo_base_url(&w.call), STR("https://muster.lan:8080")));
    w.x.req.authority = STR("[::1]:8443");
    assert_true(str_eq(sumo_base_url(&w.call), STR("https://[::1]:8443")));
    w.x.req.authority = STR("evil\"<x>");
    assert_true(str_eq(sumo_base_url(&w.call), STR("https://localhost")));
    w.app.settings.own_url = STR("http://127.0.0.1:8080");
    assert_true(str_eq(sumo_base_url(&w.call), STR("https://localhost")));
    w.peer.admin_socket = true;
    assert_true(str_eq(sumo_base_url(&w.call), STR("http://127.0.0.1:8080")));
    w.app.settings.public_url = STR("https://public.example");
    assert_true(str_eq(sumo_base_url(&w.call), STR("https://public.example")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_a_positive_decimal_number),
        TEST(a_hex_id_has_16_digits),
        TEST(a_cutoff_is_so_long_ago),
        TEST(pages_have_bounds),
        TEST(a_flag_is_true_or_false),
        TEST(a_body_is_looked_at_in_order),
        TEST(if_match_must_be_there_quoted_and_right),
        TEST(a_comma_may_be_part_of_a_tag),
        TEST(if_none_match_spares_the_body),
        TEST(the_address_is_the_configured_or_the_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
