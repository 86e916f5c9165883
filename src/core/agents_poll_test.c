/* SPDX-License-Identifier: Apache-2.0 */
/* What memory alone may answer, and what liveness comes of it. */
#include "core/agents_fixture.h"

#define CONTENTS "prometheus.exporter.self \"me\" { }\n"
#define OTHER    "prometheus.exporter.unix \"me\" { }\n"
#define BY_ID    "discovery.http \"d\" {\n  url = argument.attributes.value[\"collector.ID\"]\n}\n"
#define SAID     "env=prod host=h1 os=linux"

/* One agent, one pipeline for it, and the hash that it has after its first answer. */
static const char *settle(struct agents_fixture *x)
{
    draft_put(x->pipelines,
              &(struct draft){1, "web", .contents = CONTENTS, .matchers = {"env=prod"}});
    agent_put(x, 1, "one", SAID, "");
    return agent_hash(x, "one", SAID);
}

static void agent_that_says_nothing_new_is_unchanged(void **state)
{
    struct agents_fixture *x = *state;
    const char *hash = settle(x);

    assert_true(polls_unchanged(x, "one", SAID, hash));
    assert_true(polls_unchanged(x, "one", SAID " collector.ID=one", hash));
}

static void order_of_attributes_does_not_matter(void **state)
{
    struct agents_fixture *x = *state;
    struct poll poll = poll_of(x, "one", SAID, settle(x));
    struct label said[3];

    for (size_t i = 0; i < 6; i++) {
        said[0] = poll.local[i % 3];
        said[1] = poll.local[(i + 1 + i / 3) % 3];
        said[2] = poll.local[(i + 2 - i / 3) % 3];

        struct poll turned = poll;

        turned.local = said;
        assert_true(is_unchanged(x, &turned));
    }
}

static void other_attributes_go_the_slow_way(void **state)
{
    struct agents_fixture *x = *state;
    const char *hash = settle(x);

    assert_false(polls_unchanged(x, "one", "env=prod host=h2 os=linux", hash));
    assert_false(polls_unchanged(x, "one", "env=prod os=linux", hash));
    assert_false(polls_unchanged(x, "one", SAID " zone=a", hash));
    assert_false(polls_unchanged(x, "one", "env=prod env=prod os=linux", hash));
    assert_false(polls_unchanged(x, "one", "env=prod hos=h1 os=linux", hash));
    assert_false(polls_unchanged(x, "one", "", hash));
    assert_true(polls_unchanged(x, "one", SAID, hash));
}

static void many_attributes_are_compared_in_any_order_too(void **state)
{
    struct agents_fixture *x = *state;
    struct buf text;

    buf_init_arena(&text, x->a, 4096);
    for (int i = 0; i < 100; i++)
        buf_printf(&text, "%sk%d=v%d", i ? " " : "", i, i);

    const char *said = arena_cstr(x->a, buf_str(&text));

    agent_put(x, 1, "one", said, "");

    const char *hash = agent_hash(x, "one", said);
    struct poll poll = poll_of(x, "one", said, hash);
    struct label *turned = arena_new_array(x->a, struct label, poll.local_count);

    for (size_t i = 0; i < poll.local_count; i++)
        turned[i] = poll.local[poll.local_count - 1 - i];
    poll.local = turned;
    assert_true(is_unchanged(x, &poll));
    turned[50].value = STR("other");
    assert_false(is_unchanged(x, &poll));
    turned[50] = turned[51];
    assert_false(is_unchanged(x, &poll));
}

static void unknown_agent_goes_the_slow_way(void **state)
{
    struct agents_fixture *x = *state;
    const char *hash = settle(x);

    assert_false(polls_unchanged(x, "two", SAID, hash));
}

static void other_hash_goes_the_slow_way(void **state)
{
    struct agents_fixture *x = *state;
    char *hash = arena_cstr(x->a, str_of(settle(x)));

    assert_false(polls_unchanged(x, "one", SAID, NO_HASH));
    assert_false(polls_unchanged(x, "one", SAID, "abc"));
    hash[63] = hash[63] == '0' ? '1' : '0';
    assert_false(polls_unchanged(x, "one", SAID, hash));
}

