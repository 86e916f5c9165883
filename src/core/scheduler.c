/* SPDX-License-Identifier: Apache-2.0 */
/* See scheduler.h. A turn: periodic jobs that are due, then one write that sweeps and claims (only
 * when a read says that something is due), then the wait for whatever comes first. */
#include "core/scheduler.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"

#define HANDLERS_MAX 32
#define PERIODIC_MAX 32
#define SWEEP_LIMIT  100

struct handler {
    const char *kind;
    task_run_fn run;
    void *arg;
    struct metric_counter *done;
    struct metric_counter *failed;
};

struct periodic {
    const char *name;
    int64_t period_us;
    int64_t next_us; /* monotonic */
    int (*fn)(void *arg, struct fail *f);
    void *arg;
};

struct scheduler {
    struct scheduler_options o;
    char *owner;
    struct handler handlers[HANDLERS_MAX];
    struct str kinds[HANDLERS_MAX];
    size_t handler_count;
    struct periodic periodics[PERIODIC_MAX];
    size_t periodic_count;
    struct waiter *wake;
    pthread_t thread;
    bool started;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t idle;
    bool stopping;
    size_t running;   /* handed out and not settled */
    struct run *runs; /* all of them */
};

/* One task on its way through its handler; owned by whoever runs it. */
struct run {
    struct scheduler *scheduler;
    const struct handler *handler;
    struct arena *arena;
    struct task task;
    int result;
    struct str output;
    struct fail fail;
    int64_t renew_us; /* monotonic; with the links guarded by the scheduler's lock */
    struct run *next;
    struct run **link; /* what points here */
};

struct scheduler *scheduler_new(const struct scheduler_options *o)
{
    struct scheduler *s = heap_new_type(struct scheduler);

    assert(o->store && o->clock && o->poll_us > 0 && o->lease_us > 0 && o->claim_limit > 0);
    s->o = *o;
    s->owner = heap_cstr(o->owner);
    s->o.owner = str_of(s->owner);
    s->wake = waiter_new(o->clock);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->idle, NULL);
    return s;
}

static struct metric_counter *counter(struct scheduler *s, const char *kind, const char *result)
{
    char labels[128];

    snprintf(labels, sizeof(labels), "kind=\"%s\",result=\"%s\"", kind, result);
    return metrics_counter(s->o.metrics, "muster_tasks_total",
                           "Background tasks run, by kind and outcome of the attempt.", labels);
}

void scheduler_handle(struct scheduler *s, const char *kind, task_run_fn run, void *arg)
{
    assert(!s->started && s->handler_count < HANDLERS_MAX);

    struct handler *h = &s->handlers[s->handler_count];

    h->kind = kind;
    h->run = run;
    h->arg = arg;
    if (s->o.metrics) {
        h->done = counter(s, kind, "done");
        h->failed = counter(s, kind, "failed");
    }
    s->kinds[s->handler_count++] = str_of(kind);
}

void scheduler_every(struct scheduler *s, const char *name, int64_t period_us,
                     int (*fn)(void *arg, struct fail *f), void *arg)
{
    assert(!s->started && s->periodic_count < PERIODIC_MAX && period_us > 0);
    s->periodics[s->periodic_count++] = (struct periodic){
        .name = name,
        .period_us = period_us,
        .next_us = clock_mono_us(s->o.clock) + period_us,
        .fn = fn,
        .arg = arg,
    };
}

static void warn(struct scheduler *s, const char *message, const char *what, const struct fail *f)
{
    if (s->o.log)
        log_warn(s->o.log, message, KV_STR("what", what), KV_STR("why", f->message),
                 KV_STR("detail", f->detail));
}

static void run_periodics(struct scheduler *s)
{
    for (size_t i = 0; i < s->periodic_count; i++) {
        struct periodic *p = &s->periodics[i];
        struct fail f = {0};
        int64_t now = clock_mono_us(s->o.clock);

        if (now < p->next_us)
            continue;
        p->next_us = now + p->period_us;
        if (p->fn(p->arg, &f) < 0)
            warn(s, "periodic job failed", p->name, &f);
    }
}

