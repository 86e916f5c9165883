/* SPDX-License-Identifier: Apache-2.0 */
/* Connect by GET: the message stands in the query. Only for methods without side effects. */
#include "rpc/connect_get.h"
#include "codec/base64.h"
#include "codec/url.h"
#include "rpc/connect.h"

int connect_query_read(struct arena *a, struct str query, struct connect_query *out, struct fail *f)
{
    struct connect_query q = {0};

    while (query.len > 0) {
        struct str value = str_cut(&query, '&');
        struct str key = str_cut(&value, '=');
        struct str *place = NULL;

        if (url_decode(a, URL_QUERY, key, &key) == URL_BAD)
            return fail_reason(f, CODE_INVALID_ARGUMENT, "query",
                               "the query has a '%%' without two hex digits");
        if (str_eq(key, STR("encoding")))
            place = &q.encoding;
        else if (str_eq(key, STR("message")))
            place = &q.message;
        else if (str_eq(key, STR("base64")))
            place = &q.base64;
        else if (str_eq(key, STR("compression")))
            place = &q.compression;
        else if (str_eq(key, STR("connect")))
            place = &q.version;
        if (!place || place->p) /* the first of a kind counts */
            continue;
        if (url_decode(a, URL_QUERY, value, place) == URL_BAD)
            return fail_reason(f, CODE_INVALID_ARGUMENT, "query",
                               "the query has a '%%' without two hex digits");
        if (!place->p)
            *place = STR("");
    }
    *out = q;
    return 0;
}

int connect_query_message(struct arena *a, const struct connect_query *q, struct str *out,
                          struct fail *f)
{
    if (!q->message.p)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "query", "the query has no message");
    if (!str_eq(q->base64, STR("1"))) {
        *out = q->message;
        return 0;
    }
    if (base64_decode_lenient(a, q->message, out) < 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "query", "the query's message is not base64");
    return 0;
}

/* e->ops stays NULL when the query names no codec: that is a bad media type. */
static int begin(struct envelope_call *e, struct fail *f)
{
    struct call *c = e->call;
    const struct http_req *req = &c->x->req;
    struct connect_query q = {0};

    if (connect_query_read(c->arena, req->query, &q, f) < 0) {
        e->ops = &envelope_connect_get;
        return -1;
    }
    if (str_eq(q.encoding, STR("proto"))) {
        e->codec = RPC_PROTO;
        e->content_type = STR("application/proto");
    } else if (str_eq(q.encoding, STR("json"))) {
        e->codec = RPC_JSON;
        e->content_type = STR("application/json");
    } else {
        return fail_set(f, CODE_INVALID_ARGUMENT, "the query names no known encoding");
    }
    e->ops = &envelope_connect_get;
    if (q.version.p && !str_eq(q.version, STR("v1")))
        return fail_reason(f, CODE_INVALID_ARGUMENT, "protocol_version",
                           "connect in the query must be \"v1\"");
    if (envelope_take_coding(q.compression, &e->request_gzip, f) < 0)
        return -1;
    e->answer_gzip =
        envelope_accepts_gzip(http_req_field(req, STR("accept-encoding")), e->request_gzip);
    if (connect_begin(e, f) < 0)
        return -1;
    return connect_query_message(c->arena, &q, &e->get_message, f);
}

static int decode(struct envelope_call *e, struct str body, void *request, struct fail *f)
{
    if (body.len > 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "body", "a GET has no body");
    return envelope_read(e, e->get_message, e->request_gzip, request, f);
}

static int encode(struct envelope_call *e, const void *response, struct fail *f)
{
    if (connect_encode(e, response, f) < 0)
        return -1;
    http_resp_add(e->call->x, STR("vary"), STR("accept-encoding"));
    http_resp_add(e->call->x, STR("cache-control"), STR("no-store"));
    return 0;
}

const struct envelope_ops envelope_connect_get = {
    .name = "connect",
    .begin = begin,
    .decode = decode,
    .encode = encode,
    .error = connect_error,
};
