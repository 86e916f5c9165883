/* SPDX-License-Identifier: Apache-2.0 */
/* The management of pipelines. A worker reads and checks what is written, which takes time with the
 * length of the contents; the write lane only looks which row it is. */
#include "api/fleet/fleet_internal.h"
#include "api/pipeline_message.h"

#define SYNC_PIPELINES_MAX 10000

enum writing {
    WRITE_CREATE,
    WRITE_UPDATE, /* by id, else by name */
    WRITE_UPSERT, /* by name; by id when there is one of that id */
};

/* From the worker to the lane. */
struct draft {
    enum writing how;
    bool has_id;
    int64_t id;
    struct str id_text;
    struct str name;
    bool enabled;
    struct str body;
};

/* Which row it is: *found says whether there is one. */
static int find_target(struct store_tx *tx, uint64_t tenant, const struct draft *d, bool *found,
                       struct pipeline *row, struct fail *f)
{
    bool by_id = d->how != WRITE_CREATE && d->has_id;

    *found = false;
    if (by_id) {
        if (pipeline_get(tx, tenant, d->id, row, f) == 0) {
            *found = true;
            return 0;
        }
        if (f->code != CODE_NOT_FOUND || d->how == WRITE_UPDATE)
            return fleet_no_pipeline(d->id_text, f);
    }
    if (pipeline_get_name(tx, tenant, d->name, row, f) == 0)
        *found = true;
    else if (f->code != CODE_NOT_FOUND || d->how == WRITE_UPDATE)
        return fleet_no_pipeline(d->name, f);
    return 0;
}

/* Puts the draft in the place of what is there. */
static void fill(uint64_t tenant, const struct draft *d, struct pipeline *row)
{
    row->tenant = tenant;
    row->name = d->name;
    row->enabled = d->enabled;
    row->body = d->body;
    row->revision = 0;
}

/* For as many as there would be. */
static int check_room(struct call *c, size_t count, struct fail *f)
{
    size_t limit = fleet_settings(c)->pipelines_max;

    if (limit == 0 || count <= limit)
        return 0;
    return fail_reason(f, CODE_RESOURCE_EXHAUSTED, "too_many",
                       "there would be %zu pipelines: no more than %zu are allowed here", count,
                       limit);
}

/* Write lane. */
static int write_draft(struct call *c, const void *request, void *response, struct fail *f)
{
    struct registry *registry = fleet_app_of(c)->registry;
    const struct draft *d = c->carry;
    struct pipeline row = {0};
    bool found = false;

    (void)request;
    if (d->how != WRITE_CREATE && find_target(c->tx, c->caller->tenant, d, &found, &row, f) < 0)
        return -1;
    if (!found)
        row = (struct pipeline){0};
    fill(c->caller->tenant, d, &row);
    if (found) {
        if (pipeline_update(c->tx, registry, c->caller, &row, f) < 0)
            return -1;
    } else if (check_room(c, registry_pipelines(registry, c->tx, c->caller->tenant) + 1, f) < 0 ||
               pipeline_create(c->tx, registry, c->caller, &row, f) < 0) {
        return -1;
    }
    return pipeline_message_write(c->arena, &row, response, f);
}

static int name_taken(struct fail *f)
{
    IGNORE(fail_reason(f, CODE_ALREADY_EXISTS, "name_taken",
                       "there is a pipeline of that name already"));
    return fail_field(f, "pipeline.name");
}

/* What the lane would find, and nothing is written. */
static int preview(struct call *c, struct store_tx *tx, const struct draft *d, struct pipeline *row,
                   struct fail *f)
{
    uint64_t tenant = c->caller->tenant;
    struct pipeline other = {0};
    bool found = false;

    if (find_target(tx, tenant, d, &found, row, f) < 0)
        return -1;
    if (found && d->how == WRITE_CREATE)
        return name_taken(f);
    if (found && !str_eq(row->name, d->name)) {
        if (pipeline_get_name(tx, tenant, d->name, &other, f) == 0)
            return name_taken(f);
        if (f->code != CODE_NOT_FOUND)
            return -1;
    }
    if (!found) {
        *row = (struct pipeline){0};
        if (check_room(c, pipelines_count(fleet_realm(c)->pipelines) + 1, f) < 0)
            return -1;
    }
    fill(tenant, d, row);
    return 0;
}

static int validate(struct call *c, const struct draft *d, void *response, struct fail *f)
{
    struct pipeline row = {0};
    struct store_tx *tx;

    if (store_read_open(fleet_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = preview(c, tx, d, &row, f);

    store_read_close(&tx);
    return rc < 0 ? -1 : pipeline_message_write(c->arena, &row, response, f);
}

/* Worker. */
static int write_pipeline(struct call *c, enum writing how, const struct pipeline_v1_pipeline *in,
                          bool validate_only, void *response, struct fail *f)
{
    struct draft *d = arena_new_type(c->arena, struct draft);
    struct pipeline_spec spec = {0};

    if (!in) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "missing", "pipeline is missing"));
        return fail_field(f, "pipeline");
    }
    *d = (struct draft){.how = how, .name = in->name, .has_id = in->has_id && in->id.len > 0};
    d->id = fleet_number(in->id);
    d->id_text = in->id;
    if (pipeline_message_read(c->arena, in, &spec, &d->enabled, f) < 0 ||
        pipeline_check(c->arena, in->name, &spec, f) < 0 ||
        pipeline_spec_encode(c->arena, &spec, &d->body, f) < 0)
        return -1;
    if (validate_only)
        return validate(c, d, response, f);
    c->carry = d;
    return rpc_move(c, LANE_WRITE, write_draft);
}

