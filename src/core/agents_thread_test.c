/* SPDX-License-Identifier: Apache-2.0 */
/* One writer, pollers and listers at the same time: nobody sees an agent that is not whole, lists
 * hold no wrong members, and in the end everything is as the writer left it. Under a thread
 * sanitizer this is also the proof of the locks. */
#include "core/agents_fixture.h"

#include <pthread.h>
#include <stdio.h>

#define AGENTS       200
#define STEPS        20000
#define CLEARED_EACH 700 /* steps */
#define POLLERS      2
#define POLLS        8000
#define LISTS        300
#define STATES       6 /* of an agent; in state 0 there is none */

struct shared {
    struct agents *agents;
    struct pipelines *pipelines;
    pthread_barrier_t start;
    char hashes[STATES][64]; /* of what an agent in that state gets */
};

struct worker {
    pthread_t thread;
    struct shared *shared;
    struct dice dice;
    bool failed;
    uint8_t last[AGENTS]; /* of the writer: what it put last; 0: nothing */
};

/* Every agent's attributes follow from one number, so that any mixture of two states shows. */
static struct agent numbered_agent(struct arena *a, size_t n, unsigned state)
{
    char id[16];
    char local[64];
    char remote[32];

    snprintf(id, sizeof(id), "agent-%zu", n);
    snprintf(local, sizeof(local), "host=h%zu level=%u parity=%u", n, state, state % 2);
    snprintf(remote, sizeof(remote), "team=t%u", state % 3);
    return agent_of(a, (int64_t)n + 1, id, local, remote);
}

static bool is_whole(const struct agent *agent)
{
    uint64_t level = 0;
    uint64_t parity = 0;
    uint64_t team = 0;

    return agent->local.count == 3 && agent->remote.count == 1 &&
           str_to_u64(agent->local.items[1].value, &level) == 0 &&
           str_to_u64(agent->local.items[2].value, &parity) == 0 &&
           str_to_u64(str_skip(agent->remote.items[0].value, 1), &team) == 0 &&
           parity == level % 2 && team == level % 3;
}

static void *write_agents(void *arg)
{
    struct worker *w = arg;
    struct arena *a = arena_new(4096);

    pthread_barrier_wait(&w->shared->start);
    for (int i = 0; i < STEPS; i++) {
        size_t n = dice_roll(&w->dice, i % 2 ? 8 : AGENTS); /* some of them are polled */
        unsigned state = (unsigned)dice_roll(&w->dice, STATES);
        struct agent agent = numbered_agent(a, n, state);

        if (i % CLEARED_EACH == CLEARED_EACH - 1) {
            agents_clear(w->shared->agents);
            memset(w->last, 0, sizeof(w->last));
        }
        if (state == 0)
            agents_remove(w->shared->agents, agent.row.ext_id);
        else
            agents_put(w->shared->agents, &agent);
        w->last[n] = (uint8_t)state;
        arena_reset(a);
    }
    arena_free(&a);
    return NULL;
}

static void render_hashes(struct shared *s)
{
    struct arena *a = arena_new(4096);

    for (unsigned state = 1; state < STATES; state++) {
        struct agent agent = numbered_agent(a, 0, state);
        struct attributes all = attributes_overlay(a, STR("x"), &agent.local, &agent.remote);
        struct agent_view view = {STR("x"), AGENT_ALLOY, true, all.items, all.count};
        struct rendered r = {0};

        pipelines_render(s->pipelines, &view, a, NULL, &r);
        hex_print(r.hash, sizeof(r.hash), s->hashes[state]);
    }
    arena_free(&a);
}

/* An agent that says what is registered is in the state that this belongs to, so there is one hash
 * that may be answered, whatever the writer does meanwhile. */
static void poll_one(struct worker *w, struct arena *a)
{
    unsigned state = 1 + (unsigned)dice_roll(&w->dice, STATES - 1);
    struct agent agent = numbered_agent(a, dice_roll(&w->dice, 8), state);
    const char *asked = w->shared->hashes[1 + dice_roll(&w->dice, STATES - 1)];
    struct rendered r = {0};
    char answer[64];
    struct poll poll = {
        .id = agent.row.ext_id,
        .local = agent.local.items,
        .local_count = agent.local.count,
        .hash = str_make(asked, sizeof(answer)),
        .now_us = FIXTURE_NOW_US + (int64_t)dice_roll(&w->dice, 1000),
    };

    if (agents_poll(w->shared->agents, w->shared->pipelines, &poll, answer) == POLL_UNCHANGED)
        w->failed |= memcmp(answer, w->shared->hashes[state], sizeof(answer)) != 0;
    agents_config(w->shared->agents, w->shared->pipelines, a, agent.row.ext_id, &agent.local, &r);
}

