/* SPDX-License-Identifier: Apache-2.0 */
/* One OpenSSL context in client mode. */
#include "net/tls_client.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/heap.h"
#include "net/resolver.h"

struct tls_client {
    SSL_CTX *ctx;
};

static const unsigned char alpn_offer[] = "\x02h2";

static int failed(struct fail *f, const char *what, const char *path)
{
    char reason[160] = "no reason given";
    unsigned long e = ERR_peek_last_error();

    if (e != 0)
        ERR_error_string_n(e, reason, sizeof(reason));
    ERR_clear_error();
    fail_reason(f, CODE_FAILED_PRECONDITION, "tls", "%s '%s' cannot be used", what, path);
    return fail_detail(f, "%s", reason);
}

static int no_passphrase(char *buf UNUSED, int size UNUSED, int writing UNUSED, void *arg UNUSED)
{
    return 0;
}

static int load(SSL_CTX *ctx, const struct tls_client_config *config, struct fail *f)
{
    if (config->ca_file) {
        if (SSL_CTX_load_verify_file(ctx, config->ca_file) != 1)
            return failed(f, "TLS authority file", config->ca_file);
    } else if (SSL_CTX_set_default_verify_paths(ctx) != 1) {
        return failed(f, "TLS authorities", "of the system");
    }
    if (!config->cert_file)
        return 0;
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(ctx, config->cert_file) != 1)
        return failed(f, "TLS certificate file", config->cert_file);
    if (!config->key_file ||
        SSL_CTX_use_PrivateKey_file(ctx, config->key_file, SSL_FILETYPE_PEM) != 1)
        return failed(f, "TLS key file", config->key_file ? config->key_file : "");
    if (SSL_CTX_check_private_key(ctx) != 1)
        return failed(f, "TLS key does not belong to the certificate: key file", config->key_file);
    return 0;
}

int tls_client_new(const struct tls_client_config *config, struct tls_client **out, struct fail *f)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx)
        abort();
    SSL_CTX_set_min_proto_version(ctx,
                                  config->min_version == TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                 SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_alpn_protos(ctx, alpn_offer, sizeof(alpn_offer) - 1);
    SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20"); /* what HTTP/2 permits of 1.2 */
    if (load(ctx, config, f) < 0) {
        SSL_CTX_free(ctx);
        return -1;
    }

    struct tls_client *t = heap_new_type(struct tls_client);

    t->ctx = ctx;
    *out = t;
    return 0;
}

void tls_client_free(struct tls_client **t)
{
    if (!*t)
        return;
    SSL_CTX_free((*t)->ctx);
    free(*t);
    *t = NULL;
}

static bool set_host(SSL *ssl, struct str host)
{
    struct sockaddr_storage ignored;
    char z[RESOLVER_NAME_MAX + 1];

    if (host.len == 0 || host.len >= sizeof(z) || memchr(host.p, '\0', host.len))
        return false;
    memcpy(z, host.p, host.len);
    z[host.len] = '\0';
    if (resolver_parse(host, &ignored))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), z) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, z) == 1 && SSL_set_tlsext_host_name(ssl, z) == 1;
}

struct ssl_st *tls_client_begin(const struct tls_client *t, int fd, struct str host)
{
    SSL *ssl = SSL_new(t->ctx);

    if (!ssl || SSL_set_fd(ssl, fd) != 1 || !set_host(ssl, host)) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_connect_state(ssl);
    return ssl;
}
