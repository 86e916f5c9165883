/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks and the scheduler, on a real store with a clock moved by hand. Waiting is for conditions,
 * never for time. */
#include "store/fixture.h"

#include <pthread.h>

#include "core/scheduler.h"
#include "core/task.h"

#define LEASE_US 10000

static const struct task_backoff backoff = {1000, 8000};

struct step {
    struct task_new want;
    struct task task;
    struct str owner;
    struct str text;
    size_t count;
};

static int do_create(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;

    return task_create(tx, &s->want, &s->task, f);
}

static int do_claim(struct store_tx *tx, void *arg, struct fail *f)
{
    static const struct str kinds[] = {STR_INIT("other"), STR_INIT("dig")};
    struct step *s = arg;
    struct task *rows;

    if (task_claim(tx, kinds, COUNTOF(kinds), s->owner, LEASE_US, 10, &rows, &s->count, f) < 0)
        return -1;
    if (s->count > 0)
        s->task = rows[0];
    return 0;
}

static int do_renew(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;

    return task_renew(tx, &s->task, LEASE_US, f);
}

static int do_finish(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;

    return task_finish(tx, &s->task, s->text, f);
}

static int do_retry(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;

    return task_retry(tx, &s->task, s->text, &backoff, f);
}

static int do_cancel(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;

    return task_cancel(tx, s->task.tenant, s->task.id, f);
}

static int do_sweep(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;

    return task_sweep(tx, 10, NULL, &s->count, f);
}

static int do_prune(struct store_tx *tx, void *arg, struct fail *f)
{
    struct step *s = arg;

    return store_task_prune(tx, store_tx_now(tx), 10, &s->count, f);
}

static void refuses(struct fixture *x, int result, enum code code, const char *reason)
{
    assert_int_equal(result, -1);
    assert_int_equal(x->fail.code, code);
    assert_non_null(x->fail.reason);
    assert_string_equal(x->fail.reason, reason);
}

static struct step made(struct fixture *x, int64_t max_attempts)
{
    struct step s = {
        .want = {.tenant = x->tenant.id,
                 .kind = STR("dig"),
                 .subject = STR("hole"),
                 .max_attempts = max_attempts,
                 .payload = STR("deep")},
        .owner = STR("me"),
    };

    assert_int_equal(fixture_write(x, do_create, &s), 0);
    return s;
}

static struct task get(struct fixture *x, int64_t id)
{
    struct store_tx *tx = fixture_read(x);
    struct task t;

    assert_int_equal(task_get(tx, x->tenant.id, id, &t, &x->fail), 0);
    store_read_close(&tx);
    return t;
}

static int64_t next_due(struct fixture *x)
{
    struct store_tx *tx = fixture_read(x);
    int64_t due;

    assert_int_equal(task_next_due(tx, &due, &x->fail), 0);
    store_read_close(&tx);
    return due;
}

static void a_claimed_task_is_finished_once(void **state)
{
    struct fixture *x = *state;
    struct step s = made(x, 1);
    struct step late;

    assert_int_equal(fixture_write(x, do_claim, &s), 0);
    assert_int_equal(s.count, 1);
    assert_true(str_eq(s.task.payload, STR("deep")));
    assert_int_equal(s.task.state, TASK_RUNNING);
    assert_int_equal(s.task.attempts, 1);
    late = s;
    s.text = STR("dug");
    assert_int_equal(fixture_write(x, do_finish, &s), 0);
    late.text = STR("dug twice");
    refuses(x, fixture_write(x, do_finish, &late), CODE_ABORTED, "lease_lost");

    struct task t = get(x, s.task.id);

    assert_int_equal(t.state, TASK_DONE);
    assert_true(str_eq(t.result, STR("dug")));
    assert_int_equal(next_due(x), INT64_MAX);
}

static void a_held_task_is_not_claimed_by_another(void **state)
{
    struct fixture *x = *state;
    struct step s = made(x, 2);
    struct step other = {.owner = STR("other")};

    assert_int_equal(fixture_write(x, do_claim, &s), 0);
    clock_advance(x->clock, LEASE_US - 1);
    assert_int_equal(fixture_write(x, do_claim, &other), 0);
    assert_int_equal(other.count, 0);
}

