/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of struct pipelines share; see pipelines.h.
 *
 * Order of locks: `lock`, then `sets_lock`, then that of the texts. Whoever calls may hold a lock
 * of its own; nothing here calls back. */
#ifndef CORE_PIPELINES_INTERNAL_H
#define CORE_PIPELINES_INTERNAL_H

#include <pthread.h>

#include "base/word.h"
#include "core/pipelines_compiled.h"
#include "core/pipelines_sets.h"
#include "core/pipelines_texts.h"

#define LOG_ENTRIES 1024 /* changes that a choice can catch up with one by one */

/* Entry of the change with that number. */
struct change {
    uint64_t number;
    int64_t pipeline;
    bool choice; /* who gets it may differ */
    bool text;
};

struct pipelines {
    struct pipelines_options options;
    uint8_t none_hash[32]; /* of what an agent without pipelines gets */
    struct texts *texts;

    pthread_rwlock_t lock; /* guards what follows, up to the next lock; numbers: writing them */
    struct word number;    /* of the last change; from 1, so that 0 is before them all */
    struct word count;
    struct compiled **all; /* by id; as many as `count` says */
    size_t capacity;
    struct conditions *conditions;  /* of `all` */
    struct change log[LOG_ENTRIES]; /* change n is at n % LOG_ENTRIES */

    pthread_mutex_t sets_lock; /* guards the sets, and the references to compiled pipelines */
    struct sets *sets;
};

/* Some pipelines, held for use after the lock is let go. */
struct parts {
    struct compiled **items;
    size_t count;
};

/* Under the lock. The index of the first with an id that is not below. */
size_t pipelines_index(const struct pipelines *p, int64_t id);
struct compiled *pipelines_find(const struct pipelines *p, int64_t id);

/* Takes the sets' lock itself. */
void parts_release(struct pipelines *p, struct parts *parts);

/* Rendered in the order of their names for these attributes. Without any lock. */
struct str parts_render(const struct parts *parts, struct arena *a, const struct label *attributes,
                        size_t count);

/* What an agent without pipelines gets. */
struct str pipelines_none(const struct pipelines *p);

#endif
