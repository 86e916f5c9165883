/* SPDX-License-Identifier: Apache-2.0 */
/* The registry beside a real store: what it loads, how it follows, and what it writes behind. */
#include "store/agent_fixture.h"

#include <semaphore.h>

#include "base/metric.h"
#include "core/pipeline.h"
#include "core/registry.h"
#include "store/fault.h"

#define SECOND          INT64_C(1000000)
#define SEEDS           4
#define STEPS           150
#define AGENTS          12
#define TENANTS         300
#define MORE_THAN_A_JOB 1201
#define CONTENTS        "prometheus.exporter.self \"me\" { }\n"

/* A store, the registry that follows it, and what a job is about. */
struct beside {
    struct fixture *x;
    struct registry *registry;
    struct agent_call call;
    struct pipeline pipeline;
    bool fails; /* the job, after it has done its work */
};

static struct registry *new_registry(struct fixture *x, struct metrics *m)
{
    struct registry_options o = {.store = x->store, .clock = x->clock, .metrics = m};
    struct registry *r = registry_new(&o);

    registry_inactive_after(r, 60 * SECOND);

    assert_int_equal(registry_load(r, &x->fail), 0);
    return r;
}

static int set_up(void **state)
{
    struct beside *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    b->x = fixture_new_open();
    b->registry = new_registry(b->x, NULL);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct beside *b = *state;

    registry_free(&b->registry);
    assert_null(b->registry);
    fixture_free(b->x);
    free(b);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* --- jobs --- */

static int after(struct beside *b, int result, struct fail *f)
{
    if (result == 0 && b->fails)
        return fail_set(f, CODE_ABORTED, "as the test wants it");
    return result;
}

static int do_report(struct store_tx *tx, void *arg, struct fail *f)
{
    struct beside *b = arg;

    return after(
        b,
        agent_report(tx, b->registry, NULL, b->call.tenant, &b->call.report, &b->call.changed, f),
        f);
}

static int do_update(struct store_tx *tx, void *arg, struct fail *f)
{
    struct beside *b = arg;

    return after(b, agent_update(tx, b->registry, NULL, &b->call.agent, f), f);
}

static int do_delete(struct store_tx *tx, void *arg, struct fail *f)
{
    struct beside *b = arg;

    return after(b, agent_delete(tx, b->registry, NULL, b->call.tenant, b->call.id, f), f);
}

static int do_create_pipeline(struct store_tx *tx, void *arg, struct fail *f)
{
    struct beside *b = arg;

    return after(b, pipeline_create(tx, b->registry, NULL, &b->pipeline, f), f);
}

static int do_delete_pipeline(struct store_tx *tx, void *arg, struct fail *f)
{
    struct beside *b = arg;

    return after(
        b, pipeline_delete(tx, b->registry, NULL, b->pipeline.tenant, b->pipeline.id, 0, f), f);
}

static int do_delete_tenant(struct store_tx *tx, void *arg, struct fail *f)
{
    struct beside *b = arg;

    if (store_tenant_close(tx, b->call.tenant, f) < 0)
        return -1;
    registry_tenant_deleted(b->registry, tx, b->call.tenant);
    return after(b, 0, f);
}

static int do_create_tenant(struct store_tx *tx, void *arg, struct fail *f)
{
    struct tenant *t = arg;

    return tenant_create(tx, NULL, STR("second"), t, f);
}

static void registers(struct beside *b, const char *id, struct attributes said)
{
    b->call = agent_registration(b->x, id, "name", said);
    assert_int_equal(fixture_write(b->x, do_report, b), 0);
}

static void creates_pipeline(struct beside *b, const char *name)
{
    struct str matcher = STR("env=prod");
    struct pipeline_spec spec = {
        .type = AGENT_ALLOY,
        .contents = STR(CONTENTS),
        .matchers = &matcher,
        .matcher_count = 1,
    };

    b->pipeline =
        (struct pipeline){.tenant = b->x->tenant.id, .name = str_of(name), .enabled = true};
    assert_int_equal(pipeline_spec_encode(b->x->arena, &spec, &b->pipeline.body, &b->x->fail), 0);
    assert_int_equal(fixture_write(b->x, do_create_pipeline, b), 0);
}

static struct realm *realm_of(struct beside *b)
{
    return registry_realm(b->registry, b->x->tenant.id);
}

static bool knows(struct beside *b, const char *id, struct agent *out)
{
    *out = (struct agent){0};
    return agents_get(realm_of(b)->agents, b->x->arena, str_of(id), out);
}

/* --- following --- */

static void assert_same_agent(const struct agent *got, const struct agent *want)
{
    assert_int_equal(got->row.id, want->row.id);
    assert_true(str_eq(got->row.ext_id, want->row.ext_id));
    assert_true(str_eq(got->row.name, want->row.name));
    assert_int_equal(got->row.revision, want->row.revision);
    assert_int_equal(got->row.created_us, want->row.created_us);
    assert_int_equal(got->row.updated_us, want->row.updated_us);
    assert_int_equal(got->type, want->type);
    assert_int_equal(got->enabled, want->enabled);
    assert_int_equal(got->inactive_us, want->inactive_us);
    assert_int_equal(got->registered, want->registered);
    assert_int_equal(got->has_status, want->has_status);
    assert_int_equal(got->status, want->status);
    assert_int_equal(got->status_us, want->status_us);
    assert_memory_equal(&got->status_error, &want->status_error, sizeof(want->status_error));
    assert_memory_equal(&got->effective_config, &want->effective_config,
                        sizeof(want->effective_config));
    agent_assert_attributes(&got->local, want->local);
    agent_assert_attributes(&got->remote, want->remote);
    assert_int_equal(got->extra_count, want->extra_count);
    assert_int_equal(got->row.unique_name, want->row.unique_name);
    assert_true(profile_equal(&got->profile, &want->profile));
    assert_int_equal(got->ephemeral, want->ephemeral);
    assert_int_equal(got->target_cpu, want->target_cpu);
    assert_int_equal(got->sources_local, want->sources_local);
}

static void agent_shows_in_memory_when_its_row_is_durable(void **state)
{
    struct beside *b = *state;
    struct agent got;

    registers(b, "a", AGENT_ATTRIBUTES(b->x, "env=prod", "os=linux"));
    assert_true(knows(b, "a", &got));

    struct agent row = agent_read(b->x, "a");

    assert_same_agent(&got, &row);
    assert_int_equal(got.row.last_seen_us, FIXTURE_START_US);
}

static void agent_that_is_rolled_back_never_shows(void **state)
{
    struct beside *b = *state;
    struct agent got;

    b->fails = true;
    b->call = agent_registration(b->x, "a", "name", AGENT_ATTRIBUTES(b->x, "env=prod"));
    assert_int_equal(fixture_write(b->x, do_report, b), -1);
    assert_false(knows(b, "a", &got));
    b->fails = false;
    registers(b, "b", AGENT_ATTRIBUTES(b->x, "env=prod"));
    assert_false(knows(b, "a", &got));
}

static void deletion_shows_only_when_it_is_durable(void **state)
{
    struct beside *b = *state;
    struct agent got;

    registers(b, "a", AGENT_ATTRIBUTES(b->x, "env=prod"));
    b->fails = true;
    assert_int_equal(fixture_write(b->x, do_delete, b), -1);
    assert_true(knows(b, "a", &got));
    b->fails = false;
    assert_int_equal(fixture_write(b->x, do_delete, b), 0);
    assert_false(knows(b, "a", &got));
}

/* --- counting --- */

/* Registers one agent; the first of a batch waits until all are queued. */
struct counted_job {
    struct store_job base;
    struct beside *b;
    struct str id;
    sem_t *entered;
    sem_t *go;
    sem_t *over;
};

static int run_counted(struct store_tx *tx, struct store_job *job, struct fail *f)
{
    struct counted_job *j = CONTAINER_OF(job, struct counted_job, base);
    struct agent_report report = {.id = j->id, .agents_max = 3};

    if (j->entered) {
        sem_post(j->entered);
        while (sem_wait(j->go) < 0)
            ;
        return 0;
    }
    return agent_report(tx, j->b->registry, NULL, j->b->x->tenant.id, &report, NULL, f);
}

static void done_counted(struct store_job *job, int result, const struct fail *f)
{
    (void)result;
    (void)f;
    sem_post(CONTAINER_OF(job, struct counted_job, base)->over);
}

static void submit_counted(struct beside *b, struct counted_job *j, const char *id)
{
    j->base = (struct store_job){.run = run_counted, .done = done_counted, .arena = arena_new(256)};
    j->b = b;
    j->id = str_of(id);
    assert_int_equal(store_submit(b->x->store, &j->base, &b->x->fail), 0);
}

static void agents_of_one_batch_are_counted_together(void **state)
{
    static const char *const ids[] = {"a", "b", "a", "c", "d"};
    struct counted_job first = {0}, jobs[COUNTOF(ids)] = {{{0}}};
    struct beside *b = *state;
    sem_t entered, go, over;

    sem_init(&entered, 0, 0);
    sem_init(&go, 0, 0);
    sem_init(&over, 0, 0);
    registers(b, "before", AGENT_ATTRIBUTES(b->x, "env=prod"));
    first = (struct counted_job){.entered = &entered, .go = &go, .over = &over};
    submit_counted(b, &first, "");
    while (sem_wait(&entered) < 0)
        ;
    for (size_t i = 0; i < COUNTOF(ids); i++) {
        jobs[i].over = &over;
        submit_counted(b, &jobs[i], ids[i]);
    }
    sem_post(&go);
    for (size_t i = 0; i <= COUNTOF(ids); i++)
        while (sem_wait(&over) < 0)
            ;
    for (size_t i = 0; i < COUNTOF(ids); i++) {
        assert_int_equal(jobs[i].base.result, i < 3 ? 0 : -1);
        arena_free(&jobs[i].base.arena);
    }
    assert_string_equal(jobs[3].base.fail.reason, "too_many_agents");
    arena_free(&first.base.arena);
    assert_int_equal(agents_count(realm_of(b)->agents), 3);
    sem_destroy(&entered);
    sem_destroy(&go);
    sem_destroy(&over);
}

/* One job that makes and removes; what it counts in between. */
static int do_count(struct store_tx *tx, void *arg, struct fail *f)
{
    struct beside *b = arg;
    uint64_t tenant = b->x->tenant.id;
    struct agent_report report = {.id = STR("new")};
    struct pipeline other = {.tenant = tenant, .name = STR("other"), .body = b->pipeline.body};

    assert_int_equal(registry_agents(b->registry, tx, tenant), 1);
    assert_int_equal(agent_report(tx, b->registry, NULL, tenant, &report, NULL, f), 0);
    assert_int_equal(registry_agents(b->registry, tx, tenant), 2);
    assert_int_equal(agent_delete(tx, b->registry, NULL, tenant, STR("old"), f), 0);
    assert_int_equal(registry_agents(b->registry, tx, tenant), 1);
    assert_int_equal(registry_agents(b->registry, NULL, tenant), 1);
    assert_int_equal(registry_agents(b->registry, tx, tenant + 1), 0);

    assert_int_equal(registry_pipelines(b->registry, tx, tenant), 1);
    assert_int_equal(pipeline_create(tx, b->registry, NULL, &other, f), 0);
    assert_int_equal(registry_pipelines(b->registry, tx, tenant), 2);
    other.enabled = true;
    assert_int_equal(pipeline_update(tx, b->registry, NULL, &other, f), 0);
    assert_int_equal(registry_pipelines(b->registry, tx, tenant), 2);
    assert_int_equal(pipeline_delete(tx, b->registry, NULL, tenant, b->pipeline.id, 0, f), 0);
    assert_int_equal(registry_pipelines(b->registry, tx, tenant), 1);
    return after(b, 0, f);
}

static void what_a_transaction_makes_and_removes_is_counted_at_once(void **state)
{
    struct beside *b = *state;

    registers(b, "old", AGENT_ATTRIBUTES(b->x, "env=prod"));
    creates_pipeline(b, "p");
    b->fails = true;
    assert_int_equal(fixture_write(b->x, do_count, b), -1);
    b->fails = false;
    assert_int_equal(fixture_write(b->x, do_count, b), 0); /* what was rolled back counts nothing */
    assert_int_equal(registry_agents(b->registry, NULL, b->x->tenant.id), 1);
    assert_int_equal(registry_pipelines(b->registry, NULL, b->x->tenant.id), 1);
}

static int do_tell_of_tenant(struct store_tx *tx, void *arg, struct fail *f)
{
    struct beside *b = arg;

    registry_tenant_created(b->registry, tx, 77);
    return after(b, 0, f);
}

static void tenants_are_known_when_they_are_durable(void **state)
{
    struct beside *b = *state;
    struct realm *realm;

    assert_true(registry_has_tenant(b->registry, b->x->tenant.id));
    assert_false(registry_has_tenant(b->registry, 0));
    assert_false(registry_has_tenant(b->registry, UINT64_MAX));
    b->fails = true;
    assert_int_equal(fixture_write(b->x, do_tell_of_tenant, b), -1);
    assert_false(registry_has_tenant(b->registry, 77));
    b->fails = false;
    assert_int_equal(fixture_write(b->x, do_tell_of_tenant, b), 0);
    assert_true(registry_has_tenant(b->registry, 77));
    assert_false(registry_next(b->registry, b->x->tenant.id, &realm)); /* asking makes none */

    b->call.tenant = b->x->tenant.id;
    assert_int_equal(fixture_write(b->x, do_delete_tenant, b), 0);
    assert_false(registry_has_tenant(b->registry, b->x->tenant.id));
}

static void pipelines_follow_too(void **state)
{
    struct beside *b = *state;

    creates_pipeline(b, "web");
    assert_int_equal(pipelines_count(realm_of(b)->pipelines), 1);
    b->fails = true;
    assert_int_equal(fixture_write(b->x, do_delete_pipeline, b), -1);
    assert_int_equal(pipelines_count(realm_of(b)->pipelines), 1);
    b->fails = false;
    assert_int_equal(fixture_write(b->x, do_delete_pipeline, b), 0);
    assert_int_equal(pipelines_count(realm_of(b)->pipelines), 0);
}

static struct pipeline draft(struct beside *b, const char *name)
{
    struct pipeline_spec spec = {.type = AGENT_ALLOY, .contents = STR(CONTENTS)};
    struct pipeline p = {.tenant = b->x->tenant.id, .name = str_of(name), .enabled = true};

    assert_int_equal(pipeline_spec_encode(b->x->arena, &spec, &p.body, &b->x->fail), 0);
    return p;
}

static int do_several(struct store_tx *tx, void *arg, struct fail *f)
{
    struct beside *b = arg;
    struct pipeline all[] = {draft(b, "a"), draft(b, "b"), draft(b, "c")};

    for (size_t i = 0; i < 2; i++) {
        if (pipeline_create(tx, b->registry, NULL, &all[i], f) < 0)
            return -1;
    }
    if (pipeline_delete(tx, b->registry, NULL, all[0].tenant, all[0].id, 0, f) < 0 ||
        do_report(tx, b, f) < 0 || pipeline_create(tx, b->registry, NULL, &all[2], f) < 0)
        return -1;
    return after(b, 0, f);
}

static void all_changes_of_a_job_show_in_their_order(void **state)
{
    struct beside *b = *state;
    struct agent got;

    b->call = agent_registration(b->x, "a", "name", AGENT_ATTRIBUTES(b->x, "env=prod"));
    b->fails = true;
    assert_int_equal(fixture_write(b->x, do_several, b), -1);
    assert_int_equal(pipelines_count(realm_of(b)->pipelines), 0);
    b->fails = false;
    assert_int_equal(fixture_write(b->x, do_several, b), 0);
    assert_int_equal(pipelines_count(realm_of(b)->pipelines), 2);
    assert_true(knows(b, "a", &got));
}

/* Tells of a change and then writes over all that it told of. */
static int do_scribble(struct store_tx *tx, void *arg, struct fail *f)
{
    struct beside *b = arg;
    char text[] = "id-name-key-value";
    struct label pair = {str_make(text + 8, 3), str_make(text + 12, 5)};
    struct agent agent = {
        .row = {.tenant = b->x->tenant.id,
                .id = 99,
                .ext_id = str_make(text, 2),
                .name = str_make(text + 3, 4),
                .revision = 1},
        .type = AGENT_ALLOY,
        .local = {&pair, 1},
        .remote = {&pair, 1},
        .extras = &pair,
        .extra_count = 1,
    };

    (void)f;
    registry_agent_changed(b->registry, tx, &agent);
    memset(text, 'x', sizeof(text));
    pair = (struct label){STR("lost"), STR("lost")};
    return 0;
}

static void what_a_job_told_of_may_vanish_before_its_commit(void **state)
{
    struct beside *b = *state;
    struct label want = {STR("key"), STR("value")};
    struct agent got;

    assert_int_equal(fixture_write(b->x, do_scribble, b), 0);
    assert_true(knows(b, "id", &got));
    assert_true(str_eq(got.row.name, STR("name")));
    agent_assert_attributes(&got.local, (struct attributes){&want, 1});
    agent_assert_attributes(&got.remote, (struct attributes){&want, 1});
    assert_int_equal(got.extra_count, 1);
    assert_true(str_eq(got.extras[0].value, want.value));
}

static void what_is_left_of_a_deleted_tenant_is_empty(void **state)
{
    struct beside *b = *state;
    struct realm *realm = realm_of(b);
    struct tenant first = b->x->tenant;
    struct tenant second = {0};
    struct agent got;

    registers(b, "kept", AGENT_ATTRIBUTES(b->x, "env=prod"));
    assert_int_equal(fixture_write(b->x, do_create_tenant, &second), 0);
    b->x->tenant = second;
    registers(b, "gone", AGENT_ATTRIBUTES(b->x, "env=prod"));
    creates_pipeline(b, "gone");
    assert_ptr_not_equal(realm_of(b), realm);
    assert_int_equal(fixture_write(b->x, do_delete_tenant, b), 0);
    assert_int_equal(agents_count(realm_of(b)->agents), 0);
    assert_int_equal(pipelines_count(realm_of(b)->pipelines), 0);
    assert_false(knows(b, "gone", &got));
    b->x->tenant = first;
    assert_true(knows(b, "kept", &got));
}

/* --- loading --- */

static void check_against_a_new_one(struct beside *b)
{
    struct registry *again = new_registry(b->x, NULL);
    struct agents *loaded = registry_realm(again, b->x->tenant.id)->agents;

    assert_int_equal(agents_count(loaded), agents_count(realm_of(b)->agents));
    assert_int_equal(pipelines_count(registry_realm(again, b->x->tenant.id)->pipelines),
                     pipelines_count(realm_of(b)->pipelines));
    for (int n = 0; n < AGENTS; n++) {
        const char *id = arena_cstr(b->x->arena, arena_printf(b->x->arena, "agent-%d", n));
        struct agent want = {0};
        struct agent got;
        bool known = agents_get(loaded, b->x->arena, str_of(id), &want);

        assert_int_equal(knows(b, id, &got), known);
        if (known)
            assert_same_agent(&got, &want);
    }
    registry_free(&again);
}

static uint64_t roll(uint64_t *state, uint64_t sides)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 33) % sides;
}

