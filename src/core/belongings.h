/* SPDX-License-Identifier: Apache-2.0 */
/* What hangs on a collector beyond its row and its sources: credentials, open upgrades, inlets. It
 * goes when the collector goes, whoever deletes it: registry_on_delete() for agents, a direct call
 * for hosted ones. */
#ifndef CORE_BELONGINGS_H
#define CORE_BELONGINGS_H

#include "core/inlets.h"
#include "core/keyring.h"
#include "core/store.h"

/* Lives as long as the registry that has it. */
struct belongings {
    struct keyring *keyring;
    struct inlets *inlets; /* NULL: there are none */
};

/* A registry_drop_fn. In a write transaction; memory follows after the commit. Nothing to drop is
 * no failure. */
int belongings_drop(void *belongings, struct store_tx *tx, uint64_t tenant, int64_t collector,
                    struct fail *f) MUST_CHECK;

/* A registry_drop_all_fn: of a tenant that is being deleted. Its keys are the keyring's affair. */
void belongings_drop_all(void *belongings, struct store_tx *tx, uint64_t tenant);

#endif
