/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/1.1 parser against a table of requests, each also split at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "net/http1.h"

#define OK (-1)

/* A whole request, parsed: verdict and a printed form of what was understood. */
struct outcome {
    enum http1_verdict verdict;
    struct http1_refusal refusal;
    struct buf text;
};

static void print_fields(struct buf *out, const struct http_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%.*s=%.*s;", STR_ARG(fields[i].name), STR_ARG(fields[i].value));
}

static enum http1_verdict take_chunks(struct arena *a, struct buf *in, size_t *at,
                                      struct http1_chunks *chunks, struct outcome *o, bool *last)
{
    (void)a;
    for (;;) {
        struct str body = {0};
        size_t used = 0;

        switch (
            http1_chunks_feed(chunks, in->data + *at, in->len - *at, &used, &body, &o->refusal)) {
        case HTTP1_CHUNK_MORE: *at += used; return HTTP1_MORE;
        case HTTP1_CHUNK_DATA:
            *at += used;
            buf_put_str(&o->text, body);
            break;
        case HTTP1_CHUNK_LAST:
            *at += used;
            *last = true;
            return HTTP1_MORE;
        case HTTP1_CHUNK_REFUSED: return HTTP1_REFUSED;
        }
    }
}

/* Feeds data in pieces of the sizes that `next` gives. */
static void run(struct outcome *o, const char *data, size_t len, size_t first, size_t step,
                const struct http_limits *limits)
{
    struct arena *a = arena_new(4096);
    struct http1_scan scan = {0};
    struct http1_chunks chunks = {0};
    struct http1_framing framing = {0};
    struct http_req req = {0};
    struct buf in;
    size_t fed = 0, at = 0;
    bool headed = false, last = false;

    *o = (struct outcome){.verdict = HTTP1_MORE};
    buf_init(&o->text, 1 << 20);
    buf_init(&in, 1 << 20);
    while (o->verdict == HTTP1_MORE && fed < len) {
        size_t n = MIN(fed == 0 ? first : step, len - fed);

        buf_put(&in, data + fed, n);
        fed += n;
        if (!headed) {
            o->verdict = http1_scan(&scan, in.data, in.len, limits, &o->refusal);
            if (o->verdict != HTTP1_DONE)
                continue;
            if (http1_parse(a, &scan, in.data, &req, &framing, &o->refusal) < 0) {
                o->verdict = HTTP1_REFUSED;
                break;
            }
            buf_printf(&o->text, "%.*s %.*s ? %.*s @ %.*s v%d k%d e%d cl%lld [",
                       STR_ARG(req.method_text), STR_ARG(req.path), STR_ARG(req.query),
                       STR_ARG(req.authority), req.version, framing.keep_alive,
                       framing.expects_continue, (long long)req.content_length);
            print_fields(&o->text, req.fields, req.field_count);
            buf_printf(&o->text, "] ");
            headed = true;
            at = scan.at;
            scan = (struct http1_scan){.trailers = true};
            o->verdict = framing.chunked ? HTTP1_MORE : HTTP1_DONE;
        }
        if (framing.chunked && !last)
            o->verdict = take_chunks(a, &in, &at, &chunks, o, &last);
        if (last && o->verdict == HTTP1_MORE) {
            o->verdict = http1_scan(&scan, in.data + at, in.len - at, limits, &o->refusal);
            if (o->verdict == HTTP1_DONE &&
                http1_parse_trailers(a, &scan, in.data + at, &req, &o->refusal) < 0)
                o->verdict = HTTP1_REFUSED;
            buf_printf(&o->text, o->verdict == HTTP1_DONE ? " {" : "");
            if (o->verdict == HTTP1_DONE)
                print_fields(&o->text, req.trailers, req.trailer_count);
        }
    }
    buf_done(&in);
    arena_free(&a);
}

static void done(struct outcome *o)
{
    buf_done(&o->text);
}

static void limits_for_tests(struct http_limits *l)
{
    http_limits_default(l);
    l->request_line_bytes = 64;
    l->header_bytes = 256;
    l->header_count = 5;
}

#define HOST "Host: a\r\n"

