/* SPDX-License-Identifier: Apache-2.0 */
/* gzip (RFC 1952), zlib (RFC 1950, what HTTP calls "deflate") and deflate without a frame (RFC
 * 1951, what some clients take that word for), with a ceiling on what comes out. A context keeps
 * its working memory from one use to the next (about 40 KB to inflate, 270 KB to deflate) and
 * belongs to one thread at a time: one per loop or worker, not one per request. */
#ifndef CODEC_GZIP_H
#define CODEC_GZIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

enum gzip_format {
    GZIP_FORMAT_GZIP, /* one member or several in a row */
    GZIP_FORMAT_ZLIB, /* exactly one stream */
    GZIP_FORMAT_RAW,  /* same */
};

enum gzip_status {
    GZIP_OK,
    GZIP_BAD,       /* malformed, wrong checksum, or bytes after the end */
    GZIP_TOO_LARGE, /* more than max_out would come out */
};

/* Which of the latter two something is that is said to be "deflate". */
enum gzip_format gzip_format_of_deflate(struct str in);

struct gzip_inflater;

struct gzip_inflater *gzip_inflater_new(void) RETURNS_NONNULL;
void gzip_inflater_free(struct gzip_inflater **z);

/* Whole input at once: appends to *out at most max_out bytes. Refused input is
 * CODE_INVALID_ARGUMENT, too much output CODE_RESOURCE_EXHAUSTED; *out may then hold a part. The
 * ceiling of *out counts like max_out. */
int gzip_inflate(struct gzip_inflater *z, enum gzip_format format, struct str in, size_t max_out,
                 struct buf *out, struct fail *f) MUST_CHECK;

/* Streaming: begin, then feed pieces, then end. */
void gzip_inflate_begin(struct gzip_inflater *z, enum gzip_format format, uint64_t max_out);

/* Takes *used bytes of `in` and writes *made to `out`. Call until it took all of the input and left
 * room in the output (*made < cap); not callable again after anything but GZIP_OK. */
enum gzip_status gzip_inflate_step(struct gzip_inflater *z, struct str in, size_t *used, void *out,
                                   size_t cap, size_t *made) MUST_CHECK;

/* No more input will come: GZIP_BAD when it was cut off. */
enum gzip_status gzip_inflate_end(struct gzip_inflater *z) MUST_CHECK;

struct gzip_deflater;

/* Level 1 (fast) to 9 (small). The same input gives the same bytes (no time, no name). */
struct gzip_deflater *gzip_deflater_new(enum gzip_format format, int level) RETURNS_NONNULL;
void gzip_deflater_free(struct gzip_deflater **z);

/* Appends to *out; -1 when its ceiling is in the way (it then holds what it held before). */
int gzip_deflate(struct gzip_deflater *z, struct str in, struct buf *out) MUST_CHECK;

#endif
