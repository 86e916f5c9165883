/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts get from a configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/apply.h"

struct loaded {
    struct config_problems problems;
    struct config *config;
};

static int tear_down(void **state)
{
    struct loaded *l = *state;

    config_free(&l->config);
    config_problems_done(&l->problems);
    test_free(l);
    return 0;
}

static int set_up(void **state)
{
    struct loaded *l = test_calloc(1, sizeof(*l));

    config_problems_init(&l->problems);
    *state = l;
    return 0;
}

static const struct config *load(void **state, const char *file)
{
    struct loaded *l = *state;

    config_free(&l->config);
    l->config = config_load_text(NULL, NULL, "t", str_of(file), &l->problems);
    assert_non_null(l->config);
    return l->config;
}

/* The defaults stand in the table and in net; they may not drift apart. */
static void default_limits_are_those_of_net(void **state)
{
    struct http_limits ours = {0}, theirs = {0};

    apply_http_limits(load(state, ""), &ours);
    http_limits_default(&theirs);
    assert_int_equal(ours.request_line_bytes, theirs.request_line_bytes);
    assert_int_equal(ours.header_bytes, theirs.header_bytes);
    assert_int_equal(ours.header_count, theirs.header_count);
    assert_int_equal(ours.connections, theirs.connections);
    assert_int_equal(ours.h2_streams, theirs.h2_streams);
    assert_int_equal(ours.header_timeout_ms, theirs.header_timeout_ms);
    assert_int_equal(ours.body_timeout_ms, theirs.body_timeout_ms);
    assert_int_equal(ours.idle_timeout_ms, theirs.idle_timeout_ms);
    assert_int_equal(ours.write_timeout_ms, theirs.write_timeout_ms);
    assert_int_equal(ours.min_rate_bytes, theirs.min_rate_bytes);
    assert_int_equal(ours.h2_resets, theirs.h2_resets);
    assert_int_equal(ours.h2_pings, theirs.h2_pings);
    assert_int_equal(ours.h2_settings, theirs.h2_settings);
    assert_int_equal(ours.h2_priorities, theirs.h2_priorities);
    assert_int_equal(ours.h2_empty_data, theirs.h2_empty_data);
    assert_int_equal(ours.h2_continuations, theirs.h2_continuations);
    assert_int_equal(ours.h2_window_updates, theirs.h2_window_updates);
    assert_int_equal(ours.h2_stalls, theirs.h2_stalls);
    assert_int_equal(ours.output_bytes, theirs.output_bytes);
}

static void durations_become_milliseconds(void **state)
{
    struct http_limits l;

    apply_http_limits(load(state, "timeouts.idle = 1d\ntimeouts.header = 250ms\n"), &l);
    assert_int_equal(l.idle_timeout_ms, 86400000);
    assert_int_equal(l.header_timeout_ms, 250);
}

static void a_rate_limits_the_key(void **state)
{
    const struct config *c =
        load(state, "rate.admin.key_per_second = 2\nrate.admin.key_burst = 3\n");
    struct clock *clock = clock_new_manual(0, 0);
    struct limits *limits = limits_new(clock, 100);
    struct limit_lease lease = {0};
    struct limit_state s;
    struct fail f;
    size_t slot, taken = 0;

    assert_int_equal(apply_rates(c, limits, &f), 0);
    assert_int_equal(limits_slot(limits, "admin", 0, &slot, &f), 0);
    while (taken < 10 && limits_take(limits, slot, 1, STR("k"), &lease, &s, &f) == 0) {
        limits_release(limits, &lease);
        taken++;
    }
    assert_int_equal(taken, 3);
    limits_free(&limits);
    clock_free(&clock);
}

static void no_rate_is_no_limit(void **state)
{
    struct clock *clock = clock_new_manual(0, 0);
    struct limits *limits = limits_new(clock, 100);
    struct limit_lease lease = {0};
    struct limit_state s;
    struct fail f;
    size_t slot;

    assert_int_equal(apply_rates(load(state, ""), limits, &f), 0);
    assert_int_equal(limits_slot(limits, "admin", 0, &slot, &f), 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(limits_take(limits, slot, 1, STR("k"), &lease, &s, &f), 0);
        limits_release(limits, &lease);
    }
    limits_free(&limits);
    clock_free(&clock);
}

static void each_bucket_of_fleet_management_has_its_own_rate(void **state)
{
    static const struct {
        unsigned class;
        size_t taken;
    } rows[] = {{1, 4}, {2, 2}, {3, 10}, {0, 10}};
    const struct config *c =
        load(state,
             "rate.fleet.collector_per_second = 2\nrate.fleet.collector_burst = 4\n"
             "rate.fleet.api_per_second = 2\n");
    struct clock *clock = clock_new_manual(0, 0);
    struct limits *limits = limits_new(clock, 100);
    struct limit_lease lease = {0};
    struct limit_state s;
    struct fail f;

    assert_int_equal(apply_rates(c, limits, &f), 0);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        size_t slot, taken = 0;

        assert_int_equal(limits_slot(limits, "fleet", rows[i].class, &slot, &f), 0);
        while (taken < 10 && limits_take(limits, slot, 1, STR("k"), &lease, &s, &f) == 0) {
            limits_release(limits, &lease);
            taken++;
        }
        assert_int_equal(taken, rows[i].taken);
    }
    assert_int_equal(f.code, CODE_RESOURCE_EXHAUSTED);
    limits_free(&limits);
    clock_free(&clock);
}

