/* SPDX-License-Identifier: Apache-2.0 */
/* llhttp, made to print what it understands. */
#include "net/http1_reference.h"

#include <llhttp.h>
#include <stdbool.h>

struct reference {
    struct buf *text;
    struct buf name;
    struct buf value;
    bool in_body;
    bool complete;
};

static int take_method(llhttp_t *p, const char *at, size_t len)
{
    struct reference *r = p->data;

    buf_put(r->text, at, len);
    return 0;
}

static int take_url(llhttp_t *p, const char *at, size_t len)
{
    struct reference *r = p->data;

    if (r->name.len == 0) {
        buf_put_byte(r->text, ' ');
        buf_put_byte(&r->name, 'u');
    }
    buf_put(r->text, at, len);
    return 0;
}

static int take_name(llhttp_t *p, const char *at, size_t len)
{
    struct reference *r = p->data;

    if (r->in_body)
        return 0;
    if (r->name.len > 0 && r->value.len == 0) {
        buf_put_byte(r->text, '\n');
        buf_clear(&r->name);
        buf_put_byte(&r->value, 'n');
    }
    for (size_t i = 0; i < len; i++)
        buf_put_byte(r->text, (uint8_t)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] + 32 : at[i]));
    return 0;
}

static int end_name(llhttp_t *p)
{
    struct reference *r = p->data;

    if (!r->in_body)
        buf_put_byte(r->text, ':');
    return 0;
}

static int take_value(llhttp_t *p, const char *at, size_t len)
{
    struct reference *r = p->data;

    if (!r->in_body)
        buf_put(r->text, at, len);
    return 0;
}

static int end_value(llhttp_t *p)
{
    struct reference *r = p->data;

    if (!r->in_body) {
        while (r->text->len > 0 &&
               (r->text->data[r->text->len - 1] == ' ' || r->text->data[r->text->len - 1] == '\t'))
            r->text->len--;
        buf_put_byte(r->text, '\n');
    }
    return 0;
}

static int end_head(llhttp_t *p)
{
    struct reference *r = p->data;

    if (r->value.len == 0)
        buf_put_byte(r->text, '\n');
    r->in_body = true;
    return 0;
}

static int take_body(llhttp_t *p, const char *at, size_t len)
{
    struct reference *r = p->data;

    buf_put(r->text, at, len);
    return 0;
}

static int end_message(llhttp_t *p)
{
    struct reference *r = p->data;

    r->complete = true;
    return HPE_PAUSED;
}

enum http1_reference_verdict http1_reference_read(const uint8_t *data, size_t len, struct buf *text)
{
    llhttp_settings_t settings;
    llhttp_t parser;
    struct reference r = {.text = text};
    enum http1_reference_verdict v = HTTP1_REFERENCE_REFUSES;

    buf_init(&r.name, 64);
    buf_init(&r.value, 64);
    llhttp_settings_init(&settings);
    settings.on_method = take_method;
    settings.on_url = take_url;
    settings.on_header_field = take_name;
    settings.on_header_field_complete = end_name;
    settings.on_header_value = take_value;
    settings.on_header_value_complete = end_value;
    settings.on_headers_complete = end_head;
    settings.on_body = take_body;
    settings.on_message_complete = end_message;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = &r;

    llhttp_errno_t e = llhttp_execute(&parser, (const char *)data, len);

    /* It reads Upgrade and some values of Connection in its own way, and wants tokens in the chunk
     * extensions, which we skip, and no tab behind a Content-Length. */
    if ((e == HPE_OK || e == HPE_PAUSED) && r.in_body)
        v = HTTP1_REFERENCE_SAME;
    else if (e == HPE_PAUSED_UPGRADE || e == HPE_INVALID_HEADER_TOKEN || e == HPE_STRICT ||
             e == HPE_INVALID_CHUNK_SIZE || e == HPE_INVALID_CONTENT_LENGTH)
        v = HTTP1_REFERENCE_DIFFERS;
    buf_done(&r.name);
    buf_done(&r.value);
    return v;
}
