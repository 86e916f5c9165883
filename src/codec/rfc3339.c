/* SPDX-License-Identifier: Apache-2.0 */
/* Instants as text, by the proleptic Gregorian calendar; no C library calendar, so no time zone and
 * no locale. Pure; any thread. */
#include "codec/rfc3339.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define DAY_SECONDS      INT64_C(86400)
#define DAYS_TO_1970     INT64_C(719162) /* from 0001-01-01 */
#define NANOS_PER_SECOND 1000000000u
#define US_PER_SECOND    INT64_C(1000000)

/* Days before each month of a year that is not a leap year. */
static const uint16_t days_before[13] = {0,   31,  59,  90,  120, 151, 181,
                                         212, 243, 273, 304, 334, 365};

struct date {
    unsigned year; /* 1 to 9999 */
    unsigned month;
    unsigned day;
};

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned month_start(unsigned year, unsigned month)
{
    return days_before[month - 1] + (month > 2 && is_leap(year) ? 1u : 0u);
}

static unsigned month_days(unsigned year, unsigned month)
{
    return (unsigned)(days_before[month] - days_before[month - 1]) +
           (month == 2 && is_leap(year) ? 1u : 0u);
}

/* Days from 1970-01-01. */
static int64_t date_to_days(struct date d)
{
    int64_t past = (int64_t)d.year - 1;

    return past * 365 + past / 4 - past / 100 + past / 400 + month_start(d.year, d.month) +
           (int64_t)d.day - 1 - DAYS_TO_1970;
}

static struct date days_to_date(int64_t days)
{
    struct date d = {.month = 12};
    unsigned left = (unsigned)(days + DAYS_TO_1970);
    unsigned n400 = left / 146097;
    unsigned n100, n4, n1;

    /* The last day of 400 years and of 4 years belongs to a year that began before. */
    left %= 146097;
    n100 = left / 36524 < 4 ? left / 36524 : 3;
    left -= n100 * 36524;
    n4 = left / 1461;
    left %= 1461;
    n1 = left / 365 < 4 ? left / 365 : 3;
    left -= n1 * 365;
    d.year = n400 * 400 + n100 * 100 + n4 * 4 + n1 + 1;
    while (month_start(d.year, d.month) > left)
        d.month--;
    d.day = left - month_start(d.year, d.month) + 1;
    return d;
}

/* Exactly n digits at s->p + at; -1 when there is anything else. */
static int digits_at(struct str s, size_t at, size_t n)
{
    int v = 0;

    for (size_t i = at; i < at + n; i++) {
        if (i >= s.len || s.p[i] < '0' || s.p[i] > '9')
            return -1;
        v = v * 10 + (s.p[i] - '0');
    }
    return v;
}

static bool char_at(struct str s, size_t at, char c)
{
    return at < s.len && s.p[at] == c;
}

/* "2024-02-29T23:59:59", which is 19 bytes. */
static int parse_local(struct str s, int64_t *seconds)
{
    int year = digits_at(s, 0, 4), month = digits_at(s, 5, 2), day = digits_at(s, 8, 2);
    int hour = digits_at(s, 11, 2), minute = digits_at(s, 14, 2), second = digits_at(s, 17, 2);
    struct date d;

    if (!char_at(s, 4, '-') || !char_at(s, 7, '-') || !char_at(s, 10, 'T') ||
        !char_at(s, 13, ':') || !char_at(s, 16, ':'))
        return -1;
    if (year < 1 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 59)
        return -1;
    d = (struct date){(unsigned)year, (unsigned)month, (unsigned)day};
    if (d.day > month_days(d.year, d.month))
        return -1;
    *seconds = date_to_days(d) * DAY_SECONDS + hour * INT64_C(3600) + minute * INT64_C(60) + second;
    return 0;
}

/* The rest after the fraction: "Z" or "+08:00". */
static int parse_offset(struct str s, int64_t *seconds)
{
    int hour, minute;

    if (s.len == 1 && s.p[0] == 'Z') {
        *seconds = 0;
        return 0;
    }
    if (s.len != 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':')
        return -1;
    hour = digits_at(s, 1, 2);
    minute = digits_at(s, 4, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59)
        return -1;
    *seconds = (hour * INT64_C(3600) + minute * INT64_C(60)) * (s.p[0] == '-' ? -1 : 1);
    return 0;
}

int rfc3339_parse(struct str s, int64_t *seconds, uint32_t *nanos)
{
    size_t at = 19;
    uint32_t fraction = 0;
    int64_t local, offset;

    if (parse_local(s, &local) < 0)
        return -1;
    if (char_at(s, at, '.')) {
        size_t first = ++at;

        for (uint32_t unit = NANOS_PER_SECOND / 10; digits_at(s, at, 1) >= 0; unit /= 10) {
            if (at - first == 9)
                return -1;
            fraction += (uint32_t)digits_at(s, at++, 1) * unit;
        }
        if (at == first)
            return -1;
    }
    if (parse_offset(str_skip(s, at), &offset) < 0)
        return -1;
    local -= offset;
    if (local < RFC3339_MIN_SECONDS || local > RFC3339_MAX_SECONDS)
        return -1;
    *seconds = local;
    *nanos = fraction;
    return 0;
}

