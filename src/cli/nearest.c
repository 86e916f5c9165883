/* SPDX-License-Identifier: Apache-2.0 */
/* Edit distance over three rows of a small fixed width. */
#include "cli/nearest.h"

#include <assert.h>

size_t nearest_distance(struct str a, struct str b)
{
    size_t rows[3][NEAREST_MAX + 1];
    size_t *older = rows[0], *last = rows[1], *now = rows[2];

    assert(a.len <= NEAREST_MAX && b.len <= NEAREST_MAX);
    for (size_t j = 0; j <= b.len; j++)
        last[j] = j;

    for (size_t i = 1; i <= a.len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = last[j - 1] + (a.p[i - 1] != b.p[j - 1]);

            best = MIN(best, last[j] + 1);
            best = MIN(best, now[j - 1] + 1);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                best = MIN(best, older[j - 2] + 1);
            now[j] = best;
        }

        size_t *free_row = older;

        older = last;
        last = now;
        now = free_row;
    }
    return last[b.len];
}

const char *nearest_find(struct str given, const char *const *names, size_t count)
{
    const char *found = NULL;
    size_t best = 1 + given.len / 3;

    if (given.len == 0 || given.len > NEAREST_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct str name = str_of(names[i]);

        if (name.len > NEAREST_MAX)
            continue;

        size_t distance = nearest_distance(given, name);

        if (distance < best || (distance == best && !found)) {
            best = distance;
            found = names[i];
        }
    }
    return found;
}
