/* SPDX-License-Identifier: Apache-2.0 */
/* The server's time series. */
#include "net/net_metrics.h"

#include <stdio.h>

static const char *const reasons[] = {
    [CLOSE_BY_CLIENT] = "client",
    [CLOSE_ANSWERED] = "answered",
    [CLOSE_IDLE] = "idle",
    [CLOSE_HEADER_TIMEOUT] = "header_timeout",
    [CLOSE_BODY_TIMEOUT] = "body_timeout",
    [CLOSE_WRITE_TIMEOUT] = "write_timeout",
    [CLOSE_REFUSED] = "refused",
    [CLOSE_BROKEN_SOURCE] = "broken_source",
    [CLOSE_IO] = "io_error",
    [CLOSE_TLS] = "tls_error",
    [CLOSE_DRAIN] = "drain",
    [CLOSE_CUT] = "cut",
    [CLOSE_H2_PROTOCOL] = "h2_protocol",
    [CLOSE_H2_RESETS] = "h2_resets",
    [CLOSE_H2_PINGS] = "h2_pings",
    [CLOSE_H2_SETTINGS] = "h2_settings",
    [CLOSE_H2_PRIORITIES] = "h2_priorities",
    [CLOSE_H2_EMPTY_DATA] = "h2_empty_data",
    [CLOSE_H2_CONTINUATIONS] = "h2_continuations",
    [CLOSE_H2_WINDOW_UPDATES] = "h2_window_updates",
    [CLOSE_H2_STALLS] = "h2_stalls",
};
_Static_assert(COUNTOF(reasons) == CLOSE_REASON_COUNT, "name every reason");

static const char *const protos[] = {
    [PROTO_UNKNOWN] = "unknown",
    [PROTO_HTTP1] = "http1",
    [PROTO_HTTP2] = "http2",
};
_Static_assert(COUNTOF(protos) == PROTO_COUNT, "name every protocol");

const char *close_reason_name(enum close_reason r)
{
    return reasons[r];
}

static void by_proto(struct net_metrics *n, struct metrics *m)
{
    char label[64];

    for (int i = 0; i < PROTO_COUNT; i++) {
        snprintf(label, sizeof(label), "proto=\"%s\"", protos[i]);
        n->connections[i] =
            metrics_gauge(m, "muster_connections", "Open client connections.", label);
        n->requests[i] = i == PROTO_UNKNOWN
                             ? NULL
                             : metrics_counter(m, "muster_net_requests_total",
                                               "Requests read, also the refused ones.", label);
    }
}

void net_metrics_init(struct net_metrics *n, struct metrics *m)
{
    char label[64];

    by_proto(n, m);
    n->accepted =
        metrics_counter(m, "muster_connections_accepted_total", "Client connections accepted.", "");
    n->over_limit = metrics_counter(m, "muster_connections_over_limit_total",
                                    "Connections closed at once: too many were open.", "");
    n->accept_failed = metrics_counter(m, "muster_accept_failures_total",
                                       "Connections lost to a shortage of descriptors.", "");
    n->bytes_in =
        metrics_counter(m, "muster_net_received_bytes_total", "Bytes read from clients.", "");
    n->bytes_out =
        metrics_counter(m, "muster_net_sent_bytes_total", "Bytes written to clients.", "");
    n->tls_handshakes =
        metrics_counter(m, "muster_tls_handshakes_total", "TLS handshakes completed.", "");
    for (int i = 0; i < CLOSE_REASON_COUNT; i++) {
        snprintf(label, sizeof(label), "reason=\"%s\"", reasons[i]);
        n->closed[i] = metrics_counter(m, "muster_connections_closed_total",
                                       "Client connections closed, by reason.", label);
        n->glitches[i] = NULL;
        if (i >= CLOSE_H2_RESETS) {
            snprintf(label, sizeof(label), "kind=\"%s\"", reasons[i] + 3);
            n->glitches[i] =
                metrics_counter(m, "muster_h2_glitches_total",
                                "HTTP/2 frames that cost more than they should.", label);
        }
    }
}
