/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 fields become a request. nghttp2 has checked names, values and the rules for pseudo fields
 * (RFC 9113 section 8); sizes, authority and path are ours to check. */
#include "net/http2.h"

#include "net/target.h"

#define FIELDS_FIRST 16

void http2_refuse_head(struct http2_stream *s, enum http_refusal why, const char *message)
{
    if (s->refusal)
        return;
    s->why = why;
    s->refusal = message;
}

static void add(struct arena *a, struct http_field **fields, size_t *count, size_t *cap,
                struct http_field f)
{
    if (*count == *cap) {
        size_t room = *cap ? 2 * *cap : FIELDS_FIRST;
        struct http_field *more = arena_alloc_raw(a, room * sizeof(*more));

        if (*count > 0)
            memcpy(more, *fields, *count * sizeof(*more));
        *fields = more;
        *cap = room;
    }
    (*fields)[(*count)++] = f;
}

static void take_pseudo(struct http2_stream *s, struct str name, struct str value)
{
    struct http_req *req = &s->e->x.req;
    size_t line_bytes = s->h->c->host->limits.request_line_bytes;

    value = arena_str(s->e->x.arena, value);
    if (str_eq(name, STR(":method"))) {
        req->method = method_parse(value);
        req->method_text = value;
    } else if (str_eq(name, STR(":path"))) {
        if (value.len > line_bytes)
            http2_refuse_head(s, HTTP_REFUSE_URI_TOO_LONG, "the path is too long");
        else
            req->target = value;
    } else if (str_eq(name, STR(":authority"))) {
        req->authority = value;
    } else if (str_eq(name, STR(":scheme"))) {
        s->scheme = value;
    }
}

void http2_take_field(struct http2_stream *s, bool trailer, struct str name, struct str value)
{
    struct http_req *req = &s->e->x.req;
    struct arena *a = s->e->x.arena;
    const struct http_limits *l = &s->h->c->host->limits;

    /* As SETTINGS_MAX_HEADER_LIST_SIZE counts. Past the ceiling nothing is kept any more. */
    s->header_bytes += name.len + value.len + 32;
    if (s->header_bytes > l->header_bytes || ++s->header_count > l->header_count + 4) {
        http2_refuse_head(s, HTTP_REFUSE_FIELDS_TOO_LARGE, "the header fields are too large");
        return;
    }
    if (name.len > 0 && name.p[0] == ':') {
        take_pseudo(s, name, value);
        return;
    }
    if (trailer && (trailer_is_framing(name) || trailer_is_head_only(name)))
        return;

    struct http_field f = {arena_str(a, name), arena_str(a, value)};

    if (trailer)
        add(a, &req->trailers, &req->trailer_count, &s->trailer_cap, f);
    else
        add(a, &req->fields, &req->field_count, &s->field_cap, f);
}

static void check_target(struct http2_stream *s)
{
    struct http_req *req = &s->e->x.req;

    if (str_eq(req->method_text, STR("CONNECT")) ||
        (!str_eq_nocase(s->scheme, STR("http")) && !str_eq_nocase(s->scheme, STR("https")))) {
        http2_refuse_head(s, HTTP_REFUSE_MISDIRECTED, "this server is not a proxy");
        return;
    }
    switch (target_parse_path(req->target, req)) {
    case TARGET_OK: break;
    case TARGET_MALFORMED:
        http2_refuse_head(s, HTTP_REFUSE_MALFORMED, "the path is malformed");
        break;
    case TARGET_FOREIGN:
        http2_refuse_head(s, HTTP_REFUSE_MISDIRECTED, "this server is not a proxy");
        break;
    }
}

static void check_authority(struct http2_stream *s)
{
    struct http_req *req = &s->e->x.req;
    struct str host = http_req_field(req, STR("host"));

    if (host.p && http_req_field_count(req, STR("host")) > 1)
        http2_refuse_head(s, HTTP_REFUSE_MALFORMED, "there is more than one Host");
    else if (host.p && req->authority.p && !str_eq_nocase(host, req->authority))
        http2_refuse_head(s, HTTP_REFUSE_MALFORMED, "Host and :authority differ");
    if (!req->authority.p)
        req->authority = host;
    if (req->authority.p && !authority_is_valid(req->authority))
        http2_refuse_head(s, HTTP_REFUSE_MALFORMED, "the authority is malformed");
}

static void check_length(struct http2_stream *s)
{
    struct http_req *req = &s->e->x.req;
    struct str text = http_req_field(req, STR("content-length"));
    uint64_t length;

    if (!text.p)
        return;
    if (text.len > 18 || str_to_u64(text, &length) < 0)
        http2_refuse_head(s, HTTP_REFUSE_MALFORMED, "the content-length is malformed");
    else
        req->content_length = (int64_t)length;
}

void http2_check_head(struct http2_stream *s)
{
    struct str expect = http_req_field(&s->e->x.req, STR("expect"));

    if (!s->refusal)
        check_target(s);
    check_authority(s);
    check_length(s);
    if (expect.p && !str_eq_nocase(expect, STR("100-continue")))
        http2_refuse_head(s, HTTP_REFUSE_EXPECTATION, "the only expectation met is 100-continue");
}
