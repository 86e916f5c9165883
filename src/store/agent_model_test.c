/* SPDX-License-Identifier: Apache-2.0 */
/* Random lives of a few agents, on a real store and in a model that is as simple as can be: after
 * every step the row says what the model says, no step that changes nothing leaves an event or a
 * revision, and at the end each text is there once for those who refer to it. */
#include "store/agent_fixture.h"

#define IDS   6
#define STEPS 1500

/* Values are small numbers; 0 stands for absent or empty. */
struct model {
    bool exists;
    bool registered;
    bool enabled;
    enum agent_type type;
    unsigned name;
    unsigned local;
    unsigned remote;
    bool has_status;
    enum agent_status status;
    unsigned error;
    unsigned effective;
    int64_t inactive_us;
    int64_t status_us;
    int64_t updated_us;
    int64_t revision;
};

struct world {
    struct fixture *x;
    struct model agents[IDS];
    size_t events;
    uint64_t seed;
};

static unsigned below(struct world *w, unsigned bound)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->seed >> 33) % bound;
}

static struct str id_of(size_t i)
{
    static const char *const ids[IDS] = {"a", "b", "c", "d", "e", "\xe2\x82\xac"};

    return str_of(ids[i]);
}

/* A text that the number stands for. */
static struct str text(struct world *w, const char *kind, unsigned n)
{
    return n ? arena_printf(w->x->arena, "%s %u", kind, n) : STR("");
}

/* The bits of the number say which of three there are; not in order. */
static struct attributes attributes(struct world *w, const char *value, unsigned n)
{
    static const char *const keys[] = {"m", "z", "a"};
    struct attributes all = {arena_new_array(w->x->arena, struct label, 3), 0};

    for (size_t i = 0; i < COUNTOF(keys); i++) {
        if (n & 1u << i)
            all.items[all.count++] = (struct label){str_of(keys[i]), str_of(value)};
    }
    return all;
}

static void check_agent(struct world *w, size_t i)
{
    const struct model *m = &w->agents[i];
    struct fixture *x = w->x;
    struct store_tx *tx = fixture_read(x);
    struct agent a = {0};
    struct str error;
    struct str effective;

    if (!m->exists) {
        assert_int_equal(agent_get(tx, x->tenant.id, id_of(i), &a, &x->fail), -1);
        assert_int_equal(x->fail.code, CODE_NOT_FOUND);
        store_read_close(&tx);
        return;
    }
    assert_int_equal(agent_get(tx, x->tenant.id, id_of(i), &a, &x->fail), 0);
    assert_int_equal(agent_text(tx, x->tenant.id, &a.status_error, &error, &x->fail), 0);
    assert_int_equal(agent_text(tx, x->tenant.id, &a.effective_config, &effective, &x->fail), 0);
    store_read_close(&tx);
    assert_int_equal(a.registered, m->registered);
    assert_int_equal(a.enabled, m->enabled);
    assert_int_equal(a.type, m->type);
    assert_true(str_eq(a.row.name, text(w, "name", m->name)));
    agent_assert_attributes(&a.local, attributes(w, "said", m->local));
    agent_assert_attributes(&a.remote, attributes(w, "put", m->remote));
    assert_int_equal(a.has_status, m->has_status);
    assert_int_equal(a.status, m->status);
    assert_int_equal(a.status_us, m->status_us);
    assert_true(str_eq(error, text(w, "error", m->error)));
    assert_true(str_eq(effective, text(w, "effective", m->effective)));
    assert_int_equal(a.inactive_us, m->inactive_us);
    assert_int_equal(a.row.updated_us, m->updated_us);
    assert_int_equal(a.row.revision, m->revision);
}

/* One more write of the row, with its event. */
static void wrote(struct world *w, struct model *m, bool content)
{
    w->events++;
    m->revision++;
    if (content)
        m->updated_us = clock_wall_us(w->x->clock);
}

