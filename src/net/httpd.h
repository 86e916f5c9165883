/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server: listeners, one loop thread per core, HTTP/1.1 and HTTP/2 on the same port, TLS.
 * What answers is the service of net/http.h. Any thread may call, one at a time.
 *
 *   httpd_new()    binds every listener; nothing is accepted yet
 *   httpd_start()  threads run
 *   httpd_drain()  no new connections, open requests finish
 *   httpd_free()   what is left is cut off; stop whoever may still call http_post() first */
#ifndef NET_HTTPD_H
#define NET_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/metric.h"
#include "net/http.h"
#include "net/http_limits.h"
#include "net/tls.h"

struct httpd;
struct loop;

struct httpd_config {
    const struct http_service *service; /* borrowed, as all below */
    struct clock *clock;
    const struct log *log;
    struct metrics *metrics;
    const struct tls *tls; /* needed by tls:// listeners */
    /* "127.0.0.1:8080", "[::1]:8080", "tls://0.0.0.0:8443", "unix:/run/x.sock" (mode 0600) */
    const char *const *listeners;
    size_t listener_count;
    unsigned loops; /* threads; 0 counts as 1 */
    struct http_limits limits;
};

/* -1 names the listener at fault. */
int httpd_new(const struct httpd_config *config, struct httpd **out, struct fail *f) MUST_CHECK;
int httpd_start(struct httpd *h, struct fail *f) MUST_CHECK;

/* Stops accepting, says GOAWAY, waits for the requests in flight. False: time ran out and what was
 * left has been cut. */
bool httpd_drain(struct httpd *h, uint32_t timeout_ms);

/* Accepts NULL, clears the caller's pointer. */
void httpd_free(struct httpd **h);

/* The port really bound (0 on a unix socket); the listener's text with that port. */
uint16_t httpd_port(const struct httpd *h, size_t listener);
const char *httpd_listener(const struct httpd *h, size_t listener) RETURNS_NONNULL;

unsigned httpd_loop_count(const struct httpd *h);
struct loop *httpd_loop(const struct httpd *h, unsigned index) RETURNS_NONNULL;

/* For connections and requests from now on. */
void httpd_set_limits(struct httpd *h, const struct http_limits *limits);
void httpd_set_tls(struct httpd *h, const struct tls *tls);

#endif
