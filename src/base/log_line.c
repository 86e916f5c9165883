/* SPDX-License-Identifier: Apache-2.0 */
/* One log line, as logfmt or JSON. Pure. Room is checked once a field, for the worst case of
 * escaping, so that the copying loops need no checks of their own. */
#include "base/log_line.h"

#include <math.h>

#include "base/number.h"

#define ESCAPED_MAX 6  /* bytes that one may become: \u0000 */
#define TAIL_BYTES  32 /* behind `end`, for the closing */
#define FIELD_BYTES 48 /* what a field needs besides key and text: punctuation or a number */

/* Bytes that stand for themselves between quotes. */
static const bool plain[256] = {
    [0x20 ... 0x21] = true,
    [0x23 ... 0x5b] = true,
    [0x5d ... 0x7e] = true,
};

/* Bytes that a logfmt value may have without quotes: no blank, quote, equals sign, backslash. */
static const bool bare[256] = {
    [0x21] = true,
    [0x23 ... 0x3c] = true,
    [0x3e ... 0x5b] = true,
    [0x5d ... 0x7e] = true,
};

/* Length of the UTF-8 sequence at s, 0 when it is none (RFC 3629: no overlong forms, surrogates or
 * values above U+10FFFF). */
static size_t utf8_length(const uint8_t *s, size_t len)
{
    size_t want = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

    if (want == 0 || len < want)
        return 0;
    for (size_t i = 1; i < want; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return want;
}

static char *put_code(char *p, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";

    memcpy(p, "\\u00", 4);
    p[4] = digits[c >> 4];
    p[5] = digits[c & 15];
    return p + 6;
}

/* One character that is not plain; says in *used how many bytes it was. */
static char *put_special(char *p, const uint8_t *s, size_t len, size_t *used)
{
    *used = 1;
    switch (s[0]) {
    case '"':
    case '\\':
        *p++ = '\\';
        *p++ = (char)s[0];
        return p;
    case '\n': memcpy(p, "\\n", 2); return p + 2;
    case '\r': memcpy(p, "\\r", 2); return p + 2;
    case '\t': memcpy(p, "\\t", 2); return p + 2;
    default: break;
    }
    if (s[0] < 0x80)
        return put_code(p, s[0]);

    size_t n = utf8_length(s, len);

    if (n == 0) {
        memcpy(p, "\xef\xbf\xbd", 3); /* U+FFFD */
        return p + 3;
    }
    *used = n;
    /* U+0080 to U+009F steer terminals as much as the controls below the blank do. */
    if (s[0] == 0xc2 && s[1] < 0xa0)
        return put_code(p, s[1]);
    memcpy(p, s, n);
    return p + n;
}

/* True when all eight bytes are plain. May say no to eight that are, never yes to one that is not:
 * each term sets the top bit of a byte that is below the blank, a quote, a backslash, DEL or not
 * ASCII, and a carry or borrow only comes from a byte that has its top bit set already. */
static bool all_plain(uint64_t x)
{
    const uint64_t ones = 0x0101010101010101;

    return ((x | (x - 0x20 * ones) | ((x ^ '"' * ones) - ones) | ((x ^ '\\' * ones) - ones) |
             (x + ones)) &
            0x80 * ones) == 0;
}

static char *put_escaped(char *p, const uint8_t *s, size_t len)
{
    uint64_t eight;
    size_t i = 0;

    /* Mostly nothing is to be escaped: eight bytes at a time, at the end some of them twice. */
    if (len >= sizeof(eight)) {
        for (; len - i >= sizeof(eight); i += sizeof(eight)) {
            memcpy(&eight, s + i, sizeof(eight));
            if (!all_plain(eight))
                break;
            memcpy(p + i, &eight, sizeof(eight));
        }
        memcpy(&eight, s + len - sizeof(eight), sizeof(eight));
        if (len - i < sizeof(eight) && all_plain(eight)) {
            memcpy(p + len - sizeof(eight), &eight, sizeof(eight));
            return p + len;
        }
        p += i;
    }
    while (i < len) {
        if (len - i >= sizeof(eight)) {
            memcpy(&eight, s + i, sizeof(eight));
            if (all_plain(eight)) {
                memcpy(p, &eight, sizeof(eight));
                p += sizeof(eight);
                i += sizeof(eight);
                continue;
            }
        }
        if (plain[s[i]]) {
            *p++ = (char)s[i++];
            continue;
        }

        size_t used;

        p = put_special(p, s + i, len - i, &used);
        i += used;
    }
    return p;
}

static bool is_bare(const uint8_t *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!bare[s[i]])
            return false;
    }
    return len > 0;
}

