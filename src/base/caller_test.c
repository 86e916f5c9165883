/* SPDX-License-Identifier: Apache-2.0 */
/* Roles and scopes: names and grants. */
#include "base/caller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALL_SCOPES (SCOPE_SERVER * 2 - 1)

static void admin_may_everything(void **state)
{
    (void)state;
    assert_int_equal(role_scopes(ROLE_ADMIN), ALL_SCOPES);
}

static void editor_may_not_manage_keys_tenants_or_the_server(void **state)
{
    (void)state;
    assert_int_equal(role_scopes(ROLE_EDITOR), ALL_SCOPES & ~(SCOPE_KEYS_READ | SCOPE_KEYS_WRITE |
                                                              SCOPE_TENANTS | SCOPE_SERVER));
}

static void viewer_only_reads(void **state)
{
    (void)state;
    assert_int_equal(role_scopes(ROLE_VIEWER), SCOPE_COLLECTORS_READ | SCOPE_PIPELINES_READ |
                                                   SCOPE_TASKS_READ | SCOPE_DATA_READ |
                                                   SCOPE_METRICS);
}

static void agent_is_only_an_agent(void **state)
{
    (void)state;
    assert_int_equal(role_scopes(ROLE_AGENT), SCOPE_AGENT);
    assert_int_equal(role_scopes((enum role)99), 0);
}

static void role_names_go_there_and_back(void **state)
{
    enum role role = ROLE_AGENT;

    (void)state;
    for (unsigned i = 0; i < ROLE_COUNT; i++) {
        assert_int_equal(role_parse(str_of(role_name((enum role)i)), &role), 0);
        assert_int_equal(role, i);
    }
    assert_int_equal(role_parse(STR("Admin"), &role), -1);
    assert_int_equal(role_parse(STR(""), &role), -1);
    assert_int_equal(role_parse(STR("none"), &role), -1);
}

static void scope_names_go_there_and_back(void **state)
{
    uint32_t scope = 0;

    (void)state;
    for (uint32_t bit = 1; bit <= SCOPE_SERVER; bit *= 2) {
        assert_int_equal(scope_parse(str_of(scope_name((enum scope)bit)), &scope), 0);
        assert_int_equal(scope, bit);
    }
    assert_string_equal(scope_name(SCOPE_KEYS_WRITE), "keys:write");
    assert_string_equal(scope_name(SCOPE_DATA_READ), "data:read");
    assert_string_equal(scope_name(SCOPE_NONE), "none");
    assert_int_equal(scope_parse(STR("none"), &scope), -1);
    assert_int_equal(scope_parse(STR("collectors"), &scope), -1);
}

static void caller_needs_every_bit_that_is_asked(void **state)
{
    struct caller c = {.scopes = SCOPE_KEYS_READ | SCOPE_METRICS};

    (void)state;
    assert_true(caller_may(&c, SCOPE_NONE));
    assert_true(caller_may(&c, SCOPE_KEYS_READ));
    assert_false(caller_may(&c, SCOPE_KEYS_READ | SCOPE_KEYS_WRITE));
    assert_false(caller_may(&c, SCOPE_SERVER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admin_may_everything),
        cmocka_unit_test(editor_may_not_manage_keys_tenants_or_the_server),
        cmocka_unit_test(viewer_only_reads),
        cmocka_unit_test(agent_is_only_an_agent),
        cmocka_unit_test(role_names_go_there_and_back),
        cmocka_unit_test(scope_names_go_there_and_back),
        cmocka_unit_test(caller_needs_every_bit_that_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
