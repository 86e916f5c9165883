/* SPDX-License-Identifier: Apache-2.0 */
/* The ceilings that hold when nothing else is configured. */
#include "net/http_limits.h"

void http_limits_default(struct http_limits *l)
{
    *l = (struct http_limits){
        .request_line_bytes = 32 * 1024,
        .header_bytes = 64 * 1024,
        .header_count = 100,
        .connections = 200000,
        .h2_streams = 256,
        .header_timeout_ms = 10 * 1000,
        .body_timeout_ms = 30 * 1000,
        .idle_timeout_ms = 120 * 1000,
        .write_timeout_ms = 30 * 1000,
        .min_rate_bytes = 256,
        .h2_resets = 1000,
        .h2_pings = 200,
        .h2_settings = 100,
        .h2_priorities = 2000,
        .h2_empty_data = 200,
        .h2_continuations = 500,
        .h2_window_updates = 10000,
        .h2_stalls = 64,
        .output_bytes = 64 * 1024,
    };
}
