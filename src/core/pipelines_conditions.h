/* SPDX-License-Identifier: Apache-2.0 */
/* Matchers that pipelines have in common, each kept once and numbered, so that a selection looks at
 * each only once however many pipelines name it. A condition is immutable but for its place in the
 * table, which is guarded by the lock of struct pipelines. */
#ifndef CORE_PIPELINES_CONDITIONS_H
#define CORE_PIPELINES_CONDITIONS_H

#include "core/matcher.h"

struct condition {
    struct matcher matcher;
    struct arena *arena; /* of the matcher */
    size_t refs;         /* in the table */
    size_t number;       /* dense, from 0, in the table; it moves when another one goes */
};

/* By itself, outside of any table. NULL: f says why. */
struct condition *condition_new(struct str text, struct fail *f) MUST_CHECK;
void condition_free(struct condition **c);

struct conditions;

struct conditions *conditions_new(void) RETURNS_NONNULL;
void conditions_free(struct conditions **t);

/* Takes the condition over: adds it, or gives it back in *spare and returns the one that is there
 * already (*spare is NULL otherwise). */
struct condition *conditions_join(struct conditions *t, struct condition *c,
                                  struct condition **spare) RETURNS_NONNULL;

/* One user less. Returns the condition when it was the last: the caller's now. */
struct condition *conditions_leave(struct conditions *t, struct condition *c);
size_t conditions_count(const struct conditions *t);

/* What is known of one agent. Zero: nothing. */
struct verdicts {
    const struct label *attributes;
    size_t attribute_count;
    uint8_t *by_number;
    uint8_t at_hand[512];
};

void verdicts_init(struct verdicts *v, const struct conditions *t, const struct label *attributes,
                   size_t count);
void verdicts_done(struct verdicts *v);

/* Of a condition in the table; looks only once. */
bool verdicts_hold(struct verdicts *v, const struct condition *c);

/* Of any condition, without remembering. */
bool condition_holds(const struct condition *c, const struct label *attributes, size_t count);

#endif
