/* SPDX-License-Identifier: Apache-2.0 */
/* The helpers share the locked part with the owner and count as its holders: the last one out frees
 * it, since a helper cannot be called back from getaddrinfo(). */
#include "net/resolver.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"

#define KEEP_MS_DEFAULT 10000
#define THREADS_DEFAULT 4
#define KEPT_MAX        64

struct resolver_question {
    struct loop_task task;
    struct loop *loop;
    struct resolver_question *next;
    void (*fn)(void *ctx, const struct resolver_answer *a); /* the loop's; NULL when canceled */
    void *ctx;
    struct resolver_answer answer;
    char name[RESOLVER_NAME_MAX + 1];
};

struct kept {
    int64_t until_us;
    struct resolver_answer answer;
    char name[RESOLVER_NAME_MAX + 1];
};

struct resolver {
    const struct clock *clock;
    int64_t keep_us;
    uint32_t threads_max;
    int (*look_up)(const char *name, const struct addrinfo *hints, struct addrinfo **out);

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t wake;
    struct resolver_question *first;
    struct resolver_question **end;
    struct kept *kept[KEPT_MAX];
    uint32_t threads;
    uint32_t waiting;
    uint32_t queued;
    uint32_t holders;
    bool closing;
};

/* -- what is kept; under the lock -------------------------------------------------------------- */

static const struct kept *kept_find(const struct resolver *r, const char *name)
{
    int64_t now = clock_mono_us(r->clock);

    for (size_t i = 0; i < KEPT_MAX; i++)
        if (r->kept[i] && r->kept[i]->until_us > now && strcmp(r->kept[i]->name, name) == 0)
            return r->kept[i];
    return NULL;
}

/* Takes the place of the same name, else of the one that ends first. */
static void keep(struct resolver *r, const struct resolver_question *q)
{
    size_t at = 0;

    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (r->kept[i] && strcmp(r->kept[i]->name, q->name) == 0) {
            at = i;
            break;
        }
        if (r->kept[at] && (!r->kept[i] || r->kept[i]->until_us < r->kept[at]->until_us))
            at = i;
    }
    if (!r->kept[at])
        r->kept[at] = heap_new_type(struct kept);
    r->kept[at]->until_us = clock_mono_us(r->clock) + r->keep_us;
    r->kept[at]->answer = q->answer;
    memcpy(r->kept[at]->name, q->name, sizeof(q->name));
}

/* -- the helpers ------------------------------------------------------------------------------- */

static void take_addresses(struct resolver_answer *a, const struct addrinfo *list)
{
    for (const struct addrinfo *i = list; i && a->count < RESOLVER_ADDRESSES; i = i->ai_next) {
        if ((i->ai_family != AF_INET && i->ai_family != AF_INET6) ||
            i->ai_addrlen > sizeof(a->addresses[0]))
            continue;
        memcpy(&a->addresses[a->count++], i->ai_addr, i->ai_addrlen);
    }
}

static void look_up(const struct resolver *r, struct resolver_question *q)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    int error = r->look_up(q->name, &hints, &list);

    if (error == 0) {
        take_addresses(&q->answer, list);
        freeaddrinfo(list);
    }
    if (q->answer.count == 0) {
        fail_reason(&q->answer.why, CODE_UNAVAILABLE, "dns", "no address is known for '%.120s'",
                    q->name);
        fail_detail(&q->answer.why, "getaddrinfo: %s",
                    error == 0 ? "no IPv4 or IPv6 address" : gai_strerror(error));
    }
}

static void on_answer(struct loop_task *t)
{
    struct resolver_question *q = CONTAINER_OF(t, struct resolver_question, task);

    if (q->fn)
        q->fn(q->ctx, &q->answer);
    free(q);
}

static void post_answer(struct resolver_question *q)
{
    q->task.fn = on_answer;
    loop_post(q->loop, &q->task);
}

