/* SPDX-License-Identifier: Apache-2.0 */
/* Seconds are fine enough for a key. */
#include "cli/expiry.h"

#include "codec/rfc3339.h"

static int parse_period(struct str text, int64_t *us)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    int64_t n;

    if (text.len < 2 || str_to_i64(str_first(text, text.len - 1), &n) < 0)
        return -1;
    for (size_t i = 0; i < COUNTOF(units); i++) {
        if (units[i].unit == text.p[text.len - 1])
            return __builtin_mul_overflow(n, units[i].seconds * 1000000, us) ? -1 : 0;
    }
    return -1;
}

int expiry_parse(struct arena *a, struct str text, int64_t now_us, struct str *out, struct fail *f)
{
    int64_t at_us, period_us;
    int shown = (int)MIN(text.len, (size_t)64);

    if (parse_period(text, &period_us) == 0) {
        if (__builtin_add_overflow(now_us, period_us, &at_us))
            at_us = INT64_MAX;
    } else if (rfc3339_parse_us(text, &at_us) < 0) {
        return fail_set(f, CODE_INVALID_ARGUMENT,
                        "\"%.*s\" is no time; write one such as 2027-01-31T00:00:00Z, or a period "
                        "such as 90d or 12h",
                        shown, text.p);
    }
    if (at_us <= now_us)
        return fail_set(f, CODE_INVALID_ARGUMENT, "\"%.*s\" is in the past", shown, text.p);

    struct str printed = rfc3339_us(a, at_us, RFC3339_SECONDS);

    if (printed.len == 0)
        return fail_set(f, CODE_INVALID_ARGUMENT, "\"%.*s\" is too far away", shown, text.p);
    *out = printed;
    return 0;
}
