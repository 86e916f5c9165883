/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of code points: ASCII by comparison, the rest by binary search in tables of ranges. Pure;
 * any thread. */
#include "codec/unicode.h"

#include "base/macros.h"
#include "codec/unicode_ranges.h"

static bool is_within(const struct range *ranges, size_t count, uint32_t point)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (point < ranges[middle].low)
            high = middle;
        else if (point > ranges[middle].high)
            low = middle + 1;
        else
            return true;
    }
    return false;
}

bool unicode_is_letter(uint32_t code_point)
{
    if (code_point < 0x80)
        return (code_point | 0x20) >= 'a' && (code_point | 0x20) <= 'z';
    return is_within(letters, COUNTOF(letters), code_point);
}

bool unicode_is_digit(uint32_t code_point)
{
    if (code_point < 0x80)
        return code_point >= '0' && code_point <= '9';
    return is_within(digits, COUNTOF(digits), code_point);
}
