/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions in RE2's syntax, matched in time that grows with the text alone: no
 * backtracking, whatever the pattern. Text is UTF-8, a dot does not match a line break. Matching is
 * safe from any thread at once; whoever compiled a pattern frees it when nobody matches any more.
 */
#ifndef CODEC_REGEX_H
#define CODEC_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

#define REGEX_PATTERN_MAX 4096      /* bytes */
#define REGEX_MEMORY_MAX  (1 << 20) /* bytes of one compiled pattern and its cache */
#define REGEX_STEPS_MAX   10000     /* instructions of a compiled pattern */
#define REGEX_GROUPS_MAX  32        /* that regex_search() tells about */

enum regex_flags {
    REGEX_ANCHORED = 1 << 0, /* the whole text must match, as if it were ^(?:pattern)$ */
    REGEX_NO_CASE = 1 << 1,
};

struct regex;

/* INVALID_ARGUMENT "bad_pattern" with the reason, also when it would take too much memory. */
int regex_compile(struct str pattern, unsigned flags, struct regex **out, struct fail *f)
    MUST_CHECK;

/* Instructions of the compiled pattern, which memory goes with; 0 for plain alternatives. */
size_t regex_steps(const struct regex *r);

bool regex_matches(const struct regex *r, struct str text);

/* How many parts of the pattern stand in capturing brackets. */
size_t regex_group_count(const struct regex *r);

/* The first match at or behind `from`, of a pattern that was compiled without REGEX_ANCHORED:
 * groups[0] is all of it, then come its capturing groups, `count` in all and at most
 * REGEX_GROUPS_MAX + 1; views of the text, p NULL for a group that took no part. What stands before
 * `from` is seen by "^" and "\b". */
bool regex_search(const struct regex *r, struct str text, size_t from, struct str *groups,
                  size_t count);

/* Accepts NULL, clears the caller's pointer. */
void regex_free(struct regex **r);

#endif
