/* SPDX-License-Identifier: Apache-2.0 */
/* What calls and streams know of their channel. Private to the gRPC client. */
#ifndef RPC_GRPC_CLIENT_INTERNAL_H
#define RPC_GRPC_CLIENT_INTERNAL_H

#include "net/http2_client.h"

struct grpc_channel;

struct loop *grpc_channel_loop(const struct grpc_channel *c);
size_t grpc_channel_message_max(const struct grpc_channel *c);

/* With defaults filled in. */
const struct http2_client_options *grpc_channel_http2_options(const struct grpc_channel *c);

#endif
