/* SPDX-License-Identifier: Apache-2.0 */
/* The client's thread turns in run(): take what came in, let libcurl work, give back what is done,
 * wait. Others reach it through the locked part of the struct and curl_multi_wakeup(). Total
 * timeouts are kept here and not by libcurl, which does not count the wait for a free connection.
 */
#include "net/http_client.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "net/http_transfer.h"

#define TIMEOUT_MS_DEFAULT      30000
#define CONNECTIONS_MAX_DEFAULT 256
#define PER_HOST_MAX_DEFAULT    16
#define PENDING_MAX_DEFAULT     4096
#define IDLE_WAIT_MS            60000

struct fetch_queue {
    struct http_fetch *head;
    struct http_fetch *tail;
};

struct http_client {
    const struct clock *clock;
    struct http_client_tls tls;
    uint32_t pending_max;
    CURLM *multi;
    pthread_t thread;
    struct metric_counter *outcomes[HTTP_OUTCOME_COUNT]; /* NULL without metrics */
    struct metric_histogram *seconds;
    struct metric_gauge *in_flight;

    /* The client's thread only. */
    struct allow_list *allow;
    struct http_fetch *running;
    int64_t next_expiry_us; /* not after the earliest expiry among the running */

    pthread_mutex_t lock; /* guards the rest, and stage and cancel of every fetch handed in */
    struct fetch_queue incoming;
    struct allow_list *new_allow;
    uint32_t pending;
    bool cancels; /* somebody asked for a cancel since the thread last looked */
    bool closing;
};

struct sleeper {
    pthread_mutex_t lock; /* guards over */
    pthread_cond_t wake;
    bool over;
};

static void curl_init(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
}

/* -- the client's thread ----------------------------------------------------------------------- */

static void link_running(struct http_client *c, struct http_fetch *x)
{
    x->prev = NULL;
    x->next = c->running;
    if (c->running)
        c->running->prev = x;
    c->running = x;
    c->next_expiry_us = MIN(c->next_expiry_us, x->expires_us);
}

static void unlink_running(struct http_client *c, struct http_fetch *x)
{
    if (x->prev)
        x->prev->next = x->next;
    else
        c->running = x->next;
    if (x->next)
        x->next->prev = x->prev;
}

static void done_on_loop(struct loop_task *task)
{
    struct http_fetch *x = CONTAINER_OF(task, struct http_fetch, posted);

    x->done(x);
}

static void give_back(struct http_client *c, struct http_fetch *x, enum http_outcome outcome)
{
    http_transfer_free(&x->transfer);
    x->took_us = clock_mono_us(c->clock) - x->submitted_us;
    if (c->seconds) {
        counter_add(c->outcomes[outcome], 1);
        histogram_observe(c->seconds, (double)x->took_us / 1e6);
        gauge_add(c->in_flight, -1);
    }
    pthread_mutex_lock(&c->lock);
    x->stage = HTTP_FETCH_OVER;
    c->pending--;
    pthread_mutex_unlock(&c->lock);
    if (x->loop) {
        x->posted.fn = done_on_loop;
        loop_post(x->loop, &x->posted);
    } else {
        x->done(x);
    }
}

static void stop_running(struct http_client *c, struct http_fetch *x)
{
    CURLMcode code = curl_multi_remove_handle(c->multi, http_transfer_easy(x->transfer));

    assert(code == CURLM_OK);
    unlink_running(c, x);
}

static void add_running(struct http_client *c, struct http_fetch *x)
{
    CURLMcode code = curl_multi_add_handle(c->multi, http_transfer_easy(x->transfer));

    assert(code == CURLM_OK);
    link_running(c, x);
}

static void collect(struct http_client *c)
{
    struct CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(c->multi, &left))) {
        CURLcode code = m->data.result; /* gone with the handle's removal */
        struct http_transfer *t;
        struct http_fetch *x;

        if (m->msg != CURLMSG_DONE)
            continue;
        t = http_transfer_of(m->easy_handle);
        x = http_transfer_fetch(t);
        stop_running(c, x);
        if (http_transfer_redirect(t, code))
            add_running(c, x);
        else
            give_back(c, x, http_transfer_finish(t, code));
    }
}

static void expire(struct http_client *c)
{
    int64_t now = clock_mono_us(c->clock);
    struct http_fetch *next;

    if (now < c->next_expiry_us)
        return;
    c->next_expiry_us = INT64_MAX;
    for (struct http_fetch *x = c->running; x; x = next) {
        next = x->next;
        if (x->expires_us <= now) {
            stop_running(c, x);
            give_back(c, x, http_transfer_end(x->transfer, HTTP_TRANSFER_TIMED_OUT));
        } else {
            c->next_expiry_us = MIN(c->next_expiry_us, x->expires_us);
        }
    }
}

