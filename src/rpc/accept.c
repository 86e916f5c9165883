/* SPDX-License-Identifier: Apache-2.0 */
/* What may be refused before a handler is asked. Each check fills in fl->fail; none of them writes
 * an answer. */
#include <assert.h>
#include <stdlib.h>

#include "base/random.h"
#include "codec/url.h"
#include "codec/utf8.h"
#include "codec/zstd.h"
#include "rpc/flight.h"

#define REQUEST_ID_MAX 64
#define REQUEST_ID_LEN 20

static bool request_id_is_valid(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return s.len > 0 && s.len <= REQUEST_ID_MAX;
}

struct str request_id_take(struct flight *fl)
{
    struct str given = http_req_field(&fl->call.x->req, STR("x-request-id"));

    if (request_id_is_valid(given))
        return given;
    random_text(fl->request_id, REQUEST_ID_LEN);
    return str_make(fl->request_id, REQUEST_ID_LEN);
}

int accept_query(struct flight *fl)
{
    struct arena *a = fl->call.arena;
    struct str rest = fl->call.x->req.query;
    bool bytes = (fl->info->dialect->path_flags & PATH_QUERY_IS_BYTES) != 0;

    while (rest.len > 0) {
        struct str pair = str_cut(&rest, '&');
        struct str text;
        enum url_result r = url_decode(a, URL_QUERY, pair, &text);

        if (r == URL_BAD)
            return fail_reason(&fl->fail, CODE_INVALID_ARGUMENT, "bad_query",
                               "the query has a '%%' without two hex digits");
        if (!bytes && (r == URL_NUL || !utf8_is_valid(text)))
            return fail_reason(&fl->fail, CODE_INVALID_ARGUMENT, "bad_query",
                               "the query is not UTF-8 text");
    }
    return 0;
}

/* An operator may act for another tenant. Other plain routes have ways of their own to name one. */
static MUST_CHECK int caller_change_tenant(struct flight *fl, struct caller *caller)
{
    struct rpc_host *host = fl->d->host;
    struct str tenant = http_req_field(&fl->call.x->req, STR("muster-tenant"));

    if (!tenant.p || !host->ops->act_for)
        return 0;
    if (!fl->info->route->rpc && (fl->info->dialect->flags & DIALECT_ACTS_FOR) == 0)
        return fail_reason(&fl->fail, CODE_INVALID_ARGUMENT, "bad_tenant",
                           "muster-tenant does not go with this path");
    return host->ops->act_for(host, tenant, fl->call.arena, caller, &fl->fail);
}

/* Nobody is nobody; a credential that does not resolve fails. */
static MUST_CHECK int caller_resolve(struct flight *fl)
{
    const struct http_req *req = &fl->call.x->req;
    struct rpc_host *host = fl->d->host;
    struct credential cr;

    if (credential_read(req, fl->call.arena, fl->info->dialect->credential_forms, &cr, &fl->fail) <
        0)
        return -1;
    if (cr.kind == CREDENTIAL_NONE && req->peer->admin_socket)
        cr.kind = CREDENTIAL_ADMIN_SOCKET;
    else if (cr.kind == CREDENTIAL_NONE && req->peer->certificate_cn[0] != '\0') {
        cr.kind = CREDENTIAL_CERTIFICATE;
        cr.id = str_of(req->peer->certificate_cn);
    }
    if (cr.kind == CREDENTIAL_NONE)
        return 0;

    struct caller found = {0};

    if (host->ops->authenticate(host, &cr, fl->call.arena, &found, &fl->fail) < 0)
        return -1;

    if (caller_change_tenant(fl, &found) < 0)
        return -1;
    fl->caller = found;
    fl->context[fl->call.log.count++] = KV_SLICE("tenant", fl->caller.tenant_name);
    return 0;
}

int accept_caller(struct flight *fl)
{
    uint32_t scope = fl->info->route->scope;
    bool open = (fl->info->route->flags & ROUTE_OPEN) != 0;

    /* On an open route a bad credential is as good as none. */
    if (caller_resolve(fl) < 0 && !open)
        return -1;
    if (open || (fl->caller.tenant != 0 && caller_may(&fl->caller, scope)))
        return 0;
    if (fl->caller.tenant == 0)
        return fail_reason(&fl->fail, CODE_UNAUTHENTICATED, "credential_missing",
                           "a credential is needed");

    bool as_401 = (fl->info->dialect->flags & DIALECT_SCOPE_IS_401) != 0;
    uint32_t missing = scope & ~fl->caller.scopes;

    return fail_reason(&fl->fail, as_401 ? CODE_UNAUTHENTICATED : CODE_PERMISSION_DENIED,
                       "scope_missing", "the key does not grant %s, which this request needs%s",
                       scope_name((enum scope)(missing & -missing)),
                       as_401 ? ": invalid scope" : "");
}

