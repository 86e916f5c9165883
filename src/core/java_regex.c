/* SPDX-License-Identifier: Apache-2.0 */
/* See java_regex.h. */
#include "core/java_regex.h"

#include "base/buf.h"

/* Walks a pattern, a construct at a time. */
struct walk {
    struct str rest;
    struct buf out;
    bool in_class;
    bool in_quote;
    const char *why; /* what is refused; NULL so far */
};

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void pass(struct walk *w, size_t len)
{
    buf_put_str(&w->out, str_first(w->rest, len));
    w->rest = str_skip(w->rest, len);
}

static bool is_code_unit(struct str s)
{
    if (s.len < 6)
        return false;
    for (size_t i = 2; i < 6; i++)
        if (!is_hex(s.p[i]))
            return false;
    return true;
}

static void walk_escape(struct walk *w)
{
    char c = w->rest.len > 1 ? w->rest.p[1] : '\0';

    if (c == 'u' && is_code_unit(w->rest)) {
        buf_put_str(&w->out, STR("\\x{"));
        buf_put(&w->out, w->rest.p + 2, 4);
        buf_put_byte(&w->out, '}');
        w->rest = str_skip(w->rest, 6);
        return;
    }
    if (c == 'v' || c == 'C')
        w->why =
            c == 'v' ? "\\v means several characters in Java: write them out" : "\\C is not known";
    w->in_quote = c == 'Q';
    pass(w, 2);
}

/* "(?...": what follows the question mark. */
static void walk_group(struct walk *w)
{
    struct str at = str_skip(w->rest, 2);
    char second = at.len > 1 ? at.p[1] : '\0';

    if (str_starts_with(at, STR("<")) &&
        ((second >= 'a' && second <= 'z') || (second >= 'A' && second <= 'Z'))) {
        buf_put_str(&w->out, STR("(?P"));
        w->rest = at;
        return;
    }
    for (size_t i = 0; i < at.len && at.p[i] != ')' && at.p[i] != ':' && at.p[i] != '<'; i++)
        if (at.p[i] == 'U')
            w->why = "the flag U means something else here";
    pass(w, 2);
}

static void walk_class_begin(struct walk *w)
{
    w->in_class = true;
    pass(w, 1);
    if (str_starts_with(w->rest, STR("^")))
        pass(w, 1);
    if (str_starts_with(w->rest, STR("]")))
        w->why = "write \\] at the beginning of a class";
}

static void walk_step(struct walk *w)
{
    if (w->in_quote) {
        w->in_quote = !str_starts_with(w->rest, STR("\\E"));
        pass(w, w->in_quote ? 1 : 2);
    } else if (w->rest.p[0] == '\\') {
        walk_escape(w);
    } else if (w->in_class) {
        if (w->rest.p[0] == '[' || str_starts_with(w->rest, STR("&&")))
            w->why = "classes within classes are not known";
        w->in_class = w->rest.p[0] != ']';
        pass(w, 1);
    } else if (w->rest.p[0] == '[') {
        walk_class_begin(w);
    } else if (str_starts_with(w->rest, STR("(?"))) {
        walk_group(w);
    } else {
        pass(w, 1);
    }
}

static int refuse(struct fail *f, const char *why)
{
    return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_pattern", "invalid pattern: %s", why);
}

static int translate(struct arena *a, struct str pattern, struct str *out, struct fail *f)
{
    struct walk w = {.rest = pattern};

    /* Each \u is six characters and becomes eight. */
    buf_init_arena(&w.out, a, REGEX_PATTERN_MAX * 2);
    while (w.rest.len > 0 && !w.why)
        walk_step(&w);
    if (w.why)
        return refuse(f, w.why);
    *out = buf_str(&w.out);
    return 0;
}

static void free_regex(void *arg)
{
    struct regex *r = arg;

    regex_free(&r);
}

int java_regex_compile(struct arena *a, struct str pattern, enum java_regex_fit fit,
                       struct regex **out, struct fail *f)
{
    struct str text = {0};

    if (pattern.len > REGEX_PATTERN_MAX)
        return refuse(f, "it is too long");
    if (translate(a, pattern, &text, f) < 0 ||
        regex_compile(text, fit == JAVA_REGEX_WHOLE ? REGEX_ANCHORED : 0, out, f) < 0)
        return -1;
    if (fit == JAVA_REGEX_AT_START) {
        /* It has been compiled by itself, so its brackets are its own. */
        regex_free(out);
        text = arena_printf(a, "\\A(?:%.*s)", STR_ARG(text));
        if (regex_compile(text, 0, out, f) < 0)
            return -1;
    }
    arena_on_free(a, free_regex, *out);
    return 0;
}
