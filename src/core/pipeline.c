/* SPDX-License-Identifier: Apache-2.0 */
/* See pipeline.h. */
#include "core/pipeline.h"

#include "base/number.h"
#include "core/event.h"
#include "core/registry.h"
#include "core/tenant.h"

static int refuse(struct fail *f, const char *reason, const char *field, const char *message)
{
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, reason, "%s", message));
    return fail_field(f, "%s", field);
}

static int check(const struct pipeline *p, struct fail *f)
{
    if (pipeline_check_name(p->name, f) < 0)
        return -1;
    if (p->body.len > PIPELINE_BODY_MAX)
        return refuse(f, "too_large", "body", "the pipeline is too large");
    return 0;
}

/* The event and the revision that every change leaves. */
static int record(struct store_tx *tx, const struct caller *by, const struct pipeline *p,
                  enum pipeline_change change, struct fail *f)
{
    static const char *const kinds[] = {
        [PIPELINE_CREATED] = "pipeline.created",
        [PIPELINE_UPDATED] = "pipeline.updated",
        [PIPELINE_DELETED] = "pipeline.deleted",
    };
    const struct pipeline_revision r = {
        .id = store_next_id(tx),
        .change = change,
        .snapshot = *p,
        .at_us = store_tx_now(tx),
        .actor = by ? by->key_id : STR(""),
    };
    char id[NUMBER_TEXT_MAX];

    if (store_revision_insert(tx, &r, f) < 0)
        return -1;
    return event_append(tx, p->tenant, by, kinds[change], str_make(id, number_print_i64(p->id, id)),
                        event_data(store_tx_arena(tx), "name", p->name), f);
}

static int taken(struct fail *f)
{
    if (f->code != CODE_ALREADY_EXISTS)
        return -1;
    IGNORE(fail_reason(f, CODE_ALREADY_EXISTS, "name_taken",
                       "there is a pipeline of that name already"));
    return fail_field(f, "name");
}

static int missing(struct fail *f)
{
    if (f->code != CODE_NOT_FOUND)
        return -1;
    return fail_reason(f, CODE_NOT_FOUND, "no_such_pipeline", "there is no such pipeline");
}

static int mismatch(struct fail *f)
{
    return fail_reason(f, CODE_ABORTED, "revision_mismatch",
                       "the pipeline was changed meanwhile; read it again");
}

int pipeline_create(struct store_tx *tx, struct registry *r, const struct caller *by,
                    struct pipeline *p, struct fail *f)
{
    struct pipeline row = *p;

    if (check(p, f) < 0 || tenant_check_id(tx, p->tenant, f) < 0)
        return -1;
    row.id = store_next_id(tx);
    row.revision = 1;
    row.created_us = store_tx_now(tx);
    row.updated_us = row.created_us;
    if (store_pipeline_insert(tx, &row, f) < 0)
        return taken(f);
    if (record(tx, by, &row, PIPELINE_CREATED, f) < 0)
        return -1;
    registry_pipeline_changed(r, tx, &row);
    *p = row;
    return 0;
}

int pipeline_get(struct store_tx *tx, uint64_t tenant, int64_t id, struct pipeline *out,
                 struct fail *f)
{
    return store_pipeline_get(tx, tenant, id, out, f) < 0 ? missing(f) : 0;
}

int pipeline_get_name(struct store_tx *tx, uint64_t tenant, struct str name, struct pipeline *out,
                      struct fail *f)
{
    return store_pipeline_get_name(tx, tenant, name, out, f) < 0 ? missing(f) : 0;
}

int pipeline_list(struct store_tx *tx, uint64_t tenant, int64_t after, size_t limit,
                  struct pipeline **out, size_t *count, struct fail *f)
{
    return store_pipeline_list(tx, tenant, after, limit, out, count, f);
}

int pipeline_update(struct store_tx *tx, struct registry *r, const struct caller *by,
                    struct pipeline *p, struct fail *f)
{
    struct pipeline row;
    struct pipeline other;

    if (check(p, f) < 0 || pipeline_get(tx, p->tenant, p->id, &row, f) < 0)
        return -1;
    if (p->revision && p->revision != row.revision)
        return mismatch(f);
    if (!str_eq(p->name, row.name)) {
        if (store_pipeline_get_name(tx, p->tenant, p->name, &other, f) == 0) {
            f->code = CODE_ALREADY_EXISTS;
            return taken(f);
        }
        if (f->code != CODE_NOT_FOUND)
            return -1;
    }

    int64_t from = row.revision;

    row.name = p->name;
    row.enabled = p->enabled;
    row.body = p->body;
    row.revision = from + 1;
    row.updated_us = MAX(store_tx_now(tx), row.updated_us);
    if (store_pipeline_update(tx, &row, from, f) < 0)
        return f->code == CODE_ABORTED ? mismatch(f) : taken(f);
    if (record(tx, by, &row, PIPELINE_UPDATED, f) < 0)
        return -1;
    registry_pipeline_changed(r, tx, &row);
    *p = row;
    return 0;
}

int pipeline_delete(struct store_tx *tx, struct registry *r, const struct caller *by,
                    uint64_t tenant, int64_t id, int64_t revision, struct fail *f)
{
    struct pipeline row;

    if (pipeline_get(tx, tenant, id, &row, f) < 0)
        return -1;
    if (revision && revision != row.revision)
        return mismatch(f);
    if (store_pipeline_delete(tx, tenant, id, f) < 0)
        return missing(f);
    row.revision++;
    row.updated_us = MAX(store_tx_now(tx), row.updated_us);
    registry_pipeline_deleted(r, tx, tenant, id);
    return record(tx, by, &row, PIPELINE_DELETED, f);
}

int pipeline_revisions(struct store_tx *tx, uint64_t tenant, int64_t pipeline, int64_t before,
                       size_t limit, struct pipeline_revision **out, size_t *count, struct fail *f)
{
    return store_revision_list(tx, tenant, pipeline, before, limit, out, count, f);
}

int pipeline_revision_get(struct store_tx *tx, uint64_t tenant, int64_t id,
                          struct pipeline_revision *out, struct fail *f)
{
    if (store_revision_get(tx, tenant, id, out, f) == 0)
        return 0;
    if (f->code != CODE_NOT_FOUND)
        return -1;
    return fail_reason(f, CODE_NOT_FOUND, "no_such_revision", "there is no such revision");
}
