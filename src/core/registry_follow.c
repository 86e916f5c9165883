/* SPDX-License-Identifier: Apache-2.0 */
/* How memory follows what commits. See registry.h. */
#include <stdlib.h>

#include "base/heap.h"
#include "core/registry_internal.h"

/* --- following; the copies live as long as the job's arena, that is until after the commit --- */

struct agent_change {
    struct registry *registry;
    struct agent agent;
};

static struct attributes copy_attributes(struct arena *a, const struct label *items, size_t count)
{
    struct attributes out = {arena_new_array(a, struct label, count), count};

    for (size_t i = 0; i < count; i++) {
        out.items[i].key = arena_str(a, items[i].key);
        out.items[i].value = arena_str(a, items[i].value);
    }
    return out;
}

/* Absent is not empty. */
static struct str copy_text(struct arena *a, struct str text)
{
    return text.p ? arena_str(a, text) : text;
}

static void apply_agent(void *arg)
{
    struct agent_change *c = arg;
    const struct collector *row = &c->agent.row;

    agents_put(registry_realm(c->registry, row->tenant)->agents, &c->agent);
    registry_tell(c->registry, row->tenant, row->ext_id, false);
}

void registry_agent_changed(struct registry *r, struct store_tx *tx, const struct agent *agent)
{
    struct arena *a = store_tx_arena(tx);
    struct agent_change *c;

    if (!r)
        return;
    c = arena_new_type(a, struct agent_change);
    c->registry = r;
    c->agent = *agent;
    c->agent.row.space = arena_str(a, agent->row.space);
    c->agent.row.ext_id = arena_str(a, agent->row.ext_id);
    c->agent.row.name = arena_str(a, agent->row.name);
    c->agent.row.labels = STR("");
    c->agent.row.body = STR("");
    c->agent.local = copy_attributes(a, agent->local.items, agent->local.count);
    c->agent.remote = copy_attributes(a, agent->remote.items, agent->remote.count);
    c->agent.profile = (struct profile){
        .description = copy_text(a, agent->profile.description),
        .category = copy_text(a, agent->profile.category),
        .time_zone = copy_text(a, agent->profile.time_zone),
        .host_name = copy_text(a, agent->profile.host_name),
        .cutoff_ms = agent->profile.cutoff_ms,
    };
    c->agent.extras = copy_attributes(a, agent->extras, agent->extra_count).items;
    store_on_commit(tx, apply_agent, c);
}

struct deletion {
    struct registry *registry;
    uint64_t tenant;
    struct str id; /* of an agent */
};

/* What the hooks of a transaction add to the number that memory knows. */
struct tally {
    const struct registry *registry;
    uint64_t tenant;
    size_t more;
    size_t less;
};

static size_t total(const struct tally *t, size_t now)
{
    return now + t->more - MIN(t->less, now + t->more);
}

static struct deletion *new_deletion(struct registry *r, struct store_tx *tx, uint64_t tenant)
{
    struct deletion *d = arena_new_type(store_tx_arena(tx), struct deletion);

    d->registry = r;
    d->tenant = tenant;
    return d;
}

static void apply_agent_deletion(void *arg)
{
    struct deletion *d = arg;

    agents_remove(registry_realm(d->registry, d->tenant)->agents, d->id);
    registry_tell(d->registry, d->tenant, d->id, true);
}

void registry_agent_deleted(struct registry *r, struct store_tx *tx, uint64_t tenant, struct str id)
{
    struct deletion *d;

    if (!r)
        return;
    d = new_deletion(r, tx, tenant);
    d->id = arena_str(store_tx_arena(tx), id);
    store_on_commit(tx, apply_agent_deletion, d);
}

static void tally_agent(void *arg, const void *hook_arg)
{
    const struct agent_change *c = hook_arg;
    struct tally *t = arg;

    if (c->registry == t->registry && c->agent.row.tenant == t->tenant &&
        c->agent.row.revision == 1)
        t->more++;
}

static void tally_deletion(void *arg, const void *hook_arg)
{
    const struct deletion *d = hook_arg;
    struct tally *t = arg;

    if (d->registry == t->registry && d->tenant == t->tenant)
        t->less++;
}

size_t registry_agents(struct registry *r, const struct store_tx *tx, uint64_t tenant)
{
    struct tally t = {.registry = r, .tenant = tenant};

    if (tx) {
        store_each_on_commit(tx, apply_agent, tally_agent, &t);
        store_each_on_commit(tx, apply_agent_deletion, tally_deletion, &t);
    }
    return total(&t, agents_count(registry_realm(r, tenant)->agents));
}

void registry_on_delete(struct registry *r, registry_drop_fn fn, registry_drop_all_fn all,
                        void *arg)
{
    r->drop = fn;
    r->drop_all = all;
    r->drop_arg = arg;
}

int registry_drop(struct registry *r, struct store_tx *tx, uint64_t tenant, int64_t number,
                  struct fail *f)
{
    return r && r->drop ? r->drop(r->drop_arg, tx, tenant, number, f) : 0;
}

