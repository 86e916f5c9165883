/* SPDX-License-Identifier: Apache-2.0 */
/* A turn: wait, take the time, run what was posted, descriptors, timers, hooks. */
#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/heap.h"
#include "codec/rfc3339.h"

#define EVENTS_A_TURN 256

struct loop {
    const struct clock *clock;
    int epoll_fd;
    unsigned index;
    bool stop;
    bool hurry; /* do not wait */
    bool busy;
    bool bound; /* thread is known */
    pthread_t thread;
    int64_t now_us;
    int64_t date_second;
    char date[HTTP_DATE_LEN];
    struct timers timers;
    struct loop_hook *hooks;
    struct loop_hook **last_hook;
    void (*on_node)(struct queue_node *n);
    struct queue tasks;
    struct queue nodes;
    struct loop_watch waker; /* an eventfd */
    struct loop_task stop_task;
    struct epoll_event events[EVENTS_A_TURN];
};

static void take_time(struct loop *l)
{
    int64_t second = clock_wall_us(l->clock) / 1000000;

    l->now_us = clock_mono_us(l->clock);
    if (second != l->date_second) {
        l->date_second = second;
        rfc3339_http_date(second, l->date);
    }
}

static void on_wake(struct loop_watch *w, uint32_t events)
{
    uint64_t n;

    (void)events;
    while (read(w->fd, &n, sizeof(n)) == -1 && errno == EINTR)
        continue;
}

static void on_stop(struct loop_task *t)
{
    CONTAINER_OF(t, struct loop, stop_task)->stop = true;
}

int loop_new(const struct clock *clock, unsigned index, struct loop **out, struct fail *f)
{
    struct loop *l = heap_new_type(struct loop);

    l->clock = clock;
    l->index = index;
    l->date_second = INT64_MIN;
    l->last_hook = &l->hooks;
    l->stop_task.fn = on_stop;
    queue_init(&l->tasks);
    queue_init(&l->nodes);
    take_time(l);
    timers_init(&l->timers, l->now_us);

    l->waker = (struct loop_watch){.fn = on_wake, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll_fd == -1 || l->waker.fd == -1 || loop_watch(l, &l->waker, EPOLLIN) < 0) {
        fail_set(f, CODE_RESOURCE_EXHAUSTED, "cannot create an event loop: %s",
                 strerrordesc_np(errno));
        loop_free(&l);
        return -1;
    }
    *out = l;
    return 0;
}

void loop_free(struct loop **l)
{
    if (!*l)
        return;
    if ((*l)->waker.fd != -1)
        close((*l)->waker.fd);
    if ((*l)->epoll_fd != -1)
        close((*l)->epoll_fd);
    free(*l);
    *l = NULL;
}

static void run_posted(struct loop *l)
{
    struct queue_node *n = queue_take(&l->tasks);

    while (n) {
        struct loop_task *t = CONTAINER_OF(n, struct loop_task, node);

        n = n->next; /* the task may be gone after it ran */
        t->fn(t);
    }

    n = queue_take(&l->nodes);
    while (n) {
        struct queue_node *next = n->next;

        l->on_node(n);
        n = next;
    }
}

static void run_hooks(struct loop *l)
{
    for (struct loop_hook *h = l->hooks; h; h = h->next)
        h->fn(h);
}

static int wait_ms(const struct loop *l, int max_ms)
{
    int64_t next_us = timers_next_us(&l->timers);

    if (l->hurry)
        return 0;
    if (next_us == INT64_MAX)
        return max_ms;
    if (next_us <= l->now_us)
        return 0;

    int64_t ms = MIN((next_us - l->now_us + 999) / 1000, 3600000);

    return max_ms < 0 || ms < max_ms ? (int)ms : max_ms;
}

void loop_turn(struct loop *l, int max_wait_ms)
{
    if (!l->bound) {
        l->bound = true;
        l->thread = pthread_self();
    }

    int n = epoll_wait(l->epoll_fd, l->events, EVENTS_A_TURN, wait_ms(l, max_wait_ms));

    assert(n != -1 || errno == EINTR);
    l->hurry = false;
    l->busy = n > 0;
    take_time(l);
    for (int i = 0; i < n; i++) {
        struct loop_watch *w = l->events[i].data.ptr;

        if (w->fn)
            w->fn(w, l->events[i].events);
    }
    run_posted(l);
    timers_run(&l->timers, l->now_us);
    run_hooks(l);
}

void loop_run(struct loop *l)
{
    while (!l->stop)
        loop_turn(l, -1);
    run_posted(l);
    l->busy = false;
    run_hooks(l);
    l->bound = false; /* whoever cleans up after it */
}

void loop_stop(struct loop *l)
{
    loop_post(l, &l->stop_task);
}

int64_t loop_now_us(const struct loop *l)
{
    return l->now_us;
}

int64_t loop_clock_us(const struct loop *l)
{
    return clock_mono_us(l->clock);
}

struct str loop_date(const struct loop *l)
{
    return str_make(l->date, HTTP_DATE_LEN);
}

unsigned loop_index(const struct loop *l)
{
    return l->index;
}

bool loop_is_here(const struct loop *l)
{
    return !l->bound || pthread_equal(l->thread, pthread_self());
}

int loop_watch(struct loop *l, struct loop_watch *w, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = w};

    assert(w->fn);
    w->events = events;
    return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &e);
}

void loop_rewatch(struct loop *l, struct loop_watch *w, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = w};

    if (w->events == events)
        return;
    w->events = events;

    int rc = epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &e);

    assert(rc == 0);
}

void loop_unwatch(struct loop *l, struct loop_watch *w)
{
    struct epoll_event e = {0};

    if (!w->fn)
        return;
    w->fn = NULL;
    epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, &e);
}

void loop_timer_set(struct loop *l, struct timer *t, int64_t due_us)
{
    timer_set(&l->timers, t, due_us);
}

void loop_timer_clear(struct loop *l, struct timer *t)
{
    timer_clear(&l->timers, t);
}

void loop_on_turn(struct loop *l, struct loop_hook *h)
{
    h->next = NULL;
    *l->last_hook = h;
    l->last_hook = &h->next;
}

void loop_wake(struct loop *l)
{
    uint64_t one = 1;
    ssize_t n;

    do {
        n = write(l->waker.fd, &one, sizeof(one));
    } while (n == -1 && errno == EINTR);
    /* EAGAIN: the counter is full, so the loop is awake anyway. */
}

void loop_hurry(struct loop *l)
{
    l->hurry = true;
}

bool loop_was_busy(const struct loop *l)
{
    return l->busy;
}

void loop_post(struct loop *l, struct loop_task *t)
{
    if (queue_push(&l->tasks, &t->node))
        loop_wake(l);
}

void loop_post_node(struct loop *l, struct queue_node *n)
{
    if (queue_push(&l->nodes, n))
        loop_wake(l);
}

void loop_on_node(struct loop *l, void (*fn)(struct queue_node *n))
{
    l->on_node = fn;
}
