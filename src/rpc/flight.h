/* SPDX-License-Identifier: Apache-2.0 */
/* One request in flight: what dispatch keeps of it, and the steps that its files share. Private to
 * rpc. Lives in the exchange's arena; owned by whichever thread owns the exchange. */
#ifndef RPC_FLIGHT_H
#define RPC_FLIGHT_H

#include "base/meet.h"
#include "base/slot.h"
#include "rpc/coder.h"
#include "rpc/dispatch.h"

#define STATUS_SERIES 32 /* at least as many as status_index() knows */

/* Everything that is known of a route, or of a dialect's unknown paths, before a request comes. */
struct route_info {
    const struct dialect *dialect;
    const struct route *route; /* NULL: the dialect's unknown paths */
    void *app;                 /* of the route's table */
    struct str label;          /* of log lines and series */
    size_t limit_slot;
    struct metric_histogram *seconds;
    struct slot requests[STATUS_SERIES]; /* struct metric_counter, made when first needed */
    struct slot calls[CODE_COUNT];       /* same, of methods */
};

struct dispatch {
    struct http_service service;
    struct rpc_host *host;
    const struct router *router;
    struct arena *arena;
    struct coders *coders;
    struct route_info *routes; /* by the router's index */
    size_t route_count;
    struct route_info *misses; /* one a dialect */
    size_t miss_count;
    const struct route_table *fallback; /* of the dialect that owns "/" */
    struct metric_gauge *in_flight;
    struct metric_histogram *worker_wait;
    struct metric_histogram *write_wait;
};

struct rpc_stream;

struct flight {
    struct call call;
    struct dispatch *d;
    struct route_info *info;
    struct caller caller;
    struct limit_lease lease;
    struct limit_state limit;
    uint32_t allow; /* for 405 */
    bool gzipped;   /* the request's body is packed, in this format */
    enum gzip_format packing;
    bool zstd;      /* not in that one, but in Zstandard's */
    enum code code; /* of the outcome, for the access line */
    int64_t queued_us;
    int64_t started_us; /* on the lane; 0: not yet */
    struct work work;
    struct rpc_write write;
    handler_fn step;             /* where call_move() goes on; NULL: at the handler */
    enum lane next;              /* of the step, once call_move() was called */
    struct meet meet;            /* of call_wait()'s handler and call_done() */
    int result;                  /* that call_done() told */
    struct rpc_stream *stream;   /* of a streaming method */
    struct http_source *dropped; /* of an answer that was thrown away; closed at home */
    struct kv context[3];
    char request_id[24];
    struct fail fail;
};

/* --- accept.c: what is decided from the head alone; -1 with fl->fail and *status (0: by code) ---
 */

int accept_query(struct flight *fl) MUST_CHECK;
int accept_caller(struct flight *fl) MUST_CHECK;
int accept_media(struct flight *fl, int *status) MUST_CHECK;
int accept_coding(struct flight *fl, int *status) MUST_CHECK;
int accept_length(struct flight *fl, int *status) MUST_CHECK;
int accept_rate(struct flight *fl) MUST_CHECK;

/* A DELETE tells only with its body whether its media type matters. Also inflates the body. */
int accept_body(struct flight *fl, int *status) MUST_CHECK;

struct str request_id_take(struct flight *fl);

/* --- dispatch.c --- */

/* A mistake of ours leaves a trace with its details; the client's own mistakes do not. */
void flight_log_failure(const struct flight *fl);

/* --- reply.c: from outcome to answer; does not send --- */

/* Forgets what a handler has written so far. */
void reply_reset(struct flight *fl);

/* fl->fail in the dialect's shape; status 0: by its code. */
void reply_error(struct flight *fl, int status);

/* What the handler has written, or an error when it was too much. Compresses when allowed. */
void reply_success(struct flight *fl, bool may_compress);

/* --- record.c: metrics and the access line --- */

void record_sent(struct flight *fl);

#endif
