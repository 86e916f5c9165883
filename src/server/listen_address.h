/* SPDX-License-Identifier: Apache-2.0 */
/* A listener's address as it is configured: "127.0.0.1:8080", "tls://[::1]:8443". Pure, any thread.
 * The host is a view of the text. */
#ifndef SERVER_LISTEN_ADDRESS_H
#define SERVER_LISTEN_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

struct listen_address {
    struct str host; /* an IPv4 or IPv6 address, without brackets */
    uint16_t port;   /* 0: any free one */
    bool tls;
    bool ipv6;
    bool loopback; /* only this machine can reach it */
};

/* -1 with what to write instead. */
int listen_address_parse(struct str text, struct listen_address *out, struct fail *f) MUST_CHECK;

#endif
