/* SPDX-License-Identifier: Apache-2.0 */
/* gzip, zlib and raw streams over zlib's inflate and deflate. zlib allocates when a context is made
 * (and its window on first use); running out of memory there aborts, as everywhere. */
#include "codec/gzip.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/heap.h"

#define ZLIB_CONST /* input is const */
#include <zlib.h>

#define WINDOW_BITS  15
#define GZIP_BIT     16 /* added to the window bits: gzip's frame instead of zlib's */
#define CHUNK_MIN    ((size_t)1024)
#define CHUNK_MAX    ((size_t)256 * 1024)
#define USUAL_RATIO  4
#define MEMORY_LEVEL 8

struct gzip_inflater {
    z_stream zlib;
    enum gzip_format format;
    uint64_t left; /* bytes that may still come out */
    bool at_end;   /* the latest member is complete */
};

struct gzip_deflater {
    z_stream zlib;
};

static int window_bits(enum gzip_format format)
{
    switch (format) {
    case GZIP_FORMAT_GZIP: return WINDOW_BITS + GZIP_BIT;
    case GZIP_FORMAT_ZLIB: return WINDOW_BITS;
    case GZIP_FORMAT_RAW: return -WINDOW_BITS;
    }
    abort();
}

/* No packer begins a raw stream with what a zlib header looks like: that would be a stored block
 * with bits set that are of no use. */
enum gzip_format gzip_format_of_deflate(struct str in)
{
    unsigned first = in.len > 0 ? (uint8_t)in.p[0] : 0, second = in.len > 1 ? (uint8_t)in.p[1] : 0;
    bool has_header =
        in.len >= 2 && (first & 0x0f) == Z_DEFLATED && (first * 256 + second) % 31 == 0;

    return has_header ? GZIP_FORMAT_ZLIB : GZIP_FORMAT_RAW;
}

struct gzip_inflater *gzip_inflater_new(void)
{
    struct gzip_inflater *z = heap_new_type(struct gzip_inflater);

    if (inflateInit2(&z->zlib, window_bits(GZIP_FORMAT_GZIP)) != Z_OK)
        abort();
    return z;
}

void gzip_inflater_free(struct gzip_inflater **z)
{
    if (!*z)
        return;
    inflateEnd(&(*z)->zlib);
    free(*z);
    *z = NULL;
}

void gzip_inflate_begin(struct gzip_inflater *z, enum gzip_format format, uint64_t max_out)
{
    if (inflateReset2(&z->zlib, window_bits(format)) != Z_OK)
        abort();
    z->format = format;
    z->left = max_out;
    z->at_end = false;
}

/* One call of inflate() over what the 32-bit counters of zlib can hold. */
static int inflate_some(struct gzip_inflater *z, struct str in, size_t *used, void *out, size_t cap,
                        size_t *made)
{
    uInt in_len = (uInt)MIN(in.len, (size_t)UINT_MAX), out_len = (uInt)MIN(cap, (size_t)UINT_MAX);
    int rc;

    z->zlib.next_in = (const Bytef *)in.p;
    z->zlib.avail_in = in_len;
    z->zlib.next_out = out;
    z->zlib.avail_out = out_len;
    rc = inflate(&z->zlib, Z_NO_FLUSH);
    *used = in_len - z->zlib.avail_in;
    *made = out_len - z->zlib.avail_out;
    return rc;
}

enum gzip_status gzip_inflate_step(struct gzip_inflater *z, struct str in, size_t *used, void *out,
                                   size_t cap, size_t *made)
{
    *used = 0;
    *made = 0;
    while (*made < cap) {
        size_t room = (size_t)MIN((uint64_t)(cap - *made), z->left), took, gave;
        uint8_t probe;
        int rc;

        if (z->at_end) {
            if (*used == in.len)
                break;
            /* Another gzip member, or garbage: inflate() tells by the header. */
            if (z->format != GZIP_FORMAT_GZIP || inflateReset(&z->zlib) != Z_OK)
                return GZIP_BAD;
            z->at_end = false;
        }
        /* With nothing left to give, one byte more proves that there is too much. */
        rc = inflate_some(z, str_skip(in, *used), &took, room ? (uint8_t *)out + *made : &probe,
                          room ? room : 1, &gave);
        *used += took;
        if (gave > 0 && room == 0)
            return GZIP_TOO_LARGE;
        *made += gave;
        z->left -= gave;
        if (rc == Z_STREAM_END) {
            z->at_end = true;
            continue;
        }
        if (rc == Z_MEM_ERROR)
            abort();
        if (rc != Z_OK && rc != Z_BUF_ERROR)
            return GZIP_BAD;
        if (took == 0 && gave == 0)
            break;
    }
    return GZIP_OK;
}

