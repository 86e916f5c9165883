/* SPDX-License-Identifier: Apache-2.0 */
/* How a segment file looks: a header, then records back to back, each framed by its lengths and a
 * checksum. Both the marker and the checksum begin with the segment's salt, so that
 * bytes which a client has sent never pass for a record of ours. Numbers are little-endian. Pure;
 * any thread.
 *
 *   header   magic[8] first_seq:8 salt:8 created_us:8 crc:4 zero:4
 *   record   marker:4 crc:4 data_len:4 metadata_len:4 type_len:4 zero:4
 *            seq:8 batch:8 tenant:8 collector:8 source:8 received_us:8   type metadata data
 */
#ifndef SPOOL_SEGMENT_H
#define SPOOL_SEGMENT_H

#include "core/spool.h"

#define SEGMENT_HEADER_LEN 40
#define SEGMENT_FRAME_LEN  72 /* of a record, before its type */

/* All of one record. */
#define SEGMENT_RECORD_MAX ((size_t)256 << 20)

struct segment_header {
    uint64_t first_seq;
    uint64_t salt;
    int64_t created_us;
};

void segment_put_header(const struct segment_header *h, uint8_t out[SEGMENT_HEADER_LEN]);

/* False: it is none of ours, or damaged. */
bool segment_get_header(struct str bytes, struct segment_header *out);

/* What a damaged header still says; records that fit to it are ours all the same. */
uint64_t segment_header_salt(const uint8_t bytes[SEGMENT_HEADER_LEN]);

struct segment_record {
    struct spool_record r; /* views of the bytes */
    uint64_t batch;        /* the seq of the first record that was synced with it */
};

/* Bytes of the whole record; 0: more than fits. */
size_t segment_record_len(const struct spool_record *r);

/* What goes before type, metadata and data. */
void segment_put_frame(uint64_t salt, const struct segment_record *rec,
                       uint8_t out[SEGMENT_FRAME_LEN]);

enum segment_verdict {
    SEGMENT_WHOLE, /* *used bytes are a record */
    SEGMENT_SHORT, /* *used bytes are needed to tell */
    SEGMENT_BAD,
};

enum segment_verdict segment_get(uint64_t salt, struct str bytes, struct segment_record *out,
                                 size_t *used);

/* The first whole record behind bytes that are bad, one that is above `seq`: how far it is from the
 * front, or -1. */
ptrdiff_t segment_find(uint64_t salt, struct str bytes, uint64_t seq);

#endif
