/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: pieces of configuration that one agent or hosted collector owns, deleted with it. Runs
 * inside a transaction; rows live in its arena. */
#ifndef CORE_SOURCE_H
#define CORE_SOURCE_H

#include "core/store.h"

#define SOURCE_NAME_MAX 512 /* 128 characters of any language */
#define SOURCE_TYPE_MAX 64
#define SOURCE_BODY_MAX (1u << 20)

/* src carries tenant, collector, type, name, body. ALREADY_EXISTS "name_taken" within the
 * collector; NOT_FOUND "no_such_collector"; FAILED_PRECONDITION "no_sources" for kinds that hold
 * none. */
int source_create(struct store_tx *tx, const struct caller *by, struct source *src, struct fail *f)
    MUST_CHECK;

/* Same, under a number of store_next_id() that the caller drew before: for bodies that depend on
 * it.
 */
int source_create_as(struct store_tx *tx, const struct caller *by, int64_t id, struct source *src,
                     struct fail *f) MUST_CHECK;

/* NOT_FOUND, reason "no_such_source". */
int source_get(struct store_tx *tx, uint64_t tenant, int64_t collector, int64_t id,
               struct source *out, struct fail *f) MUST_CHECK;
int source_get_name(struct store_tx *tx, uint64_t tenant, int64_t collector, struct str name,
                    struct source *out, struct fail *f) MUST_CHECK;

/* In order of id, from the first above `after`. */
int source_list(struct store_tx *tx, uint64_t tenant, int64_t collector, int64_t after,
                size_t limit, struct source **out, size_t *count, struct fail *f) MUST_CHECK;

/* All of a collector's, in order of id, borrowed until fn returns; fn returns false to end the
 * walk. Memory stays constant. */
int source_each(struct store_tx *tx, uint64_t tenant, int64_t collector,
                bool (*fn)(void *arg, const struct source *src), void *arg, struct fail *f)
    MUST_CHECK;
/* And how long their bodies are together. */
int source_count(struct store_tx *tx, uint64_t tenant, int64_t collector, int64_t *out,
                 int64_t *bytes, struct fail *f) MUST_CHECK;

/* Every source of all tenants, borrowed, by tenant, collector and id: for the load at start. */
int source_load(struct store_tx *tx, bool (*fn)(void *arg, const struct source *src), void *arg,
                struct fail *f) MUST_CHECK;

/* Replaces type, name and body. ABORTED "revision_mismatch"; revision 0: whatever it is. */
int source_update(struct store_tx *tx, const struct caller *by, struct source *src, struct fail *f)
    MUST_CHECK;
int source_delete(struct store_tx *tx, const struct caller *by, uint64_t tenant, int64_t collector,
                  int64_t id, int64_t revision, struct fail *f) MUST_CHECK;

#endif
