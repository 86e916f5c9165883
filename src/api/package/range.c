/* SPDX-License-Identifier: Apache-2.0 */
/* The field Range, as far as a fetch that goes on needs it. Pure. */
#include "api/package/package_internal.h"

/* Decimal digits only; what is too large for 64 bits is as large as can be. */
static bool parse_offset(struct str text, int64_t *out)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    if (text.len == 0)
        return false;
    if (str_to_i64(text, out) < 0)
        *out = INT64_MAX;
    return true;
}

enum range_verdict range_parse(struct str field, int64_t size, struct byte_range *out)
{
    struct str first_text, last_text = str_trim(field);
    int64_t first = 0, last = INT64_MAX;

    if (!str_starts_with(last_text, STR("bytes=")))
        return RANGE_NONE;
    last_text = str_skip(last_text, 6);
    if (str_index(last_text, '-') < 0 || str_index(last_text, ',') >= 0)
        return RANGE_NONE;
    first_text = str_trim(str_cut(&last_text, '-'));
    last_text = str_trim(last_text);
    if (last_text.len > 0 && !parse_offset(last_text, &last))
        return RANGE_NONE;
    if (first_text.len == 0) {
        if (last_text.len == 0)
            return RANGE_NONE;
        first = last >= size ? 0 : size - last;
        last = last == 0 ? -1 : INT64_MAX;
    } else if (!parse_offset(first_text, &first) || first > last) {
        return RANGE_NONE;
    }
    if (first >= size || last < first)
        return RANGE_OUTSIDE;
    *out = (struct byte_range){.first = first, .count = MIN(last, size - 1) - first + 1};
    return RANGE_GOOD;
}
