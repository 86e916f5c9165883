/* SPDX-License-Identifier: Apache-2.0 */
/* See key.h. */
#include "core/key.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/random.h"
#include "core/datafile.h"
#include "core/enroll_internal.h"
#include "core/event.h"
#include "core/keyring.h"
#include "core/tenant.h"

#define TOKEN_PREFIX    "mst_"
#define MASTER_KEY_FILE "master.key"
#define ID_TIME_LEN     9 /* milliseconds in 45 bits: lasts a thousand years */

_Static_assert(KEY_HASH_LEN == crypto_generichash_BYTES, "the hash fills its column");
_Static_assert(MASTER_KEY_LEN == crypto_generichash_KEYBYTES, "the key is of the usual length");

int master_key_load(const char *data_dir, bool may_create, struct master_key *out, struct fail *f)
{
    struct arena *a = arena_new(256);
    struct str bytes;
    int r = datafile_read(a, data_dir, MASTER_KEY_FILE, MASTER_KEY_LEN, &bytes, f);

    if (r == 0 && bytes.len != MASTER_KEY_LEN)
        r = fail_reason(f, CODE_FAILED_PRECONDITION, "bad_master_key",
                        "%s/" MASTER_KEY_FILE " is not %d bytes long", data_dir, MASTER_KEY_LEN);
    if (r == 0)
        memcpy(out->b, bytes.p, MASTER_KEY_LEN);
    arena_free(&a);
    if (r == 0 || f->code != CODE_NOT_FOUND)
        return r;
    if (!may_create)
        return fail_reason(f, CODE_FAILED_PRECONDITION, "no_master_key",
                           "%s/" MASTER_KEY_FILE
                           " is missing: put back the file that belongs to "
                           "this database",
                           data_dir);

    struct master_key fresh = {{0}};

    random_bytes(fresh.b, sizeof(fresh.b));
    if (datafile_write(data_dir, MASTER_KEY_FILE, str_make(fresh.b, sizeof(fresh.b)), f) < 0)
        return -1;
    *out = fresh;
    return 0;
}

/* Time first: keys that are made one after another lie side by side in the store. The alphabet is
 * that of random_text(), in byte order. */
static void print_id(int64_t now_us, char *out)
{
    static const char symbols[] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint64_t ms = (uint64_t)(now_us / 1000);

    for (int i = ID_TIME_LEN - 1; i >= 0; i--) {
        out[i] = symbols[ms & 31];
        ms >>= 5;
    }
    random_text(out + ID_TIME_LEN, KEY_ID_LEN - ID_TIME_LEN);
}

void key_generate(int64_t now_us, struct arena *a, struct key_secret *out)
{
    char *token = arena_alloc_raw(a, KEY_TOKEN_LEN);
    char *id = token + sizeof(TOKEN_PREFIX) - 1;
    char *secret = id + KEY_ID_LEN + 1;

    memcpy(token, TOKEN_PREFIX, sizeof(TOKEN_PREFIX) - 1);
    print_id(now_us, id);
    id[KEY_ID_LEN] = '_';
    random_text(secret, KEY_SECRET_LEN);
    out->id = str_make(id, KEY_ID_LEN);
    out->secret = str_make(secret, KEY_SECRET_LEN);
    out->token = str_make(token, KEY_TOKEN_LEN);
}

/* The id is part of what is hashed: a hash moved to another row fits nobody. */
void key_hash(const struct master_key *m, struct str id, struct str secret,
              uint8_t out[KEY_HASH_LEN])
{
    uint8_t text[KEY_ID_LEN + 1 + KEY_SECRET_MAX];

    assert(id.len > 0 && id.len <= KEY_ID_LEN && secret.len > 0 && secret.len <= KEY_SECRET_MAX);
    memcpy(text, id.p, id.len);
    text[id.len] = ':';
    memcpy(text + id.len + 1, secret.p, secret.len);

    int r =
        crypto_generichash(out, KEY_HASH_LEN, text, id.len + 1 + secret.len, m->b, sizeof(m->b));

    assert(r == 0); /* it refuses wrong lengths only */
    sodium_memzero(text, sizeof(text));
}

/* Looks at every byte, whatever comes: most are good, and there is less to guess for a processor.
 */
static bool is_key_text(struct str s)
{
    static const bool symbols[256] = {['0' ... '9'] = true, ['a' ... 'z'] = true};
    bool good = true;

    for (size_t i = 0; i < s.len; i++)
        good &= symbols[(unsigned char)s.p[i]];
    return good;
}

bool key_parse_token(struct str token, struct str *id, struct str *secret)
{
    struct str prefix = STR(TOKEN_PREFIX);

    if (token.len != KEY_TOKEN_LEN || !str_starts_with(token, prefix))
        return false;

    struct str rest = str_skip(token, prefix.len);
    struct str first = str_first(rest, KEY_ID_LEN);
    struct str last = str_skip(rest, KEY_ID_LEN + 1);

    if (rest.p[KEY_ID_LEN] != '_' || !is_key_text(first) || !is_key_text(last))
        return false;
    *id = first;
    *secret = last;
    return true;
}

