/* SPDX-License-Identifier: Apache-2.0 */
/* Unpredictable bytes from the kernel, fetched in batches. The pool belongs to its thread and
 * lives as long; bytes that were handed out are wiped from it. */
#include "base/random.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/macros.h"

#define POOL_BYTES 4096

/* The one exception to "no mutable globals" here: a cache that no other thread sees. */
static _Thread_local struct {
    uint8_t bytes[POOL_BYTES];
    size_t left; /* unused bytes, at the end */
} pool;

static void fill(uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t n = getrandom(out, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            abort();
        out += n;
        len -= (size_t)n;
    }
}

void random_bytes(void *out, size_t len)
{
    if (len > POOL_BYTES) {
        fill(out, len);
        return;
    }
    if (len == 0)
        return;
    if (pool.left < len) {
        fill(pool.bytes, POOL_BYTES);
        pool.left = POOL_BYTES;
    }

    uint8_t *from = pool.bytes + (POOL_BYTES - pool.left);

    memcpy(out, from, len);
    explicit_bzero(from, len);
    pool.left -= len;
}

uint64_t random_u64(void)
{
    uint64_t v;

    random_bytes(&v, sizeof(v));
    return v;
}

uint64_t random_below(uint64_t bound)
{
    assert(bound > 0);

    /* The lowest 2^64 mod bound values would make small results likelier: drawn again. */
    uint64_t unfair = (0 - bound) % bound;
    uint64_t v = random_u64();

    while (v < unfair)
        v = random_u64();
    return v % bound;
}

void random_text(char *out, size_t len)
{
    /* Without i, l, o and u: three look like digits, the last keeps words from forming. */
    static const char symbols[] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint64_t bits = 0;

    _Static_assert(sizeof(symbols) - 1 == 32, "five bits a symbol");
    for (size_t i = 0; i < len; i++) {
        if (i % 12 == 0)
            bits = random_u64();
        out[i] = symbols[bits & 31];
        bits >>= 5;
    }
    explicit_bzero(&bits, sizeof(bits));
}
