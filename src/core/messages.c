/* SPDX-License-Identifier: Apache-2.0 */
/* See messages.h. */
#include "core/messages.h"

#include "core/java_regex.h"

#define EPOCH_DIGITS_MIN 10 /* seconds */
#define EPOCH_DIGITS_MAX 19 /* nanoseconds */

/* --- what a time looks like --- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char at(struct str s, size_t i)
{
    return i < s.len ? s.p[i] : '\0';
}

static bool is_name(struct str s, const char *names)
{
    for (const char *n = names; *n; n += 3)
        if (str_eq_nocase(str_first(s, 3), (struct str){n, 3}))
            return true;
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_month(struct str s)
{
    return s.len >= 3 && !is_letter(at(s, 3)) && is_name(s, "janfebmaraprmayjunjulaugsepoctnovdec");
}

static bool is_weekday(struct str s)
{
    return s.len >= 3 && is_name(s, "montuewedthufrisatsun");
}

/* "2026-11-21", "2026/11", "20261121T", "21/Nov/2026", "11-21-26", "12:00:00", "1795262400.5" */
static bool is_number_of_time(struct str s)
{
    size_t n = 0, second;

    while (is_digit(at(s, n)))
        n++;

    char after = at(s, n), next = at(s, n + 1);

    if (n >= EPOCH_DIGITS_MIN && n <= EPOCH_DIGITS_MAX)
        return !is_letter(after);
    if (n == 4)
        return (after == '-' || after == '/' || after == '.') && is_digit(next);
    if (n == 8)
        return after == 'T' && is_digit(next);
    if (n != 1 && n != 2)
        return false;
    if (after == ':')
        return is_digit(next) && is_digit(at(s, n + 2)) && at(s, n + 3) == ':';
    if (after != '-' && after != '/' && after != ' ')
        return false;
    if (is_month(str_skip(s, n + 1)))
        return true;
    second = n + 1;
    while (is_digit(at(s, second)))
        second++;
    return after != ' ' && second > n + 1 && at(s, second) == after && is_digit(at(s, second + 1));
}

/* "Nov 21", "Nov  1" */
static bool is_month_and_day(struct str s)
{
    size_t n = 3;

    if (!is_month(s))
        return false;
    while (at(s, n) == ' ')
        n++;
    return n > 3 && is_digit(at(s, n));
}

/* Past "<13>" and "1 " behind it. */
static struct str skip_priority(struct str s)
{
    size_t n = 1;

    if (at(s, 0) != '<')
        return s;
    while (is_digit(at(s, n)))
        n++;
    if (n == 1 || at(s, n) != '>')
        return s;
    s = str_skip(s, n + 1);
    return at(s, 0) == '1' && at(s, 1) == ' ' ? str_skip(s, 2) : s;
}

static bool begins_with_time(struct str line)
{
    struct str s = skip_priority(line);

    if (at(s, 0) == '[' || at(s, 0) == '(')
        s = str_skip(s, 1);
    if (is_weekday(s)) {
        s = str_skip(s, 3);
        while (at(s, 0) == ',' || at(s, 0) == ' ')
            s = str_skip(s, 1);
    }
    return is_number_of_time(s) || is_month_and_day(s);
}

/* --- boundaries --- */

int boundary_compile(struct arena *a, enum boundary_kind kind, struct str pattern,
                     struct boundary *out, struct fail *f)
{
    struct boundary b = {.kind = kind};

    if (kind == BOUNDARY_PREFIX &&
        java_regex_compile(a, pattern, JAVA_REGEX_AT_START, &b.prefix, f) < 0)
        return -1;
    *out = b;
    return 0;
}

static bool begins(const struct messages *m, struct str line)
{
    struct str match;

    switch (m->by->kind) {
    case BOUNDARY_LINE: return true;
    case BOUNDARY_BODY: return false;
    case BOUNDARY_INFER:
        return m->timed ? begins_with_time(line) : line.p[0] != ' ' && line.p[0] != '\t';
    case BOUNDARY_PREFIX: return regex_search(m->by->prefix, line, 0, &match, 1);
    }
    return true;
}

/* --- the walk --- */

/* The first line, without its line break; *rest moves behind that. All carriage returns before the
 * end belong to it: a line of one would be none once it is followed by a line feed. */
static struct str take_line(struct str *rest)
{
    struct str line = str_cut(rest, '\n');

    while (line.len > 0 && line.p[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* The first line that is not empty; of length 0 at the end. */
static struct str take_first(struct str *rest)
{
    struct str line = {0};

    while (line.len == 0 && rest->len > 0)
        line = take_line(rest);
    return line;
}

void messages_begin(struct messages *m, const struct boundary *by, struct str body)
{
    struct str rest = body;

    *m = (struct messages){.by = by, .rest = body};
    if (by->kind == BOUNDARY_INFER)
        m->timed = begins_with_time(take_first(&rest));
}

bool messages_next(struct messages *m, struct str *out)
{
    struct str first;

    if (m->by->kind == BOUNDARY_BODY) {
        *out = m->rest;
        m->rest = STR("");
        return out->len > 0;
    }
    first = take_first(&m->rest);
    if (first.len == 0)
        return false;

    struct str ahead = m->rest;
    const char *end = first.p + first.len;

    while (m->by->kind != BOUNDARY_LINE && ahead.len > 0) {
        struct str line = take_line(&ahead);

        if (line.len > 0 && begins(m, line))
            break;
        if (line.len > 0) {
            end = line.p + line.len;
            m->rest = ahead;
        }
    }
    *out = (struct str){first.p, (size_t)(end - first.p)};
    return true;
}
