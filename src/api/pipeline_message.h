/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines between the message pipeline.v1.Pipeline and what core keeps: for every dialect that
 * speaks of them. Pure; results live in the arena, strings are those of the inputs. */
#ifndef API_PIPELINE_MESSAGE_H
#define API_PIPELINE_MESSAGE_H

#include "core/pipeline.h"
#include "proto/pipeline_v1_pipeline.pb.h"

/* What is written, with its defaults: enabled unless it says otherwise, for Alloy. Not yet checked
 * but for what has no place in a spec. INVALID_ARGUMENT. */
int pipeline_message_read(struct arena *a, const struct pipeline_v1_pipeline *in,
                          struct pipeline_spec *spec, bool *enabled, struct fail *f) MUST_CHECK;

/* Times are whole seconds, as the vendor shows them. id 0: there is none yet; created_us and
 * updated_us 0: same. DATA_LOSS. */
int pipeline_message_write(struct arena *a, const struct pipeline *row,
                           struct pipeline_v1_pipeline *out, struct fail *f) MUST_CHECK;

/* Whole seconds; NULL for 0. */
struct google_protobuf_timestamp *seconds_message(struct arena *a, int64_t us);

#endif