static void a_task_whose_lease_ran_out_goes_to_another_and_the_first_has_lost_it(void **state)
{
    struct fixture *x = *state;
    struct step s = made(x, 2);
    struct step other = {.owner = STR("other"), .text = STR("dug")};

    assert_int_equal(fixture_write(x, do_claim, &s), 0);
    clock_advance(x->clock, LEASE_US);
    assert_int_equal(fixture_write(x, do_claim, &other), 0);
    assert_int_equal(other.count, 1);
    assert_int_equal(other.task.attempts, 2);
    refuses(x, fixture_write(x, do_finish, &s), CODE_ABORTED, "lease_lost");
    refuses(x, fixture_write(x, do_renew, &s), CODE_ABORTED, "lease_lost");
    assert_int_equal(fixture_write(x, do_finish, &other), 0);
}

static void the_same_owner_does_not_keep_an_older_lease(void **state)
{
    struct fixture *x = *state;
    struct step s = made(x, 2);
    struct step again = {.owner = STR("me")};

    assert_int_equal(fixture_write(x, do_claim, &s), 0);
    clock_advance(x->clock, LEASE_US);
    assert_int_equal(fixture_write(x, do_claim, &again), 0);
    assert_int_equal(again.count, 1);
    refuses(x, fixture_write(x, do_finish, &s), CODE_ABORTED, "lease_lost");
}

static void renewing_keeps_the_lease(void **state)
{
    struct fixture *x = *state;
    struct step s = made(x, 2);
    struct step other = {.owner = STR("other")};

    assert_int_equal(fixture_write(x, do_claim, &s), 0);
    clock_advance(x->clock, LEASE_US - 1);
    assert_int_equal(fixture_write(x, do_renew, &s), 0);
    clock_advance(x->clock, LEASE_US - 1);
    assert_int_equal(fixture_write(x, do_claim, &other), 0);
    assert_int_equal(other.count, 0);
}

static void a_lease_that_runs_out_on_the_last_attempt_ends_the_task(void **state)
{
    struct fixture *x = *state;
    struct step s = made(x, 1);

    assert_int_equal(fixture_write(x, do_claim, &s), 0);
    clock_advance(x->clock, LEASE_US);
    assert_int_equal(fixture_write(x, do_claim, &s), 0);
    assert_int_equal(s.count, 0);

    struct task t = get(x, s.task.id);

    assert_int_equal(t.state, TASK_FAILED);
    assert_true(str_eq(t.error, STR("lease_expired")));
}

static void a_failed_attempt_waits_and_is_tried_again_until_none_is_left(void **state)
{
    struct fixture *x = *state;
    struct step s = made(x, 2);

    s.text = STR("rock");
    assert_int_equal(fixture_write(x, do_claim, &s), 0);
    assert_int_equal(fixture_write(x, do_retry, &s), 0);
    assert_int_equal(get(x, s.task.id).state, TASK_READY);
    assert_int_equal(fixture_write(x, do_claim, &s), 0);
    assert_int_equal(s.count, 0);
    assert_in_range(next_due(x), FIXTURE_START_US + 500, FIXTURE_START_US + 1000);

    clock_advance(x->clock, 1000);
    assert_int_equal(fixture_write(x, do_claim, &s), 0);
    assert_int_equal(s.count, 1);
    assert_int_equal(fixture_write(x, do_retry, &s), 0);

    struct task t = get(x, s.task.id);

    assert_int_equal(t.state, TASK_FAILED);
    assert_true(str_eq(t.error, STR("rock")));
}

static void pauses_double_up_to_a_bound_and_are_half_random(void **state)
{
    (void)state;
    assert_int_equal(task_backoff_us(&backoff, 1, 0), 500);
    assert_int_equal(task_backoff_us(&backoff, 1, 500), 1000);
    assert_int_equal(task_backoff_us(&backoff, 3, 0), 2000);
    assert_int_equal(task_backoff_us(&backoff, 3, 2000), 4000);
    assert_int_equal(task_backoff_us(&backoff, 4, 4000), 8000);
    assert_int_equal(task_backoff_us(&backoff, 1000000, 4000), 8000);
    assert_int_equal(task_backoff_us(&(struct task_backoff){INT64_MAX / 2, INT64_MAX}, 9, 0),
                     INT64_MAX / 2);
    assert_int_equal(task_backoff_us(&(struct task_backoff){0, 0}, 3, 7), 0);
}