static void status_that_is_known_is_nothing_new(void **state)
{
    struct agents_fixture *x = *state;
    struct agent agent = agent_of(x->a, 1, "one", SAID, "");

    agents_put(x->agents, &agent);

    struct poll poll = poll_of(x, "one", SAID, agent_hash(x, "one", SAID));

    poll.has_status = true;
    poll.status = AGENT_STATUS_APPLIED;
    assert_false(is_unchanged(x, &poll)); /* its first one */

    agent.has_status = true;
    agent.status = AGENT_STATUS_APPLIED;
    agents_put(x->agents, &agent);
    assert_true(is_unchanged(x, &poll));
    poll.status = AGENT_STATUS_FAILED;
    assert_false(is_unchanged(x, &poll));
    poll.has_status = false;
    assert_true(is_unchanged(x, &poll));
}

static void texts_go_the_slow_way(void **state)
{
    struct agents_fixture *x = *state;
    struct agent agent = agent_of(x->a, 1, "one", SAID, "");

    agent.has_status = true;
    agent.status = AGENT_STATUS_FAILED;
    agents_put(x->agents, &agent);

    struct poll poll = poll_of(x, "one", SAID, agent_hash(x, "one", SAID));

    poll.has_status = true;
    poll.status = AGENT_STATUS_FAILED;
    assert_true(is_unchanged(x, &poll));
    poll.has_status_error = true;
    assert_false(is_unchanged(x, &poll));
    poll.has_status_error = false;
    poll.has_effective_config = true;
    assert_false(is_unchanged(x, &poll));
    poll.has_effective_config = false;

    agent.status_error.set = true; /* which the agent does not repeat */
    agents_put(x->agents, &agent);
    assert_false(is_unchanged(x, &poll));
}

static void agent_that_said_good_bye_or_never_spoke_goes_the_slow_way(void **state)
{
    struct agents_fixture *x = *state;
    struct agent agent = agent_of(x->a, 1, "one", SAID, "");
    const char *hash = settle(x);

    agent.inactive_us = FIXTURE_NOW_US;
    agents_put(x->agents, &agent);
    assert_false(polls_unchanged(x, "one", SAID, hash));
    agent.inactive_us = 0;
    agents_put(x->agents, &agent);
    assert_true(polls_unchanged(x, "one", SAID, hash));
    agent.registered = false;
    agents_put(x->agents, &agent);
    assert_false(polls_unchanged(x, "one", SAID, hash));
}

static void change_of_a_pipeline_shows_at_the_next_poll(void **state)
{
    struct agents_fixture *x = *state;
    const char *hash = settle(x);

    draft_put(x->pipelines, &(struct draft){2, "far", .contents = OTHER, .matchers = {"env=test"}});
    assert_true(polls_unchanged(x, "one", SAID, hash));
    draft_put(x->pipelines, &(struct draft){1, "web", .contents = OTHER, .matchers = {"env=prod"}});
    assert_false(polls_unchanged(x, "one", SAID, hash));
    assert_true(polls_unchanged(x, "one", SAID, agent_hash(x, "one", SAID)));
}

static void change_of_the_agent_shows_at_the_next_poll(void **state)
{
    struct agents_fixture *x = *state;
    const char *hash = settle(x);
    struct agent agent = agent_of(x->a, 1, "one", SAID, "env=test");

    agents_put(x->agents, &agent);
    assert_false(polls_unchanged(x, "one", SAID, hash));
    agent.remote.count = 0;
    agents_put(x->agents, &agent);
    assert_true(polls_unchanged(x, "one", SAID, hash));
    agent.enabled = false;
    agents_put(x->agents, &agent);
    assert_false(polls_unchanged(x, "one", SAID, hash));
    agent.enabled = true;
    agent.type = AGENT_OTEL;
    agents_put(x->agents, &agent);
    assert_false(polls_unchanged(x, "one", SAID, hash));
}

static void configuration_is_for_what_the_request_says(void **state)
{
    struct agents_fixture *x = *state;
    const char *hash = settle(x);

    assert_string_not_equal(agent_hash(x, "one", "env=test"), hash);
    assert_true(polls_unchanged(x, "one", SAID, hash)); /* and that was not remembered */
    assert_string_equal(agent_hash(x, "nobody", "env=prod"), hash);
}

static void pipelines_see_the_id_among_the_attributes(void **state)
{
    struct agents_fixture *x = *state;

    draft_put(x->pipelines,
              &(struct draft){1, "web", .contents = BY_ID, .matchers = {"collector.ID=one"}});
    agent_put(x, 1, "one", "a=1 collector.zone=z d=1", "");
    agent_put(x, 2, "two", "", "");

    const char *one = agent_hash(x, "one", "a=1 collector.zone=z d=1");
    const char *two = agent_hash(x, "two", "");

    assert_string_not_equal(one, two);
    assert_true(polls_unchanged(x, "one", "a=1 collector.zone=z d=1", one));
    assert_true(polls_unchanged(x, "two", "", two));

    /* The next selection is made by the poll itself. */
    draft_put(x->pipelines,
              &(struct draft){2, "far", .contents = OTHER, .matchers = {"collector.ID=three"}});
    assert_true(polls_unchanged(x, "one", "a=1 collector.zone=z d=1", one));
    assert_true(polls_unchanged(x, "two", "", two));
}

