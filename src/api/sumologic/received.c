/* SPDX-License-Identifier: Apache-2.0 */
#include "api/sumologic/received.h"

#include "codec/url.h"

#define METADATA_MAX ((size_t)16 << 10)
#define VALUE_MAX    ((size_t)4 << 10)

/* --- messages --- */

/* Cuts the first line off; without its line break. */
static struct str next_line(struct str *rest)
{
    struct str line = str_cut(rest, '\n');

    if (line.len > 0 && line.p[line.len - 1] == '\r')
        line.len--;
    return line;
}

uint64_t received_count(struct str body, bool message_per_request)
{
    uint64_t n = 0;

    if (message_per_request)
        return body.len > 0;
    while (body.len > 0)
        n += next_line(&body).len > 0;
    return n;
}

static bool holds(struct str type, struct str word)
{
    for (size_t i = 0; i + word.len <= type.len; i++)
        if (str_eq_nocase((struct str){type.p + i, word.len}, word))
            return true;
    return false;
}

/* Encoded messages would pass by rules unseen. */
static bool is_text(struct str type)
{
    return !holds(type, STR("protobuf")) && !holds(type, STR("octet-stream"));
}

int received_filter(struct arena *a, const struct rules *r, bool message_per_request,
                    struct str type, struct str body, size_t max, struct str *out,
                    uint64_t *messages, struct fail *f)
{
    struct buf kept;
    struct str rest = body;
    uint64_t n = 0;

    if (!is_text(type))
        return fail_reason(f, CODE_INVALID_ARGUMENT, "rules_need_text",
                           "this source has processing rules, which are for text only");
    buf_init_arena(&kept, a, max);
    while (rest.len > 0 && !kept.overflow) {
        struct str message = message_per_request ? rest : next_line(&rest);
        struct str passed;

        if (message_per_request)
            rest.len = 0;
        if (message.len == 0 || !rules_apply(r, a, message, &passed))
            continue;
        if (n++ > 0)
            buf_put_byte(&kept, '\n');
        buf_put_str(&kept, passed);
    }
    if (kept.overflow)
        return fail_reason(f, CODE_RESOURCE_EXHAUSTED, "body_too_large",
                           "the data is too large once its rules were applied");
    *out = buf_str(&kept);
    *messages = n;
    return 0;
}

/* --- metadata --- */

static const struct {
    struct str name;  /* in the spool */
    struct str field; /* of the request */
} known[] = {
    {STR_INIT("host"), STR_INIT("x-sumo-host")},
    {STR_INIT("name"), STR_INIT("x-sumo-name")},
    {STR_INIT("category"), STR_INIT("x-sumo-category")},
    {STR_INIT("fields"), STR_INIT("x-sumo-fields")},
    {STR_INIT("client"), STR_INIT("x-sumo-client")},
};

static bool is_metadata(struct str name)
{
    for (size_t i = 0; i < COUNTOF(known); i++)
        if (str_eq_nocase(name, known[i].field))
            return true;
    return false;
}

/* NUL and bytes that are no UTF-8 are what a decoded pair may hold: it is data. False: the pair is
 * not well encoded and stands for itself. */
static bool decode(struct arena *a, struct str in, struct str *out)
{
    return url_decode(a, URL_QUERY, in, out) != URL_BAD;
}

static struct str query_value(struct arena *a, struct str query, struct str field)
{
    while (query.len > 0) {
        struct str value = str_cut(&query, '&');
        struct str name = str_cut(&value, '=');
        struct str plain = {0};

        if (str_eq_nocase(name, field) && decode(a, value, &plain))
            return plain;
    }
    return STR("");
}

static struct str default_value(struct str defaults, struct str name)
{
    while (defaults.len > 0) {
        struct str value = str_cut(&defaults, '\n');

        if (str_eq(str_cut(&value, '='), name))
            return value;
    }
    return STR("");
}

/* One line, whatever was in it. */
static void put_value(struct buf *out, struct str value)
{
    value = str_first(str_trim(value), VALUE_MAX);
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = (uint8_t)value.p[i];

        buf_put_byte(out, c < ' ' || c == 0x7f ? ' ' : c);
    }
}

static void put_line(struct buf *out, struct str name, struct str value, struct str more)
{
    if (value.len == 0 && more.len == 0)
        return;
    buf_put_str(out, name);
    buf_put_byte(out, '=');
    put_value(out, value);
    if (value.len > 0 && more.len > 0)
        buf_put_str(out, STR(", "));
    put_value(out, more);
    buf_put_byte(out, '\n');
}

struct str received_metadata(struct arena *a, const struct http_req *req, struct str defaults,
                             struct str signal)
{
    struct buf out;

    buf_init_arena(&out, a, METADATA_MAX * 4);
    for (size_t i = 0; i < COUNTOF(known); i++) {
        struct str value = http_req_field(req, known[i].field);
        struct str fallback = default_value(defaults, known[i].name);
        bool adds_up = str_eq(known[i].name, STR("fields"));

        if (value.len == 0 && req->query.len > 0)
            value = query_value(a, req->query, known[i].field);
        put_line(&out, known[i].name, value,
                 value.len == 0 || adds_up ? fallback : (struct str){0});
    }
    put_line(&out, STR("signal"), signal, (struct str){0});
    return buf_str(&out);
}

struct str received_query(struct arena *a, struct str query)
{
    struct buf out;

    buf_init_arena(&out, a, query.len + 1);
    while (query.len > 0) {
        struct str pair = str_cut(&query, '&');
        struct str rest = pair;
        struct str plain = pair;

        if (is_metadata(str_cut(&rest, '=')))
            continue;
        IGNORE(decode(a, pair, &plain));
        if (out.len > 0)
            buf_put_byte(&out, '&');
        buf_put_str(&out, plain);
    }
    return buf_str(&out);
}