static void change_something(struct beside *b, uint64_t *dice)
{
    static const char *const said[] = {"env=prod", "env=test", "os=linux", "zone=a"};
    static const char *const errors[] = {"", "it broke", "it broke again"};
    struct arena *a = b->x->arena;
    const char *id = arena_cstr(a, arena_printf(a, "agent-%d", (int)roll(dice, AGENTS)));
    struct agent agent;

    clock_advance(b->x->clock, SECOND);
    b->fails = roll(dice, 5) == 0;
    b->call =
        agent_registration(b->x, id, roll(dice, 2) ? "one name" : "another",
                           AGENT_ATTRIBUTES(b->x, said[roll(dice, 2)], said[2 + roll(dice, 2)]));
    switch (roll(dice, 6)) {
    case 0: IGNORE(fixture_write(b->x, do_delete, b)); break;
    case 1:
        if (!knows(b, id, &agent))
            break;
        agent = agent_read(b->x, id);
        agent.enabled = roll(dice, 2);
        agent.remote = AGENT_ATTRIBUTES(b->x, said[roll(dice, COUNTOF(said))]);
        agent.profile.category = roll(dice, 3) ? STR("") : (struct str){NULL, 0};
        agent.profile.cutoff_ms = (int64_t)roll(dice, 2);
        agent.ephemeral = roll(dice, 2);
        agent.target_cpu = (int32_t)roll(dice, 3);
        agent.sources_local = roll(dice, 2);
        b->call.agent = agent;
        IGNORE(fixture_write(b->x, do_update, b));
        break;
    case 2:
        b->call.report.has_status = true;
        b->call.report.status = (enum agent_status)roll(dice, 4);
        b->call.report.status_error = str_of(errors[roll(dice, COUNTOF(errors))]);
        IGNORE(fixture_write(b->x, do_report, b));
        break;
    default: IGNORE(fixture_write(b->x, do_report, b)); break;
    }
}

