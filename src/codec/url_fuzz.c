/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: pieces lie within the text and make it up again; encoding undoes decoding. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(struct arena *a, struct str in)
{
    struct str out;
    struct buf b;

    buf_init_arena(&b, a, SIZE_MAX / 2);
    url_put_encoded(&b, in);
    assert(url_decode(a, URL_QUERY, buf_str(&b), &out) != URL_BAD && str_eq(in, out));
    assert(url_decode(a, URL_PATH, buf_str(&b), &out) != URL_BAD && str_eq(in, out));
}

static void check_query(struct arena *a, struct str text)
{
    struct url_query q = {text};
    struct str name, value;
    size_t bytes = 0;
    struct fail f;

    while (url_query_next(&q, a, &name, &value, &f) > 0) {
        bytes += name.len + value.len;
        assert(bytes <= text.len);
        assert(name.len == 0 || !memchr(name.p, '\0', name.len));
        check_round_trip(a, value);
    }
}

static void check_url(struct arena *a, struct str text)
{
    struct url u, again;
    struct fail f;
    struct str whole;

    if (url_parse(a, text, &u, &f) < 0) {
        assert(f.code == CODE_INVALID_ARGUMENT);
        return;
    }
    assert(u.host.len > 0 && u.target.len > 0 && u.target.p[0] == '/');
    assert(str_index(u.authority, '@') < 0);
    for (size_t i = 0; i < u.target.len; i++)
        assert(u.target.p[i] > ' ' && u.target.p[i] < 0x7f);
    whole = arena_printf(a, "%.*s://%.*s%.*s", STR_ARG(u.scheme), STR_ARG(u.authority),
                         STR_ARG(u.target));
    if (url_parse(a, whole, &again, &f) < 0)
        abort();
    assert(str_eq(u.host, again.host) && u.port == again.port);
    assert(str_eq(u.target, again.target) && str_eq(u.query, again.query));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4096);
    struct str text = str_make(data, size), out;

    check_url(a, text);
    check_query(a, text);
    check_round_trip(a, text);
    if (url_decode(a, URL_PATH, text, &out) != URL_BAD)
        assert(out.len <= text.len);
    arena_free(&a);
    return 0;
}
