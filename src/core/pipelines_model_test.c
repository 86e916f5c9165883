/* SPDX-License-Identifier: Apache-2.0 */
/* After any edits, what an agent is told is what a computation from scratch comes to: pipelines and
 * agents are edited at random, and each agent is brought up to date the way polls do it, some of
 * them after every edit and some of them long after. The same seeds each time. */
#include "core/pipelines_fixture.h"

#include <sodium.h>

#define SEEDS             12
#define STEPS             250
#define PIPELINES         20
#define AGENTS            24
#define EAGER_AGENTS      16 /* brought up to date after every edit */
#define EACH_MATCHERS_MAX 3

/* A pipeline as the model knows it; its strings live in an arena of its own. */
struct model_pipeline {
    bool exists;
    struct pipeline row;
    struct pipeline_spec spec;
    struct matcher *matchers;
    struct alloy_facts facts;
    struct arena *arena;
};

struct model_agent {
    struct agent_view view;
    struct choice choice;
    struct arena *arena;
};

struct model {
    struct dice dice;
    struct pipelines_options options;
    struct pipelines *real;
    struct model_pipeline pipelines[PIPELINES];
    int64_t next_id;
    struct model_agent agents[AGENTS];
    struct arena *scratch;
    uint64_t seed;
    int step;
    size_t known; /* times that a hash was known without a rendering */
};

static struct str pick(struct model *m, const struct str *from, size_t count)
{
    return from[dice_roll(&m->dice, count)];
}

#define PICK(m, list) pick((m), (list), COUNTOF(list))

/* --- pipelines --- */

static const struct str keys[] = {STR_INIT("env"), STR_INIT("os"), STR_INIT("team"),
                                  STR_INIT("collector.os"), STR_INIT("zone")};
static const struct str values[] = {STR_INIT("a"), STR_INIT("b"), STR_INIT("ab"), STR_INIT("")};

static struct str random_matcher(struct model *m, struct arena *a)
{
    static const struct str forms[] = {
        STR_INIT("="), STR_INIT("="), STR_INIT("!="), STR_INIT("=~"), STR_INIT("!~"),
    };
    static const struct str patterns[] = {STR_INIT("a.*"), STR_INIT(".+"), STR_INIT(".*b"),
                                          STR_INIT("a|b"), STR_INIT("[^b]*")};
    struct str op = PICK(m, forms);
    struct str value = str_ends_with(op, STR("~")) ? PICK(m, patterns) : PICK(m, values);
    struct str key = PICK(m, keys);

    return arena_printf(a, "%.*s%.*s\"%.*s\"", STR_ARG(key), STR_ARG(op), STR_ARG(value));
}

static struct str random_contents(struct model *m, struct arena *a)
{
    unsigned n = (unsigned)dice_roll(&m->dice, 6);
    struct str key = PICK(m, keys);
    struct str other = PICK(m, keys);

    const struct model_pipeline *any = &m->pipelines[dice_roll(&m->dice, PIPELINES)];
    struct str exporter = any->exists ? any->row.name : STR("none");

    switch (dice_roll(&m->dice, 8)) {
    case 0:
        return arena_printf(a,
                            "discovery.http \"d%u\" {\n  url = argument.attributes.value[\"%.*s\"]"
                            " + argument.attributes.value[\"%.*s\"]\n}\n",
                            n, STR_ARG(key), STR_ARG(other));
    case 1:
        return arena_printf(
            a, "discovery.http \"d%u\" {\n  url = argument.attributes.value[\"%.*s\"]\n}\n", n,
            STR_ARG(key));
    case 2:
        return arena_printf(
            a, "discovery.http \"d%u\" {\n  url = to_json(argument.attributes.value)\n}\n", n);
    case 3: return arena_printf(a, "export \"E%u\" {\n  value = %u\n}\n", n % 2, n);
    case 4:
        return arena_printf(a,
                            "discovery.http \"d\" {\n  url = "
                            "argument.pipeline_exports.value[\"%.*s\"][\"E%u\"]\n}\n",
                            STR_ARG(exporter), n % 2);
    default: return arena_printf(a, "prometheus.exporter.self \"e%u\" { }\n", n);
    }
}

