/* SPDX-License-Identifier: Apache-2.0 */
/* thirdPartyRef: which service of somebody else a hosted source reads, where in it, and as whom.
 * What each service needs is data; what a client wrote is kept as it was written, in its order. All
 * pure. */
#ifndef API_SUMOLOGIC_SOURCE_REFS_H
#define API_SUMOLOGIC_SOURCE_REFS_H

#include "api/sumologic/members.h"

#define SECRET_HIDDEN STR("********")

enum ref_owner {
    REF_POLLING, /* needs a resource, of the service that contentType names */
    REF_HTTP,
};

/* `ref` is an object; `content_type` may be empty; `stored` may be NULL: what secrets that are
 * hidden in `ref` are taken from. "fields_missing", "fields_invalid". */
int refs_take(struct arena *a, enum ref_owner owner, struct str content_type,
              const struct json_value *ref, const struct json_value *stored,
              struct json_value **out, struct fail *f) MUST_CHECK;

/* A copy with every secret replaced by what fn makes of it; `place` is its path. */
typedef struct str (*secret_fn)(void *arg, struct str place, struct str secret);
struct json_value *refs_map_secrets(struct arena *a, const struct json_value *ref, secret_fn fn,
                                    void *arg) RETURNS_NONNULL;

#endif
