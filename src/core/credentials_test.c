/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/credentials.h"

static const uint8_t one[KEY_HASH_LEN] = {1};
static const uint8_t two[KEY_HASH_LEN] = {2};

static bool has(struct credentials *c, int64_t agent, uint32_t nonce)
{
    struct agent_credential found = {.agent = 0};

    if (!credentials_find(c, agent, nonce, &found))
        return false;
    assert_int_equal(found.agent, agent);
    assert_int_equal(found.nonce, nonce);
    return true;
}

static void what_was_put_is_found_with_its_owner(void **state)
{
    struct credentials *c = credentials_new();
    struct agent_credential found = {.agent = 0};

    (void)state;
    assert_false(has(c, 5, 1));
    credentials_put(c, 5, 1, one, 7, STR("acme"));
    credentials_put(c, 6, 1, two, 7, STR("acme"));
    assert_true(credentials_find(c, 5, 1, &found));
    assert_memory_equal(found.hash, one, sizeof(one));
    assert_int_equal(found.owner->tenant, 7);
    assert_true(str_eq(found.owner->name, STR("acme")));
    assert_false(has(c, 5, 2));
    assert_int_equal(credentials_count(c), 2);
    credentials_free(&c);
    assert_null(c);
    credentials_free(&c);
}

static void the_later_of_two_alike_stays(void **state)
{
    struct credentials *c = credentials_new();
    struct agent_credential found = {.agent = 0};

    (void)state;
    credentials_put(c, 5, 1, one, 7, STR("acme"));
    credentials_put(c, 5, 1, two, 7, STR("acme"));
    assert_int_equal(credentials_count(c), 1);
    assert_true(credentials_find(c, 5, 1, &found));
    assert_memory_equal(found.hash, two, sizeof(two));
    credentials_free(&c);
}

static void one_goes_or_all_of_an_agent(void **state)
{
    struct credentials *c = credentials_new();

    (void)state;
    for (uint32_t nonce = 0; nonce < 100; nonce++)
        credentials_put(c, 5, nonce, one, 7, STR("acme"));
    credentials_put(c, 6, 3, one, 7, STR("acme"));
    credentials_remove(c, 5, 3);
    credentials_remove(c, 5, 3);
    assert_false(has(c, 5, 3));
    assert_true(has(c, 5, 4));
    assert_int_equal(credentials_count(c), 100);
    credentials_remove_agent(c, 5);
    credentials_remove_agent(c, 5);
    assert_int_equal(credentials_count(c), 1);
    assert_true(has(c, 6, 3));
    credentials_free(&c);
}

static void a_tenants_go_and_others_stay(void **state)
{
    struct credentials *c = credentials_new();

    (void)state;
    for (int64_t agent = 1; agent <= 1000; agent++)
        credentials_put(c, agent, 1, one, agent % 2 ? 7 : 8, agent % 2 ? STR("odd") : STR("even"));
    credentials_remove_tenant(c, 7);
    assert_int_equal(credentials_count(c), 500);
    for (int64_t agent = 1; agent <= 1000; agent++)
        assert_int_equal(has(c, agent, 1), agent % 2 == 0);
    credentials_free(&c);
}

static void room_that_was_given_back_is_used_again(void **state)
{
    struct credentials *c = credentials_new();

    (void)state;
    for (int64_t agent = 1; agent <= 10000; agent++)
        credentials_put(c, agent, 1, one, 7, STR("acme"));

    size_t bytes = credentials_bytes(c);

    for (int round = 0; round < 3; round++) {
        for (int64_t agent = 1; agent <= 10000; agent++)
            credentials_remove(c, agent, 1);
        assert_int_equal(credentials_count(c), 0);
        for (int64_t agent = 1; agent <= 10000; agent++)
            credentials_put(c, agent, 1, two, 7, STR("acme"));
    }
    assert_int_equal(credentials_bytes(c), bytes);
    for (int64_t agent = 1; agent <= 10000; agent++)
        assert_true(has(c, agent, 1));
    credentials_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_with_its_owner),
        cmocka_unit_test(the_later_of_two_alike_stays),
        cmocka_unit_test(one_goes_or_all_of_an_agent),
        cmocka_unit_test(a_tenants_go_and_others_stay),
        cmocka_unit_test(room_that_was_given_back_is_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
