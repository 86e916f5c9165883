/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"

static void published_values_come_out(void **state)
{
    uint8_t zeros[32] = {0};
    uint8_t ones[32];
    uint8_t rising[32];

    (void)state;
    for (size_t i = 0; i < sizeof(ones); i++) {
        ones[i] = 0xff;
        rising[i] = (uint8_t)i;
    }
    /* RFC 3720, B.4 */
    assert_int_equal(crc32c(0, str_make(zeros, 32)), 0x8a9136aa);
    assert_int_equal(crc32c(0, str_make(ones, 32)), 0x62a8ab43);
    assert_int_equal(crc32c(0, str_make(rising, 32)), 0x46dd794e);
    assert_int_equal(crc32c(0, STR("123456789")), 0xe3069283);
    assert_int_equal(crc32c(0, STR("")), 0);
}

static void the_processor_and_the_table_agree(void **state)
{
    char bytes[257];

    (void)state;
    random_bytes(bytes, sizeof(bytes));
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        struct str s = {bytes, n};
        uint32_t whole = crc32c(7, s);

        assert_int_equal(crc32c_portable(7, s), whole);
        assert_int_equal(crc32c(crc32c(7, str_first(s, n / 3)), str_skip(s, n / 3)), whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values_come_out),
        cmocka_unit_test(the_processor_and_the_table_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