static void memory_that_followed_equals_memory_that_is_loaded(void **state)
{
    struct beside *b = *state;

    creates_pipeline(b, "web");
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t dice = seed;

        for (int i = 0; i < STEPS; i++)
            change_something(b, &dice);
        check_against_a_new_one(b);
    }
    assert_true(agents_count(realm_of(b)->agents) > 0);
}

static void loaded_agents_are_answered_from_memory(void **state)
{
    struct beside *b = *state;
    struct registry *again;
    struct str *ids;
    size_t count;

    registers(b, "a", AGENT_ATTRIBUTES(b->x, "env=prod"));
    creates_pipeline(b, "web");
    creates_pipeline(b, "more");
    again = new_registry(b->x, NULL);

    struct realm *realm = registry_realm(again, b->x->tenant.id);
    struct label said = {STR("env"), STR("prod")};
    struct label unsaid = {STR("env"), STR("test")};

    assert_int_equal(pipelines_count(realm->pipelines), 2);
    assert_true(agents_is_registered(realm->agents, STR("a"), STR("name"), &said, 1, 1));
    assert_false(agents_is_registered(realm->agents, STR("a"), STR("name"), &unsaid, 1, 1));
    agents_select(realm->agents, b->x->arena, NULL, 0, &ids, &count);
    assert_int_equal(count, 1);
    registry_free(&again);
}

