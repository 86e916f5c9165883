/* SPDX-License-Identifier: Apache-2.0 */
#include "api/sumologic/internal.h"

#define JSON_DEPTH 32
#define JSON_NODES 100000

struct sumologic_app *sumo_app(const struct call *c)
{
    return c->app;
}

struct realm *sumo_realm(const struct call *c)
{
    return registry_realm(sumo_app(c)->registry, c->caller->tenant);
}

int64_t sumo_now_us(const struct call *c)
{
    return clock_wall_us(sumo_app(c)->clock);
}

bool sumo_id(struct str text, int64_t *out)
{
    int64_t n = 0;

    if (text.len == 0 || text.p[0] == '0' || str_to_i64(text, &n) < 0 || n <= 0)
        return false;
    *out = n;
    return true;
}

struct str sumo_hex(struct arena *a, int64_t id)
{
    return arena_printf(a, "%016llX", (unsigned long long)id);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool sumo_hex_id(struct str text, int64_t *out)
{
    uint64_t n = 0;

    if (text.len != 16)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = hex_digit(text.p[i]);

        if (digit < 0)
            return false;
        n = n << 4 | (uint64_t)digit;
    }
    if (n == 0 || n > INT64_MAX)
        return false;
    *out = (int64_t)n;
    return true;
}

/* --- bodies --- */

static int media_check(const struct call *c, struct fail *f)
{
    const struct http_req *req = &c->x->req;
    struct str value = http_req_field(req, STR("content-type"));

    if (http_req_field_count(req, STR("content-type")) == 1 &&
        str_eq_nocase(str_trim(str_cut(&value, ';')), STR("application/json")))
        return 0;
    return fail_reason(f, CODE_INVALID_ARGUMENT, "media_type", "Invalid content type.");
}

/* Files that some editors write begin with a byte order mark. */
static struct str without_mark(struct str body)
{
    return str_starts_with(body, STR("\xef\xbb\xbf")) ? str_skip(body, 3) : body;
}

int sumo_member(const struct json_value *body, const char *key, const struct json_value **out,
                struct fail *f)
{
    const struct json_value *member = json_find(body, str_of(key));

    if (!member || member->kind == JSON_KIND_NULL)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_missing",
                           "Missing required field: '%s'", key);
    if (member->kind != JSON_KIND_OBJECT)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                           "Field '%s' must be an object.", key);
    *out = member;
    return 0;
}

int sumo_body(struct call *c, const char *key, const struct json_value **out, struct fail *f)
{
    static const struct json_limits limits = {.depth = JSON_DEPTH, .nodes = JSON_NODES};
    struct json_value *whole = NULL;
    struct fail why = {0};

    if (media_check(c, f) < 0)
        return -1;
    if (json_parse(c->arena, without_mark(c->x->req.body), &limits, &whole, &why) < 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_json",
                           "The request body is not valid JSON: %s.", why.message);
    if (whole->kind != JSON_KIND_OBJECT)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_json",
                           "The request body must be a JSON object.");
    if (key)
        return sumo_member(whole, key, out, f);
    *out = whole;
    return 0;
}

int sumo_body_id(const struct json_value *body, int64_t id, const char *reason, struct fail *f)
{
    const struct json_value *v = json_find(body, STR("id"));
    int64_t sent = 0;

    if (!v || v->kind == JSON_KIND_NULL)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_missing",
                           "Missing required field: 'id'");

    bool is_number = v->kind == JSON_KIND_STRING
                         ? sumo_id(v->text, &sent)
                         : v->kind == JSON_KIND_NUMBER && json_num_i64(v->text, &sent) == 0;

    if (is_number && sent == id)
        return 0;
    return fail_reason(f, CODE_INVALID_ARGUMENT, reason, "The request body has another ID.");
}

/* --- queries --- */

int sumo_page(const struct call *c, size_t default_limit, struct sumo_page *out, struct fail *f)
{
    struct str text;
    uint64_t limit = default_limit, offset = 0;

    if (call_query(c, STR("limit"), &text) && (str_to_u64(text, &limit) < 0 || limit < 1))
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_limit",
                           "The limit must be a whole number of at least 1.");
    if (call_query(c, STR("offset"), &text) &&
        (str_to_u64(text, &offset) < 0 || offset > INT64_MAX))
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_offset",
                           "The offset must be a whole number of at least 0.");
    out->limit = (size_t)MIN(limit, (uint64_t)SUMO_PAGE_MAX);
    out->offset = (size_t)offset;
    return 0;
}

int sumo_query_bool(const struct call *c, const char *name, bool *out, struct fail *f)
{
    struct str text;

    *out = false;
    if (!call_query(c, str_of(name), &text) || str_eq_nocase(text, STR("false")))
        return 0;
    if (str_eq_nocase(text, STR("true"))) {
        *out = true;
        return 0;
    }
    return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid", "%s must be true or false.",
                       name);
}

