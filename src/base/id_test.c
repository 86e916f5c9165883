/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers: versions, order, text forms. */
#include "base/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WALL_US (INT64_C(1700000000123) * 1000)

static void assert_version(struct uuid u, int version)
{
    assert_int_equal(u.b[6] >> 4, version);
    assert_int_equal(u.b[8] >> 6, 2);
}

static void v4_is_marked_and_differs(void **state)
{
    struct uuid a = uuid_v4(), b = uuid_v4();

    (void)state;
    assert_version(a, 4);
    assert_version(b, 4);
    assert_memory_not_equal(a.b, b.b, 16);
}

/* Stands first in the list: later ones move the process's last instant on. */
static void v7_begins_with_the_milliseconds(void **state)
{
    struct clock *c = clock_new_manual(WALL_US, 0);
    struct uuid u = uuid_v7(c);
    uint64_t ms = 0;

    (void)state;
    assert_version(u, 7);
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | u.b[i];
    assert_int_equal(ms, 1700000000123);
    clock_free(&c);
}

static void v7_grows_within_one_millisecond_and_beyond_a_full_counter(void **state)
{
    struct clock *c = clock_new_manual(WALL_US + 5000, 0);
    struct uuid last = uuid_v7(c);

    (void)state;
    for (int i = 0; i < 10000; i++) {
        struct uuid next = uuid_v7(c);

        assert_version(next, 7);
        assert_true(memcmp(last.b, next.b, 16) < 0);
        last = next;
    }
    clock_free(&c);
}

static void v7_grows_although_the_clock_steps_back(void **state)
{
    struct clock *late = clock_new_manual(WALL_US + 1000000, 0);
    struct clock *early = clock_new_manual(WALL_US, 0);
    struct uuid a = uuid_v7(late), b = uuid_v7(early);

    (void)state;
    assert_true(memcmp(a.b, b.b, 16) < 0);
    clock_free(&late);
    clock_free(&early);
}

#define THREADS    4
#define PER_THREAD 2000

static void *make_many(void *arg)
{
    struct uuid *out = arg;
    struct clock *c = clock_new_manual(WALL_US + 2000000, 0);

    for (int i = 0; i < PER_THREAD; i++)
        out[i] = uuid_v7(c);
    clock_free(&c);
    return NULL;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 8);
}

/* By the first eight bytes alone, the time and the counter. */
static void v7_is_unique_between_threads(void **state)
{
    static struct uuid all[THREADS * PER_THREAD];
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_many, all + i * PER_THREAD), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    qsort(all, COUNTOF(all), sizeof(all[0]), by_bytes);
    for (size_t i = 1; i < COUNTOF(all); i++)
        assert_memory_not_equal(all[i - 1].b, all[i].b, 8);
}

static void uuid_text_goes_there_and_back(void **state)
{
    static const char text[] = "00112233-4455-6677-8899-aabbccddeeff";
    char out[UUID_TEXT_LEN + 1] = {0};
    struct uuid u;

    (void)state;
    assert_int_equal(uuid_parse(STR("00112233-4455-6677-8899-AABBCCDDEEFF"), &u), 0);
    assert_int_equal(u.b[0], 0x00);
    assert_int_equal(u.b[15], 0xff);
    uuid_print(u, out);
    assert_string_equal(out, text);
}

static void malformed_uuids_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "00112233-4455-6677-8899-aabbccddeef",
        "00112233-4455-6677-8899-aabbccddeeff0",
        "001122334455-6677-8899-aabbccddeeff-",
        "00112233-4455-6677-8899-aabbccddeefg",
        "00112233_4455-6677-8899-aabbccddeeff",
        "{0112233-4455-6677-8899-aabbccddeef}",
        "00112233445566778899aabbccddeeff",
    };
    struct uuid u = {{42}};

    (void)state;
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_int_equal(uuid_parse(str_of(bad[i]), &u), -1);
    assert_int_equal(u.b[0], 42);
}

static void hex_goes_there_and_back(void **state)
{
    static const uint8_t data[] = {0x00, 0x0f, 0xf0, 0xff, 0x9a};
    char text[11] = {0};
    uint8_t back[5];

    (void)state;
    hex_print(data, sizeof(data), text);
    assert_string_equal(text, "000ff0ff9a");
    assert_int_equal(hex_parse(STR("000FF0ff9A"), back, 5), 0);
    assert_memory_equal(back, data, 5);
    assert_int_equal(hex_parse(STR(""), back, 0), 0);
}

static void every_byte_has_its_two_digits_at_every_place(void **state)
{
    uint8_t data[7];
    char text[15] = {0}, want[15];

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < sizeof(data); at++) {
            memset(data, 0x5a, sizeof(data));
            data[at] = (uint8_t)byte;
            for (size_t i = 0; i < sizeof(data); i++)
                snprintf(want + 2 * i, 3, "%02x", data[i]);
            hex_print(data, sizeof(data), text);
            assert_string_equal(text, want);
        }
    }
}

static void malformed_hex_is_refused_and_leaves_the_output(void **state)
{
    uint8_t out[2] = {1, 2};

    (void)state;
    assert_int_equal(hex_parse(STR("00"), out, 2), -1);
    assert_int_equal(hex_parse(STR("000"), out, 1), -1);
    assert_int_equal(hex_parse(STR("00000"), out, 2), -1);
    assert_int_equal(hex_parse(STR("00g0"), out, 2), -1);
    assert_int_equal(hex_parse(STR("0 00"), out, 2), -1);
    assert_int_equal(hex_parse(STR("ff:f"), out, 2), -1);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v7_begins_with_the_milliseconds),
        cmocka_unit_test(v4_is_marked_and_differs),
        cmocka_unit_test(v7_grows_within_one_millisecond_and_beyond_a_full_counter),
        cmocka_unit_test(v7_grows_although_the_clock_steps_back),
        cmocka_unit_test(v7_is_unique_between_threads),
        cmocka_unit_test(uuid_text_goes_there_and_back),
        cmocka_unit_test(malformed_uuids_are_refused),
        cmocka_unit_test(hex_goes_there_and_back),
        cmocka_unit_test(every_byte_has_its_two_digits_at_every_place),
        cmocka_unit_test(malformed_hex_is_refused_and_leaves_the_output),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