static int read_next_due(struct scheduler *s, struct arena *a, int64_t *wall_us, struct fail *f)
{
    struct store_tx *tx;

    if (store_read_open(s->o.store, a, &tx, f) < 0)
        return -1;

    int r = task_next_due(tx, wall_us, f);

    store_read_close(&tx);
    return r;
}

struct claim {
    struct scheduler *scheduler;
    struct task *held; /* leases to renew first */
    size_t held_count;
    size_t room;
    struct task *tasks;
    size_t count;
    size_t swept;
};

static int claim(struct store_tx *tx, void *arg, struct fail *f)
{
    struct claim *c = arg;
    struct scheduler *s = c->scheduler;

    c->count = 0;
    for (size_t i = 0; i < c->held_count; i++) {
        /* A task that was settled or canceled meanwhile is nobody's to renew. */
        if (task_renew(tx, &c->held[i], s->o.lease_us, f) < 0 && f->code != CODE_ABORTED)
            return -1;
    }
    if (task_sweep(tx, SWEEP_LIMIT, s->o.late, &c->swept, f) < 0)
        return -1;
    if (c->room == 0 || s->handler_count == 0)
        return 0;
    return task_claim(tx, s->kinds, s->handler_count, s->o.owner, s->o.lease_us, c->room, &c->tasks,
                      &c->count, f);
}

static bool is_worth_retrying(enum code code)
{
    return code == CODE_UNAVAILABLE || code == CODE_DEADLINE_EXCEEDED ||
           code == CODE_RESOURCE_EXHAUSTED || code == CODE_ABORTED || code == CODE_UNKNOWN;
}

static int settle(struct store_tx *tx, void *arg, struct fail *f)
{
    struct run *r = arg;
    struct str error = str_of(r->fail.message);

    if (r->result == 0)
        return task_finish(tx, &r->task, r->output, f);
    if (is_worth_retrying(r->fail.code))
        return task_retry(tx, &r->task, error, &r->scheduler->o.backoff, f);
    return task_fail(tx, &r->task, error, f);
}

static int64_t renew_time(const struct scheduler *s)
{
    return clock_mono_us(s->o.clock) + s->o.lease_us / 2;
}

static void link_run(struct scheduler *s, struct run *r)
{
    pthread_mutex_lock(&s->lock);
    s->running++;
    r->renew_us = renew_time(s);
    r->next = s->runs;
    r->link = &s->runs;
    if (r->next)
        r->next->link = &r->next;
    s->runs = r;
    pthread_mutex_unlock(&s->lock);
}

static void unlink_run(struct scheduler *s, struct run *r)
{
    pthread_mutex_lock(&s->lock);
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    pthread_mutex_unlock(&s->lock);
}

/* Copies of the tasks whose lease is half over, since a run may end while its lease is renewed;
 * *next is when to look again. */
static void find_held(struct scheduler *s, struct arena *a, struct claim *c, int64_t *next)
{
    int64_t now = clock_mono_us(s->o.clock);

    pthread_mutex_lock(&s->lock);
    c->held = arena_new_array(a, struct task, s->running);
    for (struct run *r = s->runs; r; r = r->next) {
        if (r->renew_us <= now) {
            struct task *t = &c->held[c->held_count++];

            *t = r->task;
            t->owner = s->o.owner;
            t->result = STR("");
            t->error = arena_str(a, r->task.error);
            r->renew_us = renew_time(s);
        }
        *next = MIN(*next, r->renew_us);
    }
    pthread_mutex_unlock(&s->lock);
}

/* A result that cannot be written is lost with its lease: the task is claimed and run again. */
static void run_task(void *arg)
{
    struct run *r = arg;
    struct scheduler *s = r->scheduler;
    struct fail f = {0};

    r->result = r->handler->run(r->handler->arg, &r->task, r->arena, &r->output, &r->fail);
    if (store_write(s->o.store, r->arena, settle, r, &f) < 0)
        warn(s, "task not settled", r->handler->kind, &f);
    if (r->handler->done)
        counter_add(r->result == 0 ? r->handler->done : r->handler->failed, 1);
    unlink_run(s, r);
    arena_free(&r->arena);
    free(r);

    pthread_mutex_lock(&s->lock);
    s->running--;
    waiter_wake(s->wake);
    pthread_cond_signal(&s->idle);
    pthread_mutex_unlock(&s->lock);
}