static void every_tenant_has_a_realm_of_its_own_in_order(void **state)
{
    struct beside *b = *state;
    struct realm *realm = NULL;
    struct realm *realms[TENANTS];
    uint64_t above = 1000;

    for (uint64_t i = 0; i < TENANTS; i++)
        realms[i] = registry_realm(b->registry, 1000 + (i * 7919 % TENANTS + 1) * 1000003);
    for (uint64_t i = 0; i < TENANTS; i++)
        assert_ptr_equal(registry_realm(b->registry, realms[i]->tenant), realms[i]);
    for (uint64_t i = 1; i <= TENANTS; i++) {
        assert_true(registry_next(b->registry, above, &realm));
        assert_int_equal(realm->tenant, 1000 + i * 1000003);
        above = realm->tenant;
    }
    assert_false(registry_next(b->registry, above, &realm));
    assert_false(registry_next(b->registry, UINT64_MAX, &realm));
}

/* --- watchers --- */

struct watching {
    struct registry_watcher watcher;
    struct registry *registry;
    struct buf told;
};

static void write_down(struct registry_watcher *watcher, uint64_t tenant, struct str id,
                       bool deleted)
{
    struct watching *w = CONTAINER_OF(watcher, struct watching, watcher);
    struct arena *a = arena_new(1024);
    struct agent got = {0};

    /* Memory has it already. */
    assert_int_equal(agents_get(registry_realm(w->registry, tenant)->agents, a, id, &got),
                     !deleted);
    arena_free(&a);
    buf_put_str(&w->told, deleted ? STR("-") : STR("+"));
    buf_put_str(&w->told, id);
}

