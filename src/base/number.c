/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as decimal text. Pure; any thread. */
#include "base/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char pairs[] =
    "00010203040506070809"
    "10111213141516171819"
    "20212223242526272829"
    "30313233343536373839"
    "40414243444546474849"
    "50515253545556575859"
    "60616263646566676869"
    "70717273747576777879"
    "80818283848586878889"
    "90919293949596979899";

size_t number_print_u64(uint64_t v, char *out)
{
    char text[20];
    size_t at = sizeof(text);

    while (v >= 100) {
        at -= 2;
        memcpy(text + at, pairs + 2 * (v % 100), 2);
        v /= 100;
    }
    if (v >= 10) {
        at -= 2;
        memcpy(text + at, pairs + 2 * v, 2);
    } else {
        text[--at] = (char)('0' + v);
    }
    memcpy(out, text + at, sizeof(text) - at);
    return sizeof(text) - at;
}

size_t number_print_i64(int64_t v, char *out)
{
    if (v >= 0)
        return number_print_u64((uint64_t)v, out);
    out[0] = '-';
    /* Negated as unsigned, for the one value that has no positive twin. */
    return 1 + number_print_u64(0 - (uint64_t)v, out + 1);
}

static size_t put_name(const char *name, char *out)
{
    size_t len = strlen(name);

    memcpy(out, name, len);
    return len;
}

size_t number_print_double(double v, char *out)
{
    if (isnan(v))
        return put_name("NaN", out);
    if (isinf(v))
        return put_name(v > 0 ? "+Inf" : "-Inf", out);

    char text[NUMBER_TEXT_MAX];
    int len = 0;

    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    memcpy(out, text, (size_t)len);
    return (size_t)len;
}
