/* SPDX-License-Identifier: Apache-2.0 */
/* The REST surface of tables as an OpenAPI 3.0 document, from the same descriptors that serve it.
 * Start-up. */
#ifndef RPC_OPENAPI_H
#define RPC_OPENAPI_H

#include "base/buf.h"
#include "base/fail.h"
#include "base/macros.h"
#include "rpc/method.h"

struct openapi_info {
    const char *title;
    const char *version;
};

/* Appends the document: every binding of every table that has a rest_json, each message that they
 * reach. The same tables give the same bytes. -1: a template is wrong, or `out` is full. */
int openapi_write(const struct openapi_info *info, const struct rpc_table *const *tables,
                  size_t count, struct buf *out, struct fail *f) MUST_CHECK;

/* Handler of a plain route whose c->app is a const struct str, the document. */
int openapi_get(struct call *c, struct fail *f);

#endif
