/* SPDX-License-Identifier: Apache-2.0 */
/* The dialects, their routes, and what is made ready before the first request. A handler's owner
 * lists its route here; see internal.h. */
#include "api/sumologic/sumologic.h"

#include "api/sumologic/internal.h"
#include "core/tenant.h"

#define READS  SCOPE_COLLECTORS_READ
#define WRITES SCOPE_COLLECTORS_WRITE
#define JSON   STR_INIT("application/json;charset=UTF-8")
#define REALM  "Sumo Logic"
#define TIDY   (PATH_COLLAPSE_SLASHES | PATH_IGNORE_FINAL_SLASH)

/* --- management: collectors, sources, upgrades --- */

static const char *const management_prefixes[] = {"/api/v1/", "/v1/", NULL};

static const struct dialect management_dialect = {
    .name = "sumologic",
    .prefixes = management_prefixes,
    .content_type = JSON,
    .path_flags = TIDY,
    .error = error_flat,
    .realm = REALM,
};

/* Ids are any text here, so that what is no number is a collector that does not exist. */
static const struct route management_routes[] = {
    {.name = "sumologic.collectors.list",
     .path = "collectors",
     .verbs = GET_VERB,
     .scope = READS,
     .lane = LANE_WORKER,
     .handler = sumo_collectors_list,
     .body_limit = SUMO_SOURCE_BODY,
     .answer_limit = SUMO_LIST_ANSWER},
    {.name = "sumologic.collectors.create",
     .path = "collectors",
     .verbs = VERB(HTTP_POST),
     .scope = WRITES,
     .lane = LANE_WORKER,
     .handler = sumo_collectors_create,
     .flags = ROUTE_MOVES,
     .body_limit = SUMO_COLLECTOR_BODY},
    {.name = "sumologic.collectors.offline",
     .path = "collectors/offline",
     .verbs = GET_VERB,
     .scope = READS,
     .lane = LANE_WORKER,
     .handler = sumo_collectors_offline,
     .body_limit = SUMO_SOURCE_BODY,
     .answer_limit = SUMO_LIST_ANSWER},
    {.name = "sumologic.collectors.offline.delete",
     .path = "collectors/offline",
     .verbs = VERB(HTTP_DELETE),
     .scope = WRITES,
     .lane = LANE_WORKER,
     .handler = sumo_collectors_offline_delete,
     .body_limit = SUMO_COLLECTOR_BODY},
    {.name = "sumologic.collectors.named",
     .path = "collectors/name/{name:path}",
     .verbs = GET_VERB,
     .scope = READS,
     .lane = LANE_WORKER,
     .handler = sumo_collectors_get_name,
     .body_limit = SUMO_SOURCE_BODY},
    {.name = "sumologic.upgrades.targets",
     .path = "collectors/upgrades/targets",
     .verbs = GET_VERB,
     .scope = READS,
     .lane = LANE_WORKER,
     .handler = sumo_upgrades_targets,
     .body_limit = SUMO_SOURCE_BODY},
    {.name = "sumologic.upgrades.collectors",
     .path = "collectors/upgrades/collectors",
     .verbs = GET_VERB,
     .scope = READS,
     .lane = LANE_WORKER,
     .handler = sumo_upgrades_collectors,
     .body_limit = SUMO_SOURCE_BODY,
     .answer_limit = SUMO_LIST_ANSWER},
    {.name = "sumologic.upgrades.create",
     .path = "collectors/upgrades",
     .verbs = VERB(HTTP_POST),
     .scope = WRITES,
     .lane = LANE_WORKER,
     .handler = sumo_upgrades_create,
     .flags = ROUTE_MOVES,
     .body_limit = SUMO_COLLECTOR_BODY},
    {.name = "sumologic.upgrades.get",
     .path = "collectors/upgrades/{task}",
     .verbs = GET_VERB,
     .scope = READS,
     .lane = LANE_WORKER,
     .handler = sumo_upgrades_get,
     .body_limit = SUMO_SOURCE_BODY},
    {.name = "sumologic.collectors.get",
     .path = "collectors/{id}",
     .verbs = GET_VERB,
     .scope = READS,
     .lane = LANE_WORKER,
     .handler = sumo_collectors_get,
     .body_limit = SUMO_SOURCE_BODY},
    {.name = "sumologic.collectors.update",
     .path = "collectors/{id}",
     .verbs = VERB(HTTP_PUT),
     .scope = WRITES,
     .lane = LANE_WORKER,
     .handler = sumo_collectors_update,
     .flags = ROUTE_MOVES,
     .body_limit = SUMO_COLLECTOR_BODY},
    {.name = "sumologic.collectors.delete",
     .path = "collectors/{id}",
     .verbs = VERB(HTTP_DELETE),
     .scope = WRITES,
     .lane = LANE_WRITE,
     .handler = sumo_collectors_delete,
     .body_limit = SUMO_COLLECTOR_BODY},
    {.name = "sumologic.agent.logs",
     .path = "collector/logs",
     .verbs = VERB(HTTP_POST),
     .scope = SCOPE_BEAT,
     .lane = LANE_LOOP,
     .handler = sumo_receive_agent,
     .flags = ROUTE_NO_LIMIT | ROUTE_MOVES | ROUTE_DEFLATE,
     .body_limit = SUMO_DATA_BODY},
    {.name = "sumologic.agent.metrics",
     .path = "collector/metrics",
     .verbs = VERB(HTTP_POST),
     .scope = SCOPE_BEAT,
     .lane = LANE_LOOP,
     .handler = sumo_receive_agent,
     .flags = ROUTE_NO_LIMIT | ROUTE_MOVES | ROUTE_DEFLATE,
     .body_limit = SUMO_DATA_BODY},
    {.name = "sumologic.agent.traces",
     .path = "collector/traces",
     .verbs = VERB(HTTP_POST),
     .scope = SCOPE_BEAT,
     .lane = LANE_LOOP,
     .handler = sumo_receive_agent,
     .flags = ROUTE_NO_LIMIT | ROUTE_MOVES | ROUTE_DEFLATE,
     .body_limit = SUMO_DATA_BODY},
};

const struct route_table *sumologic_tables(struct sumologic_app *app)
{
    app->tables[0] = (struct route_table){
        .dialect = &management_dialect,
        .routes = management_routes,
        .count = COUNTOF(management_routes),
        .app = app,
    };
    sumo_receiver_table(app, &app->tables[1]);
    app->tables[2] = (struct route_table){
        .dialect = &sumo_enrollment_dialect,
        .routes = sumo_enrollment_routes,
        .count = SUMO_ENROLLMENT_ROUTES,
        .app = app,
    };
    return app->tables;
}