uint32_t key_role_scopes(enum role role, struct str tenant_name)
{
    uint32_t scopes = role_scopes(role);

    return str_eq(tenant_name, STR(TENANT_DEFAULT)) ? scopes : scopes & ~SCOPES_OPERATOR;
}

/* Rows with the scopes of enrollment are made by enroll.c alone: check() refuses them. */
static bool is_enrollment(const struct key *k)
{
    return k->role == ROLE_AGENT && (k->scopes == SCOPE_ENROLL || k->scopes == SCOPE_BEAT);
}

uint32_t key_effective_scopes(const struct key *k, struct str tenant_name)
{
    if (is_enrollment(k))
        return k->scopes;
    return key_role_scopes(k->role, tenant_name) & (k->scopes ? k->scopes : UINT32_MAX);
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    }
    return false;
}

static int check(struct store_tx *tx, const struct key_new *want, struct str tenant_name,
                 struct fail *f)
{
    if (want->label.len > KEY_LABEL_MAX) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_label",
                           "the label is longer than %d bytes", KEY_LABEL_MAX));
        return fail_field(f, "label");
    }
    if (has_control(want->label)) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_label",
                           "the label holds a control character"));
        return fail_field(f, "label");
    }
    if (want->scopes & ~key_role_scopes(want->role, tenant_name)) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_scopes",
                           "the role %s does not grant all of these scopes in the tenant \"%.*s\"",
                           role_name(want->role), STR_ARG(tenant_name)));
        return fail_field(f, "scopes");
    }
    if (want->expires_us < 0 || (want->expires_us && want->expires_us <= store_tx_now(tx))) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_expiry",
                           "the key would have expired already"));
        return fail_field(f, "expires");
    }
    return 0;
}

int key_insert(struct store_tx *tx, const struct caller *by, const struct master_key *m,
               const struct key_new *want, struct keyring *ring, const struct key_secret *secret,
               struct key *out, struct fail *f)
{
    struct arena *a = store_tx_arena(tx);
    struct tenant t;
    struct key k = {
        .tenant = want->tenant,
        .id = secret->id,
        .role = want->role,
        .scopes = want->scopes,
        .label = want->label,
        .created_us = store_tx_now(tx),
        .expires_us = want->expires_us,
    };

    if (tenant_get_id(tx, want->tenant, &t, f) < 0 || check(tx, want, t.name, f) < 0)
        return -1;
    key_hash(m, secret->id, secret->secret, k.hash);
    if (store_key_insert(tx, &k, f) < 0 ||
        event_append(tx, k.tenant, by, "key.created", k.id,
                     event_data(a, "role", str_of(role_name(k.role))), f) < 0)
        return -1;
    keyring_follow_put(ring, tx, &k, t.name);
    *out = k;
    return 0;
}

int key_create(struct store_tx *tx, const struct caller *by, const struct master_key *m,
               const struct key_new *want, struct keyring *ring, struct key_secret *secret,
               struct key *out, struct fail *f)
{
    struct key_secret fresh;

    key_generate(store_tx_now(tx), store_tx_arena(tx), &fresh);
    if (key_insert(tx, by, m, want, ring, &fresh, out, f) < 0)
        return -1;
    *secret = fresh;
    return 0;
}

static int missing(struct fail *f)
{
    if (f->code != CODE_NOT_FOUND)
        return -1;
    return fail_reason(f, CODE_NOT_FOUND, "no_such_key", "there is no such key");
}

int key_get(struct store_tx *tx, uint64_t tenant, struct str id, struct key *out, struct fail *f)
{
    if (enroll_id_is_ours(id))
        return fail_reason(f, CODE_NOT_FOUND, "no_such_key", "there is no such key");
    return store_key_get(tx, tenant, id, out, f) < 0 ? missing(f) : 0;
}

int key_list(struct store_tx *tx, uint64_t tenant, struct str after, size_t limit, struct key **out,
             size_t *count, struct fail *f)
{
    if (store_key_list(tx, tenant, after, limit, out, count, f) < 0)
        return -1;
    /* Those of enrollment come last, and may be a million. */
    while (*count > 0 && enroll_id_is_ours((*out)[*count - 1].id))
        --*count;
    return 0;
}

int key_revoke(struct store_tx *tx, const struct caller *by, uint64_t tenant, struct str id,
               struct keyring *ring, struct key *out, struct fail *f)
{
    struct key k = {0};

    if (key_get(tx, tenant, id, &k, f) < 0)
        return -1;
    if (!k.revoked_us) {
        k.revoked_us = store_tx_now(tx);
        if (store_key_set_revoked(tx, tenant, id, k.revoked_us, f) < 0 ||
            event_append(tx, tenant, by, "key.revoked", k.id, STR("{}"), f) < 0)
            return -1;
        keyring_follow_remove(ring, tx, k.id);
    }
    *out = k;
    return 0;
}
