/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_origin.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/heap.h"

void http_origin_done(struct http_origin *o)
{
    free(o->scheme);
    free(o->host);
    *o = (struct http_origin){NULL, NULL, 0};
}

bool http_origin_eq(const struct http_origin *a, const struct http_origin *b)
{
    return a->port == b->port && strcasecmp(a->scheme, b->scheme) == 0 &&
           strcasecmp(a->host, b->host) == 0;
}

/* libcurl would guess at "http:/host" and "http:///host", and decode escapes in a host. */
static bool has_plain_authority(struct str url)
{
    struct str scheme = str_cut(&url, ':');

    if (!str_eq_nocase(scheme, STR("http")) && !str_eq_nocase(scheme, STR("https")))
        return false;
    if (!str_starts_with(url, STR("//")) || str_starts_with(url, STR("///")))
        return false;
    for (size_t i = 2; i < url.len && !strchr("/?#", url.p[i]); i++)
        if (url.p[i] == '%' || url.p[i] == '\\')
            return false;
    return true;
}

/* A name that needs translation is not looked at further: two readers could take it for two. */
static bool host_is_plain(const char *host)
{
    for (const char *p = host; *p; p++)
        if (*p <= ' ' || *p > '~' || strchr("%@\\/?#<>^|`\"", *p))
            return false;
    return host[0] != '\0';
}

static char *copy_host(const char *host)
{
    size_t len = strlen(host);

    if (len > 2 && host[0] == '[' && host[len - 1] == ']')
        return heap_cstr(str_make(host + 1, len - 2));
    return heap_cstr(str_make(host, len));
}

static const char *read_parts(CURLU *url, struct http_origin *out)
{
    char *scheme = NULL;
    char *host = NULL;
    char *port = NULL;
    uint64_t number = 0;
    const char *wrong = NULL;

    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
        wrong = "it lacks a scheme, a host or a port";
    else if (!host_is_plain(host))
        wrong = "the host is not written in plain ASCII";
    else if (str_to_u64(str_of(port), &number) < 0 || number == 0 || number > UINT16_MAX)
        wrong = "the port is not a number from 1 to 65535";
    else
        *out = (struct http_origin){heap_cstr(str_of(scheme)), copy_host(host), (uint16_t)number};
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return wrong;
}

static const char *read_url(const char *text, CURLU *url, struct http_origin *out)
{
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER);
    char *zone = NULL;

    if (code != CURLUE_OK)
        return curl_url_strerror(code);
    if (curl_url_get(url, CURLUPART_ZONEID, &zone, 0) == CURLUE_OK) {
        curl_free(zone);
        return "an address with a zone is not supported";
    }
    return read_parts(url, out);
}

const char *http_origin_parse(struct str text, CURLU **url, struct http_origin *out)
{
    CURLU *parsed;
    char *copy;
    const char *wrong;

    if (text.len == 0 || text.len > HTTP_ORIGIN_URL_MAX)
        return "it is empty or too long";
    if (memchr(text.p, '\0', text.len))
        return "it holds a NUL";
    if (!has_plain_authority(text))
        return "it does not begin with http:// or https:// and a host in plain ASCII";
    parsed = curl_url();
    if (!parsed)
        abort();
    copy = heap_cstr(text);
    wrong = read_url(copy, parsed, out);
    free(copy);
    if (wrong)
        curl_url_cleanup(parsed);
    else
        *url = parsed;
    return wrong;
}
