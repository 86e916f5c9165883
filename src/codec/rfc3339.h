/* SPDX-License-Identifier: Apache-2.0 */
/* Instants as text: RFC 3339 and the date of HTTP headers. Years 1 to 9999, the range of protobuf's
 * Timestamp; leap seconds (:60) are refused since a POSIX time cannot hold them. Pure; any thread.
 */
#ifndef CODEC_RFC3339_H
#define CODEC_RFC3339_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"

#define RFC3339_MIN_SECONDS INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define RFC3339_MAX_SECONDS INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

/* Bytes that the longest text needs; no NUL is added. */
#define RFC3339_TEXT_MAX 30
#define HTTP_DATE_LEN    29

enum rfc3339_digits {
    RFC3339_AUTO = -1, /* 0, 3, 6 or 9: the fewest that lose nothing, as protobuf JSON prints */
    RFC3339_SECONDS = 0,
    RFC3339_MILLIS = 3,
    RFC3339_MICROS = 6,
    RFC3339_NANOS = 9,
};

/* "2024-02-29T23:59:59.25+08:00": upper-case T and Z, any offset up to 23:59, 1 to 9 digits of
 * fraction. The nanoseconds count forward from the second, also before 1970. */
int rfc3339_parse(struct str s, int64_t *seconds, uint32_t *nanos) MUST_CHECK;

/* Microseconds since the epoch, finer digits cut off. */
int rfc3339_parse_us(struct str s, int64_t *us) MUST_CHECK;

/* UTC with 'Z'; finer digits than asked for are cut off. Returns the length, 0 when the instant is
 * out of range (nothing is written then). */
size_t rfc3339_print(int64_t seconds, uint32_t nanos, enum rfc3339_digits digits,
                     char out[RFC3339_TEXT_MAX]);
size_t rfc3339_print_us(int64_t us, enum rfc3339_digits digits, char out[RFC3339_TEXT_MAX]);

/* In the arena; empty when out of range. */
struct str rfc3339_us(struct arena *a, int64_t us, enum rfc3339_digits digits);

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7). Always HTTP_DATE_LEN bytes; an instant
 * out of range is printed as the nearest end of the range. */
void rfc3339_http_date(int64_t seconds, char out[HTTP_DATE_LEN]);

#endif
