/* SPDX-License-Identifier: Apache-2.0 */
/* Agents in memory: kept as they were put, found, and told apart. */
#include "core/agents_fixture.h"

static void fill_hash(struct text_ref *ref, int with)
{
    ref->set = true;
    memset(ref->hash, with, sizeof(ref->hash));
}

static void assert_labels(const struct label *got, size_t got_count, const struct label *want,
                          size_t want_count)
{
    assert_int_equal(got_count, want_count);
    for (size_t i = 0; i < want_count; i++) {
        assert_true(str_eq(got[i].key, want[i].key));
        assert_true(str_eq(got[i].value, want[i].value));
    }
}

static void assert_ref(const struct text_ref *got, const struct text_ref *want)
{
    assert_int_equal(got->set, want->set);
    assert_memory_equal(got->hash, want->hash, sizeof(want->hash));
}

static void assert_agent(const struct agent *got, const struct agent *want)
{
    assert_int_equal(got->row.tenant, want->row.tenant);
    assert_int_equal(got->row.kind, COLLECTOR_AGENT);
    assert_int_equal(got->row.id, want->row.id);
    assert_true(str_eq(got->row.space, want->row.space));
    assert_true(str_eq(got->row.ext_id, want->row.ext_id));
    assert_true(str_eq(got->row.name, want->row.name));
    assert_int_equal(got->row.unique_name, want->row.unique_name);
    assert_int_equal(got->row.revision, want->row.revision);
    assert_int_equal(got->row.created_us, want->row.created_us);
    assert_int_equal(got->row.updated_us, want->row.updated_us);
    assert_int_equal(got->row.last_seen_us, want->row.last_seen_us);
    assert_int_equal(got->type, want->type);
    assert_int_equal(got->enabled, want->enabled);
    assert_int_equal(got->inactive_us, want->inactive_us);
    assert_int_equal(got->registered, want->registered);
    assert_int_equal(got->has_status, want->has_status);
    assert_int_equal(got->status, want->status);
    assert_int_equal(got->status_us, want->status_us);
    assert_ref(&got->status_error, &want->status_error);
    assert_ref(&got->effective_config, &want->effective_config);
    assert_labels(got->local.items, got->local.count, want->local.items, want->local.count);
    assert_labels(got->remote.items, got->remote.count, want->remote.items, want->remote.count);
    assert_labels(got->extras, got->extra_count, want->extras, want->extra_count);
}

/* Everything about it that can be set is. */
static struct agent full_agent(struct agents_fixture *x)
{
    static struct label extras[] = {
        {STR_INIT("opamp"), STR_INIT("\0x")},
        {STR_INIT("sumo"), STR_INIT("")},
    };
    struct agent agent =
        agent_of(x->a, 77, "full", "a=1 b=a-value-that-is-longer-than-others c=", "b=2 d=3");

    agent.row.space = STR("space");
    agent.row.unique_name = true;
    agent.row.revision = 5;
    agent.row.updated_us++;
    agent.type = AGENT_OTEL;
    agent.enabled = false;
    agent.inactive_us = 42;
    agent.has_status = true;
    agent.status = AGENT_STATUS_FAILED;
    agent.status_us = 43;
    fill_hash(&agent.status_error, 1);
    fill_hash(&agent.effective_config, 2);
    agent.extras = extras;
    agent.extra_count = COUNTOF(extras);
    return agent;
}

static void agent_is_found_as_it_was_put(void **state)
{
    struct agents_fixture *x = *state;
    struct agent full = full_agent(x);
    struct agent bare = agent_of(x->a, 78, "bare", "", "");
    struct agent got = {0};

    bare.registered = false;
    agents_put(x->agents, &full);
    agents_put(x->agents, &bare);
    assert_int_equal(agents_count(x->agents), 2);
    assert_true(agents_get(x->agents, x->a, STR("full"), &got));
    assert_agent(&got, &full);
    assert_true(agents_get_numbered(x->agents, x->a, 77, &got));
    assert_agent(&got, &full);
    assert_true(agents_get(x->agents, x->a, STR("bare"), &got));
    assert_agent(&got, &bare);
    assert_false(agents_get(x->agents, x->a, STR("ful"), &got));
    assert_false(agents_get_numbered(x->agents, x->a, 79, &got));
}

static void newer_row_takes_the_place_of_the_older_one(void **state)
{
    struct agents_fixture *x = *state;
    struct agent agent = full_agent(x);
    struct agent got = {0};

    agents_put(x->agents, &agent);
    agent = agent_of(x->a, 77, "full", "z=26", "");
    agent.row.revision = 6;
    agents_put(x->agents, &agent);
    assert_int_equal(agents_count(x->agents), 1);
    assert_true(agents_get(x->agents, x->a, STR("full"), &got));
    assert_agent(&got, &agent);
    assert_string_equal(SELECTED(x, "z=26"), "full");
    assert_string_equal(SELECTED(x, "a=1"), "");
}

