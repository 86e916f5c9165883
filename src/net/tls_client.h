/* SPDX-License-Identifier: Apache-2.0 */
/* TLS for connections that we open: whom to trust, what to show. The other side's certificate is
 * always verified, its name too. Immutable; any thread. */
#ifndef NET_TLS_CLIENT_H
#define NET_TLS_CLIENT_H

#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"
#include "net/tls.h"

struct tls_client;
struct ssl_st;

/* PEM files; NULL means the system's authorities, or no certificate of our own. */
struct tls_client_config {
    const char *ca_file;
    const char *cert_file; /* leaf first, then the chain */
    const char *key_file;
    enum tls_version min_version;
};

/* Offers HTTP/2 only. -1 names the file at fault. */
int tls_client_new(const struct tls_client_config *config, struct tls_client **out, struct fail *f)
    MUST_CHECK;

/* Connections made with it keep what they need. */
void tls_client_free(struct tls_client **t);

/* For a connected descriptor and the host as the URL names it (a name or a bare address). NULL when
 * there is no memory for it or the name cannot be used. */
struct ssl_st *tls_client_begin(const struct tls_client *t, int fd, struct str host);

#endif
