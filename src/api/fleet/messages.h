/* SPDX-License-Identifier: Apache-2.0 */
/* Collectors between the messages of collector.v1 and what core keeps. Pure; results live in the
 * arena, strings are those of the inputs. */
#ifndef API_FLEET_MESSAGES_H
#define API_FLEET_MESSAGES_H

#include <stddef.h>

#include "core/agents.h"
#include "proto/collector_v1_collector.pb.h"

/* An entry of a map<string, string> lies in memory like a label. */
#define MAP_IS_LABELS(entry)                                                                       \
    _Static_assert(sizeof(struct entry) == sizeof(struct label) &&                                 \
                       offsetof(struct entry, key) == offsetof(struct label, key) &&               \
                       offsetof(struct entry, value) == offsetof(struct label, value),             \
                   #entry)

#define MAP_LABELS(map) ((const struct label *)(const void *)(map).items)

/* The map's own memory, which stays as it is. */
struct attributes message_attributes(const struct label *items, size_t count);

/* The older of the two fields counts when the newer one is empty. */
struct attributes message_remote(const struct collector_v1_collector *in);

/* 0 for the unspecified type. INVALID_ARGUMENT. */
int message_type(int32_t in, enum agent_type *out, struct fail *f) MUST_CHECK;

/* As the vendor shows it: no deprecated twins, the virtual id among the local attributes, times in
 * whole seconds. */
void message_collector(struct arena *a, const struct agent *agent, int64_t now_us,
                       int64_t inactive_after_us, struct collector_v1_collector *out);

#endif
