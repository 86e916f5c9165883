/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding, query strings, absolute URLs. Pure; any thread. */
#include "codec/url.h"

#include <arpa/inet.h>
#include <string.h>

#define HOST_MAX 253 /* longest name that DNS can carry */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 3986 section 2.3: never needs encoding. */
static bool is_unreserved(char c)
{
    return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool has_nul(struct str s)
{
    return s.len > 0 && memchr(s.p, '\0', s.len) != NULL;
}

static bool needs_decoding(enum url_part part, struct str s)
{
    return s.len > 0 && (memchr(s.p, '%', s.len) || (part == URL_QUERY && memchr(s.p, '+', s.len)));
}

enum url_result url_decode(struct arena *a, enum url_part part, struct str in, struct str *out)
{
    struct str decoded = in;

    if (needs_decoding(part, in)) {
        char *bytes = arena_alloc_raw(a, in.len);
        size_t n = 0;

        for (size_t i = 0; i < in.len; i++) {
            char c = in.p[i];

            if (c == '%') {
                int high = in.len - i > 2 ? hex_value(in.p[i + 1]) : -1;
                int low = in.len - i > 2 ? hex_value(in.p[i + 2]) : -1;

                if (high < 0 || low < 0)
                    return URL_BAD;
                c = (char)(high << 4 | low);
                i += 2;
            } else if (c == '+' && part == URL_QUERY) {
                c = ' ';
            }
            bytes[n++] = c;
        }
        decoded = str_make(bytes, n);
    }
    *out = decoded;
    return has_nul(decoded) ? URL_NUL : URL_OK;
}

static int decode_query_text(struct arena *a, struct str in, struct str *out, struct fail *f)
{
    switch (url_decode(a, URL_QUERY, in, out)) {
    case URL_OK: return 0;
    case URL_NUL: return fail_set(f, CODE_INVALID_ARGUMENT, "query string holds a NUL byte");
    case URL_BAD: break;
    }
    return fail_set(f, CODE_INVALID_ARGUMENT,
                    "query string holds a '%%' that is not followed by two hex digits");
}

int url_query_next(struct url_query *q, struct arena *a, struct str *name, struct str *value,
                   struct fail *f)
{
    struct str pair = {0}, key, text;

    while (pair.len == 0) {
        if (q->rest.len == 0)
            return 0;
        pair = str_cut(&q->rest, '&');
    }

    bool has_value = str_index(pair, '=') >= 0;

    key = str_cut(&pair, '=');
    if (decode_query_text(a, key, &key, f) < 0 || decode_query_text(a, pair, &text, f) < 0)
        return -1;
    *name = key;
    *value = has_value ? text : (struct str){0};
    return 1;
}

void url_put_encoded(struct buf *out, struct str s)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = (uint8_t)s.p[i];

        if (is_unreserved(s.p[i])) {
            buf_put_byte(out, c);
        } else {
            const char text[3] = {'%', hex[c >> 4], hex[c & 15]};

            buf_put(out, text, sizeof(text));
        }
    }
}

static int refuse(struct fail *f, const char *why)
{
    return fail_set(f, CODE_INVALID_ARGUMENT, "not a usable URL: %s", why);
}

static bool is_scheme(struct str s)
{
    if (s.len == 0 || !is_alpha(s.p[0]))
        return false;
    for (size_t i = 1; i < s.len; i++) {
        if (!is_alpha(s.p[i]) && !is_digit(s.p[i]) && !memchr("+-.", s.p[i], 3))
            return false;
    }
    return true;
}

static uint16_t default_port(struct str scheme)
{
    if (str_eq_nocase(scheme, STR("http")) || str_eq_nocase(scheme, STR("ws")))
        return 80;
    if (str_eq_nocase(scheme, STR("https")) || str_eq_nocase(scheme, STR("wss")))
        return 443;
    return 0;
}

/* Labels of letters, digits, '-' and '_' with single dots between them; one dot may end the name.
 * An IPv4 address is of that shape too. */
