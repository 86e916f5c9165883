/* SPDX-License-Identifier: Apache-2.0 */
/* How a gRPC call ended, as fields of HTTP tell it. Pure. */
#ifndef RPC_GRPC_OUTCOME_H
#define RPC_GRPC_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"
#include "net/http.h"

struct grpc_outcome {
    enum code code;
    const char *reason; /* of a failure that was found on this side; else NULL */
    struct str message;
    struct str details; /* google.rpc.Status in wire format; empty when there is none */
    int http_status;    /* 0: there was no answer */
    bool from_peer;     /* the other side said it in gRPC's words */

    /* As they came, gRPC's own among them; see grpc_bin(). An answer of headers only counts as
     * trailers. */
    const struct http_field *headers;
    size_t header_count;
    const struct http_field *trailers;
    size_t trailer_count;
};

/* What the head says. */
enum grpc_head {
    GRPC_HEAD_FINE,
    GRPC_HEAD_GZIP, /* fine, and compressed messages are gzip */
    GRPC_HEAD_BAD,  /* not gRPC: the outcome is filled in */
};

enum grpc_head grpc_outcome_head(struct grpc_outcome *o, struct arena *a);

/* Whether the headers alone tell how the call ended. */
bool grpc_outcome_has_status(const struct grpc_outcome *o);

/* The end of an answer whose head was fine: sets code, message, details. */
void grpc_outcome_end(struct grpc_outcome *o, struct arena *a, bool had_body);

/* A failure of our own; the message is cut to the arena's copy of it. */
void grpc_outcome_set(struct grpc_outcome *o, struct arena *a, const struct fail *f);

/* -1 unless the code is OK. */
int grpc_outcome_fail(const struct grpc_outcome *o, struct fail *f) MUST_CHECK;

enum code grpc_code_of_http(int status);
enum code grpc_code_of_reset(uint32_t http2_error);

/* Bytes of a field whose name ends in "-bin". */
int grpc_bin(struct arena *a, struct str value, struct str *out) MUST_CHECK;

#endif