int fleet_create_pipeline(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct pipeline_v1_create_pipeline_request *in = request;

    return write_pipeline(c, WRITE_CREATE, in->pipeline, in->validate_only, response, f);
}

int fleet_update_pipeline(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct pipeline_v1_update_pipeline_request *in = request;

    return write_pipeline(c, WRITE_UPDATE, in->pipeline, in->validate_only, response, f);
}

int fleet_upsert_pipeline(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct pipeline_v1_upsert_pipeline_request *in = request;

    return write_pipeline(c, WRITE_UPSERT, in->pipeline, in->validate_only, response, f);
}

/* --- deletion --- */

static int delete_one(struct call *c, struct str id, struct fail *f)
{
    if (pipeline_delete(c->tx, fleet_app_of(c)->registry, c->caller, c->caller->tenant,
                        fleet_number(id), 0, f) < 0)
        return fleet_no_pipeline(id, f);
    return 0;
}

int fleet_delete_pipeline(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct pipeline_v1_delete_pipeline_request *in = request;

    (void)response;
    return fleet_needs(in->id, "id", f) < 0 ? -1 : delete_one(c, in->id, f);
}

/* Write lane: all or nothing. */
static int delete_all(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct fleet_ids *ids = c->carry;

    (void)request;
    (void)response;
    for (size_t i = 0; i < ids->count; i++)
        if (delete_one(c, ids->items[i], f) < 0)
            return -1;
    return 0;
}

int fleet_delete_pipelines(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct pipeline_v1_bulk_delete_pipelines_request *in = request;
    struct fleet_ids *ids = arena_new_type(c->arena, struct fleet_ids);

    (void)response;
    if (fleet_ids_once(c->arena, in->ids.items, in->ids.count, ids, f) < 0)
        return -1;
    c->carry = ids;
    return rpc_move(c, LANE_WRITE, delete_all);
}

/* --- synchronisation --- */

struct sync {
    int32_t source_type;
    struct str source_namespace;
    struct pipeline_draft *drafts;
    size_t count;
};

/* Write lane. Whether there is room shows when it is done: what is listed may be there already, and
 * what goes makes room. */
static int write_sync(struct call *c, const void *request, void *response, struct fail *f)
{
    struct registry *registry = fleet_app_of(c)->registry;
    const struct sync *s = c->carry;

    (void)request;
    (void)response;
    if (pipeline_sync(c->tx, registry, c->caller, c->caller->tenant, s->source_type,
                      s->source_namespace, s->drafts, s->count, f) < 0)
        return -1;
    return check_room(c, registry_pipelines(registry, c->tx, c->caller->tenant), f);
}

static int read_source(const struct pipeline_v1_pipeline_source *in, struct sync *out,
                       struct fail *f)
{
    if (!in || in->type <= PIPELINE_V1_PIPELINE_SOURCE_SOURCE_TYPE_UNSPECIFIED ||
        in->type > PIPELINE_V1_PIPELINE_SOURCE_SOURCE_TYPE_GRAFANA || in->namespace.len == 0) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_source",
                           "source needs a type and a namespace"));
        return fail_field(f, "source");
    }
    out->source_type = in->type;
    out->source_namespace = in->namespace;
    return 0;
}

/* The source of all of them is the request's. */
static int read_draft(struct call *c, const struct sync *s, const struct pipeline_v1_pipeline *in,
                      struct pipeline_draft *out, size_t *steps, struct fail *f)
{
    struct pipeline_spec *spec = arena_new_type(c->arena, struct pipeline_spec);

    if (pipeline_message_read(c->arena, in, spec, &out->enabled, f) < 0)
        return -1;
    spec->has_source = true;
    spec->source_type = s->source_type;
    spec->source_namespace = s->source_namespace;
    out->name = in->name;
    out->spec = spec;
    return pipeline_check_next(c->arena, in->name, spec, steps, f);
}

int fleet_sync_pipelines(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct pipeline_v1_sync_pipelines_request *in = request;
    struct sync *s = arena_new_type(c->arena, struct sync);
    size_t count = in->pipelines.count, steps = 0;

    (void)response;
    if (read_source(in->source, s, f) < 0)
        return -1;
    if (count > SYNC_PIPELINES_MAX)
        return fail_reason(f, CODE_RESOURCE_EXHAUSTED, "too_many",
                           "%zu pipelines are more than are allowed here", count);
    s->drafts = arena_new_array(c->arena, struct pipeline_draft, count + 1);
    s->count = count;
    for (size_t i = 0; i < count; i++)
        if (read_draft(c, s, &in->pipelines.items[i], &s->drafts[i], &steps, f) < 0)
            return fleet_name_item(in->pipelines.items[i].name, f);
    if (check_room(c, count, f) < 0) /* with those that are not listed it is more yet */
        return -1;
    c->carry = s;
    return rpc_move(c, LANE_WRITE, write_sync);
}