/* --- times --- */

int sumo_cutoff(struct str text, int64_t now_us, int64_t *out_ms, struct fail *f)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {
        {'M', INT64_C(30) * 86400000},
        {'w', INT64_C(7) * 86400000},
        {'d', 86400000},
        {'h', 3600000},
        {'m', 60000},
    };
    uint64_t n = 0;
    bool negative = str_starts_with(text, STR("-"));
    struct str digits = negative ? str_skip(text, 1) : text;

    for (size_t i = 0; digits.len > 1 && i < COUNTOF(units); i++) {
        int64_t ago = 0;

        if (digits.p[digits.len - 1] != units[i].unit ||
            str_to_u64(str_first(digits, digits.len - 1), &n) < 0 || (!negative && n != 0) ||
            __builtin_mul_overflow(n, units[i].ms, &ago))
            continue;
        *out_ms = MAX(now_us / 1000 - ago, 0);
        return 0;
    }
    return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                       "cutoffRelativeTime must look like \"-1h\": units are M, w, d, h and m.");
}

/* --- conditions --- */

enum tag_verdict {
    TAG_MATCHES,
    TAG_DIFFERS,
    TAG_UNQUOTED,
};

/* The next of a list, without its quotes; a comma within them is part of it. -1: it has none. */
static int tag_next(struct str *list, struct str *tag, bool *is_weak)
{
    struct str rest = *list;

    *is_weak = str_starts_with(rest, STR("W/"));
    if (*is_weak)
        rest = str_skip(rest, 2);
    if (rest.len == 0 || rest.p[0] != '"')
        return -1;
    rest = str_skip(rest, 1);

    ptrdiff_t close = str_index(rest, '"');

    if (close < 0)
        return -1;
    *tag = str_first(rest, (size_t)close);
    rest = str_trim(str_skip(rest, (size_t)close + 1));
    if (rest.len > 0 && rest.p[0] != ',')
        return -1;
    *list = rest;
    return 0;
}

/* A list of entity tags as RFC 9110 has them; `weak` says whether W/"..." may match. */
static enum tag_verdict tags_match(struct str list, struct str etag, bool weak)
{
    enum tag_verdict verdict = TAG_DIFFERS;

    list = str_trim(list);
    if (str_eq(list, STR("*")))
        return TAG_MATCHES;
    while (list.len > 0) {
        struct str tag;
        bool is_weak;

        if (list.p[0] == ',') {
            list = str_trim(str_skip(list, 1));
            continue;
        }
        if (tag_next(&list, &tag, &is_weak) < 0)
            return TAG_UNQUOTED;
        if (str_eq(tag, etag) && (weak || !is_weak))
            verdict = TAG_MATCHES;
    }
    return verdict;
}

int sumo_if_match(const struct call *c, struct str etag, struct fail *f)
{
    struct str sent = str_trim(http_req_field(&c->x->req, STR("if-match")));

    if (sent.len == 0)
        return fail_reason(f, CODE_PERMISSION_DENIED, "if_match_missing",
                           "The If-Match header is missing.");
    switch (tags_match(sent, etag, false)) {
    case TAG_MATCHES: return 0;
    case TAG_UNQUOTED:
        return fail_reason(f, CODE_INVALID_ARGUMENT, "if_match_unquoted",
                           "The If-Match header must hold a quoted entity tag.");
    case TAG_DIFFERS: break;
    }
    return fail_reason(f, CODE_ABORTED, "etag_mismatch",
                       "The resource was changed since its entity tag was read.");
}

void sumo_etag(struct call *c, struct str etag)
{
    http_resp_add(c->x, STR("etag"), arena_printf(c->arena, "\"%.*s\"", STR_ARG(etag)));
}

bool sumo_etag_is_known(struct call *c, struct str etag)
{
    struct str sent = http_req_field(&c->x->req, STR("if-none-match"));

    sumo_etag(c, etag);
    if (sent.len == 0 || tags_match(sent, etag, true) != TAG_MATCHES)
        return false;
    c->status = 304;
    return true;
}

/* --- addresses --- */

/* What may stand in a URL as host and port. */
static bool authority_is_plain(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']'))
            return false;
    }
    return s.len > 0 && s.len <= 255;
}

struct str sumo_base_url(const struct call *c)
{
    const struct sumologic_settings *settings = &sumo_app(c)->settings;
    const struct http_req *req = &c->x->req;

    if (settings->public_url.len > 0)
        return settings->public_url;
    if (req->peer->admin_socket && settings->own_url.len > 0)
        return settings->own_url;

    struct str host = req->authority.len > 0 ? req->authority : http_req_field(req, STR("host"));

    if (!authority_is_plain(host))
        host = STR("localhost");
    return arena_printf(c->arena, "%s://%.*s", req->peer->tls ? "https" : "http", STR_ARG(host));
}
