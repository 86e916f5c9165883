/* SPDX-License-Identifier: Apache-2.0 */
/* What stands between the quotes of a JSON string. Pure; any thread. */
#include <string.h>

#include "codec/json_internal.h"
#include "codec/utf8.h"

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* The high bit of each byte that is zero is set; above the first such byte others may be, too. */
static inline uint64_t zero_bytes(uint64_t w)
{
    return (w - ONES) & ~w & HIGHS;
}

const char *json_plain_end(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t w, hit;

        memcpy(&w, p, sizeof(w));
        hit = zero_bytes(w ^ ONES * '"') | zero_bytes(w ^ ONES * '\\') |
              ((w - ONES * 0x20) & ~w & HIGHS);
        if (hit) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            return p + __builtin_ctzll(hit) / 8;
#else
            break;
#endif
        }
        p += 8;
    }
    while (p < end && *p != '"' && *p != '\\' && (uint8_t)*p >= 0x20)
        p++;
    return p;
}

/* Four hex digits; -1 when there are not. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t v = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];

        v <<= 4;
        if (c >= '0' && c <= '9')
            v |= c - '0';
        else if (c >= 'a' && c <= 'f')
            v |= c - 'a' + 10;
        else if (c >= 'A' && c <= 'F')
            v |= c - 'A' + 10;
        else
            return -1;
    }
    return v;
}

static bool is_high_surrogate(int32_t v)
{
    return v >= 0xd800 && v <= 0xdbff;
}

static bool is_low_surrogate(int32_t v)
{
    return v >= 0xdc00 && v <= 0xdfff;
}

/* *p stands after "\u" and is moved past what belongs to the character. */
static const char *unescape_unit(const char **p, const char *end, uint32_t *code_point)
{
    int32_t v = hex4(*p, end), low;

    if (v < 0)
        return "\\u without four hex digits";
    *p += 4;
    *code_point = (uint32_t)v;
    if (is_low_surrogate(v))
        return "lone surrogate";
    if (!is_high_surrogate(v))
        return NULL;
    if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
        return "lone surrogate";
    low = hex4(*p + 2, end);
    if (low < 0 || !is_low_surrogate(low))
        return "lone surrogate";
    *p += 6;
    *code_point = 0x10000 + ((uint32_t)(v - 0xd800) << 10 | (uint32_t)(low - 0xdc00));
    return NULL;
}

/* The byte that a one-letter escape stands for; 0 when there is no such escape. */
static char short_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/': return c;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
    }
}

const char *json_unescape(struct str raw, char *to, size_t *len, const char **at)
{
    const char *p = raw.p, *end = raw.p + raw.len;
    size_t n = 0;

    while (p < end) {
        const char *escape = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((escape ? escape : end) - p);
        char bytes[4];
        size_t count = 1;

        if (to)
            memcpy(to + n, p, plain);
        n += plain;
        if (!escape)
            break;
        *at = escape;
        p = escape + 2; /* a string never ends in a single backslash: it would hide the quote */
        if (escape[1] == 'u') {
            uint32_t code_point;
            const char *why = unescape_unit(&p, end, &code_point);

            if (why)
                return why;
            count = utf8_encode(code_point, bytes);
        } else {
            bytes[0] = short_escape(escape[1]);
            if (!bytes[0])
                return "unknown escape";
        }
        if (to)
            memcpy(to + n, bytes, count);
        n += count;
    }
    *len = n;
    return NULL;
}
