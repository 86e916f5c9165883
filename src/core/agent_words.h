/* SPDX-License-Identifier: Apache-2.0 */
/* Which attributes tell what of an agent: the one list of their names, by what they tell. Names are
 * those of Alloy ("collector.os"), of what dialects here write down, and of OpenTelemetry's
 * conventions for resources. Pure. */
#ifndef CORE_AGENT_WORDS_H
#define CORE_AGENT_WORDS_H

#include "core/agent.h"

enum agent_word {
    AGENT_WORD_HOST,
    AGENT_WORD_OS,      /* as people call it: "Debian GNU/Linux" */
    AGENT_WORD_OS_TYPE, /* as platforms are named: "linux" */
    AGENT_WORD_OS_VERSION,
    AGENT_WORD_ARCH,
    AGENT_WORD_VERSION, /* of the agent itself */
    AGENT_WORD_COUNT
};

/* What the first of the word's attributes that has a value says; empty with p NULL when none has.
 * Said: by the agent itself. Shown: of its effective attributes, so that an operator's counts
 * before its own. */
struct str agent_word_said(const struct agent *agent, enum agent_word word);
struct str agent_word_shown(const struct agent *agent, enum agent_word word);

#endif
