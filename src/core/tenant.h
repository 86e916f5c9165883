/* SPDX-License-Identifier: Apache-2.0 */
/* Tenants: the unit of isolation. Every function but the last runs inside a transaction of the
 * store; changes write their event in it. A worker or the write lane; rows live in the
 * transaction's arena. */
#ifndef CORE_TENANT_H
#define CORE_TENANT_H

#include "core/store.h"

struct keyring;

#define TENANT_DEFAULT  "default"
#define TENANT_NAME_MAX 63

/* Names: 1 to 63 of [a-z0-9-], starting and ending with a letter or a digit, so that they fit into
 * host names and paths. INVALID_ARGUMENT with reason "bad_name". */
int tenant_check_name(struct str name, struct fail *f) MUST_CHECK;

/* ALREADY_EXISTS, reason "name_taken". `by` may be NULL: the server itself. */
int tenant_create(struct store_tx *tx, const struct caller *by, struct str name, struct tenant *out,
                  struct fail *f) MUST_CHECK;

/* By name. NOT_FOUND, reason "no_such_tenant". */
int tenant_get(struct store_tx *tx, struct str name, struct tenant *out, struct fail *f) MUST_CHECK;

/* By numeric id. */
int tenant_get_id(struct store_tx *tx, uint64_t id, struct tenant *out, struct fail *f) MUST_CHECK;

/* Whether there is one: asked by whatever makes a row in it, since a request may have waited while
 * its tenant was deleted. NOT_FOUND, reason "no_such_tenant". */
int tenant_check_id(struct store_tx *tx, uint64_t id, struct fail *f) MUST_CHECK;

/* In order of id, from the first one above `after`. */
int tenant_list(struct store_tx *tx, uint64_t after, size_t limit, struct tenant **out,
                size_t *count, struct fail *f) MUST_CHECK;

/* At once and as a whole, however much the tenant has: nobody finds it any more, and its name is
 * free. FAILED_PRECONDITION, reason "default_tenant", for the one that operates the server. The
 * ring (may be NULL) forgets its keys when the change is durable. */
int tenant_delete(struct store_tx *tx, const struct caller *by, struct str name,
                  struct keyring *ring, struct fail *f) MUST_CHECK;

/* Deletes the rows that deleted tenants left, in at most that many jobs between which others write;
 * without any it writes nothing. At a start, before rows are loaded; then the scheduler's thread.
 */
int tenant_sweep(struct store *s, size_t jobs, struct fail *f) MUST_CHECK;

#endif
