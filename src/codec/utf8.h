/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Pure; any
 * thread. */
#ifndef CODEC_UTF8_H
#define CODEC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* How many bytes at the front are whole, valid characters; s.len when all are. */
size_t utf8_valid_len(struct str s);

static inline bool utf8_is_valid(struct str s)
{
    return utf8_valid_len(s) == s.len;
}

/* Length of the one valid character at the front, 1 to 4; 0 when there is none. */
size_t utf8_char_len(struct str s);

/* Length of the ill-formed run at the front that one U+FFFD stands for (the longest prefix of a
 * character, at least 1). Only for text whose utf8_char_len() is 0 and that is not empty. */
size_t utf8_bad_len(struct str s);

/* The code point of the valid character at the front, which is `len` bytes long as utf8_char_len()
 * says. */
uint32_t utf8_decode(struct str s, size_t len);

/* Writes a code point that is no surrogate and at most 0x10ffff; returns its length. */
size_t utf8_encode(uint32_t code_point, char out[4]);

/* Number of characters of valid text. */
size_t utf8_count(struct str s);

/* Whether valid text has a control character: below U+0020, or U+007F to U+009F. */
bool utf8_has_control(struct str s);

#endif
