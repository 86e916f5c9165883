/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 request syntax (RFC 9112), strictly: what two parsers could read differently is refused.
 * Pure: bytes in, structs out; no sockets, no clock. Resumable at any byte, and however the same
 * bytes are split, the outcome is the same. */
#ifndef NET_HTTP1_H
#define NET_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/macros.h"
#include "net/http.h"
#include "net/http_limits.h"

enum http1_verdict {
    HTTP1_MORE, /* fine so far */
    HTTP1_DONE,
    HTTP1_REFUSED,
};

struct http1_refusal {
    enum http_refusal why;
    const char *message; /* static */
};

/* How far the search for the end of a head, or of a trailer section, has come. Zeroed to begin. */
struct http1_scan {
    uint32_t start; /* of the head; blank lines before it are skipped */
    uint32_t line;  /* start of the line being read */
    uint32_t at;    /* read so far; once DONE: one past the blank line */
    uint32_t first; /* length of the first line, without its end */
    uint16_t lines; /* complete ones */
    uint8_t blanks;
    bool trailers; /* set it before the first call for a trailer section */
    bool checked;  /* the request line was */
};

/* `data` is everything since the message's first byte, `len` grows from call to call. */
enum http1_verdict http1_scan(struct http1_scan *s, const uint8_t *data, size_t len,
                              const struct http_limits *limits, struct http1_refusal *r) MUST_CHECK;

/* What the head says about the message around it. */
struct http1_framing {
    bool chunked;
    bool keep_alive;
    bool expects_continue;
};

/* Parses data[s->start .. s->at) of a scan that is DONE: a copy of it lives in the arena, and the
 * slices in *req point there. On refusal *req holds what was understood by then. */
int http1_parse(struct arena *a, const struct http1_scan *s, const uint8_t *data,
                struct http_req *req, struct http1_framing *framing, struct http1_refusal *r)
    MUST_CHECK;

/* After a scan was refused: takes the request line, if there is a whole and sound one, so that the
 * answer can have the right shape. */
void http1_salvage(struct arena *a, const struct http1_scan *s, const uint8_t *data,
                   struct http_req *req);

/* After a refusal: whether the first line is three words of which neither the target nor the
 * version could be HTTP/1's. Who sends that may have meant the preface of HTTP/2. */
bool http1_is_foreign(const struct http1_scan *s, const uint8_t *data);

/* Like http1_parse(), for a trailer section. Fields that would change what the message is are
 * refused, those that only make sense in a head are dropped. */
int http1_parse_trailers(struct arena *a, const struct http1_scan *s, const uint8_t *data,
                         struct http_req *req, struct http1_refusal *r) MUST_CHECK;

/* The chunked coding. Zeroed to begin. */
struct http1_chunks {
    uint64_t left; /* of the current chunk */
    uint32_t extension_bytes;
    uint8_t state;
    uint8_t digits;
};

enum http1_chunk_event {
    HTTP1_CHUNK_MORE, /* all input is used up */
    HTTP1_CHUNK_DATA, /* *body is some of the body */
    HTTP1_CHUNK_LAST, /* the trailer section begins at data + *used */
    HTTP1_CHUNK_REFUSED,
};

/* Takes *used bytes of the input; call again with the rest while it says DATA. */
enum http1_chunk_event http1_chunks_feed(struct http1_chunks *c, const uint8_t *data, size_t len,
                                         size_t *used, struct str *body, struct http1_refusal *r)
    MUST_CHECK;

#endif
