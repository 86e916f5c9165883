/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: a public id and a secret of 256 bits that is shown once. The store holds a keyed hash, made
 * under a master key that lives outside the database. Runs inside a transaction; any thread for the
 * pure functions. */
#ifndef CORE_KEY_H
#define CORE_KEY_H

#include "core/store.h"

struct keyring;

#define KEY_ID_LEN     20
#define KEY_SECRET_LEN 52 /* 5 bits a character: 260 bits */
#define KEY_SECRET_MAX 88 /* of the keys of enroll.h, whose ids are no longer than others */
#define KEY_TOKEN_LEN  (4 + KEY_ID_LEN + 1 + KEY_SECRET_LEN)
#define KEY_LABEL_MAX  200
#define MASTER_KEY_LEN 32

struct master_key {
    uint8_t b[MASTER_KEY_LEN];
};

/* Reads DATA/master.key. When there is none: makes it (mode 0600, synced) if may_create, else
 * FAILED_PRECONDITION, reason "no_master_key". */
int master_key_load(const char *data_dir, bool may_create, struct master_key *out, struct fail *f)
    MUST_CHECK;

struct key_new {
    uint64_t tenant;
    struct str tenant_name; /* for messages; the tenant's row decides */
    enum role role;
    uint32_t scopes; /* 0: those of the role; else a part of them */
    struct str label;
    int64_t expires_us; /* wall; 0: never */
};

/* The only time the secret is seen. Text lives in the transaction's arena. */
struct key_secret {
    struct str id;
    struct str secret;
    struct str token; /* mst_<id>_<secret> */
};

/* Fills in a fresh credential, without a store. */
void key_generate(int64_t now_us, struct arena *a, struct key_secret *out);
void key_hash(const struct master_key *m, struct str id, struct str secret,
              uint8_t out[KEY_HASH_LEN]);

/* Splits mst_<id>_<secret>: exact lengths, exact alphabet. The parts point into token. */
bool key_parse_token(struct str token, struct str *id, struct str *secret);

/* The keys of enroll.h are rows too, but none for the functions below: they do not make, list, find
 * or revoke them.
 *
 * INVALID_ARGUMENT: reasons "bad_label", "bad_scopes", "bad_expiry". NOT_FOUND: no such tenant. The
 * ring (may be NULL) knows the key when the change is durable. */
int key_create(struct store_tx *tx, const struct caller *by, const struct master_key *m,
               const struct key_new *want, struct keyring *ring, struct key_secret *secret,
               struct key *out, struct fail *f) MUST_CHECK;

/* Same for a credential that was generated before: for bootstrap. */
int key_insert(struct store_tx *tx, const struct caller *by, const struct master_key *m,
               const struct key_new *want, struct keyring *ring, const struct key_secret *secret,
               struct key *out, struct fail *f) MUST_CHECK;

int key_get(struct store_tx *tx, uint64_t tenant, struct str id, struct key *out, struct fail *f)
    MUST_CHECK;

/* In order of id (that is, of creation), from the first one above `after`. */
int key_list(struct store_tx *tx, uint64_t tenant, struct str after, size_t limit, struct key **out,
             size_t *count, struct fail *f) MUST_CHECK;

/* Keeps the row for the record. Revoking twice is fine. NOT_FOUND, reason "no_such_key". */
int key_revoke(struct store_tx *tx, const struct caller *by, uint64_t tenant, struct str id,
               struct keyring *ring, struct key *out, struct fail *f) MUST_CHECK;

/* What a role grants in that tenant: the operator's scopes belong to the tenant "default". */
uint32_t key_role_scopes(enum role role, struct str tenant_name);

/* The scopes that a key of this row may use. */
uint32_t key_effective_scopes(const struct key *k, struct str tenant_name);

#endif
