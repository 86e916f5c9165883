/* SPDX-License-Identifier: Apache-2.0 */
/* See source_rules.h. */
#include "api/sumologic/source_rules.h"

#include "api/sumologic/source_json.h"

#define RULE_NAME_CHARS 32
#define PATTERN_CHARS   4096

/* --- patterns --- */

struct scan {
    struct str text;
    size_t at;
    size_t open; /* groups */
    struct pattern_shape shape;
};

/* Past what a backslash begins. */
static bool skip_escape(struct scan *s)
{
    struct str rest = str_skip(s->text, s->at + 1);

    if (rest.len == 0)
        return false;
    if (rest.p[0] != 'Q') {
        s->at += 2;
        return true;
    }

    const char *end = memmem(rest.p, rest.len, "\\E", 2);

    s->at = end ? (size_t)(end - s->text.p) + 2 : s->text.len;
    return true;
}

/* Past a class in square brackets. Java lets them nest, others do not. */
static bool skip_class(struct scan *s, bool nests)
{
    size_t depth = 0;

    while (s->at < s->text.len) {
        char c = s->text.p[s->at];

        if (c == '\\') {
            if (!skip_escape(s))
                return false;
            continue;
        }
        s->at++;
        if (c == '[' && (nests || depth == 0)) {
            depth++;
            if (s->at < s->text.len && s->text.p[s->at] == '^')
                s->at++;
            if (s->at < s->text.len && s->text.p[s->at] == ']')
                s->at++; /* the first one stands for itself */
        } else if (c == ']' && --depth == 0) {
            return true;
        }
    }
    return false;
}

static void open_group(struct scan *s)
{
    struct str rest = str_skip(s->text, s->at);
    bool named =
        str_starts_with(rest, STR("(?<")) && rest.len > 3 && rest.p[3] != '=' && rest.p[3] != '!';

    s->open++;
    s->at++;
    if (named)
        s->shape.groups++;
    else if (rest.len < 2 || rest.p[1] != '?') {
        s->shape.groups++;
        s->shape.unnamed++;
    }
}

static bool scan_pattern(struct scan *s, bool nests)
{
    while (s->at < s->text.len) {
        switch (s->text.p[s->at]) {
        case '\\':
            if (!skip_escape(s))
                return false;
            break;
        case '[':
            if (!skip_class(s, nests))
                return false;
            break;
        case '(': open_group(s); break;
        case ')':
            if (s->open == 0)
                return false;
            s->open--;
            s->at++;
            break;
        default: s->at++;
        }
    }
    return s->open == 0;
}

bool pattern_shape(struct str pattern, struct pattern_shape *out)
{
    struct scan java = {.text = pattern}, other = {.text = pattern};

    if (scan_pattern(&java, true))
        *out = java.shape;
    else if (scan_pattern(&other, false))
        *out = other.shape;
    else
        return false;
    return true;
}

static int bad_pattern(struct fail *f, struct str pattern)
{
    return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                       "The regular expression is not well-formed: '%.*s'.",
                       STR_ARG(str_first(pattern, 100)));
}

int source_check_pattern(struct arena *a, const struct json_value *v, struct fail *f)
{
    struct pattern_shape shape;

    (void)a;
    return pattern_shape(v->text, &shape) ? 0 : bad_pattern(f, v->text);
}

int source_check_locator(struct arena *a, const struct json_value *v, struct fail *f)
{
    struct pattern_shape shape = {0};

    (void)a;
    if (pattern_shape(v->text, &shape) && shape.unnamed == 1 && shape.groups == 1)
        return 0;
    return fail_reason(
        f, CODE_INVALID_ARGUMENT, "fields_invalid",
        "Timestamp locator regex does not contain a single unnamed capture group: '%.*s'.",
        STR_ARG(str_first(v->text, 100)));
}

/* --- rules --- */

static const struct {
    const char *name;
    enum rule_kind kind;
} kinds[] = {
    {"Exclude", RULE_EXCLUDE}, {"Include", RULE_INCLUDE}, {"Hash", RULE_HASH},
    {"Mask", RULE_MASK},       {"Forward", RULE_FORWARD},
};

static const char *const kind_names[] = {"Exclude", "Include", "Hash", "Mask", "Forward", NULL};

static const struct member rule_items[] = {
    {.name = "name",
     .type = MEMBER_STRING,
     .flags = MEMBER_REQUIRED | MEMBER_EMPTY_OUT,
     .max = RULE_NAME_CHARS},
    {.name = "filterType",
     .type = MEMBER_STRING,
     .flags = MEMBER_REQUIRED | MEMBER_EMPTY_OUT,
     .choices = kind_names},
    {.name = "regexp",
     .type = MEMBER_STRING,
     .flags = MEMBER_REQUIRED | MEMBER_EMPTY_OUT,
     .max = PATTERN_CHARS,
     .check = source_check_pattern},
    {.name = "mask", .type = MEMBER_STRING, .max = PATTERN_CHARS},
    {.name = "sinkId", .type = MEMBER_INT},
    {.name = "transparentForwarding", .type = MEMBER_BOOL},
};

