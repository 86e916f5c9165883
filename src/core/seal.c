/* SPDX-License-Identifier: Apache-2.0 */
/* See seal.h. Text: "s1." and, in base64, a random nonce and what XChaCha20-Poly1305 makes of the
 * secret. The nonce is long enough to be drawn for ever without a count. */
#include "core/seal.h"

#include <assert.h>
#include <sodium.h>

#include "base/random.h"
#include "codec/base64.h"

#define PREFIX    "s1."
#define KEY_ID    1
#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN   crypto_aead_xchacha20poly1305_ietf_ABYTES

static const char derivation[crypto_kdf_CONTEXTBYTES + 1] = "mst.seal";

_Static_assert(MASTER_KEY_LEN == crypto_kdf_KEYBYTES, "keys are derived from the master key");

struct seal_key {
    uint8_t b[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
};

/* Not the master key itself: it has another use, see key_hash(). */
static struct seal_key key_derive(const struct master_key *m)
{
    struct seal_key key;
    int r = crypto_kdf_derive_from_key(key.b, sizeof(key.b), KEY_ID, derivation, m->b);

    assert(r == 0); /* it refuses wrong lengths only */
    return key;
}

struct str seal(struct arena *a, const struct master_key *m, struct str context, struct str secret)
{
    size_t len = NONCE_LEN + secret.len + TAG_LEN;
    uint8_t *bytes = arena_alloc_raw(a, len);
    struct seal_key key = key_derive(m);

    random_bytes(bytes, NONCE_LEN);

    int r = crypto_aead_xchacha20poly1305_ietf_encrypt(
        bytes + NONCE_LEN, NULL, (const uint8_t *)secret.p, secret.len, (const uint8_t *)context.p,
        context.len, NULL, bytes, key.b);

    assert(r == 0); /* it always succeeds */
    sodium_memzero(&key, sizeof(key));

    struct str text = base64_encode(a, BASE64_URL_BARE, str_make(bytes, len));

    return arena_printf(a, PREFIX "%.*s", STR_ARG(text));
}

int seal_open(struct arena *a, const struct master_key *m, struct str context, struct str sealed,
              struct str *out, struct fail *f)
{
    struct str bytes = {NULL, 0};
    int r = -1;

    if (str_starts_with(sealed, STR(PREFIX)) &&
        base64_decode(a, BASE64_URL_BARE, str_skip(sealed, sizeof(PREFIX) - 1), &bytes) == 0 &&
        bytes.len >= NONCE_LEN + TAG_LEN) {
        size_t len = bytes.len - NONCE_LEN - TAG_LEN;
        uint8_t *secret = arena_alloc_raw(a, len + 1);
        struct seal_key key = key_derive(m);

        r = crypto_aead_xchacha20poly1305_ietf_decrypt(
            secret, NULL, NULL, (const uint8_t *)bytes.p + NONCE_LEN, len + TAG_LEN,
            (const uint8_t *)context.p, context.len, (const uint8_t *)bytes.p, key.b);
        sodium_memzero(&key, sizeof(key));
        if (r == 0)
            *out = str_make(secret, len);
    }
    if (r == 0)
        return 0;
    IGNORE(fail_reason(f, CODE_DATA_LOSS, "bad_seal", "a stored secret cannot be read"));
    return fail_detail(f, "sealed under another master key, or changed: %.*s",
                       STR_ARG(str_first(context, 128)));
}
