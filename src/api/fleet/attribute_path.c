/* SPDX-License-Identifier: Apache-2.0 */
/* Paths to remote attributes: told apart by how they begin, then read in one pass. Pure. */
#include "api/fleet/attribute_path.h"

#include "base/id.h"
#include "codec/utf8.h"

/* The path comes last, where it may be cut. */
static int refuse(struct fail *f, struct str path, const char *why)
{
    return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_path", "%s: %.*s", why, STR_ARG(path));
}

static int refuse_other(struct fail *f, struct str path)
{
    return refuse(f, path, "only remote attributes can be changed, as in remoteAttributes.KEY");
}

static bool take(struct str *rest, struct str prefix)
{
    if (!str_starts_with(*rest, prefix))
        return false;
    *rest = str_skip(*rest, prefix.len);
    return true;
}

static bool take_field(struct str *rest)
{
    return take(rest, STR("remoteAttributes")) || take(rest, STR("remote_attributes"));
}

/* Why the token is not well-formed; NULL when it is. */
static const char *read_pointer(struct arena *a, struct str token, struct str *key)
{
    if (str_index(token, '/') >= 0)
        return "the path goes on after the key (a / in a key is written ~1)";
    if (str_index(token, '~') < 0) {
        *key = token;
        return NULL;
    }

    char *bytes = arena_alloc_raw(a, token.len);
    size_t len = 0;

    for (size_t i = 0; i < token.len; i++) {
        char c = token.p[i];

        if (c == '~') {
            i++;
            if (i == token.len || (token.p[i] != '0' && token.p[i] != '1'))
                return "a ~ in a key is written ~0";
            c = token.p[i] == '0' ? '~' : '/';
        }
        bytes[len++] = c;
    }
    *key = str_make(bytes, len);
    return NULL;
}

static bool take_hex4(struct str *rest, uint32_t *out)
{
    uint8_t bytes[2];

    if (rest->len < 4 || hex_parse(str_first(*rest, 4), bytes, sizeof(bytes)) < 0)
        return false;
    *rest = str_skip(*rest, 4);
    *out = (uint32_t)bytes[0] << 8 | bytes[1];
    return true;
}

/* After \u: one character, which takes a second sequence when it begins with a surrogate. */
static bool take_unicode(struct str *rest, char *out, size_t *len)
{
    uint32_t v, low;

    if (!take_hex4(rest, &v))
        return false;
    if (v >= 0xd800 && v <= 0xdfff) {
        if (v >= 0xdc00 || !take(rest, STR("\\u")) || !take_hex4(rest, &low) || low < 0xdc00 ||
            low > 0xdfff)
            return false;
        v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
    }
    *len += utf8_encode(v, out + *len);
    return true;
}

/* After the backslash. What is written is never longer than what was read. */
static bool take_escape(struct str *rest, char *out, size_t *len)
{
    static const char from[] = "bfnrt\"'/\\", to[] = "\b\f\n\r\t\"'/\\";

    if (take(rest, STR("u")))
        return take_unicode(rest, out, len);

    ptrdiff_t i = rest->len > 0 ? str_index(STR(from), rest->p[0]) : -1;

    if (i < 0)
        return false;
    out[(*len)++] = to[i];
    *rest = str_skip(*rest, 1);
    return true;
}

/* After the opening bracket. */
static const char *read_bracket(struct arena *a, struct str rest, struct str *key)
{
    char quote = rest.len > 0 ? rest.p[0] : '\0';

    if (quote != '"' && quote != '\'')
        return "a key in brackets stands in quotes";
    rest = str_skip(rest, 1);

    char *bytes = arena_alloc_raw(a, rest.len);
    size_t len = 0;

    while (rest.len > 0 && rest.p[0] != quote) {
        if (rest.p[0] != '\\') {
            bytes[len++] = rest.p[0];
            rest = str_skip(rest, 1);
            continue;
        }
        rest = str_skip(rest, 1);
        if (!take_escape(&rest, bytes, &len))
            return "unknown or incomplete escape sequence";
    }
    if (rest.len == 0)
        return "the key in brackets has no closing quote";
    if (!str_eq(str_skip(rest, 1), STR("]")))
        return "the path must end with ] after the key";
    *key = str_make(bytes, len);
    return NULL;
}

int attribute_path_parse(struct arena *a, struct str path, struct str *key, struct fail *f)
{
    struct str rest = path, found = {0};
    const char *wrong = NULL;

    if (path.len > ATTRIBUTE_PATH_MAX)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_path", "the path is too long");
    if (!utf8_is_valid(path))
        return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_path", "the path is not valid UTF-8");

    bool pointer = take(&rest, STR("/"));

    if (!pointer)
        IGNORE(take(&rest, STR("$.")));
    if (!take_field(&rest))
        return refuse_other(f, path);
    if (rest.len == 0)
        return refuse(f, path, "the path names no attribute, as in remoteAttributes.KEY");
    if (pointer) {
        if (!take(&rest, STR("/")))
            return refuse_other(f, path);
        wrong = read_pointer(a, rest, &found);
    } else if (take(&rest, STR("."))) {
        found = rest;
    } else if (take(&rest, STR("["))) {
        wrong = read_bracket(a, rest, &found);
    } else {
        return refuse_other(f, path);
    }
    if (wrong)
        return refuse(f, path, wrong);
    if (found.len == 0)
        return refuse(f, path, "the key is empty");
    *key = found;
    return 0;
}
