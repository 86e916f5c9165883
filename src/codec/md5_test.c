/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/md5.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void published_values_come_out(void **state)
{
    /* RFC 1321, A.5 */
    static const uint8_t of_nothing[MD5_LEN] = {0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04,
                                                0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e};
    static const uint8_t of_abc[MD5_LEN] = {0x90, 0x01, 0x50, 0x98, 0x3c, 0xd2, 0x4f, 0xb0,
                                            0xd6, 0x96, 0x3f, 0x7d, 0x28, 0xe1, 0x7f, 0x72};
    uint8_t out[MD5_LEN];

    (void)state;
    md5(str_make(NULL, 0), out);
    assert_memory_equal(out, of_nothing, MD5_LEN);
    md5(STR("abc"), out);
    assert_memory_equal(out, of_abc, MD5_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values_come_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