static void watchers_are_told_of_what_is_durable(void **state)
{
    struct beside *b = *state;
    struct watching w[2] = {0};

    for (size_t i = 0; i < COUNTOF(w); i++) {
        w[i].watcher.fn = write_down;
        w[i].registry = b->registry;
        buf_init(&w[i].told, 1000);
        registry_watch(b->registry, &w[i].watcher);
    }
    registers(b, "a", AGENT_ATTRIBUTES(b->x, "env=prod"));
    registers(b, "a", AGENT_ATTRIBUTES(b->x, "env=prod")); /* nothing new */
    registry_unwatch(b->registry, &w[1].watcher);
    registry_unwatch(b->registry, &w[1].watcher);
    b->fails = true;
    assert_int_equal(fixture_write(b->x, do_delete, b), -1);
    b->fails = false;
    assert_int_equal(fixture_write(b->x, do_delete, b), 0);
    assert_int_equal(fixture_write(b->x, do_delete_tenant, b), 0); /* told as a whole */
    registry_unwatch(b->registry, &w[0].watcher);
    assert_true(str_eq(buf_str(&w[0].told), STR("+a-a-")));
    assert_true(str_eq(buf_str(&w[1].told), STR("+a")));
    for (size_t i = 0; i < COUNTOF(w); i++)
        buf_done(&w[i].told);
}

