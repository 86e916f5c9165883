/* SPDX-License-Identifier: Apache-2.0 */
/* The chunked coding, one byte at a time around the data (RFC 9112 section 7.1). No blanks around
 * the size, at most 15 digits, CRLF only; extensions are skipped, within limits. */
#include <string.h>

#include "net/http1.h"

#define DIGITS_MAX          15
#define EXTENSION_BYTES_MAX 16384 /* of the whole body */

enum state {
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
};

static enum http1_chunk_event refuse(struct http1_refusal *r, const char *message)
{
    *r = (struct http1_refusal){HTTP_REFUSE_MALFORMED, message};
    return HTTP1_CHUNK_REFUSED;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *take_size(struct http1_chunks *c, uint8_t byte)
{
    int value = hex_value(byte);

    if (value >= 0) {
        if (++c->digits > DIGITS_MAX)
            return "a chunk's size has too many digits";
        c->left = c->left * 16 + (uint64_t)value;
        return NULL;
    }
    if (c->digits == 0 || (byte != '\r' && byte != ';'))
        return "a chunk's size is malformed";
    c->digits = 0;
    c->state = byte == ';' ? EXTENSION : SIZE_LF;
    return NULL;
}

static const char *take_extension(struct http1_chunks *c, uint8_t byte)
{
    if (byte == '\r')
        c->state = SIZE_LF;
    else if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
        return "a chunk's extension holds a control character";
    else if (++c->extension_bytes > EXTENSION_BYTES_MAX)
        return "chunk extensions are too long";
    return NULL;
}

/* A byte outside the data. */
static const char *take_byte(struct http1_chunks *c, uint8_t byte)
{
    switch ((enum state)c->state) {
    case SIZE: return take_size(c, byte);
    case EXTENSION: return take_extension(c, byte);
    case SIZE_LF:
        c->state = DATA;
        return byte == '\n' ? NULL : "a chunk's size does not end in CRLF";
    case DATA: return NULL;
    case DATA_CR:
        c->state = DATA_LF;
        return byte == '\r' ? NULL : "a chunk is longer than its size";
    case DATA_LF: c->state = SIZE; return byte == '\n' ? NULL : "a chunk does not end in CRLF";
    }
    return NULL;
}

enum http1_chunk_event http1_chunks_feed(struct http1_chunks *c, const uint8_t *data, size_t len,
                                         size_t *used, struct str *body, struct http1_refusal *r)
{
    size_t i = 0;

    while (i < len && c->state != DATA) {
        const char *wrong = take_byte(c, data[i++]);

        if (wrong)
            return refuse(r, wrong);
        if (c->state == DATA && c->left == 0) {
            *used = i;
            return HTTP1_CHUNK_LAST;
        }
    }
    if (i == len) {
        *used = i;
        return HTTP1_CHUNK_MORE;
    }

    size_t n = c->left < len - i ? (size_t)c->left : len - i;

    *body = str_make(data + i, n);
    *used = i + n;
    c->left -= n;
    if (c->left == 0)
        c->state = DATA_CR;
    return HTTP1_CHUNK_DATA;
}
