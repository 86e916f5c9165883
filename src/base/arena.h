/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of one request (or of one start-up): zeroed, freed together, used by one thread at a
 * time; it may move between threads with the request. Allocation never returns NULL: running out
 * of memory aborts, so bound every size that a client chooses before asking. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;

/* `first_bytes` is the size of the first chunk, kept over arena_reset(). */
struct arena *arena_new(size_t first_bytes) RETURNS_NONNULL;

/* Runs the hooks of arena_on_free(), newest first, and gives back all but the first chunk. */
void arena_reset(struct arena *a);

/* Same, and frees the arena itself; accepts NULL, clears the caller's pointer. */
void arena_free(struct arena **a);

/* Zeroed and aligned for any type. */
void *arena_alloc(struct arena *a, size_t size) RETURNS_NONNULL;

/* Not zeroed: for bytes that are overwritten at once. */
void *arena_alloc_raw(struct arena *a, size_t size) RETURNS_NONNULL;

/* Zeroed; aborts when count * size overflows. */
void *arena_calloc(struct arena *a, size_t count, size_t size) RETURNS_NONNULL;

/* Makes the newest piece bigger where it stands; false when another came after it or the chunk is
 * full, and then nothing has changed. The new bytes are not zeroed. */
bool arena_grow(struct arena *a, void *p, size_t old_size, size_t size) MUST_CHECK;

#define arena_new_type(a, type)         ((type *)arena_alloc((a), sizeof(type)))
#define arena_new_array(a, type, count) ((type *)arena_calloc((a), (count), sizeof(type)))

struct str arena_str(struct arena *a, struct str s);
char *arena_cstr(struct arena *a, struct str s) RETURNS_NONNULL;
struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Calls fn(arg) when the arena is reset or freed, newest first. */
void arena_on_free(struct arena *a, void (*fn)(void *arg), void *arg);

/* Bytes handed out since the last reset: what a decoder compares with its budget. */
size_t arena_used(const struct arena *a);

#endif
