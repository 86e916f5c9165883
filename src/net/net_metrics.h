/* SPDX-License-Identifier: Apache-2.0 */
/* What the server counts, and the reasons for which a connection ends: one list for log field and
 * metric label. Made at start-up, shared by all loops. */
#ifndef NET_NET_METRICS_H
#define NET_NET_METRICS_H

#include "base/metric.h"

enum close_reason {
    CLOSE_BY_CLIENT,
    CLOSE_ANSWERED, /* after the last answer, as one side asked */
    CLOSE_IDLE,
    CLOSE_HEADER_TIMEOUT,
    CLOSE_BODY_TIMEOUT,
    CLOSE_WRITE_TIMEOUT,
    CLOSE_REFUSED, /* malformed or too large */
    CLOSE_BROKEN_SOURCE,
    CLOSE_IO,
    CLOSE_TLS,
    CLOSE_DRAIN,
    CLOSE_CUT, /* draining took too long */
    CLOSE_H2_PROTOCOL,
    CLOSE_H2_RESETS,
    CLOSE_H2_PINGS,
    CLOSE_H2_SETTINGS,
    CLOSE_H2_PRIORITIES,
    CLOSE_H2_EMPTY_DATA,
    CLOSE_H2_CONTINUATIONS,
    CLOSE_H2_WINDOW_UPDATES,
    CLOSE_H2_STALLS,
};

#define CLOSE_REASON_COUNT 21

enum proto {
    PROTO_UNKNOWN, /* not a byte yet, or in the TLS handshake */
    PROTO_HTTP1,
    PROTO_HTTP2,
};

#define PROTO_COUNT 3

struct net_metrics {
    struct metric_gauge *connections[PROTO_COUNT];
    struct metric_counter *accepted;
    struct metric_counter *over_limit;
    struct metric_counter *accept_failed;
    struct metric_counter *closed[CLOSE_REASON_COUNT];
    struct metric_counter *bytes_in;
    struct metric_counter *bytes_out;
    struct metric_counter *glitches[CLOSE_REASON_COUNT]; /* the CLOSE_H2_ ones */
    struct metric_counter *tls_handshakes;
    struct metric_counter *requests[PROTO_COUNT];
};

void net_metrics_init(struct net_metrics *n, struct metrics *m);

const char *close_reason_name(enum close_reason r) RETURNS_NONNULL;

#endif