static size_t taken_of(struct limits *limits, size_t slot, const char *key, size_t most)
{
    struct limit_lease lease = {0};
    struct limit_state s;
    struct fail f;
    size_t taken = 0;

    while (taken < most && limits_take(limits, slot, 1, str_of(key), &lease, &s, &f) == 0) {
        limits_release(limits, &lease);
        taken++;
    }
    return taken;
}

static void sumo_logic_clients_are_counted_by_the_minute(void **state)
{
    struct clock *clock = clock_new_manual(0, 0);
    struct limits *limits = limits_new(clock, 100);
    struct limit_lease leases[11] = {0};
    struct limit_state s;
    struct fail f;
    size_t slot, held = 0;

    assert_int_equal(apply_rates(load(state, ""), limits, &f), 0);
    assert_int_equal(limits_slot(limits, "sumologic", 0, &slot, &f), 0);
    assert_int_equal(taken_of(limits, slot, "k", 1000), 240);
    clock_advance(clock, 62000000);
    while (held < 11 && limits_take(limits, slot, 1, STR("k"), &leases[held], &s, &f) == 0)
        held++;
    assert_int_equal(held, 10);
    assert_string_equal(f.reason, "concurrency_limit");
    for (size_t i = 0; i < held; i++)
        limits_release(limits, &leases[i]);

    const struct config *c =
        load(state, "rate.sumologic.key_per_minute = 0\nrate.sumologic.tenant_per_minute = 500\n");

    assert_int_equal(apply_rates(c, limits, &f), 0);
    clock_advance(clock, 62000000);
    assert_int_equal(taken_of(limits, slot, "k", 300) + taken_of(limits, slot, "other", 300), 500);
    limits_free(&limits);
    clock_free(&clock);
}

static void sumo_logic_periods_are_as_configured(void **state)
{
    struct arena *a = arena_new(256);
    struct sumologic_settings settings;

    apply_sumologic(load(state,
                         "sumologic.alive_after = 1m\nsumologic.ephemeral_after = 2h\n"
                         "sumologic.upgrade_timeout = 3m\n"
                         "sumologic.public_url = https://muster.lan:8443\n"
                         "sumologic.failed_registrations_per_minute = 3\n"),
                    a, &settings);
    assert_int_equal(settings.alive_us, INT64_C(60) * 1000000);
    assert_int_equal(settings.ephemeral_us, INT64_C(7200) * 1000000);
    assert_int_equal(settings.upgrades.timeout_us, INT64_C(180) * 1000000);
    assert_int_equal(settings.upgrades.alive_us, settings.alive_us);
    assert_int_equal(settings.storm.failures, 3);
    assert_int_equal(settings.storm.period_ms, 60000);
    assert_true(str_eq(settings.public_url, STR("https://muster.lan:8443")));
    arena_free(&a);
}

static void agents_are_treated_as_configured(void **state)
{
    const struct config *c =
        load(state,
             "agents.inactive_after = 2m\nfleet.local_attributes_max = 5\n"
             "fleet.collectors_max = 7\nfleet.pipelines_max = 8\nfleet.empty_matchers = all\n"
             "fleet.empty_config = empty\nrate.fleet.api_per_second = 3\n");
    struct pipelines_options options;
    struct agent_settings settings;

    apply_agents(c, &settings);
    assert_int_equal(settings.inactive_after_us, 120000000);
    assert_int_equal(settings.local_max, 5);
    assert_int_equal(settings.collectors_max, 7);
    assert_int_equal(settings.pipelines_max, 8);
    assert_int_equal(settings.collector_per_second, 0);
    assert_int_equal(settings.api_per_second, 3);
    apply_pipelines(c, &options);
    assert_true(options.empty_matches_all);
    assert_true(options.disabled_is_empty);
    assert_int_equal(options.variant_bytes, 64 << 20);

    apply_pipelines(load(state, ""), &options);
    assert_false(options.empty_matches_all);
    assert_false(options.disabled_is_empty);
}

static void numbers_left_to_us_follow_the_processors(void **state)
{
    const struct config *c = load(state, "");

    assert_true(apply_loops(c) >= 1);
    assert_true(apply_workers(c) >= 4);
    assert_int_equal(apply_readers(c), apply_workers(c) + 2);
    c = load(state, "loops = 3\nworkers = 5\nstore.readers = 7\n");
    assert_int_equal(apply_loops(c), 3);
    assert_int_equal(apply_workers(c), 5);
    assert_int_equal(apply_readers(c), 7);
}

static void no_certificate_is_no_tls(void **state)
{
    struct tls *tls = (struct tls *)state;
    struct fail f;

    assert_int_equal(apply_tls(load(state, ""), &tls, &f), 0);
    assert_null(tls);
}

static void a_missing_certificate_is_named(void **state)
{
    struct tls *tls = NULL;
    struct fail f;

    assert_int_equal(
        apply_tls(load(state, "tls.cert = /nonexistent/c\ntls.key = /nonexistent/k\n"), &tls, &f),
        -1);
    assert_string_equal(f.message,
                        "tls.cert: cannot read /nonexistent/c: No such file or directory");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(default_limits_are_those_of_net),
        TEST(durations_become_milliseconds),
        TEST(a_rate_limits_the_key),
        TEST(no_rate_is_no_limit),
        TEST(each_bucket_of_fleet_management_has_its_own_rate),
        TEST(sumo_logic_clients_are_counted_by_the_minute),
        TEST(sumo_logic_periods_are_as_configured),
        TEST(agents_are_treated_as_configured),
        TEST(numbers_left_to_us_follow_the_processors),
        TEST(no_certificate_is_no_tls),
        TEST(a_missing_certificate_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
