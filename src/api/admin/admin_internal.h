/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin face's handlers share. */
#ifndef API_ADMIN_ADMIN_INTERNAL_H
#define API_ADMIN_ADMIN_INTERNAL_H

#include "api/admin/admin.h"
#include "codec/json.h"
#include "codec/json_writer.h"
#include "core/key.h"
#include "core/tenant.h"

#define ADMIN_BODY_BYTES 65536
#define ADMIN_PART_BYTES (4u << 20) /* of an upload */

/* --- admin.c --- */

struct admin_app *admin_app_of(const struct call *c) RETURNS_NONNULL;

/* An admin of the tenant "default": who may touch other tenants and the server. -1:
 * PERMISSION_DENIED. */
int admin_operator(const struct call *c, struct fail *f) MUST_CHECK;

/* The caller's own tenant when `name` is empty or its name; any other needs admin_operator(). */
int admin_tenant(const struct call *c, struct store_tx *tx, struct str name, struct tenant *out,
                 struct fail *f) MUST_CHECK;

/* Refuses query parameters that are not in the NULL-ended list, and any that comes twice. */
int admin_query_names(const struct call *c, const char *const *names, struct fail *f) MUST_CHECK;

/* limit=: 1 to 1000, 100 when absent. */
int admin_query_limit(const struct call *c, size_t *out, struct fail *f) MUST_CHECK;

/* --- key_json.c --- */

/* An object with no members but those of the NULL-ended list. */
int admin_object_read(struct arena *a, struct str body, const char *const *names,
                      struct json_value **out, struct fail *f) MUST_CHECK;

/* An instant as a member; null for 0. */
void admin_put_time(struct json_writer *w, struct arena *a, struct str key, int64_t us);

struct key_request {
    struct str tenant; /* empty: the caller's */
    struct str label;
    enum role role;
    uint32_t scopes;    /* 0: those of the role */
    int64_t expires_us; /* wall; 0: never */
};

/* What POST /admin/v1/keys carries. `now_us` is what a duration counts from. */
int key_request_read(struct arena *a, struct str body, int64_t now_us, struct key_request *out,
                     struct fail *f) MUST_CHECK;

void key_put(struct json_writer *w, struct arena *a, const struct key *k, struct str tenant_name,
             const struct key_secret *secret);

/* --- handlers --- */

int keys_create(struct call *c, struct fail *f);
int keys_list(struct call *c, struct fail *f);
int keys_get(struct call *c, struct fail *f);
int keys_revoke(struct call *c, struct fail *f);

int tenants_create(struct call *c, struct fail *f);
int tenants_list(struct call *c, struct fail *f);
int tenants_get(struct call *c, struct fail *f);
int tenants_delete(struct call *c, struct fail *f);

/* What POST /admin/v1/tenants carries: {"name":"..."}. */
int tenant_request_read(struct arena *a, struct str body, struct str *name, struct fail *f)
    MUST_CHECK;

int builds_list(struct call *c, struct fail *f);
int builds_add(struct call *c, struct fail *f);
int builds_remove(struct call *c, struct fail *f);
int uploads_begin(struct call *c, struct fail *f);
int uploads_write(struct call *c, struct fail *f);
int uploads_drop(struct call *c, struct fail *f);

int upgrades_list(struct call *c, struct fail *f);
int upgrades_get(struct call *c, struct fail *f);

int events_list(struct call *c, struct fail *f);

int server_backup(struct call *c, struct fail *f);
int server_check(struct call *c, struct fail *f);

int health_live(struct call *c, struct fail *f);
int health_ready(struct call *c, struct fail *f);
int health_metrics(struct call *c, struct fail *f);
int health_version(struct call *c, struct fail *f);

#endif
