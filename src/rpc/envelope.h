/* SPDX-License-Identifier: Apache-2.0 */
/* Between HTTP and a handler's messages: what all envelopes share, and the table of operations that
 * each one fills in. Private to rpc. An envelope_call lives in the exchange's arena and belongs to
 * whoever owns the call; what is said of threads in dispatch.h holds here too.
 *
 *   envelope_begin()   loop, from the head: which envelope, deadline, codings
 *   envelope_decode()  the one request message
 *   envelope_run()     decodes when that is still to be done, runs the handler; encodes, unless
 *                      the call is on the write lane
 *   envelope_encode()  the one answer
 *   envelope_error()   an error in the envelope's shape */
#ifndef RPC_ENVELOPE_H
#define RPC_ENVELOPE_H

#include "rpc/call.h"
#include "rpc/coder.h"
#include "rpc/frame.h"
#include "rpc/method.h"

#define MESSAGE_LIMIT_DEFAULT ((size_t)4 << 20)

/* What an envelope may add to a message: framing, a trailer frame, an error. */
#define ENVELOPE_SLACK 65536

struct envelope_call;
struct rest_binding;

struct envelope_ops {
    const char *name;

    /* What the head says beyond the media type. */
    int (*begin)(struct envelope_call *e, struct fail *f);

    /* Unary, and the request of a server stream. */
    int (*decode)(struct envelope_call *e, struct str body, void *request, struct fail *f);

    /* Unary: c->out, fields, trailers, c->status when it is not 200. */
    int (*encode)(struct envelope_call *e, const void *response, struct fail *f);

    /* The whole answer is an error. NULL: the dialect's shape. */
    void (*error)(struct envelope_call *e, const struct fail *f);

    /* Streams; NULL: the envelope has none. */
    void (*stream_head)(struct envelope_call *e);
    int (*stream_message)(struct envelope_call *e, const void *message, struct buf *out,
                          struct fail *f);

    /* `f` with CODE_OK: all went well. Appends what ends the body; fields that belong into HTTP
     * trailers go to e->http_trailers. */
    void (*stream_end)(struct envelope_call *e, const struct fail *f, struct buf *out);
};

extern const struct envelope_ops envelope_connect, envelope_connect_get, envelope_connect_stream,
    envelope_grpc, envelope_grpc_web, envelope_rest;

/* One method of one table: start-up, immutable. */
struct rpc_method {
    const struct proto_method *m;
    const struct rpc_table *table;
    const struct rpc_handler *handler;   /* NULL: not built */
    const struct protojson_flavor *json; /* of this route */
    void *app;
    const struct rest_binding *rest; /* NULL: an RPC route */
    size_t request_limit;
    size_t response_limit;
};

enum rpc_codec {
    RPC_PROTO,
    RPC_JSON,
};

struct envelope_call {
    const struct envelope_ops *ops; /* NULL: none was found; the answer is bare HTTP */
    const struct rpc_method *method;
    struct call *call;
    struct arena *memory;  /* for request messages */
    struct arena *scratch; /* for one answer message, until it is in its buffer */
    struct coders *coders;
    size_t gzip_min_bytes; /* of messages that are compressed; 0: none */
    enum rpc_codec codec;
    struct str content_type; /* of the answer */
    bool text;               /* gRPC-Web in base64 */
    bool request_gzip;       /* what the request calls compressed is gzip */
    bool answer_gzip;        /* the client reads it */
    struct str get_message;  /* Connect GET */
    void *request;
    void *response;
    rpc_unary_fn step;                /* where rpc_move() goes on; NULL: at the handler */
    enum lane next;                   /* of the step, once rpc_move() was called */
    struct call_fields http_trailers; /* in c->arena */
};

static inline bool rpc_method_is_stream(const struct rpc_method *m)
{
    return m->m->client_streaming || m->m->server_streaming;
}

/* --- envelope.c: for dispatch ---
 */

/* -1: refused; *status is the HTTP status when the envelope does not choose it itself. */
int envelope_begin(struct call *c, const struct rpc_method *m, struct coders *coders,
                   size_t gzip_min_bytes, int *status, struct fail *f) MUST_CHECK;

/* The path is an RPC method's, the verb is not. Returns the verbs that are. */
uint32_t envelope_no_verb(struct call *c, const struct rpc_method *m);

/* False for plain routes and REST: the head, the media type and the codings are HTTP's business. */
bool envelope_reads_head(const struct call *c);

/* Too much to unpack for a loop. */
bool envelope_is_heavy(const struct call *c);

int envelope_decode(struct call *c, struct fail *f) MUST_CHECK;

/* RPC_MOVED: the step that follows belongs to the lane c->envelope->next. */
int envelope_run(struct call *c, struct fail *f) MUST_CHECK;
int envelope_encode(struct call *c, struct fail *f) MUST_CHECK;

/* False: it is the dialect's to shape. Also shapes what is refused before there is a route when the
 * client speaks gRPC. */
bool envelope_error(struct call *c, const struct fail *f);

/* --- for the envelopes --- */

/* A message from its bytes, by the call's codec. */
int envelope_read(struct envelope_call *e, struct str bytes, bool gzipped, void *message,
                  struct fail *f) MUST_CHECK;

/* Appends a message; *gzipped tells whether it was compressed, which happens only when the client
 * reads it and it is large enough. */
int envelope_write(struct envelope_call *e, const struct proto_message *m, const void *message,
                   struct buf *out, bool *gzipped, struct fail *f) MUST_CHECK;

/* Same in a frame. */
int envelope_write_frame(struct envelope_call *e, const struct proto_message *m,
                         const void *message, struct buf *out, struct fail *f) MUST_CHECK;

/* One request frame. */
int envelope_read_frame(struct envelope_call *e, const struct frame *frame, void *message,
                        struct fail *f) MUST_CHECK;

/* "gzip", "identity", "" from a request field; CODE_UNIMPLEMENTED for others. */
int envelope_take_coding(struct str coding, bool *gzip, struct fail *f) MUST_CHECK;

/* Whether the first coding of the list that we know is gzip; without a list: what the request
 * itself uses. */
bool envelope_accepts_gzip(struct str accept, bool request_gzip);

/* Fields of a list, each under prefix + name. */
void envelope_put_fields(struct envelope_call *e, struct str prefix,
                         const struct call_fields *fields);

/* Milliseconds and the like from now on; the earlier deadline wins. */
void envelope_set_timeout(struct envelope_call *e, uint64_t timeout_us);

/* {"code":...,"message":...,"details":[...]} */
struct json_writer;
void envelope_write_error(struct envelope_call *e, const struct fail *f, struct json_writer *w);

/* --- metadata.c --- */

void call_forget_metadata(struct call *c);

/* --- status.c: gRPC's way to say how a call ended --- */

struct str status_number(enum code code);

/* Percent-encoded. */
struct str status_message(struct arena *a, const char *message);

/* google.rpc.Status in base64; empty when there are no details. */
struct str status_details(struct arena *a, const struct call *c, const struct fail *f);

/* Calls add() for grpc-status, grpc-message, grpc-status-details-bin. */
void status_put(struct arena *a, const struct call *c, const struct fail *f,
                void (*add)(void *arg, struct str name, struct str value), void *arg);

#endif
