/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of agents in memory: agents and polls in few words. */
#ifndef CORE_AGENTS_FIXTURE_H
#define CORE_AGENTS_FIXTURE_H

#include "core/pipelines_fixture.h"

#include "base/buf.h"
#include "base/id.h"
#include "core/agents.h"

#define FIXTURE_NOW_US INT64_C(1700000000000000)
#define NO_HASH        ""

struct agents_fixture {
    struct agents *agents;
    struct pipelines *pipelines;
    struct arena *a;
};

static inline int agents_setup(void **state)
{
    struct agents_fixture *x = heap_new_type(struct agents_fixture);

    x->agents = agents_new();
    x->pipelines = pipelines_new(&(struct pipelines_options){0});
    x->a = arena_new(4096);
    *state = x;
    return 0;
}

static inline int agents_teardown(void **state)
{
    struct agents_fixture *x = *state;

    agents_free(&x->agents);
    assert_null(x->agents);
    pipelines_free(&x->pipelines);
    arena_free(&x->a);
    free(x);
    return 0;
}

#define AGENTS_TEST(name) cmocka_unit_test_setup_teardown(name, agents_setup, agents_teardown)

/* "env=prod os=linux": sorted, in the arena. */
static inline struct attributes pairs_of(struct arena *a, const char *text)
{
    struct attributes out = {arena_new_array(a, struct label, strlen(text) + 1), 0};
    struct str rest = arena_str(a, str_of(text));

    while (rest.len > 0) {
        struct str value = str_cut(&rest, ' ');

        out.items[out.count].key = str_cut(&value, '=');
        out.items[out.count++].value = value;
    }
    if (out.count > 0)
        qsort(out.items, out.count, sizeof(*out.items), by_label_key);
    return out;
}

/* Registered, enabled, an Alloy; seen at its creation. */
static inline struct agent agent_of(struct arena *a, int64_t number, const char *id,
                                    const char *local, const char *remote)
{
    return (struct agent){
        .row = {.tenant = 9,
                .kind = COLLECTOR_AGENT,
                .id = number,
                .ext_id = arena_str(a, str_of(id)),
                .name = STR("name"),
                .revision = 1,
                .created_us = FIXTURE_NOW_US,
                .updated_us = FIXTURE_NOW_US,
                .last_seen_us = FIXTURE_NOW_US},
        .type = AGENT_ALLOY,
        .enabled = true,
        .local = pairs_of(a, local),
        .remote = pairs_of(a, remote),
        .registered = true,
    };
}

static inline void agent_put(struct agents_fixture *x, int64_t number, const char *id,
                             const char *local, const char *remote)
{
    struct agent agent = agent_of(x->a, number, id, local, remote);

    agents_put(x->agents, &agent);
}

/* The hash of what the agent gets, as it would send it, the slow way. */
static inline const char *agent_hash(struct agents_fixture *x, const char *id, const char *local)
{
    struct attributes said = pairs_of(x->a, local);
    struct rendered r = {0};
    char *hex = arena_alloc(x->a, 2 * sizeof(r.hash) + 1);

    agents_config(x->agents, x->pipelines, x->a, str_of(id), &said, &r);
    hex_print(r.hash, sizeof(r.hash), hex);
    return hex;
}

static inline struct poll poll_of(struct agents_fixture *x, const char *id, const char *local,
                                  const char *hash)
{
    struct attributes said = pairs_of(x->a, local);

    return (struct poll){
        .id = str_of(id),
        .local = said.items,
        .local_count = said.count,
        .hash = str_of(hash),
        .now_us = FIXTURE_NOW_US + 1,
    };
}

static inline bool is_unchanged(struct agents_fixture *x, const struct poll *poll)
{
    char hex[64];

    if (agents_poll(x->agents, x->pipelines, poll, hex) == POLL_SLOW)
        return false;
    assert_true(str_eq(str_make(hex, sizeof(hex)), poll->hash));
    return true;
}

static inline bool polls_unchanged(struct agents_fixture *x, const char *id, const char *local,
                                   const char *hash)
{
    struct poll poll = poll_of(x, id, local, hash);

    return is_unchanged(x, &poll);
}

/* "a,b" of the agents that all of the matchers hold for. */
static inline const char *selected(struct agents_fixture *x, const char *const *matchers,
                                   size_t count)
{
    struct str *texts = arena_new_array(x->a, struct str, count);
    struct matcher *m = NULL;
    struct fail f = {0};
    struct str *ids;
    size_t id_count;
    struct buf out;

    for (size_t i = 0; i < count; i++)
        texts[i] = str_of(matchers[i]);
    assert_int_equal(matchers_parse(x->a, texts, count, &m, &f), 0);
    agents_select(x->agents, x->a, m, count, &ids, &id_count);
    assert_int_equal(agents_select_count(x->agents, m, count), id_count);
    buf_init_arena(&out, x->a, 1 << 20);
    for (size_t i = 0; i < id_count; i++) {
        buf_put_str(&out, i ? STR(",") : STR(""));
        buf_put_str(&out, ids[i]);
    }
    return arena_cstr(x->a, buf_str(&out));
}

#define SELECTED(x, ...)                                                                           \
    selected((x), (const char *const[]){__VA_ARGS__},                                              \
             sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

#endif
