/* SPDX-License-Identifier: Apache-2.0 */
/* connectrpc.conformance.v1.ConformanceService: says what it received and answers what it is told
 * to answer. */
#include "echo_service.h"

#include "codec/base64.h"
#include "codec/url.h"
#include "proto/connectrpc_conformance_v1_service.pb.h"

typedef struct connectrpc_conformance_v1_conformance_payload_request_info request_info;
typedef struct connectrpc_conformance_v1_header header;
typedef struct connectrpc_conformance_v1_error error;

#define HEADERS_MAX 256

/* One entry a name, its values in order. */
static void header_add(struct arena *a, header *items, size_t *count, struct str name,
                       struct str value)
{
    header *h = NULL;

    for (size_t i = 0; i < *count; i++)
        if (str_eq(items[i].name, name))
            h = &items[i];
    if (!h) {
        if (*count == HEADERS_MAX)
            return;
        h = &items[(*count)++];
        h->name = name;
    }

    struct str *values = arena_new_array(a, struct str, h->value.count + 1);

    if (h->value.count > 0)
        memcpy(values, h->value.items, h->value.count * sizeof(*values));
    values[h->value.count++] = value;
    h->value.items = values;
}

static void headers_seen(struct call *c, request_info *info)
{
    size_t at = 0;
    struct str name, value;

    info->request_headers.items = arena_new_array(c->arena, header, HEADERS_MAX);
    while (call_metadata_next(c, &at, &name, &value))
        header_add(c->arena, info->request_headers.items, &info->request_headers.count, name,
                   value);
}

static void timeout_seen(struct call *c, request_info *info)
{
    if (c->deadline_us == INT64_MAX)
        return;
    info->has_timeout_ms = true;
    info->timeout_ms = (c->deadline_us - c->x->req.started_us) / 1000;
}

static void query_seen(struct call *c, request_info *info)
{
    struct connectrpc_conformance_v1_conformance_payload_connect_get_info *get;
    struct str query = c->x->req.query;

    if (c->x->req.method != HTTP_GET)
        return;
    get = arena_new_type(c->arena,
                         struct connectrpc_conformance_v1_conformance_payload_connect_get_info);
    get->query_params.items = arena_new_array(c->arena, header, HEADERS_MAX);
    while (query.len > 0) {
        struct str value = str_cut(&query, '&');
        struct str name = str_cut(&value, '=');

        if (url_decode(c->arena, URL_QUERY, name, &name) != URL_BAD &&
            url_decode(c->arena, URL_QUERY, value, &value) != URL_BAD)
            header_add(c->arena, get->query_params.items, &get->query_params.count, name, value);
    }
    info->connect_get_info = get;
}

static request_info *info_new(struct call *c, const struct proto_message *m, const void *request)
{
    request_info *info = arena_new_type(c->arena, request_info);
    struct buf bytes;

    headers_seen(c, info);
    timeout_seen(c, info);
    query_seen(c, info);
    buf_init_arena(&bytes, c->arena, (size_t)64 << 20);
    if (request && proto_encode(m, request, &bytes) == 0) {
        info->requests.items = arena_new_array(c->arena, struct google_protobuf_any, 1);
        info->requests.items[0].type_url =
            arena_printf(c->arena, "type.googleapis.com/%.*s", STR_ARG(m->full_name));
        info->requests.items[0].value = buf_str(&bytes);
        info->requests.count = 1;
    }
    return info;
}

/* Binary values come as base64, and call_header() wants bytes. */
static struct str header_value(struct call *c, struct str name, struct str value)
{
    struct str bytes;

    if (str_ends_with(name, STR("-bin")) && base64_decode_lenient(c->arena, value, &bytes) == 0)
        return bytes;
    return value;
}

static struct str lower(struct arena *a, struct str s)
{
    char *p = arena_cstr(a, s);

    for (size_t i = 0; i < s.len; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] - 'A' + 'a');
    return str_make(p, s.len);
}

static void put_headers(struct call *c, const header *items, size_t count,
                        void (*add)(struct call *c, struct str name, struct str value))
{
    for (size_t i = 0; i < count; i++) {
        struct str name = lower(c->arena, items[i].name);

        for (size_t k = 0; k < items[i].value.count; k++)
            add(c, name, header_value(c, name, items[i].value.items[k]));
    }
}

static struct str type_of(struct str url)
{
    ptrdiff_t slash;

