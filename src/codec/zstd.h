/* SPDX-License-Identifier: Apache-2.0 */
/* Zstandard (RFC 8878), unpacking only, with a ceiling on what comes out and on the window that a
 * frame may ask for (8 MiB, as that RFC recommends for HTTP). Pure; any thread. */
#ifndef CODEC_ZSTD_H
#define CODEC_ZSTD_H

#include <stddef.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

/* One frame or several in a row: appends to *out at most max_out bytes. Refused input is
 * CODE_INVALID_ARGUMENT, too much output CODE_RESOURCE_EXHAUSTED; *out may then hold a part. The
 * ceiling of *out counts like max_out. */
int zstd_inflate(struct str in, size_t max_out, struct buf *out, struct fail *f) MUST_CHECK;

#endif
