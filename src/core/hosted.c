/* SPDX-License-Identifier: Apache-2.0 */
/* See hosted.h. */
#include "core/hosted.h"

#include "codec/utf8.h"
#include "core/profile_body.h"
#include "proto/muster_store_v1_rows.pb.h"

static int check_name(struct str name, struct fail *f)
{
    if (name.len > 0 && utf8_is_valid(name) && utf8_count(name) <= AGENT_NAME_CHARS_MAX)
        return 0;
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_name",
                       "a collector needs a name of at most %d characters", AGENT_NAME_CHARS_MAX));
    return fail_field(f, "name");
}

static int check(const struct hosted *h, struct fail *f)
{
    if (check_name(h->row.name, f) < 0 || profile_check(&h->profile, f) < 0)
        return -1;
    return agent_check_fields(&h->fields, f);
}

/* What a newer server wrote and this one does not know stays in the body. */
static int keep_unknown(struct arena *a, struct str old, struct muster_store_v1_hosted_body *body,
                        struct fail *f)
{
    struct muster_store_v1_hosted_body was = {0};

    if (old.len == 0)
        return 0;
    if (proto_decode(&muster_store_v1_hosted_body_desc, a, old, NULL, &was, f) < 0)
        return fail_set(f, CODE_DATA_LOSS, "the collector's row cannot be read");
    body->unknown_fields = was.unknown_fields;
    return 0;
}

/* Makes labels and body of the row from the rest; body is the old one before. */
static int encode(struct arena *a, struct hosted *h, struct fail *f)
{
    struct muster_store_v1_profile profile;
    struct muster_store_v1_hosted_body body = {.profile = profile_pack(&h->profile, &profile)};
    struct str labels = {NULL, 0};
    struct buf out;

    if (keep_unknown(a, h->row.body, &body, f) < 0 ||
        labels_encode(a, h->fields.items, h->fields.count, &labels, f) < 0)
        return -1;
    buf_init_arena(&out, a, COLLECTOR_BODY_MAX);
    if (proto_encode(&muster_store_v1_hosted_body_desc, &body, &out) < 0)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "too_large", "the collector is too large");
    h->row.kind = COLLECTOR_HOSTED;
    h->row.labels = labels;
    h->row.body = buf_str(&out);
    return 0;
}

int hosted_create(struct store_tx *tx, const struct caller *by, struct hosted *h, struct fail *f)
{
    struct hosted made = {
        .row = {.tenant = h->row.tenant, .name = h->row.name, .unique_name = true},
        .profile = h->profile,
    };

    if (check(h, f) < 0)
        return -1;
    made.fields = attributes_sorted(store_tx_arena(tx), &h->fields);
    if (encode(store_tx_arena(tx), &made, f) < 0 || collector_create(tx, by, &made.row, f) < 0)
        return -1;
    *h = made;
    return 0;
}

int hosted_decode(struct arena *a, const struct collector *row, struct hosted *out, struct fail *f)
{
    struct muster_store_v1_hosted_body body = {0};
    struct hosted hosted = {.row = *row};

    if (row->kind != COLLECTOR_HOSTED ||
        proto_decode(&muster_store_v1_hosted_body_desc, a, row->body, NULL, &body, f) < 0 ||
        labels_decode(a, row->labels, &hosted.fields.items, &hosted.fields.count) < 0) {
        IGNORE(fail_set(f, CODE_DATA_LOSS, "the collector's row cannot be read"));
        return fail_detail(f, "tenant %llu, id %lld", (unsigned long long)row->tenant,
                           (long long)row->id);
    }
    profile_unpack(body.profile, &hosted.profile);
    *out = hosted;
    return 0;
}

int hosted_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct hosted *out, struct fail *f)
{
    struct collector row = {0};

    if (collector_get(tx, tenant, id, &row, f) < 0)
        return -1;
    if (row.kind != COLLECTOR_HOSTED)
        return fail_reason(f, CODE_NOT_FOUND, "no_such_collector", "there is no such collector");
    return hosted_decode(store_tx_arena(tx), &row, out, f);
}

int hosted_update(struct store_tx *tx, const struct caller *by, struct hosted *h, struct fail *f)
{
    struct hosted now = {0};

    if (check(h, f) < 0 || hosted_get(tx, h->row.tenant, h->row.id, &now, f) < 0)
        return -1;
    if (h->row.revision && h->row.revision != now.row.revision)
        return fail_reason(f, CODE_ABORTED, "revision_mismatch",
                           "the collector was changed meanwhile; read it again");

    struct attributes fields = attributes_sorted(store_tx_arena(tx), &h->fields);

    if (!str_eq(h->row.name, now.row.name) || !profile_equal(&h->profile, &now.profile) ||
        !attributes_equal(&fields, &now.fields)) {
        now.row.name = h->row.name;
        now.row.unique_name = true;
        now.profile = h->profile;
        now.fields = fields;
        if (encode(store_tx_arena(tx), &now, f) < 0 || collector_update(tx, by, &now.row, f) < 0)
            return -1;
    }
    *h = now;
    return 0;
}
