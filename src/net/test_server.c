/* SPDX-License-Identifier: Apache-2.0 */
/* The server that tests talk to over sockets. */
#include "net/test_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"

static void die(const char *what)
{
    perror(what);
    abort();
}

void test_server_start(struct test_server *s, const struct http_limits *limits,
                       const char *listener, const struct tls *tls)
{
    struct fail f;
    const char *const listeners[] = {listener ? listener : "127.0.0.1:0"};

    *s = (struct test_server){
        .clock = clock_new_manual(INT64_C(1700000000000000), 1000000),
        .metrics = metrics_new(),
        .service = test_service_new(),
    };
    s->logger = logger_new(2, LOGFORMAT_LOGFMT, LOGLEVEL_OFF, s->clock);
    s->log = (struct log){.out = s->logger};

    struct httpd_config config = {
        .service = test_service_http(s->service),
        .clock = s->clock,
        .log = &s->log,
        .metrics = s->metrics,
        .tls = tls,
        .listeners = listeners,
        .listener_count = 1,
        .loops = 1,
    };

    http_limits_default(&config.limits);
    if (limits)
        config.limits = *limits;
    if (httpd_new(&config, &s->httpd, &f) < 0 || httpd_start(s->httpd, &f) < 0)
        die(f.message);
}

void test_server_stop(struct test_server *s)
{
    httpd_free(&s->httpd);
    test_service_free(&s->service);
    metrics_free(&s->metrics);
    logger_free(&s->logger);
    clock_free(&s->clock);
}

int test_server_connect(const struct test_server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    /* Only so that a broken server makes a test fail and not hang. */
    const struct timeval patience = {.tv_sec = 30};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_port = htons(httpd_port(s->httpd, 0));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1)
        die("connect");
    return fd;
}

void test_send_bytes(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

        if (n == -1)
            return; /* the server has closed; the test sees that when it reads */
        p += n;
        len -= (size_t)n;
    }
}

void test_send(int fd, const char *text)
{
    test_send_bytes(fd, text, strlen(text));
}

struct buf test_receive(int fd, const char *end)
{
    struct buf b;
    uint8_t bytes[16384];
    size_t end_len = end ? strlen(end) : 0;

    buf_init(&b, (size_t)256 * 1024 * 1024);
    for (;;) {
        /* One at a time near an end, so as not to read into the next answer. */
        ssize_t n = recv(fd, bytes, end ? 1 : sizeof(bytes), 0);

        if (n == -1 && errno == EAGAIN)
            die("the server keeps silent");
        if (n <= 0)
            break;
        buf_put(&b, bytes, (size_t)n);
        if (end && b.len >= end_len && memcmp(b.data + b.len - end_len, end, end_len) == 0)
            break;
    }
    buf_put_byte(&b, 0);
    b.len--;
    return b;
}

struct buf test_ask(int fd, const char *text, const char *end)
{
    test_send(fd, text);
    return test_receive(fd, end);
}

bool test_has(const struct buf *b, const char *text)
{
    return b->len > 0 && strstr((const char *)b->data, text) != NULL;
}

void test_server_advance(struct test_server *s, int64_t ms)
{
    clock_advance(s->clock, ms * 1000);
    loop_wake(httpd_loop(s->httpd, 0));
}

uint64_t test_server_counter(struct test_server *s, const char *name, const char *labels)
{
    return counter_get(metrics_counter(s->metrics, name, "", labels));
}

void test_server_await(struct test_server *s, const char *name, const char *labels,
                       uint64_t at_least)
{
    while (test_server_counter(s, name, labels) < at_least)
        sched_yield();
}