static bool media_matches(const char *const *media, struct str value)
{
    struct str type = str_trim(str_cut(&value, ';'));

    for (; *media; media++)
        if (str_eq_nocase(type, str_of(*media)))
            return true;
    return false;
}

static int media_check(struct flight *fl, int *status)
{
    const struct route *route = fl->info->route;
    const struct http_req *req = &fl->call.x->req;

    if (!route->media || (http_req_field_count(req, STR("content-type")) == 1 &&
                          media_matches(route->media, http_req_field(req, STR("content-type")))))
        return 0;
    *status = 415;
    return fail_reason(&fl->fail, CODE_INVALID_ARGUMENT, "media_type",
                       "the request's media type must be %s%s", route->media[0],
                       route->media[1] ? " or another that this path accepts" : "");
}

int accept_media(struct flight *fl, int *status)
{
    enum http_method m = fl->call.x->req.method;

    /* Clients put a Content-Type on GET, with and without a body: never a reason to refuse. */
    return m == HTTP_POST || m == HTTP_PUT || m == HTTP_PATCH ? media_check(fl, status) : 0;
}

int accept_coding(struct flight *fl, int *status)
{
    const struct http_req *req = &fl->call.x->req;
    struct str coding = str_trim(http_req_field(req, STR("content-encoding")));
    bool chain = http_req_field_count(req, STR("content-encoding")) > 1;

    if (!chain && (coding.len == 0 || str_eq_nocase(coding, STR("identity"))))
        return 0;
    if (!chain && (str_eq_nocase(coding, STR("gzip")) || str_eq_nocase(coding, STR("x-gzip")))) {
        fl->gzipped = true;
        fl->packing = GZIP_FORMAT_GZIP;
        return 0;
    }
    if (!chain && str_eq_nocase(coding, STR("deflate")) &&
        (fl->info->route->flags & ROUTE_DEFLATE) != 0) {
        fl->gzipped = true;
        fl->packing = GZIP_FORMAT_ZLIB;
        return 0;
    }
    if (!chain && str_eq_nocase(coding, STR("zstd")) &&
        (fl->info->route->flags & ROUTE_ZSTD) != 0) {
        fl->gzipped = true;
        fl->zstd = true;
        return 0;
    }
    *status = 415;
    return fail_reason(&fl->fail, CODE_UNIMPLEMENTED, "content_encoding",
                       "the only content encodings are gzip and identity, one at a time");
}

static int too_large(struct flight *fl, int *status)
{
    *status = 413;
    return fail_reason(&fl->fail, CODE_RESOURCE_EXHAUSTED, "body_too_large",
                       "the request's body may have at most %zu bytes",
                       fl->info->route->body_limit);
}

int accept_length(struct flight *fl, int *status)
{
    int64_t announced = fl->call.x->req.content_length;

    if (announced > 0 && (uint64_t)announced > fl->info->route->body_limit)
        return too_large(fl, status);
    return 0;
}

int accept_rate(struct flight *fl)
{
    struct limits *limits = fl->d->host->limits;

    if (!limits || (fl->info->route->flags & ROUTE_NO_LIMIT) != 0 || fl->caller.tenant == 0)
        return 0;
    return limits_take(limits, fl->info->limit_slot, fl->caller.tenant, fl->caller.key_id,
                       &fl->lease, &fl->limit, &fl->fail);
}

static int inflate(struct flight *fl, size_t limit, struct buf *out)
{
    struct str packed = fl->call.x->req.body;

    if (fl->zstd)
        return zstd_inflate(packed, limit, out, &fl->fail);

    enum gzip_format format =
        fl->packing == GZIP_FORMAT_ZLIB ? gzip_format_of_deflate(packed) : fl->packing;

    return coders_inflate(fl->d->coders, format, packed, limit, out, &fl->fail);
}

int accept_body(struct flight *fl, int *status)
{
    struct http_req *req = &fl->call.x->req;

    if (req->body.len == 0)
        return 0;
    if (req->method == HTTP_DELETE && media_check(fl, status) < 0)
        return -1;
    if (!fl->gzipped)
        return 0;

    size_t limit = fl->info->route->body_limit;
    struct buf plain;

    /* On the heap, where it does not leave behind what it outgrows. */
    buf_init(&plain, limit);

    int rc = inflate(fl, limit, &plain);

    arena_on_free(fl->call.arena, free, plain.data);
    if (rc < 0)
        return fl->fail.code == CODE_RESOURCE_EXHAUSTED ? too_large(fl, status) : -1;
    req->body = buf_str(&plain);
    fl->gzipped = false;
    return 0;
}
