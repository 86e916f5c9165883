/* SPDX-License-Identifier: Apache-2.0 */
/* Routes as data: what a dialect adds to be served. Tables are static; the router compiles them at
 * start-up and is immutable afterwards, so every loop reads it without a lock. */
#ifndef RPC_ROUTE_H
#define RPC_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/log.h"
#include "rpc/call.h"

#define VERB(m)  (1u << (m))
#define GET_VERB VERB(HTTP_GET) /* HEAD comes with it */

/* Where a handler runs. */
enum lane {
    LANE_LOOP,   /* hot: from memory, no lock held, no system call */
    LANE_WORKER, /* may read the store, block, burn CPU */
    LANE_WRITE,  /* on the store's write lane, inside a savepoint; answered after the commit */
};

typedef int (*handler_fn)(struct call *c, struct fail *f);

/* Goes on with `next` on another lane: `return call_move(c, LANE_WRITE, next);`, one way: loop,
 * worker, write lane. As rpc_move(), for routes with ROUTE_MOVES: what was written to the call is
 * forgotten, c->carry takes along what was found out. */
#define CALL_MOVED 1
int call_move(struct call *c, enum lane lane, handler_fn next);

/* Lets go of the call until something else is done: `return call_wait(c);` after it was handed to
 * whoever will call call_done(), which may happen before the handler has returned. On a loop or a
 * worker, for routes with ROUTE_MOVES. The answer is what was written to the call by then: one of
 * the two writes it, not both. The request's deadline does not end the wait. */
#define CALL_WAITS 2
int call_wait(struct call *c);

/* Once for each call_wait(), on any thread; the call belongs to its loop afterwards. result -1: *f
 * says why. */
void call_done(struct call *c, int result, const struct fail *f);

struct rpc_method;

struct route {
    const char *name; /* for logs and metrics: "admin.keys.create" */

    /* "/v1/keys/{id}", "/v1/things/{id:int}" (positive, 64 bits), "/v1/keys/{id}:renew",
     * "/protos/{rest:path}" (all that follows). Without the first slash it is relative to each of
     * the dialect's prefixes. Literals compare byte for byte with the path as it was sent. */
    const char *path;
    uint32_t verbs; /* VERB() bits */
    uint32_t scope; /* every bit is needed; SCOPE_NONE: see ROUTE_KNOWN and ROUTE_OPEN */
    enum lane lane;
    uint32_t flags; /* ROUTE_... */
    handler_fn handler;
    size_t body_limit;            /* 0: a body is refused when there is one */
    size_t answer_limit;          /* 0: 1 MiB */
    const char *const *media;     /* accepted request types, NULL-ended; NULL: any */
    const struct rpc_method *rpc; /* method.h: handler is NULL then, envelopes do the rest */
};

#define ROUTE_NO_LIMIT  (1u << 0) /* not counted by rate limits */
#define ROUTE_NO_ACCESS (1u << 1) /* access line only at debug level (health probes) */
#define ROUTE_NO_GZIP   (1u << 2) /* the answer is never compressed */

/* A route without a scope carries one of these, so that none is open because it was forgotten. */
#define ROUTE_KNOWN (1u << 3) /* any valid credential will do, but one must be */
#define ROUTE_OPEN  (1u << 4) /* anybody; the handler may still look at the caller */

/* The handler of a route without an RPC method may go on elsewhere (call_move()) or wait
 * (call_wait()): dispatch makes sure that there are lanes to go to. */
#define ROUTE_MOVES (1u << 5)

/* The request's body may be in zlib's format too ("deflate"). */
#define ROUTE_DEFLATE (1u << 6)

/* Or in that of Zstandard. */
#define ROUTE_ZSTD (1u << 16)

/* A part of the path is a secret: log lines show the route's own path instead. */
#define ROUTE_SECRET_PATH (1u << 7)

/* Which of the dialect's limit policies counts the route (limit.h); class 0 when not given. */
#define ROUTE_LIMIT_CLASS(n) ((uint32_t)(n) << 8)

/* A face: owns every path under its prefixes, also the unknown ones, and shapes their errors. */
struct dialect {
    const char *name;            /* "sumologic": log field, metric label, configuration prefix */
    const char *const *prefixes; /* "/api/v1/", NULL-ended */
    struct str content_type;     /* of answers: "application/json" */

    /* Path hygiene before matching. */
    uint32_t path_flags;

    /* Writes the error's body to c->out and may set c->status, c->content_type and add fields.
     * c->status is preset from f->code, or from HTTP (404, 405, 413, 415, 429). Also called when
     * there is no route (c->route NULL) and no caller. Any thread. */
    void (*error)(struct call *c, const struct fail *f);

    /* Realm for WWW-Authenticate on 401; NULL: no such field. */
    const char *realm;

    /* Optional. Loop thread, first thing once a route is found: reads what the envelope says (a
     * deadline, a protocol version) into c. -1 refuses the call before its credential is seen. */
    int (*begin)(struct call *c, struct fail *f);

    /* CREDENTIAL_FORM_ bits of credential.h; 0: all forms. */
    uint32_t credential_forms;

    uint32_t flags; /* DIALECT_... */
};

/* A credential that lacks the scope is refused like one that is not valid: CODE_UNAUTHENTICATED,
 * 401. Otherwise it is CODE_PERMISSION_DENIED, 403. */
#define DIALECT_SCOPE_IS_401 (1u << 0)

/* An operator may act for the tenant that the field "muster-tenant" names, as with RPC methods. */
#define DIALECT_ACTS_FOR (1u << 1)

#define PATH_COLLAPSE_SLASHES   (1u << 0)
#define PATH_IGNORE_FINAL_SLASH (1u << 1)
#define PATH_QUERY_IS_BYTES     (1u << 2) /* query values may decode to NUL or no UTF-8 */

/* A path that routes spell out is theirs alone: with another verb it is 405, and no route that has
 * a parameter in its place is looked at. */
#define PATH_LITERALS_HIDE (1u << 3)

struct route_table {
    const struct dialect *dialect;
    const struct route *routes;
    size_t count;
    void *app; /* handed to the handlers as c->app */
};

struct router;

enum route_match {
    ROUTE_FOUND,
    ROUTE_NO_PATH,      /* 404 */
    ROUTE_NO_VERB,      /* 405; *allow lists the verbs there are */
    ROUTE_BAD_ENCODING, /* 400: a parameter with broken percent-encoding, NUL, or not UTF-8 */
};

/* Checks the tables (duplicate or ambiguous templates, limits) and compiles them. Literal segments
 * win over parameters, parameters over "{rest:path}". -1 with a message that names the route. */
int router_new(const struct route_table *tables, size_t count, struct router **out, struct fail *f)
    MUST_CHECK;
void router_free(struct router **r);

struct route_hit {
    const struct route_table *table; /* set whenever a dialect owns the path, also on a miss */
    const struct route *route;
    struct str *params;
    size_t param_count;
    uint32_t allow;           /* VERB() bits, HEAD with GET; set on ROUTE_NO_VERB */
    size_t index;             /* of the route among all routes, for arrays of counters */
    const struct route *near; /* ROUTE_NO_VERB on a path without parameters: one that is there */
};

enum route_match router_match(const struct router *r, struct arena *a, enum http_method method,
                              struct str path, struct route_hit *hit);

/* The first table of the dialect that owns a path, whatever is served there; NULL when none does.
 */
const struct route_table *router_owner(const struct router *r, struct str path);

const struct route_table *router_table_at(const struct router *r, size_t index);
size_t router_route_count(const struct router *r);
const struct route *router_route_at(const struct router *r, size_t index);

#endif
