/* SPDX-License-Identifier: Apache-2.0 */
/* What a person writes about a collector that runs in the field or in the server, beyond its name
 * and labels: the same words for both kinds. Pure. */
#ifndef CORE_PROFILE_H
#define CORE_PROFILE_H

#include <stdint.h>

#include "base/str.h"

/* Texts are absent when p is NULL, which is not the same as empty. */
struct profile {
    struct str description;
    struct str category;
    struct str time_zone;
    struct str host_name;
    int64_t cutoff_ms; /* older data is not wanted; 0: all */
};

#endif
