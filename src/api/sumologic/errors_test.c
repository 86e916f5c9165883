/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/sumologic/errors.h"
#include "codec/json.h"
#include "rpc/route.h"

struct world {
    struct arena *a;
    struct caller caller;
    struct route route;
    struct call call;
};

static struct world world;

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    world.a = arena_new(4096);
    world.caller = (struct caller){.tenant = 1, .scopes = SCOPE_COLLECTORS_READ};
    world.route = (struct route){.scope = SCOPE_COLLECTORS_WRITE};
    world.call = (struct call){
        .arena = world.a, .caller = &world.caller, .route = &world.route, .status = 400};
    buf_init_arena(&world.call.out, world.a, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&world.a);
    return 0;
}

static struct fail failure(enum code code, const char *reason, const char *message)
{
    struct fail f = {0};

    IGNORE(fail_reason(&f, code, reason, "%s", message));
    return f;
}

static void assert_found(enum code code, const char *reason, int before, int status,
                         const char *wire)
{
    struct fail f = failure(code, reason, "why");
    struct wire_error e = error_find(&f, before);

    assert_int_equal(e.status, status);
    assert_string_equal(e.code, wire);
}

/* --- the table --- */

static void reasons_have_codes_of_their_own(void **state)
{
    (void)state;
    assert_found(CODE_NOT_FOUND, "no_such_collector", 404, 404, "collectors.collector.invalid");
    assert_found(CODE_NOT_FOUND, "no_such_source", 404, 404, "collectors.source.invalid");
    assert_found(CODE_ALREADY_EXISTS, "name_taken", 409, 400,
                 "collectors.validation.name.duplicate");
    assert_found(CODE_ABORTED, "etag_mismatch", 409, 412, "service.etagid.mismatch");
    assert_found(CODE_PERMISSION_DENIED, "if_match_missing", 403, 403, "service.ifthen.missing");
    assert_found(CODE_FAILED_PRECONDITION, "not_alive", 400, 400, "collector.not.alive");
    assert_found(CODE_INVALID_ARGUMENT, "media_type", 415, 415, "contenttype.invalid");
    assert_found(CODE_UNIMPLEMENTED, "no_such_verb", 405, 405, "method.unsupported");
    assert_found(CODE_RESOURCE_EXHAUSTED, "rate_limit", 429, 429, "rate.limit.exceeded");
}

static void other_reasons_are_told_by_their_code(void **state)
{
    (void)state;
    assert_found(CODE_INVALID_ARGUMENT, "bad_attributes", 400, 400,
                 "collectors.validation.fields.invalid");
    assert_found(CODE_INVALID_ARGUMENT, "uri_too_long", 414, 414, "service.request.invalid");
    assert_found(CODE_INVALID_ARGUMENT, NULL, 400, 400, "collectors.validation.fields.invalid");
    assert_found(CODE_NOT_FOUND, "no_such_thing", 404, 404, "notfound");
    assert_found(CODE_INTERNAL, NULL, 500, 500, "internal.error");
    assert_found(CODE_UNAVAILABLE, "overloaded", 503, 503, "service.unavailable");
    assert_found(CODE_DEADLINE_EXCEEDED, "deadline", 504, 503, "service.unavailable");
}

static void no_code_that_clients_cause_is_a_failure_of_ours(void **state)
{
    static const enum code ours[] = {
        CODE_OK,        CODE_CANCELED,    CODE_UNKNOWN,          CODE_INTERNAL,
        CODE_DATA_LOSS, CODE_UNAVAILABLE, CODE_DEADLINE_EXCEEDED};

    (void)state;
    for (int code = 0; code < CODE_COUNT; code++) {
        struct fail f = {.code = (enum code)code};
        bool is_ours = false;

        for (size_t i = 0; i < COUNTOF(ours); i++)
            is_ours = is_ours || ours[i] == f.code;
        assert_int_equal(error_find(&f, code_http_status(f.code)).status >= 500, is_ours);
    }
}

/* --- bodies --- */

static struct json_value *body(void)
{
    struct json_value *v = NULL;
    struct fail f;

    assert_int_equal(json_parse(world.a, buf_str(&world.call.out), NULL, &v, &f), 0);
    return v;
}

static const char *text(const struct json_value *object, const char *key)
{
    struct str s = {NULL, 0};
    struct fail f;

    assert_int_equal(json_get_str(object, key, &s, &f), 1);
    return arena_cstr(world.a, s);
}

static void ids_are_three_groups_of_five(void **state)
{
    struct str first = error_id(world.a), second = error_id(world.a);

    (void)state;
    assert_int_equal(first.len, ERROR_ID_LEN);
    for (size_t i = 0; i < first.len; i++) {
        if (i == 5 || i == 11)
            assert_int_equal(first.p[i], '-');
        else
            assert_non_null(strchr("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", first.p[i]));
    }
    assert_false(str_eq(first, second));
}

