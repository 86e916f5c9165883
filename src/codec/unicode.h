/* SPDX-License-Identifier: Apache-2.0 */
/* What Unicode says of a code point, as far as languages whose names may hold more than ASCII ask
 * for it. Pure; any thread. */
#ifndef CODEC_UNICODE_H
#define CODEC_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

/* General category L. */
bool unicode_is_letter(uint32_t code_point);

/* General category Nd: decimal digits of any script. */
bool unicode_is_digit(uint32_t code_point);

#endif