static const struct handler *handler_of(const struct scheduler *s, struct str kind)
{
    for (size_t i = 0; i < s->handler_count; i++) {
        if (str_eq(s->kinds[i], kind))
            return &s->handlers[i];
    }
    return NULL;
}

static void hand_out(struct scheduler *s, const struct task *t)
{
    struct run *r = heap_new_type(struct run);
    struct arena *a = arena_new(4096);

    r->scheduler = s;
    r->handler = handler_of(s, t->kind);
    assert(r->handler);
    r->arena = a;
    r->task = *t;
    r->task.kind = arena_str(a, t->kind);
    r->task.subject = arena_str(a, t->subject);
    r->task.owner = arena_str(a, t->owner);
    r->task.payload = arena_str(a, t->payload);
    r->task.result = arena_str(a, t->result);
    r->task.error = arena_str(a, t->error);

    link_run(s, r);
    if (s->o.dispatch)
        s->o.dispatch(s->o.dispatch_arg, run_task, r);
    else
        run_task(r);
}

static bool is_stopping(struct scheduler *s, size_t *running)
{
    pthread_mutex_lock(&s->lock);

    bool stopping = s->stopping;

    *running = s->running;
    pthread_mutex_unlock(&s->lock);
    return stopping;
}

/* Runs what is due; returns when to look again (monotonic). */
static int64_t turn(struct scheduler *s, struct arena *a)
{
    int64_t now = clock_mono_us(s->o.clock);
    int64_t next = now + s->o.poll_us;
    struct claim c = {.scheduler = s};
    struct fail f = {0};
    int64_t due;
    size_t running;

    if (is_stopping(s, &running))
        return now;
    find_held(s, a, &c, &next);
    if (read_next_due(s, a, &due, &f) < 0) {
        warn(s, "tasks not read", "due", &f);
        return next;
    }

    int64_t wall = clock_wall_us(s->o.clock);

    if (due > wall && c.held_count == 0)
        return due - wall < next - now ? now + (due - wall) : next;
    c.room = running < s->o.claim_limit ? s->o.claim_limit - running : 0;
    if (store_write(s->o.store, a, claim, &c, &f) < 0) {
        warn(s, "tasks not claimed", "claim", &f);
        return next;
    }
    for (size_t i = 0; i < c.count; i++)
        hand_out(s, &c.tasks[i]);
    return c.count > 0 || c.swept == SWEEP_LIMIT ? now : next;
}

static void *scheduler_main(void *arg)
{
    struct scheduler *s = arg;
    struct arena *a = arena_new(16384);
    size_t running;

    while (!is_stopping(s, &running)) {
        run_periodics(s);

        int64_t until = turn(s, a);

        arena_reset(a);
        for (size_t i = 0; i < s->periodic_count; i++)
            until = MIN(until, s->periodics[i].next_us);
        IGNORE(waiter_wait(s->wake, until));
    }
    arena_free(&a);
    return NULL;
}

int scheduler_start(struct scheduler *s, struct fail *f)
{
    int error = pthread_create(&s->thread, NULL, scheduler_main, s);

    if (error)
        return fail_set(f, CODE_INTERNAL, "cannot start the scheduler: errno %d", error);
    s->started = true;
    return 0;
}

void scheduler_wake(struct scheduler *s)
{
    waiter_wake(s->wake);
}

void scheduler_stop(struct scheduler *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_mutex_unlock(&s->lock);
    if (!s->started)
        return;
    waiter_wake(s->wake);
    pthread_join(s->thread, NULL);
    s->started = false;

    pthread_mutex_lock(&s->lock);
    while (s->running > 0)
        pthread_cond_wait(&s->idle, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

void scheduler_free(struct scheduler **scheduler)
{
    struct scheduler *s = *scheduler;

    if (!s)
        return;
    scheduler_stop(s);
    waiter_free(&s->wake);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->idle);
    free(s->owner);
    free(s);
    *scheduler = NULL;
}
