/* SPDX-License-Identifier: Apache-2.0 */
#include "api/fleet/messages.h"

#include "api/pipeline_message.h"

MAP_IS_LABELS(collector_v1_collector_remote_attributes_entry);
MAP_IS_LABELS(collector_v1_collector_attribute_overrides_entry);
MAP_IS_LABELS(collector_v1_collector_local_attributes_entry);

struct attributes message_attributes(const struct label *items, size_t count)
{
    return (struct attributes){(struct label *)(uintptr_t)items, count};
}

struct attributes message_remote(const struct collector_v1_collector *in)
{
    if (in->remote_attributes.count > 0)
        return message_attributes(MAP_LABELS(in->remote_attributes), in->remote_attributes.count);
    return message_attributes(MAP_LABELS(in->attribute_overrides), in->attribute_overrides.count);
}

int message_type(int32_t in, enum agent_type *out, struct fail *f)
{
    switch (in) {
    case COLLECTOR_V1_COLLECTOR_TYPE_UNSPECIFIED: *out = (enum agent_type)0; return 0;
    case COLLECTOR_V1_COLLECTOR_TYPE_ALLOY: *out = AGENT_ALLOY; return 0;
    case COLLECTOR_V1_COLLECTOR_TYPE_OTEL: *out = AGENT_OTEL; return 0;
    default:
        IGNORE(
            fail_reason(f, CODE_INVALID_ARGUMENT, "bad_type", "there is no collector type %d", in));
        return fail_field(f, "collector.collector_type");
    }
}

void message_collector(struct arena *a, const struct agent *agent, int64_t now_us,
                       int64_t inactive_after_us, struct collector_v1_collector *out)
{
    size_t locals = agent->local.count;
    struct collector_v1_collector_local_attributes_entry *local =
        arena_new_array(a, struct collector_v1_collector_local_attributes_entry, locals + 1);

    local[0].key = STR(AGENT_ID_KEY);
    local[0].value = agent->row.ext_id;
    if (locals > 0)
        memcpy(&local[1], agent->local.items, locals * sizeof(local[0]));
    *out = (struct collector_v1_collector){
        .id = agent->row.ext_id,
        .remote_attributes = {.items = (void *)agent->remote.items, .count = agent->remote.count},
        .created_at = seconds_message(a, agent->row.created_us),
        .updated_at = seconds_message(a, agent->row.updated_us),
        .name = agent->row.name,
        .local_attributes = {.items = local, .count = locals + 1},
        .has_enabled = true,
        .enabled = agent->enabled,
        .marked_inactive_at =
            seconds_message(a, agent_inactive_at(agent, now_us, inactive_after_us)),
        .collector_type = agent->type == AGENT_OTEL ? COLLECTOR_V1_COLLECTOR_TYPE_OTEL
                                                    : COLLECTOR_V1_COLLECTOR_TYPE_ALLOY,
    };
}