static const struct {
    const char *in;
    int want; /* OK, or the refusal */
} table[] = {
    {"GET / HTTP/1.1\r\n" HOST "\r\n", OK},
    {"\r\nGET / HTTP/1.1\r\n" HOST "\r\n", OK},
    {"\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", OK},
    {"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"\nGET / HTTP/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.0\r\n\r\n", OK},
    {"GET / HTTP/1.0\r\n" HOST HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", OK},
    {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: a:80\r\n\r\n", OK},
    {"GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", OK},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\nHost: a\n\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "X: \x7f\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "X: \x01\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "X: \x80\xff\r\n\r\n", OK},
    {"GET / HTTP/1.1\r\n" HOST "X:\tb\t \r\n\r\n", OK},
    {"GET / HTTP/1.1\r\n" HOST "X:\r\n\r\n", OK},
    {"GET / HTTP/1.1\r\n" HOST "X : b\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST " X: b\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "X: b\r\n c\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "X(: b\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST "X\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET /\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / \r\n", HTTP_REFUSE_MALFORMED},
    {"GET  / HTTP/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"GET /  HTTP/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.1 \r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {" GET / HTTP/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"GET\t/\tHTTP/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"G@T / HTTP/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"get / HTTP/1.1\r\n" HOST "\r\n", OK},
    {"GET / http/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1\r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"GET / HTTP/1.2\r\n" HOST "\r\n", HTTP_REFUSE_VERSION},
    {"GET / HTTP/2.0\r\n" HOST "\r\n", HTTP_REFUSE_VERSION},
    {"GET / HTTP/0.9\r\n" HOST "\r\n", HTTP_REFUSE_VERSION},
    {"PRI * HTTP/2.0\r\n\r\n", HTTP_REFUSE_VERSION},
    {"GET a HTTP/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"GET /a#b HTTP/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"GET /\x80 HTTP/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"GET /a?b?c=%41 HTTP/1.1\r\n" HOST "\r\n", OK},
    {"GET * HTTP/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", OK},
    {"CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MISDIRECTED},
    {"GET http://b/c?d HTTP/1.1\r\n" HOST "\r\n", OK},
    {"GET http://b HTTP/1.1\r\n" HOST "\r\n", OK},
    {"GET http:// HTTP/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"GET http://u@b/ HTTP/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MALFORMED},
    {"GET http://b/ HTTP/1.1\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"GET ftp://b/ HTTP/1.1\r\n" HOST "\r\n", HTTP_REFUSE_MISDIRECTED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n", OK},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", OK},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: -3\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3 3\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x3\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 9999999999999999999\r\n\r\n",
     HTTP_REFUSE_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n",
     HTTP_REFUSE_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
     HTTP_REFUSE_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", HTTP_REFUSE_NOT_IMPLEMENTED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
     HTTP_REFUSE_NOT_IMPLEMENTED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n",
     HTTP_REFUSE_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked;q=1\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     HTTP_REFUSE_MALFORMED},
    {"POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {"POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n\r\n", OK},
    {"POST / HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n", HTTP_REFUSE_EXPECTATION},
    {"GET / HTTP/1.1\r\n" HOST "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", OK},
    {"GET / HTTP/1.1\r\n" HOST "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n\r\n",
     HTTP_REFUSE_FIELDS_TOO_LARGE},
    {"GET /0123456789012345678901234567890123456789012345678901234567890 HTTP/1.1\r\n\r\n",
     HTTP_REFUSE_URI_TOO_LONG},
#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
    {CHUNKED "0\r\n\r\n", OK},
    {CHUNKED "3\r\nabc\r\n00a\r\n0123456789\r\n0\r\n\r\n", OK},
    {CHUNKED "3;x=\"y\"\r\nabc\r\n0;z\r\nT: v\r\nU: w\r\n\r\n", OK},
    {CHUNKED "3\nabc\r\n0\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED "3\r\nabc\n0\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED "3\r\nabcd\r\n0\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED "3 \r\nabc\r\n0\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED " 3\r\nabc\r\n0\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED "0x3\r\nabc\r\n0\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED "\r\nabc\r\n0\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED "-3\r\nabc\r\n0\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED "0000000000000003\r\nabc\r\n0\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED "ffffffffffffffff\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED "3;\x01\r\nabc\r\n0\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED "3;\n\r\nabc\r\n0\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED "0\r\nContent-Length: 3\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED "0\r\nHost: b\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED "0\r\nTransfer-Encoding: x\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED "0\r\nT : v\r\n\r\n", HTTP_REFUSE_MALFORMED},
    {CHUNKED "0\r\nAuthorization: v\r\nX: y\r\n\r\n", OK},
    {CHUNKED "0\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\nF: 1\r\n\r\n",
     HTTP_REFUSE_FIELDS_TOO_LARGE},
};

static void table_has_the_expected_verdicts(void **state)
{
    struct http_limits limits;

    (void)state;
    limits_for_tests(&limits);
    for (size_t i = 0; i < COUNTOF(table); i++) {
        struct outcome o;
        size_t len = strlen(table[i].in);

        run(&o, table[i].in, len, len, len, &limits);

        int got = o.verdict == HTTP1_REFUSED ? (int)o.refusal.why : OK;

        if (o.verdict == HTTP1_MORE || got != table[i].want)
            fail_msg("row %zu: verdict %d, refusal %d (%s), wanted %d", i, o.verdict,
                     (int)o.refusal.why, o.verdict == HTTP1_REFUSED ? o.refusal.message : "",
                     table[i].want);
        done(&o);
    }
}

static void expect_same(size_t row, const struct outcome *a, const struct outcome *b)
{
    if (a->verdict != b->verdict || !str_eq(buf_str(&a->text), buf_str(&b->text)) ||
        (a->verdict == HTTP1_REFUSED &&
         (a->refusal.why != b->refusal.why || a->refusal.message != b->refusal.message)))
        fail_msg("row %zu: '%.*s' in one piece, '%.*s' in parts", row, STR_ARG(buf_str(&a->text)),
                 STR_ARG(buf_str(&b->text)));
}

static void splitting_the_input_changes_nothing(void **state)
{
    struct http_limits limits;

    (void)state;
    limits_for_tests(&limits);
    for (size_t i = 0; i < COUNTOF(table); i++) {
        size_t len = strlen(table[i].in);
        struct outcome whole, parts;

        run(&whole, table[i].in, len, len, len, &limits);
        for (size_t cut = 1; cut < len; cut++) {
            run(&parts, table[i].in, len, cut, len, &limits);
            expect_same(i, &whole, &parts);
            done(&parts);
        }
        for (size_t step = 1; step < 4; step++) {
            run(&parts, table[i].in, len, step, step, &limits);
            expect_same(i, &whole, &parts);
            done(&parts);
        }
        done(&whole);
    }
}

static void fields_are_trimmed_and_lower_case(void **state)
{
    struct http_limits limits;
    struct outcome o;
    const char *in =
        "PUT /a%20b?c=d HTTP/1.1\r\nHOST:  Example.org:80\t\r\nX-Mixed: A b \r\n"
        "Content-Length: 12\r\nConnection: TE, Close\r\n\r\n";

    (void)state;
    http_limits_default(&limits);
    run(&o, in, strlen(in), strlen(in), 1, &limits);
    assert_int_equal(o.verdict, HTTP1_DONE);
    buf_put_byte(&o.text, 0);
    assert_string_equal((char *)o.text.data,
                        "PUT /a%20b ? c=d @ Example.org:80 v11 k0 e0 cl12 "
                        "[host=Example.org:80;x-mixed=A b;content-length=12;"
                        "connection=TE, Close;] ");
    done(&o);
}

static void trailers_are_kept_unless_they_belong_in_a_head(void **state)
{
    struct http_limits limits;
    struct outcome o;
    const char *in = CHUNKED "2;e\r\nok\r\n0\r\nGrpc-Status: 0\r\nAuthorization: x\r\n\r\n";

    (void)state;
    http_limits_default(&limits);
    run(&o, in, strlen(in), strlen(in), 1, &limits);
    assert_int_equal(o.verdict, HTTP1_DONE);
    buf_put_byte(&o.text, 0);
    assert_non_null(strstr((char *)o.text.data, "] ok {grpc-status=0;"));
    assert_null(strstr((char *)o.text.data, "authorization"));
    done(&o);
}

static void absolute_target_wins_over_host(void **state)
{
    struct http_limits limits;
    struct outcome o;
    const char *in = "GET HTTP://b:1?q HTTP/1.1\r\nHost: a\r\n\r\n";

    (void)state;
    http_limits_default(&limits);
    run(&o, in, strlen(in), strlen(in), 1, &limits);
    assert_int_equal(o.verdict, HTTP1_DONE);
    assert_true(str_starts_with(buf_str(&o.text), STR("GET / ? q @ b:1 v11")));
    done(&o);
}

static void version_1_0_keeps_alive_only_when_asked(void **state)
{
    struct http_limits limits;
    struct outcome o;
    const char *plain = "GET / HTTP/1.0\r\n\r\n";
    const char *asked = "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n";

    (void)state;
    http_limits_default(&limits);
    run(&o, plain, strlen(plain), strlen(plain), 1, &limits);
    assert_true(str_starts_with(buf_str(&o.text), STR("GET / ?  @  v10 k0")));
    done(&o);
    run(&o, asked, strlen(asked), strlen(asked), 1, &limits);
    assert_true(str_starts_with(buf_str(&o.text), STR("GET / ?  @  v10 k1")));
    done(&o);
}

static void nul_is_refused_at_once(void **state)
{
    struct http_limits limits;
    struct http1_scan scan = {0};
    struct http1_refusal r;

    (void)state;
    http_limits_default(&limits);
    assert_int_equal(http1_scan(&scan, (const uint8_t *)"GET /\0", 6, &limits, &r), HTTP1_REFUSED);
    assert_int_equal(r.why, HTTP_REFUSE_MALFORMED);
}

static void refused_head_still_tells_its_path(void **state)
{
    struct http_limits limits;
    struct http1_scan scan = {0};
    struct http1_refusal r;
    struct http_req req = {0};
    struct arena *a = arena_new(1024);
    const char *in = "GET /v1/x HTTP/1.1\r\nBad\n";

    (void)state;
    http_limits_default(&limits);
    assert_int_equal(http1_scan(&scan, (const uint8_t *)in, strlen(in), &limits, &r),
                     HTTP1_REFUSED);
    http1_salvage(a, &scan, (const uint8_t *)in, &req);
    assert_true(str_eq(req.path, STR("/v1/x")));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_has_the_expected_verdicts),
        cmocka_unit_test(splitting_the_input_changes_nothing),
        cmocka_unit_test(fields_are_trimmed_and_lower_case),
        cmocka_unit_test(trailers_are_kept_unless_they_belong_in_a_head),
        cmocka_unit_test(absolute_target_wins_over_host),
        cmocka_unit_test(version_1_0_keeps_alive_only_when_asked),
        cmocka_unit_test(nul_is_refused_at_once),
        cmocka_unit_test(refused_head_still_tells_its_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
