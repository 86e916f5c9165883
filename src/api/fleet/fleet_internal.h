/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the dialect share: handlers, named by the method they serve, and the way to the
 * caller's part of the registry. Private to api/fleet. */
#ifndef API_FLEET_FLEET_INTERNAL_H
#define API_FLEET_FLEET_INTERNAL_H

#include "api/fleet/fleet.h"

#define FLEET_IDS_MAX 100000

struct fleet_app *fleet_app_of(const struct call *c) RETURNS_NONNULL;
const struct agent_settings *fleet_settings(const struct call *c) RETURNS_NONNULL;

/* Memory of the caller's tenant. */
struct realm *fleet_realm(const struct call *c) RETURNS_NONNULL;

/* INVALID_ARGUMENT when a text that must be there is empty; `what` names it. */
int fleet_needs(struct str value, const char *what, struct fail *f) MUST_CHECK;

struct fleet_ids {
    struct str *items;
    size_t count;
};

/* Each of them once, in the order of their first appearance. INVALID_ARGUMENT when there are none,
 * too many, or empty ones. */
int fleet_ids_once(struct arena *a, const struct str *ids, size_t count, struct fleet_ids *out,
                   struct fail *f) MUST_CHECK;

/* Begins the message with the one of many that failed; returns -1. */
int fleet_name_item(struct str name, struct fail *f);

/* Say which one, when that is why; what core calls an agent is a collector here. Return -1. */
int fleet_no_collector(struct str id, struct fail *f);
int fleet_no_pipeline(struct str which, struct fail *f);

/* A pipeline's or a revision's number; 0, which nothing has, for all other text. */
int64_t fleet_number(struct str id);

/* --- config.c: what agents do; begins on the loop --- */

int fleet_get_config(struct call *c, const void *request, void *response, struct fail *f);
int fleet_register(struct call *c, const void *request, void *response, struct fail *f);
int fleet_unregister(struct call *c, const void *request, void *response, struct fail *f);

/* --- collectors.c --- */

int fleet_get_collector(struct call *c, const void *request, void *response, struct fail *f);
int fleet_list_collectors(struct call *c, const void *request, void *response, struct fail *f);
int fleet_list_attributes(struct call *c, const void *request, void *response, struct fail *f);
int fleet_create_collector(struct call *c, const void *request, void *response, struct fail *f);
int fleet_update_collector(struct call *c, const void *request, void *response, struct fail *f);
int fleet_bulk_update(struct call *c, const void *request, void *response, struct fail *f);
int fleet_delete_collector(struct call *c, const void *request, void *response, struct fail *f);
int fleet_bulk_delete(struct call *c, const void *request, void *response, struct fail *f);

/* --- pipelines.c: contents are checked on a worker before the write lane sees them --- */

int fleet_create_pipeline(struct call *c, const void *request, void *response, struct fail *f);
int fleet_update_pipeline(struct call *c, const void *request, void *response, struct fail *f);
int fleet_upsert_pipeline(struct call *c, const void *request, void *response, struct fail *f);
int fleet_delete_pipeline(struct call *c, const void *request, void *response, struct fail *f);
int fleet_delete_pipelines(struct call *c, const void *request, void *response, struct fail *f);
int fleet_sync_pipelines(struct call *c, const void *request, void *response, struct fail *f);

/* --- pipeline_reads.c --- */

int fleet_get_pipeline(struct call *c, const void *request, void *response, struct fail *f);
int fleet_get_pipeline_id(struct call *c, const void *request, void *response, struct fail *f);
int fleet_list_pipelines(struct call *c, const void *request, void *response, struct fail *f);
int fleet_list_all_revisions(struct call *c, const void *request, void *response, struct fail *f);
int fleet_list_revisions(struct call *c, const void *request, void *response, struct fail *f);
int fleet_get_revision(struct call *c, const void *request, void *response, struct fail *f);

/* --- tenant.c --- */

int fleet_get_limits(struct call *c, const void *request, void *response, struct fail *f);
int fleet_get_summary(struct call *c, const void *request, void *response, struct fail *f);

#endif
