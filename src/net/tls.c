/* SPDX-License-Identifier: Apache-2.0 */
/* Loads certificate, key and authorities into one context, or says which file is at fault. */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/heap.h"
#include "net/tls_conn.h"

struct tls {
    SSL_CTX *ctx;
};

/* In our order of preference. */
static const unsigned char alpn_offer[] = "\x02h2\x08http/1.1";

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    unsigned char *chosen;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, alpn_offer, sizeof(alpn_offer) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int failed(struct fail *f, const char *what, const char *path)
{
    char reason[160] = "no reason given";
    unsigned long e = ERR_peek_last_error();

    if (e != 0)
        ERR_error_string_n(e, reason, sizeof(reason));
    ERR_clear_error();
    fail_set(f, CODE_FAILED_PRECONDITION, "%s '%s' cannot be used", what, path);
    return fail_detail(f, "%s", reason);
}

/* Answers the question for a passphrase with none, instead of asking the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return 0;
}

static int load_identity(SSL_CTX *ctx, const struct tls_config *config, struct fail *f)
{
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(ctx, config->cert_file) != 1)
        return failed(f, "TLS certificate file", config->cert_file);
    if (SSL_CTX_use_PrivateKey_file(ctx, config->key_file, SSL_FILETYPE_PEM) != 1)
        return failed(f, "TLS key file", config->key_file);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return failed(f, "TLS key does not belong to the certificate: key file", config->key_file);
    return 0;
}

static int load_authorities(SSL_CTX *ctx, const struct tls_config *config, struct fail *f)
{
    int mode = SSL_VERIFY_PEER;
    static const unsigned char session_context[] = "muster";

    if (config->client_cert == TLS_CLIENT_CERT_NONE)
        return 0;
    if (!config->ca_file)
        return fail_set(f, CODE_INVALID_ARGUMENT,
                        "client certificates need a file of authorities to verify them");
    if (SSL_CTX_load_verify_file(ctx, config->ca_file) != 1)
        return failed(f, "TLS authority file", config->ca_file);

    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(config->ca_file);

    if (!names)
        return failed(f, "TLS authority file", config->ca_file);
    SSL_CTX_set_client_CA_list(ctx, names);
    if (config->client_cert == TLS_CLIENT_CERT_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ctx, mode, NULL);
    SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1);
    return 0;
}

static void set_options(SSL_CTX *ctx, enum tls_version min)
{
    SSL_CTX_set_min_proto_version(ctx, min == TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                 SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets keep the state */
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    /* TLS 1.2: forward secrecy and AEAD only, the suites that HTTP/2 does not forbid. */
    SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20");
}

int tls_new(const struct tls_config *config, struct tls **out, struct fail *f)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (!ctx)
        abort();
    set_options(ctx, config->min_version);
    if (load_identity(ctx, config, f) < 0 || load_authorities(ctx, config, f) < 0) {
        SSL_CTX_free(ctx);
        return -1;
    }

    struct tls *t = heap_new_type(struct tls);

    t->ctx = ctx;
    *out = t;
    return 0;
}

void tls_free(struct tls **t)
{
    if (!*t)
        return;
    SSL_CTX_free((*t)->ctx);
    free(*t);
    *t = NULL;
}

struct ssl_ctx_st *tls_context(const struct tls *t)
{
    SSL_CTX_up_ref(t->ctx);
    return t->ctx;
}