static void random_matchers(struct model *m, struct arena *a, struct pipeline_spec *spec)
{
    spec->matcher_count = dice_roll(&m->dice, EACH_MATCHERS_MAX + 1);
    spec->matchers = arena_new_array(a, struct str, spec->matcher_count);
    for (size_t i = 0; i < spec->matcher_count; i++)
        spec->matchers[i] = random_matcher(m, a);
}

static struct str random_name(struct model *m, struct arena *a)
{
    /* Unique, and the order of names is not that of ids. */
    return arena_printf(a, "%c%d", (char)('a' + dice_roll(&m->dice, 26)), m->step);
}

/* Writes what the model says now to the real one. */
static void store(struct model *m, struct model_pipeline *one)
{
    struct fail f = {0};

    assert_int_equal(
        matchers_parse(one->arena, one->spec.matchers, one->spec.matcher_count, &one->matchers, &f),
        0);
    one->facts = (struct alloy_facts){0};
    if (one->spec.type == AGENT_ALLOY)
        assert_int_equal(alloy_pipeline_read(one->arena, one->spec.contents, &one->facts, &f), 0);
    assert_int_equal(pipeline_spec_encode(one->arena, &one->spec, &one->row.body, &f), 0);
    if (pipelines_put(m->real, &one->row, &f) < 0)
        fail_msg("seed %llu, step %d: %s", (unsigned long long)m->seed, m->step, f.message);
}

static void create(struct model *m, struct model_pipeline *one)
{
    one->arena = arena_new(1024);
    one->exists = true;
    one->row = (struct pipeline){.id = m->next_id++, .enabled = dice_roll(&m->dice, 4) > 0};
    one->row.name = random_name(m, one->arena);
    one->spec = (struct pipeline_spec){.type = AGENT_ALLOY};
    one->spec.contents = random_contents(m, one->arena);
    random_matchers(m, one->arena, &one->spec);
    store(m, one);
}

static void erase(struct model *m, struct model_pipeline *one)
{
    pipelines_remove(m->real, one->row.id);
    arena_free(&one->arena);
    one->exists = false;
}

static void change_type(struct model_pipeline *one)
{
    bool was_alloy = one->spec.type == AGENT_ALLOY;

    one->spec.type = was_alloy ? AGENT_OTEL : AGENT_ALLOY;
    one->spec.contents = was_alloy ? STR("a: b\n") : STR("prometheus.exporter.self \"t\" { }\n");
}

static void edit_pipeline(struct model *m)
{
    struct model_pipeline *one = &m->pipelines[dice_roll(&m->dice, PIPELINES)];

    if (!one->exists) {
        create(m, one);
        return;
    }
    switch (dice_roll(&m->dice, 8)) {
    case 0: erase(m, one); return;
    case 1: one->row.enabled = !one->row.enabled; break;
    case 2: one->row.name = random_name(m, one->arena); break;
    case 3: random_matchers(m, one->arena, &one->spec); break;
    case 4: change_type(one); break;
    case 5: break; /* nothing differs */
    case 6:
        random_matchers(m, one->arena, &one->spec);
        one->row.enabled = true;
        break;
    default:
        if (one->spec.type == AGENT_ALLOY)
            one->spec.contents = random_contents(m, one->arena);
        break;
    }
    store(m, one);
}

/* More changes than anybody can look at one by one. */
static void edit_a_lot(struct model *m)
{
    struct model_pipeline *one = &m->pipelines[dice_roll(&m->dice, PIPELINES)];

    if (!one->exists)
        create(m, one);
    for (int i = 0; i < 1100 + (int)dice_roll(&m->dice, 2); i++) {
        struct fail f = {0};

        one->row.enabled = !one->row.enabled;
        assert_int_equal(pipelines_put(m->real, &one->row, &f), 0);
    }
}