static void a_task_runs_not_before_its_time(void **state)
{
    struct fixture *x = *state;
    struct step s = {
        .want = {.tenant = x->tenant.id, .kind = STR("dig"), .run_at_us = FIXTURE_START_US + 100},
        .owner = STR("me")};

    assert_int_equal(fixture_write(x, do_create, &s), 0);
    assert_int_equal(next_due(x), FIXTURE_START_US + 100);
    assert_int_equal(fixture_write(x, do_claim, &s), 0);
    assert_int_equal(s.count, 0);
    clock_advance(x->clock, 100);
    assert_int_equal(fixture_write(x, do_claim, &s), 0);
    assert_int_equal(s.count, 1);
}

static void tasks_of_other_kinds_are_left_alone(void **state)
{
    struct fixture *x = *state;
    struct step s = {.want = {.tenant = x->tenant.id, .kind = STR("paint")}, .owner = STR("me")};

    assert_int_equal(fixture_write(x, do_create, &s), 0);
    assert_int_equal(fixture_write(x, do_claim, &s), 0);
    assert_int_equal(s.count, 0);
}

static void a_canceled_task_is_lost_to_whoever_runs_it(void **state)
{
    struct fixture *x = *state;
    struct step s = made(x, 2);

    assert_int_equal(fixture_write(x, do_claim, &s), 0);
    assert_int_equal(fixture_write(x, do_cancel, &s), 0);
    refuses(x, fixture_write(x, do_finish, &s), CODE_ABORTED, "lease_lost");
    refuses(x, fixture_write(x, do_cancel, &s), CODE_FAILED_PRECONDITION, "task_is_final");
    assert_int_equal(get(x, s.task.id).state, TASK_CANCELED);
}

static void a_passed_deadline_ends_ready_and_running_tasks(void **state)
{
    struct fixture *x = *state;
    struct step s = made(x, 2);

    s.want.deadline_us = FIXTURE_START_US + 50;
    assert_int_equal(fixture_write(x, do_create, &s), 0);

    int64_t id = s.task.id;

    clock_advance(x->clock, 50);
    assert_int_equal(fixture_write(x, do_sweep, &s), 0);
    assert_int_equal(s.count, 0);
    clock_advance(x->clock, 1);
    assert_int_equal(fixture_write(x, do_sweep, &s), 0);
    assert_int_equal(s.count, 1);
    assert_int_equal(get(x, id).state, TASK_FAILED);
    assert_true(str_eq(get(x, id).error, STR("deadline_exceeded")));
    assert_int_equal(fixture_write(x, do_claim, &s), 0);
    assert_int_equal(s.count, 1); /* the one without a deadline */
}

static void lists_filter_and_pruning_takes_only_what_is_over(void **state)
{
    struct fixture *x = *state;
    struct step a = made(x, 1);
    struct step b = made(x, 1);
    struct str subject = STR("hole");
    struct str other = STR("mountain");
    struct task *rows;
    size_t n;

    assert_int_equal(fixture_write(x, do_cancel, &a), 0);

    struct store_tx *tx = fixture_read(x);

    assert_int_equal(task_list(tx, x->tenant.id, &(struct task_filter){.subject = &subject}, &rows,
                               &n, &x->fail),
                     0);
    assert_int_equal(n, 2);
    assert_int_equal(
        task_list(tx, x->tenant.id, &(struct task_filter){.subject = &other}, &rows, &n, &x->fail),
        0);
    assert_int_equal(n, 0);
    assert_int_equal(task_list(tx, x->tenant.id,
                               &(struct task_filter){.states = 1u << TASK_CANCELED}, &rows, &n,
                               &x->fail),
                     0);
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].id, a.task.id);
    assert_int_equal(
        task_list(tx, x->tenant.id, &(struct task_filter){.limit = 1}, &rows, &n, &x->fail), 0);
    assert_int_equal(n, 1);
    store_read_close(&tx);

    clock_advance(x->clock, 1);
    assert_int_equal(fixture_write(x, do_prune, &b), 0);
    assert_int_equal(b.count, 1);
    assert_int_equal(get(x, b.task.id).state, TASK_READY);
    tx = fixture_read(x);
    refuses(x, task_get(tx, x->tenant.id, a.task.id, rows, &x->fail), CODE_NOT_FOUND,
            "no_such_task");
    store_read_close(&tx);
}

static void final_states_lead_nowhere(void **state)
{
    (void)state;
    for (enum task_state from = TASK_READY; from <= TASK_CANCELED; from++) {
        for (enum task_state to = TASK_READY; to <= TASK_CANCELED; to++) {
            if (task_state_is_final(from))
                assert_false(task_may_become(from, to));
        }
    }
    assert_true(task_state_is_final(TASK_DONE));
    assert_false(task_may_become(TASK_READY, TASK_DONE));
    assert_true(task_may_become(TASK_RUNNING, TASK_DONE));
}