static void row_of_an_older_revision_is_passed_over(void **state)
{
    struct agents_fixture *x = *state;
    struct agent agent = full_agent(x);
    struct agent old = agent_of(x->a, 77, "full", "z=26", "");
    struct agent got = {0};

    agents_put(x->agents, &agent);
    agents_put(x->agents, &old);
    assert_true(agents_get(x->agents, x->a, STR("full"), &got));
    assert_agent(&got, &agent);
}

static void agent_that_was_made_again_counts_though_its_revision_is_lower(void **state)
{
    struct agents_fixture *x = *state;
    struct agent agent = full_agent(x);
    struct agent again = agent_of(x->a, 80, "full", "z=26", "");
    struct agent got = {0};

    agents_put(x->agents, &agent);
    agents_put(x->agents, &again);
    assert_true(agents_get_numbered(x->agents, x->a, 80, &got));
    assert_false(agents_get_numbered(x->agents, x->a, 77, &got));
    assert_int_equal(agents_count(x->agents), 1);
}

static void liveness_in_memory_outlives_a_row_that_knows_less(void **state)
{
    struct agents_fixture *x = *state;
    struct agent agent = agent_of(x->a, 1, "one", "a=1", "");
    struct agent got = {0};

    agents_put(x->agents, &agent);
    assert_true(agents_touch(x->agents, STR("one"), FIXTURE_NOW_US + 50));
    agent.row.revision++;
    agents_put(x->agents, &agent);
    assert_true(agents_get(x->agents, x->a, STR("one"), &got));
    assert_int_equal(got.row.last_seen_us, FIXTURE_NOW_US + 50);
}

static void removed_agent_is_unknown(void **state)
{
    struct agents_fixture *x = *state;
    struct attribute_values *values;
    struct agent got = {0};
    size_t count;

    agent_put(x, 1, "one", "a=1", "r=1");
    agent_put(x, 2, "two", "a=1", "");
    agents_remove(x->agents, STR("one"));
    agents_remove(x->agents, STR("one"));
    agents_remove(x->agents, STR("never"));
    assert_int_equal(agents_count(x->agents), 1);
    assert_false(agents_get(x->agents, x->a, STR("one"), &got));
    assert_false(agents_get_numbered(x->agents, x->a, 1, &got));
    assert_false(agents_touch(x->agents, STR("one"), FIXTURE_NOW_US + 1));
    assert_string_equal(SELECTED(x, "a=1"), "two");
    assert_string_equal(SELECTED(x, "collector.ID=one"), "");
    agents_remote_values(x->agents, x->a, &values, &count);
    assert_int_equal(count, 0);
}

static void nothing_is_left_when_all_are_removed(void **state)
{
    struct agents_fixture *x = *state;
    struct attribute_values *values;
    struct agents_stats stats = {0};
    struct agent_seen seen[4];
    struct agent got = {0};
    size_t count;

    for (int round = 0; round < 2; round++) { /* and it can be filled again */
        for (int i = 1; i <= 1000; i++) {
            const char *id = arena_cstr(x->a, arena_printf(x->a, "agent-%d", i));
            const char *said = arena_cstr(x->a, arena_printf(x->a, "a=%d b=%d", i, i % 7));

            agent_put(x, i, id, said, "r=1");
        }
        assert_true(agents_touch(x->agents, STR("agent-7"), FIXTURE_NOW_US + 1));
        assert_string_equal(SELECTED(x, "a=7"), "agent-7");
        assert_true(agents_get_numbered(x->agents, x->a, 1000, &got));
        agents_clear(x->agents);
        assert_int_equal(agents_count(x->agents), 0);
        assert_false(agents_get(x->agents, x->a, STR("agent-7"), &got));
        assert_false(agents_get_numbered(x->agents, x->a, 1000, &got));
        assert_false(agents_touch(x->agents, STR("agent-7"), FIXTURE_NOW_US + 1));
        assert_string_equal(SELECTED(x, "a=7"), "");
        assert_int_equal(agents_take_seen(x->agents, seen, COUNTOF(seen)), 0);
        agents_local_values(x->agents, x->a, &values, &count);
        assert_int_equal(count, 0);
        agents_stats(x->agents, FIXTURE_NOW_US, 1, &stats);
        assert_int_equal(stats.agents, 0);
        assert_int_equal(stats.strings, 0);
    }
}

