/* SPDX-License-Identifier: Apache-2.0 */
/* The Sumo Logic face: Collector Management, registration and heartbeats, tokens, upgrades, and the
 * receiver. Routes and what they need of the server; the rest of the folder is private. */
#ifndef API_SUMOLOGIC_SUMOLOGIC_H
#define API_SUMOLOGIC_SUMOLOGIC_H

#include "api/agent_settings.h"
#include "api/sumologic/room.h"
#include "api/sumologic/storm.h"
#include "core/inlets.h"
#include "core/key.h"
#include "core/keyring.h"
#include "core/registry.h"
#include "core/spool.h"
#include "core/upgrade.h"
#include "rpc/route.h"

/* What may change while the server runs: read through atomics by handlers. */
struct sumologic_settings {
    int64_t alive_us;     /* 30 min */
    int64_t ephemeral_us; /* 12 h */
    struct upgrade_options upgrades;
    struct storm_options storm; /* what the app's storm is made with */
    int64_t receiver_memory;    /* of all requests together that bring data */
    size_t receiver_body;       /* bytes that one request may bring, packed or not */
    struct str public_url;      /* "https://muster.lan:8443"; empty: what the request's Host says */
    struct str own_url;         /* where the server listens: for who asks through its socket */
};

/* Management, tokens, registration, receiver: each a dialect of its own where its errors have
 * another shape. */
#define SUMOLOGIC_TABLES 3

#define SUMOLOGIC_RECEIVER_ROUTES 8

struct sumologic_app {
    struct store *store;
    struct registry *registry;
    struct keyring *keyring;
    const struct master_key *master;
    struct inlets *inlets;
    struct spool *spool;         /* NULL: nothing is received */
    struct slot *agent_settings; /* agent_settings.h */
    struct storm *storm; /* of failing registrations, see storm.h; NULL: they are not counted */
    struct room *room;   /* for what is received */
    struct clock *clock;
    struct metrics *metrics;
    const char *data_dir;
    struct sumologic_settings settings;
    struct route_table tables[SUMOLOGIC_TABLES]; /* ours */
    struct route receiver_routes[SUMOLOGIC_RECEIVER_ROUTES];
};

/* For router_new(); they lie in the app. */
const struct route_table *sumologic_tables(struct sumologic_app *app) RETURNS_NONNULL;

/* Fills the inlets from the store. Start-up. */
int sumologic_load(struct sumologic_app *app, struct fail *f) MUST_CHECK;

#endif
