/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the text, character by character, without recursion. What a matcher may be is
 * bounded before it is looked at; a pattern is freed with the arena. Pure; any thread. */
#include "core/matcher.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/id.h"
#include "codec/regex.h"
#include "codec/utf8.h"
#include "core/collector.h"

#define CHAR_BYTES_MAX 4

struct scan {
    struct arena *arena;
    struct str text; /* valid UTF-8 */
    size_t at;
    struct fail *f;
};

/* Columns count characters, from 1. */
static PRINTF_LIKE(3, 4) int refuse(const struct scan *s, size_t at, const char *fmt, ...)
{
    char why[sizeof(s->f->message)];
    va_list args;

    va_start(args, fmt);
    IGNORE(vsnprintf(why, sizeof(why), fmt, args));
    va_end(args);
    return fail_reason(s->f, CODE_INVALID_ARGUMENT, "bad_matcher", "column %zu: %s",
                       utf8_count(str_first(s->text, at)) + 1, why);
}

/* Length of the white space at the front, as Unicode has it: 0 when there is none. */
static size_t space_len(struct str s)
{
    static const struct str wide[] = {
        STR_INIT("\xc2\x85"),     STR_INIT("\xc2\xa0"),     STR_INIT("\xe1\x9a\x80"),
        STR_INIT("\xe2\x80\xa8"), STR_INIT("\xe2\x80\xa9"), STR_INIT("\xe2\x80\xaf"),
        STR_INIT("\xe2\x81\x9f"), STR_INIT("\xe3\x80\x80"),
    };

    if (s.len == 0)
        return 0;
    if ((unsigned char)s.p[0] < 0x80)
        return s.p[0] == ' ' || (s.p[0] >= '\t' && s.p[0] <= '\r');
    for (size_t i = 0; i < COUNTOF(wide); i++) {
        if (str_starts_with(s, wide[i]))
            return wide[i].len;
    }
    /* U+2000 to U+200A */
    return str_starts_with(s, STR("\xe2\x80")) && (unsigned char)s.p[2] <= 0x8a ? 3 : 0;
}

/* What stands at the place, for messages. */
static const char *found(const struct scan *s, char out[16])
{
    struct str rest = str_skip(s->text, s->at);
    size_t len = utf8_char_len(rest);

    if (len == 0)
        return "the end";
    if (space_len(rest) > 0)
        return "white space";
    if ((unsigned char)rest.p[0] < ' ' || rest.p[0] == 0x7f)
        IGNORE(snprintf(out, 16, "U+%04X", (unsigned)(unsigned char)rest.p[0]));
    else
        IGNORE(snprintf(out, 16, "%.*s", (int)len, rest.p));
    return out;
}

static int unexpected(const struct scan *s, const char *wanted)
{
    char text[16];

    return refuse(s, s->at, "expected %s, found %s", wanted, found(s, text));
}

static void skip_space(struct scan *s)
{
    size_t len;

    while ((len = space_len(str_skip(s->text, s->at))) > 0)
        s->at += len;
}

static bool is_at(const struct scan *s, char c)
{
    return s->at < s->text.len && s->text.p[s->at] == c;
}

static bool take(struct scan *s, char c)
{
    if (!is_at(s, c))
        return false;
    s->at++;
    return true;
}

/* True when the place holds a character of a name or value that needs no quotes. */
static bool is_unquoted(const struct scan *s)
{
    if (s->at == s->text.len || space_len(str_skip(s->text, s->at)) > 0)
        return false;
    return str_index(STR("{}!=~,\\\"'`"), s->text.p[s->at]) < 0;
}

/* Exactly `digits` of them, an even number. */
static int read_hex(struct scan *s, size_t digits, uint32_t *out)
{
    struct str rest = str_skip(s->text, s->at);
    uint8_t bytes[4] = {0};
    uint32_t v = 0;

    if (rest.len < digits || hex_parse(str_first(rest, digits), bytes, digits / 2) < 0)
        return refuse(s, s->at, "expected %zu hexadecimal digits", digits);
    for (size_t i = 0; i < digits / 2; i++)
        v = v << 8 | bytes[i];
    s->at += digits;
    *out = v;
    return 0;
}