int rfc3339_parse_us(struct str s, int64_t *us)
{
    int64_t seconds;
    uint32_t nanos;

    if (rfc3339_parse(s, &seconds, &nanos) < 0)
        return -1;
    *us = seconds * US_PER_SECOND + nanos / 1000;
    return 0;
}

static char *put_digits(char *out, unsigned v, unsigned n)
{
    for (unsigned i = n; i > 0; i--) {
        out[i - 1] = (char)('0' + v % 10);
        v /= 10;
    }
    return out + n;
}

static char *put_time(char *out, unsigned second_of_day)
{
    out = put_digits(out, second_of_day / 3600, 2);
    *out++ = ':';
    out = put_digits(out, second_of_day / 60 % 60, 2);
    *out++ = ':';
    return put_digits(out, second_of_day % 60, 2);
}

/* Second of the day; *days counts from 1970. */
static unsigned split_days(int64_t seconds, int64_t *days)
{
    int64_t rest = seconds % DAY_SECONDS;

    *days = seconds / DAY_SECONDS;
    if (rest < 0) {
        rest += DAY_SECONDS;
        (*days)--;
    }
    return (unsigned)rest;
}

static unsigned fewest_digits(uint32_t nanos)
{
    if (nanos == 0)
        return 0;
    if (nanos % 1000000 == 0)
        return 3;
    return nanos % 1000 == 0 ? 6 : 9;
}

size_t rfc3339_print(int64_t seconds, uint32_t nanos, enum rfc3339_digits digits,
                     char out[RFC3339_TEXT_MAX])
{
    unsigned n = digits == RFC3339_AUTO ? fewest_digits(nanos) : (unsigned)digits;
    unsigned second_of_day;
    struct date d;
    int64_t days;
    char *p = out;

    if (seconds < RFC3339_MIN_SECONDS || seconds > RFC3339_MAX_SECONDS || nanos >= NANOS_PER_SECOND)
        return 0;
    second_of_day = split_days(seconds, &days);
    d = days_to_date(days);
    p = put_digits(p, d.year, 4);
    *p++ = '-';
    p = put_digits(p, d.month, 2);
    *p++ = '-';
    p = put_digits(p, d.day, 2);
    *p++ = 'T';
    p = put_time(p, second_of_day);
    if (n > 0) {
        *p++ = '.';
        for (unsigned i = n; i < 9; i++)
            nanos /= 10;
        p = put_digits(p, nanos, n);
    }
    *p++ = 'Z';
    return (size_t)(p - out);
}

size_t rfc3339_print_us(int64_t us, enum rfc3339_digits digits, char out[RFC3339_TEXT_MAX])
{
    int64_t seconds = us / US_PER_SECOND, rest = us % US_PER_SECOND;

    if (rest < 0) {
        rest += US_PER_SECOND;
        seconds--;
    }
    return rfc3339_print(seconds, (uint32_t)rest * 1000, digits, out);
}

struct str rfc3339_us(struct arena *a, int64_t us, enum rfc3339_digits digits)
{
    char text[RFC3339_TEXT_MAX];
    size_t len = rfc3339_print_us(us, digits, text);

    return len ? arena_str(a, str_make(text, len)) : STR("");
}

void rfc3339_http_date(int64_t seconds, char out[HTTP_DATE_LEN])
{
    static const char weekdays[] = "MonTueWedThuFriSatSun";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    unsigned second_of_day;
    struct date d;
    int64_t days;
    char *p = out;

    if (seconds < RFC3339_MIN_SECONDS)
        seconds = RFC3339_MIN_SECONDS;
    if (seconds > RFC3339_MAX_SECONDS)
        seconds = RFC3339_MAX_SECONDS;
    second_of_day = split_days(seconds, &days);
    d = days_to_date(days);
    /* 0001-01-01 was a Monday. */
    memcpy(p, weekdays + (days + DAYS_TO_1970) % 7 * 3, 3);
    memcpy(p + 3, ", ", 2);
    p = put_digits(p + 5, d.day, 2);
    *p++ = ' ';
    memcpy(p, months + (size_t)(d.month - 1) * 3, 3);
    p[3] = ' ';
    p = put_digits(p + 4, d.year, 4);
    *p++ = ' ';
    p = put_time(p, second_of_day);
    memcpy(p, " GMT", 4);
    assert(p + 4 == out + HTTP_DATE_LEN);
}