/* ---- Scheduler ---- */

struct diary {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int runs;
    int ticks;
    enum code fails_with; /* CODE_OK: it does not */
    bool threads;
    bool hold; /* handlers stay until it is taken away */
};

static void note(struct diary *d, int *what)
{
    pthread_mutex_lock(&d->lock);
    (*what)++;
    pthread_cond_broadcast(&d->cond);
    pthread_mutex_unlock(&d->lock);
}

static void wait_for(struct diary *d, const int *what, int count)
{
    pthread_mutex_lock(&d->lock);
    while (*what < count)
        pthread_cond_wait(&d->cond, &d->lock);
    pthread_mutex_unlock(&d->lock);
}

static int dig(void *arg, const struct task *t, struct arena *a, struct str *result, struct fail *f)
{
    struct diary *d = arg;
    enum code code;

    pthread_mutex_lock(&d->lock);
    code = d->fails_with;
    pthread_mutex_unlock(&d->lock);
    note(d, &d->runs);
    pthread_mutex_lock(&d->lock);
    while (d->hold)
        pthread_cond_wait(&d->cond, &d->lock);
    pthread_mutex_unlock(&d->lock);
    if (code != CODE_OK)
        return fail_set(f, code, "rock");
    *result = arena_printf(a, "%.*s dug", STR_ARG(t->subject));
    return 0;
}

static int tick(void *arg, struct fail *f)
{
    struct diary *d = arg;

    (void)f;
    note(d, &d->ticks);
    return 0;
}

struct errand {
    void (*fn)(void *job);
    void *job;
};

static void *run_errand(void *arg)
{
    struct errand e = *(struct errand *)arg;

    free(arg);
    e.fn(e.job);
    return NULL;
}

static void dispatch(void *arg, void (*fn)(void *job), void *job)
{
    struct errand *e = malloc(sizeof(*e));
    pthread_t thread;

    (void)arg;
    assert_non_null(e);
    *e = (struct errand){fn, job};
    assert_int_equal(pthread_create(&thread, NULL, run_errand, e), 0);
    pthread_detach(thread);
}

static struct scheduler *scheduler_of(struct fixture *x, struct diary *d)
{
    struct scheduler_options o = {
        .store = x->store,
        .clock = x->clock,
        .owner = STR("test"),
        .poll_us = 1000000,
        .lease_us = LEASE_US,
        .claim_limit = 2,
        .backoff = backoff,
        .dispatch = d->threads ? dispatch : NULL,
    };
    struct scheduler *s = scheduler_new(&o);

    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->cond, NULL);
    scheduler_handle(s, "dig", dig, d);
    scheduler_every(s, "tick", 5000000, tick, d);
    return s;
}

static void end(struct scheduler **s, struct diary *d)
{
    scheduler_free(s);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->cond);
}

static void run_all(struct fixture *x, bool threads)
{
    struct diary d = {.threads = threads};
    struct scheduler *s = scheduler_of(x, &d);
    struct step steps[5];

    for (size_t i = 0; i < COUNTOF(steps); i++)
        steps[i] = made(x, 1);
    assert_int_equal(scheduler_start(s, &x->fail), 0);
    wait_for(&d, &d.runs, COUNTOF(steps));
    scheduler_stop(s);
    for (size_t i = 0; i < COUNTOF(steps); i++) {
        struct task t = get(x, steps[i].task.id);

        assert_int_equal(t.state, TASK_DONE);
        assert_true(str_eq(t.result, STR("hole dug")));
    }
    assert_int_equal(d.runs, COUNTOF(steps));
    end(&s, &d);
}

static void due_tasks_run_on_the_scheduler(void **state)
{
    run_all(*state, false);
}

static void due_tasks_run_on_other_threads(void **state)
{
    run_all(*state, true);
}

static void a_wake_up_starts_a_new_task_at_once(void **state)
{
    struct fixture *x = *state;
    struct diary d = {0};
    struct scheduler *s = scheduler_of(x, &d);

    assert_int_equal(scheduler_start(s, &x->fail), 0);
    made(x, 1);
    scheduler_wake(s);
    wait_for(&d, &d.runs, 1);
    end(&s, &d);
}

