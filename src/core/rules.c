/* SPDX-License-Identifier: Apache-2.0 */
/* See rules.h. Patterns are written for java.util.regex. What RE2 does not know it refuses itself;
 * what it would understand in another way is refused here, since a rule that hides something must
 * not quietly hide less. Two spellings are translated: (?<name>...) and \uXXXX. */
#include "core/rules.h"

#include <assert.h>
#include <stdlib.h>

#include "codec/md5.h"
#include "codec/regex.h"
#include "codec/sha256.h"
#include "codec/utf8.h"

/* A message may become so much longer, and have so many matches of a rule; what lies behind is cut
 * off, as it would pass unread. */
#define GROWTH_FACTOR 4
#define GROWTH_LEAST  ((size_t)64 << 10)
#define MATCHES_MAX   16384

struct rule {
    enum rule_kind kind;
    struct regex *regex;
    size_t groups;
    struct str mask;
};

struct rules {
    struct rule *items; /* include, exclude, hash, mask */
    size_t count;
    bool has_include;
    enum rule_hash hash;
};

/* --- patterns --- */

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

static int translate(struct arena *a, struct str pattern, struct str *out, struct fail *f)
{
    struct walk w = {.rest = pattern};

    /* Each \u is six characters and becomes eight. */
    buf_init_arena(&w.out, a, REGEX_PATTERN_MAX * 2);
    while (w.rest.len > 0 && !w.why)
        walk_step(&w);
    if (w.why)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_pattern", "invalid pattern: %s", w.why);
    *out = buf_str(&w.out);
    return 0;
}

/* --- compiling --- */

static void free_regex(void *arg)
{
    struct regex *r = arg;

    regex_free(&r);
}

static bool matches_whole(enum rule_kind kind)
{
    return kind == RULE_INCLUDE || kind == RULE_EXCLUDE;
}

static int compile(struct arena *a, const struct rule_spec *spec, struct rule *out, struct fail *f)
{
    struct str pattern = {0};
    bool whole = matches_whole(spec->kind);

    if (spec->pattern.len > REGEX_PATTERN_MAX)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_pattern",
                           "invalid pattern: it is too long");
    *out = (struct rule){.kind = spec->kind, .mask = arena_str(a, spec->mask)};
    if (translate(a, spec->pattern, &pattern, f) < 0 ||
        regex_compile(pattern, whole ? REGEX_ANCHORED : 0, &out->regex, f) < 0)
        return -1;
    arena_on_free(a, free_regex, out->regex);
    out->groups = regex_group_count(out->regex);
    if (spec->kind != RULE_HASH && spec->kind != RULE_MASK)
        return 0;
    if (out->groups == 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_pattern",
                           "invalid pattern: what is to be hidden must stand in a group");
    if (out->groups > REGEX_GROUPS_MAX)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_pattern",
                           "invalid pattern: it has more than %d groups", REGEX_GROUPS_MAX);
    return 0;
}

int rules_compile(struct arena *a, const struct rule_spec *specs, size_t count, enum rule_hash hash,
                  struct rules **out, struct fail *f)
{
    struct rules *r = arena_new_type(a, struct rules);

    r->hash = hash;
    r->items = arena_new_array(a, struct rule, count);
    for (size_t i = 0; i < count; i++) {
        struct rule rule = {0};

        if (compile(a, &specs[i], &rule, f) < 0)
            return fail_field(f, "filters[%zu].regexp", i);
        r->has_include |= rule.kind == RULE_INCLUDE;
        if (rule.kind != RULE_FORWARD)
            r->items[r->count++] = rule;
    }
    *out = r;
    return 0;
}

/* --- applying --- */

/* As a reader would show it; then a dot matches what was no UTF-8, too, and hides no less. */
static struct str make_utf8(struct arena *a, struct str s)
{
    struct buf out;

    buf_init_arena(&out, a, s.len * 3);
    while (s.len > 0) {
        size_t good = utf8_valid_len(s);

        buf_put_str(&out, str_first(s, good));
        s = str_skip(s, good);
        if (s.len > 0) {
            buf_put_str(&out, STR("\xef\xbf\xbd"));
            s = str_skip(s, utf8_bad_len(s));
        }
    }
    return buf_str(&out);
}

