/* SPDX-License-Identifier: Apache-2.0 */
/* How agents get in by themselves: an installation token lets anybody who has it register an agent,
 * and each registered agent gets a credential of its own that lets it beat and send, nothing else.
 * Tokens can be shown again, so their secret is sealed under the master key; credentials cannot.
 * Both are keys in the keyring, with the scopes SCOPE_ENROLL and SCOPE_BEAT, which no role grants.
 * Runs inside a transaction; rows live in its arena. */
#ifndef CORE_ENROLL_H
#define CORE_ENROLL_H

#include "core/keyring.h"
#include "core/store.h"

#define ENROLL_TOKENS_MAX 100
#define ENROLL_TOKEN_LEN  32 /* "SUMO" and 28 characters of the alphabet of keys */

struct enroll_token {
    int64_t id;
    struct str name; /* unique in the tenant */
    struct str description;
    bool active;
    int64_t version;  /* from 0, one more with each update */
    struct str token; /* opened */
    int64_t created_us;
    int64_t updated_us;
    struct str created_by; /* key id */
    struct str updated_by;
};

/* t: name, description, active. ALREADY_EXISTS "name_taken", RESOURCE_EXHAUSTED "too_many_tokens".
 */
int enroll_token_create(struct store_tx *tx, const struct caller *by, const struct master_key *m,
                        struct keyring *ring, uint64_t tenant, struct enroll_token *t,
                        struct fail *f) MUST_CHECK;

/* NOT_FOUND "no_such_token". */
int enroll_token_get(struct store_tx *tx, const struct master_key *m, uint64_t tenant, int64_t id,
                     struct enroll_token *out, struct fail *f) MUST_CHECK;
int enroll_token_list(struct store_tx *tx, const struct master_key *m, uint64_t tenant,
                      struct enroll_token **out, size_t *count, struct fail *f) MUST_CHECK;

/* name, description, active of the token t->id where its version is still t->version. ABORTED
 * "version_mismatch". An inactive token is out of the keyring. */
int enroll_token_update(struct store_tx *tx, const struct caller *by, const struct master_key *m,
                        struct keyring *ring, uint64_t tenant, struct enroll_token *t,
                        struct fail *f) MUST_CHECK;
int enroll_token_delete(struct store_tx *tx, const struct caller *by, struct keyring *ring,
                        uint64_t tenant, int64_t id, struct fail *f) MUST_CHECK;

/* As a client may send it: the token itself, or base64 of the token followed by a URL. True: *bare
 * is the token. Pure. */
bool enroll_token_bare(struct arena *a, struct str sent, struct str *bare);

/* For the keyring: splits a bare token into the id and the secret of its key. Pure. */
bool enroll_token_split(struct str bare, struct str *id, struct str *secret);

struct enroll_credential {
    struct str id;  /* 20 characters */
    struct str key; /* 88 characters; shown once */
};

/* For the collector of that number, replacing none: an agent may hold several until it is deleted.
 */
int enroll_credential_new(struct store_tx *tx, const struct caller *by, const struct master_key *m,
                          struct keyring *ring, uint64_t tenant, int64_t collector,
                          struct enroll_credential *out, struct fail *f) MUST_CHECK;

/* All credentials of a collector: it was deleted. */
int enroll_credentials_drop(struct store_tx *tx, struct keyring *ring, uint64_t tenant,
                            int64_t collector, struct fail *f) MUST_CHECK;

/* The collector's number is part of its credential's id. False: the id is no such credential's.
 * Pure, and cheap: it is asked with every beat. */
bool enroll_credential_collector(struct str key_id, int64_t *collector);

#endif
