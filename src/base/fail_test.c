/* SPDX-License-Identifier: Apache-2.0 */
/* Failures: codes, statuses, wrapping, cutting. */
#include "base/fail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

static void setting_fills_in_and_clears_the_rest(void **state)
{
    struct fail f;

    (void)state;
    memset(&f, 0xee, sizeof(f));
    assert_int_equal(fail_set(&f, CODE_NOT_FOUND, "no %s %d", "collector", 7), -1);
    assert_int_equal(f.code, CODE_NOT_FOUND);
    assert_string_equal(f.message, "no collector 7");
    assert_null(f.reason);
    assert_string_equal(f.field, "");
    assert_string_equal(f.detail, "");
    assert_int_equal(f.retry_after_ms, 0);
}

static void reason_field_and_detail_add_to_it(void **state)
{
    struct fail f;

    (void)state;
    assert_int_equal(fail_reason(&f, CODE_ALREADY_EXISTS, "name_taken", "taken"), -1);
    assert_int_equal(fail_field(&f, "collectors[%d].name", 3), -1);
    assert_int_equal(fail_detail(&f, "row %d", 9), -1);
    assert_int_equal(f.code, CODE_ALREADY_EXISTS);
    assert_string_equal(f.reason, "name_taken");
    assert_string_equal(f.message, "taken");
    assert_string_equal(f.field, "collectors[3].name");
    assert_string_equal(f.detail, "row 9");
}

static void message_may_wrap_itself(void **state)
{
    struct fail f;

    (void)state;
    fail_set(&f, CODE_INTERNAL, "inner");
    fail_set(&f, CODE_UNAVAILABLE, "outer: %s", f.message);
    assert_string_equal(f.message, "outer: inner");
}

static void long_text_is_cut_between_characters(void **state)
{
    char wide[600];
    struct fail f;

    (void)state;
    for (size_t i = 0; i < sizeof(wide) - 1; i++)
        wide[i] = "\xe2\x82\xac"[i % 3];
    wide[sizeof(wide) - 1] = '\0';
    for (int shift = 0; shift < 3; shift++) {
        fail_set(&f, CODE_INTERNAL, "%.*s%s", shift, "ab", wide);

        size_t len = strlen(f.message);

        assert_true(len < sizeof(f.message) && len > sizeof(f.message) - 4);
        assert_int_equal((len - (size_t)MIN(shift, 2)) % 3, 0);
    }
    fail_field(&f, "%s", wide);
    assert_int_equal(strlen(f.field), 63);
    memset(wide, 'x', sizeof(wide) - 1);
    fail_detail(&f, "%s", wide);
    assert_int_equal(strlen(f.detail), 255);
}

static void every_code_has_its_name_and_status(void **state)
{
    static const struct {
        enum code code;
        const char *name;
        int status;
    } want[] = {
        {CODE_OK, "ok", 200},
        {CODE_CANCELED, "canceled", 499},
        {CODE_UNKNOWN, "unknown", 500},
        {CODE_INVALID_ARGUMENT, "invalid_argument", 400},
        {CODE_DEADLINE_EXCEEDED, "deadline_exceeded", 504},
        {CODE_NOT_FOUND, "not_found", 404},
        {CODE_ALREADY_EXISTS, "already_exists", 409},
        {CODE_PERMISSION_DENIED, "permission_denied", 403},
        {CODE_RESOURCE_EXHAUSTED, "resource_exhausted", 429},
        {CODE_FAILED_PRECONDITION, "failed_precondition", 400},
        {CODE_ABORTED, "aborted", 409},
        {CODE_OUT_OF_RANGE, "out_of_range", 400},
        {CODE_UNIMPLEMENTED, "unimplemented", 501},
        {CODE_INTERNAL, "internal", 500},
        {CODE_UNAVAILABLE, "unavailable", 503},
        {CODE_DATA_LOSS, "data_loss", 500},
        {CODE_UNAUTHENTICATED, "unauthenticated", 401},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(want); i++) {
        assert_string_equal(code_name(want[i].code), want[i].name);
        assert_int_equal(code_http_status(want[i].code), want[i].status);
    }
    assert_string_equal(code_name((enum code)99), "unknown");
    assert_int_equal(code_http_status((enum code)99), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_fills_in_and_clears_the_rest),
        cmocka_unit_test(reason_field_and_detail_add_to_it),
        cmocka_unit_test(message_may_wrap_itself),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(every_code_has_its_name_and_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