enum gzip_status gzip_inflate_end(struct gzip_inflater *z)
{
    return z->at_end ? GZIP_OK : GZIP_BAD;
}

static const char *format_name(enum gzip_format format)
{
    return format == GZIP_FORMAT_GZIP ? "gzip" : "deflate";
}

static int refuse(enum gzip_status status, enum gzip_format format, uint64_t limit, struct fail *f)
{
    if (status == GZIP_TOO_LARGE)
        return fail_set(f, CODE_RESOURCE_EXHAUSTED,
                        "%s data expands to more than the allowed %llu bytes", format_name(format),
                        (unsigned long long)limit);
    return fail_set(f, CODE_INVALID_ARGUMENT, "%s data is malformed", format_name(format));
}

int gzip_inflate(struct gzip_inflater *z, enum gzip_format format, struct str in, size_t max_out,
                 struct buf *out, struct fail *f)
{
    size_t limit = MIN(max_out, out->max - MIN(out->max, out->len));
    size_t chunk = MAX(CHUNK_MIN, MIN(in.len, CHUNK_MAX / USUAL_RATIO) * USUAL_RATIO);
    size_t used, made, cap, done = 0;

    if (!in.p)
        in = STR("");
    gzip_inflate_begin(z, format, limit);
    do {
        uint8_t none, *to = &none;

        cap = MIN(chunk, limit - done);
        if (cap > 0)
            to = buf_reserve(out, cap);
        if (!to)
            return refuse(GZIP_TOO_LARGE, format, limit, f);

        enum gzip_status status =
            gzip_inflate_step(z, in, &used, to, cap ? cap : sizeof(none), &made);

        if (status != GZIP_OK)
            return refuse(status, format, limit, f);
        in = str_skip(in, used);
        out->len += made;
        done += made;
    } while (in.len > 0 || (cap > 0 && made == cap));
    if (gzip_inflate_end(z) != GZIP_OK)
        return fail_set(f, CODE_INVALID_ARGUMENT, "%s data ends early", format_name(format));
    return 0;
}

struct gzip_deflater *gzip_deflater_new(enum gzip_format format, int level)
{
    struct gzip_deflater *z = heap_new_type(struct gzip_deflater);

    assert(level >= 1 && level <= 9);
    if (deflateInit2(&z->zlib, level, Z_DEFLATED, window_bits(format), MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    return z;
}

void gzip_deflater_free(struct gzip_deflater **z)
{
    if (!*z)
        return;
    deflateEnd(&(*z)->zlib);
    free(*z);
    *z = NULL;
}

int gzip_deflate(struct gzip_deflater *z, struct str in, struct buf *out)
{
    size_t room = out->max - MIN(out->max, out->len), cap;
    uint8_t *to;

    if (in.len > UINT_MAX / 2 || room == 0 || deflateReset(&z->zlib) != Z_OK)
        return -1;
    cap = MIN(room, (size_t)deflateBound(&z->zlib, in.len));
    to = buf_reserve(out, cap);
    if (!to)
        return -1;
    z->zlib.next_in = (const Bytef *)in.p;
    z->zlib.avail_in = (uInt)in.len;
    z->zlib.next_out = to;
    z->zlib.avail_out = (uInt)cap;
    if (deflate(&z->zlib, Z_FINISH) != Z_STREAM_END)
        return -1;
    out->len += cap - z->zlib.avail_out;
    return 0;
}
