/* SPDX-License-Identifier: Apache-2.0 */
/* Agents between row and struct. Declared in agent.h. Pure. */
#include "codec/sha256.h"
#include "core/agent.h"
#include "core/profile_body.h"
#include "proto/muster_store_v1_rows.pb.h"

_Static_assert(TEXT_HASH_LEN == SHA256_LEN, "it is SHA-256");

struct text_ref text_ref_of(struct str text)
{
    struct text_ref ref = {.set = text.len > 0};

    if (ref.set)
        sha256(text, ref.hash);
    return ref;
}

bool text_ref_equal(const struct text_ref *x, const struct text_ref *y)
{
    return x->set == y->set && (!x->set || memcmp(x->hash, y->hash, sizeof(x->hash)) == 0);
}

static struct str ref_bytes(const struct text_ref *ref)
{
    return ref->set ? str_make(ref->hash, sizeof(ref->hash)) : STR("");
}

/* What a newer server wrote and this one does not know stays in the body. */
static int keep_unknown(struct arena *a, struct str old, struct muster_store_v1_agent_body *body,
                        struct fail *f)
{
    struct muster_store_v1_agent_body was = {0};

    if (old.len == 0)
        return 0;
    if (proto_decode(&muster_store_v1_agent_body_desc, a, old, NULL, &was, f) < 0)
        return fail_set(f, CODE_DATA_LOSS, "the agent's row cannot be read");
    body->unknown_fields = was.unknown_fields;
    return 0;
}

static void put_maps(struct arena *a, const struct agent *agent,
                     struct muster_store_v1_agent_body *body)
{
    size_t n = agent->local.count;

    body->local.items = arena_new_array(a, struct muster_store_v1_agent_body_local_entry, n);
    body->local.count = n;
    for (size_t i = 0; i < n; i++) {
        body->local.items[i].key = agent->local.items[i].key;
        body->local.items[i].value = agent->local.items[i].value;
    }
    n = agent->extra_count;
    body->extras.items = arena_new_array(a, struct muster_store_v1_agent_body_extras_entry, n);
    body->extras.count = n;
    for (size_t i = 0; i < n; i++) {
        body->extras.items[i].key = agent->extras[i].key;
        body->extras.items[i].value = agent->extras[i].value;
    }
}

int agent_encode(struct arena *a, struct agent *agent, struct fail *f)
{
    struct muster_store_v1_profile profile;
    struct muster_store_v1_agent_body body = {
        .type = agent->type,
        .enabled = agent->enabled,
        .inactive_us = agent->inactive_us,
        .registered = agent->registered,
        .has_status = agent->has_status,
        .status = agent->status,
        .status_us = agent->status_us,
        .status_error = ref_bytes(&agent->status_error),
        .effective_config = ref_bytes(&agent->effective_config),
        .profile = profile_pack(&agent->profile, &profile),
        .ephemeral = agent->ephemeral,
        .target_cpu = agent->target_cpu,
        .sources_local = agent->sources_local,
    };
    struct str labels;
    struct buf out;

    if (keep_unknown(a, agent->row.body, &body, f) < 0 ||
        labels_encode(a, agent->remote.items, agent->remote.count, &labels, f) < 0)
        return -1;
    put_maps(a, agent, &body);
    buf_init_arena(&out, a, COLLECTOR_BODY_MAX);
    if (proto_encode(&muster_store_v1_agent_body_desc, &body, &out) < 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "too_large", "the agent is too large");
    agent->row.kind = COLLECTOR_AGENT;
    agent->row.labels = labels;
    agent->row.body = buf_str(&out);
    return 0;
}

static int lost(const struct collector *row, struct fail *f)
{
    IGNORE(fail_set(f, CODE_DATA_LOSS, "the agent's row cannot be read"));
    return fail_detail(f, "tenant %llu, id %lld", (unsigned long long)row->tenant,
                       (long long)row->id);
}

static bool get_ref(struct str bytes, struct text_ref *out)
{
    if (bytes.len == 0)
        return true;
    if (bytes.len != sizeof(out->hash))
        return false;
    out->set = true;
    memcpy(out->hash, bytes.p, bytes.len);
    return true;
}

/* False when they are not in the order in which they are written. */
static bool get_label(struct label *labels, size_t i, struct str key, struct str value)
{
    labels[i] = (struct label){key, value};
    return i == 0 || str_cmp(labels[i - 1].key, key) < 0;
}

static bool get_maps(struct arena *a, const struct muster_store_v1_agent_body *body,
                     struct agent *out)
{
    bool good = true;

    out->local.count = body->local.count;
    out->local.items = arena_new_array(a, struct label, body->local.count);
    for (size_t i = 0; good && i < body->local.count; i++)
        good = get_label(out->local.items, i, body->local.items[i].key, body->local.items[i].value);
    out->extra_count = body->extras.count;
    out->extras = arena_new_array(a, struct label, body->extras.count);
    for (size_t i = 0; good && i < body->extras.count; i++)
        good = get_label(out->extras, i, body->extras.items[i].key, body->extras.items[i].value);
    return good;
}

int agent_decode(struct arena *a, const struct collector *row, struct agent *out, struct fail *f)
{
    struct muster_store_v1_agent_body body = {0};
    struct agent agent = {.row = *row};

    if (row->kind != COLLECTOR_AGENT ||
        proto_decode(&muster_store_v1_agent_body_desc, a, row->body, NULL, &body, f) < 0 ||
        labels_decode(a, row->labels, &agent.remote.items, &agent.remote.count) < 0)
        return lost(row, f);
    if ((body.type != AGENT_ALLOY && body.type != AGENT_OTEL) ||
        body.status > AGENT_STATUS_FAILED || !get_ref(body.status_error, &agent.status_error) ||
        !get_ref(body.effective_config, &agent.effective_config) || !get_maps(a, &body, &agent))
        return lost(row, f);
    agent.type = (enum agent_type)body.type;
    agent.enabled = body.enabled;
    agent.inactive_us = body.inactive_us;
    agent.registered = body.registered;
    agent.has_status = body.has_status;
    agent.status = (enum agent_status)body.status;
    agent.status_us = body.status_us;
    profile_unpack(body.profile, &agent.profile);
    agent.ephemeral = body.ephemeral;
    agent.target_cpu = body.target_cpu;
    agent.sources_local = body.sources_local;
    *out = agent;
    return 0;
}