static void attributes_of_the_operator_overlay_those_of_the_agent(void **state)
{
    struct agents_fixture *x = *state;

    agent_put(x, 1, "one", "a=1 b=1 collector.os=linux", "b=2 collector.os=mine c=3");
    assert_string_equal(SELECTED(x, "a=1"), "one");
    assert_string_equal(SELECTED(x, "b=1"), "");
    assert_string_equal(SELECTED(x, "b=2"), "one");
    assert_string_equal(SELECTED(x, "c=3"), "one");
    assert_string_equal(SELECTED(x, "collector.os=linux"), "one");
    assert_string_equal(SELECTED(x, "collector.os=mine"), "");
    assert_string_equal(SELECTED(x, "collector.os=~m.*"), "");
}

static void reserved_attribute_that_only_the_operator_says_is_missing(void **state)
{
    struct agents_fixture *x = *state;

    agent_put(x, 1, "one", "", "collector.os=mine");
    assert_string_equal(SELECTED(x, "collector.os=mine"), "");
    assert_string_equal(SELECTED(x, "collector.os=\"\""), "one");
}

static void missing_attribute_is_an_empty_value(void **state)
{
    struct agents_fixture *x = *state;

    agent_put(x, 1, "one", "a=1", "");
    agent_put(x, 2, "two", "a=", "");
    agent_put(x, 3, "three", "b=1", "");
    assert_string_equal(SELECTED(x, "a=\"\""), "three,two");
    assert_string_equal(SELECTED(x, "a!=\"\""), "one");
    assert_string_equal(SELECTED(x, "a!=2"), "one,three,two");
    assert_string_equal(SELECTED(x, "a=~.*"), "one,three,two");
    assert_string_equal(SELECTED(x, "a=~.+"), "one");
    assert_string_equal(SELECTED(x, "a!~1"), "three,two");
    assert_string_equal(SELECTED(x, "nobody=\"\""), "one,three,two");
    assert_string_equal(SELECTED(x, "nobody=~.+"), "");
}

static void id_is_an_attribute_too(void **state)
{
    struct agents_fixture *x = *state;

    agent_put(x, 1, "one", "a=1 collector.ID=lie", "");
    agent_put(x, 2, "two", "a=1", "");
    assert_string_equal(SELECTED(x, "collector.ID=one"), "one");
    assert_string_equal(SELECTED(x, "collector.ID=lie"), "");
    assert_string_equal(SELECTED(x, "collector.ID=one", "a=2"), "");
    assert_string_equal(SELECTED(x, "collector.ID!=one"), "two");
    assert_string_equal(SELECTED(x, "collector.ID=~t.*", "a=1"), "two");
    assert_string_equal(SELECTED(x, "collector.ID!~t.*"), "one");
    assert_string_equal(SELECTED(x, "collector.ID=\"\""), "");
    assert_string_equal(SELECTED(x, "collector.ID=one", "collector.ID=two"), "");
}

static bool count_until_two(void *arg, const struct agent *agent)
{
    size_t *count = arg;

    assert_true(str_eq(agent->row.ext_id, *count ? STR("b") : STR("a")));
    return ++*count < 2;
}

static void walk_goes_in_order_of_id_until_it_is_told_to_end(void **state)
{
    struct agents_fixture *x = *state;
    size_t count = 0;

    agent_put(x, 1, "c", "a=1", "");
    agent_put(x, 2, "a", "a=1", "");
    agent_put(x, 3, "b", "a=1", "");
    agents_each(x->agents, x->a, NULL, 0, count_until_two, &count);
    assert_int_equal(count, 2);
}

static bool keep_values(void *arg, const struct agent *agent)
{
    const char ***at = arg;

    *(*at)++ = agent->local.items[0].value.p;
    *(*at)++ = agent->local.items[0].key.p;
    return true;
}

static void walk_copies_what_agents_share_once(void **state)
{
    struct agents_fixture *x = *state;
    const char *values[4] = {NULL};
    const char **at = values;

    agent_put(x, 1, "a", "key=value", "");
    agent_put(x, 2, "b", "key=value", "");
    agents_each(x->agents, x->a, NULL, 0, keep_values, &at);
    assert_non_null(values[0]);
    assert_ptr_equal(values[0], values[2]);
    assert_ptr_equal(values[1], values[3]);
}

