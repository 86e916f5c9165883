/* SPDX-License-Identifier: Apache-2.0 */
/* How agents take packages: muster.v1.PackageService and the files that it names. A face over
 * core/upgrade.h for agents that speak HTTP; another dialect's agents may be served by the same
 * functions of core. */
#ifndef API_PACKAGE_PACKAGE_H
#define API_PACKAGE_PACKAGE_H

#include "core/registry.h"
#include "rpc/method.h"

/* What the server lends; borrowed and immutable. */
struct package_app {
    struct store *store;
    struct registry *registry;
    const char *data_dir;
};

/* Which routes a limit counts: ROUTE_LIMIT_CLASS() of files; what agents ask is class 0. */
#define PACKAGE_LIMIT_FILES 1

extern const struct dialect package_dialect;

/* For rpc_table_new() and the catalog; lives in the arena. */
const struct rpc_table *package_table(struct arena *a, struct package_app *app) RETURNS_NONNULL;

/* GET /muster/v1/builds/{sha256}, for router_new(). */
struct route_table package_files(struct package_app *app);

#endif
