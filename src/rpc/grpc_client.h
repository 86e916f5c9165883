/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to gRPC services of others: unary and server-streaming. A channel is one origin, its
 * connection is made when needed, kept and made again. Two ways to call:
 *
 *   on the loop   struct grpc_call: callbacks, nothing waits
 *   on a worker   grpc_call_unary(), grpc_stream_*: the thread waits, the loop works for it
 *
 * Messages are held back at the other side when they are not taken: one whole message waits here,
 * and at most a window of bytes behind it.
 *
 * Loops outlive channels and streams: workers end before loops do, and a loop turns once more (or
 * ends its run) after the last channel on it was freed. */
#ifndef RPC_GRPC_CLIENT_H
#define RPC_GRPC_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"
#include "codec/proto.h"
#include "net/http2_client.h"
#include "rpc/grpc_inbox.h"
#include "rpc/grpc_outcome.h"

struct grpc_channel;
struct grpc_stream;

#define GRPC_MESSAGE_MAX ((size_t)4 << 20)

struct grpc_channel_options {
    /* "host:port", "grpc://host:port" or "grpc+ssl://host:port"; an IPv6 address in brackets. */
    struct str target;

    /* Taken for grpc+ssl://, which needs it, and for a target without a scheme. */
    const struct tls_client *tls;

    /* Loop, resolver, allow-list and timing; host, port and tls come from the target. */
    struct http2_client_options http2;

    size_t message_max; /* of one answer message, inflated; 0: GRPC_MESSAGE_MAX */
};

/* Does not connect yet. Any thread. */
int grpc_channel_new(const struct grpc_channel_options *o, struct grpc_channel **out,
                     struct fail *f) MUST_CHECK;

/* Calls under way end with CANCELED, soon, on the loop. Any thread; no call may be begun with it
 * after this. */
void grpc_channel_free(struct grpc_channel **c);

/* Loop thread. */
struct http2_client *grpc_channel_http2(struct grpc_channel *c) RETURNS_NONNULL;

struct grpc_call_options {
    const struct http_field *metadata; /* names in lower case; of "-bin" ones the value is bytes */
    size_t metadata_count;
    uint32_t timeout_ms;      /* for everything; 0: none */
    int64_t deadline_us;      /* monotonic, on the loop's clock; 0: none; the earlier one counts */
    uint32_t idle_timeout_ms; /* silence while a message is awaited; 0: none */
    size_t message_max;       /* 0: the channel's */
    bool gzip;                /* compress the request */
    bool wait_for_ready;      /* outlast failed attempts to connect */
};

/* -- on the loop ------------------------------------------------------------------------------- */

struct grpc_call;

struct grpc_call_ops {
    /* Optional: outcome.headers are there. Not called when the outcome comes instead. */
    void (*headers)(struct grpc_call *c);

    /* One message, in order; the payload is good during the call, unless its memory is taken with
     * grpc_call_keep(). The next comes after grpc_call_next(), which may be called from here. */
    void (*message)(struct grpc_call *c, const struct grpc_message *m);

    /* The last call: outcome is complete. */
    void (*done)(struct grpc_call *c);
};

/* Zeroed, then the first part filled in; stays until done() or grpc_call_cancel(), and until the
 * callback returned from which it was canceled. */
struct grpc_call {
    struct grpc_channel *channel;
    const struct proto_method *method;
    struct grpc_call_options options;
    struct arena *arena; /* of the request and of metadata; the loop's until done() */
    const struct grpc_call_ops *ops;
    void *user;

    struct grpc_outcome outcome;

    /* The client's own. */
    struct loop *loop;
    struct http2_request http;
    struct timer timer;
    struct grpc_inbox inbox;
    size_t message_max;
    size_t untaken; /* bytes that the other side may not yet replace */
    unsigned messages;
    int64_t deadline_us;
    int64_t heard_us;
    bool prepared;
    bool outcome_gzip; /* what the answer calls compressed is gzip */
    bool wanted;
    bool kept; /* the message under delivery */
    bool pumping;
    bool ended; /* the stream is over, though messages may wait */
    bool over;
};

/* Encodes the request into the call's arena; the message is not needed after that. Optional, for
 * threads other than the loop's. */
int grpc_call_prepare(struct grpc_call *c, const void *request, struct fail *f) MUST_CHECK;

/* -1: nothing will be called. `request` may be NULL after grpc_call_prepare(). The first message is
 * delivered without grpc_call_next(). Loop thread. */
int grpc_call_start(struct grpc_call *c, const void *request, struct fail *f) MUST_CHECK;

/* Asks for one message more; a method without a stream of answers needs none. Loop thread. */
void grpc_call_next(struct grpc_call *c);

/* From inside message(): moves the message's memory into *out (buf_done() it), where *m then views.
 */
void grpc_call_keep(struct grpc_call *c, struct buf *out, struct grpc_message *m);

/* No more callbacks; the other side is told. Harmless after done(). Loop thread. */
void grpc_call_cancel(struct grpc_call *c);

/* -- messages ---------------------------------------------------------------------------------- */

/* Inflates and decodes; everything in *out lies in the arena. `bytes` is the memory that the
 * message views into when it was kept, and may be taken over by the arena instead of copied; else
 * NULL. Any thread. */
int grpc_message_read(const struct proto_message *type, struct arena *a,
                      const struct grpc_message *m, struct buf *bytes, size_t message_max,
                      void **out, struct fail *f) MUST_CHECK;

/* -- on a worker ------------------------------------------------------------------------------- */

/* *response lies in the arena. -1: `f` has code and text; `outcome` (optional) tells the rest and
 * is filled in either way, its memory in the arena too. Never on the loop. */
int grpc_call_unary(struct grpc_channel *c, const struct proto_method *method, const void *request,
                    const struct grpc_call_options *o, struct arena *a, void **response,
                    struct grpc_outcome *outcome, struct fail *f) MUST_CHECK;

/* Begins a call of any kind that sends one message. `o` may be NULL; what it points at is copied.
 */
int grpc_stream_open(struct grpc_channel *c, const struct proto_method *method, const void *request,
                     const struct grpc_call_options *o, struct grpc_stream **out, struct fail *f)
    MUST_CHECK;

/* Waits for the next message, which lies in the arena: 1, 0 at a good end, -1 at any other. */
int grpc_stream_next(struct grpc_stream *s, struct arena *a, void **message, struct fail *f)
    MUST_CHECK;

/* Waits for the head: its fields, or the outcome's when there is no head. Good until the stream is
 * closed. */
const struct grpc_outcome *grpc_stream_headers(struct grpc_stream *s) RETURNS_NONNULL;

/* How it ended: after grpc_stream_next() was 0 or -1. Good until the stream is closed. */
const struct grpc_outcome *grpc_stream_outcome(const struct grpc_stream *s) RETURNS_NONNULL;

/* Makes grpc_stream_next() end with CANCELED, unless it ended already. Any thread, while the stream
 * is open. */
void grpc_stream_cancel(struct grpc_stream *s);

/* At any time: tells the other side when it was not over. Does not wait. */
void grpc_stream_close(struct grpc_stream **s);

#endif
