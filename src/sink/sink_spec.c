/* SPDX-License-Identifier: Apache-2.0 */
/* "NAME=TARGET", where the target begins with the name of its kind. */
#include "sink/sink.h"

static const struct sink_kind *const kinds[] = {&file_sink, &http_sink, &https_sink};

const struct sink_kind *sink_kind_find(struct str scheme)
{
    for (size_t i = 0; i < COUNTOF(kinds); i++)
        if (str_eq(scheme, str_of(kinds[i]->scheme)))
            return kinds[i];
    return NULL;
}

static int refuse(struct fail *f, const char *message)
{
    return fail_reason(f, CODE_INVALID_ARGUMENT, "bad_sink", "%s", message);
}

/* It names a file with the sink's position. */
static bool is_name(struct str s)
{
    if (s.len == 0 || s.len > SINK_NAME_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return true;
}

int sink_spec_parse(struct arena *a, struct str text, struct sink_spec *out, struct fail *f)
{
    struct str rest = text;
    struct str name = str_cut(&rest, '=');
    struct str target = rest;
    struct str scheme = str_cut(&rest, ':');

    if (!is_name(name))
        return refuse(f, "a sink is NAME=TARGET; a name has small letters, digits, '-' and '_'");
    if (target.len == 0 || rest.len == 0)
        return refuse(f, "a sink is NAME=TARGET; a target is file:PATH or an http or https URL");

    const struct sink_kind *kind = sink_kind_find(scheme);

    if (!kind)
        return refuse(f, "a sink's target is file:PATH or an http or https URL");
    *out = (struct sink_spec){
        .name = arena_str(a, name), .target = arena_str(a, target), .kind = kind};
    return 0;
}
