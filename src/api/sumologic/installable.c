/* SPDX-License-Identifier: Apache-2.0 */
/* See installable.h. Which attributes tell what is core/agent_words.c. */
#include "api/sumologic/installable.h"

#include "core/agent_words.h"

struct sumo_installable sumo_installable_of(const struct agent *agent)
{
    struct sumo_installable out = {
        .host_name = agent->profile.host_name,
        .os_name = agent_word_shown(agent, AGENT_WORD_OS),
        .os_version = agent_word_shown(agent, AGENT_WORD_OS_VERSION),
        .os_arch = agent_word_shown(agent, AGENT_WORD_ARCH),
        .version = agent_word_shown(agent, AGENT_WORD_VERSION),
    };

    if (!out.host_name.p) {
        out.host_name = agent_word_shown(agent, AGENT_WORD_HOST);
        out.host_is_said = true;
    }
    return out;
}

struct str sumo_installable_name(const struct agent *agent)
{
    return agent->row.name.len > 0 ? agent->row.name : agent->row.ext_id;
}
