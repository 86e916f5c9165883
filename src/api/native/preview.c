/* SPDX-License-Identifier: Apache-2.0 */
/* PreviewPipeline: whom a pipeline would go to, compared with the one that it would replace. Three
 * walks over the agents that the two match; an agent that changes meanwhile may be counted as it
 * was or as it is. */
#include <stdlib.h>

#include "api/native/native_internal.h"
#include "api/pipeline_message.h"
#include "base/heap.h"

#define IDS_DEFAULT 100

/* Whom one version of the pipeline goes to. */
struct reach {
    bool nobody;
    enum agent_type type;
    struct matcher *matchers;
    size_t matcher_count;
};

/* Numeric ids of agents, sorted once they are all there. */
struct numbers {
    int64_t *items; /* heap */
    size_t count;
    size_t cap;
};

struct walk {
    const struct reach *reach;
    const struct numbers *others; /* those of the other version; NULL: not yet known */
    struct numbers *all;          /* NULL: not wanted */
    struct first_ids *ids;        /* of all; NULL: not wanted */
    struct first_ids *only;       /* of those that the other one does not reach */
};

static int by_number(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;

    return (*x > *y) - (*x < *y);
}

static bool has_number(const struct numbers *n, int64_t id)
{
    return n->count > 0 && bsearch(&id, n->items, n->count, sizeof(id), by_number);
}

static void put_number(struct numbers *n, int64_t id)
{
    if (n->count == n->cap) {
        n->cap = MAX(64, n->cap * 2);
        n->items = heap_realloc(n->items, n->cap * sizeof(*n->items));
    }
    n->items[n->count++] = id;
}

/* With a lock of the agents. */
static void visit(void *arg, const struct agent *agent)
{
    struct walk *w = arg;

    if (!agent->enabled || agent->type != w->reach->type)
        return;
    if (w->all)
        put_number(w->all, agent->row.id);
    if (w->ids)
        first_ids_put(w->ids, agent->row.ext_id);
    if (w->only && !has_number(w->others, agent->row.id))
        first_ids_put(w->only, agent->row.ext_id);
}

static void walk(struct agents *agents, struct walk *w)
{
    if (!w->reach->nobody)
        agents_scan(agents, w->reach->matchers, w->reach->matcher_count, visit, w);
    if (w->all && w->all->count > 0)
        qsort(w->all->items, w->all->count, sizeof(*w->all->items), by_number);
    if (w->ids)
        first_ids_sort(w->ids);
    if (w->only)
        first_ids_sort(w->only);
}

static void compare(struct call *c, const struct reach *old, const struct reach *new,
                    size_t max_ids, struct muster_v1_preview_pipeline_response *out)
{
    struct agents *agents = native_realm(c)->agents;
    struct numbers before = {0}, after = {0};
    struct first_ids matched, gained, lost;

    first_ids_init(&matched, c->arena, max_ids);
    first_ids_init(&gained, c->arena, max_ids);
    first_ids_init(&lost, c->arena, max_ids);
    walk(agents, &(struct walk){.reach = old, .all = &before});
    walk(agents,
         &(struct walk){
             .reach = new, .others = &before, .all = &after, .ids = &matched, .only = &gained});
    walk(agents, &(struct walk){.reach = old, .others = &after, .only = &lost});
    free(before.items);
    free(after.items);
    out->matched_count = (int64_t)matched.total;
    out->gained_count = (int64_t)gained.total;
    out->lost_count = (int64_t)lost.total;
    out->matched.items = matched.items;
    out->matched.count = matched.count;
    out->gained.items = gained.items;
    out->gained.count = gained.count;
    out->lost.items = lost.items;
    out->lost.count = lost.count;
}

/* --- the two versions --- */

static int reach_of(const struct call *c, const struct pipeline_spec *spec, bool enabled,
                    struct reach *out, struct fail *f)
{
    out->type = spec->type;
    out->matcher_count = spec->matcher_count;
    out->nobody = !enabled || (spec->matcher_count == 0 && !native_of(c)->o.empty_matches_all);
    return native_matchers(c->arena, spec->matchers, spec->matcher_count, &out->matchers, f);
}

/* The row that would be replaced: by id when there is one of that id, else by name. id 0: none. */
static int find_stored(struct call *c, const struct pipeline_v1_pipeline *in, struct pipeline *out,
                       struct fail *f)
{
    struct store_tx *tx;
    int64_t id = 0;
    int rc = -1;

    *out = (struct pipeline){0};
    if (store_read_open(native_of(c)->o.store, c->arena, &tx, f) < 0)
        return -1;
    f->code = CODE_NOT_FOUND;
    if (in->has_id && str_to_i64(in->id, &id) == 0 && id > 0)
        rc = pipeline_get(tx, c->caller->tenant, id, out, f);
    if (rc < 0 && f->code == CODE_NOT_FOUND)
        rc = pipeline_get_name(tx, c->caller->tenant, in->name, out, f);
    store_read_close(&tx);
    if (rc == 0)
        return 0;
    *out = (struct pipeline){0};
    return f->code == CODE_NOT_FOUND ? 0 : -1;
}

/* A stored version that could not be written today reaches nobody. */
static void reach_of_stored(struct call *c, const struct pipeline *row, struct reach *out)
{
    struct pipeline_spec spec = {0};
    struct fail f;

    if (row->id == 0 || pipeline_spec_decode(c->arena, row->body, &spec, &f) < 0 ||
        reach_of(c, &spec, row->enabled, out, &f) < 0)
        *out = (struct reach){.nobody = true};
}

static int put_text(struct call *c, struct str agent_id, const struct pipeline *row,
                    struct muster_v1_preview_pipeline_response *out, struct fail *f)
{
    struct realm *realm = native_realm(c);
    struct agent agent = {0};
    struct rendered text = {0};

    if (!agents_get(realm->agents, c->arena, agent_id, &agent))
        return native_no_such_agent(f);

    struct agent_view view = native_view(c->arena, &agent);

    if (pipelines_preview(realm->pipelines, c->arena, row, &view, &text, f) < 0)
        return -1;
    out->content = text.content;
    out->hash = native_hash(c->arena, text.hash);
    return 0;
}

int native_preview(struct call *c, const void *request, void *response, struct fail *f)
{
    const struct muster_v1_preview_pipeline_request *in = request;
    struct muster_v1_preview_pipeline_response *out = response;
    size_t max_ids = in->max_ids == 0 ? IDS_DEFAULT : MIN(in->max_ids, NATIVE_IDS_MAX);
    struct pipeline_spec spec = {0};
    struct reach old = {0}, new = {0};
    struct pipeline row;
    bool enabled = false;

    if (!in->pipeline) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "missing", "pipeline is missing"));
        return fail_field(f, "pipeline");
    }
    if (pipeline_message_read(c->arena, in->pipeline, &spec, &enabled, f) < 0 ||
        pipeline_check(c->arena, in->pipeline->name, &spec, f) < 0 ||
        reach_of(c, &spec, enabled, &new, f) < 0 || find_stored(c, in->pipeline, &row, f) < 0)
        return -1;
    reach_of_stored(c, &row, &old);
    compare(c, &old, &new, max_ids, out);
    if (in->agent_id.len == 0)
        return 0;
    row.tenant = c->caller->tenant;
    row.name = in->pipeline->name;
    row.enabled = enabled;
    if (pipeline_spec_encode(c->arena, &spec, &row.body, f) < 0)
        return -1;
    return put_text(c, in->agent_id, &row, out, f);
}
