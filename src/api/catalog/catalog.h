/* SPDX-License-Identifier: Apache-2.0 */
/* What the server says of its own RPC services, to any client of any dialect: gRPC health and
 * reflection, the .proto files at /protos, the REST surface at /openapi.json. Made at start-up from
 * the tables of the dialects; immutable afterwards but for the health. */
#ifndef API_CATALOG_CATALOG_H
#define API_CATALOG_CATALOG_H

#include <stddef.h>

#include "base/arena.h"
#include "base/fail.h"
#include "rpc/health.h"
#include "rpc/method.h"

#define CATALOG_TABLES 3

struct catalog;

/* `owner` owns the paths ("/" at the least). `tables` are the dialects' and live as long as the
 * catalog, which lives in the arena. `listing` is what the key reflection.services holds. -1 names
 * the entry that is wrong. */
int catalog_new(struct arena *a, const struct dialect *owner, const struct rpc_table *const *tables,
                size_t count, const char *const *listing, size_t listing_count,
                struct catalog **out, struct fail *f) MUST_CHECK;

/* CATALOG_TABLES of them, for router_new(). */
const struct route_table *catalog_routes(const struct catalog *c) RETURNS_NONNULL;

struct health *catalog_health(struct catalog *c) RETURNS_NONNULL;

/* After the last exchange; the rest goes with the arena. */
void catalog_done(struct catalog *c);

#endif