/* Gives the lock back; the resolver may be gone after this. */
static void let_go(struct resolver *r)
{
    bool last = --r->holders == 0;

    pthread_mutex_unlock(&r->lock);
    if (!last)
        return;
    for (size_t i = 0; i < KEPT_MAX; i++)
        free(r->kept[i]);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void answer_next(struct resolver *r)
{
    struct resolver_question *q = r->first;

    r->first = q->next;
    if (!r->first)
        r->end = &r->first;
    r->queued--;
    pthread_mutex_unlock(&r->lock);
    look_up(r, q);
    pthread_mutex_lock(&r->lock);
    if (r->closing) { /* its loop may be gone */
        free(q);
        return;
    }
    if (q->answer.count > 0)
        keep(r, q);
    post_answer(q);
}

static void *help(void *arg)
{
    struct resolver *r = arg;

    pthread_mutex_lock(&r->lock);
    while (!r->closing) {
        if (r->first) {
            answer_next(r);
            continue;
        }
        r->waiting++;
        pthread_cond_wait(&r->wake, &r->lock);
        r->waiting--;
    }
    let_go(r);
    return NULL;
}

/* Under the lock. False when there is nobody to help. */
static bool start_helper(struct resolver *r)
{
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    int error;

    if (r->threads == r->threads_max)
        return true;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* signals are the main thread's */
    error = pthread_create(&thread, NULL, help, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return r->threads > 0;
    pthread_setname_np(thread, "resolver");
    pthread_detach(thread);
    r->threads++;
    r->holders++;
    return true;
}

static int system_look_up(const char *name, const struct addrinfo *hints, struct addrinfo **out)
{
    return getaddrinfo(name, NULL, hints, out);
}

/* -- owner and loops --------------------------------------------------------------------------- */

struct resolver *resolver_new(const struct resolver_options *o)
{
    struct resolver *r = heap_new_type(struct resolver);

    r->clock = o->clock;
    r->keep_us = (int64_t)(o->keep_ms ? o->keep_ms : KEEP_MS_DEFAULT) * 1000;
    r->threads_max = o->threads ? o->threads : THREADS_DEFAULT;
    r->look_up = o->look_up ? o->look_up : system_look_up;
    r->end = &r->first;
    r->holders = 1;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->wake, NULL);
    return r;
}

void resolver_free(struct resolver **r)
{
    struct resolver_question *q;

    if (!*r)
        return;
    pthread_mutex_lock(&(*r)->lock);
    (*r)->closing = true;
    while ((q = (*r)->first)) {
        (*r)->first = q->next;
        free(q);
    }
    pthread_cond_broadcast(&(*r)->wake);
    let_go(*r);
    *r = NULL;
}

bool resolver_parse(struct str text, struct sockaddr_storage *out)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    char z[INET6_ADDRSTRLEN];

    if (text.len == 0 || text.len >= sizeof(z) || memchr(text.p, '\0', text.len))
        return false;
    memcpy(z, text.p, text.len);
    z[text.len] = '\0';
    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, z, &v4.sin_addr) == 1)
        memcpy(out, &v4, sizeof(v4));
    else if (inet_pton(AF_INET6, z, &v6.sin6_addr) == 1)
        memcpy(out, &v6, sizeof(v6));
    else
        return false;
    return true;
}

static bool enqueue(struct resolver *r, struct resolver_question *q)
{
    if (r->queued >= r->waiting && !start_helper(r))
        return false;
    *r->end = q;
    r->end = &q->next;
    r->queued++;
    pthread_cond_signal(&r->wake);
    return true;
}

struct resolver_question *resolver_ask(struct resolver *r, struct loop *loop, struct str name,
                                       void (*fn)(void *ctx, const struct resolver_answer *a),
                                       void *ctx)
{
    struct resolver_question *q = heap_new_type(struct resolver_question);
    const struct kept *k;

    q->loop = loop;
    q->fn = fn;
    q->ctx = ctx;
    if (resolver_parse(name, &q->answer.addresses[0])) {
        q->answer.count = 1;
        post_answer(q);
        return q;
    }
    if (name.len == 0 || name.len > RESOLVER_NAME_MAX || memchr(name.p, '\0', name.len)) {
        fail_reason(&q->answer.why, CODE_UNAVAILABLE, "dns", "this is not a host's name");
        post_answer(q);
        return q;
    }
    memcpy(q->name, name.p, name.len);

    pthread_mutex_lock(&r->lock);
    k = kept_find(r, q->name);
    if (k) {
        q->answer = k->answer;
        post_answer(q);
    } else if (!enqueue(r, q)) {
        fail_reason(&q->answer.why, CODE_UNAVAILABLE, "dns", "cannot start a thread to look it up");
        post_answer(q);
    }
    pthread_mutex_unlock(&r->lock);
    return q;
}

void resolver_cancel(struct resolver_question **q)
{
    if (!*q)
        return;
    (*q)->fn = NULL;
    *q = NULL;
}
