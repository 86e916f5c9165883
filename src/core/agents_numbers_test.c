/* SPDX-License-Identifier: Apache-2.0 */
/* Agents by number: pages, beats, who is alive and who is overdue, and what managers say of them.
 */
#include "core/agents_fixture.h"

#define ALIVE_US INT64_C(1800000000)
#define LATER_US (FIXTURE_NOW_US + ALIVE_US + 1)
#define MANY     5000
#define SEEDS    4

static void put_seen(struct agents_fixture *x, int64_t number, int64_t seen_us, bool ephemeral)
{
    struct agent agent = agent_of(x->a, number, "", "", "");

    agent.row.ext_id = arena_printf(x->a, "agent-%lld", (long long)number);
    agent.row.last_seen_us = seen_us;
    agent.ephemeral = ephemeral;
    agents_put(x->agents, &agent);
}

/* "1,3" */
static const char *numbers(struct agents_fixture *x, int64_t after, enum agents_liveness liveness,
                           int64_t now_us, size_t limit)
{
    struct buf text;
    int64_t got[16];
    size_t count;

    assert_true(limit <= COUNTOF(got));
    count = agents_numbers(x->agents, after, liveness, now_us, ALIVE_US, got, limit);
    buf_init_arena(&text, x->a, 4096);
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%s%lld", i ? "," : "", (long long)got[i]);
    return arena_cstr(x->a, buf_str(&text));
}

/* --- pages --- */

static void pages_come_in_order_of_numbers(void **state)
{
    struct agents_fixture *x = *state;

    agent_put(x, 30, "a", "", "");
    agent_put(x, 10, "z", "", "");
    agent_put(x, 20, "m", "", "");
    assert_string_equal(numbers(x, 0, AGENTS_ALL, FIXTURE_NOW_US, 2), "10,20");
    assert_string_equal(numbers(x, 20, AGENTS_ALL, FIXTURE_NOW_US, 2), "30");
    assert_string_equal(numbers(x, 30, AGENTS_ALL, FIXTURE_NOW_US, 2), "");
    assert_string_equal(numbers(x, 0, AGENTS_ALL, FIXTURE_NOW_US, 0), "");
    agents_remove(x->agents, STR("z"));
    assert_string_equal(numbers(x, 0, AGENTS_ALL, FIXTURE_NOW_US, 2), "20,30");
}

static void an_agent_that_is_made_again_has_its_new_number_only(void **state)
{
    struct agents_fixture *x = *state;
    struct agent got = {0};

    agent_put(x, 1, "a", "", "");
    agents_remove(x->agents, STR("a"));
    agent_put(x, 2, "a", "", "");
    assert_string_equal(numbers(x, 0, AGENTS_ALL, FIXTURE_NOW_US, 9), "2");
    assert_false(agents_get_numbered(x->agents, x->a, 1, &got));
    assert_true(agents_get_numbered(x->agents, x->a, 2, &got));
    agent_put(x, 3, "a", "", ""); /* without a removal, as a lost one would leave it */
    assert_string_equal(numbers(x, 0, AGENTS_ALL, FIXTURE_NOW_US, 9), "3");
}

static void the_silent_and_the_living_are_all(void **state)
{
    struct agents_fixture *x = *state;

    put_seen(x, 1, FIXTURE_NOW_US, false);
    put_seen(x, 2, 0, false);
    put_seen(x, 3, FIXTURE_NOW_US + 1, false);
    put_seen(x, 4, FIXTURE_NOW_US + 2, false);
    assert_string_equal(numbers(x, 0, AGENTS_ALIVE, FIXTURE_NOW_US + 2, 9), "1,3,4");
    assert_string_equal(numbers(x, 0, AGENTS_SILENT, FIXTURE_NOW_US + 2, 9), "2");

    /* To the microsecond. */
    assert_string_equal(numbers(x, 0, AGENTS_ALIVE, LATER_US - 1, 9), "1,3,4");
    assert_string_equal(numbers(x, 0, AGENTS_ALIVE, LATER_US, 9), "3,4");
    assert_string_equal(numbers(x, 0, AGENTS_SILENT, LATER_US, 9), "1,2");
    assert_string_equal(numbers(x, 1, AGENTS_SILENT, LATER_US, 9), "2");
    assert_string_equal(numbers(x, 3, AGENTS_ALIVE, LATER_US, 1), "4");
}