/* Three digits. */
static int read_octal(struct scan *s, uint32_t *out)
{
    uint32_t v = 0;

    for (size_t end = s->at + 3; s->at < end; s->at++) {
        if (s->at == s->text.len || s->text.p[s->at] < '0' || s->text.p[s->at] > '7')
            return refuse(s, s->at, "expected 3 octal digits");
        v = v << 3 | (uint32_t)(s->text.p[s->at] - '0');
    }
    *out = v;
    return 0;
}

/* At the backslash; appends what the sequence stands for, which is never longer than it. */
static int read_escape(struct scan *s, char *out, size_t *len)
{
    static const char from[] = "abfnrtv\\\"", to[] = "\a\b\f\n\r\t\v\\\"";
    size_t start = s->at++;
    char c = s->at < s->text.len ? s->text.p[s->at] : '\0';
    ptrdiff_t simple = c ? str_index(STR(from), c) : -1;
    uint32_t v = 0;

    if (simple >= 0) {
        s->at++;
        out[(*len)++] = to[simple];
        return 0;
    }
    if (c == 'u' || c == 'U') {
        s->at++;
        if (read_hex(s, c == 'u' ? 4 : 8, &v) < 0)
            return -1;
        if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
            return refuse(s, start, "the escape sequence stands for no Unicode character");
        *len += utf8_encode(v, out + *len);
        return 0;
    }
    if (c == 'x') {
        s->at++;
        if (read_hex(s, 2, &v) < 0)
            return -1;
    } else if (c >= '0' && c <= '7') {
        if (read_octal(s, &v) < 0)
            return -1;
        if (v > 0xff)
            return refuse(s, start, "the octal escape sequence is above \\377");
    } else {
        return refuse(s, start, "unknown escape sequence (a backslash itself is written \\\\)");
    }
    out[(*len)++] = (char)v;
    return 0;
}

/* After the opening quote. */
static int read_quoted(struct scan *s, struct str *out)
{
    size_t start = s->at, len = 0;
    char *bytes = NULL; /* set from the first escape sequence on */

    for (;;) {
        if (s->at == s->text.len)
            return refuse(s, start - 1, "the quoted text has no end");

        char c = s->text.p[s->at];

        if (c == '"')
            break;
        if (c == '\n')
            return refuse(s, s->at, "a line break in quoted text is written \\n");
        if (c == '\\') {
            if (!bytes) {
                bytes = arena_alloc(s->arena, s->text.len);
                memcpy(bytes, s->text.p + start, s->at - start);
                len = s->at - start;
            }
            if (read_escape(s, bytes, &len) < 0)
                return -1;
            continue;
        }
        if (bytes)
            bytes[len++] = c;
        s->at++;
    }
    *out = bytes ? str_make(bytes, len) : str_make(s->text.p + start, s->at - start);
    s->at++;
    if (!utf8_is_valid(*out))
        return refuse(s, start - 1, "the escape sequences of the quoted text make invalid UTF-8");
    return 0;
}

static int read_literal(struct scan *s, const char *wanted, struct str *out)
{
    size_t start = s->at;

    if (take(s, '"'))
        return read_quoted(s, out);
    while (is_unquoted(s))
        s->at += utf8_char_len(str_skip(s->text, s->at));
    if (s->at == start)
        return unexpected(s, wanted);
    *out = str_make(s->text.p + start, s->at - start);
    return 0;
}

static int read_op(struct scan *s, enum matcher_op *out)
{
    if (take(s, '=')) {
        *out = take(s, '~') ? MATCH_PATTERN : MATCH_EQUAL;
        return 0;
    }
    if (!take(s, '!'))
        return unexpected(s, "one of = != =~ !~ after the name");
    if (take(s, '=')) {
        *out = MATCH_NOT_EQUAL;
        return 0;
    }
    if (!take(s, '~'))
        return unexpected(s, "= or ~ after !");
    *out = MATCH_NOT_PATTERN;
    return 0;
}

