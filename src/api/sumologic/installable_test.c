/* SPDX-License-Identifier: Apache-2.0 */
/* Agents of each dialect as Installable collectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/sumologic/installable.h"
#include "core/agent_words_fixture.h"

#define AGENT(...)                                                                                 \
    &(struct agent)                                                                                \
    {                                                                                              \
        .row = {.ext_id = STR("id-1")}, __VA_ARGS__                                                \
    }

static void is(struct str got, const char *want)
{
    assert_non_null(got.p);
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.p, want, got.len);
}

static void an_alloy_has_its_os_and_version(void **state)
{
    const struct agent *agent =
        AGENT(.local = SAYS(PAIR("collector.os", "linux"), PAIR("collector.version", "v1.5.0")));
    struct sumo_installable i = sumo_installable_of(agent);

    (void)state;
    is(sumo_installable_name(agent), "id-1");
    is(i.os_name, "linux");
    is(i.version, "v1.5.0");
    assert_null(i.os_version.p);
    assert_null(i.os_arch.p);
    assert_null(i.host_name.p);
}

static void an_opentelemetry_collector_is_known_by_the_conventions(void **state)
{
    const struct agent *agent =
        AGENT(.row.name = STR("gateway"),
              .local = SAYS(PAIR("host.arch", "amd64"), PAIR("host.name", "node-7"),
                            PAIR("os.type", "windows"), PAIR("os.version", "10.0"),
                            PAIR("service.version", "0.155.0")));
    struct sumo_installable i = sumo_installable_of(agent);

    (void)state;
    is(sumo_installable_name(agent), "gateway");
    is(i.os_name, "windows");
    is(i.os_version, "10.0");
    is(i.os_arch, "amd64");
    is(i.version, "0.155.0");
    is(i.host_name, "node-7");
    assert_true(i.host_is_said);
}

static void what_a_manager_wrote_of_the_host_counts_before_what_it_says(void **state)
{
    struct sumo_installable i = sumo_installable_of(
        AGENT(.profile = {.host_name = STR("web-01")}, .local = SAYS(PAIR("host.name", "node-7"))));

    (void)state;
    is(i.host_name, "web-01");
    assert_false(i.host_is_said);
    i = sumo_installable_of(
        AGENT(.profile = {.host_name = STR("")}, .local = SAYS(PAIR("host.name", "node-7"))));
    is(i.host_name, "");
}

static void remote_attributes_win_but_for_what_is_the_agents_own(void **state)
{
    struct sumo_installable i = sumo_installable_of(
        AGENT(.local = SAYS(PAIR("collector.os", "linux"), PAIR("host.name", "node-7")),
              .remote =
                  SAYS(PAIR("collector.os", "plan9"), PAIR("host.name", "named-by-operator"))));

    (void)state;
    is(i.os_name, "linux");
    is(i.host_name, "named-by-operator");
}

static void an_empty_value_lets_the_next_name_speak(void **state)
{
    struct sumo_installable i = sumo_installable_of(
        AGENT(.local = SAYS(PAIR("collector.version", ""), PAIR("service.version", "2"))));

    (void)state;
    is(i.version, "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alloy_has_its_os_and_version),
        cmocka_unit_test(an_opentelemetry_collector_is_known_by_the_conventions),
        cmocka_unit_test(what_a_manager_wrote_of_the_host_counts_before_what_it_says),
        cmocka_unit_test(remote_attributes_win_but_for_what_is_the_agents_own),
        cmocka_unit_test(an_empty_value_lets_the_next_name_speak),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