static bool wants_cancel(struct http_client *c, const struct http_fetch *x)
{
    bool wants;

    pthread_mutex_lock(&c->lock);
    wants = x->cancel;
    pthread_mutex_unlock(&c->lock);
    return wants;
}

static void end_running(struct http_client *c, enum http_transfer_end why)
{
    struct http_fetch *next;

    for (struct http_fetch *x = c->running; x; x = next) {
        next = x->next;
        if (why == HTTP_TRANSFER_CANCELED && !wants_cancel(c, x))
            continue;
        stop_running(c, x);
        give_back(c, x, http_transfer_end(x->transfer, why));
    }
}

static void start(struct http_client *c, struct http_fetch *x, bool closing)
{
    if (c->in_flight)
        gauge_add(c->in_flight, 1);
    if (closing)
        give_back(c, x, http_transfer_end(x->transfer, HTTP_TRANSFER_CLOSING));
    else if (wants_cancel(c, x))
        give_back(c, x, http_transfer_end(x->transfer, HTTP_TRANSFER_CANCELED));
    else if (x->expires_us <= clock_mono_us(c->clock))
        give_back(c, x, http_transfer_end(x->transfer, HTTP_TRANSFER_TIMED_OUT));
    else if (!http_transfer_may_start(x->transfer))
        give_back(c, x, http_transfer_deny(x->transfer));
    else
        add_running(c, x);
}

/* Returns whether the client is closing. */
static bool take_messages(struct http_client *c)
{
    struct http_fetch *incoming;
    struct http_fetch *next;
    struct allow_list *list;
    bool cancels;
    bool closing;

    pthread_mutex_lock(&c->lock);
    incoming = c->incoming.head;
    c->incoming = (struct fetch_queue){NULL, NULL};
    list = c->new_allow;
    c->new_allow = NULL;
    cancels = c->cancels;
    c->cancels = false;
    closing = c->closing;
    pthread_mutex_unlock(&c->lock);

    if (list) {
        allow_list_free(&c->allow);
        c->allow = list;
    }
    if (closing)
        end_running(c, HTTP_TRANSFER_CLOSING);
    else if (cancels)
        end_running(c, HTTP_TRANSFER_CANCELED);
    for (struct http_fetch *x = incoming; x; x = next) {
        next = x->next;
        start(c, x, closing);
    }
    return closing;
}

static int wait_ms(const struct http_client *c)
{
    int64_t left_us;

    if (!c->running || c->next_expiry_us == INT64_MAX)
        return IDLE_WAIT_MS;
    left_us = c->next_expiry_us - clock_mono_us(c->clock);
    if (left_us <= 0)
        return 0;
    return (int)MIN(left_us / 1000 + 1, IDLE_WAIT_MS);
}

static void *run(void *arg)
{
    struct http_client *c = arg;

    while (!take_messages(c)) {
        int ignored;
        CURLMcode code = curl_multi_perform(c->multi, &ignored);

        assert(code == CURLM_OK);
        collect(c);
        expire(c);
        code = curl_multi_poll(c->multi, NULL, 0, wait_ms(c), NULL);
        assert(code == CURLM_OK);
    }
    return NULL;
}

/* -- any thread -------------------------------------------------------------------------------- */

static void make_metrics(struct http_client *c, struct metrics *m)
{
    for (unsigned i = 0; i < HTTP_OUTCOME_COUNT; i++) {
        char label[64];

        snprintf(label, sizeof(label), "result=\"%s\"", http_outcome_name((enum http_outcome)i));
        c->outcomes[i] = metrics_counter(m, "muster_outbound_requests_total",
                                         "Requests sent to other servers, by outcome.", label);
    }
    c->seconds = metrics_histogram(m, "muster_outbound_seconds",
                                   "Time from handing a request over to its outcome.", "", NULL, 0);
    c->in_flight =
        metrics_gauge(m, "muster_outbound_in_flight", "Requests to other servers under way.", "");
}

