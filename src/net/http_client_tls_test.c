/* SPDX-License-Identifier: Apache-2.0 */
/* The client against a TLS server on the loopback, one connection at a time in a thread of its own,
 * with certificates made for the run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/heap.h"
#include "net/http_client.h"

/* What runs outside the test's own thread may not use cmocka's assertions. */
#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

struct pair {
    EVP_PKEY *key;
    X509 *cert;
    char cert_path[32];
    char key_path[32];
};

struct server {
    pthread_t thread;
    SSL_CTX *tls; /* NULL: answers in clear text */
    int listener;
    uint16_t port;
    bool h2; /* choose it when it is offered */
    bool h2_offered;
};

struct ground {
    struct pair pair;
    struct server server;
    struct clock *clock;
    struct http_client *client;
    struct arena *arena;
};

/* -- certificates ------------------------------------------------------------------------------ */

static FILE *temporary(char *path)
{
    int fd;

    strncpy(path, "/tmp/muster-test-XXXXXX", 32);
    fd = mkstemp(path);
    NEED(fd >= 0);
    return fdopen(fd, "w");
}

static struct pair pair_new(const char *names)
{
    struct pair p = {.key = EVP_EC_gen("P-256"), .cert = X509_new()};
    X509_NAME *subject = X509_get_subject_name(p.cert);
    X509_EXTENSION *alt = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    FILE *file;

    NEED(p.key && alt);
    X509_set_version(p.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(p.cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(p.cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(p.cert), 3600);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"muster", -1, -1,
                               0);
    X509_set_issuer_name(p.cert, subject);
    X509_set_pubkey(p.cert, p.key);
    X509_add_ext(p.cert, alt, -1);
    X509_EXTENSION_free(alt);
    NEED(X509_sign(p.cert, p.key, EVP_sha256()) > 0);
    file = temporary(p.cert_path);
    NEED(PEM_write_X509(file, p.cert) == 1 && fclose(file) == 0);
    file = temporary(p.key_path);
    NEED(PEM_write_PrivateKey(file, p.key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(file) == 0);
    return p;
}

static void pair_done(struct pair *p)
{
    unlink(p->cert_path);
    unlink(p->key_path);
    EVP_PKEY_free(p->key);
    X509_free(p->cert);
}

/* -- the server -------------------------------------------------------------------------------- */

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    struct server *s = arg;

    (void)ssl;
    s->h2_offered = memmem(in, in_len, "\x02h2", 3) != NULL;
    if (!s->h2 || !s->h2_offered)
        return SSL_TLSEXT_ERR_NOACK;
    *out = (const unsigned char *)"h2";
    *out_len = 2;
    return SSL_TLSEXT_ERR_OK;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    nghttp2_nv status = {.name = (uint8_t *)(uintptr_t) ":status",
                         .value = (uint8_t *)(uintptr_t) "204",
                         .namelen = 7,
                         .valuelen = 3};

    (void)arg;
    if (frame->hd.type == NGHTTP2_HEADERS)
        NEED(nghttp2_submit_response(session, frame->hd.stream_id, &status, 1, NULL) == 0);
    return 0;
}

static void serve_h2(SSL *ssl)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    uint8_t in[4096];
    int n = 0;

    NEED(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    NEED(nghttp2_session_server_new(&session, callbacks, NULL) == 0);
    NEED(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0) == 0);
    do {
        const uint8_t *out;
        ssize_t len;

        if (nghttp2_session_mem_recv(session, in, (size_t)n) < 0)
            break;
        while ((len = nghttp2_session_mem_send(session, &out)) > 0)
            if (SSL_write(ssl, out, (int)len) <= 0)
                break;
        n = SSL_read(ssl, in, sizeof(in));
    } while (n > 0);
    nghttp2_session_del(session);
    nghttp2_session_callbacks_del(callbacks);
}

static void serve_h1(SSL *ssl)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    char in[4096];
    size_t len = 0;
    int n;

    while (len < sizeof(in) && (n = SSL_read(ssl, in + len, (int)(sizeof(in) - len))) > 0) {
        len += (size_t)n;
        if (len >= 4 && memcmp(in + len - 4, "\r\n\r\n", 4) == 0) {
            SSL_write(ssl, answer, sizeof(answer) - 1);
            len = 0;
        }
    }
}