static bool passes(const struct rules *r, struct str message)
{
    bool included = !r->has_include;

    for (size_t i = 0; i < r->count; i++) {
        const struct rule *rule = &r->items[i];

        if (!matches_whole(rule->kind) || (rule->kind == RULE_INCLUDE && included))
            continue;
        if (!regex_matches(rule->regex, message))
            continue;
        if (rule->kind == RULE_EXCLUDE)
            return false;
        included = true;
    }
    return included;
}

static void put_hex(struct buf *out, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        buf_put_byte(out, (uint8_t)digits[bytes[i] >> 4]);
        buf_put_byte(out, (uint8_t)digits[bytes[i] & 15]);
    }
}

static void put_hidden(const struct rules *r, const struct rule *rule, struct str secret,
                       struct buf *out)
{
    uint8_t digest[SHA256_LEN];

    if (rule->kind == RULE_MASK) {
        buf_put_str(out, rule->mask);
    } else if (r->hash == RULE_SHA256) {
        sha256(secret, digest);
        put_hex(out, digest, SHA256_LEN);
    } else {
        md5(secret, digest);
        put_hex(out, digest, MD5_LEN);
    }
}

static int by_place(const void *a, const void *b)
{
    const struct str *x = a, *y = b;

    return x->p < y->p ? -1 : x->p > y->p;
}

/* The groups of one match that hide something, in the order of the text: in a repetition, a group
 * with a higher number may come first. */
static size_t sort_groups(struct str *groups, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        if (groups[i].p && groups[i].len > 0)
            groups[n++] = groups[i];
    if (n > 1)
        qsort(groups, n, sizeof(*groups), by_place);
    return n;
}

/* Where the search goes on: an empty match must not be found for ever. */
static size_t next_place(struct str text, struct str match)
{
    size_t end = (size_t)(match.p - text.p) + match.len;

    if (match.len > 0 || end >= text.len)
        return match.len > 0 ? end : end + 1;
    return end + MAX(utf8_char_len(str_skip(text, end)), (size_t)1);
}

static struct str hide(const struct rules *r, const struct rule *rule, struct arena *a,
                       struct str text)
{
    struct str groups[REGEX_GROUPS_MAX + 1] = {{0}};
    struct buf out;
    size_t done = 0, at = 0, matches = 0;

    while (at <= text.len && regex_search(rule->regex, text, at, groups, rule->groups + 1)) {
        struct str match = groups[0];
        size_t n = sort_groups(groups + 1, rule->groups);

        if (matches == 0)
            buf_init_arena(&out, a, MAX(text.len * GROWTH_FACTOR, GROWTH_LEAST));
        for (size_t i = 1; i <= n; i++) {
            size_t from = (size_t)(groups[i].p - text.p);
            size_t end = from + groups[i].len;

            if (from < done) /* within one that is hidden already; or a part of it */
                from = MIN(done, end);
            else
                buf_put_str(&out, (struct str){text.p + done, from - done});
            if (from < end)
                put_hidden(r, rule, (struct str){text.p + from, end - from}, &out);
            done = MAX(done, end);
        }
        at = next_place(text, match);
        if (++matches >= MATCHES_MAX || out.overflow)
            return buf_str(&out);
    }
    if (matches == 0 || done == 0)
        return text;
    buf_put_str(&out, str_skip(text, done));
    return buf_str(&out);
}

bool rules_apply(const struct rules *r, struct arena *a, struct str message, struct str *out)
{
    struct str text = message;

    if (r->count > 0 && !utf8_is_valid(text))
        text = make_utf8(a, text);
    if (!passes(r, text))
        return false;
    for (size_t i = 0; i < r->count; i++)
        if (!matches_whole(r->items[i].kind))
            text = hide(r, &r->items[i], a, text);
    *out = text;
    return true;
}

bool rules_are_idle(const struct rules *r)
{
    return r->count == 0;
}
