/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 by table. Pure; any thread. */
#include "codec/base64.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

static const char std_alphabet[65] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[65] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* What a byte stands for; above the value, who may use it. */
enum {
    STD = 1 << 6,
    URL = 1 << 7,
    BAD = 1 << 8,
};

#define X  BAD
#define X8 X, X, X, X, X, X, X, X
static const uint16_t values[] = {
    X8,       X8, X8,       X8, X8,       X,  X,  X,                      /* below + */
    62 | STD, X,  62 | URL, X,  63 | STD,                                 /* + to / */
    52,       53, 54,       55, 56,       57, 58, 59, 60, 61,             /* 0 to 9 */
    X,        X,  X,        X,  X,        X,  X,                          /* : to @ */
    0,        1,  2,        3,  4,        5,  6,  7,  8,  9,  10, 11, 12, /* A to M */
    13,       14, 15,       16, 17,       18, 19, 20, 21, 22, 23, 24, 25, /* N to Z */
    X,        X,  X,        X,  63 | URL, X,                              /* [ to ` */
    26,       27, 28,       29, 30,       31, 32, 33, 34, 35, 36, 37, 38, /* a to m */
    39,       40, 41,       42, 43,       44, 45, 46, 47, 48, 49, 50, 51, /* n to z */
    X,        X,  X,        X,  X,        X8, X8, X8, X8, X8, X8, X8, X8, /* above z */
    X8,       X8, X8,       X8, X8,       X8, X8, X8,
};
#undef X8
#undef X
_Static_assert(COUNTOF(values) == 256, "one value for each byte");

static bool is_padded(enum base64_form form)
{
    return form == BASE64_STD || form == BASE64_URL;
}

static bool is_url(enum base64_form form)
{
    return form == BASE64_URL || form == BASE64_URL_BARE;
}

size_t base64_encoded_len(enum base64_form form, size_t len)
{
    size_t rest = len % 3;

    assert(len <= SIZE_MAX / 2);
    if (is_padded(form))
        return (len + 2) / 3 * 4;
    return len / 3 * 4 + (rest ? rest + 1 : 0);
}

static void encode(enum base64_form form, struct str bytes, char *out)
{
    const char *alphabet = is_url(form) ? url_alphabet : std_alphabet;
    const uint8_t *p = (const uint8_t *)bytes.p;
    size_t left = bytes.len;

    for (; left >= 3; left -= 3, p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        *out++ = alphabet[v >> 6 & 63];
        *out++ = alphabet[v & 63];
    }
    if (left == 0)
        return;

    uint32_t v = (uint32_t)p[0] << 16 | (left == 2 ? (uint32_t)p[1] << 8 : 0);

    *out++ = alphabet[v >> 18];
    *out++ = alphabet[v >> 12 & 63];
    if (left == 2)
        *out++ = alphabet[v >> 6 & 63];
    if (is_padded(form)) {
        *out++ = '=';
        if (left == 1)
            *out++ = '=';
    }
}

void base64_put(struct buf *out, enum base64_form form, struct str bytes)
{
    size_t len = base64_encoded_len(form, bytes.len);
    uint8_t *room;

    if (len == 0)
        return;
    room = buf_reserve(out, len);
    if (!room)
        return;
    encode(form, bytes, (char *)room);
    out->len += len;
}

struct str base64_encode(struct arena *a, enum base64_form form, struct str bytes)
{
    size_t len = base64_encoded_len(form, bytes.len);
    char *text;

    if (len == 0)
        return STR("");
    text = arena_alloc_raw(a, len);
    encode(form, bytes, text);
    return str_make(text, len);
}

static inline uint32_t value_of(char c)
{
    return values[(uint8_t)c];
}

/* `text` has no padding any more; `refused` are the flags of characters that may not be there. */
static int decode(struct arena *a, struct str text, uint32_t refused, bool loose_bits,
                  struct str *out)
{
    size_t tail = text.len % 4, len = text.len / 4 * 3;
    const char *p = text.p, *end;
    uint8_t *bytes, *to;
    uint32_t v, seen = 0;

    if (tail == 1)
        return -1;
    len += tail ? tail - 1 : 0;
    if (len == 0) {
        *out = STR("");
        return 0;
    }
    end = p + (text.len - tail);
    to = bytes = arena_alloc_raw(a, len);
    for (; p < end; p += 4) {
        uint32_t w = value_of(p[0]), x = value_of(p[1]), y = value_of(p[2]), z = value_of(p[3]);

        seen |= w | x | y | z;
        v = (w & 63) << 18 | (x & 63) << 12 | (y & 63) << 6 | (z & 63);
        *to++ = (uint8_t)(v >> 16);
        *to++ = (uint8_t)(v >> 8);
        *to++ = (uint8_t)v;
    }
    if (tail) {
        uint32_t w = value_of(p[0]), x = value_of(p[1]), y = tail == 3 ? value_of(p[2]) : 0;

        seen |= w | x | y;
        v = (w & 63) << 18 | (x & 63) << 12 | (y & 63) << 6;
        *to++ = (uint8_t)(v >> 16);
        if (tail == 3)
            *to++ = (uint8_t)(v >> 8);
        if (!loose_bits && (tail == 3 ? v & 0xff : v & 0xffff))
            return -1;
    }
    if (seen & refused)
        return -1;
    *out = str_make(bytes, len);
    return 0;
}

/* Takes '=' off the end: how many (at most 2). */
static size_t strip_padding(struct str *text)
{
    size_t n = 0;

    while (n < 2 && text->len > 0 && text->p[text->len - 1] == '=') {
        text->len--;
        n++;
    }
    return n;
}

int base64_decode(struct arena *a, enum base64_form form, struct str text, struct str *out)
{
    uint32_t refused = BAD | (is_url(form) ? STD : URL);

    if (is_padded(form)) {
        if (text.len % 4 != 0)
            return -1;
        strip_padding(&text);
    }
    return decode(a, text, refused, false, out);
}

int base64_decode_lenient(struct arena *a, struct str text, struct str *out)
{
    size_t len = text.len;

    if (strip_padding(&text) > 0 && len % 4 != 0)
        return -1;
    return decode(a, text, BAD, true, out);
}
