/* SPDX-License-Identifier: Apache-2.0 */
/* What the Connect envelopes share. Private to rpc. */
#ifndef RPC_CONNECT_H
#define RPC_CONNECT_H

#include "rpc/envelope.h"

/* Version and timeout. */
int connect_begin(struct envelope_call *e, struct fail *f) MUST_CHECK;

/* Unary, POST and GET. */
int connect_encode(struct envelope_call *e, const void *response, struct fail *f) MUST_CHECK;
void connect_error(struct envelope_call *e, const struct fail *f);

#endif
