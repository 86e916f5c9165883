/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed run of bytes: the parts too long for the header. Pure; any thread. */
#include "base/str.h"

static unsigned char lower(char c)
{
    unsigned char u = (unsigned char)c;

    return u >= 'A' && u <= 'Z' ? (unsigned char)(u | 0x20) : u;
}

int str_cmp(struct str a, struct str b)
{
    size_t common = MIN(a.len, b.len);
    int order = common > 0 ? memcmp(a.p, b.p, common) : 0;

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

ptrdiff_t str_index(struct str s, char c)
{
    const char *found = s.len > 0 ? memchr(s.p, c, s.len) : NULL;

    return found ? found - s.p : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.p[0])) {
        s.p++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.p[s.len - 1]))
        s.len--;
    return s;
}

struct str str_cut(struct str *rest, char c)
{
    ptrdiff_t at = str_index(*rest, c);
    struct str before = *rest;

    if (at < 0) {
        *rest = str_skip(*rest, rest->len);
        return before;
    }
    before.len = (size_t)at;
    *rest = str_skip(*rest, (size_t)at + 1);
    return before;
}

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Eight bytes from s, or as many as there are, some of them twice. Not for nothing. */
static uint64_t word_of(const char *s, size_t len)
{
    uint64_t w;
    uint32_t first, last;

    if (len >= sizeof(w)) {
        memcpy(&w, s, sizeof(w));
        return w;
    }
    if (len >= sizeof(first)) {
        memcpy(&first, s, sizeof(first));
        memcpy(&last, s + len - sizeof(last), sizeof(last));
        return first | (uint64_t)last << 32;
    }
    w = ONES * (unsigned char)s[0];
    w ^= (uint64_t)(unsigned char)(s[0] ^ s[len / 2]) << 8;
    return w ^ (uint64_t)(unsigned char)(s[0] ^ s[len - 1]) << 16;
}

/* High bit of each byte that is not between the two. Bytes below 0x80 plus at most 0x7f carry
 * nothing into their neighbors; others are told by their own high bit. */
static uint64_t outside(uint64_t w, char low, char high)
{
    uint64_t seven = w & ~HIGHS;

    return (w | ~(seven + ONES * (0x80 - (unsigned)low)) |
            (seven + ONES * (0x7f - (unsigned)high))) &
           HIGHS;
}

/* Not zero when a byte is no text that stands for itself: each term sets the high bit of a byte
 * that is below the blank, a quote, a backslash, DEL or not ASCII. Only such a byte borrows from or
 * carries into its neighbor, so it is exact for the eight together. */
static uint64_t not_plain(uint64_t w)
{
    return (w | (w - ONES * ' ') | ((w ^ ONES * '"') - ONES) | ((w ^ ONES * '\\') - ONES) |
            (w + ONES)) &
           HIGHS;
}

bool str_is_within(struct str s, char low, char high)
{
    if (s.len == 0)
        return true;
    for (size_t i = 0; i + 8 < s.len; i += 8)
        if (outside(word_of(s.p + i, 8), low, high))
            return false;
    return !outside(word_of(s.len > 8 ? s.p + s.len - 8 : s.p, MIN(s.len, 8)), low, high);
}

bool str_is_plain(struct str s)
{
    if (s.len == 0)
        return true;
    for (size_t i = 0; i + 8 < s.len; i += 8)
        if (not_plain(word_of(s.p + i, 8)))
            return false;
    return !not_plain(word_of(s.len > 8 ? s.p + s.len - 8 : s.p, MIN(s.len, 8)));
}

int str_to_u64(struct str s, uint64_t *out)
{
    uint64_t v = 0;

    if (s.len == 0)
        return -1;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

        if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
            return -1;
    }
    *out = v;
    return 0;
}

int str_to_i64(struct str s, int64_t *out)
{
    bool negative = s.len > 0 && s.p[0] == '-';
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t v;

    if (str_to_u64(negative ? str_skip(s, 1) : s, &v) < 0 || v > limit)
        return -1;
    *out = (int64_t)(negative ? 0 - v : v);
    return 0;
}
