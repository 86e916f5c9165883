/* SPDX-License-Identifier: Apache-2.0 */
/* What the server does for itself, on a clock that only moves by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/folder_fixture.h"
#include "core/bootstrap.h"
#include "core/event.h"
#include "core/tenant.h"
#include "server/housekeeping.h"
#include "store/store_open.h"

#define DAY_US  INT64_C(86400000000)
#define HOUR_US INT64_C(3600000000)

struct home {
    char dir[64];
    struct arena *arena;
    struct clock *clock;
    struct store *store;
    struct master_key master;
    struct keyring *ring;
    struct registry *registry;
    uint64_t tenant;
    struct housekeeping *keeping;
    struct metrics *metrics;
    struct logger *logger;
    struct log log;
    struct scheduler *scheduler;

    pthread_mutex_t lock; /* guards the two below */
    pthread_cond_t changed;
    unsigned rounds; /* how often the job behind ours ran */
};

static int mark_round(void *arg, struct fail *f)
{
    struct home *h = arg;

    (void)f;
    pthread_mutex_lock(&h->lock);
    h->rounds++;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
    return 0;
}

/* Moves the clock, and waits until every job that became due has run. */
static void pass_time(struct home *h, int64_t us)
{
    pthread_mutex_lock(&h->lock);

    unsigned before = h->rounds;

    clock_advance(h->clock, us);
    while (h->rounds == before)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

static int set_up(void **state)
{
    struct home *h = test_calloc(1, sizeof(*h));
    struct store_options o = {0};
    struct fail f;
    bool created;

    snprintf(h->dir, sizeof(h->dir), "/tmp/muster-keeping-XXXXXX");
    if (!mkdtemp(h->dir))
        return -1;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
    h->arena = arena_new(4096);
    h->clock = clock_new_manual(INT64_C(1767225600000000), 1000000);
    h->metrics = metrics_new();
    h->logger = logger_new(STDERR_FILENO, LOGFORMAT_LOGFMT, LOGLEVEL_OFF, h->clock);
    h->log = (struct log){.out = h->logger};
    o.data_dir = h->dir;
    o.clock = h->clock;
    assert_int_equal(store_open(&o, &h->store, &f), 0);
    assert_int_equal(bootstrap(h->store, h->clock, h->dir, &h->master, &created, &f), 0);
    h->ring = keyring_new(h->clock, &h->master);
    assert_int_equal(keyring_load(h->ring, h->store, &f), 0);
    h->registry = registry_new(&(struct registry_options){
        .store = h->store, .clock = h->clock, .log = &h->log, .metrics = h->metrics});
    assert_int_equal(registry_load(h->registry, &f), 0);
    h->keeping = housekeeping_new(h->store, h->ring, h->registry, h->clock);
    *state = h;
    return 0;
}

static void start(struct home *h)
{
    struct fail f;
    const struct scheduler_options o = {
        .store = h->store,
        .clock = h->clock,
        .log = &h->log,
        .metrics = h->metrics,
        .owner = STR("test"),
        .poll_us = HOUR_US,
        .lease_us = HOUR_US,
        .claim_limit = 1,
    };

    h->scheduler = scheduler_new(&o);
    housekeeping_register(h->keeping, h->scheduler, HOUR_US, HOUR_US);
    scheduler_every(h->scheduler, "test.mark", HOUR_US, mark_round, h);
    assert_int_equal(scheduler_start(h->scheduler, &f), 0);
}

static int tear_down(void **state)
{
    struct home *h = *state;

    if (h->scheduler)
        scheduler_stop(h->scheduler);
    store_close(&h->store);
    scheduler_free(&h->scheduler);
    housekeeping_free(&h->keeping);
    registry_free(&h->registry);
    keyring_free(&h->ring);
    metrics_free(&h->metrics);
    logger_free(&h->logger);
    clock_free(&h->clock);
    arena_free(&h->arena);
    folder_remove(h->dir);
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
    test_free(h);
    return 0;
}

static size_t count_events(struct home *h)
{
    struct store_tx *tx;
    struct event *events;
    size_t count;
    struct fail f;

    assert_int_equal(store_read_open(h->store, h->arena, &tx, &f), 0);
    assert_int_equal(store_event_follow(tx, 0, 1000, &events, &count, &f), 0);
    store_read_close(&tx);
    return count;
}

static void events_go_when_they_are_older_than_what_is_kept(void **state)
{
    struct home *h = *state;
    size_t made = count_events(h);

    assert_true(made > 0); /* of the first tenant and key */
    housekeeping_keep(h->keeping, 2 * DAY_US, DAY_US);
    start(h);
    pass_time(h, DAY_US);
    pass_time(h, HOUR_US);
    assert_int_equal(count_events(h), made);
    pass_time(h, 2 * DAY_US);
    pass_time(h, HOUR_US);
    assert_int_equal(count_events(h), 0);
}

static void a_shorter_time_counts_from_the_next_run_on(void **state)
{
    struct home *h = *state;

    housekeeping_keep(h->keeping, 900 * DAY_US, DAY_US);
    start(h);
    pass_time(h, DAY_US);
    pass_time(h, HOUR_US);
    assert_true(count_events(h) > 0);
    housekeeping_keep(h->keeping, HOUR_US, DAY_US);
    pass_time(h, HOUR_US);
    pass_time(h, HOUR_US);
    assert_int_equal(count_events(h), 0);
}

/* --- agents --- */

static int create_agent(struct store_tx *tx, void *arg, struct fail *f)
{
    struct home *h = arg;
    const struct agent_report report = {.id = STR("a1"), .returns = true};
    struct tenant t;

    if (tenant_get(tx, STR(TENANT_DEFAULT), &t, f) < 0)
        return -1;
    h->tenant = t.id;
    return agent_report(tx, h->registry, NULL, t.id, &report, NULL, f);
}

static struct agents *agents_of(struct home *h)
{
    return registry_realm(h->registry, h->tenant)->agents;
}

static int64_t stored_seen_us(struct home *h)
{
    struct store_tx *tx;
    struct agent agent;
    struct fail f;

    assert_int_equal(store_read_open(h->store, h->arena, &tx, &f), 0);
    assert_int_equal(agent_get(tx, h->tenant, STR("a1"), &agent, &f), 0);
    store_read_close(&tx);
    return agent.row.last_seen_us;
}

static void agents_are_forgotten_after_the_silence_that_is_set(void **state)
{
    struct home *h = *state;
    struct fail f;

    assert_int_equal(store_write(h->store, h->arena, create_agent, h, &f), 0);
    start(h);
    pass_time(h, 3 * DAY_US);
    pass_time(h, HOUR_US);
    assert_int_equal(agents_count(agents_of(h)), 1); /* never, unless it is said */
    housekeeping_expire(h->keeping, 5 * DAY_US);
    pass_time(h, HOUR_US);
    pass_time(h, HOUR_US);
    assert_int_equal(agents_count(agents_of(h)), 1);
    pass_time(h, 2 * DAY_US);
    pass_time(h, HOUR_US);
    assert_int_equal(agents_count(agents_of(h)), 0);
}

static int create_ephemeral(struct store_tx *tx, void *arg, struct fail *f)
{
    struct home *h = arg;
    struct agent agent = {.row = {.tenant = h->tenant}, .registered = true, .ephemeral = true};

    return agent_create(tx, h->registry, NULL, &agent, f);
}

static void ephemeral_agents_are_forgotten_by_themselves(void **state)
{
    struct home *h = *state;
    struct fail f;

    assert_int_equal(store_write(h->store, h->arena, create_agent, h, &f), 0);
    assert_int_equal(store_write(h->store, h->arena, create_ephemeral, h, &f), 0);
    start(h);
    pass_time(h, 3 * HOUR_US);
    pass_time(h, HOUR_US);
    assert_int_equal(agents_count(agents_of(h)), 2); /* never, unless it is said */
    housekeeping_expire_ephemeral(h->keeping, 12 * HOUR_US);
    pass_time(h, 2 * HOUR_US);
    pass_time(h, HOUR_US);
    assert_int_equal(agents_count(agents_of(h)), 2);
    pass_time(h, 6 * HOUR_US);
    pass_time(h, HOUR_US);
    assert_int_equal(agents_count(agents_of(h)), 1);
}

static void when_agents_were_seen_is_written_down(void **state)
{
    struct home *h = *state;
    int64_t now;
    struct fail f;

    assert_int_equal(store_write(h->store, h->arena, create_agent, h, &f), 0);
    start(h);
    pass_time(h, DAY_US);
    now = clock_wall_us(h->clock);
    assert_true(stored_seen_us(h) < now);
    assert_true(agents_touch(agents_of(h), STR("a1"), now));
    pass_time(h, HOUR_US);
    pass_time(h, HOUR_US);
    assert_int_equal(stored_seen_us(h), now);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(events_go_when_they_are_older_than_what_is_kept),
        TEST(a_shorter_time_counts_from_the_next_run_on),
        TEST(agents_are_forgotten_after_the_silence_that_is_set),
        TEST(ephemeral_agents_are_forgotten_by_themselves),
        TEST(when_agents_were_seen_is_written_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
