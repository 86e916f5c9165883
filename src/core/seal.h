/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets that must be readable again: sealed by libsodium under a key derived from the master key,
 * which is not in the database, and bound to what they belong to. Pure. */
#ifndef CORE_SEAL_H
#define CORE_SEAL_H

#include "base/arena.h"
#include "base/fail.h"
#include "core/key.h"

/* `context` ("source 12.password") must be the same when it is opened. Printable text. */
struct str seal(struct arena *a, const struct master_key *m, struct str context, struct str secret);

/* DATA_LOSS "bad_seal": another key, another context, or changed bytes. */
int seal_open(struct arena *a, const struct master_key *m, struct str context, struct str sealed,
              struct str *out, struct fail *f) MUST_CHECK;

#endif
