/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli), the one that processors have an instruction for: tells bytes that a disk
 * has lost or changed, nothing about bytes that somebody has forged. Pure; any thread. */
#ifndef CODEC_CRC32C_H
#define CODEC_CRC32C_H

#include <stdint.h>

#include "base/str.h"

/* Of what gave `crc` and then these bytes; begin with 0. Splitting the bytes changes nothing. */
uint32_t crc32c(uint32_t crc, struct str bytes);

/* The same without the processor's help. */
uint32_t crc32c_portable(uint32_t crc, struct str bytes);

#endif
