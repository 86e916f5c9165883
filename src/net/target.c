/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets, authorities and tokens. */
#include "net/target.h"

#include "base/macros.h"

/* Letters in both cases, digits and !#$%&'*+-.^_`|~ */
const unsigned char token_lower[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*',
    ['+'] = '+', ['-'] = '-', ['.'] = '.', ['^'] = '^', ['_'] = '_', ['`'] = '`',   ['|'] = '|',
    ['~'] = '~', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',   ['5'] = '5',
    ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b',   ['c'] = 'c',
    ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i',   ['j'] = 'j',
    ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p',   ['q'] = 'q',
    ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w',   ['x'] = 'x',
    ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd',   ['E'] = 'e',
    ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k',   ['L'] = 'l',
    ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r',   ['S'] = 's',
    ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y',   ['Z'] = 'z',
};

bool token_is_valid(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!token_lower[(unsigned char)s.p[i]])
            return false;
    return s.len > 0;
}

bool trailer_is_head_only(struct str name)
{
    static const struct str names[] = {
        STR_INIT("authorization"),    STR_INIT("cache-control"), STR_INIT("connection"),
        STR_INIT("content-encoding"), STR_INIT("content-range"), STR_INIT("content-type"),
        STR_INIT("cookie"),           STR_INIT("expect"),        STR_INIT("keep-alive"),
        STR_INIT("max-forwards"),     STR_INIT("range"),         STR_INIT("te"),
        STR_INIT("trailer"),          STR_INIT("upgrade"),
    };

    for (size_t i = 0; i < COUNTOF(names); i++)
        if (str_eq(name, names[i]))
            return true;
    return false;
}

bool trailer_is_framing(struct str name)
{
    return str_eq(name, STR("content-length")) || str_eq(name, STR("transfer-encoding")) ||
           str_eq(name, STR("host"));
}

enum http_method method_parse(struct str token)
{
    for (int m = HTTP_GET; m < HTTP_OTHER; m++)
        if (str_eq(token, str_of(http_method_name((enum http_method)m))))
            return (enum http_method)m;
    return HTTP_OTHER;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool is_alpha(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* unreserved, percent-encoded or sub-delims of RFC 3986. */
static bool reg_name_is_valid(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (c == '%') {
            if (i + 2 >= s.len || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2]))
                return false;
            i += 2;
        } else if (c == '\0' || (!is_alpha(c) && !is_digit(c) && !strchr("-._~!$&'()*+,;=", c))) {
            return false;
        }
    }
    return s.len > 0;
}

static bool ip_literal_is_valid(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_hex(s.p[i]) && s.p[i] != ':' && s.p[i] != '.')
            return false;
    return s.len > 0;
}

bool authority_is_valid(struct str s)
{
    struct str host;
    struct str port = {0};
    ptrdiff_t bracket = str_index(s, ']');

    if (s.len > 0 && s.p[0] == '[') {
        if (bracket < 0)
            return false;
        host = str_make(s.p + 1, (size_t)bracket - 1);
        port = str_skip(s, (size_t)bracket + 1);
        if (!ip_literal_is_valid(host) || (port.len > 0 && port.p[0] != ':'))
            return false;
        port = str_skip(port, 1);
    } else {
        port = s;
        host = str_cut(&port, ':');
        if (!reg_name_is_valid(host))
            return false;
    }

    for (size_t i = 0; i < port.len; i++)
        if (!is_digit(port.p[i]))
            return false;
    return port.len <= 5;
}

/* Visible ASCII without '#', which starts a fragment and never travels. */
static bool bytes_are_valid(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || s.p[i] == '#')
            return false;
    return s.len > 0;
}

static void split_query(struct str path, struct http_req *req)
{
    req->query = path;
    req->path = str_cut(&req->query, '?');
}

/* scheme "://", at least. */
static bool is_absolute(struct str s)
{
    size_t i = 0;

    while (i < s.len &&
           (is_alpha(s.p[i]) ||
            (i > 0 && (is_digit(s.p[i]) || (s.p[i] != '\0' && strchr("+-.", s.p[i]))))))
        i++;
    return i > 0 && str_starts_with(str_skip(s, i), STR("://"));
}

static enum target_verdict parse_absolute(struct str target, struct http_req *req)
{
    struct str rest = target;
    struct str scheme = str_cut(&rest, ':');

    if (!str_eq_nocase(scheme, STR("http")) && !str_eq_nocase(scheme, STR("https")))
        return TARGET_FOREIGN;
    rest = str_skip(rest, 2);

    size_t end = 0;

    while (end < rest.len && rest.p[end] != '/' && rest.p[end] != '?')
        end++;

    struct str authority = str_first(rest, end);

    if (!authority_is_valid(authority))
        return TARGET_MALFORMED;
    req->authority = authority;

    rest = str_skip(rest, end);
    if (rest.len > 0 && rest.p[0] == '/') {
        split_query(rest, req);
        return TARGET_OK;
    }
    req->path = STR("/");
    req->query = str_skip(rest, 1);
    return TARGET_OK;
}

enum target_verdict target_parse_path(struct str path, struct http_req *req)
{
    if (!bytes_are_valid(path))
        return TARGET_MALFORMED;
    req->target = path;
    if (req->method == HTTP_OTHER && str_eq(req->method_text, STR("CONNECT")))
        return TARGET_FOREIGN;
    if (path.p[0] == '/') {
        split_query(path, req);
        return TARGET_OK;
    }
    if (!str_eq(path, STR("*")) || req->method != HTTP_OPTIONS)
        return TARGET_MALFORMED;
    req->path = path;
    return TARGET_OK;
}

enum target_verdict target_parse(struct str target, struct http_req *req)
{
    if (!bytes_are_valid(target) || !is_absolute(target) ||
        (req->method == HTTP_OTHER && str_eq(req->method_text, STR("CONNECT"))))
        return target_parse_path(target, req);
    req->target = target;
    return parse_absolute(target, req);
}
