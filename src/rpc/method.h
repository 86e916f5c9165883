/* SPDX-License-Identifier: Apache-2.0 */
/* RPC methods as data: what a dialect adds so that its services are served by every envelope. The
 * methods themselves (names, types, scopes, lanes, REST bindings) are generated from .proto; here
 * come the handlers. A handler sees decoded messages and a struct call, never an envelope.
 *
 * rpc_table_new() turns a service table into an ordinary table of routes for router_new(): one
 * route a method under "/package.Service/Method" (Connect, gRPC, gRPC-Web), and one a REST binding.
 * Bindings to HTTP's own methods, that is: GET, POST, PUT, PATCH, DELETE; others are passed over.
 * The dialect must own these paths by its prefixes. Static data and start-up; immutable after. */
#ifndef RPC_METHOD_H
#define RPC_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/macros.h"
#include "codec/proto.h"
#include "codec/protojson.h"
#include "rpc/call.h"
#include "rpc/route.h"

struct rpc_stream;

/* One request, one answer; on the lane that the method names. `response` is zeroed and of the
 * method's output type; what it points to lives in c->arena. On LANE_WRITE it may run again after a
 * rollback: `response` is zeroed again, what it said by call_header() and the like is forgotten. */
typedef int (*rpc_unary_fn)(struct call *c, const void *request, void *response, struct fail *f);

/* Goes on with `next` on another lane: `return rpc_move(c, LANE_WRITE, next);` from an rpc_unary_fn
 * on a loop (to a worker or the write lane) or on a worker (to the write lane). The handler names
 * the lanes that it moves to (rpc_handler.moves). The request and what lies in c->arena stay;
 * `response` is zeroed again and the metadata that was said is forgotten. c->carry takes along what
 * the first part found out. The time that is left and the caller's key are looked at again when
 * the turn comes. */
#define RPC_MOVED 1
int rpc_move(struct call *c, enum lane lane, rpc_unary_fn next);

/* One request, many answers by rpc_send(); on a worker, which it may keep as long as it likes.
 * Returning ends the stream. c->arena lives as long as the call; for one message's data there is
 * rpc_scratch(). */
typedef int (*rpc_stream_fn)(struct call *c, const void *request, struct rpc_stream *s,
                             struct fail *f);

/* A stream that is mostly idle, or that goes both ways: served on its loop, event by event, without
 * a thread of its own. Nothing here may block. For methods with and without client streaming. */
struct rpc_live_ops {
    size_t state_bytes; /* zeroed, at rpc_live_state() */

    /* Optional. The head is there, nothing else; the place for call_header(). */
    int (*open)(struct rpc_stream *s, struct fail *f);

    /* Required. One request message; it lives until the function returns. -1 ends the stream. Comes
     * only while there is room for answers. */
    int (*message)(struct rpc_stream *s, const void *request, struct fail *f);

    /* Required. The client has said all: 0 ends the stream well, RPC_LIVE_ON keeps it until
     * rpc_live_end(), -1 ends it with *f. */
    int (*half_close)(struct rpc_stream *s, struct fail *f);

    /* Optional. There is room for answers again, after rpc_live_is_full() said that there is none.
     */
    void (*drained)(struct rpc_stream *s);

    /* Optional. The stream is over for whatever reason: the last call, exactly once when open()
     * succeeded (or there is none). */
    void (*closed)(struct rpc_stream *s);
};

#define RPC_LIVE_ON 1

struct rpc_handler {
    const char *method; /* "GetConfig" */
    rpc_unary_fn unary; /* exactly one of the three */
    rpc_stream_fn stream;
    const struct rpc_live_ops *live;
    uint32_t moves; /* MOVES_TO() bits: the lanes that `unary` goes on to by rpc_move() */
};

#define MOVES_TO(lane) (1u << (lane))

/* Methods without a handler answer CODE_UNIMPLEMENTED. */
struct rpc_service {
    const struct proto_service *service;
    const struct rpc_handler *handlers;
    size_t handler_count;
    void *app; /* c->app of its handlers; NULL: the table's */
};

/* How a table's messages look as JSON, and how much they may weigh. */
struct rpc_style {
    const struct protojson_flavor *json; /* Connect, gRPC and gRPC-Web; NULL: canonical, unknown
                                            members ignored */
    const struct protojson_flavor *rest_json; /* NULL: no REST routes */

    /* Optional. REST only: the message is encoded and c->status is 200; may set another (a dialect
     * whose messages carry a status). */
    void (*rest_status)(struct call *c, const struct proto_method *m, const void *response);

    const char *const *rest_media; /* accepted request types, NULL-ended; NULL: any */

    /* An empty REST body stands for an empty message (otherwise it is malformed). */
    bool rest_empty_body;

    /* Query parameters that are no field of the request are refused (otherwise ignored). */
    bool rest_strict_query;

    size_t request_limit;  /* of one message, uncompressed; 0: 4 MiB; a method may have its own */
    size_t response_limit; /* same */
};

struct rpc_table {
    const struct dialect *dialect;
    const struct rpc_service *services;
    size_t service_count;
    struct rpc_style style;
    void *app;
};

/* The routes live in the arena, as the table and all it points to must. -1 names what is wrong: an
 * unknown method, a handler of the wrong kind, a path template or a body rule that does not fit. */
int rpc_table_new(const struct rpc_table *t, struct arena *a, struct route_table *out,
                  struct fail *f) MUST_CHECK;

/* --- streams ------------------------------------------------------------------------------------
 */

/* Queues one message, encoded before it returns. From an rpc_stream_fn it waits while the client is
 * slow; on a loop it never waits. -1: CODE_CANCELED when the client left, CODE_DEADLINE_EXCEEDED
 * when the call's time is over, or the message cannot be sent; nothing more can be sent after any
 * of these. Resets rpc_scratch(). */
int rpc_send(struct rpc_stream *s, const void *message, struct fail *f) MUST_CHECK;

/* Memory for one message: gone with the next rpc_send() that succeeds or fails. */
struct arena *rpc_scratch(struct rpc_stream *s) RETURNS_NONNULL;

struct call *rpc_stream_call(struct rpc_stream *s) RETURNS_NONNULL;

/* rpc_stream_fn only: waits until the monotonic clock is there. -1 as rpc_send() does when the
 * client leaves or the call's time is over first. */
int rpc_wait(struct rpc_stream *s, int64_t until_us, struct fail *f) MUST_CHECK;

/* rpc_live_ops only, loop thread. Ends the stream after what was sent; NULL: well. Does nothing
 * when it is over already. closed() comes later, once all is out. */
void rpc_live_end(struct rpc_stream *s, const struct fail *f);
void *rpc_live_state(struct rpc_stream *s) RETURNS_NONNULL;

/* rpc_live_ops only, loop thread. Whether so much waits for the client that nothing more should be
 * sent; drained() tells when that is over. */
bool rpc_live_is_full(struct rpc_stream *s);

#endif
