/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of the Alloy configuration language. As in Go, the end of a line ends a statement when the
 * token before it can end one (a name, a literal, a closing bracket); comments count as blanks, and
 * a line's end within one as a line's end. Positions are counted forward only, so that all the work
 * is linear in the text. */
#include "codec/alloy_internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "codec/unicode.h"
#include "codec/utf8.h"

#define BOM STR("\xef\xbb\xbf")

static const struct {
    struct str text;
    enum alloy_token_kind kind;
    bool ends_line;
} signs[] = {
    /* the longer ones first */
    {STR_INIT("||"), TOKEN_OR, false},        {STR_INIT("&&"), TOKEN_AND, false},
    {STR_INIT("=="), TOKEN_EQ, false},        {STR_INIT("!="), TOKEN_NE, false},
    {STR_INIT("<="), TOKEN_LE, false},        {STR_INIT(">="), TOKEN_GE, false},
    {STR_INIT("="), TOKEN_ASSIGN, false},     {STR_INIT("."), TOKEN_DOT, false},
    {STR_INIT(","), TOKEN_COMMA, false},      {STR_INIT("("), TOKEN_LPAREN, false},
    {STR_INIT(")"), TOKEN_RPAREN, true},      {STR_INIT("["), TOKEN_LBRACK, false},
    {STR_INIT("]"), TOKEN_RBRACK, true},      {STR_INIT("{"), TOKEN_LCURLY, false},
    {STR_INIT("}"), TOKEN_RCURLY, true},      {STR_INIT("!"), TOKEN_NOT, false},
    {STR_INIT("<"), TOKEN_LT, false},         {STR_INIT(">"), TOKEN_GT, false},
    {STR_INIT("+"), TOKEN_ADD, false},        {STR_INIT("-"), TOKEN_SUB, false},
    {STR_INIT("*"), TOKEN_MUL, false},        {STR_INIT("/"), TOKEN_DIV, false},
    {STR_INIT("%"), TOKEN_MOD, false},        {STR_INIT("^"), TOKEN_POW, false},
    {STR_INIT(";"), TOKEN_TERMINATOR, false},
};

static struct str rest(const struct alloy_lexer *l)
{
    return str_make(l->at, (size_t)(l->end - l->at));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Where `p`, at or after the mark and on its line, stands. Moves the mark there. */
static struct alloy_pos pos_of(struct alloy_lexer *l, const char *p)
{
    l->mark_pos.column += (uint32_t)utf8_count(str_make(l->mark, (size_t)(p - l->mark)));
    l->mark = p;
    return l->mark_pos;
}

/* Moves over text that may hold line ends. */
static void pass(struct alloy_lexer *l, const char *to)
{
    const char *newline;

    while ((newline = memchr(l->at, '\n', (size_t)(to - l->at)))) {
        l->at = newline + 1;
        l->mark = l->at;
        l->mark_pos.line++;
        l->mark_pos.column = 1;
    }
    l->at = to;
}

int alloy_lex_refuse(struct alloy_lexer *l, struct alloy_pos pos, const char *fmt, ...)
{
    char why[200];
    va_list args;

    va_start(args, fmt);
    IGNORE(vsnprintf(why, sizeof(why), fmt, args));
    va_end(args);
    return fail_reason(l->fail, CODE_INVALID_ARGUMENT, "bad_alloy", "line %u, column %u: %s",
                       pos.line, pos.column, why);
}

/* Refuses what stands at `p`, which no token has passed yet. */
static int refuse_at(struct alloy_lexer *l, const char *p, const char *why)
{
    pass(l, p);
    return alloy_lex_refuse(l, pos_of(l, p), "%s", why);
}

size_t alloy_lex_ident_len(struct str s)
{
    size_t len = 0;

    while (len < s.len) {
        struct str from = str_skip(s, len);
        size_t n = utf8_char_len(from);
        uint32_t point;

        if (n == 0)
            break;
        point = utf8_decode(from, n);
        if (point != '_' && !unicode_is_letter(point) && (len == 0 || !unicode_is_digit(point)))
            break;
        len += n;
    }
    return len;
}

enum alloy_token_kind alloy_lex_word(struct str ident)
{
    if (str_eq(ident, STR("null")))
        return TOKEN_NULL;
    if (str_eq(ident, STR("true")) || str_eq(ident, STR("false")))
        return TOKEN_BOOL;
    return TOKEN_IDENT;
}

struct str alloy_lex_describe(struct alloy_lexer *l, const struct alloy_token *t)
{
    struct str text = str_first(t->text, 40);

