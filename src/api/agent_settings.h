/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator decided about agents and pipelines, for every dialect that serves them. The
 * server publishes a new one as a whole when its configuration changes, and keeps the old ones as
 * long as it lives: any thread may hold on to one for the length of a call. */
#ifndef API_AGENT_SETTINGS_H
#define API_AGENT_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/slot.h"

struct agent_settings {
    int64_t inactive_after_us;     /* of silence */
    size_t local_max;              /* attributes of an agent that are not reserved; 0: any number */
    size_t collectors_max;         /* of a tenant; 0: any number */
    size_t pipelines_max;          /* same */
    uint32_t collector_per_second; /* what a key may ask for; 0: any number */
    uint32_t api_per_second;
};

static inline const struct agent_settings *agent_settings_get(struct slot *s)
{
    return slot_get(s);
}

#endif
