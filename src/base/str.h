/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed run of bytes. Not NUL-terminated, may hold NUL; whoever made the bytes owns them. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/macros.h"

struct str {
    const char *p;
    size_t len;
};

#define STR(lit) ((struct str){(lit), sizeof(lit) - 1})

/* For static tables, where a compound literal is not a constant. */
#define STR_INIT(lit)                                                                              \
    {                                                                                              \
        (lit), sizeof(lit) - 1                                                                     \
    }

/* For printf's "%.*s". */
#define STR_ARG(s) (int)(s).len, (s).p

static inline struct str str_of(const char *cstr)
{
    return (struct str){cstr, cstr ? strlen(cstr) : 0};
}

static inline struct str str_make(const void *p, size_t len)
{
    return (struct str){(const char *)p, len};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool str_starts_with(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

static inline bool str_ends_with(struct str s, struct str suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.p + s.len - suffix.len, suffix.p, suffix.len) == 0);
}

/* The bytes from `from` on; empty when there are none. */
static inline struct str str_skip(struct str s, size_t from)
{
    if (s.len == 0) /* p may be NULL, and NULL takes no offset */
        return s;
    return from >= s.len ? (struct str){s.p + s.len, 0} : (struct str){s.p + from, s.len - from};
}

static inline struct str str_first(struct str s, size_t n)
{
    return (struct str){s.p, n < s.len ? n : s.len};
}

/* Byte order, shorter first on a tie: the order of memcmp and of the C collation. */
int str_cmp(struct str a, struct str b);

/* ASCII letters compare without case; other bytes exactly. */
bool str_eq_nocase(struct str a, struct str b);

/* Index of the first `c`, or -1. */
ptrdiff_t str_index(struct str s, char c);

/* Removes ASCII space and tab at both ends. */
struct str str_trim(struct str s);

/* Cuts `*rest` at the first `c`: returns what stood before it (all, when there is none) and leaves
 * what follows. */
struct str str_cut(struct str *rest, char c);

/* Whether each byte lies between the two, both of them ASCII and above NUL. Eight at a time. */
bool str_is_within(struct str s, char low, char high);

/* Whether it is printable ASCII without '"' and '\\': text that stands for itself between quotes.
 */
bool str_is_plain(struct str s);

/* Decimal digits only, no sign, no blanks, no leading '+'. -1 when it is anything else or too big
 * for the type; *out is untouched then. */
int str_to_u64(struct str s, uint64_t *out) MUST_CHECK;

/* As above with an optional leading '-'. */
int str_to_i64(struct str s, int64_t *out) MUST_CHECK;

#endif
