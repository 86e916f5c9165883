/* SPDX-License-Identifier: Apache-2.0 */
/* After any changes, selections, values and polls are what a walk over a plain list comes to. The
 * same seeds each time. */
#include "core/agents_fixture.h"

#define SEEDS             8
#define STEPS             1500
#define AGENTS            60
#define CHECK_EACH        25
#define SELECTIONS        6
#define EACH_MATCHERS_MAX 3

struct model_agent {
    bool exists;
    struct agent agent;
    struct arena *arena;
};

struct model {
    struct dice dice;
    struct agents *real;
    struct model_agent agents[AGENTS];
    int64_t next_number;
    struct arena *scratch;
};

static const struct str keys[] = {STR_INIT("env"), STR_INIT("os"), STR_INIT("collector.os"),
                                  STR_INIT("zone"), STR_INIT("a.key-of.some.length")};
static const struct str values[] = {
    STR_INIT("a"), STR_INIT("b"), STR_INIT("ab"), STR_INIT(""),
    STR_INIT("a value that is longer than what lies inside of a pair")};

static struct str pick(struct model *m, const struct str *from, size_t count)
{
    return from[dice_roll(&m->dice, count)];
}

#define PICK(m, list) pick((m), (list), COUNTOF(list))

/* Some values are nearly one agent's own, so that postings of all sizes come about. */
static struct str random_value(struct model *m, struct arena *a)
{
    if (dice_roll(&m->dice, 3) == 0)
        return arena_printf(a, "v%u", (unsigned)dice_roll(&m->dice, 40));
    return PICK(m, values);
}

static struct attributes random_attributes(struct model *m, struct arena *a)
{
    struct attributes out = {arena_new_array(a, struct label, COUNTOF(keys)), 0};

    for (size_t i = 0; i < COUNTOF(keys); i++) {
        if (dice_roll(&m->dice, 2))
            out.items[out.count++] = (struct label){keys[i], random_value(m, a)};
    }
    attributes_sort(&out);
    return out;
}

static struct attributes copied(struct arena *a, const struct attributes *from)
{
    struct attributes out = {arena_new_array(a, struct label, from->count), from->count};

    for (size_t i = 0; i < from->count; i++)
        out.items[i] =
            (struct label){arena_str(a, from->items[i].key), arena_str(a, from->items[i].value)};
    return out;
}

static struct str id_of(struct arena *a, size_t n)
{
    return arena_printf(a, "agent-%zu", n);
}

static void put(struct model *m, size_t n)
{
    struct model_agent *known = &m->agents[n];
    struct arena *a = arena_new(1024);
    struct agent agent = {
        .row = {.tenant = 1,
                .id = known->exists ? known->agent.row.id : m->next_number++,
                .ext_id = id_of(a, n),
                .revision = known->exists ? known->agent.row.revision + 1 : 1},
        .type = AGENT_ALLOY,
        .enabled = dice_roll(&m->dice, 4) != 0,
        .registered = true,
    };

    if (known->exists && dice_roll(&m->dice, 4) == 0) { /* its attributes stay */
        agent.local = copied(a, &known->agent.local);
        agent.remote = copied(a, &known->agent.remote);
    } else {
        agent.local = random_attributes(m, a);
        agent.remote = random_attributes(m, a);
    }
    agents_put(m->real, &agent);
    arena_free(&known->arena);
    *known = (struct model_agent){true, agent, a};
}

static void drop(struct model *m, size_t n)
{
    agents_remove(m->real, id_of(m->scratch, n));
    arena_free(&m->agents[n].arena);
    m->agents[n] = (struct model_agent){0};
}

/* --- what must hold --- */

static struct str random_matcher(struct model *m)
{
    static const struct str ops[] = {STR_INIT("="), STR_INIT("="), STR_INIT("!="), STR_INIT("=~"),
                                     STR_INIT("!~")};
    static const struct str patterns[] = {STR_INIT("a.*"), STR_INIT(".+"),    STR_INIT("v1.*"),
                                          STR_INIT("a|b"), STR_INIT("[^b]*"), STR_INIT("")};
    static const struct str ids[] = {STR_INIT("agent-1"), STR_INIT("agent-1.*"), STR_INIT("")};
    struct str op = PICK(m, ops);
    struct str key = PICK(m, keys);
    struct str value =
        str_ends_with(op, STR("~")) ? PICK(m, patterns) : random_value(m, m->scratch);

    if (dice_roll(&m->dice, 12) == 0)
        key = STR("nobody.has.this");
    if (dice_roll(&m->dice, 8) == 0) {
        key = STR(AGENT_ID_KEY);
        value = PICK(m, ids);
    }
    return arena_printf(m->scratch, "%.*s%.*s\"%.*s\"", STR_ARG(key), STR_ARG(op), STR_ARG(value));
}

static bool is_selected(struct model *m, const struct model_agent *agent, const struct matcher *by,
                        size_t count)
{
    const struct agent *a = &agent->agent;

    if (!agent->exists)
        return false;

    struct attributes all = attributes_overlay(m->scratch, a->row.ext_id, &a->local, &a->remote);

    return !matchers_refusing(by, count, all.items, all.count);
}

