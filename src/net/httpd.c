/* SPDX-License-Identifier: Apache-2.0 */
/* The server as a whole: what its owner calls is turned into tasks for the loops. */
#include "net/httpd.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/heap.h"
#include "net/conn.h"
#include "net/host.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/net_metrics.h"
#include "net/tls_conn.h"

/* One loop and its thread. The tasks are used once each. */
struct station {
    struct httpd *httpd;
    struct loop *loop;
    struct host *host;
    struct listener *listeners;
    size_t listener_count;
    pthread_t thread;
    bool running;
    bool empty; /* httpd.mutex */
    bool cut;   /* httpd.mutex: no connection is left, whatever it was doing */
    struct loop_task drain_task;
    struct loop_task cut_task;
};

struct httpd {
    struct clock *clock;
    struct net_metrics metrics;
    struct endpoint *endpoints;
    size_t endpoint_count;
    struct station *stations;
    unsigned station_count;
    struct waiter *drained;
    pthread_mutex_t mutex; /* guards `empty` of the stations */
    bool draining;
};

static int bind_for(struct httpd *h, struct station *s, struct fail *f)
{
    bool first = s == h->stations;

    s->listeners = heap_new_array(struct listener, h->endpoint_count);
    for (size_t i = 0; i < h->endpoint_count; i++) {
        struct endpoint *e = &h->endpoints[i];
        int fd;

        if (e->is_unix && !first)
            continue;
        if (endpoint_bind(e, &fd, f) < 0)
            return -1;
        if (listener_start(&s->listeners[s->listener_count], s->host, e, fd, f) < 0)
            return -1;
        s->listener_count++;
    }
    return 0;
}

static int set_up(struct httpd *h, struct station *s, const struct httpd_config *config,
                  struct fail *f)
{
    s->httpd = h;
    if (loop_new(config->clock, (unsigned)(s - h->stations), &s->loop, f) < 0)
        return -1;
    s->host = host_new(s->loop, config->service, config->log, &h->metrics, &config->limits);
    if (config->tls)
        host_set_tls(s->host, tls_context(config->tls));
    return bind_for(h, s, f);
}

static int parse_endpoints(struct httpd *h, const struct httpd_config *config, struct fail *f)
{
    h->endpoints = heap_new_array(struct endpoint, MAX(config->listener_count, 1));
    for (size_t i = 0; i < config->listener_count; i++) {
        if (endpoint_parse(config->listeners[i], &h->endpoints[i], f) < 0)
            return -1;
        if (h->endpoints[i].tls && !config->tls)
            return fail_set(f, CODE_INVALID_ARGUMENT,
                            "listener '%s' needs a TLS certificate and key", config->listeners[i]);
        h->endpoint_count++;
    }
    return 0;
}

int httpd_new(const struct httpd_config *config, struct httpd **out, struct fail *f)
{
    struct httpd *h = heap_new_type(struct httpd);

    h->clock = config->clock;
    h->drained = waiter_new(config->clock);
    pthread_mutex_init(&h->mutex, NULL);
    net_metrics_init(&h->metrics, config->metrics);
    h->station_count = MAX(config->loops, 1u);
    h->stations = heap_new_array(struct station, h->station_count);

    int rc = parse_endpoints(h, config, f);

    for (unsigned i = 0; rc == 0 && i < h->station_count; i++)
        rc = set_up(h, &h->stations[i], config, f);
    if (rc < 0) {
        httpd_free(&h);
        return -1;
    }
    *out = h;
    return 0;
}

static void *run(void *arg)
{
    struct station *s = arg;

    loop_run(s->loop);
    return NULL;
}

