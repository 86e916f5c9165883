/* SPDX-License-Identifier: Apache-2.0 */
/* The first start: tenant "default", an admin key, and the file that tells its secret. After a kill
 * at any moment there is either no tenant (and the next start does it again), or a tenant and a
 * file with a credential that works. Start-up thread, before anything is served. */
#ifndef CORE_BOOTSTRAP_H
#define CORE_BOOTSTRAP_H

#include "core/key.h"
#include "core/keyring.h"
#include "core/store.h"

#define FIRST_CREDENTIALS_FILE "first-credentials.json"

/* Loads or makes the master key; when there is no tenant, creates the first ones and writes
 * DATA/first-credentials.json (*created says so). FAILED_PRECONDITION "no_master_key" when there
 * are tenants but no master key, and "wrong_master_key" when it is another one than the store was
 * written with. */
int bootstrap(struct store *s, struct clock *c, const char *data_dir, struct master_key *master,
              bool *created, struct fail *f) MUST_CHECK;

#endif
