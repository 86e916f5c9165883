/* SPDX-License-Identifier: Apache-2.0 */
/* Ceilings on what a client may make us hold or do. Plain values; each loop keeps a copy. */
#ifndef NET_HTTP_LIMITS_H
#define NET_HTTP_LIMITS_H

#include <stddef.h>
#include <stdint.h>

struct http_limits {
    size_t request_line_bytes; /* 414 beyond */
    size_t header_bytes;       /* the whole head, also of trailers; 431 beyond */
    size_t header_count;       /* 431 beyond */
    size_t connections;        /* of the process; more are closed at once */
    uint32_t h2_streams;       /* at a time, per connection */

    uint32_t header_timeout_ms; /* first byte to end of head; TLS handshake */
    uint32_t body_timeout_ms;   /* without a byte of the body */
    uint32_t idle_timeout_ms;   /* between requests */
    uint32_t write_timeout_ms;  /* without the client taking a byte */
    uint32_t min_rate_bytes;    /* a second, both ways, beyond the timeout's length */

    /* HTTP/2 frames per 10 s and connection; beyond: GOAWAY ENHANCE_YOUR_CALM and close. */
    uint32_t h2_resets;
    uint32_t h2_pings;
    uint32_t h2_settings;
    uint32_t h2_priorities;
    uint32_t h2_empty_data;
    uint32_t h2_continuations;
    uint32_t h2_window_updates; /* beyond those that the answers' bytes explain */
    uint32_t h2_stalls;         /* streams whose window stayed shut for write_timeout_ms */

    size_t output_bytes; /* waiting for one slow client before the service is asked for more */
};

void http_limits_default(struct http_limits *l);

#endif
