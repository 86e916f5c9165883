/* SPDX-License-Identifier: Apache-2.0 */
/* All pipelines of one tenant, compiled, in memory: which of them an agent gets, and the text that
 * makes of them. Agents with the same pipelines share one set, one text and one hash; only where a
 * pipeline uses attributes is the text rendered for their values. It follows the store like
 * agents.h does.
 *
 * A change is not pushed to the agents: it is numbered, and each agent's choice says up to which
 * number it is current. The next poll looks at the pipelines that changed since, and only at those.
 *
 * Any thread. The lock is held to read or to swap pointers, never while matching patterns of a
 * whole fleet or while rendering. */
#ifndef CORE_PIPELINES_H
#define CORE_PIPELINES_H

#include "core/agent.h"
#include "core/matcher.h"
#include "core/pipeline.h"

struct pipelines;
struct pipeline_set;

struct pipelines_options {
    /* A pipeline without matchers goes to every agent, not to none. */
    bool empty_matches_all;

    /* An agent that is disabled or has no pipeline gets "", not a comment. */
    bool disabled_is_empty;

    size_t variant_bytes; /* of texts that are kept, for sets and for attribute values; 0: 64 MiB */
};

struct pipelines *pipelines_new(const struct pipelines_options *o) RETURNS_NONNULL;

/* With every set, also those that choices still name: these are good for nothing then. */
void pipelines_free(struct pipelines **p);

/* Copies and compiles, before it takes any lock; what is stored already changes nothing. A stored
 * pipeline that no longer compiles (a limit became tighter) is kept but selected by nobody; *f says
 * why then, and the result is -1. */
int pipelines_put(struct pipelines *p, const struct pipeline *row, struct fail *f) MUST_CHECK;
void pipelines_remove(struct pipelines *p, int64_t id);

/* One pipeline that is put, or that goes. */
struct pipelines_edit {
    const struct pipeline *row; /* NULL: `gone` goes */
    int64_t gone;
    struct fail *fail; /* of a row; CODE_OK where it compiles */
};

/* All of them at one moment: nobody is given a selection that has seen some and not the others. In
 * the order of the edits. */
void pipelines_apply(struct pipelines *p, const struct pipelines_edit *edits, size_t count);
size_t pipelines_count(const struct pipelines *p);

/* --- what an agent gets --- */

/* An agent as the selection sees it. */
struct agent_view {
    struct str id;
    enum agent_type type;
    bool enabled;
    const struct label *attributes; /* effective, sorted, with AGENT_ID_KEY */
    size_t attribute_count;
};

/* What is remembered with an agent of its last answer. Zero: nothing. Guarded by its owner. */
struct choice {
    uint64_t number; /* of the last change that it has seen */
    struct pipeline_set *set;
    uint8_t hash[32];
    bool has_hash;
};

struct rendered {
    struct str content;
    uint8_t hash[32]; /* SHA-256 of the content */
};

/* True when the choice is current as it stands: nothing has changed since. No lock. */
bool pipelines_is_current(const struct pipelines *p, const struct choice *c);

/* Brings a choice up to date from memory alone: looks at what changed since, finds the set, and its
 * hash where a text is at hand. False: the hash has to be rendered. */
bool pipelines_refresh(struct pipelines *p, const struct agent_view *v, struct choice *c);

/* Selects from scratch and renders where no text is at hand. content is copied to the arena. The
 * choice may be NULL. Worker. */
void pipelines_render(struct pipelines *p, const struct agent_view *v, struct arena *a,
                      struct choice *c, struct rendered *out);

/* Gives back the set. The agent is gone, or its attributes, type or state changed. */
void choice_reset(struct pipelines *p, struct choice *c);

/* --- looking at it --- */

struct pipeline_verdict {
    int64_t id;
    struct str name;
    bool selected;
    const char *why;    /* static: "matches", "matcher", "disabled", "type", "no matchers",
                           "agent disabled", "broken" */
    struct str matcher; /* "matcher": the text of the one that refused */
};

/* Every pipeline, by name, and what became of it. */
void pipelines_explain(struct pipelines *p, struct arena *a, const struct agent_view *v,
                       struct pipeline_verdict **out, size_t *count);

/* Selects and renders as if `row` were stored (in the place of the one with its id, or new when the
 * id is 0). */
int pipelines_preview(struct pipelines *p, struct arena *a, const struct pipeline *row,
                      const struct agent_view *v, struct rendered *out, struct fail *f) MUST_CHECK;

/* Names of pipelines whose matchers hold for these attributes (sorted), enabled or not: the filter
 * of a list. Ids, ascending. */
void pipelines_matching(struct pipelines *p, struct arena *a, const struct label *attributes,
                        size_t count, int64_t **ids, size_t *id_count);

struct pipelines_stats {
    size_t pipelines;
    size_t sets;
    size_t texts;
    size_t text_bytes;
    uint64_t changes;
};

void pipelines_stats(struct pipelines *p, struct pipelines_stats *out);

#endif
