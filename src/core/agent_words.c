/* SPDX-License-Identifier: Apache-2.0 */
/* See agent_words.h. */
#include "core/agent_words.h"

#define NAMES_MAX 4

static const char *const names[][NAMES_MAX] = {
    [AGENT_WORD_HOST] = {"host.name", "hostname", "collector.hostname"},
    [AGENT_WORD_OS] = {"collector.os", "os.name", "os.type"},
    [AGENT_WORD_OS_TYPE] = {"collector.os", "os.type"},
    [AGENT_WORD_OS_VERSION] = {"collector.os.version", "os.version"},
    [AGENT_WORD_ARCH] = {"collector.arch", "host.arch", "os.arch"},
    [AGENT_WORD_VERSION] = {"collector.version", "service.version"},
};
_Static_assert(COUNTOF(names) == AGENT_WORD_COUNT, "name every word");

static struct str said(const struct agent *agent, struct str key)
{
    return labels_value(agent->local.items, agent->local.count, key);
}

/* The effective one: see agent.h. */
static struct str shown(const struct agent *agent, struct str key)
{
    struct str value = {NULL, 0};

    if (!str_starts_with(key, STR(AGENT_RESERVED_PREFIX)))
        value = labels_value(agent->remote.items, agent->remote.count, key);
    return value.p ? value : said(agent, key);
}

static struct str first_of(const struct agent *agent, enum agent_word word,
                           struct str (*value_of)(const struct agent *agent, struct str key))
{
    for (size_t i = 0; i < NAMES_MAX && names[word][i]; i++) {
        struct str value = value_of(agent, str_of(names[word][i]));

        if (value.len > 0)
            return value;
    }
    return (struct str){NULL, 0};
}

struct str agent_word_said(const struct agent *agent, enum agent_word word)
{
    return first_of(agent, word, said);
}

struct str agent_word_shown(const struct agent *agent, enum agent_word word)
{
    return first_of(agent, word, shown);
}
