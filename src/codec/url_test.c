/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: decoding once, query strings, splitting, refusals. */
#include "codec/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

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

static void assert_str(struct str got, const char *expected)
{
    if (got.len != strlen(expected) || (got.len && memcmp(got.p, expected, got.len) != 0))
        fail_msg("got \"%.*s\", expected \"%s\"", STR_ARG(got), expected);
}

static void text_is_decoded_exactly_once(void **state)
{
    struct str out;

    assert_int_equal(url_decode(*state, URL_PATH, STR("a%2Fb%252F%c3%A4"), &out), URL_OK);
    assert_str(out, "a/b%2F\xc3\xa4");
}

static void a_plus_is_a_blank_in_queries_only(void **state)
{
    struct str out;

    assert_int_equal(url_decode(*state, URL_PATH, STR("a+b"), &out), URL_OK);
    assert_str(out, "a+b");
    assert_int_equal(url_decode(*state, URL_PATH, STR("a+b%20"), &out), URL_OK);
    assert_str(out, "a+b ");
    assert_int_equal(url_decode(*state, URL_QUERY, STR("a+b%2B"), &out), URL_OK);
    assert_str(out, "a b+");
}

static void nothing_to_decode_is_not_copied(void **state)
{
    struct str in = STR("plain"), out;

    assert_int_equal(url_decode(*state, URL_QUERY, in, &out), URL_OK);
    assert_ptr_equal(out.p, in.p);
    assert_int_equal(url_decode(*state, URL_QUERY, (struct str){0}, &out), URL_OK);
    assert_int_equal(out.len, 0);
}

static void a_bad_percent_sequence_is_refused(void **state)
{
    static const char *const bad[] = {"%", "%4", "%g0", "%0g", "a%", "a%2", "%%20", "%-1", "% 1"};
    struct str out = STR("untouched");

    for (size_t i = 0; i < COUNTOF(bad); i++) {
        if (url_decode(*state, URL_PATH, str_of(bad[i]), &out) != URL_BAD)
            fail_msg("%s was accepted", bad[i]);
    }
    assert_str(out, "untouched");
}

static void a_nul_is_reported(void **state)
{
    struct str out;

    assert_int_equal(url_decode(*state, URL_PATH, STR("a%00b"), &out), URL_NUL);
    assert_int_equal(out.len, 3);
    assert_int_equal(url_decode(*state, URL_PATH, STR("a\0b"), &out), URL_NUL);
}

static void a_query_gives_its_pairs_in_order(void **state)
{
    static const struct {
        const char *name, *value;
    } expected[] = {{"a", "1"}, {"b", "x&y=z"}, {"", "v"}, {"c", ""}, {"d", NULL}, {"a", "2 3"}};
    struct url_query q = {STR("a=1&b=x%26y=z&=v&&c=&d&a=2+3&")};
    struct str name, value;
    struct fail f;

    for (size_t i = 0; i < COUNTOF(expected); i++) {
        assert_int_equal(url_query_next(&q, *state, &name, &value, &f), 1);
        assert_str(name, expected[i].name);
        assert_int_equal(value.p == NULL, expected[i].value == NULL);
        assert_str(value, expected[i].value ? expected[i].value : "");
    }
    assert_int_equal(url_query_next(&q, *state, &name, &value, &f), 0);
    assert_int_equal(url_query_next(&q, *state, &name, &value, &f), 0);
}

static void an_empty_query_has_no_pairs(void **state)
{
    static const char *const empty[] = {"", "&", "&&&"};
    struct str name, value;
    struct fail f;

    for (size_t i = 0; i < COUNTOF(empty); i++) {
        struct url_query q = {str_of(empty[i])};

        assert_int_equal(url_query_next(&q, *state, &name, &value, &f), 0);
    }
}

static void a_bad_query_says_why(void **state)
{
    struct url_query bad = {STR("ok=1&a=%zz")}, nul = {STR("a%00=1")};
    struct str name, value;
    struct fail f;

    assert_int_equal(url_query_next(&bad, *state, &name, &value, &f), 1);
    assert_int_equal(url_query_next(&bad, *state, &name, &value, &f), -1);
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    assert_non_null(strstr(f.message, "hex digits"));
    assert_int_equal(url_query_next(&nul, *state, &name, &value, &f), -1);
    assert_non_null(strstr(f.message, "NUL"));
}

static void encoding_and_decoding_give_back_every_byte(void **state)
{
    struct buf b;
    char all[256];
    struct str out;

    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (char)i;
    buf_init_arena(&b, *state, 1024);
    url_put_encoded(&b, str_make(all, sizeof(all)));
    assert_int_equal(url_decode(*state, URL_QUERY, buf_str(&b), &out), URL_NUL);
    assert_true(str_eq(out, str_make(all, sizeof(all))));
    buf_clear(&b);
    url_put_encoded(&b, STR("a b/c~\xff+"));
    assert_str(buf_str(&b), "a%20b%2Fc~%FF%2B");
}

