/* SPDX-License-Identifier: Apache-2.0 */
/* Group commit: isolation of jobs, order of what follows the commit, and what happens when the disk
 * is full or fails, through the fault decorator. */
#include "store/fixture.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include "core/collector.h"
#include "core/event.h"
#include "store/fault.h"

/* Jobs wait behind a gate, so that the lane finds all of them at once. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool entered;
    bool open;
    size_t over;
};

struct job {
    struct store_job base;
    struct fixture *x;
    struct gate *gate;
    const char *name;
    bool refuse;
    struct buf *order;
    struct fail fail;
};

static void gate_init(struct gate *g)
{
    *g = (struct gate){0};
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->cond, NULL);
}

static void gate_done(struct gate *g)
{
    pthread_mutex_destroy(&g->lock);
    pthread_cond_destroy(&g->cond);
}

static int run_gate(struct store_tx *tx, struct store_job *job, struct fail *f)
{
    struct gate *g = CONTAINER_OF(job, struct job, base)->gate;

    (void)tx;
    (void)f;
    pthread_mutex_lock(&g->lock);
    g->entered = true;
    pthread_cond_broadcast(&g->cond);
    while (!g->open)
        pthread_cond_wait(&g->cond, &g->lock);
    pthread_mutex_unlock(&g->lock);
    return 0;
}

static void told(void *arg)
{
    struct job *j = arg;

    buf_printf(j->order, "%s! ", j->name);
}

static int run_job(struct store_tx *tx, struct store_job *job, struct fail *f)
{
    struct job *j = CONTAINER_OF(job, struct job, base);
    struct collector c = {
        .tenant = j->x->tenant.id,
        .kind = COLLECTOR_HOSTED,
        .name = str_of(j->name),
        .unique_name = true,
    };

    store_on_commit(tx, told, j);
    if (collector_create(tx, NULL, &c, f) < 0)
        return -1;
    return j->refuse ? fail_set(f, CODE_FAILED_PRECONDITION, "not this one") : 0;
}

static void done_job(struct store_job *job, int result, const struct fail *f)
{
    struct job *j = CONTAINER_OF(job, struct job, base);

    buf_printf(j->order, "%s%s ", j->name, result == 0 ? "" : "?");
    if (result < 0)
        j->fail = *f;
    pthread_mutex_lock(&j->gate->lock);
    j->gate->over++;
    pthread_cond_broadcast(&j->gate->cond);
    pthread_mutex_unlock(&j->gate->lock);
}

/* Submits the jobs so that they share a batch, which begins when the gate's own batch is over. */
static void run_together(struct fixture *x, struct job *jobs, size_t count, struct buf *order)
{
    struct gate g;
    struct buf nowhere;
    struct job first = {.gate = &g, .name = "", .order = &nowhere};

    gate_init(&g);
    buf_init_arena(&nowhere, x->arena, 64);
    buf_init_arena(order, x->arena, 4096);
    first.base = (struct store_job){.run = run_gate, .done = done_job, .arena = arena_new(256)};
    assert_int_equal(store_submit(x->store, &first.base, &x->fail), 0);
    pthread_mutex_lock(&g.lock);
    while (!g.entered)
        pthread_cond_wait(&g.cond, &g.lock);
    pthread_mutex_unlock(&g.lock);

    for (size_t i = 0; i < count; i++) {
        jobs[i].x = x;
        jobs[i].gate = &g;
        jobs[i].order = order;
        jobs[i].base =
            (struct store_job){.run = run_job, .done = done_job, .arena = arena_new(1024)};
        assert_int_equal(store_submit(x->store, &jobs[i].base, &x->fail), 0);
    }
    pthread_mutex_lock(&g.lock);
    g.open = true;
    pthread_cond_broadcast(&g.cond);
    while (g.over < count + 1)
        pthread_cond_wait(&g.cond, &g.lock);
    pthread_mutex_unlock(&g.lock);
    for (size_t i = 0; i < count; i++)
        arena_free(&jobs[i].base.arena);
    arena_free(&first.base.arena);
    gate_done(&g);
}

