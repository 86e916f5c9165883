/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding, query strings and absolute URLs (RFC 3986). Text is decoded exactly once, after
 * it was split, so an encoded '/' or '&' never separates. Pure; any thread. */
#ifndef CODEC_URL_H
#define CODEC_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

enum url_part {
    URL_PATH,  /* '+' is a plus */
    URL_QUERY, /* '+' is a blank */
};

enum url_result {
    URL_OK,
    URL_NUL, /* decoded, but holds a NUL (%00 or the byte itself): refuse unless bytes are meant */
    URL_BAD, /* a '%' without two hex digits; nothing is returned */
};

/* *out is a view of the input when there was nothing to decode, else in the arena. Says nothing
 * about UTF-8: see utf8_is_valid(). */
enum url_result url_decode(struct arena *a, enum url_part part, struct str in, struct str *out)
    MUST_CHECK;

/* Walks "a=1&b=&c": struct url_query q = {query}; while ((r = url_query_next(&q, ...)) == 1). */
struct url_query {
    struct str rest;
};

/* 1: the next pair, decoded ("c" without '=' has value.p == NULL); 0: no more; -1: bad percent
 * sequence or a NUL, named in *f. Empty pairs are passed over. */
int url_query_next(struct url_query *q, struct arena *a, struct str *name, struct str *value,
                   struct fail *f) MUST_CHECK;

/* Appends with everything but letters, digits and -._~ percent-encoded: right for one path segment,
 * a query name or a query value. */
void url_put_encoded(struct buf *out, struct str s);

/* The pieces are views of the text. */
struct url {
    struct str scheme;    /* as written; compare with str_eq_nocase() */
    struct str authority; /* host and port as written: the Host header */
    struct str host;      /* name or address, without brackets */
    bool host_is_ipv6;    /* it was written in brackets */
    bool has_port;
    uint16_t port;    /* as written, or what the scheme stands for (http, https, ws, wss); else 0 */
    struct str path;  /* still encoded; empty when there was none */
    struct str query; /* still encoded, without '?' */
    struct str
        target; /* path and query as a request line has them, "/" in place of an empty path */
};

/* scheme://host[:port][/path][?query]. Refuses user info, fragments, blanks, control bytes,
 * non-ASCII and anything that is no host name, IPv4 or bracketed IPv6 address. The arena is needed
 * for a target such as "/?q". */
int url_parse(struct arena *a, struct str text, struct url *out, struct fail *f) MUST_CHECK;

#endif