/* More than one step, most of whose members do not answer. */
static void a_page_goes_on_until_it_is_full(void **state)
{
    struct agents_fixture *x = *state;
    int64_t got[4];

    for (int64_t i = 1; i <= MANY; i++)
        put_seen(x, i, i % 1500 == 0 ? LATER_US : FIXTURE_NOW_US, false);
    assert_int_equal(
        agents_numbers(x->agents, 0, AGENTS_ALIVE, LATER_US, ALIVE_US, got, COUNTOF(got)), 3);
    assert_int_equal(got[0], 1500);
    assert_int_equal(got[2], 4500);
    assert_int_equal(agents_numbers(x->agents, 1500, AGENTS_ALIVE, LATER_US, ALIVE_US, got, 1), 1);
    assert_int_equal(got[0], 3000);
}

/* --- beats --- */

static void a_beat_brings_a_silent_agent_back(void **state)
{
    struct agents_fixture *x = *state;
    struct agent_seen seen[4];
    struct agent got = {0};

    put_seen(x, 1, FIXTURE_NOW_US, false);
    put_seen(x, 2, FIXTURE_NOW_US, false);
    assert_string_equal(numbers(x, 0, AGENTS_ALIVE, LATER_US, 9), "");
    assert_true(agents_beat(x->agents, 2, LATER_US));
    assert_string_equal(numbers(x, 0, AGENTS_ALIVE, LATER_US, 9), "2");
    assert_true(agents_get_numbered(x->agents, x->a, 2, &got));
    assert_int_equal(got.row.last_seen_us, LATER_US);
    assert_int_equal(agents_take_seen(x->agents, seen, COUNTOF(seen)), 1);
    assert_int_equal(seen[0].id, 2);
    assert_int_equal(seen[0].seen_us, LATER_US);
}

static void a_beat_of_nobody_is_told(void **state)
{
    struct agents_fixture *x = *state;

    assert_false(agents_beat(x->agents, 1, LATER_US));
    put_seen(x, 1, FIXTURE_NOW_US, false);
    agents_remove(x->agents, STR("agent-1"));
    assert_false(agents_beat(x->agents, 1, LATER_US));
}

static void a_good_bye_is_not_undone_by_a_beat(void **state)
{
    struct agents_fixture *x = *state;
    struct agent agent = agent_of(x->a, 1, "a", "", "");
    struct agent_seen seen[4];

    agent.inactive_us = FIXTURE_NOW_US;
    agents_put(x->agents, &agent);
    assert_false(agents_beat(x->agents, 1, LATER_US));
    assert_int_equal(agents_take_seen(x->agents, seen, COUNTOF(seen)), 0);
    assert_string_equal(numbers(x, 0, AGENTS_SILENT, FIXTURE_NOW_US, 9), "1");
    agent.inactive_us = 0;
    agent.row.revision++;
    agents_put(x->agents, &agent);
    assert_true(agents_beat(x->agents, 1, LATER_US));
}

/* --- ephemeral ones --- */

static void only_ephemeral_agents_that_are_overdue_expire(void **state)
{
    struct agents_fixture *x = *state;
    int64_t got[4];

    put_seen(x, 1, FIXTURE_NOW_US, false);
    put_seen(x, 2, FIXTURE_NOW_US, true);
    put_seen(x, 3, FIXTURE_NOW_US + 5, true);
    put_seen(x, 4, 0, true); /* never: made at FIXTURE_NOW_US */
    assert_int_equal(agents_expired(x->agents, FIXTURE_NOW_US, got, COUNTOF(got)), 0);
    assert_int_equal(agents_expired(x->agents, FIXTURE_NOW_US + 1, got, COUNTOF(got)), 2);
    assert_int_equal(got[0] + got[1], 6);
    assert_int_equal(agents_expired(x->agents, FIXTURE_NOW_US + 1, got, 1), 1);
    assert_int_equal(agents_expired(x->agents, FIXTURE_NOW_US + 1, got, 0), 0);
    assert_true(agents_beat(x->agents, 2, FIXTURE_NOW_US + 5));
    assert_int_equal(agents_expired(x->agents, FIXTURE_NOW_US + 5, got, COUNTOF(got)), 1);
    assert_int_equal(got[0], 4);
}

