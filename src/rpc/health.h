/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.health.v1.Health: what is served and whether it is well. Statuses may change on any thread;
 * whoever watches is told on his own loop. Freed after the last exchange. */
#ifndef RPC_HEALTH_H
#define RPC_HEALTH_H

#include <stdbool.h>

#include "base/macros.h"
#include "base/str.h"
#include "rpc/method.h"

struct health;

/* Knows the server as a whole (""), serving. With `any_name`, names that are not known have the
 * status of the whole. */
struct health *health_new(bool any_name) RETURNS_NONNULL;
void health_free(struct health **h);

/* A service's full name; becomes known when it was not. Any thread. */
void health_set(struct health *h, struct str service, bool serving);

/* The server goes: everything stops serving, watches end with CODE_UNAVAILABLE once they said so,
 * so that they keep no connection open. Any thread. */
void health_leave(struct health *h);

/* Check and Watch, for a table. */
struct rpc_service health_service(struct health *h);

#endif