static int64_t collectors(struct fixture *x)
{
    struct store_tx *tx = fixture_read(x);
    int64_t n = -1;

    assert_int_equal(collector_count(tx, x->tenant.id, &(struct collector_filter){0}, &n, &x->fail),
                     0);
    store_read_close(&tx);
    return n;
}

static int64_t events(struct fixture *x)
{
    struct store_tx *tx = fixture_read(x);
    struct event *rows;
    size_t n;

    assert_int_equal(event_list(tx, x->tenant.id, 0, 1000, &rows, &n, &x->fail), 0);
    store_read_close(&tx);
    return (int64_t)n;
}

static void assert_order(const struct buf *order, const char *expected)
{
    assert_int_equal(order->len, strlen(expected));
    assert_memory_equal(order->data, expected, order->len);
}

static void a_failing_job_hurts_no_neighbor(void **state)
{
    struct fixture *x = *state;
    struct job jobs[] = {{.name = "a"}, {.name = "b", .refuse = true}, {.name = "c"}};
    struct buf order;
    int64_t before = events(x);

    run_together(x, jobs, COUNTOF(jobs), &order);
    assert_order(&order, "a! a b? c! c ");
    assert_string_equal(jobs[1].fail.message, "not this one");
    assert_int_equal(collectors(x), 2);
    assert_int_equal(events(x), before + 2);
    fixture_assert_clean(x);
}

static void a_job_sees_what_its_neighbor_wrote(void **state)
{
    struct fixture *x = *state;
    struct job jobs[] = {{.name = "a"}, {.name = "a"}, {.name = "b"}};
    struct buf order;

    run_together(x, jobs, COUNTOF(jobs), &order);
    assert_order(&order, "a! a a? b! b ");
    assert_string_equal(jobs[1].fail.reason, "name_taken");
    assert_int_equal(collectors(x), 2);
}

static void a_name_is_free_again_when_its_job_was_rolled_back(void **state)
{
    struct fixture *x = *state;
    struct job jobs[] = {{.name = "a", .refuse = true}, {.name = "a"}};
    struct buf order;

    run_together(x, jobs, COUNTOF(jobs), &order);
    assert_order(&order, "a? a! a ");
    assert_int_equal(collectors(x), 1);
}

static void more_jobs_than_a_batch_holds_are_all_done_in_order(void **state)
{
    struct fixture *x = *state;
    struct job jobs[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}, {.name = "d"}, {.name = "e"}};
    struct buf order;

    store_close(&x->store);
    x->options.batch_limit = 2;
    assert_int_equal(fixture_open(x), 0);
    run_together(x, jobs, COUNTOF(jobs), &order);
    assert_order(&order, "a! a b! b c! c d! d e! e ");
    assert_int_equal(collectors(x), 5);
}

static void a_full_queue_refuses_at_once(void **state)
{
    struct fixture *x = *state;
    struct gate g;
    struct buf order;
    struct job jobs[4] = {{.name = "gate"}, {.name = "a"}, {.name = "b"}, {.name = "c"}};

    store_close(&x->store);
    x->options.queue_limit = 2;
    assert_int_equal(fixture_open(x), 0);
    gate_init(&g);
    buf_init_arena(&order, x->arena, 4096);
    for (size_t i = 0; i < COUNTOF(jobs); i++) {
        jobs[i].x = x;
        jobs[i].gate = &g;
        jobs[i].order = &order;
        jobs[i].base = (struct store_job){
            .run = i == 0 ? run_gate : run_job, .done = done_job, .arena = arena_new(1024)};
    }
    assert_int_equal(store_submit(x->store, &jobs[0].base, &x->fail), 0);
    pthread_mutex_lock(&g.lock);
    while (!g.entered)
        pthread_cond_wait(&g.cond, &g.lock);
    pthread_mutex_unlock(&g.lock);

    assert_int_equal(store_submit(x->store, &jobs[1].base, &x->fail), 0);
    assert_int_equal(store_submit(x->store, &jobs[2].base, &x->fail), 0);
    assert_int_equal(store_submit(x->store, &jobs[3].base, &x->fail), -1);
    assert_int_equal(x->fail.code, CODE_UNAVAILABLE);
    assert_string_equal(x->fail.reason, "queue_full");

    pthread_mutex_lock(&g.lock);
    g.open = true;
    pthread_cond_broadcast(&g.cond);
    while (g.over < 3)
        pthread_cond_wait(&g.cond, &g.lock);
    pthread_mutex_unlock(&g.lock);
    assert_order(&order, "gate a! a b! b ");
    for (size_t i = 0; i < COUNTOF(jobs); i++)
        arena_free(&jobs[i].base.arena);
    gate_done(&g);
}

