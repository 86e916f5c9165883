/* SPDX-License-Identifier: Apache-2.0 */
#include "api/sumologic/received.h"

#include "codec/url.h"

#define METADATA_MAX ((size_t)16 << 10)
#define VALUE_MAX    ((size_t)4 << 10)

/* Of a worker's own time, for the rules of one request. */
#define RULES_TIME_US INT64_C(5000000)

/* --- messages --- */

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

uint64_t received_count(const struct boundary *by, struct str type, struct str body)
{
    struct messages m;
    struct str message;
    uint64_t n = 0;

    if (!is_text(type))
        return body.len > 0;
    messages_begin(&m, by, body);
    while (messages_next(&m, &message))
        n++;
    return n;
}

static enum rules_verdict filter(const struct rules *r, struct rules_work *w, struct messages *m,
                                 struct buf *kept, uint64_t *count)
{
    struct str message, passed;

    while (messages_next(m, &message) && !kept->overflow) {
        enum rules_verdict v = rules_apply(r, w, message, &passed);

        if (v == RULES_TOO_MUCH)
            return v;
        if (v == RULES_DROPPED)
            continue;
        if ((*count)++ > 0)
            buf_put_byte(kept, '\n');
        buf_put_str(kept, passed);
    }
    return kept->overflow ? RULES_TOO_MUCH : RULES_PASSED;
}

int received_filter(struct arena *a, const struct rules *r, const struct boundary *by,
                    struct str type, struct str body, size_t max, struct str *out,
                    uint64_t *messages, struct fail *f)
{
    struct rules_work w;
    struct messages m;
    struct buf kept;
    uint64_t n = 0;

    if (!is_text(type))
        return fail_reason(f, CODE_INVALID_ARGUMENT, "rules_need_text",
                           "this source has processing rules, which are for text only");
    buf_init_arena(&kept, a, max);
    rules_work_init(&w, max, RULES_TIME_US);
    messages_begin(&m, by, body);

    enum rules_verdict v = filter(r, &w, &m, &kept, &n);
    bool slow = w.over_time;

    rules_work_done(&w);
    if (v == RULES_TOO_MUCH)
        return fail_reason(f, CODE_RESOURCE_EXHAUSTED, "body_too_large",
                           slow ? "the rules of this source take too long for the data"
                                : "the data is too large once its rules were applied");
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
    {STR_INIT("dimensions"), STR_INIT("x-sumo-dimensions")},
    {STR_INIT("metadata"), STR_INIT("x-sumo-metadata")},
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

void received_put_text(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.p[i];

        buf_put_byte(out, c < ' ' || c == 0x7f ? ' ' : c);
    }
}

/* Of the values that are not empty the first one, or all. */
static void put_line(struct buf *out, struct str name, const struct str *values, size_t count,
                     bool adds_up)
{
    size_t used = 0;

    for (size_t i = 0; i < count && (used == 0 || adds_up); i++) {
        if (values[i].len == 0)
            continue;
        buf_put_str(out, used == 0 ? name : STR(","));
        buf_put_byte(out, used == 0 ? '=' : ' ');
        received_put_text(out, str_first(str_trim(values[i]), VALUE_MAX));
        used++;
    }
    if (used > 0)
        buf_put_byte(out, '\n');
}

struct str received_metadata(struct arena *a, const struct http_req *req,
                             struct received_defaults defaults, struct str signal)
{
    struct buf out;

    buf_init_arena(&out, a, METADATA_MAX * 4);
    for (size_t i = 0; i < COUNTOF(known); i++) {
        struct str said = http_req_field(req, known[i].field);

        if (said.len == 0 && req->query.len > 0)
            said = query_value(a, req->query, known[i].field);

        const struct str values[] = {said, default_value(defaults.source, known[i].name),
                                     default_value(defaults.collector, known[i].name)};

        put_line(&out, known[i].name, values, COUNTOF(values),
                 str_eq(known[i].name, STR("fields")));
    }
    put_line(&out, STR("signal"), &signal, 1, false);
    return buf_str(&out);
}

/* With the rest it must fit into the head of one request, whatever a client calls its data. */
struct str received_type(const struct http_req *req)
{
    if (req->method == HTTP_GET)
        return STR("text/plain");
    return str_first(http_req_field(req, STR("content-type")), VALUE_MAX);
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
