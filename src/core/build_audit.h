/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the files of the catalogue are what its rows say: there, of their size, of their SHA-256.
 * Changes nothing. A worker or the command line; reads every file, and blocks. */
#ifndef CORE_BUILD_AUDIT_H
#define CORE_BUILD_AUDIT_H

#include "core/audit.h"
#include "core/build.h"

/* The rows as they are now, in the arena; asked while nobody adds or removes a build. */
typedef int (*build_rows_fn)(void *arg, struct arena *a, const struct build **out, size_t *count,
                             struct fail *f);

struct build_totals {
    size_t builds;
    int64_t bytes;               /* of files that are sound */
    const struct build *unsound; /* one a file; in the arena */
    size_t unsound_count;
    const char *const *orphans; /* names of files that belong to no build */
    size_t orphan_count;
};

/* -1: it could not be looked at. */
int build_audit(const char *data_dir, build_rows_fn rows, void *arg, struct audit *audit,
                struct build_totals *totals, struct fail *f) MUST_CHECK;

#endif