int httpd_start(struct httpd *h, struct fail *f)
{
    sigset_t all, before;
    char name[16];
    int rc = 0;

    /* Signals are for the thread that waits for them. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 0; rc == 0 && i < h->station_count; i++) {
        struct station *s = &h->stations[i];

        rc = pthread_create(&s->thread, NULL, run, s);
        s->running = rc == 0;
        if (s->running) {
            snprintf(name, sizeof(name), "loop-%u", i % 1000);
            pthread_setname_np(s->thread, name);
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return fail_set(f, CODE_RESOURCE_EXHAUSTED, "cannot start a loop thread: %s",
                        strerrordesc_np(rc));
    return 0;
}

/* --- draining --- */

static void on_empty(void *arg)
{
    struct station *s = arg;

    pthread_mutex_lock(&s->httpd->mutex);
    s->empty = true;
    pthread_mutex_unlock(&s->httpd->mutex);
    waiter_wake(s->httpd->drained);
}

static void on_drain(struct loop_task *t)
{
    struct station *s = CONTAINER_OF(t, struct station, drain_task);

    for (size_t i = 0; i < s->listener_count; i++)
        listener_stop(&s->listeners[i]);
    s->host->on_empty = on_empty;
    s->host->on_empty_arg = s;
    host_drain(s->host);
}

static void on_cut(struct loop_task *t)
{
    struct station *s = CONTAINER_OF(t, struct station, cut_task);

    host_cut(s->host);
    pthread_mutex_lock(&s->httpd->mutex);
    s->cut = true;
    pthread_mutex_unlock(&s->httpd->mutex);
    waiter_wake(s->httpd->drained);
}

static bool all_empty(struct httpd *h)
{
    bool all = true;

    pthread_mutex_lock(&h->mutex);
    for (unsigned i = 0; i < h->station_count; i++)
        all = all && (h->stations[i].empty || !h->stations[i].running);
    pthread_mutex_unlock(&h->mutex);
    return all;
}

static bool all_cut(struct httpd *h)
{
    bool all = true;

    pthread_mutex_lock(&h->mutex);
    for (unsigned i = 0; i < h->station_count; i++)
        all = all && (h->stations[i].cut || !h->stations[i].running);
    pthread_mutex_unlock(&h->mutex);
    return all;
}

static void post_all(struct httpd *h, size_t task_offset, void (*fn)(struct loop_task *t))
{
    for (unsigned i = 0; i < h->station_count; i++) {
        struct station *s = &h->stations[i];
        struct loop_task *t = (struct loop_task *)(void *)((char *)s + task_offset);

        t->fn = fn;
        if (s->running)
            loop_post(s->loop, t);
    }
}

bool httpd_drain(struct httpd *h, uint32_t timeout_ms)
{
    int64_t until_us = clock_mono_us(h->clock) + (int64_t)timeout_ms * 1000;
    bool in_time = true;

    if (h->draining)
        return all_empty(h);
    h->draining = true;
    post_all(h, offsetof(struct station, drain_task), on_drain);
    while (in_time && !all_empty(h))
        in_time = waiter_wait(h->drained, until_us);
    if (all_empty(h))
        return true;
    post_all(h, offsetof(struct station, cut_task), on_cut);

    /* From here on no loop begins a request: what requests stand on may go. */
    while (!all_cut(h))
        IGNORE(waiter_wait(h->drained, INT64_MAX));
    return false;
}

void httpd_free(struct httpd **httpd)
{
    struct httpd *h = *httpd;

    if (!h)
        return;
    for (unsigned i = 0; i < h->station_count; i++)
        if (h->stations[i].running)
            loop_stop(h->stations[i].loop);
    for (unsigned i = 0; i < h->station_count; i++) {
        struct station *s = &h->stations[i];

        if (s->running)
            pthread_join(s->thread, NULL);
        else if (s->loop)
            loop_turn(s->loop, 0); /* what was posted to a loop that never ran */
        for (size_t k = 0; k < s->listener_count; k++)
            listener_stop(&s->listeners[k]);
        host_free(&s->host);
        loop_free(&s->loop);
        free(s->listeners);
    }
    for (size_t i = 0; i < h->endpoint_count; i++)
        if (h->endpoints[i].is_unix && h->endpoints[i].bound)
            unlink(((struct sockaddr_un *)&h->endpoints[i].address)->sun_path);
    pthread_mutex_destroy(&h->mutex);
    waiter_free(&h->drained);
    free(h->stations);
    free(h->endpoints);
    free(h);
    *httpd = NULL;
}

/* --- questions and changes --- */

uint16_t httpd_port(const struct httpd *h, size_t listener)
{
    assert(listener < h->endpoint_count);
    return endpoint_port(&h->endpoints[listener]);
}

const char *httpd_listener(const struct httpd *h, size_t listener)
{
    assert(listener < h->endpoint_count);
    return h->endpoints[listener].text;
}

unsigned httpd_loop_count(const struct httpd *h)
{
    return h->station_count;
}

struct loop *httpd_loop(const struct httpd *h, unsigned index)
{
    assert(index < h->station_count);
    return h->stations[index].loop;
}

struct change {
    struct loop_task task;
    struct host *host;
    struct http_limits limits;
    struct ssl_ctx_st *tls;
};

static void on_new_limits(struct loop_task *t)
{
    struct change *c = CONTAINER_OF(t, struct change, task);

    c->host->limits = c->limits;
    free(c);
}

static void on_new_tls(struct loop_task *t)
{
    struct change *c = CONTAINER_OF(t, struct change, task);

    host_set_tls(c->host, c->tls);
    free(c);
}

void httpd_set_limits(struct httpd *h, const struct http_limits *limits)
{
    for (unsigned i = 0; i < h->station_count; i++) {
        struct change *c = heap_new_type(struct change);

        c->task.fn = on_new_limits;
        c->host = h->stations[i].host;
        c->limits = *limits;
        loop_post(h->stations[i].loop, &c->task);
    }
}

void httpd_set_tls(struct httpd *h, const struct tls *tls)
{
    for (unsigned i = 0; i < h->station_count; i++) {
        struct change *c = heap_new_type(struct change);

        c->task.fn = on_new_tls;
        c->host = h->stations[i].host;
        c->tls = tls_context(tls);
        loop_post(h->stations[i].loop, &c->task);
    }
}
