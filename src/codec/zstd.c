/* SPDX-License-Identifier: Apache-2.0 */
/* See zstd.h. A context is made for each text: clients that pack so are few, and its memory grows
 * with the window that they chose. */
#include "codec/zstd.h"

#include <stdlib.h>
#include <zstd.h>

#define WINDOW_LOG_MAX 23
#define CHUNK_MIN      ((size_t)4096)
#define CHUNK_MAX      ((size_t)256 * 1024)

static int refuse(struct fail *f, const char *why)
{
    return fail_set(f, CODE_INVALID_ARGUMENT, "zstd data %s", why);
}

static int too_large(struct fail *f, size_t limit)
{
    return fail_set(f, CODE_RESOURCE_EXHAUSTED,
                    "zstd data expands to more than the allowed %zu bytes", limit);
}

static int inflate(ZSTD_DCtx *z, struct str text, size_t limit, struct buf *out, struct fail *f)
{
    ZSTD_inBuffer in = {.src = text.p, .size = text.len};
    size_t done = 0, rest = 1; /* of the frame; 0: it is complete */
    bool full = false;

    while (in.pos < in.size || full) {
        uint8_t probe;
        size_t cap = MIN(limit - done, MIN(MAX(text.len * 4, CHUNK_MIN), CHUNK_MAX));
        uint8_t *to = cap > 0 ? buf_reserve(out, cap) : &probe;

        if (!to)
            return too_large(f, limit);

        /* With no room left, one byte more proves that there is too much. */
        ZSTD_outBuffer made = {.dst = to, .size = MAX(cap, (size_t)1)};

        rest = ZSTD_decompressStream(z, &made, &in);
        if (ZSTD_isError(rest))
            return refuse(f, "is malformed");
        if (made.pos > cap)
            return too_large(f, limit);
        out->len += made.pos;
        done += made.pos;
        full = made.pos == made.size && rest != 0;
        if (made.pos == 0 && in.pos == in.size)
            break;
    }
    return rest == 0 ? 0 : refuse(f, "ends early");
}

int zstd_inflate(struct str in, size_t max_out, struct buf *out, struct fail *f)
{
    size_t limit = MIN(max_out, out->max - MIN(out->max, out->len));
    ZSTD_DCtx *z = ZSTD_createDCtx();

    if (!z || ZSTD_isError(ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
        abort();

    int rc = inflate(z, in, limit, out, f);

    ZSTD_freeDCtx(z);
    return rc;
}
