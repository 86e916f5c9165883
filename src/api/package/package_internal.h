/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef API_PACKAGE_PACKAGE_INTERNAL_H
#define API_PACKAGE_PACKAGE_INTERNAL_H

#include "api/package/package.h"

#define PACKAGE_FILES "/muster/v1/builds/"

struct package_app *package_app_of(const struct call *c) RETURNS_NONNULL;

/* {sha256}. Worker. Whole or one range of it. */
int package_file(struct call *c, struct fail *f);

struct byte_range {
    int64_t first;
    int64_t count;
};

enum range_verdict {
    RANGE_NONE, /* the whole file: there is no range, or one that means nothing here */
    RANGE_GOOD,
    RANGE_OUTSIDE, /* 416 */
};

/* "bytes=0-99", "bytes=100-", "bytes=-100", of a file that long. Several ranges count as none.
 * Pure. */
enum range_verdict range_parse(struct str field, int64_t size, struct byte_range *out);

#endif
