/* SPDX-License-Identifier: Apache-2.0 */
/* See rules.h. */
#include "core/rules.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "base/id.h"
#include "codec/md5.h"
#include "codec/sha256.h"
#include "codec/utf8.h"
#include "core/java_regex.h"

/* Between two looks at the time that was spent. */
#define SEARCHES_PER_LOOK 64

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

/* --- compiling --- */

static bool matches_whole(enum rule_kind kind)
{
    return kind == RULE_INCLUDE || kind == RULE_EXCLUDE;
}

static int compile(struct arena *a, const struct rule_spec *spec, struct rule *out, struct fail *f)
{
    enum java_regex_fit fit = matches_whole(spec->kind) ? JAVA_REGEX_WHOLE : JAVA_REGEX_ANYWHERE;

    *out = (struct rule){.kind = spec->kind, .mask = arena_str(a, spec->mask)};
    if (java_regex_compile(a, spec->pattern, fit, &out->regex, f) < 0)
        return -1;
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

static int64_t thread_us(void)
{
    struct timespec t = {0};

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void rules_work_init(struct rules_work *w, size_t max, int64_t cpu_us)
{
    *w = (struct rules_work){.until_us = thread_us() + cpu_us};
    for (size_t i = 0; i < COUNTOF(w->texts); i++)
        buf_init(&w->texts[i], max);
}

void rules_work_done(struct rules_work *w)
{
    for (size_t i = 0; i < COUNTOF(w->texts); i++)
        buf_done(&w->texts[i]);
}

/* Time goes with the text for each search, but a search may look at all of it for each match. */
static bool is_over_time(struct rules_work *w)
{
    if (w->searches++ % SEARCHES_PER_LOOK == 0)
        w->over_time |= thread_us() >= w->until_us;
    return w->over_time;
}

/* The one that does not hold the text that is worked on. */
static struct buf *other_text(struct rules_work *w)
{
    w->current ^= 1;
    buf_clear(&w->texts[w->current]);
    return &w->texts[w->current];
}

/* As a reader would show it; then a dot matches what was no UTF-8, too, and hides no less. */
static struct str make_utf8(struct rules_work *w, struct str s)
{
    struct buf *out = other_text(w);

    while (s.len > 0) {
        size_t good = utf8_valid_len(s);

        buf_put_str(out, str_first(s, good));
        s = str_skip(s, good);
        if (s.len > 0) {
            buf_put_str(out, STR("\xef\xbf\xbd"));
            s = str_skip(s, utf8_bad_len(s));
        }
    }
    return buf_str(out);
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

static void put_hex(struct buf *out, const uint8_t *digest, size_t len)
{
    char hex[2 * SHA256_LEN];

    hex_print(digest, len, hex);
    buf_put(out, hex, 2 * len);
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

/* One match: what stands before it, and it without what its groups say. *done moves behind. */
static void hide_match(const struct rules *r, const struct rule *rule, struct str text,
                       struct str *groups, size_t *done, struct buf *out)
{
    size_t n = sort_groups(groups, rule->groups);

    for (size_t i = 0; i < n; i++) {
        size_t from = (size_t)(groups[i].p - text.p);
        size_t end = from + groups[i].len;

        if (from < *done) /* within one that is hidden already; or a part of it */
            from = MIN(*done, end);
        else
            buf_put_str(out, (struct str){text.p + *done, from - *done});
        if (from < end)
            put_hidden(r, rule, (struct str){text.p + from, end - from}, out);
        *done = MAX(*done, end);
    }
}

/* False: too much. */
static bool hide(const struct rules *r, const struct rule *rule, struct rules_work *w,
                 struct str *text)
{
    struct str groups[REGEX_GROUPS_MAX + 1] = {{0}};
    struct buf *out = NULL;
    size_t done = 0, at = 0;

    if (text->len == 0)
        return true;
    while (at <= text->len && regex_search(rule->regex, *text, at, groups, rule->groups + 1)) {
        if (!out)
            out = other_text(w);
        at = next_place(*text, groups[0]);
        hide_match(r, rule, *text, groups + 1, &done, out);
        if (out->overflow || is_over_time(w))
            return false;
    }
    if (done == 0) {
        w->current ^= out ? 1 : 0; /* nothing was hidden: the text stays where it is */
        return true;
    }
    buf_put_str(out, str_skip(*text, done));
    *text = buf_str(out);
    return !out->overflow;
}

enum rules_verdict rules_apply(const struct rules *r, struct rules_work *w, struct str message,
                               struct str *out)
{
    struct str text = message;

    if (is_over_time(w))
        return RULES_TOO_MUCH;
    if (r->count > 0 && !utf8_is_valid(text))
        text = make_utf8(w, text);
    if (w->texts[w->current].overflow)
        return RULES_TOO_MUCH;
    if (!passes(r, text))
        return RULES_DROPPED;
    for (size_t i = 0; i < r->count; i++)
        if (!matches_whole(r->items[i].kind) && !hide(r, &r->items[i], w, &text))
            return RULES_TOO_MUCH;
    *out = text;
    return RULES_PASSED;
}

bool rules_are_idle(const struct rules *r)
{
    return r->count == 0;
}
