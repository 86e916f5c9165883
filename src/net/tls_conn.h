/* SPDX-License-Identifier: Apache-2.0 */
/* TLS under one connection: the handshake, and the transport that replaces the plain one after it.
 */
#ifndef NET_TLS_CONN_H
#define NET_TLS_CONN_H

#include <stdbool.h>

#include "base/macros.h"

struct conn;
struct tls;
struct ssl_ctx_st;

enum tls_conn_verdict {
    TLS_CONN_DONE,
    TLS_CONN_WANTS_READ,
    TLS_CONN_WANTS_WRITE,
    TLS_CONN_FAILED,
    TLS_CONN_IS_PLAIN, /* the client speaks HTTP without TLS */
};

/* With the host's present certificate. */
int tls_conn_begin(struct conn *c) MUST_CHECK;
enum tls_conn_verdict tls_conn_handshake(struct conn *c);

/* What ALPN chose. */
bool tls_conn_is_h2(const struct conn *c);

/* Puts a plain answer out that says so. */
void tls_conn_refuse_plain(struct conn *c);

/* Nothing for a plain connection. */
void tls_conn_free(struct conn *c);

/* A reference of the caller's own. */
struct ssl_ctx_st *tls_context(const struct tls *t) RETURNS_NONNULL;

#endif
