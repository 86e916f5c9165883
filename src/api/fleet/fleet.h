/* SPDX-License-Identifier: Apache-2.0 */
/* The face of Grafana Fleet Management: what Alloy asks (collector.v1), what Terraform, scripts and
 * people manage (collector.v1, pipeline.v1), and a tenant's limits (tenant.v1). Connect, gRPC and
 * gRPC-Web under the vendor's paths. */
#ifndef API_FLEET_FLEET_H
#define API_FLEET_FLEET_H

#include "api/agent_settings.h"
#include "base/turn.h"
#include "core/registry.h"
#include "rpc/credential.h"
#include "rpc/method.h"

/* From how many collectors on a list is made alone: its answer takes some 100 MiB. */
#define FLEET_LIST_LARGE 100000

/* What the server lends; borrowed, and but for the turn immutable while requests come. */
struct fleet_app {
    struct registry *registry;
    struct store *store;
    const struct clock *clock;
    struct slot *settings; /* struct agent_settings */
    size_t list_large;     /* FLEET_LIST_LARGE; 0: no list is large */
    struct turn list_turn; /* of large lists, until they are sent */
};

/* Classes of limits: what agents do, what is managed, and what is never refused. */
#define FLEET_LIMIT_COLLECTOR 1
#define FLEET_LIMIT_API       2

extern const struct dialect fleet_dialect;

/* For rpc_table_new(); lives in the arena. */
const struct rpc_table *fleet_table(struct arena *a, struct fleet_app *app) RETURNS_NONNULL;

#endif
