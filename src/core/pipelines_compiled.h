/* SPDX-License-Identifier: Apache-2.0 */
/* One version of one pipeline, ready to be matched and rendered. Immutable once it is published in
 * struct pipelines, and shared: by that and by who renders. Everything it says lives in its own
 * arena. */
#ifndef CORE_PIPELINES_COMPILED_H
#define CORE_PIPELINES_COMPILED_H

#include "core/alloy_config.h"
#include "core/pipelines.h"

struct compiled {
    size_t refs; /* guarded by the lock of sets in struct pipelines */
    int64_t id;
    struct str name;
    bool enabled;
    bool broken; /* its row can no longer be understood */
    enum agent_type type;
    struct matcher *matchers; /* as they were written */
    struct matcher *cheapest; /* the same, patterns last */
    size_t matcher_count;
    struct str contents;
    struct alloy_facts facts;

    uint64_t text_number;   /* of the change that last made its text differ */
    uint64_t choice_number; /* of the change that last made a difference to who gets it */
    struct arena *arena;
};

/* With one reference. Of a row that does not compile comes a broken pipeline, and *f says why. */
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

/* Whether an agent of this type and with these attributes is meant. */
enum verdict compiled_judge(const struct compiled *c, const struct pipelines_options *o,
                            const struct agent_view *v);

/* Whether the matchers hold, whatever else the pipeline says. */
bool compiled_matches(const struct compiled *c, const struct pipelines_options *o,
                      const struct label *attributes, size_t count);

#endif
