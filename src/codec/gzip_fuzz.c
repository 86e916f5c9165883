/* SPDX-License-Identifier: Apache-2.0 */
/* gzip and deflate: any bytes are refused or inflate within the ceiling, in one go as in pieces;
 * any bytes survive being packed. The first byte picks format and sizes. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "codec/gzip.h"

#define CEILING ((size_t)100000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum gzip_status in_pieces(struct gzip_inflater *z, enum gzip_format format, struct str in,
                                  size_t piece, struct buf *out)
{
    uint8_t room[251];

    gzip_inflate_begin(z, format, CEILING);
    while (in.len > 0) {
        struct str now = str_first(in, piece);
        size_t used, made;

        in = str_skip(in, now.len);
        do {
            size_t cap = 1 + piece % sizeof(room);
            enum gzip_status status = gzip_inflate_step(z, now, &used, room, cap, &made);

            assert(used <= now.len && made <= cap);
            if (status != GZIP_OK)
                return status;
            buf_put(out, room, made);
            now = str_skip(now, used);
            if (now.len == 0 && made < cap)
                break;
        } while (true);
    }
    return gzip_inflate_end(z);
}

static void assert_inflates_alike(struct arena *a, struct gzip_inflater *z, enum gzip_format format,
                                  struct str in, size_t piece)
{
    struct buf whole, pieces;
    struct fail f;
    int rc;
    enum gzip_status status;

    buf_init_arena(&whole, a, 2 * CEILING);
    buf_init_arena(&pieces, a, 2 * CEILING);
    rc = gzip_inflate(z, format, in, CEILING, &whole, &f);
    status = in_pieces(z, format, in, piece, &pieces);
    assert((rc == 0) == (status == GZIP_OK));
    assert(whole.len <= CEILING && pieces.len <= CEILING);
    if (rc == 0)
        assert(str_eq(buf_str(&whole), buf_str(&pieces)));
    else
        assert((f.code == CODE_RESOURCE_EXHAUSTED) == (status == GZIP_TOO_LARGE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum gzip_format format;
    struct gzip_inflater *z;
    struct gzip_deflater *d;
    struct buf packed;
    struct arena *a;
    struct str in;
    size_t piece;

    if (size == 0)
        return 0;
    format = data[0] & 1 ? GZIP_FORMAT_ZLIB : data[0] % 8 == 2 ? GZIP_FORMAT_RAW : GZIP_FORMAT_GZIP;
    piece = 1 + data[0] / 2;
    in = str_make(data + 1, size - 1);
    a = arena_new(65536);
    z = gzip_inflater_new();
    d = gzip_deflater_new(format, 1 + data[0] % 9);
    assert_inflates_alike(a, z, format, in, piece);
    buf_init_arena(&packed, a, SIZE_MAX / 2);
    if (gzip_deflate(d, in, &packed) < 0)
        abort();
    assert(format == GZIP_FORMAT_GZIP || gzip_format_of_deflate(buf_str(&packed)) == format);
    if (in.len <= CEILING) {
        struct buf back;
        struct fail f;

        buf_init_arena(&back, a, CEILING);
        if (gzip_inflate(z, format, buf_str(&packed), CEILING, &back, &f) < 0)
            abort();
        assert(str_eq(buf_str(&back), in));
    }
    assert_inflates_alike(a, z, format, buf_str(&packed), piece);
    gzip_deflater_free(&d);
    gzip_inflater_free(&z);
    arena_free(&a);
    return 0;
}