static void registration_of_the_same_is_known(void **state)
{
    struct agents_fixture *x = *state;
    struct attributes said = pairs_of(x->a, SAID);
    struct attributes less = pairs_of(x->a, "env=prod host=h1");
    struct agent agent = agent_of(x->a, 1, "one", SAID, "");
    int64_t now_us = FIXTURE_NOW_US + 1;

    agents_put(x->agents, &agent);
    assert_true(
        agents_is_registered(x->agents, STR("one"), STR("name"), said.items, said.count, now_us));
    assert_false(
        agents_is_registered(x->agents, STR("one"), STR("nam"), said.items, said.count, now_us));
    assert_false(
        agents_is_registered(x->agents, STR("one"), STR("name"), less.items, less.count, now_us));
    assert_false(
        agents_is_registered(x->agents, STR("two"), STR("name"), said.items, said.count, now_us));
    agent.inactive_us = FIXTURE_NOW_US;
    agents_put(x->agents, &agent);
    assert_false(
        agents_is_registered(x->agents, STR("one"), STR("name"), said.items, said.count, now_us));
}

/* --- liveness --- */

static void agents_seen_are_taken_once_sorted_by_number(void **state)
{
    struct agents_fixture *x = *state;
    struct agent_seen seen[4];

    agent_put(x, 30, "a", "", "");
    agent_put(x, 10, "b", "", "");
    agent_put(x, 20, "c", "", "");
    assert_int_equal(agents_take_seen(x->agents, seen, COUNTOF(seen)), 0);
    assert_true(agents_touch(x->agents, STR("a"), FIXTURE_NOW_US + 3));
    assert_true(agents_touch(x->agents, STR("a"), FIXTURE_NOW_US + 2)); /* not back in time */
    assert_true(agents_touch(x->agents, STR("b"), FIXTURE_NOW_US + 1));
    assert_int_equal(agents_take_seen(x->agents, seen, COUNTOF(seen)), 2);
    assert_int_equal(seen[0].id, 10);
    assert_int_equal(seen[0].seen_us, FIXTURE_NOW_US + 1);
    assert_int_equal(seen[1].id, 30);
    assert_int_equal(seen[1].seen_us, FIXTURE_NOW_US + 3);
    assert_int_equal(agents_take_seen(x->agents, seen, COUNTOF(seen)), 0);
}

static void takes_in_pieces_get_everybody(void **state)
{
    struct agents_fixture *x = *state;
    bool taken[1001] = {false};
    struct agent_seen seen[64];
    size_t total = 0;

    for (int i = 1; i <= 1000; i++) {
        const char *id = arena_cstr(x->a, arena_printf(x->a, "agent-%d", i));

        agent_put(x, i, id, "", "");
        assert_true(agents_touch(x->agents, str_of(id), FIXTURE_NOW_US + i));
    }
    for (size_t n; (n = agents_take_seen(x->agents, seen, COUNTOF(seen))) > 0; total += n) {
        for (size_t i = 0; i < n; i++) {
            assert_true(i == 0 || seen[i - 1].id < seen[i].id);
            assert_int_equal(seen[i].seen_us, FIXTURE_NOW_US + seen[i].id);
            assert_false(taken[seen[i].id]);
            taken[seen[i].id] = true;
        }
    }
    assert_int_equal(total, 1000);
}

static void marks_that_are_given_back_are_taken_again(void **state)
{
    struct agents_fixture *x = *state;
    struct agent_seen seen[4];

    agent_put(x, 1, "a", "", "");
    agent_put(x, 2, "b", "", "");
    assert_true(agents_touch(x->agents, STR("a"), FIXTURE_NOW_US + 1));
    assert_true(agents_touch(x->agents, STR("b"), FIXTURE_NOW_US + 1));
    assert_int_equal(agents_take_seen(x->agents, seen, COUNTOF(seen)), 2);
    agents_remove(x->agents, STR("b"));
    assert_true(agents_touch(x->agents, STR("a"), FIXTURE_NOW_US + 5));
    agents_give_back_seen(x->agents, seen, 2);
    assert_int_equal(agents_take_seen(x->agents, seen, COUNTOF(seen)), 1);
    assert_int_equal(seen[0].id, 1);
    assert_int_equal(seen[0].seen_us, FIXTURE_NOW_US + 5);
}

