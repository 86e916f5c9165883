/* SPDX-License-Identifier: Apache-2.0 */
/* See sha256.h. */
#include "codec/sha256.h"

#include <assert.h>
#include <openssl/sha.h>

_Static_assert(SHA256_LEN == SHA256_DIGEST_LENGTH, "they are the same bytes");

void sha256(struct str s, uint8_t out[SHA256_LEN])
{
    const unsigned char *result = SHA256((const unsigned char *)(s.len > 0 ? s.p : ""), s.len, out);

    assert(result); /* there is no other way to fail than to lack the algorithm */
}
