/* SPDX-License-Identifier: Apache-2.0 */
/* Turns what a handler wrote, or why it failed, into the answer's status, fields and body. */
#include <assert.h>

#include "base/number.h"
#include "rpc/envelope.h"
#include "rpc/flight.h"

#define ANSWER_DEFAULT_BYTES (1u << 20)
#define ERROR_BYTES          16384
#define FALLBACK_RETRY_MS    1000

static size_t answer_limit(const struct flight *fl)
{
    const struct route *route = fl->info->route;

    return route && route->answer_limit ? route->answer_limit : ANSWER_DEFAULT_BYTES;
}

void reply_reset(struct flight *fl)
{
    struct call *c = &fl->call;
    struct http_resp *resp = &c->x->resp;

    if (resp->source) {
        /* Its close() belongs to the loop. A handler that is run twice makes no sources. */
        assert(!fl->dropped);
        fl->dropped = resp->source;
        resp->source = NULL;
    }
    resp->field_count = 0;
    resp->trailer_count = 0;
    resp->source_length = -1;
    c->status = 0;
    c->content_type = (struct str){NULL, 0};
    buf_init_arena(&c->out, c->arena, answer_limit(fl));
}

static void add_number(struct flight *fl, struct str name, uint64_t n)
{
    char *text = arena_alloc_raw(fl->call.arena, NUMBER_TEXT_MAX);

    http_resp_add(fl->call.x, name, str_make(text, number_print_u64(n, text)));
}

static bool has_field(const struct http_resp *resp, struct str name)
{
    for (size_t i = 0; i < resp->field_count; i++)
        if (str_eq_nocase(resp->fields[i].name, name))
            return true;
    return false;
}

static void add_allow(struct flight *fl)
{
    struct buf text;

    buf_init_arena(&text, fl->call.arena, 128);
    for (int m = HTTP_GET; m < HTTP_OTHER; m++) {
        if (!(fl->allow & VERB(m)))
            continue;
        if (text.len > 0)
            buf_put_str(&text, STR(", "));
        buf_put_str(&text, str_of(http_method_name((enum http_method)m)));
    }
    http_resp_add(fl->call.x, STR("allow"), buf_str(&text));
}

static void add_retry_after(struct flight *fl)
{
    uint32_t ms = fl->fail.retry_after_ms;

    if (ms == 0 && fl->fail.code != CODE_UNAVAILABLE)
        return;
    if (ms == 0)
        ms = fl->d->host->retry_after_ms ? fl->d->host->retry_after_ms : FALLBACK_RETRY_MS;
    if (!has_field(&fl->call.x->resp, STR("retry-after")))
        add_number(fl, STR("retry-after"), ((uint64_t)ms + 999) / 1000);
}

/* What every answer carries. */
static void add_common(struct flight *fl)
{
    http_resp_add(fl->call.x, STR("x-request-id"), fl->call.request_id);
    if (fl->limit.headers && fl->limit.limit > 0) {
        add_number(fl, STR("ratelimit-limit"), fl->limit.limit);
        add_number(fl, STR("ratelimit-remaining"), fl->limit.remaining);
        add_number(fl, STR("ratelimit-reset"), ((uint64_t)fl->limit.reset_ms + 999) / 1000);
    }
}

static bool status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void put_answer(struct flight *fl, struct str body)
{
    struct call *c = &fl->call;
    struct http_resp *resp = &c->x->resp;

    resp->status = c->status;
    if (!status_has_body(c->status)) {
        body = (struct str){NULL, 0};
    } else if (c->content_type.len > 0) {
        http_resp_add(c->x, STR("content-type"), c->content_type);
    } else if (body.len > 0 || resp->source) {
        http_resp_add(c->x, STR("content-type"), fl->info->dialect->content_type);
    }
    resp->body = body;
    add_common(fl);
}

void reply_error(struct flight *fl, int status)
{
    struct call *c = &fl->call;
    const struct dialect *dialect = fl->info->dialect;

    reply_reset(fl);
    buf_init_arena(&c->out, c->arena, MAX(answer_limit(fl), (size_t)ERROR_BYTES));
    c->status = status ? status : code_http_status(fl->fail.code);
    fl->code = fl->fail.code;
    if (status == 405)
        add_allow(fl);
    if (!envelope_error(c, &fl->fail))
        dialect->error(c, &fl->fail);
    if (c->status == 401 && dialect->realm && !has_field(&c->x->resp, STR("www-authenticate")))
        http_resp_add(c->x, STR("www-authenticate"),
                      arena_printf(c->arena, "Basic realm=\"%s\"", dialect->realm));
    add_retry_after(fl);
    if (c->out.overflow) {
        log_error(&c->log, "error answer too large", KV_UINT("limit", c->out.max));
        buf_clear(&c->out);
    }
    put_answer(fl, buf_str(&c->out));
}

/* --- compression --- */

static bool type_is_compressible(struct str type)
{
    type = str_cut(&type, ';');
    return str_starts_with(type, STR("text/")) || str_starts_with(type, STR("application/json")) ||
           str_ends_with(type, STR("+json")) || str_eq(type, STR("application/proto"));
}

/* True when Accept-Encoding names gzip (or, without it, "*") with a weight that is not zero. */
static bool accepts_gzip(struct str value)
{
    bool star = false;

    while (value.len > 0) {
        struct str item = str_cut(&value, ',');
        struct str name = str_trim(str_cut(&item, ';'));
        struct str weight = str_trim(item);
        bool zero = str_starts_with(weight, STR("q=0"));

        for (size_t i = 3; zero && i < weight.len; i++)
            zero = weight.p[i] == '.' || weight.p[i] == '0';
        if (str_eq_nocase(name, STR("gzip")))
            return !zero;
        if (str_eq(name, STR("*")))
            star = !zero;
    }
    return star;
}

static struct str compress(struct flight *fl, struct str body)
{
    struct call *c = &fl->call;
    size_t floor = fl->d->host->gzip_min_bytes;
    struct str type = c->content_type.len > 0 ? c->content_type : fl->info->dialect->content_type;

    if (floor == 0 || body.len < floor || (fl->info->route->flags & ROUTE_NO_GZIP) != 0 ||
        !type_is_compressible(type) || has_field(&c->x->resp, STR("content-encoding")))
        return body;
    http_resp_add(c->x, STR("vary"), STR("accept-encoding"));
    if (!accepts_gzip(http_req_field(&c->x->req, STR("accept-encoding"))))
        return body;

    struct buf small;

    buf_init_arena(&small, c->arena, body.len); /* what does not shrink goes out as it is */
    if (coders_deflate(fl->d->coders, body, &small) < 0)
        return body;
    http_resp_add(c->x, STR("content-encoding"), STR("gzip"));
    return buf_str(&small);
}

void reply_success(struct flight *fl, bool may_compress)
{
    struct call *c = &fl->call;
    struct str body = buf_str(&c->out);

    if (c->out.overflow) {
        IGNORE(fail_set(&fl->fail, CODE_INTERNAL, "the answer is too large"));
        log_error(&c->log, "answer too large", KV_UINT("limit", c->out.max));
        reply_error(fl, 0);
        return;
    }
    fl->code = CODE_OK;
    if (c->status == 0)
        c->status = 200;
    if (may_compress && !envelope_reads_head(c) && !c->x->resp.source && status_has_body(c->status))
        body = compress(fl, body);
    put_answer(fl, body);
}