static void every_poll_is_a_sign_of_life(void **state)
{
    struct agents_fixture *x = *state;
    const char *hash = settle(x);
    struct agent_seen seen[1];

    assert_true(polls_unchanged(x, "one", SAID, hash));
    assert_int_equal(agents_take_seen(x->agents, seen, 1), 1);
    assert_int_equal(seen[0].seen_us, FIXTURE_NOW_US + 1);

    struct poll poll = poll_of(x, "one", "other=1", hash);

    poll.now_us += 10;
    assert_false(is_unchanged(x, &poll));
    assert_int_equal(agents_take_seen(x->agents, seen, 1), 1);
    assert_int_equal(seen[0].seen_us, FIXTURE_NOW_US + 11);
}

static void agent_is_inactive_when_it_says_so_or_falls_silent(void **state)
{
    struct agents_fixture *x = *state;
    struct agent agent = agent_of(x->a, 1, "one", "", "");

    assert_int_equal(agent_inactive_at(&agent, FIXTURE_NOW_US + 100, 100), 0);
    assert_int_equal(agent_inactive_at(&agent, FIXTURE_NOW_US + 101, 100), FIXTURE_NOW_US + 100);
    assert_int_equal(agent_inactive_at(&agent, FIXTURE_NOW_US + 101, 0), 0);
    agent.inactive_us = 7;
    assert_int_equal(agent_inactive_at(&agent, FIXTURE_NOW_US, 100), 7);
    agent.inactive_us = 0;
    agent.row.last_seen_us = 0;
    assert_int_equal(agent_inactive_at(&agent, FIXTURE_NOW_US + 101, 100), 0);
}

static void silent_agents_are_those_that_spoke_once_and_long_ago(void **state)
{
    struct agents_fixture *x = *state;
    struct agent made = agent_of(x->a, 3, "made", "", "");
    struct str *ids;
    size_t count;

    agent_put(x, 1, "old", "", "");
    agent_put(x, 2, "fresh", "", "");
    made.registered = false;
    made.row.last_seen_us = 0;
    agents_put(x->agents, &made);
    assert_true(agents_touch(x->agents, STR("fresh"), FIXTURE_NOW_US + 10));
    agents_silent(x->agents, x->a, FIXTURE_NOW_US + 10, 5, &ids, &count);
    assert_int_equal(count, 1);
    assert_true(str_eq(ids[0], STR("old")));
    agents_silent(x->agents, x->a, FIXTURE_NOW_US, 5, &ids, &count);
    assert_int_equal(count, 0);
    agents_silent(x->agents, x->a, FIXTURE_NOW_US + 11, 1, &ids, &count);
    assert_int_equal(count, 1);
    agents_silent(x->agents, x->a, FIXTURE_NOW_US + 11, 0, &ids, &count);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        AGENTS_TEST(agent_that_says_nothing_new_is_unchanged),
        AGENTS_TEST(order_of_attributes_does_not_matter),
        AGENTS_TEST(other_attributes_go_the_slow_way),
        AGENTS_TEST(many_attributes_are_compared_in_any_order_too),
        AGENTS_TEST(unknown_agent_goes_the_slow_way),
        AGENTS_TEST(other_hash_goes_the_slow_way),
        AGENTS_TEST(status_that_is_known_is_nothing_new),
        AGENTS_TEST(texts_go_the_slow_way),
        AGENTS_TEST(agent_that_said_good_bye_or_never_spoke_goes_the_slow_way),
        AGENTS_TEST(change_of_a_pipeline_shows_at_the_next_poll),
        AGENTS_TEST(change_of_the_agent_shows_at_the_next_poll),
        AGENTS_TEST(configuration_is_for_what_the_request_says),
        AGENTS_TEST(pipelines_see_the_id_among_the_attributes),
        AGENTS_TEST(registration_of_the_same_is_known),
        AGENTS_TEST(agents_seen_are_taken_once_sorted_by_number),
        AGENTS_TEST(takes_in_pieces_get_everybody),
        AGENTS_TEST(marks_that_are_given_back_are_taken_again),
        AGENTS_TEST(every_poll_is_a_sign_of_life),
        AGENTS_TEST(agent_is_inactive_when_it_says_so_or_falls_silent),
        AGENTS_TEST(silent_agents_are_those_that_spoke_once_and_long_ago),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