/* ---- Failures ---- */

static struct fault *reopen_with_fault(struct fixture *x)
{
    struct fault *fault = fault_new(&sqlite_driver);

    store_close(&x->store);
    x->options.driver = fault_driver(fault);
    assert_int_equal(fixture_open(x), 0);
    return fault;
}

static void close_fault(struct fixture *x, struct fault **fault)
{
    store_close(&x->store);
    assert_int_equal(fault_open_handles(*fault), 0);
    fault_free(fault);
}

static void a_full_disk_acknowledges_nothing_and_writing_resumes_by_itself(void **state)
{
    struct fixture *x = *state;
    struct fault *fault = reopen_with_fault(x);
    struct job jobs[] = {{.name = "a"}, {.name = "b"}};
    struct store_health h;
    struct buf order;

    fault_set_commit(fault, 2, SQL_CLASS_FULL);
    run_together(x, jobs, COUNTOF(jobs), &order);
    assert_true(fault_hit(fault));
    assert_order(&order, "a? b? ");
    for (size_t i = 0; i < COUNTOF(jobs); i++) {
        assert_int_equal(jobs[i].fail.code, CODE_UNAVAILABLE);
        assert_string_equal(jobs[i].fail.reason, "disk_full");
    }
    store_health(x->store, &h);
    assert_int_equal(h.state, STORE_DEGRADED);
    assert_int_equal(collectors(x), 0);

    run_together(x, jobs, COUNTOF(jobs), &order);
    assert_order(&order, "a! a b! b ");
    store_health(x->store, &h);
    assert_int_equal(h.state, STORE_OK);
    assert_int_equal(collectors(x), 2);
    fixture_assert_clean(x);
    close_fault(x, &fault);
}

/* Lets time pass until the lane has tried by itself; how soon a busy disk lets it is nobody's to
 * say. */
static enum store_state state_after_a_while(struct fixture *x)
{
    struct store_health h = {.state = STORE_DEGRADED};

    while (h.state == STORE_DEGRADED) {
        clock_advance(x->clock, 1000000);
        sched_yield();
        store_health(x->store, &h);
    }
    return h.state;
}

static void the_store_finds_out_by_itself_that_there_is_space_again(void **state)
{
    struct fixture *x = *state;
    struct fault *fault = reopen_with_fault(x);
    struct store_health h;

    fault_set_always(fault, SQL_CLASS_FULL);
    assert_int_equal(fixture_write(x, fixture_first_tenant, &x->tenant), -1);
    fault_set(fault, 0, SQL_CLASS_OK);
    store_health(x->store, &h);
    assert_int_equal(h.state, STORE_DEGRADED);
    assert_int_equal(state_after_a_while(x), STORE_OK);
    assert_int_equal(collectors(x), 0);
    close_fault(x, &fault);
}

