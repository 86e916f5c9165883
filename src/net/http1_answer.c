/* SPDX-License-Identifier: Apache-2.0 */
/* Answers in HTTP/1.1 form. */
#include "net/http1_answer.h"

#include <string.h>

#include "net/conn.h"
#include "net/exchange.h"

#define FIXED_BYTES 256 /* more than all that is not the service's */
#define PIECE_BYTES (16 * 1024)
#define CHUNK_HEAD  6 /* "3ff0" CRLF */

static uint8_t *put(uint8_t *at, const char *p, size_t len)
{
    if (len > 0)
        memcpy(at, p, len);
    return at + len;
}

static uint8_t *put_str(uint8_t *at, struct str s)
{
    return put(at, s.p, s.len);
}

#define PUT(at, lit) put((at), (lit), sizeof(lit) - 1)

static uint8_t *put_number(uint8_t *at, uint64_t v)
{
    char digits[20];
    size_t n = sizeof(digits);

    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    return put(at, digits + n, sizeof(digits) - n);
}

static size_t fields_size(const struct http_field *fields, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += fields[i].name.len + fields[i].value.len + 4;
    return size;
}

static uint8_t *put_fields(uint8_t *at, const struct http_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!exchange_field_is_sendable(&fields[i]))
            continue;
        at = put_str(at, fields[i].name);
        at = PUT(at, ": ");
        at = put_str(at, fields[i].value);
        at = PUT(at, "\r\n");
    }
    return at;
}

static uint8_t *put_status(uint8_t *at, int status)
{
    if (status == 200)
        return PUT(at, "HTTP/1.1 200 OK\r\n");
    at = PUT(at, "HTTP/1.1 ");
    at = put_number(at, (uint64_t)status);
    at = PUT(at, " ");
    at = put_str(at, str_of(http_status_text(status)));
    return PUT(at, "\r\n");
}

void http1_answer_head(struct conn *c, struct exchange *e, bool keep_alive, bool chunked)
{
    const struct http_resp *r = &e->x.resp;
    uint8_t *start = conn_put(c, FIXED_BYTES + fields_size(r->fields, r->field_count));
    uint8_t *at = put_status(start, r->status);
    int64_t length = exchange_length(e);

    at = PUT(at, "Server: muster\r\nDate: ");
    at = put_str(at, loop_date(c->host->loop));
    at = PUT(at, "\r\n");
    if (!keep_alive)
        at = PUT(at, "Connection: close\r\n");
    else if (e->x.req.version == 10)
        at = PUT(at, "Connection: keep-alive\r\n");
    at = put_fields(at, r->fields, r->field_count);
    if (chunked) {
        at = PUT(at, "Transfer-Encoding: chunked\r\n");
    } else if (length >= 0 && r->status != 204 && r->status != 304) {
        at = PUT(at, "Content-Length: ");
        at = put_number(at, (uint64_t)length);
        at = PUT(at, "\r\n");
    }
    at = PUT(at, "\r\n");
    conn_put_done(c, (size_t)(at - start));
}

static void put_chunk_head(uint8_t *start, size_t n, size_t *moved)
{
    static const char hex[] = "0123456789abcdef";
    char head[CHUNK_HEAD];
    size_t digits = 0;

    for (size_t v = n; v > 0; v >>= 4)
        digits++;
    for (size_t i = 0; i < digits; i++)
        head[i] = hex[(n >> (4 * (digits - 1 - i))) & 15];
    head[digits] = '\r';
    head[digits + 1] = '\n';
    *moved = CHUNK_HEAD - digits - 2;
    if (*moved > 0)
        memmove(start + digits + 2, start + CHUNK_HEAD, n);
    memcpy(start, head, digits + 2);
}

static void end_chunks(struct conn *c, const struct http_resp *r)
{
    uint8_t *start = conn_put(c, 5 + fields_size(r->trailers, r->trailer_count));
    uint8_t *at = PUT(start, "0\r\n");

    at = put_fields(at, r->trailers, r->trailer_count);
    at = PUT(at, "\r\n");
    conn_put_done(c, (size_t)(at - start));
}

enum http1_answer_event http1_answer_body(struct conn *c, struct exchange *e, bool chunked)
{
    const struct http_resp *r = &e->x.resp;
    size_t piece = PIECE_BYTES;

    if (!r->source)
        piece = MIN(piece, r->body.len - e->pulled);

    uint8_t *start = conn_put(c, piece + CHUNK_HEAD + 2);
    ptrdiff_t n = exchange_pull(e, start + (chunked ? CHUNK_HEAD : 0), piece);

    if (n == HTTP_AGAIN)
        return HTTP1_ANSWER_STALLED;
    if (n < 0)
        return HTTP1_ANSWER_BROKEN;
    if (n == 0) {
        if (chunked)
            end_chunks(c, r);
        return HTTP1_ANSWER_END;
    }
    if (!chunked) {
        conn_put_done(c, (size_t)n);
        return !r->source && e->pulled == r->body.len ? HTTP1_ANSWER_END : HTTP1_ANSWER_MORE;
    }

    size_t moved;

    put_chunk_head(start, (size_t)n, &moved);
    memcpy(start + CHUNK_HEAD - moved + (size_t)n, "\r\n", 2);
    conn_put_done(c, CHUNK_HEAD - moved + (size_t)n + 2);
    return HTTP1_ANSWER_MORE;
}
