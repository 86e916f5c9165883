/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers: UUIDs (v4 random, v7 time-ordered), text forms. Any thread. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

struct uuid {
    uint8_t b[16];
};

#define UUID_TEXT_LEN 36

struct uuid uuid_v4(void);

/* Ordered by time, and within one process also inside the same millisecond. */
struct uuid uuid_v7(const struct clock *c);

/* Exactly UUID_TEXT_LEN lower-case characters, no NUL. */
void uuid_print(struct uuid u, char *out);
int uuid_parse(struct str s, struct uuid *out) MUST_CHECK;

/* Lower-case hex, 2 * len characters, no NUL. */
void hex_print(const void *data, size_t len, char *out);
int hex_parse(struct str s, void *out, size_t len) MUST_CHECK;

#endif
