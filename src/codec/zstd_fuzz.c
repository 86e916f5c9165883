/* SPDX-License-Identifier: Apache-2.0 */
/* Zstandard: any bytes are refused or unpacked within the ceiling, and a lower ceiling gives the
 * same beginning or a refusal. */
#include <stdlib.h>

#include "codec/zstd.h"

#define CEILING ((size_t)100000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4096);
    struct str in = size > 0 ? str_make(data, size) : STR("");
    struct buf all, some;
    struct fail f = {0};

    buf_init_arena(&all, a, CEILING);
    buf_init_arena(&some, a, CEILING);

    int rc = zstd_inflate(in, CEILING, &all, &f);

    expect(all.len <= CEILING);
    expect(rc == 0 || f.code == CODE_INVALID_ARGUMENT || f.code == CODE_RESOURCE_EXHAUSTED);
    if (rc == 0 && all.len > 0) {
        expect(zstd_inflate(in, all.len - 1, &some, &f) < 0);
        expect(f.code == CODE_RESOURCE_EXHAUSTED && some.len < all.len);
    }
    arena_free(&a);
    return 0;
}
