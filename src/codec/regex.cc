/* SPDX-License-Identifier: Apache-2.0 */
/* The seam to RE2, which is C++. RE2 throws nothing; running out of memory ends the process here as
 * it does everywhere else, since nobody catches what is thrown then. An anchored pattern of plain
 * alternatives ("a|b"), by far the most common kind, is compared directly: that takes no lock, no
 * cache and little memory. */
#include <cassert>
#include <cstring>
#include <memory>
#include <string>

#include <re2/re2.h>

extern "C" {
#include "codec/regex.h"
}

struct regex {
    std::string alternatives; /* separated by '|'; in use when `compiled` is not */
    std::unique_ptr<re2::RE2> compiled;
    re2::RE2::Anchor anchor;
};

namespace
{

/* Bytes that stand for themselves in any pattern. Those of other scripts do, too, but the pattern
 * must then be known to be UTF-8. */
bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == ':' || c == '/' || c == '@' || c == ' ' || c == ',' || c == '=';
}

bool is_list(struct str pattern)
{
    for (size_t i = 0; i < pattern.len; i++) {
        if (!is_plain(pattern.p[i]) && pattern.p[i] != '|')
            return false;
    }
    return true;
}

bool is_listed(const std::string &alternatives, struct str text)
{
    const char *at = alternatives.data();
    const char *end = at + alternatives.size();

    for (;;) {
        const char *bar =
            at == end ? nullptr : static_cast<const char *>(memchr(at, '|', size_t(end - at)));
        const char *stop = bar ? bar : end;

        if (str_eq({at, size_t(stop - at)}, text))
            return true;
        if (!bar)
            return false;
        at = bar + 1;
    }
}

int refuse(struct fail *f, const char *why)
{
    return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_pattern", "invalid pattern: %s", why);
}

} // namespace

int regex_compile(struct str pattern, unsigned flags, struct regex **out, struct fail *f)
{
    if (pattern.len > REGEX_PATTERN_MAX)
        return refuse(f, "it is too long");

    std::unique_ptr<struct regex> r(new struct regex);

    r->anchor = flags & REGEX_ANCHORED ? re2::RE2::ANCHOR_BOTH : re2::RE2::UNANCHORED;
    if (flags == REGEX_ANCHORED && is_list(pattern)) {
        r->alternatives.assign(pattern.len > 0 ? pattern.p : "", pattern.len);
        *out = r.release();
        return 0;
    }

    re2::RE2::Options options;

    options.set_encoding(re2::RE2::Options::EncodingUTF8);
    options.set_log_errors(false);
    options.set_max_mem(REGEX_MEMORY_MAX);
    options.set_dot_nl(false);
    options.set_case_sensitive(!(flags & REGEX_NO_CASE));
    r->compiled.reset(new re2::RE2(re2::StringPiece(pattern.p, pattern.len), options));
    if (!r->compiled->ok())
        return refuse(f, r->compiled->error().c_str());
    if (r->compiled->ProgramSize() > REGEX_STEPS_MAX)
        return refuse(f, "it is too large when its repetitions are written out");
    *out = r.release();
    return 0;
}

size_t regex_steps(const struct regex *r)
{
    return r->compiled ? static_cast<size_t>(r->compiled->ProgramSize()) : 0;
}

bool regex_matches(const struct regex *r, struct str text)
{
    if (!r->compiled)
        return is_listed(r->alternatives, text);
    return r->compiled->Match(re2::StringPiece(text.p, text.len), 0, text.len, r->anchor, nullptr,
                              0);
}

size_t regex_group_count(const struct regex *r)
{
    return r->compiled ? size_t(r->compiled->NumberOfCapturingGroups()) : 0;
}

bool regex_search(const struct regex *r, struct str text, size_t from, struct str *groups,
                  size_t count)
{
    re2::StringPiece found[REGEX_GROUPS_MAX + 1];

    assert(r->compiled && r->anchor == re2::RE2::UNANCHORED);
    assert(count >= 1 && count <= REGEX_GROUPS_MAX + 1);
    if (from > text.len ||
        !r->compiled->Match(re2::StringPiece(text.len > 0 ? text.p : "", text.len), from, text.len,
                            r->anchor, found, int(count)))
        return false;
    for (size_t i = 0; i < count; i++)
        groups[i] = {found[i].data(), found[i].size()};
    return true;
}

void regex_free(struct regex **r)
{
    delete *r;
    *r = nullptr;
}
