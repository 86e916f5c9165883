/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/fleet/messages.h"
#include "codec/protojson.h"

#define T0 INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */

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

static void assert_shown(struct arena *a, const struct agent *agent, int64_t now_us,
                         const char *expected)
{
    static const struct protojson_flavor canonical;
    struct collector_v1_collector message;
    struct buf text;
    struct fail f;

    message_collector(a, agent, now_us, 60 * INT64_C(1000000), &message);
    buf_init_arena(&text, a, 65536);
    assert_int_equal(
        protojson_encode(&canonical, &collector_v1_collector_desc, a, &message, &text, &f), 0);
    assert_string_equal(arena_cstr(a, buf_str(&text)), expected);
}

static void a_collector_that_never_spoke_has_its_id_as_attribute(void **state)
{
    const struct agent agent = {
        .row = {.ext_id = STR("c1"), .created_us = T0 + 1, .updated_us = T0 + 999999},
        .type = AGENT_OTEL,
    };

    /* No time of inactivity, and whole seconds. */
    assert_shown(*state, &agent, T0 + 3600 * INT64_C(1000000),
                 "{\"id\":\"c1\",\"createdAt\":\"2026-01-01T00:00:00Z\","
                 "\"updatedAt\":\"2026-01-01T00:00:00Z\","
                 "\"localAttributes\":{\"collector.ID\":\"c1\"},\"enabled\":false,"
                 "\"collectorType\":\"COLLECTOR_TYPE_OTEL\"}");
}

static void a_collector_shows_both_kinds_of_attributes(void **state)
{
    struct label local[] = {{STR("collector.os"), STR("linux")}, {STR("env"), STR("dev")}};
    struct label remote[] = {{STR("env"), STR("prod")}, {STR("team"), STR("")}};
    const struct agent agent = {
        .row = {.ext_id = STR("c1"), .name = STR("one"), .last_seen_us = T0},
        .type = AGENT_ALLOY,
        .enabled = true,
        .registered = true,
        .local = {local, COUNTOF(local)},
        .remote = {remote, COUNTOF(remote)},
    };

    assert_shown(*state, &agent, T0,
                 "{\"id\":\"c1\",\"remoteAttributes\":{\"env\":\"prod\",\"team\":\"\"},"
                 "\"name\":\"one\",\"localAttributes\":{\"collector.ID\":\"c1\","
                 "\"collector.os\":\"linux\",\"env\":\"dev\"},\"enabled\":true,"
                 "\"collectorType\":\"COLLECTOR_TYPE_ALLOY\"}");
}

static void silence_and_a_good_bye_mark_a_collector(void **state)
{
    struct agent agent = {
        .row = {.ext_id = STR("c"), .last_seen_us = T0},
        .type = AGENT_ALLOY,
        .enabled = true,
        .registered = true,
    };
    struct collector_v1_collector message;

    message_collector(*state, &agent, T0 + 60 * INT64_C(1000000), 60 * INT64_C(1000000), &message);
    assert_null(message.marked_inactive_at);
    message_collector(*state, &agent, T0 + 61 * INT64_C(1000000), 60 * INT64_C(1000000), &message);
    assert_non_null(message.marked_inactive_at);

    agent.inactive_us = T0 + 5 * INT64_C(1000000);
    message_collector(*state, &agent, T0 + 6 * INT64_C(1000000), 60 * INT64_C(1000000), &message);
    assert_int_equal(message.marked_inactive_at->seconds, T0 / 1000000 + 5);
    assert_int_equal(message.marked_inactive_at->nanos, 0);
}

static void deprecated_overrides_count_when_there_is_nothing_newer(void **state)
{
    struct collector_v1_collector_attribute_overrides_entry old[] = {{STR("k"), STR("old")}};
    struct collector_v1_collector_remote_attributes_entry new_ones[] = {{STR("k"), STR("new")}};
    struct collector_v1_collector in = {.attribute_overrides = {old, 1}};
    struct attributes got = message_remote(&in);

    (void)state;
    assert_int_equal(got.count, 1);
    assert_true(str_eq(got.items[0].value, STR("old")));
    in.remote_attributes.items = new_ones;
    in.remote_attributes.count = 1;
    got = message_remote(&in);
    assert_int_equal(got.count, 1);
    assert_true(str_eq(got.items[0].value, STR("new")));
}

static void types_are_those_that_are_known(void **state)
{
    enum agent_type type;
    struct fail f = {0};

    (void)state;
    assert_int_equal(message_type(COLLECTOR_V1_COLLECTOR_TYPE_UNSPECIFIED, &type, &f), 0);
    assert_int_equal(type, 0);
    assert_int_equal(message_type(COLLECTOR_V1_COLLECTOR_TYPE_OTEL, &type, &f), 0);
    assert_int_equal(type, AGENT_OTEL);
    assert_int_equal(message_type(3, &type, &f), -1);
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    assert_string_equal(f.field, "collector.collector_type");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_collector_that_never_spoke_has_its_id_as_attribute),
        TEST(a_collector_shows_both_kinds_of_attributes),
        TEST(silence_and_a_good_bye_mark_a_collector),
        TEST(deprecated_overrides_count_when_there_is_nothing_newer),
        TEST(types_are_those_that_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
