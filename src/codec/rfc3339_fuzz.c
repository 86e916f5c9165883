/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3339: an instant that is accepted prints to a text that reads as the same instant and prints
 * the same again. The C library's calendar is the reference. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec/rfc3339.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare_with_c_library(int64_t seconds, const char *text)
{
    char expected[64], date[HTTP_DATE_LEN];
    time_t when = (time_t)seconds;
    uint64_t year;
    struct tm tm;

    if (!gmtime_r(&when, &tm) || str_to_u64(str_make(text, 4), &year) < 0)
        abort();
    assert(year == (uint64_t)tm.tm_year + 1900);
    assert(strftime(expected, sizeof(expected), "-%m-%dT%H:%M:%S", &tm) == 15);
    assert(memcmp(text + 4, expected, 15) == 0);
    rfc3339_http_date(seconds, date);
    assert(strftime(expected, sizeof(expected), "%a, %d %b ", &tm) == 12);
    assert(memcmp(date, expected, 12) == 0 && memcmp(date + 12, text, 4) == 0);
    assert(memcmp(date + 17, text + 11, 8) == 0);
}

static void check_instant(int64_t seconds, uint32_t nanos)
{
    char text[RFC3339_TEXT_MAX], again[RFC3339_TEXT_MAX];
    size_t len = rfc3339_print(seconds, nanos, RFC3339_AUTO, text);
    uint32_t back_nanos;
    int64_t back;

    assert(len >= 20 && len <= RFC3339_TEXT_MAX);
    if (rfc3339_parse(str_make(text, len), &back, &back_nanos) < 0)
        abort();
    assert(back == seconds && back_nanos == nanos);
    assert(rfc3339_print(back, back_nanos, RFC3339_AUTO, again) == len);
    assert(memcmp(text, again, len) == 0);
    compare_with_c_library(seconds, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make(data, size);
    int64_t seconds, us;
    uint32_t nanos;

    if (rfc3339_parse(text, &seconds, &nanos) == 0) {
        check_instant(seconds, nanos);
        if (rfc3339_parse_us(text, &us) < 0)
            abort();
        assert(us == seconds * 1000000 + nanos / 1000);
    }
    if (size >= 12) {
        char out[RFC3339_TEXT_MAX];

        /* The bytes as an instant: mostly out of range as they are, so folded as well. */
        memcpy(&seconds, data, sizeof(seconds));
        memcpy(&nanos, data + sizeof(seconds), sizeof(nanos));
        assert(rfc3339_print(seconds, nanos, RFC3339_AUTO, out) <= sizeof(out));
        assert(rfc3339_print_us(seconds, RFC3339_AUTO, out) <= sizeof(out));
        seconds = RFC3339_MIN_SECONDS +
                  (int64_t)((uint64_t)seconds %
                            (uint64_t)(RFC3339_MAX_SECONDS - RFC3339_MIN_SECONDS + 1));
        check_instant(seconds, nanos % 1000000000);
    }
    return 0;
}