const struct member_table source_rule_table = {
    .name = "processing rule", .items = rule_items, .count = COUNTOF(rule_items)};

static enum rule_kind kind_of(const struct json_value *rule)
{
    struct str name = source_text(rule, "filterType");

    for (size_t i = 0; i < COUNTOF(kinds); i++)
        if (str_eq(name, str_of(kinds[i].name)))
            return kinds[i].kind;
    return RULE_FORWARD; /* no such name gets through the table */
}

static int needs(const struct json_value *rule, size_t index, const char *member, struct fail *f)
{
    if (json_find(rule, str_of(member)))
        return 0;
    IGNORE(source_missing(f, member));
    return fail_field(f, "filters[%zu].%s", index, member);
}

static int rule_check(struct json_value *rule, size_t index, struct fail *f)
{
    enum rule_kind kind = kind_of(rule);
    struct pattern_shape shape = {0};

    if (kind != RULE_MASK && source_text(rule, "mask").len == 0)
        json_remove(rule, STR("mask"));
    if (kind == RULE_MASK && needs(rule, index, "mask", f) < 0)
        return -1;
    if (kind == RULE_FORWARD && needs(rule, index, "sinkId", f) < 0)
        return -1;
    if (kind != RULE_MASK && kind != RULE_HASH)
        return 0;
    if (pattern_shape(source_text(rule, "regexp"), &shape) && shape.groups > 0)
        return 0;
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                       "The regular expression of a Hash or Mask rule needs at least one group."));
    return fail_field(f, "filters[%zu].regexp", index);
}

struct rule_spec *source_rules_of(struct arena *a, const struct json_value *filters, size_t *count)
{
    size_t n = filters ? filters->count : 0, i = 0;
    struct rule_spec *specs = arena_new_array(a, struct rule_spec, n);

    *count = n;
    if (n == 0)
        return specs;
    json_foreach (rule, filters) {
        specs[i++] = (struct rule_spec){
            .kind = kind_of(rule),
            .name = source_text(rule, "name"),
            .pattern = source_text(rule, "regexp"),
            .mask = source_text(rule, "mask"),
        };
    }
    return specs;
}

enum rule_hash source_hash_of(const struct json_value *source)
{
    return str_eq(source_text(source, "hashAlgorithm"), STR("SHA-256")) ? RULE_SHA256 : RULE_MD5;
}

int source_rules_check(struct arena *a, struct json_value *filters, bool compiles, struct fail *f)
{
    struct rules *rules = NULL;
    struct fail why = {0};
    size_t index = 0, count = 0;

    for (struct json_value *rule = filters->first; rule; rule = rule->next)
        if (rule_check(rule, index++, f) < 0)
            return -1;
    if (!compiles)
        return 0;

    const struct rule_spec *specs = source_rules_of(a, filters, &count);

    if (rules_compile(a, specs, count, RULE_MD5, &rules, &why) == 0)
        return 0;
    IGNORE(fail_reason(f, why.code, why.code == CODE_INVALID_ARGUMENT ? "fields_invalid" : NULL,
                       "The regular expression of a rule cannot be used: %s.", why.message));
    return fail_field(f, "%s", why.field);
}

/* --- boundaries --- */

static bool flag_of(const struct json_value *source, const char *name, bool otherwise)
{
    const struct json_value *v = json_find(source, str_of(name));

    return v ? v->boolean : otherwise;
}

enum boundary_kind source_boundary_of(const struct json_value *source, struct str *prefix)
{
    *prefix = source_text(source, "manualPrefixRegexp");
    if (flag_of(source, "messagePerRequest", false))
        return BOUNDARY_BODY;
    if (!flag_of(source, "multilineProcessingEnabled", true))
        return BOUNDARY_LINE;
    if (flag_of(source, "useAutolineMatching", true))
        return BOUNDARY_INFER;
    return prefix->len > 0 ? BOUNDARY_PREFIX : BOUNDARY_LINE;
}

int source_boundary_check(struct arena *a, const struct json_value *source, struct fail *f)
{
    struct boundary ignored;
    struct fail why = {0};
    struct str prefix;

    if (source_boundary_of(source, &prefix) != BOUNDARY_PREFIX ||
        boundary_compile(a, BOUNDARY_PREFIX, prefix, &ignored, &why) == 0)
        return 0;
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                       "The regular expression of a boundary cannot be used: %s.", why.message));
    return fail_field(f, "manualPrefixRegexp");
}
