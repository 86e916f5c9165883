/* SPDX-License-Identifier: Apache-2.0 */
/* What agents let themselves in by, and the resources whose errors come as a list: the routes of
 * the second dialect. Limits are those of the first, which has the same name. Static data. */
#include "api/sumologic/internal.h"

/* Each owns its path without the last slash too; data of agents goes to the first dialect. */
static const char *const prefixes[] = {
    "/api/v1/collector/register/",
    "/v1/collector/register/",
    "/api/v1/collector/heartbeat/",
    "/v1/collector/heartbeat/",
    "/api/v1/otCollectors/",
    "/v1/otCollectors/",
    "/api/v1/tokens/",
    "/v1/tokens/",
    NULL,
};

const struct dialect sumo_enrollment_dialect = {
    .name = "sumologic",
    .prefixes = prefixes,
    .content_type = STR_INIT("application/json;charset=UTF-8"),
    .path_flags = PATH_COLLAPSE_SLASHES | PATH_IGNORE_FINAL_SLASH | PATH_LITERALS_HIDE,
    .error = error_list,
    .realm = "Sumo Logic",
    .flags = DIALECT_ACTS_FOR,
};

/* Registration is open so that its handler sees what fails; heartbeats need no worker, and
 * are too many for a line each. */
#define AGENT_ROUTES(base)                                                                         \
    {.name = "sumologic.register",                                                                 \
     .path = base "/collector/register",                                                           \
     .verbs = VERB(HTTP_POST),                                                                     \
     .lane = LANE_LOOP,                                                                            \
     .flags = ROUTE_OPEN | ROUTE_MOVES | ROUTE_NO_LIMIT,                                           \
     .handler = sumo_register,                                                                     \
     .body_limit = SUMO_COLLECTOR_BODY},                                                           \
        {.name = "sumologic.heartbeat",                                                            \
         .path = base "/collector/heartbeat",                                                      \
         .verbs = VERB(HTTP_POST),                                                                 \
         .scope = SCOPE_BEAT,                                                                      \
         .lane = LANE_LOOP,                                                                        \
         .flags = ROUTE_NO_LIMIT | ROUTE_MOVES | ROUTE_NO_ACCESS,                                  \
         .handler = sumo_heartbeat,                                                                \
         .body_limit = SUMO_HEARTBEAT_BODY},                                                       \
    {                                                                                              \
        .name = "sumologic.metadata", .path = base "/otCollectors/metadata",                       \
        .verbs = VERB(HTTP_POST), .scope = SCOPE_BEAT, .lane = LANE_WORKER,                        \
        .flags = ROUTE_MOVES | ROUTE_NO_LIMIT, .handler = sumo_metadata,                           \
        .body_limit = SUMO_COLLECTOR_BODY                                                          \
    }

#define TOKEN_ROUTE(suffix, route_path, verb, on, fn, more)                                        \
    {                                                                                              \
        .name = "sumologic.tokens." suffix, .path = (route_path), .verbs = (verb),                 \
        .scope = SCOPE_KEYS_WRITE, .lane = (on), .flags = (more), .handler = (fn),                 \
        .body_limit = SUMO_COLLECTOR_BODY                                                          \
    }

#define TOKEN_ROUTES(base)                                                                         \
    TOKEN_ROUTE("list", base "/tokens", GET_VERB, LANE_WORKER, sumo_tokens_list, 0),               \
        TOKEN_ROUTE("create", base "/tokens", VERB(HTTP_POST), LANE_WORKER, sumo_tokens_create,    \
                    ROUTE_MOVES),                                                                  \
        TOKEN_ROUTE("get", base "/tokens/{token}", GET_VERB, LANE_WORKER, sumo_tokens_get, 0),     \
        TOKEN_ROUTE("update", base "/tokens/{token}", VERB(HTTP_PUT), LANE_WORKER,                 \
                    sumo_tokens_update, ROUTE_MOVES),                                              \
        TOKEN_ROUTE("delete", base "/tokens/{token}", VERB(HTTP_DELETE), LANE_WRITE,               \
                    sumo_tokens_delete, 0)

#define OT_ROUTES(base)                                                                            \
    {.name = "sumologic.ot_collectors.get",                                                        \
     .path = base "/otCollectors/{hex}",                                                           \
     .verbs = GET_VERB,                                                                            \
     .scope = SCOPE_COLLECTORS_READ,                                                               \
     .lane = LANE_WORKER,                                                                          \
     .handler = sumo_ot_collectors_get,                                                            \
     .body_limit = SUMO_COLLECTOR_BODY},                                                           \
        {.name = "sumologic.ot_collectors.update",                                                 \
         .path = base "/otCollectors",                                                             \
         .verbs = VERB(HTTP_PUT),                                                                  \
         .scope = SCOPE_COLLECTORS_WRITE,                                                          \
         .lane = LANE_WORKER,                                                                      \
         .flags = ROUTE_MOVES,                                                                     \
         .handler = sumo_ot_collectors_update,                                                     \
         .body_limit = SUMO_COLLECTOR_BODY},                                                       \
    {                                                                                              \
        .name = "sumologic.ot_collectors.delete", .path = base "/otCollectors/{hex}",              \
        .verbs = VERB(HTTP_DELETE), .scope = SCOPE_COLLECTORS_WRITE, .lane = LANE_WRITE,           \
        .handler = sumo_ot_collectors_delete, .body_limit = SUMO_COLLECTOR_BODY                    \
    }

const struct route sumo_enrollment_routes[] = {
    AGENT_ROUTES("/api/v1"), AGENT_ROUTES("/v1"),  TOKEN_ROUTES("/api/v1"),
    TOKEN_ROUTES("/v1"),     OT_ROUTES("/api/v1"), OT_ROUTES("/v1"),
};
_Static_assert(COUNTOF(sumo_enrollment_routes) == SUMO_ENROLLMENT_ROUTES, "say so in internal.h");
