/* SPDX-License-Identifier: Apache-2.0 */
/* Doubles as text by the C++ library's exact and locale-independent conversions, which C lacks: the
 * only C++ here. Nothing in it throws or allocates. Pure; any thread. */
#include "codec/json_internal.h"

#include <charconv>
#include <cmath>

size_t json_double_print(double v, char out[JSON_DOUBLE_TEXT_MAX])
{
    return static_cast<size_t>(std::to_chars(out, out + JSON_DOUBLE_TEXT_MAX, v).ptr - out);
}

/* Whether a number that left the range of a double is a tiny one: its first significant digit
 * stands behind the point, or the exponent pulls it there. */
static bool is_tiny(const char *p, const char *end)
{
    long long place = 0, exponent = 0; /* of the first significant digit, 0 for units */
    bool found = false, negative = false, after_point = false;

    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            after_point = true;
        } else if (*p != '-') {
            if (after_point && !found)
                place--;
            else if (!after_point && found)
                place++;
            found = found || *p != '0';
        }
    }
    if (p < end) {
        p++;
        negative = *p == '-';
        if (*p == '-' || *p == '+')
            p++;
        for (; p < end; p++) {
            if (exponent < 1000000000000)
                exponent = exponent * 10 + (*p - '0');
        }
    }
    return !found || place + (negative ? -exponent : exponent) < 0;
}

int json_double_parse(const char *text, size_t len, double *out)
{
    double v = 0;
    std::from_chars_result r = std::from_chars(text, text + len, v);

    if (r.ec == std::errc::result_out_of_range || std::isinf(v)) {
        if (!is_tiny(text, text + len))
            return -1;
        v = *text == '-' ? -0.0 : 0.0;
    }
    *out = v;
    return 0;
}
