/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes through the HTTP/1.1 parser, in one piece and split where the first byte says: the same
 * outcome, and never a read outside. Where llhttp is installed, what we accept it must accept too,
 * with the same method, target, fields and body. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "net/http1.h"

#ifdef HAVE_LLHTTP
#include "net/http1_reference.h"
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was understood: "name:value\n" for each field, then the body. */
struct outcome {
    enum http1_verdict verdict;
    enum http_refusal why;
    size_t used;
    struct buf text;
};

struct reader {
    struct arena *arena;
    struct http_limits limits;
    struct http1_scan scan;
    struct http1_chunks chunks;
    struct http1_framing framing;
    struct http_req req;
    size_t at;
    bool headed;
    bool last;
};

static enum http1_verdict read_chunks(struct reader *r, const uint8_t *data, size_t len,
                                      struct outcome *o, struct http1_refusal *why)
{
    for (;;) {
        struct str body = {0};
        size_t used = 0;

        switch (http1_chunks_feed(&r->chunks, data + r->at, len - r->at, &used, &body, why)) {
        case HTTP1_CHUNK_MORE: r->at += used; return HTTP1_MORE;
        case HTTP1_CHUNK_DATA:
            r->at += used;
            buf_put_str(&o->text, body);
            break;
        case HTTP1_CHUNK_LAST:
            r->at += used;
            r->last = true;
            return HTTP1_MORE;
        case HTTP1_CHUNK_REFUSED: return HTTP1_REFUSED;
        }
    }
}

static enum http1_verdict read_head(struct reader *r, const uint8_t *data, size_t len,
                                    struct outcome *o, struct http1_refusal *why)
{
    enum http1_verdict v = http1_scan(&r->scan, data, len, &r->limits, why);

    if (v != HTTP1_DONE)
        return v;
    if (http1_parse(r->arena, &r->scan, data, &r->req, &r->framing, why) < 0)
        return HTTP1_REFUSED;
    buf_put_str(&o->text, r->req.method_text);
    buf_put_byte(&o->text, ' ');
    buf_put_str(&o->text, r->req.target);
    buf_put_byte(&o->text, '\n');
    for (size_t i = 0; i < r->req.field_count; i++) {
        buf_put_str(&o->text, r->req.fields[i].name);
        buf_put_byte(&o->text, ':');
        buf_put_str(&o->text, r->req.fields[i].value);
        buf_put_byte(&o->text, '\n');
    }
    r->headed = true;
    r->at = r->scan.at;
    r->scan = (struct http1_scan){.trailers = true};
    return r->framing.chunked ? HTTP1_MORE : HTTP1_DONE;
}

static enum http1_verdict read_more(struct reader *r, const uint8_t *data, size_t len,
                                    struct outcome *o)
{
    struct http1_refusal why = {HTTP_REFUSE_MALFORMED, NULL};
    enum http1_verdict v = HTTP1_MORE;

    if (!r->headed)
        v = read_head(r, data, len, o, &why);
    if (v == HTTP1_MORE && r->headed && !r->last)
        v = read_chunks(r, data, len, o, &why);
    if (v == HTTP1_MORE && r->last) {
        v = http1_scan(&r->scan, data + r->at, len - r->at, &r->limits, &why);
        if (v == HTTP1_DONE &&
            http1_parse_trailers(r->arena, &r->scan, data + r->at, &r->req, &why) < 0)
            v = HTTP1_REFUSED;
        if (v == HTTP1_DONE)
            r->at += r->scan.at;
    }
    if (v == HTTP1_REFUSED)
        o->why = why.why;
    o->used = r->at;
    return v;
}

static void read_all(const uint8_t *data, size_t size, size_t step, struct outcome *o)
{
    struct reader r = {.arena = arena_new(2048)};

    http_limits_default(&r.limits);
    r.limits.request_line_bytes = 200;
    r.limits.header_bytes = 1000;
    r.limits.header_count = 10;
    *o = (struct outcome){.verdict = HTTP1_MORE};
    buf_init(&o->text, 1 << 20);
    for (size_t len = 0; len < size && o->verdict == HTTP1_MORE;) {
        len = MIN(len + step, size);

        /* An exact copy: a read past its end is caught. */
        uint8_t *copy = malloc(len);

        if (!copy)
            abort();
        memcpy(copy, data, len);
        o->verdict = read_more(&r, copy, len, o);
        free(copy);
    }
    arena_free(&r.arena);
}

#ifdef HAVE_LLHTTP
/* llhttp knows a fixed list of methods and wants URLs in its own form for some: only what both are
 * meant to take is compared. */
static bool is_comparable(const struct outcome *o)
{
    struct str text = buf_str(&o->text);

    return str_starts_with(text, STR("GET /")) || str_starts_with(text, STR("POST /")) ||
           str_starts_with(text, STR("PUT /")) || str_starts_with(text, STR("HEAD /"));
}

static void compare(const uint8_t *data, const struct outcome *o)
{
    struct buf text;

    if (o->verdict != HTTP1_DONE || !is_comparable(o))
        return;
    buf_init(&text, 1 << 20);
    switch (http1_reference_read(data, o->used, &text)) {
    case HTTP1_REFERENCE_SAME:
        if (!str_eq(buf_str(&text), buf_str(&o->text)))
            abort();
        break;
    case HTTP1_REFERENCE_REFUSES: abort();
    case HTTP1_REFERENCE_DIFFERS: break;
    }
    buf_done(&text);
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, parts;

    if (size < 2)
        return 0;
    read_all(data + 1, size - 1, size, &whole);
    read_all(data + 1, size - 1, (size_t)data[0] % 16 + 1, &parts);
    if (whole.verdict != parts.verdict ||
        (whole.verdict == HTTP1_DONE && whole.used != parts.used) ||
        !str_eq(buf_str(&whole.text), buf_str(&parts.text)) ||
        (whole.verdict == HTTP1_REFUSED && whole.why != parts.why))
        abort();
#ifdef HAVE_LLHTTP
    compare(data + 1, &whole);
#endif
    buf_done(&whole.text);
    buf_done(&parts.text);
    return 0;
}
