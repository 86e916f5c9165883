/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/record_text.h"

bool record_text_next(struct str *at, struct str *name, struct str *value)
{
    while (at->len > 0) {
        struct str line = str_cut(at, '\n');

        *name = str_cut(&line, '=');
        *value = line;
        if (name->len > 0)
            return true;
    }
    return false;
}

bool record_is_lines(const struct spool_record *r)
{
    struct str type = r->type;
    struct str media = str_trim(str_cut(&type, ';'));
    struct str metadata = r->metadata, name = {0}, value = {0};

    while (record_text_next(&metadata, &name, &value))
        if (str_eq(name, STR("whole")))
            return false;
    return media.len == 0 || str_starts_with(media, STR("text/")) ||
           str_eq(media, STR("application/x-www-form-urlencoded"));
}