/* --- words of managers --- */

static void assert_same_words(const struct agent *got, const struct agent *want)
{
    assert_true(profile_equal(&got->profile, &want->profile));
    assert_int_equal(got->ephemeral, want->ephemeral);
    assert_int_equal(got->target_cpu, want->target_cpu);
    assert_int_equal(got->sources_local, want->sources_local);
    assert_int_equal(got->extra_count, want->extra_count);
    for (size_t i = 0; i < want->extra_count; i++)
        assert_true(str_eq(got->extras[i].value, want->extras[i].value));
}

static void what_managers_say_is_kept_and_absent_is_not_empty(void **state)
{
    static const struct profile profiles[] = {
        {{0}},
        {.description = STR_INIT("")},
        {.category = STR_INIT("prod/web"), .cutoff_ms = INT64_MAX},
        {.description = STR_INIT("d"),
         .category = STR_INIT(""),
         .time_zone = STR_INIT("Etc/UTC"),
         .host_name = STR_INIT("web-01")},
        {.cutoff_ms = 1},
    };
    struct agents_fixture *x = *state;
    struct label extra = {STR("face"), STR("words")};
    struct agent got = {0};

    for (int64_t i = 0; i < (int64_t)COUNTOF(profiles) * 8; i++) {
        struct agent agent = agent_of(x->a, 1, "a", "env=prod", "team=red");

        agent.row.revision = i + 1;
        agent.profile = profiles[i / 8];
        agent.ephemeral = i & 1;
        agent.target_cpu = i & 2 ? 80 : 0;
        agent.sources_local = i & 4;
        agent.extras = &extra;
        agent.extra_count = i & 1;
        agents_put(x->agents, &agent);
        assert_true(agents_get_numbered(x->agents, x->a, 1, &got));
        assert_same_words(&got, &agent);
        assert_int_equal(got.local.count, 1);
    }
}

static void what_managers_say_takes_memory_only_where_it_is(void **state)
{
    struct agents_fixture *x = *state;
    struct agent agent = agent_of(x->a, 1, "a", "", "");
    struct agents_stats plain = {0};
    struct agents_stats managed = {0};

    agents_put(x->agents, &agent);
    agents_stats(x->agents, FIXTURE_NOW_US, 0, &plain);
    agent.ephemeral = true;
    agents_put(x->agents, &agent);
    agents_stats(x->agents, FIXTURE_NOW_US, 0, &managed);
    assert_int_equal(managed.memory_bytes, plain.memory_bytes);
    agent.profile.category = STR("prod");
    agents_put(x->agents, &agent);
    agents_stats(x->agents, FIXTURE_NOW_US, 0, &managed);
    assert_true(managed.memory_bytes > plain.memory_bytes);
    agent.profile = (struct profile){0};
    agents_put(x->agents, &agent);
    agents_stats(x->agents, FIXTURE_NOW_US, 0, &managed);
    assert_int_equal(managed.memory_bytes, plain.memory_bytes);
}

/* --- against a plain list --- */

struct plain_agent {
    bool exists;
    bool left;
    bool ephemeral;
    int64_t seen_us;
};

static bool lives(const struct plain_agent *p, int64_t now_us)
{
    return p->exists && p->seen_us && !p->left && now_us - p->seen_us <= ALIVE_US;
}

static bool is_listed(const struct plain_agent *p, enum agents_liveness liveness, int64_t now_us)
{
    switch (liveness) {
    case AGENTS_ALL: return p->exists;
    case AGENTS_ALIVE: return lives(p, now_us);
    case AGENTS_SILENT: return p->exists && !lives(p, now_us);
    }
    return false;
}