    switch (t->kind) {
    case TOKEN_END: return STR("the end of the text");
    case TOKEN_TERMINATOR:
        return t->text.len && t->text.p[0] == ';' ? STR("\";\"") : STR("the end of the line");
    case TOKEN_STRING: return STR("a string");
    case TOKEN_IDENT:
    case TOKEN_NULL:
    case TOKEN_BOOL:
    case TOKEN_NUMBER:
    case TOKEN_ASSIGN:
    case TOKEN_DOT:
    case TOKEN_COMMA:
    case TOKEN_LPAREN:
    case TOKEN_RPAREN:
    case TOKEN_LBRACK:
    case TOKEN_RBRACK:
    case TOKEN_LCURLY:
    case TOKEN_RCURLY:
    case TOKEN_NOT:
    case TOKEN_OR:
    case TOKEN_AND:
    case TOKEN_EQ:
    case TOKEN_NE:
    case TOKEN_LT:
    case TOKEN_LE:
    case TOKEN_GT:
    case TOKEN_GE:
    case TOKEN_ADD:
    case TOKEN_SUB:
    case TOKEN_MUL:
    case TOKEN_DIV:
    case TOKEN_MOD:
    case TOKEN_POW: break;
    }
    text.len = utf8_valid_len(text);
    return arena_printf(l->arena, "\"%.*s%s\"", STR_ARG(text), text.len < t->text.len ? "..." : "");
}

/* --- blanks and comments --- */

/* The byte after the comment that begins here; NULL when it never ends. */
static const char *comment_end(const struct alloy_lexer *l)
{
    size_t left = (size_t)(l->end - l->at);
    const char *p;

    if (l->at[1] == '/') {
        p = memchr(l->at, '\n', left);
        return p ? p : l->end;
    }
    p = memmem(l->at + 2, left - 2, "*/", 2);
    return p ? p + 2 : NULL;
}

static bool at_comment(const struct alloy_lexer *l)
{
    return l->end - l->at >= 2 && l->at[0] == '/' && (l->at[1] == '/' || l->at[1] == '*');
}

/* Passes blanks and comments. 1: a line ended that ends a statement, and l->token says so. */
static int skip_blanks(struct alloy_lexer *l)
{
    while (l->at < l->end) {
        const char *to = l->at + 1;

        if (at_comment(l)) {
            to = comment_end(l);
            if (!to)
                return refuse_at(l, l->at, "this comment is never closed");
        } else if (!strchr(" \t\r\n", *l->at)) {
            return 0;
        }
        if (l->ends_line && memchr(l->at, '\n', (size_t)(to - l->at))) {
            l->token = (struct alloy_token){TOKEN_TERMINATOR, pos_of(l, l->at), STR("\n"), {0}};
            l->ends_line = false;
            pass(l, to);
            return 1;
        }
        pass(l, to);
    }
    return 0;
}

/* --- strings --- */

static unsigned hex_value(char c)
{
    if (is_digit(c))
        return (unsigned)(c - '0');
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (unsigned)((c | 0x20) - 'a') + 10;
    return 16;
}

/* Digits of a numeric escape; false when there are not `count` of them. */
static bool escape_number(struct alloy_lexer *l, size_t count, unsigned base, uint32_t *out)
{
    uint32_t value = 0;

    if ((size_t)(l->end - l->at) < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = hex_value(l->at[i]);

        if (digit >= base)
            return false;
        value = value * base + digit;
    }
    l->at += count;
    *out = value;
    return true;
}

static const char *numeric_escape(struct alloy_lexer *l, char kind, struct buf *out)
{
    bool is_byte = kind != 'u' && kind != 'U';
    uint32_t value = 0;
    char bytes[4];
    bool whole;

    if (kind == 'x' || !is_byte) {
        whole = escape_number(l, kind == 'x' ? 2 : kind == 'u' ? 4 : 8, 16, &value);
    } else {
        l->at--;
        whole = escape_number(l, 3, 8, &value);
    }
    if (!whole)
        return "this escape has too few digits";
    if (is_byte) {
        if (value > 255)
            return "this escape is above \\377";
        buf_put_byte(out, (uint8_t)value);
        return NULL;
    }
    if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return "this escape is no Unicode character";
    buf_put(out, bytes, utf8_encode(value, bytes));
    return NULL;
}

/* One escape, after its backslash. NULL, or what is wrong with it. */
static const char *escape(struct alloy_lexer *l, struct buf *out)
{
    static const char names[] = "abfnrtv\\\"";
    static const char values[] = "\a\b\f\n\r\t\v\\\"";
    char c = l->at < l->end ? *l->at : '\n';
    const char *name = memchr(names, c, sizeof(names) - 1);

    if (c == '\n')
        return "this string is not closed on its line";
    l->at++;
    if (name) {
        buf_put_byte(out, (uint8_t)values[name - names]);
        return NULL;
    }
    if (c == 'x' || c == 'u' || c == 'U' || (c >= '0' && c <= '7'))
        return numeric_escape(l, c, out);
    return "unknown escape; a backslash itself is written \\\\";
}

static int lex_string(struct alloy_lexer *l)
{
    const char *start = l->at, *run;
    const char *wrong;
    struct buf out;

    buf_init_arena(&out, l->arena, ALLOY_MAX_BYTES);
    l->at++;
    for (run = l->at; l->at < l->end && *l->at != '"' && *l->at != '\n';) {
        const char *backslash = l->at;

        if (*l->at++ != '\\')
            continue;
        buf_put(&out, run, (size_t)(backslash - run));
        wrong = escape(l, &out);
        if (wrong)
            return alloy_lex_refuse(l, pos_of(l, backslash), "%s", wrong);
        run = l->at;
    }
    if (l->at == l->end || *l->at == '\n')
        return alloy_lex_refuse(l, l->token.pos, "this string is not closed on its line");
    if (out.len == 0) {
        l->token.value = str_make(run, (size_t)(l->at - run));
    } else {
        buf_put(&out, run, (size_t)(l->at - run));
        l->token.value = buf_str(&out);
    }
    l->at++;
    l->token.text = str_make(start, (size_t)(l->at - start));
    return 0;
}

/* Between backticks: everything stands for itself, lines too. */
static int lex_raw(struct alloy_lexer *l)
{
    const char *start = l->at;
    const char *close = memchr(start + 1, '`', (size_t)(l->end - start) - 1);

    if (!close)
        return alloy_lex_refuse(l, l->token.pos, "this raw string is never closed");
    pass(l, close + 1);
    l->token.text = str_make(start, (size_t)(l->at - start));
    l->token.value = str_make(start + 1, (size_t)(close - start) - 1);
    return 0;
}

/* --- the other tokens --- */

static void digits(struct alloy_lexer *l)
{
    while (l->at < l->end && is_digit(*l->at))
        l->at++;
}

static int lex_number(struct alloy_lexer *l)
{
    const char *start = l->at;

    digits(l);
    if (l->at < l->end && *l->at == '.') {
        l->at++;
        digits(l);
    }
    if (l->at < l->end && (*l->at | 0x20) == 'e') {
        l->at++;
        if (l->at < l->end && (*l->at == '+' || *l->at == '-'))
            l->at++;
        if (l->at == l->end || !is_digit(*l->at))
            return alloy_lex_refuse(l, l->token.pos, "the exponent of this number has no digits");
        digits(l);
    }
    l->token.text = str_make(start, (size_t)(l->at - start));
    return 0;
}

static int lex_sign(struct alloy_lexer *l)
{
    struct str left = rest(l);
    size_t n = utf8_char_len(left);

    for (size_t i = 0; i < COUNTOF(signs); i++) {
        if (!str_starts_with(left, signs[i].text))
            continue;
        l->token.kind = signs[i].kind;
        l->token.text = str_first(left, signs[i].text.len);
        l->ends_line = signs[i].ends_line;
        l->at += signs[i].text.len;
        return 0;
    }
    switch (*l->at) {
    case '#': return alloy_lex_refuse(l, l->token.pos, "unexpected \"#\"; comments begin with //");
    case '\'': return alloy_lex_refuse(l, l->token.pos, "strings are written in double quotes");
    case '&': return alloy_lex_refuse(l, l->token.pos, "unexpected \"&\"; did you mean \"&&\"?");
    case '|': return alloy_lex_refuse(l, l->token.pos, "unexpected \"|\"; did you mean \"||\"?");
    default: break;
    }
    if ((unsigned char)*l->at < 0x20 || *l->at == 0x7f)
        return alloy_lex_refuse(l, l->token.pos, "unexpected control character");
    return alloy_lex_refuse(l, l->token.pos, "unexpected \"%.*s\"", (int)n, l->at);
}

int alloy_lex_next(struct alloy_lexer *l)
{
    int ended = skip_blanks(l);
    size_t ident;

    if (ended != 0)
        return ended < 0 ? -1 : 0;
    l->token = (struct alloy_token){TOKEN_END, pos_of(l, l->at), {l->at, 0}, {0}};
    if (l->at == l->end) {
        if (l->ends_line)
            l->token.kind = TOKEN_TERMINATOR;
        l->ends_line = false;
        return 0;
    }
    ident = alloy_lex_ident_len(rest(l));
    if (ident > 0) {
        l->token.text = str_first(rest(l), ident);
        l->token.kind = alloy_lex_word(l->token.text);
        l->ends_line = true;
        l->at += ident;
        return 0;
    }
    if (is_digit(*l->at) || (*l->at == '.' && l->end - l->at > 1 && is_digit(l->at[1]))) {
        l->token.kind = TOKEN_NUMBER;
        l->ends_line = true;
        return lex_number(l);
    }
    if (*l->at == '"' || *l->at == '`') {
        l->token.kind = TOKEN_STRING;
        l->ends_line = true;
        return *l->at == '"' ? lex_string(l) : lex_raw(l);
    }
    return lex_sign(l);
}

int alloy_lex_init(struct alloy_lexer *l, struct arena *a, struct str text, struct fail *f)
{
    size_t valid;
    const char *bad;

    *l = (struct alloy_lexer){.arena = a, .fail = f, .at = text.len ? text.p : ""};
    l->end = l->at + text.len;
    l->mark = l->at;
    l->mark_pos = (struct alloy_pos){1, 1};
    if (text.len > ALLOY_MAX_BYTES)
        return alloy_lex_refuse(l, l->mark_pos, "the text is longer than %u bytes",
                                (unsigned)ALLOY_MAX_BYTES);
    valid = utf8_valid_len(text);
    if (valid < text.len)
        return refuse_at(l, l->at + valid, "this is not valid UTF-8");
    bad = text.len ? memchr(text.p, '\0', text.len) : NULL;
    if (bad)
        return refuse_at(l, bad, "unexpected NUL character");
    bad = text.len ? memmem(text.p, text.len, BOM.p, BOM.len) : NULL;
    if (bad)
        return refuse_at(l, bad, "unexpected byte order mark; save the text without one");
    return 0;
}
