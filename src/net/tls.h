/* SPDX-License-Identifier: Apache-2.0 */
/* TLS for listeners: certificate and key as one immutable whole. A reload makes a new one and swaps
 * it in; connections that began under the old one keep it alive. Any thread. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/fail.h"
#include "base/macros.h"

struct tls;

enum tls_client_cert {
    TLS_CLIENT_CERT_NONE,
    TLS_CLIENT_CERT_OPTIONAL, /* verified when given */
    TLS_CLIENT_CERT_REQUIRED,
};

enum tls_version {
    TLS_1_2,
    TLS_1_3,
};

struct tls_config {
    const char *cert_file; /* PEM, leaf first, then the chain */
    const char *key_file;  /* PEM */
    const char *ca_file;   /* PEM; needed to verify client certificates */
    enum tls_client_cert client_cert;
    enum tls_version min_version;
};

/* All or nothing: -1 names the file at fault. */
int tls_new(const struct tls_config *config, struct tls **out, struct fail *f) MUST_CHECK;
void tls_free(struct tls **t);

#endif
