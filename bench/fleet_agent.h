/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual Alloys: who they are and what they send. An agent is its number; only the hash of what it
 * was last given is remembered, so that a million of them take 33 MB. Beside them installed
 * collectors, of which the credential is remembered. One thread. */
#ifndef BENCH_FLEET_AGENT_H
#define BENCH_FLEET_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define FLEET_TEAMS      150
#define FLEET_CLUSTERS   50
#define FLEET_NAMESPACES 1000

enum fleet_request {
    FLEET_REGISTER,
    FLEET_FIRST,  /* the first poll of a process: no hash, status UNSET */
    FLEET_REPORT, /* status APPLIED and the effective configuration */
    FLEET_POLL,   /* hash and attributes */
    FLEET_LEARN,  /* the same, and takes no compressed answer, to be read */
    FLEET_REQUESTS,
};

#define FLEET_LOGIN 160 /* base64 of a collector's credential, with its end */

struct fleet {
    size_t count;
    size_t collectors; /* that are enrolled, or are to be */
    uint8_t (*hashes)[32];
    uint8_t *editions;           /* of the pipelines, when the agent last learned; 0: never */
    uint8_t edition;             /* that agents learn now */
    char host[64];               /* of the server */
    char basic[512];             /* base64 of the agents' user and token */
    char manager[512];           /* and of the manager's */
    char (*logins)[FLEET_LOGIN]; /* of the collectors */
    unsigned run; /* tells this process's contents of pipelines from an earlier one's */
    struct buf body;
    struct buf out;
};

void fleet_init(struct fleet *f, size_t count, uint16_t port, const char *agent_token,
                const char *manager_token);
void fleet_done(struct fleet *f);

/* The bytes of the request, good until the next is made. */
struct str fleet_request(struct fleet *f, size_t agent, enum fleet_request kind);

/* A pipeline: number 0 matches everybody, others a team or a cluster's environment. `edition` is
 * in its contents. */
struct str fleet_pipeline(struct fleet *f, size_t number, unsigned edition);

struct str fleet_list(struct fleet *f, const char *matcher);

/* Installed collectors: they enroll with an installation token, then beat with what that gave them.
 */
void fleet_hire(struct fleet *f, size_t collectors);
struct str fleet_enroll(struct fleet *f, size_t collector, const char *token);
struct str fleet_beat(struct fleet *f, size_t collector);

/* Takes the credential from the answer; false when there is none. */
bool fleet_enrolled(struct fleet *f, size_t collector, struct str body);

/* What a GetConfigResponse says. */
struct config_said {
    struct str hash;
    bool not_modified;
};

bool fleet_config_read(struct str body, struct config_said *out);

/* Remembers the hash; false when it is none. */
bool fleet_learn(struct fleet *f, size_t agent, struct str hash);

/* How many messages lie in field 1. */
size_t fleet_count_read(struct str body);

#endif
