/* SPDX-License-Identifier: Apache-2.0 */
/* Collectors of the kind "hosted": they live in the server and hold sources. What every kind has is
 * core/collector.h; the fields are the row's labels. Names are unique together with those of
 * agents that have a unique name. Runs inside a transaction; rows live in its arena. */
#ifndef CORE_HOSTED_H
#define CORE_HOSTED_H

#include "core/agent.h"
#include "core/collector.h"
#include "core/profile.h"

struct hosted {
    struct collector row; /* labels and body are made from what follows */
    struct profile profile;
    struct attributes fields;
};

/* h: row.tenant, row.name, profile, fields. ALREADY_EXISTS "name_taken". */
int hosted_create(struct store_tx *tx, const struct caller *by, struct hosted *h, struct fail *f)
    MUST_CHECK;

/* NOT_FOUND "no_such_collector"; also when the number is that of another kind. */
int hosted_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct hosted *out, struct fail *f)
    MUST_CHECK;

/* Writes back name, profile and fields; nothing when nothing differs. */
int hosted_update(struct store_tx *tx, const struct caller *by, struct hosted *h, struct fail *f)
    MUST_CHECK;

int hosted_decode(struct arena *a, const struct collector *row, struct hosted *out, struct fail *f)
    MUST_CHECK;

#endif