static void check_page(struct agents_fixture *x, struct dice *d, const struct plain_agent *all,
                       int64_t now_us)
{
    enum agents_liveness liveness = (enum agents_liveness)dice_roll(d, 3);
    int64_t after = (int64_t)dice_roll(d, MANY);
    size_t limit = 1 + dice_roll(d, 2000);
    int64_t *got = heap_new_array(int64_t, limit);
    size_t count = agents_numbers(x->agents, after, liveness, now_us, ALIVE_US, got, limit);
    size_t n = 0;

    for (int64_t i = after + 1; i < MANY && n < limit; i++) {
        if (!is_listed(&all[i], liveness, now_us))
            continue;
        assert_true(n < count);
        assert_int_equal(got[n++], i);
    }
    assert_int_equal(n, count);
    free(got);
}

static void check_expired(struct agents_fixture *x, const struct plain_agent *all,
                          int64_t before_us)
{
    int64_t *got = heap_new_array(int64_t, MANY);
    size_t count = agents_expired(x->agents, before_us, got, MANY);
    size_t n = 0;

    for (size_t i = 0; i < MANY; i++) {
        int64_t seen_us = all[i].seen_us ? all[i].seen_us : FIXTURE_NOW_US;

        n += all[i].exists && all[i].ephemeral && seen_us < before_us;
    }
    assert_int_equal(n, count);
    for (size_t i = 0; i < count; i++)
        assert_true(all[got[i]].exists && all[got[i]].ephemeral);
    free(got);
}

static void change(struct agents_fixture *x, struct dice *d, struct plain_agent *all,
                   int64_t number, int64_t now_us)
{
    struct plain_agent *p = &all[number];
    struct agent agent = agent_of(x->a, number, "", "", "");

    agent.row.ext_id = arena_printf(x->a, "agent-%lld", (long long)number);
    switch (dice_roll(d, 4)) {
    case 0:
        agents_remove(x->agents, agent.row.ext_id);
        *p = (struct plain_agent){0};
        break;
    case 1:
        assert_int_equal(agents_beat(x->agents, number, now_us), p->exists && !p->left);
        if (p->exists && !p->left)
            p->seen_us = MAX(p->seen_us, now_us);
        break;
    default:
        p->exists = true;
        p->left = dice_roll(d, 8) == 0;
        p->ephemeral = dice_roll(d, 3) == 0;
        p->seen_us = dice_roll(d, 5) ? MAX(p->seen_us, now_us) : p->seen_us;
        agent.row.last_seen_us = p->seen_us;
        agent.inactive_us = p->left ? now_us : 0;
        agent.ephemeral = p->ephemeral;
        agents_put(x->agents, &agent);
    }
    arena_reset(x->a);
}

static void pages_come_to_what_a_plain_list_comes_to(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct plain_agent *all = heap_new_array(struct plain_agent, MANY);
        struct agents_fixture *x = NULL;
        struct dice d = {seed};
        int64_t now_us = FIXTURE_NOW_US;

        agents_setup((void **)&x);
        for (int step = 0; step < 20000; step++) {
            now_us += (int64_t)dice_roll(&d, (uint64_t)ALIVE_US / 2000);
            change(x, &d, all, 1 + (int64_t)dice_roll(&d, MANY - 1), now_us);
            if (step % 100 == 0)
                check_page(x, &d, all, now_us);
            if (step % 1000 == 0)
                check_expired(x, all, now_us - ALIVE_US);
        }
        agents_teardown((void **)&x);
        free(all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        AGENTS_TEST(pages_come_in_order_of_numbers),
        AGENTS_TEST(an_agent_that_is_made_again_has_its_new_number_only),
        AGENTS_TEST(the_silent_and_the_living_are_all),
        AGENTS_TEST(a_page_goes_on_until_it_is_full),
        AGENTS_TEST(a_beat_brings_a_silent_agent_back),
        AGENTS_TEST(a_beat_of_nobody_is_told),
        AGENTS_TEST(a_good_bye_is_not_undone_by_a_beat),
        AGENTS_TEST(only_ephemeral_agents_that_are_overdue_expire),
        AGENTS_TEST(what_managers_say_is_kept_and_absent_is_not_empty),
        AGENTS_TEST(what_managers_say_takes_memory_only_where_it_is),
        cmocka_unit_test(pages_come_to_what_a_plain_list_comes_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
