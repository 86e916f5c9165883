/* SPDX-License-Identifier: Apache-2.0 */
/* What changes from one text to another, line by line, in the unified form that diff(1) and
 * patch(1) speak. Pure; one thread. */
#ifndef CLI_TEXT_DIFF_H
#define CLI_TEXT_DIFF_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

/* Appends the difference with three lines of context; nothing, and false, when the texts are equal.
 * The smallest one, unless it is very large: then what lies between the equal ends is replaced. */
bool text_diff(struct arena *a, struct str old, const char *old_name, struct str new,
               const char *new_name, struct buf *out);

#endif
