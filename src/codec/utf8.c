/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 validation: ASCII by words, the rest by the table of well-formed sequences (Unicode, D92).
 * Pure; any thread. */
#include "codec/utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* How many bytes at p belong to the character that p[0] begins, as far as they are well-formed: all
 * of it when that equals *need; *need is 0 when p[0] begins nothing. n > 0. */
static size_t match(const uint8_t *p, size_t n, size_t *need)
{
    uint8_t lead = p[0];
    uint8_t low = 0x80, high = 0xbf; /* bounds of the second byte */
    size_t len, i;

    if (lead < 0x80) {
        *need = 1;
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4) {
        *need = 0;
        return 0;
    }
    len = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead == 0xe0)
        low = 0xa0; /* shorter forms exist */
    else if (lead == 0xed)
        high = 0x9f; /* surrogates */
    else if (lead == 0xf0)
        low = 0x90; /* shorter forms exist */
    else if (lead == 0xf4)
        high = 0x8f; /* beyond U+10FFFF */
    *need = len;
    if (n < 2 || p[1] < low || p[1] > high)
        return 1;
    for (i = 2; i < len; i++) {
        if (i == n || (p[i] & 0xc0) != 0x80)
            return i;
    }
    return len;
}

static inline uint64_t word_at(const uint8_t *p)
{
    uint64_t w;

    memcpy(&w, p, sizeof(w));
    return w;
}

/* Whether a text of at most 16 bytes is ASCII: its ends are looked at, which meet or overlap. */
static inline bool is_short_ascii(const uint8_t *p, size_t len)
{
    uint32_t first, last;

    if (len >= 8)
        return ((word_at(p) | word_at(p + len - 8)) & HIGH_BITS) == 0;
    if (len >= 4) {
        memcpy(&first, p, sizeof(first));
        memcpy(&last, p + len - sizeof(last), sizeof(last));
        return ((first | last) & (uint32_t)HIGH_BITS) == 0;
    }
    return len == 0 || (p[0] | p[len / 2] | p[len - 1]) < 0x80;
}

size_t utf8_valid_len(struct str s)
{
    const uint8_t *p = (const uint8_t *)s.p;
    size_t at = 0, need;

    if (s.len <= 16 && is_short_ascii(p, s.len))
        return s.len;
    while (at < s.len) {
        while (s.len - at >= 32) {
            const uint8_t *q = p + at;

            if ((word_at(q) | word_at(q + 8) | word_at(q + 16) | word_at(q + 24)) & HIGH_BITS)
                break;
            at += 32;
        }
        while (s.len - at >= 8 && !(word_at(p + at) & HIGH_BITS))
            at += 8;
        while (at < s.len && p[at] < 0x80)
            at++;
        while (at < s.len && p[at] >= 0x80) {
            size_t got = match(p + at, s.len - at, &need);

            if (got == 0 || got != need)
                return at;
            at += got;
        }
    }
    return at;
}

size_t utf8_char_len(struct str s)
{
    size_t need, got;

    if (s.len == 0)
        return 0;
    got = match((const uint8_t *)s.p, s.len, &need);
    return got == need ? got : 0;
}

size_t utf8_bad_len(struct str s)
{
    size_t need, got = match((const uint8_t *)s.p, s.len, &need);

    return got > 0 ? got : 1;
}

uint32_t utf8_decode(struct str s, size_t len)
{
    const uint8_t *p = (const uint8_t *)s.p;
    uint32_t point = len == 1 ? p[0] : p[0] & (0x7fu >> len);

    for (size_t i = 1; i < len; i++)
        point = point << 6 | (p[i] & 0x3fu);
    return point;
}

size_t utf8_encode(uint32_t code_point, char out[4])
{
    uint32_t c = code_point;

    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | (c >> 12));
        out[1] = (char)(0x80 | ((c >> 6) & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (c >> 18));
    out[1] = (char)(0x80 | ((c >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((c >> 6) & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

size_t utf8_count(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += ((uint8_t)s.p[i] & 0xc0) != 0x80;
    return n;
}

bool utf8_has_control(struct str s)
{
    const uint8_t *p = (const uint8_t *)s.p;

    for (size_t i = 0; i < s.len; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f)
            return true;
        if (p[i] == 0xc2 && i + 1 < s.len && p[i + 1] < 0xa0)
            return true;
    }
    return false;
}
