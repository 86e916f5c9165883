/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers of RFC 9562 and hexadecimal text. Any thread. */
#include "base/id.h"

#include <stdatomic.h>

#include "base/random.h"

struct uuid uuid_v4(void)
{
    struct uuid u;

    random_bytes(u.b, sizeof(u.b));
    u.b[6] = (uint8_t)((u.b[6] & 0x0f) | 0x40);
    u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80);
    return u;
}

/* 48 bits of milliseconds and a 12-bit counter, strictly growing (RFC 9562, 6.2, method 1): a new
 * millisecond starts the counter at a random place in its lower half; a full counter borrows from
 * the next millisecond. The state belongs to the process since the order does. */
static uint64_t v7_next(uint64_t ms)
{
    static _Atomic(uint64_t) last;
    uint64_t fresh = ms << 12 | (random_u64() & 0x7ff);
    uint64_t seen = atomic_load_explicit(&last, memory_order_relaxed);
    uint64_t next;

    /* Relaxed: only the number itself is shared, nothing is published with it. */
    do {
        next = fresh > seen ? fresh : seen + 1;
    } while (!atomic_compare_exchange_weak_explicit(&last, &seen, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return next;
}

struct uuid uuid_v7(const struct clock *c)
{
    struct uuid u = uuid_v4();
    uint64_t next = v7_next((uint64_t)clock_wall_us(c) / 1000 & 0xffffffffffff);

    for (unsigned i = 0; i < 6; i++)
        u.b[i] = (uint8_t)(next >> (52 - 8 * i));
    u.b[6] = (uint8_t)(0x70 | (next >> 8 & 0x0f));
    u.b[7] = (uint8_t)next;
    return u;
}

/* Four bytes in the order of memory as eight digits: each half byte gets a byte of its own, and
 * those above 9 what letters are away from digits. */
static uint64_t hex_of_four(uint32_t w)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t v = ((uint64_t)w << 16 | w) & 0x0000ffff0000ffff;

    v = (v << 8 | v) & 0x00ff00ff00ff00ff;
    v = (v << 8 & 0x0f000f000f000f00) | (v >> 4 & 0x000f000f000f000f);
    return v + '0' * ones + (((v + 6 * ones) >> 4) & ones) * ('a' - '9' - 1);
}

void hex_print(const void *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = data;

    for (; len >= 4; len -= 4, from += 4, out += 8) {
        uint32_t w;

        memcpy(&w, from, sizeof(w));

        uint64_t text = hex_of_four(w);

        memcpy(out, &text, sizeof(text));
    }
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[from[i] >> 4];
        out[2 * i + 1] = digits[from[i] & 15];
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int hex_parse(struct str s, void *out, size_t len)
{
    uint8_t *to = out;

    if (s.len % 2 != 0 || s.len / 2 != len)
        return -1;
    for (size_t i = 0; i < s.len; i++) {
        if (hex_digit(s.p[i]) < 0)
            return -1;
    }
    for (size_t i = 0; i < len; i++)
        to[i] =
            (uint8_t)((unsigned)hex_digit(s.p[2 * i]) << 4 | (unsigned)hex_digit(s.p[2 * i + 1]));
    return 0;
}

/* Where each group starts in the text, its bytes in the value, and how many. */
static const struct {
    uint8_t text;
    uint8_t byte;
    uint8_t count;
} groups[] = {{0, 0, 4}, {9, 4, 2}, {14, 6, 2}, {19, 8, 2}, {24, 10, 6}};

void uuid_print(struct uuid u, char *out)
{
    for (size_t i = 0; i < COUNTOF(groups); i++) {
        if (i > 0)
            out[groups[i].text - 1] = '-';
        hex_print(u.b + groups[i].byte, groups[i].count, out + groups[i].text);
    }
}

int uuid_parse(struct str s, struct uuid *out)
{
    struct uuid u;

    if (s.len != UUID_TEXT_LEN)
        return -1;
    for (size_t i = 0; i < COUNTOF(groups); i++) {
        struct str group = {s.p + groups[i].text, 2 * (size_t)groups[i].count};

        if (i > 0 && s.p[groups[i].text - 1] != '-')
            return -1;
        if (hex_parse(group, u.b + groups[i].byte, groups[i].count) < 0)
            return -1;
    }
    *out = u;
    return 0;
}