static bool is_host_name(struct str s)
{
    char before = '.';

    if (s.len == 0 || s.len > HOST_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (c == '.' ? before == '.' : !is_alpha(c) && !is_digit(c) && c != '-' && c != '_')
            return false;
        before = c;
    }
    return true;
}

static bool is_ipv6(struct str s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (s.len >= sizeof(text) || has_nul(s))
        return false;
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

static int parse_port(struct str s, struct url *u, struct fail *f)
{
    uint64_t port;

    if (str_to_u64(s, &port) < 0 || port == 0 || port > UINT16_MAX)
        return refuse(f, "the port is not a number from 1 to 65535");
    u->has_port = true;
    u->port = (uint16_t)port;
    return 0;
}

static int parse_authority(struct str s, struct url *u, struct fail *f)
{
    struct str rest = s;
    ptrdiff_t close;

    if (str_index(s, '@') >= 0)
        return refuse(f, "a user name or password does not belong into it");
    u->authority = s;
    if (s.len > 0 && s.p[0] == '[') {
        close = str_index(s, ']');
        if (close < 0 || !is_ipv6(str_make(s.p + 1, (size_t)close - 1)))
            return refuse(f, "what stands in brackets is not an IPv6 address");
        u->host = str_make(s.p + 1, (size_t)close - 1);
        u->host_is_ipv6 = true;
        rest = str_skip(s, (size_t)close + 1);
        if (rest.len == 0)
            return 0;
        if (rest.p[0] != ':')
            return refuse(f, "the bracketed address is followed by something else than a port");
        return parse_port(str_skip(rest, 1), u, f);
    }

    bool has_port = str_index(s, ':') >= 0;

    u->host = str_cut(&rest, ':');
    if (!is_host_name(u->host))
        return refuse(f, "it has no valid host name");
    return has_port ? parse_port(rest, u, f) : 0;
}

/* Only bytes that may stand in a path or query, and each '%' with its two digits. */
static int check_target(struct str s, struct fail *f)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (c == '%') {
            if (s.len - i < 3 || hex_value(s.p[i + 1]) < 0 || hex_value(s.p[i + 2]) < 0)
                return refuse(f, "a '%' is not followed by two hex digits");
        } else if (c == '#') {
            return refuse(f, "a fragment ('#') does not belong into it");
        } else if (c <= ' ' || c >= 0x7f || memchr("\"<>\\^`{|}", c, 9)) {
            return refuse(f, "it holds a character that needs percent-encoding");
        }
    }
    return 0;
}

/* Offset of the first '/', '?' or '#', or the length. */
static size_t authority_len(struct str s)
{
    size_t i = 0;

    while (i < s.len && s.p[i] != '/' && s.p[i] != '?' && s.p[i] != '#')
        i++;
    return i;
}

int url_parse(struct arena *a, struct str text, struct url *out, struct fail *f)
{
    struct url u = {0};
    struct str rest = text;
    ptrdiff_t colon = str_index(text, ':');
    size_t n;

    if (colon < 0 || !is_scheme(str_first(text, (size_t)colon)))
        return refuse(f, "it does not begin with a scheme such as https://");
    u.scheme = str_first(text, (size_t)colon);
    u.port = default_port(u.scheme);
    rest = str_skip(text, (size_t)colon + 1);
    if (!str_starts_with(rest, STR("//")))
        return refuse(f, "the scheme is not followed by \"//\"");
    rest = str_skip(rest, 2);
    n = authority_len(rest);
    if (parse_authority(str_first(rest, n), &u, f) < 0)
        return -1;
    rest = str_skip(rest, n);
    if (check_target(rest, f) < 0)
        return -1;
    u.target = rest;
    u.path = str_cut(&rest, '?');
    u.query = rest;
    if (u.path.len == 0)
        u.target = u.target.len > 0 ? arena_printf(a, "/%.*s", STR_ARG(u.target)) : STR("/");
    *out = u;
    return 0;
}
