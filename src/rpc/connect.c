/* SPDX-License-Identifier: Apache-2.0 */
/* Connect, one message each way: the bare message is the body, HTTP says the rest. */
#include "rpc/connect.h"

#include "codec/json_writer.h"

/* At most ten digits. */
static int take_timeout(struct envelope_call *e, struct fail *f)
{
    struct str text = http_req_field(&e->call->x->req, STR("connect-timeout-ms"));
    uint64_t ms;

    if (!text.p)
        return 0;
    if (text.len == 0 || text.len > 10 || str_to_u64(text, &ms) < 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "timeout",
                           "connect-timeout-ms must be a number of at most ten digits");
    envelope_set_timeout(e, ms * 1000);
    return 0;
}

int connect_begin(struct envelope_call *e, struct fail *f)
{
    struct str version = http_req_field(&e->call->x->req, STR("connect-protocol-version"));

    if (version.p && !str_eq(version, STR("1")))
        return fail_reason(f, CODE_INVALID_ARGUMENT, "protocol_version",
                           "connect-protocol-version must be \"1\"");
    return take_timeout(e, f);
}

static int begin(struct envelope_call *e, struct fail *f)
{
    const struct http_req *req = &e->call->x->req;

    if (envelope_take_coding(http_req_field(req, STR("content-encoding")), &e->request_gzip, f) < 0)
        return -1;
    e->answer_gzip =
        envelope_accepts_gzip(http_req_field(req, STR("accept-encoding")), e->request_gzip);
    return connect_begin(e, f);
}

static int decode(struct envelope_call *e, struct str body, void *request, struct fail *f)
{
    return envelope_read(e, body, e->request_gzip, request, f);
}

int connect_encode(struct envelope_call *e, const void *response, struct fail *f)
{
    struct call *c = e->call;
    bool gzipped;

    if (envelope_write(e, e->method->m->output, response, &c->out, &gzipped, f) < 0)
        return -1;
    c->content_type = e->content_type;
    http_resp_add(c->x, STR("accept-encoding"), STR("gzip"));
    if (gzipped)
        http_resp_add(c->x, STR("content-encoding"), STR("gzip"));
    envelope_put_fields(e, (struct str){NULL, 0}, &c->headers);
    envelope_put_fields(e, STR("trailer-"), &c->trailers);
    return 0;
}

void connect_error(struct envelope_call *e, const struct fail *f)
{
    struct call *c = e->call;
    struct json_writer w;

    c->content_type = STR("application/json");
    envelope_put_fields(e, (struct str){NULL, 0}, &c->headers);
    envelope_put_fields(e, STR("trailer-"), &c->trailers);
    json_writer_init(&w, &c->out);
    envelope_write_error(e, f, &w);
}

const struct envelope_ops envelope_connect = {
    .name = "connect",
    .begin = begin,
    .decode = decode,
    .encode = connect_encode,
    .error = connect_error,
};
