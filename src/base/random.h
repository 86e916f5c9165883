/* SPDX-License-Identifier: Apache-2.0 */
/* Unpredictable bytes from the kernel, pooled per thread. Any thread; never fails (aborts). */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t len);
uint64_t random_u64(void);

/* Uniform in [0, bound), bound > 0. */
uint64_t random_below(uint64_t bound);

/* `len` characters of [0-9a-z] without look-alikes (32 symbols, 5 bits each); no NUL added. */
void random_text(char *out, size_t len);

#endif
