/* SPDX-License-Identifier: Apache-2.0 */
/* The head is first searched for its end, eight bytes at a time for anything that is not plain
 * text, and parsed in one go once it is whole. Whatever the search meets first decides, by its
 * position alone, so that splitting the input changes nothing. */
#include "net/http1.h"

#include <string.h>

#include "net/target.h"

#define BLANK_LINES_MAX 4

static enum http1_verdict refuse(struct http1_refusal *r, enum http_refusal why,
                                 const char *message)
{
    *r = (struct http1_refusal){why, message};
    return HTTP1_REFUSED;
}

static int malformed(struct http1_refusal *r, const char *message)
{
    *r = (struct http1_refusal){HTTP_REFUSE_MALFORMED, message};
    return -1;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1" */
static int parse_version(struct str s, struct http_req *req, struct http1_refusal *r)
{
    if (s.len != 8 || memcmp(s.p, "HTTP/", 5) != 0 || !is_digit(s.p[5]) || s.p[6] != '.' ||
        !is_digit(s.p[7]))
        return malformed(r, "the request line does not end in an HTTP version");
    if (s.p[5] == '1' && (s.p[7] == '0' || s.p[7] == '1')) {
        req->version = s.p[7] == '1' ? 11 : 10;
        return 0;
    }
    refuse(r, HTTP_REFUSE_VERSION, "only HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here");
    return -1;
}

/* method SP target SP version, single spaces. */
static int parse_request_line(struct str line, struct http_req *req, struct http1_refusal *r)
{
    struct str rest = line;
    struct str method = str_cut(&rest, ' ');
    struct str target = str_cut(&rest, ' ');

    if (!token_is_valid(method))
        return malformed(r, "the method is not a token");
    if (parse_version(rest, req, r) < 0)
        return -1;
    req->method = method_parse(method);
    req->method_text = method;

    switch (target_parse(target, req)) {
    case TARGET_OK: return 0;
    case TARGET_MALFORMED: return malformed(r, "the request target is malformed");
    case TARGET_FOREIGN:
        refuse(r, HTTP_REFUSE_MISDIRECTED, "this server is not a proxy");
        return -1;
    }
    return -1;
}

/* Index of the first byte below 0x20, or end. */
static size_t next_control(const uint8_t *p, size_t i, size_t end)
{
    const uint64_t ones = ~UINT64_C(0) / 255;

    while (i + 8 <= end) {
        uint64_t w;

        memcpy(&w, p + i, 8);
        if ((w - ones * 0x20) & ~w & (ones * 0x80))
            break;
        i += 8;
    }
    while (i < end && p[i] >= 0x20)
        i++;
    return i;
}

/* The request line comes before all else: when it is bad, that is the answer. */
static enum http1_verdict check_line(struct http1_scan *s, const uint8_t *data,
                                     enum http1_verdict v, struct http1_refusal *r)
{
    struct http1_refusal first;
    struct http_req scratch = {0};

    if (s->trailers || s->checked || s->lines == 0)
        return v;
    s->checked = true;
    if (parse_request_line(str_make(data + s->start, s->first), &scratch, &first) == 0)
        return v;
    *r = first;
    return HTTP1_REFUSED;
}

/* A CRLF ends at s->at. */
static enum http1_verdict end_line(struct http1_scan *s, const struct http_limits *limits,
                                   struct http1_refusal *r)
{
    bool empty = s->at - s->line == 2;

    if (empty && (s->lines > 0 || s->trailers))
        return HTTP1_DONE;
    if (empty) {
        if (++s->blanks > BLANK_LINES_MAX)
            return refuse(r, HTTP_REFUSE_MALFORMED, "blank lines stand where a request should");
        s->start = s->line = s->at;
        return HTTP1_MORE;
    }
    if (s->lines == 0)
        s->first = s->at - 2 - s->start;
    s->lines++;
    s->line = s->at;
    if (s->lines > limits->header_count + (s->trailers ? 0 : 1))
        return refuse(r, HTTP_REFUSE_FIELDS_TOO_LARGE, "too many header fields");
    return HTTP1_MORE;
}

static enum http1_verdict scan_step(struct http1_scan *s, const uint8_t *data, size_t len,
                                    const struct http_limits *limits, bool *again,
                                    struct http1_refusal *r)
{
    size_t end = MIN(len, s->start + limits->header_bytes);
    size_t i = next_control(data, s->at, end);

    *again = false;
    s->at = (uint32_t)i;
    if (s->lines == 0 && !s->trailers && i - s->start > limits->request_line_bytes)
        return refuse(r, HTTP_REFUSE_URI_TOO_LONG, "the request line is too long");
    if (i == end || (data[i] == '\r' && i + 1 == end)) {
        if (end - s->start >= limits->header_bytes)
            return refuse(r, HTTP_REFUSE_FIELDS_TOO_LARGE, "the header fields are too long");
        return HTTP1_MORE;
    }
    *again = true;
    if (data[i] == '\t') {
        s->at++;
        return HTTP1_MORE;
    }
    if (data[i] == '\n')
        return refuse(r, HTTP_REFUSE_MALFORMED, "a line ends in a bare LF");
    if (data[i] != '\r')
        return refuse(r, HTTP_REFUSE_MALFORMED, "the head holds a control character");
    if (data[i + 1] != '\n')
        return refuse(r, HTTP_REFUSE_MALFORMED, "the head holds a bare CR");
    s->at += 2;
    return end_line(s, limits, r);
}

enum http1_verdict http1_scan(struct http1_scan *s, const uint8_t *data, size_t len,
                              const struct http_limits *limits, struct http1_refusal *r)
{
    enum http1_verdict v;
    bool again;

    do {
        v = scan_step(s, data, len, limits, &again, r);
    } while (v == HTTP1_MORE && again);
    return v == HTTP1_DONE ? v : check_line(s, data, v, r);
}

/* Lower-cases the name in place. Length of the name, 0 when it is malformed. */
static size_t take_name(char *p, size_t len)
{
    size_t i = 0;

    while (i < len) {
        char c = (char)token_lower[(unsigned char)p[i]];

        if (c == 0)
            break;
        p[i++] = c;
    }
    return i < len && p[i] == ':' ? i : 0;
}

static struct str trim(const char *p, size_t len)
{
    while (len > 0 && (*p == ' ' || *p == '\t')) {
        p++;
        len--;
    }
    while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t'))
        len--;
    return str_make(p, len);
}

/* Lines up to the blank one; the search has made sure that CR and LF come only in pairs. */
static int parse_fields(char *p, char *end, struct http_field *fields, size_t *count,
                        struct http1_refusal *r)
{
    size_t n = 0;

    while (end - p > 2) {
        char *cr = memchr(p, '\r', (size_t)(end - p));
        size_t name = take_name(p, (size_t)(cr - p));

        if (name == 0)
            return malformed(r, *p == ' ' || *p == '\t' ? "a header field is folded"
                                                        : "a header field's name is malformed");
        fields[n++] = (struct http_field){
            str_make(p, name),
            trim(p + name + 1, (size_t)(cr - p) - name - 1),
        };
        p = cr + 2;
    }
    *count = n;
    return 0;
}

/* Field values that shape the message; counted because each may come only once. */
struct shape {
    struct str host;
    struct str length;
    struct str coding;
    struct str connection;
    struct str expect;
    unsigned hosts;
    unsigned lengths;
    unsigned codings;
    unsigned expects;
    bool close;
    bool keep_alive;
};

static void take_connection(struct shape *s, struct str value)
{
    while (value.len > 0) {
        struct str option = str_trim(str_cut(&value, ','));

        if (str_eq_nocase(option, STR("close")))
            s->close = true;
        else if (str_eq_nocase(option, STR("keep-alive")))
            s->keep_alive = true;
    }
}

static void take_shape(struct shape *s, const struct http_req *req)
{
    for (size_t i = 0; i < req->field_count; i++) {
        const struct http_field *f = &req->fields[i];

        switch (f->name.len) {
        case 4:
            if (str_eq(f->name, STR("host"))) {
                s->host = f->value;
                s->hosts++;
            }
            break;
        case 6:
            if (str_eq(f->name, STR("expect"))) {
                s->expect = f->value;
                s->expects++;
            }
            break;
        case 10:
            if (str_eq(f->name, STR("connection")))
                take_connection(s, f->value);
            break;
        case 14:
            if (str_eq(f->name, STR("content-length"))) {
                s->length = f->value;
                s->lengths++;
            }
            break;
        case 17:
            if (str_eq(f->name, STR("transfer-encoding"))) {
                s->coding = f->value;
                s->codings++;
            }
            break;
        default: break;
        }
    }
}

static int check_host(const struct shape *s, struct http_req *req, struct http1_refusal *r)
{
    if (s->hosts > 1)
        return malformed(r, "there is more than one Host");
    if (s->hosts == 0)
        return req->version == 11 ? malformed(r, "there is no Host") : 0;
    if (!authority_is_valid(s->host))
        return malformed(r, "the Host is malformed");
    if (req->authority.len == 0)
        req->authority = s->host;
    return 0;
}

/* "chunked" and nothing else. Unknown codings in front of it, or alone, are 501; a chunked that is
 * not the last, or comes twice, makes the length a guess and is refused as malformed. */
static int check_coding(const struct shape *s, const struct http_req *req, struct http1_refusal *r)
{
    struct str rest = s->coding;
    bool last_chunked = false;

    if (str_eq_nocase(s->coding, STR("chunked")) && s->codings == 1 && s->lengths == 0 &&
        req->version == 11)
        return 0;
    if (req->version == 10)
        return malformed(r, "Transfer-Encoding does not exist in HTTP/1.0");
    if (s->lengths > 0)
        return malformed(r, "there are both Content-Length and Transfer-Encoding");
    if (s->codings > 1)
        return malformed(r, "there is more than one Transfer-Encoding");
    do {
        struct str coding = str_trim(str_cut(&rest, ','));

        if (!token_is_valid(coding) || last_chunked)
            return malformed(r, "the Transfer-Encoding is malformed");
        last_chunked = str_eq_nocase(coding, STR("chunked"));
    } while (rest.len > 0);
    refuse(r, HTTP_REFUSE_NOT_IMPLEMENTED, "the only transfer coding is chunked");
    return -1;
}

static int check_length(const struct shape *s, struct http_req *req, struct http1_refusal *r)
{
    uint64_t length;

    if (s->lengths > 1)
        return malformed(r, "there is more than one Content-Length");
    if (s->length.len > 18 || str_to_u64(s->length, &length) < 0)
        return malformed(r, "the Content-Length is malformed");
    req->content_length = (int64_t)length;
    return 0;
}

static int check_shape(const struct shape *s, struct http_req *req, struct http1_framing *framing,
                       struct http1_refusal *r)
{
    if (check_host(s, req, r) < 0)
        return -1;
    if (s->codings > 0) {
        if (check_coding(s, req, r) < 0)
            return -1;
        framing->chunked = true;
    } else if (s->lengths > 0 && check_length(s, req, r) < 0) {
        return -1;
    }
    framing->keep_alive = !s->close && (req->version == 11 || s->keep_alive);
    if (s->expects > 0 && req->version == 11) {
        if (s->expects > 1 || !str_eq_nocase(s->expect, STR("100-continue"))) {
            refuse(r, HTTP_REFUSE_EXPECTATION, "the only expectation met is 100-continue");
            return -1;
        }
        framing->expects_continue = true;
    }
    return 0;
}

int http1_parse(struct arena *a, const struct http1_scan *s, const uint8_t *data,
                struct http_req *req, struct http1_framing *framing, struct http1_refusal *r)
{
    size_t len = s->at - s->start;
    char *head = arena_alloc_raw(a, len);
    struct shape shape = {0};

    memcpy(head, data + s->start, len);
    *framing = (struct http1_framing){0};
    req->content_length = -1;
    if (parse_request_line(str_make(head, s->first), req, r) < 0)
        return -1;
    if (memchr(head, 0x7f, len))
        return malformed(r, "the head holds a control character");
    req->fields = arena_alloc_raw(a, s->lines * sizeof(*req->fields));
    if (parse_fields(head + s->first + 2, head + len, req->fields, &req->field_count, r) < 0)
        return -1;
    take_shape(&shape, req);
    return check_shape(&shape, req, framing, r);
}

bool http1_is_foreign(const struct http1_scan *s, const uint8_t *data)
{
    struct str version = str_make(data + s->start, s->first);
    struct str method = str_cut(&version, ' ');
    struct str target = str_cut(&version, ' ');

    return s->lines > 0 && token_is_valid(method) && token_is_valid(target) &&
           token_is_valid(version) && !str_eq(target, STR("*"));
}

void http1_salvage(struct arena *a, const struct http1_scan *s, const uint8_t *data,
                   struct http_req *req)
{
    struct http1_refusal r;

    req->content_length = -1;
    if (s->trailers || s->lines == 0)
        return;
    IGNORE(parse_request_line(arena_str(a, str_make(data + s->start, s->first)), req, &r));
}

int http1_parse_trailers(struct arena *a, const struct http1_scan *s, const uint8_t *data,
                         struct http_req *req, struct http1_refusal *r)
{
    size_t len = s->at - s->start;
    size_t count = 0, kept = 0;

    if (s->lines == 0)
        return 0;

    char *text = arena_alloc_raw(a, len);
    struct http_field *fields = arena_alloc_raw(a, s->lines * sizeof(*fields));

    memcpy(text, data + s->start, len);
    if (memchr(text, 0x7f, len))
        return malformed(r, "the trailers hold a control character");
    if (parse_fields(text, text + len, fields, &count, r) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (trailer_is_framing(fields[i].name))
            return malformed(r, "a trailer would change how the message is read");
        if (!trailer_is_head_only(fields[i].name))
            fields[kept++] = fields[i];
    }
    req->trailers = fields;
    req->trailer_count = kept;
    return 0;
}
