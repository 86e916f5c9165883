/* SPDX-License-Identifier: Apache-2.0 */
/* Shared belongings of one loop's connections. */
#include "net/host.h"

#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/heap.h"
#include "net/conn.h"
#include "net/exchange.h"

#define ARENA_FIRST_BYTES 6144

static void free_dead(struct host *h)
{
    while (h->dead) {
        struct conn *c = h->dead;

        h->dead = c->next_dead;
        conn_free(c);
    }
}

static void at_turn_end(struct loop_hook *hook)
{
    struct host *h = CONTAINER_OF(hook, struct host, hook);

    /* Running one may mark another, or mark itself for later: take the list as it is now. */
    for (int round = 0; h->dirty && round < 4; round++) {
        struct conn *list = h->dirty;

        h->dirty = NULL;
        while (list) {
            struct conn *c = list;

            list = c->next_dirty;
            c->next_dirty = NULL;
            c->is_dirty = false;
            conn_run(c);
        }
    }
    if (h->dirty)
        loop_wake(h->loop);
    free_dead(h);
    log_flush(h->logger);
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
