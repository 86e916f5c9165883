/* SPDX-License-Identifier: Apache-2.0 */
/* Segments that nobody wrote: the walk of a start and the search behind damage stay within the
 * bytes, and whatever passes for a record is one when it is written again. */
#include <assert.h>
#include <stdlib.h>

#include "spool/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(uint64_t salt, const struct segment_record *rec, struct str bytes)
{
    uint8_t frame[SEGMENT_FRAME_LEN];

    segment_put_frame(salt, rec, frame);
    assert(memcmp(frame, bytes.p, 20) == 0);
    assert(memcmp(frame + 24, bytes.p + 24, SEGMENT_FRAME_LEN - 24) == 0);
}

static void walk(uint64_t salt, struct str bytes)
{
    struct segment_record rec = {0};
    size_t used = 0;

    while (segment_get(salt, bytes, &rec, &used) == SEGMENT_WHOLE) {
        assert(used >= SEGMENT_FRAME_LEN && used <= bytes.len);
        assert(used == segment_record_len(&rec.r));
        assert(rec.r.data.p + rec.r.data.len == bytes.p + used);
        if (bytes.p[20] == 0 && bytes.p[21] == 0 && bytes.p[22] == 0 && bytes.p[23] == 0)
            same_again(salt, &rec, bytes);
        bytes = str_skip(bytes, used);
    }
}

/* Our own frame around the input is found again, whatever stands before it. */
static void find(uint64_t salt, struct str bytes)
{
    struct segment_record rec = {.r = {.seq = UINT64_MAX, .data = bytes}, .batch = 9};
    char *all = malloc(bytes.len * 2 + SEGMENT_FRAME_LEN);

    assert(all);
    memcpy(all, bytes.p, bytes.len);
    segment_put_frame(salt, &rec, (uint8_t *)all + bytes.len);
    memcpy(all + bytes.len + SEGMENT_FRAME_LEN, bytes.p, bytes.len);

    ptrdiff_t at =
        segment_find(salt, (struct str){all, bytes.len * 2 + SEGMENT_FRAME_LEN}, UINT64_MAX - 1);

    assert(at >= 0 && (size_t)at <= bytes.len);
    free(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = str_make(size > 0 ? data : (const uint8_t *)"", size);
    struct segment_header h = {.salt = UINT64_C(0x6d61726b00000000)}; /* "kram" marks a record */

    if (segment_get_header(bytes, &h))
        bytes = str_skip(bytes, SEGMENT_HEADER_LEN);
    walk(h.salt, bytes);
    find(h.salt, bytes);
    return 0;
}
