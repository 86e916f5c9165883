/* SPDX-License-Identifier: Apache-2.0 */
/* What gRPC and gRPC-Web share. Private to rpc. */
#ifndef RPC_GRPC_H
#define RPC_GRPC_H

#include "rpc/envelope.h"

/* "250m": at most eight digits and a unit. -1 when malformed. */
int grpc_timeout_parse(struct str text, uint64_t *us) MUST_CHECK;

int grpc_begin(struct envelope_call *e, struct fail *f) MUST_CHECK;
int grpc_decode(struct envelope_call *e, struct str body, void *request, struct fail *f) MUST_CHECK;

/* Fields of an answer that has messages. */
void grpc_head(struct envelope_call *e);

/* An error that stands in the head alone; false when there is metadata that needs more room. */
bool grpc_error_in_head(struct envelope_call *e, const struct fail *f);

int grpc_stream_message(struct envelope_call *e, const void *message, struct buf *out,
                        struct fail *f) MUST_CHECK;

#endif
