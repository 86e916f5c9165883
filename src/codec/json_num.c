/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as JSON writes them, turned exactly into what a field holds. Pure; any thread. */
#include "base/number.h"
#include "codec/json.h"
#include "codec/json_internal.h"

/* A valid number taken apart: digits is the integer part, fraction what stands behind the point. */
struct number {
    bool negative;
    struct str digits;
    struct str fraction;
    int64_t exponent; /* clamped: beyond that it makes no difference */
};

#define EXPONENT_CLAMP INT64_C(1000000000000)

static struct str take_digits(struct str *s)
{
    size_t n = 0;

    while (n < s->len && s->p[n] >= '0' && s->p[n] <= '9')
        n++;

    struct str digits = str_first(*s, n);

    *s = str_skip(*s, n);
    return digits;
}

static bool take(struct str *s, char c)
{
    if (s->len == 0 || s->p[0] != c)
        return false;
    *s = str_skip(*s, 1);
    return true;
}

static int split(struct str s, struct number *n)
{
    if (s.len == 0)
        return -1;
    *n = (struct number){.negative = take(&s, '-')};
    n->digits = take_digits(&s);
    if (n->digits.len == 0 || (n->digits.len > 1 && n->digits.p[0] == '0'))
        return -1;
    if (take(&s, '.')) {
        n->fraction = take_digits(&s);
        if (n->fraction.len == 0)
            return -1;
    }
    if (take(&s, 'e') || take(&s, 'E')) {
        bool negative = take(&s, '-');
        struct str digits;

        if (!negative)
            IGNORE(take(&s, '+'));
        digits = take_digits(&s);
        if (digits.len == 0)
            return -1;
        for (size_t i = 0; i < digits.len && n->exponent < EXPONENT_CLAMP; i++)
            n->exponent = n->exponent * 10 + (digits.p[i] - '0');
        if (negative)
            n->exponent = -n->exponent;
    }
    return s.len == 0 ? 0 : -1;
}

bool json_num_is_valid(struct str number)
{
    struct number n;

    return split(number, &n) == 0;
}

static int add_digit(uint64_t *v, char c)
{
    if (__builtin_mul_overflow(*v, UINT64_C(10), v) ||
        __builtin_add_overflow(*v, (uint64_t)(c - '0'), v))
        return -1;
    return 0;
}

static char digit_at(const struct number *n, size_t i)
{
    return i < n->digits.len ? n->digits.p[i] : n->fraction.p[i - n->digits.len];
}

/* Without the sign; -1 unless it is an integer that fits. */
static int magnitude(const struct number *n, uint64_t *out)
{
    size_t count = n->digits.len + n->fraction.len;
    /* So many of the digits stand before the point once the exponent moved it. */
    int64_t whole = (int64_t)n->digits.len + n->exponent;
    uint64_t v = 0;

    for (size_t i = 0; i < count; i++) {
        char c = digit_at(n, i);

        if ((int64_t)i < whole ? add_digit(&v, c) < 0 : c != '0')
            return -1;
    }
    for (int64_t i = (int64_t)count; v > 0 && i < whole; i++) {
        if (add_digit(&v, '0') < 0)
            return -1;
    }
    *out = v;
    return 0;
}

int json_num_u64(struct str number, uint64_t *out)
{
    struct number n;
    uint64_t v;

    if (split(number, &n) < 0 || magnitude(&n, &v) < 0 || (n.negative && v > 0))
        return -1;
    *out = v;
    return 0;
}

int json_num_i64(struct str number, int64_t *out)
{
    struct number n;
    uint64_t v;

    if (split(number, &n) < 0 || magnitude(&n, &v) < 0)
        return -1;
    if (n.negative) {
        if (v > (uint64_t)INT64_MAX + 1)
            return -1;
        *out = v > INT64_MAX ? INT64_MIN : -(int64_t)v;
    } else {
        if (v > INT64_MAX)
            return -1;
        *out = (int64_t)v;
    }
    return 0;
}

/* More digits than a tie between two doubles can have (767): the rest only says that there is some.
 */
#define DIGITS_ENOUGH 800

/* Past these the value is infinite or zero whatever its digits: 0.d * 10^order. */
#define ORDER_MAX 310
#define ORDER_MIN (-330)

/* Writes a long number anew, as 0.ddd...e<order>, with no more digits than matter. `first` is where
 * the digits that are not leading zeros begin. */
static size_t shorten(const struct number *n, size_t first, int order,
                      char out[DIGITS_ENOUGH + NUMBER_TEXT_MAX])
{
    size_t count = n->digits.len + n->fraction.len, len = 0, i = first;

    if (n->negative)
        out[len++] = '-';
    out[len++] = '0';
    out[len++] = '.';
    for (; i < count && i < first + DIGITS_ENOUGH; i++)
        out[len++] = digit_at(n, i);
    while (i < count && digit_at(n, i) == '0')
        i++;
    if (i < count)
        out[len++] = '1';
    out[len++] = 'e';
    return len + number_print_i64(order, out + len);
}

int json_num_double(struct str number, double *out)
{
    char text[DIGITS_ENOUGH + NUMBER_TEXT_MAX];
    size_t first = 0, count;
    struct number n;
    int64_t order;
    double zero;

    if (split(number, &n) < 0)
        return -1;
    zero = n.negative ? -0.0 : 0.0;
    count = n.digits.len + n.fraction.len;
    while (first < count && digit_at(&n, first) == '0')
        first++;
    order = (int64_t)n.digits.len - (int64_t)first + n.exponent;
    if (first == count || order < ORDER_MIN) {
        *out = zero;
        return 0;
    }
    if (order > ORDER_MAX)
        return -1;
    /* The C++ library counts long zeros and exponents only so far. */
    if (number.len > DIGITS_ENOUGH)
        number = str_make(text, shorten(&n, first, (int)order, text));
    if (json_double_parse(number.p, number.len, out) < 0) {
        if (order > 0)
            return -1;
        *out = zero;
    }
    return 0;
}