static const char *values_text(struct arena *a, const struct attribute_values *v, size_t count)
{
    struct buf out;

    buf_init_arena(&out, a, 4096);
    for (size_t i = 0; i < count; i++) {
        buf_put_str(&out, i ? STR(" ") : STR(""));
        buf_put_str(&out, v[i].key);
        for (size_t j = 0; j < v[i].count; j++) {
            buf_put_str(&out, j ? STR(",") : STR("="));
            buf_put_str(&out, v[i].values[j]);
        }
    }
    return arena_cstr(a, buf_str(&out));
}

static void values_in_use_are_told_apart_by_who_says_them(void **state)
{
    struct agents_fixture *x = *state;
    struct attribute_values *values;
    size_t count;

    agent_put(x, 1, "one", "a=2 b=1 collector.ID=one", "b=1 z=9");
    agent_put(x, 2, "two", "a=1 b=1", "z=8");
    agents_local_values(x->agents, x->a, &values, &count);
    assert_string_equal(values_text(x->a, values, count), "a=1,2 b=1");
    agents_remote_values(x->agents, x->a, &values, &count);
    assert_string_equal(values_text(x->a, values, count), "b=1 z=8,9");
    agents_remove(x->agents, STR("two"));
    agents_local_values(x->agents, x->a, &values, &count);
    assert_string_equal(values_text(x->a, values, count), "a=2 b=1");
}

static void stats_count_agents_and_what_they_report(void **state)
{
    struct agents_fixture *x = *state;
    struct agent gone = agent_of(x->a, 2, "two", "a=1", "");
    struct agent made = agent_of(x->a, 3, "three", "b=1", "");
    struct agents_stats s = {0};

    agent_put(x, 1, "one", "a=1", "");
    gone.inactive_us = 5;
    gone.has_status = true;
    gone.status = AGENT_STATUS_APPLIED;
    agents_put(x->agents, &gone);
    made.row.last_seen_us = 0;
    made.registered = false;
    agents_put(x->agents, &made);
    agents_stats(x->agents, FIXTURE_NOW_US + 10, 100, &s);
    assert_int_equal(s.agents, 3);
    assert_int_equal(s.active, 1);
    assert_int_equal(s.by_status[AGENT_STATUS_UNSET], 2);
    assert_int_equal(s.by_status[AGENT_STATUS_APPLIED], 1);
    assert_int_equal(s.strings, 2);
    assert_true(s.memory_bytes > 0);
    agents_stats(x->agents, FIXTURE_NOW_US + 1000, 100, &s);
    assert_int_equal(s.active, 0);
}

static void attributes_that_come_and_go_leave_nothing_behind(void **state)
{
    struct agents_fixture *x = *state;
    struct agents_stats before = {0};
    struct agents_stats now = {0};
    struct arena *a = arena_new(4096);

    agent_put(x, 1, "one", "key=stays other=x", "");
    for (int i = 0; i < 20000; i++) {
        const char *said = arena_cstr(
            a, arena_printf(a, "key=a-value-of-no-small-size-%05d key%05d=%05d", i, i, i));
        struct agent two = agent_of(a, 2, "two", said, said);

        if (i == 100)
            agents_stats(x->agents, FIXTURE_NOW_US, 1, &before);
        agents_put(x->agents, &two);
        if (i % 3 == 0)
            agents_remove(x->agents, STR("two"));
        arena_reset(a);
    }
    agents_remove(x->agents, STR("two"));
    agents_stats(x->agents, FIXTURE_NOW_US, 1, &now);
    assert_int_equal(now.strings, 2);
    assert_true(now.memory_bytes <= before.memory_bytes);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        AGENTS_TEST(agent_is_found_as_it_was_put),
        AGENTS_TEST(newer_row_takes_the_place_of_the_older_one),
        AGENTS_TEST(row_of_an_older_revision_is_passed_over),
        AGENTS_TEST(agent_that_was_made_again_counts_though_its_revision_is_lower),
        AGENTS_TEST(liveness_in_memory_outlives_a_row_that_knows_less),
        AGENTS_TEST(removed_agent_is_unknown),
        AGENTS_TEST(nothing_is_left_when_all_are_removed),
        AGENTS_TEST(attributes_of_the_operator_overlay_those_of_the_agent),
        AGENTS_TEST(reserved_attribute_that_only_the_operator_says_is_missing),
        AGENTS_TEST(missing_attribute_is_an_empty_value),
        AGENTS_TEST(id_is_an_attribute_too),
        AGENTS_TEST(walk_goes_in_order_of_id_until_it_is_told_to_end),
        AGENTS_TEST(walk_copies_what_agents_share_once),
        AGENTS_TEST(values_in_use_are_told_apart_by_who_says_them),
        AGENTS_TEST(attributes_that_come_and_go_leave_nothing_behind),
        AGENTS_TEST(stats_count_agents_and_what_they_report),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