static int start_thread(struct http_client *c, struct fail *f)
{
    sigset_t all;
    sigset_t before;
    int error;

    /* Signals are the main thread's; with SIGPIPE blocked a write to a closed peer is an errno. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    error = pthread_create(&c->thread, NULL, run, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        fail_set(f, CODE_RESOURCE_EXHAUSTED, "cannot start the thread for outbound requests");
        return fail_detail(f, "pthread_create: %s", strerrordesc_np(error));
    }
    pthread_setname_np(c->thread, "outbound");
    return 0;
}

static void set_multi(struct http_client *c, const struct http_client_options *o)
{
    long total = o->connections_max ? (long)o->connections_max : CONNECTIONS_MAX_DEFAULT;
    long per_host = o->per_host_max ? (long)o->per_host_max : PER_HOST_MAX_DEFAULT;

    c->multi = curl_multi_init();
    if (!c->multi)
        abort();
    if (curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, total) != CURLM_OK ||
        curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, total) != CURLM_OK ||
        curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, per_host) != CURLM_OK)
        abort();
}

static void client_done(struct http_client *c)
{
    curl_multi_cleanup(c->multi);
    allow_list_free(&c->allow);
    allow_list_free(&c->new_allow);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

int http_client_new(const struct http_client_options *o, struct allow_list **allow,
                    struct http_client **out, struct fail *f)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct http_client *c = heap_new_type(struct http_client);

    pthread_once(&once, curl_init);
    c->clock = o->clock;
    c->tls = o->tls;
    c->pending_max = o->pending_max ? o->pending_max : PENDING_MAX_DEFAULT;
    c->next_expiry_us = INT64_MAX;
    c->allow = *allow;
    *allow = NULL;
    pthread_mutex_init(&c->lock, NULL);
    if (o->metrics)
        make_metrics(c, o->metrics);
    set_multi(c, o);
    if (start_thread(c, f) < 0) {
        client_done(c);
        return -1;
    }
    *out = c;
    return 0;
}

void http_client_free(struct http_client **c)
{
    if (!*c)
        return;
    pthread_mutex_lock(&(*c)->lock);
    (*c)->closing = true;
    pthread_mutex_unlock(&(*c)->lock);
    curl_multi_wakeup((*c)->multi);
    pthread_join((*c)->thread, NULL);
    assert(!(*c)->running && !(*c)->incoming.head);
    client_done(*c);
    *c = NULL;
}

void http_client_set_allow(struct http_client *c, struct allow_list **allow)
{
    struct allow_list *unused;

    pthread_mutex_lock(&c->lock);
    unused = c->new_allow;
    c->new_allow = *allow;
    pthread_mutex_unlock(&c->lock);
    *allow = NULL;
    allow_list_free(&unused);
    curl_multi_wakeup(c->multi);
}

static int enqueue(struct http_client *c, struct http_fetch *x, struct fail *f)
{
    int result = 0;

    pthread_mutex_lock(&c->lock);
    if (c->closing) {
        result = fail_reason(f, CODE_CANCELED, "closing", "the server is shutting down");
    } else if (c->pending >= c->pending_max) {
        result = fail_reason(f, CODE_RESOURCE_EXHAUSTED, "too_many_fetches",
                             "too many outbound requests wait already");
    } else {
        c->pending++;
        x->stage = HTTP_FETCH_PENDING;
        x->cancel = false;
        x->next = NULL;
        if (c->incoming.tail)
            c->incoming.tail->next = x;
        else
            c->incoming.head = x;
        c->incoming.tail = x;
    }
    pthread_mutex_unlock(&c->lock);
    return result;
}

int http_client_submit(struct http_client *c, struct http_fetch *x, struct fail *f)
{
    uint32_t timeout_ms = x->timeout_ms ? x->timeout_ms : TIMEOUT_MS_DEFAULT;

    assert(x->arena && x->done);
    x->submitted_us = clock_mono_us(c->clock);
    x->expires_us = x->submitted_us + (int64_t)timeout_ms * 1000;
    if (x->deadline_us > 0)
        x->expires_us = MIN(x->expires_us, x->deadline_us);
    if (http_transfer_new(x, x->tls ? x->tls : &c->tls, &c->allow, &x->transfer, f) < 0)
        return -1;
    if (enqueue(c, x, f) < 0) {
        http_transfer_free(&x->transfer);
        return -1;
    }
    curl_multi_wakeup(c->multi);
    return 0;
}

static void wake_sleeper(struct http_fetch *x)
{
    struct sleeper *s = x->sleeper;

    pthread_mutex_lock(&s->lock);
    s->over = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

int http_client_fetch(struct http_client *c, struct http_fetch *x, struct fail *f)
{
    struct sleeper s = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

    assert(!x->done && !x->loop);
    x->sleeper = &s;
    x->done = wake_sleeper;
    if (http_client_submit(c, x, f) < 0) {
        x->done = NULL;
        return -1;
    }
    pthread_mutex_lock(&s.lock);
    while (!s.over)
        pthread_cond_wait(&s.wake, &s.lock);
    pthread_mutex_unlock(&s.lock);
    pthread_cond_destroy(&s.wake);
    pthread_mutex_destroy(&s.lock);
    x->sleeper = NULL;
    x->done = NULL;
    if (x->result < 0)
        *f = x->fail;
    return x->result;
}

void http_client_cancel(struct http_client *c, struct http_fetch *x)
{
    bool wake = false;

    pthread_mutex_lock(&c->lock);
    if (x->stage == HTTP_FETCH_PENDING) {
        x->cancel = true;
        c->cancels = true;
        wake = true;
    }
    pthread_mutex_unlock(&c->lock);
    if (wake)
        curl_multi_wakeup(c->multi);
}