/* Where to cut so that no UTF-8 sequence is split. */
static size_t cut_at(const uint8_t *s, size_t limit)
{
    size_t at = limit;

    while (at > 0 && limit - at < 3 && (s[at] & 0xc0) == 0x80)
        at--;
    return (s[at] & 0xc0) == 0x80 ? limit : at;
}

/* Needs room for FIELD_BYTES; cuts the text to what is left beyond that. */
static void put_text(struct log_line *n, struct str text)
{
    size_t limit = MIN(LOG_VALUE_MAX, ((size_t)(n->end - n->at) - FIELD_BYTES) / ESCAPED_MAX);
    const uint8_t *s = (const uint8_t *)text.p;
    size_t len = text.len;
    bool cut = len > limit;
    char *p = n->at;

    if (cut)
        len = cut_at(s, limit);
    n->cut |= cut;
    if (n->format == LOGFORMAT_LOGFMT && !cut && is_bare(s, len)) {
        memcpy(p, s, len);
        n->at = p + len;
        return;
    }
    *p++ = '"';
    p = put_escaped(p, s, len);
    if (cut) {
        memcpy(p, "...", 3);
        p += 3;
    }
    *p++ = '"';
    n->at = p;
}

static void put_literal(struct log_line *n, struct str s)
{
    memcpy(n->at, s.p, s.len);
    n->at += s.len;
}

static void put_key(struct log_line *n, const char *key, size_t len)
{
    char *p = n->at;

    if (n->format == LOGFORMAT_JSON) {
        *p++ = ',';
        *p++ = '"';
        memcpy(p, key, len);
        p += len;
        *p++ = '"';
        *p++ = ':';
    } else {
        *p++ = ' ';
        memcpy(p, key, len);
        p += len;
        *p++ = '=';
    }
    n->at = p;
}

/* JSON has no word for what is no finite number. */
static void put_double(struct log_line *n, double v)
{
    if (n->format == LOGFORMAT_JSON && !isfinite(v))
        put_literal(n, STR("null"));
    else
        n->at += number_print_double(v, n->at);
}

void log_line_put(struct log_line *n, const struct kv *kv)
{
    size_t key_len = kv->key_len;

    if ((size_t)(n->end - n->at) < key_len + FIELD_BYTES + ESCAPED_MAX + 4) {
        n->cut = true;
        return;
    }
    put_key(n, kv->key, key_len);
    switch (kv->type) {
    case KV_TYPE_STR: put_text(n, kv->v.s); break;
    case KV_TYPE_INT: n->at += number_print_i64(kv->v.i, n->at); break;
    case KV_TYPE_UINT: n->at += number_print_u64(kv->v.u, n->at); break;
    case KV_TYPE_BOOL: put_literal(n, kv->v.b ? STR("true") : STR("false")); break;
    case KV_TYPE_DOUBLE: put_double(n, kv->v.d); break;
    case KV_TYPE_SECRET:
        put_literal(n, n->format == LOGFORMAT_JSON ? STR("\"***\"") : STR("***"));
        break;
    }
}

void log_line_begin(struct log_line *n, char *out, enum log_format format, const char *stamp,
                    const char *level, const char *message)
{
    bool json = format == LOGFORMAT_JSON;

    *n = (struct log_line){
        .at = out,
        .end = out + LOG_LINE_MAX - TAIL_BYTES,
        .format = format,
    };
    put_literal(n, json ? STR("{\"ts\":\"") : STR("ts="));
    put_literal(n, (struct str){stamp, LOG_STAMP_LEN});
    put_literal(n, json ? STR("\",\"level\":\"") : STR(" level="));
    put_literal(n, str_of(level));
    put_literal(n, json ? STR("\",\"msg\":") : STR(" msg="));
    put_text(n, str_of(message));
}

char *log_line_end(struct log_line *n)
{
    if (n->cut)
        put_literal(n, n->format == LOGFORMAT_JSON ? STR(",\"cut\":true") : STR(" cut=true"));
    put_literal(n, n->format == LOGFORMAT_JSON ? STR("}\n") : STR("\n"));
    return n->at;
}
