/* SPDX-License-Identifier: Apache-2.0 */
/* What a pipeline's body says, as bytes. Declared in pipeline.h. Pure. */
#include "core/pipeline.h"
#include "proto/muster_store_v1_rows.pb.h"

int pipeline_spec_encode(struct arena *a, const struct pipeline_spec *spec, struct str *body,
                         struct fail *f)
{
    struct muster_store_v1_pipeline_body message = {
        .type = spec->type,
        .contents = spec->contents,
        .matchers = {spec->matchers, spec->matcher_count},
        .has_metadata = spec->has_metadata,
        .has_source = spec->has_source,
    };
    struct buf out;

    if (spec->has_metadata)
        message.metadata = spec->metadata;
    if (spec->has_source) {
        message.source_type = (uint32_t)spec->source_type;
        message.source_namespace = spec->source_namespace;
    }
    buf_init_arena(&out, a, PIPELINE_BODY_MAX);
    if (proto_encode(&muster_store_v1_pipeline_body_desc, &message, &out) < 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "too_large", "the pipeline is too large");
    *body = buf_str(&out);
    return 0;
}

int pipeline_spec_decode(struct arena *a, struct str body, struct pipeline_spec *out,
                         struct fail *f)
{
    struct muster_store_v1_pipeline_body message = {0};

    if (proto_decode(&muster_store_v1_pipeline_body_desc, a, body, NULL, &message, f) < 0 ||
        (message.type != AGENT_ALLOY && message.type != AGENT_OTEL) ||
        message.source_type > INT32_MAX)
        return fail_set(f, CODE_DATA_LOSS, "the pipeline's row cannot be read");
    *out = (struct pipeline_spec){
        .type = (enum agent_type)message.type,
        .contents = message.contents,
        .matchers = message.matchers.items,
        .matcher_count = message.matchers.count,
        .has_metadata = message.has_metadata,
        .metadata = message.metadata,
        .has_source = message.has_source,
        .source_type = (int32_t)message.source_type,
        .source_namespace = message.source_namespace,
    };
    return 0;
}
