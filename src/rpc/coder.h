/* SPDX-License-Identifier: Apache-2.0 */
/* gzip contexts that were used before, kept for the next who needs one: as many as threads ever
 * compressed at the same time. Any thread. */
#ifndef RPC_CODER_H
#define RPC_CODER_H

#include "base/buf.h"
#include "base/fail.h"
#include "base/macros.h"
#include "codec/gzip.h"

struct coders;

struct coders *coders_new(void) RETURNS_NONNULL;
void coders_free(struct coders **c);

/* As gzip_inflate() and gzip_deflate(). */
int coders_inflate(struct coders *c, enum gzip_format format, struct str in, size_t max_out,
                   struct buf *out, struct fail *f) MUST_CHECK;
int coders_deflate(struct coders *c, struct str in, struct buf *out) MUST_CHECK;

#endif
