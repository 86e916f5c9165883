/* SPDX-License-Identifier: Apache-2.0 */
/* A scan meets the agents that a selection gives, each once, with what it says it knows of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/agents_fixture.h"

struct met {
    struct arena *a;
    struct agent agents[8]; /* by number */
    size_t count;
};

static void meet(void *arg, const struct agent *agent)
{
    struct met *m = arg;

    assert_in_range(agent->row.id, 1, COUNTOF(m->agents) - 1);
    assert_int_equal(m->agents[agent->row.id].row.id, 0); /* not met before */
    m->agents[agent->row.id] = *agent;
    m->agents[agent->row.id].row.ext_id = arena_str(m->a, agent->row.ext_id);
    m->agents[agent->row.id].row.name = arena_str(m->a, agent->row.name);
    m->count++;
}

static struct met scan(struct agents_fixture *x, const char *matcher)
{
    struct met m = {.a = x->a};
    struct str text = str_of(matcher);
    struct matcher *parsed = NULL;
    struct fail f;

    assert_int_equal(matchers_parse(x->a, &text, matcher[0] != '\0', &parsed, &f), 0);
    agents_scan(x->agents, parsed, matcher[0] != '\0', meet, &m);
    return m;
}

static void a_scan_meets_each_agent_that_matches_once(void **state)
{
    struct agents_fixture *x = *state;
    struct met m;

    agent_put(x, 1, "one", "env=prod", "");
    agent_put(x, 2, "two", "env=dev", "");
    agent_put(x, 3, "three", "env=dev", "env=prod");
    m = scan(x, "env=prod");
    assert_int_equal(m.count, 2);
    assert_true(str_eq(m.agents[1].row.ext_id, STR("one")));
    assert_true(str_eq(m.agents[3].row.ext_id, STR("three")));
    assert_int_equal(scan(x, "").count, 3);
    assert_int_equal(scan(x, "env=none").count, 0);
}

static void a_scan_tells_how_an_agent_fares(void **state)
{
    struct agents_fixture *x = *state;
    struct agent agent = agent_of(x->a, 4, "four", "env=prod", "");
    struct met m;

    agent.type = AGENT_OTEL;
    agent.enabled = false;
    agent.inactive_us = FIXTURE_NOW_US + 7;
    agent.row.name = STR("fourth");
    agent.has_status = true;
    agent.status = AGENT_STATUS_FAILED;
    agents_put(x->agents, &agent);
    agent_put(x, 5, "five", "env=prod", "");
    m = scan(x, "");
    assert_true(str_eq(m.agents[4].row.name, STR("fourth")));
    assert_int_equal(m.agents[4].type, AGENT_OTEL);
    assert_false(m.agents[4].enabled);
    assert_int_equal(m.agents[4].inactive_us, FIXTURE_NOW_US + 7);
    assert_true(m.agents[4].has_status);
    assert_int_equal(m.agents[4].status, AGENT_STATUS_FAILED);
    assert_int_equal(m.agents[4].row.last_seen_us, FIXTURE_NOW_US);
    assert_int_equal(m.agents[5].type, AGENT_ALLOY);
    assert_true(m.agents[5].enabled);
    assert_false(m.agents[5].has_status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        AGENTS_TEST(a_scan_meets_each_agent_that_matches_once),
        AGENTS_TEST(a_scan_tells_how_an_agent_fares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
