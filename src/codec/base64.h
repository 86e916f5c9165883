/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648 sections 4 and 5). Pure; any thread. */
#ifndef CODEC_BASE64_H
#define CODEC_BASE64_H

#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/macros.h"
#include "base/str.h"

enum base64_form {
    BASE64_STD,      /* + and /, padded */
    BASE64_STD_BARE, /* + and /, no padding */
    BASE64_URL,      /* - and _, padded */
    BASE64_URL_BARE, /* - and _, no padding */
};

/* Characters that len bytes become. len at most SIZE_MAX / 2. */
size_t base64_encoded_len(enum base64_form form, size_t len);

void base64_put(struct buf *out, enum base64_form form, struct str bytes);
struct str base64_encode(struct arena *a, enum base64_form form, struct str bytes);

/* Strict: this alphabet, padding exactly as the form has it, unused bits zero, nothing else (no
 * line breaks), so that each value has one text. *out lives in the arena. */
int base64_decode(struct arena *a, enum base64_form form, struct str text, struct str *out)
    MUST_CHECK;

/* What protobuf JSON asks for: either alphabet, padding there or not (but never partly), unused
 * bits ignored. Still refuses every other byte and impossible lengths. */
int base64_decode_lenient(struct arena *a, struct str text, struct str *out) MUST_CHECK;

#endif
