/* SPDX-License-Identifier: Apache-2.0 */
/* Hash map from bytes to pointers: open addressing, SipHash under a random key, so keys chosen by
 * clients cannot flood it. Keys are copied; values belong to the caller. One thread at a time. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

struct map;

struct map *map_new(void) RETURNS_NONNULL;
void map_free(struct map **m);
size_t map_count(const struct map *m);

/* NULL when absent. Values may not be NULL. */
void *map_get(const struct map *m, struct str key);

/* Returns the value that was there before, or NULL. */
void *map_put(struct map *m, struct str key, void *value);
void *map_remove(struct map *m, struct str key);

/* Walks all entries in no particular order; *at starts at 0. The map may not change meanwhile. */
bool map_next(const struct map *m, size_t *at, struct str *key, void **value);

#endif
