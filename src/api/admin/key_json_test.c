/* SPDX-License-Identifier: Apache-2.0 */
#include "api/admin/admin_internal.h"

#include "base/arena_fixture.h"

#define NOW_US INT64_C(1700000000000000) /* 2023-11-14T22:13:20Z */
#define DAY_US INT64_C(86400000000)

static int read_key(void **state, const char *body, struct key_request *out, struct fail *f)
{
    *f = (struct fail){0};
    return key_request_read(*state, str_of(body), NOW_US, out, f);
}

static void refused(void **state, const char *body, const char *reason, const char *field,
                    const char *message)
{
    struct key_request want = {.label = STR("untouched")};
    struct fail f;

    if (read_key(state, body, &want, &f) == 0)
        fail_msg("taken: %s", body);
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    if (reason)
        assert_string_equal(f.reason ? f.reason : "(none)", reason);
    if (field)
        assert_string_equal(f.field, field);
    if (message)
        assert_string_equal(f.message, message);
    assert_true(str_eq(want.label, STR("untouched")));
}

static void an_empty_object_asks_for_a_viewer_of_ones_own_tenant(void **state)
{
    struct key_request want;
    struct fail f;

    assert_int_equal(read_key(state, "{}", &want, &f), 0);
    assert_int_equal(want.tenant.len, 0);
    assert_int_equal(want.label.len, 0);
    assert_int_equal(want.role, ROLE_VIEWER);
    assert_int_equal(want.scopes, 0);
    assert_int_equal(want.expires_us, 0);
}

static void every_member_is_read(void **state)
{
    struct key_request want;
    struct fail f;

    assert_int_equal(read_key(state,
                              "{\"tenant\":\"acme\",\"label\":\"caf\\u00e9\",\"role\":\"editor\","
                              "\"scopes\":[\"keys:read\",\"agent\",\"agent\"],"
                              "\"expires\":\"2023-11-15T00:13:20+01:00\"}",
                              &want, &f),
                     0);
    assert_true(str_eq(want.tenant, STR("acme")));
    assert_true(str_eq(want.label, STR("caf\xc3\xa9")));
    assert_int_equal(want.role, ROLE_EDITOR);
    assert_int_equal(want.scopes, SCOPE_KEYS_READ | SCOPE_AGENT);
    assert_int_equal(want.expires_us, NOW_US + DAY_US / 24);
}

static void an_expiry_may_be_a_duration(void **state)
{
    static const struct {
        const char *body;
        int64_t from_now_us;
    } rows[] = {
        {"{\"expires\":\"90d\"}", 90 * DAY_US},    {"{\"expires\":\"2w\"}", 14 * DAY_US},
        {"{\"expires\":\"36h\"}", 3 * DAY_US / 2}, {"{\"expires\":\"90m\"}", DAY_US / 16},
        {"{\"expires\":\"86400s\"}", DAY_US},
    };

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct key_request want;
        struct fail f;

        assert_int_equal(read_key(state, rows[i].body, &want, &f), 0);
        assert_int_equal(want.expires_us, NOW_US + rows[i].from_now_us);
    }
}

static void a_bad_expiry_is_named(void **state)
{
    static const char *const values[] = {
        "0d",
        "-1d",
        "d",
        "1",
        "1y",
        "1.5d",
        " 1d",
        "99999999999999999999d",
        "9223372036854775807w",
        "2023-11-14T22:13:20Z",
        "2023-11-14",
        "tomorrow",
        "",
    };

    for (size_t i = 0; i < COUNTOF(values); i++) {
        struct arena *a = *state;
        struct str body = arena_printf(a, "{\"expires\":\"%s\"}", values[i]);

        refused(state, arena_cstr(a, body), "bad_expiry", "expires", NULL);
    }
}

static void unknown_members_are_named(void **state)
{
    refused(state, "{\"lable\":\"x\"}", "unknown_member", "lable", "unknown member \"lable\"");
    refused(state, "{\"label\":\"x\",\"Role\":\"admin\"}", "unknown_member", "Role",
            "unknown member \"Role\"");
}

static void wrong_types_are_named(void **state)
{
    refused(state, "{\"label\":1}", NULL, "label", NULL);
    refused(state, "{\"tenant\":[]}", NULL, "tenant", NULL);
    refused(state, "{\"role\":true}", NULL, "role", NULL);
    refused(state, "{\"scopes\":\"agent\"}", NULL, "scopes", NULL);
    refused(state, "{\"scopes\":[1]}", "bad_scopes", "scopes",
            "scopes: must be an array of strings");
    refused(state, "{\"expires\":1700000000}", NULL, "expires", NULL);
}

static void bad_values_are_named(void **state)
{
    refused(state, "{\"role\":\"root\"}", "bad_role", "role",
            "role: must be agent, viewer, editor or admin");
    refused(state, "{\"scopes\":[\"agent\",\"all\"]}", "bad_scopes", "scopes",
            "scopes: there is no scope \"all\"");
    refused(state, "{\"scopes\":[]}", "bad_scopes", "scopes", NULL);
}

static void what_is_no_object_is_refused(void **state)
{
    refused(state, "", NULL, NULL, NULL);
    refused(state, "[]", "not_an_object", NULL, "the body must be a JSON object");
    refused(state, "null", "not_an_object", NULL, NULL);
    refused(state, "{", NULL, NULL, NULL);
    refused(state, "{} {}", NULL, NULL, NULL);
    refused(state, "{\"label\":\"a\",\"label\":\"b\"}", NULL, NULL, NULL);
    refused(state, "{\"label\":\"\xff\"}", NULL, NULL, NULL);
    refused(state, "{\"scopes\":[[[[[[[[[[[]]]]]]]]]]]}", NULL, NULL, NULL);
}

static void a_tenant_needs_a_name(void **state)
{
    struct str name;
    struct fail f = {0};

    assert_int_equal(tenant_request_read(*state, STR("{\"name\":\"acme\"}"), &name, &f), 0);
    assert_true(str_eq(name, STR("acme")));
    assert_int_equal(tenant_request_read(*state, STR("{}"), &name, &f), -1);
    assert_string_equal(f.field, "name");
    assert_int_equal(tenant_request_read(*state, STR("{\"name\":null}"), &name, &f), -1);
    assert_int_equal(tenant_request_read(*state, STR("{\"name\":5}"), &name, &f), -1);
    assert_int_equal(tenant_request_read(*state, STR("{\"name\":\"a\",\"id\":1}"), &name, &f), -1);
    assert_string_equal(f.field, "id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_object_asks_for_a_viewer_of_ones_own_tenant),
        cmocka_unit_test(every_member_is_read),
        cmocka_unit_test(an_expiry_may_be_a_duration),
        cmocka_unit_test(a_bad_expiry_is_named),
        cmocka_unit_test(unknown_members_are_named),
        cmocka_unit_test(wrong_types_are_named),
        cmocka_unit_test(bad_values_are_named),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(a_tenant_needs_a_name),
    };

    return cmocka_run_group_tests(tests, arena_fixture_setup, arena_fixture_teardown);
}