/* --- housekeeping --- */

static void liveness_is_written_behind(void **state)
{
    struct beside *b = *state;
    struct agent before;

    registers(b, "a", AGENT_ATTRIBUTES(b->x, "env=prod"));
    registers(b, "b", AGENT_ATTRIBUTES(b->x, "env=prod"));
    before = agent_read(b->x, "a");
    assert_true(agents_touch(realm_of(b)->agents, STR("a"), FIXTURE_START_US + 5 * SECOND));
    assert_int_equal(agent_read(b->x, "a").row.last_seen_us, FIXTURE_START_US);
    assert_int_equal(registry_flush_seen(b->registry, &b->x->fail), 0);

    struct agent row = agent_read(b->x, "a");

    assert_int_equal(row.row.last_seen_us, FIXTURE_START_US + 5 * SECOND);
    assert_int_equal(row.row.revision, before.row.revision);
    assert_int_equal(row.row.updated_us, before.row.updated_us);
    assert_int_equal(agent_read(b->x, "b").row.last_seen_us, FIXTURE_START_US);
}

static void liveness_that_cannot_be_written_is_written_the_next_time(void **state)
{
    struct beside *b = *state;
    struct fault *fault = fault_new(&sqlite_driver);

    registry_free(&b->registry);
    store_close(&b->x->store);
    b->x->options.driver = fault_driver(fault);
    assert_int_equal(fixture_open(b->x), 0);
    b->registry = new_registry(b->x, NULL);
    registers(b, "a", AGENT_ATTRIBUTES(b->x, "env=prod"));
    assert_true(agents_touch(realm_of(b)->agents, STR("a"), FIXTURE_START_US + 5 * SECOND));

    fault_set_always(fault, SQL_CLASS_FULL);
    assert_int_equal(registry_flush_seen(b->registry, &b->x->fail), -1);
    fault_set(fault, 0, SQL_CLASS_OK);
    assert_int_equal(agent_read(b->x, "a").row.last_seen_us, FIXTURE_START_US);
    assert_int_equal(registry_flush_seen(b->registry, &b->x->fail), 0);
    assert_int_equal(agent_read(b->x, "a").row.last_seen_us, FIXTURE_START_US + 5 * SECOND);

    registry_free(&b->registry);
    store_close(&b->x->store);
    fault_free(&fault);
    b->x->options.driver = NULL;
    assert_int_equal(fixture_open(b->x), 0);
}

