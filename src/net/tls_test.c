/* SPDX-License-Identifier: Apache-2.0 */
/* TLS listeners: loading certificates, ALPN, reload, clients that speak plain HTTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/test_server.h"

struct fixture {
    char dir[64];
    char cert[96];
    char key[96];
    char other_cert[96];
    char other_key[96];
};

static void make_identity(const char *name, const char *cert_path, const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    FILE *file;

    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_set_version(cert, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);

    file = fopen(cert_path, "w");
    assert_non_null(file);
    PEM_write_X509(file, cert);
    fclose(file);
    file = fopen(key_path, "w");
    assert_non_null(file);
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static int set_up(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    snprintf(x->dir, sizeof(x->dir), "/tmp/muster-tls-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    snprintf(x->cert, sizeof(x->cert), "%s/cert", x->dir);
    snprintf(x->key, sizeof(x->key), "%s/key", x->dir);
    snprintf(x->other_cert, sizeof(x->other_cert), "%s/cert2", x->dir);
    snprintf(x->other_key, sizeof(x->other_key), "%s/key2", x->dir);
    make_identity("first", x->cert, x->key);
    make_identity("second", x->other_cert, x->other_key);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    unlink(x->cert);
    unlink(x->key);
    unlink(x->other_cert);
    unlink(x->other_key);
    rmdir(x->dir);
    free(x);
    return 0;
}

static struct tls *load(const char *cert, const char *key, const char *ca,
                        enum tls_client_cert client)
{
    const struct tls_config config = {
        .cert_file = cert, .key_file = key, .ca_file = ca, .client_cert = client};
    struct tls *t = NULL;
    struct fail f;

    assert_int_equal(tls_new(&config, &t, &f), 0);
    return t;
}

/* A client's session; NULL when the handshake fails. */
struct session {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

static bool begin(struct session *c, const struct test_server *s, const char *alpn,
                  const struct fixture *identity)
{
    c->ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_alpn_protos(c->ctx, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    if (identity) {
        SSL_CTX_use_certificate_chain_file(c->ctx, identity->other_cert);
        SSL_CTX_use_PrivateKey_file(c->ctx, identity->other_key, SSL_FILETYPE_PEM);
    }
    c->fd = test_server_connect(s);
    c->ssl = SSL_new(c->ctx);
    SSL_set_fd(c->ssl, c->fd);
    return SSL_connect(c->ssl) == 1;
}

static void end(struct session *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    close(c->fd);
}

static bool peer_is(const struct session *c, const char *name)
{
    X509 *cert = SSL_get1_peer_certificate(c->ssl);
    char text[64] = "";

    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, text, sizeof(text));
    X509_free(cert);
    return strcmp(text, name) == 0;
}

static bool alpn_is(const struct session *c, const char *name)
{
    const unsigned char *p;
    unsigned len;

    SSL_get0_alpn_selected(c->ssl, &p, &len);
    return len == strlen(name) && memcmp(p, name, len) == 0;
}

/* Asks and reads until the connection ends. */
static struct buf ask(struct session *c, const char *text)
{
    struct buf b;
    uint8_t bytes[4096];
    int n;

