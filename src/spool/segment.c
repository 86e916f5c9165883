/* SPDX-License-Identifier: Apache-2.0 */
/* See segment.h. */
#include "spool/segment.h"

#include <endian.h>

#include "codec/crc32c.h"

#define CRC_AT    4
#define SUMMED_AT 8 /* what the checksum covers begins here */

static const char magic[8] = {'M', 'S', 'P', 'O', 'O', 'L', '0', '1'};

static void put32(uint8_t *at, uint32_t v)
{
    v = htole32(v);
    memcpy(at, &v, sizeof(v));
}

static void put64(uint8_t *at, uint64_t v)
{
    v = htole64(v);
    memcpy(at, &v, sizeof(v));
}

static uint32_t get32(const char *at)
{
    uint32_t v;

    memcpy(&v, at, sizeof(v));
    return le32toh(v);
}

static uint64_t get64(const char *at)
{
    uint64_t v;

    memcpy(&v, at, sizeof(v));
    return le64toh(v);
}

void segment_put_header(const struct segment_header *h, uint8_t out[SEGMENT_HEADER_LEN])
{
    memset(out, 0, SEGMENT_HEADER_LEN);
    memcpy(out, magic, sizeof(magic));
    put64(out + 8, h->first_seq);
    put64(out + 16, h->salt);
    put64(out + 24, (uint64_t)h->created_us);
    put32(out + 32, crc32c(0, str_make(out, 32)));
}

bool segment_get_header(struct str bytes, struct segment_header *out)
{
    if (bytes.len < SEGMENT_HEADER_LEN || memcmp(bytes.p, magic, sizeof(magic)) != 0 ||
        get32(bytes.p + 32) != crc32c(0, str_first(bytes, 32)))
        return false;
    *out = (struct segment_header){
        .first_seq = get64(bytes.p + 8),
        .salt = get64(bytes.p + 16),
        .created_us = (int64_t)get64(bytes.p + 24),
    };
    return true;
}

uint64_t segment_header_salt(const uint8_t bytes[SEGMENT_HEADER_LEN])
{
    return get64((const char *)bytes + 16);
}

size_t segment_record_len(const struct spool_record *r)
{
    size_t len = SEGMENT_FRAME_LEN;
    const size_t parts[] = {r->type.len, r->metadata.len, r->data.len};

    for (size_t i = 0; i < COUNTOF(parts); i++) {
        if (parts[i] > SEGMENT_RECORD_MAX - len)
            return 0;
        len += parts[i];
    }
    return len;
}

/* What a record begins with: nobody outside can know it, and so make us look at many places. */
static uint32_t marker_of(uint64_t salt)
{
    return (uint32_t)(salt >> 32) | 1;
}

/* A checksum of the salt, to go on from. */
static uint32_t seed(uint64_t salt)
{
    uint8_t bytes[8];

    put64(bytes, salt);
    return crc32c(0, str_make(bytes, sizeof(bytes)));
}

void segment_put_frame(uint64_t salt, const struct segment_record *rec,
                       uint8_t out[SEGMENT_FRAME_LEN])
{
    const struct spool_record *r = &rec->r;

    put32(out, marker_of(salt));
    put32(out + 8, (uint32_t)r->data.len);
    put32(out + 12, (uint32_t)r->metadata.len);
    put32(out + 16, (uint32_t)r->type.len);
    put32(out + 20, 0);
    put64(out + 24, r->seq);
    put64(out + 32, rec->batch);
    put64(out + 40, r->tenant);
    put64(out + 48, (uint64_t)r->collector);
    put64(out + 56, (uint64_t)r->source);
    put64(out + 64, (uint64_t)r->received_us);

    uint32_t crc = crc32c(seed(salt), str_make(out + SUMMED_AT, SEGMENT_FRAME_LEN - SUMMED_AT));

    crc = crc32c(crc, r->type);
    crc = crc32c(crc, r->metadata);
    put32(out + CRC_AT, crc32c(crc, r->data));
}

enum segment_verdict segment_get(uint64_t salt, struct str bytes, struct segment_record *out,
                                 size_t *used)
{
    if (bytes.len < SEGMENT_FRAME_LEN) {
        *used = SEGMENT_FRAME_LEN;
        return SEGMENT_SHORT;
    }
    if (get32(bytes.p) != marker_of(salt))
        return SEGMENT_BAD;

    struct spool_record r = {
        .data.len = get32(bytes.p + 8),
        .metadata.len = get32(bytes.p + 12),
        .type.len = get32(bytes.p + 16),
        .seq = get64(bytes.p + 24),
        .tenant = get64(bytes.p + 40),
        .collector = (int64_t)get64(bytes.p + 48),
        .source = (int64_t)get64(bytes.p + 56),
        .received_us = (int64_t)get64(bytes.p + 64),
    };
    size_t len = segment_record_len(&r);

    if (len == 0)
        return SEGMENT_BAD;
    *used = len;
    if (bytes.len < len)
        return SEGMENT_SHORT;
    if (crc32c(seed(salt), (struct str){bytes.p + SUMMED_AT, len - SUMMED_AT}) !=
        get32(bytes.p + CRC_AT))
        return SEGMENT_BAD;
    r.type.p = bytes.p + SEGMENT_FRAME_LEN;
    r.metadata.p = r.type.p + r.type.len;
    r.data.p = r.metadata.p + r.metadata.len;
    *out = (struct segment_record){.r = r, .batch = get64(bytes.p + 32)};
    return SEGMENT_WHOLE;
}

ptrdiff_t segment_find(uint64_t salt, struct str bytes, uint64_t seq)
{
    uint8_t marker[4];
    struct segment_record rec;
    size_t used;

    put32(marker, marker_of(salt));
    for (size_t at = 0; at < bytes.len;) {
        const char *p = memmem(bytes.p + at, bytes.len - at, marker, sizeof(marker));

        if (!p)
            return -1;
        at = (size_t)(p - bytes.p);
        if (segment_get(salt, str_skip(bytes, at), &rec, &used) == SEGMENT_WHOLE && rec.r.seq > seq)
            return (ptrdiff_t)at;
        at++;
    }
    return -1;
}
