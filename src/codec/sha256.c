/* SPDX-License-Identifier: Apache-2.0 */
/* See sha256.h. */
#include "codec/sha256.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

_Static_assert(SHA256_LEN == SHA256_DIGEST_LENGTH, "they are the same bytes");

void sha256(struct str s, uint8_t out[SHA256_LEN])
{
    const unsigned char *result = SHA256((const unsigned char *)(s.len > 0 ? s.p : ""), s.len, out);

    assert(result); /* there is no other way to fail than to lack the algorithm */
}

/* EVP has no type of its own for this: the pointer is the digest's context. */
static EVP_MD_CTX *context_of(struct sha256_stream *s)
{
    return (EVP_MD_CTX *)(void *)s;
}

struct sha256_stream *sha256_begin(void)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int good = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL);

    assert(good);
    return (struct sha256_stream *)(void *)md;
}

void sha256_add(struct sha256_stream *s, struct str piece)
{
    int good = piece.len == 0 || EVP_DigestUpdate(context_of(s), piece.p, piece.len);

    assert(good);
}

void sha256_end(struct sha256_stream **s, uint8_t out[SHA256_LEN])
{
    if (*s && out) {
        int good = EVP_DigestFinal_ex(context_of(*s), out, NULL);

        assert(good);
    }
    if (*s)
        EVP_MD_CTX_free(context_of(*s));
    *s = NULL;
}