/* --- agents --- */

static void become(struct model *m, struct model_agent *one, size_t number)
{
    struct label *l;
    size_t n = 0;

    choice_reset(m->real, &one->choice);
    arena_reset(one->arena);
    l = arena_new_array(one->arena, struct label, COUNTOF(keys) + 1);
    for (size_t i = 0; i < COUNTOF(keys); i++) {
        if (dice_roll(&m->dice, 3) > 0)
            l[n++] = (struct label){keys[i], PICK(m, values)};
    }
    l[n++] = (struct label){STR(AGENT_ID_KEY), arena_printf(one->arena, "agent%zu", number)};
    one->view = (struct agent_view){
        .id = l[n - 1].value,
        .type = dice_roll(&m->dice, 12) == 0 ? AGENT_OTEL : AGENT_ALLOY,
        .enabled = dice_roll(&m->dice, 12) > 0,
        .attributes = l,
        .attribute_count = n,
    };
    qsort(l, n, sizeof(*l), by_label_key);
}

/* --- from scratch --- */

static struct str plain_value(const struct agent_view *v, struct str key)
{
    for (size_t i = 0; i < v->attribute_count; i++) {
        if (str_eq(v->attributes[i].key, key))
            return v->attributes[i].value;
    }
    return STR("");
}

static bool is_meant(const struct model *m, const struct model_pipeline *one,
                     const struct agent_view *v)
{
    if (!one->exists || !one->row.enabled || !v->enabled || v->type != AGENT_ALLOY ||
        one->spec.type != AGENT_ALLOY)
        return false;
    for (size_t i = 0; i < one->spec.matcher_count; i++) {
        if (!matcher_holds(&one->matchers[i], plain_value(v, one->matchers[i].name)))
            return false;
    }
    return one->spec.matcher_count > 0 || m->options.empty_matches_all;
}

static int by_part_name(const void *a, const void *b)
{
    return str_cmp(((const struct alloy_part *)a)->name, ((const struct alloy_part *)b)->name);
}

static struct str naive(struct model *m, const struct agent_view *v)
{
    struct alloy_part parts[PIPELINES];
    size_t count = 0;

    for (size_t i = 0; i < PIPELINES; i++) {
        const struct model_pipeline *one = &m->pipelines[i];

        if (is_meant(m, one, v))
            parts[count++] =
                (struct alloy_part){one->row.id, one->row.name, one->spec.contents, &one->facts};
    }
    if (count == 0)
        return m->options.disabled_is_empty ? STR("") : alloy_config_none();
    qsort(parts, count, sizeof(parts[0]), by_part_name);
    return alloy_config_render(m->scratch, parts, count, v->attributes, v->attribute_count);
}

/* --- the comparison --- */

static void expect_text(const struct model *m, const struct agent_view *v, struct str got,
                        struct str wanted)
{
    if (!str_eq(got, wanted))
        fail_msg("seed %llu, step %d, %.*s: got\n%.*s\nwanted\n%.*s", (unsigned long long)m->seed,
                 m->step, STR_ARG(v->id), STR_ARG(got), STR_ARG(wanted));
}

