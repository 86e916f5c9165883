/* SPDX-License-Identifier: Apache-2.0 */
/* See installable.h. Names of attributes are those of Alloy ("collector.os", "collector.version"),
 * of this dialect's own agents, and of OpenTelemetry's conventions for resources. */
#include "api/sumologic/installable.h"

/* The first that has a value counts. */
static const char *const host_names[] = {"host.name", "hostname", "collector.hostname", NULL};
static const char *const os_names[] = {"collector.os", "os.name", "os.type", NULL};
static const char *const os_versions[] = {"collector.os.version", "os.version", NULL};
static const char *const os_archs[] = {"collector.arch", "host.arch", "os.arch", NULL};
static const char *const versions[] = {"collector.version", "service.version", NULL};

static struct str value_in(const struct attributes *attributes, struct str key)
{
    for (size_t i = 0; i < attributes->count; i++) {
        if (str_eq(attributes->items[i].key, key))
            return attributes->items[i].value;
    }
    return (struct str){NULL, 0};
}

/* The effective one: see agent.h. */
static struct str attribute(const struct agent *agent, struct str key)
{
    struct str value = {NULL, 0};

    if (!str_starts_with(key, STR(AGENT_RESERVED_PREFIX)))
        value = value_in(&agent->remote, key);
    return value.p ? value : value_in(&agent->local, key);
}

static struct str first_of(const struct agent *agent, const char *const *keys)
{
    for (; *keys; keys++) {
        struct str value = attribute(agent, str_of(*keys));

        if (value.len > 0)
            return value;
    }
    return (struct str){NULL, 0};
}

struct sumo_installable sumo_installable_of(const struct agent *agent)
{
    struct sumo_installable out = {
        .name = agent->row.name.len > 0 ? agent->row.name : agent->row.ext_id,
        .host_name = agent->profile.host_name,
        .os_name = first_of(agent, os_names),
        .os_version = first_of(agent, os_versions),
        .os_arch = first_of(agent, os_archs),
        .version = first_of(agent, versions),
    };

    if (!out.host_name.p) {
        out.host_name = first_of(agent, host_names);
        out.host_is_said = true;
    }
    return out;
}