static void an_absolute_url_is_split(void **state)
{
    static const struct {
        const char *text, *scheme, *authority, *host, *path, *query, *target;
        unsigned port;
    } cases[] = {
        {"http://example.org", "http", "example.org", "example.org", "", "", "/", 80},
        {"https://a-b.example:8443/x/y?q=1&r", "https", "a-b.example:8443", "a-b.example", "/x/y",
         "q=1&r", "/x/y?q=1&r", 8443},
        {"HTTPS://EXAMPLE.org/", "HTTPS", "EXAMPLE.org", "EXAMPLE.org", "/", "", "/", 443},
        {"http://127.0.0.1:1?x", "http", "127.0.0.1:1", "127.0.0.1", "", "x", "/?x", 1},
        {"http://[::1]:65535/a%20b", "http", "[::1]:65535", "::1", "/a%20b", "", "/a%20b", 65535},
        {"wss://[2001:db8::1]", "wss", "[2001:db8::1]", "2001:db8::1", "", "", "/", 443},
        {"grpc://plugin_1:50051", "grpc", "plugin_1:50051", "plugin_1", "", "", "/", 50051},
        {"grpc://plugin", "grpc", "plugin", "plugin", "", "", "/", 0},
        {"http://host./a?b?c", "http", "host.", "host.", "/a", "b?c", "/a?b?c", 80},
    };

    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct fail f = {0};
        struct url u;

        if (url_parse(*state, str_of(cases[i].text), &u, &f) < 0)
            fail_msg("%s: %s", cases[i].text, f.message);
        assert_str(u.scheme, cases[i].scheme);
        assert_str(u.authority, cases[i].authority);
        assert_str(u.host, cases[i].host);
        assert_str(u.path, cases[i].path);
        assert_str(u.query, cases[i].query);
        assert_str(u.target, cases[i].target);
        assert_int_equal(u.port, cases[i].port);
        assert_int_equal(u.host_is_ipv6, strchr(cases[i].text, '[') != NULL);
    }
}

static void a_url_that_could_mislead_is_refused(void **state)
{
    static const struct str bad[] = {
        STR_INIT(""),
        STR_INIT("example.org"),
        STR_INIT("//example.org"),
        STR_INIT("/path"),
        STR_INIT("http:/example.org"),
        STR_INIT("http:example.org"),
        STR_INIT("1http://example.org"),
        STR_INIT("ht tp://example.org"),
        STR_INIT("http://"),
        STR_INIT("http:///path"),
        STR_INIT("http://:80"),
        STR_INIT("http://user@example.org"),
        STR_INIT("http://user:secret@example.org"),
        STR_INIT("http://example.org@127.0.0.1"),
        STR_INIT("http://example.org:"),
        STR_INIT("http://example.org:0"),
        STR_INIT("http://example.org:65536"),
        STR_INIT("http://example.org:+80"),
        STR_INIT("http://example.org:80:80"),
        STR_INIT("http://example.org:8o"),
        STR_INIT("http://::1"),
        STR_INIT("http://[::1"),
        STR_INIT("http://[::1]x"),
        STR_INIT("http://[::1]80"),
        STR_INIT("http://[]"),
        STR_INIT("http://[127.0.0.1]"),
        STR_INIT("http://[fe80::1%25eth0]"),
        STR_INIT("http://[::1\0]"),
        STR_INIT("http://exa mple.org"),
        STR_INIT("http://exa%6Dple.org"),
        STR_INIT("http://.example.org"),
        STR_INIT("http://example..org"),
        STR_INIT("http://ex\xc3\xa4mple.org"),
        STR_INIT("http://example.org\\x"),
        STR_INIT("http://example.org/a b"),
        STR_INIT("http://example.org/a\r\nHost: x"),
        STR_INIT("http://example.org/\0"),
        STR_INIT("http://example.org/%"),
        STR_INIT("http://example.org/%2"),
        STR_INIT("http://example.org/%zz"),
        STR_INIT("http://example.org/#part"),
        STR_INIT("http://example.org#part"),
        STR_INIT("http://example.org/\xc3\xa4"),
        STR_INIT("http://example.org/\x7f"),
        STR_INIT("http://example.org/\\"),
    };

    for (size_t i = 0; i < COUNTOF(bad); i++) {
        struct fail f = {0};
        struct url u = {.port = 7};

        if (url_parse(*state, bad[i], &u, &f) == 0)
            fail_msg("%.*s was accepted", STR_ARG(bad[i]));
        assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
        assert_int_equal(u.port, 7);
    }
}

static void a_secret_in_a_refused_url_is_not_repeated(void **state)
{
    struct fail f;
    struct url u;

    assert_int_equal(url_parse(*state, STR("https://id:hunter2@example.org"), &u, &f), -1);
    assert_null(strstr(f.message, "hunter2"));
    assert_non_null(strstr(f.message, "password"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_decoded_exactly_once),
        cmocka_unit_test(a_plus_is_a_blank_in_queries_only),
        cmocka_unit_test(nothing_to_decode_is_not_copied),
        cmocka_unit_test(a_bad_percent_sequence_is_refused),
        cmocka_unit_test(a_nul_is_reported),
        cmocka_unit_test(a_query_gives_its_pairs_in_order),
        cmocka_unit_test(an_empty_query_has_no_pairs),
        cmocka_unit_test(a_bad_query_says_why),
        cmocka_unit_test(encoding_and_decoding_give_back_every_byte),
        cmocka_unit_test(an_absolute_url_is_split),
        cmocka_unit_test(a_url_that_could_mislead_is_refused),
        cmocka_unit_test(a_secret_in_a_refused_url_is_not_repeated),
    };

    return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
