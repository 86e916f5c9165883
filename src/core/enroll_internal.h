/* SPDX-License-Identifier: Apache-2.0 */
/* How the ids of the keys of core/enroll.h are told from those of core/key.h, whose first character
 * is a digit for some thousand years: by their first letters. Private to the keys' files. Pure. */
#ifndef CORE_ENROLL_INTERNAL_H
#define CORE_ENROLL_INTERNAL_H

#include "core/enroll.h"

/* An installation token: "SUMO" and 28 characters. Its first 14 are the key's id, the others the
 * secret: 90 bits. */
#define ENROLL_TOKEN_PREFIX "SUMO"
#define ENROLL_KEY_ID_LEN   14
#define ENROLL_SECRET_LEN   (ENROLL_TOKEN_LEN - ENROLL_KEY_ID_LEN)

/* A credential's id: the letter, 13 characters of the agent's number, 6 random ones. */
#define CREDENTIAL_ID_PREFIX  "i"
#define CREDENTIAL_NUMBER_LEN 13
#define CREDENTIAL_NONCE_LEN  6
#define CREDENTIAL_KEY_LEN    KEY_SECRET_MAX

/* No id of another kind of key begins so. */
bool enroll_id_is_ours(struct str key_id);

/* The id of a credential, and back. `out` has KEY_ID_LEN characters. */
void enroll_credential_print(int64_t collector, uint32_t nonce, char *out);
bool enroll_credential_split(struct str key_id, int64_t *collector, uint32_t *nonce);

/* What the ids of all credentials of a collector begin with; 14 characters. */
struct str enroll_credential_prefix(struct arena *a, int64_t collector);

#endif
