/* SPDX-License-Identifier: Apache-2.0 */
#include "api/pipeline_message.h"

#include "proto/google_protobuf_struct.pb.h"

struct google_protobuf_timestamp *seconds_message(struct arena *a, int64_t us)
{
    struct google_protobuf_timestamp *t;

    if (us == 0)
        return NULL;
    t = arena_new_type(a, struct google_protobuf_timestamp);
    t->seconds = us / 1000000;
    return t;
}

static int read_type(int32_t in, enum agent_type *out, struct fail *f)
{
    switch (in) {
    case PIPELINE_V1_CONFIG_TYPE_UNSPECIFIED:
    case PIPELINE_V1_CONFIG_TYPE_ALLOY: *out = AGENT_ALLOY; return 0;
    case PIPELINE_V1_CONFIG_TYPE_OTEL: *out = AGENT_OTEL; return 0;
    default:
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_type", "there is no config type %d", in));
        return fail_field(f, "config_type");
    }
}

static int read_metadata(struct arena *a, const struct google_protobuf_struct *in,
                         struct pipeline_spec *spec, struct fail *f)
{
    struct buf bytes;

    if (!in)
        return 0;
    buf_init_arena(&bytes, a, PIPELINE_BODY_MAX);
    if (proto_encode(&google_protobuf_struct_desc, in, &bytes) < 0) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "too_large", "the metadata is too large"));
        return fail_field(f, "metadata");
    }
    spec->has_metadata = true;
    spec->metadata = buf_str(&bytes);
    return 0;
}

int pipeline_message_read(struct arena *a, const struct pipeline_v1_pipeline *in,
                          struct pipeline_spec *spec, bool *enabled, struct fail *f)
{
    *spec = (struct pipeline_spec){
        .contents = in->contents,
        .matchers = in->matchers.items,
        .matcher_count = in->matchers.count,
    };
    if (read_type(in->config_type, &spec->type, f) < 0 ||
        read_metadata(a, in->metadata, spec, f) < 0)
        return -1;
    if (in->source) {
        spec->has_source = true;
        spec->source_type = in->source->type;
        spec->source_namespace = in->source->namespace;
    }
    *enabled = in->has_enabled ? in->enabled : true;
    return 0;
}

static int write_metadata(struct arena *a, struct str metadata, struct pipeline_v1_pipeline *out,
                          struct fail *f)
{
    struct google_protobuf_struct *m = proto_new(a, &google_protobuf_struct_desc);

    if (proto_decode(&google_protobuf_struct_desc, a, metadata, NULL, m, f) < 0)
        return fail_set(f, CODE_DATA_LOSS, "a pipeline's metadata cannot be read");
    out->metadata = m;
    return 0;
}

int pipeline_message_write(struct arena *a, const struct pipeline *row,
                           struct pipeline_v1_pipeline *out, struct fail *f)
{
    struct pipeline_spec spec = {0};

    if (pipeline_spec_decode(a, row->body, &spec, f) < 0)
        return -1;
    *out = (struct pipeline_v1_pipeline){
        .name = row->name,
        .contents = spec.contents,
        .matchers = {.items = spec.matchers, .count = spec.matcher_count},
        .created_at = seconds_message(a, row->created_us),
        .updated_at = seconds_message(a, row->updated_us),
        .has_enabled = true,
        .enabled = row->enabled,
        .config_type =
            spec.type == AGENT_OTEL ? PIPELINE_V1_CONFIG_TYPE_OTEL : PIPELINE_V1_CONFIG_TYPE_ALLOY,
    };
    if (row->id != 0) {
        out->has_id = true;
        out->id = arena_printf(a, "%lld", (long long)row->id);
    }
    if (spec.has_source) {
        out->source = arena_new_type(a, struct pipeline_v1_pipeline_source);
        out->source->type = spec.source_type;
        out->source->namespace = spec.source_namespace;
    }
    return spec.has_metadata ? write_metadata(a, spec.metadata, out, f) : 0;
}
