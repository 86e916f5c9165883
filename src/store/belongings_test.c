/* SPDX-License-Identifier: Apache-2.0 */
/* What hangs on an agent goes with it, on a real store: its credentials, its inlets, its upgrade.
 */
#include "store/fixture.h"

#include "core/belongings.h"
#include "core/enroll.h"
#include "core/registry.h"

static const struct master_key master = {{3, 1, 4}};

struct beside {
    struct fixture *x;
    struct keyring *ring;
    struct inlets *inlets;
    struct registry *registry;
    struct belongings belongings;
    struct agent agent;
    struct enroll_credential credential;
    bool fails; /* the deletion, after it has done its work */
};

static void set_up(struct beside *b, void **state)
{
    *b = (struct beside){.x = *state};
    b->ring = keyring_new(b->x->clock, &master);
    b->inlets = inlets_new();
    b->registry =
        registry_new(&(struct registry_options){.store = b->x->store, .clock = b->x->clock});
    b->belongings = (struct belongings){.keyring = b->ring, .inlets = b->inlets};
    registry_on_delete(b->registry, belongings_drop, belongings_drop_all, &b->belongings);
    assert_int_equal(registry_load(b->registry, &b->x->fail), 0);
}

static void tear_down(struct beside *b)
{
    fixture_assert_clean(b->x);
    registry_free(&b->registry);
    inlets_free(&b->inlets);
    keyring_free(&b->ring);
}

static int do_enroll(struct store_tx *tx, void *arg, struct fail *f)
{
    struct beside *b = arg;

    b->agent = (struct agent){.row = {.tenant = b->x->tenant.id}, .registered = true};
    return agent_create(tx, b->registry, NULL, &b->agent, f) < 0
               ? -1
               : enroll_credential_new(tx, NULL, &master, b->ring, b->x->tenant.id, b->agent.row.id,
                                       &b->credential, f);
}

static int do_delete(struct store_tx *tx, void *arg, struct fail *f)
{
    struct beside *b = arg;

    if (agent_delete(tx, b->registry, NULL, b->x->tenant.id, b->agent.row.ext_id, f) < 0)
        return -1;
    return b->fails ? fail_set(f, CODE_ABORTED, "not today") : 0;
}

static bool has_inlet(struct beside *b)
{
    struct inlet_ref *r = inlets_find(b->inlets, STR("a-code"));
    bool has = r != NULL;

    inlet_unref(&r);
    return has;
}

static void enrolls(struct beside *b)
{
    struct inlet in = {.tenant = b->x->tenant.id, .source = 99, .code = STR("a-code")};

    assert_int_equal(fixture_write(b->x, do_enroll, b), 0);
    in.collector = b->agent.row.id;
    inlets_put(b->inlets, &in);
}

static void credentials_and_inlets_go_with_the_agent(void **state)
{
    struct beside b;

    set_up(&b, state);
    enrolls(&b);
    assert_true(keyring_is_live(b.ring, b.credential.id));
    assert_true(has_inlet(&b));
    assert_int_equal(fixture_write(b.x, do_delete, &b), 0);
    assert_false(keyring_is_live(b.ring, b.credential.id));
    assert_false(has_inlet(&b));
    tear_down(&b);
}

static int do_delete_tenant(struct store_tx *tx, void *arg, struct fail *f)
{
    struct beside *b = arg;

    if (store_tenant_close(tx, b->x->tenant.id, f) < 0)
        return -1;
    registry_tenant_deleted(b->registry, tx, b->x->tenant.id);
    return b->fails ? fail_set(f, CODE_ABORTED, "not today") : 0;
}

static void inlets_go_with_the_tenant_whatever_they_belong_to(void **state)
{
    struct beside b;
    struct inlet other = {.source = 100, .collector = 7, .code = STR("another")};
    struct inlet_ref *r;

    set_up(&b, state);
    enrolls(&b);
    other.tenant = b.x->tenant.id + 1;
    inlets_put(b.inlets, &other);
    b.fails = true;
    assert_int_equal(fixture_write(b.x, do_delete_tenant, &b), -1);
    assert_true(has_inlet(&b));
    b.fails = false;
    assert_int_equal(fixture_write(b.x, do_delete_tenant, &b), 0);
    assert_false(has_inlet(&b));
    r = inlets_find(b.inlets, other.code);
    assert_non_null(r);
    inlet_unref(&r);
    tear_down(&b);
}

static void nothing_goes_with_an_agent_that_stays(void **state)
{
    struct beside b;

    set_up(&b, state);
    enrolls(&b);
    b.fails = true;
    assert_int_equal(fixture_write(b.x, do_delete, &b), -1);
    assert_true(keyring_is_live(b.ring, b.credential.id));
    assert_true(has_inlet(&b));
    tear_down(&b);
}

static void ephemeral_agents_leave_nothing_behind(void **state)
{
    struct beside b;
    struct keyring *again;
    size_t gone = 0;

    set_up(&b, state);
    enrolls(&b);
    b.agent.ephemeral = true;
    b.fails = false;
    agents_put(registry_realm(b.registry, b.x->tenant.id)->agents, &b.agent);
    assert_int_equal(registry_expire_ephemeral(b.registry, FIXTURE_START_US + 1, &gone, &b.x->fail),
                     0);
    assert_int_equal(gone, 1);
    assert_false(keyring_is_live(b.ring, b.credential.id));

    /* Nor in the store. */
    again = keyring_new(b.x->clock, &master);
    assert_int_equal(keyring_load(again, b.x->store, &b.x->fail), 0);
    assert_false(keyring_is_live(again, b.credential.id));
    keyring_free(&again);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(credentials_and_inlets_go_with_the_agent),
        FIXTURE_TEST(inlets_go_with_the_tenant_whatever_they_belong_to),
        FIXTURE_TEST(nothing_goes_with_an_agent_that_stays),
        FIXTURE_TEST(ephemeral_agents_leave_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