static void check_selection(struct model *m)
{
    size_t count = dice_roll(&m->dice, EACH_MATCHERS_MAX + 1);
    struct str texts[EACH_MATCHERS_MAX];
    struct matcher *by = NULL;
    struct fail f = {0};
    struct str *ids;
    size_t id_count;
    size_t found = 0;

    for (size_t i = 0; i < count; i++)
        texts[i] = random_matcher(m);
    assert_int_equal(matchers_parse(m->scratch, texts, count, &by, &f), 0);
    agents_select(m->real, m->scratch, by, count, &ids, &id_count);
    for (size_t i = 1; i < id_count; i++)
        assert_true(str_cmp(ids[i - 1], ids[i]) < 0);
    for (size_t n = 0; n < AGENTS; n++) {
        struct str id = id_of(m->scratch, n);
        bool is_in = false;

        for (size_t i = 0; i < id_count; i++)
            is_in |= str_eq(ids[i], id);
        if (is_in != is_selected(m, &m->agents[n], by, count))
            fail_msg("%.*s with %zu matchers, the first %.*s", STR_ARG(id), count,
                     STR_ARG(count ? texts[0] : STR("")));
        found += is_in;
    }
    assert_int_equal(found, id_count);
    assert_int_equal(agents_select_count(m->real, by, count), id_count);
}

static bool says(const struct attributes *all, struct str key, struct str value)
{
    for (size_t i = 0; i < all->count; i++) {
        if (str_eq(all->items[i].key, key) && str_eq(all->items[i].value, value))
            return true;
    }
    return false;
}

static const struct attributes *side_of(const struct agent *a, bool remote)
{
    return remote ? &a->remote : &a->local;
}

/* Each value is somebody's, and each of somebody's is there. */
static void check_values(struct model *m, bool remote)
{
    struct attribute_values *v = NULL;
    size_t count = 0;
    size_t pairs = 0;
    size_t found = 0;

    (remote ? agents_remote_values : agents_local_values)(m->real, m->scratch, &v, &count);
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || str_cmp(v[i - 1].key, v[i].key) < 0);
        assert_true(v[i].count > 0);
        pairs += v[i].count;
        for (size_t j = 0; j < v[i].count; j++) {
            bool somebody = false;

            assert_true(j == 0 || str_cmp(v[i].values[j - 1], v[i].values[j]) < 0);
            for (size_t n = 0; n < AGENTS; n++)
                somebody |= m->agents[n].exists &&
                            says(side_of(&m->agents[n].agent, remote), v[i].key, v[i].values[j]);
            assert_true(somebody);
        }
    }
    for (size_t n = 0; n < AGENTS; n++) {
        const struct attributes *all = side_of(&m->agents[n].agent, remote);

        for (size_t i = 0; m->agents[n].exists && i < all->count; i++) {
            bool first = true;

            for (size_t k = 0; k < n; k++)
                first &= !(m->agents[k].exists && says(side_of(&m->agents[k].agent, remote),
                                                       all->items[i].key, all->items[i].value));
            found += first;
        }
    }
    assert_int_equal(found, pairs);
}

static void check_agents(struct model *m)
{
    size_t count = 0;

    for (size_t n = 0; n < AGENTS; n++) {
        const struct model_agent *known = &m->agents[n];
        struct agent got = {0};

        count += known->exists;
        assert_int_equal(agents_get(m->real, m->scratch, id_of(m->scratch, n), &got),
                         known->exists);
        if (!known->exists)
            continue;
        assert_int_equal(got.row.id, known->agent.row.id);
        assert_true(attributes_equal(&got.local, &known->agent.local));
        assert_true(attributes_equal(&got.remote, &known->agent.remote));
        assert_true(agents_get_numbered(m->real, m->scratch, known->agent.row.id, &got));
        assert_true(str_eq(got.row.ext_id, known->agent.row.ext_id));
        assert_true(agents_is_registered(m->real, known->agent.row.ext_id, STR(""),
                                         known->agent.local.items, known->agent.local.count, 1));
    }
    assert_int_equal(agents_count(m->real), count);
}

static void check(struct model *m)
{
    check_agents(m);
    check_values(m, false);
    check_values(m, true);
    for (int i = 0; i < SELECTIONS; i++)
        check_selection(m);
    arena_reset(m->scratch);
}

static void memory_comes_to_what_a_plain_list_comes_to(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct model m = {.dice = {seed}, .next_number = 1};

        m.real = agents_new();
        m.scratch = arena_new(65536);
        for (int step = 0; step < STEPS; step++) {
            size_t n = dice_roll(&m.dice, AGENTS);

            /* Now a growing crowd, now a shrinking one. */
            if (dice_roll(&m.dice, 10) < (step / 300 % 2 ? 7u : 2u))
                drop(&m, n);
            else
                put(&m, n);
            if (step % CHECK_EACH == 0)
                check(&m);
        }
        for (size_t n = 0; n < AGENTS; n++)
            drop(&m, n);
        check(&m);
        arena_free(&m.scratch);
        agents_free(&m.real);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_comes_to_what_a_plain_list_comes_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
