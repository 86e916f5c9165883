/* SPDX-License-Identifier: Apache-2.0 */
/* One streamed answer: a bounded pipe between whoever makes messages (a worker, or the loop itself)
 * and the loop that sends them. Private to rpc.
 *
 * Lives in the exchange's arena, which stays until sent(); a worker's stream holds the exchange
 * (http_release()) until the handler has returned. What the handler makes lives in arenas of its
 * own, since net uses the exchange's while it sends. */
#ifndef RPC_STREAM_H
#define RPC_STREAM_H

#include <pthread.h>

#include "net/loop.h"
#include "rpc/envelope.h"
#include "rpc/flight.h"

/* Bytes that wait for the client before a sender has to wait too. */
#define STREAM_PIPE_BYTES ((size_t)256 * 1024)

struct rpc_stream {
    struct http_source source;
    struct flight *fl;
    struct envelope_call *e;
    struct http_x *x;
    struct arena *memory;  /* the call's */
    struct arena *scratch; /* one answer message */
    struct loop_task task;

    pthread_mutex_t lock; /* guards what follows, down to `done` */
    struct buf out;
    size_t out_at;
    bool posted; /* the task is under way */
    bool closed; /* the client left, or all is out */
    bool ended;  /* nothing more will be put into `out` */
    bool done;   /* the worker has let go */

    /* The worker's. */
    struct buf frame;
    struct waiter *room;
    bool started; /* the answer is with the loop */

    /* The loop's. */
    bool answered;
    bool trailers_put;

    /* Live streams: all on the loop. */
    const struct rpc_live_ops *live;
    void *state;
    struct arena *incoming; /* one request message */
    struct buf in;
    size_t in_at; /* delivered so far */
    struct timer timer;
    bool opened;
    bool half_closed;
    bool paused; /* too much waits to be sent: requests wait, too */
    bool full;   /* too much waits to be sent, and the handler knows */
};

/* The call's arena becomes the stream's. Thread that owns the call. */
struct rpc_stream *stream_new(struct flight *fl) RETURNS_NONNULL;

/* Status and fields of the answer, with the stream as its source. */
void stream_head(struct rpc_stream *s);

/* Bytes that wait to be sent. Takes the lock. */
size_t stream_waiting(struct rpc_stream *s);

/* What ends the stream. Takes the lock; *f with CODE_OK: all is well. */
void stream_put_end(struct rpc_stream *s, const struct fail *f);

/* --- a worker's stream: runs the handler and brings the answer home --- */

void stream_run(struct flight *fl, void (*home)(struct http_x *x));

/* --- live.c --- */

/* head(): a stream of requests begins. ready(): its only request is there. The answer is sent; -1:
 * refused, fl->fail says why. */
int live_begin(struct flight *fl) MUST_CHECK;
void live_readable(struct flight *fl);
int live_send(struct rpc_stream *s, const void *message, struct fail *f) MUST_CHECK;
void live_on_task(struct rpc_stream *s);
void live_on_drained(struct rpc_stream *s); /* from inside the source's read() */
void live_on_close(struct rpc_stream *s);

#endif
