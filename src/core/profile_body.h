/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles between struct and body: for the modules of the kinds that have one. Pure. */
#ifndef CORE_PROFILE_BODY_H
#define CORE_PROFILE_BODY_H

#include "core/profile.h"

struct muster_store_v1_profile;

/* Fills *out and returns it; NULL when there is nothing to write. Strings are those of the profile.
 */
struct muster_store_v1_profile *profile_pack(const struct profile *p,
                                             struct muster_store_v1_profile *out);

/* m NULL: everything is absent. Strings are those of the message. */
void profile_unpack(const struct muster_store_v1_profile *m, struct profile *out);

#endif
