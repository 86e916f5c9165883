/* SPDX-License-Identifier: Apache-2.0 */
/* The whole text that an Alloy gets: each of its pipelines wrapped as a custom component of its
 * own, with one instance that is handed attributes and other pipelines' exports. The same inputs
 * always give the same bytes: no time, no counter. Pure. */
#ifndef CORE_ALLOY_CONFIG_H
#define CORE_ALLOY_CONFIG_H

#include "core/agent.h"
#include "core/alloy_pipeline.h"

struct alloy_part {
    int64_t id;
    struct str name;
    struct str contents;
    const struct alloy_facts *facts;
};

/* `parts` sorted by name (bytes). Text in the arena. */
struct str alloy_config_render(struct arena *a, const struct alloy_part *parts, size_t count,
                               const struct label *attributes, size_t attribute_count);

/* What an agent gets that has no pipeline: a comment, since an empty text would leave it as it is.
 */
struct str alloy_config_none(void);

#endif
