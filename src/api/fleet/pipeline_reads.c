/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines and their revisions, read from a snapshot of the store. Workers. */
#include "api/fleet/fleet_internal.h"
#include "api/fleet/messages.h"
#include "api/pipeline_message.h"

#define PAGE ((size_t)500)

MAP_IS_LABELS(pipeline_v1_list_pipelines_request_local_attributes_entry);
MAP_IS_LABELS(pipeline_v1_list_pipelines_request_remote_attributes_entry);

int fleet_get_pipeline(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct pipeline_v1_get_pipeline_request *in = request;
    struct pipeline row = {0};
    struct store_tx *tx;

    if (fleet_needs(in->id, "id", f) < 0 ||
        store_read_open(fleet_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = pipeline_get(tx, c->caller->tenant, fleet_number(in->id), &row, f);

    store_read_close(&tx);
    return rc < 0 ? fleet_no_pipeline(in->id, f)
                  : pipeline_message_write(c->arena, &row, response, f);
}

int fleet_get_pipeline_id(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct pipeline_v1_get_pipeline_id_request *in = request;
    struct pipeline_v1_get_pipeline_id_response *out = response;
    struct pipeline row = {0};
    struct store_tx *tx;

    if (fleet_needs(in->name, "name", f) < 0 ||
        store_read_open(fleet_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = pipeline_get_name(tx, c->caller->tenant, in->name, &row, f);

    store_read_close(&tx);
    if (rc < 0)
        return fleet_no_pipeline(in->name, f);
    out->id = arena_printf(c->arena, "%lld", (long long)row.id);
    return 0;
}

/* --- lists --- */

/* Messages that grow by doubling. */
struct growing {
    void *items;
    size_t count;
    size_t room;
};

static void *grow(struct arena *a, struct growing *g, size_t size)
{
    if (g->count == g->room) {
        size_t room = g->room > 0 ? 2 * g->room : 64;
        void *items = arena_alloc_raw(a, room * size);

        if (g->count > 0)
            memcpy(items, g->items, g->count * size);
        g->items = items;
        g->room = room;
    }
    return (char *)g->items + g->count++ * size;
}

struct filter {
    const struct pipeline_v1_list_pipelines_request *in;
    bool by_attributes;
    int64_t *ids; /* ascending: those whose matchers hold */
    size_t id_count;
    size_t at; /* rows come in order of id, too */
};

static bool passes(struct filter *filter, const struct pipeline *row,
                   const struct pipeline_v1_pipeline *message)
{
    const struct pipeline_v1_list_pipelines_request *in = filter->in;

    if (in->has_enabled && in->enabled != row->enabled)
        return false;
    if (in->has_config_type && in->config_type != PIPELINE_V1_CONFIG_TYPE_UNSPECIFIED &&
        in->config_type != message->config_type)
        return false;
    if (!filter->by_attributes)
        return true;
    while (filter->at < filter->id_count && filter->ids[filter->at] < row->id)
        filter->at++;
    return filter->at < filter->id_count && filter->ids[filter->at] == row->id;
}

static int list_rows(struct call *c, struct store_tx *tx, struct filter *filter,
                     struct growing *out, struct fail *f)
{
    struct pipeline *rows;
    int64_t after = 0;
    size_t count;

    do {
        if (pipeline_list(tx, c->caller->tenant, after, PAGE, &rows, &count, f) < 0)
            return -1;
        for (size_t i = 0; i < count; i++) {
            struct pipeline_v1_pipeline message;

            if (pipeline_message_write(c->arena, &rows[i], &message, f) < 0)
                return -1;
            if (passes(filter, &rows[i], &message))
                *(struct pipeline_v1_pipeline *)grow(c->arena, out, sizeof(message)) = message;
            after = rows[i].id;
        }
    } while (count == PAGE);
    return 0;
}

/* Sorted by key, as far as the request's maps can be. */
static struct attributes view(struct arena *a, const struct label *items, size_t count)
{
    struct attributes out = {arena_new_array(a, struct label, count + 1), count};

    if (count > 0)
        memcpy(out.items, items, count * sizeof(*items));
    attributes_sort(&out);
    return out;
}

static void filter_make(struct call *c, const struct pipeline_v1_list_pipelines_request *in,
                        struct filter *out)
{
    struct attributes local =
        view(c->arena, MAP_LABELS(in->local_attributes), in->local_attributes.count);
    struct attributes remote =
        view(c->arena, MAP_LABELS(in->remote_attributes), in->remote_attributes.count);
    struct str id = {NULL, 0};

    *out = (struct filter){.in = in};
    if (in->local_attributes.count + in->remote_attributes.count == 0)
        return;
    for (size_t i = 0; i < in->local_attributes.count; i++)
        if (str_eq(in->local_attributes.items[i].key, STR(AGENT_ID_KEY)))
            id = in->local_attributes.items[i].value;

    struct attributes all = attributes_overlay(c->arena, id, &local, &remote);

    out->by_attributes = true;
    pipelines_matching(fleet_realm(c)->pipelines, c->arena, all.items, all.count, &out->ids,
                       &out->id_count);
}

int fleet_list_pipelines(struct call *c, const void *request, void *response, struct fail *f)
{
    struct pipeline_v1_pipelines *out = response;
    struct growing found = {0};
    struct filter filter;
    struct store_tx *tx;

    filter_make(c, request, &filter);
    if (store_read_open(fleet_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = list_rows(c, tx, &filter, &found, f);

    store_read_close(&tx);
    out->pipelines.items = found.items;
    out->pipelines.count = found.count;
    return rc;
}

/* --- revisions --- */

static int revision_message(struct arena *a, const struct pipeline_revision *r,
                            struct pipeline_v1_pipeline_revision *out, struct fail *f)
{
    *out = (struct pipeline_v1_pipeline_revision){
        .revision_id = arena_printf(a, "%lld", (long long)r->id),
        .snapshot = arena_new_type(a, struct pipeline_v1_pipeline),
        .created_at = seconds_message(a, r->at_us),
    };
    switch (r->change) {
    case PIPELINE_CREATED: out->operation = PIPELINE_V1_PIPELINE_REVISION_INSERT; break;
    case PIPELINE_UPDATED: out->operation = PIPELINE_V1_PIPELINE_REVISION_UPDATE; break;
    case PIPELINE_DELETED: out->operation = PIPELINE_V1_PIPELINE_REVISION_DELETE; break;
    }
    return pipeline_message_write(a, &r->snapshot, out->snapshot, f);
}

/* Newest first. */
static int list_revisions(struct call *c, struct store_tx *tx, int64_t pipeline,
                          struct growing *out, struct fail *f)
{
    struct pipeline_revision *rows;
    int64_t before = 0;
    size_t count;

    do {
        if (pipeline_revisions(tx, c->caller->tenant, pipeline, before, PAGE, &rows, &count, f) < 0)
            return -1;
        for (size_t i = 0; i < count; i++) {
            if (revision_message(c->arena, &rows[i],
                                 grow(c->arena, out, sizeof(struct pipeline_v1_pipeline_revision)),
                                 f) < 0)
                return -1;
            before = rows[i].id;
        }
    } while (count == PAGE);
    return 0;
}

static int revisions_answer(struct call *c, int64_t pipeline,
                            struct pipeline_v1_pipeline_revisions *out, struct fail *f)
{
    struct growing found = {0};
    struct store_tx *tx;

    if (store_read_open(fleet_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = list_revisions(c, tx, pipeline, &found, f);

    store_read_close(&tx);
    out->pipeline_revisions.items = found.items;
    out->pipeline_revisions.count = found.count;
    return rc;
}

int fleet_list_all_revisions(struct call *c, const void *request, void *response, struct fail *f)
{
    (void)request;
    return revisions_answer(c, 0, response, f);
}

/* Also of a pipeline that was deleted: each that ever was has one. */
int fleet_list_revisions(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct pipeline_v1_list_pipeline_revisions_request *in = request;
    struct pipeline_v1_pipeline_revisions *out = response;
    int64_t id = fleet_number(in->id);

    if (fleet_needs(in->id, "id", f) < 0 || (id > 0 && revisions_answer(c, id, out, f) < 0))
        return -1;
    if (out->pipeline_revisions.count > 0)
        return 0;
    f->code = CODE_NOT_FOUND;
    return fleet_no_pipeline(in->id, f);
}

int fleet_get_revision(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct pipeline_v1_get_pipeline_revision_request *in = request;
    struct pipeline_revision found = {0};
    struct store_tx *tx;

    if (fleet_needs(in->revision_id, "revision_id", f) < 0 ||
        store_read_open(fleet_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = pipeline_revision_get(tx, c->caller->tenant, fleet_number(in->revision_id), &found, f);

    store_read_close(&tx);
    return rc < 0 ? -1 : revision_message(c->arena, &found, response, f);
}
