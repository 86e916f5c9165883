/* SPDX-License-Identifier: Apache-2.0 */
/* How an agent of any dialect looks as an Installable collector: the one place that says which of
 * its words become which of this dialect's. Pure. */
#ifndef API_SUMOLOGIC_INSTALLABLE_H
#define API_SUMOLOGIC_INSTALLABLE_H

#include "core/agent.h"

/* Texts are those of the agent; p NULL: nobody said so. */
struct sumo_installable {
    struct str host_name; /* what a manager wrote, else what the agent says */
    bool host_is_said;    /* it is the agent's word */
    struct str os_name;
    struct str os_version;
    struct str os_arch;
    struct str version;
};

struct sumo_installable sumo_installable_of(const struct agent *agent);

/* Its id where it has no name. */
struct str sumo_installable_name(const struct agent *agent);

#endif
