/* SPDX-License-Identifier: Apache-2.0 */
#include "api/sumologic/extras.h"

#include "base/arena_fixture.h"

static void what_is_written_is_read_again(void **state)
{
    struct json_value *tags = json_new_object(*state);
    const struct extras e = {
        .fleet_id = STR("0123456789ABCDEF"), .token_key = STR("SUMOx"), .tags = tags};
    struct agent agent = {0};
    struct extras read;

    json_set(tags, STR("sumo.disco.nginx"), json_new_i64(*state, 1));
    extras_read(*state, &agent, &read);
    assert_false(read.there);
    extras_write(*state, &agent, &e);
    extras_read(*state, &agent, &read);
    assert_true(read.there);
    assert_true(str_eq(read.fleet_id, e.fleet_id));
    assert_true(str_eq(read.token_key, e.token_key));
    assert_non_null(read.tags);
    assert_non_null(json_find(read.tags, STR("sumo.disco.nginx")));
}

static void what_others_keep_stays_in_its_order(void **state)
{
    struct label others[] = {{STR("fleet"), STR("f")}, {STR("zebra"), STR("z")}};
    struct agent agent = {.extras = others, .extra_count = COUNTOF(others)};
    const struct extras first = {.fleet_id = STR("1")};
    const struct extras second = {.fleet_id = STR("2")};
    struct extras read;

    extras_write(*state, &agent, &first);
    assert_int_equal(agent.extra_count, 3);
    extras_write(*state, &agent, &second);
    assert_int_equal(agent.extra_count, 3);
    assert_true(str_eq(agent.extras[0].key, STR("fleet")));
    assert_true(str_eq(agent.extras[1].key, STR("sumologic")));
    assert_true(str_eq(agent.extras[2].value, STR("z")));
    extras_read(*state, &agent, &read);
    assert_true(str_eq(read.fleet_id, STR("2")));
}

static void text_that_cannot_be_read_says_nothing(void **state)
{
    static const struct str bad[] = {
        STR_INIT(""),
        STR_INIT("{"),
        STR_INIT("[]"),
        STR_INIT("{\"fleetId\":5,\"tags\":[]}"),
    };

    for (size_t i = 0; i < COUNTOF(bad); i++) {
        struct label own = {STR("sumologic"), bad[i]};
        const struct agent agent = {.extras = &own, .extra_count = 1};
        struct extras read;

        extras_read(*state, &agent, &read);
        assert_true(read.there);
        assert_int_equal(read.fleet_id.len, 0);
        assert_null(read.tags);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read_again, arena_fixture_setup,
                                        arena_fixture_teardown),
        cmocka_unit_test_setup_teardown(what_others_keep_stays_in_its_order, arena_fixture_setup,
                                        arena_fixture_teardown),
        cmocka_unit_test_setup_teardown(text_that_cannot_be_read_says_nothing, arena_fixture_setup,
                                        arena_fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