    while ((slash = str_index(url, '/')) >= 0)
        url = str_skip(url, (size_t)slash + 1);
    return url;
}

static int fail_as_told(struct call *c, const error *e, const request_info *info, struct fail *f)
{
    struct buf bytes;

    for (size_t i = 0; i < e->details.count; i++)
        call_detail(c, type_of(e->details.items[i].type_url), e->details.items[i].value);
    if (info) {
        const struct proto_message *m =
            &connectrpc_conformance_v1_conformance_payload_request_info_desc;

        buf_init_arena(&bytes, c->arena, (size_t)64 << 20);
        if (proto_encode(m, info, &bytes) == 0)
            call_detail(c, m->full_name, buf_str(&bytes));
    }
    return echo_fail(f, e->code, e->message);
}

static int answer(struct call *c,
                  const struct connectrpc_conformance_v1_unary_response_definition *d,
                  request_info *info, struct connectrpc_conformance_v1_conformance_payload **out,
                  struct fail *f)
{
    struct connectrpc_conformance_v1_conformance_payload *payload =
        arena_new_type(c->arena, struct connectrpc_conformance_v1_conformance_payload);

    payload->request_info = info;
    *out = payload;
    if (!d)
        return 0;
    put_headers(c, d->response_headers.items, d->response_headers.count, call_header);
    put_headers(c, d->response_trailers.items, d->response_trailers.count, call_trailer);
    if (echo_sleep(c, d->response_delay_ms, f) < 0)
        return -1;
    switch (d->response_case) {
    case CONNECTRPC_CONFORMANCE_V1_UNARY_RESPONSE_DEFINITION_RESPONSE_NOT_SET: break;
    case CONNECTRPC_CONFORMANCE_V1_UNARY_RESPONSE_DEFINITION_RESPONSE_RESPONSE_DATA:
        payload->data = d->response.response_data;
        break;
    case CONNECTRPC_CONFORMANCE_V1_UNARY_RESPONSE_DEFINITION_RESPONSE_ERROR:
        return fail_as_told(c, d->response.error, info, f);
    }
    return 0;
}

static int unary(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct connectrpc_conformance_v1_unary_request *in = request;
    struct connectrpc_conformance_v1_unary_response *out = response;

    return answer(c, in->response_definition,
                  info_new(c, &connectrpc_conformance_v1_unary_request_desc, in), &out->payload, f);
}

static int idempotent_unary(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct connectrpc_conformance_v1_idempotent_unary_request *in = request;
    struct connectrpc_conformance_v1_idempotent_unary_response *out = response;

    return answer(c, in->response_definition,
                  info_new(c, &connectrpc_conformance_v1_idempotent_unary_request_desc, in),
                  &out->payload, f);
}

static int server_stream(struct call *c, const void *request, struct rpc_stream *s, struct fail *f)
{
    const struct connectrpc_conformance_v1_server_stream_request *in = request;
    const struct connectrpc_conformance_v1_stream_response_definition *d = in->response_definition;
    struct echo_app *app = c->app;
    request_info *info = info_new(c, &connectrpc_conformance_v1_server_stream_request_desc, in);

    if (!d)
        return 0;
    put_headers(c, d->response_headers.items, d->response_headers.count, call_header);
    put_headers(c, d->response_trailers.items, d->response_trailers.count, call_trailer);
    for (size_t i = 0; i < d->response_data.count; i++) {
        struct connectrpc_conformance_v1_conformance_payload payload = {
            .data = d->response_data.items[i], .request_info = i == 0 ? info : NULL};
        struct connectrpc_conformance_v1_server_stream_response out = {.payload = &payload};
        int64_t until = clock_mono_us(app->clock) + (int64_t)d->response_delay_ms * 1000;

        if (d->response_delay_ms > 0 && rpc_wait(s, until, f) < 0)
            return -1;
        if (rpc_send(s, &out, f) < 0)
            return -1;
    }
    if (!d->error)
        return 0;
    return fail_as_told(c, d->error, d->response_data.count == 0 ? info : NULL, f);
}

static const struct rpc_handler handlers[] = {
    {.method = "Unary", .unary = unary},
    {.method = "IdempotentUnary", .unary = idempotent_unary},
    {.method = "ServerStream", .stream = server_stream},
};

const struct rpc_service conformance_service = {
    .service = &connectrpc_conformance_v1_conformance_service_desc,
    .handlers = handlers,
    .handler_count = COUNTOF(handlers),
};
