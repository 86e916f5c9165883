/* SPDX-License-Identifier: Apache-2.0 */
/* See source_json.h. */
#include "api/sumologic/source_json.h"

struct str source_text(const struct json_value *object, const char *key)
{
    const struct json_value *v = json_find(object, str_of(key));

    return v && v->kind == JSON_KIND_STRING ? v->text : (struct str){NULL, 0};
}

int source_missing(struct fail *f, const char *member)
{
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "fields_missing", "Missing required field: '%s'",
                       member));
    return fail_field(f, "%s", member);
}

int source_invalid(struct fail *f, const char *member, const char *what)
{
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                       "Invalid value for field '%s': %s.", member, what));
    return fail_field(f, "%s", member);
}
