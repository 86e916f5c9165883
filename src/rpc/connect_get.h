/* SPDX-License-Identifier: Apache-2.0 */
/* The query of a Connect GET. Pure; what is decoded lives in the arena or is a view. */
#ifndef RPC_CONNECT_GET_H
#define RPC_CONNECT_GET_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

/* p is NULL for what the query does not have. */
struct connect_query {
    struct str encoding;
    struct str message; /* percent-decoded, still base64 when `base64` is "1" */
    struct str base64;
    struct str compression;
    struct str version;
};

int connect_query_read(struct arena *a, struct str query, struct connect_query *out, struct fail *f)
    MUST_CHECK;

/* The message's bytes, still compressed. */
int connect_query_message(struct arena *a, const struct connect_query *q, struct str *out,
                          struct fail *f) MUST_CHECK;

#endif
