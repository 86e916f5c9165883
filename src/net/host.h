/* SPDX-License-Identifier: Apache-2.0 */
/* What the connections of one loop share: service, limits, buffers, arenas, and the lists of those
 * that need care before the turn ends. Loop thread only. */
#ifndef NET_HOST_H
#define NET_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/log.h"
#include "net/http.h"
#include "net/http_limits.h"
#include "net/loop.h"
#include "net/net_metrics.h"

struct conn;
struct exchange;
struct ssl_ctx_st;

#define HOST_READ_BYTES    (64 * 1024)
#define HOST_OUT_BYTES     (16 * 1024) /* first size of an output buffer */
#define HOST_SPARE_ARENAS  128
#define HOST_SPARE_BUFFERS 64

/* Bytes on their way to a client. */
struct out_buffer {
    struct out_buffer *next; /* among the spare ones */
    size_t at;               /* written up to here */
    size_t len;
    size_t cap;
    uint8_t data[];
};

struct host {
    struct loop *loop;
    const struct http_service *service;
    const struct log *log;
    struct logger *logger;
    struct net_metrics *metrics;
    struct http_limits limits;
    struct ssl_ctx_st *tls; /* a reference of our own; NULL when there is none */

    struct conn *conns;
    size_t conn_count;
    struct conn **last_dirty;
    struct conn *dirty; /* have something to do before the turn ends */
    struct conn *later; /* go on in the next turn */
    struct conn *dead;  /* closed, to be freed at the end of the turn */
    struct exchange *exchanges;
    bool draining;
    void (*on_empty)(void *arg); /* draining, and the last connection and exchange went */
    void *on_empty_arg;

    int64_t log_since_us; /* lines have been waiting; 0: none have */
    struct loop_hook hook;
    struct arena *arenas[HOST_SPARE_ARENAS];
    size_t arena_count;
    struct out_buffer *buffers;
    size_t buffer_count;
    uint8_t read_buffer[HOST_READ_BYTES];
};

struct host *host_new(struct loop *loop, const struct http_service *service, const struct log *log,
                      struct net_metrics *metrics, const struct http_limits *limits)
    RETURNS_NONNULL;

/* Cuts the connections that are left and ends every exchange. */
void host_free(struct host **h);

/* Cuts all connections at once. */
void host_cut(struct host *h);

/* Tells every connection to finish what it has begun. */
void host_drain(struct host *h);

struct arena *host_take_arena(struct host *h) RETURNS_NONNULL;
void host_give_arena(struct host *h, struct arena *a);

struct out_buffer *host_take_buffer(struct host *h) RETURNS_NONNULL;
void host_give_buffer(struct host *h, struct out_buffer *b);

/* Takes over the reference. */
void host_set_tls(struct host *h, struct ssl_ctx_st *tls);

#endif
