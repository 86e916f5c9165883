/* SPDX-License-Identifier: Apache-2.0 */
/* Tenants that are deleted: gone at once, while their rows go little by little, on a real store. */
#include "store/fixture.h"

#include "core/agent.h"
#include "core/collector.h"
#include "core/pipeline.h"
#include "core/source.h"
#include "core/task.h"

#define EACH 5 /* rows of every kind */

struct step {
    uint64_t tenant;
    size_t limit;
    size_t gone;
};

static int fill_once(struct store_tx *tx, uint64_t tenant, int i, struct fail *f)
{
    struct str name = arena_printf(store_tx_arena(tx), "%d", i);
    struct collector c = {.tenant = tenant, .kind = COLLECTOR_HOSTED, .name = name};
    struct pipeline p = {.tenant = tenant, .name = name};
    const struct task_new want = {.tenant = tenant, .kind = STR("k")};
    struct task t;

    if (collector_create(tx, NULL, &c, f) < 0 ||
        store_collector_set_seen(tx, tenant, c.id, 1000, f) < 0 ||
        store_text_hold(tx, tenant, text_ref_of(name).hash, name, f) < 0 ||
        pipeline_create(tx, NULL, NULL, &p, f) < 0 || task_create(tx, &want, &t, f) < 0)
        return -1;

    struct source s = {
        .tenant = tenant, .collector = c.id, .type = STR("Syslog"), .name = STR("s")};

    return source_create(tx, NULL, &s, f) < 0 ? -1 : store_setting_put(tx, tenant, name, name, f);
}

/* A tenant "acme" with rows in every table, deleted. */
static int make_and_delete(struct store_tx *tx, void *arg, struct fail *f)
{
    struct tenant t;

    if (tenant_create(tx, NULL, STR("acme"), &t, f) < 0)
        return -1;
    *(uint64_t *)arg = t.id;
    for (int i = 0; i < EACH; i++)
        if (fill_once(tx, t.id, i, f) < 0)
            return -1;
    return tenant_delete(tx, NULL, STR("acme"), NULL, f);
}

static int do_purge(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;

    return store_tenant_purge(tx, s->tenant, s->limit, &s->gone, f);
}

static void a_deleted_tenant_is_gone_before_its_rows_are(void **state)
{
    struct fixture *x = *state;
    struct tenant *list = NULL;
    struct tenant t;
    struct store_tx *tx;
    uint64_t first;
    uint64_t second;
    size_t n = 0;

    assert_int_equal(fixture_write(x, make_and_delete, &first), 0);
    tx = fixture_read(x);
    assert_int_equal(tenant_get(tx, STR("acme"), &t, &x->fail), -1);
    assert_int_equal(x->fail.code, CODE_NOT_FOUND);
    assert_int_equal(tenant_get_id(tx, first, &t, &x->fail), -1);
    assert_int_equal(tenant_list(tx, 0, 10, &list, &n, &x->fail), 0);
    assert_int_equal(n, 1);
    store_read_close(&tx);
    assert_int_equal(fixture_totals(x).tenants, 1);
    assert_int_equal(fixture_totals(x).collectors, EACH);

    /* The name is free, as often as somebody likes. */
    assert_int_equal(fixture_write(x, make_and_delete, &second), 0);
    assert_true(second > first);
    assert_int_equal(fixture_totals(x).collectors, 2 * EACH);
    assert_int_equal(tenant_sweep(x->store, SIZE_MAX, &x->fail), 0);
    assert_int_equal(fixture_totals(x).collectors, 0);
}

static void what_is_left_is_sound_after_each_step(void **state)
{
    struct fixture *x = *state;
    struct step s = {.limit = 3};
    struct store_findings left;
    size_t steps = 0;

    assert_int_equal(fixture_write(x, make_and_delete, &s.tenant), 0);
    do {
        assert_int_equal(fixture_write(x, do_purge, &s), 0);
        assert_true(s.gone <= s.limit);
        fixture_assert_clean(x);
        steps++;
        if (steps == 4) { /* a start in the middle goes on */
            store_close(&x->store);
            assert_int_equal(fixture_open(x), 0);
        }
    } while (s.gone == s.limit);
    assert_true(steps > EACH);
    left = fixture_totals(x);
    assert_int_equal(left.collectors + left.sources + left.pipelines + left.tasks + left.texts, 0);
    assert_int_equal(left.events, 3); /* of the tenant that operates the server */
}

static void nothing_is_swept_of_tenants_that_are_there(void **state)
{
    struct fixture *x = *state;
    struct step s = {.tenant = x->tenant.id, .limit = 1000};

    assert_int_equal(tenant_sweep(x->store, SIZE_MAX, &x->fail), 0);
    assert_int_equal(fixture_totals(x).tenants, 1);
    assert_int_equal(fixture_write(x, make_and_delete, &s.tenant), 0);
    assert_int_equal(tenant_sweep(x->store, 0, &x->fail), 0); /* no more jobs than allowed */
    assert_int_equal(fixture_totals(x).collectors, EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_deleted_tenant_is_gone_before_its_rows_are),
        FIXTURE_TEST(what_is_left_is_sound_after_each_step),
        FIXTURE_TEST(nothing_is_swept_of_tenants_that_are_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
