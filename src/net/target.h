/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets and authorities, the same rules for both versions of HTTP. Pure. */
#ifndef NET_TARGET_H
#define NET_TARGET_H

#include <stdbool.h>

#include "base/str.h"
#include "net/http.h"

enum target_verdict {
    TARGET_OK,
    TARGET_MALFORMED,
    TARGET_FOREIGN, /* CONNECT, or a scheme that is not http(s) */
};

/* A field name or method: RFC 9110 section 5.6.2. */
bool token_is_valid(struct str s);

/* A trailer of that name would change what the message is; or makes sense only in a head. */
bool trailer_is_framing(struct str name);
bool trailer_is_head_only(struct str name);

enum http_method method_parse(struct str token);

/* host [":" port] with a non-empty host; no user information. */
bool authority_is_valid(struct str s);

/* Sets req->target, path and query; authority too when the target is in absolute form.
 * req->method must be known. */
enum target_verdict target_parse(struct str target, struct http_req *req);

/* target_parse() for an HTTP/2 :path, which has no absolute form. */
enum target_verdict target_parse_path(struct str path, struct http_req *req);

extern const unsigned char token_lower[256]; /* lower-case form of a token's byte, 0 for others */

#endif
