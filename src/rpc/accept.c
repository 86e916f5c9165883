/* SPDX-License-Identifier: Apache-2.0 */
/* What may be refused before a handler is asked. Each check fills in ex->fail; none of them writes
 * an answer. */
#include <assert.h>

#include "base/random.h"
#include "codec/url.h"
#include "codec/utf8.h"
#include "rpc/exchange.h"

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

struct str request_id_take(struct exchange *ex)
{
    struct str given = http_req_field(&ex->call.x->req, STR("x-request-id"));

    if (request_id_is_valid(given))
        return given;
    random_text(ex->request_id, REQUEST_ID_LEN);
    return str_make(ex->request_id, REQUEST_ID_LEN);
}

int accept_query(struct exchange *ex)
{
    struct arena *a = ex->call.arena;
    struct str rest = ex->call.x->req.query;
    bool bytes = (ex->info->dialect->path_flags & PATH_QUERY_IS_BYTES) != 0;

    while (rest.len > 0) {
        struct str pair = str_cut(&rest, '&');
        struct str text;
        enum url_result r = url_decode(a, URL_QUERY, pair, &text);

        if (r == URL_BAD)
            return fail_reason(&ex->fail, CODE_INVALID_ARGUMENT, "bad_query",
                               "the query has a '%%' without two hex digits");
        if (!bytes && (r == URL_NUL || !utf8_is_valid(text)))
            return fail_reason(&ex->fail, CODE_INVALID_ARGUMENT, "bad_query",
                               "the query is not UTF-8 text");
    }
    return 0;
}

/* Nobody is nobody; a credential that does not resolve fails. */
static MUST_CHECK int caller_resolve(struct exchange *ex)
{
    const struct http_req *req = &ex->call.x->req;
    struct rpc_host *host = ex->d->host;
    struct credential cr;

    if (credential_read(req, ex->call.arena, ex->info->dialect->credential_forms, &cr, &ex->fail) <
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

    if (host->ops->authenticate(host, &cr, ex->call.arena, &found, &ex->fail) < 0)
        return -1;
    ex->caller = found;
    ex->context[ex->call.log.count++] = KV_SLICE("tenant", ex->caller.tenant_name);
    return 0;
}

int accept_caller(struct exchange *ex)
{
    uint32_t scope = ex->info->route->scope;
    bool open = scope == SCOPE_NONE && (ex->info->route->flags & ROUTE_KNOWN) == 0;

    /* On an open route a bad credential is as good as none. */
    if (caller_resolve(ex) < 0 && !open)
        return -1;
    if (open || (ex->caller.tenant != 0 && caller_may(&ex->caller, scope)))
        return 0;
    if (ex->caller.tenant == 0)
        return fail_reason(&ex->fail, CODE_UNAUTHENTICATED, "credential_missing",
                           "a credential is needed");
    return fail_reason(&ex->fail, CODE_PERMISSION_DENIED, "scope_missing",
                       "the key does not grant what this request needs");
}

static bool media_matches(const char *const *media, struct str value)
{
    struct str type = str_trim(str_cut(&value, ';'));

    for (; *media; media++)
        if (str_eq_nocase(type, str_of(*media)))
            return true;
    return false;
}

static int media_check(struct exchange *ex, int *status)
{
    const struct route *route = ex->info->route;
    const struct http_req *req = &ex->call.x->req;

    if (!route->media || (http_req_field_count(req, STR("content-type")) == 1 &&
                          media_matches(route->media, http_req_field(req, STR("content-type")))))
        return 0;
    *status = 415;
    return fail_reason(&ex->fail, CODE_INVALID_ARGUMENT, "media_type",
                       "the request's media type must be %s%s", route->media[0],
                       route->media[1] ? " or another that this path accepts" : "");
}

int accept_media(struct exchange *ex, int *status)
{
    enum http_method m = ex->call.x->req.method;

    /* Clients put a Content-Type on GET, with and without a body: never a reason to refuse. */
    return m == HTTP_POST || m == HTTP_PUT || m == HTTP_PATCH ? media_check(ex, status) : 0;
}

int accept_coding(struct exchange *ex, int *status)
{
    const struct http_req *req = &ex->call.x->req;
    struct str coding = str_trim(http_req_field(req, STR("content-encoding")));

    if (coding.len == 0 || str_eq_nocase(coding, STR("identity")))
        return 0;
    if (str_eq_nocase(coding, STR("gzip")) || str_eq_nocase(coding, STR("x-gzip"))) {
        ex->gzipped = true;
        return 0;
    }
    *status = 415;
    return fail_reason(&ex->fail, CODE_UNIMPLEMENTED, "content_encoding",
                       "the only content encodings are gzip and identity");
}

static int too_large(struct exchange *ex, int *status)
{
    *status = 413;
    return fail_reason(&ex->fail, CODE_RESOURCE_EXHAUSTED, "body_too_large",
                       "the request's body may have at most %zu bytes",
                       ex->info->route->body_limit);
}

int accept_length(struct exchange *ex, int *status)
{
    int64_t announced = ex->call.x->req.content_length;

    if (announced > 0 && (uint64_t)announced > ex->info->route->body_limit)
        return too_large(ex, status);
    return 0;
}

int accept_rate(struct exchange *ex)
{
    struct limits *limits = ex->d->host->limits;

    if (!limits || (ex->info->route->flags & ROUTE_NO_LIMIT) != 0 || ex->caller.tenant == 0)
        return 0;
    return limits_take(limits, ex->info->limit_slot, ex->caller.tenant, ex->caller.key_id,
                       &ex->lease, &ex->limit, &ex->fail);
}

int accept_body(struct exchange *ex, int *status)
{
    struct http_req *req = &ex->call.x->req;

    if (req->body.len == 0)
        return 0;
    if (req->method == HTTP_DELETE && media_check(ex, status) < 0)
        return -1;
    if (!ex->gzipped)
        return 0;

    size_t limit = ex->info->route->body_limit;
    struct buf plain;

    buf_init_arena(&plain, ex->call.arena, limit);
    if (coders_inflate(ex->d->coders, req->body, limit, &plain, &ex->fail) < 0)
        return ex->fail.code == CODE_RESOURCE_EXHAUSTED ? too_large(ex, status) : -1;
    req->body = buf_str(&plain);
    ex->gzipped = false;
    return 0;
}
