/* SPDX-License-Identifier: Apache-2.0 */
/* One client connection: bytes in and out through a transport (plain or TLS), deadlines, and the
 * way it ends. What the bytes mean is its protocol's business. Idle, it owns neither an input nor
 * an output buffer. Loop thread; freed at the end of the turn in which it was closed. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "net/host.h"
#include "net/loop.h"
#include "net/net_metrics.h"
#include "net/peer.h"

struct conn;
struct ssl_st;

#define CONN_EOF    0
#define CONN_AGAIN  (-1)
#define CONN_BROKEN (-2)

struct transport_ops {
    ptrdiff_t (*read)(struct conn *c, uint8_t *out, size_t cap);
    ptrdiff_t (*write)(struct conn *c, const uint8_t *data, size_t len);
    void (*shut)(struct conn *c);        /* no more writing; the last word is out */
    bool (*has_pending)(struct conn *c); /* bytes that no event will tell of */
};

extern const struct transport_ops transport_plain;

struct proto_ops {
    enum proto proto;

    /* Returns how many bytes were taken; the rest comes again, with more behind it. Sets c->hungry
     * when the rest is not enough to go on. */
    size_t (*input)(struct conn *c, const uint8_t *data, size_t len);

    /* Puts bytes out, up to the backlog's ceiling. True: call again once they are gone. */
    bool (*fill)(struct conn *c);
    void (*timeout)(struct conn *c); /* deadline_us has passed */
    void (*eof)(struct conn *c);     /* the client will send no more */
    void (*drain)(struct conn *c);   /* finish what has begun, then end */
    void (*lost)(struct conn *c);    /* free c->state */
};

enum conn_stage {
    CONN_HANDSHAKE,
    CONN_OPEN,
    CONN_FLUSHING,  /* ends when the output is gone */
    CONN_LINGERING, /* waits for the client to read the end and close */
    CONN_CLOSED,
};

struct conn {
    struct loop_watch watch;
    struct timer timer;
    struct host *host;
    struct conn *next; /* of the host's */
    struct conn **at;
    struct conn *next_dirty;
    struct conn *next_dead;
    struct peer *peer;
    const struct transport_ops *io;
    struct ssl_st *ssl;
    const struct proto_ops *proto;
    void *state; /* the protocol's */

    uint8_t *in; /* heap; what was read and not taken */
    uint32_t in_at;
    uint32_t in_len;
    uint32_t in_cap;
    struct out_buffer *out;

    int64_t deadline_us;      /* the protocol's; INT64_MAX: none */
    int64_t blocked_since_us; /* the client does not take the output; INT64_MAX: it does */
    int64_t taken_at_us;      /* when it last took some since */
    uint32_t taken_bytes;     /* since blocked_since_us */
    uint32_t lingered_bytes;

    enum conn_stage stage;
    enum close_reason reason;
    bool is_dirty;
    bool running; /* conn_run() or an event is on the stack */
    bool again;   /* marked meanwhile */
    bool hungry;
    bool eof;
    bool unread;      /* the socket may hold bytes, or its end, that no event will tell of */
    bool ending;      /* the peer's end or a failure is next, maybe after bytes */
    bool wants_write; /* TLS handshake */
    bool more;        /* output is left to be filled in */
    bool linger;      /* the client may still be sending */
    bool reset;       /* close with RST: what was sent is not the whole */
};

/* Owns fd from now on. Takes over the reference to the peer. NULL when the kernel refuses to watch
 * it (all is given back then). */
struct conn *conn_open(struct host *h, int fd, struct peer *peer);

/* Same without a descriptor, for tests: bytes come by conn_feed() and leave through io->write. */
struct conn *conn_open_detached(struct host *h, const struct transport_ops *io, struct peer *peer);

/* Something changed: conn_run() comes before the turn ends. */
void conn_mark(struct conn *c);
void conn_run(struct conn *c);

/* Bytes as if just read. */
void conn_feed(struct conn *c, const uint8_t *data, size_t len);

/* Room for len bytes at the end of the output, to be claimed with conn_put_done(). */
uint8_t *conn_put(struct conn *c, size_t len) RETURNS_NONNULL;
void conn_put_done(struct conn *c, size_t len);
void conn_write(struct conn *c, const void *data, size_t len);
size_t conn_backlog(const struct conn *c);
bool conn_has_room(const struct conn *c);

void conn_set_proto(struct conn *c, const struct proto_ops *proto, void *state);

/* Ends it once the output is gone. */
void conn_finish(struct conn *c, enum close_reason reason);

/* Ends it now; nothing more is sent. */
void conn_close(struct conn *c, enum close_reason reason);
void conn_drain(struct conn *c);

/* End of the turn only. */
void conn_free(struct conn *c);

/* now + ms, or the end of time for ms == 0. */
int64_t conn_after_ms(const struct conn *c, uint32_t ms);

/* When bytes that began to flow at since_us have become too slow: last_us + timeout, and at least
 * the configured rate since the beginning, once a timeout has passed. */
int64_t conn_slow_us(const struct conn *c, uint32_t timeout_ms, int64_t since_us, int64_t last_us,
                     uint64_t bytes);

/* The protocols' beginnings. */
extern const struct proto_ops proto_sniff; /* HTTP/2 by its preface, else HTTP/1.1 */
void http1_start(struct conn *c);
void http2_start(struct conn *c);

/* For a peer that spoke neither HTTP/1 nor a sound preface: ends the connection with a GOAWAY. */
void http2_refuse_preface(struct conn *c);

#endif
