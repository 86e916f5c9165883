/* SPDX-License-Identifier: Apache-2.0 */
/* How versions and platforms compare, and which build leads an agent where. Declared in build.h.
 * Pure. */
#include "core/build.h"

/* --- versions --- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Takes the digits at the front, without zeros that say nothing. */
static struct str take_number(struct str *s)
{
    size_t zeros = 0, n = 0;

    while (zeros < s->len && s->p[zeros] == '0')
        zeros++;
    *s = str_skip(*s, zeros);
    while (n < s->len && is_digit(s->p[n]))
        n++;

    struct str number = str_first(*s, n);

    *s = str_skip(*s, n);
    return number;
}

static int compare_numbers(struct str a, struct str b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return str_cmp(a, b);
}

/* "-rc1", ".beta2", "~dev": what is tried before the version that it stands behind. */
static bool is_prerelease(struct str s)
{
    static const char *const words[] = {"alpha", "beta", "dev", "pre", "preview", "rc", "snapshot"};
    size_t n = 0;

    if (s.len == 0 || s.p[0] == '~')
        return s.len > 0;
    if (s.p[0] != '-' && s.p[0] != '.' && s.p[0] != '_')
        return false;
    s = str_skip(s, 1);
    while (n < s.len && is_letter(s.p[n]))
        n++;
    for (size_t i = 0; i < COUNTOF(words); i++)
        if (str_eq_nocase(str_first(s, n), str_of(words[i])))
            return true;
    return false;
}

/* What comes next in a version, lowest first. */
enum part {
    PART_PRERELEASE,
    PART_END,
    PART_NUMBER,
    PART_OTHER
};

static enum part next_part(struct str s)
{
    if (is_prerelease(s))
        return PART_PRERELEASE;
    if (s.len == 0)
        return PART_END;
    return is_digit(s.p[0]) ? PART_NUMBER : PART_OTHER;
}

int build_compare(struct str a, struct str b)
{
    for (;;) {
        enum part part = next_part(a), other = next_part(b);

        if (part != other)
            return part < other ? -1 : 1;
        if (part == PART_END)
            return 0;
        if (part == PART_NUMBER) {
            struct str x = take_number(&a);
            int order = compare_numbers(x, take_number(&b));

            if (order != 0)
                return order;
            continue;
        }
        if (a.p[0] != b.p[0])
            return (unsigned char)a.p[0] < (unsigned char)b.p[0] ? -1 : 1;
        a = str_skip(a, 1);
        b = str_skip(b, 1);
    }
}

/* --- platforms --- */

/* What is not said fits. */
static bool half_fits(struct str a, struct str b)
{
    return a.len == 0 || b.len == 0 || str_eq_nocase(a, b);
}

bool build_fits(struct str platform, struct str agents_platform)
{
    if (str_eq(platform, STR("any")))
        return true;

    struct str os = str_cut(&platform, '/');
    struct str agents_os = str_cut(&agents_platform, '/');

    return half_fits(os, agents_os) && half_fits(platform, agents_platform);
}

/* Two parts of [a-z0-9._-] at most. */
static bool is_platform(struct str s)
{
    size_t slashes = 0;

    if (s.len == 0 || s.len > BUILD_PLATFORM_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (c == '/') {
            if (i == 0 || i + 1 == s.len || ++slashes > 1)
                return false;
        } else if (!(is_digit(c) || (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-')) {
            return false;
        }
    }
    return true;
}

bool build_is_exact_platform(struct str platform)
{
    return is_platform(platform) && str_index(platform, '/') > 0;
}

/* More for a build that says more of what the agent says too. */
static int closeness(const struct build *b)
{
    if (str_eq(b->platform, STR("any")))
        return 1;
    return str_index(b->platform, '/') < 0 ? 2 : 3;
}

/* --- looking for one --- */

bool build_find(const struct build *all, size_t count, struct str version, struct str platform,
                struct build *out)
{
    int best = 0;

    for (size_t i = 0; i < count; i++) {
        if (!str_eq(all[i].version, version) || !build_fits(all[i].platform, platform) ||
            closeness(&all[i]) <= best)
            continue;
        best = closeness(&all[i]);
        *out = all[i];
    }
    return best > 0;
}

bool build_latest(const struct build *all, size_t count, struct str platform, struct build *out)
{
    for (size_t i = 0; i < count; i++) {
        if (build_fits(all[i].platform, platform))
            return build_find(all, count, all[i].version, platform, out);
    }
    return false;
}

static bool may_jump(const struct build *b, struct str from)
{
    return b->from_version.len == 0 || build_compare(b->from_version, from) <= 0;
}

/* The newest build that an agent at `from` may take and that lies between it and `to`. */
static bool step_between(const struct build *all, size_t count, struct str platform,
                         struct str from, struct str to, struct build *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct build *b = &all[i];

        if (build_fits(b->platform, platform) && build_compare(b->version, to) < 0 &&
            build_compare(b->version, from) > 0 && may_jump(b, from)) {
            *out = *b;
            return true;
        }
    }
    return false;
}

/* The farthest step that is allowed leads farther than any other: whoever runs more may take at
 * least as many builds. */
bool build_step(const struct build *all, size_t count, struct str platform, struct str from,
                struct str to, struct build *out)
{
    struct build goal = {0}, first = {0}, step = {0};

    if (!build_find(all, count, to, platform, &goal))
        return false;
    for (size_t steps = 0; steps < BUILD_STEPS_MAX; steps++) {
        if (may_jump(&goal, from)) {
            *out = steps == 0 ? goal : first;
            return true;
        }
        if (!step_between(all, count, platform, from, to, &step))
            return false;
        if (steps == 0)
            first = step;
        from = step.version;
    }
    return false;
}

/* --- checking one --- */

static bool is_version(struct str s)
{
    if (s.len == 0 || s.len > BUILD_VERSION_MAX || !(is_digit(s.p[0]) || is_letter(s.p[0])) ||
        str_eq(s, STR("latest")))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (!(is_digit(c) || is_letter(c) || c == '.' || c == '-' || c == '_' || c == '+' ||
              c == '~'))
            return false;
    }
    return true;
}

static int refuse(struct fail *f, const char *reason, const char *field, const char *message)
{
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, reason, "%s", message));
    return fail_field(f, "%s", field);
}

int build_check(const struct build *b, struct fail *f)
{
    if (!is_version(b->version))
        return refuse(f, "bad_version", "version",
                      "a version is 1 to 64 letters, digits and . - _ + ~, a letter or a digit "
                      "first");
    if (!is_platform(b->platform))
        return refuse(f, "bad_platform", "platform",
                      "a platform is \"any\", an operating system like \"linux\", or one with an "
                      "architecture like \"linux/amd64\"");
    if (b->from_version.len == 0)
        return 0;
    if (!is_version(b->from_version) || build_compare(b->from_version, b->version) > 0)
        return refuse(f, "bad_version", "from_version",
                      "the lowest version to come from is no version, or above the build's own");
    return 0;
}
