/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets: their text form, binding, accepting into a loop's host. A TCP listener has one
 * socket for each loop (SO_REUSEPORT), a unix one is served by the first loop alone. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fail.h"
#include "base/macros.h"
#include "net/host.h"

/* Where to listen; parsed once, bound once per loop. */
struct endpoint {
    struct sockaddr_storage address;
    socklen_t address_len;
    bool tls;
    bool is_unix;
    bool bound;
    char text[160]; /* with the real port once bound */
};

int endpoint_parse(const char *text, struct endpoint *out, struct fail *f) MUST_CHECK;

/* A bound, listening, non-blocking socket. A port of 0 becomes the real one in *e. */
int endpoint_bind(struct endpoint *e, int *fd, struct fail *f) MUST_CHECK;
uint16_t endpoint_port(const struct endpoint *e);

struct listener {
    struct loop_watch watch;
    struct timer pause; /* out of descriptors: try again later */
    struct host *host;
    const struct endpoint *endpoint;
    int spare_fd; /* given up for a moment to turn a client away when descriptors run out */
};

/* Loop thread, or before it runs. Owns fd. */
int listener_start(struct listener *l, struct host *host, const struct endpoint *endpoint, int fd,
                   struct fail *f) MUST_CHECK;
void listener_stop(struct listener *l);

#endif
