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

struct route;
struct store;
struct store_tx;

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

    struct str request_id;

    /* The answer. A handler sets status (200 when untouched), media type and body. */
    int status;
    struct str content_type; /* the dialect's default when untouched */
    struct buf out;          /* in the arena; ceiling = the route's answer_limit */

    /* For the access line and the metrics. */
    int64_t queue_wait_us;
    int64_t store_us;
};

/* The value of `{name}` in the route's template; asserts that the template has it. */
struct str call_param(const struct call *c, struct str name);

/* The first query parameter of that name, percent-decoded ('+' is a blank). False when absent;
 * -1-like malformed encodings were refused before the handler ran. */
bool call_query(const struct call *c, struct str name, struct str *out);

#endif
