/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL straight on the socket: no second copy of the bytes, no buffers of our own. */
#include "net/tls_conn.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/conn.h"

static ptrdiff_t outcome(struct conn *c, int rc)
{
    switch (SSL_get_error(c->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return CONN_AGAIN;
    case SSL_ERROR_ZERO_RETURN: return CONN_EOF;
    default: ERR_clear_error(); return CONN_BROKEN;
    }
}

static ptrdiff_t tls_read(struct conn *c, uint8_t *out, size_t cap)
{
    int n = SSL_read(c->ssl, out, (int)MIN(cap, INT_MAX));

    return n > 0 ? n : outcome(c, n);
}

static ptrdiff_t tls_write(struct conn *c, const uint8_t *data, size_t len)
{
    int n = SSL_write(c->ssl, data, (int)MIN(len, INT_MAX));

    if (n > 0)
        return n;

    ptrdiff_t why = outcome(c, n);

    return why == CONN_EOF ? CONN_BROKEN : why;
}

static void tls_shut(struct conn *c)
{
    if (SSL_shutdown(c->ssl) < 0)
        ERR_clear_error();
    transport_plain.shut(c);
}

static bool tls_has_pending(struct conn *c)
{
    return SSL_has_pending(c->ssl) == 1;
}

static const struct transport_ops transport_tls = {
    .read = tls_read,
    .write = tls_write,
    .shut = tls_shut,
    .has_pending = tls_has_pending,
};

int tls_conn_begin(struct conn *c)
{
    if (!c->host->tls)
        return -1;
    c->ssl = SSL_new(c->host->tls);
    if (!c->ssl || SSL_set_fd(c->ssl, c->watch.fd) != 1) {
        ERR_clear_error();
        return -1;
    }
    SSL_set_accept_state(c->ssl);
    return 0;
}

static void take_client_name(struct conn *c)
{
    X509 *cert = SSL_get1_peer_certificate(c->ssl);
    struct http_peer *info = &c->peer->info;

    if (!cert)
        return;
    if (SSL_get_verify_result(c->ssl) == X509_V_OK) {
        X509_NAME *name = X509_get_subject_name(cert);
        int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
        unsigned char *text = NULL;
        int len = -1;

        if (at >= 0)
            len =
                ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
        /* A name with a NUL in it, or too long to be told apart, is no name. */
        if (len > 0 && (size_t)len < sizeof(info->certificate_cn) &&
            !memchr(text, '\0', (size_t)len))
            memcpy(info->certificate_cn, text, (size_t)len);
        OPENSSL_free(text);
    }
    X509_free(cert);
}

enum tls_conn_verdict tls_conn_handshake(struct conn *c)
{
    ERR_clear_error();

    int rc = SSL_do_handshake(c->ssl);

    if (rc == 1) {
        c->io = &transport_tls;
        take_client_name(c);
        return TLS_CONN_DONE;
    }

    switch (SSL_get_error(c->ssl, rc)) {
    case SSL_ERROR_WANT_READ: return TLS_CONN_WANTS_READ;
    case SSL_ERROR_WANT_WRITE: return TLS_CONN_WANTS_WRITE;
    default: break;
    }

    unsigned long e = ERR_peek_error();

    ERR_clear_error();
    if (ERR_GET_LIB(e) == ERR_LIB_SSL &&
        (ERR_GET_REASON(e) == SSL_R_HTTP_REQUEST || ERR_GET_REASON(e) == SSL_R_HTTPS_PROXY_REQUEST))
        return TLS_CONN_IS_PLAIN;
    return TLS_CONN_FAILED;
}

bool tls_conn_is_h2(const struct conn *c)
{
    const unsigned char *proto;
    unsigned len;

    SSL_get0_alpn_selected(c->ssl, &proto, &len);
    return len == 2 && memcmp(proto, "h2", 2) == 0;
}

void tls_conn_refuse_plain(struct conn *c)
{
    struct str answer =
        STR("HTTP/1.1 400 Bad Request\r\nServer: muster\r\nConnection: close\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 33\r\n\r\n"
            "this port speaks HTTPS, not HTTP\n");

    conn_write(c, answer.p, answer.len);
}

void tls_conn_free(struct conn *c)
{
    SSL_free(c->ssl);
    c->ssl = NULL;
}
