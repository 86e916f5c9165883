/* SPDX-License-Identifier: Apache-2.0 */
/* The socket's side: connecting, the TLS handshake, bytes in and out, the end. */
#include "net/http2_link.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/heap.h"

#define READ_BYTES   32768 /* holds a whole TLS record, so that none stays behind in OpenSSL */
#define READS_A_TURN 16
#define OUT_BYTES    65536
#define OUT_MAX      (4 * OUT_BYTES)

enum io {
    IO_AGAIN = -1,
    IO_END = -2, /* the link is doomed */
};

static struct loop *loop_of(const struct http2_link *l)
{
    return http2_client_options_of(l->client)->loop;
}

static void settle(struct http2_link *l);

/* -- TLS --------------------------------------------------------------------------------------- */

static const char *tls_reason(struct http2_link *l)
{
    long verdict = SSL_get_verify_result(l->ssl);
    const char *text;

    if (verdict != X509_V_OK)
        return X509_verify_cert_error_string(verdict);
    text = ERR_reason_error_string(ERR_peek_error());
    return text ? text : "the other side closed it";
}

static void greet(struct http2_link *l)
{
    l->state = HTTP2_LINK_GREETING;
    http2_link_greet(l);
}

static void handshake(struct http2_link *l)
{
    const unsigned char *proto;
    unsigned len;
    int rc;

    ERR_clear_error();
    rc = SSL_do_handshake(l->ssl);
    if (rc == 1) {
        SSL_get0_alpn_selected(l->ssl, &proto, &len);
        if (len != 2 || proto[0] != 'h' || proto[1] != '2')
            http2_link_doom(l, "tls", "the other side does not speak HTTP/2 over TLS");
        else
            greet(l);
        return;
    }
    switch (SSL_get_error(l->ssl, rc)) {
    case SSL_ERROR_WANT_READ: loop_rewatch(loop_of(l), &l->watch, EPOLLIN); break;
    case SSL_ERROR_WANT_WRITE: loop_rewatch(loop_of(l), &l->watch, EPOLLOUT); break;
    default: http2_link_doom(l, "tls", "no TLS connection: %s", tls_reason(l)); ERR_clear_error();
    }
}

static void secure(struct http2_link *l)
{
    const struct http2_client_options *o = http2_client_options_of(l->client);

    l->ssl = tls_client_begin(o->tls, l->watch.fd, o->host);
    if (!l->ssl) {
        http2_link_doom(l, "tls", "this name cannot be used with TLS");
        return;
    }
    l->state = HTTP2_LINK_SECURING;
    handshake(l);
}

static void connected(struct http2_link *l)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(l->watch.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (error != 0)
        http2_link_doom(l, "connect", "no connection: %s", strerrordesc_np(error));
    else if (http2_client_options_of(l->client)->tls)
        secure(l);
    else
        greet(l);
}

/* -- bytes ------------------------------------------------------------------------------------- */

static ptrdiff_t tls_failed(struct http2_link *l, int rc)
{
    switch (SSL_get_error(l->ssl, rc)) {
    case SSL_ERROR_WANT_WRITE: l->ssl_wants_write = true; return IO_AGAIN;
    case SSL_ERROR_WANT_READ: return IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN: http2_link_doom(l, "broken", "the other side closed"); break;
    default: http2_link_doom(l, "broken", "the connection broke: %s", tls_reason(l));
    }
    ERR_clear_error();
    return IO_END;
}

static ptrdiff_t socket_failed(struct http2_link *l, ssize_t n)
{
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return IO_AGAIN;
    if (n < 0)
        http2_link_doom(l, "broken", "the connection broke: %s", strerrordesc_np(errno));
    else
        http2_link_doom(l, "broken", "the other side closed the connection");
    return IO_END;
}

static ptrdiff_t receive(struct http2_link *l, uint8_t *data, size_t cap)
{
    if (l->ssl) {
        int n = SSL_read(l->ssl, data, (int)cap);

        return n > 0 ? n : tls_failed(l, n);
    }

    ssize_t n = recv(l->watch.fd, data, cap, 0);

    return n > 0 ? n : socket_failed(l, n);
}

static ptrdiff_t transmit(struct http2_link *l, const uint8_t *data, size_t len)
{
    if (l->ssl) {
        int n = SSL_write(l->ssl, data, (int)len);

        return n > 0 ? n : tls_failed(l, n);
    }

    ssize_t n = send(l->watch.fd, data, len, MSG_NOSIGNAL);

    return n > 0 ? n : socket_failed(l, n);
}

static void feed(struct http2_link *l)
{
    uint8_t data[READ_BYTES];

    for (unsigned i = 0; i < READS_A_TURN && !l->doomed; i++) {
        ptrdiff_t n = receive(l, data, sizeof(data));

        if (n < 0)
            return;
        l->heard_us = loop_now_us(loop_of(l));
        l->ping_us = 0;

        ssize_t used = nghttp2_session_mem_recv(l->session, data, (size_t)n);

        if (used < 0)
            http2_link_doom(l, "bad_answer", "the other side does not speak HTTP/2: %s",
                            nghttp2_strerror((int)used));
    }
}

static void fill(struct http2_link *l)
{
    if (l->out_at > 0) {
        buf_consume(&l->out, l->out_at);
        l->out_at = 0;
    }
    while (l->out.len < OUT_BYTES) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(l->session, &data);

        if (n < 0)
            http2_link_doom(l, "broken", "cannot send: %s", nghttp2_strerror((int)n));
        if (n <= 0)
            return;
        buf_put(&l->out, data, (size_t)n);
    }
}