    buf_init(&b, 1 << 20);
    assert_int_equal(SSL_write(c->ssl, text, (int)strlen(text)), (int)strlen(text));
    while ((n = SSL_read(c->ssl, bytes, sizeof(bytes))) > 0)
        buf_put(&b, bytes, (size_t)n);
    buf_put_byte(&b, 0);
    return b;
}

#define PEER_REQUEST "GET /peer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

static void request_over_tls_is_answered_and_closed_cleanly(void **state)
{
    struct fixture *x = *state;
    struct tls *t = load(x->cert, x->key, NULL, TLS_CLIENT_CERT_NONE);
    struct test_server s;
    struct session c;

    test_server_start(&s, NULL, "tls://127.0.0.1:0", t);
    assert_true(begin(&c, &s, "\x08http/1.1", NULL));
    assert_true(alpn_is(&c, "http/1.1"));

    struct buf b = ask(&c, PEER_REQUEST);

    assert_true(test_has(&b, "127.0.0.1 tls=1 admin=0 cn= version=11"));
    assert_int_equal(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    buf_done(&b);
    end(&c);
    test_server_stop(&s);
    tls_free(&t);
}

static void alpn_prefers_http2_and_refuses_what_is_unknown(void **state)
{
    struct fixture *x = *state;
    struct tls *t = load(x->cert, x->key, NULL, TLS_CLIENT_CERT_NONE);
    struct test_server s;
    struct session c;

    test_server_start(&s, NULL, "tls://127.0.0.1:0", t);
    assert_true(begin(&c, &s, "\x08http/1.1\x02h2", NULL));
    assert_true(alpn_is(&c, "h2"));
    end(&c);
    assert_false(begin(&c, &s, "\x03irc", NULL));
    end(&c);
    test_server_stop(&s);
    tls_free(&t);
}

static void reload_changes_the_certificate_of_new_connections(void **state)
{
    struct fixture *x = *state;
    struct tls *t = load(x->cert, x->key, NULL, TLS_CLIENT_CERT_NONE);
    struct tls *next = load(x->other_cert, x->other_key, NULL, TLS_CLIENT_CERT_NONE);
    struct test_server s;
    struct session before, after;

    test_server_start(&s, NULL, "tls://127.0.0.1:0", t);
    assert_true(begin(&before, &s, "\x08http/1.1", NULL));
    httpd_set_tls(s.httpd, next);
    tls_free(&t);
    tls_free(&next);

    /* The change was posted before: the loop comes to it before a connection made after. */
    struct buf b = ask(&before, PEER_REQUEST);

    assert_true(test_has(&b, "200 OK"));
    buf_done(&b);
    assert_true(begin(&after, &s, "\x08http/1.1", NULL));
    assert_true(peer_is(&before, "first"));
    assert_true(peer_is(&after, "second"));
    end(&before);
    end(&after);
    test_server_stop(&s);
}

static void verified_client_certificate_gives_a_name(void **state)
{
    struct fixture *x = *state;
    struct tls *t = load(x->cert, x->key, x->other_cert, TLS_CLIENT_CERT_OPTIONAL);
    struct test_server s;
    struct session c;

    test_server_start(&s, NULL, "tls://127.0.0.1:0", t);
    assert_true(begin(&c, &s, "\x08http/1.1", x));

    struct buf b = ask(&c, PEER_REQUEST);

    assert_true(test_has(&b, "cn=second "));
    buf_done(&b);
    end(&c);
    assert_true(begin(&c, &s, "\x08http/1.1", NULL));
    b = ask(&c, PEER_REQUEST);
    assert_true(test_has(&b, "cn= "));
    buf_done(&b);
    end(&c);
    test_server_stop(&s);
    tls_free(&t);
}

static void missing_client_certificate_is_refused_when_required(void **state)
{
    struct fixture *x = *state;
    struct tls *t = load(x->cert, x->key, x->other_cert, TLS_CLIENT_CERT_REQUIRED);
    struct test_server s;
    struct session c;
    char byte;

    test_server_start(&s, NULL, "tls://127.0.0.1:0", t);
    /* In TLS 1.3 the client's handshake ends before the server's verdict. */
    if (begin(&c, &s, "\x08http/1.1", NULL))
        assert_true(SSL_read(c.ssl, &byte, 1) <= 0);
    end(&c);
    test_server_await(&s, "muster_connections_closed_total", "reason=\"tls_error\"", 1);
    assert_int_equal(test_service_count(s.service, TEST_HEAD), 0);
    test_server_stop(&s);
    tls_free(&t);
}

static void plain_http_on_a_tls_port_is_told_so(void **state)
{
    struct fixture *x = *state;
    struct tls *t = load(x->cert, x->key, NULL, TLS_CLIENT_CERT_NONE);
    struct test_server s;
    int fd;

    test_server_start(&s, NULL, "tls://127.0.0.1:0", t);
    fd = test_server_connect(&s);

    struct buf b = test_ask(fd, PEER_REQUEST, NULL);

    assert_true(test_has(&b, "HTTP/1.1 400 Bad Request"));
    assert_true(test_has(&b, "this port speaks HTTPS"));
    buf_done(&b);
    close(fd);
    test_server_stop(&s);
    tls_free(&t);
}

static void silent_handshake_is_given_up(void **state)
{
    struct fixture *x = *state;
    struct tls *t = load(x->cert, x->key, NULL, TLS_CLIENT_CERT_NONE);
    struct test_server s;
    int fd;

    test_server_start(&s, NULL, "tls://127.0.0.1:0", t);
    fd = test_server_connect(&s);
    test_server_await(&s, "muster_connections_accepted_total", "", 1);
    test_server_advance(&s, 11000);

    struct buf b = test_receive(fd, NULL);

    assert_int_equal(b.len, 0);
    buf_done(&b);
    close(fd);
    test_server_stop(&s);
    tls_free(&t);
}

static void unusable_files_are_named(void **state)
{
    struct fixture *x = *state;
    const struct tls_config rows[] = {
        {.cert_file = "/nonexistent/c", .key_file = x->key},
        {.cert_file = x->cert, .key_file = "/nonexistent/k"},
        {.cert_file = x->cert, .key_file = x->other_key},
        {.cert_file = x->cert, .key_file = x->cert},
        {.cert_file = x->cert,
         .key_file = x->key,
         .ca_file = "/nonexistent/a",
         .client_cert = TLS_CLIENT_CERT_OPTIONAL},
        {.cert_file = x->cert, .key_file = x->key, .client_cert = TLS_CLIENT_CERT_REQUIRED},
    };
    static const char *const named[] = {"/nonexistent/c", "/nonexistent/k", "key2",
                                        "cert",           "/nonexistent/a", "authorities"};

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct tls *t = NULL;
        struct fail f;

        assert_int_equal(tls_new(&rows[i], &t, &f), -1);
        assert_null(t);
        assert_non_null(strstr(f.message, named[i]));
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(request_over_tls_is_answered_and_closed_cleanly),
        TEST(alpn_prefers_http2_and_refuses_what_is_unknown),
        TEST(reload_changes_the_certificate_of_new_connections),
        TEST(verified_client_certificate_gives_a_name),
        TEST(missing_client_certificate_is_refused_when_required),
        TEST(plain_http_on_a_tls_port_is_told_so),
        TEST(silent_handshake_is_given_up),
        TEST(unusable_files_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