static void serve_tls(struct server *s, int fd)
{
    SSL *ssl = SSL_new(s->tls);
    const unsigned char *chosen;
    unsigned len;

    NEED(ssl && SSL_set_fd(ssl, fd) == 1);
    if (SSL_accept(ssl) == 1) {
        SSL_get0_alpn_selected(ssl, &chosen, &len);
        if (len == 2)
            serve_h2(ssl);
        else
            serve_h1(ssl);
    }
    SSL_free(ssl);
}

static void *server_run(void *arg)
{
    struct server *s = arg;
    int fd;

    while ((fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        if (s->tls)
            serve_tls(s, fd);
        else if (send(fd, "HTTP/1.0 400 Bad\r\n\r\n", 20, MSG_NOSIGNAL) == 20)
            shutdown(fd, SHUT_WR);
        close(fd);
    }
    return NULL;
}

static void server_start(struct server *s, const struct pair *p)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);

    if (p) {
        s->tls = SSL_CTX_new(TLS_server_method());
        NEED(s->tls && SSL_CTX_use_certificate(s->tls, p->cert) == 1);
        NEED(SSL_CTX_use_PrivateKey(s->tls, p->key) == 1);
        SSL_CTX_set_alpn_select_cb(s->tls, choose_protocol, s);
    }
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    NEED(bind(s->listener, (struct sockaddr *)(void *)&in, len) == 0);
    NEED(getsockname(s->listener, (struct sockaddr *)(void *)&in, &len) == 0);
    NEED(listen(s->listener, 16) == 0);
    s->port = ntohs(in.sin_port);
}

static void server_go(struct server *s)
{
    NEED(pthread_create(&s->thread, NULL, server_run, s) == 0);
}

static void server_stop(struct server *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    SSL_CTX_free(s->tls);
}

/* -- the tests' ground ------------------------------------------------------------------------- */

static struct ground *ground_new(const char *names)
{
    struct ground *g = heap_new_type(struct ground);
    struct http_client_options o = {.pending_max = 8};
    struct allow_list *l = allow_list_new();
    struct fail f;

    g->pair = pair_new(names);
    g->clock = clock_new_real();
    g->arena = arena_new(4096);
    o.clock = g->clock;
    assert_int_equal(allow_list_add(l, STR("127.0.0.1"), &f), 0);
    assert_int_equal(http_client_new(&o, &l, &g->client, &f), 0);
    return g;
}

/* The client first: its kept connections are what the server's thread reads from. */
static void ground_free(struct ground *g)
{
    http_client_free(&g->client);
    server_stop(&g->server);
    pair_done(&g->pair);
    arena_free(&g->arena);
    clock_free(&g->clock);
    free(g);
}

static int fetch(struct ground *g, const struct http_client_tls *tls, struct http_fetch *x,
                 struct fail *f)
{
    *x = (struct http_fetch){.arena = g->arena, .tls = tls};
    x->url = arena_printf(g->arena, "https://127.0.0.1:%u/", g->server.port);
    return http_client_fetch(g->client, x, f);
}

static void a_server_signed_by_the_given_authority_is_trusted(void **state)
{
    struct ground *g = ground_new("IP:127.0.0.1");
    struct http_client_tls tls = {.ca_file = g->pair.cert_path};
    struct http_fetch x;
    struct fail f;

    (void)state;
    server_start(&g->server, &g->pair);
    server_go(&g->server);
    if (fetch(g, &tls, &x, &f) < 0)
        fail_msg("%s", f.detail);
    assert_int_equal(x.status, 200);
    assert_true(str_eq(x.answer, STR("ok")));
    ground_free(g);
}

static void a_server_signed_by_somebody_else_is_refused(void **state)
{
    struct ground *g = ground_new("IP:127.0.0.1");
    struct http_fetch x;
    struct fail f;

    (void)state;
    server_start(&g->server, &g->pair);
    server_go(&g->server);
    assert_int_equal(fetch(g, NULL, &x, &f), -1);
    assert_int_equal(f.code, CODE_UNAVAILABLE);
    assert_string_equal(f.reason, "tls");
    ground_free(g);
}

