/* SPDX-License-Identifier: Apache-2.0 */
/* The one path that every call takes: match, credential, scope, media type, limits, body, lane,
 * handler, answer, access line. Builds the service that net calls. Made at start-up; immutable
 * afterwards, so every loop uses the same one. */
#ifndef RPC_DISPATCH_H
#define RPC_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/caller.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/metric.h"
#include "net/http.h"
#include "rpc/credential.h"
#include "rpc/limit.h"
#include "rpc/route.h"
#include "rpc/worker.h"

struct rpc_host;
struct store_tx;

/* One LANE_WRITE call on its way through the store's write lane. It mirrors core's store_job, which
 * rpc may not know; api/lane.h joins the two. Lives in the exchange's arena. */
struct rpc_write {
    /* On the lane, inside the call's savepoint; -1 rolls it back. May be run again on a retry. */
    int (*run)(struct rpc_write *w, struct store_tx *tx, struct fail *f);

    /* On the lane, once, after the commit (result 0) or the failure (-1, f filled in). */
    void (*done)(struct rpc_write *w, int result, const struct fail *f);

    struct arena *arena;
};

struct rpc_host_ops {
    /* Required. Loop thread, memory only: no store access, no waiting. Fills in *out (strings in
     * the arena or longer-lived), or -1 with CODE_UNAUTHENTICATED. The kind is never
     * CREDENTIAL_NONE; CREDENTIAL_ADMIN_SOCKET is an admin of the tenant "default" with every scope
     * and no key. */
    int (*authenticate)(struct rpc_host *host, const struct credential *credential, struct arena *a,
                        struct caller *out, struct fail *f);

    /* Optional. Loop thread, memory only: an operator asks to act for the tenant that his request's
     * field "muster-tenant" names, of an RPC method or where DIALECT_ACTS_FOR is. Changes *caller,
     * or -1 with CODE_PERMISSION_DENIED or CODE_INVALID_ARGUMENT. Without it the field means
     * nothing. */
    int (*act_for)(struct rpc_host *host, struct str tenant, struct arena *a, struct caller *caller,
                   struct fail *f);

    /* Required when a route has LANE_WRITE. Loop or worker thread, never waits. -1 with
     * CODE_UNAVAILABLE when it cannot be queued; done() is not called then. */
    int (*submit_write)(struct rpc_host *host, struct rpc_write *w, struct fail *f);

    /* Optional. Worker or write lane, memory only: whether a key that was good when the head came
     * still is, now that the handler's turn has come. -1 with CODE_UNAUTHENTICATED. */
    int (*confirm)(struct rpc_host *host, const struct caller *caller, struct fail *f);
};

/* What rpc needs of the server around it. Borrowed; must outlive the dispatch. */
struct rpc_host {
    const struct rpc_host_ops *ops;
    struct clock *clock;
    struct log log; /* root of the calls' logs */
    struct metrics *metrics;
    struct limits *limits;   /* NULL: nothing is limited */
    struct workers *workers; /* required when a route has LANE_WORKER */
    int64_t deadline_ms;     /* of a request that names none; 0: none */
    size_t gzip_min_bytes;   /* answers of at least this size are compressed on request; 0: never */
    uint32_t retry_after_ms; /* advice with 503; 0: 1 s */
};

struct dispatch;

/* Every path must have an owner: one dialect has the prefix "/". Makes the metric series. */
int dispatch_new(struct rpc_host *host, const struct router *router, struct dispatch **out,
                 struct fail *f) MUST_CHECK;

/* After the last exchange was sent and the workers and lanes have stopped. */
void dispatch_free(struct dispatch **d);

/* For net's listeners. */
const struct http_service *dispatch_service(struct dispatch *d) RETURNS_NONNULL;

#endif
