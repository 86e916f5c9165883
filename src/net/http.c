/* SPDX-License-Identifier: Apache-2.0 */
/* What requests and answers have in common whatever carries them. */
#include "net/http.h"

#define FIELDS_FIRST 8

struct str http_req_field(const struct http_req *r, struct str name)
{
    for (size_t i = 0; i < r->field_count; i++)
        if (str_eq(r->fields[i].name, name))
            return r->fields[i].value;
    return (struct str){0};
}

size_t http_req_field_count(const struct http_req *r, struct str name)
{
    size_t n = 0;

    for (size_t i = 0; i < r->field_count; i++)
        n += str_eq(r->fields[i].name, name);
    return n;
}

static void add(struct arena *a, struct http_field **fields, size_t *count, size_t *cap,
                struct http_field field)
{
    if (*count == *cap) {
        size_t room = *cap ? 2 * *cap : FIELDS_FIRST;
        struct http_field *more = arena_alloc_raw(a, room * sizeof(*more));

        if (*count > 0)
            memcpy(more, *fields, *count * sizeof(*more));
        *fields = more;
        *cap = room;
    }
    (*fields)[(*count)++] = field;
}

void http_resp_add(struct http_x *x, struct str name, struct str value)
{
    struct http_resp *r = &x->resp;

    add(x->arena, &r->fields, &r->field_count, &r->field_cap, (struct http_field){name, value});
}

void http_resp_trailer(struct http_x *x, struct str name, struct str value)
{
    struct http_resp *r = &x->resp;

    add(x->arena, &r->trailers, &r->trailer_count, &r->trailer_cap,
        (struct http_field){name, value});
}

const char *http_method_name(enum http_method m)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
        [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
        [HTTP_OPTIONS] = "OPTIONS", [HTTP_OTHER] = "OTHER",
    };

    _Static_assert(COUNTOF(names) == HTTP_METHOD_COUNT, "name every method");
    return names[m];
}

const char *http_status_text(int status)
{
    switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 423: return "Locked";
    case 424: return "Failed Dependency";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
    }
}
