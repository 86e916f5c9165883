/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rpc/grpc_outcome.h"

static struct arena *a;

static int set_up(void **state UNUSED)
{
    a = arena_new(1024);
    return 0;
}

static int tear_down(void **state UNUSED)
{
    arena_free(&a);
    return 0;
}

static struct grpc_outcome end_of(const struct http_field *trailers, size_t count)
{
    struct grpc_outcome o = {.http_status = 200, .trailers = trailers, .trailer_count = count};

    grpc_outcome_end(&o, a, true);
    return o;
}

static struct grpc_outcome end_with(struct str status, struct str message)
{
    const struct http_field trailers[] = {{STR("grpc-status"), status},
                                          {STR("grpc-message"), message}};

    return end_of(trailers, 2);
}

static void a_status_is_read_with_its_message(void **state UNUSED)
{
    struct grpc_outcome o = end_with(STR("5"), STR("no such thing"));
    struct fail f;

    assert_int_equal(o.code, CODE_NOT_FOUND);
    assert_true(o.from_peer);
    assert_int_equal(grpc_outcome_fail(&o, &f), -1);
    assert_int_equal(f.code, CODE_NOT_FOUND);
    assert_string_equal(f.message, "no such thing");
    o = end_with(STR("0"), STR(""));
    assert_int_equal(o.code, CODE_OK);
    assert_int_equal(grpc_outcome_fail(&o, &f), 0);
}

static void a_message_is_percent_decoded_and_odd_escapes_stay(void **state UNUSED)
{
    static const struct {
        struct str in, out;
    } cases[] = {
        {STR_INIT("%09%0Aa%25b"), STR_INIT("\t\na%b")},
        {STR_INIT("%E2%98%BA"), STR_INIT("\342\230\272")},
        {STR_INIT("%e2%98%ba"), STR_INIT("\342\230\272")},
        {STR_INIT("100%"), STR_INIT("100%")},
        {STR_INIT("%4"), STR_INIT("%4")},
        {STR_INIT("%zz%41"), STR_INIT("%zzA")},
        {STR_INIT("%"), STR_INIT("%")},
        {STR_INIT("a%41"), STR_INIT("aA")},
    };

    for (size_t i = 0; i < COUNTOF(cases); i++)
        assert_true(str_eq(end_with(STR("2"), cases[i].in).message, cases[i].out));
}

static void a_status_that_is_no_code_is_unknown(void **state UNUSED)
{
    assert_int_equal(end_with(STR("17"), STR("")).code, CODE_UNKNOWN);
    assert_int_equal(end_with(STR("-1"), STR("")).code, CODE_UNKNOWN);
    assert_int_equal(end_with(STR(""), STR("")).code, CODE_UNKNOWN);
    assert_int_equal(end_with(STR("99999999999999999999"), STR("")).code, CODE_UNKNOWN);
    assert_false(end_with(STR("x"), STR("")).from_peer);
}

static void trailers_without_a_status_are_unknown_and_none_are_internal(void **state UNUSED)
{
    const struct http_field other[] = {{STR("x"), STR("y")}};

    assert_int_equal(end_of(other, 1).code, CODE_UNKNOWN);
    assert_int_equal(end_of(NULL, 0).code, CODE_INTERNAL);
}

static void headers_alone_are_trailers_unless_a_body_came(void **state UNUSED)
{
    const struct http_field headers[] = {{STR("grpc-status"), STR("9")}};
    struct grpc_outcome o = {.http_status = 200, .headers = headers, .header_count = 1};

    assert_true(grpc_outcome_has_status(&o));
    grpc_outcome_end(&o, a, false);
    assert_int_equal(o.code, CODE_FAILED_PRECONDITION);
    assert_int_equal(o.trailer_count, 1);
    assert_int_equal(o.header_count, 0);

    o = (struct grpc_outcome){.http_status = 200, .headers = headers, .header_count = 1};
    grpc_outcome_end(&o, a, true);
    assert_int_equal(o.code, CODE_INTERNAL);
}

