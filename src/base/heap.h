/* SPDX-License-Identifier: Apache-2.0 */
/* Heap memory that is never NULL: running out of it aborts, as the arena does. Given back with
 * free(). Any thread. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

/* Not zeroed. */
void *heap_alloc(size_t size) RETURNS_NONNULL;

/* Zeroed; aborts when count * size overflows. */
void *heap_calloc(size_t count, size_t size) RETURNS_NONNULL;
void *heap_realloc(void *p, size_t size) RETURNS_NONNULL;

/* NUL-terminated copy. */
char *heap_cstr(struct str s) RETURNS_NONNULL;

#define heap_new_type(type)         ((type *)heap_calloc(1, sizeof(type)))
#define heap_new_array(type, count) ((type *)heap_calloc((count), sizeof(type)))

#endif
