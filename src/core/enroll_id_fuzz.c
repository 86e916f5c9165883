/* SPDX-License-Identifier: Apache-2.0 */
/* What clients send as an installation token, and ids of credentials: whatever is taken for one has
 * its shape and is the same when it is written again. */
#include <assert.h>
#include <stdint.h>

#include "codec/base64.h"
#include "core/enroll_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_token(struct arena *a, struct str sent)
{
    struct str bare = {0}, again = {0}, id = {0}, secret = {0};

    if (!enroll_token_bare(a, sent, &bare))
        return;
    assert(enroll_token_split(bare, &id, &secret));
    assert(id.len == ENROLL_KEY_ID_LEN && secret.len == ENROLL_SECRET_LEN);
    assert(id.p == bare.p && secret.p == bare.p + id.len);
    assert(enroll_id_is_ours(id) && str_is_within(bare, '0', 'z'));
    assert(enroll_token_bare(a, bare, &again) && str_eq(again, bare));
    assert(enroll_token_bare(a, base64_encode(a, BASE64_STD, bare), &again) && str_eq(again, bare));
}

static void check_credential(struct arena *a, struct str id)
{
    char text[KEY_ID_LEN];
    int64_t collector = 0;
    uint32_t nonce = 0;

    if (!enroll_credential_split(id, &collector, &nonce))
        return;
    assert(collector > 0 && enroll_id_is_ours(id));
    enroll_credential_print(collector, nonce, text);
    assert(str_eq(str_make(text, sizeof(text)), id));
    assert(str_starts_with(id, enroll_credential_prefix(a, collector)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make(data, size);
    struct arena *a = arena_new(4096);

    check_token(a, text);
    check_credential(a, text);
    arena_free(&a);
    return 0;
}
