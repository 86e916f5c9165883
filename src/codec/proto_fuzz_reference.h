/* SPDX-License-Identifier: Apache-2.0 */
/* libprotobuf behind a few functions, for proto_fuzz.c alone. It knows the messages from the
 * descriptors in our tables, so what those say is compared too. */
#ifndef CODEC_PROTO_FUZZ_REFERENCE_H
#define CODEC_PROTO_FUZZ_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct proto_reference;

struct proto_reference *proto_reference_new(void);

/* A file after those that it imports; false when libprotobuf refuses it. */
bool proto_reference_add(struct proto_reference *r, const void *descriptor, size_t len);

/* Reads and writes again, in the deterministic order. NULL when the input is refused; else *out_len
 * bytes that stay until the next call. */
const void *proto_reference_recode(struct proto_reference *r, const char *full_name,
                                   const void *data, size_t len, bool keep_unknown,
                                   size_t *out_len);

#ifdef __cplusplus
}
#endif

#endif
