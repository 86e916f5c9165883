/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of one request: chunks that are filled front to back and freed together. Used by one
 * thread at a time. Under AddressSanitizer, bytes that were not handed out are poisoned and a gap
 * follows each piece, so that overruns and uses after a reset show. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif

#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#define GAP_BYTES         16
#define POISON(p, size)   ASAN_POISON_MEMORY_REGION((p), (size))
#define UNPOISON(p, size) ASAN_UNPOISON_MEMORY_REGION((p), (size))
#else
#define GAP_BYTES         0
#define POISON(p, size)   ((void)(p))
#define UNPOISON(p, size) ((void)(p))
#endif

#define ALIGNMENT       alignof(max_align_t)
#define CHUNK_MIN_BYTES 4096
#define CHUNK_MAX_BYTES ((size_t)256 * 1024)

struct chunk {
    struct chunk *next;
    size_t size;
    alignas(max_align_t) char data[];
};

struct hook {
    struct hook *next;
    void (*fn)(void *arg);
    void *arg;
};

struct arena {
    char *at;
    char *end;
    size_t used;
    struct hook *hooks;   /* newest first; they live in the arena itself */
    struct chunk *chunks; /* all but the first, newest first */
    size_t grow_bytes;    /* size of the next chunk */
    struct chunk first;   /* its data follows; kept over a reset */
};

/* The arena and its first chunk are one allocation. */
_Static_assert(offsetof(struct arena, first) + offsetof(struct chunk, data) == sizeof(struct arena),
               "the first chunk's data follows the arena");

static void rewind_to_first(struct arena *a)
{
    a->at = a->first.data;
    a->end = a->first.data + a->first.size;
    a->used = 0;
    a->grow_bytes = MAX(CHUNK_MIN_BYTES, MIN(2 * a->first.size, CHUNK_MAX_BYTES));
    POISON(a->first.data, a->first.size);
}

struct arena *arena_new(size_t first_bytes)
{
    if (first_bytes > SIZE_MAX / 4)
        abort();

    size_t size = (first_bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    struct arena *a = heap_alloc(sizeof(*a) + size);

    a->hooks = NULL;
    a->chunks = NULL;
    a->first.next = NULL;
    a->first.size = size;
    rewind_to_first(a);
    return a;
}

static void release(struct arena *a)
{
    while (a->hooks) {
        struct hook *h = a->hooks;

        a->hooks = h->next;
        h->fn(h->arg);
    }
    while (a->chunks) {
        struct chunk *c = a->chunks;

        a->chunks = c->next;
        UNPOISON(c->data, c->size);
        free(c);
    }
}

void arena_reset(struct arena *a)
{
    release(a);
    rewind_to_first(a);
}

void arena_free(struct arena **a)
{
    if (!*a)
        return;
    release(*a);
    UNPOISON((*a)->first.data, (*a)->first.size);
    free(*a);
    *a = NULL;
}

static struct chunk *chunk_add(struct arena *a, size_t size)
{
    struct chunk *c = heap_alloc(sizeof(*c) + size);

    c->next = a->chunks;
    c->size = size;
    a->chunks = c;
    POISON(c->data, size);
    return c;
}

/* The current chunk is too small: a big piece gets a chunk of its own and leaves the current one
 * in use, a small one starts the next chunk. */
static __attribute__((noinline)) void *alloc_slow(struct arena *a, size_t step)
{
    if (step > a->grow_bytes / 4)
        return chunk_add(a, step)->data;

    struct chunk *c = chunk_add(a, a->grow_bytes);

    a->grow_bytes = MIN(2 * a->grow_bytes, CHUNK_MAX_BYTES);
    a->at = c->data + step;
    a->end = c->data + c->size;
    return c->data;
}

static size_t step_of(size_t size)
{
    if (size > SIZE_MAX / 4)
        abort();
    return (MAX(size, 1) + GAP_BYTES + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

void *arena_alloc_raw(struct arena *a, size_t size)
{
    size_t step = step_of(size);
    char *p = a->at;

    if (step <= (size_t)(a->end - p))
        a->at = p + step;
    else
        p = alloc_slow(a, step);
    a->used += size;
    UNPOISON(p, size);
    return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
    return memset(arena_alloc_raw(a, size), 0, size);
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        abort();
    return arena_alloc(a, total);
}

bool arena_grow(struct arena *a, void *p, size_t old_size, size_t size)
{
    char *at = p;
    size_t step = step_of(size);

    if (size < old_size || at + step_of(old_size) != a->at || step > (size_t)(a->end - at))
        return false;
    a->at = at + step;
    a->used += size - old_size;
    UNPOISON(p, size);
    return true;
}

char *arena_cstr(struct arena *a, struct str s)
{
    char *copy = arena_alloc_raw(a, s.len + 1);

    if (s.len > 0)
        memcpy(copy, s.p, s.len);
    copy[s.len] = '\0';
    return copy;
}

struct str arena_str(struct arena *a, struct str s)
{
    return (struct str){arena_cstr(a, s), s.len};
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (len < 0)
        abort();
    if ((size_t)len < sizeof(text))
        return arena_str(a, (struct str){text, (size_t)len});

    char *longer = arena_alloc_raw(a, (size_t)len + 1);

    va_start(args, fmt);
    len = vsnprintf(longer, (size_t)len + 1, fmt, args);
    va_end(args);
    return (struct str){longer, (size_t)len};
}

void arena_on_free(struct arena *a, void (*fn)(void *arg), void *arg)
{
    struct hook *h = arena_new_type(a, struct hook);

    h->fn = fn;
    h->arg = arg;
    h->next = a->hooks;
    a->hooks = h;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}
