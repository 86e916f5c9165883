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

static void pieces_have_the_hash_of_the_whole(void **state)
{
    static char bytes[300];
    uint8_t whole[SHA256_LEN], pieces[SHA256_LEN];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7);
    sha256((struct str){bytes, sizeof(bytes)}, whole);
    for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
        struct sha256_stream *s = sha256_begin();

        sha256_add(s, (struct str){bytes, cut});
        sha256_add(s, (struct str){NULL, 0});
        sha256_add(s, (struct str){bytes + cut, sizeof(bytes) - cut});
        sha256_end(&s, pieces);
        assert_null(s);
        assert_memory_equal(whole, pieces, sizeof(whole));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts_have_their_known_hashes),
        cmocka_unit_test(every_length_around_a_block_is_hashed_alike_by_another_library),
        cmocka_unit_test(pieces_have_the_hash_of_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
