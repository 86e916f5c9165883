/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of agents on a real store: one transaction a call. */
#ifndef STORE_AGENT_FIXTURE_H
#define STORE_AGENT_FIXTURE_H

#include "store/fixture.h"

#include "core/agent.h"
#include "core/event.h"

/* What a call is about; also its outcome. */
struct agent_call {
    uint64_t tenant;
    struct str id;
    struct agent_report report;
    struct agent agent;
    bool changed;
};

static inline int agent_do_report(struct store_tx *tx, void *arg, struct fail *f)
{
    struct agent_call *c = arg;

    c->changed = false;
    return agent_report(tx, NULL, NULL, c->tenant, &c->report, &c->changed, f);
}

static inline int agent_do_create(struct store_tx *tx, void *arg, struct fail *f)
{
    return agent_create(tx, NULL, NULL, &((struct agent_call *)arg)->agent, f);
}

static inline int agent_do_update(struct store_tx *tx, void *arg, struct fail *f)
{
    return agent_update(tx, NULL, NULL, &((struct agent_call *)arg)->agent, f);
}

static inline int agent_do_delete(struct store_tx *tx, void *arg, struct fail *f)
{
    struct agent_call *c = arg;

    return agent_delete(tx, NULL, NULL, c->tenant, c->id, f);
}

static inline int agent_do_leave(struct store_tx *tx, void *arg, struct fail *f)
{
    struct agent_call *c = arg;

    return agent_leave(tx, NULL, NULL, c->tenant, c->id, f);
}

/* "env=prod" is {"env", "prod"}. */
static inline struct attributes agent_attributes(struct fixture *x, const char *const *pairs,
                                                 size_t count)
{
    struct attributes all = {arena_new_array(x->arena, struct label, count), count};

    for (size_t i = 0; i < count; i++) {
        struct str value = str_of(pairs[i]);

        all.items[i].key = str_cut(&value, '=');
        all.items[i].value = value;
    }
    return all;
}

#define AGENT_ATTRIBUTES(x, ...)                                                                   \
    agent_attributes((x), (const char *const[]){__VA_ARGS__},                                      \
                     COUNTOF(((const char *const[]){__VA_ARGS__})))

static inline struct agent_call agent_registration(struct fixture *x, const char *id,
                                                   const char *name, struct attributes local)
{
    return (struct agent_call){
        .tenant = x->tenant.id,
        .id = str_of(id),
        .report = {.id = str_of(id),
                   .has_local = true,
                   .local = local,
                   .has_name = true,
                   .name = str_of(name),
                   .returns = true},
    };
}

static inline int agent_find(struct fixture *x, const char *id, struct agent *out)
{
    struct store_tx *tx = fixture_read(x);
    int r = agent_get(tx, x->tenant.id, str_of(id), out, &x->fail);

    store_read_close(&tx);
    return r;
}

static inline struct agent agent_read(struct fixture *x, const char *id)
{
    struct agent a = {0};

    assert_int_equal(agent_find(x, id, &a), 0);
    return a;
}

/* Number and kind of the newest event. */
static inline const char *agent_last_event(struct fixture *x, size_t *count)
{
    struct store_tx *tx = fixture_read(x);
    struct event *rows;

    assert_int_equal(event_list(tx, x->tenant.id, 0, 100000, &rows, count, &x->fail), 0);
    store_read_close(&tx);
    return *count ? arena_cstr(x->arena, rows[*count - 1].kind) : "";
}

static inline void agent_assert_attributes(const struct attributes *got, struct attributes want)
{
    attributes_sort(&want);
    assert_int_equal(got->count, want.count);
    assert_true(attributes_equal(got, &want));
}

#endif
