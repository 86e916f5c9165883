/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of the Alloy configuration language for those who write it. Pure; any thread. */
#include "codec/alloy.h"

#include "base/buf.h"
#include "codec/alloy_internal.h"
#include "codec/utf8.h"

#define BOM STR("\xef\xbb\xbf")

bool alloy_is_identifier(struct str s)
{
    return s.len > 0 && alloy_lex_ident_len(s) == s.len && alloy_lex_word(s) == TOKEN_IDENT;
}

static void put_ascii(struct buf *out, char c)
{
    static const char names[] = "abfnrtv\\\"";
    static const char values[] = "\a\b\f\n\r\t\v\\\"";
    const char *value = memchr(values, c, sizeof(values) - 1);

    if (value)
        buf_printf(out, "\\%c", names[value - values]);
    else if ((unsigned char)c < 0x20 || c == 0x7f)
        buf_printf(out, "\\u%04x", (unsigned)c);
    else
        buf_put_byte(out, (uint8_t)c);
}

void alloy_quote(struct buf *out, struct str text)
{
    buf_put_byte(out, '"');
    for (size_t at = 0; at < text.len;) {
        struct str left = str_skip(text, at);
        size_t n = utf8_char_len(left);

        if (n == 0)
            buf_printf(out, "\\x%02x", (unsigned)(unsigned char)left.p[0]);
        else if (n == 1)
            put_ascii(out, left.p[0]);
        else if (str_starts_with(left, BOM))
            buf_put_str(out, STR("\\ufeff"));
        else
            buf_put(out, left.p, n);
        at += MAX(n, (size_t)1);
    }
    buf_put_byte(out, '"');
}
