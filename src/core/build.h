/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue of builds that agents can be upgraded to: version, platform, and a file in the data
 * directory, named by its SHA-256. Of the server, for all tenants. The row is written after the
 * file is whole and synced. Runs inside a transaction, but for the files. */
#ifndef CORE_BUILD_H
#define CORE_BUILD_H

#include "core/store.h"

#define BUILD_VERSION_MAX  64
#define BUILD_PLATFORM_MAX 64 /* "linux/amd64"; "any" fits every agent */
#define BUILDS_MAX         1000

struct build {
    struct str version;
    struct str platform;
    uint8_t sha256[32];
    int64_t bytes;
    int64_t added_us;
};

/* ALREADY_EXISTS "build_exists" (version and platform), INVALID_ARGUMENT "bad_version",
 * "bad_platform". */
int build_add(struct store_tx *tx, const struct caller *by, const struct build *b, struct fail *f)
    MUST_CHECK;

/* NOT_FOUND "no_such_build". */
int build_remove(struct store_tx *tx, const struct caller *by, struct str version,
                 struct str platform, struct fail *f) MUST_CHECK;

/* Newest version first, by build_compare(). */
int build_list(struct store_tx *tx, struct build **out, size_t *count, struct fail *f) MUST_CHECK;

/* For an agent of that platform; false: no such version, or not for this platform. */
bool build_find(const struct build *all, size_t count, struct str version, struct str platform,
                struct build *out);

/* Versions as people sort them: "19.9-3" < "19.115-37" < "v0.155.0-sumo-0" by their numbers. Pure.
 */
int build_compare(struct str a, struct str b);

/* DATA/builds/<sha256>: stages an upload, renames it when the hash is right; sweeps leftovers and
 * files that no row names. Workers; block. */
struct build_file;
int build_file_begin(const char *data_dir, struct build_file **out, struct fail *f) MUST_CHECK;
int build_file_write(struct build_file *b, struct str bytes, struct fail *f) MUST_CHECK;
int build_file_commit(struct build_file **b, uint8_t sha256[32], int64_t *bytes, struct fail *f)
    MUST_CHECK;
void build_file_abort(struct build_file **b);
int build_file_open(const char *data_dir, const uint8_t sha256[32], int *fd, struct fail *f)
    MUST_CHECK;
int build_files_sweep(struct store_tx *tx, const char *data_dir, struct fail *f) MUST_CHECK;

#endif