/* The changes of one job, which nobody may see in parts. */
struct pipeline_change_node {
    struct pipeline_change_node *next;
    struct pipeline row;
    int64_t gone; /* 0: the row is put */
};

struct pipeline_batch {
    struct registry *registry;
    uint64_t tenant;
    struct pipeline_change_node *first;
    struct pipeline_change_node **last;
    size_t count;
};

static void apply_pipelines(void *arg)
{
    struct pipeline_batch *b = arg;
    struct pipelines_edit *edits = heap_new_array(struct pipelines_edit, b->count);
    struct fail *fails = heap_new_array(struct fail, b->count);
    size_t n = 0;

    for (struct pipeline_change_node *c = b->first; c; c = c->next, n++) {
        edits[n].row = c->gone ? NULL : &c->row;
        edits[n].gone = c->gone;
        edits[n].fail = &fails[n];
    }
    pipelines_apply(registry_realm(b->registry, b->tenant)->pipelines, edits, b->count);
    for (size_t i = 0; i < b->count; i++) {
        if (fails[i].code != CODE_OK)
            registry_warn(b->registry, edits[i].row, &fails[i]);
    }
    free(fails);
    free(edits);
}

/* One more change of the job's batch, or of a new one. */
static struct pipeline_change_node *add_change(struct registry *r, struct store_tx *tx,
                                               uint64_t tenant)
{
    struct arena *a = store_tx_arena(tx);
    struct pipeline_batch *b = store_last_on_commit(tx, apply_pipelines);
    struct pipeline_change_node *c = arena_new_type(a, struct pipeline_change_node);

    if (!b || b->registry != r || b->tenant != tenant) {
        b = arena_new_type(a, struct pipeline_batch);
        b->registry = r;
        b->tenant = tenant;
        b->last = &b->first;
        store_on_commit(tx, apply_pipelines, b);
    }
    *b->last = c;
    b->last = &c->next;
    b->count++;
    return c;
}

void registry_pipeline_changed(struct registry *r, struct store_tx *tx, const struct pipeline *p)
{
    struct arena *a = store_tx_arena(tx);
    struct pipeline_change_node *c;

    if (!r)
        return;
    c = add_change(r, tx, p->tenant);
    c->row = *p;
    c->row.name = arena_str(a, p->name);
    c->row.body = arena_str(a, p->body);
}

void registry_pipeline_deleted(struct registry *r, struct store_tx *tx, uint64_t tenant, int64_t id)
{
    if (r)
        add_change(r, tx, tenant)->gone = id;
}

static void tally_pipelines(void *arg, const void *hook_arg)
{
    const struct pipeline_batch *b = hook_arg;
    struct tally *t = arg;

    if (b->registry != t->registry || b->tenant != t->tenant)
        return;
    for (const struct pipeline_change_node *c = b->first; c; c = c->next) {
        t->less += c->gone != 0;
        t->more += !c->gone && c->row.revision == 1;
    }
}

size_t registry_pipelines(struct registry *r, const struct store_tx *tx, uint64_t tenant)
{
    struct tally t = {.registry = r, .tenant = tenant};

    if (tx)
        store_each_on_commit(tx, apply_pipelines, tally_pipelines, &t);
    return total(&t, pipelines_count(registry_realm(r, tenant)->pipelines));
}

static void remove_pipelines(struct pipelines *p, struct arena *a)
{
    const struct agent_view nobody = {.id = STR(""), .type = AGENT_ALLOY};
    struct pipeline_verdict *all;
    size_t count;

    pipelines_explain(p, a, &nobody, &all, &count);
    for (size_t i = 0; i < count; i++)
        pipelines_remove(p, all[i].id);
}

struct creation {
    struct registry *registry;
    uint64_t tenant;
};

static void apply_tenant_creation(void *arg)
{
    const struct creation *c = arg;

    registry_add_tenant(c->registry, c->tenant);
}

void registry_tenant_created(struct registry *r, struct store_tx *tx, uint64_t tenant)
{
    struct creation *c;

    if (!r)
        return;
    c = arena_new_type(store_tx_arena(tx), struct creation);
    c->registry = r;
    c->tenant = tenant;
    store_on_commit(tx, apply_tenant_creation, c);
}

static void apply_tenant_deletion(void *arg)
{
    struct deletion *d = arg;
    struct realm *realm = registry_realm(d->registry, d->tenant);
    struct arena *a = arena_new(4096);

    pthread_mutex_lock(&d->registry->tenants_lock);
    number_index_remove(&d->registry->tenants, (int64_t)d->tenant);
    pthread_mutex_unlock(&d->registry->tenants_lock);
    agents_clear(realm->agents);
    registry_tell(d->registry, d->tenant, STR(""), true);
    remove_pipelines(realm->pipelines, a);
    arena_free(&a);
}

void registry_tenant_deleted(struct registry *r, struct store_tx *tx, uint64_t tenant)
{
    if (!r)
        return;
    store_on_commit(tx, apply_tenant_deletion, new_deletion(r, tx, tenant));
    if (r->drop_all)
        r->drop_all(r->drop_arg, tx, tenant);
}
