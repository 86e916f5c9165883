/* SPDX-License-Identifier: Apache-2.0 */
/* What a look at the data found: findings are damage, notes are worth knowing and none. Both have a
 * bound, so that a disk full of damage is told in one answer. One thread; texts live in the arena.
 */
#ifndef CORE_AUDIT_H
#define CORE_AUDIT_H

#include <stddef.h>

#include "base/arena.h"
#include "base/macros.h"

#define AUDIT_LINES_MAX 100

struct audit_lines {
    const char *items[AUDIT_LINES_MAX];
    size_t count;
};

struct audit {
    struct arena *arena;
    struct audit_lines findings;
    struct audit_lines notes;
};

void audit_find(struct audit *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
void audit_note(struct audit *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