static void only_agents_that_are_silent_expire(void **state)
{
    struct beside *b = *state;
    struct agent got;
    size_t gone = 7;

    registers(b, "silent", AGENT_ATTRIBUTES(b->x, "env=prod"));
    registers(b, "alive", AGENT_ATTRIBUTES(b->x, "env=prod"));
    assert_true(agents_touch(realm_of(b)->agents, STR("alive"), FIXTURE_START_US + 9 * SECOND));
    assert_int_equal(registry_expire(b->registry, FIXTURE_START_US, &gone, &b->x->fail), 0);
    assert_int_equal(gone, 0);
    assert_int_equal(
        registry_expire(b->registry, FIXTURE_START_US + 5 * SECOND, &gone, &b->x->fail), 0);
    assert_int_equal(gone, 1);
    assert_false(knows(b, "silent", &got));
    assert_int_equal(agent_find(b->x, "silent", &got), -1);
    assert_true(knows(b, "alive", &got)); /* though its row is as old */
    assert_int_equal(agent_find(b->x, "alive", &got), 0);
}

/* More than one job takes, and all of them before the one that has a row. */
static void agents_without_a_row_do_not_keep_others_from_expiring(void **state)
{
    struct beside *b = *state;
    size_t gone = 0;

    for (int i = 0; i < MORE_THAN_A_JOB; i++) {
        struct agent lost = {
            .row = {.tenant = b->x->tenant.id, .id = 1000000 + i, .revision = 1},
            .registered = true,
        };

        lost.row.ext_id = arena_printf(b->x->arena, "lost-%d", i);
        agents_put(realm_of(b)->agents, &lost);
    }
    registers(b, "silent", AGENT_ATTRIBUTES(b->x, "env=prod"));
    assert_int_equal(
        registry_expire(b->registry, FIXTURE_START_US + 5 * SECOND, &gone, &b->x->fail), 0);
    assert_int_equal(gone, MORE_THAN_A_JOB + 1);
    assert_int_equal(agents_count(realm_of(b)->agents), 0);
}

/* --- ephemeral ones, and what hangs on agents --- */

static void becomes_ephemeral(struct beside *b, const char *id)
{
    registers(b, id, AGENT_ATTRIBUTES(b->x, "env=prod"));
    b->call.agent = agent_read(b->x, id);
    b->call.agent.ephemeral = true;
    assert_int_equal(fixture_write(b->x, do_update, b), 0);
}

static size_t expires(struct beside *b, int64_t before_us)
{
    size_t gone = 7;

    assert_int_equal(registry_expire_ephemeral(b->registry, before_us, &gone, &b->x->fail), 0);
    return gone;
}

static void only_ephemeral_agents_that_are_silent_expire(void **state)
{
    struct beside *b = *state;
    struct agent got;

    becomes_ephemeral(b, "silent");
    becomes_ephemeral(b, "alive");
    registers(b, "durable", AGENT_ATTRIBUTES(b->x, "env=prod"));
    assert_true(agents_touch(realm_of(b)->agents, STR("alive"), FIXTURE_START_US + 9 * SECOND));
    assert_int_equal(expires(b, FIXTURE_START_US), 0);
    assert_int_equal(expires(b, FIXTURE_START_US + 5 * SECOND), 1);
    assert_false(knows(b, "silent", &got));
    assert_int_equal(agent_find(b->x, "silent", &got), -1);
    assert_true(knows(b, "alive", &got));
    assert_true(knows(b, "durable", &got));
    assert_int_equal(expires(b, FIXTURE_START_US + 10 * SECOND), 1);
    assert_false(knows(b, "alive", &got));
    assert_true(knows(b, "durable", &got));
}

static int do_fill(struct store_tx *tx, void *arg, struct fail *f)
{
    struct beside *b = arg;

    for (int i = 0; i < MORE_THAN_A_JOB; i++) {
        struct agent agent = {.row = {.tenant = b->x->tenant.id}, .ephemeral = true};

        if (agent_create(tx, b->registry, NULL, &agent, f) < 0)
            return -1;
    }
    return 0;
}

static void many_expire_in_several_jobs(void **state)
{
    struct beside *b = *state;

    assert_int_equal(fixture_write(b->x, do_fill, b), 0);
    assert_int_equal(expires(b, FIXTURE_START_US + 1), MORE_THAN_A_JOB);
    assert_int_equal(agents_count(realm_of(b)->agents), 0);
}