static void *poll_agents(void *arg)
{
    struct worker *w = arg;
    struct arena *a = arena_new(4096);
    struct agent_seen seen[16];

    pthread_barrier_wait(&w->shared->start);
    for (int i = 0; i < POLLS; i++) {
        struct agent got = {0};

        poll_one(w, a);
        if (agents_get_numbered(w->shared->agents, a, 1 + (int64_t)dice_roll(&w->dice, AGENTS),
                                &got))
            w->failed |= !is_whole(&got);
        IGNORE(agents_beat(w->shared->agents, 1 + (int64_t)dice_roll(&w->dice, AGENTS),
                           FIXTURE_NOW_US + i));
        if (dice_roll(&w->dice, 16) == 0)
            agents_give_back_seen(w->shared->agents, seen,
                                  agents_take_seen(w->shared->agents, seen, COUNTOF(seen)));
        arena_reset(a);
    }
    arena_free(&a);
    return NULL;
}

struct listing {
    struct worker *worker;
    struct arena *arena;
    const struct matcher *by;
    size_t count;
};

static bool check_listed(void *arg, const struct agent *agent)
{
    struct listing *l = arg;
    struct attributes all =
        attributes_overlay(l->arena, agent->row.ext_id, &agent->local, &agent->remote);

    l->worker->failed |=
        !is_whole(agent) || matchers_refusing(l->by, l->count, all.items, all.count) != NULL;
    return true;
}

/* In order, and none twice, whatever comes and goes meanwhile. */
static void page(struct worker *w)
{
    enum agents_liveness liveness = (enum agents_liveness)dice_roll(&w->dice, 3);
    int64_t got[AGENTS];
    size_t count = agents_numbers(w->shared->agents, (int64_t)dice_roll(&w->dice, AGENTS), liveness,
                                  FIXTURE_NOW_US + POLLS, POLLS / 2, got, COUNTOF(got));

    for (size_t i = 0; i < count; i++)
        w->failed |= got[i] < 1 || got[i] > AGENTS || (i > 0 && got[i] <= got[i - 1]);
    w->failed |= agents_expired(w->shared->agents, FIXTURE_NOW_US, got, COUNTOF(got)) != 0;
}

static void *list_agents(void *arg)
{
    static const char *const texts[] = {"parity=1",  "level=~[123]", "level!=2",
                                        "team=~t.*", "nobody=\"\"",  "host=~h1.*"};
    struct worker *w = arg;
    struct arena *a = arena_new(65536);

    pthread_barrier_wait(&w->shared->start);
    for (int i = 0; i < LISTS; i++) {
        struct str two[2] = {str_of(texts[dice_roll(&w->dice, COUNTOF(texts))]),
                             str_of(texts[dice_roll(&w->dice, COUNTOF(texts))])};
        struct listing l = {.worker = w, .arena = a, .count = 1 + dice_roll(&w->dice, 2)};
        struct attribute_values *values;
        struct agents_stats stats = {0};
        struct matcher *by = NULL;
        struct fail f = {0};
        size_t count;

        w->failed |= matchers_parse(a, two, l.count, &by, &f) < 0;
        l.by = by;
        agents_each(w->shared->agents, a, by, l.count, check_listed, &l);
        agents_local_values(w->shared->agents, a, &values, &count);
        agents_stats(w->shared->agents, FIXTURE_NOW_US, 10, &stats);
        page(w);
        w->failed |= agents_count(w->shared->agents) > AGENTS;
        arena_reset(a);
    }
    arena_free(&a);
    return NULL;
}

static void compare(struct shared *s, const struct worker *writer)
{
    struct arena *a = arena_new(4096);
    size_t count = 0;

    for (size_t n = 0; n < AGENTS; n++) {
        struct agent want = numbered_agent(a, n, writer->last[n]);
        struct agent got = {0};

        assert_int_equal(agents_get(s->agents, a, want.row.ext_id, &got), writer->last[n] != 0);
        if (writer->last[n]) {
            count++;
            assert_true(attributes_equal(&got.local, &want.local));
            assert_true(attributes_equal(&got.remote, &want.remote));
        }
    }
    assert_int_equal(agents_count(s->agents), count);
    assert_int_equal(agents_select_count(s->agents, NULL, 0), count);
    arena_free(&a);
}

static void nobody_sees_half_of_a_change(void **state)
{
    struct shared s = {agents_new(), pipelines_new(&(struct pipelines_options){0})};
    struct worker workers[2 + POLLERS] = {0};
    void *(*const what[])(void *) = {write_agents, list_agents, poll_agents, poll_agents};

    (void)state;
    draft_put(s.pipelines, &(struct draft){1, "odd", .matchers = {"parity=1"},
                                           .contents = "prometheus.exporter.self \"me\" { }\n"});
    draft_put(s.pipelines, &(struct draft){2, "team", .matchers = {"team=t1"},
                                           .contents = "prometheus.exporter.unix \"me\" { }\n"});
    render_hashes(&s);
    pthread_barrier_init(&s.start, NULL, COUNTOF(workers));
    for (size_t i = 0; i < COUNTOF(workers); i++) {
        workers[i].shared = &s;
        workers[i].dice.state = i + 1;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, what[i], &workers[i]), 0);
    }
    for (size_t i = 0; i < COUNTOF(workers); i++)
        pthread_join(workers[i].thread, NULL);
    for (size_t i = 0; i < COUNTOF(workers); i++)
        assert_false(workers[i].failed);
    compare(&s, &workers[0]);
    pthread_barrier_destroy(&s.start);
    agents_free(&s.agents);
    pipelines_free(&s.pipelines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_sees_half_of_a_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
