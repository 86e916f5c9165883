/* SPDX-License-Identifier: Apache-2.0 */
/* Names to addresses without stopping a loop: a few helper threads ask the system's resolver, and
 * what it said is kept for a short while. Addresses written as numbers need no thread. One for the
 * process: made before and freed before the loops that ask it. */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"
#include "net/loop.h"

#define RESOLVER_ADDRESSES 8 /* more of one name are not looked at */
#define RESOLVER_NAME_MAX  255

struct resolver;
struct resolver_question;

struct resolver_options {
    const struct clock *clock;
    uint32_t keep_ms; /* 0: 10 s */
    uint32_t threads; /* at most; 0: 4 */

    /* As getaddrinfo(), which is taken when this is NULL; freed with freeaddrinfo(). */
    int (*look_up)(const char *name, const struct addrinfo *hints, struct addrinfo **out);
};

/* IPv4 and IPv6 in the system's order of preference; ports are zero. */
struct resolver_answer {
    struct sockaddr_storage addresses[RESOLVER_ADDRESSES];
    size_t count; /* 0: see why (UNAVAILABLE, reason "dns") */
    struct fail why;
};

struct resolver *resolver_new(const struct resolver_options *o) RETURNS_NONNULL;

/* Questions without an answer yet are forgotten. A helper that still waits for the system is left
 * alone and ends by itself. */
void resolver_free(struct resolver **r);

/* Always answers on the loop in a later turn, fn once. Loop thread. */
struct resolver_question *resolver_ask(struct resolver *r, struct loop *loop, struct str name,
                                       void (*fn)(void *ctx, const struct resolver_answer *a),
                                       void *ctx) RETURNS_NONNULL;

/* fn will not be called; only before it was. Loop thread. */
void resolver_cancel(struct resolver_question **q);

/* An address written as a number, without brackets. */
bool resolver_parse(struct str text, struct sockaddr_storage *out);

#endif
