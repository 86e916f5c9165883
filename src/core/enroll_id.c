/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and ids of enrollment as text. See enroll.h and enroll_internal.h. Pure. */
#include "codec/base64.h"
#include "core/enroll_internal.h"

#define SYMBOL_BITS 5

/* Longer than a token with any URL that is worth trying. */
#define ENCODED_TOKEN_MAX 2048

/* Those of random_text(). */
static const char symbols[] = "0123456789abcdefghjkmnpqrstvwxyz";

_Static_assert(sizeof(CREDENTIAL_ID_PREFIX) - 1 + CREDENTIAL_NUMBER_LEN + CREDENTIAL_NONCE_LEN ==
                   KEY_ID_LEN,
               "ids fit");

static int value_of(char c)
{
    const char *at = c ? strchr(symbols, c) : NULL;

    return at ? (int)(at - symbols) : -1;
}

static bool is_symbols(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (value_of(s.p[i]) < 0)
            return false;
    }
    return true;
}

static void print_number(uint64_t n, size_t len, char *out)
{
    while (len-- > 0) {
        out[len] = symbols[n & 31];
        n >>= SYMBOL_BITS;
    }
}

/* Of at most 13 characters; what 64 bits do not hold is refused. */
static bool read_number(struct str text, uint64_t *out)
{
    uint64_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        int v = value_of(text.p[i]);

        if (v < 0 || n >> (64 - SYMBOL_BITS))
            return false;
        n = n << SYMBOL_BITS | (uint64_t)v;
    }
    *out = n;
    return true;
}

/* --- installation tokens --- */

bool enroll_token_split(struct str bare, struct str *id, struct str *secret)
{
    if (bare.len != ENROLL_TOKEN_LEN || !str_starts_with(bare, STR(ENROLL_TOKEN_PREFIX)) ||
        !is_symbols(str_skip(bare, sizeof(ENROLL_TOKEN_PREFIX) - 1)))
        return false;
    *id = str_first(bare, ENROLL_KEY_ID_LEN);
    *secret = str_skip(bare, ENROLL_KEY_ID_LEN);
    return true;
}

static bool is_bare(struct str s)
{
    struct str id, secret;

    return enroll_token_split(s, &id, &secret);
}

bool enroll_token_bare(struct arena *a, struct str sent, struct str *bare)
{
    struct str text;

    if (is_bare(sent)) {
        *bare = sent;
        return true;
    }
    if (sent.len < ENROLL_TOKEN_LEN || sent.len > ENCODED_TOKEN_MAX ||
        base64_decode_lenient(a, sent, &text) < 0 || !is_bare(str_first(text, ENROLL_TOKEN_LEN)))
        return false;
    *bare = str_first(text, ENROLL_TOKEN_LEN);
    return true;
}

/* --- credentials --- */

void enroll_credential_print(int64_t collector, uint32_t nonce, char *out)
{
    out[0] = CREDENTIAL_ID_PREFIX[0];
    print_number((uint64_t)collector, CREDENTIAL_NUMBER_LEN, out + 1);
    print_number(nonce, CREDENTIAL_NONCE_LEN, out + 1 + CREDENTIAL_NUMBER_LEN);
}

bool enroll_credential_split(struct str key_id, int64_t *collector, uint32_t *nonce)
{
    uint64_t number, tail;

    if (key_id.len != KEY_ID_LEN || key_id.p[0] != CREDENTIAL_ID_PREFIX[0] ||
        !read_number(str_make(key_id.p + 1, CREDENTIAL_NUMBER_LEN), &number) ||
        !read_number(str_skip(key_id, 1 + CREDENTIAL_NUMBER_LEN), &tail) || number == 0 ||
        number > INT64_MAX)
        return false;
    *collector = (int64_t)number;
    *nonce = (uint32_t)tail;
    return true;
}

bool enroll_credential_collector(struct str key_id, int64_t *collector)
{
    uint32_t nonce;

    return enroll_credential_split(key_id, collector, &nonce);
}

struct str enroll_credential_prefix(struct arena *a, int64_t collector)
{
    char *id = arena_alloc_raw(a, KEY_ID_LEN);

    enroll_credential_print(collector, 0, id);
    return str_make(id, 1 + CREDENTIAL_NUMBER_LEN);
}

bool enroll_id_is_ours(struct str key_id)
{
    return str_starts_with(key_id, STR(ENROLL_TOKEN_PREFIX)) ||
           str_starts_with(key_id, STR(CREDENTIAL_ID_PREFIX));
}
