/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": finds the known name that a mistyped one resembles. Pure, any thread. */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include <stddef.h>

#include "base/str.h"

/* Names longer than this resemble nothing. */
#define NEAREST_MAX 64

/* Single-character insertions, removals and replacements from a to b, a swap of neighbors counting
 * as one. Both at most NEAREST_MAX bytes. */
size_t nearest_distance(struct str a, struct str b);

/* The known name closest to `given`, the first of equals; NULL when none is close enough to be
 * worth naming (about a third of the letters may differ). */
const char *nearest_find(struct str given, const char *const *names, size_t count);

#endif
