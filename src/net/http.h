/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its answer, the same for HTTP/1.1 and HTTP/2, and the service that answers.
 *
 * An exchange is born on the loop that owns the connection, when a request's head is complete:
 *
 *   head()      decide: answer now, or set how the body is to be taken and return
 *   ready()     the whole body is in x->req.body (BODY_BUFFER)
 *   readable()  more of the body may be pulled with http_read() (BODY_STREAM)
 *   refuse()    net itself refuses (too large, timed out, malformed): shape the answer
 *   gone()      the client left before the answer was complete
 *   sent()      the answer is out, or was dropped; the arena goes right after
 *
 * The service may hand the exchange to another thread between ready() and http_answer(): until it
 * calls http_post() to bring it home, that thread owns req, resp, arena and user. The exchange
 * stays valid when the client leaves meanwhile; the late answer is dropped and sent() still comes.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/queue.h"
#include "base/str.h"

struct loop;
struct http_x;

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER, /* any other token; never routed */
};

#define HTTP_METHOD_COUNT 8

struct http_field {
    struct str name; /* lower case */
    struct str value;
};

/* Who is at the other end; lives as long as the connection's exchanges. */
struct http_peer {
    char address[64]; /* "127.0.0.1", "::1"; "unix" on the admin socket */
    uint16_t port;
    uint16_t local_port; /* of the listener; 0 on the admin socket */
    bool tls;
    bool admin_socket;        /* came through the socket in the data directory */
    char certificate_cn[128]; /* of a verified client certificate; empty when there is none */
};

struct http_req {
    enum http_method method;
    struct str method_text;
    struct str target; /* as received */
    struct str path;  /* what stands before '?', still percent-encoded; begins with '/' or is "*" */
    struct str query; /* what stands after '?', still encoded */
    struct str authority;
    uint8_t version; /* 10, 11 or 20 */
    struct http_field *fields;
    size_t field_count;
    struct http_field *trailers; /* complete once the body is */
    size_t trailer_count;
    int64_t content_length; /* -1: not announced */
    struct str body;        /* BODY_BUFFER, in ready() */
    uint64_t body_bytes;    /* received so far */
    int64_t started_us;     /* monotonic, when the head was complete */
    const struct http_peer *peer;
};

/* Bytes of an answer, pulled by the loop as fast as the client takes them. */
struct http_source {
    const struct http_source_ops *ops;
};

#define HTTP_AGAIN  (-1) /* nothing yet: http_resume() will be called */
#define HTTP_BROKEN (-2) /* cannot go on: the stream is reset, the connection closed */

struct http_source_ops {
    /* Writes up to cap bytes to out. Returns their number, 0 at the end, HTTP_AGAIN or HTTP_BROKEN.
     * Loop thread. */
    ptrdiff_t (*read)(struct http_source *s, uint8_t *out, size_t cap);
    /* Optional; called exactly once, on the loop, also when the client left. */
    void (*close)(struct http_source *s);
};

struct http_resp {
    int status;
    struct http_field *fields; /* http_resp_add() */
    size_t field_count;
    size_t field_cap;
    struct http_field *trailers; /* http_resp_trailer(); sent on HTTP/2 and in chunked HTTP/1.1 */
    size_t trailer_count;
    size_t trailer_cap;
    struct str body;            /* arena or static memory, when there is no source */
    struct http_source *source; /* wins over body */
    int64_t source_length;      /* -1: unknown (chunked on HTTP/1.1) */
    bool close;                 /* end the connection after this answer */
};

enum http_body_mode {
    HTTP_BODY_BUFFER, /* the default */
    HTTP_BODY_STREAM,
};

/* Why net itself refuses a request. */
enum http_refusal {
    HTTP_REFUSE_MALFORMED,        /* 400 and close; the head may be incomplete: see req.path.len */
    HTTP_REFUSE_URI_TOO_LONG,     /* 414 and close */
    HTTP_REFUSE_FIELDS_TOO_LARGE, /* 431 and close */
    HTTP_REFUSE_BODY_TOO_LARGE,   /* 413 */
    HTTP_REFUSE_TIMEOUT,          /* 408 and close: body did not arrive in time */
    HTTP_REFUSE_VERSION,          /* 505 and close */
    HTTP_REFUSE_EXPECTATION,      /* 417 */
    HTTP_REFUSE_NOT_IMPLEMENTED,  /* 501 and close: unknown transfer coding */
    HTTP_REFUSE_MISDIRECTED,      /* 421: CONNECT or a foreign scheme */
};

struct http_service {
    void *ctx;

    /* Required. Loop thread. */
    void (*head)(struct http_x *x);
    void (*ready)(struct http_x *x);
    void (*refuse)(struct http_x *x, enum http_refusal why, const char *message);
    void (*sent)(struct http_x *x);

    /* Optional. */
    void (*readable)(struct http_x *x);
    void (*gone)(struct http_x *x);
};

struct http_x {
    struct arena *arena;
    struct loop *loop;
    const struct http_service *service;
    void *user; /* the service's own state for this request */
    struct http_req req;
    struct http_resp resp;

    /* Set by head(): how to take the body. */
    enum http_body_mode body_mode;
    size_t body_limit; /* more than this is refused with HTTP_REFUSE_BODY_TOO_LARGE */

    bool gone;          /* loop thread: the client left */
    bool held;          /* set before http_answer(): sent() waits for http_release() */
    uint64_t bytes_out; /* body bytes written; final in sent() */

    struct queue_node posted; /* http_post() */
    void (*on_posted)(struct http_x *x);
    void *impl; /* the connection's or stream's side; NULL once it died */
};

/* The first field of that (lower-case) name; len 0 and p NULL when absent. */
struct str http_req_field(const struct http_req *r, struct str name);

/* How many fields have that name. */
size_t http_req_field_count(const struct http_req *r, struct str name);

/* Name and value must live as long as the exchange (static or arena). Date, Server, Content-Length,
 * Connection and Transfer-Encoding are net's business. Thread that owns the exchange. */
void http_resp_add(struct http_x *x, struct str name, struct str value);
void http_resp_trailer(struct http_x *x, struct str name, struct str value);

/* Sends x->resp. Once per exchange, loop thread. */
void http_answer(struct http_x *x);

/* BODY_STREAM: pulls up to cap bytes. Number, 0 at the end of the body, HTTP_AGAIN (readable() will
 * come), HTTP_BROKEN when the client left. Taking bytes is what opens the flow-control window. */
ptrdiff_t http_read(struct http_x *x, uint8_t *out, size_t cap);

/* Runs fn(x) on the exchange's loop. Any thread; gives up ownership. */
void http_post(struct http_x *x, void (*fn)(struct http_x *x));

/* A source that said HTTP_AGAIN has bytes now. Loop thread. */
void http_resume(struct http_x *x);

/* The other thread that still used a held exchange after its answer began is done with it: sent()
 * comes as soon as the answer is over, or at once. The source is closed without waiting for this.
 * Loop thread. */
void http_release(struct http_x *x);

const char *http_method_name(enum http_method m) RETURNS_NONNULL;
const char *http_status_text(int status) RETURNS_NONNULL;

#endif
