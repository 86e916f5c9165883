/* SPDX-License-Identifier: Apache-2.0 */
/* Roles and scopes by name, and what each role grants. Static tables; any thread. */
#include "base/caller.h"

#define SCOPES_READ                                                                                \
    (SCOPE_COLLECTORS_READ | SCOPE_PIPELINES_READ | SCOPE_TASKS_READ | SCOPE_DATA_READ)
#define SCOPES_WRITE                                                                               \
    (SCOPE_COLLECTORS_WRITE | SCOPE_PIPELINES_WRITE | SCOPE_TASKS_WRITE | SCOPE_DATA_WRITE)
/* Keys, other tenants and the server itself stay with the admin. */
#define SCOPES_ADMIN (SCOPE_KEYS_READ | SCOPE_KEYS_WRITE | SCOPE_TENANTS | SCOPE_SERVER)

static const struct {
    const char *name;
    uint32_t scopes;
} roles[] = {
    [ROLE_AGENT] = {"agent", SCOPE_AGENT},
    [ROLE_VIEWER] = {"viewer", SCOPES_READ | SCOPE_METRICS},
    [ROLE_EDITOR] = {"editor", SCOPE_AGENT | SCOPES_READ | SCOPES_WRITE | SCOPE_METRICS},
    [ROLE_ADMIN] = {"admin",
                    SCOPE_AGENT | SCOPES_READ | SCOPES_WRITE | SCOPE_METRICS | SCOPES_ADMIN},
};
_Static_assert(COUNTOF(roles) == ROLE_COUNT, "describe every role");

/* By the number of the bit. */
static const char *const scopes[] = {
    "agent",           "collectors:read", "collectors:write", "pipelines:read",
    "pipelines:write", "tasks:read",      "tasks:write",      "data:read",
    "data:write",      "keys:read",       "keys:write",       "metrics",
    "tenants",         "server",          "enroll",           "beat",
};
_Static_assert(1u << (COUNTOF(scopes) - 1) == SCOPE_BEAT, "name every scope");

uint32_t role_scopes(enum role role)
{
    return (unsigned)role < COUNTOF(roles) ? roles[role].scopes : 0;
}

const char *role_name(enum role role)
{
    return (unsigned)role < COUNTOF(roles) ? roles[role].name : "none";
}

int role_parse(struct str name, enum role *out)
{
    for (unsigned i = 0; i < COUNTOF(roles); i++) {
        if (str_eq(name, str_of(roles[i].name))) {
            *out = (enum role)i;
            return 0;
        }
    }
    return -1;
}

const char *scope_name(enum scope scope)
{
    uint32_t bit = (uint32_t)scope;

    if (bit == 0 || (bit & (bit - 1)) != 0 || bit > SCOPE_SERVER)
        return "none";
    return scopes[__builtin_ctz(bit)];
}

int scope_parse(struct str name, uint32_t *out)
{
    for (unsigned i = 0; i < COUNTOF(scopes); i++) {
        if (str_eq(name, str_of(scopes[i]))) {
            *out = 1u << i;
            return 0;
        }
    }
    return -1;
}
