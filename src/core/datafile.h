/* SPDX-License-Identifier: Apache-2.0 */
/* Small files in the data directory, replaced as a whole: whoever reads sees the old or the new
 * text, also after a power cut. Blocks on the disk: start-up and workers. */
#ifndef CORE_DATAFILE_H
#define CORE_DATAFILE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/fail.h"

/* Mode 0600, synced with its directory before it returns. */
int datafile_write(const char *dir, const char *name, struct str bytes, struct fail *f) MUST_CHECK;

/* NOT_FOUND when there is none; OUT_OF_RANGE when longer than max. */
int datafile_read(struct arena *a, const char *dir, const char *name, size_t max, struct str *out,
                  struct fail *f) MUST_CHECK;

/* Of a whole open file, from its begin; `path` is for the failure. */
int datafile_sha256(int fd, const char *path, uint8_t out[32], int64_t *bytes, struct fail *f)
    MUST_CHECK;

/* Makes renames and new files of a directory last. */
int datafile_sync_dir(const char *dir, struct fail *f) MUST_CHECK;

/* UNAVAILABLE "disk_full", "too_many_files", FAILED_PRECONDITION "not_writable", NOT_FOUND
 * "no_such_file" or INTERNAL "io_error" from an errno; "cannot <what> <path>: <why>". */
int datafile_fail(struct fail *f, int error, const char *what, const char *path);

#endif
