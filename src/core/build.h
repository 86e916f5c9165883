/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue of builds that agents can be upgraded to: version, platform, and a file in the data
 * directory, named by its SHA-256. Of the server, for all tenants. The row is written after the
 * file is whole and synced. Rows: inside a transaction. Files: workers, outside of one; they
 * block. */
#ifndef CORE_BUILD_H
#define CORE_BUILD_H

#include "core/store.h"

#define BUILD_VERSION_MAX  64
#define BUILD_PLATFORM_MAX 64 /* "linux/amd64"; "any" fits every agent */
#define BUILDS_MAX         1000
#define BUILD_STEPS_MAX    32
#define BUILD_BYTES_MAX    (INT64_C(1) << 30)
#define BUILD_UPLOADS_MAX  16

struct build {
    struct str version;
    struct str platform;
    struct str from_version; /* an agent that runs less cannot jump here; empty: any can */
    uint8_t sha256[32];
    int64_t bytes;
    int64_t added_us;
};

/* --- rows --- */

/* ALREADY_EXISTS "build_exists" (version and platform), INVALID_ARGUMENT "bad_version",
 * "bad_platform", RESOURCE_EXHAUSTED "too_many_builds". */
int build_add(struct store_tx *tx, const struct caller *by, const struct build *b, struct fail *f)
    MUST_CHECK;

/* What is wrong with version, platform or from_version, as build_add() says it. Pure. */
int build_check(const struct build *b, struct fail *f) MUST_CHECK;

/* NOT_FOUND "no_such_build". */
int build_remove(struct store_tx *tx, const struct caller *by, struct str version,
                 struct str platform, struct fail *f) MUST_CHECK;

/* Newest version first, by build_compare(). */
int build_list(struct store_tx *tx, struct build **out, size_t *count, struct fail *f) MUST_CHECK;

/* For an agent of that platform, the closest one when several fit; false: no such version, or not
 * for this platform. */
bool build_find(const struct build *all, size_t count, struct str version, struct str platform,
                struct build *out);

/* The newest one that fits the platform. */
bool build_latest(const struct build *all, size_t count, struct str platform, struct build *out);

/* A build's platform "any" fits every agent, "linux" every Linux; an agent that does not say all of
 * its own ("linux", or nothing) is fitted by whatever could be meant. Letters without case. */
bool build_fits(struct str platform, struct str agents_platform);

/* "linux/amd64": both halves, as an agent that fetches must say it. Pure. */
bool build_is_exact_platform(struct str platform);

/* The build to which an agent that runs `from` (empty: unknown, taken as the oldest) goes next on
 * its way to `to`: that one itself when the jump is allowed, else the newest one before it that can
 * be reached. False: there is no way. Pure; `all` as build_list() has it. */
bool build_step(const struct build *all, size_t count, struct str platform, struct str from,
                struct str to, struct build *out);

/* Versions as people sort them: digits by their numbers, and before letters, so that "19.9-3" <
 * "19.115-37" < "v0.155.0-sumo-0"; "1.0-rc1", "1.0.beta2" and "1.0~2" are before "1.0". Pure. */
int build_compare(struct str a, struct str b);

/* --- files: DATA/builds/<sha256>; uploads grow part by part in files of their own --- */

#define BUILD_UPLOAD_ID_LEN 16

/* Room for one more upload; what was left untouched for a day goes first. RESOURCE_EXHAUSTED
 * "too_many_uploads". */
int build_upload_begin(const char *data_dir, int64_t now_us, char id[BUILD_UPLOAD_ID_LEN],
                       struct fail *f) MUST_CHECK;

/* The bytes at that offset, which is at most where the file ends now; *size is where it ends then.
 * Sending a part again does no harm. NOT_FOUND "no_such_upload", ABORTED "wrong_offset",
 * RESOURCE_EXHAUSTED "too_large". */
int build_upload_write(const char *data_dir, struct str id, int64_t offset, struct str bytes,
                       int64_t *size, struct fail *f) MUST_CHECK;
int build_upload_drop(const char *data_dir, struct str id, struct fail *f) MUST_CHECK;

/* Makes an upload a build: durable under its hash, then the row. b: version, platform,
 * from_version, and the hash that it must have; the rest is filled in. A build that is there
 * already with the same hash and from_version stays as it is, and its file is put in its place
 * again. INVALID_ARGUMENT "wrong_hash", "empty_build"; as build_add(). A refused upload stays, to
 * be tried again. */
int build_publish(struct store *s, struct arena *a, const struct caller *by, const char *data_dir,
                  struct str upload, struct build *b, struct fail *f) MUST_CHECK;

/* The row, then the file when it was the last one to name it. Who reads it, reads to its end. */
int build_retire(struct store *s, struct arena *a, const struct caller *by, const char *data_dir,
                 struct str version, struct str platform, struct fail *f) MUST_CHECK;

/* NOT_FOUND "no_such_build". */
int build_file_open(const char *data_dir, const uint8_t sha256[32], int *fd, struct fail *f)
    MUST_CHECK;

/* Removes uploads and files that no row names. At start, before the first request. */
int build_files_sweep(struct store_tx *tx, const char *data_dir, struct fail *f) MUST_CHECK;

#endif