static void a_disk_that_fills_up_in_a_statement_loses_the_whole_batch(void **state)
{
    struct fixture *x = *state;
    struct fault *fault = reopen_with_fault(x);
    struct job jobs[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
    struct buf order;

    fault_set_always(fault, SQL_CLASS_FULL);
    assert_int_equal(fixture_write(x, fixture_first_tenant, &x->tenant), -1);
    assert_string_equal(x->fail.reason, "disk_full");
    assert_int_equal(collectors(x), 0);
    fault_set(fault, 0, SQL_CLASS_OK);
    run_together(x, jobs, COUNTOF(jobs), &order);
    assert_order(&order, "a! a b! b c! c ");
    close_fault(x, &fault);
}

static void a_busy_transaction_is_run_again_and_hooks_fire_once(void **state)
{
    struct fixture *x = *state;
    struct fault *fault = reopen_with_fault(x);
    struct job jobs[] = {{.name = "a"}, {.name = "b"}};
    struct buf order;
    int64_t before = events(x);

    fault_set_commit(fault, 2, SQL_CLASS_BUSY);
    run_together(x, jobs, COUNTOF(jobs), &order);
    assert_true(fault_hit(fault));
    assert_order(&order, "a! a b! b ");
    assert_int_equal(events(x), before + 2);
    close_fault(x, &fault);
}

static void note_fatal(void *arg, const char *message)
{
    snprintf(arg, 64, "%s", message);
}

static void a_failed_sync_is_fatal_and_no_write_is_taken_afterwards(void **state)
{
    struct fixture *x = *state;
    char message[64] = "";
    struct job jobs[] = {{.name = "a"}, {.name = "b"}};
    struct store_health h;
    struct buf order;

    x->options.fatal = note_fatal;
    x->options.fatal_arg = message;

    struct fault *fault = reopen_with_fault(x);

    fault_set_commit(fault, 2, SQL_CLASS_FATAL);
    run_together(x, jobs, COUNTOF(jobs), &order);
    assert_order(&order, "a? b? ");
    assert_string_equal(message, "injected into commit");
    store_health(x->store, &h);
    assert_int_equal(h.state, STORE_FAILED);

    assert_int_equal(fixture_write(x, fixture_first_tenant, &x->tenant), -1);
    assert_int_equal(x->fail.code, CODE_UNAVAILABLE);
    assert_string_equal(x->fail.reason, "store_failed");
    assert_int_equal(collectors(x), 0);
    close_fault(x, &fault);
}

static void closing_finishes_what_was_queued(void **state)
{
    struct fixture *x = *state;
    struct job jobs[] = {{.name = "a"}, {.name = "b"}};
    struct buf order;
    struct gate g;

    gate_init(&g);
    buf_init_arena(&order, x->arena, 4096);
    for (size_t i = 0; i < COUNTOF(jobs); i++) {
        jobs[i].x = x;
        jobs[i].gate = &g;
        jobs[i].order = &order;
        jobs[i].base =
            (struct store_job){.run = run_job, .done = done_job, .arena = arena_new(1024)};
        assert_int_equal(store_submit(x->store, &jobs[i].base, &x->fail), 0);
    }
    store_close(&x->store);
    assert_order(&order, "a! a b! b ");
    for (size_t i = 0; i < COUNTOF(jobs); i++)
        arena_free(&jobs[i].base.arena);
    gate_done(&g);
}

/* The kernel refuses to let files grow: what a quota or a full disk does, for real. */
static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int write_big(struct store_tx *tx, void *arg, struct fail *f)
{
    struct fixture *x = arg;
    struct collector c = {
        .tenant = x->tenant.id,
        .kind = COLLECTOR_HOSTED,
        .body = str_make(arena_alloc(store_tx_arena(tx), 100000), 100000),
    };

    return collector_create(tx, NULL, &c, f);
}

static void files_that_cannot_grow_stop_writing_but_not_reading(void **state)
{
    struct fixture *x = *state;
    struct store_health h;
    int64_t written = 0;

    set_file_limit(1 << 20);
    while (written < 100 && fixture_write(x, write_big, x) == 0)
        written++;
    assert_in_range(written, 1, 99);
    assert_int_equal(x->fail.code, CODE_UNAVAILABLE);
    assert_string_equal(x->fail.reason, "disk_full");
    store_health(x->store, &h);
    assert_int_equal(h.state, STORE_DEGRADED);
    assert_int_equal(collectors(x), written);
    assert_int_equal(fixture_write(x, write_big, x), -1);

    set_file_limit(RLIM_INFINITY);
    assert_int_equal(fixture_write(x, write_big, x), 0);
    store_health(x->store, &h);
    assert_int_equal(h.state, STORE_OK);
    assert_int_equal(collectors(x), written + 1);
    fixture_assert_clean(x);
    store_close(&x->store);
    assert_int_equal(fixture_open(x), 0);
    assert_int_equal(collectors(x), written + 1);
}

static int change_nothing(struct store_tx *tx, void *arg, struct fail *f)
{
    (void)tx;
    (void)arg;
    (void)f;
    return 0;
}

static void a_job_that_writes_nothing_proves_no_recovery(void **state)
{
    struct fixture *x = *state;
    struct store_health h;

    set_file_limit(1);
    assert_int_equal(fixture_write(x, change_nothing, NULL), 0);
    assert_int_equal(fixture_write(x, write_big, x), -1);
    assert_int_equal(fixture_write(x, change_nothing, NULL), -1);
    store_health(x->store, &h);
    assert_int_equal(h.state, STORE_DEGRADED);

    set_file_limit(RLIM_INFINITY);
    assert_int_equal(fixture_write(x, change_nothing, NULL), 0);
    store_health(x->store, &h);
    assert_int_equal(h.state, STORE_OK);
}

static void the_log_is_folded_into_the_file_while_writing_goes_on(void **state)
{
    struct fixture *x = *state;
    struct stat st;

    store_close(&x->store);
    x->options.checkpoint_pages = 50;
    assert_int_equal(fixture_open(x), 0);
    for (int i = 0; i < 60; i++)
        assert_int_equal(fixture_write(x, write_big, x), 0);

    /* 6 MB were written; the log starts over when it was folded in, so it stays small. */
    assert_int_equal(stat(fixture_path(x, STORE_FILE "-wal"), &st), 0);
    assert_in_range(st.st_size, 1, 2 << 20);
    assert_int_equal(stat(fixture_path(x, STORE_FILE), &st), 0);
    assert_true(st.st_size > 5 << 20);
}

/* ---- Many writers ---- */

#define WRITERS    8
#define PER_THREAD 50

struct writer {
    struct fixture *x;
    int number;
    int bad;
};

static int write_one(struct store_tx *tx, void *arg, struct fail *f)
{
    struct collector *c = arg;

    return collector_create(tx, NULL, c, f);
}

static void *write_many(void *arg)
{
    struct writer *w = arg;
    struct arena *a = arena_new(4096);
    struct fail f;

    for (int i = 0; i < PER_THREAD; i++) {
        struct collector c = {
            .tenant = w->x->tenant.id,
            .kind = COLLECTOR_HOSTED,
            .ext_id = arena_printf(a, "%d-%d", w->number, i),
        };

        if (store_write(w->x->store, a, write_one, &c, &f) < 0 || c.id == 0)
            w->bad++;
    }
    arena_free(&a);
    return NULL;
}

static void many_threads_write_and_read_at_once(void **state)
{
    struct fixture *x = *state;
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    int64_t seen = 0;

    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){x, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        int64_t now = collectors(x);

        assert_true(now >= seen);
        seen = now;
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].bad, 0);
    }
    assert_int_equal(collectors(x), WRITERS * PER_THREAD);
    fixture_assert_clean(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_failing_job_hurts_no_neighbor),
        FIXTURE_TEST(a_job_sees_what_its_neighbor_wrote),
        FIXTURE_TEST(a_name_is_free_again_when_its_job_was_rolled_back),
        FIXTURE_TEST(more_jobs_than_a_batch_holds_are_all_done_in_order),
        FIXTURE_TEST(a_full_queue_refuses_at_once),
        FIXTURE_TEST(a_full_disk_acknowledges_nothing_and_writing_resumes_by_itself),
        FIXTURE_TEST(the_store_finds_out_by_itself_that_there_is_space_again),
        FIXTURE_TEST(a_disk_that_fills_up_in_a_statement_loses_the_whole_batch),
        FIXTURE_TEST(a_busy_transaction_is_run_again_and_hooks_fire_once),
        FIXTURE_TEST(a_failed_sync_is_fatal_and_no_write_is_taken_afterwards),
        FIXTURE_TEST(closing_finishes_what_was_queued),
        FIXTURE_TEST(files_that_cannot_grow_stop_writing_but_not_reading),
        FIXTURE_TEST(a_job_that_writes_nothing_proves_no_recovery),
        FIXTURE_TEST(the_log_is_folded_into_the_file_while_writing_goes_on),
        FIXTURE_TEST(many_threads_write_and_read_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
