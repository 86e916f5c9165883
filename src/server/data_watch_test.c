/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of received data that cannot go on, on a clock that only moves by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder_fixture.h"
#include "server/data_watch.h"
#include "store/store_open.h"

#define SECOND_US INT64_C(1000000)
#define TOTAL     ((int64_t)1 << 20)

struct world {
    char dir[64];
    char target[128];
    struct arena *arena;
    struct clock *clock;
    struct logger *logger;
    struct log log;
    struct metrics *metrics;
    struct store *store;
    struct spool *spool;
    struct sinks *sinks;
    struct data_watch *watch;
    struct fail fail;
};

/* Its one sink writes to a folder that is not there. */
static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    snprintf(w->dir, sizeof(w->dir), "/tmp/muster-watch-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->arena = arena_new(4096);
    w->clock = clock_new_manual(INT64_C(1700000000000000), 1000);
    w->logger = logger_new(-1, LOGFORMAT_JSON, LOGLEVEL_OFF, w->clock);
    w->log.out = w->logger;
    w->metrics = metrics_new();

    const struct store_options store = {.data_dir = w->dir, .clock = w->clock};
    const struct spool_options spool = {.data_dir = w->dir,
                                        .clock = w->clock,
                                        .metrics = w->metrics,
                                        .segment_bytes = TOTAL / 4,
                                        .total_bytes = TOTAL,
                                        .queue_bytes = (size_t)TOTAL,
                                        .sync = false};
    struct sink_spec spec;

    snprintf(w->target, sizeof(w->target), "archive=file:%s/later/out", w->dir);
    assert_int_equal(store_open(&store, &w->store, &w->fail), 0);
    assert_int_equal(spool_open(&spool, &w->spool, &w->fail), 0);
    assert_int_equal(sink_spec_parse(w->arena, str_of(w->target), &spec, &w->fail), 0);

    const struct sinks_options sinks = {.spool = w->spool,
                                        .host = {.data_dir = w->dir, .log = &w->log},
                                        .clock = w->clock,
                                        .metrics = w->metrics,
                                        .specs = &spec,
                                        .count = 1,
                                        .retry_us = SECOND_US,
                                        .retry_max_us = SECOND_US,
                                        .batch_bytes = 4096};

    assert_int_equal(sinks_start(&sinks, &w->sinks, &w->fail), 0);
    w->watch = data_watch_new(&(struct data_watch_options){.metrics = w->metrics,
                                                           .clock = w->clock,
                                                           .store = w->store,
                                                           .spool = w->spool,
                                                           .sinks = w->sinks});
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    sinks_stop(&w->sinks, 0);
    spool_close(&w->spool);
    store_close(&w->store);
    data_watch_free(&w->watch);
    metrics_free(&w->metrics);
    logger_free(&w->logger);
    clock_free(&w->clock);
    arena_free(&w->arena);
    folder_remove(w->dir);
    free(w);
    return 0;
}

struct sent {
    struct spool_append append;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t cond;
    bool over;
};

static void done(struct spool_append *a, int result, const struct fail *f)
{
    struct sent *s = CONTAINER_OF(a, struct sent, append);

    (void)f;
    assert_int_equal(result, 0);
    pthread_mutex_lock(&s->lock);
    s->over = true;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
}

static void receive(struct world *w, size_t bytes)
{
    struct sent s = {.append = {.record = {.received_us = clock_wall_us(w->clock),
                                           .type = STR("text/plain"),
                                           .data = str_make(arena_alloc(w->arena, bytes), bytes)},
                                .done = done}};

    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.cond, NULL);
    assert_int_equal(spool_submit(w->spool, &s.append, &w->fail), 0);
    pthread_mutex_lock(&s.lock);
    while (!s.over)
        pthread_cond_wait(&s.cond, &s.lock);
    pthread_mutex_unlock(&s.lock);
}

static bool is_failing(struct world *w)
{
    struct sink_status st;

    assert_true(sinks_status(w->sinks, 0, &st));
    return st.failing_us > 0;
}

/* The sink has a thread of its own. */
static void await_failure(struct world *w)
{
    while (!is_failing(w))
        sched_yield();
}

/* An attempt that was under way may fail once more, and rests from then on: so time passes until
 * one succeeds. */
static void recover(struct world *w)
{
    while (is_failing(w)) {
        clock_advance(w->clock, 2 * SECOND_US);
        sched_yield();
    }
}

static void expect_series(struct world *w, const char *line)
{
    struct buf text;

    buf_init_arena(&text, w->arena, 1 << 20);
    metrics_render(w->metrics, &text);
    buf_put_byte(&text, '\0');
    if (!strstr((const char *)text.data, line))
        print_error("no %s", line);
    assert_non_null(strstr((const char *)text.data, line));
}

static void a_quiet_server_gives_no_advice(void **state)
{
    struct world *w = *state;

    assert_int_equal(data_watch_spool(w->watch, &w->fail), 0);
    assert_int_equal(data_watch_sinks(w->watch, &w->fail), 0);
    expect_series(w, "\nmuster_spool_limit_bytes 1048576\n");
    expect_series(w, "\nmuster_sink_waiting_records{sink=\"archive\"} 0\n");
    expect_series(w, "\nmuster_sink_oldest_seconds{sink=\"archive\"} 0\n");
    expect_series(w, "\nmuster_sink_failing_seconds{sink=\"archive\"} 0\n");
    expect_series(w, "\nmuster_upgrades_open 0\n");
}

static void a_sink_that_fails_for_a_minute_is_told(void **state)
{
    struct world *w = *state;
    char folder[128];

    receive(w, 100);
    receive(w, 100);
    await_failure(w);
    clock_advance(w->clock, 59 * SECOND_US);
    assert_int_equal(data_watch_sinks(w->watch, &w->fail), 0);
    clock_advance(w->clock, 2 * SECOND_US);
    assert_int_equal(data_watch_sinks(w->watch, &w->fail), -1);
    assert_non_null(strstr(w->fail.message, "archive has failed for 61 s, and 2 records wait: "));
    assert_non_null(strstr(w->fail.message, "/later/out"));
    expect_series(w, "\nmuster_sink_waiting_records{sink=\"archive\"} 2\n");
    expect_series(w, "\nmuster_sink_oldest_seconds{sink=\"archive\"} 61\n");
    expect_series(w, "\nmuster_sink_failing_seconds{sink=\"archive\"} 61\n");

    snprintf(folder, sizeof(folder), "%s/later", w->dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    recover(w);
    assert_int_equal(data_watch_sinks(w->watch, &w->fail), 0);
}

static void data_that_nearly_fills_its_room_is_told(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 8; i++)
        receive(w, (size_t)TOTAL / 10);
    assert_int_equal(data_watch_spool(w->watch, &w->fail), 0);
    receive(w, (size_t)TOTAL / 10);
    receive(w, 1000);
    assert_int_equal(data_watch_spool(w->watch, &w->fail), -1);
    assert_non_null(strstr(w->fail.message, "of the 1048576 bytes that it may"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_quiet_server_gives_no_advice, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sink_that_fails_for_a_minute_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(data_that_nearly_fills_its_room_is_told, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
