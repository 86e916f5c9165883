/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines: named configuration that matches agents; every change leaves a revision, also the
 * deletion. Runs inside a transaction; rows live in its arena. pipelines.h, all of them in memory,
 * follows by itself after the commit (registry NULL: nothing follows). */
#ifndef CORE_PIPELINE_H
#define CORE_PIPELINE_H

#include "core/agent.h"

#define PIPELINE_NAME_MAX     250 /* characters */
#define PIPELINE_BODY_MAX     (2u << 20)
#define PIPELINE_CONTENTS_MAX (1u << 20)
#define PIPELINE_MATCHERS_MAX 100
#define PIPELINE_STEPS_MAX    500000 /* of all patterns that are written at once */

struct registry;

/* What a pipeline's body says. */
struct pipeline_spec {
    enum agent_type type; /* of the agents that it is for */
    struct str contents;
    struct str *matchers; /* as they were written, in order */
    size_t matcher_count;
    bool has_metadata;
    struct str metadata; /* encoded google.protobuf.Struct; opaque here */
    bool has_source;
    int32_t source_type; /* who wrote it: 1 git, 2 Terraform, 3 the console */
    struct str source_namespace;
};

/* 1 to 250 characters, no control characters. "bad_name". Pure. */
int pipeline_check_name(struct str name, struct fail *f) MUST_CHECK;

/* Everything that can be refused from what is written: name, contents (by the language of its
 * type), matchers, sizes. INVALID_ARGUMENT "bad_name", "bad_contents", "bad_matcher", "bad_type",
 * "bad_source", "too_large". Costs time with the length of contents: not on a loop or a lane. Pure.
 */
int pipeline_check(struct arena *a, struct str name, const struct pipeline_spec *spec,
                   struct fail *f) MUST_CHECK;

/* Same for one of many that are written at once. *steps, 0 before the first, sums up what their
 * patterns cost when they are compiled, which is bounded by PIPELINE_STEPS_MAX. */
int pipeline_check_next(struct arena *a, struct str name, const struct pipeline_spec *spec,
                        size_t *steps, struct fail *f) MUST_CHECK;

int pipeline_spec_encode(struct arena *a, const struct pipeline_spec *spec, struct str *body,
                         struct fail *f) MUST_CHECK;

/* DATA_LOSS. Strings are views of body. */
int pipeline_spec_decode(struct arena *a, struct str body, struct pipeline_spec *out,
                         struct fail *f) MUST_CHECK;

struct pipeline_draft {
    struct str name;
    bool enabled;
    const struct pipeline_spec *spec; /* checked */
};

/* All or nothing: creates or replaces each of the drafts by name, stamps them with the source, and
 * deletes the pipelines of that source that are not among them. Drafts that change nothing write
 * nothing. INVALID_ARGUMENT "duplicate_name"; the field names the index ("pipelines[3]"). */
int pipeline_sync(struct store_tx *tx, struct registry *r, const struct caller *by, uint64_t tenant,
                  int32_t source_type, struct str source_namespace,
                  const struct pipeline_draft *drafts, size_t count, struct fail *f) MUST_CHECK;

/* p carries tenant, name, enabled, body. ALREADY_EXISTS "name_taken"; INVALID_ARGUMENT "bad_name",
 * "too_large". */
int pipeline_create(struct store_tx *tx, struct registry *r, const struct caller *by,
                    struct pipeline *p, struct fail *f) MUST_CHECK;

/* NOT_FOUND, reason "no_such_pipeline". */
int pipeline_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct pipeline *out,
                 struct fail *f) MUST_CHECK;
int pipeline_get_name(struct store_tx *tx, uint64_t tenant, struct str name, struct pipeline *out,
                      struct fail *f) MUST_CHECK;

/* In order of id, from the first above `after`. */
int pipeline_list(struct store_tx *tx, uint64_t tenant, int64_t after, size_t limit,
                  struct pipeline **out, size_t *count, struct fail *f) MUST_CHECK;

/* Replaces name, enabled and body. ABORTED "revision_mismatch"; revision 0: whatever it is. */
int pipeline_update(struct store_tx *tx, struct registry *r, const struct caller *by,
                    struct pipeline *p, struct fail *f) MUST_CHECK;
int pipeline_delete(struct store_tx *tx, struct registry *r, const struct caller *by,
                    uint64_t tenant, int64_t id, int64_t revision, struct fail *f) MUST_CHECK;

/* Newest first. pipeline 0: of all pipelines. before 0: from the newest; else below that id. */
int pipeline_revisions(struct store_tx *tx, uint64_t tenant, int64_t pipeline, int64_t before,
                       size_t limit, struct pipeline_revision **out, size_t *count, struct fail *f)
    MUST_CHECK;

/* NOT_FOUND, reason "no_such_revision". */
int pipeline_revision_get(struct store_tx *tx, uint64_t tenant, int64_t id,
                          struct pipeline_revision *out, struct fail *f) MUST_CHECK;

#endif
