/* SPDX-License-Identifier: Apache-2.0 */
/* See crc32c.h. The portable one takes four bits at a time: it is for processors that are rare. */
#include "codec/crc32c.h"

#include <string.h>

uint32_t crc32c_portable(uint32_t crc, struct str bytes)
{
    /* Of each value of four bits, for the reflected polynomial 0x82f63b78. */
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };

    crc = ~crc;
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= (uint8_t)bytes.p[i];
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc32c_machine(uint32_t crc, struct str bytes)
{
    uint64_t sum = ~crc;
    const char *p = bytes.p;
    size_t left = bytes.len;

    for (; left >= sizeof(uint64_t); left -= sizeof(uint64_t), p += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        sum = __builtin_ia32_crc32di(sum, word);
    }
    for (; left > 0; left--, p++)
        sum = __builtin_ia32_crc32qi((uint32_t)sum, (uint8_t)*p);
    return ~(uint32_t)sum;
}

uint32_t crc32c(uint32_t crc, struct str bytes)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_machine(crc, bytes)
                                            : crc32c_portable(crc, bytes);
}

#else

uint32_t crc32c(uint32_t crc, struct str bytes)
{
    return crc32c_portable(crc, bytes);
}

#endif
