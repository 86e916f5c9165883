/* SPDX-License-Identifier: Apache-2.0 */
/* Matchers: what is read can be written with quotes and escape sequences alone and is then read as
 * the same; operators and their opposites never agree; refusals name a column within the text. The
 * input is the matcher, and after a NUL a value to match. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "codec/utf8.h"
#include "core/matcher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const ops[] = {
    [MATCH_EQUAL] = "=",
    [MATCH_NOT_EQUAL] = "!=",
    [MATCH_PATTERN] = "=~",
    [MATCH_NOT_PATTERN] = "!~",
};

static const enum matcher_op opposite[] = {
    [MATCH_EQUAL] = MATCH_NOT_EQUAL,
    [MATCH_NOT_EQUAL] = MATCH_EQUAL,
    [MATCH_PATTERN] = MATCH_NOT_PATTERN,
    [MATCH_NOT_PATTERN] = MATCH_PATTERN,
};

static void put_quoted(struct buf *b, struct str s)
{
    buf_put_byte(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\' || s.p[i] == '\n')
            buf_printf(b, "\\%03o", (unsigned)s.p[i]);
        else
            buf_put_byte(b, (uint8_t)s.p[i]);
    }
    buf_put_byte(b, '"');
}

static void check_again(struct arena *a, const struct matcher *m)
{
    struct matcher again = {0};
    struct fail f = {0};
    struct buf b;

    buf_init_arena(&b, a, 1 << 16);
    buf_put_str(&b, STR("{"));
    put_quoted(&b, m->name);
    buf_put_str(&b, str_of(ops[m->op]));
    put_quoted(&b, m->value);
    buf_put_str(&b, STR(" ,}"));
    if (utf8_count(buf_str(&b)) > MATCHER_CHARS_MAX)
        return;
    if (matcher_parse(a, buf_str(&b), &again, &f) < 0)
        abort();
    assert(again.op == m->op && str_eq(again.name, m->name) && str_eq(again.value, m->value));
}

static void check_holds(const struct matcher *m, struct str value)
{
    struct matcher other = *m;
    struct label one = {.key = m->name, .value = value};

    other.op = opposite[m->op];
    assert(matcher_holds(m, value) != matcher_holds(&other, value));
    assert(matcher_holds(m, value) == !matchers_refusing(m, 1, &one, 1));
    assert(matcher_holds(m, (struct str){0}) == !matchers_refusing(m, 1, NULL, 0));
    if (m->op == MATCH_EQUAL)
        assert(matcher_holds(m, m->value));
}

static void check_refusal(struct str text, const struct fail *f)
{
    struct str message = str_of(f->message);
    uint64_t column;

    assert(f->code == CODE_INVALID_ARGUMENT && utf8_is_valid(message));
    if (str_eq(str_of(f->reason), STR("too_large"))) {
        assert(text.len > MATCHER_CHARS_MAX);
        return;
    }
    assert(str_eq(str_of(f->reason), STR("bad_matcher")));
    str_cut(&message, ' ');
    if (str_to_u64(str_cut(&message, ':'), &column) < 0)
        abort();
    assert(column >= 1 && column <= text.len + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str value = str_make(data, size);
    struct str text = str_cut(&value, '\0');
    struct arena *a = arena_new(4096);
    struct matcher m = {0};
    struct fail f = {0};

    if (matcher_parse(a, text, &m, &f) < 0) {
        check_refusal(text, &f);
    } else {
        assert(str_eq(m.text, text) && m.name.len > 0 && utf8_is_valid(m.value));
        check_again(a, &m);
        check_holds(&m, value);
    }
    arena_free(&a);
    return 0;
}
