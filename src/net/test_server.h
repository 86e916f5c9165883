/* SPDX-License-Identifier: Apache-2.0 */
/* A real server on a free port around the test service, with a clock that stands still, and the
 * client's side of a socket. For tests; everything here ends the process when it goes wrong. */
#ifndef NET_TEST_SERVER_H
#define NET_TEST_SERVER_H

#include "base/buf.h"
#include "net/httpd.h"
#include "net/test_service.h"

struct test_server {
    struct clock *clock;
    struct logger *logger;
    struct log log;
    struct metrics *metrics;
    struct test_service *service;
    struct httpd *httpd;
};

/* Starts with one loop on 127.0.0.1, or on the given listener. */
void test_server_start(struct test_server *s, const struct http_limits *limits,
                       const char *listener, const struct tls *tls);
void test_server_stop(struct test_server *s);

int test_server_connect(const struct test_server *s);
void test_send(int fd, const char *text);
void test_send_bytes(int fd, const void *data, size_t len);

/* Reads until the bytes end in `end` (the rest of them stays unread), or to the end of the
 * connection for NULL. NUL-terminated; buf_done() it. */
struct buf test_receive(int fd, const char *end);

/* Sends a request, reads to `end`. */
struct buf test_ask(int fd, const char *text, const char *end);
bool test_has(const struct buf *b, const char *text);

/* Moves the clock and wakes the loop. */
void test_server_advance(struct test_server *s, int64_t ms);

/* Waits until a counter or a gauge has at least that value. */
void test_server_await(struct test_server *s, const char *name, const char *labels,
                       uint64_t at_least);
uint64_t test_server_counter(struct test_server *s, const char *name, const char *labels);

#endif
