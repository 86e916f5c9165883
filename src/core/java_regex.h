/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns that are written for java.util.regex, matched by RE2. What RE2 does not know it refuses
 * itself; what it would understand in another way is refused here, since a pattern that hides
 * something must not quietly hide less. Two spellings are translated: (?<name>...) and \uXXXX.
 * Pure.
 */
#ifndef CORE_JAVA_REGEX_H
#define CORE_JAVA_REGEX_H

#include "base/arena.h"
#include "base/fail.h"
#include "codec/regex.h"

enum java_regex_fit {
    JAVA_REGEX_ANYWHERE, /* for regex_search() */
    JAVA_REGEX_AT_START, /* same; what is found begins where the text does */
    JAVA_REGEX_WHOLE,    /* for regex_matches(): all of the text */
};

/* INVALID_ARGUMENT "bad_pattern". The result goes with the arena. */
int java_regex_compile(struct arena *a, struct str pattern, enum java_regex_fit fit,
                       struct regex **out, struct fail *f) MUST_CHECK;

#endif
