/* SPDX-License-Identifier: Apache-2.0 */
/* Where a URL leads. It is taken apart once, by libcurl's own parser, and libcurl is handed the
 * parsed form: the host that is held against the allow-list is the host that is connected to. Any
 * thread. */
#ifndef NET_HTTP_ORIGIN_H
#define NET_HTTP_ORIGIN_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

#define HTTP_ORIGIN_URL_MAX 8192

struct http_origin {
    char *scheme; /* "http" or "https" */
    char *host;   /* plain ASCII, without brackets */
    uint16_t port;
};

/* NULL, or what is wrong with the URL. The caller gives back *url with curl_url_cleanup(). */
const char *http_origin_parse(struct str text, CURLU **url, struct http_origin *out) MUST_CHECK;
void http_origin_done(struct http_origin *o);

bool http_origin_eq(const struct http_origin *a, const struct http_origin *b);

#endif
