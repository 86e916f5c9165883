/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines: named configuration that matches agents; every change leaves a revision, also the
 * deletion. Runs inside a transaction; rows live in its arena. */
#ifndef CORE_PIPELINE_H
#define CORE_PIPELINE_H

#include "core/store.h"

#define PIPELINE_NAME_MAX 250
#define PIPELINE_BODY_MAX (2u << 20)

/* p carries tenant, name, enabled, body. ALREADY_EXISTS "name_taken"; INVALID_ARGUMENT "bad_name",
 * "too_large". */
int pipeline_create(struct store_tx *tx, const struct caller *by, struct pipeline *p,
                    struct fail *f) MUST_CHECK;

/* NOT_FOUND, reason "no_such_pipeline". */
int pipeline_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct pipeline *out,
                 struct fail *f) MUST_CHECK;
int pipeline_get_name(struct store_tx *tx, uint64_t tenant, struct str name, struct pipeline *out,
                      struct fail *f) MUST_CHECK;

/* In order of id, from the first above `after`. */
int pipeline_list(struct store_tx *tx, uint64_t tenant, int64_t after, size_t limit,
                  struct pipeline **out, size_t *count, struct fail *f) MUST_CHECK;

/* Replaces name, enabled and body. ABORTED "revision_mismatch"; revision 0: whatever it is. */
int pipeline_update(struct store_tx *tx, const struct caller *by, struct pipeline *p,
                    struct fail *f) MUST_CHECK;
int pipeline_delete(struct store_tx *tx, const struct caller *by, uint64_t tenant, int64_t id,
                    int64_t revision, struct fail *f) MUST_CHECK;

/* Newest first. pipeline 0: of all pipelines. before 0: from the newest; else below that id. */
int pipeline_revisions(struct store_tx *tx, uint64_t tenant, int64_t pipeline, int64_t before,
                       size_t limit, struct pipeline_revision **out, size_t *count, struct fail *f)
    MUST_CHECK;

/* NOT_FOUND, reason "no_such_revision". */
int pipeline_revision_get(struct store_tx *tx, uint64_t tenant, int64_t id,
                          struct pipeline_revision *out, struct fail *f) MUST_CHECK;

#endif