static void details_are_decoded_padded_or_not(void **state UNUSED)
{
    struct http_field trailers[] = {{STR("grpc-status"), STR("3")},
                                    {STR("grpc-status-details-bin"), STR("CAMSAWE")}};

    assert_true(str_eq(end_of(trailers, 2).details, STR("\10\3\22\1a")));
    trailers[1].value = STR("CAMSAWE=");
    assert_true(str_eq(end_of(trailers, 2).details, STR("\10\3\22\1a")));
    trailers[1].value = STR("***");
    assert_int_equal(end_of(trailers, 2).details.len, 0);
    assert_int_equal(end_of(trailers, 2).code, CODE_INVALID_ARGUMENT);
}

static void a_head_that_is_not_grpc_maps_its_http_status(void **state UNUSED)
{
    static const struct {
        int status;
        const char *type;
        enum grpc_head head;
        enum code code;
    } cases[] = {
        {200, "application/grpc", GRPC_HEAD_FINE, CODE_OK},
        {200, "application/grpc+proto", GRPC_HEAD_FINE, CODE_OK},
        {200, "Application/gRPC; charset=utf-8", GRPC_HEAD_FINE, CODE_OK},
        {200, "application/grpc+json", GRPC_HEAD_BAD, CODE_INTERNAL},
        {200, "application/grpc-web", GRPC_HEAD_BAD, CODE_UNKNOWN},
        {200, "text/html", GRPC_HEAD_BAD, CODE_UNKNOWN},
        {400, "text/html", GRPC_HEAD_BAD, CODE_INTERNAL},
        {401, "text/html", GRPC_HEAD_BAD, CODE_UNAUTHENTICATED},
        {403, "text/html", GRPC_HEAD_BAD, CODE_PERMISSION_DENIED},
        {404, "", GRPC_HEAD_BAD, CODE_UNIMPLEMENTED},
        {429, "", GRPC_HEAD_BAD, CODE_UNAVAILABLE},
        {502, "", GRPC_HEAD_BAD, CODE_UNAVAILABLE},
        {503, "application/grpc", GRPC_HEAD_BAD, CODE_UNAVAILABLE},
        {504, "", GRPC_HEAD_BAD, CODE_UNAVAILABLE},
        {500, "", GRPC_HEAD_BAD, CODE_UNKNOWN},
    };

    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct http_field headers[] = {{STR("content-type"), str_of(cases[i].type)}};
        struct grpc_outcome o = {
            .http_status = cases[i].status, .headers = headers, .header_count = 1};

        assert_int_equal(grpc_outcome_head(&o, a), cases[i].head);
        assert_int_equal(o.code, cases[i].code);
    }
}

static void only_gzip_is_a_coding_that_we_read(void **state UNUSED)
{
    struct http_field headers[] = {{STR("content-type"), STR("application/grpc")},
                                   {STR("grpc-encoding"), STR("gzip")}};
    struct grpc_outcome o = {.http_status = 200, .headers = headers, .header_count = 2};

    assert_int_equal(grpc_outcome_head(&o, a), GRPC_HEAD_GZIP);
    headers[1].value = STR("identity");
    assert_int_equal(grpc_outcome_head(&o, a), GRPC_HEAD_FINE);
    headers[1].value = STR("snappy");
    assert_int_equal(grpc_outcome_head(&o, a), GRPC_HEAD_FINE);
}

static void resets_have_codes(void **state UNUSED)
{
    assert_int_equal(grpc_code_of_reset(7), CODE_UNAVAILABLE);
    assert_int_equal(grpc_code_of_reset(8), CODE_CANCELED);
    assert_int_equal(grpc_code_of_reset(11), CODE_RESOURCE_EXHAUSTED);
    assert_int_equal(grpc_code_of_reset(12), CODE_PERMISSION_DENIED);
    assert_int_equal(grpc_code_of_reset(1), CODE_INTERNAL);
    assert_int_equal(grpc_code_of_reset(0), CODE_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_is_read_with_its_message),
        cmocka_unit_test(a_message_is_percent_decoded_and_odd_escapes_stay),
        cmocka_unit_test(a_status_that_is_no_code_is_unknown),
        cmocka_unit_test(trailers_without_a_status_are_unknown_and_none_are_internal),
        cmocka_unit_test(headers_alone_are_trailers_unless_a_body_came),
        cmocka_unit_test(details_are_decoded_padded_or_not),
        cmocka_unit_test(a_head_that_is_not_grpc_maps_its_http_status),
        cmocka_unit_test(only_gzip_is_a_coding_that_we_read),
        cmocka_unit_test(resets_have_codes),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
