/* SPDX-License-Identifier: Apache-2.0 */
/* Doubles and floats as text by the C++ library's exact and locale-independent conversions, which C
 * lacks. Nothing in it throws or allocates. Pure; any thread. */
#include "codec/json_internal.h"

#include <charconv>
#include <cmath>

size_t json_double_print(double v, char out[JSON_DOUBLE_TEXT_MAX])
{
    return static_cast<size_t>(std::to_chars(out, out + JSON_DOUBLE_TEXT_MAX, v).ptr - out);
}

size_t json_float_print(float v, char out[JSON_DOUBLE_TEXT_MAX])
{
    return static_cast<size_t>(std::to_chars(out, out + JSON_DOUBLE_TEXT_MAX, v).ptr - out);
}

int json_double_parse(const char *text, size_t len, double *out)
{
    double v = 0;
    std::from_chars_result r = std::from_chars(text, text + len, v);

    if (r.ec != std::errc() || std::isinf(v))
        return -1;
    *out = v;
    return 0;
}