static struct agent_report random_report(struct world *w, size_t i, struct model *m)
{
    struct agent_report r = {.id = id_of(i)};

    *m = (struct model){0};
    if ((r.has_local = below(w, 2))) {
        m->local = below(w, 8);
        r.local = attributes(w, "said", m->local);
    }
    if ((r.has_name = below(w, 2))) {
        m->name = below(w, 3);
        r.name = text(w, "name", m->name);
    }
    if ((r.has_status = below(w, 2))) {
        m->status = (enum agent_status)below(w, 4);
        m->error = m->status == AGENT_STATUS_FAILED ? below(w, 4) : 0;
        r.status = m->status;
        r.status_error = text(w, "error", m->error);
    }
    if ((r.has_effective_config = below(w, 2))) {
        m->effective = below(w, 4);
        r.effective_config = text(w, "effective", m->effective);
        if (below(w, 2))
            r.effective_config_ref = text_ref_of(r.effective_config);
    }
    r.type = (enum agent_type)below(w, 3);
    r.returns = below(w, 2);
    return r;
}

/* Returns whether the row has to be written. */
static bool model_report(struct world *w, struct model *m, const struct agent_report *r,
                         const struct model *said)
{
    int64_t now = clock_wall_us(w->x->clock);
    bool content = !m->exists || (r->has_local && said->local != m->local) ||
                   (r->has_name && said->name != m->name);
    bool status =
        r->has_status && (!m->has_status || said->status != m->status || said->error != m->error);
    bool effective = r->has_effective_config && said->effective != m->effective;
    bool returned = r->returns && m->inactive_us;
    bool changed = content || status || effective || returned || !m->registered;

    if (!m->exists)
        *m = (struct model){
            .exists = true, .enabled = true, .type = r->type ? r->type : AGENT_ALLOY};
    m->registered = true;
    if (r->has_local)
        m->local = said->local;
    if (r->has_name)
        m->name = said->name;
    if (r->has_status) {
        m->has_status = true;
        m->status = said->status;
        m->error = said->error;
        m->status_us = status ? now : m->status_us;
    }
    if (r->has_effective_config)
        m->effective = said->effective;
    if (returned)
        m->inactive_us = 0;
    if (changed)
        wrote(w, m, content);
    return changed;
}

static void step_report(struct world *w, size_t i, struct agent_call *c)
{
    struct model said;

    c->report = random_report(w, i, &said);
    assert_int_equal(fixture_write(w->x, agent_do_report, c), 0);
    assert_int_equal(c->changed, model_report(w, &w->agents[i], &c->report, &said));
}

static void step_create(struct world *w, size_t i, struct agent_call *c)
{
    struct model *m = &w->agents[i];
    struct model made = {.exists = true,
                         .enabled = below(w, 2),
                         .type = below(w, 2) ? AGENT_OTEL : AGENT_ALLOY,
                         .name = below(w, 3),
                         .remote = below(w, 8)};

    c->agent = (struct agent){
        .row = {.tenant = c->tenant, .ext_id = c->id, .name = text(w, "name", made.name)},
        .enabled = made.enabled,
        .type = made.type,
        .remote = attributes(w, "put", made.remote),
    };
    if (m->exists) {
        assert_int_equal(fixture_write(w->x, agent_do_create, c), -1);
        assert_string_equal(w->x->fail.reason, "id_taken");
        return;
    }
    assert_int_equal(fixture_write(w->x, agent_do_create, c), 0);
    *m = made;
    wrote(w, m, true);
}

