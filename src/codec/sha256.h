/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 by the processor's own instructions where it has them: for texts of many kilobytes that
 * agents poll for, several times as fast as a portable one. Pure; any thread. */
#ifndef CODEC_SHA256_H
#define CODEC_SHA256_H

#include <stdint.h>

#include "base/str.h"

#define SHA256_LEN 32

void sha256(struct str s, uint8_t out[SHA256_LEN]);

/* The same of what comes in pieces. Heap; sha256_end() frees, `out` may be NULL then. */
struct sha256_stream;

struct sha256_stream *sha256_begin(void) RETURNS_NONNULL;
void sha256_add(struct sha256_stream *s, struct str piece);
void sha256_end(struct sha256_stream **s, uint8_t out[SHA256_LEN]);

#endif
