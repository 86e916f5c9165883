/* SPDX-License-Identifier: Apache-2.0 */
/* The .proto files as text, for people and generators: "/protos" lists them, "/protos/NAME" is one.
 * Immutable; any thread. */
#ifndef RPC_PROTOS_H
#define RPC_PROTOS_H

#include "base/fail.h"
#include "codec/proto.h"
#include "rpc/call.h"

/* Handlers of plain routes, open to anybody, whose c->app is a const struct proto_pool. Files of
 * others (google/protobuf/...) are not among them: they come with every compiler. */
int protos_list(struct call *c, struct fail *f);
int protos_get(struct call *c, struct fail *f); /* "{rest:path}" */

#endif
