/* SPDX-License-Identifier: Apache-2.0 */
/* Heap memory that is never NULL. Any thread; what is handed out belongs to the caller. */
#include "base/heap.h"

#include <stdlib.h>

void *heap_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p)
        abort();
    return p;
}

void *heap_calloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (!p)
        abort();
    return p;
}

void *heap_realloc(void *p, size_t size)
{
    void *grown = realloc(p, size ? size : 1);

    if (!grown)
        abort();
    return grown;
}

char *heap_cstr(struct str s)
{
    char *copy = heap_alloc(s.len + 1);

    if (s.len > 0)
        memcpy(copy, s.p, s.len);
    copy[s.len] = '\0';
    return copy;
}
