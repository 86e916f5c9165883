/* SPDX-License-Identifier: Apache-2.0 */
/* Rendered texts under their keys. What was longest not asked for goes first when they grow too
 * many bytes; of a text that went its hash is remembered for longer. Nobody makes a text that
 * another thread is making: it waits for that one. Any thread; the lock is held for a look-up,
 * never while a text is made or copied. */
#ifndef CORE_PIPELINES_TEXTS_H
#define CORE_PIPELINES_TEXTS_H

#include "core/pipelines.h"

struct text;
struct texts;

struct text_key {
    uint8_t bytes[32];
};

/* Texts that are forgotten together. Zero: none. */
struct text_group {
    struct text *first; /* guarded by the lock of the texts */
};

/* About as many bytes of texts are kept, and an eighth of it beside them for hashes. */
struct texts *texts_new(size_t bytes_max) RETURNS_NONNULL;

/* Nobody may be in texts_get(). */
void texts_free(struct texts **t);

/* False: neither the text nor its hash is known. */
bool texts_hash(struct texts *t, const struct text_key *k, uint8_t hash[32]);

/* The text under the key, in the arena; made by make() where it is not at hand. The group outlives
 * the call. */
void texts_get(struct texts *t, struct text_group *g, const struct text_key *k, struct arena *a,
               struct str (*make)(void *arg, struct arena *a), void *arg, struct rendered *out);

void texts_forget(struct texts *t, struct text_group *g);

void texts_stats(struct texts *t, size_t *count, size_t *bytes);

#endif
