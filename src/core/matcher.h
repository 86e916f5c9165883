/* SPDX-License-Identifier: Apache-2.0 */
/* Matchers: `name op value`, one condition on an agent's attributes, in Alertmanager's UTF-8
 * grammar. A missing attribute is an empty value. Patterns are RE2's, anchored at both ends. Pure;
 * a compiled matcher is immutable and may be used by any thread; it lives in its arena. */
#ifndef CORE_MATCHER_H
#define CORE_MATCHER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/str.h"
#include "core/store.h"

#define MATCHER_CHARS_MAX 200 /* Unicode characters of one matcher's text */
#define MATCHERS_MAX      100 /* of one list: each may hold a compiled pattern */

enum matcher_op {
    MATCH_EQUAL,       /* =  */
    MATCH_NOT_EQUAL,   /* != */
    MATCH_PATTERN,     /* =~ */
    MATCH_NOT_PATTERN, /* !~ */
};

struct regex;

struct matcher {
    enum matcher_op op;
    struct str name;
    struct str value;    /* unquoted; of a pattern: its text */
    struct str text;     /* as it was written */
    struct regex *regex; /* patterns only */
};

/* INVALID_ARGUMENT "bad_matcher", with the column; "too_large" above the limit. The text is copied
 * to the arena. A name must not be empty: no attribute has an empty key. */
int matcher_parse(struct arena *a, struct str text, struct matcher *out, struct fail *f) MUST_CHECK;

/* A list of them; fail_field names the index ("matchers[3]"). "too_many_matchers" above the limit.
 */
int matchers_parse(struct arena *a, const struct str *texts, size_t count, struct matcher **out,
                   struct fail *f) MUST_CHECK;

/* Instructions of all their compiled patterns: what they cost in time to compile and in memory. */
size_t matchers_steps(const struct matcher *m, size_t count);

/* `value` is the attribute's, empty when there is none. */
bool matcher_holds(const struct matcher *m, struct str value);

/* `attributes` are sorted by key as str_cmp() does. The first matcher that does not hold, NULL when
 * all do (also when there are none). */
const struct matcher *matchers_refusing(const struct matcher *m, size_t count,
                                        const struct label *attributes, size_t attribute_count);

#endif
