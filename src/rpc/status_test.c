/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of gRPC: status, message, details, timeout, and the text form of gRPC-Web. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/base64.h"
#include "rpc/envelope.h"
#include "rpc/grpc.h"
#include "rpc/grpc_web.h"

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

static void a_message_is_percent_encoded_outside_of_printable_ascii(void **state)
{
    assert_true(str_eq(status_message(*state, "all is lost~"), STR("all is lost~")));
    assert_true(str_eq(status_message(*state, ""), STR("")));
    assert_true(str_eq(status_message(*state, "50%"), STR("50%25")));
    assert_true(str_eq(status_message(*state, "\t\r\n\x7f"), STR("%09%0D%0A%7F")));
    assert_true(str_eq(status_message(*state, "\xe2\x98\xba"), STR("%E2%98%BA")));
}

static void a_message_outlives_the_failure(void **state)
{
    char text[] = "gone";
    struct str said = status_message(*state, text);

    memset(text, 'x', sizeof(text) - 1);
    assert_true(str_eq(said, STR("gone")));
}

static void details_are_a_google_rpc_status_in_base64(void **state)
{
    struct call c = {.arena = *state};
    struct fail f;
    struct str bytes;

    IGNORE(fail_set(&f, CODE_NOT_FOUND, "no"));
    assert_int_equal(status_details(*state, &c, &f).len, 0);
    call_detail(&c, STR("a.B"), STR("xy"));
    assert_int_equal(base64_decode(*state, BASE64_STD_BARE, status_details(*state, &c, &f), &bytes),
                     0);
    assert_true(
        str_eq(bytes, STR("\x08\x05\x12\x02no\x1a\x1d\x0a\x17type.googleapis.com/a.B\x12\x02xy")));
}

static void a_timeout_is_up_to_eight_digits_and_a_unit(void **state)
{
    static const struct {
        const char *text;
        int rc;
        uint64_t us;
    } cases[] = {
        {"1H", 0, UINT64_C(3600000000)},
        {"99999999H", 0, UINT64_C(359999996400000000)},
        {"2M", 0, 120000000},
        {"3S", 0, 3000000},
        {"4m", 0, 4000},
        {"5u", 0, 5},
        {"6000n", 0, 6},
        {"0n", 0, 0},
        {"123456789n", -1, 0},
        {"", -1, 0},
        {"S", -1, 0},
        {"1", -1, 0},
        {"1s", -1, 0},
        {"+1S", -1, 0},
        {"-1S", -1, 0},
        {"1 S", -1, 0},
        {"1.5S", -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        uint64_t us = 0;

        assert_int_equal(grpc_timeout_parse(str_of(cases[i].text), &us), cases[i].rc);
        assert_int_equal(us, cases[i].us);
    }
}

static void text_is_decoded_piece_by_piece(void **state)
{
    struct str out;

    assert_int_equal(grpc_web_text_decode(*state, STR(""), &out), 0);
    assert_int_equal(out.len, 0);
    assert_int_equal(grpc_web_text_decode(*state, STR("AAAA"), &out), 0);
    assert_int_equal(out.len, 3);
    assert_int_equal(grpc_web_text_decode(*state, STR("YQ==YmM=ZGVm"), &out), 0);
    assert_true(str_eq(out, STR("abcdef")));
    assert_int_equal(grpc_web_text_decode(*state, STR("YQ"), &out), -1);
    assert_int_equal(grpc_web_text_decode(*state, STR("YQ="), &out), -1);
    assert_int_equal(grpc_web_text_decode(*state, STR("===="), &out), -1);
    assert_int_equal(grpc_web_text_decode(*state, STR("YQ==Y"), &out), -1);
    assert_int_equal(grpc_web_text_decode(*state, STR("Y Q=="), &out), -1);
}

static void fields_that_belong_to_envelopes_cannot_be_set(void **state)
{
    static const char *const reserved[] = {"content-type", "grpc-status", "connect-x",
                                           "content-encoding", "trailer"};
    struct call c = {.arena = *state};

    for (size_t i = 0; i < COUNTOF(reserved); i++) {
        call_header(&c, str_of(reserved[i]), STR("x"));
        call_trailer(&c, str_of(reserved[i]), STR("x"));
    }
    assert_int_equal(c.headers.count + c.trailers.count, 0);
    for (int i = 0; i < 20; i++)
        call_header(&c, STR("x-many"), STR("x"));
    assert_int_equal(c.headers.count, 20);
    call_trailer(&c, STR("x-bin"), STR("\xff"));
    assert_true(str_eq(c.trailers.items[0].value, STR("/w")));
    call_forget_metadata(&c);
    assert_int_equal(c.headers.count + c.trailers.count + c.detail_count, 0);
}

static void metadata_is_found_in_fields_and_trailers(void **state)
{
    struct http_field fields[] = {{STR("a"), STR("1")}, {STR("b-bin"), STR("/w==")}};
    struct http_field trailers[] = {{STR("c"), STR("3")}, {STR("bad-bin"), STR("?")}};
    struct http_x x = {
        .req = {.fields = fields, .field_count = 2, .trailers = trailers, .trailer_count = 2}};
    struct call c = {.arena = *state, .x = &x};
    struct str value;

    assert_true(call_metadata(&c, STR("a"), &value) && str_eq(value, STR("1")));
    assert_true(call_metadata(&c, STR("b-bin"), &value) && str_eq(value, STR("\xff")));
    assert_true(call_metadata(&c, STR("c"), &value) && str_eq(value, STR("3")));
    assert_false(call_metadata(&c, STR("bad-bin"), &value));
    assert_false(call_metadata(&c, STR("d"), &value));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_percent_encoded_outside_of_printable_ascii),
        TEST(a_message_outlives_the_failure),
        TEST(details_are_a_google_rpc_status_in_base64),
        TEST(a_timeout_is_up_to_eight_digits_and_a_unit),
        TEST(text_is_decoded_piece_by_piece),
        TEST(fields_that_belong_to_envelopes_cannot_be_set),
        TEST(metadata_is_found_in_fields_and_trailers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
