/* SPDX-License-Identifier: Apache-2.0 */
/* One version of one pipeline, ready to be matched and rendered. Immutable once it is published in
 * struct pipelines, and shared: by that and by who renders. Everything it says lives in its own
 * arena. */
#ifndef CORE_PIPELINES_COMPILED_H
#define CORE_PIPELINES_COMPILED_H

#include "core/alloy_config.h"
#include "core/pipelines.h"
#include "core/pipelines_conditions.h"

struct compiled {
    size_t refs; /* guarded by the lock of sets in struct pipelines */
    int64_t id;
    struct str name;
    bool enabled;
    bool broken; /* its row can no longer be understood */
    enum agent_type type;
    struct condition **conditions; /* as they were written */
    struct condition **cheapest;   /* the same, patterns last */
    size_t condition_count;
    bool owns_conditions; /* else they are in the table of struct pipelines */
    struct str contents;
    struct alloy_facts facts;

    uint64_t text_number;   /* of the change that last made its text differ */
    uint64_t choice_number; /* of the change that last made a difference to who gets it */
    struct arena *arena;
};

/* With one reference. Of a row that does not compile comes a broken pipeline, and *f says why;
 * otherwise its code is CODE_OK. */
struct compiled *compiled_new(const struct pipeline *row, struct fail *f) RETURNS_NONNULL;
void compiled_free(struct compiled **c);

/* What differs between two versions: who gets it, and what its text is. */
bool compiled_is_chosen_alike(const struct compiled *a, const struct compiled *b);
bool compiled_reads_alike(const struct compiled *a, const struct compiled *b);

enum verdict {
    VERDICT_SELECTED,
    VERDICT_BROKEN,
    VERDICT_DISABLED,
    VERDICT_TYPE,
    VERDICT_NO_MATCHERS,
    VERDICT_MATCHER,
};

/* Puts the conditions into the table. Whoever publishes does this, once. */
void compiled_join(struct compiled *c, struct conditions *t);

/* Takes them out again, when it is not published any more: those that nobody else has are its own
 * then, and the others are gone. */
void compiled_leave(struct compiled *c, struct conditions *t);

/* Whether an agent of this type and with these attributes is meant. `known` (NULL: look for
 * yourself) is of the agent, and of the table that the conditions are in. */
enum verdict compiled_judge(const struct compiled *c, const struct pipelines_options *o,
                            const struct agent_view *v, struct verdicts *known);

/* Whether the matchers hold, whatever else the pipeline says. */
bool compiled_matches(const struct compiled *c, const struct pipelines_options *o,
                      const struct label *attributes, size_t count, struct verdicts *known);

#endif
