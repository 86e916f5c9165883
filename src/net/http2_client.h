/* SPDX-License-Identifier: Apache-2.0 */
/* Requests over HTTP/2 to one origin, straight on a loop: one connection that is made when it is
 * first needed, kept, watched with PINGs, and made again after a pause that grows when that fails.
 * Bytes only; what they mean is for others. Bodies of requests are whole, those of answers come in
 * pieces, and the other side may send only as much as is taken.
 *
 * A request that the other side surely did not look at (connection refused the stream, or left
 * before it) is sent once more by itself.
 *
 * Everything here belongs to the loop's thread. SIGPIPE must be ignored or blocked on it when TLS
 * is used. No callback may free the client. */
#ifndef NET_HTTP2_CLIENT_H
#define NET_HTTP2_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"
#include "net/allow_list.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/tls_client.h"

struct http2_client;
struct http2_link;
struct http2_list;
struct http2_request;

/* Zero means the default. What the pointers refer to outlives the client. */
struct http2_client_options {
    struct loop *loop;
    struct resolver *resolver;
    const struct allow_list *allow; /* needed: an empty one permits nothing */
    const struct tls_client *tls;   /* NULL: clear text, HTTP/2 without asking */
    struct str host;                /* name or address, without brackets; copied */
    uint16_t port;

    uint32_t connect_timeout_ms;   /* names, TCP, TLS and first settings together; 0: 10 s */
    uint32_t keepalive_ms;         /* silence before a PING while requests run; 0: 310 s */
    uint32_t keepalive_timeout_ms; /* for its answer; 0: 20 s */
    uint32_t idle_ms;              /* without requests the connection is closed; 0: 5 min */
    uint32_t backoff_first_ms;     /* pause after a failed attempt, times 1.6 for each; 0: 1 s */
    uint32_t backoff_max_ms;       /* 0: 120 s */
    uint32_t window_bytes;         /* an answer's bytes that were not taken; 0: 1 MiB */
    uint32_t head_max;             /* bytes of all fields of a head, or of trailers; 0: 64 KiB */
};

enum http2_end {
    HTTP2_END_WHOLE,     /* the answer is complete */
    HTTP2_END_UNSENT,    /* no connection, or the other side did not look at it */
    HTTP2_END_RESET,     /* the stream broke: reset_code says how */
    HTTP2_END_LOST,      /* the connection broke with the answer under way */
    HTTP2_END_TOO_LARGE, /* fields beyond head_max */
    HTTP2_END_CLOSING,   /* the client was freed */
};

struct http2_request_ops {
    /* The head is there: status and answer_fields. headers_only when nothing else comes. */
    void (*head)(struct http2_request *r);

    /* Bytes of the body; good during the call. Each must be taken back with http2_request_take(),
     * now or later: the other side stops when window_bytes are out. */
    void (*data)(struct http2_request *r, struct str bytes);

    /* The last call. `why` is filled in for everything but WHOLE and good during the call. */
    void (*end)(struct http2_request *r, enum http2_end how, const struct fail *why);
};

/* The caller fills in the first part and keeps the object and all that it points at until end() or
 * http2_request_cancel(). */
struct http2_request {
    struct str method; /* empty: POST */
    struct str path;
    const struct http_field *fields; /* names in lower case, valid */
    size_t field_count;
    struct str body;
    bool wait;           /* outlast failed attempts to connect */
    struct arena *arena; /* memory of the answer's fields */
    const struct http2_request_ops *ops;

    /* The answer. */
    int status;
    bool headers_only;
    struct http_field *answer_fields;
    size_t answer_field_count;
    struct http_field *answer_trailers;
    size_t answer_trailer_count;
    uint64_t answer_bytes;
    uint32_t reset_code; /* HTTP/2 error code */

    /* The client's own. */
    struct http2_client *client;
    struct http2_link *link;
    struct http2_list *list;
    struct http2_request *next;
    struct http2_request **at;
    size_t body_sent;
    size_t head_bytes;
    int32_t id;
    uint8_t attempts;
    bool head_sent;
    bool head_done;
    bool whole;
    bool too_large;
};

struct http2_client *http2_client_new(const struct http2_client_options *o) RETURNS_NONNULL;

/* Requests under way end with CLOSING. The loop must turn once more before it goes. */
void http2_client_free(struct http2_client **c);

/* Connections that this list does not permit are left at once; NULL is not accepted. */
void http2_client_set_allow(struct http2_client *c, const struct allow_list *allow);

/* -1 when it can be told at once that no connection comes about: nothing is called then. Else end()
 * follows, in a later turn. */
int http2_client_start(struct http2_client *c, struct http2_request *r, struct fail *f) MUST_CHECK;

/* Resets the stream; no more calls come and the request is the caller's again. Harmless after
 * end(). */
void http2_request_cancel(struct http2_request *r);

/* Lets the other side send n bytes more. Harmless after end(). */
void http2_request_take(struct http2_request *r, size_t n);

/* How many connections were made so far. */
uint64_t http2_client_connections(const struct http2_client *c);

#endif
