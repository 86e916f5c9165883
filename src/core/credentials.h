/* SPDX-License-Identifier: Apache-2.0 */
/* The credentials of registered agents as the keyring keeps them: there may be a million, so an
 * entry is a few words. Found by what their id says (core/enroll.h), the agent's number and a few
 * random bits. Any thread: one short mutex of a shard, no allocation in a look-up. */
#ifndef CORE_CREDENTIALS_H
#define CORE_CREDENTIALS_H

#include "core/store.h"

struct credentials;

/* Kept once for all of a tenant's credentials, as long as the table lives. */
struct credential_owner {
    uint64_t tenant;
    struct str name;
};

struct agent_credential {
    uint8_t hash[KEY_HASH_LEN];
    const struct credential_owner *owner;
    int64_t agent; /* its number */
    uint32_t nonce;
};

struct credentials *credentials_new(void) RETURNS_NONNULL;
void credentials_free(struct credentials **c);

/* Copies; takes the place of the one with the same agent and nonce. */
void credentials_put(struct credentials *c, int64_t agent, uint32_t nonce,
                     const uint8_t hash[KEY_HASH_LEN], uint64_t tenant, struct str tenant_name);

/* False: there is none, and *out is untouched. */
bool credentials_find(struct credentials *c, int64_t agent, uint32_t nonce,
                      struct agent_credential *out);

void credentials_remove(struct credentials *c, int64_t agent, uint32_t nonce);
void credentials_remove_agent(struct credentials *c, int64_t agent);
void credentials_remove_tenant(struct credentials *c, uint64_t tenant);

size_t credentials_count(struct credentials *c);
size_t credentials_bytes(struct credentials *c);

#endif
