/* SPDX-License-Identifier: Apache-2.0 */
/* The sweep: a scripted scenario is run with the first, second, third ... call of the driver
 * failing, until a run passes untouched. After each: nothing half-applied, nothing left open. */
#include "store/fixture.h"

#include "core/agent.h"
#include "core/event.h"
#include "core/key.h"
#include "core/pipeline.h"
#include "core/source.h"
#include "core/task.h"
#include "store/fault.h"

static const struct master_key master;

/* Everything of one job, or nothing. */
static int build(struct store_tx *tx, void *arg, struct fail *f)
{
    const struct tenant *t = arg;
    struct collector c = {
        .tenant = t->id, .kind = COLLECTOR_HOSTED, .name = STR("lake"), .unique_name = true};
    struct pipeline p = {.tenant = t->id, .name = STR("logs"), .enabled = true};
    struct key_new want = {.tenant = t->id, .role = ROLE_AGENT};
    struct key_secret secret;
    struct task task;
    struct key k;

    if (collector_create(tx, NULL, &c, f) < 0)
        return -1;

    struct source src = {.tenant = t->id, .collector = c.id, .name = STR("syslog")};

    if (source_create(tx, NULL, &src, f) < 0 || pipeline_create(tx, NULL, NULL, &p, f) < 0 ||
        key_create(tx, NULL, &master, &want, NULL, &secret, &k, f) < 0)
        return -1;
    c.name = STR("sea");
    if (collector_update(tx, NULL, &c, f) < 0 || pipeline_update(tx, NULL, NULL, &p, f) < 0)
        return -1;
    return task_create(
        tx, &(struct task_new){.tenant = t->id, .kind = STR("dig"), .max_attempts = 2}, &task, f);
}

/* An agent with two texts, one of which is exchanged for another. */
static int report(struct store_tx *tx, const struct tenant *t, struct fail *f)
{
    struct agent_report r = {
        .id = STR("a"),
        .has_status = true,
        .status = AGENT_STATUS_FAILED,
        .status_error = STR("line 1"),
        .has_effective_config = true,
        .effective_config = STR("logging"),
    };
    struct agent a = {0};

    if (agent_report(tx, NULL, NULL, t->id, &r, NULL, f) < 0)
        return -1;
    r.effective_config = STR("tracing");
    if (agent_report(tx, NULL, NULL, t->id, &r, NULL, f) < 0 ||
        agent_get(tx, t->id, r.id, &a, f) < 0)
        return -1;
    return store_collector_set_seen(tx, t->id, a.row.id, a.row.last_seen_us + 1, f);
}

static int work(struct store_tx *tx, void *arg, struct fail *f)
{
    static const struct str kinds[] = {STR_INIT("dig")};
    struct task *tasks;
    size_t count;

    if (report(tx, arg, f) < 0 ||
        task_claim(tx, kinds, 1, STR("me"), 1000, 10, &tasks, &count, f) < 0)
        return -1;
    return count == 1 ? task_finish(tx, &tasks[0], STR("dug"), f)
                      : fail_set(f, CODE_INTERNAL, "there is one task");
}

static int read_back(struct store *s, struct arena *a, const struct tenant *t, size_t *count,
                     struct fail *f)
{
    struct collector *rows;
    struct store_tx *tx;

    if (store_read_open(s, a, &tx, f) < 0)
        return -1;

    int r = collector_list(tx, t->id, &(struct collector_filter){0}, &rows, count, NULL, f);

    store_read_close(&tx);
    return r;
}

/* 0 when every step passed; *steps counts those that were acknowledged. */
static int scenario(struct fixture *x, struct store_options *o, int *steps)
{
    struct store *s = NULL;
    struct tenant t;
    struct fail f;
    size_t count;
    int r = -1;

    if (store_open(o, &s, &f) < 0)
        return -1;
    if (store_write(s, x->arena, fixture_first_tenant, &t, &f) == 0) {
        *steps = 1;
        if (store_write(s, x->arena, build, &t, &f) == 0) {
            *steps = 2;
            if (store_write(s, x->arena, work, &t, &f) == 0) {
                *steps = 3;
                r = read_back(s, x->arena, &t, &count, &f);
            }
        }
    }
    if (r == 0)
        r = store_backup(s, fixture_path(x, "backup.db"), &f);
    store_close(&s);
    return r;
}

/* What a plain driver finds afterwards fits what was acknowledged. */
static void assert_whole(struct fixture *x, const char *dir, int steps)
{
    struct store_options o = {.data_dir = dir, .clock = x->clock};
    struct store_findings found;
    struct store *s;

    assert_int_equal(store_open(&o, &s, &x->fail), 0);
    assert_int_equal(store_check(s, x->arena, &found, &x->fail), 0);
    assert_int_equal(found.count, 0);
    assert_int_equal(found.tenants, steps >= 1);
    assert_int_equal(found.keys, steps >= 2);
    assert_int_equal(found.collectors, (steps >= 2) + (steps >= 3));
    assert_int_equal(found.texts, steps >= 3 ? 2 : 0);
    assert_int_equal(found.sources, steps >= 2);
    assert_int_equal(found.pipelines, steps >= 2);
    assert_int_equal(found.tasks, steps >= 2);
    assert_int_equal(found.events, steps == 0 ? 0 : (steps == 1 ? 1 : (steps == 2 ? 7 : 9)));
    store_close(&s);
}

static void ignore_fatal(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

static void sweep(struct fixture *x, enum sql_class class)
{
    struct fault *fault = fault_new(&sqlite_driver);
    size_t k = 0;
    bool hit;

    do {
        char dir[128];
        int steps = 0;

        snprintf(dir, sizeof(dir), "%s/%zu", x->dir, k);

        struct store_options o = {
            .driver = fault_driver(fault),
            .data_dir = dir,
            .clock = x->clock,
            .fatal = ignore_fatal,
        };

        fault_set(fault, ++k, class);

        int r = scenario(x, &o, &steps);

        hit = fault_hit(fault);
        assert_int_equal(fault_open_handles(fault), 0);
        if (!hit)
            assert_int_equal(r, 0);
        assert_whole(x, dir, steps);
        folder_remove(dir);
        arena_reset(x->arena);
        assert_true(k < 1000);
    } while (hit);
    assert_true(k > 60);
    fault_free(&fault);
}

static void a_full_disk_at_any_call_leaves_nothing_half_done(void **state)
{
    sweep(*state, SQL_CLASS_FULL);
}

static void a_failed_sync_at_any_call_leaves_nothing_half_done(void **state)
{
    sweep(*state, SQL_CLASS_FATAL);
}

static void a_busy_database_at_any_call_leaves_nothing_half_done(void **state)
{
    sweep(*state, SQL_CLASS_BUSY);
}

static void a_refused_statement_at_any_call_leaves_nothing_half_done(void **state)
{
    sweep(*state, SQL_CLASS_OTHER);
}

static void damage_found_at_any_call_leaves_nothing_half_done(void **state)
{
    sweep(*state, SQL_CLASS_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_CLOSED_TEST(a_full_disk_at_any_call_leaves_nothing_half_done),
        FIXTURE_CLOSED_TEST(a_failed_sync_at_any_call_leaves_nothing_half_done),
        FIXTURE_CLOSED_TEST(a_busy_database_at_any_call_leaves_nothing_half_done),
        FIXTURE_CLOSED_TEST(a_refused_statement_at_any_call_leaves_nothing_half_done),
        FIXTURE_CLOSED_TEST(damage_found_at_any_call_leaves_nothing_half_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