static void step_update(struct world *w, size_t i, struct agent_call *c)
{
    struct model *m = &w->agents[i];
    struct model was = *m;

    if (!m->exists)
        return;
    c->agent = agent_read(w->x, arena_cstr(w->x->arena, c->id));
    if (below(w, 2))
        m->remote = below(w, 8);
    if (below(w, 4) == 0)
        m->name = below(w, 3);
    if (below(w, 4) == 0)
        m->enabled = !m->enabled;
    if (below(w, 8) == 0)
        m->type = AGENT_OTEL;
    c->agent.remote = attributes(w, "put", m->remote);
    c->agent.row.name = text(w, "name", m->name);
    c->agent.enabled = m->enabled;
    c->agent.type = m->type;
    assert_int_equal(fixture_write(w->x, agent_do_update, c), 0);
    if (was.remote != m->remote || was.name != m->name || was.enabled != m->enabled ||
        was.type != m->type)
        wrote(w, m, true);
}

static void step_leave(struct world *w, size_t i, struct agent_call *c)
{
    struct model *m = &w->agents[i];

    assert_int_equal(fixture_write(w->x, agent_do_leave, c), 0);
    if (m->exists && !m->inactive_us) {
        m->inactive_us = clock_wall_us(w->x->clock);
        wrote(w, m, false);
    }
}

static void step_delete(struct world *w, size_t i, struct agent_call *c)
{
    struct model *m = &w->agents[i];

    assert_int_equal(fixture_write(w->x, agent_do_delete, c), m->exists ? 0 : -1);
    w->events += m->exists;
    *m = (struct model){0};
}

static int report_delete_and_fail(struct store_tx *tx, void *arg, struct fail *f)
{
    IGNORE(agent_do_report(tx, arg, f));
    IGNORE(agent_do_delete(tx, arg, f));
    IGNORE(agent_do_report(tx, arg, f));
    return fail_set(f, CODE_ABORTED, "second thoughts");
}

/* Nothing of it may stay. */
static void step_undone(struct world *w, size_t i, struct agent_call *c)
{
    struct model ignored;

    c->report = random_report(w, i, &ignored);
    assert_int_equal(fixture_write(w->x, report_delete_and_fail, c), -1);
}

static void step(struct world *w)
{
    size_t i = below(w, IDS);
    struct agent_call c = {.tenant = w->x->tenant.id, .id = id_of(i)};
    unsigned what = below(w, 20);

    clock_advance(w->x->clock, 1000);
    if (what < 10)
        step_report(w, i, &c);
    else if (what < 12)
        step_create(w, i, &c);
    else if (what < 16)
        step_update(w, i, &c);
    else if (what < 17)
        step_leave(w, i, &c);
    else if (what < 18)
        step_delete(w, i, &c);
    else
        step_undone(w, i, &c);
    check_agent(w, i);
}

static void check_all(struct world *w)
{
    bool used[2][4] = {{false}};
    struct store_findings found;
    size_t events;
    int64_t texts = 0;
    int64_t agents = 0;

    for (size_t i = 0; i < IDS; i++) {
        check_agent(w, i);
        agents += w->agents[i].exists;
        used[0][w->agents[i].error] = true;
        used[1][w->agents[i].effective] = true;
    }
    for (size_t i = 1; i < 4; i++)
        texts += used[0][i] + used[1][i];
    agent_last_event(w->x, &events);
    assert_int_equal(events, w->events);
    fixture_assert_clean(w->x);
    assert_int_equal(store_check(w->x->store, w->x->arena, &found, &w->x->fail), 0);
    assert_int_equal(found.texts, texts);
    assert_int_equal(found.collectors, agents);
}

static void random_lives_are_what_the_model_says(void **state)
{
    struct world w = {.x = *state, .events = 1};

    for (uint64_t seed = 1; seed <= 4; seed++) {
        w.seed = seed;
        print_message("seed %llu\n", (unsigned long long)seed);
        for (int i = 0; i < STEPS; i++) {
            step(&w);
            if (i % 100 == 0)
                check_all(&w);
        }
        check_all(&w);
        store_close(&w.x->store);
        arena_reset(w.x->arena);
        assert_int_equal(fixture_open(w.x), 0);
        check_all(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(random_lives_are_what_the_model_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