static void a_certificate_for_another_name_is_refused(void **state)
{
    struct ground *g = ground_new("DNS:other.example,IP:127.0.0.2");
    struct http_client_tls tls = {.ca_file = g->pair.cert_path};
    struct http_fetch x;
    struct fail f;

    (void)state;
    server_start(&g->server, &g->pair);
    server_go(&g->server);
    assert_int_equal(fetch(g, &tls, &x, &f), -1);
    assert_int_equal(f.code, CODE_UNAVAILABLE);
    assert_string_equal(f.reason, "tls");
    ground_free(g);
}

static void a_server_that_speaks_no_tls_is_a_tls_failure(void **state)
{
    struct ground *g = ground_new("IP:127.0.0.1");
    struct http_fetch x;
    struct fail f;

    (void)state;
    server_start(&g->server, NULL);
    server_go(&g->server);
    assert_int_equal(fetch(g, NULL, &x, &f), -1);
    assert_int_equal(f.code, CODE_UNAVAILABLE);
    assert_string_equal(f.reason, "tls");
    ground_free(g);
}

static void an_authority_file_that_is_not_there_is_a_tls_failure(void **state)
{
    struct ground *g = ground_new("IP:127.0.0.1");
    struct http_client_tls tls = {.ca_file = "/nonexistent/ca.pem"};
    struct http_fetch x;
    struct fail f;

    (void)state;
    server_start(&g->server, &g->pair);
    server_go(&g->server);
    assert_int_equal(fetch(g, &tls, &x, &f), -1);
    assert_int_equal(f.code, CODE_UNAVAILABLE);
    assert_string_equal(f.reason, "tls");
    ground_free(g);
}

static void our_certificate_is_shown_when_asked_for(void **state)
{
    struct ground *g = ground_new("IP:127.0.0.1");
    struct http_client_tls with = {g->pair.cert_path, g->pair.cert_path, g->pair.key_path};
    struct http_client_tls without = {.ca_file = g->pair.cert_path};
    struct http_fetch x;
    struct fail f;

    (void)state;
    server_start(&g->server, &g->pair);
    SSL_CTX_set_verify(g->server.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    assert_int_equal(SSL_CTX_load_verify_file(g->server.tls, g->pair.cert_path), 1);
    server_go(&g->server);
    assert_int_equal(fetch(g, &without, &x, &f), -1);
    assert_int_equal(f.code, CODE_UNAVAILABLE);
    if (fetch(g, &with, &x, &f) < 0)
        fail_msg("%s", f.detail);
    assert_int_equal(x.status, 200);
    ground_free(g);
}

static void http2_is_taken_where_tls_offers_it(void **state)
{
    struct ground *g = ground_new("IP:127.0.0.1");
    struct http_client_tls tls = {.ca_file = g->pair.cert_path};
    struct http_fetch x;
    struct fail f;

    (void)state;
    server_start(&g->server, &g->pair);
    g->server.h2 = true;
    server_go(&g->server);
    for (int i = 0; i < 3; i++) {
        if (fetch(g, &tls, &x, &f) < 0)
            fail_msg("%s", f.detail);
        assert_int_equal(x.status, 204); /* only the HTTP/2 half of the server says so */
    }
    ground_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_signed_by_the_given_authority_is_trusted),
        cmocka_unit_test(a_server_signed_by_somebody_else_is_refused),
        cmocka_unit_test(a_certificate_for_another_name_is_refused),
        cmocka_unit_test(a_server_that_speaks_no_tls_is_a_tls_failure),
        cmocka_unit_test(an_authority_file_that_is_not_there_is_a_tls_failure),
        cmocka_unit_test(our_certificate_is_shown_when_asked_for),
        cmocka_unit_test(http2_is_taken_where_tls_offers_it),
    };

    signal(SIGPIPE, SIG_IGN); /* OpenSSL's writes in the server's thread */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