struct hanging {
    uint64_t tenant;
    int64_t number;
    bool fails;
    size_t calls;
};

static int drop(void *arg, struct store_tx *tx, uint64_t tenant, int64_t number, struct fail *f)
{
    struct hanging *h = arg;
    struct collector row;

    h->tenant = tenant;
    h->number = number;
    h->calls++;
    if (store_collector_get(tx, tenant, number, &row, f) < 0) /* it is called before */
        return -1;
    return h->fails ? fail_set(f, CODE_ABORTED, "not today") : 0;
}

static void what_hangs_on_an_agent_is_dropped_by_whoever_deletes_it(void **state)
{
    struct beside *b = *state;
    struct hanging h = {0};
    struct agent got;

    registry_on_delete(b->registry, drop, NULL, &h);
    registers(b, "a", AGENT_ATTRIBUTES(b->x, "env=prod"));
    assert_true(knows(b, "a", &got));
    h.fails = true;
    assert_int_equal(fixture_write(b->x, do_delete, b), -1);
    assert_int_equal(b->x->fail.code, CODE_ABORTED);
    assert_int_equal(agent_find(b->x, "a", &got), 0);
    h.fails = false;
    assert_int_equal(fixture_write(b->x, do_delete, b), 0);
    assert_int_equal(h.tenant, b->x->tenant.id);
    assert_int_equal(h.number, got.row.id);
    becomes_ephemeral(b, "b");
    h.calls = 0;
    assert_int_equal(expires(b, FIXTURE_START_US + 1), 1);
    assert_int_equal(h.calls, 1);
}

static bool shows(struct metrics *m, const char *line)
{
    struct buf out;
    bool found;

    buf_init(&out, 1 << 20);
    metrics_render(m, &out);
    found = memmem(out.data, out.len, line, strlen(line)) != NULL;
    buf_done(&out);
    return found;
}

static void metrics_tell_of_agents_pipelines_and_polls(void **state)
{
    struct beside *b = *state;
    struct metrics *m = metrics_new();
    char hash[64] = {0};

    registry_free(&b->registry);
    b->registry = new_registry(b->x, m);
    registers(b, "a", AGENT_ATTRIBUTES(b->x, "env=prod"));
    creates_pipeline(b, "web");

    struct poll poll = {.id = STR("nobody"), .hash = STR("")};

    assert_int_equal(agents_poll(realm_of(b)->agents, realm_of(b)->pipelines, &poll, hash),
                     POLL_SLOW);
    for (int i = 0; i < 2; i++) { /* rendering counts nothing */
        assert_true(shows(m, "\nmuster_agents 1\n"));
        assert_true(shows(m, "\nmuster_agents_active 1\n"));
        assert_true(shows(m, "\nmuster_pipelines 1\n"));
        assert_true(shows(m, "\nmuster_agent_polls_total{outcome=\"slow\"} 1\n"));
        assert_true(shows(m, "\nmuster_agent_polls_total{outcome=\"unchanged\"} 0\n"));
    }
    clock_advance(b->x->clock, 61 * SECOND);
    assert_true(shows(m, "\nmuster_agents_active 0\n"));
    registry_free(&b->registry);
    metrics_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(agent_shows_in_memory_when_its_row_is_durable),
        TEST(agent_that_is_rolled_back_never_shows),
        TEST(deletion_shows_only_when_it_is_durable),
        TEST(agents_of_one_batch_are_counted_together),
        TEST(what_a_transaction_makes_and_removes_is_counted_at_once),
        TEST(tenants_are_known_when_they_are_durable),
        TEST(pipelines_follow_too),
        TEST(all_changes_of_a_job_show_in_their_order),
        TEST(what_a_job_told_of_may_vanish_before_its_commit),
        TEST(what_is_left_of_a_deleted_tenant_is_empty),
        TEST(memory_that_followed_equals_memory_that_is_loaded),
        TEST(loaded_agents_are_answered_from_memory),
        TEST(every_tenant_has_a_realm_of_its_own_in_order),
        TEST(watchers_are_told_of_what_is_durable),
        TEST(liveness_is_written_behind),
        TEST(liveness_that_cannot_be_written_is_written_the_next_time),
        TEST(only_agents_that_are_silent_expire),
        TEST(agents_without_a_row_do_not_keep_others_from_expiring),
        TEST(only_ephemeral_agents_that_are_silent_expire),
        TEST(many_expire_in_several_jobs),
        TEST(what_hangs_on_an_agent_is_dropped_by_whoever_deletes_it),
        TEST(metrics_tell_of_agents_pipelines_and_polls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