static void a_passing_failure_is_tried_again_after_its_pause(void **state)
{
    struct fixture *x = *state;
    struct diary d = {.fails_with = CODE_UNAVAILABLE};
    struct scheduler *s = scheduler_of(x, &d);
    struct step step = made(x, 3);

    assert_int_equal(scheduler_start(s, &x->fail), 0);
    wait_for(&d, &d.runs, 1);
    pthread_mutex_lock(&d.lock);
    d.fails_with = CODE_OK;
    pthread_mutex_unlock(&d.lock);
    while (get(x, step.task.id).state == TASK_RUNNING)
        arena_reset(x->arena);
    clock_advance(x->clock, 1000000);
    wait_for(&d, &d.runs, 2);
    scheduler_stop(s);
    assert_int_equal(get(x, step.task.id).state, TASK_DONE);
    assert_int_equal(get(x, step.task.id).attempts, 2);
    end(&s, &d);
}

static void a_lasting_failure_ends_the_task(void **state)
{
    struct fixture *x = *state;
    struct diary d = {.fails_with = CODE_INVALID_ARGUMENT};
    struct scheduler *s = scheduler_of(x, &d);
    struct step step = made(x, 3);

    assert_int_equal(scheduler_start(s, &x->fail), 0);
    wait_for(&d, &d.runs, 1);
    scheduler_stop(s);
    assert_int_equal(get(x, step.task.id).state, TASK_FAILED);
    assert_true(str_eq(get(x, step.task.id).error, STR("rock")));
    end(&s, &d);
}

static void a_long_run_keeps_its_lease(void **state)
{
    struct fixture *x = *state;
    struct diary d = {.threads = true, .hold = true};
    struct scheduler *s = scheduler_of(x, &d);
    struct step step = made(x, 3);

    assert_int_equal(scheduler_start(s, &x->fail), 0);
    wait_for(&d, &d.runs, 1);
    for (int i = 1; i <= 5; i++) {
        clock_advance(x->clock, LEASE_US / 2);
        while (get(x, step.task.id).due_us != clock_wall_us(x->clock) + LEASE_US)
            arena_reset(x->arena);
    }
    pthread_mutex_lock(&d.lock);
    d.hold = false;
    pthread_cond_broadcast(&d.cond);
    pthread_mutex_unlock(&d.lock);
    scheduler_stop(s);
    assert_int_equal(d.runs, 1);
    assert_int_equal(get(x, step.task.id).state, TASK_DONE);
    assert_int_equal(get(x, step.task.id).attempts, 1);
    end(&s, &d);
}

static void periodic_jobs_come_round(void **state)
{
    struct fixture *x = *state;
    struct diary d = {0};
    struct scheduler *s = scheduler_of(x, &d);

    assert_int_equal(scheduler_start(s, &x->fail), 0);
    for (int i = 1; i <= 3; i++) {
        clock_advance(x->clock, 5000000);
        wait_for(&d, &d.ticks, i);
    }
    end(&s, &d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_claimed_task_is_finished_once),
        FIXTURE_TEST(a_held_task_is_not_claimed_by_another),
        FIXTURE_TEST(a_task_whose_lease_ran_out_goes_to_another_and_the_first_has_lost_it),
        FIXTURE_TEST(the_same_owner_does_not_keep_an_older_lease),
        FIXTURE_TEST(renewing_keeps_the_lease),
        FIXTURE_TEST(a_lease_that_runs_out_on_the_last_attempt_ends_the_task),
        FIXTURE_TEST(a_failed_attempt_waits_and_is_tried_again_until_none_is_left),
        cmocka_unit_test(pauses_double_up_to_a_bound_and_are_half_random),
        FIXTURE_TEST(a_task_runs_not_before_its_time),
        FIXTURE_TEST(tasks_of_other_kinds_are_left_alone),
        FIXTURE_TEST(a_canceled_task_is_lost_to_whoever_runs_it),
        FIXTURE_TEST(a_passed_deadline_ends_ready_and_running_tasks),
        FIXTURE_TEST(lists_filter_and_pruning_takes_only_what_is_over),
        cmocka_unit_test(final_states_lead_nowhere),
        FIXTURE_TEST(due_tasks_run_on_the_scheduler),
        FIXTURE_TEST(due_tasks_run_on_other_threads),
        FIXTURE_TEST(a_wake_up_starts_a_new_task_at_once),
        FIXTURE_TEST(a_passing_failure_is_tried_again_after_its_pause),
        FIXTURE_TEST(a_lasting_failure_ends_the_task),
        FIXTURE_TEST(a_long_run_keeps_its_lease),
        FIXTURE_TEST(periodic_jobs_come_round),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
