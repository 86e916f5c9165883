/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256: the examples of FIPS 180-4, and lengths around a block's against another library. */
#include "codec/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/id.h"

static void assert_hash(struct str text, const char *hex)
{
    uint8_t hash[SHA256_LEN];
    char got[2 * SHA256_LEN];

    sha256(text, hash);
    hex_print(hash, sizeof(hash), got);
    assert_memory_equal(got, hex, sizeof(got));
}

static void known_texts_have_their_known_hashes(void **state)
{
    (void)state;
    assert_hash(STR("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hash((struct str){NULL, 0},
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void every_length_around_a_block_is_hashed_alike_by_another_library(void **state)
{
    static char bytes[300];
    uint8_t hash[SHA256_LEN], other[crypto_hash_sha256_BYTES];

    (void)state;
    for (size_t len = 0; len < sizeof(bytes); len++) {
        bytes[len] = (char)(len * 7);
        sha256((struct str){bytes, len}, hash);
        crypto_hash_sha256(other, (const unsigned char *)bytes, len);
        assert_memory_equal(hash, other, sizeof(hash));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts_have_their_known_hashes),
        cmocka_unit_test(every_length_around_a_block_is_hashed_alike_by_another_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
