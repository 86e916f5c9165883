/* SPDX-License-Identifier: Apache-2.0 */
/* What agents remember of their last answer: never one that was made for something else, and every
 * set that was taken is given back. The pipelines are a fake that counts the sets and can have an
 * agent changed while its text is rendered. */
#include "core/agents_fixture.h"

#define SAID "env=prod"

struct pipelines {
    int sets; /* that somebody holds */
    uint64_t number;
    uint8_t hash;
    bool refuses; /* to refresh */
    void (*while_rendering)(struct pipelines *p);
    struct agents *agents;
};

static void take(struct pipelines *p, struct choice *c, uint64_t number, uint8_t hash)
{
    if (!c->set)
        p->sets++;
    c->set = (struct pipeline_set *)(void *)p;
    c->number = number;
    memset(c->hash, hash, sizeof(c->hash));
    c->has_hash = true;
}

bool pipelines_is_current(const struct pipelines *p, const struct choice *c)
{
    return c->number == p->number;
}

bool pipelines_refresh(struct pipelines *p, const struct agent_view *v, struct choice *c)
{
    (void)v;
    if (!p->refuses)
        take(p, c, p->number, p->hash);
    return !p->refuses;
}

void pipelines_render(struct pipelines *p, const struct agent_view *v, struct arena *a,
                      struct choice *c, struct rendered *out)
{
    uint64_t number = p->number;
    uint8_t hash = p->hash;

    (void)v;
    (void)a;
    if (p->while_rendering)
        p->while_rendering(p);
    take(p, c, number, hash);
    *out = (struct rendered){.content = STR("")};
    memset(out->hash, hash, sizeof(out->hash));
}

void choice_reset(struct pipelines *p, struct choice *c)
{
    p->sets -= c->set != NULL;
    *c = (struct choice){0};
}

struct fixture_fake {
    struct pipelines pipelines;
    struct agents *agents;
    struct arena *a;
};

static int fake_setup(void **state)
{
    struct fixture_fake *x = heap_new_type(struct fixture_fake);

    x->agents = agents_new();
    x->a = arena_new(4096);
    x->pipelines = (struct pipelines){.number = 1, .hash = 7, .refuses = true};
    x->pipelines.agents = x->agents;
    *state = x;
    return 0;
}

static int fake_teardown(void **state)
{
    struct fixture_fake *x = *state;

    agents_free(&x->agents);
    assert_int_equal(x->pipelines.sets, 0);
    arena_free(&x->a);
    free(x);
    return 0;
}

static void put(struct agents *agents, const char *local, const char *remote)
{
    struct arena *a = arena_new(1024);
    struct agent agent = agent_of(a, 1, "one", local, remote);

    agents_put(agents, &agent);
    arena_free(&a);
}

static void configure(struct fixture_fake *x, const char *id)
{
    struct attributes said = pairs_of(x->a, SAID);
    struct rendered r = {0};

    agents_config(x->agents, &x->pipelines, x->a, str_of(id), &said, &r);
}

static bool polls(struct fixture_fake *x, uint8_t hash)
{
    struct attributes said = pairs_of(x->a, SAID);
    uint8_t bytes[32];
    char hex[64];
    char answer[64];
    struct poll poll = {
        .id = STR("one"),
        .local = said.items,
        .local_count = said.count,
        .hash = str_make(hex, sizeof(hex)),
        .now_us = 1,
    };

    memset(bytes, hash, sizeof(bytes));
    hex_print(bytes, sizeof(bytes), hex);
    return agents_poll(x->agents, &x->pipelines, &poll, answer) == POLL_UNCHANGED;
}

static void answer_is_remembered_and_given_back_with_the_agent(void **state)
{
    struct fixture_fake *x = *state;

    put(x->agents, SAID, "");
    assert_false(polls(x, 7));
    configure(x, "one");
    configure(x, "one");
    assert_int_equal(x->pipelines.sets, 1);
    assert_true(polls(x, 7));
    agents_remove(x->agents, STR("one"));
    assert_int_equal(x->pipelines.sets, 0);
}

