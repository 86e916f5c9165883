/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of pipelines, each kept once: two agents with the same pipelines have the same set. A set is
 * its members' ids and nothing else, so it outlives what is done to its members; what their texts
 * are is told by its version. A few sets that nobody has are kept, for they often come back. Every
 * function under one lock, the caller's. */
#ifndef CORE_PIPELINES_SETS_H
#define CORE_PIPELINES_SETS_H

#include "core/alloy_pipeline.h"
#include "core/pipelines_texts.h"

struct pipeline_set {
    const int64_t *ids; /* ascending; these never change */
    size_t count;
    uint64_t serial; /* no other set ever has the same */
    size_t refs;     /* choices, and who renders */

    /* Kept up to date by struct pipelines. */
    uint64_t checked; /* up to this change; 0: never */
    uint64_t version; /* the last change of a member's text */
    enum attribute_use use;
    struct str *keys; /* that any member uses; sorted, in `arena` */
    size_t key_count;
    struct arena *arena;
    uint64_t hash_version; /* what the hash belongs to; 0: there is none. Attributes unused only */
    uint8_t hash[32];
    struct text_group texts;

    struct pipeline_set *idle_next; /* while nobody refers to it */
    struct pipeline_set *idle_prev;
};

struct sets;

struct sets *sets_new(struct texts *texts) RETURNS_NONNULL;
void sets_free(struct sets **s); /* and every set, whoever refers to it */

/* With a reference. */
struct pipeline_set *sets_intern(struct sets *s, const int64_t *ids, size_t count) RETURNS_NONNULL;
void sets_ref(struct sets *s, struct pipeline_set *set);

/* Accepts NULL, clears the caller's pointer. */
void sets_unref(struct sets *s, struct pipeline_set **set);
size_t sets_count(const struct sets *s);

/* No lock is needed for these. */
bool set_has(const struct pipeline_set *set, int64_t id);

/* Attributes among those that its members use: sorted as they were. */
size_t set_pick(const struct pipeline_set *set, const struct label *attributes, size_t count,
                struct label *out);

/* Of the text that the set has now, for an agent with these attributes. */
struct text_key set_text_key(const struct pipeline_set *set, const struct label *attributes,
                             size_t count);

#endif
