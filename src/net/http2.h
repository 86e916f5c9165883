/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP/2 connection over nghttp2: what its files share. The session frees nothing of ours when
 * it goes, so every stream is also on our own list. Loop thread. */
#ifndef NET_HTTP2_H
#define NET_HTTP2_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/conn.h"
#include "net/exchange.h"

#define HTTP2_KINDS (CLOSE_REASON_COUNT - CLOSE_H2_RESETS)

enum http2_draining {
    HTTP2_SERVING,
    HTTP2_NOTICED, /* said that GOAWAY will come; a PING tells when the client knows */
    HTTP2_LEAVING, /* GOAWAY with the last stream is out */
};

struct http2_stream;

struct http2 {
    struct conn *c;
    nghttp2_session *session;
    struct http2_stream *streams;
    uint32_t stream_count;
    enum http2_draining draining;
    bool ended;             /* GOAWAY with an error: the rest of the input means nothing */
    enum close_reason why;  /* when it ends by itself */
    int64_t interval_us;    /* counts are since then */
    uint64_t interval_sent; /* bytes of DATA */
    uint32_t counts[HTTP2_KINDS];
    uint32_t skip;   /* bytes until the next frame header */
    uint8_t head[9]; /* of the frame that is coming in */
    uint8_t head_len;
    int32_t last_id;    /* highest stream that the client opened */
    int32_t *reset_ids; /* heap; the latest streams that we reset, a ring */
    uint32_t reset_count;
};

/* Lives in its exchange's arena. */
struct http2_stream {
    struct http2 *h;
    struct exchange *e;
    struct http2_stream *next; /* of the connection's */
    struct http2_stream **at;
    int32_t id;
    size_t header_bytes;
    size_t header_count;
    size_t field_cap;
    size_t trailer_cap;
    size_t unconsumed; /* of the flow-control windows: the service has not read them */
    int64_t in_since_us;
    int64_t in_last_us;
    int64_t out_last_us;
    struct str scheme;
    const char *refusal; /* the head is not to be served, and why */
    enum http_refusal why;
    bool head_done;
    bool in_whole;
    bool deferred;
    bool out_whole;
};

/* http2_request.c: fields of a request as they come, and what they amount to. */
void http2_take_field(struct http2_stream *s, bool trailer, struct str name, struct str value);
void http2_refuse_head(struct http2_stream *s, enum http_refusal why, const char *message);
void http2_check_head(struct http2_stream *s);

/* http2_answer.c */
extern const struct exchange_ops http2_exchange_ops;

/* http2_guard.c: counts a frame of a kind that a client should not send often; ends the connection
 * when there were too many. */
void http2_count(struct http2 *h, enum close_reason kind);
void http2_end(struct http2 *h, uint32_t error, enum close_reason why);

/* Frames may still be on their way for a stream that we reset. For one that the client ended itself
 * they are an error (RFC 9113 section 5.1). */
void http2_note_reset(struct http2 *h, int32_t id);
void http2_check_closed(struct http2 *h, int32_t id);

/* The answer is out and the request is not in: a little more is read past, as a client may rather
 * finish than be reset; RFC 9113 section 8.1 for the rest. */
void http2_read_past(struct http2_stream *s);

/* Deals with streams that are too slow; called every http2_sweep_ms() while there are any. */
void http2_sweep(struct http2 *h);
uint32_t http2_sweep_ms(const struct http2 *h);

#endif
