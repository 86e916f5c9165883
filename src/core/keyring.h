/* SPDX-License-Identifier: Apache-2.0 */
/* All live keys in memory: what a loop asks to learn who is calling. Loaded at start, then follows
 * the store through commit hooks. Look-ups from any thread: one short mutex of a shard, no store,
 * no system call; an unknown id costs as much as a known one. */
#ifndef CORE_KEYRING_H
#define CORE_KEYRING_H

#include "base/caller.h"
#include "base/clock.h"
#include "core/key.h"
#include "core/store.h"

struct keyring;

struct keyring *keyring_new(const struct clock *c, const struct master_key *m) RETURNS_NONNULL;
void keyring_free(struct keyring **r);

/* Every live key of every tenant. At start, before look-ups. */
int keyring_load(struct keyring *r, struct store *s, struct fail *f) MUST_CHECK;

size_t keyring_count(struct keyring *r);

/* False: no such key, wrong secret, expired or revoked; nobody outside learns which. The caller's
 * strings are copied to the arena. A hit marks the key as used. */
bool keyring_resolve(struct keyring *r, struct arena *a, struct str id, struct str secret,
                     struct caller *out);

/* mst_<id>_<secret>, or an installation token in either of its forms (enroll.h), as Bearer, `Key`
 * or gRPC metadata carry it. */
bool keyring_resolve_token(struct keyring *r, struct arena *a, struct str token,
                           struct caller *out);

/* Basic: either id:secret, or anything:token. */
bool keyring_resolve_basic(struct keyring *r, struct arena *a, struct str user, struct str password,
                           struct caller *out);

/* Whether the key is neither revoked nor expired by now. On the write lane this is exact: what is
 * durable is known here. */
bool keyring_is_live(struct keyring *r, struct str id);

/* Writes the marks of use behind: one job for all keys used since the last call. Blocks; not from a
 * loop or a lane. Marks are kept for the next call when the store refuses. */
int keyring_flush(struct keyring *r, struct store *s, struct fail *f) MUST_CHECK;

/* The store's side: called by commit hooks on the lane. A credential of enroll.h takes a fraction
 * of the memory of other keys, and its use is not marked: that of its agent is. */
void keyring_put(struct keyring *r, const struct key *k, struct str tenant_name);
void keyring_remove(struct keyring *r, struct str id);
void keyring_remove_tenant(struct keyring *r, uint64_t tenant);

/* Same for all credentials of an agent, by its number. */
void keyring_remove_agent(struct keyring *r, int64_t agent);

/* --- how the ring (NULL: none) follows a transaction: called inside it, takes effect after its
 * commit. Strings live in the transaction's arena --- */

void keyring_follow_put(struct keyring *r, struct store_tx *tx, const struct key *k,
                        struct str tenant_name);
void keyring_follow_remove(struct keyring *r, struct store_tx *tx, struct str id);
void keyring_follow_remove_agent(struct keyring *r, struct store_tx *tx, int64_t agent);

/* About, of the credentials of agents. */
size_t keyring_agent_bytes(struct keyring *r);

#endif
