/* SPDX-License-Identifier: Apache-2.0 */
/* Who is calling: what a credential resolved to. Immutable once made; lives in the request's arena
 * or in the keyring's snapshot. Vendors' names for rights are mapped to these by the dialects. */
#ifndef BASE_CALLER_H
#define BASE_CALLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum role {
    ROLE_AGENT,
    ROLE_VIEWER,
    ROLE_EDITOR,
    ROLE_ADMIN,
};

#define ROLE_COUNT 4

/* One bit each; a role grants a set of them, a key may narrow the set. */
enum scope {
    SCOPE_NONE = 0,       /* open to anybody, also without a credential */
    SCOPE_AGENT = 1 << 0, /* what a collector does for itself: register, poll, beat */
    SCOPE_COLLECTORS_READ = 1 << 1,
    SCOPE_COLLECTORS_WRITE = 1 << 2,
    SCOPE_PIPELINES_READ = 1 << 3,
    SCOPE_PIPELINES_WRITE = 1 << 4,
    SCOPE_TASKS_READ = 1 << 5,
    SCOPE_TASKS_WRITE = 1 << 6,
    SCOPE_DATA_READ = 1 << 7, /* captured inputs, events */
    SCOPE_DATA_WRITE = 1 << 8,
    SCOPE_KEYS_READ = 1 << 9,
    SCOPE_KEYS_WRITE = 1 << 10,
    SCOPE_METRICS = 1 << 11,
    SCOPE_TENANTS = 1 << 12, /* other tenants: only for admins of the tenant "default" */
    SCOPE_SERVER = 1 << 13,  /* backup, check, live introspection */
    SCOPE_ENROLL = 1 << 14,  /* registers agents, nothing else; no role grants it */
    SCOPE_BEAT = 1 << 15,    /* one agent's own heartbeat and data; no role grants it */
};

/* Rights over what all tenants share: no key of another tenant than "default" has them, whatever
 * its role. */
#define SCOPES_OPERATOR ((uint32_t)SCOPE_TENANTS | (uint32_t)SCOPE_SERVER | (uint32_t)SCOPE_METRICS)

struct caller {
    uint64_t tenant; /* 0: nobody */
    struct str tenant_name;
    struct str key_id; /* empty on the admin socket */
    enum role role;
    uint32_t scopes;
};

/* Every scope that the role grants. */
uint32_t role_scopes(enum role role);

/* "admin"; and back, -1 when there is no such role. */
const char *role_name(enum role role) RETURNS_NONNULL;
int role_parse(struct str name, enum role *out) MUST_CHECK;

/* "collectors:read"; and back. A single bit. */
const char *scope_name(enum scope scope) RETURNS_NONNULL;
int scope_parse(struct str name, uint32_t *out) MUST_CHECK;

static inline bool caller_may(const struct caller *c, uint32_t scope)
{
    return (c->scopes & scope) == scope;
}

#endif
