/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rpc/credential.h"

static struct arena *arena_of(void **state)
{
    return *state;
}

static int setup(void **state)
{
    *state = arena_new(4096);
    return 0;
}

static int teardown(void **state)
{
    struct arena *a = *state;

    arena_free(&a);
    return 0;
}

static int read_one(struct arena *a, const char *name, const char *value, uint32_t forms,
                    struct credential *out)
{
    struct http_field field = {str_of(name), str_of(value)};
    struct http_req req = {.fields = &field, .field_count = 1};
    struct fail f = {0};
    int rc = credential_read(&req, a, forms, out, &f);

    if (rc < 0) {
        assert_int_equal(f.code, CODE_UNAUTHENTICATED);
        assert_string_equal(f.reason, "credential_malformed");
    }
    return rc;
}

static void assert_str(struct str got, const char *expected)
{
    assert_true(str_eq(got, str_of(expected)));
}

static void each_form_is_read(void **state)
{
    static const struct {
        const char *name, *value;
        enum credential_kind kind;
        uint32_t form;
        const char *id, *secret, *token;
    } rows[] = {
        {"authorization", "Basic aWQ6c2VjcmV0", CREDENTIAL_BASIC, CREDENTIAL_FORM_BASIC, "id",
         "secret", "secret"},
        {"authorization", "basic aWQ6c2VjcmV0", CREDENTIAL_BASIC, CREDENTIAL_FORM_BASIC, "id",
         "secret", "secret"},
        {"authorization", "Basic   aWQ6c2VjcmV0", CREDENTIAL_BASIC, CREDENTIAL_FORM_BASIC, "id",
         "secret", "secret"},
        {"authorization", "Basic YTpiOmM=", CREDENTIAL_BASIC, CREDENTIAL_FORM_BASIC, "a", "b:c",
         "b:c"},
        {"authorization", "Basic YTpiOmM", CREDENTIAL_BASIC, CREDENTIAL_FORM_BASIC, "a", "b:c",
         "b:c"},
        {"authorization", "Basic OnNlY3JldA==", CREDENTIAL_BASIC, CREDENTIAL_FORM_BASIC, "",
         "secret", "secret"},
        {"authorization", "Bearer abc.def", CREDENTIAL_TOKEN, CREDENTIAL_FORM_BEARER, "", "",
         "abc.def"},
        {"authorization", "bEARER abc", CREDENTIAL_TOKEN, CREDENTIAL_FORM_BEARER, "", "", "abc"},
        {"authorization", "Bearer 12345:abc", CREDENTIAL_TOKEN, CREDENTIAL_FORM_BEARER, "12345", "",
         "abc"},
        {"authorization", "Key 0123abcd", CREDENTIAL_TOKEN, CREDENTIAL_FORM_KEY, "", "",
         "0123abcd"},
        {"token", "mst_x_y", CREDENTIAL_TOKEN, CREDENTIAL_FORM_TOKEN, "", "", "mst_x_y"},
        {"x-clarifai-session-token", "s", CREDENTIAL_TOKEN, CREDENTIAL_FORM_SESSION, "", "", "s"},
    };

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct credential cr;

        assert_int_equal(read_one(arena_of(state), rows[i].name, rows[i].value, 0, &cr), 0);
        assert_int_equal(cr.kind, rows[i].kind);
        assert_int_equal(cr.form, rows[i].form);
        assert_str(cr.id, rows[i].id);
        assert_str(cr.secret, rows[i].secret);
        assert_str(cr.token, rows[i].token);
    }
}

static void malformed_values_are_refused(void **state)
{
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"authorization", ""},
        {"authorization", "Basic"},
        {"authorization", "Basic "},
        {"authorization", "Basic !!!!"},
        {"authorization", "Basic aWQ6c2VjcmV0 x"},
        {"authorization", "Basic aWQ="},         /* no colon */
        {"authorization", "Basic aWQ6AHM="},     /* NUL */
        {"authorization", "Basic aWQ6/w=="},     /* no UTF-8 */
        {"authorization", "Basic aWQ6c2VjcmV="}, /* wrong padding */
        {"authorization", "Bearer"},
        {"authorization", "Bearer  "},
        {"authorization", "Bearer a b"},
        {"authorization", "Bearer user:"},
        {"authorization", "Bearer caf\xc3\xa9"},
        {"authorization", "key 0123"},
        {"authorization", "KEY 0123"},
        {"authorization", "Digest username=x"},
        {"authorization", "mst_x_y"},
        {"token", ""},
        {"token", "a b"},
        {"x-clarifai-session-token", ""},
    };

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct credential cr;

        if (read_one(arena_of(state), rows[i].name, rows[i].value, 0, &cr) == 0)
            fail_msg("'%s' was taken", rows[i].value);
    }
}

static void no_credential_is_no_failure(void **state)
{
    struct http_field field = {STR("accept"), STR("*/*")};
    struct http_req req = {.fields = &field, .field_count = 1};
    struct credential cr = {.kind = CREDENTIAL_BASIC};
    struct fail f;

    assert_int_equal(credential_read(&req, arena_of(state), 0, &cr, &f), 0);
    assert_int_equal(cr.kind, CREDENTIAL_NONE);
}

static void two_credentials_are_refused_even_when_they_are_equal(void **state)
{
    struct http_field same[] = {{STR("authorization"), STR("Bearer a")},
                                {STR("authorization"), STR("Bearer a")}};
    struct http_field mixed[] = {{STR("token"), STR("a")}, {STR("authorization"), STR("Bearer a")}};
    struct http_req req = {.fields = same, .field_count = 2};
    struct credential cr;
    struct fail f;

    assert_int_equal(credential_read(&req, arena_of(state), 0, &cr, &f), -1);
    req.fields = mixed;
    assert_int_equal(credential_read(&req, arena_of(state), 0, &cr, &f), -1);
}

static void a_form_that_the_dialect_does_not_accept_is_refused(void **state)
{
    struct credential cr;

    assert_int_equal(
        read_one(arena_of(state), "authorization", "Key a", CREDENTIAL_FORM_BASIC, &cr), -1);
    assert_int_equal(read_one(arena_of(state), "token", "a", CREDENTIAL_FORM_BEARER, &cr), -1);
    assert_int_equal(read_one(arena_of(state), "token", "a", CREDENTIAL_FORM_TOKEN, &cr), 0);
}

static void a_credential_over_the_limit_is_refused(void **state)
{
    struct arena *a = arena_of(state);
    char *text = arena_alloc(a, CREDENTIAL_MAX_BYTES + 2);
    struct credential cr;

    memset(text, 'a', CREDENTIAL_MAX_BYTES);
    assert_int_equal(read_one(a, "token", text, 0, &cr), 0);
    text[CREDENTIAL_MAX_BYTES] = 'a';
    assert_int_equal(read_one(a, "token", text, 0, &cr), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_read),
        cmocka_unit_test(malformed_values_are_refused),
        cmocka_unit_test(no_credential_is_no_failure),
        cmocka_unit_test(two_credentials_are_refused_even_when_they_are_equal),
        cmocka_unit_test(a_form_that_the_dialect_does_not_accept_is_refused),
        cmocka_unit_test(a_credential_over_the_limit_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
