/* SPDX-License-Identifier: Apache-2.0 */
/* Muster's own service, muster.v1.FleetService: what operators ask of a fleet beyond the vendors'
 * interfaces. Reads agents and pipelines from memory, texts from the store; stores nothing itself.
 * One per server. */
#ifndef API_NATIVE_NATIVE_H
#define API_NATIVE_NATIVE_H

#include "api/agent_settings.h"
#include "core/keyring.h"
#include "core/registry.h"
#include "rpc/method.h"

struct native;

/* What the server lends; borrowed. */
struct native_options {
    struct registry *registry;
    struct store *store;
    struct keyring *keyring;
    const struct clock *clock;
    struct slot *settings;  /* struct agent_settings */
    bool empty_matches_all; /* as pipelines.h has it */
};

extern const struct dialect native_dialect;

/* Start-up, before the first request. */
struct native *native_new(const struct native_options *o) RETURNS_NONNULL;

/* The server goes: watches end with CODE_UNAVAILABLE, so that they keep no connection open; new
 * ones are refused. Any thread. */
void native_leave(struct native *n);

/* After the last exchange, before the registry. */
void native_free(struct native **n);

/* For rpc_table_new() and the catalog; lives as long as it. */
const struct rpc_table *native_table(const struct native *n) RETURNS_NONNULL;

#endif
