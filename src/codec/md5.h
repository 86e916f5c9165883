/* SPDX-License-Identifier: Apache-2.0 */
/* MD5, where another system's formats ask for it; protects nothing. Pure; any thread. */
#ifndef CODEC_MD5_H
#define CODEC_MD5_H

#include <stdint.h>

#include "base/str.h"

#define MD5_LEN 16

void md5(struct str s, uint8_t out[MD5_LEN]);

#endif
