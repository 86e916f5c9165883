/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses only, no names: what a listener binds to should not depend on a resolver. */
#include "server/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static int refuse(struct str text, struct fail *f)
{
    return fail_set(f, CODE_INVALID_ARGUMENT,
                    "\"%.*s\" is not an address to listen on; write ADDRESS:PORT or "
                    "tls://ADDRESS:PORT, such as 127.0.0.1:8080 or tls://[::]:8443",
                    (int)MIN(text.len, (size_t)64), text.p);
}

static bool is_loopback(const char *host, bool ipv6)
{
    struct in6_addr six;
    struct in_addr four;

    if (ipv6)
        return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
    return inet_pton(AF_INET, host, &four) == 1 && (ntohl(four.s_addr) >> 24) == 127;
}

static bool is_address(const char *host, bool ipv6)
{
    struct in6_addr any;

    return inet_pton(ipv6 ? AF_INET6 : AF_INET, host, &any) == 1;
}

int listen_address_parse(struct str text, struct listen_address *out, struct fail *f)
{
    struct listen_address e = {0};
    struct str rest = text;
    char host[64];
    uint64_t port;

    if (str_starts_with(rest, STR("tls://"))) {
        e.tls = true;
        rest = str_skip(rest, 6);
    }
    if (rest.len > 0 && rest.p[0] == '[') {
        e.ipv6 = true;
        rest = str_skip(rest, 1);
        e.host = str_cut(&rest, ']');
        if (rest.len == 0 || rest.p[0] != ':')
            return refuse(text, f);
        rest = str_skip(rest, 1);
    } else {
        e.host = str_cut(&rest, ':');
        if (str_eq(e.host, STR("localhost")))
            e.host = STR("127.0.0.1");
    }
    if (e.host.len == 0 || e.host.len >= sizeof(host))
        return refuse(text, f);
    snprintf(host, sizeof(host), "%.*s", STR_ARG(e.host));
    if (!is_address(host, e.ipv6) || str_to_u64(rest, &port) < 0 || port > UINT16_MAX)
        return refuse(text, f);
    e.port = (uint16_t)port;
    e.loopback = is_loopback(host, e.ipv6);
    *out = e;
    return 0;
}