/* After the value: a comma, the brace that was opened, the end. */
static int read_end(struct scan *s, bool braced)
{
    const char *wanted = braced ? "a comma or }" : "the end of the matcher";

    skip_space(s);
    if (take(s, ',')) {
        wanted = braced ? "}" : "the end of the matcher";
        skip_space(s);
        if (is_at(s, '"') || is_unquoted(s))
            return refuse(s, s->at, "there is a second matcher; write each as a text of its own");
    }
    if (braced) {
        if (!take(s, '}'))
            return unexpected(s, wanted);
        wanted = "the end after }";
        skip_space(s);
    } else if (is_at(s, '}')) {
        return refuse(s, s->at, "there is no { to this }");
    }
    return s->at == s->text.len ? 0 : unexpected(s, wanted);
}

static void free_regex(void *arg)
{
    struct regex *r = arg;

    regex_free(&r);
}

static int compile(struct scan *s, size_t at, struct matcher *m)
{
    if (regex_compile(m->value, REGEX_ANCHORED, &m->regex, s->f) < 0)
        return refuse(s, at, "%s", s->f->message);
    arena_on_free(s->arena, free_regex, m->regex);
    return 0;
}

/* Bytes first, since a text of any size may come; then that they are characters, then how many. */
static int check_size(struct str text, struct fail *f)
{
    size_t valid;

    if (text.len <= (size_t)MATCHER_CHARS_MAX * CHAR_BYTES_MAX) {
        valid = utf8_valid_len(text);
        if (valid < text.len)
            return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_matcher", "column %zu: invalid UTF-8",
                               utf8_count(str_first(text, valid)) + 1);
        if (utf8_count(text) <= MATCHER_CHARS_MAX)
            return 0;
    }
    return fail_reason(f, CODE_INVALID_ARGUMENT, "too_large",
                       "the matcher is longer than %d characters", MATCHER_CHARS_MAX);
}

int matcher_parse(struct arena *a, struct str text, struct matcher *out, struct fail *f)
{
    struct matcher m = {0};

    if (check_size(text, f) < 0)
        return -1;
    m.text = arena_str(a, text);

    struct scan s = {.arena = a, .text = m.text, .f = f};

    skip_space(&s);

    bool braced = take(&s, '{');

    skip_space(&s);

    size_t name_at = s.at;

    if (read_literal(&s, "a name", &m.name) < 0)
        return -1;
    if (m.name.len == 0)
        return refuse(&s, name_at, "the name is empty");
    skip_space(&s);
    if (read_op(&s, &m.op) < 0)
        return -1;
    skip_space(&s);

    size_t value_at = s.at;

    if (read_literal(&s, "a value (\"\" for an empty one)", &m.value) < 0 ||
        read_end(&s, braced) < 0)
        return -1;
    if ((m.op == MATCH_PATTERN || m.op == MATCH_NOT_PATTERN) && compile(&s, value_at, &m) < 0)
        return -1;
    *out = m;
    return 0;
}

int matchers_parse(struct arena *a, const struct str *texts, size_t count, struct matcher **out,
                   struct fail *f)
{
    if (count > MATCHERS_MAX) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "too_many_matchers",
                           "there are more than %d matchers", MATCHERS_MAX));
        return fail_field(f, "matchers");
    }

    struct matcher *m = arena_new_array(a, struct matcher, count);

    for (size_t i = 0; i < count; i++) {
        if (matcher_parse(a, texts[i], &m[i], f) < 0)
            return fail_field(f, "matchers[%zu]", i);
    }
    *out = m;
    return 0;
}

size_t matchers_steps(const struct matcher *m, size_t count)
{
    size_t steps = 0;

    for (size_t i = 0; i < count; i++)
        steps += m[i].regex ? regex_steps(m[i].regex) : 0;
    return steps;
}

bool matcher_holds(const struct matcher *m, struct str value)
{
    switch (m->op) {
    case MATCH_EQUAL: return str_eq(m->value, value);
    case MATCH_NOT_EQUAL: return !str_eq(m->value, value);
    case MATCH_PATTERN: return regex_matches(m->regex, value);
    case MATCH_NOT_PATTERN: return !regex_matches(m->regex, value);
    }
    return false;
}

const struct matcher *matchers_refusing(const struct matcher *m, size_t count,
                                        const struct label *attributes, size_t attribute_count)
{
    for (size_t i = 0; i < count; i++) {
        if (!matcher_holds(&m[i], labels_value(attributes, attribute_count, m[i].name)))
            return &m[i];
    }
    return NULL;
}