static void answer_for_nobody_known_is_not_kept(void **state)
{
    struct fixture_fake *x = *state;

    configure(x, "two");
    assert_int_equal(x->pipelines.sets, 0);
}

static void change_of_what_selects_gives_the_answer_back(void **state)
{
    struct fixture_fake *x = *state;
    struct agent agent = agent_of(x->a, 1, "one", SAID, "");

    agents_put(x->agents, &agent);
    configure(x, "one");
    agent.row.name = STR("another"); /* selects nothing */
    agents_put(x->agents, &agent);
    assert_int_equal(x->pipelines.sets, 1);
    agent.remote = pairs_of(x->a, "team=a");
    agents_put(x->agents, &agent);
    assert_int_equal(x->pipelines.sets, 0);
    configure(x, "one");
    agent.enabled = false;
    agents_put(x->agents, &agent);
    assert_int_equal(x->pipelines.sets, 0);
    configure(x, "one");
    agent.type = AGENT_OTEL;
    agents_put(x->agents, &agent);
    assert_int_equal(x->pipelines.sets, 0);
}

static void change_attributes(struct pipelines *p)
{
    put(p->agents, SAID, "team=b");
}

static void remove_it(struct pipelines *p)
{
    agents_remove(p->agents, STR("one"));
}

static void make_it_again(struct pipelines *p)
{
    agents_remove(p->agents, STR("one"));
    put(p->agents, SAID, "");
}

static void answer_for_an_agent_that_changed_meanwhile_is_not_remembered(void **state)
{
    static void (*const changes[])(struct pipelines *) = {change_attributes, remove_it,
                                                          make_it_again};
    struct fixture_fake *x = *state;

    for (size_t i = 0; i < COUNTOF(changes); i++) {
        put(x->agents, SAID, "");
        x->pipelines.while_rendering = changes[i];
        configure(x, "one");
        x->pipelines.while_rendering = NULL;
        assert_int_equal(x->pipelines.sets, 0);
        assert_false(polls(x, 7));
    }
}

/* Another request of the same agent is answered meanwhile, from newer pipelines. */
static void answer_another(struct pipelines *p)
{
    struct label said = {STR("env"), STR("prod")};
    struct arena *arena = arena_new(1024);
    struct rendered r = {0};

    p->while_rendering = NULL;
    p->number = 2;
    p->hash = 8;
    agents_config(p->agents, p, arena, STR("one"), &(struct attributes){&said, 1}, &r);
    arena_free(&arena);
}

static void older_answer_does_not_replace_a_newer_one(void **state)
{
    struct fixture_fake *x = *state;

    put(x->agents, SAID, "");
    x->pipelines.while_rendering = answer_another;
    configure(x, "one");
    assert_true(polls(x, 8));
    assert_int_equal(x->pipelines.sets, 1);
}

static void poll_asks_again_after_a_change_of_pipelines(void **state)
{
    struct fixture_fake *x = *state;

    put(x->agents, SAID, "");
    configure(x, "one");
    x->pipelines.number = 2;
    assert_false(polls(x, 7)); /* it has to be rendered */
    x->pipelines.refuses = false;
    x->pipelines.hash = 8;
    assert_false(polls(x, 7));
    assert_true(polls(x, 8));
    assert_int_equal(x->pipelines.sets, 1);
}

#define FAKE_TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(answer_is_remembered_and_given_back_with_the_agent),
        FAKE_TEST(answer_for_nobody_known_is_not_kept),
        FAKE_TEST(change_of_what_selects_gives_the_answer_back),
        FAKE_TEST(answer_for_an_agent_that_changed_meanwhile_is_not_remembered),
        FAKE_TEST(older_answer_does_not_replace_a_newer_one),
        FAKE_TEST(poll_asks_again_after_a_change_of_pipelines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
