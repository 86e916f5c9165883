/* SPDX-License-Identifier: Apache-2.0 */
/* The text form of gRPC-Web. Pure. */
#ifndef RPC_GRPC_WEB_H
#define RPC_GRPC_WEB_H

#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"

/* One or several pieces of padded base64 in a row. */
int grpc_web_text_decode(struct arena *a, struct str text, struct str *out) MUST_CHECK;

#endif
