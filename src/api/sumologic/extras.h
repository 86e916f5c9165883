/* SPDX-License-Identifier: Apache-2.0 */
/* What this dialect keeps of an agent beyond what all know of it: JSON text in the agent's extras
 * under the dialect's name. Pure. */
#ifndef API_SUMOLOGIC_EXTRAS_H
#define API_SUMOLOGIC_EXTRAS_H

#include "codec/json.h"
#include "core/agent.h"

struct extras {
    bool there;                    /* it registered by this dialect */
    struct str fleet_id;           /* as sent; empty: none */
    struct str token_key;          /* id of the key that it registered with */
    const struct json_value *tags; /* an object: what the agent says of itself; NULL: nothing */
};

/* Text that cannot be read counts as none: nothing here is needed to go on. */
void extras_read(struct arena *a, const struct agent *agent, struct extras *out);
void extras_write(struct arena *a, struct agent *agent, const struct extras *e);

#endif