/* As a poll does it: first what is remembered, then what follows from memory, then a rendering. */
static void poll(struct model *m, struct model_agent *one)
{
    struct str wanted = naive(m, &one->view);
    struct rendered r = {0};
    uint8_t hash[32];

    crypto_hash_sha256(hash, (const unsigned char *)wanted.p, wanted.len);
    if (pipelines_is_current(m->real, &one->choice) ||
        pipelines_refresh(m->real, &one->view, &one->choice)) {
        m->known++;
    } else {
        pipelines_render(m->real, &one->view, m->scratch, &one->choice, &r);
        expect_text(m, &one->view, r.content, wanted);
        assert_memory_equal(r.hash, hash, sizeof(hash));
    }
    assert_true(pipelines_is_current(m->real, &one->choice));
    if (memcmp(one->choice.hash, hash, sizeof(hash)) != 0) {
        pipelines_render(m->real, &one->view, m->scratch, NULL, &r);
        fail_msg(
            "seed %llu, step %d, %.*s: the hash is another text's; rendered now\n%.*s\n"
            "wanted\n%.*s",
            (unsigned long long)m->seed, m->step, STR_ARG(one->view.id), STR_ARG(r.content),
            STR_ARG(wanted));
    }
}

/* What is said beside the choice is the same. */
static void look(struct model *m, struct model_agent *one)
{
    struct model_pipeline *draft = &m->pipelines[dice_roll(&m->dice, PIPELINES)];
    struct rendered r = {0};
    struct fail f = {0};

    pipelines_render(m->real, &one->view, m->scratch, NULL, &r);
    expect_text(m, &one->view, r.content, naive(m, &one->view));
    if (!draft->exists)
        return;
    assert_int_equal(pipelines_preview(m->real, m->scratch, &draft->row, &one->view, &r, &f), 0);
    expect_text(m, &one->view, r.content, naive(m, &one->view));

    struct pipeline_verdict *why;
    size_t count = 0;

    pipelines_explain(m->real, m->scratch, &one->view, &why, &count);
    assert_int_equal(count, pipelines_count(m->real));
    for (size_t i = 0; i < count; i++) {
        if (one->view.type == AGENT_ALLOY && why[i].id == draft->row.id)
            assert_int_equal(why[i].selected, is_meant(m, draft, &one->view));
    }
}

static void step(struct model *m)
{
    uint64_t what = dice_roll(&m->dice, 100);

    if (what == 0) {
        edit_a_lot(m);
    } else if (what < 80) {
        edit_pipeline(m);
    } else {
        size_t i = dice_roll(&m->dice, AGENTS);

        become(m, &m->agents[i], i);
    }
    for (size_t i = 0; i < AGENTS; i++) {
        if (i < EAGER_AGENTS || dice_roll(&m->dice, 20) == 0)
            poll(m, &m->agents[i]);
    }
    look(m, &m->agents[dice_roll(&m->dice, AGENTS)]);
    arena_reset(m->scratch);
}

static void run(uint64_t seed, const struct pipelines_options *o)
{
    struct model *m = heap_new_type(struct model);

    m->seed = seed;
    m->dice.state = seed;
    m->options = *o;
    m->real = pipelines_new(o);
    m->scratch = arena_new(65536);
    m->next_id = 1;
    for (size_t i = 0; i < AGENTS; i++) {
        m->agents[i].arena = arena_new(1024);
        become(m, &m->agents[i], i);
    }
    for (m->step = 0; m->step < STEPS; m->step++)
        step(m);
    for (size_t i = 0; i < AGENTS; i++) {
        poll(m, &m->agents[i]);
        choice_reset(m->real, &m->agents[i].choice);
        arena_free(&m->agents[i].arena);
    }
    assert_true(m->known > (size_t)STEPS * EAGER_AGENTS / 2); /* or it only ever rendered */
    for (size_t i = 0; i < PIPELINES; i++)
        arena_free(&m->pipelines[i].arena);
    arena_free(&m->scratch);
    pipelines_free(&m->real);
    free(m);
}

static void every_agent_is_told_what_a_computation_from_scratch_comes_to(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        /* So small that texts go all the time, or as large as it comes. */
        run(seed, &(struct pipelines_options){
                      .empty_matches_all = seed % 2 == 0,
                      .disabled_is_empty = seed % 3 == 0,
                      .variant_bytes = seed % 4 == 0 ? 4096 : 0,
                  });
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_agent_is_told_what_a_computation_from_scratch_comes_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