static void flush(struct http2_link *l)
{
    for (;;) {
        fill(l);
        if (l->out.len == 0)
            return;

        ptrdiff_t n = transmit(l, l->out.data, l->out.len);

        if (n < 0)
            return;
        l->out_at = (size_t)n;
        if (l->out_at < l->out.len)
            continue;
        buf_clear(&l->out);
        l->out_at = 0;
    }
}

/* -- turns ------------------------------------------------------------------------------------- */

static void on_event(struct loop_watch *w, uint32_t events)
{
    struct http2_link *l = CONTAINER_OF(w, struct http2_link, watch);

    l->busy = true;
    l->ssl_wants_write = false;
    switch (l->state) {
    case HTTP2_LINK_CONNECTING: connected(l); break;
    case HTTP2_LINK_SECURING: handshake(l); break;
    case HTTP2_LINK_GREETING:
    case HTTP2_LINK_OPEN:
    case HTTP2_LINK_LEAVING:
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))
            feed(l);
        break;
    case HTTP2_LINK_DEAD: break;
    }
    settle(l);
}

static void say_ended(struct http2_link *l)
{
    if (l->state == HTTP2_LINK_GREETING)
        http2_link_doom(l, "bad_answer", "the other side does not speak HTTP/2");
    else
        http2_link_doom(l, "broken", "the other side ended the connection");
}

/* Ends a turn's work: what is to go out goes out, what is to die dies. */
static void settle(struct http2_link *l)
{
    l->busy = true;
    if (l->session)
        flush(l);
    if (!l->doomed && l->session && l->out.len == 0 && !nghttp2_session_want_read(l->session) &&
        !nghttp2_session_want_write(l->session))
        say_ended(l);
    l->busy = false;
    if (l->state == HTTP2_LINK_DEAD)
        return;
    if (l->doomed) {
        struct fail why = l->why;

        http2_link_kill(l, &why);
        return;
    }
    if (!l->session)
        return;
    loop_rewatch(loop_of(l), &l->watch,
                 EPOLLIN | (l->out.len > 0 || l->ssl_wants_write ? EPOLLOUT : 0u));
    /* A callback of the last frame may have asked for more. */
    if (l->out.len == 0 && nghttp2_session_want_write(l->session))
        http2_link_poke(l);
}

static void link_done(struct http2_link *l)
{
    SSL_free(l->ssl);
    buf_done(&l->out);
    free(l);
}

static void on_task(struct loop_task *t)
{
    struct http2_link *l = CONTAINER_OF(t, struct http2_link, task);

    l->posted = false;
    if (l->state == HTTP2_LINK_DEAD)
        link_done(l);
    else
        settle(l);
}

/* Something is to be sent, or the link to be freed. */
void http2_link_poke(struct http2_link *l)
{
    if (l->busy || l->posted)
        return;
    l->posted = true;
    loop_post(loop_of(l), &l->task);
}

int http2_link_doom(struct http2_link *l, const char *reason, const char *fmt, ...)
{
    char text[sizeof(l->why.detail)];
    va_list args;

    if (l->doomed)
        return -1;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    l->doomed = true;
    return fail_reason(&l->why, CODE_UNAVAILABLE, reason, "%.100s: %.140s",
                       http2_client_authority(l->client).p, text);
}

static int open_socket(const struct sockaddr_storage *to, struct fail *f)
{
    socklen_t len =
        to->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd == -1)
        return fail_reason(f, CODE_UNAVAILABLE, "connect", "no socket: %s", strerrordesc_np(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (const struct sockaddr *)to, len) == 0 || errno == EINPROGRESS)
        return fd;
    fail_reason(f, CODE_UNAVAILABLE, "connect", "no connection: %s", strerrordesc_np(errno));
    close(fd);
    return -1;
}

struct http2_link *http2_link_new(struct http2_client *c, const struct sockaddr_storage *to,
                                  struct fail *f)
{
    int fd = open_socket(to, f);
    struct http2_link *l;

    if (fd == -1)
        return NULL;
    l = heap_new_type(struct http2_link);
    l->client = c;
    l->address = *to;
    l->watch = (struct loop_watch){.fn = on_event, .fd = fd};
    l->task.fn = on_task;
    http2_list_init(&l->streams);
    buf_init(&l->out, OUT_MAX);
    if (loop_watch(loop_of(l), &l->watch, EPOLLOUT) == 0)
        return l;
    fail_reason(f, CODE_UNAVAILABLE, "connect", "cannot watch the socket");
    close(fd);
    link_done(l);
    return NULL;
}

static void end_streams(struct http2_link *l, const struct fail *why)
{
    struct http2_client *c = l->client;
    bool closing = why->code == CODE_CANCELED;

    while (l->streams.first) {
        struct http2_request *r = l->streams.first;

        http2_list_remove(r);
        r->link = NULL;
        if (!closing && !r->head_sent) {
            http2_client_again(c, r, why);
            continue;
        }
        r->client = NULL;
        r->ops->end(r, closing ? HTTP2_END_CLOSING : HTTP2_END_LOST, why);
    }
}

void http2_link_kill(struct http2_link *l, const struct fail *why)
{
    struct loop *loop = loop_of(l);
    struct fail f = *why;

    assert(!l->busy);
    if (l->state == HTTP2_LINK_DEAD)
        return;
    l->state = HTTP2_LINK_DEAD;
    loop_timer_clear(loop, &l->timer);
    loop_unwatch(loop, &l->watch);
    if (l->ssl && SSL_is_init_finished(l->ssl) && SSL_shutdown(l->ssl) < 0)
        ERR_clear_error();
    close(l->watch.fd);
    nghttp2_session_del(l->session);
    l->session = NULL;
    http2_link_poke(l);
    http2_client_link_gone(l->client, l, &f);
    end_streams(l, &f);
}