static void a_flat_error_has_no_nested_values(void **state)
{
    struct fail f = failure(CODE_INVALID_ARGUMENT, "fields_missing", "Missing required field: 'x'");
    int64_t status = 0;
    struct fail why;

    (void)state;
    error_flat(&world.call, &f);

    struct json_value *v = body();

    assert_int_equal(v->count, 4);
    assert_int_equal(json_get_i64(v, "status", &status, &why), 1);
    assert_int_equal(status, 400);
    assert_int_equal(strlen(text(v, "id")), ERROR_ID_LEN);
    assert_string_equal(text(v, "code"), "collectors.validation.fields.missing");
    assert_string_equal(text(v, "message"), "Missing required field: 'x'");
}

static void the_newer_endpoints_list_their_errors(void **state)
{
    struct fail f = failure(CODE_NOT_FOUND, "no_such_token", "there is no such token");

    (void)state;
    error_list(&world.call, &f);

    struct json_value *v = body();
    const struct json_value *errors = json_find(v, STR("errors"));

    assert_int_equal(world.call.status, 404);
    assert_int_equal(v->count, 2);
    assert_int_equal(errors->count, 1);
    assert_string_equal(text(errors->first, "code"), "notfound");
    assert_string_equal(text(errors->first, "message"), "there is no such token.");
}

static void what_went_wrong_inside_is_not_told(void **state)
{
    struct fail f = failure(CODE_INTERNAL, NULL, "the table is broken at row 5");

    (void)state;
    error_flat(&world.call, &f);
    assert_int_equal(world.call.status, 500);
    assert_string_equal(text(body(), "message"), "Internal server error.");
}

static void messages_are_never_empty(void **state)
{
    struct fail f = failure(CODE_NOT_FOUND, NULL, "");

    (void)state;
    error_flat(&world.call, &f);
    assert_true(strlen(text(body(), "message")) > 0);
}

static void documented_words_stay_as_they_are(void **state)
{
    struct fail f = failure(CODE_INVALID_ARGUMENT, "source_type", "Please specify a source type");

    (void)state;
    error_flat(&world.call, &f);
    assert_string_equal(text(body(), "message"), "Please specify a source type");
}

static void a_key_without_the_scope_is_forbidden(void **state)
{
    struct fail f = failure(CODE_PERMISSION_DENIED, "scope_missing", "");

    (void)state;
    world.call.status = 403;
    error_flat(&world.call, &f);
    assert_int_equal(world.call.status, 403);
    assert_string_equal(text(body(), "code"), "forbidden");
}

static void a_credential_for_another_door_counts_as_none(void **state)
{
    static const struct {
        uint32_t has;
        uint32_t needs;
        int status;
    } rows[] = {
        {SCOPE_BEAT, SCOPE_COLLECTORS_READ, 401},
        {SCOPE_ENROLL, SCOPE_COLLECTORS_READ, 401},
        {SCOPE_ENROLL, SCOPE_BEAT, 401},
        {SCOPE_COLLECTORS_READ, SCOPE_BEAT, 401},
        {SCOPE_COLLECTORS_READ, SCOPE_ENROLL, 401},
        {SCOPE_COLLECTORS_READ, SCOPE_COLLECTORS_WRITE, 403},
    };
    struct fail f = failure(CODE_PERMISSION_DENIED, "scope_missing", "");

    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        world.caller.scopes = rows[i].has;
        world.route.scope = rows[i].needs;
        world.call.status = 403;
        buf_clear(&world.call.out);
        error_flat(&world.call, &f);
        assert_int_equal(world.call.status, rows[i].status);
    }
}

static void the_receiver_answers_with_a_line(void **state)
{
    struct fail f = failure(CODE_RESOURCE_EXHAUSTED, "spool_full", "there is no room");

    (void)state;
    error_plain(&world.call, &f);
    assert_int_equal(world.call.status, 429);
    assert_true(str_eq(buf_str(&world.call.out), STR("there is no room.\n")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reasons_have_codes_of_their_own),
        TEST(other_reasons_are_told_by_their_code),
        TEST(no_code_that_clients_cause_is_a_failure_of_ours),
        TEST(ids_are_three_groups_of_five),
        TEST(a_flat_error_has_no_nested_values),
        TEST(the_newer_endpoints_list_their_errors),
        TEST(what_went_wrong_inside_is_not_told),
        TEST(messages_are_never_empty),
        TEST(documented_words_stay_as_they_are),
        TEST(a_key_without_the_scope_is_forbidden),
        TEST(a_credential_for_another_door_counts_as_none),
        TEST(the_receiver_answers_with_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
