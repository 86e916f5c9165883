/* SPDX-License-Identifier: Apache-2.0 */
/* One call as a handler sees it: decoded route parameters, the caller, a place for the answer.
 * Owned by one thread at a time (loop, worker or write lane); lives as long as its exchange.
 * Handlers are plain synchronous code: they return 0 after filling in the answer, or -1 after
 * filling in f. */
#ifndef RPC_CALL_H
#define RPC_CALL_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/caller.h"
#include "base/fail.h"
#include "base/log.h"
#include "net/http.h"

struct envelope_call;
struct route;
struct store;
struct store_tx;

/* What an error says beyond its code and message: one protobuf message. */
struct call_detail {
    struct str type; /* full name: "google.rpc.BadRequest" */
    struct str bytes;
};

/* Both in the arena. */
struct call_fields {
    struct http_field *items;
    size_t count;
    size_t cap;
};

struct call {
    struct arena *arena;
    struct http_x *x;
    const struct route *route;
    const struct caller *caller; /* never NULL; tenant 0 on open routes without a credential */
    struct log log;              /* carries request id, tenant and route */
    int64_t deadline_us;         /* monotonic; INT64_MAX when there is none */
    void *app;                   /* what the route table's owner bound: the dialect's own state */

    struct str *params; /* percent-decoded, in the order of the template's braces */
    size_t param_count;

    struct store_tx *tx; /* LANE_WRITE: the open transaction, inside this call's savepoint */

    void *carry; /* from one lane to the next, see rpc_move() */

    struct str request_id;

    /* The answer. A handler sets status (200 when untouched), media type and body. */
    int status;
    struct str content_type; /* the dialect's default when untouched */
    struct buf out;          /* in the arena; ceiling = the route's answer_limit */

    /* Said by call_header() and its siblings; each envelope has a place for them. */
    struct call_fields headers;
    struct call_fields trailers;
    struct call_detail *details;
    size_t detail_count;
    size_t detail_cap;

    struct envelope_call *envelope; /* rpc's own; NULL when the route is no RPC method */

    /* For the access line and the metrics. */
    int64_t queue_wait_us;
    int64_t store_us;
};

/* The value of `{name}` in the route's template; asserts that the template has it. */
struct str call_param(const struct call *c, struct str name);

/* The first query parameter of that name, percent-decoded ('+' is a blank). False when absent;
 * -1-like malformed encodings were refused before the handler ran. */
bool call_query(const struct call *c, struct str name, struct str *out);

/* --- metadata: what callers say beside the message, whatever carries it -------------------------
 */

/* Walks header fields and, once the body is complete, trailers; names in lower case. *at begins
 * with 0. The value as it was sent: base64 where the name ends in "-bin". */
bool call_metadata_next(const struct call *c, size_t *at, struct str *name, struct str *value);

/* The first value of that (lower-case) name; decoded when the name ends in "-bin". False when it is
 * absent or is not base64. */
bool call_metadata(const struct call *c, struct str name, struct str *out);

/* Adds a field to the head of the answer, or after its messages. The name is in lower case; when it
 * ends in "-bin" the value may be any bytes. Both must live as long as the call. A name that means
 * something to an envelope itself ("grpc-status", "content-type") is dropped. */
void call_header(struct call *c, struct str name, struct str value);
void call_trailer(struct call *c, struct str name, struct str value);

/* For the error that the handler is about to return. */
void call_detail(struct call *c, struct str type, struct str bytes);

#endif
