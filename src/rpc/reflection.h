/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.reflection: clients learn services and types from the server itself, in v1 and in v1alpha,
 * which are the same on the wire. Immutable; any thread. */
#ifndef RPC_REFLECTION_H
#define RPC_REFLECTION_H

#include "codec/proto.h"
#include "rpc/method.h"

/* Borrowed; c->app of the handlers. */
struct reflection {
    const struct proto_pool *pool; /* all that can be asked for */
    const struct str *services;    /* full names that are listed; each is in the pool */
    const uint16_t *ports; /* optional: the listener that lists services[i]; 0: those that */
    size_t service_count;  /* have none of their own */
};

struct rpc_service reflection_v1_service(const struct reflection *r);
struct rpc_service reflection_v1alpha_service(const struct reflection *r);

/* Names that are not in the pool would break clients that resolve all of them. Start-up. */
int reflection_check(const struct reflection *r, struct fail *f) MUST_CHECK;

#endif
