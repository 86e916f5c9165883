/* SPDX-License-Identifier: Apache-2.0 */
/* Shared belongings of one loop's connections. */
#include "net/host.h"

#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/heap.h"
#include "net/conn.h"
#include "net/exchange.h"

#define ARENA_FIRST_BYTES 6144
#define LOG_BYTES         (32 * 1024)
#define LOG_WAIT_US       2000

static void free_dead(struct host *h)
{
    while (h->dead) {
        struct conn *c = h->dead;

        h->dead = c->next_dead;
        conn_free(c);
    }
}

/* Running one may mark another: take the list as it is now. */
static void run_dirty(struct host *h)
{
    for (int round = 0; h->dirty && round < 4; round++) {
        struct conn *list = h->dirty;

        h->dirty = NULL;
        h->last_dirty = &h->dirty;
        while (list) {
            struct conn *c = list;

            list = c->next_dirty;
            c->next_dirty = NULL;
            c->is_dirty = false;
            conn_run(c);
        }
    }
}

/* Whoever has more to do goes on in the next turn, which does not wait; the dead do not. */
static void keep_dirty(struct host *h)
{
    struct conn **at = &h->dirty;

    *h->last_dirty = h->later;
    h->later = NULL;
    while (*at) {
        if ((*at)->stage == CONN_CLOSED)
            *at = (*at)->next_dirty;
        else
            at = &(*at)->next_dirty;
    }
    h->last_dirty = at;
    if (h->dirty)
        loop_hurry(h->loop);
}

/* Lines go out many at a time while there is work, but at once when there is none, and never late.
 */
static void send_log(struct host *h)
{
    size_t gathered = log_gathered(h->logger);
    int64_t now = loop_now_us(h->loop);

    if (gathered == 0)
        return;
    if (h->log_since_us == 0)
        h->log_since_us = now;
    if (gathered < LOG_BYTES && now - h->log_since_us < LOG_WAIT_US && loop_was_busy(h->loop)) {
        loop_hurry(h->loop);
        return;
    }
    log_flush(h->logger);
    h->log_since_us = 0;
}

static void at_turn_end(struct loop_hook *hook)
{
    struct host *h = CONTAINER_OF(hook, struct host, hook);

    run_dirty(h);
    keep_dirty(h);
    free_dead(h);
    send_log(h);
    if (h->draining && h->on_empty && !h->conns && !h->exchanges) {
        void (*fn)(void *arg) = h->on_empty;

        h->on_empty = NULL;
        fn(h->on_empty_arg);
    }
}

struct host *host_new(struct loop *loop, const struct http_service *service, const struct log *log,
                      struct net_metrics *metrics, const struct http_limits *limits)
{
    struct host *h = heap_new_type(struct host);

    h->loop = loop;
    h->service = service;
    h->log = log;
    h->logger = log->out;
    h->metrics = metrics;
    h->limits = *limits;
    h->last_dirty = &h->dirty;
    h->hook.fn = at_turn_end;
    loop_on_turn(loop, &h->hook);
    loop_on_node(loop, exchange_on_posted);
    return h;
}

void host_cut(struct host *h)
{
    for (struct conn *c = h->conns, *next; c; c = next) {
        next = c->next;
        conn_close(c, CLOSE_CUT);
    }
}

void host_drain(struct host *h)
{
    h->draining = true;
    for (struct conn *c = h->conns, *next; c; c = next) {
        next = c->next;
        conn_drain(c);
    }
}

void host_free(struct host **host)
{
    struct host *h = *host;

    if (!h)
        return;
    host_cut(h);
    free_dead(h);

    /* Whoever still has one of these was to be stopped before. */
    while (h->exchanges) {
        h->exchanges->x.held = false;
        exchange_finish(h->exchanges);
    }
    for (size_t i = 0; i < h->arena_count; i++)
        arena_free(&h->arenas[i]);
    while (h->buffers) {
        struct out_buffer *b = h->buffers;

        h->buffers = b->next;
        free(b);
    }
    SSL_CTX_free(h->tls);
    free(h);
    *host = NULL;
}

struct arena *host_take_arena(struct host *h)
{
    if (h->arena_count > 0)
        return h->arenas[--h->arena_count];
    return arena_new(ARENA_FIRST_BYTES);
}

void host_give_arena(struct host *h, struct arena *a)
{
    if (h->arena_count == HOST_SPARE_ARENAS) {
        arena_free(&a);
        return;
    }
    arena_reset(a);
    h->arenas[h->arena_count++] = a;
}

struct out_buffer *host_take_buffer(struct host *h)
{
    struct out_buffer *b = h->buffers;

    if (!b) {
        b = heap_alloc(sizeof(*b) + HOST_OUT_BYTES);
        b->cap = HOST_OUT_BYTES;
    } else {
        h->buffers = b->next;
        h->buffer_count--;
    }
    b->next = NULL;
    b->at = b->len = 0;
    return b;
}

void host_give_buffer(struct host *h, struct out_buffer *b)
{
    if (h->buffer_count == HOST_SPARE_BUFFERS) {
        free(b);
        return;
    }
    b->next = h->buffers;
    h->buffers = b;
    h->buffer_count++;
}

void host_set_tls(struct host *h, struct ssl_ctx_st *tls)
{
    SSL_CTX_free(h->tls);
    h->tls = tls;
}
