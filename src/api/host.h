/* SPDX-License-Identifier: Apache-2.0 */
/* Joins rpc to core: credentials are resolved by the keyring, write-lane calls become jobs of the
 * store. Fill in `rpc` but for its ops, then api_host_init(). Any thread once dispatch runs. */
#ifndef API_HOST_H
#define API_HOST_H

#include "core/keyring.h"
#include "core/registry.h"
#include "core/store.h"
#include "rpc/dispatch.h"

struct api_host {
    struct rpc_host rpc;
    struct store *store;
    struct keyring *keyring;
    struct registry *registry;
    uint64_t default_tenant; /* id of the tenant "default": who comes through the admin socket */
};

void api_host_init(struct api_host *h);

#endif
